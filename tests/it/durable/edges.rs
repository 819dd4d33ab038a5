//! Where durable sessions meet their bounds: slots, retention, what pins them, what they can't come back from.
use std::collections::HashSet;
use std::net::TcpListener;
use std::thread;

use serde_json::{Value, json};

use super::{
    NOBODY, close, console, fork, forks, hibernate, history, newest, residence, restarted, restore, row, template,
    until,
};
use crate::harness::{Server, shared_images};

const TRAP: &str = "Array.prototype.copyWithin.call({ length: 2 ** 53 - 1 }, 0, 1)";

#[test]
fn five_slots_serve_fifty_sessions() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start_with(place.path(), &shared_images(), &["--max-sessions", "5"]);
    let durable = template(&server, "t", &[], &json!({}));
    let fleeting = server.fleeting("none", &[]);
    let sessions: Vec<_> = (0..50).map(|_| server.session(&durable)).collect();
    // One that nobody brought back keeps its slot.
    let stays = server.session(&fleeting);
    server.value(&stays, "var n = 1");
    for round in 1..=3 {
        let expected = round.to_string();
        thread::scope(|scope| {
            for part in sessions.chunks(sessions.len() / 10) {
                let (server, expected) = (&server, &expected);
                scope.spawn(move || {
                    for session in part {
                        let ran = server.eval(session, "var n = (globalThis.n ?? 0) + 1; n");
                        assert_eq!(&ran["result"]["preview"], expected, "{ran}");
                    }
                });
            }
        });
    }
    let live = sessions.iter().filter(|session| residence(&server, session) == "live").count();
    assert!((1..=4).contains(&live), "{live}");
    assert_eq!(server.value(&stays, "n"), "1");
    // Where all slots are taken by what can't leave, there is none.
    let others: Vec<_> = (0..4).map(|_| server.session(&fleeting)).collect();
    server.try_eval(&sessions[0], "n").expect_error(503, "SESSION_LIMIT");
    server.post("/sessions", server.session_body(&durable)).expect_error(503, "SESSION_LIMIT");
    assert_eq!(row(&server, &sessions[0])["status"], "ready");
    close(&server, &others[0]);
    assert_eq!(server.value(&sessions[0], "n"), "3");
}

/// As soon as nothing keeps it, a session leaves: also just when it came back.
#[test]
fn sessions_that_leave_at_once_are_there_for_everyone() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start_with(place.path(), &shared_images(), &["--idle-ms", "1"]);
    let session = server.session(&template(&server, "t", &[], &json!({})));
    server.value(&session, "var n = 0");
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..25 {
                    let body = json!({ "session_id": session, "input": "n++", "queue": true });
                    server.post("/executions/repl", body).expect(201);
                }
            });
        }
    });
    assert_eq!(server.value(&session, "n"), "100");
}

#[test]
fn what_is_not_stored_says_so() {
    let server = Server::start();
    let fleeting = server.fleeting("none", &[]);
    let session = server.session(&fleeting);
    assert_eq!(row(&server, &session).get("durability"), None);
    for refused in [
        hibernate(&server, &session),
        fork(&server, &session, json!({})),
        fork(&server, &session, json!({ "checkpoint": NOBODY })),
        restore(&server, &session, NOBODY),
        server.post(&format!("/sessions/{session}/checkpoints"), json!({})),
    ] {
        let refused = refused.expect_error(409, "SESSION_NOT_DURABLE");
        assert_eq!(refused.json["error"]["details"]["session_id"], json!(session), "{}", refused.text);
    }
    assert_eq!(history(&server, &session), Vec::<Value>::new());
    let asked = server.value(&session, "await session.checkpoint().catch((e) => e.code)");
    assert_eq!(asked, "CHECKPOINT_FAILED");
    // The same template, durable from now on.
    let every = json!({ "runtime": { "durability": "every" } }).to_string();
    server.send("PATCH", &format!("/templates/{fleeting}/settings"), Some(&every)).expect(200);
    hibernate(&server, &session).expect_error(409, "SESSION_NOT_DURABLE");
    hibernate(&server, &server.session(&fleeting)).expect(200);
}

