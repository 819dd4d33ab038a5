//! Settings: changed in part, held to their ranges, and what each of them does.
use serde_json::{Value, json};

use super::id;
use crate::harness::{Server, shared_images};

fn made(server: &Server, settings: Value) -> String {
    let name = uuid::Uuid::new_v4().to_string();
    id(&server.post("/templates", json!({ "name": name, "settings": settings })).expect(201).json).to_owned()
}

#[test]
fn merged_deeply() {
    let server = Server::start();
    let template = server.template("t", &[]);
    let path = format!("/templates/{template}/settings");
    let before = server.get(&path).expect(200).json;
    let patch = |body: Value| server.send("PATCH", &path, Some(&body.to_string()));
    assert_eq!(patch(json!({})).expect(200).json, before);
    assert_eq!(patch(json!({ "limits": {}, "resolver": {}, "runtime": {} })).expect(200).json, before);
    let mut expected = before.clone();
    for (part, field, value) in [
        ("limits", "cpu_ms", json!(100)),
        ("limits", "max_events", json!(10)),
        ("resolver", "roots", json!(["src", "lib"])),
        ("runtime", "console", json!(false)),
        ("resolver", "allow_absolute_repo_imports", json!(false)),
    ] {
        expected[part][field] = value.clone();
        assert_eq!(patch(json!({ part: { field: value } })).expect(200).json, expected);
        assert_eq!(server.get(&path).expect(200).json, expected);
    }
    // One wrong field, and none is changed.
    for (body, field) in [
        (json!({ "limits": { "cpu_ms": 200, "wall_ms": 0 } }), "wall_ms"),
        (json!({ "limits": { "cpu_ms": 200 }, "runtime": { "strict": false } }), "runtime.strict"),
        (json!({ "limits": { "cpu_ms": 200 }, "resolver": { "roots": ["/"] } }), "resolver.roots"),
        (json!({ "limits": { "cpu_ms": 200 }, "resolver": { "extensions": ["js"] } }), "resolver.extensions"),
    ] {
        let answer = patch(body).expect_error(400, "VALIDATION_ERROR");
        assert!(answer.json["error"]["message"].as_str().unwrap().contains(field), "{}", answer.text);
        assert_eq!(server.get(&path).expect(200).json, expected);
    }
}

/// Just under and just over each of the operator's ceilings, and each of the engine's floors.
#[test]
fn ceilings() {
    let place = tempfile::tempdir().unwrap();
    let flags = "--max-cpu-ms 500 --max-wall-ms 900 --max-mem-mb 64 --max-events 100 --max-output-kb 20";
    let flags: Vec<&str> = flags.split(' ').collect();
    let server = Server::start_with(place.path(), &shared_images(), &flags);
    let template = server.template("t", &[]);
    let limits = server.get(&format!("/templates/{template}/settings")).expect(200).json["limits"].clone();
    for (field, min, max) in
        [("cpu_ms", 1, 500), ("wall_ms", 1, 900), ("mem_mb", 4, 64), ("max_events", 1, 100), ("max_output_kb", 1, 20)]
    {
        assert_eq!(limits[field], max, "a default above the ceiling is the ceiling");
        let patch = |value: i64| {
            let body = json!({ "limits": { field: value } }).to_string();
            server.send("PATCH", &format!("/templates/{template}/settings"), Some(&body))
        };
        for bad in [min - 1, max + 1] {
            let answer = patch(bad).expect_error(400, "VALIDATION_ERROR");
            let message = answer.json["error"]["message"].as_str().unwrap();
            assert_eq!(message, format!("limits.{field} must be between {min} and {max}"));
            let whole = json!({ "name": "x", "settings": { "limits": { field: bad } } });
            server.post("/templates", whole).expect_error(400, "VALIDATION_ERROR");
        }
        for good in [min, max] {
            assert_eq!(patch(good).expect(200).json["limits"][field], good);
        }
    }
}

/// A ceiling that was lowered holds for the templates that were made before.
#[test]
fn lowered_ceilings_hold_for_old_templates() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start_in(place.path(), &shared_images());
    let template = made(&server, json!({ "limits": { "cpu_ms": 50_000, "wall_ms": 50_000 } }));
    server.terminate();
    let server = Server::start_with(place.path(), &shared_images(), &["--max-cpu-ms", "100"]);
    let row = server.eval(&server.session(&template), "for (;;) {}");
    assert_eq!(row["error"]["code"], "CPU_LIMIT_EXCEEDED", "{row}");
    assert!(row["metrics"]["cpu_us"].as_u64().unwrap() < 1_000_000, "{row}");
}

