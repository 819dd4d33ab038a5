//! A heap as bytes, and back. Everything JavaScript knows is in one linear memory, so a snapshot is the pages of it that
//! differ from the image, or from the snapshot before, with the few things that the host keeps beside it: timers and what
//! modules hold.
//!
//! What is written is sealed under the data directory's key. A seal covers the image, the snapshot's id and the seal of the
//! snapshot that it builds on, so that no part of a chain can be changed, left out or taken from another.
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use rand::RngExt;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::base::{Base, hash};
use crate::bindings::Memory;
use crate::error::Error;
use crate::image::Image;
use crate::limits::wasm_memory_bytes;
use crate::pagemap;
use crate::sandbox::{Sandbox, Setup};
use crate::tickets::SavedTickets;

/// Unit of what is stored, bytes.
pub(crate) const PAGE: usize = 4096;
/// Pages of 4 KiB in one of WebAssembly's.
pub(crate) const PAGES_PER_WASM_PAGE: u32 = 16;
/// Snapshots that build on one another before all is written again.
pub(crate) const DEPTH_MAX: u32 = 32;
/// What changes may add up to before that is done anyway, beyond the size of the last full one, bytes.
const DELTAS_BYTES: u64 = 64 << 10;
/// The same in pages, beyond twice those of the heap: what is written over and over compresses well, and is unpacked all the same.
const DELTAS_PAGES: u64 = 1_024;
/// Text of the host's part, bytes: ten thousand timers, and what modules hold.
pub(crate) const HEADER_BYTES_MAX: usize = 32 << 20;
const LEVEL: i32 = 1;
pub(crate) const SEAL_LEN: usize = blake3::OUT_LEN;

pub(crate) type Seal = [u8; SEAL_LEN];

/// The key that snapshots are sealed with.
#[derive(Clone, Default)]
pub(crate) struct SnapshotKey(Arc<[u8; blake3::KEY_LEN]>);

impl SnapshotKey {
    /// From a secret of any length, for nothing but this.
    pub(crate) fn derive(secret: &[u8]) -> SnapshotKey {
        SnapshotKey(Arc::new(blake3::derive_key("vm-system 2026-11 stored heaps", secret)))
    }
}

impl std::fmt::Debug for SnapshotKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SnapshotKey")
    }
}

/// A heap that is ready to be stored.
#[derive(Debug)]
pub struct Snapshot {
    /// What it was called when it was asked for.
    pub id: Uuid,
    /// The one that it builds on. None: it is whole.
    pub parent: Option<Uuid>,
    /// How many it builds on.
    pub depth: u32,
    /// Pages of 4 KiB that it has.
    pub pages: u32,
    /// When its next timer is due, microseconds since 1970.
    pub timer_due: Option<u64>,
    /// Sealed and compressed.
    pub bytes: Vec<u8>,
}

