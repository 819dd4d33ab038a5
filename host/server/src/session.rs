//! A live session: one task that owns one sandbox, and the cheap handle to it.
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{CheckpointId, ConsoleLevel, ErrorCode, Execution, ExecutionId, Payload, Session as Row};
use sandbox::{Outcome, Sandbox};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, mpsc, oneshot};
use tokio::time::Instant;

use crate::clock;
use crate::fault::Fault;
use crate::keep::PRUNED_EVERY;
use crate::nursery::Nursery;
use crate::residence::not_durable;
use crate::run::{Executed, LiveRun, Prepared, Runner, What, again, payload};

/// How often a session that is being closed looks whether everything has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// Between two turns of what executions left a session rests for so long, and for so many times the CPU time of the last:
/// what nobody waits for takes at most a fifth of a core.
const REST_MIN: Duration = Duration::from_millis(10);
const REST_PER_CPU: u32 = 4;
/// After a heap could not be stored, so long until it is tried again, beyond the usual time.
const STORE_AGAIN: Duration = Duration::from_secs(2);
/// Events between executions that are kept for the next one, and their text, bytes.
const BACKLOG_EVENTS_MAX: usize = 1_000;
const BACKLOG_BYTES_MAX: usize = 256 << 10;
/// Requests of one session that can wait for their turn.
pub const QUEUE_MAX: usize = 32;

/// A handle; clones speak to the same task.
#[derive(Clone)]
pub struct Session(Arc<Handle>);

struct Handle {
    runner: Runner,
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
struct Runs(Mutex<RunsState>);

#[derive(Default)]
struct RunsState {
    closing: bool,
    /// Its heap is leaving memory: whoever comes now has to have it brought back.
    sleeping: bool,
    last_used: Option<Instant>,
    live: HashMap<ExecutionId, Arc<LiveRun>>,
}

impl Runs {
    fn state(&self) -> MutexGuard<'_, RunsState> {
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

    fn end(&self, id: ExecutionId) {
        self.state().live.remove(&id);
    }

