//! What is done to names and directories.
use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use cap_std::fs::Dir;
use rand::RngExt;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Timespec, Timestamps, unlinkat};
use rustix::io::Errno;

use super::beneath::{Done, Need, Opening};
use super::types::{Entry, Kind, Removal, Stats};
use super::{Check, Shared, go_on};
use crate::root::PathError;

/// Names that one reading of directories answers with, and that one removal removes.
pub(super) const ENTRIES_MAX: usize = 100_000;
/// Directories within directories that a removal goes into: each is open meanwhile.
pub(super) const DEPTH_MAX: usize = 128;
/// Names between two looks at the meter.
const ENTRIES_A_CHECK: usize = 64;
/// Names that are tried for a temporary directory.
const TEMPORARY_TRIES: usize = 32;

pub(super) fn access(files: &Shared, (path, write): (String, bool), _: Check<'_>) -> Done<()> {
    let need = if write { Need::Write } else { Need::Read };
    files.beneath()?.look(&path, need, "access").map(drop)
}

pub(super) fn stat(files: &Shared, (path, follow): (String, bool), _: Check<'_>) -> Done<Stats> {
    let beneath = files.beneath()?;
    let named = Path::new(&path).file_name().is_some() && !path.ends_with('/') && !path.ends_with("/.");
    if follow || !named {
        return stats(&beneath.look(&path, Need::Read, "stat")?, "stat", &path);
    }
    let entry = beneath.entry(&path, Need::Read, "lstat")?;
    // Of the name itself, and not of what may stand there a moment later.
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(&entry.dir, &*entry.name, flags, Mode::empty());
    stats(&opened.map_err(|error| PathError::io(&error.into(), "lstat", &path))?.into(), "lstat", &path)
}

pub(super) fn stats(file: &File, call: &'static str, path: &str) -> Done<Stats> {
    let metadata = file.metadata().map_err(|error| PathError::io(&error, call, path))?;
    let ms = |seconds: i64, nanos: i64| seconds as f64 * 1e3 + nanos as f64 / 1e6;
    let born = metadata.created().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    let changed = ms(metadata.ctime(), metadata.ctime_nsec());
    Ok(Stats {
        kind: kind(FileType::from_raw_mode(metadata.mode())),
        size: metadata.len() as f64,
        mode: metadata.mode(),
        accessed: ms(metadata.atime(), metadata.atime_nsec()),
        modified: ms(metadata.mtime(), metadata.mtime_nsec()),
        changed,
        born: born.map_or(changed, |born| born.as_secs_f64() * 1e3),
    })
}

fn kind(ty: FileType) -> Kind {
    match ty {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Symlink,
        FileType::Fifo => Kind::Fifo,
        FileType::Socket => Kind::Socket,
        FileType::CharacterDevice => Kind::CharacterDevice,
        FileType::BlockDevice => Kind::BlockDevice,
        FileType::Unknown => Kind::Unknown,
    }
}

/// Names and kinds in an open directory, in no order.
fn names(dir: impl AsFd, most: usize) -> Result<Vec<(CString, FileType)>, Errno> {
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        if !matches!(name.to_bytes(), b"." | b"..") {
            names.push((name.to_owned(), entry.file_type()));
        }
        if names.len() >= most {
            break;
        }
    }
    Ok(names)
}

