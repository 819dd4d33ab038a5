//! A package's archive, read into memory, and what its `package.json` says about where to begin.
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Component, Path};

use anyhow::{Context as _, bail};
use flate2::read::GzDecoder;
use sandbox::PackageFormat;
use serde_json::Value;

use crate::libraries::LIBRARY_BYTES_MAX;

/// Unpacked, bytes; what is no JavaScript counts as well.
const UNPACKED_BYTES_MAX: u64 = 256 << 20;
/// Files, directories and whatever else an archive lists.
const ENTRIES_MAX: usize = 50_000;
/// Files that can be part of a library.
const EXTENSIONS: [&str; 4] = ["js", "cjs", "mjs", "json"];
/// Stands for what a package replaces with nothing.
const EMPTY: &str = "[empty].js";

/// The files of a package. Nothing is ever written to disk: paths are keys.
pub(super) struct Package {
    manifest: Value,
    files: BTreeMap<String, String>,
}

/// A file that a package may be entered by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// A key of the package's files.
    pub(super) path: String,
    /// How it refers to other files.
    pub(super) format: PackageFormat,
}

/// What the name in an import means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A file of the package.
    File(String),
    /// Another package, or nothing that is here.
    Elsewhere,
}

impl Package {
    /// Reads a gzipped tar file.
    pub(super) fn unpack(archive: &[u8]) -> anyhow::Result<Package> {
        let mut limited = GzDecoder::new(archive).take(UNPACKED_BYTES_MAX);
        let read = read(&mut limited);
        if limited.limit() == 0 {
            bail!("its archive unpacks to more than {UNPACKED_BYTES_MAX} bytes");
        }
        let files = read.context("its archive is damaged")?;
        let manifest = files.get("package.json").context("its archive has no package.json")?;
        let manifest = serde_json::from_str(manifest).context("its package.json is no JSON")?;
        Ok(Package::new(manifest, files))
    }

    pub(super) fn new(manifest: Value, mut files: BTreeMap<String, String>) -> Package {
        files.insert(EMPTY.to_owned(), String::new());
        Package { manifest, files }
    }

    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Whether it says that it needs the package that `import` names, or has a part of.
    pub(super) fn depends_on(&self, import: &str) -> bool {
        let parts = if import.starts_with('@') { 2 } else { 1 };
        let package = import.split('/').take(parts).collect::<Vec<_>>().join("/");
        let lists = ["dependencies", "peerDependencies", "optionalDependencies"];
        lists.iter().any(|list| self.manifest[*list][&package].is_string())
    }

    /// Where to begin, the most promising first: what is made for browsers needs the least.
    pub(super) fn entries(&self) -> Vec<Entry> {
        let field = |name: &str| self.manifest[name].as_str().map(str::to_owned);
        let mut candidates: Vec<(String, Option<PackageFormat>)> = Vec::new();
        for name in ["unpkg", "jsdelivr", "browser", "main"] {
            candidates.extend(field(name).map(|path| (path, None)));
        }
        let exports = self.manifest.get("exports");
        for format in [PackageFormat::CommonJs, PackageFormat::Module] {
            let target = exports.and_then(|exports| target(exports, ".", format));
            candidates.extend(target.map(|path| (path, None)));
        }
        candidates.extend(field("module").map(|path| (path, Some(PackageFormat::Module))));
        candidates.push(("index.js".to_owned(), None));
        let mut entries: Vec<Entry> = Vec::new();
        for (path, format) in candidates {
            let Some(path) = self.file(&joined("", &path)).filter(|path| !path.ends_with(".json")) else { continue };
            let entry = Entry { format: format.unwrap_or_else(|| self.format(&path)), path };
            if !entries.contains(&entry) {
                entries.push(entry);
            }
        }
        entries
    }

    /// What `name` means in the file at `from`.
    pub(super) fn resolve(&self, from: &str, name: &str, format: PackageFormat) -> Meaning {
        let found = if name.starts_with('.') {
            let directory = from.rsplit_once('/').map_or("", |(directory, _)| directory);
            self.file(&joined(directory, name))
        } else if name.starts_with('#') {
            self.manifest
                .get("imports")
                .and_then(|imports| target(imports, name, format))
                .and_then(|path| self.file(&joined("", &path)))
        } else if self.manifest["browser"][name] == Value::Bool(false) {
            Some(EMPTY.to_owned())
        } else {
            self.own(name, format)
        };
        found.map_or(Meaning::Elsewhere, Meaning::File)
    }

