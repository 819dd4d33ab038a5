//! The table of errors: status, code, message and details, to the letter, and the lines marked "Fixed here".
use serde_json::{Value, json};

use super::{NOBODY, refused, session};
use crate::harness::Server;

const ESCAPES: &str = "Path escapes allowed worktree";

#[test]
fn what_is_required_is_named() {
    let server = Server::start();
    let (session, template) = session(&server);
    let t = format!("/templates/{template}");
    let good = server.session_body(&template);
    let without = |key: &str| {
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(key);
        body
    };
    for (path, body, message) in [
        ("/templates".to_owned(), json!({}), "name is required"),
        ("/templates".to_owned(), json!({ "name": " " }), "name is required"),
        ("/templates".to_owned(), json!({ "name": null }), "name is required"),
        (format!("{t}/modules"), json!({}), "name is required"),
        (format!("{t}/modules"), json!({ "name": "\t" }), "name is required"),
        (format!("{t}/libraries"), json!({ "name": "" }), "name is required"),
        (format!("{t}/capabilities"), json!({ "name": "n" }), "kind is required"),
        (format!("{t}/capabilities"), json!({ "kind": "fs" }), "name is required"),
        (format!("{t}/startup-files"), json!({}), "path is required"),
        (format!("{t}/clone"), json!({}), "name is required"),
        ("/sessions".to_owned(), without("template_id"), "template_id is required"),
        ("/sessions".to_owned(), without("workspace_id"), "workspace_id is required"),
        ("/sessions".to_owned(), without("base_commit_oid"), "base_commit_oid is required"),
        ("/sessions".to_owned(), without("worktree_path"), "worktree_path is required"),
        ("/executions/repl".to_owned(), json!({ "input": "1" }), "session_id is required"),
        ("/executions/repl".to_owned(), json!({ "session_id": session }), "input is required"),
        ("/executions/repl".to_owned(), json!({ "session_id": "x", "input": "1" }), "session_id must be a valid UUID"),
        ("/executions/run-file".to_owned(), json!({ "path": "a" }), "session_id is required"),
        ("/executions/run-file".to_owned(), json!({ "session_id": session }), "path is required"),
        (
            "/executions/run-file".to_owned(),
            json!({ "session_id": "x", "path": "a" }),
            "session_id must be a valid UUID",
        ),
        ("/run".to_owned(), json!({ "input": "1" }), "template_id is required"),
    ] {
        refused(server.post(&path, body), 400, "VALIDATION_ERROR", message, Value::Null);
    }
    // Required fields come before the id's form, and that before the look-up.
    let bodies = [
        (json!({ "template_id": "x" }), "workspace_id is required"),
        (json!({ "template_id": "x", "workspace_id": "w", "base_commit_oid": "b" }), "worktree_path is required"),
        (
            json!({ "template_id": "x", "workspace_id": "w", "base_commit_oid": "b", "worktree_path": "rel" }),
            "template_id must be a valid UUID",
        ),
    ];
    for (body, message) in bodies {
        refused(server.post("/sessions", body), 400, "VALIDATION_ERROR", message, Value::Null);
    }
    refused(server.get("/executions"), 400, "VALIDATION_ERROR", "session_id is required", Value::Null);
}

