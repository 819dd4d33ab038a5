//! A module's entry is its grant: what it says is what the host does.
use serde_json::json;

use super::id;
use crate::harness::Server;

fn write(path: &str) -> String {
    format!("try {{ require('fs').writeFileSync('{path}', 'new'); 'written' }} catch (e) {{ String(e) }}")
}

#[test]
fn reading_only() {
    let server = Server::start();
    std::fs::write(server.directory.join("f.txt"), "old").unwrap();
    let template = server.template("t", &["fs"]);
    let path = format!("/templates/{template}/modules");
    let before = server.session(&template);
    let detail = |expected| assert_eq!(server.get(&format!("{path}?detail=true")).expect(200).json, expected);
    detail(json!([{ "name": "fs", "config": {} }]));
    let put = |config| server.send("PUT", &format!("{path}/fs"), Some(&json!({ "config": config }).to_string()));
    let set = put(json!({ "access": "read-only" })).expect(200);
    assert_eq!(set.json, json!({ "template_id": template, "name": "fs", "config": { "access": "read-only" } }));
    detail(json!([{ "name": "fs", "config": { "access": "read-only" } }]));

    let session = server.session(&template);
    for path in ["f.txt", "new.txt", "sub/new.txt"] {
        let refused = server.value(&session, &write(path));
        assert!(refused.contains("EROFS"), "{path}: {refused}");
    }
    assert!(!server.directory.join("new.txt").exists());
    assert_eq!(server.value(&session, "require('fs').readFileSync('f.txt')"), "old");
    assert_eq!(std::fs::read_to_string(server.directory.join("f.txt")).unwrap(), "old");
    assert_eq!(server.value(&before, &write("f.txt")), "written", "a session keeps what it began with");

    // A grant of the wrong shape changes nothing; `{}` is the default again.
    for config in [json!({ "access": "none" }), json!({ "acces": "read-only" }), json!([]), json!("x"), json!(null)] {
        put(config).expect_error(400, "VALIDATION_ERROR");
    }
    detail(json!([{ "name": "fs", "config": { "access": "read-only" } }]));
    put(json!({})).expect(200);
    assert_eq!(server.value(&server.session(&template), &write("f.txt")), "written");
    // Adding again is no second entry.
    server.post(&path, json!({ "name": "FS", "config": { "access": "read-only" } })).expect(201);
    assert_eq!(server.get(&path).expect(200).text, r#"["fs"]"#);
    assert_eq!(server.get(&format!("{path}?detail=false")).expect(200).text, r#"["fs"]"#);
    server.get(&format!("{path}?detail=maybe")).expect_error(400, "VALIDATION_ERROR");
}

/// `/run` without a worktree has no files at all, granted or not.
#[test]
fn no_worktree_no_files() {
    let server = Server::start();
    let body = json!({ "name": "t", "modules": [{ "name": "fs", "config": { "access": "read-write" } }] });
    let template = server.post("/templates", body).expect(201).json;
    for script in ["require('fs').readFileSync('server.log')", "require('fs').writeFileSync('x', '')"] {
        let ran = server.post("/run", json!({ "template_id": id(&template), "input": script })).expect(201).json;
        assert_eq!(ran["execution"]["status"], "error", "{ran}");
        assert!(ran["execution"]["error"]["message"].as_str().unwrap().contains("EACCES"), "{ran}");
    }
}
