//! Cache-Control of requests (RFC 9111 s5.2.1, s5.4).

use crate::harness::origin::{Gate, Made, Origin, content, reply};
use crate::harness::{Request, Server, get};
use crate::site::{Site, expect_forward, expect_hit, expect_outcome, fetch, fetch_get, outcome};

fn asks(path: &str, directives: &str) -> Request {
    get(path).with("Cache-Control", directives)
}

/// As heap and as a file of its own on disk.
const SIZES: [u64; 2] = [10, 300_000];

/// Stores a response that is 100 seconds old and lives `lifetime` seconds.
#[track_caller]
fn store(origin: &Origin, server: &Server, path: &str, lifetime: u64) {
    origin.on(path, move |asked| {
        if asked.field("if-none-match") == Some("\"1\"") {
            return reply(304)
                .max_age(lifetime)
                .field("Age", "100")
                .field("ETag", "\"1\"")
                .end();
        }
        reply(200)
            .max_age(lifetime)
            .field("Age", "100")
            .field("ETag", "\"1\"")
            .body("hello")
    });
    expect_outcome(&fetch_get(server, path), &["stored"]);
}

before_an_origin!(
    rfc9111_s5_2_1_4_no_cache_has_a_fresh_response_validated,
    Site::plain(),
    |origin, server| {
        store(origin, server, "/a", 1_000);
        expect_hit(&fetch_get(server, "/a"));
        for (count, request) in [
            asks("/a", "no-cache"),
            asks("/a", "max-age=0"),
            get("/a").with("Pragma", "no-cache"),
        ]
        .into_iter()
        .enumerate()
        {
            let answer = fetch(server, &request);
            answer.expect(200).expect_body(b"hello");
            expect_forward(&answer, "request");
            let asked = origin.asked();
            assert_eq!(asked.len(), count + 2);
            assert_eq!(asked[count + 1].field("if-none-match"), Some("\"1\""));
        }
    }
);

before_an_origin!(
    rfc9111_s5_4_pragma_counts_only_without_cache_control,
    Site::plain(),
    |origin, server| {
        store(origin, server, "/a", 1_000);
        let request = asks("/a", "max-stale=1").with("Pragma", "no-cache");
        expect_hit(&fetch(server, &request));
    }
);

before_an_origin!(
    rfc9111_s5_2_1_1_max_age_bounds_the_age,
    Site::plain(),
    |origin, server| {
        store(origin, server, "/a", 1_000);
        expect_hit(&fetch(server, &asks("/a", "max-age=500")));
        expect_forward(&fetch(server, &asks("/a", "max-age=50")), "request");
    }
);

before_an_origin!(
    rfc9111_s5_2_1_3_min_fresh_asks_for_time_that_is_left,
    Site::plain(),
    |origin, server| {
        store(origin, server, "/a", 1_000);
        expect_hit(&fetch(server, &asks("/a", "min-fresh=500")));
        expect_forward(&fetch(server, &asks("/a", "min-fresh=950")), "request");
    }
);

before_an_origin!(
    rfc9111_s5_2_1_2_max_stale_takes_a_stale_response,
    Site::plain(),
    |origin, server| {
        store(origin, server, "/a", 10);
        for directives in ["max-stale", "max-stale=1000"] {
            let answer = fetch(server, &asks("/a", directives));
            answer.expect(200).expect_body(b"hello");
            expect_outcome(&answer, &["hit", "detail=max-stale"]);
        }
        expect_forward(&fetch(server, &asks("/a", "max-stale=5")), "stale");
        assert_eq!(origin.asked().len(), 2);
    }
);

before_an_origin!(
    rfc9111_s5_2_1_7_only_if_cached_never_asks_the_origin,
    Site::plain(),
    |origin, server| {
        store(origin, server, "/a", 1_000);
        store(origin, server, "/stale", 10);
        let hit = fetch(server, &asks("/a", "only-if-cached"));
        hit.expect(200).expect_body(b"hello");
        expect_hit(&hit);
        fetch(server, &asks("/none", "only-if-cached")).expect(504);
        fetch(server, &asks("/stale", "only-if-cached")).expect(504);
        fetch(server, &asks("/a", "only-if-cached, max-age=5")).expect(504);
        assert_eq!(origin.asked().len(), 2);
    }
);

before_an_origin!(
    rfc9111_s5_2_1_7_only_if_cached_asks_for_no_part_either,
    Site::plain(),
    |origin, server| {
        let private = reply(200).field("Cache-Control", "no-store");
        origin.says("/a", private.body("hello"));
        let part = asks("/a", "only-if-cached").with("Range", "bytes=0-1");
        fetch(server, &part).expect(504);
        // From here on it is known that answers are for one client each.
        fetch_get(server, "/a").expect(200);
        fetch(server, &part).expect(504);
        assert_eq!(origin.asked().len(), 1);
    }
);

