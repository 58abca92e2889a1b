//! TERM and INT: no new connections, answers under way are finished, and the process ends with 0 in time.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use rustix::process::Signal;

use crate::harness::{Client, Setup, eventually, get, now, pattern};

/// How soon a server without answers under way must have ended on a busy machine.
const ENDED_WITHIN: Duration = Duration::from_secs(8);

fn large() -> Setup {
    Setup::new()
        .file("p/large.bin", pattern(16 << 20, 4))
        .file("p/small.txt", b"small")
        .pin_under_every_hold("p/*", |pin| pin)
}

fn large_with_short_drain() -> Setup {
    large().limit("drain_timeout = \"1s\"")
}

on_both_drivers!(idle_server_ends_with_0, large, |server| {
    for _ in 0..1 {
        server.get("/file/small.txt").expect(200);
    }
    server.terminate();
    assert_eq!(server.wait_for_exit(ENDED_WITHIN).code(), Some(0));
});

on_both_drivers!(interrupt_ends_like_terminate, large, |server| {
    server.process().signal(Signal::INT);
    assert_eq!(server.wait_for_exit(ENDED_WITHIN).code(), Some(0));
});

on_both_drivers!(idle_connections_do_not_hold_up_the_end, large, |server| {
    let mut idle: Vec<Client> = (0..50)
        .map(|at| {
            let mut client = server.connect();
            if at % 2 == 0 {
                client.ask(&get("/file/small.txt")).expect(200);
            }
            client
        })
        .collect();
    server.terminate();
    assert_eq!(server.wait_for_exit(ENDED_WITHIN).code(), Some(0));
    idle.iter_mut().for_each(Client::expect_closed);
});

on_both_drivers!(answers_under_way_are_finished, large, |server| {
    let file = pattern(16 << 20, 4);
    let mut clients = Vec::new();
    for hold in ["file", "mmap", "memory"] {
        let mut client = server.connect();
        client.send(get(&format!("/{hold}/large.bin")).bytes());
        let start = client.read_some(1_000);
        clients.push((hold, client, start));
    }
    server.terminate();
    eventually(ENDED_WITHIN, "no new connection", || {
        Client::try_open(server.address).is_err()
    });
    for (hold, mut client, mut came) in clients {
        came.extend(client.rest());
        assert!(came.ends_with(&file), "{hold}: {} bytes", came.len());
    }
    assert_eq!(server.wait_for_exit(ENDED_WITHIN).code(), Some(0));
});

on_both_drivers!(
    answers_in_a_drain_say_that_the_connection_closes,
    large,
    |server| {
        // A client that keeps the drain going.
        let mut slow = server.connect();
        slow.send(get("/file/large.bin").bytes());
        slow.read_some(1);
        // A request whose head is under way when the drain begins.
        let mut asking = server.connect();
        asking.ask(&get("/file/small.txt")).expect(200);
        let request = get("/file/small.txt").bytes();
        let (start, end) = request.split_at(20);
        asking.send(start);
        server.get("/file/small.txt").expect(200);
        server.terminate();
        eventually(ENDED_WITHIN, "no new connection", || {
            Client::try_open(server.address).is_err()
        });
        if asking.try_send(end).is_ok()
            && let Ok(answer) = asking.try_answer("GET")
        {
            answer.expect(200).expect_body(b"small");
            assert!(answer.closes(), "{answer}");
            asking.expect_closed();
        }
        slow.rest();
        assert_eq!(server.wait_for_exit(ENDED_WITHIN).code(), Some(0));
    }
);

on_both_drivers!(
    pipelined_requests_sent_before_the_drain_are_answered,
    large,
    |server| {
        let mut client = server.connect();
        client.send(get("/file/small.txt").bytes());
        client.answer("GET").expect(200);
        client.send(get("/mmap/large.bin").bytes().repeat(3));
        client.read_some(1);
        server.terminate();
        let came = client.rest();
        assert!(came.len() > 3 * (16 << 20), "{} bytes", came.len());
        assert!(came.ends_with(&pattern(16 << 20, 4)));
        assert_eq!(server.wait_for_exit(ENDED_WITHIN).code(), Some(0));
    }
);

on_both_drivers!(
    stalled_client_holds_up_the_end_no_longer_than_the_drain_deadline,
    large_with_short_drain,
    |server| {
        let mut stalled = server.connect();
        stalled.send(get("/file/large.bin").bytes().repeat(4));
        stalled.read_some(1);
        let began = now();
        server.terminate();
        assert_eq!(server.wait_for_exit(ENDED_WITHIN).code(), Some(0));
        let took = began.elapsed();
        assert!(
            took >= Duration::from_millis(700),
            "ended after {took:?} without waiting"
        );
    }
);

/// Listens on an address that no other scenario's server can be given, nor the same one's on the other driver.
fn apart() -> Setup {
    static LAST: AtomicU8 = AtomicU8::new(1);
    let mut setup = large();
    let last = LAST.fetch_add(1, Ordering::Relaxed);
    setup.config.listen = vec![format!("127.0.1.{last}:0")];
    setup
}

on_both_drivers!(address_is_free_after_the_end, apart, |server| {
    server.get("/file/small.txt").expect(200);
    let address = server.address;
    server.terminate();
    server.wait_for_exit(ENDED_WITHIN);
    assert!(Client::try_open(address).is_err());
    std::net::TcpListener::bind(address).expect("a free address");
});
