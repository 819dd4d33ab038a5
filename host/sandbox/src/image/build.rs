//! The pipeline: link, run the facades and libraries once, snapshot, compile, keep.
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use wasmtime::component::{Component, Instance, Lift, Linker, WasmList};
use wasmtime::error::Context as _;
use wasmtime::{Engine, Store};
use wasmtime_wizer::{ComponentInstanceState, Wizer};

use super::disk::Disk;
use super::facades;
use super::functions::Functions;
use super::stored::{self, Compressed};
use super::warm::{WEB, Warm};
use super::{Header, Image, ImageFacts, Origin, Unkept, interfaces, link};
use crate::bindings;
use crate::control;
use crate::engine::Slots;
use crate::error::Error;
use crate::host::{Host, Surroundings};
use crate::library::Library;
use crate::modules::Module;
use crate::snapshot::SnapshotKey;
use crate::threads::{JS_STACK_BYTES, guest_thread};

/// Bumped when the layout of an image file changes, or how its component is linked.
const FORMAT: u32 = 5;
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
    /// The same as text: which images are of this guest and this compiler.
    engine: String,
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
            engine: common.0.finalize().to_hex().to_string(),
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

    /// A new image of that content: of its component, if that is there, since heaps may be stored that build on its memory.
    pub(crate) fn image(&self, hash: &str, modules: &[&'static Module], libraries: &[Library]) -> Result<Image, Error> {
        match self.again(hash, modules) {
            Err(Error::ImageGone(_)) => {}
            image => return image,
        }
        // The guest runs here: on a thread with a stack that is made for it.
        let (header, component, compressed) = std::thread::scope(|scope| {
            let thread = guest_thread("image".to_owned()).spawn_scoped(scope, || self.build(modules, libraries));
            let built = thread.map_err(Error::from)?.join();
            built.unwrap_or_else(|_| Err(Error::internal("building an image", "it panicked")))
        })?;
        // Before the artifact: where that is, the component is.
        let unkept = match stored::save_component(&self.disk, hash, &header, &compressed) {
            Ok(true) => None,
            Ok(false) => return self.again(hash, modules),
            // No reason not to use it; only what is stored of its sessions would be lost.
            Err(error) => {
                tracing::warn!(%error, hash, "an image's component was not kept on disk");
                Some(Unkept { disk: Arc::clone(&self.disk), component: compressed })
            }
        };
        {
            let _turn = self.turn();
            self.save(hash, &header, &component);
        }
        let image = self.finish(hash, Origin::Built, header, &component, modules)?;
        Ok(Image { unkept: Mutex::new(unkept), ..image })
    }

    /// The image of that content compiled again from its stored component: its memory is what it was.
    /// [`Error::ImageGone`]: that is not there, or is not for the interfaces of this version.
    pub(crate) fn again(&self, hash: &str, modules: &[&'static Module]) -> Result<Image, Error> {
        let gone = || Error::ImageGone("what it was compiled from is not there".into());
        let (header, wasm) = stored::component(&self.disk, hash).ok_or_else(gone)?;
        self.compiled(hash, header, &wasm, modules)
    }

    /// The image of a component that was made before, here or elsewhere; it is kept once it is known to fit.
    pub(super) fn compiled(
        &self,
        hash: &str,
        mut header: Header,
        wasm: &[u8],
        modules: &[&'static Module],
    ) -> Result<Image, Error> {
        let _turn = self.turn();
        let component = Component::new(&self.runtime, wasm).map_err(|error| {
            tracing::warn!(error = format!("{error:#}"), hash, "a stored image can't be compiled again");
            Error::ImageGone("this version can't compile it".into())
        })?;
        let code = component.image_range();
        header.facts.compiled_bytes = (code.end as usize - code.start as usize) as u64;
        let image = self.finish(hash, Origin::Recompiled, header.clone(), &component, modules)?;
        self.save(hash, &header, &component);
        Ok(image)
    }

    /// Removes images that nobody needs, those that were used longest ago first, until the rest is `bytes_max` at most.
    pub(crate) fn prune(&self, bytes_max: u64, needed: impl FnOnce() -> Option<HashSet<String>>) {
        // Nothing is written meanwhile.
        let _turn = self.turn();
        self.disk.prune_images(bytes_max, needed);
    }

    pub(crate) fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Whether a stored image is of this guest and this compiler. None: it is not there, or can't be read.
    pub(crate) fn is_of_this_engine(&self, hash: &str) -> Option<bool> {
        stored::peek(&self.disk, hash).map(|header| header.engine == self.engine)
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
        if origin != Origin::Built {
            fits(&header.facts, modules)?;
        }
        let of_now = header.engine == self.engine;
        let rooms = self.rooms.clone();
        let image = Image::new(hash.to_owned(), origin, header, component, &linker, modules.to_vec(), rooms);
        image.map_err(|error| if of_now { error.into() } else { Error::ImageGone(format!("{error:#}").into()) })
    }

    fn load(&self, hash: &str) -> Option<(Header, Component)> {
        let payload = self.disk.artifact(hash)?;
        let (header, code) = stored::split(&payload)?;
        // SAFETY: the bytes are what `Component::serialize` gave this installation: `Disk::artifact` checked their MAC
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
            let payload = stored::join(header, &component.serialize()?)?;
            self.disk.store_artifact(hash, &payload)?;
            Ok(())
        };
        if let Err(error) = write() {
            tracing::warn!(%error, "an image was not kept on disk; the next start builds it again");
        }
        self.functions.save();
    }

    fn build(
        &self,
        modules: &[&'static Module],
        libraries: &[Library],
    ) -> Result<(Header, Component, Compressed), Error> {
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
        let (component, compressed) = stages.time("compile", || {
            // Beside it: it takes one core a tenth of the time.
            std::thread::scope(|scope| {
                let compressed = scope.spawn(|| stored::compress(&snapshot));
                let component = Component::new(&self.runtime, &snapshot)?;
                let compressed =
                    compressed.join().map_err(|_| Error::internal("compressing a component", "a panic"))?;
                Ok::<_, Error>((component, compressed?))
            })
        })?;

        let (imports, exports) = interfaces(&component);
        let code = component.image_range();
        let facts = ImageFacts {
            imports,
            exports,
            component_bytes: snapshot.len() as u64,
            compiled_bytes: (code.end as usize - code.start as usize) as u64,
            heap_bytes: warm.heap_bytes,
            sealed_bytes: warm.sealed_bytes,
            libraries: warm.libraries,
            timings: stages.0,
        };
        let Warm { module_exports, builtins, globals, .. } = warm;
        let (engine, digest) = (self.engine.clone(), compressed.digest);
        Ok((Header { facts, module_exports, builtins, globals, engine, digest }, component, compressed))
    }
}

/// Whether an image that another version may have made has interfaces that this one links: name and version of each. That their
/// functions are the same is checked when it is linked.
fn fits(facts: &ImageFacts, modules: &[&'static Module]) -> Result<(), Error> {
    let ours: Vec<_> = modules.iter().flat_map(|module| module.interfaces()).chain([control::INTERFACE]).collect();
    let stranger = facts.imports.iter().find(|import| !ours.contains(&import.as_str())).map(String::as_str);
    let missing = bindings::INTERFACES.into_iter().find(|name| !facts.exports.iter().any(|export| export == name));
    match stranger.or(missing) {
        None => Ok(()),
        Some(name) => Err(Error::ImageGone(format!("it was made for another version of {name}").into())),
    }
}

/// Host functions of `control` and of the listed modules; nothing else is defined, so nothing else can be imported.
pub(super) fn linker(engine: &Engine, modules: &[&'static Module]) -> wasmtime::Result<Linker<Host>> {
    let mut linker = Linker::new(engine);
    control::link(&mut linker)?;
    for (slot, module) in modules.iter().enumerate() {
        module.link(&mut linker, slot).with_context(|| format!("linking module {}", module.name))?;
    }
    Ok(linker)
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
