//! The libraries of a server: files `<name>.js` in one directory, put there by hand, by `libs download` or over HTTP.
//!
//! Nothing is remembered that the directory does not say: a look-up compares what the file system tells (size, times,
//! inode) with what it told before, and reads the text again only when something differs.
use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, Metadata, MetadataExt as _, OpenOptions, OpenOptionsExt as _};
use model::LibraryName;
use sandbox::Library;
use schemars::JsonSchema;
use semver::Version;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// Largest library, bytes.
pub const LIBRARY_BYTES_MAX: usize = 16 << 20;
/// Files that the cache takes over HTTP. Whoever has the directory puts as many there as they like.
pub const LIBRARIES_MAX: usize = 1_000;
/// Bytes of all of them together that the cache takes over HTTP: 1 GiB.
pub const LIBRARIES_BYTES_MAX: u64 = 1 << 30;
/// Texts that stay in memory.
const KEPT_MAX: usize = 64;
/// What was written so lately may change again without a new time: it is not remembered.
const SETTLED: Duration = Duration::from_secs(2);
const EXTENSION: &str = ".js";
/// Linux's: opening a pipe that somebody left there must not hang.
const O_NONBLOCK: i32 = 0o4000;

/// The directory and what is known of its files. Cloning is cheap and shares both.
#[derive(Clone, Debug)]
pub struct Libraries(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    known: Mutex<Known>,
    /// Held from the look at what there is until the file is there.
    adding: Mutex<()>,
}

#[derive(Debug, Default)]
struct Known {
    texts: HashMap<LibraryName, (Stamp, Library)>,
    sums: HashMap<LibraryName, (Stamp, String)>,
    /// The versions of each package, newest last.
    packages: Option<(Stamp, HashMap<String, LibraryName>)>,
}

/// A library as lists show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LibraryFile {
    /// The file's name without `.js`.
    pub name: LibraryName,
    /// Its size.
    pub bytes: u64,
    /// Of its text, hexadecimal.
    pub sha256: String,
}

/// The directory as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Info {
    /// Where it is.
    pub directory: PathBuf,
    /// How many libraries it holds.
    pub count: usize,
    /// What they take together.
    pub bytes: u64,
}

/// What a cache may come to.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// How many libraries.
    pub files: usize,
    /// How many bytes together.
    pub bytes: u64,
}

/// What tells a file or directory from what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Stamp {
        Stamp {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    fn is_settled(&self) -> bool {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let changed = u64::try_from(self.changed.0).unwrap_or(0);
        now.as_secs().checked_sub(changed).is_some_and(|age| age > SETTLED.as_secs())
    }
}

impl Libraries {
    /// The libraries in `path`, which need not be there yet.
    pub fn new(path: PathBuf) -> Libraries {
        Libraries(Arc::new(Inner { path, known: Mutex::default(), adding: Mutex::default() }))
    }

    /// Where they lie.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// The library of that name, or else the newest version of the package of that name. Blocks; when nothing changed since
    /// the last time, for no more than a look at the file. An error's text has the name and is for people.
    pub fn resolve(&self, name: &LibraryName) -> io::Result<Option<Library>> {
        let Some(dir) = self.open()? else { return Ok(None) };
        if let Some(library) = self.load(&dir, name)? {
            return Ok(Some(library));
        }
        match self.newest(&dir, name)? {
            Some(newest) => self.load(&dir, &newest),
            None => Ok(None),
        }
    }

    /// All of them by name. What has no library's name or is no regular file is left out.
    pub fn list(&self) -> io::Result<Vec<LibraryFile>> {
        let Some(dir) = self.open()? else { return Ok(Vec::new()) };
        let mut files = Vec::new();
        for (name, bytes) in files_of(&dir)? {
            // Removed meanwhile, or not readable: no reason to show nothing.
            if let Ok(Some(sha256)) = self.sum(&dir, &name) {
                files.push(LibraryFile { name, bytes, sha256 });
            }
        }
        Ok(files)
    }

    /// The text of one.
    pub fn read(&self, name: &LibraryName) -> io::Result<Option<String>> {
        let Some(dir) = self.open()? else { return Ok(None) };
        open_file(&dir, name)?.map(|(file, stamp)| text(file, stamp, name)).transpose()
    }

