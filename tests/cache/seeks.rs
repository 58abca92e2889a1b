//! Seeks in large bodies that are not stored yet: each is answered at once, and what was left behind is not brought any more.

use std::time::Duration;

use crate::harness::origin::{Asked, Gate, Made, Origin, Reply, content, reply};
use crate::harness::waiting::eventually;
use crate::harness::{Client, Server, Setup, get};
use crate::site::Site;

const MIB: u64 = 1 << 20;
const SIZE: u64 = 240 * MIB;
const SOON: Duration = Duration::from_secs(20);

fn in_memory() -> Site {
    Site::plain().with(|mut setup: Setup| {
        setup.config.memory.push("size = \"1GiB\"".to_owned());
        setup
    })
}

fn on_disk() -> Site {
    Site::plain().with(|setup| setup.disk(&["size = \"1GiB\""]))
}

/// Asks for everything from `first` on, and reads the first bytes of it.
fn seek(server: &Server, first: u64) -> Client {
    let mut client = server.connect().with_patience(SOON);
    client.send(get("/a").with("Range", &format!("bytes={first}-")).bytes());
    assert_eq!(client.head().expect("a head").status, 206);
    let some = client.exactly(60_000);
    assert!(some == content(1, first..first + 60_000), "other bytes");
    client
}

/// The value of a counter.
fn metric(server: &Server, name: &str) -> u64 {
    let page = server.ask_admin(&get("/metrics"));
    let text = String::from_utf8_lossy(&page.expect(200).body).into_owned();
    let line = text.lines().find(|line| {
        line.strip_prefix(name)
            .is_some_and(|rest| rest.starts_with(' '))
    });
    let value = line.and_then(|line| line.rsplit(' ').next()?.parse().ok());
    value.unwrap_or_else(|| panic!("no {name}"))
}

fn many_seeks_beside_a_second_reader(origin: &Origin, server: &Server) {
    // What is left of it takes more than a minute from wherever it is asked for.
    origin.serve("/a", Made::new(1, SIZE).max_age(600).rate(MIB));
    let mut second = server.connect().with_patience(SOON);
    second.send(get("/a").bytes());
    assert_eq!(second.head().expect("a head").status, 200);
    for place in [90, 20, 60, 40, 75, 10, 120] {
        seek(server, place * MIB + 77).reset();
    }
    // The runs of those that left come to their ends, but for what the second reader needs.
    eventually(SOON, "one run is left", || origin.open_connections() == 1);
    let some = second.exactly(4 * MIB as usize);
    assert!(some == content(1, 0..4 * MIB), "other bytes");
    let whole = |asked: &&Asked| asked.field("range").is_none();
    assert_eq!(origin.asked().iter().filter(whole).count(), 1);
}

before_an_origin!(
    seeks_beside_a_second_reader_are_answered_at_once_and_end_with_their_readers,
    on_disk(),
    |origin, server| {
        many_seeks_beside_a_second_reader(origin, server);
    }
);

before_an_origin!(
    seeks_beside_a_second_reader_are_answered_at_once_and_end_with_their_readers_in_memory,
    in_memory(),
    |origin, server| {
        many_seeks_beside_a_second_reader(origin, server);
    }
);

/// A part of made content that stalls at a gate behind so many bytes.
fn stalling(asked: &Asked, gate: &Gate, bytes: u64) -> Reply {
    let range = asked.field("range").expect("a range");
    let range = range.strip_prefix("bytes=").expect("of bytes");
    let (first, last) = range.split_once('-').expect("from a byte on");
    let first: u64 = first.parse().expect("a number");
    let end = last.parse().map_or(SIZE, |last: u64| last + 1);
    let stalls = (first + bytes).min(end);
    reply(206)
        .field("ETag", "\"1\"")
        .field(
            "Content-Range",
            &format!("bytes {first}-{}/{SIZE}", end - 1),
        )
        .max_age(600)
        .length(end - first)
        .made(1, first..stalls)
        .wait(gate)
        .made(1, stalls..end)
}

