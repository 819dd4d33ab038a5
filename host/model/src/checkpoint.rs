//! Checkpoints: a session's heap as it was between two executions, on the disk.
use schemars::JsonSchema;
use serde::Serialize;

use crate::words::words;
use crate::{CheckpointId, ExecutionId, SessionId, Timestamp};

words! {
    /// What a checkpoint was made for.
    CheckpointKind {
        /// Something ran: an execution ended, a script asked for it, or the session went to sleep.
        Run = "run",
        /// The session was forked from another: its first heap.
        Fork = "fork",
        /// The session was rewound: its heap is that of the parent.
        Restore = "restore",
        /// The session came from a file: its first heap.
        Import = "import",
        /// The session moved to another image.
        Migrate = "migrate",
    }
}

/// A checkpoint as lists show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CheckpointRow {
    /// Its id.
    pub id: CheckpointId,
    /// Whose history it is in.
    pub session: SessionId,
    /// What it is a delta to, which may be in another session's history, or in none any more. None: it is a whole heap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<CheckpointId>,
    /// What it was made for.
    pub kind: CheckpointKind,
    /// Executions of the session that this heap includes.
    pub seq: u64,
    /// The one that it was stored with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution: Option<ExecutionId>,
    /// Deltas between it and the whole heap that it builds on; 0 of a whole one.
    pub depth: u32,
    /// Pages of memory that it holds.
    pub pages: u32,
    /// What it takes on the disk, bytes.
    pub bytes: u64,
    /// When it was made.
    pub created_at: Timestamp,
}
