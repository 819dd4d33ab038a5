//! The sole owner of live sessions. Images are the engine's: it keeps one a content hash, whoever asks.
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{
    ErrorCode, Execution, ExecutionId, ExecutionStatus, LibraryName, Limits, Session as Row, SessionId, Settings,
    StartupFile, TenantId,
};
use sandbox::{Engine, Library, Recipe, Root, Sandbox, Services, Setup};
use store::{NewSession, Store, WholeTemplate};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::builds::Builds;
use crate::clock;
use crate::config::Config;
use crate::fault::Fault;
use crate::kv::Stored;
use crate::libraries::Libraries;
use crate::run::{Executed, LiveRun, Place, Runner, What, again};
use crate::secrets::Secrets;
use crate::session::Session;
use crate::worktrees::Worktrees;

/// How often is looked whether what goes on has ended, and how long a stopping server waits for sessions that start.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
const STARTING_TIME: Duration = Duration::from_secs(30);

/// Live sessions, and how one comes to be.
pub struct Registry {
    shared: Arc<Shared>,
}

struct Shared {
    engine: Engine,
    store: Store,
    secrets: Secrets,
    libraries: Libraries,
    worktrees: Worktrees,
    live: Live,
    starting: Starting,
    /// A permit for every session that may be live; a session's task holds its permit until its heap is gone.
    room: Arc<Semaphore>,
    builds: Builds,
    sessions_max: u32,
    ceiling: Limits,
    /// Executions of a session that are kept; none: all.
    keep: Option<u32>,
    /// Ended sessions that are kept; none: all.
    keep_sessions: Option<u32>,
    /// Sessions that have ended since the server began.
    ended: AtomicU32,
}

/// The map of live sessions. Shared with their tasks, which take themselves off it when their heap is gone.
#[derive(Clone, Default)]
pub(crate) struct Live(Arc<Mutex<HashMap<SessionId, (TenantId, Session)>>>);

impl Live {
    fn map(&self) -> MutexGuard<'_, HashMap<SessionId, (TenantId, Session)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn remove(&self, id: SessionId) {
        self.map().remove(&id);
    }
}

/// Sessions that are being started, and the startup file that each runs.
#[derive(Clone, Default)]
struct Starting(Arc<Mutex<HashMap<SessionId, Beginning>>>);

struct Beginning {
    tenant: TenantId,
    run: Option<Arc<LiveRun>>,
}

/// A session's place among those that are being started; it ends with this.
struct Begun(Starting, SessionId);

impl Starting {
    fn map(&self) -> MutexGuard<'_, HashMap<SessionId, Beginning>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, tenant: TenantId, id: SessionId) -> Begun {
        self.map().insert(id, Beginning { tenant, run: None });
        Begun(self.clone(), id)
    }
}

