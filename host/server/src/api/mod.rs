//! The HTTP API. Handlers parse, ask the registry or the store, and render; they own nothing.
mod envelope;
mod error;
mod executions;
mod extract;
mod heaps;
mod idempotency;
mod leftover;
mod libraries;
mod lists;
mod modules;
mod openapi;
mod operations;
mod origin;
mod secrets;
mod sessions;
mod stream;
mod system;
mod template_lists;
mod templates;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use model::ErrorCode;
use serde::Serialize;

pub use idempotency::InProgress;
use origin::Pages;
use template_lists as lists_of;

use crate::app::App;
use crate::fault::Fault;

/// What handlers answer.
type Answer = Result<Response, Fault>;

/// The whole API, a row a path. `get` answers HEAD as well.
pub fn router(app: Arc<App>) -> Router {
    // What creates something can be told to do so once.
    let once = from_fn_with_state(Arc::clone(&app), idempotency::guard);
    let creating = Router::new()
        .route("/templates", post(templates::create))
        .route("/templates/{template_id}/clone", post(templates::clone))
        .route("/sessions", post(sessions::create))
        .route("/sessions/{session_id}/fork", post(heaps::fork))
        .route("/executions/repl", post(executions::repl))
        .route("/executions/run-file", post(executions::run_file))
        .route("/run", post(executions::run_once))
        .route_layer(once);
    let v1 = Router::new()
        .route("/health", get(system::health))
        .route("/runtime/summary", get(system::summary))
        .route("/ops/images", get(system::images))
        .route("/ops/durability", get(system::durable))
        .route("/openapi.json", get(openapi::json_document))
        .route("/docs", get(openapi::page))
        .route("/modules", get(modules::list))
        .route("/modules/{name}", get(modules::get))
        .route("/modules/{name}/types", get(modules::types))
        .route("/libraries", get(libraries::list))
        .route("/libraries/{name}", get(libraries::get).put(libraries::put).delete(libraries::remove))
        .route("/secrets", get(secrets::list))
        .route("/secrets/{name}", put(secrets::put).delete(secrets::remove))
        .route("/templates", get(templates::list))
        .route("/templates/{template_id}", get(templates::get).patch(templates::change).delete(templates::delete))
        .route("/templates/{template_id}/settings", get(templates::settings).patch(templates::change_settings))
        .route("/templates/{template_id}/export", get(templates::export))
        .route("/templates/{template_id}/types", get(modules::of_template))
        .route("/templates/{template_id}/modules", get(lists_of::modules).post(lists_of::add_module))
        .route("/templates/{template_id}/modules/{name}", put(lists_of::set_grant).delete(lists_of::remove_module))
        .route("/templates/{template_id}/libraries", get(lists_of::libraries).post(lists_of::add_library))
        .route("/templates/{template_id}/libraries/{name}", delete(lists_of::remove_library))
        .route("/templates/{template_id}/startup-files", get(lists_of::startup_files).post(lists_of::add_startup_file))
        .route("/templates/{template_id}/startup-files/{startup_file_id}", delete(lists_of::remove_startup_file))
        .route("/templates/{template_id}/capabilities", get(lists_of::capabilities).post(lists_of::add_capability))
        .route("/templates/{template_id}/capabilities/{capability_id}", delete(lists_of::remove_capability))
        .route("/sessions", get(sessions::list))
        .route("/sessions/{session_id}", get(sessions::get).delete(sessions::close))
        .route("/sessions/{session_id}/close", post(sessions::close))
        .route("/sessions/{session_id}/hibernate", post(heaps::hibernate))
        .route("/sessions/{session_id}/checkpoints", get(heaps::checkpoints).post(heaps::store))
        .route("/sessions/{session_id}/restore", post(heaps::restore))
        .route("/sessions/{session_id}/export", get(heaps::export))
        .route("/sessions/import", post(heaps::import))
        .route("/sessions/{session_id}/migrate", post(heaps::migrate))
        .route("/executions", get(executions::list))
        .route("/executions/{execution_id}", get(executions::get))
        .route("/executions/{execution_id}/cancel", post(executions::cancel))
        .route("/executions/{execution_id}/events", get(executions::events))
        .merge(creating);
    let pages = Pages { hosts: app.config.hosts.clone().into(), origins: app.config.cors_origins.clone().into() };
    let guarded = Router::new()
        .nest("/api/v1", v1)
        .fallback(no_such_route)
        .method_not_allowed_fallback(no_such_method)
        .layer(from_fn_with_state(pages.clone(), origin::guard));
    // The layer answers every OPTIONS: it is there only where pages may ask.
    let guarded = if pages.origins.is_empty() { guarded } else { guarded.layer(origin::cors(&pages)) };
    guarded.layer(from_fn(envelope::wrap)).with_state(app)
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
