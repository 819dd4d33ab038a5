//! The same scripts in the sandbox and in the same QuickJS built natively, interleaved.
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rquickjs::{Context, Runtime};

use crate::latency::{engine, eval, on_guest_thread, recipe, wide};
use crate::report::{Report, geomean, show, timed};

const ROUNDS: usize = 11;

/// Names and sources of the cases.
const CASES: &[(&str, &str)] = &[
    ("fib", "(function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2) })(25)"),
    (
        "array, sort, Map",
        "(function () {
           const a = []; let x = 1;
           for (let i = 0; i < 30000; i++) { x = (x * 1103515245 + 12345) & 0x7fffffff; a.push(x) }
           a.sort((p, q) => p - q);
           const m = new Map(); for (const v of a) m.set('k' + v, v);
           let n = 0; for (const v of m.values()) n = (n + v) | 0;
           return n })()",
    ),
    (
        "string",
        "(function () {
           let s = ''; for (let i = 0; i < 30000; i++) s += String.fromCharCode(97 + i % 26) + i;
           let n = 0; for (const part of s.split('a')) n += part.toUpperCase().indexOf('Z');
           return n + s.replaceAll('b', 'cc').length })()",
    ),
    (
        "JSON",
        "(function () {
           const text = JSON.stringify(Array.from({length: 2000}, (_, i) => ({i, n: 'name' + i, t: [1, 2, 3]})));
           let n = 0; for (let k = 0; k < 5; k++) n += JSON.stringify(JSON.parse(text)).length;
           return n })()",
    ),
    (
        "regexp",
        "(function () {
           const text = 'the quick brown fox 12345 jumps '.repeat(2000); let n = 0;
           for (const m of text.matchAll(/\\b([a-z]+) (\\d+)/g)) n += m[1].length;
           return n })()",
    ),
];

/// Does not count towards the comparison: the attack on Map's hash that stock QuickJS is open to.
const MAP_ATTACK: &str = "(function () { const m = new Map();
    for (let i = 0; i < 200000; i++) m.set(i % 1000, i); return m.size })()";

/// More loops that native code runs by itself, for the cost of the countdown.
const NATIVE_LOOP: (&str, &str) = (
    "indexOf",
    "(function () { const a = new Array(100000).fill(1); let n = 0;
       for (let i = 0; i < 10; i++) n += a.indexOf(2) + 'ab'.repeat(20000).lastIndexOf('c'); return n })()",
);

fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Medians of each source in one sandbox.
fn in_sandbox(dir: &Path, sources: Vec<&'static str>) -> anyhow::Result<Vec<Duration>> {
    let engine = engine(dir, 10)?;
    let image = engine.image(&recipe(&[], None)?)?;
    Ok(on_guest_thread(&engine, move || {
        let mut sandbox = Some(image.start(wide()).unwrap());
        let mut times = vec![Vec::new(); sources.len()];
        for _ in 0..ROUNDS {
            for (at, source) in sources.iter().enumerate() {
                let (time, back) = timed(|| eval(sandbox.take().unwrap(), source));
                sandbox = Some(back);
                times[at].push(time);
            }
        }
        times.into_iter().map(middle).collect()
    }))
}

pub fn against_native(report: &mut Report, dir: &Path) -> anyhow::Result<()> {
    report.title("compute (baseline: the same QuickJS, native)");
    let engine = engine(dir, 10)?;
    let image = engine.image(&recipe(&[], None)?)?;
    let results = on_guest_thread(&engine, move || {
        let runtime = Runtime::new().unwrap();
        let context = Context::full(&runtime).unwrap();
        let mut sandbox = Some(image.start(wide()).unwrap());
        let sources: Vec<&str> = CASES.iter().map(|case| case.1).chain([MAP_ATTACK]).collect();
        let (mut ours, mut native) = (vec![Vec::new(); sources.len()], vec![Vec::new(); sources.len()]);
        for _ in 0..ROUNDS {
            for (at, source) in sources.iter().enumerate() {
                let (time, back) = timed(|| eval(sandbox.take().unwrap(), source));
                sandbox = Some(back);
                ours[at].push(time);
                native[at].push(context.with(|context| timed(|| context.eval::<(), _>(*source).unwrap()).0));
            }
        }
        ours.into_iter().map(middle).zip(native.into_iter().map(middle)).collect::<Vec<_>>()
    });
    let mut ratios = Vec::new();
    for ((name, _), (figure, baseline)) in CASES.iter().zip(&results) {
        let ratio = figure.as_secs_f64() / baseline.as_secs_f64();
        ratios.push(ratio);
        report.row(name, &show(*figure), &show(*baseline), Some(ratio), "<= 2.2x");
    }
    report.row("geometric mean", "", "", Some(geomean(&ratios)), "<= 1.6x");
    if let Some((figure, baseline)) = results.last() {
        let ratio = figure.as_secs_f64() / baseline.as_secs_f64();
        report.row("2e5 Map.set over 1,000 small integers", &show(*figure), &show(*baseline), Some(ratio), "<= 40 ms");
    }
    Ok(())
}

