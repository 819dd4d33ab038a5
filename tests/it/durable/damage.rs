//! What lies on the disk is changed, cut, swapped or gone, or there is no room for more: it is told, the rest goes on, and no
//! session ever answers from another heap than its own.
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;

use super::{Dice, forks, hibernate, history, newest, restore, row, template};
use crate::adversity::Small;
use crate::harness::{Server, vm_in};

/// A data directory with sessions in it.
struct Place {
    dir: TempDir,
    /// Sessions, and what each answers.
    sessions: Vec<(String, String)>,
}

/// What a session is asked, and what its heap is like.
const ASK: &str = "[name, list.length, list.at(-1)].join()";

fn images(place: &Path) -> PathBuf {
    place.join("data")
}

fn start(place: &Path) -> Result<Server, String> {
    let log = File::options().create(true).append(true).open(place.join("server.log")).unwrap();
    Server::try_start(log.into(), place, &images(place), &[]).map_err(|ended| {
        let log = std::fs::read_to_string(place.join("server.log")).unwrap();
        format!("{ended}: {log}")
    })
}

impl Place {
    /// Stopped in order, or killed.
    fn new(in_order: bool) -> Place {
        let dir = tempfile::tempdir().unwrap();
        let server = start(dir.path()).unwrap();
        let template = template(&server, "t", &[], &json!({}));
        let sessions: Vec<_> = (0..4).map(|_| server.session(&template)).collect();
        for (number, session) in sessions.iter().enumerate() {
            server.value(session, &format!("var name = 'session {number}', list = []; list.push(0)"));
            for n in 1..6 {
                server.value(session, &format!("list.push({number} + {n} * 10)"));
            }
        }
        let copy = forks(&server, &sessions[0], json!({})).remove(0);
        server.value(&copy, "name = 'copy'");
        let answers = |session: String| {
            let answer = server.value(&session, ASK);
            (session, answer)
        };
        let sessions = sessions.into_iter().chain([copy]).map(answers).collect();
        if in_order {
            server.terminate();
        } else {
            server.kill();
        }
        Place { dir, sessions }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The same once more.
    fn copy(&self) -> Place {
        let dir = tempfile::tempdir().unwrap();
        let from = format!("{}/.", self.path().display());
        assert!(Command::new("cp").arg("-a").arg(from).arg(dir.path()).status().unwrap().success());
        let _ = std::fs::remove_file(dir.path().join("server.log"));
        // Of the copy's own worktree.
        Place { dir, sessions: self.sessions.clone() }
    }

    fn sql(&self, change: &str) {
        let db = Connection::open(self.path().join("vm-system.db")).unwrap();
        db.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
        db.execute_batch(change).unwrap_or_else(|e| panic!("{change}: {e}"));
    }

    /// The files that the server lives by.
    fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut folders = vec![self.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.metadata().unwrap().len() > 0 && !path.ends_with("server.log") {
                    files.push(path.strip_prefix(self.path()).unwrap().to_owned());
                }
            }
        }
        files.sort();
        files
    }
}

/// Each session answers as it should, or says why not. What they said; the codes of those that did not answer.
fn look(server: &Server, sessions: &[(String, String)], what: &str, older: bool) -> Vec<String> {
    let mut codes = Vec::new();
    for (session, expected) in sessions {
        let answer = server.try_eval(session, ASK);
        if answer.status == 201 {
            let found = answer.json["result"]["preview"].as_str().unwrap_or_default();
            // The last commit of a journal may as well be torn, as if the machine had stopped then.
            let name = expected.split(',').next().unwrap();
            let is_older = older && name == "copy" && found.starts_with("session 0,6");
            assert!(found == expected || is_older, "{what}: {session} is {expected}, and answers {}", answer.text);
        } else {
            codes.push(answer.json["error"]["code"].as_str().unwrap_or("none").to_owned());
        }
    }
    codes
}

