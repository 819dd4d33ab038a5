//! The pipeline: link, run the facades and libraries once, snapshot, compile, keep.
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use model::Limits;
use wasmtime::component::{Component, Instance, Lift, Linker, WasmList};
use wasmtime::error::Context as _;
use wasmtime::{Engine, Store};
use wasmtime_wizer::{ComponentInstanceState, Wizer};

use super::disk::Disk;
use super::facades;
use super::functions::Functions;
use super::libraries::{self, Judgement, LibraryFacts, Plan, Step};
use super::{Header, Image, ImageFacts, Origin, interfaces, link};
use crate::bindings::{Exports, Guest, Mode, Outcome};
use crate::control;
use crate::engine::Slots;
use crate::error::Error;
use crate::host::{Host, Surroundings};
use crate::library::Library;
use crate::limits::{Stop, js_heap_bytes};
use crate::modules::Module;
use crate::sandbox::{Setup, exception, stop_exception};
use crate::snapshot::SnapshotKey;
use crate::threads::{JS_STACK_BYTES, guest_thread};

const PURPOSE: &str = "image";
const EXTENSION: &str = "cwasm";
/// Compiled images that stay on disk, bytes; past that the ones that were written first go.
pub(super) const DISK_BYTES_MAX: u64 = 4 << 30;
/// Bumped when the layout of an image file changes.
const FORMAT: u32 = 3;
/// Enough for the names that a module or library exports; what a library evaluates to is of no interest.
const PREVIEW_BYTES_MAX: u32 = 256 << 10;
const PRELUDE_NAME: &str = "prelude.js";
/// The web's globals, a script. `js/` has its sources.
const WEB_NAME: &str = "web.js";
const WEB: &str = include_str!("../../js/dist/web.js");
/// Names of the globals without those that are there for the prelude alone.
const GLOBALS: &str = "Object.getOwnPropertyNames(globalThis).filter((name) => !name.startsWith('__')).join()";
/// What all libraries of a template together may use while they are evaluated, in one attempt. There is no other attempt
/// once all of them have used as much, so that a build is evaluated for less than twice the time.
const BUILD_LIMITS: Limits =
    Limits { cpu_ms: 10_000, wall_ms: 30_000, mem_mb: 256, max_events: 10_000, max_output_kb: 1_024 };

/// Builds images and finds built ones.
pub(crate) struct Builder {
    pub(super) disk: Arc<Disk>,
    functions: Arc<Functions>,
    /// Runs the code that is snapshotted. Not the pool: a build takes no session's slot.
    scratch: Engine,
    runtime: Engine,
    guest: Vec<u8>,
    /// What every image depends on, hashed: the guest is megabytes, and each session start asks for a hash.
    common: blake3::Hasher,
    rooms: (Arc<Slots>, Surroundings),
    /// Compiling uses every core and some 100 MB, whoever asks for it: one at a time. Not held while libraries are
    /// evaluated: how long that takes is up to them.
    turn: Mutex<()>,
}

/// Milliseconds of each stage, in order.
#[derive(Default)]
struct Stages(Vec<(String, Duration)>);

impl Stages {
    fn time<T>(&mut self, name: &str, work: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let result = work();
        self.0.push((name.to_owned(), started.elapsed()));
        result
    }
}

impl Builder {
    /// `configure` makes the configuration of an engine; true asks for the pool.
    pub(crate) fn new(
        dir: &std::path::Path,
        rooms: (Arc<Slots>, Surroundings),
        configure: impl Fn(bool) -> wasmtime::Result<wasmtime::Config>,
    ) -> Result<Self, Error> {
        let doing = || format!("opening the data directory {}", dir.display());
        let disk = Arc::new(Disk::open(dir).map_err(|error| Error::internal(&doing(), error))?);
        let (slots, mut surroundings) = rooms;
        surroundings.snapshot_key = disk.snapshot_key();
        let rooms = (slots, surroundings);
        let functions = Arc::new(Functions::new(disk.clone()));
        let engine = |pool| -> wasmtime::Result<Engine> {
            let mut config = configure(pool)?;
            config.enable_incremental_compilation(functions.clone())?;
            Engine::new(&config)
        };
        let guest = link::guest()?.into_owned();
        let runtime = engine(true)?;
        let mut common = Content(blake3::Hasher::new());
        FORMAT.hash(&mut common);
        runtime.precompile_compatibility_hash().hash(&mut common);
        guest.hash(&mut common);
        (link::sources(), facades::PRELUDE, WEB).hash(&mut common);
        // A facade may import others, listed or not.
        crate::modules::ALL.iter().for_each(|module| module.facade.as_ref().map(|own| own.source).hash(&mut common));
        crate::modules::node::INNER.hash(&mut common);
        (JS_STACK_BYTES, crate::threads::SHADOW_STACK_BYTES).hash(&mut common);
        Ok(Builder {
            scratch: engine(false)?,
            runtime,
            disk,
            functions,
            guest,
            common: common.0,
            rooms,
            turn: Mutex::new(()),
        })
    }

