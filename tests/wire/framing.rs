//! Framing of requests (RFC 9112 s6 and s7): a message whose end two readers could see at different places is refused, and
//! what stands behind it is never taken for a request.

use crate::harness::{Broken, Server, get, media};

/// Sends `request` with a request for `secret.txt` right behind it. The first answer has one of `statuses` and says that
/// it closes; a server that sees a fault of the body only after it answered the head may add a refusal or just close.
/// Either way the connection ends and nothing behind the fault was executed.
#[track_caller]
pub(crate) fn assert_refused(server: &Server, name: &str, request: &[u8], statuses: &[u16]) {
    let mut client = server.connect();
    let mut bytes = request.to_vec();
    bytes.extend(get("/file/secret.txt").bytes());
    client.send(&bytes);
    let first = client
        .try_answer("GET")
        .unwrap_or_else(|broken| panic!("{name}: {broken:?}"));
    assert!(statuses.contains(&first.status), "{name}: {first}");
    if !first.closes() {
        assert!(
            [200, 405].contains(&first.status),
            "{name}: says that it closes: {first}"
        );
        match client.try_answer("GET") {
            Ok(refusal) => {
                assert!(
                    [400, 413, 431].contains(&refusal.status),
                    "{name}: {refusal}"
                );
                assert!(refusal.closes(), "{name}: {refusal}");
            }
            Err(broken) => assert_eq!(broken, Broken::Closed, "{name}"),
        }
    }
    let rest = client.rest();
    assert!(
        rest.is_empty(),
        "{name}: after the refusal came {:?}",
        String::from_utf8_lossy(&rest)
    );
}

/// A table of faults: a name, the framing fields, the body, and the statuses allowed for a GET.
type Faults<'a> = &'a [(&'a str, &'a str, &'a [u8], &'a [u16])];

#[track_caller]
fn assert_all_refused(server: &Server, faults: Faults<'_>) {
    for (name, fields, body, statuses) in faults {
        for method in ["GET", "POST"] {
            let mut request =
                format!("{method} /file/page.txt HTTP/1.1\r\nHost: media.test\r\n{fields}\r\n")
                    .into_bytes();
            request.extend_from_slice(body);
            let named = format!("{method} with {name}");
            let mut allowed = statuses.to_vec();
            if method == "POST" {
                allowed.push(405);
            }
            assert_refused(server, &named, &request, &allowed);
        }
    }
}

on_both_drivers!(two_ways_to_frame_a_body_are_refused, media, |server| {
    assert_all_refused(
        server,
        &[
            (
                "length before coding",
                "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
                b"0\r\n\r\n",
                &[400],
            ),
            (
                "coding before length",
                "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
                b"0\r\n\r\n",
                &[400],
            ),
            (
                "length of another case",
                "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
                b"0\r\n\r\n",
                &[400],
            ),
        ],
    );
});

on_both_drivers!(
    content_length_that_is_not_one_number_is_refused,
    media,
    |server| {
        let huge = "99999999999999999999999999";
        let cases = [
            "Content-Length: 5\r\nContent-Length: 6\r\n".to_owned(),
            "Content-Length: 5\r\nContent-Length: 5\r\n".to_owned(),
            "Content-Length: 5\r\ncontent-length: 5\r\n".to_owned(),
            "Content-Length: 5, 5\r\n".to_owned(),
            "Content-Length: 5,6\r\n".to_owned(),
            "Content-Length: +5\r\n".to_owned(),
            "Content-Length: -1\r\n".to_owned(),
            "Content-Length: 0x5\r\n".to_owned(),
            "Content-Length: 5 5\r\n".to_owned(),
            "Content-Length: 5e0\r\n".to_owned(),
            "Content-Length: 5.0\r\n".to_owned(),
            "Content-Length:\r\n".to_owned(),
            "Content-Length: five\r\n".to_owned(),
            "Content-Length: \u{0665}\r\n".to_owned(),
            "Content-Length: 18446744073709551616\r\n".to_owned(),
            "Content-Length: 18446744073709551621\r\n".to_owned(),
            format!("Content-Length: {huge}\r\n"),
        ];
        for fields in &cases {
            assert_all_refused(server, &[(fields, fields, b"hello", &[400, 413])]);
        }
    }
);

on_both_drivers!(
    transfer_coding_that_is_not_one_final_chunked_is_refused,
    media,
    |server| {
        let cases = [
            "Transfer-Encoding: chunked, chunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked, identity\r\n",
            "Transfer-Encoding: chunked, gzip\r\n",
            "Transfer-Encoding: identity\r\n",
            "Transfer-Encoding: identity, chunked\r\n",
            "Transfer-Encoding: gzip\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
            "Transfer-Encoding: xchunked\r\n",
            "Transfer-Encoding: chunkedx\r\n",
            "Transfer-Encoding: \"chunked\"\r\n",
            "Transfer-Encoding: chunked;q=1\r\n",
            "Transfer-Encoding: chunked foo\r\n",
            "Transfer-Encoding: \u{b}chunked\r\n",
            "Transfer-Encoding:\r\n",
        ];
        for fields in cases {
            assert_all_refused(server, &[(fields, fields, b"0\r\n\r\n", &[400, 501])]);
        }
    }
);

