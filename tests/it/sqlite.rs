//! Databases of scripts, where it takes more than one script to see what happens: crafted files, two sessions on one file, runs
//! that are stopped in the middle; and keys and values that outlive their session and their server.
use std::path::Path;

use serde_json::json;

use crate::harness::{Server, shared_images};

const OPEN: &str = "var db = require('database').open('a.db'); db.open";

/// What an expression comes to, or the code of what it throws.
fn code(expression: &str) -> String {
    format!("try {{ {expression}; 'worked' }} catch (e) {{ e.code }}")
}

fn two_sessions() -> (Server, String, String) {
    let server = Server::start();
    let template = server.template("t", &["database"]);
    let (one, other) = (server.session(&template), server.session(&template));
    assert_eq!(server.value(&one, OPEN), "true");
    server.value(&one, "db.exec('CREATE TABLE t (x)').success");
    assert_eq!(server.value(&other, OPEN), "true");
    (server, one, other)
}

/// A rollback journal may name another file that is deleted once it has been played back. Whoever can write files into the root
/// can make one up.
#[test]
fn a_crafted_journal_deletes_nothing() {
    let server = Server::start();
    let template = server.template("t", &["database"]);
    let outside = tempfile::tempdir().unwrap();
    let victim = outside.path().join("victim");
    std::fs::write(&victim, "precious").unwrap();
    let session = server.session(&template);
    server.value(&session, OPEN);
    server.value(&session, "db.exec('CREATE TABLE t (x); INSERT INTO t VALUES (1)'); db.close()");

    let magic = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
    let word = |number: u32| number.to_be_bytes();
    let mut journal = magic.to_vec();
    for number in [0, 7, 2, 512, 4_096] {
        journal.extend(word(number));
    }
    journal.resize(512, 0);
    let name = victim.to_str().unwrap();
    journal.extend(word(0x4000_0000 / 4_096 + 1));
    journal.extend(name.bytes());
    journal.extend(word(u32::try_from(name.len()).unwrap()));
    journal.extend(word(name.bytes().map(u32::from).sum()));
    journal.extend(magic);
    std::fs::write(server.directory.join("a.db-journal"), journal).unwrap();

    server.value(&session, &code(OPEN));
    server.value(&session, &code("db.query('SELECT * FROM t')"));
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
    assert_eq!(server.value(&session, "1 + 1"), "2");
}

/// A database in WAL mode would be used through a mapped file, and whoever shortens that kills the process.
#[test]
fn a_database_in_wal_mode_is_refused() {
    let (server, one, _) = two_sessions();
    server.value(&one, "db.close()");
    let path = server.directory.join("a.db");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[18..20].fill(2);
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(server.value(&one, &code(OPEN)), "SQLITE_CANTOPEN");
    for side in ["a.db-wal", "a.db-shm"] {
        assert!(!server.directory.join(side).exists(), "{side}");
    }
    assert_eq!(server.value(&one, "1 + 1"), "2");
}

#[test]
fn journals_are_beneath_and_links_in_their_place_are_not_followed() {
    let (server, one, _) = two_sessions();
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().join("journal");
    std::os::unix::fs::symlink(&target, server.directory.join("a.db-journal")).unwrap();
    assert_ne!(server.value(&one, &code("db.exec('INSERT INTO t VALUES (1)')")), "worked");
    assert!(!target.exists());
    std::fs::remove_file(server.directory.join("a.db-journal")).unwrap();
    server.value(&one, "db.exec('BEGIN; INSERT INTO t VALUES (1)').success");
    assert!(server.directory.join("a.db-journal").exists());
    server.value(&one, "db.exec('COMMIT').success");
    assert!(!server.directory.join("a.db-journal").exists());
}

#[test]
fn two_sessions_on_one_file() {
    let (server, one, other) = two_sessions();
    server.value(&one, "db.exec('BEGIN IMMEDIATE; INSERT INTO t VALUES (1)').success");
    assert_eq!(server.value(&other, "db.query('SELECT * FROM t').length"), "0");
    assert_eq!(
        server.value(&other, "var busy; try { db.exec('INSERT INTO t VALUES (2)') } catch (e) { busy = e.code } busy"),
        "SQLITE_BUSY"
    );
    server.value(&one, "db.exec('COMMIT').success");
    assert_eq!(server.value(&other, "db.exec('INSERT INTO t VALUES (2)'); db.query('SELECT * FROM t').length"), "2");
    // Handles are a session's own.
    assert_eq!(server.value(&other, "typeof db.handle"), "undefined");
}