#[test]
fn no_flipped_bit_goes_unnoticed() {
    let seed = std::env::var("DURABLE_SEED").ok().map_or(7, |seed| seed.parse().unwrap());
    let places = [Place::new(true), Place::new(false)];
    let mut trials: Vec<(&Place, PathBuf, u64, u8)> = Vec::new();
    let mut dice = Dice(seed);
    for (number, place) in places.iter().enumerate() {
        for file in place.files() {
            let len = place.path().join(&file).metadata().unwrap().len();
            let name = file.to_str().unwrap();
            // An image is built again where it does not fit, which takes a while: in one place only.
            let count = match name {
                "vm-system.db" => 16,
                "vm-system.db-wal" => 12,
                _ if number == 0 => 1,
                _ => 0,
            };
            for _ in 0..count {
                let at = dice.roll(usize::try_from(len).unwrap()) as u64;
                trials.push((place, file.clone(), at, 1 << dice.roll(8)));
            }
        }
    }
    let told = std::sync::Mutex::new(std::collections::BTreeMap::<String, usize>::new());
    thread::scope(|scope| {
        for part in trials.chunks(trials.len().div_ceil(3)) {
            let told = &told;
            scope.spawn(move || {
                for (place, file, at, bit) in part {
                    let what = format!("DURABLE_SEED={seed}, {}, byte {at}, bit {bit}", file.display());
                    let place = place.copy();
                    let path = place.path().join(file);
                    let mut bytes = std::fs::read(&path).unwrap();
                    bytes[usize::try_from(*at).unwrap()] ^= bit;
                    std::fs::write(&path, bytes).unwrap();
                    let codes = match start(place.path()) {
                        Ok(server) => {
                            let older = file.to_str().unwrap().ends_with("-wal");
                            let codes = look(&server, &place.sessions, &what, older);
                            let template = server.post("/templates", json!({ "name": "new" }));
                            if template.status == 201 {
                                let session = server.session(template.json["id"].as_str().unwrap());
                                assert_eq!(server.value(&session, "1 + 1"), "2", "{what}");
                            }
                            let log = server.log();
                            assert!(!log.contains("panicked"), "{what}: {log}");
                            codes
                        }
                        Err(why) => {
                            assert!(why.starts_with("Some(1)") && !why.contains("panicked"), "{what}: {why}");
                            vec!["refused to start".to_owned()]
                        }
                    };
                    for code in codes {
                        assert!(
                            [
                                "refused to start",
                                "SESSION_DAMAGED",
                                "SESSION_NOT_FOUND",
                                "SESSION_NOT_READY",
                                "WORKTREE_NOT_FOUND"
                            ]
                            .contains(&code.as_str()),
                            "{what}: {code}"
                        );
                        *told
                            .lock()
                            .unwrap()
                            .entry(format!("{} {code}", file.extension().map_or("", |e| e.to_str().unwrap())))
                            .or_default() += 1;
                    }
                }
            });
        }
    });
    eprintln!("{} trials: {:?}", trials.len(), told.into_inner().unwrap());
}

