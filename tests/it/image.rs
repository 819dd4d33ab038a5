//! Images: built once, kept on disk, checked before they are used; libraries evaluated when they are built.
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::Value;

use crate::harness::{Ran, shared_images, top, vm_in};

fn inspect(images: &Path, flags: &[&str]) -> Value {
    let place = tempfile::tempdir().unwrap();
    let mut args = vec!["image", "inspect", "--json"];
    args.extend(flags);
    let ran = vm_in(place.path(), images, &args);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {}", ran.stdout))
}

fn run_in(images: &Path, flags: &[&str], source: &str) -> Ran {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("script.js"), source).unwrap();
    let mut args = vec!["run"];
    args.extend(flags);
    args.push("script.js");
    vm_in(place.path(), images, &args)
}

/// A data directory of the test's own, whose images cost seconds to build: one test does all that needs it.
#[test]
fn what_lies_on_disk_is_checked_and_rebuilt_when_it_does_not_fit() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let ours = &ours.path().join("made");
    let first = inspect(ours, &[]);
    assert_eq!(first["origin"], "built", "{first}");
    let again = inspect(ours, &[]);
    assert_eq!((&again["origin"], &again["hash"]), (&Value::from("disk"), &first["hash"]));

    let file = ours.join(format!("{}.cwasm", first["hash"].as_str().unwrap()));
    let good = std::fs::read(&file).unwrap();
    let mut damaged = Vec::new();
    for at in [0, 100, good.len() / 2] {
        let mut bytes = good.clone();
        bytes[at] ^= 0x10;
        damaged.push((format!("byte {at} flipped"), bytes));
    }
    damaged.push(("cut".to_owned(), good[..good.len() / 2].to_vec()));
    damaged.push(("empty".to_owned(), Vec::new()));
    for (what, bytes) in damaged {
        std::fs::write(&file, bytes).unwrap();
        let ran = run_in(ours, &[], "1 + 1");
        assert_eq!((ran.status, ran.stdout.trim()), (Some(0), "2"), "{what}: {ran:?}");
        assert_ne!(std::fs::read(&file).unwrap().len(), 0, "{what}: kept again");
        assert_eq!(inspect(ours, &[])["origin"], "disk", "{what}: the rebuilt image is whole");
    }

    // An image of the same content made by another installation: its key is another.
    inspect(theirs.path(), &[]);
    let foreign = std::fs::read(theirs.path().join(file.file_name().unwrap())).unwrap();
    std::fs::write(&file, &foreign).unwrap();
    assert_eq!(inspect(ours, &[])["origin"], "recompiled", "a foreign image is not trusted");
    let component = file.with_extension("component");
    std::fs::copy(theirs.path().join(component.file_name().unwrap()), component).unwrap();
    std::fs::write(&file, &foreign).unwrap();
    assert_eq!(inspect(ours, &[])["origin"], "built", "nor what it was made from");

    // Nobody but the owner reads the key.
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o077;
    assert_eq!((mode(ours.clone()), mode(ours.join("key"))), (0, 0));
}

#[test]
fn the_hash_covers_modules_and_library_bytes() {
    let place = tempfile::tempdir().unwrap();
    let library = place.path().join("lib.js");
    std::fs::write(&library, "var marker = 1;").unwrap();
    let library = library.to_str().unwrap();
    let bare = inspect(&shared_images(), &[])["hash"].clone();
    let fs = inspect(&shared_images(), &["--module", "fs"])["hash"].clone();
    assert_eq!(inspect(&shared_images(), &["--module", " FS ", "--module", "fs"])["hash"], fs);
    let one = inspect(&shared_images(), &["--library", library])["hash"].clone();
    std::fs::write(library, "var marker = 2;").unwrap();
    let two = inspect(&shared_images(), &["--library", library])["hash"].clone();
    let all = [bare, fs, one, two];
    for (i, a) in all.iter().enumerate() {
        assert!(all[..i].iter().all(|b| a != b), "{all:?}");
    }
    let ran = run_in(&shared_images(), &["--library", library], "marker");
    assert_eq!(ran.stdout.trim(), "2", "{ran:?}");
}

#[test]
fn a_library_that_throws_fails_with_its_own_error() {
    let place = tempfile::tempdir().unwrap();
    let library = |source: &str| {
        let path = place.path().join("broken.js");
        std::fs::write(&path, source).unwrap();
        let ran = run_in(&shared_images(), &["--library", path.to_str().unwrap()], "console.log('ran')");
        assert!(ran.status != Some(0) && !ran.stdout.contains("ran"), "{ran:?}");
        ran.stderr
    };
    let error = library("var x = 1;\nthrow new RangeError('library says no');");
    assert!(error.contains("broken") && error.contains("RangeError: library says no"), "{error}");
    let error = library("function (");
    assert!(error.contains("broken") && error.contains("SyntaxError"), "{error}");
    let error = library("for (;;) {}");
    assert!(error.contains("broken") && error.to_lowercase().contains("limit"), "{error}");
    let error = library("const hog = []; for (;;) hog.push(new Array(1e6).fill(0));");
    assert!(error.contains("broken"), "{error}");
    let error = library("(function f() { f(); })()");
    assert!(error.contains("broken") && error.contains("RangeError"), "{error}");
    let error = library("require('fs')");
    assert!(error.contains("Invalid module"), "{error}");
}

#[test]
fn libraries_are_evaluated_in_order_and_start_costs_nothing() {
    let place = tempfile::tempdir().unwrap();
    let write = |name: &str, source: &str| {
        let path = place.path().join(name);
        std::fs::write(&path, source).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let first = write("first.js", "var trail = ['first']; let kept = new Map([['k', class K {}]]);");
    let second = write("second.js", "trail.push('second', typeof kept);");
    let ran = run_in(
        &shared_images(),
        &["--library", &first, "--library", &second],
        "console.log(trail.join(), kept.get('k').name)",
    );
    assert_eq!(ran.stdout.trim(), "first,second,object K", "{ran:?}");
}

#[test]
fn lodash_from_npm_works() {
    let path = top().join("target/npm/package/lodash.js");
    if !path.exists() {
        assert!(std::env::var_os("VM_SYSTEM_CI").is_none(), "`make setup` should have fetched lodash");
        eprintln!("skipped: `make setup` fetches lodash");
        return;
    }
    let flags = ["--library", path.to_str().unwrap()];
    let source = "console.log(JSON.stringify(_.chunk([1, 2, 3], 2)), _.camelCase('to camel case'), _.VERSION)";
    let ran = run_in(&shared_images(), &flags, source);
    assert_eq!(ran.stdout.trim(), "[[1,2],[3]] toCamelCase 4.17.21", "{ran:?}");
}

/// Two processes that want one image, neither of which is there: both get it, and what is left is whole.
#[test]
fn processes_may_share_a_data_directory() {
    let images = tempfile::tempdir().unwrap();
    let began = Instant::now();
    let path = images.path().to_owned();
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let path = path.clone();
            std::thread::spawn(move || run_in(&path, &[], "6 * 7"))
        })
        .collect();
    for thread in threads {
        let ran = thread.join().unwrap();
        assert_eq!((ran.status, ran.stdout.trim()), (Some(0), "42"), "{ran:?}");
    }
    assert_eq!(inspect(&path, &[])["origin"], "disk", "after {:?}", began.elapsed());
}
