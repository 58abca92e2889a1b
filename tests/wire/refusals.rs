//! Heads that are refused (RFC 9112 s2 to s5, RFC 9110 s5 and s15): the exact status, then the close, and never a second request.

use super::framing::assert_refused;
use crate::harness::{Client, Server, get, media};

#[track_caller]
fn assert_each(server: &Server, statuses: &[u16], cases: &[&[u8]]) {
    for case in cases {
        let name = String::from_utf8_lossy(&case[..case.len().min(120)]).into_owned();
        assert_refused(server, &name, case, statuses);
    }
    server.get("/file/page.txt").expect(200);
}

on_both_drivers!(malformed_request_line_is_refused, media, |server| {
    assert_each(
        server,
        &[400],
        &[
            b"GET  /file/page.txt HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET /file/page.txt  HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET /file/page.txt HTTP/1.1 \r\nHost: a\r\n\r\n",
            b" GET /file/page.txt HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET\t/file/page.txt\tHTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET /file/page.txt\tHTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET\x0b/file/page.txt HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET /file/page .txt HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET HTTP/1.1\r\nHost: a\r\n\r\n",
            b"G(T /file/page.txt HTTP/1.1\r\nHost: a\r\n\r\n",
            b"G\xc3\x89T /file/page.txt HTTP/1.1\r\nHost: a\r\n\r\n",
            b"\"GET\" /file/page.txt HTTP/1.1\r\nHost: a\r\n\r\n",
            b"/file/page.txt HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET /file/page\0.txt HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET /file/page\x7f.txt HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET /file/page\x01.txt HTTP/1.1\r\nHost: a\r\n\r\n",
            b"\0GET /file/page.txt HTTP/1.1\r\nHost: a\r\n\r\n",
        ],
    );
});

on_both_drivers!(malformed_version_is_refused, media, |server| {
    assert_each(
        server,
        &[400, 505],
        &[
            b"GET /file/page.txt\r\nHost: a\r\n\r\n",
            b"GET /file/page.txt http/1.1\r\nHost: a\r\n\r\n",
            b"GET /file/page.txt HTTP/1\r\nHost: a\r\n\r\n",
            b"GET /file/page.txt HTTP/1.\r\nHost: a\r\n\r\n",
            b"GET /file/page.txt HTTP/1.10\r\nHost: a\r\n\r\n",
            b"GET /file/page.txt HTTP/01.1\r\nHost: a\r\n\r\n",
            b"GET /file/page.txt HTTP/1,1\r\nHost: a\r\n\r\n",
            b"GET /file/page.txt HTTP /1.1\r\nHost: a\r\n\r\n",
            b"GET /file/page.txt HTTP/1.1\x0b\r\nHost: a\r\n\r\n",
            b"GET /file/page.txt HTTQ/1.1\r\nHost: a\r\n\r\n",
            b"GET /file/page.txt ICY/1.1\r\nHost: a\r\n\r\n",
        ],
    );
});

on_both_drivers!(other_major_version_is_not_supported, media, |server| {
    assert_each(
        server,
        &[505],
        &[
            b"GET /file/page.txt HTTP/2.0\r\nHost: a\r\n\r\n",
            b"GET /file/page.txt HTTP/3.0\r\nHost: a\r\n\r\n",
            b"GET /file/page.txt HTTP/9.9\r\nHost: a\r\n\r\n",
            b"GET /file/page.txt HTTP/0.9\r\nHost: a\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
        ],
    );
});

on_both_drivers!(later_minor_version_is_served_as_1_1, media, |server| {
    let mut client = server.connect();
    for _ in 0..2 {
        client.send(b"GET /file/page.txt HTTP/1.2\r\nHost: a\r\n\r\n");
        client.answer("GET").expect(200);
    }
});

