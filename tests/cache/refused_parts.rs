//! Ranges of what the store refuses: they go to the origin as they were asked, as whole responses pass.

use std::time::Duration;

use crate::harness::origin::{Gate, Made, Origin, content, reply};
use crate::harness::waiting::eventually;
use crate::harness::{Client, Driver, Request, Server, Setup, get};
use crate::site::{Site, fetch};

const MIB: u64 = 1 << 20;
const SIZE: u64 = 20 * MIB;

fn on_disk() -> Site {
    Site::plain().with(|setup| setup.disk(&["size = \"256MiB\""]))
}

/// Asks twice for a part, which comes as it was asked for, and then for the whole.
fn passes(origin: &Origin, server: &Server, with: impl Fn(Request) -> Request) {
    for first in [5 * MIB, 9 * MIB] {
        let range = format!("bytes={first}-{}", first + 9);
        let part = fetch(server, &with(get("/a").with("Range", &range)));
        part.expect(206).expect_body(&content(1, first..first + 10));
        let asked = origin.asked().pop().expect("it was asked");
        assert_eq!(asked.field("range"), Some(&*range));
    }
    let whole = fetch(server, &with(get("/a")));
    whole.expect(200).expect_body(&content(1, 0..SIZE));
}

before_an_origin!(
    a_range_of_what_varies_by_too_many_fields_passes,
    on_disk(),
    |origin, server| {
        let names: Vec<String> = (0..17).map(|number| format!("X-{number}")).collect();
        let made = Made::new(1, SIZE)
            .max_age(600)
            .field("Vary", &names.join(", "));
        origin.serve("/a", made);
        passes(origin, server, |request| request);
    }
);

// It got all that the origin was asked for: the block, not its range.
before_an_origin!(
    a_range_of_what_is_smaller_than_a_block_passes_as_it_was_asked,
    on_disk(),
    |origin, server| {
        let made = Made::new(1, 500).max_age(600).field("Vary", "User-Agent");
        origin.serve("/a", made);
        for range in ["bytes=100-199", "bytes=300-399"] {
            let asking = get("/a").with("User-Agent", "x").with("Range", range);
            let answer = fetch(server, &asking);
            answer.expect(206);
            let first = if range.contains("100") { 100 } else { 300 };
            answer.expect_body(&content(1, first..first + 100));
        }
    }
);

before_an_origin!(
    a_range_of_what_varies_by_a_field_that_is_none_passes,
    on_disk(),
    |origin, server| {
        origin.serve("/a", Made::new(1, SIZE).max_age(600).field("Vary", "a b"));
        passes(origin, server, |request| request);
    }
);

before_an_origin!(
    a_range_of_what_varies_by_fields_that_are_too_large_passes,
    on_disk(),
    |origin, server| {
        origin.serve(
            "/a",
            Made::new(1, SIZE).max_age(600).field("Vary", "Cookie"),
        );
        let cookie = "c".repeat(9 * 1024);
        passes(origin, server, |request| request.with("Cookie", &cookie));
    }
);

/// As many connections as may be, and what the server needs itself.
const DESCRIPTORS: u32 = 64 + 512;
/// A quarter of what is left beyond is for bodies.
const FOR_BODIES: usize = 20;

fn no_descriptor(driver: Driver) {
    let origin = Origin::start();
    let gate = Gate::new();
    let behind = gate.clone();
    origin.otherwise(move |_| {
        let said = reply(200).max_age(60).length(MIB).made(2, 0..1_000);
        said.wait(&behind).made(2, 1_000..MIB)
    });
    origin.serve("/a", Made::new(1, SIZE).max_age(600));
    let mut setup = Setup::new().limit("connections = 64").workers(1);
    let site = format!("hosts = []\norigin = {:?}", [origin.url()]);
    setup.config.sites.push(site);
    let descriptors = DESCRIPTORS + 4 * FOR_BODIES as u32;
    let server = setup
        .try_start_with_descriptors(driver, descriptors)
        .unwrap_or_else(|refused| panic!("did not start: {refused}"));
    let aboard = |number: usize| -> Client {
        let mut client = server.connect();
        client.send(get(&format!("/{number}")).bytes());
        assert_eq!(client.head().expect("a head").status, 200);
        client
    };
    let mut clients: Vec<Client> = (0..2 * FOR_BODIES).map(aboard).collect();
    passes(&origin, &server, |request| request);
    gate.open();
    for client in &mut clients {
        let body = client.exactly(MIB as usize);
        assert!(body == content(2, 0..MIB), "other bytes");
    }
    drop(clients);
    // With descriptors it is stored again, once the key is not remembered as one that passes.
    eventually(Duration::from_secs(20), "another one is stored", || {
        origin.serve("/b", Made::new(1, SIZE).max_age(600));
        let range = get("/b").with("Range", "bytes=5-9");
        let part = fetch(&server, &range);
        part.expect(206).expect_body(&content(1, 5..10));
        let status = part.lines("cache-status").join(", ");
        status.contains("stored") || status.contains("hit")
    });
}

on_each_driver!(a_range_that_finds_no_descriptor_passes, no_descriptor);
