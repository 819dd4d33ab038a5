//! The command line: one file per command, one arm per command. A command file exposes `Args` (a [`clap::Args`])
//! and `run(args, globals)`; the exit policy lives here and nowhere else.
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

mod db;
mod image;
mod interrupt;
mod libs;
mod local;
mod printing;
mod repl;
mod run;
mod serve;

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
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

/// Flags that every command takes, before or after its name.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub struct Globals {
    /// The database file that `serve` keeps templates, sessions and executions in; created if absent
    #[arg(long, global = true, value_name = "FILE", default_value = "vm-system.db")]
    pub db: PathBuf,
    /// Directory for compiled images and their key: a cache, safe to delete while nothing runs.
    /// `serve` keeps it in `.vm-system`; `run`, `repl` and `image` share the user's cache directory
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// The server that client commands talk to
    #[arg(long, global = true, value_name = "URL", default_value = "http://127.0.0.1:3210")]
    pub server_url: String,
    /// What client commands print: `table`, lines for people; `json`, for programs
    #[arg(long, global = true, value_name = "FORMAT", value_enum, default_value_t = Output::Table, hide_possible_values = true)]
    pub output: Output,
    /// What to log on stderr: error, warn, info, debug, trace, or directives such as `server=debug`.
    /// `serve` logs at info unless told, every other command at warn
    #[arg(long, global = true, value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// Shape of the log lines
    #[arg(long, global = true, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

impl Globals {
    /// `--data-dir`, or where `serve` keeps it: beside the database, so that a server's directory is complete.
    pub fn server_data_dir(&self) -> PathBuf {
        self.data_dir.clone().unwrap_or_else(|| PathBuf::from(".vm-system"))
    }
}

/// Shape of what client commands print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people, and for scripts that read lines.
    #[default]
    Table,
    /// For programs.
    Json,
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
    Db(db::Args),
    Libs(libs::Args),
}

impl Command {
    fn run(self, globals: &Globals) -> anyhow::Result<ExitCode> {
        match self {
            Command::Serve(args) => serve::run(args, globals),
            Command::Run(args) => run::run(args, globals),
            Command::Repl(args) => repl::run(args, globals),
            Command::Image(args) => image::run(args, globals),
            Command::Db(args) => db::run(args, globals),
            Command::Libs(args) => libs::run(args, globals),
        }
    }

    /// A server's log is its window; a command's output is its result, so it logs only what went wrong.
    fn log_level(&self) -> &'static str {
        match self {
            Command::Serve(_) => "info",
            #[allow(unreachable_patterns, reason = "every other command")]
            _ => "warn",
        }
    }
}

/// Parses the command line, runs the command and settles the exit status.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let level = cli.globals.log_level.as_deref().unwrap_or(cli.command.log_level());
    let outcome = start_log(level, cli.globals.log_format).and_then(|()| cli.command.run(&cli.globals));
    match outcome {
        Ok(code) => code,
        Err(error) => {
            report(&error);
            ExitCode::FAILURE
        }
    }
}

#[allow(clippy::print_stderr, reason = "the command line speaks to a person")]
fn report(error: &anyhow::Error) {
    eprintln!("Error: {error:#}");
}

fn start_log(level: &str, format: LogFormat) -> anyhow::Result<()> {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_new(level).map_err(|e| anyhow::anyhow!("--log-level {level}: {e}"))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => log.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    Ok(())
}
