//! Stopping a script. Once the host has said stop, nothing of this execution goes on: an interrupted async function
//! rejects its promise, so whether it was a stop is remembered here and not read off the exception.
use crate::{host, js};
use core::cell::Cell;
use core::ffi::{c_int, c_void};
use javy::quickjs::qjs;

static STOPPED: js::SingleThread<Cell<bool>> = js::SingleThread(Cell::new(false));

pub fn install() {
    // SAFETY: a live runtime and a plain function.
    unsafe { qjs::JS_SetInterruptHandler(js::runtime(), Some(handler), core::ptr::null_mut()) };
}

/// The engine asks every few thousand steps; an answer other than 0 throws what no script can catch.
unsafe extern "C" fn handler(_runtime: *mut qjs::JSRuntime, _opaque: *mut c_void) -> c_int {
    c_int::from(poll())
}

/// Asks the host.
pub fn poll() -> bool {
    if host::poll() {
        stop();
    }
    stopped()
}

/// What the loop countdown calls at its end (see `instrument/`), and the allocator for every megabyte of large blocks.
/// The native code that it stands in goes on; the interpreter stops at its next step.
#[unsafe(no_mangle)]
pub extern "C" fn vm_countdown_expired() {
    if js::is_ready() && poll() {
        // SAFETY: a live runtime.
        unsafe { qjs::JS_InterruptSoon(js::runtime()) };
    }
}

/// The host said stop.
pub fn stop() {
    STOPPED.0.set(true);
}

pub fn stopped() -> bool {
    STOPPED.0.get()
}

/// At the beginning of an execution.
pub fn clear() {
    STOPPED.0.set(false);
}
