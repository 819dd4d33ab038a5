//! Starts the program under test, as a command and as a server. Every test has its own directory, port and database;
//! what they share is the cache of compiled images, so that each recipe is built once per checkout.
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Once;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// No command and no request of these tests takes longer, on a loaded machine with two cores and an empty cache.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program under test.
pub fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_vm-system-under-test"))
}

/// The repository.
pub fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Where tests keep compiled images between runs: below `target/`.
pub fn shared_images() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("images")
}

/// What a finished command left.
#[derive(Debug)]
pub struct Ran {
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub elapsed: Duration,
}

/// Runs a command of `vm-system` in `directory` to its end. One that hangs is killed, and has no status.
pub fn vm_in<S: AsRef<OsStr>>(directory: &Path, images: &Path, args: &[S]) -> Ran {
    let began = Instant::now();
    let mut child = Command::new(program())
        .arg("--data-dir")
        .arg(images)
        .args(args)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let out = drain(child.stdout.take().unwrap());
    let err = drain(child.stderr.take().unwrap());
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if began.elapsed() > PATIENCE {
            child.kill().unwrap();
            break child.wait().unwrap();
        }
        thread::sleep(Duration::from_millis(2));
    };
    let elapsed = began.elapsed();
    Ran { status: status.code(), stdout: out.join().unwrap(), stderr: err.join().unwrap(), elapsed }
}

/// Runs a command in a directory of its own.
pub fn vm<S: AsRef<OsStr>>(args: &[S]) -> Ran {
    let directory = tempfile::tempdir().unwrap();
    vm_in(directory.path(), &shared_images(), args)
}

/// Builds the images that most tests use, so that what they measure is not that. Once a process.
pub fn warm() {
    static WARM: Once = Once::new();
    WARM.call_once(|| {
        for flags in [&[][..], &["--module", "fs"]] {
            let mut args = vec!["image", "inspect"];
            args.extend(flags);
            let ran = vm(&args);
            assert_eq!(ran.status, Some(0), "{ran:?}");
        }
    });
}

/// Runs `source` as `vm-system run FILE`.
pub fn run_js(flags: &[&str], source: &str) -> Ran {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("script.js"), source).unwrap();
    let mut args = vec!["run"];
    args.extend(flags);
    args.push("script.js");
    vm_in(directory.path(), &shared_images(), &args)
}

/// Runs `input` as the standard input of a command.
pub fn vm_fed<S: AsRef<OsStr>>(args: &[S], input: &str) -> Ran {
    let began = Instant::now();
    let mut child = Command::new(program())
        .arg("--data-dir")
        .arg(shared_images())
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ran { status: out.status.code(), stdout: text(out.stdout), stderr: text(out.stderr), elapsed: began.elapsed() }
}

