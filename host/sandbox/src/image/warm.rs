//! The heap that an image is a snapshot of: the web's globals, the prelude, facades and libraries, evaluated once.
use std::collections::BTreeMap;
use std::sync::Arc;

use model::Limits;
use wasmtime::component::{Component, Instance};
use wasmtime::{Engine, Store};

use super::build::linker;
use super::facades;
use super::libraries::{self, Judgement, LibraryFacts, Plan, Step};
use crate::bindings::{Exports, Guest, Mode, Outcome};
use crate::error::Error;
use crate::host::{Host, Surroundings};
use crate::library::Library;
use crate::limits::{Stop, js_heap_bytes};
use crate::modules::Module;
use crate::sandbox::{Setup, exception, stop_exception};
use crate::threads::JS_STACK_BYTES;

/// Enough for the names that a module or library exports; what a library evaluates to is of no interest.
const PREVIEW_BYTES_MAX: u32 = 256 << 10;
const PRELUDE_NAME: &str = "prelude.js";
/// The web's globals, a script. `js/` has its sources.
const WEB_NAME: &str = "web.js";
pub(super) const WEB: &str = include_str!("../../js/dist/web.js");
/// Names of the globals without those that are there for the prelude alone.
const GLOBALS: &str = "Object.getOwnPropertyNames(globalThis).filter((name) => !name.startsWith('__')).join()";
/// What all libraries of a template together may use while they are evaluated, in one attempt. There is no other attempt
/// once all of them have used as much, so that a build is evaluated for less than twice the time.
const BUILD_LIMITS: Limits =
    Limits { cpu_ms: 10_000, wall_ms: 30_000, mem_mb: 256, max_events: 10_000, max_output_kb: 1_024 };

/// A heap with facades and libraries evaluated, ready to be snapshotted.
pub(super) struct Warm {
    pub(super) store: Store<Host>,
    pub(super) instance: Instance,
    pub(super) module_exports: BTreeMap<String, Vec<String>>,
    pub(super) builtins: Vec<String>,
    pub(super) globals: Vec<String>,
    pub(super) libraries: Vec<LibraryFacts>,
    pub(super) heap_bytes: u64,
    pub(super) sealed_bytes: u64,
}