on_both_drivers!(malformed_field_line_is_refused, media, |server| {
    let cases: [&[u8]; 24] = [
        b"Name : value\r\n",
        b"Name\t: value\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"Content-Length : 5\r\n",
        b" Leading: space\r\n",
        b"Name: value\r\n folded\r\n",
        b"Name: value\r\n\tfolded\r\n",
        b"Name: value\r\n \r\n",
        b": no name\r\n",
        b"no colon\r\n",
        b"Na me: value\r\n",
        b"Na\0me: value\r\n",
        b"Na(me): value\r\n",
        b"N\xc3\xa4me: value\r\n",
        b"Name: val\0ue\r\n",
        b"Name: val\rue\r\n",
        b"Name: val\x01ue\r\n",
        b"Name: val\x7fue\r\n",
        b"Name: value\r\r\n",
        b"Name: value\n",
        b"Name: value\n\r\n",
        b"Name: value\n\nGET /file/secret.txt HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\rName: value\r\n",
        b"\x0bName: value\r\n",
    ];
    for case in cases {
        let start = b"GET /file/page.txt HTTP/1.1\r\nHost: a\r\n".as_slice();
        let request = [start, case, b"\r\n"].concat();
        assert_each(server, &[400], &[&request]);
    }
});

on_both_drivers!(bare_line_feed_ends_no_line, media, |server| {
    assert_each(
        server,
        &[400],
        &[
            b"GET /file/page.txt HTTP/1.1\nHost: a\n\n",
            b"GET /file/page.txt HTTP/1.1\nHost: a\r\n\r\n",
            b"GET /file/page.txt HTTP/1.1\r\nHost: a\n\r\n",
            b"GET /file/page.txt HTTP/1.1\r\nHost: a\r\n\n",
            b"GET /file/page.txt HTTP/1.1\rHost: a\r\r",
            b"GET /file/page.txt HTTP/1.1\r\rHost: a\r\n\r\n",
        ],
    );
});

on_both_drivers!(
    field_before_the_first_line_end_is_refused,
    media,
    |server| {
        assert_each(
            server,
            &[400],
            &[b"GET /file/page.txt HTTP/1.1\r\n Host: a\r\n\r\n"],
        );
    }
);

on_both_drivers!(
    missing_repeated_or_invalid_host_is_refused,
    media,
    |server| {
        assert_each(
            server,
            &[400],
            &[
                b"GET /file/page.txt HTTP/1.1\r\n\r\n",
                b"GET /file/page.txt HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
                b"GET /file/page.txt HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n",
                b"GET /file/page.txt HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
                b"GET /file/page.txt HTTP/1.1\r\nHost: a b\r\n\r\n",
                b"GET /file/page.txt HTTP/1.1\r\nHost: a/b\r\n\r\n",
                b"GET /file/page.txt HTTP/1.1\r\nHost: a?b\r\n\r\n",
                b"GET /file/page.txt HTTP/1.1\r\nHost: a#b\r\n\r\n",
                b"GET /file/page.txt HTTP/1.1\r\nHost: user@a\r\n\r\n",
                b"GET /file/page.txt HTTP/1.1\r\nHost: http://a\r\n\r\n",
                b"GET /file/page.txt HTTP/1.1\r\nHost: a:port\r\n\r\n",
                b"GET /file/page.txt HTTP/1.1\r\nHost: a:80:80\r\n\r\n",
                b"GET /file/page.txt HTTP/1.1\r\nHost: [::1\r\n\r\n",
                b"GET /file/page.txt HTTP/1.1\r\nHost: a\\b\r\n\r\n",
                b"GET /file/page.txt HTTP/1.1\r\nHost: \"a\"\r\n\r\n",
                b"GET /file/page.txt HTTP/1.1\r\nHost: a\xff\r\n\r\n",
                b"GET http://a/file/page.txt HTTP/1.1\r\n\r\n",
            ],
        );
    }
);

on_both_drivers!(
    two_empty_lines_before_a_request_are_skipped,
    media,
    |server| {
        let mut client = server.connect();
        for before in ["", "\r\n", "\r\n\r\n"] {
            client.send(before);
            client.ask(&get("/file/page.txt")).expect(200);
        }
        // The server need not take all of it.
        drop(client.try_send("\r\n".repeat(10_000)));
        client.answer("GET").expect(400);
        client.expect_closed();
    }
);

