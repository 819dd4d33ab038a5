//! A thin layer over QuickJS's C interface: values that give their reference back, and exceptions as `Err`.
//!
//! There is one context for the life of the program, made by [`init`] before anything else runs, and one thread. Every
//! `unsafe` call below rests on that, and on the rule that a [`Raw`] is only passed on while somebody owns it.
use core::cell::Cell;
use core::ffi::{CStr, c_char, c_int, c_void};
use javy::quickjs::qjs;

pub use qjs::{JSContext, JSRuntime};

use crate::memory::Block;

/// From this size on a block of bytes isn't copied.
const ADOPTED_BYTES_MIN: usize = 16 << 10;

/// A borrowed JavaScript value.
pub type Raw = qjs::JSValue;
pub type Atom = qjs::JSAtom;

/// What JavaScript calls: `this` and the arguments are borrowed, the result is owned.
pub type Native = unsafe extern "C" fn(*mut JSContext, Raw, c_int, *mut Raw, c_int) -> Raw;

pub const UNDEFINED: Raw = qjs::JS_UNDEFINED;
pub const NULL: Raw = qjs::JS_NULL;
pub const EXCEPTION: Raw = qjs::JS_EXCEPTION;

/// Lets a value be a `static` because the guest has one thread.
pub struct SingleThread<T>(pub T);

// SAFETY: WebAssembly without threads: nothing is ever shared.
unsafe impl<T> Sync for SingleThread<T> {}

static CONTEXT: SingleThread<Cell<*mut JSContext>> = SingleThread(Cell::new(core::ptr::null_mut()));
static RUNTIME: SingleThread<Cell<*mut JSRuntime>> = SingleThread(Cell::new(core::ptr::null_mut()));

/// # Safety
/// `context` must live for the rest of the program.
pub unsafe fn init(context: *mut JSContext) {
    CONTEXT.0.set(context);
    // SAFETY: a live context.
    RUNTIME.0.set(unsafe { qjs::JS_GetRuntime(context) });
}

/// Whether there is an engine yet.
pub fn is_ready() -> bool {
    !RUNTIME.0.get().is_null()
}

pub fn context() -> *mut JSContext {
    CONTEXT.0.get()
}

pub fn runtime() -> *mut JSRuntime {
    RUNTIME.0.get()
}

/// An exception is pending in the context.
#[derive(Debug)]
pub struct Thrown;

pub type Result<T> = core::result::Result<T, Thrown>;

/// One reference to a value, given back on drop.
pub struct Value(Raw);

impl Value {
    /// Takes over the result of a call into the engine.
    pub fn checked(raw: Raw) -> Result<Value> {
        if is_exception(raw) { Err(Thrown) } else { Ok(Value(raw)) }
    }

    /// Takes over a value that is known to be no exception.
    pub fn owned(raw: Raw) -> Value {
        Value(raw)
    }

    pub fn copy_of(raw: Raw) -> Value {
        // SAFETY: `raw` is live.
        Value(unsafe { qjs::JS_DupValue(context(), raw) })
    }

    pub fn raw(&self) -> Raw {
        self.0
    }

    pub fn into_raw(self) -> Raw {
        let raw = self.0;
        core::mem::forget(self);
        raw
    }

    pub fn undefined() -> Value {
        Value(UNDEFINED)
    }

    pub fn null() -> Value {
        Value(NULL)
    }

    pub fn bool(value: bool) -> Value {
        Value(qjs::JS_MKVAL(qjs::JS_TAG_BOOL, value as i32))
    }

    pub fn int(value: i32) -> Value {
        Value(qjs::JS_MKVAL(qjs::JS_TAG_INT, value))
    }

    /// An integer where it is one, as JavaScript's own arithmetic makes it.
    pub fn number(value: f64) -> Value {
        Value(qjs::JS_NewFloat64(value))
    }

    pub fn big_signed(value: i64) -> Result<Value> {
        // SAFETY: see the module.
        Value::checked(unsafe { qjs::JS_NewBigInt64(context(), value) })
    }

    pub fn big_unsigned(value: u64) -> Result<Value> {
        // SAFETY: see the module.
        Value::checked(unsafe { qjs::JS_NewBigUint64(context(), value) })
    }

    pub fn string(utf8: &[u8]) -> Result<Value> {
        // SAFETY: the bytes are copied.
        Value::checked(unsafe { qjs::JS_NewStringLen(context(), utf8.as_ptr().cast(), utf8.len() as _) })
    }

