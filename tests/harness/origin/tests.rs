//! The origin on its own: it says what its script says, and records what it hears.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::*;

/// A connection that sends text and reads to the end.
fn connect(origin: &Origin) -> TcpStream {
    let stream = TcpStream::connect(origin.address()).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a deadline");
    stream
}

/// What comes back on a connection of its own, up to its end.
fn said(origin: &Origin, request: &str) -> String {
    let mut stream = connect(origin);
    stream.write_all(request.as_bytes()).expect("sent");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("an orderly end");
    String::from_utf8_lossy(&bytes).into_owned()
}

fn closing(method: &str, target: &str, more: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{more}\r\n")
}

#[test]
fn script_of_the_path_answers_and_other_paths_are_404() {
    let origin = Origin::start();
    origin.on("/a", |asked| {
        reply(200).undated().body(asked.target.clone())
    });
    assert_eq!(
        said(&origin, &closing("GET", "/a?b", "")),
        "HTTP/1.1 200 Said\r\nContent-Length: 4\r\n\r\n/a?b"
    );
    assert!(said(&origin, &closing("GET", "/b", "")).starts_with("HTTP/1.1 404 "));
    let asked = origin.await_asked(2);
    assert_eq!((asked[0].connection, asked[1].connection), (0, 1));
    assert_eq!(asked[0].field("HOST"), Some("a"));
    assert_eq!(origin.asked_for("/a").len(), 1);
}

#[test]
fn connection_goes_on_and_a_queue_says_one_reply_after_the_other() {
    let origin = Origin::start();
    origin.queue(
        "/",
        ["one", "two"].map(|text| reply(200).undated().body(text)),
    );
    let mut stream = connect(&origin);
    for text in ["one", "two", "two"] {
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
        let expected = format!("HTTP/1.1 200 Said\r\nContent-Length: 3\r\n\r\n{text}");
        let mut bytes = vec![0; expected.len()];
        stream.read_exact(&mut bytes).unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }
    assert_eq!((origin.connections(), origin.open_connections()), (1, 1));
}

#[test]
fn reply_waits_at_a_gate_until_it_is_opened() {
    let origin = Origin::start();
    let gate = Gate::new();
    origin.says(
        "/",
        reply(200)
            .undated()
            .length(2)
            .bytes("a")
            .wait(&gate)
            .bytes("b"),
    );
    let mut stream = connect(&origin);
    stream
        .write_all(closing("GET", "/", "").as_bytes())
        .unwrap();
    gate.await_reached(1);
    let first = "HTTP/1.1 200 Said\r\nContent-Length: 2\r\n\r\na";
    let mut bytes = vec![0; first.len()];
    stream.read_exact(&mut bytes).unwrap();
    assert_eq!(bytes, first.as_bytes());
    gate.open();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "b");
}

#[test]
fn chunks_trailers_and_informational_responses_are_said_in_order() {
    let origin = Origin::start();
    let script = reply(200)
        .undated()
        .informational(103, &[("Link", "</b>")])
        .chunked()
        .chunk("abc")
        .last_chunk(&[("X", "y")]);
    origin.says("/", script);
    assert_eq!(
        said(&origin, &closing("GET", "/", "")),
        "HTTP/1.1 103 Informational\r\nLink: </b>\r\n\r\nHTTP/1.1 200 Said\r\nTransfer-Encoding: chunked\r\n\r\n\
         3\r\nabc\r\n0\r\nX: y\r\n\r\n"
    );
}

#[test]
fn bodies_of_requests_are_recorded_whatever_their_framing() {
    let origin = Origin::start();
    origin.on("/", |asked| reply(200).body(asked.body.clone()));
    let framed = [
        ("Content-Length: 5\r\n", "hello"),
        (
            "Transfer-Encoding: chunked\r\n",
            "2\r\nhe\r\n3;x\r\nllo\r\n0\r\n\r\n",
        ),
    ];
    for (more, body) in framed {
        let request = closing("POST", "/", more) + body;
        assert!(said(&origin, &request).ends_with("\r\n\r\nhello"));
    }
    for asked in origin.asked() {
        assert_eq!(
            (asked.body.as_slice(), asked.is_whole),
            (&b"hello"[..], true)
        );
    }
}

#[test]
fn body_of_a_request_is_left_unread_where_the_script_wants_it() {
    let origin = Origin::start();
    let gate = Gate::new();
    let wait = gate.clone();
    origin.on_head("/", move |_| {
        reply(200).read(2).wait(&wait).read_rest().body("ok")
    });
    let mut stream = connect(&origin);
    let request = closing("POST", "/", "Content-Length: 5\r\n") + "hello";
    stream.write_all(request.as_bytes()).unwrap();
    gate.await_reached(1);
    let asked = origin.asked();
    assert_eq!(
        (asked[0].body.as_slice(), asked[0].is_whole),
        (&b"he"[..], false)
    );
    gate.open();
    let asked = origin.await_that("the whole body", |asked| asked[0].is_whole);
    assert_eq!(asked[0].body, b"hello");
}