/// Why a stored heap can't be brought back.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RestoreError {
    /// A part of it was changed, is missing, or is another installation's.
    #[error("the stored heap is damaged: {0}")]
    Damaged(&'static str),
    /// It builds on another image of the same content: one was built again, and what its libraries did was not the same.
    #[error("its image was built again, and is not as it was")]
    OtherImage,
    /// It is larger than sessions may be here. MiB.
    #[error("the heap has {has} MiB, and may have {may}")]
    TooLarge {
        /// The heap.
        has: u64,
        /// A session here.
        may: u64,
    },
    /// Starting its image failed.
    #[error(transparent)]
    Start(#[from] Error),
}

/// What stands before the pages.
#[derive(Serialize, Deserialize)]
pub(crate) struct Header {
    /// WebAssembly pages.
    pub(crate) memory_pages: u32,
    pub(crate) stack_pointer: u32,
    /// Digest of the image's component.
    pub(crate) component: u64,
    /// Pages that follow: the first, and how many, each.
    pub(crate) runs: Vec<(u32, u32)>,
    pub(crate) tickets: SavedTickets,
    pub(crate) states: BTreeMap<String, serde_json::Value>,
    /// What whoever keeps the session wants to find with the heap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
}

/// What is known of the last snapshot of a live heap.
pub(crate) struct Past {
    id: Uuid,
    seal: Seal,
    depth: u32,
    full_bytes: u64,
    since_full: u64,
    /// Pages that were stored since the last full one.
    since_pages: u64,
    /// Pages that differ from the image, in order, with their hashes.
    pages: Vec<(u32, u64)>,
}

impl Sandbox {
    /// The heap as it is now, as far as it changed since the last one; all of it when that has become cheaper to read.
    /// Call it on a guest thread. The next one builds on this unless [`Sandbox::not_stored`] says that this was lost.
    pub fn snapshot(&mut self, id: Uuid) -> Result<Snapshot, Error> {
        let memory = self.memory()?;
        let inner = &mut *self.inner;
        // What is brought back has begun.
        inner.begins()?;
        let base = inner.image.bases.of(&inner.image)?;
        let memory_pages = memory.pages(&mut inner.store)?;
        let stack_pointer = memory.stack_pointer(&mut inner.store)?;
        if stack_pointer != base.stack_pointer {
            return Err(Error::internal("taking a snapshot", "the guest is running"));
        }
        let list = memory.bytes(&mut inner.store)?;
        let host = inner.store.data_mut();
        let (tickets, states) = (host.tickets.save(), host.save_states());
        let bytes = list.as_le_slice(&inner.store);
        let full = inner.past.as_ref().is_none_or(|past| {
            past.depth >= DEPTH_MAX
                || past.since_full > past.full_bytes.saturating_add(DELTAS_BYTES)
                || past.since_pages > 2 * past.pages.len() as u64 + DELTAS_PAGES
        });
        let before: &[(u32, u64)] = inner.past.as_ref().map_or(&[], |past| &past.pages);
        let Changes { pages, runs } = changes(bytes, base, before, full);
        let count: u32 = runs.iter().map(|(_, count)| count).sum();
        let component = inner.image.digest();
        let note = inner.note.clone();
        let header = Header { memory_pages, stack_pointer, component, runs, tickets, states, note };
        let timer_due = header.tickets.next_due();
        let at = |page: u32| page as usize * PAGE;
        let raw = write(&header, header.runs.iter().map(|&(first, count)| &bytes[at(first)..at(first + count)]))?;
        let past = inner.past.take().filter(|_| !full);
        let parent_seal = past.as_ref().map_or([0; SEAL_LEN], |past| past.seal);
        let (bytes, seal) = close(inner.image.key(), inner.image.hash(), id, &parent_seal, &raw)?;
        let stored = bytes.len() as u64;
        let (parent, depth) = past.as_ref().map_or((None, 0), |past| (Some(past.id), past.depth + 1));
        let (full_bytes, since_full, since_pages) = past.as_ref().map_or((stored, 0, 0), |past| {
            (past.full_bytes, past.since_full + stored, past.since_pages + u64::from(count))
        });
        inner.past = Some(Past { id, seal, depth, full_bytes, since_full, since_pages, pages });
        Ok(Snapshot { id, parent, depth, pages: count, timer_due, bytes })
    }

    /// The last snapshot did not get to where it was meant to go: the next one is whole.
    pub fn not_stored(&mut self) {
        self.inner.past = None;
    }

    /// The last snapshot that it builds on, or was brought back from.
    pub fn last_snapshot(&self) -> Option<Uuid> {
        self.inner.past.as_ref().map(|past| past.id)
    }

    pub(crate) fn memory(&mut self) -> Result<Memory, Error> {
        let inner = &mut *self.inner;
        Ok(inner.guest.memory(&mut inner.store, &inner.image.exports)?)
    }
}

struct Changes {
    /// All that differ from the image.
    pages: Vec<(u32, u64)>,
    /// Those to store.
    runs: Vec<(u32, u32)>,
}

/// Looks at the pages that were written since the instance began, and at those that differed the last time.
fn changes(memory: &[u8], base: &Base, before: &[(u32, u64)], full: bool) -> Changes {
    let all = std::iter::once(0..memory.len());
    let written: Vec<_> = pagemap::written(memory).unwrap_or_else(|| all.collect());
    let mut written =
        written.into_iter().flat_map(|range| (range.start / PAGE) as u32..range.end.div_ceil(PAGE) as u32);
    let mut before = before.iter().copied().peekable();
    let mut pages = Vec::new();
    let mut runs: Vec<(u32, u32)> = Vec::new();
    let mut next = written.next();
    loop {
        let page = match (next, before.peek()) {
            (None, None) => break,
            (Some(page), Some(&(old, _))) if old < page => old,
            (None, Some(&(old, _))) => old,
            (Some(page), _) => page,
        };
        if next == Some(page) {
            next = written.next();
        }
        let old = before.next_if(|(old, _)| *old == page).map(|(_, hash)| hash);
        if page < base.first_page() {
            continue;
        }
        let start = page as usize * PAGE;
        let now = hash(&memory[start..start + PAGE]);
        let image = base.get(page);
        if now != image {
            pages.push((page, now));
        }
        if now != if full { image } else { old.unwrap_or(image) } {
            match runs.last_mut() {
                Some((first, count)) if *first + *count == page => *count += 1,
                _ => runs.push((page, 1)),
            }
        }
    }
    Changes { pages, runs }
}

/// Compresses and seals.
fn close(key: &SnapshotKey, image: &str, id: Uuid, parent: &Seal, raw: &[u8]) -> Result<(Vec<u8>, Seal), Error> {
    Ok(sealed(key, image, id, parent, &compress(raw)?))
}

pub(crate) fn compress(raw: &[u8]) -> Result<Vec<u8>, Error> {
    thread_local! {
        static COMPRESSOR: RefCell<Option<zstd::bulk::Compressor<'static>>> = const { RefCell::new(None) };
    }
    let failed = |error| Error::internal("compressing a snapshot", error);
    COMPRESSOR.with_borrow_mut(|compressor| {
        let compressor = match compressor {
            Some(compressor) => compressor,
            None => compressor.insert(zstd::bulk::Compressor::new(LEVEL).map_err(failed)?),
        };
        compressor.compress(raw).map_err(failed)
    })
}

/// What [`compress`] made, unpacked: at most so many bytes. None: it is larger, or nothing of the kind.
pub(crate) fn decompress(body: &[u8], raw_max: usize) -> Option<Vec<u8>> {
    // What it says of its size is what is allocated, and no more comes out.
    let len = zstd::zstd_safe::get_frame_content_size(body).ok().flatten();
    let len = len.and_then(|len| usize::try_from(len).ok()).filter(|len| *len <= raw_max)?;
    // Making one costs more than unpacking a small part of a chain.
    thread_local! {
        static DECOMPRESSOR: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
    }
    DECOMPRESSOR.with_borrow_mut(|decompressor| {
        let decompressor = match decompressor {
            Some(decompressor) => decompressor,
            None => decompressor.insert(zstd::bulk::Decompressor::new().ok()?),
        };
        decompressor.decompress(body, len).ok()
    })
}

/// What [`compress`] made, sealed.
pub(crate) fn sealed(key: &SnapshotKey, image: &str, id: Uuid, parent: &Seal, body: &[u8]) -> (Vec<u8>, Seal) {
    let seal = seal(key, image, id, parent, body);
    let mut bytes = Vec::with_capacity(2 * SEAL_LEN + body.len());
    bytes.extend(seal);
    bytes.extend(parent);
    bytes.extend(body);
    (bytes, seal)
}

fn seal(key: &SnapshotKey, image: &str, id: Uuid, parent: &Seal, body: &[u8]) -> Seal {
    let mut mac = blake3::Hasher::new_keyed(&key.0);
    mac.update(&(image.len() as u64).to_le_bytes()).update(image.as_bytes());
    mac.update(id.as_bytes()).update(parent).update(body);
    *mac.finalize().as_bytes()
}

/// Checks one part of a chain. Answers with its seal and its body, which [`unpack`] takes.
fn check<'a>(
    key: &SnapshotKey,
    image: &str,
    id: Uuid,
    parent: &Seal,
    bytes: &'a [u8],
) -> Result<(Seal, &'a [u8]), RestoreError> {
    let damaged = RestoreError::Damaged;
    let (found, rest) = bytes.split_first_chunk::<SEAL_LEN>().ok_or(damaged("it is cut short"))?;
    let (builds_on, body) = rest.split_first_chunk::<SEAL_LEN>().ok_or(damaged("it is cut short"))?;
    // blake3::Hash compares in constant time.
    if blake3::Hash::from_bytes(*found) != seal(key, image, id, builds_on, body) {
        return Err(damaged("its seal does not fit"));
    }
    if builds_on != parent {
        return Err(damaged("it builds on another than the one before it"));
    }
    Ok((*found, body))
}

