//! Informational (1xx) responses of the origin (RFC 9110 s15.2): to the client whose request it is, and nowhere else.

use crate::harness::origin::{Gate, Reply, reply};
use crate::harness::{Answer, Client, Request, Server, get};
use crate::site::{Site, expect_forward, expect_hit, fetch_get};

/// The next head on a connection, whatever its status.
#[track_caller]
fn next(client: &mut Client) -> Answer {
    client.head().expect("a head")
}

/// The final answer, before which nothing else may come.
#[track_caller]
fn final_at_once(client: &mut Client, method: &str) -> Answer {
    let mut answer = next(client);
    assert!(answer.status >= 200, "{answer}");
    answer.body = client.body(method, &answer).expect("a body");
    answer
}

/// A counter's value on the admin address.
fn counted(server: &Server, fate: &str) -> u64 {
    let metrics = server.ask_admin(&get("/metrics"));
    let text = String::from_utf8(metrics.body).expect("text");
    let name = format!("hotplate_informational_responses_total{{fate=\"{fate}\"}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&name));
    line.expect("the counter").parse().expect("a number")
}

/// 103, then what waits at the gate.
fn hinted(gate: &Gate) -> Reply {
    reply(200)
        .max_age(60)
        .informational(103, &[("Link", "</a.css>; rel=preload")])
        .wait(gate)
}

before_an_origin!(
    rfc9110_s15_2_informational_responses_reach_the_client_before_the_final_one,
    Site::plain(),
    |origin, server| {
        let gate = Gate::new();
        let said = reply(200)
            .max_age(60)
            .informational(102, &[])
            .informational(
                103,
                &[
                    ("Link", "</a.css>; rel=preload"),
                    ("Connection", "X-Hop"),
                    ("X-Hop", "1"),
                    ("Keep-Alive", "timeout=5"),
                ],
            )
            .wait(&gate);
        origin.says("/a", said.body("hello"));
        let mut client = server.connect();
        client.send(get("/a").bytes());
        next(&mut client).expect(102);
        let hint = next(&mut client);
        hint.expect(103);
        assert_eq!(hint.needs("link"), "</a.css>; rel=preload");
        for name in ["connection", "x-hop", "keep-alive", "cache-status"] {
            assert_eq!(hint.field(name), None, "{hint}");
        }
        gate.open();
        let answer = final_at_once(&mut client, "GET");
        answer.expect(200).expect_body(b"hello");
        assert_eq!(answer.field("link"), None, "{answer}");
        // What is stored has nothing of them.
        client.send(get("/a").bytes());
        let hit = final_at_once(&mut client, "GET");
        hit.expect(200).expect_body(b"hello");
        assert_eq!(hit.field("link"), None, "{hit}");
        expect_hit(&hit);
        assert_eq!(counted(server, "passed"), 2);
    }
);

before_an_origin!(
    rfc9110_s15_2_who_waits_for_anothers_answer_gets_no_informational_response,
    Site::plain(),
    |origin, server| {
        let gate = Gate::new();
        origin.says("/a", hinted(&gate).body("hello"));
        let mut first = server.connect();
        first.send(get("/a").bytes());
        next(&mut first).expect(103);
        let mut second = server.connect();
        second.send(get("/a").bytes());
        crate::harness::eventually(
            std::time::Duration::from_secs(20),
            "the second waits",
            || {
                let metrics = server.ask_admin(&get("/metrics"));
                String::from_utf8_lossy(&metrics.body).contains("hotplate_fetches_waiting 1")
            },
        );
        gate.open();
        for client in [&mut first, &mut second] {
            final_at_once(client, "GET").expect_body(b"hello");
        }
        assert_eq!(origin.asked().len(), 1);
    }
);

before_an_origin!(
    rfc9110_s15_2_an_http_1_0_client_gets_no_informational_response,
    Site::plain(),
    |origin, server| {
        let gate = Gate::new();
        gate.open();
        origin.says("/a", hinted(&gate).body("hello"));
        let mut client = server.connect();
        client.send(get("/a").http10().with("Host", "media.test").bytes());
        final_at_once(&mut client, "GET").expect_body(b"hello");
        assert_eq!(counted(server, "kept"), 1);
    }
);

before_an_origin!(
    informational_responses_beyond_eight_and_large_ones_are_dropped,
    Site::plain(),
    |origin, server| {
        let mut said = reply(200).informational(103, &[("X-Large", &"x".repeat(9 << 10))]);
        for number in 0..12 {
            said = said.informational(103, &[("X-Number", &number.to_string())]);
        }
        origin.says("/a", said.body("hello"));
        let mut client = server.connect();
        client.send(get("/a").bytes());
        for number in 0..8 {
            let hint = next(&mut client);
            hint.expect(103);
            assert_eq!(hint.needs("x-number"), number.to_string());
        }
        final_at_once(&mut client, "GET").expect_body(b"hello");
        assert_eq!(counted(server, "passed"), 8);
        assert_eq!(counted(server, "dropped"), 5);
    }
);

before_an_origin!(
    rfc9110_s10_1_1_a_client_that_expects_100_gets_one_and_that_is_ours,
    Site::plain(),
    |origin, server| {
        origin.on_head("/a", |_| {
            let said = reply(200).informational(100, &[("X-Origin", "1")]);
            said.read_rest().informational(103, &[]).body("taken")
        });
        let mut client = server.connect();
        let head = Request::new("POST", "/a")
            .with("Expect", "100-continue")
            .with("Content-Length", "5");
        client.send(head.bytes());
        let go_on = next(&mut client);
        go_on.expect(100);
        assert_eq!(go_on.field("x-origin"), None, "{go_on}");
        client.send("hello");
        next(&mut client).expect(103);
        final_at_once(&mut client, "POST").expect_body(b"taken");
        assert_eq!(origin.asked()[0].field("expect"), None);
        assert_eq!(counted(server, "kept"), 1);
    }
);

before_an_origin!(
    informational_responses_stand_behind_the_answers_to_earlier_requests,
    Site::plain(),
    |origin, server| {
        let gate = Gate::new();
        origin.says("/a", reply(200).max_age(60).body("first"));
        origin.says("/b", hinted(&gate).body("second"));
        fetch_get(server, "/a").expect(200);
        let mut client = server.connect();
        let requests = [get("/a"), get("/b"), get("/a")];
        client.send(requests.map(|request| request.bytes()).concat());
        expect_hit(&final_at_once(&mut client, "GET"));
        next(&mut client).expect(103);
        gate.open();
        let second = final_at_once(&mut client, "GET");
        second.expect_body(b"second");
        expect_forward(&second, "uri-miss");
        expect_hit(&final_at_once(&mut client, "GET"));
    }
);
