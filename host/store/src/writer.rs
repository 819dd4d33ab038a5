//! The one thread that writes, with group commit.
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::{Error, OpenError};

/// Jobs of one transaction at most; the rest share the next one.
const BATCH_MAX: usize = 256;
/// Jobs that may wait. More callers wait for room, which costs the server memory of theirs only.
const QUEUE_MAX: usize = 4_096;
/// How long a job that nobody waits for may wait for company.
const IDLE_COMMIT: Duration = Duration::from_millis(20);
/// Pages that nothing lies on and that stay in the file, for what is written next.
const FREE_PAGES_KEPT: i64 = 512;
/// Pages that are given back at once, a megabyte: some milliseconds for whoever comes meanwhile.
const FREED_AT_ONCE: i64 = 256;
/// How often that is looked at.
const FREED_EVERY: Duration = Duration::from_secs(1);

/// How soon the next few of many things that are to be cleared away go.
const TIDIED_EVERY: Duration = Duration::from_millis(20);

/// Clears away a little of what nobody needs any more, when nobody waits; whether there is more.
pub(crate) type Tidy = fn(&Connection) -> Result<bool, Error>;

/// What `auto_vacuum` says of a file that can shrink.
const INCREMENTAL: i64 = 2;

type Work = Box<dyn FnOnce(&Connection) -> Deliver + Send>;
/// Tells the caller, once the transaction is committed or has failed.
type Deliver = Box<dyn FnOnce(Result<(), Error>) + Send>;

struct Job {
    work: Work,
    /// Someone waits for the commit.
    urgent: bool,
    _permit: OwnedSemaphorePermit,
}

