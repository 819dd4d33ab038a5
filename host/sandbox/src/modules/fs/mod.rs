//! `fs`: files beneath the session's root.
mod beneath;
mod buffers;
mod files;
mod grant;
mod handles;
mod quota;
mod text;
mod tree;
mod types;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use wasmtime::component::{ComponentNamedList, ComponentType, Lift, Lower, WasmStr};

use self::beneath::{Beneath, Done, Need};
pub(crate) use self::buffers::Buffers;
use self::grant::Grant;
use self::quota::Quota;
use self::types::{Change, Making, Target};
use super::{
    Answer, Facade, Failure, Given, Interface, Linking, Module, State, Store, Traffic, always, grant_of, read_saved,
    unusable,
};
use crate::host::Host;
use crate::limits::{Verdict, host_text_bytes};
use crate::room::Room;
use crate::root::PathError;

pub(super) static MODULE: Module = Module {
    name: "fs",
    version: "0.3.0",
    docs: "Files and directories beneath the session's worktree, as in Node: synchronous, as promises, and as streams. A path can't leave that root, whatever it looks like.",
    interface: Some(Interface { name: "vm:fs/files@0.3.0", wit: include_str!("../../../../../wit/fs/fs.wit"), link }),
    before: &[("vm:fs/files@0.2.0", link_before)],
    facade: Some(Facade { source: include_str!("fs.js"), types: include_str!("fs.d.ts") }),
    grant_schema: grant::SCHEMA,
    check_grant: grant_of::<Grant>,
    limits: &[
        ("path_bytes_max", 4_096, "a longer path is refused with ENAMETOOLONG"),
        ("handles_max", handles::HANDLES_MAX as u64, "open files of a session; another is refused with EMFILE"),
        ("file_bytes_max", files::FILE_BYTES_MAX, "what would make a file larger is refused with EFBIG"),
        (
            "read_mb_base",
            8,
            "a file of more than this and a quarter of `mem_mb` is read by parts; as a whole it is EFBIG",
        ),
        (
            "entries_max",
            tree::ENTRIES_MAX as u64,
            "directories with more are not listed, and not removed in one call: ENOBUFS",
        ),
        ("depth_max", tree::DEPTH_MAX as u64, "deeper trees are not removed in one call: ENOBUFS"),
        ("work_max", WORK_MAX as u64, "asynchronous calls of a session that go on at once; more wait for their turn"),
    ],
    parts: &[("fs/promises", "promises")],
    unavailable: always,
    ..Module::BASE
};

/// Asynchronous calls of one session that may occupy threads at once.
const WORK_MAX: usize = 4;

/// Asked between two pieces of work: false when whoever waits for it is gone or has to stop.
type Check<'a> = &'a mut dyn FnMut() -> bool;

/// The piece that was done was the last one if nobody waits for the rest.
fn go_on(check: Check<'_>, call: &'static str, path: &str) -> Done<()> {
    if check() { Ok(()) } else { Err(PathError::new("ECANCELED", "operation canceled", call, path)) }
}

/// A session's files.
struct Files(Arc<Shared>);

/// What a snapshot has of them.
#[derive(Serialize, Deserialize)]
struct Saved {
    quota: quota::Left,
    open: Vec<handles::Saved>,
}

/// What work on other threads shares with the session.
struct Shared {
    /// None: the session has no root.
    beneath: Option<Beneath>,
    quota: Quota,
    handles: handles::Handles,
    buffers: Arc<Buffers>,
    work: Arc<Semaphore>,
    /// Largest text or data that goes into the guest at once.
    bytes_max: usize,
}

impl State for Files {
    const MODULE: &'static str = "fs";
    type Grant = Grant;

    fn open(grant: Grant, host: &Host) -> Answer<Files> {
        let Grant { access, roots, quota_kb, files_max } = grant;
        Ok(Files(Arc::new(Shared {
            beneath: host.root.clone().map(|root| Beneath::new(root, access, roots)),
            quota: Quota::new(quota_kb, files_max),
            handles: handles::Handles::default(),
            buffers: Arc::clone(&host.buffers),
            work: Arc::new(Semaphore::new(WORK_MAX)),
            bytes_max: host_text_bytes(host.meter.limits().mem_mb),
        })))
    }

    fn save(&self) -> Option<serde_json::Value> {
        let Shared { beneath, quota, handles, .. } = &*self.0;
        let saved = Saved { quota: quota.save(), open: handles.save(beneath.as_ref()) };
        serde_json::to_value(saved).ok()
    }

    fn restore(&mut self, saved: serde_json::Value) -> Answer<()> {
        let Saved { quota, open } = read_saved("fs", saved)?;
        // Nobody shares it yet.
        let shared = Arc::get_mut(&mut self.0).ok_or_else(|| unusable("fs"))?;
        shared.handles = handles::Handles::restored(open).ok_or_else(|| unusable("fs"))?;
        shared.quota.restore(quota);
        Ok(())
    }
}

impl Shared {
    fn beneath(&self) -> Done<&Beneath> {
        self.beneath.as_ref().ok_or_else(|| PathError::new("EACCES", "this session has no root directory", "open", "."))
    }
}