pub(super) fn read_directory(files: &Shared, (path, recursive): (String, bool), check: Check<'_>) -> Done<Vec<Entry>> {
    let call = "scandir";
    let beneath = files.beneath()?;
    let io = |error: Errno| PathError::io(&error.into(), call, &path);
    let too_many = || PathError::new("ENOBUFS", format!("more than {ENTRIES_MAX} entries or too long"), call, &path);
    let first = beneath.directory(&path, call)?;
    let base = Dir::from_std_file(first.try_clone().map_err(|error| PathError::io(&error, call, &path))?);
    let (mut found, mut bytes) = (Vec::new(), 0);
    let mut left = vec![(PathBuf::new(), first)];
    while let Some((prefix, dir)) = left.pop() {
        let mut beneath_it = Vec::new();
        for (at, (name, ty)) in names(&dir, ENTRIES_MAX + 1).map_err(io)?.into_iter().enumerate() {
            if at % ENTRIES_A_CHECK == 0 {
                go_on(check, call, &path)?;
            }
            if beneath.hides_in(&dir, OsStr::from_bytes(name.to_bytes())) {
                continue;
            }
            let ty = match ty {
                FileType::Unknown => rustix::fs::statat(&dir, &name, AtFlags::SYMLINK_NOFOLLOW)
                    .map_or(FileType::Unknown, |stat| FileType::from_raw_mode(stat.st_mode)),
                known => known,
            };
            let name = prefix.join(OsStr::from_bytes(name.to_bytes()));
            let shown = name.to_string_lossy().into_owned();
            bytes += shown.len();
            if found.len() >= ENTRIES_MAX || bytes > files.bytes_max {
                return Err(too_many());
            }
            found.push(Entry { name: shown, kind: kind(ty) });
            if recursive && ty == FileType::Directory {
                beneath_it.push(name);
            }
        }
        drop(dir);
        for name in beneath_it {
            go_on(check, call, &path)?;
            // Gone meanwhile, or not granted: nobody's business.
            if let Ok(dir) = beneath.directory_in(&base, &name, call, &path) {
                left.push((name, dir));
                if left.len() > DEPTH_MAX {
                    return Err(too_many());
                }
            }
        }
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

pub(super) fn make_directory(
    files: &Shared,
    (path, recursive): (String, bool),
    check: Check<'_>,
) -> Done<Option<String>> {
    let call = "mkdir";
    if !recursive {
        return make_one(files, &path, &path).map(|()| Some(path));
    }
    let beneath = files.beneath()?;
    let mut first = None;
    // From the longest that is there: each part of the path is looked up beneath the root by itself.
    let mut so_far = PathBuf::new();
    for part in Path::new(&path).components() {
        so_far.push(part);
        if matches!(part, Component::RootDir | Component::CurDir) {
            continue;
        }
        go_on(check, call, &path)?;
        let Some(named) = so_far.to_str() else { continue };
        // Above a root that the script named by its absolute path, or above what is granted, nothing is made.
        match make_one(files, named, &path) {
            Ok(()) => first = first.or(Some(named.to_owned())),
            Err(error) if matches!(error.code(), "EDQUOT" | "ENOSPC") => return Err(error),
            Err(_) if so_far != Path::new(&path) => {}
            Err(error) if matches!(error.code(), "EEXIST" | "EBUSY") => {
                let there = beneath.look(&path, Need::Write, call)?;
                if !there.metadata().is_ok_and(|metadata| metadata.is_dir()) {
                    return Err(PathError::io(&Errno::EXIST.into(), call, &path));
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(first)
}

/// `shown`: the path that an error has.
fn make_one(files: &Shared, path: &str, shown: &str) -> Done<()> {
    let call = "mkdir";
    let entry = match files.beneath()?.entry(path, Need::Write, call) {
        Err(error) if error.code() == "EBUSY" => return Err(PathError::io(&Errno::EXIST.into(), call, shown)),
        entry => entry.map_err(|error| error.instead_of(shown))?,
    };
    let make = || rustix::fs::mkdirat(&entry.dir, &*entry.name, Mode::from_raw_mode(0o777));
    let made = files.quota.making(call, shown, make)?.settle();
    made.map_err(|error| PathError::io(&error.into(), call, shown))
}

pub(super) fn make_temporary(files: &Shared, (prefix,): (String,), _: Check<'_>) -> Done<String> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    for _ in 0..TEMPORARY_TRIES {
        let mut random = rand::rng();
        let chance = (0..6).map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())]));
        let path: String = prefix.chars().chain(chance).collect();
        match make_one(files, &path, &format!("{prefix}XXXXXX")) {
            Ok(()) => return Ok(path),
            Err(error) if error.code() == "EEXIST" => {}
            Err(error) => return Err(error),
        }
    }
    Err(PathError::io(&Errno::EXIST.into(), "mkdtemp", &prefix))
}

pub(super) fn remove(files: &Shared, (path, what, force): (String, Removal, bool), check: Check<'_>) -> Done<()> {
    let (call, flags) = match what {
        Removal::File => ("unlink", AtFlags::empty()),
        Removal::Directory => ("rmdir", AtFlags::REMOVEDIR),
        Removal::Tree => ("rm", AtFlags::empty()),
    };
    let removed = files.beneath()?.movable(&path, call).and_then(|entry| match what {
        Removal::Tree => {
            let mut budget = ENTRIES_MAX;
            remove_tree(entry.dir.as_fd(), &entry.name, DEPTH_MAX, &mut budget, &path, check)
        }
        _ => unlinkat(&entry.dir, &*entry.name, flags).map_err(|error| PathError::io(&error.into(), call, &path)),
    });
    match removed {
        Err(error) if force && error.is_absent() => Ok(()),
        removed => removed,
    }
}

fn remove_tree(
    dir: std::os::fd::BorrowedFd<'_>,
    name: &OsStr,
    depth: usize,
    budget: &mut usize,
    path: &str,
    check: Check<'_>,
) -> Done<()> {
    let io = |error: Errno| PathError::io(&error.into(), "rm", path);
    let too_large = |what: String| PathError::new("ENOBUFS", what, "rm", path);
    *budget = budget.checked_sub(1).ok_or_else(|| too_large(format!("more than {ENTRIES_MAX} entries")))?;
    if budget.is_multiple_of(ENTRIES_A_CHECK) {
        go_on(check, "rm", path)?;
    }
    match unlinkat(dir, name, AtFlags::empty()) {
        Err(Errno::ISDIR | Errno::PERM) => {}
        removed => return removed.map_err(io),
    }
    let deeper = depth.checked_sub(1).ok_or_else(|| too_large(format!("deeper than {DEPTH_MAX} directories")))?;
    // Not through a link that took its place meanwhile.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let inner = rustix::fs::openat(dir, name, flags, Mode::empty()).map_err(io)?;
    loop {
        let names = names(&inner, 1_024).map_err(io)?;
        if names.is_empty() {
            break;
        }
        for (name, _) in names {
            let name = OsString::from_vec(name.into_bytes());
            match remove_tree(inner.as_fd(), &name, deeper, budget, path, check) {
                Err(error) if error.is_absent() => {}
                removed => removed?,
            }
        }
    }
    match unlinkat(dir, name, AtFlags::REMOVEDIR) {
        Err(Errno::NOENT) => Ok(()),
        removed => removed.map_err(io),
    }
}

pub(super) fn rename(files: &Shared, (path, to): (String, String), _: Check<'_>) -> Done<()> {
    let call = "rename";
    let beneath = files.beneath()?;
    let from = beneath.movable(&path, call).map_err(|error| error.of_two(&to))?;
    let into = beneath.replaceable(&to, call).and_then(|into| match from.kind() {
        Some(kind) if into.slash && kind != FileType::Directory => Err(PathError::io(&Errno::NOTDIR.into(), call, &to)),
        _ => Ok(into),
    });
    let into = into.map_err(|error| error.instead_of(&path).of_two(&to))?;
    rustix::fs::renameat(&from.dir, &*from.name, &into.dir, &*into.name)
        .map_err(|error| PathError::io(&error.into(), call, &path).of_two(&to))
}

pub(super) fn real_path(files: &Shared, (path,): (String,), _: Check<'_>) -> Done<String> {
    let beneath = files.beneath()?;
    let there = beneath.look(&path, Need::Read, "realpath")?;
    beneath.real_name(&there, "realpath", &path)
}

/// Only downwards: such a link leads out of the root wherever it is moved, whoever follows it.
pub(super) fn make_link(files: &Shared, (target, path): (String, String), _: Check<'_>) -> Done<()> {
    let call = "symlink";
    let io = |error: Errno| PathError::io(&error.into(), call, &target).of_two(&path);
    if target.is_empty() || target.contains('\0') || target.len() > 4_095 {
        return Err(io(if target.is_empty() { Errno::NOENT } else { Errno::INVAL }));
    }
    if Path::new(&target).components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir)) {
        let what = "permission denied: a link leads to its own directory or beneath it, without `..`";
        return Err(PathError::new("EACCES", what, call, &target).of_two(&path));
    }
    let entry = files.beneath()?.entry(&path, Need::Write, call);
    let entry = entry.map_err(|error| error.instead_of(&target).of_two(&path))?;
    if entry.slash {
        return Err(io(Errno::NOENT));
    }
    let make = || rustix::fs::symlinkat(&*target, &entry.dir, &*entry.name);
    files.quota.making(call, &target, make)?.settle().map_err(io)
}

