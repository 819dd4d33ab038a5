//! Pages of lists, and what is kept.
use std::collections::HashSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{id, patient};
use crate::contract::NOBODY;
use crate::harness::{Server, shared_images};

fn ids(server: &Server, path: &str) -> Vec<String> {
    let rows = server.get(path).expect(200).json;
    rows.as_array().unwrap().iter().map(|row| id(row).to_owned()).collect()
}

/// Page after page of `n`.
fn paged(server: &Server, path: &str, n: usize) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    loop {
        let before = all.last().map(|last| format!("&before={last}")).unwrap_or_default();
        let page = ids(server, &format!("{path}limit={n}{before}"));
        assert!(page.len() <= n);
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

#[test]
fn sessions_and_executions() {
    let server = Server::start();
    let template = server.template("t", &[]);
    let sessions: Vec<String> = (0..30).map(|_| server.session(&template)).collect();
    for id in sessions.iter().step_by(3) {
        server.send("DELETE", &format!("/sessions/{id}"), None).expect(200);
    }
    let newest: Vec<String> = sessions.iter().rev().cloned().collect();
    for n in [1, 7, 10, 30, 100] {
        assert_eq!(paged(&server, "/sessions?", n), newest);
        let ready = paged(&server, "/sessions?status=ready&", n);
        assert_eq!(ready, ids(&server, "/sessions?status=ready"));
        assert_eq!(ready.len(), 20);
    }
    assert_eq!(ids(&server, "/sessions?limit=2"), newest[..2]);
    assert_eq!(ids(&server, &format!("/sessions?before={}", newest[27].to_uppercase())), newest[28..]);
    // A cursor may be of another status than what is asked for.
    let closed = format!("/sessions?status=closed&before={}", newest[0]);
    assert_eq!(ids(&server, &closed), ids(&server, "/sessions?status=closed"));
    let (one, other) = (&sessions[1], &sessions[2]);
    for bad in ["limit=0", "limit=x", "before=x", "limit=-1"] {
        server.get(&format!("/sessions?{bad}")).expect_error(400, "VALIDATION_ERROR");
        server.get(&format!("/executions?session_id={one}&{bad}")).expect_error(400, "VALIDATION_ERROR");
    }
    server.get(&format!("/sessions?before={NOBODY}")).expect_error(404, "SESSION_NOT_FOUND");

    let rows: Vec<String> = (0..120).map(|n| id(&server.eval(one, &n.to_string())).to_owned()).collect();
    let foreign = id(&server.eval(other, "1")).to_owned();
    let newest: Vec<String> = rows.iter().rev().cloned().collect();
    for n in [1, 50, 119, 120, 121] {
        assert_eq!(paged(&server, &format!("/executions?session_id={one}&"), n), newest, "{n}");
    }
    for before in [NOBODY, &foreign] {
        let answer = server.get(&format!("/executions?session_id={one}&before={before}"));
        answer.expect_error(404, "EXECUTION_NOT_FOUND");
    }
}

/// A list that is larger than what the server holds at once comes out whole.
#[test]
fn large_lists() {
    let server = Server::start();
    let session = patient(&server);
    let big = "x".repeat(100_000);
    for n in 0..60 {
        server.value(&session, &format!("'{n}{big}'.length"));
    }
    let answer = server.get(&format!("/executions?session_id={session}&limit=1000")).expect(200);
    let rows = answer.json.as_array().unwrap();
    assert!(answer.text.len() > 6_000_000 && rows.len() == 60, "{} {}", answer.text.len(), rows.len());
    for (row, n) in rows.iter().rev().zip(0..) {
        assert!(row["input"].as_str().unwrap().starts_with(&format!("'{n}x")));
    }
    assert_eq!(rows.iter().map(id).collect::<HashSet<_>>().len(), 60);
    for n in 0..1_000 {
        server.post("/templates", json!({ "name": format!("t{n}"), "libraries": ["a"] })).expect(201);
    }
    let names = server.get("/templates").expect(200).json;
    let names: Vec<&Value> = names.as_array().unwrap().iter().map(|row| &row["name"]).collect();
    assert_eq!((names.len(), names[0], names[999]), (1_001, &json!("t999"), &json!("t0")));
}

/// Of each session the newest stay, with their events; what is under way is never taken.
#[test]
fn kept_executions() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start_with(place.path(), &shared_images(), &["--keep-executions", "5"]);
    let session = patient(&server);
    let other = server.session(id(&server.get("/templates").json[0]));
    let alone = server.eval(&other, "'alone'");
    let rows: Vec<Value> = (0..12).map(|n| server.eval(&session, &n.to_string())).collect();
    let path = format!("/executions?session_id={session}&limit=1000");
    let newest =
        |rows: &[Value], n: usize| -> Vec<String> { rows.iter().rev().take(n).map(|row| id(row).to_owned()).collect() };
    // What goes, goes with the next commit, a moment later.
    let settles = |expected: Vec<String>| {
        let began = Instant::now();
        while ids(&server, &path) != expected {
            assert!(began.elapsed() < Duration::from_secs(5), "{:?} {expected:?}", ids(&server, &path));
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    settles(newest(&rows, 5));
    let gone = id(&rows[0]);
    server.get(&format!("/executions/{gone}")).expect_error(404, "EXECUTION_NOT_FOUND");
    server.get(&format!("/executions/{gone}/events")).expect_error(404, "EXECUTION_NOT_FOUND");
    assert_eq!(server.events(&rows[11]).len(), 2);
    assert_eq!(server.events(&alone).len(), 2, "each session for itself");

    let before = newest(&rows, 5);
    let running = server.begin(&session, "for (;;) {}");
    let body = json!({ "session_id": session, "input": "1", "queue": true }).to_string();
    let prefer = [("Prefer", "respond-async")];
    let rows: Vec<Value> =
        (0..20).map(|_| server.send_with("POST", "/executions/repl", &prefer, Some(&body)).expect(202).json).collect();
    // Those that wait are not counted: what ended before them stays until they have ended too.
    settles(newest(&rows, 20).into_iter().chain([id(&running).to_owned()]).chain(before).collect());
    // Behind all of these, so that all of them have been run when it is answered.
    let last = {
        let waiting = std::thread::scope(|scope| {
            let last = scope.spawn(|| server.send("POST", "/executions/repl", Some(&body)).expect(201).json);
            std::thread::sleep(Duration::from_millis(80));
            // It may be gone by the time that its end is to be shown.
            server.post(&format!("/executions/{}/cancel", id(&running)), json!({}));
            last.join().unwrap()
        });
        id(&waiting).to_owned()
    };
    let mut expected = vec![last];
    expected.extend(newest(&rows, 4));
    settles(expected);
}
