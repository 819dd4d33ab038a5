//! Who imports what. The engine asks for a module by a name that it has joined already: whether `a/b.mjs` was `./b.mjs` in
//! a file of `a`, or just that, only the text of who imports it tells.
use std::collections::BTreeSet;

/// Bytes of specifiers that are remembered of a session. Past them imports are taken for bare ones, and errors name nobody.
const BYTES_MAX: usize = 256 << 10;
/// Longest specifier that is looked for.
const SPECIFIER_BYTES_MAX: usize = 1_024;

/// What the sources of a session name.
#[derive(Debug, Default)]
pub(crate) struct Importers {
    /// The last one last.
    seen: Vec<Importer>,
    bytes: usize,
    /// Paths that an alias leads to: they mean just that file.
    exact: BTreeSet<String>,
}

#[derive(Debug)]
struct Importer {
    name: String,
    is_file: bool,
    named: Vec<Named>,
}

/// A string of a source that may be a specifier, joined with its place.
#[derive(Debug)]
struct Named {
    path: String,
    /// It goes on with what only the running script knows.
    open: bool,
}

impl Named {
    /// What it takes, roughly: many are short.
    fn bytes(&self) -> usize {
        size_of::<Named>() + self.path.len()
    }
}

/// What is known of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Import {
    /// Relative to a file, whose name this is.
    OfFile(String),
    /// Relative to what is no file, or absolute, in the source of that name.
    Other(String),
    /// What an alias leads to.
    Exact,
    /// A bare name, as far as is known.
    Bare,
}

impl Importers {
    /// Remembers what a source names. `is_file`: it is a file of the worktree, which relative specifiers are relative to.
    pub(crate) fn add(&mut self, name: &str, source: &str, is_file: bool) {
        if let Some(at) = self.seen.iter().position(|known| known.name == name) {
            let old = self.seen.remove(at);
            self.bytes -= old.named.iter().map(Named::bytes).sum::<usize>();
        }
        let directory = match name.rsplit_once('/') {
            Some((directory, _)) if is_file => directory,
            _ => "",
        };
        let mut named = Vec::new();
        // Most of what is run imports nothing, and some of it is long.
        let imports = source.contains("import") || source.contains("export");
        for (specifier, cut) in specifiers(if imports { source } else { "" }) {
            let path = match specifier.starts_with('/') {
                true => normal(specifier),
                false => normal(&format!("{directory}/{specifier}")[usize::from(directory.is_empty())..]),
            };
            let open = cut || specifier.ends_with('/');
            let path = if open && specifier.ends_with('/') && !path.is_empty() { path + "/" } else { path };
            let found = Named { path, open };
            if self.bytes + found.bytes() > BYTES_MAX {
                break;
            }
            self.bytes += found.bytes();
            named.push(found);
        }
        if !named.is_empty() {
            self.seen.push(Importer { name: name.to_owned(), is_file, named });
        }
    }

    /// From now on this path means that file.
    pub(crate) fn add_exact(&mut self, path: &str) {
        self.exact.insert(path.to_owned());
    }

    /// What is known of the import of `name`: by the source that came last of those that name it so.
    pub(crate) fn of(&self, name: &str) -> Import {
        if self.exact.contains(name) {
            return Import::Exact;
        }
        let path = normal(name);
        let whole = |named: &Named| !named.open && named.path == path;
        let begun = |named: &Named| named.open && path.starts_with(&named.path);
        let find =
            |matches: &dyn Fn(&Named) -> bool| self.seen.iter().rev().find(|seen| seen.named.iter().any(matches));
        match find(&whole).or_else(|| find(&begun)) {
            Some(by) if by.is_file && !path.starts_with('/') => Import::OfFile(by.name.clone()),
            Some(by) => Import::Other(by.name.clone()),
            None => Import::Bare,
        }
    }
}

/// What begins in quotes as relative and absolute specifiers do, and whether it was cut at a `${`. Strings that are none
/// do no harm: nobody asks for them.
fn specifiers(source: &str) -> impl Iterator<Item = (&str, bool)> {
    source.match_indices(['.', '/']).filter_map(|(at, _)| {
        let quote = source[..at].chars().next_back().filter(|c| matches!(c, '\'' | '"' | '`'))?;
        let rest = &source[at..];
        let end = rest
            .bytes()
            .take(SPECIFIER_BYTES_MAX)
            .position(|byte| matches!(byte, b'\'' | b'"' | b'`' | b'\n' | b'\\' | b'$'))?;
        let specifier = &rest[..end];
        let cut = quote == '`' && rest[end..].starts_with("${");
        let relative = ["./", "../", "/"].iter().any(|start| specifier.starts_with(start));
        (relative && (cut || rest[end..].starts_with(quote))).then_some((specifier, cut))
    })
}

/// The path without empty and `.` segments, and without those that `..` takes back. A slash in front stays, and so does a
/// `..` that leads out.
pub(crate) fn normal(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if kept.last().is_some_and(|last| *last != "..") => drop(kept.pop()),
            part => kept.push(part),
        }
    }
    let front = if path.starts_with('/') { "/" } else { "" };
    format!("{front}{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_normal_form() {
        for (path, expected) in [
            ("a//b/./c.mjs", "a/b/c.mjs"),
            ("a/../b", "b"),
            ("../a", "../a"),
            ("a/../../b", "../b"),
            ("../../a", "../../a"),
            ("/a/../b/", "/b"),
            ("", ""),
        ] {
            assert_eq!(normal(path), expected, "{path}");
        }
    }

    #[test]
    fn who_imports_is_found_by_what_it_names() {
        let mut importers = Importers::default();
        let text = "import a from './one.mjs'; import b from \"../top.mjs\"; import 'one.mjs'; import('/abs.mjs');
            import(`./plug-${x}.mjs`); import('./more/' + x); 'it\\'s ./no'; './open";
        importers.add("src/main.mjs", text, true);
        importers.add("REPL1", "import('./one.mjs'); import('./src/typed.mjs')", false);
        let by_file = Import::OfFile("src/main.mjs".to_owned());
        for name in ["src/one.mjs", "src//one.mjs", "top.mjs", "src/plug-1.mjs", "src/more/x/y.mjs"] {
            assert_eq!(importers.of(name), by_file, "{name}");
        }
        assert_eq!(importers.of("/abs.mjs"), Import::Other("src/main.mjs".to_owned()));
        assert_eq!(importers.of("one.mjs"), Import::Other("REPL1".to_owned()));
        for name in ["open", "src/no", "src/moreover", "", "/", "fs"] {
            assert_eq!(importers.of(name), Import::Bare, "{name}");
        }
        importers.add_exact("lib/a.mjs");
        assert_eq!(importers.of("lib/a.mjs"), Import::Exact);
        importers.add("src/main.mjs", "1", true);
        assert_eq!(importers.of("src/one.mjs"), Import::Bare);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut importers = Importers::default();
        let text: String = (0..100_000).map(|n| format!("import './{n}';")).collect();
        importers.add("a", &text, true);
        importers.add("b", &text, true);
        assert!(importers.bytes <= BYTES_MAX && importers.bytes > BYTES_MAX / 2);
    }
}
