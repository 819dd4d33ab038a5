//! kill -9 again and again under writers: what was acknowledged is there, byte for byte, and nothing is left half-done.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::harness::{Answer, Server, shared_images};

const ROUNDS: u64 = 50;
const WRITERS: usize = 8;

/// What one writer was told before the server was gone.
#[derive(Default)]
struct Told {
    /// The session, as its creation was answered.
    session: Option<Value>,
    /// Final rows of executions, as they were answered.
    rows: Vec<String>,
    /// Accepted executions: key, request and answer.
    accepted: Vec<(String, String, String)>,
    /// Keys and requests that were not answered.
    unanswered: Vec<(String, String)>,
}

/// Writes until the server is gone.
fn write(url: &str, session_body: &str, name: &str, gone: &AtomicBool) -> Told {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(20)))
        .build()
        .into();
    let post = |path: &str, body: &str, key: Option<&str>| -> Option<(u16, String)> {
        let mut request = agent.post(format!("{url}/api/v1{path}"));
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key).header("Prefer", "respond-async");
        }
        let mut answer = request.send(body).ok()?;
        let text = answer.body_mut().read_to_string().ok()?;
        Some((answer.status().as_u16(), text))
    };
    let mut told = Told::default();
    let Some((201, text)) = post("/sessions", session_body, None) else { return told };
    let session: Value = serde_json::from_str(&text).unwrap();
    let id = session["id"].clone();
    told.session = Some(session);
    for n in 0.. {
        if gone.load(Ordering::Relaxed) {
            break;
        }
        let input = format!("console.log('{name} {n}', 'x'.repeat({})); {n}", (n * 97) % 3_000);
        let body = json!({ "session_id": id, "input": input, "queue": true }).to_string();
        if n % 3 < 2 {
            match post("/executions/repl", &body, None) {
                Some((201, text)) => told.rows.push(text),
                Some(other) => panic!("{other:?}"),
                None => break,
            }
        } else {
            let key = format!("{name}-{n}");
            match post("/executions/repl", &body, Some(&key)) {
                Some((202, text)) => told.accepted.push((key, body, text)),
                // The queue is full: the accepted ones are slower than they are accepted.
                Some((409, _)) => {}
                Some(other) => panic!("{other:?}"),
                None => {
                    told.unanswered.push((key, body));
                    break;
                }
            }
        }
    }
    told
}

fn again(server: &Server, key: &str, body: &str) -> Answer {
    let headers = [("Idempotency-Key", key), ("Prefer", "respond-async")];
    server.send_with("POST", "/executions/repl", &headers, Some(body))
}

/// The executions of a session as they are written; none of them runs.
fn listed(server: &Server, session: &str) -> Vec<String> {
    let text = server.get(&format!("/executions?session_id={session}&limit=1000000")).expect(200).text;
    let rows: Vec<Box<RawValue>> = serde_json::from_str(&text).unwrap();
    for row in &rows {
        assert!(!row.get().contains(r#""status":"running""#) && row.get().contains(r#""ended_at""#), "{row}");
    }
    rows.into_iter().map(|row| row.get().to_owned()).collect()
}

/// All that a writer was told is so.
fn holds(server: &Server, told: &Told) {
    let Some(session) = &told.session else { return };
    let id = session["id"].as_str().unwrap();
    let row = server.get(&format!("/sessions/{id}")).expect(200).json;
    for key in ["id", "vm_id", "workspace_id", "base_commit_oid", "worktree_path", "created_at"] {
        assert_eq!(row[key], session[key], "{row}");
    }
    assert_eq!(row["status"], "ready", "{row}");
    let rows = listed(server, id);
    for told in &told.rows {
        assert!(rows.contains(told), "lost or changed: {told}");
    }
    for (key, body, text) in &told.accepted {
        let accepted: Value = serde_json::from_str(text).unwrap();
        let id = accepted["id"].as_str().unwrap();
        assert!(rows.iter().any(|row| row.starts_with(&format!(r#"{{"id":"{id}""#))), "lost: {text}");
        let replayed = again(server, key, body).expect(202);
        assert_eq!((&replayed.text, replayed.header("Idempotency-Replayed")), (text, Some("true")));
    }
    for (key, body) in &told.unanswered {
        let answer = again(server, key, body);
        // Done before, done now, or it is not known what became of it.
        let code = answer.json["error"]["code"].as_str().unwrap_or_default();
        assert!(answer.status == 202 || code == "IDEMPOTENCY_CONFLICT", "{answer:?}");
    }
}

#[test]
fn killed_again_and_again() {
    let place = tempfile::tempdir().unwrap();
    let mut server = Server::start_in(place.path(), &shared_images());
    let template = server.template("t", &[]);
    let body = server.session_body(&template).to_string();
    let (mut rows, mut accepted) = (0, 0);
    let mut kept: Vec<Told> = Vec::new();
    for round in 0..ROUNDS {
        let gone = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..WRITERS)
            .map(|n| {
                let (url, body, gone) = (server.url.clone(), body.clone(), Arc::clone(&gone));
                thread::spawn(move || write(&url, &body, &format!("r{round}w{n}"), &gone))
            })
            .collect();
        thread::sleep(Duration::from_millis(50 + (round * 37) % 101));
        server.kill();
        gone.store(true, Ordering::Relaxed);
        let told: Vec<Told> = writers.into_iter().map(|writer| writer.join().unwrap()).collect();

        server = Server::start_in(place.path(), &shared_images());
        assert_eq!(server.get("/sessions?status=starting").expect(200).text, "[]", "round {round}");
        // Those too whose making was never answered.
        let sessions = server.get(&format!("/sessions?limit={}", WRITERS * 2)).expect(200).json;
        for session in sessions.as_array().unwrap() {
            listed(&server, session["id"].as_str().unwrap());
        }
        for told in &told {
            holds(&server, told);
        }
        rows += told.iter().map(|told| told.rows.len()).sum::<usize>();
        accepted += told.iter().map(|told| told.accepted.len()).sum::<usize>();
        // Some are looked at again at the end.
        if round % 7 == 0 {
            kept.extend(told);
        }
    }
    server.kill();
    let server = Server::start_with(place.path(), &shared_images(), &["--integrity-check", "full"]);
    for told in &kept {
        holds(&server, told);
    }
    assert!(rows > 500 && accepted > 100, "the writers wrote: {rows} rows, {accepted} accepted");
    let log = server.log();
    assert!(!log.contains("panicked"), "{log}");
}
