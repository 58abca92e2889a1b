//! Where a body ends, said well, badly, or twice (RFC 9112 s6.3).

use super::*;

fn said(head: &str, body: &str) -> Result<Vec<u8>, OriginFault> {
    outcome(format!("HTTP/1.1 200 OK\r\n{head}\r\n{body}").as_bytes()).0
}

#[test]
fn rfc9112_s6_3_doubtful_framing_is_refused() {
    for head in [
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
        "Content-Length: 3\r\nContent-Length: 3\r\n",
        "Content-Length: 3\r\nContent-Length: 4\r\n",
        "Content-Length: 3, 3\r\n",
        "Content-Length: +3\r\n",
        "Content-Length: -3\r\n",
        "Content-Length: 3x\r\n",
        "Content-Length: 0x3\r\n",
        "Content-Length:\r\n",
        "Content-Length: 18446744073709551616\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked;a=b\r\n",
    ] {
        assert_eq!(
            said(head, "3\r\nabc\r\n0\r\n\r\n"),
            Err(OriginFault::BadFraming),
            "{head}"
        );
    }
    let old = "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    assert_eq!(outcome(old.as_bytes()).0, Err(OriginFault::BadFraming));
}

#[test]
fn rfc9112_s7_1_chunks_are_put_together() {
    let coded = "3;ext=\"a\"\r\nabc\r\n00A\r\n0123456789\r\n0\r\n\r\n";
    for head in [
        "Transfer-Encoding: chunked\r\n",
        "transfer-encoding: Chunked\r\n",
    ] {
        assert_eq!(said(head, coded), Ok(b"abc0123456789".to_vec()));
    }
}

#[test]
fn rfc9112_s7_1_broken_chunks_are_refused() {
    for coded in [
        "x\r\nabc\r\n0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "-3\r\nabc\r\n0\r\n\r\n",
        "10000000000000000\r\nabc",
        "3\r\nabc\r\n\r\n\r\n",
    ] {
        let found = said("Transfer-Encoding: chunked\r\n", coded);
        assert_eq!(found, Err(OriginFault::BadFraming), "{coded:?}");
    }
}

#[test]
fn rfc9112_s8_incomplete_bodies_are_never_a_clean_end() {
    assert_eq!(
        said("Content-Length: 10\r\n", "abc"),
        Err(OriginFault::Truncated)
    );
    assert_eq!(
        said("Content-Length: 10\r\n", ""),
        Err(OriginFault::Truncated)
    );
    for coded in [
        "",
        "3",
        "3\r\n",
        "3\r\nab",
        "3\r\nabc",
        "3\r\nabc\r\n",
        "3\r\nabc\r\n0\r\n",
    ] {
        let found = said("Transfer-Encoding: chunked\r\n", coded);
        assert_eq!(found, Err(OriginFault::Truncated), "{coded:?}");
    }
}

#[test]
fn body_that_ends_with_the_connection_says_so() {
    for version in ["HTTP/1.0", "HTTP/1.1"] {
        let peer = Peer::each(move |_, mut talk| {
            talk.head();
            talk.say(format!("{version} 200 OK\r\nA: b\r\n\r\nup to the end"));
        });
        run(async {
            let origin = origin(settings(&[&peer]));
            let mut response = origin.send(get("/")).await.unwrap();
            assert!(response.body.is_close_delimited());
            assert_eq!(response.body.size_hint(), None);
            assert_eq!(whole(&mut response.body).await.unwrap(), b"up to the end");
            assert_eq!(origin.counts().figures().idle, 0);
        });
    }
}

#[test]
fn reset_of_a_body_that_ends_with_the_connection_is_a_fault() {
    let peer = Peer::each(|_, mut talk| {
        talk.head();
        talk.say("HTTP/1.1 200 OK\r\n\r\nup to");
        talk.head();
        talk.reset();
    });
    run(async {
        let mut response = origin(settings(&[&peer])).send(get("/")).await.unwrap();
        assert_eq!(
            response.body.next().await,
            Ok(Some(Bytes::from_static(b"up to")))
        );
        // The peer waits for a second request's head, which is this connection's end.
        drop(response);
    });
    let peer = Peer::each(|_, mut talk| {
        talk.head();
        talk.say("HTTP/1.1 200 OK\r\n\r\n");
        talk.reset();
    });
    run(async {
        let found = match origin(settings(&[&peer])).send(get("/")).await {
            Ok(mut response) => whole(&mut response.body).await,
            Err(fault) => Err(fault),
        };
        assert_eq!(found, Err(OriginFault::Reset));
    });
}

#[test]
fn rfc9110_s6_4_1_responses_without_a_body_end_with_their_head() {
    let cases = [
        (
            "GET",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n",
        ),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n"),
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"),
        (
            "HEAD",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        ),
        ("HEAD", "HTTP/1.1 200 OK\r\n\r\n"),
        ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ];
    for (method, said) in cases {
        let peer = Peer::each(move |_, mut talk| {
            while !talk.head().is_empty() {
                talk.say(said);
            }
        });
        run(async {
            let origin = origin(settings(&[&peer]));
            for round in 0..3 {
                let mut response = origin.send(request(method, "/")).await.unwrap();
                assert_eq!(response.is_reused, round > 0, "{method} {said}");
                assert!(!response.body.is_close_delimited());
                assert_eq!(response.body.size_hint(), Some(0));
                // Nothing is left to come, so the connection is free before the body is asked for.
                assert_eq!(origin.counts().figures().idle, 1);
                assert_eq!(response.body.next().await, Ok(None));
            }
        });
    }
}

#[test]
fn rfc9110_s6_5_trailers_come_after_the_body() {
    let peer = Peer::each(|_, mut talk| {
        talk.head();
        talk.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 6\r\n\r\n");
        talk.head();
    });
    run(async {
        let origin = origin(settings(&[&peer]));
        let mut response = origin.send(get("/")).await.unwrap();
        assert_eq!(whole(&mut response.body).await.unwrap(), b"abc");
        let trailers = response.body.trailers().unwrap();
        assert_eq!(trailers.as_bytes(), b"x-sum: 6\r\n");
        assert_eq!(origin.counts().figures().idle, 1);
    });
}
