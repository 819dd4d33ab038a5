//! What scripts do through modules: a call through a facade, timers, files, fetching, and what a long list costs at the start.
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use model::{Grant, ModuleName};
use sandbox::{Config, Engine, Image, Mode, Outcome, Policy, Recipe, Root, Sandbox, Script, Setup, Stop};
use serde_json::value::RawValue;

use crate::latency::{eval, on_guest_thread, wide};
use crate::report::{Report, median, show, timed};

const FILE_BYTES: usize = 10 << 20;
const FETCHES: u32 = 1_000;
const STARTS: u32 = 3_000;

fn engine(dir: &Path) -> anyhow::Result<Engine> {
    let mut policy = Policy::default();
    policy.private_networks = vec!["127.0.0.0/8".parse()?];
    Ok(Engine::new(Config { data_dir: dir.to_owned(), sessions_max: 400, policy, ..Config::default() })?)
}

fn image(engine: &Engine, modules: &[&str]) -> anyhow::Result<Arc<Image>> {
    let modules = modules.iter().map(|name| ModuleName::parse(name)).collect::<Result<_, _>>()?;
    Ok(engine.image(&Recipe { modules, libraries: Vec::new() })?)
}

/// Runs a script that may wait, and answers with its value.
fn run(engine: &Engine, sandbox: Sandbox, source: &str) -> (Sandbox, String) {
    let (send, ran) = std::sync::mpsc::channel();
    let source = source.to_owned();
    let first = move || {
        let script = Script { prologue: "", source: &source, name: "bench.js", mode: Mode::Script };
        sandbox.run(script, &Stop::default(), Box::new(|_| {}))
    };
    engine.run(first, move |ran| drop(send.send(ran)));
    let ran = ran.recv().unwrap();
    match ran.outcome {
        Outcome::Value(value) => (ran.sandbox.unwrap(), value.preview),
        Outcome::Exception(thrown) => panic!("{}", thrown.message),
    }
}

fn grant(name: &str, config: String) -> anyhow::Result<Grant> {
    Ok(Grant { name: ModuleName::parse(name)?, config: RawValue::from_string(config)? })
}

fn ratio(figure: Duration, baseline: Duration) -> Option<f64> {
    Some(figure.as_secs_f64() / baseline.as_secs_f64())
}

/// CPU time of this process, of threads that are gone by now, too.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

/// Answers every request on a connection with the same few bytes.
fn serve() -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let _ = stream.set_nodelay(true);
                let mut lines = BufReader::new(stream.try_clone().unwrap());
                let mut stream = stream;
                let mut line = String::new();
                while lines.read_line(&mut line).is_ok_and(|read| read > 0) {
                    if line == "\r\n" {
                        let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{\"ok\":true}";
                        if stream.write_all(answer).is_err() {
                            return;
                        }
                    }
                    line.clear();
                }
            });
        }
    });
    Ok(address)
}

pub fn measure(report: &mut Report, dir: &Path) -> anyhow::Result<()> {
    let engine = engine(dir)?;
    let root = tempfile::tempdir()?;
    std::fs::write(root.path().join("big"), vec![b'x'; FILE_BYTES])?;
    let start = |image: &Arc<Image>, grants| -> anyhow::Result<Sandbox> {
        let setup = Setup { grants, root: Some(Root::open(root.path())?), ..wide() };
        Ok(image.start(setup)?)
    };

    report.title("modules (baseline: as named)");
    let all: Vec<&str> = engine.registry().modules().map(|module| module.name).collect();
    let [empty, full] = begin(&engine, [&image(&engine, &[])?, &image(&engine, &all)?]);
    report.row(
        &format!("start + first eval, all {} modules listed (a session without)", all.len()),
        &show(full),
        &show(empty),
        ratio(full, empty),
        "<= 1.3x",
    );

    let calls = image(&engine, &["env", "fs"])?;
    let sandbox = start(&calls, Vec::new())?;
    let per_call = |call: &'static str, sandbox: Sandbox| {
        on_guest_thread(&engine, move || {
            let mut sandbox = Some(eval(sandbox, "var fs = require('fs'), env = require('env'), plain = (a) => a; 0"));
            let source = format!("(function () {{ for (let i = 0; i < 20000; i++) {call} }})()");
            let time = median(9, || {
                let (time, back) = timed(|| eval(sandbox.take().unwrap(), &source));
                sandbox = Some(back);
                time
            });
            (time / 20_000, sandbox.unwrap())
        })
    };
    let (plain, sandbox) = per_call("plain('x')", sandbox);
    let (has, sandbox) = per_call("env.has('x')", sandbox);
    let (exists, sandbox) = per_call("fs.existsSync('big')", sandbox);
    report.row(
        "env.has() through its facade (a JavaScript call)",
        &show(has),
        &show(plain),
        ratio(has, plain),
        "<= 1.5 us",
    );
    let stat = median(999, || timed(|| root.path().join("big").exists()).0);
    report.row("fs.existsSync() (stat in Rust)", &show(exists), &show(stat), ratio(exists, stat), "");

    let mut sandbox = Some(sandbox);
    let plain = median(9, || timed(|| std::fs::read(root.path().join("big")).unwrap().len()).0);
    for (name, source) in [
        ("fs.readFileSync of 10 MB, bytes", "fs.readFileSync('big', 'buffer').length"),
        ("fs.readFileSync of 10 MB, text", "fs.readFileSync('big').length"),
        ("fs.promises.readFile of 10 MB, bytes", "(await fs.promises.readFile('big', 'buffer')).length"),
    ] {
        let time = median(9, || {
            let (time, (back, length)) = timed(|| run(&engine, sandbox.take().unwrap(), source));
            assert_eq!(length, FILE_BYTES.to_string());
            sandbox = Some(back);
            time
        });
        report.row(&format!("{name} (a plain read)"), &show(time), &show(plain), ratio(time, plain), "<= 3x");
    }

    let sleepers = "await Promise.all(Array.from({ length: 1000 }, () => new Promise((r) => setTimeout(r, 100)))); 0";
    let (time, _) = timed(|| run(&engine, sandbox.take().unwrap(), sleepers));
    let hundred = Duration::from_millis(100);
    report.row("1,000 parallel sleeps of 100 ms (one)", &show(time), &show(hundred), ratio(time, hundred), "<= 150 ms");

    fetching(report, &engine)
}

