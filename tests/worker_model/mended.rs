//! What went wrong once and only shows at the worker.

use std::time::Duration;

use hotplate::server::inbox::Mail;
use hotplate::server::settings::Limits;
use hotplate::stats::Counter;

use crate::client::Stream;
use crate::fake_driver::Kind;
use crate::fixture::Fixture;
use crate::random::Random;
use crate::simulation::World;

/// The refusal had a body, which the client takes for the next answer.
#[test]
fn head_that_finds_the_order_queue_full_is_answered_without_a_body() {
    let fixture = Fixture::new();
    let mut world = World::new(&fixture, Kind::Ring, Limits::default());
    world.refuse_orders();
    let mut random = Random::new(1);
    let head = Stream::plain(b"HEAD /site/x HTTP/1.1\r\nHost: a\r\n\r\n");
    world.connect(&mut random, head, 40_000);
    world.run_down(&mut random);
    let came = String::from_utf8_lossy(&world.clients[0].came).into_owned();
    assert!(came.starts_with("HTTP/1.1 503 "), "{came}");
    assert!(came.ends_with("\r\n\r\n"), "{came}");
}

/// Each tick counted the connections again that the ring had not yet let go of.
#[test]
fn connection_that_outlives_a_drain_is_counted_once() {
    let fixture = Fixture::new();
    let limits = Limits {
        drain_timeout: Duration::ZERO,
        ..Limits::default()
    };
    let mut world = World::new(&fixture, Kind::Ring, limits);
    world.connect(&mut Random::new(1), Stream::plain(b""), 40_000);
    world.postbox.deliver(Mail::Drain);
    world.worker.begin_turn();
    assert!(world.worker.on_woken(&mut world.driver));
    for _ in 0..3 {
        world.worker.on_tick(&mut world.driver);
    }
    world.worker.end_turn();
    assert!(!world.worker.is_done());
    assert_eq!(world.stats.read(Counter::TimeoutDrain), 1);
}
