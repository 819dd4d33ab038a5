//! Sessions and the images that they run on: kept while they are needed, compiled again by another version, and left behind
//! when a session is moved.
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Ran, Server, shared_images, top, vm_in, warm};

/// A data directory of the test's own, where images are quickly built, and a place for a server.
struct Place {
    server: TempDir,
    images: TempDir,
}

impl Place {
    fn new() -> Place {
        warm();
        let place = Place { server: tempfile::tempdir().unwrap(), images: tempfile::tempdir().unwrap() };
        for name in ["key", "functions.cache"] {
            std::fs::copy(shared_images().join(name), place.images.path().join(name)).unwrap();
        }
        place
    }

    fn start(&self, flags: &[&str]) -> Server {
        Server::start_with(self.server.path(), self.images.path(), flags)
    }

    /// The same server with a guest that behaves the same and is not the same.
    fn start_upgraded(&self) -> Server {
        let mut guest = std::fs::read(top().join("guest/prebuilt/guest.wasm")).unwrap();
        // A custom section of no meaning: its length, then its name.
        guest.extend([0, 5, 4, b'm', b'a', b'r', b'k']);
        let path = self.server.path().join("guest.wasm");
        std::fs::write(&path, guest).unwrap();
        Server::start_with_env(self.server.path(), self.images.path(), &[], &[("VM_SYSTEM_GUEST", &path)])
    }

    fn artifact(&self, hash: &str) -> PathBuf {
        self.images.path().join(format!("{hash}.cwasm"))
    }

    fn component(&self, hash: &str) -> PathBuf {
        self.images.path().join(format!("{hash}.component"))
    }

    fn command(&self, server: &Server, args: &[&str]) -> Ran {
        let mut all = vec!["--server-url", &server.url];
        all.extend(args);
        vm_in(self.server.path(), self.images.path(), &all)
    }
}

/// What images there are, by hash.
fn images(server: &Server) -> BTreeMap<String, Value> {
    let list = server.get("/ops/images").expect(200).json;
    list.as_array().unwrap().iter().map(|image| (image["hash"].as_str().unwrap().to_owned(), image.clone())).collect()
}

/// The image that sessions of this server need; there is one.
fn needed(server: &Server) -> String {
    let needed: Vec<_> = images(server).into_values().filter(|image| image["sessions"] != 0).collect();
    let [image] = &needed[..] else { panic!("{needed:?}") };
    image["hash"].as_str().unwrap().to_owned()
}

fn library(server: &Server, name: &str, source: &str) {
    server.send("PUT", &format!("/libraries/{name}"), Some(source)).expect(200);
}

/// A template with a library; its id.
fn template_with(server: &Server, library: &str) -> String {
    let made =
        server.post("/templates", json!({ "name": format!("of {library}"), "libraries": [library] })).expect(201);
    made.json["id"].as_str().unwrap().to_owned()
}

fn migrate(server: &Server, session: &str, body: Value) -> crate::harness::Answer {
    server.post(&format!("/sessions/{session}/migrate"), body)
}

fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 0x10;
    std::fs::write(path, bytes).unwrap();
}

/// What it is evaluated to is never the same twice, so that nothing but the image itself will do.
const UNIQUE: &str =
    "var unique = `${Date.now()} ${Math.random()}`; var filled = Array.from({length: 5000}, () => unique + 1)";

#[test]
fn an_image_comes_back_from_its_component() {
    let place = Place::new();
    let server = place.start(&[]);
    library(&server, "unique-1.0.0", UNIQUE);
    let session = server.session(&template_with(&server, "unique-1.0.0"));
    let unique = server.value(&session, "var kept = {n: 1}; unique");
    let hash = needed(&server);
    // It could not be built again, not even from another text of its library.
    library(&server, "unique-1.0.0", "var unique = 0");
    assert_eq!(server.terminate(), Some(0));

    std::fs::remove_file(place.artifact(&hash)).unwrap();
    let server = place.start(&[]);
    let lost = &images(&server)[&hash];
    assert!(lost["artifact_bytes"].is_null() && lost["component_bytes"].as_u64() > Some(0), "{lost}");
    assert_eq!(server.value(&session, "kept.n += 1; unique"), unique);
    assert!(place.artifact(&hash).exists());
    assert_eq!(server.terminate(), Some(0));

    // Another way of compiling: what was compiled before does not fit.
    let server = place.start(&["--epochs"]);
    let image = &images(&server)[&hash];
    assert_eq!((&image["same_engine"], &image["current"]), (&json!(false), &json!(false)), "{image}");
    assert_eq!(server.value(&session, "kept.n += 1; unique"), unique);
    assert_eq!(server.terminate(), Some(0));
    let server = place.start(&[]);
    flip(&place.artifact(&hash));
    assert_eq!(server.value(&session, "kept.n + unique"), format!("3{unique}"));
    assert!(server.log().contains("was changed or is another installation's"));
}

