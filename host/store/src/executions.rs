//! Executions: a row when one starts, its end and its events in one transaction.
use model::{
    ErrorCode, Exception, Execution, ExecutionId, ExecutionKind, ExecutionStatus, SessionId, TenantId, Timestamp,
};
use rusqlite::{Connection, Row, params};
use serde_json::value::RawValue;

use crate::{Error, EventLog, Store, events, rows, sessions};

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
            "SELECT e.id, s.id, e.kind, e.input, e.path, e.args, e.env, e.status, e.started_at, e.ended_at, e.result,
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
    /// and was never acknowledged, or it is `running` and the next server's start makes it an error.
    pub async fn execution_starts(&self, tenant: TenantId, new: NewExecution) -> Result<(), Error> {
        self.0.writer.queue("execution_starts", move |c| insert(c, tenant, &new)).await
    }

    /// Writes an execution's end and its events; answers once that is on the disk.
    pub async fn execution_ends(
        &self,
        tenant: TenantId,
        end: FinishedExecution,
        log: EventLog,
    ) -> Result<Execution, Error> {
        let change = move |c: &Connection| {
            let key = finish(c, tenant, &end)?;
            events::insert(c, tenant, key, &log)?;
            find(c, tenant, end.id)?.ok_or(Error::Gone)
        };
        self.0.writer.write(change).await
    }

    /// An execution.
    pub async fn execution(&self, tenant: TenantId, id: ExecutionId) -> Result<Option<Execution>, Error> {
        self.0.readers.read(move |c| find(c, tenant, id)).await
    }

    /// The newest executions of a session, newest first. None when there is no such session.
    pub async fn executions(
        &self,
        tenant: TenantId,
        session: SessionId,
        limit: u32,
    ) -> Result<Option<Vec<Execution>>, Error> {
        let query = move |c: &Connection| {
            let Some(key) = sessions::key(c, tenant, session)? else { return Ok(None) };
            let mut statement = c.prepare_cached(select!("AND e.session = ?2 ORDER BY e.key DESC LIMIT ?3"))?;
            let rows = statement.query_and_then(params![tenant.as_uuid().as_bytes(), key, limit], read)?;
            rows.collect::<Result<_, _>>().map(Some)
        };
        self.0.readers.read(query).await
    }
}

