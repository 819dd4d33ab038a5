//! `Prefer: respond-async` and `queue`.
use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{cancel, id, patient};
use crate::harness::{Answer, Server};

const ASYNC: [(&str, &str); 1] = [("Prefer", "respond-async")];

fn queued(server: &Server, session: &str, input: &str) -> Answer {
    let body = json!({ "session_id": session, "input": input, "queue": true }).to_string();
    server.send_with("POST", "/executions/repl", &ASYNC, Some(&body))
}

#[test]
fn accepted_at_once() {
    let server = Server::start();
    let session = patient(&server);
    let body = json!({ "session_id": session, "input": "console.log('x'); 40 + 2" }).to_string();
    let answer = server.send_with("POST", "/executions/repl", &ASYNC, Some(&body)).expect(202);
    let row = &answer.json;
    assert_eq!(answer.header("Location"), Some(&*format!("/api/v1/executions/{}", id(row))));
    assert_eq!((&row["status"], &row["metrics"]), (&json!("running"), &json!({})), "{row}");
    assert!(row.get("ended_at").is_none() && row.get("result").is_none(), "{row}");
    let end = server.ended(row);
    assert_eq!((&end["status"], &end["result"]["json"]), (&json!("ok"), &json!(42)), "{end}");
    assert_eq!(end["started_at"], row["started_at"]);
    assert_eq!(server.events(&end).len(), 3);
    server.value(&session, "1");

    std::fs::write(server.directory.join("f.js"), "__ARGS__.n * 2").unwrap();
    let body = json!({ "session_id": session, "path": "f.js", "args": { "n": 21 } }).to_string();
    let prefer = [("Prefer", "wait=1, RESPOND-ASYNC")];
    let answer = server.send_with("POST", "/executions/run-file", &prefer, Some(&body)).expect(202);
    assert_eq!(server.ended(&answer.json)["result"]["json"], 42);
    server.value(&session, "1");
    // Refused before it is accepted: no row.
    let body = json!({ "session_id": session, "path": "../f.js" }).to_string();
    server.send_with("POST", "/executions/run-file", &ASYNC, Some(&body)).expect_error(422, "INVALID_PATH");
    let running = server.begin(&session, "for (;;) {}");
    let body = json!({ "session_id": session, "input": "1" }).to_string();
    server.send_with("POST", "/executions/repl", &ASYNC, Some(&body)).expect_error(409, "SESSION_BUSY");
    cancel(&server, &running);
    let rows = server.get(&format!("/executions?session_id={session}")).expect(200).json;
    assert_eq!(rows.as_array().unwrap().len(), 5, "{rows}");
    // Too much output is an error of the row, since nobody waits for the answer.
    server.value(&session, "1");
    let row = server.ended(&server.begin(&session, "console.log('x'.repeat(1e6))"));
    assert_eq!(row["error"]["code"], "OUTPUT_LIMIT_EXCEEDED", "{row}");
}

/// In the order in which they came, so many at most, and each gets its turn.
#[test]
fn in_order_and_bounded() {
    let server = Server::start();
    let session = patient(&server);
    server.value(&session, "var order = []; 0");
    let running = server.begin(&session, "for (;;) {}");
    let rows: Vec<Value> =
        (0..32).map(|n| queued(&server, &session, &format!("order.push({n})")).expect(202).json).collect();
    for _ in 0..2 {
        let full = queued(&server, &session, "order.push('late')").expect_error(409, "SESSION_BUSY");
        assert_eq!(full.json["error"]["details"]["session_id"], session.as_str(), "{}", full.text);
        let body = json!({ "session_id": session, "input": "1", "queue": true });
        server.post("/executions/repl", body).expect_error(409, "SESSION_BUSY");
    }
    assert_eq!(cancel(&server, &running)["status"], "cancelled");
    for row in &rows {
        assert_eq!(server.ended(row)["status"], "ok");
    }
    let expected: Vec<String> = (0..32).map(|n| n.to_string()).collect();
    let body = json!({ "session_id": session, "input": "order.join()", "queue": true });
    assert_eq!(server.post("/executions/repl", body).expect(201).json["result"]["preview"], expected.join(","));
    queued(&server, &session, "1").expect(202);
}

/// Requests that wait for their answers: those in front first.
#[test]
fn waiting_requests() {
    let server = Arc::new(Server::start());
    let session = patient(&server);
    server.value(&session, "var order = []; 0");
    let running = server.begin(&session, "for (;;) {}");
    let ask = |input: String| {
        let (server, session) = (Arc::clone(&server), session.clone());
        thread::spawn(move || {
            let body = json!({ "session_id": session, "input": input, "queue": true });
            server.post("/executions/repl", body).expect(201).json
        })
    };
    let waiting: Vec<_> = (0..4)
        .map(|n| {
            let thread = ask(format!("order.push({n}); order.join()"));
            // Until it has been read, so that the next one comes after it.
            thread::sleep(Duration::from_millis(80));
            thread
        })
        .collect();
    cancel(&server, &running);
    for (thread, order) in waiting.into_iter().zip(["0", "0,1", "0,1,2", "0,1,2,3"]) {
        assert_eq!(thread.join().unwrap()["result"]["json"], order);
    }
}

