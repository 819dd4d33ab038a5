//! SQLite's errors as JavaScript sees them: `code` by SQLite's own name, `message` by its own text.
use rusqlite::{Error, ffi};

use super::live::Bounds;
use crate::modules::Failure;

/// Extended codes that tell scripts more than their primary code does.
const EXTENDED: &[(i32, &str)] = &[
    (ffi::SQLITE_CONSTRAINT_CHECK, "SQLITE_CONSTRAINT_CHECK"),
    (ffi::SQLITE_CONSTRAINT_DATATYPE, "SQLITE_CONSTRAINT_DATATYPE"),
    (ffi::SQLITE_CONSTRAINT_FOREIGNKEY, "SQLITE_CONSTRAINT_FOREIGNKEY"),
    (ffi::SQLITE_CONSTRAINT_NOTNULL, "SQLITE_CONSTRAINT_NOTNULL"),
    (ffi::SQLITE_CONSTRAINT_PRIMARYKEY, "SQLITE_CONSTRAINT_PRIMARYKEY"),
    (ffi::SQLITE_CONSTRAINT_ROWID, "SQLITE_CONSTRAINT_ROWID"),
    (ffi::SQLITE_CONSTRAINT_TRIGGER, "SQLITE_CONSTRAINT_TRIGGER"),
    (ffi::SQLITE_CONSTRAINT_UNIQUE, "SQLITE_CONSTRAINT_UNIQUE"),
    (ffi::SQLITE_BUSY_SNAPSHOT, "SQLITE_BUSY_SNAPSHOT"),
    (ffi::SQLITE_READONLY_DBMOVED, "SQLITE_READONLY_DBMOVED"),
    (ffi::SQLITE_READONLY_ROLLBACK, "SQLITE_READONLY_ROLLBACK"),
];

const PRIMARY: [&str; 27] = [
    "SQLITE_OK",
    "SQLITE_ERROR",
    "SQLITE_INTERNAL",
    "SQLITE_PERM",
    "SQLITE_ABORT",
    "SQLITE_BUSY",
    "SQLITE_LOCKED",
    "SQLITE_NOMEM",
    "SQLITE_READONLY",
    "SQLITE_INTERRUPT",
    "SQLITE_IOERR",
    "SQLITE_CORRUPT",
    "SQLITE_NOTFOUND",
    "SQLITE_FULL",
    "SQLITE_CANTOPEN",
    "SQLITE_PROTOCOL",
    "SQLITE_EMPTY",
    "SQLITE_SCHEMA",
    "SQLITE_TOOBIG",
    "SQLITE_CONSTRAINT",
    "SQLITE_MISMATCH",
    "SQLITE_MISUSE",
    "SQLITE_NOLFS",
    "SQLITE_AUTH",
    "SQLITE_FORMAT",
    "SQLITE_RANGE",
    "SQLITE_NOTADB",
];

fn code(extended: i32) -> &'static str {
    let known = EXTENDED.iter().find(|(code, _)| *code == extended).map(|(_, name)| *name);
    let primary = || usize::try_from(extended & 0xff).ok().and_then(|at| PRIMARY.get(at).copied());
    known.or_else(primary).unwrap_or("SQLITE_ERROR")
}

/// By value, as `map_err` gives it.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(super) fn failure(error: Error) -> Failure {
    match &error {
        Error::SqliteFailure(error, message) => {
            let message = message.clone().unwrap_or_else(|| error.to_string());
            Failure::new(code(error.extended_code), message)
        }
        Error::SqlInputError { error, msg, .. } => Failure::new(code(error.extended_code), &**msg),
        Error::MultipleStatement => Failure::new(
            "SQLITE_MISUSE",
            "more than one statement: only `exec` takes several, and only without parameters",
        ),
        Error::NulError(_) => Failure::new("SQLITE_MISUSE", "a NUL character in a statement or a name"),
        other => Failure::new("SQLITE_ERROR", other.to_string()),
    }
}

/// A file that isn't opened, without SQLite's name for it, which is the host's.
pub(super) fn not_opened(error: Error, read_only: bool) -> Failure {
    let mut failure = failure(error);
    if failure.code.starts_with("SQLITE_CANTOPEN") {
        failure.message = "unable to open database file".to_owned();
        if read_only {
            failure.message.push_str(" (none is made: `access` of module 'database' in the template is read-only)");
        }
    }
    failure
}

/// Says which limit it was, and what raises it.
pub(super) fn explained(mut failure: Failure, bounds: &Bounds, read_only: bool, denied: Option<String>) -> Failure {
    let Bounds { memory_mb, size_mb, .. } = bounds;
    match &*failure.code {
        "SQLITE_AUTH" => {
            if let Some(what) = denied {
                failure.message = format!("not authorized: {what}");
            }
        }
        "SQLITE_NOMEM" => {
            failure.message =
                format!("out of memory: SQLite has {memory_mb} MiB in this session (memory_mb of the grant)");
        }
        "SQLITE_FULL" => {
            failure.message.push_str(&format!(" (size_mb of the grant: {size_mb} MiB a database)"));
        }
        "SQLITE_READONLY" if read_only => {
            failure.message.push_str(": `access` of module 'database' in the template is read-only");
        }
        _ => {}
    }
    failure
}
