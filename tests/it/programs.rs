//! `exec`: whatever a program starts is gone when the execution is, however that ends.
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Server, run_js, shared_images, vm_in};

const SHELL: [&str; 2] = ["--allow-exec", "sh=/bin/sh"];
/// A program with a child of its own, which tells both numbers and waits for good.
const FAMILY: &str = "['-c', 'sleep 300 & echo $! $$ > pids; echo up; wait']";

fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(20), "not so: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// The numbers of a family that is up.
fn family(directory: &Path) -> Vec<String> {
    let path = directory.join("pids");
    let read = || std::fs::read_to_string(&path).unwrap_or_default();
    until("the family is up", || read().ends_with('\n'));
    let pids: Vec<String> = read().split_whitespace().map(str::to_owned).collect();
    assert_eq!(pids.len(), 2);
    assert!(pids.iter().all(|pid| is_alive(pid)), "{pids:?}");
    std::fs::remove_file(path).unwrap();
    pids
}

fn gone(pids: &[String]) {
    until("all of the family is gone", || !pids.iter().any(|pid| is_alive(pid)));
}

fn started(call: &str) -> String {
    format!("const exec = require('exec'); {call}")
}

#[test]
fn a_family_ends_with_its_execution() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start_with(place.path(), &shared_images(), &SHELL);
    let body = json!({ "name": "t", "modules": [{ "name": "exec" }], "settings": { "limits": { "wall_ms": 60000, "cpu_ms": 10000 } } });
    let template = server.post("/templates", body).expect(201).json["id"].as_str().unwrap().to_owned();
    let calls = [
        format!("exec.run('sh', {FAMILY})"),
        format!("await exec.execFile('sh', {FAMILY})"),
        format!("const p = exec.spawn('sh', {FAMILY}); for await (const said of p) console.log(said.data)"),
    ];
    for call in &calls {
        // Cancelled.
        let session = server.session(&template);
        let running = server.begin(&session, &started(call));
        let pids = family(place.path());
        server.post(&format!("/executions/{}/cancel", running["id"].as_str().unwrap()), json!({})).expect(200);
        assert_eq!(server.ended(&running)["status"], "cancelled", "{call}");
        gone(&pids);
        // The session is closed.
        let session = server.session(&template);
        server.begin(&session, &started(call));
        let pids = family(place.path());
        server.send("DELETE", &format!("/sessions/{session}"), None).expect(200);
        gone(&pids);
    }
    // The script ended without waiting for it; the session goes on.
    let session = server.session(&template);
    for call in [
        "var p = exec.spawn('sh', ARGS); await new Promise((up) => p.on('stdout', up)); 1",
        "exec.execFile('sh', ARGS).catch(() => {}); await new Promise((go) => setTimeout(go, 300)); 2",
    ] {
        let call = call.replace("ARGS", FAMILY).replace("var p = exec", "var p = require('exec')").replacen(
            "exec.execFile",
            "require('exec').execFile",
            1,
        );
        assert_eq!(server.eval(&session, &call)["status"], "ok", "{call}");
        let path = place.path().join("pids");
        until("it said its numbers", || path.exists());
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        gone(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    }
    // The server stops.
    let session = server.session(&template);
    server.begin(&session, &started(&calls[0]));
    let pids = family(place.path());
    let stopped = Instant::now();
    server.terminate();
    assert!(stopped.elapsed() < Duration::from_secs(20));
    gone(&pids);
}

#[test]
fn time_is_up_while_a_program_runs() {
    for call in ["exec.run('sh', ARGS)", "try { exec.run('sh', ARGS) } catch {} ", "await exec.execFile('sh', ARGS)"] {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("t.js"), started(&call.replace("ARGS", FAMILY))).unwrap();
        let args = ["run", "t.js", "--module", "exec", SHELL[0], SHELL[1], "--wall-ms", "400"];
        let ran = vm_in(place.path(), &shared_images(), &args);
        assert_eq!(ran.status, Some(124), "{call}: {ran:?}");
        assert!(ran.elapsed < Duration::from_secs(10), "{call}: {ran:?}");
        let text = std::fs::read_to_string(place.path().join("pids")).unwrap();
        gone(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    }
}

#[test]
fn the_catalogue_says_why_not() {
    let server = Server::start();
    let module = server.get("/modules/exec").expect(200).json;
    assert!(module["unavailable"].as_str().unwrap().contains("--allow-exec"), "{module}");
    assert_eq!(server.get("/modules/fs").expect(200).json["unavailable"], json!(null));
    // It can be listed all the same.
    let session = server.session(&server.template("t", &["exec"]));
    let ran = server.eval(&session, "require('exec').run('/bin/echo', ['x'])");
    assert!(ran["error"]["message"].as_str().unwrap().contains("--allow-exec"), "{ran}");
    let place = tempfile::tempdir().unwrap();
    let server = Server::start_with(place.path(), &shared_images(), &SHELL);
    assert_eq!(server.get("/modules/exec").expect(200).json["unavailable"], json!(null));
}

#[test]
fn what_is_no_program_is_a_wrong_command_line() {
    for program in ["sh", "x=sh", "/bin", "/bin/no-such-program", "a/b=/bin/sh"] {
        let ran = run_js(&["--allow-exec", program], "1");
        assert_eq!(ran.status, Some(2), "{program}: {ran:?}");
    }
}
