//! Deep recursion, in every form that is known to reach native code: an error each time, never a crash.
use crate::harness::{Server, run_js};

/// Forms of unbounded recursion. Each ends with an error that JavaScript can catch.
const FORMS: &[(&str, &str)] = &[
    ("plain", "(function f(n) { return f(n + 1) + 1; })(0)"),
    ("sort", "(function f() { return [2, 1].sort(() => f()); })()"),
    ("JSON.parse", "JSON.parse('['.repeat(200000))"),
    ("JSON.stringify", "const o = { toJSON() { return JSON.stringify({ o }); } }; JSON.stringify(o)"),
    ("nested source", "eval('('.repeat(100000) + '1' + ')'.repeat(100000))"),
    ("proxy chain", "let p = {}; for (let i = 0; i < 200000; i++) p = new Proxy(p, {}); p.x"),
    ("regexp", "new RegExp('('.repeat(100000) + 'a' + ')'.repeat(100000)).test('a')"),
    ("toString", "const o = { toString() { return '' + o; } }; '' + o"),
    ("flat", "let a = []; for (let i = 0; i < 200000; i++) a = [a]; a.flat(Infinity)"),
];

/// Each form 300 times over in one session; the heap is as sound at the end as it was in the beginning.
#[test]
fn nine_forms_three_hundred_times() {
    let server = Server::start();
    let template = server.template("t", &[]);
    let session = server.session(&template);
    server.value(&session, "var kept = 'state'; 1");
    for (name, source) in FORMS {
        let once = format!(
            "(() => {{ try {{ {source} }} catch (e) {{ return e instanceof Error ? e.name : typeof e; }} return 'no error'; }})()"
        );
        let mut seen = std::collections::BTreeMap::<String, u32>::new();
        for _ in 0..300 {
            let execution = server.eval(&session, &once);
            let how = execution["result"]["preview"].as_str().or(execution["error"]["code"].as_str());
            *seen.entry(how.unwrap_or("nothing").to_owned()).or_default() += 1;
        }
        let accepted = ["RangeError", "SyntaxError", "InternalError"];
        assert!(seen.keys().all(|how| accepted.contains(&how.as_str())), "{name}: {seen:?}");
        assert_eq!(server.value(&session, "kept + (1+1)"), "state2", "{name}");
    }
}

/// Uncaught, each ends the run with an error and not with the process.
#[test]
fn nine_forms_uncaught() {
    for (name, source) in FORMS {
        let ran = run_js(&["--cpu-ms", "10000", "--wall-ms", "20000"], source);
        assert_eq!(ran.status, Some(1), "{name}: {ran:?}");
        assert!(ran.stderr.contains("Error"), "{name}: {ran:?}");
    }
}

/// People's recursion works: at least 2,500 frames.
#[test]
fn plain_recursion_goes_2500_deep() {
    let ran = run_js(&[], "const f = (n) => (n === 0 ? 0 : 1 + f(n - 1)); console.log(f(2500))");
    assert_eq!((ran.status, ran.stdout.trim()), (Some(0), "2500"), "{ran:?}");
    let ran = run_js(&[], "let n = 0; (function f(a, b) { n++; f(a + 1, [b]); })(0) ");
    assert!(ran.stderr.contains("RangeError") && ran.stderr.contains("STACK_LIMIT_EXCEEDED"), "{ran:?}");
    let depth = "let n = 0; function f(a, b) { n++; return f(a + 1, [b]) + 1; } try { f(0) } catch {} console.log(n)";
    let ran = run_js(&[], depth);
    assert!(ran.stdout.trim().parse::<u32>().is_ok_and(|n| n >= 2_500), "{ran:?}");
}

/// Other ways down, which must end as errors too.
#[test]
fn more_ways_down() {
    let more = [
        ("getter", "const o = { get x() { return this.x; } }; o.x"),
        ("constructor", "class A { constructor() { new A(); } } new A()"),
        ("bind chain", "let f = () => 1; for (let i = 0; i < 200000; i++) f = f.bind(null); f()"),
        ("replace", "function f() { return 'a'.replace(/a/, f); } f()"),
        ("spread", "function f() { return [...{ [Symbol.iterator]: f }]; } f()"),
        ("apply", "function f() { return f.apply(null, [1]); } f()"),
        ("Reflect.construct", "function F() { return Reflect.construct(F, []); } F()"),
        ("array toString", "const a = []; a[0] = { toString: () => String(a[0]) + a }; String(a)"),
        ("generator", "function* g() { yield* g(); } g().next()"),
        ("async", "async function f() { await f(); } await f()"),
        ("template", "const o = { toString() { return `${o}`; } }; `${o}`"),
        ("reviver", "JSON.parse('{\"a\":1}', function f(k, v) { return JSON.parse('{\"a\":1}', f); })"),
        ("nested objects source", "eval('({a:'.repeat(50000) + '1' + '})'.repeat(50000))"),
        ("nested functions source", "eval('()=>'.repeat(50000) + '1')"),
        ("nested templates source", "eval('`${'.repeat(50000) + '1' + '}`'.repeat(50000))"),
        ("long operator chain", "eval('1' + '+1'.repeat(500000)).x.y"),
        ("lookahead regexp", "new RegExp('(?='.repeat(50000) + 'a' + ')'.repeat(50000))"),
        ("class regexp", "new RegExp('['.repeat(50000) + 'a' + ']'.repeat(50000), 'v')"),
        ("eval", "(function f() { eval('f()'); })()"),
        ("Function", "globalThis.f = () => new Function('f()')(); f()"),
        ("require", "const s = { toString() { return require(s); } }; require(s)"),
        ("import", "const s = { toString() { return String(s); } }; await import(s)"),
        ("console", "const o = { get [Symbol.toStringTag]() { console.log(o); return 'x'; } }; console.log(o); null.x"),
        (
            "error stack",
            "class E extends Error { get stack() { return new E().stack; } get message() { return this.stack; } } throw new E()",
        ),
        ("Error.prepareStackTrace", "Error.prepareStackTrace = () => new Error().stack; new Error().stack; null.x"),
        ("setPrototypeOf", "let o = {}; for (let i = 0; i < 300000; i++) o = Object.create(o); o.missing; null.x"),
        ("deep free", "let o = null; for (let i = 0; i < 500000; i++) o = { o }; o = null; null.x"),
        ("deep result", "let r = []; for (let i = 0; i < 200000; i++) r = [r]; throw r"),
        (
            "deep promise chain",
            "let p = Promise.resolve(); for (let i = 0; i < 100000; i++) { const q = p; p = (async () => q)(); } await p; null.x",
        ),
    ];
    let mut failures = Vec::new();
    for (name, source) in more {
        let ran = run_js(&["--cpu-ms", "5000", "--wall-ms", "10000"], source);
        let crashed = ran.stderr.contains("SESSION_CRASHED") || ran.stderr.contains("crashed");
        if !matches!(ran.status, Some(1 | 124)) || crashed {
            failures.push(format!(
                "{name}: {:?} {} {}",
                ran.status,
                ran.stdout,
                ran.stderr.chars().take(300).collect::<String>()
            ));
        }
    }
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), more.len(), failures.join("\n"));
}
