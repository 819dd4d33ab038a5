//! Executions: a row when one starts, its end and its events in one transaction.
use std::sync::Arc;

use model::{
    ErrorCode, Exception, Execution, ExecutionId, ExecutionKind, ExecutionStatus, SessionId, TenantId, Timestamp,
};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::value::RawValue;

use crate::rows::{Cursor, Page, Wanted};
use crate::{Error, EventLog, NewCheckpoint, Store, checkpoints, events, rows, sessions};

/// An execution that starts.
#[derive(Clone, Debug)]
pub struct NewExecution {
    /// Its id.
    pub id: ExecutionId,
    /// Where it runs.
    pub session: SessionId,
    /// What is run.
    pub kind: ExecutionKind,
    /// The source, of `repl`.
    pub input: Option<String>,
    /// The file, of `run_file` and `startup`.
    pub path: Option<String>,
    /// JSON, handed back as it is.
    pub args: Box<RawValue>,
    /// JSON, handed back as it is.
    pub env: Box<RawValue>,
    /// When.
    pub started_at: Timestamp,
}

/// How an execution ended.
#[derive(Clone, Debug)]
pub struct FinishedExecution {
    /// Its id.
    pub id: ExecutionId,
    /// A final status.
    pub status: ExecutionStatus,
    /// When.
    pub ended_at: Timestamp,
    /// The completion value as JSON, handed back as it is.
    pub result: Option<Box<RawValue>>,
    /// What it threw.
    pub error: Option<Exception>,
    /// What it used, as JSON.
    pub metrics: Box<RawValue>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT e.key, e.id, s.id, e.kind, e.input, e.path, e.args, e.env, e.status, e.started_at, e.ended_at, e.result,
             e.error, e.metrics FROM executions e JOIN sessions s ON s.key = e.session WHERE e.tenant = ?1 ",
            $rest
        )
    };
}

impl Store {
    /// Queues a row with status `running`, not waiting for the disk.
    ///
    /// What this buys: an execution that takes less than a disk's fsync costs one commit and not two, since its
    /// start and its end share one. What it can't cost: nobody has been told of the execution yet, and the
    /// end is written after the start on the same thread. If the server dies in between, either the row is not there
    /// and was never acknowledged, or it is `running` and the next server's start makes it `interrupted`.
    pub async fn execution_starts(&self, tenant: TenantId, new: NewExecution) -> Result<(), Error> {
        self.0.writer.queue("execution_starts", move |c| insert(c, tenant, &new)).await
    }

    /// The same, and answers once the row is on the disk: for a client that is told of the execution before it ends.
    pub async fn execution_accepted(&self, tenant: TenantId, new: NewExecution) -> Result<Execution, Error> {
        let change = move |c: &Connection| {
            insert(c, tenant, &new)?;
            find(c, tenant, new.id)?.ok_or(Error::Gone)
        };
        self.0.writer.write(change).await
    }

    /// Writes an execution's end and its events, and the heap that it left; answers once that is on the disk. It counts in the
    /// session's `seq`, which is what the checkpoint includes. If the checkpoint can't be stored nothing is
    /// ([`Error::Gone`]: its parent is not there, or the session is over), and the caller may try without.
    pub async fn execution_ends(
        &self,
        tenant: TenantId,
        end: FinishedExecution,
        log: Arc<EventLog>,
        checkpoint: Option<NewCheckpoint>,
    ) -> Result<Execution, Error> {
        let change = move |c: &Connection| {
            let (key, session) = finish(c, tenant, &end)?;
            c.prepare_cached("UPDATE sessions SET seq = seq + 1 WHERE key = ?1")?.execute([session])?;
            events::insert(c, tenant, key, &log)?;
            if let Some(checkpoint) = checkpoint {
                checkpoints::store(c, tenant, session, &checkpoint)?;
            }
            find(c, tenant, end.id)?.ok_or(Error::Gone)
        };
        self.0.writer.write(change).await
    }

    /// An execution.
    pub async fn execution(&self, tenant: TenantId, id: ExecutionId) -> Result<Option<Execution>, Error> {
        self.0.readers.read(move |c| find(c, tenant, id)).await
    }