#[test]
fn an_image_that_is_gone_is_told_and_left_behind() {
    let place = Place::new();
    let server = place.start(&[]);
    library(&server, "unique-1.0.0", UNIQUE);
    let template = template_with(&server, "unique-1.0.0");
    let session = server.session(&template);
    server.value(&session, "var kept = 1; session.on('save', () => kept)");
    let hash = needed(&server);
    assert_eq!(server.terminate(), Some(0));

    flip(&place.artifact(&hash));
    flip(&place.component(&hash));
    let server = place.start(&[]);
    // The text of its library is the same, and so is the hash. What comes of it is not what its heap builds on.
    for _ in 0..2 {
        let gone = server.try_eval(&session, "kept").expect_error(409, "IMAGE_GONE");
        assert_eq!(gone.json["error"]["details"]["image"], hash, "{}", gone.text);
        assert!(gone.json["error"]["message"].as_str().unwrap().contains("discard"), "{}", gone.text);
    }
    library(&server, "unique-1.0.0", "var unique = 0");
    assert_eq!(server.terminate(), Some(0));
    std::fs::remove_file(place.artifact(&hash)).unwrap();
    std::fs::remove_file(place.component(&hash)).unwrap();

    let server = place.start(&[]);
    server.try_eval(&session, "kept").expect_error(409, "IMAGE_GONE");
    migrate(&server, &session, json!({})).expect_error(409, "IMAGE_GONE");
    let ran = place.command(&server, &["ops", "images"]);
    let line = ran.stdout.lines().find(|line| line.starts_with(&hash)).unwrap_or_else(|| panic!("{ran:?}")).to_owned();
    assert!(line.contains(" gone "), "{line}");
    let row = server.get(&format!("/sessions/{session}")).expect(200).json;
    assert_eq!((&row["status"], &row["runtime_meta"]["residence"]), (&json!("ready"), &json!("hibernated")));

    let row = migrate(&server, &session, json!({ "discard": true })).expect(200).json;
    assert_eq!((&row["id"], &row["status"]), (&json!(session), &json!("ready")), "{row}");
    assert_eq!(server.value(&session, "`${typeof kept} ${unique}`"), "undefined 0");
    let current: BTreeSet<_> = images(&server)
        .into_values()
        .filter(|image| image["live_sessions"] == 1)
        .collect::<Vec<_>>()
        .iter()
        .map(|image| image["current"].as_bool())
        .collect();
    assert_eq!(current, BTreeSet::from([Some(true)]));
    server.kill();
    let server = place.start(&[]);
    assert_eq!(server.value(&session, "`${typeof kept} ${unique}`"), "undefined 0");
}

