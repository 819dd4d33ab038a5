//! What waits for the host, by the ticket that the host gave: calls of asynchronous functions, and timers.
//!
//! Nothing here ever suspends: a call leaves its promise behind and returns, and `resume` brings its ticket back.
use crate::exception::Exception;
use crate::host::{self, Level};
use crate::imports::{self, Way};
use crate::interrupt;
use crate::js::{self, JSContext, Raw, Thrown, Value};
use core::cell::RefCell;
use core::ffi::{CStr, c_int};
use javy::quickjs::qjs;
use std::collections::BTreeMap;

enum Waiting {
    Call {
        /// Index of the import that was called, and answers with the result.
        import: usize,
        resolve: Value,
        reject: Value,
    },
    Timer {
        callback: Value,
        arguments: Vec<Value>,
        repeats: bool,
    },
    /// Is called with text, and whether that is an error.
    Checkpoint {
        settle: Value,
    },
}

static WAITING: js::SingleThread<RefCell<BTreeMap<u32, Waiting>>> = js::SingleThread(RefCell::new(BTreeMap::new()));

/// The longest time that a timer can be set for, milliseconds: 49 days. What asks for more gets that.
const TIMER_MS_MAX: f64 = u32::MAX as f64;

const TIMEOUT: c_int = 0;
const INTERVAL: c_int = 1;
const IMMEDIATE: c_int = 2;

/// Adds the timers' globals.
pub fn define() -> js::Result<()> {
    const SET: [(&CStr, usize, c_int); 3] =
        [(c"setTimeout", 2, TIMEOUT), (c"setInterval", 2, INTERVAL), (c"setImmediate", 1, IMMEDIATE)];
    for (name, length, kind) in SET {
        Value::global().define_hidden(name, Value::function(set, name, length, kind)?)?;
    }
    for name in [c"clearTimeout", c"clearInterval", c"clearImmediate"] {
        Value::global().define_hidden(name, Value::function(clear, name, 1, 0)?)?;
    }
    let natives = js::get_named(Value::global().raw(), c"__web")?;
    natives.define(js::atom(b"holdTimer")?, Value::function(hold, c"holdTimer", 2, 0)?)
}

unsafe extern "C" fn set(_: *mut JSContext, _: Raw, count: c_int, arguments: *mut Raw, kind: c_int) -> Raw {
    // SAFETY: the engine passes `count` arguments.
    match set_timer(unsafe { js::arguments(arguments, count) }, kind) {
        Ok(ticket) => Value::number(f64::from(ticket)).into_raw(),
        Err(Thrown) => js::EXCEPTION,
    }
}

fn set_timer(arguments: &[Raw], kind: c_int) -> js::Result<u32> {
    let callback = arguments.first().copied().unwrap_or(js::UNDEFINED);
    let name = ["setTimeout", "setInterval", "setImmediate"][kind as usize];
    if !js::is_function(callback) {
        return Err(js::throw_type_error(&format!("{name}: argument 1 (callback): expected a function")));
    }
    // As elsewhere, what is no sensible number is the shortest time, and nothing but an immediate is over at once.
    let (ms, rest) = match (kind, arguments.get(1)) {
        (IMMEDIATE, _) => (0.0, 1),
        (_, Some(ms)) => (js::to_number(*ms)?.clamp(1.0, TIMER_MS_MAX), 2),
        (_, None) => (1.0, 2),
    };
    let ms = if ms.is_nan() { 1 } else { ms as u32 };
    let rest = arguments.get(rest..).unwrap_or_default().iter().map(|value| Value::copy_of(*value)).collect();
    let repeats = kind == INTERVAL;
    let Some(ticket) = host::timer(ms, repeats) else {
        return Err(js::throw_range_error(&format!("{name}: too many timers and host calls are pending")));
    };
    let waiting = Waiting::Timer { callback: Value::copy_of(callback), arguments: rest, repeats };
    WAITING.0.borrow_mut().insert(ticket, waiting);
    Ok(ticket)
}

unsafe extern "C" fn clear(_: *mut JSContext, _: Raw, count: c_int, arguments: *mut Raw, _: c_int) -> Raw {
    // SAFETY: the engine passes `count` arguments.
    if let [timer, ..] = unsafe { js::arguments(arguments, count) }
        && let Some(ticket) = timer_of(*timer)
    {
        let removed = WAITING.0.borrow_mut().remove(&ticket);
        host::cancel(ticket);
        drop(removed);
    }
    js::UNDEFINED
}

/// `holdTimer(timer, holds)`.
unsafe extern "C" fn hold(_: *mut JSContext, _: Raw, count: c_int, arguments: *mut Raw, _: c_int) -> Raw {
    // SAFETY: the engine passes `count` arguments.
    if let [timer, holds, ..] = unsafe { js::arguments(arguments, count) }
        && let Some(ticket) = timer_of(*timer)
    {
        host::hold_timer(ticket, js::is_true(*holds));
    }
    js::UNDEFINED
}

