//! Requests that say they may be sent twice (`Idempotency-Key`), and what they were answered.
use model::{TenantId, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use crate::{Error, Store};

/// How long an answer is kept.
const KEPT_MICROS: i64 = 24 * 3_600 * 1_000_000;
/// Old keys that each new one clears away: more than come in, so that they never pile up.
const CLEARED_MAX: u32 = 4;

/// An answer that is given again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The HTTP status.
    pub status: u16,
    /// The `Location` header, if it had one.
    pub location: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// What is known of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// Nothing: it is reserved for this request now.
    Fresh,
    /// The same request was answered.
    Answered(Kept),
    /// The same request has no answer: it is under way, or the server stopped in the middle.
    Unanswered,
    /// It came with another request.
    Different,
}

impl Store {
    /// Reserves a key for a request, or says what came of it before. `request` is a digest of the request.
    pub async fn reserve_key(
        &self,
        tenant: TenantId,
        name: String,
        request: [u8; 32],
        at: Timestamp,
    ) -> Result<Reserved, Error> {
        let change = move |c: &Connection| {
            c.prepare_cached(
                "DELETE FROM idempotency_keys WHERE key IN
                 (SELECT key FROM idempotency_keys WHERE created_at < ?1 ORDER BY created_at LIMIT ?2)",
            )?
            .execute(params![at.as_micros() - KEPT_MICROS, CLEARED_MAX])?;
            if let Some(known) = find(c, tenant, &name, &request)? {
                return Ok(known);
            }
            c.prepare_cached(
                "INSERT INTO idempotency_keys (tenant, name, request, created_at) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![tenant.as_uuid().as_bytes(), name, request, at.as_micros()])?;
            Ok(Reserved::Fresh)
        };
        self.0.writer.write(change).await
    }

    /// Keeps the answer of a reserved key.
    pub async fn keep_answer(&self, tenant: TenantId, name: String, kept: Kept) -> Result<(), Error> {
        let change = move |c: &Connection| {
            c.prepare_cached(
                "UPDATE idempotency_keys SET status = ?3, location = ?4, body = ?5 WHERE tenant = ?1 AND name = ?2",
            )?
            .execute(params![tenant.as_uuid().as_bytes(), name, kept.status, kept.location, kept.body])?;
            Ok(())
        };
        self.0.writer.write(change).await
    }

    /// Gives a reserved key back: its request changed nothing and may be tried again.
    pub async fn release_key(&self, tenant: TenantId, name: String) -> Result<(), Error> {
        let change = move |c: &Connection| {
            c.prepare_cached("DELETE FROM idempotency_keys WHERE tenant = ?1 AND name = ?2 AND status IS NULL")?
                .execute(params![tenant.as_uuid().as_bytes(), name])?;
            Ok(())
        };
        self.0.writer.write(change).await
    }
}

fn find(c: &Connection, tenant: TenantId, name: &str, request: &[u8; 32]) -> Result<Option<Reserved>, Error> {
    let mut statement = c.prepare_cached(
        "SELECT request, status, location, body FROM idempotency_keys WHERE tenant = ?1 AND name = ?2",
    )?;
    let read = |row: &rusqlite::Row<'_>| {
        let first: [u8; 32] = row.get(0)?;
        if first != *request {
            return Ok(Reserved::Different);
        }
        Ok(match row.get(1)? {
            None => Reserved::Unanswered,
            Some(status) => Reserved::Answered(Kept { status, location: row.get(2)?, body: row.get(3)? }),
        })
    };
    Ok(statement.query_row(params![tenant.as_uuid().as_bytes(), name], read).optional()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;

    #[tokio::test]
    async fn a_key_stands_for_one_request_for_a_day() {
        let dir = tempfile::tempdir().unwrap();
        let (tenant, at) = (TenantId::DEFAULT, Timestamp::from_micros(1));
        let store = Store::open(&Options::new(dir.path().join("test.db")), at).unwrap();
        let reserve = |request: u8, at| store.reserve_key(tenant, "k".into(), [request; 32], at);
        assert_eq!(reserve(1, at).await.unwrap(), Reserved::Fresh);
        assert_eq!(reserve(1, at).await.unwrap(), Reserved::Unanswered);
        assert_eq!(reserve(2, at).await.unwrap(), Reserved::Different);
        let kept = Kept { status: 201, location: None, body: b"{}".to_vec() };
        store.keep_answer(tenant, "k".into(), kept.clone()).await.unwrap();
        store.release_key(tenant, "k".into()).await.unwrap();
        assert_eq!(reserve(1, at).await.unwrap(), Reserved::Answered(kept), "an answer is not given back");
        let next_day = Timestamp::from_micros(2 + KEPT_MICROS);
        assert_eq!(reserve(2, next_day).await.unwrap(), Reserved::Fresh);
        store.release_key(tenant, "k".into()).await.unwrap();
        assert_eq!(reserve(3, next_day).await.unwrap(), Reserved::Fresh);
    }
}
