//! A live session: the cheap handle to the task that owns its sandbox.
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{CheckpointId, ErrorCode, Execution, ExecutionId, Session as Row};
use sandbox::Image;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, mpsc, oneshot};
use tokio::time::Instant;

use crate::clock;
use crate::fault::Fault;
use crate::nursery::Nursery;
use crate::prepare::{Prepared, What};
use crate::residence::not_durable;
use crate::run::{LiveRun, Runner};
use crate::task::{Heap, Task};

/// How often a session that is being closed looks whether everything has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// Requests of one session that can wait for their turn.
pub const QUEUE_MAX: usize = 32;

/// A handle; clones speak to the same task.
#[derive(Clone)]
pub struct Session(Arc<Handle>);

struct Handle {
    runner: Runner,
    image: Arc<Image>,
    mailbox: mpsc::Sender<Command>,
    /// One permit: who has it may send one command. So the mailbox never holds more than one, and "busy" is known
    /// without asking the task. Closed when the heap is gone.
    turn: Arc<Semaphore>,
    /// A permit for each request that may wait for its turn.
    queue: Arc<Semaphore>,
    runs: Arc<Runs>,
}

/// Executions that are under way or wait, and whether more may come.
#[derive(Default)]
pub(crate) struct Runs(Mutex<RunsState>);

#[derive(Default)]
pub(crate) struct RunsState {
    closing: bool,
    /// Its heap is leaving memory: whoever comes now has to have it brought back.
    pub(crate) sleeping: bool,
    /// So many hold the turn, or wait for it, to store the heap or to put it away: they are done at once.
    brief: usize,
    pub(crate) last_used: Option<Instant>,
    pub(crate) live: HashMap<ExecutionId, Arc<LiveRun>>,
}

/// Somebody who does not keep others from their turn for long.
pub(crate) struct Brief(Arc<Runs>);

impl Drop for Brief {
    fn drop(&mut self) {
        self.0.state().brief -= 1;
    }
}

impl Runs {
    /// To be said before the turn is asked for.
    pub(crate) fn brief(self: &Arc<Self>) -> Brief {
        self.state().brief += 1;
        Brief(Arc::clone(self))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, RunsState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new execution, unless the session is being closed.
    fn begin(&self) -> Option<Arc<LiveRun>> {
        let mut state = self.state();
        (!state.closing && !state.sleeping).then(|| {
            state.last_used = Some(Instant::now());
            let run = LiveRun::new();
            state.live.insert(run.id, Arc::clone(&run));
            run
        })
    }

    pub(crate) fn end(&self, id: ExecutionId) {
        self.state().live.remove(&id);
    }

    /// No execution begins from here on, unless one did already.
    pub(crate) fn falls_asleep(&self) -> bool {
        let mut state = self.state();
        let idle = state.live.is_empty() && !state.closing;
        state.sleeping |= idle;
        idle
    }
}

/// Why a session stays in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awake {
    /// Something runs or waits.
    Busy,
    /// Something is open that can't be brought back.
    Pinned(&'static str),
    /// Nothing of it is stored.
    NotDurable,
    /// It could not be stored now.
    NotStored,
}

pub(crate) enum Command {
    Run(Box<Run>),
    Close {
        why: Option<String>,
        answer: oneshot::Sender<Result<Option<Row>, Fault>>,
    },
    /// Stores the heap if it changed since it was, and answers with the newest checkpoint, if there is any.
    Checkpoint {
        turn: OwnedSemaphorePermit,
        answer: oneshot::Sender<Result<Option<CheckpointId>, Fault>>,
    },
    /// Leaves memory, stored or not.
    Sleep {
        turn: OwnedSemaphorePermit,
        store: bool,
        answer: oneshot::Sender<Result<(), Awake>>,
    },
}

pub(crate) struct Run {
    pub(crate) run: Arc<LiveRun>,
    pub(crate) prepared: Prepared,
    /// The row `running` is written.
    pub(crate) accepted: bool,
    pub(crate) turn: OwnedSemaphorePermit,
    pub(crate) answer: oneshot::Sender<Result<Execution, Fault>>,
}

impl Session {
    /// Starts the task. `room` is given back once the heap is gone.
    pub(crate) fn start(nursery: Arc<Nursery>, runner: Runner, heap: Heap, room: OwnedSemaphorePermit) -> Session {
        let (mailbox, commands) = mpsc::channel(1);
        let (turn, runs) = (Arc::new(Semaphore::new(1)), Arc::<Runs>::default());
        runs.state().last_used = Some(Instant::now());
        let (live, image) = (nursery.live.clone(), Arc::clone(heap.sandbox.image()));
        let (task, sandbox) = Task::new(nursery, runner.clone(), heap, Arc::clone(&turn), Arc::clone(&runs));
        let served = tokio::spawn(task.serve(sandbox, commands, room));
        tokio::spawn({
            let (runner, turn) = (runner.clone(), Arc::clone(&turn));
            async move {
                // Should the task itself panic, its session is gone and whatever it ran is over.
                if let Err(panic) = served.await {
                    let session = runner.place.session;
                    tracing::error!(%session, %panic, "a session's task died");
                    live.remove(session);
                    let why = "the session's task died".to_owned();
                    if let Err(error) = runner.store.session_crashed(runner.tenant, session, clock::now(), why).await {
                        tracing::error!(%session, %error, "a dead session was not recorded");
                    }
                }
                turn.close();
            }
        });
        Session(Arc::new(Handle { runner, image, mailbox, turn, queue: Arc::new(Semaphore::new(QUEUE_MAX)), runs }))
    }

