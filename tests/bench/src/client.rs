//! A server of its own process, and a client of it.
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};

/// How many speak to a server at once.
pub const CONNECTIONS: usize = 8;

/// This very program, called as `bench serve ...`, is the server.
pub struct Server {
    child: Child,
    address: String,
}

impl Server {
    pub fn start(dir: &Path, flags: &[&str]) -> anyhow::Result<Server> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["serve", "--listen", "127.0.0.1:0", "--log-level", "warn"])
            .args(flags)
            .current_dir(dir)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no stdout")?).read_line(&mut line)?;
        let address = line.trim().rsplit('/').next().unwrap_or_default().to_owned();
        Ok(Server { child, address })
    }

    /// CPU time of the process so far. A tick is 10 ms.
    pub fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        Duration::from_millis(ticks * 10)
    }

    /// What it holds in memory, bytes.
    pub fn resident(&self) -> u64 {
        self.status("VmRSS:") << 10
    }

    /// The same without what is shared, such as the images that its sessions map.
    pub fn private(&self) -> u64 {
        self.status("RssAnon:") << 10
    }

    pub fn threads(&self) -> u64 {
        self.status("Threads:")
    }

    fn status(&self, field: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(field)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    pub fn connect(&self) -> Client {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        Client { reader: BufReader::new(stream.try_clone().unwrap()), stream }
    }
}

impl Server {
    /// Ends it as the machine would.
    pub fn kill(self) {}
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// As little of a client as will do: it shares the machine with what it measures.
pub struct Client {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Client {
    pub fn post(&mut self, path: &str, body: &str) -> anyhow::Result<String> {
        self.send(path, "", body)
    }

    fn send(&mut self, path: &str, headers: &str, body: &str) -> anyhow::Result<String> {
        let length = body.len();
        let request = format!(
            "POST /api/v1{path} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
        );
        self.stream.write_all(request.as_bytes())?;
        let (mut line, mut length, mut status) = (String::new(), 0, String::new());
        loop {
            line.clear();
            self.reader.read_line(&mut line)?;
            let text = line.trim_end();
            if status.is_empty() {
                status = text.to_owned();
            }
            if let Some(value) = text.strip_prefix("content-length: ") {
                length = value.parse()?;
            }
            if text.is_empty() {
                break;
            }
        }
        let mut bytes = vec![0; length];
        self.reader.read_exact(&mut bytes)?;
        let answer = String::from_utf8(bytes)?;
        if status.contains(" 20") { Ok(answer) } else { Err(anyhow!("{path}: {status} {answer}")) }
    }

    pub fn created(&mut self, path: &str, body: &str) -> String {
        let answer = self.post(path, body).unwrap();
        // The first field of every object is its id.
        answer.strip_prefix(r#"{"id":""#).unwrap()[..36].to_owned()
    }

    pub fn session(&mut self, template: &str) -> String {
        let body = format!(
            r#"{{"template_id":"{template}","workspace_id":"w","base_commit_oid":"c","worktree_path":"/tmp"}}"#
        );
        self.created("/sessions", &body)
    }

    pub fn close(&mut self, session: &str) {
        self.post(&format!("/sessions/{session}/close"), "").unwrap();
    }

    /// Begins an execution and does not wait for it.
    pub fn begin(&mut self, session: &str, input: &str) {
        let body = format!(r#"{{"session_id":"{session}","input":"{input}"}}"#);
        self.send("/executions/repl", "Prefer: respond-async\r\n", &body).unwrap();
    }

    pub fn repl(&mut self, session: &str, input: &str) {
        let answer = self.post("/executions/repl", &format!(r#"{{"session_id":"{session}","input":"{input}"}}"#));
        assert!(answer.unwrap().contains(r#""status":"ok""#));
    }
}

/// Runs `work` so many times on each of eight connections; requests a second and the server's CPU time of each.
pub fn at_once(server: &Server, each: usize, work: impl Fn(&mut Client, usize) + Sync) -> (f64, Duration) {
    let (cpu, started) = (server.cpu(), Instant::now());
    std::thread::scope(|scope| {
        for number in 0..CONNECTIONS {
            let work = &work;
            scope.spawn(move || {
                let mut client = server.connect();
                for _ in 0..each {
                    work(&mut client, number);
                }
            });
        }
    });
    let count = (CONNECTIONS * each) as u32;
    (f64::from(count) / started.elapsed().as_secs_f64(), (server.cpu() - cpu) / count)
}