/// Each change, with the number of the session that tells of it; the others don't notice.
#[test]
fn rows_that_do_not_fit_are_told() {
    let place = Place::new(true);
    let key = |number: usize| {
        format!("(SELECT key FROM sessions WHERE hex(id) = upper('{}'))", place.sessions[number].0.replace('-', ""))
    };
    let head = |number: usize| format!("(SELECT head FROM sessions WHERE key = {})", key(number));
    let body = |number: usize| format!("(SELECT body FROM checkpoint_bodies WHERE key = {})", head(number));
    let middle = |number: usize| {
        format!("(SELECT key FROM checkpoints WHERE session = {} ORDER BY key LIMIT 1 OFFSET 3)", key(number))
    };
    let changes = [
        ("a body in the middle is gone", format!("DELETE FROM checkpoint_bodies WHERE key = {}", middle(1))),
        ("a checkpoint in the middle is gone", format!("DELETE FROM checkpoints WHERE key = {}", middle(1))),
        ("the newest is gone", format!("DELETE FROM checkpoints WHERE key = {}", head(1))),
        ("the newest was forgotten", format!("UPDATE sessions SET head = NULL WHERE key = {}", key(1))),
        ("an older one is the newest", format!("UPDATE sessions SET head = {} WHERE key = {}", middle(1), key(1))),
        ("another session's is the newest", format!("UPDATE sessions SET head = {} WHERE key = {}", head(2), key(1))),
        (
            "a body is cut",
            format!("UPDATE checkpoint_bodies SET body = substr(body, 1, length(body) - 1) WHERE key = {}", head(1)),
        ),
        ("a body is empty", format!("UPDATE checkpoint_bodies SET body = x'' WHERE key = {}", head(1))),
        ("a body is another's", format!("UPDATE checkpoint_bodies SET body = {} WHERE key = {}", body(2), head(1))),
        ("a parent is left out", format!("UPDATE checkpoints SET parent = {} WHERE key = {}", middle(1), head(1))),
        ("a parent is itself", format!("UPDATE checkpoints SET parent = key WHERE key = {}", head(1))),
        ("there is no parent", format!("UPDATE checkpoints SET parent = NULL WHERE key = {}", head(1))),
        ("an id is another", format!("UPDATE checkpoints SET id = randomblob(16) WHERE key = {}", head(1))),
    ];
    thread::scope(|scope| {
        for part in changes.chunks(changes.len().div_ceil(2)) {
            let place = &place;
            scope.spawn(move || {
                for (what, change) in part {
                    let place = place.copy();
                    place.sql(change);
                    let server = start(place.path()).unwrap();
                    let session = &place.sessions[1].0;
                    let said = server.try_eval(session, ASK);
                    assert_eq!(said.json["error"]["code"], "SESSION_DAMAGED", "{what}: {}", said.text);
                    let mut others = place.sessions.clone();
                    others.remove(1);
                    assert_eq!(look(&server, &others, what, false), Vec::<String>::new(), "{what}");
                    assert_eq!(row(&server, session)["status"], "ready", "{what}");
                    // From where it is whole it goes on.
                    let first = history(&server, session).last().unwrap()["id"].as_str().unwrap().to_owned();
                    restore(&server, session, &first).expect(200);
                    assert_eq!(server.value(session, ASK), "session 1,1,0", "{what}");
                    let log = server.log();
                    assert!(!log.contains("panicked"), "{what}: {log}");
                }
            });
        }
    });
    // What all are made of.
    let changed = place.copy();
    changed.sql("UPDATE recipes SET body = replace(body, '\"cpu_ms\":2000', '\"cpu_ms\":9000')");
    let server = start(changed.path()).unwrap();
    assert_eq!(look(&server, &changed.sessions, "recipe", false), vec!["SESSION_DAMAGED"; 5]);
    // A clock that was set back: everything was made in the future.
    let changed = place.copy();
    let later = 10 * 365 * 86_400_000_000_u64;
    changed.sql(&format!(
        "UPDATE sessions SET created_at = created_at + {later}, wake_at = 1; UPDATE checkpoints SET created_at = created_at + {later};
         UPDATE executions SET started_at = started_at + {later}, ended_at = ended_at + {later}"
    ));
    let server = start(changed.path()).unwrap();
    assert_eq!(look(&server, &changed.sessions, "clock", false), Vec::<String>::new());
    for (session, answer) in &changed.sessions {
        hibernate(&server, session).expect(200);
        assert_eq!(&server.value(session, ASK), answer);
        assert_eq!(history(&server, session)[0]["id"], json!(newest(&server, session)));
    }
}

#[test]
fn what_is_gone_from_the_data_directory_is_told() {
    let place = Place::new(true);
    let server = start(place.path()).unwrap();
    // On a library that is gone, too.
    server.send("PUT", "/libraries/mine-1.0.0", Some("var mine = 1")).expect(200);
    let id = server.template("with a library", &[]);
    server.post(&format!("/templates/{id}/libraries"), json!({ "name": "mine-1.0.0" })).expect(201);
    let session = server.session(&id);
    server.value(&session, "var n = mine + 1");
    server.terminate();
    let without = |files: &[&str]| {
        let place = place.copy();
        for name in files {
            let found: Vec<_> =
                place.files().into_iter().filter(|file| file.to_str().unwrap().contains(name)).collect();
            assert!(!found.is_empty(), "{name}: {:?}", place.files());
            found.iter().for_each(|file| std::fs::remove_file(place.path().join(file)).unwrap());
        }
        place
    };
    // Images are compiled again from their components, and never made again as something else.
    let gone = without(&[".cwasm", "mine-1.0.0.js"]);
    let server = start(gone.path()).unwrap();
    assert_eq!(server.value(&session, "n"), "2");
    assert_eq!(look(&server, &gone.sessions, "images and a library", false), Vec::<String>::new());
    let gone = without(&[".cwasm", ".component", "mine-1.0.0.js"]);
    let server = start(gone.path()).unwrap();
    server.try_eval(&session, "n").expect_error(409, "IMAGE_GONE");
    assert_eq!(look(&server, &gone.sessions, "images and components", false), vec!["IMAGE_GONE"; 5]);
    // Under another key nothing is taken for one's own.
    let gone = without(&["data/key"]);
    let server = start(gone.path()).unwrap();
    assert_eq!(look(&server, &gone.sessions, "key", false), vec!["SESSION_DAMAGED"; 5]);
    let new = server.session(&server.template("new", &[]));
    assert_eq!(server.value(&new, "1 + 1"), "2");
}

