//! Executions that wait: for timers, without a thread, reached by cancelling and by the clock.
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::Server;

const SLEEP: &str = "var sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));";

fn session(server: &Server, settings: Value) -> String {
    let template = server.template(&format!("waiting {settings}"), &[]);
    server.send("PATCH", &format!("/templates/{template}/settings"), Some(&settings.to_string())).expect(200);
    let session = server.session(&template);
    server.eval(&session, SLEEP);
    session
}

fn console(server: &Server, execution: &Value) -> Vec<String> {
    let events = server.events(execution);
    let texts = events.iter().filter(|event| event["type"] == "console");
    texts.map(|event| event["payload"]["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn many_wait_at_once() {
    let server = Server::start();
    let session = session(&server, json!({}));
    let began = Instant::now();
    let run = server.eval(
        &session,
        "const began = performance.now();
         await Promise.all(Array.from({ length: 1000 }, () => sleep(100)));
         performance.now() - began",
    );
    let took: f64 = run["result"]["preview"].as_str().unwrap().parse().unwrap();
    assert!(took >= 100.0 && began.elapsed() < Duration::from_secs(2), "{took} {:?}", began.elapsed());
    assert_eq!(server.value(&session, "sleep(5).then(() => 'promised')"), "promised");
    let order = "const said = []; const say = (x) => () => said.push(x);
        setTimeout(say('c'), 30); setTimeout(say('a'), 10); setTimeout(say('b'), 10); setImmediate(say('i'));
        queueMicrotask(say('m')); setTimeout((...all) => say(all.join('+'))(), 20, 1, 2);
        let ticks = 0; const timer = setInterval(() => { if (++ticks === 3) clearInterval(timer) }, 1);
        await sleep(60); said.join() + ' ' + ticks";
    assert_eq!(server.value(&session, order), "m,i,a,b,1+2,c 3");
}

/// It stops at once, and what it would have done next it never does.
#[test]
fn cancelling_reaches_what_waits() {
    let server = Server::start();
    let session = session(&server, json!({ "limits": { "wall_ms": 20_000 } }));
    let run =
        server.begin(&session, "console.log('begun'); await sleep(300); globalThis.wrong = true; await sleep(9999)");
    thread::sleep(Duration::from_millis(100));
    let busy = server.try_eval(&session, "1");
    assert_eq!((busy.status, &busy.json["error"]["code"]), (409, &json!("SESSION_BUSY")));
    let began = Instant::now();
    let end = server.post(&format!("/executions/{}/cancel", run["id"].as_str().unwrap()), json!({})).expect(200).json;
    assert!(began.elapsed() < Duration::from_millis(1_000), "{:?}", began.elapsed());
    assert_eq!((&end["status"], console(&server, &end)), (&json!("cancelled"), vec!["begun".to_owned()]));
    assert_eq!(server.value(&session, "await sleep(400); typeof wrong"), "undefined");
}

#[test]
fn the_clock_reaches_what_waits() {
    let server = Server::start();
    let session = session(&server, json!({ "limits": { "wall_ms": 300 } }));
    let began = Instant::now();
    let end =
        server.eval(&session, "globalThis.before = 1; try { await sleep(60000) } finally { globalThis.after = 1 }");
    assert!(began.elapsed() < Duration::from_secs(3));
    assert_eq!((&end["status"], &end["error"]["code"]), (&json!("timeout"), &json!("WALL_LIMIT_EXCEEDED")));
    assert_eq!(server.value(&session, "[typeof before, typeof after].join()"), "number,undefined");
    assert_eq!(server.value(&session, "await sleep(100); 'just inside'"), "just inside");
    let end = server.eval(&session, "await new Promise(() => {})");
    assert_eq!(end["error"]["code"], "PROMISE_NEVER_SETTLES");
    assert!(end["metrics"]["wall_us"].as_u64().unwrap() < 200_000, "nothing was waited for: {end}");
}

#[test]
fn closing_ends_what_waits() {
    let server = Server::start();
    let session = session(&server, json!({ "limits": { "wall_ms": 20_000 } }));
    let run = server.begin(&session, "await sleep(15000)");
    let began = Instant::now();
    server.post(&format!("/sessions/{session}/close"), json!({})).expect(200);
    assert!(began.elapsed() < Duration::from_secs(2));
    assert_eq!(server.ended(&run)["status"], "cancelled");
}

/// Without `background` the time between executions does not count; what is due comes before the next script.
#[test]
fn leftovers_wait_for_the_next_execution() {
    let server = Server::start();
    let session = session(&server, json!({ "limits": { "cpu_ms": 200 } }));
    server.eval(
        &session,
        "var n = 0; var timer = setInterval(() => { n++ }, 1); setTimeout(() => console.log('late'), 10); 1",
    );
    thread::sleep(Duration::from_millis(200));
    let next = server.eval(&session, "n");
    assert_eq!((next["result"]["preview"].as_str(), console(&server, &next)), (Some("1"), vec!["late".to_owned()]));
    assert_eq!(server.value(&session, "await sleep(50); clearInterval(timer); n > 5"), "true");
    // One that runs wild is stopped by itself, and does not come again.
    server.eval(&session, "setInterval(() => { for (;;); }, 1); 1");
    thread::sleep(Duration::from_millis(20));
    let next = server.eval(&session, "1 + 1");
    assert_eq!(next["result"]["preview"], "2", "{next}");
    assert!(
        console(&server, &next)[0].starts_with("Left by an earlier execution and stopped: CPU time limit"),
        "{next}"
    );
    assert_eq!(console(&server, &server.eval(&session, "2")), Vec::<String>::new());
}

#[test]
fn in_the_background() {
    let server = Server::start();
    let session = session(&server, json!({ "runtime": { "background": true }, "limits": { "cpu_ms": 300 } }));
    server.eval(&session, "var n = 0; var timer = setInterval(() => { if (++n === 1) console.log('first') }, 1); 1");
    thread::sleep(Duration::from_millis(500));
    let next = server.eval(&session, "clearInterval(timer); n");
    let ticks: u32 = next["result"]["preview"].as_str().unwrap().parse().unwrap();
    assert!((2..100).contains(&ticks), "it goes on, and rests in between: {ticks}");
    assert_eq!(console(&server, &next), ["first"]);
    assert_eq!(server.events(&next)[0]["type"], "input_echo");
    server.eval(&session, "setTimeout(() => { for (;;); }, 1); setTimeout(() => { throw new Error('nobody') }, 2); 1");
    thread::sleep(Duration::from_millis(1_200));
    let said = console(&server, &server.eval(&session, "1"));
    assert!(said.iter().any(|text| text.starts_with("Between executions, and stopped: CPU time limit")), "{said:?}");
    server.eval(&session, "setInterval(() => console.log('x'.repeat(10000)), 1); 1");
    thread::sleep(Duration::from_millis(1_500));
    let flood = server.events(&server.eval(&session, "1"));
    assert!(flood.len() < 40, "{}", flood.len());
    server.post(&format!("/sessions/{session}/close"), json!({})).expect(200);
}

/// As many as there may be, and one more.
#[test]
fn timers_are_bounded() {
    let server = Server::start();
    let session = session(&server, json!({}));
    let fill = "let set = 0; try { for (;;) { setTimeout(() => {}, 1e6); set++ } } catch (e) { set + ' ' + e.name + ': ' + e.message }";
    let full = "10000 RangeError: setTimeout: too many timers and host calls are pending";
    assert_eq!(server.value(&session, fill), full);
    assert_eq!(server.value(&session, "clearTimeout(setTimeout); typeof Math.random()"), "number");
    let other = self::session(&server, json!({ "limits": { "cpu_ms": 1_000 } }));
    assert_eq!(server.value(&other, "await sleep(1); 'not its neighbour'"), "not its neighbour");
}

#[test]
fn console_timers_tell_how_long() {
    let server = Server::start();
    let session = session(&server, json!({}));
    let run = server
        .eval(&session, "console.time('a'); await sleep(1100); console.timeLog('a', { x: 1 }); console.timeEnd('a')");
    let said = console(&server, &run);
    let seconds = |line: &str| line.strip_prefix("a: 1.").and_then(|rest| rest.split_once('s')?.0.parse::<u32>().ok());
    assert!(
        said.len() == 2 && said[0].ends_with("s { x: 1 }") && said.iter().all(|line| seconds(line) >= Some(90)),
        "{said:?}"
    );
}

#[test]
fn callbacks_that_fail() {
    let server = Server::start();
    let session = session(&server, json!({}));
    let run = server.eval(
        &session,
        "setTimeout(() => { throw new TypeError('thrown late') }, 1); setTimeout(async () => { throw 'rejected late' }, 2);
         setTimeout(() => null.x, 3); await sleep(30); 'went on'",
    );
    assert_eq!(run["result"]["preview"], "went on");
    let said = console(&server, &run);
    assert_eq!(said[..2], ["Uncaught TypeError: thrown late", "Uncaught (in promise) rejected late"], "{said:?}");
    assert!(said[2].starts_with("Uncaught TypeError: "), "{said:?}");
    for (bad, why) in [
        ("setTimeout()", "setTimeout: argument 1 (callback): expected a function"),
        ("setInterval('1')", "setInterval: argument 1 (callback): expected a function"),
        ("setTimeout(() => {}, { valueOf() { throw new Error('mine') } })", "mine"),
        ("setTimeout(() => {}, Symbol())", "TypeError"),
    ] {
        let message = server.eval(&session, bad)["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(why), "{bad}: {message}");
    }
    for odd in ["NaN", "-1", "Infinity", "1e300", "'5'", "null", "{}"] {
        assert_eq!(
            server.value(&session, &format!("typeof clearTimeout(setTimeout(() => {{}}, {odd}))")),
            "undefined",
            "{odd}"
        );
    }
}

/// Sessions that wait hold no thread.
#[test]
fn waiting_takes_no_threads() {
    let server = Server::start();
    let template = server.template("many", &[]);
    let threads = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("Threads:")).unwrap().to_owned();
        line["Threads:".len()..].trim().parse::<usize>().unwrap()
    };
    let wait = "await new Promise((resolve) => setTimeout(resolve, 3000)); 'woken'";
    let begin =
        |count: usize| -> Vec<Value> { (0..count).map(|_| server.begin(&server.session(&template), wait)).collect() };
    let mut runs = begin(10);
    let few = threads();
    runs.extend(begin(200));
    let many = threads();
    assert!(many <= few + 4, "10 sessions: {few} threads, 210: {many}");
    for run in &runs {
        assert_eq!(server.ended(run)["result"]["preview"], "woken");
    }
}
