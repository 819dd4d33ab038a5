//! `time`: text of times and durations, in UTC.
use super::{Facade, Module, NO_GRANT_SCHEMA, NoGrant, grant_of};

pub(super) static MODULE: Module = Module {
    name: "time",
    version: "0.1.0",
    docs: "Times and durations as text and back: RFC 3339, strftime, `1h30m`. Always in UTC.",
    interface: None,
    facade: Some(Facade {
        source: concat!(include_str!("checks.js"), include_str!("time.js")),
        types: Some(include_str!("time.d.ts")),
    }),
    grant_schema: NO_GRANT_SCHEMA,
    check_grant: grant_of::<NoGrant>,
    limits: &[
        ("pattern_chars_max", 10_000, "a longer pattern is refused with ERR_OUT_OF_RANGE"),
        ("text_chars_max", 100, "longer text of a time or duration is refused with ERR_INVALID_ARG_VALUE"),
    ],
    ..Module::BASE
};
