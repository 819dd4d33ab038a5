//! `libs download`, from a registry of the test's own.
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha512};

use crate::harness::{Ran, program, shared_images, vm_in};

/// Answers by path; remembers the requests' heads. Its thread ends with the test process.
#[derive(Clone, Default)]
struct Registry {
    answers: Arc<Mutex<HashMap<String, Vec<u8>>>>,
    heads: Arc<Mutex<Vec<String>>>,
    url: String,
}

impl Registry {
    fn start() -> Registry {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let registry = Registry { url: format!("http://{}", listener.local_addr().unwrap()), ..Registry::default() };
        let ours = registry.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let ours = ours.clone();
                std::thread::spawn(move || ours.answer(stream.unwrap()));
            }
        });
        registry
    }

    fn answer(&self, mut stream: TcpStream) {
        let mut head = String::new();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while reader.read_line(&mut head).unwrap_or(0) > 2 {}
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        self.heads.lock().unwrap().push(head);
        let body = self.answers.lock().unwrap().get(&path).cloned();
        let (status, body) = body.map_or(("404 Not Found", b"{}".to_vec()), |body| ("200 OK", body));
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
    }

    fn serve(&self, path: &str, body: impl Into<Vec<u8>>) {
        self.answers.lock().unwrap().insert(path.to_owned(), body.into());
    }

    /// Publishes versions of a package, all with the one archive; the last version is `latest`.
    fn publish(&self, name: &str, versions: &[&str], archive: Vec<u8>) {
        let integrity = format!("sha512-{}", STANDARD.encode(Sha512::digest(&archive)));
        self.publish_as(name, versions, archive, &json!(integrity));
    }

    fn publish_as(&self, name: &str, versions: &[&str], archive: Vec<u8>, integrity: &Value) {
        let path = format!("/{}", name.replace('/', "%2f"));
        let tarball = format!("{}{path}/-/archive.tgz", self.url);
        let dist = json!({ "tarball": tarball, "integrity": integrity });
        let versions: serde_json::Map<_, _> =
            versions.iter().map(|version| ((*version).to_owned(), json!({ "dist": dist }))).collect();
        let latest = versions.keys().next_back().unwrap().clone();
        let document = json!({ "name": name, "dist-tags": { "latest": latest }, "versions": versions });
        self.serve(&format!("{path}/-/archive.tgz"), archive);
        self.serve(&path, document.to_string());
    }
}

fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(gzip);
    for (path, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, format!("package/{path}"), text.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

/// `libs ARGS` with nothing of this machine's npm configuration, and what the test sets.
fn libs(directory: &Path, args: &[&str], variables: &[(&str, &str)]) -> Ran {
    let mut command = Command::new(program());
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().to_lowercase();
        if name.starts_with("npm_config") || name.ends_with("_proxy") {
            command.env_remove(&*name).env_remove(name.to_uppercase());
        }
    }
    // No npm there to be asked.
    command.env("HOME", directory).env("PATH", "/nonexistent").envs(variables.iter().copied());
    command.arg("--data-dir").arg(shared_images()).arg("libs").args(args).current_dir(directory).stdin(Stdio::null());
    let began = std::time::Instant::now();
    let out = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { status: out.status.code(), stdout: text(out.stdout), stderr: text(out.stderr), elapsed: began.elapsed() }
}

