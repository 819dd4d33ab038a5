//! The words that every other crate shares. Plain data: no I/O, no threads, no clocks.
#![forbid(unsafe_code)]

mod code;
mod limits;
mod module_name;
mod value;

pub use code::ErrorCode;
pub use limits::{Limits, LimitsError};
pub use module_name::{ModuleName, ModuleNameError};
pub use value::{ConsoleLevel, Exception, JsType, Value};