#[test]
fn made_content_is_the_same_in_whole_and_in_part() {
    let whole = content(7, 0..1000);
    for (offset, &byte) in (0..).zip(&whole) {
        assert_eq!(byte, content_byte(7, offset));
    }
    for (start, end) in [(0, 0), (0, 1), (3, 17), (8, 16), (999, 1000)] {
        let at = |offset: u64| usize::try_from(offset).unwrap();
        assert_eq!(content(7, start..end), whole[at(start)..at(end)]);
    }
    assert_ne!(content(7, 0..100), content(8, 0..100));
}

#[test]
fn made_resource_answers_ranges_and_conditions() {
    let origin = Origin::start();
    let made = Made::new(3, 1000);
    let whole = String::from_utf8_lossy(&made.body()).into_owned();
    let etag = "\"3-3e8\"";
    origin.serve("/", made);
    let ask = |more: &str| said(&origin, &closing("GET", "/", more));
    let plain = ask("");
    assert!(plain.starts_with("HTTP/1.1 200 ") && plain.ends_with(&whole));
    let cases = [
        ("Range: bytes=10-19\r\n", "206", "bytes 10-19/1000"),
        ("Range: bytes=990-\r\n", "206", "bytes 990-999/1000"),
        ("Range: bytes=-5\r\n", "206", "bytes 995-999/1000"),
        ("Range: bytes=0-5000\r\n", "206", "bytes 0-999/1000"),
        ("Range: bytes=1000-\r\n", "416", "bytes */1000"),
    ];
    for (more, status, part) in cases {
        let answer = ask(more);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{more}");
        assert!(
            answer.contains(&format!("\r\nContent-Range: {part}\r\n")),
            "{more}"
        );
    }
    for (more, status) in [
        (format!("If-None-Match: \"x\", W/{etag}\r\n"), "304"),
        ("If-None-Match: \"x\"\r\n".to_owned(), "200"),
        (format!("Range: bytes=1-2\r\nIf-Range: {etag}\r\n"), "206"),
        ("Range: bytes=1-2\r\nIf-Range: \"x\"\r\n".to_owned(), "200"),
        ("Range: bytes=1-2,4-5\r\n".to_owned(), "200"),
    ] {
        assert!(
            ask(&more).starts_with(&format!("HTTP/1.1 {status} ")),
            "{more}"
        );
    }
    origin.serve("/", Made::new(3, 1000).ignoring_ranges());
    assert!(ask("Range: bytes=10-19\r\n").starts_with("HTTP/1.1 200 "));
}

#[test]
fn paced_reply_takes_its_time_at_least() {
    let origin = Origin::start();
    origin.serve("/", Made::new(1, 20_000).rate(100_000));
    let start = now();
    assert!(said(&origin, &closing("GET", "/", "")).len() > 20_000 / 2);
    assert!(now() - start >= Duration::from_millis(150));
}

#[test]
fn broken_replies_break_as_they_should() {
    let origin = Origin::start();
    origin.says(
        "/short",
        reply(200).undated().length(9).bytes("abc").close(),
    );
    origin.says("/raw", Reply::raw("no HTTP").close());
    origin.says("/reset", reply(200).length(9).bytes("abc").reset());
    origin.says("/old", reply(200).undated().http10().bytes("to the end"));
    assert!(said(&origin, &closing("GET", "/short", "")).ends_with("\r\n\r\nabc"));
    assert_eq!(said(&origin, &closing("GET", "/raw", "")), "no HTTP");
    let old = "GET /old HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(said(&origin, old), "HTTP/1.0 200 Said\r\n\r\nto the end");
    let mut stream = connect(&origin);
    stream
        .write_all(closing("GET", "/reset", "").as_bytes())
        .unwrap();
    let error = stream.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn origin_that_went_down_refuses_and_comes_up_on_the_same_port() {
    let mut origin = Origin::start();
    origin.says("/", reply(200).body("ok"));
    let mut held = connect(&origin);
    origin.go_down();
    assert_eq!(held.read(&mut [0]).unwrap_or(0), 0);
    let error = TcpStream::connect(origin.address()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    origin.come_up();
    assert!(said(&origin, &closing("GET", "/", "")).ends_with("ok"));
}

#[test]
fn origin_ends_while_replies_wait() {
    let origin = Origin::start();
    let gate = Gate::new();
    origin.says("/", reply(200).wait(&gate).body("never"));
    let mut stream = connect(&origin);
    stream
        .write_all(closing("GET", "/", "").as_bytes())
        .unwrap();
    gate.await_reached(1);
    drop(origin);
    assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
}
