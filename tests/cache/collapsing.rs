//! Requests for the same at the same time (RFC 9111 s4): one of them asks.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::harness::origin::{Gate, content, reply};
use crate::harness::{Client, Server, Setup, eventually, get, pattern};
use crate::site::{Site, expect_hit, expect_outcome, fetch, fetch_get, outcome};

/// How long the disk store may take for what it does after an answer.
const SOON: Duration = Duration::from_secs(20);

/// How many clients come at once.
const CLIENTS: usize = 50;

/// Clients that have all sent the same request.
fn crowd(server: &Server, path: &str) -> Vec<Client> {
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send(get(path).bytes());
    }
    clients
}

before_an_origin!(
    rfc9111_s4_fifty_requests_for_one_key_ask_the_origin_once,
    Site::plain(),
    |origin, server| {
        for size in [5, 100_000, 2_000_000] {
            let path = format!("/{size}");
            let gate = Gate::new();
            let said = reply(200).max_age(60).wait(&gate);
            origin.says(&path, said.body(pattern(size, 1)));
            let mut clients = crowd(server, &path);
            gate.await_reached(1);
            gate.open();
            let mut outcomes = BTreeMap::new();
            for client in &mut clients {
                let answer = client.fetched("GET");
                answer.expect(200).expect_body(&pattern(size, 1));
                let outcome = outcome(&answer);
                let kind = ["stored", "collapsed", "hit"]
                    .into_iter()
                    .find(|kind| outcome.iter().any(|known| known == kind))
                    .unwrap_or_else(|| panic!("{answer}"));
                *outcomes.entry(kind).or_insert(0) += 1;
            }
            assert_eq!(origin.asked_for(&path).len(), 1, "{outcomes:?}");
            assert_eq!(outcomes.get("stored"), Some(&1), "{outcomes:?}");
        }
    }
);

before_an_origin!(
    rfc9111_s4_who_waited_for_another_is_told_so,
    Site::plain(),
    |origin, server| {
        let gate = Gate::new();
        origin.says("/a", reply(200).max_age(60).wait(&gate).body("hello"));
        origin.says("/b", reply(200).body(""));
        let mut first = server.connect();
        first.send(get("/a").bytes());
        gate.await_reached(1);
        let mut second = server.connect();
        second.send(get("/a").bytes());
        // Orders are taken in their turn: once this one was answered, the one before it is aboard.
        second.send(get("/b").bytes());
        for _ in 0..3 {
            fetch_get(server, "/b").expect(200);
        }
        gate.open();
        expect_outcome(&first.fetched("GET"), &["fwd=uri-miss", "stored"]);
        let answer = second.fetched("GET");
        answer.expect(200).expect_body(b"hello");
        let outcome = outcome(&answer);
        assert!(
            outcome.contains(&"collapsed".to_owned()) || outcome.contains(&"hit".to_owned()),
            "{answer}"
        );
        second.fetched("GET").expect(200);
        assert_eq!(origin.asked_for("/a").len(), 1);
    }
);

before_an_origin!(
    rfc9111_s4_waiters_go_on_by_themselves_when_the_answer_is_not_shared,
    Site::plain(),
    |origin, server| {
        let head = Gate::new();
        let body = Gate::new();
        let said = reply(200).field("Cache-Control", "no-store").length(10);
        origin.queue(
            "/a",
            [
                said.clone()
                    .wait(&head)
                    .bytes("first")
                    .wait(&body)
                    .bytes("half."),
                said.bytes("second...."),
            ],
        );
        let mut first = server.connect();
        first.send(get("/a").bytes());
        head.await_reached(1);
        let mut clients = crowd(server, "/a");
        head.open();
        // The first one's body is not over before all the others have theirs.
        for client in &mut clients {
            let answer = client.fetched("GET");
            answer.expect(200).expect_body(b"second....");
        }
        body.open();
        first.fetched("GET").expect_body(b"firsthalf.");
        assert_eq!(origin.asked_for("/a").len(), CLIENTS + 1);
    }
);

before_an_origin!(
    a_key_whose_answer_was_not_shared_is_not_queued_for_again,
    Site::plain(),
    |origin, server| {
        let gate = Gate::new();
        let said = reply(200).field("Cache-Control", "no-store");
        origin.queue(
            "/a",
            [said.clone().body("one"), said.wait(&gate).body("two")],
        );
        fetch_get(server, "/a").expect_body(b"one");
        let mut clients = crowd(server, "/a");
        // All of them are with the origin at once.
        gate.await_reached(CLIENTS);
        gate.open();
        for client in &mut clients {
            client.fetched("GET").expect(200).expect_body(b"two");
        }
    }
);

