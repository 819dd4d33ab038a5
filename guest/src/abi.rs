//! The functions of `wit_dylib.h` that the bindings call: pushing incoming values, popping outgoing ones.
use crate::call::{Call, Form, Item, Slot};
use crate::js::{self, Value};
use crate::memory::{Block, Context, Deferred};
use crate::wit::{EMPTY, Type, Wit, kind};
use core::cell::Cell;

static WIT: js::SingleThread<Cell<Option<&'static Wit>>> = js::SingleThread(Cell::new(None));

/// The tables of the component's world.
pub fn wit() -> &'static Wit {
    match WIT.0.get() {
        Some(wit) => wit,
        None => panic!("wit_dylib_initialize comes first"),
    }
}

#[unsafe(no_mangle)]
extern "C" fn wit_dylib_initialize(wit: *const Wit) {
    // SAFETY: the tables live for the whole program.
    let wit = unsafe { &*wit };
    assert_eq!(wit.version, crate::wit::VERSION, "made for another version of wit-dylib");
    WIT.0.set(Some(wit));
    crate::init();
}

fn call<'a>(context: Context) -> &'a mut Call {
    // SAFETY: every context is a Call, either of `wit_dylib_export_start` or of an import's call, and the bindings run
    // while nobody else uses it.
    unsafe { &mut *context.cast::<Call>() }
}

#[unsafe(no_mangle)]
extern "C" fn wit_dylib_export_start(_which: usize) -> Context {
    Box::into_raw(crate::call::take()).cast()
}

#[unsafe(no_mangle)]
extern "C" fn wit_dylib_export_call(context: Context, which: usize) {
    crate::exports::call(call(context), which);
}

#[unsafe(no_mangle)]
extern "C" fn wit_dylib_export_finish(context: Context, _which: usize) {
    // SAFETY: made by `wit_dylib_export_start`, and this is its last use.
    let call = unsafe { Box::from_raw(context.cast::<Call>()) };
    crate::host::closed(|| crate::call::give_back(call));
}

#[unsafe(no_mangle)]
extern "C" fn wit_dylib_dealloc_bytes(context: Context, pointer: *mut u8, size: usize, _align: usize, defer: bool) {
    if size == 0 {
        return;
    }
    // SAFETY: the bindings give a block of cabi_realloc away.
    let block = unsafe { Deferred::from_raw(pointer) };
    crate::host::closed(|| {
        if defer {
            call(context).defer(block)
        }
    });
}

/// Resources aren't supported: no world of this guest has one.
#[unsafe(no_mangle)]
extern "C" fn wit_dylib_resource_dtor(_ty: usize, _handle: usize) {}

macro_rules! push {
    ($($name:ident($ty:ty) = $slot:expr;)*) => {
        $(#[unsafe(no_mangle)]
        extern "C" fn $name(context: Context, value: $ty) {
            call(context).push($slot(value));
        })*
    };
}

push! {
    wit_dylib_push_bool(bool) = Slot::Bool;
    wit_dylib_push_char(u32) = Slot::Char;
    wit_dylib_push_u8(u8) = |value| Slot::Int(i64::from(value));
    wit_dylib_push_s8(i8) = |value| Slot::Int(i64::from(value));
    wit_dylib_push_u16(u16) = |value| Slot::Int(i64::from(value));
    wit_dylib_push_s16(i16) = |value| Slot::Int(i64::from(value));
    wit_dylib_push_u32(u32) = |value| Slot::Int(i64::from(value));
    wit_dylib_push_s32(i32) = |value| Slot::Int(i64::from(value));
    wit_dylib_push_u64(u64) = Slot::BigUnsigned;
    wit_dylib_push_s64(i64) = Slot::BigSigned;
    wit_dylib_push_f32(f32) = |value| Slot::Float(f64::from(value));
    wit_dylib_push_f64(f64) = Slot::Float;
}

