//! What brings sessions back: their heaps, when to wake them, which images they need.
use model::{CheckpointId, CheckpointKind, Session, SessionId, TenantId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::{Error, Recipe, Store, rows, sessions};

/// Checkpoints that a heap is put together from at most.
pub const CHAIN_MAX: usize = 1_000;

/// A heap on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The checkpoint whose heap it is.
    pub head: CheckpointId,
    /// What that was made for.
    pub kind: CheckpointKind,
    /// Executions that it includes.
    pub seq: u64,
    /// Deltas between it and the whole heap, as its maker counted.
    pub depth: u32,
    /// From the whole heap, delta by delta, to the head: ids and what was sealed.
    pub links: Vec<(CheckpointId, Vec<u8>)>,
}

/// All that is needed to bring a session back.
#[derive(Clone, Debug)]
pub struct Resumable {
    /// Its row.
    pub session: Session,
    /// What it is made of. None: it was made by a server that did not keep that.
    pub recipe: Option<Recipe>,
    /// Its newest heap. None: it is as its image is.
    pub chain: Option<Chain>,
}

/// All that is needed to go back to a checkpoint, or to fork from it.
#[derive(Clone, Debug)]
pub struct Rewindable {
    /// Whose history it is in.
    pub session: SessionId,
    /// What the heap was made from.
    pub recipe: Recipe,
    /// The heap.
    pub chain: Chain,
}

/// How much there is of what outlives the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DurableFigures {
    /// Ready sessions of durability `none`.
    pub sessions_none: u64,
    /// Ready sessions of durability `checkpoint`.
    pub sessions_checkpoint: u64,
    /// Ready sessions of durability `every`.
    pub sessions_every: u64,
    /// Checkpoints on the disk.
    pub checkpoints: u64,
    /// What they take, bytes.
    pub bytes: u64,
    /// What those take that are in the history of a session; the others are there for what builds on them.
    pub history_bytes: u64,
}

/// What needs an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageUse {
    /// The image's hash.
    pub image: String,
    /// Sessions of it that are not closed.
    pub sessions: u64,
    /// Checkpoints of it on the disk.
    pub checkpoints: u64,
    /// What these take, bytes.
    pub bytes: u64,
}

const LINK: &str = "SELECT c.id, c.parent, b.body FROM checkpoints c LEFT JOIN checkpoint_bodies b ON b.key = c.key
        WHERE c.key = ?1 AND c.tenant = ?2";
const HEAD: &str = "SELECT c.id, c.kind, c.seq, c.depth FROM checkpoints c WHERE c.key = ?1 AND c.tenant = ?2";
/// The newest of a history is its head, always: one that is not was damaged.
const OF_SESSION: &str = "SELECT recipe, head, (SELECT max(key) FROM checkpoints WHERE session = s.key)
        FROM sessions s WHERE tenant = ?1 AND id = ?2";
const NAMED: &str = "SELECT c.key, c.recipe, s.id FROM checkpoints c JOIN sessions s ON s.key = c.session
        WHERE c.tenant = ?1 AND c.id = ?2";
const DUE: &str = "SELECT tenant, id FROM sessions WHERE wake_at <= ?1 ORDER BY wake_at LIMIT ?2";
const NEXT_WAKE: &str = "SELECT wake_at FROM sessions WHERE wake_at IS NOT NULL ORDER BY wake_at LIMIT 1";
const WOKEN: &str = "UPDATE sessions SET wake_at = NULL WHERE tenant = ?1 AND id = ?2";
const READY: &str = "SELECT durability, count(*) FROM sessions
        WHERE tenant IN (SELECT id FROM tenants) AND status = 'ready' GROUP BY durability";
const STORED: &str =
    "SELECT count(*), coalesce(sum(bytes), 0), coalesce(sum(bytes) FILTER (WHERE session IS NOT NULL), 0)
        FROM checkpoints";
const IMAGES: &str = "SELECT r.image, sum(u.sessions), sum(u.checkpoints), sum(u.bytes) FROM
        (SELECT recipe, count(*) AS sessions, 0 AS checkpoints, 0 AS bytes FROM sessions
         WHERE tenant IN (SELECT id FROM tenants) AND status IN ('starting', 'ready', 'crashed') AND recipe IS NOT NULL
         GROUP BY recipe
         UNION ALL
         SELECT recipe, 0, count(*), sum(bytes) FROM checkpoints GROUP BY recipe) u
        JOIN recipes r ON r.key = u.recipe GROUP BY r.image ORDER BY r.image";

