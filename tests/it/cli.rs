//! The commands that are clients of a server, and what scripts read from them.
mod exec;
mod peer;
mod reach;

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Ran, Server, program};

/// The program with the environment of nobody in particular.
fn command(home: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(program());
    for variable in
        ["VM_SYSTEM_SERVER_URL", "VM_SYSTEM_OUTPUT", "VM_SYSTEM_CONFIG", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"]
    {
        command.env_remove(variable);
    }
    command.env("HOME", home).current_dir(home).args(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn finish(mut child: Child, input: &str) -> Ran {
    let began = Instant::now();
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let out = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { status: out.status.code(), stdout: text(out.stdout), stderr: text(out.stderr), elapsed: began.elapsed() }
}

fn run(home: &Path, args: &[&str]) -> Ran {
    finish(command(home, args).spawn().unwrap(), "")
}

impl Ran {
    /// What was printed, of a command that went well.
    #[track_caller]
    fn ok(&self) -> &str {
        assert_eq!((self.status, self.stderr.as_str()), (Some(0), ""), "{self:?}");
        &self.stdout
    }

    /// What was said, of a command that did not.
    #[track_caller]
    fn failed(&self, status: i32) -> &str {
        assert_eq!((self.status, self.stdout.as_str()), (Some(status), ""), "{self:?}");
        self.stderr.strip_prefix("Error: ").unwrap_or_else(|| panic!("{self:?}")).trim_end()
    }
}

/// A server and somebody who types commands.
struct Desk {
    server: Server,
    home: TempDir,
}

impl Desk {
    fn new() -> Desk {
        Desk { server: Server::start(), home: tempfile::tempdir().unwrap() }
    }

    fn spawn(&self, args: &[&str]) -> Child {
        let mut all = vec!["--server-url", &self.server.url];
        all.extend(args);
        command(self.home.path(), &all).spawn().unwrap()
    }

    fn fed(&self, args: &[&str], input: &str) -> Ran {
        finish(self.spawn(args), input)
    }

    fn run(&self, args: &[&str]) -> Ran {
        self.fed(args, "")
    }

    /// What a command prints.
    #[track_caller]
    fn ok(&self, args: &[&str]) -> String {
        self.run(args).ok().to_owned()
    }

    #[track_caller]
    fn json(&self, args: &[&str]) -> Value {
        let mut all = vec!["--output", "json"];
        all.extend(args);
        serde_json::from_str(&self.ok(&all)).unwrap()
    }

    /// As the scripts of old do it.
    fn template(&self, name: &str) -> String {
        let said = self.ok(&["template", "create", "--name", name]);
        let id = said.strip_prefix(&format!("Created template: {name} (ID: ")).unwrap().strip_suffix(")\n").unwrap();
        id.to_owned()
    }

    fn session(&self, template: &str) -> String {
        let worktree = self.server.directory.to_str().unwrap();
        let mut args = vec!["session", "create", "--template-id", template, "--workspace-id", "w"];
        args.extend(["--base-commit", "abc", "--worktree-path", worktree]);
        let said = self.ok(&args);
        let id = said.lines().next().unwrap().strip_prefix("Created session: ").unwrap().to_owned();
        let rest = format!(
            "Status: ready\nTemplate ID: {template}\nWorkspace ID: w\nBase Commit: abc\nWorktree Path: {worktree}\n"
        );
        assert_eq!(said, format!("Created session: {id}\n{rest}"));
        id
    }
}

/// The words of a line.
fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

#[test]
fn templates() {
    let desk = Desk::new();
    assert_eq!(desk.ok(&["template", "list"]), "No templates found\n");
    let id = desk.template("first");
    let list = desk.ok(&["template", "list"]);
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(lines[0], format!("{:<36} {:<20} {:<10} {:<10}", "ID", "Name", "Engine", "Active"));
    assert_eq!(lines[1], "-".repeat(84));
    assert_eq!(words(lines[2]), [&id, "first", "quickjs", "yes"]);
    assert_eq!(desk.json(&["template", "list"])[0]["id"], json!(id));

    let shown = desk.ok(&["template", "get", &id]);
    let (head, settings) = shown.split_once("\n\n").unwrap();
    let titles: Vec<&str> = head.lines().map(|line| line.split_once(": ").unwrap().0).collect();
    assert_eq!(titles, ["Template", "ID", "Engine", "Active", "Created", "Updated"]);
    assert!(head.contains("\nActive: true\n") && head.ends_with('Z'), "{head}");
    assert!(
        settings.starts_with("Settings:\n  Limits: {\"cpu_ms\":2000,") && settings.contains("\n  Resolver: {\"roots\""),
        "{settings}"
    );
    assert!(settings.trim_end().lines().last().unwrap().starts_with("  Runtime: {"), "{settings}");

    assert_eq!(desk.ok(&["template", "delete", &id]), format!("Deleted template: {id}\n"));
    assert_eq!(desk.ok(&["template", "list"]), "No templates found\n");
    let engine = desk.ok(&["template", "create", "--name", "g", "--engine", "goja"]);
    assert!(engine.starts_with("Created template: g (ID: "), "{engine}");
    assert_eq!(desk.json(&["template", "list"])[0]["engine"], "goja");
}

#[test]
fn modules_are_granted_one_by_one() {
    let desk = Desk::new();
    let id = desk.template("t");
    assert_eq!(desk.ok(&["template", "list-modules", &id]), "No modules configured\n");
    let added = desk.ok(&["template", "add-module", &id, "--name", "fs"]);
    assert_eq!(added, format!("Added module: fs to template {id}\n"));
    assert_eq!(desk.ok(&["template", "list-modules", &id]), "fs\n");
    assert!(desk.ok(&["template", "get", &id]).ends_with("\nExposed Modules:\n  - fs\n"));
    let refused = desk.run(&["template", "add-module", &id, "--name", "JSON"]);
    assert_eq!(
        refused.failed(1),
        format!(
            "api error (status=422, code=MODULE_NOT_ALLOWED): Module is not allowed for template configuration \
             (module=json, reason=builtin, template_id={id})"
        )
    );
    // What is no name of a path is encoded into one.
    let odd = "@scope/p?a#b%2F c";
    let removed = desk.ok(&["template", "remove-module", &id, "--name", odd]);
    assert_eq!(removed, format!("Removed module: {odd} from template {id}\n"));
    let removed = desk.ok(&["template", "remove-module", &id, "--name", "fs"]);
    assert_eq!(removed, format!("Removed module: fs from template {id}\n"));
    assert_eq!(desk.ok(&["template", "list-modules", &id]), "No modules configured\n");
    let available = desk.ok(&["template", "list-available-modules"]);
    assert!(available.starts_with("[\n  {\n    \"name\": \""), "{available}");
    assert!(available.contains("\"name\": \"fs\""), "{available}");
}

#[test]
fn grants_can_be_narrowed() {
    let desk = Desk::new();
    let id = desk.template("t");
    desk.ok(&["template", "add-module", &id, "--name", "fs", "--config", "{}"]);
    assert_eq!(desk.ok(&["template", "list-modules", &id, "--detail"]), "fs {}\n");
    let set = desk.ok(&["template", "set-module-config", &id, "--name", "fs", "--config", "{}"]);
    assert_eq!(set, format!("Configured module: fs of template {id}\n"));
    for wrong in ["", "[]", "1", "{"] {
        let ran = desk.run(&["template", "add-module", &id, "--name", "fs", "--config", wrong]);
        assert_eq!(ran.status, Some(2), "{ran:?}");
    }
}

#[test]
fn libraries_are_loaded_by_name() {
    let desk = Desk::new();
    let cache = desk.server.directory.join(".vm-cache").join("libraries");
    std::fs::create_dir_all(&cache).unwrap();
    std::fs::write(cache.join("answer-1.0.0.js"), "globalThis.answer = 42;").unwrap();
    let id = desk.template("t");
    assert_eq!(desk.ok(&["template", "list-libraries", &id]), "No libraries configured\n");
    let added = desk.ok(&["template", "add-library", &id, "--name", "answer-1.0.0"]);
    assert_eq!(added, format!("Added library: answer-1.0.0 to template {id}\n"));
    assert_eq!(desk.ok(&["template", "list-libraries", &id]), "answer-1.0.0\n");
    assert!(desk.ok(&["template", "get", &id]).ends_with("\nLoaded Libraries:\n  - answer-1.0.0\n"));
    let session = desk.session(&id);
    assert!(desk.ok(&["exec", "repl", &session, "answer"]).contains("\"preview\":\"42\""));
    let removed = desk.ok(&["template", "remove-library", &id, "--name", "answer-1.0.0"]);
    assert_eq!(removed, format!("Removed library: answer-1.0.0 from template {id}\n"));
    let available = desk.ok(&["template", "list-available-libraries"]);
    assert!(available.starts_with("[\n  {\n    \"name\": \"answer-1.0.0\""), "{available}");
}

#[test]
fn startup_files() {
    let desk = Desk::new();
    let id = desk.template("t");
    assert_eq!(desk.ok(&["template", "list-startup", &id]), "No startup files found\n");
    let added = desk.ok(&["template", "add-startup", &id, "--path", "./b.js"]);
    assert_eq!(added, format!("Added startup file: b.js (order: 10) to template {id}\n"));
    let added = desk.ok(&["template", "add-startup", &id, "--path", "a.js", "--order", "-5", "--mode", "EVAL"]);
    assert_eq!(added, format!("Added startup file: a.js (order: -5) to template {id}\n"));
    let list = desk.ok(&["template", "list-startup", &id]);
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(words(lines[0]), ["Order", "Mode", "Path", "ID"]);
    assert_eq!(lines[1], "-".repeat(70));
    assert_eq!(
        (&words(lines[2])[..3], &words(lines[3])[..3]),
        (&["-5", "eval", "a.js"][..], &["10", "eval", "b.js"][..])
    );
    let shown = desk.ok(&["template", "get", &id]);
    assert!(shown.contains("\nStartup Files:\n  [-5] a.js (mode: eval)\n  [10] b.js (mode: eval)\n"), "{shown}");
    let gone = words(lines[2])[3];
    let removed = desk.ok(&["template", "remove-startup", &id, gone]);
    assert_eq!(removed, format!("Removed startup file: {gone} from template {id}\n"));
    assert_eq!(desk.json(&["template", "list-startup", &id]).as_array().unwrap().len(), 1);
    let escape = desk.run(&["template", "add-startup", &id, "--path", "../x.js"]);
    assert!(escape.failed(1).starts_with("api error (status=422, code=INVALID_PATH): "), "{escape:?}");
}

#[test]
fn capabilities_are_labels() {
    let desk = Desk::new();
    let id = desk.template("t");
    assert_eq!(desk.ok(&["template", "list-capabilities", &id]), "No capabilities found\n");
    let added = desk.ok(&["template", "add-capability", &id, "--name", "fs"]);
    assert_eq!(added, format!("Added capability: module:fs to template {id}\n"));
    let mut args = vec!["template", "add-capability", &id, "--name", "x", "--kind", "env", "--enabled=false"];
    args.extend(["--config", "{\"b\":1,\"a\":[]}"]);
    assert_eq!(desk.ok(&args), format!("Added capability: env:x to template {id}\n"));
    let list = desk.ok(&["template", "list-capabilities", &id]);
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!((words(lines[0]), lines[1].len()), (vec!["Kind", "Name", "Enabled", "Config", "ID"], 80));
    let row = |name: &str| words(lines[2..].iter().find(|line| words(line)[1] == name).unwrap());
    assert_eq!((&row("fs")[..4], &row("x")[..3]), (&["module", "fs", "yes", "{}"][..], &["env", "x", "no"][..]));
    let shown = desk.ok(&["template", "get", &id]);
    assert!(shown.contains("\nCapabilities:\n"), "{shown}");
    assert!(shown.contains("\n  [enabled] module:fs (config: {})\n"), "{shown}");
    assert!(shown.contains("\n  [disabled] env:x (config: {"), "{shown}");
    let gone = row("x")[4];
    let removed = desk.ok(&["template", "remove-capability", &id, gone]);
    assert_eq!(removed, format!("Removed capability: {gone} from template {id}\n"));
    // A label grants nothing, and the help says so.
    let session = desk.session(&id);
    assert!(desk.ok(&["exec", "repl", &session, "require('fs')"]).contains("Invalid module"));
    let help = desk.ok(&["template", "add-capability", "--help"]);
    assert!(help.contains("they grant nothing"), "{help}");
}

#[test]
fn settings_are_shown_and_changed() {
    let desk = Desk::new();
    let id = desk.template("t");
    let shown = desk.ok(&["template", "settings", &id]);
    assert!(shown.starts_with("Limits: {\"cpu_ms\":2000,\"wall_ms\":5000,"), "{shown}");
    let changed = desk.ok(&["template", "set-limits", &id, "--cpu-ms", "321", "--max-events", "9"]);
    assert!(changed.starts_with(&format!("Updated settings of template {id}\nLimits: {{\"cpu_ms\":321,")), "{changed}");
    let json = "{\"runtime\":{\"console\":false},\"limits\":{\"wall_ms\":4321}}";
    desk.ok(&["template", "set-settings", &id, "--json", json]);
    let settings = desk.json(&["template", "settings", &id]);
    let expected = json!({ "cpu_ms": 321, "wall_ms": 4321, "mem_mb": 128, "max_events": 9, "max_output_kb": 256 });
    assert_eq!((&settings["limits"], &settings["runtime"]["console"]), (&expected, &json!(false)));
    let refused = desk.run(&["template", "set-limits", &id, "--mem-mb", "1000000"]);
    let said = refused.failed(1);
    assert!(said.starts_with("api error (status=400, code=VALIDATION_ERROR): ") && said.contains("mem_mb"), "{said}");
    assert_eq!(desk.run(&["template", "set-limits", &id]).status, Some(2));
}

/// The text that an editor is given, with and without `--output json`.
#[test]
fn declarations_of_a_template() {
    let desk = Desk::new();
    let template = desk.template("typed");
    desk.ok(&["template", "add-module", &template, "--name", "fs"]);
    let types = desk.ok(&["template", "types", &template]);
    assert!(types.contains("declare module \"node:fs\"") && types.contains("readFileSync("), "{types}");
    assert_eq!(types.trim_end(), desk.server.get(&format!("/templates/{template}/types")).expect(200).text.trim_end());
    assert_eq!(desk.ok(&["--output", "json", "template", "types", &template]), types);
    let nobody = desk.run(&["template", "types", "00000000-0000-4000-8000-000000000000"]);
    assert!(nobody.failed(1).contains("TEMPLATE_NOT_FOUND"), "{nobody:?}");
    let peer = peer::Peer::new(vec![peer::http("200 OK", "text/html", "<p>a portal</p>")]);
    let ran = run(desk.home.path(), &["--server-url", &peer.url, "template", "types", &template]);
    assert!(ran.failed(1).contains("answered no text/plain"), "{ran:?}");
}

#[test]
fn a_template_goes_out_and_comes_in_again() {
    let desk = Desk::new();
    let id = desk.template("one");
    desk.ok(&["template", "add-module", &id, "--name", "fs"]);
    desk.ok(&["template", "add-startup", &id, "--path", "a.js"]);
    desk.ok(&["template", "set-limits", &id, "--cpu-ms", "77"]);
    let document = desk.ok(&["template", "export", &id]);
    let file = desk.home.path().join("one.json");
    std::fs::write(&file, &document).unwrap();

    let same = desk.run(&["template", "import", "one.json"]);
    assert!(same.failed(1).starts_with("api error (status=409, code=ALREADY_EXISTS): "), "{same:?}");
    let made = desk.ok(&["template", "import", "one.json", "--name", "two"]);
    assert!(made.starts_with("Created template: two (ID: "), "{made}");
    let fed = desk.fed(&["template", "import", "-", "--name", "three"], &document);
    assert!(fed.ok().starts_with("Created template: three (ID: "), "{fed:?}");
    let made = desk.ok(&["template", "create", "--name", "four", "--engine", "goja", "--from", "one.json"]);
    assert!(made.starts_with("Created template: four (ID: "), "{made}");
    let made = desk.ok(&["template", "clone", &id, "--name", "five"]);
    assert!(made.starts_with("Created template: five (ID: "), "{made}");
    for template in desk.json(&["template", "list"]).as_array().unwrap() {
        let whole = desk.json(&["template", "get", template["id"].as_str().unwrap()]);
        assert_eq!(whole["template"]["exposed_modules"], json!(["fs"]));
        assert_eq!(whole["settings"]["limits"]["cpu_ms"], 77);
        assert_eq!(whole["startup_files"][0]["path"], "a.js");
    }

    assert_eq!(desk.ok(&["template", "rename", &id, "--name", "uno"]), format!("Renamed template: {id} to uno\n"));
    assert_eq!(desk.ok(&["template", "deactivate", &id]), format!("Deactivated template: {id}\n"));
    let shown = desk.ok(&["template", "get", &id]);
    assert!(shown.starts_with("Template: uno\n") && shown.contains("\nActive: false\n"), "{shown}");
    assert_eq!(desk.ok(&["template", "activate", &id]), format!("Activated template: {id}\n"));
    assert_eq!(desk.json(&["template", "get", &id])["template"]["is_active"], json!(true));
    for wrong in ["[]", "{", ""] {
        let ran = desk.fed(&["template", "import", "-"], wrong);
        assert!(ran.failed(2).starts_with("- is no template document"), "{ran:?}");
    }
}

#[test]
fn sessions() {
    let desk = Desk::new();
    assert_eq!(desk.ok(&["session", "list"]), "No sessions found\n");
    let template = desk.template("t");
    let (first, second) = (desk.session(&template), desk.session(&template));
    let list = desk.ok(&["session", "list"]);
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(lines[0], format!("{:<36} {:<36} {:<10} {:<20}", "Session ID", "Template ID", "Status", "Created"));
    assert_eq!(lines[1], "-".repeat(102));
    assert_eq!(words(lines[2])[..3], [&second, &template, "ready"]);
    assert!(words(lines[2])[3].ends_with('Z') && lines.len() == 4, "{list}");
    let shown = desk.ok(&["session", "get", &first]);
    let titles: Vec<&str> = shown.lines().map(|line| line.split_once(": ").unwrap().0).collect();
    let expected = ["Session ID", "Template ID", "Workspace ID", "Base Commit", "Worktree Path", "Status", "Created"];
    assert_eq!(titles, expected);
    assert_eq!(desk.ok(&["session", "close", &first]), format!("Closed session: {first}\n"));
    let again = desk.run(&["session", "close", &first]);
    let said = format!("api error (status=404, code=SESSION_NOT_FOUND): Session not found (session_id={first})");
    assert_eq!(again.failed(1), said);
    assert!(desk.ok(&["session", "get", &first]).contains("\nStatus: closed\n"));
    assert!(desk.ok(&["session", "get", &first]).contains("\nClosed: 2"));
    let closed = desk.json(&["session", "list", "--status", "closed"]);
    assert_eq!((closed.as_array().unwrap().len(), &closed[0]["id"]), (1, &json!(first)));
    assert_eq!(desk.ok(&["session", "list", "--status", "crashed"]), "No sessions found\n");
    let pages = desk.json(&["session", "list", "--limit", "1", "--before", &second]);
    assert_eq!((pages.as_array().unwrap().len(), &pages[0]["id"]), (1, &json!(first)));
}
