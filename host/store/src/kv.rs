//! Keys and values of scripts: what a session's end does not end.
use model::{TenantId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::{Error, Store};

/// What an entry takes beside its key and value, bytes: so that a million empty ones are not for free.
pub const KV_ENTRY_BYTES: u64 = 64;
/// Expired entries, of anyone, that each change clears away: more than it adds.
const SWEPT_MAX: u32 = 8;

/// A key with what is stored under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KvEntry {
    /// Its name.
    pub key: String,
    /// The text of a JSON value, or else bytes.
    pub is_json: bool,
    /// What is stored.
    pub value: Vec<u8>,
    /// Grows with every change of the namespace.
    pub version: u64,
    /// When it is gone.
    pub expires_at: Option<Timestamp>,
}

/// What has to be true for a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KvCondition {
    /// Nothing.
    Always,
    /// That the key is not there.
    Absent,
    /// That it has this version.
    Version(u64),
}

/// A change of one key.
#[derive(Clone, Debug, PartialEq)]
pub enum KvChange {
    /// Stores a value.
    Set {
        /// It is the text of a JSON value.
        is_json: bool,
        /// The value.
        value: Vec<u8>,
        /// When it is gone.
        expires_at: Option<Timestamp>,
        /// Only if.
        only: KvCondition,
        /// What the namespace may take then, bytes.
        quota: u64,
    },
    /// Removes a key.
    Delete {
        /// Only if.
        only: KvCondition,
    },
    /// Adds to a JSON number, which is 0 where there is nothing. It keeps its expiry.
    Increment {
        /// How much.
        by: f64,
        /// What the namespace may take then, bytes.
        quota: u64,
    },
}

/// What came of a change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum KvOutcome {
    /// It is done. The version that the key has, or had when it was removed; the sum of an increment.
    Done(u64, f64),
    /// Its condition did not hold, or there was nothing to remove.
    Unmet,
    /// The namespace would take this many bytes, more than its quota.
    OverQuota(u64),
    /// What is there can't be added to.
    NotANumber,
}

/// A part of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KvPage {
    /// The entries.
    pub entries: Vec<KvEntry>,
    /// Whether there are more.
    pub more: bool,
}

impl Store {
    /// What is stored under a key, unless it has expired.
    pub async fn kv_get(
        &self,
        tenant: TenantId,
        namespace: String,
        key: String,
        now: Timestamp,
    ) -> Result<Option<KvEntry>, Error> {
        let query = move |c: &Connection| {
            let mut statement = c.prepare_cached(
                "SELECT e.name, is_json, value, e.version, expires_at
                 FROM kv_entries e JOIN kv_namespaces n ON n.key = e.namespace
                 WHERE n.tenant = ?1 AND n.name = ?2 AND e.name = ?3 AND (expires_at IS NULL OR expires_at > ?4)",
            )?;
            let given = params![tenant.as_uuid().as_bytes(), namespace, key, now.as_micros()];
            Ok(statement.query_row(given, entry).optional()?)
        };
        self.0.readers.read(query).await
    }

    /// Changes one key; the answer comes after the commit.
    pub async fn kv_change(
        &self,
        tenant: TenantId,
        namespace: String,
        key: String,
        change: KvChange,
        now: Timestamp,
    ) -> Result<KvOutcome, Error> {
        let change = move |c: &Connection| {
            let expired = "expires_at IS NOT NULL AND expires_at <= ?1";
            sweep(c, &format!("{expired} ORDER BY expires_at LIMIT {SWEPT_MAX}"), now)?;
            let namespace = namespace_of(c, tenant, &namespace)?;
            let here = Here { c, tenant, namespace, key: &key, now };
            here.change(change)
        };
        self.0.writer.write(change).await
    }

