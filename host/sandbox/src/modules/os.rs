//! `os`: constants that reveal nothing of the machine.
use super::{Facade, Module, NO_GRANT_SCHEMA, NoGrant, grant_of};

pub(super) static MODULE: Module = Module {
    name: "os",
    version: "0.1.0",
    docs: "Harmless facts that portable code asks for: line ends, byte order, a platform. Constants; nothing of the machine.",
    interface: None,
    facade: Some(Facade { source: include_str!("os.js"), types: Some(include_str!("os.d.ts")) }),
    grant_schema: NO_GRANT_SCHEMA,
    check_grant: grant_of::<NoGrant>,
    limits: &[],
    ..Module::BASE
};
