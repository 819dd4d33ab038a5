//! The engine of a process: compiler, pool of slots, guest threads, images.
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use model::ModuleName;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::oneshot;
use uuid::Uuid;
use wasmtime::{Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

use crate::Registry;
use crate::carry;
use crate::error::Error;
use crate::host::Surroundings;
use crate::image::{Builder, ForeignError, Image, ImageFiles, Portable, Recipe};
use crate::images::Images;
use crate::limits::wasm_memory_bytes;
use crate::modules::{self, Module};
use crate::sandbox::Ran;
use crate::services::Policy;
use crate::snapshot::{RestoreError, Snapshot};
use crate::threads::{Threads, WASM_STACK_BYTES};
use crate::turn::Turn;

/// Images on the disk unless told otherwise, bytes.
const DISK_BYTES: u64 = 4 << 30;
/// With [`Config::epochs`]: how often running code looks up.
const EPOCH_TICK: Duration = Duration::from_millis(10);
/// Threads that asynchronous host calls share while they wait.
const WORK_THREADS: usize = 2;
/// Threads for the ones that block, such as those on files.
const BLOCKING_THREADS: usize = 32;
/// A slot's memory stays resident up to this many bytes when a session ends: cheaper than giving the pages back, and enough for most.
const KEEP_RESIDENT_BYTES: usize = 256 << 10;

/// How an operator sets up the engine.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where compiled images, caches and their key lie. Created if it is missing.
    pub data_dir: PathBuf,
    /// Sandboxes that can be live at once: slots of the pool.
    pub sessions_max: u32,
    /// Images in the data directory, bytes: past that those go that nobody needs, those first that were used longest ago.
    pub images_bytes_max: u64,
    /// Largest `mem_mb` of any session, MiB. Sizes the slots (address space, not memory).
    pub mem_mb_max: u32,
    /// Threads that guests run on.
    pub threads: usize,
    /// Interrupts by epoch instead of relying on the loop countdown alone: 25-40% slower code, and a second, independent
    /// way to stop it.
    pub epochs: bool,
    /// The native modules that templates may list.
    pub modules: Vec<&'static Module>,
    /// What the operator allows sessions beyond the process, whatever templates say.
    pub policy: Policy,
}

impl Default for Config {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Config {
            data_dir: PathBuf::new(),
            sessions_max: 1_000,
            images_bytes_max: DISK_BYTES,
            mem_mb_max: 256,
            threads: (4 * cores).max(8),
            epochs: false,
            modules: modules::ALL.to_vec(),
            policy: Policy::default(),
        }
    }
}

/// What tells which images stored sessions need; None: that is not known now.
type Needed = Box<dyn Fn() -> Option<HashSet<String>> + Send + Sync>;

/// An image of the data directory.
#[derive(Clone, Debug)]
pub struct StoredImage {
    /// Its content hash.
    pub hash: String,
    /// Bytes of the compiled code. None: that is gone, and the next use makes it again.
    pub artifact_bytes: Option<u64>,
    /// Bytes of what it was compiled from. None: that is gone, and the image goes with the artifact.
    pub component_bytes: Option<u64>,
    /// When it was built, as far as that is known.
    pub created_at: Option<SystemTime>,
    /// When it was last read or written.
    pub used_at: Option<SystemTime>,
    /// It was built with this guest and this compiler. None: that can't be read.
    pub of_this_engine: Option<bool>,
}

/// A handle to the engine; cloning is cheap. The last one to go stops the threads.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    policy: Arc<Policy>,
    builder: Builder,
    registry: Registry,
    images: Images,
    images_bytes_max: u64,
    needed: OnceLock<Needed>,
    threads: Threads,
    slots: Arc<Slots>,
    _epochs: Option<EpochThread>,
    work: Work,
}

