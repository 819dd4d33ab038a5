//! Opening the file: lock, connection settings, migrations, and the clean-up after a crash.
use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use model::{ErrorCode, Timestamp};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, ToSql, TransactionBehavior, params};

use crate::{Check, OpenError, Options, Synchronous, executions, wal};

/// The schema, a file a version. Files are never edited once released: a change is a new one at the end.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_init.sql"),
    include_str!("migrations/0002_contract.sql"),
    include_str!("migrations/0003_kv.sql"),
    include_str!("migrations/0004_secrets.sql"),
    include_str!("migrations/0005_durable.sql"),
];

/// `vmsy`, in SQLite's header: tells our files from those of other programs.
const APPLICATION_ID: i32 = 0x766d_7379;

/// How long a connection waits for another's lock. Only a person's `sqlite3` shell can hold one.
const BUSY: Duration = Duration::from_secs(5);

/// Prepared statements that a connection keeps; there are fewer texts in this crate.
const STATEMENTS_MAX: usize = 128;

/// Takes the lock that keeps a second server off the database. The kernel frees it when the process dies, so the file
/// itself stays and means nothing.
pub(crate) fn lock(database: &Path) -> Result<File, OpenError> {
    let mut name = OsString::from(database);
    name.push("-lock");
    let path = PathBuf::from(name);
    let io = |source| OpenError::Io { path: path.clone(), source };
    let file =
        private(OpenOptions::new().read(true).write(true).create(true).truncate(false)).open(&path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked(path)),
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

/// Rows hold other people's code: new files are the owner's alone. SQLite gives its `-wal` the mode of the database.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

pub(crate) fn connect_writer(options: &Options) -> Result<Connection, OpenError> {
    let path = &options.path;
    private(OpenOptions::new().read(true).write(true).create(true).truncate(false))
        .open(path)
        .map_err(|source| OpenError::Io { path: path.clone(), source })?;
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let synchronous = match options.synchronous {
        Synchronous::Full => "FULL",
        Synchronous::Normal => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", synchronous).map_err(|source| sqlite(path, source))?;
    Ok(connection)
}

pub(crate) fn connect_reader(path: &Path) -> Result<Connection, OpenError> {
    connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

/// To read a database that this process has not opened as its own.
pub(crate) fn connect_ours(path: &Path) -> Result<Connection, OpenError> {
    let connection = connect_reader(path)?;
    let application = connection.pragma_query_value(None, "application_id", |row| row.get::<_, i64>(0));
    if application.map_err(|source| sqlite(path, source))? != i64::from(APPLICATION_ID) {
        return Err(OpenError::Foreign(path.to_owned()));
    }
    Ok(connection)
}

/// Settings that every connection needs are made here, so that none can lack one.
fn connect(path: &Path, mode: OpenFlags) -> Result<Connection, OpenError> {
    let open = || {
        let connection = Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "foreign_keys", true)?;
        // A stored schema could be made to call functions; ours never does.
        connection.pragma_update(None, "trusted_schema", false)?;
        // No plan hangs on the values it is bound to, so none is made anew when they change.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        Ok(connection)
    };
    open().map_err(|source| sqlite(path, source))
}

/// The first statement that looks into a damaged file may find that out.
fn sqlite(path: &Path, source: rusqlite::Error) -> OpenError {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseCorrupt) => OpenError::Damaged { path, found: source.to_string() },
        _ => OpenError::Sqlite { path, source },
    }
}

/// Gigabytes where there are many sessions, and under seals of their own.
const BODIES: &str = "checkpoint_bodies";
/// The schema itself, and every table that has pages but one.
const QUICKLY: &str = "SELECT 'sqlite_schema' UNION ALL
    SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 AND name <> ?1";
/// Faults that are told.
const FOUND_MAX: u32 = 8;

/// The faults that one of SQLite's checks finds.
fn look_over(connection: &Connection, check: &str, what: &dyn ToSql) -> rusqlite::Result<Vec<String>> {
    let mut found = Vec::new();
    connection.pragma(None, check, what, |row| {
        found.push(row.get::<_, String>(0)?);
        Ok(())
    })?;
    found.retain(|line| line != "ok");
    Ok(found)
}