/// Each was held to its session's limit when it was written, and is sealed.
fn unpack(body: &[u8]) -> Result<Vec<u8>, RestoreError> {
    decompress(body, usize::MAX).ok_or(RestoreError::Damaged("it can't be unpacked"))
}

/// Checks one part of a chain and unpacks it. Answers with its seal and what it has.
pub(crate) fn open(
    key: &SnapshotKey,
    image: &str,
    id: Uuid,
    parent: &Seal,
    bytes: &[u8],
) -> Result<(Seal, Vec<u8>), RestoreError> {
    let (seal, body) = check(key, image, id, parent, bytes)?;
    Ok((seal, unpack(body)?))
}

pub(crate) fn read(raw: &[u8]) -> Option<(Header, &[u8])> {
    let (len, rest) = raw.split_first_chunk::<4>()?;
    let (text, pages) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
    let header: Header = serde_json::from_slice(text).ok()?;
    let count: usize = header.runs.iter().map(|(_, count)| *count as usize).sum();
    let fits = |&(first, count): &(u32, u32)| {
        u64::from(first) + u64::from(count) <= u64::from(header.memory_pages) * u64::from(PAGES_PER_WASM_PAGE)
    };
    (pages.len() == count.checked_mul(PAGE)? && header.runs.iter().all(fits)).then_some((header, pages))
}

