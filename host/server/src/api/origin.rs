//! Which names a request may call this server by, and which pages may call it. A server on the loopback is reachable
//! for every web page that its user opens: by a form or fetch of another origin, and, once a page's name is made to
//! resolve to 127.0.0.1, as that page's own origin. Both are refused before a handler runs.
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use model::ErrorCode;
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::fault::Fault;

/// Who may call.
#[derive(Clone)]
pub(super) struct Pages {
    /// Names that the server is called by, beside `localhost` and addresses.
    pub(super) hosts: Arc<[String]>,
    /// Origins of web pages that the operator lets in.
    pub(super) origins: Arc<[HeaderValue]>,
}

/// What browsers ask for on behalf of the operator's origins.
pub(super) fn cors(pages: &Pages) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(pages.origins.iter().cloned()))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers(
            [header::CONTENT_TYPE, header::ACCEPT].into_iter().chain(OUR_REQUEST_HEADERS).collect::<Vec<_>>(),
        )
        .expose_headers([header::LOCATION].into_iter().chain(OUR_ANSWER_HEADERS).collect::<Vec<_>>())
        .max_age(Duration::from_secs(3_600))
}

const OUR_REQUEST_HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("last-event-id"),
    HeaderName::from_static("prefer"),
];
const OUR_ANSWER_HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("idempotency-replayed"),
    HeaderName::from_static("preference-applied"),
    HeaderName::from_static("x-request-id"),
];

pub(super) async fn guard(State(pages): State<Pages>, request: Request, next: Next) -> Response {
    match judge(request.headers(), &pages) {
        Ok(()) => next.run(request).await,
        Err(message) => Fault::new(ErrorCode::OriginNotAllowed, message).into_response(),
    }
}

fn judge(headers: &HeaderMap, pages: &Pages) -> Result<(), &'static str> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or(""));
    let host = text(header::HOST);
    if host.is_some_and(|host| !is_ours(host, &pages.hosts)) {
        return Err(
            "This server is called by an address or as localhost, not by another name (Host): --allow-host lets it",
        );
    }
    // What browsers say of requests that carry no Origin, such as those of script elements. Following a link is no request
    // of a page: no page sees what comes.
    let foreign = text(HeaderName::from_static("sec-fetch-site")).is_some_and(|site| site.ends_with("-site"));
    let followed = text(HeaderName::from_static("sec-fetch-mode")) == Some("navigate");
    if foreign && !followed && text(header::ORIGIN).is_none() {
        return Err("Pages of other origins may not call this server (Sec-Fetch-Site)");
    }
    match text(header::ORIGIN) {
        None => Ok(()),
        // A page of this server itself.
        Some(origin) if origin.split_once("://").is_some_and(|(_, own)| Some(own) == host) => Ok(()),
        Some(origin) if pages.origins.iter().any(|allowed| allowed == origin) => Ok(()),
        Some(_) => Err("Pages of other origins may not call this server (Origin): --cors-origin lets them in"),
    }
}

/// An IP address, `localhost` or a name of the operator's, with any port.
fn is_ours(host: &str, names: &[String]) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    let named = || names.iter().any(|ours| ours.eq_ignore_ascii_case(name));
    name.parse::<IpAddr>().is_ok() || name.eq_ignore_ascii_case("localhost") || named()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(host: Option<&str>, origin: Option<&str>, more: &[(&'static str, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in [("host", host), ("origin", origin)] {
            if let Some(value) = value {
                headers.insert(name, value.parse().unwrap());
            }
        }
        for (name, value) in more {
            headers.insert(*name, value.parse().unwrap());
        }
        let origins = [HeaderValue::from_static("https://console.example")].into();
        judge(&headers, &Pages { hosts: ["vm.example".to_owned()].into(), origins }).is_ok()
    }

    #[test]
    fn a_server_has_no_other_names() {
        for host in ["127.0.0.1:3210", "localhost:3210", "LOCALHOST", "[::1]:3210", "10.0.0.1", "VM.example:80"] {
            assert!(judged(Some(host), None, &[]), "{host}");
        }
        for host in ["evil.example:3210", "localhost.evil.example", "127.0.0.1.evil.example", "x.vm.example", "", "a b"]
        {
            assert!(!judged(Some(host), None, &[]), "{host}");
        }
        assert!(judged(None, None, &[]), "HTTP/1.0");
    }

    #[test]
    fn only_its_own_pages_call_a_server() {
        assert!(judged(Some("localhost:3210"), Some("http://localhost:3210"), &[]));
        assert!(judged(Some("localhost:3210"), Some("https://console.example"), &[]), "the operator's");
        for origin in [
            "http://console.example",
            "https://console.example:8443",
            "http://evil.example",
            "http://localhost:8080",
            "null",
            "",
        ] {
            assert!(!judged(Some("localhost:3210"), Some(origin), &[]), "{origin}");
            assert!(!judged(Some("vm.example"), Some(origin), &[]), "{origin}");
        }
    }

    #[test]
    fn nor_do_elements_of_other_pages() {
        let sent = |site, mode| judged(Some("localhost"), None, &[("sec-fetch-site", site), ("sec-fetch-mode", mode)]);
        assert!(!sent("cross-site", "no-cors") && !sent("same-site", "no-cors"));
        assert!(sent("same-origin", "no-cors") && sent("none", "navigate") && sent("cross-site", "navigate"));
    }
}
