//! Who may build an image now. Libraries are anybody's, and evaluating one takes as long as the limits of a build allow:
//! one image is one build however many ask for it, a few are built at once, and no more than some wait.
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::ErrorCode;
use tokio::sync::{OwnedMutexGuard, Semaphore, SemaphorePermit};

use crate::fault::Fault;

/// Images that are built at once. They compile one after another; what they do at once is to evaluate libraries.
const BUILDS_MAX: usize = 4;
/// Images that wait for that, whoever waits for each.
const WAITING_MAX: usize = 64;

/// An image's lock, for as long as anybody asks for the image.
type Lock = Arc<tokio::sync::Mutex<()>>;

pub(crate) struct Builds {
    /// Given out in the order of asking.
    turns: Semaphore,
    asked: Mutex<HashMap<String, Lock>>,
}

impl Default for Builds {
    fn default() -> Self {
        Builds { turns: Semaphore::new(BUILDS_MAX), asked: Mutex::default() }
    }
}

impl Builds {
    fn asked(&self) -> MutexGuard<'_, HashMap<String, Lock>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place among those who ask for an image, by its content hash. Refused when too many other images are waited for.
    pub(crate) fn ask(&self, hash: String) -> Result<Asked<'_>, Fault> {
        let mut asked = self.asked();
        if !asked.contains_key(&hash) && asked.len() >= BUILDS_MAX + WAITING_MAX {
            return Err(Fault::new(ErrorCode::SessionLimit, "Too many images are being built: try again"));
        }
        let lock = Arc::clone(asked.entry(hash.clone()).or_default());
        drop(asked);
        Ok(Asked { builds: self, hash, lock })
    }

    /// May build, until it is dropped.
    pub(crate) async fn turn(&self) -> Result<SemaphorePermit<'_>, Fault> {
        self.turns.acquire().await.map_err(Fault::internal)
    }
}

/// A place among those who ask for one image.
pub(crate) struct Asked<'a> {
    builds: &'a Builds,
    hash: String,
    lock: Lock,
}

impl Asked<'_> {
    /// One at a time, in the order of asking.
    pub(crate) async fn alone(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.lock).lock_owned().await
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        let mut asked = self.builds.asked();
        // The map's and ours; more come into being under the map's lock only, or from another of these.
        if Arc::strong_count(&self.lock) <= 2 {
            asked.remove(&self.hash);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_that_wait_are_bounded_and_those_who_wait_for_one_are_not() {
        let builds = Builds::default();
        let asked: Vec<_> = (0..BUILDS_MAX + WAITING_MAX).map(|n| builds.ask(n.to_string()).unwrap()).collect();
        let same: Vec<_> = (0..1_000).map(|_| builds.ask("0".to_owned()).unwrap()).collect();
        let refused = builds.ask("one more".to_owned()).map(drop).unwrap_err();
        assert_eq!(refused.code, ErrorCode::SessionLimit);
        drop(asked);
        assert_eq!(builds.asked().len(), 1, "somebody asks for it still");
        drop(same);
        assert!(builds.asked().is_empty());
    }
}
