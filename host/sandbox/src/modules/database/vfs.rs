//! The file system that guests' databases live in: SQLite's own for Unix, in a straitjacket.
//!
//! A database is opened as `/proc/self/fd/N/name`, where N is its directory, resolved beneath the session's root and held
//! open (see `Root::place`). The kernel follows that first part to the open directory itself and not to its name, SQLite
//! opens the last part with `O_NOFOLLOW`, and it makes the names of side files by appending to the database's: so whatever
//! is renamed or linked meanwhile, everything it opens lies in that very directory.
//!
//! SQLite's own `unix` would not do. It resolves the name to an absolute path and opens that later. A rollback journal
//! that someone made up names further files ("super-journals") at any path, which are read and deleted. And a database in
//! WAL mode is used through a memory-mapped file: whoever shortens it kills the process. Hence here: names are taken as they
//! are; nothing but the operation's own database and its journal is opened, looked at or deleted; there is no shared
//! memory and no mapping, so no WAL; and no temporary files, which would lie outside of every quota (`temp_store`
//! is memory, which is counted).
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::sync::{Mutex, OnceLock, PoisonError};

use rusqlite::ffi::{self, sqlite3_file, sqlite3_io_methods, sqlite3_vfs};

use super::operation;

/// What it is called among SQLite's.
pub(super) const NAME: &CStr = c"vm-beneath";

/// SQLite's own, which does the work.
struct Base(*mut sqlite3_vfs);

// SAFETY: SQLite never changes or frees a file system that is registered, and calls it from any thread itself.
unsafe impl Send for Base {}
// SAFETY: the same.
unsafe impl Sync for Base {}

static BASE: OnceLock<Option<Base>> = OnceLock::new();

/// Registers it; false when SQLite has none to build on.
pub(super) fn register() -> bool {
    BASE.get_or_init(|| {
        // SAFETY: the name is a C string; the answer is null or lives as long as the process.
        let base = unsafe { ffi::sqlite3_vfs_find(c"unix".as_ptr()) };
        // SAFETY: not null, and never written to after its registration.
        let mut own = *unsafe { base.as_ref() }?;
        own.zName = NAME.as_ptr();
        own.pNext = ptr::null_mut();
        own.xOpen = Some(open);
        own.xDelete = Some(delete);
        own.xAccess = Some(access);
        own.xFullPathname = Some(full_pathname);
        own.xDlOpen = Some(no_library);
        let own = Box::into_raw(Box::new(own));
        // SAFETY: `own` is complete and never freed.
        (unsafe { ffi::sqlite3_vfs_register(own, 0) } == ffi::SQLITE_OK).then_some(Base(base))
    })
    .is_some()
}

fn base() -> Option<(*mut sqlite3_vfs, &'static sqlite3_vfs)> {
    let Base(base) = BASE.get()?.as_ref()?;
    // SAFETY: as in `register`.
    Some((*base, unsafe { base.as_ref() }?))
}

/// Whether SQLite names one of the operation's own files.
///
/// # Safety
/// `name` is null or a C string.
unsafe fn is_own(name: *const c_char) -> bool {
    !name.is_null() && {
        // SAFETY: the caller's promise.
        let name = unsafe { CStr::from_ptr(name) };
        operation::is_own_file(name) || operation::is_own_journal(name)
    }
}

unsafe extern "C" fn open(
    _: *mut sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut sqlite3_file,
    flags: c_int,
    flags_out: *mut c_int,
) -> c_int {
    let Some((base, methods)) = base() else { return ffi::SQLITE_CANTOPEN };
    // SAFETY: SQLite gives a name or null, and a file of the size that this file system asked for, which is the base's.
    unsafe {
        // First of all: SQLite closes a file that has methods, opened or not.
        (*file).pMethods = ptr::null();
        let kind = flags & 0x000f_ff00;
        let own = kind == ffi::SQLITE_OPEN_MAIN_DB || kind == ffi::SQLITE_OPEN_MAIN_JOURNAL;
        if !own || !is_own(name) {
            return ffi::SQLITE_CANTOPEN;
        }
        let Some(open) = methods.xOpen else { return ffi::SQLITE_CANTOPEN };
        let answer = open(base, name, file, flags, flags_out);
        if !(*file).pMethods.is_null() {
            (*file).pMethods = without_mapping((*file).pMethods);
        }
        answer
    }
}

/// The same methods as of a file system without shared memory and mapped files. SQLite has two or three tables, so that
/// copies of them may stay for good.
///
/// # Safety
/// `methods` is one of the base's tables.
unsafe fn without_mapping(methods: *const sqlite3_io_methods) -> *const sqlite3_io_methods {
    static TABLES: Mutex<Vec<(usize, &'static Table)>> = Mutex::new(Vec::new());
    let mut tables = TABLES.lock().unwrap_or_else(PoisonError::into_inner);
    let known = tables.iter().find(|(of, _)| *of == methods.addr()).map(|(_, table)| *table);
    let table = known.unwrap_or_else(|| {
        // SAFETY: the caller's promise: a constant of SQLite's.
        let copy = sqlite3_io_methods { iVersion: 1, ..unsafe { *methods } };
        let table: &'static Table = Box::leak(Box::new(Table(copy)));
        tables.push((methods.addr(), table));
        table
    });
    &raw const table.0
}

struct Table(sqlite3_io_methods);

// SAFETY: functions and no state.
unsafe impl Send for Table {}
// SAFETY: the same.
unsafe impl Sync for Table {}

unsafe extern "C" fn delete(_: *mut sqlite3_vfs, name: *const c_char, sync: c_int) -> c_int {
    // SAFETY: SQLite gives a C string; the base takes its own pointer.
    unsafe {
        let own = !name.is_null() && operation::is_own_journal(CStr::from_ptr(name));
        match base() {
            Some((base, sqlite3_vfs { xDelete: Some(delete), .. })) if own => delete(base, name, sync),
            _ => ffi::SQLITE_IOERR_DELETE,
        }
    }
}

unsafe extern "C" fn access(_: *mut sqlite3_vfs, name: *const c_char, flags: c_int, found: *mut c_int) -> c_int {
    // SAFETY: as in `delete`; `found` is SQLite's to write to.
    unsafe {
        match base() {
            Some((base, sqlite3_vfs { xAccess: Some(access), .. })) if is_own(name) => access(base, name, flags, found),
            _ => {
                // For all that can be seen from here it is not there.
                *found = 0;
                ffi::SQLITE_OK
            }
        }
    }
}

/// A name is what it is: nothing is looked up, so nothing can change between looking and opening.
unsafe extern "C" fn full_pathname(_: *mut sqlite3_vfs, name: *const c_char, room: c_int, out: *mut c_char) -> c_int {
    // SAFETY: SQLite gives a C string, and `room` bytes at `out`.
    unsafe {
        let bytes = CStr::from_ptr(name).to_bytes_with_nul();
        if usize::try_from(room).is_ok_and(|room| bytes.len() <= room) {
            ptr::copy_nonoverlapping(bytes.as_ptr().cast(), out, bytes.len());
            ffi::SQLITE_OK
        } else {
            ffi::SQLITE_CANTOPEN
        }
    }
}

unsafe extern "C" fn no_library(_: *mut sqlite3_vfs, _: *const c_char) -> *mut c_void {
    ptr::null_mut()
}
