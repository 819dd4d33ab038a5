//! Which names a request may call this server by, and which pages may call it. A server on the loopback is reachable
//! for every web page that its user opens: by a form or fetch of another origin, and, once a page's name is made to
//! resolve to 127.0.0.1, as that page's own origin. Both are refused before a handler runs.
use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use model::ErrorCode;

use crate::fault::Fault;

/// `loopback`: the listener is bound to a loopback address.
pub(super) async fn guard(State(loopback): State<bool>, request: Request, next: Next) -> Response {
    match judge(request.headers(), loopback) {
        Ok(()) => next.run(request).await,
        Err(message) => Fault::new(ErrorCode::OriginNotAllowed, message).into_response(),
    }
}

fn judge(headers: &HeaderMap, loopback: bool) -> Result<(), &'static str> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or(""));
    let host = text(header::HOST);
    if loopback && host.is_some_and(|host| !is_local(host)) {
        return Err("This server is called by an address or as localhost, not by another name (Host)");
    }
    match text(header::ORIGIN) {
        None => Ok(()),
        // A page of this server itself.
        Some(origin) if origin.split_once("://").is_some_and(|(_, own)| Some(own) == host) => Ok(()),
        Some(_) => Err("Pages of other origins may not call this server (Origin)"),
    }
}

/// An IP address or `localhost`, with any port.
fn is_local(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    name.parse::<IpAddr>().is_ok() || name.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(host: Option<&str>, origin: Option<&str>, loopback: bool) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in [(header::HOST, host), (header::ORIGIN, origin)] {
            if let Some(value) = value {
                headers.insert(name, value.parse().unwrap());
            }
        }
        judge(&headers, loopback).is_ok()
    }

    #[test]
    fn a_loopback_server_has_no_other_names() {
        for host in ["127.0.0.1:3210", "localhost:3210", "LOCALHOST", "[::1]:3210", "10.0.0.1"] {
            assert!(judged(Some(host), None, true), "{host}");
        }
        for host in ["evil.example:3210", "localhost.evil.example", "127.0.0.1.evil.example", "", "a b"] {
            assert!(!judged(Some(host), None, true), "{host}");
        }
        assert!(judged(None, None, true), "HTTP/1.0");
        assert!(judged(Some("vm.example"), None, false));
    }

    #[test]
    fn only_its_own_pages_call_a_server() {
        assert!(judged(Some("localhost:3210"), Some("http://localhost:3210"), true));
        for origin in ["http://evil.example", "http://localhost:8080", "null", ""] {
            assert!(!judged(Some("localhost:3210"), Some(origin), true), "{origin}");
            assert!(!judged(Some("vm.example"), Some(origin), false), "{origin}");
        }
    }
}