before_an_origin!(
    rfc9111_s5_2_1_7_only_if_cached_does_not_wait_for_the_origin,
    Site::plain(),
    |origin, server| {
        let gate = Gate::new();
        let private = reply(200).field("Cache-Control", "no-store");
        origin.says("/a", private.wait(&gate).body("hello"));
        let mut one = server.connect();
        one.send(get("/a").bytes());
        gate.await_reached(1);
        let mut other = server.connect();
        other.send(asks("/a", "only-if-cached").bytes());
        // The origin has not answered yet.
        other.fetched("GET").expect(504);
        gate.open();
        one.fetched("GET").expect(200).expect_body(b"hello");
        assert_eq!(origin.asked().len(), 1);
    }
);

before_an_origin!(
    rfc9111_s5_2_1_7_only_if_cached_gets_stale_responses_from_disk_as_from_memory,
    Site::plain().with(|setup| setup.disk(&["size = \"64MiB\""])),
    |origin, server| {
        let window = "max-age=0, stale-while-revalidate=1000";
        for size in SIZES {
            for (path, directives) in [("stale", "max-age=0"), ("while", window)] {
                let path = format!("/{path}/{size}");
                let made = Made::new(size, size).field("Cache-Control", directives);
                origin.serve(&path, made);
                fetch_get(server, &path).expect(200);
            }
        }
        server.restart();
        origin.forget();
        let only = |path: &str, size: u64, more: &str| {
            let request = asks(&format!("/{path}/{size}"), &format!("only-if-cached{more}"));
            fetch(server, &request)
        };
        for size in SIZES {
            for _ in 0..2 {
                let hit = only("stale", size, ", max-stale=1000");
                hit.expect(200).expect_body(&content(size, 0..size));
                expect_outcome(&hit, &["hit", "detail=max-stale"]);
            }
            only("stale", size, "").expect(504);
            only("while", size, ", max-age=0").expect(504);
        }
        assert_eq!(origin.asked().len(), 0);
    }
);

before_an_origin!(
    rfc9111_s5_2_1_7_a_stale_response_from_disk_that_only_stored_ones_may_answer_with_is_refreshed,
    Site::plain().with(|setup| setup.disk(&["size = \"64MiB\""])),
    |origin, server| {
        let window = "max-age=0, stale-while-revalidate=1000";
        for size in SIZES {
            let made = Made::new(size, size).field("Cache-Control", window);
            origin.serve(&format!("/{size}"), made);
            fetch_get(server, &format!("/{size}")).expect(200);
        }
        server.restart();
        origin.forget();
        for (count, size) in (1..).zip(SIZES) {
            let hit = fetch(server, &asks(&format!("/{size}"), "only-if-cached"));
            hit.expect(200).expect_body(&content(size, 0..size));
            expect_outcome(&hit, &["hit", "detail=stale-while-revalidate"]);
            // RFC 5861 s3: whoever gets it has it refreshed.
            let refresh = &origin.await_asked(count)[count - 1];
            assert_eq!(refresh.field("cache-control"), None);
            assert!(refresh.field("if-none-match").is_some());
        }
    }
);

before_an_origin!(
    rfc9111_s5_2_1_5_no_store_keeps_the_answer_out_of_the_cache,
    Site::plain(),
    |origin, server| {
        origin.says("/a", reply(200).max_age(60).body("hello"));
        for _ in 0..2 {
            let answer = fetch(server, &asks("/a", "no-store"));
            answer.expect(200).expect_body(b"hello");
            assert!(!outcome(&answer).contains(&"stored".to_owned()), "{answer}");
        }
        assert_eq!(origin.asked().len(), 2);
    }
);

before_an_origin!(
    rfc9111_s5_2_1_5_the_304_to_a_request_that_says_no_store_updates_nothing,
    Site::plain(),
    |origin, server| {
        let first = reply(200).max_age(0).field("ETag", "\"1\"").body("hello");
        let fresh = || reply(304).max_age(600).field("ETag", "\"1\"").end();
        origin.queue("/a", [first, fresh(), fresh()]);
        fetch_get(server, "/a").expect(200);
        let answer = fetch(server, &asks("/a", "no-store"));
        answer.expect(200).expect_body(b"hello");
        assert!(!outcome(&answer).contains(&"stored".to_owned()), "{answer}");
        // Still stale: what the 304 said was for that request alone.
        let again = fetch_get(server, "/a");
        again.expect(200).expect_body(b"hello");
        expect_outcome(&again, &["fwd-status=304", "stored"]);
        expect_hit(&fetch_get(server, "/a"));
    }
);
