//! The sole owner of live sessions. Images are the engine's: it keeps one a content hash, whoever asks.
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{
    CheckpointId, Durability, ErrorCode, Execution, ExecutionId, ExecutionStatus, Session as Row, SessionId,
    SessionStatus, StartupFile, TenantId,
};
use sandbox::{Engine, Sandbox};
use store::{NewSession, Store, WholeTemplate};
use tokio::sync::{Notify, Semaphore};
use uuid::Uuid;

use crate::builds::Builds;
use crate::clock;
use crate::config::Config;
use crate::fault::Fault;
use crate::libraries::Libraries;
use crate::nursery::{Live, Nursery, Outlook, Prospect, blocking};
use crate::prepare::{Place, What};
use crate::residence::Waking;
use crate::run::{Executed, LiveRun, Runner, again};
use crate::secrets::Secrets;
use crate::session::Session;
use crate::task::Heap;
use crate::transfer::FILES_AT_ONCE;
use crate::worktrees::Worktrees;

/// How often is looked whether what goes on has ended, and how long a stopping server waits for sessions that start.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
const STARTING_TIME: Duration = Duration::from_secs(30);
/// Heaps that are brought back at once.
const RETURNS_AT_ONCE: usize = 8;
const STOPPED: &str = "the server stopped";

/// Live sessions, and how one comes to be.
pub struct Registry {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) nursery: Arc<Nursery>,
    pub(crate) starting: Starting,
    /// Sessions that are being brought back, each with what those wait for who asked for it.
    pub(crate) waking: Waking,
    /// Ended sessions that are kept; none: all.
    keep_sessions: Option<u32>,
    /// Sessions that have ended since the server began.
    ended: AtomicU32,
}

/// Sessions that are being started, and the startup file that each runs.
#[derive(Clone, Default)]
pub(crate) struct Starting(Arc<Mutex<HashMap<SessionId, Beginning>>>);

struct Beginning {
    tenant: TenantId,
    run: Option<Arc<LiveRun>>,
}

/// A session's place among those that are being started; it ends with this.
pub(crate) struct Begun(Starting, SessionId);

impl Starting {
    fn map(&self) -> MutexGuard<'_, HashMap<SessionId, Beginning>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn begin(&self, tenant: TenantId, id: SessionId) -> Begun {
        self.map().insert(id, Beginning { tenant, run: None });
        Begun(self.clone(), id)
    }
}

impl Begun {
    pub(crate) fn runs(&self, run: &Arc<LiveRun>) {
        if let Some(beginning) = self.0.map().get_mut(&self.1) {
            beginning.run = Some(Arc::clone(run));
        }
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.0.map().remove(&self.1);
    }
}

/// What a client asks for when it creates a session, with the template looked up.
pub struct Wish {
    /// The template with its lists.
    pub whole: Arc<WholeTemplate>,
    /// The client's label.
    pub workspace_id: String,
    /// The client's label.
    pub base_commit_oid: String,
    /// As the client sent it; empty when there is none.
    pub worktree_path: String,
}

impl Registry {
    /// An empty registry.
    pub fn new(
        engine: Engine,
        store: Store,
        secrets: Secrets,
        libraries: Libraries,
        worktrees: Worktrees,
        config: &Config,
    ) -> Self {
        Registry {
            shared: Arc::new(Shared {
                nursery: Arc::new(Nursery {
                    engine,
                    store,
                    secrets,
                    libraries,
                    worktrees,
                    live: Live::default(),
                    room: Arc::new(Semaphore::new(config.sessions_max as usize)),
                    returns: Arc::new(Semaphore::new(RETURNS_AT_ONCE)),
                    builds: Builds::default(),
                    sessions_max: config.sessions_max,
                    ceiling: config.ceiling,
                    keep_executions: config.keep_executions,
                    retention: config.retention,
                    checkpoint_every: config.checkpoint_every,
                    idle: config.idle,
                    timers_changed: Notify::new(),
                    share_key: config.share_key.clone(),
                    leaving: Arc::new(Semaphore::new(FILES_AT_ONCE)),
                    arriving: Arc::new(Semaphore::new(FILES_AT_ONCE)),
                }),
                starting: Starting::default(),
                waking: Waking::default(),
                keep_sessions: config.keep_sessions,
                ended: AtomicU32::new(0),
            }),
        }
    }

