//! What comes out of a script.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ErrorCode;

/// The JavaScript type of a value; arrays and null have their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum JsType {
    /// `undefined`
    Undefined,
    /// `null`
    Null,
    /// `true` and `false`
    Boolean,
    /// A number
    Number,
    /// A BigInt
    Bigint,
    /// A string
    String,
    /// A symbol
    Symbol,
    /// Any other object
    Object,
    /// `Array.isArray` says so
    Array,
    /// A function or class
    Function,
}

/// A completion value.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Value {
    /// Its type.
    #[serde(rename = "type")]
    pub ty: JsType,
    /// `String(v)`.
    pub preview: String,
    /// The value as JSON; `null` for undefined and null, absent for functions, symbols, NaN, Infinity and cycles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub json: Option<Box<serde_json::value::RawValue>>,
}

/// An uncaught exception, or the limit that stopped a script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exception {
    /// `Name: text`.
    pub message: String,
    /// The JavaScript stack, a frame a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack: Option<String>,
    /// Line in the script, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Column in the script, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// The limit that was hit, when it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<ErrorCode>,
}

/// The level of a console call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ConsoleLevel {
    /// `console.log`
    Log,
    /// `console.info`
    Info,
    /// `console.warn`
    Warn,
    /// `console.error`
    Error,
    /// `console.debug`
    Debug,
}
