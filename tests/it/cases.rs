//! Case files: JavaScript and TypeScript under `tests/cases/`, run through `vm-system run`, that says in comments what it expects.
//!
//! ```text
//! // flags: --module fs --root ROOT   flags of `run`; ROOT is a fresh directory, SECRET a file beside it
//! // file: a/b.txt text               a file in ROOT (with its directories)
//! // link: name target                a symbolic link in ROOT
//! // secret: text                     what SECRET (`secret.txt`, outside of ROOT) holds
//! // exit: 1                          exit status, 0 unless said
//! // expect: text                     the next line of standard output, exactly; may follow code on its line
//! // expect-error: text               standard error contains this
//! // stdout: any                      standard output isn't looked at beyond the `expect` lines it begins with
//! // within-ms: 1500                  the whole command takes no longer
//! ```
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::harness::{shared_images, top, vm_in, warm};

/// Every directory of cases has its test here; `every_directory_has_a_test` holds this list to what is on disk.
macro_rules! directories {
    ($($name:ident),* $(,)?) => {
        const DIRECTORIES: &[&str] = &[$(stringify!($name)),*];
        $(#[test] fn $name() { run_directory(stringify!($name)); })*
    };
}
directories!(
    ambient, builtins, console, crypto, csv, database, env, errors, exec, fetch, fs, kv, language, markdown, modules,
    node, os, scripts, secrets, template, time, timer, typescript, values, web, yaml, zlib,
    //
);

#[test]
fn every_directory_has_a_test() {
    let mut found: Vec<String> = std::fs::read_dir(top().join("tests/cases"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    assert_eq!(found, DIRECTORIES);
}

fn run_directory(name: &str) {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(top().join("tests/cases").join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    warm();
    let failures: Vec<String> = files.iter().filter_map(|file| run_case(file).err()).collect();
    assert!(failures.is_empty(), "{} of {} cases fail\n\n{}", failures.len(), files.len(), failures.join("\n"));
}

/// What follows `// key:` on every line that has it, in order; one space after the colon is not part of it.
fn directives<'a>(source: &'a str, key: &str) -> Vec<&'a str> {
    let mark = format!("// {key}:");
    source
        .lines()
        .filter_map(|line| line.split_once(&mark).map(|(_, rest)| rest.strip_prefix(' ').unwrap_or(rest)))
        .collect()
}

fn run_case(file: &Path) -> Result<(), String> {
    let source = std::fs::read_to_string(file).unwrap();
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("root");
    let secret = place.path().join("secret.txt");
    std::fs::create_dir(&root).unwrap();
    for text in directives(&source, "file") {
        let (name, text) = text.split_once(' ').unwrap_or((text, ""));
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    for text in directives(&source, "link") {
        let (name, target) = text.split_once(' ').unwrap();
        std::os::unix::fs::symlink(target, root.join(name)).unwrap();
    }
    let secrets = directives(&source, "secret");
    std::fs::write(&secret, secrets.join("\n")).unwrap();

    // The script lies outside of ROOT, so that it names paths there as any script would; SECRET is filled in.
    let name = file.file_name().unwrap().to_str().unwrap();
    let script = source.replace("'SECRET'", &format!("'{}'", secret.display()));
    std::fs::write(place.path().join(name), script).unwrap();

    let flags = directives(&source, "flags").join(" ");
    let mut args = vec!["run".to_owned()];
    args.extend(flags.split_whitespace().map(|f| if f == "ROOT" { root.display().to_string() } else { f.to_owned() }));
    args.push(name.to_owned());
    let ran = vm_in(place.path(), &shared_images(), &args);

    let mut wrong = Vec::new();
    let exit: i32 = directives(&source, "exit").first().map_or(0, |e| e.trim().parse().unwrap());
    if ran.status != Some(exit) {
        wrong.push(format!("exit status {:?}, expected {exit}", ran.status));
    }
    let lines: Vec<&str> = ran.stdout.lines().collect();
    let expected = directives(&source, "expect");
    let all = directives(&source, "stdout").first() != Some(&"any");
    for at in 0..expected.len().max(if all { lines.len() } else { 0 }) {
        let (got, want) = (lines.get(at), expected.get(at));
        if got != want {
            wrong.push(format!("line {}\n    is       {}\n    expected {}", at + 1, shown(got), shown(want)));
            if wrong.len() > 6 {
                break;
            }
        }
    }
    for part in directives(&source, "expect-error") {
        if !ran.stderr.contains(part) {
            wrong.push(format!("standard error lacks {part:?}"));
        }
    }
    // Written into the root or not, the file outside has what it had.
    if std::fs::read_to_string(&secret).ok() != Some(secrets.join("\n")) {
        wrong.push("the file outside of the root has changed".to_owned());
    }
    if let Some(limit) = directives(&source, "within-ms").first() {
        let limit = Duration::from_millis(limit.trim().parse().unwrap());
        if ran.elapsed > limit {
            wrong.push(format!("took {:?}, expected at most {limit:?}", ran.elapsed));
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let stderr = if ran.stderr.is_empty() { String::new() } else { format!("\n  stderr: {}", ran.stderr.trim_end()) };
    let group = file.parent().unwrap().file_name().unwrap().to_str().unwrap();
    Err(format!("{group}/{name}\n  {}{stderr}\n", wrong.join("\n  ")))
}

fn shown(line: Option<&&str>) -> String {
    line.map_or("(nothing)".to_owned(), |l| format!("{l:?}"))
}
