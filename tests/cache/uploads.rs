//! Requests with bodies: passed on as they come, at the origin's pace.

use std::time::Duration;

use crate::harness::origin::{Gate, content, reply};
use crate::harness::{Broken, Request, Server, get, pause};
use crate::site::{Site, expect_forward, fetch, fetch_get};

/// More than pipe and sockets hold together.
const LARGE: u64 = 3_000_000;

fn post(path: &str) -> Request {
    Request::new("POST", path)
}

/// A body in chunks.
fn chunked(body: &[u8], step: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in body.chunks(step) {
        bytes.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        bytes.extend_from_slice(piece);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

before_an_origin!(
    bodies_of_known_length_reach_the_origin_whole,
    Site::plain(),
    |origin, server| {
        origin.otherwise(|asked| reply(200).body(asked.body.clone()));
        let mut client = server.connect();
        for size in [0, 1, 1_000, 70_000, 200_000] {
            let body = content(1, 0..size);
            let answer = client.fetch(&post("/a").body(&body));
            answer.expect(200).expect_body(&body);
            expect_forward(&answer, "method");
        }
        for asked in origin.asked() {
            assert_eq!(asked.method, "POST");
            assert!(asked.is_whole);
            let length = asked.body.len().to_string();
            assert_eq!(asked.field("content-length"), Some(length.as_str()));
        }
    }
);

before_an_origin!(
    megabytes_pass_in_both_directions,
    Site::plain(),
    |origin, server| {
        origin.otherwise(|asked| reply(200).body(asked.body.clone()));
        let mut client = server.connect();
        for size in [257 << 10, 400_000, LARGE] {
            let body = content(1, 0..size);
            let answer = client.fetch(&post("/a").body(&body));
            answer.expect(200).expect_body(&body);
        }
    }
);

before_an_origin!(
    bodies_in_chunks_reach_the_origin_in_chunks,
    Site::plain(),
    |origin, server| {
        origin.otherwise(|asked| reply(200).body(asked.body.clone()));
        let mut client = server.connect();
        for (size, step) in [
            (0, 1),
            (1, 1),
            (1_000, 3),
            (200_000, 9_999),
            (LARGE, 50_000),
        ] {
            let body = content(1, 0..size);
            let head = post("/a").with("Transfer-Encoding", "chunked");
            client.send(head.bytes());
            client.send(chunked(&body, step));
            let answer = client.fetched("POST");
            answer.expect(200).expect_body(&body);
        }
        for asked in origin.asked() {
            assert_eq!(asked.field("transfer-encoding"), Some("chunked"));
            assert_eq!(asked.field("content-length"), None);
        }
    }
);

before_an_origin!(
    rfc9110_s10_1_1_expect_is_answered_before_the_body_comes,
    Site::plain(),
    |origin, server| {
        origin.otherwise(|asked| reply(200).body(asked.body.clone()));
        let mut client = server.connect();
        let head = post("/a")
            .with("Expect", "100-continue")
            .with("Content-Length", "5");
        client.send(head.bytes());
        client.head().expect("a head").expect(100);
        client.send("hello");
        let answer = client.fetched("POST");
        answer.expect(200).expect_body(b"hello");
        // And for the next request on the same connection.
        let answer = client.fetch(&post("/b").body(b"world"));
        answer.expect(200).expect_body(b"world");
    }
);

before_an_origin!(
    an_origin_that_reads_late_has_its_client_wait,
    Site::plain(),
    |origin, server| {
        let gate = Gate::new();
        let late = gate.clone();
        origin.on_head("/a", move |_| {
            reply(200).wait(&late).read_rest().body("taken")
        });
        let before = server.process().private_bytes();
        let mut client = server.connect();
        let size: u64 = 200_000_000;
        client.send(post("/a").with("Content-Length", &size.to_string()).bytes());
        gate.await_reached(1);
        // Sends until nobody takes any more; far less than the body fits on the way.
        client.stream().set_nonblocking(true).expect("a mode");
        let mut sent = 0;
        let piece = content(1, 0..1 << 20);
        let mut full = 0;
        while full < 20 {
            use std::io::Write as _;
            let at = usize::try_from(sent % (1 << 20)).expect("small");
            match client.stream().write(&piece[at..]) {
                Ok(count) => {
                    sent += count as u64;
                    full = 0;
                }
                Err(_) => {
                    full += 1;
                    crate::harness::pause(std::time::Duration::from_millis(20));
                }
            }
            assert!(sent < 60_000_000, "nobody waits");
        }
        let grown = server.process().private_bytes().saturating_sub(before);
        assert!(grown < 8 << 20, "{grown} bytes");
        client.stream().set_nonblocking(false).expect("a mode");
        gate.open();
        while sent < size {
            let at = usize::try_from(sent % (1 << 20)).expect("small");
            let end = usize::try_from((size - sent).min((1 << 20) - at as u64)).expect("small");
            client.send(&piece[at..at + end]);
            sent += end as u64;
        }
        client.fetched("POST").expect(200).expect_body(b"taken");
        let grown = server.process().private_bytes().saturating_sub(before);
        assert!(grown < 16 << 20, "{grown} bytes");
    }
);

before_an_origin!(
    an_answer_before_the_body_is_over_reaches_the_client,
    Site::plain(),
    |origin, server| {
        origin.on_head("/a", |_| {
            // One that closes with bytes unread resets the connection, its own answer included.
            let said = reply(413).field("Connection", "close");
            said.body("too large").await_close()
        });
        let mut client = server.connect();
        client.send(post("/a").with("Content-Length", "50000000").bytes());
        client.send(content(1, 0..1_000));
        let answer = client.fetched("POST");
        answer.expect(413).expect_body(b"too large");
        assert!(answer.closes(), "{answer}");
    }
);

before_an_origin!(
    a_client_that_breaks_off_takes_its_request_along,
    Site::plain(),
    |origin, server| {
        origin.on_head("/a", |_| reply(200).read_rest().body("taken"));
        origin.says("/b", reply(200).body("fine"));
        for size in [0, 1_000, 100_000] {
            origin.forget();
            let mut client = server.connect();
            client.send(post("/a").with("Content-Length", "50000000").bytes());
            client.send(content(1, 0..size));
            origin.await_asked_for("/a", 1);
            client.reset();
            crate::harness::eventually(
                std::time::Duration::from_secs(20),
                "the origin's connection ends",
                || origin.open_connections() == 0,
            );
            assert!(!origin.asked_for("/a")[0].is_whole);
            fetch_get(server, "/b").expect(200).expect_body(b"fine");
            origin.close_connections();
        }
    }
);

before_an_origin!(
    requests_with_bodies_are_sent_once,
    Site::plain(),
    |origin, server| {
        origin.says("/a", reply(200).body("warm"));
        fetch_get(server, "/a").expect(200);
        origin.says("/a", reply(200).close());
        origin.forget();
        fetch(server, &post("/a").body(b"x")).expect(502);
        assert_eq!(origin.asked().len(), 1);
    }
);

before_an_origin!(
    connection_goes_on_behind_a_body,
    Site::plain(),
    |origin, server| {
        origin.otherwise(|asked| reply(200).max_age(60).body(asked.body.clone()));
        let mut client = server.connect();
        let mut bytes = post("/a").body(b"one").bytes();
        bytes.extend(get("/b").bytes());
        bytes.extend(post("/c").body(b"three").bytes());
        client.send(bytes);
        client.fetched("POST").expect(200).expect_body(b"one");
        client.fetched("GET").expect(200).expect_body(b"");
        client.fetched("POST").expect(200).expect_body(b"three");
    }
);

/// Sends a request that must be refused, and not reach the origin whole.
fn expect_refused(server: &Server, bytes: &[u8]) {
    let mut client = server.connect();
    client.send(bytes);
    match client.try_fetched("POST") {
        Ok(answer) => {
            answer.expect_one_of(&[400, 411, 413, 501, 502]);
        }
        Err(Broken::Late(_)) => panic!("stuck"),
        Err(_) => {}
    }
}

before_an_origin!(
    a_body_in_broken_chunks_never_reaches_the_origin_whole,
    Site::plain(),
    |origin, server| {
        origin.on_head("/a", |_| reply(200).read_rest().body("taken"));
        let head = "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        for body in ["5\r\nhelloX", "zz\r\n", "5\r\nhello\r\n-1\r\n"] {
            expect_refused(server, format!("{head}{body}").as_bytes());
        }
        assert!(origin.asked().iter().all(|asked| !asked.is_whole));
    }
);

before_an_origin!(
    time_of_an_upload_begins_with_its_last_byte,
    Site::plain().fill("fill_timeout = \"1s\""),
    |origin, server| {
        origin.otherwise(|asked| reply(200).body(asked.body.clone()));
        let mut client = server.connect();
        for framing in [("Content-Length", "7"), ("Transfer-Encoding", "chunked")] {
            client.send(post("/a").with(framing.0, framing.1).bytes());
            for letter in "3-secs!".chars() {
                let chunk = format!("1\r\n{letter}\r\n");
                let is_chunked = framing.1 == "chunked";
                client.send(if is_chunked {
                    chunk
                } else {
                    letter.to_string()
                });
                pause(Duration::from_millis(450));
            }
            if framing.1 == "chunked" {
                client.send("0\r\n\r\n");
            }
            client.fetched("POST").expect(200).expect_body(b"3-secs!");
        }
        // From then on it is the origin's.
        let gate = Gate::new();
        origin.says("/late", reply(200).wait(&gate).body("late"));
        client.fetch(&post("/late").body(b"x")).expect(504);
        gate.open();
    }
);
