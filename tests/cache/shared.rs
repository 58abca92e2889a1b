//! Who shares a flight with whom, and for how long a URL's requests go on alone (RFC 9111 s4): one client's request must not keep
//! those of others from sharing theirs.

use std::time::Duration;

use crate::harness::origin::{Gate, reply};
use crate::harness::{Client, Request, Server, eventually, get, pattern};
use crate::site::{Site, expect_hit, expect_outcome, fetch, fetch_get};

/// How many clients come at once.
const CLIENTS: usize = 20;

/// Clients that have all sent this request.
fn crowd(server: &Server, request: &Request) -> Vec<Client> {
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send(request.bytes());
    }
    clients
}

/// Sends a request and leaves it with the origin.
fn send(server: &Server, request: &Request) -> Client {
    let mut client = server.connect();
    client.send(request.bytes());
    client
}

/// Returns when so many wait for the answer to another's request.
#[track_caller]
fn await_waiting(server: &Server, count: usize) {
    let line = format!("hotplate_fetches_waiting {count}\n");
    eventually(Duration::from_secs(20), &line, || {
        let page = server.ask_admin(&get("/metrics"));
        String::from_utf8_lossy(&page.body).contains(&line)
    });
}

#[track_caller]
fn expect_all(clients: &mut [Client], body: &[u8]) {
    for client in clients {
        client.fetched("GET").expect(200).expect_body(body);
    }
}

