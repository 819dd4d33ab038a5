//! The one closed list of error codes.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// A stable error code. Clients match on its text; `docs/errors.md` explains each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum ErrorCode { $($(#[$doc])* #[serde(rename = $text)] $variant,)* }

        impl ErrorCode {
            /// Every code, in the order of the documentation.
            pub const ALL: &'static [ErrorCode] = &[$(ErrorCode::$variant),*];

            /// The text that clients see.
            pub fn as_str(self) -> &'static str {
                match self { $(ErrorCode::$variant => $text),* }
            }
        }
    };
}

codes! {
    /// The request is no valid JSON object of the documented shape.
    InvalidRequest = "INVALID_REQUEST",
    /// A field has a value that is not accepted.
    ValidationError = "VALIDATION_ERROR",
    /// The body is larger than the server accepts.
    BodyTooLarge = "BODY_TOO_LARGE",
    /// The request names another host, or comes from a page of another origin.
    OriginNotAllowed = "ORIGIN_NOT_ALLOWED",
    /// No such route.
    NotFound = "NOT_FOUND",
    /// The route exists, but not for this method.
    MethodNotAllowed = "METHOD_NOT_ALLOWED",
    /// No such template.
    TemplateNotFound = "TEMPLATE_NOT_FOUND",
    /// No such session, or it is closed already.
    SessionNotFound = "SESSION_NOT_FOUND",
    /// No such execution.
    ExecutionNotFound = "EXECUTION_NOT_FOUND",
    /// The session is closed, crashed or still starting.
    SessionNotReady = "SESSION_NOT_READY",
    /// The session runs something else.
    SessionBusy = "SESSION_BUSY",
    /// Something of the session is open that can't be stored.
    SessionPinned = "SESSION_PINNED",
    /// Nothing of the session is stored: its template says so.
    SessionNotDurable = "SESSION_NOT_DURABLE",
    /// What is stored of the session can't be brought back.
    SessionDamaged = "SESSION_DAMAGED",
    /// No such checkpoint, or it was not kept.
    CheckpointNotFound = "CHECKPOINT_NOT_FOUND",
    /// The image that the session runs on is gone.
    ImageGone = "IMAGE_GONE",
    /// The session can't be moved to another image: a hook of it failed.
    MigrateFailed = "MIGRATE_FAILED",
    /// A file is no session that this server exported, or one with the same key.
    SnapshotRefused = "SNAPSHOT_REFUSED",
    /// This server neither exports nor imports sessions: it has no key for that.
    ExportDisabled = "EXPORT_DISABLED",
    /// The template does not allow what the session in a file is made of.
    ImportNotAllowed = "IMPORT_NOT_ALLOWED",
    /// As many sessions are live as this server holds.
    SessionLimit = "SESSION_LIMIT",
    /// What was to be made exists already.
    AlreadyExists = "ALREADY_EXISTS",
    /// The template was deactivated.
    TemplateInactive = "TEMPLATE_INACTIVE",
    /// The request's `Idempotency-Key` was used before, and its answer can't be given again.
    IdempotencyConflict = "IDEMPOTENCY_CONFLICT",
    /// The client did not send its request in time.
    RequestTimeout = "REQUEST_TIMEOUT",
    /// The file to run is not there.
    FileNotFound = "FILE_NOT_FOUND",
    /// A path leaves the worktree.
    InvalidPath = "INVALID_PATH",
    /// A startup file is to be evaluated in a way that does not exist.
    StartupModeUnsupported = "STARTUP_MODE_UNSUPPORTED",
    /// A startup file threw, or is not there; or the session's limits are too small for its template.
    StartupFailed = "STARTUP_FAILED",
    /// A library is not installed.
    LibraryNotFound = "LIBRARY_NOT_FOUND",
    /// The template lists a module that is a built-in or unknown.
    ModuleNotAllowed = "MODULE_NOT_ALLOWED",
    /// The template names an engine that is not here.
    EngineUnsupported = "ENGINE_UNSUPPORTED",
    /// The session's worktree is no directory that can be opened.
    WorktreeNotFound = "WORKTREE_NOT_FOUND",
    /// A library of the template threw while it was loaded.
    LibraryFailed = "LIBRARY_FAILED",
    /// The script used more CPU time than `cpu_ms`.
    CpuLimitExceeded = "CPU_LIMIT_EXCEEDED",
    /// The script ran longer than `wall_ms`.
    WallLimitExceeded = "WALL_LIMIT_EXCEEDED",
    /// The heap reached `mem_mb`.
    MemoryLimitExceeded = "MEMORY_LIMIT_EXCEEDED",
    /// Recursion went deeper than the engine's stack.
    StackLimitExceeded = "STACK_LIMIT_EXCEEDED",
    /// The script printed or returned more than `max_output_kb`, or made more than `max_events` events.
    OutputLimitExceeded = "OUTPUT_LIMIT_EXCEEDED",
    /// The script awaited a promise that nothing can settle any more.
    PromiseNeverSettles = "PROMISE_NEVER_SETTLES",
    /// The script was cancelled, or the server stopped.
    Cancelled = "CANCELLED",
    /// The guest trapped; the session's heap is gone.
    SessionCrashed = "SESSION_CRASHED",
    /// The server stopped while the script ran.
    Interrupted = "INTERRUPTED",
    /// A fault of the server itself; its log has the details under the request id.
    Internal = "INTERNAL",
}
