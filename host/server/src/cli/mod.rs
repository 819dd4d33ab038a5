//! The command line: one file per command, one arm per command. A command file exposes `Args` (a [`clap::Args`])
//! and `run(args, globals)`; the exit policy lives here and nowhere else.
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand, ValueEnum};

mod client;
mod completions;
mod db;
mod exec;
mod image;
mod interrupt;
mod libs;
mod local;
mod log;
mod ops;
mod printing;
mod programs;
mod reach;
mod repl;
mod run;
mod secret;
mod serve;
mod session;
mod settings;
mod template;

use settings::ConfigFile;
pub use settings::Output;

/// Exit status of a usage error, as clap has it.
pub const EXIT_USAGE: u8 = 2;

#[derive(Parser)]
#[command(
    name = "vm-system",
    version,
    about = "Run JavaScript in sandboxes that hold exactly what their template lists",
    after_help = "Start a server with `vm-system serve`; every command explains itself with --help.",
    propagate_version = true,
    max_term_width = 110
)]
struct Cli {
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    command: Command,
}

/// Flags that every command takes, before or after its name unless they say otherwise.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
struct Flags {
    /// The database file that `serve` keeps templates, sessions and executions in; created if absent
    #[arg(long, global = true, value_name = "FILE", default_value = "vm-system.db")]
    db: PathBuf,
    /// Directory for images and keys. `serve` keeps it in `.vm-system`, and it belongs to the database: without `key` and the images
    /// stored sessions can't be brought back, without `secrets.key` no secret be opened. `run`, `repl` and `image` share the user's
    /// cache directory, which is safe to delete
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The server that client commands talk to [default: http://127.0.0.1:3210]
    #[arg(long, global = true, value_name = "URL", env = "VM_SYSTEM_SERVER_URL", hide_env_values = true)]
    server_url: Option<String>,
    /// What client commands print: `table`, lines for people; `json`, the server's answer, indented [default: table]
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        value_enum,
        env = "VM_SYSTEM_OUTPUT",
        hide_env_values = true,
        hide_possible_values = true
    )]
    output: Option<Output>,
    /// File with the keys `server_url` and `output`, for client commands; flags and variables go before it. It stands
    /// before the command's name: behind some names there is another --config
    /// [default: vm-system/config.toml in $XDG_CONFIG_HOME or ~/.config]
    #[arg(long, value_name = "FILE", env = "VM_SYSTEM_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,
    /// What to log on stderr: error, warn, info, debug, trace, or directives such as `server=debug`.
    /// `serve` logs at info unless told, every other command at warn
    #[arg(long, global = true, value_name = "LEVEL")]
    log_level: Option<String>,
    /// Shape of the log lines
    #[arg(long, global = true, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

/// What the flags, the environment and the configuration file come to.
#[derive(Clone, Debug)]
pub struct Globals {
    /// The database file of `serve`.
    pub db: PathBuf,
    /// `--data-dir`, if given.
    pub data_dir: Option<PathBuf>,
    /// The server that client commands talk to.
    pub server_url: String,
    /// What client commands print.
    pub output: Output,
}

impl Globals {
    /// `--data-dir`, or where `serve` keeps it: beside the database, so that a server's directory is complete.
    pub fn server_data_dir(&self) -> PathBuf {
        self.data_dir.clone().unwrap_or_else(|| PathBuf::from(".vm-system"))
    }
}

/// Shape of the log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the HTTP API
    Serve(serve::Args),
    Run(run::Args),
    Repl(repl::Args),
    Image(image::Args),
    Template(template::Args),
    Session(session::Args),
    Secret(secret::Args),
    Exec(exec::Args),
    Libs(libs::Args),
    Db(db::Args),
    Ops(ops::Args),
    Completions(completions::Args),
}

impl Command {
    fn run(self, globals: &Globals) -> anyhow::Result<ExitCode> {
        match self {
            Command::Serve(args) => serve::run(args, globals),
            Command::Run(args) => run::run(args, globals),
            Command::Repl(args) => repl::run(args, globals),
            Command::Image(args) => image::run(args, globals),
            Command::Template(args) => template::run(args, globals),
            Command::Session(args) => session::run(args, globals),
            Command::Secret(args) => secret::run(args, globals),
            Command::Exec(args) => exec::run(args, globals),
            Command::Libs(args) => libs::run(args, globals),
            Command::Db(args) => db::run(args, globals),
            Command::Ops(args) => ops::run(args, globals),
            Command::Completions(args) => completions::run(&args),
        }
    }

    /// Whether the configuration file is read for it: only where that says something, so that a file that is wrong stops
    /// no server and no script.
    fn is_client(&self) -> bool {
        match self {
            Command::Serve(_)
            | Command::Run(_)
            | Command::Repl(_)
            | Command::Image(_)
            | Command::Db(_)
            | Command::Completions(_) => false,
            Command::Template(_)
            | Command::Session(_)
            | Command::Secret(_)
            | Command::Exec(_)
            | Command::Libs(_)
            | Command::Ops(_) => true,
        }
    }

    /// A server's log is its window; a command's output is its result, so it logs only what went wrong.
    fn log_level(&self) -> &'static str {
        match self {
            Command::Serve(_) => "info",
            _ => "warn",
        }
    }

    /// A server must not wait for whoever reads its log; a command's few lines stand where they belong in its output.
    fn logs_in_background(&self) -> bool {
        matches!(self, Command::Serve(_))
    }
}

/// Parses the command line, runs the command and settles the exit status.
pub fn main() -> ExitCode {
    let Cli { flags, command } = Cli::parse();
    let level = flags.log_level.as_deref().unwrap_or(command.log_level());
    let flush = match start_log(level, flags.log_format, command.logs_in_background()) {
        Ok(flush) => flush,
        Err(error) => return failed(&error),
    };
    let ended = dispatch(flags, command);
    // What was logged stands before the last word.
    drop(flush);
    ended.unwrap_or_else(|error| failed(&error))
}

fn failed(error: &anyhow::Error) -> ExitCode {
    printing::err(&format!("Error: {error:#}"));
    ExitCode::FAILURE
}

fn dispatch(flags: Flags, command: Command) -> anyhow::Result<ExitCode> {
    local::settle((|| {
        let client = command.is_client();
        let file = if client { ConfigFile::load(flags.config.as_deref())? } else { ConfigFile::default() };
        command.run(&Globals::new(flags, file))
    })())
}

/// In the background, the log holds nobody up, and its end is written when the answer is dropped.
fn start_log(level: &str, format: LogFormat, in_background: bool) -> anyhow::Result<Option<log::Flush>> {
    use tracing_subscriber::EnvFilter;
    use tracing_subscriber::fmt::writer::BoxMakeWriter;
    let filter = EnvFilter::try_new(level).map_err(|e| anyhow::anyhow!("--log-level {level}: {e}"))?;
    let (writer, flush) = if in_background {
        let (lines, flush) = log::to_stderr().context("cannot start the log")?;
        log::log_panics();
        (BoxMakeWriter::new(lines), Some(flush))
    } else {
        (BoxMakeWriter::new(std::io::stderr), None)
    };
    // A log that can't be written is no reason to fail; to complain of it on the same stream would panic.
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).log_internal_errors(false);
    match format {
        LogFormat::Text => log.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init(),
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).init(),
    }
    Ok(flush)
}
