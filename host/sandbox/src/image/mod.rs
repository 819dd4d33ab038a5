//! An image: a template made runnable. Linked, its facades and libraries evaluated, snapshotted, compiled; immutable and
//! shared by every session made from it.
mod build;
mod component;
mod disk;
mod facades;
mod functions;
mod fuse;
mod libraries;
mod link;
mod stored;
mod warm;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use model::ModuleName;
use serde::{Deserialize, Serialize};
use wasmtime::component::{Component, InstancePre, types::ComponentItem};

pub(crate) use build::Builder;
pub use component::{COMPONENT_BYTES_MAX, ForeignError, Portable};
pub(crate) use disk::{Disk, ImageFiles};
pub use libraries::{Format, LibraryFacts};

use crate::base::{self, Bases};
use crate::bindings::Exports;
use crate::engine::Slots;
use crate::error::Error;
use crate::host::{Host, Surroundings};
use crate::library::Library;
use crate::modules::Module;
use crate::sandbox::{Sandbox, Setup};
use crate::snapshot::SnapshotKey;

/// What an image is made from. Two recipes of the same content share one image, whatever templates they belong to.
#[derive(Clone, Debug, Default)]
pub struct Recipe {
    /// Native modules; order and repetition don't matter.
    pub modules: Vec<ModuleName>,
    /// Libraries in the order in which they are evaluated.
    pub libraries: Vec<Library>,
}

/// Where an image came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Linked, snapshotted and compiled just now.
    Built,
    /// Read from the data directory, where an earlier process had left it.
    Disk,
    /// Compiled from the component in the data directory: the artifact was gone, or another version's.
    Recompiled,
}

/// What `image inspect` shows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ImageFacts {
    /// Interfaces that the component imports: all that a session of it can ever call.
    pub imports: Vec<String>,
    /// Interfaces that it exports to the host.
    pub exports: Vec<String>,
    /// Bytes of the snapshotted component.
    pub component_bytes: u64,
    /// Bytes of the compiled code with its initial memory.
    pub compiled_bytes: u64,
    /// Bytes that the JavaScript engine holds before a session runs anything.
    pub heap_bytes: u64,
    /// Bytes spent on filling holes in the heap, so that sessions dirty fewer pages.
    pub sealed_bytes: u64,
    /// What each library brought, in order.
    pub libraries: Vec<LibraryFacts>,
    /// How long each stage took when the image was built, in the order in which they ran.
    pub timings: Vec<(String, Duration)>,
}

/// What is kept beside the compiled code: everything that a process needs to use it and could only learn by building.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Header {
    pub(crate) facts: ImageFacts,
    /// Names that each module and library exports to JavaScript.
    pub(crate) module_exports: BTreeMap<String, Vec<String>>,
    /// Globals of the bare engine.
    pub(crate) builtins: Vec<String>,
    /// Globals of every session, the web's among them.
    pub(crate) globals: Vec<String>,
    /// The guest and the compiler that it was built with.
    pub(crate) engine: String,
    /// Of the component: what is stored of a heap builds on the memory of exactly this one.
    pub(crate) digest: u64,
}

/// A template made runnable.
pub struct Image {
    hash: String,
    origin: Origin,
    pub(crate) header: Header,
    module_exports: Arc<BTreeMap<String, Vec<String>>>,
    modules: Vec<&'static Module>,
    surroundings: Surroundings,
    pub(crate) component: InstancePre<Host>,
    pub(crate) exports: Exports,
    slots: Arc<Slots>,
    pub(crate) bases: Bases,
    /// It was seen to have all that this version calls.
    checked: AtomicBool,
    /// What could not be written to the disk.
    unkept: Mutex<Option<Unkept>>,
}

