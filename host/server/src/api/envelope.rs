//! What every answer has: a request id, and, where something went wrong, the one shape of errors.
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::Instrument;
use tracing::field::Empty;
use uuid::Uuid;

use super::{error, leftover};
use crate::fault::Fault;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives the request its id, survives a handler's panic, and writes out the fault that a handler ended with.
pub(super) async fn wrap(request: Request, next: Next) -> Response {
    let id = Uuid::new_v4();
    let started = Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let (request, leftover) = leftover::hold(request);
    let span = tracing::info_span!("request", %id, tenant = Empty, session = Empty, execution = Empty);
    let handled = no_panic(next.run(request)).instrument(span.clone()).await;
    let mut response = handled.unwrap_or_else(|| Fault::internal("a handler panicked").into_response());
    if let Some(leftover) = leftover
        && !leftover.drain().await
    {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    let _in_span = span.enter();
    if let Some(fault) = response.extensions_mut().remove::<Arc<Fault>>() {
        error::write(&fault, id, &mut response);
    }
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let status = response.status().as_u16();
    tracing::info!(%method, path, status, micros = started.elapsed().as_micros() as u64, "answered");
    response
}

/// The future's output, or nothing if it panics. A panicking handler would otherwise drop the connection.
async fn no_panic<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    std::future::poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Some),
        Err(_) => Poll::Ready(None),
    })
    .await
}
