//! What can go wrong with rows.
use std::path::PathBuf;
use std::sync::Arc;

/// Why the database can't be opened. Texts are for the operator.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A newer build wrote it.
    #[error(
        "the database has schema {found}, but this build knows only up to {known}: a newer vm-system wrote it; \
         run that one, or open a backup from before the upgrade"
    )]
    TooNew {
        /// Its schema.
        found: i64,
        /// Our newest schema.
        known: i64,
    },
    /// It is a SQLite database of something else, such as the ancestor's.
    #[error("{0} is a database of another program (or of the Go vm-system): name another file with --db")]
    Foreign(PathBuf),
    /// Its pages do not hang together.
    #[error(
        "{path} is damaged ({found}): start from a backup (`vm-system db backup` makes them), or save what can be read \
         with `sqlite3 {path} .recover`"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        found: String,
    },
    /// Another process has it.
    #[error("another vm-system is using this database (it holds {0})")]
    Locked(PathBuf),
    /// The file system said no.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// SQLite said no.
    #[error("{path}: {source}")]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// A migration or the clean-up after a crash failed.
    #[error("cannot {doing}: {source}")]
    Prepare {
        /// What was being done.
        doing: &'static str,
        /// Why.
        source: rusqlite::Error,
    },
    /// No thread could be started.
    #[error("cannot start a database thread: {0}")]
    Thread(std::io::Error),
}

/// Why a method of the store failed. None of the texts are for clients. Cloned to every request of a failed commit.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The name is taken.
    #[error("the name is taken")]
    AlreadyExists,
    /// A list of a template has as many entries as it can have.
    #[error("the list is full")]
    Full,
    /// The row that was to change is not there, or not in the state that was expected.
    #[error("there is no such row any more")]
    Gone,
    /// A heap can't be put together: a link of its chain is missing, or it has too many.
    #[error("checkpoints: {0}")]
    Broken(&'static str),
    /// SQLite said no: disk full, I/O error, ...
    #[error("database: {0}")]
    Sqlite(Arc<rusqlite::Error>),
    /// A row holds what no version of ours wrote.
    #[error("database: {0}")]
    Corrupt(String),
    /// The store is closing, or its thread panicked.
    #[error("the store has stopped")]
    Stopped,
}

impl Error {
    /// Whether what was read is not what was written, whoever did that to it.
    pub fn is_damage(&self) -> bool {
        use rusqlite::Error as Sqlite;
        match self {
            Error::Broken(_) | Error::Corrupt(_) => true,
            Error::Sqlite(error) => match error.as_ref() {
                Sqlite::FromSqlConversionFailure(..) | Sqlite::IntegralValueOutOfRange(..) => true,
                Sqlite::InvalidColumnType(..) | Sqlite::Utf8Error(..) => true,
                error => error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseCorrupt),
            },
            _ => false,
        }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Error::Sqlite(Arc::new(error))
    }
}

impl Error {
    /// Whether this is a `UNIQUE` constraint that was violated.
    pub(crate) fn is_duplicate(error: &rusqlite::Error) -> bool {
        use rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE;
        matches!(error, rusqlite::Error::SqliteFailure(e, _) if e.extended_code == SQLITE_CONSTRAINT_UNIQUE)
    }
}
