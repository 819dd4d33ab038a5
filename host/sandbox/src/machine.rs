//! What this machine imposes on how many sessions can be live.
use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::Serialize;

/// Memory maps of one live session: its memory, its tables, guard pages.
const MAPS_PER_SESSION: u64 = 4;
/// Address space of one slot: wasmtime's default reservation of 4 GiB and its guard of 32 MiB.
const ADDRESS_BYTES_PER_SESSION: u64 = (4 << 30) + (32 << 20);
/// Private memory of one live session after a little use, bytes.
const PRIVATE_BYTES_PER_SESSION: u64 = 100 << 10;
/// Open files of a server beside its sessions': connections, database, images.
const OPEN_FILES_SPARE: u64 = 512;
/// User address space of x86-64 with four-level page tables.
const ADDRESS_BYTES: u64 = 1 << 47;

/// One limit of the machine.
#[derive(Clone, Debug, Serialize)]
pub struct HostLimit {
    /// What it is called.
    pub name: String,
    /// What it is set to.
    pub value: String,
    /// How many live sessions it allows, if it can be told.
    pub sessions: Option<u64>,
    /// What to set for more.
    pub advice: Option<String>,
}

/// Every limit that was found; those that can't be read are left out.
pub fn host_limits() -> Vec<HostLimit> {
    [map_count(), address_space(), open_files(), memory()].into_iter().flatten().collect()
}

fn map_count() -> Option<HostLimit> {
    let value: u64 = fs::read_to_string("/proc/sys/vm/max_map_count").ok()?.trim().parse().ok()?;
    Some(HostLimit {
        name: "vm.max_map_count".to_owned(),
        value: value.to_string(),
        sessions: Some(value.saturating_sub(1_000) / MAPS_PER_SESSION),
        advice: Some(format!("sysctl -w vm.max_map_count={}", (value * 4).max(262_144))),
    })
}

fn address_space() -> Option<HostLimit> {
    let limit = getrlimit(Resource::As).current;
    let bytes = limit.unwrap_or(ADDRESS_BYTES);
    Some(HostLimit {
        name: "address space (RLIMIT_AS)".to_owned(),
        value: limit.map_or_else(|| "unlimited".to_owned(), |bytes| format!("{} MiB", bytes >> 20)),
        sessions: Some(bytes / ADDRESS_BYTES_PER_SESSION),
        advice: limit.is_some().then(|| "ulimit -v unlimited".to_owned()),
    })
}

/// Each session of a server holds its worktree open.
fn open_files() -> Option<HostLimit> {
    let limits = getrlimit(Resource::Nofile);
    // What `raise_open_files` gets.
    let most = limits.maximum.or(limits.current)?;
    Some(HostLimit {
        name: "open files (RLIMIT_NOFILE)".to_owned(),
        value: most.to_string(),
        sessions: Some(most.saturating_sub(OPEN_FILES_SPARE)),
        advice: Some("ulimit -Hn 65536, or LimitNOFILE= of the service".to_owned()),
    })
}

/// Lets this process open as many files as it may, and answers how many that is: None when there is no limit.
pub fn raise_open_files() -> Option<u64> {
    let limits = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limits.maximum, maximum: limits.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit on open files was not raised");
    }
    getrlimit(Resource::Nofile).current
}

fn memory() -> Option<HostLimit> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemAvailable:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(HostLimit {
        name: "available memory".to_owned(),
        value: format!("{} MiB", kib >> 10),
        sessions: Some((kib << 10) / PRIVATE_BYTES_PER_SESSION),
        advice: None,
    })
}