    /// Entries whose keys begin with `prefix`, in the order of their bytes, after the key `after`. The part ends after the
    /// entry that brings it to `limit` entries or to `bytes` of keys and values.
    #[expect(clippy::too_many_arguments, reason = "what a list is asked for")]
    pub async fn kv_list(
        &self,
        tenant: TenantId,
        namespace: String,
        prefix: String,
        after: Option<String>,
        limit: u32,
        bytes: usize,
        now: Timestamp,
    ) -> Result<KvPage, Error> {
        let query = move |c: &Connection| {
            // The first name that comes after `after` has one more byte, the smallest.
            let first = after.map_or_else(|| prefix.clone(), |after| prefix.clone().max(after + "\0"));
            let mut statement = c.prepare_cached(
                "SELECT e.name, is_json, value, e.version, expires_at
                 FROM kv_entries e JOIN kv_namespaces n ON n.key = e.namespace
                 WHERE n.tenant = ?1 AND n.name = ?2 AND e.name >= ?3 AND (expires_at IS NULL OR expires_at > ?4)
                 ORDER BY e.name",
            )?;
            let mut rows = statement.query(params![tenant.as_uuid().as_bytes(), namespace, first, now.as_micros()])?;
            let (mut page, mut size) = (KvPage::default(), 0);
            while let Some(row) = rows.next()? {
                let entry = entry(row)?;
                if !entry.key.starts_with(&prefix) {
                    break;
                }
                if page.entries.len() >= limit as usize || size >= bytes {
                    page.more = true;
                    break;
                }
                size += entry.key.len() + entry.value.len();
                page.entries.push(entry);
            }
            Ok(page)
        };
        self.0.readers.read(query).await
    }
}

