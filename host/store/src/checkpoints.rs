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
/// As if something built on it.
const PIN: &str = "UPDATE checkpoints SET children = children + 1 WHERE key = ?1";
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
/// holds exactly these rows, so that what one call leaves is found by the next. One whose body is damaged stays, and what it builds
/// on: it must not keep the others, nor whoever closes a session.
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
        match c.prepare_cached(DELETE)?.execute([key]) {
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseCorrupt) => {
                tracing::error!(%error, key, "a checkpoint is damaged and stays");
                c.prepare_cached(PIN)?.execute([key])?;
                continue;
            }
            deleted => deleted?,
        };
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

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::time::{Duration, Instant};

    use model::Durability;
    use proptest::prelude::*;
    use proptest::sample::Index;
    use uuid::Uuid;

    use super::*;
    use crate::scratch::{ALL, Scratch, TENANT, at, body, heap, plan};
    use crate::{Chain, Fork, ForkFrom};

    #[tokio::test]
    async fn an_end_and_its_heap_are_one() {
        let scratch = Scratch::new();
        let id = scratch.session(Durability::Every).await;
        let first = NewCheckpoint { wake_at: Some(at(50)), ..heap(None, 10) };
        scratch.runs(id, Some(first.clone())).await.unwrap();
        let row = scratch.store.session(TENANT, id).await.unwrap().unwrap();
        assert_eq!((row.seq, row.durable_seq), (1, Some(1)));
        assert_eq!(scratch.store.next_wake().await.unwrap(), Some(at(50)));

        // A parent that is not there: nothing has changed. The same without a heap goes through.
        let orphan = heap(Some(Uuid::now_v7().into()), 10);
        assert!(matches!(scratch.runs(id, Some(orphan.clone())).await, Err(Error::Gone)));
        assert!(matches!(scratch.store.checkpoint_stored(TENANT, id, orphan).await, Err(Error::Gone)));
        let again = scratch.store.checkpoint_stored(TENANT, id, first.clone()).await;
        assert!(matches!(again, Err(Error::AlreadyExists)), "{again:?}");
        let row = scratch.store.session(TENANT, id).await.unwrap().unwrap();
        assert_eq!((row.seq, row.durable_seq), (1, Some(1)));
        assert_eq!(scratch.count("SELECT sum(children) FROM checkpoints").await, 0);
        let execution = scratch.runs(id, None).await.unwrap();
        let row = scratch.store.session(TENANT, id).await.unwrap().unwrap();
        assert_eq!((row.seq, row.durable_seq), (2, Some(1)));
        assert_eq!(scratch.store.next_wake().await.unwrap(), Some(at(50)));

        let second = NewCheckpoint { execution: Some(execution), depth: 1, ..heap(Some(first.id), 20) };
        scratch.store.checkpoint_stored(TENANT, id, second.clone()).await.unwrap();
        assert_eq!(scratch.store.next_wake().await.unwrap(), None);
        let page = scratch.store.checkpoints(TENANT, id, ALL).await.unwrap().unwrap();
        let expected = CheckpointRow {
            id: second.id,
            session: id,
            parent: Some(first.id),
            kind: CheckpointKind::Run,
            seq: 2,
            execution: Some(execution),
            depth: 1,
            pages: 3,
            bytes: 20,
            created_at: at(3),
        };
        assert_eq!(page.rows[0], expected);
        assert_eq!((page.rows[1].parent, page.rows[1].seq, page.rows.len()), (None, 1, 2));
        let before = scratch.store.checkpoint_cursor(TENANT, id, second.id).await.unwrap().unwrap();
        let older = scratch.store.checkpoints(TENANT, id, Wanted { before, rows_max: 1 }).await.unwrap().unwrap();
        assert_eq!((older.rows.len(), older.rows[0].id, older.next), (1, first.id, None));

        // Sessions that nobody could bring back have no heaps.
        let bare = crate::NewSession { recipe: None, ..crate::scratch::new_session(Durability::Every) };
        let bare = scratch.store.session_begins(TENANT, bare).await.unwrap().id;
        let refused = scratch.store.checkpoint_stored(TENANT, bare, heap(None, 1)).await;
        assert!(matches!(refused, Err(Error::Broken(_))), "{refused:?}");
        scratch.store.session_closed(TENANT, id, at(9), None).await.unwrap();
        let late = scratch.store.checkpoint_stored(TENANT, id, heap(None, 1)).await;
        assert!(matches!(late, Err(Error::Gone)), "{late:?}");
    }

    #[tokio::test]
    async fn other_tenants_see_nothing() {
        let scratch = Scratch::new();
        let store = &scratch.store;
        scratch.raw("INSERT INTO tenants VALUES (x'00000000000000000000000000000007', 'other', 1)").await;
        let other = TenantId::from(Uuid::from_u128(7));
        let id = scratch.session(Durability::Every).await;
        let heaps = scratch.heaps(id, 2).await;
        assert!(store.checkpoints(other, id, ALL).await.unwrap().is_none());
        assert!(store.checkpoint_cursor(other, id, heaps[0]).await.unwrap().is_none());
        assert!(store.resumable(other, id).await.unwrap().is_none());
        assert!(store.chain(other, heaps[0]).await.unwrap().is_none());
        assert!(matches!(store.checkpoint_stored(other, id, heap(None, 1)).await, Err(Error::Gone)));
        assert!(matches!(store.session_restored(other, id, heaps[0], heap(Some(heaps[0]), 1)).await, Err(Error::Gone)));
        let fork = || vec![Fork { id: Uuid::now_v7().into(), checkpoint: Some(heap(Some(heaps[0]), 1)) }];
        assert!(matches!(
            store.session_forks(other, id, ForkFrom::Newest(Some(heaps[1])), fork(), at(5)).await,
            Err(Error::Gone)
        ));
        // Nor can their own sessions build on it, though their recipes look alike.
        let theirs = store.session_begins(other, crate::scratch::new_session(Durability::Every)).await.unwrap().id;
        assert!(matches!(store.checkpoint_stored(other, theirs, heap(Some(heaps[1]), 1)).await, Err(Error::Gone)));
        assert!(matches!(
            store.session_forks(other, theirs, ForkFrom::Checkpoint(heaps[1]), fork(), at(5)).await,
            Err(Error::Gone)
        ));
        store.prune_checkpoints(other, id, Retention { count: 1, bytes: 0 }).await.unwrap();
        store.session_woken(other, id).await.unwrap();
        assert!(store.session_closed(other, id, at(5), None).await.unwrap().is_none());
        assert_eq!(scratch.history(id).await.len(), 2);
        assert_eq!(scratch.count("SELECT count(*) FROM recipes").await, 2);
    }

    #[tokio::test]
    async fn what_piled_up_goes_bit_by_bit_and_by_itself() {
        let scratch = Scratch::new();
        let id = scratch.session(Durability::Every).await;
        let count = PRUNED_AT_ONCE + 90;
        let heaps = scratch.heaps(id, count).await;
        let keep = Retention { count: 10, bytes: u64::MAX };
        scratch.store.prune_checkpoints(TENANT, id, keep).await.unwrap();
        scratch.store.session_woken(TENANT, id).await.unwrap();
        let barrier = || scratch.raw("");
        barrier().await;
        assert_eq!(scratch.history(id).await.len(), count as usize - PRUNED_AT_ONCE as usize);
        scratch.store.prune_checkpoints(TENANT, id, keep).await.unwrap();
        scratch.store.prune_checkpoints(TENANT, id, keep).await.unwrap();
        barrier().await;
        let newest: Vec<_> = heaps.iter().rev().take(10).copied().collect();
        assert_eq!(scratch.history(id).await, newest);
        assert_eq!(scratch.count("SELECT count(*) FROM checkpoints").await, i64::from(count), "all built on");

        // The end of the session lets go of all of them: some at once, the rest in idle time.
        scratch.store.session_closed(TENANT, id, at(9), None).await.unwrap();
        let left = scratch.count("SELECT count(*) FROM checkpoints").await;
        assert!(left <= i64::from(count - PRUNED_AT_ONCE), "{left}");
        let started = Instant::now();
        while scratch.count("SELECT count(*) FROM checkpoints").await > 0 {
            assert!(started.elapsed() < Duration::from_secs(20));
            tokio::task::yield_now().await;
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(scratch.count("SELECT count(*) FROM checkpoint_bodies").await, 0);
    }

    #[tokio::test]
    async fn sessions_that_crashed_keep_theirs_until_they_are_pruned() {
        let scratch = Scratch::new();
        let id = scratch.session(Durability::Every).await;
        let heaps = scratch.heaps(id, 3).await;
        scratch.store.session_crashed(TENANT, id, at(5), "trap".into()).await.unwrap();
        assert_eq!(scratch.history(id).await.len(), 3);
        let head = scratch.store.resumable(TENANT, id).await.unwrap().unwrap().chain.unwrap().head;
        assert_eq!(head, heaps[2]);
        let late = scratch.store.checkpoint_stored(TENANT, id, heap(None, 1)).await;
        assert!(matches!(late, Err(Error::Gone)), "{late:?}");
        scratch.store.prune_sessions(TENANT, 0).await.unwrap();
        scratch.raw("").await;
        assert!(scratch.store.session(TENANT, id).await.unwrap().is_none());
        assert_eq!(scratch.count("SELECT count(*) FROM checkpoints").await, 0);
    }

    #[test]
    fn no_statement_scans_a_table() {
        for sql in [KEPT, DROP, RELEASE, DELETE, ADOPT, ABANDON, PIN, PAGE] {
            let plan = plan(sql);
            assert!(!plan.is_empty() && plan.iter().all(|line| !line.contains("SCAN")), "{sql} {plan:#?}");
        }
        let loose = plan(LOOSE);
        assert_eq!(loose, ["SCAN checkpoints USING INDEX checkpoints_loose"], "an index of what is to go and no more");
        assert!(plan(KEPT)[0].contains("USING COVERING INDEX checkpoints_by_session"), "{:?}", plan(KEPT));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Store { session: Index, whole: bool, bytes: usize },
        Fork { session: Index, count: usize },
        ForkAt { session: Index, from: Index, at: Index },
        Restore { session: Index, from: Index, at: Index },
        Crash { session: Index },
        Close { session: Index },
        Prune { session: Index, count: u32, bytes: u64 },
        Restart,
    }

    fn step() -> impl Strategy<Value = Step> {
        let session = any::<Index>;
        prop_oneof![
            8 => (session(), prop::bool::weighted(0.2), 1_usize..6_000)
                .prop_map(|(session, whole, bytes)| Step::Store { session, whole, bytes }),
            2 => (session(), 1_usize..3).prop_map(|(session, count)| Step::Fork { session, count }),
            2 => (session(), session(), session())
                .prop_map(|(session, from, at)| Step::ForkAt { session, from, at }),
            2 => (session(), session(), session())
                .prop_map(|(session, from, at)| Step::Restore { session, from, at }),
            1 => session().prop_map(|session| Step::Crash { session }),
            2 => session().prop_map(|session| Step::Close { session }),
            4 => (session(), 0_u32..6, prop_oneof![Just(u64::MAX), 0_u64..20_000])
                .prop_map(|(session, count, bytes)| Step::Prune { session, count, bytes }),
            1 => Just(Step::Restart),
        ]
    }

    /// A session as the store should have it; its history oldest first.
    struct Known {
        id: SessionId,
        status: SessionStatus,
        history: Vec<CheckpointId>,
    }

    /// All checkpoints that ever were: parent, size.
    type Ever = BTreeMap<CheckpointId, (Option<CheckpointId>, usize)>;

    fn ancestry(ever: &Ever, id: CheckpointId) -> Vec<CheckpointId> {
        let mut chain = vec![id];
        while let Some(parent) = ever[&chain[chain.len() - 1]].0 {
            chain.push(parent);
        }
        chain.reverse();
        chain
    }

    fn made(ever: &mut Ever, new: NewCheckpoint) -> NewCheckpoint {
        ever.insert(new.id, (new.parent, new.body.len()));
        new
    }

    async fn check(scratch: &Scratch, known: &[Known], ever: &Ever) {
        let links = |id| -> Vec<_> {
            ancestry(ever, id).into_iter().map(|id: CheckpointId| (id, body(id, ever[&id].1))).collect()
        };
        let mut needed = BTreeSet::new();
        for session in known {
            let newest: Vec<_> = session.history.iter().rev().copied().collect();
            assert_eq!(scratch.history(session.id).await, newest);
            let found = scratch.store.resumable(TENANT, session.id).await.unwrap().unwrap();
            assert_eq!(found.session.status, session.status);
            let (head, chain) = (newest.first(), found.chain);
            assert_eq!(chain.as_ref().map(|chain| chain.head), head.copied());
            assert_eq!(chain.map(|Chain { links, .. }| links), head.map(|head| links(*head)));
            for id in newest {
                needed.extend(ancestry(ever, id));
                let found = scratch.store.chain(TENANT, id).await.unwrap().unwrap();
                assert_eq!((found.session, found.chain.links), (session.id, links(id)));
            }
        }
        scratch.collect().await;
        let ids = |c: &Connection| {
            let mut statement = c.prepare("SELECT id FROM checkpoints JOIN checkpoint_bodies USING (key)")?;
            let found = statement.query_map([], |row| Ok(CheckpointId::from(Uuid::from_bytes(row.get(0)?))))?;
            Ok(found.collect::<Result<BTreeSet<_>, _>>()?)
        };
        assert_eq!(scratch.store.0.readers.read(ids).await.unwrap(), needed);
        let wrong = "SELECT count(*) FROM checkpoints c WHERE children <>
                     (SELECT count(*) FROM checkpoints d WHERE d.parent = c.key)";
        let dangling =
            "SELECT count(*) FROM checkpoints WHERE parent > 0 AND parent NOT IN (SELECT key FROM checkpoints)";
        let headless = "SELECT count(*) FROM sessions WHERE head > 0 AND head NOT IN (SELECT key FROM checkpoints)";
        for wrong in [wrong, dangling, headless] {
            assert_eq!(scratch.count(wrong).await, 0, "{wrong}");
        }
    }

    async fn walk(steps: Vec<Step>) {
        let mut scratch = Scratch::new();
        let (mut known, mut ever) = (Vec::<Known>::new(), Ever::new());
        for n in 0..3 {
            let durability = if n == 0 { Durability::Checkpoint } else { Durability::Every };
            let id = scratch.session(durability).await;
            known.push(Known { id, status: SessionStatus::Ready, history: Vec::new() });
        }
        for step in steps {
            let store = &scratch.store;
            match step {
                Step::Store { session, whole, bytes } => {
                    let session = session.get(&known);
                    let parent = session.history.last().copied().filter(|_| !whole);
                    let new = heap(parent, bytes);
                    let stored = store.checkpoint_stored(TENANT, session.id, new.clone()).await;
                    assert_eq!(stored.is_ok(), session.status == SessionStatus::Ready);
                    if stored.is_ok() {
                        let id = session.id;
                        let made = made(&mut ever, new).id;
                        known.iter_mut().filter(|known| known.id == id).for_each(|known| known.history.push(made));
                    }
                }
                Step::Fork { session, count } => {
                    let source = session.get(&known);
                    let head = source.history.last().copied();
                    let fork = |_| Fork { id: Uuid::now_v7().into(), checkpoint: head.map(|_| heap(head, 7)) };
                    let forks: Vec<Fork> = (0..count).map(fork).collect();
                    let forked =
                        store.session_forks(TENANT, source.id, ForkFrom::Newest(head), forks.clone(), at(5)).await;
                    assert_eq!(forked.is_ok(), source.status == SessionStatus::Ready);
                    if forked.is_ok() {
                        for Fork { id, checkpoint } in forks {
                            let history = checkpoint.map(|new| made(&mut ever, new).id).into_iter().collect();
                            known.push(Known { id, status: SessionStatus::Ready, history });
                        }
                    }
                }
                Step::ForkAt { session, from, at: place } => {
                    let (source, from) = (session.get(&known).id, from.get(&known));
                    if !from.history.is_empty() {
                        let target = *place.get(&from.history);
                        let fork = Fork { id: Uuid::now_v7().into(), checkpoint: Some(heap(Some(target), 9)) };
                        let forks = vec![fork.clone()];
                        store.session_forks(TENANT, source, ForkFrom::Checkpoint(target), forks, at(5)).await.unwrap();
                        let history = fork.checkpoint.map(|new| made(&mut ever, new).id).into_iter().collect();
                        known.push(Known { id: fork.id, status: SessionStatus::Ready, history });
                    }
                }
                Step::Restore { session, from, at: place } => {
                    let from = from.get(&known);
                    if !from.history.is_empty() {
                        let target = *place.get(&from.history);
                        let new = heap(Some(target), 11);
                        let session = session.index(known.len());
                        let session = &mut known[session];
                        let restored = store.session_restored(TENANT, session.id, target, new.clone()).await;
                        assert_eq!(restored.is_ok(), session.status != SessionStatus::Closed);
                        if restored.is_ok() {
                            session.status = SessionStatus::Ready;
                            session.history.push(made(&mut ever, new).id);
                        }
                    }
                }
                Step::Crash { session } => {
                    let session = session.index(known.len());
                    if known[session].status == SessionStatus::Ready {
                        store.session_crashed(TENANT, known[session].id, at(6), "x".into()).await.unwrap();
                        known[session].status = SessionStatus::Crashed;
                    }
                }
                Step::Close { session } => {
                    let session = session.index(known.len());
                    let session = &mut known[session];
                    let closed = store.session_closed(TENANT, session.id, at(6), None).await.unwrap();
                    assert_eq!(closed.is_some(), session.status == SessionStatus::Ready);
                    if closed.is_some() {
                        session.status = SessionStatus::Closed;
                        session.history.clear();
                    }
                }
                Step::Prune { session, count, bytes } => {
                    let session = session.index(known.len());
                    let session = &mut known[session];
                    store.prune_checkpoints(TENANT, session.id, Retention { count, bytes }).await.unwrap();
                    scratch.raw("").await;
                    let (mut kept, mut sum) = (0, 0);
                    for id in session.history.iter().rev() {
                        sum += ever[id].1 as u64;
                        if kept > 0 && (kept >= count as usize || sum > bytes) {
                            break;
                        }
                        kept += 1;
                    }
                    session.history.drain(..session.history.len() - kept);
                }
                Step::Restart => scratch = scratch.restarted(at(7)),
            }
            check(&scratch, &known, &ever).await;
        }
        for session in &mut known {
            let closed = scratch.store.session_closed(TENANT, session.id, at(8), None).await.unwrap();
            assert_eq!(closed.is_some(), session.status == SessionStatus::Ready);
        }
        scratch.store.prune_sessions(TENANT, 0).await.unwrap();
        for _ in 0..known.len() {
            scratch.store.prune_sessions(TENANT, 0).await.unwrap();
        }
        scratch.collect().await;
        assert_eq!(scratch.count("SELECT count(*) FROM checkpoints").await, 0);
        assert_eq!(scratch.count("SELECT count(*) FROM checkpoint_bodies").await, 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
        #[test]
        fn histories_are_what_a_model_says(steps in prop::collection::vec(step(), 1..40)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(walk(steps));
        }
    }
}
