//! How a module's functions get into a linker: every one is metered, may be audited, and traps when the script was asked
//! to stop and had its grace.
use std::sync::Arc;
use std::time::Instant;

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentNamedList, ComponentType, Lift, LinkerInstance, Lower, WasmList, WasmStr};

use super::{Answer, Failure, Module};
use crate::control::HardStop;
use crate::host::Host;
use crate::limits::Verdict;
use crate::room::Held;
use crate::tickets::CALLS_MAX;

/// What a host function is given beside its arguments.
pub(crate) type Store<'a> = StoreContextMut<'a, Host>;

/// How the imports end that are made of an `async func`, and of one with a function of the same types beside it.
pub(crate) const ASYNC: &str = "-async";
pub(crate) const BOTH: &str = "-both";

/// What the function beside an `async func` is called.
pub(crate) fn twin(name: &str) -> String {
    name.strip_suffix("-later").map_or_else(|| format!("{name}-sync"), str::to_owned)
}

/// Longest text that an audit event shows of a call's first argument, bytes.
const SUBJECT_BYTES_MAX: usize = 200;

/// One module's interface, being linked.
pub(crate) struct Linking<'a> {
    pub(super) instance: LinkerInstance<'a, Host>,
    pub(super) module: &'static Module,
    /// The module's place among those of the image: where its meter is.
    pub(super) slot: usize,
}

