//! What an operator says of directories and web pages.
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::json;

use crate::harness::{Answer, Server, shared_images, vm_in};

fn in_worktree(server: &Server, template: &str, path: &Path) -> Answer {
    let mut body = server.session_body(template);
    body["worktree_path"] = json!(path.to_str().unwrap());
    server.post("/sessions", body)
}

#[test]
fn worktree_roots() {
    let place = tempfile::tempdir().unwrap();
    let top = std::path::absolute(place.path()).unwrap();
    let (own, root, second, outside) = (top.join("own"), top.join("root"), top.join("second"), top.join("outside"));
    for directory in [&own, &root.join("a/b"), &second, &outside, &top.join("root-not")] {
        std::fs::create_dir_all(directory).unwrap();
    }
    std::fs::write(root.join("a/f.js"), "'inside'").unwrap();
    std::fs::write(root.join("file"), "").unwrap();
    symlink(&outside, root.join("out")).unwrap();
    symlink("../outside", root.join("out-relative")).unwrap();
    symlink("a", root.join("in")).unwrap();
    symlink(&root, top.join("alias")).unwrap();
    let flags = ["--worktree-root", root.to_str().unwrap(), "--worktree-root", second.to_str().unwrap()];
    let server = Server::start_with(&own, &shared_images(), &flags);
    let template = server.template("t", &["fs"]);
    for inside in ["root", "root/", "root/a", "root/a/b", "root/./a", "root/in", "root/in/b", "second"] {
        let answer = in_worktree(&server, &template, &top.join(inside));
        assert_eq!(answer.status, 201, "{inside}: {}", answer.text);
        assert_eq!(answer.json["worktree_path"], top.join(inside).to_str().unwrap(), "as sent");
    }
    for out in [
        "outside",
        "root/out",
        "root/out-relative",
        "root/out/deeper",
        "root/../outside",
        "root/../root/a",
        "own",
        "",
        "root-not",
        "alias/out",
    ] {
        let path = top.join(out);
        let answer = in_worktree(&server, &template, &path).expect_error(422, "INVALID_PATH");
        assert_eq!(answer.json["error"]["message"], "Path escapes allowed worktree");
        let body = json!({ "template_id": template, "input": "1", "worktree_path": path.to_str().unwrap() });
        server.post("/run", body).expect_error(422, "INVALID_PATH");
    }
    for missing in ["root/missing", "root/file", "second/missing/deeper"] {
        in_worktree(&server, &template, &top.join(missing)).expect_error(422, "WORKTREE_NOT_FOUND");
    }
    in_worktree(&server, &template, Path::new("a")).expect_error(400, "VALIDATION_ERROR");
    // What a session was given is all that it sees.
    let session = in_worktree(&server, &template, &root.join("in")).expect(201).json;
    let session = session["id"].as_str().unwrap();
    assert_eq!(server.value(session, "require('fs').readFileSync('f.js')"), "'inside'");
    for path in ["../file", "../../outside"] {
        let read = format!("try {{ require('fs').readFileSync('{path}') }} catch (e) {{ 'refused' }}");
        assert_eq!(server.value(session, &read), "refused");
    }
}

#[test]
fn what_a_server_does_not_start_with() {
    let place = tempfile::tempdir().unwrap();
    let (own, root) = (place.path().join("own"), place.path().join("root"));
    std::fs::create_dir(&own).unwrap();
    std::fs::create_dir(&root).unwrap();
    let top = place.path().display();
    for (flags, said) in [
        ("--listen 0.0.0.0:0".to_owned(), "--worktree-root"),
        ("--listen [::]:0".to_owned(), "--worktree-root"),
        (format!("--listen 127.0.0.1:0 --worktree-root {top}"), "holds the server's own"),
        (format!("--listen 127.0.0.1:0 --worktree-root {}", own.display()), "holds the server's own"),
        ("--listen 127.0.0.1:0 --worktree-root /".to_owned(), "holds the server's own"),
        (format!("--listen 127.0.0.1:0 --worktree-root {top}/missing"), "--worktree-root"),
        ("--listen 127.0.0.1:0 --cors-origin console.example".to_owned(), "an origin is"),
        ("--listen 127.0.0.1:0 --cors-origin https://console.example/".to_owned(), "an origin is"),
        ("--listen 127.0.0.1:0 --keep-executions 0".to_owned(), "--keep-executions"),
        ("--listen 127.0.0.1:0 --keep-sessions 0".to_owned(), "--keep-sessions"),
        ("--listen 127.0.0.1:0 --max-mem-mb 100000".to_owned(), "mem_mb"),
    ] {
        let args: Vec<&str> = ["serve"].into_iter().chain(flags.split(' ')).collect();
        let ran = vm_in(&own, &shared_images(), &args);
        assert!(ran.status.is_some_and(|status| status != 0) && ran.stdout.is_empty(), "{flags}: {ran:?}");
        assert!(ran.stderr.contains(said), "{flags}: {ran:?}");
    }
}