/// Only what fetching costs.
pub fn fetches(report: &mut Report, dir: &Path) -> anyhow::Result<()> {
    report.title("fetch (baseline: as named)");
    fetching(report, &engine(dir)?)
}

fn fetching(report: &mut Report, engine: &Engine) -> anyhow::Result<()> {
    let address = serve()?;
    let url = format!("http://{address}/x");
    let origin = format!(r#"{{"origins":["http://{address}"],"private":true}}"#);
    let setup = Setup { grants: vec![grant("fetch", origin)?], ..wide() };
    let sandbox = image(engine, &["fetch"])?.start(setup)?;
    let source = format!(
        "for (let i = 0; i < {FETCHES}; i++) {{ const r = await fetch('{url}'); if (!(await r.json()).ok) throw 1; }} 0"
    );
    // The first one connects.
    let (sandbox, _) = run(engine, sandbox, &format!("await (await fetch('{url}')).json(); 0"));
    let before = cpu();
    let (time, _) = timed(|| run(engine, sandbox, &source));
    let ours = (cpu() - before) / FETCHES;
    // The library that `fetch` is made of, on a runtime as it has there: what it costs alone is none of our doing.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let library = Client::builder(TokioExecutor::new()).build::<_, Empty<Bytes>>(HttpConnector::new());
    let uri: hyper::Uri = url.parse()?;
    let get = async || {
        let answer = library.get(uri.clone()).await.unwrap();
        assert!(!answer.into_body().collect().await.unwrap().to_bytes().is_empty());
    };
    runtime.block_on(get());
    let before = cpu();
    let (client_time, ()) = timed(|| {
        for _ in 0..FETCHES {
            runtime.block_on(get());
        }
    });
    let client = (cpu() - before) / FETCHES;
    let above = ours.saturating_sub(client);
    report.row(
        "fetch on loopback, CPU (the client library alone)",
        &show(ours),
        &show(client),
        ratio(ours, client),
        "",
    );
    report.row("fetch on loopback, CPU above the client library", &show(above), &show(client), None, "<= 100 us");
    let (each, client) = (time / FETCHES, client_time / FETCHES);
    report.row("fetch on loopback, elapsed", &show(each), &show(client), ratio(each, client), "");
    Ok(())
}

/// Median of instantiate and first eval.
fn begin(engine: &Engine, images: [&Arc<Image>; 2]) -> [Duration; 2] {
    let images = images.map(Arc::clone);
    on_guest_thread(engine, move || {
        let mut times = [const { Vec::new() }; 2];
        // In turn: whatever else the machine does meets both.
        for _ in 0..STARTS {
            for (image, times) in images.iter().zip(&mut times) {
                let began = Instant::now();
                let sandbox = eval(image.start(wide()).unwrap(), "1+1");
                times.push(began.elapsed());
                drop(sandbox);
            }
        }
        times.map(|mut times| {
            times.sort();
            times[times.len() / 2]
        })
    })
}
