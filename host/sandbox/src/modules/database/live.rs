//! One open database: its connection, its cursors, and what is run on it.
use std::collections::BTreeMap;
use std::ffi::CString;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use cap_std::fs::Dir;
use rusqlite::fallible_iterator::FallibleIterator as _;
use rusqlite::{Batch, Connection, OpenFlags, Rows as RawRows, Statement};

use super::memory::Account;
use super::operation::{self, Deadline, Operation};
use super::rules::{self, Denied};
use super::saved::{self, Content, Copied, Facts, Noticed, Saved};
use super::values::{Changes, Described, Parameters, Rows, Value};
use super::{errors, vfs};
use crate::limits::thread_cpu;
use crate::modules::{Answer, Failure, interrupted};

/// Steps of SQLite's between two looks at the clock: some ten microseconds.
const STEPS: i32 = 1_000;
/// How long a statement waits for another connection's lock.
/// Well below what a run has by default: it is told, and not stopped.
pub(super) const BUSY: Duration = Duration::from_secs(2);
/// Longest pause before it looks again.
const BUSY_PAUSE_MAX: Duration = Duration::from_millis(20);
/// Statements that stay compiled.
const STATEMENTS_MAX: usize = 64;
/// What one cell costs an answer beside its text, bytes: so that empty cells are not for free.
const CELL_BYTES: usize = 64;
/// A cursor's part ends after the row that brings it to one of these.
const PART_ROWS_MAX: usize = 500;
const PART_BYTES_MAX: usize = 1 << 20;
/// Cursors that a database may have open.
pub(super) const CURSORS_MAX: usize = 16;

/// Where a database lies.
pub(super) enum Place {
    Memory,
    /// A name in an open directory.
    File {
        dir: Dir,
        name: String,
        writable: bool,
    },
}

/// What bounds it.
#[derive(Clone)]
pub(super) struct Bounds {
    pub(super) account: Arc<Account>,
    pub(super) memory_mb: u32,
    pub(super) size_mb: u32,
    /// Bytes of one answer, and of all that wait to be taken.
    pub(super) answer_bytes_max: usize,
    pub(super) untaken: Untaken,
}

/// Answers of asynchronous calls, until the guest has taken them: a script that never looks would pile them up.
pub(super) type Untaken = Arc<Mutex<Vec<(Weak<Rows>, usize)>>>;

/// One open database. Whoever has it may use it on any thread.
pub(super) struct Live {
    // Cursors go before the connection, the connection before the directory that its file's name goes through.
    cursors: BTreeMap<u32, Cursor>,
    /// Boxed: cursors point to it. None once it is closed.
    connection: Option<Box<Connection>>,
    _dir: Option<Dir>,
    file: Option<Arc<CString>>,
    denied: Denied,
    noticed: Arc<Noticed>,
    /// For who saves it, whoever uses it meanwhile.
    facts: Arc<Mutex<Facts>>,
    /// Of a database in memory.
    copied: Copied,
    bounds: Bounds,
    /// The grant lets its file be read only.
    read_only: bool,
    last_cursor: u32,
    /// The last iterator of another process: up to this number they are gone.
    lost_cursor: u32,
    /// The number of the open transaction, or of the last one.
    transaction: u32,
    open_transaction: bool,
}

/// A statement whose rows are fetched bit by bit.
struct Cursor {
    // Ends before the statement that it steps.
    rows: RawRows<'static>,
    statement: Box<Statement<'static>>,
}

// SAFETY: a cursor is used and dropped only through the `Live` that owns its connection, by one thread at a time; SQLite is
// compiled to be called from any.
unsafe impl Send for Cursor {}

