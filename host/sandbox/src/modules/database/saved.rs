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
use rusqlite::types::ToSql;
use rusqlite::{Connection, Error, MAIN_DB, Result, TransactionState, ffi};
use serde::{Deserialize, Serialize};

use super::memory::Account;
use super::operation::{Deadline, Operation};

/// What a snapshot takes along of all databases in memory, bytes.
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

impl Content {
    /// Bytes that it takes of [`CONTENT_BYTES_MAX`].
    pub(super) fn len(&self) -> usize {
        match self {
            Content::Memory(text) => text.len() / 4 * 3 - text.bytes().rev().take_while(|byte| *byte == b'=').count(),
            Content::File | Content::Lost => 0,
        }
    }
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

/// All of its pages, bytes.
pub(super) fn size(connection: &Connection) -> Option<usize> {
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
        // Not by its number, which would be a boolean.
        let fast = name == "secure_delete" && *value == 2;
        let value: &dyn ToSql = if fast { &"fast" } else { value };
        // Some answer with what they are now.
        match connection.pragma_update_and_check(None, name, value, |_| Ok(())) {
            Ok(()) | Err(Error::QueryReturnedNoRows) => {}
            Err(error) => return Err(error),
        }
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

#[cfg(test)]
mod tests {
    //! Databases that go from one process to another.
    use std::sync::Arc;
    use std::time::Instant;

    use model::Limits;

    use super::CONTENT_BYTES_MAX;
    use crate::host::Surroundings;
    use crate::modules::database::*;
    use crate::sandbox::Setup;

    fn host(dir: &Path) -> Host {
        let root = Root::open(dir).unwrap();
        Host::new(Setup::new(Limits::default(), Some(root)), &[], Arc::default(), Surroundings::default()).unwrap()
    }

    /// Through what a file would hold.
    fn moved(from: &Host, dir: &Path) -> Host {
        let text = serde_json::to_vec(&from.save_states()).unwrap();
        let mut to = host(dir);
        to.restore_states(serde_json::from_slice(&text).unwrap());
        to
    }

    fn deadline() -> Deadline {
        Deadline {
            wall_end: Instant::now() + Duration::from_secs(20),
            cpu_left: Duration::from_secs(20),
            ..Deadline::grace()
        }
    }

    fn open(host: &mut Host, dsn: &str) -> u32 {
        host.state::<Databases>().unwrap().open(dsn, &deadline()).unwrap()
    }

    fn with<T>(host: &mut Host, handle: u32, work: impl FnOnce(&mut Live) -> Answer<T>) -> Answer<T> {
        host.state::<Databases>()?.get(handle, &deadline())?.now(&deadline(), work)
    }

    fn run(host: &mut Host, handle: u32, sql: &str) -> Answer<()> {
        with(host, handle, |live| live.run(sql, &Parameters::Positional(Vec::new())).map(drop))
    }

    fn ask(host: &mut Host, handle: u32, sql: &str) -> Answer<Vec<i64>> {
        let rows = with(host, handle, |live| live.query(sql, &Parameters::Positional(Vec::new()), 1_000))?;
        let number = |cell| if let values::Value::Integer(number) = cell { number } else { panic!("{cell:?}") };
        Ok(rows.cells.into_iter().map(number).collect())
    }

    fn code<T: std::fmt::Debug>(answer: Answer<T>) -> String {
        answer.unwrap_err().code
    }

    #[test]
    fn a_file_goes_on_with_what_its_connection_was_told() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = host(dir.path());
        let handle = open(&mut first, "a.db");
        run(&mut first, handle, "CREATE TABLE t(a INTEGER PRIMARY KEY); INSERT INTO t VALUES (41)").unwrap();
        run(&mut first, handle, "CREATE TABLE u(a REFERENCES t(a))").unwrap();
        run(&mut first, handle, "PRAGMA foreign_keys = ON; PRAGMA synchronous = OFF; PRAGMA secure_delete = FAST")
            .unwrap();
        assert_eq!(first.pins(), None);

        // It may travel on without being used in between.
        let mut last = moved(&moved(&first, dir.path()), dir.path());
        drop(first);
        assert_eq!(code(run(&mut last, handle, "INSERT INTO u VALUES (1)")), "SQLITE_CONSTRAINT_FOREIGNKEY");
        assert_eq!(ask(&mut last, handle, "PRAGMA synchronous").unwrap(), [0]);
        assert_eq!(ask(&mut last, handle, "PRAGMA secure_delete").unwrap(), [2]);
        assert_eq!(ask(&mut last, handle, "SELECT a, last_insert_rowid() FROM t").unwrap(), [41, 41]);
        assert_eq!(open(&mut last, ":memory:"), handle + 1);
        assert_eq!(code(ask(&mut last, 7, "SELECT 1")), "SQLITE_MISUSE");
    }

    #[test]
    fn settings_are_known_again_after_a_second_journey() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = host(dir.path());
        let handle = open(&mut first, "a.db");
        run(&mut first, handle, "PRAGMA recursive_triggers = ON; PRAGMA query_only = ON").unwrap();
        let mut second = moved(&first, dir.path());
        assert_eq!(ask(&mut second, handle, "PRAGMA recursive_triggers").unwrap(), [1]);
        let mut third = moved(&second, dir.path());
        assert_eq!(ask(&mut third, handle, "PRAGMA recursive_triggers").unwrap(), [1]);
        assert_eq!(ask(&mut third, handle, "PRAGMA query_only").unwrap(), [1]);
    }

