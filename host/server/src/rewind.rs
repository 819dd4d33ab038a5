//! What a session's stored heaps are good for: going back to one, and going on from one more than once.
use std::sync::Arc;

use model::{
    CheckpointId, CheckpointKind, CheckpointRow, Durability, ErrorCode, Session as Row, SessionId, SessionStatus,
    TenantId,
};
use store::{Chain, Cursor, Fork, ForkFrom, NewCheckpoint, Recipe, Wanted};
use uuid::Uuid;

use crate::clock;
use crate::fault::Fault;
use crate::keep;
use crate::nursery::blocking;
use crate::recipes::Made;
use crate::registry::{Registry, Shared};
use crate::residence::{broken, not_durable, stays};
use crate::session::Awake;

/// Copies that one request makes at most.
pub const FORKS_MAX: u32 = 100;

/// How often a heap is read that leaves the disk meanwhile.
const READ_AGAIN: usize = 4;

/// What a session is made of, and its heap.
pub(crate) struct Source {
    pub(crate) recipe: Recipe,
    pub(crate) chain: Option<Chain>,
}

impl Registry {
    /// Stores a session's heap as it is, once nothing runs. None: it is as its image is.
    pub async fn checkpoint(&self, tenant: TenantId, id: SessionId) -> Result<Option<CheckpointRow>, Fault> {
        let work = |session: crate::session::Session| async move { session.checkpoint().await };
        let Some(checkpoint) = self.with(tenant, id, work).await? else { return Ok(None) };
        let wanted = Wanted { before: Cursor::START, rows_max: 1 };
        let newest = self.shared.nursery.store.checkpoints(tenant, id, wanted).await?;
        Ok(newest.and_then(|page| page.rows.into_iter().find(|row| row.id == checkpoint)))
    }

    /// Has a session go on from one of its checkpoints, as if nothing had run since. What runs now is not stopped: busy is an
    /// answer.
    pub async fn restore(&self, tenant: TenantId, id: SessionId, checkpoint: CheckpointId) -> Result<Row, Fault> {
        let shared = Arc::clone(&self.shared);
        let task = tokio::spawn(async move { shared.restore(tenant, id, checkpoint).await });
        task.await.unwrap_or_else(|panic| Err(Fault::internal(panic)))
    }

    /// Makes sessions that go on from this one's heap, or from one of its checkpoints, each for itself. They are brought into
    /// memory when they are used.
    pub async fn fork(
        &self,
        tenant: TenantId,
        id: SessionId,
        count: u32,
        checkpoint: Option<CheckpointId>,
    ) -> Result<Vec<Row>, Fault> {
        if count == 0 || count > FORKS_MAX {
            return Err(Fault::validation(format!("count must be a number from 1 to {FORKS_MAX}")));
        }
        // What it has done so far is in its copies.
        if checkpoint.is_none() && self.get(tenant, id).is_some() {
            self.with(tenant, id, |session| async move { session.checkpoint().await }).await?;
        }
        let shared = Arc::clone(&self.shared);
        let task = tokio::spawn(async move { shared.fork(tenant, id, count, checkpoint).await });
        task.await.unwrap_or_else(|panic| Err(Fault::internal(panic)))
    }
}

impl Shared {
    async fn restore(&self, tenant: TenantId, id: SessionId, checkpoint: CheckpointId) -> Result<Row, Fault> {
        // Nobody brings it back meanwhile.
        let _turn = self.waking.enter(id).await;
        let nursery = &self.nursery;
        let row = nursery.store.session(tenant, id).await?.ok_or_else(|| Fault::session_not_found(id))?;
        if !matches!(row.status, SessionStatus::Ready | SessionStatus::Crashed) {
            return Err(Fault::session_not_ready(id));
        }
        if row.durability == Durability::None {
            return Err(not_durable().with("session_id", id));
        }
        let found = nursery.store.checkpoint_cursor(tenant, id, checkpoint).await?;
        found.ok_or_else(|| Fault::checkpoint_not_found(id, checkpoint))?;
        let live = nursery.live.map().get(&id).map(|(_, session)| session.clone());
        // What it did so far is in its history, and one can go back to it as well.
        if let Some(session) = &live
            && let Err(fault) = session.checkpoint().await
        {
            if fault.code != ErrorCode::SessionNotReady && fault.code != ErrorCode::Internal {
                return Err(fault);
            }
            tracing::warn!(session = %id, ?fault, "a heap that is left was not stored");
        }
        let source = self.named(tenant, id, checkpoint).await?;
        let new =
            self.copies(source, CheckpointKind::Restore, 1).await.map_err(|fault| fault.with("session_id", id))?;
        let new = new.into_iter().next().ok_or_else(|| Fault::internal("a checkpoint has no heap"))?;
        // Nothing is lost before there is what it goes back to.
        if let Some(session) = live {
            session.leave_unstored().await.map_err(|why: Awake| stays(id, why))?;
        }
        match nursery.store.session_restored(tenant, id, checkpoint, new).await {
            // It left the history, and the disk, while it was read.
            Err(store::Error::Gone) => Err(Fault::checkpoint_not_found(id, checkpoint)),
            restored => {
                let row = restored?;
                nursery.timers_changed.notify_one();
                // Restoring again and again makes a history as running does.
                if let Err(error) = nursery.store.prune_checkpoints(tenant, id, nursery.retention).await {
                    tracing::warn!(%error, "old checkpoints were not removed");
                }
                Ok(row)
            }
        }
    }

