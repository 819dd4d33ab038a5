//! When the machine or the operator gets in the way: full disks, stops in the middle of anything.
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Server, shared_images};

fn status(server: &Server, execution: &str) -> String {
    server.get(&format!("/executions/{execution}")).expect(200).json["status"].as_str().unwrap().to_owned()
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(30), "never: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A template whose startup file never ends by itself, and a session of it that somebody waits for.
fn starting(server: &Server, grace: &str) -> (String, thread::JoinHandle<Option<Value>>) {
    std::fs::write(server.directory.join("forever.js"), "console.log('begun'); for (;;) {}").unwrap();
    let template = server.post(
        "/templates",
        json!({
            "name": grace,
            "startup_files": [{ "path": "forever.js" }],
            "settings": { "limits": { "cpu_ms": 50_000, "wall_ms": 50_000 } },
        }),
    );
    let template = template.expect(201).json["id"].as_str().unwrap().to_owned();
    let (url, body) = (server.url.clone(), server.session_body(&template).to_string());
    let client = thread::spawn(move || {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut answer = agent.post(format!("{url}/api/v1/sessions")).send(body).ok()?;
        serde_json::from_str(&answer.body_mut().read_to_string().ok()?).ok()
    });
    let mut session = String::new();
    until("the session starts", || {
        let list = server.get("/sessions?status=starting").expect(200).json;
        session = list[0]["id"].as_str().unwrap_or_default().to_owned();
        !session.is_empty()
            && server.get(&format!("/executions?session_id={session}")).expect(200).json[0]["id"].is_string()
    });
    (session, client)
}

/// The startup execution that runs in a session.
fn startup(server: &Server, session: &str) -> String {
    let list = server.get(&format!("/executions?session_id={session}")).expect(200).json;
    list[0]["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_startup_file_can_be_cancelled() {
    let server = Server::start();
    let (session, client) = starting(&server, "cancelled");
    let execution = startup(&server, &session);
    let ended = server.post(&format!("/executions/{execution}/cancel"), json!({})).expect(200).json;
    assert_eq!((&ended["kind"], &ended["status"]), (&json!("startup"), &json!("cancelled")));
    let refused = client.join().unwrap().unwrap();
    assert_eq!(refused["error"]["code"], "STARTUP_FAILED", "{refused}");
    let row = server.get(&format!("/sessions/{session}")).expect(200).json;
    assert_eq!((&row["status"], &row["last_error"]), (&json!("crashed"), &refused["error"]["message"]));
}

#[test]
fn a_server_that_stops_does_not_wait_for_startup_files() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start_with(place.path(), &shared_images(), &["--grace-ms", "200"]);
    let (session, client) = starting(&server, "stopped");
    let execution = startup(&server, &session);
    let began = Instant::now();
    server.terminate();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let _ = client.join().unwrap();
    // Recorded by the server that stopped, not settled by the next one.
    let server = Server::start_in(place.path(), &shared_images());
    let row = server.get(&format!("/sessions/{session}")).expect(200).json;
    assert_eq!(row["status"], "crashed");
    assert!(row["last_error"].as_str().unwrap().contains("cancelled"), "{row}");
    assert_eq!(status(&server, &execution), "cancelled");
}

#[test]
fn what_runs_in_the_background_has_its_grace() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start_with(place.path(), &shared_images(), &["--grace-ms", "10000"]);
    let session = server.session(&server.template("t", &[]));
    let slow = "const t = Date.now(); while (Date.now() - t < 700); 'finished'";
    let execution = server.begin(&session, slow)["id"].as_str().unwrap().to_owned();
    let began = Instant::now();
    server.terminate();
    assert!(began.elapsed() < Duration::from_secs(8), "it stops when nothing runs: {:?}", began.elapsed());
    let server = Server::start_in(place.path(), &shared_images());
    let row = server.get(&format!("/executions/{execution}")).expect(200).json;
    assert_eq!((&row["status"], &row["result"]["preview"]), (&json!("ok"), &json!("finished")), "{row}");
}

/// A file system of its own, as large as it says. None where nothing may be mounted.
pub struct Small(pub tempfile::TempDir);

impl Small {
    pub fn mount(mib: u32) -> Option<Small> {
        let dir = tempfile::tempdir().unwrap();
        let size = format!("size={mib}m");
        let args = ["-t", "tmpfs", "-o", size.as_str(), "tmpfs", dir.path().to_str().unwrap()];
        let mounted = Command::new("mount").args(args).output().is_ok_and(|ran| ran.status.success());
        mounted.then_some(Small(dir))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["-l", self.0.path().to_str().unwrap()]).output();
    }
}

