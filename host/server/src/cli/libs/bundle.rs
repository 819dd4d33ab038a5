//! One text of the files that can be reached from an entry of a package.
use std::collections::{BTreeMap, VecDeque};

use anyhow::{Context as _, bail};
use sandbox::PackageFormat;

use super::package::{Entry, Meaning, Package, joined};
use crate::libraries::LIBRARY_BYTES_MAX;

/// The library of an entry: its file as it is when it stands alone, else a [`sandbox::Package`].
pub(super) fn bundle(package: &Package, entry: &Entry) -> anyhow::Result<String> {
    let mut files = BTreeMap::new();
    let mut aliases = BTreeMap::new();
    let mut queue = VecDeque::from([entry.path.clone()]);
    let mut bytes = 0;
    while let Some(path) = queue.pop_front() {
        if files.contains_key(&path) {
            continue;
        }
        let text = package.text(&path).with_context(|| format!("it has no file {path}"))?;
        bytes += text.len();
        if bytes > LIBRARY_BYTES_MAX {
            bail!("its files are more than {LIBRARY_BYTES_MAX} bytes together");
        }
        files.insert(path.clone(), text.to_owned());
        let names = if path.ends_with(".json") { Vec::new() } else { imports(text, entry.format) };
        for name in names {
            let Meaning::File(target) = package.resolve(&path, name, entry.format) else { continue };
            let key = if name.starts_with('.') {
                format!("./{}", joined(path.rsplit_once('/').map_or("", |(directory, _)| directory), name))
            } else {
                name.to_owned()
            };
            if key.strip_prefix("./") != Some(&target) {
                aliases.insert(key, target.clone());
            }
            queue.push_back(target);
        }
    }
    if files.len() == 1 && aliases.is_empty() {
        return files.remove(&entry.path).context("it has no entry");
    }
    let bundle = sandbox::Package { format: entry.format, entry: entry.path.clone(), aliases, files };
    let text = bundle.to_text()?;
    if text.len() > LIBRARY_BYTES_MAX {
        bail!("its files are more than {LIBRARY_BYTES_MAX} bytes as one");
    }
    Ok(text)
}

/// The names that a text seems to import. It is looked through and not parsed: one too many, from a comment say, puts a file
/// more into the bundle and changes nothing; one that is not there is told when the package is tried.
fn imports(text: &str, format: PackageFormat) -> Vec<&str> {
    let words: &[&str] = if format == PackageFormat::Module { &["from", "import"] } else { &["require"] };
    let mut names = Vec::new();
    for word in words {
        for (at, _) in text.match_indices(word) {
            let before = text[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '$' | '.')) {
                continue;
            }
            let rest = text[at + word.len()..].trim_start();
            let (called, rest) = match rest.strip_prefix('(') {
                Some(rest) => (true, rest.trim_start()),
                None => (false, rest),
            };
            // `require` is a function, `from` is none, `import` is both.
            let fits = match *word {
                "require" => called,
                "from" => !called,
                _ => true,
            };
            if fits
                && let Some((name, after)) = quoted(rest)
                && (!called || after.trim_start().starts_with([')', ',']))
            {
                names.push(name);
            }
        }
    }
    names
}

fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'))?;
    let (name, after) = text[1..].split_once(quote)?;
    (!name.is_empty() && name.len() < 256 && !name.contains(['\n', '\\', '$'])).then_some((name, after))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn package(files: &[(&str, &str)]) -> Package {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        Package::new(json!({ "name": "x", "browser": { "fs": false } }), files)
    }

    fn bundled(files: &[(&str, &str)], format: PackageFormat) -> String {
        let entry = Entry { path: files[0].0.to_owned(), format };
        bundle(&package(files), &entry).unwrap()
    }

    #[test]
    fn imports_are_found_where_they_are_written() {
        let common = "var a = require('./a'), b=require( \"./b\" );/* require('c') */ x.require('d'); require(e); require('f' + g); notrequire('h')";
        assert_eq!(imports(common, PackageFormat::CommonJs), ["./a", "./b", "c"]);
        let module = "import a from './a';import{b}from\"./b\";export*from'./c';import './d';await import('./e');import(f);from('g')";
        assert_eq!(imports(module, PackageFormat::Module), ["./a", "./b", "./c", "./d", "./e"]);
        for strange in
            ["require(", "require('", "from'", "import", "require('\\x')", "from''", "é'from'a", "require(`a${b}`)"]
        {
            let _ = (imports(strange, PackageFormat::CommonJs), imports(strange, PackageFormat::Module));
        }
    }

    #[test]
    fn a_file_that_stands_alone_stays_as_it_is() {
        let text = "module.exports = require('react')";
        assert_eq!(bundled(&[("index.js", text), ("other.js", "")], PackageFormat::CommonJs), text);
    }

    #[test]
    fn reachable_files_become_one_text() {
        let files = [
            ("lib/a.js", "require('./b'); require('../c.json'); require('x/lib/b'); require('fs')"),
            ("lib/b.js", "require('./a.js')"),
            ("c.json", "{}"),
            ("unused.js", ""),
        ];
        let text = bundled(&files, PackageFormat::CommonJs);
        let json = text.split_once('(').unwrap().1.trim_end().strip_suffix(");").unwrap();
        let json: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!(json["entry"], "lib/a.js");
        let files: Vec<&String> = json["files"].as_object().unwrap().keys().collect();
        assert_eq!(files, ["[empty].js", "c.json", "lib/a.js", "lib/b.js"]);
        assert_eq!(json["aliases"], json!({ "fs": "[empty].js", "./lib/b": "lib/b.js", "x/lib/b": "lib/b.js" }));
    }
}
