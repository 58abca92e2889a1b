//! Requests that change something make what is stored invalid (RFC 9111 s4.4, RFC 9875).

use crate::harness::origin::{Origin, Reply, reply};
use crate::harness::{Request, Server};
use crate::site::{Site, expect_hit, fetch, fetch_get, outcome};

/// Has every GET stored, and every other request answered with `said`.
fn changed_by(origin: &Origin, said: Reply) {
    origin.otherwise(move |asked| {
        if asked.method == "GET" {
            reply(200)
                .max_age(1_000)
                .field("Cache-Groups", "\"x\", \"y\"")
                .body(asked.number.to_string())
        } else {
            said.clone()
        }
    });
}

/// GETs until it is stored.
#[track_caller]
fn store(server: &Server, target: &str) {
    fetch_get(server, target).expect(200);
    expect_hit(&fetch_get(server, target));
}

#[track_caller]
fn expect_invalid(server: &Server, target: &str) {
    let answer = fetch_get(server, target);
    answer.expect(200);
    assert!(!outcome(&answer).contains(&"hit".to_owned()), "{answer}");
    expect_hit(&fetch_get(server, target));
}

before_an_origin!(
    rfc9111_s4_4_unsafe_and_unknown_methods_invalidate_their_url,
    Site::plain(),
    |origin, server| {
        changed_by(origin, reply(200).body("done"));
        store(server, "/other");
        for method in ["POST", "PUT", "DELETE", "PATCH", "FROB"] {
            store(server, "/a?b");
            let answer = fetch(server, &Request::new(method, "/a?b").body(b"x"));
            answer.expect(200).expect_body(b"done");
            expect_invalid(server, "/a?b");
        }
        expect_hit(&fetch_get(server, "/other"));
    }
);

before_an_origin!(
    rfc9111_s4_4_redirects_invalidate_too_and_errors_do_not,
    Site::plain(),
    |origin, server| {
        for (status, invalidates) in [(204, true), (303, true), (404, false), (500, false)] {
            let said = match status {
                204 => reply(204).end(),
                303 => reply(303).field("Location", "/elsewhere").body(""),
                _ => reply(status).body(""),
            };
            changed_by(origin, said);
            store(server, "/a");
            fetch(server, &Request::new("POST", "/a").body(b"x")).expect(status);
            if invalidates {
                expect_invalid(server, "/a");
            } else {
                expect_hit(&fetch_get(server, "/a"));
            }
        }
    }
);

before_an_origin!(
    rfc9111_s4_4_location_and_content_location_of_the_same_origin_are_invalidated,
    Site::plain(),
    |origin, server| {
        for path in ["/new", "/same", "/foreign", "/third"] {
            store_at(origin, server, path);
        }
        let said = reply(201)
            .field("Location", "/new")
            .field("Content-Location", "http://media.test/same");
        changed_by(origin, said.body(""));
        fetch(server, &Request::new("POST", "/form").body(b"x")).expect(201);
        expect_invalid(server, "/new");
        expect_invalid(server, "/same");
        let said = reply(201).field("Location", "http://other.test/foreign");
        changed_by(origin, said.body(""));
        fetch(server, &Request::new("POST", "/form").body(b"x")).expect(201);
        expect_hit(&fetch_get(server, "/foreign"));
        expect_hit(&fetch_get(server, "/third"));
    }
);

fn store_at(origin: &Origin, server: &Server, path: &str) {
    changed_by(origin, reply(200).body(""));
    store(server, path);
}

before_an_origin!(
    rfc9111_s4_4_safe_methods_do_not_invalidate,
    Site::plain(),
    |origin, server| {
        changed_by(origin, reply(200).body(""));
        store(server, "/a");
        for method in ["OPTIONS", "PROPFIND"] {
            let status = fetch(server, &Request::new(method, "/a")).status;
            if method == "OPTIONS" {
                assert!(status < 500, "{status}");
                expect_hit(&fetch_get(server, "/a"));
            }
        }
    }
);

before_an_origin!(
    rfc9111_s4_4_a_failed_request_invalidates_nothing,
    Site::plain(),
    |origin, server| {
        changed_by(origin, reply(200).reset());
        store(server, "/a");
        fetch(server, &Request::new("POST", "/a").body(b"x")).expect(502);
        expect_hit(&fetch_get(server, "/a"));
    }
);

before_an_origin!(
    rfc9875_s3_a_group_is_invalidated_as_a_whole,
    Site::plain(),
    |origin, server| {
        let said = reply(200).field("Cache-Group-Invalidation", "\"other\"");
        changed_by(origin, said.body(""));
        store(server, "/a");
        store(server, "/b");
        fetch(server, &Request::new("POST", "/form").body(b"x")).expect(200);
        expect_hit(&fetch_get(server, "/a"));
        let said = reply(200).field("Cache-Group-Invalidation", "\"y\"");
        changed_by(origin, said.body(""));
        fetch(server, &Request::new("POST", "/form").body(b"x")).expect(200);
        expect_invalid(server, "/a");
        expect_invalid(server, "/b");
    }
);

before_an_origin!(
    rfc9875_s3_answers_to_safe_requests_invalidate_no_group,
    Site::plain(),
    |origin, server| {
        changed_by(origin, reply(200).body(""));
        store(server, "/a");
        let said = reply(200).field("Cache-Group-Invalidation", "\"y\"");
        origin.says("/safe", said.body(""));
        fetch_get(server, "/safe").expect(200);
        expect_hit(&fetch_get(server, "/a"));
    }
);

before_an_origin!(
    rfc9111_s4_4_other_urls_are_invalidated_by_the_rules_that_are_theirs,
    Site::plain()
        .rule("/images", "ignore_query = true")
        .rule("/form", "strip_query = [\"v\"]"),
    |origin, server| {
        changed_by(origin, reply(200).body(""));
        for target in ["/images/x", "/plain?v=1", "/plain"] {
            store(server, target);
        }
        let said = reply(201)
            .field("Location", "/images/x?v=1")
            .field("Content-Location", "/plain?v=1");
        changed_by(origin, said.body(""));
        fetch(server, &Request::new("POST", "/form").body(b"x")).expect(201);
        expect_invalid(server, "/images/x");
        expect_invalid(server, "/plain?v=1");
        expect_hit(&fetch_get(server, "/plain"));
    }
);
