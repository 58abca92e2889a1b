//! What goes wrong here while something is brought is not the origin's fault, and is mended where that is possible.

use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::harness::device::Device;
use crate::harness::origin::{Gate, Made, Origin, Reply, content, reply};
use crate::harness::{Request, Server, eventually};
use crate::shelf::{SOON, Shelf, bytes, fails, figure, got, post, told};

const MIB: u64 = 1 << 20;
const SIZE: u64 = 6 * MIB;

/// A library with little memory beside its disk store: what the store does not take soon has no place.
fn narrow() -> Shelf {
    Shelf::open().with(|mut setup| {
        setup.config.memory.push("size = \"1MiB\"".to_owned());
        setup.config.fill.push("memory = \"1MiB\"".to_owned());
        setup
    })
}

/// A file that can be fetched in parts, half of which comes when the gate opens.
fn halves(gate: &Gate) -> Reply {
    reply(200)
        .max_age(600)
        .field("ETag", "\"one\"")
        .length(SIZE)
        .made(1, 0..SIZE / 2)
        .wait(gate)
        .made(1, SIZE / 2..SIZE)
}

fn purge(server: &Server, meant: &serde_json::Value) -> u64 {
    let request = Request::new("POST", "/api/purge").body(meant.to_string().as_bytes());
    told(server.ask_admin(&request).expect(200))["purged"]
        .as_u64()
        .expect("a number")
}

/// Purges all as soon as anything is stored; a purge before that would keep it from being.
fn purge_what_comes(server: &Server) {
    eventually(SOON, "something is stored", || {
        purge(server, &json!({"all": true, "dry_run": true})) > 0
    });
    assert!(purge(server, &json!({"all": true})) > 0);
}

fn brought_anew(server: &Server) -> u64 {
    figure(server, &["library", "brought_anew"])
}

/// The data files of a server's disk store.
fn data_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "wav") {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn get_whose_body_is_purged_midway_fetches_it_anew() {
    let origin = Origin::start();
    let server = narrow().start();
    let gate = Gate::new();
    let whole = reply(200).max_age(600).length(SIZE);
    let replies = [halves(&gate), whole.bytes(content(2, 0..SIZE))];
    origin.queue("/a.wav", replies);
    let url = format!("{}/a.wav", origin.url());
    std::thread::scope(|scope| {
        let getting = scope.spawn(|| got(&server, &url));
        gate.await_reached(1);
        purge_what_comes(&server);
        gate.open();
        assert_eq!(bytes(&getting.join().unwrap()), content(2, 0..SIZE));
    });
    assert_eq!(origin.asked_for("/a.wav").len(), 2);
    assert_eq!(brought_anew(&server), 1);
}

#[test]
fn get_whose_body_is_purged_midway_and_has_room_in_memory_goes_on() {
    let origin = Origin::start();
    let server = Shelf::open().start();
    let gate = Gate::new();
    origin.says("/a.wav", halves(&gate));
    let url = format!("{}/a.wav", origin.url());
    std::thread::scope(|scope| {
        let getting = scope.spawn(|| got(&server, &url));
        gate.await_reached(1);
        purge_what_comes(&server);
        gate.open();
        assert_eq!(bytes(&getting.join().unwrap()), content(1, 0..SIZE));
    });
    assert_eq!(origin.asked_for("/a.wav").len(), 1);
}

#[test]
fn get_of_a_stored_file_that_turns_out_to_be_damaged_fetches_it_anew() {
    let origin = Origin::start();
    origin.serve("/a.wav", Made::new(1, SIZE).max_age(600));
    let mut server = narrow().start();
    let url = format!("{}/a.wav", origin.url());
    let first = got(&server, &url);
    let id = &first["lease"]["id"];
    post(&server, "lease", &json!({"id": id, "act": "release"})).expect(200);
    server.terminate();
    server.wait_for_exit(SOON);
    let files = data_files(&server.folder.path("store"));
    let [file] = &files[..] else {
        panic!("{files:?}");
    };
    let file = std::fs::File::options().write(true).open(file).unwrap();
    // Far behind what a look-up verifies.
    file.write_all_at(b"damaged", 5 * MIB).unwrap();
    server.start_again();
    origin.forget();
    assert_eq!(bytes(&got(&server, &url)), content(1, 0..SIZE));
    assert_eq!(origin.asked_for("/a.wav").len(), 1);
    assert_eq!(brought_anew(&server), 1);
}

#[test]
fn file_that_changes_at_the_origin_midway_is_had_as_it_is_now() {
    let origin = Origin::start();
    let server = Shelf::open().start();
    let url = format!("{}/a.wav", origin.url());
    let gate = Gate::new();
    let whole = reply(200)
        .max_age(600)
        .field("ETag", "\"one\"")
        .length(SIZE);
    let parts = whole.made(1, 0..MIB).wait(&gate).made(1, MIB..SIZE);
    origin.says("/a.wav", parts);
    // Who asked goes, so that a part is stored.
    let hasty = post(&server, "get", &json!({"url": url, "timeout": "300ms"}));
    hasty.expect(504);
    gate.open();
    eventually(SOON, "the fetch is given up", || {
        origin.open_connections() == 0
    });
    origin.serve("/a.wav", Made::new(2, SIZE).max_age(600));
    assert_eq!(bytes(&got(&server, &url)), content(2, 0..SIZE));
    assert_eq!(brought_anew(&server), 1);
}

#[test]
fn device_that_is_full_is_told_from_an_origin_that_breaks_off() {
    let origin = Origin::start();
    let mut shelf = narrow();
    let folder = shelf.setup.folder.path("device");
    let Some(device) = Device::mount(&folder, 16 * MIB) else {
        return;
    };
    let path = folder.join("cache");
    shelf.setup.config.disk = vec![format!("path = {path:?}"), "size = \"1GiB\"".to_owned()];
    let server = shelf.start();
    origin.serve("/small.wav", Made::new(1, MIB).max_age(600));
    let small = got(&server, &format!("{}/small.wav", origin.url()));
    for (name, etag) in [("/one.wav", "\"one\""), ("/two.wav", "")] {
        origin.serve(name, Made::new(2, 40 * MIB).max_age(600).etag(etag));
        let why = fails(
            &server,
            &format!("{}{name}", origin.url()),
            (507, "disk_full", "hotplate"),
        );
        assert!(
            why["error"].as_str().unwrap().contains("file system"),
            "{why}"
        );
    }
    // What is leased stays, and an origin that breaks off is told as such.
    assert_eq!(bytes(&small), content(1, 0..MIB));
    origin.says(
        "/cut.wav",
        reply(200).max_age(600).length(1000).bytes("abc").close(),
    );
    fails(
        &server,
        &format!("{}/cut.wav", origin.url()),
        (502, "incomplete", "origin"),
    );
    assert_eq!(figure(&server, &["library", "gets", "failed-hotplate"]), 2);
    drop(server);
    drop(device);
}
