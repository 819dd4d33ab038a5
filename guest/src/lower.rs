//! From a JavaScript value to the tape of a call. Everything that can throw or run user code happens here, before the
//! host is called.
use crate::abi::wit;
use crate::call::{Call, Item};
use crate::js::{self, Raw, Thrown, Utf8};
use crate::memory;
use crate::text::{self, Text};
use crate::wit::{EMPTY, Type, kind};
use javy::quickjs::qjs;

/// Bytes that the arguments of one call may take in memory, so that no claimed length runs away with it.
const CALL_BYTES_MAX: usize = 64 << 20;

/// Calls with less than this always find memory: the host keeps as much above the engine's limit.
const LARGE_CALL_BYTES: usize = 64 << 10;

/// What a list costs beside its elements: malloc's header and the note to free it.
const LIST_OVERHEAD_BYTES: usize = 32;

/// Why a value can't be passed.
pub enum Refusal {
    /// User code or the engine threw; the exception is pending.
    Thrown,
    /// The value doesn't fit. `path` leads to it from the argument: `.tags[2]`.
    Mismatch { path: String, problem: String },
}

impl From<Thrown> for Refusal {
    fn from(_: Thrown) -> Refusal {
        Refusal::Thrown
    }
}

type Result<T> = core::result::Result<T, Refusal>;

pub struct Lowering<'a> {
    call: &'a mut Call,
    /// Bytes of `CALL_BYTES_MAX` left.
    budget: usize,
    /// Bytes of lists that the bindings will copy.
    copied: usize,
}

