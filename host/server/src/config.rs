//! What an operator decides.
use std::path::PathBuf;
use std::time::Duration;

use model::Limits;
use store::Synchronous;

/// Settings of a server; the command line fills them in.
#[derive(Clone, Debug)]
pub struct Config {
    /// The database file.
    pub db: PathBuf,
    /// What a commit waits for.
    pub synchronous: Synchronous,
    /// Compiled images and their key.
    pub data_dir: PathBuf,
    /// Libraries that templates may list.
    pub library_cache: PathBuf,
    /// Sessions that can be live at once.
    pub sessions_max: u32,
    /// Threads that guests run on. None: the engine's own choice.
    pub threads: Option<usize>,
    /// Interrupt guests by epoch as well.
    pub epochs: bool,
    /// No template's limits go above these; sessions of older templates are held to them too.
    pub ceiling: Limits,
    /// Largest request body, bytes.
    pub body_bytes_max: usize,
    /// How long a stopping server lets running scripts finish before it cancels them.
    pub grace: Duration,
}

impl Config {
    /// Largest request body unless told otherwise.
    pub const BODY_BYTES_MAX: usize = 1 << 20;
    /// Libraries unless told otherwise: below the working directory.
    pub const LIBRARY_CACHE: &str = ".vm-cache/libraries";
    /// Ceilings unless told otherwise.
    pub const CEILING: Limits =
        Limits { cpu_ms: 60_000, wall_ms: 300_000, mem_mb: 256, max_events: 1_000_000, max_output_kb: 65_536 };
}
