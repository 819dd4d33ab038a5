//! `vm-system run`.
use std::path::PathBuf;
use std::process::ExitCode;

use model::{ConsoleLevel, ErrorCode, Exception, JsType, Limits, Value};
use sandbox::{Metrics, Mode, Outcome, Sandbox};
use serde::Serialize;

use super::Globals;
use super::interrupt::{EXIT_INTERRUPTED, Interrupts};
use super::local::{self, ImageArgs, LibraryFailed, LimitArgs, Local, Source};
use super::printing::{self, Advice};

/// Exit status of a script that ran out of time, as `timeout` has it.
const EXIT_TIMEOUT: u8 = 124;

/// Run a JavaScript or TypeScript file in a sandbox
///
/// The script reaches nothing but the language, the modules that you name and, through them, the files beneath the root.
/// Console output appears while it runs (warnings and errors on stderr), then the value of its last expression.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// The script; `-` reads it from stdin. A name that ends in .mjs is an ES module, in .ts TypeScript
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Run it as an ES module whatever its name
    #[arg(long)]
    pub esm: bool,
    /// Print one JSON object at the end instead: {status, result?, error?, events, metrics}
    #[arg(long)]
    pub json: bool,
    /// What the script may reach.
    #[command(flatten)]
    pub image: ImageArgs,
    /// Directory that `fs` and imports may reach [default: the script's own; for stdin the current one]
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// What it may use.
    #[command(flatten)]
    pub limits: LimitArgs,
}

const EXAMPLES: &str = "\
Examples:
  vm-system run hello.js
  echo '[1,2,3].map(x => x * x)' | vm-system run -
  vm-system run app.mjs                        an ES module; imports come from beneath the root
  vm-system run report.js --module fs --root ./data      may read and write files in ./data
  vm-system run use.js --library lodash.js               loaded once and kept in the image
  vm-system run job.js --cpu-ms 10000 --json | jq .status

Exit status:
  0    the script ended
  1    it threw, or hit a limit on memory, stack or output
  2    the command line is wrong, a file can't be read, or a module is a built-in or unknown
  124  it ran out of time: --cpu-ms and --wall-ms raise the limits
  130  it was stopped by Ctrl-C
  141  nobody reads stdout any more; the script was stopped

The first run with a new set of modules and libraries builds an image, which
takes seconds. It is kept in the data directory; later runs start at once.";

/// Runs the script and returns its exit status.
pub fn run(args: Args, globals: &Globals) -> anyhow::Result<ExitCode> {
    local::settle(execute(&args, globals))
}

fn execute(args: &Args, globals: &Globals) -> anyhow::Result<ExitCode> {
    let interrupts = Interrupts::listen()?;
    let stdin = args.file.as_os_str() == "-";
    let root_path = match (&args.root, stdin) {
        (Some(root), _) => root.clone(),
        (None, true) => PathBuf::from("."),
        (None, false) => local::parent(&args.file),
    };
    let source = if stdin { Source::stdin()? } else { Source::read(&args.file, &root_path)? };
    let root = local::open_root(&root_path)?;
    let esm = args.esm || args.file.extension().is_some_and(|extension| extension == "mjs" || extension == "mts");
    let mode = if esm { Mode::Module } else { Mode::Script };
    let limits = args.limits.limits();

    let opened = Local::open(&args.image, limits.mem_mb, globals);
    let local = match opened {
        Ok(local) => local,
        Err(error) => return library_failed(error, args.json),
    };
    let sandbox = local.start(limits, &root)?;
    let mut events = Vec::new();
    let mut console = |level, text: String| {
        if args.json {
            events.push(Event { seq: events.len() + 1, ty: "console", payload: Payload { level, text } });
            return Ok(());
        }
        printing::console(level, &text)
    };
    let mut ran = local.run(sandbox, &source, mode, &interrupts, &mut console)?;
    if !args.json {
        print(&ran.outcome, &source, &limits)?;
    }
    // As elsewhere, the program ends when its last timer has.
    if let Some(sandbox) = ran.sandbox.take().filter(Sandbox::has_leftovers) {
        let left = local.linger(sandbox, &interrupts, &mut console)?;
        if let Outcome::Exception(_) = left.outcome {
            ran.outcome = left.outcome;
            if !args.json {
                print(&ran.outcome, &source, &limits)?;
            }
        }
    }
    if args.json {
        Report::new(&ran.outcome, events, ran.metrics).print()?;
    }
    Ok(exit_code(&ran.outcome))
}

fn print(outcome: &Outcome, source: &Source, limits: &Limits) -> anyhow::Result<()> {
    match outcome {
        Outcome::Value(value) if value.ty == JsType::Undefined => {}
        Outcome::Value(value) => printing::out(&printing::inspect(value))?,
        Outcome::Exception(exception) => {
            printing::err(&printing::exception(exception, source.quoted(), Advice::Flags(limits)))
        }
    }
    Ok(())
}

/// A library that throws is JavaScript that throws: the same status and shape as if the script had.
fn library_failed(error: anyhow::Error, json: bool) -> anyhow::Result<ExitCode> {
    let failed = match error.downcast::<LibraryFailed>() {
        Ok(failed) if json => failed,
        Ok(failed) => return Err(failed.into()),
        Err(error) => return Err(error),
    };
    let exception = Exception { code: failed.exception.code.or(Some(ErrorCode::LibraryFailed)), ..failed.exception };
    Report::new(&Outcome::Exception(exception), Vec::new(), Metrics::default()).print()?;
    Ok(ExitCode::FAILURE)
}

fn exit_code(outcome: &Outcome) -> ExitCode {
    let Outcome::Exception(exception) = outcome else { return ExitCode::SUCCESS };
    match exception.code {
        Some(ErrorCode::CpuLimitExceeded | ErrorCode::WallLimitExceeded) => ExitCode::from(EXIT_TIMEOUT),
        Some(ErrorCode::Cancelled) => ExitCode::from(EXIT_INTERRUPTED),
        _ => ExitCode::FAILURE,
    }
}

/// The object of `--json`: the words of the HTTP API's executions and events.
#[derive(Serialize)]
struct Report<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a Exception>,
    events: Vec<Event>,
    metrics: Metrics,
}

#[derive(Serialize)]
struct Event {
    seq: usize,
    #[serde(rename = "type")]
    ty: &'static str,
    payload: Payload,
}

#[derive(Serialize)]
struct Payload {
    level: ConsoleLevel,
    text: String,
}

impl<'a> Report<'a> {
    fn new(outcome: &'a Outcome, events: Vec<Event>, metrics: Metrics) -> Report<'a> {
        let (status, result, error) = match outcome {
            Outcome::Value(value) => ("ok", Some(value), None),
            Outcome::Exception(exception) => {
                let status = match exception.code {
                    Some(ErrorCode::CpuLimitExceeded | ErrorCode::WallLimitExceeded) => "timeout",
                    Some(ErrorCode::Cancelled) => "cancelled",
                    _ => "error",
                };
                (status, None, Some(exception))
            }
        };
        Report { status, result, error, events, metrics }
    }

    fn print(&self) -> anyhow::Result<()> {
        Ok(printing::out(&serde_json::to_string(self)?)?)
    }
}
