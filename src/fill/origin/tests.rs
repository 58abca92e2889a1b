//! The client against peers that say what they like: plain listeners on loopback, one thread for each connection.

mod bodies;
mod framing;
mod heads;
mod peer;
mod places;
mod refusals;
mod reuse;
mod tls;
mod uploads;
mod urls;

use std::time::Duration;

use bytes::Bytes;

use self::peer::Peer;
use super::*;
use crate::http::fields::FieldLines as _;

/// Runs `work` as the fill thread would. A test that hangs fails.
fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let local = tokio::task::LocalSet::new();
    let done = runtime
        .block_on(local.run_until(async { tokio::time::timeout(peer::PATIENCE * 2, work).await }));
    drop(local);
    // A resolver may hang for longer than a test should.
    runtime.shutdown_background();
    done.expect("the test hangs")
}

fn url(port: u16) -> OriginUrl {
    OriginUrl {
        https: false,
        host: "127.0.0.1".to_owned(),
        port,
        base: String::new(),
    }
}

/// Settings for peers, with patience for a slow machine.
fn settings(peers: &[&Peer]) -> OriginSettings {
    OriginSettings {
        urls: peers.iter().map(|peer| url(peer.port())).collect(),
        connect_timeout: peer::PATIENCE,
        first_byte_timeout: peer::PATIENCE,
        between_bytes_timeout: peer::PATIENCE,
        ..OriginSettings::default()
    }
}

fn origin(settings: OriginSettings) -> Origin {
    Origin::new(settings, Arc::default()).unwrap()
}

fn request(method: &str, target: &str) -> OriginRequest {
    OriginRequest {
        method: method.as_bytes().into(),
        target: target.as_bytes().into(),
        fields: [("host", "media.test"), ("x-two", "a"), ("x-two", "b")]
            .into_iter()
            .collect(),
        body: RequestBody::None,
        retry: Retry::Safe,
        informational: None,
    }
}

fn get(target: &str) -> OriginRequest {
    request("GET", target)
}

async fn whole(body: &mut OriginBody) -> Result<Vec<u8>, OriginFault> {
    let mut all = Vec::new();
    while let Some(bytes) = body.next().await? {
        assert!(!bytes.is_empty());
        all.extend_from_slice(&bytes);
    }
    Ok(all)
}

/// What the client makes of a peer that answers every request with `answer`, and closes the connection then.
fn outcome(answer: &[u8]) -> (Result<Vec<u8>, OriginFault>, OriginFigures) {
    let answer = answer.to_vec();
    let peer = Peer::each(move |_, mut talk| {
        talk.head();
        talk.say(&answer);
    });
    run(async {
        let origin = origin(settings(&[&peer]));
        let outcome = match origin.send(get("/")).await {
            Ok(mut response) => whole(&mut response.body).await,
            Err(fault) => Err(fault),
        };
        (outcome, origin.counts().figures())
    })
}

/// How often `fault` was counted.
fn counted(figures: &OriginFigures, fault: OriginFault) -> u64 {
    figures.faults[fault.index()]
}

#[test]
fn origin_without_url_is_refused() {
    let made = Origin::new(OriginSettings::default(), Arc::default());
    assert!(matches!(made, Err(OriginSetupError::NoUrl)));
}
