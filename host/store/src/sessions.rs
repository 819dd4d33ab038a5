//! Session rows. Which sessions are live is the registry's knowledge; these say what became of each.
use model::{Session, SessionId, SessionStatus, TemplateId, TenantId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::rows::{Cursor, Page, Wanted};
use crate::{Error, Store, executions, rows};

/// A session that is about to start.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Its id.
    pub id: SessionId,
    /// The template it is made from.
    pub template: TemplateId,
    /// The client's label.
    pub workspace_id: String,
    /// The client's label.
    pub base_commit_oid: String,
    /// As the client sent it.
    pub worktree_path: String,
    /// When.
    pub created_at: Timestamp,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT key, id, template, workspace_id, base_commit_oid, worktree_path, status, created_at, closed_at,
             last_error, runtime_meta FROM sessions WHERE tenant = ?1 ",
            $rest
        )
    };
}

impl Store {
    /// Queues a row with status `starting`; whatever is written next waits for it too. Nobody has heard of the
    /// session yet, so nobody needs to wait for the disk.
    pub async fn session_starts(&self, tenant: TenantId, new: NewSession) -> Result<(), Error> {
        self.0.writer.queue("session_starts", move |c| insert(c, tenant, &new)).await
    }

    /// The session takes executions from now on.
    pub async fn session_ready(&self, tenant: TenantId, id: SessionId) -> Result<Session, Error> {
        let change = move |c: &Connection| {
            settle(c, tenant, id, SessionStatus::Ready, None, None)?;
            find(c, tenant, id)?.ok_or(Error::Gone)
        };
        self.0.writer.write(change).await
    }

    /// The session did not start, or its heap is gone. Whatever still counts as running in it ends with it.
    pub async fn session_crashed(
        &self,
        tenant: TenantId,
        id: SessionId,
        at: Timestamp,
        why: String,
    ) -> Result<(), Error> {
        let change = move |c: &Connection| {
            settle(c, tenant, id, SessionStatus::Crashed, None, Some(&why))?;
            executions::crash(c, tenant, id, at)
        };
        self.0.writer.write(change).await
    }

    /// The session was closed, with the reason where it was not a client's wish. None when there is no such row.
    pub async fn session_closed(
        &self,
        tenant: TenantId,
        id: SessionId,
        at: Timestamp,
        why: Option<String>,
    ) -> Result<Option<Session>, Error> {
        let change = move |c: &Connection| {
            match settle(c, tenant, id, SessionStatus::Closed, Some(at), why.as_deref()) {
                Err(Error::Gone) => return Ok(None),
                settled => settled?,
            }
            // Nothing runs any more; a run whose end could not be written says so now.
            executions::crash(c, tenant, id, at)?;
            find(c, tenant, id)
        };
        self.0.writer.write(change).await
    }

    /// A session's row.
    pub async fn session(&self, tenant: TenantId, id: SessionId) -> Result<Option<Session>, Error> {
        self.0.readers.read(move |c| find(c, tenant, id)).await
    }

    /// A page of the sessions of that status, or of all, newest first.
    pub async fn sessions(
        &self,
        tenant: TenantId,
        status: Option<SessionStatus>,
        wanted: Wanted,
    ) -> Result<Page<Session>, Error> {
        let query = move |c: &Connection| {
            let (tenant, Cursor(before), limit) = (*tenant.as_uuid(), wanted.before, i64::from(wanted.rows_max) + 1);
            let size = |s: &Session| {
                let error = s.last_error.as_ref().map_or(0, String::len);
                512 + s.workspace_id.len() + s.base_commit_oid.len() + s.worktree_path.len() + error
            };
            match status {
                None => {
                    let mut statement = c.prepare_cached(select!("AND key < ?2 ORDER BY key DESC LIMIT ?3"))?;
                    let mut found = statement.query(params![tenant.as_bytes(), before, limit])?;
                    rows::page(&mut found, wanted, read, size)
                }
                Some(status) => {
                    let sql = select!("AND status = ?2 AND key < ?3 ORDER BY key DESC LIMIT ?4");
                    let mut statement = c.prepare_cached(sql)?;
                    let mut found = statement.query(params![tenant.as_bytes(), status.as_str(), before, limit])?;
                    rows::page(&mut found, wanted, read, size)
                }
            }
        };
        self.0.readers.read(query).await
    }

    /// The place of a session in the list of them, to read on from there. None when there is no such session.
    pub async fn session_cursor(&self, tenant: TenantId, id: SessionId) -> Result<Option<Cursor>, Error> {
        self.0.readers.read(move |c| Ok(key(c, tenant, id)?.map(Cursor))).await
    }
}

/// The row number of a session.
pub(crate) fn key(c: &Connection, tenant: TenantId, id: SessionId) -> Result<Option<i64>, Error> {
    let mut statement = c.prepare_cached("SELECT key FROM sessions WHERE tenant = ?1 AND id = ?2")?;
    let found = statement.query_row(params![tenant.as_uuid().as_bytes(), id.as_uuid().as_bytes()], |row| row.get(0));
    Ok(found.optional()?)
}

fn insert(c: &Connection, tenant: TenantId, new: &NewSession) -> Result<(), Error> {
    c.prepare_cached(
        "INSERT INTO sessions
         (tenant, id, template, workspace_id, base_commit_oid, worktree_path, status, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'starting', ?7)",
    )?
    .execute(params![
        tenant.as_uuid().as_bytes(),
        new.id.as_uuid().as_bytes(),
        new.template.as_uuid().as_bytes(),
        new.workspace_id,
        new.base_commit_oid,
        new.worktree_path,
        new.created_at.as_micros()
    ])?;
    Ok(())
}

/// Final states stay as they are: a crash that is noticed after the close is not news.
fn settle(
    c: &Connection,
    tenant: TenantId,
    id: SessionId,
    status: SessionStatus,
    closed_at: Option<Timestamp>,
    last_error: Option<&str>,
) -> Result<(), Error> {
    let changed = c
        .prepare_cached(
            "UPDATE sessions SET status = ?3, closed_at = max(?4, created_at), last_error = ?5
             WHERE tenant = ?1 AND id = ?2 AND status IN ('starting', 'ready')",
        )?
        .execute(params![
            tenant.as_uuid().as_bytes(),
            id.as_uuid().as_bytes(),
            status.as_str(),
            closed_at.map(|at| at.as_micros()),
            last_error
        ])?;
    if changed == 0 { Err(Error::Gone) } else { Ok(()) }
}

fn find(c: &Connection, tenant: TenantId, id: SessionId) -> Result<Option<Session>, Error> {
    let mut statement = c.prepare_cached(select!("AND id = ?2"))?;
    let mut rows = statement.query(params![tenant.as_uuid().as_bytes(), id.as_uuid().as_bytes()])?;
    rows.next()?.map(read).transpose()
}

fn read(row: &Row<'_>) -> Result<Session, Error> {
    Ok(Session {
        id: rows::id(row, 1)?.into(),
        vm_id: rows::id(row, 2)?.into(),
        workspace_id: row.get(3)?,
        base_commit_oid: row.get(4)?,
        worktree_path: row.get(5)?,
        status: rows::word(row, 6, SessionStatus::parse)?,
        created_at: rows::time(row, 7)?,
        closed_at: rows::time_if_any(row, 8)?,
        last_error: row.get(9)?,
        runtime_meta: rows::json_if_any(row, 10)?,
    })
}
