//! Checkpoints: heaps of sessions on the disk, as trees. Each is whole or a delta to its parent, and is in the history of one
//! session or in none any more; one that is in none stays as long as something builds on it.
use model::{
    CheckpointId, CheckpointKind, CheckpointRow, ExecutionId, Session, SessionId, SessionStatus, TenantId, Timestamp,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::rows::{Cursor, Page, Wanted};
use crate::{Error, Store, rows, sessions};

/// A heap that is to be stored.
#[derive(Clone, Debug)]
pub struct NewCheckpoint {
    /// Its id.
    pub id: CheckpointId,
    /// What it is a delta to, of any session of the tenant. None: it is a whole heap.
    pub parent: Option<CheckpointId>,
    /// What it was made for. Methods that store one kind only ignore it.
    pub kind: CheckpointKind,
    /// The execution that it was stored with.
    pub execution: Option<ExecutionId>,
    /// Deltas between it and the whole heap that it builds on; 0 of a whole one.
    pub depth: u32,
    /// Pages of memory that it holds.
    pub pages: u32,
    /// When a timer of the session is due, if the session is going to sleep and is to be woken then.
    pub wake_at: Option<Timestamp>,
    /// When.
    pub created_at: Timestamp,
    /// As the server sealed it.
    pub body: Vec<u8>,
}

/// How much of a session's history is kept. The newest checkpoint always is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Checkpoints at most, the newest included.
    pub count: u32,
    /// Bytes of them at most. What is kept only because they build on it is not counted.
    pub bytes: u64,
}

/// Checkpoints that one call takes out of a history, and that one deletes, at most. A call is made for about each one that is
/// stored, so this makes up for what has piled up.
const PRUNED_AT_ONCE: u32 = 64;
/// Bytes that a call deletes before it leaves the rest to the next: some ten milliseconds for those who wait for the disk.
const COLLECTED_BYTES: u64 = 32 << 20;

const KEPT: &str = "SELECT key, bytes FROM checkpoints WHERE session = ?1 ORDER BY key DESC";
const DROP: &str = "UPDATE checkpoints SET session = NULL WHERE key IN
        (SELECT key FROM checkpoints WHERE session = ?1 AND key <= ?2
         AND key IS NOT (SELECT head FROM sessions WHERE key = ?1) ORDER BY key LIMIT ?3)";
const RELEASE: &str = "UPDATE checkpoints SET session = NULL WHERE session = ?1";
/// The newest first, so that a chain goes from its end.
const LOOSE: &str = "SELECT key, parent, bytes FROM checkpoints INDEXED BY checkpoints_loose
        WHERE session IS NULL AND children = 0 ORDER BY key DESC LIMIT 1";
const DELETE: &str = "DELETE FROM checkpoints WHERE key = ?1";
const ADOPT: &str = "UPDATE checkpoints SET children = children + 1 WHERE tenant = ?1 AND id = ?2 RETURNING key";
const ABANDON: &str = "UPDATE checkpoints SET children = children - 1 WHERE key = ?1";
const PAGE: &str = "SELECT c.key, c.id, p.id, c.kind, c.seq, c.execution, c.depth, c.pages, c.bytes, c.created_at
        FROM checkpoints c LEFT JOIN checkpoints p ON p.key = c.parent
        WHERE c.session = ?1 AND c.key < ?2 ORDER BY c.key DESC LIMIT ?3";

impl Store {
    /// Stores a heap of a session that starts or is ready, and makes it the newest; answers once it is on the disk.
    /// [`Error::Gone`]: the parent is not there, or the session is over. [`Error::Broken`]: the session has no recipe.
    pub async fn checkpoint_stored(
        &self,
        tenant: TenantId,
        session: SessionId,
        new: NewCheckpoint,
    ) -> Result<Session, Error> {
        let change = move |c: &Connection| {
            let key = sessions::key(c, tenant, session)?.ok_or(Error::Gone)?;
            store(c, tenant, key, &new)?;
            sessions::find(c, tenant, session)?.ok_or(Error::Gone)
        };
        self.0.writer.write(change).await
    }