before_an_origin!(
    different_variants_do_not_get_each_others_bytes,
    Site::plain(),
    |origin, server| {
        let gate = Gate::new();
        let opened = gate.clone();
        origin.on("/a", move |asked| {
            let language = asked.field("accept-language").unwrap_or("none").to_owned();
            reply(200)
                .max_age(60)
                .field("Vary", "Accept-Language")
                .wait(&opened)
                .body(language)
        });
        let languages = ["de", "fr", "it", "de", "fr", "it"];
        let mut clients: Vec<Client> = languages
            .iter()
            .map(|language| {
                let mut client = server.connect();
                client.send(get("/a").with("Accept-Language", language).bytes());
                client
            })
            .collect();
        gate.await_reached(1);
        gate.open();
        for (client, language) in clients.iter_mut().zip(languages) {
            let answer = client.fetched("GET");
            answer.expect(200).expect_body(language.as_bytes());
        }
    }
);

before_an_origin!(
    all_who_wait_for_an_origin_that_fails_are_told,
    Site::plain(),
    |origin, server| {
        let gate = Gate::new();
        origin.says("/a", reply(200).wait(&gate).reset());
        let mut first = server.connect();
        first.send(get("/a").bytes());
        gate.await_reached(1);
        let mut clients = crowd(server, "/a");
        gate.open();
        first.fetched("GET").expect(502);
        for client in &mut clients {
            client.fetched("GET").expect(502);
        }
    }
);

before_an_origin!(
    one_crowd_after_the_other_is_answered_from_the_store,
    Site::plain(),
    |origin, server| {
        origin.says("/a", reply(200).max_age(60).made(5, 0..300_000).close());
        for _ in 0..3 {
            for client in &mut crowd(server, "/a") {
                let answer = client.fetched("GET");
                answer.expect(200).expect_body(&content(5, 0..300_000));
            }
        }
        expect_hit(&fetch_get(server, "/a"));
        assert_eq!(origin.asked().len(), 1);
    }
);

/// A client that waits for the answer to another's request for `/a`.
fn behind(server: &Server, language: &str) -> Client {
    let mut waits = server.connect();
    waits.send(get("/a").with("Accept-Language", language).bytes());
    // Orders are taken in their turn: once these were answered, the one before them is aboard.
    for _ in 0..3 {
        fetch_get(server, "/b").expect(200);
    }
    waits
}

before_an_origin!(
    who_waited_in_vain_finds_on_disk_what_is_stored_there,
    Site::ruled("tiers = [\"disk\"]").with(|setup: Setup| {
        // Orders of one worker come one behind the other.
        setup.workers(1).disk(&["size = \"64MiB\""])
    }),
    |origin, server| {
        let gates = [Gate::new(), Gate::new()];
        let closed = gates.clone();
        origin.on("/a", move |asked| {
            let language = asked.field("accept-language").unwrap_or("none").to_owned();
            let said = reply(200).field("Vary", "Accept-Language");
            match language.as_str() {
                "fr" => said.field("Cache-Control", "no-store").wait(&closed[0]),
                "it" => said.max_age(600).wait(&closed[1]),
                _ => said.max_age(600),
            }
            .body(language)
        });
        origin.says("/b", reply(200).field("Cache-Control", "no-store").body(""));
        let asks = |language: &str| get("/a").with("Accept-Language", language);
        for language in ["de", "en"] {
            fetch(server, &asks(language)).expect(200);
            eventually(SOON, "it is on disk alone", || {
                outcome(&fetch(server, &asks(language))).contains(&"hit".to_owned())
            });
        }
        // Another variant is stored meanwhile, or none.
        for (first, gate) in ["it", "fr"].into_iter().zip([&gates[1], &gates[0]]) {
            origin.forget();
            let mut leads = server.connect();
            leads.send(asks(first).bytes());
            gate.await_reached(1);
            let mut waits = behind(server, "de");
            gate.open();
            leads.fetched("GET").expect_body(first.as_bytes());
            let answer = waits.fetched("GET");
            answer.expect(200).expect_body(b"de");
            expect_hit(&answer);
            assert_eq!(origin.asked_for("/a").len(), 1);
        }
    }
);
