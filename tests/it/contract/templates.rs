//! "Endpoints" of templates and what belongs to them.
use serde_json::{Value, json};

use crate::harness::Server;

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect()
}

#[test]
fn newest_first_and_gone_when_deleted() {
    let server = Server::start();
    let ids: Vec<String> = (0..5).map(|n| server.template(&format!("t{n}"), &[])).collect();
    assert_eq!(names(&server.get("/templates").expect(200).json), ["t4", "t3", "t2", "t1", "t0"]);
    let session = server.session(&ids[2]);
    for _ in 0..2 {
        server.send("DELETE", &format!("/templates/{}", ids[2].to_uppercase()), None).expect(200);
    }
    server.get(&format!("/templates/{}", ids[2])).expect_error(404, "TEMPLATE_NOT_FOUND");
    assert_eq!(names(&server.get("/templates").expect(200).json), ["t4", "t3", "t1", "t0"]);
    // Its session lives on, and its row still names it.
    assert_eq!(server.value(&session, "40 + 2"), "42");
    assert_eq!(server.get(&format!("/sessions/{session}")).expect(200).json["vm_id"], ids[2].as_str());
    server.post("/sessions", server.session_body(&ids[2])).expect_error(404, "TEMPLATE_NOT_FOUND");
}

/// Stored trimmed and in lower case, once; echoed as they were sent; removed by their exact name.
#[test]
fn modules() {
    let server = Server::start();
    let id = server.template("t", &[]);
    let path = format!("/templates/{id}/modules");
    for name in ["FS", " fs\t", "fs", "Fs"] {
        let added = server.post(&path, json!({ "name": name })).expect(201);
        assert_eq!(added.json, json!({ "template_id": id, "name": name }));
        assert_eq!(server.get(&path).expect(200).text, r#"["fs"]"#);
    }
    for name in ["FS", "%20fs", "f", "nope", "JSON"] {
        server.send("DELETE", &format!("{path}/{name}"), None).expect(200);
        assert_eq!(server.get(&path).expect(200).text, r#"["fs"]"#, "{name}");
    }
    assert_eq!(server.send("DELETE", &format!("{path}/%66s"), None).expect(200).json["name"], "fs", "percent-decoded");
    assert_eq!(server.get(&path).expect(200).text, "[]");
    let whole = server.get(&format!("/templates/{id}")).expect(200).json;
    assert_eq!(whole["template"]["exposed_modules"], json!([]));
}

/// Case matters, order is kept, a name twice is there once; in a path it is percent-decoded.
#[test]
fn libraries() {
    let server = Server::start();
    let id = server.template("t", &[]);
    let path = format!("/templates/{id}/libraries");
    for name in ["zeta-1.0.0", "Alpha", "alpha", "at@1.0.0+x", "Alpha"] {
        assert_eq!(
            server.post(&path, json!({ "name": name })).expect(201).json,
            json!({ "template_id": id, "name": name })
        );
    }
    assert_eq!(server.get(&path).expect(200).json, json!(["zeta-1.0.0", "Alpha", "alpha", "at@1.0.0+x"]));
    for (sent, name) in [("ALPHA", "ALPHA"), ("at%401.0.0%2Bx", "at@1.0.0+x"), ("%61lpha", "alpha"), ("a%2Fb", "a/b")] {
        let removed = server.send("DELETE", &format!("{path}/{sent}"), None).expect(200).json;
        assert_eq!(removed, json!({ "status": "ok", "template_id": id, "name": name }));
    }
    assert_eq!(server.get(&path).expect(200).json, json!(["zeta-1.0.0", "Alpha"]));
}

/// Cleaned, in the order of their index; the mode is trimmed and in lower case, and blank is `eval`.
#[test]
fn startup_files() {
    let server = Server::start();
    let id = server.template("t", &[]);
    let path = format!("/templates/{id}/startup-files");
    for (sent, stored, index, mode, kept) in [
        ("./b//x/../b.js", "b/b.js", json!(10), json!("eval"), "eval"),
        ("a.js", "a.js", json!(-3), json!(" EVAL "), "eval"),
        ("c.js", "c.js", json!(10), json!(""), "eval"),
        ("d.js", "d.js", Value::Null, Value::Null, "eval"),
        ("..e/f..js", "..e/f..js", json!(i64::MAX), json!("Module"), "module"),
        (" g.js", " g.js", json!(11), json!("  "), "eval"),
    ] {
        let made = server.post(&path, json!({ "path": sent, "order_index": index, "mode": mode })).expect(201).json;
        assert_eq!((&made["path"], &made["mode"]), (&json!(stored), &json!(kept)), "{made}");
        assert_eq!(made["order_index"], if index.is_null() { json!(0) } else { index });
    }
    let paths = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap().to_owned()).collect()
    };
    let order = ["a.js", "d.js", "b/b.js", "c.js", " g.js", "..e/f..js"];
    assert_eq!(paths(&server.get(&path).expect(200).json), order);
    assert_eq!(paths(&server.get(&format!("/templates/{id}")).expect(200).json["startup_files"]), order);
    for index in [json!(1.5), json!("1"), json!(1e30)] {
        server.post(&path, json!({ "path": "x.js", "order_index": index })).expect_error(400, "INVALID_REQUEST");
    }
}