#[test]
fn with_checkpoint_a_kill_costs_what_was_not_stored_yet() {
    let place = tempfile::tempdir().unwrap();
    let flags = |ms| ["--checkpoint-ms", ms];
    let server = Server::start_with(place.path(), &shared_images(), &flags("100"));
    let some = template(&server, "t", &[], &json!({ "runtime": { "durability": "checkpoint" } }));
    let [first, second, young] = [(); 3].map(|()| server.session(&some));
    assert_eq!(row(&server, &first)["durability"], "checkpoint");
    for session in [&first, &second] {
        server.value(session, "var n = 1");
        until("it is stored", || row(&server, session)["durable_seq"] == 1);
    }
    assert_eq!(server.value(&first, "++n"), "2");
    let server = restarted(server, &place, &flags("1000000"));
    let shown = row(&server, &first);
    assert_eq!(shown["seq"], 2, "what ran is known: {shown}");
    let n = server.value(&first, "n");
    assert_eq!(n, shown["durable_seq"].to_string(), "no more and no less than it says");
    assert_eq!(server.value(&second, "++n"), "2");
    server.value(&young, "var n = 1");
    assert_eq!(row(&server, &second)["durable_seq"], 1);
    let server = restarted(server, &place, &flags("1000000"));
    assert_eq!(server.value(&second, "n"), "1");
    assert_eq!(row(&server, &young).get("durable_seq"), None);
    assert_eq!(server.value(&young, "typeof n"), "undefined");
    // A restore loses nothing that was answered: one can go back to it.
    server.value(&second, "n = 7");
    restore(&server, &second, history(&server, &second).last().unwrap()["id"].as_str().unwrap()).expect(200);
    assert_eq!(server.value(&second, "n"), "1");
    restore(&server, &second, history(&server, &second)[1]["id"].as_str().unwrap()).expect(200);
    assert_eq!(server.value(&second, "n"), "7");
    // Asked to stop, a server stores what is there.
    server.value(&first, "n = 100");
    server.terminate();
    let server = Server::start_in(place.path(), &shared_images());
    assert_eq!(server.value(&first, "n"), "100");
}

#[test]
fn what_is_open_pins() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let place = tempfile::tempdir().unwrap();
    let flags = ["--allow-private-networks=127.0.0.1", "--idle-ms", "50"];
    let server = Server::start_with(place.path(), &shared_images(), &flags);
    let body = json!({ "name": "t", "modules": [
        { "name": "database" },
        { "name": "fetch", "config": { "origins": [origin], "private": true, "timeout_ms": 60_000 } },
    ] });
    let template = server.post("/templates", body).expect(201).json["id"].as_str().unwrap().to_owned();
    let [transaction, request] = [(); 2].map(|()| server.session(&template));
    server.value(
        &transaction,
        "var db = require('database').open(':memory:'); db.exec('CREATE TABLE t (x)'); db.exec('BEGIN'); 1",
    );
    server.value(&request, &format!("var failed, asked = fetch('{origin}/').catch((e) => failed = e.code); 1"));
    let (held, _) = listener.accept().unwrap();
    for session in [&transaction, &request] {
        hibernate(&server, session).expect_error(409, "SESSION_PINNED");
        assert_eq!(residence(&server, session), "live");
    }
    let copy = forks(&server, &request, json!({})).remove(0);
    assert_eq!(server.value(&copy, "await 0; failed"), "INTERRUPTED");
    server.value(&transaction, "db.exec('COMMIT'); 1");
    until("it leaves by itself", || residence(&server, &transaction) == "hibernated");
    assert_eq!(
        server.value(&transaction, "db.exec('INSERT INTO t VALUES (1)'); db.query('SELECT count(*) n FROM t')[0].n"),
        "1"
    );
    server.value(&transaction, "db.exec('BEGIN'); 1");
    let server = restarted(server, &place, &flags);
    drop(held);
    assert_eq!(server.value(&request, "await 0; failed"), "INTERRUPTED");
    assert_eq!(server.value(&transaction, "try { db.query('SELECT 1') } catch (e) { e.code }"), "TRANSACTION_LOST");
    assert_eq!(server.value(&transaction, "db.query('SELECT count(*) n FROM t')[0].n"), "1");
    hibernate(&server, &transaction).expect(200);
}

