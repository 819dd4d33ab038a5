//! Scripts that people would write against an API, in sessions over HTTP. What needs no network is in
//! `tests/cases/scripts`.
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Server, shared_images};

const TOKEN: &str = "tok_9f8e7d6c5b4a/+=";

/// What the API knows between requests.
#[derive(Default)]
struct State {
    calls: HashMap<String, usize>,
    /// Method, target, `authorization` and body of each request.
    requests: Vec<(String, String, String, String)>,
}

/// A small API: it is busy now and then, wants a token, answers in pages and in pieces, and takes its time.
struct Api {
    url: String,
    state: Arc<Mutex<State>>,
}

impl Api {
    fn start() -> Api {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let api = Api { url: format!("http://{}", listener.local_addr().unwrap()), state: Arc::default() };
        let state = Arc::clone(&api.state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (state, stream) = (Arc::clone(&state), stream.unwrap());
                thread::spawn(move || serve(stream, &state));
            }
        });
        api
    }

    fn calls(&self, path: &str) -> usize {
        self.state.lock().unwrap().calls.get(path).copied().unwrap_or_default()
    }

    fn requests(&self) -> Vec<(String, String, String, String)> {
        self.state.lock().unwrap().requests.clone()
    }
}

fn serve(mut out: TcpStream, state: &Mutex<State>) -> Option<()> {
    let mut reader = BufReader::new(out.try_clone().ok()?);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let header = |name: &str| {
            let mut lines = head.lines().filter_map(|line| line.split_once(": "));
            lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
        };
        let mut body = vec![0; header("content-length").parse().unwrap_or(0)];
        reader.read_exact(&mut body).ok()?;
        let mut first = head.split(' ');
        let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let (authorization, key) = (header("authorization").to_owned(), header("idempotency-key").to_owned());
        let body = String::from_utf8(body).unwrap();
        let call = {
            let mut state = state.lock().unwrap();
            state.requests.push((method.clone(), target.clone(), authorization.clone(), body.clone()));
            let call = state.calls.entry(path.to_owned()).or_default();
            *call += 1;
            *call
        };
        answer(&mut out, (&method, path, query), (&authorization, &key), &body, call)?;
    }
}

fn answer(
    out: &mut TcpStream,
    (method, path, query): (&str, &str, &str),
    (authorization, key): (&str, &str),
    body: &str,
    call: usize,
) -> Option<()> {
    let mut send = |status: &str, more: &str, body: &Value| {
        let body = body.to_string();
        let length = body.len();
        let head =
            format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{more}\r\n");
        out.write_all((head + &body).as_bytes()).ok()
    };
    match (method, path) {
        (_, "/private/orders") if authorization != format!("Bearer {TOKEN}") => {
            send("401 Unauthorized", "", &json!({ "error": "who are you?", "given": authorization }))
        }
        (_, "/private/orders") if !call.is_multiple_of(3) => {
            send("503 Service Unavailable", "retry-after: 0\r\n", &json!({ "error": "busy", "call": call }))
        }
        ("POST", "/private/orders") => {
            let order: Value = serde_json::from_str(body).unwrap();
            send(
                "201 Created",
                "location: /private/orders/7\r\n",
                &json!({ "id": 7, "order": order, "key": key, "seen": authorization }),
            )
        }
        // 23 things, ten a page; where the next one is stands in a header.
        (_, "/things") => {
            let page: usize = query.strip_prefix("page=").map_or(1, |page| page.parse().unwrap());
            let things: Vec<Value> =
                ((page - 1) * 10 + 1..=(page * 10).min(23)).map(|id| json!({ "id": id })).collect();
            let next =
                if page < 3 { format!("link: </things?page={}>; rel=\"next\"\r\n", page + 1) } else { String::new() };
            send("200 OK", &next, &json!(things))
        }
        // Lines of JSON, cut anywhere, even within a character.
        (_, "/stream") => {
            out.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").ok()?;
            let lines: String =
                (0..50).map(|at| format!("{}\n", json!({ "at": at, "text": "grüße ".repeat(at % 5) }))).collect();
            for piece in lines.as_bytes().chunks(97) {
                out.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).ok()?;
                out.write_all(piece).ok()?;
                out.write_all(b"\r\n").ok()?;
            }
            out.write_all(b"0\r\n\r\n").ok()
        }
        // Something at once, and the rest after a long while.
        (_, "/stalls") => {
            out.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbegun").ok()?;
            thread::sleep(Duration::from_secs(30));
            None
        }
        // The first is late, those after are not.
        (_, "/late") => {
            if call == 1 {
                thread::sleep(Duration::from_secs(30));
            }
            send("200 OK", "", &json!({ "call": call }))
        }
        _ => send("404 Not Found", "", &json!({ "error": "no such thing" })),
    }
}

struct Host {
    server: Server,
    template: String,
    _place: tempfile::TempDir,
}

