//! Moving a session to the image, the grants and the settings that its template has now. Its heap stays behind; what goes along is
//! what the script says: `session.on('save')` there, `session.on('load')` here.
use std::sync::{Arc, Mutex, PoisonError};

use model::{
    CheckpointKind, Durability, ErrorCode, JsType, Payload, Session as Row, SessionId, SessionStatus, TenantId,
};
use sandbox::{Outcome, Ran, Sandbox, Stop, Turn};
use store::{NewCheckpoint, Recipe, WholeTemplate};

use crate::fault::Fault;
use crate::keep::MOVES;
use crate::nursery::{Outlook, blocking};
use crate::prepare::Place;
use crate::registry::{Begun, Registry, Shared};
use crate::residence::{broken, not_durable, stays};
use crate::run::{LiveRun, Runner, payload};
use crate::task::Heap;

/// A heap on the new image, complete but for being stored.
struct Moved {
    runner: Runner,
    sandbox: Sandbox,
    recipe: Arc<Recipe>,
}

impl Registry {
    /// Moves a session to what its template is now, `whole`. `discard`: without asking its heap for anything. Until all of it has
    /// worked the session is what it was, and whoever asks for it waits.
    pub async fn migrate(
        &self,
        tenant: TenantId,
        id: SessionId,
        whole: Arc<WholeTemplate>,
        discard: bool,
    ) -> Result<Row, Fault> {
        let shared = Arc::clone(&self.shared);
        let task = tokio::spawn(async move { shared.migrate(tenant, id, whole, discard).await });
        task.await.unwrap_or_else(|panic| Err(Fault::internal(panic)))
    }
}

impl Shared {
    async fn migrate(
        &self,
        tenant: TenantId,
        id: SessionId,
        whole: Arc<WholeTemplate>,
        discard: bool,
    ) -> Result<Row, Fault> {
        // Nobody brings it back meanwhile.
        let _turn = self.waking.enter(id).await;
        let nursery = &self.nursery;
        let row = nursery.store.session(tenant, id).await?.ok_or_else(|| Fault::session_not_found(id))?;
        if row.status != SessionStatus::Ready {
            return Err(Fault::session_not_ready(id));
        }
        if row.durability == Durability::None {
            return Err(not_durable().with("session_id", id));
        }
        // What it has done so far is on the disk, whatever comes of this.
        let live = nursery.live.map().get(&id).map(|(_, session)| session.clone());
        if let Some(session) = live {
            session.hibernate().await.map_err(|why| stays(id, why))?;
        }
        let room = nursery.room().await?;
        let begun = self.starting.begin(tenant, id);
        let mut said = Vec::new();
        let moved = async {
            let value = if discard { None } else { self.saved(tenant, id, &begun, &mut said).await? };
            let Moved { runner, sandbox, recipe } = self.begin_anew(tenant, &row, whole, &begun).await?;
            let sandbox = match value {
                Some(value) => self.asked(sandbox, ("load", Some(value)), &begun, &mut said).await?.1,
                None => sandbox,
            };
            let keep = runner.place.keep;
            let taken = nursery.engine.call(move || {
                let mut sandbox = sandbox;
                let taken = keep.snapshot(&mut sandbox);
                (sandbox, taken)
            });
            let (mut sandbox, taken) = taken.await.ok_or_else(panicked)?;
            let new = NewCheckpoint { kind: CheckpointKind::Migrate, ..taken.map_err(Fault::internal)? };
            let stored = new.id;
            let row = match nursery.store.session_migrated(tenant, id, recipe, new).await {
                Err(store::Error::Gone) => return Err(Fault::session_not_ready(id)),
                row => row?,
            };
            sandbox.checkpointed(Ok(*stored.as_uuid()));
            Ok((row, runner, sandbox, stored))
        };
        let moved = moved.await.map_err(|fault: Fault| fault.with("session_id", id).with("template_id", row.vm_id));
        let (row, runner, sandbox, stored) = moved?;
        runner.prune_checkpoints().await;
        // What was said is stored with the heap in a while.
        let heap = Heap { sandbox, changed: !said.is_empty(), events: said, stored: Some(stored) };
        nursery.goes_live(runner, heap, room);
        nursery.timers_changed.notify_one();
        // A server that began to stop meanwhile has drained the map before; what is stored stays.
        if nursery.room.is_closed() {
            nursery.live.remove(id);
        }
        Ok(row)
    }

    /// What the script wants to take along, as JSON; None: nothing. The heap is as it was on the disk.
    async fn saved(
        &self,
        tenant: TenantId,
        id: SessionId,
        begun: &Begun,
        said: &mut Vec<Payload>,
    ) -> Result<Option<String>, Fault> {
        let nursery = &self.nursery;
        let turn = nursery.turn_to_return().await?;
        let found = nursery.store.resumable(tenant, id).await.map_err(|error| or_discard(broken(id, error)))?;
        let found = found.ok_or_else(|| Fault::session_not_found(id))?;
        if found.chain.is_none() {
            // Nothing ever ran in it.
            return Ok(None);
        }
        let (_, Heap { sandbox, events, .. }) = nursery.returned(tenant, found, turn).await.map_err(or_discard)?;
        said.extend(events);
        let (value, sandbox) = self.asked(sandbox, ("save", None), begun, said).await?;
        // Its place in the pool is free before the new one needs it.
        blocking(move || drop(sandbox)).await?;
        Ok(value)
    }

