//! What `run`, `repl` and `image` share: flags, an engine of this process's own, and one run of a script.
use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use clap::value_parser;
use model::{ConsoleLevel, Exception, Grant, Limits, ModuleName};
use sandbox::{
    Config, Engine, Event, Image, Library, Mode, Policy, Ran, Recipe, Refusal, RefusalReason, Root, Sandbox, Script,
    Setup, Stop,
};
use serde_json::value::RawValue;

use super::interrupt::Interrupts;
use super::printing::{self, Advice};
use super::programs::Programs;
use super::reach::Reach;
use super::{EXIT_USAGE, Globals};
use crate::kv::InMemory;

/// Largest script or library that is read.
const SOURCE_BYTES_MAX: u64 = 64 << 20;
/// A build that takes longer than this is announced.
const PATIENCE: Duration = Duration::from_millis(300);
/// One session at a time is live; the rest is room for `.clear` and completion. Few slots make a quick start.
const SESSIONS_MAX: u32 = 4;

/// What the sandbox is made from.
#[derive(Clone, Debug, clap::Args)]
pub struct ImageArgs {
    /// Native module that scripts may `require`, with its grant as JSON where it needs one; repeat for more. Nothing else
    /// can be reached
    #[arg(long = "module", value_name = "NAME[=GRANT]")]
    pub modules: Vec<String>,
    /// JavaScript file that is evaluated before the script and kept in the image; repeat for more, in order
    #[arg(long = "library", value_name = "FILE")]
    pub libraries: Vec<PathBuf>,
    /// What scripts may start.
    #[command(flatten)]
    pub programs: Programs,
    /// What else scripts may reach.
    #[command(flatten)]
    pub reach: Reach,
}

/// What a script may use.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// CPU time of one script, milliseconds
    #[arg(long, value_name = "N", default_value_t = Limits::default().cpu_ms, value_parser = within(|l| l.cpu_ms))]
    pub cpu_ms: u32,
    /// Elapsed time of one script, milliseconds
    #[arg(long, value_name = "N", default_value_t = Limits::default().wall_ms, value_parser = within(|l| l.wall_ms))]
    pub wall_ms: u32,
    /// JavaScript heap, MiB
    #[arg(long, value_name = "N", default_value_t = Limits::default().mem_mb, value_parser = within(|l| l.mem_mb))]
    pub mem_mb: u32,
    /// Console text and result of one script, KiB
    #[arg(long, value_name = "N", default_value_t = Limits::default().max_output_kb, value_parser = within(|l| l.max_output_kb))]
    pub max_output_kb: u32,
}

fn within(field: fn(&Limits) -> u32) -> clap::builder::RangedI64ValueParser<u32> {
    value_parser!(u32).range(i64::from(field(&Limits::MIN))..=i64::from(field(&Limits::MAX)))
}

impl LimitArgs {
    /// The limits of every run. Events are as many as fit into the output: a second limit on the same thing would need
    /// a second flag.
    pub fn limits(&self) -> Limits {
        Limits {
            cpu_ms: self.cpu_ms,
            wall_ms: self.wall_ms,
            mem_mb: self.mem_mb,
            max_events: Limits::MAX.max_events,
            max_output_kb: self.max_output_kb,
        }
    }
}

/// The command was asked for something that it can't do: exit status 2.
#[derive(Debug)]
pub struct Usage(String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// A library threw while it was loaded into the image.
#[derive(Debug)]
pub struct LibraryFailed {
    /// What it threw.
    pub exception: Exception,
    /// Its name and text, to quote the line.
    pub library: Library,
}

impl fmt::Display for LibraryFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = printing::Quoted { name: self.library.name(), source: self.library.source() };
        let shown = printing::exception(&self.exception, quoted, Advice::Flags(&Limits::default()));
        write!(f, "library {} failed\n{shown}", self.library.name())
    }
}

impl std::error::Error for LibraryFailed {}

/// Refuses with a text; the exit status is 2.
pub fn usage(text: impl Into<String>) -> anyhow::Error {
    Usage(text.into()).into()
}

