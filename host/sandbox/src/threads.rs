//! The threads that guests run on. They have large stacks, since a guest's recursion is bounded by the engine's stack
//! limit and not by the thread's, and they are not tokio's, since a guest computes for as long as its limits allow.
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

/// Wasm may use this much native stack ([`wasmtime::Config::max_wasm_stack`]): with the JavaScript limit below it is
/// good for more than 5,000 frames of plain recursion.
pub(crate) const WASM_STACK_BYTES: usize = 32 << 20;
/// The stack limit that QuickJS checks itself, on its stack in linear memory.
pub(crate) const JS_STACK_BYTES: u32 = 1_536 << 10;
/// The stack in linear memory; more than the limit above, since host calls and rendering need some as well.
pub(crate) const SHADOW_STACK_BYTES: u32 = 4 << 20;
/// Host functions run on top of the Wasm stack.
const THREAD_STACK_BYTES: usize = WASM_STACK_BYTES + (4 << 20);

type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    closed: bool,
}

struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
}

/// A fixed set of threads and the jobs that wait for one. Dropping it lets queued jobs finish and joins the threads.
pub(crate) struct Threads {
    shared: Arc<Shared>,
    handles: Vec<JoinHandle<()>>,
}

impl Threads {
    pub(crate) fn start(count: usize) -> io::Result<Self> {
        let shared = Arc::new(Shared { queue: Mutex::default(), wake: Condvar::new() });
        let mut handles = Vec::with_capacity(count);
        for index in 0..count.max(1) {
            let shared = shared.clone();
            handles.push(guest_thread(format!("guest-{index}")).spawn(move || work(&shared))?);
        }
        Ok(Threads { shared, handles })
    }

    pub(crate) fn spawn(&self, job: Job) {
        self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner).jobs.push_back(job);
        self.shared.wake.notify_one();
    }
}

/// A thread that may run a guest.
pub(crate) fn guest_thread(name: String) -> Builder {
    Builder::new().name(name).stack_size(THREAD_STACK_BYTES)
}

fn work(shared: &Shared) {
    loop {
        let job = {
            let mut queue = shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
            loop {
                if let Some(job) = queue.jobs.pop_front() {
                    break job;
                }
                if queue.closed {
                    return;
                }
                queue = shared.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
        };
        // A job that panics must not take its thread along. Its owner notices by the answer that never comes.
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(job)).is_err() {
            tracing::error!("a guest job panicked");
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.shared.wake.notify_all();
        let me = std::thread::current().id();
        for handle in self.handles.drain(..) {
            // The last owner may be a job of ours: a thread can't join itself.
            if handle.thread().id() != me {
                let _ = handle.join();
            }
        }
    }
}
