//! The README's tour, run as it stands: every command, and what it says they print.
use std::process::{Command, Stdio};

use crate::harness::{program, shared_images, top};

/// A command and the lines it is said to print.
struct Step {
    command: String,
    says: Vec<String>,
}

/// The commands (`$ ...`) of the fenced blocks, with what follows each.
fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        } else if fenced && let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step { command: command.to_owned(), says: Vec::new() });
        } else if fenced && let Some(step) = steps.last_mut() {
            step.says.push(line.to_owned());
        }
    }
    steps
}

/// Whether a line is as the README has it; `...` stands for anything.
fn is_like(line: &str, said: &str) -> bool {
    let mut parts = said.split("...");
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap()) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
    for part in between {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// The same for all lines; a line that is nothing but `...` stands for any number of them.
fn are_like(lines: &[&str], said: &[String]) -> bool {
    match said.split_first() {
        None => lines.is_empty(),
        Some((any, rest)) if any == "..." => (0..=lines.len()).any(|skipped| are_like(&lines[skipped..], rest)),
        Some((first, rest)) => {
            lines.split_first().is_some_and(|(line, others)| is_like(line, first) && are_like(others, rest))
        }
    }
}

#[test]
fn the_tour_prints_what_it_says() {
    let place = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(top().join("docs"), place.path().join("docs")).unwrap();
    std::os::unix::fs::symlink(program(), place.path().join("vm-system")).unwrap();
    // Its port may be taken here.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let readme = std::fs::read_to_string(top().join("README.md")).unwrap();
    // Tests have no network: what `libs download` would fetch is put there, as a person may do.
    let fetched = top().join("target/npm/package/lodash.js");
    let cached = place.path().join(".vm-cache/libraries/lodash-4.17.21.js");
    if fetched.exists() {
        std::fs::create_dir_all(cached.parent().unwrap()).unwrap();
        std::fs::copy(&fetched, &cached).unwrap();
    } else {
        eprintln!("without lodash, which `make setup` fetches: its step is left out");
    }
    let needs = |step: &Step| match step.command.contains("libs download") {
        true => false,
        false => fetched.exists() || !step.command.contains("lodash"),
    };
    let steps: Vec<Step> = steps(&readme).into_iter().filter(needs).collect();
    assert!(steps.len() > 12, "{} commands", steps.len());

    let mut script = format!(
        "vm-system() {{ \"$PLACE/vm-system\" --data-dir \"$IMAGES\" \"$@\"; }}\n\
         export VM_SYSTEM_SERVER_URL=http://127.0.0.1:{port}\ntrap 'kill $(jobs -p) 2>/dev/null' EXIT\n"
    );
    for Step { command, .. } in &steps {
        let mut command = command.replace("localhost:3210", &format!("127.0.0.1:{port}"));
        if command.starts_with("vm-system serve") {
            // The program itself, not the function: the job that is killed in the end is the server.
            let serve = format!("\"$PLACE/vm-system\" --data-dir \"$IMAGES\" serve --listen 127.0.0.1:{port}");
            command = command.replace("vm-system serve", &serve);
            command += &format!("\nuntil curl -sf 127.0.0.1:{port}/api/v1/health >/dev/null; do sleep 0.1; done");
        }
        script += &format!("{command}\necho '@@@'\n");
    }
    let ran = Command::new("bash")
        .args(["-c", &format!("exec 2>&1; {script}")])
        .current_dir(place.path())
        .env("PLACE", place.path())
        .env("IMAGES", shared_images())
        .env("HOME", place.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&ran.stdout).into_owned();
    let mut outputs = output.split("@@@\n");
    for Step { command, says } in steps {
        let printed = outputs.next().unwrap_or_else(|| panic!("{command} was not reached:\n{output}"));
        // An answer of curl has no line's end.
        let lines: Vec<&str> = printed.lines().collect();
        let says: Vec<String> = says.into_iter().rev().skip_while(String::is_empty).collect();
        let says: Vec<String> = says.into_iter().rev().collect();
        assert!(are_like(&lines, &says), "$ {command}\nprints\n{printed}\nand not\n{}", says.join("\n"));
    }
}