impl Warm {
    pub(super) fn start(
        engine: &Engine,
        component: &Component,
        modules: &[&'static Module],
        libraries: &[Library],
    ) -> Result<Self, Error> {
        let mut plan = Plan::new(libraries, &BUILD_LIMITS)?;
        loop {
            if let Some(warm) = Self::attempt(engine, component, modules, &mut plan)? {
                return Ok(warm);
            }
        }
    }

    /// None: a library has to be tried in another format, in a fresh heap.
    fn attempt(
        engine: &Engine,
        component: &Component,
        modules: &[&'static Module],
        plan: &mut Plan<'_>,
    ) -> Result<Option<Self>, Error> {
        let mut store = Store::new(
            engine,
            Host::new(Setup::new(BUILD_LIMITS, None), modules, Arc::default(), Surroundings::default())?,
        );
        store.limiter(|host| &mut host.memory);
        // Under epochs a build is bounded by the loop countdown alone, like every session without them.
        store.set_epoch_deadline(u64::MAX / 2);
        let exports = Exports::of(component)?;
        let instance = linker(engine, modules)?.instantiate(&mut store, component)?;
        let guest = Guest::of(&mut store, instance, &exports)?;
        store.data_mut().begin(&Stop::default(), None);
        guest.start(&mut store, 0, js_heap_bytes(BUILD_LIMITS.mem_mb) as u64, JS_STACK_BYTES)?;

        let builtins = guest.builtins(&mut store, &exports)?;
        let web = format!("__web.evaluate({}, {WEB_NAME:?})", serde_json::Value::from(WEB));
        eval(&guest, &mut store, WEB_NAME, &web)?;
        let globals = eval(&guest, &mut store, WEB_NAME, GLOBALS)?.split(',').map(str::to_owned).collect();
        eval(&guest, &mut store, PRELUDE_NAME, &facades::prelude(modules)?)?;
        store.data_mut().package = facades::sources(modules)?;
        for module in modules {
            eval_as(&guest, &mut store, PRELUDE_NAME, &facades::load(module), Mode::Module)?;
        }
        store.data_mut().package.clear();
        eval(&guest, &mut store, PRELUDE_NAME, facades::FINISH)?;
        let mut module_exports = BTreeMap::new();
        let names =
            modules.iter().flat_map(|module| [module.name].into_iter().chain(module.parts.iter().map(|part| part.0)));
        for name in names {
            let names = format!("Object.keys(require({name:?})).join()");
            let names = eval(&guest, &mut store, PRELUDE_NAME, &names)?;
            let names = names.split(',').filter(|name| is_identifier(name)).map(str::to_owned).collect();
            module_exports.insert(name.to_owned(), names);
        }
        let mut facts = Vec::new();
        while let Some((library, step)) = plan.step(facts.len()) {
            let tried = match evaluate(&guest, &mut store, library, &step) {
                Ok(answer) => Ok(answer),
                Err(Error::Library { exception, .. }) => Err(exception),
                Err(error) => return Err(error),
            };
            match plan.judge(facts.len(), tried)? {
                (Judgement::Stays, fact) => facts.extend(fact),
                (Judgement::Again, _) => return Ok(None),
            }
        }
        eval(&guest, &mut store, PRELUDE_NAME, libraries::FINISH)?;
        for library in &facts {
            let names = library.exports.iter().filter(|name| is_identifier(name));
            let names: Vec<String> = names.cloned().collect();
            for name in &library.names {
                // A native module of that name is what `require` answers, so it is what `import` does.
                module_exports.entry(name.clone()).or_insert_with(|| names.clone());
            }
        }
        let heap_bytes = guest.memory_used(&mut store, &exports)?;
        let sealed_bytes = guest.seal(&mut store, &exports)?;
        let instance = guest.instance();
        let libraries = facts;
        Ok(Some(Warm { store, instance, module_exports, builtins, globals, libraries, heap_bytes, sealed_bytes }))
    }
}

/// One library, from the look at the globals before it to what it brought.
fn evaluate(
    guest: &Guest,
    store: &mut Store<Host>,
    library: &Library,
    step: &Step<'_>,
) -> Result<libraries::Answer, Error> {
    let name = library.name();
    tracing::debug!(library = name, "evaluating");
    eval(guest, store, name, libraries::BEGIN)?;
    match step {
        Step::Script(source) => drop(eval(guest, store, name, source)?),
        Step::CommonJs(source) => drop(eval(guest, store, name, source)?),
        Step::Module(source, modules) => {
            store.data_mut().package.clone_from(modules);
            // Not by the library's name: that is the module's, and a module that imports its own name gets itself.
            let evaluated = eval_as(guest, store, "[library]", source, Mode::Module);
            store.data_mut().package.clear();
            evaluated?;
        }
    }
    let answer = eval(guest, store, name, &libraries::end(library, step))?;
    serde_json::from_str(&answer).map_err(|_| {
        let exception = stop_exception(model::ErrorCode::LibraryFailed, &BUILD_LIMITS);
        Error::Library { name: name.to_owned(), exception }
    })
}

/// Runs one source of the image and answers its completion value's preview.
fn eval(guest: &Guest, store: &mut Store<Host>, name: &str, source: &str) -> Result<String, Error> {
    eval_as(guest, store, name, source, Mode::Script)
}

fn eval_as(guest: &Guest, store: &mut Store<Host>, name: &str, source: &str, mode: Mode) -> Result<String, Error> {
    let failed = |exception| Error::Library { name: name.to_owned(), exception };
    match guest.eval(store, source, name, mode, PREVIEW_BYTES_MAX) {
        Ok(Outcome::Value(value)) => Ok(value.preview),
        Ok(Outcome::Exception(thrown)) => Err(failed(exception(thrown, &store.data().meter))),
        Ok(Outcome::Pending) => Err(failed(stop_exception(model::ErrorCode::PromiseNeverSettles, &BUILD_LIMITS))),
        Ok(Outcome::TooLarge(_)) => Ok(String::new()),
        Err(error) => match store.data().meter.exceeded() {
            Some(code) => Err(failed(stop_exception(code, &BUILD_LIMITS))),
            // These are ours, but whatever a library does, even a trap, is the library's failure.
            None if [WEB_NAME, PRELUDE_NAME].contains(&name) => Err(Error::internal("evaluating the prelude", error)),
            None => {
                tracing::error!(library = name, error = format!("{error:#}"), "a library trapped");
                Err(failed(stop_exception(model::ErrorCode::SessionCrashed, &BUILD_LIMITS)))
            }
        },
    }
}

fn is_identifier(name: &str) -> bool {
    let mut chars = name.chars();
    let starts = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_' || c == '$');
    starts && name != "default" && chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$')
}
