//! `fs`: files beneath the session's root.
use serde::Deserialize;
use wasmtime::component::WasmStr;

use super::{Answer, Failure, Interface, Linking, Module, State, always, grant_of};
use crate::host::Host;
use crate::limits::host_text_bytes;
use crate::root::{PathError, Root};

pub(super) static MODULE: Module = Module {
    name: "fs",
    version: "0.1.0",
    docs: "Reads and writes files beneath the session's worktree. A path can't leave that root, whatever it looks like.",
    interface: Some(Interface { name: "vm:fs/files@0.1.0", wit: include_str!("../../../../wit/fs/fs.wit"), link }),
    facade: None,
    grant_schema: r#"{"type":"object","properties":{"access":{"enum":["read-write","read-only"],"default":"read-write"}},"additionalProperties":false}"#,
    check_grant: grant_of::<Grant>,
    limits: &[],
    parts: &[],
    unavailable: always,
};

/// What a template's entry may say.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Grant {
    access: Access,
}

/// What a session may do beneath its root.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Access {
    #[default]
    ReadWrite,
    ReadOnly,
}

/// A session's files.
struct Files {
    access: Access,
    root: Option<Root>,
    text_bytes_max: usize,
}

impl State for Files {
    const MODULE: &'static str = "fs";
    type Grant = Grant;

    fn open(grant: Grant, host: &Host) -> Answer<Files> {
        let text_bytes_max = host_text_bytes(host.meter.limits().mem_mb);
        Ok(Files { access: grant.access, root: host.root.clone(), text_bytes_max })
    }
}

fn link(files: &mut Linking<'_>) -> wasmtime::Result<()> {
    files.function("read-file-sync", |store, (path,): (WasmStr,)| {
        let path = path.to_str(&*store)?.into_owned();
        Ok((store.data_mut().state::<Files>().and_then(|files| files.read(&path)),))
    })?;
    files.function("write-file-sync", |store, (path, data): (WasmStr, WasmStr)| {
        // A session's own state first, so that the data can be lent from the guest's memory and is never copied.
        let files = store.data_mut().state::<Files>().map(|files| files.writable());
        let (path, data) = (path.to_str(&*store)?, data.to_str(&*store)?);
        let written = files.and_then(|root| root?.write(&path, data.as_bytes()).map_err(failure));
        Ok((written,))
    })?;
    files.function("exists-sync", |store, (path,): (WasmStr,)| {
        let path = path.to_str(&*store)?.into_owned();
        let files = store.data_mut().state::<Files>();
        Ok((files.is_ok_and(|files| files.root.as_ref().is_some_and(|root| root.exists(&path))),))
    })?;
    Ok(())
}

impl Files {
    fn root(&self) -> Answer<&Root> {
        let none = || Failure::new("EACCES", "EACCES: this session has no root directory");
        self.root.as_ref().ok_or_else(none)
    }

    fn writable(&self) -> Answer<Root> {
        if self.access == Access::ReadOnly {
            return Err(Failure::new("EROFS", "EROFS: this template grants reading only, open"));
        }
        self.root().cloned()
    }

    fn read(&self, path: &str) -> Answer<String> {
        let max = self.text_bytes_max;
        let bytes = self.root()?.read(path, max).map_err(failure)?;
        let text = String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned());
        // Replacing bad bytes makes a text longer.
        if text.len() > max {
            return Err(Failure::new("EFBIG", format!("EFBIG: file is larger than {max} bytes as text, read")));
        }
        Ok(text)
    }
}

fn failure(error: PathError) -> Failure {
    let message = error.to_string();
    let code = message.split(':').next().unwrap_or_default();
    Failure::new(code, &*message)
}
