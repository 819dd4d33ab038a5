//! Which module names exist. The one place that says `builtin` or `unknown`.
use std::collections::HashSet;
use std::fmt;

use model::ModuleName;

use crate::modules::Module;

/// Why a name can't be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalReason {
    /// The language has it already; it is always there and not configurable.
    Builtin,
    /// There is no such module in this build.
    Unknown,
}

impl RefusalReason {
    /// As the contract's `details.reason` spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            RefusalReason::Builtin => "builtin",
            RefusalReason::Unknown => "unknown",
        }
    }
}

/// A name that can't be listed, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The name, normalised where it could be, cut to 200 characters.
    pub module: String,
    /// Why.
    pub reason: RefusalReason,
    /// The modules that there are.
    pub known: Vec<&'static str>,
}

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason {
            RefusalReason::Builtin => write!(
                f,
                "module '{}' is a JavaScript built-in: it is always there and can't be listed or left out",
                self.module
            ),
            RefusalReason::Unknown => {
                write!(f, "module '{}' is unknown; there are: {}", self.module, self.known.join(", "))
            }
        }
    }
}

/// The native modules and the globals of every session.
#[derive(Debug)]
pub struct Registry {
    modules: Vec<&'static Module>,
    builtins: Vec<String>,
    /// The language's own globals, in lower case.
    language: HashSet<String>,
    /// Every global, in lower case.
    folded: HashSet<String>,
}

impl Registry {
    /// `language` is what the bare engine reports, and `globals` what sessions have: so the lists can't drift from them.
    pub(crate) fn new(modules: Vec<&'static Module>, language: &[String], globals: &[String]) -> Self {
        // The host puts `console` there, but people count it to the language.
        let mut builtins: Vec<String> = language.iter().chain(globals).cloned().collect();
        builtins.push("console".to_owned());
        builtins.sort();
        builtins.dedup();
        let folded = builtins.iter().map(|name| name.to_lowercase()).collect();
        let language = language.iter().map(|name| name.to_lowercase()).chain(["console".to_owned()]).collect();
        Registry { modules, builtins, language, folded }
    }

    /// The module of that name; it is trimmed and compared without case.
    pub fn look_up(&self, raw: &str) -> Result<&'static Module, Refusal> {
        let folded = raw.trim().to_lowercase();
        let refuse = |reason| {
            let known = self.modules.iter().map(|module| module.name).collect();
            Err(Refusal { module: folded.chars().take(200).collect(), reason, known })
        };
        if self.language.contains(&folded) {
            return refuse(RefusalReason::Builtin);
        }
        // A module may have the name of one of the web's globals: `url` is not `URL`.
        let name = ModuleName::parse(raw).ok();
        let found = name.and_then(|name| self.modules.iter().find(|module| module.name == name.as_str()));
        match found {
            Some(module) => Ok(module),
            None if self.folded.contains(&folded) => refuse(RefusalReason::Builtin),
            None => refuse(RefusalReason::Unknown),
        }
    }

    /// Every native module of this engine.
    pub fn modules(&self) -> impl Iterator<Item = &'static Module> {
        self.modules.iter().copied()
    }

    /// The globals that every session has, sorted.
    pub fn builtins(&self) -> &[String] {
        &self.builtins
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry() -> Registry {
        let language = ["JSON", "Math", "globalThis"].map(str::to_owned);
        let globals = ["JSON", "Math", "AbortController", "FS"].map(str::to_owned);
        Registry::new(crate::modules::ALL.to_vec(), &language, &globals)
    }

    #[test]
    fn built_ins_come_first_in_any_case() {
        let registry = registry();
        for name in
            ["JSON", "json", " Json ", "math", "globalthis", "GLOBALTHIS", "console", "Console\n", "abortcontroller"]
        {
            assert_eq!(registry.look_up(name).unwrap_err().reason, RefusalReason::Builtin, "{name}");
        }
        for name in ["nope", "", "  ", "f s", "fs\0", "é", &"x".repeat(65)] {
            assert_eq!(registry.look_up(name).unwrap_err().reason, RefusalReason::Unknown, "{name}");
        }
        assert_eq!(registry.look_up(" FS ").unwrap().name, "fs", "a module of the name of a global");
    }

    #[test]
    fn a_refusal_is_short() {
        let refusal = registry().look_up(&"x".repeat(1 << 20)).unwrap_err();
        assert!(refusal.to_string().len() < 800);
    }
}