/// The row number of an execution.
pub(crate) fn key(c: &Connection, tenant: TenantId, id: ExecutionId) -> Result<Option<i64>, Error> {
    let mut statement = c.prepare_cached("SELECT key FROM executions WHERE tenant = ?1 AND id = ?2")?;
    let found = statement.query_row(params![tenant.as_uuid().as_bytes(), id.as_uuid().as_bytes()], |row| row.get(0));
    rows::exists(found)
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

fn finish(c: &Connection, tenant: TenantId, end: &FinishedExecution) -> Result<i64, Error> {
    let error = end.error.as_ref().map(rows::to_json).transpose()?;
    let found = c
        .prepare_cached(
            "UPDATE executions SET status = ?3, ended_at = max(?4, started_at), result = ?5, error = ?6, metrics = ?7
             WHERE tenant = ?1 AND id = ?2 AND status = 'running' RETURNING key",
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
            |row| row.get(0),
        );
    rows::exists(found)?.ok_or(Error::Gone)
}

/// Ends what still runs in a session whose heap is gone.
pub(crate) fn crash(c: &Connection, tenant: TenantId, session: SessionId, at: Timestamp) -> Result<(), Error> {
    let error = rows::to_json(&crashed("The session crashed while this ran"))?;
    c.prepare_cached(
        "UPDATE executions SET status = 'error', ended_at = max(?3, started_at), error = ?4
         WHERE session = (SELECT key FROM sessions WHERE tenant = ?1 AND id = ?2) AND status = 'running'",
    )?
    .execute(params![tenant.as_uuid().as_bytes(), session.as_uuid().as_bytes(), at.as_micros(), error])?;
    Ok(())
}

/// The exception of an execution whose heap went away beneath it.
pub(crate) fn crashed(message: &str) -> Exception {
    let code = Some(ErrorCode::SessionCrashed);
    Exception { message: message.to_owned(), stack: None, line: None, column: None, code }
}

fn find(c: &Connection, tenant: TenantId, id: ExecutionId) -> Result<Option<Execution>, Error> {
    let mut statement = c.prepare_cached(select!("AND e.id = ?2"))?;
    let mut rows = statement.query(params![tenant.as_uuid().as_bytes(), id.as_uuid().as_bytes()])?;
    rows.next()?.map(read).transpose()
}

fn read(row: &Row<'_>) -> Result<Execution, Error> {
    let error: Option<String> = row.get(11)?;
    let error = error.map(|json| serde_json::from_str(&json)).transpose();
    Ok(Execution {
        id: rows::id(row, 0)?.into(),
        session_id: rows::id(row, 1)?.into(),
        kind: rows::word(row, 2, ExecutionKind::parse)?,
        input: row.get(3)?,
        path: row.get(4)?,
        args: rows::json(row, 5)?,
        env: rows::json(row, 6)?,
        status: rows::word(row, 7, ExecutionStatus::parse)?,
        started_at: rows::time(row, 8)?,
        ended_at: rows::time_if_any(row, 9)?,
        result: rows::json_if_any(row, 10)?,
        error: error.map_err(|e| Error::Corrupt(format!("execution error: {e}")))?,
        metrics: rows::json(row, 12)?,
    })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use model::{ConsoleLevel, Payload, SessionStatus};
    use uuid::Uuid;

    use super::*;
    use crate::{NewSession, Options};

    const TENANT: TenantId = TenantId::DEFAULT;

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
        let ended = store.execution_ends(TENANT, ending(id), log).await.unwrap();
        let json = serde_json::to_string(&ended).unwrap();
        assert!(json.contains(r#""result":{"type":"undefined","preview":"undefined","json":null}"#), "{json}");
        assert!(!json.contains("path"), "{json}");

        // It ends once.
        let again = store.execution_ends(TENANT, ending(id), EventLog::default()).await;
        assert!(matches!(again, Err(Error::Gone)), "{again:?}");

        let events = store.events(TENANT, id, 0, usize::MAX).await.unwrap().unwrap();
        let json = serde_json::to_string(&events).unwrap();
        let expected = format!(
            r#"[{{"execution_id":"{id}","seq":1,"ts":"1970-01-01T00:00:02.000000Z","type":"input_echo","payload":{{"text":"line\nbreak"}}}}]"#
        );
        assert_eq!(json, expected);

        let newest = store.executions(TENANT, session, 50).await.unwrap().unwrap();
        assert_eq!(newest.iter().map(|e| e.id).collect::<Vec<_>>(), [id]);
        assert!(store.executions(TENANT, Uuid::now_v7().into(), 50).await.unwrap().is_none());
        assert!(store.events(TENANT, Uuid::now_v7().into(), 0, 1).await.unwrap().is_none());
        let stranger: TenantId = Uuid::now_v7().into();
        assert!(store.execution(stranger, id).await.unwrap().is_none());
        assert!(store.events(stranger, id, 0, 1).await.unwrap().is_none());
        assert!(store.executions(stranger, session, 1).await.unwrap().is_none());
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
        store.execution_ends(TENANT, ending(id), log).await.unwrap();
        assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());

        for (after, limit) in [(0, 1), (1, 2), (777, 3_000), (49_990, 100), (50_000, 1)] {
            let page = store.events(TENANT, id, after, limit).await.unwrap().unwrap();
            let expected: Vec<u64> = (after + 1..=50_000).take(limit).collect();
            assert_eq!(page.iter().map(|e| e.seq).collect::<Vec<_>>(), expected);
            for event in page {
                assert_eq!(event.payload.get(), format!(r#"{{"level":"log","text":"line {}"}}"#, event.seq));
            }
        }
    }

    #[tokio::test]
    async fn what_ran_when_the_server_died_is_an_error_afterwards() {
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
        assert_eq!(execution.status, ExecutionStatus::Error);
        assert_eq!(execution.ended_at, Some(at(100)));
        let error = execution.error.unwrap();
        assert_eq!(error.code, Some(ErrorCode::SessionCrashed));
        assert_eq!(error.message, "the server stopped while this ran");
        let session = store.session(TENANT, ready).await.unwrap().unwrap();
        assert_eq!(session.status, SessionStatus::Closed);
        assert_eq!((session.closed_at, session.last_error.as_deref()), (Some(at(100)), Some("the server stopped")));
        assert!(store.sessions(TENANT, Some(SessionStatus::Ready)).await.unwrap().is_empty());
        assert_eq!(store.sessions(TENANT, None).await.unwrap().len(), 1);
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
