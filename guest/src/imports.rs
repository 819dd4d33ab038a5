//! The functions of the listed modules, as JavaScript sees them: `__imports['vm:fs/files@0.1.0'].readFileSync`.
use crate::abi::wit;
use crate::call::{self, Call, Item, Slot};
use crate::js::{self, Atom, JSContext, Raw, Value};
use crate::lower::{Lowering, Refusal};
use crate::wit::{EMPTY, ImportFunction, Type, camel_case, kind};
use crate::{interrupt, tickets};
use core::cell::OnceCell;
use core::ffi::c_int;
use std::ffi::CString;

/// The interface that belongs to the guest itself, whatever version it has.
const CONTROL: &str = "vm:session/control";

/// Names of properties, interned once.
pub struct Names {
    pub tag: Atom,
    pub val: Atom,
    message: Atom,
    payload: Atom,
    /// By the index of the record or flags type.
    pub records: Vec<Vec<Atom>>,
    pub flags: Vec<Vec<Atom>>,
    imports: Vec<Import>,
}

static NAMES: js::SingleThread<OnceCell<Names>> = js::SingleThread(OnceCell::new());

/// Names of parameters, which wit-dylib does not hand down: `{ interface: { function: [name] } }`, from the host's prelude.
static PARAMETERS: js::SingleThread<OnceCell<Value>> = js::SingleThread(OnceCell::new());

pub fn names() -> &'static Names {
    match NAMES.0.get() {
        Some(names) => names,
        None => panic!("imports::define comes first"),
    }
}

fn atoms(names: impl Iterator<Item = &'static str>) -> js::Result<Vec<Atom>> {
    names.map(|name| js::atom(camel_case(name).as_bytes())).collect()
}

/// Defines `__imports` on the global object.
pub fn define() -> js::Result<()> {
    let records = wit().records.slice().iter();
    let flags = wit().flags.slice().iter();
    let names = Names {
        tag: js::atom(b"tag")?,
        val: js::atom(b"val")?,
        message: js::atom(b"message")?,
        payload: js::atom(b"payload")?,
        records: records
            .map(|record| atoms(record.shape.slice().iter().map(|field| field.name.text())))
            .collect::<js::Result<_>>()?,
        flags: flags
            .map(|flags| atoms(flags.shape.slice().iter().map(|name| name.text())))
            .collect::<js::Result<_>>()?,
        imports: wit().imports.slice().iter().map(Import::of).collect(),
    };
    // init runs once
    let _ = NAMES.0.set(names);

    let imports = Value::object()?;
    let mut interface: Option<(&str, Value)> = None;
    for (index, function) in wit().imports.slice().iter().enumerate() {
        let Some(owner) = function.interface.get() else { continue };
        // names with brackets are methods of resources
        if owner.starts_with(CONTROL) || function.name.text().starts_with('[') || function.call.is_none() {
            continue;
        }
        // functions of one interface come in a row
        if interface.as_ref().is_none_or(|(name, _)| *name != owner) {
            let object = Value::object()?;
            imports.define(js::atom(owner.as_bytes())?, Value::copy_of(object.raw()))?;
            interface = Some((owner, object));
        }
        let Some((_, object)) = &interface else { continue };
        let import = &self::names().imports[index];
        for way in [Way::AtOnce, Way::Later] {
            let Some(name) = import.shown(way) else { continue };
            let native = if way == Way::Later { call_later } else { call_at_once };
            let c_name = CString::new(name.as_bytes()).unwrap_or_default();
            let native = Value::function(native, &c_name, import.arguments.len(), index as i32)?;
            object.define(js::atom(name.as_bytes())?, native)?;
        }
    }
    Value::global().define_hidden(c"__imports", imports)?;
    Value::global().define_hidden(c"__parameters", Value::function(set_parameters, c"", 1, 0)?)
}

/// How an import is called.
#[derive(Clone, Copy, PartialEq)]
pub enum Way {
    /// It is done when it returns.
    AtOnce,
    /// It answers with a ticket.
    Later,
    /// It answers with what came of the call that has this ticket.
    Take(u32),
}

