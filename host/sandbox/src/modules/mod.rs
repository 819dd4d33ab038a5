//! The native modules. One is: a WIT package in `wit/`, a Rust file here, an entry in [`ALL`], and perhaps a JavaScript
//! facade where Node's conventions want another shape than WIT's. The guest is neither edited nor rebuilt.
#[cfg(feature = "echo")]
pub(crate) mod echo;
pub(crate) mod fs;

use wasmtime::StoreContextMut;
use wasmtime::component::Linker;

use crate::control::HardStop;
use crate::error::Error;
use crate::host::Host;
use crate::limits::Verdict;

/// A native module that templates may list.
pub struct Module {
    /// The name that templates list and scripts `require`.
    pub name: &'static str,
    /// Version of its interface; part of every image's hash.
    pub version: &'static str,
    /// The WIT interface that an image imports for it.
    pub interface: &'static str,
    /// The WIT package, as text.
    pub wit: &'static str,
    /// One paragraph for people.
    pub docs: &'static str,
    /// A JavaScript function expression from the raw imports to what `require` answers. None: the raw imports.
    pub(crate) facade: Option<&'static str>,
    /// JSON Schema of its grant: what `config` of a template's entry may be.
    pub grant_schema: &'static str,
    /// Reads a grant, and sets up a session's host by it.
    pub(crate) grant: fn(&mut Host, &str) -> Result<(), serde_json::Error>,
    pub(crate) link: fn(&mut Linker<Host>) -> wasmtime::Result<()>,
}

impl Module {
    /// Checks a template's `config` for this module; the text says what is wrong.
    pub fn check_grant(&self, config: &str) -> Result<(), String> {
        let Ok(mut scratch) = Host::new(crate::Setup::default(), std::sync::Arc::default()) else { return Ok(()) };
        (self.grant)(&mut scratch, config).map_err(|error| error.to_string())
    }

    /// TypeScript declarations, derived from the WIT.
    pub fn dts(&self) -> String {
        crate::typescript::declarations(self)
    }
}

/// The modules that an engine has unless it is told otherwise.
pub(crate) static ALL: [&Module; 1] = [&fs::MODULE];

/// Sets a session's host up by one grant of its template. Grants are checked when they are stored; one that was
/// stored by an older version and fits no more starts no session.
pub(crate) fn grant(host: &mut Host, grant: &model::Grant) -> Result<(), Error> {
    let Some(module) = ALL.iter().find(|module| module.name == grant.name.as_str()) else { return Ok(()) };
    (module.grant)(host, grant.config.get())
        .map_err(|error| Error::Grant { module: module.name.to_owned(), why: error.to_string() })
}

/// Begins a host call, as every function of a module does: counts it, and traps when the script was asked to stop and
/// had its grace. The guest asks by itself when the call has returned.
pub(crate) fn called(store: &mut StoreContextMut<'_, Host>) -> wasmtime::Result<()> {
    let meter = &mut store.data_mut().meter;
    meter.host_calls += 1;
    match meter.poll() {
        Verdict::Trap => Err(HardStop.into()),
        Verdict::Go | Verdict::Stop => Ok(()),
    }
}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Module({} {})", self.name, self.version)
    }
}
