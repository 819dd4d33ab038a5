//! What SQLite allocates for guests, counted and bounded.
//!
//! SQLite's own limit on its heap is one for the process, and our database lives in it too: a guest at that limit would
//! make the server's commits fail. So SQLite's allocator is replaced, and what is allocated while a guest's statement
//! runs on a thread is charged to that guest. Sorting, temporary tables and databases in memory all count.
use std::alloc::Layout;
use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use rusqlite::ffi;

use super::operation;

/// One session's memory in SQLite.
#[derive(Debug)]
pub(crate) struct Account {
    used: AtomicUsize,
    max: usize,
}

/// Bytes from where on an allocation gets more than was asked for.
const LARGE: usize = 64 << 10;

/// In front of every allocation. As large as SQLite wants allocations aligned, twice.
#[repr(C, align(16))]
struct Header {
    /// Bytes behind the header.
    size: usize,
    /// An `Arc` of its own; null for what is not a guest's.
    account: *const Account,
}

impl Account {
    pub(super) fn new(max: usize) -> Arc<Account> {
        Arc::new(Account { used: AtomicUsize::new(0), max })
    }

    fn charge(&self, bytes: usize) -> bool {
        let before = self.used.fetch_add(bytes, Ordering::Relaxed);
        let fits = before + bytes <= self.max;
        if !fits {
            self.used.fetch_sub(bytes, Ordering::Relaxed);
        }
        fits
    }
}

/// Puts the allocator in place. It must come before anything else of SQLite's in the process, which decides it for good:
/// false when it came too late, and then no database is opened for a guest.
pub fn bounded() -> bool {
    static DONE: OnceLock<bool> = OnceLock::new();
    *DONE.get_or_init(|| {
        let mut methods = ffi::sqlite3_mem_methods {
            xMalloc: Some(malloc),
            xFree: Some(free),
            xRealloc: Some(realloc),
            xSize: Some(size),
            xRoundup: Some(round_up),
            xInit: Some(init),
            xShutdown: Some(shut_down),
            pAppData: ptr::null_mut(),
        };
        // SAFETY: SQLite copies the methods, and refuses (SQLITE_MISUSE) once it is initialised.
        let answer = unsafe { ffi::sqlite3_config(ffi::SQLITE_CONFIG_MALLOC, &raw mut methods) };
        answer == ffi::SQLITE_OK
    })
}

/// Large ones get some more, which SQLite learns by asking for their size: near its own limits it grows texts by as little as
/// it needs, and copying them at each growth would take the square of their length.
fn roomy(bytes: usize) -> usize {
    if bytes <= LARGE { bytes } else { bytes.next_multiple_of(bytes.next_power_of_two() / 16) }
}

fn layout(bytes: usize) -> Option<Layout> {
    Layout::from_size_align(bytes.checked_add(size_of::<Header>())?, align_of::<Header>()).ok()
}

unsafe extern "C" fn malloc(bytes: c_int) -> *mut c_void {
    let Ok(bytes) = usize::try_from(bytes) else { return ptr::null_mut() };
    let bytes = roomy(bytes);
    let Some(layout) = layout(bytes) else { return ptr::null_mut() };
    let account = operation::account();
    if account.as_ref().is_some_and(|account| !account.charge(bytes)) {
        return ptr::null_mut();
    }
    // SAFETY: the layout has room for the header, so it is not empty.
    let start = unsafe { std::alloc::alloc(layout) }.cast::<Header>();
    if start.is_null() {
        if let Some(account) = account {
            account.used.fetch_sub(bytes, Ordering::Relaxed);
        }
        return ptr::null_mut();
    }
    let account = account.map_or(ptr::null(), Arc::into_raw);
    // SAFETY: fresh, aligned, and large enough for the header and what follows it.
    unsafe {
        start.write(Header { size: bytes, account });
        start.add(1).cast()
    }
}

unsafe extern "C" fn free(given: *mut c_void) {
    if given.is_null() {
        return;
    }
    // SAFETY: SQLite frees what `malloc` gave it, once; the header lies in front and says how large it is.
    unsafe {
        let start = given.cast::<Header>().sub(1);
        let Header { size, account } = start.read();
        if !account.is_null() {
            Arc::from_raw(account).used.fetch_sub(size, Ordering::Relaxed);
        }
        if let Some(layout) = layout(size) {
            std::alloc::dealloc(start.cast(), layout);
        }
    }
}

unsafe extern "C" fn realloc(given: *mut c_void, bytes: c_int) -> *mut c_void {
    // Charged to whoever asks now, which is what had it before but for what the process shares.
    // SAFETY: both are ours, do not overlap, and are as long as their headers say.
    unsafe {
        let had = size(given);
        if had >= bytes && had / 2 <= bytes {
            return given;
        }
        let fresh = malloc(bytes);
        if !fresh.is_null() && !given.is_null() {
            let kept = had.min(bytes);
            ptr::copy_nonoverlapping(given.cast::<u8>(), fresh.cast::<u8>(), usize::try_from(kept).unwrap_or(0));
            free(given);
        }
        fresh
    }
}

unsafe extern "C" fn size(given: *mut c_void) -> c_int {
    if given.is_null() {
        return 0;
    }
    // SAFETY: the header lies in front of what `malloc` gave.
    let size = unsafe { (*given.cast::<Header>().sub(1)).size };
    c_int::try_from(size).unwrap_or(0)
}

unsafe extern "C" fn round_up(bytes: c_int) -> c_int {
    bytes.saturating_add(7) & !7
}

unsafe extern "C" fn init(_: *mut c_void) -> c_int {
    ffi::SQLITE_OK
}

unsafe extern "C" fn shut_down(_: *mut c_void) {}
