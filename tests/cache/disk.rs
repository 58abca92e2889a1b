//! What is stored is still there after a restart or a kill, and never what was purged, invalidated or damaged.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::harness::origin::{Made, Origin, content, reply};
use crate::harness::waiting::eventually;
use crate::harness::{Request, Server, Setup, get};
use crate::site::{Site, expect_forward, expect_hit, expect_outcome, fetch, fetch_get};

/// How long the store may take for what it does after an answer.
const SOON: Duration = Duration::from_secs(20);

/// In memory as heap, as a file of its own, and of a size that is not told.
const SIZES: [u64; 5] = [0, 100, 40_000, 300_000, 3_000_017];

fn with_disk(setup: Setup) -> Setup {
    setup.disk(&["size = \"256MiB\""])
}

fn stored() -> Site {
    Site::plain().with(with_disk)
}

/// A number of `/api/stats`, by its path.
fn figure(server: &Server, path: &[&str]) -> u64 {
    let answer = server.ask_admin(&get("/api/stats"));
    let mut value: serde_json::Value = answer.json();
    for name in path {
        value = value[*name].take();
    }
    value
        .as_u64()
        .unwrap_or_else(|| panic!("no number at {path:?}"))
}

/// Waits until so many responses are safe on disk.
fn await_objects(server: &Server, count: u64) {
    eventually(SOON, "the responses are on disk", || {
        figure(server, &["disk", "objects"]) >= count
    });
}

fn serve_sizes(origin: &Origin) {
    for (seed, size) in (1..).zip(SIZES) {
        origin.serve(&format!("/{size}.mp3"), Made::new(seed, size).max_age(600));
    }
    let chunked = reply(200).max_age(600).field("ETag", "\"c\"").chunked();
    let chunked = chunked
        .chunk(content(9, 0..100_000))
        .chunk(content(9, 100_000..200_000));
    origin.says("/chunked", chunked.last_chunk(&[]));
}

fn expect_sizes(server: &Server) {
    for (seed, size) in (1..).zip(SIZES) {
        let hit = fetch_get(server, &format!("/{size}.mp3"));
        hit.expect(200).expect_body(&content(seed, 0..size));
        expect_hit(&hit);
        assert_eq!(hit.needs("content-length"), size.to_string());
        assert_eq!(hit.needs("etag"), format!("\"{seed:x}-{size:x}\""));
        hit.needs("age");
    }
    let hit = fetch_get(server, "/chunked");
    hit.expect(200).expect_body(&content(9, 0..200_000));
    expect_hit(&hit);
}

fn fetch_sizes(server: &Server) {
    for size in SIZES {
        fetch_get(server, &format!("/{size}.mp3")).expect(200);
    }
    fetch_get(server, "/chunked").expect(200);
}

before_an_origin!(
    what_is_stored_is_there_after_a_restart,
    stored(),
    |origin, server| {
        serve_sizes(origin);
        fetch_sizes(server);
        server.restart();
        origin.forget();
        for _ in 0..2 {
            expect_sizes(server);
        }
        assert_eq!(origin.asked().len(), 0);
    }
);

before_an_origin!(
    what_is_invalidated_before_it_is_written_and_then_validated_is_there_after_a_restart,
    stored(),
    |origin, server| {
        origin.otherwise(|asked| match asked.method.as_str() {
            "GET" => Made::new(1, 100).max_age(600).reply(asked),
            _ => reply(200).body("done"),
        });
        let paths: Vec<String> = (0..20).map(|number| format!("/{number}")).collect();
        for path in &paths {
            fetch_get(server, path).expect(200);
            fetch(server, &Request::new("DELETE", path)).expect(200);
            // RFC 9111 s4.4: validated before it is used again.
            expect_forward(&fetch_get(server, path), "stale");
        }
        server.restart();
        origin.forget();
        for path in &paths {
            expect_hit(&fetch_get(server, path));
        }
        assert_eq!(origin.asked().len(), 0);
    }
);

before_an_origin!(
    what_is_safe_on_disk_is_there_after_a_kill,
    stored(),
    |origin, server| {
        serve_sizes(origin);
        fetch_sizes(server);
        await_objects(server, SIZES.len() as u64 + 1);
        server.kill_and_start();
        origin.forget();
        expect_sizes(server);
        assert_eq!(origin.asked().len(), 0);
    }
);

