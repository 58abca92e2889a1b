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

#[test]
fn user_agent_is_the_configs_and_durations_are_told() {
    let origin = Origin::start();
    origin.says("/a", reply(201).body(""));
    origin.says("/b", reply(403).body(""));
    let mut server = before(&origin.url(), "user_agent = \"recorder/7\"");
    put(&server, &url("/a"), "&wait=true", b"x").expect(200);
    put(&server, &url("/b"), "&wait=true", b"x").expect(502);
    let agents: Vec<_> = origin
        .asked()
        .into_iter()
        .map(|asked| asked.field("user-agent").map(str::to_owned))
        .collect();
    assert_eq!(
        agents,
        [Some("recorder/7".to_owned()), Some("recorder/7".to_owned())]
    );
    let page = String::from_utf8(server.ask_admin(&get("/metrics")).body).expect("UTF-8");
    for result in ["done", "failed"] {
        let line =
            format!("hotplate_upload_attempt_duration_seconds_count{{result=\"{result}\"}} 1\n");
        assert!(page.contains(&line), "{page}");
    }
    let stats = server.ask_admin(&get("/api/stats")).json();
    let times = &stats["uploads"]["upload_attempt_duration_seconds"];
    assert_eq!(times["done"]["count"], 1, "{times}");
    assert!(
        times["done"]["sum"].as_f64().is_some_and(|sum| sum > 0.0),
        "{times}"
    );
    // A reload changes it, and "" sends none.
    let site = &mut server.config.sites[0];
    *site = site.replace("recorder/7", "");
    server.reload();
    crate::harness::eventually(crate::queue::PATIENCE, "none is sent", || {
        put(&server, &url("/a"), "&wait=true", b"x").expect(200);
        let asked = origin.asked().pop().expect("a request");
        asked.field("user-agent").is_none()
    });
}
