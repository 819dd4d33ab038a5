//! The one directory that a session may see, as an open handle and never as a joined string.
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, OpenOptions, OpenOptionsExt};
use model::RelPath;

/// Longest path that is looked at, in bytes: Linux's own limit.
const PATH_BYTES_MAX: usize = 4_096;

/// A directory that paths of a guest are resolved beneath. Symbolic links, `..` and races can't leave it: every look-up
/// goes through the handle (cap-std; `openat2` with `RESOLVE_BENEATH` on Linux). Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Root(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    dir: Dir,
    /// Where the root lies, to accept absolute paths that name something inside it. Never opened again.
    path: PathBuf,
    /// Files and directories beneath the root that are not there for sessions, canonical.
    hidden: Vec<PathBuf>,
}

/// Why a path was refused. The text is what JavaScript sees, after Node's fashion.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{code}: {what}, {call} '{path}'")]
pub(crate) struct PathError {
    code: &'static str,
    what: String,
    call: &'static str,
    path: String,
}

impl PathError {
    /// As in Node.
    pub(crate) fn code(&self) -> &'static str {
        self.code
    }

    /// Nothing is there.
    pub(crate) fn is_absent(&self) -> bool {
        self.code == "ENOENT"
    }

    /// What the script gets to see: the code, that text, the call and the path.
    pub(crate) fn new(code: &'static str, what: impl Into<String>, call: &'static str, path: &str) -> Self {
        let mut shown: String = path.chars().take(200).collect::<String>().replace('\0', "\\0");
        if shown.len() < path.len() {
            shown.push_str("...");
        }
        PathError { code, what: what.into(), call, path: shown }
    }

    /// The same of two paths, as Node shows them.
    pub(crate) fn of_two(self, to: &str) -> Self {
        let to = Self::new(self.code, "", self.call, to);
        PathError { path: format!("{}' -> '{}", self.path, to.path), ..self }
    }

    /// The same with the path that the script named.
    pub(crate) fn instead_of(self, path: &str) -> Self {
        PathError { path: Self::new(self.code, "", self.call, path).path, ..self }
    }

    /// What the system said.
    pub(crate) fn io(error: &io::Error, call: &'static str, path: &str) -> Self {
        use rustix::io::Errno;
        let known = Errno::from_io_error(error).and_then(|errno| TEXTS.iter().find(|(known, ..)| *known == errno));
        let (code, text) = match (known, error.kind()) {
            (Some((_, code, text)), _) => (*code, *text),
            (None, io::ErrorKind::NotFound) => ("ENOENT", "no such file or directory"),
            // cap-std says so for every way out of the root.
            (None, io::ErrorKind::PermissionDenied) => ("EACCES", OUTSIDE),
            (None, io::ErrorKind::NotADirectory) => ("ENOTDIR", "not a directory"),
            (None, io::ErrorKind::IsADirectory) => ("EISDIR", "illegal operation on a directory"),
            _ => ("EIO", "input/output error"),
        };
        Self::new(code, text, call, path)
    }
}

const OUTSIDE: &str = "permission denied or outside of the root directory";

/// Node's texts, but for the one that has to say more here.
const TEXTS: &[(rustix::io::Errno, &str, &str)] = {
    use rustix::io::Errno;
    &[
        (Errno::NOENT, "ENOENT", "no such file or directory"),
        (Errno::ACCESS, "EACCES", OUTSIDE),
        (Errno::XDEV, "EACCES", OUTSIDE),
        (Errno::PERM, "EPERM", "operation not permitted"),
        (Errno::EXIST, "EEXIST", "file already exists"),
        (Errno::NOTDIR, "ENOTDIR", "not a directory"),
        (Errno::ISDIR, "EISDIR", "illegal operation on a directory"),
        (Errno::NOTEMPTY, "ENOTEMPTY", "directory not empty"),
        (Errno::INVAL, "EINVAL", "invalid argument"),
        (Errno::LOOP, "ELOOP", "too many symbolic links encountered"),
        (Errno::NAMETOOLONG, "ENAMETOOLONG", "name too long"),
        (Errno::NOSPC, "ENOSPC", "no space left on device"),
        (Errno::DQUOT, "EDQUOT", "disk quota exceeded"),
        (Errno::FBIG, "EFBIG", "file too large"),
        (Errno::MFILE, "EMFILE", "too many open files"),
        (Errno::NFILE, "ENFILE", "file table overflow"),
        (Errno::ROFS, "EROFS", "read-only file system"),
        (Errno::BUSY, "EBUSY", "resource busy or locked"),
        (Errno::TXTBSY, "ETXTBSY", "text file is busy"),
        (Errno::MLINK, "EMLINK", "too many links"),
        // A pipe that nobody reads, a device that is not there.
        (Errno::NXIO, "EINVAL", "not a regular file"),
        (Errno::NODEV, "EINVAL", "not a regular file"),
    ]
};

