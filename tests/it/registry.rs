//! Which names a template may list: native modules alone. The language's own are always there and can't be configured.
use serde_json::json;

use crate::harness::{Server, run_js, shared_images, vm, vm_in};

/// Names that no spelling makes listable: globals of the language, with a few of every kind.
const BUILTINS: &[&str] = &[
    "JSON",
    "Math",
    "Date",
    "globalThis",
    "promise",
    " Json ",
    "console",
    "CONSOLE",
    "object",
    "Array",
    "\tMAP\n",
    "eval",
    "parseint",
    "NaN",
    "undefined",
    "Infinity",
    "Uint8Array",
    "weakref",
    "Proxy",
    "reflect",
    "BigInt",
    "iterator",
    "escape",
    "AbortController",
    "texTEncoder",
    "structuredClone",
];

#[test]
fn builtins_are_refused_in_any_case() {
    let server = Server::start();
    let id = server.template("t", &[]);
    for name in BUILTINS {
        let answer = server.post(&format!("/templates/{id}/modules"), json!({ "name": name }));
        let answer = answer.expect_error(422, "MODULE_NOT_ALLOWED");
        let details = &answer.json["error"]["details"];
        assert_eq!(details["reason"], "builtin", "{name:?}: {}", answer.text);
        assert_eq!(details["template_id"], id.as_str(), "{}", answer.text);
        assert!(details["module"].as_str().is_some_and(|m| m == m.trim()), "{}", answer.text);
    }
    assert_eq!(server.get(&format!("/templates/{id}/modules")).expect(200).json, json!([]));
}

/// The engine itself is asked which globals it has, and each of them is refused: the list can't drift.
#[test]
fn every_global_of_the_engine_is_refused() {
    let ran = run_js(&[], "console.log(Object.getOwnPropertyNames(globalThis).join('\\n'))");
    let globals: Vec<&str> = ran.stdout.lines().filter(|n| !n.is_empty()).collect();
    assert!(globals.len() > 50, "{ran:?}");
    let server = Server::start();
    let id = server.template("t", &[]);
    // `require` is the modules' own, two are what `run-file` fills in; the others may be a module's name, which then is meant.
    let of_the_host = ["require", "__ARGS__", "__ENV__", "crypto", "Crypto", "URL"];
    for name in globals.iter().filter(|name| !of_the_host.contains(*name)) {
        let answer = server.post(&format!("/templates/{id}/modules"), json!({ "name": name }));
        let answer = answer.expect_error(422, "MODULE_NOT_ALLOWED");
        assert_eq!(answer.json["error"]["details"]["reason"], "builtin", "{name}: {}", answer.text);
    }
}

#[test]
fn unknown_names_are_refused() {
    let server = Server::start();
    let id = server.template("t", &[]);
    for name in [
        "nope",
        "Nope ",
        "node:fs",
        "fs/promises",
        "vm:session/control",
        "wasi:filesystem",
        "../fs",
        "f s",
        "fs\0",
        "ｆｓ",
        &"x".repeat(5000),
    ] {
        let answer = server.post(&format!("/templates/{id}/modules"), json!({ "name": name }));
        let answer = answer.expect_error(422, "MODULE_NOT_ALLOWED");
        assert_eq!(answer.json["error"]["details"]["reason"], "unknown", "{name:?}: {}", answer.text);
        assert!(answer.text.len() < 2_000, "a long name is not echoed whole: {} bytes", answer.text.len());
    }
    for blank in ["", "  "] {
        server
            .post(&format!("/templates/{id}/modules"), json!({ "name": blank }))
            .expect_error(400, "VALIDATION_ERROR");
    }
}

/// The name is judged before the template is looked up.
#[test]
fn the_name_is_judged_first() {
    let server = Server::start();
    let nobody = "/templates/00000000-0000-4000-8000-000000000000/modules";
    server.post(nobody, json!({ "name": "json" })).expect_error(422, "MODULE_NOT_ALLOWED");
    server.post(nobody, json!({ "name": "fs" })).expect_error(404, "TEMPLATE_NOT_FOUND");
}

#[test]
fn a_listed_module_is_stored_normalised_and_once() {
    let server = Server::start();
    let id = server.template("t", &[]);
    let path = format!("/templates/{id}/modules");
    for sent in [" FS ", "fs", "Fs"] {
        let answer = server.post(&path, json!({ "name": sent })).expect(201);
        assert_eq!(answer.json["template_id"], id.as_str());
        assert_eq!(answer.json["name"], sent, "echoed as sent");
    }
    assert_eq!(server.get(&path).expect(200).json, json!(["fs"]));
    let session = server.session(&id);
    assert_eq!(server.value(&session, "typeof require('fs').readFileSync"), "function");
}

#[test]
fn the_command_line_refuses_them_too() {
    for (name, word) in [("json", "built-in"), (" Promise ", "built-in"), ("console", "built-in"), ("nope", "unknown")]
    {
        for command in [vec!["run", "--module", name, "x.js"], vec!["image", "inspect", "--module", name]] {
            let place = tempfile::tempdir().unwrap();
            std::fs::write(place.path().join("x.js"), "console.log('ran')").unwrap();
            let ran = vm_in(place.path(), &shared_images(), &command);
            assert!(ran.stderr.contains(word), "{name}: {ran:?}");
            assert!(!matches!(ran.status, Some(0) | None) && !ran.stdout.contains("ran"), "{name}: {ran:?}");
        }
    }
}

/// What is not listed is no import of the component, so there is nothing to call.
#[test]
fn an_image_imports_what_its_template_lists_and_nothing_else() {
    let imports = |modules: &[&str]| -> Vec<String> {
        let mut args = vec!["image", "inspect", "--json"];
        for module in modules {
            args.extend(["--module", module]);
        }
        let ran = vm(&args);
        assert_eq!(ran.status, Some(0), "{ran:?}");
        assert!(!ran.stdout.contains("wasi:"), "{}", ran.stdout);
        let facts: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        facts["imports"].as_array().unwrap().iter().map(|i| i.as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(imports(&[]), ["vm:session/control@0.1.0"]);
    let mut with_fs = imports(&["fs"]);
    with_fs.sort();
    assert_eq!(with_fs, ["vm:fs/files@0.3.0", "vm:session/control@0.1.0"]);
}

/// Capabilities and such are labels of older clients; `require` answers to the modules list alone.
#[test]
fn sessions_have_what_was_listed_when_they_were_made() {
    let server = Server::start();
    let without = server.template("without", &[]);
    let with = server.template("with", &["fs"]);
    let (a, b) = (server.session(&without), server.session(&with));
    let probe =
        "try { require('fs'); 'has fs' } catch (e) { e.message.includes('Invalid module') ? 'no fs' : String(e) }";
    assert_eq!(server.value(&a, probe), "no fs");
    assert_eq!(server.value(&b, probe), "has fs");
    server.post(&format!("/templates/{without}/modules"), json!({ "name": "fs" })).expect(201);
    assert_eq!(server.value(&a, probe), "no fs", "a live session gains nothing");
    let c = server.session(&without);
    assert_eq!(server.value(&c, probe), "has fs");
}
