//! Validation of stored responses, and conditions of clients on them (RFC 9111 s4.3).

use crate::harness::origin::{Reply, reply};
use crate::harness::{Request, Server, get, head};
use crate::site::{Site, ago, expect_forward, expect_hit, expect_outcome, fetch, fetch_get, ttl};

/// A response that is stale as soon as it is there.
fn stale() -> Reply {
    reply(200).max_age(10).field("Age", "100")
}

before_an_origin!(
    rfc9111_s4_3_1_the_entity_tag_of_a_stale_response_is_asked_about,
    Site::plain(),
    |origin, server| {
        let then = reply(304).max_age(60).field("ETag", "\"1\"");
        origin.queue(
            "/a",
            [stale().field("ETag", "\"1\"").body("hello"), then.end()],
        );
        fetch_get(server, "/a").expect(200);
        let validated = fetch_get(server, "/a");
        validated.expect(200).expect_body(b"hello");
        expect_forward(&validated, "stale");
        expect_outcome(&validated, &["fwd-status=304"]);
        let asked = origin.asked();
        assert_eq!(asked[0].field("if-none-match"), None);
        assert_eq!(asked[1].field("if-none-match"), Some("\"1\""));
        expect_hit(&fetch_get(server, "/a"));
        assert_eq!(origin.asked().len(), 2);
    }
);

before_an_origin!(
    rfc9111_s4_3_1_without_entity_tag_last_modified_is_asked_about,
    Site::plain(),
    |origin, server| {
        let date = ago(5_000);
        let first = stale().field("Last-Modified", &date).body("hello");
        origin.queue("/a", [first, reply(304).max_age(60).end()]);
        fetch_get(server, "/a").expect(200);
        fetch_get(server, "/a").expect(200).expect_body(b"hello");
        let asked = origin.asked();
        assert_eq!(asked[1].field("if-modified-since"), Some(date.as_str()));
        expect_hit(&fetch_get(server, "/a"));
    }
);

before_an_origin!(
    rfc9111_s3_2_fields_of_a_304_update_what_is_stored_but_those_of_the_body,
    Site::plain(),
    |origin, server| {
        let first = stale()
            .field("ETag", "\"1\"")
            .field("X-Old", "1")
            .field("X-Both", "1")
            .field("Content-Type", "text/plain");
        let then = reply(304)
            .max_age(500)
            .field("ETag", "\"1\"")
            .field("X-Both", "2")
            .field("X-New", "2")
            .field("Cache-Status", "inner; fwd=stale")
            .field("Age", "5")
            .field("Content-Length", "999");
        origin.queue("/a", [first.body("hello"), then.end()]);
        fetch_get(server, "/a").expect(200);
        for _ in 0..2 {
            let answer = fetch_get(server, "/a");
            answer.expect(200).expect_body(b"hello");
            assert_eq!(answer.needs("x-old"), "1");
            assert_eq!(answer.lines("x-both"), ["2"], "{answer}");
            assert_eq!(answer.needs("x-new"), "2");
            assert_eq!(answer.lines("cache-status").len(), 1, "{answer}");
            assert_eq!(answer.needs("content-length"), "5");
            assert_eq!(answer.needs("content-type"), "text/plain");
            assert_eq!(answer.needs("cache-control"), "max-age=500");
            assert!((475..=495).contains(&ttl(&answer)), "{answer}");
            // Counted anew (s5.1), and not said twice.
            let [age] = answer.lines("age")[..] else {
                panic!("one Age: {answer}");
            };
            assert!(age.parse::<u64>().expect("seconds") >= 5, "{answer}");
        }
        assert_eq!(origin.asked().len(), 2);
    }
);

/// How many stored responses a purge by `tag` means; it removes none.
#[track_caller]
fn purged_by(server: &Server, tag: &str) -> u64 {
    let body = format!("{{\"tag\": {tag:?}, \"dry_run\": true}}");
    let answer = server.ask_admin(&Request::new("POST", "/api/purge").body(body.as_bytes()));
    answer.expect(200);
    let told: serde_json::Value = answer.json();
    told["purged"].as_u64().expect("a number")
}

