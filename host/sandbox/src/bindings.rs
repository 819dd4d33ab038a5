//! The guest's exports as Rust types. Written out by hand: five types do not need a generator.
use wasmtime::component::{
    Component, ComponentExportIndex, ComponentType, Instance, InstancePre, Lift, Lower, TypedFunc, WasmList,
};
use wasmtime::{Store, format_err};

use crate::host::Host;

const INTERFACE: &str = "vm:session/guest@0.1.0";
const STATE: &str = "vm:session/state@0.1.0";
/// All that every image exports.
pub(crate) const INTERFACES: [&str; 2] = [INTERFACE, STATE];

#[derive(ComponentType, Lift, Clone, Copy, Debug, PartialEq, Eq)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "made by lifting what the guest answers")]
pub(crate) enum JsType {
    #[component(name = "undefined")]
    Undefined,
    #[component(name = "null")]
    Null,
    #[component(name = "boolean")]
    Boolean,
    #[component(name = "number")]
    Number,
    #[component(name = "bigint")]
    Bigint,
    #[component(name = "string")]
    String,
    #[component(name = "symbol")]
    Symbol,
    #[component(name = "object")]
    Object,
    #[component(name = "array")]
    Array,
    #[component(name = "function")]
    Function,
}

#[derive(ComponentType, Lift, Clone, Debug)]
#[component(record)]
pub(crate) struct Value {
    #[component(name = "type")]
    pub(crate) ty: JsType,
    pub(crate) preview: String,
    pub(crate) json: Option<String>,
}

#[derive(ComponentType, Lift, Clone, Copy, Debug, PartialEq, Eq)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "made by lifting what the guest answers")]
pub(crate) enum Cause {
    #[component(name = "thrown")]
    Thrown,
    #[component(name = "interrupted")]
    Interrupted,
    #[component(name = "out-of-memory")]
    OutOfMemory,
    #[component(name = "stack-overflow")]
    StackOverflow,
}

#[derive(ComponentType, Lift, Clone, Debug)]
#[component(record)]
pub(crate) struct Exception {
    pub(crate) cause: Cause,
    pub(crate) class: String,
    pub(crate) message: String,
    pub(crate) stack: String,
    pub(crate) line: u32,
    pub(crate) column: u32,
}

#[derive(ComponentType, Lift, Clone, Debug)]
#[component(variant)]
#[expect(dead_code, reason = "made by lifting what the guest answers")]
pub(crate) enum Outcome {
    #[component(name = "value")]
    Value(Value),
    #[component(name = "exception")]
    Exception(Exception),
    #[component(name = "pending")]
    Pending,
    #[component(name = "too-large")]
    TooLarge(u64),
}

#[derive(ComponentType, Lower, Clone, Copy, Debug, PartialEq, Eq)]
#[component(enum)]
#[repr(u8)]
pub(crate) enum Mode {
    #[component(name = "script")]
    Script,
    #[component(name = "repl")]
    Repl,
    #[component(name = "module")]
    Module,
}

/// Where the exports lie in a component: looked up once an image.
#[derive(Clone)]
pub(crate) struct Exports {
    start: ComponentExportIndex,
    eval: ComponentExportIndex,
    resume: ComponentExportIndex,
    abandon: ComponentExportIndex,
    refresh: ComponentExportIndex,
    wake: ComponentExportIndex,
    seal: ComponentExportIndex,
    state: [ComponentExportIndex; 6],
    memory_used: ComponentExportIndex,
    builtins: ComponentExportIndex,
}

impl Exports {
    pub(crate) fn of(component: &Component) -> wasmtime::Result<Self> {
        let missing = |what: &str| format_err!("the guest does not export {what}");
        let (_, interface) = component.get_export(None, INTERFACE).ok_or_else(|| missing(INTERFACE))?;
        let find = |name: &str| component.get_export_index(Some(&interface), name).ok_or_else(|| missing(name));
        let (_, state) = component.get_export(None, STATE).ok_or_else(|| missing(STATE))?;
        let access = |name: &str| component.get_export_index(Some(&state), name).ok_or_else(|| missing(name));
        Ok(Exports {
            refresh: find("refresh")?,
            wake: find("wake")?,
            state: [
                access("pages")?,
                access("stack-pointer")?,
                access("grow-to")?,
                access("seek")?,
                access("memory")?,
                access("write")?,
            ],
            start: find("start")?,
            eval: find("eval")?,
            resume: find("resume")?,
            abandon: find("abandon")?,
            seal: find("seal")?,
            memory_used: find("memory-used")?,
            builtins: find("builtins")?,
        })
    }
}

