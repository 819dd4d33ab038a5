//! The task that owns one session's sandbox: what it is sent, what it does between, and when its heap leaves.
use std::sync::Arc;
use std::time::Duration;

use model::{CheckpointId, ConsoleLevel, Payload};
use sandbox::{Outcome, Sandbox};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;

use crate::backlog::Backlog;
use crate::clock;
use crate::fault::Fault;
use crate::nursery::Nursery;
use crate::run::{Executed, Runner, again, payload};
use crate::session::{Awake, Command, Run, Runs};

/// Between two turns of what executions left a session rests for so long, and for so many times the CPU time of the last:
/// what nobody waits for takes at most a fifth of a core.
const REST_MIN: Duration = Duration::from_millis(10);
const REST_PER_CPU: u32 = 4;
/// After a heap could not be stored or put away, so long until it is tried again.
const STORE_AGAIN: Duration = Duration::from_secs(2);

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

pub(crate) struct Task {
    runner: Runner,
    nursery: Arc<Nursery>,
    turn: Arc<Semaphore>,
    runs: Arc<Runs>,
    finished: u32,
    /// The newest checkpoint.
    stored: Option<CheckpointId>,
    /// Since when the heap is no longer as it is on the disk.
    changed: Option<Instant>,
    backlog: Arc<Backlog>,
    /// No turn between executions before this.
    rest_until: Instant,
    /// It does not leave memory by itself before this.
    stays_until: Instant,
}

/// What a session's task does next.
enum Next {
    Command(Option<Command>),
    Background,
    Checkpoint,
    Sleep,
}

impl Task {
    /// The task of a session, and the heap that it is to serve.
    pub(crate) fn new(
        nursery: Arc<Nursery>,
        runner: Runner,
        heap: Heap,
        turn: Arc<Semaphore>,
        runs: Arc<Runs>,
    ) -> (Task, Sandbox) {
        let Heap { sandbox, events, changed, stored } = heap;
        let backlog = Backlog::of(&sandbox, events);
        let now = Instant::now();
        let task = Task {
            runner,
            nursery,
            turn,
            runs,
            finished: 0,
            stored,
            changed: changed.then_some(now),
            backlog: Arc::new(backlog),
            rest_until: now,
            stays_until: now,
        };
        (task, sandbox)
    }

    pub(crate) async fn serve(
        mut self,
        sandbox: Sandbox,
        mut commands: mpsc::Receiver<Command>,
        room: OwnedSemaphorePermit,
    ) {
        let mut sandbox = Some(sandbox);
        while let Some(heap) = sandbox.take() {
            let next = self.next(&heap, &mut commands);
            match next.await {
                Next::Background => sandbox = self.background(heap).await,
                Next::Checkpoint => sandbox = self.checkpoint(heap).await.map(|(heap, _)| heap),
                Next::Sleep => {
                    let _brief = self.runs.brief();
                    match Arc::clone(&self.turn).try_acquire_owned() {
                        Ok(turn) => match self.sleep(heap, turn, true).await {
                            Ok(()) => return,
                            Err((_, heap)) => {
                                self.stays_until = Instant::now() + STORE_AGAIN;
                                sandbox = heap;
                            }
                        },
                        // Somebody is about to send a command.
                        Err(_) => {
                            self.stays_until = Instant::now() + REST_MIN;
                            sandbox = Some(heap);
                        }
                    }
                }
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
        let sleep_at = can_go.then(|| (last_used + idle).max(self.stays_until));
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

    async fn run(&mut self, mut heap: Sandbox, command: Run) -> Option<Sandbox> {
        let Run { run, mut prepared, accepted, turn, answer } = command;
        prepared.backlog = self.backlog.take();
        heap.keep_note(None);
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
        self.stored = heap.and_then(Sandbox::last_snapshot).map(CheckpointId::from).or(self.stored);
        if self.runner.place.keep.background {
            self.nursery.timers_changed.notify_one();
        }
    }

    /// Stores the heap. None when it is lost.
    async fn checkpoint(&mut self, mut heap: Sandbox) -> Option<(Sandbox, Result<CheckpointId, Fault>)> {
        heap.keep_note(self.backlog.note());
        let (heap, stored) = self.runner.checkpoint(heap, None).await?;
        match stored {
            Ok(_) => self.is_stored(Some(&heap)),
            // Tried again in a while.
            Err(_) => self.changed = Some(Instant::now() + STORE_AGAIN),
        }
        Some((heap, stored))
    }

    /// Leaves memory; or else the heap, which may be lost, and why it stays.
    async fn sleep(
        &mut self,
        mut heap: Sandbox,
        turn: OwnedSemaphorePermit,
        store: bool,
    ) -> Result<(), (Awake, Option<Sandbox>)> {
        if self.changed.is_some() {
            heap = match self.checkpoint(heap).await {
                Some((heap, Ok(_))) => heap,
                Some((heap, Err(_))) if store => return Err((Awake::NotStored, Some(heap))),
                // It goes on from another, whatever becomes of this one.
                Some((heap, Err(_))) => heap,
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
        let _ = tokio::task::spawn_blocking(move || heap.give_back()).await;
        Ok(())
    }

    /// The heap is lost. Brings back what was stored of it last. None when that can't be done now: then it has left memory, and
    /// whoever uses it next has it brought back, or is told why not.
    async fn go_back(&mut self) -> Option<Sandbox> {
        let Runner { tenant, place, .. } = &self.runner;
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
                tracing::error!(session = %place.session, ?fault, "a session can't go back to its last checkpoint now");
                self.runs.state().sleeping = true;
                self.nursery.live.remove(place.session);
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
