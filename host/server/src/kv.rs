//! Keys and values of scripts: a tenant's, in the database; or, where there is no server, as long as the command lasts.
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use model::{TenantId, Timestamp};
use sandbox::{KeyValue, KvChange, KvChanged, KvCondition, KvEntry, KvError, KvPage, KvValue, Serving};
use store::{KV_ENTRY_BYTES, KvOutcome, Store};

use crate::clock;

/// One tenant's, in the database.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) store: Store,
    pub(crate) tenant: TenantId,
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stored").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

impl KeyValue for Stored {
    fn get(&self, namespace: &str, key: &str) -> Serving<Result<Option<KvEntry>, KvError>> {
        let (kv, namespace, key) = (self.clone(), namespace.to_owned(), key.to_owned());
        Box::pin(async move {
            let found = kv.store.kv_get(kv.tenant, namespace, key, clock::now()).await;
            found.map(|found| found.map(entry)).map_err(unavailable)
        })
    }

    fn change(&self, namespace: &str, key: &str, change: KvChange) -> Serving<Result<Option<KvChanged>, KvError>> {
        let (kv, namespace, key) = (self.clone(), namespace.to_owned(), key.to_owned());
        Box::pin(async move {
            let now = clock::now();
            let change = stored(change, now);
            match kv.store.kv_change(kv.tenant, namespace, key, change, now).await.map_err(unavailable)? {
                KvOutcome::Done(version, sum) => Ok(Some(KvChanged { version, sum })),
                KvOutcome::Unmet => Ok(None),
                KvOutcome::OverQuota(would) => Err(KvError::Quota { would }),
                KvOutcome::NotANumber => Err(KvError::NotANumber),
            }
        })
    }

    fn list(
        &self,
        namespace: &str,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
        bytes: usize,
    ) -> Serving<Result<KvPage, KvError>> {
        let (kv, namespace, prefix) = (self.clone(), namespace.to_owned(), prefix.to_owned());
        let after = after.map(str::to_owned);
        Box::pin(async move {
            let listed = kv.store.kv_list(kv.tenant, namespace, prefix, after, limit, bytes, clock::now()).await;
            let page = listed.map_err(unavailable)?;
            Ok(KvPage { entries: page.entries.into_iter().map(entry).collect(), more: page.more })
        })
    }
}

fn unavailable(error: store::Error) -> KvError {
    tracing::error!(%error, "keys and values");
    KvError::Unavailable
}

fn entry(found: store::KvEntry) -> KvEntry {
    let store::KvEntry { key, is_json, value, version, expires_at } = found;
    let value = match String::from_utf8(value) {
        Ok(text) if is_json => KvValue::Json(text),
        Ok(text) => KvValue::Bytes(text.into_bytes()),
        Err(error) => KvValue::Bytes(error.into_bytes()),
    };
    let expires_at = expires_at.map(|at| u64::try_from(at.as_micros() / 1_000).unwrap_or(0));
    KvEntry { key, value, version, expires_at }
}

fn stored(change: KvChange, now: Timestamp) -> store::KvChange {
    let only = |only| match only {
        KvCondition::Always => store::KvCondition::Always,
        KvCondition::Absent => store::KvCondition::Absent,
        KvCondition::Version(version) => store::KvCondition::Version(version),
    };
    match change {
        KvChange::Set { value, ttl_ms, only: condition, quota } => {
            let expires_at = ttl_ms.map(|ttl| {
                let micros = i64::try_from(ttl).unwrap_or(i64::MAX).saturating_mul(1_000);
                Timestamp::from_micros(now.as_micros().saturating_add(micros))
            });
            let (is_json, value) = match value {
                KvValue::Json(text) => (true, text.into_bytes()),
                KvValue::Bytes(bytes) => (false, bytes),
            };
            store::KvChange::Set { is_json, value, expires_at, only: only(condition), quota }
        }
        KvChange::Delete { only: condition } => store::KvChange::Delete { only: only(condition) },
        KvChange::Increment { by, quota } => store::KvChange::Increment { by, quota },
    }
}

/// In memory, for commands that have no database: gone when they end.
#[derive(Debug, Default)]
pub(crate) struct InMemory(Mutex<HashMap<String, Namespace>>);

#[derive(Debug, Default)]
struct Namespace {
    entries: BTreeMap<String, KvEntry>,
    version: u64,
}

