//! Where a script's paths lead. Each becomes an open handle, and what the handle really is decides: the name that the
//! script gave may mean something else by the time it is used.
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Component, Path, PathBuf};

use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use rustix::fs::{FileType, Mode, OFlags, fstat};

use super::grant::{Access, Area};
use super::quota::Quota;
use crate::root::{PathError, Root};

/// What an operation answers.
pub(super) type Done<T> = Result<T, PathError>;

/// How often it is tried to make a file that, says the system, is there and isn't.
const CREATE_TRIES: usize = 8;

/// What is done with what a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Read,
    Write,
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Opening {
    pub(super) read: bool,
    pub(super) write: bool,
    pub(super) append: bool,
    pub(super) create: bool,
    pub(super) exclusive: bool,
    pub(super) truncate: bool,
}

impl Opening {
    pub(super) const READ: Opening =
        Opening { read: true, write: false, append: false, create: false, exclusive: false, truncate: false };

    fn need(self) -> Need {
        if self.write || self.append { Need::Write } else { Need::Read }
    }
}

/// The root of a session and what of it is granted.
#[derive(Debug)]
pub(super) struct Beneath {
    root: Root,
    /// The most that any area allows.
    access: Access,
    /// None: all of the root. Else only these, and the longest that holds a path decides.
    areas: Option<Vec<Area>>,
    /// Absolute paths that must stay what they are: what is hidden, and where areas begin. Whoever moved a directory
    /// above one would take it out of its rules.
    fixed: Vec<PathBuf>,
}

/// A name in an open directory, which is granted for what was asked.
pub(super) struct Entry {
    pub(super) dir: Dir,
    pub(super) name: OsString,
    /// The path ends in a slash: it means a directory.
    pub(super) slash: bool,
    /// Where it really is. Only known where something depends on it.
    real: Option<PathBuf>,
}

impl Beneath {
    pub(super) fn new(root: Root, access: Access, areas: Option<Vec<Area>>) -> Beneath {
        let begins = areas.iter().flatten().map(|area| root.path().join(&area.path));
        let fixed = root.hidden().iter().cloned().chain(begins).collect();
        Beneath { root, access, areas, fixed }
    }

    /// Nothing depends on where in the root something is.
    fn is_uniform(&self) -> bool {
        self.fixed.is_empty()
    }

    /// Where an open handle really is; nothing of the script's can change that beneath us but by renaming, and what is
    /// fixed is not renamed.
    fn real(&self, handle: impl AsFd) -> io::Result<PathBuf> {
        let real = std::fs::read_link(format!("/proc/self/fd/{}", handle.as_fd().as_raw_fd()))?;
        if real.starts_with(self.root.path()) { Ok(real) } else { Err(io::ErrorKind::PermissionDenied.into()) }
    }

    /// Whether what is really there may be used so.
    fn admit(&self, real: &Path, need: Need, call: &'static str, path: &str) -> Done<()> {
        let refused = || PathError::io(&io::ErrorKind::PermissionDenied.into(), call, path);
        if self.root.hidden().iter().any(|hidden| real.starts_with(hidden)) {
            return Err(refused());
        }
        let Some(areas) = &self.areas else { return Ok(()) };
        let relative = real.strip_prefix(self.root.path()).map_err(|_| refused())?;
        self.admit_area(areas, relative, need, call, path)
    }

    fn admit_area(&self, areas: &[Area], relative: &Path, need: Need, call: &'static str, path: &str) -> Done<()> {
        let area = areas.iter().filter(|area| relative.starts_with(&area.path));
        match area.max_by_key(|area| area.path.components().count()) {
            None => {
                let what = "permission denied: `roots` of module 'fs' in the template does not grant it";
                Err(PathError::new("EACCES", what, call, path))
            }
            Some(area) if need == Need::Write && area.access == Access::ReadOnly => Err(read_only("roots", call, path)),
            Some(_) => Ok(()),
        }
    }

    /// Whether an open handle may be used so.
    pub(super) fn admit_handle(&self, handle: impl AsFd, need: Need, call: &'static str, path: &str) -> Done<()> {
        if self.is_uniform() {
            return Ok(());
        }
        let real = self.real(handle).map_err(|error| PathError::io(&error, call, path))?;
        // What was removed a moment ago still has its rules; or that is its very name, then it has both.
        if let Some(removed) = real.to_str().and_then(|real| real.strip_suffix(" (deleted)")) {
            self.admit(Path::new(removed), need, call, path)?;
        }
        self.admit(&real, need, call, path)
    }

