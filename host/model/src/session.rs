//! Sessions: one live heap each, and the row that outlives it.
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::words::words;
use crate::{SessionId, TemplateId, Timestamp};

words! {
    /// Where a session stands. `closed` is final; `crashed` is, unless the session is rewound to a checkpoint.
    SessionStatus {
        /// The row exists, the heap does not yet.
        Starting = "starting",
        /// It takes executions.
        Ready = "ready",
        /// It did not start, or its heap is gone; `last_error` says why.
        Crashed = "crashed",
        /// A client closed it, or the server stopped.
        Closed = "closed",
    }
}

words! {
    /// What of a session's heap outlives the process that runs it.
    Durability {
        /// Nothing.
        None = "none",
        /// Its checkpoints, which are stored now and then: the last executions may be lost.
        Checkpoint = "checkpoint",
        /// Everything that was acknowledged: each execution's answer waits for its checkpoint.
        Every = "every",
    }
}

impl Durability {
    /// Whether nothing is kept.
    pub fn is_none(&self) -> bool {
        *self == Durability::None
    }
}

/// A session as the contract shows it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// The template it was made from, which may be gone by now.
    pub vm_id: TemplateId,
    /// The client's label.
    pub workspace_id: String,
    /// The client's label.
    pub base_commit_oid: String,
    /// The directory that modules may read, as the client sent it.
    pub worktree_path: String,
    /// Where it stands.
    pub status: SessionStatus,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
    /// Why it crashed, or why the server closed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// Facts about its run time, as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub runtime_meta: Option<Box<RawValue>>,
    /// What of its heap outlives the server.
    #[serde(skip_serializing_if = "Durability::is_none")]
    pub durability: Durability,
    /// Executions that have ended in it.
    pub seq: u64,
    /// How many of these the newest checkpoint on the disk includes. None: there is no checkpoint yet, or never will be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub durable_seq: Option<u64>,
}