/// The text of a heap: the header, and after it the pages that it names, in that order.
pub(crate) fn write<'a>(header: &Header, pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, Error> {
    let failed = |why: &dyn std::fmt::Display| Error::internal("taking a snapshot", why);
    let text = serde_json::to_vec(header).map_err(|error| failed(&error))?;
    if text.len() > HEADER_BYTES_MAX {
        return Err(failed(&"modules and timers hold too much"));
    }
    let count: usize = header.runs.iter().map(|(_, count)| *count as usize).sum();
    let mut raw = Vec::with_capacity(4 + text.len() + count * PAGE);
    raw.extend((text.len() as u32).to_le_bytes());
    raw.extend(&text);
    for piece in pieces {
        raw.extend(piece);
    }
    Ok(raw)
}

/// A stored heap in one piece.
pub(crate) struct Whole {
    pub(crate) header: Header,
    pub(crate) pages: BTreeMap<u32, (usize, usize)>,
    raws: Vec<Vec<u8>>,
    seal: Seal,
    full_bytes: u64,
    since_full: u64,
    since_pages: u64,
}

impl Whole {
    /// `chain`: from the full one to the one that is meant, which is the last. Holds no more than twice the heap, however often its
    /// pages were stored, and beside that one part of the chain.
    pub(crate) fn read(key: &SnapshotKey, image: &str, chain: &[(Uuid, Vec<u8>)]) -> Result<Whole, RestoreError> {
        let damaged = RestoreError::Damaged;
        let (mut seal, mut bodies) = ([0; SEAL_LEN], Vec::with_capacity(chain.len()));
        for (id, bytes) in chain {
            let (found, body) = check(key, image, *id, &seal, bytes)?;
            seal = found;
            bodies.push(body);
        }
        let (mut pages, mut raws, mut last, mut since_pages) = (BTreeMap::new(), Vec::new(), None, 0);
        // What was stored last is what counts.
        for (depth, body) in bodies.into_iter().enumerate().rev() {
            let raw = unpack(body)?;
            let (header, data) = read(&raw).ok_or(damaged("it is not what this version writes"))?;
            let stored = header.runs.iter().flat_map(|&(first, count)| first..first + count);
            if depth > 0 {
                since_pages += (data.len() / PAGE) as u64;
            }
            let begin = raw.len() - data.len();
            let (mut kept, places) = (Vec::new(), (begin..).step_by(PAGE));
            // Copied only where that frees more than half of it.
            let new = stored.clone().filter(|page| !pages.contains_key(page)).count();
            let copies = new < data.len() / PAGE / 2;
            for (page, at) in stored.zip(places) {
                if let Entry::Vacant(place) = pages.entry(page) {
                    place.insert((raws.len(), if copies { kept.len() } else { at }));
                    if copies {
                        kept.extend_from_slice(&raw[at..at + PAGE]);
                    }
                }
            }
            raws.push(if copies { kept } else { raw });
            last.get_or_insert(header);
        }
        let header = last.ok_or(damaged("there is nothing of it"))?;
        let len = |(_, bytes): &(Uuid, Vec<u8>)| bytes.len() as u64;
        let (full_bytes, since_full) = (chain.first().map_or(0, len), chain.iter().skip(1).map(len).sum());
        Ok(Whole { header, pages, raws, seal, full_bytes, since_full, since_pages })
    }

