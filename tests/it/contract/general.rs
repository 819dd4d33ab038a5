//! "General": what is true of every answer.
use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use serde_json::json;

use super::{NOBODY, is_compact, refused, session};
use crate::harness::{Answer, Server, shared_images};

/// Every route of the API with the methods it has; `{t}`, `{s}` and `{e}` are ids.
const ROUTES: &[(&str, &[&str])] = &[
    ("/health", &["GET"]),
    ("/runtime/summary", &["GET"]),
    ("/modules", &["GET"]),
    ("/modules/fs", &["GET"]),
    ("/modules/fs/types", &["GET"]),
    ("/secrets", &["GET"]),
    ("/secrets/x", &["PUT", "DELETE"]),
    ("/libraries", &["GET"]),
    ("/libraries/installed-1.0.0", &["GET", "PUT", "DELETE"]),
    ("/openapi.json", &["GET"]),
    ("/docs", &["GET"]),
    ("/templates", &["GET", "POST"]),
    ("/templates/{t}", &["GET", "PATCH", "DELETE"]),
    ("/templates/{t}/settings", &["GET", "PATCH"]),
    ("/templates/{t}/export", &["GET"]),
    ("/templates/{t}/types", &["GET"]),
    ("/templates/{t}/clone", &["POST"]),
    ("/templates/{t}/capabilities", &["GET", "POST"]),
    ("/templates/{t}/capabilities/{t}", &["DELETE"]),
    ("/templates/{t}/startup-files", &["GET", "POST"]),
    ("/templates/{t}/startup-files/{t}", &["DELETE"]),
    ("/templates/{t}/modules", &["GET", "POST"]),
    ("/templates/{t}/modules/fs", &["PUT", "DELETE"]),
    ("/templates/{t}/libraries", &["GET", "POST"]),
    ("/templates/{t}/libraries/x", &["DELETE"]),
    ("/sessions", &["GET", "POST"]),
    ("/sessions/{s}", &["GET", "DELETE"]),
    ("/sessions/{s}/close", &["POST"]),
    ("/sessions/{s}/export", &["GET"]),
    ("/sessions/import", &["POST"]),
    ("/sessions/{s}/hibernate", &["POST"]),
    ("/sessions/{s}/fork", &["POST"]),
    ("/sessions/{s}/restore", &["POST"]),
    ("/sessions/{s}/migrate", &["POST"]),
    ("/ops/images", &["GET"]),
    ("/ops/durability", &["GET"]),
    ("/sessions/{s}/checkpoints", &["GET", "POST"]),
    ("/executions/repl", &["POST"]),
    ("/executions/run-file", &["POST"]),
    ("/executions", &["GET"]),
    ("/executions/{e}", &["GET"]),
    ("/executions/{e}/events", &["GET"]),
    ("/executions/{e}/cancel", &["POST"]),
    ("/run", &["POST"]),
];

fn id_of(answer: &Answer) -> String {
    let id = answer.header("X-Request-Id").unwrap_or_else(|| panic!("no request id: {answer:?}")).to_owned();
    let parsed: uuid::Uuid = id.parse().unwrap();
    assert_eq!(parsed.hyphenated().to_string(), id);
    id
}