/// Why a script's file can't be read. Names no path: whoever asks knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// Nothing is there, or no regular file.
    #[error("file not found")]
    Absent,
    /// A symbolic link leads out of the root.
    #[error("path escapes the worktree")]
    Outside,
    /// Larger than the caller takes.
    #[error("file is too large")]
    TooLarge,
    /// Not UTF-8.
    #[error("file is not UTF-8")]
    NotText,
}

impl Root {
    /// Where it lies, canonical. For comparing; never opened again.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Whether a canonical path names something inside, or the root itself.
    pub fn holds(&self, path: &Path) -> bool {
        path.starts_with(&self.0.path)
    }

    /// A directory beneath, as a root of its own.
    pub fn directory(&self, relative: &Path) -> io::Result<Root> {
        let relative = if relative.as_os_str().is_empty() { Path::new(".") } else { relative };
        // Both through the handle: what is opened, and what it is called.
        let dir = self.0.dir.open_dir(relative)?;
        let path = self.0.path.join(self.0.dir.canonicalize(relative)?);
        if self.hides(&path) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Root(Arc::new(Inner { dir, path, hidden: Vec::new() })).hiding(&self.0.hidden)
    }

    /// The text of a script, at most `max` bytes.
    pub fn source(&self, path: &RelPath, max: usize) -> Result<String, SourceError> {
        let bytes = self.read(path.as_str(), max).map_err(|error| match error.code {
            "EACCES" => SourceError::Outside,
            "EFBIG" => SourceError::TooLarge,
            _ => SourceError::Absent,
        })?;
        String::from_utf8(bytes).map_err(|_| SourceError::NotText)
    }

    /// Opens `path`, which must be a directory.
    pub fn open(path: &Path) -> io::Result<Root> {
        let dir = Dir::open_ambient_dir(path, ambient_authority())?;
        #[expect(clippy::disallowed_methods, reason = "never opened again: only compared with absolute paths")]
        let path = path.canonicalize()?;
        Ok(Root(Arc::new(Inner { dir, path, hidden: Vec::new() })))
    }

    /// The same directory without some of what lies in it: canonical paths of files and directories, there or not.
    pub fn hiding(self, paths: &[PathBuf]) -> io::Result<Root> {
        let Inner { dir, path, .. } = &*self.0;
        let hidden = paths.iter().filter(|hidden| hidden.starts_with(path)).cloned().collect();
        Ok(Root(Arc::new(Inner { dir: dir.try_clone()?, path: path.clone(), hidden })))
    }

    /// The handle that everything is resolved beneath.
    pub(crate) fn dir(&self) -> &Dir {
        &self.0.dir
    }

    /// What is not there for sessions, canonical.
    pub(crate) fn hidden(&self) -> &[PathBuf] {
        &self.0.hidden
    }

    fn hides(&self, real: &Path) -> bool {
        self.0.hidden.iter().any(|hidden| real.starts_with(hidden))
    }

    /// Whether what stands at `relative`, or would, is hidden: by its directory's real name where it is not there yet.
    fn leads_to_hidden(&self, relative: &Path) -> bool {
        if self.0.hidden.is_empty() {
            return false;
        }
        let real = self.0.dir.canonicalize(relative).ok().or_else(|| {
            let parent = relative.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
            Some(self.0.dir.canonicalize(parent).ok()?.join(relative.file_name()?))
        });
        real.is_some_and(|real| self.hides(&self.0.path.join(real)))
    }

    /// The same of an open file, whose name can't be changed beneath us any more.
    fn is_hidden(&self, file: &File) -> bool {
        if self.0.hidden.is_empty() {
            return false;
        }
        let name = format!("/proc/self/fd/{}", file.as_raw_fd());
        std::fs::read_link(name).is_ok_and(|real| self.hides(&real))
    }

