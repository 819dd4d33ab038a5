//! `timer`: waiting as promises, on the timers that every session has.
use super::{Facade, Module, NO_GRANT_SCHEMA, NoGrant, grant_of};

pub(super) static MODULE: Module = Module {
    name: "timer",
    version: "0.1.0",
    docs: "Waiting: a promise that is settled in a while, and a sequence that goes on each so often.",
    interface: None,
    facade: Some(Facade {
        source: concat!(include_str!("checks.js"), include_str!("timer.js")),
        types: Some(include_str!("timer.d.ts")),
    }),
    grant_schema: NO_GRANT_SCHEMA,
    check_grant: grant_of::<NoGrant>,
    limits: &[("time_ms_max", 2_147_483_647, "a longer time is refused with ERR_OUT_OF_RANGE")],
    ..Module::BASE
};
