//! How many connections there are, and what becomes of requests that find none.

use std::sync::mpsc::SyncSender;

use super::*;

/// A peer that answers each request with its target once it is let go; the sender lets one go.
fn gated() -> (Peer, SyncSender<()>) {
    let (go, gate) = peer::gate();
    let peer = Peer::each(move |_, mut talk| {
        loop {
            let head = talk.head();
            let Some(target) = head.split(' ').nth(1) else {
                return;
            };
            if !gate.pass() {
                return;
            }
            talk.answer(target);
        }
    });
    (peer, go)
}

async fn ask(origin: Origin, target: String) -> Result<Vec<u8>, OriginFault> {
    let mut response = origin.send(get(&target)).await?;
    whole(&mut response.body).await
}

#[test]
fn requests_beyond_the_connections_wait_for_their_turn() {
    let (peer, go) = gated();
    run(async {
        let origin = origin(OriginSettings {
            connections_max: 3,
            ..settings(&[&peer])
        });
        let tasks: Vec<_> = (0..30)
            .map(|at| tokio::task::spawn_local(ask(origin.clone(), format!("/{at}"))))
            .collect();
        while origin.counts().figures().waits < 27 {
            tokio::task::yield_now().await;
        }
        assert_eq!(origin.counts().figures().in_use, 3);
        for _ in 0..30 {
            go.send(()).unwrap();
        }
        for (at, task) in tasks.into_iter().enumerate() {
            assert_eq!(task.await.unwrap(), Ok(format!("/{at}").into_bytes()));
        }
        let figures = origin.counts().figures();
        assert!(figures.connects <= 3, "{figures:?}");
        assert_eq!(figures.in_use, 0);
    });
    assert!(peer.accepted() <= 3);
}

#[test]
fn requests_beyond_those_that_may_wait_are_busy() {
    let (peer, go) = gated();
    run(async {
        let origin = origin(OriginSettings {
            connections_max: 1,
            waits_max: 2,
            ..settings(&[&peer])
        });
        let tasks: Vec<_> = (0..3)
            .map(|at| tokio::task::spawn_local(ask(origin.clone(), format!("/{at}"))))
            .collect();
        while origin.counts().figures().waits < 2 {
            tokio::task::yield_now().await;
        }
        let found = ask(origin.clone(), "/x".to_owned()).await;
        assert_eq!(found, Err(OriginFault::Busy));
        for _ in 0..3 {
            go.send(()).unwrap();
        }
        for task in tasks {
            assert!(task.await.unwrap().is_ok());
        }
        assert_eq!(counted(&origin.counts().figures(), OriginFault::Busy), 1);
    });
}

#[test]
fn request_that_waits_too_long_for_a_connection_is_busy() {
    let (peer, go) = gated();
    run(async {
        let origin = origin(OriginSettings {
            connections_max: 1,
            connect_timeout: Duration::from_millis(80),
            ..settings(&[&peer])
        });
        let first = tokio::task::spawn_local(ask(origin.clone(), "/a".to_owned()));
        while peer.accepted() == 0 {
            tokio::task::yield_now().await;
        }
        let found = ask(origin.clone(), "/b".to_owned()).await;
        assert_eq!(found, Err(OriginFault::Busy));
        go.send(()).unwrap();
        assert_eq!(first.await.unwrap().as_deref(), Ok(&b"/a"[..]));
    });
}

#[test]
fn request_dropped_while_it_waits_leaves_nothing_behind() {
    let (peer, _go) = gated();
    run(async {
        let origin = origin(OriginSettings {
            connections_max: 1,
            waits_max: 1,
            ..settings(&[&peer])
        });
        for _ in 0..3 {
            let tasks: Vec<_> = (0..2)
                .map(|_| tokio::task::spawn_local(ask(origin.clone(), "/".to_owned())))
                .collect();
            let before = origin.counts().figures().waits;
            while origin.counts().figures().waits == before {
                tokio::task::yield_now().await;
            }
            for task in tasks {
                task.abort();
                assert!(task.await.unwrap_err().is_cancelled());
            }
            assert_eq!(origin.counts().figures().in_use, 0);
        }
        assert_eq!(counted(&origin.counts().figures(), OriginFault::Busy), 0);
    });
}
