//! Image builds, session start, warm eval, host calls.
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{Limits, ModuleName};
use sandbox::{Config, ECHO, Engine, Image, Library, Mode, Outcome, Recipe, Sandbox, Script, Setup, Stop};

use crate::report::{Report, median, show, timed};

/// An engine with the echo module, on `dir`.
pub fn engine(dir: &Path, sessions_max: u32) -> anyhow::Result<Engine> {
    Ok(Engine::new(Config { data_dir: dir.to_owned(), sessions_max, modules: vec![&ECHO], ..Config::default() })?)
}

pub fn recipe(modules: &[&str], library: Option<&Library>) -> anyhow::Result<Recipe> {
    let modules = modules.iter().map(|name| ModuleName::parse(name)).collect::<Result<_, _>>()?;
    Ok(Recipe { modules, libraries: library.cloned().into_iter().collect() })
}

/// Limits that no benchmark meets.
pub fn wide() -> Setup {
    let limits = Limits { cpu_ms: 3_600_000, wall_ms: 3_600_000, mem_mb: 256, ..Limits::default() };
    Setup::new(limits, None)
}

/// Runs `job` on a guest thread and waits.
pub fn on_guest_thread<T: Send + 'static>(engine: &Engine, job: impl FnOnce() -> T + Send + 'static) -> T {
    let (send, receive) = std::sync::mpsc::channel();
    engine.spawn(move || {
        let _ = send.send(job());
    });
    receive.recv().unwrap()
}

pub fn eval(sandbox: Sandbox, source: &str) -> Sandbox {
    let script = Script { prologue: "", source, name: "bench.js", mode: Mode::Script };
    let ran = sandbox.run(script, &Stop::default(), Box::new(|_| {})).done().unwrap();
    match ran.outcome {
        Outcome::Value(value) => drop(black_box(value)),
        Outcome::Exception(thrown) => panic!("{source}: {}", thrown.message),
    }
    ran.sandbox.unwrap()
}

pub fn images(report: &mut Report, library: Option<&Library>) -> anyhow::Result<()> {
    report.title("image (baseline: reading the built image back from disk)");
    let cold = tempfile::tempdir()?;
    let (cold_time, first) = timed(|| engine(cold.path(), 10));
    drop(first?);
    let (disk_time, engine) = timed(|| engine(cold.path(), 10));
    let engine = engine?;
    // Another recipe on the warm function cache, each time a new one.
    let mut number = 0;
    let warm = median(5, || {
        number += 1;
        let source = format!("globalThis.warm = {number}; 0");
        let mut recipe = recipe(&["echo"], library).unwrap();
        recipe.libraries.push(Library::new("warm.js", source));
        timed(|| engine.image(&recipe).unwrap()).0
    });
    let baseline = show(disk_time);
    report.row("first image and engine, nothing cached", &show(cold_time), &baseline, ratio(cold_time, disk_time), "");
    report.row("image with warm function cache", &show(warm), &baseline, ratio(warm, disk_time), "<= 1 s");
    Ok(())
}

fn ratio(figure: Duration, baseline: Duration) -> Option<f64> {
    Some(figure.as_secs_f64() / baseline.as_secs_f64())
}

