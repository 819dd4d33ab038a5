//! What modules reach beyond the session itself. The server, which has a database and an operator, brings it along; what
//! is not brought is not there, and the module says so.
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Semaphore;

/// Programs of all sessions that run at once.
const PROGRAMS_MAX: usize = 64;

/// What the operator of a process allows, whatever templates say.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Policy {
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
pub struct Services {}
