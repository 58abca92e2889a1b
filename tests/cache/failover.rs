//! Several origins: which failures have the next one asked, and which say nothing against the first.

use std::time::Duration;

use crate::harness::origin::{Gate, Origin, reply};
use crate::harness::{Driver, Request, Server, get, pause};
use crate::site::{Site, fetch, fetch_get};

/// Makes a scenario two tests, of which each gets the first origin, the second one and the server before them.
macro_rules! before_two_origins {
    ($name:ident, $site:expr, |$first:ident, $second:ident, $server:ident| $body:block) => {
        mod $name {
            use super::*;

            fn run(driver: Driver) {
                if !driver.is_permitted(module_path!()) {
                    return;
                }
                let ($first, $second) = (Origin::start(), Origin::start());
                for (origin, name) in [(&$first, "first"), (&$second, "second")] {
                    origin.otherwise(move |_| reply(200).body(name));
                }
                let $server: Server = $site.after(&$first.url()).start(driver, &$second);
                $body
            }

            #[test]
            fn io_uring() {
                run(Driver::IoUring);
            }

            #[test]
            fn epoll() {
                run(Driver::Epoll);
            }
        }
    };
}

fn post(path: &str) -> Request {
    Request::new("POST", path).body(b"x")
}

before_two_origins!(
    idle_connection_that_is_closed_under_a_request_says_nothing_against_its_origin,
    Site::plain(),
    |first, second, server| {
        first.says("/closes", reply(200).close());
        fetch_get(&server, "/warm")
            .expect(200)
            .expect_body(b"first");
        // It can't be sent again: the origin may have done what it asks for.
        fetch(&server, &post("/closes")).expect(502);
        assert_eq!(first.connections(), 1, "the idle one was not used");
        fetch_get(&server, "/a").expect(200).expect_body(b"first");
        assert_eq!(second.asked().len(), 0);
        // One that was made for the request says more.
        let before = first.connections();
        first.close_connections();
        fetch(&server, &post("/closes")).expect(502);
        assert_eq!(first.connections(), before + 1);
        fetch_get(&server, "/a").expect(200).expect_body(b"second");
    }
);

before_two_origins!(
    slow_url_does_not_take_the_place_of_an_origin_that_answers_others,
    Site::plain().line("first_byte_timeout = \"1s\""),
    |first, second, server| {
        let gate = Gate::new();
        first.says("/slow", reply(200).wait(&gate).body("slow"));
        let mut slow = server.connect();
        slow.send(get("/slow").bytes());
        gate.await_reached(1);
        fetch_get(&server, "/a").expect(200).expect_body(b"first");
        slow.fetched("GET").expect(200).expect_body(b"second");
        fetch_get(&server, "/a").expect(200).expect_body(b"first");
        // Where nothing else is answered meanwhile, it may be down.
        fetch_get(&server, "/slow")
            .expect(200)
            .expect_body(b"second");
        fetch_get(&server, "/a").expect(200).expect_body(b"second");
        gate.open();
        drop(second);
    }
);

before_two_origins!(
    request_that_is_sent_once_goes_over_a_connection_that_was_just_used,
    Site::plain().line("connections = 2"),
    |first, second, server| {
        fetch_get(&server, "/warm").expect(200);
        fetch(&server, &post("/at-once")).expect(200);
        pause(Duration::from_millis(1_100));
        fetch(&server, &post("/later")).expect(200);
        pause(Duration::from_millis(1_100));
        fetch_get(&server, "/any").expect(200);
        let of = |path: &str| first.asked_for(path)[0].connection;
        assert_eq!(of("/at-once"), of("/warm"));
        assert_ne!(of("/later"), of("/warm"));
        assert_eq!(of("/any"), of("/later"));
        // The idle ones make room: no more connections than may be.
        for _ in 0..3 {
            pause(Duration::from_millis(1_100));
            fetch(&server, &post("/later")).expect(200);
            assert!(
                first.open_connections() <= 2,
                "{}",
                first.open_connections()
            );
        }
        assert_eq!(second.asked().len(), 0);
    }
);
