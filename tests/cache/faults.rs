//! What an origin can do wrong, and what its clients get then.

use crate::harness::origin::{Gate, Origin, Reply, content, reply};
use crate::harness::{Broken, Client, Request, Server, get};
use crate::site::{Site, expect_hit, expect_outcome, fetch_get, outcome};

/// Asks for `/a`, whose body breaks off after `half` bytes.
#[track_caller]
fn expect_cut(server: &Server, half: u64) -> Client {
    let mut client = server.connect();
    client.send(get("/a").bytes());
    match client.try_fetched("GET") {
        Err(Broken::Cut(came)) => {
            let size = came.len() as u64;
            assert!(size <= half, "{size} bytes");
            assert!(came == content(1, 0..size), "other bytes");
        }
        // Nothing of the answer had left when the origin broke off.
        Err(Broken::Closed) => {}
        Ok(answer) => {
            answer.expect(502);
        }
        other => panic!("{other:?}"),
    }
    client
}

/// Asserts that a good answer to the next request is fetched and stored.
#[track_caller]
fn expect_recovery(origin: &Origin, server: &Server) {
    origin.says("/a", reply(200).max_age(60).body("good"));
    let answer = fetch_get(server, "/a");
    answer.expect(200).expect_body(b"good");
    expect_outcome(&answer, &["stored"]);
    expect_hit(&fetch_get(server, "/a"));
}

/// Has what is stored for `/a` asked for again.
fn invalidate(server: &Server) {
    let change = Request::new("POST", "/a").body(b"x");
    server.connect().fetch(&change).expect(200);
}

before_an_origin!(
    an_origin_that_is_down_is_a_502_and_asked_again_when_it_is_up,
    Site::plain(),
    |origin, server| {
        origin.says("/a", reply(200).max_age(60).body("good"));
        origin.go_down();
        let mut client = server.connect();
        for _ in 0..2 {
            let answer = client.fetch(&get("/a"));
            answer.expect(502);
            assert!(answer.field("cache-status").is_some(), "{answer}");
        }
        origin.come_up();
        client.fetch(&get("/a")).expect(200).expect_body(b"good");
    }
);

before_an_origin!(
    a_reset_before_the_head_is_a_502,
    Site::plain(),
    |origin, server| {
        origin.says("/a", reply(200).reset());
        fetch_get(server, "/a").expect(502);
        expect_recovery(origin, server);
        origin.says("/b", Reply::raw("HTTP/1.1 200 OK\r\nContent-Le").reset());
        fetch_get(server, "/b").expect(502);
    }
);

before_an_origin!(
    rfc9111_s3_3_truncated_bodies_abort_the_client_and_are_not_stored,
    Site::plain(),
    |origin, server| {
        for half in [0, 10, 100_000, 3_000_000] {
            for ends in [Reply::close, Reply::reset] {
                let said = reply(200).max_age(60).length(half * 2 + 1);
                origin.says("/a", ends(said.made(1, 0..half)));
                expect_cut(server, half);
                expect_recovery(origin, server);
                invalidate(server);
            }
        }
    }
);

before_an_origin!(
    truncated_bodies_that_are_not_stored_abort_the_client_too,
    Site::plain(),
    |origin, server| {
        for half in [10, 100_000, 3_000_000] {
            let said = reply(200).field("Cache-Control", "no-store");
            origin.says("/a", said.length(half * 2).made(1, 0..half).close());
            expect_cut(server, half);
            let said = reply(200).field("Cache-Control", "no-store").chunked();
            origin.says("/a", said.chunk(content(1, 0..half)).close());
            expect_cut(server, half);
        }
    }
);

before_an_origin!(
    a_body_that_breaks_off_while_several_read_it_aborts_all_of_them,
    Site::plain(),
    |origin, server| {
        let gate = Gate::new();
        let said = reply(200).max_age(60).length(500_000);
        origin.says("/a", said.made(1, 0..100_000).wait(&gate).reset());
        let mut clients = [server.connect(), server.connect(), server.connect()];
        for client in &mut clients {
            client.send(get("/a").bytes());
            client.head().expect("a head").expect(200);
            assert_eq!(client.exactly(100_000), content(1, 0..100_000));
        }
        gate.open();
        for client in &mut clients {
            client.expect_closed();
        }
        assert_eq!(origin.asked().len(), 1);
        expect_recovery(origin, server);
    }
);