    /// A page of a session's executions, newest first. None when there is no such session.
    pub async fn executions(
        &self,
        tenant: TenantId,
        session: SessionId,
        wanted: Wanted,
    ) -> Result<Option<Page<Execution>>, Error> {
        let query = move |c: &Connection| {
            let Some(key) = sessions::key(c, tenant, session)? else { return Ok(None) };
            let sql = select!("AND e.session = ?2 AND e.key < ?3 ORDER BY e.key DESC LIMIT ?4");
            let mut statement = c.prepare_cached(sql)?;
            let (Cursor(before), limit) = (wanted.before, i64::from(wanted.rows_max) + 1);
            let mut found = statement.query(params![tenant.as_uuid().as_bytes(), key, before, limit])?;
            rows::page(&mut found, wanted, read, size).map(Some)
        };
        self.0.readers.read(query).await
    }

    /// The place of an execution in its session's list, to read on from there. None when the session has no such one.
    pub async fn execution_cursor(
        &self,
        tenant: TenantId,
        session: SessionId,
        id: ExecutionId,
    ) -> Result<Option<Cursor>, Error> {
        let query = move |c: &Connection| {
            let Some(session) = sessions::key(c, tenant, session)? else { return Ok(None) };
            let mut statement =
                c.prepare_cached("SELECT key FROM executions WHERE tenant = ?1 AND id = ?2 AND session = ?3")?;
            let (tenant, id) = (tenant.as_uuid().as_bytes(), id.as_uuid().as_bytes());
            Ok(statement.query_row(params![tenant, id, session], |row| row.get(0)).optional()?.map(Cursor))
        };
        self.0.readers.read(query).await
    }

    /// Queues the removal of a session's oldest finished executions, and of their events, but for the newest `keep`.
    pub async fn prune_executions(&self, tenant: TenantId, session: SessionId, keep: u32) -> Result<(), Error> {
        let change = move |c: &Connection| {
            let Some(key) = sessions::key(c, tenant, session)? else { return Ok(()) };
            c.prepare_cached(
                "DELETE FROM executions WHERE session = ?1 AND status <> 'running' AND key <=
                 (SELECT key FROM executions WHERE session = ?1 AND status <> 'running'
                  ORDER BY key DESC LIMIT 1 OFFSET ?2)",
            )?
            .execute(params![key, keep])?;
            Ok(())
        };
        self.0.writer.queue("prune_executions", change).await
    }
}

/// About what a row takes in memory and in an answer.
fn size(execution: &Execution) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let error = execution.error.as_ref().map_or(0, |e| e.message.len() + text(&e.stack));
    let result = execution.result.as_ref().map_or(0, |json| json.get().len());
    let sent = text(&execution.input) + text(&execution.path) + execution.args.get().len() + execution.env.get().len();
    512 + sent + result + error
}

/// The row number of an execution.
pub(crate) fn key(c: &Connection, tenant: TenantId, id: ExecutionId) -> Result<Option<i64>, Error> {
    let mut statement = c.prepare_cached("SELECT key FROM executions WHERE tenant = ?1 AND id = ?2")?;
    let found = statement.query_row(params![tenant.as_uuid().as_bytes(), id.as_uuid().as_bytes()], |row| row.get(0));
    Ok(found.optional()?)
}

fn insert(c: &Connection, tenant: TenantId, new: &NewExecution) -> Result<(), Error> {
    let session = sessions::key(c, tenant, new.session)?.ok_or(Error::Gone)?;
    c.prepare_cached(
        "INSERT INTO executions (tenant, id, session, kind, input, path, args, env, status, started_at, metrics)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'running', ?9, '{}')",
    )?
    .execute(params![
        tenant.as_uuid().as_bytes(),
        new.id.as_uuid().as_bytes(),
        session,
        new.kind.as_str(),
        new.input,
        new.path,
        new.args.get(),
        new.env.get(),
        new.started_at.as_micros()
    ])?;
    Ok(())
}

/// The row numbers of the execution and of its session.
fn finish(c: &Connection, tenant: TenantId, end: &FinishedExecution) -> Result<(i64, i64), Error> {
    let error = end.error.as_ref().map(rows::to_json).transpose()?;
    let found = c
        .prepare_cached(
            "UPDATE executions SET status = ?3, ended_at = max(?4, started_at), result = ?5, error = ?6, metrics = ?7
             WHERE tenant = ?1 AND id = ?2 AND status = 'running' RETURNING key, session",
        )?
        .query_row(
            params![
                tenant.as_uuid().as_bytes(),
                end.id.as_uuid().as_bytes(),
                end.status.as_str(),
                end.ended_at.as_micros(),
                end.result.as_ref().map(|json| json.get()),
                error,
                end.metrics.get()
            ],
            |row| Ok((row.get(0)?, row.get(1)?)),
        );
    found.optional()?.ok_or(Error::Gone)
}

