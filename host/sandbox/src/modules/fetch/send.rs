//! One request: what is checked before anything is sent, and its way through redirects.
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode, Uri};
use tokio::time::Instant;
use url::Url;

use super::body::{Body, Bounds};
use super::connect::{Answered, Refused, io_failure};
use super::origin::{parse_url, shown_origin};
use super::secrets::{Sent, Used, names, not_granted};
use super::{
    FILLED_BYTES_MAX, Grant, HEADER_BYTES_MAX, HEADERS_MAX, REDIRECTS_MAX, Redirect, Request, Response, SECRETS_MAX,
    Shared,
};
use crate::modules::{Answer, Failure};

/// What we send unless a script says otherwise.
const USER_AGENT: &str = concat!("vm-system/", env!("CARGO_PKG_VERSION"));

/// How often a request is sent again whose connection was closed before it came.
const RETRIES_MAX: u32 = 3;

/// Headers that belong to the connection and to how a message is framed: they are ours.
const OURS: &[&str] = &[
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

/// A request that may be sent.
pub(super) struct Plan {
    url: Url,
    method: Method,
    headers: Vec<(HeaderName, String)>,
    /// Names of the secrets that headers mention.
    secrets: Vec<String>,
    body: Bytes,
    redirect: Redirect,
    timeout_ms: u32,
    deadline: Instant,
}

impl Grant {
    /// Whether a request may be sent, as far as its address and method tell. Asked for every hop.
    fn admit(&self, url: &Url, method: &Method) -> Answer<()> {
        if !self.origins.iter().any(|origin| origin.covers(url)) {
            return Err(Failure::not_granted("fetch", "origins", shown_origin(url)));
        }
        if !self.methods.iter().any(|granted| granted == method.as_str()) {
            return Err(Failure::not_granted("fetch", "methods", format!("{method} {}", shown_origin(url))));
        }
        Ok(())
    }
}

impl Plan {
    pub(super) fn of(grant: &Grant, request: Request, body: Bytes) -> Answer<Plan> {
        let invalid = |why: String| Failure::new("EINVAL", why);
        let url = parse_url(&request.url, None)?;
        let method = Method::from_bytes(request.method.as_bytes());
        let method = method.map_err(|_| invalid("the method has characters that no method may have".to_owned()))?;
        if ["CONNECT", "TRACE", "TRACK"].iter().any(|no| method.as_str().eq_ignore_ascii_case(no)) {
            return Err(invalid(format!("the method {method} can't be used")));
        }
        grant.admit(&url, &method)?;
        if !body.is_empty() && (method == Method::GET || method == Method::HEAD) {
            return Err(invalid(format!("a request with method {method} has no body")));
        }
        if request.headers.len() > HEADERS_MAX {
            return Err(Failure::new("EMSGSIZE", format!("a request has at most {HEADERS_MAX} headers")));
        }
        let (mut headers, mut secrets, mut bytes) = (Vec::new(), Vec::new(), 0);
        for (name, value) in request.headers {
            bytes += name.len() + value.len();
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| invalid("a header's name has characters that no name may have".to_owned()))?;
            if OURS.contains(&name.as_str()) || name.as_str().starts_with("proxy-") {
                return Err(invalid(format!("the header `{name}` can't be set: it is the connection's")));
            }
            for secret in names(&value)? {
                if !grant.secrets.contains_key(secret) {
                    return Err(not_granted(secret));
                }
                if !secrets.iter().any(|known| known == secret) {
                    secrets.push(secret.to_owned());
                }
            }
            header_value(&name, &value)?;
            headers.push((name, value));
        }
        if bytes > HEADER_BYTES_MAX {
            return Err(Failure::new("EMSGSIZE", format!("the headers take more than {} KiB", HEADER_BYTES_MAX >> 10)));
        }
        if secrets.len() > SECRETS_MAX {
            return Err(Failure::new("EMSGSIZE", format!("a request has at most {SECRETS_MAX} secrets")));
        }
        let timeout_ms = match request.timeout_ms {
            0 => grant.timeout_ms,
            asked => asked.min(grant.timeout_ms),
        };
        let deadline = Instant::now() + Duration::from_millis(timeout_ms.into());
        Ok(Plan { url, method, headers, secrets, body, redirect: request.redirect, timeout_ms, deadline })
    }

    /// The same, where the answer sends it.
    fn redirected(&mut self, status: StatusCode, to: Url) {
        let posted = self.method == Method::POST && matches!(status.as_u16(), 301 | 302);
        let see_other = status == StatusCode::SEE_OTHER && self.method != Method::GET && self.method != Method::HEAD;
        if posted || see_other {
            self.method = Method::GET;
            self.body = Bytes::new();
            self.headers.retain(|(name, _)| !name.as_str().starts_with("content-"));
        }
        if to.origin() != self.url.origin() {
            // What vouches for the script to one origin is none of the next one's business.
            let vouches = |name: &HeaderName| *name == header::AUTHORIZATION || *name == header::COOKIE;
            self.headers.retain(|(name, value)| !vouches(name) && !value.contains("{{secret:"));
        }
        self.url = to;
    }

    fn request(&self, used: &Used, grant: &Grant) -> Answer<hyper::Request<Full<Bytes>>> {
        let mut headers = HeaderMap::with_capacity(self.headers.len() + 3);
        let mut left = FILLED_BYTES_MAX;
        for (name, value) in &self.headers {
            let filled = used.fill(value, &self.url, grant, left)?;
            left = left.saturating_sub(filled.len());
            headers.append(name, header_value(name, &filled)?);
        }
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        headers.entry(header::ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        headers.entry(header::USER_AGENT).or_insert(HeaderValue::from_static(USER_AGENT));
        let invalid = |_| Failure::new("ERR_INVALID_URL", "the URL has characters that can't be sent");
        let mut request = hyper::Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = Uri::try_from(self.url.as_str()).map_err(invalid)?;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

/// A character a byte, as WHATWG has it.
fn header_value(name: &HeaderName, text: &str) -> Answer<HeaderValue> {
    // Of a secret's value nothing may be told, so nothing is told of any.
    let invalid =
        || Failure::new("EINVAL", format!("the value of header `{name}` has characters that no header may have"));
    let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    let mut value = HeaderValue::from_maybe_shared(Bytes::from(bytes.ok_or_else(invalid)?)).map_err(|_| invalid())?;
    value.set_sensitive(true);
    Ok(value)
}

impl Shared {
    /// The whole way to the head of the answer, and to its body if that is short.
    pub(super) async fn send(self: &Arc<Self>, mut plan: Plan) -> Answer<Response> {
        let bounds = Bounds {
            bytes_max: u64::from(self.grant.max_response_kb) << 10,
            deadline: plan.deadline,
            timeout_ms: plan.timeout_ms,
        };
        let (deadline, busy) = (plan.deadline, self.grant.concurrency);
        let place = tokio::time::timeout_at(deadline, Arc::clone(&self.places).acquire_owned()).await;
        let place = place.map_err(|_| {
            let message = format!(
                "{busy} requests are under way (`concurrency` of the grant): read their bodies, or cancel them"
            );
            Failure::new("ETIMEDOUT", message)
        })?;
        let place = place.map_err(|_| Failure::new("ABORT_ERR", "the session has ended"))?;
        let rest = async {
            let used = Used::look_up(std::mem::take(&mut plan.secrets), &self.services).await?;
            let sent = used.sent();
            let (answer, redirected) = self.follow(&mut plan, &used, &sent).await?;
            let mut response = head(&answer, &sent, &plan.url, redirected);
            let packed = answer.headers().get(header::CONTENT_ENCODING).is_some_and(|coding| {
                coding.as_bytes().eq_ignore_ascii_case(b"gzip") || coding.as_bytes().eq_ignore_ascii_case(b"x-gzip")
            });
            let packed = packed && plan.method != Method::HEAD && answer.status() != StatusCode::NO_CONTENT;
            let mut body = Body::new(answer.into_body(), packed, sent, bounds, place)?;
            response.body = body.whole().await?;
            Answer::Ok((response, body))
        };
        let (mut response, body) = tokio::time::timeout_at(deadline, rest).await.map_err(|_| bounds.late())??;
        if response.body.is_none() {
            response.handle = self.keep(body);
        }
        Ok(response)
    }

    /// Hop by hop to an answer that sends no further.
    async fn follow(&self, plan: &mut Plan, used: &Used, sent: &Sent) -> Answer<(hyper::Response<Incoming>, bool)> {
        for hop in 0..=REDIRECTS_MAX {
            // Where an answer to a secret leads may be the secret itself.
            let discreet = |failure: Failure| match hop {
                0 => failure,
                _ if sent.is_empty() => {
                    Failure { message: format!("after a redirect: {}", failure.message), ..failure }
                }
                _ => Failure {
                    message: "after a redirect, whose address is not shown for a secret was sent".into(),
                    ..failure
                },
            };
            self.grant.admit(&plan.url, &plan.method).map_err(discreet)?;
            let answer = self.ask(plan, used).await.map_err(discreet)?;
            let status = answer.status();
            let location = match status.as_u16() {
                301 | 302 | 303 | 307 | 308 => answer.headers().get(header::LOCATION),
                _ => None,
            };
            let Some(location) = location else { return Ok((answer, hop > 0)) };
            match plan.redirect {
                Redirect::Manual => return Ok((answer, hop > 0)),
                Redirect::Error => {
                    let message = format!(
                        "{} answers with a redirect, and the request says redirect: 'error'",
                        shown_origin(&plan.url)
                    );
                    return Err(Failure::new("EREDIRECT", message));
                }
                Redirect::Follow => {}
            }
            let to = parse_url(&String::from_utf8_lossy(location.as_bytes()), Some(&plan.url)).map_err(|failure| {
                let message = if sent.is_empty() { failure.message } else { "its address is not shown".to_owned() };
                Failure { message: format!("a redirect that can't be followed: {message}"), ..failure }
            })?;
            // Whoever is sent a secret may repeat it, and must not have it sent on.
            if to.origin() != plan.url.origin()
                && [location.as_bytes(), to.as_str().as_bytes()].iter().any(|text| sent.is_within(text))
            {
                let message = "a redirect that can't be followed: it has a secret for another origin in its address";
                return Err(Failure::new("EREDIRECT", message));
            }
            plan.redirected(status, to);
        }
        Err(Failure::new("EREDIRECT", format!("more than {REDIRECTS_MAX} redirects")))
    }

    /// One hop. A server may close a connection that was idle just when a request is on its way: what changes nothing there is
    /// sent again then, on another one.
    async fn ask(&self, plan: &Plan, used: &Used) -> Answer<hyper::Response<Incoming>> {
        let mut again = match plan.method {
            Method::GET | Method::HEAD | Method::OPTIONS => RETRIES_MAX,
            _ => 0,
        };
        loop {
            let error = match self.client.request(plan.request(used, &self.grant)?).await {
                Ok(answer) => {
                    Answered::note(answer.extensions());
                    return Ok(answer);
                }
                Err(error) => error,
            };
            let failure = failure(&plan.url, &error);
            if again == 0 || failure.code != "ECONNRESET" || !Answered::before(&error) {
                return Err(failure);
            }
            again -= 1;
        }
    }
}

/// What the guest is told of an answer.
fn head(answer: &hyper::Response<Incoming>, sent: &Sent, url: &Url, redirected: bool) -> Response {
    // Bytes become characters, as WHATWG has it.
    let text = |bytes: &[u8]| -> String {
        match std::str::from_utf8(bytes) {
            Ok(text) if sent.is_empty() && text.is_ascii() => text.to_owned(),
            _ => sent.without_all(bytes).into_iter().map(char::from).collect(),
        }
    };
    let reason = answer.extensions().get::<hyper::ext::ReasonPhrase>().map(|reason| reason.as_bytes());
    let reason = reason.unwrap_or_else(|| answer.status().canonical_reason().unwrap_or_default().as_bytes());
    Response {
        status: answer.status().as_u16(),
        status_text: text(reason),
        url: text(url.as_str().as_bytes()),
        redirected,
        headers: answer
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes())))
            .collect(),
        body: None,
        handle: 0,
    }
}

/// Why there is no answer. Nothing of the errors' own texts is passed on: they may quote what was sent.
fn failure(url: &Url, error: &(dyn std::error::Error + 'static)) -> Failure {
    let place = shown_origin(url);
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(Refused(failure)) = error.downcast_ref() {
            return failure.clone();
        }
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            return io_failure(&place, error);
        }
        if let Some(error) = error.downcast_ref::<hyper::Error>() {
            if error.is_parse_too_large() {
                return Failure::new("EMSGSIZE", format!("{place}: the head of the answer is too large"));
            }
            if error.is_parse() {
                return Failure::new("EBADMSG", format!("{place}: the answer is not HTTP"));
            }
        }
        cause = error.source();
    }
    Failure::new("ECONNRESET", format!("{place}: the connection was closed before the answer was complete"))
}