    /// Creates or replaces one, all of it or nothing, and waits for the disk. The text is at most [`LIBRARY_BYTES_MAX`].
    pub fn put(&self, name: &LibraryName, text: &str) -> io::Result<LibraryFile> {
        if text.len() > LIBRARY_BYTES_MAX {
            return Err(too_large(name));
        }
        std::fs::create_dir_all(&self.0.path)?;
        let dir = Dir::open_ambient_dir(&self.0.path, ambient_authority())?;
        // No library's name begins with a dot.
        let temporary = format!(".{}", Uuid::new_v4());
        let written = (|| {
            let mut file = dir.open_with(&temporary, OpenOptions::new().write(true).create_new(true))?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            dir.rename(&temporary, &dir, file_name(name))?;
            dir.open(".")?.sync_all()
        })();
        if let Err(error) = written {
            let _ = dir.remove_file(&temporary);
            return Err(error);
        }
        let sha256 = hex(&Sha256::digest(text));
        Ok(LibraryFile { name: name.clone(), bytes: text.len() as u64, sha256 })
    }

    /// [`Libraries::put`] if the cache then fits into `room`; None if it does not. One that is there can always be replaced by
    /// one that is not larger.
    pub fn put_within(&self, room: Room, name: &LibraryName, text: &str) -> io::Result<Option<LibraryFile>> {
        let _adding = self.0.adding.lock().unwrap_or_else(PoisonError::into_inner);
        let files = self.open()?.map(|dir| files_of(&dir)).transpose()?.unwrap_or_default();
        let (old, new) = (files.get(name), text.len() as u64);
        let bytes = files.values().sum::<u64>() - old.unwrap_or(&0) + new;
        let fits = (old.is_some() || files.len() < room.files) && bytes <= room.bytes;
        let shrinks = old.is_some_and(|old| new <= *old);
        (fits || shrinks).then(|| self.put(name, text)).transpose()
    }

    /// Whether there was one.
    pub fn remove(&self, name: &LibraryName) -> io::Result<bool> {
        let Some(dir) = self.open()? else { return Ok(false) };
        let mut known = self.known();
        known.texts.remove(name);
        known.sums.remove(name);
        drop(known);
        match dir.remove_file(file_name(name)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Where they lie and how much there is.
    pub fn info(&self) -> io::Result<Info> {
        let files = self.open()?.map(|dir| files_of(&dir)).transpose()?.unwrap_or_default();
        Ok(Info { directory: self.0.path.clone(), count: files.len(), bytes: files.values().sum() })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Each time anew: a directory that was deleted and made again is another one.
    fn open(&self) -> io::Result<Option<Dir>> {
        absent(Dir::open_ambient_dir(&self.0.path, ambient_authority()))
    }

    fn load(&self, dir: &Dir, name: &LibraryName) -> io::Result<Option<Library>> {
        let Some((file, stamp)) = open_file(dir, name)? else { return Ok(None) };
        if let Some((known, library)) = self.known().texts.get(name)
            && *known == stamp
        {
            return Ok(Some(library.clone()));
        }
        let library = Library::new(name.as_str(), text(file, stamp, name)?);
        let mut known = self.known();
        if stamp.is_settled() {
            if known.texts.len() >= KEPT_MAX {
                known.texts.clear();
            }
            known.texts.insert(name.clone(), (stamp, library.clone()));
        }
        Ok(Some(library))
    }

    fn sum(&self, dir: &Dir, name: &LibraryName) -> io::Result<Option<String>> {
        let Some((mut file, stamp)) = open_file(dir, name)? else { return Ok(None) };
        if let Some((known, sum)) = self.known().sums.get(name)
            && *known == stamp
        {
            return Ok(Some(sum.clone()));
        }
        let mut hash = Sha256::new();
        let mut chunk = [0; 16 << 10];
        loop {
            match file.read(&mut chunk)? {
                0 => break,
                read => hash.update(&chunk[..read]),
            }
        }
        let sum = hex(&hash.finalize());
        if stamp.is_settled() {
            self.known().sums.insert(name.clone(), (stamp, sum.clone()));
        }
        Ok(Some(sum))
    }

    /// The newest installed version of the package of that name.
    fn newest(&self, dir: &Dir, package: &LibraryName) -> io::Result<Option<LibraryName>> {
        let stamp = Stamp::of(&dir.dir_metadata()?);
        if let Some((known, packages)) = &self.known().packages
            && *known == stamp
        {
            return Ok(packages.get(package.as_str()).cloned());
        }
        let packages = newest_of(files_of(dir)?.into_keys());
        let newest = packages.get(package.as_str()).cloned();
        self.known().packages = stamp.is_settled().then_some((stamp, packages));
        Ok(newest)
    }
}

/// Of each package the newest version; any release is newer than every pre-release.
fn newest_of(names: impl Iterator<Item = LibraryName>) -> HashMap<String, LibraryName> {
    let mut newest: HashMap<String, ((bool, Version), LibraryName)> = HashMap::new();
    for name in names {
        let (package, Some(version)) = LibraryName::split(name.as_str()) else { continue };
        let Ok(version) = Version::parse(version) else { continue };
        let rank = (version.pre.is_empty(), version);
        match newest.get(package) {
            Some((known, _)) if *known >= rank => {}
            _ => drop(newest.insert(package.to_owned(), (rank, name))),
        }
    }
    newest.into_iter().map(|(package, (_, name))| (package, name)).collect()
}

fn file_name(name: &LibraryName) -> String {
    format!("{name}{EXTENSION}")
}

/// Regular files with a library's name, and their sizes.
fn files_of(dir: &Dir) -> io::Result<BTreeMap<LibraryName, u64>> {
    let mut files = BTreeMap::new();
    for entry in dir.entries()? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(stem) = name.to_str().and_then(|name| name.strip_suffix(EXTENSION)) else { continue };
        let Ok(name) = LibraryName::parse(stem) else { continue };
        // Beneath the directory: a link that leads out of it is none of ours.
        if let Ok(metadata) = dir.metadata(file_name(&name))
            && name.as_str() == stem
            && metadata.is_file()
        {
            files.insert(name, metadata.len());
        }
    }
    Ok(files)
}

fn open_file(dir: &Dir, name: &LibraryName) -> io::Result<Option<(File, Stamp)>> {
    let opened = dir.open_with(file_name(name), OpenOptions::new().read(true).custom_flags(O_NONBLOCK));
    let Some(file) = absent(opened).map_err(|error| told(name, &error))? else { return Ok(None) };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("library {name} is no regular file")));
    }
    Ok(Some((file, Stamp::of(&metadata))))
}

