//! A server: store, engine and registry, and how they start and stop.
use std::collections::HashSet;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::config::Config;
use crate::libraries::Libraries;
use crate::registry::Registry;
use crate::secrets::Secrets;
use crate::worktrees::{Worktrees, WorktreesError};
use crate::{api, clock, http};

/// All that handlers share.
pub struct App {
    /// Rows.
    pub store: store::Store,
    /// Images and the threads that guests run on.
    pub engine: sandbox::Engine,
    /// Live sessions.
    pub registry: Registry,
    /// Files of libraries.
    pub libraries: Libraries,
    /// What tenants keep sealed.
    pub secrets: Secrets,
    /// Requests that are done once.
    pub idempotency: api::InProgress,
    /// Room for large bodies that arrive at once, KiB.
    pub body_room: Semaphore,
    /// The same for files of sessions: they keep no other body waiting.
    pub file_room: Semaphore,
    /// What the operator decided.
    pub config: Config,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database.
    #[error(transparent)]
    Store(#[from] store::OpenError),
    /// The engine.
    #[error("cannot start the engine: {0}")]
    Engine(#[from] sandbox::Error),
    /// The operator's directories.
    #[error(transparent)]
    Worktrees(#[from] WorktreesError),
    /// The key of secrets.
    #[error("cannot open the key of secrets: {0}")]
    Secrets(std::io::Error),
    /// A ceiling is out of what the engine is built for.
    #[error("ceiling: {0}")]
    Ceiling(#[from] model::LimitsError),
}

impl App {
    /// Opens the database and starts the engine. Blocks, on a new data directory for seconds.
    pub fn open(config: Config) -> Result<Arc<App>, StartError> {
        // Before SQLite is used for anything else: what bounds its memory for guests is the process's for good.
        sandbox::bounded_databases();
        config.ceiling.check(&model::Limits::MAX)?;
        let worktrees = Worktrees::open_roots(&config.worktree_roots, &config.own_paths())?;
        let options =
            store::Options { synchronous: config.synchronous, check: config.check, ..store::Options::new(&config.db) };
        let store = store::Store::open(&options, clock::now())?;
        let defaults = sandbox::Config::default();
        let mut policy = sandbox::Policy::default();
        policy.programs.clone_from(&config.programs);
        policy.private_networks.clone_from(&config.private_networks);
        policy.authorities = config.authorities.clone();
        policy.env.clone_from(&config.env);
        let engine = sandbox::Engine::new(sandbox::Config {
            data_dir: config.data_dir.clone(),
            sessions_max: config.sessions_max,
            images_bytes_max: config.images_bytes_max,
            mem_mb_max: config.ceiling.mem_mb,
            threads: config.threads.unwrap_or(defaults.threads),
            epochs: config.epochs,
            policy,
            ..defaults
        })?;
        let asked = store.clone();
        engine.keep_images(move || images_needed(&asked))?;
        let libraries = Libraries::new(config.library_cache.clone());
        let secrets = Secrets::open(store.clone(), &config.data_dir).map_err(StartError::Secrets)?;
        let registry =
            Registry::new(engine.clone(), store.clone(), secrets.clone(), libraries.clone(), worktrees, &config);
        let idempotency = api::InProgress::default();
        // One of the largest always finds room.
        let body_room = Semaphore::new(Config::BODY_ROOM_KIB.max(config.body_bytes_max / 1_024 + 1));
        let file_room = Semaphore::new(config.session_file_bytes_max() / 1_024 + 1);
        Ok(Arc::new(App { store, engine, registry, libraries, secrets, idempotency, body_room, file_room, config }))
    }

    /// Serves until `stop` resolves. Then no more connections are taken; what runs has [`Config::grace`] to finish and is
    /// cancelled after that; every session's row says what became of it.
    pub async fn serve(self: &Arc<Self>, listener: TcpListener, stop: impl Future<Output = ()>) -> std::io::Result<()> {
        let mut keepers = JoinSet::new();
        let timers = Arc::clone(self);
        keepers.spawn(async move { timers.registry.wake_by_timers().await });
        if let Some(memory_max) = self.config.memory_max.or_else(machine_memory_max) {
            let pressed = Arc::clone(self);
            keepers.spawn(async move { pressed.registry.relieve(memory_max).await });
        }
        let router = api::router(Arc::clone(self));
        let (closing, closed) = watch::channel(false);
        let mut connections = tokio::spawn(http::serve(listener, router, self.config.connections_max, closed));
        tokio::select! {
            ended = &mut connections => return ended.map_err(std::io::Error::other),
            () = stop => {}
        }
        tracing::info!(sessions = self.registry.live().len(), "stopping");
        closing.send_replace(true);
        keepers.shutdown().await;
        // What nobody waits for any more has its grace as well.
        let quiet = async { tokio::join!(&mut connections, self.registry.quiet()) };
        let finished = tokio::time::timeout(self.config.grace, quiet).await.is_ok();
        if !finished {
            self.registry.cancel_all();
        }
        self.registry.shutdown("the server stopped").await;
        // The answers of what was cancelled still go out; a client that does not read them is not waited for.
        if !finished
            && !connections.is_finished()
            && tokio::time::timeout(std::time::Duration::from_secs(1), &mut connections).await.is_err()
        {
            connections.abort();
        }
        Ok(())
    }
}

/// The images that stored sessions need, by hash. None: the database does not say, so that none may go. Blocks.
fn images_needed(store: &store::Store) -> Option<HashSet<String>> {
    match pollster::block_on(store.images_needed()) {
        Ok(needed) => Some(needed.into_iter().map(|need| need.image).collect()),
        Err(error) => {
            tracing::warn!(%error, "no image is removed: the database does not say which are needed");
            None
        }
    }
}

/// Four fifths of what the process may use, bytes: the control group's limit, or the machine's memory.
fn machine_memory_max() -> Option<u64> {
    let group = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let group = group.and_then(|text| text.trim().parse::<u64>().ok());
    let machine = || {
        let text = std::fs::read_to_string("/proc/meminfo").ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kib| kib << 10)
    };
    group.or_else(machine).map(|bytes| bytes / 5 * 4)
}
