//! Clients that are slow, huge, many, broken or gone: whatever they do, others are answered and nothing panics.
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Server, shared_images};

/// What a client has for its head, and again for its body (`Config::REQUEST_TIME`).
const REQUEST_TIME: Duration = Duration::from_secs(30);
/// How much later than that is still in time, on a loaded machine.
const SLACK: Duration = Duration::from_secs(5);

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.address()).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Everything until the other side ends it, however it does that; panics when it does not within `patience`.
fn read_all(stream: &mut TcpStream, patience: Duration) -> String {
    stream.set_read_timeout(Some(patience)).unwrap();
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => bytes.extend_from_slice(&buffer[..n]),
            Err(error) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) => {
                panic!("still open after {patience:?}: {}", String::from_utf8_lossy(&bytes))
            }
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Others are served as if nothing was, and nothing has panicked.
#[track_caller]
fn is_well(server: &Server) {
    let began = Instant::now();
    assert_eq!(server.get("/health").expect(200).text, r#"{"status":"ok"}"#);
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    let log = server.log();
    assert!(!log.contains("panicked"), "{log}");
}

fn post(path: &str, headers: &str) -> String {
    format!("POST /api/v1{path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")
}

/// The one test that waits for the time-outs, for all of them at once. `trickle` is sent a byte a second after `head`.
#[test]
fn slow_clients() {
    let server = Arc::new(Server::start());
    let clients = [
        ("a slow head", String::new(), "GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\nX: yyyyyyyyyyyyy", ""),
        ("nothing at all", String::new(), "", ""),
        ("half a head", "GET /api/v1/health HTT".to_owned(), "", ""),
        ("no body", post("/templates", "Content-Length: 10\r\n"), "", "408"),
        (
            "a slow body",
            post("/templates", "Content-Length: 100\r\n"),
            "{                                      ",
            "408",
        ),
        ("half a chunk", post("/templates", "Transfer-Encoding: chunked\r\n") + "5\r\n{", "", "408"),
        ("with a key", post("/templates", "Content-Length: 10\r\nIdempotency-Key: k\r\n"), "", "408"),
        ("waits for leave", post("/templates", "Content-Length: 10\r\nExpect: 100-continue\r\n"), "", "408"),
        // Nobody reads this body; the answer comes at once, and the connection is not waited for.
        ("ignored", post("/nope", "Content-Length: 10\r\n"), "", "404"),
        ("too large", post("/templates", "Content-Length: 1000000000\r\n"), "", "413"),
    ];
    let threads = clients.map(|(name, head, trickle, status)| {
        let server = Arc::clone(&server);
        thread::spawn(move || {
            let began = Instant::now();
            let mut stream = connect(&server);
            stream.write_all(head.as_bytes()).unwrap();
            let mut writer = stream.try_clone().unwrap();
            let slow = thread::spawn(move || {
                for byte in trickle.bytes() {
                    if writer.write_all(&[byte]).is_err() {
                        break;
                    }
                    thread::sleep(Duration::from_secs(1));
                }
            });
            let answer = read_all(&mut stream, REQUEST_TIME + SLACK);
            let took = began.elapsed();
            let answer = answer.strip_prefix("HTTP/1.1 100 Continue\r\n\r\n").unwrap_or(&answer);
            if status.is_empty() {
                assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{name}: {answer}");
            } else {
                assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{name}: {answer}");
                assert!(answer.contains("x-request-id"), "{name}: {answer}");
                assert_eq!(answer.contains("REQUEST_TIMEOUT"), status == "408", "{name}: {answer}");
            }
            let waits = ["", "408"].contains(&status);
            let in_time = if waits { took > REQUEST_TIME - SLACK } else { took < Duration::from_secs(10) };
            assert!(in_time, "{name}: {took:?}");
            slow.join().unwrap();
        })
    });
    // A connection on which nothing more is asked is closed too.
    let mut kept = connect(&server);
    kept.write_all(b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let idle = thread::spawn(move || read_all(&mut kept, REQUEST_TIME + SLACK));
    for _ in 0..20 {
        is_well(&server);
        thread::sleep(Duration::from_millis(500));
    }
    for thread in threads {
        thread.join().unwrap();
    }
    assert!(idle.join().unwrap().starts_with("HTTP/1.1 200 OK"));
    assert_eq!(server.get("/templates").expect(200).text, "[]");
    is_well(&server);
}

/// A client that goes away in the middle of a run: the run goes on, and its row is final.
#[test]
fn clients_that_go_away() {
    let server = Server::start();
    let template = server.template("t", &[]);
    std::fs::write(server.directory.join("f.js"), "const t = Date.now(); while (Date.now() - t < 1500); 42").unwrap();
    let sessions: Vec<String> = (0..4).map(|_| server.session(&template)).collect();
    for (n, session) in sessions.iter().enumerate() {
        let (path, body) = match n % 2 {
            0 => ("/executions/run-file", json!({ "session_id": session, "path": "f.js" })),
            _ => {
                let input = "{ const t = Date.now(); while (Date.now() - t < 1500); } 42";
                ("/executions/repl", json!({ "session_id": session, "input": input }))
            }
        };
        let body = body.to_string();
        let mut stream = connect(&server);
        stream.write_all((post(path, &format!("Content-Length: {}\r\n", body.len())) + &body).as_bytes()).unwrap();
        let row = loop {
            let rows = server.get(&format!("/executions?session_id={session}")).expect(200).json;
            if rows[0].is_object() {
                break rows[0].clone();
            }
        };
        assert_eq!(row["status"], "running", "{row}");
        drop(stream);
        let end = server.ended(&row);
        assert_eq!((&end["status"], &end["result"]["json"]), (&json!("ok"), &json!(42)), "{end}");
        assert_eq!(server.value(session, "1+1"), "2");
    }
    // Gone while it makes sessions, or one-off runs: none is left half made.
    for n in 0..40u64 {
        let (path, body) = match n % 2 {
            0 => ("/sessions", server.session_body(&template)),
            _ => ("/run", json!({ "template_id": template, "input": "1" })),
        };
        let body = body.to_string();
        let mut stream = connect(&server);
        stream.write_all((post(path, &format!("Content-Length: {}\r\n", body.len())) + &body).as_bytes()).unwrap();
        thread::sleep(Duration::from_micros(n * 50));
        drop(stream);
    }
    let began = Instant::now();
    loop {
        let ready = server.get("/sessions?status=ready").expect(200).json.as_array().unwrap().len();
        let starting = server.get("/sessions?status=starting").expect(200).json.as_array().unwrap().len();
        let live = server.get("/runtime/summary").expect(200).json["active_sessions"].as_u64().unwrap();
        if starting == 0 && ready as u64 == live {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "{starting} are starting, {ready} ready, {live} live");
        thread::sleep(Duration::from_millis(20));
    }
    is_well(&server);
}

/// A gigabyte, declared or in chunks: refused without being held.
#[test]
fn huge_bodies() {
    let server = Arc::new(Server::start());
    server.send("POST", "/templates", Some(&" ".repeat(1 << 20))).expect_error(400, "INVALID_REQUEST");
    let before = server.status_kib("VmHWM");
    let chunked = "Transfer-Encoding: chunked\r\n";
    let threads = [
        ("/templates", "Content-Length: 1073741824\r\n"),
        ("/templates", "Content-Length: 1073741824\r\nIdempotency-Key: huge\r\n"),
        ("/templates", chunked),
        ("/executions/repl", chunked),
        ("/nope", chunked),
        ("/sessions/x/close", "Content-Length: 1073741824\r\n"),
    ]
    .map(|(path, headers)| {
        let server = Arc::clone(&server);
        thread::spawn(move || {
            let mut stream = connect(&server);
            stream.write_all(post(path, headers).as_bytes()).unwrap();
            let mut writer = stream.try_clone().unwrap();
            let sending = thread::spawn(move || {
                let mut piece = if headers == chunked { b"100000\r\n".to_vec() } else { Vec::new() };
                piece.resize(piece.len() + (1 << 20), b' ');
                if headers == chunked {
                    piece.extend_from_slice(b"\r\n");
                }
                (0..1024).take_while(|_| writer.write_all(&piece).is_ok()).count()
            });
            let answer = read_all(&mut stream, Duration::from_secs(30));
            stream.shutdown(Shutdown::Both).ok();
            let expected = match path {
                "/nope" => "404",
                "/sessions/x/close" => "400",
                _ => "413",
            };
            assert!(answer.starts_with(&format!("HTTP/1.1 {expected} ")), "{path}: {answer}");
            assert!(sending.join().unwrap() < 1024, "{path}: nobody takes all of it");
        })
    });
    for thread in threads {
        thread.join().unwrap();
    }
    let grown = server.status_kib("VmHWM").saturating_sub(before);
    assert!(grown < 32 << 10, "{grown} KiB more");
    // Just under and just over.
    let body = |n: usize| format!("{{\"name\":\"t\"}}{}", " ".repeat(n - 12));
    server.send("POST", "/templates", Some(&body((1 << 20) + 1))).expect_error(413, "BODY_TOO_LARGE");
    server.send("POST", "/templates", Some(&body(1 << 20))).expect(201);
    is_well(&server);
}

/// Ten thousand connections on which nothing is asked, and everyone else is answered.
#[test]
fn idle_connections() {
    const MANY: usize = 10_000;
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let numbers: Vec<usize> = files.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let (soft, hard) = (numbers[0], *numbers.get(1).unwrap_or(&usize::MAX));
    if hard < MANY + 4_000 {
        eprintln!("skipped: this machine allows only {hard} open files");
        return;
    }
    if soft < MANY + 4_000 {
        let raise = format!("--nofile={}", MANY + 4_000);
        let raised = Command::new("prlimit").args([&raise, "--pid", &std::process::id().to_string()]).status();
        if !raised.is_ok_and(|status| status.success()) {
            eprintln!("skipped: the limit of {soft} open files can't be raised");
            return;
        }
    }
    let place = tempfile::tempdir().unwrap();
    let server = Server::start_with(place.path(), &shared_images(), &["--max-sessions", "100"]);
    let session = server.session(&server.template("t", &[]));
    let before = server.status_kib("VmRSS");
    let mut idle = Vec::with_capacity(MANY);
    for n in 0..MANY {
        let mut stream = TcpStream::connect(server.address()).unwrap_or_else(|e| panic!("{n}: {e}"));
        if n % 2 == 0 {
            stream.write_all(b"GET /api").unwrap();
        }
        idle.push(stream);
        if n % 1_000 == 0 {
            assert_eq!(server.value(&session, "40 + 2"), "42");
        }
    }
    for _ in 0..50 {
        let began = Instant::now();
        assert_eq!(server.value(&session, "40 + 2"), "42");
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    }
    let each = (server.status_kib("VmRSS").saturating_sub(before)) / (MANY as u64 / 1_000);
    assert!(each < 40_000, "{each} bytes a connection");
    drop(idle);
    is_well(&server);
}

/// A server that is told to stop waits for its grace and for nobody: idle, slow and stuck clients are left.
#[test]
fn a_server_that_stops_waits_for_nobody() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start_with(place.path(), &shared_images(), &["--grace-ms", "200"]);
    let limits = json!({ "limits": { "cpu_ms": 60_000, "wall_ms": 60_000, "max_output_kb": 10_000 } });
    let template = server.post("/templates", json!({ "name": "t", "settings": limits })).expect(201).json;
    let session = server.session(template["id"].as_str().unwrap());
    let running = server.begin(&session, "for (let i = 0; i < 9000; i++) console.log('x'.repeat(500)); for (;;) {}");
    let events = format!("/api/v1/executions/{}/events", running["id"].as_str().unwrap());
    let queue = json!({ "session_id": session, "input": "1", "queue": true }).to_string();
    let waits = [("Prefer", "respond-async")];
    let queued = server.send_with("POST", "/executions/repl", &waits, Some(&queue)).expect(202).json;
    let requests = [
        String::new(),
        "GET /api".to_owned(),
        post("/templates", "Content-Length: 10\r\n"),
        post("/nope", "Content-Length: 10\r\n"),
        format!("GET {events} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"),
        post("/executions/repl", &format!("Content-Length: {}\r\n", queue.len())) + &queue,
    ];
    let stuck: Vec<TcpStream> = requests
        .iter()
        .map(|request| {
            let mut stream = connect(&server);
            stream.write_all(request.as_bytes()).unwrap();
            stream
        })
        .collect();
    thread::sleep(Duration::from_millis(300));
    let began = Instant::now();
    server.terminate();
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    drop(stuck);
    let server = Server::start_in(place.path(), &shared_images());
    for row in [running, queued] {
        let end = server.ended(&row);
        assert_eq!((&end["status"], &end["error"]["code"]), (&json!("cancelled"), &json!("CANCELLED")), "{end}");
    }
    let rows = server.get(&format!("/executions?session_id={session}")).expect(200).json;
    assert!(rows.as_array().unwrap().iter().all(|row| row["status"] == "cancelled"), "{rows}");
    is_well(&server);
}

/// More than may be open wait, and come in when others go.
#[test]
fn connections_have_a_bound() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start_with(place.path(), &shared_images(), &["--max-connections", "8"]);
    let ask = b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let mut idle: Vec<TcpStream> = (0..8).map(|_| connect(&server)).collect();
    thread::sleep(Duration::from_millis(100));
    let mut ninth = connect(&server);
    ninth.write_all(ask).unwrap();
    ninth.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(ninth.read(&mut [0; 64]).is_err(), "it has to wait");
    idle.pop();
    assert!(read_all(&mut ninth, Duration::from_secs(5)).starts_with("HTTP/1.1 200 OK"));
    drop(idle);
    is_well(&server);
}

