//! What comes of an origin before its answer, to clients that are slow to take what they are sent.

use hotplate::cache::order::Outcome;
use hotplate::policy::rule::Rule;

use crate::fixture::Fixture;
use crate::random::Random;
use crate::simulation::World;

const GET: &str = "GET /x HTTP/1.1\r\nHost: origin\r\n\r\n";
const POST: &str = "POST /x HTTP/1.1\r\nHost: origin\r\nContent-Length: 4\r\n\r\nbody";

/// The head of an informational response with this number and so many bytes more.
fn hint(number: usize, bytes: usize) -> Outcome {
    let pad = "x".repeat(bytes);
    let head = format!("HTTP/1.1 103 Early Hints\r\nX-Number: {number}-{pad}\r\n\r\n");
    Outcome::Informational(head.into_bytes().into())
}

#[test]
fn a_hint_leaves_before_the_answer_is_there() {
    let fixture = Fixture::new();
    for last in [GET, POST] {
        let (mut world, ticket) = World::before_an_origin(&fixture, 2, last, 1 << 20);
        world.tell(ticket, hint(1, 0));
        world.settle(&mut Random::new(1));
        assert_eq!(world.statuses(0), [200, 200, 103]);
        world.tell(ticket, hint(2, 0));
        world.settle(&mut Random::new(1));
        assert_eq!(world.statuses(0), [200, 200, 103, 103]);
        world.tell(ticket, Outcome::NotFetched(Rule::OriginBroken));
        world.tell(ticket, hint(3, 0));
        world.run_down(&mut Random::new(1));
        assert_eq!(world.statuses(0), [200, 200, 103, 103, 502]);
    }
}

/// The answer to a request with a body went before what the client had not taken of earlier ones, which was lost.
#[test]
fn hints_and_answer_wait_behind_earlier_answers_that_the_client_has_not_taken() {
    let fixture = Fixture::new();
    for last in [GET, POST] {
        let (mut world, ticket) = World::before_an_origin(&fixture, 12, last, 4_600);
        world.tell(ticket, hint(1, 0));
        world.tell(ticket, Outcome::NotFetched(Rule::OriginBroken));
        world.run_down(&mut Random::new(1));
        let mut expected = vec![200; 12];
        expected.extend([103, 502]);
        assert_eq!(world.statuses(0), expected);
    }
}

#[test]
fn hints_that_the_socket_does_not_take_at_once_are_sent_in_order() {
    let fixture = Fixture::new();
    for last in [GET, POST] {
        let (mut world, ticket) = World::before_an_origin(&fixture, 0, last, 4_600);
        for number in 0..4 {
            world.tell(ticket, hint(number, 7_000));
        }
        world.settle(&mut Random::new(1));
        world.tell(ticket, Outcome::NotFetched(Rule::OriginBroken));
        world.run_down(&mut Random::new(1));
        assert_eq!(world.statuses(0), [103, 103, 103, 103, 502]);
        let came = String::from_utf8_lossy(&world.clients[0].came).into_owned();
        let numbers: Vec<&str> = came
            .split("X-Number: ")
            .skip(1)
            .map(|at| &at[..1])
            .collect();
        assert_eq!(numbers, ["0", "1", "2", "3"]);
    }
}

/// The connection was closed, since its client sends no more, when the hint had left.
#[test]
fn a_client_that_has_sent_its_last_byte_still_gets_the_answer_behind_a_hint() {
    let fixture = Fixture::new();
    for last in [GET, POST] {
        let (mut world, ticket) = World::before_an_origin(&fixture, 0, last, 4_600);
        world.clients[0].hasty = true;
        // Its end comes while nothing is being sent.
        world.settle(&mut Random::new(1));
        for number in 0..3 {
            world.tell(ticket, hint(number, 7_000));
        }
        world.settle(&mut Random::new(1));
        world.tell(ticket, Outcome::NotFetched(Rule::OriginBroken));
        world.run_down(&mut Random::new(1));
        assert_eq!(world.statuses(0), [103, 103, 103, 502]);
    }
}

#[test]
fn a_hint_for_a_client_that_has_gone_is_lost() {
    let fixture = Fixture::new();
    let (mut world, ticket) = World::before_an_origin(&fixture, 0, GET, 4_600);
    world.clients[0].socket = None;
    world.tell(ticket, hint(1, 7_000));
    world.tell(ticket, hint(2, 7_000));
    world.tell(ticket, Outcome::NotFetched(Rule::OriginBroken));
    world.run_down(&mut Random::new(1));
    assert!(world.clients[0].came.is_empty());
}
