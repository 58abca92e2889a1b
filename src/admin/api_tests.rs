//! Tests of the admin API over real sockets.

use std::io::{Read, Write};
use std::net;
use std::os::unix::net as unix;
use std::path::Path;

use super::super::observed::Phase;
use super::super::reading::tests::observed;
use super::super::settings::AdminAddress;
use super::*;
use crate::stats::Counter;
use crate::sys::clock;

const LOOPBACK: &str = "127.0.0.1:0";

fn tcp(token: &str) -> AdminSettings {
    AdminSettings {
        address: AdminAddress::Tcp(LOOPBACK.parse().unwrap()),
        token: token.to_owned(),
        ..AdminSettings::default()
    }
}

fn on_unix(path: &Path) -> AdminSettings {
    AdminSettings {
        address: AdminAddress::Unix(path.to_owned()),
        ..AdminSettings::default()
    }
}

fn connect(server: &AdminServer) -> net::TcpStream {
    let stream = net::TcpStream::connect(server.address().unwrap()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    stream
}

/// Sends a request and reads its answer: head and body. The connection stays usable.
fn ask(mut stream: impl Read + Write, head: &str) -> (String, String) {
    write!(stream, "{head} HTTP/1.1\r\nHost: admin\r\n\r\n").unwrap();
    let mut received = Vec::new();
    let mut byte = [0];
    while !received.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        received.push(byte[0]);
    }
    let answer = String::from_utf8(received).unwrap();
    let size = answer
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |size| size.parse().unwrap());
    let is_head = head.starts_with("HEAD ");
    let mut body = vec![0; if is_head { 0 } else { size }];
    stream.read_exact(&mut body).unwrap();
    (answer, String::from_utf8(body).unwrap())
}

/// Everything up to the connection's end.
fn read_to_end(stream: &mut impl Read) -> String {
    let mut received = Vec::new();
    // A reset ends the connection too.
    drop(stream.read_to_end(&mut received));
    String::from_utf8_lossy(&received).into_owned()
}

#[test]
fn every_endpoint_answers_on_one_kept_alive_connection() {
    let observed = observed(true);
    observed.readiness.enter(Phase::Serving);
    observed.workers[1].add(Counter::Requests, 12);
    let server = start(&tcp(""), observed).unwrap();
    let stream = connect(&server);
    for _ in 0..2 {
        assert_eq!(ask(&stream, "GET /healthz").1, "ok\n");
        assert_eq!(ask(&stream, "GET /readyz").1, "serving\n");
        let (head, body) = ask(&stream, "GET /metrics");
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert!(body.contains("\nhotplate_requests_total 12\n"));
        assert!(body.contains("hotplate_answer_duration_seconds_count 2\n"));
        let (_, body) = ask(&stream, "GET /api/stats");
        let value: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(value["requests"], 12);
        assert_eq!(value["latency"]["workers_in_time"], 2);
        let (head, _) = ask(&stream, "GET /nothing");
        assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
        let (head, _) = ask(&stream, "POST /metrics");
        assert!(head.starts_with("HTTP/1.1 405 "), "{head}");
        assert!(head.contains("\r\nallow: GET, HEAD\r\n"), "{head}");
    }
    server.stop();
}

#[test]
fn head_has_the_fields_of_get_and_no_body() {
    let server = start(&tcp(""), observed(true)).unwrap();
    let stream = connect(&server);
    let (head, _) = ask(&stream, "HEAD /healthz");
    assert!(head.contains("\r\ncontent-length: 3\r\n"), "{head}");
    assert!(head.contains("\r\ncache-control: no-store\r\n"), "{head}");
    assert_eq!(ask(&stream, "GET /healthz").1, "ok\n");
    server.stop();
}

#[test]
fn token_is_checked_over_the_wire() {
    let server = start(&tcp("s3cret"), observed(true)).unwrap();
    let stream = connect(&server);
    let (head, _) = ask(&stream, "GET /healthz");
    assert!(head.starts_with("HTTP/1.1 401 "), "{head}");
    let mut stream = connect(&server);
    let request = "GET /healthz HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer s3cret\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    assert!(read_to_end(&mut stream).starts_with("HTTP/1.1 200 "));
    server.stop();
}

