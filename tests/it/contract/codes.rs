//! Every code that a client can be shown is shown at least once, with the status that the documentation gives it.
use std::collections::{BTreeMap, BTreeSet};

use model::ErrorCode;
use serde_json::{Value, json};

use super::NOBODY;
use crate::harness::{Answer, Server, shared_images};

/// Codes that no request can bring about here.
const NOT_HERE: &[(ErrorCode, &str)] = &[
    (ErrorCode::Internal, "a fault of the server or its machine: there is none that a request could cause"),
    (ErrorCode::SnapshotRefused, "wants a server with a key: `snapfile` brings it about"),
    (ErrorCode::ImportNotAllowed, "wants a session's file: `snapfile` brings it about"),
    (ErrorCode::RequestTimeout, "takes half a minute: `abuse::slow_clients` waits for it"),
    (ErrorCode::SessionCrashed, "a fault of the engine beneath a run: no script is known that causes one"),
    (ErrorCode::ImageGone, "takes a data directory that lost a file: tests of upgrades"),
    (ErrorCode::MigrateFailed, "tests of upgrades have hooks that fail"),
];

/// What was seen: the HTTP statuses of each code, 0 for the error of an execution.
#[derive(Default)]
struct Seen(BTreeMap<String, BTreeSet<u16>>);

impl Seen {
    fn answer(&mut self, answer: Answer) {
        let code = answer.json["error"]["code"].as_str().unwrap_or_else(|| panic!("no error: {answer:?}"));
        assert!(answer.status >= 400, "{answer:?}");
        self.0.entry(code.to_owned()).or_default().insert(answer.status);
    }

    fn execution(&mut self, row: &Value) {
        let code = row["error"]["code"].as_str().unwrap_or_else(|| panic!("no code: {row}"));
        self.0.entry(code.to_owned()).or_default().insert(0);
    }
}

