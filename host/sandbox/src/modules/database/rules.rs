//! What SQL may do here: the authorizer, SQLite's own limits, and functions in the place of those that a guest could keep
//! a thread busy with.
use std::borrow::Cow;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use memchr::memmem;
use rusqlite::config::DbConfig;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, Error, Result, ffi};

use super::saved::{Noticed, SETTINGS};

/// Largest text, blob or row, bytes. Functions on one value can't be interrupted: each takes at most a time that goes with this.
pub(super) const VALUE_BYTES_MAX: u32 = 4 << 20;
/// Longest statement, bytes.
pub(super) const SQL_BYTES_MAX: u32 = 1 << 20;
/// Longest pattern of LIKE and GLOB, bytes: a match costs that times the text's length.
const PATTERN_BYTES_MAX: i32 = 256;

const LIMITS: [(Limit, i32); 13] = [
    (Limit::SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX.cast_signed()),
    (Limit::SQLITE_LIMIT_SQL_LENGTH, SQL_BYTES_MAX.cast_signed()),
    (Limit::SQLITE_LIMIT_COLUMN, 500),
    (Limit::SQLITE_LIMIT_EXPR_DEPTH, 200),
    (Limit::SQLITE_LIMIT_PARSER_DEPTH, 200),
    (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 100),
    (Limit::SQLITE_LIMIT_VDBE_OP, 100_000),
    (Limit::SQLITE_LIMIT_FUNCTION_ARG, 64),
    (Limit::SQLITE_LIMIT_ATTACHED, 0),
    (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, PATTERN_BYTES_MAX),
    (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 10_000),
    (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 32),
    (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
];

/// Pragmas that only tell, or that concern the guest's own data. Every other one is refused: some name files, some raise
/// limits, some are the whole process's.
const PRAGMAS: &[&str] = &[
    "application_id",
    "auto_vacuum",
    "collation_list",
    "compile_options",
    "data_version",
    "defer_foreign_keys",
    "encoding",
    "foreign_key_check",
    "foreign_key_list",
    "foreign_keys",
    "freelist_count",
    "function_list",
    "ignore_check_constraints",
    "incremental_vacuum",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "legacy_alter_table",
    "optimize",
    "page_count",
    "query_only",
    "quick_check",
    "recursive_triggers",
    "secure_delete",
    "synchronous",
    "table_info",
    "table_list",
    "table_xinfo",
    "user_version",
];
/// These may be asked, but not told.
const PRAGMAS_TO_READ: &[&str] = &["journal_mode", "max_page_count", "page_size", "schema_version"];

/// Functions that reach out of the database, or whose time grows with the square of what they are given.
const FUNCTIONS: &[&str] =
    &["load_extension", "fts3_tokenizer", "readfile", "writefile", "edit", "json_patch", "jsonb_patch"];

/// Virtual tables; `pragma_*` come by themselves and are pragmas to the authorizer.
const VIRTUAL_TABLES: &[&std::ffi::CStr] = &[c"fts5", c"fts5vocab", c"json_each", c"json_tree"];

/// What was refused last, for the error's text.
pub(super) type Denied = Arc<Mutex<Option<String>>>;

/// Puts everything in place. Our own settings come before: the authorizer would refuse them.
pub(super) fn apply(connection: &mut Connection, denied: &Denied, noticed: &Arc<Noticed>) -> Result<()> {
    for (config, on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, false),
    ] {
        connection.set_db_config(config, on)?;
    }
    for (limit, most) in LIMITS {
        connection.set_limit(limit, most)?;
    }
    let mut keep: Vec<_> = VIRTUAL_TABLES.iter().map(|name| name.as_ptr()).chain([std::ptr::null()]).collect();
    // SAFETY: the connection is open; the names are C strings, and the list of them ends with null.
    unsafe { ffi::sqlite3_drop_modules(connection.handle(), keep.as_mut_ptr()) };
    functions(connection)?;
    let (denied, noticed) = (Arc::clone(denied), Arc::clone(noticed));
    connection.authorizer(Some(move |context: AuthContext<'_>| match refused(&context) {
        None => {
            notice(&context, &noticed);
            Authorization::Allow
        }
        Some(what) => {
            *denied.lock().unwrap_or_else(PoisonError::into_inner) = Some(what);
            Authorization::Deny
        }
    }))
}

/// What goes with the connection, and has to be known when it is saved.
fn notice(context: &AuthContext<'_>, noticed: &Noticed) {
    match context.action {
        AuthAction::Pragma { pragma_name, pragma_value: Some(_) }
            if SETTINGS.iter().any(|name| name.eq_ignore_ascii_case(pragma_name)) =>
        {
            noticed.setting.store(true, Ordering::Relaxed);
        }
        AuthAction::Read { .. } | AuthAction::Select => {}
        _ if context.database_name == Some("temp") => noticed.temporary.store(true, Ordering::Relaxed),
        _ => {}
    }
}

