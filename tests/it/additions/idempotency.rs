//! `Idempotency-Key`: done once, answered as often as it is asked.
use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::{cancel, id, patient};
use crate::harness::{Answer, Server, shared_images};

const REPLAYED: &str = "Idempotency-Replayed";

fn keyed(server: &Server, key: &str, path: &str, body: &Value) -> Answer {
    server.send_with("POST", path, &[("Idempotency-Key", key)], Some(&body.to_string()))
}

#[track_caller]
fn conflict(answer: Answer, reason: &str) {
    let answer = answer.expect_error(409, "IDEMPOTENCY_CONFLICT");
    assert_eq!(answer.json["error"]["details"], json!({ "reason": reason }));
}

fn count(server: &Server, path: &str) -> usize {
    server.get(path).expect(200).json.as_array().unwrap().len()
}

/// Every route that creates: the same status and the same bytes again, marked; also after a restart.
#[test]
fn answered_again() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start_in(place.path(), &shared_images());
    let session = patient(&server);
    let template = server.template("t", &[]);
    std::fs::write(place.path().join("f.js"), "globalThis.runs = (globalThis.runs ?? 0) + 1").unwrap();
    let failing = json!({ "name": "failing", "startup_files": [{ "path": "missing.js" }] });
    let failing = server.post("/templates", failing).expect(201).json;
    let repl = |input: &str| json!({ "session_id": session, "input": input });
    let requests = [
        ("/templates".to_owned(), json!({ "name": "new" }), 201),
        (format!("/templates/{template}/clone"), json!({ "name": "copy" }), 201),
        ("/sessions".to_owned(), server.session_body(&template), 201),
        ("/sessions".to_owned(), server.session_body(id(&failing)), 422),
        ("/executions/repl".to_owned(), repl("globalThis.n = (globalThis.n ?? 0) + 1"), 201),
        ("/executions/repl".to_owned(), repl("throw new Error('once')"), 201),
        ("/executions/repl".to_owned(), repl("console.log('x'.repeat(1e6))"), 422),
        ("/executions/run-file".to_owned(), json!({ "session_id": session, "path": "f.js" }), 201),
        ("/run".to_owned(), json!({ "template_id": template, "input": "console.log('hi'); 1" }), 201),
    ];
    let mut answers = Vec::new();
    for (n, (path, body, status)) in requests.iter().enumerate() {
        let first = keyed(&server, &format!("key-{n}"), path, body).expect(*status);
        assert_eq!(first.header(REPLAYED), None);
        answers.push(first.text);
    }
    let again = |server: &Server| {
        for (n, ((path, body, status), text)) in requests.iter().zip(&answers).enumerate() {
            let key = format!("key-{n}");
            let answer = keyed(server, &key, path, body).expect(*status);
            assert_eq!((&answer.text, answer.header(REPLAYED)), (text, Some("true")), "{path}");
            assert_eq!(answer.header("Content-Type"), Some("application/json"));
            assert!(answer.header("X-Request-Id").is_some());
            conflict(keyed(server, &key, path, &json!({ "other": n })), "different_request");
            let other = if path == "/run" { "/sessions" } else { "/run" };
            conflict(keyed(server, &key, other, body), "different_request");
        }
    };
    again(&server);
    again(&server);
    assert_eq!((server.value(&session, "n"), server.value(&session, "runs")), ("1".into(), "1".into()));
    let (templates, sessions) = (count(&server, "/templates"), count(&server, "/sessions"));
    server.kill();
    let server = Server::start_in(place.path(), &shared_images());
    again(&server);
    assert_eq!((count(&server, "/templates"), count(&server, "/sessions")), (templates, sessions));
}

