//! Sessions: one live heap each, and the row that outlives it.
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::words::words;
use crate::{SessionId, TemplateId, Timestamp};

words! {
    /// Where a session stands. `crashed` and `closed` are final.
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
}
