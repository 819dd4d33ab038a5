//! The server over HTTP, database on disk: a process of its own, so that its CPU time can be told from the client's.
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use sandbox::Library;

use crate::client::{Client, Server, at_once};
use crate::report::{Report, median, show, timed};

/// Medians of creating sessions of two templates, by turns, so that both see the same disk.
fn by_turns(client: &mut Client, one: &str, other: &str) -> (Duration, Duration) {
    let mut create = |template: &str| median(100, || timed(|| client.session(template)).0);
    let (mut ones, mut others): (Vec<_>, Vec<_>) = (0..5).map(|_| (create(one), create(other))).unzip();
    ones.sort();
    others.sort();
    (ones[2], others[2])
}

pub fn serve(report: &mut Report, dir: &Path, library: Option<&Library>) -> anyhow::Result<()> {
    report.title("HTTP, database on disk with fsync (baseline: one write and fsync of a page, or as said)");
    let place = tempfile::tempdir_in(dir)?;
    let before = fsync(place.path(), 300)?;
    let server = Server::start(place.path(), &["--max-sessions", "10000"])?;
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
    let baseline = (before + fsync(place.path(), 300)?) / 2;
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
        let (with, without) = by_turns(&mut client, &with, &plain);
        let ratio = with.as_secs_f64() / without.as_secs_f64();
        report.row("create a session with the library", &show(with), &show(without), Some(ratio), "<= 1.10x");
    }
    let engine = crate::latency::engine(place.path(), 1)?;
    // `exec` is there once an operator allows programs, `echo` in benchmarks alone.
    let listed = |name: &&str| !["exec", "echo"].contains(name);
    let all: Vec<&str> = engine.registry().modules().map(|module| module.name).filter(listed).collect();
    let all = client.created("/templates", &serde_json::json!({ "name": "all", "modules": all }).to_string());
    client.session(&all);
    let (with, without) = by_turns(&mut client, &all, &plain);
    let ratio = with.as_secs_f64() / without.as_secs_f64();
    report.row("create a session with every module", &show(with), &show(without), Some(ratio), "<= 1.3x");
    drop((client, server));
    let place = tempfile::tempdir_in(dir)?;
    waiting(report, place.path())
}

/// Threads of a server whose sessions wait for a timer.
fn waiting(report: &mut Report, place: &Path) -> anyhow::Result<()> {
    let server = Server::start(place, &["--max-sessions", "10100", "--idle-ms", "0"])?;
    let settings = r#"{"limits":{"wall_ms":60000},"runtime":{"durability":"none"}}"#;
    let template = server.connect().created("/templates", &format!(r#"{{"name":"waits","settings":{settings}}}"#));
    let begin = |each| {
        at_once(&server, each, |client, _| {
            let session = client.session(&template);
            client.begin(&session, "await new Promise((resolve) => setTimeout(resolve, 50000))");
        });
        server.threads()
    };
    let (few, many) = (begin(2), begin(1_250));
    let ratio = Some(many as f64 / few as f64);
    report.row(
        "threads, 10,016 sessions that wait for a timer",
        &many.to_string(),
        &format!("{few} with 16"),
        ratio,
        "no more",
    );
    Ok(())
}

/// A write of a page and its way to the disk, the median of `n`.
pub fn fsync(dir: &Path, n: usize) -> anyhow::Result<Duration> {
    let file = std::fs::File::create(dir.join("page"))?;
    let (page, mut at) = ([1; 4_096], 0);
    Ok(median(n, || {
        at += page.len() as u64;
        timed(|| file.write_all_at(&page, at).and_then(|()| file.sync_data()).unwrap()).0
    }))
}

pub fn at_once_in_sessions(server: &Server, sessions: &[String], each: usize, input: &str) -> (f64, Duration) {
    at_once(server, each, |client, number| client.repl(&sessions[number], input))
}