/// The handle to the writing thread.
pub(crate) struct Writer {
    // None only while dropping.
    jobs: Option<Sender<Job>>,
    room: Arc<Semaphore>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(crate) fn start(connection: Connection, tidy: Tidy) -> Result<Self, OpenError> {
        let (jobs, queue) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || serve(connection, tidy, &queue))
            .map_err(OpenError::Thread)?;
        Ok(Writer { jobs: Some(jobs), room: Arc::new(Semaphore::new(QUEUE_MAX)), thread: Some(thread) })
    }

    /// Runs `change` in the next transaction and answers once that is on the disk. An error undoes this change only.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.write_and(change, || ()).await
    }

    /// The same, with something that is done between the commit and the answer, on the writing thread: also when it
    /// failed, and when the caller went away.
    pub(crate) async fn write_and<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
        after: impl FnOnce() + Send + 'static,
    ) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        let work = move |connection: &Connection| -> Deliver {
            let outcome = in_savepoint(connection, change);
            Box::new(move |committed| {
                after();
                // A caller that went away has no use for the answer.
                let _ = answer.send(committed.and(outcome));
            })
        };
        self.push(Box::new(work), true).await?;
        answered.await.unwrap_or(Err(Error::Stopped))
    }

    /// Has `change` run in the next transaction, before any later write, without waiting for it. It is committed
    /// together with the next write that someone waits for, or after [`IDLE_COMMIT`]. An error is logged.
    pub(crate) async fn queue(
        &self,
        what: &'static str,
        change: impl FnOnce(&Connection) -> Result<(), Error> + Send + 'static,
    ) -> Result<(), Error> {
        let work = move |connection: &Connection| -> Deliver {
            let outcome = in_savepoint(connection, change);
            Box::new(move |committed| {
                if let Err(error) = committed.and(outcome) {
                    tracing::error!(%error, what, "a queued change was lost");
                }
            })
        };
        self.push(Box::new(work), false).await
    }

    async fn push(&self, work: Work, urgent: bool) -> Result<(), Error> {
        let permit = Arc::clone(&self.room).acquire_owned().await.map_err(|_| Error::Stopped)?;
        let jobs = self.jobs.as_ref().ok_or(Error::Stopped)?;
        jobs.send(Job { work, urgent, _permit: permit }).map_err(|_| Error::Stopped)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Ends when the handle is gone and everything queued is committed.
fn serve(mut connection: Connection, tidy: Tidy, queue: &Receiver<Job>) {
    let mut batch: Vec<Job> = Vec::new();
    let mut due: Option<Instant> = None;
    // When it is looked for what can go, and for pages to give back: some time after a commit, once nothing is queued.
    let shrinks = pragma(&connection, "auto_vacuum").is_ok_and(|mode| mode == INCREMENTAL);
    let mut tidy_at = Some(Instant::now() + FREED_EVERY);
    loop {
        let next = match due.or(tidy_at) {
            None => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(until) => queue.recv_timeout(until.saturating_duration_since(Instant::now())),
        };
        match next {
            Ok(job) => {
                let urgent = job.urgent;
                batch.push(job);
                if !urgent && batch.len() < BATCH_MAX {
                    due.get_or_insert_with(|| Instant::now() + IDLE_COMMIT);
                    continue;
                }
                while batch.len() < BATCH_MAX
                    && let Ok(job) = queue.try_recv()
                {
                    batch.push(job);
                }
            }
            Err(RecvTimeoutError::Timeout) if batch.is_empty() => {
                let tidied = tidy(&connection).unwrap_or_else(|error| {
                    tracing::warn!(%error, "cannot clear away what nobody needs");
                    false
                });
                let shrunk = || {
                    shrink(&connection).unwrap_or_else(|error| {
                        tracing::warn!(%error, "cannot give the database's free pages back");
                        false
                    })
                };
                tidy_at = match tidied {
                    true => Some(Instant::now() + TIDIED_EVERY),
                    false => (shrinks && shrunk()).then(|| Instant::now() + FREED_EVERY),
                };
                continue;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) if batch.is_empty() => break,
            Err(RecvTimeoutError::Disconnected) => {}
        }
        commit(&mut connection, batch.drain(..));
        due = None;
        tidy_at.get_or_insert_with(|| Instant::now() + FREED_EVERY);
    }
    // Statistics for the planner; nothing is lost without them.
    if let Err(error) = connection.execute_batch("PRAGMA optimize") {
        tracing::debug!(%error, "PRAGMA optimize");
    }
}

/// Takes a few of the pages that nothing lies on off the file's end; whether there are more.
fn shrink(connection: &Connection) -> rusqlite::Result<bool> {
    let free = pragma(connection, "freelist_count")? - FREE_PAGES_KEPT;
    if free > 0 {
        let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({})", free.min(FREED_AT_ONCE)))?;
        let mut rows = statement.query([])?;
        // A page a step.
        while rows.next()?.is_some() {}
    }
    Ok(free > FREED_AT_ONCE)
}

fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

fn commit(connection: &mut Connection, batch: impl Iterator<Item = Job>) {
    let transaction = match connection.transaction_with_behavior(TransactionBehavior::Immediate) {
        Ok(transaction) => transaction,
        Err(error) => {
            tracing::error!(%error, "cannot begin a transaction");
            // Nothing may run outside of one. Dropping the jobs drops the callers' channels, which reads as `Stopped`.
            batch.for_each(drop);
            return;
        }
    };
    // A full disk makes SQLite roll back by itself; what would come after that is not run, and reads as `Stopped`.
    let answers: Vec<Deliver> =
        batch.filter(|_| !transaction.is_autocommit()).map(|job| (job.work)(&transaction)).collect();
    let committed = transaction.commit().map_err(Error::from);
    if let Err(error) = &committed {
        tracing::error!(%error, "a transaction failed");
    }
    for deliver in answers {
        deliver(committed.clone());
    }
}

/// Runs one change so that its error, or its panic, undoes it alone and not its neighbours in the transaction.
fn in_savepoint<T>(connection: &Connection, change: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
    connection.prepare_cached("SAVEPOINT job")?.execute([])?;
    let outcome = catch_unwind(AssertUnwindSafe(|| change(connection))).unwrap_or_else(|_| {
        tracing::error!("a change panicked");
        Err(Error::Stopped)
    });
    if outcome.is_err() {
        connection.prepare_cached("ROLLBACK TO job")?.execute([])?;
    }
    connection.prepare_cached("RELEASE job")?.execute([])?;
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch() -> (tempfile::TempDir, Writer, Connection) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("test.db");
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (n INTEGER UNIQUE)").unwrap();
        (dir, Writer::start(connection, |_| Ok(false)).unwrap(), Connection::open(&path).unwrap())
    }

    fn insert(n: i64) -> impl FnOnce(&Connection) -> Result<(), Error> + Send + 'static {
        move |c| Ok(c.execute("INSERT INTO t VALUES (?1)", [n]).map(drop)?)
    }

    fn count(connection: &Connection) -> i64 {
        connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap()
    }

    /// Commits that a second connection sees: its `data_version` changes once for each it looks between.
    #[tokio::test]
    async fn those_who_come_together_share_a_commit() {
        let (_dir, writer, reader) = scratch();
        // The first holds the thread while the others queue up behind it.
        let (go, wait) = mpsc::channel::<()>();
        let held = writer.write(move |c| {
            let _ = wait.recv();
            insert(0)(c)
        });
        let others: Vec<_> = (1..=50).map(|n| writer.write(move |c| insert(n)(c).map(|()| depth(c)))).collect();
        let release = async {
            tokio::task::yield_now().await;
            go.send(()).unwrap();
        };
        let (first, answers, ()) = tokio::join!(held, join_all(others), release);
        first.unwrap();
        assert_eq!(count(&reader), 51);
        // Each saw the rows of all before it in the same, still uncommitted transaction.
        let answers: Vec<i64> = answers.into_iter().map(Result::unwrap).collect();
        assert_eq!(answers, (2..=51).collect::<Vec<_>>());
    }

    fn depth(connection: &Connection) -> i64 {
        count(connection)
    }

    async fn join_all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
        let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
        let mut outputs: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
        std::future::poll_fn(|cx| {
            for (future, output) in futures.iter_mut().zip(&mut outputs) {
                if output.is_none()
                    && let std::task::Poll::Ready(value) = future.as_mut().poll(cx)
                {
                    *output = Some(value);
                }
            }
            if outputs.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
        outputs.into_iter().flatten().collect()
    }

    #[tokio::test]
    async fn a_failure_or_a_panic_undoes_only_itself() {
        let (_dir, writer, reader) = scratch();
        writer.write(insert(1)).await.unwrap();
        let bad = writer.write(|c| {
            insert(2)(c)?;
            insert(1)(c)
        });
        let worse = writer.write(|c| -> Result<(), Error> {
            insert(3)(c)?;
            panic!("as the test wants");
        });
        let good = writer.write(insert(4));
        let (bad, worse, good) = tokio::join!(bad, worse, good);
        assert!(matches!(bad, Err(Error::Sqlite(_))), "{bad:?}");
        assert!(matches!(worse, Err(Error::Stopped)), "{worse:?}");
        good.unwrap();
        assert_eq!(count(&reader), 2);
    }

    #[tokio::test]
    async fn what_is_queued_is_committed_with_the_next_write_or_by_itself_or_at_the_end() {
        let (_dir, writer, reader) = scratch();
        writer.queue("test", insert(1)).await.unwrap();
        let seen = writer.write(|c| Ok(count(c))).await.unwrap();
        assert_eq!(seen, 1);
        writer.queue("test", insert(2)).await.unwrap();
        let started = Instant::now();
        while count(&reader) < 2 {
            assert!(started.elapsed() < Duration::from_secs(10));
            std::thread::sleep(Duration::from_millis(1));
        }
        writer.queue("test", insert(3)).await.unwrap();
        drop(writer);
        assert_eq!(count(&reader), 3);
    }

    #[tokio::test]
    async fn what_is_deleted_leaves_the_file_in_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("test.db");
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL").unwrap();
        connection.execute_batch("CREATE TABLE t (n INTEGER, filler BLOB)").unwrap();
        let writer = Writer::start(connection, |_| Ok(false)).unwrap();
        let reader = Connection::open(&path).unwrap();
        let pages = || pragma(&reader, "page_count").unwrap();
        let fill = |c: &Connection| {
            for n in 0..FREE_PAGES_KEPT + FREED_AT_ONCE + 100 {
                c.execute("INSERT INTO t VALUES (?1, zeroblob(4000))", [n])?;
            }
            Ok(())
        };
        writer.write(fill).await.unwrap();
        let full = pages();
        writer.write(|c| Ok(c.execute("DELETE FROM t", []).map(drop)?)).await.unwrap();
        assert_eq!(pages(), full);
        let started = Instant::now();
        while pragma(&reader, "freelist_count").unwrap() > FREE_PAGES_KEPT {
            assert!(started.elapsed() < Duration::from_secs(30));
            std::thread::sleep(Duration::from_millis(10));
        }
        // In more than one go, and not to the last page.
        assert!(started.elapsed() > FREED_EVERY);
        assert!(pages() < full - FREED_AT_ONCE && pages() > FREE_PAGES_KEPT, "{full} -> {}", pages());
        writer.write(|c| Ok(c.execute("INSERT INTO t VALUES (1, NULL)", []).map(drop)?)).await.unwrap();
        drop(writer);
    }
}