impl Live {
    /// With `saved` it is one that was open in another process.
    pub(super) fn open(place: Place, saved: Option<&Saved>, bounds: Bounds, deadline: &Deadline) -> Answer<Live> {
        if !super::memory::bounded() || !vfs::register() {
            return Err(Failure::new("SQLITE_INTERNAL", "this process can't bound what SQLite takes"));
        }
        let (path, dir, writable) = match place {
            Place::Memory => (":memory:".to_owned(), None, true),
            Place::File { dir, name, writable } => {
                use std::os::fd::AsRawFd as _;
                (format!("/proc/self/fd/{}/{name}", dir.as_raw_fd()), Some(dir), writable)
            }
        };
        let file = match &dir {
            None => None,
            Some(_) => Some(Arc::new(CString::new(path.clone()).map_err(|error| errors::failure(error.into()))?)),
        };
        let mode = match (writable, saved.map(|saved| &saved.content)) {
            (false, _) => OpenFlags::SQLITE_OPEN_READ_ONLY,
            // It was there: an empty one in its place would be another one.
            (true, Some(Content::File)) => OpenFlags::SQLITE_OPEN_READ_WRITE,
            (true, _) => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
        };
        let last_cursor = saved.map_or(0, |saved| saved.facts.last_cursor);
        let mut live = Live {
            cursors: BTreeMap::new(),
            connection: None,
            _dir: dir,
            file,
            denied: Denied::default(),
            noticed: Arc::default(),
            facts: Arc::default(),
            copied: Copied::default(),
            bounds,
            read_only: !writable,
            last_cursor,
            lost_cursor: last_cursor,
            transaction: 0,
            open_transaction: false,
        };
        live.with(deadline, |live| {
            let flags = mode | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags_and_vfs(&path, flags, vfs::NAME)
                .map_err(|error| errors::not_opened(error, live.read_only))?;
            let connection = live.connection.insert(Box::new(connection));
            if let Some(Saved { content: Content::Memory(pages), .. }) = saved {
                saved::fill(connection, pages).map_err(errors::failure)?;
            }
            set_up(connection, &live.denied, &live.noticed, live.bounds.size_mb).map_err(errors::failure)?;
            saved.map_or(Ok(()), |saved| saved::apply(connection, &saved.facts).map_err(errors::failure))
        })?;
        Ok(live)
    }

    pub(super) fn is_in_memory(&self) -> bool {
        self.file.is_none()
    }

    /// What is known of it between two calls.
    pub(super) fn facts(&self) -> Arc<Mutex<Facts>> {
        Arc::clone(&self.facts)
    }

    fn note(&self, connection: &Connection) {
        let mut facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        facts.transaction = !connection.is_autocommit();
        facts.last_row = connection.last_insert_rowid();
        facts.last_cursor = self.last_cursor;
        // They are told while a statement is compiled, so that one that is used again tells nothing.
        if self.noticed.setting.swap(false, Ordering::Relaxed) {
            match saved::settings(connection) {
                Ok(settings) => facts.settings = settings,
                Err(_) => self.noticed.setting.store(true, Ordering::Relaxed),
            }
        }
        if self.noticed.temporary.load(Ordering::Relaxed) {
            facts.temporary = saved::has_temporary(connection).unwrap_or(facts.temporary);
        }
    }

    /// What a snapshot takes along of what is in it.
    pub(super) fn content(&mut self) -> Content {
        if self.file.is_some() {
            return Content::File;
        }
        let operation = Operation::new(&self.bounds.account, None, &Deadline::grace());
        let Live { connection, copied, .. } = self;
        let pages = connection.as_mut().and_then(|connection| operation.during(|| copied.pages(connection)));
        pages.map_or(Content::Lost, Content::Memory)
    }

    /// Does something with it, as an operation of its session.
    pub(super) fn with<T>(&mut self, deadline: &Deadline, work: impl FnOnce(&mut Live) -> Answer<T>) -> Answer<T> {
        let operation = Operation::new(&self.bounds.account, self.file.as_ref(), deadline);
        let answer = operation.during(|| {
            let answer = work(self);
            let open = self.connection.as_ref().is_some_and(|connection| !connection.is_autocommit());
            if open && !self.open_transaction {
                self.transaction = self.transaction.wrapping_add(1).max(1);
            }
            self.open_transaction = open;
            if let Some(connection) = &self.connection {
                self.note(connection);
            }
            answer
        });
        let denied = self.denied.lock().unwrap_or_else(PoisonError::into_inner).take();
        answer.map_err(|failure| errors::explained(failure, &self.bounds, self.read_only, denied))
    }

    /// The same on another thread than the run's, whose CPU time it takes all the same.
    pub(super) fn with_elsewhere<T>(
        &mut self,
        deadline: &Deadline,
        work: impl FnOnce(&mut Live) -> Answer<T>,
    ) -> Answer<T> {
        let began = thread_cpu();
        let answer = self.with(deadline, work);
        let used = u64::try_from(thread_cpu().saturating_sub(began).as_micros()).unwrap_or(u64::MAX);
        deadline.elsewhere.fetch_add(used, Ordering::Relaxed);
        answer
    }

    /// The number of the open transaction, 0 when there is none.
    pub(super) fn transaction(&self) -> u32 {
        if self.open_transaction { self.transaction } else { 0 }
    }