impl Namespace {
    fn sweep(&mut self, now: u64) {
        self.entries.retain(|_, entry| entry.expires_at.is_none_or(|at| at > now));
    }

    fn taken(&self) -> u64 {
        self.entries.values().map(size).sum()
    }

    fn put(
        &mut self,
        key: &str,
        value: KvValue,
        expires_at: Option<u64>,
        quota: u64,
    ) -> Result<Option<KvChanged>, KvError> {
        let entry = KvEntry { key: key.to_owned(), value, version: self.version + 1, expires_at };
        let old = self.entries.get(key).map_or(0, size);
        let would = self.taken() + size(&entry) - old;
        if would > quota {
            return Err(KvError::Quota { would });
        }
        self.version += 1;
        self.entries.insert(key.to_owned(), entry);
        Ok(Some(KvChanged { version: self.version, sum: 0.0 }))
    }

    fn change(&mut self, key: &str, change: KvChange, now: u64) -> Result<Option<KvChanged>, KvError> {
        let old = self.entries.get(key);
        let holds = |only| match only {
            KvCondition::Always => true,
            KvCondition::Absent => old.is_none(),
            KvCondition::Version(version) => old.is_some_and(|old| old.version == version),
        };
        match change {
            KvChange::Set { value, ttl_ms, only, quota } => {
                if !holds(only) {
                    return Ok(None);
                }
                self.put(key, value, ttl_ms.map(|ttl| now.saturating_add(ttl)), quota)
            }
            KvChange::Delete { only } => {
                if !holds(only) {
                    return Ok(None);
                }
                Ok(self.entries.remove(key).map(|old| KvChanged { version: old.version, sum: 0.0 }))
            }
            KvChange::Increment { by, quota } => {
                let expires_at = old.and_then(|old| old.expires_at);
                let old = match old.map(|old| &old.value) {
                    None => Some(0.0),
                    Some(KvValue::Json(text)) => serde_json::from_str(text).ok(),
                    Some(KvValue::Bytes(_)) => None,
                };
                let sum = old.map(|old: f64| old + by).filter(|sum| sum.is_finite()).ok_or(KvError::NotANumber)?;
                let whole = sum.fract() == 0.0 && sum.abs() < 1e15;
                let text = if whole { format!("{sum:.0}") } else { sum.to_string() };
                let changed = self.put(key, KvValue::Json(text), expires_at, quota)?;
                Ok(changed.map(|changed| KvChanged { sum, ..changed }))
            }
        }
    }
}

fn size(entry: &KvEntry) -> u64 {
    (entry.key.len() + entry.value.len()) as u64 + KV_ENTRY_BYTES
}

impl InMemory {
    fn with<T: Send + 'static>(&self, namespace: &str, work: impl FnOnce(&mut Namespace, u64) -> T) -> Serving<T> {
        let now = u64::try_from(clock::now().as_micros() / 1_000).unwrap_or(0);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let namespace = all.entry(namespace.to_owned()).or_default();
        namespace.sweep(now);
        let done = work(namespace, now);
        Box::pin(std::future::ready(done))
    }

    pub(crate) fn service() -> Arc<dyn KeyValue> {
        Arc::new(InMemory::default())
    }
}

impl KeyValue for InMemory {
    fn get(&self, namespace: &str, key: &str) -> Serving<Result<Option<KvEntry>, KvError>> {
        self.with(namespace, |namespace, _| Ok(namespace.entries.get(key).cloned()))
    }

    fn change(&self, namespace: &str, key: &str, change: KvChange) -> Serving<Result<Option<KvChanged>, KvError>> {
        self.with(namespace, |namespace, now| namespace.change(key, change, now))
    }

    fn list(
        &self,
        namespace: &str,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
        bytes: usize,
    ) -> Serving<Result<KvPage, KvError>> {
        self.with(namespace, |namespace, _| {
            let first = after.map_or_else(|| prefix.to_owned(), |after| prefix.to_owned().max(format!("{after}\0")));
            let (mut page, mut size) = (KvPage::default(), 0);
            let rest = namespace.entries.range(first..).take_while(|(key, _)| key.starts_with(prefix));
            for (_, entry) in rest {
                if page.entries.len() >= limit as usize || size >= bytes {
                    page.more = true;
                    break;
                }
                size += entry.key.len() + entry.value.len();
                page.entries.push(entry.clone());
            }
            Ok(page)
        })
    }
}