/// The ticket of a timer that is set: its number, or the number of an object that stands for one.
fn timer_of(value: Raw) -> Option<u32> {
    let number = match js::is_number(value) {
        true => js::as_number(value),
        false if js::is_object(value) => js::to_number(value).map_err(|Thrown| drop(js::take_exception())).ok()?,
        false => return None,
    };
    let ticket = number as u32;
    let is_timer = |waiting: &Waiting| matches!(waiting, Waiting::Timer { .. });
    (f64::from(ticket) == number && WAITING.0.borrow().get(&ticket).is_some_and(is_timer)).then_some(ticket)
}

/// Calls an asynchronous import, which answers with a ticket.
pub fn call(import: usize, arguments: &[Raw]) -> js::Result<Value> {
    let mut functions = [js::UNDEFINED; 2];
    // SAFETY: the engine makes a promise and writes its two functions, which become ours.
    let promise = Value::checked(unsafe { qjs::JS_NewPromiseCapability(js::context(), functions.as_mut_ptr()) })?;
    let [resolve, reject] = functions.map(Value::owned);
    match imports::call(import, Way::Later, arguments) {
        Ok(ticket) => {
            let waiting = Waiting::Call { import, resolve, reject };
            WAITING.0.borrow_mut().insert(js::as_number(ticket.raw()) as u32, waiting);
        }
        Err(Thrown) if interrupt::stopped() => return Err(Thrown),
        Err(Thrown) => {
            let reason = js::take_exception();
            js::call(reject.raw(), js::UNDEFINED, &mut [reason.raw()])?;
        }
    }
    Ok(promise)
}

/// `checkpoint(settle)`, for `session.checkpoint()`.
pub unsafe extern "C" fn checkpoint(_: *mut JSContext, _: Raw, count: c_int, arguments: *mut Raw, _: c_int) -> Raw {
    // SAFETY: the engine passes `count` arguments, and at least the one that the function's length promises.
    let settle = Value::copy_of(unsafe { js::arguments(arguments, count.max(1)) }[0]);
    let Some(ticket) = host::checkpoint() else {
        js::throw_range_error("session.checkpoint: too many timers and host calls are pending");
        return js::EXCEPTION;
    };
    WAITING.0.borrow_mut().insert(ticket, Waiting::Checkpoint { settle });
    js::UNDEFINED
}

/// What this ticket waited for is there. Jobs that this queues are left to the caller.
pub fn complete(ticket: u32) {
    let due = {
        let mut waiting = WAITING.0.borrow_mut();
        match waiting.get(&ticket) {
            Some(Waiting::Timer { callback, arguments, repeats: true }) => {
                let arguments = arguments.iter().map(|value| Value::copy_of(value.raw())).collect();
                Some(Waiting::Timer { callback: Value::copy_of(callback.raw()), arguments, repeats: true })
            }
            Some(_) => waiting.remove(&ticket),
            None => None,
        }
    };
    let done = match &due {
        None => Ok(()),
        Some(Waiting::Timer { callback, arguments, .. }) => {
            let mut arguments: Vec<Raw> = arguments.iter().map(Value::raw).collect();
            js::call(callback.raw(), js::UNDEFINED, &mut arguments).map(drop)
        }
        Some(Waiting::Call { import, resolve, reject }) => {
            let (settle, value) = match imports::call(*import, Way::Take(ticket), &[]) {
                Ok(value) => (resolve, Ok(value)),
                Err(Thrown) if interrupt::stopped() => (reject, Err(Thrown)),
                Err(Thrown) => (reject, Ok(js::take_exception())),
            };
            value.and_then(|value| js::call(settle.raw(), js::UNDEFINED, &mut [value.raw()])).map(drop)
        }
        Some(Waiting::Checkpoint { settle }) => {
            let (text, failed) = match host::checkpointed(ticket) {
                Ok(text) => (text, false),
                Err(text) => (text, true),
            };
            let failed = Value::bool(failed);
            Value::string(text.bytes())
                .and_then(|text| js::call(settle.raw(), js::UNDEFINED, &mut [text.raw(), failed.raw()]))
                .map(drop)
        }
    };
    if done.is_err() {
        report(js::take_exception());
    }
}

/// A callback threw and nobody is there to catch it.
pub fn report(thrown: Value) {
    if interrupt::stopped() {
        return;
    }
    let line = Exception::of(thrown).uncaught("Uncaught ");
    host::log(Level::Error, line.as_bytes());
}

/// Nobody will complete these: their promises stay as they are.
pub fn abandon(tickets: impl Iterator<Item = u32>) {
    for ticket in tickets {
        let removed = WAITING.0.borrow_mut().remove(&ticket);
        drop(removed);
    }
}

/// The work that these stood for went down with a process: their promises are rejected, as far as they have any.
pub fn lose(tickets: impl Iterator<Item = u32>) {
    for ticket in tickets {
        let removed = WAITING.0.borrow_mut().remove(&ticket);
        if let Some(Waiting::Call { reject, .. }) = removed {
            let rejected = interrupted().and_then(|error| js::call(reject.raw(), js::UNDEFINED, &mut [error.raw()]));
            if rejected.is_err() {
                drop(js::take_exception());
            }
        }
    }
}

fn interrupted() -> js::Result<Value> {
    let error = js::error()?;
    error.define_hidden(
        c"message",
        Value::string(b"The session was brought back, and what this waited for was lost")?,
    )?;
    error.define(js::atom(b"code")?, Value::string(b"INTERRUPTED")?)?;
    Ok(error)
}
