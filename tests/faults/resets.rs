//! Clients that break off: within heads, bodies and answers, orderly or by reset. Nothing of them stays behind.

use std::time::Duration;

use super::load::{Load, loaded};
use crate::harness::{Client, HOLDS, Server, eventually, get, pattern};

/// Waits until no connection is open, no matter how it ended, and the descriptors are those at rest.
#[track_caller]
fn await_rest(server: &Server, descriptors: usize) {
    eventually(
        Duration::from_secs(15),
        "every broken connection is let go",
        || server.process().descriptor_count() <= descriptors + 2,
    );
}

on_both_drivers!(
    resets_within_bodies_leave_nothing_behind,
    loaded,
    |server| {
        server.get("/file/small.bin").expect(200);
        let at_rest = server.process().descriptor_count();
        for round in 0..10 {
            let clients: Vec<Client> = (0..60)
                .map(|number| {
                    let mut client = server.connect();
                    let target = format!("/{}/large.bin", HOLDS[number % 3]);
                    client.send(get(&target).bytes().repeat(1 + number % 4));
                    client.read_some(1 + number * 1_000 * round);
                    client
                })
                .collect();
            clients.into_iter().for_each(Client::reset);
        }
        await_rest(server, at_rest);
        for hold in HOLDS {
            let answer = server.get(&format!("/{hold}/large.bin"));
            answer.expect(200).expect_body(&pattern(2_000_000, 2));
        }
        assert!(server.is_running());
    }
);

on_both_drivers!(resets_beside_a_load_do_not_touch_it, loaded, |server| {
    let load = Load::start(server.address, 16);
    for number in 0..600_usize {
        let mut client = server.connect();
        match number % 4 {
            0 => client.send(b"GET /file/large.bin HTTP/1.1\r\nHo"),
            1 => client.send(
                get("/mmap/large.bin")
                    .with("Content-Length", "100000")
                    .bytes(),
            ),
            2 => client.send(get("/memory/large.bin").bytes().repeat(64)),
            _ => {
                client.send(get("/file/large.bin").bytes());
                client.read_some(1);
            }
        }
        if number % 2 == 0 {
            client.reset();
        }
    }
    let answered = load.answered();
    eventually(Duration::from_secs(20), "the load goes on", || {
        load.answered() > answered + 500
    });
    load.end();
});

on_both_drivers!(
    orderly_closes_with_unread_answers_leave_nothing_behind,
    loaded,
    |server| {
        server.get("/file/small.bin").expect(200);
        let at_rest = server.process().descriptor_count();
        for number in 0..600_usize {
            let mut client = server.connect();
            client.send(
                get(&format!("/{}/large.bin", HOLDS[number % 3]))
                    .bytes()
                    .repeat(3),
            );
        }
        await_rest(server, at_rest);
        server.get("/file/small.bin").expect(200);
    }
);

on_both_drivers!(half_closed_crowd_gets_its_answers, loaded, |server| {
    let mut clients: Vec<Client> = (0..300)
        .map(|number| {
            let mut client = server.connect();
            client.send(
                get(&format!("/{}/small.bin", HOLDS[number % 3]))
                    .bytes()
                    .repeat(3),
            );
            client.half_close();
            client
        })
        .collect();
    for client in &mut clients {
        for _ in 0..3 {
            client
                .answer("GET")
                .expect(200)
                .expect_body(&pattern(1_000, 1));
        }
        client.expect_closed();
    }
});
