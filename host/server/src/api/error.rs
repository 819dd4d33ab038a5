//! The HTTP mapping of faults: status and body.
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::ErrorCode;
use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::fault::Fault;

#[derive(Serialize)]
struct ErrorBody<'a> {
    error: ErrorObject<'a>,
}

#[derive(Serialize)]
struct ErrorObject<'a> {
    code: ErrorCode,
    message: &'a str,
    #[serde(skip_serializing_if = "Map::is_empty")]
    details: &'a Map<String, Value>,
}

/// The status of each code. No default arm: a new code has to be placed.
fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::InvalidRequest | ErrorCode::ValidationError => StatusCode::BAD_REQUEST,
        ErrorCode::NotFound
        | ErrorCode::TemplateNotFound
        | ErrorCode::SessionNotFound
        | ErrorCode::ExecutionNotFound
        | ErrorCode::LibraryNotFound => StatusCode::NOT_FOUND,
        ErrorCode::OriginNotAllowed => StatusCode::FORBIDDEN,
        ErrorCode::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        ErrorCode::SessionNotReady | ErrorCode::SessionBusy | ErrorCode::AlreadyExists => StatusCode::CONFLICT,
        ErrorCode::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::ModuleNotAllowed
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
    let body = ErrorBody { error: ErrorObject { code: fault.code, message, details: &fault.details } };
    *response.body_mut() = Body::from(serde_json::to_vec(&body).unwrap_or_default());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.remove(header::CONTENT_LENGTH);
}
