//! Sessions that outlive their server: what is promised in docs/durability.md, through the real binary.
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Answer, Server};

mod killing;
mod programs;

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
