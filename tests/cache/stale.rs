//! Stale responses: when they are sent, and when never (RFC 9111 s4.2.4, RFC 5861).

use std::time::Duration;

use crate::harness::origin::{Gate, Origin, Reply, reply};
use crate::harness::{Client, Request, Server, eventually, get, head};
use crate::site::{Site, expect_forward, expect_hit, expect_outcome, fetch, fetch_get, outcome};

/// A response that is stale as soon as it is there.
fn stale(cache_control: &str) -> Reply {
    reply(200)
        .field("Cache-Control", &format!("max-age=10, {cache_control}"))
        .field("Age", "100")
        .field("ETag", "\"1\"")
        .body("old")
}

/// Stores what [`stale`] says.
#[track_caller]
fn store(origin: &Origin, server: &Server, cache_control: &str, then: Reply) {
    origin.queue("/a", [stale(cache_control), then]);
    let first = fetch_get(server, "/a");
    first.expect(200).expect_body(b"old");
    expect_outcome(&first, &["stored"]);
}

before_an_origin!(
    rfc5861_s4_stale_if_error_stands_in_for_a_5xx,
    Site::plain(),
    |origin, server| {
        for status in [500, 502, 503, 504] {
            store(
                origin,
                server,
                "stale-if-error=1000",
                reply(status).body("failed"),
            );
            let answer = fetch_get(server, "/a");
            answer.expect(200).expect_body(b"old");
            let told = format!("fwd-status={status}");
            expect_outcome(&answer, &["fwd=stale", &told]);
            let age: u64 = answer.needs("age").parse().expect("seconds");
            assert!(age >= 100, "{answer}");
            // Replaced, so that the next round begins anew.
            origin.says(
                "/a",
                reply(200).field("Cache-Control", "no-store").body("new"),
            );
            fetch_get(server, "/a").expect_body(b"new");
        }
    }
);

before_an_origin!(
    rfc5861_s4_other_statuses_are_passed_on,
    Site::plain(),
    |origin, server| {
        store(
            origin,
            server,
            "stale-if-error=1000",
            reply(404).body("gone"),
        );
        fetch_get(server, "/a").expect(404).expect_body(b"gone");
    }
);

before_an_origin!(
    rfc5861_s4_stale_if_error_stands_in_for_an_origin_that_is_down,
    Site::plain(),
    |origin, server| {
        store(
            origin,
            server,
            "stale-if-error=1000",
            reply(200).body("new"),
        );
        origin.go_down();
        let answer = fetch_get(server, "/a");
        answer.expect(200).expect_body(b"old");
        expect_outcome(&answer, &["fwd=stale", "detail=stale-if-error"]);
    }
);

// It was taken for an invalidation, after which nothing stands in.
before_an_origin!(
    rfc5861_s4_what_was_purged_softly_stands_in_for_an_origin_that_fails,
    Site::plain(),
    |origin, server| {
        let said = reply(200).field("Cache-Control", "max-age=600, stale-if-error=600");
        origin.says("/a", said.field("ETag", "\"1\"").body("old"));
        fetch_get(server, "/a").expect(200);
        let order = Request::new("POST", "/api/purge").body(b"{\"all\": true, \"soft\": true}");
        server.ask_admin(&order).expect(200);
        origin.says("/a", reply(503).body("failed"));
        let answer = fetch_get(server, "/a");
        answer.expect(200).expect_body(b"old");
        expect_outcome(&answer, &["fwd=stale", "detail=stale-if-error"]);
        origin.says("/a", reply(304).field("ETag", "\"1\"").end());
        let answer = fetch_get(server, "/a");
        answer.expect(200).expect_body(b"old");
        expect_outcome(
            &answer,
            &["fwd=stale", "fwd-status=304", "detail=soft-purge"],
        );
    }
);