#[test]
fn every_code_provoked_at_least_once() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start_with(place.path(), &shared_images(), &["--max-sessions", "3"]);
    let mut seen = Seen::default();
    // Nothing of it leaves memory to make room.
    let fleeting = |limits: Value| json!({ "limits": limits, "runtime": { "durability": "none" } });
    let made = server.post("/templates", json!({ "name": "t", "settings": fleeting(json!({})) })).expect(201).json;
    let template = made["id"].as_str().unwrap().to_owned();
    let t = format!("/templates/{template}");
    let session = server.session(&template);

    seen.answer(server.send("POST", "/templates", Some("{")));
    seen.answer(server.post("/templates", json!({})));
    seen.answer(server.send("POST", "/templates", Some(&" ".repeat(2 << 20))));
    seen.answer(server.send_with("GET", "/health", &[("Origin", "https://evil.example")], None));
    seen.answer(server.get("/nope"));
    seen.answer(server.get(&format!("/sessions/{NOBODY}/export")));
    seen.answer(server.send("DELETE", "/health", None));
    seen.answer(server.get(&format!("/templates/{NOBODY}")));
    seen.answer(server.get(&format!("/sessions/{NOBODY}")));
    seen.answer(server.get(&format!("/executions/{NOBODY}")));
    seen.answer(server.post("/templates", json!({ "name": "t" })));
    seen.answer(server.post("/executions/run-file", json!({ "session_id": session, "path": "missing" })));
    seen.answer(server.post("/executions/run-file", json!({ "session_id": session, "path": "/etc/passwd" })));
    seen.answer(server.post(&format!("{t}/startup-files"), json!({ "path": "a", "mode": "x" })));
    seen.answer(server.post(&format!("{t}/modules"), json!({ "name": "nope" })));
    seen.answer(server.post("/templates", json!({ "name": "e", "engine": "v8" })));
    let mut body = server.session_body(&template);
    body["worktree_path"] = json!("/nowhere/at/all");
    seen.answer(server.post("/sessions", body));

    // What stops a start.
    server.send("PATCH", &t, Some(r#"{"is_active":false}"#)).expect(200);
    seen.answer(server.post("/sessions", server.session_body(&template)));
    server.send("PATCH", &t, Some(r#"{"is_active":true}"#)).expect(200);
    let cache = place.path().join(".vm-cache/libraries");
    std::fs::create_dir_all(&cache).unwrap();
    std::fs::write(cache.join("bad-1.0.0.js"), "throw 1").unwrap();
    for (name, part) in [
        ("startup", json!({ "startup_files": [{ "path": "missing.js" }] })),
        ("absent", json!({ "libraries": ["absent-1.0.0"] })),
        ("bad", json!({ "libraries": ["bad-1.0.0"] })),
    ] {
        let mut whole = part;
        whole["name"] = json!(name);
        let made = server.post("/templates", whole).expect(201).json;
        seen.answer(server.post("/sessions", server.session_body(made["id"].as_str().unwrap())));
    }

    // What stops a run.
    let limits = json!({ "cpu_ms": 100, "mem_mb": 8, "max_output_kb": 1 });
    let made = server.post("/templates", json!({ "name": "tight", "settings": fleeting(limits) })).expect(201).json;
    let tight = server.session(made["id"].as_str().unwrap());
    for input in [
        "for (;;) {}",
        "{ const a = []; for (;;) a.push(new Array(1000).fill(1)) }",
        "(function f() { f() })()",
        "await new Promise(() => {})",
    ] {
        seen.execution(&server.eval(&tight, input));
    }
    seen.answer(server.try_eval(&tight, "'x'.repeat(3000)"));
    seen.execution(&server.get(&format!("/executions?session_id={tight}&limit=1")).expect(200).json[0]);
    let wall = json!({ "name": "wall", "settings": fleeting(json!({ "wall_ms": 100 })) });
    let made = server.post("/templates", wall).expect(201);
    let wall = server.session(made.json["id"].as_str().unwrap());
    seen.execution(&server.eval(&wall, "for (;;) {}"));
    seen.answer(server.post("/sessions", server.session_body(&template)));
    server.send("DELETE", &format!("/sessions/{wall}"), None).expect(200);
    seen.answer(server.try_eval(&wall, "1"));

    let key = [("Idempotency-Key", "once")];
    server.send_with("POST", "/templates", &key, Some(r#"{"name":"once"}"#)).expect(201);
    seen.answer(server.send_with("POST", "/templates", &key, Some(r#"{"name":"twice"}"#)));

    let running = server.begin(&session, "for (;;) {}");
    seen.answer(server.try_eval(&session, "1"));
    let id = running["id"].as_str().unwrap();
    seen.execution(&server.post(&format!("/executions/{id}/cancel"), json!({})).expect(200).json);

    // What is stored of a heap, and what is not.
    let hibernate = |id: &str| server.post(&format!("/sessions/{id}/hibernate"), json!({}));
    seen.answer(hibernate(&session));
    let made = server.post("/templates", json!({ "name": "kept", "modules": ["database"] })).expect(201).json;
    let kept = server.session(made["id"].as_str().unwrap());
    server.value(&kept, "var db = require('database'); db.configure('sqlite3', ':memory:'); db.exec('BEGIN'); 1");
    seen.answer(hibernate(&kept));
    let checkpoint = json!({ "checkpoint": NOBODY });
    seen.answer(server.post(&format!("/sessions/{kept}/restore"), checkpoint));

    // A server that goes away beneath a run, and a heap that is not what was stored.
    let running = [server.begin(&session, "for (;;) {}"), server.begin(&kept, "for (;;) {}")];
    server.kill();
    let database = rusqlite::Connection::open(place.path().join("vm-system.db")).unwrap();
    database.execute("UPDATE checkpoint_bodies SET body = zeroblob(length(body))", []).unwrap();
    drop(database);
    let server = Server::start_in(place.path(), &shared_images());
    for running in running {
        let id = running["id"].as_str().unwrap();
        seen.execution(&server.get(&format!("/executions/{id}")).expect(200).json);
    }
    seen.answer(server.try_eval(&kept, "1"));

    let missing: Vec<&str> = ErrorCode::ALL
        .iter()
        .filter(|code| !NOT_HERE.iter().any(|(not, _)| not == *code))
        .map(|code| code.as_str())
        .filter(|code| !seen.0.contains_key(*code))
        .collect();
    assert!(missing.is_empty(), "never seen: {missing:?}");
    assert_eq!(seen.0.len() + NOT_HERE.len(), ErrorCode::ALL.len(), "{:?}", seen.0.keys());

    // The documentation says `HTTP nnn` where a code can be an answer.
    let page = std::fs::read_to_string(crate::harness::top().join("docs/errors.md")).unwrap();
    for (code, statuses) in &seen.0 {
        let section = page.split("\n## ").find(|section| section.starts_with(&format!("{code}\n"))).unwrap();
        for status in statuses.iter().filter(|status| **status > 0) {
            assert!(section.contains(&format!("HTTP {status}")), "{code}: {status} is not in docs/errors.md");
        }
    }
}
