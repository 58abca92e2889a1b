//! Bodies of requests: streamed, cut off by the client, answered before their end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;

use tokio::sync::mpsc;

use super::*;

/// A POST with a body, and where its pieces go in.
fn post(length: Option<u64>) -> (OriginRequest, mpsc::Sender<Piece>) {
    let (sender, pieces) = mpsc::channel(4);
    let request = OriginRequest {
        body: RequestBody::Stream(RequestStream::new(pieces, length)),
        retry: Retry::Never,
        ..request("POST", "/")
    };
    (request, sender)
}

fn piece(bytes: &'static str) -> Piece {
    Piece::Bytes(Bytes::from_static(bytes.as_bytes()))
}

#[test]
fn body_of_known_length_goes_out_with_its_length() {
    let (sender, came) = sync_channel(1);
    let peer = Peer::each(move |_, mut talk| {
        sender.send((talk.head(), talk.bytes(6))).unwrap();
        talk.answer("ok");
        talk.is_closed();
    });
    run(async {
        let origin = origin(settings(&[&peer]));
        let (request, pieces) = post(Some(6));
        for bytes in ["abc", "", "def"] {
            pieces.send(piece(bytes)).await.unwrap();
        }
        let mut response = origin.send(request).await.unwrap();
        assert_eq!(whole(&mut response.body).await.as_deref(), Ok(&b"ok"[..]));
        assert_eq!(origin.counts().figures().idle, 1);
    });
    let (head, body) = came.recv().unwrap();
    assert!(head.contains("\r\nContent-Length: 6\r\n"), "{head}");
    assert!(!head.contains("Transfer-Encoding"), "{head}");
    assert_eq!(body, b"abcdef");
}

#[test]
fn body_of_unknown_length_goes_out_in_chunks_whatever_the_method() {
    for method in ["POST", "GET", "PURGE"] {
        let (sender, came) = sync_channel(1);
        let coded = b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n";
        let peer = Peer::each(move |_, mut talk| {
            sender.send((talk.head(), talk.bytes(coded.len()))).unwrap();
            talk.answer("ok");
        });
        run(async {
            let (mut request, pieces) = post(None);
            request.method = method.as_bytes().into();
            for next in [piece("abc"), piece("defg"), Piece::End] {
                pieces.send(next).await.unwrap();
            }
            let mut response = origin(settings(&[&peer])).send(request).await.unwrap();
            assert_eq!(whole(&mut response.body).await.as_deref(), Ok(&b"ok"[..]));
        });
        let (head, body) = came.recv().unwrap();
        assert!(
            head.contains("\r\nTransfer-Encoding: chunked\r\n"),
            "{head}"
        );
        assert!(!head.contains("Content-Length"), "{head}");
        assert_eq!(body, coded);
    }
}

#[test]
fn rfc9110_s8_6_methods_that_mean_a_body_say_that_there_is_none() {
    for (method, length, says) in [
        ("POST", None, true),
        ("PUT", Some(0), true),
        ("DELETE", None, false),
    ] {
        let (sender, came) = sync_channel(1);
        let peer = Peer::each(move |_, mut talk| {
            sender.send(talk.head()).unwrap();
            talk.answer("ok");
        });
        run(async {
            let mut request = request(method, "/");
            if length.is_some() {
                (request, _) = post(length);
                request.method = method.as_bytes().into();
            }
            origin(settings(&[&peer])).send(request).await.unwrap();
        });
        let head = came.recv().unwrap();
        assert_eq!(head.contains("\r\nContent-Length: 0\r\n"), says, "{head}");
    }
}

#[test]
fn client_that_gives_up_never_makes_a_whole_request() {
    for length in [Some(6), None] {
        for last in [None, Some("too many bytes"), Some("End")] {
            if length.is_none() && last.is_some() {
                continue;
            }
            let (sender, came) = sync_channel(1);
            let peer = Peer::each(move |_, mut talk| {
                talk.head();
                sender.send(talk.bytes(100)).unwrap();
            });
            run(async {
                let (request, pieces) = post(length);
                pieces.send(piece("abc")).await.unwrap();
                match last {
                    Some("End") => pieces.send(Piece::End).await.unwrap(),
                    Some(bytes) => pieces.send(piece(bytes)).await.unwrap(),
                    None => {}
                }
                drop(pieces);
                let origin = origin(settings(&[&peer]));
                let found = origin.send(request).await;
                assert_eq!(found.unwrap_err(), OriginFault::Body);
                let figures = origin.counts().figures();
                assert_eq!((figures.idle, figures.in_use), (0, 0));
                tokio::task::yield_now().await;
            });
            let body = came.recv().unwrap();
            assert!(
                body.is_empty() || body == b"abc" || body == b"3\r\nabc\r\n",
                "{body:?}"
            );
        }
    }
}

