//! Each grant from both sides: just inside works, just outside fails with a code, and with a message that names the
//! field which would have to say otherwise. What is proven elsewhere (`tests/cases/{fs,kv,exec,secrets}`, `fetch.rs`,
//! `secrets.rs`) is not here again.
use serde_json::{Value, json};

use crate::harness::{Server, run_js, shared_images, vm_in};
use crate::web::Web;

/// `await failed(f)` in scripts: `worked`, or code and message.
const FAILED: &str = "var failed = async (f) => {
    try { await f(); return 'worked'; } catch (e) { return `${e.code} ${e.message}`; }
};\n";

/// Runs a script with modules and their grants in a directory that has these files; its lines.
#[track_caller]
fn lines(flags: &[&str], grants: &[(&str, Value)], files: &[&str], script: &str) -> Vec<String> {
    let place = tempfile::tempdir().unwrap();
    for file in files {
        let path = place.path().join("root").join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }
    std::fs::create_dir_all(place.path().join("root")).unwrap();
    std::fs::write(place.path().join("script.js"), format!("{FAILED}{script}")).unwrap();
    let mut args: Vec<String> =
        ["run", "--root", "root", "--wall-ms", "20000", "--cpu-ms", "10000"].map(str::to_owned).to_vec();
    args.extend(flags.iter().map(|flag| (*flag).to_owned()));
    for (module, grant) in grants {
        args.extend(["--module".to_owned(), format!("{module}={grant}")]);
    }
    args.push("script.js".to_owned());
    let ran = vm_in(place.path(), &shared_images(), &args);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    ran.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn fs_access_bounds_what_roots_say() {
    let grant = json!({ "access": "read-only", "roots": [{ "path": "a", "access": "read-write" }, { "path": "b" }] });
    let out = lines(
        &[],
        &[("fs", grant)],
        &["a/f", "b/f", "c/f"],
        "const fs = require('fs'), p = fs.promises;
        console.log(await failed(() => fs.readFileSync('a/f')), await failed(() => p.readFile('b/f')));
        console.log(await failed(() => fs.writeFileSync('a/f', 'x')));
        console.log(await failed(() => p.mkdir('b/d')));
        console.log(await failed(() => p.readFile('c/f')));",
    );
    let read_only = "EROFS EROFS: read-only file system: `access` of module 'fs' in the template grants reading only";
    assert_eq!(
        out,
        [
            "worked worked",
            &format!("{read_only}, open 'a/f'"),
            &format!("{read_only}, mkdir 'b/d'"),
            "EACCES EACCES: permission denied: `roots` of module 'fs' in the template does not grant it, open 'c/f'",
        ]
    );
}

#[test]
fn fs_quotas_hold_for_promises_and_streams() {
    let out = lines(
        &[],
        &[("fs", json!({ "quota_kb": 2, "files_max": 3 }))],
        &[],
        "const fs = require('fs'), p = fs.promises;
        console.log(await failed(() => p.writeFile('a', 'x'.repeat(1024))));
        const stream = (name, bytes) => new Promise((resolve, reject) => {
            const out = fs.createWriteStream(name).on('error', reject);
            out.write(new Uint8Array(bytes)); out.end(resolve); });
        console.log(await failed(() => stream('b', 1000)), await failed(() => p.appendFile('a', 'x'.repeat(24))));
        console.log(await failed(() => p.appendFile('a', 'x')));
        console.log(await failed(() => stream('b', 1)), fs.statSync('a').size);
        console.log(await failed(() => p.mkdir('c')), '|', await failed(() => p.mkdir('d')));
        console.log(await failed(() => p.rm('c', { recursive: true })), '|', await failed(() => p.symlink('a', 'l')));",
    );
    let exceeded = |field: &str, call: &str| {
        format!("EDQUOT EDQUOT: quota exceeded: `{field}` of module 'fs' in the template, {call}")
    };
    assert_eq!(
        out,
        [
            "worked",
            "worked worked",
            &exceeded("quota_kb", "write 'a'"),
            &format!("{} 1048", exceeded("quota_kb", "write 'b'")),
            &format!("worked | {}", exceeded("files_max", "mkdir 'd'")),
            &format!("worked | {}", exceeded("files_max", "symlink 'a'")),
        ]
    );
    // Nothing may be written, and nothing made.
    let out = lines(
        &[],
        &[("fs", json!({ "quota_kb": 0, "files_max": 0 }))],
        &["a"],
        "const fs = require('fs');
        console.log(await failed(() => fs.writeFileSync('a', '')), '|', await failed(() => fs.writeFileSync('a', 'x')));
        console.log(await failed(() => fs.writeFileSync('b', '')));",
    );
    assert_eq!(out[0], format!("worked | {}", exceeded("quota_kb", "write 'a'")));
    assert_eq!(out[1], exceeded("files_max", "open 'b'"));
}

#[test]
fn database_path() {
    let out = lines(
        &[],
        &[("database", json!({ "path": "data" })), ("fs", json!({}))],
        &["data/sub/f", "above.db"],
        "const { open } = require('database'), make = (path) => failed(() => open(path).exec('CREATE TABLE t (x)'));
        console.log(await make('in.db'), await make('sub/in.db'), await make('sub/../also.db'), await make(':memory:'));
        for (const path of ['../above.db', 'sub/../../above.db', '/above.db']) console.log(await make(path));
        console.log(require('fs').readdirSync('data').join(), require('fs').statSync('above.db').size);",
    );
    assert_eq!(out[0], "worked worked worked worked");
    for refused in &out[1..4] {
        assert!(refused.starts_with("SQLITE_CANTOPEN "), "{refused}");
        assert!(refused.ends_with("(beneath `path` of module 'database' in the template)"), "{refused}");
    }
    assert_eq!(out[4], "also.db,in.db,sub 0");
    let script = "console.log(await failed(() => require('database').open('a.db')));";
    let out = lines(&[], &[("database", json!({ "path": "none" }))], &[], script);
    assert!(out[0].starts_with("SQLITE_CANTOPEN `path` of module 'database' in the template is 'none'"), "{out:?}");
}

#[test]
fn database_access() {
    let grant = json!({ "access": "read-only" });
    let out = lines(
        &[],
        &[("database", grant), ("fs", json!({}))],
        &["a.db"],
        "const { open } = require('database'), db = open('a.db'), memory = open(':memory:');
        console.log(db.query('SELECT 1 AS x')[0].x, await failed(() => memory.exec('CREATE TABLE t (x)')));
        console.log(await failed(() => db.exec('CREATE TABLE t (x)')));
        console.log(await failed(() => db.promises.exec('CREATE TABLE t (x)')));
        console.log(await failed(() => open('new.db')));
        console.log(require('fs').readdirSync('.').join(), require('fs').statSync('a.db').size);",
    );
    let refused = "SQLITE_READONLY attempt to write a readonly database: \
        `access` of module 'database' in the template is read-only";
    assert_eq!(
        out,
        [
            "1 worked",
            refused,
            refused,
            "SQLITE_CANTOPEN unable to open database file \
                (none is made: `access` of module 'database' in the template is read-only)",
            "a.db 0",
        ]
    );
}

/// `size_mb` holds in transactions as well, and a full database can be read and made smaller.
#[test]
fn database_size() {
    let out = lines(
        &[],
        &[("database", json!({ "size_mb": 1 }))],
        &[],
        "const { open } = require('database'), db = open('a.db');
        db.exec('CREATE TABLE t (x)');
        console.log(await failed(() => db.exec('INSERT INTO t VALUES (zeroblob(1000000))')));
        console.log(await failed(() => db.exec('INSERT INTO t VALUES (zeroblob(50000))')));
        console.log(await failed(() => db.promises.transaction((tx) =>
            tx.promises.exec('INSERT INTO t VALUES (zeroblob(50000))'))));
        console.log(db.query('SELECT count(*) AS n FROM t')[0].n, db.exec('DELETE FROM t').rowsAffected,
            await failed(() => db.exec('INSERT INTO t VALUES (zeroblob(1000000))')));",
    );
    let full = "SQLITE_FULL database or disk is full (size_mb of the grant: 1 MiB a database)";
    assert_eq!(out, ["worked", full, full, "1 1 worked"]);
}

/// Templates with the same namespace share keys, quota and all; others see nothing of them.
#[test]
fn kv_namespaces() {
    let server = Server::start();
    let session = |name: &str, grant: Value| {
        let body = json!({ "name": name, "modules": [{ "name": "kv", "config": grant }] });
        let made = server.post("/templates", body).expect(201).json;
        let session = server.session(made["id"].as_str().unwrap());
        server.value(&session, &format!("{FAILED}var kv = require('kv'); 1"));
        session
    };
    let one = session("one", json!({ "namespace": "shared", "quota_kb": 2 }));
    let other = session("other", json!({ "namespace": "shared", "quota_kb": 2 }));
    let reader = session("reader", json!({ "namespace": "shared", "access": "read-only" }));
    let away = session("away", json!({ "namespace": "Shared", "quota_kb": 2 }));
    let default = session("default", json!({}));
    // 64 + 1 + 1024 of one; as much again does not fit, from whichever session.
    let large = "await failed(() => kv.set('KEY', new Uint8Array(1024)))";
    assert_eq!(server.value(&one, &large.replace("KEY", "a")), "worked");
    let full = server.value(&other, &large.replace("KEY", "b"));
    assert!(full.starts_with("EQUOTA ") && full.ends_with("its 2 KiB (quota_kb of the grant)"), "{full}");
    assert_eq!(server.value(&other, "await failed(() => kv.set('b', new Uint8Array(2048 - 64 - 1 - 1089)))"), "worked");
    assert_eq!(server.value(&away, &large.replace("KEY", "a")), "worked", "a namespace has its own quota");
    let keys = "(await kv.list()).entries.map(({ key }) => key).join()";
    for (session, expected) in [(&one, "a,b"), (&other, "a,b"), (&reader, "a,b"), (&away, "a"), (&default, "")] {
        assert_eq!(server.value(session, keys), expected);
    }
    // Reading is granted, every way of writing is not.
    for call in [
        "set('a', 1)",
        "cas('a', null, 1)",
        "increment('n')",
        "delete('a')",
        "delete('none')",
        "set('a', 1, { ttl: 5 })",
    ] {
        let refused = server.value(&reader, &format!("await failed(() => kv.{call})"));
        assert_eq!(
            refused, "NOT_GRANTED changing keys: not granted; `access` of module 'kv' in the template would have to",
            "{call}"
        );
    }
    assert_eq!(server.value(&reader, "(await kv.getEntry('a')).value.length + (await kv.get('a')).length"), "2048");
}

/// The fields of `fetch`: every refusal says which it was.
#[test]
fn fetch_names_its_fields() {
    let web = Web::start();
    let run = |grant: Value, script: &str| {
        let mut all = json!({ "origins": [web.url()], "private": true });
        all.as_object_mut().unwrap().extend(grant.as_object().unwrap().clone());
        lines(&["--allow-private-networks=127.0.0.1"], &[("fetch", all)], &[], &script.replace("WEB", &web.url()))
    };
    let not = |what: &str, field: &str| {
        format!("NOT_GRANTED {what}: not granted; `{field}` of module 'fetch' in the template would have to")
    };
    let out = run(
        json!({}),
        "console.log(await failed(() => fetch('WEB/hello')),
            await failed(() => fetch('WEB/hello', { method: 'HEAD' })));
        console.log(await failed(() => fetch('WEB/hello', { method: 'POST' })));
        console.log(await failed(() => fetch('WEB0/hello')));
        console.log(await failed(() => fetch('WEB/redirect?302,http://127.0.0.1:1/')));
        console.log(await failed(() => fetch('WEB/echo', { headers: { a: '{{secret:A}}' } })));",
    );
    assert_eq!(
        out[..],
        [
            "worked worked".to_owned(),
            not(&format!("POST {}", web.url()), "methods"),
            out[2].clone(),
            not("after a redirect: http://127.0.0.1:1", "origins"),
            not("sending secret A", "secrets.A"),
        ]
    );
    // A port with one digit more is another origin, or none at all.
    assert!(out[2].starts_with("NOT_GRANTED") || out[2].starts_with("ERR_INVALID_URL"), "{out:?}");
    // What is granted beside the defaults takes their place.
    let script = "console.log(await failed(() => fetch('WEB/hello', { method: 'POST' })));
        console.log(await failed(() => fetch('WEB/hello')));";
    let out = run(json!({ "methods": ["POST"] }), script);
    assert_eq!(out, ["worked", &not(&format!("GET {}", web.url()), "methods")]);
    // Time: the grant's own, not to be stretched; and its end is the end of the body.
    let out = run(
        json!({ "timeout_ms": 500 }),
        "console.log(await failed(() => fetch('WEB/slow?10')));
        console.log(await failed(() => fetch('WEB/slow?5000', { timeout: 20000 })));
        console.log(await failed(async () => { for await (const _ of (await fetch('WEB/endless?10')).body); }));
        const body = (await fetch('WEB/endless?10')).body.getReader(), since = Date.now();
        await body.read();
        while (Date.now() - since < 600);
        console.log(await failed(async () => { for (;;) await body.read(); }));",
    );
    assert_eq!(out[0], "worked");
    for late in &out[1..] {
        assert!(late.starts_with("ETIMEDOUT ") && late.contains("`timeout_ms` of the grant"), "{late}");
        assert!(late.contains("500 ms"), "{late}");
    }
    let out = run(
        json!({ "concurrency": 2, "timeout_ms": 2000, "max_request_kb": 1, "methods": ["GET", "POST"] }),
        "const held = [await fetch('WEB/endless?10'), await fetch('WEB/endless?10')];
        console.log(await failed(() => fetch('WEB/hello', { timeout: 300 })));
        await held.pop().body.cancel();
        console.log(await failed(() => fetch('WEB/hello')));
        const post = (bytes) => failed(() => fetch('WEB/hello', { method: 'POST', body: new Uint8Array(bytes) }));
        console.log(await post(1024), '|', await post(1025));",
    );
    assert!(out[0].starts_with("ETIMEDOUT ") && out[0].contains("`concurrency` of the grant"), "{out:?}");
    assert_eq!(out[1], "worked");
    assert_eq!(out[2], "worked | EMSGSIZE the body is larger than 1 KiB: `max_request_kb` of the grant");
    // Not public: the template's word and the operator's are both needed, and the message says whose is missing.
    let grant = |private: bool| [("fetch", json!({ "origins": [web.url()], "private": private }))];
    let script = format!("console.log(await failed(() => fetch('{}/hello')));", web.url());
    let template =
        "EPRIVATE 127.0.0.1 is not public: `private` of module 'fetch' in the template would have to be true";
    let operator = "EPRIVATE 127.0.0.1 is not public: the operator would have to allow it: --allow-private-networks";
    let allowed = "--allow-private-networks";
    for (flags, private, expected) in
        [(&[][..], false, template), (&[allowed], false, template), (&[], true, operator), (&[allowed], true, "worked")]
    {
        assert_eq!(lines(flags, &grant(private), &[], &script), [expected]);
    }
}