impl<'a> Lowering<'a> {
    pub fn new(call: &'a mut Call) -> Lowering<'a> {
        Lowering { call, budget: CALL_BYTES_MAX, copied: 0 }
    }

    /// After the last argument: the bindings trap when there is no memory for their copies of lists, or for an answer,
    /// so that is found out here. An answer is taken to need no more than the arguments; what may need more, the host
    /// bounds.
    pub fn finish(self) -> js::Result<()> {
        let spent = CALL_BYTES_MAX - self.budget;
        if spent < LARGE_CALL_BYTES || memory::probe(spent + self.copied) {
            Ok(())
        } else {
            Err(js::throw_out_of_memory())
        }
    }

    /// Puts `value` on the tape as `ty`.
    pub fn value(&mut self, ty: Type, value: Raw) -> Result<()> {
        let (kind, index) = wit().resolve(ty);
        let item = match kind {
            kind::BOOL if js::is_bool(value) => Item::Int(i64::from(js::as_bool(value))),
            kind::BOOL => return expected("a boolean", value),
            kind::U8 => integer(value, 0.0, 255.0)?,
            kind::U16 => integer(value, 0.0, 65_535.0)?,
            kind::U32 => integer(value, 0.0, 4_294_967_295.0)?,
            kind::S8 => integer(value, -128.0, 127.0)?,
            kind::S16 => integer(value, -32_768.0, 32_767.0)?,
            kind::S32 => integer(value, -2_147_483_648.0, 2_147_483_647.0)?,
            kind::U64 => unsigned(value)?,
            kind::S64 => signed(value)?,
            kind::F32 | kind::F64 if js::is_number(value) => Item::Float(js::as_number(value)),
            kind::F32 | kind::F64 => return expected("a number", value),
            kind::STRING if js::is_string(value) => {
                let text = Text::of(value)?;
                self.spend(text.bytes().len())?;
                Item::Text(text)
            }
            kind::STRING => return expected("a string", value),
            kind::CHAR => character(value)?,
            kind::ENUM => {
                let names = wit().enums.slice()[index].shape.slice();
                Item::Case(case_named(value, names.iter().map(|name| name.text()))?)
            }
            kind::FLAGS => flags(index, value)?,
            kind::OPTION => return self.option(wit().options.slice()[index].shape, value),
            kind::RECORD => return self.record(index, value),
            kind::TUPLE => return self.tuple(wit().tuples.slice()[index].shape.slice(), value),
            kind::LIST => return self.list(wit().lists.slice()[index].shape, value),
            kind::VARIANT => {
                let cases = wit().variants.slice()[index].shape.slice();
                return self.tagged(value, |tag| {
                    let case = case_named(tag, cases.iter().map(|case| case.name.text()))?;
                    Ok((case, cases[case as usize].ty))
                });
            }
            kind::RESULT => {
                let shape = &wit().results.slice()[index].shape;
                return self.tagged(value, |tag| {
                    let case = case_named(tag, ["ok", "err"].into_iter())?;
                    Ok((case, if case == 0 { shape.ok } else { shape.err }))
                });
            }
            _ => return mismatch("a type that JavaScript has no values for".into()),
        };
        self.put(item)
    }

    fn put(&mut self, item: Item) -> Result<()> {
        self.spend(size_of::<Item>())?;
        Ok(self.call.put(item)?)
    }

    fn spend(&mut self, bytes: usize) -> Result<()> {
        match self.budget.checked_sub(bytes) {
            Some(rest) => {
                self.budget = rest;
                Ok(())
            }
            None => mismatch(format!("more than {} MiB of arguments in one call", CALL_BYTES_MAX >> 20)),
        }
    }

    fn option(&mut self, payload: Type, value: Raw) -> Result<()> {
        if js::is_undefined(value) || js::is_null(value) {
            return self.put(Item::Case(0));
        }
        self.put(Item::Case(1))?;
        self.value(payload, value)
    }

    fn record(&mut self, index: usize, value: Raw) -> Result<()> {
        if !js::is_object(value) {
            return expected("an object", value);
        }
        let fields = wit().records.slice()[index].shape.slice();
        for (field, name) in fields.iter().zip(&crate::imports::names().records[index]) {
            let member = js::get(value, *name)?;
            self.value(field.ty, member.raw())
                .map_err(|refusal| refusal.within(|| format!(".{}", crate::wit::camel_case(field.name.text()))))?;
        }
        Ok(())
    }

    fn tuple(&mut self, types: &[Type], value: Raw) -> Result<()> {
        if !js::is_array(value) {
            return expected("an array", value);
        }
        for (index, ty) in types.iter().enumerate() {
            self.element(*ty, value, index)?;
        }
        Ok(())
    }

    fn element(&mut self, ty: Type, list: Raw, index: usize) -> Result<()> {
        let element = js::get_index(list, index as u32)?;
        self.value(ty, element.raw()).map_err(|refusal| refusal.within(|| format!("[{index}]")))
    }

    fn list(&mut self, element: Type, value: Raw) -> Result<()> {
        let bytes = wit().resolve(element).0 == kind::U8;
        if bytes && let Some(content) = byte_view(value)? {
            // SAFETY: no JavaScript runs before the copy is made, so the buffer can't be detached or resized.
            let content = unsafe { core::slice::from_raw_parts(content.0, content.1) };
            self.spend(content.len())?;
            let copy = text::copy_of(content)?;
            return self.put(Item::Bytes(copy));
        }
        if !js::is_array(value) {
            return expected(if bytes { "a Uint8Array" } else { "an array" }, value);
        }
        let length = js::length(value)?;
        let (size, _) = wit().layout(element);
        // the tape holds an item or more for each element, the bindings a copy in the ABI's layout
        let least = length.saturating_mul(size.max(size_of::<Item>()) as u64);
        if least > self.budget as u64 {
            return mismatch(format!("a list of {length} elements is too long"));
        }
        let length = length as usize;
        if bytes {
            return self.byte_list(value, length);
        }
        self.spend(length * size)?;
        self.copied += length * size + LIST_OVERHEAD_BYTES;
        self.put(Item::List(length))?;
        for index in 0..length {
            self.element(element, value, index)?;
        }
        Ok(())
    }

    /// An ordinary array of numbers where bytes are wanted.
    fn byte_list(&mut self, value: Raw, length: usize) -> Result<()> {
        let mut content = Vec::new();
        content.try_reserve_exact(length).map_err(|_| js::throw_out_of_memory())?;
        for index in 0..length {
            let element = js::get_index(value, index as u32)?;
            match integer(element.raw(), 0.0, 255.0).map_err(|refusal| refusal.within(|| format!("[{index}]")))? {
                Item::Int(byte) => content.push(byte as u8),
                _ => return mismatch("expected a byte".into()),
            }
        }
        self.spend(length)?;
        self.put(Item::Bytes(content))
    }

    /// `{ tag, val }`.
    fn tagged(&mut self, value: Raw, find: impl Fn(Raw) -> Result<(u32, Type)>) -> Result<()> {
        if !js::is_object(value) {
            return expected("an object { tag, val }", value);
        }
        let names = crate::imports::names();
        let tag = js::get(value, names.tag)?;
        let (case, payload) = find(tag.raw()).map_err(|refusal| refusal.within(|| ".tag".into()))?;
        self.put(Item::Case(case))?;
        if payload == EMPTY {
            return Ok(());
        }
        let member = js::get(value, names.val)?;
        self.value(payload, member.raw()).map_err(|refusal| refusal.within(|| ".val".into()))
    }
}

impl Refusal {
    /// Puts the step that led here in front of the path.
    fn within(self, step: impl FnOnce() -> String) -> Refusal {
        match self {
            Refusal::Mismatch { path, problem } => Refusal::Mismatch { path: step() + &path, problem },
            Refusal::Thrown => Refusal::Thrown,
        }
    }
}

fn mismatch<T>(problem: String) -> Result<T> {
    Err(Refusal::Mismatch { path: String::new(), problem })
}

fn expected<T>(what: &str, value: Raw) -> Result<T> {
    mismatch(format!("expected {what}, got {}", describe(value)))
}

/// A value's kind in words.
fn describe(value: Raw) -> &'static str {
    match value {
        v if js::is_undefined(v) => "undefined",
        v if js::is_null(v) => "null",
        v if js::is_bool(v) => "a boolean",
        v if js::is_number(v) => "a number",
        v if js::is_bigint(v) => "a bigint",
        v if js::is_string(v) => "a string",
        v if js::is_symbol(v) => "a symbol",
        v if js::is_function(v) => "a function",
        v if js::is_array(v) => "an array",
        v if js::is_promise(v) => "a promise (await it first)",
        _ => "an object",
    }
}

