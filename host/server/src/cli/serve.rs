//! `vm-system serve`.
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use axum::http::HeaderValue;
use clap::ValueEnum;
use model::Limits;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::programs::Programs;
use super::reach::Reach;
use super::{Globals, printing};
use crate::app::App;
use crate::config::Config;
use crate::snapfile::ShareKey;

/// Flags of `serve`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  vm-system serve
  vm-system serve --listen 127.0.0.1:0 --db /var/lib/vm/vm.db --data-dir /var/lib/vm/cache
  vm-system serve --max-sessions 10000 --max-cpu-ms 10000

The first start on a new data directory compiles the engine, which takes seconds; later starts take milliseconds.
When it listens, it prints `vm-system listening on http://ADDR` on stdout; its log goes to stderr.
SIGINT or SIGTERM stops it: running scripts get --grace-ms to finish, then they are cancelled and recorded.
Durable sessions (the default) are there again after the next start, and after kill -9.")]
pub struct Args {
    /// Address to listen on; port 0 picks a free one. There is no authentication: keep it on the loopback
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:3210")]
    listen: SocketAddr,
    /// Sessions that can be in memory at once: for one more, idle durable ones leave it for the disk; where all are in use,
    /// it is refused with 503 SESSION_LIMIT
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    max_sessions: u32,
    /// Directory of the libraries that templates may list, a file `NAME.js` each
    #[arg(long, value_name = "DIR", default_value = Config::LIBRARY_CACHE)]
    library_cache: PathBuf,
    /// Threads that scripts run on: so many can compute or wait at once [default: 4 a core, at least 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1_024))]
    threads: Option<u16>,
    /// Interrupt scripts by epoch as well: slower code, and a second, independent way to stop it
    #[arg(long)]
    epochs: bool,
    /// Directory that worktrees must lie in; repeat for more [default: any directory, on a loopback address only]
    #[arg(long = "worktree-root", value_name = "DIR")]
    worktree_roots: Vec<PathBuf>,
    /// Name that the server is called by, beside localhost and addresses; repeat for more. Other names are refused: a web
    /// page can make its own name point here
    #[arg(long = "allow-host", value_name = "NAME")]
    hosts: Vec<String>,
    /// Origin whose web pages may call the server, such as https://console.example; repeat for more [default: none]
    #[arg(long = "cors-origin", value_name = "URL", value_parser = origin)]
    cors_origins: Vec<HeaderValue>,
    /// Finished executions that are kept of each session, with their events; older ones go [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    keep_executions: Option<u32>,
    /// Closed and crashed sessions that are kept, with their executions and events; older ones go [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    keep_sessions: Option<u32>,
    /// A durable session that nobody uses for so long leaves memory, and comes back when it is used; 0: not by itself
    #[arg(long, value_name = "MS", default_value_t = 60_000)]
    idle_ms: u64,
    /// Idle sessions leave memory while the process holds more than this for itself, without what sessions share
    /// [default: four fifths of what it may use]
    #[arg(long = "memory-max-mb", value_name = "MB", value_parser = clap::value_parser!(u64).range(1..=1 << 24))]
    memory_max_mb: Option<u64>,
    /// With durability `checkpoint`, changes are on the disk after so long: what a kill may cost
    #[arg(long, value_name = "MS", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    checkpoint_ms: u64,
    /// Checkpoints that are kept of each session, to rewind to; the newest always is
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..))]
    keep_checkpoints: u32,
    /// What the checkpoints of a session may take on the disk; the oldest go, the newest never
    #[arg(long, value_name = "MB", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    keep_checkpoints_mb: u32,
    /// File with the secret, 32 bytes or more, that exported sessions are signed with, and that imported ones must be: the same
    /// on all servers between which sessions move. Nobody but its owner may read it [default: no exports, no imports]
    #[arg(long, value_name = "FILE", value_parser = share_key)]
    share_key: Option<ShareKey>,
    /// What compiled images may take in the data directory; past that those go that no session needs, unused ones first
    #[arg(long, value_name = "MB", default_value_t = 4_096, value_parser = clap::value_parser!(u32).range(1..))]
    images_mb: u32,
    /// Connections that can be open at once; more wait until one closes
    #[arg(long, value_name = "N", default_value_t = 16_384, value_parser = clap::value_parser!(u32).range(1..))]
    max_connections: u32,
    /// How the database is looked over at the start: `quick` takes some seconds a gigabyte, `full` checks indexes too
    #[arg(long, value_enum, value_name = "HOW", default_value_t = Check::Quick)]
    integrity_check: Check,
    /// What an answer waits for: `full`, the disk; `normal`, the kernel (a power cut may lose the last moments)
    #[arg(long, value_enum, value_name = "MODE", default_value_t = Synchronous::Full)]
    synchronous: Synchronous,
    /// Largest request body, bytes; larger ones are refused with 413
    #[arg(long, value_name = "BYTES", default_value_t = Config::BODY_BYTES_MAX as u32)]
    max_body_bytes: u32,
    /// How long running scripts may go on when the server stops, milliseconds
    #[arg(long, value_name = "MS", default_value_t = 5_000)]
    grace_ms: u32,
    /// What scripts may start.
    #[command(flatten)]
    programs: Programs,
    /// What else scripts may reach.
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    ceiling: Ceiling,
}

