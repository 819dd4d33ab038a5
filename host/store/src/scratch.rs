//! What tests of durable sessions share; all of it is for them alone.
#[cfg(test)]
use std::sync::Arc;

use model::{CheckpointId, CheckpointKind, Durability, ExecutionId, ExecutionKind, SessionId, TenantId, Timestamp};
use rusqlite::Connection;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{
    Cursor, Error, NewCheckpoint, NewExecution, NewSession, Options, Recipe, Store, Synchronous, Wanted, checkpoints,
};

pub(crate) const TENANT: TenantId = TenantId::DEFAULT;
pub(crate) const ALL: Wanted = Wanted { before: Cursor::START, rows_max: 1_000 };

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

pub(crate) fn recipe(number: u8) -> Arc<Recipe> {
    Arc::new(Recipe { hash: [number; 32], image: format!("image{number}"), body: format!("[{number}]") })
}

pub(crate) fn new_session(durability: Durability) -> NewSession {
    NewSession {
        id: Uuid::now_v7().into(),
        template: Uuid::now_v7().into(),
        workspace_id: "w".into(),
        base_commit_oid: "c".into(),
        worktree_path: "/tree".into(),
        created_at: at(1),
        recipe: Some(recipe(1)),
        durability,
    }
}

/// Its body is `bytes` long and of its own.
pub(crate) fn heap(parent: Option<CheckpointId>, bytes: usize) -> NewCheckpoint {
    let id = Uuid::now_v7();
    NewCheckpoint {
        id: id.into(),
        parent,
        kind: CheckpointKind::Run,
        execution: None,
        depth: u32::from(parent.is_some()),
        pages: 3,
        wake_at: None,
        created_at: at(3),
        body: body(id.into(), bytes),
    }
}

pub(crate) fn body(id: CheckpointId, bytes: usize) -> Vec<u8> {
    id.as_uuid().as_bytes().iter().copied().cycle().take(bytes).collect()
}

pub(crate) fn new_execution(session: SessionId) -> NewExecution {
    let json = |text: &str| RawValue::from_string(text.into()).unwrap();
    NewExecution {
        id: Uuid::now_v7().into(),
        session,
        kind: ExecutionKind::Repl,
        input: Some("1".into()),
        path: None,
        args: json("[]"),
        env: json("{}"),
        started_at: at(2),
    }
}

pub(crate) struct Scratch {
    pub(crate) options: Options,
    pub(crate) store: Store,
    _dir: tempfile::TempDir,
}

impl Scratch {
    pub(crate) fn new() -> Scratch {
        let dir = tempfile::tempdir().unwrap();
        let options = Options { synchronous: Synchronous::Normal, ..Options::new(dir.path().join("test.db")) };
        let store = Store::open(&options, at(1)).unwrap();
        Scratch { options, store, _dir: dir }
    }

    /// Stops the server and starts the next one.
    pub(crate) fn restarted(self, now: Timestamp) -> Scratch {
        let Scratch { options, store, _dir } = self;
        drop(store);
        let store = Store::open(&options, now).unwrap();
        Scratch { options, store, _dir }
    }

    pub(crate) async fn session(&self, durability: Durability) -> SessionId {
        self.store.session_begins(TENANT, new_session(durability)).await.unwrap().id
    }

    /// Stores heaps, each a delta to the one before, but for the first.
    pub(crate) async fn heaps(&self, session: SessionId, count: u32) -> Vec<CheckpointId> {
        let mut ids: Vec<CheckpointId> = Vec::new();
        for depth in 0..count {
            let new = NewCheckpoint { depth, ..heap(ids.last().copied(), 100) };
            ids.push(new.id);
            self.store.checkpoint_stored(TENANT, session, new).await.unwrap();
        }
        ids
    }

    pub(crate) async fn runs(&self, session: SessionId, heap: Option<NewCheckpoint>) -> Result<ExecutionId, Error> {
        let new = new_execution(session);
        let end = crate::FinishedExecution {
            id: new.id,
            status: model::ExecutionStatus::Ok,
            ended_at: at(4),
            result: None,
            error: None,
            metrics: RawValue::from_string("{}".into()).unwrap(),
        };
        self.store.execution_starts(TENANT, new).await?;
        let ended = self.store.execution_ends(TENANT, end.clone(), Arc::default(), heap).await;
        if ended.is_err() {
            let running = self.store.execution(TENANT, end.id).await?.unwrap();
            assert_eq!(running.status, model::ExecutionStatus::Running, "the end was undone with the rest");
        }
        ended.map(|execution| execution.id)
    }

    pub(crate) async fn history(&self, session: SessionId) -> Vec<CheckpointId> {
        let page = self.store.checkpoints(TENANT, session, ALL).await.unwrap().unwrap();
        page.rows.into_iter().map(|row| row.id).collect()
    }

    /// Deletes all that may go, as idle time does. What was queued is done then, too.
    pub(crate) async fn collect(&self) {
        let all = |c: &Connection| {
            while checkpoints::collect(c)? {}
            Ok(())
        };
        self.store.0.writer.write(all).await.unwrap();
    }

    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        self.store.0.readers.read(move |c| Ok(c.query_row(sql, [], |row| row.get(0))?)).await.unwrap()
    }

    pub(crate) async fn raw(&self, sql: &'static str) {
        self.store.0.writer.write(move |c| Ok(c.execute_batch(sql)?)).await.unwrap();
    }
}

/// How SQLite runs a statement, a line a step.
pub(crate) fn plan(sql: &str) -> Vec<String> {
    let c = Connection::open_in_memory().unwrap();
    c.execute_batch("PRAGMA foreign_keys = ON").unwrap();
    c.execute_batch(include_str!("schema.golden.sql")).unwrap();
    let mut statement = c.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let bound = vec![0; statement.parameter_count()];
    let plan = statement.query_map(rusqlite::params_from_iter(bound), |row| row.get::<_, String>(3)).unwrap();
    plan.map(Result::unwrap).collect()
}
