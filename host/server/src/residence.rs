//! Which sessions are in memory: bringing them back when they are used or a timer of theirs is due, and making room.
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use model::{ErrorCode, Session as Row, SessionId, SessionStatus, TenantId};
use serde::Serialize;
use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit};

use crate::clock;
use crate::fault::Fault;
use crate::nursery::Nursery;
use crate::registry::{Registry, Shared};
use crate::run::Runner;
use crate::session::{Awake, Session};
use crate::task::Heap;

/// Sessions that leave memory together, at least, where there is no room: who comes next finds some. Fewer where few fit.
const LEAVE_AT_ONCE: usize = 8;
/// One in so many sessions leaves memory together.
const LEAVE_PART: usize = 64;
/// How long a session waits for room that others are making, and how often is looked whether they can.
const ROOM_TIME: Duration = Duration::from_secs(10);
const ROOM_AGAIN: Duration = Duration::from_millis(50);
/// Timers that are looked for at once, and how often at most.
const DUE_AT_ONCE: u32 = 64;
const DUE_AGAIN: Duration = Duration::from_millis(200);
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// How often memory is looked at.
const PRESSURE_EVERY: Duration = Duration::from_secs(1);

/// Where a session's heap is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Residence {
    /// In memory.
    Live,
    /// On the disk; the next use brings it back.
    Hibernated,
    /// On its way back.
    Restoring,
}

/// Sessions that somebody brings back, or closes: one at a time for each.
#[derive(Default)]
pub(crate) struct Waking(Mutex<HashMap<SessionId, Arc<tokio::sync::Mutex<()>>>>);

/// A turn at a session; the next comes when this goes.
pub(crate) struct Turn<'a> {
    waking: &'a Waking,
    id: SessionId,
    lock: Option<OwnedMutexGuard<()>>,
}

impl Waking {
    fn map(&self) -> MutexGuard<'_, HashMap<SessionId, Arc<tokio::sync::Mutex<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the turn at this session.
    pub(crate) async fn enter(&self, id: SessionId) -> Turn<'_> {
        let lock = Arc::clone(self.map().entry(id).or_default());
        let mut turn = Turn { waking: self, id, lock: None };
        turn.lock = Some(lock.lock_owned().await);
        turn
    }

    fn has(&self, id: SessionId) -> bool {
        self.map().contains_key(&id)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut map = self.waking.map();
        self.lock = None;
        // Nobody else holds it or waits for it.
        if map.get(&self.id).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            map.remove(&self.id);
        }
    }
}

impl Registry {
    /// A session that takes executions: in memory, or brought back just now.
    ///
    /// Runs in a task of its own where that takes a while: a client that goes away doesn't stop it half way.
    pub async fn session(&self, tenant: TenantId, id: SessionId) -> Result<Session, Fault> {
        if let Some(session) = self.get(tenant, id) {
            return Ok(session);
        }
        let shared = Arc::clone(&self.shared);
        let task = tokio::spawn(async move { shared.wake(tenant, id).await });
        task.await.unwrap_or_else(|panic| Err(Fault::internal(panic)))
    }

    /// Does something with a session that is in memory, again if it left just then.
    pub async fn with<T, F: Future<Output = Result<T, Fault>>>(
        &self,
        tenant: TenantId,
        id: SessionId,
        work: impl Fn(Session) -> F,
    ) -> Result<T, Fault> {
        loop {
            let session = self.session(tenant, id).await?;
            match work(session.clone()).await {
                Err(fault) if fault.code == ErrorCode::SessionNotReady && session.is_asleep() => {}
                done => return done,
            }
        }
    }

    /// Where the heap of a session is that is ready.
    pub fn residence(&self, id: SessionId) -> Residence {
        if self.shared.nursery.live.map().contains_key(&id) {
            Residence::Live
        } else if self.shared.waking.has(id) {
            Residence::Restoring
        } else {
            Residence::Hibernated
        }
    }

    /// Has a session leave memory now. Its row.
    pub async fn hibernate(&self, tenant: TenantId, id: SessionId) -> Result<Row, Fault> {
        if let Some(session) = self.get(tenant, id) {
            session.hibernate().await.map_err(|why| stays(id, why))?;
        }
        let row = self.shared.nursery.store.session(tenant, id).await?.ok_or_else(|| Fault::session_not_found(id))?;
        match row.status {
            SessionStatus::Ready => Ok(row),
            _ => Err(Fault::session_not_ready(id)),
        }
    }

