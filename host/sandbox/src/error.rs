//! What can go wrong before JavaScript runs.
use std::sync::Arc;

use model::{ErrorCode, Exception};

use crate::registry::Refusal;

/// Why there is no image or no sandbox. What a running script does wrong is an [`crate::Outcome`], not an error.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// A listed module is a built-in or unknown.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A library threw (or ran too long) while the image was built.
    #[error("library {name} failed: {}", exception.message)]
    Library {
        /// The library's name.
        name: String,
        /// What it threw.
        exception: Exception,
    },
    /// A grant is not of the shape that its module declares.
    #[error("config of module {module}: {why}")]
    Grant {
        /// The module.
        module: String,
        /// What is wrong.
        why: String,
    },
    /// The image alone needs more memory than the session may have.
    #[error("mem_mb {mem_mb} is less than the template's libraries need")]
    TooSmall {
        /// The limit, MiB.
        mem_mb: u32,
    },
    /// The image of a stored session is not there, or not for the interfaces of this version. The text is for the log.
    #[error("the image is gone: {0}")]
    ImageGone(Arc<str>),
    /// The image of a durable session can't be written to the data directory, so that it could never be brought back. The text
    /// is for the log.
    #[error("the image can't be kept: {0}")]
    NotKept(Arc<str>),
    /// Every slot of the pool is taken.
    #[error("all {max} session slots are in use")]
    SessionLimit {
        /// How many slots there are.
        max: u32,
    },
    /// A fault of ours or of the machine. The text is for the log, not for clients.
    #[error("{0}")]
    Internal(Arc<str>),
}

impl Error {
    /// The stable code that clients see.
    pub fn code(&self) -> ErrorCode {
        match self {
            Error::Refused(_) => ErrorCode::ModuleNotAllowed,
            Error::Library { .. } => ErrorCode::LibraryFailed,
            Error::Grant { .. } => ErrorCode::ValidationError,
            Error::TooSmall { .. } => ErrorCode::StartupFailed,
            Error::ImageGone(_) => ErrorCode::ImageGone,
            Error::SessionLimit { .. } => ErrorCode::SessionLimit,
            Error::NotKept(_) | Error::Internal(_) => ErrorCode::Internal,
        }
    }

    /// An internal error from anything that prints, with what was being done.
    pub(crate) fn internal(doing: &str, why: impl std::fmt::Display) -> Self {
        Error::Internal(format!("{doing}: {why:#}").into())
    }
}

impl From<wasmtime::Error> for Error {
    fn from(error: wasmtime::Error) -> Self {
        Error::Internal(format!("{error:#}").into())
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Error::Internal(error.to_string().into())
    }
}
