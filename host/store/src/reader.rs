//! A few threads that read, each with its own connection.
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{Semaphore, oneshot};

use crate::{Error, OpenError};

/// Reads that may wait; more callers wait for room.
const QUEUE_MAX: usize = 4_096;

type Job = Box<dyn FnOnce(&Connection) + Send>;

/// The handle to the reading threads.
pub(crate) struct Readers {
    // None only while dropping.
    jobs: Option<Sender<Job>>,
    room: Arc<Semaphore>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    pub(crate) fn start(connections: Vec<Connection>) -> Result<Self, OpenError> {
        let (jobs, queue) = mpsc::channel();
        let queue = Arc::new(Mutex::new(queue));
        let start = |(number, connection): (usize, Connection)| {
            let queue = Arc::clone(&queue);
            std::thread::Builder::new()
                .name(format!("store-reader-{number}"))
                .spawn(move || serve(&connection, &queue))
                .map_err(OpenError::Thread)
        };
        let threads = connections.into_iter().enumerate().map(start).collect::<Result<_, _>>()?;
        Ok(Readers { jobs: Some(jobs), room: Arc::new(Semaphore::new(QUEUE_MAX)), threads })
    }

    /// Answers from what is committed: everything that was acknowledged before the call is seen.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let permit = Arc::clone(&self.room).acquire_owned().await.map_err(|_| Error::Stopped)?;
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let outcome = catch_unwind(AssertUnwindSafe(|| in_snapshot(connection, query))).unwrap_or_else(|_| {
                tracing::error!("a query panicked");
                Err(Error::Stopped)
            });
            let _ = answer.send(outcome);
            drop(permit);
        });
        self.jobs.as_ref().ok_or(Error::Stopped)?.send(job).map_err(|_| Error::Stopped)?;
        answered.await.unwrap_or(Err(Error::Stopped))
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// All statements of a query see the same state.
fn in_snapshot<T>(connection: &Connection, query: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
    let transaction = connection.unchecked_transaction()?;
    query(&transaction)
}

fn serve(connection: &Connection, queue: &Mutex<Receiver<Job>>) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            Ok(job) => job(connection),
            Err(_) => break,
        }
    }
}
