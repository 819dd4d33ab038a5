//! The engine of a session: made once, snapshotted, and given its seed and limits at every start.
use crate::js;
use crate::{console, encoding, globals, host, imports, interrupt, jobs, memory, tickets};
use core::cell::{Cell, RefCell};
use javy::quickjs::qjs;

/// Until `start` says otherwise. The host links with a C stack of 4 MiB, which this stays well below.
const STACK_BYTES: usize = 1536 << 10;
/// Garbage cycles that may pile up before the collector runs. A collection touches every object, and so every page of
/// the heap; short scripts of a session should never pay for one.
const GARBAGE_BYTES: usize = 4 << 20;

/// What changes with every session. All zero at first, so that it lies with the other state that every script writes and
/// not among initialised data, a page apart.
struct Session {
    /// Nanoseconds at `start`: where `performance.now()` counts from.
    began: Cell<u64>,
    /// State of `Math.random`.
    random: Cell<u64>,
    /// Bytes in use when the image was done, 0 before. What is allocated from the next `start` on is a session's own.
    sealed: Cell<u64>,
}

static SESSION: js::SingleThread<Session> =
    js::SingleThread(Session { began: Cell::new(0), random: Cell::new(0), sealed: Cell::new(0) });

static BUILTINS: js::SingleThread<RefCell<Vec<String>>> = js::SingleThread(RefCell::new(Vec::new()));

pub fn init() -> js::Result<()> {
    crate::call::reserve();
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
    *BUILTINS.0.borrow_mut() = globals::names()?;
    globals::define()?;
    encoding::define()?;
    console::define()?;
    tickets::define()?;
    crate::web::define()?;
    imports::define()
}

/// Whether the image is done: what is evaluated now is a session's.
pub fn is_sealed() -> bool {
    SESSION.0.sealed.get() != 0
}

/// Before any JavaScript runs: the stack is measured from here.
pub fn enter() {
    // SAFETY: a live runtime.
    unsafe { qjs::JS_UpdateStackTop(js::runtime()) };
}

/// Reseeds what the snapshot froze and sets the limits, in bytes. A memory limit of 0 is none.
pub fn start(seed: u64, memory_max: u64, stack_max: u32) {
    SESSION.0.random.set(seed);
    SESSION.0.began.set(host::clock());
    let limit = usize::try_from(memory_max).unwrap_or(usize::MAX);
    // not counted anew: that would walk the whole heap, and map every page of it
    let sealed = SESSION.0.sealed.get();
    let used = if sealed == 0 { memory_used() } else { sealed } as usize;
    let room = if limit == 0 { GARBAGE_BYTES } else { GARBAGE_BYTES.min(limit.saturating_sub(used) / 2) };
    // The key is the host's and not made of the seed, which can be computed from a few values of Math.random().
    let (key0, key1) = (host::random(), host::random());
    // SAFETY: the engine's own functions, with a live runtime.
    unsafe {
        // An image carries the limit of its build, which it may have come close to: the tables are made without one. And
        // before the arenas, so that they lie with what every session writes.
        qjs::JS_SetMemoryLimit(js::runtime(), 0);
        let status = qjs::JS_SetHashKey(js::runtime(), key0, key1, sealed != 0);
        assert!(status == 0, "no memory for a session's tables");
        qjs::JS_SetMemoryLimit(js::runtime(), limit as _);
        qjs::JS_SetMaxStackSize(js::runtime(), stack_max as _);
        if sealed != 0 {
            qjs::JS_UseArenas(js::runtime());
        }
        qjs::JS_SetGCThreshold(js::runtime(), (used + room) as _);
    }
    enter();
}

/// Reseeds what a snapshot of a session froze. Its clock may have been set back meanwhile.
pub fn refresh(seed: u64) {
    SESSION.0.random.set(seed);
    SESSION.0.began.set(SESSION.0.began.get().min(host::clock()));
}

/// Collects garbage, then fills the heap's holes.
pub fn seal() -> u64 {
    // SAFETY: a live runtime and no JavaScript on the stack.
    unsafe { qjs::JS_RunGC(js::runtime()) };
    SESSION.0.sealed.set(memory_used());
    memory::plug_holes()
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
    BUILTINS.0.borrow().clone()
}

/// Milliseconds since `start`.
pub fn milliseconds() -> f64 {
    host::clock().saturating_sub(SESSION.0.began.get()) as f64 / 1e6
}

/// A number from 0 up to 1 (SplitMix64). Here, beside the rest of a session's state, and not in javy's thread-local
/// generator, which costs each session a page.
pub fn random() -> f64 {
    let state = SESSION.0.random.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
    SESSION.0.random.set(state);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let bits = (mixed ^ (mixed >> 31)) >> 11;
    bits as f64 / (1_u64 << 53) as f64
}

/// Milliseconds since 1970 at `start`.
pub fn time_origin() -> f64 {
    SESSION.0.began.get() as f64 / 1e6
}
