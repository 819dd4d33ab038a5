//! What modules reach beyond the session itself. The server, which has a database and an operator, brings it along; what
//! is not brought is not there, and the module says so.
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

pub use crate::modules::{Network, NetworkError, Origin};

/// What the operator of a process allows, whatever templates say.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Policy {
    /// Networks beyond the public internet that `fetch` may reach where a grant says `private`.
    pub private_networks: Vec<Network>,
    /// Hosts that have these addresses, whatever DNS says. They are checked like others.
    pub hosts: BTreeMap<String, Vec<IpAddr>>,
    /// Variables of the process's environment that `env` may show, with their values; None is one that is not set.
    pub env: BTreeMap<String, Option<String>>,
    /// Programs of this machine that `exec` may start, by the name that scripts use; absolute paths. None: it is off.
    pub programs: BTreeMap<String, PathBuf>,
}

/// What one session is given of its tenant's.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Services {
    /// The tenant's secrets.
    pub secrets: Option<Arc<dyn Secrets>>,
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