    /// Starts a session: a row `starting`, the template's image, a heap, its startup files, and the row `ready`. If that
    /// fails, the row is `crashed` and has the fault's message.
    ///
    /// Runs in a task of its own: a client that goes away can't leave a session half made.
    pub async fn create(&self, tenant: TenantId, wish: Wish) -> Result<Row, Fault> {
        let shared = Arc::clone(&self.shared);
        let task = tokio::spawn(async move { shared.create(tenant, wish, false).await.map(|(row, _)| row) });
        task.await.unwrap_or_else(|e| Err(Fault::internal(e)))
    }

    /// Runs one thing in a session that lives as long as that takes. What is refused before it runs leaves no
    /// execution; the session's row stays.
    pub async fn run_once(&self, tenant: TenantId, wish: Wish, what: What) -> Result<Execution, Fault> {
        let shared = Arc::clone(&self.shared);
        let task = tokio::spawn(async move {
            let (row, session) = Arc::clone(&shared).create(tenant, wish, true).await?;
            let ran = session.run(what, false).await;
            shared.nursery.live.remove(row.id);
            session.close(None).await?;
            shared.has_ended(tenant).await;
            ran
        });
        task.await.unwrap_or_else(|e| Err(Fault::internal(e)))
    }

    /// A live session.
    pub fn get(&self, tenant: TenantId, id: SessionId) -> Option<Session> {
        let map = self.shared.nursery.live.map();
        map.get(&id).filter(|(owner, _)| *owner == tenant).map(|(_, session)| session.clone())
    }

    /// An execution that is under way or waits: of a live session, or of one that starts.
    pub fn live_run(&self, tenant: TenantId, session: SessionId, id: ExecutionId) -> Option<Arc<LiveRun>> {
        if let Some(session) = self.get(tenant, session) {
            return session.live(id);
        }
        let starting = self.shared.starting.map();
        let beginning = starting.get(&session).filter(|beginning| beginning.tenant == tenant)?;
        beginning.run.clone().filter(|run| run.id == id)
    }

