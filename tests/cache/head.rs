//! HEAD before a stored response of its URL (RFC 9111 s4.3.5).

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::harness::origin::{Origin, Reply, reply};
use crate::harness::{Request, Server, get, head};
use crate::site::{Site, ago, expect_forward, expect_hit, expect_outcome, fetch, fetch_get, ttl};

/// Stores `first`, with a body, under a path. From then on a HEAD is answered with `then`, and a GET with `last`.
#[track_caller]
fn store(origin: &Origin, server: &Server, path: &str, [first, then, last]: [Reply; 3]) {
    origin.forget();
    origin.says(path, first.body("hello"));
    fetch_get(server, path).expect(200).expect_body(b"hello");
    origin.on(path, move |asked| match asked.method.as_str() {
        "HEAD" => then.clone(),
        _ => last.clone(),
    });
}

/// What no scenario may get.
fn unasked() -> Reply {
    reply(500).body("")
}

/// A response that is stale as soon as it is there.
fn stale() -> Reply {
    reply(200).max_age(10).field("Age", "100")
}

/// A HEAD that has to go to the origin.
fn insisting(path: &str) -> Request {
    head(path).with("Cache-Control", "no-cache")
}

before_an_origin!(
    rfc9111_s4_3_5_a_stale_response_is_validated_by_a_conditional_head,
    Site::plain(),
    |origin, server| {
        let then = reply(304).max_age(60).field("ETag", "\"1\"");
        let first = stale().field("ETag", "\"1\"");
        store(origin, server, "/a", [first, then.end(), unasked()]);
        let answer = fetch(server, &head("/a"));
        answer.expect(200).expect_body(b"");
        expect_forward(&answer, "stale");
        expect_outcome(&answer, &["fwd-status=304"]);
        assert_eq!(answer.needs("content-length"), "5");
        let asked = origin.asked();
        assert_eq!(asked[1].method, "HEAD");
        assert_eq!(asked[1].field("if-none-match"), Some("\"1\""));
        let hit = fetch_get(server, "/a");
        hit.expect(200).expect_body(b"hello");
        expect_hit(&hit);
        assert_eq!(origin.asked().len(), 2);
    }
);

before_an_origin!(
    rfc9111_s4_3_5_a_200_of_the_same_representation_freshens,
    Site::plain(),
    |origin, server| {
        let date = ago(5_000);
        let tagged = |said: Reply| said.field("ETag", "\"1\"").field("Last-Modified", &date);
        let said = || reply(200).max_age(500).field("X-New", "2").length(5);
        for (path, first, request, said) in [
            ("/a", tagged(stale()), head("/a"), tagged(said())),
            // Without a validator, the size tells.
            ("/b", reply(200).max_age(60), insisting("/b"), said()),
        ] {
            store(origin, server, path, [first, said.end(), unasked()]);
            let answer = fetch(server, &request);
            answer.expect(200).expect_body(b"");
            assert_eq!(answer.needs("x-new"), "2");
            let hit = fetch_get(server, path);
            hit.expect(200).expect_body(b"hello");
            expect_hit(&hit);
            assert_eq!(hit.needs("x-new"), "2");
            assert!((480..=500).contains(&ttl(&hit)), "{hit}");
            assert_eq!(origin.asked().len(), 2);
        }
    }
);

before_an_origin!(
    rfc9111_s4_3_5_a_200_that_differs_has_what_is_stored_validated,
    Site::plain(),
    |origin, server| {
        let date = ago(5_000);
        let newer = ago(100);
        let first = || {
            let said = reply(200).max_age(60).field("ETag", "\"1\"");
            said.field("Last-Modified", &date)
        };
        let same = || reply(200).max_age(60);
        for (path, said) in [
            ("/a", same().field("ETag", "\"2\"").length(5)),
            (
                "/b",
                same().field("ETag", "\"1\"").field("Last-Modified", &newer),
            ),
            ("/c", same().field("ETag", "\"1\"").length(6)),
        ] {
            let last = reply(200).max_age(60).body("new");
            store(origin, server, path, [first(), said.end(), last]);
            expect_hit(&fetch_get(server, path));
            fetch(server, &insisting(path)).expect(200);
            let answer = fetch_get(server, path);
            answer.expect(200).expect_body(b"new");
            expect_forward(&answer, "stale");
            let asked = origin.asked();
            assert_eq!(asked.len(), 3);
            assert_eq!(asked[2].field("if-none-match"), Some("\"1\""));
        }
    }
);

before_an_origin!(
    rfc9111_s4_3_5_only_what_could_have_answered_is_touched,
    Site::plain(),
    |origin, server| {
        origin.on("/a", |asked| {
            let language = asked.field("accept-language").expect("one").to_owned();
            let said = reply(200).max_age(60).field("Vary", "Accept-Language");
            match asked.method.as_str() {
                "HEAD" => said.field("ETag", "\"new\"").end(),
                _ => said
                    .field("ETag", &format!("\"{language}\""))
                    .body(language),
            }
        });
        let asks = |request: Request, language: &str| request.with("Accept-Language", language);
        for language in ["de", "en"] {
            fetch(server, &asks(get("/a"), language)).expect_body(language.as_bytes());
        }
        fetch(server, &asks(insisting("/a"), "de")).expect(200);
        expect_hit(&fetch(server, &asks(get("/a"), "en")));
        expect_forward(&fetch(server, &asks(get("/a"), "de")), "stale");
    }
);

