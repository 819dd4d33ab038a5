//! The engine: a template becomes an [`Image`], an image becomes a [`Sandbox`], which is one live JavaScript heap.
//!
//! This crate is the only user of wasmtime. What a script can reach is decided here, when an image is linked: a module
//! that is not in the [`Recipe`] is no import of the compiled component, so there is nothing to call.
mod base;
mod bindings;
mod carry;
mod control;
mod engine;
mod error;
mod host;
mod image;
mod images;
mod library;
mod limits;
mod machine;
mod modules;
mod pagemap;
mod registry;
mod resolve;
mod room;
mod root;
mod sandbox;
mod services;
mod snapshot;
mod threads;
mod tickets;
mod turn;
mod typescript;

pub use carry::carried_bytes_max;
pub use engine::{Config, Engine, StoredImage};
pub use error::Error;
pub use image::{COMPONENT_BYTES_MAX, ForeignError, Format, Image, ImageFacts, LibraryFacts, Origin, Portable, Recipe};
pub use library::{Library, Package, PackageFormat};
pub use limits::Stop;
pub use machine::{HostLimit, host_limits, raise_open_files};
pub use modules::database::bounded as bounded_databases;
#[cfg(feature = "echo")]
pub use modules::echo::ECHO;
pub use modules::{Facade, Interface, Module};
pub use registry::{Refusal, RefusalReason, Registry};
pub use root::{Root, SourceError};
pub use sandbox::{Event, Events, Metrics, Mode, ModuleUsage, Outcome, Ran, Sandbox, Script, Setup};
pub use services::{
    Authorities, AuthoritiesError, KeyValue, KvChange, KvChanged, KvCondition, KvEntry, KvError, KvPage, KvValue,
    Lookup, Network, NetworkError, Origin as WebOrigin, Policy, SECRET_NAME_BYTES_MAX, Secret, Secrets, Services,
    Serving, is_secret_name,
};
pub use snapshot::{RestoreError, Snapshot};
pub use turn::{Turn, Waiting};
pub use typescript::{FunctionFacts, Seen, Stripped, SyntaxError, declarations_for, declarations_of, strip};
