//! TypeScript and JSON where files are run and imported.
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Ran, Server, shared_images, vm_fed, vm_in, warm};

fn run(files: &[(&str, &str)], flags: &[&str]) -> Ran {
    warm();
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    let mut args = vec!["run"];
    args.extend(flags);
    args.push(files[0].0);
    vm_in(directory.path(), &shared_images(), &args)
}

/// The converter recurses; whoever nests deeper than it can bear has an error, and the process lives.
#[test]
fn hostile_sources_are_errors_of_the_script() {
    for (piece, close) in [("(", ")"), ("[", "]"), ("a<", ">"), ("(a=", ")"), ("`${", "}`"), ("!", ""), ("1+", "")] {
        let deep = format!("let x: any = {}1{}", piece.repeat(100_000), close.repeat(100_000));
        let ran = run(&[("main.ts", &deep)], &["--wall-ms", "20000", "--cpu-ms", "20000"]);
        assert!(
            matches!(ran.status, Some(0 | 1 | 124)),
            "{piece}: {:?} {}",
            ran.status,
            &ran.stderr[..ran.stderr.len().min(500)]
        );
        assert!(ran.elapsed < Duration::from_secs(25), "{piece}: {:?}", ran.elapsed);
        let ran = run(&[("main.mjs", "import './deep.ts'"), ("deep.ts", &deep)], &[]);
        assert!(
            matches!(ran.status, Some(0 | 1 | 124)),
            "{piece}: {:?} {}",
            ran.status,
            &ran.stderr[..ran.stderr.len().min(500)]
        );
    }
}

/// The parser backtracks: such a source takes a second, which the script does not have.
#[test]
fn the_time_of_a_conversion_is_the_scripts() {
    let slow = format!("{}1{};\n", "(a=".repeat(300), ")".repeat(300)).repeat(4_000);
    let flags = ["--cpu-ms", "200", "--mem-mb", "64"];
    let limit = "CPU time limit of 200 ms exceeded";
    for files in [&[("main.ts", &*slow)][..], &[("main.mjs", "import './slow.ts'"), ("slow.ts", &slow)]] {
        let ran = run(files, &flags);
        assert_eq!(ran.status, Some(124), "{}", &ran.stderr[..ran.stderr.len().min(500)]);
        assert!(ran.stderr.contains(limit), "{}", &ran.stderr[..ran.stderr.len().min(500)]);
    }
}

#[test]
fn sizes_hold_on_both_sides() {
    let text = |len: usize| format!("let a: string = '{}'; a.length", "x".repeat(len - 28));
    let max = 8 << 20;
    let ran = run(&[("main.ts", &text(max))], &["--mem-mb", "256"]);
    assert_eq!(ran.stdout.trim(), (max - 28).to_string(), "{}", ran.stderr);
    let ran = run(&[("main.ts", &text(max + 1))], &["--mem-mb", "256"]);
    assert_eq!(ran.status, Some(1));
    assert!(ran.stderr.contains("larger than"), "{}", &ran.stderr[ran.stderr.len() - 300..]);
}

#[test]
fn a_prompt_takes_both_languages() {
    warm();
    let lines =
        "let a: number = 20\na + 22\nenum E { A, B }\nE.B\nlet b = 1; b < 2 > (3)\ninterface I { }\n(a as any) * 2\n";
    let ran = vm_fed(&["repl"], lines);
    assert_eq!(ran.stdout.lines().collect::<Vec<_>>(), ["42", "1", "false", "40"], "{ran:?}");
    let ran = vm_fed(&["repl"], "let a: = 1\nJSON.parse('{')\n");
    assert_eq!(ran.stderr.matches("SyntaxError").count(), 2, "{ran:?}");
}

