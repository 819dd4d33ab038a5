//! Every host call is counted, and an event where its grant says so.
use serde_json::{Value, json};

use crate::harness::Server;

fn session(server: &Server, name: &str, grant: Value) -> String {
    let crypto = json!({ "name": "crypto", "config": { "audit": true } });
    let body = json!({ "name": name, "modules": [{ "name": "fs", "config": grant }, crypto] });
    let template = server.post("/templates", body).expect(201).json["id"].as_str().unwrap().to_owned();
    server.session(&template)
}

fn calls(server: &Server, execution: &Value) -> Vec<Value> {
    server
        .events(execution)
        .into_iter()
        .filter(|event| event["type"] == "host_call")
        .map(|e| e["payload"].clone())
        .collect()
}

#[test]
fn counted_by_module() {
    let server = Server::start();
    let session = session(&server, "metered", json!({}));
    let run = server.eval(&session, "const fs = require('fs'); fs.writeFileSync('a.txt', 'x'.repeat(5000)); 1");
    assert_eq!(run["metrics"]["modules"]["fs"]["calls"], 1, "{run}");
    let bytes = run["metrics"]["modules"]["fs"]["bytes"].as_u64().unwrap();
    assert!((5_000..5_100).contains(&bytes), "{run}");
    let run =
        server.eval(&session, "for (let i = 0; i < 10; i++) fs.existsSync('a.txt'); fs.readFileSync('a.txt').length");
    let fs = &run["metrics"]["modules"]["fs"];
    assert_eq!((&fs["calls"], &run["metrics"]["host_calls"]), (&json!(11), &json!(11)), "each run by itself");
    assert!(fs["bytes"].as_u64().unwrap() >= 5_000 && fs["us"].is_u64(), "{run}");
    let run = server.eval(&session, "1");
    assert!(run["metrics"].get("modules").is_none(), "{run}");
    assert_eq!(calls(&server, &run), Vec::<Value>::new());
}

#[test]
fn audited_where_the_grant_says_so() {
    let server = Server::start();
    let session = session(&server, "audited", json!({ "audit": true, "access": "read-only" }));
    let source = "const fs = require('fs'); fs.existsSync('a'.repeat(500));
        try { fs.writeFileSync('b.txt', 'secret text') } catch (e) { e.code }";
    let run = server.eval(&session, source);
    assert_eq!(run["result"]["preview"], "EROFS");
    let calls = calls(&server, &run);
    assert_eq!(calls.len(), 2, "{calls:?}");
    assert_eq!((&calls[0]["module"], &calls[0]["function"]), (&json!("fs"), &json!("exists-sync")));
    assert_eq!(calls[0]["subject"], "a".repeat(200), "cut short");
    assert!(calls[0].get("error").is_none() && calls[0]["us"].is_u64(), "{calls:?}");
    assert_eq!((&calls[1]["subject"], &calls[1]["error"]), (&json!("b.txt"), &json!("EROFS")));
    assert!(!calls[1].to_string().contains("secret"), "what is written is no part of it");
    // Of what is done later, what went there and what came back.
    let both = "await require('fs').promises.access('b'.repeat(300)).catch((e) => e.code)";
    let run = server.eval(&session, both);
    let calls = self::calls(&server, &run);
    assert_eq!((calls.len(), &calls[0]["function"]), (1, &json!("access")), "{calls:?}");
    assert_eq!(&calls[0]["bytes"], &run["metrics"]["modules"]["fs"]["bytes"], "{calls:?} {run}");
    // One function that does several things is called by what it did.
    let source = "const c = require('crypto'), refused = (f) => { try { f() } catch {} };
        refused(() => fs.renameSync('a', 'b')); refused(() => fs.symlinkSync('to', 'from')); refused(() => fs.rmSync('c'));
        await fs.promises.copyFile('d', 'e').catch(() => 0);
        c.createHash('sha1').update('x').digest(); c.createHash('md5').digest('hex'); c.scryptSync('p', 's', 1);
        c.hkdfSync('sha256', 'k', 's', 'i', 1); 0";
    let run = server.eval(&session, source);
    let called: Vec<_> = self::calls(&server, &run)
        .into_iter()
        .filter(|call| call["function"] != "hashes")
        .map(|call| format!("{} {}", call["function"].as_str().unwrap(), call["subject"].as_str().unwrap_or("-")))
        .collect();
    let expected = ["rename-sync a", "make-link-sync to", "remove-sync c", "copy-file d"];
    let hashed = ["digest sha1", "digest-text md5", "scrypt -", "hkdf sha256"];
    assert_eq!(called, [expected, hashed].concat());
    // They are events like others, and so bounded like them.
    let flood = server.try_eval(&session, "for (;;) fs.existsSync('x')");
    assert_eq!((flood.status, &flood.json["error"]["code"]), (422, &json!("OUTPUT_LIMIT_EXCEEDED")));
    for bad in [json!({ "audit": "yes" }), json!({ "audit": 1 }), json!({ "audits": true })] {
        let body = json!({ "name": "bad", "modules": [{ "name": "fs", "config": bad }] });
        server.post("/templates", body).expect_error(400, "VALIDATION_ERROR");
    }
}

/// What editors are told: each function that is there, and nothing that is not.
#[test]
fn the_catalogue() {
    let server = Server::start();
    let modules = server.get("/modules").expect(200).json;
    let mut undeclared = Vec::new();
    for module in modules.as_array().unwrap() {
        let name = module["name"].as_str().unwrap();
        let template = server.template(name, &[name]);
        let session = server.session(&template);
        let keys = server.value(&session, &format!("Object.keys(require('{name}')).join()"));
        let dts = server.get(&format!("/modules/{name}/types")).expect(200);
        assert!(dts.header("content-type").unwrap().starts_with("text/plain"));
        let dts = dts.text;
        assert_eq!(json!(dts), module["dts"]);
        for function in module["functions"].as_array().unwrap() {
            let function = function["name"].as_str().unwrap();
            // A module may be its function, as `fetch` is.
            let has = server.value(&session, &format!("typeof (require('{name}').{function} ?? require('{name}'))"));
            assert_eq!(has, "function", "{name} declares {function} and has {keys}");
        }
        for key in keys.split(',').filter(|key| *key != "default" && !key.starts_with('_')) {
            if !dts.contains(key) {
                undeclared.push(format!("{name}.{key}"));
            }
        }
        let types = server.get(&format!("/templates/{template}/types")).expect(200).text;
        assert!(types.contains(&dts) && types.contains("__ARGS__"), "{types}");
        assert!(types.contains(&format!("typeof import(\"{name}\")")), "{types}");
        assert_eq!(module["grant_schema"]["properties"]["audit"]["type"], "boolean");
    }
    assert!(undeclared.is_empty(), "not declared: {undeclared:?}");
    server.get("/modules/nope/types").expect_error(404, "NOT_FOUND");
    server.get(&format!("/templates/{}/types", uuid::Uuid::nil())).expect_error(404, "TEMPLATE_NOT_FOUND");
}
