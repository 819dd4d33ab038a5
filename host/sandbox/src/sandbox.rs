//! One live JavaScript heap.
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use model::{ConsoleLevel, ErrorCode, Grant, HostCall, JsType, Limits, Settings};
use rand::RngExt;
use serde::Serialize;
use wasmtime::{Store, UpdateDeadline};

use crate::bindings::{self, Cause, Guest};
use crate::control::HardStop;
use crate::engine::Slot;
use crate::error::Error;
use crate::host::Host;
use crate::image::Image;
use crate::limits::{Meter, Stop, Verdict, js_heap_bytes};
use crate::root::Root;
use crate::services::Services;
use crate::threads::JS_STACK_BYTES;

/// What one host call may bring to the host. The guest itself throws past half of that, so that only one whose heap is
/// no longer its own comes here, and traps.
const HOSTCALL_BYTES: usize = 128 << 20;

/// What a script does for others to see, as it does it.
#[derive(Clone, Debug)]
pub enum Event {
    /// A console call.
    Console(ConsoleLevel, String),
    /// A call of a module whose grant says `audit`.
    HostCall(HostCall),
}

/// Listens while a script runs; called on the guest's thread.
pub type Events = Box<dyn FnMut(Event) + Send>;

/// What a sandbox is started with.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Limits, the ways of `import`, and switches; enforced in every run.
    pub settings: Settings,
    /// What `fs` and imports of files reach. None: they reach nothing.
    pub root: Option<Root>,
    /// What the modules of the image may do. One that is not here has its default.
    pub grants: Vec<Grant>,
    /// What it is given of its tenant's.
    pub services: Services,
}

impl Setup {
    /// Default settings but for the limits, default grants.
    pub fn new(limits: Limits, root: Option<Root>) -> Setup {
        Setup { settings: Settings { limits, ..Settings::default() }, root, ..Setup::default() }
    }
}

/// How a source is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Sloppy script in the one global scope; `let`, `const` and `class` persist; top-level `await` is allowed.
    Script,
    /// The same, and a top-level `let`, `const` or `class` may be declared again.
    Repl,
    /// ES module.
    Module,
}

/// One piece of source.
#[derive(Clone, Copy, Debug)]
pub struct Script<'a> {
    /// Evaluated first, in the same run and under the same limits; its value is nobody's. May be empty.
    pub prologue: &'a str,
    /// Its text.
    pub source: &'a str,
    /// Stands in stack traces.
    pub name: &'a str,
    /// How it is evaluated.
    pub mode: Mode,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// With a value.
    Value(model::Value),
    /// With an uncaught exception, or stopped by a limit (then its `code` says which).
    Exception(model::Exception),
}

/// What a run used of one module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ModuleUsage {
    /// Calls.
    pub calls: u64,
    /// From each call to its result, added up, microseconds: calls that wait at once count each.
    #[serde(rename = "us")]
    pub micros: u64,
    /// Text and data of arguments and results, bytes.
    pub bytes: u64,
}

/// What a run used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Metrics {
    /// CPU time on guest threads, microseconds.
    pub cpu_us: u64,
    /// Elapsed time, microseconds.
    pub wall_us: u64,
    /// High-water mark of the session's linear memory, bytes.
    pub memory_bytes: u64,
    /// Calls of native modules.
    pub host_calls: u64,
    /// Console text and result, bytes.
    pub output_bytes: u64,
    /// What was used of each module that was called.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub modules: BTreeMap<&'static str, ModuleUsage>,
}

/// A finished run.
#[derive(Debug)]
pub struct Ran {
    /// How it ended.
    pub outcome: Outcome,
    /// What it used.
    pub metrics: Metrics,
    /// The sandbox, for the next run. None when it trapped: an unsound heap is dropped and can't be reused.
    pub sandbox: Option<Sandbox>,
}

/// How far a run has come.
#[derive(Debug)]
pub enum Turn {
    /// To its end.
    Done(Box<Ran>),
    /// It waits for something outside and needs no thread meanwhile.
    Waiting(Waiting),
}

