//! "Execution semantics".
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{refused, session};
use crate::harness::Server;

fn run_file(server: &Server, session: &str, path: &str) -> Value {
    server.post("/executions/run-file", json!({ "session_id": session, "path": path })).expect(201).json
}

/// One global scope for repl, files and startup files.
#[test]
fn declarations_persist_across_kinds() {
    let server = Server::start();
    let template = server.template("t", &[]);
    let write = |path: &str, text: &str| std::fs::write(server.directory.join(path), text).unwrap();
    write("startup.js", "let fromStartup = 1; const constant = 2; class Startup { static x = 3 }");
    server.post(&format!("/templates/{template}/startup-files"), json!({ "path": "startup.js" })).expect(201);
    write(
        "file.js",
        "let fromFile = fromStartup + 10; class File extends Startup {} function inFile() { return fromFile }",
    );
    let session = server.session(&template);
    assert_eq!(server.value(&session, "let fromRepl = fromStartup + constant + Startup.x; fromRepl"), "6");
    assert_eq!(run_file(&server, &session, "file.js")["status"], "ok");
    assert_eq!(server.value(&session, "[fromFile, File.x, inFile()].join()"), "11,3,11");
    for again in ["let fromStartup", "const fromFile = 1", "class File {}", "let fromRepl = 2", "var constant"] {
        let row = server.eval(&session, again);
        assert_eq!(row["status"], "error", "{again}: {row}");
        assert!(row["error"]["message"].as_str().unwrap().starts_with("SyntaxError: "), "{again}: {row}");
    }
    let twice = run_file(&server, &session, "file.js");
    assert!(twice["error"]["message"].as_str().unwrap().starts_with("SyntaxError: "), "{twice}");
    assert_eq!(server.value(&session, "[fromStartup, fromFile, fromRepl].join()"), "1,11,6");
    // Sloppy: assignments make globals, `this` is the global object.
    assert_eq!(server.value(&session, "implicit = 1; with ({ y: 2 }) { this.implicit + y }"), "3");
}

#[test]
fn files() {
    let server = Server::start();
    let (session, _) = session(&server);
    let write = |path: &str, text: &str| std::fs::write(server.directory.join(path), text).unwrap();
    for (path, text, preview) in [
        ("bom.js", "\u{feff}40 + 2", "42"),
        ("shebang.js", "#!/usr/bin/env node\n40 + 2", "42"),
        ("both.js", "\u{feff}#!/usr/bin/env node\n40 + 2", "42"),
        ("empty.js", "", "undefined"),
        ("await.js", "const late = await Promise.resolve(42); late", "42"),
        ("promise.js", "Promise.resolve().then(() => 42)", "42"),
        ("nested.js", "(async () => { await null; return Promise.resolve(42) })()", "42"),
        ("completion.js", "if (true) { 42 } else { 0 }", "42"),
    ] {
        write(path, text);
        let row = run_file(&server, &session, path);
        assert_eq!((&row["status"], &row["result"]["preview"]), (&json!("ok"), &json!(preview)), "{path}: {row}");
        let kinds: Vec<Value> = server.events(&row).iter().map(|event| event["type"].clone()).collect();
        assert_eq!(kinds, ["value"], "a file is not echoed");
    }
    for (input, preview) in [("\u{feff}40 + 2", "42"), ("#!x\n40 + 2", "42")] {
        assert_eq!(server.value(&session, input), preview, "{input:?}");
    }
    write("args.js", "JSON.stringify([__ARGS__, typeof __ENV__])");
    let run = |body: Value| server.post("/executions/run-file", body);
    let row = run(
        json!({ "session_id": session, "path": "args.js", "args": { "a": [1, "\u{2028}\"'`"], "__proto__": { "x": 1 } } }),
    );
    let row = row.expect(201).json;
    let seen: Value = serde_json::from_str(row["result"]["json"].as_str().unwrap()).unwrap();
    assert_eq!(seen[0], row["args"], "{row}");
    let row = run(json!({ "session_id": session, "path": "args.js" })).expect(201).json;
    let seen: Value = serde_json::from_str(row["result"]["json"].as_str().unwrap()).unwrap();
    assert_eq!(seen[0], Value::Null, "not those of the run before");
    for args in [json!([]), json!("x"), json!(1), json!(true)] {
        for field in ["args", "env"] {
            let mut body = json!({ "session_id": session, "path": "args.js" });
            body[field] = args.clone();
            let answer = run(body);
            assert_eq!(answer.status, 400, "{field} {args}: {}", answer.text);
        }
    }
    // A file is read anew each time; what was thrown names it and its line.
    write("bad.js", "\n\nnull.x");
    let row = run_file(&server, &session, "bad.js");
    assert!(row["error"]["stack"].as_str().unwrap().contains("bad.js:3"), "{row}");
    assert_eq!(row["error"]["line"], 3, "{row}");
    write("bad.js", "'good'");
    assert_eq!(run_file(&server, &session, "bad.js")["result"]["preview"], "good");
    std::fs::write(server.directory.join("latin1.js"), b"'\xe4'").unwrap();
    run(json!({ "session_id": session, "path": "latin1.js" })).expect_error(400, "VALIDATION_ERROR");
}

