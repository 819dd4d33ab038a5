//! TypeScript: what JavaScript is told of a module, and sources that are written in it.
mod declarations;
mod strip;

pub(crate) use declarations::{declarations, parameters};
pub use strip::{Stripped, SyntaxError, declarations_of, strip};
pub(crate) use strip::{cache_in, is_typescript_name, prepare, strip_line, strip_within};

#[cfg(test)]
mod tests;
