//! A 304 that names another variant than the one that was to be validated, or none (RFC 9111 s4.3.4).

use crate::harness::origin::{Asked, Reply, reply};
use crate::harness::{Request, Server, Setup, get, head, pattern};
use crate::site::{Site, expect_forward, expect_hit, expect_outcome, fetch};

fn with_disk(setup: Setup) -> Setup {
    setup.disk(&["size = \"256MiB\"", "max_object = \"1MiB\""])
}

/// Has the server forget what is stored.
fn forget(server: &Server) {
    let purge = Request::new("POST", "/api/purge").body(br#"{"all": true}"#);
    server.ask_admin(&purge).expect(200);
}

/// Asks with a value of the field that the responses vary by.
fn asks(who: &str) -> Request {
    get("/a").with("Origin", who)
}

/// What an origin says that has the same bytes under one entity-tag for everybody.
fn same_for_all(asked: &Asked, cache_control: &str, size: usize) -> Reply {
    let status = match asked.field("if-none-match") {
        Some("\"1\"") => 304,
        _ => 200,
    };
    let said = reply(status)
        .field("Cache-Control", cache_control)
        .field("ETag", "\"1\"")
        .field("Vary", "Origin");
    if status == 304 {
        return said.end();
    }
    let who = asked.field("origin").unwrap_or("nobody").to_owned();
    said.field("X-First", &who).body(pattern(size, 1))
}

before_an_origin!(
    rfc9111_s4_3_4_a_304_that_names_another_variant_answers_with_it_and_is_remembered,
    Site::plain(),
    |origin, server| {
        for size in [5, 2_000_000] {
            origin.on("/a", move |asked| same_for_all(asked, "max-age=60", size));
            fetch(server, &asks("one")).expect(200);
            for who in ["two", "three"] {
                let answer = fetch(server, &asks(who));
                answer.expect(200).expect_body(&pattern(size, 1));
                expect_forward(&answer, "vary-miss");
                expect_outcome(&answer, &["fwd-status=304", "stored"]);
                assert_eq!(
                    origin.asked().last().unwrap().field("if-none-match"),
                    Some("\"1\"")
                );
            }
            // Each is answered without the origin from now on, and the first one still is.
            for who in ["one", "two", "three"] {
                let hit = fetch(server, &asks(who));
                hit.expect(200).expect_body(&pattern(size, 1));
                expect_hit(&hit);
                let part = fetch(server, &asks(who).with("Range", "bytes=1-3"));
                part.expect(206).expect_body(&pattern(size, 1)[1..4]);
            }
            assert_eq!(origin.asked().len(), 3);
            // All of them are of its URL.
            fetch(server, &Request::new("DELETE", "/a"));
            origin.forget();
            origin.says(
                "/a",
                reply(200).field("Cache-Control", "no-store").body("x"),
            );
            for who in ["one", "two", "three"] {
                fetch(server, &asks(who)).expect_body(b"x");
            }
            forget(server);
            origin.forget();
        }
    }
);

before_an_origin!(
    a_body_of_two_selections_is_on_disk_once_and_with_its_own_fields,
    Site::plain().with(with_disk),
    |origin, server| {
        for size in [5, 300_000] {
            origin.on("/a", move |asked| {
                let mut said = same_for_all(asked, "no-cache", size);
                if asked.field("origin") == Some("two") {
                    said = said.field("X-Last", "two");
                }
                said
            });
            fetch(server, &asks("one")).expect(200);
            for _ in 0..3 {
                let answer = fetch(server, &asks("two"));
                answer.expect(200).expect_body(&pattern(size, 1));
                assert_eq!(answer.field("x-last"), Some("two"));
                let answer = fetch(server, &asks("one"));
                answer.expect(200).expect_body(&pattern(size, 1));
                // What the origin said to another is not for it.
                assert_eq!(answer.field("x-last"), None);
            }
            // One of them gets other bytes, which are too large for the disk: those of the other stay there.
            let other = reply(200).field("Cache-Control", "no-cache");
            let other = other.field("ETag", "\"2\"").field("Vary", "Origin");
            origin.says("/a", other.body(pattern(2_000_000, 2)));
            let answer = fetch(server, &asks("two"));
            answer.expect(200).expect_body(&pattern(2_000_000, 2));
            server.restart();
            origin.forget();
            origin.says("/a", reply(304).field("ETag", "\"1\"").end());
            let answer = fetch(server, &asks("one"));
            answer.expect(200).expect_body(&pattern(size, 1));
            assert_eq!(answer.field("x-first"), Some("one"));
            let asked = origin.asked()[0].field("if-none-match").map(str::to_owned);
            assert_eq!(asked.as_deref(), Some("\"1\""));
            forget(server);
            origin.forget();
        }
    }
);

before_an_origin!(
    rfc9111_s4_3_4_where_a_304_names_nothing_the_origin_is_asked_without_conditions,
    Site::plain(),
    |origin, server| {
        for (tag, size) in [("", 5), ("\"foreign\"", 5), ("W/\"one\"", 5), ("", 300_000)] {
            let whole = move |asked: &Asked| {
                let who = asked.field("origin").unwrap_or("nobody").to_owned();
                let said = reply(200).field("Cache-Control", "no-cache");
                let said = said.field("Vary", "Origin").field("X-For", &who);
                let body = pattern(size, who.len() as u64);
                said.field("ETag", &format!("\"{who}\"")).body(body)
            };
            origin.on("/a", whole);
            for who in ["one", "three"] {
                fetch(server, &asks(who)).expect(200);
            }
            origin.on("/a", move |asked| {
                let said = reply(304).max_age(60).field("Vary", "Origin");
                match (asked.field("if-none-match"), tag) {
                    (None, _) => whole(asked),
                    (Some(_), "") => said.end(),
                    (Some(_), tag) => said.field("ETag", tag).end(),
                }
            });
            origin.forget();
            // Two are stored: one that is neither, then one of them.
            for who in ["seven", "three"] {
                let answer = fetch(server, &asks(who));
                answer.expect(200);
                answer.expect_body(&pattern(size, who.len() as u64));
                assert_eq!(answer.field("x-for"), Some(who));
                let asked = origin.asked_for("/a");
                let tags: Vec<_> = asked.iter().map(|one| one.field("if-none-match")).collect();
                assert!(tags[tags.len() - 2].is_some(), "{tags:?}");
                assert_eq!(tags[tags.len() - 1], None, "{tags:?}");
            }
            forget(server);
        }
    }
);

before_an_origin!(
    rfc9111_s4_3_4_a_head_whose_304_names_nothing_is_sent_again,
    Site::plain(),
    |origin, server| {
        origin.on("/a", |asked| {
            if asked.field("if-none-match").is_some() {
                return reply(304).field("ETag", "\"foreign\"").end();
            }
            let said = reply(200).field("Cache-Control", "no-cache");
            let said = said.field("ETag", "\"1\"");
            match asked.method.as_str() {
                "HEAD" => said.length(5).end(),
                _ => said.body("hello"),
            }
        });
        fetch(server, &get("/a")).expect(200);
        let answer = fetch(server, &head("/a"));
        answer.expect(200);
        assert_eq!(answer.field("etag"), Some("\"1\""));
        assert_eq!(origin.asked().len(), 3);
    }
);

before_an_origin!(
    neither_a_weak_tag_nor_coded_bytes_answer_for_another_variant,
    Site::plain(),
    |origin, server| {
        // Compressed and plain bytes have the same tag at many origins, a weak one or even a strong one.
        for tag in ["W/\"1\"", "\"1\""] {
            origin.on("/a", move |asked| {
                let said = |status| {
                    let said = reply(status).max_age(60).field("ETag", tag);
                    said.field("Vary", "Accept-Encoding")
                };
                if asked.field("if-none-match").is_some() {
                    return said(304).end();
                }
                match asked.field("accept-encoding") {
                    Some("gzip") => said(200).field("Content-Encoding", "gzip").body("coded"),
                    _ => said(200).body("plain"),
                }
            });
            fetch(server, &get("/a").with("Accept-Encoding", "gzip")).expect_body(b"coded");
            let plain = fetch(server, &get("/a"));
            plain.expect(200).expect_body(b"plain");
            assert_eq!(origin.asked_for("/a").len(), 2);
            assert_eq!(origin.asked_for("/a")[1].field("if-none-match"), None);
            forget(server);
            origin.forget();
        }
    }
);

before_an_origin!(
    rfc9111_s3_5_what_answers_authorization_is_not_remembered_for_others,
    Site::plain(),
    |origin, server| {
        origin.on("/a", |asked| same_for_all(asked, "max-age=60", 5));
        fetch(server, &asks("one")).expect(200);
        let shows = asks("two").with("Authorization", "Basic YTpi");
        fetch(server, &shows)
            .expect(200)
            .expect_body(&pattern(5, 1));
        expect_forward(&fetch(server, &asks("two")), "vary-miss");
        assert_eq!(origin.asked().len(), 3);
    }
);
