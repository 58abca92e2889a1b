//! Trailer fields behind bodies in chunks (RFC 9110 s6.5): those of responses go on to clients that take them, while the body
//! comes; nothing of them is stored, and those of requests end here.

use crate::harness::origin::{Gate, Reply, content, reply};
use crate::harness::{Request, get};
use crate::site::{Site, expect_hit, fetch_get};

/// A request of a client that takes trailers.
fn taking(target: &str) -> Request {
    get(target).with("TE", "trailers").with("Connection", "TE")
}

/// A response in chunks that announces trailers.
fn chunked(lifetime: &str) -> Reply {
    reply(200)
        .field("Cache-Control", lifetime)
        .field("Transfer-Encoding", "chunked")
        .field("Trailer", "X-Sum, Content-Type")
}

before_an_origin!(
    rfc9110_s6_5_trailers_go_on_to_a_client_that_takes_them,
    Site::plain(),
    |origin, server| {
        for (path, lifetime) in [("/stored", "max-age=60"), ("/passed", "no-store")] {
            for size in [0, 5, 300_000] {
                let target = format!("{path}?{size}");
                let body = content(1, 0..size);
                let mut said = chunked(lifetime);
                for piece in body.chunks(100_000) {
                    said = said.chunk(piece);
                }
                origin.says(&target, said.last_chunk(&[("X-Sum", "6")]));
                let mut client = server.connect();
                let answer = client.fetch(&taking(&target));
                answer.expect(200).expect_body(&body);
                assert_eq!(answer.needs("trailer"), "X-Sum", "{answer}");
                assert_eq!(client.trailers(), ["x-sum: 6"], "{target}");
                // The connection goes on behind them.
                client.fetch(&taking(&target)).expect_body(&body);
            }
        }
        for asked in origin.asked() {
            assert_eq!(asked.field("te"), Some("trailers"));
            assert_eq!(asked.field("connection"), Some("TE"));
        }
    }
);

before_an_origin!(
    rfc9110_s10_1_4_a_client_that_does_not_say_so_gets_no_trailers,
    Site::plain(),
    |origin, server| {
        origin.says(
            "/a",
            chunked("no-store")
                .chunk("hello")
                .last_chunk(&[("X-Sum", "6")]),
        );
        // TE is for one connection: not named by Connection, it may come from further away.
        for request in [
            get("/a"),
            get("/a").with("TE", "trailers"),
            get("/a").with("TE", "gzip").with("Connection", "TE"),
        ] {
            let mut client = server.connect();
            let answer = client.fetch(&request);
            answer.expect(200).expect_body(b"hello");
            assert_eq!(answer.needs("transfer-encoding"), "chunked");
            assert_eq!(answer.field("trailer"), None, "{answer}");
            assert!(client.trailers().is_empty(), "{:?}", client.trailers());
        }
        let old = taking("/a").http10().with("Host", "media.test");
        let answer = server.connect().fetch(&old);
        answer.expect(200).expect_body(b"hello");
        assert_eq!(answer.field("trailer"), None, "{answer}");
        assert!(
            origin
                .asked()
                .iter()
                .all(|asked| asked.field("te").is_none())
        );
    }
);

before_an_origin!(
    rfc9111_s3_1_trailers_are_not_stored,
    Site::plain(),
    |origin, server| {
        origin.says(
            "/a",
            chunked("max-age=60")
                .chunk("hello")
                .last_chunk(&[("X-Sum", "6")]),
        );
        let mut client = server.connect();
        client.fetch(&taking("/a")).expect_body(b"hello");
        assert_eq!(client.trailers(), ["x-sum: 6"]);
        let hit = client.fetch(&taking("/a"));
        hit.expect(200).expect_body(b"hello");
        expect_hit(&hit);
        assert_eq!(hit.needs("content-length"), "5");
        for name in ["trailer", "x-sum"] {
            assert_eq!(hit.field(name), None, "{hit}");
        }
    }
);