impl Engine {
    /// Starts the engine. The first start on a data directory builds the image without modules, which takes seconds;
    /// later ones read it, which takes milliseconds.
    pub fn new(config: Config) -> Result<Engine, Error> {
        let slots = Arc::new(Slots { live: AtomicU32::new(0), max: config.sessions_max });
        crate::typescript::cache_in(&config.data_dir);
        let work = Work::start()?;
        let policy = Arc::new(config.policy.clone());
        let surroundings =
            Surroundings { runtime: Some(work.handle()), policy: policy.clone(), ..Surroundings::default() };
        let rooms = (slots.clone(), surroundings);
        let builder = Builder::new(&config.data_dir, rooms, |pool| configure(&config, pool))?;
        let images = Images::default();
        let epochs = config.epochs.then(|| EpochThread::start(builder.runtime().clone())).transpose()?;
        let hash = builder.hash(&[], &[]);
        let bare = match images.at_hand(&hash, |hash| builder.stored(hash, &[]))? {
            Some(image) => image,
            None => images.get(&hash, |hash| builder.image(hash, &[], &[]))?,
        };
        let registry = Registry::new(config.modules, bare.builtins(), bare.globals());
        let threads = Threads::start(config.threads)?;
        let (needed, images_bytes_max) = (OnceLock::new(), config.images_bytes_max);
        Ok(Engine(Arc::new(Inner {
            policy,
            builder,
            registry,
            images,
            images_bytes_max,
            needed,
            threads,
            slots,
            _epochs: epochs,
            work,
        })))
    }

    /// Keeps the images that stored sessions need: `needed` answers their hashes when room has to be made, and may block.
    /// From then on no process removes images from this data directory without such a list. Once an engine; the first one
    /// counts.
    pub fn keep_images(
        &self,
        needed: impl Fn() -> Option<HashSet<String>> + Send + Sync + 'static,
    ) -> Result<(), Error> {
        self.0.builder.disk().keep()?;
        // Told twice, it keeps to the first.
        drop(self.0.needed.set(Box::new(needed)));
        Ok(())
    }

    /// The images of the data directory, by hash. Blocks: it looks at each file.
    pub fn stored_images(&self) -> Vec<StoredImage> {
        let files = self.0.builder.disk().images();
        let image = |(hash, files): (String, ImageFiles)| StoredImage {
            of_this_engine: self.0.builder.is_of_this_engine(&hash),
            artifact_bytes: files.artifact,
            component_bytes: files.component,
            created_at: files.created_at,
            used_at: files.used_at,
            hash,
        };
        files.into_iter().map(image).collect()
    }

    /// Which modules exist.
    pub fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// What the operator allows.
    pub fn policy(&self) -> &Policy {
        &self.0.policy
    }

    /// The image of a recipe. Blocks: for milliseconds when it is cached, else for as long as it takes to build it.
    /// Concurrent calls for one recipe build it once.
    pub fn image(&self, recipe: &Recipe) -> Result<Arc<Image>, Error> {
        let (modules, hash) = self.identify(recipe)?;
        match self.0.images.at_hand(&hash, |hash| self.0.builder.stored(hash, &modules))? {
            Some(image) => Ok(image),
            None => self.0.made(&hash, |hash| self.0.builder.image(hash, &modules, &recipe.libraries)),
        }
    }

    /// The image of a recipe if it is in memory or in the data directory. Takes milliseconds and waits for no build. An
    /// error where a library of it failed just now: that is not tried again for a while.
    pub fn image_at_hand(&self, recipe: &Recipe) -> Result<Option<Arc<Image>>, Error> {
        let (modules, hash) = self.identify(recipe)?;
        self.0.images.at_hand(&hash, |hash| self.0.builder.stored(hash, &modules))
    }

    /// The image of that hash, with these modules, if it is in memory or compiled in the data directory. Takes milliseconds.
    /// [`Error::ImageGone`]: it is for other interfaces than this version's.
    pub fn stored_image(&self, hash: &str, modules: &[ModuleName]) -> Result<Option<Arc<Image>>, Error> {
        let modules = self.modules_of(modules)?;
        let image = self.0.images.at_hand(hash, |hash| self.0.builder.stored(hash, &modules))?;
        // One in memory is linked with its own, whatever was asked for.
        let image = image.filter(|image| names(image.modules()).eq(names(&modules)));
        image.map(|image| image.check().map(|()| image)).transpose()
    }

    /// The same, compiled again from its component if that has to be: where its artifact is gone or another version's. Takes
    /// as long as compiling does. [`Error::ImageGone`]: the component is not there either, or as above.
    pub fn image_again(&self, hash: &str, modules: &[ModuleName]) -> Result<Arc<Image>, Error> {
        if let Some(image) = self.stored_image(hash, modules)? {
            return Ok(image);
        }
        let modules = self.modules_of(modules)?;
        let image = self.0.made(hash, |hash| self.0.builder.again(hash, &modules))?;
        image.check().map(|()| image)
    }

