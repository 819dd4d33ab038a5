//! TypeScript: what JavaScript is told of a module, and sources that are written in it.
mod declarations;
mod strip;

pub(crate) use declarations::{declarations, parameters};
pub(crate) use strip::{cache_in, is_module_name, is_typescript_name, strip_line};
pub use strip::{Stripped, SyntaxError, declarations_of, strip};
