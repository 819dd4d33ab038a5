//! Files: whole, and by handles.
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::beneath::{Done, Opening, is_same};
use super::text;
use super::types::{Content, Encoding};
use super::{Check, Shared, go_on};
use crate::root::PathError;

/// What is done between two looks at the meter.
const CHUNK_BYTES: usize = 1 << 20;
/// Files that a session may have open by handles.
pub(super) const HANDLES_MAX: usize = 64;
/// The first handle: the ones before are a process's standard streams elsewhere.
const HANDLE_FIRST: u32 = 3;
/// Largest size and position, bytes.
pub(super) const FILE_BYTES_MAX: u64 = 1 << 40;

/// The whole of a file.
pub(super) fn read_file(files: &Shared, (path,): (String,), check: Check<'_>) -> Done<Arc<Vec<u8>>> {
    Ok(files.buffers.lend_bytes(read_path(files, &path, check)?))
}

/// The same as text.
pub(super) fn read_text(files: &Shared, (path, encoding): (String, Encoding), check: Check<'_>) -> Done<Arc<String>> {
    let bytes = read_path(files, &path, check)?;
    let text = text::decode(bytes, encoding, files.bytes_max).ok_or_else(|| too_large(files, &path))?;
    Ok(files.buffers.lend_text(text))
}

fn too_large(files: &Shared, path: &str) -> PathError {
    PathError::new("EFBIG", format!("file is larger than {} bytes", files.bytes_max), "read", path)
}

fn read_path(files: &Shared, path: &str, check: Check<'_>) -> Done<Vec<u8>> {
    let mut file = files.beneath()?.open_there(path, Opening::READ, false, "open")?;
    let io = |error| PathError::io(&error, "read", path);
    let size = file.metadata().map_err(io)?.len();
    let size = usize::try_from(size).ok().filter(|size| *size <= files.bytes_max);
    let size = size.ok_or_else(|| too_large(files, path))?;
    // One more, so that the end is seen without growing.
    let mut bytes = files.buffers.take(size + 1);
    loop {
        let before = bytes.len();
        (&mut file).take(CHUNK_BYTES as u64).read_to_end(&mut bytes).map_err(io)?;
        if bytes.len() > files.bytes_max {
            return Err(too_large(files, path));
        }
        if bytes.len() - before < CHUNK_BYTES {
            return Ok(bytes);
        }
        go_on(check, "read", path)?;
    }
}

/// Opens a file and writes all of `data`.
pub(super) fn write_file(
    files: &Shared,
    (path, data, how): (String, Content, super::types::How),
    check: Check<'_>,
) -> Done<()> {
    let how = Opening { write: true, ..how.opening() };
    let data = data.bytes();
    let beneath = files.beneath()?;
    // Before the file is emptied.
    let size = data.len() as u64;
    let mut file = files.quota.writing(size, "write", &path, || beneath.open(&path, how, &files.quota, "open"))?;
    for chunk in data.chunks(CHUNK_BYTES) {
        file.write_all(chunk).map_err(|error| PathError::io(&error, "write", &path))?;
        go_on(check, "write", &path)?;
    }
    Ok(())
}

/// Copies the bytes of a file.
pub(super) fn copy_file(files: &Shared, (path, to, exclusive): (String, String, bool), check: Check<'_>) -> Done<()> {
    let call = "copyfile";
    let both = |error: PathError| error.of_two(&to);
    let beneath = files.beneath()?;
    let mut from = beneath.open_there(&path, Opening::READ, false, call).map_err(both)?;
    let io = |error| PathError::io(&error, call, &path).of_two(&to);
    let size = from.metadata().map_err(io)?.len();
    let how = Opening { write: true, create: true, exclusive, ..Opening::default() };
    let into = files.quota.writing(size, call, &path, || {
        beneath.open(&to, how, &files.quota, call).map_err(|error| error.instead_of(&path))
    });
    let mut into = into.map_err(both)?;
    if is_same(&from, &into) {
        return Ok(());
    }
    into.set_len(0).map_err(io)?;
    let mut charged = size;
    let mut buffer = vec![0; CHUNK_BYTES / 4];
    loop {
        let read = from.read(&mut buffer).map_err(io)?;
        if read == 0 {
            return Ok(());
        }
        let more = (read as u64).saturating_sub(charged);
        charged = charged.saturating_sub(read as u64);
        files.quota.bytes(more, call, &path).map_err(both)?;
        into.write_all(&buffer[..read]).map_err(io)?;
        go_on(check, call, &path).map_err(both)?;
    }
}

/// Cuts a file, or fills it up.
pub(super) fn truncate(files: &Shared, (path, size): (String, u64), _: Check<'_>) -> Done<()> {
    let how = Opening { write: true, ..Opening::default() };
    let file = files.beneath()?.open_there(&path, how, false, "open")?;
    resize(files, &file, size, "ftruncate", &path)
}

fn resize(files: &Shared, file: &File, size: u64, call: &'static str, path: &str) -> Done<()> {
    let io = |error| PathError::io(&error, call, path);
    if size > FILE_BYTES_MAX {
        return Err(PathError::new("EFBIG", format!("a file has at most {FILE_BYTES_MAX} bytes"), call, path));
    }
    let now = file.metadata().map_err(io)?.len();
    files.quota.bytes(size.saturating_sub(now), call, path)?;
    file.set_len(size).map_err(io)
}