    /// Runs it and answers once its end is on the disk. Busy is an answer at once, without a row, unless the request
    /// would rather wait. Once begun, the run goes on to its end even if the caller loses interest.
    pub async fn run(&self, what: What, queue: bool) -> Result<Execution, Fault> {
        let turn = match self.turn_if_free().await? {
            Some(turn) => turn,
            None if queue => {
                let _place = self.queue_place()?;
                self.wait_for_turn().await?
            }
            None => return Err(self.busy()),
        };
        let prepared = self.0.runner.place.prepare(what).await?;
        let run = self.0.runs.begin().ok_or_else(|| self.not_ready())?;
        self.send(run, prepared, false, turn)?.await.unwrap_or_else(|_| Err(no_answer()))
    }

    /// Takes it on and answers with its row, `running`, once that is on the disk.
    pub async fn accept(&self, what: What, queue: bool) -> Result<Execution, Fault> {
        let session = self.clone();
        // In a task of its own: a client that goes away can't leave a row `running` that nobody runs.
        let task = tokio::spawn(async move { session.accept_here(what, queue).await });
        task.await.unwrap_or_else(|panic| Err(Fault::internal(panic)))
    }

    async fn accept_here(self, what: What, queue: bool) -> Result<Execution, Fault> {
        let turn = self.turn_if_free().await?;
        let place = match &turn {
            None if queue => Some(self.queue_place()?),
            None => return Err(self.busy()),
            Some(_) => None,
        };
        let runner = &self.0.runner;
        let prepared = runner.place.prepare(what).await?;
        let run = self.0.runs.begin().ok_or_else(|| self.not_ready())?;
        let accepted = runner.store.execution_accepted(runner.tenant, runner.row(&run, &prepared)).await;
        let row = match accepted {
            Ok(row) => row,
            Err(error) => {
                self.0.runs.end(run.id);
                run.is_done();
                return Err(error.into());
            }
        };
        match turn {
            Some(turn) => self.send_accepted(run, prepared, turn).await,
            // What waits keeps no file in memory: it is read again in its turn.
            None => drop(tokio::spawn(self.in_turn(run, prepared.into_what(), place))),
        }
        Ok(row)
    }