    pub fn object() -> Result<Value> {
        // SAFETY: see the module.
        Value::checked(unsafe { qjs::JS_NewObject(context()) })
    }

    pub fn array() -> Result<Value> {
        // SAFETY: see the module.
        Value::checked(unsafe { qjs::JS_NewArray(context()) })
    }

    /// A Uint8Array with a copy of the bytes.
    pub fn bytes(bytes: &[u8]) -> Result<Value> {
        // SAFETY: the bytes are copied.
        Value::checked(unsafe { qjs::JS_NewUint8ArrayCopy(context(), bytes.as_ptr(), bytes.len() as _) })
    }

    /// A Uint8Array of the bytes of a block. A large one becomes the array's own; a small one is copied, so that it lies
    /// with what else a script has.
    pub fn byte_block(block: Block) -> Result<Value> {
        if block.bytes().len() < ADOPTED_BYTES_MIN {
            return Value::bytes(block.bytes());
        }
        let (pointer, length) = block.into_raw();
        // SAFETY: the engine takes over a block of malloc, which is what it was made with.
        Value::checked(unsafe { qjs::JS_NewUint8ArrayAdopt(context(), pointer, length as _) })
    }

    /// A function whose code is told apart by `magic`.
    pub fn function(native: Native, name: &CStr, length: usize, magic: i32) -> Result<Value> {
        // SAFETY: the C side calls a "generic_magic" function with exactly the parameters of `Native`.
        Value::checked(unsafe {
            let erased = core::mem::transmute::<
                Native,
                unsafe extern "C" fn(*mut JSContext, Raw, c_int, *mut Raw) -> Raw,
            >(native);
            let kind = qjs::JSCFunctionEnum_JS_CFUNC_generic_magic;
            qjs::JS_NewCFunction2(context(), Some(erased), name.as_ptr(), length as c_int, kind, magic)
        })
    }

    pub fn global() -> Value {
        // SAFETY: see the module.
        Value(unsafe { qjs::JS_GetGlobalObject(context()) })
    }

    /// Defines an ordinary property, whatever setters the prototypes have.
    pub fn define(&self, name: Atom, value: Value) -> Result<()> {
        // SAFETY: `value` is handed over.
        done(unsafe {
            qjs::JS_DefinePropertyValue(context(), self.0, name, value.into_raw(), qjs::JS_PROP_C_W_E as c_int)
        })
    }

    pub fn define_index(&self, index: u32, value: Value) -> Result<()> {
        // SAFETY: `value` is handed over.
        done(unsafe {
            qjs::JS_DefinePropertyValueUint32(context(), self.0, index, value.into_raw(), qjs::JS_PROP_C_W_E as c_int)
        })
    }

    /// Defines a property that `for in` and `Object.keys` don't show, like those of the language.
    pub fn define_hidden(&self, name: &CStr, value: Value) -> Result<()> {
        let flags = qjs::JS_PROP_CONFIGURABLE | qjs::JS_PROP_WRITABLE;
        // SAFETY: `value` is handed over, the name is copied.
        done(unsafe {
            qjs::JS_DefinePropertyValueStr(context(), self.0, name.as_ptr(), value.into_raw(), flags as c_int)
        })
    }

    pub fn delete(&self, name: &CStr) -> Result<()> {
        let name = atom(name.to_bytes())?;
        // SAFETY: `name` is a live atom and is given back.
        done(unsafe {
            let status = qjs::JS_DeleteProperty(context(), self.0, name, 0);
            qjs::JS_FreeAtom(context(), name);
            status
        })
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        // SAFETY: owned.
        unsafe { qjs::JS_FreeValue(context(), self.0) }
    }
}

fn done(status: c_int) -> Result<()> {
    if status < 0 { Err(Thrown) } else { Ok(()) }
}

/// An atom that is kept for good.
pub fn atom(name: &[u8]) -> Result<Atom> {
    // SAFETY: the bytes are copied.
    let atom = unsafe { qjs::JS_NewAtomLen(context(), name.as_ptr().cast(), name.len() as _) };
    if atom == 0 { Err(Thrown) } else { Ok(atom) }
}