#[unsafe(no_mangle)]
extern "C" fn wit_dylib_push_string(context: Context, pointer: *mut u8, length: usize) {
    // SAFETY: the bindings hand the block over.
    call(context).push(Slot::Text(unsafe { Block::from_raw(pointer, length) }));
}

#[unsafe(no_mangle)]
extern "C" fn wit_dylib_push_enum(context: Context, ty: usize, case: u32) {
    let name = wit().enums.slice()[ty].shape.slice()[case as usize].text();
    call(context).push(Slot::Enum { case, name });
}

#[unsafe(no_mangle)]
extern "C" fn wit_dylib_push_flags(context: Context, ty: usize, bits: u32) {
    let call = call(context);
    let names = &crate::imports::names().flags[ty];
    let flags = Value::object().and_then(|object| {
        for (bit, name) in names.iter().enumerate() {
            object.define(*name, Value::bool(bits >> bit & 1 == 1))?;
        }
        Ok(object)
    });
    push_built(call, flags);
}

#[unsafe(no_mangle)]
extern "C" fn wit_dylib_push_record(context: Context, ty: usize) {
    let call = call(context);
    let names = &crate::imports::names().records[ty];
    // the last field is on top; defined in that order, `Object.keys` would come out backwards
    let mut fields: [Option<Value>; 16] = [const { None }; 16];
    let mut more = Vec::new();
    for at in (0..names.len()).rev() {
        let value = call.pop_js();
        match fields.get_mut(at) {
            Some(field) => *field = Some(value),
            None => more.push(value),
        }
    }
    let record = Value::object().and_then(|object| {
        for (at, name) in names.iter().enumerate() {
            let value = match fields.get_mut(at) {
                Some(field) => field.take(),
                None => more.pop(),
            };
            object.define(*name, value.unwrap_or_else(Value::undefined))?;
        }
        Ok(object)
    });
    push_built(call, record);
}

#[unsafe(no_mangle)]
extern "C" fn wit_dylib_push_tuple(context: Context, ty: usize) {
    let call = call(context);
    let count = wit().tuples.slice()[ty].shape.slice().len();
    let mut values: Vec<Value> = (0..count).map(|_| call.pop_js()).collect();
    let tuple = Value::array().and_then(|array| {
        for index in 0..count {
            array.define_index(index as u32, values.pop().unwrap_or_else(Value::undefined))?;
        }
        Ok(array)
    });
    push_built(call, tuple);
}

fn push_built(call: &mut Call, value: js::Result<Value>) {
    call.failed |= value.is_err();
    call.push(Slot::Js(value.unwrap_or_else(|_| Value::undefined())));
}

fn push_case(context: Context, form: Form, case: u32, name: &'static str, ty: Type) {
    call(context).push(Slot::Case { form, case, name, payload: ty != EMPTY });
}

#[unsafe(no_mangle)]
extern "C" fn wit_dylib_push_option(context: Context, _ty: usize, case: u32) {
    push_case(context, Form::Option, case, "", if case == 0 { EMPTY } else { 0 });
}

#[unsafe(no_mangle)]
extern "C" fn wit_dylib_push_result(context: Context, ty: usize, case: u32) {
    let shape = &wit().results.slice()[ty].shape;
    let (name, payload) = if case == 0 { ("ok", shape.ok) } else { ("err", shape.err) };
    push_case(context, Form::Tagged, case, name, payload);
}

#[unsafe(no_mangle)]
extern "C" fn wit_dylib_push_variant(context: Context, ty: usize, case: u32) {
    let shape = &wit().variants.slice()[ty].shape.slice()[case as usize];
    push_case(context, Form::Tagged, case, shape.name.text(), shape.ty);
}