    /// Wakes sessions whose timers are due, for as long as the server runs.
    pub async fn wake_by_timers(&self) {
        let nursery = &self.shared.nursery;
        let woken = Woken::default();
        while !nursery.room.is_closed() {
            let next = match nursery.store.next_wake().await {
                Ok(next) => next,
                Err(error) => {
                    tracing::error!(%error, "timers of hibernated sessions can't be read");
                    None
                }
            };
            let left = next.map_or(LOOK_AGAIN, |at| {
                let left = at.as_micros().saturating_sub(clock::now().as_micros());
                Duration::from_micros(u64::try_from(left).unwrap_or(0))
            });
            if left > DUE_AGAIN {
                tokio::select! {
                    () = tokio::time::sleep(left.min(LOOK_AGAIN)) => {}
                    () = nursery.timers_changed.notified() => {}
                }
                continue;
            }
            tokio::time::sleep(DUE_AGAIN.min(left.max(Duration::from_millis(1)))).await;
            // Those in memory see to their timers themselves, and are passed over like those that are on their way.
            let passed_over = nursery.live.map().len() + woken.pass(Instant::now());
            let many = DUE_AT_ONCE.saturating_add(u32::try_from(passed_over).unwrap_or(u32::MAX));
            match nursery.store.sessions_due(clock::now(), many).await {
                Ok(due) => {
                    for (tenant, id) in due {
                        if !nursery.live.map().contains_key(&id) && woken.begins(id) {
                            let (shared, woken) = (Arc::clone(&self.shared), woken.clone());
                            tokio::spawn(async move {
                                let again_at = shared.timer_is_due(tenant, id).await;
                                woken.ended(id, again_at);
                            });
                        }
                    }
                }
                Err(error) => tracing::error!(%error, "timers of hibernated sessions can't be read"),
            }
            tokio::time::sleep(DUE_AGAIN).await;
        }
    }

    /// Has the sessions leave that nobody used for longest while the process holds more than `bytes_max`, for as long as the
    /// server runs.
    pub async fn relieve(&self, bytes_max: u64) {
        let nursery = &self.shared.nursery;
        while !nursery.room.is_closed() {
            tokio::time::sleep(PRESSURE_EVERY).await;
            let held = held_bytes();
            if held > bytes_max {
                let left = nursery.leave().await;
                tracing::info!(held, bytes_max, left, "memory is short: idle sessions left it");
            }
        }
    }
}

/// Sessions that timers bring back just now, and those that could not be and are tried again later.
#[derive(Clone, Default)]
struct Woken(Arc<Mutex<HashMap<SessionId, Option<Instant>>>>);

impl Woken {
    fn map(&self) -> MutexGuard<'_, HashMap<SessionId, Option<Instant>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets those whose time has come; how many there are besides.
    fn pass(&self, now: Instant) -> usize {
        let mut map = self.map();
        map.retain(|_, again_at| again_at.is_none_or(|at| at > now));
        map.len()
    }

    /// Whether this one is to be brought back now.
    fn begins(&self, id: SessionId) -> bool {
        let mut map = self.map();
        let at_once = map.values().filter(|again_at| again_at.is_none()).count();
        let begins = at_once < DUE_AT_ONCE as usize && !map.contains_key(&id);
        if begins {
            map.insert(id, None);
        }
        begins
    }

    fn ended(&self, id: SessionId, again_at: Option<Instant>) {
        match again_at {
            Some(_) => self.map().insert(id, again_at),
            None => self.map().remove(&id),
        };
    }
}

impl Shared {
    /// Brings a session back whose timer is due. When that is to be tried again, if at all.
    async fn timer_is_due(&self, tenant: TenantId, id: SessionId) -> Option<Instant> {
        let fault = self.wake(tenant, id).await.err()?;
        tracing::warn!(session = %id, ?fault, "a session whose timer is due can't be brought back");
        match fault.code {
            ErrorCode::SessionLimit => None,
            // Nothing will be different later: its next use brings it back, or nothing does.
            ErrorCode::SessionDamaged
            | ErrorCode::ImageGone
            | ErrorCode::SessionNotReady
            | ErrorCode::SessionNotFound => {
                if let Err(error) = self.nursery.store.session_woken(tenant, id).await {
                    tracing::error!(%error, "a timer that was due was not crossed off");
                }
                None
            }
            _ => Some(Instant::now() + LOOK_AGAIN),
        }
    }

    async fn wake(&self, tenant: TenantId, id: SessionId) -> Result<Session, Fault> {
        let nursery = &self.nursery;
        let _turn = self.waking.enter(id).await;
        let live = || nursery.live.map().get(&id).filter(|(owner, _)| *owner == tenant).map(|(_, found)| found.clone());
        if let Some(session) = live() {
            return Ok(session);
        }
        let room = match Arc::clone(&nursery.room).try_acquire_owned() {
            Ok(room) => room,
            Err(_) => {
                // Before others make room: what is not there costs nobody anything.
                let row = nursery.store.session(tenant, id).await.map_err(|error| broken(id, error))?;
                let row = row.ok_or_else(|| Fault::session_not_found(id))?;
                if row.status != SessionStatus::Ready || row.durability == model::Durability::None {
                    return Err(Fault::session_not_ready(id));
                }
                nursery.room().await?
            }
        };
        let turn = nursery.turn_to_return().await?;
        let found = nursery.store.resumable(tenant, id).await;
        let found = found.map_err(|error| broken(id, error))?.ok_or_else(|| Fault::session_not_found(id))?;
        if found.session.status != SessionStatus::Ready || found.session.durability == model::Durability::None {
            return Err(Fault::session_not_ready(id));
        }
        let (runner, heap) = nursery.returned(tenant, found, turn).await?;
        let session = nursery.goes_live(runner, heap, room);
        // A server that began to stop meanwhile has drained the map before; what is stored stays.
        if nursery.room.is_closed() {
            nursery.live.remove(id);
            return Err(nursery.full());
        }
        Ok(session)
    }
}

