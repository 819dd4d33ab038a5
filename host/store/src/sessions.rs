//! Session rows. Which sessions are live is the registry's knowledge; these say what became of each.
use std::sync::Arc;

use model::{Durability, Session, SessionId, SessionStatus, TemplateId, TenantId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::rows::{Cursor, Page, Wanted};
use crate::{Error, Store, checkpoints, executions, rows};

/// A session that is about to start.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Its id.
    pub id: SessionId,
    /// The template it is made from.
    pub template: TemplateId,
    /// The client's label.
    pub workspace_id: String,
    /// The client's label.
    pub base_commit_oid: String,
    /// As the client sent it.
    pub worktree_path: String,
    /// When.
    pub created_at: Timestamp,
    /// What it is made of. A session without one has no checkpoints.
    pub recipe: Option<Arc<Recipe>>,
    /// What of it outlives the server.
    pub durability: Durability,
}

/// What sessions are made of. Stored once for all of a tenant's sessions that are made alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// The caller's digest of what follows: recipes of one hash are one.
    pub hash: [u8; 32],
    /// The image's hash, as the engine writes it.
    pub image: String,
    /// JSON that only the caller understands.
    pub body: String,
}

/// Sessions that one call removes at most, so that the first one after `keep` was lowered holds nobody up. Each call makes
/// up for more than one that was closed.
const PRUNED_AT_ONCE: u32 = 16;

/// The newest session that goes: behind ?2 others that are over.
const CUT: &str = "SELECT key FROM (SELECT key FROM sessions WHERE tenant = ?1 AND status = 'closed'
                              ORDER BY key DESC LIMIT ?2 + 1)
             UNION ALL
             SELECT key FROM (SELECT key FROM sessions WHERE tenant = ?1 AND status = 'crashed'
                              ORDER BY key DESC LIMIT ?2 + 1)
             ORDER BY key DESC LIMIT 1 OFFSET ?2";
const PRUNE: &str = "DELETE FROM sessions WHERE key IN
         (SELECT key FROM sessions WHERE tenant = ?1 AND status IN ('closed', 'crashed') AND key <= ?2
          ORDER BY key LIMIT ?3)";

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT s.key, s.id, s.template, s.workspace_id, s.base_commit_oid, s.worktree_path, s.status, s.created_at,
             s.closed_at, s.last_error, s.runtime_meta, s.durability, s.seq, h.seq
             FROM sessions s LEFT JOIN checkpoints h ON h.key = s.head WHERE s.tenant = ?1 ",
            $rest
        )
    };
}

const LIST: &str = select!("AND s.key < ?2 ORDER BY s.key DESC LIMIT ?3");
const LIST_BY_STATUS: &str = select!("AND s.status = ?2 AND s.key < ?3 ORDER BY s.key DESC LIMIT ?4");
const FIND: &str = select!("AND s.id = ?2");
const COUNT: &str = "SELECT count(*) FROM sessions WHERE tenant = ?1 AND status = ?2";
const NEWEST_IDS: &str = "SELECT id FROM sessions WHERE tenant = ?1 AND status = ?2 ORDER BY key DESC LIMIT ?3";

impl Store {
    /// Queues a row with status `starting`; whatever is written next waits for it too. Nobody has heard of the
    /// session yet, so nobody needs to wait for the disk.
    pub async fn session_starts(&self, tenant: TenantId, new: NewSession) -> Result<(), Error> {
        let change = move |c: &Connection| insert(c, tenant, &new, SessionStatus::Starting).map(drop);
        self.0.writer.queue("session_starts", change).await
    }