before_an_origin!(
    a_seek_takes_the_place_of_what_nobody_waits_for,
    on_disk(),
    |origin, server| {
        let gate = Gate::new();
        let behind = gate.clone();
        origin.on("/a", move |asked| stalling(asked, &behind, MIB / 8));
        let stays = seek(server, 190 * MIB);
        // None of them notices by what comes that its reader has left.
        for place in 0..20 {
            seek(server, (8 * place + 1) * MIB + 9).reset();
        }
        assert!(metric(server, "hotplate_ranges_full_total") > 0);
        drop(stays);
        gate.open();
    }
);

before_an_origin!(
    a_seek_takes_the_place_of_what_a_slow_reader_has_ahead,
    on_disk(),
    |origin, server| {
        let gate = Gate::new();
        let behind = gate.clone();
        origin.on("/a", move |asked| stalling(asked, &behind, 9 * MIB));
        let idle = |place: u64| {
            let mut client = server.connect();
            let socket = socket2::SockRef::from(client.stream());
            socket.set_recv_buffer_size(4096).expect("a small buffer");
            let range = format!("bytes={}-", (14 * place + 1) * MIB);
            client.send(get("/a").with("Range", &range).bytes());
            origin.await_asked(place as usize + 1);
            client
        };
        let idle: Vec<Client> = (0..16).map(idle).collect();
        gate.await_reached(16);
        drop(seek(server, 230 * MIB));
        assert_eq!(metric(server, "hotplate_ranges_full_total"), 1);
        drop(idle);
        gate.open();
    }
);

before_an_origin!(
    a_run_ends_where_others_have_brought_what_follows,
    on_disk(),
    |origin, server| {
        const ALL: u64 = 40 * MIB;
        let begins = Gate::new();
        let first = begins.clone();
        origin.on("/a", move |asked| {
            let made = Made::new(1, ALL).max_age(600).field("Connection", "close");
            if asked.field("range").is_some() {
                return made.reply(asked);
            }
            reply(200)
                .field("ETag", &made_tag(ALL))
                .field("Connection", "close")
                .max_age(600)
                .length(ALL)
                .made(1, 0..100_000)
                .wait(&first)
                .made(1, 100_000..25 * MIB)
                .rate(200_000)
                .made(1, 25 * MIB..ALL)
        });
        let mut slow = server.connect().with_patience(SOON);
        slow.send(get("/a").bytes());
        let head = slow.head().expect("a head");
        begins.await_reached(1);
        // Others have the stretch from 24 MiB on brought, but for the end.
        let stretch = format!("bytes={}-{}", 24 * MIB, 39 * MIB - 1);
        let part = server
            .connect()
            .with_patience(SOON)
            .fetch(&get("/a").with("Range", &stretch));
        part.expect(206)
            .expect_body(&content(1, 24 * MIB..39 * MIB));
        begins.open();
        let body = slow.body("GET", &head).expect("all of it");
        assert!(body == content(1, 0..ALL), "other bytes");
        // The first run has ended too, which would have gone on for more than a minute.
        eventually(SOON, "nothing is on its way", || {
            origin.open_connections() == 0
        });
        let asked = origin.asked();
        let ranges: Vec<_> = asked.iter().map(|one| one.field("range")).collect();
        let rest = format!("bytes={}-{}", 39 * MIB, ALL - 1);
        assert_eq!(ranges, [None, Some(&*stretch), Some(&*rest)]);
    }
);

/// The entity-tag of made content.
fn made_tag(size: u64) -> String {
    format!("\"1-{size:x}\"")
}

before_an_origin!(
    a_slow_reader_does_not_slow_what_is_brought_for_it,
    on_disk(),
    |origin, server| {
        // More than its connection holds.
        origin.serve("/a", Made::new(1, 64 * MIB).max_age(600));
        let mut slow = server.connect();
        slow.send(get("/a").with("Range", "bytes=1048576-").bytes());
        assert_eq!(slow.head().expect("a head").status, 206);
        eventually(SOON, "all of the range is there", || {
            let only = get("/a")
                .with("Range", "bytes=67108000-")
                .with("Cache-Control", "only-if-cached");
            server.connect().fetch(&only).status == 206
        });
        assert_eq!(origin.asked().len(), 1);
        let rest = slow.exactly(63 * MIB as usize);
        assert!(rest == content(1, MIB..64 * MIB), "other bytes");
        assert_eq!(origin.asked().len(), 1);
    }
);
