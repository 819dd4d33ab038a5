//! What one client keeps busy is not what others wait for.
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::additions::{cancel, id, patient};
use crate::harness::{Answer, Server, shared_images, warm};

/// How many images can be built at once (`host/server/src/builds.rs`).
const BUILDS_MAX: usize = 4;

fn template(server: &Server, name: &str, text: &str) -> String {
    server.send("PUT", &format!("/libraries/{name}"), Some(text)).expect(200);
    let whole = json!({ "name": name, "libraries": [name] });
    id(&server.post("/templates", whole).expect(201).json).to_owned()
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let began = Instant::now();
    let result = work();
    (result, began.elapsed())
}

/// Images of a directory's own, for what is built has to be built in every run of this test; the compiled functions are
/// everybody's, so that it does not take long.
fn own_images() -> tempfile::TempDir {
    warm();
    let images = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(shared_images()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_file() && !name.ends_with(".cwasm") && !name.starts_with(".new-") {
            std::fs::copy(&path, images.path().join(name)).unwrap();
        }
    }
    images
}

/// A library that never ends takes as long as a build may. Neither what is on the disk nor what has to be built waits for
/// it, however many ask for it; and whoever asks again is told at once.
#[test]
fn a_library_that_never_ends() {
    let images = own_images();
    let place = tempfile::tempdir().unwrap();
    let first = Server::start_in(place.path(), images.path());
    let stored = first.template("stored", &["fs"]);
    first.session(&stored);
    first.terminate();
    let server = Server::start_in(place.path(), images.path());
    let other = template(&server, "other", "var other = 7;");
    let endless = template(&server, "endless", "for (;;) {}");
    let create = |template: &str| server.post("/sessions", server.session_body(template));
    let failed = |answer: Answer| {
        let answer = answer.expect_error(422, "LIBRARY_FAILED");
        answer.json["error"]["message"].as_str().unwrap().to_owned()
    };
    let (message, took) = thread::scope(|scope| {
        let asking: Vec<_> = (0..2 * BUILDS_MAX).map(|_| scope.spawn(|| timed(|| failed(create(&endless))))).collect();
        // Its heap is compiled by then, and it runs.
        thread::sleep(Duration::from_secs(2));
        for template in [&stored, &other] {
            let session = create(template).expect(201).json;
            assert_eq!(server.value(id(&session), "1 + 1"), "2");
            assert!(!asking.iter().any(thread::ScopedJoinHandle::is_finished), "it waited for the library");
        }
        let all: Vec<_> = asking.into_iter().map(|asking| asking.join().unwrap()).collect();
        assert!(all.iter().all(|(message, _)| *message == all[0].0), "{all:?}");
        let (fastest, slowest) =
            (all.iter().map(|one| one.1).min().unwrap(), all.iter().map(|one| one.1).max().unwrap());
        assert!(slowest < fastest * 3 / 2, "one image is one build: {all:?}");
        all.into_iter().next().unwrap()
    });
    assert!(message.contains("endless") && message.contains("_ms)"), "{message}");
    let (again, at_once) = timed(|| failed(create(&endless)));
    assert_eq!(again, message);
    assert!(at_once * 5 < took, "{at_once:?}, and {took:?} at first");
    // Another text is another image.
    server.send("PUT", "/libraries/endless", Some("var endless = false;")).expect(200);
    let session = create(&endless).expect(201).json;
    assert_eq!(server.value(id(&session), "endless"), "false");
}

/// A run that waits for a thread is cancelled like one that has it, and its heap is as it was.
#[test]
fn a_run_that_waits_for_a_thread_is_cancelled() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start_with(place.path(), &shared_images(), &["--threads", "1"]);
    let busy = patient(&server);
    let templates = server.get("/templates").expect(200).json;
    let another = || server.session(id(&templates[0]));
    let waits = another();
    server.value(&waits, "var state = 'kept'; 1");
    let spinning = server.begin(&busy, "for (;;) {}");
    thread::sleep(Duration::from_millis(200));
    let waiting = server.begin(&waits, "state = 'changed'");
    thread::sleep(Duration::from_millis(200));
    let (end, took) = timed(|| cancel(&server, &waiting));
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert_eq!((&end["status"], &end["error"]["code"]), (&json!("cancelled"), &json!("CANCELLED")), "{end}");
    assert_eq!(end["error"]["message"], "Execution was cancelled before it began");
    let types: Vec<Value> = server.events(&end).into_iter().map(|event| event["type"].clone()).collect();
    assert_eq!(types, ["exception"]);

    // Closing cancels as well.
    let closed = another();
    let waiting = server.begin(&closed, "1");
    let ((), took) = timed(|| drop(server.send("DELETE", &format!("/sessions/{closed}"), None).expect(200)));
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert_eq!(server.ended(&waiting)["status"], "cancelled");

    assert_eq!(server.get(&format!("/executions/{}", id(&spinning))).expect(200).json["status"], "running");
    cancel(&server, &spinning);
    assert_eq!(server.value(&waits, "state"), "kept", "the session goes on");
}