/// Looks for commits that SQLite would leave out without a word. Where a commit does not wait for the disk, a power cut may leave
/// the same.
pub(crate) fn check_log(options: &Options) -> Result<(), OpenError> {
    if options.check == Check::Off || options.synchronous != Synchronous::Full {
        return Ok(());
    }
    let mut name = options.path.clone().into_os_string();
    name.push("-wal");
    let path = PathBuf::from(name);
    match wal::lost_commits(&path) {
        Ok(false) => Ok(()),
        Ok(true) => {
            let found = "commits lie behind a part that does not fit; --integrity-check off goes on without them";
            Err(OpenError::Damaged { path, found: found.to_owned() })
        }
        Err(source) => Err(OpenError::Io { path, source }),
    }
}

/// Looks for damage before anything is done with the file.
pub(crate) fn check(connection: &Connection, check: Check) -> Result<(), OpenError> {
    let path = PathBuf::from(connection.path().unwrap_or_default());
    let started = Instant::now();
    let look = || -> rusqlite::Result<Vec<String>> {
        match check {
            Check::Off => Ok(Vec::new()),
            Check::Full => look_over(connection, "integrity_check", &FOUND_MAX),
            Check::Quick => {
                let mut statement = connection.prepare(QUICKLY)?;
                let tables: Vec<String> = statement.query_map([BODIES], |row| row.get(0))?.collect::<Result<_, _>>()?;
                let mut found = Vec::new();
                for table in tables {
                    found.extend(look_over(connection, "quick_check", &table)?);
                }
                Ok(found)
            }
        }
    };
    let damaged = |found: String| OpenError::Damaged { path: path.clone(), found };
    let mut found = look().map_err(|error| damaged(error.to_string()))?;
    found.truncate(FOUND_MAX as usize);
    if !found.is_empty() {
        return Err(damaged(found.join("; ")));
    }
    let elapsed = started.elapsed();
    if elapsed > Duration::from_secs(1) {
        tracing::info!(seconds = elapsed.as_secs_f32(), "looked the database over; --integrity-check off skips that");
    }
    Ok(())
}

/// `VACUUM INTO` reads one snapshot, whatever is written meanwhile, and takes the write-ahead log into account.
pub(crate) fn backup(path: &Path, to: &Path) -> Result<(), OpenError> {
    let io = |path: &Path, source| OpenError::Io { path: path.to_owned(), source };
    std::fs::metadata(path).map_err(|source| io(path, source))?;
    // Ours alone from the first byte; SQLite writes into an empty file as into a new one.
    private(OpenOptions::new().write(true).create_new(true)).open(to).map_err(|source| io(to, source))?;
    let copy = || {
        let connection = connect_ours(path)?;
        let text = to.to_str().ok_or_else(|| io(to, std::io::Error::other("the path is not UTF-8")))?;
        let copied = connection.execute("VACUUM INTO ?1", [text]);
        copied.map_err(|source| OpenError::Sqlite { path: to.to_owned(), source })?;
        File::open(to).and_then(|file| file.sync_all()).map_err(|source| io(to, source))
    };
    copy().inspect_err(|_| drop(std::fs::remove_file(to)))
}

/// Brings the schema up to date in one transaction: it is all there or untouched.
pub(crate) fn migrate(connection: &mut Connection) -> Result<(), OpenError> {
    // A table that is made anew would take what refers to it along. The setting can't be changed in a transaction.
    let enforce = |connection: &Connection, on: bool| {
        let set = connection.pragma_update(None, "foreign_keys", on);
        set.map_err(|source| OpenError::Prepare { doing: "bring the database's schema up to date", source })
    };
    enforce(connection, false)?;
    let migrated = apply(connection);
    enforce(connection, true)?;
    migrated
}

