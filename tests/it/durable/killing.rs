//! kill -9 again and again under clients that change heaps, copy them and rewind them: what was answered is in the heap, and nothing
//! else is but for what was under way, as its row says.
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Server, shared_images};

use super::Dice;

/// Data directories, kills of each, and clients of each server.
const PLACES: u64 = 2;
const KILLS: u64 = 100;
const CLIENTS: u64 = 4;

/// A client that goes on with one session. It never waits for a server that is gone.
struct Client {
    agent: ureq::Agent,
    dice: Dice,
    name: String,
    log: PathBuf,
    session: String,
    /// What the heap has been given, as far as was answered.
    heap: Vec<u64>,
    /// Checkpoints, and the heap as of then.
    checkpoints: Vec<(String, Vec<u64>)>,
    next: u64,
    acknowledged: u64,
    /// What was asked and not answered.
    under_way: Option<UnderWay>,
}

enum UnderWay {
    /// A number that is appended.
    Push(u64),
    /// The heap as of then.
    Restore(Vec<u64>),
    /// A copy of the heap, or none.
    Fork,
    /// The session that it leaves, and the copy that it goes on with.
    Close { left: String },
    /// Nothing that shows in the heap.
    Other,
}

impl Client {
    fn new(name: String, log: PathBuf, session: String, seed: u64) -> Client {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(30)))
            .build()
            .into();
        let (heap, checkpoints) = (Vec::new(), Vec::new());
        Client {
            agent,
            dice: Dice(seed),
            name,
            log,
            session,
            heap,
            checkpoints,
            next: 0,
            acknowledged: 0,
            under_way: None,
        }
    }

    /// What the server logged last.
    fn logged(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let from = log.lines().count().saturating_sub(20);
        log.lines().skip(from).map(|line| format!("\n{line}")).collect()
    }

    /// None: the server is gone.
    fn send(&self, method: &str, url: &str, path: &str, body: &Value) -> Option<(u16, Value)> {
        let request = ureq::http::Request::builder().method(method).uri(format!("{url}/api/v1{path}"));
        let mut answer = self.agent.run(request.body(body.to_string()).unwrap()).ok()?;
        let text = answer.body_mut().read_to_string().ok()?;
        Some((answer.status().as_u16(), serde_json::from_str(&text).ok()?))
    }

    /// Goes on until the server is gone.
    fn work(&mut self, url: &str) {
        while self.step(url).is_some() {
            self.acknowledged += 1;
            self.under_way = None;
        }
    }

    fn step(&mut self, url: &str) -> Option<()> {
        let session = format!("/sessions/{}", self.session);
        match self.dice.roll(16) {
            0 | 1 => {
                self.under_way = Some(UnderWay::Other);
                let (status, row) = self.send("POST", url, &format!("{session}/hibernate"), &json!({}))?;
                assert_eq!(status, 200, "{row}{}", self.logged());
            }
            2 => {
                self.under_way = Some(UnderWay::Other);
                let (status, made) = self.send("POST", url, &format!("{session}/checkpoints"), &json!({}))?;
                assert_eq!(status, 201, "{made}{}", self.logged());
                if let Some(id) = made["checkpoint"]["id"].as_str() {
                    self.checkpoints.push((id.to_owned(), self.heap.clone()));
                }
            }
            3 if !self.checkpoints.is_empty() => {
                let at = self.dice.roll(self.checkpoints.len());
                let (id, heap) = self.checkpoints[at].clone();
                self.under_way = Some(UnderWay::Restore(heap.clone()));
                let (status, row) =
                    self.send("POST", url, &format!("{session}/restore"), &json!({ "checkpoint": id }))?;
                // It was not kept.
                let gone = status == 404 && row["error"]["code"] == "CHECKPOINT_NOT_FOUND";
                assert!(status == 200 || gone, "{row}{}", self.logged());
                if gone {
                    self.checkpoints.remove(at);
                } else {
                    self.heap = heap;
                }
            }
            4 => {
                self.under_way = Some(UnderWay::Fork);
                let (status, forks) = self.send("POST", url, &format!("{session}/fork"), &json!({}))?;
                assert_eq!(status, 201, "{forks}{}", self.logged());
                let left = std::mem::replace(&mut self.session, forks[0]["id"].as_str().unwrap().to_owned());
                self.checkpoints.clear();
                self.under_way = Some(UnderWay::Close { left: left.clone() });
                let (status, row) = self.send("DELETE", url, &format!("/sessions/{left}"), &json!({}))?;
                assert_eq!(status, 200, "{row}{}", self.logged());
            }
            _ => {
                let number = self.next;
                self.next += 1;
                self.under_way = Some(UnderWay::Push(number));
                let body = json!({ "session_id": self.session, "input": input(number) });
                let (status, row) = self.send("POST", url, "/executions/repl", &body)?;
                self.heap.push(number);
                assert_eq!(
                    (status, &row["result"]["preview"]),
                    (201, &json!(shown(&self.heap))),
                    "{}: {row}",
                    self.name
                );
            }
        }
        Some(())
    }

    /// Whether the heap is what it may be after the server was killed.
    fn check(&mut self, server: &Server) {
        let name = &self.name;
        let under_way = self.under_way.take();
        let row = server.get(&format!("/sessions/{}", self.session)).expect(200).json;
        assert_eq!(row["status"], "ready", "{name}: {row}");
        let pushed = match &under_way {
            Some(UnderWay::Push(number)) => {
                let rows =
                    server.get(&format!("/executions?session_id={}&limit=1000000", self.session)).expect(200).json;
                let row = rows.as_array().unwrap().iter().find(|row| row["input"] == input(*number));
                match row.map(|row| row["status"].as_str().unwrap()) {
                    Some("ok") => true,
                    None | Some("interrupted") => false,
                    other => panic!("{name}: {other:?} in {row:?}"),
                }
            }
            _ => false,
        };
        let found = server.value(&self.session, "log.join()");
        match under_way {
            Some(UnderWay::Push(number)) if pushed => self.heap.push(number),
            Some(UnderWay::Restore(heap)) if found == joined(&heap) => self.heap = heap,
            Some(UnderWay::Close { left }) => {
                let row = server.get(&format!("/sessions/{left}")).expect(200).json;
                if row["status"] == "ready" {
                    assert_eq!(server.value(&left, "log.join()"), joined(&self.heap), "{name}: what was forked");
                    server.send("DELETE", &format!("/sessions/{left}"), None).expect(200);
                }
            }
            Some(UnderWay::Fork) => {
                let mine = |row: &&Value| row["id"] != json!(self.session) && row["workspace_id"] == json!(name);
                let rows = server.get("/sessions?status=ready&limit=1000").expect(200).json;
                for row in rows.as_array().unwrap().iter().filter(mine) {
                    let id = row["id"].as_str().unwrap();
                    assert_eq!(server.value(id, "log.join()"), joined(&self.heap), "{name}: a fork");
                    server.send("DELETE", &format!("/sessions/{id}"), None).expect(200);
                }
            }
            _ => {}
        }
        assert_eq!(found, joined(&self.heap), "{name}, {}", self.session);
    }
}

