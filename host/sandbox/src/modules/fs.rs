//! `fs`: files beneath the session's root.
use serde::Deserialize;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, WasmStr};

use super::{Module, called};
use crate::host::Host;
use crate::limits::host_text_bytes;
use crate::root::Root;

type Store<'a> = StoreContextMut<'a, Host>;

pub(super) static MODULE: Module = Module {
    name: "fs",
    version: "0.1.0",
    interface: "vm:fs/files@0.1.0",
    wit: include_str!("../../../../wit/fs/fs.wit"),
    docs: "Reads and writes files beneath the session's worktree. A path can't leave that root, whatever it looks like.",
    facade: None,
    grant_schema: r#"{"type":"object","properties":{"access":{"enum":["read-write","read-only"],"default":"read-write"}},"additionalProperties":false}"#,
    grant: |host, config| {
        host.fs = serde_json::from_str::<Grant>(config)?.access;
        Ok(())
    },
    link,
};

/// What a template's entry may say.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Grant {
    access: Access,
}

/// What a session may do beneath its root.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Access {
    #[default]
    ReadWrite,
    ReadOnly,
}

fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    let mut files = linker.instance(MODULE.interface)?;
    files.func_wrap("read-file-sync", |mut store: Store<'_>, (path,): (WasmStr,)| {
        called(&mut store)?;
        let path = path.to_str(&store)?;
        Ok((read(store.data(), &path),))
    })?;
    files.func_wrap("write-file-sync", |mut store: Store<'_>, (path, data): (WasmStr, WasmStr)| {
        called(&mut store)?;
        // Both stay in the guest's memory: nothing it names is copied before the root has accepted the path.
        let (path, data) = (path.to_str(&store)?, data.to_str(&store)?);
        Ok((write(store.data(), &path, &data),))
    })?;
    files.func_wrap("exists-sync", |mut store: Store<'_>, (path,): (WasmStr,)| {
        called(&mut store)?;
        let path = path.to_str(&store)?;
        Ok((store.data().root.as_ref().is_some_and(|root| root.exists(&path)),))
    })?;
    Ok(())
}

fn root(host: &Host) -> Result<&Root, String> {
    host.root.as_ref().ok_or_else(|| "EACCES: this session has no root directory".to_owned())
}

fn read(host: &Host, path: &str) -> Result<String, String> {
    let max = host_text_bytes(host.meter.limits().mem_mb);
    let bytes = root(host)?.read(path, max).map_err(|e| e.to_string())?;
    let text = String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned());
    // Replacing bad bytes makes a text longer.
    if text.len() > max { Err(format!("EFBIG: file is larger than {max} bytes as text, read")) } else { Ok(text) }
}

fn write(host: &Host, path: &str, data: &str) -> Result<(), String> {
    if host.fs == Access::ReadOnly {
        return Err("EROFS: this template grants reading only, open".to_owned());
    }
    root(host)?.write(path, data.as_bytes()).map_err(|e| e.to_string())
}
