//! Stored heaps that go elsewhere: under other names, whole again where a chain has become long, and to other installations.
use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use crate::base::{Base, hash, with_pristine};
use crate::image::Image;
use crate::limits::wasm_memory_bytes;
use crate::snapshot::{
    self, DEPTH_MAX, HEADER_BYTES_MAX, Header, PAGE, PAGES_PER_WASM_PAGE, RestoreError, SEAL_LEN, Snapshot,
    SnapshotKey, Whole, compress, decompress, read, sealed, write,
};
use crate::tickets::SavedTickets;

const ZERO: [u8; PAGE] = [0; PAGE];

/// The same heap under other names, for what a fork or a rewound session begins with: snapshots without pages that build on
/// it. Where that would make the chain longer than sessions themselves make theirs, the first is whole and the others build on
/// it. `chain`: from the full one to the one that is meant.
pub(crate) fn copies(
    key: &SnapshotKey,
    image: &str,
    chain: &[(Uuid, Vec<u8>)],
    ids: &[Uuid],
) -> Result<Vec<Snapshot>, RestoreError> {
    let damaged = RestoreError::Damaged;
    let (of, bytes) = chain.last().ok_or(damaged("there is nothing of it"))?;
    let (Some((first, others)), true) = (ids.split_first(), chain.len() > DEPTH_MAX as usize) else {
        return copies_of(key, image, (*of, bytes), chain.len() as u32, ids);
    };
    let mut all = vec![flatten(key, image, chain, *first)?];
    all.extend(copies_of(key, image, (*first, &all[0].bytes), 1, others)?);
    Ok(all)
}

/// Snapshots without pages that build on `of`; `depth` is theirs.
fn copies_of(
    key: &SnapshotKey,
    image: &str,
    (of, bytes): (Uuid, &[u8]),
    depth: u32,
    ids: &[Uuid],
) -> Result<Vec<Snapshot>, RestoreError> {
    let damaged = RestoreError::Damaged;
    let parent = bytes.get(SEAL_LEN..).and_then(|rest| rest.first_chunk()).ok_or(damaged("it is cut short"))?;
    let (parent, raw) = snapshot::open(key, image, of, parent, bytes)?;
    let (header, _) = read(&raw).ok_or(damaged("it is not what this version writes"))?;
    let timer_due = header.tickets.next_due();
    let body = compress(&write(&Header { runs: Vec::new(), note: None, ..header }, [])?)?;
    let copy = |id: &Uuid| {
        let (bytes, _) = sealed(key, image, *id, &parent, &body);
        Snapshot { id: *id, parent: Some(of), depth, pages: 0, timer_due, bytes }
    };
    Ok(ids.iter().map(copy).collect())
}

/// One whole snapshot of what a chain adds up to, without waking it.
fn flatten(key: &SnapshotKey, image: &str, chain: &[(Uuid, Vec<u8>)], id: Uuid) -> Result<Snapshot, RestoreError> {
    let mut whole = Whole::read(key, image, chain)?;
    (whole.header.runs, whole.header.note) = (runs(whole.pages.keys().copied()), None);
    let raw = write(&whole.header, whole.pieces().map(|(_, bytes)| bytes))?;
    let Header { runs, tickets, .. } = &whole.header;
    whole_of(key, image, id, runs, tickets, &raw)
}

fn whole_of(
    key: &SnapshotKey,
    image: &str,
    id: Uuid,
    runs: &[(u32, u32)],
    tickets: &SavedTickets,
    raw: &[u8],
) -> Result<Snapshot, RestoreError> {
    let pages = runs.iter().map(|(_, count)| count).sum();
    let (bytes, _) = sealed(key, image, id, &[0; SEAL_LEN], &compress(raw)?);
    Ok(Snapshot { id, parent: None, depth: 0, pages, timer_due: tickets.next_due(), bytes })
}

/// Pages in order, as runs: the first, and how many, each.
fn runs(pages: impl Iterator<Item = u32>) -> Vec<(u32, u32)> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for page in pages {
        match runs.last_mut() {
            Some((first, count)) if *first + *count == page => *count += 1,
            _ => runs.push((page, 1)),
        }
    }
    runs
}