#[test]
fn as_many_checkpoints_as_the_operator_keeps() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start_with(place.path(), &shared_images(), &["--keep-checkpoints", "3"]);
    let session = server.session(&template(&server, "t", &[], &json!({})));
    server.value(&session, "var n = 1");
    let first = newest(&server, &session);
    for n in 0..40 {
        server.value(&session, &format!("n = {n}"));
        let rows = history(&server, &session);
        assert!(rows.len() <= 3 + 8 && rows[0]["seq"] == json!(n + 2), "{rows:?}");
    }
    restore(&server, &session, &first).expect_error(404, "CHECKPOINT_NOT_FOUND");
    assert_eq!(server.value(&session, "n"), "39", "a restore that is refused changes nothing");
    let oldest = history(&server, &session).last().unwrap().clone();
    restore(&server, &session, oldest["id"].as_str().unwrap()).expect(200);
    assert_eq!(server.value(&session, "n"), (oldest["seq"].as_u64().unwrap() - 2).to_string());
    // Neither does rewinding alone pile up anything.
    for _ in 0..1_010 {
        restore(&server, &session, &newest(&server, &session)).expect(200);
    }
    assert_eq!(server.value(&session, "n"), (oldest["seq"].as_u64().unwrap() - 2).to_string());
    assert!(history(&server, &session).len() <= 3 + 8, "{}", history(&server, &session).len());
    let mut copy = session;
    for _ in 0..60 {
        copy = forks(&server, &std::mem::take(&mut copy), json!({})).remove(0);
    }
    assert_eq!(server.value(&copy, "n"), (oldest["seq"].as_u64().unwrap() - 2).to_string());
}

#[test]
fn what_can_not_come_back_says_why_and_can_go_back() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start_in(place.path(), &shared_images());
    let template = template(&server, "t", &[], &json!({ "limits": { "cpu_ms": 100 } }));
    // A listener that never ends.
    let session = server.session(&template);
    server.value(&session, "var n = 1");
    let good = newest(&server, &session);
    server.value(&session, "session.on('resume', () => { for (;;); }); n = 2");
    hibernate(&server, &session).expect(200);
    let told = server.eval(&session, "n");
    assert_eq!(told["result"]["preview"], "2", "one that can be stopped costs nothing: {told}");
    assert!(console(&server, &told)[0].contains("session.on('resume')"), "{told}");
    restore(&server, &session, &good).expect(200);
    server.value(&session, &format!("session.on('resume', () => {TRAP}); n = 3"));
    hibernate(&server, &session).expect(200);
    server.try_eval(&session, "n").expect_error(409, "SESSION_DAMAGED");
    assert_eq!(row(&server, &session)["status"], "ready");
    restore(&server, &session, &good).expect(200);
    assert_eq!(server.value(&session, "n"), "1");
    // A worktree that is gone, and is there again.
    let tree = tempfile::tempdir().unwrap();
    let mut body = server.session_body(&template);
    body["worktree_path"] = json!(tree.path().to_str().unwrap());
    let session = server.post("/sessions", body).expect(201).json["id"].as_str().unwrap().to_owned();
    server.value(&session, "var n = 1");
    let path = tree.path().to_owned();
    tree.close().unwrap();
    hibernate(&server, &session).expect(200);
    server.try_eval(&session, "n").expect_error(422, "WORKTREE_NOT_FOUND");
    std::fs::create_dir(&path).unwrap();
    assert_eq!(server.value(&session, "n"), "1");
    std::fs::remove_dir(&path).unwrap();
    server.eval(&session, TRAP);
    // It could not go back: it has left memory, and its next use says why.
    assert_eq!(
        (&row(&server, &session)["status"], residence(&server, &session)),
        (&json!("ready"), "hibernated".into())
    );
    server.try_eval(&session, "n").expect_error(422, "WORKTREE_NOT_FOUND");
    std::fs::create_dir(&path).unwrap();
    assert_eq!(server.value(&session, "n"), "1");
    let copy = forks(&server, &session, json!({ "checkpoint": newest(&server, &session) })).remove(0);
    assert_eq!(server.value(&copy, "n"), "1");
    std::fs::remove_dir(&path).unwrap();
}

