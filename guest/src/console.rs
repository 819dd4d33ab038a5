//! The console: one call is one event for the host, rendered here. Strings and numbers, which is most of it, are put
//! together in Rust; anything else goes through console.js.
use crate::host::{self, Level};
use crate::js::{self, JSContext, Raw, Thrown, Utf8, Value};
use crate::text::{self, Text};
use crate::{interrupt, session};
use core::cell::{Cell, OnceCell};
use core::ffi::{CStr, c_int};
use javy::quickjs::qjs;

/// Bytes of one event; the rest is cut off.
const TEXT_MAX: usize = 1 << 20;
const CUT_OFF: &str = "... (cut off)";
/// Levels of indentation that `console.group` makes.
const GROUPS_MAX: u32 = 32;

const FORMATTER: &str = include_str!("console.js");
const SCRIPTED: &str = include_str!("console_methods.js");

#[derive(Clone, Copy)]
enum Method {
    Write(Level),
    /// Writes as an error with a title, unless its first argument is true.
    Assert,
    Trace,
    Group,
    GroupEnd,
    /// Writes what the function of this name in console_methods.js answers.
    Scripted,
}

const METHODS: [(&CStr, Method); 18] = [
    (c"log", Method::Write(Level::Log)),
    (c"info", Method::Write(Level::Info)),
    (c"warn", Method::Write(Level::Warn)),
    (c"error", Method::Write(Level::Error)),
    (c"debug", Method::Write(Level::Debug)),
    (c"dir", Method::Scripted),
    (c"dirxml", Method::Write(Level::Log)),
    (c"table", Method::Scripted),
    (c"count", Method::Scripted),
    (c"countReset", Method::Scripted),
    (c"time", Method::Scripted),
    (c"timeLog", Method::Scripted),
    (c"timeEnd", Method::Scripted),
    (c"trace", Method::Trace),
    (c"assert", Method::Assert),
    (c"group", Method::Group),
    (c"groupCollapsed", Method::Group),
    (c"groupEnd", Method::GroupEnd),
];

struct Console {
    formatter: OnceCell<Value>,
    scripted: OnceCell<Value>,
    groups: Cell<u32>,
    /// The last line's memory, used again.
    line: Cell<Vec<u8>>,
}

static CONSOLE: js::SingleThread<Console> = js::SingleThread(Console {
    formatter: OnceCell::new(),
    scripted: OnceCell::new(),
    groups: Cell::new(0),
    line: Cell::new(Vec::new()),
});

pub fn define() -> js::Result<()> {
    let make = js::evaluate(FORMATTER, c"console.js")?;
    let native = Value::object()?;
    for (index, (name, _)) in HELPERS.iter().enumerate() {
        native.define(js::atom(name.to_bytes())?, Value::function(help, name, 2, index as i32)?)?;
    }
    native.define(js::atom(b"textMax")?, Value::int(TEXT_MAX as i32))?;
    let shared = js::call(make.raw(), js::UNDEFINED, &mut [native.raw()])?;
    let make = js::evaluate(SCRIPTED, c"console_methods.js")?;
    let scripted = js::call(make.raw(), js::UNDEFINED, &mut [native.raw(), shared.raw()])?;
    Value::global().define_hidden(c"__web", native)?;
    // init runs once
    let _ = CONSOLE.0.formatter.set(js::get_named(scripted.raw(), c"format")?);
    let _ = CONSOLE.0.scripted.set(scripted);

    let console = Value::object()?;
    for (index, (name, _)) in METHODS.iter().enumerate() {
        console.define(js::atom(name.to_bytes())?, Value::function(run, name, 0, index as i32)?)?;
    }
    Value::global().define_hidden(c"console", console)
}