/// What the host made of an asynchronous function `x`: one import for all ways to call it, `x-async`, or `x-both` where it
/// is there synchronously as well. Its parameter is `result<tuple<bool, ...>, u32>`: whether it is to be done later, and the
/// arguments; or a ticket. It answers with `result<result<T, u32>, E>`: T, or a ticket.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Plain,
    Async,
    Both,
}

/// What is known of an import before it is called.
struct Import {
    form: Form,
    /// The name of the function that it was made of.
    name: &'static str,
    /// The types of its arguments in JavaScript.
    arguments: &'static [Type],
}

impl Import {
    fn of(function: &ImportFunction) -> Import {
        let (name, arguments) = (function.name.text(), function.params.slice());
        let (form, name) = match (name.strip_suffix("-async"), name.strip_suffix("-both")) {
            (Some(name), _) => (Form::Async, name),
            (_, Some(name)) => (Form::Both, name),
            _ => return Import { form: Form::Plain, name, arguments },
        };
        let (_, given) = wit().resolve(arguments[0]);
        let (_, with) = wit().resolve(wit().results.slice()[given].shape.ok);
        Import { form, name, arguments: &wit().tuples.slice()[with].shape.slice()[1..] }
    }

    /// Its name in JavaScript, called in that way. The two of one that is there in both ways are `xSync` and `x`, or `x` and
    /// `xLater`.
    fn shown(&self, way: Way) -> Option<String> {
        match (self.form, way) {
            (Form::Plain, Way::AtOnce) | (Form::Async | Form::Both, Way::Later) => Some(camel_case(self.name)),
            (Form::Both, Way::AtOnce) => Some(match self.name.strip_suffix("-later") {
                Some(name) => camel_case(name),
                None => camel_case(self.name) + "Sync",
            }),
            _ => None,
        }
    }
}

/// `__parameters(table)`: the first table stays.
unsafe extern "C" fn set_parameters(
    _context: *mut JSContext,
    _this: Raw,
    count: c_int,
    arguments: *mut Raw,
    _magic: c_int,
) -> Raw {
    // SAFETY: the engine passes `count` arguments.
    if let [table, ..] = unsafe { js::arguments(arguments, count) } {
        let _ = PARAMETERS.0.set(Value::copy_of(*table));
    }
    js::UNDEFINED
}

/// What every function that is done when it returns is to QuickJS; `index` tells which import was called.
unsafe extern "C" fn call_at_once(
    _context: *mut JSContext,
    _this: Raw,
    count: c_int,
    arguments: *mut Raw,
    index: c_int,
) -> Raw {
    // SAFETY: the engine passes `count` arguments.
    match self::call(index as usize, Way::AtOnce, unsafe { js::arguments(arguments, count) }) {
        Ok(value) => value.into_raw(),
        Err(js::Thrown) => js::EXCEPTION,
    }
}

/// What every function that answers with a promise is to QuickJS.
unsafe extern "C" fn call_later(
    _context: *mut JSContext,
    _this: Raw,
    count: c_int,
    arguments: *mut Raw,
    index: c_int,
) -> Raw {
    // SAFETY: the engine passes `count` arguments.
    match tickets::call(index as usize, unsafe { js::arguments(arguments, count) }) {
        Ok(promise) => promise.into_raw(),
        Err(js::Thrown) => js::EXCEPTION,
    }
}

/// Calls an import. A ticket is a number.
pub fn call(index: usize, way: Way, arguments: &[Raw]) -> js::Result<Value> {
    let mut call = call::take();
    let result = run(&mut call, index, way, arguments);
    call::give_back(call);
    result
}