    /// The modules of an image that was made before. [`Error::ImageGone`]: this version has not all of them.
    fn modules_of(&self, names: &[ModuleName]) -> Result<Vec<&'static Module>, Error> {
        let gone = |refusal: crate::Refusal| {
            Error::ImageGone(format!("there is no module {} any more", refusal.module).into())
        };
        self.look_up(names).map_err(gone)
    }

    /// An image's component, for another installation. Reads the data directory. None: it is not there.
    pub fn portable(&self, image: &Image) -> Result<Option<Portable>, Error> {
        self.0.builder.portable(image)
    }

    /// The image of a component from another installation, linked with these modules. To be called only once it is known that
    /// the operator vouches for it. Blocks for about a second, or for milliseconds where it came before.
    pub fn foreign_image(&self, portable: &Portable, modules: &[ModuleName]) -> Result<Arc<Image>, ForeignError> {
        let modules = self.modules_of(modules)?;
        let hash = Builder::foreign_hash(portable, &modules);
        if let Some(image) = self.0.images.at_hand(&hash, |hash| self.0.builder.stored(hash, &modules))? {
            return Ok(image);
        }
        let mut unusable = None;
        let image = self.0.made(&hash, |hash| {
            self.0.builder.foreign(hash, portable, &modules).map_err(|error| match error {
                ForeignError::Other(error) => error,
                error => {
                    let why = Error::internal("an image from elsewhere", &error);
                    unusable = Some(error);
                    why
                }
            })
        });
        match (image, unusable) {
            (Err(_), Some(unusable)) => Err(unusable),
            (image, _) => Ok(image?),
        }
    }

    /// The content hash that the image of a recipe has or would have.
    pub fn image_hash(&self, recipe: &Recipe) -> Result<String, Error> {
        Ok(self.identify(recipe)?.1)
    }

    /// The modules of a recipe, in order, and its content hash.
    fn identify(&self, recipe: &Recipe) -> Result<(Vec<&'static Module>, String), Error> {
        let modules = self.look_up(&recipe.modules)?;
        let hash = self.0.builder.hash(&modules, &recipe.libraries);
        Ok((modules, hash))
    }

    fn look_up(&self, names: &[ModuleName]) -> Result<Vec<&'static Module>, crate::Refusal> {
        let look_up = |name: &ModuleName| self.0.registry.look_up(name.as_str());
        let mut modules = names.iter().map(look_up).collect::<Result<Vec<_>, _>>()?;
        modules.sort_by_key(|module| module.name);
        modules.dedup_by_key(|module| module.name);
        Ok(modules)
    }

    /// A stored heap under other names: snapshots without pages that build on it, or on a whole one, which is the first of
    /// them, where the chain has become long. `image`: that of its session.
    pub fn copies(&self, image: &str, chain: &[(Uuid, Vec<u8>)], ids: &[Uuid]) -> Result<Vec<Snapshot>, RestoreError> {
        carry::copies(self.0.builder.snapshot_key(), image, chain, ids)
    }

    /// Runs `job` on one of the guest threads, the only ones with stacks for it.
    pub fn spawn(&self, job: impl FnOnce() + Send + 'static) {
        self.0.threads.spawn(Box::new(job));
    }

    /// Runs `job` on one of the guest threads and answers with what it answers; None if it panicked.
    pub fn call<T: Send + 'static, J: FnOnce() -> T + Send + 'static>(
        &self,
        job: J,
    ) -> impl Future<Output = Option<T>> + Send + use<T, J> {
        let (send, done) = oneshot::channel();
        // Nobody listens only if the caller gave up.
        self.spawn(move || drop(send.send(job())));
        async move { done.await.ok() }
    }

    /// Brings a run to its end: waits without a thread, and goes on with whatever comes on one of the guest threads. None
    /// if the thread panicked. Needs tokio's timers.
    pub async fn finish(&self, mut turn: Turn) -> Option<Ran> {
        loop {
            match turn {
                Turn::Done(ran) => return Some(*ran),
                Turn::Waiting(waiting) => {
                    waiting.ready().await;
                    turn = self.call(move || waiting.resume()).await?;
                }
            }
        }
    }

    /// Runs `first` on a guest thread and brings the run that it begins to its end; `done` gets it, on whatever thread. It
    /// is dropped uncalled if a thread panicked.
    pub fn run(&self, first: impl FnOnce() -> Turn + Send + 'static, done: impl FnOnce(Ran) + Send + 'static) {
        let engine = self.clone();
        self.spawn(move || match first() {
            Turn::Done(ran) => done(*ran),
            waiting @ Turn::Waiting(_) => {
                let handle = engine.0.work.handle();
                handle.spawn(async move {
                    if let Some(ran) = engine.finish(waiting).await {
                        done(ran);
                    }
                });
            }
        });
    }

    /// Sandboxes that are live now.
    pub fn live(&self) -> u32 {
        self.0.slots.live.load(Ordering::Relaxed)
    }
}

