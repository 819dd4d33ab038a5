//! Rows: templates, sessions, executions and their events, keys of scripts, in one SQLite file. Its only user: databases of
//! scripts are files of their own (`sandbox`'s module `database`).
//!
//! One thread writes, and commits whatever has queued up in one transaction: an answer waits for its commit, requests
//! that come together share one fsync. A few threads read. Callers await; no caller's thread ever waits for a disk.
#![forbid(unsafe_code)]

mod checkpoints;
mod error;
mod events;
mod executions;
mod forks;
mod idempotency;
mod kv;
mod open;
mod reader;
mod resume;
mod rows;
mod secrets;
mod sessions;
mod template_lists;
mod templates;
mod wal;
mod writer;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::Timestamp;

pub use checkpoints::{NewCheckpoint, Retention};
pub use error::{Error, OpenError};
pub use events::{EventLog, EventPage};
pub use executions::{FinishedExecution, NewExecution};
pub use forks::{Fork, ForkFrom};
pub use idempotency::{Kept, Reserved};
pub use kv::{KV_ENTRY_BYTES, KvChange, KvCondition, KvEntry, KvOutcome, KvPage};
pub use resume::{CHAIN_MAX, Chain, DurableFigures, ImageUse, Resumable, Rewindable};
pub use rows::{Cursor, Page, Wanted};
pub use secrets::{SECRETS_MAX, SecretRow};
pub use sessions::{NewSession, Recipe};
pub use template_lists::TEMPLATE_LIST_MAX;
pub use templates::{NewTemplate, TemplateChange, WholeTemplate};

use reader::Readers;
use writer::Writer;

/// How to open a database.
#[derive(Clone, Debug)]
pub struct Options {
    /// How the file is looked over before it is used.
    pub check: Check,
    /// The database file; created if absent, but not its directory.
    pub path: PathBuf,
    /// What a commit waits for.
    pub synchronous: Synchronous,
    /// Read connections, each with a thread. At least one.
    pub readers: usize,
}

impl Options {
    /// The defaults, for the database at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Options { check: Check::Quick, path: path.into(), synchronous: Synchronous::Full, readers: 2 }
    }
}

/// How a database is looked over when it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Every page, but not every index against its table, and no bodies of checkpoints, which have seals of their own and are
    /// looked at when they are read: some seconds a gigabyte.
    Quick,
    /// Everything, indexes and bodies of checkpoints included.
    Full,
    /// Not at all.
    Off,
}

/// What a commit waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Synchronous {
    /// The disk: nothing acknowledged is lost, whatever stops.
    Full,
    /// The kernel: a killed process loses nothing, a power cut may lose the last moments.
    Normal,
}

/// A handle to the database. Clones share it; when the last one goes, what is queued is committed and the file closed.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

// Fields go in this order: both kinds of thread are joined before the lock is given back.
struct Inner {
    readers: Readers,
    writer: Writer,
    wholes: Arc<templates::Wholes>,
    _lock: File,
}

impl Store {
    /// Opens the database, brings its schema up to date and settles what a dead server left: executions that were
    /// running are interrupted; sessions that were live are closed, since their heaps are gone, but for those whose heaps are
    /// kept, which stay as they are.
    ///
    /// Blocks; call it before serving.
    pub fn open(options: &Options, now: Timestamp) -> Result<Store, OpenError> {
        let lock = open::lock(&options.path)?;
        open::check_log(options)?;
        let mut connection = open::connect_writer(options)?;
        open::check(&connection, options.check)?;
        open::migrate(&mut connection)?;
        open::use_wal(&connection)?;
        open::recover(&mut connection, now)?;
        let writer = Writer::start(connection, checkpoints::collect_idle)?;
        let readers = (0..options.readers.max(1)).map(|_| open::connect_reader(&options.path));
        let readers = Readers::start(readers.collect::<Result<_, _>>()?)?;
        Ok(Store(Arc::new(Inner { readers, writer, wholes: Arc::default(), _lock: lock })))
    }
}

/// Copies the database at `path`, which a server may be using, to a new file at `to`: whole, consistent and compact.
///
/// Blocks. What is committed when it begins is in the copy; writers are not held up.
pub fn backup(path: &Path, to: &Path) -> Result<(), OpenError> {
    open::backup(path, to)
}

/// Looks a database over for damage, indexes included; a server may be using it. Blocks.
pub fn check(path: &Path) -> Result<(), OpenError> {
    open::check(&open::connect_ours(path)?, Check::Full)
}

#[cfg(test)]
mod scratch;
