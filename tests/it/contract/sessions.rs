//! Sessions: how they start, fail to start, and end.
use serde_json::{Value, json};

use super::{refused, session};
use crate::harness::Server;

fn ids(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect()
}

#[test]
fn listed_newest_first_and_by_status() {
    let server = Server::start();
    let template = server.template("t", &[]);
    let all: Vec<String> = (0..4).map(|_| server.session(&template)).collect();
    server.post(&format!("/sessions/{}/close", all[1]), json!({ "any": "thing" })).expect(200);
    server.send("DELETE", &format!("/sessions/{}", all[3]), Some("\u{0}not json")).expect(200);
    let list = |query: &str| server.get(&format!("/sessions{query}")).expect(200).json;
    let newest: Vec<&str> = all.iter().rev().map(String::as_str).collect();
    assert_eq!(ids(&list("")), newest);
    assert_eq!(ids(&list("?status=")), newest, "blank is no status");
    assert_eq!(ids(&list("?status=ready")), [all[2].as_str(), all[0].as_str()]);
    assert_eq!(ids(&list("?status=closed")), [all[3].as_str(), all[1].as_str()]);
    assert_eq!(ids(&list("?status=crashed")), Vec::<&str>::new());
    let summary = server.get("/runtime/summary").expect(200);
    let mut live = [all[0].as_str(), all[2].as_str()];
    live.sort_unstable();
    assert_eq!(summary.text, format!(r#"{{"active_sessions":2,"active_session_ids":["{}","{}"]}}"#, live[0], live[1]));
    for id in [&all[1], &all[3]] {
        for answer in [
            server.post(&format!("/sessions/{id}/close"), json!({})),
            server.send("DELETE", &format!("/sessions/{id}"), None),
        ] {
            refused(answer, 404, "SESSION_NOT_FOUND", "Session not found", json!({ "session_id": id }));
        }
        assert_eq!(server.get(&format!("/sessions/{id}")).expect(200).json["status"], "closed");
        let details = json!({ "session_id": id });
        refused(server.try_eval(id, "1"), 409, "SESSION_NOT_READY", "Session is not ready", details.clone());
        let file = server.post("/executions/run-file", json!({ "session_id": id, "path": "/etc/passwd" }));
        refused(file, 409, "SESSION_NOT_READY", "Session is not ready", details);
    }
}

/// What a failed start leaves: 422, and a crashed row that says the same, which takes nothing and is not active.
#[track_caller]
fn does_not_start(server: &Server, template: &str, code: &str, begins: &str) -> Value {
    let answer = server.post("/sessions", server.session_body(template)).expect_error(422, code);
    let error = &answer.json["error"];
    assert_eq!(error["details"]["template_id"], template, "{}", answer.text);
    let message = error["message"].as_str().unwrap();
    assert!(message.starts_with(begins), "{message}");
    let id = error["details"]["session_id"].as_str().unwrap_or_else(|| panic!("{}", answer.text));
    let row = server.get(&format!("/sessions/{id}")).expect(200).json;
    assert_eq!((&row["status"], &row["last_error"]), (&json!("crashed"), &json!(message)), "{row}");
    assert_eq!(ids(&server.get("/sessions?status=crashed").expect(200).json)[0], id);
    let summary = server.get("/runtime/summary").expect(200).json;
    assert!(!ids_of(&summary).contains(&id), "{summary}");
    let details = json!({ "session_id": id });
    refused(server.try_eval(id, "1"), 409, "SESSION_NOT_READY", "Session is not ready", details.clone());
    refused(
        server.post(&format!("/sessions/{id}/close"), json!({})),
        404,
        "SESSION_NOT_FOUND",
        "Session not found",
        details,
    );
    row
}

fn ids_of(summary: &Value) -> Vec<&str> {
    summary["active_session_ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect()
}

#[test]
fn startup_files_that_fail() {
    let server = Server::start();
    let template = |name: &str, path: &str| {
        let id = server.template(name, &[]);
        server.post(&format!("/templates/{id}/startup-files"), json!({ "path": path })).expect(201);
        id
    };
    let elsewhere = tempfile::NamedTempFile::new().unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), server.directory.join("link.js")).unwrap();
    for (name, source) in [
        ("throws.js", "console.log('said'); throw new RangeError('on purpose')"),
        ("syntax.js", "let = ="),
        ("loops.js", "for (;;) {}"),
        ("prints.js", "console.log('x'.repeat(1e6))"),
        ("never.js", "await new Promise(() => {})"),
    ] {
        std::fs::write(server.directory.join(name), source).unwrap();
    }
    std::fs::create_dir(server.directory.join("dir.js")).unwrap();
    let failed = "startup failed: failed to execute startup file";
    let row = does_not_start(
        &server,
        &template("throws", "throws.js"),
        "STARTUP_FAILED",
        &format!("{failed} throws.js: RangeError: on purpose"),
    );
    // The file's own execution shows what it printed.
    let id = row["id"].as_str().unwrap();
    let runs = server.get(&format!("/executions?session_id={id}")).expect(200).json;
    assert_eq!(
        (&runs[0]["kind"], &runs[0]["path"], &runs[0]["status"]),
        (&json!("startup"), &json!("throws.js"), &json!("error"))
    );
    assert_eq!(server.events(&runs[0])[0]["payload"]["text"], "said");
    for (name, file, begins) in [
        ("syntax", "syntax.js", format!("{failed} syntax.js: SyntaxError")),
        ("loops", "loops.js", format!("{failed} loops.js: ")),
        ("prints", "prints.js", format!("{failed} prints.js: ")),
        ("never", "never.js", format!("{failed} never.js: ")),
        ("link", "link.js", format!("{failed} link.js: ")),
        ("missing", "missing.js", "startup failed: startup file not found: missing.js".to_owned()),
        ("dir", "dir.js", "startup failed: startup file not found: dir.js".to_owned()),
    ] {
        does_not_start(&server, &template(name, file), "STARTUP_FAILED", &begins);
    }
    assert_eq!(server.get("/runtime/summary").expect(200).text, r#"{"active_sessions":0,"active_session_ids":[]}"#);
}

#[test]
fn libraries_that_fail() {
    let server = Server::start();
    let cache = server.directory.join(".vm-cache/libraries");
    std::fs::create_dir_all(&cache).unwrap();
    std::fs::write(cache.join("bad-1.0.0.js"), "throw new Error('bad library')").unwrap();
    std::fs::write(cache.join("one-1.0.0.js"), "var order = ['one'];").unwrap();
    std::fs::write(cache.join("two-1.0.0.js"), "order.push('two');").unwrap();
    let template = |name: &str, libraries: &[&str]| {
        let id = server.template(name, &[]);
        for library in libraries {
            server.post(&format!("/templates/{id}/libraries"), json!({ "name": library })).expect(201);
        }
        id
    };
    let missing = template("missing", &["one-1.0.0", "absent-9.9.9"]);
    let begins = "failed to load libraries: library absent-9.9.9 not found";
    does_not_start(&server, &missing, "LIBRARY_NOT_FOUND", begins);
    let bad = template("bad", &["bad-1.0.0"]);
    let row = does_not_start(&server, &bad, "LIBRARY_FAILED", "failed to load libraries: ");
    assert!(row["last_error"].as_str().unwrap().contains("bad library"), "{row}");
    // In the order of the list, before the startup files.
    let good = template("good", &["one-1.0.0", "two-1.0.0"]);
    std::fs::write(server.directory.join("s.js"), "order.push('startup'); let declared = 'by startup';").unwrap();
    server.post(&format!("/templates/{good}/startup-files"), json!({ "path": "s.js" })).expect(201);
    let session = server.session(&good);
    assert_eq!(server.value(&session, "order.join()"), "one,two,startup");
    assert_eq!(server.value(&session, "declared"), "by startup");
    // A file that is changed makes a new image.
    std::fs::write(cache.join("two-1.0.0.js"), "order.push('zwei');").unwrap();
    assert_eq!(server.value(&server.session(&good), "order.join()"), "one,zwei,startup");
    assert_eq!(server.value(&session, "order.join()"), "one,two,startup");
}

/// By index, then in the order of adding; each an execution of its own, in the one global scope.
#[test]
fn startup_files_run_in_order() {
    let server = Server::start();
    let template = server.template("t", &[]);
    for (path, index) in [("c.js", 10), ("a.js", -1), ("d.js", 10), ("b.js", 0)] {
        std::fs::write(
            server.directory.join(path),
            format!("globalThis.ran = (globalThis.ran ?? '') + '{path} '; const {} = 1;", &path[..1]),
        )
        .unwrap();
        let body = json!({ "path": path, "order_index": index });
        server.post(&format!("/templates/{template}/startup-files"), body).expect(201);
    }
    let session = server.session(&template);
    assert_eq!(server.value(&session, "ran + (a + b + c + d)"), "a.js b.js c.js d.js 4");
    let again = server.eval(&session, "let a = 2");
    assert!(again["error"]["message"].as_str().unwrap().starts_with("SyntaxError"), "{again}");
    let runs = server.get(&format!("/executions?session_id={session}")).expect(200).json;
    let runs: Vec<&Value> = runs.as_array().unwrap().iter().filter(|run| run["kind"] == "startup").collect();
    let paths: Vec<&str> = runs.iter().rev().map(|run| run["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["a.js", "b.js", "c.js", "d.js"]);
    assert!(runs.iter().all(|run| run["status"] == "ok"), "{runs:?}");
}

/// A session that trapped while it ran takes nothing more, and says why.
#[test]
fn crashed_sessions() {
    let server = Server::start();
    let (session, _) = session(&server);
    // Nothing can stop this softly: the host gives up on the heap.
    let row = server.eval(&session, "Array.prototype.copyWithin.call({ length: 2 ** 53 - 1 }, 0, 1)");
    assert_eq!(row["status"], "timeout", "{row}");
    let shown = server.get(&format!("/sessions/{session}")).expect(200).json;
    if shown["status"] == "ready" {
        // It could be stopped after all: then it goes on.
        assert_eq!(server.value(&session, "1+1"), "2");
        return;
    }
    assert_eq!(shown["status"], "crashed", "{shown}");
    assert!(shown["last_error"].is_string(), "{shown}");
    let details = json!({ "session_id": session });
    refused(server.try_eval(&session, "1"), 409, "SESSION_NOT_READY", "Session is not ready", details);
    assert_eq!(server.get("/runtime/summary").expect(200).json["active_sessions"], 0);
}