fn names<'a>(modules: &'a [&'static Module]) -> impl Iterator<Item = &'static str> + use<'a> {
    modules.iter().map(|module| module.name)
}

impl Inner {
    /// The image that `make` makes, once for all who ask meanwhile; then room is made for it on the disk.
    fn made(&self, hash: &str, make: impl FnOnce(&str) -> Result<Image, Error>) -> Result<Arc<Image>, Error> {
        self.images.get(hash, |hash| {
            let image = make(hash)?;
            self.prune();
            Ok(image)
        })
    }

    fn prune(&self) {
        let needed = self.needed.get();
        if needed.is_none() && self.builder.disk().is_kept() {
            return;
        }
        // No image comes into memory from the disk meanwhile. So one that is in use is in memory now or is being made, or else
        // what is stored of its session says that it is needed, which is asked after that.
        let _loading = self.images.loading();
        self.builder.prune(self.images_bytes_max, || {
            let mut in_use = self.images.in_use();
            if let Some(needed) = needed {
                in_use.extend(needed()?);
            }
            Some(in_use)
        });
    }
}

fn configure(config: &Config, pool: bool) -> wasmtime::Result<wasmtime::Config> {
    let mut wasm = wasmtime::Config::new();
    wasm.max_wasm_stack(WASM_STACK_BYTES)
        // Nothing is async here, but wasmtime checks one against the other.
        .async_stack_size(WASM_STACK_BYTES)
        .cranelift_opt_level(OptLevel::Speed)
        .epoch_interruption(config.epochs);
    if pool {
        // One more, to look at memory that no script has touched.
        let slots = config.sessions_max.max(1).saturating_add(1);
        let mut pooling = PoolingAllocationConfig::default();
        // A session is one component of one memory and three tables, in four core instances; one whose image is of a
        // time before `image/fuse.rs` has some twelve (guest, bindings, state access, shims).
        pooling
            .total_component_instances(slots)
            .total_core_instances(slots.saturating_mul(12))
            .total_memories(slots)
            .total_tables(slots.saturating_mul(3))
            .table_elements(4_000)
            .max_memory_size(wasm_memory_bytes(config.mem_mb_max))
            .max_unused_warm_slots(slots.min(100))
            .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
            .table_keep_resident(16 << 10)
            .pagemap_scan(Enabled::Auto);
        wasm.allocation_strategy(InstanceAllocationStrategy::Pooling(pooling));
    }
    Ok(wasm)
}

/// Where asynchronous host calls go on: threads that only wait and carry, and some that may block.
struct Work(Option<Runtime>);

impl Work {
    fn start() -> std::io::Result<Work> {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        runtime.worker_threads(WORK_THREADS).max_blocking_threads(BLOCKING_THREADS).thread_name("work").enable_all();
        Ok(Work(Some(runtime.build()?)))
    }

    #[expect(clippy::expect_used, reason = "it is there until it is dropped")]
    fn handle(&self) -> Handle {
        self.0.as_ref().expect("a runtime").handle().clone()
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // The last owner may be asynchronous itself, and must not wait for what still goes on.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Counts live sandboxes against the pool.
#[derive(Debug)]
pub(crate) struct Slots {
    live: AtomicU32,
    max: u32,
}

/// A taken slot; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Slot(Arc<Slots>);

impl Slots {
    pub(crate) fn take(self: &Arc<Self>) -> Result<Slot, Error> {
        let taken =
            self.live.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |live| (live < self.max).then_some(live + 1));
        match taken {
            Ok(_) => Ok(Slot(self.clone())),
            Err(_) => Err(Error::SessionLimit { max: self.max }),
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.live.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Moves the epoch on; dropping it stops the thread.
struct EpochThread {
    done: Arc<AtomicBool>,
    handle: Option<JoinHandle<()>>,
}

impl EpochThread {
    fn start(engine: wasmtime::Engine) -> std::io::Result<Self> {
        let done = Arc::new(AtomicBool::new(false));
        let stop = done.clone();
        let handle = std::thread::Builder::new().name("epochs".to_owned()).spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                std::thread::park_timeout(EPOCH_TICK);
                engine.increment_epoch();
            }
        })?;
        Ok(EpochThread { done, handle: Some(handle) })
    }
}

impl Drop for EpochThread {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        if let Some(handle) = self.handle.take() {
            handle.thread().unpark();
            let _ = handle.join();
        }
    }
}
