//! Node's modules that reach nothing: JavaScript alone, bundled from `host/sandbox/js`.
use super::{Facade, Module};

macro_rules! node {
    ($($(#[doc = $docs:literal])+ $name:ident = $file:literal $(, globals: $globals:expr)? $(, parts: $parts:expr)?;)*) => {$(
        pub(super) static $name: Module = Module {
            name: $file,
            version: "0.1.0",
            docs: concat!($($docs),+).trim_ascii_start(),
            facade: Some(Facade {
                source: include_str!(concat!("../../js/dist/node/", $file, ".js")),
                types: include_str!(concat!("../../js/types/", $file, ".d.ts")),
            }),
            $(globals: $globals,)?
            $(parts: $parts,)?
            ..Module::BASE
        };
    )*};
}

node! {
    /// Assertions, as in Node: strictEqual, deepStrictEqual, throws, rejects, ...; `assert/strict` as well.
    ASSERT = "assert", parts: &[("assert/strict", "strict")];
    /// Node's Buffer; listing it makes `Buffer` a global, too.
    BUFFER = "buffer", globals: &[("Buffer", "Buffer")];
    /// Node's EventEmitter, once and on.
    EVENTS = "events";
    /// Paths as text, as on POSIX.
    PATH = "path", parts: &[("path/posix", "posix")];
    /// Query strings as Node's older API reads and writes them.
    QUERYSTRING = "querystring";
    /// Text out of bytes that come in pieces.
    STRING_DECODER = "string_decoder";
    /// The timers of every session, and `timers/promises`.
    TIMERS = "timers", parts: &[("timers/promises", "promises")];
    /// URL and URLSearchParams of every session, and Node's older parse, format and resolve.
    URL = "url";
    /// Node's inspect, format, promisify, isDeepStrictEqual, types and more.
    UTIL = "util", parts: &[("util/types", "types")];
}

/// What facades import that no template lists.
pub(crate) static INNER: &[(&str, &str)] = &[
    ("timers/promises", include_str!("../../js/dist/node/timers/promises.js")),
    // Of `fs`, whose file would be too long.
    ("fs/arguments", concat!(include_str!("checks.js"), include_str!("fs/arguments.js"))),
    ("fs/streams", include_str!("fs/streams.js")),
];