fn refused(context: &AuthContext<'_>) -> Option<String> {
    match context.action {
        AuthAction::Attach { .. } | AuthAction::Detach { .. } => {
            Some("ATTACH, DETACH and VACUUM are not available".to_owned())
        }
        AuthAction::Unknown { code: ffi::SQLITE_ATTACH | ffi::SQLITE_DETACH, .. } => {
            Some("ATTACH, DETACH and VACUUM are not available".to_owned())
        }
        AuthAction::Unknown { code, .. } => Some(format!("action {code} is not available")),
        AuthAction::Pragma { pragma_name, pragma_value } => {
            let name = pragma_name.to_ascii_lowercase();
            let allowed = PRAGMAS.contains(&&*name) || pragma_value.is_none() && PRAGMAS_TO_READ.contains(&&*name);
            (!allowed).then(|| format!("PRAGMA {} is not available{}", short(&name), told(pragma_value, &name)))
        }
        AuthAction::Function { function_name } => {
            let name = function_name.to_ascii_lowercase();
            FUNCTIONS.contains(&&*name).then(|| format!("the function {name} is not available"))
        }
        AuthAction::CreateVtable { module_name, .. } => {
            let known =
                VIRTUAL_TABLES.iter().any(|name| name.to_str().is_ok_and(|n| n.eq_ignore_ascii_case(module_name)));
            (!known).then(|| format!("virtual tables of {} are not available", short(module_name)))
        }
        _ => None,
    }
}

fn told(value: Option<&str>, name: &str) -> &'static str {
    if value.is_some() && PRAGMAS_TO_READ.contains(&name) { " to be set" } else { "" }
}

fn short(name: &str) -> &str {
    &name[..name.floor_char_boundary(64)]
}

/// SQLite's own `instr`, `replace` and `trim` compare every place with every place: minutes for two values of some
/// megabytes, within one step that nothing interrupts.
fn functions(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_scalar_function("instr", 2, flags, |context| instr(context))?;
    connection.create_scalar_function("replace", 3, flags, |context| replace(context))?;
    connection.create_scalar_function("trim", 2, flags, |context| trim(context, true, true))?;
    connection.create_scalar_function("ltrim", 2, flags, |context| trim(context, true, false))?;
    connection.create_scalar_function("rtrim", 2, flags, |context| trim(context, false, true))?;
    connection.create_scalar_function("unhex", 2, flags, |_| -> Result<Value> {
        Err(Error::UserFunctionError("unhex takes one argument here".into()))
    })
}

/// As SQLite's functions see an argument: a number is its text. None: NULL.
fn text<'a>(context: &'a Context<'_>, at: usize) -> Option<Cow<'a, [u8]>> {
    match context.get_raw(at) {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(Cow::Owned(number.to_string().into_bytes())),
        ValueRef::Real(number) => Some(Cow::Owned(format!("{number:?}").into_bytes())),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(Cow::Borrowed(bytes)),
    }
}

fn as_text(bytes: Vec<u8>) -> ToSqlOutput<'static> {
    let text = String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned());
    ToSqlOutput::Owned(Value::Text(text))
}

fn instr(context: &Context<'_>) -> Result<Option<i64>> {
    let (Some(hay), Some(needle)) = (text(context, 0), text(context, 1)) else { return Ok(None) };
    let blobs = [0, 1].map(|at| matches!(context.get_raw(at), ValueRef::Blob(_))) == [true, true];
    let found = memmem::find(&hay, &needle).map_or(0, |at| {
        let before = &hay[..at];
        // Of text, characters are counted: bytes that do not continue one.
        let place = if blobs { at } else { before.iter().filter(|byte| **byte & 0xc0 != 0x80).count() };
        i64::try_from(place).unwrap_or(i64::MAX).saturating_add(1)
    });
    Ok(Some(found))
}

fn replace(context: &Context<'_>) -> Result<ToSqlOutput<'static>> {
    let (Some(hay), Some(needle), Some(with)) = (text(context, 0), text(context, 1), text(context, 2)) else {
        return Ok(ToSqlOutput::Owned(Value::Null));
    };
    if needle.is_empty() {
        return Ok(as_text(hay.into_owned()));
    }
    let mut out = Vec::new();
    let mut rest = 0;
    for at in memmem::find_iter(&hay, &needle) {
        // Before it grows any larger.
        if out.len() + (at - rest) + with.len() > VALUE_BYTES_MAX as usize {
            return Err(Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_TOOBIG), None));
        }
        out.extend_from_slice(&hay[rest..at]);
        out.extend_from_slice(&with);
        rest = at + needle.len();
    }
    out.extend_from_slice(&hay[rest..]);
    if out.len() > VALUE_BYTES_MAX as usize {
        return Err(Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_TOOBIG), None));
    }
    Ok(as_text(out))
}

fn trim(context: &Context<'_>, start: bool, end: bool) -> Result<ToSqlOutput<'static>> {
    let (Some(given), Some(set)) = (text(context, 0), text(context, 1)) else {
        return Ok(ToSqlOutput::Owned(Value::Null));
    };
    let set: std::collections::HashSet<char> = String::from_utf8_lossy(&set).chars().collect();
    let given = String::from_utf8_lossy(&given);
    let mut kept = &*given;
    if start {
        kept = kept.trim_start_matches(|c| set.contains(&c));
    }
    if end {
        kept = kept.trim_end_matches(|c| set.contains(&c));
    }
    Ok(as_text(kept.as_bytes().to_vec()))
}
