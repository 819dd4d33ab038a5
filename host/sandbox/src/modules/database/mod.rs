//! `database`: SQLite, in memory or in files beneath a directory of the session's root.
//!
//! Several layers, none of which trusts the others: `vfs` decides which files are touched, `rules` what SQL may say,
//! `memory` how much is allocated, `operation` how long it takes.
mod errors;
mod live;
mod memory;
mod operation;
mod queue;
mod rules;
mod saved;
mod values;
mod vfs;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wasmtime::component::WasmStr;

use super::{Answer, Facade, Failure, Interface, Linking, Module, State, Store, read_grant, read_saved, unusable};
use crate::host::Host;
use crate::limits::host_text_bytes;
use crate::root::Root;

pub use memory::bounded;

use live::{Bounds, CURSORS_MAX, Live, Place, closed};
use operation::Deadline;
use queue::Database;
use saved::{CONTENT_BYTES_MAX, Content, Saved};
use values::Parameters;

/// Databases that a session may have open.
const DATABASES_MAX: usize = 8;
/// Largest quota that a grant may name, MiB.
const SIZE_MB_MAX: u32 = 16 << 10;
const MEMORY_MB_MAX: u32 = 1 << 10;

pub(super) static MODULE: Module = Module {
    name: "database",
    version: "0.2.0",
    docs: "SQLite databases, in memory or in files beneath a granted directory of the session's worktree.",
    interface: Some(Interface {
        name: "vm:database/database@0.2.0",
        wit: include_str!("../../../../../wit/database/database.wit"),
        link,
    }),
    before: &[("vm:database/database@0.1.0", link_before)],
    facade: Some(Facade { source: include_str!("database.js"), types: include_str!("database.d.ts") }),
    grant_schema: include_str!("grant.json"),
    check_grant,
    limits: &[
        ("databases_max", DATABASES_MAX as u64, "opening another one fails with ETOOMANY"),
        ("cursors_max", CURSORS_MAX as u64, "another iterator of the same database fails with ETOOMANY"),
        ("value_bytes_max", rules::VALUE_BYTES_MAX as u64, "a larger text, blob or row is SQLITE_TOOBIG"),
        ("sql_bytes_max", rules::SQL_BYTES_MAX as u64, "a longer statement is SQLITE_TOOBIG"),
        ("busy_ms_max", live::BUSY.as_millis() as u64, "after waiting so long for another session's lock: SQLITE_BUSY"),
    ],
    ..Module::BASE
};

/// What a template's entry may say.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Grant {
    path: String,
    access: Access,
    memory: bool,
    size_mb: u32,
    memory_mb: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Access {
    ReadWrite,
    ReadOnly,
    None,
}

impl Default for Grant {
    fn default() -> Grant {
        Grant { path: ".".to_owned(), access: Access::ReadWrite, memory: true, size_mb: 64, memory_mb: 64 }
    }
}

fn check_grant(config: &str) -> Result<(), String> {
    let Grant { path, size_mb, memory_mb, .. } = read_grant(config)?;
    if path.is_empty()
        || Path::new(&path).is_absolute()
        || Path::new(&path).components().any(|part| part.as_os_str() == "..")
    {
        return Err("path: a directory beneath the session's root, without `..`".to_owned());
    }
    for (name, given, most) in [("size_mb", size_mb, SIZE_MB_MAX), ("memory_mb", memory_mb, MEMORY_MB_MAX)] {
        if !(1..=most).contains(&given) {
            return Err(format!("{name}: {given} is not between 1 and {most}"));
        }
    }
    Ok(())
}

/// A session's databases. Handles are numbers, and each keeps what it was opened with, so that it can be opened again.
struct Databases {
    grant: Grant,
    root: Option<Root>,
    bounds: Bounds,
    open: BTreeMap<u32, Open>,
    last: u32,
    /// Runs of the session that were stopped.
    stops: u32,
}

struct Open {
    dsn: String,
    database: Held,
}

enum Held {
    Open(Arc<Database>),
    /// It was open in another process and was not used since.
    Asleep(Box<Saved>),
}

