//! What a store holds for the host functions: the state of one sandbox, borrowed by modules, no globals.
use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use model::{ConsoleLevel, Grant, HostCall, Resolver, Settings};
use tokio::runtime::Handle;

use crate::error::Error;
use crate::limits::{MemoryLimiter, Meter, Stop};
use crate::modules::fs::Buffers;
use crate::modules::{self, Failure, Kept, Module, State};
use crate::root::Root;
use crate::sandbox::{Event, Events, ModuleUsage, Setup};
use crate::services::{Policy, Services};
use crate::snapshot::SnapshotKey;
use crate::tickets::Tickets;

/// What all sandboxes of an engine share.
#[derive(Clone, Default)]
pub(crate) struct Surroundings {
    /// Where asynchronous work goes on. None while an image is built.
    pub(crate) runtime: Option<Handle>,
    /// What the operator allows.
    pub(crate) policy: Arc<Policy>,
    /// What stored heaps are sealed with.
    pub(crate) snapshot_key: SnapshotKey,
    /// What files are read into.
    pub(crate) buffers: Arc<Buffers>,
}

/// Store data of one sandbox.
pub(crate) struct Host {
    pub(crate) meter: Meter,
    pub(crate) memory: MemoryLimiter,
    pub(crate) root: Option<Root>,
    pub(crate) resolver: Resolver,
    /// `import` and `import()` work.
    pub(crate) esm: bool,
    /// Scripts have a `console`.
    pub(crate) console_wanted: bool,
    pub(crate) tickets: Tickets,
    /// What the session is given of its tenant's.
    pub(crate) services: Services,
    /// What the operator allows.
    pub(crate) policy: Arc<Policy>,
    /// Its heap is stored.
    pub(crate) durable: bool,
    pub(crate) buffers: Arc<Buffers>,
    grants: Vec<Grant>,
    /// What modules keep, one of each type.
    states: Vec<(TypeId, Box<dyn Kept>)>,
    /// What came out of a snapshot and was not asked for yet, by [`State::KEY`].
    saved: BTreeMap<String, serde_json::Value>,
    /// What this run used of each module, in the image's order.
    usage: Vec<ModuleUsage>,
    /// One bit for each module of the image whose calls are events.
    audited: u64,
    events: Option<Events>,
    /// What each listed module exports to JavaScript, to answer `import` of it.
    pub(crate) exports: Arc<BTreeMap<String, Vec<String>>>,
    /// The modules of the library that is being evaluated, by name. Empty in a session.
    pub(crate) package: BTreeMap<String, Arc<str>>,
}

impl Host {
    /// `modules`: those of the image, in its order.
    pub(crate) fn new(
        setup: Setup,
        modules: &[&'static Module],
        exports: Arc<BTreeMap<String, Vec<String>>>,
        surroundings: Surroundings,
    ) -> Result<Self, Error> {
        let Surroundings { runtime, policy, buffers, snapshot_key: _ } = surroundings;
        let Setup { settings: Settings { limits, resolver, runtime: switches }, root, grants, services, durable } =
            setup;
        modules::check(&grants)?;
        let bytes_max = crate::limits::wasm_memory_bytes(limits.mem_mb);
        let audited = |module: &Module| {
            let grant = grants.iter().find(|grant| grant.name.as_str() == module.name);
            grant.is_some_and(|grant| modules::split_grant(grant.config.get()).is_ok_and(|(audit, _)| audit))
        };
        let audited = modules.iter().enumerate().filter(|(_, module)| audited(module));
        Ok(Host {
            audited: audited.fold(0, |bits, (slot, _)| bits | 1 << slot.min(63)),
            meter: Meter::start(limits, Stop::default()),
            memory: MemoryLimiter { bytes_max, bytes: 0, refused_at_start: false },
            root,
            resolver,
            esm: switches.esm,
            console_wanted: switches.console,
            // What a script's own heap has room for can always be given; each once.
            tickets: Tickets::new(runtime, bytes_max, crate::limits::host_text_bytes(limits.mem_mb)),
            services,
            durable,
            policy,
            buffers,
            grants,
            states: Vec::new(),
            saved: BTreeMap::new(),
            usage: Vec::new(),
            events: None,
            exports,
            package: BTreeMap::new(),
        })
    }

    /// Begins a run on this thread.
    pub(crate) fn begin(&mut self, stop: &Stop, events: Option<Events>) {
        self.meter = Meter::start(*self.meter.limits(), stop.clone());
        self.usage.clear();
        self.tickets.begin_run();
        self.events = events;
    }

    /// Ends a run: whoever listened hears no more.
    pub(crate) fn end(&mut self) {
        for (_, kept) in &mut self.states {
            kept.run_ended();
        }
        self.events = None;
    }

    /// This run was stopped.
    pub(crate) fn stopped(&mut self) {
        for (_, kept) in &mut self.states {
            kept.stopped();
        }
    }

    /// Why the session can't be put away and be brought back without a script's noticing, if it can't.
    pub(crate) fn pins(&self) -> Option<&'static str> {
        self.states.iter().find_map(|(_, kept)| kept.pins())
    }