#[test]
fn console_and_modules_can_be_switched_off() {
    let server = Server::start();
    let session = server.session(&made(&server, json!({ "runtime": { "console": false } })));
    assert_eq!(server.value(&session, "typeof console"), "undefined");
    let thrown = server.eval(&session, "console.log('x')");
    assert!(thrown["error"]["message"].as_str().unwrap().starts_with("ReferenceError"), "{thrown}");
    assert_eq!(server.events(&thrown).len(), 2, "the echo and the exception");

    std::fs::write(server.directory.join("m.mjs"), "export default 7; globalThis.ran = 1").unwrap();
    let (on, off) = (made(&server, json!({})), made(&server, json!({ "runtime": { "esm": false } })));
    let (with, without) = (server.session(&on), server.session(&off));
    assert_eq!(server.value(&with, "(await import('./m.mjs')).default"), "7");
    let refused = server.eval(&without, "await import('./m.mjs')");
    assert!(refused["error"]["message"].as_str().unwrap().contains("runtime.esm"), "{refused}");
    let file = json!({ "session_id": without, "path": "m.mjs" });
    server.post("/executions/run-file", file).expect_error(400, "VALIDATION_ERROR");
    assert_eq!(server.value(&without, "typeof ran"), "undefined");
    let file = server.post("/executions/run-file", json!({ "session_id": with, "path": "m.mjs" })).expect(201).json;
    assert_eq!((&file["status"], &file["result"]["type"]), (&json!("ok"), &json!("undefined")), "{file}");
    // A startup file that is a module needs them as well.
    for template in [&on, &off] {
        let file = json!({ "path": "m.mjs", "mode": "module" });
        server.post(&format!("/templates/{template}/startup-files"), file).expect(201);
    }
    assert_eq!(server.value(&server.session(&on), "ran"), "1");
    server.post("/sessions", server.session_body(&off)).expect_error(422, "STARTUP_FAILED");
}

#[test]
fn where_imports_look() {
    let server = Server::start();
    for path in ["a.js", "a.mjs", "src/a.js", "src/b.mjs", "lib/b.js", "lib/c.special", "only.js"] {
        let file = server.directory.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, format!("export default '{path}'")).unwrap();
    }
    for (settings, name, found) in [
        (json!({}), "./a", "a.js"),
        (json!({}), "./a.mjs", "a.mjs"),
        (json!({}), "/src/a.js", "src/a.js"),
        (json!({}), "./c", "refused"),
        (json!({ "extensions": [".mjs", ".js"] }), "./a", "a.mjs"),
        (json!({ "extensions": [] }), "./a", "refused"),
        (json!({ "extensions": [] }), "./a.js", "a.js"),
        (json!({ "roots": ["src", "lib"] }), "./a", "src/a.js"),
        (json!({ "roots": ["src", "lib"] }), "./b", "src/b.mjs"),
        (json!({ "roots": ["lib", "src"] }), "./b", "lib/b.js"),
        (json!({ "roots": ["lib"], "extensions": [".special"] }), "./c", "lib/c.special"),
        (json!({ "roots": ["src"] }), "./only.js", "refused"),
        (json!({ "allow_absolute_repo_imports": false }), "/a.js", "refused"),
        (json!({ "allow_absolute_repo_imports": false }), "./a.js", "a.js"),
        (json!({}), "../a.js", "refused"),
        (json!({}), "/etc/hostname", "refused"),
    ] {
        let session = server.session(&made(&server, json!({ "resolver": settings })));
        let script = format!("try {{ (await import('{name}')).default }} catch (e) {{ 'refused' }}");
        assert_eq!(server.value(&session, &script), found, "{settings} {name}");
    }
}