before_an_origin!(
    ranges_of_what_is_on_disk_come_from_there,
    stored(),
    |origin, server| {
        origin.serve("/a", Made::new(4, 5_000_000).max_age(600));
        fetch_get(server, "/a").expect(200);
        server.restart();
        origin.forget();
        for (first, last) in [(4_999_990, 4_999_999), (0, 1), (2_500_000, 3_600_000)] {
            let range = format!("bytes={first}-{last}");
            let answer = fetch(server, &get("/a").with("Range", &range));
            answer.expect(206).expect_body(&content(4, first..last + 1));
            expect_hit(&answer);
        }
        assert_eq!(origin.asked().len(), 0);
    }
);

before_an_origin!(
    what_grew_stale_meanwhile_is_validated_after_a_restart,
    stored(),
    |origin, server| {
        for size in [10, 300_000] {
            let path = format!("/{size}");
            origin.serve(&path, Made::new(size, size).max_age(0));
            fetch_get(server, &path).expect(200);
        }
        server.restart();
        origin.forget();
        for size in [10, 300_000] {
            let path = format!("/{size}");
            let answer = fetch_get(server, &path);
            answer.expect(200).expect_body(&content(size, 0..size));
            expect_forward(&answer, "stale");
            expect_outcome(&answer, &["fwd-status=304"]);
            assert!(origin.asked_for(&path)[0].field("if-none-match").is_some());
        }
    }
);

before_an_origin!(
    a_freshened_response_is_fresh_after_a_restart,
    stored(),
    |origin, server| {
        let stale = || reply(200).max_age(0).field("ETag", "\"1\"").body("hello");
        let fresh = || reply(304).max_age(600).field("ETag", "\"1\"").end();
        origin.queue("/a", [stale(), fresh()]);
        fetch_get(server, "/a").expect(200);
        expect_outcome(&fetch_get(server, "/a"), &["fwd-status=304"]);
        server.restart();
        let hit = fetch_get(server, "/a");
        hit.expect(200).expect_body(b"hello");
        expect_hit(&hit);
        assert_eq!(hit.needs("cache-control"), "max-age=600");
        assert_eq!(origin.asked().len(), 2);
    }
);

before_an_origin!(
    what_is_replaced_stays_replaced_after_a_restart,
    stored(),
    |origin, server| {
        for (seed, size) in [(1, 300_000), (2, 40), (3, 400_000), (4, 300_000)] {
            origin.serve("/a", Made::new(seed, size).max_age(600));
            let reload = get("/a").with("Cache-Control", "no-cache");
            let answer = fetch(server, &reload);
            answer.expect(200).expect_body(&content(seed, 0..size));
            server.restart();
            let hit = fetch_get(server, "/a");
            hit.expect(200).expect_body(&content(seed, 0..size));
            expect_hit(&hit);
        }
    }
);

before_an_origin!(
    variants_are_there_after_a_restart,
    stored(),
    |origin, server| {
        origin.on("/a", |asked| {
            let language = asked.field("accept-language").unwrap_or("none").to_owned();
            reply(200)
                .max_age(600)
                .field("Vary", "Accept-Language")
                .body(language)
        });
        let asked = |language: &str| get("/a").with("Accept-Language", language);
        for language in ["de", "fr", "en"] {
            fetch(server, &asked(language)).expect(200);
        }
        server.restart();
        origin.forget();
        for language in ["en", "de", "fr"] {
            let hit = fetch(server, &asked(language));
            hit.expect(200).expect_body(language.as_bytes());
            expect_hit(&hit);
        }
        assert_eq!(origin.asked().len(), 0);
        expect_forward(&fetch(server, &asked("it")), "vary-miss");
    }
);

