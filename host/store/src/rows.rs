//! Between columns and the vocabulary.
use model::Timestamp;
use rusqlite::Row;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::Error;

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

/// Whether a row is there.
pub(crate) fn exists(found: Result<i64, rusqlite::Error>) -> Result<Option<i64>, Error> {
    match found {
        Ok(key) => Ok(Some(key)),
        Err(rusqlite::Error::QueryReturnedNoRows) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
