//! Connections that carry one request after another, and those that should not.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;

use super::*;

/// A peer that answers every request on a connection with its number there.
fn counting() -> Peer {
    Peer::each(|_, mut talk| {
        let mut count = 0;
        while !talk.head().is_empty() {
            count += 1;
            talk.answer(&count.to_string());
        }
    })
}

async fn ask(origin: &Origin, request: OriginRequest) -> Result<String, OriginFault> {
    let mut response = origin.send(request).await?;
    let body = whole(&mut response.body).await?;
    Ok(String::from_utf8(body).unwrap())
}

#[test]
fn connection_is_used_again() {
    let peer = counting();
    run(async {
        let origin = origin(settings(&[&peer]));
        for count in 1..=20 {
            assert_eq!(ask(&origin, get("/")).await, Ok(count.to_string()));
        }
        let figures = origin.counts().figures();
        assert_eq!(
            (figures.requests, figures.connects, figures.reuses),
            (20, 1, 19)
        );
        assert_eq!((figures.idle, figures.in_use), (1, 0));
    });
    assert_eq!(peer.accepted(), 1);
}

#[test]
fn rfc9112_s9_3_connection_that_is_to_close_is_not_used_again() {
    for head in [
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na",
        "HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 1\r\n\r\na",
        "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na",
    ] {
        // It stays open, so that only the head tells.
        let peer = Peer::each(move |_, mut talk| {
            while !talk.head().is_empty() {
                talk.say(head);
            }
        });
        run(async {
            let origin = origin(settings(&[&peer]));
            for _ in 0..2 {
                assert_eq!(ask(&origin, get("/")).await.as_deref(), Ok("a"));
            }
            assert_eq!(origin.counts().figures().reuses, 0, "{head}");
        });
    }
}

#[test]
fn rfc9112_s9_3_http_1_0_connection_persists_where_it_says_so() {
    let peer = Peer::each(|_, mut talk| {
        while !talk.head().is_empty() {
            talk.say("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na");
        }
    });
    run(async {
        let origin = origin(settings(&[&peer]));
        for _ in 0..2 {
            assert_eq!(ask(&origin, get("/")).await.as_deref(), Ok("a"));
        }
        assert_eq!(origin.counts().figures().reuses, 1);
    });
}

#[test]
fn bytes_after_a_response_are_never_the_next_response() {
    for body in [
        "abcEXTRA",
        "abcHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    ] {
        let peer = Peer::each(move |_, mut talk| {
            while !talk.head().is_empty() {
                talk.say(format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{body}"
                ));
            }
        });
        run(async {
            let origin = origin(settings(&[&peer]));
            for _ in 0..3 {
                assert_eq!(ask(&origin, get("/")).await.as_deref(), Ok("abc"));
            }
            let figures = origin.counts().figures();
            assert_eq!((figures.connects, figures.reuses), (3, 0));
            assert_eq!(counted(&figures, OriginFault::OverLong), 3);
        });
    }
}

#[test]
fn bytes_that_come_late_after_a_response_are_never_the_next_response() {
    let (sent, is_sent) = sync_channel(9);
    let peer = Peer::each(move |_, mut talk| {
        while !talk.head().is_empty() {
            talk.answer("abc");
            // The client has read the response, and asks for nothing more until told to.
            crate::sys::clock::pause(Duration::from_millis(20));
            talk.say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
            sent.send(()).unwrap();
        }
    });
    run(async {
        let origin = origin(settings(&[&peer]));
        for _ in 0..3 {
            assert_eq!(ask(&origin, get("/")).await.as_deref(), Ok("abc"));
            // Blocks the whole runtime, which thus can't have noticed on its own.
            is_sent.recv_timeout(peer::PATIENCE).unwrap();
        }
        assert_eq!(origin.counts().figures().reuses, 0);
    });
}

#[test]
fn idle_connection_that_was_closed_is_passed_over() {
    let (closed, is_closed) = sync_channel(9);
    let peer = Peer::each(move |_, mut talk| {
        talk.head();
        talk.answer("a");
        drop(talk);
        closed.send(()).unwrap();
    });
    run(async {
        let origin = origin(settings(&[&peer]));
        for _ in 0..3 {
            let mut post = request("POST", "/");
            post.retry = Retry::Never;
            assert_eq!(ask(&origin, post).await.as_deref(), Ok("a"));
            is_closed.recv_timeout(peer::PATIENCE).unwrap();
        }
        let figures = origin.counts().figures();
        assert_eq!((figures.connects, figures.reuses), (3, 0));
    });
}