#[test]
fn sessions_run_typescript() {
    let server = Server::start();
    let file = |name: &str, text: &str| std::fs::write(server.directory.join(name), text).unwrap();
    file("start.ts", "enum Level { Low = 1, High }\nglobalThis.level = Level.High as number;\n");
    file("lib.ts", "export const twice = (a: number): number => a * 2;\n");
    file("main.ts", "import { twice } from './lib';\nconst a: number = twice(level as any);\nconsole.log(a);\n");
    file("fail.ts", "interface A { }\nfunction f(a: A): never {\n  throw new Error('no');\n}\nf({} as A);\n");
    let body = json!({ "name": "t", "startup_files": [{ "path": "start.ts" }] });
    let template = server.post("/templates", body).expect(201).json["id"].as_str().unwrap().to_owned();
    let session = server.session(&template);
    let run_file = |path: &str| -> Value {
        server.post("/executions/run-file", json!({ "session_id": session, "path": path })).expect(201).json
    };
    let main = run_file("main.ts");
    assert_eq!(main["status"], "ok", "{main}");
    let printed = server.events(&main).into_iter().find(|event| event["type"] == "console").unwrap();
    assert_eq!(printed["payload"]["text"], "4", "{printed}");
    let failed = run_file("fail.ts");
    assert_eq!((&failed["error"]["line"], &failed["error"]["column"]), (&json!(3), &json!(9)), "{failed}");
    assert!(failed["error"]["stack"].as_str().unwrap().contains("fail.ts:5:1"), "{failed}");

    let repl = |language: Value| {
        let input = "const n: number = level as number; n";
        server.post("/executions/repl", json!({ "session_id": session, "input": input, "language": language }))
    };
    let answer = repl(json!("typescript")).expect(201).json;
    assert_eq!(answer["result"]["preview"], "2", "{answer}");
    let answer = repl(json!("javascript")).expect(201).json;
    assert_eq!(answer["status"], "error", "the contract is JavaScript's: {answer}");
    repl(json!("cobol")).expect_error(400, "VALIDATION_ERROR");
}

/// However the request names the file, and also where it runs twice; the machine's own path is nowhere.
#[test]
fn modules_of_a_worktree_know_their_place() {
    let server = Server::start();
    let session = server.session(&server.template("t", &[]));
    std::fs::create_dir(server.directory.join("lib")).unwrap();
    let tell = "globalThis.told = [import.meta.url, import.meta.filename, import.meta.dirname].join()";
    for (name, paths) in [("main.mts", ["main.mts", "./lib//../main.mts"]), ("lib/a.mjs", ["lib/a.mjs", "lib/./a.mjs"])]
    {
        std::fs::write(server.directory.join(name), tell).unwrap();
        let parent = name.strip_suffix("a.mjs").map_or("/", |_| "/lib");
        for path in [paths[0], paths[1], paths[0]] {
            let ran =
                server.post("/executions/run-file", json!({ "session_id": session, "path": path })).expect(201).json;
            assert_eq!(ran["status"], "ok", "{ran}");
            assert_eq!(server.value(&session, "told"), format!("file:///{name},/{name},{parent}"), "{path}");
        }
    }
}

#[test]
fn a_template_without_modules_has_none_in_typescript() {
    let server = Server::start();
    std::fs::write(server.directory.join("main.ts"), "export const a: number = 1;\n").unwrap();
    let body = json!({ "name": "t", "settings": { "runtime": { "esm": false } } });
    let template = server.post("/templates", body).expect(201).json["id"].as_str().unwrap().to_owned();
    let session = server.session(&template);
    let ran = server.post("/executions/run-file", json!({ "session_id": session, "path": "main.ts" })).expect(201).json;
    assert!(ran["error"]["message"].as_str().unwrap().contains("runtime.esm"), "{ran}");
}

/// What editors are told, as files for `npm run types-check`, which shows them to TypeScript's own compiler: of a template with
/// all modules, and of templates with one.
#[test]
fn declarations_for_the_compiler() {
    let place = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("declarations");
    std::fs::remove_dir_all(&place).ok();
    std::fs::create_dir_all(&place).unwrap();
    let modules = sandbox::Config::default().modules;
    let write = |name: &str, modules: &[&'static sandbox::Module]| {
        let seen = sandbox::Seen { modules, libraries: &[], console: true };
        std::fs::write(place.join(format!("{name}.d.ts")), sandbox::declarations_for(seen)).unwrap();
    };
    write("all", &modules);
    write("none", &[]);
    for module in modules {
        write(&format!("only-{}", module.name), &[module]);
    }
}