    /// Why something was not opened: that it is not granted, where the way to it leads there.
    fn failed(&self, error: &io::Error, relative: &Path, call: &'static str, path: &str) -> PathError {
        if !self.is_uniform() {
            let flags = i32::try_from(OFlags::PATH.bits()).unwrap_or(0);
            let mut options = OpenOptions::new();
            options.read(true).custom_flags(flags);
            let mut beyond = None;
            for above in relative.ancestors() {
                let named = if above == Path::new("") { Path::new(".") } else { above };
                if let Ok(there) = self.root.dir().open_with(named, &options) {
                    let real = self.real(&there).map(|real| beyond.map_or(real.clone(), |name| real.join(name)));
                    let refused = real.map_err(|error| PathError::io(&error, call, path));
                    if let Err(refused) = refused.and_then(|real| self.admit(&real, Need::Read, call, path)) {
                        return refused;
                    }
                    break;
                }
                beyond = Some(above.components().next_back().map_or(Path::new(""), |part| Path::new(part.as_os_str())));
            }
        }
        PathError::io(error, call, path)
    }

    /// The path from the root, as its text says; refused where that alone decides. So nobody learns from an error what
    /// lies where nothing is granted.
    fn relative<'p>(&self, path: &'p str, need: Need, call: &'static str) -> Done<&'p Path> {
        if need == Need::Write && self.access == Access::ReadOnly {
            return Err(read_only("access", call, path));
        }
        let relative = self.root.relative(path, call)?;
        if let Some(areas) = &self.areas {
            let mut said = PathBuf::new();
            for part in relative.components() {
                match part {
                    Component::Normal(name) => said.push(name),
                    Component::ParentDir if !said.pop() => {
                        return Err(PathError::io(&io::ErrorKind::PermissionDenied.into(), call, path));
                    }
                    _ => {}
                }
            }
            self.admit_area(areas, &said, Need::Read, call, path)?;
        }
        Ok(relative)
    }

    /// A handle that can only be looked at, of anything, through symbolic links. Opens no pipe and no device.
    pub(super) fn look(&self, path: &str, need: Need, call: &'static str) -> Done<File> {
        let relative = self.relative(path, need, call)?;
        let flags = i32::try_from(OFlags::PATH.bits()).unwrap_or(0);
        let opened = self.root.dir().open_with(relative, OpenOptions::new().read(true).custom_flags(flags));
        let file = opened.map_err(|error| self.failed(&error, relative, call, path))?.into_std();
        self.admit_handle(&file, need, call, path)?;
        Ok(file)
    }

    /// Whether a name in an open directory is not there for this session.
    pub(super) fn hides_in(&self, dir: impl AsFd, name: &std::ffi::OsStr) -> bool {
        let hidden = self.root.hidden();
        let real = || self.real(dir).map(|real| real.join(name));
        !hidden.is_empty() && real().map_or(true, |real| hidden.iter().any(|hidden| real.starts_with(hidden)))
    }

    /// The path from the root that a handle really has.
    pub(super) fn real_name(&self, handle: &File, call: &'static str, path: &str) -> Done<String> {
        let real = self.real(handle).map_err(|error| PathError::io(&error, call, path))?;
        let relative = real.strip_prefix(self.root.path()).unwrap_or(Path::new(""));
        let relative = if relative == Path::new("") { Path::new(".") } else { relative };
        Ok(relative.to_string_lossy().into_owned())
    }

    /// A directory, to be read, through symbolic links.
    pub(super) fn directory(&self, path: &str, call: &'static str) -> Done<File> {
        let relative = self.relative(path, Need::Read, call)?;
        // What is no directory, where nothing is granted, is nobody's business.
        self.look(path, Need::Read, call)?;
        self.directory_in(self.root.dir(), relative, call, path)
    }

    /// The same of a path from a directory that is open already; `path` is for the error.
    pub(super) fn directory_in(&self, dir: &Dir, relative: &Path, call: &'static str, path: &str) -> Done<File> {
        let flags = i32::try_from((OFlags::DIRECTORY | OFlags::NONBLOCK).bits()).unwrap_or(0);
        let opened = dir.open_with(relative, OpenOptions::new().read(true).custom_flags(flags));
        let file = opened.map_err(|error| PathError::io(&error, call, path))?.into_std();
        self.admit_handle(&file, Need::Read, call, path)?;
        Ok(file)
    }

    /// Something that is there, opened; a directory only where `directories` says so. Never a pipe or a device:
    /// `O_NONBLOCK` opens those without waiting, and they are closed again.
    pub(super) fn open_there(&self, path: &str, how: Opening, directories: bool, call: &'static str) -> Done<File> {
        let relative = self.relative(path, how.need(), call)?;
        let mut options = OpenOptions::new();
        options.read(how.read).write(how.write || how.append).append(how.append);
        let flags = i32::try_from((OFlags::NONBLOCK | OFlags::NOCTTY).bits()).unwrap_or(0);
        let opened = self.root.dir().open_with(relative, options.custom_flags(flags));
        let file = opened.map_err(|error| self.failed(&error, relative, call, path))?.into_std();
        self.admit_handle(&file, how.need(), call, path)?;
        let metadata = file.metadata().map_err(|error| PathError::io(&error, call, path))?;
        if metadata.is_dir() && !directories {
            return Err(PathError::new("EISDIR", "illegal operation on a directory", call, path));
        }
        if !metadata.is_file() && !metadata.is_dir() {
            return Err(PathError::new("EINVAL", "not a regular file", call, path));
        }
        Ok(file)
    }

