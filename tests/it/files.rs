//! `fs` against others who change the tree meanwhile, against what is no file, and against its own clocks.
use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Server, shared_images, vm_in};

/// Every operation through a name that leads inside one moment and outside the next.
#[test]
fn nobody_gets_out_while_a_link_changes() {
    let place = tempfile::tempdir().unwrap();
    let (root, outside) = (place.path().join("root"), place.path().join("outside"));
    for dir in [&root.join("in"), &outside] {
        std::fs::create_dir_all(dir).unwrap();
        std::fs::write(dir.join("f"), if dir == &outside { "secret" } else { "inside" }).unwrap();
    }
    symlink("in", root.join("flip")).unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let flipping = thread::spawn({
        let (root, done) = (root.clone(), done.clone());
        move || {
            for target in ["../outside", "in"].iter().cycle() {
                symlink(target, root.join("new")).unwrap();
                std::fs::rename(root.join("new"), root.join("flip")).unwrap();
                if done.load(Ordering::Relaxed) {
                    return;
                }
            }
        }
    });
    let script = r"
        const fs = require('fs'), p = fs.promises;
        const end = Date.now() + 1500;
        let tried = 0, worked = 0;
        const sync = [
          () => { if (fs.readFileSync('flip/f') === 'secret') console.log('READ'); }, () => fs.writeFileSync('flip/w', 'x'), () => fs.mkdirSync('flip/d'),
          () => fs.rmSync('flip/w'), () => fs.rmSync('flip/d', { recursive: true }), () => fs.renameSync('flip/f', 'flip/g'), () => fs.renameSync('flip/g', 'flip/f'),
          () => fs.copyFileSync('flip/f', 'copied'), () => fs.copyFileSync('mine', 'flip/c'), () => fs.symlinkSync('x', 'flip/l'), () => fs.unlinkSync('flip/l'),
            () => fs.truncateSync('flip/f', 6),
          () => fs.utimesSync('flip/f', 1, 1), () => { if (fs.readdirSync('flip').includes('only-outside')) console.log('LISTED'); },
            () => { if (fs.statSync('flip').mtimeMs === 5000) console.log('STAT'); },
          () => fs.mkdirSync('flip/a/b', { recursive: true }), () => fs.rmSync('flip/a', { recursive: true }), () => fs.mkdtempSync('flip/t'),
            () => { const fd = fs.openSync('flip/n', 'a+'); fs.writeSync(fd, 'x'); fs.closeSync(fd); },
        ];
        fs.writeFileSync('mine', 'mine');
        while (Date.now() < end) {
          for (const f of sync) { tried++; try { f(); worked++; } catch (e) { if (!e.code) throw e; } }
          await Promise.allSettled([p.writeFile('flip/w', 'y'), p.readFile('flip/f'), p.rename('flip/w', 'flip/v'), p.rm('flip/v'),
            p.mkdir('flip/x/y', { recursive: true }), p.rm('flip/x', { recursive: true })]);
          if (fs.existsSync('copied') && fs.readFileSync('copied') === 'secret') console.log('COPIED');
        }
        console.log(tried > 100, worked > 10);
    ";
    std::fs::write(outside.join("only-outside"), "").unwrap();
    std::fs::write(place.path().join("t.js"), script).unwrap();
    let args =
        ["run", "t.js", "--module", "fs", "--root", root.to_str().unwrap(), "--cpu-ms", "60000", "--wall-ms", "60000"];
    let ran = vm_in(place.path(), &shared_images(), &args);
    done.store(true, Ordering::Relaxed);
    flipping.join().unwrap();
    assert_eq!(ran.stdout, "true true\n", "{ran:?}");
    let mut left: Vec<_> = std::fs::read_dir(&outside).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["f", "only-outside"], "nothing was made or removed outside");
    assert_eq!(std::fs::read_to_string(outside.join("f")).unwrap(), "secret");
}

/// What the server lives by is not there for any operation, nor can what holds it be moved or removed.
#[test]
fn hidden_from_every_operation() {
    let place = tempfile::tempdir().unwrap();
    let images = place.path().join("cache/images");
    std::fs::create_dir_all(&images).unwrap();
    symlink("cache", place.path().join("link")).unwrap();
    std::fs::write(place.path().join("mine"), "mine").unwrap();
    std::fs::create_dir(place.path().join("empty")).unwrap();
    let server = Server::start_in(place.path(), &images);
    let session = server.session(&server.template("t", &["fs"]));
    let script = r"
        const fs = require('fs');
        const code = (f) => { try { f(); return 'worked'; } catch (e) { return e.code; } };
        const wrong = [];
        const refused = (what, f) => { const got = code(f); if (got !== 'EACCES') wrong.push(what + ' ' + got); };
        for (const path of ['cache/images/key', 'link/images/key', './cache/../link/images/key', 'vm-system.db', 'vm-system.db-wal', 'cache/images', 'link/images']) {
          const operations = { read: () => fs.readFileSync(path), write: () => fs.writeFileSync(path, 'x'), append: () => fs.appendFileSync(path, 'x'),
            stat: () => fs.statSync(path), lstat: () => fs.lstatSync(path),
            access: () => fs.accessSync(path), truncate: () => fs.truncateSync(path), unlink: () => fs.unlinkSync(path), rm: () => fs.rmSync(path, { recursive: true }),
              rmdir: () => fs.rmdirSync(path), from: () => fs.renameSync(path, 'stolen'), to: () => fs.renameSync('mine', path),
            copyFrom: () => fs.copyFileSync(path, 'stolen'), copyTo: () => fs.copyFileSync('mine', path), utimes: () => fs.utimesSync(path, 0, 0),
              readdir: () => fs.readdirSync(path), realpath: () => fs.realpathSync(path), open: () => fs.openSync(path, 'r+'),
            mkdir: () => fs.mkdirSync(path), beneath: () => fs.mkdirSync(path + '/new/x', { recursive: true }), symlink: () => fs.symlinkSync('x', path),
              readlink: () => fs.readlinkSync(path), mkdtemp: () => fs.mkdtempSync(path + '/') };
          for (const [name, f] of Object.entries(operations)) refused(name + ' ' + path, f);
        }
        refused('above', () => fs.renameSync('cache', 'moved'));
        refused('remove above', () => fs.rmSync('cache', { recursive: true }));
        refused('over', () => fs.renameSync('empty', 'cache'));
        refused('over, slash', () => fs.renameSync('empty', 'cache/'));
        fs.symlinkSync('cache/images/key', 'to-key');
        fs.symlinkSync('vm-system.db', 'to-db');
        for (const link of ['to-key', 'to-db']) { refused(link, () => fs.readFileSync(link)); refused(link, () => fs.copyFileSync(link, 'stolen')); refused(link,
          () => fs.writeFileSync(link, 'x')); }
        const listed = fs.readdirSync('.', { recursive: true });
        for (const name of listed) if (name.startsWith('cache/') || name.startsWith('vm-system.db')) wrong.push('listed ' + name);
        if (fs.existsSync('stolen')) wrong.push('stolen');
        wrong.join('\n') + listed.includes('mine')";
    assert_eq!(server.value(&session, script), "true");
    assert!(images.join("key").exists() && place.path().join("vm-system.db").exists());
}

