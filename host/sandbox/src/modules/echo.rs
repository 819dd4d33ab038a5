//! `echo`: answers what it is given, a function for each kind of WIT value. For tests and benchmarks; it is in no
//! engine's registry unless [`crate::Config::modules`] lists it.
use std::time::Duration;

use wasmtime::component::Val;

use super::linking::counted;
use super::{Answer, Failure, Interface, Linking, Module, NO_GRANT_SCHEMA, NoGrant, grant_of};

/// The module.
pub static ECHO: Module = Module {
    name: "echo",
    version: "0.1.0",
    docs: "Answers what it is given.",
    interface: Some(Interface {
        name: "test:echo/echo@0.1.0",
        wit: include_str!("../../../../tests/wit/echo.wit"),
        link,
    }),
    facade: None,
    grant_schema: NO_GRANT_SCHEMA,
    check_grant: grant_of::<NoGrant>,
    limits: &[],
    ..Module::BASE
};

const KINDS: [&str; 25] = [
    "u8",
    "s8",
    "u16",
    "s16",
    "u32",
    "s32",
    "u64",
    "s64",
    "f32",
    "f64",
    "bool",
    "char",
    "string",
    "list",
    "nested",
    "point",
    "shape",
    "color",
    "perms",
    "option",
    "option-option",
    "tuple",
    "result",
    "result-unit",
    "result-record",
];

fn link(echo: &mut Linking<'_>) -> wasmtime::Result<()> {
    echo.function("nop", |_, (): ()| Ok(()))?;
    echo.function("add", |_, (a, b): (i32, i32)| Ok((a.wrapping_add(b),)))?;
    echo.function("text", |_, (text,): (String,)| Ok((text,)))?;
    // Bytes by themselves: as a list of `Val`s each takes 32 bytes on the host, and a large one more than a call may bring.
    echo.function("echo-bytes", |_, (bytes,): (Vec<u8>,)| Ok((bytes,)))?;
    echo.asynchronous("later", |_, (ms, text): (u32, String)| {
        if text == "refused" {
            return Ok(Err(Failure::new("REFUSED", "refused before it began")));
        }
        Ok(Ok(async move {
            tokio::time::sleep(Duration::from_millis(ms.into())).await;
            let answer: Answer<String> =
                if text == "failed" { Err(Failure::new("FAILED", "failed later")) } else { Ok(text) };
            answer
        }))
    })?;
    let slot = echo.slot;
    for kind in KINDS {
        echo.instance.func_new(&format!("echo-{kind}"), move |mut store, _ty, given: &[Val], answer: &mut [Val]| {
            counted(&mut store, slot)?;
            answer.clone_from_slice(given);
            Ok(())
        })?;
    }
    Ok(())
}
