//! Names of JavaScript libraries.
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The name of a library, version included (`lodash-4.17.21`); its file is `<name>.js`, so a name is one path
/// component that can't be hidden, `.` or `..`. Case matters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct LibraryName(String);

/// Why a text is no library name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LibraryNameError {
    /// Nothing is left after trimming.
    #[error("name is required")]
    Empty,
    /// Longer than [`LibraryName::LEN_MAX`] bytes.
    #[error("name is longer than 128 bytes")]
    TooLong,
    /// A character outside of the accepted set, or a dot in front.
    #[error("name has a character other than letters, digits, '-', '_', '.', '@' or '+', or begins with a dot")]
    Character,
}

impl LibraryName {
    /// Longest name, in bytes.
    pub const LEN_MAX: usize = 128;

    /// Trims and checks `raw`.
    pub fn parse(raw: &str) -> Result<Self, LibraryNameError> {
        let name = raw.trim();
        if name.is_empty() {
            return Err(LibraryNameError::Empty);
        }
        if name.len() > Self::LEN_MAX {
            return Err(LibraryNameError::TooLong);
        }
        if name.starts_with('.') || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.@+".contains(&b)) {
            return Err(LibraryNameError::Character);
        }
        Ok(LibraryName(name.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The package and the version of a name: `lodash` and `4.17.21`. What looks like no version is part of the package.
    pub fn split(name: &str) -> (&str, Option<&str>) {
        let mut cuts = name.match_indices('-').filter(|(at, _)| *at > 0);
        let found = cuts.find(|(at, _)| is_version(&name[at + 1..]));
        found.map_or((name, None), |(at, _)| (&name[..at], Some(&name[at + 1..])))
    }
}

/// Three numbers, and perhaps more after a `-` or `+`: what semantic versions look like.
fn is_version(text: &str) -> bool {
    let core = text.split(['-', '+']).next().unwrap_or_default();
    let mut numbers = 0;
    core.split('.').all(|number| {
        numbers += 1;
        !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
    }) && numbers == 3
}

impl fmt::Display for LibraryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for LibraryName {
    type Error = LibraryNameError;
    fn try_from(raw: String) -> Result<Self, LibraryNameError> {
        Self::parse(&raw)
    }
}

impl From<LibraryName> for String {
    fn from(name: LibraryName) -> String {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_inside_the_cache() {
        for good in ["lodash-4.17.21", " lodash ", "Moment", "a@1.0.0+x"] {
            assert!(LibraryName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", " ", ".", "..", ".x", "a/b", "a\\b", "a\0", "é", &"x".repeat(129)] {
            assert!(LibraryName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_version_is_told_from_a_name() {
        assert_eq!(LibraryName::split("lodash-4.17.21"), ("lodash", Some("4.17.21")));
        assert_eq!(LibraryName::split("left-pad-2-1.3.0-rc.1+x-y"), ("left-pad-2", Some("1.3.0-rc.1+x-y")));
        for plain in ["lodash", "left-pad", "a-1.2", "a-1.2.3.4", "a-1..3", "-1.2.3", "a-v1.2.3", ""] {
            assert_eq!(LibraryName::split(plain), (plain, None));
        }
    }
}
