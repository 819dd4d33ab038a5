//! Sessions that get a heap from elsewhere: forked, rewound, moved to another image, imported.
use std::sync::Arc;

use model::{CheckpointId, CheckpointKind, Session, SessionId, SessionStatus, TenantId, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use crate::checkpoints::{self, NO_RECIPE, Place};
use crate::{Error, NewCheckpoint, NewSession, Recipe, Store, sessions};

/// A session that is about to be forked from another.
#[derive(Clone, Debug)]
pub struct Fork {
    /// Its id.
    pub id: SessionId,
    /// Its first heap, of kind `fork` whatever it says. None where the source is still as its image is.
    pub checkpoint: Option<NewCheckpoint>,
}

/// What the heaps of forks were read from.
#[derive(Clone, Copy, Debug)]
pub enum ForkFrom {
    /// The source's newest heap, which is this checkpoint. None: it is as its image is.
    Newest(Option<CheckpointId>),
    /// A checkpoint, of whatever session of the tenant.
    Checkpoint(CheckpointId),
}

impl Store {
    /// Writes the rows of sessions that are copies of `source`: with its labels, worktree, template and durability; what it is
    /// made of and how much has run in it are those of the checkpoint, or of the source. They take executions once this answers.
    /// All of them are there, or none.
    ///
    /// [`Error::Gone`]: the source is not ready (where a checkpoint is named it need only be there), its newest heap is another by
    /// now, or the checkpoint or a parent is not there. [`Error::Broken`]: a fork comes without the heap that its source has.
    pub async fn session_forks(
        &self,
        tenant: TenantId,
        source: SessionId,
        from: ForkFrom,
        forks: Vec<Fork>,
        at: Timestamp,
    ) -> Result<Vec<Session>, Error> {
        let change = move |c: &Connection| {
            let (key, made, has_heap) = fork_source(c, tenant, source, from)?;
            let fork = |fork: &Fork| {
                if fork.checkpoint.is_none() && has_heap {
                    return Err(Error::Broken("a fork comes without its source's heap"));
                }
                insert_fork(c, tenant, key, made, fork, at)
            };
            forks.iter().map(fork).collect()
        };
        self.0.writer.write(change).await
    }

    /// Rewinds a session that is ready or crashed to a checkpoint, with whose heap it goes on: what it is made of and its `seq`
    /// are that checkpoint's again, and `new`, a copy of its heap, is stored as kind `restore`. A crashed session is ready again.
    /// [`Error::Gone`]: there is no such session, checkpoint or parent, or the session is closed.
    pub async fn session_restored(
        &self,
        tenant: TenantId,
        session: SessionId,
        checkpoint: CheckpointId,
        new: NewCheckpoint,
    ) -> Result<Session, Error> {
        let change = move |c: &Connection| {
            let Made { recipe, seq } = made_as(c, tenant, checkpoint)?;
            let (owner, id) = (tenant.as_uuid().as_bytes(), session.as_uuid().as_bytes());
            let changed = c
                .prepare_cached(
                    "UPDATE sessions SET status = 'ready', last_error = NULL, recipe = ?3, seq = ?4
                     WHERE tenant = ?1 AND id = ?2 AND status IN ('ready', 'crashed') RETURNING key",
                )?
                .query_row(params![owner, id, recipe, seq], |row| row.get(0));
            let key = changed.optional()?.ok_or(Error::Gone)?;
            let place = Place { session: key, recipe: recipe.ok_or(NO_RECIPE)?, seq };
            checkpoints::insert(c, tenant, place, CheckpointKind::Restore, &new)?;
            sessions::find(c, tenant, session)?.ok_or(Error::Gone)
        };
        self.0.writer.write(change).await
    }

    /// Moves a ready session to another recipe, with a whole heap of kind `migrate`. [`Error::Gone`]: it is not ready.
    /// [`Error::Broken`]: the heap is a delta.
    pub async fn session_migrated(
        &self,
        tenant: TenantId,
        session: SessionId,
        recipe: Arc<Recipe>,
        new: NewCheckpoint,
    ) -> Result<Session, Error> {
        let change = move |c: &Connection| {
            whole(&new)?;
            let recipe = sessions::recipe_key(c, tenant, &recipe)?;
            let (owner, id) = (tenant.as_uuid().as_bytes(), session.as_uuid().as_bytes());
            let changed = c
                .prepare_cached(
                    "UPDATE sessions SET recipe = ?3 WHERE tenant = ?1 AND id = ?2 AND status = 'ready'
                     RETURNING key, seq",
                )?
                .query_row(params![owner, id, recipe], |row| Ok((row.get(0)?, row.get(1)?)));
            let (session_key, seq) = changed.optional()?.ok_or(Error::Gone)?;
            let place = Place { session: session_key, recipe, seq };
            checkpoints::insert(c, tenant, place, CheckpointKind::Migrate, &new)?;
            sessions::find(c, tenant, session)?.ok_or(Error::Gone)
        };
        self.0.writer.write(change).await
    }

    /// Writes the row of a session that was brought from elsewhere, after `seq` executions, with its whole heap of kind
    /// `import`. It takes executions once this answers. [`Error::Broken`]: it has no recipe, or the heap is a delta.
    pub async fn session_imported(
        &self,
        tenant: TenantId,
        new: NewSession,
        seq: u64,
        checkpoint: NewCheckpoint,
    ) -> Result<Session, Error> {
        let change = move |c: &Connection| {
            whole(&checkpoint)?;
            let key = sessions::insert(c, tenant, &new, SessionStatus::Ready)?;
            let (recipe, seq) = c
                .prepare_cached("UPDATE sessions SET seq = ?2 WHERE key = ?1 RETURNING recipe, seq")?
                .query_row(params![key, crate::rows::signed(seq)], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let recipe: Option<i64> = recipe;
            let place = Place { session: key, recipe: recipe.ok_or(NO_RECIPE)?, seq };
            checkpoints::insert(c, tenant, place, CheckpointKind::Import, &checkpoint)?;
            sessions::find(c, tenant, new.id)?.ok_or(Error::Gone)
        };
        self.0.writer.write(change).await
    }
}

/// What a heap is made of, and how much has run in it.
#[derive(Clone, Copy)]
struct Made {
    recipe: Option<i64>,
    seq: i64,
}

fn whole(new: &NewCheckpoint) -> Result<(), Error> {
    match new.parent {
        None => Ok(()),
        Some(_) => Err(Error::Broken("a delta to the heap of another image")),
    }
}

fn made_as(c: &Connection, tenant: TenantId, checkpoint: CheckpointId) -> Result<Made, Error> {
    let found = c
        .prepare_cached("SELECT recipe, seq FROM checkpoints WHERE tenant = ?1 AND id = ?2")?
        .query_row(params![tenant.as_uuid().as_bytes(), checkpoint.as_uuid().as_bytes()], |row| {
            Ok(Made { recipe: row.get(0)?, seq: row.get(1)? })
        });
    found.optional()?.ok_or(Error::Gone)
}

/// The source's row number, what its forks are made of, and whether they need a heap.
fn fork_source(
    c: &Connection,
    tenant: TenantId,
    source: SessionId,
    from: ForkFrom,
) -> Result<(i64, Made, bool), Error> {
    let found = c
        .prepare_cached(
            "SELECT s.key, s.status, s.recipe, s.seq, h.id FROM sessions s LEFT JOIN checkpoints h ON h.key = s.head
             WHERE s.tenant = ?1 AND s.id = ?2",
        )?
        .query_row(params![tenant.as_uuid().as_bytes(), source.as_uuid().as_bytes()], |row| {
            let made = Made { recipe: row.get(2)?, seq: row.get(3)? };
            Ok((row.get(0)?, row.get::<_, String>(1)?, made, row.get::<_, Option<[u8; 16]>>(4)?))
        });
    let (key, status, made, newest) = found.optional()?.ok_or(Error::Gone)?;
    let newest = newest.map(|id| CheckpointId::from(uuid::Uuid::from_bytes(id)));
    match from {
        ForkFrom::Checkpoint(checkpoint) => Ok((key, made_as(c, tenant, checkpoint)?, true)),
        ForkFrom::Newest(read) if status == SessionStatus::Ready.as_str() && read == newest => {
            Ok((key, made, newest.is_some()))
        }
        ForkFrom::Newest(_) => Err(Error::Gone),
    }
}

fn insert_fork(
    c: &Connection,
    tenant: TenantId,
    source: i64,
    made: Made,
    fork: &Fork,
    at: Timestamp,
) -> Result<Session, Error> {
    c.prepare_cached(
        "INSERT INTO sessions (tenant, id, template, workspace_id, base_commit_oid, worktree_path, status, created_at,
         recipe, durability, seq)
         SELECT tenant, ?2, template, workspace_id, base_commit_oid, worktree_path, 'ready', ?3, ?4, durability, ?5
         FROM sessions WHERE key = ?1",
    )?
    .execute(params![source, fork.id.as_uuid().as_bytes(), at.as_micros(), made.recipe, made.seq])?;
    if let Some(checkpoint) = &fork.checkpoint {
        let place = Place { session: c.last_insert_rowid(), recipe: made.recipe.ok_or(NO_RECIPE)?, seq: made.seq };
        checkpoints::insert(c, tenant, place, CheckpointKind::Fork, checkpoint)?;
    }
    sessions::find(c, tenant, fork.id)?.ok_or(Error::Gone)
}

#[cfg(test)]
mod tests {
    use model::Durability;
    use uuid::Uuid;

    use super::*;
    use crate::scratch::{Scratch, TENANT, at, heap, new_session, recipe};

    fn forks(parents: &[Option<CheckpointId>]) -> Vec<Fork> {
        let fork = |parent: &Option<CheckpointId>| Fork {
            id: Uuid::now_v7().into(),
            checkpoint: parent.map(|parent| NewCheckpoint { depth: 1, ..heap(Some(parent), 5) }),
        };
        parents.iter().map(fork).collect()
    }

    #[tokio::test]
    async fn forks_are_copies_of_rows_and_share_heaps() {
        let scratch = Scratch::new();
        let store = &scratch.store;
        let source = scratch.session(Durability::Checkpoint).await;
        // Nothing ran yet: no heaps are needed.
        let fresh =
            store.session_forks(TENANT, source, ForkFrom::Newest(None), forks(&[None, None]), at(7)).await.unwrap();
        assert_eq!(fresh.len(), 2);
        assert_eq!((fresh[1].seq, fresh[1].durable_seq, fresh[1].created_at), (0, None, at(7)));

        let first = heap(None, 10);
        scratch.runs(source, Some(first.clone())).await.unwrap();
        let second = NewCheckpoint { depth: 1, ..heap(Some(first.id), 10) };
        scratch.runs(source, Some(second.clone())).await.unwrap();
        scratch.runs(source, None).await.unwrap();
        let newest = ForkFrom::Newest(Some(second.id));
        let bare = store.session_forks(TENANT, source, newest, forks(&[None]), at(7)).await;
        assert!(matches!(bare, Err(Error::Broken(_))), "{bare:?}");

        // What was read is no longer the newest.
        for from in [ForkFrom::Newest(None), ForkFrom::Newest(Some(first.id))] {
            let late = store.session_forks(TENANT, source, from, forks(&[Some(first.id)]), at(7)).await;
            assert!(matches!(late, Err(Error::Gone)), "{late:?}");
        }

        let live = store.session_forks(TENANT, source, newest, forks(&[Some(second.id)]), at(7)).await.unwrap();
        let row = store.session(TENANT, live[0].id).await.unwrap().unwrap();
        assert_eq!((row.seq, row.durable_seq, row.status), (3, Some(3), SessionStatus::Ready));
        assert_eq!((row.worktree_path.as_str(), row.durability), ("/tree", Durability::Checkpoint));
        let source_row = store.session(TENANT, source).await.unwrap().unwrap();
        assert_eq!((row.vm_id, &row.workspace_id), (source_row.vm_id, &source_row.workspace_id));

        // One that is bad undoes all of them.
        let mixed = forks(&[Some(second.id), Some(Uuid::now_v7().into())]);
        let refused = store.session_forks(TENANT, source, newest, mixed.clone(), at(7)).await;
        assert!(matches!(refused, Err(Error::Gone)), "{refused:?}");
        assert!(store.session(TENANT, mixed[0].id).await.unwrap().is_none());

        // From a named checkpoint also where the source has crashed; then it is that which counts.
        store.session_crashed(TENANT, source, at(8), "trap".into()).await.unwrap();
        let refused = store.session_forks(TENANT, source, newest, forks(&[Some(second.id)]), at(9)).await;
        assert!(matches!(refused, Err(Error::Gone)), "{refused:?}");
        let named = ForkFrom::Checkpoint(first.id);
        let named = store.session_forks(TENANT, source, named, forks(&[Some(first.id)]), at(9)).await.unwrap();
        assert_eq!((named[0].seq, named[0].durable_seq), (1, Some(1)));
        let found = store.resumable(TENANT, named[0].id).await.unwrap().unwrap();
        assert_eq!(found.recipe.as_ref(), Some(&*recipe(1)));
        let chain = found.chain.unwrap();
        assert_eq!((chain.kind, chain.seq, chain.depth, chain.links.len()), (CheckpointKind::Fork, 1, 1, 2));
        assert_eq!(scratch.count("SELECT count(*) FROM recipes").await, 1);
    }

    #[tokio::test]
    async fn rewinding_and_moving_to_another_image() {
        let scratch = Scratch::new();
        let store = &scratch.store;
        let id = scratch.session(Durability::Every).await;
        let first = heap(None, 10);
        scratch.runs(id, Some(first.clone())).await.unwrap();
        scratch.runs(id, Some(NewCheckpoint { depth: 1, ..heap(Some(first.id), 10) })).await.unwrap();
        let delta = store.session_migrated(TENANT, id, recipe(2), heap(Some(first.id), 10)).await;
        assert!(matches!(delta, Err(Error::Broken(_))), "{delta:?}");
        let moved = heap(None, 10);
        let row = store.session_migrated(TENANT, id, recipe(2), moved.clone()).await.unwrap();
        assert_eq!((row.seq, row.durable_seq), (2, Some(2)));
        let found = store.resumable(TENANT, id).await.unwrap().unwrap();
        assert_eq!(found.recipe.as_ref(), Some(&*recipe(2)));
        assert_eq!(
            found.chain.as_ref().map(|chain| (chain.head, chain.kind)),
            Some((moved.id, CheckpointKind::Migrate))
        );

        store.session_crashed(TENANT, id, at(8), "trap".into()).await.unwrap();
        let nowhere = store.session_restored(TENANT, id, Uuid::now_v7().into(), heap(None, 1)).await;
        assert!(matches!(nowhere, Err(Error::Gone)), "{nowhere:?}");
        assert!(matches!(store.session_migrated(TENANT, id, recipe(3), heap(None, 1)).await, Err(Error::Gone)));
        let back = NewCheckpoint { wake_at: Some(at(60)), ..heap(Some(first.id), 1) };
        let row = store.session_restored(TENANT, id, first.id, back).await.unwrap();
        assert_eq!((row.status, row.last_error, row.seq, row.durable_seq), (SessionStatus::Ready, None, 1, Some(1)));
        let found = store.resumable(TENANT, id).await.unwrap().unwrap();
        assert_eq!(found.recipe.as_ref(), Some(&*recipe(1)), "of the image that it had then");
        assert_eq!(found.chain.unwrap().kind, CheckpointKind::Restore);
        assert_eq!(store.next_wake().await.unwrap(), Some(at(60)));
        assert_eq!(scratch.history(id).await.len(), 4);
        scratch.runs(id, None).await.unwrap();

        store.session_closed(TENANT, id, at(9), None).await.unwrap();
        assert_eq!(store.next_wake().await.unwrap(), None);
        let closed = store.session_restored(TENANT, id, first.id, heap(Some(first.id), 1)).await;
        assert!(matches!(closed, Err(Error::Gone)), "{closed:?}");
    }

    #[tokio::test]
    async fn what_is_imported_is_ready_and_whole() {
        let scratch = Scratch::new();
        let store = &scratch.store;
        let new = new_session(Durability::Every);
        let row = store.session_imported(TENANT, new.clone(), 41, heap(None, 10)).await.unwrap();
        assert_eq!((row.id, row.status, row.seq, row.durable_seq), (new.id, SessionStatus::Ready, 41, Some(41)));
        scratch.runs(new.id, None).await.unwrap();
        assert_eq!(store.session(TENANT, new.id).await.unwrap().unwrap().seq, 42);
        let head = scratch.history(new.id).await[0];
        let next = NewSession { id: Uuid::now_v7().into(), ..new.clone() };
        let delta = store.session_imported(TENANT, next.clone(), 1, heap(Some(head), 1)).await;
        assert!(matches!(delta, Err(Error::Broken(_))), "{delta:?}");
        let unmade = NewSession { recipe: None, ..next.clone() };
        let unmade = store.session_imported(TENANT, unmade, 1, heap(None, 1)).await;
        assert!(matches!(unmade, Err(Error::Broken(_))), "{unmade:?}");
        assert!(store.session(TENANT, next.id).await.unwrap().is_none());
    }
}
