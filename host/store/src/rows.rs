//! Between columns and the vocabulary.
use model::Timestamp;
use rusqlite::Row;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::Error;

/// A part of a list. It ends at the rows or at the bytes that were asked for, whichever came first.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The rows, at least one unless the list has no more.
    pub rows: Vec<T>,
    /// Where the next page begins; none when this is the last.
    pub next: Option<Cursor>,
}

/// A place in a list that is read from the newest to the oldest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(pub(crate) i64);

impl Cursor {
    /// Before the newest.
    pub const START: Cursor = Cursor(i64::MAX);
}

/// How much of a list is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Rows that are older than this place.
    pub before: Cursor,
    /// Rows at most.
    pub rows_max: u32,
}

/// A page ends after the row that brings it here: what one answer holds in memory.
const PAGE_BYTES: usize = 1 << 20;

/// Reads a page. Column 0 of each row is its key; `size` is about what a row takes.
pub(crate) fn page<T>(
    rows: &mut rusqlite::Rows<'_>,
    wanted: Wanted,
    read: impl Fn(&Row<'_>) -> Result<T, Error>,
    size: impl Fn(&T) -> usize,
) -> Result<Page<T>, Error> {
    let mut page = Page { rows: Vec::new(), next: None };
    let (mut bytes, mut last) = (0, 0);
    while let Some(row) = rows.next()? {
        // One more than wanted was asked for, to know whether there is more.
        if page.rows.len() == wanted.rows_max as usize || bytes >= PAGE_BYTES {
            page.next = Some(Cursor(last));
            break;
        }
        last = row.get(0)?;
        let row = read(row)?;
        bytes += size(&row);
        page.rows.push(row);
    }
    Ok(page)
}

/// An id as it is stored.
pub(crate) fn id(row: &Row<'_>, column: usize) -> Result<Uuid, Error> {
    Ok(Uuid::from_bytes(row.get(column)?))
}

pub(crate) fn time(row: &Row<'_>, column: usize) -> Result<Timestamp, Error> {
    Ok(Timestamp::from_micros(row.get(column)?))
}

pub(crate) fn time_if_any(row: &Row<'_>, column: usize) -> Result<Option<Timestamp>, Error> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp::from_micros))
}

/// A count, which no row of ours has below zero.
pub(crate) fn unsigned<T: TryFrom<i64>>(row: &Row<'_>, column: usize) -> Result<T, Error> {
    let number: i64 = row.get(column)?;
    T::try_from(number).map_err(|_| Error::Corrupt(format!("a count of {number}")))
}

pub(crate) fn unsigned_if_any(row: &Row<'_>, column: usize) -> Result<Option<u64>, Error> {
    row.get::<_, Option<i64>>(column)?.map(|_| unsigned(row, column)).transpose()
}

/// A count as it is stored.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A status, kind, ... by its text.
pub(crate) fn word<T>(row: &Row<'_>, column: usize, parse: impl Fn(&str) -> Option<T>) -> Result<T, Error> {
    let text: String = row.get(column)?;
    parse(&text).ok_or_else(|| Error::Corrupt(format!("unknown word {text:?}")))
}

/// JSON that is handed back as it was written.
pub(crate) fn json(row: &Row<'_>, column: usize) -> Result<Box<RawValue>, Error> {
    raw(row.get(column)?)
}

pub(crate) fn json_if_any(row: &Row<'_>, column: usize) -> Result<Option<Box<RawValue>>, Error> {
    row.get::<_, Option<String>>(column)?.map(raw).transpose()
}

pub(crate) fn raw(text: String) -> Result<Box<RawValue>, Error> {
    RawValue::from_string(text).map_err(|e| Error::Corrupt(format!("not JSON: {e}")))
}

/// Our own types always have a JSON text.
pub(crate) fn to_json(value: &impl serde::Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|e| Error::Corrupt(format!("cannot be written as JSON: {e}")))
}

/// The outcome of a change that a `UNIQUE` constraint may have refused.
pub(crate) fn unless_taken<T>(changed: Result<T, rusqlite::Error>) -> Result<T, Error> {
    match changed {
        Err(error) if Error::is_duplicate(&error) => Err(Error::AlreadyExists),
        changed => Ok(changed?),
    }
}