/// Ends what still runs in a session whose heap is gone.
pub(crate) fn crash(c: &Connection, tenant: TenantId, session: SessionId, at: Timestamp) -> Result<(), Error> {
    let error = rows::to_json(&exception(ErrorCode::SessionCrashed, "The session crashed while this ran"))?;
    c.prepare_cached(
        "UPDATE executions SET status = 'error', ended_at = max(?3, started_at), error = ?4
         WHERE session = (SELECT key FROM sessions WHERE tenant = ?1 AND id = ?2) AND status = 'running'",
    )?
    .execute(params![tenant.as_uuid().as_bytes(), session.as_uuid().as_bytes(), at.as_micros(), error])?;
    Ok(())
}

/// The exception of an execution whose heap went away beneath it.
pub(crate) fn exception(code: ErrorCode, message: &str) -> Exception {
    Exception { message: message.to_owned(), stack: None, line: None, column: None, code: Some(code) }
}

fn find(c: &Connection, tenant: TenantId, id: ExecutionId) -> Result<Option<Execution>, Error> {
    let mut statement = c.prepare_cached(select!("AND e.id = ?2"))?;
    let mut rows = statement.query(params![tenant.as_uuid().as_bytes(), id.as_uuid().as_bytes()])?;
    rows.next()?.map(read).transpose()
}