impl Linking<'_> {
    /// Adds a function. `body` answers with a tuple of one value, or with `()` for a function without a result. Check and
    /// bound what the guest names before anything is allocated or opened for it; an `Err` of wasmtime's is a trap.
    pub(crate) fn function<P, R>(
        &mut self,
        name: &'static str,
        body: impl Fn(&mut Store<'_>, P) -> wasmtime::Result<R> + Send + Sync + 'static,
    ) -> wasmtime::Result<()>
    where
        P: ComponentNamedList + Lift + Traffic + 'static,
        R: ComponentNamedList + Lower + Traffic + 'static,
    {
        let (module, slot) = (self.module.name, self.slot);
        self.instance.func_wrap(name, move |mut store: Store<'_>, given: P| {
            let call = begin(&mut store, slot, &given)?;
            let answer = body(&mut store, given)?;
            end(&mut store, call, module, name, &answer);
            Ok(answer)
        })
    }

    /// Adds an `async func`. `body` runs at once, on the guest's thread, and answers with the work that goes on without
    /// the guest, or with why it can't begin. The work owns what it needs and sees no store.
    pub(crate) fn asynchronous<P, T, F>(
        &mut self,
        name: &'static str,
        body: impl Fn(&mut Store<'_>, P) -> wasmtime::Result<Answer<F>> + Copy + Send + Sync + 'static,
    ) -> wasmtime::Result<()>
    where
        P: ComponentNamedList + Lift + Traffic + Given + 'static,
        T: ComponentType + Lower + Traffic + Send + 'static,
        F: Future<Output = Answer<T>> + Send + 'static,
    {
        self.in_two(name, body)?;
        // The guest has no name to call it by.
        let at_once = |_: &mut Store<'_>, _: P| Ok(Err(Failure::new("ENOSYS", "it answers later, or not at all")));
        self.merged(&format!("{name}{ASYNC}"), [name, name], at_once, body)
    }

    /// Adds a function and an `async func` of the same types, which the guest imports as one: `x-sync` and `x`, or `x` and `x-later`.
    pub(crate) fn both<P, T, F>(
        &mut self,
        [name, name_later]: [&'static str; 2],
        at_once: impl Fn(&mut Store<'_>, P) -> wasmtime::Result<Answer<T>> + Copy + Send + Sync + 'static,
        later: impl Fn(&mut Store<'_>, P) -> wasmtime::Result<Answer<F>> + Copy + Send + Sync + 'static,
    ) -> wasmtime::Result<()>
    where
        P: ComponentNamedList + Lift + Traffic + Given + 'static,
        T: ComponentType + Lower + Traffic + Send + 'static,
        F: Future<Output = Answer<T>> + Send + 'static,
    {
        debug_assert_eq!(twin(name_later), name);
        self.function(name, move |store, given: P| Ok((at_once(store, given)?,)))?;
        self.in_two(name_later, later)?;
        self.merged(&format!("{name_later}{BOTH}"), [name, name_later], at_once, later)
    }

    /// The two of which a guest of before imports an `async func`: its heap goes on here.
    fn in_two<P, T, F>(
        &mut self,
        name: &'static str,
        body: impl Fn(&mut Store<'_>, P) -> wasmtime::Result<Answer<F>> + Send + Sync + 'static,
    ) -> wasmtime::Result<()>
    where
        P: ComponentNamedList + Lift + Traffic + 'static,
        T: ComponentType + Lower + Traffic + Send + 'static,
        F: Future<Output = Answer<T>> + Send + 'static,
    {
        let place = (self.slot, self.module.name, name);
        self.instance.func_wrap(&format!("{name}-start"), move |mut store: Store<'_>, given: P| {
            Ok((start(&mut store, place, given, &body)?,))
        })?;
        self.instance.func_wrap(&format!("{name}-take"), move |mut store: Store<'_>, (ticket,): (u32,)| {
            Ok((take::<T>(&mut store, place, ticket)?,))
        })
    }

    /// What `image::link` makes of an `async func`, and of the function beside it.
    fn merged<P, T, F>(
        &mut self,
        import: &str,
        [name, name_later]: [&'static str; 2],
        at_once: impl Fn(&mut Store<'_>, P) -> wasmtime::Result<Answer<T>> + Send + Sync + 'static,
        later: impl Fn(&mut Store<'_>, P) -> wasmtime::Result<Answer<F>> + Send + Sync + 'static,
    ) -> wasmtime::Result<()>
    where
        P: ComponentNamedList + Lift + Traffic + Given + 'static,
        T: ComponentType + Lower + Traffic + Send + 'static,
        F: Future<Output = Answer<T>> + Send + 'static,
    {
        let (module, slot) = (self.module.name, self.slot);
        self.instance.func_wrap(import, move |mut store: Store<'_>, (given,): (Result<P::With, u32>,)| {
            let store = &mut store;
            let answer = match given.map(P::without) {
                Ok((false, given)) => {
                    let call = begin(store, slot, &given)?;
                    let answer = (at_once(store, given)?,);
                    end(store, call, module, name, &answer);
                    answer.0.map(Ok)
                }
                Ok((true, given)) => start(store, (slot, module, name_later), given, &later)?.map(Err),
                Err(ticket) => take(store, (slot, module, name_later), ticket)?.map(Ok),
            };
            Ok((answer,))
        })
    }
}

/// Where a call is metered, and its names: slot, module, function.
type Place = (usize, &'static str, &'static str);

/// Begins an asynchronous call: its ticket.
fn start<P, T, F>(
    store: &mut Store<'_>,
    (slot, module, name): Place,
    given: P,
    body: &impl Fn(&mut Store<'_>, P) -> wasmtime::Result<Answer<F>>,
) -> wasmtime::Result<Answer<u32>>
where
    P: Traffic,
    T: Traffic + Send + 'static,
    F: Future<Output = Answer<T>> + Send + 'static,
{
    let call = begin(store, slot, &given)?;
    let bytes = usize::try_from(call.bytes).unwrap_or(usize::MAX).max(given.kept());
    let room = store.data().tickets.given().take(bytes);
    let begun = match room {
        Some(room) => body(store, given)?.map(|work| (work, room)),
        None => {
            let text = "calls that are under way hold as much as the session's memory: await some first";
            Err(Failure::new("ETOOMANY", text))
        }
    };
    let begun = begun.and_then(|(work, room)| {
        let Call { started, shown, .. } = &call;
        let (started, shown, given) = (*started, shown.clone(), call.bytes);
        let results = Arc::clone(store.data().tickets.results());
        let timed = async move {
            let value = work.await;
            drop(room);
            let held = results.hold(value.kept());
            Finished { value, given, micros: micros(started), shown, _held: held }
        };
        store.data_mut().tickets.call(timed).ok_or_else(|| {
            Failure::new("ETOOMANY", format!("more than {CALLS_MAX} host calls of this session are under way"))
        })
    });
    // One that is under way is accounted for when it is taken.
    if begun.is_err() {
        end(store, call, module, name, &(begun.clone(),));
    } else {
        store.data_mut().usage(slot).bytes += call.bytes;
    }
    Ok(begun)
}

/// What an asynchronous call came to.
fn take<T: Traffic + 'static>(
    store: &mut Store<'_>,
    (slot, module, name): Place,
    ticket: u32,
) -> wasmtime::Result<Answer<T>> {
    let taken = store.data_mut().tickets.take::<Finished<T>>(ticket);
    let Finished { value, given, micros, shown, _held } =
        taken.ok_or_else(|| wasmtime::format_err!("{module}.{name}: took a ticket that is not its own"))?;
    let answer = (value,);
    let bytes = answer.bytes(store) as u64;
    account(store, slot, micros, bytes);
    audit(store, (slot, module, name), shown, micros, given + bytes, answer.failed());
    Ok(answer.0)
}

/// What work comes to, on its way to whoever takes it.
struct Finished<T> {
    value: Answer<T>,
    /// Bytes of the arguments, which are accounted for already.
    given: u64,
    micros: u64,
    shown: Shown,
    /// Room for the value.
    _held: Held,
}

/// A call that has begun.
struct Call {
    started: Instant,
    slot: usize,
    bytes: u64,
    shown: Shown,
}

/// What an audit event shows of a call.
#[derive(Clone, Default)]
struct Shown {
    subject: Option<String>,
    verb: Option<&'static str>,
}

/// Counts a call, and traps when the script was asked to stop and had its grace. The guest asks by itself when the call
/// has returned.
pub(super) fn counted(store: &mut Store<'_>, slot: usize) -> wasmtime::Result<()> {
    let host = store.data_mut();
    host.meter.host_calls += 1;
    host.usage(slot).calls += 1;
    if host.meter.poll() == Verdict::Trap { Err(HardStop.into()) } else { Ok(()) }
}

fn begin<P: Traffic>(store: &mut Store<'_>, slot: usize, given: &P) -> wasmtime::Result<Call> {
    counted(store, slot)?;
    let host = store.data();
    let shown = match host.is_audited(slot) {
        true => Shown { subject: given.subject(store), verb: given.verb() },
        false => Shown::default(),
    };
    Ok(Call { started: Instant::now(), slot, bytes: given.bytes(store) as u64, shown })
}

fn end<R: Traffic>(store: &mut Store<'_>, call: Call, module: &'static str, name: &'static str, answer: &R) {
    let (micros, bytes) = (micros(call.started), call.bytes + answer.bytes(store) as u64);
    account(store, call.slot, micros, bytes);
    audit(store, (call.slot, module, name), call.shown, micros, bytes, answer.failed());
}

fn account(store: &mut Store<'_>, slot: usize, micros: u64, bytes: u64) {
    let usage = store.data_mut().usage(slot);
    usage.micros += micros;
    usage.bytes += bytes;
}

fn audit(
    store: &mut Store<'_>,
    (slot, module, name): Place,
    Shown { subject, verb }: Shown,
    us: u64,
    bytes: u64,
    error: Option<String>,
) {
    if !store.data().is_audited(slot) {
        return;
    }
    let function = match verb {
        None => name.to_owned(),
        Some(verb) if name.ends_with("-sync") => format!("{verb}-sync"),
        Some(verb) => verb.to_owned(),
    };
    let call = model::HostCall { module: module.to_owned(), function, subject, us, bytes, error };
    store.data_mut().audit(call);
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// What of a value is metered and audited. Plain numbers count nothing; a record counts what its texts and bytes do.
pub(crate) trait Traffic {
    /// Bytes of text and data that cross the border.
    fn bytes(&self, store: &Store<'_>) -> usize {
        let _ = store;
        0
    }

    /// Bytes that the host holds of it, from one side to the other, while it waits. What is small, or bounded otherwise, says nothing.
    fn kept(&self) -> usize {
        0
    }

    /// What an audit event shows of it.
    fn subject(&self, store: &Store<'_>) -> Option<String> {
        let _ = store;
        None
    }

    /// What an audit event calls the function, where its name says too little.
    fn verb(&self) -> Option<&'static str> {
        None
    }

    /// The code of the failure that it is.
    fn failed(&self) -> Option<String> {
        None
    }
}

macro_rules! nothing {
    ($($ty:ty),*) => { $(impl Traffic for $ty {})* };
}

nothing!((), bool, u8, u16, u32, u64, i8, i16, i32, i64, f32, f64, char);

fn shown(text: &str) -> Option<String> {
    Some(text[..text.floor_char_boundary(SUBJECT_BYTES_MAX)].to_owned())
}

impl Traffic for WasmStr {
    fn bytes(&self, store: &Store<'_>) -> usize {
        self.to_str(store).map_or(0, |text| text.len())
    }

    fn subject(&self, store: &Store<'_>) -> Option<String> {
        shown(&self.to_str(store).ok()?)
    }
}

impl Traffic for WasmList<u8> {
    fn bytes(&self, _: &Store<'_>) -> usize {
        self.len()
    }
}

impl Traffic for String {
    fn bytes(&self, _: &Store<'_>) -> usize {
        self.len()
    }

    fn kept(&self) -> usize {
        self.capacity()
    }

    fn subject(&self, _: &Store<'_>) -> Option<String> {
        shown(self)
    }
}

impl Traffic for Vec<u8> {
    fn bytes(&self, _: &Store<'_>) -> usize {
        self.len()
    }

    fn kept(&self) -> usize {
        self.capacity()
    }
}

impl<T: Traffic> Traffic for std::sync::Arc<T> {
    fn bytes(&self, store: &Store<'_>) -> usize {
        (**self).bytes(store)
    }

    fn kept(&self) -> usize {
        (**self).kept()
    }
}

impl Traffic for Vec<String> {
    fn bytes(&self, _: &Store<'_>) -> usize {
        self.iter().map(String::len).sum()
    }
}

impl<T: Traffic> Traffic for Option<T> {
    fn bytes(&self, store: &Store<'_>) -> usize {
        self.as_ref().map_or(0, |value| value.bytes(store))
    }

    fn kept(&self) -> usize {
        self.as_ref().map_or(0, Traffic::kept)
    }

    fn subject(&self, store: &Store<'_>) -> Option<String> {
        self.as_ref().and_then(|value| value.subject(store))
    }
}

impl<T: Traffic> Traffic for Answer<T> {
    fn bytes(&self, store: &Store<'_>) -> usize {
        match self {
            Ok(value) => value.bytes(store),
            Err(failure) => failure.code.len() + failure.message.len(),
        }
    }

    fn kept(&self) -> usize {
        self.as_ref().map_or(0, Traffic::kept)
    }

    fn failed(&self) -> Option<String> {
        self.as_ref().err().map(|failure| failure.code.clone())
    }
}

/// The arguments of a function that is imported with whether it is to be done later.
pub(crate) trait Given: Sized {
    /// That, and then they.
    type With: ComponentType + Lift + 'static;
    /// Takes the two apart.
    fn without(with: Self::With) -> (bool, Self);
}

impl Given for () {
    type With = (bool,);

    fn without((later,): (bool,)) -> (bool, ()) {
        (later, ())
    }
}

macro_rules! tuples {
    ($(($($name:ident)+))*) => {$(
        #[allow(non_snake_case)]
        impl<$($name: ComponentType + Lift + 'static),+> Given for ($($name,)+) {
            type With = (bool, $($name,)+);

            fn without((later, $($name,)+): Self::With) -> (bool, Self) {
                (later, ($($name,)+))
            }
        }

        #[allow(non_snake_case)]
        impl<$($name: Traffic),+> Traffic for ($($name,)+) {
            fn bytes(&self, store: &Store<'_>) -> usize {
                let ($($name,)+) = self;
                0 $(+ $name.bytes(store))+
            }

            fn kept(&self) -> usize {
                let ($($name,)+) = self;
                0 $(+ $name.kept())+
            }

            /// What says what is done says first what it is done to.
            fn subject(&self, store: &Store<'_>) -> Option<String> {
                let ($($name,)+) = self;
                None$(.or_else(|| $name.verb().and_then(|_| $name.subject(store))))+$(.or_else(|| $name.subject(store)))+
            }

            fn verb(&self) -> Option<&'static str> {
                let ($($name,)+) = self;
                None$(.or_else(|| $name.verb()))+
            }

            fn failed(&self) -> Option<String> {
                let ($($name,)+) = self;
                None$(.or_else(|| $name.failed()))+
            }
        }
    )*};
}

tuples! { (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) (A B C D E F G) (A B C D E F G H) }
