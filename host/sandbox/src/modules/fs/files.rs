//! Files: whole, and by handles.
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::beneath::{Done, Opening, is_same};
use super::handles::{self, Open};
use super::text;
use super::types::{Content, Encoding};
use super::{Check, Shared, go_on};
use crate::root::PathError;

/// What is done between two looks at the meter.
const CHUNK_BYTES: usize = 1 << 20;
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

pub(super) fn open(files: &Shared, (path, how): (String, super::types::How), _: Check<'_>) -> Done<u32> {
    let how = how.opening();
    files.handles.room(&path)?;
    let file = files.beneath()?.open(&path, how, &files.quota, "open")?;
    files.handles.add(Open::new(path, how, file))
}

pub(super) fn close(files: &Shared, (handle,): (u32,), _: Check<'_>) -> Done<()> {
    files.handles.remove(handle)
}

pub(super) fn read(
    files: &Shared,
    (handle, length, position): (u32, u32, Option<u64>),
    check: Check<'_>,
) -> Done<Vec<u8>> {
    let open = files.handles.get(handle, "read")?;
    let _turn = open.turn();
    let Open { path, how, .. } = &*open;
    if !how.read {
        return Err(handles::unknown("read", handle));
    }
    let file = open.file(files)?;
    let io = |error| PathError::io(&error, "read", path);
    let mut at = position.unwrap_or_else(|| open.position()).min(FILE_BYTES_MAX);
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
        open.set_position(at);
    }
    Ok(bytes)
}

pub(super) fn write(
    files: &Shared,
    (handle, data, position): (u32, Content, Option<u64>),
    check: Check<'_>,
) -> Done<u32> {
    let open = files.handles.get(handle, "write")?;
    let _turn = open.turn();
    let Open { path, how, .. } = &*open;
    if !how.write && !how.append {
        return Err(handles::unknown("write", handle));
    }
    let file = open.file(files)?;
    let data = data.bytes();
    let io = |error| PathError::io(&error, "write", path);
    let mut at = position.unwrap_or_else(|| open.position());
    if at.saturating_add(data.len() as u64) > FILE_BYTES_MAX {
        return Err(PathError::new("EFBIG", format!("a file has at most {FILE_BYTES_MAX} bytes"), "write", path));
    }
    let hole = if how.append { 0 } else { at.saturating_sub(file.metadata().map_err(io)?.len()) };
    files.quota.bytes(hole.saturating_add(data.len() as u64), "write", path)?;
    for chunk in data.chunks(CHUNK_BYTES) {
        if how.append {
            (&mut &*file).write_all(chunk).map_err(io)?;
        } else {
            file.write_all_at(chunk, at).map_err(io)?;
            at += chunk.len() as u64;
        }
        go_on(check, "write", path)?;
    }
    if position.is_none() {
        open.set_position(at);
    }
    Ok(u32::try_from(data.len()).unwrap_or(u32::MAX))
}

pub(super) fn stat_open(files: &Shared, (handle,): (u32,), _: Check<'_>) -> Done<super::types::Stats> {
    let open = files.handles.get(handle, "fstat")?;
    let _turn = open.turn();
    super::tree::stats(open.file(files)?, "fstat", &open.path)
}

pub(super) fn truncate_open(files: &Shared, (handle, size): (u32, u64), _: Check<'_>) -> Done<()> {
    let open = files.handles.get(handle, "ftruncate")?;
    let _turn = open.turn();
    if !open.how.write {
        return Err(handles::unknown("ftruncate", handle));
    }
    resize(files, open.file(files)?, size, "ftruncate", &open.path)
}