fn text(file: File, stamp: Stamp, name: &LibraryName) -> io::Result<String> {
    if stamp.bytes > LIBRARY_BYTES_MAX as u64 {
        return Err(too_large(name));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(stamp.bytes).unwrap_or(0));
    file.take(LIBRARY_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(|error| told(name, &error))?;
    if bytes.len() > LIBRARY_BYTES_MAX {
        // It has grown meanwhile.
        return Err(too_large(name));
    }
    let text = String::from_utf8(bytes);
    text.map_err(|_| io::Error::new(io::ErrorKind::InvalidData, format!("library {name} is not UTF-8")))
}

fn told(name: &LibraryName, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("library {name}: {error}"))
}

fn too_large(name: &LibraryName) -> io::Error {
    let what = format!("library {name} is larger than {LIBRARY_BYTES_MAX} bytes");
    io::Error::new(io::ErrorKind::FileTooLarge, what)
}

fn absent<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn name(text: &str) -> LibraryName {
        LibraryName::parse(text).unwrap()
    }

    fn made() -> (tempfile::TempDir, Libraries) {
        let dir = tempfile::tempdir().unwrap();
        let libraries = Libraries::new(dir.path().join("a/libraries"));
        (dir, libraries)
    }

    fn resolved(libraries: &Libraries, wanted: &str) -> Option<String> {
        libraries.resolve(&name(wanted)).unwrap().map(|library| library.name().to_owned())
    }

    #[test]
    fn a_package_means_its_newest_release() {
        let (_dir, libraries) = made();
        assert_eq!(resolved(&libraries, "lodash"), None);
        for version in ["4.9.0", "4.17.21", "5.0.0-beta.1"] {
            libraries.put(&name(&format!("lodash-{version}")), "1").unwrap();
        }
        libraries.put(&name("lodash-es-9.0.0"), "1").unwrap();
        libraries.put(&name("next-1.0.0-rc.1"), "1").unwrap();
        libraries.put(&name("next-1.0.0-rc.10"), "1").unwrap();
        assert_eq!(resolved(&libraries, "lodash").as_deref(), Some("lodash-4.17.21"));
        assert_eq!(resolved(&libraries, "lodash-4.9.0").as_deref(), Some("lodash-4.9.0"));
        assert_eq!(resolved(&libraries, "next").as_deref(), Some("next-1.0.0-rc.10"));
        assert_eq!(resolved(&libraries, "lodas"), None);
        assert_eq!(resolved(&libraries, "Lodash"), None);
        libraries.put(&name("lodash"), "mine").unwrap();
        assert_eq!(resolved(&libraries, "lodash").as_deref(), Some("lodash"));
        assert!(libraries.remove(&name("lodash")).unwrap() && !libraries.remove(&name("lodash")).unwrap());
        assert!(libraries.remove(&name("lodash-4.17.21")).unwrap());
        assert_eq!(resolved(&libraries, "lodash").as_deref(), Some("lodash-4.9.0"));
    }

    #[test]
    fn what_changed_is_seen_at_once_and_what_did_not_is_not_read_again() {
        let (_dir, libraries) = made();
        let text = |wanted: &str| libraries.resolve(&name(wanted)).unwrap().unwrap().source().to_owned();
        for round in 0..50 {
            libraries.put(&name("x"), &format!("{round:02}")).unwrap();
            assert_eq!(text("x"), format!("{round:02}"));
            std::fs::write(libraries.path().join("x.js"), format!("{:02}", round + 1)).unwrap();
            assert_eq!(text("x"), format!("{:02}", round + 1));
        }
        libraries.put(&name("y-1.0.0"), "y").unwrap();
        std::thread::sleep(SETTLED + Duration::from_millis(1_100));
        let once = libraries.resolve(&name("y")).unwrap().unwrap();
        let again = libraries.resolve(&name("y")).unwrap().unwrap();
        assert!(std::ptr::eq(once.source(), again.source()), "the same text, not another copy");
        std::fs::remove_dir_all(libraries.path()).unwrap();
        assert_eq!(resolved(&libraries, "y"), None);
        assert_eq!(libraries.list().unwrap(), []);
    }

    #[test]
    fn names_and_links_stay_inside() {
        let (dir, libraries) = made();
        libraries.put(&name("in"), "inside").unwrap();
        std::fs::write(dir.path().join("secret.js"), "secret").unwrap();
        let at = |file: &str| libraries.path().join(file);
        symlink("in.js", at("link.js")).unwrap();
        symlink("../../secret.js", at("out.js")).unwrap();
        symlink(dir.path().join("secret.js"), at("absolute.js")).unwrap();
        std::fs::create_dir(at("folder.js")).unwrap();
        std::fs::write(at("bytes.js"), [0xff]).unwrap();
        assert_eq!(libraries.read(&name("link")).unwrap().as_deref(), Some("inside"));
        for wrong in ["out", "absolute", "folder", "bytes"] {
            let error = libraries.resolve(&name(wrong)).unwrap_err().to_string();
            assert!(error.contains(wrong) && !error.contains("secret"), "{error}");
            assert!(libraries.read(&name(wrong)).is_err(), "{wrong}");
        }
        let listed: Vec<String> = libraries.list().unwrap().into_iter().map(|file| file.name.into()).collect();
        assert_eq!(listed, ["bytes", "in", "link"]);
        // Replacing a link replaces the link.
        libraries.put(&name("out"), "new").unwrap();
        assert_eq!(std::fs::read_to_string(dir.path().join("secret.js")).unwrap(), "secret");
    }

    #[test]
    fn what_does_not_fit_is_not_put() {
        let (_dir, libraries) = made();
        let room = Room { files: 2, bytes: 10 };
        let put = |wanted: &str, text: &str| libraries.put_within(room, &name(wanted), text).unwrap().is_some();
        assert!(!put("a", "12345678901") && libraries.list().unwrap().is_empty());
        assert!(put("a", "1234567890") && !put("b", "1"));
        assert!(put("a", "12345") && put("b", "12345"));
        assert!(!put("c", ""), "a third file");
        assert!(put("b", "54321") && put("b", "1234") && put("b", "12345") && !put("b", "123456"));
        assert_eq!(libraries.read(&name("b")).unwrap().as_deref(), Some("12345"));
        // Put there by hand: it counts, and it can shrink.
        libraries.put(&name("c"), "12345").unwrap();
        assert!(put("c", "1234") && !put("c", "12345"));
        assert!(libraries.remove(&name("c")).unwrap() && libraries.remove(&name("a")).unwrap() && put("d", "12345"));
    }

    #[test]
    fn the_size_limit_holds_on_both_sides() {
        let (_dir, libraries) = made();
        let most = " ".repeat(LIBRARY_BYTES_MAX);
        let put = libraries.put(&name("x"), &most).unwrap();
        assert_eq!(put.bytes, LIBRARY_BYTES_MAX as u64);
        assert_eq!(libraries.list().unwrap(), [put]);
        assert_eq!(libraries.info().unwrap().bytes, LIBRARY_BYTES_MAX as u64);
        let more = format!("{most} ");
        assert!(libraries.put(&name("x"), &more).is_err());
        std::fs::write(libraries.path().join("x.js"), more).unwrap();
        assert!(libraries.resolve(&name("x")).unwrap_err().to_string().contains("larger than"));
        let left = std::fs::read_dir(libraries.path()).unwrap().count();
        assert_eq!(left, 1, "nothing temporary stays");
    }
}