/// Largest answer of [`Image::carry_out`] for a session of so many MiB, bytes; what can't be compressed takes a little more.
pub fn carried_bytes_max(mem_mb: u32) -> usize {
    let raw = wasm_memory_bytes(mem_mb) + HEADER_BYTES_MAX + 4;
    raw + raw / 128 + 4_096
}

impl Image {
    /// A stored heap, all of it: with the pages that are as the image has them, without those that are zero, compressed and not
    /// sealed. So it can go on with an image of the same guest that was built elsewhere, whose own memory differs. `chain`:
    /// empty where nothing ever ran. Call it on a guest thread.
    pub fn carry_out(self: &Arc<Self>, chain: &[(Uuid, Vec<u8>)]) -> Result<Vec<u8>, RestoreError> {
        let first = self.bases.of(self)?.first_page();
        let whole = match chain {
            [] => None,
            chain => Some(Whole::read(self.key(), self.hash(), chain)?),
        };
        if whole.as_ref().is_some_and(|whole| whole.header.component != self.digest()) {
            return Err(RestoreError::OtherImage);
        }
        let carried = with_pristine(self, |pristine| {
            let memory = pristine.memory()?;
            let store = &mut pristine.inner.store;
            let mut header = Header {
                memory_pages: memory.pages(store)?,
                stack_pointer: memory.stack_pointer(store)?,
                component: 0,
                runs: Vec::new(),
                tickets: SavedTickets::default(),
                states: BTreeMap::new(),
                note: None,
            };
            let list = memory.bytes(store)?;
            let memory = list.as_le_slice(&*store);
            let mut pages: BTreeMap<u32, &[u8]> = (0..).zip(memory.chunks_exact(PAGE)).skip(first as usize).collect();
            if let Some(Whole { header: last, .. }) = &whole {
                header.memory_pages = last.memory_pages;
                (header.tickets, header.states) = (last.tickets.clone(), last.states.clone());
            }
            for (first, bytes) in whole.iter().flat_map(Whole::pieces) {
                pages.extend((first..).zip(bytes.chunks_exact(PAGE)));
            }
            pages.retain(|_, bytes| **bytes != ZERO);
            header.runs = runs(pages.keys().copied());
            write(&header, pages.into_values())
        });
        Ok(compress(&carried?)?)
    }

    /// What [`Image::carry_out`] made, as a stored heap of this image, which only needs to have the same guest. `mem_mb`: what
    /// its session may have. Nothing of it runs. Call it on a guest thread.
    pub fn carry_in(self: &Arc<Self>, id: Uuid, body: &[u8], mem_mb: u32) -> Result<Snapshot, RestoreError> {
        let damaged = RestoreError::Damaged;
        let memory_max = wasm_memory_bytes(mem_mb);
        let raw = decompress(body, memory_max + HEADER_BYTES_MAX + 4);
        let raw = raw.ok_or(damaged("it can't be unpacked, or is larger than the session's limits allow"))?;
        let (header, data) = read(&raw).ok_or(damaged("it is not what this version writes"))?;
        let base = self.bases.of(self)?;
        let pages = u64::from(header.memory_pages) * u64::from(PAGES_PER_WASM_PAGE);
        if header.stack_pointer != base.stack_pointer || pages < base.hashes.len() as u64 {
            return Err(damaged("it is of another image"));
        }
        if pages * PAGE as u64 > memory_max as u64 {
            return Err(damaged("it is larger than the session's limits allow"));
        }
        let numbers = header.runs.iter().flat_map(|&(first, count)| first..first + count);
        let there: BTreeMap<u32, &[u8]> = numbers.zip(data.chunks_exact(PAGE)).collect();
        let kept = differing(base, &there);
        let header = Header { runs: runs(kept.keys().copied()), component: self.digest(), ..header };
        let raw = write(&header, kept.into_values())?;
        whole_of(self.key(), self.hash(), id, &header.runs, &header.tickets, &raw)
    }
}

