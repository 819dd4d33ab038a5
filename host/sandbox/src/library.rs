//! JavaScript libraries: text with a name, and packages of several files in one text.
use std::collections::BTreeMap;
use std::sync::Arc;

use model::LibraryName;
use serde::{Deserialize, Serialize};

/// A library that an image is made with. Cloning is cheap, and its text was hashed once: the way from a recipe to an image
/// that is there already does not read it again.
#[derive(Clone, Debug)]
pub struct Library {
    name: Arc<str>,
    source: Arc<str>,
    digest: [u8; 32],
}

impl Library {
    /// `name` stands in stack traces and errors; scripts `require` the library by it and by its package's name.
    pub fn new(name: impl Into<Arc<str>>, source: impl Into<Arc<str>>) -> Library {
        let source = source.into();
        Library { name: name.into(), digest: *blake3::hash(source.as_bytes()).as_bytes(), source }
    }

    /// As it was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its text.
    pub fn source(&self) -> &str {
        &self.source
    }

    pub(crate) fn shared_source(&self) -> Arc<str> {
        self.source.clone()
    }

    pub(crate) fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// What scripts `require` and `import` it by: its own name without an extension, and its package's.
    pub(crate) fn names(&self) -> Vec<String> {
        let full = self.stem();
        let package = self.package();
        if package == full { vec![package] } else { vec![full.to_owned(), package] }
    }

    /// The global of a library that makes none itself.
    pub(crate) fn global(&self) -> String {
        camel_case(self.package().rsplit('/').next().unwrap_or_default())
    }

    fn stem(&self) -> &str {
        let extensions = [".js", ".mjs", ".cjs"];
        extensions.iter().find_map(|extension| self.name.strip_suffix(extension)).unwrap_or(&self.name)
    }

    fn package(&self) -> String {
        let (package, _) = LibraryName::split(self.stem());
        // A file name has no slash: `@scope+package`.
        if package.starts_with('@') { package.replacen('+', "/", 1) } else { package.to_owned() }
    }
}

/// `left-pad` is `leftPad`; a name that begins with a digit gets `_` in front.
fn camel_case(name: &str) -> String {
    let mut out = String::new();
    for part in name.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '$') {
        let mut chars = part.chars();
        match chars.next() {
            Some(first) if !out.is_empty() => out.extend(std::iter::once(first.to_ascii_uppercase()).chain(chars)),
            Some(_) => out.push_str(part),
            None => {}
        }
    }
    if out.starts_with(|c: char| c.is_ascii_digit()) {
        out.insert(0, '_');
    }
    out
}

/// A package of several files as one text: what `libs download` leaves when a file alone is not enough.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// What its files are.
    pub format: PackageFormat,
    /// The file that is evaluated: a key of `files`.
    pub entry: String,
    /// What the names in the files' imports mean where they are no files by themselves: `./lib/a`, from the package's top,
    /// is `lib/a.js`, and `package/part` may be `lib/part.js`.
    #[serde(default)]
    pub aliases: BTreeMap<String, String>,
    /// Text by path, relative to the package.
    pub files: BTreeMap<String, String>,
}

/// What the files of a [`Package`] are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PackageFormat {
    /// They `require` each other.
    CommonJs,
    /// They `import` each other.
    Module,
}

impl Package {
    /// A package's text begins with this line; JSON follows, in parentheses, so that the file is JavaScript.
    const MARK: &str = "/* vm-system package 1: docs/libraries.md has the format */\n(";
    const END: &str = ");\n";

    /// Its one text.
    pub fn to_text(&self) -> Result<String, serde_json::Error> {
        Ok(format!("{}{}{}", Self::MARK, serde_json::to_string(self)?, Self::END))
    }

    /// None: the text is no package but a library itself.
    pub(crate) fn of_text(text: &str) -> Option<Result<Package, String>> {
        let body = text.strip_prefix(Self::MARK)?.trim_end();
        let body = body.strip_suffix(Self::END.trim_end()).unwrap_or(body);
        let checked = |package: Package| match package.files.contains_key(&package.entry) {
            true => Ok(package),
            false => Err(format!("its entry {:?} is not among its files", package.entry)),
        };
        Some(serde_json::from_str(body).map_err(|error| error.to_string()).and_then(checked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_files_and_the_packages() {
        let names = |name: &str| Library::new(name, "").names();
        assert_eq!(names("lodash-4.17.21"), ["lodash-4.17.21", "lodash"]);
        assert_eq!(names("lodash"), ["lodash"]);
        assert_eq!(names("left-pad.js"), ["left-pad"]);
        assert_eq!(names("@scope+left-pad-1.0.0-beta.2"), ["@scope+left-pad-1.0.0-beta.2", "@scope/left-pad"]);
        let global = |name: &str| Library::new(name, "").global();
        assert_eq!(global("left-pad-1.3.0"), "leftPad");
        assert_eq!(global("@scope+left-pad-1.3.0"), "leftPad");
        assert_eq!(global("7zip.js-1.0.0"), "_7zipJs");
        assert_eq!(global("R"), "R");
    }

    #[test]
    fn a_package_is_read_as_it_was_written() {
        let package = Package {
            format: PackageFormat::CommonJs,
            entry: "a.js".into(),
            aliases: [("b".into(), "b.js".into())].into(),
            files: [("a.js".into(), "\"\u{2028}*/)".into())].into(),
        };
        let text = package.to_text().unwrap();
        let read = Package::of_text(&text).unwrap().unwrap();
        assert_eq!((read.entry, read.files, read.aliases), (package.entry, package.files, package.aliases));
        assert!(Package::of_text("var x;").is_none());
        assert!(Package::of_text(&text.replace("\"entry\":\"a.js\"", "\"entry\":\"x.js\"")).unwrap().is_err());
        assert!(Package::of_text(&text[..text.len() - 9]).unwrap().is_err());
    }
}