#[test]
fn an_image_that_a_session_needs_stays() {
    let place = Place::new();
    let flags = ["--images-mb", "1"];
    let server = place.start(&flags);
    for name in ["a", "b", "c", "d"] {
        library(&server, name, &format!("var library = '{name}'"));
    }
    let session = server.session(&template_with(&server, "a"));
    server.value(&session, "var kept = library");
    let of_a = needed(&server);
    let other = server.session(&template_with(&server, "b"));
    server.send("DELETE", &format!("/sessions/{other}"), None).expect(200);
    let before: BTreeSet<String> = images(&server).into_keys().collect();
    assert_eq!(before.len(), 3, "in use, the bare one too: {before:?}");
    assert_eq!(server.terminate(), Some(0));

    let server = place.start(&flags);
    server.session(&template_with(&server, "c"));
    let after = images(&server);
    let of_b: Vec<_> = before.iter().filter(|hash| !after.contains_key(*hash)).collect();
    assert_eq!((of_b.len(), after.len()), (1, 3), "{before:?} {after:?}");
    assert!(place.artifact(&of_a).exists() && place.component(&of_a).exists());
    assert_eq!((&after[&of_a]["sessions"], &after[&of_a]["live_sessions"]), (&json!(1), &json!(0)));
    assert_eq!(server.value(&session, "kept"), "a");
    server.send("DELETE", &format!("/sessions/{session}"), None).expect(200);
    assert_eq!(server.terminate(), Some(0));

    // Somebody who does not know what is needed removes nothing here.
    let config = sandbox::Config {
        data_dir: place.images.path().to_owned(),
        sessions_max: 1,
        images_bytes_max: 1,
        ..sandbox::Config::default()
    };
    let engine = sandbox::Engine::new(config).unwrap();
    let libraries = vec![sandbox::Library::new("x", "var x")];
    engine.image(&sandbox::Recipe { modules: Vec::new(), libraries }).unwrap();
    assert_eq!(engine.stored_images().len(), 4);
    drop(engine);

    // What nothing needs goes, its component too.
    let server = place.start(&flags);
    server.session(&template_with(&server, "d"));
    assert!(!place.artifact(&of_a).exists() && !place.component(&of_a).exists());
}

/// A session whose script keeps count and says what is to be carried over.
const SCRIPT: &str =
    "var count = 0; session.on('save', async () => { console.log('saving'); await 0; return {count} }); count";

#[test]
fn a_session_goes_on_as_it_was_until_it_is_moved() {
    let place = Place::new();
    let server = place.start(&[]);
    library(&server, "lib", "var version = 1");
    let template = template_with(&server, "lib");
    let session = server.session(&template);
    server.value(&session, SCRIPT);
    assert_eq!(server.value(&session, "count += 1"), "1");
    let old = needed(&server);
    assert_eq!(images(&server)[&old]["current"], true);
    server.kill();

    // Everything is another: the guest, the library, the modules, what runs first.
    let server = place.start_upgraded();
    library(&server, "lib", "var version = 2");
    server.post(&format!("/templates/{template}/modules"), json!({ "name": "fs" })).expect(201);
    let boot = "var count = -1; let refused; try { await session.checkpoint() } catch (error) { refused = error.code }
        session.on('load', async value => { await 0; count = value.count + 100; console.log('loaded', refused) });";
    std::fs::write(place.server.path().join("boot.mjs"), boot.replace("var count", "globalThis.count")).unwrap();
    let body = json!({ "path": "boot.mjs", "order_index": 0, "mode": "module" });
    server.post(&format!("/templates/{template}/startup-files"), body).expect(201);
    assert_eq!(server.value(&session, "`${count += 1} ${version}`"), "2 1");
    let image = &images(&server)[&old];
    assert_eq!((&image["current"], &image["same_engine"]), (&json!(false), &json!(false)), "{image}");
    assert_eq!((&image["sessions"], &image["live_sessions"]), (&json!(1), &json!(1)), "{image}");
    let listed = place.command(&server, &["ops", "images"]).stdout;
    assert!(listed.lines().any(|line| line.starts_with(&old) && line.contains(" other ")), "{listed}");
    let checkpoints = server.get(&format!("/sessions/{session}/checkpoints")).expect(200).json;
    let before = checkpoints[0]["id"].clone();

    let ran = place.command(&server, &["session", "migrate", &session]);
    assert_eq!(
        (ran.status, ran.stdout.as_str()),
        (Some(0), format!("Migrated session: {session}\n").as_str()),
        "{ran:?}"
    );
    let execution = server.eval(&session, "`${count} ${version} ${typeof require('fs').readFileSync}`");
    assert_eq!(execution["result"]["preview"], "102 2 function", "{execution}");
    let texts: Vec<_> = server.events(&execution).into_iter().map(|event| event["payload"]["text"].clone()).collect();
    assert!(texts.contains(&json!("saving")) && texts.contains(&json!("loaded CHECKPOINT_FAILED")), "{texts:?}");
    let executions = server.get(&format!("/executions?session_id={session}")).expect(200).json;
    assert_eq!((&executions[1]["kind"], &executions[1]["status"]), (&json!("startup"), &json!("ok")));
    let checkpoints = server.get(&format!("/sessions/{session}/checkpoints")).expect(200).json;
    let moved = checkpoints.as_array().unwrap().iter().find(|row| row["kind"] == "migrate").unwrap();
    assert!(moved["parent"].is_null(), "{moved}");
    let uses = images(&server);
    assert_eq!((&uses[&old]["sessions"], uses[&old]["checkpoints"].as_u64() > Some(0)), (&json!(0), true));
    let new = needed(&server);
    assert_eq!((&uses[&new]["current"], &uses[&new]["same_engine"]), (&json!(true), &json!(true)));
    server.kill();

    let server = place.start_upgraded();
    assert_eq!(server.value(&session, "count += 1"), "103");
    let figures = server.get("/ops/durability").expect(200).json;
    assert_eq!((&figures["sessions"]["live"], &figures["sessions"]["hibernated"]), (&json!(1), &json!(0)), "{figures}");
    // And back, to what it was before it was moved.
    server.post(&format!("/sessions/{session}/restore"), json!({ "checkpoint": before })).expect(200);
    assert_eq!(server.value(&session, "`${count += 1} ${version}`"), "3 1");
    server.post(&format!("/sessions/{session}/hibernate"), json!({})).expect(200);
    let figures = server.get("/ops/durability").expect(200).json;
    assert_eq!(
        (&figures["sessions"]["every"], &figures["sessions"]["hibernated"]),
        (&json!(1), &json!(1)),
        "{figures}"
    );
    assert!(figures["checkpoints"]["count"].as_u64() > Some(3), "{figures}");
}