pub fn sessions(report: &mut Report, dir: &Path, library: Option<&Library>) -> anyhow::Result<()> {
    report.title("session (baseline: starting and joining an operating-system thread)");
    let engine = engine(dir, 400)?;
    let thread = median(500, || timed(|| std::thread::spawn(|| {}).join().unwrap()).0);
    let mut images = vec![("plain", engine.image(&recipe(&[], None)?)?)];
    if library.is_some() {
        images.push(("with the library", engine.image(&recipe(&[], library)?)?));
    }
    for (name, image) in images {
        let neighbours: Vec<Sandbox> = (0..200).map(|_| image.start(wide())).collect::<Result<_, _>>()?;
        let measured = image.clone();
        let [start, first, drop, rate] = on_guest_thread(&engine, move || start_and_stop(&measured));
        drop_all(neighbours);
        let both = start + first;
        let baseline = show(thread);
        report.row(&format!("instantiate, {name}"), &show(start), &baseline, ratio(start, thread), "");
        report.row(
            &format!("instantiate + first eval, {name}"),
            &show(both),
            &baseline,
            ratio(both, thread),
            "<= 25 us",
        );
        report.row(&format!("drop, {name}"), &show(drop), &baseline, ratio(drop, thread), "");
        let per_second = format!("{:.0}/s", 1.0 / rate.as_secs_f64());
        report.row(&format!("create + eval + destroy, {name}"), &per_second, &baseline, ratio(rate, thread), "");
    }
    let image = engine.image(&recipe(&[], None)?)?;
    let warm = on_guest_thread(&engine, move || {
        let mut sandbox = Some(eval(image.start(wide()).unwrap(), "let x = 1; x"));
        median(5_000, || {
            let (time, back) = timed(|| eval(sandbox.take().unwrap(), "1+1"));
            sandbox = Some(back);
            time
        })
    });
    report.row("warm eval of 1+1", &show(warm), &show(thread), ratio(warm, thread), "<= 6 us");
    Ok(())
}

fn drop_all(sandboxes: Vec<Sandbox>) {
    for sandbox in sandboxes {
        drop(sandbox);
    }
}

/// Medians of instantiate, first eval, drop, and the mean of all three together.
fn start_and_stop(image: &Arc<Image>) -> [Duration; 4] {
    const ROUNDS: usize = 2_000;
    let (mut start, mut first, mut stop) = (Vec::new(), Vec::new(), Vec::new());
    let began = Instant::now();
    for _ in 0..ROUNDS {
        let (time, sandbox) = timed(|| image.start(wide()).unwrap());
        start.push(time);
        let (time, sandbox) = timed(|| eval(sandbox, "1+1"));
        first.push(time);
        stop.push(timed(|| drop(sandbox)).0);
    }
    let all = began.elapsed() / ROUNDS as u32;
    let middle = |mut times: Vec<Duration>| {
        times.sort();
        times[times.len() / 2]
    };
    [middle(start), middle(first), middle(stop), all]
}

pub fn host_calls(report: &mut Report, dir: &Path) -> anyhow::Result<()> {
    report.title("host call, a call (baseline: a call of a JavaScript function in the same loop)");
    let engine = engine(dir, 10)?;
    let image = engine.image(&recipe(&["echo"], None)?)?;
    let cases = [
        ("no parameters", "f()", "echo.nop", 100_000, ""),
        ("two s32, one s32 back", "f(i, 1)", "echo.add", 100_000, "<= 0.4 us"),
        ("10-byte string and back", "f('abcdefghij')", "echo.text", 100_000, "<= 0.6 us"),
        ("64 KiB string and back", "f(big)", "echo.text", 500, ""),
        ("record with a list", "f({xPos: 1, yPos: 2, tags: ['a']})", "echo.echoPoint", 30_000, ""),
    ];
    let results = on_guest_thread(&engine, move || {
        let prepare = "const echo = require('echo'), big = 'x'.repeat(65536), plain = (a, b) => a; 0";
        let mut sandbox = Some(eval(image.start(wide()).unwrap(), prepare));
        let mut per_call = |function: &str, call: &str, count: u32| {
            let source =
                format!("(function () {{ const f = {function}; for (let i = 0; i < {count}; i++) {call} }})()");
            let run = |source: &str, sandbox: &mut Option<Sandbox>| {
                let (time, back) = timed(|| eval(sandbox.take().unwrap(), source));
                *sandbox = Some(back);
                time
            };
            median(9, || run(&source, &mut sandbox)) / count
        };
        cases.map(|(name, call, function, count, goal)| {
            (name, per_call(function, call, count), per_call("plain", call, count), goal)
        })
    });
    for (name, figure, baseline, goal) in results {
        report.row(name, &show(figure), &show(baseline), ratio(figure, baseline), goal);
    }
    Ok(())
}
