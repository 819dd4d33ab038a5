//! kill -9 at any moment: what was acknowledged is there, nothing is left half-done.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Server, shared_images};

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start_in(place.path(), &shared_images());
    let fleeting = json!({ "name": "fleeting", "settings": { "runtime": { "durability": "none" } } });
    let fleeting = server.post("/templates", fleeting).expect(201).json;
    let fleeting = server.session(fleeting["id"].as_str().unwrap());
    let template = server.template("kept", &["fs"]);
    let session = server.session(&template);
    let execution = server.eval(&session, "console.log('before'); 6 * 7");
    let events = server.events(&execution);
    server.kill();

    let server = Server::start_in(place.path(), &shared_images());
    assert_eq!(server.get("/templates").expect(200).json[0]["exposed_modules"], json!(["fs"]));
    let id = execution["id"].as_str().unwrap();
    assert_eq!(server.get(&format!("/executions/{id}")).expect(200).json, execution);
    assert_eq!(server.events(&execution), events);
    let summary = server.get("/runtime/summary").expect(200).json;
    assert_eq!(summary, json!({ "active_sessions": 1, "active_session_ids": [session] }));
    let row = server.get(&format!("/sessions/{fleeting}")).expect(200).json;
    assert!(["closed", "crashed"].contains(&row["status"].as_str().unwrap()), "its heap is gone: {row}");
    server.try_eval(&fleeting, "1").expect_error(409, "SESSION_NOT_READY");
    let next = server.session(&template);
    assert_eq!(server.value(&next, "1+1"), "2");
}

/// Killed in the middle of a run, and in the middle of many short ones, five times over one database.
#[test]
fn nothing_is_left_running() {
    let place = tempfile::tempdir().unwrap();
    let mut acknowledged: Vec<Value> = Vec::new();
    let mut sessions = Vec::new();
    for round in 0..5 {
        let server = Arc::new(Server::start_in(place.path(), &shared_images()));
        for before in &acknowledged {
            let id = before["id"].as_str().unwrap();
            assert_eq!(&server.get(&format!("/executions/{id}")).expect(200).json, before, "round {round}");
        }
        for session in &sessions {
            let list = server.get(&format!("/executions?session_id={session}&limit=1000")).expect(200).json;
            for row in list.as_array().unwrap() {
                assert_ne!(row["status"], "running", "round {round}: {row}");
                assert!(row["ended_at"].is_string(), "round {round}: {row}");
            }
        }
        let template = server.template(&format!("t{round}"), &[]);
        let (busy, quick) = (server.session(&template), server.session(&template));
        let done = Arc::new(AtomicBool::new(false));
        let run = {
            let (agent, url, busy) = (ureq::agent(), server.url.clone(), busy.clone());
            std::thread::spawn(move || {
                let body = json!({ "session_id": busy, "input": "console.log('on'); for (;;) {}" });
                let _ = agent.post(format!("{url}/api/v1/executions/repl")).send(body.to_string());
            })
        };
        let short = {
            let (agent, url, quick, done) = (ureq::agent(), server.url.clone(), quick.clone(), done.clone());
            std::thread::spawn(move || {
                let mut acknowledged = Vec::new();
                while !done.load(Ordering::Relaxed) {
                    let body = json!({ "session_id": quick, "input": "console.log(1); 2" });
                    let Ok(mut answer) = agent.post(format!("{url}/api/v1/executions/repl")).send(body.to_string())
                    else {
                        break;
                    };
                    let Ok(text) = answer.body_mut().read_to_string() else { break };
                    acknowledged.extend(serde_json::from_str::<Value>(&text));
                }
                acknowledged
            })
        };
        std::thread::sleep(Duration::from_millis(150 + 60 * round));
        let Ok(server) = Arc::try_unwrap(server) else { panic!("one owner") };
        server.kill();
        done.store(true, Ordering::Relaxed);
        run.join().unwrap();
        let rows = short.join().unwrap();
        assert!(!rows.is_empty(), "round {round}");
        acknowledged.extend(rows);
        sessions.extend([busy, quick]);
    }
}

/// Asked to end, a server lets scripts finish for a while, cancels what is left, and says so in its rows.
#[test]
fn a_server_that_stops_leaves_nothing_half_done() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start_with(place.path(), &shared_images(), &["--grace-ms", "100"]);
    let template = server.template("t", &[]);
    let (busy, idle) = (server.session(&template), server.session(&template));
    let body = json!({ "session_id": busy, "input": "console.log('begun'); for (;;) {}" }).to_string();
    let url = server.url.clone();
    let client = std::thread::spawn(move || {
        let mut answer = ureq::agent().post(format!("{url}/api/v1/executions/repl")).send(body).unwrap();
        serde_json::from_str::<Value>(&answer.body_mut().read_to_string().unwrap()).unwrap()
    });
    while server.get(&format!("/executions?session_id={busy}")).json.as_array().is_some_and(Vec::is_empty) {}
    server.terminate();
    let answer = client.join().unwrap();
    assert_eq!((&answer["status"], &answer["error"]["code"]), (&"cancelled".into(), &"CANCELLED".into()), "{answer}");

    let server = Server::start_in(place.path(), &shared_images());
    let id = answer["id"].as_str().unwrap();
    assert_eq!(server.get(&format!("/executions/{id}")).expect(200).json, answer);
    assert_eq!(server.events(&answer)[1]["payload"]["text"], "begun", "what was printed is kept");
    for session in [busy, idle] {
        assert_eq!(server.get(&format!("/sessions/{session}")).expect(200).json["status"], "ready");
        assert_eq!(server.value(&session, "1"), "1");
    }
}