/// True: the list was taken as it is. False: its elements follow, each with `wit_dylib_list_append`.
#[unsafe(no_mangle)]
extern "C" fn wit_dylib_push_list(context: Context, ty: usize, pointer: *mut u8, length: usize) -> bool {
    let call = call(context);
    if wit().resolve(wit().lists.slice()[ty].shape).0 == kind::U8 {
        // SAFETY: answering true takes the block over.
        call.push(Slot::Bytes(unsafe { Block::from_raw(pointer, length) }));
        return true;
    }
    let array = Value::array();
    call.failed |= array.is_err();
    call.push(Slot::List { array: array.unwrap_or_else(|_| Value::undefined()), length: 0 });
    false
}

#[unsafe(no_mangle)]
extern "C" fn wit_dylib_list_append(context: Context, _ty: usize) {
    call(context).append();
}

macro_rules! pop_int {
    ($($name:ident -> $ty:ty;)*) => {
        $(#[unsafe(no_mangle)]
        extern "C" fn $name(context: Context) -> $ty {
            match call(context).next() {
                Item::Int(value) => *value as $ty,
                _ => 0,
            }
        })*
    };
}

pop_int! {
    wit_dylib_pop_u8 -> u8;
    wit_dylib_pop_u16 -> u16;
    wit_dylib_pop_u32 -> u32;
    wit_dylib_pop_u64 -> u64;
    wit_dylib_pop_s8 -> i8;
    wit_dylib_pop_s16 -> i16;
    wit_dylib_pop_s32 -> i32;
    wit_dylib_pop_s64 -> i64;
    wit_dylib_pop_char -> u32;
}

#[unsafe(no_mangle)]
extern "C" fn wit_dylib_pop_bool(context: Context) -> bool {
    matches!(call(context).next(), Item::Int(1))
}

#[unsafe(no_mangle)]
extern "C" fn wit_dylib_pop_f32(context: Context) -> f32 {
    wit_dylib_pop_f64(context) as f32
}

#[unsafe(no_mangle)]
extern "C" fn wit_dylib_pop_f64(context: Context) -> f64 {
    match call(context).next() {
        Item::Float(value) => *value,
        _ => 0.0,
    }
}

macro_rules! pop_case {
    ($($name:ident)*) => {
        $(#[unsafe(no_mangle)]
        extern "C" fn $name(context: Context, _ty: usize) -> u32 {
            match call(context).next() {
                Item::Case(case) => *case,
                _ => 0,
            }
        })*
    };
}

pop_case! { wit_dylib_pop_enum wit_dylib_pop_flags wit_dylib_pop_option wit_dylib_pop_result wit_dylib_pop_variant }

macro_rules! nothing_to_do {
    ($($name:ident)*) => {
        $(#[unsafe(no_mangle)]
        extern "C" fn $name(_context: Context, _ty: usize) {})*
    };
}

// On the tape the parts simply follow.
nothing_to_do! { wit_dylib_pop_record wit_dylib_pop_tuple wit_dylib_pop_iter_next wit_dylib_pop_iter }

#[unsafe(no_mangle)]
extern "C" fn wit_dylib_pop_string(context: Context, out: *mut *const u8) -> usize {
    let bytes = match call(context).next() {
        Item::Text(text) => text.bytes(),
        _ => &[],
    };
    // SAFETY: `out` is a word of the bindings' frame; the text lives until the call is over.
    unsafe { out.write(bytes.as_ptr()) }
    bytes.len()
}

/// Bytes are lent as they lie here; for any other list null asks for element by element.
#[unsafe(no_mangle)]
extern "C" fn wit_dylib_pop_list(context: Context, _ty: usize, out: *mut *const u8) -> usize {
    let (pointer, length) = match call(context).next() {
        Item::Bytes(bytes) => (bytes.as_ptr(), bytes.len()),
        Item::List(length) => (core::ptr::null(), *length),
        _ => (core::ptr::null(), 0),
    };
    // SAFETY: `out` is a word of the bindings' frame.
    unsafe { out.write(pointer) }
    length
}
