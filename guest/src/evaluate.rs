//! Running a script or a module to its end, jobs included.
use crate::exception::Exception;
use crate::js::{self, JSContext, Raw, Value};
use crate::memory::{Block, CText};
use crate::render::{self, Rendered, Rendering};
use crate::{host, import_meta, interrupt, jobs, session, specifier, tickets};
use core::cell::RefCell;
use core::ffi::{CStr, c_char, c_int, c_void};
use javy::quickjs::qjs;

/// `mode` of the WIT, in its order.
#[derive(Clone, Copy, PartialEq)]
pub enum Mode {
    Script = 0,
    Repl = 1,
    Module = 2,
}

pub enum Outcome {
    Value(Rendered),
    Exception(Exception),
    Pending,
    TooLarge(u64),
}

/// What waits for its promise.
struct Current {
    completion: Completion,
    /// Its name.
    script: CText,
}

static CURRENT: js::SingleThread<RefCell<Option<Current>>> = js::SingleThread(RefCell::new(None));

/// Between compiling a module and running it, its `import.meta` is filled in.
const COMPILED_MODULE: u32 = qjs::JS_EVAL_TYPE_MODULE | qjs::JS_EVAL_FLAG_COMPILE_ONLY;

/// Runs `source` and every job it queued.
pub fn evaluate(source: Block, name: Block, mode: Mode, value_max: u32) -> Outcome {
    session::enter();
    interrupt::clear();
    // SAFETY: a live runtime; an older failure is none of this script's.
    unsafe { qjs::JS_TakeOutOfMemory(js::runtime()) };
    let (Some(source), Some(name)) = (source.into_c_text(), name.into_c_text()) else {
        js::throw_out_of_memory();
        return Outcome::Exception(Exception::pending());
    };
    let outcome = match run(&source, &name, mode) {
        Ok(completion) => settle(Current { completion, script: name }, value_max),
        Err(js::Thrown) => {
            let script = core::str::from_utf8(name.bytes()).unwrap_or("");
            Outcome::Exception(Exception::in_script(js::take_exception(), script))
        }
    };
    finish(outcome)
}

/// Completes a ticket and runs every job that this queued.
pub fn resume(ticket: u32, value_max: u32) -> Outcome {
    session::enter();
    interrupt::clear();
    // SAFETY: as above.
    unsafe { qjs::JS_TakeOutOfMemory(js::runtime()) };
    let current = CURRENT.0.take();
    tickets::complete(ticket);
    let outcome = match current {
        Some(current) => settle(current, value_max),
        None => match render::render(js::UNDEFINED, value_max) {
            Rendering::Done(rendered) => Outcome::Value(rendered),
            _ => Outcome::TooLarge(0),
        },
    };
    finish(outcome)
}

/// What `session.on` registered, to be called with an event and its data.
static WAKE: js::SingleThread<RefCell<Option<Value>>> = js::SingleThread(RefCell::new(None));

/// `onWake(dispatch)`, for `session.on`.
pub unsafe extern "C" fn on_wake(_: *mut JSContext, _: Raw, count: c_int, arguments: *mut Raw, _: c_int) -> Raw {
    // SAFETY: the engine passes `count` arguments, and at least the one that the function's length promises.
    let dispatch = Value::copy_of(unsafe { js::arguments(arguments, count.max(1)) }[0]);
    let before = WAKE.0.replace(Some(dispatch));
    drop(before);
    js::UNDEFINED
}

/// Tells the script of something that befell its session, and runs every job that this queued.
pub fn wake(event: Block, data: Option<Block>, value_max: u32) -> Outcome {
    session::enter();
    interrupt::clear();
    // SAFETY: as above.
    unsafe { qjs::JS_TakeOutOfMemory(js::runtime()) };
    let dispatch = WAKE.0.borrow().as_ref().map(|dispatch| Value::copy_of(dispatch.raw()));
    let answer = match dispatch {
        None => Ok(Value::undefined()),
        Some(dispatch) => call_dispatch(&dispatch, &event, data.as_ref()),
    };
    let outcome = match (answer, event.into_c_text()) {
        (Ok(value), Some(script)) => settle(Current { completion: Completion::Value(value), script }, value_max),
        (Ok(_), None) => {
            js::throw_out_of_memory();
            Outcome::Exception(Exception::pending())
        }
        (Err(js::Thrown), _) => Outcome::Exception(Exception::in_script(js::take_exception(), "")),
    };
    finish(outcome)
}

