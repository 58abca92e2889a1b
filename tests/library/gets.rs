//! get, tryget, remove, clear and refresh: one store for the library and for HTTP clients.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use serde_json::json;

use crate::harness::origin::{Gate, Made, Origin, content, reply};
use crate::harness::{Request, eventually, get, pause};
use crate::shelf::{SOON, Shelf, bytes, fails, figure, got, got_with, path, post, told, tried};

/// Packed beside its metadata, in memory with a file of its own, and in a file alone.
const SIZES: [u64; 5] = [0, 100, 40_000, 300_000, 3_000_017];

#[test]
fn get_hands_out_the_verbatim_file_of_any_size() {
    let origin = Origin::start();
    let server = Shelf::open().start();
    for (seed, size) in (1..).zip(SIZES) {
        let name = format!("/{size}.mp3");
        origin.serve(&name, Made::new(seed, size).max_age(600));
        let url = format!("{}{name}", origin.url());
        for turn in 0..3 {
            let found = got(&server, &url);
            assert_eq!(bytes(&found), content(seed, 0..size), "{url}, turn {turn}");
            assert_eq!(found["size_bytes"], size);
            assert_eq!(found["etag"], format!("\"{seed:x}-{size:x}\""));
            assert_eq!(found["url"], url.as_str());
            assert_eq!(found["final_url"], url.as_str());
            let status = found["cache_status"].as_str().unwrap();
            assert_eq!(status.contains("hit"), turn > 0, "{status}");
            let fresh = found["fresh_for_seconds"].as_i64().unwrap();
            assert!((590..=600).contains(&fresh), "{fresh}");
            let file = path(&found);
            assert_eq!(file.extension().unwrap(), "mp3");
            let mode = std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
            assert!(mode == 0o400 || mode == 0o600, "{mode:o}");
        }
    }
    assert_eq!(origin.asked().len(), SIZES.len());
}

#[test]
fn body_of_unknown_size_is_handed_out_when_it_is_whole() {
    let origin = Origin::start();
    let server = Shelf::open().start();
    let chunked = reply(200)
        .max_age(600)
        .field("Content-Type", "audio/wav")
        .chunked();
    let chunked = chunked
        .chunk(content(9, 0..100_000))
        .chunk(content(9, 100_000..200_000));
    origin.says("/chunked", chunked.last_chunk(&[]));
    let small = reply(200).max_age(600).chunked().chunk("abc");
    origin.says("/small", small.last_chunk(&[]));
    for _ in 0..2 {
        let found = got(&server, &format!("{}/chunked", origin.url()));
        assert_eq!(bytes(&found), content(9, 0..200_000));
        assert_eq!(path(&found).extension().unwrap(), "wav");
        assert_eq!(
            bytes(&got(&server, &format!("{}/small", origin.url()))),
            b"abc"
        );
    }
    assert_eq!(origin.asked().len(), 2);
}

#[test]
fn repeated_get_has_the_same_path_and_makes_no_other_file() {
    let origin = Origin::start();
    let server = Shelf::open().start();
    origin.serve("/a.wav", Made::new(1, 1000).max_age(600));
    let url = format!("{}/a.wav", origin.url());
    let first = got(&server, &url);
    for _ in 0..50 {
        let next = got(&server, &url);
        assert_eq!(next["path"], first["path"]);
        assert_eq!(next["lease"]["id"], first["lease"]["id"]);
    }
    let made = |way: &str| figure(&server, &["library", "leases_made", way]);
    assert_eq!(made("linked") + made("copied"), 1);
    assert_eq!(figure(&server, &["library", "leases_extended"]), 50);
    assert_eq!(figure(&server, &["library", "gets", "hit"]), 50);
    assert_eq!(figure(&server, &["library", "gets", "fetched"]), 1);
}

