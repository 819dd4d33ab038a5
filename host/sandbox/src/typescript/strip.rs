//! Sources in TypeScript, made JavaScript by oxc in a sandbox of its own (`guest/typescript`). They are a tenant's, and the
//! parser recurses and backtracks: here a source that is too deep or takes too long is a trap and an error, and reaches
//! nothing. Types become blanks, so that stack traces show the author's lines and columns without a source map.
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use wasmtime::{Config, Engine, InstancePre, Linker, Module, OptLevel, Store, StoreLimits, StoreLimitsBuilder, Trap};

use crate::image::Disk;
use crate::limits::{Meter, thread_cpu};
use crate::threads::{WASM_STACK_BYTES, guest_thread};

const CONVERTER: &[u8] = include_bytes!("../../../../guest/prebuilt/typescript.wasm");
const PURPOSE: &str = "typescript";
const EXTENSION: &str = "tswasm";
/// Two versions of compiled code stay on the disk.
const DISK_BYTES_MAX: u64 = 24 << 20;
/// Largest source, bytes.
pub(crate) const SOURCE_BYTES_MAX: usize = 8 << 20;
/// Instructions for a source: ordinary ones take some 200 a byte. Five billion are about a second.
const FUEL: u64 = 100_000_000;
const FUEL_PER_BYTE: u64 = 500;
/// Instructions for a millisecond of CPU time that a run has left, rather too few than too many.
const FUEL_PER_MS: u64 = 3_000_000;
/// Memory for a source, bytes: ordinary ones take some 30 a byte.
const MEMORY_BYTES: usize = 32 << 20;
const MEMORY_PER_BYTE: usize = 64;
/// From this size on, one source at a time: a few of them at once would be gigabytes.
const LARGE_BYTES: usize = 256 << 10;

const INTRICATE: &str = "The TypeScript source is too intricate: it takes too long to read";

/// JavaScript, and whether the source is an ES module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stripped {
    /// The source with blanks for types. What could not be left in its place is still on its line.
    pub javascript: String,
    /// It imports or exports something, be it types, or its name says so.
    pub module: bool,
}

/// Why a source is no TypeScript that can be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// What is wrong.
    pub message: String,
    /// From 1; 0 where no place is to blame.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
}

impl SyntaxError {
    fn nowhere(message: impl Into<String>) -> Self {
        SyntaxError { message: message.into(), line: 0, column: 0 }
    }
}

#[derive(Clone, Copy)]
enum What {
    Strip = 0,
    StripModule = 1,
    StripLine = 2,
    Declarations = 3,
}

/// The compiled converter: code, shared by the whole process, and no state.
static COMPILED: OnceLock<Result<InstancePre<StoreLimits>, String>> = OnceLock::new();
/// Where compiled code is kept. The first engine of a process says so.
static CACHE: OnceLock<std::path::PathBuf> = OnceLock::new();
static LARGE: Mutex<()> = Mutex::new(());

/// Keeps compiled code in the data directory: compiling takes seconds, reading milliseconds. Nothing happens before the first
/// source.
pub(crate) fn cache_in(dir: &Path) {
    let _ = CACHE.set(dir.to_owned());
}

/// Whether a file of that name is TypeScript.
pub(crate) fn is_typescript_name(name: &str) -> bool {
    [".ts", ".mts", ".cts"].iter().any(|extension| name.ends_with(extension))
}

/// Whether a TypeScript file of that name is an ES module whatever it holds.
fn is_module_name(name: &str) -> bool {
    name.ends_with(".mts")
}

/// The JavaScript of a TypeScript source. Types alone are blanked; enums and parameter properties are rewritten on their lines,
/// namespaces with their statements on their lines. Decorators and `export =` are errors.
pub fn strip(source: &str, name: &str) -> Result<Stripped, SyntaxError> {
    strip_within(source, name, Duration::MAX).0.unwrap_or_else(|| Err(SyntaxError::nowhere(INTRICATE)))
}

