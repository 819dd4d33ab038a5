//! What a session leaves on the disk: snapshots of its heap, stored as checkpoints.
use std::sync::{Mutex, PoisonError};

use model::{CheckpointId, CheckpointKind, Durability, ExecutionId, Timestamp};
use sandbox::{Sandbox, Snapshot};
use store::{NewCheckpoint, Retention};
use uuid::Uuid;

use crate::clock;
use crate::fault::Fault;
use crate::run::Runner;

/// Checkpoints between two looks at what may go, at most, and their bytes.
const PRUNED_EVERY: u32 = 8;
const PRUNED_BYTES: u64 = 16 << 20;

/// What scripts are told that want a checkpoint meanwhile.
pub(crate) const MOVES: &str = "the session is being moved to another image";

/// How a session is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keep {
    pub(crate) durability: Durability,
    /// Its timers go on between executions, and wake it.
    pub(crate) background: bool,
    pub(crate) retention: Retention,
    /// It is being moved to another image: its new heap is stored when it is complete and not before.
    pub(crate) moves: bool,
}

impl Keep {
    pub(crate) fn is_durable(&self) -> bool {
        self.durability != Durability::None
    }

    /// The heap as a row. Call it on a guest thread.
    pub(crate) fn snapshot(&self, sandbox: &mut Sandbox) -> Result<NewCheckpoint, sandbox::Error> {
        Ok(row(sandbox.snapshot(Uuid::now_v7())?, CheckpointKind::Run, self.background))
    }
}

/// A snapshot as a row. `wakes`: its timers are to wake the session.
pub(crate) fn row(snapshot: Snapshot, kind: CheckpointKind, wakes: bool) -> NewCheckpoint {
    let Snapshot { id, parent, depth, pages, timer_due, bytes } = snapshot;
    let wake_at = timer_due.filter(|_| wakes).map(|due| Timestamp::from_micros(i64::try_from(due).unwrap_or(i64::MAX)));
    NewCheckpoint {
        id: id.into(),
        parent: parent.map(CheckpointId::from),
        kind,
        execution: None,
        depth,
        pages,
        wake_at,
        created_at: clock::now(),
        body: bytes,
    }
}

impl Runner {
    /// Stores the heap as it is, and tells scripts that wait for that. None when the guest's thread panicked: the heap is
    /// gone.
    pub(crate) async fn checkpoint<H: Heap>(
        &self,
        heap: H,
        execution: Option<ExecutionId>,
    ) -> Option<(H, Result<CheckpointId, Fault>)> {
        let keep = self.place.keep;
        if keep.moves {
            let mut heap = heap;
            heap.sandbox().checkpointed(Err(MOVES.to_owned()));
            return Some((heap, Err(Fault::internal(MOVES))));
        }
        let (mut heap, taken) = self
            .engine
            .call(move || {
                let mut heap = heap;
                let taken = keep.snapshot(heap.sandbox());
                (heap, taken)
            })
            .await?;
        let bytes = taken.as_ref().map_or(0, |new| new.body.len());
        let stored = match taken {
            Ok(new) => {
                let (id, new) = (new.id, NewCheckpoint { execution, ..new });
                let stored = self.store.checkpoint_stored(self.tenant, self.place.session, new).await;
                stored.map(|_| id).map_err(Fault::from)
            }
            Err(error) => Err(Fault::internal(error)),
        };
        match &stored {
            Ok(id) => {
                heap.sandbox().checkpointed(Ok(*id.as_uuid()));
                self.was_stored(bytes).await;
            }
            Err(fault) => {
                tracing::error!(session = %self.place.session, ?fault, "a heap was not stored");
                heap.sandbox().not_stored();
                heap.sandbox().checkpointed(Err("the heap could not be stored".to_owned()));
            }
        }
        Some((heap, stored))
    }

    /// One more checkpoint is on the disk, of so many bytes: now and then, the oldest go.
    pub(crate) async fn was_stored(&self, bytes: usize) {
        if self.unpruned.add(bytes as u64) {
            self.prune_checkpoints().await;
        }
    }

    /// Lets the oldest checkpoints go.
    pub(crate) async fn prune_checkpoints(&self) {
        let Keep { retention, .. } = self.place.keep;
        if let Err(error) = self.store.prune_checkpoints(self.tenant, self.place.session, retention).await {
            tracing::warn!(%error, "old checkpoints were not removed");
        }
    }
}

/// What was stored of a session since it was looked at what may go.
#[derive(Debug)]
pub(crate) struct Unpruned(Mutex<(u32, u64)>);

impl Default for Unpruned {
    /// The first one that is stored is followed by a look.
    fn default() -> Self {
        Unpruned(Mutex::new((PRUNED_EVERY - 1, 0)))
    }
}

impl Unpruned {
    /// One more; whether it is time to look.
    fn add(&self, more: u64) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, bytes) = (state.0 + 1, state.1.saturating_add(more));
        let due = count >= PRUNED_EVERY || bytes >= PRUNED_BYTES;
        *state = if due { (0, 0) } else { (count, bytes) };
        due
    }
}

/// Whatever has a heap that can be looked at.
pub(crate) trait Heap: Send + 'static {
    fn sandbox(&mut self) -> &mut Sandbox;
}

impl Heap for Sandbox {
    fn sandbox(&mut self) -> &mut Sandbox {
        self
    }
}

impl Heap for sandbox::Waiting {
    fn sandbox(&mut self) -> &mut Sandbox {
        sandbox::Waiting::sandbox(self)
    }
}
