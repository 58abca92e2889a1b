//! Thousands of clients that are idle, stalled or slow cost bounded memory, and the active ones are still served.

use std::time::Duration;

use super::load::{Load, loaded};
use crate::harness::process::raise_descriptor_limit;
use crate::harness::{Client, HOLDS, Server, Setup, eventually, get, pattern};

const CROWD: usize = 2_000;
/// What the scenarios need open at once: two crowds a server, two servers, and room.
const DESCRIPTORS: u64 = 10_000;

fn patient() -> Setup {
    raise_descriptor_limit(DESCRIPTORS);
    loaded()
        .limit("head_timeout = \"5m\"")
        .limit("idle_timeout = \"5m\"")
        .limit("send_timeout = \"5m\"")
}

/// Asserts that a client is served in the midst of the crowd.
#[track_caller]
fn assert_active_clients_are_served(server: &Server) {
    let load = Load::start(server.address, 4);
    eventually(
        Duration::from_secs(30),
        "2,000 answers beside the crowd",
        || load.answered() > 2_000,
    );
    load.end();
    for _ in 0..50 {
        server.get("/memory/small.bin").expect(200);
    }
}

#[track_caller]
fn assert_growth(server: &Server, before: u64, bytes_max: u64, what: &str) {
    let grown = server.process().private_bytes().saturating_sub(before);
    assert!(
        grown <= bytes_max,
        "{what}: private memory grew by {grown} bytes, more than {bytes_max}"
    );
}

on_both_drivers!(
    thousands_of_idle_clients_cost_little_and_stay_usable,
    patient,
    |server| {
        server.get("/file/small.bin").expect(200);
        let before = server.process().private_bytes();
        let mut idle: Vec<Client> = (0..CROWD)
            .map(|_| {
                let mut client = server.connect();
                client.ask(&get("/memory/small.bin")).expect(200);
                client
            })
            .collect();
        assert_growth(
            server,
            before,
            (2 << 20) + CROWD as u64 * 4_096,
            "idle clients",
        );
        assert_active_clients_are_served(server);
        for client in &mut idle {
            client
                .ask(&get("/mmap/small.bin"))
                .expect(200)
                .expect_body(&pattern(1_000, 1));
        }
    }
);

on_both_drivers!(
    thousands_of_clients_that_never_asked_cost_little,
    patient,
    |server| {
        server.get("/file/small.bin").expect(200);
        let before = server.process().private_bytes();
        let mut silent: Vec<Client> = (0..CROWD).map(|_| server.connect()).collect();
        assert_active_clients_are_served(server);
        assert_growth(
            server,
            before,
            (8 << 20) + CROWD as u64 * 4_096,
            "silent clients",
        );
        for client in &mut silent {
            client.ask(&get("/file/small.bin")).expect(200);
        }
    }
);

on_both_drivers!(
    thousands_of_clients_stalled_in_heads_cost_bounded_memory,
    patient,
    |server| {
        server.get("/file/small.bin").expect(200);
        let before = server.process().private_bytes();
        let part = format!(
            "GET /file/small.bin HTTP/1.1\r\nHost: a\r\nX-Fill: {}",
            "x".repeat(8_000)
        );
        let mut stalled: Vec<Client> = (0..CROWD)
            .map(|_| {
                let mut client = server.connect();
                client.send(&part);
                client
            })
            .collect();
        assert_active_clients_are_served(server);
        // A head buffer each, up to the head limit.
        assert_growth(
            server,
            before,
            (8 << 20) + CROWD as u64 * 20_000,
            "stalled heads",
        );
        for client in &mut stalled {
            client.send(b"\r\n\r\n");
            client.answer("GET").expect(200);
        }
    }
);

on_both_drivers!(
    clients_that_read_nothing_cost_bounded_memory,
    patient,
    |server| {
        server.get("/file/small.bin").expect(200);
        let before = server.process().private_bytes();
        let mut stalled: Vec<Client> = (0..400)
            .map(|number| {
                let mut client = server.connect();
                let target = format!("/{}/large.bin", HOLDS[number % 3]);
                client.send(get(&target).bytes().repeat(10));
                client
            })
            .collect();
        assert_active_clients_are_served(server);
        // Eight gigabytes wait to be read; copies of them do not.
        assert_growth(server, before, 96 << 20, "unread answers");
        let body = pattern(2_000_000, 2);
        for client in stalled.iter_mut().take(6) {
            for _ in 0..10 {
                client.answer("GET").expect(200).expect_body(&body);
            }
        }
    }
);

on_both_drivers!(
    crowd_of_slow_clients_is_served_beside_active_ones,
    patient,
    |server| {
        let request = get("/file/small.bin").bytes();
        let mut writers: Vec<Client> = (0..200).map(|_| server.connect()).collect();
        let mut readers: Vec<Client> = (0..60)
            .map(|number| {
                let mut client = server.connect();
                client.send(
                    get(&format!("/{}/large.bin", HOLDS[number % 3]))
                        .close()
                        .bytes(),
                );
                client
            })
            .collect();
        let load = Load::start(server.address, 4);
        let mut came = vec![Vec::new(); readers.len()];
        for byte in &request {
            for writer in &mut writers {
                writer.send([*byte]);
            }
            for (reader, came) in readers.iter_mut().zip(&mut came) {
                came.extend(reader.read_some(1_000));
            }
        }
        for writer in &mut writers {
            writer
                .answer("GET")
                .expect(200)
                .expect_body(&pattern(1_000, 1));
        }
        let body = pattern(2_000_000, 2);
        for (reader, mut came) in readers.iter_mut().zip(came) {
            came.extend(reader.rest());
            assert!(came.ends_with(&body), "{} bytes", came.len());
        }
        assert!(load.end() > 100);
    }
);