fn integer(value: Raw, least: f64, most: f64) -> Result<Item> {
    if js::is_int(value) {
        let small = js::as_int(value);
        if f64::from(small) >= least && f64::from(small) <= most {
            return Ok(Item::Int(i64::from(small)));
        }
    }
    if !js::is_number(value) {
        return expected("a number", value);
    }
    let number = js::as_number(value);
    if number.trunc() != number || number < least || number > most {
        return mismatch(format!("expected an integer from {least} to {most}, got {number}"));
    }
    Ok(Item::Int(number as i64))
}

const SAFE_INTEGER_MAX: f64 = 9_007_199_254_740_991.0;

fn unsigned(value: Raw) -> Result<Item> {
    if !js::is_bigint(value) {
        return integer(value, 0.0, SAFE_INTEGER_MAX);
    }
    let mut number = 0u64;
    // SAFETY: a bigint is read, which runs no user code.
    let (status, back) = unsafe {
        let status = qjs::JS_ToBigUint64(js::context(), &mut number, value);
        (status, js::Value::big_unsigned(number)?)
    };
    if status < 0 {
        return Err(Refusal::Thrown);
    }
    if !same(value, back.raw()) {
        return mismatch("expected an integer of 64 bits without a sign".into());
    }
    Ok(Item::Int(number as i64))
}

fn signed(value: Raw) -> Result<Item> {
    if !js::is_bigint(value) {
        return integer(value, -SAFE_INTEGER_MAX, SAFE_INTEGER_MAX);
    }
    let mut number = 0i64;
    // SAFETY: a bigint is read, which runs no user code.
    let (status, back) = unsafe {
        let status = qjs::JS_ToBigInt64(js::context(), &mut number, value);
        (status, js::Value::big_signed(number)?)
    };
    if status < 0 {
        return Err(Refusal::Thrown);
    }
    if !same(value, back.raw()) {
        return mismatch("expected an integer of 64 bits".into());
    }
    Ok(Item::Int(number))
}

/// Whether two bigints are equal: the conversion above wraps.
fn same(left: Raw, right: Raw) -> bool {
    // SAFETY: both are live.
    unsafe { qjs::JS_IsStrictEqual(js::context(), left, right) }
}

fn character(value: Raw) -> Result<Item> {
    if js::is_string(value) && js::length(value)? <= 2 {
        let text = Text::of(value)?;
        let mut letters = text.str().chars();
        if let (Some(letter), None) = (letters.next(), letters.next()) {
            return Ok(Item::Int(i64::from(u32::from(letter))));
        }
    }
    expected("a string of one character", value)
}

fn case_named(value: Raw, names: impl Iterator<Item = &'static str> + Clone) -> Result<u32> {
    if js::is_string(value) {
        let text = Utf8::of(value)?;
        if let Some(case) = names.clone().position(|name| name.as_bytes() == text.bytes()) {
            return Ok(case as u32);
        }
    }
    let mut choices = String::new();
    for name in names.take(8) {
        choices += if choices.is_empty() { "'" } else { ", '" };
        choices += name;
        choices.push('\'');
    }
    expected(&format!("one of {choices}"), value)
}

fn flags(index: usize, value: Raw) -> Result<Item> {
    if !js::is_object(value) {
        return expected("an object of booleans", value);
    }
    let mut bits = 0;
    for (bit, name) in crate::imports::names().flags[index].iter().enumerate() {
        let member = js::get(value, *name)?;
        if js::is_true(member.raw()) {
            bits |= 1 << bit;
        }
    }
    Ok(Item::Case(bits))
}

/// Where the bytes of a Uint8Array or an ArrayBuffer are; `None` for any other value.
pub fn byte_view(value: Raw) -> js::Result<Option<(*const u8, usize)>> {
    // SAFETY: only looks at the value's class.
    let is_array =
        unsafe { qjs::JS_GetTypedArrayType(value) == qjs::JSTypedArrayEnum_JS_TYPED_ARRAY_UINT8 as core::ffi::c_int };
    // SAFETY: only looks at the value's class.
    let is_buffer = unsafe { qjs::JS_IsArrayBuffer(value) };
    if !is_array && !is_buffer {
        return Ok(None);
    }
    let mut length = 0;
    // SAFETY: the class was checked; the engine answers null, with an exception, for a detached buffer.
    let pointer: *const u8 = unsafe {
        if is_array {
            qjs::JS_GetUint8Array(js::context(), &mut length, value)
        } else {
            qjs::JS_GetArrayBuffer(js::context(), &mut length, value)
        }
    };
    if length == 0 || pointer.is_null() {
        if pointer.is_null() {
            drop(js::take_exception());
        }
        return Ok(Some((core::ptr::NonNull::dangling().as_ptr(), 0)));
    }
    Ok(Some((pointer, length as usize)))
}
