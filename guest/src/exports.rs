//! `vm:session/guest`: what the host asks of a session.
use crate::abi::wit;
use crate::call::{Call, Item, Slot};
use crate::evaluate::{self, Mode, Outcome};
use crate::exception::Exception;
use crate::js;
use crate::memory::Block;
use crate::render::Rendered;
use crate::session;
use crate::text::Text;

/// Answers one call: the arguments are on the stack, the last on top, and the result goes onto the tape.
pub fn call(call: &mut Call, which: usize) {
    let name = wit().exports.slice()[which].name.text();
    // Without memory for the few items of an answer the bindings would read beyond the tape, which traps.
    let _ = match name {
        "eval" => eval(call),
        "start" => {
            let stack_max = int(call) as u32;
            let memory_max = unsigned(call);
            let seed = unsigned(call);
            session::start(seed, memory_max, stack_max);
            Ok(())
        }
        "resume" => {
            let value_max = int(call) as u32;
            let ticket = int(call) as u32;
            put_outcome(call, evaluate::resume(ticket, value_max))
        }
        "abandon" => {
            abandon(call);
            Ok(())
        }
        "refresh" => {
            refresh(call);
            Ok(())
        }
        "wake" => {
            let value_max = int(call) as u32;
            let data = optional_text(call);
            let event = text(call);
            put_outcome(call, evaluate::wake(event, data, value_max))
        }
        "seal" => call.put(Item::Int(session::seal() as i64)),
        "memory-used" => call.put(Item::Int(session::memory_used() as i64)),
        "builtins" => builtins(call),
        _ => panic!("the world exports more than this guest knows: {name}"),
    };
}

fn eval(call: &mut Call) -> js::Result<()> {
    let value_max = int(call) as u32;
    let mode = match call.pop() {
        Some(Slot::Enum { case: 1, .. }) => Mode::Repl,
        Some(Slot::Enum { case: 2, .. }) => Mode::Module,
        _ => Mode::Script,
    };
    let name = text(call);
    let source = text(call);
    put_outcome(call, evaluate::evaluate(source, name, mode, value_max))
}

fn abandon(call: &mut Call) {
    evaluate::abandon(tickets(call));
}

fn refresh(call: &mut Call) {
    let lost = tickets(call);
    session::refresh(unsigned(call));
    evaluate::refresh(lost);
}

fn tickets(call: &mut Call) -> impl Iterator<Item = u32> + use<> {
    let list = match call.pop() {
        Some(Slot::List { array, length }) => Some((array, length)),
        _ => None,
    };
    list.into_iter().flat_map(|(array, length)| {
        let ticket = move |index| js::get_index(array.raw(), index).ok().map(|value| js::as_number(value.raw()) as u32);
        (0..length).filter_map(ticket)
    })
}

fn put_outcome(call: &mut Call, outcome: Outcome) -> js::Result<()> {
    match outcome {
        Outcome::Value(value) => put_value(call, value),
        Outcome::Exception(exception) => put_exception(call, exception),
        Outcome::Pending => call.put(Item::Case(2)),
        Outcome::TooLarge(bytes) => {
            call.put(Item::Case(3))?;
            call.put(Item::Int(bytes as i64))
        }
    }
}

fn put_value(call: &mut Call, value: Rendered) -> js::Result<()> {
    call.put(Item::Case(0))?;
    call.put(Item::Case(value.ty as u32))?;
    call.put(Item::Text(value.preview))?;
    match value.json {
        Some(json) => {
            call.put(Item::Case(1))?;
            call.put(Item::Text(json))
        }
        None => call.put(Item::Case(0)),
    }
}

fn put_exception(call: &mut Call, exception: Exception) -> js::Result<()> {
    call.put(Item::Case(1))?;
    call.put(Item::Case(exception.cause as u32))?;
    call.put(Item::Text(exception.class))?;
    call.put(Item::Text(exception.message))?;
    call.put(Item::Text(exception.stack))?;
    call.put(Item::Int(i64::from(exception.line)))?;
    call.put(Item::Int(i64::from(exception.column)))
}

fn builtins(call: &mut Call) -> js::Result<()> {
    let names = session::builtins();
    call.put(Item::List(names.len()))?;
    for name in names {
        call.put(Item::Text(Text::Owned(name.into_bytes())))?;
    }
    Ok(())
}

fn int(call: &mut Call) -> i64 {
    match call.pop() {
        Some(Slot::Int(value)) => value,
        _ => 0,
    }
}

fn unsigned(call: &mut Call) -> u64 {
    match call.pop() {
        Some(Slot::BigUnsigned(value)) => value,
        _ => 0,
    }
}

fn optional_text(call: &mut Call) -> Option<Block> {
    match call.pop() {
        Some(Slot::Case { payload: true, .. }) => Some(text(call)),
        _ => None,
    }
}

fn text(call: &mut Call) -> Block {
    match call.pop() {
        Some(Slot::Text(block)) => block,
        // SAFETY: an empty block owns nothing.
        _ => unsafe { Block::from_raw(core::ptr::null_mut(), 0) },
    }
}