    /// Writes the row of a session that takes executions already: nothing had to be waited for on its way from `starting`.
    /// Answers once it is on the disk.
    pub async fn session_begins(&self, tenant: TenantId, new: NewSession) -> Result<Session, Error> {
        let change = move |c: &Connection| {
            insert(c, tenant, &new, SessionStatus::Ready)?;
            Ok(Session {
                id: new.id,
                vm_id: new.template,
                workspace_id: new.workspace_id,
                base_commit_oid: new.base_commit_oid,
                worktree_path: new.worktree_path,
                status: SessionStatus::Ready,
                created_at: new.created_at,
                closed_at: None,
                last_error: None,
                runtime_meta: None,
                durability: new.durability,
                seq: 0,
                durable_seq: None,
            })
        };
        self.0.writer.write(change).await
    }

    /// The session takes executions from now on.
    pub async fn session_ready(&self, tenant: TenantId, id: SessionId) -> Result<Session, Error> {
        let change = move |c: &Connection| {
            settle(c, tenant, id, SessionStatus::Ready, None, None)?;
            find(c, tenant, id)?.ok_or(Error::Gone)
        };
        self.0.writer.write(change).await
    }

    /// The session did not start, or its heap is gone. Whatever still counts as running in it ends with it. The checkpoints of one
    /// that had started stay, and it can be rewound to one; it is not woken any more.
    pub async fn session_crashed(
        &self,
        tenant: TenantId,
        id: SessionId,
        at: Timestamp,
        why: String,
    ) -> Result<(), Error> {
        let change = move |c: &Connection| {
            let started = find(c, tenant, id)?.is_none_or(|row| row.status != SessionStatus::Starting);
            let key = settle(c, tenant, id, SessionStatus::Crashed, None, Some(&why))?;
            if !started {
                checkpoints::release(c, key)?;
            }
            executions::crash(c, tenant, id, at)
        };
        self.0.writer.write(change).await
    }

    /// The session was closed, with the reason where it was not a client's wish. None when there is no such row. Its
    /// checkpoints go, but for those that others were forked from.
    pub async fn session_closed(
        &self,
        tenant: TenantId,
        id: SessionId,
        at: Timestamp,
        why: Option<String>,
    ) -> Result<Option<Session>, Error> {
        let change = move |c: &Connection| {
            let key = match settle(c, tenant, id, SessionStatus::Closed, Some(at), why.as_deref()) {
                Err(Error::Gone) => return Ok(None),
                settled => settled?,
            };
            checkpoints::release(c, key)?;
            // Nothing runs any more; a run whose end could not be written says so now.
            executions::crash(c, tenant, id, at)?;
            find(c, tenant, id)
        };
        self.0.writer.write(change).await
    }

    /// Queues the removal of a tenant's oldest sessions that are over, closed or crashed, with their executions and events,
    /// but for the newest `keep`. To be called whenever a session is over: a call removes a few, so that what has piled up
    /// goes bit by bit.
    pub async fn prune_sessions(&self, tenant: TenantId, keep: u32) -> Result<(), Error> {
        let change = move |c: &Connection| prune(c, tenant, keep);
        self.0.writer.queue("prune_sessions", change).await
    }

    /// A session's row.
    pub async fn session(&self, tenant: TenantId, id: SessionId) -> Result<Option<Session>, Error> {
        self.0.readers.read(move |c| find(c, tenant, id)).await
    }

    /// A page of the sessions of that status, or of all, newest first.
    pub async fn sessions(
        &self,
        tenant: TenantId,
        status: Option<SessionStatus>,
        wanted: Wanted,
    ) -> Result<Page<Session>, Error> {
        let query = move |c: &Connection| {
            let (tenant, Cursor(before), limit) = (*tenant.as_uuid(), wanted.before, i64::from(wanted.rows_max) + 1);
            let size = |s: &Session| {
                let error = s.last_error.as_ref().map_or(0, String::len);
                512 + s.workspace_id.len() + s.base_commit_oid.len() + s.worktree_path.len() + error
            };
            match status {
                None => {
                    let mut statement = c.prepare_cached(LIST)?;
                    let mut found = statement.query(params![tenant.as_bytes(), before, limit])?;
                    rows::page(&mut found, wanted, read, size)
                }
                Some(status) => {
                    let mut statement = c.prepare_cached(LIST_BY_STATUS)?;
                    let mut found = statement.query(params![tenant.as_bytes(), status.as_str(), before, limit])?;
                    rows::page(&mut found, wanted, read, size)
                }
            }
        };
        self.0.readers.read(query).await
    }

