//! A run, from its first turn on a guest thread to its end. Where only something outside can bring it on, it waits without
//! a thread, and goes on with one turn after another.
use std::time::Instant;

use model::ConsoleLevel;

use crate::bindings::{self, JsType};
use crate::limits::Stop;
use crate::sandbox::{self, Events, Inner, Metrics, Outcome, Ran, Sandbox, Script};
use crate::typescript;

/// How far a run has come.
#[derive(Debug)]
pub enum Turn {
    /// To its end.
    Done(Box<Ran>),
    /// It waits for something outside and needs no thread meanwhile.
    Waiting(Waiting),
}

impl Turn {
    /// The end, if it is there already.
    pub fn done(self) -> Option<Ran> {
        match self {
            Turn::Done(ran) => Some(*ran),
            Turn::Waiting(_) => None,
        }
    }
}

/// A run whose promise has not settled while tickets are out.
#[derive(Debug)]
pub struct Waiting(Sandbox);

impl Waiting {
    /// Waits until there is something to go on with: a timer is due, a host call is done, the time is up, or the run was
    /// cancelled. Needs tokio's timers.
    pub fn ready(&self) -> impl Future<Output = ()> + Send + use<> {
        let host = self.0.inner.store.data();
        let (stop, arrival) = (host.meter.stop().clone(), host.tickets.arrival());
        let end = host.meter.wall_end();
        let until = host.tickets.next_timer().map_or(end, |timer| timer.min(end));
        async move {
            tokio::select! {
                () = arrival => {}
                () = tokio::time::sleep_until(until.into()) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// The heap, to look at it and to take a snapshot of it while it waits.
    pub fn sandbox(&mut self) -> &mut Sandbox {
        &mut self.0
    }

    /// Nobody waits for the run's end any more; what it began stays.
    pub fn give_up(self) -> Sandbox {
        let mut sandbox = self.0;
        sandbox.inner.store.data_mut().end();
        sandbox
    }

    /// Goes on with what is there. Call it on a guest thread.
    pub fn resume(self) -> Turn {
        let mut sandbox = self.0;
        let host = sandbox.inner.store.data_mut();
        host.meter.go_on();
        sandbox.go_on(Ok(bindings::Outcome::Pending))
    }
}

impl Sandbox {
    /// Runs `script` and every job it queues, as far as that goes without waiting; [`crate::Engine::finish`] does the
    /// rest. What an earlier run left and is due by now comes first. Call it on a guest thread ([`crate::Engine::spawn`]).
    pub fn run(mut self, script: Script<'_>, stop: &Stop, events: Events) -> Turn {
        if typescript::is_typescript_name(script.name) {
            // Its first use takes seconds, which are none of the script's.
            typescript::prepare();
        }
        let inner = &mut *self.inner;
        inner.store.data_mut().begin(stop, Some(events));
        let answer = inner.eval(script);
        self.go_on(answer)
    }

    /// Waits until something of what earlier runs left is due; None when they left nothing. Needs tokio's timers.
    pub fn idle(&self) -> Option<impl Future<Output = ()> + Send + use<>> {
        let host = self.inner.store.data();
        let (arrival, timer) = (host.tickets.arrival(), host.tickets.next_timer());
        (!host.tickets.is_empty()).then_some(async move {
            match timer {
                Some(timer) => tokio::select! {
                    () = arrival => {}
                    () = tokio::time::sleep_until(timer.into()) => {}
                },
                None => arrival.await,
            }
        })
    }

    /// Whether earlier runs left anything that is worth waiting for.
    pub fn has_leftovers(&self) -> bool {
        self.inner.store.data().tickets.holds()
    }

    /// A run that ends when nothing is left of what earlier runs began. Call it on a guest thread.
    pub fn linger(mut self, stop: &Stop, events: Events) -> Turn {
        self.inner.store.data_mut().begin(stop, Some(events));
        self.inner.lingers = true;
        self.go_on(Ok(bindings::Outcome::Pending))
    }

    /// Tells the script of something that befell its session (`session.on`), in a run of its own; `data` is JSON. Call it on
    /// a guest thread.
    pub fn wake(mut self, event: &str, data: Option<&str>, stop: &Stop, events: Events) -> Turn {
        let inner = &mut *self.inner;
        inner.store.data_mut().begin(stop, Some(events));
        let value_max = inner.value_max();
        let begun = inner.begins();
        let answer =
            begun.and_then(|()| inner.guest.wake(&mut inner.store, &inner.image.exports, (event, data), value_max));
        self.go_on(answer)
    }

    /// Goes on with what earlier runs left and is due by now, in a run of its own. Call it on a guest thread.
    pub fn background(mut self, events: Events) -> Ran {
        let inner = &mut *self.inner;
        inner.store.data_mut().begin(&Stop::default(), Some(events));
        let answer = inner.due().map(|()| undefined());
        self.end(answer)
    }

    /// From what the guest answered to the end of the run, or until only others can bring it on.
    fn go_on(mut self, mut answer: wasmtime::Result<bindings::Outcome>) -> Turn {
        let inner = &mut *self.inner;
        while let Ok(bindings::Outcome::Pending) = answer {
            let host = inner.store.data_mut();
            host.meter.poll();
            if host.meter.exceeded().is_some() || !host.tickets.holds() {
                break;
            }
            match host.due(Instant::now()) {
                Some(ticket) => {
                    answer = inner.complete(ticket);
                    if inner.lingers {
                        // No source waits for anything; the tickets do.
                        answer = answer.map(|_| bindings::Outcome::Pending);
                    }
                }
                None if host.tickets.arrives_soon() => {}
                None => {
                    host.meter.pause();
                    return Turn::Waiting(Waiting(self));
                }
            }
        }
        Turn::Done(Box::new(self.end(answer)))
    }

    fn end(mut self, answer: wasmtime::Result<bindings::Outcome>) -> Ran {
        let inner = &mut *self.inner;
        let answer = answer.and_then(|answer| {
            // Nothing of a run that was stopped goes on in a later one.
            let stopped = inner.store.data().meter.exceeded().is_some();
            if stopped || matches!(answer, bindings::Outcome::Pending) {
                let tickets = if stopped { inner.store.data_mut().tickets.abandon_run() } else { Vec::new() };
                inner.guest.abandon(&mut inner.store, &inner.image.exports, &tickets)?;
            }
            let lingered = std::mem::take(&mut inner.lingers) && !stopped;
            Ok(if lingered { undefined() } else { answer })
        });
        let host = inner.store.data_mut();
        if host.meter.exceeded().is_some() {
            host.stopped();
        }
        host.end();
        let (outcome, sound) = match answer {
            Ok(answer) => (sandbox::outcome(answer, &mut host.meter), true),
            Err(error) => (Outcome::Exception(sandbox::trap(&error, &host.meter)), false),
        };
        let micros = |time: std::time::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let metrics = Metrics {
            cpu_us: micros(host.meter.cpu()),
            wall_us: micros(host.meter.wall()),
            memory_bytes: host.memory.bytes as u64,
            host_calls: host.meter.host_calls,
            output_bytes: host.meter.output_bytes() as u64,
            modules: host.used(inner.image.modules()),
        };
        Ran { outcome, metrics, sandbox: sound.then_some(self) }
    }
}

fn undefined() -> bindings::Outcome {
    bindings::Outcome::Value(bindings::Value { ty: JsType::Undefined, preview: String::new(), json: None })
}

impl Inner {
    /// Completes one ticket.
    pub(crate) fn complete(&mut self, ticket: u32) -> wasmtime::Result<bindings::Outcome> {
        let value_max = self.value_max();
        let answer = self.guest.resume(&mut self.store, &self.image.exports, ticket, value_max)?;
        let host = self.store.data_mut();
        host.tickets.completed(ticket);
        if host.meter.exceeded().is_some() {
            // A timer that repeats what had to be stopped would stop every run to come.
            host.tickets.abandon(ticket);
            self.guest.abandon(&mut self.store, &self.image.exports, &[ticket])?;
        }
        Ok(answer)
    }

    /// Completes every ticket that is due by now.
    fn due(&mut self) -> wasmtime::Result<()> {
        let now = Instant::now();
        while let Some(ticket) = self.store.data_mut().due(now) {
            self.complete(ticket)?;
        }
        Ok(())
    }

    /// The same before a script, under limits of its own: one that was left behind and runs wild costs the script nothing.
    pub(crate) fn leftovers(&mut self) -> wasmtime::Result<()> {
        if self.store.data().tickets.is_empty() {
            return Ok(());
        }
        self.due()?;
        let host = self.store.data_mut();
        if let Some(code) = host.meter.exceeded() {
            let stopped = sandbox::stop_exception(code, host.meter.limits()).message;
            host.meter.start_over();
            host.log(ConsoleLevel::Error, format!("Left by an earlier execution and stopped: {stopped}").into_bytes());
        }
        Ok(())
    }

    pub(crate) fn value_max(&self) -> u32 {
        u32::try_from(self.store.data().meter.output_left()).unwrap_or(u32::MAX)
    }
}