unsafe extern "C" fn run(_: *mut JSContext, _: Raw, count: c_int, arguments: *mut Raw, method: c_int) -> Raw {
    // SAFETY: the engine passes `count` arguments.
    let arguments = unsafe { js::arguments(arguments, count) };
    let console = &CONSOLE.0;
    let mut line = console.line.take();
    line.clear();
    let (name, method) = METHODS[method as usize];
    let done = match method {
        Method::Write(level) => write(&mut line, level, "", arguments),
        Method::Trace => trace(&mut line, arguments),
        Method::Assert if arguments.first().is_some_and(|first| js::is_true(*first)) => Ok(()),
        Method::Assert => write(&mut line, Level::Error, "Assertion failed", arguments.get(1..).unwrap_or(&[])),
        Method::Group => {
            let done = if arguments.is_empty() { Ok(()) } else { write(&mut line, Level::Log, "", arguments) };
            console.groups.set((console.groups.get() + 1).min(GROUPS_MAX));
            done
        }
        Method::GroupEnd => {
            console.groups.set(console.groups.get().saturating_sub(1));
            Ok(())
        }
        Method::Scripted => scripted(&mut line, name, arguments),
    };
    if line.capacity() <= 4096 {
        console.line.set(line);
    }
    match done {
        Ok(()) => js::UNDEFINED,
        Err(Thrown) => js::EXCEPTION,
    }
}

fn write(line: &mut Vec<u8>, level: Level, title: &str, arguments: &[Raw]) -> js::Result<()> {
    put(line, title, arguments)?;
    log(line, level)
}

/// With the frames, without that of `trace` itself.
fn trace(line: &mut Vec<u8>, arguments: &[Raw]) -> js::Result<()> {
    put(line, "Trace", arguments)?;
    let here = js::error()?;
    let frames = Text::of(js::frames_of(here.raw())?.raw())?;
    for frame in frames.str().lines().skip(1) {
        text::append(line, b"\n")?;
        text::append(line, frame.as_bytes())?;
    }
    log(line, Level::Error)
}

fn put(line: &mut Vec<u8>, title: &str, arguments: &[Raw]) -> js::Result<()> {
    line.extend_from_slice(title.as_bytes());
    if !title.is_empty() && !arguments.is_empty() {
        line.extend_from_slice(b": ");
    }
    let start = line.len();
    if !plain(line, arguments)? {
        line.truncate(start);
        formatted(line, arguments)?;
    }
    Ok(())
}

fn scripted(line: &mut Vec<u8>, name: &CStr, arguments: &[Raw]) -> js::Result<()> {
    let Some(scripted) = CONSOLE.0.scripted.get() else { return Ok(()) };
    let function = js::get_named(scripted.raw(), name)?;
    let answer = call(&function, arguments)?;
    if js::is_undefined(answer.raw()) {
        return Ok(());
    }
    let (level, text) = match js::is_string(answer.raw()) {
        true => (Level::Log, answer),
        false => (Level::Warn, js::get_named(answer.raw(), c"warning")?),
    };
    text::append(line, Text::of(text.raw())?.bytes())?;
    log(line, level)
}

/// Hands a line to the host.
fn log(line: &mut Vec<u8>, level: Level) -> js::Result<()> {
    if CONSOLE.0.groups.get() > 0 {
        indent(line)?;
    }
    if line.len() > TEXT_MAX {
        let mut end = TEXT_MAX;
        while end > 0 && line[end] & 0xc0 == 0x80 {
            end -= 1;
        }
        line.truncate(end);
        text::append(line, CUT_OFF.as_bytes())?;
    }
    if host::log(level, line) {
        interrupt::stop();
        return Err(js::throw_uncatchable());
    }
    Ok(())
}

/// Strings, numbers and the like, without directives; false when there is anything else among them.
fn plain(line: &mut Vec<u8>, arguments: &[Raw]) -> js::Result<bool> {
    for (index, &argument) in arguments.iter().enumerate() {
        if index > 0 {
            line.push(b' ');
        }
        if js::is_string(argument) {
            let utf8 = Utf8::of(argument)?;
            let bytes = utf8.bytes();
            if index == 0 && arguments.len() > 1 && bytes.contains(&b'%') {
                return Ok(false);
            }
            let from = line.len();
            // one byte more shows that it has to be cut
            text::append(line, &bytes[..bytes.len().min((TEXT_MAX + 1).saturating_sub(from))])?;
            text::make_valid(line, from);
        } else if js::is_int(argument) {
            use std::io::Write;
            // a Vec takes every write
            let _ = write!(line, "{}", js::as_int(argument));
        } else if js::is_number(argument) {
            // the engine's zeroes may be floats, too
            if js::as_number(argument) == 0.0 && js::as_number(argument).is_sign_negative() {
                line.push(b'-');
            }
            line.extend_from_slice(Utf8::of(argument)?.bytes());
        } else if js::is_bool(argument) {
            line.extend_from_slice(if js::as_bool(argument) { b"true" } else { b"false" });
        } else if js::is_undefined(argument) {
            line.extend_from_slice(b"undefined");
        } else if js::is_null(argument) {
            line.extend_from_slice(b"null");
        } else {
            return Ok(false);
        }
    }
    Ok(true)
}

