//! Recordings: other programs write, and what they wrote arrives when the last of them is done.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::harness::origin::Origin;
use crate::harness::server::run;
use crate::harness::{Answer, Driver, Request, Server, eventually, get, pattern, pause};
use crate::queue::{
    PATIENCE, arrived, await_state, before, change, encoded, json, said, setup, spooled, status,
    url,
};

fn taking() -> Origin {
    let origin = Origin::start();
    origin.otherwise(|_| said(201));
    origin
}

/// Opens a recording; its number and its path.
#[track_caller]
fn open(server: &Server, url: &str, more: &str) -> (u64, PathBuf) {
    let target = format!("/api/cache/record?url={}{more}", encoded(url));
    let answer = server.ask_admin(&Request::new("POST", &target).body(b""));
    answer.expect(200);
    let told = json(&answer);
    let path = told["path"].as_str().expect("a path").into();
    (told["id"].as_u64().expect("a number"), path)
}

fn close(server: &Server, query: &str) -> Answer {
    let target = format!("/api/cache/record/close?{query}");
    server.ask_admin(&Request::new("POST", &target).body(b""))
}

#[test]
fn recording_is_uploaded_when_its_last_writer_closes() {
    let origin = taking();
    let server = before(&origin.url(), "");
    let (id, path) = open(&server, &url("/calls/1.wav"), "");
    assert_eq!(path.extension().and_then(|it| it.to_str()), Some("wav"));
    let mode = fs::metadata(&path).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    assert_eq!(status(&server, id)["state"], "recording");
    let body = pattern(500_000, 1);
    let (first, rest) = body.split_at(100_000);
    // As programs do: made anew, written piece by piece, by two at the end.
    let mut writer = fs::File::create(&path).expect("the file");
    writer.write_all(first).expect("room");
    let mut other = OpenOptions::new()
        .append(true)
        .open(&path)
        .expect("the file");
    drop(writer);
    pause(Duration::from_millis(100));
    assert_eq!(status(&server, id)["state"], "recording");
    let by_id = close(&server, &format!("id={id}"));
    by_id.expect(409);
    other.write_all(rest).expect("room");
    drop(other);
    let done = await_state(&server, id, "done");
    assert_eq!(done["source"], "record");
    assert_eq!(arrived(&origin, "/calls/1.wav"), [body]);
    assert!(!path.exists());
    assert_eq!(spooled(&server), Vec::<String>::new());
}

#[test]
fn group_of_the_library_may_write_recordings_and_nothing_else() {
    let origin = taking();
    // Root alone may give files to any group.
    let group = match rustix::process::getuid().is_root() {
        true => 12345,
        false => rustix::process::getgid().as_raw(),
    };
    let mut setup = setup(&origin.url(), "record_limit = \"1h\"");
    setup.config.library.push(format!("group = \"{group}\""));
    let mut server = setup.start(Driver::Epoll);
    let spool = server.folder.path("store/uploads");
    let (id, path) = open(&server, &url("/calls/1.wav"), "");
    let found = |path: &Path| {
        let found = fs::metadata(path).expect("it is there");
        (found.permissions().mode() & 0o070, found.gid())
    };
    for _ in 0..2 {
        assert_eq!(found(&path), (0o060, group));
        for folder in [&spool, &spool.join("recordings")] {
            assert_eq!(found(folder), (0o010, group), "{}", folder.display());
        }
        assert_eq!(found(&spool.join("uploads.lock")).0, 0);
        server.restart();
    }
    // What is accepted is not the group's to write any more.
    origin.otherwise(|_| said(503));
    fs::write(&path, b"abc").expect("room");
    eventually(PATIENCE, "it is an upload", || !path.exists());
    let data = spool.join(format!("{id:016x}.data"));
    assert_eq!(found(&data).0, 0);
    origin.otherwise(|_| said(201));
    await_state(&server, id, "done");
}

