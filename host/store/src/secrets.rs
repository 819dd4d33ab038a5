//! Secrets of a tenant, as the server sealed them. Nothing here can read one.
use model::{TenantId, Timestamp};
use rusqlite::{OptionalExtension, Row, params};

use crate::{Error, Store, rows};

/// Secrets that a tenant can have.
pub const SECRETS_MAX: u32 = 1_000;

/// What lists show of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretRow {
    /// Its name.
    pub name: String,
    /// A JSON list of where it may be sent.
    pub origins: String,
    /// When there first was one of this name.
    pub created_at: Timestamp,
    /// When it was last replaced.
    pub updated_at: Timestamp,
}

impl Store {
    /// Creates or replaces a secret. [`Error::Full`] when the tenant has too many.
    pub async fn put_secret(
        &self,
        tenant: TenantId,
        name: String,
        origins: String,
        sealed: Vec<u8>,
        at: Timestamp,
    ) -> Result<SecretRow, Error> {
        let change = move |c: &rusqlite::Connection| {
            let id = tenant.as_uuid();
            let row = c
                .prepare_cached(
                    "INSERT INTO secrets (tenant, name, origins, sealed, created_at, updated_at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?5)
                     ON CONFLICT (tenant, name) DO UPDATE SET origins = ?3, sealed = ?4, updated_at = ?5
                     RETURNING name, origins, created_at, updated_at",
                )?
                .query_row(params![id.as_bytes(), name, origins, sealed, at.as_micros()], |row| Ok(read(row)))??;
            let count: u32 = c
                .prepare_cached("SELECT count(*) FROM secrets WHERE tenant = ?1")?
                .query_row(params![id.as_bytes()], |row| row.get(0))?;
            if count > SECRETS_MAX { Err(Error::Full) } else { Ok(row) }
        };
        self.0.writer.write(change).await
    }

    /// All of them, by name.
    pub async fn secrets(&self, tenant: TenantId) -> Result<Vec<SecretRow>, Error> {
        let query = move |c: &rusqlite::Connection| {
            let mut statement = c.prepare_cached(
                "SELECT name, origins, created_at, updated_at FROM secrets WHERE tenant = ?1 ORDER BY name",
            )?;
            let found = statement.query_map(params![tenant.as_uuid().as_bytes()], |row| Ok(read(row)))?;
            found.map(|row| row?).collect()
        };
        self.0.readers.read(query).await
    }

    /// Its origins, and what was sealed.
    pub async fn sealed_secret(&self, tenant: TenantId, name: String) -> Result<Option<(String, Vec<u8>)>, Error> {
        let query = move |c: &rusqlite::Connection| {
            let mut statement =
                c.prepare_cached("SELECT origins, sealed FROM secrets WHERE tenant = ?1 AND name = ?2")?;
            let found =
                statement.query_row(params![tenant.as_uuid().as_bytes(), name], |row| Ok((row.get(0)?, row.get(1)?)));
            Ok(found.optional()?)
        };
        self.0.readers.read(query).await
    }

    /// Removes it, if it is there.
    pub async fn remove_secret(&self, tenant: TenantId, name: String) -> Result<(), Error> {
        let change = move |c: &rusqlite::Connection| {
            c.prepare_cached("DELETE FROM secrets WHERE tenant = ?1 AND name = ?2")?
                .execute(params![tenant.as_uuid().as_bytes(), name])?;
            Ok(())
        };
        self.0.writer.write(change).await
    }
}

fn read(row: &Row<'_>) -> Result<SecretRow, Error> {
    let (created_at, updated_at) = (rows::time(row, 2)?, rows::time(row, 3)?);
    Ok(SecretRow { name: row.get(0)?, origins: row.get(1)?, created_at, updated_at })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;

    #[tokio::test]
    async fn a_name_has_one_value_and_a_list_shows_none() {
        let dir = tempfile::tempdir().unwrap();
        let (tenant, at) = (TenantId::DEFAULT, |at| Timestamp::from_micros(at));
        let store = Store::open(&Options::new(dir.path().join("test.db")), at(1)).unwrap();
        let put = |name: &str, sealed: u8, when| {
            store.put_secret(tenant, name.to_owned(), "[]".to_owned(), vec![sealed], at(when))
        };
        put("b", 1, 1).await.unwrap();
        put("a", 2, 2).await.unwrap();
        let again = put("b", 3, 3).await.unwrap();
        assert_eq!((again.created_at, again.updated_at), (at(1), at(3)));
        let names: Vec<String> = store.secrets(tenant).await.unwrap().into_iter().map(|row| row.name).collect();
        assert_eq!(names, ["a", "b"]);
        let sealed = |name: &str| store.sealed_secret(tenant, name.to_owned());
        assert_eq!(sealed("b").await.unwrap(), Some(("[]".to_owned(), vec![3])));
        store.remove_secret(tenant, "b".to_owned()).await.unwrap();
        assert_eq!(sealed("b").await.unwrap(), None);
        for at in 1..SECRETS_MAX {
            put(&format!("s{at}"), 0, 4).await.unwrap();
        }
        assert!(matches!(put("one-more", 0, 5).await, Err(Error::Full)));
        assert_eq!(sealed("one-more").await.unwrap(), None);
        put("a", 4, 6).await.unwrap();
    }
}
