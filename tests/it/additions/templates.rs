//! Templates as one document: made whole or not at all, changed, copied, taken elsewhere.
use serde_json::{Value, json};

use super::id;
use crate::harness::Server;

fn document(name: &str) -> Value {
    json!({
        "name": name,
        "engine": "goja",
        "is_active": false,
        "modules": [{ "name": "fs", "config": { "access": "read-only" } }],
        "libraries": ["zeta-1.0.0", "alpha-2.0.0"],
        "startup_files": [
            { "path": "a.js", "order_index": -1, "mode": "eval" },
            { "path": "b.mjs", "order_index": 5, "mode": "module" },
        ],
        "capabilities": [{ "kind": "net", "name": "n", "enabled": true, "config": { "z": 1, "a": [null] } }],
        "settings": {
            "limits": { "cpu_ms": 1234, "wall_ms": 2345, "mem_mb": 32, "max_events": 77, "max_output_kb": 9 },
            "resolver": { "roots": ["src", "."], "extensions": [".mjs"], "allow_absolute_repo_imports": false },
            "runtime": { "esm": false, "strict": true, "console": false },
        },
    })
}

/// Made whole, shown whole, exported as the document that makes it, here or elsewhere.
#[test]
fn there_and_back() {
    let server = Server::start();
    let made = server.post("/templates", document("whole")).expect(201).json;
    assert_eq!((&made["engine"], &made["is_active"]), (&json!("goja"), &json!(false)));
    assert_eq!((&made["exposed_modules"], &made["libraries"]), (&json!(["fs"]), &json!(["zeta-1.0.0", "alpha-2.0.0"])));
    let path = format!("/templates/{}", id(&made));
    let whole = server.get(&path).expect(200).json;
    assert_eq!(whole["template"], made);
    let mut settings = whole["settings"].clone();
    assert_eq!(settings.as_object_mut().unwrap().remove("vm_id").unwrap(), made["id"]);
    assert_eq!(settings, document("")["settings"]);
    let export = server.get(&format!("{path}/export")).expect(200);
    assert_eq!(export.json, document("whole"));

    let other = Server::start();
    let again = other.send("POST", "/templates", Some(&export.text)).expect(201).json;
    let second = other.get(&format!("/templates/{}/export", id(&again))).expect(200);
    assert_eq!(second.text, export.text, "not a byte is lost");

    let copy = server.post(&format!("{path}/clone"), json!({ "name": "copy" })).expect(201).json;
    assert_ne!(copy["id"], made["id"]);
    let export = server.get(&format!("/templates/{}/export", id(&copy))).expect(200).json;
    assert_eq!(export, document("copy"));
    let parts = server.get(&format!("/templates/{}", id(&copy))).expect(200).json;
    for (list, n) in [("startup_files", 2), ("capabilities", 1)] {
        assert_eq!(parts[list].as_array().unwrap().len(), n);
        for (ours, theirs) in parts[list].as_array().unwrap().iter().zip(whole[list].as_array().unwrap()) {
            assert_eq!(ours["vm_id"], copy["id"]);
            assert_ne!(ours["id"], theirs["id"]);
        }
    }
    // A copy is a thing of its own.
    server.send("DELETE", &path, None).expect(200);
    assert_eq!(server.get(&format!("/templates/{}/export", id(&copy))).expect(200).json, document("copy"));
}

