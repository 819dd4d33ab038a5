//! The HTTP API. Handlers parse, ask the registry or the store, and render; they own nothing.
mod envelope;
mod error;
mod executions;
mod extract;
mod libraries;
mod modules;
mod origin;
mod sessions;
mod system;
mod templates;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use model::ErrorCode;
use serde::Serialize;

use crate::app::App;
use crate::fault::Fault;

/// What handlers answer.
type Answer = Result<Response, Fault>;

/// The whole API, a row a path. `get` answers HEAD as well. `loopback`: only this machine reaches the listener.
pub fn router(app: Arc<App>, loopback: bool) -> Router {
    let v1 = Router::new()
        .route("/health", get(system::health))
        .route("/runtime/summary", get(system::summary))
        .route("/modules", get(modules::list))
        .route("/modules/{name}", get(modules::get))
        .route("/libraries", get(libraries::list))
        .route("/libraries/{name}", get(libraries::get).put(libraries::put).delete(libraries::remove))
        .route("/templates", get(templates::list).post(templates::create))
        .route("/templates/{template_id}", get(templates::get))
        .route("/templates/{template_id}/modules", get(templates::modules).post(templates::add_module))
        .route("/templates/{template_id}/modules/{name}", delete(templates::remove_module))
        .route("/sessions", get(sessions::list).post(sessions::create))
        .route("/sessions/{session_id}", get(sessions::get).delete(sessions::close))
        .route("/sessions/{session_id}/close", post(sessions::close))
        .route("/executions", get(executions::list))
        .route("/executions/repl", post(executions::repl))
        .route("/executions/{execution_id}", get(executions::get))
        .route("/executions/{execution_id}/events", get(executions::events));
    Router::new()
        .nest("/api/v1", v1)
        .fallback(no_such_route)
        .method_not_allowed_fallback(no_such_method)
        .layer(from_fn_with_state(loopback, origin::guard))
        .layer(from_fn(envelope::wrap))
        .with_state(app)
}

async fn no_such_route() -> Fault {
    Fault::new(ErrorCode::NotFound, "No such route")
}

async fn no_such_method() -> Fault {
    Fault::new(ErrorCode::MethodNotAllowed, "The method is not allowed for this route")
}

/// 200 and compact JSON.
fn ok(body: &impl Serialize) -> Answer {
    json(StatusCode::OK, body)
}

/// 201 and compact JSON.
fn created(body: &impl Serialize) -> Answer {
    json(StatusCode::CREATED, body)
}

fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    let body = serde_json::to_vec(body).map_err(Fault::internal)?;
    Ok((status, [(axum::http::header::CONTENT_TYPE, "application/json")], body).into_response())
}
