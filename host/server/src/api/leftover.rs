//! What nobody read of a request's body. hyper closes a connection whose request was not read to its end, without a word
//! in the answer: a client that keeps connections finds out when its next request fails.
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header::EXPECT;
use hyper::body::{Frame, SizeHint};

/// How much is read to keep a connection, and for how long an answer waits for that.
const BYTES_MAX: usize = 256 << 10;
const PATIENCE: Duration = Duration::from_millis(500);

/// Another hold on the body of a request.
pub(super) struct Leftover {
    body: Shared,
    /// The client sends nothing before it is told to; after an answer it never will be.
    waits: bool,
}

#[derive(Clone)]
struct Shared(Arc<Mutex<Body>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Body> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpBody for Shared {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut *self.lock()).poll_frame(cx)
    }
    fn is_end_stream(&self) -> bool {
        self.lock().is_end_stream()
    }
    fn size_hint(&self) -> SizeHint {
        self.lock().size_hint()
    }
}

/// Keeps hold of a request's body, if it has one.
pub(super) fn hold(request: Request) -> (Request, Option<Leftover>) {
    if request.body().is_end_stream() {
        return (request, None);
    }
    let waits = request.headers().contains_key(EXPECT);
    let (parts, body) = request.into_parts();
    let body = Shared(Arc::new(Mutex::new(body)));
    (Request::from_parts(parts, Body::new(body.clone())), Some(Leftover { body, waits }))
}

impl Leftover {
    /// Reads the rest, if that is not much; false when there is more.
    pub(super) async fn drain(mut self) -> bool {
        if self.body.is_end_stream() {
            return true;
        }
        let rest = async {
            let mut left = BYTES_MAX;
            while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut self.body).poll_frame(cx)).await {
                let Ok(frame) = frame else { return false };
                let bytes = frame.data_ref().map_or(0, |data| data.len());
                let Some(less) = left.checked_sub(bytes) else { return false };
                left = less;
            }
            true
        };
        !self.waits && tokio::time::timeout(PATIENCE, rest).await.unwrap_or(false)
    }
}