    /// Queues the removal of a session's oldest checkpoints but for what `keep` says. To be called now and then, such as
    /// after each one that is stored: a call removes a few. What something still builds on leaves the history at once and the
    /// disk later, when nothing does.
    pub async fn prune_checkpoints(&self, tenant: TenantId, session: SessionId, keep: Retention) -> Result<(), Error> {
        let change = move |c: &Connection| {
            let Some(key) = sessions::key(c, tenant, session)? else { return Ok(()) };
            prune(c, key, keep)?;
            collect(c).map(drop)
        };
        self.0.writer.queue("prune_checkpoints", change).await
    }

    /// A page of a session's history, newest first. None when there is no such session.
    pub async fn checkpoints(
        &self,
        tenant: TenantId,
        session: SessionId,
        wanted: Wanted,
    ) -> Result<Option<Page<CheckpointRow>>, Error> {
        let query = move |c: &Connection| {
            let Some(key) = sessions::key(c, tenant, session)? else { return Ok(None) };
            let mut statement = c.prepare_cached(PAGE)?;
            let (Cursor(before), limit) = (wanted.before, i64::from(wanted.rows_max) + 1);
            let mut found = statement.query(params![key, before, limit])?;
            rows::page(&mut found, wanted, |row| read(row, session), |_| 256).map(Some)
        };
        self.0.readers.read(query).await
    }

    /// The place of a checkpoint in its session's history, to read on from there. None when it is not in it.
    pub async fn checkpoint_cursor(
        &self,
        tenant: TenantId,
        session: SessionId,
        id: CheckpointId,
    ) -> Result<Option<Cursor>, Error> {
        let query = move |c: &Connection| {
            let Some(session) = sessions::key(c, tenant, session)? else { return Ok(None) };
            let mut statement =
                c.prepare_cached("SELECT key FROM checkpoints WHERE tenant = ?1 AND id = ?2 AND session = ?3")?;
            let (tenant, id) = (tenant.as_uuid().as_bytes(), id.as_uuid().as_bytes());
            Ok(statement.query_row(params![tenant, id, session], |row| row.get(0)).optional()?.map(Cursor))
        };
        self.0.readers.read(query).await
    }
}

fn read(row: &Row<'_>, session: SessionId) -> Result<CheckpointRow, Error> {
    let id = |column| Ok::<_, Error>(row.get::<_, Option<[u8; 16]>>(column)?.map(uuid::Uuid::from_bytes));
    Ok(CheckpointRow {
        id: rows::id(row, 1)?.into(),
        session,
        parent: id(2)?.map(CheckpointId::from),
        kind: rows::word(row, 3, CheckpointKind::parse)?,
        seq: rows::unsigned(row, 4)?,
        execution: id(5)?.map(ExecutionId::from),
        depth: rows::unsigned(row, 6)?,
        pages: rows::unsigned(row, 7)?,
        bytes: rows::unsigned(row, 8)?,
        created_at: rows::time(row, 9)?,
    })
}

/// Whose heap a checkpoint is, and what the session's row says of it. Row numbers.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) session: i64,
    pub(crate) recipe: i64,
    pub(crate) seq: i64,
}

/// What is said of a session that nobody can bring back.
pub(crate) const NO_RECIPE: Error = Error::Broken("the session has no recipe");

/// Stores a heap as the newest of a session that goes on.
pub(crate) fn store(c: &Connection, tenant: TenantId, session: i64, new: &NewCheckpoint) -> Result<(), Error> {
    let found = c
        .prepare_cached("SELECT status, recipe, seq FROM sessions WHERE key = ?1")?
        .query_row([session], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Option<i64>>(1)?, row.get(2)?)));
    let (status, recipe, seq) = found.optional()?.ok_or(Error::Gone)?;
    if ![SessionStatus::Starting.as_str(), SessionStatus::Ready.as_str()].contains(&status.as_str()) {
        return Err(Error::Gone);
    }
    let place = Place { session, recipe: recipe.ok_or(NO_RECIPE)?, seq };
    insert(c, tenant, place, new.kind, new)
}