    /// An accepted run waits for its turn, or for its cancellation.
    async fn in_turn(self, run: Arc<LiveRun>, what: What, place: Option<OwnedSemaphorePermit>) {
        let turn = tokio::select! {
            turn = self.wait_for_turn() => turn.ok(),
            () = run.cancelled.notified() => None,
        };
        drop(place);
        match turn {
            Some(turn) if !run.stop.is_cancelled() => match self.0.runner.place.prepare(what).await {
                Ok(prepared) => self.send_accepted(run, prepared, turn).await,
                Err(fault) => self.never_ran(&run, &fault).await,
            },
            _ => self.never_ran(&run, &cancelled()).await,
        }
    }

    /// A session that is gone by now can't run what was accepted.
    async fn send_accepted(&self, run: Arc<LiveRun>, prepared: Prepared, turn: OwnedSemaphorePermit) {
        if self.send(Arc::clone(&run), prepared, true, turn).is_err() {
            self.never_ran(&run, &cancelled()).await;
        }
    }

    async fn never_ran(&self, run: &LiveRun, why: &Fault) {
        self.0.runner.never_ran(run, why).await;
        self.0.runs.end(run.id);
    }

    /// The answer, in a while. An error when the task has ended: the heap is gone.
    fn send(
        &self,
        run: Arc<LiveRun>,
        prepared: Prepared,
        accepted: bool,
        turn: OwnedSemaphorePermit,
    ) -> Result<oneshot::Receiver<Result<Execution, Fault>>, Fault> {
        let (answer, answered) = oneshot::channel();
        let id = run.id;
        let command = Command::Run(Box::new(Run { run, prepared, accepted, turn, answer }));
        self.0.mailbox.try_send(command).map_err(|_| {
            self.0.runs.end(id);
            self.not_ready()
        })?;
        Ok(answered)
    }

    /// The turn, unless the session is busy. It is not with a run that is over and only being recorded: whoever has seen
    /// its final row may send the next. Nor while its heap is stored or leaves: that is not to be noticed.
    async fn turn_if_free(&self) -> Result<Option<OwnedSemaphorePermit>, Fault> {
        {
            let state = self.0.runs.state();
            match Arc::clone(&self.0.turn).try_acquire_owned() {
                Ok(turn) => return Ok(Some(turn)),
                Err(TryAcquireError::Closed) => return Err(self.not_ready()),
                // Behind others that wait it would be a queue.
                Err(TryAcquireError::NoPermits) if self.0.queue.available_permits() < QUEUE_MAX => return Ok(None),
                Err(TryAcquireError::NoPermits) if state.live.values().any(|run| run.is_over()) => {}
                Err(TryAcquireError::NoPermits) if state.brief > 0 && state.live.is_empty() => {}
                Err(TryAcquireError::NoPermits) => return Ok(None),
            }
        }
        self.wait_for_turn().await.map(Some)
    }

    async fn wait_for_turn(&self) -> Result<OwnedSemaphorePermit, Fault> {
        Arc::clone(&self.0.turn).acquire_owned().await.map_err(|_| self.not_ready())
    }

    fn queue_place(&self) -> Result<OwnedSemaphorePermit, Fault> {
        Arc::clone(&self.0.queue).try_acquire_owned().map_err(|_| self.busy().with("queue_max", QUEUE_MAX))
    }

    fn busy(&self) -> Fault {
        Fault::new(ErrorCode::SessionBusy, "Session is busy").with("session_id", self.0.runner.place.session)
    }

    fn not_ready(&self) -> Fault {
        Fault::session_not_ready(self.0.runner.place.session)
    }

    /// An execution that is under way here or waits.
    pub fn live(&self, id: ExecutionId) -> Option<Arc<LiveRun>> {
        self.0.runs.state().live.get(&id).cloned()
    }

    /// Whether its heap has left memory, or is about to: it is to be asked for again.
    pub fn is_asleep(&self) -> bool {
        self.0.runs.state().sleeping
    }

    /// The image that it runs on.
    pub(crate) fn image(&self) -> &Image {
        &self.0.image
    }

    /// Whether its heap is stored.
    pub(crate) fn is_durable(&self) -> bool {
        self.0.runner.place.keep.is_durable()
    }

