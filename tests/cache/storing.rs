//! What may be stored (RFC 9111 s3).

use crate::harness::origin::{Origin, Reply, reply};
use crate::harness::{Request, Server, get};
use crate::site::{Site, expect_hit, expect_outcome, fetch, fetch_get, outcome};

/// Says `said` to two equal requests, and asserts that both reach the origin.
#[track_caller]
fn expect_not_stored(origin: &Origin, server: &Server, request: &Request, said: Reply) {
    origin.forget();
    origin.otherwise(move |_| said.clone());
    for _ in 0..2 {
        let answer = fetch(server, request);
        answer.expect_body(b"hello");
        let outcome = outcome(&answer);
        assert!(!outcome.contains(&"hit".to_owned()), "{answer}");
        assert!(!outcome.contains(&"stored".to_owned()), "{answer}");
    }
    assert_eq!(origin.asked().len(), 2, "{request:?}");
}

/// Says `said` to two equal requests, and asserts that one reaches the origin.
#[track_caller]
fn expect_stored(origin: &Origin, server: &Server, request: &Request, said: Reply) {
    origin.forget();
    origin.otherwise(move |_| said.clone());
    expect_outcome(&fetch(server, request), &["stored"]);
    let hit = fetch(server, request);
    hit.expect_body(b"hello");
    expect_hit(&hit);
    assert_eq!(origin.asked().len(), 1, "{request:?}");
}

fn said(cache_control: &str) -> Reply {
    reply(200)
        .field("Cache-Control", cache_control)
        .field("ETag", "\"1\"")
}

before_an_origin!(
    rfc9111_s3_no_store_and_private_are_not_stored,
    Site::plain(),
    |origin, server| {
        for (number, value) in [
            "no-store",
            "no-store, max-age=60",
            "private",
            "max-age=60, PRIVATE",
        ]
        .into_iter()
        .enumerate()
        {
            let request = get(&format!("/{number}"));
            expect_not_stored(origin, server, &request, said(value).body("hello"));
        }
    }
);

before_an_origin!(
    rfc9111_s3_5_answers_to_authorization_are_stored_only_where_the_origin_says_so,
    Site::plain(),
    |origin, server| {
        let asked = |path: &str| get(path).with("Authorization", "Basic eA==");
        let plain = said("max-age=60").body("hello");
        expect_not_stored(origin, server, &asked("/plain"), plain);
        for (path, value) in [
            ("/public", "public, max-age=60"),
            ("/shared", "s-maxage=60"),
            ("/strict", "must-revalidate, max-age=60"),
        ] {
            let answer = said(value).body("hello");
            expect_stored(origin, server, &asked(path), answer);
        }
    }
);

before_an_origin!(
    rfc9111_s5_2_2_3_must_understand_replaces_no_store_where_the_status_is_understood,
    Site::plain(),
    |origin, server| {
        let understood = said("must-understand, no-store, max-age=60").body("hello");
        expect_stored(origin, server, &get("/200"), understood);
        let unknown = reply(299)
            .field("Cache-Control", "must-understand, max-age=60")
            .body("hello");
        expect_not_stored(origin, server, &get("/299"), unknown);
    }
);

before_an_origin!(
    rfc9111_s7_3_a_response_that_sets_a_cookie_is_not_stored,
    Site::plain(),
    |origin, server| {
        let cookie = said("max-age=60").field("Set-Cookie", "id=1");
        expect_not_stored(origin, server, &get("/a"), cookie.body("hello"));
    }
);

before_an_origin!(
    rfc9111_s4_1_vary_star_is_not_reused,
    Site::plain(),
    |origin, server| {
        let star = said("max-age=60").field("Vary", "*");
        expect_not_stored(origin, server, &get("/a"), star.body("hello"));
    }
);

before_an_origin!(
    rfc9111_s3_answers_to_post_are_not_stored,
    Site::plain(),
    |origin, server| {
        let request = Request::new("POST", "/a").body(b"x");
        let answer = said("max-age=60").body("hello");
        expect_not_stored(origin, server, &request, answer);
    }
);

before_an_origin!(
    rfc9111_s3_3_parts_of_the_origin_are_not_taken_for_the_whole,
    Site::plain(),
    |origin, server| {
        let part = reply(206)
            .max_age(60)
            .field("Content-Range", "bytes 0-4/10")
            .body("hello");
        origin.on("/a", move |asked| match asked.field("range") {
            Some(_) => part.clone(),
            None => reply(200).max_age(60).body("helloworld"),
        });
        let ranged = get("/a").with("Range", "bytes=0-4");
        fetch(server, &ranged).expect(206).expect_body(b"hello");
        fetch_get(server, "/a")
            .expect(200)
            .expect_body(b"helloworld");
    }
);

before_an_origin!(
    rfc9111_s3_1_fields_named_by_private_and_no_cache_are_not_replayed,
    Site::plain(),
    |origin, server| {
        for (path, directive) in [("/private", "private"), ("/no-cache", "no-cache")] {
            let said = reply(200)
                .field(
                    "Cache-Control",
                    &format!("max-age=60, {directive}=\"X-User\""),
                )
                .field("X-User", "eve")
                .field("X-Other", "1");
            origin.says(path, said.body("hello"));
            fetch_get(server, path).expect(200);
            let second = fetch_get(server, path);
            second.expect(200).expect_body(b"hello");
            if outcome(&second).contains(&"hit".to_owned()) {
                assert_eq!(second.field("x-user"), None, "{second}");
                assert_eq!(second.needs("x-other"), "1");
            } else {
                assert_eq!(origin.asked_for(path).len(), 2);
            }
        }
    }
);

before_an_origin!(
    rfc9110_s15_1_statuses_with_a_stated_lifetime_are_stored,
    Site::plain(),
    |origin, server| {
        for status in [200, 203, 301, 308, 404, 405, 410, 414, 501] {
            let request = get(&format!("/{status}"));
            let answer = reply(status).max_age(60).body("hello");
            expect_stored(origin, server, &request, answer);
            fetch(server, &request).expect(status);
        }
    }
);

before_an_origin!(
    rfc9111_s3_a_response_without_lifetime_and_validator_is_not_reused,
    Site::plain(),
    |origin, server| {
        expect_not_stored(origin, server, &get("/a"), reply(200).body("hello"));
    }
);
