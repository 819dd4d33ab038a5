//! `kv`: keys and values that outlive sessions, a store for each tenant and namespace.
use std::sync::Arc;

use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::component::{ComponentType, Lift, Lower};

use super::{Answer, Facade, Failure, Interface, Linking, Module, State, Store, Traffic, read_grant};
use crate::host::Host;
use crate::services::{KeyValue, KvChange, KvCondition, KvEntry, KvError, KvPage, KvValue};

/// Longest key, bytes.
const KEY_BYTES_MAX: usize = 512;
/// Largest value, bytes: it is held by the one thread that writes.
const VALUE_BYTES_MAX: usize = 1 << 20;
/// Values of a session that may be on their way to the store, bytes.
const UNDER_WAY_BYTES_MAX: usize = 16 << 20;
/// Entries of one part of a list, and where it ends before.
const LIST_MAX: u32 = 1_000;
const LIST_BYTES_MAX: usize = 2 << 20;
/// Longest name of a namespace, bytes.
const NAMESPACE_BYTES_MAX: usize = 64;
/// Largest quota that a grant may name, KiB.
const QUOTA_KB_MAX: u32 = 1 << 20;
/// A century: times stay within what every clock can say.
const TTL_MS_MAX: u64 = 100 * 366 * 86_400_000;

pub(super) static MODULE: Module = Module {
    name: "kv",
    version: "0.1.0",
    docs: "Keys and values that outlive sessions, kept for each tenant and namespace.",
    interface: Some(Interface { name: "vm:kv/kv@0.1.0", wit: include_str!("../../../../wit/kv/kv.wit"), link }),
    facade: Some(Facade { source: include_str!("kv.js"), types: include_str!("kv.d.ts") }),
    grant_schema: r#"{"type":"object","properties":{
"namespace":{"type":"string","default":"default","pattern":"^[A-Za-z0-9._-]{1,64}$","description":"templates with the same one share keys"},
"access":{"enum":["read-write","read-only"],"default":"read-write","description":"read-only: changing keys is NOT_GRANTED"},
"quota_kb":{"type":"integer","minimum":1,"maximum":1048576,"default":10240,"description":"keys and values of the namespace, KiB"}},
"additionalProperties":false}"#,
    check_grant,
    limits: &[
        ("key_bytes_max", KEY_BYTES_MAX as u64, "a longer key is refused with ETOOBIG"),
        ("value_bytes_max", VALUE_BYTES_MAX as u64, "a larger value is refused with ETOOBIG"),
        ("list_entries_max", LIST_MAX as u64, "a list has as many at most, and a cursor for the rest"),
        ("list_bytes_max", LIST_BYTES_MAX as u64, "a list ends after the entry that brings it there"),
    ],
    ..Module::BASE
};

/// What a template's entry may say.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Grant {
    namespace: String,
    access: Access,
    quota_kb: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Access {
    ReadWrite,
    ReadOnly,
}

impl Default for Grant {
    fn default() -> Grant {
        Grant { namespace: "default".to_owned(), access: Access::ReadWrite, quota_kb: 10 << 10 }
    }
}

fn check_grant(config: &str) -> Result<(), String> {
    let Grant { namespace, quota_kb, .. } = read_grant(config)?;
    let fits = (1..=NAMESPACE_BYTES_MAX).contains(&namespace.len());
    if !fits || !namespace.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) {
        return Err(format!("namespace: 1 to {NAMESPACE_BYTES_MAX} letters, digits, dots, hyphens and underscores"));
    }
    if !(1..=QUOTA_KB_MAX).contains(&quota_kb) {
        return Err(format!("quota_kb: {quota_kb} is not between 1 and {QUOTA_KB_MAX}"));
    }
    Ok(())
}

/// A session's way to its namespace.
struct Keys {
    grant: Grant,
    service: Option<Arc<dyn KeyValue>>,
    /// A permit for every byte of values on their way to the store.
    room: Arc<Semaphore>,
}

impl State for Keys {
    const MODULE: &'static str = "kv";
    type Grant = Grant;

