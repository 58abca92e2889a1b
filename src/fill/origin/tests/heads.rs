//! Heads that are late, endless, broken, or missing.

use std::sync::mpsc::sync_channel;

use super::*;

#[test]
fn request_goes_out_with_its_fields_and_without_the_connections_own() {
    let (sender, heads) = sync_channel(1);
    let peer = Peer::each(move |_, mut talk| {
        sender.send(talk.head()).unwrap();
        talk.answer("");
    });
    run(async {
        let mut settings = settings(&[&peer]);
        settings.urls[0].base = "/base".to_owned();
        let mut request = get("/a?b");
        for name in [
            "Connection",
            "TE",
            "Upgrade",
            "Keep-Alive",
            "Transfer-Encoding",
        ] {
            assert!(request.fields.push(name.as_bytes(), b"chunked"));
        }
        assert!(request.fields.push(b"content-length", b"7"));
        let response = origin(settings).send(request).await.unwrap();
        assert_eq!((response.status, response.url_index), (200, 0));
    });
    assert_eq!(
        heads.recv().unwrap(),
        "GET /base/a?b HTTP/1.1\r\nHost: media.test\r\nX-Two: a\r\nX-Two: b\r\n\r\n"
    );
}

#[test]
fn response_comes_with_its_fields_in_their_order() {
    let peer = Peer::each(|_, mut talk| {
        talk.head();
        talk.say(
            "HTTP/1.1 404 Nothing Here\r\nETag: \"a\"\r\nX-Odd : \u{e9}\r\n\
            Cache-Control: no-cache\r\ncontent-length: 2\r\n\r\nno",
        );
    });
    run(async {
        let mut response = origin(settings(&[&peer])).send(get("/")).await.unwrap();
        assert_eq!(response.status, 404);
        assert_eq!(response.version, crate::http::head::Version::Http11);
        let expected =
            "etag: \"a\"\r\nx-odd: \u{e9}\r\ncache-control: no-cache\r\ncontent-length: 2\r\n";
        assert_eq!(response.fields.as_bytes(), expected.as_bytes());
        assert_eq!(response.body.size_hint(), Some(2));
        assert_eq!(whole(&mut response.body).await.unwrap(), b"no");
    });
}

#[test]
fn connection_that_ends_before_a_head_is_reset_or_truncated() {
    for (said, fault) in [
        ("", OriginFault::Reset),
        ("HTTP/1.1 20", OriginFault::Truncated),
        ("HTTP/1.1 200 OK\r\nA: b\r\n", OriginFault::Truncated),
    ] {
        let (found, figures) = outcome(said.as_bytes());
        assert_eq!(found, Err(fault), "{said}");
        assert_eq!(counted(&figures, fault), 1);
        assert_eq!((figures.connects, figures.in_use, figures.idle), (1, 0, 0));
    }
}

#[test]
fn reset_before_and_within_a_head_is_a_reset() {
    for said in ["", "HTTP/1.1 200 OK\r\nA"] {
        let peer = Peer::each(move |_, mut talk| {
            talk.head();
            talk.say(said);
            talk.reset();
        });
        let found = run(async { origin(settings(&[&peer])).send(get("/")).await.map(|_| ()) });
        assert_eq!(found, Err(OriginFault::Reset), "{said}");
    }
}

#[test]
fn head_that_does_not_come_in_time_is_given_up_and_the_connection_closed() {
    let (closed, is_closed) = sync_channel(2);
    // Byte by byte is no head either.
    for said in ["", "HTTP/1.1 200 OK\r\nA: b"] {
        let closed = closed.clone();
        let peer = Peer::each(move |_, mut talk| {
            talk.head();
            talk.say(said);
            closed.send(talk.is_closed()).unwrap();
        });
        run(async {
            let settings = OriginSettings {
                first_byte_timeout: Duration::from_millis(60),
                ..settings(&[&peer])
            };
            let found = origin(settings).send(get("/")).await;
            assert_eq!(found.unwrap_err(), OriginFault::FirstByteTimeout);
            tokio::task::yield_now().await;
        });
        assert!(is_closed.recv().unwrap());
    }
}

#[test]
fn total_timeout_covers_the_head() {
    let peer = Peer::each(|_, mut talk| {
        talk.head();
        talk.is_closed();
    });
    run(async {
        let settings = OriginSettings {
            total_timeout: Some(Duration::from_millis(60)),
            ..settings(&[&peer])
        };
        let found = origin(settings).send(get("/")).await;
        assert_eq!(found.unwrap_err(), OriginFault::TotalTimeout);
    });
}

