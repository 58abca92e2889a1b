//! Persistence of connections (RFC 9112 s9.3 and s9.6), and clients that close their half.

use crate::harness::setup::{PAGE, sized};
use crate::harness::{Request, get, head, media};

on_both_drivers!(http_1_1_connection_stays_open, media, |server| {
    let mut client = server.connect();
    for _ in 0..200 {
        let answer = client.ask(&get("/file/page.txt"));
        answer.expect(200).expect_body(PAGE);
        assert!(!answer.closes());
    }
});

on_both_drivers!(connection_close_is_honoured_and_echoed, media, |server| {
    for value in [
        "close",
        "Close",
        "CLOSE",
        "keep-alive, close",
        "close, te",
        "foo ,close, bar",
    ] {
        for request in [
            get("/file/page.txt"),
            head("/file/page.txt"),
            get("/nothing"),
        ] {
            let mut client = server.connect();
            let answer = client.ask(&request.with("Connection", value));
            assert!(answer.closes(), "{value}: {answer}");
            client.expect_closed();
        }
    }
});

on_both_drivers!(
    close_on_a_second_connection_line_is_honoured,
    media,
    |server| {
        let mut client = server.connect();
        let request = get("/file/page.txt")
            .with("Connection", "te")
            .with("Connection", "close");
        assert!(client.ask(&request).closes());
        client.expect_closed();
    }
);

on_both_drivers!(
    http_1_0_connection_closes_unless_kept_alive,
    media,
    |server| {
        let mut client = server.connect();
        let answer = client.ask(&get("/file/page.txt").http10());
        answer.expect(200).expect_body(PAGE);
        assert!(
            !answer
                .members("connection")
                .contains(&"keep-alive".to_owned())
        );
        client.expect_closed();
    }
);

on_both_drivers!(http_1_0_keep_alive_is_granted_and_said, media, |server| {
    let mut client = server.connect();
    for value in ["keep-alive", "Keep-Alive", "foo, keep-alive"] {
        for target in ["/file/page.txt", "/plain.txt", "/mmap/large.bin"] {
            let answer = client.ask(&get(target).http10().with("Connection", value));
            answer.expect(200);
            let members = answer.members("connection");
            assert!(members.contains(&"keep-alive".to_owned()), "{answer}");
        }
    }
    client.ask(&get("/file/page.txt").http10()).expect(200);
    client.expect_closed();
});

on_both_drivers!(http_1_0_keep_alive_with_close_closes, media, |server| {
    let mut client = server.connect();
    let request = get("/file/page.txt")
        .http10()
        .with("Connection", "keep-alive, close");
    client.ask(&request).expect(200);
    client.expect_closed();
});

on_both_drivers!(http_1_0_without_host_is_served, media, |server| {
    server
        .ask(&get("/file/page.txt").http10())
        .expect(200)
        .expect_body(PAGE);
    server.ask(&get("/plain.txt").http10()).expect(200);
});

on_both_drivers!(
    errors_of_the_resource_keep_the_connection,
    media,
    |server| {
        let mut client = server.connect();
        for _ in 0..10 {
            for (request, status) in [
                (get("/nothing"), 404),
                (get("/file/thousand.txt").with("Range", "bytes=5000-"), 416),
                (get("/file/page.txt").with("If-Match", "\"x\""), 412),
                (get("/folder"), 301),
            ] {
                let answer = client.ask(&request);
                answer.expect(status);
                assert!(!answer.closes(), "{answer}");
            }
        }
    }
);

on_both_drivers!(
    method_not_allowed_without_a_body_leaves_a_usable_connection_or_says_close,
    media,
    |server| {
        let mut client = server.connect();
        let answer = client.ask(&Request::new("DELETE", "/file/page.txt"));
        answer.expect(405);
        if answer.closes() {
            client.expect_closed();
        } else {
            client.ask(&get("/file/page.txt")).expect(200);
        }
    }
);

on_both_drivers!(half_closed_client_still_gets_its_answers, media, |server| {
    for target in [
        "/file/page.txt",
        "/mmap/huge.bin",
        "/memory/huge.bin",
        "/file/huge.bin",
        "/plain.txt",
    ] {
        let mut client = server.connect();
        client.send(get(target).bytes().repeat(3));
        client.half_close();
        let whole = server.get(target);
        for _ in 0..3 {
            client.answer("GET").expect(200).expect_body(&whole.body);
        }
        client.expect_closed();
    }
});

on_both_drivers!(
    half_close_within_a_head_ends_the_connection,
    media,
    |server| {
        let mut client = server.connect();
        client.send(get("/file/page.txt").bytes());
        client.send(b"GET /file/secret.txt HTTP/1.1\r\nHost: media");
        client.half_close();
        client.answer("GET").expect(200);
        let rest = client.rest();
        assert!(
            rest.is_empty() || rest.starts_with(b"HTTP/1.1 400 "),
            "{}",
            String::from_utf8_lossy(&rest)
        );
    }
);

on_both_drivers!(
    half_close_within_a_body_ends_the_connection,
    media,
    |server| {
        let mut client = server.connect();
        client.send(get("/file/page.txt").with("Content-Length", "100").bytes());
        client.send(b"short");
        client.half_close();
        let rest = client.rest();
        assert!(
            rest.starts_with(b"HTTP/1.1 200 ")
                || rest.starts_with(b"HTTP/1.1 400 ")
                || rest.is_empty(),
            "{}",
            String::from_utf8_lossy(&rest)
        );
    }
);

on_both_drivers!(connection_without_a_request_ends_quietly, media, |server| {
    let mut client = server.connect();
    client.half_close();
    client.expect_closed();
});

on_both_drivers!(head_sent_byte_by_byte_is_answered, media, |server| {
    let mut client = server.connect();
    for _ in 0..3 {
        for byte in get("/file/small.bin").with("Accept", "audio/*").bytes() {
            client.send([byte]);
        }
        client
            .answer("GET")
            .expect(200)
            .expect_body(&sized("small.bin"));
    }
});