#[test]
fn one_daemon_for_a_database_and_none_for_a_newer_one() {
    let place = Place::new(true);
    let server = start(place.path()).unwrap();
    let second = start(place.path()).err().expect("a second server on the same database");
    assert!(second.starts_with("Some(1)") && second.contains("vm-system.db"), "{second}");
    assert_eq!(look(&server, &place.sessions, "two", false), Vec::<String>::new());
    server.terminate();
    place.sql("PRAGMA user_version = 999");
    let before = std::fs::read(place.path().join("vm-system.db")).unwrap();
    let told = vm_in(place.path(), &images(place.path()), &["serve", "--listen", "127.0.0.1:0"]);
    assert!(told.status == Some(1) && told.stderr.contains("newer"), "{told:?}");
    assert_eq!(std::fs::read(place.path().join("vm-system.db")).unwrap(), before);
}

#[test]
fn a_full_disk_costs_what_was_not_acknowledged() {
    let Some(small) = Small::mount(24) else {
        eprintln!("no file system can be mounted here: left out");
        return;
    };
    let place = small.0.path();
    let server = start(place).unwrap();
    let template = template(&server, "t", &[], &json!({}));
    let (large, other) = (server.session(&template), server.session(&template));
    for session in [&large, &other] {
        server.value(session, "var n = 0, junk = []");
    }
    let ballast = place.join("ballast");
    let free = String::from_utf8(
        Command::new("df").args(["--output=avail", "-k", place.to_str().unwrap()]).output().unwrap().stdout,
    );
    let free: usize = free.unwrap().lines().nth(1).unwrap().trim().parse().unwrap();
    std::fs::write(&ballast, vec![1; (free << 10) - (2 << 20)]).unwrap();
    let push = "junk.push(crypto.getRandomValues(new Uint8Array(50_000))); ++n";
    let mut acknowledged = 0;
    let refused = loop {
        let ran = server.try_eval(&large, push);
        if ran.status != 201 {
            break ran;
        }
        acknowledged += 1;
        assert_eq!(ran.json["result"]["preview"], acknowledged.to_string());
        assert!(acknowledged < 200);
    };
    refused.expect_error(500, "INTERNAL");
    // Once there is room again, as if that had never run.
    std::fs::remove_file(&ballast).unwrap();
    assert_eq!(row(&server, &large)["status"], "ready");
    assert_eq!(server.value(&large, "[n, junk.length].join()"), format!("{acknowledged},{acknowledged}"));
    assert_eq!(server.value(&other, "++n"), "1");
    server.kill();
    let server = start(place).unwrap();
    assert_eq!(server.value(&large, "[n, junk.length].join()"), format!("{acknowledged},{acknowledged}"));
    assert_eq!(server.value(&other, "n"), "1");
    assert!(!server.log().contains("panicked"));
    server.terminate();
    // Nothing can be written at all.
    let mount =
        |how: &str| Command::new("mount").args(["-o", how, place.to_str().unwrap()]).status().unwrap().success();
    assert!(mount("remount,ro"));
    let told = vm_in(
        Path::new("/"),
        &images(place),
        &["serve", "--listen", "127.0.0.1:0", "--db", place.join("vm-system.db").to_str().unwrap()],
    );
    assert!(
        told.status == Some(1) && !told.stderr.contains("panicked") && told.stderr.contains("vm-system.db"),
        "{told:?}"
    );
    assert!(mount("remount,rw"));
    assert_eq!(start(place).unwrap().value(&other, "n"), "1");
}