/// Turns the failures that these commands know into their exit status; others are for `main` to report.
pub fn settle(outcome: anyhow::Result<ExitCode>) -> anyhow::Result<ExitCode> {
    match outcome {
        Err(error) if error.is::<Usage>() => {
            printing::err(&format!("Error: {error}"));
            Ok(ExitCode::from(EXIT_USAGE))
        }
        Err(error) if printing::is_closed_pipe(&error) => Ok(ExitCode::from(printing::EXIT_PIPE)),
        other => other,
    }
}

/// The engine of this process with the one image that the flags ask for.
pub struct Local {
    /// The engine.
    pub engine: Engine,
    /// The image.
    pub image: Arc<Image>,
    /// What it was made from.
    pub recipe: Recipe,
    /// What its modules may do.
    pub grants: Vec<Grant>,
    /// What scripts keep for as long as this process lasts.
    pub key_values: Arc<dyn sandbox::KeyValue>,
    /// Where images are kept, and what else survives this process.
    pub data_dir: PathBuf,
}

impl Local {
    /// Starts the engine and gets the image: milliseconds when it was built before, seconds the first time.
    pub fn open(args: &ImageArgs, mem_mb: u32, globals: &Globals) -> anyhow::Result<Local> {
        let data_dir = user_data_dir(globals)?;
        // Read first: a name that is mistyped is told before a build of seconds starts.
        let libraries = args.libraries.iter().map(|path| library(path)).collect::<anyhow::Result<Vec<_>>>()?;
        patiently(|| {
            let mut policy = Policy::default();
            policy.programs = args.programs.by_name();
            policy.private_networks = args.reach.private_networks();
            policy.authorities = args.reach.authorities();
            policy.env = args.reach.env();
            let config = Config {
                policy,
                data_dir: data_dir.clone(),
                sessions_max: SESSIONS_MAX,
                mem_mb_max: mem_mb,
                threads: 1,
                ..Config::default()
            };
            let engine =
                Engine::new(config).with_context(|| format!("cannot start the engine on {}", data_dir.display()))?;
            let (mut modules, mut grants) = (Vec::new(), Vec::new());
            for raw in &args.modules {
                let (raw, config) = raw.split_once('=').unwrap_or((raw, "{}"));
                let module = engine.registry().look_up(raw).map_err(|refusal| refused(raw, &refusal))?;
                module.check_grant(config).map_err(|why| usage(format!("--module {raw}: {why}")))?;
                let name = ModuleName::parse(module.name)?;
                grants.push(Grant { name: name.clone(), config: RawValue::from_string(config.to_owned())? });
                modules.push(name);
            }
            let recipe = Recipe { modules, libraries };
            let image = engine.image(&recipe).map_err(|error| image_error(error, &recipe))?;
            Ok(Local { engine, image, recipe, grants, key_values: InMemory::service(), data_dir })
        })
    }

    /// A new live heap.
    pub fn start(&self, limits: Limits, root: &Root) -> anyhow::Result<Sandbox> {
        let mut setup = Setup { grants: self.grants.clone(), ..Setup::new(limits, Some(root.clone())) };
        setup.services.key_values = Some(Arc::clone(&self.key_values));
        Ok(self.image.start(setup)?)
    }

    /// Runs `source` on a guest thread and hands its console calls to `console` here, while they happen: a slow reader
    /// of our output then costs the script no time. An error of `console` cancels the run.
    pub fn run(
        &self,
        sandbox: Sandbox,
        source: &Source,
        mode: Mode,
        interrupts: &Interrupts,
        console: impl FnMut(ConsoleLevel, String) -> io::Result<()>,
    ) -> anyhow::Result<Ran> {
        self.follow(sandbox, Some((source.clone(), mode)), interrupts, console)
    }

    /// Goes on until nothing is left of what runs began, under the limits of one more run.
    pub fn linger(
        &self,
        sandbox: Sandbox,
        interrupts: &Interrupts,
        console: impl FnMut(ConsoleLevel, String) -> io::Result<()>,
    ) -> anyhow::Result<Ran> {
        self.follow(sandbox, None, interrupts, console)
    }