fn input(number: u64) -> String {
    format!("log.push({number}); tree[{number} % 50] = {{ n: {number}, s: 'x'.repeat({}) }}; sum()", number * 37 % 900)
}

/// What pushing the last of these answers.
fn shown(heap: &[u64]) -> String {
    format!("{} {}", heap.len(), heap.iter().sum::<u64>())
}

fn joined(heap: &[u64]) -> String {
    heap.iter().map(u64::to_string).collect::<Vec<_>>().join(",")
}

const PRELUDE: &str = "var log = [], tree = {}; var sum = () => `${log.length} ${log.reduce((a, b) => a + b, 0)}`; 1";

/// Kills servers on one data directory; how much they had answered.
fn kill_and_look(seed: u64) -> u64 {
    let place = tempfile::tempdir().unwrap();
    let flags = ["--max-sessions", "6", "--idle-ms", "20", "--keep-checkpoints", "12"];
    let start = || Server::start_with(place.path(), &shared_images(), &flags);
    let mut server = start();
    let template = server.template("t", &[]);
    let mut clients: Vec<Client> = (0..CLIENTS)
        .map(|n| {
            let name = format!("client {n}");
            let mut body = server.session_body(&template);
            body["workspace_id"] = json!(name);
            let session = server.post("/sessions", body).expect(201).json["id"].as_str().unwrap().to_owned();
            server.eval(&session, PRELUDE);
            Client::new(name, place.path().join("server.log"), session, seed * 100 + n)
        })
        .collect();
    let mut dice = Dice(seed);
    for _ in 0..KILLS {
        let url = server.url.clone();
        thread::scope(|scope| {
            for client in &mut clients {
                scope.spawn(|| client.work(&url));
            }
            thread::sleep(Duration::from_millis(5 + dice.roll(60) as u64));
            server.kill();
        });
        server = start();
        thread::scope(|scope| {
            for client in &mut clients {
                scope.spawn(|| client.check(&server));
            }
        });
    }
    let log = server.log();
    assert!(!log.contains("panicked"), "{log}");
    clients.iter().map(|client| client.acknowledged).sum()
}

#[test]
fn what_was_answered_is_in_the_heap() {
    let seed = std::env::var("DURABLE_SEED").ok().map_or(1, |seed| seed.parse().unwrap());
    let began = Instant::now();
    let acknowledged: u64 = thread::scope(|scope| {
        let places: Vec<_> = (0..PLACES).map(|n| scope.spawn(move || kill_and_look(seed + n))).collect();
        places.into_iter().map(|place| place.join().unwrap()).sum()
    });
    eprintln!("{} kills, {acknowledged} answers, {:?}", PLACES * KILLS, began.elapsed());
    assert!(acknowledged > PLACES * KILLS, "they worked: {acknowledged}");
}