before_an_origin!(
    rfc5861_s4_stale_if_error_stands_in_for_an_origin_that_is_late,
    Site::plain().line("first_byte_timeout = \"1s\""),
    |origin, server| {
        let gate = Gate::new();
        store(
            origin,
            server,
            "stale-if-error=1000",
            reply(200).wait(&gate).body("new"),
        );
        fetch_get(server, "/a").expect(200).expect_body(b"old");
        gate.open();
    }
);

before_an_origin!(
    rfc5861_s4_without_stale_if_error_a_failure_is_told,
    Site::plain(),
    |origin, server| {
        store(
            origin,
            server,
            "stale-if-error=20",
            reply(503).body("failed"),
        );
        fetch_get(server, "/a").expect(503).expect_body(b"failed");
    }
);

/// Clients that have all asked for `/a`, and wait for the answer to one of them.
#[track_caller]
fn crowd(server: &Server, gate: &Gate) -> Vec<Client> {
    let mut first = server.connect();
    first.send(get("/a").bytes());
    gate.await_reached(1);
    let mut clients = vec![first];
    for _ in 0..20 {
        let mut client = server.connect();
        client.send(get("/a").bytes());
        clients.push(client);
    }
    eventually(Duration::from_secs(20), "all are aboard", || {
        let page = server.ask_admin(&get("/metrics"));
        String::from_utf8_lossy(&page.body).contains("hotplate_fetches_waiting 20\n")
    });
    clients
}

before_an_origin!(
    rfc5861_s4_all_who_wait_for_an_origin_that_fails_get_the_stale_response,
    Site::plain(),
    |origin, server| {
        let gate = Gate::new();
        let fails = reply(200).wait(&gate).reset();
        store(origin, server, "stale-if-error=1000", fails);
        let mut clients = crowd(server, &gate);
        gate.open();
        for client in &mut clients {
            let answer = client.fetched("GET");
            answer.expect(200).expect_body(b"old");
            expect_outcome(&answer, &["fwd=stale", "detail=stale-if-error"]);
        }
    }
);

before_an_origin!(
    rfc5861_s4_all_who_wait_for_an_origin_that_is_late_get_the_stale_response,
    Site::plain().fill("fill_timeout = \"1s\""),
    |origin, server| {
        let gate = Gate::new();
        let late = reply(200).wait(&gate).body("new");
        store(origin, server, "stale-if-error=1000", late);
        for client in &mut crowd(server, &gate) {
            let answer = client.fetched("GET");
            answer.expect(200).expect_body(b"old");
            expect_outcome(&answer, &["detail=stale-if-error"]);
        }
        assert_eq!(origin.asked().len(), 2);
        gate.open();
    }
);

before_an_origin!(
    rfc5861_s4_each_who_waits_gets_what_it_accepts_itself,
    Site::plain(),
    |origin, server| {
        let gate = Gate::new();
        store(
            origin,
            server,
            "stale-if-error=1000",
            reply(200).wait(&gate).reset(),
        );
        origin.says("/a", reply(200).wait(&gate).reset());
        let mut first = server.connect();
        first.send(get("/a").with("Cache-Control", "min-fresh=10").bytes());
        gate.await_reached(1);
        let mut second = server.connect();
        second.send(get("/a").bytes());
        eventually(Duration::from_secs(20), "it is aboard", || {
            let page = server.ask_admin(&get("/metrics"));
            String::from_utf8_lossy(&page.body).contains("hotplate_fetches_waiting 1\n")
        });
        gate.open();
        first.fetched("GET").expect(502);
        second.fetched("GET").expect(200).expect_body(b"old");
    }
);

