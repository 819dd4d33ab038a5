//! Files of the data directory: compiled code, which is run as it lies. Each carries a MAC under a key that never leaves
//! the directory, checked before a byte is used; what does not fit is rebuilt, not trusted.
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::snapshot::SnapshotKey;

const KEY_FILE: &str = "key";
/// Begins the name of a file that is being written.
const NEW: &str = ".new-";
/// Such a file of this age is nobody's any more.
const HALF_WRITTEN: Duration = Duration::from_secs(3_600);
const MAC_LEN: usize = blake3::OUT_LEN;

/// The directory of compiled images, and the key that vouches for its files.
#[derive(Debug)]
pub(crate) struct Disk {
    dir: PathBuf,
    key: [u8; blake3::KEY_LEN],
}

impl Disk {
    /// Opens or creates `dir`, readable for its owner alone, and its key.
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        sweep(dir);
        Ok(Disk { key: read_or_create_key(&dir.join(KEY_FILE))?, dir: dir.to_owned() })
    }

    /// The key of stored heaps, made of the directory's.
    pub(crate) fn snapshot_key(&self) -> SnapshotKey {
        SnapshotKey::derive(&self.key)
    }

    /// The payload of `name`, if the file is there and whole. `purpose` keeps a file of one kind from passing as one of
    /// another.
    pub(crate) fn load(&self, name: &str, purpose: &str) -> Option<Vec<u8>> {
        let path = self.dir.join(name);
        let mut bytes = fs::read(&path).ok()?;
        if bytes.len() < MAC_LEN {
            tracing::warn!(file = name, "a cached file is too short; it will be rebuilt");
            return None;
        }
        let payload = bytes.split_off(MAC_LEN);
        let mac: [u8; MAC_LEN] = bytes.try_into().ok()?;
        // blake3::Hash compares in constant time.
        if blake3::Hash::from_bytes(mac) != self.mac(name, purpose, &payload) {
            tracing::warn!(file = name, "a cached file was changed or is another installation's; it will be rebuilt");
            return None;
        }
        Some(payload)
    }

    /// Writes `name` so that a reader sees the old file or the whole new one.
    pub(crate) fn store(&self, name: &str, purpose: &str, payload: &[u8]) -> io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(NEW).tempfile_in(&self.dir)?;
        file.write_all(self.mac(name, purpose, payload).as_bytes())?;
        file.write_all(payload)?;
        file.persist(self.dir.join(name)).map_err(|error| error.error)?;
        Ok(())
    }

    /// Removes the oldest files of an extension until the rest fits. A file that another process is reading stays
    /// readable for it.
    pub(crate) fn prune(&self, extension: &str, bytes_max: u64) {
        let Ok(entries) = fs::read_dir(&self.dir) else { return };
        let mut files: Vec<_> = entries
            .flatten()
            .filter(|entry| entry.path().extension().is_some_and(|found| found == extension))
            .filter_map(|entry| {
                let metadata = entry.metadata().ok()?;
                Some((metadata.modified().ok()?, metadata.len(), entry.path()))
            })
            .collect();
        files.sort();
        let mut total: u64 = files.iter().map(|(_, len, _)| len).sum();
        for (_, len, path) in files {
            if total <= bytes_max {
                break;
            }
            total -= len;
            let _ = fs::remove_file(path);
        }
    }

    fn mac(&self, name: &str, purpose: &str, payload: &[u8]) -> blake3::Hash {
        let mut mac = blake3::Hasher::new_keyed(&self.key);
        for part in [purpose.as_bytes(), name.as_bytes()] {
            mac.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
        mac.update(payload);
        mac.finalize()
    }
}

/// Removes what processes that were killed left half written. Nobody writes for as long as an hour.
fn sweep(dir: &Path) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    let old = |entry: &fs::DirEntry| {
        let modified = entry.metadata().and_then(|metadata| metadata.modified()).ok()?;
        Some(modified.elapsed().ok()? > HALF_WRITTEN)
    };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(NEW) && old(&entry) == Some(true) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Two processes may start at once: whoever links its key first wins, and the other reads it.
