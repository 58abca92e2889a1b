//! Reload and drain under load: no request is lost to either.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::load::{Load, assets, loaded};
use crate::harness::{Broken, Client, Pin, eventually, get};

on_both_drivers!(broken_config_under_load_changes_nothing, loaded, |server| {
    let load = Load::start(server.address, 32);
    let good = server.config.text(server.driver);
    for round in 0..20_u64 {
        let before = server.output().len();
        let key = format!("nonsense_{round}");
        server.reload_text(&format!("{good}\n[{key}]\nx = 1\n"));
        eventually(
            Duration::from_secs(10),
            "the reload is refused with its reason",
            || server.output()[before..].contains(&key),
        );
        let answered = load.answered();
        eventually(Duration::from_secs(10), "the load goes on", || {
            load.answered() > answered + 100
        });
    }
    assert!(load.end() > 2_000);
});

on_both_drivers!(good_config_under_load_loses_no_request, loaded, |server| {
    let load = Load::start(server.address, 32);
    server.folder.place("extra.txt", b"extra");
    for round in 0..20_u64 {
        let mut pins = server.config.pins.clone();
        pins.truncate(3);
        if round % 2 == 0 {
            pins.push(Pin::new(server.folder.path("extra.txt"), "/extra.txt"));
        }
        server.config.pins = pins;
        server.reload();
        let status = if round % 2 == 0 { 200 } else { 404 };
        eventually(Duration::from_secs(10), "the reload", || {
            server.get("/extra.txt").status == status
        });
    }
    assert!(load.end() > 500);
});

/// Counts of what the clients of a draining server saw.
#[derive(Default)]
struct Tally {
    connected: AtomicU64,
    answered: AtomicU64,
    said_close: AtomicU64,
}

/// Asks on one connection until the server closes it. `draining` is set before TERM is sent, so a request whose sending
/// ended with it unset came before, on an accepted connection, and must be answered whole.
fn ask_until_closed(address: SocketAddr, number: usize, draining: &AtomicBool, tally: &Tally) {
    let assets = assets();
    let mut client = Client::open(address);
    tally.connected.fetch_add(1, Ordering::Relaxed);
    for turn in number.. {
        let (target, body) = &assets[turn % assets.len()];
        let sent = client.try_send(get(target).bytes());
        let before_term = sent.is_ok() && !draining.load(Ordering::SeqCst);
        match client.try_answer("GET") {
            Ok(answer) => {
                answer.expect(200).expect_body(body);
                tally.answered.fetch_add(1, Ordering::Relaxed);
                if answer.closes() {
                    tally.said_close.fetch_add(1, Ordering::Relaxed);
                    client.expect_closed();
                    return;
                }
            }
            Err(Broken::Closed) => {
                assert!(
                    !before_term,
                    "a request sent before TERM was lost (turn {turn})"
                );
                return;
            }
            Err(Broken::Cut(came)) => panic!("an answer was cut after {} bytes", came.len()),
            Err(Broken::Late(came)) => panic!("an answer stuck after {} bytes", came.len()),
        }
    }
}

/// Opens a connection for every request until none is taken. One that waits to be accepted may be lost; none may be cut.
fn connect_until_refused(address: SocketAddr, tally: &Tally) {
    let asset = &assets()[0];
    while let Ok(mut client) = Client::try_open(address) {
        if client.try_send(get(&asset.0).bytes()).is_err() {
            continue;
        }
        match client.try_answer("GET") {
            Ok(answer) => {
                answer.expect(200).expect_body(&asset.1);
                tally.answered.fetch_add(1, Ordering::Relaxed);
            }
            Err(Broken::Closed) => {}
            Err(broken) => panic!("an answer was cut: {broken:?}"),
        }
    }
}

on_both_drivers!(
    terminate_under_load_loses_no_accepted_request,
    loaded,
    |server| {
        let draining = AtomicBool::new(false);
        let tally = Tally::default();
        let address = server.address;
        std::thread::scope(|scope| {
            for number in 0..64 {
                let (draining, tally) = (&draining, &tally);
                scope.spawn(move || ask_until_closed(address, number, draining, tally));
            }
            for _ in 0..4 {
                scope.spawn(|| connect_until_refused(address, &tally));
            }
            eventually(Duration::from_secs(20), "the load is on", || {
                // On a fast machine the first clients get that many answers before the last has connected.
                tally.connected.load(Ordering::Relaxed) == 64
                    && tally.answered.load(Ordering::Relaxed) > 2_000
            });
            draining.store(true, Ordering::SeqCst);
            server.terminate();
        });
        let status = server.wait_for_exit(Duration::from_secs(20));
        assert_eq!(status.code(), Some(0));
        assert!(
            tally.said_close.load(Ordering::Relaxed) > 0,
            "nobody was told of the close"
        );
    }
);
