//! Bodies that are sent while they come.

use std::time::Duration;

use crate::harness::origin::{Gate, Reply, content, reply};
use crate::harness::{Client, eventually, get};
use crate::site::{Site, expect_hit, fetch_get, outcome};

/// The sizes of halves that end up on the heap, in memory, and beyond what sockets hold.
const HALVES: [u64; 3] = [100, 100_000, 2_000_000];

/// Two halves with a gate between them, of a length that is told.
fn halves(half: u64, gate: &Gate) -> Reply {
    reply(200)
        .max_age(60)
        .length(half * 2)
        .made(1, 0..half)
        .wait(gate)
        .made(1, half..half * 2)
}

/// The same, in chunks.
fn chunked_halves(half: u64, gate: &Gate) -> Reply {
    reply(200)
        .max_age(60)
        .chunked()
        .chunk(content(1, 0..half))
        .wait(gate)
        .chunk(content(1, half..half * 2))
        .last_chunk(&[])
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).expect("fits memory")
}

/// Reads the first half of a body in chunks.
fn first_half_in_chunks(client: &mut Client, half: u64) -> Vec<u8> {
    let mut body = Vec::new();
    while body.len() < size(half) {
        body.extend(client.chunk().expect("a chunk"));
    }
    body
}

before_an_origin!(
    first_bytes_leave_while_the_origin_holds_the_rest,
    Site::plain(),
    |origin, server| {
        for half in HALVES {
            let gate = Gate::new();
            let path = format!("/{half}");
            origin.says(&path, halves(half, &gate));
            let mut first = server.connect();
            first.send(get(&path).bytes());
            let answer = first.head().expect("a head");
            assert_eq!(answer.needs("content-length"), (half * 2).to_string());
            assert_eq!(first.exactly(size(half)), content(1, 0..half));
            // Another one comes half-way and has the same bytes at once.
            let mut second = server.connect();
            second.send(get(&path).bytes());
            second.head().expect("a head").expect(200);
            assert_eq!(second.exactly(size(half)), content(1, 0..half));
            gate.open();
            for client in [&mut first, &mut second] {
                assert_eq!(client.exactly(size(half)), content(1, half..half * 2));
                // The connections go on.
                expect_hit(&client.fetch(&get(&path)));
            }
            assert_eq!(origin.asked_for(&path).len(), 1);
        }
    }
);

before_an_origin!(
    chunked_bodies_leave_as_they_come,
    Site::plain(),
    |origin, server| {
        for half in HALVES {
            let gate = Gate::new();
            let path = format!("/{half}");
            origin.says(&path, chunked_halves(half, &gate));
            let mut clients = [server.connect(), server.connect()];
            for client in &mut clients {
                client.send(get(&path).bytes());
                let answer = client.head().expect("a head");
                assert_eq!(answer.needs("transfer-encoding"), "chunked");
                assert_eq!(first_half_in_chunks(client, half), content(1, 0..half));
            }
            gate.open();
            for client in &mut clients {
                let mut rest = Vec::new();
                loop {
                    let chunk = client.chunk().expect("a chunk");
                    if chunk.is_empty() {
                        break;
                    }
                    rest.extend(chunk);
                }
                assert!(rest == content(1, half..half * 2), "the second half");
                expect_hit(&client.fetch(&get(&path)));
            }
            assert_eq!(origin.asked_for(&path).len(), 1);
        }
    }
);

before_an_origin!(
    rfc9112_s6_1_http_1_0_client_of_a_chunked_body_gets_it_up_to_the_close,
    Site::plain(),
    |origin, server| {
        for (path, lifetime) in [("/stored", "max-age=60"), ("/passed", "no-store")] {
            let said = reply(200)
                .field("Cache-Control", lifetime)
                .chunked()
                .chunk(content(1, 0..50_000))
                .chunk(content(1, 50_000..100_000))
                .last_chunk(&[]);
            origin.says(path, said);
            let request = get(path).http10().with("Connection", "keep-alive");
            let mut client = server.connect();
            let answer = client.fetch(&request);
            answer.expect(200).expect_body(&content(1, 0..100_000));
            assert_eq!(answer.field("transfer-encoding"), None, "{answer}");
        }
    }
);

before_an_origin!(
    streams_that_are_not_stored_are_passed_as_they_come,
    Site::plain(),
    |origin, server| {
        for half in HALVES {
            let gate = Gate::new();
            let path = format!("/{half}");
            let said = reply(200).field("Cache-Control", "no-store");
            let said = said.length(half * 2).made(1, 0..half).wait(&gate);
            origin.says(&path, said.made(1, half..half * 2));
            let mut client = server.connect();
            client.send(get(&path).bytes());
            client.head().expect("a head").expect(200);
            assert!(client.exactly(size(half)) == content(1, 0..half));
            gate.open();
            assert!(client.exactly(size(half)) == content(1, half..half * 2));
            client.send(get(&path).bytes());
            let answer = client.fetched("GET");
            answer.expect(200).expect_body(&content(1, 0..half * 2));
            assert_eq!(origin.asked_for(&path).len(), 2);
        }
    }
);