fn read_or_create_key(path: &Path) -> io::Result<[u8; blake3::KEY_LEN]> {
    if let Some(key) = read_key(path)? {
        return Ok(key);
    }
    let mut key = [0; blake3::KEY_LEN];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    let parent = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(NEW)
        .make_in(parent, |path| OpenOptions::new().write(true).create_new(true).mode(0o600).open(path))?;
    file.write_all(&key)?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(key),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            read_key(path)?.ok_or_else(|| io::Error::other("the key file vanished"))
        }
        Err(error) => Err(error.error),
    }
}

fn read_key(path: &Path) -> io::Result<Option<[u8; blake3::KEY_LEN]>> {
    let mut bytes = Vec::new();
    match fs::File::open(path) {
        Ok(file) => file.take(1 + blake3::KEY_LEN as u64).read_to_end(&mut bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let wrong = |_| io::Error::other(format!("{} is not a key of {} bytes", path.display(), blake3::KEY_LEN));
    bytes.try_into().map(Some).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_comes_back_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::open(dir.path()).unwrap();
        disk.store("a", "test", b"payload").unwrap();
        assert_eq!(disk.load("a", "test").as_deref(), Some(&b"payload"[..]));
        assert_eq!(Disk::open(dir.path()).unwrap().load("a", "test").as_deref(), Some(&b"payload"[..]));
        assert_eq!(disk.load("a", "other purpose"), None);
        assert_eq!(disk.load("absent", "test"), None);

        fs::copy(dir.path().join("a"), dir.path().join("b")).unwrap();
        assert_eq!(disk.load("b", "test"), None, "the name is covered");

        let other = tempfile::tempdir().unwrap();
        let foreign = Disk::open(other.path()).unwrap();
        fs::copy(dir.path().join("a"), other.path().join("a")).unwrap();
        assert_eq!(foreign.load("a", "test"), None, "another directory's key");

        let good = fs::read(dir.path().join("a")).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(dir.path().join("a"), bad).unwrap();
            assert_eq!(disk.load("a", "test"), None, "byte {at}");
        }
        for len in 0..good.len() {
            fs::write(dir.path().join("a"), &good[..len]).unwrap();
            assert_eq!(disk.load("a", "test"), None, "{len} bytes");
        }
    }

    #[test]
    fn what_was_left_half_written_goes_after_an_hour() {
        let dir = tempfile::tempdir().unwrap();
        let [old, young] = [".new-old", ".new-young"].map(|name| dir.path().join(name));
        for path in [&old, &young] {
            fs::write(path, "half").unwrap();
        }
        let then = std::time::SystemTime::now() - HALF_WRITTEN - Duration::from_secs(1);
        fs::File::options().write(true).open(&old).unwrap().set_modified(then).unwrap();
        Disk::open(dir.path()).unwrap();
        assert!(!old.exists() && young.exists());
    }

    #[test]
    fn the_oldest_files_go_first() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::open(dir.path()).unwrap();
        for name in ["1.x", "2.x", "3.x", "4.y"] {
            disk.store(name, "test", &[0; 68]).unwrap();
            std::thread::park_timeout(std::time::Duration::from_millis(20));
        }
        disk.prune("x", 300);
        assert_eq!(disk.load("1.x", "test").map(|p| p.len()), Some(68), "300 bytes are 300 bytes");
        disk.prune("x", 299);
        let left = ["1.x", "2.x", "3.x", "4.y"].map(|name| disk.load(name, "test").is_some());
        assert_eq!(left, [false, true, true, true]);
    }

    #[test]
    fn a_damaged_key_is_an_error_and_not_a_new_key() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(KEY_FILE), b"short").unwrap();
        assert!(Disk::open(dir.path()).is_err());
    }
}
