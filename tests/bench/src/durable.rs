//! Heaps on the disk: storing them, having them leave and come back, copies, and very many of them.
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::client::{CONNECTIONS, Client, Server, at_once};
use crate::http::{at_once_in_sessions, fsync};
use crate::latency::{engine, eval, on_guest_thread, recipe, wide};
use crate::report::{Report, median, show, timed};

/// A thousand objects, and a small change to them.
const OBJECTS: &str =
    "var objects = Array.from({ length: 1000 }, (_, i) => ({ i, name: 'object ' + i })); objects.length";
const CHANGE: &str = "objects[++objects[0].i % 1000].name += '!'; objects[0].i";
/// Some 16 MB of objects.
const LARGE: &str = "var large = Array.from({ length: 120000 }, (_, i) => ({ i, name: 'object ' + i })); large.length";

pub fn measure(report: &mut Report, dir: &Path, target: &Path, slots: u32, sessions: usize) -> anyhow::Result<()> {
    report.title("durable sessions (baseline: as said)");
    snapshots(report, dir)?;
    let place = tempfile::tempdir_in(target)?;
    over_http(report, place.path())?;
    drop(place);
    let place = tempfile::tempdir_in(target)?;
    many(report, place.path(), slots, sessions)
}

/// What storing costs a guest's thread, without the disk.
fn snapshots(report: &mut Report, dir: &Path) -> anyhow::Result<()> {
    let engine = engine(dir, 10)?;
    let image = engine.image(&recipe(&[], None)?)?;
    let (first, small, pages, bytes) = on_guest_thread(&engine, move || {
        let mut sandbox = eval(image.start(wide()).unwrap(), OBJECTS);
        // The image's own pages are hashed once, by the first.
        sandbox.snapshot(Uuid::from_u128(1)).unwrap();
        sandbox.not_stored();
        let (first, whole) = timed(|| sandbox.snapshot(Uuid::from_u128(2)).unwrap());
        let (mut times, mut pages, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
        let mut heap = Some(sandbox);
        for id in 3..203 {
            let mut sandbox = eval(heap.take().unwrap(), CHANGE);
            let (time, snapshot) = timed(|| sandbox.snapshot(Uuid::from_u128(id)).unwrap());
            if snapshot.depth > 0 {
                times.push(time);
                pages.push(snapshot.pages);
                bytes.push(snapshot.bytes.len());
            }
            heap = Some(sandbox);
        }
        times.sort();
        pages.sort_unstable();
        bytes.sort_unstable();
        let middle = times.len() / 2;
        ((first, whole.pages, whole.bytes.len()), times[middle], pages[middle], bytes[middle])
    });
    let (time, whole_pages, whole_bytes) = first;
    let size = format!("{whole_pages} pages, {} KB", whole_bytes >> 10);
    report.row("snapshot of 1,000 objects, whole", &show(time), "", None, &size);
    let ratio = Some(small.as_secs_f64() / time.as_secs_f64());
    let goal = format!("<= 1 ms; {pages} pages, {} KB", bytes >> 10);
    report.row("snapshot after a small change", &show(small), &show(time), ratio, &goal);
    Ok(())
}

fn template(client: &mut Client, name: &str, durability: &str) -> String {
    let settings =
        format!(r#"{{"runtime":{{"durability":"{durability}"}},"limits":{{"cpu_ms":60000,"wall_ms":60000}}}}"#);
    client.created("/templates", &format!(r#"{{"name":"{name}","settings":{settings}}}"#))
}

fn over_http(report: &mut Report, place: &Path) -> anyhow::Result<()> {
    let disk = fsync(place, 300)?;
    let server = Server::start(place, &[])?;
    let mut client = server.connect();
    let templates = ["none", "checkpoint", "every"].map(|kept| template(&mut client, kept, kept));
    let [none, _, every] = &templates;

    // By turns, so that both see the same disk.
    let sessions = [none, every].map(|template| client.session(template));
    sessions.iter().for_each(|session| client.repl(session, OBJECTS));
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..500 {
        for (session, times) in sessions.iter().zip(&mut times) {
            times.push(timed(|| client.repl(session, CHANGE)).0);
        }
    }
    let [plain, kept] = times.map(|mut times| {
        times.sort();
        times[times.len() / 2]
    });
    let ratio = |figure: Duration, baseline: Duration| Some(figure.as_secs_f64() / baseline.as_secs_f64());
    let goal = format!("<= 1 ms and an fsync ({})", show(disk));
    report.row("a small change, stored with its answer", &show(kept), &show(plain), ratio(kept, plain), &goal);
    for (template, kept) in templates.iter().zip(["none", "checkpoint", "every"]) {
        let sessions: Vec<String> = (0..CONNECTIONS).map(|_| client.session(template)).collect();
        at_once_in_sessions(&server, &sessions, 50, "1+1");
        let (rate, cpu) = at_once_in_sessions(&server, &sessions, 1_000, "1+1");
        report.row(
            &format!("repl 1+1, 8 connections, durability {kept}"),
            &format!("{rate:.0}/s"),
            &show(cpu),
            None,
            ">= 1,500/s, <= 0.25 ms of CPU",
        );
    }

    let session = &sessions[1];
    let path = |verb: &str| format!("/sessions/{session}/{verb}");
    let live = median(300, || timed(|| client.repl(session, CHANGE)).0);
    let (mut leave, mut back) = (Vec::new(), Vec::new());
    for _ in 0..300 {
        leave.push(timed(|| client.post(&path("hibernate"), "{}").unwrap()).0);
        back.push(timed(|| client.repl(session, CHANGE)).0);
    }
    leave.sort();
    back.sort();
    let (leave, back) = (leave[leave.len() / 2], back[back.len() / 2]);
    report.row("hibernate, p50", &show(leave), &show(live), ratio(leave, live), "<= 2 ms");
    report.row("resume to the first answer, p50", &show(back), &show(live), ratio(back, live), "<= 2 ms");
    let fork = median(300, || timed(|| client.post(&path("fork"), "{}").unwrap()).0);
    report.row("fork, p50 (baseline: an fsync)", &show(fork), &show(disk), ratio(fork, disk), "<= 1 ms");

    let large = client.session(every);
    client.repl(&large, LARGE);
    let live = median(20, || timed(|| client.repl(&large, "large.length")).0);
    let back = median(20, || {
        client.post(&format!("/sessions/{large}/hibernate"), "{}").unwrap();
        timed(|| client.repl(&large, "large.length")).0
    });
    report.row("resume 16 MB to the first answer", &show(back), &show(live), ratio(back, live), "<= 30 ms");
    Ok(())
}

/// As many as there may be, nearly all of them on the disk.
fn many(report: &mut Report, place: &Path, slots: u32, count: usize) -> anyhow::Result<()> {
    let flags = ["--max-sessions", &slots.to_string()];
    let server = Server::start(place, &flags)?;
    let mut client = server.connect();
    let kept = template(&mut client, "kept", "every");
    let first = client.session(&kept);
    client.repl(&first, "1");
    let (started, each) = (Instant::now(), count / CONNECTIONS);
    let sessions = std::sync::Mutex::new(Vec::with_capacity(count));
    at_once(&server, each, |client, _| {
        let session = client.session(&kept);
        client.repl(&session, "var n = 40; function f() { return ++n } f()");
        sessions.lock().unwrap().push(session);
    });
    let made = started.elapsed() / (each * CONNECTIONS) as u32;
    drop(client);
    server.kill();
    let bytes = std::fs::metadata(place.join("vm-system.db"))?.len();
    let figure = format!("{:.1} KB", bytes as f64 / count as f64 / 1e3);
    let row = format!("<= 60 KB each; {} to make one and run it", show(made));
    report.row(&format!("{count} sessions on the disk"), &figure, "", None, &row);

    let empty = tempfile::tempdir_in(place)?;
    let sessions = sessions.into_inner().unwrap();
    let fresh = {
        let server = Server::start(empty.path(), &[])?;
        let mut client = server.connect();
        let template = template(&mut client, "kept", "every");
        let session = client.session(&template);
        client.repl(&session, "1");
        server.resident()
    };
    let (time, server) = timed(|| Server::start(place, &flags));
    let server = server?;
    let mut client = server.connect();
    let (answer, ()) = timed(|| client.repl(sessions.last().unwrap(), "if (f() !== 42) throw 'lost'; n"));
    report.row(
        &format!("restart with {count} sessions"),
        &show(time),
        "",
        None,
        &format!("<= 2 s; first answer {}", show(answer)),
    );
    let held = server.resident();
    let figure = format!("{:.0} B each", held.saturating_sub(fresh) as f64 / count as f64);
    report.row("resident memory with them", &figure, &format!("{} MB without", fresh >> 20), None, "<= 200 B");

    // All over the disk, until every slot has had another session twice.
    let (next, stride) = (AtomicUsize::new(0), sessions.len() / 997 * 2 + 1);
    let each = (3 * slots as usize).min(sessions.len() - 1) / CONNECTIONS;
    let (rate, cpu) = at_once(&server, each, |client, _| {
        let at = next.fetch_add(1, Ordering::Relaxed);
        client.repl(&sessions[at * stride % (sessions.len() - 1)], "if (!(f() >= 42)) throw 'lost'; n");
    });
    let row = format!("{} of CPU each; {} MB private", show(cpu), server.private() >> 20);
    report.row(
        &format!("waking others in {slots} slots, {CONNECTIONS} connections"),
        &format!("{rate:.0}/s"),
        "",
        None,
        &row,
    );
    Ok(())
}
