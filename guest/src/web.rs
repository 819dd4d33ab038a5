//! What the web-standard globals need of the engine. Most of them are JavaScript that the host evaluates into every image
//! (`host/sandbox/js`); it finds the natives it needs in `__web` and deletes that.
use crate::{evaluate, host, tickets};
use crate::js::{self, JSContext, Raw, Value};
use crate::lower::byte_view;
use core::ffi::c_int;
use javy::quickjs::qjs;

/// `crypto.getRandomValues` promises no more, and asks for the host's bits eight bytes at a time.
const RANDOM_BYTES_MAX: usize = 65_536;

/// After the console, whose helpers are in `__web`, too.
pub fn define() -> js::Result<()> {
    // SAFETY: a live context. With `atob` and `btoa` comes the DOMException that they throw.
    if unsafe { qjs::JS_AddIntrinsicAToB(js::context()) } < 0 {
        return Err(js::Thrown);
    }
    let natives = js::get_named(Value::global().raw(), c"__web")?;
    natives.define(js::atom(b"evaluate")?, Value::function(evaluate_compact, c"evaluate", 2, 0)?)?;
    natives.define(js::atom(b"onWake")?, Value::function(evaluate::on_wake, c"onWake", 1, 0)?)?;
    natives.define(js::atom(b"checkpoint")?, Value::function(tickets::checkpoint, c"checkpoint", 1, 0)?)?;
    natives.define(js::atom(b"fillRandom")?, Value::function(fill_random, c"fillRandom", 1, 0)?)
}

/// Evaluates a script, source and file name, without the source that every function would keep for its `toString`: the
/// functions of an image then lie close together, and a session that calls some of them dirties fewer pages.
unsafe extern "C" fn evaluate_compact(_: *mut JSContext, _: Raw, count: c_int, arguments: *mut Raw, _: c_int) -> Raw {
    // SAFETY: the engine passes `count` arguments, and at least the two that the function's length promises.
    let arguments = unsafe { js::arguments(arguments, count.max(2)) };
    match compact(arguments[0], arguments[1]) {
        Ok(value) => value.into_raw(),
        Err(js::Thrown) => js::EXCEPTION,
    }
}

fn compact(source: Raw, name: Raw) -> js::Result<Value> {
    let compile = (qjs::JS_EVAL_TYPE_GLOBAL | qjs::JS_EVAL_FLAG_COMPILE_ONLY) as c_int;
    let strip = (qjs::JS_WRITE_OBJ_BYTECODE | qjs::JS_WRITE_OBJ_STRIP_SOURCE) as c_int;
    // SAFETY: the engine's texts end with NUL and live as long as their `Utf8`; the bytecode is the engine's own, and
    // given back once it was read.
    unsafe {
        let written = {
            let (source, name) = (js::Utf8::of(source)?, js::Utf8::of(name)?);
            let (text, length) = (source.bytes().as_ptr().cast(), source.bytes().len() as _);
            Value::checked(qjs::JS_Eval(js::context(), text, length, name.bytes().as_ptr().cast(), compile))?
        };
        let mut size = 0;
        let code = qjs::JS_WriteObject(js::context(), &mut size, written.raw(), strip);
        drop(written);
        if code.is_null() {
            return Err(js::Thrown);
        }
        let read = Value::checked(qjs::JS_ReadObject(js::context(), code, size, qjs::JS_READ_OBJ_BYTECODE as c_int));
        qjs::js_free(js::context(), code.cast());
        Value::checked(qjs::JS_EvalFunction(js::context(), read?.into_raw()))
    }
}

/// Fills a Uint8Array with random bytes; false when it is longer than one call may ask for.
unsafe extern "C" fn fill_random(_: *mut JSContext, _: Raw, count: c_int, arguments: *mut Raw, _: c_int) -> Raw {
    // SAFETY: the engine passes `count` arguments, and at least the one that the function's length promises.
    let view = unsafe { js::arguments(arguments, count.max(1)) }[0];
    let Ok(Some((target, length))) = byte_view(view) else { return Value::bool(false).into_raw() };
    if length > RANDOM_BYTES_MAX {
        return Value::bool(false).into_raw();
    }
    let target = target.cast_mut();
    for at in (0..length).step_by(8) {
        let bytes = host::random().to_le_bytes();
        // SAFETY: inside the array, and nothing runs meanwhile that could detach it.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), target.add(at), bytes.len().min(length - at)) };
    }
    Value::bool(true).into_raw()
}

/// A DOMException is no Error to the engine, which has a class of its own for it.
pub fn is_dom_exception(value: Raw) -> bool {
    // SAFETY: an atom of the class table is read and given back.
    unsafe {
        let name = qjs::JS_GetClassName(js::runtime(), qjs::JS_GetClassID(value));
        let is = js::Utf8::of_atom(name).is_ok_and(|name| name.bytes() == b"DOMException");
        qjs::JS_FreeAtom(js::context(), name);
        is
    }
}