#[test]
fn recording_ends_by_command_and_by_path() {
    let origin = taking();
    let server = before(&origin.url(), "");
    let folder = server.folder.path("");
    let command = |words: &[&str]| {
        let admin = server.admin.expect("an address").to_string();
        run(&[words, &["--admin", admin.as_str()]].concat(), &folder)
    };
    let opened = command(&["record", &url("/empty.ul"), "--extension", "ulaw"]);
    assert_eq!(opened.code, Some(0), "{}", opened.output);
    let path = PathBuf::from(opened.output.trim());
    assert!(
        path.exists() && opened.output.contains(".ulaw"),
        "{}",
        opened.output
    );
    // Who only touches it has not recorded anything.
    drop(
        OpenOptions::new()
            .write(true)
            .open(&path)
            .expect("the file"),
    );
    pause(Duration::from_millis(100));
    assert!(path.exists());
    let closed = command(&["record", "--close", opened.output.trim()]);
    assert_eq!(closed.code, Some(0), "{}", closed.output);
    eventually(PATIENCE, "the empty file arrives", || {
        arrived(&origin, "/empty.ul") == [Vec::<u8>::new()]
    });
    assert_eq!(command(&["record", "--close", "/nowhere"]).code, Some(1));
    assert_eq!(command(&["record", "http://other.example/a"]).code, Some(2));
    assert_eq!(command(&["record"]).code, Some(2));
    close(&server, "id=99").expect(404);
    close(&server, "").expect(400);
    let odd = format!(
        "/api/cache/record?url={}&extension=..%2Fx",
        encoded(&url("/a"))
    );
    server
        .ask_admin(&Request::new("POST", &odd).body(b""))
        .expect(400);
}

/// A program's word comes after its close, of which inotify has told already.
#[test]
fn close_of_what_has_closed_tells_what_became_of_it() {
    let origin = Origin::start();
    origin.otherwise(|asked| {
        let status = [("/refused", 403), ("/later", 503)];
        let found = status.iter().find(|it| asked.target.starts_with(it.0));
        said(found.map_or(201, |it| it.1))
    });
    let mut server = before(&origin.url(), "");
    let recorded = |server: &Server, name: &str, state: &str| {
        let (id, path) = open(server, &url(name), "");
        fs::write(&path, b"bytes").expect("room");
        await_state(server, id, state);
        (id, path)
    };
    let closes = |server: &Server, (id, path): &(u64, PathBuf), expected: (u16, &str)| {
        let path = encoded(path.to_str().expect("UTF-8"));
        for query in [format!("id={id}"), format!("path={path}")] {
            let answer = close(server, &query);
            answer.expect(expected.0);
            let told = json(&answer);
            assert_eq!(told["id"].as_u64(), Some(*id));
            assert_eq!(told["state"], expected.1, "{told}");
        }
    };
    let done = recorded(&server, "/done.wav", "done");
    closes(&server, &done, (202, "done"));
    let path = done.1.to_str().expect("UTF-8");
    let admin = server.admin.expect("an address").to_string();
    let folder = server.folder.path("");
    let command = |path: &str| run(&["record", "--close", path, "--admin", &admin], &folder);
    let closed = command(path);
    assert_eq!(closed.code, Some(0), "{}", closed.output);
    let expected = format!("accepted: upload {}", done.0);
    assert_eq!(closed.output.trim(), expected);
    // It was accepted, whatever the origin says.
    let refused = recorded(&server, "/refused.wav", "given-up");
    closes(&server, &refused, (202, "given-up"));
    let later = recorded(&server, "/later.wav", "waiting");
    let dropped = recorded(&server, "/later-dropped.wav", "waiting");
    change(&server, "drop", dropped.0).expect(200);
    closes(&server, &dropped, (410, "dropped"));
    let told = command(dropped.1.to_str().expect("UTF-8"));
    assert_eq!(told.code, Some(1), "{}", told.output);
    assert!(told.output.contains("it was dropped"), "{}", told.output);
    let put = crate::queue::accepted(&server, &url("/put.wav"), b"put");
    close(&server, &format!("id={put}")).expect(404);
    server.restart();
    let later_id = later.0;
    let query = format!("path={}", encoded(later.1.to_str().expect("UTF-8")));
    let answer = close(&server, &query);
    answer.expect(202);
    assert_eq!(json(&answer)["id"].as_u64(), Some(later_id));
}

/// What no close tells of was looked for only when nothing else had been heard for two seconds.
#[test]
fn recordings_that_no_close_tells_of_are_found_on_a_busy_server() {
    let origin = taking();
    let server = before(&origin.url(), "record_limit = \"1s\"");
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0.. {
                if is_over.load(Ordering::SeqCst) {
                    return;
                }
                let (_, path) = open(&server, &url(&format!("/busy-{number}.wav")), "");
                fs::write(path, b"bytes").expect("room");
                pause(Duration::from_millis(100));
            }
        });
        let found = std::panic::catch_unwind(|| {
            let (abandoned, _) = open(&server, &url("/abandoned.wav"), "");
            let (replaced, path) = open(&server, &url("/replaced.wav"), "");
            server.folder.place("new.wav", b"another file");
            fs::rename(server.folder.path("new.wav"), path).expect("the same file system");
            await_state(&server, replaced, "done");
            await_state(&server, abandoned, "dropped");
        });
        is_over.store(true, Ordering::SeqCst);
        found.unwrap_or_else(|failure| std::panic::resume_unwind(failure));
    });
    assert_eq!(arrived(&origin, "/replaced.wav"), [b"another file"]);
}

