//! Rules of the repository, as tests.
use std::path::{Path, PathBuf};
use std::process::Command;

use model::ErrorCode;

use crate::harness::top;

/// Oldest wasmtime without a known hole.
const WASMTIME_FLOOR: [u32; 3] = [48, 0, 8];
/// A file that grows past the first is a sign of a missing room; past the second it is an error.
const LINES_SOFT: usize = 500;
const LINES_MAX: usize = 700;

/// Files that git knows, and new ones it would take.
fn files() -> Vec<PathBuf> {
    let out = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(top())
        .output()
        .expect("git lists the files");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let list = String::from_utf8(out.stdout).unwrap();
    list.lines().map(|line| top().join(line)).filter(|path| path.is_file()).collect()
}

fn ours(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|e| e == extension)
}

fn read(path: impl AsRef<Path>) -> String {
    let path = top().join(path.as_ref());
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn name(path: &Path) -> &str {
    path.strip_prefix(top()).unwrap().to_str().unwrap()
}

/// The part of a source file before its tests.
fn code(text: &str) -> &str {
    text.split("\n#[cfg(test)]").next().unwrap()
}

#[test]
fn files_stay_small() {
    let mut wrong = Vec::new();
    for path in files().iter().filter(|p| ours(p, "rs")) {
        let text = read(path);
        let (all, before_tests) = (text.lines().count(), code(&text).lines().count());
        if before_tests > LINES_SOFT || all > LINES_MAX {
            wrong.push(format!("{}: {before_tests} lines before its tests, {all} in all", name(path)));
        }
        if let Some(long) = text.lines().position(|line| line.chars().count() > 200) {
            wrong.push(format!("{}:{}: a line of more than 200 characters", name(path), long + 1));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// clippy knows them one by one; this finds the attribute that switches the lint off.
#[test]
fn no_unwrap_outside_tests() {
    let mut wrong = Vec::new();
    for path in files().iter().filter(|p| ours(p, "rs") && !name(p).starts_with("tests/")) {
        for (number, line) in code(&read(path)).lines().enumerate() {
            let line = line.split("//").next().unwrap();
            if line.contains(".unwrap()") || line.contains("clippy::unwrap_used") {
                wrong.push(format!("{}:{}: {}", name(path), number + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_error_code_is_explained() {
    let page = read("docs/errors.md");
    let headings: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let codes: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(headings, codes, "docs/errors.md has one heading per code, in the order of `ErrorCode`");
    for section in page.split("\n## ").skip(1) {
        assert!(section.len() > 120, "an entry says what it means and what to do: {section}");
    }
}

/// What is true of one machine only, or of the tools of one workplace, is no part of the project.
#[test]
fn no_paths_of_a_machine() {
    // Put together here, so that this file passes its own test.
    let marks = ["/ro?ot/", "/ho?me/", "/Us?ers/", "/wo?rk/", "/fa?rm/", "C:?\\"].map(|mark| mark.replace('?', ""));
    let mut wrong = Vec::new();
    for path in files() {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        for (number, line) in text.lines().enumerate() {
            // At the beginning of a path, that is: `$prefix/root/` is nobody's home.
            let begins = |at: usize| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-}*/".contains(c));
            if let Some(mark) = marks.iter().find(|mark| line.match_indices(mark.as_str()).any(|(at, _)| begins(at))) {
                wrong.push(format!("{}:{}: {mark}", name(&path), number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn wasmtime_is_patched_and_there_once() {
    let lock = read("Cargo.lock");
    let versions: Vec<&str> = lock
        .split("[[package]]")
        .filter(|package| package.contains("\nname = \"wasmtime\"\n"))
        .filter_map(|package| package.split("version = \"").nth(1)?.split('"').next())
        .collect();
    assert_eq!(versions.len(), 1, "{versions:?}");
    let parts: Vec<u32> = versions[0].split('.').map(|part| part.parse().unwrap()).collect();
    assert!(parts >= WASMTIME_FLOOR.to_vec(), "wasmtime {} is older than {WASMTIME_FLOOR:?}", versions[0]);
}

#[test]
fn every_crate_has_the_shared_lints() {
    let mut crates = 0;
    for path in files().iter().filter(|p| p.ends_with("Cargo.toml")) {
        let text = read(path);
        if !text.contains("[package]") {
            continue;
        }
        crates += 1;
        let guest = name(path).starts_with("guest/");
        assert!(guest || text.contains("[lints]\nworkspace = true"), "{}: no shared lints", name(path));
        let library = path.parent().unwrap().join("src");
        for root in ["lib.rs", "main.rs"].iter().map(|file| library.join(file)).filter(|file| file.exists()) {
            assert!(read(&root).starts_with("//!"), "{}: says nothing about the crate", name(&root));
        }
    }
    assert!(crates >= 6, "{crates}");
    for pure in ["model", "store", "server"] {
        let root = format!("host/{pure}/src/lib.rs");
        assert!(read(&root).contains("#![forbid(unsafe_code)]"), "{root}");
    }
}

/// The tests' own binary is the program itself and not something like it.
#[test]
fn the_program_under_test_is_the_program() {
    let body = |path: &str| read(path).lines().filter(|line| !line.starts_with("//!")).collect::<Vec<_>>().join("\n");
    assert_eq!(body("tests/src/main.rs"), body("host/server/src/main.rs"));
}

/// What docs/new-module.md asks of a module; all that is missing is told at once. `make check` runs this alone.
#[test]
fn every_module_is_complete() {
    let page = read("docs/modules.md");
    let cases = cases();
    let mut missing = Vec::new();
    for module in sandbox::Config::default().modules {
        let name = module.name;
        let mut lacks = |is: bool, what: String| {
            if !is {
                missing.push(format!("{name}: {what}"));
            }
        };
        lacks(page.contains(&format!("\n### `{name}`")), "a heading in docs/modules.md".to_owned());
        // Node's pure ones are compared with Node itself, in one directory.
        let place = if module.interface.is_none() && top().join(format!("host/sandbox/js/dist/node/{name}.js")).exists()
        {
            "node"
        } else {
            name
        };
        lacks(top().join(format!("tests/cases/{place}")).is_dir(), format!("cases: tests/cases/{place}/*.js"));
        let functions = module.functions();
        for function in &functions {
            let call = [format!("{}(", function.name), format!("{}`", function.name)];
            let called = cases.iter().any(|case| call.iter().any(|call| case.contains(call.as_str())));
            lacks(called, format!("a case that calls {}", function.name));
            // Of overloads the first one says it.
            let documented = functions.iter().any(|other| other.name == function.name && !other.docs.is_empty());
            lacks(documented, format!("documentation of {} in its declarations", function.name));
        }
        let schema: serde_json::Value = serde_json::from_str(module.grant_schema).unwrap_or_default();
        lacks(schema["additionalProperties"] == false, "a grant schema that closes its object".to_owned());
        for (field, described) in schema["properties"].as_object().into_iter().flatten() {
            lacks(described["description"].is_string(), format!("a description of {field} in its grant schema"));
        }
        lacks(module.check_grant("{}").is_ok(), "a grant whose default is {}".to_owned());
        let Some(interface) = &module.interface else { continue };
        lacks(!module.limits.is_empty(), "limits: everything that it bounds".to_owned());
        let lines: Vec<&str> = interface.wit.lines().map(str::trim).collect();
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| is_function(line)) {
            let documented = lines[..at].last().is_some_and(|doc| doc.starts_with("///"));
            lacks(documented, format!("documentation in its WIT: {line}"));
            let function = line.split(':').next().unwrap_or_default();
            lacks(
                !["-async", "-both"].iter().any(|end| function.ends_with(end)),
                format!("another name for {function}"),
            );
        }
    }
    assert!(missing.is_empty(), "what is missing:\n  {}", missing.join("\n  "));
    for entry in std::fs::read_dir(top().join("wit")).unwrap() {
        let folder = entry.unwrap().file_name().into_string().unwrap();
        let known =
            folder == "session" || sandbox::Config::default().modules.iter().any(|module| module.name == folder);
        assert!(known, "wit/{folder}: no module of that name is in ALL");
    }
}

fn is_function(line: &str) -> bool {
    line.contains(": func(") || line.contains(": async func(")
}

/// The texts of all case files.
fn cases() -> Vec<String> {
    let scripts = files().into_iter().filter(|path| name(path).starts_with("tests/cases/"));
    scripts.filter_map(|path| std::fs::read_to_string(path).ok()).collect()
}

/// `unsafe` says why it is sound.
#[test]
fn unsafe_has_its_reason() {
    let mut wrong = Vec::new();
    for path in files().iter().filter(|p| ours(p, "rs") && !name(p).starts_with("tests/it/")) {
        let text = read(path);
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let block = line.contains("unsafe {") && !line.trim_start().starts_with("//");
            let before = &lines[at.saturating_sub(6)..=at];
            if block && !before.iter().any(|line| line.contains("SAFETY")) {
                wrong.push(format!("{}:{}", name(path), at + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "no SAFETY line near: {}", wrong.join(", "));
}

/// What the README tells people to type exists.
#[test]
fn the_readme_tells_the_truth() {
    let readme = read("README.md");
    let makefile = read("Makefile");
    let mut verbs = 0;
    for verb in readme
        .split("make ")
        .skip(1)
        .filter_map(|rest| rest.split(|c: char| !c.is_ascii_lowercase() && c != '-').next())
    {
        if readme.contains(&format!("`make {verb}`"))
            || readme.contains(&format!("    make {verb}"))
            || readme.contains(&format!("\nmake {verb}"))
        {
            verbs += 1;
            assert!(makefile.contains(&format!("\n{verb}:")), "README names `make {verb}`");
        }
    }
    assert!(verbs >= 2, "{verbs}");
    let help = crate::harness::vm(&["--help"]).stdout;
    for line in readme
        .lines()
        .filter_map(|line| line.trim().strip_prefix("vm-system ").or(line.trim().strip_prefix("$ vm-system ")))
    {
        let command = line.split_whitespace().next().unwrap();
        assert!(help.contains(command) || command.starts_with('-'), "README shows `vm-system {command}`");
    }
    // Links to files lead somewhere.
    for path in files().iter().filter(|p| ours(p, "md")) {
        let text = read(path);
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = target.split('#').next().unwrap();
            if target.is_empty() || target.contains("://") || name(path).starts_with("guest/") {
                continue;
            }
            assert!(path.parent().unwrap().join(target).exists(), "{}: {target} does not exist", name(path));
        }
    }
}

#[test]
fn the_map_is_no_atlas() {
    assert!(read("ARCHITECTURE.md").lines().count() <= 250);
}