/// Has the server forget what is stored, but not which keys go on alone.
fn forget(server: &Server) {
    let purge = Request::new("POST", "/api/purge").body(br#"{"all": true}"#);
    server.ask_admin(&purge).expect(200);
}

before_an_origin!(
    rfc9111_s3_5_a_request_with_authorization_keeps_nobody_waiting_or_alone,
    Site::plain(),
    |origin, server| {
        let (shown, plain) = (Gate::new(), Gate::new());
        let gates = (shown.clone(), plain.clone());
        origin.on("/a", move |asked| {
            let said = reply(200).max_age(60);
            match asked.field("authorization") {
                Some(_) => said.wait(&gates.0).body("secret"),
                None => said.wait(&gates.1).body("open"),
            }
        });
        let shows = get("/a").with("Authorization", "Basic YTpi");
        let mut first = send(server, &shows);
        shown.await_reached(1);
        let mut clients = crowd(server, &get("/a"));
        plain.await_reached(1);
        await_waiting(server, CLIENTS - 1);
        plain.open();
        expect_all(&mut clients, b"open");
        shown.open();
        first.fetched("GET").expect_body(b"secret");
        assert_eq!(origin.asked().len(), 2);
        // Nor is there anything to remember of it.
        forget(server);
        expect_all(&mut crowd(server, &get("/a")), b"open");
        assert_eq!(origin.asked().len(), 3);
    }
);

before_an_origin!(
    rfc9111_s3_5_requests_with_authorization_share_what_may_be_shared,
    Site::plain(),
    |origin, server| {
        let gate = Gate::new();
        let said = reply(200).field("Cache-Control", "public, max-age=60");
        origin.says("/a", said.wait(&gate).body("hello"));
        let shows = get("/a").with("Authorization", "Basic YTpi");
        let mut clients = crowd(server, &shows);
        gate.await_reached(1);
        await_waiting(server, CLIENTS - 1);
        gate.open();
        expect_all(&mut clients, b"hello");
        assert_eq!(origin.asked().len(), 1);
    }
);

before_an_origin!(
    rfc9111_s5_2_1_5_a_request_with_no_store_keeps_nobody_waiting_or_alone,
    Site::plain(),
    |origin, server| {
        let (kept, plain) = (Gate::new(), Gate::new());
        let gates = (kept.clone(), plain.clone());
        origin.on("/a", move |asked| {
            let said = reply(200).max_age(60);
            match asked.field("cache-control") {
                Some(_) => said.wait(&gates.0).body("kept"),
                None => said.wait(&gates.1).body("open"),
            }
        });
        let keeps = get("/a").with("Cache-Control", "no-store, max-age=0");
        let mut first = send(server, &keeps);
        kept.await_reached(1);
        let mut clients = crowd(server, &get("/a"));
        plain.await_reached(1);
        await_waiting(server, CLIENTS - 1);
        // It may have what others fetch all the same.
        let mut joins = send(server, &keeps);
        await_waiting(server, CLIENTS);
        plain.open();
        expect_all(&mut clients, b"open");
        joins.fetched("GET").expect_body(b"open");
        kept.open();
        first.fetched("GET").expect_body(b"kept");
        assert_eq!(origin.asked().len(), 2);
        forget(server);
        expect_all(&mut crowd(server, &get("/a")), b"open");
        assert_eq!(origin.asked().len(), 3);
    }
);

before_an_origin!(
    a_range_behind_the_end_lets_those_who_wait_for_it_share_the_next_answer,
    Site::plain(),
    |origin, server| {
        let gate = Gate::new();
        let opened = gate.clone();
        origin.on("/a", move |asked| match asked.field("range") {
            Some(_) => reply(416).wait(&opened).body("no"),
            None => reply(200).max_age(60).body("hello"),
        });
        let mut first = send(server, &get("/a").with("Range", "bytes=5000000-"));
        gate.await_reached(1);
        let mut clients = crowd(server, &get("/a"));
        await_waiting(server, CLIENTS);
        gate.open();
        expect_all(&mut clients, b"hello");
        first.fetched("GET").expect(416);
        assert_eq!(origin.asked().len(), 2);
        forget(server);
        expect_all(&mut crowd(server, &get("/a")), b"hello");
        assert_eq!(origin.asked().len(), 3);
    }
);

before_an_origin!(
    an_error_of_a_moment_lets_those_who_wait_for_it_share_the_next_answer,
    Site::plain(),
    |origin, server| {
        let (fails, works) = (Gate::new(), Gate::new());
        let error = reply(503).field("Cache-Control", "no-store");
        origin.queue(
            "/a",
            [
                error.wait(&fails).body("failed"),
                reply(200).max_age(60).wait(&works).body("hello"),
            ],
        );
        let mut first = send(server, &get("/a"));
        fails.await_reached(1);
        let mut clients = crowd(server, &get("/a"));
        await_waiting(server, CLIENTS);
        fails.open();
        first.fetched("GET").expect(503).expect_body(b"failed");
        works.await_reached(1);
        await_waiting(server, CLIENTS - 1);
        works.open();
        expect_all(&mut clients, b"hello");
        assert_eq!(origin.asked().len(), 2);
    }
);

before_an_origin!(
    rfc5861_s4_an_error_is_asked_for_once_where_a_stale_response_stands_in,
    Site::plain(),
    |origin, server| {
        let gate = Gate::new();
        let stale = reply(200).field("Cache-Control", "max-age=1, stale-if-error=1000");
        let stale = stale.field("Age", "100").field("ETag", "\"1\"").body("old");
        origin.queue("/a", [stale, reply(503).wait(&gate).body("failed")]);
        fetch_get(server, "/a").expect(200);
        let mut clients = crowd(server, &get("/a"));
        gate.await_reached(1);
        await_waiting(server, CLIENTS - 1);
        gate.open();
        expect_all(&mut clients, b"old");
        assert_eq!(origin.asked().len(), 2);
    }
);

before_an_origin!(
    the_first_answer_that_is_stored_ends_that_requests_go_on_alone,
    Site::plain(),
    |origin, server| {
        let gate = Gate::new();
        let then = reply(200).max_age(60);
        origin.queue(
            "/a",
            [
                reply(200).field("Cache-Control", "no-store").body("one"),
                then.clone().body("two"),
                then.wait(&gate).body("three"),
            ],
        );
        fetch_get(server, "/a").expect_body(b"one");
        fetch_get(server, "/a").expect_body(b"two");
        expect_hit(&fetch_get(server, "/a"));
        forget(server);
        let mut clients = crowd(server, &get("/a"));
        gate.await_reached(1);
        await_waiting(server, CLIENTS - 1);
        gate.open();
        expect_all(&mut clients, b"three");
        assert_eq!(origin.asked().len(), 3);
    }
);

before_an_origin!(
    rfc9111_s4_1_each_variant_is_asked_for_once,
    Site::plain(),
    |origin, server| {
        let gate = Gate::new();
        let opened = gate.clone();
        origin.on("/a", move |asked| {
            let language = asked.field("accept-language").unwrap_or("none").to_owned();
            let said = reply(200).max_age(60).field("Vary", "Accept-Language");
            said.wait(&opened).body(language)
        });
        let languages = ["de", "fr", "it"];
        let asks = |language: &str| get("/a").with("Accept-Language", language);
        let mut clients: Vec<(&str, Client)> = (0..CLIENTS)
            .map(|number| languages[number % languages.len()])
            .map(|language| (language, send(server, &asks(language))))
            .collect();
        gate.await_reached(1);
        await_waiting(server, CLIENTS - 1);
        gate.open();
        for (language, client) in &mut clients {
            let answer = client.fetched("GET");
            answer.expect(200).expect_body(language.as_bytes());
        }
        assert_eq!(origin.asked().len(), languages.len());
    }
);

before_an_origin!(
    rfc9111_s4_1_where_it_is_known_what_varies_no_variant_waits_for_another,
    Site::plain(),
    |origin, server| {
        let gate = Gate::new();
        let opened = gate.clone();
        origin.on("/a", move |asked| {
            let language = asked.field("accept-language").unwrap_or("none").to_owned();
            let said = reply(200).max_age(60).field("Vary", "Accept-Language");
            match language.as_str() {
                "fr" => said.wait(&opened).body(language),
                _ => said.body(language),
            }
        });
        let asks = |language: &str| get("/a").with("Accept-Language", language);
        fetch(server, &asks("de")).expect_body(b"de");
        let mut slow = crowd(server, &asks("fr"));
        gate.await_reached(1);
        await_waiting(server, CLIENTS - 1);
        fetch(server, &asks("it")).expect_body(b"it");
        gate.open();
        expect_all(&mut slow, b"fr");
        assert_eq!(origin.asked().len(), 3);
    }
);

before_an_origin!(
    rfc9111_s5_2_2_4_what_is_validated_each_time_is_queued_for_once,
    Site::plain(),
    |origin, server| {
        let gates = [Gate::new(), Gate::new()];
        let [first, then] = gates.clone();
        origin.on("/a", move |asked| {
            let said = |status| {
                let said = reply(status).field("Cache-Control", "no-cache");
                said.field("ETag", "\"1\"")
            };
            match (asked.number, asked.field("if-none-match")) {
                (0, _) => said(200).wait(&first).body(pattern(100_000, 1)),
                (CLIENTS.., Some(_)) => said(304).wait(&then).end(),
                (_, Some(_)) => said(304).end(),
                _ => said(200).body("not validated"),
            }
        });
        let mut clients = crowd(server, &get("/a"));
        gates[0].await_reached(1);
        await_waiting(server, CLIENTS - 1);
        gates[0].open();
        expect_all(&mut clients, &pattern(100_000, 1));
        assert_eq!(origin.asked().len(), CLIENTS);
        // All of these are with the origin at once.
        let mut clients = crowd(server, &get("/a"));
        gates[1].await_reached(CLIENTS);
        gates[1].open();
        expect_all(&mut clients, &pattern(100_000, 1));
        // A part of it is validated and comes from the store, too.
        let part = fetch(server, &get("/a").with("Range", "bytes=5-9"));
        part.expect(206).expect_body(&pattern(100_000, 1)[5..10]);
        expect_outcome(&part, &["fwd-status=304"]);
    }
);

before_an_origin!(
    rfc5861_s3_who_waits_gets_what_may_be_sent_stale_from_the_start,
    Site::plain(),
    |origin, server| {
        let gate = Gate::new();
        let said = reply(200).field("Cache-Control", "max-age=0, stale-while-revalidate=1000");
        let said = said.field("ETag", "\"1\"");
        origin.says("/a", said.wait(&gate).body("hello"));
        let mut clients = crowd(server, &get("/a"));
        gate.await_reached(1);
        await_waiting(server, CLIENTS - 1);
        gate.open();
        expect_all(&mut clients, b"hello");
        assert_eq!(origin.asked().len(), 1);
    }
);

before_an_origin!(
    rfc9111_s5_2_1_4_reloads_share_an_answer_that_was_asked_for_after_them,
    Site::plain(),
    |origin, server| {
        let gate = Gate::new();
        let said = reply(200).max_age(60).field("ETag", "\"1\"");
        origin.queue(
            "/a",
            [
                said.clone().body("old"),
                said.clone().wait(&gate).body("first"),
                said.body("second"),
            ],
        );
        fetch_get(server, "/a").expect_body(b"old");
        let mut first = send(server, &get("/a").with("Cache-Control", "no-cache"));
        gate.await_reached(1);
        // The origin has been asked already: what it says then is not for those who come now.
        let mut clients = crowd(server, &get("/a").with("Cache-Control", "no-cache"));
        clients.extend(crowd(server, &get("/a").with("Pragma", "no-cache")));
        await_waiting(server, 2 * CLIENTS);
        // Who does not insist is answered meanwhile.
        expect_hit(&fetch_get(server, "/a"));
        gate.open();
        first.fetched("GET").expect_body(b"first");
        for client in &mut clients {
            let answer = client.fetched("GET");
            answer.expect(200).expect_body(b"second");
        }
        assert_eq!(origin.asked().len(), 3);
    }
);

before_an_origin!(
    rfc9111_s5_2_1_4_a_crowd_of_reloads_is_two_requests,
    Site::plain(),
    |origin, server| {
        let gate = Gate::new();
        origin.on("/a", {
            let gate = gate.clone();
            move |asked| match asked.field("if-none-match") {
                Some(_) => reply(304)
                    .max_age(60)
                    .field("ETag", "\"1\"")
                    .wait(&gate)
                    .end(),
                None => reply(200).max_age(60).field("ETag", "\"1\"").body("hello"),
            }
        });
        fetch_get(server, "/a").expect(200);
        let mut clients = crowd(server, &get("/a").with("Cache-Control", "no-cache"));
        gate.await_reached(1);
        await_waiting(server, CLIENTS - 1);
        gate.open();
        expect_all(&mut clients, b"hello");
        assert_eq!(origin.asked().len(), 3);
    }
);

// The time that they had waited for the first flight was taken off the second: they got 504 before an answer that came in time.
before_an_origin!(
    reloads_that_wait_for_a_second_flight_have_its_whole_time,
    Site::plain().fill("fill_timeout = \"3s\""),
    |origin, server| {
        let slow = reply(200).max_age(60).pause(Duration::from_secs(2));
        origin.says("/a", slow.body("hello"));
        let mut first = send(server, &get("/a"));
        origin.await_asked(1);
        let mut clients = crowd(server, &get("/a").with("Cache-Control", "no-cache"));
        expect_all(&mut clients, b"hello");
        first.fetched("GET").expect(200).expect_body(b"hello");
        assert_eq!(origin.asked().len(), 2);
    }
);