    async fn fork(
        &self,
        tenant: TenantId,
        id: SessionId,
        count: u32,
        checkpoint: Option<CheckpointId>,
    ) -> Result<Vec<Row>, Fault> {
        let store = &self.nursery.store;
        for _ in 0..READ_AGAIN {
            let source = self.source(tenant, id, checkpoint).await?;
            let newest = source.chain.as_ref().map(|chain| chain.head);
            let from = checkpoint.map_or(ForkFrom::Newest(newest), ForkFrom::Checkpoint);
            let heaps = self.copies(source, CheckpointKind::Fork, count).await;
            let mut heaps = heaps.map_err(|fault| fault.with("session_id", id))?.into_iter();
            let forks = (0..count).map(|_| Fork { id: Uuid::now_v7().into(), checkpoint: heaps.next() }).collect();
            match store.session_forks(tenant, id, from, forks, clock::now()).await {
                // Its newest heap is another by now, and the one that was read has left the disk.
                Err(store::Error::Gone | store::Error::Broken(_)) if checkpoint.is_none() => {}
                Err(store::Error::Gone) => break,
                forks => {
                    let forks = forks?;
                    self.nursery.timers_changed.notify_one();
                    return Ok(forks);
                }
            }
        }
        Err(checkpoint.map_or_else(|| Fault::session_not_ready(id), |it| Fault::checkpoint_not_found(id, it)))
    }

    /// A session that is ready with its newest heap; or a checkpoint of it, whatever became of it since.
    pub(crate) async fn source(
        &self,
        tenant: TenantId,
        id: SessionId,
        checkpoint: Option<CheckpointId>,
    ) -> Result<Source, Fault> {
        if let Some(checkpoint) = checkpoint {
            return self.named(tenant, id, checkpoint).await;
        }
        let found = self.nursery.store.resumable(tenant, id).await.map_err(|error| broken(id, error))?;
        let found = found.ok_or_else(|| Fault::session_not_found(id))?;
        if found.session.status != SessionStatus::Ready {
            return Err(Fault::session_not_ready(id));
        }
        let recipe = found.recipe.ok_or_else(|| not_durable().with("session_id", id))?;
        Ok(Source { recipe, chain: found.chain })
    }

    /// A checkpoint that is in this session's history.
    async fn named(&self, tenant: TenantId, id: SessionId, checkpoint: CheckpointId) -> Result<Source, Fault> {
        let found = self.nursery.store.chain(tenant, checkpoint).await.map_err(|error| broken(id, error))?;
        let Some(found) = found.filter(|found| found.session == id) else {
            let row = self.nursery.store.session(tenant, id).await?.ok_or_else(|| Fault::session_not_found(id))?;
            return Err(match row.durability {
                Durability::None => not_durable().with("session_id", id),
                _ => Fault::checkpoint_not_found(id, checkpoint),
            });
        };
        Ok(Source { recipe: found.recipe, chain: Some(found.chain) })
    }

    /// So many checkpoints of the same heap; none where it is as its image is.
    async fn copies(&self, source: Source, kind: CheckpointKind, count: u32) -> Result<Vec<NewCheckpoint>, Fault> {
        let Source { recipe, chain } = source;
        let wakes = Made::read(&recipe)?.settings.runtime.background;
        let Some(chain) = chain else { return Ok(Vec::new()) };
        let links: Vec<_> = chain.links.into_iter().map(|(id, bytes)| (*id.as_uuid(), bytes)).collect();
        let engine = self.nursery.engine.clone();
        let ids: Vec<_> = (0..count).map(|_| Uuid::now_v7()).collect();
        let copies = blocking(move || engine.copies(&recipe.image, &links, &ids)).await?;
        let copies = copies.map_err(|error| self.nursery.restore_fault(&error))?;
        Ok(copies.into_iter().map(|snapshot| keep::row(snapshot, kind, wakes)).collect())
    }
}