/// The server's own directory is nobody's worktree, also where any directory may be one.
#[test]
fn the_data_directory_is_no_worktree() {
    let place = tempfile::tempdir().unwrap();
    let images = shared_images();
    let server = Server::start_in(place.path(), &images);
    let template = server.template("t", &["fs"]);
    symlink(&images, place.path().join("link")).unwrap();
    for path in [images.clone(), images.join("."), place.path().join("link")] {
        in_worktree(&server, &template, &path).expect_error(422, "INVALID_PATH");
    }
}

#[test]
fn pages_of_the_operators_origins() {
    let place = tempfile::tempdir().unwrap();
    let origins = ["https://console.example", "http://localhost:5173"];
    let flags = ["--cors-origin", origins[0], "--cors-origin", origins[1]];
    let server = Server::start_with(place.path(), &shared_images(), &flags);
    let allowed = "Access-Control-Allow-Origin";
    for origin in origins {
        let ask = [
            ("Origin", origin),
            ("Access-Control-Request-Method", "PATCH"),
            ("Access-Control-Request-Headers", "content-type,idempotency-key"),
        ];
        let answer = server.send_with("OPTIONS", "/templates", &ask, None).expect(200);
        assert_eq!(answer.header(allowed), Some(origin));
        let methods = answer.header("Access-Control-Allow-Methods").unwrap();
        assert!(["GET", "POST", "PUT", "PATCH", "DELETE"].iter().all(|method| methods.contains(method)), "{methods}");
        let headers = answer.header("Access-Control-Allow-Headers").unwrap().to_lowercase();
        for header in ["content-type", "idempotency-key", "last-event-id", "prefer"] {
            assert!(headers.contains(header), "{headers}");
        }
        assert_eq!(answer.header("Access-Control-Allow-Credentials"), None);
        let body = json!({ "name": origin }).to_string();
        let made = server.send_with("POST", "/templates", &[("Origin", origin)], Some(&body)).expect(201);
        assert_eq!(made.header(allowed), Some(origin));
        let shown = made.header("Access-Control-Expose-Headers").unwrap().to_lowercase();
        for header in ["location", "idempotency-replayed", "x-request-id"] {
            assert!(shown.contains(header), "{shown}");
        }
        // An error is for the page to read as well.
        let missing = server.send_with("GET", "/nope", &[("Origin", origin)], None).expect_error(404, "NOT_FOUND");
        assert_eq!(missing.header(allowed), Some(origin));
    }
    for origin in [
        "https://evil.example",
        "http://console.example",
        "https://console.example.evil",
        "null",
        "https://console.example:8443",
    ] {
        let ask = [("Origin", origin), ("Access-Control-Request-Method", "POST")];
        let answer = server.send_with("OPTIONS", "/templates", &ask, None);
        assert_eq!(answer.header(allowed), None, "{origin}");
        let answer = server.send_with("POST", "/templates", &[("Origin", origin)], Some(r#"{"name":"evil"}"#));
        let answer = answer.expect_error(403, "ORIGIN_NOT_ALLOWED");
        assert_eq!(answer.header(allowed), None, "{origin}");
    }
    assert_eq!(server.get("/templates").expect(200).json.as_array().unwrap().len(), 2);
}
