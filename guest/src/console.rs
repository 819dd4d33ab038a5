//! The console: one call is one event for the host, rendered here.
use crate::host::{self, Level};
use crate::interrupt;
use crate::js::{self, JSContext, Raw, Thrown, Utf8, Value};
use crate::text;
use core::ffi::{CStr, c_int};

/// Bytes of one event; the rest is cut off.
pub const TEXT_MAX: usize = 1 << 20;

const LEVELS: [(&CStr, Level); 5] = [
    (c"log", Level::Log),
    (c"info", Level::Info),
    (c"warn", Level::Warn),
    (c"error", Level::Error),
    (c"debug", Level::Debug),
];

pub fn define() -> js::Result<()> {
    let console = Value::object()?;
    for (index, (name, _)) in LEVELS.iter().enumerate() {
        console.define(js::atom(name.to_bytes())?, Value::function(write, name, 0, index as i32)?)?;
    }
    Value::global().define_hidden(c"console", console)
}

unsafe extern "C" fn write(_: *mut JSContext, _: Raw, count: c_int, arguments: *mut Raw, level: c_int) -> Raw {
    // SAFETY: the engine passes `count` arguments.
    let arguments = unsafe { core::slice::from_raw_parts(arguments, count.max(0) as usize) };
    match print(LEVELS[level as usize].1, arguments) {
        Ok(()) => js::UNDEFINED,
        Err(Thrown) => js::EXCEPTION,
    }
}

fn print(level: Level, arguments: &[Raw]) -> js::Result<()> {
    let mut line = Vec::new();
    for (index, argument) in arguments.iter().enumerate() {
        if index > 0 {
            line.push(b' ');
        }
        text::append(&mut line, Utf8::of(*argument)?.bytes())?;
    }
    text::replace_surrogates(&mut line);
    emit(level, &line)
}

fn emit(level: Level, line: &[u8]) -> js::Result<()> {
    if host::log(level, line) {
        interrupt::stop();
        return Err(js::throw_uncatchable());
    }
    Ok(())
}
