//! The global object: what doesn't belong there goes, what the web has and the engine hasn't is added.
use crate::js::{self, JSContext, Raw, Value};
use crate::session;
use core::ffi::c_int;
use javy::quickjs::qjs;

/// javy's console, and what needs threads: shared memory has no use here and would be a fine clock.
const FOREIGN: [&core::ffi::CStr; 3] = [c"console", c"SharedArrayBuffer", c"Atomics"];

pub fn remove_foreign() -> js::Result<()> {
    let global = Value::global();
    for name in FOREIGN {
        global.delete(name)?;
    }
    Ok(())
}

/// Names of all properties of the global object that are strings.
pub fn names() -> js::Result<Vec<String>> {
    let global = Value::global();
    let (mut table, mut count) = (core::ptr::null_mut(), 0);
    let mut names = Vec::new();
    // SAFETY: the engine makes a table of `count` atoms, which is read and given back.
    unsafe {
        let flags = qjs::JS_GPN_STRING_MASK as c_int;
        if qjs::JS_GetOwnPropertyNames(js::context(), &mut table, &mut count, global.raw(), flags) < 0 {
            return Err(js::Thrown);
        }
        for index in 0..count as usize {
            let name = js::Utf8::of_atom((*table.add(index)).atom)?;
            names.push(String::from_utf8_lossy(name.bytes()).into_owned());
        }
        qjs::JS_FreePropertyEnum(js::context(), table, count);
    }
    names.sort();
    Ok(names)
}

/// Adds `performance`, and the `Math.random` that `start` seeds.
pub fn define() -> js::Result<()> {
    let math = js::get_named(Value::global().raw(), c"Math")?;
    math.define_hidden(c"random", Value::function(random, c"random", 0, 0)?)?;
    let performance = Value::object()?;
    performance.define_hidden(c"now", Value::function(now, c"now", 0, 0)?)?;
    let getter = Value::function(time_origin, c"get timeOrigin", 0, 0)?;
    let flags = (qjs::JS_PROP_CONFIGURABLE | qjs::JS_PROP_ENUMERABLE) as c_int;
    // SAFETY: the getter is handed over.
    let status = unsafe {
        qjs::JS_DefinePropertyGetSet(
            js::context(),
            performance.raw(),
            js::atom(b"timeOrigin")?,
            getter.into_raw(),
            js::UNDEFINED,
            flags,
        )
    };
    if status < 0 {
        return Err(js::Thrown);
    }
    Value::global().define_hidden(c"performance", performance)
}

unsafe extern "C" fn random(_: *mut JSContext, _: Raw, _: c_int, _: *mut Raw, _: c_int) -> Raw {
    Value::number(session::random()).into_raw()
}

unsafe extern "C" fn now(_: *mut JSContext, _: Raw, _: c_int, _: *mut Raw, _: c_int) -> Raw {
    Value::number(session::milliseconds()).into_raw()
}

unsafe extern "C" fn time_origin(_: *mut JSContext, _: Raw, _: c_int, _: *mut Raw, _: c_int) -> Raw {
    Value::number(session::time_origin()).into_raw()
}
