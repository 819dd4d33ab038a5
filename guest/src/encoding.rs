//! TextEncoder and TextDecoder. javy has its own, which copy into memory that the engine's limit doesn't see and abort
//! when there is none.
use crate::js::{self, JSContext, Raw, Thrown, Value};
use crate::lower::byte_view;
use crate::text::{self, Text};
use core::ffi::{CStr, c_int};
use javy::quickjs::qjs;

const SOURCE: &str = include_str!("encoding.js");
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

type Helper = fn(&[Raw]) -> js::Result<Value>;

const HELPERS: [(&CStr, Helper); 4] =
    [(c"encode", encode), (c"encodeInto", encode_into), (c"decode", decode), (c"concat", concat)];

pub fn define() -> js::Result<()> {
    let native = Value::object()?;
    for (index, (name, _)) in HELPERS.iter().enumerate() {
        native.define(js::atom(name.to_bytes())?, Value::function(help, name, 4, index as i32)?)?;
    }
    let make = js::evaluate(SOURCE, c"encoding.js")?;
    let classes = js::call(make.raw(), js::UNDEFINED, &mut [native.raw()])?;
    for name in [c"TextEncoder", c"TextDecoder"] {
        Value::global().define_hidden(name, js::get_named(classes.raw(), name)?)?;
    }
    Ok(())
}

unsafe extern "C" fn help(_: *mut JSContext, _: Raw, count: c_int, arguments: *mut Raw, helper: c_int) -> Raw {
    // SAFETY: the engine passes `count` arguments, and at least the four that the function's length promises.
    match HELPERS[helper as usize].1(unsafe { js::arguments(arguments, count.max(4)) }) {
        Ok(value) => value.into_raw(),
        Err(Thrown) => js::EXCEPTION,
    }
}

fn encode(arguments: &[Raw]) -> js::Result<Value> {
    Value::bytes(Text::of(arguments[0])?.bytes())
}

/// Writes as many whole characters as fit; answers `{ read, written }`, read counting UTF-16 units.
fn encode_into(arguments: &[Raw]) -> js::Result<Value> {
    let text = Text::of(arguments[0])?;
    // SAFETY: only looks at the value's class.
    let is_bytes =
        unsafe { qjs::JS_GetTypedArrayType(arguments[1]) == qjs::JSTypedArrayEnum_JS_TYPED_ARRAY_UINT8 as c_int };
    let Some((target, room)) = byte_view(arguments[1])?.filter(|_| is_bytes) else {
        return Err(js::throw_type_error("encodeInto: expected a Uint8Array"));
    };
    let (mut read, mut written) = (0, 0);
    for letter in text.str().chars() {
        if written + letter.len_utf8() > room {
            break;
        }
        written += letter.len_utf8();
        read += letter.len_utf16();
    }
    // SAFETY: `written` bytes are in the text and fit into the array, and nothing ran since it was looked at.
    unsafe { core::ptr::copy_nonoverlapping(text.bytes().as_ptr(), target.cast_mut(), written) };
    let answer = Value::object()?;
    answer.define(js::atom(b"read")?, Value::number(read as f64))?;
    answer.define(js::atom(b"written")?, Value::number(written as f64))?;
    Ok(answer)
}

/// `decode(bytes, fatal, keepMark, stream)`: `{ text, left }`.
fn decode(arguments: &[Raw]) -> js::Result<Value> {
    let (fatal, keep_mark, stream) = (js::is_true(arguments[1]), js::is_true(arguments[2]), js::is_true(arguments[3]));
    let bytes = view(arguments[0])?;
    let mut rest = if keep_mark { bytes } else { bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes) };
    let mut out = Vec::new();
    let mut left: &[u8] = &[];
    let text = loop {
        match core::str::from_utf8(rest) {
            // nothing had to be replaced: no copy
            Ok(_) if out.is_empty() => break Value::string(rest)?,
            Ok(_) => {
                text::append(&mut out, rest)?;
                break Value::string(&out)?;
            }
            Err(error) => {
                let (valid, broken) = rest.split_at(error.valid_up_to());
                text::append(&mut out, valid)?;
                let skip = match error.error_len() {
                    Some(length) => length,
                    None if stream => {
                        left = broken;
                        break Value::string(&out)?;
                    }
                    None => broken.len(),
                };
                if fatal {
                    return Err(js::throw_type_error("The encoded data was not valid utf-8"));
                }
                text::append(&mut out, "\u{fffd}".as_bytes())?;
                rest = &broken[skip..];
            }
        }
    };
    let answer = Value::object()?;
    let left = if left.is_empty() { Value::undefined() } else { Value::bytes(left)? };
    answer.define(js::atom(b"text")?, text)?;
    answer.define(js::atom(b"left")?, left)?;
    Ok(answer)
}

/// The bytes of one array and then another's, in a new one.
fn concat(arguments: &[Raw]) -> js::Result<Value> {
    let mut both = text::copy_of(view(arguments[0])?)?;
    text::append(&mut both, view(arguments[1])?)?;
    Value::bytes(&both)
}

/// The bytes of a buffer or of any view of one. They are only valid until JavaScript runs again.
fn view<'a>(value: Raw) -> js::Result<&'a [u8]> {
    if js::is_undefined(value) {
        return Ok(&[]);
    }
    let (pointer, length) = match byte_view(value)? {
        Some(bytes) => bytes,
        None => any_view(value)?,
    };
    // SAFETY: the engine's buffer, which stays as long as no JavaScript runs.
    Ok(unsafe { core::slice::from_raw_parts(pointer, length) })
}

fn any_view(value: Raw) -> js::Result<(*const u8, usize)> {
    let (mut offset, mut length, mut width) = (0, 0, 0);
    // SAFETY: the engine checks that the value is a typed array and throws when it isn't.
    let buffer = Value::checked(unsafe {
        qjs::JS_GetTypedArrayBuffer(js::context(), value, &mut offset, &mut length, &mut width)
    })
    .map_err(|Thrown| {
        drop(js::take_exception());
        js::throw_type_error("TextDecoder: expected an ArrayBuffer or a view of one")
    })?;
    match byte_view(buffer.raw())? {
        Some((pointer, size)) if offset as usize + length as usize <= size => {
            // SAFETY: inside of the buffer.
            Ok((unsafe { pointer.add(offset as usize) }, length as usize))
        }
        _ => Ok((core::ptr::NonNull::dangling().as_ptr(), 0)),
    }
}
