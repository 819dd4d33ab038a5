//! `POST /executions/{id}/cancel`: answers once the row is final, whatever it was before.
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{cancel, id, patient};
use crate::harness::Server;

#[test]
fn running_queued_and_finished() {
    let server = Server::start();
    let session = patient(&server);
    server.value(&session, "var state = 'kept'; 1");
    for input in ["7", "throw 1"] {
        let finished = server.eval(&session, input);
        assert_eq!(cancel(&server, &finished), finished, "as it is");
    }
    let running = server.begin(&session, "console.log('begun'); for (;;) {}");
    let body = json!({ "session_id": session, "input": "state = 'changed'", "queue": true }).to_string();
    let wait = || {
        let prefer = [("Prefer", "respond-async")];
        server.send_with("POST", "/executions/repl", &prefer, Some(&body)).expect(202).json
    };
    let (first, second) = (wait(), wait());
    thread::sleep(Duration::from_millis(100));
    let began = Instant::now();
    for (row, printed) in [(&first, 0), (&second, 0), (&running, 1)] {
        let end = cancel(&server, row);
        assert_eq!((&end["status"], &end["error"]["code"]), (&json!("cancelled"), &json!("CANCELLED")), "{end}");
        assert!(end["ended_at"].is_string(), "{end}");
        assert_eq!(server.get(&format!("/executions/{}", id(row))).expect(200).json, end, "final");
        let events = server.events(&end);
        assert_eq!(events.iter().filter(|event| event["type"] == "console").count(), printed);
        assert_eq!(events.last().unwrap()["type"], "exception");
        assert_eq!(cancel(&server, row), end, "again");
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(server.value(&session, "state"), "kept", "the session goes on");
}

/// Whoever waits for the run hears of it; a script can't catch it.
#[test]
fn what_a_client_waits_for() {
    let server = Arc::new(Server::start());
    let session = patient(&server);
    for input in [
        "for (;;) { try { for (;;) {} } catch {} }",
        "for (;;) await null;",
        "(function f() { try { for (;;) {} } finally { f() } })()",
    ] {
        let waiting = {
            let (server, session) = (server.clone(), session.clone());
            thread::spawn(move || server.eval(&session, input))
        };
        let running = loop {
            let rows = server.get(&format!("/executions?session_id={session}&limit=1")).expect(200).json;
            match rows.get(0).filter(|row| row["status"] == "running") {
                Some(row) => break row.clone(),
                None => thread::sleep(Duration::from_millis(5)),
            }
        };
        let end = cancel(&server, &running);
        assert_eq!(end["status"], "cancelled", "{input}: {end}");
        let heard: Value = waiting.join().unwrap();
        assert_eq!(heard, end);
    }
    assert_eq!(server.value(&session, "1+1"), "2");
}

/// Closing and cancelling at the same time: both answer with what is final.
#[test]
fn closed_meanwhile() {
    let server = Arc::new(Server::start());
    let template = server.template("t", &[]);
    for n in 0..20 {
        let session = server.session(&template);
        let running = server.begin(&session, "for (;;) {}");
        let closing = {
            let server = Arc::clone(&server);
            thread::spawn(move || server.send("DELETE", &format!("/sessions/{session}"), None).expect(200))
        };
        thread::sleep(Duration::from_micros(n * 200));
        let end = cancel(&server, &running);
        assert_eq!((&end["status"], &end["error"]["code"]), (&json!("cancelled"), &json!("CANCELLED")), "{end}");
        assert_eq!(closing.join().unwrap().json["status"], "closed");
    }
}
