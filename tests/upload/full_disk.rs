//! A spool whose file system is full: what does not fit is refused and leaves nothing, what was accepted arrives, and what comes when there
//! is room again is taken. Needs the right to mount a file system.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::harness::device::Device;
use crate::harness::origin::Origin;
use crate::harness::server::run;
use crate::harness::{Answer, Client, Driver, Request, Server, eventually, pattern, pause};
use crate::queue::{
    PATIENCE, accepted, arrived, await_state, change, encoded, json, names, put, said, setup,
    status, url,
};

/// Bytes of the device.
const DEVICE: u64 = 512 << 10;

/// What fits on it once, and not a second time beside what is there.
const SMALL: usize = 200_000;
const LARGE: usize = 900_000;

/// A server whose spool is on a device of its own.
struct Bench {
    // Goes before the server, whose folder it is mounted in.
    _device: Device,
    origin: Origin,
    server: Server,
    spool: PathBuf,
}

impl Bench {
    /// Its origin takes everything, once it is up. None where there can be no such device.
    fn new() -> Option<Self> {
        let mut origin = Origin::start();
        origin.otherwise(|_| said(201));
        origin.go_down();
        let mut setup = setup(&origin.url(), "files = [\"**\"]");
        let spool = setup.folder.path("spool");
        let device = Device::mount(&spool, DEVICE)?;
        setup.config.sites[0].push_str(&format!("\npath = {spool:?}"));
        Some(Self {
            _device: device,
            origin,
            server: setup.start(Driver::Epoll),
            spool,
        })
    }

    fn names(&self) -> Vec<String> {
        let recordings = names(&self.spool.join("recordings"));
        names(&self.spool).into_iter().chain(recordings).collect()
    }

    /// Refused for the want of room, and by whose fault; nothing is left of it.
    #[track_caller]
    fn assert_full(&self, answer: &Answer, before: &[String]) {
        answer.expect(507);
        let why = json(answer);
        assert_eq!(
            (why["code"].as_str(), why["fault"].as_str()),
            (Some("disk_full"), Some("hotplate"))
        );
        let error = why["error"].as_str().expect("a reason");
        assert!(
            error.contains("is full") && error.contains("spool"),
            "{error}"
        );
        self.assert_names(before);
    }

    /// The spool has these files and no others, but for a record that is about to fail.
    #[track_caller]
    fn assert_names(&self, names: &[String]) {
        eventually(PATIENCE, "nothing is left", || self.names() == names);
    }
}

#[test]
fn file_that_does_not_fit_is_refused_however_it_comes() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let server = &bench.server;
    let small = pattern(SMALL, 1);
    let id = accepted(server, &url("/small"), &small);
    let before = bench.names();
    assert_eq!(before.len(), 2);
    let large = pattern(LARGE, 2);
    bench.assert_full(&put(server, &url("/large"), "", &large), &before);
    // In chunks: its size is not known beforehand.
    let mut client = Client::open(server.admin.expect("an address"));
    client.send(format!(
        "POST /api/cache/put?url={} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        encoded(&url("/large"))
    ));
    for piece in large.chunks(50_000) {
        client.send(format!("{:x}\r\n", piece.len()));
        client.send(piece);
        client.send("\r\n");
    }
    client.send("0\r\n\r\n");
    bench.assert_full(&client.answer("POST"), &before);
    // A file of this machine.
    server.folder.place("large.wav", &large);
    let path = server.folder.path("large.wav");
    let file = format!("&file={}", encoded(path.to_str().expect("UTF-8")));
    bench.assert_full(&put(server, &url("/large"), &file, b""), &before);
    let admin = server.admin.expect("an address").to_string();
    let large_url = url("/large");
    let words = [
        "put",
        &large_url,
        "large.wav",
        "--config",
        "hotplate.toml",
        "--admin",
        &admin,
    ];
    let refused = run(&words, &server.folder.path(""));
    assert_eq!(refused.code, Some(1));
    assert!(refused.output.contains("is full"), "{}", refused.output);
    bench.assert_names(&before);
    // What was accepted is whole, and makes room.
    bench.origin.come_up();
    await_state(&bench.server, id, "done");
    assert_eq!(arrived(&bench.origin, "/small"), [small]);
    bench.assert_names(&[]);
    let later = pattern(400_000, 3);
    put(&bench.server, &url("/later"), "&wait=true", &later).expect(200);
    assert_eq!(arrived(&bench.origin, "/later"), [later]);
    assert!(arrived(&bench.origin, "/large").is_empty());
}