#[test]
fn what_fails_on_the_way_leaves_a_session_as_it_was() {
    let place = Place::new();
    let server = place.start(&[]);
    let settings = json!({ "limits": { "max_output_kb": 64, "wall_ms": 1_000 } });
    let made = server.post("/templates", json!({ "name": "t", "settings": settings })).expect(201).json;
    let template = made["id"].as_str().unwrap();
    let session = server.session(template);
    server.value(&session, "var count = 1");
    let mut count = 1;
    let mut goes_on = |server: &Server| {
        count += 1;
        assert_eq!(server.value(&session, "count += 1"), count.to_string());
    };
    for (hook, told, reason) in [
        ("() => { throw new RangeError('no') }", "RangeError: no", None),
        ("async () => { count = 0; await 0; throw 'later' }", "Uncaught later", None),
        ("() => () => 1", "is no JSON", None),
        ("() => 'x'.repeat(100_000)", "Output limit", Some("OUTPUT_LIMIT_EXCEEDED")),
        ("() => new Promise(() => {})", "never settles", Some("PROMISE_NEVER_SETTLES")),
        ("async () => { await new Promise(go => setTimeout(go, 60_000)) }", "Time limit", Some("WALL_LIMIT_EXCEEDED")),
    ] {
        server.value(&session, &format!("session.on('save', {hook}); 0"));
        let answer = migrate(&server, &session, json!({})).expect_error(422, "MIGRATE_FAILED");
        let error = &answer.json["error"];
        assert!(error["message"].as_str().unwrap().contains(told), "{hook}: {error}");
        assert_eq!(
            (&error["details"]["hook"], &error["details"]["reason"]),
            (&json!("save"), &json!(reason)),
            "{hook}"
        );
        goes_on(&server);
    }
    server.value(
        &session,
        "session.on('save', async () => { try { await session.checkpoint() } catch { return 1 } }); 0",
    );

    let file = |source: &str| std::fs::write(place.server.path().join("boot.js"), source).unwrap();
    let body = json!({ "path": "boot.js", "order_index": 0, "mode": "eval" });
    server.post(&format!("/templates/{template}/startup-files"), body).expect(201);
    migrate(&server, &session, json!({})).expect_error(422, "STARTUP_FAILED");
    for source in ["throw new Error('boot')", "for (;;) {}"] {
        file(source);
        migrate(&server, &session, json!({})).expect_error(422, "STARTUP_FAILED");
        goes_on(&server);
    }
    file("var fresh = true; session.on('load', () => { throw new Error('not this') })");
    let answer = migrate(&server, &session, json!({})).expect_error(422, "MIGRATE_FAILED");
    assert_eq!(answer.json["error"]["details"]["hook"], "load");
    goes_on(&server);
    server.kill();
    let server = place.start(&[]);
    goes_on(&server);

    // What is asked for wrongly, or at the wrong time.
    let path = format!("/sessions/{session}/migrate");
    server.send("POST", &path, Some("{\"discard\":1}")).expect_error(400, "INVALID_REQUEST");
    server.send("POST", &path, Some("{\"other\":true}")).expect_error(400, "INVALID_REQUEST");
    let nobody = uuid::Uuid::nil().to_string();
    migrate(&server, &nobody, json!({})).expect_error(404, "SESSION_NOT_FOUND");
    let running = server.begin(&session, "await new Promise(go => setTimeout(go, 500))");
    migrate(&server, &session, json!({})).expect_error(409, "SESSION_BUSY");
    server.ended(&running);
    let of_template = format!("/templates/{template}");
    server.send("PATCH", &of_template, Some("{\"is_active\":false}")).expect(200);
    migrate(&server, &session, json!({})).expect_error(409, "TEMPLATE_INACTIVE");
    server.send("PATCH", &of_template, Some("{\"is_active\":true}")).expect(200);
    let none = json!({ "name": "none", "settings": { "runtime": { "durability": "none" } } });
    let none = server.post("/templates", none).expect(201).json;
    let fleeting = server.session(none["id"].as_str().unwrap());
    migrate(&server, &fleeting, json!({})).expect_error(409, "SESSION_NOT_DURABLE");

    // Its hooks are not asked where nothing is to be taken along.
    migrate(&server, &session, json!({ "discard": true })).expect(200);
    assert_eq!(server.value(&session, "`${typeof count} ${fresh}`"), "undefined true");
    server.send("DELETE", &of_template, None).expect(200);
    migrate(&server, &session, json!({})).expect_error(404, "TEMPLATE_NOT_FOUND");
    server.send("DELETE", &format!("/sessions/{session}"), None).expect(200);
    migrate(&server, &session, json!({})).expect_error(409, "SESSION_NOT_READY");
}

