//! How long stored responses are fresh (RFC 9111 s4.2), as Cache-Status tells it.

use std::time::Duration;

use crate::harness::origin::{Origin, Reply, reply};
use crate::harness::{Server, eventually};
use crate::site::{Site, ago, ahead, expect_forward, expect_hit, fetch_get, outcome, ttl};

/// Asserts the lifetime that a response gets, up to the seconds that pass meanwhile.
#[track_caller]
fn expect_lifetime(origin: &Origin, server: &Server, path: &str, said: Reply, seconds: i64) {
    origin.says(path, said.body("hello"));
    fetch_get(server, path).expect(200);
    let hit = fetch_get(server, path);
    expect_hit(&hit);
    assert!((seconds - 20..=seconds).contains(&ttl(&hit)), "{hit}");
    assert_eq!(origin.asked_for(path).len(), 1);
}

/// Asserts that a response is stale as soon as it is there.
#[track_caller]
fn expect_stale(origin: &Origin, server: &Server, path: &str, said: Reply) {
    origin.says(path, said.field("ETag", "\"1\"").body("hello"));
    fetch_get(server, path).expect(200);
    expect_forward(&fetch_get(server, path), "stale");
    assert_eq!(origin.asked_for(path).len(), 2);
}

before_an_origin!(
    rfc9111_s4_2_1_the_most_specific_stated_lifetime_counts,
    Site::plain(),
    |origin, server| {
        let said = |value: &str| reply(200).field("Cache-Control", value);
        expect_lifetime(origin, server, "/1", said("max-age=500"), 500);
        let both = said("max-age=100, s-maxage=500");
        expect_lifetime(origin, server, "/2", both, 500);
        let expires = reply(200).field("Expires", &ahead(500));
        expect_lifetime(origin, server, "/3", expires, 501);
        let all = said("max-age=500").field("Expires", &ago(500));
        expect_lifetime(origin, server, "/4", all, 500);
        expect_stale(origin, server, "/5", said("s-maxage=0, max-age=500"));
        expect_stale(origin, server, "/6", reply(200).field("Expires", "0"));
        expect_stale(origin, server, "/7", reply(200).field("Expires", &ago(10)));
        expect_stale(origin, server, "/8", said("max-age=10").field("Age", "11"));
    }
);

before_an_origin!(
    rfc9213_s2_2_cdn_cache_control_goes_before_cache_control,
    Site::plain(),
    |origin, server| {
        let said = |value: &str| {
            reply(200)
                .field("Cache-Control", "max-age=100, no-store")
                .field("CDN-Cache-Control", value)
        };
        expect_lifetime(origin, server, "/1", said("max-age=500"), 500);
        let strict = reply(200)
            .field("Cache-Control", "max-age=500")
            .field("CDN-Cache-Control", "no-store");
        origin.says("/2", strict.body("hello"));
        for _ in 0..2 {
            let answer = fetch_get(server, "/2");
            assert!(!outcome(&answer).contains(&"stored".to_owned()), "{answer}");
        }
        assert_eq!(origin.asked_for("/2").len(), 2);
        // A field that can't be parsed is as good as none.
        let broken = reply(200)
            .field("Cache-Control", "max-age=500")
            .field("CDN-Cache-Control", "max-age=;;");
        expect_lifetime(origin, server, "/3", broken, 500);
    }
);

before_an_origin!(
    rfc9111_s4_2_2_heuristic_lifetime_is_a_tenth_of_the_age_at_the_origin,
    Site::plain(),
    |origin, server| {
        let said = reply(200).field("Last-Modified", &ago(10_000));
        expect_lifetime(origin, server, "/1", said, 1_001);
    }
);

before_an_origin!(
    rfc9111_s4_2_a_response_expires_when_its_lifetime_is_over,
    Site::plain(),
    |origin, server| {
        origin.says(
            "/a",
            reply(200).max_age(1).field("ETag", "\"1\"").body("hello"),
        );
        fetch_get(server, "/a").expect(200);
        eventually(Duration::from_secs(20), "the response expires", || {
            let answer = fetch_get(server, "/a");
            answer.expect(200).expect_body(b"hello");
            outcome(&answer).contains(&"fwd=stale".to_owned())
        });
        assert_eq!(origin.asked()[1].field("if-none-match"), Some("\"1\""));
    }
);
