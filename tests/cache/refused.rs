//! Bodies of which the disk store takes no more half-way: who reads them gets the rest from memory, and nothing that they hold is
//! anybody else's before they are done.

use std::time::Duration;

use crate::harness::origin::{Gate, Origin, content, reply};
use crate::harness::waiting::eventually;
use crate::harness::{Client, Server, Setup, get, pause};
use crate::site::{Site, fetch_get};

const SOON: Duration = Duration::from_secs(20);

/// What another body takes of the disk, and the size of the one that finds no room for all of itself.
const OTHER: u64 = 12 << 20;
const SIZE: u64 = 16 << 20;

/// Room on disk for one and a half of them.
fn tight() -> Site {
    Site::plain()
        .rule("/memory/", "tiers = [\"memory\"]")
        .fill("memory = \"20MiB\"")
        .with(|mut setup: Setup| {
            setup.config.memory.push("size = \"64MiB\"".to_owned());
            setup.disk(&["size = \"20MiB\"", "max_object = \"18MiB\""])
        })
}

fn metric(server: &Server, line: &str) -> u64 {
    let page = server.ask_admin(&get("/metrics"));
    let page = String::from_utf8_lossy(&page.expect(200).body).into_owned();
    let found = page.lines().find_map(|known| known.strip_prefix(line));
    let value = found.unwrap_or_else(|| panic!("no {line} in {page}"));
    value.trim().parse().expect("a number")
}

fn on_disk(server: &Server) -> u64 {
    metric(server, "hotplate_disk_bytes ")
}

/// Asks for `path` with little room for what comes, and reads the first bytes.
#[track_caller]
fn slow(server: &Server, path: &str, seed: u64) -> Client {
    let mut client = server.connect();
    rustix::net::sockopt::set_socket_recv_buffer_size(client.stream(), 64 << 10)
        .expect("a smaller buffer");
    client.send(get(path).http10().with("Host", "media.test").bytes());
    client.head().expect("a head").expect(200);
    assert_eq!(client.exactly(1_000), content(seed, 0..1_000));
    client
}

/// Has a body stand half on disk and half in memory, before a client that takes nothing of it: `size` bytes of seed 2, told
/// in its head or not.
#[track_caller]
fn half_and_half(origin: &Origin, server: &Server, is_told: bool) -> Client {
    let gate = Gate::new();
    let other = reply(200).max_age(60).chunked();
    let other = other.chunk(content(1, 0..OTHER)).wait(&gate);
    origin.says("/other", other.reset());
    let other = slow(server, "/other", 1);
    eventually(SOON, "another body takes room on disk", || {
        on_disk(server) > OTHER
    });
    let mut said = reply(200).max_age(60);
    if is_told {
        said = said.length(SIZE);
    }
    origin.says("/a", said.made(2, 0..SIZE).close());
    let client = slow(server, "/a", 2);
    eventually(SOON, "it is there, the rest of it in memory", || {
        metric(server, "hotplate_fill_bodies_total{end=\"complete\"}") == 1
    });
    // The other one breaks off, and nobody reads it any more.
    gate.open();
    drop(other);
    eventually(SOON, "the other's room is given back", || {
        on_disk(server) < OTHER
    });
    client
}

#[track_caller]
fn expect_all(mut client: Client) {
    assert!(
        client.exactly(usize::try_from(SIZE - 1_000).expect("fits memory"))
            == content(2, 1_000..SIZE),
        "other bytes"
    );
}

fn await_no_bytes(server: &Server) {
    eventually(SOON, "the room is given back", || on_disk(server) < 1 << 20);
    eventually(SOON, "the bytes have gone", || {
        server.process().descriptors_on("hotplate-body") == 0
            && server.descriptors_on_deleted() == 0
    });
}

fn disk_room(origin: &mut Origin, server: &mut Server, is_told: bool) {
    let client = half_and_half(origin, server, is_told);
    // The device has the bytes that the client has not read.
    pause(Duration::from_millis(300));
    assert!(on_disk(server) > 4 << 20, "{}", on_disk(server));
    expect_all(client);
    await_no_bytes(server);
}

fn memory(origin: &mut Origin, server: &mut Server, is_told: bool) {
    let client = half_and_half(origin, server, is_told);
    let held = server.process().file_bytes("hotplate-body");
    assert!(held > 8 << 20, "{held} bytes in memory");
    // Too little is left for one that goes to memory alone.
    let others = 14 << 20;
    let said = reply(200).max_age(60).made(3, 0..others).close();
    origin.says("/memory/b", said.clone());
    origin.says("/memory/c", said);
    let refused = "hotplate_fill_bodies_total{end=\"no-memory\"}";
    let before = metric(server, refused);
    assert!(fetch_get(server, "/memory/b").body == content(3, 0..others));
    assert_eq!(metric(server, refused), before + 1);
    expect_all(client);
    await_no_bytes(server);
    assert!(fetch_get(server, "/memory/c").body == content(3, 0..others));
    assert_eq!(metric(server, refused), before + 1);
}

macro_rules! of_a_size_told_or_not {
    ($name:ident, $scenario:ident) => {
        mod $name {
            use super::*;

            before_an_origin!(told, super::super::tight(), |origin, server| {
                $scenario(origin, server, true);
            });

            before_an_origin!(not_told, super::super::tight(), |origin, server| {
                $scenario(origin, server, false);
            });
        }
    };
}

of_a_size_told_or_not!(room_on_disk_is_taken_until_its_readers_are_done, disk_room);
of_a_size_told_or_not!(memory_is_taken_until_its_readers_are_done, memory);