    /// How many sessions of a tenant are ready, and the ids of the newest `ids_max` of them, sorted.
    pub async fn sessions_ready(&self, tenant: TenantId, ids_max: u32) -> Result<(u64, Vec<SessionId>), Error> {
        let query = move |c: &Connection| {
            let (tenant, ready) = (*tenant.as_uuid(), SessionStatus::Ready.as_str());
            let count =
                c.prepare_cached(COUNT)?.query_row(params![tenant.as_bytes(), ready], |row| row.get::<_, i64>(0))?;
            let mut statement = c.prepare_cached(NEWEST_IDS)?;
            let mut found = statement.query(params![tenant.as_bytes(), ready, ids_max])?;
            let mut ids: Vec<SessionId> = Vec::new();
            while let Some(row) = found.next()? {
                ids.push(rows::id(row, 0)?.into());
            }
            ids.sort_unstable();
            Ok((u64::try_from(count).unwrap_or(0), ids))
        };
        self.0.readers.read(query).await
    }

    /// The place of a session in the list of them, to read on from there. None when there is no such session.
    pub async fn session_cursor(&self, tenant: TenantId, id: SessionId) -> Result<Option<Cursor>, Error> {
        self.0.readers.read(move |c| Ok(key(c, tenant, id)?.map(Cursor))).await
    }
}

/// The row number of a session.
pub(crate) fn key(c: &Connection, tenant: TenantId, id: SessionId) -> Result<Option<i64>, Error> {
    let mut statement = c.prepare_cached("SELECT key FROM sessions WHERE tenant = ?1 AND id = ?2")?;
    let found = statement.query_row(params![tenant.as_uuid().as_bytes(), id.as_uuid().as_bytes()], |row| row.get(0));
    Ok(found.optional()?)
}

/// Writes the row, and the recipe if it is a new one. Its row number.
pub(crate) fn insert(c: &Connection, tenant: TenantId, new: &NewSession, status: SessionStatus) -> Result<i64, Error> {
    let recipe = new.recipe.as_deref().map(|recipe| recipe_key(c, tenant, recipe)).transpose()?;
    c.prepare_cached(
        "INSERT INTO sessions
         (tenant, id, template, workspace_id, base_commit_oid, worktree_path, status, created_at, recipe, durability)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        tenant.as_uuid().as_bytes(),
        new.id.as_uuid().as_bytes(),
        new.template.as_uuid().as_bytes(),
        new.workspace_id,
        new.base_commit_oid,
        new.worktree_path,
        status.as_str(),
        new.created_at.as_micros(),
        recipe,
        new.durability.as_str()
    ])?;
    Ok(c.last_insert_rowid())
}

/// The row number of a recipe, which is written if there is none of its hash. Looked up anew each time, by its index: a key
/// that was remembered from a change that was then undone would be another recipe's.
pub(crate) fn recipe_key(c: &Connection, tenant: TenantId, recipe: &Recipe) -> Result<i64, Error> {
    let tenant = tenant.as_uuid().as_bytes();
    let known = c
        .prepare_cached("SELECT key FROM recipes WHERE tenant = ?1 AND hash = ?2")?
        .query_row(params![tenant, recipe.hash], |row| row.get(0))
        .optional()?;
    if let Some(key) = known {
        return Ok(key);
    }
    c.prepare_cached("INSERT INTO recipes (tenant, hash, image, body) VALUES (?1, ?2, ?3, ?4)")?.execute(params![
        tenant,
        recipe.hash,
        recipe.image,
        recipe.body
    ])?;
    Ok(c.last_insert_rowid())
}

