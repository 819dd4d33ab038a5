//! A live session: one task that owns one sandbox, and the cheap handle to it.
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::{
    ErrorCode, Exception, Execution, ExecutionId, ExecutionKind, ExecutionStatus, Payload, Session as Row, SessionId,
    TenantId,
};
use sandbox::{Engine, Metrics, Mode, Outcome, Ran, Sandbox, Script, Stop};
use serde_json::value::RawValue;
use store::{EventLog, FinishedExecution, NewExecution, Store};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use uuid::Uuid;

use crate::clock;
use crate::fault::Fault;
use crate::registry::Live;

/// A handle; clones speak to the same task.
#[derive(Clone)]
pub struct Session {
    id: SessionId,
    mailbox: mpsc::Sender<Command>,
    /// One permit: who has it may send one command. So the mailbox never holds more than one, and "busy" is known
    /// without asking the task.
    turn: Arc<Semaphore>,
    running: Arc<Mutex<Running>>,
}

/// What `close` and `cancel` need to know of the current run.
#[derive(Default)]
struct Running {
    stop: Stop,
    closing: bool,
}

/// Source to run.
pub struct Request {
    /// It.
    pub input: String,
}

enum Command {
    Run { request: Request, stop: Stop, turn: OwnedSemaphorePermit, answer: oneshot::Sender<Result<Execution, Fault>> },
    Close { why: Option<String>, answer: oneshot::Sender<Result<Option<Row>, Fault>> },
}

impl Session {
    /// Starts the task. `room` is given back once the heap is gone.
    pub(crate) fn start(
        tenant: TenantId,
        id: SessionId,
        sandbox: Sandbox,
        engine: Engine,
        store: Store,
        live: Live,
        room: OwnedSemaphorePermit,
    ) -> Session {
        let (mailbox, commands) = mpsc::channel(1);
        let task = Task { tenant, id, engine, store: store.clone(), live: live.clone() };
        let served = tokio::spawn(task.serve(sandbox, commands, room));
        tokio::spawn(async move {
            // Should the task itself panic, its session is gone and whatever it ran is over.
            if let Err(panic) = served.await {
                tracing::error!(session = %id, %panic, "a session's task died");
                live.remove(id);
                let why = "the session's task died".to_owned();
                if let Err(error) = store.session_crashed(tenant, id, clock::now(), why).await {
                    tracing::error!(session = %id, %error, "a dead session was not recorded");
                }
            }
        });
        Session { id, mailbox, turn: Arc::new(Semaphore::new(1)), running: Arc::default() }
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a piece of source and answers once its end is on the disk. Busy is an answer at once, without a row. The
    /// run goes on to its end even if the caller loses interest.
    pub async fn run(&self, request: Request) -> Result<Execution, Fault> {
        let busy = || Fault::new(ErrorCode::SessionBusy, "Session is busy").with("session_id", self.id);
        let turn = Arc::clone(&self.turn).try_acquire_owned().map_err(|_| busy())?;
        let stop = Stop::default();
        {
            let mut running = self.running();
            if running.closing {
                return Err(Fault::session_not_ready(self.id));
            }
            running.stop = stop.clone();
        }
        let (answer, answered) = oneshot::channel();
        let command = Command::Run { request, stop, turn, answer };
        // The task has ended: the heap is gone.
        self.mailbox.try_send(command).map_err(|_| Fault::session_not_ready(self.id))?;
        answered.await.unwrap_or_else(|_| Err(Fault::internal("the session's task gave no answer")))
    }

    /// Stops the current run, if there is one.
    pub fn cancel(&self) {
        self.running().stop.cancel();
    }

    /// Cancels what runs, waits for its end to be recorded, drops the heap and closes the row, with a reason where it
    /// was not a client's wish. None when the row was final already.
    pub async fn close(&self, why: Option<String>) -> Result<Option<Row>, Fault> {
        {
            let mut running = self.running();
            running.closing = true;
            running.stop.cancel();
        }
        // Never given back: nothing comes after a close.
        let turn = Arc::clone(&self.turn).acquire_owned().await.map_err(Fault::internal)?;
        turn.forget();
        let (answer, answered) = oneshot::channel();
        if self.mailbox.send(Command::Close { why, answer }).await.is_err() {
            return Ok(None);
        }
        answered.await.unwrap_or_else(|_| Err(Fault::internal("the session's task gave no answer")))
    }
}

struct Task {
    tenant: TenantId,
    id: SessionId,
    engine: Engine,
    store: Store,
    live: Live,
}

/// What comes back from the guest's thread.
struct Finished {
    sandbox: Option<Sandbox>,
    end: FinishedExecution,
}

impl Task {
    async fn serve(self, sandbox: Sandbox, mut commands: mpsc::Receiver<Command>, room: OwnedSemaphorePermit) {
        let mut sandbox = Some(sandbox);
        while let Some(heap) = sandbox.take() {
            match commands.recv().await {
                None => sandbox_dropped(heap).await,
                Some(Command::Close { why, answer }) => {
                    sandbox_dropped(heap).await;
                    let closed = self.store.session_closed(self.tenant, self.id, clock::now(), why).await;
                    drop(room);
                    let _ = answer.send(closed.map_err(Fault::from));
                    return;
                }
                Some(Command::Run { request, stop, turn, answer }) => {
                    let (executed, still) = self.execute(heap, request, stop).await;
                    sandbox = still;
                    if sandbox.is_none() {
                        // The heap is gone: whoever comes next finds nobody here, and is not kept waiting.
                        commands.close();
                    }
                    // Before the answer: who has it may send the next command at once.
                    drop(turn);
                    let _ = answer.send(executed);
                }
            }
        }
    }