fn formatted(line: &mut Vec<u8>, arguments: &[Raw]) -> js::Result<()> {
    let Some(formatter) = CONSOLE.0.formatter.get() else { return Ok(()) };
    let text = Text::of(call(formatter, arguments)?.raw())?;
    text::append(line, text.bytes())
}

fn call(function: &Value, arguments: &[Raw]) -> js::Result<Value> {
    let mut copies = Vec::new();
    copies.try_reserve(arguments.len()).map_err(|_| js::throw_out_of_memory())?;
    copies.extend_from_slice(arguments);
    js::call(function.raw(), js::UNDEFINED, &mut copies)
}

/// Two spaces for each open group, on every line.
fn indent(line: &mut Vec<u8>) -> js::Result<()> {
    let spaces = &[b' '; 2 * GROUPS_MAX as usize][..2 * CONSOLE.0.groups.get() as usize];
    let mut out = Vec::new();
    for (index, part) in line.split(|byte| *byte == b'\n').enumerate() {
        if out.len() > TEXT_MAX {
            break;
        }
        if index > 0 {
            text::append(&mut out, b"\n")?;
        }
        text::append(&mut out, spaces)?;
        text::append(&mut out, part)?;
    }
    *line = out;
    Ok(())
}

type Helper = fn(Raw, Raw) -> js::Result<Value>;

/// What console.js can't do without being seen.
const HELPERS: [(&CStr, Helper); 7] = [
    (c"kindOf", kind_of),
    (c"promiseState", promise_state),
    (c"proxyTarget", proxy_target),
    (c"framesOf", frames_of),
    (c"quote", quote),
    (c"enumerableKeys", enumerable_keys),
    (c"now", now),
];

unsafe extern "C" fn help(_: *mut JSContext, _: Raw, count: c_int, arguments: *mut Raw, helper: c_int) -> Raw {
    // SAFETY: the engine passes `count` arguments.
    let arguments = unsafe { js::arguments(arguments, count) };
    let argument = |index: usize| arguments.get(index).copied().unwrap_or(js::UNDEFINED);
    match HELPERS[helper as usize].1(argument(0), argument(1)) {
        Ok(value) => value.into_raw(),
        Err(Thrown) => js::EXCEPTION,
    }
}

/// The name of the class that the engine itself gave an object.
fn kind_of(value: Raw, _: Raw) -> js::Result<Value> {
    if js::is_proxy(value) {
        return Value::string(b"Proxy");
    }
    // SAFETY: an atom of the class table becomes a string and is given back.
    Value::checked(unsafe {
        let name = qjs::JS_GetClassName(js::runtime(), qjs::JS_GetClassID(value));
        let text = qjs::JS_AtomToString(js::context(), name);
        qjs::JS_FreeAtom(js::context(), name);
        text
    })
}

/// Milliseconds since the session started.
fn now(_: Raw, _: Raw) -> js::Result<Value> {
    Ok(Value::number(session::milliseconds()))
}

/// `{ state, result }`: 0 pending, 1 fulfilled, 2 rejected.
fn promise_state(promise: Raw, _: Raw) -> js::Result<Value> {
    let answer = Value::object()?;
    // SAFETY: a promise; anything else has no state and no result.
    let (state, result) = unsafe {
        let state = qjs::JS_PromiseState(js::context(), promise);
        (state, Value::checked(qjs::JS_PromiseResult(js::context(), promise))?)
    };
    answer.define(js::atom(b"state")?, Value::int(state))?;
    answer.define(js::atom(b"result")?, result)?;
    Ok(answer)
}