/// A server whose sessions may call the API, keep what it says in files, and send a token that they never see.
fn host(api: &Api) -> Host {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start_with(place.path(), &shared_images(), &["--allow-private-networks=127.0.0.1"]);
    let secret = json!({ "value": TOKEN, "origins": [api.url] }).to_string();
    server.send("PUT", "/secrets/SHOP", Some(&secret)).expect(200);
    let template = json!({
        "name": "scripts",
        "modules": [
            { "name": "fs" }, { "name": "timer" },
            { "name": "secrets", "config": { "names": ["SHOP"] } },
            { "name": "fetch", "config": {
                "origins": [api.url], "methods": ["GET", "POST"], "private": true,
                "secrets": { "SHOP": [api.url] }, "audit": true } },
        ],
        "settings": { "limits": { "wall_ms": 20_000, "cpu_ms": 10_000 } },
    });
    let made = server.post("/templates", template).expect(201).json;
    let template = made["id"].as_str().unwrap().to_owned();
    Host { server, template, _place: place }
}

impl Host {
    /// Runs a script to its end, in a session of its own; what it comes to, line by line. `API` in it is the API's
    /// address.
    #[track_caller]
    fn run(&self, api: &Api, script: &str) -> Vec<String> {
        let execution = self.server.eval(&self.server.session(&self.template), &script.replace("API", &api.url));
        let events = self.server.events(&execution);
        let all = format!("{execution}{}", json!(events));
        for shape in [TOKEN, "tok_9f8e", "dG9rXzlmOGU", "%2F%2B%3D"] {
            assert!(!all.contains(shape), "the secret is told: {all}");
        }
        assert_eq!(execution["status"], "ok", "{execution}");
        execution["result"]["preview"].as_str().unwrap().lines().map(str::to_owned).collect()
    }
}

/// What every script below begins with: a client as one would write it.
const CLIENT: &str = r"
    const { sleep } = require('timer');
    var call = async (url, { attempts = 4, timeout = 5000, signal, ...init } = {}) => {
        for (let attempt = 1; ; attempt++) {
            const limits = [AbortSignal.timeout(timeout), signal].filter(Boolean);
            try {
                const response = await fetch(url, { ...init, signal: AbortSignal.any(limits) });
                if (response.ok) return { response, attempt };
                const { status } = response;
                const error = Object.assign(new Error(`${status} ${(await response.json()).error}`), { status });
                if (status < 500) throw Object.assign(error, { final: true });
                if (attempt === attempts) throw error;
                await sleep(Number(response.headers.get('retry-after') ?? 1) * 1000 + 5 * 2 ** attempt);
            } catch (error) {
                if (error.final || signal?.aborted || attempt === attempts) throw error;
                if (error.status === undefined && error.name !== 'TimeoutError') throw error;
            }
        }
    };
";