    /// Runs one request to its final row. Gives the sandbox back unless it trapped; then the session is off the map
    /// and its row says `crashed` before anyone is answered.
    async fn execute(
        &self,
        sandbox: Sandbox,
        request: Request,
        stop: Stop,
    ) -> (Result<Execution, Fault>, Option<Sandbox>) {
        let id = ExecutionId::from(Uuid::now_v7());
        let (array, object) = match (raw("[]"), raw("{}")) {
            (Ok(array), Ok(object)) => (array, object),
            (Err(fault), _) | (_, Err(fault)) => return (Err(fault), Some(sandbox)),
        };
        let new = NewExecution {
            id,
            session: self.id,
            kind: ExecutionKind::Repl,
            input: Some(request.input.clone()),
            path: None,
            args: array,
            env: object.clone(),
            started_at: clock::now(),
        };
        if let Err(error) = self.store.execution_starts(self.tenant, new).await {
            return (Err(error.into()), Some(sandbox));
        }
        // Shared with the guest's thread, so that a panic there does not take along what was printed before.
        let log = Arc::new(Mutex::new(EventLog::default()));
        let (send, finished) = oneshot::channel();
        self.engine.spawn({
            let log = Arc::clone(&log);
            move || {
                // Nobody listens only if the process is going down.
                let _ = send.send(run(sandbox, id, request, &stop, &log));
            }
        });
        let Finished { sandbox, end } =
            finished.await.unwrap_or_else(|_| Finished { sandbox: None, end: died(id, object, &log) });
        let log = std::mem::take(&mut *lock(&log));
        let code = end.error.as_ref().and_then(|error| error.code);
        let executed = match &sandbox {
            Some(_) => self.store.execution_ends(self.tenant, end, log).await,
            None => self.crashed(end, log).await,
        };
        let executed = match executed {
            Ok(_) if code == Some(ErrorCode::OutputLimitExceeded) => {
                Err(Fault::new(ErrorCode::OutputLimitExceeded, "Execution exceeded configured output/event limits")
                    .with("session_id", self.id)
                    .with("execution_id", id))
            }
            executed => executed.map_err(Fault::from),
        };
        (executed, sandbox)
    }

    /// Records the end of an execution and of its session, in that order and usually in one commit.
    async fn crashed(&self, end: FinishedExecution, log: EventLog) -> Result<Execution, store::Error> {
        self.live.remove(self.id);
        let why = end.error.as_ref().map_or_else(String::new, |error| error.message.clone());
        let ended = self.store.execution_ends(self.tenant, end, log);
        let crashed = self.store.session_crashed(self.tenant, self.id, clock::now(), why);
        let (ended, crashed) = tokio::join!(ended, crashed);
        match crashed {
            // A close came first.
            Err(store::Error::Gone) | Ok(()) => ended,
            Err(error) => Err(error),
        }
    }
}

/// Giving a heap back to the pool clears pages: not on an I/O thread.
async fn sandbox_dropped(sandbox: Sandbox) {
    let _ = tokio::task::spawn_blocking(move || drop(sandbox)).await;
}

/// On a guest's thread: everything from the first event to the encoded result.
fn run(sandbox: Sandbox, id: ExecutionId, request: Request, stop: &Stop, log: &Arc<Mutex<EventLog>>) -> Finished {
    let source = request.input;
    lock(log).push(clock::now(), &Payload::InputEcho { text: source.clone() });
    let console = {
        let log = Arc::clone(log);
        Box::new(move |level, text| lock(&log).push(clock::now(), &Payload::Console { level, text }))
    };
    let script = Script { source: &source, name: "<repl>", mode: Mode::Script };
    let Ran { outcome, metrics, sandbox } = sandbox.run(script, stop, console);
    let ended_at = clock::now();
    let (status, result, error) = match outcome {
        Outcome::Value(value) => {
            let result = serde_json::value::to_raw_value(&value).ok();
            lock(log).push(ended_at, &Payload::Value(value));
            (ExecutionStatus::Ok, result, None)
        }
        Outcome::Exception(exception) => {
            lock(log).push(ended_at, &Payload::Exception(exception.clone()));
            (status_of(&exception), None, Some(exception))
        }
    };
    let metrics = metrics_json(&metrics);
    Finished { sandbox, end: FinishedExecution { id, status, ended_at, result, error, metrics } }
}

fn status_of(exception: &Exception) -> ExecutionStatus {
    match exception.code {
        Some(ErrorCode::CpuLimitExceeded | ErrorCode::WallLimitExceeded) => ExecutionStatus::Timeout,
        Some(ErrorCode::Cancelled) => ExecutionStatus::Cancelled,
        _ => ExecutionStatus::Error,
    }
}

/// The end of an execution whose thread panicked.
fn died(id: ExecutionId, metrics: Box<RawValue>, log: &Mutex<EventLog>) -> FinishedExecution {
    let exception = Exception {
        message: "The sandbox crashed and its heap is gone".to_owned(),
        stack: None,
        line: None,
        column: None,
        code: Some(ErrorCode::SessionCrashed),
    };
    let ended_at = clock::now();
    lock(log).push(ended_at, &Payload::Exception(exception.clone()));
    let status = ExecutionStatus::Error;
    FinishedExecution { id, status, ended_at, result: None, error: Some(exception), metrics }
}

fn metrics_json(metrics: &Metrics) -> Box<RawValue> {
    serde_json::value::to_raw_value(metrics).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

fn raw(json: &str) -> Result<Box<RawValue>, Fault> {
    RawValue::from_string(json.to_owned()).map_err(Fault::internal)
}

fn lock(log: &Mutex<EventLog>) -> MutexGuard<'_, EventLog> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}
