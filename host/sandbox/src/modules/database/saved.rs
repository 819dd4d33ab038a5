//! What a snapshot has of an open database, and how it is opened again from that.
//!
//! A file is opened again by its path, and what scripts told the connection is told it once more. What lies in memory alone
//! travels within the snapshot while it is small; else it pins its session. Transactions, temporary tables and iterators
//! can't travel: they pin as well, and where a process was killed all the same, scripts are told before they go on.
use std::ffi::c_void;
use std::sync::atomic::AtomicBool;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, Error, MAIN_DB, Result, TransactionState, ffi};
use serde::{Deserialize, Serialize};

use super::memory::Account;
use super::operation::{Deadline, Operation};

/// Largest database in memory that a snapshot takes along, bytes.
pub(super) const CONTENT_BYTES_MAX: usize = 4 << 20;
/// What SQLite may allocate beside the session's own account while it makes or reads one: a copy, and some pages.
const COPY_BYTES_MAX: usize = 3 * CONTENT_BYTES_MAX;
/// Longest name that is taken from a snapshot, bytes.
const DSN_BYTES_MAX: usize = 4_096;

/// What pragmas tell a connection, and no file keeps. The last one comes last: it might forbid others.
pub(super) const SETTINGS: [&str; 7] = [
    "foreign_keys",
    "ignore_check_constraints",
    "legacy_alter_table",
    "recursive_triggers",
    "secure_delete",
    "synchronous",
    "query_only",
];
/// None of their values is larger.
const SETTING_MAX: i64 = 3;

/// What statements were seen to be about when they were compiled.
#[derive(Debug, Default)]
pub(super) struct Noticed {
    /// Something temporary is made or changed.
    pub(super) temporary: AtomicBool,
    /// One of [`SETTINGS`] is told.
    pub(super) setting: AtomicBool,
}

/// What is known of a connection between two statements.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Facts {
    /// Those that were told, with their values; empty: none was.
    pub(super) settings: Vec<(String, i64)>,
    pub(super) last_row: i64,
    /// The last iterator's number.
    pub(super) last_cursor: u32,
    pub(super) transaction: bool,
    /// There are temporary tables, views or triggers.
    pub(super) temporary: bool,
}

/// What is in it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Content {
    /// A file has it.
    File,
    /// All of its pages, in base64.
    Memory(String),
    /// It was in memory, and too large or in the middle of something.
    Lost,
}

/// One open database in a snapshot.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Saved {
    pub(super) dsn: String,
    pub(super) content: Content,
    pub(super) facts: Facts,
}

impl Saved {
    /// Sizes and names are what `save` writes.
    pub(super) fn is_sound(&self) -> bool {
        let content = match &self.content {
            Content::Memory(text) => self.dsn == ":memory:" && text.len() <= CONTENT_BYTES_MAX.div_ceil(3) * 4,
            Content::File => self.dsn != ":memory:",
            Content::Lost => true,
        };
        let settings = self.facts.settings.len() <= SETTINGS.len()
            && self
                .facts
                .settings
                .iter()
                .all(|(name, value)| SETTINGS.contains(&name.as_str()) && (0..=SETTING_MAX).contains(value));
        content && settings && self.dsn.len() <= DSN_BYTES_MAX
    }
}

/// The pages of a database in memory, as of the last time that they were asked for.
#[derive(Debug, Default)]
pub(super) struct Copied(Option<(u32, Option<String>)>);

impl Copied {
    /// All pages in base64. None: they are too many, or hold what was not committed.
    pub(super) fn pages(&mut self, connection: &mut Connection) -> Option<String> {
        let version = version(connection)?;
        match &self.0 {
            Some((then, pages)) if *then == version => return pages.clone(),
            _ => self.0 = None,
        }
        // What is not committed would be among them.
        if connection.transaction_state(Some(MAIN_DB)).ok()? == TransactionState::Write {
            return None;
        }
        let pages = match size(connection)? {
            0 => Some(String::new()),
            size if size > CONTENT_BYTES_MAX => None,
            _ => Some(copied(connection)?),
        };
        self.0 = Some((version, pages.clone()));
        pages
    }
}

/// Whether its pages don't fit into a snapshot.
pub(super) fn is_large(connection: &Connection) -> bool {
    size(connection).is_none_or(|size| size > CONTENT_BYTES_MAX)
}

/// SQLite's own count of what was committed, whatever it was: rows, tables, or numbers in the header.
fn version(connection: &Connection) -> Option<u32> {
    let mut version = 0_u32;
    // SAFETY: the connection is open; this call writes a number of 32 bits to what it is given.
    let answer = unsafe {
        ffi::sqlite3_file_control(
            connection.handle(),
            MAIN_DB.as_ptr(),
            ffi::SQLITE_FCNTL_DATA_VERSION,
            (&raw mut version).cast::<c_void>(),
        )
    };
    (answer == ffi::SQLITE_OK).then_some(version)
}

fn size(connection: &Connection) -> Option<usize> {
    let ask = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).ok();
    usize::try_from(ask("page_count")?.checked_mul(ask("page_size")?)?).ok()
}

fn copied(connection: &mut Connection) -> Option<String> {
    aside(|| connection.serialize(MAIN_DB).ok().map(|pages| BASE64.encode(&*pages)))
}

/// Does what takes more memory for a moment, on an account of its own.
fn aside<R>(work: impl FnOnce() -> R) -> R {
    Operation::new(&Account::new(COPY_BYTES_MAX), None, &Deadline::grace()).during(work)
}

/// Makes an empty database in memory one that has these pages.
pub(super) fn fill(connection: &mut Connection, pages: &str) -> Result<()> {
    let unusable = || Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CORRUPT), None);
    let bytes = BASE64.decode(pages).map_err(|_| unusable())?;
    if bytes.is_empty() {
        return Ok(());
    }
    // What SQLite makes of them as they are would grow and be counted in another way than what was saved.
    let from = aside(|| -> Result<Connection> {
        let mut from = Connection::open_in_memory()?;
        from.deserialize_read_exact(MAIN_DB, &*bytes, bytes.len(), true)?;
        from.pragma_update(None, "cache_size", 16)?;
        Ok(from)
    })?;
    let filled = Backup::new(&from, connection)?.step(-1)?;
    aside(|| drop(from));
    if filled == StepResult::Done { Ok(()) } else { Err(unusable()) }
}

/// What the connection was told, where something was.
pub(super) fn settings(connection: &Connection) -> Result<Vec<(String, i64)>> {
    let ask = |name: &str| connection.pragma_query_value(None, name, |row| row.get(0));
    SETTINGS.iter().map(|name| Ok(((*name).to_owned(), ask(name)?))).collect()
}

/// Tells a connection what one before it was told.
pub(super) fn apply(connection: &Connection, facts: &Facts) -> Result<()> {
    for (name, value) in &facts.settings {
        // Some answer with what they are now.
        connection.pragma_update_and_check(None, name, value, |_| Ok(())).or_else(|error| match error {
            Error::QueryReturnedNoRows => Ok(()),
            error => Err(error),
        })?;
    }
    // SAFETY: the connection is open.
    unsafe { ffi::sqlite3_set_last_insert_rowid(connection.handle(), facts.last_row) };
    Ok(())
}

/// Whether there is anything that goes with the connection. None: that can't be told now.
pub(super) fn has_temporary(connection: &Connection) -> Option<bool> {
    let count = connection.query_row("SELECT count(*) FROM temp.sqlite_schema", [], |row| row.get::<_, u32>(0));
    count.ok().map(|count| count > 0)
}
