//! `Idempotency-Key`: a creating request that is sent twice is done once, and answered twice.
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use model::{ErrorCode, TenantId};
use sha2::{Digest, Sha256};
use store::{Kept, Reserved};

use super::error;
use super::extract;
use crate::app::App;
use crate::clock;
use crate::fault::Fault;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Longest key, bytes.
const KEY_BYTES_MAX: usize = 255;
/// Largest answer that is kept, bytes.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// Keys whose requests are under way in this process; any other that has no answer was cut short by the server's end.
#[derive(Clone, Default)]
pub struct InProgress(Arc<Mutex<HashSet<(TenantId, String)>>>);

/// Taken off the list when it goes.
struct Underway(InProgress, (TenantId, String));

impl InProgress {
    fn begin(&self, tenant: TenantId, key: &str) -> Option<Underway> {
        let name = (tenant, key.to_owned());
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.insert(name.clone()).then(|| Underway(self.clone(), name))
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}

/// Around the routes that create something.
pub(super) async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let key = match key(request.headers()) {
        Ok(None) => return next.run(request).await,
        Ok(Some(key)) => key,
        Err(fault) => return fault.into_response(),
    };
    once(app, TenantId::DEFAULT, key, request, next).await.unwrap_or_else(Fault::into_response)
}

fn key(headers: &HeaderMap) -> Result<Option<String>, Fault> {
    let Some(value) = headers.get(KEY) else { return Ok(None) };
    let text = value.to_str().unwrap_or("").trim();
    if text.is_empty() || text.len() > KEY_BYTES_MAX || !text.bytes().all(|b| b.is_ascii_graphic()) {
        let message = format!("Idempotency-Key must be 1 to {KEY_BYTES_MAX} visible ASCII characters");
        return Err(Fault::validation(message));
    }
    Ok(Some(text.to_owned()))
}

async fn once(app: Arc<App>, tenant: TenantId, key: String, request: Request, next: Next) -> Result<Response, Fault> {
    let (parts, body) = request.into_parts();
    let body =
        extract::body(Request::from_parts(parts.clone(), body), app.config.body_bytes_max, &app.body_room).await?;
    let mut digest = Sha256::new();
    let asynchronous: &[u8] = if super::executions::prefers_async(&parts.headers) { b"async" } else { b"" };
    let query = parts.uri.query().unwrap_or_default().as_bytes();
    for part in [parts.method.as_str().as_bytes(), parts.uri.path().as_bytes(), query, asynchronous] {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    digest.update(&body);
    let digest: [u8; 32] = digest.finalize().into();

    // In a task of its own, from the first trace that a key leaves: a client that goes away, and comes back with the same
    // key, finds the answer.
    let task = tokio::spawn(async move {
        let underway = app.idempotency.begin(tenant, &key).ok_or_else(|| conflict("in_progress"))?;
        match app.store.reserve_key(tenant, key.clone(), digest, clock::now()).await? {
            Reserved::Answered(kept) => return replay(kept),
            Reserved::Different => return Err(conflict("different_request")),
            Reserved::Unanswered => return Err(conflict("outcome_unknown")),
            Reserved::Fresh => {}
        }
        let path = parts.uri.path().to_owned();
        let response = next.run(Request::from_parts(parts, Body::from(body))).await;
        let answer = keep(&app, tenant, &key, &path, response).await;
        drop(underway);
        answer
    });
    task.await.unwrap_or_else(|panic| Err(Fault::internal(panic)))
}

/// Whether a refused request has done something all the same: where sessions are made, every refusal that names one has
/// made it; elsewhere only one that names an execution has run it.
fn left_rows(path: &str, fault: &Fault) -> bool {
    let makes_sessions = path.ends_with("/sessions") || path.ends_with("/run");
    let named = if makes_sessions { "session_id" } else { "execution_id" };
    fault.details.contains_key(named)
}

/// Keeps an answer that says what was done, gives the key back where nothing was, and leaves it where nobody knows.
async fn keep(app: &App, tenant: TenantId, key: &str, path: &str, response: Response) -> Result<Response, Fault> {
    let status = response.status();
    let fault = response.extensions().get::<Arc<Fault>>().cloned();
    match (status.as_u16(), fault) {
        (200..=299, None) => {
            let (parts, body) = response.into_parts();
            let body = axum::body::to_bytes(body, usize::MAX).await.map_err(Fault::internal)?;
            let location = parts.headers.get(header::LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
            // One that is too large to keep is not repeated: its key stays taken, with an outcome that has to be looked up.
            if body.len() <= ANSWER_BYTES_MAX {
                let kept = Kept { status: status.as_u16(), location, body: body.to_vec() };
                app.store.keep_answer(tenant, key.to_owned(), kept).await?;
            }
            Ok(Response::from_parts(parts, Body::from(body)))
        }
        // A session that did not start, an execution that said too much: rows are there to show for it.
        (400..=499, Some(fault)) if left_rows(path, &fault) => {
            let kept = Kept { status: status.as_u16(), location: None, body: error::body(&fault, &fault.message) };
            app.store.keep_answer(tenant, key.to_owned(), kept).await?;
            Ok(response)
        }
        // All but a server that is full: that did nothing.
        (500..=599, fault) if fault.as_ref().is_none_or(|fault| fault.code != ErrorCode::SessionLimit) => Ok(response),
        _ => {
            app.store.release_key(tenant, key.to_owned()).await?;
            Ok(response)
        }
    }
}

fn replay(kept: Kept) -> Result<Response, Fault> {
    let status = StatusCode::from_u16(kept.status).map_err(Fault::internal)?;
    let json = [(header::CONTENT_TYPE, "application/json")];
    let mut response = (status, json, Bytes::from(kept.body)).into_response();
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    if let Some(location) = kept.location {
        response.headers_mut().insert(header::LOCATION, HeaderValue::try_from(location).map_err(Fault::internal)?);
    }
    Ok(response)
}

fn conflict(reason: &str) -> Fault {
    let message = match reason {
        "in_progress" => "The request with this Idempotency-Key is still under way: ask again in a moment",
        "different_request" => "This Idempotency-Key came with another request: use a new key for each",
        _ => {
            "The server stopped before it could answer this Idempotency-Key: look whether it was done, then use a new key"
        }
    };
    Fault::new(ErrorCode::IdempotencyConflict, message).with("reason", reason)
}
