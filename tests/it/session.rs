//! What a session keeps, what it answers, and what it shares with others: nothing.
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Server, run_js, vm, vm_fed};

fn one() -> (Server, String) {
    let server = Server::start();
    let template = server.template("t", &[]);
    let session = server.session(&template);
    (server, session)
}

#[test]
fn everything_at_the_top_level_persists() {
    let (server, session) = one();
    for (input, preview) in [
        ("let a = 1; const b = 2; var c = 3; class D { static d = 4 } function e() { return a + 10 } f = 6", "6"),
        ("[a, b, c, D.d, e(), f].join()", "1,2,3,4,11,6"),
        ("a = 5; e()", "15"),
        ("const { x, y: [z] } = { x: 1, y: [2] }; x + z", "3"),
        ("var timer = Promise.resolve('later'); timer.then((v) => { c = v }); 0", "0"),
        ("c", "later"),
        ("const late = await timer; late", "later"),
        ("late + b", "later2"),
        ("globalThis.kept = new Map([['k', { deep: [1] }]]); kept.size", "1"),
        ("kept.get('k').deep[0]", "1"),
    ] {
        assert_eq!(server.value(&session, input), preview, "{input}");
    }
    let again = server.eval(&session, "let a = 2");
    assert_eq!(again["status"], "error", "{again}");
    assert!(again["error"]["message"].as_str().unwrap().starts_with("SyntaxError"), "{again}");
    assert_eq!(server.value(&session, "a"), "5", "a redeclaration changes nothing");
    let constant = server.eval(&session, "b = 3");
    assert!(constant["error"]["message"].as_str().unwrap().starts_with("TypeError"), "{constant}");
    let unknown = server.eval(&session, "nope");
    assert_eq!(unknown["error"]["message"], "ReferenceError: nope is not defined", "{unknown}");
}

/// `type`, `preview` and `json` of every kind of value.
#[test]
fn values_are_the_contracts() {
    let (server, session) = one();
    let absent = Value::from("absent");
    for (input, ty, preview, value) in [
        ("undefined", "undefined", "undefined", Value::Null),
        ("null", "null", "null", Value::Null),
        ("40 + 2", "number", "42", json!(42)),
        ("-0", "number", "0", json!(0)),
        ("1.5e300", "number", "1.5e+300", json!(1.5e300)),
        ("NaN", "number", "NaN", absent.clone()),
        ("-Infinity", "number", "-Infinity", absent.clone()),
        ("'text'", "string", "text", json!("text")),
        ("'\\u{1f600}\\0\"'", "string", "\u{1f600}\0\"", json!("\u{1f600}\0\"")),
        ("'\\ud800'", "string", "\u{fffd}", json!("\u{fffd}")),
        ("true", "boolean", "true", json!(true)),
        ("10n ** 20n", "bigint", "100000000000000000000", absent.clone()),
        ("Symbol('s')", "symbol", "Symbol(s)", absent.clone()),
        ("[1, [2], undefined]", "array", "1,2,", json!([1, [2], null])),
        ("({ a: { b: [1] }, c: undefined })", "object", "[object Object]", json!({ "a": { "b": [1] } })),
        ("(x) => x", "function", "(x) => x", absent.clone()),
        ("(class A {})", "function", "class A {}", absent.clone()),
        ("new Date(0).toISOString()", "string", "1970-01-01T00:00:00.000Z", json!("1970-01-01T00:00:00.000Z")),
        ("new Map([[1, 2]])", "object", "[object Map]", json!({})),
        ("new Error('e')", "object", "Error: e", json!({})),
        ("/a/g", "object", "/a/g", json!({})),
        ("var cycle = {}; cycle.self = cycle; cycle", "object", "[object Object]", absent.clone()),
        ("Promise.resolve(7)", "number", "7", json!(7)),
        ("(async () => ({ ok: 1 }))()", "object", "[object Object]", json!({ "ok": 1 })),
        ("new Uint8Array(2)", "object", "0,0", json!({ "0": 0, "1": 0 })),
        ("new Proxy([1], {})", "array", "1", json!([1])),
        ("({ toJSON() { return 'own' } })", "object", "[object Object]", json!("own")),
    ] {
        let execution = server.eval(&session, input);
        let result = &execution["result"];
        assert_eq!((&result["type"], &result["preview"]), (&json!(ty), &json!(preview)), "{input}: {execution}");
        assert_eq!(result.get("json").unwrap_or(&absent), &value, "{input}: {execution}");
    }
    // Ordinary answers, whatever they hold.
    for input in [
        "Object.create(null)",
        "({ toString() { throw 1 } })",
        "({ toJSON() { throw 1 } })",
        "new Proxy({}, { get() { throw 1 }, ownKeys() { throw 2 } })",
        "({ get x() { throw 1 } })",
        "({ toString: null, valueOf: null })",
        "[Symbol()]",
        "({ [Symbol.toPrimitive]() { return {} } })",
        "[[[[{}]]]].map((x) => ({ x }))",
        "(() => { const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); return proxy })()",
    ] {
        let execution = server.eval(&session, input);
        assert!(execution["status"] == "ok" || execution["status"] == "error", "{input}: {execution}");
    }
    assert_eq!(server.value(&session, "1+1"), "2");
}

