//! A completion value as the host is told it.
use crate::exception::Exception;
use crate::interrupt;
use crate::js::{self, Raw, Thrown, Utf8, Value};
use crate::text::{self, Text};
use javy::quickjs::qjs;

/// `js-type` of the WIT, in its order.
#[derive(Clone, Copy, PartialEq)]
pub enum Type {
    Undefined = 0,
    Null = 1,
    Boolean = 2,
    Number = 3,
    BigInt = 4,
    String = 5,
    Symbol = 6,
    Object = 7,
    Array = 8,
    Function = 9,
}

pub struct Rendered {
    pub ty: Type,
    pub preview: Text,
    pub json: Option<Text>,
}

pub enum Rendering {
    Done(Rendered),
    /// Bytes that it would have taken, at least.
    TooLarge(u64),
    /// The host stopped a `toString`, `toJSON` or getter.
    Stopped(Exception),
}

/// Renders `value` in at most `bytes_max` bytes.
pub fn render(value: Raw, bytes_max: u32) -> Rendering {
    let ty = type_of(value);
    let bytes_max = u64::from(bytes_max);
    let (preview, json) = match ty {
        Type::Undefined => (Text::Static("undefined"), Some(Text::Static("null"))),
        Type::Null => (Text::Static("null"), Some(Text::Static("null"))),
        Type::Boolean => {
            let text = if js::as_bool(value) { "true" } else { "false" };
            (Text::Static(text), Some(Text::Static(text)))
        }
        Type::Number => number(value),
        Type::BigInt | Type::Symbol | Type::Function => (string(value), None),
        Type::String | Type::Object | Type::Array => {
            if ty == Type::String {
                let least = js::length(value).unwrap_or(0).saturating_mul(2);
                if least > bytes_max {
                    return Rendering::TooLarge(least);
                }
            }
            match compound(value, bytes_max) {
                Ok(texts) => texts,
                Err(bytes) => return Rendering::TooLarge(bytes),
            }
        }
    };
    if interrupt::stopped() {
        return Rendering::Stopped(Exception::interrupted());
    }
    let bytes = preview.bytes().len() + json.as_ref().map_or(0, |json| json.bytes().len());
    if bytes as u64 > bytes_max {
        return Rendering::TooLarge(bytes as u64);
    }
    Rendering::Done(Rendered { ty, preview, json })
}

fn type_of(value: Raw) -> Type {
    match value {
        v if js::is_undefined(v) => Type::Undefined,
        v if js::is_null(v) => Type::Null,
        v if js::is_bool(v) => Type::Boolean,
        v if js::is_number(v) => Type::Number,
        v if js::is_bigint(v) => Type::BigInt,
        v if js::is_string(v) => Type::String,
        v if js::is_symbol(v) => Type::Symbol,
        v if js::is_function(v) => Type::Function,
        v if is_array(v) => Type::Array,
        _ => Type::Object,
    }
}

/// As `Array.isArray` has it: a Proxy of an array is one. The engine's own function looks at the class alone.
fn is_array(value: Raw) -> bool {
    let mut target = Value::copy_of(value);
    while js::is_proxy(target.raw()) {
        // SAFETY: a proxy; the engine throws when it was revoked.
        match Value::checked(unsafe { qjs::JS_GetProxyTarget(js::context(), target.raw()) }) {
            Ok(next) => target = next,
            Err(Thrown) => {
                drop(js::take_exception());
                return false;
            }
        }
    }
    js::is_array(target.raw())
}

fn number(value: Raw) -> (Text, Option<Text>) {
    if js::is_int(value) {
        let digits = || Text::Owned(js::as_int(value).to_string().into_bytes());
        return (digits(), Some(digits()));
    }
    let json = js::as_number(value).is_finite().then(|| string(value));
    (string(value), json)
}

/// Text and JSON of a string, object or array, or the bytes that they would take.
fn compound(value: Raw, bytes_max: u64) -> Result<(Text, Option<Text>), u64> {
    // lengths are checked before anything is converted to UTF-8
    let preview = match string_value(value) {
        Ok(text) => {
            let length = js::length(text.raw()).unwrap_or(0);
            if length > bytes_max {
                return Err(length);
            }
            safe_text(text.raw())
        }
        Err(Thrown) => {
            drop(js::take_exception());
            Text::Static(fallback(value))
        }
    };
    if interrupt::stopped() {
        return Ok((preview, None));
    }
    // SAFETY: user code runs, and throws as an exception.
    let json = Value::checked(unsafe { qjs::JS_JSONStringify(js::context(), value, js::UNDEFINED, js::UNDEFINED) });
    let json = match json {
        Ok(json) if js::is_string(json.raw()) => {
            let length = js::length(json.raw()).unwrap_or(0) + preview.bytes().len() as u64;
            if length > bytes_max {
                return Err(length);
            }
            Some(without_surrogates(safe_text(json.raw())))
        }
        Ok(_) => None,
        Err(Thrown) => {
            drop(js::take_exception());
            None
        }
    };
    Ok((preview, json))
}

/// JSON has lone surrogates as escapes, `\ud800`, which many parsers refuse: U+FFFD instead, as everywhere else.
fn without_surrogates(json: Text) -> Text {
    let bytes = json.bytes();
    if !bytes.windows(3).any(|window| window == b"\\ud") {
        return json;
    }
    let Ok(mut copy) = text::copy_of(bytes) else {
        drop(js::take_exception());
        return json;
    };
    let mut at = 0;
    while at + 1 < copy.len() {
        if copy[at] != b'\\' {
            at += 1;
        } else if copy[at + 1] == b'u' {
            // pairs stand as they are, so an escape of a surrogate is a lone one
            if copy[at + 2..].len() >= 4 && copy[at + 2] == b'd' && matches!(copy[at + 3], b'8'..=b'9' | b'a'..=b'f') {
                copy[at + 2..at + 6].copy_from_slice(b"fffd");
            }
            at += 6;
        } else {
            at += 2;
        }
    }
    Text::Owned(copy)
}

fn string_value(value: Raw) -> js::Result<Value> {
    // SAFETY: user code runs, and throws as an exception.
    Value::checked(unsafe { qjs::JS_ToString(js::context(), value) })
}

fn safe_text(string: Raw) -> Text {
    Text::of(string).unwrap_or_else(|_| {
        drop(js::take_exception());
        Text::Static("")
    })
}

/// `String(value)` for any value at all; where that throws, what an ordinary object would have answered.
pub fn string(value: Raw) -> Text {
    if js::is_symbol(value) {
        return symbol(value);
    }
    Text::of(value).unwrap_or_else(|_| {
        drop(js::take_exception());
        Text::Static(fallback(value))
    })
}

fn fallback(value: Raw) -> &'static str {
    if js::is_function(value) { "[function]" } else { "[object Object]" }
}

fn symbol(value: Raw) -> Text {
    // SAFETY: a symbol becomes its atom, which is given back; no user code runs.
    let description = unsafe {
        let atom = qjs::JS_ValueToAtom(js::context(), value);
        let text = Utf8::of_atom(atom).and_then(Text::clean);
        qjs::JS_FreeAtom(js::context(), atom);
        text
    };
    let mut text = b"Symbol(".to_vec();
    match description {
        Ok(description) if text.try_reserve(description.bytes().len() + 1).is_ok() => {
            text.extend_from_slice(description.bytes());
        }
        Ok(_) => {}
        Err(Thrown) => drop(js::take_exception()),
    }
    text.push(b')');
    Text::Owned(text)
}
