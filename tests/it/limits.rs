//! Every limit ends a script with its own code, in time, and harms nobody else. What is hostile here is data: one list
//! of scripts, run through the command line and over HTTP.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Ran, Server, run_js, shared_images, vm_in, warm};

/// How late a stop may come by the clock: tests share two cores with each other.
const SLACK: Duration = Duration::from_millis(1_000);
/// The same for CPU time, which other processes use up less of: twice the 50 ms that are promised.
const CPU_SLACK_US: u64 = 100_000;

/// Scripts that don't end by themselves: name and source. Each only burns CPU.
pub const ENDLESS: &[(&str, &str)] = &[
    ("loop", "for (;;) {}"),
    ("while with work", "let i = 0; while (true) { i = (i * 31 + 7) | 0; }"),
    ("caught loop", "for (;;) { try { for (;;) {} } catch {} }"),
    ("finally loop", "(function f() { try { for (;;) {} } finally { f(); } })()"),
    ("regexp bomb", "/^(a+)+$/.test('a'.repeat(40) + 'b')"),
    ("regexp replace", "'a'.repeat(40).replace(/(a*)*b/g, '')"),
    ("microtask storm", "(function f() { Promise.resolve().then(f); })()"),
    ("async storm", "(async () => { for (;;) await null; })()"),
    ("awaited storm", "for (;;) await null;"),
    ("queueMicrotask storm", "(function f() { queueMicrotask(f); queueMicrotask(() => {}); })()"),
    ("sort callback", "[3, 2, 1].sort(() => { for (;;) {} })"),
    ("sort of nonsense", "for (;;) new Array(1e5).fill(0).map((_, i) => i).sort(() => 1)"),
    ("replace callback", "'abc'.replace(/./g, () => { for (;;) {} })"),
    ("getter", "({ get x() { for (;;) {} } }).x"),
    ("toString", "`${{ toString() { for (;;) {} } }}`"),
    ("toString of the result", "({ toString() { for (;;) {} } })"),
    ("toJSON of the result", "({ toJSON() { for (;;) {} } })"),
    (
        "getter on the console",
        "console.log(new Proxy({}, { ownKeys() { for (;;) {} }, get() { for (;;) {} } })); for (;;) {}",
    ),
    ("thrown getter", "throw Object.defineProperty(new Error(), 'message', { get() { for (;;) {} } })"),
    (
        "deep JSON.stringify",
        "let o = {}; for (let i = 0; i < 200000; i++) o = { o }; for (;;) try { JSON.stringify(o) } catch {}",
    ),
    ("thenable", "await { then() { for (;;) {} } }"),
    ("iterator", "for (const x of { [Symbol.iterator]: () => ({ next: () => ({ value: 1 }) }) }) {}"),
    ("spread of the endless", "Math.max(...(function* () { for (;;) yield 1; })())"),
    ("generator", "[...(function* () { for (;;) yield; })()].length"),
    ("native loop", "const a = new Array(3e6).fill(0); for (;;) a.indexOf(1)"),
    ("indexOf over 2^53", "Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)"),
    ("lastIndexOf over 2^53", "Array.prototype.lastIndexOf.call({ length: 2 ** 53 - 1 }, 1)"),
    ("includes over 2^53", "Array.prototype.includes.call({ length: 2 ** 53 - 1 }, 1)"),
    ("fill over 2^53", "Array.prototype.fill.call({ length: 2 ** 53 - 1, set 0(v) {} }, 0)"),
    ("reverse over 2^53", "Array.prototype.reverse.call({ length: 2 ** 53 - 1 })"),
    ("copyWithin over 2^53", "Array.prototype.copyWithin.call({ length: 2 ** 53 - 1 }, 0, 1)"),
    ("join over 2^32", "Array.prototype.join.call({ length: 2 ** 32 - 1 }, '')"),
    ("long join", "const a = new Array(5e6).fill(1); for (;;) a.join('')"),
    ("long concat", "let s = 'x'.repeat(1e6); for (;;) (s + s).indexOf('y')"),
    ("string search", "const s = 'a'.repeat(5e6); for (;;) s.includes('a'.repeat(2500) + 'b')"),
    ("split", "const s = 'a,'.repeat(1e5); for (;;) s.split(',')"),
    ("BigInt power", "let n = 3n; for (;;) n = (n * n) % (1n << 50000n)"),
    ("BigInt text", "const n = 7n ** 100000n; for (;;) n.toString().length"),
    ("JSON", "const a = new Array(1e5).fill({ k: 'v' }); for (;;) JSON.parse(JSON.stringify(a))"),
    (
        "typed array sort",
        "const a = new Float64Array(1e6); for (;;) { for (let i = 0; i < 1e6; i++) a[i] = i * 7919 % 1e6; a.sort(); }",
    ),
    ("typed array fill", "const a = new Uint8Array(2e7); for (;;) a.fill(1).indexOf(2)"),
    ("Map of small integers", "const m = new Map(); for (let i = 0; ; i++) m.set(i % 1000, i)"),
    ("eval", "for (;;) eval('1')"),
    ("parse", "const s = '['.repeat(1) + '1,'.repeat(1e5) + '1]'; for (;;) eval(s)"),
    ("date", "for (;;) Date.parse('2024-01-01T00:00:00Z')"),
    ("normalize", "const s = 'e\\u0301'.repeat(1e5); for (;;) s.normalize('NFC')"),
    ("structured keys", "const o = {}; for (let i = 0; ; i++) o['k' + (i % 5000)] = Object.keys(o).length"),
];

