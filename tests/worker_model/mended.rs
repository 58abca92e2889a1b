//! What went wrong once and only shows at the worker.

use std::time::Duration;

use hotplate::cache::order::Outcome;
use hotplate::policy::rule::Rule;
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

/// It went before what the client had not taken of them, which was lost.
#[test]
fn answer_to_a_request_with_a_body_stands_behind_earlier_answers() {
    let fixture = Fixture::new();
    let post = "POST /x HTTP/1.1\r\nHost: origin\r\nContent-Length: 4\r\n\r\nbody";
    let (mut world, ticket) = World::before_an_origin(&fixture, 12, post, 4_600);
    world.tell(ticket, Outcome::NotFetched(Rule::OriginBroken));
    world.run_down(&mut Random::new(1));
    let mut expected = vec![200; 12];
    expected.push(502);
    assert_eq!(world.statuses(0), expected);
}

/// Its connection was closed as soon as earlier answers had left.
#[test]
fn request_with_an_empty_body_is_answered_although_its_client_sends_no_more() {
    let fixture = Fixture::new();
    let post = "POST /x HTTP/1.1\r\nHost: origin\r\nContent-Length: 0\r\n\r\n";
    let (mut world, ticket) = World::before_an_origin(&fixture, 12, post, 4_600);
    world.clients[0].hasty = true;
    world.settle(&mut Random::new(1));
    world.tell(ticket, Outcome::NotFetched(Rule::OriginBroken));
    world.run_down(&mut Random::new(1));
    assert_eq!(world.statuses(0)[12..], [502]);
}
