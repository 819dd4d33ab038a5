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

#[cfg(test)]
mod tests {
    //! Files that go from one process to another.
    use std::path::Path;

    use crate::host::{Host, Surroundings};
    use crate::modules::fs::types::{Content, How};
    use crate::modules::fs::*;
    use crate::modules::{Answer, Failure};
    use crate::root::Root;
    use crate::sandbox::Setup;

    fn host(dir: &Path) -> Host {
        let config = serde_json::from_str(r#"{"quota_kb": 1, "files_max": 3}"#).unwrap();
        let setup = Setup {
            root: Some(Root::open(dir).unwrap()),
            grants: vec![model::Grant { name: model::ModuleName::parse("fs").unwrap(), config }],
            ..Setup::default()
        };
        Host::new(setup, &[], Arc::default(), Surroundings::default()).unwrap()
    }

    /// Through what a snapshot would hold.
    fn moved(from: &Host, dir: &Path) -> Host {
        let text = serde_json::to_vec(&from.save_states()).unwrap();
        let mut to = host(dir);
        to.restore_states(serde_json::from_slice(&text).unwrap());
        to
    }

    fn call<P, T>(host: &mut Host, body: Body<P, T>, given: P) -> Answer<T> {
        let files = Arc::clone(&host.state::<Files>()?.0);
        body(&files, given, &mut || true).map_err(Failure::from)
    }

    fn open(host: &mut Host, path: &str, how: How) -> u32 {
        call(host, files::open, (path.to_owned(), how)).unwrap()
    }

    fn read(host: &mut Host, handle: u32, length: u32) -> Answer<Vec<u8>> {
        call(host, files::read, (handle, length, None))
    }

    fn write(host: &mut Host, handle: u32, text: &str) -> Answer<u32> {
        call(host, files::write, (handle, Content::Bytes(text.into()), None))
    }

    fn code<T: std::fmt::Debug>(answer: Answer<T>) -> String {
        answer.unwrap_err().code
    }

    #[test]
    fn handles_go_on_where_they_were() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("in"), "0123456789").unwrap();
        let mut first = host(dir.path());
        let (input, closed) = (open(&mut first, "in", How::READ), open(&mut first, "in", How::READ));
        let output = open(&mut first, "out", How::WRITE | How::CREATE | How::TRUNCATE);
        let log = open(&mut first, "log", How::APPEND | How::CREATE | How::EXCLUSIVE);
        call(&mut first, files::close, (closed,)).unwrap();
        assert_eq!(read(&mut first, input, 4).unwrap(), b"0123");
        write(&mut first, output, "abc").unwrap();
        write(&mut first, log, "one ").unwrap();

        // It may travel on without being used in between.
        let mut last = moved(&moved(&first, dir.path()), dir.path());
        drop(first);
        assert_eq!(read(&mut last, input, 4).unwrap(), b"4567");
        write(&mut last, output, "def").unwrap();
        write(&mut last, log, "two").unwrap();
        assert_eq!(std::fs::read_to_string(dir.path().join("out")).unwrap(), "abcdef");
        assert_eq!(std::fs::read_to_string(dir.path().join("log")).unwrap(), "one two");
        assert_eq!(code(read(&mut last, output, 1)), "EBADF");
        assert_eq!(code(read(&mut last, closed, 1)), "EBADF");
        assert_eq!(open(&mut last, "in", How::READ), closed);
    }

    #[test]
    fn a_file_that_was_renamed_is_followed_and_one_that_is_gone_is_told_of() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in ["moved", "removed", "vanishes"] {
            std::fs::write(at(name), name).unwrap();
        }
        let mut first = host(dir.path());
        let [moves, removed, vanishes] = ["moved", "removed", "vanishes"].map(|name| open(&mut first, name, How::READ));
        std::fs::create_dir(at("into")).unwrap();
        std::fs::rename(at("moved"), at("into/it")).unwrap();
        std::fs::remove_file(at("removed")).unwrap();
        let mut second = moved(&first, dir.path());
        // Another file of that name is another file.
        std::fs::write(at("removed"), "another").unwrap();
        std::fs::rename(at("vanishes"), at("elsewhere")).unwrap();
        assert_eq!(read(&mut second, moves, 10).unwrap(), b"moved");
        assert_eq!(code(read(&mut second, removed, 10)), "ENOENT");
        let failure = read(&mut second, vanishes, 10).unwrap_err();
        assert_eq!(failure.to_string(), "ENOENT: ENOENT: no such file or directory, open 'vanishes'");
        std::fs::rename(at("elsewhere"), at("vanishes")).unwrap();
        assert_eq!(read(&mut second, vanishes, 10).unwrap(), b"vanishes");
        call(&mut second, files::close, (removed,)).unwrap();
    }

    #[test]
    fn what_was_written_and_made_still_counts() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = host(dir.path());
        let handle = open(&mut first, "out", How::WRITE | How::CREATE);
        write(&mut first, handle, &"x".repeat(1_000)).unwrap();
        let mut second = moved(&first, dir.path());
        assert_eq!(code(write(&mut second, handle, &"x".repeat(25))), "EDQUOT");
        write(&mut second, handle, &"x".repeat(24)).unwrap();
        for name in ["a", "b"] {
            open(&mut second, name, How::WRITE | How::CREATE);
        }
        let more = call(&mut moved(&second, dir.path()), files::open, ("c".to_owned(), How::WRITE | How::CREATE));
        assert_eq!(code(more), "EDQUOT");
    }

    #[test]
    fn what_is_no_snapshot_of_ours_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("in"), "0123456789").unwrap();
        let mut first = host(dir.path());
        let handle = open(&mut first, "in", How::READ);
        let good = first.save_states();
        let restored = |change: &dyn Fn(&mut serde_json::Value)| {
            let mut states = good.clone();
            change(states.get_mut("fs").unwrap());
            let mut host = host(dir.path());
            host.restore_states(states);
            let answers = [(), ()].map(|()| call(&mut host, files::stat_open, (handle,)).map(drop).map_err(|e| e.code));
            assert_eq!(answers[0], answers[1]);
            answers[0].clone()
        };
        assert_eq!(restored(&|_| ()), Ok(()));
        let refused = Err("INTERNAL".to_owned());
        assert_eq!(restored(&|fs| fs["open"][0]["position"] = u64::MAX.into()), refused);
        assert_eq!(restored(&|fs| fs["open"][0]["path"] = "x".repeat(10_000).into()), refused);
        assert_eq!(restored(&|fs| fs["open"][0]["handle"] = 1_000.into()), refused);
        assert_eq!(restored(&|fs| fs["open"] = serde_json::json!({})), refused);
        assert_eq!(restored(&|fs| fs["open"][0]["place"] = "../../etc/passwd".into()), Err("EACCES".to_owned()));
    }
}
