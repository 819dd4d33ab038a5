//! The HTTP contract that existing clients rely on, as far as it is here.
use std::collections::HashSet;

use serde_json::{Value, json};

use crate::harness::{Answer, Server};

const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

#[test]
fn health_and_summary() {
    let server = Server::start();
    assert_eq!(server.get("/health").expect(200).text, r#"{"status":"ok"}"#);
    let summary = server.get("/runtime/summary").expect(200);
    assert_eq!(summary.text, r#"{"active_sessions":0,"active_session_ids":[]}"#);
    let template = server.template("t", &[]);
    let mut ids: Vec<String> = (0..3).map(|_| server.session(&template)).collect();
    ids.sort();
    let summary = server.get("/runtime/summary").expect(200).json;
    assert_eq!(summary, json!({ "active_sessions": 3, "active_session_ids": ids }));
}

#[test]
fn every_answer_has_a_request_id_of_its_own() {
    let server = Server::start();
    let mut seen = HashSet::new();
    let answers = [
        server.get("/health"),
        server.get("/nope"),
        server.send("PATCH", "/health", None),
        server.post("/templates", json!({})),
        server.post("/templates", json!({ "name": "t" })),
        server.send("HEAD", "/health", None),
        server.send("POST", "/templates", Some("{")),
    ];
    for answer in answers {
        let id = answer.header("X-Request-Id").unwrap_or_else(|| panic!("none: {answer:?}")).to_owned();
        let parsed: uuid::Uuid = id.parse().unwrap();
        assert_eq!(parsed.hyphenated().to_string(), id);
        assert!(seen.insert(id), "twice");
    }
}

#[test]
fn routes_and_methods() {
    let server = Server::start();
    for path in ["/nope", "/health/", "/templates/", "/templates/x/y/z", "", "/"] {
        assert_eq!(server.get(path).status, 404, "{path}");
    }
    server.get("/nope").expect_error(404, "NOT_FOUND");
    for (method, path, allow) in [
        ("POST", "/health", "GET"),
        ("DELETE", "/health", "GET"),
        ("PUT", "/templates", "POST"),
        ("PUT", "/sessions", "POST"),
        ("GET", "/executions/repl", "POST"),
        ("POST", "/runtime/summary", "GET"),
    ] {
        let answer = server.send(method, path, Some("{}"));
        // A path that is also an id's place may answer for that instead.
        if answer.status == 400 && path == "/executions/repl" {
            continue;
        }
        let answer = answer.expect_error(405, "METHOD_NOT_ALLOWED");
        assert!(answer.header("Allow").is_some_and(|a| a.contains(allow)), "{method} {path}: {:?}", answer.headers);
    }
    let head = server.send("HEAD", "/health", None).expect(200);
    assert_eq!(head.text, "");
}

#[test]
fn bodies_are_read_strictly() {
    let server = Server::start();
    for body in [
        "",
        "{",
        "[]",
        "1",
        "null",
        "\"x\"",
        "{}x",
        "{\"name\":1}",
        "{\"name\":\"t\",\"nome\":1}",
        "{\"name\":\"t\",\"name\":\"u\"}",
        "\u{feff}{}",
    ] {
        server.send("POST", "/templates", Some(body)).expect_error(400, "INVALID_REQUEST");
    }
    let unknown = server.send("POST", "/templates", Some("{\"name\":\"t\",\"nome\":1}"));
    assert!(unknown.json["error"]["message"].as_str().unwrap().contains("nome"), "{}", unknown.text);
    for body in ["{}", "{\"name\":\"\"}", "{\"name\":\"  \"}"] {
        let answer = server.send("POST", "/templates", Some(body)).expect_error(400, "VALIDATION_ERROR");
        assert_eq!(answer.json["error"]["message"], "name is required", "{body}");
    }
    let deep = format!("{{\"name\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    server.send("POST", "/templates", Some(&deep)).expect_error(400, "INVALID_REQUEST");
    assert_eq!(server.get("/templates").expect(200).text, "[]");
}

#[test]
fn templates() {
    let server = Server::start();
    assert_eq!(server.get("/templates").expect(200).text, "[]");
    let made = server.post("/templates", json!({ "name": "first" })).expect(201).json;
    assert_eq!(made["engine"], "quickjs");
    assert_eq!(
        (&made["is_active"], &made["exposed_modules"], &made["libraries"]),
        (&json!(true), &json!([]), &json!([]))
    );
    let id = made["id"].as_str().unwrap();
    let whole = server.get(&format!("/templates/{id}")).expect(200);
    assert_eq!(whole.json["template"], made);
    assert_eq!(
        whole.json["settings"]["limits"],
        json!({ "cpu_ms": 2000, "wall_ms": 5000, "mem_mb": 128, "max_events": 50000, "max_output_kb": 256 })
    );
    assert_eq!((&whole.json["capabilities"], &whole.json["startup_files"]), (&json!([]), &json!([])));
    assert!(whole.text.contains(r#""name":"first""#), "compact: {}", whole.text);
    // An id in any spelling is the same id, and is echoed in one.
    for spelling in [id.to_uppercase(), id.replace('-', ""), format!("%20{id}%20")] {
        assert_eq!(server.get(&format!("/templates/{spelling}")).expect(200).json["template"]["id"], id);
    }
    server.post("/templates", json!({ "name": "first" })).expect_error(409, "ALREADY_EXISTS");
    assert_eq!(
        server.post("/templates", json!({ "name": "old", "engine": "goja" })).expect(201).json["engine"],
        "goja"
    );
    server.post("/templates", json!({ "name": "no", "engine": "v8" })).expect_error(422, "ENGINE_UNSUPPORTED");
    let names: Vec<Value> =
        server.get("/templates").expect(200).json.as_array().unwrap().iter().map(|t| t["name"].clone()).collect();
    assert_eq!(names, ["old", "first"], "newest first");
}

/// What may be listed, and what a template lists.
#[test]
fn modules() {
    let server = Server::start();
    let all = server.get("/modules").expect(200).json;
    let fs = all.as_array().unwrap().iter().find(|m| m["name"] == "fs").unwrap();
    assert_eq!(fs["interface"], "vm:fs/files@0.3.0");
    assert!(fs["wit"].as_str().unwrap().contains("read-file-sync"), "{fs}");
    assert!(
        fs["dts"].as_str().unwrap().contains("readFileSync(path: PathLike | number, options?: AsText): string"),
        "{fs}"
    );
    assert_eq!(&server.get("/modules/fs").expect(200).json, fs);
    server.get("/modules/nope").expect_error(404, "NOT_FOUND");

    let template = server.template("t", &["fs"]);
    let path = format!("/templates/{template}/modules");
    for _ in 0..2 {
        let removed = server.send("DELETE", &format!("{path}/fs"), None).expect(200).json;
        assert_eq!(removed, json!({ "status": "ok", "template_id": template, "name": "fs" }), "also if absent");
    }
    assert_eq!(server.get(&path).expect(200).text, "[]");
}

#[test]
fn bad_and_unknown_ids() {
    let server = Server::start();
    for path in [
        "/templates/nope",
        "/templates/123",
        "/sessions/nope",
        "/executions/nope",
        "/executions/nope/events",
        &format!("/templates/{NOBODY}0"),
    ] {
        let answer = server.get(path).expect_error(400, "VALIDATION_ERROR");
        assert!(answer.json["error"]["message"].as_str().unwrap().contains("must be a valid UUID"), "{}", answer.text);
    }
    // Checked before the body is read.
    server.send("POST", "/templates/nope/modules", Some("{")).expect_error(400, "VALIDATION_ERROR");
    let expect = |answer: Answer, code: &str, message: &str, key: &str| {
        let answer = answer.expect_error(404, code);
        assert_eq!(answer.json["error"]["message"], message);
        assert_eq!(answer.json["error"]["details"][key], NOBODY, "{}", answer.text);
    };
    expect(server.get(&format!("/templates/{NOBODY}")), "TEMPLATE_NOT_FOUND", "Template not found", "template_id");
    expect(
        server.get(&format!("/templates/{NOBODY}/modules")),
        "TEMPLATE_NOT_FOUND",
        "Template not found",
        "template_id",
    );
    expect(server.get(&format!("/sessions/{NOBODY}")), "SESSION_NOT_FOUND", "Session not found", "session_id");
    expect(
        server.post(&format!("/sessions/{NOBODY}/close"), json!({})),
        "SESSION_NOT_FOUND",
        "Session not found",
        "session_id",
    );
    expect(server.get(&format!("/executions/{NOBODY}")), "EXECUTION_NOT_FOUND", "Execution not found", "execution_id");
    expect(
        server.get(&format!("/executions/{NOBODY}/events")),
        "EXECUTION_NOT_FOUND",
        "Execution not found",
        "execution_id",
    );
    expect(server.try_eval(NOBODY, "1"), "SESSION_NOT_FOUND", "Session not found", "session_id");
}

#[test]
fn sessions() {
    let server = Server::start();
    let template = server.template("t", &[]);
    let body = server.session_body(&template);
    let made = server.post("/sessions", body.clone()).expect(201).json;
    assert_eq!((&made["status"], &made["vm_id"]), (&json!("ready"), &json!(template)));
    for key in ["workspace_id", "base_commit_oid", "worktree_path"] {
        assert_eq!(made[key], body[key]);
    }
    assert!(made.get("closed_at").is_none() && made.get("last_error").is_none(), "omitted when empty: {made}");
    let id = made["id"].as_str().unwrap();
    assert_eq!(server.get(&format!("/sessions/{id}")).expect(200).json, made);
    let times: Vec<&str> = [&made["created_at"]].iter().map(|t| t.as_str().unwrap()).collect();
    assert!(times.iter().all(|t| t.ends_with('Z') && t.contains('.')), "{times:?}");

    let closed = server.send("POST", &format!("/sessions/{id}/close"), Some("ignored")).expect(200).json;
    assert_eq!(closed["status"], "closed");
    assert!(closed["closed_at"].is_string());
    server.post(&format!("/sessions/{id}/close"), json!({})).expect_error(404, "SESSION_NOT_FOUND");
    assert_eq!(server.get(&format!("/sessions/{id}")).expect(200).json["status"], "closed", "the row is kept");
    let late = server.try_eval(id, "1").expect_error(409, "SESSION_NOT_READY");
    assert_eq!(late.json["error"]["message"], "Session is not ready");
    let other = server.session(&template);
    assert_eq!(server.send("DELETE", &format!("/sessions/{other}"), None).expect(200).json["status"], "closed");
    assert_eq!(server.get("/runtime/summary").expect(200).json["active_sessions"], 0);
}

/// Order: body, required fields, UUID, template, worktree.
#[test]
fn session_create_checks_in_order() {
    let server = Server::start();
    let template = server.template("t", &[]);
    let good = server.session_body(&template);
    let with = |key: &str, value: Value| {
        let mut body = good.clone();
        body[key] = value;
        server.post("/sessions", body)
    };
    for key in ["template_id", "workspace_id", "base_commit_oid", "worktree_path"] {
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(key);
        let answer = server.post("/sessions", body).expect_error(400, "VALIDATION_ERROR");
        assert!(answer.json["error"]["message"].as_str().unwrap().contains("required"), "{key}: {}", answer.text);
    }
    with("extra", json!(1)).expect_error(400, "INVALID_REQUEST");
    let answer = with("template_id", json!("nope")).expect_error(400, "VALIDATION_ERROR");
    assert_eq!(answer.json["error"]["message"], "template_id must be a valid UUID");
    with("template_id", json!(NOBODY)).expect_error(404, "TEMPLATE_NOT_FOUND");
    with("worktree_path", json!("relative/path")).expect_error(400, "VALIDATION_ERROR");
    let missing = server.directory.join("missing");
    with("worktree_path", json!(missing.to_str().unwrap())).expect_error(422, "WORKTREE_NOT_FOUND");
    std::fs::write(server.directory.join("file"), "").unwrap();
    with("worktree_path", json!(server.directory.join("file").to_str().unwrap()))
        .expect_error(422, "WORKTREE_NOT_FOUND");
    assert_eq!(server.get("/runtime/summary").expect(200).json["active_sessions"], 0);
}

#[test]
fn executions() {
    let server = Server::start();
    let template = server.template("t", &[]);
    let session = server.session(&template);
    let answer = server.try_eval(&session, "40 + 2").expect(201);
    assert!(answer.text.contains(r#""status":"ok""#) && answer.text.contains(r#""preview":"42""#), "{}", answer.text);
    let made = answer.json;
    assert_eq!(
        (&made["kind"], &made["input"], &made["args"], &made["env"]),
        (&json!("repl"), &json!("40 + 2"), &json!([]), &json!({}))
    );
    assert_eq!(made["session_id"], session.as_str());
    assert!(made["started_at"].as_str() <= made["ended_at"].as_str(), "{made}");
    assert!(made["metrics"]["cpu_us"].is_u64(), "{made}");
    let id = made["id"].as_str().unwrap();
    assert_eq!(server.get(&format!("/executions/{id}")).expect(200).json, made);
    let thrown = server.try_eval(&session, "throw new Error('x')").expect(201).json;
    assert_eq!((&thrown["status"], &thrown["error"]["message"]), (&json!("error"), &json!("Error: x")));
    assert!(thrown.get("result").is_none(), "{thrown}");

    let list = |query: &str| server.get(&format!("/executions?session_id={session}{query}"));
    let ids: Vec<Value> = list("").expect(200).json.as_array().unwrap().iter().map(|e| e["id"].clone()).collect();
    assert_eq!(ids, [thrown["id"].clone(), made["id"].clone()], "newest first");
    assert_eq!(list("&limit=1").expect(200).json.as_array().unwrap().len(), 1);
    for limit in ["0", "-1", "x", "1.5"] {
        list(&format!("&limit={limit}")).expect_error(400, "VALIDATION_ERROR");
    }
    server.get("/executions").expect_error(400, "VALIDATION_ERROR");
    for after in ["-1", "x", "1.5"] {
        server.get(&format!("/executions/{id}/events?after_seq={after}")).expect_error(400, "VALIDATION_ERROR");
    }
    assert_eq!(server.get(&format!("/executions/{id}/events?after_seq=999")).expect(200).text, "[]");
    for body in
        [json!({ "session_id": session }), json!({ "input": "1" }), json!({ "session_id": session, "input": "" })]
    {
        server.post("/executions/repl", body).expect_error(400, "VALIDATION_ERROR");
    }
    let answer = server.post("/executions/repl", json!({ "session_id": "nope", "input": "1" }));
    let answer = answer.expect_error(400, "VALIDATION_ERROR");
    assert_eq!(answer.json["error"]["message"], "session_id must be a valid UUID");
}

/// Clients sort times as text: one width everywhere.
#[test]
fn times_have_one_width() {
    let server = Server::start();
    let template = server.template("t", &[]);
    let session = server.session(&template);
    let mut times = Vec::new();
    for _ in 0..20 {
        let execution = server.eval(&session, "console.log(1)");
        times.push(execution["started_at"].as_str().unwrap().to_owned());
        times.push(execution["ended_at"].as_str().unwrap().to_owned());
        times.extend(server.events(&execution).iter().map(|e| e["ts"].as_str().unwrap().to_owned()));
    }
    let widths: HashSet<usize> = times.iter().map(String::len).collect();
    assert_eq!(widths.len(), 1, "{times:?}");
    let begun: Vec<&String> = times.iter().step_by(times.len() / 20).collect();
    assert!(begun.windows(2).all(|pair| pair[0] <= pair[1]), "{begun:?}");
}

/// What a web page could send: a foreign origin, or a name of its own that was made to point here.
#[test]
fn pages_of_others_are_refused() {
    use std::io::{Read, Write};

    let server = Server::start();
    let address = server.url.trim_start_matches("http://");
    for (host, origin, status) in [
        (address, "", "200 OK"),
        (address, &*format!("Origin: http://{address}\r\n"), "200 OK"),
        (address, "Origin: http://evil.example\r\n", "403 Forbidden"),
        (address, "Origin: null\r\n", "403 Forbidden"),
        ("evil.example:3210", "", "403 Forbidden"),
        ("evil.example:3210", "Origin: http://evil.example:3210\r\n", "403 Forbidden"),
    ] {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        let request = format!("GET /api/v1/health HTTP/1.1\r\nHost: {host}\r\n{origin}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{host} {origin}: {answer}");
        assert_eq!(answer.contains("ORIGIN_NOT_ALLOWED"), status.starts_with("403"), "{answer}");
        assert!(answer.contains("x-request-id"), "{answer}");
    }
}
