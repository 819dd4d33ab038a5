//! What Tab offers. The pure half: what is being typed. The answer about properties comes from the sandbox itself.

use super::scan::Scanner;
use super::words;

/// What the text before the cursor asks for, and where its replacement starts.
#[derive(Debug, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// A dot command.
    Command {
        /// Its first letters, with the dot.
        partial: &'a str,
    },
    /// The file of `.load`.
    File,
    /// A module between quotes.
    Module {
        /// Its first letters.
        partial: &'a str,
    },
    /// A name in scope, or a property when `path` has a name.
    Name {
        /// The names before the last dot: `a.b.` is `["a", "b"]`.
        path: Vec<&'a str>,
        /// The first letters.
        partial: &'a str,
    },
}

/// What `before`, the text up to the cursor, asks for.
pub fn wanted(before: &str) -> Option<Wanted<'_>> {
    if let Some(rest) = before.strip_prefix('.')
        && !rest.contains('\n')
    {
        return match rest.split_once(' ') {
            Some(("load", _)) => Some(Wanted::File),
            Some(_) => None,
            None => Some(Wanted::Command { partial: before }),
        };
    }
    if let Some(quote) = before.rfind(['\'', '"']) {
        let (call, partial) = (before[..quote].trim_end(), &before[quote + 1..]);
        let asks = call.ends_with("require(") || call.ends_with("import(");
        if asks && !partial.contains(char::is_whitespace) && !partial.contains(')') {
            return Some(Wanted::Module { partial });
        }
    }
    if Scanner::scan(before).in_text() {
        return None;
    }
    let start = before
        .char_indices()
        .rev()
        .take_while(|(_, c)| words::continues(*c) || matches!(c, '.' | '?'))
        .last()
        .map_or(before.len(), |(at, _)| at);
    // `x ?y` is a conditional, `x?.y` a path.
    let chain = match before[start..].rmatch_indices('?').find(|(at, _)| !before[start + at..].starts_with("?.")) {
        Some((at, _)) => &before[start + at + 1..],
        None => &before[start..],
    };
    // `...name` spreads; what else starts with a dot is a property of something that is no plain name.
    let chain = chain.strip_prefix("...").unwrap_or(chain);
    let mut path: Vec<&str> = chain.split('.').map(|part| part.strip_suffix('?').unwrap_or(part)).collect();
    let partial = path.pop()?;
    let name = |text: &&str| text.starts_with(words::starts) && text.chars().all(words::continues);
    if !path.iter().all(name) || !(partial.is_empty() || name(&partial)) {
        return None;
    }
    if path.is_empty() && partial.is_empty() {
        return None;
    }
    Some(Wanted::Name { path, partial })
}

/// Names that a probe answers at most; more is no help to anyone.
const NAMES_MAX: usize = 1_000;

/// A script whose value is an array of the names that `path` has and that start with `partial`: an object's own before
/// those of its prototypes, `__proto__` and its like only when asked for. It runs no getter: a path that leads through
/// one is not followed. (A proxy's traps do run; there is no telling proxies.)
pub fn probe(path: &[&str], partial: &str) -> String {
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let (root, rest) = match path.split_first() {
        Some((root, rest)) => (Some(*root), rest),
        None => (None, path),
    };
    let root_value = match root {
        None | Some("this" | "globalThis") => "globalThis".to_owned(),
        // A name of the scripts' own scope is no property of anything: only its value can be asked for.
        Some(root) => format!(
            "(own => own && !('value' in own) ? undefined : typeof {root} === 'undefined' ? undefined : {root})(find(globalThis, {}))",
            text(root)
        ),
    };
    let keys: Vec<String> = rest.iter().map(|key| text(key)).collect();
    format!(
        "(() => {{ try {{
const up = Object.getPrototypeOf, own = Object.getOwnPropertyDescriptor;
const find = (from, key) => {{
  for (let o = from == null ? null : Object(from); o !== null; o = up(o)) {{ const d = own(o, key); if (d) return d; }}
}};
let value = {root_value};
for (const key of [{keys}]) {{
  const d = find(value, key);
  if (!d || !('value' in d)) return [];
  value = d.value;
}}
if (value == null) return [];
const names = new Set(), partial = {partial};
for (let o = Object(value), depth = 0; o !== null && depth < 32; o = up(o), depth++)
  for (const name of Object.getOwnPropertyNames(o).sort())
    if (name.startsWith(partial) && (partial.startsWith('_') || !name.startsWith('__')) && /^[A-Za-z$_\\u0080-\\uffff][\\w$\\u0080-\\uffff]*$/.test(name) && names.add(name).size >= {NAMES_MAX})
      return [...names];
return [...names];
}} catch {{ return [] }} }})()",
        keys = keys.join(", "),
        partial = text(partial),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name<'a>(path: &[&'a str], partial: &'a str) -> Option<Wanted<'a>> {
        Some(Wanted::Name { path: path.to_vec(), partial })
    }

    #[test]
    fn the_last_word_is_completed() {
        assert_eq!(wanted("Ma"), name(&[], "Ma"));
        assert_eq!(wanted("1 + Ma"), name(&[], "Ma"));
        assert_eq!(wanted("f(a.b.c"), name(&["a", "b"], "c"));
        assert_eq!(wanted("a."), name(&["a"], ""));
        assert_eq!(wanted("a?.b"), name(&["a"], "b"));
        assert_eq!(wanted("x ?b"), name(&[], "b"));
        assert_eq!(wanted("x?b.c"), name(&["b"], "c"));
        assert_eq!(wanted("[...na"), name(&[], "na"));
        assert_eq!(wanted("`${a.b"), name(&["a"], "b"));
        assert_eq!(wanted("π.ab"), name(&["π"], "ab"));
    }

    #[test]
    fn nothing_is_offered_where_nothing_is_known() {
        for before in ["", " ", "f().b", "a[0].b", "1.", "12", "'abc", "`abc", "// abc", "a..b", "\"x\".le", "x ?"] {
            assert_eq!(wanted(before), None, "{before}");
        }
    }

    #[test]
    fn modules_and_commands_are_completed() {
        assert_eq!(wanted("const fs = require('f"), Some(Wanted::Module { partial: "f" }));
        assert_eq!(wanted("await import( \""), Some(Wanted::Module { partial: "" }));
        assert_eq!(wanted("require('fs').re"), None);
        assert_eq!(wanted(".mo"), Some(Wanted::Command { partial: ".mo" }));
        assert_eq!(wanted(".load a"), Some(Wanted::File));
        assert_eq!(wanted("."), Some(Wanted::Command { partial: "." }));
    }

    #[test]
    fn a_probe_quotes_what_it_is_given() {
        let script = probe(&["a", "b"], "x");
        assert!(script.contains("typeof a === 'undefined'") && script.contains("[\"b\"]"), "{script}");
        assert_eq!(Scanner::scan(&script).need(), super::super::scan::Need::Nothing);
    }

    proptest! {
        #[test]
        fn any_text_can_be_completed(before in "([a-z.?'\"`${}() \n]|require\\(|π)*") {
            if let Some(Wanted::Name { path, partial }) = wanted(&before) {
                prop_assert!(before.ends_with(partial));
                probe(&path, partial);
            }
        }
    }
}