/// From the command line: the status, the code, and the CPU time that was used, which the load of the machine does not
/// change.
#[test]
fn endless_scripts_end_with_124() {
    warm();
    let mut failures = Vec::new();
    for (name, source) in ENDLESS {
        let ran = run_js(&["--cpu-ms", "300", "--wall-ms", "60000", "--json"], source);
        let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
        let used = report["metrics"]["cpu_us"].as_u64().unwrap_or(u64::MAX);
        if ran.status != Some(124) || report["error"]["code"] != "CPU_LIMIT_EXCEEDED" || used > 300_000 + CPU_SLACK_US {
            let Ran { status, stdout, stderr, elapsed } = ran;
            failures.push(format!("{name}: {status:?} after {used} us of CPU, {elapsed:?}: {stdout}{stderr}"));
        }
    }
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), ENDLESS.len(), failures.join("\n"));
}

/// The interpreter counts a host call as one step, however long the host works.
#[test]
fn endless_host_calls_end_with_124() {
    let directory = tempfile::tempdir().unwrap();
    for (name, bytes) in [("huge", 1 << 30), ("large", 20 << 20)] {
        std::fs::File::create(directory.path().join(name)).unwrap().set_len(bytes).unwrap();
    }
    for source in [
        "for (;;) try { fs.readFileSync('huge') } catch {}",
        "for (;;) fs.readFileSync('large')",
        "const s = 'x'.repeat(1e7); for (;;) fs.writeFileSync('out', s)",
        "for (;;) try { fs.readFileSync('y'.repeat(5000)) } catch {}",
        "for (;;) fs.existsSync('huge')",
        "for (;;) await import('./absent.mjs').catch(() => {})",
    ] {
        std::fs::write(directory.path().join("t.js"), format!("const fs = require('fs'); {source}")).unwrap();
        let args = ["run", "t.js", "--module", "fs", "--cpu-ms", "300", "--wall-ms", "60000", "--json"];
        let ran = vm_in(directory.path(), &shared_images(), &args);
        let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
        let used = report["metrics"]["cpu_us"].as_u64().unwrap_or(u64::MAX);
        assert_eq!(ran.status, Some(124), "{source}: {ran:?}");
        assert!(used < 300_000 + CPU_SLACK_US, "{source}: {used} us of CPU");
    }
}

/// A sleep that no CPU limit sees does not exist yet, so the wall limit is shown with the same scripts.
#[test]
fn the_wall_limit_ends_scripts_with_124() {
    warm();
    for source in ["for (;;) {}", "for (;;) await null;", "const a = new Array(3e6).fill(0); for (;;) a.indexOf(1)"] {
        let ran = run_js(&["--wall-ms", "300", "--cpu-ms", "60000"], source);
        assert_eq!(ran.status, Some(124), "{source}: {ran:?}");
        assert!(ran.stderr.contains("wall_ms"), "{source}: {ran:?}");
        assert!(ran.elapsed < Duration::from_millis(300) + SLACK, "{source}: {ran:?}");
    }
}