/// An accepted run is accepted once, and its place is told again.
#[test]
fn accepted_once() {
    let server = Server::start();
    let session = patient(&server);
    let body = json!({ "session_id": session, "input": "globalThis.n = (globalThis.n ?? 0) + 1" }).to_string();
    let send = || {
        let headers = [("Idempotency-Key", "k"), ("Prefer", "respond-async")];
        server.send_with("POST", "/executions/repl", &headers, Some(&body)).expect(202)
    };
    let first = send();
    server.ended(&first.json);
    let second = send();
    assert_eq!(first.text, second.text);
    assert!(first.header("Location").is_some());
    assert_eq!(first.header("Location"), second.header("Location"));
    assert_eq!(second.header(REPLAYED), Some("true"));
    assert_eq!(server.value(&session, "n"), "1");
}

/// What changed nothing gives the key back.
#[test]
fn refused_and_tried_again() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start_with(place.path(), &shared_images(), &["--max-sessions", "1"]);
    let session = patient(&server);
    let repl = json!({ "session_id": session, "input": "1" });
    keyed(&server, "name", "/templates", &json!({ "nome": 1 })).expect_error(400, "INVALID_REQUEST");
    keyed(&server, "name", "/templates", &json!({})).expect_error(400, "VALIDATION_ERROR");
    keyed(&server, "name", "/templates", &json!({ "name": "patient" })).expect_error(409, "ALREADY_EXISTS");
    keyed(&server, "name", "/templates", &json!({ "name": "n" })).expect(201);

    let running = server.begin(&session, "for (;;) {}");
    keyed(&server, "busy", "/executions/repl", &repl).expect_error(409, "SESSION_BUSY");
    cancel(&server, &running);
    keyed(&server, "busy", "/executions/repl", &repl).expect(201);

    let (file, body) = (place.path().join("f.js"), json!({ "session_id": session, "path": "f.js" }));
    keyed(&server, "file", "/executions/run-file", &body).expect_error(404, "FILE_NOT_FOUND");
    std::os::unix::fs::symlink("/etc/hostname", &file).unwrap();
    keyed(&server, "file", "/executions/run-file", &body).expect_error(422, "INVALID_PATH");
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&file, "42").unwrap();
    assert_eq!(keyed(&server, "file", "/executions/run-file", &body).expect(201).json["result"]["json"], 42);

    let body = server.session_body(&server.template("t", &[]));
    // What runs does not leave memory to make room.
    server.begin(&session, "for (;;) {}");
    keyed(&server, "full", "/sessions", &body).expect_error(503, "SESSION_LIMIT");
    server.send("DELETE", &format!("/sessions/{session}"), None).expect(200);
    keyed(&server, "full", "/sessions", &body).expect(201);
    // On other routes and methods a key means nothing.
    for _ in 0..2 {
        let key = [("Idempotency-Key", "name")];
        assert_eq!(server.send_with("GET", "/templates", &key, None).expect(200).header(REPLAYED), None);
        server.send_with("PUT", "/templates", &key, Some("{}")).expect_error(405, "METHOD_NOT_ALLOWED");
    }
    let long = "k".repeat(256);
    for bad in ["", " ", "a b", "a\tb", &long] {
        let answer = keyed(&server, bad, "/templates", &json!({ "name": "bad" }));
        answer.expect_error(400, "VALIDATION_ERROR");
    }
    keyed(&server, &long[1..], "/templates", &json!({ "name": "long" })).expect(201);
}

/// The same at the same time: one is done, the others are told to ask again, and then hear the one answer.
#[test]
fn concurrent() {
    let server = Arc::new(Server::start());
    let session = patient(&server);
    let input = "{ const t = Date.now(); while (Date.now() - t < 400); } globalThis.n = (globalThis.n ?? 0) + 1";
    let body = json!({ "session_id": session, "input": input });
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let (server, body) = (Arc::clone(&server), body.clone());
            thread::spawn(move || keyed(&server, "same", "/executions/repl", &body))
        })
        .collect();
    let answers: Vec<Answer> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let (done, told): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
    assert!(!done.is_empty() && done.iter().all(|answer| answer.text == done[0].text));
    for answer in told {
        conflict(answer, "in_progress");
    }
    assert_eq!(keyed(&server, "same", "/executions/repl", &body).expect(201).text, done[0].text);
    assert_eq!(server.value(&session, "n"), "1");
}