/// No template's settings go above these.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Ceilings of every template's limits")]
struct Ceiling {
    /// CPU time of one execution
    #[arg(long, value_name = "MS", default_value_t = Config::CEILING.cpu_ms)]
    max_cpu_ms: u32,
    /// Elapsed time of one execution
    #[arg(long, value_name = "MS", default_value_t = Config::CEILING.wall_ms)]
    max_wall_ms: u32,
    /// JavaScript heap of one session; sizes the address space of every session
    #[arg(long, value_name = "MIB", default_value_t = Config::CEILING.mem_mb)]
    max_mem_mb: u32,
    /// Events of one execution
    #[arg(long, value_name = "N", default_value_t = Config::CEILING.max_events)]
    max_events: u32,
    /// Text of one execution's console calls and result
    #[arg(long, value_name = "KIB", default_value_t = Config::CEILING.max_output_kb)]
    max_output_kb: u32,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Synchronous {
    Full,
    Normal,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Check {
    Quick,
    Full,
    Off,
}

/// What browsers send as `Origin`: scheme, host and perhaps a port.
fn origin(text: &str) -> Result<HeaderValue, String> {
    let (scheme, authority) = text.split_once("://").unwrap_or_default();
    if !["http", "https"].contains(&scheme) || authority.is_empty() || authority.contains('/') {
        return Err("an origin is http:// or https://, a host, and perhaps a port; nothing after that".to_owned());
    }
    HeaderValue::from_str(text).map_err(|error| error.to_string())
}

/// Read at once: a file that is none is told before anything starts.
fn share_key(path: &str) -> Result<ShareKey, String> {
    ShareKey::read(Path::new(path))
}

impl Args {
    fn config(&self, globals: &Globals) -> Config {
        Config {
            db: globals.db.clone(),
            synchronous: match self.synchronous {
                Synchronous::Full => store::Synchronous::Full,
                Synchronous::Normal => store::Synchronous::Normal,
            },
            check: match self.integrity_check {
                Check::Quick => store::Check::Quick,
                Check::Full => store::Check::Full,
                Check::Off => store::Check::Off,
            },
            data_dir: globals.server_data_dir(),
            images_bytes_max: u64::from(self.images_mb) << 20,
            library_cache: self.library_cache.clone(),
            worktree_roots: self.worktree_roots.clone(),
            hosts: self.hosts.clone(),
            cors_origins: self.cors_origins.clone(),
            keep_executions: self.keep_executions,
            keep_sessions: self.keep_sessions,
            retention: store::Retention {
                count: self.keep_checkpoints,
                bytes: u64::from(self.keep_checkpoints_mb) << 20,
            },
            checkpoint_every: Duration::from_millis(self.checkpoint_ms),
            idle: Duration::from_millis(self.idle_ms),
            memory_max: self.memory_max_mb.map(|mb| mb << 20),
            connections_max: self.max_connections as usize,
            sessions_max: self.max_sessions,
            threads: self.threads.map(usize::from),
            epochs: self.epochs,
            programs: self.programs.by_name(),
            private_networks: self.reach.private_networks(),
            authorities: self.reach.authorities(),
            env: self.reach.env(),
            share_key: self.share_key.clone(),
            ceiling: Limits {
                cpu_ms: self.ceiling.max_cpu_ms,
                wall_ms: self.ceiling.max_wall_ms,
                mem_mb: self.ceiling.max_mem_mb,
                max_events: self.ceiling.max_events,
                max_output_kb: self.ceiling.max_output_kb,
            },
            body_bytes_max: self.max_body_bytes as usize,
            grace: Duration::from_millis(self.grace_ms.into()),
        }
    }
}

/// Serves until a signal says to stop.
pub fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitCode> {
    // First, so that a port that is taken is known before the engine is compiled.
    let listener = std::net::TcpListener::bind(args.listen).with_context(|| format!("--listen {}", args.listen))?;
    listener.set_nonblocking(true)?;
    let config = args.config(globals);
    if !args.listen.ip().is_loopback() && config.worktree_roots.is_empty() {
        anyhow::bail!(
            "--listen {} reaches beyond this machine: say with --worktree-root DIR which directories sessions may be given",
            args.listen
        );
    }
    if let Some(files) = sandbox::raise_open_files()
        && files < u64::from(config.sessions_max) + config.connections_max as u64 + 256
    {
        let (sessions, connections) = (config.sessions_max, config.connections_max);
        tracing::warn!(files, sessions, connections, "too few open files for so many: ulimit -Hn");
    }
    let app = App::open(config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_name("io")
        .max_blocking_threads(64)
        .enable_all()
        .build()
        .context("cannot start the I/O threads")?;
    let served = runtime.block_on(async {
        let stop = stop_signal()?;
        let listener = TcpListener::from_std(listener)?;
        announce(listener.local_addr()?);
        app.serve(listener, stop).await.context("the server failed")
    });
    // Joined before the last handles of store and engine go, so that these end in order, on this thread.
    runtime.shutdown_timeout(Duration::from_secs(1));
    served.map(|()| ExitCode::SUCCESS)
}

/// Resolves at the first SIGINT or SIGTERM.
fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Scripts read the address from stdout; that nobody does is no reason to fail.
fn announce(address: SocketAddr) {
    tracing::info!("listening on http://{address}");
    if !address.ip().is_loopback() {
        tracing::warn!("there is no authentication: anyone who reaches {address} can run scripts");
    }
    let _ = printing::out(&format!("vm-system listening on http://{address}"));
}