    /// Pieces that lie together here and there: first page, and their bytes.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = (u32, &[u8])> {
        let mut pages = self.pages.iter().peekable();
        std::iter::from_fn(move || {
            let (&first, &(index, start)) = pages.next()?;
            let mut end = start + PAGE;
            let mut page = first;
            while let Some((next, _)) = pages.next_if(|(next, place)| **next == page + 1 && **place == (index, end)) {
                (page, end) = (*next, end + PAGE);
            }
            Some((first, &self.raws[index][start..end]))
        })
    }
}

impl Image {
    /// A heap brought back from a stored one, from the full one to the one that is meant. Takes a slot of the pool. Call it
    /// on a guest thread.
    pub fn resume(self: &Arc<Self>, setup: Setup, chain: &[(Uuid, Vec<u8>)]) -> Result<Sandbox, RestoreError> {
        let whole = Whole::read(self.key(), self.hash(), chain)?;
        let (has, may) =
            (u64::from(whole.header.memory_pages) << 16, wasm_memory_bytes(setup.settings.limits.mem_mb) as u64);
        if has > may {
            return Err(RestoreError::TooLarge { has: has.div_ceil(1 << 20), may: may >> 20 });
        }
        if whole.header.component != self.digest() {
            return Err(RestoreError::OtherImage);
        }
        let mut sandbox = self.start(setup)?;
        let memory = sandbox.memory()?;
        let inner = &mut *sandbox.inner;
        let base = inner.image.bases.of(&inner.image)?;
        let Header { memory_pages, stack_pointer, tickets, states, .. } = &whole.header;
        if *stack_pointer != base.stack_pointer {
            return Err(RestoreError::Damaged("it is of another image"));
        }
        let max = inner.store.data().memory.bytes_max;
        if !memory.grow_to(&mut inner.store, *memory_pages).map_err(Error::from)? {
            return Err(
                Error::internal("bringing a heap back", format!("its memory does not fit into {max} bytes")).into()
            );
        }
        for (first, bytes) in whole.pieces() {
            memory.write(&mut inner.store, first * PAGE as u32, bytes).map_err(Error::from)?;
        }
        let page = |(page, (index, at)): (&u32, &(usize, usize))| (*page, hash(&whole.raws[*index][*at..*at + PAGE]));
        let pages = whole.pages.iter().map(page).filter(|(page, hash)| *hash != base.get(*page)).collect();
        let (id, depth) = chain.last().map_or((Uuid::nil(), 0), |(id, _)| (*id, chain.len() as u32 - 1));
        inner.note.clone_from(&whole.header.note);
        let Whole { seal, full_bytes, since_full, since_pages, .. } = whole;
        inner.past = Some(Past { id, seal, depth, full_bytes, since_full, since_pages, pages });
        inner.started = true;
        let host = inner.store.data_mut();
        let lost = host.tickets.restore(tickets, id);
        host.restore_states(states.clone());
        let seed = rand::rng().random();
        inner.guest.refresh(&mut inner.store, &inner.image.exports, seed, &lost).map_err(Error::from)?;
        Ok(sandbox)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;
    use crate::limits::Stop;
    use crate::{Config, Engine, Mode, Outcome, Recipe, Script, Turn};

    type Chain = Vec<(Uuid, Vec<u8>)>;

    fn engine(dir: &Path) -> Engine {
        Engine::new(Config { data_dir: dir.to_owned(), sessions_max: 4, ..Config::default() }).unwrap()
    }

    fn on_thread<T: Send + 'static>(engine: &Engine, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (send, done) = mpsc::channel();
        engine.spawn(move || send.send(job()).unwrap());
        done.recv().unwrap()
    }

