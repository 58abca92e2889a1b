//! Bodies of unknown size that turn out larger than what may be stored: who reads them gets all of them.

use std::io::{Write as _, stderr};
use std::thread;
use std::time::Duration;

use hotplate::sys::residency::is_resident;

use crate::harness::origin::{Gate, Origin, Reply, content, reply};
use crate::harness::waiting::eventually;
use crate::harness::{Broken, Client, Driver, Server, Setup, get, pause};
use crate::site::{Site, expect_forward, fetch, fetch_get, outcome};

const SOON: Duration = Duration::from_secs(20);

/// The largest body of unknown size that is stored, without a disk and with one.
const IN_MEMORY: u64 = 2 << 20;
const ON_DISK: u64 = 8 << 20;

pub(crate) fn in_memory() -> Site {
    Site::plain().with(|mut setup: Setup| {
        setup.config.memory.push("size = \"8MiB\"".to_owned());
        setup.limit("send_timeout = \"2s\"")
    })
}

fn on_disk() -> Site {
    in_memory().with(|setup| setup.disk(&["size = \"8MiB\""]))
}

/// More than sockets hold.
const ON_A_LARGE_DISK: u64 = 16 << 20;

fn on_a_large_disk() -> Site {
    Site::plain().with(|mut setup: Setup| {
        setup.config.memory.push("size = \"8MiB\"".to_owned());
        setup.disk(&["size = \"64MiB\"", "max_object = \"16MiB\""])
    })
}

/// Makes a scenario of a function of an origin, a server and the largest body that is stored.
macro_rules! in_memory_and_on_disk {
    ($name:ident, $scenario:ident) => {
        mod $name {
            use super::*;

            before_an_origin!(in_memory, super::super::in_memory(), |origin, server| {
                $scenario(origin, server, IN_MEMORY);
            });

            before_an_origin!(on_disk, super::super::on_disk(), |origin, server| {
                $scenario(origin, server, ON_DISK);
            });
        }
    };
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).expect("fits memory")
}

/// A body of `all` bytes up to the close of the connection, which waits at `gate` behind the first of them.
pub(crate) fn gated(all: u64, gate: &Gate) -> Reply {
    let said = reply(200).max_age(60).made(1, 0..1_000).wait(gate);
    said.made(1, 1_000..all).close()
}

/// Asks for `/a` as a client of HTTP/1.0, whose body comes without chunks between, and reads the first bytes.
#[track_caller]
pub(crate) fn aboard(server: &Server) -> Client {
    aboard_of(server, "/a")
}

#[track_caller]
fn aboard_of(server: &Server, path: &str) -> Client {
    let mut client = server.connect();
    client.send(get(path).http10().with("Host", "media.test").bytes());
    client.head().expect("a head").expect(200);
    assert_eq!(client.exactly(1_000), content(1, 0..1_000));
    client
}

/// Reads the rest of what an [`aboard`] client is sent, `step` bytes at a time.
#[track_caller]
pub(crate) fn read_on(client: &mut Client, all: u64, step: u64, rest: Duration) {
    let mut at = 1_000;
    while at < all {
        let end = all.min(at + step);
        assert!(
            client.exactly(size(end - at)) == content(1, at..end),
            "other bytes before {end}"
        );
        at = end;
        if !rest.is_zero() {
            pause(rest);
        }
    }
    client.expect_closed();
    assert!(!client.was_reset());
}

pub(crate) fn metric(server: &Server, line: &str) -> u64 {
    let page = server.ask_admin(&get("/metrics"));
    let page = String::from_utf8_lossy(&page.expect(200).body).into_owned();
    let found = page.lines().find_map(|known| known.strip_prefix(line));
    let value = found.unwrap_or_else(|| panic!("no {line} in {page}"));
    value.trim().parse().expect("a number")
}

