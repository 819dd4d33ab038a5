//! Files of the data directory: compiled code, which is run as it lies. Each carries a MAC under a key that never leaves
//! the directory, checked before a byte is used; what does not fit is rebuilt, not trusted.
use std::collections::{BTreeMap, HashSet};
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::snapshot::SnapshotKey;

const KEY_FILE: &str = "key";
/// There where stored sessions need images: only who knows which may remove any.
const KEPT_FILE: &str = "kept";
/// Compiled images, by their hash.
const ARTIFACT: &str = "cwasm";
/// What they were compiled from, compressed.
const COMPONENT: &str = "component";
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
        self.write(name, purpose, payload)?.persist(self.dir.join(name)).map_err(|error| error.error)?;
        Ok(())
    }

    fn write(&self, name: &str, purpose: &str, payload: &[u8]) -> io::Result<tempfile::NamedTempFile> {
        let mut file = tempfile::Builder::new().prefix(NEW).tempfile_in(&self.dir)?;
        file.write_all(self.mac(name, purpose, payload).as_bytes())?;
        file.write_all(payload)?;
        Ok(file)
    }

    /// The compiled image of a hash. Reading it counts as using it.
    pub(crate) fn artifact(&self, hash: &str) -> Option<Vec<u8>> {
        let name = format!("{hash}.{ARTIFACT}");
        let payload = self.load(&name, ARTIFACT)?;
        // Only for the order in which images go: where it can't be told, the oldest go first.
        let file = OpenOptions::new().write(true).open(self.dir.join(name));
        let _ = file.and_then(|file| file.set_modified(SystemTime::now()));
        Some(payload)
    }

    pub(crate) fn store_artifact(&self, hash: &str, payload: &[u8]) -> io::Result<()> {
        self.store(&format!("{hash}.{ARTIFACT}"), ARTIFACT, payload)
    }

    /// What the image of a hash was compiled from.
    pub(crate) fn component(&self, hash: &str) -> Option<Vec<u8>> {
        self.load(&format!("{hash}.{COMPONENT}"), COMPONENT)
    }

    /// Writes that, so that a power cut does not undo it. False: another process did meanwhile, and what it wrote counts.
    pub(crate) fn store_component(&self, hash: &str, payload: &[u8]) -> io::Result<bool> {
        let name = format!("{hash}.{COMPONENT}");
        let file = self.write(&name, COMPONENT, payload)?;
        file.as_file().sync_all()?;
        match file.persist_noclobber(self.dir.join(&name)) {
            Ok(_) => {}
            Err(_) if self.component(hash).is_some() => return Ok(false),
            // One that was changed.
            Err(error) => drop(error.file.persist(self.dir.join(name)).map_err(|error| error.error)?),
        }
        fs::File::open(&self.dir)?.sync_all()?;
        Ok(true)
    }

    /// The first bytes of an image's component or artifact as they lie there, unchecked: to be shown and no more.
    pub(crate) fn peek(&self, hash: &str, bytes_max: u64) -> Option<Vec<u8>> {
        let open = |extension| fs::File::open(self.dir.join(format!("{hash}.{extension}"))).ok();
        let file = open(COMPONENT).or_else(|| open(ARTIFACT))?;
        let mut bytes = Vec::new();
        file.take(MAC_LEN as u64 + bytes_max).read_to_end(&mut bytes).ok()?;
        bytes.get(MAC_LEN..).map(<[u8]>::to_vec)
    }

    /// The images that are there, by hash.
    pub(crate) fn images(&self) -> BTreeMap<String, ImageFiles> {
        let mut images = BTreeMap::<String, ImageFiles>::new();
        let Ok(entries) = fs::read_dir(&self.dir) else { return images };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some((hash, extension)) = name.to_str().and_then(|name| name.rsplit_once('.')) else { continue };
            let is_hash = hash.len() == 2 * blake3::OUT_LEN && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
            if !is_hash || ![ARTIFACT, COMPONENT].contains(&extension) {
                continue;
            }
            let Ok(metadata) = entry.metadata() else { continue };
            let files = images.entry(hash.to_owned()).or_default();
            if extension == ARTIFACT {
                files.artifact = Some(metadata.len());
                files.used_at = metadata.modified().ok();
            } else {
                files.component = Some(metadata.len());
                files.created_at = metadata.modified().ok();
            }
        }
        images
    }

    /// From now on only who knows which images are needed removes any from this directory.
    pub(crate) fn keep(&self) -> io::Result<()> {
        fs::File::create(self.dir.join(KEPT_FILE)).map(drop)
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

    /// Removes images until the rest fits: those first that were used longest ago, artifact and component together, and none
    /// that `needed` says is needed. It is asked only where something has to go; None: that is not known now. A file that
    /// another process is reading stays readable for it.
    pub(crate) fn prune_images(&self, bytes_max: u64, needed: impl FnOnce() -> Option<HashSet<String>>) {
        let images = self.images();
        let mut total: u64 = images.values().map(ImageFiles::bytes).sum();
        if total <= bytes_max {
            return;
        }
        let Some(needed) = needed() else { return };
        let mut images: Vec<_> = images.into_iter().filter(|(hash, _)| !needed.contains(hash)).collect();
        images.sort_by_key(|(_, files)| files.used_at.max(files.created_at));
        for (hash, files) in images {
            if total <= bytes_max {
                break;
            }
            total -= files.bytes();
            for extension in [ARTIFACT, COMPONENT] {
                let _ = fs::remove_file(self.dir.join(format!("{hash}.{extension}")));
            }
        }
    }

    /// Whether stored sessions need images of this directory, whoever knows which.
    pub(crate) fn is_kept(&self) -> bool {
        self.dir.join(KEPT_FILE).exists()
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

/// The files of one image.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ImageFiles {
    /// Bytes of the compiled image.
    pub(crate) artifact: Option<u64>,
    /// Bytes of what it was compiled from.
    pub(crate) component: Option<u64>,
    /// When it was built.
    pub(crate) created_at: Option<SystemTime>,
    /// When the artifact was read or written last.
    pub(crate) used_at: Option<SystemTime>,
}

impl ImageFiles {
    fn bytes(&self) -> u64 {
        self.artifact.unwrap_or(0) + self.component.unwrap_or(0)
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
    fn images_go_that_were_used_longest_ago_and_nobody_needs() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::open(dir.path()).unwrap();
        let names = ["1", "2", "3", "4"].map(|name| name.repeat(2 * blake3::OUT_LEN));
        let pause = || std::thread::park_timeout(std::time::Duration::from_millis(20));
        for name in &names {
            assert!(disk.store_component(name, &[0; 8]).unwrap());
            disk.store_artifact(name, &[0; 28]).unwrap();
            pause();
        }
        disk.store("functions.cache", "test", &[0; 1_000]).unwrap();
        // The second is needed, the first was read last.
        let needed = || Some(HashSet::from([names[1].clone()]));
        assert!(disk.artifact(&names[0]).is_some());
        disk.prune_images(400, || panic!("400 bytes are 400 bytes"));
        disk.prune_images(399, || None);
        let left = || names.each_ref().map(|name| disk.images().contains_key(name));
        assert_eq!(left(), [true; 4], "it is not known what is needed");
        disk.prune_images(399, needed);
        assert_eq!(left(), [true, true, false, true]);
        disk.prune_images(0, needed);
        assert_eq!(left(), [false, true, false, false]);
        let files = disk.images()[&names[1]];
        assert_eq!((files.artifact, files.component), (Some(60), Some(40)));
        assert!(disk.load("functions.cache", "test").is_some());
    }

    #[test]
    fn the_first_component_counts_unless_it_is_damaged() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::open(dir.path()).unwrap();
        assert!(disk.store_component("x", b"first").unwrap());
        assert!(!disk.store_component("x", b"second").unwrap());
        assert_eq!(disk.component("x").as_deref(), Some(&b"first"[..]));
        fs::write(dir.path().join("x.component"), "damaged").unwrap();
        assert!(disk.store_component("x", b"third").unwrap());
        assert_eq!(disk.component("x").as_deref(), Some(&b"third"[..]));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "the key, and nothing that is half written");
    }

    #[test]
    fn a_damaged_key_is_an_error_and_not_a_new_key() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(KEY_FILE), b"short").unwrap();
        assert!(Disk::open(dir.path()).is_err());
    }
}