impl Turn {
    /// The end, if it is there already.
    pub fn done(self) -> Option<Ran> {
        match self {
            Turn::Done(ran) => Some(*ran),
            Turn::Waiting(_) => None,
        }
    }
}

/// A run whose promise has not settled while tickets are out.
#[derive(Debug)]
pub struct Waiting(Sandbox);

impl Waiting {
    /// Waits until there is something to go on with: a timer is due, a host call is done, the time is up, or the run was
    /// cancelled. Needs tokio's timers.
    pub fn ready(&self) -> impl Future<Output = ()> + Send + use<> {
        let host = self.0.inner.store.data();
        let (stop, arrival) = (host.meter.stop().clone(), host.tickets.arrival());
        let end = host.meter.wall_end();
        let until = host.tickets.next_timer().map_or(end, |timer| timer.min(end));
        async move {
            tokio::select! {
                () = arrival => {}
                () = tokio::time::sleep_until(until.into()) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Goes on with what is there. Call it on a guest thread.
    pub fn resume(self) -> Turn {
        let mut sandbox = self.0;
        let host = sandbox.inner.store.data_mut();
        host.meter.go_on();
        sandbox.go_on(Ok(bindings::Outcome::Pending))
    }
}

/// One instance of an image. Running a script consumes it and gives it back only if it is still sound.
pub struct Sandbox {
    // Boxed: it travels between threads with every run.
    inner: Box<Inner>,
}

struct Inner {
    store: Store<Host>,
    guest: Guest,
    image: Arc<Image>,
    started: bool,
    // Last, so that the place in the pool is free before the count says so.
    _slot: Slot,
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").field("image", &self.inner.image).finish_non_exhaustive()
    }
}

impl Sandbox {
    pub(crate) fn new(image: Arc<Image>, host: Host, slot: Slot) -> Result<Self, Error> {
        let engine = image.component.engine();
        let mut store = Store::new(engine, host);
        store.limiter(|host| &mut host.memory);
        store.set_hostcall_fuel(HOSTCALL_BYTES);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut store| match store.data_mut().meter.poll() {
            Verdict::Trap => Err(HardStop.into()),
            Verdict::Go | Verdict::Stop => Ok(UpdateDeadline::Continue(1)),
        });
        let guest = match Guest::instantiate(&mut store, &image.component, &image.exports) {
            Ok(guest) => guest,
            Err(_) if store.data().memory.refused_at_start => {
                return Err(Error::TooSmall { mem_mb: store.data().meter.limits().mem_mb });
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Sandbox { inner: Box::new(Inner { store, guest, image, started: false, _slot: slot }) })
    }

    /// The image that it was started from.
    pub fn image(&self) -> &Arc<Image> {
        &self.inner.image
    }

    /// Why it can't be put away and be brought back without a script's noticing, if it can't: an open transaction, say.
    pub fn pinned(&self) -> Option<&'static str> {
        self.inner.store.data().pins()
    }

    /// Runs `script` and every job it queues, as far as that goes without waiting; [`crate::Engine::finish`] does the
    /// rest. What an earlier run left and is due by now comes first. Call it on a guest thread ([`crate::Engine::spawn`]).
    pub fn run(mut self, script: Script<'_>, stop: &Stop, events: Events) -> Turn {
        let inner = &mut *self.inner;
        inner.store.data_mut().begin(stop, Some(events));
        let answer = inner.eval(script);
        self.go_on(answer)
    }

    /// From what the guest answered to the end of the run, or until only others can bring it on.
    fn go_on(mut self, mut answer: wasmtime::Result<bindings::Outcome>) -> Turn {
        let inner = &mut *self.inner;
        while let Ok(bindings::Outcome::Pending) = answer {
            let host = inner.store.data_mut();
            host.meter.poll();
            if host.meter.exceeded().is_some() || host.tickets.is_empty() {
                break;
            }
            match host.due(Instant::now()) {
                Some(ticket) => answer = inner.complete(ticket),
                None => {
                    host.meter.pause();
                    return Turn::Waiting(Waiting(self));
                }
            }
        }
        Turn::Done(Box::new(self.end(answer)))
    }

    fn end(mut self, answer: wasmtime::Result<bindings::Outcome>) -> Ran {
        let inner = &mut *self.inner;
        let answer = answer.and_then(|answer| {
            // Nothing of a run that was stopped goes on in a later one.
            let stopped = inner.store.data().meter.exceeded().is_some();
            if stopped || matches!(answer, bindings::Outcome::Pending) {
                let tickets = if stopped { inner.store.data_mut().tickets.abandon_run() } else { Vec::new() };
                inner.guest.abandon(&mut inner.store, &inner.image.exports, &tickets)?;
            }
            Ok(answer)
        });
        let host = inner.store.data_mut();
        if host.meter.exceeded().is_some() {
            host.stopped();
        }
        host.end();
        let (outcome, sound) = match answer {
            Ok(answer) => (outcome(answer, &mut host.meter), true),
            Err(error) => (Outcome::Exception(trap(&error, &host.meter)), false),
        };
        let micros = |time: std::time::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let metrics = Metrics {
            cpu_us: micros(host.meter.cpu()),
            wall_us: micros(host.meter.wall()),
            memory_bytes: host.memory.bytes as u64,
            host_calls: host.meter.host_calls,
            output_bytes: host.meter.output_bytes() as u64,
            modules: host.used(inner.image.modules()),
        };
        Ran { outcome, metrics, sandbox: sound.then_some(self) }
    }
}

impl Inner {
    /// Completes one ticket.
    fn complete(&mut self, ticket: u32) -> wasmtime::Result<bindings::Outcome> {
        let value_max = self.value_max();
        let answer = self.guest.resume(&mut self.store, &self.image.exports, ticket, value_max)?;
        let host = self.store.data_mut();
        host.tickets.completed(ticket);
        if host.meter.exceeded().is_some() {
            // A timer that repeats what had to be stopped would stop every run to come.
            host.tickets.abandon(ticket);
            self.guest.abandon(&mut self.store, &self.image.exports, &[ticket])?;
        }
        Ok(answer)
    }