    /// It can't be closed and opened again without a script's noticing, and why. `left`: what a snapshot still takes along of
    /// databases in memory, bytes.
    pub(super) fn pins(&self, left: &mut usize) -> Option<&'static str> {
        if self.open_transaction || !self.cursors.is_empty() {
            return Some("a transaction or an iterator of a database is open");
        }
        if self.facts.lock().unwrap_or_else(PoisonError::into_inner).temporary {
            return Some("a database has temporary tables");
        }
        let connection = self.connection.as_ref().filter(|_| self.file.is_none())?;
        let operation = Operation::new(&self.bounds.account, None, &Deadline::grace());
        let rest = operation.during(|| saved::size(connection)).and_then(|size| left.checked_sub(size));
        *left = rest.unwrap_or(0);
        rest.is_none().then_some("databases in memory are large")
    }

    /// Nothing that is half done goes on.
    pub(super) fn undo(&mut self) {
        let undone = self.with(&Deadline::grace(), |live| {
            live.cursors.clear();
            match &live.connection {
                Some(connection) if !connection.is_autocommit() => {
                    connection.execute_batch("ROLLBACK").map_err(errors::failure)
                }
                _ => Ok(()),
            }
        });
        if let Err(failure) = undone {
            tracing::warn!(%failure, "a guest's transaction was not rolled back");
        }
    }

    /// Closes it; an open transaction is rolled back.
    pub(super) fn close(&mut self) {
        // Closing touches the files as well.
        let closed = self.with(&Deadline::grace(), |live| {
            live.cursors.clear();
            drop(live.connection.take());
            Ok(())
        });
        drop(closed);
    }

    fn connection(&self) -> Answer<&Connection> {
        self.connection.as_deref().ok_or_else(closed)
    }

    pub(super) fn describe(&self, sql: &str) -> Answer<Described> {
        let statement = self.connection()?.prepare_cached(sql).map_err(errors::failure)?;
        let parameters = u32::try_from(statement.parameter_count()).unwrap_or(u32::MAX);
        Ok(Described { columns: columns(&statement), parameters, readonly: statement.readonly() })
    }

    pub(super) fn query(&self, sql: &str, given: &Parameters, rows_max: u32) -> Answer<Rows> {
        let mut statement = self.connection()?.prepare_cached(sql).map_err(errors::failure)?;
        given.bind(&mut statement)?;
        let mut out = Rows { columns: columns(&statement), cells: Vec::new(), done: true };
        let width = out.columns.len();
        let mut bytes = 0;
        let mut left = rows_max;
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(errors::failure)? {
            if left == 0 {
                out.done = false;
                break;
            }
            left -= 1;
            bytes += cells(row, width, &mut out.cells)?;
            if bytes > self.bounds.answer_bytes_max {
                let max = self.bounds.answer_bytes_max;
                let text = format!("the result is larger than {max} bytes: ask for less of it, or use `iterate`");
                return Err(Failure::new("SQLITE_TOOBIG", text));
            }
        }
        Ok(out)
    }

    /// Rows that wait until the guest takes them, where there is room for that.
    pub(super) fn kept(&mut self, ask: impl FnOnce(&mut Live) -> Answer<Rows>) -> Answer<Arc<Rows>> {
        let untaken = Arc::clone(&self.bounds.untaken);
        let lock = || untaken.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting: usize = {
            let mut untaken = lock();
            untaken.retain(|(rows, _)| rows.strong_count() > 0);
            untaken.iter().map(|(_, bytes)| bytes).sum()
        };
        if waiting > self.bounds.answer_bytes_max {
            let text = format!("results of {waiting} bytes wait to be taken: await some calls before making more");
            return Err(Failure::new("ETOOMANY", text));
        }
        let rows = ask(self)?;
        let bytes = rows.cells.iter().map(|cell| CELL_BYTES + cell.len()).sum();
        let rows = Arc::new(rows);
        lock().push((Arc::downgrade(&rows), bytes));
        Ok(rows)
    }

    pub(super) fn run(&self, sql: &str, given: &Parameters) -> Answer<Changes> {
        let connection = self.connection()?;
        let mut affected = 0;
        let mut run = |statement: &mut Statement<'_>| -> Answer<()> {
            let before = connection.total_changes();
            let mut rows = statement.raw_query();
            // What it answers with is nobody's, but it runs to its end.
            while rows.next().map_err(errors::failure)?.is_some() {}
            drop(rows);
            // Statements that change no rows leave the count of the one before.
            if connection.total_changes() != before {
                affected += connection.changes();
            }
            Ok(())
        };
        match connection.prepare_cached(sql) {
            Ok(mut statement) => {
                given.bind(&mut statement)?;
                run(&mut statement)?;
            }
            // Several, or an error, which this finds again: a later statement may need what an earlier one creates.
            Err(_) if given.is_empty() => {
                let mut batch = Batch::new(connection, sql);
                while let Some(mut statement) = batch.next().map_err(errors::failure)? {
                    given.bind(&mut statement)?;
                    run(&mut statement)?;
                }
            }
            Err(error) => return Err(errors::failure(error)),
        }
        Ok(Changes { rows_affected: affected, last_insert_id: connection.last_insert_rowid() })
    }

    pub(super) fn cursor(&mut self, sql: &str, given: &Parameters) -> Answer<u32> {
        if self.cursors.len() >= CURSORS_MAX {
            let text = format!("more than {CURSORS_MAX} iterators of this database are open");
            return Err(Failure::new("ETOOMANY", text));
        }
        let mut statement = Box::new(self.connection()?.prepare(sql).map_err(errors::failure)?);
        given.bind(&mut statement)?;
        // SAFETY: the connection is boxed and outlives every cursor: `close` and `drop` clear them first.
        let mut statement = unsafe { std::mem::transmute::<Box<Statement<'_>>, Box<Statement<'static>>>(statement) };
        let stepped: *mut Statement<'static> = &raw mut *statement;
        // SAFETY: the statement is boxed, and the cursor drops the rows first and touches it in no other way meanwhile.
        let rows = unsafe { (*stepped).raw_query() };
        self.last_cursor = self.last_cursor.wrapping_add(1).max(1);
        self.cursors.insert(self.last_cursor, Cursor { rows, statement });
        Ok(self.last_cursor)
    }

    pub(super) fn fetch(&mut self, id: u32) -> Answer<Rows> {
        let Some(cursor) = self.cursors.get_mut(&id) else {
            return Err(match id <= self.lost_cursor {
                true => interrupted("the iterator"),
                false => Failure::new("SQLITE_MISUSE", "the iterator is closed"),
            });
        };
        let part = cursor.part();
        if part.as_ref().is_ok_and(|part| !part.done) {
            return part;
        }
        self.cursors.remove(&id);
        part
    }

    pub(super) fn close_cursor(&mut self, id: u32) {
        self.cursors.remove(&id);
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.close();
    }
}