    fn durable() -> Setup {
        Setup { durable: true, ..Setup::default() }
    }

    fn run(engine: &Engine, sandbox: Sandbox, source: &'static str) -> (Sandbox, String) {
        on_thread(engine, move || {
            let script = Script { prologue: "", source, name: "test.js", mode: Mode::Script };
            let mut turn = sandbox.run(script, &Stop::default(), Box::new(|_| ()));
            let ran = loop {
                match turn {
                    Turn::Done(ran) => break ran,
                    Turn::Waiting(mut waiting) => {
                        waiting.sandbox().checkpointed(Ok(Uuid::from_u128(7)));
                        pollster::block_on(async { waiting.ready().await });
                        turn = waiting.resume();
                    }
                }
            };
            let text = match ran.outcome {
                Outcome::Value(value) => value.preview,
                Outcome::Exception(exception) => exception.message,
            };
            (ran.sandbox.unwrap(), text)
        })
    }

    fn snapshot(engine: &Engine, mut sandbox: Sandbox, chain: &mut Chain) -> (Sandbox, Snapshot) {
        let (sandbox, snapshot) = on_thread(engine, move || {
            let snapshot = sandbox.snapshot(Uuid::new_v4()).unwrap();
            (sandbox, snapshot)
        });
        if snapshot.parent.is_none() {
            chain.clear();
        }
        assert_eq!(snapshot.parent, chain.last().map(|(id, _)| *id));
        assert_eq!(snapshot.depth as usize, chain.len());
        chain.push((snapshot.id, snapshot.bytes.clone()));
        (sandbox, snapshot)
    }

    fn resume(engine: &Engine, chain: &Chain) -> Result<Sandbox, RestoreError> {
        let image = engine.image(&Recipe::default()).unwrap();
        let chain = chain.clone();
        on_thread(engine, move || image.resume(durable(), &chain))
    }

    fn start(engine: &Engine) -> Sandbox {
        engine.image(&Recipe::default()).unwrap().start(durable()).unwrap()
    }