/// Takes the last byte of the device.
fn fill(folder: &Path) -> PathBuf {
    let path = folder.join("ballast");
    let mut file = fs::File::create(&path).expect("a file");
    while file.write_all(&[1; 4096]).is_ok() {}
    path
}

#[test]
fn record_that_does_not_fit_keeps_the_one_that_is_there() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let server = &bench.server;
    let body = pattern(SMALL, 1);
    let id = accepted(server, &url("/call.wav"), &body);
    let ballast = fill(&bench.spool);
    let mut before = bench.names();
    before.retain(|name| !name.ends_with(".new"));
    // Each failure is to be written down, and can't be.
    let attempts = |server: &Server| status(server, id)["attempts"].as_u64().unwrap_or(0);
    let told = attempts(server);
    eventually(PATIENCE, "attempts fail", || attempts(server) > told + 2);
    bench.assert_names(&before);
    bench.assert_full(&put(server, &url("/empty"), "", b""), &before);
    let target = format!("/api/cache/record?url={}", encoded(&url("/recorded.wav")));
    let opened = server.ask_admin(&Request::new("POST", &target).body(b""));
    bench.assert_full(&opened, &before);
    // Nor does a start need room.
    bench.server.kill_and_start();
    bench.assert_names(&before);
    bench.origin.come_up();
    await_state(&bench.server, id, "done");
    assert_eq!(arrived(&bench.origin, "/call.wav"), [body]);
    fs::remove_file(ballast).expect("the ballast");
    put(&bench.server, &url("/empty"), "&wait=true", b"").expect(200);
}

#[test]
fn recording_that_can_not_be_closed_for_want_of_room_is_closed_later() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    bench.origin.come_up();
    let server = &bench.server;
    let target = format!("/api/cache/record?url={}", encoded(&url("/recorded.wav")));
    let opened = server.ask_admin(&Request::new("POST", &target).body(b""));
    opened.expect(200);
    let opened = json(&opened);
    let id = opened["id"].as_u64().expect("a number");
    let path = PathBuf::from(opened["path"].as_str().expect("a path"));
    let body = pattern(SMALL, 5);
    let mut file = fs::File::options()
        .append(true)
        .open(&path)
        .expect("the recording");
    file.write_all(&body).expect("there is room");
    let ballast = fill(&bench.spool);
    let before = bench.names();
    drop(file);
    // Its close was heard of.
    eventually(PATIENCE, "the full disk is told", || {
        server.output().contains(&format!(
            "recording {id}: the recording can't be taken over"
        ))
    });
    let closed = server
        .ask_admin(&Request::new("POST", &format!("/api/cache/record/close?id={id}")).body(b""));
    closed.expect(507);
    bench.assert_names(&before);
    assert_eq!(status(server, id)["state"], "recording");
    pause(Duration::from_millis(100));
    assert!(bench.origin.asked().is_empty());
    fs::remove_file(ballast).expect("the ballast");
    await_state(server, id, "done");
    assert_eq!(arrived(&bench.origin, "/recorded.wav"), [body]);
    let id = accepted(server, &url("/after"), b"after");
    await_state(server, id, "done");
    change(server, "drop", id).expect(404);
    bench.assert_names(&[]);
}
