//! `fetch`: HTTP requests to granted origins.
//!
//! What a script names is read once, as WHATWG says, and compared with the grant before anything is looked up; every hop
//! of a redirect begins there again. `connect.rs` then decides about addresses.
mod address;
mod authorities;
mod body;
mod connect;
mod origin;
mod secrets;
mod send;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, Semaphore};
use wasmtime::component::{ComponentType, Lift, Lower, WasmList};

pub use address::{Network, NetworkError};
pub use authorities::{Authorities, AuthoritiesError};
pub use origin::Origin;

use super::{
    Answer, Facade, Failure, Interface, Linking, Module, State, Store, Traffic, always, interrupted, read_grant,
    read_saved, unusable,
};
use crate::host::Host;
use crate::services::Services;
use body::{Body, Bounds};
use connect::Connector;

/// Largest numbers that a grant may say.
const RESPONSE_KB_MAX: u32 = 1 << 20;
const REQUEST_KB_MAX: u32 = 64 << 10;
const TIMEOUT_MS_MAX: u32 = 300_000;
const CONCURRENCY_MAX: u16 = 256;
/// Headers of a request or of an answer, and what all of them take.
const HEADERS_MAX: usize = 100;
const HEADER_BYTES_MAX: usize = 32 << 10;
/// The same with the secrets in it: one of the largest, and then some.
const FILLED_BYTES_MAX: usize = 128 << 10;
/// Secrets of one request: every byte that comes back is compared with all of them.
const SECRETS_MAX: usize = 16;
/// Head of an answer.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// Redirects that are followed, as browsers do.
const REDIRECTS_MAX: usize = 20;
/// How long an idle connection is kept, and how many to one origin.
const IDLE: Duration = Duration::from_secs(15);
const IDLE_MAX: usize = 4;

pub(super) static MODULE: Module = Module {
    name: "fetch",
    version: "0.2.0",
    docs: "HTTP requests as on the web: `fetch(url, init)`. Reaches the origins that the template grants, and nothing else; \
        listing it makes `fetch` a global, too.",
    interface: Some(Interface {
        name: "vm:fetch/fetch@0.2.0",
        wit: include_str!("../../../../../wit/fetch/fetch.wit"),
        link,
    }),
    before: &[("vm:fetch/fetch@0.1.0", link_before)],
    facade: Some(Facade { source: include_str!("facade.js"), types: include_str!("facade.d.ts") }),
    grant_schema: include_str!("grant.schema.json"),
    check_grant: |config| read_grant::<Grant>(config)?.check(),
    limits: &[
        ("url_bytes_max", origin::URL_BYTES_MAX as u64, "a longer URL is refused with ERR_INVALID_URL"),
        (
            "headers_max",
            HEADERS_MAX as u64,
            "more headers of a request are refused with EMSGSIZE; so is an answer with more",
        ),
        ("header_bytes_max", HEADER_BYTES_MAX as u64, "larger headers of a request are refused with EMSGSIZE"),
        ("secrets_max", SECRETS_MAX as u64, "a request with more secrets is refused with EMSGSIZE"),
        (
            "filled_bytes_max",
            FILLED_BYTES_MAX as u64,
            "headers that are larger with their secrets are refused with EMSGSIZE",
        ),
        ("head_bytes_max", HEAD_BYTES_MAX as u64, "an answer with a larger head fails with EMSGSIZE"),
        ("redirects_max", REDIRECTS_MAX as u64, "one more redirect fails with EREDIRECT"),
        ("chunk_bytes_max", body::CHUNK_BYTES_MAX as u64, "larger pieces of a body are split"),
    ],
    parts: &[],
    unavailable: always,
    ..Module::BASE
};

/// What a template's entry may say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Grant {
    origins: Vec<Origin>,
    methods: Vec<String>,
    private: bool,
    max_response_kb: u32,
    max_request_kb: u32,
    timeout_ms: u32,
    concurrency: u16,
    /// By name, where each may be sent; nowhere in particular: wherever the secret itself is approved for.
    secrets: BTreeMap<String, Vec<Origin>>,
}