/// A relative import is relative to the file that it stands in, whatever the roots are; a file is one module.
#[test]
fn relative_imports_are_relative_to_their_file() {
    let server = Server::start();
    let file = |path: &str, text: &str| {
        let file = server.directory.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    };
    file(
        "src/main.mjs",
        "import { w } from './one.mjs'; import { w as bare } from 'src/two.mjs';\nglobalThis.found = [w, bare];",
    );
    for path in ["src/one.mjs", "lib2/src/one.mjs", "src/two.mjs", "lib2/src/two.mjs", "top.mjs", "lib2/top.mjs"] {
        file(path, &format!("export const w = '{path}'"));
    }
    file("up.mjs", "const n = 'top'; globalThis.up = (await import(`./${n}.mjs`)).w;");
    let session = server.session(&made(&server, json!({ "resolver": { "roots": ["lib2", "."] } })));
    let run = |session: &str, path: &str| {
        let body = json!({ "session_id": session, "path": path });
        server.post("/executions/run-file", body).expect(201).json
    };
    assert_eq!(run(&session, "src/main.mjs")["status"], "ok");
    assert_eq!(server.value(&session, "found.join()"), "src/one.mjs,lib2/src/two.mjs");
    assert_eq!(run(&session, "up.mjs")["status"], "ok");
    assert_eq!(server.value(&session, "up"), "top.mjs");

    // Two that are written alike, whichever comes first; a native module and a file of its name.
    for (name, other) in [("one", "two"), ("two", "one")] {
        let texts = [("one", "import { w } from './top.mjs';"), ("two", "import { w as v } from 'top.mjs';")];
        let text = |of: &str| texts.iter().find(|(name, _)| *name == of).unwrap().1;
        file("alike.mjs", &format!("{} {} globalThis.alike = [w, v].join();", text(name), text(other)));
        let session = server.session(&made(&server, json!({ "resolver": { "roots": ["lib2", "."] } })));
        assert_eq!(run(&session, "alike.mjs")["status"], "ok");
        assert_eq!(server.value(&session, "alike"), "top.mjs,lib2/top.mjs", "{name} first");
    }
    file("path.js", "export default 'mine'");
    file(
        "native.mjs",
        "import mine from './path'; import path from 'path'; globalThis.both = [mine, path.sep, (await import('./path.js')).default];",
    );
    let body = json!({ "name": "native", "modules": [{ "name": "path" }] });
    let template = server.post("/templates", body).expect(201).json["id"].as_str().unwrap().to_owned();
    let session = server.session(&template);
    assert_eq!(run(&session, "native.mjs")["status"], "ok");
    assert_eq!(server.value(&session, "both.join()"), "mine,/,mine");

    file("shared.mjs", "globalThis.times = (globalThis.times ?? 0) + 1; export const o = {};");
    file("lib/a.mjs", "export { o } from '../shared.mjs';");
    file(
        "same.mjs",
        "import { o } from './shared.mjs'; import { o as p } from './lib/../shared.mjs'; import { o as q } from './lib//a.mjs';
         import { o as r } from './lib/./a.mjs'; globalThis.same = [o === p, p === q, q === r, times].join();",
    );
    let session = server.session(&made(&server, json!({})));
    assert_eq!(run(&session, "same.mjs")["status"], "ok");
    assert_eq!(server.value(&session, "same"), "true,true,true,1");

    // Who imports what is not there.
    file("m2.mjs", "import './lib/m1.mjs';");
    file("lib/m1.mjs", "import './missing.mjs';");
    file("dir.mjs", "import './lib';");
    let message = |ran: serde_json::Value| ran["error"]["message"].as_str().unwrap().to_owned();
    let missing = "Cannot find module \"lib/missing.mjs\": there is no such file (imported by lib/m1.mjs)";
    assert!(message(run(&session, "m2.mjs")).contains(missing), "{}", message(run(&session, "m2.mjs")));
    let unread = message(run(&session, "dir.mjs"));
    assert!(
        unread.contains("Cannot read module \"lib\": EISDIR") && unread.ends_with("(imported by dir.mjs)"),
        "{unread}"
    );
    let typed = message(server.eval(&session, "await import('/nope.mjs')"));
    assert!(typed.contains("Cannot find module \"/nope.mjs\"") && typed.contains("imported by <repl>"), "{typed}");
    let bare = message(server.eval(&session, "await import('nope')"));
    assert!(bare.contains("Invalid module \"nope\": this template lists no modules, and as a file: ENOENT"), "{bare}");
}
