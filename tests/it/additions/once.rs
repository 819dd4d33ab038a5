//! `POST /run`: one execution in a session that lives no longer.
use serde_json::{Value, json};

use super::id;
use crate::contract::keys;
use crate::harness::Server;

#[test]
fn run_and_gone() {
    let server = Server::start();
    let template = server.template("t", &["fs"]);
    let run = |mut body: Value| {
        body["template_id"] = json!(template);
        server.post("/run", body)
    };
    let answer = run(json!({ "input": "console.log('said'); var x = 1; 40 + 2" })).expect(201);
    assert_eq!(keys(&answer.text), ["execution", "events"]);
    let execution = &answer.json["execution"];
    assert_eq!((&execution["kind"], &execution["result"]["preview"]), (&json!("repl"), &json!("42")));
    assert_eq!(answer.json["events"], json!(server.events(execution)), "as they are listed");
    assert_eq!(server.get(&format!("/executions/{}", id(execution))).expect(200).json, *execution);
    let session = execution["session_id"].as_str().unwrap();
    assert_eq!(server.get(&format!("/sessions/{session}")).expect(200).json["status"], "closed");
    assert_eq!(run(json!({ "input": "typeof x" })).expect(201).json["execution"]["result"]["preview"], "undefined");

    let worktree = tempfile::tempdir().unwrap();
    std::fs::write(worktree.path().join("f.js"), "require('fs').readFileSync('data') + __ARGS__.a + __ENV__.b")
        .unwrap();
    std::fs::write(worktree.path().join("data"), "from the worktree ").unwrap();
    let path = worktree.path().to_str().unwrap();
    let body = json!({ "path": "f.js", "args": { "a": 1 }, "env": { "b": "x" }, "worktree_path": path });
    let ran = run(body).expect(201).json;
    assert_eq!(ran["execution"]["result"]["preview"], "from the worktree 1x", "{ran}");
    assert_eq!(ran["execution"]["kind"], "run_file");

    run(json!({ "path": "f.js" })).expect_error(404, "FILE_NOT_FOUND");
    run(json!({ "path": "../f.js", "worktree_path": path })).expect_error(422, "INVALID_PATH");
    run(json!({ "path": "f.js", "worktree_path": "relative" })).expect_error(400, "VALIDATION_ERROR");
    run(json!({ "path": "f.js", "worktree_path": format!("{path}/missing") })).expect_error(422, "WORKTREE_NOT_FOUND");
    run(json!({ "input": "1", "path": "f.js" })).expect_error(400, "VALIDATION_ERROR");
    run(json!({})).expect_error(400, "VALIDATION_ERROR");
    run(json!({ "input": " " })).expect_error(400, "VALIDATION_ERROR");
    run(json!({ "input": "console.log('x'.repeat(1e6))" })).expect_error(422, "OUTPUT_LIMIT_EXCEEDED");
    let late = run(json!({ "input": "for (;;) {}" })).expect(201).json;
    assert_eq!(late["execution"]["status"], "timeout", "{late}");
    let thrown = run(json!({ "input": "throw new Error('x')" })).expect(201).json;
    assert_eq!(thrown["execution"]["error"]["message"], "Error: x");
    // None of them left anything alive.
    assert_eq!(server.get("/runtime/summary").expect(200).text, r#"{"active_sessions":0,"active_session_ids":[]}"#);
    assert_eq!(server.get("/sessions?status=ready").expect(200).text, "[]");
}

/// Startup files run before it, and one that fails is the answer.
#[test]
fn startup_files_run_first() {
    let server = Server::start();
    std::fs::write(server.directory.join("s.js"), "let began = 'yes'").unwrap();
    let whole = json!({ "name": "t", "startup_files": [{ "path": "s.js" }] });
    let template = server.post("/templates", whole).expect(201).json;
    let path = server.directory.to_str().unwrap();
    let ran = server.post("/run", json!({ "template_id": id(&template), "input": "began", "worktree_path": path }));
    assert_eq!(ran.expect(201).json["execution"]["result"]["preview"], "yes");
    // Without a worktree there is no such file.
    let ran = server.post("/run", json!({ "template_id": id(&template), "input": "1" }));
    ran.expect_error(422, "STARTUP_FAILED");
    assert_eq!(server.get("/runtime/summary").expect(200).json["active_sessions"], 0);
}
