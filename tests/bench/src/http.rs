//! The server over HTTP, database on disk: a process of its own, so that its CPU time can be told from the client's.
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use sandbox::Library;

use crate::client::{Client, Server, at_once};
use crate::report::{Report, median, show, timed};

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
