//! What modules reach beyond the session itself. The server, which has a database and an operator, brings it along; what
//! is not brought is not there, and the module says so.
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::Semaphore;

/// Programs of all sessions that run at once.
const PROGRAMS_MAX: usize = 64;
pub use crate::modules::{Authorities, AuthoritiesError, Network, NetworkError, Origin};

/// What the operator of a process allows, whatever templates say.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Policy {
    /// Networks beyond the public internet that `fetch` may reach where a grant says `private`.
    pub private_networks: Vec<Network>,
    /// Authorities whose certificates `fetch` takes beside those that Mozilla trusts.
    pub authorities: Authorities,
    /// Hosts that have these addresses, whatever DNS says. They are checked like others.
    pub hosts: BTreeMap<String, Vec<IpAddr>>,
    /// Variables of the process's environment that `env` may show, with their values; None is one that is not set.
    pub env: BTreeMap<String, Option<String>>,
    /// Programs of this machine that `exec` may start, by the name that scripts use; absolute paths. None: it is off.
    pub programs: BTreeMap<String, PathBuf>,
    /// How many of them run at once, whoever started them.
    pub(crate) places: Places,
}

/// Room for programs.
#[derive(Clone, Debug)]
pub(crate) struct Places(pub(crate) Arc<Semaphore>);

impl Default for Places {
    fn default() -> Self {
        Places(Arc::new(Semaphore::new(PROGRAMS_MAX)))
    }
}

/// What one session is given of its tenant's.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Services {
    /// Keys and values that outlive sessions.
    pub key_values: Option<Arc<dyn KeyValue>>,
    /// The tenant's secrets.
    pub secrets: Option<Arc<dyn Secrets>>,
}

/// Work of a service.
pub type Serving<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Keys and values of one tenant. The module has checked sizes, namespaces and what is granted.
pub trait KeyValue: std::fmt::Debug + Send + Sync {
    /// What is stored under a key, unless it has expired.
    fn get(&self, namespace: &str, key: &str) -> Serving<Result<Option<KvEntry>, KvError>>;

    /// Makes one change, and answers once it will outlive the process. None: its condition did not hold.
    fn change(&self, namespace: &str, key: &str, change: KvChange) -> Serving<Result<Option<KvChanged>, KvError>>;

    /// Entries whose keys begin with `prefix`, in the order of their bytes, after the key `after`. The part ends after the
    /// entry that brings it to `limit` entries or past `bytes` of keys and values.
    fn list(
        &self,
        namespace: &str,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
        bytes: usize,
    ) -> Serving<Result<KvPage, KvError>>;
}

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KvValue {
    /// The text of a JSON value.
    Json(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl KvValue {
    /// Its length, bytes.
    pub fn len(&self) -> usize {
        match self {
            KvValue::Json(text) => text.len(),
            KvValue::Bytes(bytes) => bytes.len(),
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A key with what is stored under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KvEntry {
    /// Its name.
    pub key: String,
    /// What is stored.
    pub value: KvValue,
    /// Grows with every change of the tenant's and never comes again.
    pub version: u64,
    /// When it is gone, milliseconds since 1970.
    pub expires_at: Option<u64>,
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
        /// The value.
        value: KvValue,
        /// For how long, milliseconds; none: for good.
        ttl_ms: Option<u64>,
        /// Only if.
        only: KvCondition,
        /// Bytes of keys and values that the namespace may have then.
        quota: u64,
    },
    /// Removes a key.
    Delete {
        /// Only if.
        only: KvCondition,
    },
    /// Adds to a number, which is 0 where there is nothing. It keeps its expiry.
    Increment {
        /// How much.
        by: f64,
        /// Bytes of keys and values that the namespace may have then.
        quota: u64,
    },
}

/// What a change came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KvChanged {
    /// The version that the key has, or had when it was removed.
    pub version: u64,
    /// The sum, of an increment.
    pub sum: f64,
}

/// A part of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KvPage {
    /// The entries.
    pub entries: Vec<KvEntry>,
    /// Whether there are more.
    pub more: bool,
}

/// Why a service of keys and values did not do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KvError {
    /// The namespace would have more than its quota.
    #[error("the namespace would hold {would} bytes")]
    Quota {
        /// Bytes of keys and values then.
        would: u64,
    },
    /// What is there is no number.
    #[error("the value is no number")]
    NotANumber,
    /// The database takes no changes, or the server stops.
    #[error("keys and values can't be reached now")]
    Unavailable,
}

/// What is looked up elsewhere: the answer, or a text for people that says why there is none.
pub type Lookup<T> = Pin<Box<dyn Future<Output = Result<T, String>> + Send>>;

/// The secrets of one tenant.
pub trait Secrets: fmt::Debug + Send + Sync {
    /// The secret of this name, if there is one.
    fn secret(&self, name: &str) -> Lookup<Option<Secret>>;
}

/// A secret as it is used.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// Its value.
    pub value: String,
    /// Where `fetch` may send it.
    pub origins: Vec<Origin>,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("origins", &self.origins).finish_non_exhaustive()
    }
}

/// Longest name of a secret, bytes.
pub const SECRET_NAME_BYTES_MAX: usize = 128;

/// Whether a secret may be called so: it stands between braces in headers.
pub fn is_secret_name(name: &str) -> bool {
    let first = name.bytes().next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_');
    first
        && name.len() <= SECRET_NAME_BYTES_MAX
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
}
