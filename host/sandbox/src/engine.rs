//! The engine of a process: compiler, pool of slots, guest threads, images.
use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use model::ModuleName;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::oneshot;
use uuid::Uuid;
use wasmtime::{Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

use crate::Registry;
use crate::error::Error;
use crate::host::Surroundings;
use crate::image::{Builder, Image, Recipe};
use crate::limits::wasm_memory_bytes;
use crate::modules::{self, Module};
use crate::sandbox::Ran;
use crate::services::Policy;
use crate::snapshot::{self, RestoreError, Snapshot};
use crate::threads::{Threads, WASM_STACK_BYTES};
use crate::turn::Turn;

/// Images that stay in memory although no session uses them.
const IMAGES_KEPT: usize = 32;
/// For how long a library's failure is the answer to whoever asks for the same image.
const FAILURE_TIME: Duration = Duration::from_secs(30);
/// Failures that are remembered; past that the oldest ones are forgotten. One is some 100 KiB at most.
const FAILURES_KEPT: usize = 256;
/// With [`Config::epochs`]: how often running code looks up.
const EPOCH_TICK: Duration = Duration::from_millis(10);
/// Threads that asynchronous host calls share while they wait.
const WORK_THREADS: usize = 2;
/// Threads for the ones that block, such as those on files.
const BLOCKING_THREADS: usize = 32;
/// A slot's memory stays resident up to this many bytes when it is reused: cheaper than giving the pages back.
const KEEP_RESIDENT_BYTES: usize = 1 << 20;

/// How an operator sets up the engine.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where compiled images, caches and their key lie. Created if it is missing.
    pub data_dir: PathBuf,
    /// Sandboxes that can be live at once: slots of the pool.
    pub sessions_max: u32,
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
            mem_mb_max: 256,
            threads: (4 * cores).max(8),
            epochs: false,
            modules: modules::ALL.to_vec(),
            policy: Policy::default(),
        }
    }
}