/// Of a memory that is zero where it is not said to be otherwise, the pages that an image has otherwise.
fn differing<'a>(base: &Base, there: &BTreeMap<u32, &'a [u8]>) -> BTreeMap<u32, &'a [u8]> {
    let zero = hash(&ZERO);
    let mut kept: BTreeMap<u32, &[u8]> = there
        .iter()
        .filter(|(page, bytes)| hash(bytes) != base.get(**page))
        .map(|(page, bytes)| (*page, *bytes))
        .collect();
    for (page, image) in (0..).zip(&base.hashes).skip(base.first_page() as usize) {
        if *image != zero && !there.contains_key(&page) {
            kept.insert(page, &ZERO);
        }
    }
    // The dead part of the shadow stack is nobody's.
    kept.retain(|page, _| *page >= base.first_page());
    kept
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::limits::Stop;
    use crate::{Config, Engine, Mode, Outcome, Recipe, Sandbox, Script, Setup};

    type Chain = Vec<(Uuid, Vec<u8>)>;

    fn engine(dir: &std::path::Path) -> Engine {
        Engine::new(Config { data_dir: dir.to_owned(), sessions_max: 4, ..Config::default() }).unwrap()
    }

    fn on_thread<T: Send + 'static>(engine: &Engine, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (send, done) = mpsc::channel();
        engine.spawn(move || send.send(job()).unwrap());
        done.recv().unwrap()
    }

    fn run(engine: &Engine, sandbox: Sandbox, source: &'static str) -> (Sandbox, String) {
        on_thread(engine, move || {
            let script = Script { prologue: "", source, name: "test.js", mode: Mode::Script };
            let ran = sandbox.run(script, &Stop::default(), Box::new(|_| ())).done().unwrap();
            let Outcome::Value(value) = ran.outcome else { panic!("{:?}", ran.outcome) };
            (ran.sandbox.unwrap(), value.preview)
        })
    }

    fn bare(engine: &Engine) -> Arc<Image> {
        engine.image(&Recipe::default()).unwrap()
    }

    fn resume(engine: &Engine, chain: &Chain) -> Sandbox {
        let (image, chain) = (bare(engine), chain.clone());
        on_thread(engine, move || image.resume(Setup { durable: true, ..Setup::default() }, &chain).unwrap())
    }

    fn stored(engine: &Engine, mut sandbox: Sandbox, chain: &mut Chain) -> Sandbox {
        let (sandbox, taken) = on_thread(engine, move || {
            let taken = sandbox.snapshot(Uuid::new_v4()).unwrap();
            (sandbox, taken)
        });
        chain.push((taken.id, taken.bytes));
        sandbox
    }

    #[test]
    fn copies_of_copies_are_whole_before_their_chain_is_long() {
        let dir = tempfile::tempdir().unwrap();
        let engine = engine(dir.path());
        let image = bare(&engine);
        let sandbox = image.start(Setup { durable: true, ..Setup::default() }).unwrap();
        let source = "var n = 1, list = Array.from({ length: 3000 }, (_, i) => ({ i }));
            setTimeout(() => { n = 2; }, 3600_000); n";
        let (sandbox, _) = run(&engine, sandbox, source);
        let mut chain = Chain::new();
        let sandbox = stored(&engine, sandbox, &mut chain);
        let (sandbox, _) = run(&engine, sandbox, "list.length = 10; list[9].i = 'nine'; n");
        stored(&engine, sandbox, &mut chain);
        let mut wholes = 0;
        for _ in 0..DEPTH_MAX * 2 {
            let ids = [Uuid::new_v4(), Uuid::new_v4()];
            let made = engine.copies(image.hash(), &chain, &ids).unwrap();
            assert_eq!((made[0].id, made[1].id), (ids[0], ids[1]));
            assert!(made.iter().all(|made| made.timer_due.is_some() && made.depth <= DEPTH_MAX));
            if made[0].parent.is_none() {
                wholes += 1;
                assert_eq!((made[0].depth, made[1].depth, made[1].parent), (0, 1, Some(ids[0])));
                assert!(made[0].pages > 0 && made[1].pages == 0);
                chain.clear();
                chain.push((ids[0], made[0].bytes.clone()));
            } else {
                assert_eq!((made[0].parent, made[0].depth as usize), (chain.last().map(|last| last.0), chain.len()));
            }
            chain.push((ids[1], made[1].bytes.clone()));
            if made[0].parent.is_some() {
                assert_eq!(made[1].parent, made[0].parent);
            }
        }
        assert_eq!(wholes, 2);
        let answer = run(&engine, resume(&engine, &chain), "[n, list.length, list[9].i, list[8].i].join()").1;
        assert_eq!(answer, "1,10,nine,8");
        // A part that was changed is noticed before it is written again.
        while chain.len() <= DEPTH_MAX as usize {
            let made = engine.copies(image.hash(), &chain, &[Uuid::new_v4()]).unwrap();
            chain.push((made[0].id, made[0].bytes.clone()));
        }
        let at = chain[0].1.len() / 2;
        chain[0].1[at] ^= 1;
        let refused = engine.copies(image.hash(), &chain, &[Uuid::new_v4()]);
        assert!(matches!(refused, Err(RestoreError::Damaged(_))), "{refused:?}");
    }

    #[test]
    fn a_heap_goes_on_in_another_installation() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (here, there) = (engine(here.path()), engine(there.path()));
        let sandbox = bare(&here).start(Setup { durable: true, ..Setup::default() }).unwrap();
        let (sandbox, _) = run(&here, sandbox, "var n = 1; const next = () => ++n; var big = 'x'.repeat(6e7); next()");
        let mut chain = Chain::new();
        let sandbox = stored(&here, sandbox, &mut chain);
        let (sandbox, _) = run(&here, sandbox, "big = ''; next()");
        stored(&here, sandbox, &mut chain);
        for (chain, source, expected) in
            [(chain, "[next(), next(), big.length].join()", "4,5,0"), (Chain::new(), "typeof next", "undefined")]
        {
            let image = bare(&here);
            let body = on_thread(&here, move || image.carry_out(&chain).unwrap());
            let image = bare(&there);
            let (taken, refused) = on_thread(&there, move || {
                let mut bad = body.clone();
                let at = bad.len() / 2;
                bad.truncate(at);
                let refused = [image.carry_in(Uuid::nil(), &bad, 128), image.carry_in(Uuid::nil(), &body, 4)];
                (image.carry_in(Uuid::new_v4(), &body, 128).unwrap(), refused)
            });
            assert!(matches!(refused[0], Err(RestoreError::Damaged(_))));
            // One that never grew beyond its image fits into whatever an image fits into.
            assert!(refused[1].is_err() == (expected == "4,5,0"));
            assert_eq!((taken.parent, taken.depth), (None, 0));
            // What is as the image there has it is not stored; each build of an image has its own clock and seeds in it.
            assert!(taken.pages < if expected == "4,5,0" { 16_000 } else { 120 }, "{}", taken.pages);
            assert_eq!(run(&there, resume(&there, &vec![(taken.id, taken.bytes)]), source).1, expected);
        }
    }

    #[test]
    fn a_heap_does_not_go_on_with_another_build_of_its_image() {
        let dir = tempfile::tempdir().unwrap();
        let first = engine(dir.path());
        let sandbox = bare(&first).start(Setup { durable: true, ..Setup::default() }).unwrap();
        let (sandbox, _) = run(&first, sandbox, "var map = new Map([[{}, 1]])");
        let mut chain = Chain::new();
        drop((stored(&first, sandbox, &mut chain), first));
        let is_of_image = |name: &std::fs::DirEntry| {
            name.path().extension().is_some_and(|found| found == "cwasm" || found == "component")
        };
        for entry in std::fs::read_dir(dir.path()).unwrap().flatten().filter(is_of_image) {
            std::fs::remove_file(entry.path()).unwrap();
        }
        let again = engine(dir.path());
        let image = bare(&again);
        let refused =
            on_thread(&again, move || [image.resume(Setup::default(), &chain).err(), image.carry_out(&chain).err()]);
        assert!(refused.iter().all(|error| matches!(error, Some(RestoreError::OtherImage))), "{refused:?}");
    }
}