    pub(crate) fn runtime(&self) -> &Engine {
        &self.runtime
    }

    /// Covers everything that the compiled bytes depend on.
    pub(crate) fn hash(&self, modules: &[&'static Module], libraries: &[Library]) -> String {
        let mut hash = Content(self.common.clone());
        modules.len().hash(&mut hash);
        for module in modules {
            (module.name, module.version).hash(&mut hash);
            module.interface.as_ref().map(|interface| (interface.name, interface.wit)).hash(&mut hash);
            facades::source(module).hash(&mut hash);
            (module.parts, module.globals).hash(&mut hash);
        }
        for library in libraries {
            (library.name(), library.digest()).hash(&mut hash);
        }
        hash.0.finalize().to_hex().to_string()
    }

    /// The image of that content from the data directory, if it is there. Takes milliseconds and waits for no build.
    pub(crate) fn stored(&self, hash: &str, modules: &[&'static Module]) -> Result<Option<Image>, Error> {
        let Some((header, component)) = self.load(hash) else { return Ok(None) };
        self.finish(hash, Origin::Disk, header, &component, modules).map(Some)
    }

    /// A new image of that content.
    pub(crate) fn image(&self, hash: &str, modules: &[&'static Module], libraries: &[Library]) -> Result<Image, Error> {
        let (header, component) = on_guest_thread(|| self.build(modules, libraries))?;
        {
            let _turn = self.turn();
            self.save(hash, &header, &component);
        }
        self.finish(hash, Origin::Built, header, &component, modules)
    }

    pub(crate) fn snapshot_key(&self) -> &SnapshotKey {
        &self.rooms.1.snapshot_key
    }

    pub(super) fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn finish(
        &self,
        hash: &str,
        origin: Origin,
        header: Header,
        component: &Component,
        modules: &[&'static Module],
    ) -> Result<Image, Error> {
        let linker = linker(&self.runtime, modules)?;
        Ok(Image::new(hash.to_owned(), origin, header, component, &linker, modules.to_vec(), self.rooms.clone())?)
    }

    fn load(&self, hash: &str) -> Option<(Header, Component)> {
        let payload = self.disk.load(&file_name(hash), PURPOSE)?;
        let (len, rest) = payload.split_first_chunk::<8>()?;
        let (header, code) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*len)).ok()?)?;
        let header = serde_json::from_slice(header).ok()?;
        // SAFETY: the bytes are what `Component::serialize` gave this installation: `Disk::load` checked their MAC
        // under its own key. Wasmtime checks by itself that they fit this build and these settings.
        let component = unsafe { Component::deserialize(&self.runtime, code) };
        match component {
            Ok(component) => Some((header, component)),
            Err(error) => {
                tracing::warn!(%error, hash, "a cached image does not fit this build; it will be rebuilt");
                None
            }
        }
    }

    /// Not being able to keep an image is no reason not to use it.
    pub(super) fn save(&self, hash: &str, header: &Header, component: &Component) {
        let write = || -> wasmtime::Result<()> {
            let header = serde_json::to_vec(header)?;
            let mut payload = (header.len() as u64).to_le_bytes().to_vec();
            payload.extend(header);
            payload.extend(component.serialize()?);
            self.disk.store(&file_name(hash), PURPOSE, &payload)?;
            Ok(())
        };
        if let Err(error) = write() {
            tracing::warn!(%error, "an image was not kept on disk; the next start builds it again");
        }
        self.functions.save();
        self.disk.prune(EXTENSION, DISK_BYTES_MAX);
    }

    fn build(&self, modules: &[&'static Module], libraries: &[Library]) -> Result<(Header, Component), Error> {
        let (header, snapshot) = self.initialised(modules, libraries)?;
        let _turn = self.turn();
        Ok(self.compile(header, &snapshot)?)
    }

    /// The component of an image, with facades and libraries evaluated in it, and what there is to say of it before it is
    /// compiled. To be called on a guest thread.
    pub(super) fn initialised(
        &self,
        modules: &[&'static Module],
        libraries: &[Library],
    ) -> Result<(Header, Vec<u8>), Error> {
        let mut stages = Stages::default();
        let turn = self.turn();
        let linked = stages.time("link", || link::link(&self.guest, modules))?;
        let wizer = Wizer::new();
        let (context, instrumented) = stages.time("instrument", || wizer.instrument_component(&linked))?;
        let scratch = stages.time("compile for the snapshot", || Component::new(&self.scratch, &instrumented))?;
        drop(turn);

        let mut warm = stages.time("evaluate", || Warm::start(&self.scratch, &scratch, modules, libraries))?;
        let _turn = self.turn();
        let snapshot = stages.time("snapshot", || {
            pollster::block_on(
                wizer.snapshot_component(&context, &mut State { store: &mut warm.store, instance: warm.instance }),
            )
        })?;
        let facts = ImageFacts {
            imports: Vec::new(),
            exports: Vec::new(),
            component_bytes: 0,
            compiled_bytes: 0,
            heap_bytes: warm.heap_bytes,
            sealed_bytes: warm.sealed_bytes,
            libraries: warm.libraries,
            timings: stages.0,
        };
        let Warm { module_exports, builtins, globals, .. } = warm;
        Ok((Header { facts, module_exports, builtins, globals }, snapshot))
    }

    /// Compiles a component, and says of it what is known then. To be called in turn.
    pub(super) fn compile(&self, mut header: Header, component: &[u8]) -> wasmtime::Result<(Header, Component)> {
        let facts = &mut header.facts;
        let mut stages = Stages(std::mem::take(&mut facts.timings));
        let compiled = stages.time("compile", || Component::from_binary(&self.runtime, component))?;
        facts.timings = stages.0;
        (facts.imports, facts.exports) = interfaces(&compiled);
        let code = compiled.image_range();
        facts.component_bytes = component.len() as u64;
        facts.compiled_bytes = (code.end as usize - code.start as usize) as u64;
        Ok((header, compiled))
    }
}

/// Where the guest runs while an image is built: on a thread with a stack that is made for it.
pub(super) fn on_guest_thread<T: Send>(build: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
    std::thread::scope(|scope| {
        let built = guest_thread("image".to_owned()).spawn_scoped(scope, build).map_err(Error::from)?.join();
        built.unwrap_or_else(|_| Err(Error::internal("building an image", "it panicked")))
    })
}

fn file_name(hash: &str) -> String {
    format!("{hash}.{EXTENSION}")
}

/// Host functions of `control` and of the listed modules; nothing else is defined, so nothing else can be imported.
fn linker(engine: &Engine, modules: &[&'static Module]) -> wasmtime::Result<Linker<Host>> {
    let mut linker = Linker::new(engine);
    control::link(&mut linker)?;
    for (slot, module) in modules.iter().enumerate() {
        module.link(&mut linker, slot).with_context(|| format!("linking module {}", module.name))?;
    }
    Ok(linker)
}

/// A heap with facades and libraries evaluated, ready to be snapshotted.
struct Warm {
    store: Store<Host>,
    instance: Instance,
    module_exports: BTreeMap<String, Vec<String>>,
    builtins: Vec<String>,
    globals: Vec<String>,
    libraries: Vec<LibraryFacts>,
    heap_bytes: u64,
    sealed_bytes: u64,
}

impl Warm {
    fn start(
        engine: &Engine,
        component: &Component,
        modules: &[&'static Module],
        libraries: &[Library],
    ) -> Result<Self, Error> {
        let mut plan = Plan::new(libraries, &BUILD_LIMITS)?;
        loop {
            if let Some(warm) = Self::attempt(engine, component, modules, &mut plan)? {
                return Ok(warm);
            }
        }
    }

    /// None: a library has to be tried in another format, in a fresh heap.
    fn attempt(
        engine: &Engine,
        component: &Component,
        modules: &[&'static Module],
        plan: &mut Plan<'_>,
    ) -> Result<Option<Self>, Error> {
        let mut store = Store::new(
            engine,
            Host::new(Setup::new(BUILD_LIMITS, None), modules, Arc::default(), Surroundings::default())?,
        );
        store.limiter(|host| &mut host.memory);
        // Under epochs a build is bounded by the loop countdown alone, like every session without them.
        store.set_epoch_deadline(u64::MAX / 2);
        let exports = Exports::of(component)?;
        let instance = linker(engine, modules)?.instantiate(&mut store, component)?;
        let guest = Guest::of(&mut store, instance, &exports)?;
        store.data_mut().begin(&Stop::default(), None);
        guest.start(&mut store, 0, js_heap_bytes(BUILD_LIMITS.mem_mb) as u64, JS_STACK_BYTES)?;

        let builtins = guest.builtins(&mut store, &exports)?;
        let web = format!("__web.evaluate({}, {WEB_NAME:?})", serde_json::Value::from(WEB));
        eval(&guest, &mut store, WEB_NAME, &web)?;
        let globals = eval(&guest, &mut store, WEB_NAME, GLOBALS)?.split(',').map(str::to_owned).collect();
        eval(&guest, &mut store, PRELUDE_NAME, &facades::prelude(modules)?)?;
        store.data_mut().package = facades::sources(modules)?;
        for module in modules {
            eval_as(&guest, &mut store, PRELUDE_NAME, &facades::load(module), Mode::Module)?;
        }
        store.data_mut().package.clear();
        eval(&guest, &mut store, PRELUDE_NAME, facades::FINISH)?;
        let mut module_exports = BTreeMap::new();
        let names =
            modules.iter().flat_map(|module| [module.name].into_iter().chain(module.parts.iter().map(|part| part.0)));
        for name in names {
            let names = format!("Object.keys(require({name:?})).join()");
            let names = eval(&guest, &mut store, PRELUDE_NAME, &names)?;
            let names = names.split(',').filter(|name| is_identifier(name)).map(str::to_owned).collect();
            module_exports.insert(name.to_owned(), names);
        }
        let mut facts = Vec::new();
        while let Some((library, step)) = plan.step(facts.len()) {
            let tried = match evaluate(&guest, &mut store, library, &step) {
                Ok(answer) => Ok(answer),
                Err(Error::Library { exception, .. }) => Err(exception),
                Err(error) => return Err(error),
            };
            match plan.judge(facts.len(), tried)? {
                (Judgement::Stays, fact) => facts.extend(fact),
                (Judgement::Again, _) => return Ok(None),
            }
        }
        eval(&guest, &mut store, PRELUDE_NAME, libraries::FINISH)?;
        for library in &facts {
            let names = library.exports.iter().filter(|name| is_identifier(name));
            let names: Vec<String> = names.cloned().collect();
            for name in &library.names {
                // A native module of that name is what `require` answers, so it is what `import` does.
                module_exports.entry(name.clone()).or_insert_with(|| names.clone());
            }
        }
        let heap_bytes = guest.memory_used(&mut store, &exports)?;
        let sealed_bytes = guest.seal(&mut store, &exports)?;
        let instance = guest.instance();
        let libraries = facts;
        Ok(Some(Warm { store, instance, module_exports, builtins, globals, libraries, heap_bytes, sealed_bytes }))
    }
}

/// One library, from the look at the globals before it to what it brought.
fn evaluate(
    guest: &Guest,
    store: &mut Store<Host>,
    library: &Library,
    step: &Step<'_>,
) -> Result<libraries::Answer, Error> {
    let name = library.name();
    tracing::debug!(library = name, "evaluating");
    eval(guest, store, name, libraries::BEGIN)?;
    match step {
        Step::Script(source) => drop(eval(guest, store, name, source)?),
        Step::CommonJs(source) => drop(eval(guest, store, name, source)?),
        Step::Module(source, modules) => {
            store.data_mut().package.clone_from(modules);
            // Not by the library's name: that is the module's, and a module that imports its own name gets itself.
            let evaluated = eval_as(guest, store, "[library]", source, Mode::Module);
            store.data_mut().package.clear();
            evaluated?;
        }
    }
    let answer = eval(guest, store, name, &libraries::end(library, step))?;
    serde_json::from_str(&answer).map_err(|_| {
        let exception = stop_exception(model::ErrorCode::LibraryFailed, &BUILD_LIMITS);
        Error::Library { name: name.to_owned(), exception }
    })
}

/// Runs one source of the image and answers its completion value's preview.
fn eval(guest: &Guest, store: &mut Store<Host>, name: &str, source: &str) -> Result<String, Error> {
    eval_as(guest, store, name, source, Mode::Script)
}

fn eval_as(guest: &Guest, store: &mut Store<Host>, name: &str, source: &str, mode: Mode) -> Result<String, Error> {
    let failed = |exception| Error::Library { name: name.to_owned(), exception };
    match guest.eval(store, source, name, mode, PREVIEW_BYTES_MAX) {
        Ok(Outcome::Value(value)) => Ok(value.preview),
        Ok(Outcome::Exception(thrown)) => Err(failed(exception(thrown, &store.data().meter))),
        Ok(Outcome::Pending) => Err(failed(stop_exception(model::ErrorCode::PromiseNeverSettles, &BUILD_LIMITS))),
        Ok(Outcome::TooLarge(_)) => Ok(String::new()),
        Err(error) => match store.data().meter.exceeded() {
            Some(code) => Err(failed(stop_exception(code, &BUILD_LIMITS))),
            // These are ours, but whatever a library does, even a trap, is the library's failure.
            None if [WEB_NAME, PRELUDE_NAME].contains(&name) => Err(Error::internal("evaluating the prelude", error)),
            None => {
                tracing::error!(library = name, error = format!("{error:#}"), "a library trapped");
                Err(failed(stop_exception(model::ErrorCode::SessionCrashed, &BUILD_LIMITS)))
            }
        },
    }
}

fn is_identifier(name: &str) -> bool {
    let mut chars = name.chars();
    let starts = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_' || c == '$');
    starts && name != "default" && chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$')
}

/// Lets wizer read the instance. Its own implementation wants an async engine; ours calls straight through.
struct State<'a> {
    store: &'a mut Store<Host>,
    instance: Instance,
}

impl State<'_> {
    #[expect(clippy::expect_used, reason = "wizer put these exports there itself and its trait has no way to fail")]
    fn call<R: Lift + 'static>(&mut self, interface: &str, name: &str) -> R {
        let (_, interface) = self.instance.get_export(&mut *self.store, None, interface).expect("wizer's interface");
        let (_, function) =
            self.instance.get_export(&mut *self.store, Some(&interface), name).expect("wizer's function");
        let function = self.instance.get_typed_func::<(), (R,)>(&mut *self.store, function).expect("wizer's type");
        function.call(&mut *self.store, ()).expect("an accessor does not trap").0
    }
}

impl ComponentInstanceState for State<'_> {
    async fn call_func_ret_list_u8(&mut self, instance: &str, func: &str, contents: impl FnOnce(&[u8]) + Send) {
        let list: WasmList<u8> = self.call(instance, func);
        contents(list.as_le_slice(&*self.store));
    }

    async fn call_func_ret_s32(&mut self, instance: &str, func: &str) -> i32 {
        self.call(instance, func)
    }

    async fn call_func_ret_s64(&mut self, instance: &str, func: &str) -> i64 {
        self.call(instance, func)
    }

    async fn call_func_ret_f32(&mut self, instance: &str, func: &str) -> u32 {
        self.call::<f32>(instance, func).to_bits()
    }

    async fn call_func_ret_f64(&mut self, instance: &str, func: &str) -> u64 {
        self.call::<f64>(instance, func).to_bits()
    }
}

/// Feeds everything that can be hashed into one content hash.
struct Content(blake3::Hasher);

impl Hasher for Content {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let mut first = [0; 8];
        first.copy_from_slice(&self.0.finalize().as_bytes()[..8]);
        u64::from_le_bytes(first)
    }
}