on_both_drivers!(transfer_coding_in_http_1_0_is_refused, media, |server| {
    for connection in ["", "Connection: keep-alive\r\n"] {
        let request = format!(
            "GET /file/page.txt HTTP/1.0\r\nHost: media.test\r\n{connection}\
             Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        );
        assert_refused(server, "chunked in 1.0", request.as_bytes(), &[400]);
    }
});

on_both_drivers!(malformed_chunk_is_refused, media, |server| {
    let cases: [(&str, &[u8]); 18] = [
        ("no digit", b"\r\n\r\n"),
        ("not hexadecimal", b"xyz\r\nabc\r\n0\r\n\r\n"),
        ("digits then a letter", b"3g\r\nabc\r\n0\r\n\r\n"),
        ("a sign", b"+3\r\nabc\r\n0\r\n\r\n"),
        ("a minus", b"-3\r\nabc\r\n0\r\n\r\n"),
        ("a prefix", b"0x3\r\nabc\r\n0\r\n\r\n"),
        ("a space before the size", b" 3\r\nabc\r\n0\r\n\r\n"),
        ("an overflow", b"10000000000000003\r\nabc\r\n0\r\n\r\n"),
        (
            "a huge overflow",
            b"fffffffffffffffffffffffff\r\nabc\r\n0\r\n\r\n",
        ),
        ("a bare LF after the size", b"3\nabc\r\n0\r\n\r\n"),
        ("a bare CR after the size", b"3\rabc\r\n0\r\n\r\n"),
        ("a bare LF in an extension", b"3;a\nb\r\nabc\r\n0\r\n\r\n"),
        ("a bare LF after the data", b"3\r\nabc\n0\r\n\r\n"),
        ("no line end after the data", b"3\r\nabc0\r\n\r\n"),
        ("data longer than the size", b"3\r\nabcdef\r\n0\r\n\r\n"),
        ("a bare LF after the last chunk", b"0\n\n"),
        ("a NUL in the size", b"3\0\r\nabc\r\n0\r\n\r\n"),
        ("a bare LF in the trailers", b"0\r\nA: b\nB: c\r\n\r\n"),
    ];
    for (name, body) in cases {
        let fields = "Transfer-Encoding: chunked\r\n";
        assert_all_refused(server, &[(name, fields, body, &[200, 400])]);
    }
});

on_both_drivers!(endless_chunk_line_is_refused, media, |server| {
    let long_line = format!("3;{}\r\nabc\r\n0\r\n\r\n", "x".repeat(100_000));
    let long_size = format!("{}3\r\nabc\r\n0\r\n\r\n", "0".repeat(100_000));
    let long_trailers = format!("0\r\n{}\r\n", "Name: value\r\n".repeat(20_000));
    for body in [long_line, long_size, long_trailers] {
        let head =
            "GET /file/page.txt HTTP/1.1\r\nHost: media.test\r\nTransfer-Encoding: chunked\r\n\r\n";
        let mut client = server.connect();
        // The server may close with a part of it unread, so the rest of the sending may fail.
        let sent = client.try_send([head.as_bytes(), body.as_bytes()].concat());
        let mut statuses = Vec::new();
        while let Ok(answer) = client.try_answer("GET") {
            statuses.push(answer.status);
        }
        let allowed: [&[u16]; 6] = [&[], &[200], &[400], &[413], &[200, 400], &[200, 413]];
        assert!(
            allowed.contains(&statuses.as_slice()) || statuses == [200, 431] || statuses == [431],
            "{statuses:?} (sent: {sent:?})"
        );
        client.expect_closed();
    }
});

on_both_drivers!(
    body_of_absurd_size_is_refused_or_skimmed_without_a_second_request,
    media,
    |server| {
        let request = get("/file/page.txt").with("Content-Length", "1000000000000");
        let mut client = server.connect();
        client.send(request.bytes());
        let answer = client.answer("GET");
        answer.expect_one_of(&[200, 400, 413]);
        // Behind the head stands the body, whatever it looks like.
        let sent = client.try_send(get("/file/secret.txt").bytes());
        if sent.is_err() || answer.closes() {
            client.expect_closed();
        } else {
            client.expect_silence(std::time::Duration::from_millis(200));
        }
    }
);

on_both_drivers!(valid_chunked_body_is_skimmed, media, |server| {
    let bodies: [&[u8]; 6] = [
        b"0\r\n\r\n",
        b"000\r\n\r\n",
        b"3\r\nabc\r\n0\r\n\r\n",
        b"A;name=value\r\n0123456789\r\na;x=\"y z\"\r\n0123456789\r\n0\r\n\r\n",
        b"3\r\nabc\r\n0\r\nSome-Field: value\r\nOther: value\r\n\r\n",
        b"1\r\n\n\r\n2\r\n\r\n\r\n0\r\n\r\n",
    ];
    let request = get("/file/page.txt")
        .with("Transfer-Encoding", "chunked")
        .bytes();
    let mut client = server.connect();
    for body in bodies {
        client.send([request.as_slice(), body].concat());
        let answer = client.answer("GET");
        answer.expect(200);
        if answer.closes() {
            client.expect_closed();
            client = server.connect();
        }
    }
    client.ask(&get("/file/page.txt")).expect(200);
});

on_both_drivers!(large_body_on_a_read_is_skimmed, media, |server| {
    let mut client = server.connect();
    let request = get("/file/page.txt").body(&get("/file/secret.txt").bytes().repeat(20_000));
    let sent = client.try_send(request.bytes());
    let answer = client.answer("GET");
    answer.expect_one_of(&[200, 413]);
    if sent.is_err() || answer.closes() {
        client.expect_closed();
    } else {
        client.ask(&get("/file/page.txt")).expect(200);
    }
});