    /// The whole of a regular file, at most `max` bytes of it.
    pub(crate) fn read(&self, path: &str, max: usize) -> Result<Vec<u8>, PathError> {
        let call = "open";
        let file = self.open_file(path, call, OpenOptions::new().read(true))?;
        let too_large = || PathError::new("EFBIG", format!("file is larger than {max} bytes"), "read", path);
        let metadata = file.metadata().map_err(|e| PathError::io(&e, call, path))?;
        if metadata.len() > u64::try_from(max).unwrap_or(u64::MAX) {
            return Err(too_large());
        }
        let mut bytes = Vec::new();
        let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
        file.take(limit).read_to_end(&mut bytes).map_err(|e| PathError::io(&e, "read", path))?;
        if bytes.len() > max {
            // it has grown meanwhile, or is of a kind that does not tell its size
            return Err(too_large());
        }
        Ok(bytes)
    }

    /// The open directory that `path` lies in, and its name there, for a library that opens files by name and follows no
    /// links: nothing stands there yet, or a regular file. It isn't opened here, since closing a file gives up every
    /// lock that this process has on it.
    pub(crate) fn place(&self, path: &str) -> Result<(Dir, String), PathError> {
        let call = "open";
        let refused = |kind: io::ErrorKind| PathError::io(&kind.into(), call, path);
        let relative = self.relative(path, call)?;
        let (Some(name), false) = (relative.file_name().and_then(|name| name.to_str()), path.ends_with('/')) else {
            return Err(refused(io::ErrorKind::IsADirectory));
        };
        let parent = self.directory(relative.parent().unwrap_or(Path::new("")));
        let parent = parent.map_err(|error| PathError::io(&error, call, path))?;
        if parent.leads_to_hidden(Path::new(name)) {
            return Err(refused(io::ErrorKind::PermissionDenied));
        }
        match parent.0.dir.symlink_metadata(name) {
            Ok(found) if found.is_file() => {}
            Ok(found) if found.is_dir() => return Err(refused(io::ErrorKind::IsADirectory)),
            Ok(found) if found.is_symlink() => {
                return Err(PathError::new("EACCES", "a symbolic link", call, path));
            }
            Ok(_) => return Err(PathError::new("EINVAL", "not a regular file", call, path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(PathError::io(&error, call, path)),
        }
        let dir = parent.0.dir.try_clone().map_err(|error| PathError::io(&error, call, path))?;
        Ok((dir, name.to_owned()))
    }

    /// Opens a regular file. `O_NONBLOCK`, so that a pipe left in the root can't hang the thread.
    fn open_file(&self, path: &str, call: &'static str, options: &mut OpenOptions) -> Result<File, PathError> {
        let relative = self.relative(path, call)?;
        let hidden = || PathError::io(&io::ErrorKind::PermissionDenied.into(), call, path);
        if self.leads_to_hidden(relative) {
            return Err(hidden());
        }
        let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
        let opened = self.0.dir.open_with(relative, options.custom_flags(flags));
        let file = opened.map_err(|e| PathError::io(&e, call, path))?;
        if self.is_hidden(&file) {
            return Err(hidden());
        }
        let metadata = file.metadata().map_err(|e| PathError::io(&e, call, path))?;
        if metadata.is_dir() {
            return Err(PathError::new("EISDIR", "illegal operation on a directory", call, path));
        }
        if !metadata.is_file() {
            return Err(PathError::new("EINVAL", "not a regular file", call, path));
        }
        Ok(file)
    }

    /// What the handle is asked for: bounded, without NUL, and relative. An absolute path is taken when it names
    /// something beneath the root's own path; whether it really is beneath is the handle's decision.
    pub(crate) fn relative<'p>(&self, path: &'p str, call: &'static str) -> Result<&'p Path, PathError> {
        if path.len() > PATH_BYTES_MAX {
            let what = format!("path is longer than {PATH_BYTES_MAX} bytes");
            return Err(PathError::new("ENAMETOOLONG", what, call, path));
        }
        if path.contains('\0') {
            return Err(PathError::new("EINVAL", "path has a NUL byte", call, path));
        }
        if path.is_empty() {
            return Err(PathError::new("ENOENT", "no such file or directory", call, path));
        }
        let given = Path::new(path);
        let relative = if given.is_absolute() {
            let outside = || PathError::new("EACCES", OUTSIDE, call, path);
            given.strip_prefix(&self.0.path).map_err(|_| outside())?
        } else {
            given
        };
        let rests = relative.components().all(|part| part == Component::CurDir);
        Ok(if rests { Path::new(".") } else { relative })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use super::*;

    fn tree() -> (tempfile::TempDir, Root) {
        let dir = tempfile::tempdir().unwrap();
        let inside = dir.path().join("root");
        std::fs::create_dir_all(inside.join("sub")).unwrap();
        std::fs::write(dir.path().join("secret"), "secret").unwrap();
        std::fs::write(inside.join("a"), "hello").unwrap();
        symlink("a", inside.join("in")).unwrap();
        symlink("../secret", inside.join("out")).unwrap();
        symlink(dir.path().join("secret"), inside.join("out-absolute")).unwrap();
        symlink("..", inside.join("up")).unwrap();
        symlink("loop", inside.join("loop")).unwrap();
        let root = Root::open(&inside).unwrap();
        (dir, root)
    }

    #[test]
    fn paths_stay_beneath_the_root() {
        let (dir, root) = tree();
        assert_eq!(root.read("a", 10).unwrap(), b"hello");
        assert_eq!(root.read("./sub/../in", 10).unwrap(), b"hello");
        let absolute = dir.path().join("root/a");
        assert_eq!(root.read(absolute.to_str().unwrap(), 10).unwrap(), b"hello");

        let secret = dir.path().join("secret");
        let beside = format!("{}/../secret", dir.path().join("root").display());
        for path in ["../secret", "out", "out-absolute", "up/secret", "/etc/passwd", "sub/../../secret"]
            .into_iter()
            .chain([secret.to_str().unwrap(), &beside])
        {
            let error = root.read(path, 10).unwrap_err().to_string();
            assert!(error.starts_with("EACCES"), "{path}: {error}");
        }
        assert_eq!(std::fs::read(secret).unwrap(), b"secret");
    }

    #[test]
    fn what_is_hidden_is_not_there() {
        let (_dir, root) = tree();
        let inside = root.path().to_owned();
        std::fs::create_dir(inside.join("own")).unwrap();
        for name in ["own/key", "db"] {
            std::fs::write(inside.join(name), "secret").unwrap();
        }
        symlink("own", inside.join("link")).unwrap();
        symlink("db", inside.join("db-link")).unwrap();
        let root = root.hiding(&[inside.join("own"), inside.join("db"), inside.join("db-wal")]).unwrap();
        let absolute = inside.join("own/key");
        for path in ["own/key", "./sub/../own/key", "link/key", "db", "db-link", absolute.to_str().unwrap()] {
            assert!(root.read(path, 10).unwrap_err().to_string().starts_with("EACCES"), "{path}");
        }
        assert_eq!(std::fs::read(inside.join("own/key")).unwrap(), b"secret");
        assert_eq!(std::fs::read(inside.join("db")).unwrap(), b"secret");
        assert_eq!(root.read("a", 10).unwrap(), b"hello");
        let beneath = root.directory(Path::new("sub")).unwrap();
        assert!(beneath.read("../own/key", 10).is_err());
        let own = root.directory(Path::new("own"));
        assert!(own.is_err(), "{own:?}");
    }

    #[test]
    fn odd_paths_are_errors() {
        let (_dir, root) = tree();
        let long = "x".repeat(10 << 20);
        let name = "n".repeat(300);
        let cases = [("", "ENOENT"), ("absent", "ENOENT"), ("a\0b", "EINVAL"), (".", "EISDIR"), ("sub", "EISDIR")];
        for (path, code) in cases.into_iter().chain([(&*long, "ENAMETOOLONG"), (&*name, "ENAMETOOLONG")]) {
            let error = root.read(path, 10).unwrap_err().to_string();
            assert!(error.starts_with(code), "{error}");
            assert!(error.len() < 400, "an error does not repeat a long path");
        }
        assert!(root.read("loop", 10).is_err());
        assert!(root.read("a/b", 10).is_err());
    }

    #[test]
    fn size_limits_hold_on_both_sides() {
        let (_dir, root) = tree();
        assert!(root.read("a", 5).is_ok());
        assert!(root.read("a", 4).unwrap_err().to_string().starts_with("EFBIG"));
    }

    #[test]
    fn a_pipe_does_not_hang() {
        let (dir, root) = tree();
        let made = Command::new("mkfifo").arg(dir.path().join("root/pipe")).status().unwrap();
        assert!(made.success());
        assert!(root.read("pipe", 10).unwrap_err().to_string().starts_with("EINVAL"));
    }
}
