//! What answers about uploads say: a status, why, in words for programs, and whose fault it is.

use crate::harness::origin::{Gate, Origin, reply};
use crate::harness::{Driver, Request, Setup, get};
use crate::queue::{assert_why, before, change, put, url};

#[test]
fn nonsense_is_told_as_the_callers_fault() {
    let origin = Origin::start();
    let server = before(&origin.url(), "");
    for more in [
        "&wait=perhaps",
        "&cache=maybe",
        "&odd=1",
        "&file=%2Fetc%2Fhostname",
    ] {
        let refused = put(&server, &url("/a"), more, b"x");
        assert_why(&refused, 400, ("invalid_option", "caller"));
    }
    let gone = ("no_upload", "caller");
    assert_why(&change(&server, "drop", 1), 404, gone);
    assert_why(&change(&server, "retry", 99), 404, gone);
    let ask = |request: &Request| server.ask_admin(request);
    assert_why(&ask(&get("/api/cache/uploads?id=99")), 404, gone);
    let nonsense = ("invalid_option", "caller");
    assert_why(&ask(&get("/api/cache/uploads?id=x")), 400, nonsense);
    for path in ["uploads/retry", "uploads/drop", "record", "record/close"] {
        let request = Request::new("POST", &format!("/api/cache/{path}?odd=1"));
        assert_why(&ask(&request.body(b"")), 400, nonsense);
    }
    assert!(origin.asked().is_empty());
}

#[test]
fn who_waits_for_an_upload_that_is_dropped_is_told_so() {
    let origin = Origin::start();
    let gate = Gate::new();
    let held = gate.clone();
    origin.on("/slow", move |_| reply(201).wait(&held).body(""));
    let server = before(&origin.url(), "");
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| put(&server, &url("/slow"), "&wait=true", b"x"));
        gate.await_reached(1);
        change(&server, "drop", 1).expect(200);
        assert_why(
            &waits.join().expect("an answer"),
            410,
            ("dropped", "caller"),
        );
    });
    gate.open();
}

#[test]
fn server_without_a_spool_says_that_uploads_are_off() {
    let server = Setup::new().start(Driver::Epoll);
    let off = ("no_disk", "hotplate");
    assert_why(&put(&server, &url("/a"), "", b"x"), 503, off);
    assert_why(&change(&server, "drop", 1), 503, off);
    assert_why(&server.ask_admin(&get("/api/cache/uploads")), 503, off);
}
