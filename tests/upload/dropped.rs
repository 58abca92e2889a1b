//! Uploads that are dropped or retried at the moment at which something else is written down about them.

use std::time::Duration;

use crate::harness::origin::Origin;
use crate::harness::{Driver, Server, get, pause};
use crate::queue::{accepted, before, change, json, said, setup, spooled, url};

fn listed(server: &Server) -> usize {
    let listed = json(&server.ask_admin(&get("/api/cache/uploads")));
    listed["uploads"].as_array().map_or(0, Vec::len)
}

/// The record was written after the drop had removed it, and the next start had an upload without bytes.
#[test]
fn upload_that_is_dropped_while_its_failure_is_noted_does_not_come_back() {
    let origin = Origin::start();
    origin.otherwise(|_| said(403));
    let mut server = before(&origin.url(), "");
    for number in 0..60_u32 {
        let path = format!("/{number}.wav");
        let id = accepted(&server, &url(&path), b"bytes");
        origin.await_asked_for(&path, 1);
        // Its being given up is synced, which takes a while.
        pause(Duration::from_micros(50) * number);
        change(&server, "drop", id).expect(200);
    }
    server.restart();
    assert_eq!(listed(&server), 0);
    assert_eq!(spooled(&server), Vec::<String>::new());
}

/// Two wrote the same file beside the record at once, and one of them found it gone.
#[test]
fn record_is_written_by_one_at_a_time() {
    let origin = Origin::start();
    origin.otherwise(|_| said(503));
    let mut setup = setup(&origin.url(), "");
    let site = &mut setup.config.sites[0];
    *site = site
        .replace("\"30ms\"", "\"10ms\"")
        .replace("\"200ms\"", "\"20ms\"");
    let server = setup.start(Driver::Epoll);
    let id = accepted(&server, &url("/a.wav"), b"bytes");
    for _ in 0..300 {
        change(&server, "retry", id);
    }
    let told = server.output();
    assert!(!told.contains("could not be written"), "{told}");
    change(&server, "drop", id).expect(200);
    assert_eq!(spooled(&server), Vec::<String>::new());
}
