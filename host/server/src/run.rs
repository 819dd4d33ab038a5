//! One execution: from what a client asked for to its final row and events.
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use model::{
    Durability, ErrorCode, Exception, Execution, ExecutionId, ExecutionKind, ExecutionStatus, Payload, TenantId,
};
use sandbox::{Engine, Event, Metrics, Outcome, Ran, Sandbox, Script, Stop, Turn, Waiting};
use serde_json::value::RawValue;
use store::{EventLog, EventPage, FinishedExecution, NewCheckpoint, NewExecution, Store};
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use crate::clock;
use crate::fault::Fault;
use crate::keep::{Keep, Unpruned};
use crate::prepare::{Place, Prepared, What};

/// How long is tried to record what must be recorded, and the first pause.
const RECORD_TIME: Duration = Duration::from_secs(20);
const RECORD_AGAIN: Duration = Duration::from_millis(50);
const CRASHED: &str = "The sandbox crashed and its heap is gone";
/// What a run that took its heap along says of a session that goes on all the same.
const ROLLED_BACK: &str = ". The session goes on from its last checkpoint: what was changed since is lost";

/// An execution that is under way or waits for its turn. Shared by who runs it, who follows it and who cancels it.
#[derive(Debug)]
pub struct LiveRun {
    /// Its id.
    pub id: ExecutionId,
    pub(crate) stop: Stop,
    pub(crate) cancelled: Notify,
    log: Mutex<EventLog>,
    /// The script has ended; its final row is being written.
    over: AtomicBool,
    /// True once its final row and its events are on the disk. Touched at every event while anyone listens.
    done: watch::Sender<bool>,
}

impl LiveRun {
    pub(crate) fn new() -> Arc<LiveRun> {
        Arc::new(LiveRun {
            id: ExecutionId::from(Uuid::now_v7()),
            stop: Stop::default(),
            cancelled: Notify::new(),
            log: Mutex::default(),
            over: AtomicBool::new(false),
            done: watch::Sender::new(false),
        })
    }

    /// The events after `after_seq` so far. None of them may be on the disk yet; all of them are when it is done.
    pub fn events(&self, after_seq: u64, limit: usize) -> Result<EventPage, store::Error> {
        self.log().page(self.id, after_seq, limit)
    }

    /// Tells of every event, and of the end.
    pub fn follow(&self) -> watch::Receiver<bool> {
        self.done.subscribe()
    }

    /// Asks it to stop.
    pub(crate) fn cancel(&self) {
        self.stop.cancel();
        self.cancelled.notify_one();
    }

    /// Nothing runs any more, and the final row may be on the disk.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    pub(crate) fn is_done(&self) {
        self.done.send_replace(true);
    }

    fn push(&self, payload: &Payload) {
        self.log().push(clock::now(), payload);
        if self.done.receiver_count() > 0 {
            self.done.send_modify(|_| {});
        }
    }

    fn log(&self) -> MutexGuard<'_, EventLog> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_log(&self) -> EventLog {
        std::mem::take(&mut *self.log())
    }

    /// Its end, cancelled before it began.
    fn unrun(&self) -> FinishedExecution {
        self.ended(ExecutionStatus::Cancelled, ErrorCode::Cancelled, "Execution was cancelled before it began")
    }

    /// Its end, without a run.
    fn ended(&self, status: ExecutionStatus, code: ErrorCode, message: &str) -> FinishedExecution {
        let exception = exception(code, message);
        self.push(&Payload::Exception(exception.clone()));
        let metrics = RawValue::from_string("{}".to_owned()).unwrap_or_else(|_| RawValue::NULL.to_owned());
        FinishedExecution { id: self.id, status, ended_at: clock::now(), result: None, error: Some(exception), metrics }
    }
}

fn exception(code: ErrorCode, message: &str) -> Exception {
    Exception { message: message.to_owned(), stack: None, line: None, column: None, code: Some(code) }
}

