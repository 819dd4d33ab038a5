//! `text/event-stream` of an execution.
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{cancel, id, patient};
use crate::harness::Server;

/// One event as it came.
#[derive(Debug)]
struct Sent {
    id: Option<u64>,
    kind: String,
    data: Value,
}

/// A stream that is being read.
struct Stream(BufReader<Box<dyn Read + Send>>);

impl Stream {
    fn open(server: &Server, execution: &Value, query: &str, headers: &[(&str, &str)]) -> Stream {
        let path = format!("{}/api/v1/executions/{}/events{query}", server.url, id(execution));
        let mut request = ureq::get(path).header("Accept", "text/event-stream");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.call().unwrap();
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        assert!(answer.headers().contains_key("x-request-id"));
        Stream(BufReader::new(Box::new(answer.into_body().into_reader())))
    }

    /// The next event; none at the stream's end.
    fn next(&mut self) -> Option<Sent> {
        let (mut id, mut kind, mut data) = (None, String::new(), String::new());
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).unwrap() == 0 {
                assert!(kind.is_empty(), "broken off in the middle of an event");
                return None;
            }
            match line.trim_end_matches('\n').split_once(':') {
                None if kind.is_empty() => {}
                None => return Some(Sent { id, kind, data: serde_json::from_str(&data).unwrap() }),
                Some(("id", text)) => id = Some(text.trim().parse().unwrap()),
                Some(("event", text)) => kind = text.trim().to_owned(),
                Some(("data", text)) => data.push_str(text),
                Some(("", _)) => {}
                Some(other) => panic!("{other:?}"),
            }
        }
    }

    fn rest(mut self) -> Vec<Sent> {
        std::iter::from_fn(|| self.next()).collect()
    }
}

/// What is streamed is what is listed, and the last word is the final row.
#[track_caller]
fn agree(server: &Server, execution: &Value, sent: &[Sent], after: usize) {
    let listed = server.events(execution);
    let (last, events) = sent.split_last().unwrap();
    assert_eq!((last.kind.as_str(), last.id), ("end", None));
    assert_eq!(last.data, server.get(&format!("/executions/{}", id(execution))).expect(200).json);
    assert_eq!(events.len(), listed.len() - after);
    for (sent, listed) in events.iter().zip(&listed[after..]) {
        assert_eq!(&sent.data, listed);
        assert_eq!((sent.id, sent.kind.as_str()), (listed["seq"].as_u64(), listed["type"].as_str().unwrap()));
    }
}

fn queued(server: &Server, session: &str, input: &str) -> Value {
    let body = json!({ "session_id": session, "input": input, "queue": true }).to_string();
    server.send_with("POST", "/executions/repl", &[("Prefer", "respond-async")], Some(&body)).expect(202).json
}

#[test]
fn of_what_is_over() {
    let server = Server::start();
    let session = patient(&server);
    for input in ["console.log('a\\nb\\r\\n: data'); 1", "throw new Error('x')", "0"] {
        let row = server.eval(&session, input);
        let n = server.events(&row).len();
        agree(&server, &row, &Stream::open(&server, &row, "", &[]).rest(), 0);
        for after in 0..=n {
            agree(&server, &row, &Stream::open(&server, &row, &format!("?after_seq={after}"), &[]).rest(), after);
            let last = [("Last-Event-ID", &*after.to_string())];
            agree(&server, &row, &Stream::open(&server, &row, "?after_seq=0", &last).rest(), after);
        }
        agree(&server, &row, &Stream::open(&server, &row, "?after_seq=999999", &[]).rest(), n);
        let bad = [("Accept", "text/event-stream"), ("Last-Event-ID", "x")];
        let path = format!("/executions/{}/events", id(&row));
        server.send_with("GET", &path, &bad, None).expect_error(400, "VALIDATION_ERROR");
        // To everyone else it is the list.
        assert!(server.send_with("GET", &path, &[("Accept", "*/*")], None).expect(200).json.is_array());
    }
}