before_an_origin!(
    rfc9111_s3_2_tags_of_a_304_are_what_is_purged_by,
    Site::plain(),
    |origin, server| {
        let first = stale()
            .field("ETag", "\"1\"")
            .field("Cache-Tag", "old, both")
            .field("Surrogate-Key", "kept");
        let then = reply(304)
            .max_age(10)
            .field("Age", "100")
            .field("ETag", "\"1\"");
        let tagged = then.clone().field("Cache-Tag", "new, both");
        let grouped = then.clone().field("Cache-Groups", "\"group\"");
        origin.queue(
            "/a",
            [first.body("hello"), then.end(), tagged.end(), grouped.end()],
        );
        for tags in [
            // As stored, then by a 304 that says nothing of tags, then by those that do.
            ["old", "both", "kept"],
            ["old", "both", "kept"],
            ["new", "both", "kept"],
            ["new", "group", "kept"],
        ] {
            fetch_get(server, "/a").expect(200).expect_body(b"hello");
            let known = ["old", "new", "both", "kept", "group"];
            for tag in known {
                let is_one = tags.contains(&tag) || tag == "both";
                assert_eq!(
                    purged_by(server, tag),
                    u64::from(is_one),
                    "{tag} of {tags:?}"
                );
            }
        }
    }
);

before_an_origin!(
    tags_that_the_rule_keeps_from_clients_outlive_a_304,
    Site::ruled("ignore_headers = [\"Cache-Tag\"]"),
    |origin, server| {
        let first = stale().field("ETag", "\"1\"").field("Cache-Tag", "hidden");
        let then = reply(304).max_age(60).field("ETag", "\"1\"");
        origin.queue("/a", [first.body("hello"), then.field("xkey", "new").end()]);
        for _ in 0..2 {
            fetch_get(server, "/a").expect(200);
        }
        assert_eq!(purged_by(server, "hidden"), 1);
        assert_eq!(purged_by(server, "new"), 1);
    }
);

before_an_origin!(
    rfc9211_s2_members_of_a_304_take_the_place_of_those_of_the_first_answer,
    Site::plain(),
    |origin, server| {
        let first = stale().field("ETag", "\"1\"");
        let first = first.field("Cache-Status", "inner; fwd=uri-miss; stored");
        let then = reply(304).max_age(60).field("ETag", "\"1\"");
        let then = then.field("Cache-Status", "inner; hit");
        origin.queue("/a", [first.body("hello"), then.end()]);
        for inner in [
            "inner; fwd=uri-miss; stored, ",
            "inner; hit, ",
            "inner; hit, ",
        ] {
            let answer = fetch_get(server, "/a");
            let status = answer.needs("cache-status");
            let own = status.strip_prefix(inner);
            let own = own.unwrap_or_else(|| panic!("not {inner}: {answer}"));
            assert!(own.starts_with("hotplate; "), "{answer}");
        }
    }
);

before_an_origin!(
    rfc9111_s4_3_3_a_full_response_replaces_what_is_stored,
    Site::plain(),
    |origin, server| {
        let then = reply(200).max_age(60).field("ETag", "\"2\"");
        origin.queue(
            "/a",
            [stale().field("ETag", "\"1\"").body("old"), then.body("new")],
        );
        fetch_get(server, "/a").expect_body(b"old");
        let answer = fetch_get(server, "/a");
        answer.expect(200).expect_body(b"new");
        expect_forward(&answer, "stale");
        expect_outcome(&answer, &["stored"]);
        let hit = fetch_get(server, "/a");
        hit.expect_body(b"new");
        expect_hit(&hit);
    }
);

before_an_origin!(
    rfc9111_s4_3_1_entity_tags_of_all_variants_are_asked_about,
    Site::plain(),
    |origin, server| {
        origin.on("/a", |asked| {
            if asked.field("if-none-match").is_some() {
                return reply(304)
                    .max_age(60)
                    .field("ETag", "\"de\"")
                    .field("Vary", "Accept-Language")
                    .end();
            }
            let language = asked.field("accept-language").expect("one").to_owned();
            stale()
                .field("ETag", &format!("\"{language}\""))
                .field("Vary", "Accept-Language")
                .body(language)
        });
        let asks = |language: &str| get("/a").with("Accept-Language", language);
        fetch(server, &asks("de")).expect_body(b"de");
        origin.forget();
        // Another variant that the origin may know by its entity-tag.
        fetch(server, &asks("de")).expect_body(b"de");
        assert_eq!(origin.asked()[0].field("if-none-match"), Some("\"de\""));
    }
);