before_an_origin!(
    variants_of_one_url_are_bounded_on_disk_as_in_memory,
    stored(),
    |origin, server| {
        origin.on("/a", |asked| {
            let language = asked.field("accept-language").unwrap_or("none").to_owned();
            reply(200)
                .max_age(600)
                .field("Vary", "Accept-Language")
                .body(language)
        });
        for number in 0..80 {
            let asked = get("/a").with("Accept-Language", &format!("x-{number}"));
            fetch(server, &asked).expect(200);
        }
        server.restart();
        // Looked for, so that what is too many is seen.
        let asked = get("/a").with("Accept-Language", "x-79");
        let answer = fetch(server, &asked);
        answer.expect(200).expect_body(b"x-79");
        expect_hit(&answer);
        eventually(SOON, "the variants too many are gone", || {
            figure(server, &["disk", "objects"]) <= 32
        });
    }
);

fn post(path: &str, body: &str) -> Request {
    Request::new("POST", path)
        .with("Content-Type", "application/json")
        .body(body.as_bytes())
}

/// Purges by the admin API; how many were meant.
fn purge(server: &Server, body: &str) -> u64 {
    let answer = server.ask_admin(&post("/api/purge", body));
    answer.expect(200);
    let value: serde_json::Value = answer.json();
    value["purged"].as_u64().expect("a count")
}

fn put_tagged(origin: &Origin, server: &Server) {
    for size in [10, 300_000] {
        for name in ["a", "b"] {
            let path = format!("/{name}/{size}");
            let made = Made::new(size, size).max_age(600);
            origin.serve(&path, made.field("Cache-Tag", &format!("all, {name}")));
            fetch_get(server, &path).expect(200);
        }
    }
    await_objects(server, 4);
    origin.forget();
}

fn expect_gone(server: &Server, name: &str, is_gone: bool) {
    for size in [10, 300_000] {
        let answer = fetch_get(server, &format!("/{name}/{size}"));
        answer.expect(200).expect_body(&content(size, 0..size));
        match is_gone {
            true => expect_forward(&answer, "uri-miss"),
            false => expect_hit(&answer),
        }
    }
}

before_an_origin!(
    what_was_purged_does_not_come_back_from_disk,
    stored(),
    |origin, server| {
        put_tagged(origin, server);
        let dry = "{\"prefix\": \"http://media.test/a/\", \"dry_run\": true}";
        assert_eq!(purge(server, dry), 2);
        assert_eq!(purge(server, "{\"tag\": \"a\"}"), 2);
        server.kill_and_start();
        expect_gone(server, "a", true);
        expect_gone(server, "b", false);
        for size in [10, 300_000] {
            let url = format!("{{\"url\": \"http://media.test/b/{size}\"}}");
            assert_eq!(purge(server, &url), 1);
        }
        expect_gone(server, "b", true);
        await_objects(server, 4);
        assert_eq!(purge(server, "{\"all\": true}"), 4);
        server.kill_and_start();
        expect_gone(server, "a", true);
        expect_gone(server, "b", true);
    }
);

before_an_origin!(
    what_was_purged_softly_is_validated_after_a_restart,
    stored(),
    |origin, server| {
        put_tagged(origin, server);
        assert_eq!(purge(server, "{\"tag\": \"all\", \"soft\": true}"), 4);
        server.kill_and_start();
        for size in [10, 300_000] {
            let answer = fetch_get(server, &format!("/a/{size}"));
            answer.expect(200).expect_body(&content(size, 0..size));
            expect_forward(&answer, "stale");
            expect_outcome(&answer, &["fwd-status=304"]);
        }
    }
);

before_an_origin!(
    rfc9111_s4_4_what_was_invalidated_is_validated_after_a_restart,
    stored(),
    |origin, server| {
        for size in [10, 300_000] {
            let path = format!("/{size}");
            origin.on(&path, move |asked| match asked.method.as_str() {
                "POST" => reply(204).end(),
                _ => Made::new(size, size).max_age(600).reply(asked),
            });
            fetch_get(server, &path).expect(200);
        }
        await_objects(server, 2);
        // Whether memory has it or not.
        server.restart();
        for size in [10, 300_000] {
            fetch(server, &post(&format!("/{size}"), "x")).expect(204);
        }
        server.kill_and_start();
        for size in [10, 300_000] {
            let answer = fetch_get(server, &format!("/{size}"));
            answer.expect(200).expect_body(&content(size, 0..size));
            expect_forward(&answer, "stale");
        }
    }
);

