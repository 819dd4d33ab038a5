//! An image's own memory: what the heaps of its sessions differ from.
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use twox_hash::XxHash3_64;

use crate::error::Error;
use crate::image::Image;
use crate::sandbox::Sandbox;
use crate::snapshot::PAGE;

/// Hashes of an image's own memory, so that pages that are as the image has them are not stored.
pub(crate) struct Base {
    pub(crate) hashes: Vec<u64>,
    zero: u64,
    pub(crate) stack_pointer: u32,
}

pub(crate) fn hash(page: &[u8]) -> u64 {
    // Not against forgery: a heap that collides with itself harms nobody but its own session.
    XxHash3_64::oneshot(page)
}

impl Base {
    fn of(memory: &[u8], stack_pointer: u32) -> Base {
        Base { hashes: memory.chunks_exact(PAGE).map(hash).collect(), zero: hash(&[0; PAGE]), stack_pointer }
    }

    pub(crate) fn get(&self, page: u32) -> u64 {
        self.hashes.get(page as usize).copied().unwrap_or(self.zero)
    }

    /// Pages below this one are the dead part of the shadow stack.
    pub(crate) fn first_page(&self) -> u32 {
        self.stack_pointer / PAGE as u32
    }
}

/// The image's [`Base`], made when it is first needed from a heap that never ran. There is room in the pool for one such
/// heap beyond the sessions.
#[derive(Default)]
pub(crate) struct Bases(OnceLock<Base>);

static ONE_PRISTINE: Mutex<()> = Mutex::new(());

impl Bases {
    pub(crate) fn of(&self, image: &Arc<Image>) -> Result<&Base, Error> {
        if let Some(base) = self.0.get() {
            return Ok(base);
        }
        with_pristine(image, |pristine| {
            // Somebody may have made it meanwhile.
            if self.0.get().is_none() {
                let memory = pristine.memory()?;
                let store = &mut pristine.inner.store;
                let stack_pointer = memory.stack_pointer(store)?;
                let bytes = memory.bytes(store)?;
                let base = Base::of(bytes.as_le_slice(&*store), stack_pointer);
                self.0.get_or_init(|| base);
            }
            Ok(())
        })?;
        self.0.get().ok_or_else(|| Error::internal("looking at an image", "nothing was seen"))
    }
}

/// Does something with a heap that never ran, which is nobody's.
pub(crate) fn with_pristine<T>(
    image: &Arc<Image>,
    look: impl FnOnce(&mut Sandbox) -> Result<T, Error>,
) -> Result<T, Error> {
    let _one = ONE_PRISTINE.lock().unwrap_or_else(PoisonError::into_inner);
    look(&mut image.pristine()?)
}