/// Labels: stored and listed, and they grant nothing.
#[test]
fn capabilities_grant_nothing() {
    let server = Server::start();
    let id = server.template("t", &[]);
    let path = format!("/templates/{id}/capabilities");
    for (kind, name) in [("module", "fs"), ("fs", "fs"), ("global", "process"), ("net", "*"), ("env", "HOME")] {
        let body = json!({ "kind": kind, "name": name, "enabled": true, "config": { "path": "/" } });
        server.post(&path, body).expect(201);
    }
    server.post(&path, json!({ "kind": "nope", "name": "n" })).expect_error(400, "VALIDATION_ERROR");
    server.post(&path, json!({ "kind": "fs", "name": "n", "config": [] })).expect_error(400, "VALIDATION_ERROR");
    server.post(&path, json!({ "kind": "fs", "name": "n", "enabled": "yes" })).expect_error(400, "INVALID_REQUEST");
    assert_eq!(server.get(&path).expect(200).json.as_array().unwrap().len(), 5);
    let session = server.session(&id);
    let thrown = server.eval(&session, "require('fs')");
    assert!(thrown["error"]["message"].as_str().unwrap().contains("Invalid module"), "{thrown}");
    assert_eq!(server.value(&session, "typeof process + typeof fetch"), "undefinedundefined");
}

/// What old scripts ask of `fs`, and what every script finds: nothing of the host.
#[test]
fn what_scripts_find() {
    let server = Server::start();
    let (plain, with_fs) = (server.template("plain", &[]), server.template("fs", &["fs"]));
    let session = server.session(&plain);
    let names = ["process", "fetch", "XMLHttpRequest", "module", "exports", "std", "os"];
    let probe = format!("[{}].join()", names.map(|name| format!("typeof {name}")).join(","));
    assert_eq!(server.value(&session, &probe), ["undefined"; 7].join(","));
    assert_eq!(server.value(&session, "typeof require"), "function");
    for name in ["fs", "exec", "database", "nope", "", "../x", "FS"] {
        let caught = format!(
            "try {{ require({}); 0 }} catch (e) {{ [e instanceof Error, e.message.includes('Invalid module')].join() }}",
            json!(name)
        );
        assert_eq!(server.value(&session, &caught), "true,true", "{name}");
    }
    let session = server.session(&with_fs);
    let script =
        "const fs = require('fs'); [fs.writeFileSync('w.txt', 'dät\u{e4}'), fs.readFileSync('w.txt')].join('|')";
    assert_eq!(server.value(&session, script), "|dät\u{e4}");
    assert_eq!(std::fs::read_to_string(server.directory.join("w.txt")).unwrap(), "dät\u{e4}");
    let probe = format!("[{}].join()", names.map(|name| format!("typeof {name}")).join(","));
    assert_eq!(server.value(&session, &probe), ["undefined"; 7].join(","), "a module brings no globals");
}