before_an_origin!(
    rfc5861_s4_stale_if_error_stands_in_where_no_more_may_wait,
    Site::plain().fill("waiters = 1"),
    |origin, server| {
        let gate = Gate::new();
        let then = reply(200).max_age(60).wait(&gate).body("new");
        store(origin, server, "stale-if-error=1000", then);
        let mut clients: Vec<Client> = (0..3).map(|_| server.connect()).collect();
        for client in &mut clients {
            client.send(get("/a").bytes());
        }
        gate.await_reached(1);
        // One leads, one waits, one gets what there is.
        eventually(Duration::from_secs(20), "one too many comes", || {
            let page = server.ask_admin(&get("/metrics"));
            let page = String::from_utf8_lossy(&page.body).into_owned();
            page.contains("hotplate_fetches_refused_total{limit=\"waiters\"} 1\n")
        });
        gate.open();
        let mut bodies: Vec<Vec<u8>> = clients
            .iter_mut()
            .map(|client| client.fetched("GET").expect(200).body.clone())
            .collect();
        bodies.sort();
        assert_eq!(bodies, [b"new", b"new", b"old"]);
        assert_eq!(origin.asked().len(), 2);
    }
);

before_an_origin!(
    rfc5861_s4_stale_if_error_stands_in_where_no_more_may_be_fetched,
    Site::plain().fill("fills = 1"),
    |origin, server| {
        store(
            origin,
            server,
            "stale-if-error=1000",
            reply(200).body("new"),
        );
        let gate = Gate::new();
        origin.says("/slow", reply(200).wait(&gate).body("slow"));
        let mut other = server.connect();
        other.send(get("/slow").bytes());
        gate.await_reached(1);
        fetch_get(server, "/a").expect(200).expect_body(b"old");
        // What is stored may not answer this one (RFC 9111 s3.5).
        let shows = get("/a").with("Authorization", "Basic YTpi");
        fetch(server, &shows).expect(503);
        let part = fetch(server, &get("/a").with("Range", "bytes=1-2"));
        part.expect(206).expect_body(b"ld");
        gate.open();
        other.fetched("GET").expect(200);
        assert_eq!(origin.asked_for("/a").len(), 1);
    }
);

before_an_origin!(
    rfc9111_s5_2_2_2_must_revalidate_and_its_kin_are_never_sent_stale,
    Site::ruled("stale_if_error = \"1h\"\nstale_while_revalidate = \"1h\""),
    |origin, server| {
        for directive in [
            "must-revalidate",
            "proxy-revalidate",
            "s-maxage=10",
            "no-cache",
        ] {
            let value = format!("{directive}, stale-if-error=1000, stale-while-revalidate=1000");
            store(origin, server, &value, reply(503).body("failed"));
            fetch_get(server, "/a").expect(503).expect_body(b"failed");
            origin.says(
                "/a",
                reply(200).field("Cache-Control", "no-store").body("new"),
            );
            fetch_get(server, "/a").expect_body(b"new");
        }
    }
);

before_an_origin!(
    rfc9111_s5_2_2_2_must_revalidate_of_an_origin_that_is_down_is_an_error,
    Site::plain(),
    |origin, server| {
        let value = "must-revalidate, stale-if-error=1000";
        store(origin, server, value, reply(200).body("new"));
        origin.go_down();
        fetch_get(server, "/a").expect_one_of(&[502, 504]);
    }
);

before_an_origin!(
    rfc5861_s3_stale_while_revalidate_answers_at_once_and_refreshes_once,
    Site::plain(),
    |origin, server| {
        let gate = Gate::new();
        let then = reply(200).max_age(60).field("ETag", "\"2\"").wait(&gate);
        store(
            origin,
            server,
            "stale-while-revalidate=1000",
            then.body("new"),
        );
        for _ in 0..10 {
            let answer = fetch_get(server, "/a");
            answer.expect(200).expect_body(b"old");
            expect_outcome(&answer, &["hit", "detail=stale-while-revalidate"]);
        }
        gate.await_reached(1);
        assert_eq!(origin.asked().len(), 2);
        assert_eq!(origin.asked()[1].field("if-none-match"), Some("\"1\""));
        gate.open();
        eventually(Duration::from_secs(20), "the refresh lands", || {
            let answer = fetch_get(server, "/a");
            expect_hit(&answer);
            answer.body == b"new"
        });
        assert_eq!(origin.asked().len(), 2);
    }
);

