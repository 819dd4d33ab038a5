//! Libraries: the cache over HTTP and by hand, and the formats in which libraries are evaluated.
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{Ran, Server, shared_images, vm_in};

const LIBRARY_BYTES_MAX: usize = 16 << 20;

/// A request whose path and body no client touches; status and body of the answer.
fn raw(server: &Server, method: &str, path: &str, body: &[u8]) -> (u16, String) {
    let host = server.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

fn cache(server: &Server) -> std::path::PathBuf {
    server.directory.join(".vm-cache/libraries")
}

/// 1,000 files over HTTP, whoever put them there; those that are there can be replaced.
#[test]
fn the_cache_takes_only_so_many() {
    let server = Server::start();
    server.send("PUT", "/libraries/first", Some("1")).expect(200);
    for n in 2..1_000 {
        std::fs::write(cache(&server).join(format!("lib-{n}.js")), "1").unwrap();
    }
    server.send("PUT", "/libraries/last", Some("1")).expect(200);
    let refused = server.send("PUT", "/libraries/more", Some("1")).expect_error(400, "VALIDATION_ERROR");
    assert!(refused.text.contains("no more than 1000 files") && refused.text.contains("DELETE"), "{}", refused.text);
    assert_eq!(refused.json["error"]["details"], json!({ "library": "more" }));
    server.get("/libraries/more").expect(404);
    server.send("PUT", "/libraries/first", Some("22")).expect(200);
    server.send("DELETE", "/libraries/first", None).expect(200);
    server.send("PUT", "/libraries/more", Some("1")).expect(200);
    // 1 GiB in all, in files that take no room on the disk.
    for n in 2..=66 {
        let file = std::fs::File::create(cache(&server).join(format!("lib-{n}.js"))).unwrap();
        file.set_len(LIBRARY_BYTES_MAX as u64).unwrap();
    }
    server.send("DELETE", "/libraries/last", None).expect(200);
    server.send("PUT", "/libraries/last", Some("1")).expect_error(400, "VALIDATION_ERROR");
    server.send("PUT", "/libraries/lib-2", Some("1")).expect(200);
}

#[test]
fn a_library_is_put_listed_read_and_removed() {
    let server = Server::start();
    assert_eq!(server.get("/libraries").expect(200).text, "[]");
    let put = server.send("PUT", "/libraries/mine-1.0.0", Some("var mine = 'é';")).expect(200);
    let sum = "8d32a5bb7fabfeaadf487ef00f85214822e374987d3e3002cfa66b1ec2a7c2f5";
    assert_eq!(put.text, format!(r#"{{"name":"mine-1.0.0","bytes":16,"sha256":"{sum}"}}"#));
    assert_eq!(std::fs::read_to_string(cache(&server).join("mine-1.0.0.js")).unwrap(), "var mine = 'é';");

    // One that was put there by hand is as good; what is no library is not shown.
    std::fs::write(cache(&server).join("Hand.js"), "1").unwrap();
    std::fs::write(cache(&server).join("notes.txt"), "1").unwrap();
    std::fs::write(cache(&server).join(".hidden.js"), "1").unwrap();
    let list = server.get("/libraries").expect(200).json;
    let names: Vec<&str> = list.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Hand", "mine-1.0.0"]);
    assert_eq!(list[1], put.json);

    let read = server.get("/libraries/mine-1.0.0").expect(200);
    assert_eq!(read.text, "var mine = 'é';");
    assert!(read.header("Content-Type").unwrap().starts_with("text/javascript"), "{read:?}");
    let replaced = server.send("PUT", "/libraries/mine-1.0.0", Some("")).expect(200);
    assert_eq!(replaced.json["bytes"], 0);
    assert_eq!(server.get("/libraries/mine-1.0.0").expect(200).text, "");

    let missing = server.get("/libraries/mine").expect_error(404, "NOT_FOUND");
    assert_eq!(missing.json["error"]["details"], json!({ "library": "mine" }));
    for _ in 0..2 {
        let gone = server.send("DELETE", "/libraries/mine-1.0.0", None).expect(200);
        assert_eq!(gone.text, r#"{"status":"ok","name":"mine-1.0.0"}"#);
    }
    server.get("/libraries/mine-1.0.0").expect_error(404, "NOT_FOUND");

    // What was put there by hand and is none is told without harm.
    std::fs::write(cache(&server).join("bytes.js"), [0xff, 0xfe]).unwrap();
    std::fs::create_dir(cache(&server).join("folder.js")).unwrap();
    for wrong in ["bytes", "folder"] {
        server.get(&format!("/libraries/{wrong}")).expect_error(422, "LIBRARY_FAILED");
    }
    let (status, body) = raw(&server, "PUT", "/api/v1/libraries/bytes", &[0xff]);
    assert!(status == 400 && body.contains("INVALID_REQUEST"), "{status} {body}");
}

#[test]
fn no_name_leads_out_of_the_cache() {
    let server = Server::start();
    server.send("PUT", "/libraries/in", Some("1")).expect(200);
    std::fs::write(server.directory.join("secret.js"), "secret").unwrap();
    std::os::unix::fs::symlink("../../secret.js", cache(&server).join("link.js")).unwrap();
    let long = "x".repeat(129);
    for name in [
        "..%2f..%2fsecret",
        "%2e%2e%2f%2e%2e%2fsecret",
        "..%5c..%5csecret",
        "%2fetc%2fhostname",
        "..",
        "%2e%2e",
        ".hidden",
        "in%00",
        "in%0a%0dx",
        "in%2f..%2f..%2f..%2fsecret",
        "%c3%a9",
        "%ff",
        "%20",
        &long,
    ] {
        for (method, body) in [("GET", &b""[..]), ("PUT", b"overwritten"), ("DELETE", b"")] {
            let (status, body) = raw(&server, method, &format!("/api/v1/libraries/{name}"), body);
            assert!(matches!(status, 400 | 404 | 405), "{method} {name}: {status} {body}");
            assert!(!body.contains("secret\n") && body != "secret", "{method} {name}: {body}");
        }
    }
    // A link that leads out is not followed, and replacing it replaces the link.
    server.get("/libraries/link").expect_error(422, "LIBRARY_FAILED");
    server.send("PUT", "/libraries/link", Some("mine")).expect(200);
    assert_eq!(std::fs::read_to_string(server.directory.join("secret.js")).unwrap(), "secret");
    let mut left: Vec<_> = std::fs::read_dir(cache(&server)).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["in.js", "link.js"]);
}

#[test]
fn a_library_has_a_size_limit_of_its_own() {
    let server = Server::start();
    let most = " ".repeat(LIBRARY_BYTES_MAX);
    let put = server.send("PUT", "/libraries/large", Some(&most)).expect(200);
    assert_eq!(put.json["bytes"], LIBRARY_BYTES_MAX);
    server.send("PUT", "/libraries/large", Some(&format!("{most} "))).expect_error(413, "BODY_TOO_LARGE");
    assert_eq!(server.get("/libraries").expect(200).json[0]["bytes"], LIBRARY_BYTES_MAX);
}

#[test]
fn the_cache_can_lie_elsewhere() {
    let place = tempfile::tempdir().unwrap();
    let elsewhere = place.path().join("deep/cache");
    let server = Server::start_with(place.path(), &shared_images(), &["--library-cache", elsewhere.to_str().unwrap()]);
    server.send("PUT", "/libraries/x", Some("1")).expect(200);
    assert!(elsewhere.join("x.js").exists());
}

/// Runs `script` with libraries of the given file names and texts.
fn run(libraries: &[(&str, &str)], script: (&str, &str)) -> Ran {
    let place = tempfile::tempdir().unwrap();
    let mut args = vec!["run".to_owned(), script.0.to_owned()];
    std::fs::write(place.path().join(script.0), script.1).unwrap();
    for (name, text) in libraries {
        std::fs::write(place.path().join(name), text).unwrap();
        args.extend(["--library".to_owned(), (*name).to_owned()]);
    }
    vm_in(place.path(), &shared_images(), &args)
}

#[track_caller]
fn says(libraries: &[(&str, &str)], script: &str, lines: &[&str]) {
    let ran = run(libraries, ("use.js", script));
    assert_eq!(ran.stdout.lines().collect::<Vec<_>>(), lines, "{ran:?}");
}

const UMD: &str = "(function (root, factory) {
  if (typeof define === 'function' && define.amd) define([], factory);
  else if (typeof module === 'object' && module.exports) module.exports = factory();
  else root.Tiny = factory();
})(this, function () { return { twice: function (x) { return 2 * x; } }; });";

#[test]
fn a_umd_library_makes_its_global_and_can_be_required() {
    let script = "console.log(Tiny.twice(2), require('tiny') === Tiny, require('tiny-1.2.3') === Tiny);
        console.log(typeof module, typeof exports, typeof process, typeof define, typeof __library);
        try { require('tiny-1.2.4') } catch (e) { console.log(e instanceof Error, e.message) }";
    says(
        &[("tiny-1.2.3.js", UMD)],
        script,
        &[
            "4 true true",
            "undefined undefined undefined undefined undefined",
            "true Invalid module \"tiny-1.2.4\": this template lists tiny-1.2.3, tiny",
        ],
    );
}

/// Editors are told of what libraries bring, of no console where there is none, and of `__ARGS__` as it is.
#[test]
fn declarations_of_a_template_have_its_libraries() {
    let server = Server::start();
    server.send("PUT", "/libraries/tiny-1.2.3", Some(UMD)).expect(200);
    server.send("PUT", "/libraries/bad", Some("throw new Error('two\\nlines')")).expect(200);
    let settings = json!({ "runtime": { "console": false } });
    let template = |name: &str, libraries: &[&str], settings: &serde_json::Value| {
        let body = json!({ "name": name, "modules": ["os"], "libraries": libraries, "settings": settings });
        server.post("/templates", body).expect(201).json["id"].as_str().unwrap().to_owned()
    };
    let types = |id: &str| server.get(&format!("/templates/{id}/types")).expect(200).text;
    let id = template("with", &["tiny"], &settings);
    let told = types(&id);
    let of = |name: &str| format!("/** Of the library tiny-1.2.3. */\n{name}\n");
    for line in ["declare var Tiny: any;", "declare function require(name: \"tiny\"): any;\ndeclare module \"tiny\";"] {
        assert!(told.contains(&of(line)), "{told}");
    }
    assert!(!told.contains("declare var console") && told.contains("declare var __ARGS__: any;"), "{told}");
    let session = server.session(&id);
    let script = "[typeof Tiny.twice, require('tiny') === Tiny, typeof console, __ARGS__, __ENV__].join()";
    assert_eq!(server.value(&session, script), "function,true,undefined,,");
    let told = types(&template("bad", &["bad"], &json!({})));
    assert!(told.starts_with("// failed to load libraries: ") && told.contains("\n// lines"), "{told}");
    assert!(told.contains("declare var console: Console;") && told.contains("declare module \"os\""), "{told}");
    server.send("DELETE", "/libraries/tiny-1.2.3", None).expect(200);
    assert!(types(&id).starts_with("// failed to load libraries: library tiny"), "{}", types(&id));
    let ran =
        run(&[], ("use.js", "console.log(__ARGS__, typeof __ENV__, Object.keys(globalThis).includes('__ARGS__'))"));
    assert_eq!(ran.stdout, "undefined undefined false\n", "{ran:?}");
}

#[test]
fn a_common_js_library_has_exports_of_its_own_and_a_global() {
    let library = "#!/usr/bin/env node\n'use strict';\nconst hidden = 1;\nif (!hidden) return;\nexports.plus = (a, b) => a + b + hidden - 1;
        exports.mode = process.env.NODE_ENV; exports.self = this === module.exports;";
    let script = "console.log(leftPad.plus(1, 2), leftPad.mode, leftPad.self, require('left-pad') === leftPad);
        console.log(typeof hidden, typeof module, typeof exports, typeof process)";
    let lines = ["3 production true true", "undefined undefined undefined undefined"];
    says(&[("left-pad-1.0.0.js", library)], script, &lines);
    // `module.exports` may be anything, and one library may use another.
    let one = ("one.js", "module.exports = function one() { return 1 }");
    let two = ("two.js", "module.exports = require('one')() + 1");
    says(&[one, two], "console.log(one(), two, require('two'))", &["1 2 2"]);
}

#[test]
fn an_es_module_library_has_a_namespace_and_a_global() {
    let library = "export const a = 1; export default function greet() { return 'hi' } const hidden = 1;";
    let script = "console.log(my(), require('my').a, require('my').default === my, typeof hidden)";
    says(&[("my-0.1.0.mjs", library)], script, &["hi 1 true undefined"]);
    says(&[("named.js", "export const b = await Promise.resolve(2);")], "console.log(named.b)", &["2"]);
    let ran = run(&[("bad.js", "export const = 1;")], ("use.js", "1"));
    assert!(ran.status == Some(1) && ran.stderr.contains("SyntaxError") && ran.stderr.contains("bad.js:1"), "{ran:?}");
}

#[test]
fn modules_import_libraries_by_name() {
    let common = ("common.js", "exports.delete = 1; exports.b = 2; exports['no name'] = 3; exports.module = 4;");
    let module = ("esm-1.0.0.js", "export default 'own'; export const c = 5;");
    let transpiled = ("old.js", "exports.__esModule = true; exports.default = 'default'; exports.d = 6;");
    let script = "import tiny, { twice } from 'tiny'; import common, { delete as e, b, module } from 'common';
        import own, { c } from 'esm'; import old, { d } from 'old';
        console.log(twice(1), tiny === Tiny, e, b, module, Object.keys(common).length, own, c, old, d);
        try { await import('nope') } catch (e) { console.log(e.message.includes('Invalid module')) }";
    let ran = run(&[("tiny.js", UMD), common, module, transpiled], ("use.mjs", script));
    assert_eq!(ran.stdout.trim(), "2 true 1 2 4 4 own 5 default 6\ntrue", "{ran:?}");
}

/// A failed attempt leaves nothing behind, and a script stays a script.
#[test]
fn formats_are_found_without_a_trace() {
    let common = "var leaked = 1; globalThis.alsoLeaked = 1; module.exports = { leaked };";
    says(&[("x.js", common)], "console.log(typeof leaked, typeof alsoLeaked, x.leaked)", &["undefined number 1"]);
    let counted = "globalThis.runs = (globalThis.runs || 0) + 1; exports.x = 1;";
    says(&[("y.js", counted)], "console.log(runs)", &["1"]);
    // Lexical globals are no exports; a word in a comment makes no CommonJS of it.
    let plain = "const kept = 'kept'; function helper() {} /* module.exports */ let other = 2;";
    says(&[("z.js", plain)], "console.log(kept, typeof helper, other)", &["kept function 2"]);
    let lexical = "const kept = 'kept'; /* exports */";
    says(&[("z.js", lexical)], "console.log(kept)", &["kept"]);
    let ran = run(&[("w.js", "const x = require('react'); module.exports = x;")], ("use.js", "1"));
    assert!(ran.status == Some(1) && ran.stderr.contains("Invalid module \"react\""), "{ran:?}");
}

fn package(format: &str, aliases: Value, files: Value) -> String {
    let entry = files.as_object().unwrap().keys().find(|path| path.contains("main")).unwrap().clone();
    let json = json!({ "format": format, "entry": entry, "aliases": aliases, "files": files });
    format!("/* vm-system package 1: docs/libraries.md has the format */\n({json});\n")
}

#[test]
fn a_package_of_several_files_is_one_text() {
    let common = package(
        "commonjs",
        json!({ "./lib/b": "lib/b.js", "pkg/b": "lib/b.js" }),
        json!({
            "lib/main.js": "const b = require('./b'); exports.b = b.value; exports.same = require('pkg/b') === b && require('../lib/b.js') === b;
                exports.json = require('../data.json').x; exports.first = typeof b.main; try { require('./gone') } catch (e) { exports.error = e.message }",
            "lib/b.js": "exports.main = typeof require('./main.js').b; exports.value = 7;",
            "data.json": "{\"x\": 8}",
        }),
    );
    let line = "7 true 8 string Invalid module \"./gone\": the package has no such file";
    says(&[("pkg-1.0.0.js", &common)], "console.log(pkg.b, pkg.same, pkg.json, pkg.first, pkg.error)", &[line]);
    let module = package(
        "module",
        json!({ "./b": "b.mjs", "pkg/b": "b.mjs" }),
        json!({
            "main.mjs": "import * as b from './b'; import {o} from './b.mjs'; import {o as p} from 'pkg/b'; import d from './data.json';
                export default o === p && o === b.o; export * from './b'; export const x = d.x;",
            "b.mjs": "export const o = {}; export const value = 9;",
            "data.json": "{\"x\": 8}",
        }),
    );
    says(&[("pkg-1.0.0.js", &module)], "console.log(pkg, require('pkg').value, require('pkg').x)", &["true 9 8"]);
    let broken = common.replace("\"entry\":\"lib/main.js\"", "\"entry\":\"../../secret\"");
    let ran = run(&[("pkg.js", &broken)], ("use.js", "1"));
    assert!(ran.status == Some(1) && ran.stderr.contains("not a package file"), "{ran:?}");
}

#[test]
fn list_info_and_remove_work_on_the_directory() {
    let place = tempfile::tempdir().unwrap();
    let vm = |args: &[&str]| vm_in(place.path(), &shared_images(), &[&["libs"], args].concat());
    assert_eq!(vm(&["list"]).stdout, "No libraries found\n");
    assert_eq!(vm(&["list", "--output", "json"]).stdout, "[]\n");
    let cache = place.path().join(".vm-cache/libraries");
    std::fs::create_dir_all(&cache).unwrap();
    std::fs::write(cache.join("a-1.0.0.js"), "12345").unwrap();
    let ran = vm(&["list"]);
    let words: Vec<&str> = ran.stdout.lines().last().unwrap().split_whitespace().collect();
    assert_eq!(words, ["a-1.0.0", "5", "bytes", "5994471abb01"], "{ran:?}");
    let listed: Value = serde_json::from_str(&vm(&["list", "--output", "json"]).stdout).unwrap();
    assert_eq!((&listed[0]["name"], &listed[0]["bytes"]), (&json!("a-1.0.0"), &json!(5)));
    assert!(vm(&["cache-info"]).stdout.ends_with("Libraries: 1\nSize: 5 bytes\n"));
    let ran = vm(&["remove", "a"]);
    assert!(ran.status == Some(1) && ran.stderr.contains("a-1.0.0"), "{ran:?}");
    assert_eq!(vm(&["remove", "../a-1.0.0"]).status, Some(2));
    assert_eq!(vm(&["remove", "a-1.0.0"]).stdout, "Removed library: a-1.0.0\n");
    assert!(!Path::new(&cache.join("a-1.0.0.js")).exists());
}
