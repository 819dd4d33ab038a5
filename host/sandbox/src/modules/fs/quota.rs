//! What one session may write: counted as it writes, so that no tree is ever walked for it.
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use super::beneath::Done;
use crate::root::PathError;

/// What is left. Every byte that is written counts, whether it is new or replaces another, and everything that is made;
/// removing gives nothing back.
#[derive(Debug)]
pub(super) struct Quota {
    bytes: AtomicU64,
    files: AtomicU64,
}

/// The same in a snapshot; None: it is not counted.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Left {
    bytes: Option<u64>,
    files: Option<u64>,
}

impl Quota {
    pub(super) fn new(quota_kb: Option<u64>, files_max: Option<u64>) -> Quota {
        let bytes = quota_kb.map_or(u64::MAX, |kb| kb.saturating_mul(1_024));
        Quota { bytes: AtomicU64::new(bytes), files: AtomicU64::new(files_max.unwrap_or(u64::MAX)) }
    }

    pub(super) fn save(&self) -> Left {
        let left = |counter: &AtomicU64| match counter.load(Ordering::Relaxed) {
            u64::MAX => None,
            left => Some(left),
        };
        Left { bytes: left(&self.bytes), files: left(&self.files) }
    }

    /// What was left in another process; never more than is granted now.
    pub(super) fn restore(&mut self, left: Left) {
        for (counter, left) in [(&mut self.bytes, left.bytes), (&mut self.files, left.files)] {
            let counter = counter.get_mut();
            *counter = left.map_or(*counter, |left| left.min(*counter));
        }
    }

    /// Takes `bytes`, before they are written.
    pub(super) fn bytes(&self, bytes: u64, call: &'static str, path: &str) -> Done<()> {
        take(&self.bytes, bytes).ok_or_else(|| exceeded("quota_kb", call, path))
    }

    /// Does what writes `bytes`, if they are left; what was not begun does not count.
    pub(super) fn writing<T>(
        &self,
        bytes: u64,
        call: &'static str,
        path: &str,
        begin: impl FnOnce() -> Done<T>,
    ) -> Done<T> {
        self.bytes(bytes, call, path)?;
        let begun = begin();
        if begun.is_err() && self.bytes.load(Ordering::Relaxed) != u64::MAX {
            self.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
        begun
    }

    /// Makes something, if there may be one more; what was not made does not count.
    pub(super) fn making<T>(&self, call: &'static str, path: &str, make: impl FnOnce() -> T) -> Done<Made<'_, T>> {
        take(&self.files, 1).ok_or_else(|| exceeded("files_max", call, path))?;
        Ok(Made { files: &self.files, answer: make() })
    }
}

/// What an attempt to make something came to.
pub(super) struct Made<'a, T> {
    files: &'a AtomicU64,
    answer: T,
}

impl<T, E> Made<'_, Result<T, E>> {
    pub(super) fn settle(self) -> Result<T, E> {
        if self.answer.is_err() && self.files.load(Ordering::Relaxed) != u64::MAX {
            self.files.fetch_add(1, Ordering::Relaxed);
        }
        self.answer
    }
}

fn take(left: &AtomicU64, amount: u64) -> Option<()> {
    // Without a bound nothing is counted: MAX stays what it is.
    let less = |left: u64| if left == u64::MAX { Some(left) } else { left.checked_sub(amount) };
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).ok().map(drop)
}

fn exceeded(field: &str, call: &'static str, path: &str) -> PathError {
    let what = format!("quota exceeded: `{field}` of module 'fs' in the template");
    PathError::new("EDQUOT", what, call, path)
}
