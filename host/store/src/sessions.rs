//! Session rows. Which sessions are live is the registry's knowledge; these say what became of each.
use model::{Session, SessionId, SessionStatus, TemplateId, TenantId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::rows::{Cursor, Page, Wanted};
use crate::{Error, Store, executions, rows};

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
            "SELECT key, id, template, workspace_id, base_commit_oid, worktree_path, status, created_at, closed_at,
             last_error, runtime_meta FROM sessions WHERE tenant = ?1 ",
            $rest
        )
    };
}

impl Store {
    /// Queues a row with status `starting`; whatever is written next waits for it too. Nobody has heard of the
    /// session yet, so nobody needs to wait for the disk.
    pub async fn session_starts(&self, tenant: TenantId, new: NewSession) -> Result<(), Error> {
        self.0.writer.queue("session_starts", move |c| insert(c, tenant, &new, SessionStatus::Starting)).await
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

    /// The session did not start, or its heap is gone. Whatever still counts as running in it ends with it.
    pub async fn session_crashed(
        &self,
        tenant: TenantId,
        id: SessionId,
        at: Timestamp,
        why: String,
    ) -> Result<(), Error> {
        let change = move |c: &Connection| {
            settle(c, tenant, id, SessionStatus::Crashed, None, Some(&why))?;
            executions::crash(c, tenant, id, at)
        };
        self.0.writer.write(change).await
    }

    /// The session was closed, with the reason where it was not a client's wish. None when there is no such row.
    pub async fn session_closed(
        &self,
        tenant: TenantId,
        id: SessionId,
        at: Timestamp,
        why: Option<String>,
    ) -> Result<Option<Session>, Error> {
        let change = move |c: &Connection| {
            match settle(c, tenant, id, SessionStatus::Closed, Some(at), why.as_deref()) {
                Err(Error::Gone) => return Ok(None),
                settled => settled?,
            }
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
                    let mut statement = c.prepare_cached(select!("AND key < ?2 ORDER BY key DESC LIMIT ?3"))?;
                    let mut found = statement.query(params![tenant.as_bytes(), before, limit])?;
                    rows::page(&mut found, wanted, read, size)
                }
                Some(status) => {
                    let sql = select!("AND status = ?2 AND key < ?3 ORDER BY key DESC LIMIT ?4");
                    let mut statement = c.prepare_cached(sql)?;
                    let mut found = statement.query(params![tenant.as_bytes(), status.as_str(), before, limit])?;
                    rows::page(&mut found, wanted, read, size)
                }
            }
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

fn insert(c: &Connection, tenant: TenantId, new: &NewSession, status: SessionStatus) -> Result<(), Error> {
    c.prepare_cached(
        "INSERT INTO sessions
         (tenant, id, template, workspace_id, base_commit_oid, worktree_path, status, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        tenant.as_uuid().as_bytes(),
        new.id.as_uuid().as_bytes(),
        new.template.as_uuid().as_bytes(),
        new.workspace_id,
        new.base_commit_oid,
        new.worktree_path,
        status.as_str(),
        new.created_at.as_micros()
    ])?;
    Ok(())
}

/// Final states stay as they are: a crash that is noticed after the close is not news.
fn settle(
    c: &Connection,
    tenant: TenantId,
    id: SessionId,
    status: SessionStatus,
    closed_at: Option<Timestamp>,
    last_error: Option<&str>,
) -> Result<(), Error> {
    let changed = c
        .prepare_cached(
            "UPDATE sessions SET status = ?3, closed_at = max(?4, created_at), last_error = ?5
             WHERE tenant = ?1 AND id = ?2 AND status IN ('starting', 'ready')",
        )?
        .execute(params![
            tenant.as_uuid().as_bytes(),
            id.as_uuid().as_bytes(),
            status.as_str(),
            closed_at.map(|at| at.as_micros()),
            last_error
        ])?;
    if changed == 0 { Err(Error::Gone) } else { Ok(()) }
}

/// Reads `keep` entries of the index for each of the two states, and no rows but those that go.
fn prune(c: &Connection, tenant: TenantId, keep: u32) -> Result<(), Error> {
    let cut = c
        .prepare_cached(CUT)?
        .query_row(params![tenant.as_uuid().as_bytes(), keep], |row| row.get::<_, i64>(0))
        .optional()?;
    let Some(cut) = cut else { return Ok(()) };
    c.prepare_cached(PRUNE)?.execute(params![tenant.as_uuid().as_bytes(), cut, PRUNED_AT_ONCE])?;
    Ok(())
}

fn find(c: &Connection, tenant: TenantId, id: SessionId) -> Result<Option<Session>, Error> {
    let mut statement = c.prepare_cached(select!("AND id = ?2"))?;
    let mut rows = statement.query(params![tenant.as_uuid().as_bytes(), id.as_uuid().as_bytes()])?;
    rows.next()?.map(read).transpose()
}

fn read(row: &Row<'_>) -> Result<Session, Error> {
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
    })
}

#[cfg(test)]
mod tests {
    use model::{ExecutionId, ExecutionKind};
    use serde_json::value::RawValue;
    use uuid::Uuid;

    use super::*;
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
        let c = Connection::open_in_memory().unwrap();
        c.execute_batch(include_str!("schema.golden.sql")).unwrap();
        for sql in [CUT, PRUNE] {
            let mut statement = c.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let bound = vec![0; statement.parameter_count()];
            let plan = statement.query_map(rusqlite::params_from_iter(bound), |row| row.get::<_, String>(3)).unwrap();
            let plan: Vec<String> = plan.map(Result::unwrap).collect();
            let tables = |line: &&String| line.contains("sessions");
            assert!(plan.iter().filter(tables).all(|line| line.contains("SEARCH")), "{plan:#?}");
        }
    }
}
