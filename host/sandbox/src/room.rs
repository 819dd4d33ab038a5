//! How much the host holds for a session.
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Bytes that the host holds for a session beside its heap, so that a script that never looks at what it asked for piles up
/// no more than this, and what was begun when the room was left.
#[derive(Debug)]
pub(crate) struct Room {
    bytes: AtomicUsize,
    max: usize,
    freed: Notify,
}

/// A part of a room, until it is dropped.
#[derive(Debug)]
pub(crate) struct Held(Arc<Room>, usize);

impl Room {
    pub(crate) fn new(max: usize) -> Arc<Room> {
        Arc::new(Room { bytes: AtomicUsize::new(0), max, freed: Notify::new() })
    }

    /// Takes it, if it fits.
    pub(crate) fn take(self: &Arc<Room>, bytes: usize) -> Option<Held> {
        let held = self.hold(bytes);
        (bytes == 0 || self.bytes.load(Ordering::Relaxed) <= self.max).then_some(held)
    }

    /// Takes it in any case: it is there already.
    pub(crate) fn hold(self: &Arc<Room>, bytes: usize) -> Held {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        Held(Arc::clone(self), bytes)
    }

    /// Whether nothing more should be begun.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) >= self.max
    }

    /// Waits until it is not full.
    pub(crate) async fn left(&self) {
        loop {
            let mut freed = std::pin::pin!(self.freed.notified());
            freed.as_mut().enable();
            if !self.is_full() {
                return;
            }
            freed.await;
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.1 > 0 {
            self.0.bytes.fetch_sub(self.1, Ordering::Relaxed);
            self.0.freed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_room_is_full_until_something_goes() {
        let room = Room::new(10);
        let first = room.take(8).unwrap();
        assert!(room.take(3).is_none() && room.take(0).is_some() && !room.is_full());
        let over = room.hold(5);
        assert!(room.is_full());
        let waits = tokio::spawn({
            let room = Arc::clone(&room);
            async move { room.left().await }
        });
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        drop(over);
        waits.await.unwrap();
        drop(first);
        assert!(room.take(10).is_some());
    }
}