/// Final states stay as they are: a crash that is noticed after the close is not news. The row number.
fn settle(
    c: &Connection,
    tenant: TenantId,
    id: SessionId,
    status: SessionStatus,
    closed_at: Option<Timestamp>,
    last_error: Option<&str>,
) -> Result<i64, Error> {
    let given = params![
        tenant.as_uuid().as_bytes(),
        id.as_uuid().as_bytes(),
        status.as_str(),
        closed_at.map(|at| at.as_micros()),
        last_error
    ];
    let changed = c
        .prepare_cached(
            "UPDATE sessions SET status = ?3, closed_at = max(?4, created_at), last_error = ?5,
             wake_at = CASE ?3 WHEN 'ready' THEN wake_at END
             WHERE tenant = ?1 AND id = ?2 AND status IN ('starting', 'ready') RETURNING key",
        )?
        .query_row(given, |row| row.get(0));
    changed.optional()?.ok_or(Error::Gone)
}

/// Reads `keep` entries of the index for each of the two states, and no rows but those that go.
fn prune(c: &Connection, tenant: TenantId, keep: u32) -> Result<(), Error> {
    let cut = c
        .prepare_cached(CUT)?
        .query_row(params![tenant.as_uuid().as_bytes(), keep], |row| row.get::<_, i64>(0))
        .optional()?;
    let Some(cut) = cut else { return Ok(()) };
    c.prepare_cached(PRUNE)?.execute(params![tenant.as_uuid().as_bytes(), cut, PRUNED_AT_ONCE])?;
    // Those that had crashed still had theirs.
    checkpoints::collect(c).map(drop)
}

pub(crate) fn find(c: &Connection, tenant: TenantId, id: SessionId) -> Result<Option<Session>, Error> {
    let mut statement = c.prepare_cached(FIND)?;
    let mut rows = statement.query(params![tenant.as_uuid().as_bytes(), id.as_uuid().as_bytes()])?;
    rows.next()?.map(read).transpose()
}

pub(crate) fn read(row: &Row<'_>) -> Result<Session, Error> {
    let durability = rows::word(row, 11, Durability::parse)?;
    Ok(Session {
        id: rows::id(row, 1)?.into(),
        vm_id: rows::id(row, 2)?.into(),
        workspace_id: row.get(3)?,
        base_commit_oid: row.get(4)?,
        worktree_path: row.get(5)?,
        status: rows::word(row, 6, SessionStatus::parse)?,
        created_at: rows::time(row, 7)?,
        closed_at: rows::time_if_any(row, 8)?,
        last_error: row.get(9)?,
        runtime_meta: rows::json_if_any(row, 10)?,
        durability,
        seq: rows::unsigned(row, 12)?,
        durable_seq: rows::unsigned_if_any(row, 13)?.filter(|_| !durability.is_none()),
    })
}

#[cfg(test)]
mod tests {
    use model::{ExecutionId, ExecutionKind};
    use serde_json::value::RawValue;
    use uuid::Uuid;

    use super::*;
    use crate::scratch::plan;
    use crate::{NewExecution, Options};