#[test]
fn promises_and_jobs() {
    let server = Server::start();
    let (session, _) = session(&server);
    assert_eq!(server.value(&session, "var log = []; Promise.resolve().then(() => log.push('job')); 0"), "0");
    assert_eq!(server.value(&session, "log.join()"), "job", "jobs drain before the answer");
    assert_eq!(server.value(&session, "await null; log.push('after'); log.join()"), "job,after");
    assert_eq!(server.value(&session, "let awaited = await Promise.resolve(5); awaited"), "5");
    assert_eq!(server.value(&session, "awaited"), "5");
    assert_eq!(server.value(&session, "({ then(done) { done(7) } })"), "[object Object]", "no promise");
    let rejected = server.eval(&session, "Promise.reject(new RangeError('late'))");
    assert_eq!((&rejected["status"], &rejected["error"]["message"]), (&json!("error"), &json!("RangeError: late")));
    let began = Instant::now();
    for never in ["new Promise(() => {})", "await new Promise(() => {})"] {
        let row = server.eval(&session, never);
        assert_eq!(
            (&row["status"], &row["error"]["code"]),
            (&json!("error"), &json!("PROMISE_NEVER_SETTLES")),
            "{row}"
        );
    }
    assert!(began.elapsed() < Duration::from_secs(4), "told at once: {:?}", began.elapsed());
    assert_eq!(server.value(&session, "awaited"), "5");
}

/// An ordinary answer to what the ancestor dropped the connection over.
#[test]
fn hostile_results() {
    let server = Server::start();
    let (session, _) = session(&server);
    let bare = server.eval(&session, "Object.create(null)");
    assert_eq!((&bare["status"], &bare["result"]["type"]), (&json!("ok"), &json!("object")), "{bare}");
    let nested = server.eval(&session, "({ a: Object.create(null) })");
    assert_eq!(nested["result"]["json"], json!({ "a": {} }), "{nested}");
    for input in [
        "({ toString() { throw new Error('from toString') } })",
        "({ toString() { return {} } })",
        "[{ toString() { throw 1 } }]",
        "throw { toString() { throw 1 } }",
        "throw Object.create(null)",
        "throw new Proxy({}, { get() { throw 1 } })",
        "throw undefined",
        "Promise.reject(Object.create(null))",
        "class E extends Error { get message() { throw 1 } get name() { throw 2 } get stack() { throw 3 } } throw new E()",
    ] {
        let row = server.eval(&session, input);
        assert!(["ok", "error"].contains(&row["status"].as_str().unwrap()), "{input}: {row}");
        assert_eq!(row["status"] == "error", row["error"]["message"].is_string(), "{input}: {row}");
        assert_eq!(row["status"] == "ok", row["result"]["preview"].is_string(), "{input}: {row}");
    }
    assert_eq!(server.value(&session, "1+1"), "2");
}