impl Begun {
    fn runs(&self, run: &Arc<LiveRun>) {
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

/// What is known of a session to be when the disk and the images in memory have been looked at.
enum Outlook {
    /// Its heap.
    Live(Sandbox),
    /// Its image has to be built first.
    Unbuilt(Recipe, Setup),
    /// It won't be.
    Failed(Fault),
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
                engine,
                store,
                secrets,
                libraries,
                worktrees,
                live: Live::default(),
                starting: Starting::default(),
                room: Arc::new(Semaphore::new(config.sessions_max as usize)),
                builds: Builds::default(),
                sessions_max: config.sessions_max,
                ceiling: config.ceiling,
                keep: config.keep_executions,
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
        let task = tokio::spawn(async move { shared.create(tenant, wish).await.map(|(row, _)| row) });
        task.await.unwrap_or_else(|e| Err(Fault::internal(e)))
    }

    /// Runs one thing in a session that lives as long as that takes. What is refused before it runs leaves no
    /// execution; the session's row stays.
    pub async fn run_once(&self, tenant: TenantId, wish: Wish, what: What) -> Result<Execution, Fault> {
        let shared = Arc::clone(&self.shared);
        let task = tokio::spawn(async move {
            let (row, session) = Arc::clone(&shared).create(tenant, wish).await?;
            let ran = session.run(what, false).await;
            shared.live.remove(row.id);
            session.close(None).await?;
            shared.has_ended(tenant).await;
            ran
        });
        task.await.unwrap_or_else(|e| Err(Fault::internal(e)))
    }

    /// A live session.
    pub fn get(&self, tenant: TenantId, id: SessionId) -> Option<Session> {
        let map = self.shared.live.map();
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
            let live = self.shared.live.map();
            !self.shared.starting.map().is_empty() || live.values().any(|(_, session)| session.is_busy())
        };
        while busy() {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// The ids of a tenant's live sessions, sorted.
    pub fn live_of(&self, tenant: TenantId) -> Vec<SessionId> {
        let map = self.shared.live.map();
        let mut ids: Vec<_> = map.iter().filter(|(_, (owner, _))| *owner == tenant).map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids
    }

    /// The ids of all live sessions.
    pub fn live(&self) -> Vec<SessionId> {
        self.shared.live.map().keys().copied().collect()
    }

    /// Closes a live session: what it runs is cancelled and recorded, its heap is dropped, its row says `closed`.
    /// None when no such session is live.
    ///
    /// Runs in a task of its own: a client that goes away can't leave a session that is off the map but not closed.
    pub async fn close(&self, tenant: TenantId, id: SessionId) -> Result<Option<Row>, Fault> {
        let session = {
            let mut map = self.shared.live.map();
            match map.get(&id) {
                Some((owner, _)) if *owner == tenant => map.remove(&id),
                _ => None,
            }
        };
        let Some((_, session)) = session else { return Ok(None) };
        let shared = Arc::clone(&self.shared);
        let task = tokio::spawn(async move {
            let closed = match session.close(None).await? {
                Some(row) => Some(row),
                // It trapped just then: closed it is all the same, and its row says how.
                None => shared.store.session(tenant, id).await?,
            };
            shared.has_ended(tenant).await;
            Ok(closed)
        });
        task.await.unwrap_or_else(|e| Err(Fault::internal(e)))
    }

    /// Cancels whatever runs. Sessions stay.
    pub fn cancel_all(&self) {
        for (_, session) in self.shared.live.map().values() {
            session.cancel_all();
        }
        for run in self.shared.starting.map().values().filter_map(|beginning| beginning.run.as_ref()) {
            run.cancel();
        }
    }

    /// Closes every session and takes no more.
    pub async fn shutdown(&self, why: &str) {
        self.shared.room.close();
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
        let sessions: Vec<_> = self.shared.live.map().drain().map(|(_, (_, session))| session).collect();
        // All at once, so that they share commits.
        let closing = sessions.into_iter().map(|session| {
            let why = Some(why.to_owned());
            tokio::spawn(async move { session.close(why).await })
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
    async fn create(self: Arc<Self>, tenant: TenantId, wish: Wish) -> Result<(Row, Session), Fault> {
        let Ok(room) = Arc::clone(&self.room).try_acquire_owned() else { return Err(self.full()) };
        let id = SessionId::from(Uuid::now_v7());
        let Wish { whole, workspace_id, base_commit_oid, worktree_path } = wish;
        let (template, switches) = (whole.template.id, whole.settings.runtime.clone());
        let files = whole.startup_files.clone();
        let shared = Arc::clone(&self);
        let path = worktree_path.clone();
        let look = move || -> Result<_, Fault> {
            let root = match path.as_str() {
                "" => None,
                path => Some(shared.worktrees.open(path)?),
            };
            Ok((root.clone(), shared.look(tenant, &whole, root)))
        };
        let (root, outlook) = blocking(look).await?.map_err(|fault| fault.with("template_id", template))?;

        let new = NewSession { id, template, workspace_id, base_commit_oid, worktree_path, created_at: clock::now() };
        let begun = self.starting.begin(tenant, id);
        let place = Place { session: id, root, esm: switches.esm, background: switches.background };
        let runner = Runner { tenant, place, engine: self.engine.clone(), store: self.store.clone() };
        let (row, sandbox) = match outlook {
            // Nothing is left to wait for: one row, written once.
            Outlook::Live(sandbox) if files.is_empty() => (self.store.session_begins(tenant, new).await?, sandbox),
            outlook => {
                self.store.session_starts(tenant, new).await?;
                let started = async {
                    let sandbox = match outlook {
                        Outlook::Live(sandbox) => sandbox,
                        Outlook::Unbuilt(recipe, setup) => self.build(recipe, setup).await?,
                        Outlook::Failed(fault) => return Err(fault),
                    };
                    let sandbox = self.startup(&runner, sandbox, &files, &begun).await?;
                    Ok((self.store.session_ready(tenant, id).await?, sandbox))
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
        let session = Session::start(runner, sandbox, self.live.clone(), self.keep, room);
        self.live.map().insert(id, (tenant, session.clone()));
        // A server that began to stop meanwhile has drained the map before.
        if self.room.is_closed() {
            self.live.remove(id);
            self.store.session_closed(tenant, id, clock::now(), Some("the server stopped".into())).await?;
            return Err(self.full());
        }
        Ok((row, session))
    }

    /// Blocks, but never for as long as a build takes.
    fn look(&self, tenant: TenantId, whole: &WholeTemplate, root: Option<Root>) -> Outlook {
        let WholeTemplate { template, settings, grants, .. } = whole.clone();
        let settings = Settings { limits: settings.limits.at_most(&self.ceiling), ..settings };
        let mut services = Services::default();
        services.key_values = Some(Arc::new(Stored { store: self.store.clone(), tenant }));
        services.secrets = Some(self.secrets.of(tenant));
        let setup = Setup { settings, root, grants, services };
        let libraries = match self.libraries(&template.libraries) {
            Ok(libraries) => libraries,
            Err(fault) => return Outlook::Failed(fault),
        };
        let recipe = Recipe { modules: template.exposed_modules, libraries };
        let started = match self.engine.image_at_hand(&recipe) {
            Ok(Some(image)) => image.start(setup),
            Ok(None) => return Outlook::Unbuilt(recipe, setup),
            Err(error) => Err(error),
        };
        started.map_or_else(|error| Outlook::Failed(self.start_fault(&error)), Outlook::Live)
    }

    /// A heap of an image that has to be built, after those that were asked for before.
    async fn build(self: &Arc<Self>, recipe: Recipe, setup: Setup) -> Result<Sandbox, Fault> {
        let hash = self.engine.image_hash(&recipe).map_err(|error| self.start_fault(&error))?;
        let asked = self.builds.ask(hash)?;
        let alone = asked.alone().await;
        // Whoever asked before may have built it, or seen it fail.
        let engine = self.engine.clone();
        let look = move || (engine.image_at_hand(&recipe), recipe);
        let image = match blocking(look).await? {
            (Ok(None), recipe) => {
                let _turn = self.builds.turn().await?;
                let engine = self.engine.clone();
                blocking(move || engine.image(&recipe)).await?
            }
            (Ok(Some(image)), _) => Ok(image),
            (Err(error), _) => Err(error),
        };
        drop(alone);
        let started = blocking(move || image?.start(setup)).await?;
        started.map_err(|error| self.start_fault(&error))
    }

    fn libraries(&self, names: &[LibraryName]) -> Result<Vec<Library>, Fault> {
        let resolve = |name: &LibraryName| match self.libraries.resolve(name) {
            Ok(Some(library)) => Ok(library),
            Ok(None) => {
                let message = format!(
                    "failed to load libraries: library {name} not found in the library cache: `vm-system libs download` \
                     fetches packages, PUT /api/v1/libraries/{name} stores a file"
                );
                Err(Fault::new(ErrorCode::LibraryNotFound, message).with("library", name))
            }
            // Its text names the library, and no path.
            Err(error) => Err(Fault::new(ErrorCode::LibraryFailed, format!("failed to load libraries: {error}"))),
        };
        names.iter().map(resolve).collect()
    }

    /// Runs the template's startup files in a new heap, each an execution of its own.
    async fn startup(
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
            if self.room.is_closed() {
                return Err(failed("the server is stopping"));
            }
            let run = LiveRun::new();
            begun.runs(&run);
            let Executed { answer, sandbox: still } = runner.execute(sandbox, &run, prepared, false, || ()).await;
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

    /// Now and then the oldest go, where the operator wants that.
    async fn has_ended(&self, tenant: TenantId) {
        let Some(keep) = self.keep_sessions else { return };
        if self.ended.fetch_add(1, Ordering::Relaxed).is_multiple_of((keep / 8).max(1))
            && let Err(error) = self.store.prune_sessions(tenant, keep).await
        {
            tracing::warn!(%error, "old sessions were not removed");
        }
    }

    async fn crash(&self, tenant: TenantId, id: SessionId, fault: Fault) -> Fault {
        let why = fault.message.clone().into_owned();
        let at = clock::now();
        match again(|| self.store.session_crashed(tenant, id, at, why.clone())).await {
            Ok(()) => fault,
            Err(error) => error.into(),
        }
    }

    fn start_fault(&self, error: &sandbox::Error) -> Fault {
        match error {
            sandbox::Error::Refused(refusal) => Fault::refused(refusal),
            sandbox::Error::Library { .. } => {
                Fault::new(ErrorCode::LibraryFailed, format!("failed to load libraries: {error}"))
            }
            sandbox::Error::Grant { .. } | sandbox::Error::TooSmall { .. } => {
                Fault::new(ErrorCode::StartupFailed, format!("startup failed: {error}"))
            }
            sandbox::Error::SessionLimit { .. } => self.full(),
            sandbox::Error::Internal(_) => Fault::internal(error),
        }
    }

    fn full(&self) -> Fault {
        if self.room.is_closed() {
            return Fault::new(ErrorCode::SessionLimit, "The server is stopping");
        }
        let message = format!("All {} session slots are in use: close a session first", self.sessions_max);
        Fault::new(ErrorCode::SessionLimit, message)
    }
}

async fn blocking<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> Result<T, Fault> {
    tokio::task::spawn_blocking(job).await.map_err(Fault::internal)
}