    fn follow(
        &self,
        sandbox: Sandbox,
        source: Option<(Source, Mode)>,
        interrupts: &Interrupts,
        mut console: impl FnMut(ConsoleLevel, String) -> io::Result<()>,
    ) -> anyhow::Result<Ran> {
        let (send, receive) = mpsc::channel();
        let stop = Stop::default();
        let armed = interrupts.arm({
            let stop = stop.clone();
            move || stop.cancel()
        });
        self.dispatch(sandbox, source, &stop, send);
        let mut written = Ok(());
        for said in receive {
            match said {
                Said::Console(level, text) if written.is_ok() => {
                    written = console(level, text);
                    if written.is_err() {
                        stop.cancel();
                    }
                }
                Said::Console(..) => {}
                Said::Done(ran) => {
                    drop(armed);
                    written?;
                    return Ok(*ran);
                }
            }
        }
        anyhow::bail!("the guest thread ended without an answer")
    }

    /// Runs `source` unseen and gives it `patience`; the console goes nowhere.
    pub fn probe(&self, sandbox: Sandbox, source: Source, patience: Duration) -> Option<Ran> {
        let (send, receive) = mpsc::channel();
        let stop = Stop::default();
        self.dispatch(sandbox, Some((source, Mode::Script)), &stop, send);
        let mut wait = patience;
        loop {
            match receive.recv_timeout(wait) {
                Ok(Said::Done(ran)) => return Some(*ran),
                Ok(Said::Console(..)) => {}
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    stop.cancel();
                    // The limits of the session end it even where it does not listen.
                    wait = Duration::MAX;
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    fn dispatch(&self, sandbox: Sandbox, source: Option<(Source, Mode)>, stop: &Stop, send: mpsc::Sender<Said>) {
        let stop = stop.clone();
        let events = send.clone();
        let first = move || {
            // Nobody listens any more: then nobody misses it.
            let events = Box::new(move |event| {
                if let Event::Console(level, text) = event {
                    drop(events.send(Said::Console(level, text)));
                }
            });
            let Some((source, mode)) = source else { return sandbox.linger(&stop, events) };
            sandbox.run(Script { prologue: "", source: &source.text, name: &source.name, mode }, &stop, events)
        };
        self.engine.run(first, move |ran| drop(send.send(Said::Done(Box::new(ran)))));
    }
}

enum Said {
    Console(ConsoleLevel, String),
    Done(Box<Ran>),
}

/// A script's text and the name that it has in stack traces.
#[derive(Clone, Debug)]
pub struct Source {
    /// Relative to the root where it lies beneath it: imports are resolved from there, and scripts learn nothing of the
    /// directories above.
    pub name: String,
    /// The text.
    pub text: String,
}

impl Source {
    /// Reads the file at `path`.
    pub fn read(path: &Path, root: &Path) -> anyhow::Result<Source> {
        let file = File::open(path).map_err(|e| usage(format!("cannot read {}: {e}", path.display())))?;
        let text = text(file, &path.display().to_string())?;
        Ok(Source { name: name_beneath(path, root), text })
    }

    /// Reads stdin.
    pub fn stdin() -> anyhow::Result<Source> {
        Ok(Source { name: "[stdin]".to_owned(), text: text(io::stdin().lock(), "stdin")? })
    }

    /// For error messages.
    pub fn quoted(&self) -> printing::Quoted<'_> {
        printing::Quoted { name: &self.name, source: &self.text }
    }
}

/// The directory that `path` lies in, as far as its own text says.
pub fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Opens the directory that scripts may reach.
pub fn open_root(path: &Path) -> anyhow::Result<Root> {
    Root::open(path).map_err(|e| usage(format!("cannot open the root {}: {e}", path.display())))
}

fn name_beneath(path: &Path, root: &Path) -> String {
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let (full, base) = (absolute(path), absolute(root));
    let name = match full.strip_prefix(&base) {
        Ok(relative) => relative,
        Err(_) => Path::new(path.file_name().unwrap_or(path.as_os_str())),
    };
    name.to_string_lossy().into_owned()
}

/// Reads `reader`, called `what` in errors, as text of a bounded length.
pub fn text(reader: impl io::Read, what: &str) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    let read = reader.take(SOURCE_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|e| usage(format!("cannot read {what}: {e}")))?;
    if bytes.len() as u64 > SOURCE_BYTES_MAX {
        return Err(usage(format!("cannot read {what}: larger than {}", printing::bytes(SOURCE_BYTES_MAX))));
    }
    String::from_utf8(bytes).map_err(|e| usage(format!("cannot read {what}: not UTF-8: {e}")))
}

fn library(path: &Path) -> anyhow::Result<Library> {
    let source = Source::read(path, &parent(path))?;
    Ok(Library::new(source.name, source.text))
}

fn refused(raw: &str, refusal: &Refusal) -> anyhow::Error {
    let known = match refusal.reason {
        RefusalReason::Builtin => format!("; modules are: {}", refusal.known.join(", ")),
        RefusalReason::Unknown => String::new(),
    };
    usage(format!("--module {raw} ({}): {refusal}{known}", refusal.reason.as_str()))
}

fn image_error(error: sandbox::Error, recipe: &Recipe) -> anyhow::Error {
    match error {
        sandbox::Error::Refused(refusal) => refused(&refusal.module, &refusal),
        sandbox::Error::Library { name, exception } => {
            match recipe.libraries.iter().find(|library| library.name() == name) {
                Some(library) => LibraryFailed { exception, library: library.clone() }.into(),
                None => anyhow::anyhow!("library {name} failed: {}", exception.message),
            }
        }
        other => other.into(),
    }
}

/// `--data-dir`, or the user's own: images, and the history of prompts.
pub fn user_data_dir(globals: &Globals) -> anyhow::Result<PathBuf> {
    match &globals.data_dir {
        Some(dir) => Ok(dir.clone()),
        None => cache_dir(),
    }
}

/// Where images are kept for this user: `$XDG_CACHE_HOME/vm-system`, else `~/.cache/vm-system`.
fn cache_dir() -> anyhow::Result<PathBuf> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from).filter(|path: &PathBuf| path.is_absolute());
    let cache = variable("XDG_CACHE_HOME").or_else(|| variable("HOME").map(|home| home.join(".cache")));
    let Some(cache) = cache else {
        return Err(usage("neither XDG_CACHE_HOME nor HOME is set: say with --data-dir where images are kept"));
    };
    Ok(cache.join("vm-system"))
}