/// Events arrive while the script runs, and a stream that breaks off is taken up where it was.
#[test]
fn live_and_resumed() {
    let server = Server::start();
    let session = patient(&server);
    let slow = "for (let i = 0; i < 20; i++) { console.log('tick ' + i); const t = Date.now(); while (Date.now() - t < 40); } 0";
    let row = server.begin(&session, slow);
    let mut stream = Stream::open(&server, &row, "", &[]);
    let mut seen: Vec<Sent> = (0..5).map_while(|_| stream.next()).collect();
    let now = server.get(&format!("/executions/{}", id(&row))).expect(200).json;
    assert_eq!((seen.len(), &now["status"]), (5, &json!("running")), "events come before the end");
    let listed = server.get(&format!("/executions/{}/events?after_seq=2", id(&row))).expect(200).json;
    assert!(listed.as_array().unwrap().len() >= 3, "for those who poll as well: {listed}");
    assert_eq!(listed[0]["seq"], 3);
    drop(stream);
    loop {
        let last = seen.last().unwrap().id.unwrap().to_string();
        let mut stream = Stream::open(&server, &row, "", &[("Last-Event-ID", &last)]);
        seen.extend((0..4).map_while(|_| stream.next()));
        if seen.last().unwrap().kind == "end" {
            assert!(stream.next().is_none(), "nothing comes after the end");
            break;
        }
    }
    agree(&server, &row, &seen, 0);
    assert_eq!(seen.len(), 1 + 20 + 1 + 1);
}

/// Many at once, on a script that prints as fast as it can, and on one that is cancelled in its queue.
#[test]
fn many_followers() {
    let server = Server::start();
    let session = patient(&server);
    let row = server.begin(&session, "for (let i = 0; i < 3000; i++) console.log(i); 'done'");
    let waits = queued(&server, &session, "1");
    let streams: Vec<_> = (0..6)
        .map(|n| {
            let stream = Stream::open(&server, &row, &format!("?after_seq={}", n * 100), &[]);
            (n * 100, thread::spawn(move || stream.rest()))
        })
        .collect();
    for (after, stream) in streams {
        agree(&server, &row, &stream.join().unwrap(), after);
    }
    agree(&server, &waits, &Stream::open(&server, &waits, "", &[]).rest(), 0);
    server.ended(&queued(&server, &session, "1"));

    let running = queued(&server, &session, "for (;;) {}");
    let waits = queued(&server, &session, "1");
    let streams = [&running, &waits].map(|row| Stream::open(&server, row, "", &[]));
    let streams = streams.map(|stream| thread::spawn(move || stream.rest()));
    thread::sleep(Duration::from_millis(50));
    cancel(&server, &waits);
    cancel(&server, &running);
    for (stream, row) in streams.into_iter().zip([&running, &waits]) {
        let sent = stream.join().unwrap();
        agree(&server, row, &sent, 0);
        assert_eq!(sent.last().unwrap().data["status"], "cancelled");
    }
}

/// Clients that go away, or never read, keep neither the run nor the session nor the server.
#[test]
fn readers_that_go_away() {
    let server = Server::start();
    let session = patient(&server);
    let row = server.begin(&session, "for (let i = 0; i < 5000; i++) console.log('x'.repeat(40)); 'done'");
    let mut stuck = Vec::new();
    for n in 0..40 {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        let path = format!("/api/v1/executions/{}/events", id(&row));
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        if n % 2 == 0 {
            stuck.push(stream);
        }
    }
    let began = Instant::now();
    assert_eq!(server.ended(&row)["status"], "ok");
    let body = json!({ "session_id": session, "input": "40 + 2", "queue": true });
    assert_eq!(server.post("/executions/repl", body).expect(201).json["result"]["json"], 42);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    agree(&server, &row, &Stream::open(&server, &row, "?after_seq=4990", &[]).rest(), 4990);
    drop(stuck);
}

/// The session's end is the stream's end.
#[test]
fn a_closed_session_ends_its_streams() {
    let server = Server::start();
    let session = patient(&server);
    let row = server.begin(&session, "console.log('begun'); for (;;) {}");
    let stream = Stream::open(&server, &row, "", &[]);
    let rest = thread::spawn(move || stream.rest());
    let accept = [("Accept", "text/event-stream")];
    let head = server.send_with("HEAD", &format!("/executions/{}/events", id(&row)), &accept, None).expect(200);
    assert_eq!(head.text, "", "not kept waiting");
    server.send("DELETE", &format!("/sessions/{session}"), None).expect(200);
    agree(&server, &row, &rest.join().unwrap(), 0);
}
