//! Sessions as files: they go on with another server, and nothing else is taken for one. Copies of copies.
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::harness::{Answer, Server, program, shared_images};

/// Another data directory than that of the other tests: with a key and images of its own.
fn other_images() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("images-elsewhere")
}

/// A server with a key for exports.
struct Place {
    server: Server,
    directory: tempfile::TempDir,
}

impl Place {
    fn start(images: &Path, secret: u8, flags: &[&str]) -> Place {
        let directory = tempfile::tempdir().unwrap();
        let key = key(directory.path(), secret);
        let flags = [&["--share-key", &key], flags].concat();
        Place { server: Server::start_with(directory.path(), images, &flags), directory }
    }

    fn template(&self, whole: Value) -> String {
        self.server.post("/templates", whole).expect(201).json["id"].as_str().unwrap().to_owned()
    }

    fn export(&self, session: &str) -> Vec<u8> {
        let (status, bytes) = get(&self.server, &format!("/sessions/{session}/export"));
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&bytes));
        bytes
    }

    fn import(&self, query: &str, file: &[u8]) -> Answer {
        post(&self.server, &format!("/sessions/import?{query}"), file)
    }

    /// Under a template, with the server's directory as its worktree; the session's id.
    fn imported(&self, template: &str, file: &[u8]) -> String {
        let row = self.import(&self.query(template), file).expect(201).json;
        assert_eq!((&row["status"], &row["vm_id"]), (&json!("ready"), &json!(template)), "{row}");
        row["id"].as_str().unwrap().to_owned()
    }

    fn query(&self, template: &str) -> String {
        format!("template={template}&worktree_path={}", self.directory.path().display())
    }

    fn sessions(&self) -> usize {
        self.server.get("/sessions").expect(200).json.as_array().unwrap().len()
    }
}

/// A key file, to start servers with.
pub fn key(directory: &Path, secret: u8) -> String {
    let path = directory.join("share.key");
    std::fs::write(&path, [secret; 40]).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    path.to_str().unwrap().to_owned()
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).build().into()
}

fn get(server: &Server, path: &str) -> (u16, Vec<u8>) {
    let mut answer = agent().get(format!("{}/api/v1{path}", server.url)).call().unwrap();
    let bytes = answer.body_mut().with_config().limit(256 << 20).read_to_vec().unwrap();
    (answer.status().as_u16(), bytes)
}

fn post(server: &Server, path: &str, body: &[u8]) -> Answer {
    let mut answer = agent().post(format!("{}/api/v1{path}", server.url)).send(body).unwrap();
    let text = answer.body_mut().read_to_string().unwrap();
    let json = serde_json::from_str(&text).unwrap_or(Value::Null);
    Answer { status: answer.status().as_u16(), headers: Vec::new(), text, json }
}

/// A command with bytes as its standard input: status, stdout, stderr.
fn piped(server: &Server, args: &[&str], input: &[u8]) -> (Option<i32>, Vec<u8>, String) {
    let mut child = Command::new(program())
        .args(["--server-url", &server.url])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that reads nothing closes its end.
    let _ = child.stdin.take().unwrap().write_all(input);
    let out = child.wait_with_output().unwrap();
    (out.status.code(), out.stdout, String::from_utf8_lossy(&out.stderr).into_owned())
}