/// One instance with the two functions that every session calls.
pub(crate) struct Guest {
    instance: Instance,
    start: TypedFunc<(u64, u64, u32), ()>,
    eval: TypedFunc<(String, String, Mode, u32), (Outcome,)>,
}

impl Guest {
    pub(crate) fn instantiate(
        store: &mut Store<Host>,
        component: &InstancePre<Host>,
        exports: &Exports,
    ) -> wasmtime::Result<Self> {
        let instance = component.instantiate(&mut *store)?;
        Self::of(store, instance, exports)
    }

    pub(crate) fn of(store: &mut Store<Host>, instance: Instance, exports: &Exports) -> wasmtime::Result<Self> {
        let start = instance.get_typed_func(&mut *store, exports.start)?;
        let eval = instance.get_typed_func(&mut *store, exports.eval)?;
        Ok(Guest { instance, start, eval })
    }

    pub(crate) fn instance(&self) -> Instance {
        self.instance
    }

    /// Reseeds and sets the limits (bytes).
    pub(crate) fn start(
        &self,
        store: &mut Store<Host>,
        seed: u64,
        memory_max: u64,
        stack_max: u32,
    ) -> wasmtime::Result<()> {
        self.start.call(store, (seed, memory_max, stack_max))
    }

    pub(crate) fn eval(
        &self,
        store: &mut Store<Host>,
        source: &str,
        name: &str,
        mode: Mode,
        value_max: u32,
    ) -> wasmtime::Result<Outcome> {
        Ok(self.eval.call(store, (source.to_owned(), name.to_owned(), mode, value_max))?.0)
    }

    /// Completes a ticket.
    pub(crate) fn resume(
        &self,
        store: &mut Store<Host>,
        exports: &Exports,
        ticket: u32,
        value_max: u32,
    ) -> wasmtime::Result<Outcome> {
        let resume = self.instance.get_typed_func::<(u32, u32), (Outcome,)>(&mut *store, exports.resume)?;
        Ok(resume.call(store, (ticket, value_max))?.0)
    }

    /// Whether all that is called later is there, and takes and answers what it is called with.
    pub(crate) fn check(&self, store: &mut Store<Host>, exports: &Exports) -> wasmtime::Result<()> {
        let instance = &self.instance;
        instance.get_typed_func::<(u32, u32), (Outcome,)>(&mut *store, exports.resume)?;
        instance.get_typed_func::<(&[u32],), ()>(&mut *store, exports.abandon)?;
        instance.get_typed_func::<(u64, &[u32]), ()>(&mut *store, exports.refresh)?;
        instance.get_typed_func::<(&str, Option<&str>, u32), (Outcome,)>(&mut *store, exports.wake)?;
        let (instance, write) = &self.memory(&mut *store, exports)?.write;
        instance.get_typed_func::<(&[u8],), ()>(&mut *store, write)?;
        Ok(())
    }

    /// Gives up what waits for its promise, and tickets.
    pub(crate) fn abandon(&self, store: &mut Store<Host>, exports: &Exports, tickets: &[u32]) -> wasmtime::Result<()> {
        let abandon = self.instance.get_typed_func::<(&[u32],), ()>(&mut *store, exports.abandon)?;
        abandon.call(store, (tickets,))
    }

    /// The heap was brought back: reseeds it and gives up the work behind `lost` tickets.
    pub(crate) fn refresh(
        &self,
        store: &mut Store<Host>,
        exports: &Exports,
        seed: u64,
        lost: &[u32],
    ) -> wasmtime::Result<()> {
        let refresh = self.instance.get_typed_func::<(u64, &[u32]), ()>(&mut *store, exports.refresh)?;
        refresh.call(store, (seed, lost))
    }