/// Writes the rows of a checkpoint and makes it the newest of its session.
pub(crate) fn insert(
    c: &Connection,
    tenant: TenantId,
    place: Place,
    kind: CheckpointKind,
    new: &NewCheckpoint,
) -> Result<(), Error> {
    let owner = tenant.as_uuid().as_bytes();
    let adopt = |parent: CheckpointId| {
        let found = c.prepare_cached(ADOPT)?.query_row(params![owner, parent.as_uuid().as_bytes()], |row| row.get(0));
        found.optional()?.ok_or(Error::Gone)
    };
    let parent: Option<i64> = new.parent.map(adopt).transpose()?;
    let inserted = c
        .prepare_cached(
            "INSERT INTO checkpoints
             (tenant, id, session, parent, recipe, kind, seq, execution, depth, pages, bytes, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?
        .execute(params![
            owner,
            new.id.as_uuid().as_bytes(),
            place.session,
            parent,
            place.recipe,
            kind.as_str(),
            place.seq,
            new.execution.as_ref().map(|id| id.as_uuid().as_bytes()),
            new.depth,
            new.pages,
            rows::signed(new.body.len() as u64),
            new.created_at.as_micros()
        ]);
    rows::unless_taken(inserted)?;
    let key = c.last_insert_rowid();
    c.prepare_cached("INSERT INTO checkpoint_bodies (key, tenant, body) VALUES (?1, ?2, ?3)")?
        .execute(params![key, owner, new.body])?;
    c.prepare_cached("UPDATE sessions SET head = ?2, wake_at = ?3 WHERE key = ?1")?.execute(params![
        place.session,
        key,
        new.wake_at.map(|at| at.as_micros())
    ])?;
    Ok(())
}

/// Takes a session's heaps away from it.
pub(crate) fn release(c: &Connection, session: i64) -> Result<(), Error> {
    c.prepare_cached("UPDATE sessions SET head = NULL, wake_at = NULL WHERE key = ?1")?.execute([session])?;
    c.prepare_cached(RELEASE)?.execute([session])?;
    collect(c).map(drop)
}

/// Takes the oldest out of a history. Reads index entries of those that stay, and of the first that goes.
fn prune(c: &Connection, session: i64, keep: Retention) -> Result<(), Error> {
    let mut statement = c.prepare_cached(KEPT)?;
    let mut found = statement.query([session])?;
    let (mut count, mut sum) = (0, 0_u64);
    while let Some(row) = found.next()? {
        sum = sum.saturating_add(rows::unsigned(row, 1)?);
        if count > 0 && (count >= keep.count || sum > keep.bytes) {
            let cut: i64 = row.get(0)?;
            drop(found);
            c.prepare_cached(DROP)?.execute(params![session, cut, PRUNED_AT_ONCE])?;
            break;
        }
        count += 1;
    }
    Ok(())
}

/// Deletes some of what is in no history and has nothing that builds on it, whoever's it is; whether there may be more. An index
/// holds exactly these rows, so that what one call leaves is found by the next.
pub(crate) fn collect(c: &Connection) -> Result<bool, Error> {
    let mut bytes = 0_u64;
    for _ in 0..PRUNED_AT_ONCE {
        if bytes > COLLECTED_BYTES {
            return Ok(true);
        }
        let found = c.prepare_cached(LOOSE)?.query_row([], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?, row.get::<_, i64>(2)?.unsigned_abs()))
        });
        let Some((key, parent, size)) = found.optional()? else { return Ok(false) };
        c.prepare_cached(DELETE)?.execute([key])?;
        if let Some(parent) = parent {
            c.prepare_cached(ABANDON)?.execute([parent])?;
        }
        bytes = bytes.saturating_add(size);
    }
    Ok(true)
}

/// The same in a transaction of its own, for the time when nothing else is to be done.
pub(crate) fn collect_idle(c: &Connection) -> Result<bool, Error> {
    if c.prepare_cached(LOOSE)?.query_row([], |_| Ok(())).optional()?.is_none() {
        return Ok(false);
    }
    let transaction = c.unchecked_transaction()?;
    let more = collect(&transaction)?;
    transaction.commit()?;
    Ok(more)
}
