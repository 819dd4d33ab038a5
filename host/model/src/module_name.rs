//! Names of native modules, normalised once.
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The name of a native module as templates list it: trimmed, lower case, 1 to 64 bytes of `a-z 0-9 - _ . : / @ $`.
/// That it is well formed says nothing about whether such a module exists: only the registry does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct ModuleName(String);

/// Why a text is no module name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModuleNameError {
    /// Nothing is left after trimming.
    #[error("name is required")]
    Empty,
    /// Longer than [`ModuleName::LEN_MAX`] bytes.
    #[error("name is longer than 64 bytes")]
    TooLong,
    /// A byte outside of the accepted set.
    #[error("name has a character other than a-z, 0-9, '-', '_', '.', ':', '/', '@' or '$'")]
    Character,
}

impl ModuleName {
    /// Longest name, in bytes.
    pub const LEN_MAX: usize = 64;

    /// Trims, lower-cases and checks `raw`.
    pub fn parse(raw: &str) -> Result<Self, ModuleNameError> {
        let trimmed = raw.trim();
        if trimmed.is_empty() {
            return Err(ModuleNameError::Empty);
        }
        if trimmed.len() > Self::LEN_MAX {
            return Err(ModuleNameError::TooLong);
        }
        let name = trimmed.to_ascii_lowercase();
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.:/@$".contains(&b);
        if !name.bytes().all(fits) {
            return Err(ModuleNameError::Character);
        }
        Ok(ModuleName(name))
    }

    /// The normalised text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ModuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ModuleName {
    type Error = ModuleNameError;
    fn try_from(raw: String) -> Result<Self, ModuleNameError> {
        Self::parse(&raw)
    }
}

impl From<ModuleName> for String {
    fn from(name: ModuleName) -> String {
        name.0
    }
}