    /// No execution begins from here on, unless one did already.
    fn falls_asleep(&self) -> bool {
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

enum Command {
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

struct Run {
    run: Arc<LiveRun>,
    prepared: Prepared,
    /// The row `running` is written.
    accepted: bool,
    turn: OwnedSemaphorePermit,
    answer: oneshot::Sender<Result<Execution, Fault>>,
}

impl Session {
    /// Starts the task. `room` is given back once the heap is gone.
    pub(crate) fn start(nursery: Arc<Nursery>, runner: Runner, heap: Heap, room: OwnedSemaphorePermit) -> Session {
        let (mailbox, commands) = mpsc::channel(1);
        let (turn, runs) = (Arc::new(Semaphore::new(1)), Arc::<Runs>::default());
        runs.state().last_used = Some(Instant::now());
        let live = nursery.live.clone();
        let backlog = Backlog::default();
        heap.events.into_iter().for_each(|event| backlog.push(event));
        let task = Task {
            runner: runner.clone(),
            nursery,
            turn: Arc::clone(&turn),
            runs: Arc::clone(&runs),
            finished: 0,
            // The first one that is stored is followed by a look at what may go.
            checkpoints: PRUNED_EVERY - 1,
            stored: heap.stored,
            changed: heap.changed.then(Instant::now),
            backlog: Arc::new(backlog),
            rest_until: Instant::now(),
        };
        let sandbox = heap.sandbox;
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
        Session(Arc::new(Handle { runner, mailbox, turn, queue: Arc::new(Semaphore::new(QUEUE_MAX)), runs }))
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
    /// its final row may send the next.
    async fn turn_if_free(&self) -> Result<Option<OwnedSemaphorePermit>, Fault> {
        {
            let state = self.0.runs.state();
            match Arc::clone(&self.0.turn).try_acquire_owned() {
                Ok(turn) => return Ok(Some(turn)),
                Err(TryAcquireError::Closed) => return Err(self.not_ready()),
                // Behind others that wait it would be a queue.
                Err(TryAcquireError::NoPermits) if self.0.queue.available_permits() < QUEUE_MAX => return Ok(None),
                Err(TryAcquireError::NoPermits) if state.live.values().any(|run| run.is_over()) => {}
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

    /// Whether its heap is stored.
    pub(crate) fn is_durable(&self) -> bool {
        self.0.runner.place.keep.is_durable()
    }

    /// Leaves memory with the server: what runs is over by now or cancelled, and what can't be stored is at its last
    /// checkpoint.
    pub(crate) async fn leave(&self) -> Result<(), Fault> {
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

/// What is said between executions, for the next one to tell. Bounded: what comes after is counted.
#[derive(Default)]
struct Backlog(Mutex<BacklogState>);

#[derive(Default)]
struct BacklogState {
    payloads: Vec<Payload>,
    bytes: usize,
    lost: u64,
}

impl Backlog {
    fn state(&self) -> MutexGuard<'_, BacklogState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, payload: Payload) {
        let mut state = self.state();
        let bytes = match &payload {
            Payload::Console { text, .. } => text.len(),
            _ => 0,
        };
        if state.payloads.len() >= BACKLOG_EVENTS_MAX || state.bytes + bytes > BACKLOG_BYTES_MAX {
            state.lost += 1;
        } else {
            state.bytes += bytes;
            state.payloads.push(payload);
        }
    }

    fn take(&self) -> Vec<Payload> {
        let BacklogState { mut payloads, lost, .. } = std::mem::take(&mut *self.state());
        if lost > 0 {
            let message = format!("{lost} more events between executions were not kept");
            payloads.push(Payload::System { message, level: ConsoleLevel::Warn });
        }
        payloads
    }
}

/// A heap as its session's task takes it over.
pub(crate) struct Heap {
    pub(crate) sandbox: Sandbox,
    /// What was said while it was brought back.
    pub(crate) events: Vec<Payload>,
    /// It is no longer, or not yet, as it is on the disk.
    pub(crate) changed: bool,
    /// The newest checkpoint.
    pub(crate) stored: Option<CheckpointId>,
}

struct Task {
    runner: Runner,
    nursery: Arc<Nursery>,
    turn: Arc<Semaphore>,
    runs: Arc<Runs>,
    finished: u32,
    /// Checkpoints since it came into memory, and the newest.
    checkpoints: u32,
    stored: Option<CheckpointId>,
    /// Since when the heap is no longer as it is on the disk.
    changed: Option<Instant>,
    backlog: Arc<Backlog>,
    /// No turn between executions before this.
    rest_until: Instant,
}

/// What a session's task does next.
enum Next {
    Command(Option<Command>),
    Background,
    Checkpoint,
    Sleep,
}

impl Task {
    async fn serve(mut self, sandbox: Sandbox, mut commands: mpsc::Receiver<Command>, room: OwnedSemaphorePermit) {
        let mut sandbox = Some(sandbox);
        while let Some(heap) = sandbox.take() {
            let next = self.next(&heap, &mut commands);
            match next.await {
                Next::Background => sandbox = self.background(heap).await,
                Next::Checkpoint => sandbox = self.checkpoint(heap).await.map(|(heap, _)| heap),
                Next::Sleep => match Arc::clone(&self.turn).try_acquire_owned() {
                    Ok(turn) => match self.sleep(heap, turn, true).await {
                        Ok(()) => return,
                        Err((_, heap)) => sandbox = heap,
                    },
                    // Somebody is about to send a command.
                    Err(_) => sandbox = Some(heap),
                },
                Next::Command(None) => sandbox_dropped(heap).await,
                Next::Command(Some(Command::Sleep { turn, store, answer })) => {
                    match self.sleep(heap, turn, store).await {
                        Ok(()) => {
                            drop(room);
                            let _ = answer.send(Ok(()));
                            return;
                        }
                        Err((why, heap)) => {
                            sandbox = heap;
                            let _ = answer.send(Err(why));
                        }
                    }
                }
                Next::Command(Some(Command::Checkpoint { turn, answer })) => {
                    let stored = match (self.changed, self.stored) {
                        (None, stored) => {
                            sandbox = Some(heap);
                            Ok(stored)
                        }
                        _ => match self.checkpoint(heap).await {
                            Some((heap, stored)) => {
                                sandbox = Some(heap);
                                stored.map(Some)
                            }
                            None => Err(self.not_ready()),
                        },
                    };
                    drop(turn);
                    let _ = answer.send(stored);
                }
                Next::Command(Some(Command::Close { why, answer })) => {
                    sandbox_dropped(heap).await;
                    let Runner { store, tenant, place, .. } = &self.runner;
                    let at = clock::now();
                    let closed = again(|| store.session_closed(*tenant, place.session, at, why.clone())).await;
                    drop(room);
                    let _ = answer.send(closed.map_err(Fault::from));
                    return;
                }
                Next::Command(Some(Command::Run(command))) => sandbox = self.run(heap, *command).await,
            }
            if sandbox.is_none() {
                sandbox = self.go_back().await;
            }
        }
        // The heap is gone: whoever comes next finds nobody here, and is not kept waiting.
        self.turn.close();
        // One was sent meanwhile: whoever follows it must hear its end.
        commands.close();
        while let Some(command) = commands.recv().await {
            let gone = self.not_ready();
            match command {
                Command::Run(command) => {
                    let Run { run, answer, accepted, .. } = *command;
                    if accepted {
                        self.runner.never_ran(&run, &gone).await;
                    } else {
                        run.is_done();
                    }
                    self.runs.end(run.id);
                    let _ = answer.send(Err(gone));
                }
                Command::Checkpoint { answer, .. } => drop(answer.send(Err(gone))),
                Command::Close { .. } | Command::Sleep { .. } => {}
            }
        }
    }

    fn not_ready(&self) -> Fault {
        Fault::session_not_ready(self.runner.place.session)
    }

    /// Waits for whatever comes first. The future has nothing of the heap, which can't be looked at from two threads.
    fn next<'a>(
        &self,
        heap: &Sandbox,
        commands: &'a mut mpsc::Receiver<Command>,
    ) -> impl Future<Output = Next> + Send + use<'a> {
        let keep = self.runner.place.keep;
        let (interval, idle) = (self.nursery.checkpoint_every, self.nursery.idle);
        let store_at = self.changed.filter(|_| keep.is_durable()).map(|since| since + interval);
        let leftovers = heap.idle().filter(|_| keep.background);
        let rest_until = self.rest_until;
        // Not for a nap: coming back costs more.
        let next_timer = heap.next_timer().filter(|_| keep.background);
        let naps = next_timer.is_some_and(|timer| timer < (Instant::now() + idle).into_std());
        let can_go = keep.is_durable() && !idle.is_zero() && !naps && heap.pinned().is_none();
        let last_used = self.runs.state().last_used.unwrap_or_else(Instant::now);
        let sleep_at = can_go.then(|| (last_used + idle).max(Instant::now() + REST_MIN));
        async move {
            // However busy it is.
            if store_at.is_some_and(|at| at <= Instant::now()) {
                return Next::Checkpoint;
            }
            let at = |time: Option<Instant>| async move {
                match time {
                    Some(time) => tokio::time::sleep_until(time).await,
                    None => std::future::pending().await,
                }
            };
            let comes_due = async {
                match leftovers {
                    Some(idle) => drop(tokio::join!(tokio::time::sleep_until(rest_until), idle)),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                command = commands.recv() => Next::Command(command),
                () = at(store_at) => Next::Checkpoint,
                () = comes_due => Next::Background,
                () = at(sleep_at) => Next::Sleep,
            }
        }
    }

    async fn run(&mut self, heap: Sandbox, command: Run) -> Option<Sandbox> {
        let Run { run, mut prepared, accepted, turn, answer } = command;
        prepared.backlog = self.backlog.take();
        // Off the map before its row says `crashed`, which is before anyone is answered.
        let crashed = || self.nursery.live.remove(self.runner.place.session);
        let Executed { answer: executed, mut sandbox, is_stored } =
            self.runner.execute(heap, &run, prepared, accepted, crashed).await;
        if is_stored {
            self.is_stored(sandbox.as_ref());
        } else if sandbox.is_some() {
            self.changed.get_or_insert_with(Instant::now);
        }
        if sandbox.as_ref().is_some_and(Sandbox::wants_checkpoint)
            && self.runner.place.keep.is_durable()
            && let Some(heap) = sandbox.take()
        {
            sandbox = self.checkpoint(heap).await.map(|(heap, _)| heap);
        }
        // Nobody is answered before the heap that the session goes on with is there.
        if sandbox.is_none() {
            sandbox = self.go_back().await;
        }
        if sandbox.is_none() {
            self.turn.close();
        }
        self.prune().await;
        // Before the answer: who has it may send the next command at once. Both at once: a run that is over and off the list
        // has given its turn back.
        {
            let mut state = self.runs.state();
            state.live.remove(&run.id);
            state.last_used = Some(Instant::now());
            drop(turn);
        }
        let _ = answer.send(executed);
        sandbox
    }

    fn is_stored(&mut self, heap: Option<&Sandbox>) {
        self.changed = None;
        self.checkpoints += 1;
        self.stored = heap.and_then(Sandbox::last_snapshot).map(CheckpointId::from).or(self.stored);
        self.nursery.timers_changed.notify_one();
    }

    /// Stores the heap. None when it is lost.
    async fn checkpoint(&mut self, heap: Sandbox) -> Option<(Sandbox, Result<CheckpointId, Fault>)> {
        let (heap, stored) = self.runner.checkpoint(heap, None).await?;
        match stored {
            Ok(_) => self.is_stored(Some(&heap)),
            // Tried again in a while.
            Err(_) => self.changed = Some(Instant::now() + STORE_AGAIN),
        }
        self.runner.prune_checkpoints(self.checkpoints).await;
        Some((heap, stored))
    }

    /// Leaves memory; or else the heap, which may be lost, and why it stays.
    async fn sleep(
        &mut self,
        mut heap: Sandbox,
        turn: OwnedSemaphorePermit,
        store: bool,
    ) -> Result<(), (Awake, Option<Sandbox>)> {
        if self.changed.is_some() && store {
            heap = match self.checkpoint(heap).await {
                Some((heap, Ok(_))) => heap,
                Some((heap, Err(_))) => return Err((Awake::NotStored, Some(heap))),
                None => return Err((Awake::NotStored, None)),
            };
        }
        if let Some(why) = heap.pinned().filter(|_| store) {
            return Err((Awake::Pinned(why), Some(heap)));
        }
        if !self.runs.falls_asleep() {
            return Err((Awake::Busy, Some(heap)));
        }
        // Off the map before the turn is closed: who finds it closed finds it gone, and has it brought back.
        self.nursery.live.remove(self.runner.place.session);
        turn.forget();
        self.turn.close();
        sandbox_dropped(heap).await;
        Ok(())
    }

    /// The heap is lost. Brings back what was stored of it last; None when there is none: then its row says so.
    async fn go_back(&mut self) -> Option<Sandbox> {
        let Runner { store, tenant, place, .. } = &self.runner;
        if self.turn.is_closed() {
            return None;
        }
        if !place.keep.is_durable() {
            return None;
        }
        match self.nursery.bring_back(*tenant, place.session).await {
            Ok(Heap { sandbox, events, changed, stored }) => {
                tracing::warn!(session = %place.session, "a heap was lost; the session went back to its last checkpoint");
                events.into_iter().for_each(|event| self.backlog.push(event));
                self.changed = changed.then(Instant::now);
                self.stored = stored;
                Some(sandbox)
            }
            Err(fault) => {
                tracing::error!(session = %place.session, ?fault, "a session can't go back to its last checkpoint");
                self.nursery.live.remove(place.session);
                let (at, why) = (clock::now(), fault.message.into_owned());
                if let Err(error) = again(|| store.session_crashed(*tenant, place.session, at, why.clone())).await {
                    tracing::error!(session = %place.session, %error, "a crashed session was not recorded");
                }
                None
            }
        }
    }

    /// One turn of what executions left. None when it trapped; unless it can go back to a checkpoint, the session's row says
    /// `crashed` by then.
    async fn background(&mut self, heap: Sandbox) -> Option<Sandbox> {
        let backlog = Arc::clone(&self.backlog);
        let ran = self.runner.engine.call(move || {
            let events = Box::new(move |event| backlog.push(payload(event)));
            heap.background(events)
        });
        self.changed.get_or_insert_with(Instant::now);
        let crashed = "The sandbox crashed and its heap is gone".to_owned();
        let (sandbox, failed) = match ran.await {
            Some(ran) => {
                let cpu = Duration::from_micros(ran.metrics.cpu_us);
                self.rest_until = Instant::now() + (cpu * REST_PER_CPU).max(REST_MIN);
                match ran.outcome {
                    Outcome::Exception(exception) => (ran.sandbox, Some(exception.message)),
                    Outcome::Value(_) => (ran.sandbox, None),
                }
            }
            None => (None, None),
        };
        if sandbox.is_none() && !self.runner.place.keep.is_durable() {
            let Runner { store, tenant, place, .. } = &self.runner;
            self.nursery.live.remove(place.session);
            let (at, why) = (clock::now(), failed.unwrap_or(crashed));
            if let Err(error) = again(|| store.session_crashed(*tenant, place.session, at, why.clone())).await {
                tracing::error!(session = %place.session, %error, "a crashed session was not recorded");
            }
        } else if let Some(why) = failed.or_else(|| sandbox.is_none().then_some(crashed)) {
            let text = format!("Between executions, and stopped: {why}");
            self.backlog.push(Payload::Console { level: ConsoleLevel::Error, text });
        }
        sandbox
    }

    /// Now and then, since looking for the oldest has to pass over the others.
    async fn prune(&mut self) {
        self.runner.prune_checkpoints(self.checkpoints).await;
        let Some(keep) = self.nursery.keep_executions else { return };
        self.finished += 1;
        if self.finished.is_multiple_of((keep / 8).max(1)) {
            let Runner { store, tenant, place, .. } = &self.runner;
            if let Err(error) = store.prune_executions(*tenant, place.session, keep).await {
                tracing::warn!(%error, "old executions were not removed");
            }
        }
    }
}

/// Giving a heap back to the pool clears pages: not on an I/O thread.
async fn sandbox_dropped(sandbox: Sandbox) {
    let _ = tokio::task::spawn_blocking(move || drop(sandbox)).await;
}
