//! Bodies that flow, stop, break off, or never end.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;

use super::*;

#[test]
fn reset_within_a_body_is_a_reset_after_the_bytes_that_came() {
    let (go, gate) = peer::gate();
    let peer = Peer::each(move |_, mut talk| {
        talk.head();
        talk.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
        assert!(gate.pass());
        talk.reset();
    });
    run(async {
        let mut response = origin(settings(&[&peer])).send(get("/")).await.unwrap();
        assert_eq!(
            response.body.next().await,
            Ok(Some(Bytes::from_static(b"abc")))
        );
        go.send(()).unwrap();
        for _ in 0..2 {
            assert_eq!(response.body.next().await, Err(OriginFault::Reset));
        }
    });
}

#[test]
fn body_that_stops_is_given_up_and_the_connection_closed() {
    let (closed, is_closed) = sync_channel(1);
    let peer = Peer::each(move |_, mut talk| {
        talk.head();
        talk.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
        closed.send(talk.is_closed()).unwrap();
    });
    run(async {
        let settings = OriginSettings {
            between_bytes_timeout: Duration::from_millis(60),
            ..settings(&[&peer])
        };
        let origin = origin(settings);
        let mut response = origin.send(get("/")).await.unwrap();
        assert_eq!(
            response.body.next().await,
            Ok(Some(Bytes::from_static(b"abc")))
        );
        assert_eq!(
            response.body.next().await,
            Err(OriginFault::BetweenBytesTimeout)
        );
        let figures = origin.counts().figures();
        assert_eq!(counted(&figures, OriginFault::BetweenBytesTimeout), 1);
        assert_eq!((figures.in_use, figures.idle), (0, 0));
        tokio::task::yield_now().await;
    });
    assert!(is_closed.recv().unwrap());
}

#[test]
fn total_timeout_ends_a_body_that_trickles_for_ever() {
    let peer = Peer::each(|_, mut talk| {
        talk.head();
        talk.say("HTTP/1.1 200 OK\r\n\r\n");
        while talk.say("x") {
            crate::sys::clock::pause(Duration::from_millis(5));
        }
    });
    run(async {
        let settings = OriginSettings {
            total_timeout: Some(Duration::from_millis(200)),
            ..settings(&[&peer])
        };
        let mut response = origin(settings).send(get("/")).await.unwrap();
        let found = whole(&mut response.body).await;
        assert_eq!(found, Err(OriginFault::TotalTimeout));
    });
}

#[test]
fn large_body_comes_whole_in_large_pieces() {
    let size = 20 << 20;
    let body: Vec<u8> = (0..size).map(|at: u32| (at ^ (at >> 9)) as u8).collect();
    let expected = body.clone();
    let peer = Peer::each(move |_, mut talk| {
        talk.head();
        talk.say(format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n"));
        talk.say(&body);
    });
    run(async {
        let mut response = origin(settings(&[&peer])).send(get("/")).await.unwrap();
        assert_eq!(response.body.size_hint(), Some(u64::from(size)));
        let (mut all, mut count) = (Vec::new(), 0);
        while let Some(bytes) = response.body.next().await.unwrap() {
            assert!(bytes.len() <= 2 * READ_MAX, "{}", bytes.len());
            all.extend_from_slice(&bytes);
            count += 1;
        }
        assert!(all == expected);
        assert_eq!(response.body.received(), u64::from(size));
        assert!(count < 2000, "{count} pieces of 20 MiB");
    });
}

#[test]
fn small_chunks_are_gathered() {
    let peer = Peer::each(|_, mut talk| {
        talk.head();
        let coded = "5\r\nabcde\r\n".repeat(10_000);
        talk.say(format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{coded}0\r\n\r\n"
        ));
    });
    run(async {
        let mut response = origin(settings(&[&peer])).send(get("/")).await.unwrap();
        let (mut size, mut count) = (0, 0);
        while let Some(bytes) = response.body.next().await.unwrap() {
            assert!(bytes.chunks(5).all(|chunk| b"abcde".starts_with(chunk)) || size % 5 != 0);
            size += bytes.len();
            count += 1;
        }
        assert_eq!(size, 50_000);
        assert!(count < 1000, "{count} pieces of 10000 chunks");
    });
}

#[test]
fn origin_has_to_wait_for_a_reader_that_does_not_read() {
    let sent = std::sync::Arc::new(AtomicU64::new(0));
    let count = std::sync::Arc::clone(&sent);
    let total: u64 = 256 << 20;
    let peer = Peer::each(move |_, mut talk| {
        talk.head();
        talk.say(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {total}\r\n\r\n"
        ));
        while talk.say([0; 65_536]) {
            count.fetch_add(65_536, Ordering::SeqCst);
        }
    });
    run(async {
        let mut response = origin(settings(&[&peer])).send(get("/")).await.unwrap();
        assert!(response.body.next().await.unwrap().is_some());
        // Until what the peer could send no longer grows: both kernel buffers are full.
        let mut before = 0;
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let now = sent.load(Ordering::SeqCst);
            if now == before {
                break;
            }
            before = now;
        }
        assert!(
            before < total / 2,
            "{before} bytes for a reader of one piece"
        );
    });
}

#[test]
fn wait_for_a_piece_may_be_dropped_without_losing_any() {
    let peer = Peer::each(|_, mut talk| {
        talk.head();
        talk.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for round in 0..200 {
            talk.say(format!("4\r\n{round:04}\r\n"));
        }
        talk.say("0\r\n\r\n");
    });
    run(async {
        let mut response = origin(settings(&[&peer])).send(get("/")).await.unwrap();
        let mut all = Vec::new();
        loop {
            tokio::select! {
                biased;
                next = response.body.next() => match next.unwrap() {
                    Some(bytes) => all.extend_from_slice(&bytes),
                    None => break,
                },
                () = tokio::task::yield_now() => {}
            }
        }
        let expected: String = (0..200).map(|round| format!("{round:04}")).collect();
        assert_eq!(String::from_utf8(all).unwrap(), expected);
    });
}

#[test]
fn body_dropped_before_its_end_closes_the_connection() {
    let (closed, is_closed) = sync_channel(1);
    let peer = Peer::each(move |_, mut talk| {
        talk.head();
        talk.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
        closed.send(talk.is_closed()).unwrap();
    });
    run(async {
        let origin = origin(settings(&[&peer]));
        let response = origin.send(get("/")).await.unwrap();
        assert_eq!(origin.counts().figures().in_use, 1);
        drop(response);
        let figures = origin.counts().figures();
        assert_eq!((figures.in_use, figures.idle), (0, 0));
        tokio::task::yield_now().await;
    });
    assert!(is_closed.recv().unwrap());
}