/// The same on a run's CPU time. None: what it had left was too little, and it is over.
pub(crate) fn strip_metered(source: &str, name: &str, meter: &mut Meter) -> Option<Result<Stripped, SyntaxError>> {
    let (stripped, cpu) = strip_within(source, name, meter.cpu_left());
    meter.charge(cpu);
    if stripped.is_none() {
        meter.out_of_cpu();
    }
    stripped
}

/// The same in about that much CPU time, and what it took. None: it was too little.
pub(super) fn strip_within(
    source: &str,
    name: &str,
    cpu: Duration,
) -> (Option<Result<Stripped, SyntaxError>>, Duration) {
    let what = if is_module_name(name) { What::StripModule } else { What::Strip };
    let fuel = u64::try_from(cpu.as_millis()).unwrap_or(u64::MAX).saturating_add(1).saturating_mul(FUEL_PER_MS);
    let mut used = Duration::ZERO;
    let stripped = match convert(source, what, fuel, &mut used) {
        Ok((kind, javascript)) => Some(Ok(Stripped { javascript, module: kind == 1 })),
        Err(error) if error.message == INTRICATE && fuel < fuel_of(source) => None,
        Err(error) => Some(Err(error)),
    };
    (stripped, used)
}

fn fuel_of(source: &str) -> u64 {
    FUEL + source.len() as u64 * FUEL_PER_BYTE
}

/// The JavaScript of a line that is TypeScript and no JavaScript.
pub(crate) fn strip_line(source: &str) -> Option<String> {
    convert(source, What::StripLine, u64::MAX, &mut Duration::default())
        .ok()
        .and_then(|(kind, javascript)| (kind != 3).then_some(javascript))
}

/// The declarations (`.d.ts`) of an ES module in TypeScript whose exports all have explicit types.
pub fn declarations_of(source: &str, _name: &str) -> Result<String, SyntaxError> {
    convert(source, What::Declarations, u64::MAX, &mut Duration::default()).map(|(_, text)| text)
}

fn convert(source: &str, what: What, fuel: u64, used: &mut Duration) -> Result<(u8, String), SyntaxError> {
    if source.len() > SOURCE_BYTES_MAX {
        return Err(SyntaxError::nowhere(format!("The source is larger than {SOURCE_BYTES_MAX} bytes")));
    }
    let _turn = (source.len() >= LARGE_BYTES).then(|| LARGE.lock().unwrap_or_else(PoisonError::into_inner));
    // A thread of its own: nobody else's stack is known to have room for what the converter may use.
    let answer = std::thread::scope(|scope| {
        let work = || {
            let answer = run(source, what, fuel);
            *used = thread_cpu();
            answer
        };
        let thread = guest_thread("typescript".to_owned()).spawn_scoped(scope, work).map_err(wasmtime::Error::from)?;
        thread.join().unwrap_or_else(|_| Err(wasmtime::Error::msg("it panicked")))
    });
    let answer = answer.map_err(|error| SyntaxError::nowhere(trapped(&error)))?;
    let malformed = || SyntaxError::nowhere("The TypeScript converter failed");
    let (head, text) = answer.split_at_checked(9).ok_or_else(malformed)?;
    let text = String::from_utf8(text.to_vec()).map_err(|_| malformed())?;
    let word = |at: usize| head.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_le_bytes);
    match head[0] {
        2 => Err(SyntaxError { message: text, line: word(1), column: word(5) }),
        kind => Ok((kind, text)),
    }
}

fn trapped(error: &wasmtime::Error) -> String {
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => INTRICATE,
        Some(Trap::StackOverflow | Trap::MemoryOutOfBounds) => "The TypeScript source is nested too deeply",
        // What Rust does without memory.
        Some(Trap::UnreachableCodeReached) => "The TypeScript source takes too much memory to read",
        _ => {
            tracing::error!(error = format!("{error:#}"), "a TypeScript source could not be converted");
            "The TypeScript converter failed"
        }
    }
    .to_owned()
}

