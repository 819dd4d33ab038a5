//! The images in memory, and those that are being made.
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::image::Image;

/// Images that stay in memory although no session uses them.
const IMAGES_KEPT: usize = 32;
/// For how long a library's failure is the answer to whoever asks for the same image.
const FAILURE_TIME: Duration = Duration::from_secs(30);
/// Failures that are remembered; past that the oldest ones are forgotten. One is some 100 KiB at most.
const FAILURES_KEPT: usize = 256;
/// One build of an image, which all who ask for it meanwhile wait for.
type Build = Arc<OnceLock<Result<Arc<Image>, Error>>>;

/// Images by hash. Sessions keep theirs alive; beyond that the last few stay.
#[derive(Default)]
pub(crate) struct Images {
    state: Mutex<ImagesState>,
    /// Held while one is read from the disk, so that it is read once.
    loading: Mutex<()>,
}

#[derive(Default)]
struct ImagesState {
    building: HashMap<String, Build>,
    known: HashMap<String, Weak<Image>>,
    kept: VecDeque<Arc<Image>>,
    /// Oldest first.
    failures: VecDeque<(Instant, String, Error)>,
}

impl ImagesState {
    fn known(&self, hash: &str) -> Result<Option<Arc<Image>>, Error> {
        if let Some(image) = self.known.get(hash).and_then(Weak::upgrade) {
            return Ok(Some(image));
        }
        let failed = self.failures.iter().find(|(at, failed, _)| failed == hash && at.elapsed() < FAILURE_TIME);
        failed.map_or(Ok(None), |(_, _, error)| Err(error.clone()))
    }

    fn keep(&mut self, hash: &str, image: &Arc<Image>) {
        self.known.retain(|_, image| image.strong_count() > 0);
        self.known.insert(hash.to_owned(), Arc::downgrade(image));
        self.kept.push_back(image.clone());
        if self.kept.len() > IMAGES_KEPT {
            self.kept.pop_front();
        }
    }

    fn failed(&mut self, hash: &str, error: &Error) {
        self.failures.retain(|(at, failed, _)| failed != hash && at.elapsed() < FAILURE_TIME);
        if self.failures.len() >= FAILURES_KEPT {
            self.failures.pop_front();
        }
        self.failures.push_back((Instant::now(), hash.to_owned(), error.clone()));
    }
}

impl Images {
    fn state(&self) -> MutexGuard<'_, ImagesState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Held, no image comes into memory from the disk.
    pub(crate) fn loading(&self) -> MutexGuard<'_, ()> {
        self.loading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those that are in memory or are being made.
    pub(crate) fn in_use(&self) -> HashSet<String> {
        let state = self.state();
        let known = state.known.iter().filter(|(_, image)| image.strong_count() > 0).map(|(hash, _)| hash);
        known.chain(state.building.keys()).cloned().collect()
    }

    /// The image in memory, else the one that `load` finds.
    pub(crate) fn at_hand(
        &self,
        hash: &str,
        load: impl FnOnce(&str) -> Result<Option<Image>, Error>,
    ) -> Result<Option<Arc<Image>>, Error> {
        if let Some(image) = self.state().known(hash)? {
            return Ok(Some(image));
        }
        let _loading = self.loading();
        if let Some(image) = self.state().known(hash)? {
            return Ok(Some(image));
        }
        let Some(image) = load(hash)?.map(Arc::new) else { return Ok(None) };
        self.state().keep(hash, &image);
        Ok(Some(image))
    }

    pub(crate) fn get(
        &self,
        hash: &str,
        build: impl FnOnce(&str) -> Result<Image, Error>,
    ) -> Result<Arc<Image>, Error> {
        let slot = {
            let mut state = self.state();
            if let Some(image) = state.known(hash)? {
                return Ok(image);
            }
            state.building.entry(hash.to_owned()).or_default().clone()
        };
        let built = slot.get_or_init(|| build(hash).map(Arc::new)).clone();
        let mut state = self.state();
        // Whoever comes first clears the place; a fault of ours is tried again by whoever asks next.
        if state.building.get(hash).is_some_and(|current| Arc::ptr_eq(current, &slot)) {
            state.building.remove(hash);
            match &built {
                Ok(image) => state.keep(hash, image),
                Err(error @ Error::Library { .. }) => state.failed(hash, error),
                Err(_) => {}
            }
        }
        built
    }
}
