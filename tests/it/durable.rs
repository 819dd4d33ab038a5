//! Sessions that outlive their server: what is promised in docs/durability.md, through the real binary.
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Answer, Server, shared_images};

mod crowds;
mod damage;
mod edges;
mod killing;
mod programs;

/// No session or checkpoint.
const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

/// A template with these settings; its id.
fn template(server: &Server, name: &str, modules: &[&str], settings: &Value) -> String {
    let id = server.template(name, modules);
    server.send("PATCH", &format!("/templates/{id}/settings"), Some(&settings.to_string())).expect(200);
    id
}

fn row(server: &Server, session: &str) -> Value {
    server.get(&format!("/sessions/{session}")).expect(200).json
}

/// Where a session's heap is.
fn residence(server: &Server, session: &str) -> String {
    row(server, session)["runtime_meta"]["residence"].as_str().unwrap_or_default().to_owned()
}

fn hibernate(server: &Server, session: &str) -> Answer {
    server.post(&format!("/sessions/{session}/hibernate"), json!({}))
}

fn fork(server: &Server, session: &str, body: Value) -> Answer {
    server.post(&format!("/sessions/{session}/fork"), body)
}

fn forks(server: &Server, session: &str, body: Value) -> Vec<String> {
    let made = fork(server, session, body).expect(201).json;
    made.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

fn restore(server: &Server, session: &str, checkpoint: &str) -> Answer {
    server.post(&format!("/sessions/{session}/restore"), json!({ "checkpoint": checkpoint }))
}

/// The history of a session, newest first.
fn history(server: &Server, session: &str) -> Vec<Value> {
    server.get(&format!("/sessions/{session}/checkpoints?limit=1000")).expect(200).json.as_array().unwrap().clone()
}

/// The newest checkpoint of a session.
fn newest(server: &Server, session: &str) -> String {
    history(server, session)[0]["id"].as_str().unwrap().to_owned()
}

fn close(server: &Server, session: &str) {
    server.send("DELETE", &format!("/sessions/{session}"), None).expect(200);
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(30), "never: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % sides as u64).unwrap()
    }
}

fn restarted(server: Server, place: &TempDir, flags: &[&str]) -> Server {
    server.kill();
    Server::start_with(place.path(), &shared_images(), flags)
}

