//! What an operator decides.
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use axum::http::HeaderValue;
use model::Limits;
use store::{Check, Retention, Synchronous};

use crate::snapfile::{self, ShareKey};

/// Settings of a server; the command line fills them in.
#[derive(Clone, Debug)]
pub struct Config {
    /// The database file.
    pub db: PathBuf,
    /// What a commit waits for.
    pub synchronous: Synchronous,
    /// How the database is looked over at the start.
    pub check: Check,
    /// Compiled images and their key.
    pub data_dir: PathBuf,
    /// What images may take in the data directory, bytes; those that sessions need stay all the same.
    pub images_bytes_max: u64,
    /// Files of libraries.
    pub library_cache: PathBuf,
    /// Directories that worktrees may lie in. None: any directory, which only a server on the loopback offers.
    pub worktree_roots: Vec<PathBuf>,
    /// Names that the server is called by, beside `localhost` and addresses.
    pub hosts: Vec<String>,
    /// Web pages of these origins may call the server.
    pub cors_origins: Vec<HeaderValue>,
    /// Executions of a session that are kept; none: all.
    pub keep_executions: Option<u32>,
    /// Closed and crashed sessions of a tenant that are kept; none: all.
    pub keep_sessions: Option<u32>,
    /// Checkpoints of a session that are kept.
    pub retention: Retention,
    /// With durability `checkpoint`, a change is on the disk after so long.
    pub checkpoint_every: Duration,
    /// A durable session that nobody used for so long leaves memory; zero: none does by itself.
    pub idle: Duration,
    /// Idle sessions leave while the process holds more memory than this, bytes. None: never for that.
    pub memory_max: Option<u64>,
    /// Connections that can be open at once; more wait to be accepted.
    pub connections_max: usize,
    /// Sessions that can be live at once.
    pub sessions_max: u32,
    /// Threads that guests run on. None: the engine's own choice.
    pub threads: Option<usize>,
    /// Interrupt guests by epoch as well.
    pub epochs: bool,
    /// Programs that the module `exec` may start, by the name that scripts use; absolute paths.
    pub programs: BTreeMap<String, PathBuf>,
    /// Networks beyond the public internet that `fetch` may reach where a template grants it.
    pub private_networks: Vec<sandbox::Network>,
    /// Authorities that `fetch` trusts beside those that Mozilla does.
    pub authorities: sandbox::Authorities,
    /// Variables that the module `env` may show, with their values; None is one that is not set.
    pub env: BTreeMap<String, Option<String>>,
    /// What exported sessions are signed with; none: none are exported or imported.
    pub share_key: Option<ShareKey>,
    /// No template's limits go above these; sessions of older templates are held to them too.
    pub ceiling: Limits,
    /// Largest request body, bytes.
    pub body_bytes_max: usize,
    /// How long a stopping server lets running scripts finish before it cancels them.
    pub grace: Duration,
}

impl Config {
    /// The files and directories that the server lives by, there or not: no session sees them.
    pub fn own_paths(&self) -> Vec<PathBuf> {
        let beside_db = ["", "-wal", "-shm", "-journal", "-lock"].map(|suffix| {
            let mut name = self.db.clone().into_os_string();
            name.push(suffix);
            PathBuf::from(name)
        });
        let share_key = self.share_key.as_ref().map(|key| key.path().to_owned());
        let directories = [self.data_dir.clone(), self.library_cache.clone()];
        beside_db.into_iter().chain(directories).chain(share_key).collect()
    }

    /// Largest exported session that is taken, bytes: the largest heap that a template may have, and an image.
    pub fn session_file_bytes_max(&self) -> usize {
        snapfile::bytes_max(self.ceiling.mem_mb)
    }

    /// Where libraries lie unless told otherwise, beneath the server's working directory.
    pub const LIBRARY_CACHE: &str = ".vm-cache/libraries";
    /// Largest request body unless told otherwise.
    pub const BODY_BYTES_MAX: usize = 1 << 20;
    /// A client has so long to send a request's head, as long again for its body, and as long to take the next piece of an
    /// answer. A connection on which nothing was asked for that long is closed.
    pub const REQUEST_TIME: Duration = Duration::from_secs(30);
    /// What large bodies that arrive at once may take together, KiB.
    pub const BODY_ROOM_KIB: usize = 256 << 10;
    /// Ceilings unless told otherwise.
    pub const CEILING: Limits =
        Limits { cpu_ms: 60_000, wall_ms: 300_000, mem_mb: 256, max_events: 1_000_000, max_output_kb: 65_536 };
}
