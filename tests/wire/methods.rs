//! Methods (RFC 9110 s9): what GET, HEAD and OPTIONS answer, and how every other method is turned away.

use std::time::{Duration, SystemTime};

use crate::harness::answer::read_date;
use crate::harness::folder::PLACED_AT_SECONDS;
use crate::harness::setup::{SIZES, sized};
use crate::harness::{Answer, HOLDS, Request, get, head, media};

/// Asserts that `Allow` names exactly what a static resource supports.
#[track_caller]
fn assert_allows_reading_only(answer: &Answer) {
    let mut allowed = answer.members("allow");
    allowed.sort_unstable();
    assert_eq!(allowed, ["get", "head", "options"], "{answer}");
}

on_both_drivers!(
    get_of_a_pin_returns_its_bytes_for_every_hold_and_size,
    media,
    |server| {
        let mut client = server.connect();
        for hold in HOLDS {
            for (name, size) in SIZES {
                let answer = client.ask(&get(&format!("/{hold}/{name}")));
                answer.expect(200).expect_body(&sized(name));
                assert_eq!(answer.needs("content-length"), size.to_string());
                assert_eq!(answer.needs("accept-ranges"), "bytes");
                assert_eq!(answer.needs("cache-control"), "public, max-age=3600");
                let placed = SystemTime::UNIX_EPOCH + Duration::from_secs(PLACED_AT_SECONDS);
                assert_eq!(read_date(answer.needs("last-modified")), placed);
                answer.etag();
            }
        }
    }
);

on_both_drivers!(get_twice_returns_the_same_validators, media, |server| {
    for hold in HOLDS {
        let target = format!("/{hold}/large.bin");
        let (first, second) = (server.get(&target), server.get(&target));
        assert_eq!(first.etag(), second.etag());
        assert_eq!(first.needs("last-modified"), second.needs("last-modified"));
    }
});

on_both_drivers!(
    head_returns_the_fields_of_get_without_a_body,
    media,
    |server| {
        let mut client = server.connect();
        let targets = [
            "/file/huge.bin",
            "/mmap/large.bin",
            "/memory/small.bin",
            "/file/empty.bin",
            "/file/page.txt",
            "/plain.txt",
            "/",
            "/folder",
            "/nothing",
        ];
        for target in targets {
            let with_body = client.ask(&get(target).with("Accept-Encoding", "br"));
            let without = client.ask(&head(target).with("Accept-Encoding", "br"));
            assert_eq!(without.status, with_body.status, "{target}");
            assert!(without.body.is_empty());
            let but_date = |answer: &Answer| -> Vec<_> {
                let fields = answer.fields.iter().filter(|(name, _)| name != "date");
                fields.cloned().collect()
            };
            assert_eq!(but_date(&without), but_date(&with_body), "{target}");
        }
        client.ask(&get("/file/one.bin")).expect(200);
    }
);

on_both_drivers!(options_of_a_resource_names_its_methods, media, |server| {
    let mut client = server.connect();
    for target in ["/file/small.bin", "/plain.txt", "*"] {
        let answer = client.ask(&Request::new("OPTIONS", target));
        answer.expect_one_of(&[200, 204]).expect_body(b"");
        assert_allows_reading_only(&answer);
    }
    client.ask(&get("/file/one.bin")).expect(200);
});

on_both_drivers!(known_method_on_a_resource_is_not_allowed, media, |server| {
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        for target in ["/file/small.bin", "/memory/page.txt", "/plain.txt"] {
            let answer = server.ask(&Request::new(method, target));
            assert_allows_reading_only(answer.expect(405));
        }
    }
});

on_both_drivers!(unknown_method_is_not_implemented, media, |server| {
    for method in [
        "BREW",
        "get",
        "Get",
        "GETT",
        "G",
        "M-SEARCH",
        "!#$%&'*+-.^_`|~",
    ] {
        server
            .ask(&Request::new(method, "/file/small.bin"))
            .expect(501);
    }
});

on_both_drivers!(trace_and_connect_are_turned_away, media, |server| {
    let trace = Request::new("TRACE", "/file/small.bin").with("X-Private", "never echoed");
    let answer = server.ask(&trace);
    answer.expect_one_of(&[405, 501]);
    assert!(!String::from_utf8_lossy(&answer.body).contains("never echoed"));
    let answer = server.ask(&Request::new("CONNECT", "other.test:443"));
    answer.expect_one_of(&[400, 405, 501]);
});

on_both_drivers!(
    conditional_request_with_an_unsupported_method_is_not_allowed,
    media,
    |server| {
        let refused = Request::new("PUT", "/file/small.bin").with("If-None-Match", "*");
        server.ask(&refused).expect(405);
    }
);

on_both_drivers!(
    request_body_on_a_read_is_skimmed_and_not_executed,
    media,
    |server| {
        let inner = get("/file/secret.txt").bytes();
        for method in ["GET", "HEAD", "OPTIONS"] {
            let outer = Request::new(method, "/file/page.txt").body(&inner);
            assert_body_is_no_request(server.connect(), &outer.bytes(), method);
        }
    }
);

on_both_drivers!(
    request_body_on_a_refused_method_is_never_a_second_request,
    media,
    |server| {
        let inner = get("/file/secret.txt").bytes();
        for method in ["POST", "PUT", "DELETE", "PATCH", "BREW"] {
            let outer = Request::new(method, "/file/page.txt").body(&inner);
            assert_body_is_no_request(server.connect(), &outer.bytes(), method);
        }
    }
);

on_both_drivers!(
    chunked_request_body_is_never_a_second_request,
    media,
    |server| {
        let inner = get("/file/secret.txt").bytes();
        for method in ["GET", "POST", "BREW"] {
            let mut outer = Request::new(method, "/file/page.txt")
                .with("Transfer-Encoding", "chunked")
                .bytes();
            outer.extend(format!("{:x};name=\"value\"\r\n", inner.len()).bytes());
            outer.extend(&inner);
            outer.extend(b"\r\n0\r\nTrailer-Field: value\r\n\r\n");
            assert_body_is_no_request(server.connect(), &outer, method);
        }
    }
);

/// Sends `outer` in one piece and then byte by byte, each time with a real request behind it. The body of `outer` holds a
/// request for `secret.txt`. The real request is answered, or the connection ends after the first answer says so.
#[track_caller]
fn assert_body_is_no_request(mut client: crate::harness::Client, outer: &[u8], method: &str) {
    for step in [outer.len(), 1] {
        for piece in outer.chunks(step) {
            client.send(piece);
        }
        let first = client.answer(method);
        assert_ne!(first.body, b"smuggled");
        if first.closes() {
            client.expect_closed();
            return;
        }
        let second = client.ask(&get("/file/small.bin"));
        second.expect(200).expect_body(&sized("small.bin"));
    }
}