/// A neighbour that evaluates `1+1` all the time; the slowest answer is what the others did to it.
struct Neighbour {
    done: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<(u32, Duration)>,
}

impl Neighbour {
    fn start(server: &Arc<Server>, template: &str) -> Neighbour {
        let (server, session, done) = (server.clone(), server.session(template), Arc::new(AtomicBool::new(false)));
        let stop = done.clone();
        let thread = std::thread::spawn(move || {
            let (mut answers, mut slowest) = (0, Duration::ZERO);
            while !stop.load(Ordering::Relaxed) {
                let began = Instant::now();
                assert_eq!(server.value(&session, "1+1"), "2");
                slowest = slowest.max(began.elapsed());
                answers += 1;
                std::thread::sleep(Duration::from_millis(20));
            }
            (answers, slowest)
        });
        Neighbour { done, thread }
    }

    fn finish(self) -> (u32, Duration) {
        self.done.store(true, Ordering::Relaxed);
        self.thread.join().expect("the neighbour always gets its 2")
    }
}

/// Over HTTP, under the contract's own limits: the code, the time, the neighbour, and the session afterwards.
#[test]
fn endless_scripts_harm_nobody() {
    let server = Arc::new(Server::start());
    let template = server.template("t", &[]);
    let neighbour = Neighbour::start(&server, &template);
    let some = [
        "loop",
        "finally loop",
        "regexp bomb",
        "microtask storm",
        "sort callback",
        "native loop",
        "indexOf over 2^53",
        "typed array fill",
    ];
    let mut failures = Vec::new();
    let mut survived = 0;
    for (name, source) in ENDLESS.iter().filter(|(name, _)| some.contains(name)) {
        let session = server.session(&template);
        server.value(&session, "var kept = 'state'; 1");
        let began = Instant::now();
        let execution = server.eval(&session, source);
        let elapsed = began.elapsed();
        let code = execution["error"]["code"].as_str().unwrap_or_default();
        let used = execution["metrics"]["cpu_us"].as_u64().unwrap_or(u64::MAX);
        // With other work on the machine the wall limit may come first.
        let stopped = ["CPU_LIMIT_EXCEEDED", "WALL_LIMIT_EXCEEDED"].contains(&code) && execution["status"] == "timeout";
        if !stopped || used > 2_000_000 + CPU_SLACK_US || elapsed > Duration::from_millis(5_000) + SLACK {
            failures.push(format!("{name}: took {elapsed:?}: {execution}"));
        }
        let after = server.try_eval(&session, "kept + (1+1)");
        match (after.status, after.json["result"]["preview"].as_str()) {
            // Where the script could be stopped softly, the session lives on with what it had.
            (201, Some("state2")) => survived += 1,
            // Where it could not, its heap is gone, and it says so.
            (409, None) if after.json["error"]["code"] == "SESSION_NOT_READY" => {
                let soft = ["loop", "regexp bomb", "sort callback"];
                if soft.contains(name) {
                    failures.push(format!("{name}: a soft stop must keep the session: {}", after.text));
                }
            }
            _ => failures.push(format!("{name}: afterwards {}", after.text)),
        }
    }
    let (answers, slowest) = neighbour.finish();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(survived >= 3, "{survived} sessions survived");
    assert!(answers > 20 && slowest < SLACK, "{answers} answers, the slowest after {slowest:?}");
}

/// As many hostile sessions as would fill every core several times over, and a neighbour beside them.
#[test]
fn a_crowd_of_loops_does_not_starve_a_neighbour() {
    let server = Arc::new(Server::start());
    let template = server.template("t", &[]);
    let neighbour = Neighbour::start(&server, &template);
    let crowd: Vec<_> = (0..6)
        .map(|_| {
            let (server, session) = (server.clone(), server.session(&template));
            std::thread::spawn(move || server.eval(&session, "for (;;) {}"))
        })
        .collect();
    for one in crowd {
        let execution = one.join().unwrap();
        let code = execution["error"]["code"].as_str().unwrap_or_default();
        assert!(["CPU_LIMIT_EXCEEDED", "WALL_LIMIT_EXCEEDED"].contains(&code), "{execution}");
    }
    let (answers, slowest) = neighbour.finish();
    assert!(answers > 5 && slowest < Duration::from_secs(2), "{answers} answers, the slowest after {slowest:?}");
}