before_an_origin!(
    trailers_reach_those_who_read_while_the_body_comes_and_take_them,
    Site::plain(),
    |origin, server| {
        let gate = Gate::new();
        let said = chunked("max-age=60").chunk("hel").wait(&gate).chunk("lo");
        origin.says("/a", said.last_chunk(&[("X-Sum", "6")]));
        let mut clients = [server.connect(), server.connect(), server.connect()];
        let requests = [get("/a"), taking("/a"), get("/a")];
        for (client, request) in clients.iter_mut().zip(&requests) {
            client.send(request.bytes());
            client.head().expect("a head").expect(200);
        }
        gate.open();
        for (client, takes) in clients.iter_mut().zip([false, true, false]) {
            let mut body = Vec::new();
            client.chunks(&mut body).expect("a whole body");
            assert_eq!(body, b"hello");
            assert_eq!(client.trailers().len(), usize::from(takes));
        }
        assert_eq!(origin.asked().len(), 1);
    }
);

before_an_origin!(
    rfc9110_s6_5_1_trailers_that_may_not_be_there_do_not_go_on,
    Site::plain(),
    |origin, server| {
        let said = chunked("no-store")
            .field("Connection", "X-Hop")
            .chunk("hello");
        let trailers = [
            ("X-Hop", "1"),
            ("Content-Length", "7"),
            ("Transfer-Encoding", "chunked"),
            ("Set-Cookie", "a=b"),
            ("Cache-Control", "max-age=60"),
            ("Host", "evil"),
            ("X-Sum", "6"),
            ("Connection", "close"),
        ];
        origin.says("/a", said.last_chunk(&trailers));
        let mut client = server.connect();
        client
            .fetch(&taking("/a"))
            .expect(200)
            .expect_body(b"hello");
        assert_eq!(client.trailers(), ["x-sum: 6"]);
    }
);

before_an_origin!(
    trailers_that_are_too_large_are_left_out_and_the_body_is_whole,
    Site::plain(),
    |origin, server| {
        let large = "x".repeat(9 << 10);
        origin.says(
            "/a",
            chunked("no-store")
                .chunk("hello")
                .last_chunk(&[("X-Sum", &large)]),
        );
        let mut client = server.connect();
        client
            .fetch(&taking("/a"))
            .expect(200)
            .expect_body(b"hello");
        assert!(client.trailers().is_empty());
        let metrics = server.ask_admin(&get("/metrics"));
        let text = String::from_utf8(metrics.body).expect("text");
        assert!(
            text.contains("hotplate_trailers_dropped_total 1\n"),
            "{text}"
        );
    }
);

before_an_origin!(
    rfc9112_s7_1_2_trailers_of_requests_end_here,
    Site::plain(),
    |origin, server| {
        origin.otherwise(|asked| reply(200).body(asked.body.clone()));
        let mut client = server.connect();
        let head = Request::new("POST", "/a")
            .with("Transfer-Encoding", "chunked")
            .with("Trailer", "X-Sum");
        client.send(head.bytes());
        client.send("5\r\nhello\r\n0\r\nX-Sum: 6\r\nContent-Length: 9\r\n\r\n");
        client.fetched("POST").expect(200).expect_body(b"hello");
        client.fetch(&get("/b")).expect(200);
        let asked = origin.asked();
        assert!(
            asked[0].is_whole && asked[0].trailers.is_empty(),
            "{asked:#?}"
        );
        assert_eq!(asked[0].field("trailer"), None);
        assert_eq!(asked[0].field("x-sum"), None);
        // More of them than is read.
        origin.on_head("/c", |_| reply(200).read_rest().body("taken"));
        let mut client = server.connect();
        let head = Request::new("POST", "/c").with("Transfer-Encoding", "chunked");
        client.send(head.bytes());
        let large = "x".repeat(9 << 10);
        client.send(format!("5\r\nhello\r\n0\r\nX-Sum: {large}\r\n\r\n"));
        client.fetched("POST").expect(431);
        assert!(origin.asked_for("/c").iter().all(|asked| !asked.is_whole));
        fetch_get(server, "/d").expect(200);
    }
);