/// A secret needs its reference granted, its sending granted, and its origin approved.
#[test]
fn secrets_need_every_word() {
    let (web, place) = (Web::start(), tempfile::tempdir().unwrap());
    let server = Server::start_with(place.path(), &shared_images(), &["--allow-private-networks=127.0.0.1"]);
    for (name, origins) in
        [("A", json!([web.url()])), ("B", json!([web.url()])), ("C", json!(["https://api.example.com"]))]
    {
        let body = json!({ "value": format!("value of {name}"), "origins": origins }).to_string();
        server.send("PUT", &format!("/secrets/{name}"), Some(&body)).expect(200);
    }
    let fetch = json!({ "origins": [web.url()], "private": true,
        "secrets": { "A": [], "B": ["https://api.example.com"], "C": [], "D": [] } });
    let secrets = json!({ "names": ["A"], "reveal": ["B", "D"] });
    let modules = json!([{ "name": "fetch", "config": fetch }, { "name": "secrets", "config": secrets }]);
    let made = server.post("/templates", json!({ "name": "t", "modules": modules })).expect(201).json;
    let session = server.session(made["id"].as_str().unwrap());
    server.value(&session, &format!("{FAILED}var {{ ref, get }} = require('secrets'); 1"));
    let fails = |script: &str| server.value(&session, &format!("await failed(async () => {{ {script} }})"));
    let send = |name: &str| {
        fails(&format!(
            "const r = await fetch('{}/echo', {{ headers: {{ a: '{{{{secret:{name}}}}}' }} }}); await r.text()",
            web.url()
        ))
    };
    let url = web.url();
    assert_eq!(send("A"), "worked");
    let fields = "of module 'fetch' in the template would have to";
    assert_eq!(send("B"), format!("NOT_GRANTED sending secret B to {url}: not granted; `secrets.B` {fields}"));
    assert_eq!(
        send("C"),
        format!("NOT_GRANTED secret C is not approved for {url}: `vm-system secret set C --origin {url}`")
    );
    assert_eq!(send("D"), "ENOSECRET there is no secret D: `vm-system secret set D`");
    assert_eq!(send("E"), format!("NOT_GRANTED sending secret E: not granted; `secrets.E` {fields}"));
    assert_eq!(web.heads().len(), 1, "nothing else was sent");
    // References and values.
    assert_eq!(fails("ref('A'); ref('B')"), "worked", "what may be read may be referred to");
    let fields = "of module 'secrets' in the template would have to";
    assert_eq!(fails("ref('C')"), format!("NOT_GRANTED secret C: not granted; `names` {fields}"));
    assert_eq!(server.value(&session, "await get('B')"), "value of B");
    assert_eq!(fails("await get('A')"), format!("NOT_GRANTED the value of secret A: not granted; `reveal` {fields}"));
    assert_eq!(fails("await get('D')"), "ENOSECRET there is no secret D: `vm-system secret set D`");
}