pub(super) fn read_link(files: &Shared, (path,): (String,), _: Check<'_>) -> Done<String> {
    let entry = files.beneath()?.entry(&path, Need::Read, "readlink")?;
    let target = if entry.slash { Err(Errno::INVAL) } else { rustix::fs::readlinkat(&entry.dir, &*entry.name, []) };
    let target = target.map_err(|error| PathError::io(&error.into(), "readlink", &path))?;
    Ok(target.to_string_lossy().into_owned())
}

pub(super) fn set_times(files: &Shared, (path, accessed, modified): (String, f64, f64), _: Check<'_>) -> Done<()> {
    let call = "utime";
    let beneath = files.beneath()?;
    beneath.look(&path, Need::Write, call)?;
    let file = beneath.open_there(&path, Opening::READ, true, call)?;
    beneath.admit_handle(&file, Need::Write, call, &path)?;
    let time = |ms: f64| {
        let ms = if ms.is_finite() { ms } else { 0.0 };
        let seconds = (ms / 1e3).floor();
        Timespec { tv_sec: seconds as i64, tv_nsec: ((ms - seconds * 1e3) * 1e6).clamp(0.0, 999_999_999.0) as _ }
    };
    let times = Timestamps { last_access: time(accessed), last_modification: time(modified) };
    rustix::fs::futimens(&file, &times).map_err(|error| PathError::io(&error.into(), call, &path))
}