fn call_dispatch(dispatch: &Value, event: &Block, data: Option<&Block>) -> js::Result<Value> {
    let event = Value::string(event.bytes())?;
    let data = data.map_or_else(|| Ok(Value::undefined()), |data| Value::string(data.bytes()))?;
    js::call(dispatch.raw(), js::UNDEFINED, &mut [event.raw(), data.raw()])
}

/// The heap was brought back: what waits for its promise is given up, and so is the work behind these tickets.
pub fn refresh(lost: impl Iterator<Item = u32>) {
    session::enter();
    interrupt::clear();
    drop(CURRENT.0.take());
    tickets::lose(lost);
}

/// Gives up what waits for its promise, and these tickets.
pub fn abandon(tickets: impl Iterator<Item = u32>) {
    drop(CURRENT.0.take());
    tickets::abandon(tickets);
}

fn finish(outcome: Outcome) -> Outcome {
    // jobs of a script that failed, and of user code that rendering called
    let finished = jobs::run();
    jobs::report_rejections(finished && !matches!(outcome, Outcome::Exception(_)));
    match outcome {
        Outcome::Exception(exception) => Outcome::Exception(exception),
        _ if !finished => {
            drop(CURRENT.0.take());
            Outcome::Exception(Exception::interrupted())
        }
        outcome => outcome,
    }
}

/// What the engine answered, before promises are followed.
enum Completion {
    /// Of a script: a promise among others.
    Value(Value),
    /// Of a script with await: a promise of `{ value }`.
    Async(Value),
    /// Of a module: a promise of nothing.
    Module(Value),
}

fn run(source: &CText, name: &CText, mode: Mode) -> js::Result<Completion> {
    let text = source.bytes();
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let (flags, completion): (u32, fn(Value) -> Completion) = match mode {
        Mode::Module => (COMPILED_MODULE, Completion::Module),
        // An async evaluation costs half as much again. Without the letters there is no await to need it.
        Mode::Script | Mode::Repl if !mentions(text, b"await") => (qjs::JS_EVAL_TYPE_GLOBAL, Completion::Value),
        Mode::Script | Mode::Repl => (qjs::JS_EVAL_TYPE_GLOBAL | qjs::JS_EVAL_FLAG_ASYNC, Completion::Async),
    };
    // SAFETY: both texts end with NUL and outlive the call. The flag only matters while the script declares its
    // globals, which happens in here.
    let value = Value::checked(unsafe {
        qjs::JS_SetRedeclaration(js::runtime(), mode == Mode::Repl);
        let result = qjs::JS_Eval(
            js::context(),
            text.as_ptr().cast(),
            text.len() as _,
            name.bytes().as_ptr().cast(),
            flags as core::ffi::c_int,
        );
        qjs::JS_SetRedeclaration(js::runtime(), false);
        result
    })?;
    if mode == Mode::Module {
        import_meta::describe(value.raw(), name.bytes())?;
        // SAFETY: a module that was compiled, which the engine takes over.
        let value = Value::checked(unsafe { qjs::JS_EvalFunction(js::context(), value.into_raw()) })?;
        return Ok(completion(value));
    }
    Ok(completion(value))
}

fn mentions<const LENGTH: usize>(source: &[u8], word: &[u8; LENGTH]) -> bool {
    source.windows(LENGTH).any(|window| window == word)
}