#[test]
fn http_clients_of_a_site_and_the_library_share_one_response() {
    let origin = Origin::start();
    let rules = "[[site.rule]]\npath = \"/\"\nstrip_query = [\"sid\"]\n";
    let server = Shelf::plain().site("media.test", &origin, rules).start();
    origin.serve("/a.wav", Made::new(1, 5000).max_age(600));
    origin.serve("/b.wav", Made::new(2, 500_000).max_age(600));
    server.get("/a.wav").expect(200);
    let found = got(&server, "http://media.test/a.wav?sid=1");
    assert_eq!(bytes(&found), content(1, 0..5000));
    assert!(found["cache_status"].as_str().unwrap().contains("hit"));
    got(&server, "https://MEDIA.test:443/b.wav");
    let hit = server.get("/b.wav?sid=2");
    hit.expect(200).expect_body(&content(2, 0..500_000));
    assert!(hit.needs("cache-status").contains("hit"), "{hit}");
    assert_eq!(origin.asked().len(), 2);
    let asked = origin.asked_for("/b.wav");
    assert_eq!(asked[0].field("host"), Some("media.test"));
}

#[test]
fn tryget_fetches_nothing_and_says_what_there_is() {
    let origin = Origin::start();
    let server = Shelf::open().start();
    let gate = Gate::new();
    origin.serve("/a.wav", Made::new(1, 1000).max_age(600));
    origin.serve("/old.wav", Made::new(2, 1000).max_age(0));
    let slow = reply(200).max_age(600).length(6).bytes("abc").wait(&gate);
    origin.says("/slow.wav", slow.bytes("def"));
    let url = |name: &str| format!("{}{name}", origin.url());
    let expect = |name: &str, code: &str| {
        let (status, value) = tried(&server, &url(name));
        assert_eq!(
            (status, &value["code"]),
            (404, &json!(code)),
            "{name}: {value}"
        );
    };
    expect("/a.wav", "absent");
    assert!(origin.asked().is_empty());
    got(&server, &url("/a.wav"));
    let (status, found) = tried(&server, &url("/a.wav"));
    assert_eq!(status, 200);
    assert_eq!(bytes(&found), content(1, 0..1000));
    got(&server, &url("/old.wav"));
    expect("/old.wav", "stale");
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| got(&server, &url("/slow.wav")));
        origin.await_asked_for("/slow.wav", 1);
        expect("/slow.wav", "being_filled");
        gate.open();
        assert_eq!(bytes(&waits.join().unwrap()), b"abcdef");
    });
    assert_eq!(tried(&server, &url("/slow.wav")).0, 200);
    assert_eq!(origin.asked().len(), 3);
}

#[test]
fn what_is_on_disk_is_there_after_a_restart_without_the_origin() {
    let origin = Origin::start();
    let mut server = Shelf::open().start();
    for (seed, size) in (1..).zip(SIZES) {
        origin.serve(&format!("/{size}.mp3"), Made::new(seed, size).max_age(600));
        got(&server, &format!("{}/{size}.mp3", origin.url()));
    }
    server.restart();
    origin.forget();
    for (seed, size) in (1..).zip(SIZES) {
        let (status, found) = tried(&server, &format!("{}/{size}.mp3", origin.url()));
        assert_eq!(status, 200, "{size}: {found}");
        assert_eq!(bytes(&found), content(seed, 0..size));
    }
    assert!(origin.asked().is_empty());
}

#[test]
fn stale_file_is_validated_and_kept() {
    let origin = Origin::start();
    let server = Shelf::open().start();
    origin.serve("/a.wav", Made::new(1, 300_000).max_age(0));
    let url = format!("{}/a.wav", origin.url());
    let first = got(&server, &url);
    let second = got(&server, &url);
    assert_eq!(second["path"], first["path"]);
    let status = second["cache_status"].as_str().unwrap();
    assert!(status.contains("fwd=stale; fwd-status=304"), "{status}");
    let asked = origin.asked();
    assert_eq!(asked.len(), 2);
    assert!(asked[1].field("if-none-match").is_some());
}

