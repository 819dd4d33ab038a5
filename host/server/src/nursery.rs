//! How heaps come to be: made from a template, or brought back from what is stored of a session.
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{
    CheckpointKind, Durability, ErrorCode, LibraryName, Limits, ModuleName, Payload, SessionId, Settings, TenantId,
};
use sandbox::{
    Engine, Image, Library, LibraryFacts, Outcome, Ran, Recipe, RestoreError, Root, Sandbox, Services, Setup, Stop,
    Turn,
};
use store::{Chain, Recipe as StoredRecipe, Resumable, Retention, Store, WholeTemplate};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::builds::Builds;
use crate::fault::Fault;
use crate::keep::Keep;
use crate::kv::Stored;
use crate::libraries::Libraries;
use crate::prepare::Place;
use crate::recipes::Made;
use crate::residence::broken;
use crate::run::{Runner, payload};
use crate::secrets::Secrets;
use crate::session::Session;
use crate::snapfile::ShareKey;
use crate::task::Heap;
use crate::worktrees::Worktrees;

/// What heaps are made with.
pub(crate) struct Nursery {
    pub(crate) engine: Engine,
    pub(crate) store: Store,
    pub(crate) secrets: Secrets,
    pub(crate) libraries: Libraries,
    pub(crate) worktrees: Worktrees,
    pub(crate) live: Live,
    /// A permit for every session that may be live; a session's task holds its permit until its heap is gone.
    pub(crate) room: Arc<Semaphore>,
    /// A permit for each heap that is being brought back; who asked first is first.
    pub(crate) returns: Arc<Semaphore>,
    pub(crate) builds: Builds,
    pub(crate) sessions_max: u32,
    pub(crate) ceiling: Limits,
    /// Executions of a session that are kept; none: all.
    pub(crate) keep_executions: Option<u32>,
    /// Checkpoints of a session that are kept.
    pub(crate) retention: Retention,
    /// With durability `checkpoint`, a change is on the disk after so long.
    pub(crate) checkpoint_every: Duration,
    /// A session that nobody used for so long leaves memory; zero: never by itself.
    pub(crate) idle: Duration,
    /// Told when a session that is to be woken was stored.
    pub(crate) timers_changed: Notify,
    /// What exported sessions are signed with; none: none are exported or imported.
    pub(crate) share_key: Option<ShareKey>,
    /// A permit for each session's file that is being made or sent.
    pub(crate) leaving: Arc<Semaphore>,
    /// A permit for each session's file that is being received or read.
    pub(crate) arriving: Arc<Semaphore>,
}

/// The map of live sessions. Shared with their tasks, which take themselves off it when their heap is gone.
#[derive(Clone, Default)]
pub(crate) struct Live(Arc<Mutex<HashMap<SessionId, (TenantId, Session)>>>);

impl Live {
    pub(crate) fn map(&self) -> MutexGuard<'_, HashMap<SessionId, (TenantId, Session)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn remove(&self, id: SessionId) {
        self.map().remove(&id);
    }
}

/// A session to be: its worktree, what is known of its heap, and what is stored of what it is made of, if anything is.
pub(crate) type Prospect = (Option<Root>, Outlook, Option<Arc<StoredRecipe>>);

/// What is known of a session to be when the disk and the images in memory have been looked at.
pub(crate) enum Outlook {
    /// Its heap.
    Live(Sandbox),
    /// Its image has to be built first.
    Unbuilt(Recipe, Setup),
    /// It won't be.
    Failed(Fault),
}

impl Nursery {
    /// Looks at what a session of a template comes to, with the worktree that the client named. Blocks, but never for as long
    /// as a build takes.
    pub(crate) fn prospect(&self, tenant: TenantId, whole: &WholeTemplate, path: &str) -> Result<Prospect, Fault> {
        let root = match path {
            "" => None,
            path => Some(self.worktrees.open(path)?),
        };
        let outlook = self.look(tenant, whole, root.clone());
        let image = match &outlook {
            Outlook::Live(sandbox) => Some(sandbox.image().hash().to_owned()),
            Outlook::Unbuilt(recipe, _) => self.engine.image_hash(recipe).ok(),
            Outlook::Failed(_) => None,
        };
        let durable = whole.settings.runtime.durability != Durability::None;
        let made = image.filter(|_| durable).map(|image| Made::of(whole, image).recipe()).transpose()?;
        Ok((root, outlook, made))
    }

