//! `exec`: code, files, what they leave, and a prompt on a session.
use std::io::{BufRead, BufReader, Read};
use std::process::Command;

use serde_json::{Value, json};

use super::{Desk, finish, words};

#[test]
fn code_runs_and_is_shown_with_its_events() {
    let desk = Desk::new();
    let session = desk.session(&desk.template("t"));
    let said = desk.ok(&["exec", "repl", &session, "console.log('hi'); 40 + 2"]);
    let id = said.lines().next().unwrap().strip_prefix("Execution ID: ").unwrap();
    assert_eq!(
        said,
        format!(
            "Execution ID: {id}\nStatus: ok\nResult: {value}\n\nEvents:\n\
             [1] input_echo: {{\"text\":\"console.log('hi'); 40 + 2\"}}\n\
             [2] console: {{\"level\":\"log\",\"text\":\"hi\"}}\n[3] value: {value}\n",
            value = r#"{"type":"number","preview":"42","json":42}"#
        )
    );
    let failed = desk.ok(&["exec", "repl", &session, "throw new TypeError('no')"]);
    assert!(failed.contains("\nStatus: error\nError: {\"message\":\"TypeError: no\","), "{failed}");
    assert!(failed.contains("\n\nEvents:\n[1] input_echo: ") && failed.contains("\n[2] exception: {"), "{failed}");

    let value = |args: &[&str], input: &str| {
        let mut all = vec!["--output", "json", "exec", "repl", &session];
        all.extend(args);
        let answer: Value = serde_json::from_str(desk.fed(&all, input).ok()).unwrap();
        answer["result"]["preview"].as_str().unwrap().to_owned()
    };
    assert_eq!(value(&["-"], "const n = 5;\nn * 2\n"), "10");
    assert_eq!(value(&["-1 + n"], ""), "4");
    assert_eq!(value(&["-n", "--queue"], ""), "-5");
    assert_eq!(value(&["--", "-n - 1"], ""), "-6");
}

