//! The engine of a session: made once, snapshotted, and given its seed and limits at every start.
use crate::js;
use crate::{console, encoding, globals, host, imports, interrupt, jobs, memory};
use core::cell::{Cell, RefCell};
use javy::quickjs::qjs;

/// Until `start` says otherwise. The host links with a C stack of 4 MiB, which this stays well below.
const STACK_BYTES: usize = 1536 << 10;
/// Garbage cycles that may pile up before the collector runs. A collection touches every object, and so every page of
/// the heap; short scripts of a session should never pay for one.
const GARBAGE_BYTES: usize = 4 << 20;

struct Session {
    builtins: RefCell<Vec<String>>,
    /// Nanoseconds at `start`: where `performance.now()` counts from.
    began: Cell<u64>,
}

static SESSION: js::SingleThread<Session> =
    js::SingleThread(Session { builtins: RefCell::new(Vec::new()), began: Cell::new(0) });

pub fn init() -> js::Result<()> {
    let mut config = javy::Config::default();
    // WeakRef and FinalizationRegistry are the language's; TextEncoder, performance and console are ours.
    config
        .weak_ref(true)
        .max_stack_size(STACK_BYTES)
        .log_stream(Box::new(std::io::sink()))
        .err_stream(Box::new(std::io::sink()));
    let runtime = javy::Runtime::new(config).map_err(|_| js::Thrown)?;
    let context = runtime.context().with(|context| context.as_raw().as_ptr());
    // the engine lives until the program ends
    core::mem::forget(runtime);
    // SAFETY: see above.
    unsafe { js::init(context) };
    enter();
    // SAFETY: the engine's own functions, with a live runtime; the handlers are plain functions.
    unsafe {
        qjs::JS_SetCanBlock(js::runtime(), false);
        qjs::JS_SetGCThreshold(js::runtime(), GARBAGE_BYTES as _);
    }
    interrupt::install();
    jobs::install();
    crate::evaluate::install();
    globals::remove_foreign()?;
    *SESSION.0.builtins.borrow_mut() = globals::names()?;
    globals::define()?;
    encoding::define()?;
    console::define()?;
    imports::define()
}

/// Before any JavaScript runs: the stack is measured from here.
pub fn enter() {
    // SAFETY: a live runtime.
    unsafe { qjs::JS_UpdateStackTop(js::runtime()) };
}

/// Reseeds what the snapshot froze and sets the limits, in bytes. A memory limit of 0 is none.
pub fn start(seed: u64, memory_max: u64, stack_max: u32) {
    fastrand::seed(seed);
    SESSION.0.began.set(host::clock());
    let limit = usize::try_from(memory_max).unwrap_or(usize::MAX);
    let used = memory_used() as usize;
    let room = if limit == 0 { GARBAGE_BYTES } else { GARBAGE_BYTES.min(limit.saturating_sub(used) / 2) };
    // SAFETY: the engine's own functions, with a live runtime.
    unsafe {
        qjs::JS_SetMemoryLimit(js::runtime(), limit as _);
        qjs::JS_SetMaxStackSize(js::runtime(), stack_max as _);
        qjs::JS_SetGCThreshold(js::runtime(), (used + room) as _);
    }
    enter();
}

/// Collects garbage, then fills the heap's holes.
pub fn seal() -> u64 {
    // SAFETY: a live runtime and no JavaScript on the stack.
    let retired = unsafe {
        qjs::JS_RunGC(js::runtime());
        qjs::JS_RetireArenas(js::runtime())
    };
    retired as u64 + memory::plug_holes()
}

/// Bytes that the engine's allocator has given out.
pub fn memory_used() -> u64 {
    // SAFETY: zeroes are valid for a struct of integers, which the engine fills in.
    unsafe {
        let mut usage: qjs::JSMemoryUsage = core::mem::zeroed();
        qjs::JS_ComputeMemoryUsage(js::runtime(), &mut usage);
        usage.malloc_size as u64
    }
}

/// Names of the globals of the bare engine.
pub fn builtins() -> Vec<String> {
    SESSION.0.builtins.borrow().clone()
}

/// Milliseconds since `start`.
pub fn milliseconds() -> f64 {
    host::clock().saturating_sub(SESSION.0.began.get()) as f64 / 1e6
}

/// Milliseconds since 1970 at `start`.
pub fn time_origin() -> f64 {
    SESSION.0.began.get() as f64 / 1e6
}
