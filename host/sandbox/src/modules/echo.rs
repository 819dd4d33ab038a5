//! `echo`: answers what it is given, a function for each kind of WIT value. For tests and benchmarks; it is in no
//! engine's registry unless [`crate::Config::modules`] lists it.
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Val};

use super::{Module, called};
use crate::host::Host;

/// The module.
pub static ECHO: Module = Module {
    name: "echo",
    version: "0.1.0",
    interface: "test:echo/echo@0.1.0",
    wit: include_str!("../../../../tests/wit/echo.wit"),
    docs: "Answers what it is given.",
    facade: None,
    grant_schema: "{}",
    grant: |_, _| Ok(()),
    link,
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

fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    let mut echo = linker.instance(ECHO.interface)?;
    echo.func_wrap("nop", |mut store: StoreContextMut<'_, Host>, (): ()| {
        called(&mut store)?;
        Ok(())
    })?;
    echo.func_wrap("add", |mut store: StoreContextMut<'_, Host>, (a, b): (i32, i32)| {
        called(&mut store)?;
        Ok((a.wrapping_add(b),))
    })?;
    echo.func_wrap("text", |mut store: StoreContextMut<'_, Host>, (text,): (String,)| {
        called(&mut store)?;
        Ok((text,))
    })?;
    // Bytes by themselves: as a list of `Val`s each takes 32 bytes on the host, and a large one more than a call may bring.
    echo.func_wrap("echo-bytes", |mut store: StoreContextMut<'_, Host>, (bytes,): (Vec<u8>,)| {
        called(&mut store)?;
        Ok((bytes,))
    })?;
    for kind in KINDS {
        echo.func_new(&format!("echo-{kind}"), |mut store, _ty, given: &[Val], answer: &mut [Val]| {
            called(&mut store)?;
            answer.clone_from_slice(given);
            Ok(())
        })?;
    }
    Ok(())
}