fn drain(mut from: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// A running server, killed when it goes out of scope.
pub struct Server {
    child: Child,
    agent: ureq::Agent,
    pub url: String,
    pub directory: PathBuf,
    _own: Option<TempDir>,
}

impl Server {
    /// A server in a directory of its own.
    pub fn start() -> Server {
        let own = tempfile::tempdir().unwrap();
        let mut server = Server::start_in(own.path(), &shared_images());
        server._own = Some(own);
        server
    }

    /// A server whose database lies in `directory`, which may have one already.
    pub fn start_in(directory: &Path, images: &Path) -> Server {
        Server::start_with(directory, images, &[])
    }

    /// The same, with more flags.
    pub fn start_with(directory: &Path, images: &Path, flags: &[&str]) -> Server {
        let log = directory.join("server.log");
        let log = std::fs::File::options().create(true).append(true).open(log).unwrap();
        Server::start_logging_to(log.into(), directory, images, flags)
    }

    /// The same, with variables of its environment that are paths.
    pub fn start_with_env(directory: &Path, images: &Path, flags: &[&str], env: &[(&str, &Path)]) -> Server {
        let log = directory.join("server.log");
        let log = std::fs::File::options().create(true).append(true).open(log).unwrap();
        Server::launch(log.into(), directory, images, flags, env)
    }

    /// The same, with another place for its log.
    pub fn start_logging_to(log: Stdio, directory: &Path, images: &Path, flags: &[&str]) -> Server {
        Server::launch(log, directory, images, flags, &[])
    }

    fn launch(log: Stdio, directory: &Path, images: &Path, flags: &[&str], env: &[(&str, &Path)]) -> Server {
        Server::try_launch(log, directory, images, flags, env).unwrap_or_else(|line| {
            let log = std::fs::read_to_string(directory.join("server.log")).unwrap_or_default();
            panic!("the server does not listen: {line}{log}");
        })
    }

    /// The same. An error where it does not listen: what it said instead, and how it ended.
    pub fn try_start(log: Stdio, directory: &Path, images: &Path, flags: &[&str]) -> Result<Server, String> {
        Server::try_launch(log, directory, images, flags, &[])
    }

    fn try_launch(
        log: Stdio,
        directory: &Path,
        images: &Path,
        flags: &[&str],
        env: &[(&str, &Path)],
    ) -> Result<Server, String> {
        let mut child = Command::new(program())
            .envs(env.iter().copied())
            .args(["--data-dir", images.to_str().unwrap(), "serve", "--listen", "127.0.0.1:0"])
            .args(flags)
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let Some(url) = line.trim().strip_prefix("vm-system listening on ").map(str::to_owned) else {
            return Err(format!("{line}{:?}", child.wait().unwrap().code()));
        };
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .timeout_global(Some(PATIENCE))
            .build()
            .into();
        Ok(Server { child, agent, url, directory: directory.to_owned(), _own: None })
    }

    /// Ends the server as a power cut would.
    pub fn kill(mut self) -> Option<TempDir> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self._own.take()
    }

    /// Asks the server to end, and waits until it has; its exit status.
    pub fn terminate(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(began.elapsed() < PATIENCE, "still there");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Closes our end of the server's stderr, if that is a pipe.
    pub fn close_stderr(&mut self) {
        self.child.stderr = None;
    }

    /// The server's process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A line of `/proc/PID/status`, KiB.
    pub fn status_kib(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Host and port, for a socket of one's own.
    pub fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.join("server.log")).unwrap()
    }

    /// A request with any method, path (below `/api/v1`) and body.
    pub fn send(&self, method: &str, path: &str, body: Option<&str>) -> Answer {
        self.send_with(method, path, &[("Content-Type", "application/json")], body)
    }

    /// The same, with headers.
    pub fn send_with(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&str>) -> Answer {
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}/api/v1{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = match body {
            Some(body) => self.agent.run(request.body(body.to_owned()).unwrap()),
            None => self.agent.run(request.body(()).unwrap()),
        };
        let mut answer = answer.unwrap_or_else(|e| panic!("{method} {path}: {e}"));
        let bytes = answer.body_mut().with_config().limit(64 << 20).read_to_vec().unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Answer {
            status: answer.status().as_u16(),
            headers: answer
                .headers()
                .iter()
                .map(|(k, v)| (k.as_str().to_owned(), v.to_str().unwrap_or("").to_owned()))
                .collect(),
            json: serde_json::from_str(&text).unwrap_or(Value::Null),
            text,
        }
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None)
    }

    pub fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, Some(&body.to_string()))
    }

    /// A new template that lists `modules`; its id.
    pub fn template(&self, name: &str, modules: &[&str]) -> String {
        let made = self.post("/templates", json!({ "name": name })).expect(201);
        let id = made.json["id"].as_str().unwrap().to_owned();
        for module in modules {
            self.post(&format!("/templates/{id}/modules"), json!({ "name": module })).expect(201);
        }
        id
    }

    /// A template whose sessions end with the server; its id.
    pub fn fleeting(&self, name: &str, modules: &[&str]) -> String {
        let id = self.template(name, modules);
        let settings = json!({ "runtime": { "durability": "none" } }).to_string();
        self.send("PATCH", &format!("/templates/{id}/settings"), Some(&settings)).expect(200);
        id
    }

    /// A new session on `template` whose worktree is the server's own directory; its id.
    pub fn session(&self, template: &str) -> String {
        let body = self.session_body(template);
        self.post("/sessions", body).expect(201).json["id"].as_str().unwrap().to_owned()
    }

    /// What a client sends to make a session.
    pub fn session_body(&self, template: &str) -> Value {
        json!({
            "template_id": template,
            "workspace_id": "w",
            "base_commit_oid": "0000000",
            "worktree_path": self.directory.to_str().unwrap(),
        })
    }

    /// Runs `input` in a session; the answer, whatever it is.
    pub fn try_eval(&self, session: &str, input: &str) -> Answer {
        self.post("/executions/repl", json!({ "session_id": session, "input": input }))
    }

    /// Runs `input` in a session; the execution, which may have failed in JavaScript.
    pub fn eval(&self, session: &str, input: &str) -> Value {
        self.try_eval(session, input).expect(201).json
    }

    /// The preview of what `input` comes to.
    pub fn value(&self, session: &str, input: &str) -> String {
        let execution = self.eval(session, input);
        assert_eq!(execution["status"], "ok", "{input}: {execution}");
        execution["result"]["preview"].as_str().unwrap().to_owned()
    }

    /// Takes `input` on without waiting for its end; the execution, which is `running`.
    pub fn begin(&self, session: &str, input: &str) -> Value {
        let body = json!({ "session_id": session, "input": input }).to_string();
        let answer = self.send_with("POST", "/executions/repl", &[("Prefer", "respond-async")], Some(&body));
        answer.expect(202).json
    }

    /// Waits for the end of an execution; its final row.
    #[track_caller]
    pub fn ended(&self, execution: &Value) -> Value {
        let path = format!("/executions/{}", execution["id"].as_str().unwrap());
        let began = Instant::now();
        loop {
            let row = self.get(&path).expect(200).json;
            if row["status"] != "running" {
                return row;
            }
            assert!(began.elapsed() < PATIENCE, "it never ends: {row}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The events of an execution.
    pub fn events(&self, execution: &Value) -> Vec<Value> {
        let id = execution["id"].as_str().unwrap();
        let events = self.get(&format!("/executions/{id}/events?after_seq=0")).expect(200);
        events.json.as_array().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An HTTP answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub text: String,
    pub json: Value,
}

impl Answer {
    #[track_caller]
    pub fn expect(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    /// Asserts an error answer of the contract's shape.
    #[track_caller]
    pub fn expect_error(self, status: u16, code: &str) -> Answer {
        assert_eq!((self.status, self.json["error"]["code"].as_str()), (status, Some(code)), "{}", self.text);
        assert!(self.json["error"]["message"].as_str().is_some_and(|m| !m.is_empty()), "{}", self.text);
        self
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(k, _)| k.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }
}