fn console(server: &Server, execution: &Value) -> Vec<String> {
    let events = server.events(execution);
    let texts = events.iter().filter(|event| event["type"] == "console");
    texts.map(|event| event["payload"]["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_session_survives_kill_nine_with_its_heap() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start_in(place.path(), &shared_images());
    let settings = json!({ "limits": { "wall_ms": 60_000, "cpu_ms": 60_000 } });
    let every = template(&server, "every", &[], &settings);
    let fleeting = server.fleeting("none", &[]);
    let [session, busy, untouched] = [(); 3].map(|()| server.session(&every));
    let gone = server.session(&fleeting);
    std::fs::write(server.directory.join("first.js"), "var started = [1]").unwrap();
    let begins = json!({ "name": "starts", "startup_files": [{ "path": "first.js" }] });
    let begins = server.post("/templates", begins).expect(201).json["id"].as_str().unwrap().to_owned();
    let begun = server.session(&begins);
    let fresh = row(&server, &session);
    assert_eq!(
        (&fresh["durability"], &fresh["seq"], &fresh["durable_seq"]),
        (&json!("every"), &json!(0), &Value::Null)
    );
    let script = "class Purse { #coins = 3; spend() { return --this.#coins } }
        const purse = new Purse(), numbers = (function* () { for (let i = 0; ; i++) yield i })();
        var late; new Promise((y) => late = y).then((v) => console.log('late', v)); numbers.next(); purse.spend()";
    let before = server.eval(&session, script);
    assert_eq!(before["result"]["preview"], "2", "{before}");
    let shown = row(&server, &session);
    assert_eq!((&shown["seq"], &shown["durable_seq"]), (&json!(1), &json!(1)));
    assert_eq!(shown["runtime_meta"], json!({ "residence": "live" }));
    server.value(&busy, "var n = 1");
    let waiting = server.begin(&busy, "n = 2; console.log('begun'); await session.checkpoint(); n = 3; await new Promise((y) => setTimeout(y, 50_000))");
    until("the checkpoint is there", || history(&server, &busy).len() == 2);
    let running = server.begin(&session, "purse.spend(); for (;;) {}");
    thread::sleep(Duration::from_millis(50));
    server.value(&gone, "1");

    let server = restarted(server, &place, &[]);
    for (id, seq) in [(&session, 1), (&untouched, 0)] {
        let shown = row(&server, id);
        assert_eq!((&shown["status"], &shown["seq"]), (&json!("ready"), &json!(seq)), "{shown}");
        assert_eq!(shown["runtime_meta"]["residence"], "hibernated");
    }
    assert_eq!(row(&server, &gone)["status"], "closed");
    for execution in [&running, &waiting] {
        let end = server.get(&format!("/executions/{}", execution["id"].as_str().unwrap())).expect(200).json;
        assert_eq!((&end["status"], &end["error"]["code"]), (&json!("interrupted"), &json!("INTERRUPTED")), "{end}");
        assert!(end["ended_at"].is_string(), "{end}");
        server.events(execution);
    }
    assert_eq!(server.get(&format!("/executions/{}", before["id"].as_str().unwrap())).expect(200).json, before);
    let next = server.eval(&session, "late('!'); await 0; [purse.spend(), numbers.next().value].join()");
    assert_eq!((&next["result"]["preview"], console(&server, &next)), (&json!("1,1"), vec!["late !".to_owned()]));
    assert_eq!(residence(&server, &session), "live");
    assert_eq!(server.value(&untouched, "typeof purse"), "undefined");
    assert_eq!(server.value(&begun, "started.push(2)"), "2", "startup files run once");
    // What a script stored itself is there, and the script goes on from it.
    assert!(["2", "3"].contains(&server.eval(&busy, "n")["result"]["preview"].as_str().unwrap()));
}

#[test]
fn idle_sessions_leave_memory_and_come_back() {
    let place = tempfile::tempdir().unwrap();
    let flags = ["--idle-ms", "150"];
    let server = Server::start_with(place.path(), &shared_images(), &flags);
    let plain = template(&server, "t", &[], &json!({}));
    let session = server.session(&plain);
    server.value(
        &session,
        "var n = 1, heard = []; session.on('resume', (e) => { heard.push(e.type); console.log('back') }); n",
    );
    until("it leaves by itself", || residence(&server, &session) == "hibernated");
    let next = server.eval(&session, "n++; heard.join()");
    assert_eq!((&next["result"]["preview"], console(&server, &next)), (&json!("resume"), vec!["back".to_owned()]));
    // Asked to, again where it is gone, and refused while it runs.
    let asked = hibernate(&server, &session).expect(200).json;
    assert_eq!(asked["runtime_meta"]["residence"], "hibernated", "{asked}");
    assert_eq!(hibernate(&server, &session).expect(200).json["status"], "ready");
    assert_eq!(server.value(&session, "[n, heard].join()"), "2,resume,resume");
    let run = server.begin(&session, "await new Promise((y) => setTimeout(y, 400)); n = 10");
    hibernate(&server, &session).expect_error(409, "SESSION_BUSY");
    for busy in
        [fork(&server, &session, json!({})), server.post(&format!("/sessions/{session}/checkpoints"), json!({}))]
    {
        busy.expect_error(409, "SESSION_BUSY");
    }
    restore(&server, &session, &newest(&server, &session)).expect_error(409, "SESSION_BUSY");
    assert_eq!(server.ended(&run)["status"], "ok");
    // A timer wakes it, also when the server was another when it was set; one that is due soon keeps it.
    let background = template(&server, "b", &[], &json!({ "runtime": { "background": true } }));
    let [timed, later] = [(); 2].map(|()| server.session(&background));
    for id in [&timed, &later] {
        server.value(id, "var woken = 0; setTimeout(() => { woken++; console.log('woken') }, 1200); 1");
        hibernate(&server, id).expect(200);
    }
    let server = restarted(server, &place, &flags);
    assert_eq!(residence(&server, &timed), "hibernated");
    for id in [&timed, &later] {
        until("the timer's work is stored", || history(&server, id).len() > 1);
        let next = server.eval(id, "woken");
        assert_eq!((&next["result"]["preview"], console(&server, &next)), (&json!("1"), vec!["woken".to_owned()]));
    }
    // Closed where it is.
    until("it leaves once more", || residence(&server, &timed) == "hibernated");
    close(&server, &timed);
    hibernate(&server, &timed).expect_error(409, "SESSION_NOT_READY");
    assert_eq!(history(&server, &timed), Vec::<Value>::new());
    server.send("DELETE", &format!("/sessions/{timed}"), None).expect_error(404, "SESSION_NOT_FOUND");
    hibernate(&server, NOBODY).expect_error(404, "SESSION_NOT_FOUND");
    // Memory is short.
    let server = restarted(server, &place, &["--memory-max-mb", "1"]);
    assert_eq!(server.value(&session, "n"), "10");
    until("it leaves to make room", || residence(&server, &session) == "hibernated");
    assert_eq!(server.value(&session, "++n"), "11");
}

#[test]
fn forks_go_on_for_themselves() {
    let server = Server::start();
    let plain = template(&server, "t", &[], &json!({}));
    let source = server.session(&plain);
    // As its image is.
    let early = forks(&server, &source, json!({}));
    assert_eq!(server.value(&early[0], "typeof n"), "undefined");
    server.value(&source, "var n = 1, heard = []; session.on('fork', (e) => heard.push(e.type)); session.on('resume', () => heard.push('r'));");
    let first = newest(&server, &source);
    server.value(&source, "n = 2; var k = { deep: [n] }");
    let made = fork(&server, &source, json!({ "count": 3 })).expect(201).json;
    let source_row = row(&server, &source);
    for copy in made.as_array().unwrap() {
        for same in
            ["template_id", "workspace_id", "worktree_path", "base_commit_oid", "durability", "seq", "durable_seq"]
        {
            assert_eq!(copy[same], source_row[same], "{same}: {copy}");
        }
        assert_eq!((&copy["status"], &copy["runtime_meta"]["residence"]), (&json!("ready"), &json!("hibernated")));
        let id = copy["id"].as_str().unwrap();
        assert_eq!(history(&server, id)[0]["kind"], "fork");
    }
    let copies: Vec<_> = made.as_array().unwrap().iter().map(|copy| copy["id"].as_str().unwrap()).collect();
    assert_eq!(server.value(copies[0], "n++; k.deep.push(n); heard.join()"), "fork");
    assert_eq!(server.value(copies[1], "[n, k.deep, heard].join()"), "2,2,fork");
    assert_eq!(server.value(&source, "[n, k.deep, heard].join()"), "2,2,");
    // From before, of a copy, of what is closed.
    let old = forks(&server, &source, json!({ "checkpoint": first }));
    assert_eq!(server.value(&old[0], "n + typeof k"), "1undefined");
    assert_eq!(row(&server, &old[0])["seq"], 2);
    let second = forks(&server, copies[0], json!({}));
    close(&server, &source);
    assert_eq!(server.value(&second[0], "[n, k.deep, heard].join()"), "3,2,3,fork,fork");
    assert_eq!(server.value(copies[2], "n"), "2");
    fork(&server, &source, json!({})).expect_error(409, "SESSION_NOT_READY");
    fork(&server, &source, json!({ "checkpoint": first })).expect_error(404, "CHECKPOINT_NOT_FOUND");
    fork(&server, copies[2], json!({ "checkpoint": first })).expect_error(404, "CHECKPOINT_NOT_FOUND");
    restore(&server, copies[2], &newest(&server, copies[1])).expect_error(404, "CHECKPOINT_NOT_FOUND");
    fork(&server, NOBODY, json!({})).expect_error(404, "SESSION_NOT_FOUND");
    for (body, code) in [
        (json!({ "count": 0 }), "VALIDATION_ERROR"),
        (json!({ "count": 101 }), "VALIDATION_ERROR"),
        (json!({ "count": -1 }), "INVALID_REQUEST"),
        (json!({ "count": "1" }), "INVALID_REQUEST"),
        (json!({ "counts": 1 }), "INVALID_REQUEST"),
        (json!({ "checkpoint": "x" }), "VALIDATION_ERROR"),
    ] {
        let refused = fork(&server, copies[2], body.clone());
        assert!(refused.status == 400, "{body}: {}", refused.text);
        assert_eq!(refused.json["error"]["code"], code, "{body}: {}", refused.text);
    }
    assert_eq!(forks(&server, copies[2], json!({ "count": 1 })).len(), 1);
    let hundred = forks(&server, copies[2], json!({ "count": 100 }));
    assert_eq!(server.value(&hundred[99], "n"), "2");
}

#[test]
fn a_session_goes_back_to_a_checkpoint() {
    let server = Server::start();
    let plain = template(&server, "t", &["fs"], &json!({}));
    let session = server.session(&plain);
    let store = |session: &str| server.post(&format!("/sessions/{session}/checkpoints"), json!({})).expect(201).json;
    assert_eq!(store(&session), json!({ "checkpoint": null }));
    assert_eq!(history(&server, &session), Vec::<Value>::new());
    let ran = server.eval(&session, "var n = 1, heard = []; session.on('restore', (e) => heard.push(e.type)); n");
    let first = newest(&server, &session);
    let failed =
        server.eval(&session, "n = 2; require('fs').writeFileSync('kept.txt', 'kept'); throw new Error('half way')");
    assert_eq!(failed["status"], "error");
    let whole = history(&server, &session);
    assert_eq!(whole.len(), 2);
    let expected =
        json!({ "id": first, "kind": "run", "seq": 1, "depth": 0, "execution": ran["id"], "session": session });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&whole[1][field], value, "{field}: {}", whole[1]);
    }
    assert_eq!((&whole[0]["parent"], &whole[0]["seq"]), (&json!(first), &json!(2)));
    assert_eq!(store(&session)["checkpoint"], whole[0], "nothing changed since");
    let back = restore(&server, &session, &first).expect(200).json;
    assert_eq!((&back["status"], &back["seq"]), (&json!("ready"), &json!(1)), "{back}");
    assert_eq!(
        server.value(&session, "[n, heard, require('fs').readFileSync('kept.txt', 'utf8')].join()"),
        "1,restore,kept"
    );
    // And forward again: what came after is still there.
    let kinds = |session: &str| -> Vec<String> {
        history(&server, session).iter().map(|row| row["kind"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(kinds(&session), ["run", "restore", "run", "run"]);
    restore(&server, &session, whole[0]["id"].as_str().unwrap()).expect(200);
    assert_eq!(server.value(&session, "n"), "2");
    // Page by page.
    let all = history(&server, &session);
    let mut pages = Vec::new();
    let mut before = String::new();
    loop {
        let page = server.get(&format!("/sessions/{session}/checkpoints?limit=2{before}")).expect(200).json;
        let page = page.as_array().unwrap().clone();
        let Some(last) = page.last() else { break };
        before = format!("&before={}", last["id"].as_str().unwrap());
        assert!(page.len() <= 2);
        pages.extend(page);
    }
    assert_eq!(pages, all);
    server.get(&format!("/sessions/{session}/checkpoints?before={NOBODY}")).expect_error(404, "CHECKPOINT_NOT_FOUND");
    server.get(&format!("/sessions/{NOBODY}/checkpoints")).expect_error(404, "SESSION_NOT_FOUND");
    restore(&server, &session, NOBODY).expect_error(404, "CHECKPOINT_NOT_FOUND");
    restore(&server, &session, "x").expect_error(400, "VALIDATION_ERROR");
    server.post(&format!("/sessions/{session}/restore"), json!({})).expect_error(400, "VALIDATION_ERROR");
    // A script that asks for it goes on twice.
    let run = server
        .eval(&session, "var says = []; const point = await session.checkpoint(); says.push(point.restored); point.id");
    let id = run["result"]["preview"].as_str().unwrap();
    assert_eq!(server.value(&session, "says.join()"), "false");
    restore(&server, &session, id).expect(200);
    assert_eq!(server.value(&session, "await 0; says.join()"), "true");
    close(&server, &session);
    restore(&server, &session, &first).expect_error(409, "SESSION_NOT_READY");
}

#[test]
fn a_trap_costs_what_ran_and_not_the_session() {
    let server = Server::start();
    let limits = json!({ "cpu_ms": 200 });
    let every = template(&server, "every", &[], &json!({ "limits": limits }));
    let some =
        template(&server, "checkpoint", &[], &json!({ "limits": limits, "runtime": { "durability": "checkpoint" } }));
    let none = template(&server, "none", &[], &json!({ "limits": limits, "runtime": { "durability": "none" } }));
    let trap = "n = 3; console.log('begun'); Array.prototype.copyWithin.call({ length: 2 ** 53 - 1 }, 0, 1)";
    for template in [&every, &some] {
        let session = server.session(template);
        server.value(&session, "var n = 1, heard = []; session.on('resume', (e) => heard.push(e.type)); n");
        server.post(&format!("/sessions/{session}/checkpoints"), json!({})).expect(201);
        let run = server.eval(&session, trap);
        assert_eq!(run["status"], "timeout", "{run}");
        assert!(run["error"]["message"].as_str().unwrap().contains("goes on from its last checkpoint"), "{run}");
        assert_eq!(console(&server, &run), ["begun"]);
        let shown = row(&server, &session);
        assert_eq!((&shown["status"], &shown["runtime_meta"]["residence"]), (&json!("ready"), &json!("live")));
        assert_eq!(server.value(&session, "[n, heard].join()"), "1,resume");
        let history = history(&server, &session);
        assert!(history.iter().all(|row| row["execution"] != run["id"]), "{history:?}");
    }
    // One that never ran before goes back to its image.
    let young = server.session(&every);
    server.eval(&young, trap);
    assert_eq!(server.value(&young, "typeof n"), "undefined");
    let session = server.session(&none);
    server.value(&session, "var n = 1");
    server.eval(&session, trap);
    assert_eq!(row(&server, &session)["status"], "crashed");
    for refused in [hibernate(&server, &session), server.try_eval(&session, "1")] {
        refused.expect_error(409, "SESSION_NOT_READY");
    }
}