before_an_origin!(
    rfc9111_s4_3_5_an_answer_that_may_not_be_stored_freshens_nothing,
    Site::plain(),
    |origin, server| {
        let first = reply(200).max_age(60).field("ETag", "\"1\"");
        let said = reply(200).field("ETag", "\"1\"");
        let said = said.field("Cache-Control", "no-store").length(5);
        let last = reply(200).max_age(60).body("new");
        store(origin, server, "/a", [first, said.end(), last]);
        fetch(server, &insisting("/a")).expect(200);
        let answer = fetch_get(server, "/a");
        answer.expect_body(b"new");
        expect_forward(&answer, "stale");
    }
);

before_an_origin!(
    rfc9111_s5_2_1_5_the_answer_to_a_head_that_says_no_store_updates_nothing,
    Site::plain(),
    |origin, server| {
        let first = reply(200).max_age(60).field("ETag", "\"1\"");
        let said = reply(200).max_age(500).field("ETag", "\"1\"");
        store(origin, server, "/a", [first, said.end(), unasked()]);
        let request = head("/a").with("Cache-Control", "no-cache, no-store");
        fetch(server, &request).expect(200);
        let hit = fetch_get(server, "/a");
        expect_hit(&hit);
        assert!(ttl(&hit) <= 60, "{hit}");
    }
);

before_an_origin!(
    a_head_that_tells_nothing_changes_nothing,
    Site::plain(),
    |origin, server| {
        // Not even where the size is the same: that is no validator.
        for (path, said) in [("/a", reply(200)), ("/b", reply(200).length(5))] {
            let first = reply(200).max_age(60).field("ETag", "\"1\"");
            let said = said.max_age(500);
            store(origin, server, path, [first, said.end(), unasked()]);
            fetch(server, &insisting(path)).expect(200);
            let hit = fetch_get(server, path);
            expect_hit(&hit);
            assert!(ttl(&hit) <= 60, "{hit}");
        }
    }
);

before_an_origin!(
    rfc9111_s4_4_a_head_that_validates_nothing_lifts_no_invalidation,
    Site::plain(),
    |origin, server| {
        let then = reply(200).max_age(500).field("X-New", "2").length(5);
        let new = reply(200).max_age(60).body("other");
        origin.on("/a", {
            let count = AtomicUsize::new(0);
            move |asked| match (asked.method.as_str(), count.fetch_add(1, Ordering::SeqCst)) {
                ("GET", 0) => reply(200).max_age(60).body("hello"),
                ("POST", _) => reply(200).body("done"),
                ("HEAD", _) => then.clone().end(),
                _ => new.clone(),
            }
        });
        fetch_get(server, "/a").expect(200).expect_body(b"hello");
        let change = Request::new("POST", "/a").body(b"x");
        fetch(server, &change).expect(200);
        fetch(server, &insisting("/a")).expect(200);
        // What was stored has not been validated: it is asked for anew.
        fetch_get(server, "/a").expect(200).expect_body(b"other");
        assert_eq!(origin.asked().len(), 4);
    }
);

before_an_origin!(
    a_head_with_conditions_of_its_client_goes_on_with_those,
    Site::plain(),
    |origin, server| {
        let first = stale().field("ETag", "\"1\"");
        let then = reply(304).max_age(60).field("ETag", "\"2\"");
        store(
            origin,
            server,
            "/a",
            [first, then.end(), reply(200).body("new")],
        );
        let request = head("/a").with("If-None-Match", "\"2\"");
        let answer = fetch(server, &request);
        answer.expect(304);
        assert_eq!(answer.needs("etag"), "\"2\"");
        assert_eq!(origin.asked()[1].field("if-none-match"), Some("\"2\""));
        fetch_get(server, "/a").expect_body(b"new");
    }
);

before_an_origin!(
    rfc5861_s4_stale_if_error_stands_in_for_a_5xx_to_head,
    Site::ruled("stale_if_error = \"1h\""),
    |origin, server| {
        let first = stale().field("ETag", "\"1\"");
        store(origin, server, "/a", [first, reply(503).end(), unasked()]);
        let answer = fetch(server, &head("/a"));
        answer.expect(200);
        expect_outcome(&answer, &["fwd=stale", "fwd-status=503"]);
        assert_eq!(answer.needs("content-length"), "5");
    }
);

before_an_origin!(
    rfc5861_s3_a_stale_response_that_a_head_got_is_refreshed_by_a_get,
    Site::ruled("stale_while_revalidate = \"1h\""),
    |origin, server| {
        let first = stale().field("ETag", "\"1\"");
        let last = reply(200).max_age(60).body("new");
        store(origin, server, "/a", [first, reply(500).end(), last]);
        let answer = fetch(server, &head("/a"));
        answer.expect(200);
        expect_hit(&answer);
        let asked = origin.await_asked(2);
        assert_eq!(asked[1].method, "GET");
        assert_eq!(asked[1].field("if-none-match"), Some("\"1\""));
        crate::harness::eventually(
            std::time::Duration::from_secs(20),
            "the newer one is stored",
            || fetch_get(server, "/a").body == b"new",
        );
        assert_eq!(origin.asked().len(), 2);
    }
);
