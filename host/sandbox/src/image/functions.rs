//! Cranelift's incremental cache: compiled functions by the hash of their source. Nearly all of an image's functions are
//! the guest's, so every image after the first one compiles in a fraction of the time.
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use wasmtime::CacheStore;

use super::disk::Disk;

const FILE: &str = "functions.cache";
const PURPOSE: &str = "cranelift functions";
/// Past this the file is begun anew: a guest's functions take some 10 MB, so that is many guests' worth.
const BYTES_MAX: usize = 128 << 20;

type Entries = HashMap<Vec<u8>, Arc<[u8]>>;

/// The cache of one data directory. Read when the first image is built, written after a build that added something.
#[derive(Debug)]
pub(super) struct Functions {
    disk: Arc<Disk>,
    entries: OnceLock<Mutex<Entries>>,
    changed: AtomicBool,
}

impl Functions {
    pub(super) fn new(disk: Arc<Disk>) -> Self {
        Functions { disk, entries: OnceLock::new(), changed: AtomicBool::new(false) }
    }

    /// Keeps what was added for the next process.
    pub(super) fn save(&self) {
        if !self.changed.swap(false, Ordering::Relaxed) {
            return;
        }
        let mut bytes = Vec::new();
        {
            let mut entries = self.entries();
            for (key, value) in entries.iter() {
                for part in [key.as_slice(), value] {
                    bytes.extend((part.len() as u64).to_le_bytes());
                    bytes.extend(part);
                }
            }
            if bytes.len() > BYTES_MAX {
                entries.clear();
            }
        }
        if bytes.len() <= BYTES_MAX
            && let Err(error) = self.disk.store(FILE, PURPOSE, &bytes)
        {
            tracing::warn!(%error, "the cache of compiled functions was not written; builds stay slow");
        }
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        let read = || Mutex::new(self.disk.load(FILE, PURPOSE).map(|bytes| parse(&bytes)).unwrap_or_default());
        self.entries.get_or_init(read).lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Only bytes that the MAC vouched for come here; a truncated tail is dropped all the same.
fn parse(mut bytes: &[u8]) -> Entries {
    let mut entries = Entries::new();
    let mut part = || {
        let (len, rest) = bytes.split_first_chunk::<8>()?;
        let (part, rest) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*len)).ok()?)?;
        bytes = rest;
        Some(part)
    };
    while let (Some(key), Some(value)) = (part(), part()) {
        entries.insert(key.to_vec(), value.into());
    }
    entries
}

impl CacheStore for Functions {
    fn get(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
        let found = self.entries().get(key).cloned()?;
        Some(Cow::Owned(found.to_vec()))
    }

    fn insert(&self, key: &[u8], value: Vec<u8>) -> bool {
        self.entries().insert(key.to_vec(), value.into());
        self.changed.store(true, Ordering::Relaxed);
        true
    }
}