before_an_origin!(
    rfc9111_s4_3_2_conditions_of_clients_are_answered_from_what_is_stored,
    Site::plain(),
    |origin, server| {
        let date = ago(5_000);
        let said = reply(200)
            .max_age(60)
            .field("ETag", "\"1\"")
            .field("Last-Modified", &date)
            .field("Vary", "X-A")
            .field("Content-Type", "text/plain");
        origin.says("/a", said.body("hello"));
        fetch_get(server, "/a").expect(200);
        for (name, value, status) in [
            ("If-None-Match", "\"1\"", 304),
            ("If-None-Match", "W/\"1\"", 304),
            ("If-None-Match", "*", 304),
            ("If-None-Match", "\"2\"", 200),
            ("If-Modified-Since", &date, 304),
            ("If-Modified-Since", &ago(6_000), 200),
        ] {
            for request in [get("/a"), head("/a")] {
                let answer = fetch(server, &request.with(name, value));
                answer.expect(status);
                if status == 304 {
                    expect_hit(&answer);
                    assert_eq!(answer.needs("etag"), "\"1\"");
                    assert_eq!(answer.needs("cache-control"), "max-age=60");
                    assert_eq!(answer.needs("vary"), "X-A");
                    assert_eq!(answer.field("content-type"), None);
                    assert!(answer.field("age").is_some(), "{answer}");
                }
            }
        }
        assert_eq!(origin.asked().len(), 1);
    }
);

before_an_origin!(
    rfc9111_s4_3_2_if_match_and_if_unmodified_since_are_the_origins_alone,
    Site::plain(),
    |origin, server| {
        let said = reply(200).max_age(60).field("ETag", "\"1\"");
        origin.queue(
            "/a",
            [
                said.body("hello"),
                reply(412).body("no"),
                reply(412).body("no"),
            ],
        );
        fetch_get(server, "/a").expect(200);
        for (name, value) in [("If-Match", "\"1\""), ("If-Unmodified-Since", &ago(6_000))] {
            let answer = fetch(server, &get("/a").with(name, value));
            answer.expect(412).expect_body(b"no");
            let asked = origin.asked();
            assert_eq!(
                asked.last().and_then(|asked| asked.field(name)),
                Some(value)
            );
        }
        expect_hit(&fetch_get(server, "/a"));
        assert_eq!(origin.asked().len(), 3);
    }
);

before_an_origin!(
    rfc9111_s4_3_2_a_condition_of_a_client_on_a_stale_response_waits_for_the_origin,
    Site::plain(),
    |origin, server| {
        let then = reply(304).max_age(60).field("ETag", "\"1\"");
        origin.queue(
            "/a",
            [stale().field("ETag", "\"1\"").body("hello"), then.end()],
        );
        fetch_get(server, "/a").expect(200);
        let asks = get("/a").with("If-None-Match", "\"1\"");
        fetch(server, &asks).expect(304);
        fetch_get(server, "/a").expect(200).expect_body(b"hello");
        assert_eq!(origin.asked().len(), 2);
    }
);

before_an_origin!(
    rfc9111_s4_3_2_a_condition_of_a_client_on_a_miss_is_held_to_what_the_origin_says,
    Site::plain(),
    |origin, server| {
        origin.on("/a", |asked| {
            let said = reply(200).max_age(60).field("ETag", "\"1\"");
            match asked.field("if-none-match") {
                Some("\"1\"") => reply(304).max_age(60).field("ETag", "\"1\"").end(),
                _ => said.body("hello"),
            }
        });
        let asks = get("/a").with("If-None-Match", "\"1\"");
        fetch(server, &asks).expect(304);
        let asks = get("/a").with("If-None-Match", "\"2\"");
        fetch(server, &asks).expect(200).expect_body(b"hello");
        fetch_get(server, "/a").expect(200).expect_body(b"hello");
    }
);

