//! Variants by Vary (RFC 9111 s4.1).

use crate::harness::get;
use crate::harness::origin::reply;
use crate::site::{Site, expect_forward, expect_hit, expect_outcome, fetch, fetch_get};

before_an_origin!(
    rfc9111_s4_1_each_variant_answers_its_own_requests_only,
    Site::plain(),
    |origin, server| {
        origin.on("/a", |asked| {
            let language = asked.field("accept-language").unwrap_or("none").to_owned();
            reply(200)
                .max_age(60)
                .field("Vary", "Accept-Language")
                .body(language)
        });
        let asks = |language: &str| get("/a").with("Accept-Language", language);
        expect_forward(&fetch(server, &asks("de")), "uri-miss");
        let second = fetch(server, &asks("fr"));
        second.expect_body(b"fr");
        expect_forward(&second, "vary-miss");
        expect_outcome(&second, &["stored"]);
        expect_forward(&fetch_get(server, "/a"), "vary-miss");
        for language in ["de", "fr"] {
            let hit = fetch(server, &asks(language));
            hit.expect_body(language.as_bytes());
            expect_hit(&hit);
        }
        let hit = fetch_get(server, "/a");
        hit.expect_body(b"none");
        expect_hit(&hit);
        assert_eq!(origin.asked().len(), 3);
    }
);

before_an_origin!(
    rfc9111_s4_1_order_of_accept_encoding_makes_no_variant,
    Site::plain(),
    |origin, server| {
        let said = reply(200)
            .max_age(60)
            .field("Vary", "Accept-Encoding")
            .field("Content-Encoding", "gzip");
        origin.says("/a", said.body("coded"));
        for (number, value) in ["gzip, br", "br, gzip", "br,gzip", "gzip ,\tbr"]
            .into_iter()
            .enumerate()
        {
            let answer = fetch(server, &get("/a").with("Accept-Encoding", value));
            answer.expect(200).expect_body(b"coded");
            if number > 0 {
                expect_hit(&answer);
            }
        }
        let other = fetch(server, &get("/a").with("Accept-Encoding", "identity"));
        expect_forward(&other, "vary-miss");
        assert_eq!(origin.asked().len(), 2);
    }
);

before_an_origin!(
    rfc9111_s4_1_all_fields_of_vary_count,
    Site::plain(),
    |origin, server| {
        let said = reply(200)
            .max_age(60)
            .field("Vary", "X-A")
            .field("Vary", "X-B");
        origin.says("/a", said.body("hello"));
        let asks = |a: &str, b: &str| get("/a").with("X-A", a).with("X-B", b);
        fetch(server, &asks("1", "1")).expect(200);
        expect_forward(&fetch(server, &asks("1", "2")), "vary-miss");
        expect_forward(&fetch(server, &asks("2", "1")), "vary-miss");
        expect_hit(&fetch(server, &asks("1", "1")));
    }
);

before_an_origin!(
    rfc9111_s4_1_the_most_recent_of_several_matching_is_sent,
    Site::plain(),
    |origin, server| {
        origin.queue(
            "/a",
            [
                reply(200).max_age(60).field("Vary", "X-A").body("old"),
                reply(200).max_age(60).body("new"),
            ],
        );
        fetch(server, &get("/a").with("X-A", "1")).expect_body(b"old");
        fetch(server, &get("/a").with("X-A", "2")).expect_body(b"new");
        let answer = fetch(server, &get("/a").with("X-A", "2"));
        answer.expect_body(b"new");
        expect_hit(&answer);
        assert_eq!(origin.asked().len(), 2);
    }
);