/// The largest heap that a session may have is stored as well.
#[test]
fn a_heap_is_stored_up_to_its_limit() {
    let server = Server::start();
    let limits = json!({ "limits": { "mem_mb": 200, "cpu_ms": 20_000, "wall_ms": 60_000 } });
    let session = server.session(&template(&server, "t", &[], &limits));
    server.value(&session, "var kept = []; kept.push(new Uint8Array(180 << 20)); kept[0][5_000_000] = 7; 1");
    hibernate(&server, &session).expect(200);
    assert_eq!(server.value(&session, "[kept[0].length, kept[0][5_000_000]].join()"), "188743680,7");
    let over = server.eval(&session, "kept.push(new Uint8Array(30 << 20)); 1");
    assert_eq!(over["error"]["code"], "MEMORY_LIMIT_EXCEEDED", "{over}");
    assert_eq!(server.value(&session, "kept = null; 1"), "1");
}

/// What is written over and over compresses to nothing, and is unpacked all the same: there is a whole heap before long.
#[test]
fn chains_are_no_longer_than_their_pages_allow() {
    let server = Server::start();
    let session = server.session(&template(&server, "t", &[], &json!({})));
    for n in 1..=9 {
        server.value(&session, &format!("globalThis.large ??= new Uint8Array(20 << 20); large.fill({n}); 1"));
    }
    let depths: Vec<_> = history(&server, &session).iter().map(|row| row["depth"].as_u64().unwrap()).collect();
    assert!(depths.iter().all(|depth| *depth < 5) && depths.contains(&1), "{depths:?}");
    hibernate(&server, &session).expect(200);
    assert_eq!(server.value(&session, "large.every((byte) => byte === 9)"), "true");
}

/// A script that stores its heap again and again keeps no more than others.
#[test]
fn checkpoints_within_an_execution_are_let_go_as_well() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start_with(place.path(), &shared_images(), &["--keep-checkpoints", "4"]);
    let session = server.session(&template(&server, "t", &[], &json!({})));
    server.value(&session, "var n = 0; for (let i = 0; i < 100; i++) { n++; await session.checkpoint(); } n");
    until("the oldest go", || history(&server, &session).len() <= 12);
    assert_eq!(server.value(&session, "n"), "100");
}

/// What a startup file does after a checkpoint of its own is stored too.
#[test]
fn what_startup_files_did_is_stored_before_a_session_is_ready() {
    let server = Server::start();
    std::fs::write(server.directory.join("first.js"), "globalThis.a = 1; await session.checkpoint(); a = 2;").unwrap();
    std::fs::write(server.directory.join("second.js"), "globalThis.b = 3;").unwrap();
    for durability in ["checkpoint", "every"] {
        let files = json!([{ "path": "first.js" }, { "path": "second.js" }]);
        let settings = json!({ "runtime": { "durability": durability } });
        let whole = json!({ "name": durability, "startup_files": files, "settings": settings });
        let made = server.post("/templates", whole).expect(201).json;
        let session = server.session(made["id"].as_str().unwrap());
        let copy = forks(&server, &session, json!({})).remove(0);
        assert_eq!(server.value(&copy, "[a, b].join()"), "2,3", "{durability}");
        hibernate(&server, &session).expect(200);
        assert_eq!(server.value(&session, "[a, b].join()"), "2,3", "{durability}");
    }
}

