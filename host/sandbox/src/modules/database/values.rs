//! Values on their way between SQLite and WIT.
use rusqlite::Statement;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use wasmtime::component::{ComponentType, Lift, Lower};

use super::errors;
use crate::modules::{Answer, Failure, Store, Traffic};

/// A value of SQLite's.
#[derive(ComponentType, Lower, Lift, Clone, Debug, PartialEq)]
#[component(variant)]
pub(super) enum Value {
    #[component(name = "null")]
    Null,
    #[component(name = "integer")]
    Integer(i64),
    #[component(name = "real")]
    Real(f64),
    #[component(name = "text")]
    Text(String),
    #[component(name = "blob")]
    Blob(Vec<u8>),
}

/// What a statement's parameters are bound to.
#[derive(ComponentType, Lower, Lift, Clone, Debug)]
#[component(variant)]
pub(super) enum Parameters {
    #[component(name = "positional")]
    Positional(Vec<Value>),
    #[component(name = "named")]
    Named(Vec<(String, Value)>),
}

/// Rows, cell by cell.
#[derive(ComponentType, Lower, Lift, Clone, Debug, Default)]
#[component(record)]
pub(super) struct Rows {
    pub(super) columns: Vec<String>,
    pub(super) cells: Vec<Value>,
    pub(super) done: bool,
}

/// What a statement changed.
#[derive(ComponentType, Lower, Lift, Clone, Copy, Debug, Default)]
#[component(record)]
pub(super) struct Changes {
    #[component(name = "rows-affected")]
    pub(super) rows_affected: u64,
    #[component(name = "last-insert-id")]
    pub(super) last_insert_id: i64,
}

/// What is known of a statement before it runs.
#[derive(ComponentType, Lower, Lift, Clone, Debug)]
#[component(record)]
pub(super) struct Described {
    pub(super) columns: Vec<String>,
    pub(super) parameters: u32,
    pub(super) readonly: bool,
}

impl From<ValueRef<'_>> for Value {
    fn from(value: ValueRef<'_>) -> Value {
        match value {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => Value::Integer(number),
            ValueRef::Real(number) => Value::Real(number),
            ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
            ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
        }
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Integer(number) => ValueRef::Integer(*number),
            Value::Real(number) => ValueRef::Real(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl Value {
    /// Bytes of text and data.
    pub(super) fn len(&self) -> usize {
        match self {
            Value::Null | Value::Integer(_) | Value::Real(_) => 0,
            Value::Text(text) => text.len(),
            Value::Blob(bytes) => bytes.len(),
        }
    }
}

impl Parameters {
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Parameters::Positional(values) => values.is_empty(),
            Parameters::Named(values) => values.is_empty(),
        }
    }

    /// Binds every parameter of the statement, and nothing else: a count that is off by one is an error and no NULL.
    pub(super) fn bind(&self, statement: &mut Statement<'_>) -> Answer<()> {
        let wanted = statement.parameter_count();
        let misuse = |text: String| Failure::new("SQLITE_RANGE", text);
        match self {
            Parameters::Positional(values) => {
                if values.len() != wanted {
                    return Err(misuse(format!("the statement has {wanted} parameters, {} were given", values.len())));
                }
                for (index, value) in values.iter().enumerate() {
                    statement.raw_bind_parameter(index + 1, value).map_err(errors::failure)?;
                }
            }
            Parameters::Named(values) => {
                let mut bound = vec![false; wanted];
                for (name, value) in values {
                    let index = find(statement, name).ok_or_else(|| {
                        let shown: String = name.chars().take(100).collect();
                        misuse(format!("the statement has no parameter '{shown}'"))
                    })?;
                    statement.raw_bind_parameter(index, value).map_err(errors::failure)?;
                    if let Some(bound) = bound.get_mut(index - 1) {
                        *bound = true;
                    }
                }
                if let Some(missing) = bound.iter().position(|bound| !bound) {
                    let name = statement.parameter_name(missing + 1).unwrap_or("?");
                    return Err(misuse(format!("the parameter {name} of the statement was not given")));
                }
            }
        }
        Ok(())
    }
}

fn find(statement: &Statement<'_>, name: &str) -> Option<usize> {
    if name.starts_with([':', '@', '$']) {
        return statement.parameter_index(name).ok().flatten();
    }
    [':', '@', '$'].iter().find_map(|mark| statement.parameter_index(&format!("{mark}{name}")).ok().flatten())
}

impl Traffic for Parameters {
    fn bytes(&self, _: &Store<'_>) -> usize {
        match self {
            Parameters::Positional(values) => values.iter().map(Value::len).sum(),
            Parameters::Named(values) => values.iter().map(|(name, value)| name.len() + value.len()).sum(),
        }
    }

    /// An array of a million NULLs is nothing to the meter.
    fn kept(&self) -> usize {
        let value = |value: &Value| size_of::<Value>() + value.len();
        match self {
            Parameters::Positional(values) => values.iter().map(value).sum(),
            Parameters::Named(values) => {
                values.iter().map(|(name, of)| size_of::<String>() + name.len() + value(of)).sum()
            }
        }
    }
}

impl Traffic for Rows {
    fn bytes(&self, _: &Store<'_>) -> usize {
        self.cells.iter().map(Value::len).sum()
    }
}

impl Traffic for Changes {}

impl Traffic for Described {}