#[track_caller]
pub(crate) fn await_end(server: &Server, end: &str, count: u64) {
    let line = format!("hotplate_outgrown_bodies_total{{end=\"{end}\"}}");
    eventually(SOON, "the outgrown bodies have ended", || {
        metric(server, &line) == count
    });
    assert_eq!(metric(server, "hotplate_outgrown_bodies_under_way"), 0);
}

/// Asserts that nothing of it is stored, and that nothing was left lying about.
#[track_caller]
pub(crate) fn expect_nothing_kept(server: &Server) {
    eventually(SOON, "the bytes have gone", || {
        server.process().descriptors_on("hotplate-body") == 0
            && server.descriptors_on_deleted() == 0
    });
    let answer = server.ask_admin(&get("/api/stats"));
    let stats: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
    if let Some(objects) = stats["disk"]["objects"].as_u64() {
        assert_eq!(objects, 0);
    }
}

fn one_client(origin: &mut Origin, server: &mut Server, cap: u64) {
    let all = 3 * cap + 17;
    let until_close = reply(200).max_age(60).made(1, 0..all).close();
    let mut chunked = reply(200).max_age(60).chunked();
    for first in (0..all).step_by(300_000) {
        chunked = chunked.chunk(content(1, first..all.min(first + 300_000)));
    }
    let chunked = chunked.last_chunk(&[("X-Sum", "7")]);
    for (count, (path, said)) in (1..).zip([("/close", until_close), ("/chunks", chunked)]) {
        origin.says(path, said);
        let trailers = get(path).with("TE", "trailers").with("Connection", "TE");
        let mut client = server.connect();
        let first = client.fetch(&trailers);
        first.expect(200);
        assert!(first.body == content(1, 0..all), "other bytes");
        assert!(outcome(&first).contains(&"stored".to_owned()), "{first}");
        if path == "/chunks" {
            assert_eq!(client.trailers(), ["x-sum: 7"]);
        }
        await_end(server, "complete", count);
        expect_nothing_kept(server);
        // It is known by now: nobody tries to store it, and the connection goes on.
        let second = client.fetch(&get(path));
        assert!(second.expect(200).body == content(1, 0..all), "other bytes");
        expect_forward(&second, "uri-miss");
        assert!(!outcome(&second).contains(&"stored".to_owned()), "{second}");
        assert_eq!(origin.asked_for(path).len(), 2);
        await_end(server, "complete", count);
    }
}

in_memory_and_on_disk!(
    one_client_gets_all_and_the_next_is_passed_at_once,
    one_client
);

fn several_clients(origin: &mut Origin, server: &mut Server, cap: u64) {
    let all = 3 * cap + 17;
    let gate = Gate::new();
    origin.says("/a", gated(all, &gate));
    let mut fast = [aboard(server), aboard(server)];
    let mut slow = aboard(server);
    let mut in_chunks = server.connect();
    in_chunks.send(get("/a").bytes());
    let head = in_chunks.head().expect("a head");
    gate.open();
    thread::scope(|scope| {
        for client in &mut fast {
            scope.spawn(move || read_on(client, all, 1 << 20, Duration::ZERO));
        }
        scope.spawn(|| {
            let body = in_chunks.body("GET", &head).expect("a whole body");
            assert!(body == content(1, 0..all), "other bytes");
        });
        // Some two seconds.
        let step = all / 200;
        scope.spawn(move || read_on(&mut slow, all, step, Duration::from_millis(10)));
    });
    assert_eq!(origin.asked().len(), 1);
    await_end(server, "complete", 1);
    assert_eq!(metric(server, "hotplate_outgrown_readers_left_total"), 0);
    expect_nothing_kept(server);
}

in_memory_and_on_disk!(
    several_clients_at_their_own_pace_get_all_of_it,
    several_clients
);

/// What the server holds of a body: on its heap, in anonymous memory, and in deleted files.
fn held(server: &Server) -> u64 {
    let process = server.process();
    process.private_bytes() + process.file_bytes("hotplate-body") + process.file_bytes("(deleted)")
}

