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

/// The native modules and the language's own globals.
#[derive(Debug)]
pub struct Registry {
    modules: Vec<&'static Module>,
    builtins: Vec<String>,
    folded: HashSet<String>,
}

impl Registry {
    /// `globals` is what the bare engine reports, so that the list can't drift from the engine.
    pub(crate) fn new(modules: Vec<&'static Module>, mut globals: Vec<String>) -> Self {
        // The host puts `console` there, but people count it to the language.
        globals.push("console".to_owned());
        globals.sort();
        globals.dedup();
        let folded = globals.iter().map(|name| name.to_lowercase()).collect();
        Registry { modules, builtins: globals, folded }
    }

    /// The module of that name; it is trimmed and compared without case.
    pub fn look_up(&self, raw: &str) -> Result<&'static Module, Refusal> {
        let folded = raw.trim().to_lowercase();
        let refuse = |reason| {
            let known = self.modules.iter().map(|module| module.name).collect();
            Err(Refusal { module: folded.chars().take(200).collect(), reason, known })
        };
        if self.folded.contains(&folded) {
            return refuse(RefusalReason::Builtin);
        }
        let Ok(name) = ModuleName::parse(raw) else { return refuse(RefusalReason::Unknown) };
        match self.modules.iter().find(|module| module.name == name.as_str()) {
            Some(module) => Ok(module),
            None => refuse(RefusalReason::Unknown),
        }
    }

    /// Every native module of this engine.
    pub fn modules(&self) -> impl Iterator<Item = &'static Module> {
        self.modules.iter().copied()
    }

    /// The globals that the language itself has, sorted.
    pub fn builtins(&self) -> &[String] {
        &self.builtins
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry() -> Registry {
        Registry::new(crate::modules::ALL.to_vec(), vec!["JSON".into(), "Math".into(), "globalThis".into()])
    }

    #[test]
    fn built_ins_come_first_in_any_case() {
        let registry = registry();
        for name in ["JSON", "json", " Json ", "math", "globalthis", "GLOBALTHIS", "console", "Console\n"] {
            assert_eq!(registry.look_up(name).unwrap_err().reason, RefusalReason::Builtin, "{name}");
        }
        for name in ["nope", "", "  ", "f s", "fs\0", "é", &"x".repeat(65)] {
            assert_eq!(registry.look_up(name).unwrap_err().reason, RefusalReason::Unknown, "{name}");
        }
        assert_eq!(registry.look_up(" FS ").unwrap().name, "fs");
    }

    #[test]
    fn a_refusal_is_short() {
        let refusal = registry().look_up(&"x".repeat(1 << 20)).unwrap_err();
        assert!(refusal.to_string().len() < 400);
    }
}
