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
        native.define(js::atom(name.to_bytes())?, Value::function(help, name, 5, index as i32)?)?;
    }
    let make = js::evaluate(SOURCE, c"encoding.js")?;
    let classes = js::call(make.raw(), js::UNDEFINED, &mut [native.raw()])?;
    for name in [c"TextEncoder", c"TextDecoder"] {
        Value::global().define_hidden(name, js::get_named(classes.raw(), name)?)?;
    }
    Ok(())
}

unsafe extern "C" fn help(_: *mut JSContext, _: Raw, count: c_int, arguments: *mut Raw, helper: c_int) -> Raw {
    // SAFETY: the engine passes `count` arguments, and at least the five that the function's length promises.
    match HELPERS[helper as usize].1(unsafe { js::arguments(arguments, count.max(5)) }) {
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

/// `decode(bytes, fatal, keepMark, stream, kind)`, where `kind` counts encoding.js's ENCODINGS: `{ text, left, begun }`,
/// begun when anything but what is left was there.
fn decode(arguments: &[Raw]) -> js::Result<Value> {
    let (fatal, keep_mark, stream) = (js::is_true(arguments[1]), js::is_true(arguments[2]), js::is_true(arguments[3]));
    let bytes = view(arguments[0])?;
    let (text, left) = match js::to_number(arguments[4])? as u32 {
        0 => utf8(bytes, fatal, keep_mark, stream)?,
        1 => utf16(bytes, u16::from_le_bytes, "utf-16le", fatal, keep_mark, stream)?,
        2 => utf16(bytes, u16::from_be_bytes, "utf-16be", fatal, keep_mark, stream)?,
        _ => (windows_1252(bytes)?, &[][..]),
    };
    let begun = bytes.len() > left.len();
    let answer = Value::object()?;
    let left = if left.is_empty() { Value::undefined() } else { Value::bytes(left)? };
    answer.define(js::atom(b"text")?, text)?;
    answer.define(js::atom(b"left")?, left)?;
    answer.define(js::atom(b"begun")?, Value::bool(begun))?;
    Ok(answer)
}

fn not_valid(name: &str) -> Thrown {
    js::throw_type_error(&format!("The encoded data was not valid {name}"))
}

/// The text, and what of the bytes is left for the next piece of a stream.
fn utf8(bytes: &[u8], fatal: bool, keep_mark: bool, stream: bool) -> js::Result<(Value, &[u8])> {
    let mut rest = if keep_mark { bytes } else { bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes) };
    let mut out = Vec::new();
    loop {
        match core::str::from_utf8(rest) {
            // nothing had to be replaced: no copy
            Ok(_) if out.is_empty() => return Ok((Value::string(rest)?, &[])),
            Ok(_) => {
                text::append(&mut out, rest)?;
                return Ok((Value::string(&out)?, &[]));
            }
            Err(error) => {
                let (valid, broken) = rest.split_at(error.valid_up_to());
                text::append(&mut out, valid)?;
                let skip = match error.error_len() {
                    Some(length) => length,
                    None if stream => return Ok((Value::string(&out)?, broken)),
                    None => broken.len(),
                };
                if fatal {
                    return Err(not_valid("utf-8"));
                }
                text::append(&mut out, "\u{fffd}".as_bytes())?;
                rest = &broken[skip..];
            }
        }
    }
}

fn utf16<'a>(
    bytes: &'a [u8],
    unit: fn([u8; 2]) -> u16,
    name: &str,
    fatal: bool,
    keep_mark: bool,
    stream: bool,
) -> js::Result<(Value, &'a [u8])> {
    let unit_at = |at: usize| bytes.get(at..at + 2).map(|pair| unit([pair[0], pair[1]]));
    // Half a unit, and half a pair before that, wait for what follows; where nothing does, they are one error.
    let mut end = bytes.len() & !1;
    if end >= 2 && unit_at(end - 2).is_some_and(|last| (0xd800..0xdc00).contains(&last)) {
        end -= 2;
    }
    let start = if !keep_mark && end >= 2 && unit_at(0) == Some(0xfeff) { 2 } else { 0 };
    let mut out = Vec::new();
    // every unit is three bytes at most, and most are one
    out.try_reserve(end / 2).map_err(|_| js::throw_out_of_memory())?;
    let (pairs, _) = bytes[start..end].as_chunks();
    for decoded in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        let letter = match decoded {
            Ok(letter) => letter,
            Err(_) if fatal => return Err(not_valid(name)),
            Err(_) => char::REPLACEMENT_CHARACTER,
        };
        text::append(&mut out, letter.encode_utf8(&mut [0; 4]).as_bytes())?;
    }
    let left = &bytes[end..];
    if !stream && !left.is_empty() {
        if fatal {
            return Err(not_valid(name));
        }
        text::append(&mut out, "\u{fffd}".as_bytes())?;
    }
    Ok((Value::string(&out)?, if stream { left } else { &[] }))
}

/// What windows-1252 has from 0x80 to 0x9f, where Latin-1 has controls. Five are controls here, too.
const WINDOWS_1252: [char; 32] = [
    '\u{20ac}', '\u{81}', '\u{201a}', '\u{192}', '\u{201e}', '\u{2026}', '\u{2020}', '\u{2021}', '\u{2c6}', '\u{2030}',
    '\u{160}', '\u{2039}', '\u{152}', '\u{8d}', '\u{17d}', '\u{8f}', '\u{90}', '\u{2018}', '\u{2019}', '\u{201c}',
    '\u{201d}', '\u{2022}', '\u{2013}', '\u{2014}', '\u{2dc}', '\u{2122}', '\u{161}', '\u{203a}', '\u{153}', '\u{9d}',
    '\u{17e}', '\u{178}',
];

/// Every byte is a character: nothing is invalid, and nothing left.
fn windows_1252(bytes: &[u8]) -> js::Result<Value> {
    if bytes.is_ascii() {
        return Value::string(bytes);
    }
    let mut out = Vec::new();
    out.try_reserve(bytes.len()).map_err(|_| js::throw_out_of_memory())?;
    for &byte in bytes {
        let letter = match byte {
            0x80..=0x9f => WINDOWS_1252[usize::from(byte - 0x80)],
            _ => char::from(byte),
        };
        text::append(&mut out, letter.encode_utf8(&mut [0; 4]).as_bytes())?;
    }
    Value::string(&out)
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
