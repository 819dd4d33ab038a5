//! What a session waits for. A ticket stands for a timer or for work that goes on beside the guest; it outlives the host
//! call that began it and is completed by resuming the guest, on whatever thread is free then.
use std::any::Any;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use uuid::Uuid;

use crate::room::Room;

/// Timers that a session may have set.
pub(crate) const TIMERS_MAX: usize = 10_000;
/// Asynchronous host calls of a session that may be under way.
pub(crate) const CALLS_MAX: usize = 1_000;

/// How long a guest thread is kept for a call that may be done at once.
const SOON: Duration = Duration::from_micros(200);

type Result = Box<dyn Any + Send>;

enum Waiting {
    Timer {
        due: Instant,
        period: Option<Duration>,
    },
    Call(AbortHandle),
    /// A checkpoint that was asked for, and whether what became of it is on its way to the script.
    Checkpoint {
        told: bool,
    },
    Done(Result),
}

/// What became of a checkpoint: JSON for the script, or why there is none.
pub(crate) type Checkpointed = std::result::Result<String, String>;

/// Tickets as they are stored.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct SavedTickets {
    last: u32,
    timers: Vec<SavedTimer>,
    /// Their work does not come back.
    lost: Vec<u32>,
    /// Checkpoints that the script waits for: this one, for all it knows.
    checkpoints: Vec<u32>,
}

impl SavedTickets {
    /// When the next timer is due, microseconds since 1970.
    pub(crate) fn next_due(&self) -> Option<u64> {
        self.timers.iter().map(|timer| timer.due).min()
    }
}

/// Times are microseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct SavedTimer {
    ticket: u32,
    /// Since 1970.
    due: u64,
    /// What was left then: a clock that was set back makes nobody wait for longer.
    left: u64,
    period: Option<u64>,
    /// Nothing is to be waited for it alone.
    #[serde(default)]
    loose: bool,
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn since_1970() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, micros)
}

struct Ticket {
    waiting: Waiting,
    /// The run that took it out.
    run: u64,
}

/// Results on their way in, and who waits for one.
#[derive(Default)]
struct Inbox {
    results: Mutex<Results>,
    arrived: Notify,
    /// For a guest thread that has not let go yet.
    there: Condvar,
}

#[derive(Default)]
struct Results {
    queue: VecDeque<(u32, Result)>,
    /// A thread waits for the condition.
    held: bool,
}

impl Inbox {
    fn results(&self) -> MutexGuard<'_, Results> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, ticket: u32, result: Result) {
        let mut results = self.results();
        results.queue.push_back((ticket, result));
        let held = results.held;
        drop(results);
        if held {
            self.there.notify_one();
        } else {
            self.arrived.notify_one();
        }
    }
}