#[test]
fn refresh_asks_the_origin_and_keeps_the_old_copy_until_the_new_one_is_there() {
    let mut origin = Origin::start();
    let server = Shelf::open().start();
    let url = format!("{}/a.wav", origin.url());
    origin.serve("/a.wav", Made::new(1, 1000).max_age(600));
    let old = got(&server, &url);
    origin.serve("/a.wav", Made::new(2, 2000).max_age(600));
    let new = got_with(&server, &url, json!({"refresh": true}));
    assert_eq!(bytes(&new), content(2, 0..2000));
    // The lease of the old one holds.
    assert_eq!(bytes(&old), content(1, 0..1000));
    let asked = origin.asked();
    assert_eq!(asked.len(), 2);
    assert!(asked[1].field("if-none-match").is_some());
    // The origin is away: the refresh fails, and what is stored stays.
    origin.go_down();
    let answer = post(&server, "get", &json!({"url": url, "refresh": true}));
    assert_eq!(told(answer.expect(502))["code"], "origin_unreachable");
    assert_eq!(bytes(&got(&server, &url)), content(2, 0..2000));
}

#[test]
fn refresh_of_a_tryget_marks_what_is_stored_and_keeps_it() {
    let origin = Origin::start();
    let server = Shelf::open().start();
    let url = format!("{}/a.wav", origin.url());
    origin.serve("/a.wav", Made::new(1, 1000).max_age(600));
    got(&server, &url);
    let answer = post(&server, "tryget", &json!({"url": url, "refresh": true}));
    assert_eq!(told(answer.expect(404))["code"], "stale");
    let next = got(&server, &url);
    assert!(
        next["cache_status"]
            .as_str()
            .unwrap()
            .contains("fwd-status=304")
    );
    assert_eq!(tried(&server, &url).0, 200);
}

#[test]
fn concurrent_gets_make_one_request_to_the_origin() {
    let origin = Origin::start();
    let server = Shelf::open().start();
    let gate = Gate::new();
    let said = reply(200).max_age(600).length(200_000).wait(&gate);
    origin.says("/a.wav", said.bytes(content(3, 0..200_000)));
    let url = format!("{}/a.wav", origin.url());
    std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..20)
            .map(|_| scope.spawn(|| got(&server, &url)))
            .collect();
        origin.await_asked(1);
        gate.open();
        let found: Vec<_> = waiting.into_iter().map(|one| one.join().unwrap()).collect();
        assert!(found.iter().all(|one| one["path"] == found[0]["path"]));
        assert_eq!(bytes(&found[0]), content(3, 0..200_000));
    });
    assert_eq!(origin.asked().len(), 1);
}

#[test]
fn removed_url_is_fetched_again_and_clear_removes_all() {
    let origin = Origin::start();
    let server = Shelf::open().start();
    for name in ["/a.wav", "/b.wav"] {
        origin.serve(name, Made::new(1, 30_000).max_age(600));
        got(&server, &format!("{}{name}", origin.url()));
    }
    let url = format!("{}/a.wav", origin.url());
    let answer = post(&server, "remove", &json!({"url": url}));
    assert_eq!(told(answer.expect(200))["removed"], 1);
    assert_eq!(tried(&server, &url).1["code"], "absent");
    let answer = post(&server, "remove", &json!({"url": url}));
    assert_eq!(told(answer.expect(200))["removed"], 0);
    got(&server, &url);
    let clear = Request::new("POST", "/api/cache/clear");
    assert_eq!(told(server.ask_admin(&clear).expect(200))["purged"], 2);
    for name in ["/a.wav", "/b.wav"] {
        let (_, value) = tried(&server, &format!("{}{name}", origin.url()));
        assert_eq!(value["code"], "absent");
    }
    assert_eq!(origin.asked().len(), 3);
}