    /// A file of this package by the package's own name, as other packages would write it.
    fn own(&self, name: &str, format: PackageFormat) -> Option<String> {
        let rest = name.strip_prefix(self.manifest["name"].as_str()?)?;
        let inner = match rest.strip_prefix('/') {
            Some(inner) => inner,
            None if rest.is_empty() => "",
            None => return None,
        };
        let key = if inner.is_empty() { ".".to_owned() } else { format!("./{inner}") };
        let exported = self.manifest.get("exports").and_then(|exports| target(exports, &key, format));
        match exported {
            Some(path) => self.file(&joined("", &path)),
            None if inner.is_empty() => self.entries().first().map(|entry| entry.path.clone()),
            None => self.file(&joined("", inner)),
        }
    }

    /// The file that a path means: itself, with an extension, or a directory's index; and what stands in for it in browsers.
    fn file(&self, path: &str) -> Option<String> {
        let index = |extension: &str| {
            if path.is_empty() { format!("index{extension}") } else { format!("{path}/index{extension}") }
        };
        let mut candidates = vec![path.to_owned()];
        candidates.extend([".js", ".cjs", ".mjs", ".json"].map(|extension| format!("{path}{extension}")));
        candidates.extend([".js", ".cjs", ".mjs", ".json"].map(index));
        let found = candidates.into_iter().find(|path| self.files.contains_key(path));
        let replaced =
            |path: &str| match self.manifest["browser"].get(format!("./{path}")).or(self.manifest["browser"].get(path))
            {
                Some(Value::Bool(false)) => Some(EMPTY.to_owned()),
                Some(Value::String(other)) => Some(joined("", other)).filter(|other| self.files.contains_key(other)),
                _ => None,
            };
        match found {
            Some(found) => Some(replaced(&found).unwrap_or(found)),
            None => replaced(path),
        }
    }

    fn format(&self, path: &str) -> PackageFormat {
        let module = path.ends_with(".mjs") || (!path.ends_with(".cjs") && self.manifest["type"] == "module");
        if module { PackageFormat::Module } else { PackageFormat::CommonJs }
    }
}

/// What `exports` or `imports` has for `key`.
fn target(table: &Value, key: &str, format: PackageFormat) -> Option<String> {
    let keyed = table.as_object().is_some_and(|table| table.keys().any(|key| key.starts_with(['.', '#'])));
    if !keyed {
        return if key == "." { conditional(table, format) } else { None };
    }
    if let Some(found) = table.get(key) {
        return conditional(found, format);
    }
    let patterns = table.as_object()?.iter().filter_map(|(pattern, found)| Some((pattern.split_once('*')?, found)));
    let fitting = patterns.filter_map(|((before, after), found)| {
        Some((before.len(), key.strip_prefix(before)?.strip_suffix(after)?, found))
    });
    let (_, inner, found) = fitting.max_by_key(|(length, ..)| *length)?;
    conditional(found, format).map(|path| path.replace('*', inner))
}

/// The target under the conditions that hold here.
fn conditional(found: &Value, format: PackageFormat) -> Option<String> {
    const COMMON: [&str; 5] = ["browser", "require", "production", "default", "import"];
    const MODULE: [&str; 6] = ["browser", "import", "module", "production", "default", "require"];
    match found {
        Value::String(path) => Some(path.clone()),
        Value::Array(some) => some.iter().find_map(|one| conditional(one, format)),
        Value::Object(conditions) => {
            let wanted: &[&str] = if format == PackageFormat::Module { &MODULE } else { &COMMON };
            wanted.iter().find_map(|condition| conditional(conditions.get(*condition)?, format))
        }
        _ => None,
    }
}