#[test]
fn body_is_refused_unread_and_ends_the_connection() {
    let server = start(&tcp(""), observed(true)).unwrap();
    let mut stream = connect(&server);
    let request = "GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let answer = read_to_end(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    server.stop();
}

#[test]
fn malformed_or_oversized_head_is_refused() {
    let server = start(&tcp(""), observed(true)).unwrap();
    let mut stream = connect(&server);
    stream.write_all(b"\x16\x03\x01 nonsense\r\n\r\n").unwrap();
    assert!(read_to_end(&mut stream).starts_with("HTTP/1.1 400 "));
    let mut stream = connect(&server);
    let head = format!("GET /healthz HTTP/1.1\r\nX: {}\r\n", "x".repeat(80_000));
    stream.write_all(head.as_bytes()).unwrap();
    assert!(read_to_end(&mut stream).starts_with("HTTP/1.1 431 "));
    server.stop();
}

#[test]
fn unix_socket_serves_and_is_removed_at_the_stop() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    let server = start(&on_unix(&path), observed(true)).unwrap();
    assert_eq!(server.address(), None);
    let stream = unix::UnixStream::connect(&path).unwrap();
    assert_eq!(ask(&stream, "GET /healthz").1, "ok\n");

    let second = start(&on_unix(&path), observed(true)).unwrap_err();
    assert!(matches!(second, AdminError::SocketInUse(_)), "{second}");
    assert_eq!(ask(&stream, "GET /healthz").1, "ok\n");

    drop(stream);
    server.stop();
    assert!(!path.exists());
}

#[test]
fn address_off_starts_and_stops_without_a_thread() {
    let server = start(&AdminSettings::default(), observed(true)).unwrap();
    assert_eq!(server.address(), None);
    server.stop();
}

#[test]
fn address_in_use_is_an_error_that_names_it() {
    let taken = net::TcpListener::bind(LOOPBACK).unwrap();
    let address = taken.local_addr().unwrap();
    let settings = AdminSettings {
        address: AdminAddress::Tcp(address),
        ..AdminSettings::default()
    };
    let error = start(&settings, observed(true)).unwrap_err();
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}

#[test]
fn stop_does_not_wait_for_idle_connections() {
    // What an idle connection would be waited for is longer than any machine is busy.
    let bounds = Bounds {
        farewell: Duration::from_secs(300),
        ..BOUNDS
    };
    let server = start_within(&tcp(""), observed(true), bounds).unwrap();
    let mut stream = connect(&server);
    assert_eq!(ask(&stream, "GET /healthz").1, "ok\n");
    let before = clock::mono();
    server.stop();
    assert!(clock::mono().since(before) < Duration::from_secs(60));
    assert_eq!(read_to_end(&mut stream), "");
}

#[test]
fn head_that_does_not_come_ends_the_connection() {
    let bounds = Bounds {
        head_timeout: Duration::from_millis(50),
        ..BOUNDS
    };
    let server = start_within(&tcp(""), observed(true), bounds).unwrap();
    let mut silent = connect(&server);
    let mut slow = connect(&server);
    slow.write_all(b"GET /healthz HT").unwrap();
    read_to_end(&mut silent);
    assert!(!read_to_end(&mut slow).starts_with("HTTP/1.1 200"));
    server.stop();
}

#[test]
fn connection_ends_with_its_life_span() {
    let bounds = Bounds {
        connection_life: Duration::from_millis(50),
        ..BOUNDS
    };
    let server = start_within(&tcp(""), observed(true), bounds).unwrap();
    let mut stream = connect(&server);
    assert_eq!(ask(&stream, "GET /healthz").1, "ok\n");
    assert_eq!(read_to_end(&mut stream), "");
    server.stop();
}

#[test]
fn connections_over_the_limit_wait_for_a_place() {
    let bounds = Bounds {
        connections: 1,
        ..BOUNDS
    };
    let server = start_within(&tcp(""), observed(true), bounds).unwrap();
    let first = connect(&server);
    assert_eq!(ask(&first, "GET /healthz").1, "ok\n");
    let second = connect(&server);
    let waiting = thread::spawn(move || ask(&second, "GET /healthz").1);
    clock::pause(Duration::from_millis(50));
    assert!(!waiting.is_finished());
    drop(first);
    assert_eq!(waiting.join().unwrap(), "ok\n");
    server.stop();
}