/// Reads a property; getters and proxies run.
pub fn get(object: Raw, name: Atom) -> Result<Value> {
    // SAFETY: see the module.
    Value::checked(unsafe { qjs::JS_GetProperty(context(), object, name) })
}

pub fn get_named(object: Raw, name: &CStr) -> Result<Value> {
    // SAFETY: the name is copied.
    Value::checked(unsafe { qjs::JS_GetPropertyStr(context(), object, name.as_ptr()) })
}

/// An Error without a message, made here.
pub fn error() -> Result<Value> {
    // SAFETY: a live context.
    Value::checked(unsafe { qjs::JS_NewPlainError(context(), c"".as_ptr()) })
}

/// The frames of an Error's stack as text, without running any code; undefined of what has none, or a `stack` of its own.
pub fn frames_of(error: Raw) -> Result<Value> {
    // SAFETY: any value.
    Value::checked(unsafe { qjs::JS_GetErrorFrames(context(), error) })
}

pub fn get_index(object: Raw, index: u32) -> Result<Value> {
    // SAFETY: see the module.
    Value::checked(unsafe { qjs::JS_GetPropertyUint32(context(), object, index) })
}

/// The `length` property as ToLength makes it; a proxy may claim up to 2^53 - 1.
pub fn length(object: Raw) -> Result<u64> {
    let mut length = 0i64;
    // SAFETY: see the module.
    done(unsafe { qjs::JS_GetLength(context(), object, &mut length) })?;
    Ok(length.max(0) as u64)
}

pub fn call(function: Raw, this: Raw, arguments: &mut [Raw]) -> Result<Value> {
    // SAFETY: the engine borrows function, receiver and arguments.
    Value::checked(unsafe { qjs::JS_Call(context(), function, this, arguments.len() as c_int, arguments.as_mut_ptr()) })
}

/// Takes the pending exception.
pub fn take_exception() -> Value {
    // SAFETY: see the module.
    Value(unsafe { qjs::JS_GetException(context()) })
}

pub fn throw(value: Value) -> Thrown {
    // SAFETY: `value` is handed over.
    unsafe { qjs::JS_Throw(context(), value.into_raw()) };
    Thrown
}

pub fn throw_type_error(message: &str) -> Thrown {
    throw_with(message, |context, format, text| {
        // SAFETY: "%s" takes the one C string.
        unsafe { qjs::JS_ThrowTypeError(context, format, text) };
    })
}

pub fn throw_range_error(message: &str) -> Thrown {
    throw_with(message, |context, format, text| {
        // SAFETY: "%s" takes the one C string.
        unsafe { qjs::JS_ThrowRangeError(context, format, text) };
    })
}

pub fn throw_reference_error(message: &str) -> Thrown {
    throw_with(message, |context, format, text| {
        // SAFETY: "%s" takes the one C string.
        unsafe { qjs::JS_ThrowReferenceError(context, format, text) };
    })
}

/// The engine formats messages into a buffer of 256 bytes; longer ones are cut there.
fn throw_with(message: &str, throw: impl Fn(*mut JSContext, *const c_char, *const c_char)) -> Thrown {
    let mut text = [0u8; 256];
    let mut end = message.len().min(text.len() - 1);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].copy_from_slice(&message.as_bytes()[..end]);
    throw(context(), c"%s".as_ptr(), text.as_ptr().cast());
    Thrown
}

pub fn throw_out_of_memory() -> Thrown {
    // SAFETY: see the module.
    unsafe { qjs::JS_ThrowOutOfMemory(context()) };
    Thrown
}

/// Throws what no `catch` of the script gets to see.
pub fn throw_uncatchable() -> Thrown {
    // SAFETY: the new error is taken, marked and thrown again.
    unsafe {
        qjs::JS_ThrowInternalError(context(), c"interrupted".as_ptr());
        let error = qjs::JS_GetException(context());
        qjs::JS_SetUncatchableError(context(), error);
        qjs::JS_Throw(context(), error);
    }
    Thrown
}

macro_rules! tests {
    ($($name:ident = $test:ident;)*) => {
        $(pub fn $name(value: Raw) -> bool {
            // SAFETY: only looks at the value's tag and class.
            unsafe { qjs::$test(value) }
        })*
    };
}

