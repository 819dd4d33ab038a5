//! The words that every other crate shares. Plain data: no I/O, no threads, no clocks.
#![forbid(unsafe_code)]

mod checkpoint;
mod code;
mod execution;
mod ids;
mod library_name;
mod limits;
mod module_name;
mod rel_path;
mod session;
mod template;
mod timestamp;
mod value;
mod words;

pub use checkpoint::{CheckpointKind, CheckpointRow};
pub use code::ErrorCode;
pub use execution::{Event, EventKind, Execution, ExecutionKind, ExecutionStatus, HostCall, Payload};
pub use ids::{CapabilityId, CheckpointId, ExecutionId, IdError, SessionId, StartupFileId, TemplateId, TenantId};
pub use library_name::{LibraryName, LibraryNameError};
pub use limits::{Limits, LimitsError};
pub use module_name::{ModuleName, ModuleNameError};
pub use rel_path::{RelPath, RelPathError};
pub use session::{Durability, Session, SessionStatus};
pub use template::{
    Capability, CapabilityKind, ENGINE_GOJA, ENGINE_QUICKJS, Grant, Resolver, Runtime, Settings, SettingsError,
    StartupFile, StartupMode, Template, engine_is_supported,
};
pub use timestamp::{Timestamp, TimestampError};
pub use value::{ConsoleLevel, Exception, JsType, Value};
