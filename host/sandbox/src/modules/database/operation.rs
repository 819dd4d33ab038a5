//! What SQLite does for a guest on this thread, right now: whose memory it takes, which file it may touch, and how long.
//!
//! SQLite's allocator, file system and handlers are given no connection, or none that they could trust; they ask here.
//! Where nothing is under way, no file may be touched.
use std::cell::Cell;
use std::ffi::{CStr, CString};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::memory::Account;
use crate::limits::{Stop, thread_cpu};

/// Until when, and at whose pleasure, an operation may go on.
#[derive(Clone, Debug)]
pub(super) struct Deadline {
    pub(super) stop: Stop,
    pub(super) wall_end: Instant,
    /// CPU time that the run had left when the operation was asked for.
    pub(super) cpu_left: Duration,
    /// The run's CPU time on other threads than its own, microseconds, and what it was then.
    pub(super) elsewhere: Arc<AtomicU64>,
    pub(super) elsewhere_then: u64,
    /// Whoever asked for it is gone.
    pub(super) dropped: Arc<AtomicBool>,
}

impl Deadline {
    /// For what has to be undone: nobody stops it, and it is quick.
    pub(super) fn grace() -> Deadline {
        Deadline {
            stop: Stop::default(),
            wall_end: Instant::now() + Duration::from_secs(2),
            cpu_left: Duration::from_secs(2),
            elsewhere: Arc::default(),
            elsewhere_then: 0,
            dropped: Arc::default(),
        }
    }
}

/// One operation.
pub(super) struct Operation {
    account: Arc<Account>,
    /// The database's file as SQLite knows it.
    file: Option<Arc<CString>>,
    deadline: Deadline,
    began: Instant,
    cpu_began: Duration,
}

thread_local! {
    // A plain pointer: it has nothing to drop, so it is there for as long as its thread allocates.
    static CURRENT: Cell<*const Operation> = const { Cell::new(ptr::null()) };
}

/// Ends the operation.
struct Entered(*const Operation);

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}

impl Operation {
    pub(super) fn new(account: &Arc<Account>, file: Option<&Arc<CString>>, deadline: &Deadline) -> Operation {
        Operation {
            account: Arc::clone(account),
            file: file.cloned(),
            deadline: deadline.clone(),
            began: Instant::now(),
            cpu_began: thread_cpu(),
        }
    }

    /// Does `work` as this operation.
    pub(super) fn during<R>(&self, work: impl FnOnce() -> R) -> R {
        let _entered = Entered(CURRENT.replace(self));
        work()
    }

    fn expired(&self) -> bool {
        let Deadline { stop, wall_end, cpu_left, elsewhere, elsewhere_then, dropped } = &self.deadline;
        let now = Instant::now();
        if stop.is_cancelled() || dropped.load(Ordering::Relaxed) || now >= *wall_end {
            return true;
        }
        let others = elsewhere.load(Ordering::Relaxed).saturating_sub(*elsewhere_then);
        let left = cpu_left.saturating_sub(Duration::from_micros(others));
        // As in `Meter::poll`: the second clock is not read before the first one says so.
        now - self.began >= left && thread_cpu().saturating_sub(self.cpu_began) >= left
    }
}

fn current<R>(ask: impl FnOnce(&Operation) -> R) -> Option<R> {
    let operation = CURRENT.get();
    // SAFETY: set by `during` to an operation that it borrows, and reset before that borrow ends; this thread's alone.
    unsafe { operation.as_ref() }.map(ask)
}

/// Who pays for memory. None: not a guest.
pub(super) fn account() -> Option<Arc<Account>> {
    current(|operation| Arc::clone(&operation.account))
}

/// Whether the operation has to end. True where there is none.
pub(super) fn expired() -> bool {
    current(Operation::expired).unwrap_or(true)
}

/// The file that may be touched.
pub(super) fn is_own_file(name: &CStr) -> bool {
    let same = |operation: &Operation| operation.file.as_ref().is_some_and(|file| file.as_c_str() == name);
    current(same).unwrap_or(false)
}

/// Whether `name` is that of the file's rollback journal.
pub(super) fn is_own_journal(name: &CStr) -> bool {
    name.to_bytes().strip_suffix(b"-journal").is_some_and(|stem| {
        let same = |operation: &Operation| operation.file.as_ref().is_some_and(|file| file.as_bytes() == stem);
        current(same).unwrap_or(false)
    })
}