before_an_origin!(
    only_if_cached_finds_what_is_on_disk_and_asks_nobody,
    stored(),
    |origin, server| {
        serve_sizes(origin);
        fetch_get(server, "/40000.mp3").expect(200);
        server.restart();
        origin.forget();
        let only = |path: &str| get(path).with("Cache-Control", "only-if-cached");
        let hit = fetch(server, &only("/40000.mp3"));
        hit.expect(200).expect_body(&content(3, 0..40_000));
        fetch(server, &only("/100.mp3")).expect(504);
        assert_eq!(origin.asked().len(), 0);
    }
);

before_an_origin!(
    tiers_say_where_responses_live,
    Site::plain()
        .with(with_disk)
        .rule("/memory", "tiers = [\"memory\"]")
        .rule("/disk", "tiers = [\"disk\"]")
        .rule("/first", "tiers = [\"disk\", \"memory\"]"),
    |origin, server| {
        let sizes = [10, 300_000];
        for place in ["memory", "disk", "first"] {
            for size in sizes {
                let path = format!("/{place}/{size}");
                origin.serve(&path, Made::new(size, size).max_age(600));
                fetch_get(server, &path).expect(200);
            }
        }
        await_objects(server, 4);
        for place in ["memory", "disk", "first"] {
            for size in sizes {
                let hit = fetch_get(server, &format!("/{place}/{size}"));
                hit.expect(200).expect_body(&content(size, 0..size));
                expect_hit(&hit);
            }
        }
        assert_eq!(origin.asked().len(), 6);
        let list = server.ask_admin(&get("/api/cache/ls"));
        let list: serde_json::Value = list.json();
        let lines = list["responses"].as_array().expect("a list");
        assert_eq!(lines.len(), 6, "{list}");
        for line in lines {
            let key = line["key"].as_str().expect("a key");
            let tier = match key {
                _ if key.contains("/memory/") => "memory",
                _ if key.ends_with("/first/10") => "memory and disk",
                _ => "disk",
            };
            assert_eq!(line["tier"], tier, "{line}");
        }
        server.restart();
        for size in sizes {
            expect_forward(&fetch_get(server, &format!("/memory/{size}")), "uri-miss");
            expect_hit(&fetch_get(server, &format!("/disk/{size}")));
            expect_hit(&fetch_get(server, &format!("/first/{size}")));
        }
    }
);

/// The data files of a server's store.
fn data_files(server: &Server) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let shelves = fs::read_dir(server.folder.path("store/objects")).expect("the shelves");
    for shelf in shelves.flatten() {
        let names = fs::read_dir(shelf.path()).expect("a shelf");
        files.extend(names.flatten().map(|name| name.path()));
    }
    files
}

before_an_origin!(
    data_files_hold_the_body_as_it_is_under_a_fitting_name_for_their_owner_alone,
    stored(),
    |origin, server| {
        origin.serve("/hold.mp3", Made::new(1, 300_000).max_age(600));
        let typed = Made::new(2, 300_001).max_age(600);
        origin.serve("/prompt", typed.field("Content-Type", "audio/x-wav"));
        for path in ["/hold.mp3", "/prompt"] {
            fetch_get(server, path).expect(200);
        }
        await_objects(server, 2);
        let files = data_files(server);
        assert_eq!(files.len(), 2, "{files:?}");
        for (seed, size, extension) in [(1, 300_000, "mp3"), (2, 300_001, "wav")] {
            let has = |path: &&PathBuf| path.extension().is_some_and(|end| end == extension);
            let file = files.iter().find(has).expect("a file of this kind");
            assert_eq!(fs::read(file).expect("it"), content(seed, 0..size));
            assert_eq!(fs::metadata(file).expect("it").mode() & 0o777, 0o600);
        }
        let store = server.folder.path("store");
        assert_eq!(fs::metadata(store).expect("it").mode() & 0o777, 0o700);
    }
);

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).expect("a data file");
    bytes[at] ^= 1;
    fs::write(path, bytes).expect("a data file");
}