    fn open(grant: Grant, host: &Host) -> Answer<Keys> {
        Ok(Keys {
            grant,
            service: host.services.key_values.clone(),
            room: Arc::new(Semaphore::new(UNDER_WAY_BYTES_MAX)),
        })
    }
}

/// A value, as in WIT.
#[derive(ComponentType, Lower, Lift, Clone, Debug)]
#[component(variant)]
enum Value {
    #[component(name = "json")]
    Json(String),
    #[component(name = "bytes")]
    Bytes(Vec<u8>),
}

#[derive(ComponentType, Lower, Lift, Clone, Debug)]
#[component(record)]
struct Entry {
    key: String,
    value: Value,
    version: u64,
    #[component(name = "expires-at")]
    expires_at: Option<u64>,
}

#[derive(ComponentType, Lower, Lift, Clone, Copy, Debug)]
#[component(variant)]
enum Condition {
    #[component(name = "always")]
    Always,
    #[component(name = "absent")]
    Absent,
    #[component(name = "version")]
    Version(u64),
}

#[derive(ComponentType, Lower, Lift, Clone, Debug)]
#[component(record)]
struct Page {
    entries: Vec<Entry>,
    next: Option<String>,
}

fn link(keys: &mut Linking<'_>) -> wasmtime::Result<()> {
    keys.asynchronous("get", |store, (key,): (String,)| {
        Ok(granted(store, &key, false).map(|(service, grant)| async move {
            let found = service.get(&grant.namespace, &key).await;
            Ok(found.map_err(|error| failure(error, &grant))?.map(Entry::from))
        }))
    })?;
    keys.asynchronous("set", |store, (key, value, ttl_ms, only): (String, Value, Option<u64>, Condition)| {
        let checked = granted(store, &key, true).and_then(|granted| {
            check_value(&value)?;
            match ttl_ms {
                Some(0) => Err(Failure::new("EINVAL", "the ttl is at least a millisecond")),
                Some(ttl) if ttl > TTL_MS_MAX => Err(Failure::new("EINVAL", "the ttl is longer than a century")),
                _ => Ok((granted, room(store, value.len())?)),
            }
        });
        Ok(checked.map(|((service, grant), room)| async move {
            let _room = room;
            let change = KvChange::Set { value: value.into(), ttl_ms, only: only.into(), quota: quota(&grant) };
            let changed = service.change(&grant.namespace, &key, change).await;
            Ok(changed.map_err(|error| failure(error, &grant))?.map(|changed| changed.version))
        }))
    })?;
    keys.asynchronous("delete", |store, (key, only): (String, Condition)| {
        Ok(granted(store, &key, true).map(|(service, grant)| async move {
            let changed = service.change(&grant.namespace, &key, KvChange::Delete { only: only.into() }).await;
            Ok(changed.map_err(|error| failure(error, &grant))?.is_some())
        }))
    })?;
    keys.asynchronous("list-entries", |store, (prefix, limit, cursor): (String, u32, Option<String>)| {
        let checked = granted(store, "list", false).and_then(|granted| {
            for given in [Some(&prefix), cursor.as_ref()].into_iter().flatten() {
                check_length(given)?;
            }
            if (1..=LIST_MAX).contains(&limit) {
                Ok(granted)
            } else {
                Err(Failure::new("EINVAL", format!("the limit is not between 1 and {LIST_MAX}")))
            }
        });
        Ok(checked.map(|(service, grant)| async move {
            let listed = service.list(&grant.namespace, &prefix, cursor.as_deref(), limit, LIST_BYTES_MAX).await;
            let KvPage { entries, more } = listed.map_err(|error| failure(error, &grant))?;
            let next = entries.last().filter(|_| more).map(|entry| entry.key.clone());
            Ok(Page { entries: entries.into_iter().map(Entry::from).collect(), next })
        }))
    })?;
    keys.asynchronous("increment", |store, (key, by): (String, f64)| {
        let checked = granted(store, &key, true).and_then(|granted| match by.is_finite() {
            true => Ok(granted),
            false => Err(Failure::new("EINVAL", "the increment is no finite number")),
        });
        Ok(checked.map(|(service, grant)| async move {
            let change = KvChange::Increment { by, quota: quota(&grant) };
            let changed = service.change(&grant.namespace, &key, change).await;
            Ok(changed.map_err(|error| failure(error, &grant))?.map_or(by, |changed| changed.sum))
        }))
    })
}

