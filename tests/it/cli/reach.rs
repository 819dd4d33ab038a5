//! How commands find a server, and what they say when there is none, or something else.
use std::path::Path;

use serde_json::json;

use super::peer::{Peer, console, end, events, http};
use super::{Desk, Ran, finish, run};

const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

fn home() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// A port that nobody listens on.
fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[test]
fn health_and_summary() {
    let desk = Desk::new();
    assert_eq!(desk.ok(&["ops", "health"]), "{\n  \"status\": \"ok\"\n}\n");
    let summary = desk.ok(&["ops", "runtime-summary"]);
    assert_eq!(summary, "{\n  \"active_sessions\": 0,\n  \"active_session_ids\": []\n}\n");
    let session = desk.session(&desk.template("t"));
    let summary = desk.ok(&["ops", "runtime-summary"]);
    assert!(summary.contains(&format!("[\n    \"{session}\"\n  ]")), "{summary}");
}

#[test]
fn what_the_server_refuses_is_told_as_it_says() {
    let desk = Desk::new();
    let about = |name: &str| format!(" ({name}={NOBODY})");
    let (template, session, execution) = (about("template_id"), about("session_id"), about("execution_id"));
    for (args, status, code, about) in [
        (&["template", "get", NOBODY][..], 404, "TEMPLATE_NOT_FOUND): Template not found", &*template),
        (&["session", "get", NOBODY], 404, "SESSION_NOT_FOUND): Session not found", &session),
        (&["exec", "get", NOBODY], 404, "EXECUTION_NOT_FOUND): Execution not found", &execution),
        (&["exec", "events", NOBODY], 404, "EXECUTION_NOT_FOUND): Execution not found", &execution),
        (&["exec", "events", NOBODY, "--follow"], 404, "EXECUTION_NOT_FOUND): Execution not found", &execution),
        (&["exec", "repl", NOBODY, "1"], 404, "SESSION_NOT_FOUND): Session not found", &session),
        (&["exec", "repl", NOBODY, "--interactive"], 404, "SESSION_NOT_FOUND): Session not found", &session),
        (&["exec", "list", NOBODY], 404, "SESSION_NOT_FOUND): Session not found", &session),
        (&["template", "get", "../health"], 400, "VALIDATION_ERROR): template_id must be a valid UUID", ""),
        (&["exec", "get", "x?y#z"], 400, "VALIDATION_ERROR): execution_id must be a valid UUID", ""),
        (&["template", "create", "--name", " "], 400, "VALIDATION_ERROR): name is required", ""),
    ] {
        for output in ["table", "json"] {
            let mut all = vec!["--output", output];
            all.extend(args);
            let said = format!("api error (status={status}, code={code}{about}");
            assert_eq!(desk.run(&all).failed(1), said, "{args:?}");
        }
    }
    assert_eq!(desk.run(&["template", "get", ""]).status, Some(2));
}

#[test]
fn no_server() {
    let (home, url) = (home(), nobody());
    for args in [
        &["template", "list"][..],
        &["session", "close", NOBODY],
        &["exec", "repl", NOBODY, "1"],
        &["exec", "repl", NOBODY, "--interactive"],
        &["exec", "events", NOBODY, "--follow"],
        &["ops", "health"],
    ] {
        let mut all = vec!["--server-url", &url];
        all.extend(args);
        let ran = run(home.path(), &all);
        assert_eq!(
            ran.failed(1),
            format!(
                "no vm-system server answers at {url} (connection refused): start one with 'vm-system serve', or name \
                 another with --server-url"
            )
        );
        assert!(ran.elapsed.as_secs() < 5, "{ran:?}");
    }
    for wrong in ["127.0.0.1:3210", "ftp://h", "http://", "http://h/?x=1"] {
        let ran = run(home.path(), &["--server-url", wrong, "ops", "health"]);
        assert!(ran.failed(2).starts_with(&format!("the server URL '{wrong}' ")), "{ran:?}");
    }
}

