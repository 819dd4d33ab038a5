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

impl Store {
    /// Writes the rows of sessions that are copies of `source`: with its labels, worktree, template and durability; what it is
    /// made of and how much has run in it are those of `checkpoint`, or of the source where none is named. They take executions
    /// once this answers. All of them are there, or none.
    ///
    /// [`Error::Gone`]: the source is not ready (where a checkpoint is named it need only be there), or the checkpoint or a
    /// parent is not there. [`Error::Broken`]: a fork comes without the heap that its source has.
    pub async fn session_forks(
        &self,
        tenant: TenantId,
        source: SessionId,
        checkpoint: Option<CheckpointId>,
        forks: Vec<Fork>,
        at: Timestamp,
    ) -> Result<Vec<Session>, Error> {
        let change = move |c: &Connection| {
            let (key, made, has_heap) = fork_source(c, tenant, source, checkpoint)?;
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

    /// Rewinds a session that is ready or crashed to the parent of `new`, with whose heap it goes on: what it is made of and
    /// its `seq` are that checkpoint's again, and `new` is stored as kind `restore`. A crashed session is ready again.
    /// [`Error::Gone`]: there is no such session or parent, or the session is closed.
    pub async fn session_restored(
        &self,
        tenant: TenantId,
        session: SessionId,
        new: NewCheckpoint,
    ) -> Result<Session, Error> {
        let change = move |c: &Connection| {
            let Made { recipe, seq } = made_as(c, tenant, new.parent.ok_or(Error::Gone)?)?;
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
    checkpoint: Option<CheckpointId>,
) -> Result<(i64, Made, bool), Error> {
    let found = c
        .prepare_cached("SELECT key, status, recipe, seq, head FROM sessions WHERE tenant = ?1 AND id = ?2")?
        .query_row(params![tenant.as_uuid().as_bytes(), source.as_uuid().as_bytes()], |row| {
            let made = Made { recipe: row.get(2)?, seq: row.get(3)? };
            Ok((row.get(0)?, row.get::<_, String>(1)?, made, row.get::<_, Option<i64>>(4)?.is_some()))
        });
    let (key, status, made, has_heap) = found.optional()?.ok_or(Error::Gone)?;
    match checkpoint {
        Some(checkpoint) => Ok((key, made_as(c, tenant, checkpoint)?, true)),
        None if status == SessionStatus::Ready.as_str() => Ok((key, made, has_heap)),
        None => Err(Error::Gone),
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