const STATE: &str = "
    class Box { #hidden = 40; add(n) { return this.#hidden += n; } }
    var box = new Box(), map = new Map([[box, 'found']]), count = 0, rang = 0, heard = [];
    const next = () => ++count;
    function* steps() { let n = yield 'one'; yield n * 2; }
    var step = steps(); step.next();
    var settle, later = new Promise((resolve) => { settle = resolve; });
    var seen = (async () => 'after ' + await later)();
    var db = require('database').open(':memory:');
    db.exec(\"CREATE TABLE t (x); INSERT INTO t VALUES ('kept')\");
    for (const event of ['resume', 'fork', 'restore']) session.on(event, () => heard.push(event));
    var random = Math.random();
    setTimeout(() => { rang++; }, 20);
    next()";

/// What [`STATE`] left goes on.
fn goes_on(server: &Server, session: &str) {
    let answer = server.value(session, "settle('all'); [next(), box.add(2), map.get(box), step.next(4).value].join()");
    assert_eq!(answer, "2,42,found,8");
    assert_eq!(server.value(session, "await seen"), "after all");
    assert_eq!(server.value(session, "db.query('SELECT x FROM t')[0].x"), "kept");
    assert_eq!(server.value(session, "while (!rang) await new Promise((r) => setTimeout(r, 5)); rang"), "1");
}

#[test]
fn a_session_goes_on_with_another_server() {
    let whole = json!({ "name": "t", "modules": ["database", "fs"] });
    let here = Place::start(&shared_images(), 1, &[]);
    let template = here.template(whole.clone());
    let session = here.server.session(&template);
    assert_eq!(here.server.value(&session, STATE), "1");
    let file = here.export(&session);
    assert!(file.len() < 4 << 20, "{}", file.len());
    let source = here.server.get(&format!("/sessions/{session}")).expect(200).json;

    // The same image, or another one because it is compiled otherwise.
    for flags in [&[][..], &["--epochs"]] {
        let there = Place::start(&other_images(), 1, flags);
        let other = there.template(whole.clone());
        let ids = [there.imported(&other, &file), there.imported(&other, &file)];
        let row = there.server.get(&format!("/sessions/{}", ids[0])).expect(200).json;
        for field in ["workspace_id", "base_commit_oid", "seq"] {
            assert_eq!(row[field], source[field], "{row}");
        }
        assert_eq!(row["durable_seq"], source["seq"]);
        let list = there.server.get(&format!("/sessions/{}/checkpoints", ids[0])).expect(200).json;
        assert_eq!((&list[0]["kind"], &list[0]["depth"]), (&json!("import"), &json!(0)), "{list}");
        let fresh = ids.clone().map(|id| there.server.value(&id, "Math.random() + ' ' + crypto.randomUUID()"));
        assert_ne!(fresh[0], fresh[1]);
        goes_on(&there.server, &ids[0]);
        assert_eq!(there.server.value(&ids[0], "heard.join()"), "resume");

        // From there it goes on as well, and after a kill.
        let again = there.export(&ids[0]);
        let Place { server, directory } = there;
        server.kill();
        let key = directory.path().join("share.key");
        let flags = [&["--share-key", key.to_str().unwrap()], flags].concat();
        let there = Place { server: Server::start_with(directory.path(), &other_images(), &flags), directory };
        assert_eq!(there.server.value(&ids[0], "[next(), box.add(2)].join()"), "3,44");
        goes_on(&there.server, &ids[1]);
        // At home the template is there that the file speaks of, if it is from there.
        let back = here.imported(&template, &again);
        assert_eq!(here.server.value(&back, "[next(), box.add(2), rang].join()"), "3,44,1");
        there.import("", &file).expect_error(404, "TEMPLATE_NOT_FOUND");
    }
    let worktree = format!("worktree_path={}", here.directory.path().display());
    assert_eq!(here.import(&worktree, &file).expect(201).json["vm_id"], json!(template));
    goes_on(&here.server, &session);
}

/// The image is in the file: nobody needs the library's text any more.
#[test]
fn an_image_that_can_not_be_made_there_goes_along() {
    let here = Place::start(&shared_images(), 1, &[]);
    here.server.send("PUT", "/libraries/carried-1.0.0", Some("globalThis.carried = (x) => x * 2")).expect(200);
    let template = here.template(json!({ "name": "t", "libraries": ["carried-1.0.0"] }));
    let session = here.server.session(&template);
    assert_eq!(here.server.value(&session, "var n = carried(4); n"), "8");
    let file = here.export(&session);
    let there = Place::start(&other_images(), 1, &[]);
    let bare = there.template(json!({ "name": "t" }));
    let id = there.imported(&bare, &file);
    assert_eq!(there.server.value(&id, "n = carried(n); n"), "16");
    let again = there.export(&id);
    let Place { server, directory } = there;
    server.kill();
    let there = Place { server: Server::start_in(directory.path(), &other_images()), directory };
    assert_eq!(there.server.value(&id, "carried(n)"), "32");
    assert_eq!(here.server.value(&here.imported(&template, &again), "carried(n)"), "32");
    // Sessions that are made there have nothing of it.
    assert_eq!(there.server.value(&there.server.session(&bare), "typeof carried"), "undefined");
}

#[test]
fn timers_of_what_was_imported_or_forked_wake_it() {
    let here = Place::start(&shared_images(), 1, &[]);
    let settings = json!({ "runtime": { "background": true } });
    let template = here.template(json!({ "name": "t", "settings": settings }));
    let session = here.server.session(&template);
    here.server.eval(&session, "var rang = 0; setTimeout(() => { rang++; }, 1500)");
    let imported = here.imported(&template, &here.export(&session));
    let forks = here.server.post(&format!("/sessions/{session}/fork"), json!({})).expect(201).json;
    for id in [&*imported, forks[0]["id"].as_str().unwrap()] {
        let began = std::time::Instant::now();
        let live = || here.server.get(&format!("/sessions/{id}")).json["runtime_meta"]["residence"] == "live";
        while !live() {
            assert!(began.elapsed().as_secs() < 30, "nobody wakes it");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        assert_eq!(here.server.value(id, "rang"), "1");
    }
}

#[test]
fn a_checkpoint_and_a_session_that_never_ran_are_exported_too() {
    let here = Place::start(&shared_images(), 1, &[]);
    let template = here.template(json!({ "name": "t" }));
    let session = here.server.session(&template);
    let empty = here.export(&session);
    here.server.eval(&session, "var n = 1");
    let first = here.server.post(&format!("/sessions/{session}/checkpoints"), json!({})).expect(201).json;
    here.server.eval(&session, "n = 2");
    let path = format!("/sessions/{session}/export?checkpoint={}", first["checkpoint"]["id"].as_str().unwrap());
    let (status, then) = get(&here.server, &path);
    assert_eq!(status, 200);
    for (file, seq, expected) in [(&empty, 0, "undefined"), (&then, 1, "1"), (&here.export(&session), 2, "2")] {
        let id = here.imported(&template, file);
        assert_eq!(here.server.get(&format!("/sessions/{id}")).expect(200).json["seq"], seq);
        assert_eq!(here.server.value(&id, "typeof n === 'undefined' ? 'undefined' : n"), expected);
    }

    let answer = here.server.send("HEAD", &format!("/sessions/{session}/export"), None);
    assert_eq!(answer.header("Content-Type"), Some("application/vnd.vm-system.session"));
    assert_eq!(answer.header("Content-Disposition"), Some(&*format!("attachment; filename=\"{session}.vmsnap\"")));
    for (path, status, code) in [
        (format!("/sessions/{template}/export"), 404, "SESSION_NOT_FOUND"),
        (format!("/sessions/{session}/export?checkpoint={template}"), 404, "CHECKPOINT_NOT_FOUND"),
        (format!("/sessions/{session}/export?checkpoint=x"), 400, "VALIDATION_ERROR"),
    ] {
        here.server.get(&path).expect_error(status, code);
    }
    let fleeting = here.template(json!({ "name": "n", "settings": { "runtime": { "durability": "none" } } }));
    let fleeting = here.server.session(&fleeting);
    here.server.get(&format!("/sessions/{fleeting}/export")).expect_error(409, "SESSION_NOT_DURABLE");
    let busy = here.server.begin(&session, "for (;;) {}");
    here.server.get(&format!("/sessions/{session}/export")).expect_error(409, "SESSION_BUSY");
    here.server.post(&format!("/executions/{}/cancel", busy["id"].as_str().unwrap()), json!({})).expect(200);
    here.server.post(&format!("/sessions/{session}/close"), json!({})).expect(200);
    here.server.get(&format!("/sessions/{session}/export")).expect_error(409, "SESSION_NOT_READY");
}

#[test]
fn nothing_else_is_taken_for_a_session() {
    let here = Place::start(&shared_images(), 1, &[]);
    let template = here.template(json!({ "name": "t" }));
    let session = here.server.session(&template);
    here.server.eval(&session, "var n = 1");
    let good = here.export(&session);
    let before = here.sessions();
    let query = here.query(&template);
    let refused = |file: &[u8]| {
        here.import(&query, file).expect_error(422, "SNAPSHOT_REFUSED");
    };
    let len = good.len();
    let places = (0..len).step_by(len / 60).chain(0..72).chain([len - 1]);
    for at in places {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        refused(&bad);
        refused(&good[..at]);
    }
    refused(&[&good[..], b"\0"].concat());
    refused(&[&good[..], &good].concat());
    refused(&[&good[..len / 2], b"in between", &good[len / 2..]].concat());
    refused(b"");
    refused(b"{}");
    assert_eq!(here.sessions(), before, "nothing was made");

    // Another operator's key, and none.
    let other = Place::start(&shared_images(), 2, &[]);
    let theirs = other.template(json!({ "name": "t" }));
    other.import(&other.query(&theirs), &good).expect_error(422, "SNAPSHOT_REFUSED");
    let without = Server::start();
    let unsigned = without.template("t", &[]);
    let session = without.session(&unsigned);
    let answer = without.get(&format!("/sessions/{session}/export")).expect_error(403, "EXPORT_DISABLED");
    assert!(answer.text.contains("--share-key"), "{}", answer.text);
    post(&without, &format!("/sessions/import?template={unsigned}"), &good).expect_error(403, "EXPORT_DISABLED");
    here.imported(&template, &good);
}

#[test]
fn a_file_gives_no_more_than_the_template_it_is_imported_under() {
    let here = Place::start(&shared_images(), 1, &["--max-mem-mb", "128"]);
    let settings = json!({ "limits": { "cpu_ms": 1_000 } });
    let whole =
        json!({ "modules": [{ "name": "fs", "config": { "access": "read-only" } }, "kv"], "settings": settings });
    let named = |name: &str, change: Value| {
        let mut whole = whole.clone();
        whole["name"] = json!(name);
        for (key, value) in change.as_object().unwrap() {
            whole[key] = value.clone();
        }
        here.template(whole)
    };
    let template = named("source", json!({}));
    let session = here.server.session(&template);
    here.server.eval(&session, "var n = 1");
    let file = here.export(&session);
    let before = here.sessions();
    for (name, change, says) in [
        ("no module", json!({ "modules": ["kv"] }), "fs is not listed"),
        ("none", json!({ "modules": [] }), "is not listed"),
        ("other grant", json!({ "modules": ["fs", "kv"] }), "the grant of fs"),
        ("less cpu", json!({ "settings": { "limits": { "cpu_ms": 999 } } }), "limits.cpu_ms is 1000, and may be 999"),
        ("less memory", json!({ "settings": { "limits": { "cpu_ms": 1_000, "mem_mb": 64 } } }), "limits.mem_mb"),
        (
            "no imports",
            json!({ "settings": { "limits": { "cpu_ms": 1_000 }, "runtime": { "esm": false } } }),
            "runtime.esm",
        ),
        (
            "not stored",
            json!({ "settings": { "limits": { "cpu_ms": 1_000 }, "runtime": { "durability": "none" } } }),
            "runtime.durability",
        ),
        (
            "other roots",
            json!({ "settings": { "limits": { "cpu_ms": 1_000 }, "resolver": { "roots": ["src"] } } }),
            "resolver.roots",
        ),
    ] {
        let answer = here.import(&here.query(&named(name, change)), &file).expect_error(403, "IMPORT_NOT_ALLOWED");
        assert!(answer.text.contains(says), "{name}: {}", answer.text);
    }
    // One that allows more gives it no more than it had.
    let more = named("more", json!({ "modules": [whole["modules"][0], "kv", "env"] }));
    let id = here.imported(&more, &file);
    let answer = here.server.value(&id, "try { require('env'); 'there' } catch (e) { e.message.includes('env') }");
    assert_eq!(answer, "true");

    let inactive = named("inactive", json!({}));
    here.server.send("PATCH", &format!("/templates/{inactive}"), Some(r#"{"is_active":false}"#)).expect(200);
    here.import(&here.query(&inactive), &file).expect_error(409, "TEMPLATE_INACTIVE");
    here.import(&here.query(&session), &file).expect_error(404, "TEMPLATE_NOT_FOUND");
    here.import("template=x", &file).expect_error(400, "VALIDATION_ERROR");
    let answer = here.import(&format!("template={template}"), &file).expect_error(400, "VALIDATION_ERROR");
    assert!(answer.text.contains("worktree_path is required"), "{}", answer.text);
    for (path, status, code) in [("/nowhere/at/all", 422, "WORKTREE_NOT_FOUND"), ("relative", 400, "VALIDATION_ERROR")]
    {
        here.import(&format!("template={template}&worktree_path={path}"), &file).expect_error(status, code);
    }
    assert_eq!(here.sessions(), before + 1);

    // A server whose ceiling is lower, with a template that is as large as it may be there.
    let low = Place::start(&shared_images(), 1, &["--max-mem-mb", "32"]);
    let small = low.template(json!({ "name": "t", "modules": whole["modules"],
        "settings": { "limits": { "cpu_ms": 1_000, "mem_mb": 32 } } }));
    let id = low.imported(&small, &file);
    assert_eq!(low.server.value(&id, "n"), "1");
    let answer = low.server.eval(&id, "{ const all = []; for (;;) all.push('x'.repeat(1e6) + all.length) }");
    assert_eq!(answer["error"]["code"], "MEMORY_LIMIT_EXCEEDED", "{answer}");
}

#[test]
fn export_and_import_by_pipe_and_by_file() {
    let here = Place::start(&shared_images(), 1, &[]);
    let template = here.template(json!({ "name": "t" }));
    let session = here.server.session(&template);
    here.server.eval(&session, "var n = 7");
    let (status, file, told) = piped(&here.server, &["session", "export", &session], b"");
    assert_eq!((status, told.as_str()), (Some(0), ""));
    let directory = here.directory.path().to_str().unwrap();
    let path = here.directory.path().join("s.vmsnap");
    let path = path.to_str().unwrap();
    let (status, out, told) = piped(&here.server, &["session", "export", &session, path], b"");
    assert_eq!((status, out.len(), told.as_str()), (Some(0), 0, ""));
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o077, 0, "the heap is in it");
    let own = ["session", "import", "--worktree-path", directory];
    let named = ["session", "import", path, "--template", &template, "--worktree-path", directory];
    for (args, input) in [(&own[..], &file[..]), (&named, b"")] {
        let (status, out, told) = piped(&here.server, args, input);
        let out = String::from_utf8(out).unwrap();
        assert_eq!(status, Some(0), "{told}");
        let id = out.trim().strip_prefix("Created session: ").unwrap();
        assert_eq!(here.server.value(id, "n"), "7");
    }
    let (status, out, told) = piped(&here.server, &["session", "export", &template], b"");
    assert!(status == Some(1) && out.is_empty() && told.contains("SESSION_NOT_FOUND"), "{told}");
    let (status, _, told) = piped(&here.server, &own, b"something else");
    assert!(status == Some(1) && told.contains("SNAPSHOT_REFUSED"), "{told}");

    // A key that others can read is none; nor is a short one.
    let key = here.directory.path().join("other.key");
    for (bytes, mode, says) in [(&[7; 32][..], 0o644, "chmod 600"), (&[7; 31], 0o600, "32 to 4096 bytes")] {
        std::fs::write(&key, bytes).unwrap();
        std::fs::set_permissions(&key, PermissionsExt::from_mode(mode)).unwrap();
        let args = ["serve", "--listen", "127.0.0.1:0", "--share-key", key.to_str().unwrap()];
        let (status, _, told) = piped(&here.server, &args, b"");
        assert!(status == Some(2) && told.contains(says), "{status:?} {told}");
    }
    // No session sees the key, though it lies in its worktree.
    let reader = here.server.session(&here.template(json!({ "name": "r", "modules": ["fs"] })));
    let seen = "const fs = require('fs'); [fs.existsSync('share.key'), fs.existsSync('s.vmsnap')].join()";
    assert_eq!(here.server.value(&reader, seen), "false,true");
}

/// Neither forks of forks nor restores in a row make a chain that can't be brought back.
#[test]
fn copies_of_copies_come_back_however_many() {
    let here = Place::start(&shared_images(), 1, &[]);
    let template = here.template(json!({ "name": "t", "modules": ["database"] }));
    let first = here.server.session(&template);
    assert_eq!(here.server.value(&first, STATE), "1");
    let newest = |session: &str| {
        let list = here.server.get(&format!("/sessions/{session}/checkpoints?limit=1")).expect(200).json;
        (list[0]["id"].as_str().unwrap().to_owned(), list[0]["depth"].as_u64().unwrap())
    };
    let (mut fork, mut deepest) = (first.clone(), 0);
    for _ in 0..300 {
        let forks = here.server.post(&format!("/sessions/{fork}/fork"), json!({ "count": 2 })).expect(201).json;
        let next = forks[1]["id"].as_str().unwrap().to_owned();
        if fork != first {
            here.server.post(&format!("/sessions/{fork}/close"), json!({})).expect(200);
        }
        here.server.post(&format!("/sessions/{}/close", forks[0]["id"].as_str().unwrap()), json!({})).expect(200);
        fork = next;
        deepest = deepest.max(newest(&fork).1);
    }
    assert!((30..=33).contains(&deepest), "{deepest}");
    let mut deepest = 0;
    for _ in 0..300 {
        let (id, depth) = newest(&first);
        deepest = deepest.max(depth);
        here.server.post(&format!("/sessions/{first}/restore"), json!({ "checkpoint": id })).expect(200);
    }
    assert!((30..=33).contains(&deepest), "{deepest}");
    let kept = here.server.get(&format!("/sessions/{first}/checkpoints")).expect(200).json;
    assert!(kept.as_array().unwrap().len() <= 17, "a history that only restores made is kept short too");
    for session in [&fork, &first] {
        goes_on(&here.server, session);
    }
    assert_eq!(here.server.value(&fork, "heard.join()"), "fork");
    assert_eq!(here.server.value(&first, "heard.join()"), "restore");
}