/// Runs the jobs, follows the promise if there is one, and renders the value.
fn settle(current: Current, value_max: u32) -> Outcome {
    if let Completion::Value(value) | Completion::Async(value) | Completion::Module(value) = &current.completion
        && js::is_promise(value.raw())
    {
        jobs::forget_rejection(value.raw());
    }
    if !jobs::run() {
        return Outcome::Exception(Exception::interrupted());
    }
    let value = match &current.completion {
        Completion::Value(value) => follow(value),
        Completion::Module(value) => follow(value).map(|_| Value::undefined()),
        Completion::Async(value) => follow(value).and_then(|wrapped| match js::get_named(wrapped.raw(), c"value") {
            Ok(value) => follow(&value),
            Err(js::Thrown) => Err(Unsettled::Rejected(js::take_exception())),
        }),
    };
    match value {
        Ok(value) => match render::render(value.raw(), value_max) {
            Rendering::Done(rendered) => Outcome::Value(rendered),
            Rendering::TooLarge(bytes) => Outcome::TooLarge(bytes),
            Rendering::Stopped(exception) => Outcome::Exception(exception),
        },
        Err(Unsettled::Rejected(reason)) => {
            let script = core::str::from_utf8(current.script.bytes()).unwrap_or("");
            Outcome::Exception(Exception::in_script(reason, script))
        }
        Err(Unsettled::Pending) => {
            *CURRENT.0.borrow_mut() = Some(current);
            Outcome::Pending
        }
    }
}

enum Unsettled {
    Rejected(Value),
    Pending,
}

/// The value of a promise whose jobs have all run; any other value is itself.
fn follow(value: &Value) -> Result<Value, Unsettled> {
    if !js::is_promise(value.raw()) {
        return Ok(Value::copy_of(value.raw()));
    }
    jobs::forget_rejection(value.raw());
    // SAFETY: a promise.
    let (state, result) = unsafe {
        let state = qjs::JS_PromiseState(js::context(), value.raw());
        (state, Value::owned(qjs::JS_PromiseResult(js::context(), value.raw())))
    };
    match state {
        qjs::JSPromiseStateEnum_JS_PROMISE_FULFILLED => Ok(result),
        qjs::JSPromiseStateEnum_JS_PROMISE_REJECTED => Err(Unsettled::Rejected(result)),
        _ => Err(Unsettled::Pending),
    }
}

pub fn install() {
    let (runtime, nothing) = (js::runtime(), core::ptr::null_mut());
    // SAFETY: a live runtime and plain functions.
    unsafe { qjs::JS_SetModuleLoaderFunc(runtime, Some(specifier::normalize), Some(load_module), nothing) };
}

/// Asks the host for a module's source.
unsafe extern "C" fn load_module(
    _context: *mut JSContext,
    name: *const c_char,
    _opaque: *mut c_void,
) -> *mut qjs::JSModuleDef {
    // SAFETY: the engine passes a C string.
    let name = unsafe { CStr::from_ptr(name) };
    match compile_module(name) {
        Ok(module) => js::address(module).cast(),
        Err(js::Thrown) => core::ptr::null_mut(),
    }
}

fn compile_module(name: &CStr) -> js::Result<Raw> {
    let (asked, importer) = specifier::asked(name.to_bytes());
    let source = match host::load_module(&asked) {
        Ok(source) => source.into_c_text().ok_or_else(js::throw_out_of_memory)?,
        Err(reason) => {
            let by = importer.map(|by| format!(" (imported by {})", String::from_utf8_lossy(&by))).unwrap_or_default();
            return Err(js::throw_reference_error(&(String::from_utf8_lossy(reason.bytes()) + by.as_str())));
        }
    };
    // SAFETY: the source ends with NUL and outlives the call.
    let module = Value::checked(unsafe {
        qjs::JS_Eval(
            js::context(),
            source.bytes().as_ptr().cast(),
            source.bytes().len() as _,
            name.as_ptr(),
            COMPILED_MODULE as core::ffi::c_int,
        )
    })?;
    if mentions(source.bytes(), b"meta") {
        import_meta::describe(module.raw(), name.to_bytes())?;
    }
    // the context keeps compiled modules, so giving back this reference doesn't free it
    Ok(module.raw())
}
