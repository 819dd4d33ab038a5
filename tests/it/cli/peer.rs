//! Something that listens where a server is expected, and answers what it is told to.
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

pub struct Peer {
    pub url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Peer {
    /// Gives each connection the next of `answers`, as it is, and closes it. There are no more connections than answers.
    pub fn new(answers: Vec<String>) -> Peer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = requests.clone();
        thread::spawn(move || {
            for answer in answers {
                let (mut connection, _) = listener.accept().unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    if connection.read(&mut byte).unwrap_or(0) == 0 {
                        break;
                    }
                    head.push(byte[0]);
                }
                seen.lock().unwrap().push(String::from_utf8_lossy(&head).to_lowercase());
                let _ = connection.write_all(answer.as_bytes());
            }
        });
        Peer { url, requests }
    }

    /// The heads of the requests, in lower case.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// An HTTP answer.
pub fn http(status: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

/// A stream of events that ends with the connection.
pub fn events(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n{body}")
}

/// A message of such a stream.
pub fn console(seq: u64, text: &str) -> String {
    let data = serde_json::json!({
        "execution_id": "e", "seq": seq, "ts": "2026-01-02T03:04:05.678901Z", "type": "console",
        "payload": { "level": "log", "text": text },
    });
    format!("id: {seq}\nevent: console\ndata: {data}\n\n")
}

/// The last message of such a stream.
pub fn end() -> String {
    let data = serde_json::json!({
        "id": "e", "session_id": "s", "kind": "repl", "input": "1", "args": [], "env": {}, "status": "ok",
        "started_at": "2026-01-02T03:04:05.678901Z", "result": { "type": "number", "preview": "1", "json": 1 },
        "metrics": {},
    });
    format!("event: end\ndata: {data}\n\n")
}