#[test]
fn a_full_disk_leaves_nothing_running() {
    let Some(small) = Small::mount(6) else {
        eprintln!("no file system can be mounted here: left out");
        return;
    };
    let server = Server::start_in(small.0.path(), &shared_images());
    let template = server.post(
        "/templates",
        json!({ "name": "t", "settings": { "limits": { "max_output_kb": 16_384, "cpu_ms": 20_000, "wall_ms": 60_000 } } }),
    );
    let template = template.expect(201).json["id"].as_str().unwrap().to_owned();
    let (loud, other) = (server.session(&template), server.session(&template));
    let print = "for (let i = 0; i < 120; i++) console.log('x'.repeat(100_000)); 1";
    let sync = server.try_eval(&loud, print);
    assert_eq!(sync.status, 500, "what can't be recorded is not answered as if it were: {}", sync.text);
    let list = server.get(&format!("/executions?session_id={loud}")).expect(200).json;
    assert_eq!((&list[0]["status"], &list[0]["error"]["code"]), (&json!("error"), &json!("INTERNAL")), "{list}");
    let begun = server.begin(&loud, print)["id"].as_str().unwrap().to_owned();
    until("the end of what ran in the background", || status(&server, &begun) != "running");
    assert_eq!(status(&server, &begun), "error");
    // Small things fit, and sessions live on.
    assert_eq!(server.value(&loud, "1 + 1"), "2");
    assert_eq!(server.value(&other, "2 + 2"), "4");
    assert!(!server.log().contains("panicked"));
}

/// What the server lives by is not there for sessions whose worktree it lies in.
#[test]
fn no_session_sees_what_the_server_lives_by() {
    let place = tempfile::tempdir().unwrap();
    let images = place.path().join("cache/images");
    std::fs::create_dir(place.path().join("cache")).unwrap();
    std::os::unix::fs::symlink("cache", place.path().join("link")).unwrap();
    let server = Server::start_in(place.path(), &images);
    server.send("PUT", "/libraries/mine-1.0.0", Some("var mine = 1")).expect(200);
    let session = server.session(&server.template("t", &["fs"]));
    for path in [
        "cache/images/key",
        "link/images/key",
        "vm-system.db",
        "vm-system.db-wal",
        "vm-system.db-lock",
        ".vm-cache/libraries/mine-1.0.0.js",
    ] {
        assert!(place.path().join(path).exists(), "{path}");
        let seen = format!("require('fs').existsSync('{path}')");
        assert_eq!(server.value(&session, &seen), "false", "{path}");
        for call in [format!("readFileSync('{path}')"), format!("writeFileSync('{path}', 'mine')")] {
            let ran = server.eval(&session, &format!("require('fs').{call}"));
            assert!(ran["error"]["message"].as_str().is_some_and(|m| m.contains("EACCES")), "{call}: {ran}");
        }
    }
    server.eval(&session, "require('fs').writeFileSync('cache/images/new', '')");
    assert!(!images.join("new").exists());
    assert_eq!(
        server.value(&session, "require('fs').writeFileSync('mine.txt', 'x'); require('fs').readFileSync('mine.txt')"),
        "x"
    );
    // A worktree inside of it is none.
    let mut body = server.session_body(&server.template("u", &[]));
    body["worktree_path"] = json!(images.to_str().unwrap());
    server.post("/sessions", body).expect_error(422, "INVALID_PATH");
}

/// The oldest ended sessions go, with what they ran; those that live stay.
#[test]
fn as_many_ended_sessions_as_the_operator_keeps() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start_with(place.path(), &shared_images(), &["--keep-sessions", "2"]);
    let template = server.template("t", &[]);
    let live = server.session(&template);
    let mut ended = Vec::new();
    for _ in 0..6 {
        let session = server.session(&template);
        let ran = server.eval(&session, "1");
        server.send("DELETE", &format!("/sessions/{session}"), None).expect(200);
        ended.push((session, ran["id"].as_str().unwrap().to_owned()));
    }
    let ids = |query: &str| -> Vec<String> {
        let list = server.get(&format!("/sessions{query}")).expect(200).json;
        list.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    };
    until("only two are left", || ids("?status=closed").len() == 2);
    assert_eq!(ids("?status=closed"), [ended[5].0.clone(), ended[4].0.clone()]);
    assert_eq!(ids("?status=ready"), [live]);
    server.get(&format!("/executions/{}", ended[0].1)).expect_error(404, "EXECUTION_NOT_FOUND");
    server.get(&format!("/executions/{}", ended[5].1)).expect(200);
    // One-off runs leave no more.
    for _ in 0..4 {
        server.post("/run", json!({ "template_id": template, "input": "1" })).expect(201);
    }
    until("those go as well", || ids("?status=closed").len() == 2);
}