    /// Leaves memory with the server: what runs is over by now or cancelled, and what can't be stored is at its last
    /// checkpoint.
    pub(crate) async fn leave(&self) -> Result<(), Fault> {
        self.0.runs.state().sleeping = true;
        self.cancel_all();
        while self.is_busy() {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        if let Err(why) = self.hibernate().await {
            tracing::warn!(session = %self.0.runner.place.session, ?why, "a session is at its last checkpoint");
        }
        Ok(())
    }

    /// When it was last used, if it is idle and can leave memory.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        let state = self.0.runs.state();
        let can_go =
            self.0.runner.place.keep.is_durable() && state.live.is_empty() && !state.closing && !state.sleeping;
        state.last_used.filter(|_| can_go)
    }

    /// Has the heap leave memory, once it is stored.
    pub async fn hibernate(&self) -> Result<(), Awake> {
        let session = self.clone();
        let task = tokio::spawn(async move { session.sleep(true).await });
        task.await.unwrap_or(Err(Awake::NotStored))
    }

    /// Leaves memory as it is: the session goes on with another heap.
    pub(crate) async fn leave_unstored(&self) -> Result<(), Awake> {
        let session = self.clone();
        let task = tokio::spawn(async move { session.sleep(false).await });
        task.await.unwrap_or(Err(Awake::NotStored))
    }

    async fn sleep(self, store: bool) -> Result<(), Awake> {
        if !self.0.runner.place.keep.is_durable() {
            return Err(Awake::NotDurable);
        }
        if self.is_busy() {
            return Err(Awake::Busy);
        }
        let _brief = self.0.runs.brief();
        // Closed: it has gone just now.
        let Ok(turn) = self.wait_for_turn().await else { return Ok(()) };
        let (answer, answered) = oneshot::channel();
        if self.0.mailbox.send(Command::Sleep { turn, store, answer }).await.is_err() {
            return Ok(());
        }
        answered.await.unwrap_or(Err(Awake::NotStored))
    }

    /// Stores the heap as it is, once nothing runs, and answers with its newest checkpoint; none if it is as its image is.
    pub async fn checkpoint(&self) -> Result<Option<CheckpointId>, Fault> {
        if !self.is_durable() {
            return Err(not_durable().with("session_id", self.0.runner.place.session));
        }
        let session = self.clone();
        let task = tokio::spawn(async move {
            let _brief = session.0.runs.brief();
            let turn = session.turn_if_free().await?.ok_or_else(|| session.busy())?;
            let (answer, answered) = oneshot::channel();
            let command = Command::Checkpoint { turn, answer };
            session.0.mailbox.try_send(command).map_err(|_| session.not_ready())?;
            answered.await.unwrap_or_else(|_| Err(no_answer()))
        });
        task.await.unwrap_or_else(|panic| Err(Fault::internal(panic)))
    }

    /// Whether anything runs or waits.
    pub fn is_busy(&self) -> bool {
        !self.0.runs.state().live.is_empty()
    }

    /// Asks everything to stop.
    pub fn cancel_all(&self) {
        for run in self.0.runs.state().live.values() {
            run.cancel();
        }
    }

    /// Cancels what runs and what waits, waits for its end to be recorded, drops the heap and closes the row, with a
    /// reason where it was not a client's wish. None when the row was final already.
    pub async fn close(&self, why: Option<String>) -> Result<Option<Row>, Fault> {
        self.0.runs.state().closing = true;
        self.cancel_all();
        // Never given back: nothing comes after a close. Who waits still is told so.
        let Ok(turn) = self.wait_for_turn().await else { return Ok(None) };
        turn.forget();
        self.0.turn.close();
        // What was accepted and never ran says so itself, before the rest is settled with the session.
        while self.is_busy() {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        let (answer, answered) = oneshot::channel();
        if self.0.mailbox.send(Command::Close { why, answer }).await.is_err() {
            return Ok(None);
        }
        answered.await.unwrap_or_else(|_| Err(no_answer()))
    }
}

fn cancelled() -> Fault {
    Fault::new(ErrorCode::Cancelled, "Execution was cancelled before it began")
}

fn no_answer() -> Fault {
    Fault::internal("the session's task gave no answer")
}