    /// Waits until nothing runs, nothing waits and no session is being started.
    pub async fn quiet(&self) {
        let busy = || {
            let live = self.shared.nursery.live.map();
            !self.shared.starting.map().is_empty() || live.values().any(|(_, session)| session.is_busy())
        };
        while busy() {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// The ids of all live sessions.
    pub fn live(&self) -> Vec<SessionId> {
        self.shared.nursery.live.map().keys().copied().collect()
    }

    /// Closes a session: what it runs is cancelled and recorded, its heap and its checkpoints go, its row says `closed`. None
    /// when no such session goes on.
    ///
    /// Runs in a task of its own: a client that goes away can't leave a session that is off the map but not closed.
    pub async fn close(&self, tenant: TenantId, id: SessionId) -> Result<Option<Row>, Fault> {
        let shared = Arc::clone(&self.shared);
        let task = tokio::spawn(async move {
            let closed = shared.close(tenant, id).await?;
            shared.has_ended(tenant).await;
            Ok(closed)
        });
        task.await.unwrap_or_else(|e| Err(Fault::internal(e)))
    }

    /// Cancels whatever runs. Sessions stay.
    pub fn cancel_all(&self) {
        for (_, session) in self.shared.nursery.live.map().values() {
            session.cancel_all();
        }
        for run in self.shared.starting.map().values().filter_map(|beginning| beginning.run.as_ref()) {
            run.cancel();
        }
    }

    /// Has every session leave memory, those that are not stored for good, and takes no more.
    pub async fn shutdown(&self, why: &str) {
        self.shared.nursery.room.close();
        // A session that starts finds the door closed and records it; the startup file it runs was cancelled.
        let started = async {
            while !self.shared.starting.map().is_empty() {
                self.cancel_all();
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        if tokio::time::timeout(STARTING_TIME, started).await.is_err() {
            tracing::warn!("a session is still being started: the next server settles it");
        }
        let sessions: Vec<_> = self.shared.nursery.live.map().drain().map(|(_, (_, session))| session).collect();
        // All at once, so that they share commits.
        let closing = sessions.into_iter().map(|session| {
            let why = Some(why.to_owned());
            tokio::spawn(async move {
                // What is stored goes on with the next server; a script that can't be put away is at its last checkpoint then.
                if session.is_durable() { session.leave().await } else { session.close(why).await.map(drop) }
            })
        });
        for task in closing.collect::<Vec<_>>() {
            if let Ok(Err(fault)) = task.await {
                tracing::warn!(?fault, "a session was not closed properly");
            }
        }
    }
}

impl Shared {
    /// In the contract's order: worktree, row, modules, libraries, startup files, ready. What needs the disk is looked at
    /// in one go off the I/O threads, for each way there and back costs more than starting a heap does.
    /// `fleeting`: it lives for one execution, and nothing of its heap is stored.
    async fn create(self: Arc<Self>, tenant: TenantId, wish: Wish, fleeting: bool) -> Result<(Row, Session), Fault> {
        let nursery = &self.nursery;
        let room = nursery.room().await?;
        let id = SessionId::from(Uuid::now_v7());
        let Wish { mut whole, workspace_id, base_commit_oid, worktree_path } = wish;
        if fleeting {
            Arc::make_mut(&mut whole).settings.runtime.durability = Durability::None;
        }
        let template = whole.template.id;
        let (keep, esm) = (nursery.keep(&whole.settings), whole.settings.runtime.esm);
        let files = whole.startup_files.clone();
        let (shared, path) = (Arc::clone(nursery), worktree_path.clone());
        let looked = blocking(move || shared.prospect(tenant, &whole, &path)).await?;
        let (root, outlook, recipe): Prospect = looked.map_err(|fault| fault.with("template_id", template))?;

        let created_at = clock::now();
        let durability = keep.durability;
        let new =
            NewSession { id, template, workspace_id, base_commit_oid, worktree_path, created_at, recipe, durability };
        let begun = self.starting.begin(tenant, id);
        let place = Place { session: id, root, esm, keep };
        let runner = nursery.runner(tenant, place);
        let (row, sandbox) = match outlook {
            // Nothing is left to wait for: one row, written once.
            Outlook::Live(sandbox) if files.is_empty() => (runner.store.session_begins(tenant, new).await?, sandbox),
            outlook => {
                runner.store.session_starts(tenant, new).await?;
                let started = async {
                    let sandbox = match outlook {
                        Outlook::Live(sandbox) => sandbox,
                        Outlook::Unbuilt(recipe, setup) => nursery.build(recipe, setup).await?,
                        Outlook::Failed(fault) => return Err(fault),
                    };
                    let sandbox = self.startup(&runner, sandbox, &files, &begun).await?;
                    // What they did is never lost: they are not run again. With `every` each has stored it.
                    let unstored = keep.durability == Durability::Checkpoint && !files.is_empty();
                    let sandbox = if unstored { stored(&runner, sandbox).await? } else { sandbox };
                    Ok((runner.store.session_ready(tenant, id).await?, sandbox))
                };
                match started.await {
                    Ok(ready) => ready,
                    Err(fault) => {
                        let fault = fault.with("template_id", template).with("session_id", id);
                        return Err(self.crash(tenant, id, fault).await);
                    }
                }
            }
        };
        let stored = sandbox.last_snapshot().map(CheckpointId::from);
        let heap = Heap { sandbox, events: Vec::new(), changed: false, stored };
        let session = nursery.goes_live(runner, heap, room);
        // A server that began to stop meanwhile has drained the map before.
        if nursery.room.is_closed() {
            nursery.live.remove(id);
            nursery.store.session_closed(tenant, id, clock::now(), Some(STOPPED.into())).await?;
            return Err(nursery.full());
        }
        Ok((row, session))
    }

    /// Runs the template's startup files in a new heap, each an execution of its own.
    pub(crate) async fn startup(
        &self,
        runner: &Runner,
        sandbox: Sandbox,
        files: &[StartupFile],
        begun: &Begun,
    ) -> Result<Sandbox, Fault> {
        let mut sandbox = sandbox;
        for StartupFile { path, mode, .. } in files {
            let failed = |why: &str| Fault::new(ErrorCode::StartupFailed, format!("startup failed: {why}"));
            let prepared = runner.place.prepare(What::Startup { path: path.clone(), mode: *mode }).await;
            let prepared = prepared.map_err(|fault| match fault.code {
                ErrorCode::FileNotFound => failed(&format!("startup file not found: {path}")),
                ErrorCode::Internal => fault,
                _ => failed(&format!("failed to execute startup file {path}: {}", fault.message)),
            })?;
            if self.nursery.room.is_closed() {
                return Err(failed("the server is stopping"));
            }
            let run = LiveRun::new();
            begun.runs(&run);
            let Executed { answer, sandbox: still, .. } = runner.execute(sandbox, &run, prepared, false, || ()).await;
            let threw = |why: &str| failed(&format!("failed to execute startup file {path}: {why}"));
            match (answer, still) {
                (Ok(execution), Some(still)) if execution.status == ExecutionStatus::Ok => sandbox = still,
                (Ok(execution), _) => {
                    return Err(threw(&execution.error.map_or_else(String::new, |error| error.message)));
                }
                (Err(fault), _) if fault.code == ErrorCode::Internal => return Err(fault),
                (Err(fault), _) => return Err(threw(&fault.message)),
            }
        }
        Ok(sandbox)
    }

    async fn close(&self, tenant: TenantId, id: SessionId) -> Result<Option<Row>, Fault> {
        // Nobody brings it back meanwhile.
        let _awake = self.waking.enter(id).await;
        let session = {
            let mut map = self.nursery.live.map();
            match map.get(&id) {
                Some((owner, _)) if *owner == tenant => map.remove(&id),
                _ => None,
            }
        };
        let store = &self.nursery.store;
        match session {
            Some((_, session)) => match session.close(None).await? {
                Some(row) => return Ok(Some(row)),
                // It trapped just then: closed it is all the same, and its row says how. Or it had just left memory.
                None if !session.is_asleep() => return Ok(store.session(tenant, id).await?),
                None => {}
            },
            // Not in memory: only what is stored goes on.
            None => match store.session(tenant, id).await? {
                Some(row) if row.status == SessionStatus::Ready => {}
                _ => return Ok(None),
            },
        }
        Ok(again(|| store.session_closed(tenant, id, clock::now(), None)).await?)
    }

    /// Now and then the oldest go, where the operator wants that.
    async fn has_ended(&self, tenant: TenantId) {
        let Some(keep) = self.keep_sessions else { return };
        if self.ended.fetch_add(1, Ordering::Relaxed).is_multiple_of((keep / 8).max(1))
            && let Err(error) = self.nursery.store.prune_sessions(tenant, keep).await
        {
            tracing::warn!(%error, "old sessions were not removed");
        }
    }

    async fn crash(&self, tenant: TenantId, id: SessionId, fault: Fault) -> Fault {
        let why = fault.message.clone().into_owned();
        let at = clock::now();
        match again(|| self.nursery.store.session_crashed(tenant, id, at, why.clone())).await {
            Ok(()) => fault,
            Err(error) => error.into(),
        }
    }
}

/// A heap, once it is on the disk.
async fn stored(runner: &Runner, sandbox: Sandbox) -> Result<Sandbox, Fault> {
    let lost = || Fault::internal("a guest's thread panicked");
    let (sandbox, stored) = runner.checkpoint(sandbox, None).await.ok_or_else(lost)?;
    stored.map(|_| sandbox)
}