#[test]
fn executions_are_kept() {
    let desk = Desk::new();
    let session = desk.session(&desk.template("t"));
    assert_eq!(desk.ok(&["exec", "list", &session]), "No executions found\n");
    for n in 1..=3 {
        desk.ok(&["exec", "repl", &session, &format!("console.warn({n});\n{n}")]);
    }
    let list = desk.ok(&["exec", "list", &session, "--limit", "2"]);
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(lines[0], format!("{:<36} {:<10} {:<10} {:<20}", "Execution ID", "Kind", "Status", "Started"));
    assert_eq!((lines[1], lines.len()), ("-".repeat(80).as_str(), 4));
    assert_eq!(words(lines[2])[1..3], ["repl", "ok"]);
    let (newest, id) = (words(lines[2])[0], words(lines[3])[0]);
    let older = desk.json(&["exec", "list", &session, "--before", newest, "--limit", "1"]);
    assert_eq!(older[0]["id"], json!(id));
    let shown = desk.ok(&["exec", "get", id]);
    for part in [
        &format!("Execution ID: {id}\nSession ID: {session}\nKind: repl\nStatus: ok\nStarted: 2"),
        "\nEnded: 2",
        "\nInput: console.warn(2);\n2\n",
        "\nResult: {\"type\":\"number\",\"preview\":\"2\",\"json\":2}\n\nEvents:\n[1] input_echo: ",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    let events = desk.ok(&["exec", "events", id]);
    let lines: Vec<&str> = events.lines().collect();
    assert_eq!(lines[0], format!("{:<5} {:<20} {:<15} Payload", "Seq", "Timestamp", "Type"));
    assert_eq!((lines[1], lines.len()), ("-".repeat(80).as_str(), 5));
    assert_eq!((words(lines[3])[0], words(lines[3])[2]), ("2", "console"));
    assert!(lines[3].ends_with(r#"{"level":"warn","text":"2"}"#), "{events}");
    assert_eq!(desk.ok(&["exec", "events", id, "--after-seq", "2"]).lines().count(), 3);
    assert_eq!(desk.ok(&["exec", "events", id, "--after-seq", "3"]), "No events found\n");
    assert_eq!(desk.json(&["exec", "events", id, "--after-seq", "3"]), json!([]));
    assert_eq!(desk.ok(&["exec", "events", id, "--follow"]), events);
    let raw = desk.ok(&["exec", "events", id, "--follow", "--output", "json"]);
    let lines: Vec<Value> = raw.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(desk.json(&["exec", "events", id]), json!(lines));
}

#[test]
fn many_events_are_no_trouble() {
    let desk = Desk::new();
    let session = desk.session(&desk.template("t"));
    let code = "for (let i = 0; i < 20000; i++) console.log(i)";
    let said = desk.ok(&["exec", "repl", &session, code]);
    assert!(said.trim_end().lines().last().unwrap().starts_with("[20002] value: {"), "{}", said.len());
    let id = said.lines().next().unwrap().strip_prefix("Execution ID: ").unwrap().to_owned();
    assert_eq!(desk.json(&["exec", "events", &id]).as_array().unwrap().len(), 20_002);
    assert_eq!(desk.ok(&["exec", "events", &id, "--follow"]).lines().count(), 20_004);
}

#[test]
fn files_run_with_arguments() {
    let desk = Desk::new();
    let source = "console.log(__ARGS__.name); __ARGS__.n + 1";
    std::fs::write(desk.server.directory.join("a.js"), source).unwrap();
    let session = desk.session(&desk.template("t"));
    let said = desk.ok(&["exec", "run-file", &session, "a.js", "--args", "{\"name\": \"x\", \"n\": 41}"]);
    let (head, events) = said.split_once("\n\nEvents:\n").unwrap();
    assert!(head.ends_with("\nStatus: ok\nResult: {\"type\":\"number\",\"preview\":\"42\",\"json\":42}"), "{said}");
    assert!(events.starts_with("[1] console: {\"level\":\"log\",\"text\":\"x\"}\n[2] value: "), "{said}");
    let kept = desk.json(&["exec", "run-file", &session, "a.js", "--args", "{\"n\": 1}", "--env", "{\"B\": \"1\"}"]);
    assert_eq!(
        (&kept["args"], &kept["env"], &kept["kind"]),
        (&json!({"n": 1}), &json!({"B": "1"}), &json!("run_file"))
    );
    let shown = desk.ok(&["exec", "get", kept["id"].as_str().unwrap()]);
    assert!(shown.contains("\nKind: run_file\n") && shown.contains("\nPath: a.js\n"), "{shown}");
    let missing = desk.run(&["exec", "run-file", &session, "b.js"]);
    let about = format!("(session_id={session})");
    assert_eq!(missing.failed(1), format!("api error (status=404, code=FILE_NOT_FOUND): File not found {about}"));
    assert_eq!(desk.run(&["exec", "run-file", &session, "a.js", "--args", "[1]"]).status, Some(2));
}

#[test]
fn code_runs_without_a_session() {
    let desk = Desk::new();
    std::fs::write(desk.server.directory.join("a.js"), "__ARGS__.n * 2").unwrap();
    let template = desk.template("t");
    let said = desk.ok(&["exec", "run", &template, "console.log(1); 2"]);
    assert!(said.starts_with("Execution ID: ") && said.contains("\nStatus: ok\nResult: {"), "{said}");
    assert!(said.contains("\n\nEvents:\n[1] input_echo: ") && said.contains("\n[2] console: "), "{said}");
    let fed = desk.fed(&["exec", "run", &template, "-"], "6 * 7");
    assert!(fed.ok().contains("\"preview\":\"42\""), "{fed:?}");
    let worktree = desk.server.directory.to_str().unwrap();
    let mut args = vec!["exec", "run", &template, "--file", "a.js", "--worktree-path", worktree];
    args.extend(["--args", "{\"n\": 21}"]);
    assert_eq!(desk.json(&args)["execution"]["result"]["preview"], "42");
    assert_eq!(desk.run(&["exec", "run", &template]).status, Some(2));
}

#[test]
fn an_execution_is_started_followed_and_cancelled() {
    let desk = Desk::new();
    let session = desk.session(&desk.template("t"));
    let code = "console.log('begun'); while (true) {}";
    let said = desk.ok(&["exec", "repl", &session, code, "--async"]);
    let id = said.trim_end();
    assert_eq!((id.len(), said.lines().count()), (36, 1), "{said}");
    let mut follower = desk.spawn(&["exec", "events", id, "--follow"]);
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines().map(Result::unwrap);
    // While it runs.
    assert!(lines.find(|line| line.contains("console")).unwrap().contains("begun"));
    let busy = desk.run(&["exec", "repl", &session, "1"]);
    let about = format!("(session_id={session})");
    assert_eq!(busy.failed(1), format!("api error (status=409, code=SESSION_BUSY): Session is busy {about}"));
    let queued = desk.spawn(&["exec", "repl", &session, "'later'", "--queue"]);
    let cancelled = desk.ok(&["exec", "cancel", id]);
    assert!(cancelled.starts_with(&format!("Execution ID: {id}\nStatus: cancelled\nError: {{")), "{cancelled}");
    assert!(lines.last().unwrap().contains("exception"));
    assert!(follower.wait().unwrap().success());
    assert!(finish(queued, "").ok().contains("\"preview\":\"later\""));
    let final_already = desk.ok(&["exec", "cancel", id]);
    assert_eq!(final_already, cancelled);
}

#[test]
fn a_key_makes_a_repeat_harmless() {
    let desk = Desk::new();
    let session = desk.session(&desk.template("t"));
    let args = |code| ["exec", "repl", &session, code, "--idempotency-key", "job-1"].map(str::to_owned);
    let run = |code| desk.run(&args(code).iter().map(String::as_str).collect::<Vec<_>>());
    let first = run("globalThis.n = (globalThis.n || 0) + 1");
    assert_eq!(run("globalThis.n = (globalThis.n || 0) + 1").ok(), first.ok());
    assert!(desk.ok(&["exec", "repl", &session, "n"]).contains("\"preview\":\"1\""));
    let other = run("2");
    assert!(other.failed(1).starts_with("api error (status=409, code=IDEMPOTENCY_CONFLICT): "), "{other:?}");
    assert_eq!(desk.run(&["exec", "repl", &session, "1", "--idempotency-key", "a b"]).status, Some(2));
}

#[test]
fn a_prompt_on_a_session() {
    let desk = Desk::new();
    let session = desk.session(&desk.template("t"));
    std::fs::write(desk.home.path().join("load.js"), "const loaded = 'here';").unwrap();
    let input = "let x = 20\nx + 22\nconsole.log('said'); undefined\n{ a: [1] }\n{ let y = 3; y }\n[1,\n2]\n\
                 .modules\n.load load.js\nloaded\nthrow new TypeError('no')\n.nope\n.clear\nx\n.exit\n'never'\n";
    let ran = desk.fed(&["exec", "repl", &session, "--interactive"], input);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let expected =
        ["42", "said", "{ a: [ 1 ] }", "3", "[ 1, 2 ]", "No modules configured", "'here'", "20"].join("\n") + "\n";
    assert_eq!(ran.stdout, expected, "{}", ran.stderr);
    assert!(ran.stderr.contains("Uncaught TypeError: no\n"), "{ran:?}");
    assert!(ran.stderr.contains("There is no command .nope") && ran.stderr.contains("no command .clear"), "{ran:?}");
    // The session goes on, and has what was typed.
    assert!(desk.ok(&["exec", "repl", &session, "x"]).contains("\"preview\":\"20\""));
    desk.ok(&["session", "close", &session]);
    let closed = desk.fed(&["exec", "repl", &session, "--interactive"], "1\n");
    assert_eq!(closed.failed(1), format!("session {session} is closed, not ready"));
    assert_eq!(desk.run(&["exec", "repl", &session]).status, Some(2));
    assert_eq!(desk.run(&["exec", "repl", &session, "1", "--interactive"]).status, Some(2));
}

#[test]
fn typescript_is_taken_where_it_is_said() {
    let desk = Desk::new();
    let session = desk.session(&desk.template("t"));
    let typed = "let n: number = 40; n + 2";
    assert!(desk.ok(&["exec", "repl", &session, typed]).contains("\nStatus: error\n"));
    let said = desk.ok(&["exec", "repl", &session, typed, "--language", "typescript"]);
    assert!(said.contains("\nStatus: ok\nResult: {\"type\":\"number\",\"preview\":\"42\""), "{said}");
    assert!(desk.ok(&["exec", "repl", &session, "n < 41", "--language", "javascript"]).contains("true"));
    let input = "let m: number = n\nm + 1\n{ a: m as number }\n{ let y: number = 3; y }\nlet = : 1\n";
    let ran = desk.fed(&["exec", "repl", &session, "--interactive", "--language", "typescript"], input);
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(0), "41\n{ a: 40 }\n3\n"), "{ran:?}");
    assert!(ran.stderr.contains("SyntaxError"), "{ran:?}");
    assert_eq!(desk.run(&["exec", "repl", &session, "1", "--language", "python"]).status, Some(2));
}

#[test]
fn a_limit_at_a_prompt_names_the_template_that_sets_it() {
    let desk = Desk::new();
    let template = desk.template("t");
    desk.ok(&["template", "set-limits", &template, "--cpu-ms", "100"]);
    let session = desk.session(&template);
    let ran = desk.fed(&["exec", "repl", &session, "--interactive"], "while (true) {}\nrequire('fs')\n1\n");
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(0), "1\n"), "{ran:?}");
    assert!(ran.stderr.contains("[CPU_LIMIT_EXCEEDED]"), "{ran:?}");
    assert!(ran.stderr.contains(&format!("vm-system template set-limits {template} --cpu-ms N")), "{ran:?}");
    assert!(ran.stderr.contains(&format!("vm-system template add-module {template} --name NAME")), "{ran:?}");
}

#[test]
fn ctrl_c_at_a_prompt_cancels_what_runs() {
    let desk = Desk::new();
    let template = desk.template("t");
    desk.ok(&["template", "set-limits", &template, "--cpu-ms", "60000", "--wall-ms", "60000"]);
    let session = desk.session(&template);
    let mut prompt = desk.spawn(&["exec", "repl", &session, "--interactive"]);
    let mut stdin = prompt.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, b"console.log('begun'); while (true) {}\n'after'\n").unwrap();
    let mut stdout = BufReader::new(prompt.stdout.take().unwrap());
    let mut line = String::new();
    // Live: the script that said it never ends.
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "begun\n");
    let pid = prompt.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    line.clear();
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "'after'\n");
    drop(stdin);
    let mut said = String::new();
    prompt.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(prompt.wait().unwrap().success(), "{said}");
    assert!(said.contains("[CANCELLED]"), "{said}");
    assert_eq!(desk.json(&["exec", "list", &session])[1]["status"], "cancelled");
}