/// While one runs, the next is refused at once and leaves no row; then the session takes it.
#[test]
fn busy_at_once() {
    let server = Server::start();
    let (session, _) = session(&server);
    std::fs::write(server.directory.join("f.js"), "1").unwrap();
    let running = server.begin(&session, "for (;;) {}");
    let began = Instant::now();
    let details = json!({ "session_id": session });
    for _ in 0..20 {
        refused(server.try_eval(&session, "1"), 409, "SESSION_BUSY", "Session is busy", details.clone());
        for path in ["f.js", "missing.js", "/etc/passwd"] {
            let answer = server.post("/executions/run-file", json!({ "session_id": session, "path": path }));
            refused(answer, 409, "SESSION_BUSY", "Session is busy", details.clone());
        }
    }
    assert!(began.elapsed() < Duration::from_millis(1_500), "no queue: {:?}", began.elapsed());
    // On a machine that is busy with something else the time may be up before the CPU time is.
    assert_eq!(server.ended(&running)["status"], "timeout");
    assert_eq!(server.value(&session, "40 + 2"), "42");
    let rows = server.get(&format!("/executions?session_id={session}")).expect(200).json;
    assert_eq!(rows.as_array().unwrap().len(), 2, "{rows}");
}

/// Closing a session that runs something cancels it, and both rows are final.
#[test]
fn closing_what_runs() {
    let server = Server::start();
    let (session, _) = session(&server);
    let running = server.begin(&session, "console.log('begun'); for (;;) {}");
    let closed = server.send("DELETE", &format!("/sessions/{session}"), None).expect(200).json;
    assert_eq!(closed["status"], "closed");
    let row = server.get(&format!("/executions/{}", running["id"].as_str().unwrap())).expect(200).json;
    assert_eq!((&row["status"], &row["error"]["code"]), (&json!("cancelled"), &json!("CANCELLED")), "{row}");
}

/// The limits of the template hold while a script runs, each with its own code, and the session goes on.
#[test]
fn limits_are_kept() {
    let server = Server::start();
    let limits = json!({ "cpu_ms": 150, "wall_ms": 60_000, "mem_mb": 16 });
    let made = server.post("/templates", json!({ "name": "t", "settings": { "limits": limits } })).expect(201).json;
    let session = server.session(made["id"].as_str().unwrap());
    server.value(&session, "var kept = 1; 1");
    for (input, status, code) in [
        ("for (;;) {}", "timeout", "CPU_LIMIT_EXCEEDED"),
        (
            "const hoard = []; for (;;) hoard.push(new Array(1000).fill('x'.repeat(10)))",
            "error",
            "MEMORY_LIMIT_EXCEEDED",
        ),
        ("(function f() { f() })()", "error", "STACK_LIMIT_EXCEEDED"),
    ] {
        let row = server.eval(&session, &format!("{{ {input} }}"));
        assert_eq!((&row["status"], &row["error"]["code"]), (&json!(status), &json!(code)), "{input}: {row}");
        assert_eq!(server.value(&session, "kept"), "1", "{input}");
    }
    let wall = json!({ "name": "wall", "settings": { "limits": { "cpu_ms": 60_000, "wall_ms": 150 } } });
    let made = server.post("/templates", wall).expect(201).json;
    let row = server.eval(&server.session(made["id"].as_str().unwrap()), "for (;;) {}");
    assert_eq!((&row["status"], &row["error"]["code"]), (&json!("timeout"), &json!("WALL_LIMIT_EXCEEDED")), "{row}");
}

#[test]
fn lists_of_executions() {
    let server = Server::start();
    let (session, template) = session(&server);
    let other = server.session(&template);
    server.value(&other, "0");
    let ids: Vec<Value> = (0..55).map(|n| server.eval(&session, &n.to_string())["id"].clone()).collect();
    let newest: Vec<Value> = ids.iter().rev().cloned().collect();
    let list = |query: &str| -> Vec<Value> {
        let rows = server.get(&format!("/executions?session_id={session}{query}")).expect(200).json;
        rows.as_array().unwrap().iter().map(|row| row["id"].clone()).collect()
    };
    assert_eq!(list(""), newest[..50], "50 unless said otherwise");
    assert_eq!(list("&limit=3"), newest[..3]);
    assert_eq!(list("&limit=1000000"), newest);
    assert_eq!(list("&limit=99999999999999"), newest);
    for limit in ["0", "-1", "x", "1.5", "%2B1%20", "99999999999999999999999"] {
        let answer = server.get(&format!("/executions?session_id={session}&limit={limit}"));
        assert_eq!(answer.status, 400, "{limit}: {}", answer.text);
        answer.expect_error(400, "VALIDATION_ERROR");
    }
}
