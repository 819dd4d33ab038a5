//! Calls of one database, in their order: what was asked for first is done first, whichever thread does it.
//!
//! An asynchronous call leaves a job; one thread at a time does jobs. A synchronous call does what is queued before it
//! and then its own work, so that a script's calls take effect in the order in which it made them.
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::live::Live;
use super::operation::Deadline;
use super::saved::{Content, Facts, Saved};
use crate::modules::{Answer, Failure};

/// The flag: on another thread than the run's.
type Job = Box<dyn FnOnce(&mut Live, bool) + Send>;

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    /// Somebody is doing them.
    served: bool,
}

/// One open database and what is to be done with it.
pub(super) struct Database {
    // Taken in this order.
    live: Mutex<Live>,
    queue: Mutex<Queue>,
    facts: Arc<Mutex<Facts>>,
    in_memory: bool,
}

/// Tells the job that nobody waits for it any more.
struct Asked(Arc<AtomicBool>);

impl Drop for Asked {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Database {
    pub(super) fn new(live: Live) -> Arc<Database> {
        let (facts, in_memory) = (live.facts(), live.is_in_memory());
        Arc::new(Database { live: Mutex::new(live), queue: Mutex::default(), facts, in_memory })
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does `work` now, on this thread, after what was asked for before.
    pub(super) fn now<T>(&self, deadline: &Deadline, work: impl FnOnce(&mut Live) -> Answer<T>) -> Answer<T> {
        let mut live = self.live();
        loop {
            let job = self.queue().jobs.pop_front();
            match job {
                Some(job) => job(&mut live, false),
                None => break,
            }
        }
        live.with(deadline, work)
    }

    /// Has `work` done on another thread.
    pub(super) fn later<T, W>(
        self: &Arc<Self>,
        deadline: Deadline,
        work: W,
    ) -> impl Future<Output = Answer<T>> + Send + use<T, W>
    where
        T: Send + 'static,
        W: FnOnce(&mut Live) -> Answer<T> + Send + 'static,
    {
        let (send, receive) = oneshot::channel();
        let asked = Asked(Arc::clone(&deadline.dropped));
        self.queue().jobs.push_back(Box::new(move |live, elsewhere| {
            if !deadline.dropped.load(Ordering::Relaxed) {
                let answer = if elsewhere { live.with_elsewhere(&deadline, work) } else { live.with(&deadline, work) };
                drop(send.send(answer));
            }
        }));
        let database = Arc::clone(self);
        async move {
            let _asked = asked;
            database.serve();
            receive.await.unwrap_or_else(|_| Err(Failure::new("SQLITE_INTERRUPT", "the database was closed")))
        }
    }

    /// Sees to it that somebody does the jobs.
    fn serve(self: &Arc<Self>) {
        let mut queue = self.queue();
        if queue.served || queue.jobs.is_empty() {
            return;
        }
        queue.served = true;
        drop(queue);
        let database = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            loop {
                let mut live = database.live();
                let mut queue = database.queue();
                let Some(job) = queue.jobs.pop_front() else {
                    queue.served = false;
                    break;
                };
                drop(queue);
                if catch_unwind(AssertUnwindSafe(|| job(&mut live, true))).is_err() {
                    tracing::error!("a call of a guest's database panicked");
                }
            }
        });
    }

    /// What is half done is undone: its run was stopped.
    pub(super) fn undo(&self) {
        self.queue().jobs.clear();
        self.live().undo();
    }

    /// Closes it, after what was asked for before.
    pub(super) fn close(&self, deadline: &Deadline) {
        drop(self.now(deadline, |_| Ok(())));
        self.live().close();
    }

    pub(super) fn pins(&self, left: &mut usize) -> Option<&'static str> {
        let busy = Some("a call of a database is under way");
        let pins = self.live.try_lock().map_or(busy, |live| live.pins(left));
        if self.queue().jobs.is_empty() { pins } else { busy }
    }

    /// What a snapshot has of it. While a call is under way it is what was before that call; what a database in memory has
    /// in it can't be told then.
    pub(super) fn save(&self, dsn: &str) -> Saved {
        let content = match self.live.try_lock() {
            Ok(mut live) => live.content(),
            Err(_) if self.in_memory => Content::Lost,
            Err(_) => Content::File,
        };
        let facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Saved { dsn: dsn.to_owned(), content, facts }
    }
}
