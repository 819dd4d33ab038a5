//! Files that go from one process to another.
use std::path::Path;

use super::types::{Content, How};
use super::*;
use crate::host::Surroundings;
use crate::root::Root;
use crate::sandbox::Setup;

fn host(dir: &Path) -> Host {
    let grant = r#"{"name": "fs", "config": {"quota_kb": 1, "files_max": 3}}"#;
    let setup = Setup {
        root: Some(Root::open(dir).unwrap()),
        grants: vec![serde_json::from_str(grant).unwrap()],
        ..Setup::default()
    };
    Host::new(setup, &[], Arc::default(), Surroundings::default()).unwrap()
}

/// Through what a snapshot would hold.
fn moved(from: &Host, dir: &Path) -> Host {
    let text = serde_json::to_vec(&from.save_states()).unwrap();
    let mut to = host(dir);
    to.restore_states(serde_json::from_slice(&text).unwrap());
    to
}

fn call<P, T>(host: &mut Host, body: Body<P, T>, given: P) -> Answer<T> {
    let files = Arc::clone(&host.state::<Files>()?.0);
    body(&files, given, &mut || true).map_err(Failure::from)
}

fn open(host: &mut Host, path: &str, how: How) -> u32 {
    call(host, files::open, (path.to_owned(), how)).unwrap()
}

fn read(host: &mut Host, handle: u32, length: u32) -> Answer<Vec<u8>> {
    call(host, files::read, (handle, length, None))
}

fn write(host: &mut Host, handle: u32, text: &str) -> Answer<u32> {
    call(host, files::write, (handle, Content::Bytes(text.into()), None))
}

fn code<T: std::fmt::Debug>(answer: Answer<T>) -> String {
    answer.unwrap_err().code
}

#[test]
fn handles_go_on_where_they_were() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("in"), "0123456789").unwrap();
    let mut first = host(dir.path());
    let (input, closed) = (open(&mut first, "in", How::READ), open(&mut first, "in", How::READ));
    let output = open(&mut first, "out", How::WRITE | How::CREATE | How::TRUNCATE);
    let log = open(&mut first, "log", How::APPEND | How::CREATE | How::EXCLUSIVE);
    call(&mut first, files::close, (closed,)).unwrap();
    assert_eq!(read(&mut first, input, 4).unwrap(), b"0123");
    write(&mut first, output, "abc").unwrap();
    write(&mut first, log, "one ").unwrap();

    // It may travel on without being used in between.
    let mut last = moved(&moved(&first, dir.path()), dir.path());
    drop(first);
    assert_eq!(read(&mut last, input, 4).unwrap(), b"4567");
    write(&mut last, output, "def").unwrap();
    write(&mut last, log, "two").unwrap();
    assert_eq!(std::fs::read_to_string(dir.path().join("out")).unwrap(), "abcdef");
    assert_eq!(std::fs::read_to_string(dir.path().join("log")).unwrap(), "one two");
    assert_eq!(code(read(&mut last, output, 1)), "EBADF");
    assert_eq!(code(read(&mut last, closed, 1)), "EBADF");
    assert_eq!(open(&mut last, "in", How::READ), closed);
}

#[test]
fn a_file_that_was_renamed_is_followed_and_one_that_is_gone_is_told_of() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    for name in ["moved", "removed", "vanishes"] {
        std::fs::write(at(name), name).unwrap();
    }
    let mut first = host(dir.path());
    let [moves, removed, vanishes] = ["moved", "removed", "vanishes"].map(|name| open(&mut first, name, How::READ));
    std::fs::create_dir(at("into")).unwrap();
    std::fs::rename(at("moved"), at("into/it")).unwrap();
    std::fs::remove_file(at("removed")).unwrap();
    let mut second = moved(&first, dir.path());
    // Another file of that name is another file.
    std::fs::write(at("removed"), "another").unwrap();
    std::fs::rename(at("vanishes"), at("elsewhere")).unwrap();
    assert_eq!(read(&mut second, moves, 10).unwrap(), b"moved");
    assert_eq!(code(read(&mut second, removed, 10)), "ENOENT");
    let failure = read(&mut second, vanishes, 10).unwrap_err();
    assert_eq!(failure.to_string(), "ENOENT: ENOENT: no such file or directory, open 'vanishes'");
    std::fs::rename(at("elsewhere"), at("vanishes")).unwrap();
    assert_eq!(read(&mut second, vanishes, 10).unwrap(), b"vanishes");
    call(&mut second, files::close, (removed,)).unwrap();
}

#[test]
fn what_was_written_and_made_still_counts() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = host(dir.path());
    let handle = open(&mut first, "out", How::WRITE | How::CREATE);
    write(&mut first, handle, &"x".repeat(1_000)).unwrap();
    let mut second = moved(&first, dir.path());
    assert_eq!(code(write(&mut second, handle, &"x".repeat(25))), "EDQUOT");
    write(&mut second, handle, &"x".repeat(24)).unwrap();
    for name in ["a", "b"] {
        open(&mut second, name, How::WRITE | How::CREATE);
    }
    let more = call(&mut moved(&second, dir.path()), files::open, ("c".to_owned(), How::WRITE | How::CREATE));
    assert_eq!(code(more), "EDQUOT");
}

#[test]
fn what_is_no_snapshot_of_ours_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("in"), "0123456789").unwrap();
    let mut first = host(dir.path());
    let handle = open(&mut first, "in", How::READ);
    let good = first.save_states();
    let restored = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut states = good.clone();
        change(states.get_mut("fs").unwrap());
        let mut host = host(dir.path());
        host.restore_states(states);
        let answers = [(), ()].map(|()| call(&mut host, files::stat_open, (handle,)).map(drop).map_err(|e| e.code));
        assert_eq!(answers[0], answers[1]);
        answers[0].clone()
    };
    assert_eq!(restored(&|_| ()), Ok(()));
    let refused = Err("INTERNAL".to_owned());
    assert_eq!(restored(&|fs| fs["open"][0]["position"] = u64::MAX.into()), refused);
    assert_eq!(restored(&|fs| fs["open"][0]["path"] = "x".repeat(10_000).into()), refused);
    assert_eq!(restored(&|fs| fs["open"][0]["handle"] = 1_000.into()), refused);
    assert_eq!(restored(&|fs| fs["open"] = serde_json::json!({})), refused);
    assert_eq!(restored(&|fs| fs["open"][0]["place"] = "../../etc/passwd".into()), Err("EACCES".to_owned()));
}
