//! What every answer has, whatever was asked: a member of Cache-Status with what decided (RFC 9211), and the bytes as they came.

use crate::harness::origin::{Reply, reply};
use crate::harness::{Client, Request, get, head};
use crate::site::{Site, ahead, expect_outcome, fetch, fetch_get};

fn with_pins_and_root() -> Site {
    Site::plain()
        .root_file("file.txt", b"from the root")
        .rule("/off", "cache = false")
        .with(|setup| {
            let setup = setup.file("pins/a.txt", b"pinned").pin("pins", "/p/");
            setup.limit("head_timeout = \"1s\"")
        })
}

/// Sends `bytes` as they are on a connection of its own.
fn raw(mut client: Client, bytes: &str) -> crate::harness::Answer {
    client.send(bytes);
    client.answer("GET")
}

before_an_origin!(
    rfc9211_s2_every_answer_has_a_member_that_names_what_decided,
    with_pins_and_root(),
    |origin, server| {
        origin.says(
            "/a",
            reply(200).max_age(60).field("ETag", "\"1\"").body("hello"),
        );
        origin.says("/off", reply(200).body("hello"));
        origin.says("/broken", Reply::raw("nonsense\r\n\r\n"));
        fetch_get(server, "/a").expect(200);
        let far_future = ahead(1_000);
        let cases = [
            (get("/a"), 200, "detail=max-age"),
            (head("/a"), 200, "detail=max-age"),
            (
                get("/a").with("If-None-Match", "\"1\""),
                304,
                "detail=max-age",
            ),
            (get("/a").with("Range", "bytes=0-1"), 206, "detail=max-age"),
            (get("/a").with("Range", "bytes=9-"), 416, "hit"),
            (
                get("/b").with("Cache-Control", "only-if-cached"),
                504,
                "detail=only-if-cached",
            ),
            (get("/off"), 200, "detail=cache-off"),
            (Request::new("POST", "/off").body(b"x"), 200, "fwd=bypass"),
            (Request::new("DELETE", "/a"), 200, "detail=method"),
            (get("/broken"), 502, "detail=origin-broken"),
            (get("/p/a.txt"), 200, "detail=pin-file"),
            (
                get("/p/a.txt").with("If-Modified-Since", &far_future),
                304,
                "detail=pin-file",
            ),
            (
                get("/p/a.txt").with("If-Match", "\"x\""),
                412,
                "detail=pin-file",
            ),
            (
                Request::new("DELETE", "/p/a.txt"),
                405,
                "detail=method-not-allowed",
            ),
            (get("/file.txt"), 200, "detail=root"),
            (
                Request::new("TRACE", "/b"),
                405,
                "detail=method-not-allowed",
            ),
        ];
        for (request, status, wanted) in cases {
            let answer = fetch(server, &request);
            answer.expect(status);
            expect_outcome(&answer, &[wanted]);
        }
        for (bytes, status) in [
            ("GET / HTTP/1.1\r\n\r\n", 400),
            ("GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
                400,
            ),
            // The rest never comes.
            ("GET / HTTP/1.1\r\nHost: a\r\n", 408),
        ] {
            let answer = raw(server.connect(), bytes);
            answer.expect(status);
            expect_outcome(&answer, &["detail=refused"]);
        }
        origin.go_down();
        let answer = fetch_get(server, "/c");
        answer.expect(502);
        expect_outcome(&answer, &["fwd=miss", "detail=origin-unreachable"]);
    }
);

before_an_origin!(
    rfc9111_s5_2_2_6_what_must_not_be_transformed_comes_as_it_is,
    Site::plain(),
    |origin, server| {
        let body = "compressible ".repeat(1_000);
        let said = reply(200).field("Cache-Control", "max-age=60, no-transform");
        let said = said
            .field("Content-Type", "text/plain")
            .field("X-Odd", "a  b");
        origin.says("/a", said.body(body.clone()));
        for _ in 0..2 {
            let asking = get("/a")
                .with("Accept-Encoding", "gzip, br")
                .with("Cache-Control", "no-transform");
            let answer = fetch(server, &asking);
            answer.expect(200).expect_body(body.as_bytes());
            for (name, value) in [
                ("content-encoding", None),
                ("content-type", Some("text/plain")),
                ("cache-control", Some("max-age=60, no-transform")),
                ("x-odd", Some("a  b")),
            ] {
                assert_eq!(answer.field(name), value, "{answer}");
            }
        }
        assert_eq!(origin.asked().len(), 1);
    }
);