fn apply(connection: &mut Connection) -> Result<(), OpenError> {
    let prepare = |source| OpenError::Prepare { doing: "bring the database's schema up to date", source };
    let path = PathBuf::from(connection.path().unwrap_or_default());
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let has_tables = |c: &Connection| {
        c.query_row("SELECT count(*) > 0 FROM sqlite_schema", [], |row| row.get::<_, bool>(0)).map_err(prepare)
    };
    // Lets deleted rows give their room back without rewriting the file. A file that has tables it would change in vain, also one
    // that is refused below.
    if !has_tables(connection)? {
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL").map_err(prepare)?;
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(prepare)?;
    let number = |pragma| transaction.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0)).map_err(prepare);
    let (found, application) = (number("user_version")?, number("application_id")?);
    let fresh = !has_tables(&transaction)? && found == 0 && application == 0;
    if !fresh && application != i64::from(APPLICATION_ID) {
        return Err(OpenError::Foreign(path));
    }
    if found > known {
        return Err(OpenError::TooNew { found, known });
    }
    for sql in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        transaction.execute_batch(sql).map_err(prepare)?;
    }
    if found < known {
        let dangling = transaction.prepare("PRAGMA foreign_key_check").and_then(|mut check| check.exists([]));
        if dangling.map_err(prepare)? {
            return Err(OpenError::Damaged { path, found: "a row refers to one that is not there".into() });
        }
        transaction.pragma_update(None, "user_version", known).map_err(prepare)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(prepare)?;
    }
    transaction.commit().map_err(prepare)
}

/// After the migration, so that a file that is refused is not changed.
pub(crate) fn use_wal(connection: &Connection) -> Result<(), OpenError> {
    let wal = || {
        let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
        if mode != "wal" {
            tracing::warn!(mode, "this file system has no shared memory: the database is not in WAL mode");
        }
        connection.pragma_update(None, "journal_size_limit", 64 << 20)
    };
    wal().map_err(|source| OpenError::Prepare { doing: "switch the database to WAL", source })
}

/// Heaps of sessions that end with the server: those that others were forked from stay for them. The index `sessions_fleeting`
/// leads to these sessions, however many there are that stay.
const RELEASE_FLEETING: &str = "UPDATE checkpoints SET session = NULL WHERE session IN
    (SELECT key FROM sessions WHERE status = 'ready' AND durability = 'none')";
const CLOSE_FLEETING: &str = "UPDATE sessions SET status = 'closed', closed_at = max(?1, created_at),
    last_error = 'the server stopped', head = NULL, wake_at = NULL WHERE status = 'ready' AND durability = 'none'";
const RELEASE_STARTING: &str = "UPDATE checkpoints SET session = NULL WHERE session IN
    (SELECT key FROM sessions WHERE tenant IN (SELECT id FROM tenants) AND status = 'starting')";
const CRASH_STARTING: &str = "UPDATE sessions SET status = 'crashed', head = NULL, wake_at = NULL,
    last_error = 'the server stopped while this session started'
    WHERE tenant IN (SELECT id FROM tenants) AND status = 'starting'";