impl Default for Grant {
    fn default() -> Grant {
        Grant {
            origins: Vec::new(),
            methods: vec!["GET".to_owned(), "HEAD".to_owned()],
            private: false,
            max_response_kb: 8 << 10,
            max_request_kb: 1 << 10,
            timeout_ms: 30_000,
            concurrency: 16,
            secrets: BTreeMap::new(),
        }
    }
}

impl Grant {
    fn check(&self) -> Result<(), String> {
        for (field, value, max) in [
            ("max_response_kb", self.max_response_kb, RESPONSE_KB_MAX),
            ("max_request_kb", self.max_request_kb, REQUEST_KB_MAX),
            ("timeout_ms", self.timeout_ms, TIMEOUT_MS_MAX),
            ("concurrency", self.concurrency.into(), CONCURRENCY_MAX.into()),
        ] {
            if value == 0 || value > max {
                return Err(format!("{field}: {value} is not from 1 to {max}"));
            }
        }
        for method in &self.methods {
            let token = !method.is_empty() && method.chars().all(|c| c.is_ascii_uppercase() || c == '-');
            if !token || ["CONNECT", "TRACE", "TRACK"].contains(&method.as_str()) {
                return Err(format!("methods: {method:?} is no method that can be granted, in capitals"));
            }
        }
        match self.secrets.keys().find(|name| !crate::services::is_secret_name(name)) {
            Some(name) => Err(format!("secrets: {name:?} is no name of a secret")),
            None => Ok(()),
        }
    }
}

/// What becomes of an answer that sends elsewhere.
#[derive(ComponentType, Lift, Clone, Copy, Debug, PartialEq, Eq)]
#[component(enum)]
#[repr(u8)]
#[allow(dead_code, reason = "made by the guest")]
enum Redirect {
    #[component(name = "follow")]
    Follow,
    #[component(name = "manual")]
    Manual,
    #[component(name = "error")]
    Error,
}

/// What is given up.
#[derive(Clone, Copy, ComponentType, Lift)]
#[component(variant)]
enum Unfinished {
    #[component(name = "request")]
    Request(u32),
    #[component(name = "body")]
    Body(u32),
}

impl Traffic for Unfinished {
    fn verb(&self) -> Option<&'static str> {
        Some(match self {
            Unfinished::Request(_) => "cancel",
            Unfinished::Body(_) => "close",
        })
    }
}

/// A request as the guest sends it.
#[derive(ComponentType, Lift)]
#[component(record)]
struct Request {
    id: u32,
    url: String,
    method: String,
    headers: Vec<(String, String)>,
    redirect: Redirect,
    #[component(name = "timeout-ms")]
    timeout_ms: u32,
}

/// The head of an answer, as the guest gets it.
#[derive(ComponentType, Lower, Clone, Debug)]
#[component(record)]
struct Response {
    status: u16,
    #[component(name = "status-text")]
    status_text: String,
    url: String,
    redirected: bool,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
    handle: u32,
}

impl Traffic for Request {
    fn bytes(&self, _: &Store<'_>) -> usize {
        self.url.len() + self.headers.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>()
    }

    /// Without its query: what is private in an address stands there.
    fn subject(&self, _: &Store<'_>) -> Option<String> {
        let method = self.method.get(..16).unwrap_or(&self.method);
        let url =
            origin::parse_url(&self.url, None).map_or_else(|_| "(no URL)".to_owned(), |url| origin::shown_url(&url));
        Some(format!("{method} {url}"))
    }
}

impl Traffic for Response {
    fn bytes(&self, _: &Store<'_>) -> usize {
        let headers = self.headers.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        self.url.len() + headers + self.body.as_ref().map_or(0, Vec::len)
    }
}

/// A session's requests.
struct Fetch(Arc<Shared>);

/// What requests that are under way share. They see no store.
struct Shared {
    grant: Grant,
    services: Services,
    client: Client<Connector, Full<Bytes>>,
    /// Places for requests that may be under way.
    places: Arc<Semaphore>,
    bodies: Mutex<HashMap<u32, Arc<tokio::sync::Mutex<Body>>>>,
    cancels: Mutex<HashMap<u32, Arc<Notify>>>,
    last: AtomicU32,
    /// Bodies that ended before they were read, and why: those whose time was up, and those that were open in another
    /// process. What a heap still has of them is no answer's end.
    ended: Mutex<BTreeMap<u32, Failure>>,
}