/// What a snapshot has of them.
#[derive(Serialize, Deserialize)]
struct SavedDatabases {
    open: BTreeMap<u32, Saved>,
    last: u32,
    stops: u32,
}

impl State for Databases {
    const MODULE: &'static str = "database";
    type Grant = Grant;

    fn open(grant: Grant, host: &Host) -> Answer<Databases> {
        let bounds = Bounds {
            account: memory::Account::new((grant.memory_mb as usize) << 20),
            memory_mb: grant.memory_mb,
            size_mb: grant.size_mb,
            answer_bytes_max: host_text_bytes(host.meter.limits().mem_mb),
            untaken: live::Untaken::default(),
        };
        Ok(Databases { grant, root: host.root.clone(), bounds, open: BTreeMap::new(), last: 0, stops: 0 })
    }

    fn stopped(&mut self) {
        self.stops = self.stops.wrapping_add(1);
        for open in self.open.values_mut() {
            match &mut open.database {
                Held::Open(database) => database.undo(),
                // Whoever had it goes on no more.
                Held::Asleep(saved) => saved.facts.transaction = false,
            }
        }
    }

    fn pins(&self) -> Option<&'static str> {
        let mut left = CONTENT_BYTES_MAX;
        self.open.values().find_map(|open| match &open.database {
            Held::Open(database) => database.pins(&mut left),
            Held::Asleep(saved) => {
                left = left.saturating_sub(saved.content.len());
                None
            }
        })
    }

    fn save(&self) -> Option<serde_json::Value> {
        if self.last == 0 && self.stops == 0 {
            return None;
        }
        let mut left = CONTENT_BYTES_MAX;
        let mut save = |open: &Open| {
            let mut saved = match &open.database {
                Held::Open(database) => database.save(&open.dsn),
                Held::Asleep(saved) => (**saved).clone(),
            };
            match left.checked_sub(saved.content.len()) {
                Some(rest) => left = rest,
                None => saved.content = Content::Lost,
            }
            saved
        };
        let open = self.open.iter().map(|(handle, open)| (*handle, save(open))).collect();
        serde_json::to_value(SavedDatabases { open, last: self.last, stops: self.stops }).ok()
    }

    fn restore(&mut self, saved: serde_json::Value) -> Answer<()> {
        let SavedDatabases { open, last, stops } = read_saved(Self::MODULE, saved)?;
        if open.len() > DATABASES_MAX || !open.values().all(Saved::is_sound) {
            return Err(unusable(Self::MODULE));
        }
        (self.last, self.stops) = (last, stops);
        let asleep = |saved: Saved| Open { dsn: saved.dsn.clone(), database: Held::Asleep(Box::new(saved)) };
        self.open = open.into_iter().map(|(handle, saved)| (handle, asleep(saved))).collect();
        Ok(())
    }
}

impl Databases {
    fn open(&mut self, dsn: &str, deadline: &Deadline) -> Answer<u32> {
        if self.open.len() >= DATABASES_MAX {
            return Err(Failure::new("ETOOMANY", format!("more than {DATABASES_MAX} databases are open")));
        }
        let place = self.place(dsn)?;
        let live = Live::open(place, None, self.bounds.clone(), deadline)?;
        self.last = self.last.wrapping_add(1).max(1);
        self.open.insert(self.last, Open { dsn: dsn.to_owned(), database: Held::Open(Database::new(live)) });
        Ok(self.last)
    }