    /// What is needed to make again what modules keep, by [`State::KEY`].
    pub(crate) fn save_states(&self) -> BTreeMap<String, serde_json::Value> {
        let opened = self.states.iter().filter_map(|(_, kept)| Some((kept.key().to_owned(), kept.save()?)));
        self.saved.clone().into_iter().chain(opened).collect()
    }

    /// Gives back what [`Host::save_states`] answered with. Each module makes of it what it was when it is first used.
    pub(crate) fn restore_states(&mut self, saved: BTreeMap<String, serde_json::Value>) {
        self.states.clear();
        self.saved = saved;
    }

    /// What a module keeps in this session.
    pub(crate) fn state<S: State>(&mut self) -> Result<&mut S, Failure> {
        let id = TypeId::of::<S>();
        let at = match self.states.iter().position(|(key, _)| *key == id) {
            Some(at) => at,
            None => {
                let config = self.grants.iter().find(|grant| grant.name.as_str() == S::MODULE);
                let config = config.map_or("{}", |grant| grant.config.get());
                let read = modules::split_grant(config).and_then(|(_, own)| modules::read_grant(&own));
                let grant = read.map_err(|why| Failure::new("INVALID_GRANT", format!("{}: {why}", S::MODULE)))?;
                let mut state = S::open(grant, self)?;
                if let Some(saved) = self.saved.get_mut(S::KEY).map(serde_json::Value::take) {
                    // One that fails leaves null, so that it fails again: a heap must not find others in place of its own.
                    state.restore(saved)?;
                    self.saved.remove(S::KEY);
                }
                self.states.push((id, Box::new(state)));
                self.states.len() - 1
            }
        };
        let kept: &mut dyn Any = &mut *self.states[at].1;
        kept.downcast_mut().ok_or_else(|| Failure::new("INTERNAL", S::MODULE))
    }

    /// The meter of the module in this slot.
    pub(crate) fn usage(&mut self, slot: usize) -> &mut ModuleUsage {
        if self.usage.len() <= slot {
            self.usage.resize(slot + 1, ModuleUsage::default());
        }
        &mut self.usage[slot]
    }

    /// What was used of each module that was called.
    pub(crate) fn used(&self, modules: &[&'static Module]) -> BTreeMap<&'static str, ModuleUsage> {
        let called = modules.iter().zip(&self.usage).filter(|(_, usage)| usage.calls > 0);
        called.map(|(module, usage)| (module.name, *usage)).collect()
    }

    /// Whether calls of the module in this slot are events.
    pub(crate) fn is_audited(&self, slot: usize) -> bool {
        self.audited >> slot.min(63) & 1 == 1
    }

    /// Hands one console event on. False when the script has to stop.
    pub(crate) fn log(&mut self, level: ConsoleLevel, text: Vec<u8>) -> bool {
        if !self.meter.event(text.len()) {
            return false;
        }
        let text = String::from_utf8(text);
        let text = text.unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        self.tell(Event::Console(level, text));
        true
    }

    /// Hands one audited call on. It counts as an event like others: past the limit the script is stopped.
    pub(crate) fn audit(&mut self, call: HostCall) {
        if self.meter.event(call.subject.as_ref().map_or(0, String::len)) {
            self.tell(Event::HostCall(call));
        }
    }

    fn tell(&mut self, event: Event) {
        if let Some(events) = &mut self.events {
            events(event);
        }
    }

    /// Something that is due now, if the run may go on.
    pub(crate) fn due(&mut self, now: Instant) -> Option<u32> {
        if self.meter.exceeded().is_some() { None } else { self.tickets.due(now) }
    }
}