#[test]
fn a_busy_api_and_a_token_that_nobody_sees() {
    let api = Api::start();
    let host = host(&api);
    let order = r"
        const { ref } = require('secrets');
        const headers = { authorization: `Bearer ${ref('SHOP')}`, 'content-type': 'application/json',
            'idempotency-key': 'order-1' };
        const body = JSON.stringify({ what: 'tea', grams: 250 });
        const { response, attempt } = await call('API/private/orders', { method: 'POST', headers, body });
        const made = await response.json();
        require('fs').writeFileSync('order.json', JSON.stringify({ headers, made }, null, 2));
        [attempt, response.status, response.headers.get('location'), made.id, made.order.what, made.key,
            headers.authorization, made.seen].join('\n')";
    let out = host.run(&api, &format!("{CLIENT}{order}"));
    let placeholder = "Bearer {{secret:SHOP}}";
    assert_eq!(out, ["3", "201", "/private/orders/7", "7", "tea", "order-1", placeholder, placeholder]);
    // The API got the token every time, and the same order.
    let requests = api.requests();
    assert_eq!(requests.len(), 3);
    for (method, _, authorization, body) in &requests {
        assert_eq!((method.as_str(), authorization.as_str()), ("POST", &*format!("Bearer {TOKEN}")));
        assert_eq!(body, r#"{"what":"tea","grams":250}"#);
    }
    let kept = std::fs::read_to_string(host.server.directory.join("order.json")).unwrap();
    assert!(kept.contains(placeholder) && !kept.contains(TOKEN), "{kept}");
    // Whatever a script makes of the reference, it is no token. A client's fault is not tried again.
    let wrong = r"const { ref } = require('secrets');
        const tried = [];
        const backwards = [...String(ref('SHOP'))].reverse().join('');
        const encoded = btoa(ref('SHOP'));
        for (const headers of [{ authorization: `Bearer ${encoded}` }, { authorization: `Bearer ${backwards}` }, {}])
            tried.push(await call('API/private/orders', { headers }).catch((e) => e.message));
        tried.join('\n')";
    assert_eq!(host.run(&api, &format!("{CLIENT}{wrong}")), ["401 who are you?"; 3]);
    assert_eq!(api.requests().len(), 6);
    // It is not sent where it is not in a header, and what is sent is not in the log.
    let body = r"const { ref } = require('secrets');
        const token = String(ref('SHOP'));
        const r = await fetch('API/nothing?token=' + encodeURIComponent(token), { method: 'POST', body: token });
        r.status";
    assert_eq!(host.run(&api, body), ["404"]);
    let (_, target, _, body) = api.requests().pop().unwrap();
    assert!(!target.contains("tok_") && body == "{{secret:SHOP}}", "{target} {body}");
    assert!(!host.server.log().contains(TOKEN));
}

#[test]
fn pages_one_after_the_other() {
    let api = Api::start();
    let host = host(&api);
    let script = r#"
        var pages = async function* (url) {
            while (url) {
                const { response } = await call(url);
                yield await response.json();
                const next = /<([^>]+)>; rel="next"/.exec(response.headers.get('link') ?? '');
                url = next && new URL(next[1], response.url).href;
            }
        };
        const ids = [];
        for await (const things of pages('API/things')) ids.push(...things.map(({ id }) => id));
        // One that has found what it was looking for asks for no more.
        let found;
        for await (const things of pages('API/things')) if ((found = things.find(({ id }) => id === 12))) break;
        [ids.length, ids.at(-1), new Set(ids).size, found.id].join('\n')"#;
    assert_eq!(host.run(&api, &format!("{CLIENT}{script}")), ["23", "23", "23", "12"]);
    assert_eq!(api.calls("/things"), 3 + 2);
    // All pages at once, in order.
    let script = "const page = async (number) => (await fetch(`API/things?page=${number}`)).json();
        (await Promise.all([1, 2, 3].map(page))).flat().map(({ id }) => id).join()";
    let all: Vec<String> = (1..=23).map(|id| id.to_string()).collect();
    assert_eq!(host.run(&api, script), [all.join(",")]);
}

#[test]
fn a_body_line_by_line() {
    let api = Api::start();
    let host = host(&api);
    let script = r"
        const fs = require('fs');
        var lines = async function* (body) {
            let rest = '';
            for await (const text of body.pipeThrough(new TextDecoderStream())) {
                const parts = (rest + text).split('\n');
                rest = parts.pop();
                yield* parts;
            }
            if (rest) yield rest;
        };
        const response = await fetch('API/stream');
        const out = fs.createWriteStream('texts.txt');
        let count = 0, length = 0;
        for await (const line of lines(response.body)) {
            const { at, text } = JSON.parse(line);
            if (at !== count++) throw new Error(`${at} is out of order`);
            length += text.length;
            out.write(text + '\n');
        }
        await new Promise((resolve) => out.end(resolve));
        [count, length, fs.readFileSync('texts.txt').split('\n')[4]].join('\n')";
    let out = host.run(&api, script);
    assert_eq!(out, ["50", "600", "grüße grüße grüße grüße "]);
    // The body goes into a file, piece by piece, without being in memory as a whole.
    let copied = host.run(
        &api,
        "const file = require('fs').createWriteStream('copy.ndjson');
         for await (const piece of (await fetch('API/stream')).body) file.write(piece);
         await new Promise((resolve) => file.end(resolve));
         const copied = require('fs').readFileSync('copy.ndjson').trim().split('\\n');
         copied.map((line) => JSON.parse(line).at).join() === Array.from({ length: 50 }, (_, at) => at).join()",
    );
    assert_eq!(copied, ["true"]);
}

#[test]
fn deadlines_and_giving_up() {
    let api = Api::start();
    let host = host(&api);
    // Late once, and tried again.
    let late = "const { response, attempt } = await call('API/late', { timeout: 150 });
        [attempt, (await response.json()).call].join()";
    assert_eq!(host.run(&api, &format!("{CLIENT}{late}")), ["2,2"]);
    // A body that stalls ends with the signal, whole or in pieces.
    let stalls = r"
        const out = [];
        await fetch('API/stalls', { signal: AbortSignal.timeout(100) }).then((r) => r.text())
            .catch((e) => out.push(e.name));
        const controller = new AbortController();
        const response = await fetch('API/stalls', { signal: controller.signal });
        try {
            for await (const piece of response.body) {
                out.push(new TextDecoder().decode(piece));
                controller.abort(new Error('enough'));
            }
        } catch (e) { out.push(e.message); }
        // The first of several that answers; the others are given up.
        const race = new AbortController();
        const get = async (path) => (await fetch('API' + path, { signal: race.signal })).json();
        const first = await Promise.any(['/stalls', '/things?page=3', '/stalls'].map(get));
        race.abort();
        out.push(first.length);
        await call('API/things', { signal: race.signal }).catch((e) => out.push(e.name));
        out.join('\n')";
    let out = host.run(&api, &format!("{CLIENT}{stalls}"));
    assert_eq!(out, ["TimeoutError", "begun", "enough", "3", "AbortError"]);
    // The whole execution is cancelled while it waits, and the session goes on.
    let session = host.server.session(&host.template);
    let running = host.server.begin(&session, &format!("await (await fetch('{}/stalls')).text()", api.url));
    thread::sleep(Duration::from_millis(200));
    host.server.post(&format!("/executions/{}/cancel", running["id"].as_str().unwrap()), json!({})).expect(200);
    assert_eq!(host.server.ended(&running)["status"], "cancelled");
    assert_eq!(host.server.value(&session, &format!("(await fetch('{}/things?page=3')).status", api.url)), "200");
}