/// Killed half way it is what it was; and whoever asks for it half way waits, and finds it moved.
#[test]
fn a_session_is_moved_whole_or_not_at_all() {
    let place = Place::new();
    let server = place.start(&[]);
    let template = server.template("t", &[]);
    let session = server.session(&template);
    server.value(&session, "var count = 1; session.on('save', () => count); 0");
    let boot =
        "await new Promise(go => setTimeout(go, 1_000)); session.on('load', value => globalThis.count = value + 100)";
    std::fs::write(place.server.path().join("boot.mjs"), boot).unwrap();
    let body = json!({ "path": "boot.mjs", "order_index": 0, "mode": "module" });
    server.post(&format!("/templates/{template}/startup-files"), body).expect(201);
    let half_way = |server: &Server| {
        let url = format!("{}/api/v1/sessions/{session}/migrate", server.url);
        let moving = std::thread::spawn(move || ureq::post(url).send("{}").map(|answer| answer.status().as_u16()));
        let newest = || server.get(&format!("/executions?session_id={session}&limit=1")).expect(200).json[0].clone();
        while (newest()["kind"].as_str(), newest()["status"].as_str()) != (Some("startup"), Some("running")) {
            assert!(!moving.is_finished(), "it waits for a second at least: {}", newest());
        }
        (moving, newest()["id"].as_str().unwrap().to_owned())
    };
    let (moving, startup) = half_way(&server);
    server.kill();
    assert!(moving.join().unwrap().is_err());

    let server = place.start(&[]);
    assert_eq!(server.get(&format!("/executions/{startup}")).expect(200).json["status"], "interrupted");
    assert_eq!(server.value(&session, "count += 1"), "2");
    let (moving, _) = half_way(&server);
    let row = server.get(&format!("/sessions/{session}")).expect(200).json;
    assert_eq!(row["runtime_meta"]["residence"], "restoring", "{row}");
    assert_eq!(server.value(&session, "count"), "102");
    assert_eq!(moving.join().unwrap().unwrap(), 200);
}