fn entry(row: &Row<'_>) -> rusqlite::Result<KvEntry> {
    let expires_at: Option<i64> = row.get(4)?;
    Ok(KvEntry {
        key: row.get(0)?,
        is_json: row.get(1)?,
        value: row.get(2)?,
        version: unsigned(row.get(3)?),
        expires_at: expires_at.map(Timestamp::from_micros),
    })
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Removes entries that `which` says, and what they took of their namespaces.
fn sweep(c: &Connection, which: &str, now: Timestamp) -> Result<(), Error> {
    let mut statement = c.prepare_cached(&format!(
        "DELETE FROM kv_entries WHERE key IN (SELECT key FROM kv_entries WHERE {which})
         RETURNING namespace, length(CAST(name AS BLOB)) + length(value)"
    ))?;
    let swept: Vec<(i64, i64)> = statement
        .query_map(params![now.as_micros()], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (namespace, bytes) in swept {
        c.prepare_cached("UPDATE kv_namespaces SET bytes = bytes - ?2 WHERE key = ?1")?
            .execute(params![namespace, bytes + signed(KV_ENTRY_BYTES)])?;
    }
    Ok(())
}

fn namespace_of(c: &Connection, tenant: TenantId, name: &str) -> Result<i64, Error> {
    let given = params![tenant.as_uuid().as_bytes(), name];
    let known = c
        .prepare_cached("SELECT key FROM kv_namespaces WHERE tenant = ?1 AND name = ?2")?
        .query_row(given, |row| row.get(0))
        .optional()?;
    match known {
        Some(key) => Ok(key),
        None => {
            c.prepare_cached("INSERT INTO kv_namespaces (tenant, name, bytes, version) VALUES (?1, ?2, 0, 0)")?
                .execute(given)?;
            Ok(c.last_insert_rowid())
        }
    }
}

/// One key, about to be changed.
struct Here<'a> {
    c: &'a Connection,
    tenant: TenantId,
    namespace: i64,
    key: &'a str,
    now: Timestamp,
}

/// What a change has to know of what is there.
struct Old {
    version: u64,
    bytes: u64,
    expires_at: Option<i64>,
}

impl Here<'_> {
    fn change(&self, change: KvChange) -> Result<KvOutcome, Error> {
        match change {
            KvChange::Set { is_json, value, expires_at, only, quota } => {
                if !self.holds(only)? {
                    return Ok(KvOutcome::Unmet);
                }
                self.put(is_json, &value, expires_at.map(|at| at.as_micros()), quota, 0.0)
            }
            KvChange::Delete { only } => match self.old()? {
                Some(old) if self.holds(only)? => {
                    self.remove(&old)?;
                    Ok(KvOutcome::Done(old.version, 0.0))
                }
                _ => Ok(KvOutcome::Unmet),
            },
            KvChange::Increment { by, quota } => {
                let number = self
                    .c
                    .prepare_cached(
                        "SELECT is_json, value, expires_at FROM kv_entries WHERE namespace = ?1 AND name = ?2
                         AND (expires_at IS NULL OR expires_at > ?3)",
                    )?
                    .query_row(params![self.namespace, self.key, self.now.as_micros()], |row| {
                        Ok((row.get::<_, bool>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, Option<i64>>(2)?))
                    })
                    .optional()?;
                let (old, expires_at) = match number {
                    None => (Some(0.0), None),
                    Some((is_json, text, expires_at)) => {
                        (serde_json::from_slice::<f64>(&text).ok().filter(|_| is_json), expires_at)
                    }
                };
                let Some(sum) = old.map(|old| old + by).filter(|sum| sum.is_finite()) else {
                    return Ok(KvOutcome::NotANumber);
                };
                // As JavaScript writes it, so that it costs and reads the same as if a script had stored it.
                let whole = sum.fract() == 0.0 && sum.abs() < 1e15;
                let text = if whole { format!("{sum:.0}") } else { sum.to_string() };
                self.put(true, text.as_bytes(), expires_at, quota, sum)
            }
        }
    }

    fn old(&self) -> Result<Option<Old>, Error> {
        let mut statement = self.c.prepare_cached(
            "SELECT version, length(CAST(name AS BLOB)) + length(value), expires_at FROM kv_entries
             WHERE namespace = ?1 AND name = ?2",
        )?;
        let read = |row: &Row<'_>| {
            let bytes = unsigned(row.get(1)?) + KV_ENTRY_BYTES;
            Ok(Old { version: unsigned(row.get(0)?), bytes, expires_at: row.get(2)? })
        };
        let old = statement.query_row(params![self.namespace, self.key], read).optional()?;
        // One that has expired is not there, whether it was swept or not.
        match old {
            Some(old) if old.expires_at.is_some_and(|at| at <= self.now.as_micros()) => {
                self.remove(&old)?;
                Ok(None)
            }
            old => Ok(old),
        }
    }

    fn holds(&self, only: KvCondition) -> Result<bool, Error> {
        Ok(match only {
            KvCondition::Always => true,
            KvCondition::Absent => self.old()?.is_none(),
            KvCondition::Version(version) => self.old()?.is_some_and(|old| old.version == version),
        })
    }

    fn remove(&self, old: &Old) -> Result<(), Error> {
        self.c
            .prepare_cached("DELETE FROM kv_entries WHERE namespace = ?1 AND name = ?2")?
            .execute(params![self.namespace, self.key])?;
        self.c
            .prepare_cached("UPDATE kv_namespaces SET bytes = bytes - ?2 WHERE key = ?1")?
            .execute(params![self.namespace, signed(old.bytes)])?;
        Ok(())
    }

    fn taken(&self) -> Result<u64, Error> {
        let mut statement = self.c.prepare_cached("SELECT bytes FROM kv_namespaces WHERE key = ?1")?;
        Ok(unsigned(statement.query_row([self.namespace], |row| row.get(0))?))
    }

    fn put(
        &self,
        is_json: bool,
        value: &[u8],
        expires_at: Option<i64>,
        quota: u64,
        sum: f64,
    ) -> Result<KvOutcome, Error> {
        let old = self.old()?.map_or(0, |old| old.bytes);
        let new = (self.key.len() + value.len()) as u64 + KV_ENTRY_BYTES;
        let would = |taken: u64| (taken + new).saturating_sub(old);
        if would(self.taken()?) > quota {
            // What has expired makes room before anything is refused.
            let expired = "expires_at IS NOT NULL AND expires_at <= ?1";
            sweep(self.c, &format!("{expired} AND namespace = {}", self.namespace), self.now)?;
            let would = would(self.taken()?);
            if would > quota {
                return Ok(KvOutcome::OverQuota(would));
            }
        }
        let version: i64 = self
            .c
            .prepare_cached(
                "UPDATE kv_namespaces SET bytes = bytes + ?2, version = version + 1 WHERE key = ?1 RETURNING version",
            )?
            .query_row(params![self.namespace, signed(new) - signed(old)], |row| row.get(0))?;
        self.c
            .prepare_cached(
                "INSERT INTO kv_entries (tenant, namespace, name, is_json, value, version, expires_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 ON CONFLICT (namespace, name) DO UPDATE SET
                 is_json = excluded.is_json, value = excluded.value, version = excluded.version, expires_at = excluded.expires_at",
            )?
            .execute(params![
                self.tenant.as_uuid().as_bytes(),
                self.namespace,
                self.key,
                is_json,
                value,
                version,
                expires_at
            ])?;
        Ok(KvOutcome::Done(unsigned(version), sum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    fn set(value: &str, expires_at: Option<i64>, only: KvCondition, quota: u64) -> KvChange {
        KvChange::Set { is_json: true, value: value.into(), expires_at: expires_at.map(at), only, quota }
    }

    struct Scratch {
        store: Store,
        _dir: tempfile::TempDir,
    }

    impl Scratch {
        fn new() -> Scratch {
            let dir = tempfile::tempdir().unwrap();
            let store = Store::open(&Options::new(dir.path().join("test.db")), at(1)).unwrap();
            Scratch { store, _dir: dir }
        }

        async fn change(&self, key: &str, change: KvChange, now: i64) -> KvOutcome {
            self.store.kv_change(TenantId::DEFAULT, "n".into(), key.into(), change, at(now)).await.unwrap()
        }

        async fn get(&self, key: &str, now: i64) -> Option<String> {
            let found = self.store.kv_get(TenantId::DEFAULT, "n".into(), key.into(), at(now)).await.unwrap();
            found.map(|entry| String::from_utf8(entry.value).unwrap())
        }
    }

    #[tokio::test]
    async fn versions_and_conditions() {
        use KvCondition::{Absent, Always, Version};
        let kv = Scratch::new();
        assert_eq!(kv.change("a", set("1", None, Version(1), 1_000), 1).await, KvOutcome::Unmet);
        assert_eq!(kv.change("a", set("1", None, Absent, 1_000), 1).await, KvOutcome::Done(1, 0.0));
        assert_eq!(kv.change("a", set("2", None, Absent, 1_000), 1).await, KvOutcome::Unmet);
        assert_eq!(kv.change("a", set("2", None, Version(1), 1_000), 1).await, KvOutcome::Done(2, 0.0));
        assert_eq!(kv.change("a", KvChange::Delete { only: Version(1) }, 1).await, KvOutcome::Unmet);
        assert_eq!(kv.change("a", KvChange::Delete { only: Always }, 1).await, KvOutcome::Done(2, 0.0));
        assert_eq!(kv.change("a", KvChange::Delete { only: Always }, 1).await, KvOutcome::Unmet);
        assert_eq!(kv.change("a", set("3", None, Always, 1_000), 1).await, KvOutcome::Done(3, 0.0), "never again");
    }

    #[tokio::test]
    async fn quotas_hold_to_the_byte_and_what_expired_makes_room() {
        let kv = Scratch::new();
        let quota = 2 * KV_ENTRY_BYTES + 8;
        let put = |value: &'static str, expires| set(value, expires, KvCondition::Always, quota);
        assert_eq!(kv.change("a", put("123", Some(10)), 1).await, KvOutcome::Done(1, 0.0));
        assert_eq!(kv.change("b", put("1234", None), 1).await, KvOutcome::OverQuota(quota + 1));
        assert_eq!(kv.change("b", put("123", None), 1).await, KvOutcome::Done(2, 0.0));
        assert_eq!(
            kv.change("b", put("1234", None), 1).await,
            KvOutcome::OverQuota(quota + 1),
            "what it replaces is counted once"
        );
        assert_eq!((kv.get("a", 9).await, kv.get("a", 10).await), (Some("123".into()), None));
        assert_eq!(kv.change("b", put("1234", None), 10).await, KvOutcome::Done(3, 0.0));
        assert_eq!(kv.change("b", KvChange::Increment { by: 0.5, quota }, 10).await, KvOutcome::Done(4, 1234.5));
        assert_eq!(kv.get("b", 10).await, Some("1234.5".into()));
        assert_eq!(kv.change("c", KvChange::Increment { by: 2.0, quota: 1_000 }, 10).await, KvOutcome::Done(5, 2.0));
        assert_eq!(kv.get("c", 10).await, Some("2".into()));
        assert_eq!(kv.change("b", set("\"x\"", None, KvCondition::Always, 1_000), 10).await, KvOutcome::Done(6, 0.0));
        assert_eq!(kv.change("b", KvChange::Increment { by: 1.0, quota: 1_000 }, 10).await, KvOutcome::NotANumber);
    }

    #[tokio::test]
    async fn lists_are_by_prefix_and_bytes() {
        let kv = Scratch::new();
        for key in ["b", "a/2", "a/1", "a", "a/é", "a/10", "a0"] {
            kv.change(key, set("0", (key == "a/2").then_some(5), KvCondition::Always, 10_000), 1).await;
        }
        let list = async |after: Option<&str>, limit, bytes, now| {
            let page = kv.store.kv_list(
                TenantId::DEFAULT,
                "n".into(),
                "a/".into(),
                after.map(str::to_owned),
                limit,
                bytes,
                at(now),
            );
            let page = page.await.unwrap();
            (page.entries.into_iter().map(|entry| entry.key).collect::<Vec<_>>(), page.more)
        };
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(list(None, 9, 1_000, 1).await, (names(&["a/1", "a/10", "a/2", "a/é"]), false));
        assert_eq!(list(None, 9, 1_000, 5).await, (names(&["a/1", "a/10", "a/é"]), false));
        assert_eq!(list(None, 2, 1_000, 1).await, (names(&["a/1", "a/10"]), true));
        assert_eq!(list(None, 9, 5, 1).await, (names(&["a/1", "a/10"]), true));
        assert_eq!(list(Some("a/10"), 9, 1_000, 1).await, (names(&["a/2", "a/é"]), false));
        assert_eq!(list(Some("zzz"), 9, 1_000, 1).await, (names(&[]), false));
        let other = kv.store.kv_list(TenantId::DEFAULT, "m".into(), String::new(), None, 9, 9, at(1)).await.unwrap();
        assert_eq!(other, KvPage::default());
    }

    #[tokio::test]
    async fn tenants_and_namespaces_are_apart_and_what_expired_is_swept() {
        let kv = Scratch::new();
        let other = TenantId::from(uuid::Uuid::from_u128(7));
        let raw = |sql: &'static str| kv.store.0.writer.write(move |c| Ok(c.execute_batch(sql)?));
        raw("INSERT INTO tenants (id, name, created_at) VALUES (x'00000000000000000000000000000007', 'other', 1)")
            .await
            .unwrap();
        let put = |tenant, key: String, value: &str, expires| {
            kv.store.kv_change(tenant, "n".into(), key, set(value, expires, KvCondition::Always, 10_000), at(1))
        };
        put(TenantId::DEFAULT, "k".into(), "1", None).await.unwrap();
        assert_eq!(kv.store.kv_get(other, "n".into(), "k".into(), at(1)).await.unwrap(), None);
        put(other, "k".into(), "2", None).await.unwrap();
        assert_eq!(kv.get("k", 1).await, Some("1".into()));
        for n in 0..20 {
            put(other, format!("old{n}"), "1", Some(5)).await.unwrap();
        }
        for n in 0..3 {
            kv.change("k", set("1", None, KvCondition::Always, 10_000), 10 + n).await;
        }
        let left = kv.store.0.readers.read(|c| {
            Ok(c.query_row("SELECT count(*), (SELECT sum(bytes) FROM kv_namespaces) FROM kv_entries", [], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
            })?)
        });
        assert_eq!(left.await.unwrap(), (2, 2 * (signed(KV_ENTRY_BYTES) + 2)));
    }
}