fn flat(origin: &mut Origin, server: &mut Server, cap: u64) {
    let (all, read) = (220 << 20, 120 << 20);
    let gate = Gate::new();
    origin.says("/a", gated(all, &gate));
    let mut client = aboard(server);
    let before = held(server);
    gate.open();
    let mut at = 1_000;
    let step = 10 << 20;
    // Sockets may hold tens of MiB of the rest.
    while at + step < read {
        // The origin could say far more meanwhile than sockets hold.
        pause(Duration::from_millis(100));
        let is_past = at > cap + (16 << 20);
        let may_hold = if is_past { 4 << 20 } else { cap + (4 << 20) };
        let holds = held(server).saturating_sub(before);
        assert!(holds < may_hold, "{holds} bytes at {at} of {all}");
        assert!(client.exactly(size(step)) == content(1, at..at + step));
        at += step;
    }
    assert_eq!(metric(server, "hotplate_outgrown_bodies_under_way"), 1);
    client.reset();
    await_end(server, "unwanted", 1);
    eventually(SOON, "the origin is left alone", || {
        origin.open_connections() == 0
    });
    expect_nothing_kept(server);
}

in_memory_and_on_disk!(memory_stays_flat_and_the_origin_waits, flat);

/// Has so little room for what comes to the client that most of a body stays with the server.
pub(crate) fn narrow(client: &Client) {
    rustix::net::sockopt::set_socket_recv_buffer_size(client.stream(), 64 << 10)
        .expect("a smaller buffer");
}

fn await_outgrown(server: &Server) {
    eventually(SOON, "it has outgrown the store", || {
        metric(server, "hotplate_outgrown_bodies_under_way") == 1
    });
}

before_an_origin!(
    bytes_that_are_cold_are_read_up_to_the_end_of_what_is_stored,
    on_a_large_disk(),
    |origin, server| {
        let all = 2 * ON_A_LARGE_DISK;
        let gate = Gate::new();
        origin.says("/a", gated(all, &gate));
        let mut client = aboard(server);
        narrow(&client);
        gate.open();
        await_outgrown(server);
        let stored = server.process().largest_file_on(&server.folder.path(""));
        let size = stored.metadata().expect("a file").len();
        stored.sync_all().expect("the file is written out");
        rustix::fs::fadvise(&stored, 0, None, rustix::fs::Advice::DontNeed).expect("advice");
        let is_cold = !is_resident(&stored, size - (64 << 10), 64 << 10);
        thread::scope(|scope| {
            let reading =
                scope.spawn(move || read_on(&mut client, all, 64 << 10, Duration::from_millis(2)));
            // However far the kernel reads ahead, some of what comes next is cold up to the end.
            while !reading.is_finished() {
                rustix::fs::fadvise(&stored, 0, None, rustix::fs::Advice::DontNeed)
                    .expect("advice");
                pause(Duration::from_millis(1));
            }
        });
        if is_cold {
            assert!(metric(server, "hotplate_cold_ranges_total") > 0);
        } else {
            let told = writeln!(stderr(), "skipped: the temporary folder can't be cold");
            told.expect("standard error is there");
        }
        await_end(server, "complete", 1);
    }
);

before_an_origin!(
    room_on_disk_is_taken_until_all_are_past_what_is_stored,
    on_a_large_disk(),
    |origin, server| {
        let gate = Gate::new();
        origin.says("/a", gated(ON_A_LARGE_DISK + 100, &gate));
        let client = aboard(server);
        narrow(&client);
        gate.open();
        await_end(server, "complete", 1);
        // The device has the bytes, so nobody else may have their room.
        assert!(metric(server, "hotplate_disk_bytes ") > 15 << 20);
        client.reset();
        eventually(SOON, "the room is given back", || {
            metric(server, "hotplate_disk_bytes ") < 4 << 20
        });
        expect_nothing_kept(server);
    }
);

