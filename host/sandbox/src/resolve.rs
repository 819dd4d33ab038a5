//! Where `import` of a file looks, by the template's `resolver` settings. The names come from the guest already joined
//! with the importing file's directory, so all of them are relative to the worktree or begin with a slash.
use model::Resolver;

use crate::root::{PathError, Root};

/// The first file that is there, with its path: in each root, the name itself, with each extension, and as TypeScript.
pub(crate) fn read(root: &Root, resolver: &Resolver, name: &str, max: usize) -> Result<(String, Vec<u8>), String> {
    let absolute = name.starts_with('/');
    if absolute && !resolver.allow_absolute_repo_imports {
        return Err("its settings have resolver.allow_absolute_repo_imports false".to_owned());
    }
    let mut error = None;
    for candidate in candidates(resolver, name) {
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
    Err(error.map_or_else(|| "it is nowhere".to_owned(), |why| why.to_string()))
}

fn candidates(resolver: &Resolver, name: &str) -> impl Iterator<Item = String> {
    let beneath = name.trim_start_matches('/');
    resolver.roots.iter().flat_map(move |root| {
        let root = root.trim_start_matches("./").trim_end_matches('/');
        let file = match root {
            "" | "." => beneath.to_owned(),
            // A relative import from a file in the root has the root in front already.
            _ if beneath.strip_prefix(root).is_some_and(|rest| rest.starts_with('/')) => beneath.to_owned(),
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
        let tried: Vec<String> = candidates(&resolver, "a").collect();
        let of = |root: &str| ["a", "a.js", "a.mjs", "a.ts", "a.mts"].map(|name| format!("{root}{name}"));
        assert_eq!(tried, [of("src/"), of("lib/"), of("")].concat());
        assert_eq!(candidates(&resolver, "src/b.js").next().unwrap(), "src/b.js");
        assert_eq!(candidates(&resolver, "/c").next().unwrap(), "src/c");
        let tried: Vec<String> = candidates(&resolver, "b.mjs").collect();
        assert_eq!(tried[..5], ["src/b.mjs", "src/b.mjs.js", "src/b.mjs.mjs", "src/b.mts", "src/b.mjs.ts"]);
    }
}