    #[test]
    fn a_heap_comes_back_in_another_process_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let first = engine(dir.path());
        let source = "class Box { #hidden = 40; add(n) { return this.#hidden += n; } }
            var box = new Box(), map = new Map([[box, 'found']]), count = 0;
            const next = () => ++count;
            function* steps() { let n = yield 'one'; yield n * 2; }
            var step = steps(); step.next();
            var settle, later = new Promise((resolve) => { settle = resolve; });
            var seen = (async () => 'after ' + await later)();
            next()";
        let (sandbox, answer) = run(&first, start(&first), source);
        assert_eq!(answer, "1");
        let mut chain = Chain::new();
        let (sandbox, whole) = snapshot(&first, sandbox, &mut chain);
        let (sandbox, _) = run(&first, sandbox, "next(); setTimeout(() => { globalThis.rang = true; }, 20)");
        let (sandbox, delta) = snapshot(&first, sandbox, &mut chain);
        assert!(whole.pages > delta.pages && delta.pages > 0, "{} {}", whole.pages, delta.pages);
        assert!(whole.bytes.len() < 60 << 10, "{}", whole.bytes.len());
        let random = run(&first, sandbox, "Math.random()").1;

        // The same data directory, as a process that starts anew has it.
        let second = engine(dir.path());
        let sandbox = resume(&second, &chain).unwrap();
        let source =
            "settle('all'); [next(), box.add(2), map.get(box), step.next(4).value, Math.random() !== RANDOM].join()";
        let source: &'static str = Box::leak(source.replace("RANDOM", &random).into_boxed_str());
        let (sandbox, answer) = run(&second, sandbox, source);
        assert_eq!(answer, "3,42,found,8,true");
        let (sandbox, answer) = run(&second, sandbox, "await seen");
        assert_eq!(answer, "after all");
        std::thread::park_timeout(Duration::from_millis(30));
        let (sandbox, answer) = run(&second, sandbox, "rang");
        assert_eq!(answer, "true");
        // And the chain goes on where it was.
        let (_, third) = snapshot(&second, sandbox, &mut chain);
        assert_eq!(third.depth, 2);
        let (_, answer) = run(&second, resume(&second, &chain).unwrap(), "[count, rang].join()");
        assert_eq!(answer, "3,true");
    }

    #[test]
    fn chains_end_in_a_whole_one_before_they_are_long() {
        let dir = tempfile::tempdir().unwrap();
        let engine = engine(dir.path());
        let (mut sandbox, mut chain, mut wholes) = (start(&engine), Chain::new(), 0);
        for n in 0..DEPTH_MAX * 2 {
            (sandbox, _) = run(&engine, sandbox, "globalThis.n = (globalThis.n ?? 0) + 1");
            let taken;
            (sandbox, taken) = snapshot(&engine, sandbox, &mut chain);
            wholes += u32::from(taken.parent.is_none());
            assert!(taken.depth <= DEPTH_MAX);
            if n % 8 == 0 {
                let answer = run(&engine, resume(&engine, &chain).unwrap(), "n").1;
                assert_eq!(answer, (n + 1).to_string());
            }
        }
        assert!((2..=8).contains(&wholes), "{wholes}");
        // One that was lost is not built on.
        sandbox.not_stored();
        let (sandbox, whole) = snapshot(&engine, sandbox, &mut chain);
        assert_eq!((whole.parent, whole.depth), (None, 0));
        // What did not change is not stored.
        let (_, nothing) = snapshot(&engine, sandbox, &mut chain);
        assert!(nothing.pages <= 1, "{}", nothing.pages);
    }

    #[test]
    fn a_script_waits_for_a_checkpoint_and_goes_on_from_it_twice() {
        let dir = tempfile::tempdir().unwrap();
        let engine = engine(dir.path());
        let source = "var steps = []; (async () => {
            const { id, restored } = await session.checkpoint();
            steps.push(id.slice(-1) + restored);
        })(); 0";
        let (sandbox, _) = run(&engine, start(&engine), source);
        assert!(sandbox.wants_checkpoint() && sandbox.pinned().is_none());
        let mut chain = Chain::new();
        let (mut sandbox, taken) = snapshot(&engine, sandbox, &mut chain);
        sandbox.checkpointed(Ok(taken.id));
        let last = taken.id.to_string().pop().unwrap();
        let (_, answer) = run(&engine, sandbox, "steps.join()");
        assert_eq!(answer, format!("{last}false"));
        let (_, answer) = run(&engine, resume(&engine, &chain).unwrap(), "steps.join()");
        assert_eq!(answer, format!("{last}true"));

        let image = engine.image(&Recipe::default()).unwrap();
        let plain = image.start(Setup::default()).unwrap();
        let (_, answer) = run(&engine, plain, "await session.checkpoint().catch((error) => error.code)");
        assert_eq!(answer, "CHECKPOINT_FAILED");
    }

    #[test]
    fn listeners_hear_what_befell_their_session() {
        let dir = tempfile::tempdir().unwrap();
        let engine = engine(dir.path());
        let source = "var heard = []; session.on('fork', (event) => { heard.push(event.type); });
            session.on('fork', () => { throw new Error('one of them throws'); });
            session.on('fork', async () => { await null; heard.push('later'); });
            session.on('save', () => ({ heard })); session.on('load', (data) => { heard = data.heard; });
            try { session.on('sleep', () => 0); } catch (error) { heard.push(error.message); }";
        let (sandbox, _) = run(&engine, start(&engine), source);
        let wake = |sandbox: Sandbox, event: &'static str, data: Option<&'static str>| {
            on_thread(&engine, move || {
                let ran = sandbox.wake(event, data, &Stop::default(), Box::new(|_| ())).done().unwrap();
                let Outcome::Value(value) = ran.outcome else { panic!("{:?}", ran.outcome) };
                (ran.sandbox.unwrap(), value.json.map(|json| json.get().to_owned()))
            })
        };
        let (sandbox, _) = wake(sandbox, "fork", None);
        let (sandbox, _) = wake(sandbox, "resume", None);
        let (sandbox, saved) = wake(sandbox, "save", None);
        let refused = "session.on: there is no event \\\"sleep\\\": resume, fork, restore, save and load are";
        assert_eq!(saved.unwrap(), format!(r#"{{"heard":["{refused}","fork","later"]}}"#));
        let (sandbox, _) = wake(sandbox, "load", Some(r#"{"heard":[1]}"#));
        assert_eq!(run(&engine, sandbox, "heard.join()").1, "1");
    }

    #[test]
    fn damage_is_found_wherever_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let engine = engine(dir.path());
        let (sandbox, _) = run(&engine, start(&engine), "var n = 1");
        let mut chain = Chain::new();
        let (sandbox, _) = snapshot(&engine, sandbox, &mut chain);
        let (sandbox, _) = run(&engine, sandbox, "n = 2");
        let (sandbox, _) = snapshot(&engine, sandbox, &mut chain);
        let (sandbox, _) = run(&engine, sandbox, "n = 3");
        snapshot(&engine, sandbox, &mut chain);
        assert_eq!(run(&engine, resume(&engine, &chain).unwrap(), "n").1, "3");
        let refused = |chain: &Chain| matches!(resume(&engine, chain), Err(RestoreError::Damaged(_)));
        for part in 0..chain.len() {
            let len = chain[part].1.len();
            for at in (0..len).step_by((len / 40).max(1)).chain([0, 31, 32, 63, 64, len - 1]) {
                let mut bad = chain.clone();
                bad[part].1[at] ^= 1 << (at % 8);
                assert!(refused(&bad), "part {part}, byte {at}");
                bad = chain.clone();
                bad[part].1.truncate(at);
                assert!(refused(&bad), "part {part}, {at} bytes");
            }
        }
        let mut bad = chain.clone();
        bad.remove(1);
        assert!(refused(&bad), "a part is missing");
        bad = chain.clone();
        bad.swap(1, 2);
        assert!(refused(&bad), "parts in another order");
        bad = chain.clone();
        bad[0].0 = Uuid::new_v4();
        assert!(refused(&bad), "another id");
        bad = chain.clone();
        bad.remove(0);
        assert!(refused(&bad) && refused(&Chain::new()), "the beginning is missing");
        let other = tempfile::tempdir().unwrap();
        assert!(matches!(resume(&self::engine(other.path()), &chain), Err(RestoreError::Damaged(_))), "another key");
    }
}
