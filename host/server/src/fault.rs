//! What goes wrong between a request and its answer, before anyone thinks of HTTP.
use std::borrow::Cow;

use model::ErrorCode;
use serde_json::{Map, Value};

/// An error with two messages: one for the client, and one for the log that the client never sees.
#[derive(Clone, Debug)]
pub struct Fault {
    /// What clients match on.
    pub code: ErrorCode,
    /// For the client. Of [`ErrorCode::Internal`] nothing is shown but a request id.
    pub message: Cow<'static, str>,
    /// For the client: the ids and names that it is about.
    pub details: Map<String, Value>,
    /// For the log.
    pub internal: Option<String>,
}

impl Fault {
    /// A fault without details.
    pub fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Fault { code, message: message.into(), details: Map::new(), internal: None }
    }

    /// A fault of our own.
    pub fn internal(why: impl std::fmt::Display) -> Self {
        Fault { internal: Some(why.to_string()), ..Fault::new(ErrorCode::Internal, "Internal error") }
    }

    /// A field with a value that is not accepted.
    pub fn validation(message: impl Into<Cow<'static, str>>) -> Self {
        Fault::new(ErrorCode::ValidationError, message)
    }

    /// Adds a detail.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.details.insert(name.to_owned(), Value::String(value.to_string()));
        self
    }

    /// No such template.
    pub fn template_not_found(id: model::TemplateId) -> Self {
        Fault::new(ErrorCode::TemplateNotFound, "Template not found").with("template_id", id)
    }

    /// No such session, or it is closed already.
    pub fn session_not_found(id: model::SessionId) -> Self {
        Fault::new(ErrorCode::SessionNotFound, "Session not found").with("session_id", id)
    }

    /// No such execution.
    pub fn execution_not_found(id: model::ExecutionId) -> Self {
        Fault::new(ErrorCode::ExecutionNotFound, "Execution not found").with("execution_id", id)
    }

    /// No such checkpoint in a session's history.
    pub fn checkpoint_not_found(session: model::SessionId, id: model::CheckpointId) -> Self {
        Fault::new(ErrorCode::CheckpointNotFound, "Checkpoint not found in the history of this session")
            .with("session_id", session)
            .with("checkpoint_id", id)
    }

    /// The session does not take executions (any more).
    pub fn session_not_ready(id: model::SessionId) -> Self {
        Fault::new(ErrorCode::SessionNotReady, "Session is not ready").with("session_id", id)
    }

    /// A listed module that can't be had.
    pub fn refused(refusal: &sandbox::Refusal) -> Self {
        Fault::new(ErrorCode::ModuleNotAllowed, "Module is not allowed for template configuration")
            .with("module", &refusal.module)
            .with("reason", refusal.reason.as_str())
    }
}

impl From<store::Error> for Fault {
    fn from(error: store::Error) -> Self {
        Fault::internal(error)
    }
}