tests! {
    is_exception = JS_IsException;
    is_undefined = JS_IsUndefined;
    is_null = JS_IsNull;
    is_bool = JS_IsBool;
    is_int = JS_IsInt;
    is_number = JS_IsNumber;
    is_bigint = JS_IsBigInt;
    is_string = JS_IsString;
    is_symbol = JS_IsSymbol;
    is_object = JS_IsObject;
    is_error = JS_IsError;
    is_array = JS_IsArray;
    is_promise = JS_IsPromise;
    is_proxy = JS_IsProxy;
    is_uncatchable = JS_IsUncatchableError;
}

/// Evaluates a script of the guest's own.
pub fn evaluate(source: &str, name: &CStr) -> Result<Value> {
    let mut text = source.as_bytes().to_vec();
    text.push(0);
    // SAFETY: the source ends with NUL, which its length leaves out.
    Value::checked(unsafe {
        let flags = qjs::JS_EVAL_TYPE_GLOBAL as c_int;
        qjs::JS_Eval(context(), text.as_ptr().cast(), source.len() as _, name.as_ptr(), flags)
    })
}

/// # Safety
/// `arguments` must hold `count` live values, as the engine passes them to a native function.
pub unsafe fn arguments<'a>(arguments: *mut Raw, count: c_int) -> &'a [Raw] {
    if count <= 0 {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { core::slice::from_raw_parts(arguments, count as usize) }
}

/// Whether a value counts as true; runs no user code.
pub fn is_true(value: Raw) -> bool {
    // SAFETY: see the module.
    unsafe { qjs::JS_ToBool(context(), value) > 0 }
}

pub fn is_function(value: Raw) -> bool {
    // SAFETY: only looks at the value's class.
    unsafe { qjs::JS_IsFunction(context(), value) }
}

/// The content of a boolean.
pub fn as_bool(value: Raw) -> bool {
    // SAFETY: only looks at the bits.
    unsafe { qjs::JS_VALUE_GET_BOOL(value) }
}

/// The content of an integer value.
pub fn as_int(value: Raw) -> i32 {
    // SAFETY: only looks at the bits.
    unsafe { qjs::JS_VALUE_GET_INT(value) }
}

/// The content of a number.
pub fn as_number(value: Raw) -> f64 {
    if is_int(value) {
        return f64::from(as_int(value));
    }
    // SAFETY: only looks at the bits.
    unsafe { qjs::JS_VALUE_GET_FLOAT64(value) }
}

/// Any value as a number; what is none is converted, and so may run user code.
pub fn to_number(value: Raw) -> Result<f64> {
    let mut number = 0.0;
    // SAFETY: the engine writes the number.
    done(unsafe { qjs::JS_ToFloat64(context(), &mut number, value) })?;
    Ok(number)
}

/// The address of an object or other value on the heap, as its identity.
pub fn address(value: Raw) -> *mut c_void {
    // SAFETY: only looks at the bits.
    unsafe { qjs::JS_VALUE_GET_PTR(value) }
}

/// The UTF-8 form of a string, lent by the engine (no copy when the string is ASCII). Lone surrogates come as three
/// bytes that are no UTF-8: see [`crate::text::Text`].
pub struct Utf8 {
    pointer: *const c_char,
    length: usize,
}

impl Utf8 {
    /// Any value; what isn't a string is converted, and so may run user code.
    pub fn of(value: Raw) -> Result<Utf8> {
        let mut length = 0usize;
        // SAFETY: the engine writes the length and lends the bytes until JS_FreeCString.
        let pointer = unsafe { qjs::JS_ToCStringLen(context(), &mut length, value) };
        if pointer.is_null() { Err(Thrown) } else { Ok(Utf8 { pointer, length }) }
    }

    /// The text of an atom; for a symbol its description.
    pub fn of_atom(atom: Atom) -> Result<Utf8> {
        let mut length = 0;
        // SAFETY: as above.
        let pointer = unsafe { qjs::JS_AtomToCStringLen(context(), &mut length, atom) };
        if pointer.is_null() { Err(Thrown) } else { Ok(Utf8 { pointer, length: length as usize }) }
    }

    pub fn bytes(&self) -> &[u8] {
        // SAFETY: lent while `self` lives.
        unsafe { core::slice::from_raw_parts(self.pointer.cast(), self.length) }
    }
}

impl Drop for Utf8 {
    fn drop(&mut self) {
        // SAFETY: from JS_ToCStringLen or JS_AtomToCStringLen.
        unsafe { qjs::JS_FreeCString(context(), self.pointer) }
    }
}