#[test]
fn what_may_not_be_stored_is_refused_with_the_reason_unless_a_rule_says_otherwise() {
    let origin = Origin::start();
    let served = |server: &crate::harness::Server, name: &str| {
        fails(
            server,
            &format!("{}{name}", origin.url()),
            (502, "not_storable", "origin"),
        )
    };
    let said = |directive: &str| reply(200).field("Cache-Control", directive).body("abc");
    origin.says("/no-store.wav", said("no-store"));
    origin.says("/private.wav", said("private, max-age=60"));
    let server = Shelf::open().start();
    let why = served(&server, "/no-store.wav")["error"].to_string();
    assert!(why.contains("no-store"), "{why}");
    served(&server, "/private.wav");
    let server = Shelf::open()
        .line("store_no_store = true")
        .line("store_private = true")
        .line("default_ttl = \"10m\"")
        .line("ignore_no_last_modified = true")
        .start();
    for name in ["/no-store.wav", "/private.wav"] {
        assert_eq!(
            bytes(&got(&server, &format!("{}{name}", origin.url()))),
            b"abc"
        );
    }
}

#[test]
fn requests_that_make_no_sense_are_told_so() {
    let server = Shelf::open().start();
    for (endpoint, body) in [
        ("get", json!({})),
        ("get", json!({"url": "http://127.0.0.1/", "refesh": true})),
        ("get", json!({"url": "http://127.0.0.1/", "lease": "soon"})),
        ("tryget", json!({"url": 1})),
        ("remove", json!({"uri": "http://127.0.0.1/"})),
        ("lease", json!({"id": "x", "act": "end"})),
    ] {
        let answer = post(&server, endpoint, &body);
        let value = told(answer.expect(400));
        assert_eq!(value["code"], "invalid_option", "{endpoint} {body}");
        assert_eq!(value["fault"], "caller");
    }
    server.ask_admin(&get("/api/cache/get")).expect(405);
    let posted = Request::new("POST", "/api/cache/get").with("Origin", "http://evil.example");
    server.ask_admin(&posted.body(b"{}")).expect(403);
}

#[test]
fn refresh_beside_gets_from_disk_has_the_new_bytes() {
    // So many that the look-up takes a while: those who refresh come upon one that is under way.
    const SIZE: u64 = 48 << 20;
    let origin = Origin::start();
    let mut shelf = Shelf::open();
    let memory = "size = \"256MiB\"\nmax_object = \"64MiB\"";
    shelf.setup.config.memory.push(memory.to_owned());
    shelf.setup.config.disk[1] = "size = \"512MiB\"".to_owned();
    let mut server = shelf.start();
    origin.serve("/a.wav", Made::new(1, SIZE).max_age(600));
    let url = format!("{}/a.wav", origin.url());
    let old = got(&server, &url)["etag"].clone();
    origin.serve("/a.wav", Made::new(2, SIZE).max_age(600));
    server.restart();
    std::thread::scope(|scope| {
        let get = |refresh: bool| {
            let (server, url) = (&server, &url);
            scope.spawn(move || got_with(server, url, json!({"refresh": refresh})))
        };
        let plain: Vec<_> = (0..2).map(|_| get(false)).collect();
        pause(Duration::from_millis(10));
        let refreshing: Vec<_> = (0..3).map(|_| get(true)).collect();
        for one in refreshing {
            let found = one.join().unwrap();
            assert_ne!(
                found["etag"], old,
                "what is stored was taken for the origin's"
            );
            assert_eq!(first_bytes(&found), content(2, 0..100));
        }
        for one in plain {
            let found = one.join().unwrap();
            let seed = if found["etag"] == old { 1 } else { 2 };
            assert_eq!(first_bytes(&found), content(seed, 0..100));
        }
    });
}

/// The beginning of something that was got.
fn first_bytes(got: &serde_json::Value) -> Vec<u8> {
    use std::io::Read as _;
    let file = std::fs::File::open(path(got)).expect("its file");
    let mut bytes = Vec::new();
    file.take(100).read_to_end(&mut bytes).expect("its bytes");
    bytes
}

