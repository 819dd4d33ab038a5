//! The HTTP mapping of faults: status and body.
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::ErrorCode;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::fault::Fault;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Error")]
pub(super) struct ErrorBody<'a> {
    error: ErrorObject<'a>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ErrorObject")]
struct ErrorObject<'a> {
    code: ErrorCode,
    message: &'a str,
    #[serde(skip_serializing_if = "Map::is_empty")]
    details: &'a Map<String, Value>,
}

/// The status of each code. No default arm: a new code has to be placed.
pub(super) fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::InvalidRequest | ErrorCode::ValidationError => StatusCode::BAD_REQUEST,
        ErrorCode::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
        ErrorCode::NotFound
        | ErrorCode::FileNotFound
        | ErrorCode::TemplateNotFound
        | ErrorCode::SessionNotFound
        | ErrorCode::CheckpointNotFound
        | ErrorCode::ExecutionNotFound => StatusCode::NOT_FOUND,
        ErrorCode::OriginNotAllowed | ErrorCode::ExportDisabled | ErrorCode::ImportNotAllowed => StatusCode::FORBIDDEN,
        ErrorCode::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        ErrorCode::SessionNotReady
        | ErrorCode::SessionBusy
        | ErrorCode::SessionPinned
        | ErrorCode::SessionNotDurable
        | ErrorCode::SessionDamaged
        | ErrorCode::ImageGone
        | ErrorCode::AlreadyExists
        | ErrorCode::TemplateInactive
        | ErrorCode::IdempotencyConflict => StatusCode::CONFLICT,
        ErrorCode::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::InvalidPath
        | ErrorCode::StartupModeUnsupported
        | ErrorCode::StartupFailed
        | ErrorCode::LibraryNotFound
        | ErrorCode::ModuleNotAllowed
        | ErrorCode::EngineUnsupported
        | ErrorCode::WorktreeNotFound
        | ErrorCode::LibraryFailed
        | ErrorCode::CpuLimitExceeded
        | ErrorCode::WallLimitExceeded
        | ErrorCode::MemoryLimitExceeded
        | ErrorCode::StackLimitExceeded
        | ErrorCode::OutputLimitExceeded
        | ErrorCode::PromiseNeverSettles
        | ErrorCode::Cancelled
        | ErrorCode::Interrupted
        | ErrorCode::MigrateFailed
        | ErrorCode::SnapshotRefused
        | ErrorCode::SessionCrashed => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorCode::SessionLimit => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The body is written by the envelope, which knows the request id; until then the fault travels along.
impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut response = status(self.code).into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

/// Writes a fault's body. Internals go to the log only; the client gets the id to ask about.
pub(super) fn write(fault: &Fault, request: Uuid, response: &mut Response) {
    let internal = fault.code == ErrorCode::Internal;
    if let Some(why) = &fault.internal {
        tracing::error!(code = fault.code.as_str(), why, "fault");
    }
    let with_id = format!("Internal error (request id {request})");
    let message = if internal { with_id.as_str() } else { &fault.message };
    *response.body_mut() = Body::from(body(fault, message));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.remove(header::CONTENT_LENGTH);
}

/// The one shape of errors.
pub(super) fn body(fault: &Fault, message: &str) -> Vec<u8> {
    let body = ErrorBody { error: ErrorObject { code: fault.code, message, details: &fault.details } };
    serde_json::to_vec(&body).unwrap_or_default()
}