/// One wrong entry anywhere, and nothing is made.
#[test]
fn all_or_nothing() {
    let server = Server::start();
    for (key, value, status, code) in [
        ("modules", json!(["fs", "nope"]), 422, "MODULE_NOT_ALLOWED"),
        ("modules", json!([{ "name": "fs", "config": { "access": "all" } }]), 400, "VALIDATION_ERROR"),
        ("modules", json!([{ "name": "fs", "config": { "extra": 1 } }]), 400, "VALIDATION_ERROR"),
        ("modules", json!([{ "name": "fs", "config": [] }]), 400, "VALIDATION_ERROR"),
        ("libraries", json!(["ok-1", "../etc"]), 400, "VALIDATION_ERROR"),
        ("startup_files", json!([{ "path": "a.js" }, { "path": "/etc" }]), 422, "INVALID_PATH"),
        ("startup_files", json!([{ "path": "a.js", "mode": "x" }]), 422, "STARTUP_MODE_UNSUPPORTED"),
        ("startup_files", json!([{ "path": "a.js" }, { "path": "./a.js" }]), 409, "ALREADY_EXISTS"),
        ("capabilities", json!([{ "kind": "x", "name": "n" }]), 400, "VALIDATION_ERROR"),
        ("capabilities", json!([{ "kind": "fs", "name": "n" }, { "kind": "fs", "name": "n" }]), 409, "ALREADY_EXISTS"),
        ("settings", json!({ "limits": { "cpu_ms": 0 } }), 400, "VALIDATION_ERROR"),
        ("settings", json!({ "limits": { "cpu_ms": -1 } }), 400, "INVALID_REQUEST"),
        ("settings", json!({ "resolver": { "roots": [".."] } }), 400, "VALIDATION_ERROR"),
        ("engine", json!("v8"), 422, "ENGINE_UNSUPPORTED"),
        ("libraries", json!(vec!["x"; 10_000]), 400, "VALIDATION_ERROR"),
        ("is_active", json!("yes"), 400, "INVALID_REQUEST"),
        ("name", json!("n".repeat(257)), 400, "VALIDATION_ERROR"),
    ] {
        let mut body = document("nope");
        body[key] = value;
        let refused = server.post("/templates", body).expect_error(status, code);
        assert!(!refused.text.contains("template_id"), "no template, no id: {}", refused.text);
    }
    assert_eq!(server.get("/templates").expect(200).text, "[]");
    // A name twice is there once, as where they are added one by one.
    let body = json!({ "name": "nope", "modules": ["FS", { "name": " fs " }], "libraries": ["a", "a"] });
    let made = server.post("/templates", body).expect(201).json;
    assert_eq!((&made["exposed_modules"], &made["libraries"]), (&json!(["fs"]), &json!(["a"])));
}

#[test]
fn changed() {
    let server = Server::start();
    let made = server.post("/templates", json!({ "name": "before" })).expect(201).json;
    let path = format!("/templates/{}", id(&made));
    let session = server.session(id(&made));
    let patch = |body: &str| server.send("PATCH", &path, Some(body));
    assert_eq!(patch("{}").expect(200).json["name"], "before");
    let renamed = patch(r#"{"name":"after"}"#).expect(200).json;
    assert_eq!((&renamed["name"], &renamed["is_active"], &renamed["id"]), (&json!("after"), &json!(true), &made["id"]));
    assert!(renamed["updated_at"].as_str() > made["updated_at"].as_str(), "{renamed}");
    assert_eq!(renamed["created_at"], made["created_at"]);
    patch(r#"{"name":" "}"#).expect_error(400, "VALIDATION_ERROR");
    assert_eq!(patch(r#"{"is_active":false}"#).expect(200).json["is_active"], false);
    let refused = server.post("/sessions", server.session_body(id(&made))).expect_error(409, "TEMPLATE_INACTIVE");
    assert_eq!(refused.json["error"]["details"], json!({ "template_id": made["id"] }));
    server.post("/run", json!({ "template_id": made["id"], "input": "1" })).expect_error(409, "TEMPLATE_INACTIVE");
    assert_eq!(server.value(&session, "1+1"), "2", "those that live go on");
    patch(r#"{"is_active":true}"#).expect(200);
    server.session(id(&made));
    assert_eq!(server.get(&path).expect(200).json["template"]["name"], "after");
}

/// What is removed by its id, also when it is not there or another template's.
#[test]
fn parts_are_removed_by_id() {
    let server = Server::start();
    let made = server.post("/templates", document("t")).expect(201).json;
    let other = server.post("/templates", document("u")).expect(201).json;
    for (list, left) in [("startup-files", 1), ("capabilities", 0)] {
        let path = format!("/templates/{}/{list}", id(&made));
        let part = id(&server.get(&path).expect(200).json[0]).to_owned();
        let theirs = server.send("DELETE", &format!("/templates/{}/{list}/{part}", id(&other)), None).expect(200).json;
        assert_eq!(theirs, json!({ "status": "ok", "template_id": other["id"], "id": part }));
        assert_eq!(server.get(&path).expect(200).json.as_array().unwrap().len(), left + 1, "another's is not touched");
        for _ in 0..2 {
            server.send("DELETE", &format!("{path}/{}", part.to_uppercase()), None).expect(200);
            assert_eq!(server.get(&path).expect(200).json.as_array().unwrap().len(), left);
        }
        server.send("DELETE", &format!("{path}/x"), None).expect_error(400, "VALIDATION_ERROR");
    }
}
