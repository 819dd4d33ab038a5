//! The job queue, and promises that were rejected and never handled.
use crate::exception::Exception;
use crate::host::{self, Level};
use crate::js::{self, JSContext, Raw, Value};
use crate::{interrupt, tickets};
use core::cell::{Cell, RefCell};
use core::ffi::c_void;
use javy::quickjs::qjs;

/// Unhandled rejections remembered; the ones after that go unreported.
const REJECTIONS_MAX: usize = 100;
/// Jobs between two questions to the host: a queue of native jobs never runs the engine's own handler.
const JOBS_PER_POLL: u32 = 1024;

/// Promises (by identity) with their reasons.
static REJECTIONS: js::SingleThread<RefCell<Vec<(Value, Value)>>> = js::SingleThread(RefCell::new(Vec::new()));
/// Whether there was any: only looking into an empty list would write to a page that a session otherwise shares.
static REJECTED: js::SingleThread<Cell<bool>> = js::SingleThread(Cell::new(false));

pub fn install() {
    // SAFETY: a live runtime and a plain function.
    unsafe { qjs::JS_SetHostPromiseRejectionTracker(js::runtime(), Some(track), core::ptr::null_mut()) };
}

unsafe extern "C" fn track(
    _context: *mut JSContext,
    promise: Raw,
    reason: Raw,
    is_handled: bool,
    _opaque: *mut c_void,
) {
    REJECTED.0.set(true);
    if is_handled {
        forget_rejection(promise);
    } else if REJECTIONS.0.borrow().len() < REJECTIONS_MAX {
        REJECTIONS.0.borrow_mut().push((Value::copy_of(promise), Value::copy_of(reason)));
    }
}

/// Somebody looks after this promise.
pub fn forget_rejection(promise: Raw) {
    if !REJECTED.0.get() {
        return;
    }
    let at = REJECTIONS.0.borrow().iter().rposition(|(other, _)| js::address(other.raw()) == js::address(promise));
    if let Some(at) = at {
        // dropped after the borrow ends, since a finaliser may come back here
        let removed = REJECTIONS.0.borrow_mut().remove(at);
        drop(removed);
    }
}

/// Runs every job; false when the host stopped it. Then no job is left either, so that nothing of this execution runs in
/// a later one.
pub fn run() -> bool {
    let mut count = 0;
    loop {
        if interrupt::stopped() {
            // SAFETY: a live runtime and no JavaScript on the stack.
            unsafe { qjs::JS_DropPendingJobs(js::runtime()) };
            return false;
        }
        let mut context = core::ptr::null_mut();
        // SAFETY: a live runtime.
        let status = unsafe { qjs::JS_ExecutePendingJob(js::runtime(), &mut context) };
        if status == 0 {
            return true;
        }
        if status < 0 {
            // jobs of promises reject them: this is of queueMicrotask or a FinalizationRegistry, which have nobody to tell
            tickets::report(js::take_exception());
        }
        count += 1;
        if count % JOBS_PER_POLL == 0 {
            interrupt::poll();
        }
    }
}

/// Tells the console of rejections that nobody handled, unless the script failed anyway.
pub fn report_rejections(tell: bool) {
    if !REJECTED.0.replace(false) {
        return;
    }
    let rejections = REJECTIONS.0.take();
    if !tell {
        return;
    }
    for (_, reason) in rejections {
        let line = Exception::of(reason).uncaught("Uncaught (in promise) ");
        if host::log(Level::Error, line.as_bytes()) {
            return;
        }
    }
}