before_an_origin!(
    rfc5861_s3_what_a_head_was_answered_with_is_refreshed_by_a_get,
    Site::plain(),
    |origin, server| {
        let then = reply(200).max_age(60).field("ETag", "\"2\"").body("new");
        store(origin, server, "stale-while-revalidate=1000", then);
        fetch(server, &head("/a")).expect(200);
        assert_eq!(origin.await_asked(2)[1].method, "GET");
        eventually(Duration::from_secs(20), "the refresh lands", || {
            fetch_get(server, "/a").expect(200).body == b"new"
        });
        assert_eq!(origin.asked().len(), 2);
    }
);

before_an_origin!(
    rfc5861_s3_a_refresh_that_found_no_place_may_be_tried_again,
    Site::plain().fill("fills = 1"),
    |origin, server| {
        let then = reply(200).max_age(60).body("new");
        store(origin, server, "stale-while-revalidate=1000", then);
        let gate = Gate::new();
        origin.says("/slow", reply(200).wait(&gate).body("slow"));
        let mut other = server.connect();
        other.send(get("/slow").bytes());
        gate.await_reached(1);
        // All places are taken: this one's refresh comes to nothing.
        fetch_get(server, "/a").expect(200).expect_body(b"old");
        gate.open();
        other.fetched("GET").expect(200);
        eventually(Duration::from_secs(20), "a later refresh lands", || {
            fetch_get(server, "/a").expect(200).body == b"new"
        });
    }
);

before_an_origin!(
    rfc5861_s3_a_refresh_that_fails_may_be_tried_again,
    Site::plain(),
    |origin, server| {
        let value = "stale-while-revalidate=1000";
        store(origin, server, value, reply(500).body("failed"));
        fetch_get(server, "/a").expect(200).expect_body(b"old");
        origin.await_asked(2);
        origin.says("/a", reply(200).max_age(60).body("new"));
        eventually(Duration::from_secs(20), "the next refresh lands", || {
            let answer = fetch_get(server, "/a");
            answer.expect(200);
            answer.body == b"new"
        });
    }
);

before_an_origin!(
    rfc5861_s3_a_refresh_that_is_confirmed_makes_the_response_fresh,
    Site::plain(),
    |origin, server| {
        let then = reply(304).max_age(60).field("ETag", "\"1\"").end();
        store(origin, server, "stale-while-revalidate=1000", then);
        fetch_get(server, "/a").expect(200).expect_body(b"old");
        eventually(Duration::from_secs(20), "the refresh lands", || {
            let answer = fetch_get(server, "/a");
            answer.expect(200).expect_body(b"old");
            outcome(&answer).contains(&"detail=max-age".to_owned())
        });
        assert_eq!(origin.asked().len(), 2);
    }
);

before_an_origin!(
    rfc5861_s3_beyond_its_time_the_request_waits_for_the_origin,
    Site::plain(),
    |origin, server| {
        let value = "stale-while-revalidate=20";
        store(origin, server, value, reply(200).max_age(60).body("new"));
        let answer = fetch_get(server, "/a");
        answer.expect(200).expect_body(b"new");
        expect_forward(&answer, "stale");
    }
);

before_an_origin!(
    rfc9111_s5_2_1_7_a_hit_that_only_stored_responses_may_answer_is_refreshed_too,
    Site::plain(),
    |origin, server| {
        let new = reply(200).max_age(100).field("ETag", "\"2\"").body("new");
        store(origin, server, "stale-while-revalidate=1000", new);
        let stored_only = get("/a").with("Cache-Control", "only-if-cached");
        fetch(server, &stored_only).expect(200).expect_body(b"old");
        let refresh = &origin.await_asked(2)[1];
        assert_eq!(refresh.field("cache-control"), None);
        eventually(Duration::from_secs(20), "the new one is there", || {
            fetch(server, &stored_only).body == b"new"
        });
    }
);