/// Each route: wrong methods are 405 with `Allow`, `HEAD` answers as `GET` does without a body, a slash at the end is
/// another path. Each of these answers has an id of its own.
#[test]
fn every_route_and_method() {
    let place = tempfile::tempdir().unwrap();
    let key = crate::snapfile::key(place.path(), 1);
    let server = Server::start_with(place.path(), &shared_images(), &["--share-key", &key]);
    let (session, template) = session(&server);
    let execution = server.eval(&session, "1")["id"].as_str().unwrap().to_owned();
    server.send("PUT", "/libraries/installed-1.0.0", Some("var x")).expect(200);
    let mut seen = HashSet::new();
    for (route, methods) in ROUTES {
        let path = route.replace("{t}", &template).replace("{s}", &session).replace("{e}", &execution);
        let path = if path == "/executions" { format!("/executions?session_id={session}") } else { path };
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"] {
            if methods.contains(&method) {
                continue;
            }
            let body = ["POST", "PUT", "PATCH"].contains(&method).then_some("{}");
            let answer = server.send(method, &path, body);
            assert_eq!(answer.status, 405, "{method} {path}: {answer:?}");
            let answer = answer.expect_error(405, "METHOD_NOT_ALLOWED");
            let allow = answer.header("Allow").unwrap_or_else(|| panic!("no Allow: {answer:?}"));
            let allowed: HashSet<&str> = allow.split(',').map(str::trim).collect();
            let mut expected: HashSet<&str> = methods.iter().copied().collect();
            if expected.contains("GET") {
                expected.insert("HEAD");
            }
            assert_eq!(allowed, expected, "{method} {path}");
            assert!(seen.insert(id_of(&answer)));
        }
        let head = server.send("HEAD", &path, None);
        if methods.contains(&"GET") {
            let got = server.get(&path).expect(200);
            assert_eq!((head.status, head.text.as_str()), (200, ""), "{path}");
            assert_eq!(head.header("Content-Type"), got.header("Content-Type"), "{path}");
            let is_json = got.header("Content-Type") == Some("application/json");
            assert!(!is_json || is_compact(&got.text), "{path}: {}", got.text);
            assert!(seen.insert(id_of(&got)));
        } else {
            assert_eq!(head.status, 405, "{path}");
        }
        assert!(seen.insert(id_of(&head)));
        let slash = server.get(&format!("{}/", path.split('?').next().unwrap()));
        // A name may be empty no more than a route may end in a slash.
        assert_eq!(slash.status, 404, "{path}/: {slash:?}");
        assert!(seen.insert(id_of(&slash)));
    }
    for (method, path) in [("GET", "/nope"), ("POST", ""), ("DELETE", "/"), ("OPTIONS", "/nope"), ("PUT", "//health")] {
        let answer = server.send(method, path, None);
        assert_eq!(answer.status, 404, "{method} {path}: {answer:?}");
        assert!(seen.insert(id_of(&answer.expect_error(404, "NOT_FOUND"))));
    }
}

/// The document of the API has these routes and methods, and no others.
#[test]
fn the_document_has_every_route() {
    let server = Server::start();
    let document = server.get("/openapi.json").expect(200).json;
    // Whatever stands between slashes may be called otherwise.
    let shape = |path: &str| {
        let part = |part: &str| match part {
            "fs" | "x" | "installed-1.0.0" => "{}".to_owned(),
            part if part.starts_with('{') => "{}".to_owned(),
            part => part.to_owned(),
        };
        path.trim_start_matches("/api/v1").split('/').map(part).collect::<Vec<_>>().join("/")
    };
    let mut documented = HashSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys().filter(|key| *key != "parameters") {
            documented.insert((shape(path), method.to_uppercase()));
        }
    }
    let routes =
        ROUTES.iter().flat_map(|(path, methods)| methods.iter().map(|method| (shape(path), (*method).to_owned())));
    let routes: HashSet<_> = routes.collect();
    let difference: Vec<_> = routes.symmetric_difference(&documented).collect();
    assert!(difference.is_empty(), "{difference:?}");
}