    /// A regular file, opened or made. What it held is gone if `how` says so, but not before all is checked.
    pub(super) fn open(&self, path: &str, how: Opening, quota: &Quota, call: &'static str) -> Done<File> {
        for _ in 0..CREATE_TRIES {
            if !how.exclusive {
                match self.open_there(path, how, false, call) {
                    Err(error) if how.create && error.is_absent() => {}
                    Err(error) => return Err(error),
                    Ok(file) => {
                        if how.truncate {
                            file.set_len(0).map_err(|error| PathError::io(&error, call, path))?;
                        }
                        return Ok(file);
                    }
                }
            }
            // Made in a directory that is open and was looked at, so that it can't be made elsewhere.
            let entry = self.entry(path, Need::Write, call)?;
            if entry.slash {
                return Err(PathError::new("EISDIR", "illegal operation on a directory", call, path));
            }
            let mut flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            flags |= if how.read { OFlags::RDWR } else { OFlags::WRONLY };
            flags.set(OFlags::APPEND, how.append);
            let make = || rustix::fs::openat(&entry.dir, &*entry.name, flags, Mode::from_raw_mode(0o666));
            match quota.making(call, path, make)?.settle() {
                Ok(file) => return Ok(file.into()),
                Err(rustix::io::Errno::EXIST) if !how.exclusive => {}
                Err(error) => return Err(PathError::io(&error.into(), call, path)),
            }
        }
        // A symbolic link to nothing.
        Err(PathError::io(&io::ErrorKind::NotFound.into(), call, path))
    }

    /// The name that a path ends in, in its directory, for what is done to the name and not to what it leads to.
    pub(super) fn entry(&self, path: &str, need: Need, call: &'static str) -> Done<Entry> {
        let relative = self.relative(path, need, call)?;
        let io = |error: io::Error| PathError::io(&error, call, path);
        let Some(name) = relative.file_name() else {
            // `.`, `..` and the like: whoever names what is outside hears that first.
            self.look(path, Need::Read, call)?;
            return Err(PathError::new("EBUSY", "resource busy or locked", call, path));
        };
        let parent = relative.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
        let dir = self.root.dir().open_dir(parent).map_err(|error| self.failed(&error, relative, call, path))?;
        let slash = path.ends_with('/') || path.ends_with("/.");
        let real = if self.is_uniform() { None } else { Some(self.real(&dir).map_err(io)?.join(name)) };
        if let Some(real) = &real {
            self.admit(real, need, call, path)?;
        }
        Ok(Entry { dir, name: name.to_owned(), slash, real })
    }

    /// The same for one that is to be moved or removed.
    pub(super) fn movable(&self, path: &str, call: &'static str) -> Done<Entry> {
        let entry = self.replaceable(path, call)?;
        if entry.slash && entry.kind() != Some(FileType::Directory) {
            let absent = entry.kind().is_none();
            let error = if absent { io::ErrorKind::NotFound } else { io::ErrorKind::NotADirectory };
            return Err(PathError::io(&error.into(), call, path));
        }
        Ok(entry)
    }

    /// The same for one that something else may be put in the place of.
    pub(super) fn replaceable(&self, path: &str, call: &'static str) -> Done<Entry> {
        let entry = self.entry(path, Need::Write, call)?;
        if let Some(real) = &entry.real
            && self.fixed.iter().any(|fixed| fixed.starts_with(real))
        {
            let what = "permission denied: what the template or the operator has rules for lies there";
            return Err(PathError::new("EACCES", what, call, path));
        }
        Ok(entry)
    }
}

impl Entry {
    /// What it is itself; None: nothing.
    pub(super) fn kind(&self) -> Option<FileType> {
        let stat = rustix::fs::statat(&self.dir, &*self.name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).ok()?;
        Some(FileType::from_raw_mode(stat.st_mode))
    }
}

/// Whether two handles are of one file.
pub(super) fn is_same(one: &File, other: &File) -> bool {
    match (fstat(one), fstat(other)) {
        (Ok(one), Ok(other)) => (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino),
        _ => false,
    }
}

fn read_only(field: &str, call: &'static str, path: &str) -> PathError {
    let what = format!("read-only file system: `{field}` of module 'fs' in the template grants reading only");
    PathError::new("EROFS", what, call, path)
}