/// `path` seen from `directory`, without `.` and `..`; what would leave the package stays at its top.
pub(super) fn joined(directory: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in directory.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn read(archive: impl std::io::Read) -> anyhow::Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    let mut archive = tar::Archive::new(archive);
    for (number, entry) in archive.entries()?.enumerate() {
        if number >= ENTRIES_MAX {
            bail!("it has more than {ENTRIES_MAX} entries");
        }
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let Some(path) = beneath_the_first(&entry.path()?) else { continue };
        if !EXTENSIONS.iter().any(|extension| path.rsplit_once('.').is_some_and(|(_, e)| e == *extension)) {
            continue;
        }
        // Too large for a library, and so for a part of one.
        if entry.size() > LIBRARY_BYTES_MAX as u64 {
            continue;
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        if let Ok(text) = String::from_utf8(bytes) {
            files.insert(path, text);
        }
    }
    Ok(files)
}

/// The archive's files lie in one directory, which is mostly called `package`.
fn beneath_the_first(path: &Path) -> Option<String> {
    let mut parts = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::CurDir => {}
            _ => return None,
        }
    }
    (parts.len() > 1).then(|| parts[1..].join("/"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn package(manifest: Value, files: &[&str]) -> Package {
        Package::new(manifest, files.iter().map(|path| ((*path).to_owned(), String::new())).collect())
    }

    fn paths(package: &Package) -> Vec<String> {
        package.entries().into_iter().map(|entry| entry.path).collect()
    }

    #[test]
    fn what_is_made_for_browsers_comes_first() {
        let files = ["index.js", "dist/x.min.js", "dist/x.cjs", "dist/x.mjs", "lib/index.js"];
        let whole = package(json!({ "main": "lib", "module": "dist/x.mjs", "unpkg": "dist/x.min.js" }), &files);
        assert_eq!(paths(&whole), ["dist/x.min.js", "lib/index.js", "dist/x.mjs", "index.js"]);
        assert_eq!(paths(&package(json!({ "main": "./dist/x" }), &files)), ["dist/x.cjs", "index.js"]);
        assert_eq!(paths(&package(json!({ "main": "gone.js" }), &["a.js"])), [""; 0]);
        let exports = json!({ "exports": { ".": { "import": "./dist/x.mjs", "require": { "types": "./x.d.ts", "default": "./dist/x.cjs" } } } });
        assert_eq!(paths(&package(exports, &files)), ["dist/x.cjs", "dist/x.mjs", "index.js"]);
        let browser = json!({ "main": "index.js", "type": "module", "browser": { "./index.js": "./dist/x.cjs" } });
        let entries = package(browser, &files).entries();
        assert_eq!(entries, [Entry { path: "dist/x.cjs".into(), format: PackageFormat::CommonJs }]);
    }

    #[test]
    fn names_mean_files_of_the_package_or_nothing() {
        let manifest = json!({
            "name": "@s/x",
            "exports": { ".": "./index.js", "./sub": { "default": "./lib/sub.js" }, "./more/*": "./lib/*.js" },
            "imports": { "#inner": "./lib/sub.js" },
            "browser": { "crypto": false },
        });
        let package = package(manifest, &["index.js", "lib/sub.js", "lib/data.json"]);
        let meaning = |name: &str| match package.resolve("lib/a.js", name, PackageFormat::CommonJs) {
            Meaning::File(path) => path,
            Meaning::Elsewhere => String::new(),
        };
        for (name, path) in [
            ("./sub", "lib/sub.js"),
            ("./data", "lib/data.json"),
            ("..", "index.js"),
            ("../../../../index.js", "index.js"),
            ("@s/x", "index.js"),
            ("@s/x/sub", "lib/sub.js"),
            ("@s/x/more/sub", "lib/sub.js"),
            ("#inner", "lib/sub.js"),
            ("crypto", EMPTY),
        ] {
            assert_eq!(meaning(name), path, "{name}");
        }
        for elsewhere in ["react", "@s/xy", "@s/x/gone", "./gone", "#gone", "fs", ""] {
            assert_eq!(meaning(elsewhere), "", "{elsewhere}");
        }
    }

    #[test]
    fn paths_of_an_archive_are_keys_beneath_one_directory() {
        let key = |path: &str| beneath_the_first(Path::new(path));
        assert_eq!(key("package/a/b.js").as_deref(), Some("a/b.js"));
        assert_eq!(key("./lodash/./a.js").as_deref(), Some("a.js"));
        for outside in ["package/../../a.js", "/package/a.js", "a.js", "..", ""] {
            assert_eq!(key(outside), None, "{outside}");
        }
    }
}