#[test]
fn tryget_takes_a_remembered_404_for_absent() {
    let origin = Origin::start();
    let server = Shelf::open().start();
    origin.says("/none.wav", reply(404).max_age(600).body(""));
    let url = format!("{}/none.wav", origin.url());
    fails(&server, &url, (404, "not_found", "origin"));
    let (status, value) = tried(&server, &url);
    assert_eq!((status, &value["code"]), (404, &json!("absent")), "{value}");
    assert_eq!(value["origin_status"], 404);
    assert_eq!(origin.asked().len(), 1);
}

#[test]
fn origin_that_is_down_or_busy_for_a_moment_is_asked_again() {
    let mut origin = Origin::start();
    let server = Shelf::open().start();
    let url = |name: &str| format!("{}{name}", origin.url());
    let there = || reply(200).max_age(600).body("abc");
    for (name, status) in [("/429", 429), ("/500", 500), ("/503", 503)] {
        let busy = || reply(status).field("Retry-After", "0").body("");
        origin.queue(name, [busy(), busy(), there()]);
        assert_eq!(bytes(&got(&server, &url(name))), b"abc", "{name}");
        assert_eq!(origin.asked_for(name).len(), 3);
    }
    // As often as the config says, and not where that is of no use, or nobody has the time.
    let failed = (502, "origin_status", "origin");
    let gone = reply(503).field("Retry-After", "3600").body("");
    let remembered = reply(503).max_age(600).body("");
    for (name, says, count) in [
        ("/always", reply(503).body(""), 3),
        ("/forbidden", reply(403).body(""), 1),
        ("/gone", gone, 1),
        ("/remembered", remembered, 1),
    ] {
        origin.says(name, says);
        fails(&server, &url(name), failed);
        assert_eq!(origin.asked_for(name).len(), count, "{name}");
    }
    origin.says("/hurry", reply(503).body(""));
    let hurry = json!({"url": url("/hurry"), "timeout": "100ms"});
    let value = told(post(&server, "get", &hurry).expect(502));
    assert_eq!(value["origin_status"], 503, "{value}");
    assert_eq!(origin.asked_for("/hurry").len(), 1);
    assert_eq!(figure(&server, &["library", "tried_again", "attempt"]), 8);
    // One that comes back within a get.
    origin.says("/back", there());
    let back = url("/back");
    origin.go_down();
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| got(&server, &back));
        eventually(SOON, "it was tried", || {
            figure(&server, &["library", "tried_again", "attempt"]) > 8
        });
        origin.come_up();
        assert_eq!(bytes(&waits.join().expect("it is there")), b"abc");
    });
}

#[test]
fn durations_of_gets_are_told_by_their_result() {
    let origin = Origin::start();
    let slow = Duration::from_millis(60);
    origin.on("/a.wav", move |_| {
        pause(slow);
        reply(200).max_age(600).body("abc")
    });
    let server = Shelf::open().start();
    let url = |name: &str| format!("{}{name}", origin.url());
    for _ in 0..3 {
        got(&server, &url("/a.wav"));
    }
    fails(&server, &url("/none"), (404, "not_found", "origin"));
    let page = String::from_utf8(server.ask_admin(&get("/metrics")).body).expect("UTF-8");
    let name = "hotplate_library_get_duration_seconds";
    for line in [
        format!("# TYPE {name} histogram\n"),
        format!("{name}_count{{result=\"hit\"}} 2\n"),
        format!("{name}_count{{result=\"fetched\"}} 1\n"),
        format!("{name}_count{{result=\"failed\"}} 1\n"),
        format!("{name}_bucket{{le=\"0.05\",result=\"fetched\"}} 0\n"),
        format!("{name}_bucket{{le=\"+Inf\",result=\"fetched\"}} 1\n"),
    ] {
        assert!(page.contains(&line), "{line}{page}");
    }
    let stats = told(&server.ask_admin(&get("/api/stats")));
    let sum = &stats["library"]["get_duration_seconds"]["fetched"]["sum"];
    assert!(
        sum.as_f64().is_some_and(|sum| sum >= slow.as_secs_f64()),
        "{stats}"
    );
}