/// Tells work on another thread that nobody waits for it any more.
#[derive(Default)]
struct Gone(Arc<AtomicBool>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs `body` where it may block.
async fn elsewhere<P, T>(files: Arc<Shared>, results: Arc<Room>, given: P, body: Body<P, T>) -> Answer<T>
where
    P: Send + 'static,
    T: Send + 'static,
{
    let closed = |_| Failure::new("ECANCELED", "ECANCELED: operation canceled");
    let permit = Arc::clone(&files.work).acquire_owned().await.map_err(closed)?;
    // In its turn, and not before: else all that a script asks for at once would find room.
    results.left().await;
    let gone = Gone::default();
    let flag = Arc::clone(&gone.0);
    let work = tokio::task::spawn_blocking(move || {
        // Given back when the thread is free, and not when nobody waits any more.
        let _permit = permit;
        body(&files, given, &mut || !flag.load(Ordering::Relaxed))
    });
    let done = work.await;
    drop(gone);
    done.map_err(|_| Failure::new("EIO", "EIO: input/output error"))?.map_err(Failure::from)
}

type Body<P, T> = fn(&Shared, P, Check<'_>) -> Done<T>;

/// Links one operation twice: at once, and later.
fn both<P, T>(linking: &mut Linking<'_>, names: [&'static str; 2], body: Body<P, T>) -> wasmtime::Result<()>
where
    P: ComponentNamedList + Lift + Traffic + Given + Send + 'static,
    T: ComponentType + Lower + Traffic + Send + 'static,
{
    let files = |store: &mut Store<'_>| store.data_mut().state::<Files>().map(|files| Arc::clone(&files.0));
    linking.both(
        names,
        move |store, given: P| {
            let files = files(store);
            let mut check = || store.data_mut().meter.poll() == Verdict::Go;
            Ok(files.and_then(|files| body(&files, given, &mut check).map_err(Failure::from)))
        },
        move |store, given: P| {
            let results = Arc::clone(store.data().tickets.results());
            Ok(files(store).map(|files| elsewhere(files, results, given, body)))
        },
    )
}

fn link(linking: &mut Linking<'_>) -> wasmtime::Result<()> {
    both(linking, ["stat-sync", "stat"], |files, (target, follow): (Target, bool), check| match target {
        Target::Path(path) => tree::stat(files, (path, follow), check),
        Target::Handle(handle) => files::stat_open(files, (handle,), check),
    })?;
    both(linking, ["truncate-sync", "truncate"], |files, (target, size): (Target, u64), check| match target {
        Target::Path(path) => files::truncate(files, (path, size), check),
        Target::Handle(handle) => files::truncate_open(files, (handle, size), check),
    })?;
    both(
        linking,
        ["make-directory-sync", "make-directory"],
        |files, (path, what): (String, Making), check| match what {
            Making::One => tree::make_directory(files, (path, false), check),
            Making::All => tree::make_directory(files, (path, true), check),
            Making::Temporary => tree::make_temporary(files, (path,), check).map(Some),
        },
    )?;
    both(
        linking,
        ["read-link-sync", "read-link"],
        |files, (path, canonical): (String, bool), check| match canonical {
            false => tree::read_link(files, (path,), check),
            true => tree::real_path(files, (path,), check),
        },
    )?;
    both(linking, ["apply-sync", "apply"], |files, (path, what): (String, Change), check| match what {
        Change::Remove((what, force)) => tree::remove(files, (path, what, force), check),
        Change::Rename(to) => tree::rename(files, (path, to), check),
        Change::Copy((to, exclusive)) => files::copy_file(files, (path, to, exclusive), check),
        Change::Link(target) => tree::make_link(files, (target, path), check),
        Change::Times((accessed, modified)) => tree::set_times(files, (path, accessed, modified), check),
    })?;
    common(linking)
}

/// Version 0.2.0, for heaps that were stored with it.
fn link_before(linking: &mut Linking<'_>) -> wasmtime::Result<()> {
    both(linking, ["stat-sync", "stat"], tree::stat)?;
    both(linking, ["stat-open-sync", "stat-open"], files::stat_open)?;
    both(linking, ["truncate-sync", "truncate"], files::truncate)?;
    both(linking, ["truncate-open-sync", "truncate-open"], files::truncate_open)?;
    both(linking, ["make-directory-sync", "make-directory"], tree::make_directory)?;
    both(linking, ["make-temporary-sync", "make-temporary"], tree::make_temporary)?;
    both(linking, ["real-path-sync", "real-path"], tree::real_path)?;
    both(linking, ["read-link-sync", "read-link"], tree::read_link)?;
    both(linking, ["remove-sync", "remove"], tree::remove)?;
    both(linking, ["rename-sync", "rename"], tree::rename)?;
    both(linking, ["copy-file-sync", "copy-file"], files::copy_file)?;
    both(linking, ["make-link-sync", "make-link"], tree::make_link)?;
    both(linking, ["set-times-sync", "set-times"], tree::set_times)?;
    common(linking)
}

/// What the versions of the interface have in common.
fn common(linking: &mut Linking<'_>) -> wasmtime::Result<()> {
    linking.function("exists-sync", |store, (path,): (WasmStr,)| {
        let files = store.data_mut().state::<Files>().map(|files| Arc::clone(&files.0));
        let path = path.to_str(&*store)?;
        let looked = files
            .is_ok_and(|files| files.beneath().and_then(|beneath| beneath.look(&path, Need::Read, "access")).is_ok());
        Ok((looked,))
    })?;
    both(linking, ["read-file-sync", "read-file"], files::read_file)?;
    both(linking, ["read-text-sync", "read-text"], files::read_text)?;
    both(linking, ["write-file-sync", "write-file"], files::write_file)?;
    both(linking, ["access-sync", "access"], tree::access)?;
    both(linking, ["read-directory-sync", "read-directory"], tree::read_directory)?;
    both(linking, ["open-sync", "open"], files::open)?;
    both(linking, ["close-sync", "close"], files::close)?;
    both(linking, ["read-sync", "read"], files::read)?;
    both(linking, ["write-sync", "write"], files::write)
}

impl From<PathError> for Failure {
    fn from(error: PathError) -> Failure {
        Failure::new(error.code(), error.to_string())
    }
}