/// Does a change that failed again, ever more seldom, until it is done or [`RECORD_TIME`] is over.
pub(crate) async fn again<T, F: Future<Output = Result<T, store::Error>>>(
    change: impl Fn() -> F,
) -> Result<T, store::Error> {
    let (began, mut pause) = (Instant::now(), RECORD_AGAIN);
    loop {
        match change().await {
            Err(error @ (store::Error::Sqlite(_) | store::Error::Stopped)) if began.elapsed() < RECORD_TIME => {
                tracing::error!(%error, "the database takes no changes");
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            done => return done,
        }
    }
}

/// Runs executions of one session, one after another, and records them.
#[derive(Clone)]
pub(crate) struct Runner {
    pub(crate) tenant: TenantId,
    pub(crate) place: Place,
    pub(crate) engine: Engine,
    pub(crate) store: Store,
    pub(crate) unpruned: Arc<Unpruned>,
}

/// What comes back from the guest's thread.
enum First {
    Finished(Box<Finished>),
    Waiting(Waiting),
}

struct Finished {
    sandbox: Option<Sandbox>,
    end: FinishedExecution,
    /// The heap that it left, where every one is stored.
    heap: Option<NewCheckpoint>,
}

/// What became of a run.
pub(crate) struct Executed {
    /// Its final row, or why there is none to show.
    pub(crate) answer: Result<Execution, Fault>,
    /// None when it trapped; unless the session can go back to a checkpoint, its row says `crashed` by then.
    pub(crate) sandbox: Option<Sandbox>,
    /// The heap is stored with the row.
    pub(crate) is_stored: bool,
}

impl Runner {
    /// The row of an execution that begins.
    pub(crate) fn row(&self, run: &LiveRun, prepared: &Prepared) -> NewExecution {
        let json = |text: &str| RawValue::from_string(text.to_owned()).unwrap_or_else(|_| RawValue::NULL.to_owned());
        let (kind, input, path, args, env) = match &prepared.what {
            What::Repl { input, .. } => (ExecutionKind::Repl, Some(input.clone()), None, json("[]"), json("{}")),
            What::File { path, args, env } => {
                (ExecutionKind::RunFile, None, Some(path.clone()), args.clone(), env.clone())
            }
            What::Startup { path, .. } => (ExecutionKind::Startup, None, Some(path.clone()), json("[]"), json("{}")),
        };
        let (id, session, started_at) = (run.id, self.place.session, clock::now());
        NewExecution { id, session, kind, input, path, args, env, started_at }
    }

    /// Runs to the final row. `accepted`: the row `running` is written already. What traps takes the session along:
    /// `crashed` is called first, so that nobody is sent to a heap that is gone.
    pub(crate) async fn execute(
        &self,
        sandbox: Sandbox,
        run: &Arc<LiveRun>,
        prepared: Prepared,
        accepted: bool,
        crashed: impl FnOnce(),
    ) -> Executed {
        if !accepted && let Err(error) = self.store.execution_starts(self.tenant, self.row(run, &prepared)).await {
            run.is_done();
            return Executed { answer: Err(error.into()), sandbox: Some(sandbox), is_stored: false };
        }
        // Every thread may be taken: until one is free, a run that is cancelled takes its heap back.
        let waiting = Arc::new(Mutex::new(Some((sandbox, prepared))));
        let take = |waiting: &Mutex<Option<_>>| waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        let keep = self.place.keep;
        let mut first = Box::pin(self.engine.call({
            let (run, waiting) = (Arc::clone(run), Arc::clone(&waiting));
            move || take(&waiting).map(|(sandbox, prepared)| on_thread(sandbox, &run, &prepared, keep))
        }));
        let unrun = tokio::select! {
            biased;
            first = &mut first => Err(first.flatten()),
            () = run.cancelled.notified() => Ok(take(&waiting)),
        };
        let mut step = match unrun {
            Ok(Some((sandbox, prepared))) => {
                prepared.backlog.iter().for_each(|payload| run.push(payload));
                Some(First::Finished(Box::new(Finished { sandbox: Some(sandbox), end: run.unrun(), heap: None })))
            }
            Ok(None) => first.await.flatten(),
            Err(first) => first,
        };
        let finished = loop {
            step = match step {
                Some(First::Finished(finished)) => break Some(*finished),
                // It needs no thread until there is something to go on with.
                Some(First::Waiting(waiting)) => self.goes_on(run, waiting).await,
                None => break None,
            };
        };
        // A panic there leaves what was printed before.
        let Finished { mut sandbox, end, heap } = finished.unwrap_or_else(|| {
            let message = format!("{CRASHED}{}", if keep.is_durable() { ROLLED_BACK } else { "" });
            let end = run.ended(ExecutionStatus::Error, ErrorCode::SessionCrashed, &message);
            Finished { sandbox: None, end, heap: None }
        });
        run.over.store(true, Ordering::Release);
        let code = end.error.as_ref().and_then(|error| error.code);
        let log = Arc::new(run.take_log());
        let (mut is_stored, id) = (heap.is_some(), heap.as_ref().map(|heap| heap.id));
        let heap_bytes = heap.as_ref().map_or(0, |heap| heap.body.len());
        let recorded = match &sandbox {
            Some(_) => self.record(end, log, heap).await,
            None if self.place.keep.is_durable() => self.record(end, log, None).await,
            None => {
                crashed();
                self.crashed(end, log).await
            }
        };
        if let (Some(sandbox), Some(id)) = (&mut sandbox, id) {
            is_stored = recorded.is_ok();
            if is_stored {
                sandbox.checkpointed(Ok(*id.as_uuid()));
                self.was_stored(heap_bytes).await;
            }
        }
        // What can't be stored has not been done: the session goes back to what is.
        if id.is_some() && !is_stored {
            sandbox = None;
        }
        run.is_done();
        let answer = match recorded {
            Ok(_) if code == Some(ErrorCode::OutputLimitExceeded) => {
                Err(Fault::new(ErrorCode::OutputLimitExceeded, "Execution exceeded configured output/event limits")
                    .with("session_id", self.place.session)
                    .with("execution_id", run.id))
            }
            recorded => recorded.map_err(Fault::from),
        };
        Executed { answer, sandbox, is_stored }
    }

    /// One more turn of a run that waits, once there is something to go on with; before that the checkpoint that its script
    /// asked for. None if a guest's thread panicked.
    async fn goes_on(&self, run: &Arc<LiveRun>, mut waiting: Waiting) -> Option<First> {
        if waiting.sandbox().wants_checkpoint() {
            (waiting, _) = self.checkpoint(waiting, Some(run.id)).await?;
        }
        waiting.ready().await;
        let (run, keep) = (Arc::clone(run), self.place.keep);
        self.engine.call(move || reached(&run, waiting.resume(), keep)).await
    }

    /// Records the end of an execution and of its session, in that order and usually in one commit.
    async fn crashed(&self, end: FinishedExecution, log: Arc<EventLog>) -> Result<Execution, store::Error> {
        let why = end.error.as_ref().map_or_else(String::new, |error| error.message.clone());
        let ended = self.record(end, log, None);
        let crashed = self.store.session_crashed(self.tenant, self.place.session, clock::now(), why);
        let (ended, crashed) = tokio::join!(ended, crashed);
        match crashed {
            // A close came first.
            Err(store::Error::Gone) | Ok(()) => ended,
            Err(error) => Err(error),
        }
    }

    /// Writes an execution's end, its events and the heap that it left. When the disk does not take them, it is asked again,
    /// and then for an end without what the script said: it may be full of just that. What can't be recorded for
    /// [`RECORD_TIME`], the next start of a server settles.
    async fn record(
        &self,
        end: FinishedExecution,
        log: Arc<EventLog>,
        heap: Option<NewCheckpoint>,
    ) -> Result<Execution, store::Error> {
        let write = |end: &FinishedExecution, log: &Arc<EventLog>, heap| {
            self.store.execution_ends(self.tenant, end.clone(), Arc::clone(log), heap)
        };
        let first = match write(&end, &log, heap.clone()).await {
            // Stopped: another change of the transaction failed before this one had its turn.
            Err(error @ (store::Error::Sqlite(_) | store::Error::Stopped)) => error,
            recorded => return recorded,
        };
        tracing::error!(execution = %end.id, error = %first, "the end of an execution could not be recorded");
        tokio::time::sleep(RECORD_AGAIN).await;
        let is_durable = heap.is_some();
        // It may have been a neighbour in the same transaction that did not fit.
        if let Ok(row) = write(&end, &log, heap).await {
            return Ok(row);
        }
        let lost = if is_durable { ROLLED_BACK } else { "" };
        let error = exception(ErrorCode::Internal, &format!("The end of this execution could not be recorded{lost}"));
        let bare = FinishedExecution { status: ExecutionStatus::Error, result: None, error: Some(error), ..end };
        again(|| write(&bare, &Arc::default(), None)).await?;
        Err(first)
    }

    /// Records that an accepted execution never ran.
    pub(crate) async fn never_ran(&self, run: &LiveRun, why: &Fault) {
        let status = match why.code {
            ErrorCode::Cancelled => ExecutionStatus::Cancelled,
            _ => ExecutionStatus::Error,
        };
        let end = run.ended(status, why.code, &why.message);
        match self.record(end, Arc::new(run.take_log()), None).await {
            // The session crashed, and ended it with everything else.
            Ok(_) | Err(store::Error::Gone) => {}
            Err(error) => tracing::error!(execution = %run.id, %error, "a cancelled execution was not recorded"),
        }
        run.is_done();
    }
}

/// On a guest's thread: everything from the first event to the encoded result, unless it has to wait.
fn on_thread(sandbox: Sandbox, run: &Arc<LiveRun>, prepared: &Prepared, keep: Keep) -> First {
    let name = match &prepared.what {
        What::Repl { input, typescript } => {
            run.push(&Payload::InputEcho { text: input.clone() });
            if *typescript { "<repl>.ts" } else { "<repl>" }
        }
        What::File { path, .. } | What::Startup { path, .. } => path,
    };
    for payload in &prepared.backlog {
        run.push(payload);
    }
    let events = {
        let run = Arc::clone(run);
        Box::new(move |event| run.push(&payload(event)))
    };
    let Prepared { source, mode, prologue, .. } = prepared;
    let script = Script { prologue, source, name, mode: *mode };
    reached(run, sandbox.run(script, &run.stop, events), keep)
}

fn reached(run: &LiveRun, turn: Turn, keep: Keep) -> First {
    match turn {
        Turn::Done(ran) => First::Finished(Box::new(conclude(run, *ran, keep))),
        Turn::Waiting(waiting) => First::Waiting(waiting),
    }
}

/// An event as it is kept.
pub(crate) fn payload(event: Event) -> Payload {
    match event {
        Event::Console(level, text) => Payload::Console { level, text },
        Event::HostCall(call) => Payload::HostCall(call),
    }
}

/// From the end of a run to its row and its heap.
fn conclude(run: &LiveRun, ran: Ran, keep: Keep) -> Finished {
    let Ran { outcome, metrics, mut sandbox } = ran;
    let ended_at = clock::now();
    let (status, result, error) = match outcome {
        Outcome::Value(value) => {
            let result = serde_json::value::to_raw_value(&value).ok();
            run.push(&Payload::Value(value));
            (ExecutionStatus::Ok, result, None)
        }
        Outcome::Exception(mut exception) => {
            if sandbox.is_none() && keep.is_durable() {
                exception.message.push_str(ROLLED_BACK);
            }
            run.push(&Payload::Exception(exception.clone()));
            (status_of(&exception), None, Some(exception))
        }
    };
    let metrics = metrics_json(&metrics);
    let end = FinishedExecution { id: run.id, status, ended_at, result, error, metrics };
    let heap = sandbox.as_mut().filter(|_| keep.durability == Durability::Every).map(|heap| keep.snapshot(heap));
    match heap.transpose() {
        Ok(heap) => {
            let execution = Some(run.id);
            Finished { sandbox, end, heap: heap.map(|heap| NewCheckpoint { execution, ..heap }) }
        }
        // What can't be stored has not been done: the session goes back to what is.
        Err(error) => {
            tracing::error!(execution = %run.id, %error, "a heap could not be stored");
            let end = run.ended(ExecutionStatus::Error, ErrorCode::Internal, "The heap could not be stored");
            Finished { sandbox: None, end, heap: None }
        }
    }
}

fn status_of(exception: &Exception) -> ExecutionStatus {
    match exception.code {
        Some(ErrorCode::CpuLimitExceeded | ErrorCode::WallLimitExceeded) => ExecutionStatus::Timeout,
        Some(ErrorCode::Cancelled) => ExecutionStatus::Cancelled,
        _ => ExecutionStatus::Error,
    }
}

fn metrics_json(metrics: &Metrics) -> Box<RawValue> {
    serde_json::value::to_raw_value(metrics).unwrap_or_else(|_| RawValue::NULL.to_owned())
}
