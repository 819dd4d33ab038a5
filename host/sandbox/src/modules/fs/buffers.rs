//! Memory that whole files are read into. What the system gives is cleared page by page on its first use, which takes
//! several times as long as reading: the last large buffers are used again, whichever session reads.
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Smaller ones come from the allocator, which keeps as much itself.
const BYTES_MIN: usize = 256 << 10;
/// Larger ones are given back to the system.
const BYTES_MAX: usize = 16 << 20;
/// How many are kept in an engine.
const KEPT_MAX: usize = 2;

/// Buffers that were lent, and are free once nobody else has them.
#[derive(Debug, Default)]
pub(crate) struct Buffers(Mutex<Vec<Lent>>);

#[derive(Debug)]
enum Lent {
    Bytes(Arc<Vec<u8>>),
    Text(Arc<String>),
}

impl Lent {
    fn is_free(&self) -> bool {
        match self {
            Lent::Bytes(bytes) => Arc::strong_count(bytes) == 1,
            Lent::Text(text) => Arc::strong_count(text) == 1,
        }
    }

    fn capacity(&self) -> usize {
        match self {
            Lent::Bytes(bytes) => bytes.capacity(),
            Lent::Text(text) => text.capacity(),
        }
    }

    fn into_bytes(self) -> Option<Vec<u8>> {
        match self {
            Lent::Bytes(bytes) => Arc::into_inner(bytes),
            Lent::Text(text) => Arc::into_inner(text).map(String::into_bytes),
        }
    }
}

impl Buffers {
    fn lent(&self) -> MutexGuard<'_, Vec<Lent>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An empty buffer for `bytes` bytes. It may have room for some more, which whoever has it answers for.
    pub(super) fn take(&self, bytes: usize) -> Vec<u8> {
        if (BYTES_MIN..=BYTES_MAX).contains(&bytes) {
            let mut lent = self.lent();
            let fits = |lent: &Lent| lent.is_free() && (bytes..=2 * bytes).contains(&lent.capacity());
            let free = lent.iter().position(fits);
            if let Some(mut buffer) = free.and_then(|at| lent.swap_remove(at).into_bytes()) {
                buffer.clear();
                return buffer;
            }
        }
        Vec::with_capacity(bytes)
    }

    pub(super) fn lend_bytes(&self, bytes: Vec<u8>) -> Arc<Vec<u8>> {
        let capacity = bytes.capacity();
        let bytes = Arc::new(bytes);
        self.remember(capacity, || Lent::Bytes(Arc::clone(&bytes)));
        bytes
    }

    pub(super) fn lend_text(&self, text: String) -> Arc<String> {
        let capacity = text.capacity();
        let text = Arc::new(text);
        self.remember(capacity, || Lent::Text(Arc::clone(&text)));
        text
    }

    /// In place of one that nobody uses, when there are enough.
    fn remember(&self, capacity: usize, new: impl FnOnce() -> Lent) {
        if (BYTES_MIN..=BYTES_MAX).contains(&capacity) {
            let mut lent = self.lent();
            if lent.len() < KEPT_MAX {
                lent.push(new());
            } else if let Some(old) = lent.iter_mut().find(|lent| lent.is_free()) {
                *old = new();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_once_it_is_free() {
        let buffers = Buffers::default();
        let mut buffer = buffers.take(BYTES_MIN);
        buffer.push(1);
        let first = buffers.lend_bytes(buffer);
        let address = first.as_ptr();
        let other = buffers.take(BYTES_MIN);
        assert_ne!(other.as_ptr(), address, "it is still in use");
        drop(first);
        let again = buffers.take(BYTES_MIN);
        assert_eq!((again.as_ptr(), again.len()), (address, 0));
        let text = buffers.lend_text(String::from_utf8(again).unwrap_or_default());
        drop(text);
        let larger = buffers.take(3 * BYTES_MIN);
        assert_ne!(larger.as_ptr(), address, "it is too small");
        let again = buffers.take(BYTES_MIN);
        assert_eq!(again.as_ptr(), address);
    }

    #[test]
    fn few_are_kept_and_none_that_is_large() {
        let buffers = Buffers::default();
        drop(buffers.lend_bytes(buffers.take(BYTES_MAX + 1)));
        drop(buffers.lend_bytes(buffers.take(BYTES_MIN - 1)));
        assert_eq!(buffers.lent().len(), 0);
        let all: Vec<_> = (0..2 * KEPT_MAX).map(|_| buffers.lend_bytes(buffers.take(BYTES_MIN))).collect();
        drop(all);
        assert_eq!(buffers.lent().len(), KEPT_MAX);
        let larger = buffers.lend_bytes(buffers.take(4 * BYTES_MIN));
        assert_eq!(buffers.lent().len(), KEPT_MAX);
        let address = larger.as_ptr();
        drop(larger);
        let again = buffers.take(4 * BYTES_MIN);
        assert_eq!(again.as_ptr(), address, "it took another's place");
    }
}
