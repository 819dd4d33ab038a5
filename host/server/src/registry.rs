//! The sole owner of live sessions. Images are the engine's: it keeps one a content hash, whoever asks.
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::{ErrorCode, Limits, Session as Row, SessionId, Settings, Template, TenantId};
use sandbox::{Engine, Recipe, Root, Sandbox, Setup};
use store::{NewSession, Store};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::clock;
use crate::fault::Fault;
use crate::session::Session;

/// Live sessions, and how one comes to be.
pub struct Registry {
    shared: Arc<Shared>,
}

struct Shared {
    engine: Engine,
    store: Store,
    live: Live,
    /// A permit for every session that may be live; a session's task holds its permit until its heap is gone.
    room: Arc<Semaphore>,
    sessions_max: u32,
    ceiling: Limits,
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

/// What a client asks for when it creates a session, with the template looked up and the worktree opened.
pub struct Wish {
    /// The template.
    pub template: Template,
    /// Its settings.
    pub settings: Settings,
    /// The client's label.
    pub workspace_id: String,
    /// The client's label.
    pub base_commit_oid: String,
    /// As the client sent it.
    pub worktree_path: String,
    /// The directory behind it.
    pub root: Root,
}

impl Registry {
    /// An empty registry with room for `sessions_max`.
    pub fn new(engine: Engine, store: Store, sessions_max: u32, ceiling: Limits) -> Self {
        let room = Arc::new(Semaphore::new(sessions_max as usize));
        Registry { shared: Arc::new(Shared { engine, store, live: Live::default(), room, sessions_max, ceiling }) }
    }

    /// Opens a worktree. None when there is no such directory.
    pub async fn open_root(&self, path: PathBuf) -> Option<Root> {
        tokio::task::spawn_blocking(move || Root::open(&path).ok()).await.ok().flatten()
    }

    /// Starts a session: a row `starting`, the template's image, a heap, and the row `ready`. If that fails, the row
    /// is `crashed` and has the fault's message.
    ///
    /// Runs in a task of its own: a client that goes away can't leave a session half made.
    pub async fn create(&self, tenant: TenantId, wish: Wish) -> Result<Row, Fault> {
        let shared = Arc::clone(&self.shared);
        let task = tokio::spawn(async move { shared.create(tenant, wish).await });
        task.await.unwrap_or_else(|e| Err(Fault::internal(e)))
    }

    /// A live session.
    pub fn get(&self, tenant: TenantId, id: SessionId) -> Option<Session> {
        let map = self.shared.live.map();
        map.get(&id).filter(|(owner, _)| *owner == tenant).map(|(_, session)| session.clone())
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
        let store = self.shared.store.clone();
        let task = tokio::spawn(async move {
            match session.close(None).await? {
                Some(row) => Ok(Some(row)),
                // It trapped just then: closed it is all the same, and its row says how.
                None => Ok(store.session(tenant, id).await?),
            }
        });
        task.await.unwrap_or_else(|e| Err(Fault::internal(e)))
    }

    /// Cancels whatever runs. Sessions stay.
    pub fn cancel_all(&self) {
        for (_, session) in self.shared.live.map().values() {
            session.cancel();
        }
    }

    /// Closes every session and takes no more.
    pub async fn shutdown(&self, why: &str) {
        self.shared.room.close();
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
    async fn create(self: Arc<Self>, tenant: TenantId, wish: Wish) -> Result<Row, Fault> {
        let Ok(room) = Arc::clone(&self.room).try_acquire_owned() else { return Err(self.full()) };
        let id = SessionId::from(Uuid::now_v7());
        let template_id = wish.template.id;
        let new = NewSession {
            id,
            template: template_id,
            workspace_id: wish.workspace_id,
            base_commit_oid: wish.base_commit_oid,
            worktree_path: wish.worktree_path,
            created_at: clock::now(),
        };
        self.store.session_starts(tenant, new).await?;
        let recipe = Recipe { modules: wish.template.exposed_modules, libraries: Vec::new() };
        let setup = Setup { limits: wish.settings.limits.at_most(&self.ceiling), root: Some(wish.root) };
        let engine = self.engine.clone();
        let start = move || -> Result<Sandbox, sandbox::Error> { engine.image(&recipe)?.start(setup) };
        let sandbox = match tokio::task::spawn_blocking(start).await {
            Ok(Ok(sandbox)) => sandbox,
            Ok(Err(error)) => {
                let fault = self.start_fault(&error).with("template_id", template_id).with("session_id", id);
                return Err(self.crash(tenant, id, fault).await);
            }
            Err(panic) => return Err(self.crash(tenant, id, Fault::internal(panic)).await),
        };
        let row = match self.store.session_ready(tenant, id).await {
            Ok(row) => row,
            Err(error) => return Err(self.crash(tenant, id, error.into()).await),
        };
        let (engine, store, live) = (self.engine.clone(), self.store.clone(), self.live.clone());
        let session = Session::start(tenant, id, sandbox, engine, store, live, room);
        self.live.map().insert(id, (tenant, session));
        // A server that began to stop meanwhile has drained the map before.
        if self.room.is_closed() {
            self.live.remove(id);
            self.store.session_closed(tenant, id, clock::now(), Some("the server stopped".into())).await?;
            return Err(self.full());
        }
        Ok(row)
    }

    async fn crash(&self, tenant: TenantId, id: SessionId, fault: Fault) -> Fault {
        let why = fault.message.clone().into_owned();
        match self.store.session_crashed(tenant, id, clock::now(), why).await {
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