before_an_origin!(
    memory_is_taken_until_all_are_past_what_is_stored,
    Site::plain()
        .fill("memory = \"20MiB\"")
        .with(|mut setup: Setup| {
            setup.config.memory.push("size = \"64MiB\"".to_owned());
            setup
        }),
    |origin, server| {
        let gate = Gate::new();
        origin.says("/a", gated((16 << 20) + 100, &gate));
        let mut client = aboard(server);
        narrow(&client);
        gate.open();
        await_end(server, "complete", 1);
        let others = 8 << 20;
        let said = reply(200).max_age(60).made(2, 0..others).close();
        origin.says("/b", said.clone());
        origin.says("/c", said);
        assert!(fetch_get(server, "/b").body == content(2, 0..others));
        let refused = "hotplate_fill_bodies_total{end=\"no-memory\"}";
        assert_eq!(metric(server, refused), 1);
        read_on(&mut client, (16 << 20) + 100, 1 << 20, Duration::ZERO);
        eventually(SOON, "the bytes have gone", || {
            server.process().file_bytes("hotplate-body") == 0
        });
        assert!(fetch_get(server, "/c").body == content(2, 0..others));
        assert_eq!(metric(server, refused), 1);
    }
);

fn late(origin: &mut Origin, server: &mut Server, cap: u64) {
    let all = 3 * cap;
    let gate = Gate::new();
    let said = reply(200).max_age(60).made(1, 0..2 * cap).wait(&gate);
    let other = reply(200).max_age(60).chunked().chunk(b"other");
    origin.queue(
        "/a",
        [said.made(1, 2 * cap..all).close(), other.last_chunk(&[])],
    );
    let mut client = aboard(server);
    assert!(client.exactly(size(2 * cap - 1_000)) == content(1, 1_000..2 * cap));
    let late = fetch_get(server, "/a");
    late.expect(200).expect_body(b"other");
    expect_forward(&late, "uri-miss");
    assert_eq!(origin.asked().len(), 2);
    gate.open();
    assert!(client.exactly(size(cap)) == content(1, 2 * cap..all));
    client.expect_closed();
    await_end(server, "complete", 1);
}

in_memory_and_on_disk!(who_comes_later_gets_an_answer_of_its_own, late);

fn stalled(origin: &mut Origin, server: &mut Server, _cap: u64) {
    // More than sockets hold.
    let all = 60 << 20;
    let gate = Gate::new();
    origin.says("/a", gated(all, &gate));
    let mut stalled = aboard(server);
    let mut other = aboard(server);
    gate.open();
    read_on(&mut other, all, 1 << 20, Duration::ZERO);
    // It is cut off behind what its socket held.
    let mut came = 0;
    while came < all {
        match stalled.read_some(1 << 20).len() as u64 {
            0 => break,
            count => came += count,
        }
    }
    assert!(came < all && stalled.was_reset(), "{came} bytes");
    await_end(server, "complete", 1);
    expect_nothing_kept(server);
}

in_memory_and_on_disk!(a_client_that_stalls_is_cut_and_the_others_go_on, stalled);

fn truncated(origin: &mut Origin, server: &mut Server, cap: u64) {
    let gate = Gate::new();
    let said = reply(200).max_age(60).chunked().chunk(content(1, 0..1_000));
    let said = said.wait(&gate).chunk(content(1, 1_000..2 * cap));
    origin.says("/a", said.bytes("1000\r\nhalf of it").close());
    let mut clients = [server.connect(), server.connect()];
    let heads = clients.each_mut().map(|client| {
        client.send(get("/a").bytes());
        client.head().expect("a head")
    });
    gate.open();
    let mut expected = content(1, 0..2 * cap);
    expected.extend(b"half of it");
    for (client, head) in clients.iter_mut().zip(heads) {
        let Err(Broken::Cut(came)) = client.body("GET", &head) else {
            panic!("not cut");
        };
        assert!(expected.starts_with(&came), "{} other bytes", came.len());
    }
    await_end(server, "broken-off", 1);
    expect_nothing_kept(server);
    // The next one is passed on: it breaks off as well, or not.
    origin.says("/a", reply(200).max_age(60).body("good"));
    fetch_get(server, "/a").expect(200).expect_body(b"good");
}

