//! The context of one call across the component's boundary, in either direction.
//!
//! Outgoing values lie on a tape in the order in which the bindings pop them, which is pre-order: a record is its fields,
//! a case is its number and then its payload, a list is its length and then its elements. So popping is reading on, and
//! no JavaScript runs between the check of a value and its use. Incoming values are pushed in post-order onto a stack.
use crate::js::{self, Value};
use crate::memory::{Block, Deferred};
use crate::text::Text;
use core::cell::Cell;

/// A value on its way out.
pub enum Item {
    Int(i64),
    Float(f64),
    /// Which case of an enum, option, result or variant, or the bits of flags; its payload follows.
    Case(u32),
    /// How many elements follow.
    List(usize),
    Text(Text),
    Bytes(Vec<u8>),
}

/// A value on its way in. Scalars and blocks stay native until somebody wants them as JavaScript.
pub enum Slot {
    Bool(bool),
    Int(i64),
    BigSigned(i64),
    BigUnsigned(u64),
    Float(f64),
    Char(u32),
    Text(Block),
    Bytes(Block),
    /// An enum: JavaScript sees its name.
    Enum {
        case: u32,
        name: &'static str,
    },
    Js(Value),
    List {
        array: Value,
        length: u32,
    },
    /// A case whose payload, if `payload`, lies under it on the stack.
    Case {
        form: Form,
        case: u32,
        name: &'static str,
        payload: bool,
    },
}

/// How a case looks in JavaScript.
#[derive(Clone, Copy, PartialEq)]
pub enum Form {
    /// null or the payload.
    Option,
    /// `{ tag, val }`.
    Tagged,
}

#[derive(Default)]
pub struct Call {
    tape: Vec<Item>,
    read: usize,
    slots: Vec<Slot>,
    deferred: Vec<Deferred>,
    /// JavaScript had no memory for an incoming value; the exception is pending.
    pub failed: bool,
}

static SPARE: js::SingleThread<Cell<Option<Box<Call>>>> = js::SingleThread(Cell::new(None));

/// Makes the first context, before the engine is made: it then lies beside what every script touches anyway, and costs a
/// session no page of its own.
pub fn reserve() {
    give_back(Box::new(Call {
        tape: Vec::with_capacity(16),
        slots: Vec::with_capacity(16),
        deferred: Vec::with_capacity(16),
        ..Call::default()
    }));
}

/// A context to use, the last one again when it is free (a getter may call the host while arguments are read).
pub fn take() -> Box<Call> {
    SPARE.0.take().unwrap_or_default()
}

pub fn give_back(mut call: Box<Call>) {
    call.clear();
    // what an unusually large call needed isn't kept
    if call.tape.capacity() > 4096 {
        call.tape = Vec::new();
    }
    SPARE.0.set(Some(call));
}

impl Call {
    fn clear(&mut self) {
        self.tape.clear();
        self.read = 0;
        self.slots.clear();
        self.deferred.clear();
        self.failed = false;
    }

    /// Puts a value on the tape; fails as JavaScript's out of memory.
    pub fn put(&mut self, item: Item) -> js::Result<()> {
        if self.tape.len() == self.tape.capacity() {
            self.tape.try_reserve(1).map_err(|_| js::throw_out_of_memory())?;
        }
        self.tape.push(item);
        Ok(())
    }

    /// The next value of the tape. The bindings never ask for more than was put there.
    pub fn next(&mut self) -> &mut Item {
        let at = self.read;
        self.read += 1;
        &mut self.tape[at]
    }

    /// Frees `block` when the call is over.
    pub fn defer(&mut self, block: Deferred) {
        self.deferred.push(block);
    }

    pub fn push(&mut self, slot: Slot) {
        self.slots.push(slot);
    }

    pub fn pop(&mut self) -> Option<Slot> {
        self.slots.pop()
    }

    /// Pops a value as JavaScript. Without memory the call is marked as failed and the value is undefined.
    pub fn pop_js(&mut self) -> Value {
        match self.slots.pop() {
            Some(slot) => match self.lift(slot) {
                Ok(value) => value,
                Err(js::Thrown) => {
                    self.failed = true;
                    Value::undefined()
                }
            },
            None => Value::undefined(),
        }
    }

    fn lift(&mut self, slot: Slot) -> js::Result<Value> {
        Ok(match slot {
            Slot::Bool(value) => Value::bool(value),
            Slot::Int(value) => match i32::try_from(value) {
                Ok(small) => Value::int(small),
                Err(_) => Value::number(value as f64),
            },
            Slot::BigSigned(value) => Value::big_signed(value)?,
            Slot::BigUnsigned(value) => Value::big_unsigned(value)?,
            Slot::Float(value) => Value::number(value),
            Slot::Char(value) => {
                let mut utf8 = [0; 4];
                Value::string(char::from_u32(value).unwrap_or('\u{fffd}').encode_utf8(&mut utf8).as_bytes())?
            }
            Slot::Text(block) => Value::string(block.bytes())?,
            Slot::Bytes(block) => Value::byte_block(block)?,
            Slot::Enum { name, .. } => Value::string(name.as_bytes())?,
            Slot::Js(value) | Slot::List { array: value, .. } => value,
            Slot::Case { form: Form::Option, payload, .. } => {
                if payload {
                    self.pop_js()
                } else {
                    Value::null()
                }
            }
            Slot::Case { form: Form::Tagged, name, payload, .. } => {
                let value = payload.then(|| self.pop_js());
                let object = Value::object()?;
                let names = crate::imports::names();
                object.define(names.tag, Value::string(name.as_bytes())?)?;
                if let Some(value) = value {
                    object.define(names.val, value)?;
                }
                object
            }
        })
    }

    /// Adds the value on top to the list under it.
    pub fn append(&mut self) {
        let value = self.pop_js();
        if let Some(Slot::List { array, length }) = self.slots.last_mut() {
            let index = *length;
            *length += 1;
            if array.define_index(index, value).is_err() {
                self.failed = true;
            }
        }
    }
}