    /// Blocks, but never for as long as a build takes.
    pub(crate) fn look(&self, tenant: TenantId, whole: &WholeTemplate, root: Option<Root>) -> Outlook {
        let WholeTemplate { template, settings, grants, .. } = whole.clone();
        let setup = self.setup(tenant, settings, grants, root);
        let libraries = match self.libraries(&template.libraries) {
            Ok(libraries) => libraries,
            Err(fault) => return Outlook::Failed(fault),
        };
        let recipe = Recipe { modules: template.exposed_modules, libraries };
        let started = match self.engine.image_at_hand(&recipe) {
            Ok(Some(image)) => image.start(setup),
            Ok(None) => return Outlook::Unbuilt(recipe, setup),
            Err(error) => Err(error),
        };
        started.map_or_else(|error| Outlook::Failed(self.start_fault(&error)), Outlook::Live)
    }

    /// What a session of these settings is started with.
    fn setup(&self, tenant: TenantId, settings: Settings, grants: Vec<model::Grant>, root: Option<Root>) -> Setup {
        let durable = settings.runtime.durability != Durability::None;
        let settings = Settings { limits: settings.limits.at_most(&self.ceiling), ..settings };
        let mut services = Services::default();
        services.key_values = Some(Arc::new(Stored { store: self.store.clone(), tenant }));
        services.secrets = Some(self.secrets.of(tenant));
        Setup { settings, root, grants, services, durable }
    }

    /// How sessions of these settings are kept.
    pub(crate) fn keep(&self, settings: &Settings) -> Keep {
        let model::Runtime { durability, background, .. } = settings.runtime;
        Keep { durability, background, retention: self.retention, moves: false }
    }

    /// A heap of an image that has to be built, after those that were asked for before.
    pub(crate) async fn build(&self, recipe: Recipe, setup: Setup) -> Result<Sandbox, Fault> {
        let image = self.built(recipe).await?;
        let started = blocking(move || image.start(setup)).await?;
        started.map_err(|error| self.start_fault(&error))
    }

    /// An image, built after those that were asked for before unless it is at hand by then.
    async fn built(&self, recipe: Recipe) -> Result<Arc<Image>, Fault> {
        let hash = self.engine.image_hash(&recipe).map_err(|error| self.start_fault(&error))?;
        let asked = self.builds.ask(hash)?;
        let alone = asked.alone().await;
        // Whoever asked before may have built it, or seen it fail.
        let engine = self.engine.clone();
        let look = move || (engine.image_at_hand(&recipe), recipe);
        let image = match blocking(look).await? {
            (Ok(None), recipe) => {
                let _turn = self.builds.turn().await?;
                let engine = self.engine.clone();
                blocking(move || engine.image(&recipe)).await?
            }
            (Ok(Some(image)), _) => Ok(image),
            (Err(error), _) => Err(error),
        };
        drop(alone);
        image.map_err(|error| self.start_fault(&error))
    }

    /// What libraries bring to sessions that have these modules: known once the image is built.
    pub(crate) async fn library_facts(
        self: &Arc<Self>,
        modules: Vec<ModuleName>,
        names: Vec<LibraryName>,
    ) -> Result<Vec<LibraryFacts>, Fault> {
        let nursery = Arc::clone(self);
        let look = move || -> Result<_, Fault> {
            let recipe = Recipe { modules, libraries: nursery.libraries(&names)? };
            let image = nursery.engine.image_at_hand(&recipe).map_err(|error| nursery.start_fault(&error))?;
            Ok((image, recipe))
        };
        let image = match blocking(look).await?? {
            (Some(image), _) => image,
            (None, recipe) => self.built(recipe).await?,
        };
        Ok(image.facts().libraries.clone())
    }

    pub(crate) fn libraries(&self, names: &[LibraryName]) -> Result<Vec<Library>, Fault> {
        let resolve = |name: &LibraryName| match self.libraries.resolve(name) {
            Ok(Some(library)) => Ok(library),
            Ok(None) => {
                let message = format!(
                    "failed to load libraries: library {name} not found in the library cache: `vm-system libs download` \
                     fetches packages, PUT /api/v1/libraries/{name} stores a file"
                );
                Err(Fault::new(ErrorCode::LibraryNotFound, message).with("library", name))
            }
            // Its text names the library, and no path.
            Err(error) => Err(Fault::new(ErrorCode::LibraryFailed, format!("failed to load libraries: {error}"))),
        };
        names.iter().map(resolve).collect()
    }

    /// The heap of a session as it was stored last, its hooks called.
    pub(crate) async fn bring_back(&self, tenant: TenantId, id: SessionId) -> Result<Heap, Fault> {
        let turn = self.turn_to_return().await?;
        let found = self.store.resumable(tenant, id).await.map_err(|error| broken(id, error))?;
        let found = found.ok_or_else(|| Fault::session_not_found(id))?;
        Ok(self.returned(tenant, found, turn).await?.1)
    }

