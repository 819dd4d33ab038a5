//! Lists that are as long as they are: an answer is written page by page, so that none is ever held whole.
use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use futures_util::stream;
use serde::Serialize;
use store::{Cursor, EventPage, Page, Wanted};

use super::extract::Query;
use super::{Answer, ok};
use crate::fault::Fault;

/// `?limit=`: a positive number, or `default`.
pub(super) fn limit(query: &Query, default: u32) -> Result<u32, Fault> {
    let Some(text) = query.get("limit") else { return Ok(default) };
    let limit = text.parse::<u64>().ok().filter(|limit| *limit > 0);
    let limit = limit.ok_or_else(|| Fault::validation("limit must be a positive integer"))?;
    Ok(u32::try_from(limit).unwrap_or(u32::MAX))
}

/// A part of a list, and what to ask for next.
pub(super) struct Part<T, N> {
    rows: Vec<T>,
    next: Option<N>,
}

impl<T> Part<T, Wanted> {
    pub(super) fn of(page: Page<T>, wanted: Wanted) -> Self {
        let left = wanted.rows_max - u32::try_from(page.rows.len()).unwrap_or(wanted.rows_max);
        let next = page.next.filter(|_| left > 0).map(|before| Wanted { before, rows_max: left });
        Part { rows: page.rows, next }
    }
}

/// Events after a sequence number, so many at most.
#[derive(Clone, Copy)]
pub(super) struct After {
    pub(super) seq: u64,
    pub(super) limit: usize,
}

impl Part<model::Event, After> {
    pub(super) fn of_events(page: EventPage, after: After) -> Self {
        let limit = after.limit.saturating_sub(page.events.len());
        let next = page.events.last().filter(|_| page.more).map(|last| After { seq: last.seq, limit });
        Part { rows: page.events, next }
    }
}

/// Answers a JSON array: at once when `first` is all of it, else piece by piece as the client takes it.
pub(super) fn answer<T, N, F>(first: Part<T, N>, read: impl Fn(N) -> F + Send + 'static) -> Answer
where
    T: Serialize + Send + 'static,
    N: Send + 'static,
    F: Future<Output = Result<Part<T, N>, Fault>> + Send,
{
    if first.next.is_none() {
        return ok(&first.rows);
    }
    enum State<T, N> {
        Part(Part<T, N>, bool),
        Next(N),
        End,
    }
    // An error in the middle breaks the answer off: what is not whole must not look so.
    let pieces = stream::try_unfold((State::Part(first, true), read), |(state, read)| async move {
        let (part, is_first) = match state {
            State::Part(part, is_first) => (part, is_first),
            State::Next(next) => (read(next).await.map_err(into_io)?, false),
            State::End => return Ok::<_, std::io::Error>(None),
        };
        let mut text = serde_json::to_vec(&part.rows).map_err(std::io::Error::other)?;
        // Arrays become one: brackets only at the ends.
        if part.next.is_some() {
            text.pop();
        }
        if !is_first {
            if part.rows.is_empty() {
                text.remove(0);
            } else {
                text[0] = b',';
            }
        }
        let state = part.next.map_or(State::End, State::Next);
        Ok(Some((text, (state, read))))
    });
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], Body::from_stream(pieces)).into_response())
}

fn into_io(fault: Fault) -> std::io::Error {
    tracing::error!(?fault, "a list broke off");
    std::io::Error::other("a list broke off")
}

/// What a client that names no place begins with.
pub(super) fn from_start(rows_max: u32) -> Wanted {
    Wanted { before: Cursor::START, rows_max }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read_all(pages: &'static [&'static [u32]]) -> String {
        let part = |n: usize| Part { rows: pages[n].to_vec(), next: (n + 1 < pages.len()).then_some(n + 1) };
        let answer = answer(part(0), move |n| async move { Ok(part(n)) }).unwrap();
        let bytes = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn pages_are_one_array() {
        assert_eq!(read_all(&[&[]]).await, "[]");
        assert_eq!(read_all(&[&[1, 2]]).await, "[1,2]");
        assert_eq!(read_all(&[&[1, 2], &[3], &[4, 5]]).await, "[1,2,3,4,5]");
        assert_eq!(read_all(&[&[1], &[]]).await, "[1]");
    }
}