/// Does `work`, and tells a person who waits for it what takes so long.
fn patiently<T>(work: impl FnOnce() -> T) -> T {
    if !io::stderr().is_terminal() {
        return work();
    }
    let (done, wait) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            if wait.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
                printing::err("building image...");
            }
        });
        let result = work();
        drop(done);
        result
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_relative_to_the_root_and_never_say_more() {
        assert_eq!(name_beneath(Path::new("a/b/c.js"), Path::new("a")), "b/c.js");
        assert_eq!(name_beneath(Path::new("./a/c.js"), Path::new("a")), "c.js");
        assert_eq!(name_beneath(Path::new("c.js"), Path::new(".")), "c.js");
        assert_eq!(name_beneath(Path::new("/x/y/c.js"), Path::new("/z")), "c.js");
    }

    #[test]
    fn the_directory_of_a_bare_name_is_the_current_one() {
        assert_eq!(parent(Path::new("a.js")), Path::new("."));
        assert_eq!(parent(Path::new("d/a.js")), Path::new("d"));
    }

    #[test]
    fn text_that_is_no_text_is_a_usage_error() {
        assert!(text(&b"\xff"[..], "x").unwrap_err().is::<Usage>());
        assert_eq!(text("π".as_bytes(), "x").unwrap(), "π");
    }
}