fn read(row: &Row<'_>) -> Result<Execution, Error> {
    let error: Option<String> = row.get(12)?;
    let error = error.map(|json| serde_json::from_str(&json)).transpose();
    Ok(Execution {
        id: rows::id(row, 1)?.into(),
        session_id: rows::id(row, 2)?.into(),
        kind: rows::word(row, 3, ExecutionKind::parse)?,
        input: row.get(4)?,
        path: row.get(5)?,
        args: rows::json(row, 6)?,
        env: rows::json(row, 7)?,
        status: rows::word(row, 8, ExecutionStatus::parse)?,
        started_at: rows::time(row, 9)?,
        ended_at: rows::time_if_any(row, 10)?,
        result: rows::json_if_any(row, 11)?,
        error: error.map_err(|e| Error::Corrupt(format!("execution error: {e}")))?,
        metrics: rows::json(row, 13)?,
    })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use model::{ConsoleLevel, Durability, Payload, SessionStatus};
    use uuid::Uuid;

    use super::*;
    use crate::{NewSession, Options};

    const TENANT: TenantId = TenantId::DEFAULT;
    const ALL: Wanted = Wanted { before: Cursor::START, rows_max: 100 };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.into()).unwrap()
    }

    async fn session(store: &Store) -> SessionId {
        let id: SessionId = Uuid::now_v7().into();
        let new = NewSession {
            id,
            template: Uuid::now_v7().into(),
            workspace_id: "w".into(),
            base_commit_oid: "c".into(),
            worktree_path: "/".into(),
            created_at: at(1),
            recipe: None,
            durability: Durability::None,
        };
        store.session_starts(TENANT, new).await.unwrap();
        assert_eq!(store.session_ready(TENANT, id).await.unwrap().status, SessionStatus::Ready);
        id
    }

    fn starting(session: SessionId) -> NewExecution {
        NewExecution {
            id: Uuid::now_v7().into(),
            session,
            kind: ExecutionKind::Repl,
            input: Some("1".into()),
            path: None,
            args: raw("[]"),
            env: raw("{}"),
            started_at: at(2),
        }
    }

    fn ending(id: ExecutionId) -> FinishedExecution {
        let result = Some(raw(r#"{"type":"undefined","preview":"undefined","json":null}"#));
        let (status, metrics) = (ExecutionStatus::Ok, raw(r#"{"cpu_us":1}"#));
        FinishedExecution { id, status, ended_at: at(3), result, error: None, metrics }
    }

    #[tokio::test]
    async fn an_execution_and_its_events() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&Options::new(dir.path().join("test.db")), at(1)).unwrap();
        let session = session(&store).await;
        let new = starting(session);
        let id = new.id;
        store.execution_starts(TENANT, new).await.unwrap();
        let mut log = EventLog::default();
        log.push(at(2), &Payload::InputEcho { text: "line\nbreak".into() });
        let ended = store.execution_ends(TENANT, ending(id), log.into(), None).await.unwrap();
        let json = serde_json::to_string(&ended).unwrap();
        assert!(json.contains(r#""result":{"type":"undefined","preview":"undefined","json":null}"#), "{json}");
        assert!(!json.contains("path"), "{json}");

        // It ends once.
        let again = store.execution_ends(TENANT, ending(id), Arc::default(), None).await;
        assert!(matches!(again, Err(Error::Gone)), "{again:?}");

        let events = store.events(TENANT, id, 0, usize::MAX).await.unwrap().unwrap().events;
        let json = serde_json::to_string(&events).unwrap();
        let expected = format!(
            r#"[{{"execution_id":"{id}","seq":1,"ts":"1970-01-01T00:00:02.000000Z","type":"input_echo","payload":{{"text":"line\nbreak"}}}}]"#
        );
        assert_eq!(json, expected);

        let newest = store.executions(TENANT, session, ALL).await.unwrap().unwrap().rows;
        assert_eq!(newest.iter().map(|e| e.id).collect::<Vec<_>>(), [id]);
        assert!(store.executions(TENANT, Uuid::now_v7().into(), ALL).await.unwrap().is_none());
        assert!(store.events(TENANT, Uuid::now_v7().into(), 0, 1).await.unwrap().is_none());
        let stranger: TenantId = Uuid::now_v7().into();
        assert!(store.execution(stranger, id).await.unwrap().is_none());
        assert!(store.events(stranger, id, 0, 1).await.unwrap().is_none());
        assert!(store.executions(stranger, session, ALL).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn fifty_thousand_events_take_no_seconds_and_page_by_sequence() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&Options::new(dir.path().join("test.db")), at(1)).unwrap();
        let new = starting(session(&store).await);
        let id = new.id;
        store.execution_starts(TENANT, new).await.unwrap();
        let started = Instant::now();
        let mut log = EventLog::default();
        for n in 1..=50_000 {
            log.push(at(2), &Payload::Console { level: ConsoleLevel::Log, text: format!("line {n}") });
        }
        assert_eq!(log.len(), 50_000);
        store.execution_ends(TENANT, ending(id), log.into(), None).await.unwrap();
        assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());

        for (after, limit) in [(0, 1), (1, 2), (777, 3_000), (49_990, 100), (50_000, 1)] {
            let page = store.events(TENANT, id, after, limit).await.unwrap().unwrap();
            let expected: Vec<u64> = (after + 1..=50_000).take(limit).collect();
            assert!(!page.more, "{limit} fit into a page");
            assert_eq!(page.events.iter().map(|e| e.seq).collect::<Vec<_>>(), expected);
            for event in page.events {
                assert_eq!(event.payload.get(), format!(r#"{{"level":"log","text":"line {}"}}"#, event.seq));
            }
        }
        // All of them take several pages, none of which is large.
        let (mut seen, mut pages) = (0, 0);
        loop {
            let page = store.events(TENANT, id, seen, usize::MAX).await.unwrap().unwrap();
            assert_eq!(page.events.first().map(|e| e.seq), Some(seen + 1));
            (seen, pages) = (page.events.last().map_or(seen, |e| e.seq), pages + 1);
            if !page.more {
                break;
            }
        }
        assert!(seen == 50_000 && (5..50).contains(&pages), "{seen} {pages}");
        assert!(store.events(TENANT, id, 50_000, usize::MAX).await.unwrap().unwrap().events.is_empty());
    }

    #[tokio::test]
    async fn a_log_reads_as_its_rows_do() {
        let id: ExecutionId = Uuid::now_v7().into();
        let mut log = EventLog::default();
        for n in 1..=5_000 {
            log.push(at(2), &Payload::Console { level: ConsoleLevel::Log, text: format!("line {n}") });
        }
        for (after, limit) in [(0, 1), (1, 2), (777, 3_000), (4_990, 100), (5_000, 1)] {
            let page = log.page(id, after, limit).unwrap();
            let expected: Vec<u64> = (after + 1..=5_000).take(limit).collect();
            assert_eq!(page.events.iter().map(|e| e.seq).collect::<Vec<_>>(), expected);
        }
    }

    #[tokio::test]
    async fn the_oldest_executions_go_first() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&Options::new(dir.path().join("test.db")), at(1)).unwrap();
        let session = session(&store).await;
        let mut ids = Vec::new();
        for _ in 0..5 {
            let new = starting(session);
            ids.insert(0, new.id);
            store.execution_starts(TENANT, new).await.unwrap();
            let mut log = EventLog::default();
            log.push(at(2), &Payload::InputEcho { text: "1".into() });
            store.execution_ends(TENANT, ending(ids[0]), log.into(), None).await.unwrap();
        }
        let listed = async |rows_max, before| {
            let page = store.executions(TENANT, session, Wanted { before, rows_max }).await.unwrap().unwrap();
            (page.rows.iter().map(|e| e.id).collect::<Vec<_>>(), page.next)
        };
        let (first, next) = listed(2, Cursor::START).await;
        assert_eq!(first, ids[..2]);
        assert_eq!(next, store.execution_cursor(TENANT, session, ids[1]).await.unwrap());
        assert_eq!(listed(3, next.unwrap()).await, (ids[2..].to_vec(), None));

        store.prune_executions(TENANT, session, 5).await.unwrap();
        assert_eq!(listed(9, Cursor::START).await.0, ids);
        store.prune_executions(TENANT, session, 2).await.unwrap();
        store.session_closed(TENANT, session, at(9), None).await.unwrap();
        assert_eq!(listed(9, Cursor::START).await.0, ids[..2]);
        assert!(store.events(TENANT, ids[2], 0, 9).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn what_ran_when_the_server_died_is_interrupted_afterwards() {
        let dir = tempfile::tempdir().unwrap();
        let options = Options::new(dir.path().join("test.db"));
        let store = Store::open(&options, at(1)).unwrap();
        let ready = session(&store).await;
        let new = starting(ready);
        let id = new.id;
        store.execution_starts(TENANT, new).await.unwrap();
        drop(store);

        let store = Store::open(&options, at(100)).unwrap();
        let execution = store.execution(TENANT, id).await.unwrap().unwrap();
        assert_eq!(execution.status, ExecutionStatus::Interrupted);
        assert_eq!(execution.ended_at, Some(at(100)));
        let error = execution.error.unwrap();
        assert_eq!(error.code, Some(ErrorCode::Interrupted));
        assert_eq!(error.message, "the server stopped while this ran");
        let session = store.session(TENANT, ready).await.unwrap().unwrap();
        assert_eq!(session.status, SessionStatus::Closed);
        assert_eq!((session.closed_at, session.last_error.as_deref()), (Some(at(100)), Some("the server stopped")));
        assert!(store.sessions(TENANT, Some(SessionStatus::Ready), ALL).await.unwrap().rows.is_empty());
        assert_eq!(store.sessions(TENANT, None, ALL).await.unwrap().rows.len(), 1);
    }

    #[tokio::test]
    async fn a_crash_ends_what_runs() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&Options::new(dir.path().join("test.db")), at(1)).unwrap();
        let session = session(&store).await;
        let new = starting(session);
        let id = new.id;
        store.execution_starts(TENANT, new).await.unwrap();
        store.session_crashed(TENANT, session, at(7), "trap".into()).await.unwrap();
        let execution = store.execution(TENANT, id).await.unwrap().unwrap();
        assert_eq!((execution.status, execution.ended_at), (ExecutionStatus::Error, Some(at(7))));
        let row = store.session(TENANT, session).await.unwrap().unwrap();
        assert_eq!((row.status, row.last_error.as_deref()), (SessionStatus::Crashed, Some("trap")));
    }

    #[tokio::test]
    async fn final_states_of_sessions_are_final() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&Options::new(dir.path().join("test.db")), at(1)).unwrap();
        let id = session(&store).await;
        let closed = store.session_closed(TENANT, id, at(5), None).await.unwrap().unwrap();
        assert_eq!((closed.status, closed.closed_at), (SessionStatus::Closed, Some(at(5))));
        assert!(store.session_closed(TENANT, id, at(6), None).await.unwrap().is_none());
        assert!(matches!(store.session_crashed(TENANT, id, at(6), "late".into()).await, Err(Error::Gone)));
        assert!(matches!(store.session_ready(TENANT, id).await, Err(Error::Gone)));
    }
}