/// What is no HTTP, or two kinds of it at once.
#[test]
fn malformed_requests() {
    let server = Server::start();
    let long = "x".repeat(1 << 20);
    let host = "Host: localhost\r\n";
    let many: String = (0..5_000).map(|n| format!("X-{n}: y\r\n")).collect();
    let get = format!("GET /api/v1/health HTTP/1.1\r\n{host}");
    let make = |name: &str, headers: &str, body: &str| {
        let start = format!("POST /api/v1/templates HTTP/1.1\r\n{host}{headers}\r\n{body}");
        start.replace("NAME", name)
    };
    let json = "{\"name\":\"NAME\"}";
    let requests: Vec<Vec<u8>> = [
        "\r\n\r\n\r\n",
        "GET\r\n\r\n",
        "GET /api/v1/health\r\n\r\n",
        "GET /api/v1/health HTTP/9.9\r\n\r\n",
        "GET  /api/v1/health  HTTP/1.1\r\n\r\n",
        "get /api/v1/health HTTP/1.1\r\nHost localhost\r\n\r\n",
        "GET api/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /api/v1/hea\0lth HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /api/v1/health HTTP/1.1\r\nHost: local\0host\r\n\r\n",
        "GET /api/v1/health HTTP/1.1\r\nX\0: y\r\n\r\n",
        "GET /api/v1/health HTTP/1.1\r\n: y\r\n\r\n",
        "GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n folded: y\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\x16\x03\x01\x02\0\x01\0\x01\u{fc}\x03\x03",
        "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET http://evil.example/api/v1/health HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        "GET /api/v1/templates/%zz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /api/v1/templates/%FF%FE HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /api/v1/sessions?status=%FF&limit=%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
        &format!("GET /{long} HTTP/1.1\r\n{host}\r\n"),
        &long,
        &format!("{get}X: {long}\r\n\r\n"),
        &format!("{get}{long}: y\r\n\r\n"),
        &format!("{get}{many}\r\n"),
        &format!("{get}Content-Length: -1\r\n\r\n"),
        &format!("{get}Content-Length: 99999999999999999999999999\r\n\r\n"),
        &make("bad", "Content-Length: 14x\r\n", json),
        &make("bad", "Content-Length: +14\r\n", json),
        &make("bad", "Content-Length: 13\r\nContent-Length: 14\r\n", json),
        &make("bad", "Content-Length: 13, 14\r\n", json),
        &make("bad", "Transfer-Encoding: chunked\r\n", "zz\r\nx\r\n0\r\n\r\n"),
        &make("bad", "Transfer-Encoding: chunked\r\n", "-1\r\nx\r\n0\r\n\r\n"),
        &make("bad", "Transfer-Encoding: chunked\r\n", "ffffffffffffffffff\r\nx\r\n0\r\n\r\n"),
        &make("bad", "Transfer-Encoding: chunked\r\n", "7fffffffffffffff\r\nx"),
        &make("bad", "Transfer-Encoding: chunked\r\n", &format!("1;{long}\r\n")),
        &make("bad", "Transfer-Encoding: chunked\r\n", "e\n{\"name\":\"bad\"}\n0\n\n"),
        &make("bad", "Transfer-Encoding: identity\r\n", json),
        &make("bad", "Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"),
        &make("bad", "Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n"),
        &make("bad", "Transfer-Encoding: gzip\r\n", json),
        &make("bad", "Content-Length : 14\r\n", json),
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    for request in requests {
        let shown = String::from_utf8_lossy(&request[..request.len().min(80)]).into_owned();
        let mut stream = connect(&server);
        // It may be refused before all of it is sent.
        let _ = stream.write_all(&request);
        let _ = stream.shutdown(Shutdown::Write);
        let answer = read_all(&mut stream, Duration::from_secs(10));
        for (at, line) in answer.match_indices("HTTP/1.1 ").map(|(at, _)| (at, &answer[at..])) {
            assert!(line.starts_with("HTTP/1.1 4"), "{shown:?}: answer at {at}: {answer}");
        }
        assert!(!answer.contains("root:"), "{shown:?}");
    }
    is_well(&server);
    assert_eq!(server.get("/templates").expect(200).text, "[]", "none of them did anything");
}

/// What comes until the other side ends it or has been silent for a while.
fn read_some(stream: &mut TcpStream) -> String {
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(n) = stream.read(&mut buffer)
        && n > 0
    {
        bytes.extend_from_slice(&buffer[..n]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// One request to whoever reads one length, two to whoever reads the other: here it is one, and the connection ends.
#[test]
fn two_lengths_are_no_second_request() {
    let server = Server::start();
    let second =
        "POST /api/v1/templates HTTP/1.1\r\nHost: localhost\r\nContent-Length: 19\r\n\r\n{\"name\":\"smuggled\"}";
    let chunked = format!("0\r\n\r\n{second}");
    for lengths in [
        format!("Content-Length: {}\r\nTransfer-Encoding: chunked\r\n", chunked.len()),
        format!("Transfer-Encoding: chunked\r\nContent-Length: {}\r\n", chunked.len()),
        format!("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\nContent-Length: {}\r\n", chunked.len()),
        format!("Transfer-Encoding: xchunked\r\nContent-Length: {}\r\n", chunked.len()),
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n".to_owned(),
    ] {
        let mut stream = connect(&server);
        stream.write_all((post("/templates", &lengths) + &chunked).as_bytes()).unwrap();
        let answer = read_some(&mut stream);
        assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{lengths:?}: {answer}");
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{lengths:?}: {answer}");
        assert_eq!(server.get("/templates").expect(200).text, "[]", "{lengths:?}");
    }
    // What is meant to be two is two, in order.
    let mut stream = connect(&server);
    let first = "GET /api/v1/nope HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all((first.to_owned() + second).as_bytes()).unwrap();
    let answer = read_some(&mut stream);
    let statuses: Vec<&str> = answer.match_indices("HTTP/1.1 ").map(|(at, _)| &answer[at + 9..at + 12]).collect();
    assert_eq!(statuses, ["404", "201"], "{answer}");
    is_well(&server);
}

/// Who does not take its answer loses it; who takes it slowly gets it.
#[test]
fn answers_that_nobody_takes() {
    let server = Server::start();
    let text = format!("// {}", "x".repeat(15 << 20));
    server.send("PUT", "/libraries/large", Some(&text)).expect(200);
    let read = |pause: Duration| {
        let mut stream = connect(&server);
        stream
            .write_all(b"GET /api/v1/libraries/large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut taken = 0;
        let mut buffer = vec![0; 1 << 20];
        thread::sleep(pause);
        loop {
            match stream.read(&mut buffer) {
                Ok(n) if n > 0 => taken += n,
                _ => return taken,
            }
            thread::sleep(pause.min(Duration::from_millis(50)));
        }
    };
    let (gone, slow) = thread::scope(|scope| {
        let gone = scope.spawn(|| read(REQUEST_TIME + SLACK));
        let slow = scope.spawn(|| read(Duration::from_secs(2)));
        (gone.join().unwrap(), slow.join().unwrap())
    });
    assert!(slow > text.len(), "{slow}");
    assert!(gone < text.len(), "{gone}");
    is_well(&server);
}
