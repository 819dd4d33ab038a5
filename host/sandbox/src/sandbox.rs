//! One live JavaScript heap.
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use model::{ConsoleLevel, ErrorCode, Grant, HostCall, JsType, Limits, Settings};
use rand::RngExt;
use serde::Serialize;
use uuid::Uuid;
use wasmtime::{Store, UpdateDeadline};

use crate::bindings::{self, Cause, Guest};
use crate::control::HardStop;
use crate::engine::Slot;
use crate::error::Error;
use crate::host::Host;
use crate::image::Image;
use crate::limits::{Meter, Verdict, js_heap_bytes};
use crate::root::Root;
use crate::services::Services;
use crate::snapshot::Past;
use crate::threads::JS_STACK_BYTES;
use crate::typescript;

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
    /// Its heap is stored: `session.checkpoint()` works.
    pub durable: bool,
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

/// One instance of an image. Running a script consumes it and gives it back only if it is still sound.
pub struct Sandbox {
    // Boxed: it travels between threads with every run.
    pub(crate) inner: Box<Inner>,
}

pub(crate) struct Inner {
    pub(crate) store: Store<Host>,
    pub(crate) guest: Guest,
    pub(crate) image: Arc<Image>,
    pub(crate) started: bool,
    /// The last snapshot, which the next one builds on.
    pub(crate) past: Option<Past>,
    /// Stored with the next one, and found with the last.
    pub(crate) note: Option<String>,
    /// The run has no source: it ends when no ticket is out.
    pub(crate) lingers: bool,
    // Last, so that the place in the pool is free before the count says so. None: the one that is no session.
    _slot: Option<Slot>,
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").field("image", &self.inner.image).finish_non_exhaustive()
    }
}

impl Sandbox {
    pub(crate) fn new(image: Arc<Image>, host: Host, slot: Option<Slot>) -> Result<Self, Error> {
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
        Ok(Sandbox {
            inner: Box::new(Inner {
                store,
                guest,
                image,
                started: false,
                past: None,
                note: None,
                lingers: false,
                _slot: slot,
            }),
        })
    }

    /// The image that it was started from.
    pub fn image(&self) -> &Arc<Image> {
        &self.inner.image
    }

    /// Ends, and gives its memory back to the machine: much of one that is merely dropped stays resident, for the next session
    /// that gets its slot.
    pub fn give_back(mut self) {
        let bytes = self.memory().and_then(|memory| Ok(memory.bytes(&mut self.inner.store)?));
        let Ok(bytes) = bytes else { return };
        let memory = std::ptr::NonNull::from(bytes.as_le_slice(&self.inner.store));
        // SAFETY: the guest does not run any more, and the pool clears what it gives to the next.
        unsafe { crate::pagemap::give_back(memory.cast(), memory.len()) };
    }

    /// Why it can't be put away and be brought back without a script's noticing, if it can't: an open transaction, say.
    pub fn pinned(&self) -> Option<&'static str> {
        let host = self.inner.store.data();
        host.pins().or_else(|| host.tickets.holds_work().then_some("an asynchronous host call is under way"))
    }

    /// When the next timer is due that earlier runs left.
    pub fn next_timer(&self) -> Option<Instant> {
        self.inner.store.data().tickets.next_timer()
    }

    /// What is to be stored with the heap from here on, for whoever brings it back; copies come without.
    pub fn keep_note(&mut self, note: Option<String>) {
        self.inner.note = note;
    }

    /// What was stored with the heap.
    pub fn note(&self) -> Option<&str> {
        self.inner.note.as_deref()
    }

    /// Whether a script waits for a checkpoint.
    pub fn wants_checkpoint(&self) -> bool {
        self.inner.store.data().tickets.wants_checkpoint()
    }

    /// Tells the scripts that wait for a checkpoint which one it is, or why there is none.
    pub fn checkpointed(&mut self, answer: Result<Uuid, String>) {
        self.inner.store.data_mut().tickets.checkpointed(answer);
    }
}

impl Inner {
    /// What the image froze is fresh again before the first line of JavaScript runs.
    pub(crate) fn begins(&mut self) -> wasmtime::Result<()> {
        if self.started {
            return Ok(());
        }
        let mem_mb = self.store.data().meter.limits().mem_mb;
        let seed = rand::rng().random();
        self.guest.start(&mut self.store, seed, js_heap_bytes(mem_mb) as u64, JS_STACK_BYTES)?;
        self.started = true;
        if !self.store.data().console_wanted {
            self.guest.eval(&mut self.store, "delete globalThis.console", "<start>", bindings::Mode::Script, 64)?;
        }
        Ok(())
    }

    pub(crate) fn eval(&mut self, script: Script<'_>) -> wasmtime::Result<bindings::Outcome> {
        let value_max = self.value_max();
        self.begins()?;
        self.leftovers()?;
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
        if typescript::is_typescript_name(script.name) {
            return self.eval_typescript(script, mode, value_max);
        }
        let answer = self.guest.eval(&mut self.store, script.source, script.name, mode, value_max)?;
        // What is no JavaScript has not run: it may be TypeScript that was typed.
        if let (Mode::Repl, bindings::Outcome::Exception(thrown)) = (script.mode, &answer)
            && matches!((thrown.cause, thrown.class.as_str()), (Cause::Thrown, "SyntaxError"))
        {
            self.store.data_mut().meter.excuse(typescript::prepare());
            if let Some(javascript) = typescript::strip_line(script.source) {
                return self.guest.eval(&mut self.store, &javascript, script.name, mode, value_max);
            }
        }
        Ok(answer)
    }

    fn eval_typescript(
        &mut self,
        script: Script<'_>,
        mode: bindings::Mode,
        value_max: u32,
    ) -> wasmtime::Result<bindings::Outcome> {
        let meter = &mut self.store.data_mut().meter;
        let Some(stripped) = typescript::strip_metered(script.source, script.name, meter) else {
            // The limit that was hit is the outcome.
            return Ok(bindings::Outcome::Pending);
        };
        let error = match stripped {
            Ok(stripped) if stripped.module && !self.store.data().esm => typescript::SyntaxError {
                message: "ES modules are switched off by the template's settings (runtime.esm)".to_owned(),
                line: 0,
                column: 0,
            },
            Ok(stripped) => {
                let mode = if stripped.module { bindings::Mode::Module } else { mode };
                return self.guest.eval(&mut self.store, &stripped.javascript, script.name, mode, value_max);
            }
            Err(error) => error,
        };
        let typescript::SyntaxError { message, line, column } = error;
        let stack = if line == 0 { String::new() } else { format!("    at {}:{line}:{column}\n", script.name) };
        let (cause, class) = (Cause::Thrown, "SyntaxError".to_owned());
        Ok(bindings::Outcome::Exception(bindings::Exception { cause, class, message, stack, line, column }))
    }
}

pub(crate) fn outcome(answer: bindings::Outcome, meter: &mut Meter) -> Outcome {
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
pub(crate) fn trap(error: &wasmtime::Error, meter: &Meter) -> model::Exception {
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
    use crate::limits::Stop;
    use crate::{Config, Engine, Recipe, Turn};

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