    fn place(&self, dsn: &str) -> Answer<Place> {
        let not_granted = |field, what: &str| Err(Failure::not_granted("database", field, what));
        if dsn == ":memory:" {
            return if self.grant.memory { Ok(Place::Memory) } else { not_granted("memory", "a database in memory") };
        }
        // To SQLite these are no paths: URIs with parameters, a temporary file, names of its own to come.
        if dsn.is_empty()
            || dsn.starts_with(':')
            || dsn.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("file:"))
        {
            let shown: String = dsn.chars().take(100).collect();
            return Err(Failure::new(
                "SQLITE_CANTOPEN",
                format!("'{shown}': expected `:memory:` or the path of a file"),
            ));
        }
        if self.grant.access == Access::None {
            return not_granted("access", "a database in a file");
        }
        let cannot = |error: &dyn std::fmt::Display| Failure::new("SQLITE_CANTOPEN", error.to_string());
        let root = self.root.as_ref().ok_or_else(|| cannot(&"this session has no root directory"))?;
        let directory = root.directory(Path::new(&self.grant.path));
        let directory = directory.map_err(|error| {
            let Grant { path, .. } = &self.grant;
            cannot(&format!("`path` of module 'database' in the template is '{path}', which can't be opened: {error}"))
        })?;
        let (dir, name) = directory.place(dsn).map_err(|error| {
            let beneath =
                if self.grant.path == "." { "" } else { " (beneath `path` of module 'database' in the template)" };
            cannot(&format!("{error}{beneath}"))
        })?;
        Ok(Place::File { dir, name, writable: self.grant.access == Access::ReadWrite })
    }

    fn get(&mut self, handle: u32, deadline: &Deadline) -> Answer<Arc<Database>> {
        match &mut self.open.get_mut(&handle).ok_or_else(closed)?.database {
            Held::Open(database) => return Ok(Arc::clone(database)),
            Held::Asleep(saved) => lost(saved)?,
        }
        // If that fails it stays asleep: it may do the next time.
        let Some(Open { dsn, database: Held::Asleep(saved) }) = self.open.get(&handle) else { return Err(closed()) };
        let live = Live::open(self.place(dsn)?, Some(saved), self.bounds.clone(), deadline)?;
        let database = Database::new(live);
        if let Some(open) = self.open.get_mut(&handle) {
            open.database = Held::Open(Arc::clone(&database));
        }
        Ok(database)
    }

    fn is_asleep(&self, handle: u32) -> bool {
        self.open.get(&handle).is_some_and(|open| matches!(open.database, Held::Asleep(_)))
    }

    /// The number of the open transaction, 0 when there is none. One that was lost is open until a script was told.
    fn transaction(&mut self, handle: u32, deadline: &Deadline) -> Answer<u32> {
        match self.open.get(&handle).map(|open| &open.database) {
            Some(Held::Asleep(saved)) => Ok(u32::from(saved.facts.transaction)),
            _ => self.get(handle, deadline)?.now(deadline, |live| Ok(live.transaction())),
        }
    }
}

/// What is gone for good is told first: once where a script can go on without it.
fn lost(saved: &mut Saved) -> Answer<()> {
    if matches!(saved.content, Content::Lost) {
        let text =
            "the database was in memory and is gone: the session went on from a snapshot, which could not hold it";
        return Err(Failure::new("DATABASE_LOST", text));
    }
    if std::mem::take(&mut saved.facts.transaction) {
        let text = "the open transaction was rolled back: the session went on from a snapshot that was made meanwhile";
        return Err(Failure::new("TRANSACTION_LOST", text));
    }
    if std::mem::take(&mut saved.facts.temporary) {
        let text = "the temporary tables of the database are gone: the session went on from a snapshot";
        return Err(Failure::new("TEMPORARY_LOST", text));
    }
    Ok(())
}

fn link(databases: &mut Linking<'_>) -> wasmtime::Result<()> {
    databases.function("close", |store, (handle, cursor): (u32, Option<u32>)| {
        Ok((match cursor {
            Some(cursor) => close_cursor(store, handle, cursor),
            None => close(store, handle),
        },))
    })?;
    common(databases)
}

/// Version 0.1.0, for heaps that were stored with it.
fn link_before(databases: &mut Linking<'_>) -> wasmtime::Result<()> {
    databases.function("close", |store, (handle,): (u32,)| Ok((close(store, handle),)))?;
    databases
        .function("close-cursor", |store, (handle, cursor): (u32, u32)| Ok((close_cursor(store, handle, cursor),)))?;
    common(databases)
}