    /// A turn at bringing a heap back, after those who asked before.
    pub(crate) async fn turn_to_return(&self) -> Result<OwnedSemaphorePermit, Fault> {
        Arc::clone(&self.returns).acquire_owned().await.map_err(Fault::internal)
    }

    /// A session's runner and heap, from what is stored of it. `turn`: of [`Nursery::returns`]; given back before anything of the
    /// session runs.
    pub(crate) async fn returned(
        &self,
        tenant: TenantId,
        found: Resumable,
        turn: OwnedSemaphorePermit,
    ) -> Result<(Runner, Heap), Fault> {
        let Resumable { session: row, recipe, chain } = found;
        let recipe = recipe.ok_or_else(|| Fault::session_not_ready(row.id))?;
        let made = Made::read(&recipe)?;
        let hash = made.image.clone();
        let about = |fault: Fault| match fault.code {
            ErrorCode::ImageGone => fault.with("session_id", row.id).with("image", &hash),
            _ => fault.with("session_id", row.id),
        };
        let path = row.worktree_path.clone();
        let worktrees = self.worktrees.clone();
        let engine = self.engine.clone();
        let (image, modules) = (made.image.clone(), made.modules.clone());
        let look = move || -> Result<_, Fault> {
            let root = match path.as_str() {
                "" => None,
                path => Some(worktrees.open(path)?),
            };
            Ok((root, engine.stored_image(&image, &modules)))
        };
        let (root, image) = blocking(look).await?.map_err(about)?;
        let image = match image {
            Ok(Some(image)) => image,
            Ok(None) => self.image_again(&made).await.map_err(about)?,
            Err(error) => return Err(about(self.start_fault(&error))),
        };
        let keep = self.keep(&made.settings);
        let esm = made.settings.runtime.esm;
        let setup = self.setup(tenant, made.settings, made.grants, root.clone());
        let place = Place { session: row.id, root, esm, keep };
        let heap = self.heap(image, setup, chain, turn).await.map_err(about)?;
        Ok((self.runner(tenant, place), heap))
    }

    /// What runs the executions of one session.
    pub(crate) fn runner(&self, tenant: TenantId, place: Place) -> Runner {
        let (engine, store) = (self.engine.clone(), self.store.clone());
        Runner { tenant, place, engine, store, unpruned: Arc::default() }
    }

    async fn heap(
        &self,
        image: Arc<Image>,
        setup: Setup,
        chain: Option<Chain>,
        turn: OwnedSemaphorePermit,
    ) -> Result<Heap, Fault> {
        let Some(Chain { head, kind, links, .. }) = chain else {
            let started = blocking(move || image.start(setup)).await?;
            let sandbox = started.map_err(|error| self.start_fault(&error))?;
            return Ok(Heap { sandbox, events: Vec::new(), changed: false, stored: None });
        };
        let event = match kind {
            CheckpointKind::Fork => "fork",
            CheckpointKind::Restore => "restore",
            _ => "resume",
        };
        let links: Vec<_> = links.into_iter().map(|(id, bytes)| (*id.as_uuid(), bytes)).collect();
        let returned = self.engine.call(move || {
            let sandbox = image.resume(setup, &links)?;
            drop(turn);
            Ok::<_, RestoreError>(greeted(sandbox, event))
        });
        let returned = returned.await.ok_or_else(|| Fault::internal("a heap could not be brought back: a panic"))?;
        let (sandbox, events, changed) = returned.map_err(|error| self.restore_fault(&error))?;
        let sandbox = sandbox.ok_or_else(|| {
            let why = events.last().map_or_else(String::new, |event: &Payload| match event {
                Payload::Console { text, .. } => text.clone(),
                _ => String::new(),
            });
            Fault::new(ErrorCode::SessionDamaged, format!("What it does when it is brought back stopped it: {why}"))
        })?;
        Ok(Heap { sandbox, events, changed, stored: Some(head) })
    }

    /// The image of what a session is made of: as it is at hand, else made again.
    pub(crate) async fn image(&self, made: &Made) -> Result<Arc<Image>, Fault> {
        let (engine, image, modules) = (self.engine.clone(), made.image.clone(), made.modules.clone());
        let found = blocking(move || engine.stored_image(&image, &modules)).await?;
        match found.map_err(|error| self.start_fault(&error))? {
            Some(image) => Ok(image),
            None => self.image_again(made).await,
        }
    }