fn shortened(value: &Value) -> String {
    value.to_string().chars().take(400).collect()
}

/// `mem_mb` just under and just over what a script needs.
#[test]
fn the_memory_limit_is_where_it_says() {
    let source = |mb: u32| format!("const a = new Uint8Array({mb} * 1024 * 1024); a.fill(1); a.length");
    for limit in [8, 32, 128] {
        let flag = limit.to_string();
        let under = run_js(&["--mem-mb", &flag], &source(limit - 3));
        assert_eq!(under.status, Some(0), "{} of {limit} MiB: {under:?}", limit - 3);
        let over = run_js(&["--mem-mb", &flag], &source(limit + 1));
        assert_eq!(over.status, Some(1), "{} of {limit} MiB: {over:?}", limit + 1);
        assert!(over.stderr.contains("memory"), "{over:?}");
    }
}

/// `max_output_kb` (256 by default) just under and just over, in one piece and in many.
#[test]
fn the_output_limit_is_where_it_says() {
    let server = Server::start();
    let template = server.template("t", &[]);
    let session = server.session(&template);
    let kib = 1024;
    for (bytes, pieces) in [(256 * kib - 13, 1), (256 * kib - 64, 64), (255 * kib, 1_000)] {
        let source = format!("for (let i = 0; i < {pieces}; i++) console.log('x'.repeat({}))", bytes / pieces);
        let execution = server.eval(&session, &source);
        assert_eq!(execution["status"], "ok", "{bytes} in {pieces}: {}", shortened(&execution));
    }
    for (bytes, pieces) in [(256 * kib + 1, 1), (257 * kib, 64), (100 * 1024 * kib, 1)] {
        let source = format!("for (let i = 0; i < {pieces}; i++) console.log('x'.repeat({}))", bytes / pieces);
        over_output(&server, &session, &source);
    }
    // The result counts as well: `json` and `preview`, both.
    assert_eq!(server.eval(&session, &format!("'x'.repeat({})", 127 * kib))["status"], "ok");
    over_output(&server, &session, &format!("'x'.repeat({})", 129 * kib));
    over_output(&server, &session, &format!("console.log('x'.repeat({})); 'y'.repeat({})", 100 * kib, 100 * kib));
    assert_eq!(server.value(&session, "1+1"), "2");
}

/// `max_events` (50,000 by default) just under and just over.
#[test]
fn the_event_limit_is_where_it_says() {
    let server = Server::start();
    let template = server.template("t", &[]);
    let session = server.session(&template);
    let flood = |n: u32| format!("for (let i = 0; i < {n}; i++) console.log('')");
    let execution = server.eval(&session, &flood(49_990));
    assert_eq!(execution["status"], "ok", "{}", shortened(&execution));
    over_output(&server, &session, &flood(50_001));
    assert_eq!(server.value(&session, "1+1"), "2");
}

/// Over the output limit: 422, the row final, what was kept is kept, and the session goes on.
fn over_output(server: &Server, session: &str, source: &str) {
    let answer = server.try_eval(session, source).expect_error(422, "OUTPUT_LIMIT_EXCEEDED");
    assert_eq!(answer.json["error"]["message"], "Execution exceeded configured output/event limits");
    assert_eq!(answer.json["error"]["details"]["session_id"], session);
    let newest = server.get(&format!("/executions?session_id={session}&limit=1")).expect(200);
    assert_eq!(newest.json[0]["status"], "error", "{source}: {}", shortened(&newest.json));
    assert_eq!(newest.json[0]["error"]["code"], "OUTPUT_LIMIT_EXCEEDED", "{source}: {}", shortened(&newest.json));
}