/// The way to the namespace, where the grant and the key allow it.
fn granted(store: &mut Store<'_>, key: &str, writes: bool) -> Answer<(Arc<dyn KeyValue>, Grant)> {
    let keys = store.data_mut().state::<Keys>()?;
    if writes && keys.grant.access == Access::ReadOnly {
        return Err(Failure::not_granted("kv", "access", "changing keys"));
    }
    if key.is_empty() {
        return Err(Failure::new("EINVAL", "a key has at least one character"));
    }
    check_length(key)?;
    let none = || Failure::new("EUNAVAILABLE", "nothing keeps keys and values here");
    Ok((keys.service.clone().ok_or_else(none)?, keys.grant.clone()))
}

/// Room for a value, until it is stored.
fn room(store: &mut Store<'_>, bytes: usize) -> Answer<OwnedSemaphorePermit> {
    let room = Arc::clone(&store.data_mut().state::<Keys>()?.room);
    room.try_acquire_many_owned(u32::try_from(bytes).unwrap_or(u32::MAX)).map_err(|_| {
        let text = format!("values of {UNDER_WAY_BYTES_MAX} bytes are being stored: await some before storing more");
        Failure::new("ETOOMANY", text)
    })
}

fn check_length(key: &str) -> Answer<()> {
    match key.len() > KEY_BYTES_MAX {
        true => Err(Failure::new("ETOOBIG", format!("the key is longer than {KEY_BYTES_MAX} bytes"))),
        false => Ok(()),
    }
}

fn check_value(value: &Value) -> Answer<()> {
    if value.len() > VALUE_BYTES_MAX {
        return Err(Failure::new("ETOOBIG", format!("the value is larger than {VALUE_BYTES_MAX} bytes")));
    }
    match value {
        // The facade made it, but a script may have changed what the facade uses.
        Value::Json(text) if serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() => {
            Err(Failure::new("EINVAL", "the value is no JSON"))
        }
        _ => Ok(()),
    }
}

fn quota(grant: &Grant) -> u64 {
    u64::from(grant.quota_kb) << 10
}

fn failure(error: KvError, grant: &Grant) -> Failure {
    match error {
        KvError::Quota { would } => Failure::new(
            "EQUOTA",
            format!(
                "the namespace would hold {would} bytes, more than its {} KiB (quota_kb of the grant)",
                grant.quota_kb
            ),
        ),
        KvError::NotANumber => Failure::new("EINVAL", "the value is no number"),
        KvError::Unavailable => Failure::new("EUNAVAILABLE", error.to_string()),
    }
}

impl Value {
    fn len(&self) -> usize {
        match self {
            Value::Json(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
        }
    }
}

impl From<Value> for KvValue {
    fn from(value: Value) -> KvValue {
        match value {
            Value::Json(text) => KvValue::Json(text),
            Value::Bytes(bytes) => KvValue::Bytes(bytes),
        }
    }
}

impl From<KvEntry> for Entry {
    fn from(entry: KvEntry) -> Entry {
        let value = match entry.value {
            KvValue::Json(text) => Value::Json(text),
            KvValue::Bytes(bytes) => Value::Bytes(bytes),
        };
        Entry { key: entry.key, value, version: entry.version, expires_at: entry.expires_at }
    }
}

impl From<Condition> for KvCondition {
    fn from(condition: Condition) -> KvCondition {
        match condition {
            Condition::Always => KvCondition::Always,
            Condition::Absent => KvCondition::Absent,
            Condition::Version(version) => KvCondition::Version(version),
        }
    }
}

impl Traffic for Value {
    fn bytes(&self, _: &Store<'_>) -> usize {
        self.len()
    }
}

impl Traffic for Entry {
    fn bytes(&self, _: &Store<'_>) -> usize {
        self.key.len() + self.value.len()
    }
}

impl Traffic for Page {
    fn bytes(&self, store: &Store<'_>) -> usize {
        self.entries.iter().map(|entry| entry.bytes(store)).sum()
    }
}

impl Traffic for Condition {}