fn checkpointed(id: Uuid, restored: bool) -> String {
    format!(r#"{{"id":"{id}","restored":{restored}}}"#)
}

/// The tickets of one session.
pub(crate) struct Tickets {
    /// Where work goes on. None while an image is built: nothing asynchronous can begin there.
    runtime: Option<Handle>,
    last: u32,
    run: u64,
    out: BTreeMap<u32, Ticket>,
    timers: BTreeSet<(Instant, u32)>,
    /// Timers that are not worth waiting for.
    loose: BTreeSet<u32>,
    inbox: Arc<Inbox>,
    /// Timers and results take turns, so that neither keeps the other waiting for good.
    timers_turn: bool,
    /// What calls that are under way were given.
    given: Arc<Room>,
    /// What calls that are done came to, until the guest takes it. Apart from what was given: work that waits for room here
    /// must not wait for work behind it.
    results: Arc<Room>,
}

impl Tickets {
    /// `given_max`, `results_max`: bytes that calls may be given, and that they may come to before the guest looks.
    pub(crate) fn new(runtime: Option<Handle>, given_max: usize, results_max: usize) -> Tickets {
        Tickets {
            runtime,
            last: 0,
            run: 0,
            out: BTreeMap::new(),
            timers: BTreeSet::new(),
            loose: BTreeSet::new(),
            inbox: Arc::default(),
            timers_turn: true,
            given: Room::new(given_max),
            results: Room::new(results_max),
        }
    }

    /// Room for what calls are given.
    pub(crate) fn given(&self) -> &Arc<Room> {
        &self.given
    }

    /// Room for what they come to. Work that may come to much waits here before it begins.
    pub(crate) fn results(&self) -> &Arc<Room> {
        &self.results
    }

    /// Where work goes on. None while an image is built.
    pub(crate) fn runtime(&self) -> Option<Handle> {
        self.runtime.clone()
    }

    /// Another run begins: what is taken out from here on is its.
    pub(crate) fn begin_run(&mut self) {
        self.run += 1;
    }

    fn number(&mut self) -> u32 {
        // Numbers come round after 2^32 tickets; 0 is none.
        loop {
            self.last = self.last.wrapping_add(1);
            if self.last != 0 && !self.out.contains_key(&self.last) {
                return self.last;
            }
        }
    }

    fn issue(&mut self, ticket: u32, waiting: Waiting) {
        self.out.insert(ticket, Ticket { waiting, run: self.run });
    }

    /// Sets a timer; None when there are too many.
    pub(crate) fn timer(&mut self, time: Duration, repeats: bool) -> Option<u32> {
        if self.runtime.is_none() || self.timers.len() >= TIMERS_MAX {
            return None;
        }
        let due = Instant::now() + time;
        let ticket = self.number();
        self.issue(ticket, Waiting::Timer { due, period: repeats.then_some(time) });
        self.timers.insert((due, ticket));
        Some(ticket)
    }

    /// Whether a timer is waited for when nothing else is.
    pub(crate) fn hold_timer(&mut self, ticket: u32, holds: bool) {
        if holds {
            self.loose.remove(&ticket);
        } else if let Some(Ticket { waiting: Waiting::Timer { .. }, .. }) = self.out.get(&ticket) {
            self.loose.insert(ticket);
        }
    }

    /// Forgets a timer.
    pub(crate) fn cancel_timer(&mut self, ticket: u32) {
        if let Some(Ticket { waiting: Waiting::Timer { due, .. }, .. }) = self.out.get(&ticket) {
            self.timers.remove(&(*due, ticket));
            self.loose.remove(&ticket);
            self.out.remove(&ticket);
        }
    }

    /// Begins work whose value the guest takes later; None when too much is under way.
    pub(crate) fn call<T: Send + 'static>(&mut self, work: impl Future<Output = T> + Send + 'static) -> Option<u32> {
        let runtime = self.runtime.clone()?;
        if self.out.len() - self.timers.len() >= CALLS_MAX {
            return None;
        }
        let (inbox, ticket) = (Arc::clone(&self.inbox), self.number());
        // It may be done before it is written down here; nobody looks for it before this thread does.
        let task = runtime.spawn(async move { inbox.push(ticket, Box::new(work.await)) });
        self.issue(ticket, Waiting::Call(task.abort_handle()));
        Some(ticket)
    }

    /// Asks for a checkpoint, unless it was refused; None when too much is under way.
    pub(crate) fn checkpoint(&mut self, refused: Option<String>) -> Option<u32> {
        if self.out.len() - self.timers.len() >= CALLS_MAX {
            return None;
        }
        let ticket = self.number();
        self.issue(ticket, Waiting::Checkpoint { told: false });
        if let Some(why) = refused {
            self.arrive(ticket, Err(why));
        }
        Some(ticket)
    }

    /// Whether a script waits for a checkpoint and was not told yet.
    pub(crate) fn wants_checkpoint(&self) -> bool {
        self.wanted().next().is_some()
    }

    fn wanted(&self) -> impl Iterator<Item = u32> {
        self.out
            .iter()
            .filter(|(_, ticket)| matches!(ticket.waiting, Waiting::Checkpoint { told: false }))
            .map(|(id, _)| *id)
    }

    /// Tells all who wait for a checkpoint.
    pub(crate) fn checkpointed(&mut self, answer: std::result::Result<Uuid, String>) {
        for ticket in self.wanted().collect::<Vec<_>>() {
            self.arrive(ticket, answer.clone().map(|id| checkpointed(id, false)));
        }
    }

    fn arrive(&mut self, ticket: u32, answer: Checkpointed) {
        if let Some(Ticket { waiting: Waiting::Checkpoint { told }, .. }) = self.out.get_mut(&ticket) {
            *told = true;
        }
        self.inbox.push(ticket, Box::new(answer));
    }

    /// As they are stored.
    pub(crate) fn save(&self) -> SavedTickets {
        let (now, clock) = (Instant::now(), since_1970());
        let mut saved = SavedTickets { last: self.last, ..SavedTickets::default() };
        for (&ticket, Ticket { waiting, .. }) in &self.out {
            match waiting {
                Waiting::Timer { due, period } => {
                    let left = micros(due.saturating_duration_since(now));
                    let due = clock.saturating_add(left);
                    let (period, loose) = (period.map(micros), self.loose.contains(&ticket));
                    saved.timers.push(SavedTimer { ticket, due, left, period, loose });
                }
                Waiting::Checkpoint { .. } => saved.checkpoints.push(ticket),
                Waiting::Done(_) | Waiting::Call(_) => saved.lost.push(ticket),
            }
        }
        saved
    }

    /// Takes stored ones up again, and answers with those whose work is lost. `id`: the checkpoint that they come from.
    pub(crate) fn restore(&mut self, saved: &SavedTickets, id: Uuid) -> Vec<u32> {
        let (now, clock) = (Instant::now(), since_1970());
        self.last = saved.last;
        for timer in saved.timers.iter().take(TIMERS_MAX) {
            let left = timer.due.saturating_sub(clock).min(timer.left);
            let due = now + Duration::from_micros(left);
            let period = timer.period.map(Duration::from_micros);
            self.out.insert(timer.ticket, Ticket { waiting: Waiting::Timer { due, period }, run: 0 });
            self.timers.insert((due, timer.ticket));
            if timer.loose {
                self.loose.insert(timer.ticket);
            }
        }
        for &ticket in saved.checkpoints.iter().take(CALLS_MAX) {
            self.out.insert(ticket, Ticket { waiting: Waiting::Checkpoint { told: false }, run: 0 });
            self.arrive(ticket, Ok(checkpointed(id, true)));
        }
        saved.lost.clone()
    }

    /// Whether anything is out that can't be stored: work under way, or its result that nobody took yet.
    pub(crate) fn holds_work(&self) -> bool {
        self.out.values().any(|ticket| matches!(ticket.waiting, Waiting::Call(_) | Waiting::Done(_)))
    }

    /// The value of a call that is done, once. None: not done, another type, or nobody's.
    pub(crate) fn take<T: 'static>(&mut self, ticket: u32) -> Option<T> {
        let Some(Ticket { waiting: Waiting::Done(value), .. }) = self.out.get(&ticket) else { return None };
        if !value.is::<T>() {
            return None;
        }
        match self.out.remove(&ticket)?.waiting {
            Waiting::Done(value) => value.downcast().ok().map(|value| *value),
            _ => None,
        }
    }

    /// A ticket that can be completed at `now`. A timer that repeats is set again.
    pub(crate) fn due(&mut self, now: Instant) -> Option<u32> {
        self.timers_turn = !self.timers_turn;
        if self.timers_turn {
            self.due_timer(now).or_else(|| self.arrived())
        } else {
            self.arrived().or_else(|| self.due_timer(now))
        }
    }

    fn due_timer(&mut self, now: Instant) -> Option<u32> {
        let &(due, ticket) = self.timers.first()?;
        if due > now {
            return None;
        }
        self.timers.pop_first();
        if let Some(Ticket { waiting: Waiting::Timer { due, period: Some(period) }, .. }) = self.out.get_mut(&ticket) {
            // Not as often as it was missed: a session that stood still catches up with one call.
            *due = (*due + *period).max(now + Duration::from_millis(1));
            self.timers.insert((*due, ticket));
        } else {
            self.loose.remove(&ticket);
            self.out.remove(&ticket);
        }
        Some(ticket)
    }

    fn arrived(&mut self) -> Option<u32> {
        loop {
            let (ticket, value) = self.inbox.results().queue.pop_front()?;
            // Given up meanwhile, or the number of another by now.
            let due = self.out.get_mut(&ticket).map(|ticket| &mut ticket.waiting);
            if let Some(waiting @ (Waiting::Call(_) | Waiting::Checkpoint { .. })) = due {
                *waiting = Waiting::Done(value);
                return Some(ticket);
            }
        }
    }

    /// The guest was resumed with this ticket: a value that it did not take is nobody's.
    pub(crate) fn completed(&mut self, ticket: u32) {
        if let Some(Ticket { waiting: Waiting::Done(_), .. }) = self.out.get(&ticket) {
            self.out.remove(&ticket);
        }
    }

    /// Gives up what this run took out, and answers with it.
    pub(crate) fn abandon_run(&mut self) -> Vec<u32> {
        let run = self.run;
        let given_up: Vec<u32> = self.out.iter().filter(|(_, ticket)| ticket.run == run).map(|(id, _)| *id).collect();
        for ticket in &given_up {
            self.abandon(*ticket);
        }
        // What came to something already would take room until somebody looks.
        self.inbox.results().queue.retain(|(ticket, _)| self.out.contains_key(ticket));
        given_up
    }

    /// Gives up one ticket, whoever took it out.
    pub(crate) fn abandon(&mut self, ticket: u32) {
        match self.out.remove(&ticket).map(|ticket| ticket.waiting) {
            Some(Waiting::Timer { due, .. }) => {
                self.loose.remove(&ticket);
                self.timers.remove(&(due, ticket));
            }
            Some(Waiting::Call(task)) => task.abort(),
            Some(Waiting::Checkpoint { .. } | Waiting::Done(_)) | None => {}
        }
    }

    /// Waits on this very thread, if a call is under way, for no longer than handing the run to another thread would take.
    /// Whether something arrived.
    pub(crate) fn arrives_soon(&self) -> bool {
        if self.out.len() == self.timers.len() {
            return false;
        }
        let mut results = self.inbox.results();
        if results.queue.is_empty() {
            results.held = true;
            let waited = self.inbox.there.wait_timeout_while(results, SOON, |results| results.queue.is_empty());
            results = waited.unwrap_or_else(PoisonError::into_inner).0;
            results.held = false;
        }
        !results.queue.is_empty()
    }

    /// Whether anything is out that is worth waiting for.
    pub(crate) fn holds(&self) -> bool {
        self.out.len() > self.loose.len()
    }

    /// Whether nothing is out: nothing will ever be due.
    pub(crate) fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// When the next timer is due.
    pub(crate) fn next_timer(&self) -> Option<Instant> {
        self.timers.first().map(|(due, _)| *due)
    }

    /// Waits until a result arrives; one that did already counts.
    pub(crate) fn arrival(&self) -> impl Future<Output = ()> + Send + use<> {
        let inbox = Arc::clone(&self.inbox);
        async move {
            loop {
                let arrived = inbox.arrived.notified();
                if !inbox.results().queue.is_empty() {
                    return;
                }
                arrived.await;
            }
        }
    }
}