/// What polling and the loop countdown cost: this process against another one with a guest that has neither.
pub fn cost_of_limits(report: &mut Report, dir: &Path) -> anyhow::Result<()> {
    const BARE_GUEST: &str = "VM_SYSTEM_BARE_GUEST";
    const CHILD: &str = "VM_SYSTEM_BENCH_CHILD";
    let cases: Vec<_> = CASES.iter().copied().chain([NATIVE_LOOP]).collect();
    let sources = || cases.iter().map(|case| case.1).collect::<Vec<_>>();
    if std::env::var_os(CHILD).is_some() {
        for time in in_sandbox(dir, sources())? {
            println!("{}", time.as_nanos());
        }
        return Ok(());
    }
    report.title("limits: interrupt handler and loop countdown (baseline: a guest built without them)");
    let Some(guest) = std::env::var_os(BARE_GUEST) else {
        report.line(&format!(
            "  not measured: {BARE_GUEST} names no guest (guest/build.sh makes one, see guest/README.md)"
        ));
        return Ok(());
    };
    let child = |guest: Option<&std::ffi::OsStr>| -> anyhow::Result<Vec<Duration>> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("limits").env(CHILD, "1");
        if let Some(guest) = guest {
            command.env("VM_SYSTEM_GUEST", guest);
        }
        let text = String::from_utf8(command.output()?.stdout)?;
        Ok(text.lines().filter_map(|line| line.parse().ok()).map(Duration::from_nanos).collect())
    };
    // Alternating, so that a machine that slows down slows both.
    let (mut with, mut without) = (vec![Vec::new(); cases.len()], vec![Vec::new(); cases.len()]);
    for _ in 0..3 {
        for (at, time) in child(Some(&guest))?.into_iter().enumerate() {
            without[at].push(time);
        }
        for (at, time) in child(None)?.into_iter().enumerate() {
            with[at].push(time);
        }
    }
    let mut ratios = Vec::new();
    for ((name, _), (with, without)) in cases.iter().zip(with.into_iter().zip(without)) {
        let (figure, baseline) = (middle(with), middle(without));
        let ratio = figure.as_secs_f64() / baseline.as_secs_f64();
        ratios.push(ratio);
        report.row(name, &show(figure), &show(baseline), Some(ratio), "");
    }
    report.row("geometric mean", "", "", Some(geomean(&ratios)), "<= 1.08x");
    Ok(())
}

/// How much longer than its limit a script runs that never ends by itself: CPU time past `cpu_ms`.
pub fn lateness(report: &mut Report, dir: &Path) -> anyhow::Result<()> {
    const LIMIT_MS: u32 = 100;
    report.title("stopping: CPU time past a limit of 100 ms, the worst of five (baseline: the limit)");
    let engine = engine(dir, 10)?;
    let image = engine.image(&recipe(&[], None)?)?;
    for (name, source) in [
        ("loop", "for (;;);"),
        ("microtasks", "(function f() { Promise.resolve().then(f) })(); await new Promise(() => {})"),
        ("sort callback", "[...Array(1e5).keys()].sort(() => { for (;;); })"),
        ("regexp", "/^(a+)+$/.test('a'.repeat(40) + 'b')"),
        ("native loop", "for (;;) new Array(3e6).fill(0).indexOf(1)"),
        ("indexOf over 2^53", "Array.prototype.indexOf.call({length: 2 ** 53 - 1}, 1)"),
        ("filling memory", "const a = new Uint8Array(2e7); for (;;) a.fill(1)"),
        ("BigInt text", "const n = 7n ** 100000n; for (;;) n.toString()"),
    ] {
        let image = image.clone();
        let (worst, alive) = on_guest_thread(&engine, move || {
            let (mut worst, mut alive) = (0, true);
            for _ in 0..5 {
                let limits = model::Limits { cpu_ms: LIMIT_MS, ..wide().settings.limits };
                let sandbox = image.start(sandbox::Setup::new(limits, None)).unwrap();
                let script = sandbox::Script { prologue: "", source, name: "bench.js", mode: sandbox::Mode::Script };
                let ran = sandbox.run(script, &sandbox::Stop::default(), Box::new(|_| {})).done().unwrap();
                worst = worst.max(ran.metrics.cpu_us);
                alive &= ran.sandbox.is_some();
            }
            (Duration::from_micros(worst), alive)
        });
        let limit = Duration::from_millis(LIMIT_MS.into());
        let fate = if alive { "the session lives" } else { "the session is gone" };
        report.row(name, &show(worst.saturating_sub(limit)), &show(limit), None, &format!("<= 50 ms; {fate}"));
    }
    Ok(())
}
