//! Through the sandbox itself, where a test can choose every limit: to the last unit, and hundreds of times over.
use std::sync::{Arc, Mutex, OnceLock, mpsc};

use model::{ErrorCode, Limits};
use sandbox::{Config, Engine, Event, Image, Library, Mode, Outcome, Ran, Recipe, Sandbox, Script, Setup, Stop};

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
    engine().1.start(Setup::new(limits, None)).unwrap()
}

/// Runs `source` and what it printed.
fn run(sandbox: Sandbox, source: &str) -> (Ran, Vec<String>) {
    let (source, said) = (source.to_owned(), Arc::new(Mutex::new(Vec::new())));
    let (done, result) = mpsc::channel();
    let listener = said.clone();
    let first = move || {
        let script = Script { prologue: "", source: &source, name: "test.js", mode: Mode::Script };
        let events = Box::new(move |event| {
            if let Event::Console(_, text) = event {
                listener.lock().unwrap().push(text);
            }
        });
        sandbox.run(script, &Stop::default(), events)
    };
    engine().0.run(first, move |ran| drop(done.send(ran)));
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
        let script = Script { prologue: "", source: "for (;;) {}", name: "test.js", mode: Mode::Script };
        let _ = done.send(sandbox.run(script, &theirs, Box::new(|_| {})).done().unwrap());
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

/// Running out of memory is an error of the script; the session has what it had before.
#[test]
fn memory_bombs_end_as_errors() {
    let limits = Limits { mem_mb: 64, cpu_ms: 5_000, wall_ms: 120_000, ..Limits::default() };
    let bombs = [
        ("array of arrays", "const hog = []; for (;;) hog.push(new Array(1e5).fill(0));"),
        ("strings", "const hog = []; for (let i = 0; ; i++) hog.push(('x' + i).repeat(1e6) + i);"),
        ("doubling", "let s = 'x'; for (;;) s += s;"),
        ("objects", "let head = null; for (;;) head = { head, a: 1, b: 2 };"),
        ("typed arrays", "const hog = []; for (;;) hog.push(new Uint8Array(1e7).fill(1));"),
        ("one big buffer", "new ArrayBuffer(2 ** 31 - 1)"),
        ("one big array", "new Array(2 ** 31).fill(0)"),
        ("one big string", "'x'.repeat(2 ** 29)"),
        ("map", "const m = new Map(); for (let i = 0; ; i++) m.set(i, { i });"),
        ("BigInt", "let n = 2n; for (;;) n = n * n * n;"),
        ("closures", "const hog = []; for (;;) { const a = [1, 2, 3]; hog.push(() => a); }"),
        ("promises", "const hog = []; for (;;) hog.push(new Promise(() => {}));"),
        ("JSON", "const a = 'y'.repeat(1e6); const b = []; for (;;) b.push(JSON.stringify([a, a, a]));"),
        ("padStart", "'x'.padStart(2 ** 30 - 25, 'abc')"),
        ("join", "new Array(2 ** 24).join('0123456789012345')"),
        ("split", "'x'.repeat(2 ** 24).split('')"),
        ("regexp", "'ab'.repeat(2 ** 22).match(/./g).map((c) => [c])"),
        ("caught", "const hog = []; for (;;) { try { hog.push(new Array(1e6).fill(1)); } catch { hog.push(1); } }"),
    ];
    let mut failures = Vec::new();
    for (name, source) in bombs {
        let (ran, _) = run(start(limits), "var kept = 'state'; 1");
        // In a function, so that what it hoarded is garbage afterwards.
        let (ran, _) = run(ran.sandbox.unwrap(), &format!("(() => {{ {source} }})()"));
        let Outcome::Exception(error) = &ran.outcome else { panic!("{name}: {:?}", ran.outcome) };
        // Some hit a bound of the language first, and who hoards slowly or catches everything runs out of time.
        let language = error.message.starts_with("RangeError") || error.message.starts_with("InternalError");
        let accepted = match error.code {
            Some(ErrorCode::MemoryLimitExceeded) => true,
            Some(ErrorCode::CpuLimitExceeded) => ["caught", "BigInt", "one big array"].contains(&name),
            None => language,
            Some(_) => false,
        };
        if !accepted {
            failures.push(format!("{name}: {error:?}"));
        }
        match ran.sandbox {
            Some(sandbox) => assert_eq!(preview(&run(sandbox, "kept + (1+1)").0), "state2", "{name}"),
            None if error.code == Some(ErrorCode::CpuLimitExceeded) => {}
            None => failures.push(format!("{name}: the heap is gone: {error:?}")),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Whoever asks for an image while it is built waits for that build; there is one image, and all hold it.
#[test]
fn concurrent_requests_build_an_image_once() {
    let unique = format!("var nonce = '{:?}';", std::time::SystemTime::now());
    let library = Library::new("nonce.js", unique);
    let recipe = Recipe { modules: Vec::new(), libraries: vec![library] };
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let recipe = recipe.clone();
            std::thread::spawn(move || engine().0.image(&recipe).unwrap())
        })
        .collect();
    let images: Vec<Arc<Image>> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert!(images.iter().all(|image| Arc::ptr_eq(image, &images[0])));
}