before_an_origin!(
    rfc9111_s5_2_2_5_what_a_304_forbids_to_store_is_validated_each_time,
    Site::plain(),
    |origin, server| {
        for directive in ["no-store", "private", "private, no-store"] {
            let first = stale().field("ETag", "\"1\"").body("hello");
            let then = reply(304)
                .field("Cache-Control", &format!("max-age=60, {directive}"))
                .field("ETag", "\"1\"");
            origin.queue("/a", [first, then.end()]);
            for _ in 0..3 {
                fetch_get(server, "/a").expect(200).expect_body(b"hello");
            }
            assert_eq!(origin.asked().len(), 3, "{directive}");
            let next = reply(200).field("Cache-Control", "no-store").body("new");
            origin.says("/a", next);
            fetch_get(server, "/a").expect_body(b"new");
            origin.says("/a", stale().body("x"));
            fetch(server, &Request::new("DELETE", "/a")).expect(200);
            origin.forget();
        }
    }
);

before_an_origin!(
    rfc9111_s4_1_what_a_304_says_to_vary_is_not_sent_to_others,
    Site::plain(),
    |origin, server| {
        let first = stale().field("ETag", "\"1\"").body("hello");
        let then = reply(304)
            .max_age(60)
            .field("Vary", "Accept-Language")
            .field("ETag", "\"1\"");
        origin.queue(
            "/a",
            [first, then.end(), reply(200).max_age(60).body("hallo")],
        );
        fetch_get(server, "/a").expect_body(b"hello");
        fetch_get(server, "/a").expect_body(b"hello");
        let german = get("/a").with("Accept-Language", "de");
        fetch(server, &german).expect_body(b"hallo");
        assert_eq!(origin.asked().len(), 3);
    }
);

before_an_origin!(
    rfc9111_s4_3_3_a_304_that_confirms_nothing_stored_is_not_stored,
    Site::plain(),
    |origin, server| {
        origin.queue(
            "/a",
            [
                reply(304).max_age(60).field("ETag", "\"1\"").end(),
                reply(200).max_age(60).body("hello"),
            ],
        );
        let asks = get("/a").with("If-None-Match", "\"1\"");
        fetch(server, &asks).expect(304);
        fetch_get(server, "/a").expect(200).expect_body(b"hello");
    }
);

before_an_origin!(
    rfc9110_s13_1_conditions_for_what_is_not_stored_are_the_origins_to_judge,
    Site::plain(),
    |origin, server| {
        origin.on("/a", |asked| {
            let said = |status| {
                let said = reply(status).field("ETag", "\"1\"");
                said.field("Cache-Control", "no-store")
            };
            match asked.field("if-none-match") {
                Some("\"1\"") => said(304).end(),
                _ => said(200).body("all of it"),
            }
        });
        fetch_get(server, "/a")
            .expect(200)
            .expect_body(b"all of it");
        for (tag, status) in [("\"1\"", 304), ("\"0\"", 200)] {
            let answer = fetch(server, &get("/a").with("If-None-Match", tag));
            answer.expect(status);
            assert_eq!(answer.needs("etag"), "\"1\"");
        }
        let since = ago(10);
        let request = get("/a").with("If-Modified-Since", &since);
        fetch(server, &request).expect(200);
        let asked = origin.asked();
        assert_eq!(asked[3].field("if-modified-since"), Some(since.as_str()));
    }
);

before_an_origin!(
    what_is_stored_is_validated_by_its_own_tag_whatever_its_key_was_last,
    Site::plain(),
    |origin, server| {
        origin.queue(
            "/a",
            [
                stale().field("ETag", "\"1\"").body("old"),
                reply(200).field("Cache-Control", "private").body("mine"),
                reply(304).max_age(60).field("ETag", "\"1\"").end(),
            ],
        );
        fetch_get(server, "/a").expect_body(b"old");
        fetch_get(server, "/a").expect_body(b"mine");
        let answer = fetch(server, &get("/a").with("If-None-Match", "\"0\""));
        let asked = origin.asked();
        assert_eq!(asked[2].lines("if-none-match"), ["\"1\""]);
        answer.expect(200).expect_body(b"old");
        let same = fetch(server, &get("/a").with("If-None-Match", "\"1\""));
        same.expect(304);
        expect_hit(&same);
    }
);