#[test]
fn unknown_parents_are_404_everywhere() {
    let server = Server::start();
    let t = format!("/templates/{NOBODY}");
    let template = |answer| {
        refused(answer, 404, "TEMPLATE_NOT_FOUND", "Template not found", json!({ "template_id": NOBODY }));
    };
    template(server.get(&t));
    template(server.send("PATCH", &t, Some("{}")));
    template(server.send("PATCH", &t, Some(r#"{"name":"n","is_active":false}"#)));
    for list in ["capabilities", "startup-files", "modules", "libraries", "settings", "export"] {
        template(server.get(&format!("{t}/{list}")));
    }
    template(server.get(&format!("{t}/modules?detail=true")));
    template(server.send("PATCH", &format!("{t}/settings"), Some(r#"{"runtime":{"esm":false}}"#)));
    template(server.post(&format!("{t}/clone"), json!({ "name": "n" })));
    template(server.post(&format!("{t}/capabilities"), json!({ "kind": "fs", "name": "n" })));
    template(server.post(&format!("{t}/startup-files"), json!({ "path": "a.js" })));
    template(server.post(&format!("{t}/modules"), json!({ "name": "fs" })));
    template(server.send("PUT", &format!("{t}/modules/fs"), Some(r#"{"config":{}}"#)));
    template(server.post(&format!("{t}/libraries"), json!({ "name": "x" })));
    template(server.post("/sessions", server.session_body(NOBODY)));
    template(server.post("/run", json!({ "template_id": NOBODY, "input": "1" })));
    let session = |answer| {
        refused(answer, 404, "SESSION_NOT_FOUND", "Session not found", json!({ "session_id": NOBODY }));
    };
    session(server.get(&format!("/sessions/{NOBODY}")));
    session(server.send("POST", &format!("/sessions/{NOBODY}/close"), Some("{not json")));
    session(server.send("DELETE", &format!("/sessions/{NOBODY}"), None));
    session(server.try_eval(NOBODY, "1"));
    session(server.post("/executions/run-file", json!({ "session_id": NOBODY, "path": "/etc/passwd" })));
    session(server.get(&format!("/executions?session_id={NOBODY}")));
    let execution = |answer| {
        refused(answer, 404, "EXECUTION_NOT_FOUND", "Execution not found", json!({ "execution_id": NOBODY }));
    };
    execution(server.get(&format!("/executions/{NOBODY}")));
    execution(server.get(&format!("/executions/{NOBODY}/events")));
    execution(server.post(&format!("/executions/{NOBODY}/cancel"), json!({})));
    let accept = [("Accept", "text/event-stream")];
    execution(server.send_with("GET", &format!("/executions/{NOBODY}/events"), &accept, None));
    // What is deleted and was never there.
    server.send("DELETE", &t, None).expect(200);
    for part in ["modules/fs", "libraries/x", &format!("capabilities/{NOBODY}"), &format!("startup-files/{NOBODY}")] {
        server.send("DELETE", &format!("{t}/{part}"), None).expect(200);
    }
}

/// A module is judged before the template is looked up, a path before the mode, and both before the template.
#[test]
fn orders_of_checks() {
    let server = Server::start();
    let template = server.template("t", &[]);
    for id in [template.as_str(), NOBODY] {
        let modules = format!("/templates/{id}/modules");
        let message = "Module is not allowed for template configuration";
        for (name, reason) in [("nope", "unknown"), ("JSON", "builtin"), ("Math", "builtin"), ("console", "builtin")] {
            let answer = server.post(&modules, json!({ "name": name })).expect_error(422, "MODULE_NOT_ALLOWED");
            assert_eq!(answer.json["error"]["message"], message);
            let details = &answer.json["error"]["details"];
            assert_eq!((&details["template_id"], &details["reason"]), (&json!(id), &json!(reason)), "{}", answer.text);
            assert!(details["module"].as_str().unwrap().eq_ignore_ascii_case(name), "{}", answer.text);
            assert_eq!(details.as_object().unwrap().len(), 3, "{}", answer.text);
        }
        let files = format!("/templates/{id}/startup-files");
        for path in ["/etc/passwd", "..", "../a.js", "a/../../b", ".", "./", "a/..", " ", "/", "a\0b"] {
            let body = json!({ "path": path, "mode": "nope" });
            let details = json!({ "template_id": id });
            refused(server.post(&files, body), 422, "INVALID_PATH", ESCAPES, details);
        }
        for mode in ["nope", "EVALS", "import"] {
            let answer = server.post(&files, json!({ "path": "a.js", "mode": mode }));
            let message = "Only startup mode 'eval' is currently supported";
            let details = json!({ "template_id": id, "requested_mode": mode, "supported_modes": ["eval", "module"] });
            refused(answer, 422, "STARTUP_MODE_UNSUPPORTED", message, details);
        }
    }
    let path = format!("/templates/{template}/modules/fs");
    let details = json!({ "template_id": template, "module": "fs", "reason": "not_granted" });
    let message = "Module is not allowed for template configuration";
    refused(server.send("PUT", &path, Some(r#"{"config":{}}"#)), 422, "MODULE_NOT_ALLOWED", message, details);
    assert_eq!(server.get(&format!("/templates/{template}/startup-files")).expect(200).text, "[]");
}

/// A template is looked up before the worktree is looked at.
#[test]
fn session_create_in_order() {
    let server = Server::start();
    let template = server.template("t", &[]);
    let missing = server.directory.join("missing");
    let body = |template: &str, worktree: &str| {
        let mut body = server.session_body(template);
        body["worktree_path"] = json!(worktree);
        body
    };
    for worktree in ["relative", missing.to_str().unwrap()] {
        server.post("/sessions", body(NOBODY, worktree)).expect_error(404, "TEMPLATE_NOT_FOUND");
    }
    for worktree in ["relative", "./x", "~"] {
        let answer = server.post("/sessions", body(&template, worktree));
        refused(answer, 400, "VALIDATION_ERROR", "worktree_path must be absolute", Value::Null);
    }
    std::fs::write(server.directory.join("file"), "").unwrap();
    for worktree in [missing, server.directory.join("file")] {
        let answer = server.post("/sessions", body(&template, worktree.to_str().unwrap()));
        answer.expect_error(422, "WORKTREE_NOT_FOUND");
    }
    assert_eq!(server.get("/sessions").expect(200).text, "[]", "no row before all of that is known");
}

#[test]
fn duplicates() {
    let server = Server::start();
    let template = server.template("t", &[]);
    for name in ["t", "t"] {
        server.post("/templates", json!({ "name": name })).expect_error(409, "ALREADY_EXISTS");
    }
    server.post("/templates", json!({ "name": "T" })).expect(201);
    server
        .send("PATCH", &format!("/templates/{template}"), Some(r#"{"name":"T"}"#))
        .expect_error(409, "ALREADY_EXISTS");
    server.send("PATCH", &format!("/templates/{template}"), Some(r#"{"name":"t"}"#)).expect(200);
    server.post(&format!("/templates/{template}/clone"), json!({ "name": "T" })).expect_error(409, "ALREADY_EXISTS");
    let files = format!("/templates/{template}/startup-files");
    server.post(&files, json!({ "path": "a/b.js" })).expect(201);
    for path in ["a/b.js", "./a//b.js", "a/c/../b.js"] {
        server.post(&files, json!({ "path": path, "order_index": 7 })).expect_error(409, "ALREADY_EXISTS");
    }
    let capabilities = format!("/templates/{template}/capabilities");
    server.post(&capabilities, json!({ "kind": "fs", "name": "n" })).expect(201);
    server
        .post(&capabilities, json!({ "kind": "fs", "name": "n", "enabled": true }))
        .expect_error(409, "ALREADY_EXISTS");
    server.post(&capabilities, json!({ "kind": "net", "name": "n" })).expect(201);
    server.post(&capabilities, json!({ "kind": "fs", "name": "N" })).expect(201);
    assert_eq!(server.get(&files).expect(200).json.as_array().unwrap().len(), 1);
    // A name that was given up can be taken.
    server.send("DELETE", &format!("/templates/{template}"), None).expect(200);
    server.template("t", &[]);
}

/// The path of a `run-file`, before anything runs.
#[test]
fn files_that_are_not_there_or_outside() {
    let server = Server::start();
    let (session, _) = session(&server);
    let inside = &server.directory;
    std::fs::create_dir(inside.join("sub")).unwrap();
    std::fs::write(inside.join("ok.js"), "1").unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::write(elsewhere.path().join("secret.js"), "'secret'").unwrap();
    let link = std::os::unix::fs::symlink::<std::path::PathBuf, _>;
    link(elsewhere.path().join("secret.js"), inside.join("out.js")).unwrap();
    link(elsewhere.path().to_owned(), inside.join("outdir")).unwrap();
    link("../".into(), inside.join("sub/up")).unwrap();
    link("../../".into(), inside.join("sub/upup")).unwrap();
    link("loop".into(), inside.join("loop")).unwrap();
    link("ok.js".into(), inside.join("in.js")).unwrap();
    let run = |path: &str| server.post("/executions/run-file", json!({ "session_id": session, "path": path }));
    let absolute = inside.join("ok.js");
    for path in [
        "/etc/passwd",
        "..",
        "../x.js",
        "sub/../../x.js",
        "out.js",
        "outdir/secret.js",
        "sub/upup/x",
        absolute.to_str().unwrap(),
    ] {
        refused(run(path), 422, "INVALID_PATH", ESCAPES, json!({ "session_id": session }));
    }
    for path in [" ", ".", "./", "sub", "sub/", "sub/..", "missing.js", "ok.js/x", "a\0b", "OK.JS", "loop", "\t"] {
        refused(run(path), 404, "FILE_NOT_FOUND", "File not found", json!({ "session_id": session }));
    }
    assert_eq!(server.get(&format!("/executions?session_id={session}")).expect(200).text, "[]", "no rows");
    for path in ["ok.js", "./ok.js", "sub/../ok.js", "in.js", "sub/up/ok.js", "sub//up/./in.js"] {
        let ran = run(path).expect(201).json;
        assert_eq!((&ran["result"]["json"], &ran["path"]), (&json!(1), &json!(path)), "echoed as sent");
    }
}

/// Over the output limit: 422, and yet a final row with what was kept; the session goes on.
#[test]
fn output_limits() {
    let server = Server::start();
    let make = |name: &str, limits: Value| {
        let body = json!({ "name": name, "settings": { "limits": limits } });
        let id = server.post("/templates", body).expect(201).json["id"].as_str().unwrap().to_owned();
        server.session(&id)
    };
    let bytes = make("bytes", json!({ "max_output_kb": 1 }));
    let count = make("count", json!({ "max_events": 10 }));
    for (session, within, over, kept) in [
        (&bytes, "console.log('x'.repeat(900)); 0", "console.log('kept'); console.log('x'.repeat(2000)); 0", 2),
        (&bytes, "'x'.repeat(400)", "console.log('kept'); 'x'.repeat(2000)", 2),
        (&count, "for (let i = 0; i < 6; i++) console.log(i)", "for (let i = 0; i < 50; i++) console.log('kept')", 3),
    ] {
        server.try_eval(session, &format!("var state = 'here'; {within}")).expect(201);
        let answer = server.try_eval(session, over).expect_error(422, "OUTPUT_LIMIT_EXCEEDED");
        assert_eq!(answer.json["error"]["message"], "Execution exceeded configured output/event limits");
        assert_eq!(answer.json["error"]["details"]["session_id"], session.as_str());
        let row = server.get(&format!("/executions?session_id={session}&limit=1")).expect(200).json[0].clone();
        assert_eq!(
            (&row["status"], &row["error"]["code"]),
            (&json!("error"), &json!("OUTPUT_LIMIT_EXCEEDED")),
            "{row}"
        );
        assert!(row["ended_at"].is_string() && row["result"].is_null(), "{row}");
        let events = server.events(&row);
        assert!(events.len() >= kept && events[1]["payload"]["text"] == "kept", "{events:?}");
        assert_eq!(events.last().unwrap()["type"], "exception", "{events:?}");
        assert_eq!(server.value(session, "state"), "here", "the session goes on");
    }
}