/// Gets the converter ready, on another thread's time. Answers how long that was: seconds for the first source on a data
/// directory, milliseconds for the first of a process, then nothing.
pub(crate) fn prepare() -> Duration {
    if COMPILED.get().is_some() {
        return Duration::ZERO;
    }
    let started = Instant::now();
    // A failure is told by whoever converts.
    std::thread::scope(|scope| drop(scope.spawn(|| converter().is_ok()).join()));
    started.elapsed()
}

fn converter() -> &'static Result<InstancePre<StoreLimits>, String> {
    COMPILED.get_or_init(|| compiled().map_err(|error| format!("{error:#}")))
}

fn run(source: &str, what: What, fuel: u64) -> wasmtime::Result<Vec<u8>> {
    let converter = converter().as_ref().map_err(|error| wasmtime::Error::msg(error.clone()))?;
    let limits = StoreLimitsBuilder::new().memory_size(MEMORY_BYTES + source.len() * MEMORY_PER_BYTE).build();
    let mut store = Store::new(converter.module().engine(), limits);
    store.limiter(|limits| limits);
    store.set_fuel(fuel.min(fuel_of(source)))?;
    let instance = converter.instantiate(&mut store)?;
    let memory = instance.get_memory(&mut store, "memory").ok_or_else(|| wasmtime::Error::msg("no memory"))?;
    let allocate = instance.get_typed_func::<u32, u32>(&mut store, "allocate")?;
    let convert = instance.get_typed_func::<(u32, u32, u32), u64>(&mut store, "convert")?;
    let len = u32::try_from(source.len())?;
    let at = allocate.call(&mut store, len)?;
    memory.write(&mut store, at as usize, source.as_bytes())?;
    let answer = convert.call(&mut store, (at, len, what as u32))?;
    let (start, len) = ((answer & 0xffff_ffff) as usize, (answer >> 32) as usize);
    let answer = memory.data(&store).get(start..).and_then(|from| from.get(..len));
    Ok(answer.ok_or_else(|| wasmtime::Error::msg("an answer outside of the memory"))?.to_vec())
}

fn compiled() -> wasmtime::Result<InstancePre<StoreLimits>> {
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .max_wasm_stack(WASM_STACK_BYTES / 2)
        .async_stack_size(WASM_STACK_BYTES)
        .cranelift_opt_level(OptLevel::Speed);
    let engine = Engine::new(&config)?;
    let module = load(&engine)?;
    let mut linker = Linker::new(&engine);
    // The standard library's. Hash tables want a seed; the rest is for panics, which trap.
    linker.func_wrap("wasi_snapshot_preview1", "random_get", |_: u32, _: u32| 0_u32)?;
    linker.define_unknown_imports_as_traps(&module)?;
    linker.instantiate_pre(&module)
}

fn load(engine: &Engine) -> wasmtime::Result<Module> {
    let Some(disk) = CACHE.get().and_then(|dir| Disk::open(dir).ok()) else { return Module::new(engine, CONVERTER) };
    let mut hash = Hashed(blake3::Hasher::new());
    std::hash::Hash::hash(&engine.precompile_compatibility_hash(), &mut hash);
    let name = format!("{}.{EXTENSION}", hash.0.update(CONVERTER).finalize().to_hex());
    if let Some(code) = disk.load(&name, PURPOSE) {
        // SAFETY: written by `store` below for this engine's settings and version, which its name tells; the MAC says that
        // nobody has changed it since.
        if let Ok(module) = unsafe { Module::deserialize(engine, code) } {
            return Ok(module);
        }
    }
    let module = Module::new(engine, CONVERTER)?;
    disk.prune(EXTENSION, DISK_BYTES_MAX / 2);
    if let Err(error) = disk.store(&name, PURPOSE, &module.serialize()?) {
        tracing::warn!(%error, "the compiled TypeScript converter could not be kept");
    }
    Ok(module)
}

struct Hashed(blake3::Hasher);

impl std::hash::Hasher for Hashed {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}