impl Cursor {
    fn part(&mut self) -> Answer<Rows> {
        let mut out = Rows { columns: columns(&self.statement), cells: Vec::new(), done: false };
        let width = out.columns.len();
        let (mut rows, mut bytes) = (0, 0);
        while rows < PART_ROWS_MAX && bytes < PART_BYTES_MAX {
            match self.rows.next().map_err(errors::failure)? {
                Some(row) => bytes += cells(row, width, &mut out.cells)?,
                None => {
                    out.done = true;
                    break;
                }
            }
            rows += 1;
        }
        Ok(out)
    }
}

pub(super) fn closed() -> Failure {
    Failure::new("SQLITE_MISUSE", "the database is not open")
}

fn columns(statement: &Statement<'_>) -> Vec<String> {
    statement.column_names().map(str::to_owned).collect()
}

/// Adds a row's cells; what they take.
fn cells(row: &rusqlite::Row<'_>, width: usize, out: &mut Vec<Value>) -> Answer<usize> {
    let mut bytes = width * CELL_BYTES;
    for column in 0..width {
        let value = Value::from(row.get_ref(column).map_err(errors::failure)?);
        bytes += value.len();
        out.push(value);
    }
    Ok(bytes)
}

fn set_up(connection: &mut Connection, denied: &Denied, noticed: &Arc<Noticed>, size_mb: u32) -> rusqlite::Result<()> {
    connection.progress_handler(STEPS, Some(operation::expired))?;
    let mut since = Instant::now();
    connection.busy_handler(Some(move |tries: i32| {
        if tries == 0 {
            since = Instant::now();
        }
        if since.elapsed() >= BUSY || operation::expired() {
            return false;
        }
        std::thread::sleep(BUSY_PAUSE_MAX.min(Duration::from_millis(1 << tries.clamp(0, 5))));
        true
    }))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cell_size_check", true)?;
    // The first look into the file: one that is no database is refused here. And only now its pages' size is known.
    let page: u32 = {
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        connection.pragma_query_value(None, "page_size", |row| row.get(0))?
    };
    let pages = (u64::from(size_mb) << 20) / u64::from(page.max(512));
    connection.pragma_update_and_check(
        None,
        "max_page_count",
        i64::try_from(pages.max(1)).unwrap_or(i64::MAX),
        |_| Ok(()),
    )?;
    rules::apply(connection, denied, noticed)
}
