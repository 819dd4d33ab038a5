//! The server over HTTP, database on disk: a process of its own, so that its CPU time can be told from the client's.
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use sandbox::Library;

use crate::report::{Report, median, show, timed};

const CONNECTIONS: usize = 8;

/// This very program, called as `bench serve ...`, is the server.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(dir: &Path) -> anyhow::Result<Server> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["serve", "--listen", "127.0.0.1:0", "--max-sessions", "10000"])
            .args(["--log-level", "warn"])
            .current_dir(dir)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no stdout")?).read_line(&mut line)?;
        let address = line.trim().rsplit('/').next().unwrap_or_default().to_owned();
        Ok(Server { child, address })
    }

    /// CPU time of the process so far. A tick is 10 ms.
    fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        Duration::from_millis(ticks * 10)
    }

    fn connect(&self) -> Client {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        Client { reader: BufReader::new(stream.try_clone().unwrap()), stream }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// As little of a client as will do: it shares the machine with what it measures.
struct Client {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Client {
    fn post(&mut self, path: &str, body: &str) -> anyhow::Result<String> {
        let length = body.len();
        let request =
            format!("POST /api/v1{path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{body}");
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

    fn created(&mut self, path: &str, body: &str) -> String {
        let answer = self.post(path, body).unwrap();
        // The first field of every object is its id.
        answer.strip_prefix(r#"{"id":""#).unwrap()[..36].to_owned()
    }

    fn session(&mut self, template: &str) -> String {
        let body = format!(
            r#"{{"template_id":"{template}","workspace_id":"w","base_commit_oid":"c","worktree_path":"/tmp"}}"#
        );
        self.created("/sessions", &body)
    }

    fn close(&mut self, session: &str) {
        self.post(&format!("/sessions/{session}/close"), "").unwrap();
    }

    fn repl(&mut self, session: &str, input: &str) {
        let answer = self.post("/executions/repl", &format!(r#"{{"session_id":"{session}","input":"{input}"}}"#));
        assert!(answer.unwrap().contains(r#""status":"ok""#));
    }
}

pub fn serve(report: &mut Report, dir: &Path, library: Option<&Library>) -> anyhow::Result<()> {
    report.title("HTTP, database on disk with fsync (baseline: one write and fsync of a page, or as said)");
    let place = tempfile::tempdir_in(dir)?;
    let file = std::fs::File::create(place.path().join("page"))?;
    let page = [1; 4_096];
    let fsync = |n: usize| {
        let mut at = 0;
        median(n, || {
            at += page.len() as u64;
            timed(|| file.write_all_at(&page, at).and_then(|()| file.sync_data()).unwrap()).0
        })
    };
    let before = fsync(300);
    let server = Server::start(place.path())?;
    let mut client = server.connect();
    let plain = client.created("/templates", r#"{"name":"plain"}"#);
    client.session(&plain);

    let mut sessions = Vec::new();
    let create = |client: &mut Client, template: &str, sessions: &mut Vec<String>, n: usize| {
        median(n, || {
            let (time, session) = timed(|| client.session(template));
            sessions.push(session);
            time
        })
    };
    let one = create(&mut client, &plain, &mut sessions, 500);
    let baseline = (before + fsync(300)) / 2;
    let goal = baseline.mul_f64(1.5) + Duration::from_micros(500);
    let ratio = one.as_secs_f64() / baseline.as_secs_f64();
    report.row("create a session, p50", &show(one), &show(baseline), Some(ratio), &format!("<= {}", show(goal)));

    let (rate, _) = at_once(&server, 250, |client, _| drop(client.session(&plain)));
    report.row("create a session, 8 connections", &format!("{rate:.0}/s"), "", None, "10x the ancestor's some 270/s");
    let (rate, _) = at_once(&server, 250, |client, _| {
        let session = client.session(&plain);
        client.close(&session);
    });
    report.row("create and close, 8 connections", &format!("{rate:.0}/s"), "", None, "");

    let (rate, cpu) = at_once_in_sessions(&server, &sessions, 2_000, "1+1");
    report.row("repl 1+1, 8 connections", &format!("{rate:.0}/s"), "ancestor: 37-270/s", None, ">= 1,500/s");
    report.row("server CPU per repl 1+1", &show(cpu), "ancestor: 0.55-0.7 ms", None, "<= 0.25 ms");
    let (_, cpu) = at_once_in_sessions(&server, &sessions, 30, "for (let i = 0; i < 1000; i++) console.log('line', i)");
    report.row("server CPU per 1,000 console.log", &show(cpu), "ancestor: 37 ms", None, "<= 5 ms");

    if let Some(library) = library {
        std::fs::create_dir_all(place.path().join(".vm-cache/libraries"))?;
        std::fs::write(place.path().join(".vm-cache/libraries/library-1.0.0.js"), library.source())?;
        // A file that was written just now is read again each time: it may change without a new time.
        std::thread::sleep(Duration::from_secs(3));
        let with = client.created("/templates", r#"{"name":"with","libraries":["library"]}"#);
        client.session(&with);
        // By turns, so that both see the same disk.
        let (mut plains, mut withs) = (Vec::new(), Vec::new());
        for _ in 0..5 {
            plains.push(create(&mut client, &plain, &mut sessions, 100));
            withs.push(create(&mut client, &with, &mut sessions, 100));
        }
        plains.sort();
        withs.sort();
        let ratio = withs[2].as_secs_f64() / plains[2].as_secs_f64();
        report.row("create a session with the library", &show(withs[2]), &show(plains[2]), Some(ratio), "<= 1.10x");
    }
    Ok(())
}

/// Runs `work` so many times on each of eight connections; requests a second and the server's CPU time of each.
fn at_once(server: &Server, each: usize, work: impl Fn(&mut Client, usize) + Sync) -> (f64, Duration) {
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

fn at_once_in_sessions(server: &Server, sessions: &[String], each: usize, input: &str) -> (f64, Duration) {
    at_once(server, each, |client, number| client.repl(&sessions[number], input))
}