    #[test]
    fn a_file_that_is_gone_is_not_made_again() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = host(dir.path());
        let handle = open(&mut first, "a.db");
        run(&mut first, handle, "CREATE TABLE t(a)").unwrap();
        let mut second = moved(&first, dir.path());
        drop(first);
        std::fs::rename(dir.path().join("a.db"), dir.path().join("b.db")).unwrap();
        assert_eq!(code(ask(&mut second, handle, "SELECT 1")), "SQLITE_CANTOPEN");
        assert!(!dir.path().join("a.db").exists());
        std::fs::rename(dir.path().join("b.db"), dir.path().join("a.db")).unwrap();
        assert_eq!(ask(&mut second, handle, "SELECT count(*) FROM t").unwrap(), [0]);
    }

    #[test]
    fn a_transaction_pins_and_its_loss_is_told_once() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = host(dir.path());
        let handle = open(&mut first, "a.db");
        run(&mut first, handle, "CREATE TABLE t(a); BEGIN; INSERT INTO t VALUES (1)").unwrap();
        assert!(first.pins().is_some());
        let mut second = moved(&first, dir.path());
        drop(first);
        let transaction =
            |host: &mut Host| host.state::<Databases>().unwrap().transaction(handle, &deadline()).unwrap();
        assert_eq!(second.pins(), None);
        assert_ne!(transaction(&mut second), 0);
        let mut third = moved(&second, dir.path());
        assert_eq!(code(run(&mut third, handle, "INSERT INTO t VALUES (2)")), "TRANSACTION_LOST");
        assert_eq!(transaction(&mut third), 0);
        assert_eq!(ask(&mut third, handle, "SELECT count(*) FROM t").unwrap(), [0]);
        run(&mut third, handle, "INSERT INTO t VALUES (3)").unwrap();
        assert_eq!(ask(&mut moved(&third, dir.path()), handle, "SELECT a FROM t").unwrap(), [3]);
    }

    #[test]
    fn an_iterator_pins_and_is_interrupted() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = host(dir.path());
        let handle = open(&mut first, "a.db");
        let cursor = |host: &mut Host| {
            with(host, handle, |live| live.cursor("SELECT 1", &Parameters::Positional(Vec::new()))).unwrap()
        };
        let lost = cursor(&mut first);
        assert!(first.pins().is_some());
        let mut second = moved(&first, dir.path());
        let own = cursor(&mut second);
        assert_ne!(lost, own);
        assert_eq!(code(with(&mut second, handle, |live| live.fetch(lost))), "INTERRUPTED");
        assert!(with(&mut second, handle, |live| live.fetch(own)).unwrap().done);
    }

    #[test]
    fn temporary_tables_pin_and_their_loss_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = host(dir.path());
        let handle = open(&mut first, "a.db");
        // Compiled before it runs: the second time nobody is asked.
        with(&mut first, handle, |live| live.describe("CREATE TEMP TABLE t(a)")).unwrap();
        assert_eq!(first.pins(), None);
        run(&mut first, handle, "CREATE TEMP TABLE t(a)").unwrap();
        assert!(first.pins().is_some());
        let mut second = moved(&first, dir.path());
        assert_eq!(code(ask(&mut second, handle, "SELECT 1")), "TEMPORARY_LOST");
        assert_eq!(ask(&mut second, handle, "SELECT 1").unwrap(), [1]);
        run(&mut first, handle, "DROP TABLE t").unwrap();
        assert_eq!(first.pins(), None);
    }

    #[test]
    fn a_small_database_in_memory_travels() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = host(dir.path());
        let (empty, handle) = (open(&mut first, ":memory:"), open(&mut first, ":memory:"));
        run(&mut first, handle, "CREATE TABLE t(a); INSERT INTO t VALUES (1); PRAGMA user_version = 9").unwrap();
        let mut second = moved(&first, dir.path());
        run(&mut second, empty, "CREATE TABLE t(a)").unwrap();
        run(&mut second, handle, "INSERT INTO t VALUES (2)").unwrap();
        run(&mut second, handle, "PRAGMA user_version = 10").unwrap();
        let mut third = moved(&second, dir.path());
        assert_eq!(ask(&mut third, empty, "SELECT count(*) FROM t").unwrap(), [0]);
        assert_eq!(ask(&mut third, handle, "SELECT sum(a) FROM t").unwrap(), [3]);
        assert_eq!(ask(&mut third, handle, "PRAGMA user_version").unwrap(), [10]);
        run(&mut third, handle, "INSERT INTO t SELECT 1 FROM t").unwrap();
        assert_eq!(
            ask(&mut third, handle, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'")
                .unwrap(),
            [1]
        );
    }

    #[test]
    fn what_was_committed_before_a_transaction_in_memory_is_kept_if_it_was_saved_then() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = host(dir.path());
        let handle = open(&mut first, ":memory:");
        run(&mut first, handle, "CREATE TABLE t(a)").unwrap();
        drop(first.save_states());
        run(&mut first, handle, "BEGIN; INSERT INTO t VALUES (1)").unwrap();
        let mut second = moved(&first, dir.path());
        assert_eq!(code(ask(&mut second, handle, "SELECT 1")), "TRANSACTION_LOST");
        assert_eq!(ask(&mut second, handle, "SELECT count(*) FROM t").unwrap(), [0]);

        run(&mut first, handle, "COMMIT; BEGIN; INSERT INTO t VALUES (2)").unwrap();
        let mut third = moved(&first, dir.path());
        for _ in 0..2 {
            assert_eq!(code(ask(&mut third, handle, "SELECT 1")), "DATABASE_LOST");
        }
    }

    #[test]
    fn a_large_database_in_memory_pins_and_its_loss_is_told() {
        const PAGE: usize = 4_096;
        let dir = tempfile::tempdir().unwrap();
        let mut first = host(dir.path());
        let handle = open(&mut first, ":memory:");
        run(&mut first, handle, "CREATE TABLE t(a)").unwrap();
        // A page for each row, and those of the tree above them.
        let rows = CONTENT_BYTES_MAX / PAGE;
        let fill = format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) INSERT INTO t SELECT zeroblob(3900) FROM n",
            rows - 20
        );
        run(&mut first, handle, &fill).unwrap();
        let pages = |host: &mut Host| usize::try_from(ask(host, handle, "PRAGMA page_count").unwrap()[0]).unwrap();
        while pages(&mut first) < rows {
            assert_eq!(first.pins(), None);
            run(&mut first, handle, "INSERT INTO t VALUES (zeroblob(3900))").unwrap();
        }
        assert_eq!((pages(&mut first), first.pins()), (rows, None));
        let mut second = moved(&first, dir.path());
        assert_eq!(pages(&mut second), rows);
        assert_eq!(ask(&mut second, handle, "SELECT count(*) FROM t WHERE length(a) = 3900").unwrap().len(), 1);

        while pages(&mut second) == rows {
            run(&mut second, handle, "INSERT INTO t VALUES (zeroblob(3900))").unwrap();
        }
        assert!(second.pins().is_some());
        let mut third = moved(&second, dir.path());
        for _ in 0..2 {
            assert_eq!(code(ask(&mut third, handle, "SELECT 1")), "DATABASE_LOST");
        }
        assert_eq!(code(ask(&mut moved(&third, dir.path()), handle, "SELECT 1")), "DATABASE_LOST");
        assert_eq!(open(&mut third, ":memory:"), handle + 1);
    }

    #[test]
    fn what_is_no_snapshot_of_ours_is_refused_and_stays_refused() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = host(dir.path());
        let handle = open(&mut first, "a.db");
        run(&mut first, handle, "PRAGMA foreign_keys = ON").unwrap();
        let good = first.save_states();
        let restored = |change: &dyn Fn(&mut serde_json::Value)| {
            let mut states = good.clone();
            change(&mut states.get_mut("database").unwrap()["open"][handle.to_string()]);
            let mut host = host(dir.path());
            host.restore_states(states);
            let answers = [(), ()].map(|()| ask(&mut host, handle, "SELECT 1").map_err(|failure| failure.code));
            assert_eq!(answers[0], answers[1]);
            answers[0].clone()
        };
        assert_eq!(restored(&|_| ()), Ok(vec![1]));
        let refused = Err("INTERNAL".to_owned());
        assert_eq!(restored(&|open| open["content"] = serde_json::json!({"memory": "AAAA"})), refused);
        assert_eq!(restored(&|open| open["dsn"] = "x".repeat(10_000).into()), refused);
        assert_eq!(restored(&|open| open["facts"]["settings"][0][0] = "journal_mode".into()), refused);
        assert_eq!(restored(&|open| *open = serde_json::Value::Null), refused);
        assert_eq!(restored(&|open| open["dsn"] = "../a.db".into()), Err("SQLITE_CANTOPEN".to_owned()));
    }
}