/// What a snapshot has of them.
#[derive(Serialize, Deserialize)]
struct Saved {
    last: u32,
    open: BTreeSet<u32>,
}

/// Bodies that ended unread and are remembered, the latest: those that no script asks for again stay among them.
const ENDED_MAX: usize = 1_000;

impl State for Fetch {
    const MODULE: &'static str = "fetch";
    type Grant = Grant;

    fn open(grant: Grant, host: &Host) -> Answer<Fetch> {
        let connector = Connector::new(Arc::clone(&host.policy), grant.private)?;
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_MAX)
            .http1_max_headers(HEADERS_MAX)
            .http1_max_buf_size(HEAD_BYTES_MAX)
            .build(connector);
        Ok(Fetch(Arc::new(Shared {
            places: Arc::new(Semaphore::new(grant.concurrency.into())),
            grant,
            services: host.services.clone(),
            client,
            bodies: Mutex::default(),
            cancels: Mutex::default(),
            last: AtomicU32::new(0),
            ended: Mutex::default(),
        })))
    }

    fn pins(&self) -> Option<&'static str> {
        // Until its time is up: what nobody reads pins no longer than that.
        (!self.0.bodies().is_empty()).then_some("the body of an answer is not read to its end")
    }

    fn save(&self) -> Option<serde_json::Value> {
        let open: BTreeSet<u32> = self.0.bodies().keys().copied().chain(self.0.ended().keys().copied()).collect();
        let open = open.into_iter().rev().take(ENDED_MAX).collect();
        let saved = Saved { last: self.0.last.load(Ordering::Relaxed), open };
        if saved.last == 0 { None } else { serde_json::to_value(saved).ok() }
    }

    fn restore(&mut self, saved: serde_json::Value) -> Answer<()> {
        let Saved { last, open } = read_saved("fetch", saved)?;
        if open.len() > ENDED_MAX {
            return Err(unusable("fetch"));
        }
        self.0.last.store(last, Ordering::Relaxed);
        *self.0.ended() = open.into_iter().map(|handle| (handle, interrupted("reading the body"))).collect();
        Ok(())
    }
}

fn link(fetch: &mut Linking<'_>) -> wasmtime::Result<()> {
    fetch.function("give-up", |store, (what,): (Unfinished,)| {
        match what {
            Unfinished::Request(id) => cancel(store, id),
            Unfinished::Body(handle) => close(store, handle),
        }
        Ok(())
    })?;
    common(fetch)
}