/// An unknown field is named, wherever it stands; the content type is nobody's concern; a body is an object.
#[test]
fn bodies() {
    let server = Server::start();
    let (session, template) = session(&server);
    let t = format!("/templates/{template}");
    let bodies = [
        ("POST", "/templates".to_owned(), json!({ "name": "n", "zebra": 1 })),
        ("POST", "/templates".to_owned(), json!({ "name": "n", "settings": { "zebra": 1 } })),
        ("POST", "/templates".to_owned(), json!({ "name": "n", "settings": { "limits": { "zebra": 1 } } })),
        ("POST", "/templates".to_owned(), json!({ "name": "n", "modules": [{ "name": "fs", "zebra": 1 }] })),
        ("POST", "/templates".to_owned(), json!({ "name": "n", "startup_files": [{ "path": "a", "zebra": 1 }] })),
        ("POST", "/templates".to_owned(), json!({ "name": "n", "capabilities": [{ "zebra": 1 }] })),
        ("PATCH", t.clone(), json!({ "zebra": 1 })),
        ("PATCH", format!("{t}/settings"), json!({ "runtime": { "zebra": 1 } })),
        ("POST", format!("{t}/clone"), json!({ "name": "n", "zebra": 1 })),
        ("POST", format!("{t}/capabilities"), json!({ "kind": "fs", "name": "n", "zebra": 1 })),
        ("POST", format!("{t}/startup-files"), json!({ "path": "a", "zebra": 1 })),
        ("POST", format!("{t}/modules"), json!({ "name": "fs", "zebra": 1 })),
        ("PUT", format!("{t}/modules/fs"), json!({ "config": {}, "zebra": 1 })),
        ("POST", format!("{t}/libraries"), json!({ "name": "x", "zebra": 1 })),
        ("POST", "/sessions".to_owned(), json!({ "zebra": 1 })),
        ("POST", "/executions/repl".to_owned(), json!({ "session_id": session, "input": "1", "zebra": 1 })),
        ("POST", "/executions/run-file".to_owned(), json!({ "session_id": session, "path": "a", "zebra": 1 })),
        ("POST", "/run".to_owned(), json!({ "template_id": template, "input": "1", "zebra": 1 })),
    ];
    for (method, path, body) in bodies {
        let answer = server.send(method, &path, Some(&body.to_string())).expect_error(400, "INVALID_REQUEST");
        let message = answer.json["error"]["message"].as_str().unwrap();
        assert!(message.contains("zebra"), "{method} {path} {body}: {message}");
        assert!(answer.json["error"].get("details").is_none(), "{}", answer.text);
        for bad in ["", "[]", "null", "{", "{\"name\":", "\"x\"", "[\"n\"]"] {
            server.send(method, &path, Some(bad)).expect_error(400, "INVALID_REQUEST");
        }
    }
    // Lists of fields in place of objects are no objects, at any depth.
    for body in [
        json!({ "name": "n", "settings": [[1]] }),
        json!({ "name": "n", "modules": [["fs"]] }),
        json!({ "name": "n", "startup_files": [["a.js"]] }),
        json!({ "name": "n", "modules": [1] }),
        json!({ "name": "n", "modules": "fs" }),
    ] {
        server.post("/templates", body).expect_error(400, "INVALID_REQUEST");
    }
    assert_eq!(server.get("/templates").expect(200).json.as_array().unwrap().len(), 1, "nothing was made");
    for headers in
        [&[("Content-Type", "text/plain")][..], &[("Content-Type", "application/x-www-form-urlencoded")], &[]]
    {
        let body = json!({ "session_id": session, "input": "40+2" }).to_string();
        let answer = server.send_with("POST", "/executions/repl", headers, Some(&body)).expect(201);
        assert!(answer.text.contains(r#""preview":"42""#), "{}", answer.text);
        assert_eq!(answer.header("Content-Type"), Some("application/json"));
    }
}

/// Ids: trimmed, in any case, with or without dashes, in paths, queries and bodies; always answered in one spelling.
#[test]
fn ids_in_any_spelling() {
    let server = Server::start();
    let (session, template) = session(&server);
    let execution = server.eval(&session, "1")["id"].as_str().unwrap().to_owned();
    let spellings = |id: &str| {
        let plain = id.replace('-', "");
        [id.to_uppercase(), plain.to_uppercase(), plain, format!(" {id}\t")]
    };
    let encode = |id: &str| id.replace(' ', "%20").replace('\t', "%09");
    for (t, (s, e)) in spellings(&template).iter().zip(spellings(&session).iter().zip(spellings(&execution).iter())) {
        let (pt, ps, pe) = (encode(t), encode(s), encode(e));
        assert_eq!(server.get(&format!("/templates/{pt}")).expect(200).json["template"]["id"], template.as_str());
        assert_eq!(server.get(&format!("/sessions/{ps}")).expect(200).json["id"], session.as_str());
        assert_eq!(server.get(&format!("/executions/{pe}")).expect(200).json["id"], execution.as_str());
        let events = server.get(&format!("/executions/{pe}/events")).expect(200).json;
        assert_eq!(events[0]["execution_id"], execution.as_str());
        let listed = server.get(&format!("/executions?session_id={ps}&limit=1")).expect(200).json;
        assert_eq!(listed[0]["session_id"], session.as_str());
        assert_eq!(server.eval(s, "1")["session_id"], session.as_str());
        let mut body = server.session_body(t);
        body["template_id"] = json!(t);
        assert_eq!(server.post("/sessions", body).expect(201).json["vm_id"], template.as_str());
        let listed = server.post(&format!("/templates/{pt}/modules"), json!({ "name": "fs" })).expect(201).json;
        assert_eq!(listed["template_id"], template.as_str());
    }
    for bad in ["x", &template[..35], &format!("{template}0"), &format!("%7B{template}%7D"), "urn:uuid:x", "%00", "%FF"]
    {
        for path in [
            format!("/templates/{bad}"),
            format!("/templates/{bad}/capabilities"),
            format!("/sessions/{bad}"),
            format!("/executions/{bad}/events"),
        ] {
            server.get(&path).expect_error(400, "VALIDATION_ERROR");
        }
    }
    // In the path before the body is looked at, in the body after it.
    for (method, path, message) in [
        ("POST", "/templates/x/modules", "template_id must be a valid UUID"),
        ("POST", "/templates/x/capabilities", "template_id must be a valid UUID"),
        ("POST", "/templates/x/startup-files", "template_id must be a valid UUID"),
        ("POST", "/templates/x/libraries", "template_id must be a valid UUID"),
        ("POST", "/templates/x/clone", "template_id must be a valid UUID"),
        ("PATCH", "/templates/x", "template_id must be a valid UUID"),
        ("DELETE", "/templates/x", "template_id must be a valid UUID"),
        ("DELETE", "/templates/x/modules/fs", "template_id must be a valid UUID"),
        ("POST", "/sessions/x/close", "session_id must be a valid UUID"),
        ("DELETE", "/sessions/x", "session_id must be a valid UUID"),
        ("POST", "/executions/x/cancel", "execution_id must be a valid UUID"),
    ] {
        refused(server.send(method, path, Some("{")), 400, "VALIDATION_ERROR", message, json!(null));
    }
    let keyed = server.send_with("POST", "/templates/x/clone", &[("Idempotency-Key", "k")], Some("{"));
    keyed.expect_error(400, "VALIDATION_ERROR");
}

/// Lists that hold nothing are `[]`, and what is asked for by an unknown word is nothing.
#[test]
fn empty_lists() {
    let server = Server::start();
    assert_eq!(server.get("/templates").expect(200).text, "[]");
    assert_eq!(server.get("/sessions").expect(200).text, "[]");
    let template = server.template("t", &[]);
    for list in ["capabilities", "startup-files", "modules", "libraries"] {
        assert_eq!(server.get(&format!("/templates/{template}/{list}")).expect(200).text, "[]");
    }
    let session = server.session(&template);
    assert_eq!(server.get(&format!("/executions?session_id={session}")).expect(200).text, "[]");
    for word in ["nope", "READY", "ready ", "closed", "crashed", "starting"] {
        assert_eq!(server.get(&format!("/sessions?status={}", word.replace(' ', "%20"))).expect(200).text, "[]");
    }
    let whole = server.get(&format!("/templates/{template}")).expect(200).text;
    for empty in [r#""exposed_modules":[]"#, r#""libraries":[]"#, r#""capabilities":[]"#, r#""startup_files":[]"#] {
        assert!(whole.contains(empty), "{whole}");
    }
    refused(
        server.get(&format!("/executions?session_id={NOBODY}")),
        404,
        "SESSION_NOT_FOUND",
        "Session not found",
        json!({ "session_id": NOBODY }),
    );
}

/// A body that nobody reads is no reason to lose the connection: clients keep them, and send head and body one by one.
#[test]
fn unread_bodies_keep_the_connection() {
    let server = Server::start();
    let (session, _) = session(&server);
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    for (request, status) in [
        (format!("POST /api/v1/sessions/{session}/close"), "200"),
        ("POST /api/v1/sessions/x/close".to_owned(), "400"),
        ("POST /api/v1/templates/x/modules".to_owned(), "400"),
        (format!("DELETE /api/v1/sessions/{session}"), "404"),
        ("PUT /api/v1/health".to_owned(), "405"),
        ("POST /api/v1/nope".to_owned(), "404"),
        (format!("POST /api/v1/executions/{NOBODY}/cancel"), "404"),
    ] {
        let body = "x".repeat(2_000);
        let head = format!("{request} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(30));
        stream.write_all(body.as_bytes()).unwrap();
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        assert!(line.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {line:?}");
        let mut length = 0;
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).unwrap();
            assert!(!line.is_empty(), "{request}: the connection was closed");
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        reader.read_exact(&mut vec![0; length]).unwrap();
    }
}