    /// Tells the script of something that befell its session; `data` is JSON.
    pub(crate) fn wake(
        &self,
        store: &mut Store<Host>,
        exports: &Exports,
        (event, data): (&str, Option<&str>),
        value_max: u32,
    ) -> wasmtime::Result<Outcome> {
        let wake = self.instance.get_typed_func::<(&str, Option<&str>, u32), (Outcome,)>(&mut *store, exports.wake)?;
        Ok(wake.call(store, (event, data, value_max))?.0)
    }

    /// Access to the whole heap.
    pub(crate) fn memory(&self, store: &mut Store<Host>, exports: &Exports) -> wasmtime::Result<Memory> {
        let [pages, stack_pointer, grow_to, seek, memory, write] = exports.state;
        Ok(Memory {
            pages: self.instance.get_typed_func(&mut *store, pages)?,
            stack_pointer: self.instance.get_typed_func(&mut *store, stack_pointer)?,
            grow_to: self.instance.get_typed_func(&mut *store, grow_to)?,
            seek: self.instance.get_typed_func(&mut *store, seek)?,
            memory: self.instance.get_typed_func(&mut *store, memory)?,
            write: (self.instance, write),
        })
    }

    pub(crate) fn seal(&self, store: &mut Store<Host>, exports: &Exports) -> wasmtime::Result<u64> {
        let seal = self.instance.get_typed_func::<(), (u64,)>(&mut *store, exports.seal)?;
        Ok(seal.call(store, ())?.0)
    }

    pub(crate) fn memory_used(&self, store: &mut Store<Host>, exports: &Exports) -> wasmtime::Result<u64> {
        let used = self.instance.get_typed_func::<(), (u64,)>(&mut *store, exports.memory_used)?;
        Ok(used.call(store, ())?.0)
    }

    pub(crate) fn builtins(&self, store: &mut Store<Host>, exports: &Exports) -> wasmtime::Result<Vec<String>> {
        let names = self.instance.get_typed_func::<(), (Vec<String>,)>(&mut *store, exports.builtins)?;
        Ok(names.call(store, ())?.0)
    }
}

/// `vm:session/state`: what the host alone can do to a heap.
pub(crate) struct Memory {
    pages: TypedFunc<(), (u32,)>,
    stack_pointer: TypedFunc<(), (u32,)>,
    grow_to: TypedFunc<(u32,), (bool,)>,
    seek: TypedFunc<(u32,), ()>,
    memory: TypedFunc<(), (WasmList<u8>,)>,
    write: (Instance, ComponentExportIndex),
}

impl Memory {
    /// Pages of 64 KiB.
    pub(crate) fn pages(&self, store: &mut Store<Host>) -> wasmtime::Result<u32> {
        Ok(self.pages.call(store, ())?.0)
    }

    /// Below it is the dead part of the shadow stack of a guest that does not run.
    pub(crate) fn stack_pointer(&self, store: &mut Store<Host>) -> wasmtime::Result<u32> {
        Ok(self.stack_pointer.call(store, ())?.0)
    }

    /// False when the limit refuses.
    pub(crate) fn grow_to(&self, store: &mut Store<Host>, pages: u32) -> wasmtime::Result<bool> {
        Ok(self.grow_to.call(store, (pages,))?.0)
    }

    /// All of it, not copied: what it would cost to copy counts for nothing.
    pub(crate) fn bytes(&self, store: &mut Store<Host>) -> wasmtime::Result<WasmList<u8>> {
        // The bound of a host call is meant for what is copied.
        let bound = store.hostcall_fuel();
        store.set_hostcall_fuel(usize::MAX);
        let list = self.memory.call(&mut *store, ());
        store.set_hostcall_fuel(bound);
        Ok(list?.0)
    }

    /// Writes at an address.
    pub(crate) fn write(&self, store: &mut Store<Host>, at: u32, bytes: &[u8]) -> wasmtime::Result<()> {
        self.seek.call(&mut *store, (at,))?;
        let (instance, write) = &self.write;
        instance.get_typed_func::<(&[u8],), ()>(&mut *store, write)?.call(store, (bytes,))
    }
}