    const TENANT: TenantId = TenantId::DEFAULT;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn scratch() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&Options::new(dir.path().join("test.db")), at(1)).unwrap();
        (dir, store)
    }

    async fn ready(store: &Store) -> SessionId {
        let id: SessionId = Uuid::now_v7().into();
        let new = NewSession {
            id,
            template: Uuid::now_v7().into(),
            workspace_id: "w".into(),
            base_commit_oid: "0".into(),
            worktree_path: "/w".into(),
            created_at: at(1),
            recipe: None,
            durability: Durability::None,
        };
        store.session_starts(TENANT, new).await.unwrap();
        store.session_ready(TENANT, id).await.unwrap();
        id
    }

    async fn run(store: &Store, session: SessionId) -> ExecutionId {
        let new = NewExecution {
            id: Uuid::now_v7().into(),
            session,
            kind: ExecutionKind::Repl,
            input: Some("1".into()),
            path: None,
            args: RawValue::from_string("{}".into()).unwrap(),
            env: RawValue::from_string("{}".into()).unwrap(),
            started_at: at(2),
        };
        let id = new.id;
        store.execution_starts(TENANT, new).await.unwrap();
        id
    }

    async fn listed(store: &Store) -> Vec<SessionId> {
        // A read sees what was committed: this write makes the queued changes that.
        let _ = store.session_closed(TENANT, Uuid::now_v7().into(), at(9), None).await;
        let wanted = Wanted { before: Cursor::START, rows_max: 1_000 };
        store.sessions(TENANT, None, wanted).await.unwrap().rows.into_iter().map(|s| s.id).collect()
    }

    #[tokio::test]
    async fn the_oldest_sessions_that_are_over_go_with_all_they_have() {
        let (_dir, store) = scratch();
        let mut ids = Vec::new();
        let mut executions = Vec::new();
        for n in 0..7 {
            let id = ready(&store).await;
            ids.insert(0, id);
            executions.insert(0, run(&store, id).await);
            match n {
                // The oldest of all and one in between go on.
                0 | 3 => {}
                1 | 4 => store.session_crashed(TENANT, id, at(3), "why".into()).await.unwrap(),
                _ => drop(store.session_closed(TENANT, id, at(3), None).await.unwrap()),
            }
        }
        store.prune_sessions(TENANT, 5).await.unwrap();
        store.prune_sessions(Uuid::now_v7().into(), 1).await.unwrap();
        assert_eq!(listed(&store).await, ids);
        // Newest first: closed, closed, crashed, live, closed, crashed, live.
        store.prune_sessions(TENANT, 3).await.unwrap();
        assert_eq!(listed(&store).await, [ids[0], ids[1], ids[2], ids[3], ids[6]]);
        for (n, execution) in executions.iter().enumerate() {
            let there = store.execution(TENANT, *execution).await.unwrap().is_some();
            assert_eq!(there, ![4, 5].contains(&n), "{n}");
        }
        store.prune_sessions(TENANT, 1).await.unwrap();
        assert_eq!(listed(&store).await, [ids[0], ids[3], ids[6]]);
    }

    #[tokio::test]
    async fn what_has_piled_up_goes_bit_by_bit() {
        let (_dir, store) = scratch();
        for _ in 0..PRUNED_AT_ONCE + 5 {
            let id = ready(&store).await;
            store.session_closed(TENANT, id, at(3), None).await.unwrap();
        }
        store.prune_sessions(TENANT, 2).await.unwrap();
        assert_eq!(listed(&store).await.len(), 5);
        store.prune_sessions(TENANT, 2).await.unwrap();
        assert_eq!(listed(&store).await.len(), 2);
    }

    /// However many sessions a tenant has, the index leads to those that count.
    #[test]
    fn pruning_scans_no_table() {
        for sql in [CUT, PRUNE] {
            let plan = plan(sql);
            let tables = |line: &&String| line.contains("sessions");
            assert!(plan.iter().filter(tables).all(|line| line.contains("SEARCH")), "{plan:#?}");
        }
    }

    /// Nor is there anything to sort, so that a page costs as much as it shows.
    #[test]
    fn lists_lead_from_row_to_row() {
        for (sql, index) in [(LIST_BY_STATUS, "sessions_by_status"), (FIND, "sqlite_autoindex_sessions_1")] {
            let plan = plan(sql);
            assert!(plan[0].starts_with("SEARCH") && plan[0].contains(index), "{plan:#?}");
            assert!(plan[1].starts_with("SEARCH h USING INTEGER PRIMARY KEY") && plan.len() == 2, "{plan:#?}");
        }
        for sql in [COUNT, NEWEST_IDS] {
            let plan = plan(sql);
            assert!(plan.len() == 1 && plan[0].contains("sessions_by_status"), "{plan:#?}");
        }
        let plan = plan(LIST);
        assert!(plan.iter().all(|line| !line.contains("SCAN") && !line.contains("TEMP B-TREE")), "{plan:#?}");
    }
}