    /// The image of a session whose artifact is gone, or another version's: compiled again from its component, or else made
    /// again, if that gives the same.
    async fn image_again(&self, made: &Made) -> Result<Arc<Image>, Fault> {
        let asked = self.builds.ask(made.image.clone())?;
        let _alone = asked.alone().await;
        let _turn = self.builds.turn().await?;
        let (engine, image, modules) = (self.engine.clone(), made.image.clone(), made.modules.clone());
        let gone = match blocking(move || engine.image_again(&image, &modules)).await? {
            Err(gone @ sandbox::Error::ImageGone(_)) => self.start_fault(&gone),
            image => return image.map_err(|error| self.start_fault(&error)),
        };
        let Ok(libraries) = self.libraries(&made.libraries) else { return Err(gone) };
        let recipe = made.image_recipe(libraries);
        if self.engine.image_hash(&recipe).is_ok_and(|hash| hash != made.image) {
            return Err(gone);
        }
        let engine = self.engine.clone();
        blocking(move || engine.image(&recipe)).await?.map_err(|error| self.start_fault(&error))
    }

    pub(crate) fn restore_fault(&self, error: &RestoreError) -> Fault {
        match error {
            RestoreError::Damaged(_) => {
                let message = format!("The session can't be brought back: {error}. Restore an older checkpoint of it");
                Fault::new(ErrorCode::SessionDamaged, message)
            }
            RestoreError::TooLarge { .. } => {
                let message = format!("The session can't be brought back here: {error} (--max-mem-mb)");
                Fault::new(ErrorCode::SessionDamaged, message)
            }
            RestoreError::OtherImage => image_gone(error),
            RestoreError::Start(error) => self.start_fault(error),
        }
    }

    pub(crate) fn start_fault(&self, error: &sandbox::Error) -> Fault {
        match error {
            sandbox::Error::Refused(refusal) => Fault::refused(refusal),
            sandbox::Error::Library { .. } => {
                Fault::new(ErrorCode::LibraryFailed, format!("failed to load libraries: {error}"))
            }
            sandbox::Error::Grant { .. } | sandbox::Error::TooSmall { .. } => {
                Fault::new(ErrorCode::StartupFailed, format!("startup failed: {error}"))
            }
            sandbox::Error::ImageGone(_) => image_gone(error),
            sandbox::Error::NotKept(_) => {
                let message = "The data directory can't be written to, and a durable session needs its image there: make room, or \
                               have the template's settings say runtime.durability \"none\"";
                Fault { internal: Some(error.to_string()), ..Fault::new(ErrorCode::Internal, message) }
            }
            sandbox::Error::SessionLimit { .. } => self.full(),
            sandbox::Error::Internal(_) => Fault::internal(error),
        }
    }

    pub(crate) fn full(&self) -> Fault {
        if self.room.is_closed() {
            return Fault::new(ErrorCode::SessionLimit, "The server is stopping");
        }
        let message = format!("All {} session slots are in use: close a session first", self.sessions_max);
        Fault::new(ErrorCode::SessionLimit, message)
    }
}

fn image_gone(why: &dyn std::fmt::Display) -> Fault {
    tracing::warn!(%why, "a session can't be brought back");
    let message = "The image that this session runs on is gone, or can't run on this version of the server, and can't be \
                   made again as it was: POST /sessions/{id}/migrate with {\"discard\":true} has the session begin \
                   anew on the current one";
    Fault { internal: Some(why.to_string()), ..Fault::new(ErrorCode::ImageGone, message) }
}

/// Tells the script that it was brought back, before anything else of it runs. Whether that may have changed the heap.
fn greeted(sandbox: Sandbox, event: &'static str) -> (Option<Sandbox>, Vec<Payload>, bool) {
    let said = Arc::new(Mutex::new(Vec::new()));
    let lock = |said: &Mutex<Vec<Payload>>| std::mem::take(&mut *said.lock().unwrap_or_else(PoisonError::into_inner));
    let events = {
        let said = Arc::clone(&said);
        Box::new(move |event| said.lock().unwrap_or_else(PoisonError::into_inner).push(payload(event)))
    };
    // Listeners are not waited for: what they begin goes on like everything that an execution leaves.
    match sandbox.wake(event, None, &Stop::default(), events) {
        Turn::Done(ran) => {
            let Ran { outcome, sandbox, .. } = *ran;
            let mut events = lock(&said);
            if let Outcome::Exception(exception) = outcome {
                let text = format!("session.on('{event}'): {}", exception.message);
                events.push(Payload::Console { level: model::ConsoleLevel::Error, text });
            }
            let heard = !events.is_empty() || event != "resume";
            (sandbox, events, heard)
        }
        Turn::Waiting(waiting) => (Some(waiting.give_up()), lock(&said), true),
    }
}

pub(crate) async fn blocking<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> Result<T, Fault> {
    tokio::task::spawn_blocking(job).await.map_err(Fault::internal)
}
