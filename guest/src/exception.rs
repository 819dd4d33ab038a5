//! What was thrown, told without trusting it: getters that throw and proxies are ordinary here.
use crate::js::{self, Value};
use crate::text::Text;
use crate::{interrupt, render};
use javy::quickjs::qjs;

/// Bytes of a message or stack that are told; the rest is cut off.
const TEXT_MAX: usize = 64 << 10;
const CLASS_MAX: usize = 256;

/// Why a script ended, as numbered in the WIT.
#[derive(Clone, Copy, PartialEq)]
pub enum Cause {
    Thrown = 0,
    Interrupted = 1,
    OutOfMemory = 2,
    StackOverflow = 3,
}

pub struct Exception {
    pub cause: Cause,
    /// The error's `name`; empty for what is no Error.
    pub class: Text,
    pub message: Text,
    pub stack: Text,
    /// From 1; 0 when unknown.
    pub line: u32,
    pub column: u32,
}

impl Exception {
    /// The exception that is pending.
    pub fn pending() -> Exception {
        Exception::of(js::take_exception())
    }

    pub fn of(thrown: Value) -> Exception {
        Exception::in_script(thrown, "")
    }

    /// `script`: whose frame gives line and column, if the stack has one.
    pub fn in_script(thrown: Value, script: &str) -> Exception {
        // SAFETY: a live runtime.
        let no_memory = unsafe { qjs::JS_TakeOutOfMemory(js::runtime()) };
        let raw = thrown.raw();
        let mut exception = if js::is_error(raw) || crate::web::is_dom_exception(raw) {
            let message = member(raw, c"message", TEXT_MAX);
            let class = match member(raw, c"name", CLASS_MAX) {
                name if name.bytes().is_empty() => Text::Static("Error"),
                name => name,
            };
            let stack = stack(raw, class.str(), message.str());
            let (line, column) = position(stack.str(), script);
            Exception { cause: Cause::Thrown, class, message, stack, line, column }
        } else {
            let class = Text::Static("");
            Exception {
                cause: Cause::Thrown,
                class,
                message: render::string(raw).cut(TEXT_MAX),
                stack: Text::Static(""),
                line: 0,
                column: 0,
            }
        };
        exception.cause = match (exception.class.str(), exception.message.str()) {
            _ if interrupt::stopped() || js::is_uncatchable(raw) => Cause::Interrupted,
            ("InternalError", "out of memory") => Cause::OutOfMemory,
            // the engine throws null when it has no memory for the Error itself
            _ if no_memory && js::is_null(raw) => Cause::OutOfMemory,
            ("RangeError" | "InternalError", "Maximum call stack size exceeded" | "stack overflow") => {
                Cause::StackOverflow
            }
            _ => Cause::Thrown,
        };
        match exception.cause {
            Cause::Interrupted => {
                exception.class = Text::Static("InternalError");
                exception.message = Text::Static("interrupted");
            }
            Cause::OutOfMemory => {
                exception.class = Text::Static("InternalError");
                exception.message = Text::Static("out of memory");
            }
            Cause::Thrown | Cause::StackOverflow => {}
        }
        exception
    }

    /// One line for the console, for an exception that nobody caught.
    pub fn uncaught(&self, before: &str) -> String {
        let class = self.class.str();
        let colon = if class.is_empty() { "" } else { ": " };
        format!("{before}{class}{colon}{}", self.message.str())
    }

    /// There was no exception to take: the host stopped the jobs.
    pub fn interrupted() -> Exception {
        Exception {
            cause: Cause::Interrupted,
            class: Text::Static("InternalError"),
            message: Text::Static("interrupted"),
            stack: Text::Static(""),
            line: 0,
            column: 0,
        }
    }
}

/// The frames; of an error whose `stack` is its own all of that, without a title that says the same again.
fn stack(error: js::Raw, class: &str, message: &str) -> Text {
    let frames = js::frames_of(error).and_then(|frames| {
        if js::is_string(frames.raw()) { Ok(Some(Text::of(frames.raw())?.cut(TEXT_MAX))) } else { Ok(None) }
    });
    match frames {
        Ok(Some(frames)) => return frames,
        Ok(None) => {}
        Err(_) => drop(js::take_exception()),
    }
    let own = member(error, c"stack", usize::MAX);
    let title = if message.is_empty() { class.to_owned() } else { format!("{class}: {message}") };
    match own.str().strip_prefix(&title) {
        Some(rest) if message.len() < TEXT_MAX => match rest.strip_prefix('\n') {
            Some(frames) => Text::Owned(frames.as_bytes()[..frames.floor_char_boundary(TEXT_MAX)].to_vec()),
            None if rest.is_empty() => Text::Static(""),
            None => own.cut(TEXT_MAX),
        },
        // Of a message that is cut off, the frames are what ends the stack.
        Some(rest) => match rest.find("\n    at ") {
            Some(at) => Text::Owned(rest.as_bytes()[at + 1..][..rest[at + 1..].floor_char_boundary(TEXT_MAX)].to_vec()),
            None => Text::Static(""),
        },
        None => own.cut(TEXT_MAX),
    }
}

/// A property that is a string; empty when it isn't or reading it throws.
fn member(error: js::Raw, name: &core::ffi::CStr, bytes_max: usize) -> Text {
    let text = js::get_named(error, name).and_then(|value| {
        if js::is_string(value.raw()) { Ok(Text::of(value.raw())?.cut(bytes_max)) } else { Ok(Text::Static("")) }
    });
    text.unwrap_or_else(|_| {
        drop(js::take_exception());
        Text::Static("")
    })
}

/// Line and column of the first frame in `script`, or else of the first frame that has them. A frame is
/// `    at name (file:line:column)` or `    at file:line:column`.
fn position(stack: &str, script: &str) -> (u32, u32) {
    let mut first = (0, 0);
    for frame in stack.lines() {
        let place = frame.trim_end().trim_end_matches(')');
        let mut parts = place.rsplitn(3, ':');
        let column = parts.next().and_then(|text| text.parse().ok());
        let line = parts.next().and_then(|text| text.parse().ok());
        let (Some(column), Some(line)) = (column, line) else { continue };
        let file = parts.next().and_then(|file| file.strip_suffix(script));
        if script.is_empty() || file.is_some_and(|before| before.ends_with(['(', ' '])) {
            return (line, column);
        }
        if first == (0, 0) {
            first = (line, column);
        }
    }
    first
}