/// What a stopped run left open is rolled back at once, so that it keeps nobody waiting.
#[test]
fn a_stopped_run_leaves_no_transaction() {
    let (server, one, other) = two_sessions();
    for run in [
        "db.exec('BEGIN IMMEDIATE; INSERT INTO t VALUES (1)'); for (;;);",
        "db.transaction(() => { db.exec('INSERT INTO t VALUES (1)'); for (;;); })",
        "await db.promises.transaction(async (tx) => { await tx.promises.exec('INSERT INTO t VALUES (1)'); for (;;); })",
        "db.promises.transaction(async (tx) => { await tx.promises.exec('INSERT INTO t VALUES (1)'); await new Promise(() => {}) }); for (;;) await null;",
    ] {
        let execution = server.eval(&one, run);
        assert_eq!(execution["status"], "timeout", "{execution}");
        assert_eq!(
            server.value(&other, &code("db.exec('INSERT INTO t VALUES (2); DELETE FROM t')")),
            "worked",
            "{run}"
        );
        assert_eq!(server.value(&one, "db.query('SELECT * FROM t').length"), "0", "{run}");
        assert_eq!(server.value(&one, "db.transaction(() => 7)"), "7", "{run}");
        assert_eq!(server.value(&one, "await db.promises.transaction(async () => 7)"), "7", "{run}");
    }
}

#[test]
fn a_query_that_is_cancelled_ends() {
    let (server, one, _) = two_sessions();
    let bomb = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(x) FROM c";
    for run in [format!("db.query('{bomb}')"), format!("await db.promises.query('{bomb}')")] {
        let execution = server.begin(&one, &run);
        let path = format!("/executions/{}/cancel", execution["id"].as_str().unwrap());
        server.post(&path, json!({}));
        assert_eq!(server.ended(&execution)["status"], "cancelled", "{run}");
        assert_eq!(server.value(&one, "db.query('SELECT 1 AS x')[0].x"), "1", "{run}");
    }
}

fn kv_server(place: &Path) -> (Server, String) {
    let server = Server::start_in(place, &shared_images());
    let templates = server.get("/templates").expect(200).json;
    let known = templates[0]["id"].as_str().map(str::to_owned);
    let template = known.unwrap_or_else(|| server.template("t", &["kv"]));
    let session = server.session(&template);
    (server, session)
}

#[test]
fn keys_outlive_sessions_and_servers() {
    let place = tempfile::tempdir().unwrap();
    let (server, session) = kv_server(place.path());
    assert_eq!(server.value(&session, "await require('kv').set('a', { x: 1 })"), "1");
    assert_eq!(server.value(&session, "await require('kv').set('soon', 1, { ttl: 1000 })"), "2");
    let other = server.template("other", &[]);
    let grant = json!({ "name": "kv", "config": { "namespace": "elsewhere" } });
    server.post(&format!("/templates/{other}/modules"), grant).expect(201);
    let elsewhere = server.session(&other);
    assert_eq!(server.value(&elsewhere, "String(await require('kv').get('a'))"), "undefined");
    server.send("DELETE", &format!("/templates/{other}"), None).expect(200);
    // What was acknowledged is on the disk.
    server.kill();

    let (server, session) = kv_server(place.path());
    assert_eq!(
        server.value(&session, "JSON.stringify(await require('kv').getEntry('a'))"),
        r#"{"key":"a","value":{"x":1},"version":1,"expiresAt":null}"#
    );
    std::thread::sleep(std::time::Duration::from_millis(1_000));
    assert_eq!(server.value(&session, "String(await require('kv').get('soon'))"), "undefined");
    assert_eq!(server.value(&session, "var s = 0; for (const r of await Promise.all(Array.from({ length: 100 }, () => require('kv').increment('n')))) s += r; s"), "5050");
    assert_eq!(server.value(&session, "await require('kv').set('a', 2)"), "103");
}