impl Drop for Tickets {
    fn drop(&mut self) {
        for ticket in self.out.values() {
            if let Waiting::Call(task) = &ticket.waiting {
                task.abort();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_given_up_takes_no_room() {
        let mut tickets = Tickets::new(Some(Handle::current()), 10, 10);
        tickets.begin_run();
        let held = tickets.results().hold(10);
        tickets.call(async move { held }).unwrap();
        tickets.arrival().await;
        assert!(tickets.results().is_full());
        tickets.abandon_run();
        assert!(!tickets.results().is_full() && tickets.is_empty());
    }

    #[test]
    fn who_waits_for_a_checkpoint_is_told_once() {
        let mut tickets = Tickets::new(None, 10, 10);
        let ticket = tickets.checkpoint(None).unwrap();
        assert!(tickets.wants_checkpoint());
        tickets.checkpointed(Ok(Uuid::nil()));
        // It has not heard of it yet, and there is nothing more to store for it.
        assert!(!tickets.wants_checkpoint() && tickets.save().checkpoints == [ticket]);
        tickets.checkpointed(Err("later".to_owned()));
        assert_eq!(tickets.due(Instant::now()), Some(ticket));
        assert!(tickets.take::<Checkpointed>(ticket).unwrap().is_ok());
        assert_eq!(tickets.due(Instant::now()), None);
        // Nor is there for one that was refused.
        tickets.checkpoint(Some("nothing is stored".to_owned())).unwrap();
        assert!(!tickets.wants_checkpoint());
    }

    #[tokio::test]
    async fn loose_timers_come_due_and_hold_nothing() {
        let mut tickets = Tickets::new(Some(Handle::current()), 10, 10);
        let (once, often) =
            (tickets.timer(Duration::ZERO, false).unwrap(), tickets.timer(Duration::ZERO, true).unwrap());
        assert!(tickets.holds());
        tickets.hold_timer(once, false);
        tickets.hold_timer(often, false);
        tickets.hold_timer(77, false);
        assert!(!tickets.holds() && !tickets.is_empty());
        tickets.hold_timer(often, true);
        assert!(tickets.holds());
        tickets.hold_timer(often, false);
        let call = tickets.call(async {}).unwrap();
        assert!(tickets.holds());
        tickets.arrival().await;
        assert!(tickets.arrives_soon());
        let now = Instant::now() + Duration::from_millis(1);
        let mut due: Vec<u32> = (0..3).filter_map(|_| tickets.due(now)).collect();
        due.sort_unstable();
        due.dedup();
        assert!(due.contains(&once) && due.contains(&call), "{due:?}");
        tickets.completed(call);
        assert!(!tickets.holds());
        tickets.cancel_timer(often);
        assert!(!tickets.holds() && tickets.is_empty());
    }
}