impl Store {
    /// A session with its newest heap, in one read; whatever its status is. None: there is no such session.
    /// [`Error::Broken`]: the heap's chain is not whole, or has more than [`CHAIN_MAX`] links.
    pub async fn resumable(&self, tenant: TenantId, session: SessionId) -> Result<Option<Resumable>, Error> {
        let query = move |c: &Connection| {
            let Some(row) = sessions::find(c, tenant, session)? else { return Ok(None) };
            let (owner, id) = (tenant.as_uuid().as_bytes(), session.as_uuid().as_bytes());
            let (recipe, head, newest): (Option<i64>, Option<i64>, Option<i64>) = c
                .prepare_cached(OF_SESSION)?
                .query_row(params![owner, id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            if head != newest {
                return Err(Error::Broken("its newest checkpoint is not the one it names"));
            }
            let recipe = recipe.map(|key| read_recipe(c, key)).transpose()?;
            let chain = head.map(|key| read_chain(c, tenant, key)).transpose()?;
            Ok(Some(Resumable { session: row, recipe, chain }))
        };
        self.0.readers.read(query).await
    }

    /// A checkpoint of any of the tenant's sessions with its heap. None: there is no such one, or it is in no history any more.
    /// [`Error::Broken`] as of [`Store::resumable`].
    pub async fn chain(&self, tenant: TenantId, checkpoint: CheckpointId) -> Result<Option<Rewindable>, Error> {
        let query = move |c: &Connection| {
            let mut statement = c.prepare_cached(NAMED)?;
            let mut found = statement.query(params![tenant.as_uuid().as_bytes(), checkpoint.as_uuid().as_bytes()])?;
            let Some(row) = found.next()? else { return Ok(None) };
            let (key, recipe, session) = (row.get(0)?, row.get(1)?, rows::id(row, 2)?.into());
            let (recipe, chain) = (read_recipe(c, recipe)?, read_chain(c, tenant, key)?);
            Ok(Some(Rewindable { session, recipe, chain }))
        };
        self.0.readers.read(query).await
    }

    /// Sessions, of all tenants, with a timer that is due, the longest due first. They stay due until
    /// [`Store::session_woken`], their next checkpoint or their end.
    pub async fn sessions_due(&self, now: Timestamp, limit: u32) -> Result<Vec<(TenantId, SessionId)>, Error> {
        let query = move |c: &Connection| {
            let mut statement = c.prepare_cached(DUE)?;
            let mut found = statement.query(params![now.as_micros(), limit])?;
            let mut due = Vec::new();
            while let Some(row) = found.next()? {
                due.push((rows::id(row, 0)?.into(), rows::id(row, 1)?.into()));
            }
            Ok(due)
        };
        self.0.readers.read(query).await
    }

    /// When the next session, of all tenants, is due.
    pub async fn next_wake(&self) -> Result<Option<Timestamp>, Error> {
        let query = |c: &Connection| {
            let found = c.prepare_cached(NEXT_WAKE)?.query_row([], |row| row.get(0)).optional()?;
            Ok(found.map(Timestamp::from_micros))
        };
        self.0.readers.read(query).await
    }

    /// Queues that a session is not due any more.
    pub async fn session_woken(&self, tenant: TenantId, id: SessionId) -> Result<(), Error> {
        let change = move |c: &Connection| {
            c.prepare_cached(WOKEN)?.execute(params![tenant.as_uuid().as_bytes(), id.as_uuid().as_bytes()])?;
            Ok(())
        };
        self.0.writer.queue("session_woken", change).await
    }

    /// How much there is, over all tenants. Reads the rows of all ready sessions and an index entry of each checkpoint, no
    /// bodies: some hundred milliseconds at a hundred thousand sessions. For `ops` and not for every request.
    pub async fn durable_figures(&self) -> Result<DurableFigures, Error> {
        let query = |c: &Connection| {
            let mut figures = DurableFigures::default();
            let mut statement = c.prepare_cached(READY)?;
            let mut found = statement.query([])?;
            while let Some(row) = found.next()? {
                let count = rows::unsigned(row, 1)?;
                match rows::word(row, 0, model::Durability::parse)? {
                    model::Durability::None => figures.sessions_none = count,
                    model::Durability::Checkpoint => figures.sessions_checkpoint = count,
                    model::Durability::Every => figures.sessions_every = count,
                }
            }
            let mut statement = c.prepare_cached(STORED)?;
            let mut found = statement.query([])?;
            if let Some(row) = found.next()? {
                figures.checkpoints = rows::unsigned(row, 0)?;
                figures.bytes = rows::unsigned(row, 1)?;
                figures.history_bytes = rows::unsigned(row, 2)?;
            }
            Ok(figures)
        };
        self.0.readers.read(query).await
    }

    /// Which images are needed, and for how much, over all tenants. Reads the rows of all sessions that are not closed and of
    /// all checkpoints, no bodies: as much as [`Store::durable_figures`] and a little more.
    pub async fn images_needed(&self) -> Result<Vec<ImageUse>, Error> {
        let query = |c: &Connection| {
            let mut statement = c.prepare_cached(IMAGES)?;
            let mut found = statement.query([])?;
            let mut images = Vec::new();
            while let Some(row) = found.next()? {
                images.push(read_image(row)?);
            }
            Ok(images)
        };
        self.0.readers.read(query).await
    }
}

fn read_image(row: &Row<'_>) -> Result<ImageUse, Error> {
    let (sessions, checkpoints, bytes) = (rows::unsigned(row, 1)?, rows::unsigned(row, 2)?, rows::unsigned(row, 3)?);
    Ok(ImageUse { image: row.get(0)?, sessions, checkpoints, bytes })
}

fn read_recipe(c: &Connection, key: i64) -> Result<Recipe, Error> {
    let found = c
        .prepare_cached("SELECT hash, image, body FROM recipes WHERE key = ?1")?
        .query_row([key], |row| Ok(Recipe { hash: row.get(0)?, image: row.get(1)?, body: row.get(2)? }));
    found.optional()?.ok_or(Error::Broken("a recipe is missing"))
}

/// Follows the parents to the whole heap. Counters keep them whole; what a damaged file lost is noticed.
fn read_chain(c: &Connection, tenant: TenantId, key: i64) -> Result<Chain, Error> {
    let owner = tenant.as_uuid().as_bytes();
    let mut statement = c.prepare_cached(HEAD)?;
    let mut found = statement.query(params![key, owner])?;
    let row = found.next()?.ok_or(Error::Broken("a checkpoint is missing"))?;
    let mut chain = Chain {
        head: rows::id(row, 0)?.into(),
        kind: rows::word(row, 1, CheckpointKind::parse)?,
        seq: rows::unsigned(row, 2)?,
        depth: rows::unsigned(row, 3)?,
        links: Vec::new(),
    };
    let mut statement = c.prepare_cached(LINK)?;
    let mut next = Some(key);
    while let Some(key) = next {
        if chain.links.len() == CHAIN_MAX {
            return Err(Error::Broken("a chain is too long"));
        }
        let mut found = statement.query(params![key, owner])?;
        let row = found.next()?.ok_or(Error::Broken("a checkpoint's parent is missing"))?;
        let body: Option<Vec<u8>> = row.get(2)?;
        chain.links.push((rows::id(row, 0)?.into(), body.ok_or(Error::Broken("a checkpoint's body is missing"))?));
        next = row.get(1)?;
    }
    chain.links.reverse();
    Ok(chain)
}

#[cfg(test)]
mod tests {
    use model::{Durability, ExecutionStatus, SessionStatus};
    use uuid::Uuid;

    use super::*;
    use crate::checkpoints::{self, Place};
    use crate::scratch::{Scratch, TENANT, at, heap, new_execution, new_session, plan};
    use crate::{Fork, ForkFrom, NewCheckpoint};

    #[tokio::test]
    async fn a_chain_that_is_not_whole_says_so() {
        let scratch = Scratch::new();
        let store = &scratch.store;
        let id = scratch.session(Durability::Every).await;
        let fresh = store.resumable(TENANT, id).await.unwrap().unwrap();
        assert!(fresh.chain.is_none() && fresh.recipe.is_some());
        assert!(store.resumable(TENANT, Uuid::now_v7().into()).await.unwrap().is_none());
        let heaps = scratch.heaps(id, 3).await;
        let found = store.chain(TENANT, heaps[1]).await.unwrap().unwrap();
        assert_eq!((found.session, found.chain.head, found.chain.links.len()), (id, heaps[1], 2));
        assert!(store.chain(TENANT, Uuid::now_v7().into()).await.unwrap().is_none());

        scratch.raw("DELETE FROM checkpoint_bodies WHERE key = 2").await;
        let broken = store.resumable(TENANT, id).await;
        assert!(matches!(broken, Err(Error::Broken("a checkpoint's body is missing"))), "{broken:?}");
        assert!(store.chain(TENANT, heaps[0]).await.unwrap().is_some(), "what does not build on it");
        let options = scratch.options.clone();
        let raw = Connection::open(&options.path).unwrap();
        raw.execute_batch("PRAGMA foreign_keys = OFF; DELETE FROM checkpoints WHERE key = 1").unwrap();
        let broken = store.chain(TENANT, heaps[0]).await.unwrap();
        assert!(broken.is_none());
        raw.execute_batch("INSERT INTO checkpoint_bodies SELECT 2, tenant, body FROM checkpoint_bodies WHERE key = 3")
            .unwrap();
        let broken = store.resumable(TENANT, id).await;
        assert!(matches!(broken, Err(Error::Broken("a checkpoint's parent is missing"))), "{broken:?}");
        // The others go on.
        let other = scratch.session(Durability::Every).await;
        assert_eq!(scratch.heaps(other, 2).await.len(), 2);
    }

    #[tokio::test]
    async fn a_chain_has_an_end() {
        let scratch = Scratch::new();
        let id = scratch.session(Durability::Every).await;
        let many = |c: &Connection| {
            let place = Place { session: 1, recipe: 1, seq: 0 };
            let mut parent = None;
            for _ in 0..CHAIN_MAX {
                let new = heap(parent, 1);
                parent = Some(new.id);
                checkpoints::insert(c, TENANT, place, CheckpointKind::Run, &new)?;
            }
            Ok(parent)
        };
        let last = scratch.store.0.writer.write(many).await.unwrap();
        let found = scratch.store.resumable(TENANT, id).await.unwrap().unwrap();
        assert_eq!(found.chain.map(|chain| chain.links.len()), Some(CHAIN_MAX));
        scratch.store.checkpoint_stored(TENANT, id, heap(last, 1)).await.unwrap();
        let long = scratch.store.resumable(TENANT, id).await;
        assert!(matches!(long, Err(Error::Broken("a chain is too long"))), "{long:?}");
    }

    #[tokio::test]
    async fn timers_wake_in_their_order() {
        let scratch = Scratch::new();
        let store = &scratch.store;
        let mut ids = Vec::new();
        for n in 0..4 {
            let id = scratch.session(Durability::Every).await;
            let wake_at = Some(at(100 - n)).filter(|_| n < 3);
            store.checkpoint_stored(TENANT, id, NewCheckpoint { wake_at, ..heap(None, 1) }).await.unwrap();
            ids.push((TENANT, id));
        }
        assert_eq!(store.next_wake().await.unwrap(), Some(at(98)));
        assert_eq!(store.sessions_due(at(97), 9).await.unwrap(), []);
        assert_eq!(store.sessions_due(at(99), 9).await.unwrap(), [ids[2], ids[1]]);
        assert_eq!(store.sessions_due(at(200), 1).await.unwrap(), [ids[2]]);
        store.session_woken(TENANT, ids[2].1).await.unwrap();
        store.session_crashed(TENANT, ids[1].1, at(5), "x".into()).await.unwrap();
        assert_eq!(store.sessions_due(at(200), 9).await.unwrap(), [ids[0]]);
        let scratch = scratch.restarted(at(9));
        assert_eq!(scratch.store.sessions_due(at(200), 9).await.unwrap(), [ids[0]]);
    }

    #[tokio::test]
    async fn what_is_durable_outlives_the_server() {
        let scratch = Scratch::new();
        let store = &scratch.store;
        let every = scratch.session(Durability::Every).await;
        let untouched = scratch.session(Durability::Checkpoint).await;
        let fleeting = scratch.session(Durability::None).await;
        let starting = new_session(Durability::Every);
        store.session_starts(TENANT, starting.clone()).await.unwrap();
        let first = heap(None, 10);
        scratch.runs(every, Some(first.clone())).await.unwrap();
        // A session that goes with the server has a heap that another was forked from.
        let base = scratch.heaps(fleeting, 2).await;
        let fork = Fork { id: Uuid::now_v7().into(), checkpoint: Some(heap(Some(base[0]), 1)) };
        store.session_forks(TENANT, every, ForkFrom::Checkpoint(base[0]), vec![fork.clone()], at(5)).await.unwrap();
        assert_eq!(store.session(TENANT, fleeting).await.unwrap().unwrap().durable_seq, None);
        let running = new_execution(every);
        store.execution_starts(TENANT, running.clone()).await.unwrap();

        let scratch = scratch.restarted(at(50));
        let store = &scratch.store;
        let row = store.session(TENANT, every).await.unwrap().unwrap();
        assert_eq!((row.status, row.seq, row.durable_seq), (SessionStatus::Ready, 1, Some(1)));
        let chain = store.resumable(TENANT, every).await.unwrap().unwrap().chain.unwrap();
        assert_eq!(chain.links, [(first.id, first.body)]);
        let interrupted = store.execution(TENANT, running.id).await.unwrap().unwrap();
        assert_eq!(interrupted.status, ExecutionStatus::Interrupted);
        assert_eq!(store.session(TENANT, untouched).await.unwrap().unwrap().status, SessionStatus::Ready);
        let row = store.session(TENANT, starting.id).await.unwrap().unwrap();
        assert_eq!(row.status, SessionStatus::Crashed);
        let row = store.session(TENANT, fleeting).await.unwrap().unwrap();
        assert_eq!((row.status, row.closed_at), (SessionStatus::Closed, Some(at(50))));
        assert!(scratch.history(fleeting).await.is_empty());
        scratch.collect().await;
        assert_eq!(store.resumable(TENANT, fork.id).await.unwrap().unwrap().chain.unwrap().links.len(), 2);
        assert_eq!(scratch.count("SELECT count(*) FROM checkpoints").await, 3);
    }

    #[tokio::test]
    async fn figures_count_what_is_there() {
        let scratch = Scratch::new();
        let store = &scratch.store;
        assert_eq!(store.durable_figures().await.unwrap(), DurableFigures::default());
        assert_eq!(store.images_needed().await.unwrap(), []);
        let id = scratch.session(Durability::Every).await;
        scratch.session(Durability::None).await;
        scratch.session(Durability::Checkpoint).await;
        let heaps = scratch.heaps(id, 2).await;
        let fork = Fork { id: Uuid::now_v7().into(), checkpoint: Some(heap(Some(heaps[1]), 7)) };
        store.session_forks(TENANT, id, ForkFrom::Newest(Some(heaps[1])), vec![fork.clone()], at(5)).await.unwrap();
        let moved = heap(None, 11);
        store.session_migrated(TENANT, fork.id, crate::scratch::recipe(2), moved).await.unwrap();
        store.session_closed(TENANT, id, at(6), None).await.unwrap();
        let expected = DurableFigures {
            sessions_none: 1,
            sessions_checkpoint: 1,
            sessions_every: 1,
            checkpoints: 4,
            bytes: 218,
            history_bytes: 18,
        };
        assert_eq!(store.durable_figures().await.unwrap(), expected);
        let uses =
            |image: &str, sessions, checkpoints, bytes| ImageUse { image: image.into(), sessions, checkpoints, bytes };
        assert_eq!(store.images_needed().await.unwrap(), [uses("image1", 2, 3, 207), uses("image2", 1, 1, 11)]);
    }

    #[test]
    fn no_statement_scans_a_table() {
        for sql in [LINK, HEAD, OF_SESSION, NAMED, WOKEN] {
            let plan = plan(sql);
            assert!(!plan.is_empty() && plan.iter().all(|line| !line.contains("SCAN")), "{sql} {plan:#?}");
        }
        for sql in [DUE, NEXT_WAKE] {
            let plan = plan(sql);
            assert!(plan.len() == 1 && plan[0].contains("INDEX sessions_by_wake"), "{sql} {plan:#?}");
        }
        // Figures look at all that is there, but at no bodies, and at no sessions that are closed.
        assert!(plan(STORED)[0].contains("COVERING INDEX"), "{:?}", plan(STORED));
        for sql in [READY, IMAGES] {
            let plan = plan(sql);
            let sessions = |line: &&String| line.contains(" sessions");
            assert!(plan.iter().filter(sessions).all(|line| line.contains("SEARCH")), "{sql} {plan:#?}");
        }
    }
}