    /// A heap of what the template is now, after its startup files.
    async fn begin_anew(
        &self,
        tenant: TenantId,
        row: &Row,
        mut whole: Arc<WholeTemplate>,
        begun: &Begun,
    ) -> Result<Moved, Fault> {
        let nursery = &self.nursery;
        // It was promised to the session when it was made.
        Arc::make_mut(&mut whole).settings.runtime.durability = row.durability;
        let (keep, esm) = (nursery.keep(&whole.settings), whole.settings.runtime.esm);
        let files = whole.startup_files.clone();
        let (shared, path) = (Arc::clone(nursery), row.worktree_path.clone());
        let (root, outlook, recipe) = blocking(move || shared.prospect(tenant, &whole, &path)).await??;
        let sandbox = match outlook {
            Outlook::Live(sandbox) => sandbox,
            Outlook::Unbuilt(recipe, setup) => nursery.build(recipe, setup).await?,
            Outlook::Failed(fault) => return Err(fault),
        };
        let recipe = recipe.ok_or_else(|| Fault::internal("a durable session without a recipe"))?;
        let place = Place { session: row.id, root, esm, keep };
        let runner = nursery.runner(tenant, place);
        // Nothing of the new heap is stored before all of it is there: what is stored is still the old one.
        let mut moving = runner.clone();
        moving.place.keep.moves = true;
        moving.place.keep.durability = Durability::Checkpoint;
        let sandbox = self.startup(&moving, sandbox, &files, begun).await?;
        Ok(Moved { runner, sandbox, recipe })
    }

    /// Calls a hook of the script: what it answers as JSON, if anything, and the heap. What it prints is added to `said`.
    async fn asked(
        &self,
        sandbox: Sandbox,
        (hook, data): (&'static str, Option<String>),
        begun: &Begun,
        said: &mut Vec<Payload>,
    ) -> Result<(Option<String>, Sandbox), Fault> {
        let engine = &self.nursery.engine;
        // So that a server that stops can stop it.
        let run = LiveRun::new();
        begun.runs(&run);
        let stop: Stop = run.stop.clone();
        let events = Arc::new(Mutex::new(Vec::new()));
        let listener = Arc::clone(&events);
        let first = engine.call(move || {
            let push = move |event| listener.lock().unwrap_or_else(PoisonError::into_inner).push(payload(event));
            sandbox.wake(hook, data.as_deref(), &stop, Box::new(push))
        });
        let mut turn = first.await.ok_or_else(panicked)?;
        let Ran { outcome, sandbox, .. } = loop {
            match turn {
                Turn::Done(ran) => break *ran,
                Turn::Waiting(mut waiting) => {
                    if waiting.sandbox().wants_checkpoint() {
                        waiting.sandbox().checkpointed(Err(MOVES.to_owned()));
                    }
                    waiting.ready().await;
                    turn = engine.call(move || waiting.resume()).await.ok_or_else(panicked)?;
                }
            }
        };
        said.append(&mut events.lock().unwrap_or_else(PoisonError::into_inner));
        match (outcome, sandbox) {
            (Outcome::Value(value), Some(sandbox)) => match value.json {
                Some(json) => Ok((Some(json.get().to_owned()), sandbox)),
                None if hook == "load" || value.ty == JsType::Undefined => Ok((None, sandbox)),
                None => Err(failed(hook, &format!("{} is no JSON", value.preview), None)),
            },
            (Outcome::Value(_), None) => Err(failed(hook, "the sandbox crashed", Some(ErrorCode::SessionCrashed))),
            (Outcome::Exception(thrown), _) => Err(failed(hook, &thrown.message, thrown.code)),
        }
    }
}

fn panicked() -> Fault {
    Fault::internal("a guest's thread panicked")
}

fn failed(hook: &str, why: &str, code: Option<ErrorCode>) -> Fault {
    let message = format!("The session was not moved and goes on as it was: session.on('{hook}'): {why}");
    let fault = Fault::new(ErrorCode::MigrateFailed, message).with("hook", hook);
    match code {
        Some(code) => fault.with("reason", code.as_str()),
        None => fault,
    }
}

/// Why a heap can't be asked, and what the client can do about it.
fn or_discard(fault: Fault) -> Fault {
    match fault.code {
        ErrorCode::SessionDamaged => {
            let message = format!("{}. {{\"discard\":true}} moves the session without it", fault.message);
            Fault { message: message.into(), ..fault }
        }
        // Its message says so already.
        _ => fault,
    }
}