#[test]
fn floods_end_early() {
    let server = Server::start();
    let template = server.template("t", &[]);
    let session = server.session(&template);
    server.value(&session, "var kept = 'state'; 1");
    for source in [
        "for (;;) console.log('x'.repeat(1000))",
        "for (;;) console.error()",
        "for (;;) { try { console.log('x'.repeat(1e5)) } catch {} }",
        "(function f() { console.log('x'.repeat(1e4)); queueMicrotask(f); })()",
        "console.log('x'.repeat(5e7))",
        "console.log(new Array(50).fill('x'.repeat(1e4)))",
        "'x'.repeat(5e7)",
        "new Array(1e6).fill('0123456789')",
    ] {
        let began = Instant::now();
        let answer = server.try_eval(&session, source);
        assert_eq!(answer.json["error"]["code"], "OUTPUT_LIMIT_EXCEEDED", "{source}: {}", shortened(&answer.json));
        assert!(began.elapsed() < Duration::from_millis(5_000) + SLACK, "{source}: {:?}", began.elapsed());
        if server.try_eval(&session, "kept").json["result"]["preview"] != "state" {
            panic!("{source}: the session should live on");
        }
    }
}

/// A rejected source costs nothing: what is sent is bounded before it is stored.
#[test]
fn a_huge_source_is_refused() {
    let server = Server::start();
    let template = server.template("t", &[]);
    let session = server.session(&template);
    let source = format!("/*{}*/ 1", "x".repeat(256 * 1024));
    assert_eq!(server.value(&session, &source), "1");
    let body = json!({ "session_id": session, "input": "x".repeat(1 << 20) }).to_string();
    server.send("POST", "/executions/repl", Some(&body)).expect_error(413, "BODY_TOO_LARGE");
    assert_eq!(server.value(&session, "1+1"), "2");
}

/// Large strings into and out of host calls: data or an Error, never the end of the session.
#[test]
fn giant_strings_cross_the_border_or_are_refused() {
    let server = Server::start();
    let template = server.template("t", &["fs"]);
    let session = server.session(&template);
    server.value(&session, "var fs = require('fs'); var kept = 'state'; 1");
    let tries = |source: &str| {
        format!(
            "(() => {{ try {{ return String({source}); }} catch (e) {{ return e instanceof Error ? 'Error' : 'not an Error'; }} }})()"
        )
    };
    for mb in [1, 10, 40, 60, 100] {
        for source in [
            format!("fs.writeFileSync('big', 'x'.repeat({mb} << 20))"),
            format!("fs.writeFileSync('wide', '\u{2603}'.repeat({mb} << 18))"),
            format!("fs.readFileSync('x'.repeat({mb} << 20))"),
            format!("require('x'.repeat({mb} << 20))"),
            "fs.readFileSync('big').length".to_owned(),
            "fs.readFileSync('wide').length".to_owned(),
        ] {
            let execution = server.eval(&session, &tries(&source));
            let code = execution["error"]["code"].as_str().unwrap_or_default();
            assert!(
                execution["status"] == "ok" || code == "MEMORY_LIMIT_EXCEEDED" || code == "CPU_LIMIT_EXCEEDED",
                "{source}: {}",
                shortened(&execution)
            );
            assert_ne!(execution["result"]["preview"], "not an Error", "{source}");
            assert_eq!(server.value(&session, "kept"), "state", "{source}");
        }
    }
    // A file that is larger than any string that fits: an Error, before it is read.
    std::fs::File::create(server.directory.join("sparse")).unwrap().set_len(3 << 30).unwrap();
    let began = Instant::now();
    assert_eq!(server.value(&session, &tries("fs.readFileSync('sparse')")), "Error");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    // Bytes that are no UTF-8 become three times as many.
    std::fs::write(server.directory.join("bytes"), vec![0xff_u8; 15 << 20]).unwrap();
    let length = server.value(&session, &tries("fs.readFileSync('bytes').length"));
    assert!(length == "Error" || length == (15 << 20).to_string(), "{length}");
    assert_eq!(server.value(&session, "kept"), "state");
}

/// A promise that nothing can settle is told at once, and the session goes on.
#[test]
fn a_promise_that_never_settles_is_told() {
    let server = Server::start();
    let template = server.template("t", &[]);
    let session = server.session(&template);
    for source in
        ["await new Promise(() => {})", "new Promise(() => {})", "(async () => { await new Promise(() => {}) })()"]
    {
        let began = Instant::now();
        let execution = server.eval(&session, source);
        assert_eq!(execution["error"]["code"], "PROMISE_NEVER_SETTLES", "{source}: {execution}");
        assert!(began.elapsed() < SLACK, "{source}: {:?}", began.elapsed());
    }
    assert_eq!(server.value(&session, "1+1"), "2");
}