impl Nursery {
    /// A session that is in memory from here on.
    pub(crate) fn goes_live(self: &Arc<Self>, runner: Runner, heap: Heap, room: OwnedSemaphorePermit) -> Session {
        let (id, tenant) = (runner.place.session, runner.tenant);
        // On the map before its task can take it off again.
        let mut map = self.live.map();
        let session = Session::start(Arc::clone(self), runner, heap, room);
        map.insert(id, (tenant, session.clone()));
        session
    }

    /// Room for one more session in memory, in order of asking; where there is none, the sessions leave that nobody used for
    /// longest.
    pub(crate) async fn room(&self) -> Result<OwnedSemaphorePermit, Fault> {
        if let Ok(room) = Arc::clone(&self.room).try_acquire_owned() {
            return Ok(room);
        }
        let room = Arc::clone(&self.room).acquire_owned();
        let made = async {
            while self.leave().await > 0 || self.may_leave() {
                tokio::time::sleep(ROOM_AGAIN).await;
            }
        };
        tokio::select! {
            biased;
            room = room => room.map_err(|_| self.full()),
            () = made => Err(self.full()),
            () = tokio::time::sleep(ROOM_TIME) => Err(self.full()),
        }
    }

    /// Whether a session that can't leave now may well do so soon: one that is busy, or on its way in or out.
    fn may_leave(&self) -> bool {
        let map = self.live.map();
        map.len() < self.sessions_max as usize
            || map.values().any(|(_, session)| session.is_durable() && session.is_busy())
    }

    /// Has some sessions leave memory; how many did.
    async fn leave(&self) -> usize {
        let mut idle: Vec<_> = {
            let map = self.live.map();
            map.values().filter_map(|(_, session)| Some((session.idle_since()?, session.clone()))).collect()
        };
        idle.sort_unstable_by_key(|(since, _)| *since);
        // Some may be pinned: then it is the turn of those that were used later.
        let few = LEAVE_AT_ONCE.min(1 + self.sessions_max as usize / LEAVE_PART);
        for part in idle.chunks(few.max(idle.len() / LEAVE_PART)) {
            let leaving = part.iter().map(|(_, session)| async move { session.hibernate().await.is_ok() });
            let left = futures_util::future::join_all(leaving).await.into_iter().filter(|left| *left).count();
            if left > 0 {
                return left;
            }
        }
        0
    }
}

pub(crate) fn stays(id: SessionId, why: Awake) -> Fault {
    let fault = match why {
        Awake::Busy => Fault::new(ErrorCode::SessionBusy, "Session is busy"),
        Awake::Pinned(what) => Fault::new(
            ErrorCode::SessionPinned,
            format!("Session can't leave memory now: {what}. Finish that first, or let it end"),
        ),
        Awake::NotDurable => not_durable(),
        Awake::NotStored => Fault::internal("a heap was not stored"),
    };
    fault.with("session_id", id)
}

pub(crate) fn not_durable() -> Fault {
    let message = "Session is not durable: its template's settings have runtime.durability \"none\"";
    Fault::new(ErrorCode::SessionNotDurable, message)
}

/// A stored heap whose rows are not whole. What exactly is wrong with them is no client's business, nor any use to it.
pub(crate) fn broken(id: SessionId, error: store::Error) -> Fault {
    if !error.is_damage() {
        return error.into();
    }
    tracing::error!(session = %id, %error, "what is stored of a session is damaged");
    let why = match error {
        store::Error::Broken(why) => why,
        _ => "what is stored of it is damaged",
    };
    let message = format!("The session can't be brought back: {why}. Restore an older checkpoint of it");
    Fault::new(ErrorCode::SessionDamaged, message).with("session_id", id)
}

/// What the process holds in memory for itself. What it maps of its images is counted for each session that reads it, and is
/// there once.
fn held_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let mut fields = statm.split(' ').skip(1).map(|pages| pages.parse::<u64>().unwrap_or(0));
    let (resident, shared) = (fields.next().unwrap_or(0), fields.next().unwrap_or(0));
    resident.saturating_sub(shared).saturating_mul(4_096)
}
