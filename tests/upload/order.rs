//! Uploads to one URL arrive in the order in which they were accepted, so that what is there in the end is what was put last.

use crate::harness::origin::{Gate, Origin, reply};
use crate::harness::pause;
use crate::queue::{accepted, arrived, await_state, before, change, said, status, url};

#[test]
fn later_file_waits_for_an_earlier_one_that_fails() {
    let origin = Origin::start();
    let busy = || reply(503).field("Retry-After", "1").body("");
    origin.queue("/a", [busy(), busy(), said(201)]);
    origin.otherwise(|_| said(201));
    let server = before(&origin.url(), "");
    let first = accepted(&server, &url("/a"), b"first");
    origin.await_asked(1);
    // In whatever form the URL is written.
    let again = "http://MEDIA.example:80/a#x";
    let second = accepted(&server, again, b"second");
    let other = accepted(&server, &url("/b"), b"other");
    await_state(&server, other, "done");
    let told = status(&server, second);
    assert_eq!(told["state"], "waiting");
    assert_eq!(told["behind"].as_u64(), Some(first));
    // Not by word either.
    change(&server, "retry", second).expect(200);
    await_state(&server, second, "done");
    await_state(&server, first, "done");
    let bodies = arrived(&origin, "/a");
    assert_eq!(bodies, [&b"first"[..], b"first", b"first", b"second"]);
}

#[test]
fn files_to_one_url_are_never_under_way_side_by_side() {
    let origin = Origin::start();
    let gate = Gate::new();
    let held = gate.clone();
    origin.on("/a", move |_| reply(201).wait(&held).body(""));
    origin.otherwise(|_| said(201));
    let server = before(&origin.url(), "concurrency = 8");
    let bodies: Vec<Vec<u8>> = (0..6_u8).map(|number| vec![number]).collect();
    let ids: Vec<u64> = bodies
        .iter()
        .map(|body| accepted(&server, &url("/a"), body))
        .collect();
    gate.await_reached(1);
    let other = accepted(&server, &url("/b"), b"other");
    await_state(&server, other, "done");
    // One that is dropped holds nobody up.
    change(&server, "drop", ids[2]).expect(200);
    pause(std::time::Duration::from_millis(100));
    assert_eq!(origin.asked_for("/a").len(), 1);
    gate.open();
    for id in [0, 1, 3, 4, 5] {
        await_state(&server, ids[id], "done");
    }
    let expected = [0, 1, 3, 4, 5].map(|number| bodies[number].clone());
    assert_eq!(arrived(&origin, "/a"), expected);
}

#[test]
fn file_that_was_given_up_or_dropped_holds_nobody_up() {
    let origin = Origin::start();
    origin.queue("/a", [said(403), said(201)]);
    origin.queue(
        "/b",
        [reply(503).field("Retry-After", "600").body(""), said(201)],
    );
    origin.otherwise(|_| said(201));
    let server = before(&origin.url(), "");
    let refused = accepted(&server, &url("/a"), b"refused");
    await_state(&server, refused, "given-up");
    let next = accepted(&server, &url("/a"), b"next");
    await_state(&server, next, "done");
    let late = accepted(&server, &url("/b"), b"late");
    origin.await_asked(3);
    let next = accepted(&server, &url("/b"), b"next");
    assert_eq!(status(&server, next)["state"], "waiting");
    change(&server, "drop", late).expect(200);
    await_state(&server, next, "done");
    assert_eq!(arrived(&origin, "/b"), [&b"late"[..], b"next"]);
}

#[test]
fn order_survives_a_restart() {
    let mut origin = Origin::start();
    origin.otherwise(|_| said(201));
    let mut server = before(&origin.url(), "");
    origin.go_down();
    let ids: Vec<u64> = (0..5_u8)
        .map(|number| accepted(&server, &url("/a"), &[number]))
        .collect();
    server.terminate();
    server.wait_for_exit(crate::queue::PATIENCE);
    origin.come_up();
    server.start_again();
    for id in ids {
        await_state(&server, id, "done");
    }
    let expected: Vec<Vec<u8>> = (0..5_u8).map(|number| vec![number]).collect();
    assert_eq!(arrived(&origin, "/a"), expected);
}