/// A peer whose connections close on their second request without a word; all but the first two answer all.
fn forgetful() -> (Peer, std::sync::Arc<AtomicUsize>) {
    let seen = std::sync::Arc::new(AtomicUsize::new(0));
    let count = std::sync::Arc::clone(&seen);
    let peer = Peer::each(move |_, mut talk| {
        if !talk.head().is_empty() {
            count.fetch_add(1, Ordering::SeqCst);
            talk.answer("a");
        }
        if !talk.head().is_empty() {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    (peer, seen)
}

#[test]
fn rfc9112_s9_3_1_idempotent_request_on_a_connection_that_closed_is_sent_once_more() {
    let (peer, seen) = forgetful();
    run(async {
        let origin = origin(settings(&[&peer]));
        for _ in 0..2 {
            assert_eq!(ask(&origin, get("/")).await.as_deref(), Ok("a"));
        }
        let figures = origin.counts().figures();
        assert_eq!((figures.connects, figures.stale_connections), (2, 1));
    });
    assert_eq!(seen.load(Ordering::SeqCst), 3);
}

#[test]
fn rfc9110_s9_2_2_request_that_is_not_idempotent_is_sent_once() {
    let (peer, seen) = forgetful();
    run(async {
        let origin = origin(settings(&[&peer]));
        let post = || OriginRequest {
            retry: Retry::Never,
            ..request("POST", "/")
        };
        assert_eq!(ask(&origin, post()).await.as_deref(), Ok("a"));
        assert_eq!(ask(&origin, post()).await, Err(OriginFault::Reset));
    });
    assert_eq!(seen.load(Ordering::SeqCst), 2);
}

#[test]
fn request_that_fails_on_a_new_connection_is_not_repeated() {
    let peer = Peer::each(|_, mut talk| {
        talk.head();
    });
    run(async {
        let origin = origin(settings(&[&peer]));
        assert_eq!(ask(&origin, get("/")).await, Err(OriginFault::Reset));
    });
    assert_eq!(peer.accepted(), 1);
}

#[test]
fn request_that_was_answered_in_part_is_not_repeated() {
    let peer = Peer::each(|_, mut talk| {
        talk.head();
        talk.answer("a");
        talk.head();
        talk.say("HTTP/1.1 2");
    });
    run(async {
        let origin = origin(settings(&[&peer]));
        assert_eq!(ask(&origin, get("/")).await.as_deref(), Ok("a"));
        assert_eq!(ask(&origin, get("/")).await, Err(OriginFault::Truncated));
    });
    assert_eq!(peer.accepted(), 1);
}

#[test]
fn no_more_idle_connections_are_kept_than_wanted() {
    let peer = counting();
    run(async {
        let origin = origin(OriginSettings {
            idle_max: 2,
            ..settings(&[&peer])
        });
        let mut responses = Vec::new();
        for _ in 0..4 {
            responses.push(origin.send(get("/")).await.unwrap());
        }
        for mut response in responses {
            whole(&mut response.body).await.unwrap();
        }
        let figures = origin.counts().figures();
        assert!(figures.idle <= 2, "{figures:?}");
        assert_eq!(figures.in_use, 0);
    });
}

#[test]
fn idle_connection_is_closed_after_its_time() {
    let (closed, is_closed) = sync_channel(1);
    let peer = Peer::each(move |_, mut talk| {
        talk.head();
        talk.answer("a");
        closed.send(talk.is_closed()).unwrap();
    });
    run(async {
        let origin = origin(OriginSettings {
            idle_timeout: Duration::from_millis(30),
            ..settings(&[&peer])
        });
        assert_eq!(ask(&origin, get("/")).await.as_deref(), Ok("a"));
        assert_eq!(origin.counts().figures().idle, 1);
        while origin.counts().figures().idle > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::task::yield_now().await;
        let closed = tokio::task::spawn_blocking(move || is_closed.recv_timeout(peer::PATIENCE));
        assert_eq!(closed.await.unwrap(), Ok(true));
    });
}

#[test]
fn client_runs_on_the_fill_threads_own_runtime() {
    let peer = counting();
    let settings = settings(&[&peer]);
    let (runtime, _) = crate::fill::warm::Reader::start().unwrap();
    runtime.block_on(async {
        let origin = origin(settings);
        for count in 1..=3 {
            assert_eq!(ask(&origin, get("/")).await, Ok(count.to_string()));
        }
        assert_eq!(origin.counts().figures().connects, 1);
    });
}