/// Databases in memory come along as long as all of them together are small.
#[test]
fn many_databases_in_memory_pin() {
    let server = Server::start();
    let session = server.session(&template(&server, "t", &["database"], &json!({})));
    let one = "open.push(require('database').open(':memory:')); \
               open.at(-1).exec('CREATE TABLE t (b); INSERT INTO t VALUES (zeroblob(1500000))'); open.length";
    server.value(&session, &format!("globalThis.open = []; {one}"));
    server.value(&session, one);
    hibernate(&server, &session).expect(200);
    for _ in 0..4 {
        server.value(&session, one);
    }
    let answer = hibernate(&server, &session).expect_error(409, "SESSION_PINNED");
    assert!(answer.text.contains("databases in memory"), "{}", answer.text);
    server.value(&session, "open.splice(2).forEach((db) => db.close()); 1");
    hibernate(&server, &session).expect(200);
    assert_eq!(
        server.value(&session, "open.map((db) => db.query('SELECT length(b) n FROM t')[0].n).join()"),
        "1500000,1500000"
    );
}

/// A heap that is larger than this server's sessions may be is told so, and is there again where they may.
#[test]
fn a_server_with_a_lower_ceiling_leaves_large_heaps_alone() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start_in(place.path(), &shared_images());
    let session = server.session(&template(&server, "t", &[], &json!({})));
    assert_eq!(server.value(&session, "var large = 'x'.repeat(60e6) + 'y'; large.length"), "60000001");
    server.kill();
    let low = Server::start_with(place.path(), &shared_images(), &["--max-mem-mb", "16"]);
    let answer = low.try_eval(&session, "1").expect_error(409, "SESSION_DAMAGED");
    assert!(answer.text.contains("--max-mem-mb"), "{}", answer.text);
    low.kill();
    let server = Server::start_in(place.path(), &shared_images());
    assert_eq!(server.value(&session, "large.at(-1)"), "y");
}

/// All that is random, as one string.
const RANDOM: &str = "[Math.random(), crypto.randomUUID(), crypto.getRandomValues(new Uint32Array(4)).join('-'),
    require('crypto').randomBytes(16).toString('hex'), require('crypto').randomUUID(), Math.random()].join(' ')";

#[test]
fn no_two_heaps_draw_the_same() {
    let server = Server::start();
    let source = server.session(&template(&server, "t", &["crypto"], &json!({})));
    let mut drawn = HashSet::new();
    let mut draws = |session: &str| {
        for number in server.value(session, RANDOM).split(' ') {
            assert!(number.len() > 4 && drawn.insert(number.to_owned()), "{number} was drawn twice");
        }
    };
    draws(&source);
    server.value(&source, "var bound = Math.random, own = crypto.randomUUID.bind(crypto); session.on('fork', () => { globalThis.id = own() + bound() }); 1");
    let point = newest(&server, &source);
    let copies = forks(&server, &source, json!({ "count": 100 }));
    for copy in &copies {
        draws(copy);
    }
    let ids: HashSet<_> = copies[..20].iter().map(|copy| server.value(copy, "id")).collect();
    assert_eq!(ids.len(), 20);
    for _ in 0..3 {
        // The same heap each time.
        restore(&server, &source, &point).expect(200);
        draws(&source);
        restore(&server, &source, &point).expect(200);
        hibernate(&server, &source).expect(200);
        draws(&source);
        draws(&forks(&server, &source, json!({ "checkpoint": point })).remove(0));
    }
}