/// Pipes, sockets and devices are looked at and moved, but never read or waited for.
#[test]
fn what_is_no_file_is_not_opened() {
    let place = tempfile::tempdir().unwrap();
    assert!(Command::new("mkfifo").arg(place.path().join("pipe")).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(place.path().join("socket")).unwrap();
    let script = r"
        const fs = require('fs');
        const code = (f) => { try { f(); return 'worked'; } catch (e) { return e.code; } };
        for (const path of ['pipe', 'socket']) {
          console.log([() => fs.readFileSync(path), () => fs.writeFileSync(path, 'x'), () => fs.appendFileSync(path, 'x'), () => fs.truncateSync(path),
            () => fs.openSync(path), () => fs.openSync(path, 'r+'), () => fs.copyFileSync(path, 'x'), () => fs.readdirSync(path)].map(code).join());
          console.log(fs.statSync(path).isFile(), fs.statSync(path).isFIFO(), fs.statSync(path).isSocket());
        }
        console.log(await fs.promises.readFile('pipe').catch((e) => e.code));
        fs.renameSync('pipe', 'moved'); fs.rmSync('moved'); console.log(fs.existsSync('moved'));
    ";
    std::fs::write(place.path().join("t.js"), script).unwrap();
    let ran = vm_in(place.path(), &shared_images(), &["run", "t.js", "--module", "fs"]);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(
        lines,
        [
            "EINVAL,EINVAL,EINVAL,EINVAL,EINVAL,EINVAL,EINVAL,ENOTDIR",
            "false true false",
            "EINVAL,EINVAL,EINVAL,EINVAL,EINVAL,EINVAL,EINVAL,ENOTDIR",
            "false false true",
            "EINVAL",
            "false"
        ],
        "{ran:?}"
    );
}

/// Long work stops when its execution has to: at once where it is synchronous, at the next piece where it is not.
#[test]
fn long_work_is_interrupted() {
    let place = tempfile::tempdir().unwrap();
    std::fs::File::create(place.path().join("huge")).unwrap().set_len(200 << 30).unwrap();
    for at in 0..20_000 {
        if at % 1_000 == 0 {
            std::fs::create_dir_all(place.path().join(format!("tree/{}", at / 1_000))).unwrap();
        }
        std::fs::write(place.path().join(format!("tree/{}/{at}", at / 1_000)), "").unwrap();
    }
    for source in [
        "fs.copyFileSync('huge', 'copy')",
        "try { fs.copyFileSync('huge', 'copy') } catch {} for (;;);",
        "for (;;) fs.readdirSync('tree', { recursive: true })",
        "await fs.promises.copyFile('huge', 'copy')",
    ] {
        std::fs::write(place.path().join("t.js"), format!("const fs = require('fs'); {source}")).unwrap();
        let args = ["run", "t.js", "--module", "fs", "--wall-ms", "200", "--cpu-ms", "60000"];
        let ran = vm_in(place.path(), &shared_images(), &args);
        assert_eq!(ran.status, Some(124), "{source}: {ran:?}");
        assert!(ran.elapsed < Duration::from_secs(6), "{source}: {ran:?}");
        let _ = std::fs::remove_file(place.path().join("copy"));
    }
    let server = Server::start_in(place.path(), &shared_images());
    let session = server.session(&server.template("t", &["fs"]));
    let running = server.begin(&session, "await require('fs').promises.copyFile('huge', 'copy')");
    let size = || std::fs::metadata(place.path().join("copy")).map_or(0, |metadata| metadata.len());
    let began = Instant::now();
    while size() == 0 && began.elapsed() < Duration::from_secs(10) {
        thread::sleep(Duration::from_millis(5));
    }
    server.post(&format!("/executions/{}/cancel", running["id"].as_str().unwrap()), json!({})).expect(200);
    thread::sleep(Duration::from_millis(200));
    let stopped = size();
    thread::sleep(Duration::from_millis(200));
    assert_eq!(size(), stopped, "nobody writes on");
    std::fs::remove_file(place.path().join("copy")).unwrap();
}