before_an_origin!(
    chunked_bodies_that_break_off_abort_the_client_and_are_not_stored,
    Site::plain(),
    |origin, server| {
        for half in [10, 100_000, 3_000_000] {
            let said = reply(200).max_age(60).chunked();
            let broken: [Reply; 3] = [
                said.clone().chunk(content(1, 0..half)).close(),
                said.clone()
                    .chunk(content(1, 0..half))
                    .bytes("zz\r\n")
                    .close(),
                said.chunk(content(1, 0..half))
                    .bytes("ffffffffffffffffff\r\n"),
            ];
            for said in broken {
                origin.says("/a", said);
                expect_cut(server, half);
                expect_recovery(origin, server);
                invalidate(server);
            }
        }
    }
);

before_an_origin!(
    http_1_0_client_can_tell_a_broken_body_by_a_reset,
    Site::plain(),
    |origin, server| {
        let said = reply(200).max_age(60).chunked();
        origin.says("/a", said.chunk(content(1, 0..100_000)).close());
        let mut client = server.connect();
        client.send(get("/a").http10().bytes());
        let broken = client.try_fetched("GET");
        assert!(broken.is_err(), "{broken:?}");
        assert!(client.was_reset(), "an orderly end");
    }
);

before_an_origin!(
    bytes_beyond_the_stated_length_are_not_sent_on,
    Site::plain(),
    |origin, server| {
        let said = reply(200).max_age(60).length(5);
        origin.says("/a", said.bytes("helloHTTP/1.1 200 OK\r\n\r\n"));
        for _ in 0..2 {
            fetch_get(server, "/a").expect(200).expect_body(b"hello");
        }
        origin.says("/b", reply(200).body("fine"));
        fetch_get(server, "/b").expect(200).expect_body(b"fine");
    }
);

before_an_origin!(
    heads_that_make_no_sense_are_a_502,
    Site::plain(),
    |origin, server| {
        for head in [
            "nonsense\r\n\r\n",
            "HTTP/1.1 99 Low\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            "HTTP/1.1 200 OK\r\nbad name: x\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 0\r\n\r\n",
            "HTTP/2 200\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        ] {
            origin.says("/a", Reply::raw(head).close());
            let answer = fetch_get(server, "/a");
            assert_eq!(answer.status, 502, "{head:?}: {answer}");
        }
        expect_recovery(origin, server);
    }
);

before_an_origin!(
    a_head_without_end_is_a_502,
    Site::plain(),
    |origin, server| {
        let mut endless = "HTTP/1.1 200 OK\r\n".to_owned();
        for number in 0..20_000 {
            endless.push_str(&format!("X-{number}: {number}\r\n"));
        }
        origin.says("/a", Reply::raw(endless).await_close());
        fetch_get(server, "/a").expect(502);
        expect_recovery(origin, server);
    }
);

before_an_origin!(
    an_origin_that_does_not_answer_in_time_is_a_504,
    Site::plain().line("first_byte_timeout = \"1s\""),
    |origin, server| {
        let gate = Gate::new();
        origin.says("/a", reply(200).wait(&gate).body("late"));
        let answer = fetch_get(server, "/a");
        answer.expect(504);
        gate.open();
        expect_recovery(origin, server);
    }
);

before_an_origin!(
    fill_timeout_bounds_the_wait_for_an_answer,
    Site::plain().fill("fill_timeout = \"1s\""),
    |origin, server| {
        let gate = Gate::new();
        origin.says("/a", reply(200).wait(&gate).body("late"));
        fetch_get(server, "/a").expect(504);
        gate.open();
    }
);

before_an_origin!(
    an_origin_that_stops_within_a_body_is_left_and_its_clients_too,
    Site::plain().line("between_bytes_timeout = \"1s\""),
    |origin, server| {
        let gate = Gate::new();
        let said = reply(200).max_age(60).length(200_000);
        origin.says("/a", said.made(1, 0..100_000).wait(&gate));
        expect_cut(server, 100_000);
        gate.open();
        expect_recovery(origin, server);
    }
);

before_an_origin!(
    errors_of_the_origin_are_passed_on_and_not_stored,
    Site::plain(),
    |origin, server| {
        for status in [500, 502, 503, 504] {
            origin.says("/a", reply(status).field("Retry-After", "7").body("sorry"));
            for _ in 0..2 {
                let answer = fetch_get(server, "/a");
                answer.expect(status).expect_body(b"sorry");
                assert_eq!(answer.needs("retry-after"), "7");
                assert!(!outcome(&answer).contains(&"stored".to_owned()), "{answer}");
            }
        }
        assert_eq!(origin.asked().len(), 8);
    }
);