/// Version 0.1.0, for heaps that were stored with it.
fn link_before(fetch: &mut Linking<'_>) -> wasmtime::Result<()> {
    type GiveUp = fn(&mut Store<'_>, u32);
    for (name, body) in [("close", close as GiveUp), ("cancel", cancel as GiveUp)] {
        fetch.function(name, move |store, (number,): (u32,)| {
            body(store, number);
            Ok(())
        })?;
    }
    common(fetch)
}

/// Gives up a body.
fn close(store: &mut Store<'_>, handle: u32) {
    if let Ok(fetch) = store.data_mut().state::<Fetch>() {
        fetch.0.bodies().remove(&handle);
        fetch.0.ended().remove(&handle);
    }
}

/// Gives up a request.
fn cancel(store: &mut Store<'_>, id: u32) {
    if let Ok(fetch) = store.data_mut().state::<Fetch>()
        && let Some(cancel) = fetch.0.cancels().get(&id)
    {
        cancel.notify_one();
    }
}

/// What the versions of the interface have in common.
fn common(fetch: &mut Linking<'_>) -> wasmtime::Result<()> {
    fetch.asynchronous("send", |store, (request, body): (Request, Option<WasmList<u8>>)| {
        let shared = match store.data_mut().state::<Fetch>() {
            Ok(fetch) => Arc::clone(&fetch.0),
            Err(failure) => return Ok(Err(failure)),
        };
        let max = u64::from(shared.grant.max_request_kb) << 10;
        if body.as_ref().is_some_and(|body| body.len() as u64 > max) {
            let message = format!("the body is larger than {} KiB: `max_request_kb` of the grant", max >> 10);
            return Ok(Err(Failure::new("EMSGSIZE", message)));
        }
        let body = body.map_or_else(Bytes::new, |body| Bytes::copy_from_slice(body.as_le_slice(&*store)));
        let id = request.id;
        Ok(send::Plan::of(&shared.grant, request, body).map(|plan| {
            // From here on, and not from when a thread first looks at it: a script may cancel in its next word.
            let (cancel, until_done) = shared.cancellable(id);
            async move {
                let _until_done = until_done;
                tokio::select! {
                    // What is cancelled stays so, also when it is done at the same moment.
                    biased;
                    () = cancel.notified() => Err(Failure::new("ABORT_ERR", "the request was aborted")),
                    sent = shared.send(plan) => sent,
                }
            }
        }))
    })?;
    fetch.asynchronous("read", |store, (handle,): (u32,)| {
        let found = store.data_mut().state::<Fetch>().and_then(|fetch| {
            let body = fetch.0.bodies().get(&handle).cloned();
            let body = body.ok_or_else(|| {
                let closed = || Failure::new("EBADF", "the body was closed: it was read to its end, or given up");
                fetch.0.ended().remove(&handle).unwrap_or_else(closed)
            })?;
            Ok((Arc::clone(&fetch.0), body))
        });
        Ok(found.map(|(shared, body)| async move {
            let chunk = body.lock().await.chunk().await;
            if !matches!(chunk, Ok(Some(_))) {
                shared.bodies().remove(&handle);
                shared.ended().remove(&handle);
            }
            chunk
        }))
    })
}

/// A request can be cancelled until this goes.
struct UntilDone(Arc<Shared>, u32);

impl Drop for UntilDone {
    fn drop(&mut self) {
        self.0.cancels().remove(&self.1);
    }
}

impl Shared {
    fn bodies(&self) -> MutexGuard<'_, HashMap<u32, Arc<tokio::sync::Mutex<Body>>>> {
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ended(&self) -> MutexGuard<'_, BTreeMap<u32, Failure>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cancels(&self) -> MutexGuard<'_, HashMap<u32, Arc<Notify>>> {
        self.cancels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cancellable(self: &Arc<Self>, id: u32) -> (Arc<Notify>, UntilDone) {
        let cancel = Arc::<Notify>::default();
        self.cancels().insert(id, Arc::clone(&cancel));
        (cancel, UntilDone(Arc::clone(self), id))
    }

    /// Keeps a body for the guest to read. One that nobody reads to its end gives its place back when its time is up.
    fn keep(self: &Arc<Self>, body: Body) -> u32 {
        let bounds = body.bounds();
        let handle = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        self.bodies().insert(handle, Arc::new(tokio::sync::Mutex::new(body)));
        tokio::spawn(expire(Arc::downgrade(self), handle, bounds));
        handle
    }
}

async fn expire(shared: Weak<Shared>, handle: u32, bounds: Bounds) {
    tokio::time::sleep_until(bounds.deadline).await;
    let Some(shared) = shared.upgrade() else { return };
    // Whoever reads next is told why; who reads it now is told by the body.
    let mut bodies = shared.bodies();
    if bodies.remove(&handle).is_some() {
        let mut ended = shared.ended();
        ended.insert(handle, bounds.late());
        if ended.len() > ENDED_MAX {
            ended.pop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Surroundings;
    use crate::sandbox::Setup;

    #[test]
    fn bodies_of_another_process_stay_lost() {
        let mut host = Host::new(Setup::default(), &[], Arc::default(), Surroundings::default()).unwrap();
        let saved = BTreeMap::from([("fetch".to_owned(), serde_json::json!({"last": 4, "open": [1, 3]}))]);
        host.restore_states(saved.clone());
        let fetch = host.state::<Fetch>().unwrap();
        assert_eq!((fetch.0.last.load(Ordering::Relaxed), State::pins(fetch)), (4, None));
        assert_eq!(fetch.0.ended().keys().copied().collect::<Vec<_>>(), [1, 3]);
        assert_eq!(host.save_states(), saved);
    }
}