#[test]
fn head_without_end_is_too_large() {
    for line in ["a", "a: b\r\n", "a: bcdefghijklmnopqrstuvwxyz\r\n"] {
        let peer = Peer::each(move |_, mut talk| {
            talk.head();
            talk.say("HTTP/1.1 200 OK\r\n");
            let many = line.repeat(1000);
            while talk.say(&many) {}
        });
        let found = run(async { origin(settings(&[&peer])).send(get("/")).await.map(|_| ()) });
        assert_eq!(found, Err(OriginFault::HeadTooLarge), "{line:?}");
    }
}

#[test]
fn head_larger_than_its_limit_is_refused_and_one_within_it_is_not() {
    let answer = |size: usize| {
        format!(
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: {}\r\n\r\n",
            "b".repeat(size)
        )
    };
    assert_eq!(outcome(answer(60 << 10).as_bytes()).0, Ok(Vec::new()));
    for size in [64 << 10, 1 << 20] {
        assert_eq!(
            outcome(answer(size).as_bytes()).0,
            Err(OriginFault::HeadTooLarge)
        );
    }
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(200));
    assert_eq!(outcome(many.as_bytes()).0, Err(OriginFault::HeadTooLarge));
}

#[test]
fn rfc9110_s15_2_informational_responses_are_told_and_not_taken_for_the_final_one() {
    let peer = Peer::each(|_, mut talk| {
        talk.head();
        talk.say("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
        talk.answer("final");
    });
    let (sender, told) = sync_channel(9);
    run(async {
        let mut request = get("/");
        request.informational = Some(Informational::new(move |status, fields| {
            sender.send((status, fields)).unwrap();
        }));
        let mut response = origin(settings(&[&peer])).send(request).await.unwrap();
        assert_eq!(response.status, 200);
        assert_eq!(whole(&mut response.body).await.unwrap(), b"final");
    });
    let told: Vec<_> = told.iter().collect();
    assert_eq!(told.len(), 2);
    assert_eq!((told[0].0, told[0].1.as_bytes()), (100, &b""[..]));
    assert_eq!(
        (told[1].0, told[1].1.value("link")),
        (103, Some(&b"</a>"[..]))
    );
}

#[test]
fn informational_responses_without_end_are_given_up() {
    let peer = Peer::each(|_, mut talk| {
        talk.head();
        let many = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(1000);
        while talk.say(&many) {}
    });
    run(async {
        let origin = origin(settings(&[&peer]));
        let found = origin.send(get("/")).await;
        assert_eq!(found.unwrap_err(), OriginFault::HeadTooLarge);
    });
}

#[test]
fn bytes_that_are_no_http_1_head_are_refused() {
    for said in [
        "hello, this is HTTP/0.9\r\n\r\n",
        "<html>\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\na b: c\r\n\r\n",
        "HTTP/1.1 200 OK\r\na: b\r\n folded\r\n\r\n",
        "HTTP/1.1 200 OK\r\na: b\0c\r\n\r\n",
        "\x16\x03\x01\x02",
    ] {
        let (found, _) = outcome(said.as_bytes());
        assert_eq!(
            found,
            Err(OriginFault::BadHead(HeadFault::Malformed)),
            "{said:?}"
        );
    }
    for said in ["HTTP/1.1 2x0 OK\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n"] {
        let (found, _) = outcome(said.as_bytes());
        assert_eq!(
            found,
            Err(OriginFault::BadHead(HeadFault::Status)),
            "{said:?}"
        );
    }
}

#[test]
fn rfc9110_s7_8_upgrade_is_refused() {
    let said =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n";
    let (found, figures) = outcome(said.as_bytes());
    assert_eq!(found, Err(OriginFault::UpgradeRefused));
    assert_eq!(figures.idle, 0);
    let peer = Peer::each(|_, _| {});
    let found = run(async {
        origin(settings(&[&peer]))
            .send(request("CONNECT", "/"))
            .await
    });
    assert_eq!(found.unwrap_err(), OriginFault::UpgradeRefused);
    assert_eq!(peer.accepted(), 0);
}

#[test]
fn request_that_is_no_http_is_not_sent() {
    let peer = Peer::each(|_, _| {});
    run(async {
        let origin = origin(settings(&[&peer]));
        for request in [request("G T", "/"), get("no-slash")] {
            let found = origin.send(request).await;
            assert_eq!(found.unwrap_err(), OriginFault::Unsendable);
        }
    });
}
