//! Through the sandbox itself, where a test can choose every limit: to the last unit, and hundreds of times over.
use std::sync::{Arc, Mutex, OnceLock, mpsc};

use model::{ErrorCode, Limits};
use sandbox::{Config, Engine, Image, Mode, Outcome, Ran, Recipe, Sandbox, Script, Setup, Stop};

use crate::harness::shared_images;

fn engine() -> &'static (Engine, Arc<Image>) {
    static ENGINE: OnceLock<(Engine, Arc<Image>)> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let config = Config { data_dir: shared_images(), sessions_max: 8, ..Config::default() };
        let engine = Engine::new(config).unwrap();
        let image = engine.image(&Recipe::default()).unwrap();
        (engine, image)
    })
}

fn start(limits: Limits) -> Sandbox {
    engine().1.start(Setup { limits, root: None }).unwrap()
}

/// Runs `source` and what it printed.
fn run(sandbox: Sandbox, source: &str) -> (Ran, Vec<String>) {
    let (source, said) = (source.to_owned(), Arc::new(Mutex::new(Vec::new())));
    let (done, result) = mpsc::channel();
    let listener = said.clone();
    engine().0.spawn(move || {
        let script = Script { source: &source, name: "test.js", mode: Mode::Script };
        let console = Box::new(move |_, text| listener.lock().unwrap().push(text));
        let _ = done.send(sandbox.run(script, &Stop::default(), console));
    });
    let ran = result.recv().expect("the guest's thread lives");
    let said = said.lock().unwrap().clone();
    (ran, said)
}

fn preview(ran: &Ran) -> &str {
    match &ran.outcome {
        Outcome::Value(value) => &value.preview,
        Outcome::Exception(exception) => panic!("{exception:?}"),
    }
}

fn code(ran: &Ran) -> Option<ErrorCode> {
    match &ran.outcome {
        Outcome::Value(_) => None,
        Outcome::Exception(exception) => exception.code,
    }
}

#[test]
fn events_to_the_last() {
    for max_events in [1, 2, 10, 1_000] {
        let limits = Limits { max_events, ..Limits::default() };
        let flood = |n: u32| format!("for (let i = 0; i < {n}; i++) console.log(i); 'done'");
        let (ran, said) = run(start(limits), &flood(max_events));
        assert_eq!((preview(&ran), said.len()), ("done", max_events as usize));
        let (ran, said) = run(start(limits), &flood(max_events + 1));
        assert_eq!((code(&ran), said.len()), (Some(ErrorCode::OutputLimitExceeded), max_events as usize));
        let (ran, _) = run(ran.sandbox.expect("a soft stop"), "1 + 1");
        assert_eq!(preview(&ran), "2", "each run has the whole of its limits");
    }
}

#[test]
fn output_to_the_last_byte() {
    for max_output_kb in [1, 2, 64] {
        let limits = Limits { max_output_kb, ..Limits::default() };
        let bytes = max_output_kb * 1024;
        let say = |n: u32| format!("console.log('x'.repeat({n})); undefined");
        // The preview and the JSON of `undefined` take 9 and 4 bytes.
        let (ran, said) = run(start(limits), &say(bytes - 13));
        assert_eq!((preview(&ran), said[0].len()), ("undefined", bytes as usize - 13));
        let (ran, said) = run(start(limits), &say(bytes + 1));
        assert_eq!((code(&ran), said.len()), (Some(ErrorCode::OutputLimitExceeded), 0));
        let (ran, _) = run(ran.sandbox.expect("a soft stop"), "1 + 1");
        assert_eq!(preview(&ran), "2");
    }
}

/// A run that was stopped softly, hundreds of times in one session, leaves it as it was.
#[test]
fn soft_stops_leave_the_heap_sound() {
    let limits = Limits { cpu_ms: 5, wall_ms: 10_000, ..Limits::default() };
    let (ran, _) = run(start(limits), "var kept = new Map([['k', 'v']]); 1");
    let mut sandbox = ran.sandbox.unwrap();
    let scripts = [
        "for (;;) {}",
        "[3,1,2].sort(() => { for (;;) {} })",
        "/^(a+)+$/.test('a'.repeat(40) + 'b')",
        "for (;;) { try { for (;;) {} } finally {} }",
    ];
    for round in 0..200 {
        let script = scripts[round % scripts.len()];
        let (ran, _) = run(sandbox, script);
        assert_eq!(code(&ran), Some(ErrorCode::CpuLimitExceeded), "{script}");
        sandbox = ran.sandbox.unwrap_or_else(|| panic!("round {round}: {script}"));
    }
    let (ran, _) = run(sandbox, "kept.get('k')");
    assert_eq!(preview(&ran), "v");
}

#[test]
fn a_cancelled_run_stops() {
    let sandbox = start(Limits::default());
    let stop = Stop::default();
    let (done, result) = mpsc::channel();
    let theirs = stop.clone();
    engine().0.spawn(move || {
        let script = Script { source: "for (;;) {}", name: "test.js", mode: Mode::Script };
        let _ = done.send(sandbox.run(script, &theirs, Box::new(|_, _| {})));
    });
    std::thread::sleep(std::time::Duration::from_millis(50));
    stop.cancel();
    let ran = result.recv_timeout(std::time::Duration::from_secs(1)).expect("it stops");
    assert_eq!(code(&ran), Some(ErrorCode::Cancelled));
    let (ran, _) = run(ran.sandbox.expect("a soft stop"), "1 + 1");
    assert_eq!(preview(&ran), "2");
}

/// Slots are counted: the one too many is refused, and a dropped sandbox makes room.
#[test]
fn sessions_to_the_last_slot() {
    let place = tempfile::tempdir().unwrap();
    let config = Config { data_dir: place.path().to_owned(), sessions_max: 2, threads: 1, ..Config::default() };
    let engine = Engine::new(config).unwrap();
    let image = engine.image(&Recipe::default()).unwrap();
    let start = || image.start(Setup::default());
    let (first, _second) = (start().unwrap(), start().unwrap());
    assert_eq!(start().unwrap_err().code(), ErrorCode::SessionLimit);
    drop(first);
    assert_eq!(engine.live(), 1);
    let _third = start().unwrap();
    assert_eq!(engine.live(), 2);
}
