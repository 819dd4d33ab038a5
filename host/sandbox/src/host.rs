//! What a store holds for the host functions: the state of one sandbox, borrowed by modules, no globals.
use std::collections::BTreeMap;
use std::sync::Arc;

use model::{ConsoleLevel, Resolver, Settings};

use crate::error::Error;
use crate::limits::{MemoryLimiter, Meter, Stop};
use crate::modules::{self, fs};
use crate::root::Root;
use crate::sandbox::{Console, Setup};

/// Store data of one sandbox.
pub(crate) struct Host {
    pub(crate) meter: Meter,
    pub(crate) memory: MemoryLimiter,
    pub(crate) root: Option<Root>,
    pub(crate) resolver: Resolver,
    /// `import` and `import()` work.
    pub(crate) esm: bool,
    /// Scripts have a `console`.
    pub(crate) console_wanted: bool,
    pub(crate) fs: fs::Access,
    console: Option<Console>,
    /// What each listed module exports to JavaScript, to answer `import` of it.
    pub(crate) exports: Arc<BTreeMap<String, Vec<String>>>,
    /// The modules of the library that is being evaluated, by name. Empty in a session.
    pub(crate) package: BTreeMap<String, Arc<str>>,
}

impl Host {
    pub(crate) fn new(setup: Setup, exports: Arc<BTreeMap<String, Vec<String>>>) -> Result<Self, Error> {
        let Setup { settings: Settings { limits, resolver, runtime }, root, grants } = setup;
        let bytes_max = crate::limits::wasm_memory_bytes(limits.mem_mb);
        let mut host = Host {
            meter: Meter::start(limits, Stop::default()),
            memory: MemoryLimiter { bytes_max, bytes: 0, refused_at_start: false },
            root,
            resolver,
            esm: runtime.esm,
            console_wanted: runtime.console,
            fs: fs::Access::default(),
            console: None,
            exports,
            package: BTreeMap::new(),
        };
        for grant in &grants {
            modules::grant(&mut host, grant)?;
        }
        Ok(host)
    }

    /// Begins a run on this thread.
    pub(crate) fn begin(&mut self, stop: &Stop, console: Option<Console>) {
        self.meter = Meter::start(*self.meter.limits(), stop.clone());
        self.console = console;
    }

    /// Ends a run: whoever listened to the console hears no more.
    pub(crate) fn end(&mut self) {
        self.console = None;
    }

    /// Hands one console event on. False when the script has to stop.
    pub(crate) fn log(&mut self, level: ConsoleLevel, text: Vec<u8>) -> bool {
        if !self.meter.event(text.len()) {
            return false;
        }
        if let Some(console) = &mut self.console {
            let text = String::from_utf8(text);
            console(level, text.unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()));
        }
        true
    }
}