/// What a Proxy stands for; null when it was revoked.
fn proxy_target(proxy: Raw, _: Raw) -> js::Result<Value> {
    // SAFETY: a proxy; for a revoked one the engine throws.
    let target = Value::checked(unsafe { qjs::JS_GetProxyTarget(js::context(), proxy) });
    match target {
        Ok(target) if js::is_object(target.raw()) => Ok(target),
        Ok(_) => Ok(Value::null()),
        Err(Thrown) => {
            drop(js::take_exception());
            Ok(Value::null())
        }
    }
}

/// The frames of an Error's stack, without running any code; undefined of what has none, or a `stack` of its own.
fn frames_of(error: Raw, _: Raw) -> js::Result<Value> {
    js::frames_of(error)
}

/// Own enumerable keys, symbols too, as a list of console.js: an object without prototype, with a length.
/// `skip_indexes`: without the array indexes.
fn enumerable_keys(object: Raw, skip_indexes: Raw) -> js::Result<Value> {
    /// The engine marks atoms that are integers with the top bit.
    const IS_INDEX: u32 = 1 << 31;
    let length = js::atom(b"length")?;
    let flags = qjs::JS_GPN_STRING_MASK | qjs::JS_GPN_SYMBOL_MASK | qjs::JS_GPN_ENUM_ONLY;
    let (mut table, mut count) = (core::ptr::null_mut(), 0);
    // SAFETY: the engine makes a table of `count` atoms, which is read and given back.
    unsafe {
        let keys = Value::checked(qjs::JS_NewObjectProto(js::context(), js::NULL))?;
        if qjs::JS_GetOwnPropertyNames(js::context(), &mut table, &mut count, object, flags as c_int) < 0 {
            return Err(Thrown);
        }
        let mut next = 0;
        let mut result = Ok(keys);
        for index in 0..count as usize {
            let atom = (*table.add(index)).atom;
            if atom & IS_INDEX != 0 && js::is_true(skip_indexes) {
                continue;
            }
            let key = Value::owned(qjs::JS_AtomToValue(js::context(), atom));
            if result.as_ref().is_ok_and(|keys| keys.define_index(next, key).is_err()) {
                result = Err(Thrown);
            }
            next += 1;
        }
        qjs::JS_FreePropertyEnum(js::context(), table, count);
        let keys = result?;
        keys.define(length, Value::number(f64::from(next)))?;
        Ok(keys)
    }
}

/// A string in quotes, in those that need the fewest escapes.
fn quote(string: Raw, _: Raw) -> js::Result<Value> {
    let utf8 = Utf8::of(string)?;
    let bytes = utf8.bytes();
    let mark = [b'\'', b'"', b'`'].into_iter().find(|mark| !bytes.contains(mark)).unwrap_or(b'\'');
    let mut out = Vec::new();
    out.try_reserve(bytes.len() + 2).map_err(|_| js::throw_out_of_memory())?;
    out.push(mark);
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        at += 1;
        let escape: &[u8] = match byte {
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            8 => b"\\b",
            12 => b"\\f",
            11 => b"\\v",
            b'\\' => b"\\\\",
            _ if byte == mark => b"\\'",
            0..=31 | 127 => {
                text::append(&mut out, format!("\\x{byte:02X}").as_bytes())?;
                continue;
            }
            0xed if bytes.get(at).is_some_and(|second| *second >= 0xa0) => {
                let low =
                    u32::from(bytes[at] & 0x3f) << 6 | bytes.get(at + 1).map_or(0, |third| u32::from(third & 0x3f));
                text::append(&mut out, format!("\\u{:04X}", 0xd000 | low).as_bytes())?;
                at += 2;
                continue;
            }
            _ => core::slice::from_ref(&bytes[at - 1]),
        };
        text::append(&mut out, escape)?;
    }
    text::append(&mut out, &[mark])?;
    Value::string(&out)
}