in_memory_and_on_disk!(an_origin_that_breaks_off_aborts_all_of_them, truncated);

before_an_origin!(
    a_body_that_finds_no_memory_goes_on_too,
    Site::plain().fill("memory = \"2MiB\""),
    |origin, server| {
        let all = 9 << 20;
        origin.says("/a", reply(200).max_age(60).made(1, 0..all).close());
        for _ in 0..2 {
            let answer = fetch_get(server, "/a");
            assert!(answer.expect(200).body == content(1, 0..all), "other bytes");
        }
        await_end(server, "complete", 1);
        // One whose size is told is stored all the same.
        origin.says("/a", reply(200).max_age(60).length(100).made(1, 0..100));
        fetch_get(server, "/a").expect(200);
        let hit = fetch_get(server, "/a");
        assert!(outcome(&hit).contains(&"hit".to_owned()), "{hit}");
    }
);

before_an_origin!(
    ranges_of_a_stored_variant_come_from_disk_after_another_one_outgrew,
    Site::ruled("tiers = [\"disk\"]")
        .with(|setup| setup.disk(&["size = \"64MiB\"", "max_object = \"4MiB\""])),
    |origin, server| {
        origin.on("/a", move |asked| {
            let said = reply(200)
                .max_age(600)
                .field("Vary", "Accept-Encoding")
                .field("ETag", "\"1\"");
            if asked.field("accept-encoding").is_some() {
                let mut coded = said.field("Content-Encoding", "gzip").chunked();
                for first in (0..12 << 20).step_by(300_000) {
                    coded = coded.chunk(content(1, first..first + 300_000));
                }
                return coded.last_chunk(&[]);
            }
            said.body(content(2, 0..10_000))
        });
        fetch_get(server, "/a").expect(200);
        server.restart();
        let coded = get("/a").with("Accept-Encoding", "gzip");
        fetch(server, &coded).expect(200);
        await_end(server, "complete", 1);
        origin.forget();
        let range = get("/a").with("Range", "bytes=1000-1999");
        let part = fetch(server, &range);
        part.expect(206).expect_body(&content(2, 1_000..2_000));
        assert_eq!(origin.asked().len(), 0);
    }
);

/// As many connections as may be, and what the server needs itself.
const DESCRIPTORS: u32 = 64 + 512;
/// A quarter of what is left beyond is for bodies.
const FOR_BODIES: usize = 20;

fn no_descriptor(driver: Driver) {
    let all = 1 << 20;
    let origin = Origin::start();
    let gate = Gate::new();
    let behind = gate.clone();
    origin.otherwise(move |_| {
        let said = reply(200).max_age(60).made(1, 0..all - 1_000);
        said.wait(&behind).made(1, all - 1_000..all).close()
    });
    let mut setup = Setup::new().limit("connections = 64").workers(1);
    let site = format!("hosts = []\norigin = {:?}", [origin.url()]);
    setup.config.sites.push(site);
    let descriptors = DESCRIPTORS + 4 * FOR_BODIES as u32;
    let server = setup
        .try_start_with_descriptors(driver, descriptors)
        .unwrap_or_else(|refused| panic!("did not start: {refused}"));
    let clients = (0..2 * FOR_BODIES).map(|number| aboard_of(&server, &format!("/{number}")));
    let clients: Vec<Client> = clients.collect();
    let refused = "hotplate_fill_bodies_total{end=\"no-descriptor\"}";
    eventually(SOON, "some bodies find no descriptor", || {
        metric(&server, refused) > 0
    });
    gate.open();
    // Those that are over the limit of connections, which the descriptors set, get all of it too.
    for mut client in clients {
        read_on(&mut client, all, 1 << 20, Duration::ZERO);
    }
    assert_eq!(
        metric(&server, "hotplate_fill_bodies_total{end=\"unwanted\"}"),
        0
    );
}

on_each_driver!(bodies_that_find_no_descriptor_are_counted, no_descriptor);
