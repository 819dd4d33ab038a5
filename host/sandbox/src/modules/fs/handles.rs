//! The files that a script has open by number, and how they are opened again in another process.
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use serde::{Deserialize, Serialize};

use super::beneath::{Beneath, Done, Opening};
use super::{Shared, files};
use crate::root::PathError;

/// Files that a session may have open by handles.
pub(super) const HANDLES_MAX: usize = 64;
/// The first handle: the ones before are a process's standard streams elsewhere.
const HANDLE_FIRST: u32 = 3;
/// Longest path that is taken from a snapshot, bytes.
const PATH_BYTES_MAX: usize = 4_096;

/// A file that a script has open.
#[derive(Debug)]
pub(super) struct Open {
    /// What the script named.
    pub(super) path: String,
    pub(super) how: Opening,
    /// Where it lay when it was saved, and is opened again: it may have been renamed since the script named it. Empty: it
    /// had been removed.
    place: String,
    /// Not there yet after it was restored.
    file: OnceLock<File>,
    /// Read without the turn: after the last call that has ended.
    position: AtomicU64,
    /// Whose call it is.
    turn: Mutex<()>,
}

/// The same in a snapshot.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Saved {
    handle: u32,
    path: String,
    place: String,
    read: bool,
    write: bool,
    append: bool,
    position: u64,
}

impl Open {
    pub(super) fn new(path: String, how: Opening, file: File) -> Open {
        // Opened again it neither makes nor empties anything.
        let how = Opening { create: false, exclusive: false, truncate: false, ..how };
        let (place, position) = (path.clone(), AtomicU64::new(0));
        Open { path, how, place, file: OnceLock::from(file), position, turn: Mutex::default() }
    }

    /// Calls of one handle come one after the other.
    pub(super) fn turn(&self) -> MutexGuard<'_, ()> {
        locked(&self.turn)
    }

    /// The file, opened again if need be. In one's turn.
    pub(super) fn file(&self, files: &Shared) -> Done<&File> {
        if let Some(file) = self.file.get() {
            return Ok(file);
        }
        let call = "open";
        if self.place.is_empty() {
            return Err(PathError::new("ENOENT", "no such file or directory", call, &self.path));
        }
        let opened = files.beneath()?.open_there(&self.place, self.how, false, call);
        let opened = opened.map_err(|error| error.instead_of(&self.path))?;
        Ok(self.file.get_or_init(|| opened))
    }

    pub(super) fn position(&self) -> u64 {
        self.position.load(Ordering::Relaxed)
    }

    pub(super) fn set_position(&self, position: u64) {
        self.position.store(position, Ordering::Relaxed);
    }

    /// Where it lies now.
    fn place(&self, beneath: Option<&Beneath>) -> String {
        let Some(file) = self.file.get() else { return self.place.clone() };
        if file.metadata().is_ok_and(|metadata| metadata.nlink() == 0) {
            return String::new();
        }
        let real = beneath.and_then(|beneath| beneath.real_name(file, "open", &self.path).ok());
        // A name that is no text has other characters in it here, and can't be opened either way.
        real.unwrap_or_else(|| self.place.clone())
    }

    fn save(&self, handle: u32, beneath: Option<&Beneath>) -> Saved {
        let Opening { read, write, append, .. } = self.how;
        let (path, place, position) = (self.path.clone(), self.place(beneath), self.position());
        Saved { handle, path, place, read, write, append, position }
    }
}

impl Saved {
    fn is_sound(&self) -> bool {
        (HANDLE_FIRST..).take(HANDLES_MAX).any(|handle| handle == self.handle)
            && self.path.len().max(self.place.len()) <= PATH_BYTES_MAX
            && self.position <= files::FILE_BYTES_MAX
            && (self.read || self.write || self.append)
    }
}

/// The open files of a session.
#[derive(Debug, Default)]
pub(super) struct Handles(Mutex<BTreeMap<u32, Arc<Open>>>);

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn unknown(call: &'static str, handle: u32) -> PathError {
    PathError::new("EBADF", "bad file descriptor", call, &handle.to_string())
}

fn full(path: &str) -> PathError {
    PathError::new("EMFILE", format!("a session has at most {HANDLES_MAX} files open"), "open", path)
}

impl Handles {
    pub(super) fn get(&self, handle: u32, call: &'static str) -> Done<Arc<Open>> {
        locked(&self.0).get(&handle).cloned().ok_or_else(|| unknown(call, handle))
    }

    /// Fails if there is no room for one more.
    pub(super) fn room(&self, path: &str) -> Done<()> {
        if locked(&self.0).len() < HANDLES_MAX { Ok(()) } else { Err(full(path)) }
    }

    pub(super) fn add(&self, open: Open) -> Done<u32> {
        let mut all = locked(&self.0);
        let free = (HANDLE_FIRST..).take(HANDLES_MAX).find(|handle| !all.contains_key(handle));
        let free = free.ok_or_else(|| full(&open.path))?;
        all.insert(free, Arc::new(open));
        Ok(free)
    }

    pub(super) fn remove(&self, handle: u32) -> Done<()> {
        locked(&self.0).remove(&handle).map(drop).ok_or_else(|| unknown("close", handle))
    }

    pub(super) fn save(&self, beneath: Option<&Beneath>) -> Vec<Saved> {
        locked(&self.0).iter().map(|(handle, open)| open.save(*handle, beneath)).collect()
    }

    /// None: they are not what `save` answers with.
    pub(super) fn restored(saved: Vec<Saved>) -> Option<Handles> {
        if saved.len() > HANDLES_MAX || !saved.iter().all(Saved::is_sound) {
            return None;
        }
        let open = saved.into_iter().map(|saved| {
            let Saved { handle, path, place, read, write, append, position } = saved;
            let how = Opening { read, write, append, ..Opening::default() };
            let (file, position) = (OnceLock::new(), AtomicU64::new(position));
            (handle, Arc::new(Open { path, how, place, file, position, turn: Mutex::default() }))
        });
        Some(Handles(Mutex::new(open.collect())))
    }
}