fn kept(directory: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(directory.join(".vm-cache/libraries")) else { return Vec::new() };
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn packages_of_every_format_are_fetched_and_run() {
    let registry = Registry::start();
    let umd = "(function (g, f) { typeof exports === 'object' ? module.exports = f() : g.One = f() })(this, () => ({ n: 1 }))";
    let manifest = r#"{ "name": "one", "main": "broken.js", "unpkg": "dist/one.js" }"#;
    registry.publish(
        "one",
        &["1.0.0"],
        archive(&[("package.json", manifest), ("dist/one.js", umd), ("broken.js", "(")]),
    );
    let manifest = r#"{ "name": "two", "main": "./lib" }"#;
    let files = [
        ("package.json", manifest),
        ("lib/index.js", "exports.n = require('./inner/n').n; exports.own = require('two/lib/data').x"),
        ("lib/inner/n.js", "exports.n = require('..') ? 2 : 0"),
        ("lib/data.json", r#"{ "x": "data" }"#),
        ("test.js", "throw 1"),
    ];
    registry.publish("two", &["2.0.0"], archive(&files));
    let manifest = r##"{ "name": "@s/three-d", "type": "module", "exports": { "import": "./main.js" }, "imports": { "#n": "./n.js" } }"##;
    let files = [
        ("package.json", manifest),
        ("main.js", "export { n } from './n.js'; import { n } from '#n'; export default () => n;"),
        ("n.js", "export const n = 3;"),
    ];
    registry.publish("@s/three-d", &["3.0.0-rc.1"], archive(&files));

    let place = tempfile::tempdir().unwrap();
    let ran =
        libs(place.path(), &["download", "--registry", &registry.url, "one", "two", "@s/three-d@3.0.0-rc.1"], &[]);
    assert_eq!((ran.status, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines[0], format!("Downloaded one 1.0.0 ({} bytes) as one-1.0.0, global One", umd.len()));
    assert!(lines[1].ends_with(" as two-2.0.0, global two"), "{ran:?}");
    assert!(
        lines[2].starts_with("Downloaded @s/three-d 3.0.0-rc.1 (") && lines[2].ends_with(" global threeD"),
        "{ran:?}"
    );
    assert_eq!(kept(place.path()), ["@s+three-d-3.0.0-rc.1.js", "one-1.0.0.js", "two-2.0.0.js"]);
    let one = place.path().join(".vm-cache/libraries/one-1.0.0.js");
    assert_eq!(std::fs::read_to_string(one).unwrap(), umd, "a file that stands alone is kept as it is");

    let script = "console.log(One.n, two.n, two.own, threeD(), require('@s/three-d').n, require('one') === One)";
    std::fs::write(place.path().join("use.js"), script).unwrap();
    let mut args = vec!["run".to_owned(), "use.js".to_owned()];
    for file in kept(place.path()) {
        args.extend(["--library".to_owned(), format!(".vm-cache/libraries/{file}")]);
    }
    let ran = vm_in(place.path(), &shared_images(), &args);
    assert_eq!(ran.stdout.trim(), "1 2 data 3 3 true", "{ran:?}");
}

#[test]
fn what_the_registry_does_not_vouch_for_is_not_kept() {
    let registry = Registry::start();
    let good = archive(&[("package.json", "{}"), ("index.js", "exports.x = 1")]);
    let wrong = format!("sha512-{}", STANDARD.encode(Sha512::digest(b"another")));
    registry.publish_as("wrong", &["1.0.0"], good.clone(), &json!(wrong));
    registry.publish_as("weak", &["1.0.0"], good.clone(), &json!("sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk="));
    registry.publish_as("none", &["1.0.0"], good.clone(), &Value::Null);
    registry.publish("damaged", &["1.0.0"], b"no archive".to_vec());
    registry.publish("cut", &["1.0.0"], good[..good.len() / 2].to_vec());
    registry.publish("large", &["1.0.0"], vec![0; (32 << 20) + 1]);
    let zeros = "\0".repeat(15 << 20);
    let many: Vec<(String, &str)> = (0..18).map(|n| (format!("{n}.txt"), zeros.as_str())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(path, text)| (path.as_str(), *text)).collect();
    registry.publish("bomb", &["1.0.0"], archive(&many));
    let place = tempfile::tempdir().unwrap();
    for (name, why) in [
        ("wrong", "SHA-512 differs"),
        ("weak", "vouches for it with no SHA-512"),
        ("none", "vouches for it with no SHA-512"),
        ("damaged", "archive is damaged"),
        ("cut", "archive is damaged"),
        ("large", "larger than 33554432 bytes"),
        ("bomb", "unpacks to more than"),
    ] {
        let ran = libs(place.path(), &["download", "--registry", &registry.url, name], &[]);
        assert!(ran.status == Some(1) && ran.stderr.contains(why) && ran.stdout.is_empty(), "{name}: {ran:?}");
    }
    assert_eq!(kept(place.path()), [""; 0]);
}

#[test]
fn what_can_not_run_is_told_and_the_rest_is_kept() {
    let registry = Registry::start();
    let manifest = r#"{ "name": "hooks", "peerDependencies": { "react": "*" } }"#;
    registry.publish(
        "hooks",
        &["5.0.0"],
        archive(&[("package.json", manifest), ("index.js", "module.exports = require('react/x')")]),
    );
    registry.publish(
        "node",
        &["1.0.0"],
        archive(&[("package.json", "{}"), ("index.js", "exports.x = require('net')")]),
    );
    registry.publish(
        "throws",
        &["1.0.0"],
        archive(&[("package.json", "{}"), ("index.js", "exports.x = window.document")]),
    );
    registry.publish("silent", &["1.0.0"], archive(&[("package.json", "{}"), ("index.js", "'nothing'")]));
    registry.publish("types", &["1.0.0"], archive(&[("package.json", r#"{ "main": "" }"#), ("index.d.ts", "")]));
    registry.publish(
        "fine",
        &["1.0.0", "1.5.0", "2.0.0"],
        archive(&[("package.json", "{}"), ("index.js", "exports.x = 1")]),
    );
    let place = tempfile::tempdir().unwrap();
    let args = [
        "download",
        "--registry",
        &registry.url,
        "hooks",
        "node",
        "throws",
        "silent",
        "types",
        "fine@1",
        "fine@7",
        "gone",
    ];
    let ran = libs(place.path(), &args, &[]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    let errors: Vec<&str> = ran.stderr.lines().collect();
    for (line, why) in [
        "hooks 5.0.0 cannot run here: it requires \"react/x\", another package",
        "node 1.0.0 cannot run here: it requires \"net\", which is not part of it",
        "throws 1.0.0 cannot run here: it throws ReferenceError",
        "silent 1.0.0 cannot run here: it runs but exports nothing",
        "types 1.0.0 cannot run here: it has no JavaScript file",
        "fine has no version \"7\"; the newest are 2.0.0, 1.5.0, 1.0.0",
        "there is no package \"gone\"",
    ]
    .iter()
    .enumerate()
    {
        assert!(errors[line].starts_with("Error: ") && errors[line].contains(why), "{why}: {ran:?}");
    }
    assert_eq!(errors.len(), 7, "{ran:?}");
    assert_eq!(kept(place.path()), ["fine-1.5.0.js"]);

    let ran = libs(place.path(), &["download", "--registry", &registry.url, "fine", "gone", "--output", "json"], &[]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&report[0]["name"], &report[0]["format"]), (&json!("fine-2.0.0"), &json!("commonjs")), "{ran:?}");
    assert!(report[1]["error"].as_str().unwrap().contains("gone"), "{ran:?}");
}

#[test]
fn npms_configuration_is_heeded() {
    let (first, second) = (Registry::start(), Registry::start());
    let package = || archive(&[("package.json", "{}"), ("index.js", "exports.x = 1")]);
    first.publish("plain", &["1.0.0"], package());
    second.publish("@mine/plain", &["1.0.0"], package());
    let place = tempfile::tempdir().unwrap();
    let inner = place.path().join("project/deep");
    std::fs::create_dir_all(&inner).unwrap();

    // Nothing says where: no registry is built in.
    let ran = libs(place.path(), &["download", "plain"], &[]);
    assert!(ran.status == Some(2) && ran.stderr.contains("no registry is configured"), "{ran:?}");

    let host = second.url.strip_prefix("http:").unwrap();
    let npmrc = format!(
        "registry = {}/\n; note\n@mine:registry={}\n{host}/:_authToken=${{TEST_TOKEN}}\n",
        first.url, second.url
    );
    std::fs::write(place.path().join("project/.npmrc"), npmrc).unwrap();
    let ran = libs(&inner, &["download", "plain", "@mine/plain"], &[("TEST_TOKEN", "s3cret")]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert_eq!(kept(&inner), ["@mine+plain-1.0.0.js", "plain-1.0.0.js"]);
    let token = |registry: &Registry| {
        let heads = registry.heads.lock().unwrap();
        heads.iter().map(|head| head.to_lowercase().contains("authorization: bearer s3cret")).collect::<Vec<_>>()
    };
    assert_eq!((token(&first), token(&second)), (vec![false, false], vec![true, true]), "it goes to its own host only");

    // The environment goes before the files.
    let ran = libs(&inner, &["download", "plain"], &[("NPM_CONFIG_REGISTRY", &second.url), ("TEST_TOKEN", "s3cret")]);
    assert!(ran.status == Some(1) && ran.stderr.contains(&second.url) && !ran.stderr.contains("s3cret"), "{ran:?}");
    for wrong in ["no-url", "http://user:s3cret@127.0.0.1:1/"] {
        let ran = libs(&inner, &["download", "plain", "--registry", wrong], &[]);
        assert!(ran.status == Some(2) && !ran.stderr.contains("s3cret"), "{ran:?}");
    }
    let ran = libs(&inner, &["download", "plain", "--registry", "http://127.0.0.1:1"], &[]);
    assert!(ran.status == Some(1) && ran.stderr.contains("cannot reach"), "{ran:?}");
}

#[test]
fn names_that_lead_elsewhere_are_no_packages() {
    let registry = Registry::start();
    let place = tempfile::tempdir().unwrap();
    for name in ["../x", "/etc/passwd", "x/y", "@s/../x", "x?y", "x%2fy", ".x", "@/x", ""] {
        let ran = libs(place.path(), &["download", "--registry", &registry.url, name], &[]);
        assert_eq!(ran.status, Some(2), "{name}: {ran:?}");
    }
    assert!(registry.heads.lock().unwrap().is_empty(), "nothing was asked");
    // A version is the registry's word, and becomes part of a file's name.
    registry.publish("x", &["../../1.0.0"], archive(&[("package.json", "{}"), ("index.js", "exports.x = 1")]));
    let ran = libs(place.path(), &["download", "--registry", &registry.url, "x"], &[]);
    assert!(ran.status == Some(1) && kept(place.path()).is_empty(), "{ran:?}");
}