/// A file that a script has open. Path, way and position are enough to open it again in another process.
#[derive(Debug)]
struct Open {
    path: String,
    how: Opening,
    position: u64,
    file: File,
}

/// The open files of a session.
#[derive(Debug, Default)]
pub(super) struct Handles(Mutex<BTreeMap<u32, Arc<Mutex<Open>>>>);

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unknown(call: &'static str, handle: u32) -> PathError {
    PathError::new("EBADF", "bad file descriptor", call, &handle.to_string())
}

impl Handles {
    fn get(&self, handle: u32, call: &'static str) -> Done<Arc<Mutex<Open>>> {
        locked(&self.0).get(&handle).cloned().ok_or_else(|| unknown(call, handle))
    }
}

pub(super) fn open(files: &Shared, (path, how): (String, super::types::How), _: Check<'_>) -> Done<u32> {
    let how = how.opening();
    let full = || PathError::new("EMFILE", format!("a session has at most {HANDLES_MAX} files open"), "open", &path);
    if locked(&files.handles.0).len() >= HANDLES_MAX {
        return Err(full());
    }
    let file = files.beneath()?.open(&path, how, &files.quota, "open")?;
    let mut open = locked(&files.handles.0);
    let free = (HANDLE_FIRST..).take(HANDLES_MAX).find(|handle| !open.contains_key(handle)).ok_or_else(full)?;
    // Opened again it neither makes nor empties anything.
    let again = Opening { create: false, exclusive: false, truncate: false, ..how };
    open.insert(free, Arc::new(Mutex::new(Open { path, how: again, position: 0, file })));
    Ok(free)
}

pub(super) fn close(files: &Shared, (handle,): (u32,), _: Check<'_>) -> Done<()> {
    locked(&files.handles.0).remove(&handle).map(drop).ok_or_else(|| unknown("close", handle))
}

pub(super) fn read(
    files: &Shared,
    (handle, length, position): (u32, u32, Option<u64>),
    check: Check<'_>,
) -> Done<Vec<u8>> {
    let open = files.handles.get(handle, "read")?;
    let mut open = locked(&open);
    let Open { path, how, position: own, file } = &mut *open;
    if !how.read {
        return Err(unknown("read", handle));
    }
    let io = |error| PathError::io(&error, "read", path);
    let mut at = position.unwrap_or(*own).min(FILE_BYTES_MAX);
    // What the file has is allocated, and not what the script names.
    let there = file.metadata().map_err(io)?.len().saturating_sub(at);
    let most = there.min(length.into()).min(files.bytes_max as u64);
    let mut bytes = vec![0; usize::try_from(most).unwrap_or(0)];
    let mut filled = 0;
    while filled < bytes.len() {
        let until = bytes.len().min(filled + CHUNK_BYTES);
        match file.read_at(&mut bytes[filled..until], at).map_err(io)? {
            0 => break,
            read => {
                filled += read;
                at += read as u64;
            }
        }
        go_on(check, "read", path)?;
    }
    bytes.truncate(filled);
    if position.is_none() {
        *own = at;
    }
    Ok(bytes)
}

pub(super) fn write(
    files: &Shared,
    (handle, data, position): (u32, Content, Option<u64>),
    check: Check<'_>,
) -> Done<u32> {
    let open = files.handles.get(handle, "write")?;
    let mut open = locked(&open);
    let Open { path, how, position: own, file } = &mut *open;
    if !how.write && !how.append {
        return Err(unknown("write", handle));
    }
    let data = data.bytes();
    let io = |error| PathError::io(&error, "write", path);
    let mut at = position.unwrap_or(*own);
    if at.saturating_add(data.len() as u64) > FILE_BYTES_MAX {
        return Err(PathError::new("EFBIG", format!("a file has at most {FILE_BYTES_MAX} bytes"), "write", path));
    }
    let hole = if how.append { 0 } else { at.saturating_sub(file.metadata().map_err(io)?.len()) };
    files.quota.bytes(hole.saturating_add(data.len() as u64), "write", path)?;
    for chunk in data.chunks(CHUNK_BYTES) {
        if how.append {
            (&*file).write_all(chunk).map_err(io)?;
        } else {
            file.write_all_at(chunk, at).map_err(io)?;
            at += chunk.len() as u64;
        }
        go_on(check, "write", path)?;
    }
    if position.is_none() {
        *own = at;
    }
    Ok(u32::try_from(data.len()).unwrap_or(u32::MAX))
}

pub(super) fn stat_open(files: &Shared, (handle,): (u32,), _: Check<'_>) -> Done<super::types::Stats> {
    let open = files.handles.get(handle, "fstat")?;
    let open = locked(&open);
    super::tree::stats(&open.file, "fstat", &open.path)
}

pub(super) fn truncate_open(files: &Shared, (handle, size): (u32, u64), _: Check<'_>) -> Done<()> {
    let open = files.handles.get(handle, "ftruncate")?;
    let open = locked(&open);
    if !open.how.write {
        return Err(unknown("ftruncate", handle));
    }
    resize(files, &open.file, size, "ftruncate", &open.path)
}