before_an_origin!(
    a_client_that_does_not_read_does_not_slow_the_fill,
    Site::plain(),
    |origin, server| {
        let whole = 20_000_000;
        let said = reply(200).max_age(60).length(whole);
        origin.says("/a", said.made(1, 0..whole));
        let mut slow = server.connect();
        slow.send(get("/a").bytes());
        slow.head().expect("a head").expect(200);
        // Far more than its socket holds has come for the other one.
        let other = fetch_get(server, "/a");
        other.expect(200).expect_body(&content(1, 0..whole));
        assert!(slow.exactly(size(whole)) == content(1, 0..whole));
        assert_eq!(origin.asked().len(), 1);
    }
);

before_an_origin!(
    a_client_that_leaves_does_not_stop_the_fill_for_others,
    Site::plain(),
    |origin, server| {
        let (gate, half) = (Gate::new(), 500_000);
        origin.says("/a", halves(half, &gate));
        let mut first = server.connect();
        first.send(get("/a").bytes());
        first.head().expect("a head").expect(200);
        let mut second = server.connect();
        second.send(get("/a").bytes());
        second.head().expect("a head").expect(200);
        first.reset();
        assert_eq!(second.exactly(size(half)), content(1, 0..half));
        gate.open();
        assert_eq!(second.exactly(size(half)), content(1, half..half * 2));
        assert_eq!(origin.asked().len(), 1);
    }
);

before_an_origin!(
    a_fill_that_is_more_than_half_done_goes_on_without_clients,
    Site::plain(),
    |origin, server| {
        let (gate, half) = (Gate::new(), 500_000);
        origin.says("/a", halves(half, &gate));
        let mut client = server.connect();
        client.send(get("/a").bytes());
        client.head().expect("a head").expect(200);
        drop(client.exactly(size(half)));
        client.reset();
        gate.open();
        let answer = fetch_get(server, "/a");
        answer.expect(200).expect_body(&content(1, 0..half * 2));
        assert_eq!(origin.asked().len(), 1);
    }
);

before_an_origin!(
    a_fill_that_nobody_wants_any_more_ends,
    Site::plain(),
    |origin, server| {
        // Endless, for a client that soon has enough.
        let said = reply(200).max_age(60).length(1 << 40).rate(2_000_000);
        origin.says("/a", said.made(1, 0..1 << 40));
        let mut client = server.connect();
        client.send(get("/a").bytes());
        client.head().expect("a head").expect(200);
        client.reset();
        eventually(Duration::from_secs(20), "the origin is left alone", || {
            origin.open_connections() == 0
        });
    }
);

before_an_origin!(
    rfc9110_s14_ranges_of_a_growing_body_wait_for_their_bytes,
    Site::plain(),
    |origin, server| {
        let (gate, half) = (Gate::new(), 300_000);
        let said = reply(200)
            .max_age(60)
            .field("ETag", "\"1\"")
            .length(half * 2);
        let said = said.made(1, 0..half).wait(&gate);
        origin.says("/a", said.made(1, half..half * 2));
        let mut first = server.connect();
        first.send(get("/a").bytes());
        first.head().expect("a head").expect(200);
        drop(first.exactly(size(half)));
        // What is there is sent at once.
        let mut client = server.connect();
        let answer = client.fetch(&get("/a").with("Range", "bytes=1000-1999"));
        answer.expect(206).expect_body(&content(1, 1_000..2_000));
        expect_hit(&answer);
        assert_eq!(answer.needs("content-range"), "bytes 1000-1999/600000");
        // What is not, when it comes.
        client.send(get("/a").with("Range", "bytes=299990-300009").bytes());
        client.head().expect("a head").expect(206);
        assert_eq!(client.exactly(10), content(1, 299_990..300_000));
        gate.open();
        assert_eq!(client.exactly(10), content(1, 300_000..300_010));
        drop(first.exactly(size(half)));
        assert_eq!(origin.asked().len(), 1);
    }
);

before_an_origin!(
    a_body_up_to_the_close_of_the_origin_is_stored_whole,
    Site::plain(),
    |origin, server| {
        origin.says("/a", reply(200).max_age(60).made(1, 0..150_000).close());
        let first = fetch_get(server, "/a");
        first.expect(200).expect_body(&content(1, 0..150_000));
        assert!(outcome(&first).contains(&"stored".to_owned()), "{first}");
        let hit = fetch_get(server, "/a");
        hit.expect(200).expect_body(&content(1, 0..150_000));
        expect_hit(&hit);
        assert_eq!(origin.asked().len(), 1);
    }
);