#[test]
fn events_come_in_order() {
    let (server, session) = one();
    let input =
        "console.log('a', 1); console.info('b'); console.warn('c'); console.error('d'); console.debug('e'); 6 * 7";
    let execution = server.eval(&session, input);
    let events = server.events(&execution);
    let shown: Vec<String> =
        events.iter().map(|e| format!("{} {} {}", e["seq"], e["type"].as_str().unwrap(), e["payload"])).collect();
    assert_eq!(
        shown,
        [
            format!("1 input_echo {}", json!({ "text": input })),
            r#"2 console {"level":"log","text":"a 1"}"#.to_owned(),
            r#"3 console {"level":"info","text":"b"}"#.to_owned(),
            r#"4 console {"level":"warn","text":"c"}"#.to_owned(),
            r#"5 console {"level":"error","text":"d"}"#.to_owned(),
            r#"6 console {"level":"debug","text":"e"}"#.to_owned(),
            r#"7 value {"json":42,"preview":"42","type":"number"}"#.to_owned(),
        ]
    );
    let failed = server.eval(&session, "console.log('before'); throw new TypeError('boom')");
    let events = server.events(&failed);
    let kinds: Vec<&str> = events.iter().map(|e| e["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["input_echo", "console", "exception"]);
    assert_eq!(events[2]["payload"]["message"], "TypeError: boom");
    let id = execution["id"].as_str().unwrap();
    let rest = server.get(&format!("/executions/{id}/events?after_seq=5")).expect(200);
    assert_eq!(rest.json.as_array().unwrap().len(), 2);
    assert!(events.iter().all(|e| e["execution_id"] == failed["id"]));
}

#[test]
fn exceptions_carry_class_message_stack_and_line() {
    let (server, session) = one();
    server.value(&session, "function thrower() {\n  throw new RangeError('too far');\n}\n1");
    let execution = server.eval(&session, "1;\n\nthrower()");
    let error = &execution["error"];
    assert_eq!(
        (&execution["status"], &error["message"]),
        (&json!("error"), &json!("RangeError: too far")),
        "{execution}"
    );
    assert!(error["stack"].as_str().unwrap().contains("thrower"), "{execution}");
    assert_eq!(error["line"], 2, "where it was thrown: {execution}");
    let syntax = server.eval(&session, "let ok = 1;\nlet = = 2;");
    assert!(syntax["error"]["message"].as_str().unwrap().starts_with("SyntaxError: "), "{syntax}");
    assert_eq!(syntax["error"]["line"], 2, "{syntax}");
    for (input, message) in [
        ("throw 'text'", "text"),
        ("throw null", "null"),
        ("throw { a: 1 }", "object"),
        ("class My extends Error { constructor(m) { super(m); this.name = 'My' } } throw new My('own')", "My: own"),
        ("await Promise.reject(new URIError('late'))", "URIError: late"),
    ] {
        let execution = server.eval(&session, input);
        assert_eq!(execution["status"], "error", "{input}: {execution}");
        assert!(execution["error"]["message"].as_str().unwrap().contains(message), "{input}: {execution}");
    }
    // A rejection that nobody handles is no exception of the script, but it is reported.
    let lost = server.eval(&session, "Promise.reject(new Error('lost')); 1");
    assert_eq!(lost["result"]["preview"], "1", "{lost}");
    let events = server.events(&lost);
    assert!(
        events.iter().any(|e| e["payload"]["text"].as_str().is_some_and(|t| t.contains("Error: lost"))),
        "{events:?}"
    );
    assert_eq!(server.value(&session, "1+1"), "2");
}

#[test]
fn sessions_of_one_template_share_nothing() {
    let server = Server::start();
    let template = server.template("t", &[]);
    let (a, b) = (server.session(&template), server.session(&template));
    server.value(
        &a,
        "var secret = 'of a'; Object.prototype.polluted = 1; Array.prototype.map = null; JSON.parse = null; 1",
    );
    assert_eq!(
        server.value(&b, "[typeof secret, ({}).polluted, typeof [].map, typeof JSON.parse].join()"),
        "undefined,,function,function"
    );
    let later = server.session(&template);
    assert_eq!(server.value(&later, "typeof secret + typeof [].map"), "undefinedfunction");
}

/// What a snapshot froze is fresh in every session.
#[test]
fn randomness_and_clocks_are_fresh() {
    let server = Server::start();
    let template = server.template("t", &[]);
    let probe = "[Math.random(), Math.random(), Date.now()].join()";
    let mut seen = HashSet::new();
    for _ in 0..20 {
        let session = server.session(&template);
        let text = server.value(&session, probe);
        let mut parts = text.split(',');
        assert!(seen.insert(parts.next().unwrap().to_owned()), "the first Math.random() twice: {text}");
        assert!(seen.insert(parts.next().unwrap().to_owned()), "the second Math.random() twice: {text}");
        let clock: u128 = parts.next().unwrap().parse().unwrap();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
        assert!(now.abs_diff(clock) < 5_000, "{clock} against {now}");
    }
    let random = || run_js(&[], "Math.random()").stdout;
    assert_ne!(random(), random());
    let session = server.session(&template);
    let first: u64 = server.value(&session, "Date.now()").parse().unwrap();
    std::thread::sleep(Duration::from_millis(30));
    let second: u64 = server.value(&session, "Date.now()").parse().unwrap();
    assert!(second >= first + 20, "{first} {second}");
    // Coarse, so that a script can't time the machine's caches.
    let steps = server.value(
        &session,
        "(() => { const s = new Set(); for (let i = 0; i < 1e5; i++) s.add(Date.now() % 1); return [...s].join() })()",
    );
    assert_eq!(steps, "0");
}

/// A session runs one thing at a time: whoever comes meanwhile is told at once, and leaves no row.
#[test]
fn a_busy_session_says_so() {
    let (server, session) = one();
    let server = Arc::new(server);
    let running = {
        let (server, session) = (server.clone(), session.clone());
        std::thread::spawn(move || server.eval(&session, "for (;;) {}"))
    };
    let began = Instant::now();
    while server.get(&format!("/executions?session_id={session}")).json.as_array().is_some_and(Vec::is_empty) {
        assert!(began.elapsed() < Duration::from_secs(5), "it never began");
    }
    let busy = server.try_eval(&session, "1");
    let busy = busy.expect_error(409, "SESSION_BUSY");
    assert_eq!(busy.json["error"]["message"], "Session is busy");
    assert_eq!(busy.json["error"]["details"]["session_id"], session.as_str());
    let rows = server.get(&format!("/executions?session_id={session}")).expect(200).json.as_array().unwrap().len();
    assert_eq!(running.join().unwrap()["status"], "timeout");
    assert_eq!(
        server.get(&format!("/executions?session_id={session}")).expect(200).json.as_array().unwrap().len(),
        rows
    );
    assert_eq!(server.value(&session, "1+1"), "2");
}

/// Fifty sessions at once, each with its own state.
#[test]
fn many_sessions_live_side_by_side() {
    let server = Arc::new(Server::start());
    let template = server.template("t", &[]);
    let threads: Vec<_> = (0..5)
        .map(|t| {
            let (server, template) = (server.clone(), template.clone());
            std::thread::spawn(move || {
                let sessions: Vec<String> = (0..10).map(|_| server.session(&template)).collect();
                for (i, session) in sessions.iter().enumerate() {
                    server.value(session, &format!("let mine = '{t}.{i}'; 1"));
                }
                for (i, session) in sessions.iter().enumerate() {
                    assert_eq!(server.value(session, "mine"), format!("{t}.{i}"));
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(server.get("/runtime/summary").expect(200).json["active_sessions"], 50);
}

#[test]
fn exit_statuses_of_the_command_line() {
    let status = |flags: &[&str], source: &str| run_js(flags, source).status;
    assert_eq!(status(&[], "1"), Some(0));
    assert_eq!(status(&[], "throw 1"), Some(1));
    assert_eq!(status(&["--cpu-ms", "100"], "for (;;) {}"), Some(124));
    assert_eq!(status(&["--no-such-flag"], "1"), Some(2));
    assert_eq!(status(&["--cpu-ms", "0"], "1"), Some(2));
    assert_eq!(status(&["--mem-mb", "many"], "1"), Some(2));
    assert_eq!(status(&["--module", "nope"], "1"), Some(2));
    assert_eq!(vm(&["run"]).status, Some(2));
    assert_eq!(vm(&["run", "missing.js"]).status, Some(2));
    assert_eq!(vm(&["no-such-command"]).status, Some(2));
    assert_eq!(vm(&["--version"]).status, Some(0));
    assert_eq!(vm(&["--help"]).status, Some(0));
}

#[test]
fn json_reports_of_the_command_line() {
    let report = |flags: &[&str], source: &str| -> Value {
        let mut all = vec!["--json"];
        all.extend(flags);
        let ran = run_js(&all, source);
        assert!(ran.stderr.is_empty(), "{ran:?}");
        serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {ran:?}"))
    };
    let good = report(&[], "console.log('hi'); console.warn('careful'); ({ a: 1 })");
    assert_eq!((&good["status"], &good["result"]["json"]), (&json!("ok"), &json!({ "a": 1 })), "{good}");
    assert_eq!(good["events"][1]["payload"], json!({ "level": "warn", "text": "careful" }), "{good}");
    assert!(good["metrics"]["wall_us"].as_u64().is_some_and(|us| us > 0), "{good}");
    let bad = report(&[], "null.x");
    assert_eq!(bad["status"], "error", "{bad}");
    assert!(bad["error"]["message"].as_str().unwrap().starts_with("TypeError"), "{bad}");
    let late = report(&["--cpu-ms", "100"], "for (;;) {}");
    assert_eq!((&late["status"], &late["error"]["code"]), (&json!("timeout"), &json!("CPU_LIMIT_EXCEEDED")), "{late}");
    let micros = late["metrics"]["cpu_us"].as_u64().unwrap();
    assert!((100_000..400_000).contains(&micros), "{late}");
}

/// A prompt without a terminal: one result a line, errors on the other stream, declarations can be repeated.
#[test]
fn the_prompt_reads_a_pipe() {
    let input =
        "let a = 1\nlet a = 2\na + 1\nfunction f() {\n  return [5]\n}\nf()\nnull.x\nconsole.log('said')\nawait 7\n";
    let ran = vm_fed(&["repl"], input);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let lines: Vec<&str> = ran.stdout.lines().filter(|line| *line != "undefined").collect();
    assert_eq!(lines, ["3", "[ 5 ]", "said", "7"], "{ran:?}");
    assert!(ran.stderr.contains("TypeError"), "{ran:?}");
}