/// A handle to the engine; cloning is cheap. The last one to go stops the threads.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    policy: Arc<Policy>,
    builder: Builder,
    registry: Registry,
    images: Images,
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
        Ok(Engine(Arc::new(Inner { policy, builder, registry, images, threads, slots, _epochs: epochs, work })))
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
            None => self.0.images.get(&hash, |hash| self.0.builder.image(hash, &modules, &recipe.libraries)),
        }
    }

    /// The image of a recipe if it is in memory or in the data directory. Takes milliseconds and waits for no build. An
    /// error where a library of it failed just now: that is not tried again for a while.
    pub fn image_at_hand(&self, recipe: &Recipe) -> Result<Option<Arc<Image>>, Error> {
        let (modules, hash) = self.identify(recipe)?;
        self.0.images.at_hand(&hash, |hash| self.0.builder.stored(hash, &modules))
    }

    /// The image of that hash, with these modules, if it is in memory or in the data directory. Takes milliseconds, or a
    /// second if it was compiled by another version.
    pub fn stored_image(&self, hash: &str, modules: &[ModuleName]) -> Result<Option<Arc<Image>>, Error> {
        let (modules, _) = self.identify(&Recipe { modules: modules.to_vec(), libraries: Vec::new() })?;
        self.0.images.at_hand(hash, |hash| self.0.builder.stored(hash, &modules))
    }

    /// The content hash that the image of a recipe has or would have.
    pub fn image_hash(&self, recipe: &Recipe) -> Result<String, Error> {
        Ok(self.identify(recipe)?.1)
    }

    /// The modules of a recipe, in order, and its content hash.
    fn identify(&self, recipe: &Recipe) -> Result<(Vec<&'static Module>, String), Error> {
        let look_up = |name: &ModuleName| self.0.registry.look_up(name.as_str());
        let mut modules = recipe.modules.iter().map(look_up).collect::<Result<Vec<_>, _>>()?;
        modules.sort_by_key(|module| module.name);
        modules.dedup_by_key(|module| module.name);
        let hash = self.0.builder.hash(&modules, &recipe.libraries);
        Ok((modules, hash))
    }

    /// A stored heap under other names: snapshots without pages that build on it. `image`: that of its session. `chain`: its
    /// parts, from the full one to the one that is meant.
    pub fn copies(&self, image: &str, chain: &[(Uuid, Vec<u8>)], ids: &[Uuid]) -> Result<Vec<Snapshot>, RestoreError> {
        snapshot::copy(self.0.builder.snapshot_key(), image, chain, ids)
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
        // A session is one component of some twelve core instances (guest, bindings, state access, shims), one memory
        // and up to three tables.
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

/// One build of an image, which all who ask for it meanwhile wait for.
type Build = Arc<OnceLock<Result<Arc<Image>, Error>>>;

/// Images by hash. Sessions keep theirs alive; beyond that the last few stay.
#[derive(Default)]
struct Images {
    state: Mutex<ImagesState>,
    /// Held while one is read from the disk, so that it is read once.
    loading: Mutex<()>,
}

#[derive(Default)]
struct ImagesState {
    building: HashMap<String, Build>,
    known: HashMap<String, Weak<Image>>,
    kept: VecDeque<Arc<Image>>,
    /// Oldest first.
    failures: VecDeque<(Instant, String, Error)>,
}

impl ImagesState {
    fn known(&self, hash: &str) -> Result<Option<Arc<Image>>, Error> {
        if let Some(image) = self.known.get(hash).and_then(Weak::upgrade) {
            return Ok(Some(image));
        }
        let failed = self.failures.iter().find(|(at, failed, _)| failed == hash && at.elapsed() < FAILURE_TIME);
        failed.map_or(Ok(None), |(_, _, error)| Err(error.clone()))
    }

    fn keep(&mut self, hash: &str, image: &Arc<Image>) {
        self.known.retain(|_, image| image.strong_count() > 0);
        self.known.insert(hash.to_owned(), Arc::downgrade(image));
        self.kept.push_back(image.clone());
        if self.kept.len() > IMAGES_KEPT {
            self.kept.pop_front();
        }
    }

    fn failed(&mut self, hash: &str, error: &Error) {
        self.failures.retain(|(at, failed, _)| failed != hash && at.elapsed() < FAILURE_TIME);
        if self.failures.len() >= FAILURES_KEPT {
            self.failures.pop_front();
        }
        self.failures.push_back((Instant::now(), hash.to_owned(), error.clone()));
    }
}

impl Images {
    fn state(&self) -> MutexGuard<'_, ImagesState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The image in memory, else the one that `load` finds.
    fn at_hand(
        &self,
        hash: &str,
        load: impl FnOnce(&str) -> Result<Option<Image>, Error>,
    ) -> Result<Option<Arc<Image>>, Error> {
        if let Some(image) = self.state().known(hash)? {
            return Ok(Some(image));
        }
        let _loading = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(image) = self.state().known(hash)? {
            return Ok(Some(image));
        }
        let Some(image) = load(hash)?.map(Arc::new) else { return Ok(None) };
        self.state().keep(hash, &image);
        Ok(Some(image))
    }

    fn get(&self, hash: &str, build: impl FnOnce(&str) -> Result<Image, Error>) -> Result<Arc<Image>, Error> {
        let slot = {
            let mut state = self.state();
            if let Some(image) = state.known(hash)? {
                return Ok(image);
            }
            state.building.entry(hash.to_owned()).or_default().clone()
        };
        let built = slot.get_or_init(|| build(hash).map(Arc::new)).clone();
        let mut state = self.state();
        // Whoever comes first clears the place; a fault of ours is tried again by whoever asks next.
        if state.building.get(hash).is_some_and(|current| Arc::ptr_eq(current, &slot)) {
            state.building.remove(hash);
            match &built {
                Ok(image) => state.keep(hash, image),
                Err(error @ Error::Library { .. }) => state.failed(hash, error),
                Err(_) => {}
            }
        }
        built
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