before_an_origin!(
    rfc9112_s9_3_1_a_safe_request_on_a_connection_that_was_just_closed_is_sent_again,
    Site::plain(),
    |origin, server| {
        origin.otherwise(|asked| reply(200).max_age(60).body(asked.target.clone()));
        for number in 0..10 {
            let path = format!("/{number}");
            let answer = fetch_get(server, &path);
            answer.expect(200).expect_body(path.as_bytes());
            origin.close_connections();
        }
        // And where the origin closes only when it has seen the request.
        origin.queue(
            "/late",
            [reply(200).close(), reply(200).max_age(60).body("again")],
        );
        fetch_get(server, "/again").expect(200);
        let answer = fetch_get(server, "/late");
        answer.expect(200).expect_body(b"again");
        assert_eq!(origin.asked_for("/late").len(), 2);
    }
);

before_an_origin!(
    connections_to_the_origin_are_used_again,
    Site::plain(),
    |origin, server| {
        origin.otherwise(|asked| reply(200).body(asked.target.clone()));
        let mut client = server.connect();
        for number in 0..20 {
            let path = format!("/{number}");
            client.fetch(&get(&path)).expect_body(path.as_bytes());
        }
        assert!(
            origin.connections() <= 2,
            "{} connections",
            origin.connections()
        );
    }
);

before_an_origin!(
    negative_ttl_has_errors_stored_for_a_while,
    Site::ruled("negative_ttl = { \"404\" = \"1m\", \"500-599\" = \"1m\" }"),
    |origin, server| {
        for status in [404, 500, 503] {
            let path = format!("/{status}");
            origin.says(&path, reply(status).body("sorry"));
            fetch_get(server, &path).expect(status);
            let hit = fetch_get(server, &path);
            hit.expect(status).expect_body(b"sorry");
            expect_hit(&hit);
            assert_eq!(origin.asked_for(&path).len(), 1);
        }
        origin.says("/403", reply(403).body("no"));
        for _ in 0..2 {
            fetch_get(server, "/403").expect(403);
        }
        assert_eq!(origin.asked_for("/403").len(), 2);
    }
);

before_an_origin!(
    rfc9110_s7_6_3_a_request_that_comes_back_to_us_is_refused,
    Site::plain(),
    |origin, server| {
        origin.otherwise(|asked| {
            let via = asked.field("via").expect("ours").to_owned();
            reply(200).body(via)
        });
        let via = fetch_get(server, "/a").body;
        let via = String::from_utf8(via).expect("text");
        let request = get("/b").with("Via", &via);
        server.connect().fetch(&request).expect(508);
        assert_eq!(origin.asked().len(), 1);
    }
);

before_an_origin!(
    a_request_that_no_origin_can_be_sent_is_the_clients_fault,
    Site::plain().with(|setup| setup.limit("head = \"32KiB\"")),
    |origin, server| {
        origin.otherwise(|_| reply(200).body("fine"));
        // Encoded, as origins want it, it is longer than any URI.
        let target = format!("/a?{}", "\"".repeat(22_000));
        let answer = fetch_get(server, &target);
        answer.expect(400);
        expect_outcome(&answer, &["detail=request-broken"]);
        assert_eq!(origin.asked().len(), 0);
        fetch_get(server, "/a").expect(200);
    }
);

before_an_origin!(
    stale_answers_do_not_stand_in_for_refused_credentials,
    Site::plain().line("profile = \"bucket\"").with(|mut setup| {
        let profile = "name = \"bucket\"\nkind = \"s3\"\naccess_key_id = \"AKID\"\nsecret_access_key = \"key\"";
        setup.config.profiles.push(profile.to_owned());
        setup
    }),
    |origin, server| {
        let old = reply(200)
            .field("Cache-Control", "max-age=10, stale-if-error=1000")
            .field("Age", "100")
            .field("ETag", "\"1\"");
        let refusal = "<Error><Code>SignatureDoesNotMatch</Code></Error>";
        origin.queue("/b/a", [old.body("old"), reply(403).body(refusal)]);
        fetch_get(server, "/b/a").expect(200).expect_body(b"old");
        let answer = fetch_get(server, "/b/a");
        answer.expect(502);
        expect_outcome(&answer, &["detail=origin-credentials"]);
        // What passes by itself, it stands in for.
        origin.says("/b/a", reply(503).body("busy"));
        fetch_get(server, "/b/a").expect(200).expect_body(b"old");
    }
);
