//! A web server of the tests' own, on the loopback: it counts who connects, and answers in awkward ways.
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// A server; its threads end with the process.
pub struct Web {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Web {
    pub fn start() -> Web {
        Web::at("127.0.0.1")
    }

    /// On another address of this machine.
    pub fn at(address: &str) -> Web {
        let listener = TcpListener::bind((address, 0)).unwrap();
        let web = Web { address: listener.local_addr().unwrap(), connections: Arc::default(), heads: Arc::default() };
        let (connections, heads) = (web.connections.clone(), web.heads.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                connections.fetch_add(1, Ordering::SeqCst);
                let (heads, stream) = (heads.clone(), stream.unwrap());
                thread::spawn(move || serve(stream, &heads));
            }
        });
        web
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The heads of all requests so far.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

fn serve(stream: TcpStream, heads: &Mutex<Vec<String>>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut out = stream;
    for request in 0.. {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        heads.lock().unwrap().push(head.clone());
        let mut lines = head.lines();
        let mut first = lines.next()?.split(' ');
        let (method, target) = (first.next()?, first.next()?);
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let length = headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, v)| v.parse().unwrap());
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        // An idle connection that is closed when the next request comes.
        if target == "/once" && request > 0 {
            return None;
        }
        answer(&mut out, method, target, &headers, &body)?;
    }
    None
}

/// `/what?argument`.
fn answer(out: &mut TcpStream, method: &str, target: &str, headers: &[(String, String)], body: &[u8]) -> Option<()> {
    let (path, argument) = target.split_once('?').unwrap_or((target, ""));
    let number = || argument.parse::<usize>().unwrap();
    let mut send = |status: &str, more: &str, body: &[u8]| {
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{more}\r\n", body.len());
        let body = if method == "HEAD" { &[] } else { body };
        out.write_all(&[head.as_bytes(), body].concat()).ok()
    };
    match path {
        "/hello" | "/once" => send("200 OK", "content-type: text/plain\r\n", b"hello"),
        "/echo" => {
            let headers: serde_json::Map<String, Value> =
                headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
            let echo = json!({ "method": method, "target": target, "headers": headers, "body": String::from_utf8_lossy(body) });
            let auth = headers.get("authorization").and_then(Value::as_str).unwrap_or("none");
            let more =
                format!("content-type: application/json\r\nx-echo: {auth}\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n");
            send(&format!("200 Fine {auth}"), &more, echo.to_string().as_bytes())
        }
        "/status" => send(&format!("{argument} Whatever"), "", b""),
        // `status,location`
        "/redirect" => {
            let (status, location) = argument.split_once(',').unwrap();
            send(&format!("{status} Elsewhere"), &format!("location: {location}\r\n"), b"")
        }
        // Sends what authorizes the request along in the address.
        "/leak" => {
            let auth = headers.iter().find(|(name, _)| name == "authorization").map_or("none", |(_, value)| value);
            let auth = auth.replace(' ', "%20");
            send("302 Found", &format!("location: {}{auth}\r\n", argument.replace("%3F", "?")), b"")
        }
        "/loop" => send("302 Found", &format!("location: /loop?{}\r\n", number() + 1), b""),
        "/big" => send("200 OK", "", &vec![b'x'; number()]),
        "/head" => send("200 OK", &format!("x-long: {}\r\n", "v".repeat(number())), b""),
        "/gzip" => send("200 OK", "content-encoding: gzip\r\n", &gzip(&vec![b'x'; number()])),
        "/not-gzip" => send("200 OK", "content-encoding: gzip\r\n", b"this is no gzip"),
        "/slow" => {
            thread::sleep(Duration::from_millis(number() as u64));
            send("200 OK", "", b"at last")
        }
        "/chunks" => {
            out.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").ok()?;
            for at in 0..number() {
                let text = format!("chunk {at};");
                out.write_all(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes()).ok()?;
                thread::sleep(Duration::from_millis(20));
            }
            out.write_all(b"0\r\n\r\n").ok()
        }
        // So many bytes a piece, for ever.
        "/endless" => {
            out.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").ok()?;
            let piece = "y".repeat(number());
            loop {
                out.write_all(format!("{:x}\r\n{piece}\r\n", piece.len()).as_bytes()).ok()?;
                thread::sleep(Duration::from_millis(5));
            }
        }
        "/cut" => {
            out.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\nonly this").ok()?;
            None
        }
        "/close" => None,
        "/garbage" => {
            out.write_all(b"SSH-2.0-OpenSSH_9.0\r\n\r\n").ok()?;
            None
        }
        _ => send("404 Not Found", "", b"no such page"),
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