fn run(call: &mut Call, index: usize, way: Way, arguments: &[Raw]) -> js::Result<Value> {
    let (function, import) = (&wit().imports.slice()[index], &names().imports[index]);
    let plain = import.form == Form::Plain;
    if let Way::Take(ticket) = way {
        call.put(Item::Case(1))?;
        call.put(Item::Int(i64::from(ticket)))?;
    } else {
        if !plain {
            call.put(Item::Case(0))?;
            call.put(Item::Int(i64::from(way == Way::Later)))?;
        }
        let mut lowering = Lowering::new(call);
        for (at, ty) in import.arguments.iter().enumerate() {
            let argument = arguments.get(at).copied().unwrap_or(js::UNDEFINED);
            if let Err(refusal) = lowering.value(*ty, argument) {
                return Err(explain(function, import.shown(way), at, refusal));
            }
        }
        lowering.finish()?;
    }
    if let Some(host) = function.call {
        // SAFETY: the call holds the parameters in the order in which the bindings pop them.
        unsafe { host((call as *mut Call).cast()) };
        // The host may have worked for long, and the interpreter counts a call as one step.
        interrupt::vm_countdown_expired();
    }
    let result = if function.result == EMPTY {
        Ok(Value::undefined())
    } else if wit().resolve(function.result).0 == kind::RESULT {
        result(call, function, plain)
    } else {
        Ok(call.pop_js())
    };
    if call.failed { Err(js::Thrown) } else { result }
}

#[cold]
fn explain(function: &ImportFunction, name: Option<String>, index: usize, refusal: Refusal) -> js::Thrown {
    match refusal {
        Refusal::Thrown => js::Thrown,
        Refusal::Mismatch { path, problem } => {
            let name = name.unwrap_or_default();
            let parameter = parameter(function, &name, index).map(|name| format!(" ({name})")).unwrap_or_default();
            js::throw_type_error(&format!("{name}: argument {}{parameter}{path}: {problem}", index + 1))
        }
    }
}

/// The name of a parameter, if the host told it.
fn parameter(function: &ImportFunction, name: &str, index: usize) -> Option<String> {
    let step = |object: &Value, key: &str| js::get_named(object.raw(), &CString::new(key).ok()?).ok();
    let interface = step(PARAMETERS.0.get()?, function.interface.get()?)?;
    let named = js::get_index(step(&interface, name)?.raw(), index as u32).ok()?;
    if !js::is_string(named.raw()) {
        return None;
    }
    Some(String::from_utf8_lossy(js::Utf8::of(named.raw()).ok()?.bytes()).into_owned())
}

/// A result<T, E>: its value, or an Error with E as its message. Of a record with a `message`, its other fields become
/// the Error's, as in Node's `error.code`; anything else is its `payload`.
fn result(call: &mut Call, function: &ImportFunction, plain: bool) -> js::Result<Value> {
    let Some(Slot::Case { case, mut payload, .. }) = call.pop() else { return Ok(Value::undefined()) };
    // The inner result: a value or a ticket.
    if !plain
        && case == 0
        && let Some(Slot::Case { payload: inner, .. }) = call.pop()
    {
        payload = inner;
    }
    let value = if payload { call.pop_js() } else { Value::undefined() };
    if case == 0 || call.failed {
        return Ok(value);
    }
    // The message comes below, since the engine cuts it at 256 bytes.
    let error = js::error()?;
    if js::is_string(value.raw()) {
        error.define_hidden(c"message", value)?;
    } else if let Some(fields) = error_fields(function.result) {
        for name in fields {
            let field = js::get(value.raw(), *name)?;
            if *name == names().message {
                error.define_hidden(c"message", field)?;
            } else if !js::is_null(field.raw()) {
                error.define(*name, field)?;
            }
        }
    } else {
        error.define_hidden(c"message", Value::string(b"the host answered with an error")?)?;
        error.define(names().payload, value)?;
    }
    Err(js::throw(error))
}

/// The fields of E in a result<T, E>, if E is a record with a `message`.
fn error_fields(result: Type) -> Option<&'static [Atom]> {
    let (_, index) = wit().resolve(result);
    let (of, record) = wit().resolve(wit().results.slice()[index].shape.err);
    let fields = names().records.get(record).filter(|_| of == kind::RECORD)?;
    fields.contains(&names().message).then_some(fields.as_slice())
}