#[test]
fn something_else_that_answers() {
    let home = home();
    for (answer, part) in [
        (http("200 OK", "text/html", "<html>hello</html>"), "answered no JSON"),
        (http("404 Not Found", "text/html; charset=utf-8", "<html>"), "answered status 404 and text/html"),
        (http("500 Oops", "application/json", "{\"error\":\"x\"}"), "answered status 500 and application/json"),
        (http("200 OK", "application/json", "{\"a\":1}"), "answered something else than what was asked for"),
        (
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n".to_owned(),
            "answered status 302",
        ),
        ("SSH-2.0-OpenSSH_9.6\r\n".to_owned(), "it speaks no HTTP"),
    ] {
        let peer = Peer::new(vec![answer.clone()]);
        let ran = run(home.path(), &["--server-url", &peer.url, "template", "list"]);
        let said = ran.failed(1);
        assert!(
            said.starts_with(&format!("{} is not a vm-system server: ", peer.url)) && said.contains(part),
            "{said}"
        );
    }
    let cut = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n[".to_owned();
    let peer = Peer::new(vec![cut]);
    let ran = run(home.path(), &["--server-url", &peer.url, "template", "list"]);
    assert!(ran.failed(1).starts_with(&format!("the connection to {} broke (", peer.url)), "{ran:?}");
}

#[test]
fn a_stream_that_breaks_goes_on_where_it_ended() {
    let home = home();
    let half = events(&(console(1, "a") + ": alive\n\n" + &console(2, "b") + "id: 3\nevent: console\ndata: {\"exec"));
    // The server may repeat what was seen.
    let rest = events(&(console(2, "b") + &console(3, "c") + &end()));
    let peer = Peer::new(vec![half, rest]);
    let ran = run(home.path(), &["--server-url", &peer.url, "exec", "events", "e", "--follow"]);
    let rows: Vec<&str> = ran.ok().lines().skip(2).collect();
    assert_eq!(rows.len(), 3, "{ran:?}");
    for (row, text) in rows.iter().zip(["a", "b", "c"]) {
        assert!(
            row.contains(" 03:04:05 ") && row.ends_with(&json!({"level": "log", "text": text}).to_string()),
            "{row}"
        );
    }
    let requests = peer.requests();
    assert!(requests.iter().all(|head| head.contains("\r\naccept: text/event-stream\r\n")), "{requests:?}");
    assert!(requests[0].starts_with("get /api/v1/executions/e/events?after_seq=0 "), "{requests:?}");
    assert!(requests[1].starts_with("get /api/v1/executions/e/events?after_seq=2 "), "{requests:?}");
    assert!(requests[1].contains("\r\nlast-event-id: 2\r\n"), "{requests:?}");
    // One that never gets further is given up.
    let peer = Peer::new(vec![events(": hello\n\n"); 20]);
    let ran = run(home.path(), &["--server-url", &peer.url, "exec", "events", "e", "--follow"]);
    assert!(ran.failed(1).contains("the stream of events ended early"), "{ran:?}");
    assert_eq!(peer.requests().len(), 7);
}

#[test]
fn a_row_is_one_line_whatever_it_says() {
    let home = home();
    let template = json!({
        "id": "i", "name": "a\nb\u{1b}[2J", "engine": "e", "is_active": true, "exposed_modules": [], "libraries": [],
        "created_at": "c", "updated_at": "u",
    });
    let peer = Peer::new(vec![http("200 OK", "application/json", &json!([template]).to_string())]);
    let ran = run(home.path(), &["--server-url", &peer.url, "template", "list"]);
    assert_eq!(
        ran.ok().lines().nth(2).unwrap().trim_end(),
        format!("{:<36} {:<20} {:<10} yes", "i", "a\\nb\\u{1b}[2J", "e")
    );
}

/// Which server `args` lead to, of those that nobody runs.
fn asked(home: &Path, environment: &[(&str, &str)], args: &[&str]) -> Ran {
    let mut command = super::command(home, args);
    finish(command.envs(environment.iter().copied()).spawn().unwrap(), "")
}

#[test]
fn flags_go_before_the_environment_and_that_before_the_file() {
    let home = home();
    let says = |ran: &Ran, url: &str| ran.failed(1).starts_with(&format!("no vm-system server answers at {url} "));
    let own = home.path().join(".config/vm-system");
    std::fs::create_dir_all(&own).unwrap();
    std::fs::write(own.join("config.toml"), "server_url = \"http://127.0.0.1:1\"\n").unwrap();
    let other = home.path().join("other.toml");
    std::fs::write(&other, "server_url = \"http://127.0.0.1:2\"\n").unwrap();
    let health = ["ops", "health"];
    let ran = asked(home.path(), &[], &health);
    assert!(says(&ran, "http://127.0.0.1:1"), "{ran:?}");
    let ran = asked(home.path(), &[("XDG_CONFIG_HOME", "/nowhere"), ("VM_SYSTEM_CONFIG", "other.toml")], &health);
    assert!(says(&ran, "http://127.0.0.1:2"), "{ran:?}");
    let environment = [("VM_SYSTEM_SERVER_URL", "http://127.0.0.1:3"), ("VM_SYSTEM_CONFIG", "gone.toml")];
    let ran = asked(home.path(), &environment, &["--config", "other.toml", "ops", "health"]);
    assert!(says(&ran, "http://127.0.0.1:3"), "{ran:?}");
    let ran = asked(home.path(), &environment[..1], &["ops", "health", "--server-url", "http://127.0.0.1:4"]);
    assert!(says(&ran, "http://127.0.0.1:4"), "{ran:?}");
    let xdg = home.path().join("xdg");
    std::fs::create_dir_all(xdg.join("vm-system")).unwrap();
    std::fs::write(xdg.join("vm-system/config.toml"), "server_url = \"http://127.0.0.1:5\"").unwrap();
    let ran = asked(home.path(), &[("XDG_CONFIG_HOME", xdg.to_str().unwrap())], &health);
    assert!(says(&ran, "http://127.0.0.1:5"), "{ran:?}");
}

#[test]
fn the_output_is_chosen_the_same_way() {
    let desk = Desk::new();
    let home = desk.home.path();
    std::fs::write(home.join("c.toml"), format!("server_url = \"{}\"\noutput = \"json\"\n", desk.server.url)).unwrap();
    let list = ["--config", "c.toml", "template", "list"];
    assert_eq!(asked(home, &[], &list).ok(), "[]\n");
    assert_eq!(asked(home, &[("VM_SYSTEM_OUTPUT", "table")], &list).ok(), "No templates found\n");
    let mut flagged = list.to_vec();
    flagged.extend(["--output", "json"]);
    assert_eq!(asked(home, &[("VM_SYSTEM_OUTPUT", "table")], &flagged).ok(), "[]\n");
    assert_eq!(asked(home, &[("VM_SYSTEM_OUTPUT", "xml")], &list).status, Some(2));
}

#[test]
fn a_configuration_file_that_is_wrong_is_told() {
    let home = home();
    let config = home.path().join("c.toml");
    std::fs::write(&config, "output = \"json\"\nserver = \"http://h\"\n").unwrap();
    let ran = run(home.path(), &["--config", "c.toml", "ops", "health"]);
    let said = ran.failed(2);
    assert!(said.starts_with("the configuration file c.toml: ") && said.contains("unknown field `server`"), "{said}");
    assert!(said.contains("`server_url`") && said.contains("`output`") && said.contains("line 2"), "{said}");
    let ran = run(home.path(), &["--config", "none.toml", "ops", "health"]);
    assert!(ran.failed(2).starts_with("cannot read the configuration file none.toml: "), "{ran:?}");
    // It is about clients: what runs here does not ask it.
    assert_eq!(run(home.path(), &["--config", "none.toml", "completions", "bash"]).status, Some(0));
}

#[test]
fn completions() {
    let home = home();
    for (shell, part) in [
        ("bash", "complete -F _vm__system"),
        ("zsh", "#compdef vm-system"),
        ("fish", "complete -c vm-system"),
        ("elvish", "vm-system"),
        ("powershell", "vm-system"),
    ] {
        let ran = run(home.path(), &["completions", shell]);
        assert!(ran.ok().contains(part) && ran.ok().contains("list-available-modules"), "{shell}");
    }
    assert_eq!(run(home.path(), &["completions", "cmd"]).status, Some(2));
    let help = run(home.path(), &["completions", "--help"]);
    assert!(help.ok().contains("bash-completion/completions/vm-system"), "{help:?}");
}

/// Every command that has verbs explains itself and each of them.
#[test]
fn help() {
    let home = home();
    for (command, verbs) in [
        ("template", &["create", "get", "add-module", "set-limits", "import", "clone", "list-startup"][..]),
        ("session", &["create", "list", "get", "close"]),
        ("exec", &["repl", "run-file", "run", "get", "list", "events", "cancel"]),
        ("ops", &["health", "runtime-summary", "durability", "images"]),
    ] {
        let help = run(home.path(), &[command, "--help"]);
        assert!(help.ok().contains("Examples:\n") && help.ok().contains("VM_SYSTEM_SERVER_URL"), "{help:?}");
        for verb in verbs {
            assert!(help.ok().contains(&format!("\n  {verb} ")), "{command} {verb}: {}", help.stdout);
            assert!(run(home.path(), &[command, verb, "--help"]).ok().contains("Usage: "), "{command} {verb}");
        }
    }
}