/// A client that goes away at any moment and comes back finds what was done, and it was done once.
#[test]
fn a_client_that_comes_back() {
    let server = Server::start();
    let session = patient(&server);
    for n in 0..100u32 {
        let input = format!("globalThis.n{n} = (globalThis.n{n} ?? 0) + 1");
        let body = json!({ "session_id": session, "input": input, "queue": true });
        let text = body.to_string();
        let mut stream = TcpStream::connect(server.address()).unwrap();
        let request = format!(
            "POST /api/v1/executions/repl HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: gone-{n}\r\nContent-Length: {}\r\n\r\n{text}",
            text.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        // From before it has been read to after it was answered.
        thread::sleep(Duration::from_micros(u64::from(n) * 40));
        drop(stream);
        let answer = loop {
            let answer = keyed(&server, &format!("gone-{n}"), "/executions/repl", &body);
            if answer.status == 201 {
                break answer;
            }
            conflict(answer, "in_progress");
            thread::sleep(Duration::from_millis(2));
        };
        assert_eq!(answer.json["result"]["json"], 1, "{n}");
    }
}

/// Cut short by the server's end: nobody knows, and it says so.
#[test]
fn outcome_unknown() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start_in(place.path(), &shared_images());
    let session = patient(&server);
    let body = json!({ "session_id": session, "input": "for (;;) {}" });
    let waiting = {
        let (url, body) = (server.url.clone(), body.to_string());
        thread::spawn(move || {
            let _ = ureq::post(format!("{url}/api/v1/executions/repl")).header("Idempotency-Key", "cut").send(body);
        })
    };
    while count(&server, &format!("/executions?session_id={session}")) == 0 {}
    conflict(keyed(&server, "cut", "/executions/repl", &body), "in_progress");
    server.kill();
    waiting.join().unwrap();
    let server = Server::start_in(place.path(), &shared_images());
    conflict(keyed(&server, "cut", "/executions/repl", &body), "outcome_unknown");
    conflict(keyed(&server, "cut", "/executions/repl", &json!({})), "different_request");
}

/// Who wants to wait for the end is not answered with what never waited.
#[test]
fn waiting_or_not_is_part_of_the_request() {
    let server = Server::start();
    let session = patient(&server);
    let body = json!({ "session_id": session, "input": "1" });
    let headers = [("Idempotency-Key", "k"), ("Prefer", "respond-async")];
    let first = server.send_with("POST", "/executions/repl", &headers, Some(&body.to_string())).expect(202);
    server.ended(&first.json);
    conflict(keyed(&server, "k", "/executions/repl", &body), "different_request");
    let again = server.send_with("POST", "/executions/repl", &headers, Some(&body.to_string())).expect(202);
    assert_eq!(
        (again.text, again.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(REPLAYED))),
        (first.text, true)
    );
}

/// A one-off run that is refused has run its startup files: it is not run again.
#[test]
fn what_began_is_not_begun_again() {
    let server = Server::start();
    let count =
        "const fs = require('fs'); fs.writeFileSync('n', (fs.existsSync('n') ? fs.readFileSync('n') : '') + 'x')";
    std::fs::write(server.directory.join("count.js"), count).unwrap();
    let whole = json!({ "name": "t", "modules": ["fs"], "startup_files": [{ "path": "count.js" }] });
    let template = id(&server.post("/templates", whole).expect(201).json).to_owned();
    let body =
        json!({ "template_id": template, "path": "missing.js", "worktree_path": server.directory.to_str().unwrap() });
    let answers: Vec<Answer> = (0..3).map(|_| keyed(&server, "k", "/run", &body)).collect();
    for answer in answers {
        answer.expect_error(404, "FILE_NOT_FOUND");
    }
    assert_eq!(std::fs::read_to_string(server.directory.join("n")).unwrap(), "x");
}