/// What the versions of the interface have in common.
fn common(databases: &mut Linking<'_>) -> wasmtime::Result<()> {
    databases.function("open", |store, (dsn,): (WasmStr,)| {
        let dsn = dsn.to_str(&*store)?.into_owned();
        let deadline = deadline(store);
        Ok((store.data_mut().state::<Databases>().and_then(|open| open.open(&dsn, &deadline)),))
    })?;
    databases.function("transaction", |store, (handle,): (u32,)| {
        let deadline = deadline(store);
        let databases = store.data_mut().state::<Databases>();
        Ok((databases.and_then(|databases| databases.transaction(handle, &deadline)),))
    })?;
    databases.function("stops", |store, (): ()| {
        Ok((store.data_mut().state::<Databases>().map_or(0, |databases| databases.stops),))
    })?;
    databases.function("describe", |store, (handle, sql): (u32, String)| {
        Ok((now(store, handle, |live| live.describe(&sql)),))
    })?;
    databases.both(
        ["query", "query-later"],
        |store, (handle, sql, given, rows_max): (u32, String, Parameters, u32)| {
            Ok(now(store, handle, |live| live.query(&sql, &given, rows_max)).map(Arc::new))
        },
        |store, (handle, sql, given, rows_max): (u32, String, Parameters, u32)| {
            Ok(later(store, handle, move |live| live.kept(|live| live.query(&sql, &given, rows_max))))
        },
    )?;
    databases.both(
        ["run", "run-later"],
        |store, (handle, sql, given): (u32, String, Parameters)| Ok(now(store, handle, |live| live.run(&sql, &given))),
        |store, (handle, sql, given): (u32, String, Parameters)| {
            Ok(later(store, handle, move |live| live.run(&sql, &given)))
        },
    )?;
    databases.function("cursor", |store, (handle, sql, given): (u32, String, Parameters)| {
        Ok((now(store, handle, |live| live.cursor(&sql, &given)),))
    })?;
    databases.both(
        ["fetch", "fetch-later"],
        |store, (handle, cursor): (u32, u32)| Ok(now(store, handle, |live| live.fetch(cursor)).map(Arc::new)),
        |store, (handle, cursor): (u32, u32)| {
            Ok(later(store, handle, move |live| live.kept(|live| live.fetch(cursor))))
        },
    )
}

fn close(store: &mut Store<'_>, handle: u32) -> Answer<()> {
    let deadline = deadline(store);
    let open = store.data_mut().state::<Databases>()?;
    if let Some(Open { database: Held::Open(database), .. }) = open.open.remove(&handle) {
        database.close(&deadline);
    }
    Ok(())
}

fn close_cursor(store: &mut Store<'_>, handle: u32, cursor: u32) -> Answer<()> {
    if store.data_mut().state::<Databases>().is_ok_and(|databases| databases.is_asleep(handle)) {
        return Ok(());
    }
    let closed = now(store, handle, |live| {
        live.close_cursor(cursor);
        Ok(())
    });
    // That of a database that is closed is closed as well.
    closed.or_else(|failure| if failure.code == "SQLITE_MISUSE" { Ok(()) } else { Err(failure) })
}

fn now<T>(store: &mut Store<'_>, handle: u32, work: impl FnOnce(&mut Live) -> Answer<T>) -> Answer<T> {
    let deadline = deadline(store);
    store.data_mut().state::<Databases>()?.get(handle, &deadline)?.now(&deadline, work)
}

fn later<T, W>(
    store: &mut Store<'_>,
    handle: u32,
    work: W,
) -> Answer<impl Future<Output = Answer<T>> + Send + use<T, W>>
where
    T: Send + 'static,
    W: FnOnce(&mut Live) -> Answer<T> + Send + 'static,
{
    let deadline = deadline(store);
    let database = store.data_mut().state::<Databases>()?.get(handle, &deadline)?;
    Ok(database.later(deadline, work))
}

fn deadline(store: &Store<'_>) -> Deadline {
    let meter = &store.data().meter;
    let elsewhere = Arc::clone(meter.elsewhere());
    let elsewhere_then = elsewhere.load(std::sync::atomic::Ordering::Relaxed);
    Deadline {
        stop: meter.stop().clone(),
        wall_end: meter.wall_end(),
        cpu_left: Duration::from_millis(meter.limits().cpu_ms.into()).saturating_sub(meter.cpu()),
        elsewhere,
        elsewhere_then,
        dropped: Arc::default(),
    }
}