/// What was live when the last server died is settled, so that nothing half-done is shown as going on.
pub(crate) fn recover(connection: &mut Connection, now: Timestamp) -> Result<(), OpenError> {
    let died = executions::exception(ErrorCode::Interrupted, "the server stopped while this ran");
    let died = serde_json::to_string(&died).unwrap_or_default();
    let now = now.as_micros();
    let mut settle = || {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let executions = transaction.execute(
            "UPDATE executions SET status = 'interrupted', ended_at = max(?1, started_at), error = ?2 WHERE status = 'running'",
            params![now, died],
        )?;
        // The index begins with the tenant, and all of them are meant.
        transaction.execute(RELEASE_STARTING, [])?;
        let crashed = transaction.execute(CRASH_STARTING, [])?;
        transaction.execute(RELEASE_FLEETING, [])?;
        let closed = transaction.execute(CLOSE_FLEETING, params![now])?;
        transaction.commit()?;
        Ok((executions, crashed + closed))
    };
    let (executions, sessions) =
        settle().map_err(|source| OpenError::Prepare { doing: "settle what the last server left", source })?;
    if executions + sessions > 0 {
        tracing::info!(executions, sessions, "settled what the last server left");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Store;

    fn scratch() -> (tempfile::TempDir, Options) {
        let dir = tempfile::tempdir().unwrap();
        let options = Options::new(dir.path().join("test.db"));
        (dir, options)
    }

    fn open(options: &Options) -> Result<Store, OpenError> {
        Store::open(options, Timestamp::from_micros(1_000_000))
    }

    /// The schema in full. After a deliberate change: `UPDATE_GOLDEN=1 cargo test -p store`.
    #[test]
    fn the_schema_is_the_golden_one() {
        let (_dir, options) = scratch();
        let mut connection = connect_writer(&options).unwrap();
        migrate(&mut connection).unwrap();
        let mut statement =
            connection.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type DESC, name").unwrap();
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        let mut schema = format!("-- Schema {} as SQLite has it after all migrations.\n", MIGRATIONS.len());
        for sql in rows {
            schema += &format!("\n{};\n", sql.unwrap());
        }
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/schema.golden.sql");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&golden, &schema).unwrap();
        }
        assert_eq!(schema, std::fs::read_to_string(&golden).unwrap(), "the schema has changed");
    }

    #[test]
    fn every_table_has_a_tenant() {
        let (_dir, options) = scratch();
        let mut connection = connect_writer(&options).unwrap();
        migrate(&mut connection).unwrap();
        let missing: Vec<String> = connection
            .prepare(
                "SELECT t.name FROM sqlite_schema t WHERE t.type = 'table' AND t.name <> 'tenants' AND NOT EXISTS
                 (SELECT 1 FROM pragma_table_info(t.name) c WHERE c.name = 'tenant' AND c.\"notnull\" = 1)",
            )
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert_eq!(missing, Vec::<String>::new());
    }

    #[test]
    fn a_newer_schema_is_refused_and_left_alone() {
        let (_dir, options) = scratch();
        drop(open(&options).unwrap());
        let raw = Connection::open(&options.path).unwrap();
        raw.pragma_update(None, "user_version", 99).unwrap();
        drop(raw);
        let error = open(&options).err().unwrap();
        assert!(matches!(error, OpenError::TooNew { found: 99, .. }), "{error}");
        assert!(error.to_string().contains("newer vm-system"), "{error}");
        let raw = Connection::open(&options.path).unwrap();
        assert_eq!(raw.pragma_query_value(None, "user_version", |r| r.get::<_, i64>(0)).unwrap(), 99);
    }

    #[test]
    fn a_database_of_another_program_is_refused_and_left_alone() {
        let (_dir, options) = scratch();
        let raw = Connection::open(&options.path).unwrap();
        raw.execute_batch("CREATE TABLE vm (id TEXT)").unwrap();
        drop(raw);
        let before = std::fs::read(&options.path).unwrap();
        let error = open(&options).err().unwrap();
        assert!(matches!(error, OpenError::Foreign(_)), "{error}");
        assert_eq!(before, std::fs::read(&options.path).unwrap());
    }

    #[test]
    fn damage_is_found_before_anything_is_written() {
        let (_dir, options) = scratch();
        drop(open(&options).unwrap());
        let mut bytes = std::fs::read(&options.path).unwrap();
        let page = 4_096;
        for at in (page..bytes.len()).step_by(page) {
            bytes[at..at + 64].fill(0xa5);
        }
        std::fs::write(&options.path, &bytes).unwrap();
        let error = open(&options).err().unwrap();
        assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains("backup"), "{error}");
        assert_eq!(std::fs::read(&options.path).unwrap(), bytes);
    }

    /// A database as each older version wrote it, brought up to date.
    #[test]
    fn every_older_schema_becomes_the_newest() {
        for version in 1..MIGRATIONS.len() {
            let (_dir, options) = scratch();
            let raw = Connection::open(&options.path).unwrap();
            for sql in &MIGRATIONS[..version] {
                raw.execute_batch(sql).unwrap();
            }
            raw.pragma_update(None, "user_version", version as i64).unwrap();
            raw.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
            raw.execute_batch(
                "INSERT INTO templates (tenant, id, name, engine, is_active, settings, created_at, updated_at)
                 VALUES (zeroblob(16), randomblob(16), 'old', 'goja', 1, '{}', 1, 1);
                 INSERT INTO template_modules (tenant, template, name) VALUES (zeroblob(16), 1, 'fs')",
            )
            .unwrap();
            drop(raw);
            drop(open(&options).unwrap());
            let raw = Connection::open(&options.path).unwrap();
            let read = |sql: &str| raw.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
            assert_eq!(read("SELECT name FROM templates"), "old");
            assert_eq!(read("SELECT name || config FROM template_modules"), "fs{}");
        }
    }

    /// An empty database as version 4 made it.
    fn version_4() -> (tempfile::TempDir, Options, Connection) {
        let (dir, options) = scratch();
        let raw = Connection::open(&options.path).unwrap();
        for sql in &MIGRATIONS[..4] {
            raw.execute_batch(sql).unwrap();
        }
        raw.pragma_update(None, "user_version", 4).unwrap();
        raw.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        (dir, options, raw)
    }

    /// Version 4 with rows in every table: a table is made anew, and nothing that refers to it is lost.
    #[test]
    fn rows_of_version_4_are_all_there_in_version_5() {
        let (_dir, options, raw) = version_4();
        raw.execute_batch(
            "PRAGMA foreign_keys = ON;
             INSERT INTO templates VALUES (1, zeroblob(16), randomblob(16), 't', 'goja', 1, '{}', 1, 1);
             INSERT INTO template_modules VALUES (1, zeroblob(16), 1, 'fs', '{\"a\":1}');
             INSERT INTO template_libraries VALUES (1, zeroblob(16), 1, 'l');
             INSERT INTO template_startup_files VALUES (1, zeroblob(16), randomblob(16), 1, 'p', 0, 'eval');
             INSERT INTO template_capabilities VALUES (1, zeroblob(16), randomblob(16), 1, 'fs', 'c', 1, '{}');
             INSERT INTO idempotency_keys VALUES (1, zeroblob(16), 'k', randomblob(32), 1, NULL, NULL, NULL);
             INSERT INTO kv_namespaces VALUES (1, zeroblob(16), 'n', 65, 1);
             INSERT INTO kv_entries VALUES (1, zeroblob(16), 1, 'e', 1, x'31', 1, NULL);
             INSERT INTO secrets VALUES (1, zeroblob(16), 's', '[]', x'00', 1, 1);
             INSERT INTO sessions VALUES
              (1, zeroblob(16), randomblob(16), randomblob(16), 'w', 'c', '/', 'closed', 1, 2, NULL, '{}'),
              (2, zeroblob(16), randomblob(16), randomblob(16), 'w', 'c', '/', 'ready', 3, NULL, NULL, NULL),
              (3, zeroblob(16), randomblob(16), randomblob(16), 'w', 'c', '/', 'starting', 4, NULL, NULL, NULL);
             INSERT INTO executions VALUES
              (5, zeroblob(16), randomblob(16), 1, 'repl', 'i', NULL, '[]', '{}', 'ok', 1, 2, '1', NULL, '{\"m\":1}'),
              (7, zeroblob(16), randomblob(16), 2, 'run_file', NULL, 'p', '[]', '{}', 'running', 3, NULL, NULL, NULL, '{}');
             INSERT INTO event_chunks VALUES (1, zeroblob(16), 5, 1, 2, 'b'), (2, zeroblob(16), 7, 1, 1, 'c');",
        )
        .unwrap();
        let tables = |c: &Connection| -> Vec<String> {
            let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
            c.prepare(sql).unwrap().query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        // Every row as text, with the columns that version 4 had.
        let rows = |c: &Connection, table: &str, columns: &[String]| -> Vec<String> {
            let quoted: Vec<String> = columns.iter().map(|name| format!("quote({name})")).collect();
            let sql = format!("SELECT {} FROM {table} ORDER BY 1", quoted.join(" || ',' || "));
            c.prepare(&sql).unwrap().query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        let columns = |c: &Connection, table: &str| -> Vec<String> {
            let sql = format!("SELECT name FROM pragma_table_info('{table}') ORDER BY cid");
            c.prepare(&sql).unwrap().query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        let before: Vec<_> = tables(&raw)
            .into_iter()
            .map(|table| {
                let columns = columns(&raw, &table);
                let rows = rows(&raw, &table, &columns);
                assert!(!rows.is_empty(), "a row of {table}");
                (table, columns, rows)
            })
            .collect();
        drop(raw);

        let mut connection = connect_writer(&options).unwrap();
        migrate(&mut connection).unwrap();
        for (table, columns, expected) in before {
            assert_eq!(rows(&connection, &table, &columns), expected, "{table}");
        }
        assert_eq!(connection.pragma_query_value(None, "foreign_keys", |r| r.get::<_, i64>(0)).unwrap(), 1);
        let added: Vec<String> =
            ["durability", "seq", "recipe", "head", "wake_at"].iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(rows(&connection, "sessions", &added), ["'none',0,NULL,NULL,NULL"; 3]);

        recover(&mut connection, Timestamp::from_micros(9)).unwrap();
        let states = |sql: &str| -> Vec<String> {
            connection.prepare(sql).unwrap().query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        assert_eq!(states("SELECT status FROM sessions ORDER BY key"), ["closed", "closed", "crashed"]);
        let executions = states("SELECT status || coalesce(error ->> '$.code', '') FROM executions ORDER BY key");
        assert_eq!(executions, ["ok", "interruptedINTERRUPTED"]);
        // What refers to the table refers to the new one.
        connection.execute_batch("DELETE FROM executions WHERE key = 5").unwrap();
        assert_eq!(states("SELECT body FROM event_chunks"), ["c"]);
        assert!(connection.execute_batch("INSERT INTO event_chunks VALUES (9, zeroblob(16), 5, 1, 2, '')").is_err());
        drop(connection);
        drop(open(&Options { check: Check::Full, ..options }).unwrap());
    }

    /// A row that refers to nothing is damage, and a migration does not build on it.
    #[test]
    fn a_migration_leaves_no_dangling_rows() {
        let (_dir, options, raw) = version_4();
        raw.execute_batch("PRAGMA foreign_keys = OFF; INSERT INTO event_chunks VALUES (1, zeroblob(16), 5, 1, 2, 'b')")
            .unwrap();
        drop(raw);
        let error = open(&options).err().unwrap();
        assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
        let raw = Connection::open(&options.path).unwrap();
        assert_eq!(raw.pragma_query_value(None, "user_version", |r| r.get::<_, i64>(0)).unwrap(), 4);
    }

    /// What a start reads does not grow with the sessions that stay as they are, nor with their heaps.
    #[test]
    fn a_start_looks_at_no_more_than_it_must() {
        let running = "UPDATE executions SET status = 'interrupted' WHERE status = 'running'";
        for sql in [RELEASE_FLEETING, RELEASE_STARTING, CLOSE_FLEETING, CRASH_STARTING, running] {
            let plan = crate::scratch::plan(sql);
            let fleeting = ["INDEX sessions_fleeting", "INDEX executions_running", "SCAN tenants"];
            let good = |line: &String| !line.contains("SCAN") || fleeting.iter().any(|index| line.contains(index));
            assert!(plan.iter().all(good), "{sql} {plan:#?}");
        }
    }

    /// A checkpoint's body has a seal of its own; damage in it is no reason not to serve the others.
    #[test]
    fn bodies_of_checkpoints_are_not_read_at_the_start() {
        let (_dir, options) = scratch();
        drop(open(&options).unwrap());
        let raw = Connection::open(&options.path).unwrap();
        raw.execute_batch(
            "INSERT INTO recipes VALUES (1, zeroblob(16), zeroblob(32), 'i', '{}');
             INSERT INTO checkpoints VALUES (1, zeroblob(16), zeroblob(16), NULL, NULL, 0, 1, 'run', 1, NULL, 0, 1, 50000, 1);
             INSERT INTO checkpoint_bodies VALUES (1, zeroblob(16), zeroblob(50000));",
        )
        .unwrap();
        let marked = vec![0x5a_u8; 50_000];
        raw.execute("UPDATE checkpoint_bodies SET body = ?1", [&marked]).unwrap();
        drop(raw);
        let mut bytes = std::fs::read(&options.path).unwrap();
        let number = bytes.chunks_exact(4_096).position(|page| page[4..] == marked[..4_092]).unwrap();
        // The number of the body's next page, and what page 2 knows of that: what kind it is and who refers to it.
        bytes[number * 4_096..][..4].fill(0x7f);
        bytes[4_096 + 5 * (number + 2 - 3)..][..5].fill(0);
        std::fs::write(&options.path, &bytes).unwrap();
        let error = open(&Options { check: Check::Full, ..options.clone() }).err().unwrap();
        assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
        drop(open(&options).unwrap());

        // It can't be deleted either, which keeps no other from that, and makes nothing worse.
        let connection = connect_writer(&options).unwrap();
        let found = || look_over(&connection, "integrity_check", &FOUND_MAX).unwrap();
        for key in [0, 2] {
            let sql = "INSERT INTO checkpoints
                       VALUES (?1, zeroblob(16), randomblob(16), NULL, NULL, 0, 1, 'run', 1, NULL, 0, 1, 4, 1)";
            connection.execute(sql, [key]).unwrap();
        }
        let (before, rows) = (found(), "SELECT group_concat(key || ' ' || children) FROM checkpoints");
        assert!(!crate::checkpoints::collect(&connection).unwrap());
        assert_eq!(connection.query_row(rows, [], |row| row.get::<_, String>(0)).unwrap(), "1 1");
        assert_eq!(found(), before);
        assert!(!crate::checkpoints::collect(&connection).unwrap());
    }

    #[test]
    fn a_backup_of_a_database_in_use_is_whole() {
        let (dir, options) = scratch();
        let store = open(&options).unwrap();
        let to = dir.path().join("copy.db");
        crate::backup(&options.path, &to).unwrap();
        assert!(matches!(crate::backup(&options.path, &to), Err(OpenError::Io { .. })), "nothing is overwritten");
        drop(store);
        drop(open(&Options { check: Check::Full, ..Options::new(&to) }).unwrap());

        let foreign = dir.path().join("foreign.db");
        Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE t (n)").unwrap();
        let error = crate::backup(&foreign, &dir.path().join("no.db")).unwrap_err();
        assert!(matches!(error, OpenError::Foreign(_)), "{error}");
        assert!(!dir.path().join("no.db").exists());
        assert!(crate::backup(&dir.path().join("absent.db"), &dir.path().join("no.db")).is_err());
    }

    #[test]
    fn one_database_has_one_server() {
        let (_dir, options) = scratch();
        let first = open(&options).unwrap();
        let error = open(&options).err().unwrap();
        assert!(matches!(error, OpenError::Locked(_)), "{error}");
        drop(first);
        open(&options).unwrap();
    }

    #[test]
    fn every_connection_has_its_settings() {
        let (_dir, options) = scratch();
        let _store = open(&options).unwrap();
        let number = |c: &Connection, pragma| c.pragma_query_value(None, pragma, |r| r.get::<_, i64>(0)).unwrap();
        let writer = connect_writer(&options).unwrap();
        assert_eq!(number(&writer, "synchronous"), 2);
        for connection in [&writer, &connect_reader(&options.path).unwrap()] {
            assert_eq!(number(connection, "foreign_keys"), 1);
            assert_eq!(number(connection, "busy_timeout"), 5_000);
            let mode: String = connection.pragma_query_value(None, "journal_mode", |r| r.get(0)).unwrap();
            assert_eq!(mode, "wal");
        }
    }
}