#[test]
fn client_has_to_wait_for_an_origin_that_does_not_read() {
    let (go, gate) = peer::gate();
    let total: u64 = 64 << 20;
    let peer = Peer::each(move |_, mut talk| {
        talk.head();
        assert!(gate.pass());
        let size = usize::try_from(total).unwrap();
        assert_eq!(talk.bytes(size).len(), size);
        talk.answer("ok");
    });
    run(async {
        let (sender, pieces) = mpsc::channel(4);
        let taken = Rc::new(std::cell::Cell::new(0_u64));
        let count = Rc::clone(&taken);
        let stream = RequestStream::new(pieces, Some(total))
            .on_taken(move |size| count.set(count.get() + size as u64));
        let request = OriginRequest {
            body: RequestBody::Stream(stream),
            ..request("PUT", "/")
        };
        let origin = origin(settings(&[&peer]));
        let sending = {
            let origin = origin.clone();
            tokio::task::spawn_local(async move { origin.send(request).await })
        };
        let feeding = tokio::task::spawn_local(async move {
            for _ in 0..total >> 16 {
                let piece = Piece::Bytes(Bytes::from_static(&[7; 65_536]));
                sender.send(piece).await.unwrap();
            }
        });
        let mut before = 0;
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            if before > 0 && taken.get() == before {
                break;
            }
            before = taken.get();
        }
        assert!(
            before < total / 2,
            "{before} bytes taken for an origin that reads none"
        );
        go.send(()).unwrap();
        feeding.await.unwrap();
        let mut response = sending.await.unwrap().unwrap();
        assert_eq!(whole(&mut response.body).await.as_deref(), Ok(&b"ok"[..]));
        assert_eq!(taken.get(), total);
    });
}

#[test]
fn response_before_the_bodys_end_comes_through_and_its_connection_is_not_kept() {
    let peer = Peer::each(|_, mut talk| {
        talk.head();
        talk.say("HTTP/1.1 413 Too Much\r\nContent-Length: 2\r\n\r\nno");
        talk.is_closed();
    });
    run(async {
        let (request, pieces) = post(None);
        pieces.send(piece("abc")).await.unwrap();
        let origin = origin(settings(&[&peer]));
        let mut response = origin.send(request).await.unwrap();
        assert_eq!(response.status, 413);
        assert_eq!(whole(&mut response.body).await.as_deref(), Ok(&b"no"[..]));
        let figures = origin.counts().figures();
        assert_eq!((figures.idle, figures.in_use), (0, 0));
        drop(pieces);
        tokio::task::yield_now().await;
    });
}

#[test]
fn slow_client_is_not_the_origins_fault() {
    let peer = Peer::each(|_, mut talk| {
        talk.head();
        assert_eq!(talk.bytes(6), b"abcdef");
        talk.answer("ok");
    });
    run(async {
        let origin = origin(OriginSettings {
            first_byte_timeout: Duration::from_millis(60),
            ..settings(&[&peer])
        });
        let (request, pieces) = post(Some(6));
        let feeding = tokio::task::spawn_local(async move {
            for bytes in ["ab", "cd", "ef"] {
                tokio::time::sleep(Duration::from_millis(150)).await;
                pieces.send(piece(bytes)).await.unwrap();
            }
        });
        let found = origin.send(request).await;
        feeding.await.unwrap();
        // The answer's own 60 ms begin with the last byte; a slow machine may miss them, but never before.
        match found {
            Ok(mut response) => {
                assert_eq!(whole(&mut response.body).await.as_deref(), Ok(&b"ok"[..]));
            }
            Err(fault) => assert_eq!(fault, OriginFault::FirstByteTimeout),
        }
    });
}

#[test]
fn body_of_which_nothing_was_taken_may_be_sent_anew() {
    let count = std::sync::Arc::new(AtomicUsize::new(0));
    let seen = std::sync::Arc::clone(&count);
    let peer = Peer::each(move |_, mut talk| {
        talk.head();
        talk.answer("a");
        // The second request's head comes without its body, and the connection closes.
        if !talk.head().is_empty() {
            seen.fetch_add(1, Ordering::SeqCst);
        }
    });
    run(async {
        let origin = origin(settings(&[&peer]));
        let mut first = origin.send(get("/")).await.unwrap();
        whole(&mut first.body).await.unwrap();
        let (mut request, pieces) = post(Some(3));
        request.retry = Retry::Safe;
        let sending = {
            let origin = origin.clone();
            tokio::task::spawn_local(async move { origin.send(request).await })
        };
        while origin.counts().figures().stale_connections == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        pieces.send(piece("abc")).await.unwrap();
        let mut response = sending.await.unwrap().unwrap();
        assert_eq!(whole(&mut response.body).await.as_deref(), Ok(&b"a"[..]));
    });
    assert!(count.load(Ordering::SeqCst) >= 1);
}