    fn value_max(&self) -> u32 {
        u32::try_from(self.store.data().meter.output_left()).unwrap_or(u32::MAX)
    }

    fn eval(&mut self, script: Script<'_>) -> wasmtime::Result<bindings::Outcome> {
        let limits = *self.store.data().meter.limits();
        let value_max = self.value_max();
        if !self.started {
            // What the snapshot froze is fresh again before the first line of JavaScript runs.
            let seed = rand::rng().random();
            self.guest.start(&mut self.store, seed, js_heap_bytes(limits.mem_mb) as u64, JS_STACK_BYTES)?;
            self.started = true;
            if !self.store.data().console_wanted {
                self.guest.eval(&mut self.store, "delete globalThis.console", "<start>", bindings::Mode::Script, 64)?;
            }
        }
        let now = Instant::now();
        while let Some(ticket) = self.store.data_mut().due(now) {
            self.complete(ticket)?;
        }
        if !script.prologue.is_empty() {
            let name = "<prologue>";
            match self.guest.eval(&mut self.store, script.prologue, name, bindings::Mode::Script, value_max)? {
                bindings::Outcome::Value(_) | bindings::Outcome::TooLarge(_) => {}
                failed => return Ok(failed),
            }
        }
        let mode = match script.mode {
            Mode::Script => bindings::Mode::Script,
            Mode::Repl => bindings::Mode::Repl,
            Mode::Module => bindings::Mode::Module,
        };
        self.guest.eval(&mut self.store, script.source, script.name, mode, value_max)
    }
}

fn outcome(answer: bindings::Outcome, meter: &mut Meter) -> Outcome {
    // A limit that was hit decides, even when the script caught what it threw or ended by itself just then.
    if let Some(code) = meter.exceeded() {
        return Outcome::Exception(stop_exception(code, meter.limits()));
    }
    match answer {
        bindings::Outcome::Value(value) => {
            let bytes = value.preview.len() + value.json.as_ref().map_or(0, String::len);
            // The guest was told how much is left; its memory is the script's, so it is checked again.
            if bytes > meter.output_left() {
                return Outcome::Exception(stop_exception(ErrorCode::OutputLimitExceeded, meter.limits()));
            }
            meter.result(bytes);
            Outcome::Value(self::value(value))
        }
        bindings::Outcome::Exception(thrown) => Outcome::Exception(exception(thrown, meter)),
        bindings::Outcome::Pending => {
            Outcome::Exception(stop_exception(ErrorCode::PromiseNeverSettles, meter.limits()))
        }
        bindings::Outcome::TooLarge(_) => {
            Outcome::Exception(stop_exception(ErrorCode::OutputLimitExceeded, meter.limits()))
        }
    }
}

fn value(value: bindings::Value) -> model::Value {
    let ty = match value.ty {
        bindings::JsType::Undefined => JsType::Undefined,
        bindings::JsType::Null => JsType::Null,
        bindings::JsType::Boolean => JsType::Boolean,
        bindings::JsType::Number => JsType::Number,
        bindings::JsType::Bigint => JsType::Bigint,
        bindings::JsType::String => JsType::String,
        bindings::JsType::Symbol => JsType::Symbol,
        bindings::JsType::Object => JsType::Object,
        bindings::JsType::Array => JsType::Array,
        bindings::JsType::Function => JsType::Function,
    };
    // What the guest calls JSON is parsed before it is passed on as JSON; and it is one line, as JSON.stringify makes it.
    let line = |text: &String| !text.bytes().any(|byte| byte < b' ');
    let json = value.json.filter(line).and_then(|text| serde_json::value::RawValue::from_string(text).ok());
    model::Value { ty, preview: value.preview, json }
}

/// Longest text of an exception, bytes. The guest cuts there as well; its memory is the script's, so it is cut again.
const EXCEPTION_BYTES_MAX: usize = 64 << 10;

fn cut(text: &mut String) {
    text.truncate(text.floor_char_boundary(EXCEPTION_BYTES_MAX));
}

/// An exception as clients see it.
pub(crate) fn exception(mut thrown: bindings::Exception, meter: &Meter) -> model::Exception {
    cut(&mut thrown.class);
    cut(&mut thrown.message);
    cut(&mut thrown.stack);
    let code = match thrown.cause {
        Cause::Thrown => None,
        Cause::OutOfMemory => Some(ErrorCode::MemoryLimitExceeded),
        Cause::StackOverflow => Some(ErrorCode::StackLimitExceeded),
        // The guest says that it was interrupted, but nothing here interrupted it: its word alone is no limit.
        Cause::Interrupted => return stop_exception(meter.exceeded().unwrap_or(ErrorCode::Cancelled), meter.limits()),
    };
    let message = if thrown.class.is_empty() {
        format!("Uncaught {}", thrown.message)
    } else if thrown.message.is_empty() {
        thrown.class
    } else {
        format!("{}: {}", thrown.class, thrown.message)
    };
    let some = |number: u32| (number > 0).then_some(number);
    model::Exception {
        message,
        stack: (!thrown.stack.is_empty()).then_some(thrown.stack),
        line: some(thrown.line),
        column: some(thrown.column),
        code,
    }
}

/// The exception of a run that a limit stopped: what was hit, and what raises it.
pub(crate) fn stop_exception(code: ErrorCode, limits: &Limits) -> model::Exception {
    let message = match code {
        ErrorCode::CpuLimitExceeded => format!("CPU time limit of {} ms exceeded (cpu_ms)", limits.cpu_ms),
        ErrorCode::WallLimitExceeded => format!("Time limit of {} ms exceeded (wall_ms)", limits.wall_ms),
        ErrorCode::OutputLimitExceeded => format!(
            "Output limit of {} KiB or {} events exceeded (max_output_kb, max_events)",
            limits.max_output_kb, limits.max_events
        ),
        ErrorCode::PromiseNeverSettles => {
            "The awaited promise never settles: nothing is left that could settle it".to_owned()
        }
        ErrorCode::Cancelled => "Execution was cancelled".to_owned(),
        other => other.as_str().to_owned(),
    };
    model::Exception { message, stack: None, line: None, column: None, code: Some(code) }
}

/// A trap: the limit that did not get its way softly, or else a crash.
fn trap(error: &wasmtime::Error, meter: &Meter) -> model::Exception {
    if let Some(code) = meter.exceeded() {
        return stop_exception(code, meter.limits());
    }
    tracing::error!(error = format!("{error:#}"), "a guest trapped");
    model::Exception {
        message: "The sandbox crashed and its heap is gone".to_owned(),
        stack: None,
        line: None,
        column: None,
        code: Some(ErrorCode::SessionCrashed),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::{Config, Engine, Recipe};

    /// The strings of `text` that are names to the engine: whether the session made it, and its hash. Looked up in the
    /// heap, since nothing tells a hash: a header of 16 bytes (length, then hash, whose table it is in, and what kind of
    /// string it is), then the text.
    fn names(sandbox: &mut Sandbox, text: &str) -> Vec<(bool, u32)> {
        let inner = &mut *sandbox.inner;
        let component = inner.image.component.component().clone();
        let (_, state) = component.get_export(None, "vm:session/state@0.1.0").unwrap();
        let export = component.get_export_index(Some(&state), "memory").unwrap();
        let memory = inner.guest.instance().get_typed_func::<(), (Vec<u8>,)>(&mut inner.store, export).unwrap();
        let heap = memory.call(&mut inner.store, ()).unwrap().0;
        let word = |at: usize| u32::from_le_bytes(heap[at..at + 4].try_into().unwrap());
        let is_name = |at: &usize| word(at - 16) as usize == text.len() && word(at - 12) >> 28 == 0b0100;
        let places = heap.windows(text.len()).enumerate().filter(|(_, bytes)| *bytes == text.as_bytes());
        let found = places.map(|(at, _)| at).filter(|at| *at >= 16).filter(is_name);
        found.map(|at| word(at - 12)).map(|bits| (bits >> 27 & 1 == 1, bits & 0x7ff_ffff)).collect()
    }

    #[test]
    fn hashes_are_fresh_in_every_session_and_the_images_stay() {
        let dir = tempfile::tempdir().unwrap();
        let config = Config { data_dir: dir.path().to_owned(), sessions_max: 4, ..Config::default() };
        let engine = Engine::new(config).unwrap();
        let image = engine.image(&Recipe::default()).unwrap();
        let (done, found) = mpsc::channel();
        for _ in 0..3 {
            let (image, done) = (image.clone(), done.clone());
            engine.spawn(move || {
                let sandbox = image.start(Setup::default()).unwrap();
                let script = Script {
                    prologue: "",
                    source: "freshName = [].toLocaleString()",
                    name: "test.js",
                    mode: Mode::Script,
                };
                let Turn::Done(ran) = sandbox.run(script, &Stop::default(), Box::new(|_| ())) else { panic!() };
                let mut sandbox = ran.sandbox.unwrap();
                done.send((names(&mut sandbox, "freshName"), names(&mut sandbox, "toLocaleString"))).unwrap();
            });
        }
        let found: Vec<_> = found.iter().take(3).collect();
        let mut fresh: Vec<_> = found.iter().flat_map(|(own, _)| own).collect();
        fresh.sort_unstable();
        fresh.dedup();
        assert!(fresh.len() == 3 && fresh.iter().all(|(own, _)| *own), "a name of the session's own: {found:x?}");
        let first = &found[0].1;
        assert!(matches!(first[..], [(false, _)]) && found.iter().all(|(_, image)| image == first), "{found:x?}");
    }
}