#[test]
fn env_names_and_how_many() {
    let named = |count: usize| {
        let names: Vec<String> = (0..count).map(|at| format!("VM_EDGE_{at}")).collect();
        format!("env={}", json!({ "names": names, "values": { "VM_EDGE_0": "mine" } }))
    };
    let script = "const env = require('env');
        console.log(env.get('VM_EDGE_0'), env.has('VM_EDGE'), Object.keys(env.all()).length)";
    let ran = run_js(&["--module", &named(999)], script);
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(0), "mine false 1\n"), "values need no operator: {ran:?}");
    let refused = run_js(&["--module", &named(1_000)], script);
    assert!(refused.status != Some(0) && refused.stderr.contains("values, names: more than 1000"), "{refused:?}");
    let out = lines(
        &[],
        &[("env", json!({ "names": ["VM_EDGE"], "values": {} }))],
        &[],
        "console.log(await failed(() => require('env').get('VM_EDGE')));
        console.log(await failed(() => require('env').get('OTHER')));",
    );
    assert_eq!(
        out,
        [
            "NOT_GRANTED VM_EDGE: `names` of module 'env' in the template grants it, the operator does not: \
                --allow-env VM_EDGE",
            "worked",
        ]
    );
}

/// The same bounds for all three ways of running a program.
#[test]
fn exec_bounds_every_way() {
    let grant = json!({ "programs": ["sh"], "timeout_ms": 1500, "output_kb": 2, "env": { "TZ": "UTC", "FREE": null } });
    let out = lines(
        &["--allow-exec", "sh=/bin/sh", "--allow-exec", "ls=/bin/ls"],
        &[("exec", grant)],
        &[],
        "const { run, execFile, spawn } = require('exec');
        const ways = {
            run: async (...call) => run(...call), execFile,
            spawn: async (...call) => { const p = spawn(...call); for await (const _ of p); await p.wait(); },
        };
        for (const way of Object.values(ways)) {
            const sh = (text, options) => failed(() => way('sh', ['-c', text], options));
            console.log(await sh('head -c 1024 /dev/zero; head -c 1024 /dev/zero >&2'),
                await sh('sleep 0.01'), await sh('exit 0', { env: { FREE: '1' } }));
            console.log(await sh('head -c 1024 /dev/zero; head -c 1025 /dev/zero >&2'));
            console.log(await sh('sleep 30', { timeout: 60000 }));
            console.log(await sh('exit 0', { env: { TZ: 'CET' } }));
            console.log(await failed(() => way('ls', [])));
        }",
    );
    let way = [
        "worked worked worked",
        "ENOBUFS ENOBUFS: the program wrote more than `output_kb` of module 'exec' in the template allows",
        "ETIMEDOUT ETIMEDOUT: the program took longer than 1500 ms and was killed \
            (`timeout`, or `timeout_ms` of module 'exec' in the template)",
        "NOT_GRANTED the variable 'TZ': not granted; `env` of module 'exec' in the template would have to",
        "NOT_GRANTED 'ls' (among those of serve --allow-exec): not granted; \
            `programs` of module 'exec' in the template would have to",
    ];
    assert_eq!(out, [way, way, way].concat());
}