/// The component of an image that is only in memory.
struct Unkept {
    disk: Arc<Disk>,
    component: stored::Compressed,
}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Image").field("hash", &self.hash).field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl Image {
    fn new(
        hash: String,
        origin: Origin,
        header: Header,
        component: &Component,
        linker: &wasmtime::component::Linker<Host>,
        modules: Vec<&'static Module>,
        (slots, surroundings): (Arc<Slots>, Surroundings),
    ) -> wasmtime::Result<Self> {
        Ok(Image {
            modules,
            surroundings,
            hash,
            origin,
            module_exports: Arc::new(header.module_exports.clone()),
            header,
            exports: Exports::of(component)?,
            component: linker.instantiate_pre(component)?,
            slots,
            bases: Bases::default(),
            checked: AtomicBool::new(false),
            unkept: Mutex::default(),
        })
    }

    /// Content hash, hexadecimal: covers guest, modules, libraries and compiler settings.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Whether it was built or found.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// What it consists of.
    pub fn facts(&self) -> &ImageFacts {
        &self.header.facts
    }

    /// The native modules that it links, in the order in which they are metered.
    pub(crate) fn modules(&self) -> &[&'static Module] {
        &self.modules
    }

    pub(crate) fn builtins(&self) -> &[String] {
        &self.header.builtins
    }

    pub(crate) fn globals(&self) -> &[String] {
        &self.header.globals
    }

    /// A new live heap. Takes a slot of the pool for as long as the sandbox lives.
    pub fn start(self: &Arc<Self>, setup: Setup) -> Result<Sandbox, Error> {
        if setup.durable {
            self.keep()?;
        }
        let slot = self.slots.take()?;
        let host = Host::new(setup, &self.modules, self.module_exports.clone(), self.surroundings.clone())?;
        Sandbox::new(self.clone(), host, Some(slot))
    }

    /// Writes to the disk what could not be written when it was built: what is stored of a session is worth nothing without.
    fn keep(&self) -> Result<(), Error> {
        let mut unkept = self.unkept.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Unkept { disk, component }) = &*unkept else { return Ok(()) };
        match stored::save_component(disk, &self.hash, &self.header, component) {
            Ok(true) => *unkept = None,
            Ok(false) => return Err(Error::NotKept("another process has one of the same name".into())),
            Err(error) => return Err(Error::NotKept(error.to_string().into())),
        }
        Ok(())
    }

    /// A heap that no session has and that runs nothing.
    pub(crate) fn pristine(self: &Arc<Self>) -> Result<Sandbox, Error> {
        let host = Host::new(Setup::default(), &self.modules, self.module_exports.clone(), Surroundings::default())?;
        Sandbox::new(self.clone(), host, None)
    }

    /// Whether an image of another version has all that this one calls. [`Error::ImageGone`]: it has not.
    pub(crate) fn check(self: &Arc<Self>) -> Result<(), Error> {
        if !self.checked.load(Ordering::Relaxed) {
            let checked = base::with_pristine(self, |pristine| {
                let inner = &mut *pristine.inner;
                Ok(inner.guest.check(&mut inner.store, &self.exports)?)
            });
            checked.map_err(|error| Error::ImageGone(error.to_string().into()))?;
            self.checked.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Tells its component from others of the same content.
    pub(crate) fn digest(&self) -> u64 {
        self.header.digest
    }

    /// What snapshots of its sessions are sealed with.
    pub(crate) fn key(&self) -> &SnapshotKey {
        &self.surroundings.snapshot_key
    }
}

/// The interfaces that a component imports and exports.
fn interfaces(component: &Component) -> (Vec<String>, Vec<String>) {
    let engine = component.engine();
    let ty = component.component_type();
    let instance = |(name, item): (&str, wasmtime::component::types::ComponentExtern)| {
        matches!(item.ty, ComponentItem::ComponentInstance(_)).then(|| name.to_owned())
    };
    let imports = ty.imports(engine).map(|(name, _)| name.to_owned()).collect();
    (imports, ty.exports(engine).filter_map(instance).collect())
}