on_both_drivers!(unknown_expectation_fails, media, |server| {
    for expectation in [
        "200-ok",
        "100-continue, 200-ok",
        "100-continued",
        "something",
    ] {
        let mut client = server.connect();
        let answer = client.ask(&get("/file/page.txt").with("Expect", expectation));
        answer.expect(417);
        if !answer.closes() {
            client.ask(&get("/file/page.txt")).expect(200);
        }
    }
});

on_both_drivers!(
    expected_continue_is_sent_or_the_answer_is_final,
    media,
    |server| {
        let mut client = server.connect();
        let request = get("/file/page.txt")
            .with("Expect", "100-Continue")
            .with("Content-Length", "5");
        client.send(request.bytes());
        let first = client.any_answer("GET");
        first.expect_one_of(&[100, 200]);
        if first.status == 100 {
            client.send(b"hello");
            client.any_answer("GET").expect(200);
        } else if first.closes() {
            client.expect_closed();
            return;
        } else {
            client.send(b"hello");
        }
        client.ask(&get("/file/page.txt")).expect(200);
    }
);

on_both_drivers!(
    refused_method_that_expects_continue_gets_its_refusal_first,
    media,
    |server| {
        let mut client = server.connect();
        let inner = get("/file/secret.txt").bytes();
        let length = inner.len().to_string();
        let head = crate::harness::Request::new("POST", "/file/page.txt")
            .with("Expect", "100-continue")
            .with("Content-Length", &length);
        client.send(head.bytes());
        let answer = client.any_answer("POST");
        answer.expect_one_of(&[405, 417]);
        let sent = client.try_send(&inner);
        if sent.is_err() || answer.closes() {
            client.expect_closed();
        } else {
            let next = client.ask(&get("/file/page.txt"));
            assert_ne!(next.body, b"smuggled");
            next.expect(200);
        }
    }
);

on_both_drivers!(http_1_0_expectation_is_ignored, media, |server| {
    let request = get("/file/page.txt")
        .http10()
        .with("Expect", "100-continue");
    let mut client = server.connect();
    client.send(request.bytes());
    client.any_answer("GET").expect_one_of(&[200, 417]);
});

on_both_drivers!(bytes_that_are_not_http_are_refused, media, |server| {
    let client_hello = [
        &[
            0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03,
        ],
        &[0x5a; 200][..],
    ]
    .concat();
    let cases: [&[u8]; 4] = [
        &client_hello,
        &[0; 64],
        &[0xff; 64],
        b"SSH-2.0-client\r\n\r\n",
    ];
    for case in cases {
        let mut client = server.connect();
        client.send(case);
        client.half_close();
        let came = client.rest();
        assert!(
            came.is_empty()
                || came.starts_with(b"HTTP/1.1 400 ")
                || came.starts_with(b"HTTP/1.1 505 "),
            "{:?}",
            String::from_utf8_lossy(&came)
        );
    }
});

on_both_drivers!(refusal_arrives_although_much_follows_it, media, |server| {
    for _ in 0..20 {
        let mut client = server.connect();
        let mut bytes = b"GET /file/page.txt HTTP/1.1\r\nHost : a\r\n\r\n".to_vec();
        bytes.extend(get("/file/secret.txt").bytes().repeat(2_000));
        // The server need not take all of it.
        let sent = client.try_send(&bytes);
        let answer = client.try_answer("GET");
        let answer = answer.unwrap_or_else(|broken| panic!("{broken:?} (sent: {sent:?})"));
        answer.expect(400);
        client.expect_closed();
    }
});

on_both_drivers!(request_before_a_refused_one_is_answered, media, |server| {
    let mut client: Client = server.connect();
    let mut bytes = get("/file/page.txt").bytes();
    bytes.extend(b"GET / HTTP/1.1\r\nBad : field\r\n\r\n");
    client.send(&bytes);
    client.answer("GET").expect(200);
    client.answer("GET").expect(400);
    client.expect_closed();
});