before_an_origin!(
    what_was_damaged_is_fetched_anew,
    stored(),
    |origin, server| {
        for (seed, size) in [(1, 40_000), (2, 300_000), (3, 300_001), (4, 300_002)] {
            let path = format!("/{seed}");
            origin.serve(&path, Made::new(seed, size).max_age(600));
            fetch_get(server, &path).expect(200);
        }
        await_objects(server, 4);
        server.terminate();
        server.wait_for_exit(SOON);
        for file in data_files(server) {
            match fs::metadata(&file).expect("it").len() {
                40_000 => flip(&file, 39_999),
                300_000 => flip(&file, 7),
                300_001 => fs::remove_file(&file).expect("it was there"),
                _ => fs::write(&file, content(4, 0..1000)).expect("it was there"),
            }
        }
        server.start_again();
        origin.forget();
        for (seed, size) in [(1, 40_000), (2, 300_000), (3, 300_001), (4, 300_002)] {
            let answer = fetch_get(server, &format!("/{seed}"));
            answer.expect(200).expect_body(&content(seed, 0..size));
            expect_forward(&answer, "uri-miss");
        }
        assert_eq!(origin.asked().len(), 4);
    }
);

before_an_origin!(
    a_damaged_block_behind_the_first_breaks_the_answer_off_and_is_fetched_anew,
    stored(),
    |origin, server| {
        let size = 5 << 20;
        origin.serve("/a", Made::new(1, size).max_age(600));
        fetch_get(server, "/a").expect(200);
        await_objects(server, 1);
        server.terminate();
        server.wait_for_exit(SOON);
        flip(&data_files(server)[0], 4_500_000);
        server.start_again();
        let mut client = server.connect();
        client.send(get("/a").bytes());
        // Either the client can tell that it did not get all, or it got the right bytes.
        match client.try_fetched("GET") {
            Ok(answer) => {
                answer.expect(200).expect_body(&content(1, 0..size));
            }
            Err(_) => assert!(client.was_reset() || client.is_closed()),
        }
        let answer = fetch_get(server, "/a");
        answer.expect(200).expect_body(&content(1, 0..size));
    }
);

before_an_origin!(
    a_second_process_on_the_folder_is_refused,
    stored(),
    |_origin, server| {
        let config = server.config_path();
        let config = config.to_str().expect("UTF-8");
        let refused =
            crate::harness::server::run(&["serve", "--config", config], &server.folder.path(""));
        assert_eq!(refused.code, Some(1), "{refused}");
        assert!(
            refused.output.contains("in use by the process"),
            "{refused}"
        );
        assert!(server.is_running());
    }
);

before_an_origin!(
    what_memory_has_no_room_for_comes_from_disk,
    Site::plain().with(|mut setup| {
        setup.config.memory.push("size = \"1MiB\"".to_owned());
        with_disk(setup)
    }),
    |origin, server| {
        origin.otherwise(|asked| {
            let number: u64 = asked.target[1..].parse().expect("a number");
            Made::new(number, 20_000).max_age(600).reply(asked)
        });
        for number in 0..150 {
            fetch_get(server, &format!("/{number}")).expect(200);
        }
        await_objects(server, 150);
        origin.forget();
        for number in 0..150 {
            let hit = fetch_get(server, &format!("/{number}"));
            hit.expect(200).expect_body(&content(number, 0..20_000));
            expect_hit(&hit);
        }
        assert_eq!(origin.asked().len(), 0);
        assert!(figure(server, &["cache", "bytes"]) <= 1 << 20);
    }
);

before_an_origin!(
    what_the_disk_has_no_room_for_still_reaches_its_clients,
    Site::plain().with(|setup| setup.disk(&["size = \"4MiB\"", "block = \"64KiB\""])),
    |origin, server| {
        for (seed, size) in [(1, 3_000_000), (2, 3_000_001), (3, 9_000_000), (4, 100)] {
            let path = format!("/{seed}");
            origin.serve(&path, Made::new(seed, size).max_age(600));
            for _ in 0..2 {
                let answer = fetch_get(server, &path);
                answer.expect(200).expect_body(&content(seed, 0..size));
            }
        }
        assert!(figure(server, &["disk", "bytes"]) <= 4 << 20);
        assert_eq!(figure(server, &["disk", "stood_down"]), 0);
    }
);
