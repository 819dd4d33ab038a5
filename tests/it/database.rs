//! The database file: copies, checks, what is refused.
use crate::harness::{Server, shared_images, vm_in};

#[test]
fn a_backup_of_a_running_server_is_another_server() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start_in(place.path(), &shared_images());
    let template = server.template("kept", &["fs"]);
    let session = server.session(&template);
    let execution = server.eval(&session, "console.log('kept'); 6 * 7");
    let (events, id) = (server.events(&execution), execution["id"].as_str().unwrap());

    let copy = tempfile::tempdir().unwrap();
    let to = copy.path().join("vm-system.db");
    let to = to.to_str().unwrap();
    let run = |args: &[&str]| vm_in(place.path(), &shared_images(), args);
    let made = run(&["db", "backup", to]);
    assert!(made.status == Some(0) && made.stdout.starts_with("Backed up vm-system.db to "), "{made:?}");
    let again = run(&["db", "backup", to]);
    assert!(again.status == Some(1) && again.stderr.contains("exists"), "nothing is overwritten: {again:?}");
    server.eval(&session, "'after the copy'");
    let sound = run(&["db", "check"]);
    assert!(sound.status == Some(0) && sound.stdout.contains("vm-system.db is sound"), "{sound:?}");

    let restored = Server::start_in(copy.path(), &shared_images());
    assert_eq!(restored.get(&format!("/executions/{id}")).expect(200).json, execution);
    assert_eq!(restored.events(&execution), events);
    let list = restored.get(&format!("/executions?session_id={session}")).expect(200).json;
    assert_eq!(list.as_array().unwrap().len(), 1, "{list}");
}

#[test]
fn damage_and_strangers_are_told() {
    let place = tempfile::tempdir().unwrap();
    let server = Server::start_in(place.path(), &shared_images());
    server.template("t", &[]);
    server.terminate();
    let db = place.path().join("vm-system.db");
    let mut bytes = std::fs::read(&db).unwrap();
    for at in (4_096..bytes.len()).step_by(4_096) {
        bytes[at..at + 64].fill(0xa5);
    }
    std::fs::write(&db, &bytes).unwrap();
    for args in [&["db", "check"][..], &["serve", "--listen", "127.0.0.1:0"]] {
        let told = vm_in(place.path(), &shared_images(), args);
        assert!(told.status == Some(1) && told.stderr.contains("damaged"), "{told:?}");
        assert!(told.stderr.contains("backup"), "what to do: {told:?}");
    }
    assert_eq!(std::fs::read(&db).unwrap(), bytes, "evidence is left alone");

    std::fs::write(&db, "no database").unwrap();
    let told = vm_in(place.path(), &shared_images(), &["db", "check"]);
    assert!(told.status == Some(1) && told.stderr.contains("vm-system.db"), "{told:?}");
}