/// What was appended between the checksum and the acceptance made an upload that no attempt could deliver.
#[test]
fn what_is_appended_while_a_recording_is_closed_arrives_with_it() {
    let origin = taking();
    let server = before(&origin.url(), "");
    for round in 0..8_u64 {
        let name = format!("/{round}.wav");
        let (id, path) = open(&server, &url(&name), "");
        let mut body = pattern(3_000_000, round);
        fs::write(&path, &body).expect("room");
        // From the first close on it may become an upload at any moment, and is none as long as somebody gets hold of it.
        for number in 0..60_u64 {
            pause(Duration::from_micros(
                (number * 977 + round * 331) % (200 + number * 100),
            ));
            let Ok(mut file) = OpenOptions::new().append(true).open(&path) else {
                break;
            };
            let more = pattern(10, number);
            file.write_all(&more).expect("room");
            body.extend_from_slice(&more);
        }
        await_state(&server, id, "done");
        assert!(
            arrived(&origin, &name) == [body],
            "{name} arrived otherwise"
        );
    }
    assert_eq!(spooled(&server), Vec::<String>::new());
}

#[test]
fn recordings_survive_restarts_and_kills() {
    let origin = taking();
    let mut server = before(&origin.url(), "");
    let (written, written_path) = open(&server, &url("/written.wav"), "");
    let (_, closed_path) = open(&server, &url("/closed.wav"), "");
    let (later, later_path) = open(&server, &url("/later.wav"), "");
    let mut writer = fs::File::create(&written_path).expect("the file");
    writer.write_all(b"begun, ").expect("room");
    server.kill();
    // Written while nobody looked.
    fs::write(&closed_path, b"whole").expect("room");
    server.start_again();
    for id in [written, later] {
        assert_eq!(status(&server, id)["state"], "recording");
    }
    writer.write_all(b"ended").expect("room");
    drop(writer);
    fs::write(&later_path, b"later").expect("room");
    for (path, body) in [
        ("/written.wav", &b"begun, ended"[..]),
        ("/closed.wav", b"whole"),
        ("/later.wav", b"later"),
    ] {
        eventually(PATIENCE, path, || arrived(&origin, path) == [body]);
    }
    eventually(PATIENCE, "the spool is empty", || {
        spooled(&server).is_empty()
    });
}

/// A crash between a recording's file and its record left the file for good, and a recording of the same number could not be opened.
#[test]
fn recording_that_a_crash_left_without_a_record_is_removed_unless_it_has_bytes() {
    let origin = taking();
    let mut server = before(&origin.url(), "");
    let (_, path) = open(&server, &url("/half.wav"), "");
    server.kill();
    let folder = path.parent().expect("a folder").to_owned();
    let record = |id: u64| server.folder.path(format!("store/uploads/{id:016x}.rec"));
    // Half a record, no record, and a damaged record of what was written.
    fs::write(record(1), b"hotplate-upl").expect("the record");
    fs::write(folder.join("0000000000000002.wav"), b"").expect("a file");
    let written = folder.join("0000000000000003.wav");
    fs::write(&written, b"bytes").expect("a file");
    fs::write(record(3), b"broken").expect("the record");
    server.start_again();
    assert_eq!(fs::read(&written).expect("the file"), b"bytes");
    assert_eq!(
        spooled(&server),
        ["0000000000000003.rec", "0000000000000003.wav"]
    );
    let told = server.output();
    assert!(told.contains("no record that can be read"), "{told}");
    let (next, _) = open(&server, &url("/next.wav"), "");
    assert_eq!(next, 4);
}

#[test]
fn recording_that_nobody_writes_is_dropped_in_time_and_others_by_word() {
    let origin = taking();
    let server = before(&origin.url(), "record_limit = \"1s\"");
    let (abandoned, path) = open(&server, &url("/abandoned.wav"), "");
    let (dropped, other) = open(&server, &url("/dropped.wav"), "");
    fs::write(&other, b"").expect("room");
    let listed = json(&server.ask_admin(&get("/api/cache/uploads")));
    assert_eq!(listed["uploads"].as_array().map(Vec::len), Some(2));
    change(&server, "drop", dropped).expect(200);
    assert!(!other.exists());
    await_state(&server, abandoned, "dropped");
    assert!(!path.exists());
    assert!(origin.asked().is_empty());
    assert_eq!(spooled(&server), Vec::<String>::new());
}
