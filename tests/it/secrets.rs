//! Secrets: values go in, requests carry them, and nobody reads them again.
use serde_json::json;

use crate::harness::{Server, shared_images, vm_fed};
use crate::web::Web;

const VALUE: &str = "s3cr3t/Value+42";

fn start(directory: &std::path::Path) -> Server {
    Server::start_with(directory, &shared_images(), &["--allow-private-networks=127.0.0.1", "--log-level", "debug"])
}

/// A session whose template has these modules.
fn session(server: &Server, name: &str, modules: serde_json::Value) -> String {
    let made = server.post("/templates", json!({ "name": name, "modules": modules })).expect(201);
    let id = made.json["id"].as_str().unwrap().to_owned();
    let settings = json!({ "limits": { "wall_ms": 20_000 } }).to_string();
    server.send("PATCH", &format!("/templates/{id}/settings"), Some(&settings)).expect(200);
    server.session(&id)
}

#[test]
fn a_value_reaches_the_approved_origin_and_nobody_else() {
    let (web, other) = (Web::start(), Web::start());
    let own = tempfile::tempdir().unwrap();
    let server = start(own.path());
    let approved = json!({ "value": VALUE, "origins": [web.url()] });
    let put = server.send("PUT", "/secrets/API", Some(&approved.to_string())).expect(200);
    assert_eq!((put.json["name"].as_str(), put.json["value"].as_str()), (Some("API"), None));
    server.send("PUT", "/secrets/SEEN", Some(&json!({ "value": "told" }).to_string())).expect(200);
    let session = session(
        &server,
        "s",
        json!([
            { "name": "fetch", "config": { "origins": [web.url(), other.url()], "private": true, "secrets": { "API": [], "SEEN": [] }, "audit": true } },
            { "name": "secrets", "config": { "names": ["API"], "reveal": ["SEEN"] } },
        ]),
    );
    let run = |script: &str| {
        let script = script.replace("WEB", &web.url()).replace("OTHER", &other.url());
        let execution = server.eval(&session, &script);
        let events = server.events(&execution);
        let all = format!("{execution}{events:?}");
        assert!(!all.contains(VALUE) && !all.contains("Value%2B42"), "{all}");
        assert_eq!(execution["status"], "ok", "{execution}");
        execution["result"]["preview"].as_str().unwrap().to_owned()
    };
    // The server gets it; what it echoes comes back without.
    let echoed = run("const { ref } = require('secrets');
        const r = await fetch('WEB/echo', { headers: { authorization: `Bearer ${ref('API')}` } });
        [(await r.json()).headers.authorization, r.headers.get('x-echo'), r.statusText].join()");
    let placeholder = "Bearer {{secret:API}}";
    assert_eq!(echoed, format!("{placeholder},{placeholder},Fine {placeholder}"));
    let sent = |web: &Web| web.heads().iter().filter(|head| head.contains(VALUE)).count();
    assert_eq!(sent(&web), 1);
    // Not where it is not approved, and not after a redirect to there.
    let with = "{ headers: { authorization: '{{secret:API}}' } }";
    assert_eq!(run(&format!("await fetch('OTHER/echo', {with}).catch((e) => e.code)")), "NOT_GRANTED");
    assert_eq!(
        run(&format!("(await (await fetch('WEB/redirect?302,OTHER/echo', {with})).json()).headers.authorization + ''")),
        "undefined"
    );
    assert_eq!(
        run("await fetch('WEB/echo', { headers: { a: '{{secret:SEEN}}' } }).catch((e) => e.code)"),
        "NOT_GRANTED"
    );
    // A server that sends it back in an address.
    assert_eq!(
        run(&format!("(await fetch('WEB/leak?/hello%3Ft=', {with})).url")),
        format!("{}/hello?t={{{{secret:API}}}}", web.url())
    );
    assert_eq!(
        run(&format!(
            "(await fetch('WEB/leak?/hello%3Ft=', {{ ...{with}, redirect: 'manual' }})).headers.get('location')"
        )),
        "/hello?t={{secret:API}}"
    );
    for place in ["ftp://x/", "http://127.0.0.2:1/", "http://u:p@x/", "OTHER/hello%3F", "http://[", "http://{{"] {
        run(&format!(
            "await fetch('WEB/leak?{place}', {with}).then((r) => r.url, (e) => e.code + e.message + e.stack)"
        ));
    }
    assert_eq!(sent(&other), 0, "an approved server can't have it sent on");
    assert_eq!(run(&format!("await fetch('WEB/leak?OTHER/hello%3F', {with}).catch((e) => e.code)")), "EREDIRECT");
    // What is revealed is the value itself.
    assert_eq!(run("await require('secrets').get('SEEN')"), "told");
    assert_eq!(run("await require('secrets').get('API').catch((e) => e.code)"), "NOT_GRANTED");
    // Replaced and removed while the session lives.
    server.send("DELETE", "/secrets/API", None).expect(200);
    assert_eq!(run(&format!("await fetch('WEB/echo', {with}).catch((e) => e.code)")), "ENOSECRET");
    drop(server);
    for file in std::fs::read_dir(own.path()).unwrap() {
        let path = file.unwrap().path();
        let Ok(bytes) = std::fs::read(&path) else { continue };
        assert!(!bytes.windows(VALUE.len()).any(|part| part == VALUE.as_bytes()), "{}", path.display());
    }
}

#[test]
fn the_api_takes_values_and_shows_none() {
    let server = Server::start();
    assert_eq!(server.get("/secrets").expect(200).text, "[]");
    let put =
        |name: &str, body: serde_json::Value| server.send("PUT", &format!("/secrets/{name}"), Some(&body.to_string()));
    put("B", json!({ "value": VALUE, "origins": ["https://api.example.com", "https://*.example.org"] })).expect(200);
    put("A", json!({ "value": "x".repeat(65_536) })).expect(200);
    let list = server.get("/secrets").expect(200);
    assert_eq!(list.json[0]["name"], "A");
    assert_eq!(list.json[1]["origins"], json!(["https://api.example.com", "https://*.example.org"]));
    assert!(!list.text.contains(VALUE) && !list.text.contains("value"), "{}", list.text);
    for (name, body) in [
        ("1", json!({ "value": "x" })),
        ("a%20b", json!({ "value": "x" })),
        ("a%7D%7D", json!({ "value": "x" })),
        ("C", json!({})),
        ("C", json!({ "value": "" })),
        ("C", json!({ "value": "x".repeat(65_537) })),
        ("C", json!({ "value": "x", "origins": ["example.com"] })),
        ("C", json!({ "value": "x", "origins": ["https://example.com/path"] })),
    ] {
        put(name, body).expect_error(400, "VALIDATION_ERROR");
    }
    put("C", json!({ "value": "x", "values": [] })).expect_error(400, "INVALID_REQUEST");
    server.get("/secrets/B").expect_error(405, "METHOD_NOT_ALLOWED");
    for name in ["A", "A", "none"] {
        server.send("DELETE", &format!("/secrets/{name}"), None).expect(200);
    }
    let url = server.url.clone();
    let vm = |args: &[&str], input: &str| vm_fed(&[&["--server-url", &url], args].concat(), input);
    let set = vm(&["secret", "set", "TOKEN", "--origin", "https://api.example.com"], "the token\r\n");
    assert_eq!((set.status, set.stdout.as_str()), (Some(0), "Set secret: TOKEN\n"), "{set:?}");
    let listed = vm(&["secret", "list"], "");
    assert!(listed.stdout.contains("TOKEN") && listed.stdout.contains("https://api.example.com"), "{listed:?}");
    assert!(!listed.stdout.contains("the token"), "{listed:?}");
    assert_eq!(vm(&["secret", "remove", "TOKEN"], "").stdout, "Removed secret: TOKEN\n");
    assert_eq!(vm(&["secret", "set", "bad name"], "x").status, Some(1));
}
