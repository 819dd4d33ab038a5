//! What the web-standard globals need of the engine. Most of them are JavaScript that the host evaluates into every image
//! (`host/sandbox/js`); it finds the natives it needs in `__web` and deletes that.
use crate::host;
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
    natives.define(js::atom(b"fillRandom")?, Value::function(fill_random, c"fillRandom", 1, 0)?)
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