/// A close ends what runs and what waits; nothing of it ever runs, and every row is final.
#[test]
fn closing_while_queued() {
    let server = Arc::new(Server::start());
    let session = patient(&server);
    let running = server.begin(&session, "for (;;) {}");
    let rows: Vec<Value> = (0..3).map(|_| queued(&server, &session, "'ran'").expect(202).json).collect();
    let waiting = {
        let (server, session) = (Arc::clone(&server), session.clone());
        thread::spawn(move || {
            server.post("/executions/repl", json!({ "session_id": session, "input": "'ran'", "queue": true }))
        })
    };
    thread::sleep(Duration::from_millis(80));
    let began = Instant::now();
    assert_eq!(server.send("DELETE", &format!("/sessions/{session}"), None).expect(200).json["status"], "closed");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    waiting.join().unwrap().expect_error(409, "SESSION_NOT_READY");
    for row in rows.iter().chain([&running]) {
        let end = server.ended(row);
        assert_eq!((&end["status"], &end["error"]["code"]), (&json!("cancelled"), &json!("CANCELLED")), "{end}");
        assert!(server.events(&end).iter().all(|event| event["type"] != "value"));
    }
}

/// A session whose heap is gone keeps nobody waiting.
#[test]
fn a_crash_ends_the_queue() {
    let server = Server::start();
    let session = server.session(&server.template("t", &[]));
    let running = server.begin(&session, "Array.prototype.copyWithin.call({ length: 2 ** 53 - 1 }, 0, 1)");
    let rows: Vec<Value> = (0..3).map(|_| queued(&server, &session, "'ran'").expect(202).json).collect();
    assert_eq!(server.ended(&running)["status"], "timeout");
    let ends: Vec<Value> = rows.iter().map(|row| server.ended(row)).collect();
    // Where it could be stopped softly it goes on.
    let crashed = server.get(&format!("/sessions/{session}")).expect(200).json["status"] == "crashed";
    for end in ends {
        assert_eq!(end["status"] == "ok", !crashed, "{end}");
    }
}

/// Who goes away while waiting is not served, and its place is free again.
#[test]
fn waiting_clients_that_go_away() {
    let server = Server::start();
    let session = patient(&server);
    server.value(&session, "var ran = 0; 1");
    let running = server.begin(&session, "for (;;) {}");
    for _ in 0..2 {
        let streams: Vec<TcpStream> = (0..32)
            .map(|_| {
                let body = json!({ "session_id": session, "input": "ran++", "queue": true }).to_string();
                let length = body.len();
                let head =
                    format!("POST /api/v1/executions/repl HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}");
                let mut stream = TcpStream::connect(server.address()).unwrap();
                stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).unwrap();
                stream
            })
            .collect();
        thread::sleep(Duration::from_millis(200));
        queued(&server, &session, "1").expect_error(409, "SESSION_BUSY");
        drop(streams);
        thread::sleep(Duration::from_millis(200));
    }
    cancel(&server, &running);
    let body = json!({ "session_id": session, "input": "ran", "queue": true });
    assert_eq!(server.post("/executions/repl", body).expect(201).json["result"]["json"], 0);
}

/// Whoever has seen that a run is final, one way or another, may send the next: the session is not busy with its record.
#[test]
fn final_is_not_busy() {
    let server = Server::start();
    let template = server.template("t", &[]);
    let one = |session: String| {
        for n in 0..60 {
            let row = server.begin(&session, if n % 3 == 2 { "for (;;) {}" } else { "1" });
            let path = format!("/executions/{}", id(&row));
            match n % 3 {
                0 => while server.get(&path).expect(200).json["status"] == "running" {},
                1 => {
                    let accept = [("Accept", "text/event-stream")];
                    let stream = server.send_with("GET", &format!("{path}/events"), &accept, None).expect(200);
                    assert!(stream.text.contains("event: end"), "{}", stream.text);
                }
                _ => drop(cancel(&server, &row)),
            }
            assert_eq!(server.value(&session, "1+1"), "2", "{n}");
        }
    };
    // Many at a time, so that the moment between the row and the turn is a long one.
    thread::scope(|scope| {
        for _ in 0..12 {
            let session = server.session(&template);
            scope.spawn(|| one(session));
        }
    });
}
