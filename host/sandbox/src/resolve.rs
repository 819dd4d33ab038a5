//! Where `import` of a file looks, by the template's `resolver` settings. The names come from the guest, joined with the
//! importing file's directory, so all of them are relative to the worktree or begin with a slash. Roots are for bare names, for
//! those with a slash in front, and for input that is no file.
use model::Resolver;

use crate::root::{PathError, Root};

/// Why a file can't be imported.
#[derive(Debug)]
pub(crate) enum Missing {
    /// Nothing is there.
    Absent(String),
    /// In words.
    Other(String),
}

impl Missing {
    /// In words.
    pub(crate) fn why(&self) -> &str {
        let (Missing::Absent(why) | Missing::Other(why)) = self;
        why
    }
}

/// The first file that is there, with its path: in each root, the name itself, with each extension, and as TypeScript.
/// `placed`: the name says where the file is, whatever the roots are.
pub(crate) fn read(
    root: &Root,
    resolver: &Resolver,
    name: &str,
    placed: bool,
    max: usize,
) -> Result<(String, Vec<u8>), Missing> {
    let absolute = name.starts_with('/');
    if absolute && !resolver.allow_absolute_repo_imports {
        return Err(Missing::Other("its settings have resolver.allow_absolute_repo_imports false".to_owned()));
    }
    let mut error = None;
    for candidate in candidates(resolver, name, placed) {
        match root.read(&candidate, max) {
            Ok(bytes) => return Ok((candidate, bytes)),
            // What the name itself comes to is the most telling.
            Err(why) => {
                let known = error.get_or_insert_with(|| PathError::clone(&why));
                if known.is_absent() && !why.is_absent() {
                    *known = why;
                }
            }
        }
    }
    Err(match error {
        Some(why) if !why.is_absent() => Missing::Other(why.to_string()),
        why => Missing::Absent(why.map_or_else(|| "it is nowhere".to_owned(), |why| why.to_string())),
    })
}

fn candidates(resolver: &Resolver, name: &str, placed: bool) -> impl Iterator<Item = String> {
    let beneath = name.trim_start_matches('/').to_owned();
    let roots = if placed { vec![".".to_owned()] } else { resolver.roots.clone() };
    roots.into_iter().flat_map(move |root| {
        let root = root.trim_start_matches("./").trim_end_matches('/');
        let file = match root {
            "" | "." => beneath.clone(),
            // A relative import from a file in the root has the root in front already.
            _ if beneath.strip_prefix(root).is_some_and(|rest| rest.starts_with('/')) => beneath.clone(),
            _ => format!("{root}/{beneath}"),
        };
        let extended: Vec<String> = resolver.extensions.iter().map(|extension| format!("{file}{extension}")).collect();
        let names: Vec<String> = std::iter::once(file).chain(extended).collect();
        let typescript: Vec<String> = names.iter().filter_map(|name| typescript_of(name)).collect();
        names.into_iter().chain(typescript)
    })
}

/// TypeScript's own convention: an import names what a file will be when it is compiled.
fn typescript_of(file: &str) -> Option<String> {
    let (stem, extension) = file.rsplit_once('.')?;
    matches!(extension, "js" | "mjs" | "cjs").then(|| format!("{stem}.{}", extension.replace("js", "ts")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_and_extensions_are_tried_in_order() {
        let resolver = Resolver {
            roots: vec!["src".into(), "./lib/".into(), ".".into()],
            extensions: vec![".js".into(), ".mjs".into()],
            allow_absolute_repo_imports: true,
        };
        let tried: Vec<String> = candidates(&resolver, "a", false).collect();
        let of = |root: &str| ["a", "a.js", "a.mjs", "a.ts", "a.mts"].map(|name| format!("{root}{name}"));
        assert_eq!(tried, [of("src/"), of("lib/"), of("")].concat());
        assert_eq!(candidates(&resolver, "src/b.js", false).next().unwrap(), "src/b.js");
        assert_eq!(candidates(&resolver, "/c", false).next().unwrap(), "src/c");
        assert_eq!(candidates(&resolver, "x/b.js", true).next().unwrap(), "x/b.js");
        let tried: Vec<String> = candidates(&resolver, "b.mjs", false).collect();
        assert_eq!(tried[..5], ["src/b.mjs", "src/b.mjs.js", "src/b.mjs.mjs", "src/b.mts", "src/b.mjs.ts"]);
    }
}
