//! Many clients of few sessions, with few slots: whatever they ask for at once, what was answered has happened, once.
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Dice, hibernate, residence, restarted, template};
use crate::harness::{Server, shared_images};

const SESSIONS: usize = 6;
const CLIENTS: u64 = 8;
const STEPS: usize = 60;

#[test]
fn clients_that_ask_at_once() {
    let seed = std::env::var("DURABLE_SEED").ok().map_or(3, |seed| seed.parse().unwrap());
    let place = tempfile::tempdir().unwrap();
    let flags = ["--max-sessions", "4", "--idle-ms", "3", "--checkpoint-ms", "10", "--keep-checkpoints", "4"];
    let server = Server::start_with(place.path(), &shared_images(), &flags);
    let every = template(&server, "every", &[], &json!({}));
    let some = template(&server, "some", &[], &json!({ "runtime": { "durability": "checkpoint" } }));
    let sessions: Vec<_> = (0..SESSIONS).map(|n| server.session(if n % 2 == 0 { &every } else { &some })).collect();
    // The last two are rewound as well, so that what they count is not known.
    let counts: Vec<_> = (0..SESSIONS).map(|_| AtomicUsize::new(0)).collect();
    for session in &sessions {
        server.value(session, "var n = 0");
    }
    let told = Mutex::new(BTreeMap::<String, usize>::new());
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (server, sessions, counts, told) = (&server, &sessions, &counts, &told);
            let mut dice = Dice(seed * 1_000 + client);
            scope.spawn(move || {
                for _ in 0..STEPS {
                    let number = dice.roll(SESSIONS);
                    let (session, is_rewound) = (&sessions[number], number >= SESSIONS - 2);
                    let path = |what: &str| format!("/sessions/{session}/{what}");
                    let (what, answer) = match dice.roll(10) {
                        0 => ("hibernate", server.post(&path("hibernate"), json!({}))),
                        1 => ("checkpoint", server.post(&path("checkpoints"), json!({}))),
                        2 if is_rewound => {
                            let rows = server.get(&path("checkpoints?limit=4")).expect(200).json;
                            let rows = rows.as_array().unwrap();
                            // With durability `checkpoint` there may be none yet.
                            if rows.is_empty() {
                                continue;
                            }
                            let row = &rows[dice.roll(rows.len())];
                            ("restore", server.post(&path("restore"), json!({ "checkpoint": row["id"] })))
                        }
                        3 => {
                            let forks = server.post(&path("fork"), json!({ "count": 2 }));
                            for fork in forks.json.as_array().into_iter().flatten() {
                                let id = fork["id"].as_str().unwrap();
                                server.value(id, "n += 1000");
                                server.send("DELETE", &format!("/sessions/{id}"), None).expect(200);
                            }
                            ("fork", forks)
                        }
                        dice => {
                            let body = json!({ "session_id": session, "input": "n++; n", "queue": dice > 5 });
                            let ran = server.post("/executions/repl", body);
                            if ran.status == 201 {
                                assert_eq!(ran.json["status"], "ok", "{}", ran.text);
                                counts[number].fetch_add(1, Ordering::Relaxed);
                            }
                            (if dice > 5 { "queue" } else { "run" }, ran)
                        }
                    };
                    let code = answer.json["error"]["code"].as_str().unwrap_or("ok");
                    let is_right = match code {
                        "ok" => true,
                        "SESSION_BUSY" => what != "queue",
                        "CHECKPOINT_NOT_FOUND" => what == "restore",
                        _ => false,
                    };
                    assert!(is_right, "DURABLE_SEED={seed}, {what} of {session}: {}{}", answer.text, server.log());
                    *told.lock().unwrap().entry(format!("{what} {code}")).or_default() += 1;
                }
            });
        }
    });
    eprintln!("{:?}", told.into_inner().unwrap());
    for (number, session) in sessions.iter().enumerate().take(SESSIONS - 2) {
        let expected = counts[number].load(Ordering::Relaxed).to_string();
        assert_eq!(server.value(session, "n"), expected, "DURABLE_SEED={seed}");
    }
    let ready = server.get("/sessions?status=ready&limit=1000").expect(200).json;
    assert_eq!(ready.as_array().map(Vec::len), Some(SESSIONS), "{ready}");
    let running = server.get("/sessions?limit=1000").expect(200).json;
    assert!(running.as_array().unwrap().iter().all(|row: &Value| row["status"] != "crashed"), "{running}");
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

/// What many share is there once, and not a reason to have them leave; what each has for itself is given back when it leaves.
#[test]
fn memory_is_what_sessions_hold_themselves() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start_with(place.path(), &shared_images(), &["--max-sessions", "200"]);
    let every = template(&server, "every", &[], &json!({}));
    let empty = server.status_kib("RssAnon");
    let sessions: Vec<_> = (0..150).map(|_| server.session(&every)).collect();
    for session in &sessions {
        server.value(session, "var held = new Uint8Array(150_000).fill(1); held.length");
    }
    let live = server.status_kib("RssAnon") - empty;
    assert!(live > 150 * 150, "{live}");
    for session in &sessions {
        hibernate(&server, session).expect(200);
    }
    let left = server.status_kib("RssAnon").saturating_sub(empty);
    assert!(left < live / 2, "{left} of {live} KiB are left");

    let max_mb = ((empty + live) / 1024 + 30).to_string();
    let server = restarted(server, &place, &["--max-sessions", "200", "--memory-max-mb", &max_mb]);
    for session in &sessions {
        assert_eq!(server.value(session, "held.length"), "150000");
    }
    assert!(server.status_kib("VmRSS") / 1024 > max_mb.parse().unwrap());
    // Long enough for the server to have looked.
    thread::sleep(Duration::from_millis(2_500));
    assert!(sessions.iter().all(|session| residence(&server, session) == "live"));
}
