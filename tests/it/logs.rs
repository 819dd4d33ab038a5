//! The server's log: who asked what and what came of it, and never what was in it.
use std::process::Stdio;

use serde_json::{Value, json};

use crate::harness::{Server, shared_images};

#[test]
fn requests_are_logged_with_their_ids_and_without_their_contents() {
    let place = tempfile::tempdir().unwrap();
    let flags = ["--log-format", "json"];
    let server = Server::start_with(place.path(), &shared_images(), &flags);
    let template = server.template("t", &["fs"]);
    let session = server.session(&template);
    std::fs::write(place.path().join("file.js"), "console.log('hush-printed'); 'hush-result' + __ARGS__.key").unwrap();
    let run = json!({ "session_id": session, "path": "file.js", "args": { "key": "hush-argument" } });
    let ran = server.post("/executions/run-file", run).expect(201);
    assert!(ran.text.contains("hush-resulthush-argument"), "{}", ran.text);
    let execution = server.eval(&session, "throw new Error('hush-' + 'thrown')");
    server.try_eval(&session, "(hush-syntax").expect(201);
    server.send("PUT", "/libraries/mine", Some("var secret = 'hush-library'")).expect(200);
    server.get("/executions?session_id=hush-query").expect_error(400, "VALIDATION_ERROR");
    let id = execution["id"].as_str().unwrap();
    let read = server.get(&format!("/executions/{id}")).expect(200);
    let request = read.header("x-request-id").unwrap().to_owned();
    server.terminate();

    let log = std::fs::read_to_string(place.path().join("server.log")).unwrap();
    assert!(!log.contains("hush"), "{log}");
    let lines: Vec<Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"))).collect();
    let of = |request: &str| lines.iter().find(|line| line["span"]["id"] == request).unwrap().clone();
    let line = of(&request);
    assert_eq!((&line["level"], &line["message"], &line["status"]), (&json!("INFO"), &json!("answered"), &json!(200)));
    assert_eq!(line["path"], format!("/api/v1/executions/{id}"));
    assert_eq!(
        (&line["span"]["execution"], &line["span"]["tenant"]),
        (&json!(id), &json!("00000000-0000-0000-0000-000000000000"))
    );
    let line = of(ran.header("x-request-id").unwrap());
    assert_eq!((&line["span"]["session"], &line["span"]["execution"]), (&json!(session), &ran.json["id"]));
}

/// A pipe that nobody reads, one that is closed, a disk that is full.
#[test]
fn a_log_that_goes_nowhere_holds_nobody_up() {
    for what in ["unread", "closed", "full"] {
        let place = tempfile::tempdir().unwrap();
        let log = match what {
            "full" => std::fs::File::options().write(true).open("/dev/full").unwrap().into(),
            _ => Stdio::piped(),
        };
        let mut server = Server::start_logging_to(log, place.path(), &shared_images(), &[]);
        if what == "closed" {
            server.close_stderr();
        }
        let template = server.template("t", &[]);
        for _ in 0..1_000 {
            server.get(&format!("/templates/{template}")).expect(200);
        }
        let session = server.session(&template);
        assert_eq!(server.value(&session, "1 + 1"), "2", "{what}");
        assert_eq!(server.terminate(), Some(0), "{what}");
    }
}

#[test]
fn a_stopping_server_writes_its_log_to_the_end() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start_with(place.path(), &shared_images(), &[]);
    for n in 0..300 {
        server.get(&format!("/templates?limit={}", n + 1)).expect(200);
    }
    assert_eq!(server.terminate(), Some(0));
    let log = std::fs::read_to_string(place.path().join("server.log")).unwrap();
    assert_eq!(log.matches("answered").count(), 300, "{log}");
}
