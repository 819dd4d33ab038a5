//! "Objects": the exact fields, in the order in which they are written.
use serde_json::{Value, json};

use super::{keys, session};
use crate::harness::Server;

const TEMPLATE: [&str; 8] =
    ["id", "name", "engine", "is_active", "exposed_modules", "libraries", "created_at", "updated_at"];

/// The text of the first object of an array.
fn first(text: &str) -> &str {
    text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap()
}

/// RFC 3339 in UTC with six digits, always.
fn is_time(value: &Value) -> bool {
    let text = value.as_str().unwrap();
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "0000-00-00T00:00:00.000000Z"
}

#[test]
fn templates() {
    let server = Server::start();
    let made = server.post("/templates", json!({ "name": "t" })).expect(201);
    assert_eq!(keys(&made.text), TEMPLATE);
    assert!(is_time(&made.json["created_at"]) && is_time(&made.json["updated_at"]), "{}", made.text);
    assert!(made.text.contains(r#""engine":"quickjs","is_active":true,"exposed_modules":[],"libraries":[]"#));
    let id = made.json["id"].as_str().unwrap();
    assert_eq!(keys(first(&server.get("/templates").expect(200).text)), TEMPLATE);
    let whole = server.get(&format!("/templates/{id}")).expect(200);
    assert_eq!(keys(&whole.text), ["template", "settings", "capabilities", "startup_files"]);
    let settings = format!(
        r#""settings":{{"vm_id":"{id}","limits":{{"cpu_ms":2000,"wall_ms":5000,"mem_mb":128,"max_events":50000,"max_output_kb":256}},"#
    ) + r#""resolver":{"roots":["."],"extensions":[".js",".mjs"],"allow_absolute_repo_imports":true},"#
        + r#""runtime":{"esm":true,"strict":true,"console":true}}"#;
    assert!(whole.text.contains(&settings), "{}", whole.text);
    let alone = server.get(&format!("/templates/{id}/settings")).expect(200).text;
    assert_eq!(format!(r#""settings":{alone}"#), settings);
    // The name as it was sent, blanks and all; another of it is refused.
    assert_eq!(
        server.post("/templates", json!({ "name": "naïve \u{1f600}\"" })).expect(201).json["name"],
        "naïve 😀\""
    );
    let old = server.post("/templates", json!({ "name": "old", "engine": "goja" })).expect(201);
    assert_eq!(old.json["engine"], "goja", "kept as sent");
    let session = server.session(old.json["id"].as_str().unwrap());
    assert_eq!(server.value(&session, "6 * 7"), "42");
    let blank = server.post("/templates", json!({ "name": "blank", "engine": "" })).expect(201);
    assert_eq!(blank.json["engine"], "quickjs");
}

#[test]
fn parts_of_templates() {
    let server = Server::start();
    let id = server.template("t", &[]);
    let path = |list: &str| format!("/templates/{id}/{list}");
    let made = server.post(&path("capabilities"), json!({ "kind": "net", "name": "Any name: at all" })).expect(201);
    assert_eq!(keys(&made.text), ["id", "vm_id", "kind", "name", "enabled", "config"]);
    assert!(
        made.text.contains(r#""kind":"net","name":"Any name: at all","enabled":false,"config":{}}"#),
        "{}",
        made.text
    );
    assert_eq!(made.json["vm_id"], id.as_str());
    assert_eq!(first(&server.get(&path("capabilities")).expect(200).text), made.text);
    for kind in ["module", "global", "fs", "env"] {
        let body =
            json!({ "kind": kind, "name": "Any name: at all", "enabled": true, "config": { "b": [1], "a": null } });
        let made = server.post(&path("capabilities"), body).expect(201);
        assert!(made.text.contains(r#""enabled":true,"config":{"a":null,"b":[1]}"#), "{}", made.text);
    }
    let made = server.post(&path("startup-files"), json!({ "path": "a.js" })).expect(201);
    assert_eq!(keys(&made.text), ["id", "vm_id", "path", "order_index", "mode"]);
    assert!(made.text.ends_with(r#""path":"a.js","order_index":0,"mode":"eval"}"#), "{}", made.text);
    assert_eq!(made.json["vm_id"], id.as_str());
    assert_eq!(first(&server.get(&path("startup-files")).expect(200).text), made.text);
    for list in ["modules", "libraries"] {
        let added =
            server.post(&path(list), json!({ "name": if list == "modules" { "fs" } else { "lib-1" } })).expect(201);
        assert_eq!(keys(&added.text), ["template_id", "name"]);
        let removed = server.send("DELETE", &path(&format!("{list}/x")), None).expect(200);
        assert_eq!(removed.text, format!(r#"{{"status":"ok","template_id":"{id}","name":"x"}}"#));
    }
    assert_eq!(server.get(&path("modules")).expect(200).text, r#"["fs"]"#);
    assert_eq!(server.get(&path("libraries")).expect(200).text, r#"["lib-1"]"#);
    let gone = server.send("DELETE", &format!("/templates/{id}"), None).expect(200);
    assert_eq!(gone.text, format!(r#"{{"status":"ok","template_id":"{id}"}}"#));
}

#[test]
fn sessions_and_executions() {
    let server = Server::start();
    let template = server.template("t", &[]);
    let body = server.session_body(&template);
    let made = server.post("/sessions", body.clone()).expect(201);
    let open = ["id", "vm_id", "workspace_id", "base_commit_oid", "worktree_path", "status", "created_at"];
    // Beyond the contract: where its heap is and how it is kept. What is over is nowhere.
    let kept = ["runtime_meta", "durability", "seq"];
    assert_eq!(keys(&made.text), [&open[..], &kept].concat());
    let id = made.json["id"].as_str().unwrap().to_owned();
    let closed = server.send("DELETE", &format!("/sessions/{id}"), None).expect(200);
    assert_eq!(keys(&closed.text), [&open[..], &["closed_at"], &kept[1..]].concat());
    assert!(is_time(&closed.json["created_at"]) && is_time(&closed.json["closed_at"]), "{}", closed.text);
    assert_eq!(first(&server.get("/sessions").expect(200).text), closed.text);

    std::fs::write(server.directory.join("f.js"), "__ARGS__").unwrap();
    let session = server.session(&template);
    let repl = server.try_eval(&session, "40 + 2").expect(201);
    let front = ["id", "session_id", "kind"];
    let back = ["args", "env", "status", "started_at", "ended_at"];
    let expect = |text: &str, middle: &str, end: &str| {
        let all: Vec<&str> = front.into_iter().chain([middle]).chain(back).chain([end, "metrics"]).collect();
        assert_eq!(keys(text), all, "{text}");
    };
    expect(&repl.text, "input", "result");
    assert!(repl.text.contains(r#""input":"40 + 2","args":[],"env":{},"status":"ok","#), "{}", repl.text);
    assert!(repl.text.contains(r#""result":{"type":"number","preview":"42","json":42}"#), "{}", repl.text);
    assert!(is_time(&repl.json["started_at"]) && is_time(&repl.json["ended_at"]), "{}", repl.text);
    let thrown = server.try_eval(&session, "throw new TypeError('no')").expect(201);
    expect(&thrown.text, "input", "error");
    assert_eq!(keys(&thrown.json["error"].to_string()).len(), thrown.json["error"].as_object().unwrap().len());
    assert_eq!(thrown.json["error"]["message"], "TypeError: no");
    let file = json!({ "session_id": session, "path": "f.js", "args": { "b": 1, "a": [2] }, "env": { "E": "x" } });
    let file = server.post("/executions/run-file", file).expect(201);
    expect(&file.text, "path", "result");
    assert!(file.text.contains(r#""path":"f.js","args":{"a":[2],"b":1},"env":{"E":"x"},"#), "as given: {}", file.text);
    let file = server.post("/executions/run-file", json!({ "session_id": session, "path": "f.js" })).expect(201);
    assert!(
        file.text.contains(r#""kind":"run_file","path":"f.js","args":null,"env":null,"status":"ok""#),
        "{}",
        file.text
    );
    let metrics = ["cpu_us", "wall_us", "memory_bytes", "host_calls", "output_bytes"];
    for answer in [&repl, &thrown, &file] {
        let shown = answer.json["metrics"].as_object().unwrap();
        assert_eq!(shown.len(), metrics.len(), "{}", answer.text);
        assert!(metrics.iter().all(|name| shown[*name].is_u64()), "{}", answer.text);
        let id = answer.json["id"].as_str().unwrap();
        assert_eq!(server.get(&format!("/executions/{id}")).expect(200).text, answer.text, "the same bytes");
    }
    let listed = server.get(&format!("/executions?session_id={session}&limit=1")).expect(200);
    assert_eq!(first(&listed.text), file.text, "newest first, and the same bytes");
}

#[test]
fn values_and_events() {
    let server = Server::start();
    let (session, _) = session(&server);
    for (input, result) in [
        ("undefined", r#"{"type":"undefined","preview":"undefined","json":null}"#),
        ("null", r#"{"type":"null","preview":"null","json":null}"#),
        ("'a\"b'", r#"{"type":"string","preview":"a\"b","json":"a\"b"}"#),
        ("[1,{b:1,a:2}]", r#"{"type":"array","preview":"1,[object Object]","json":[1,{"b":1,"a":2}]}"#),
        ("NaN", r#"{"type":"number","preview":"NaN"}"#),
        ("10n", r#"{"type":"bigint","preview":"10"}"#),
        ("Symbol('s')", r#"{"type":"symbol","preview":"Symbol(s)"}"#),
        ("(function f(){})", r#"{"type":"function","preview":"function f(){}"}"#),
        ("var c={};c.c=c;c", r#"{"type":"object","preview":"[object Object]"}"#),
    ] {
        let answer = server.try_eval(&session, input).expect(201);
        assert!(answer.text.contains(&format!(r#""result":{result}"#)), "{input}: {}", answer.text);
        let id = answer.json["id"].as_str().unwrap();
        let events = server.get(&format!("/executions/{id}/events")).expect(200).text;
        let payload = format!(r#""type":"value","payload":{result}}}]"#);
        assert!(events.ends_with(&payload), "{events}");
        let (one, _) = events[1..].split_once("},{\"execution_id\"").unwrap();
        assert_eq!(keys(&format!("{one}}}")), ["execution_id", "seq", "ts", "type", "payload"]);
    }
}
