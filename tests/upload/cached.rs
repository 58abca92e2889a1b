//! Uploaded files as the cached copies of their URLs: what was sent is what is stored, and the origin is not asked for it.

use std::path::Path;

use serde_json::Value;

use crate::harness::origin::{Asked, Gate, Origin, reply};
use crate::harness::server::run;
use crate::harness::{Answer, Driver, Request, Server, Setup, eventually, get, pattern};
use crate::queue::{HOST, PATIENCE, await_state, json, put, said, url};

/// A server before the origin whose rule has these lines, with these of `[library]` and of `[upload]`.
fn with(origin: &Origin, rule: &str, library: &str, upload: &str) -> Server {
    let mut setup = Setup::new().disk(&["size = \"64MiB\""]);
    setup
        .config
        .memory
        .push("max_object = \"64KiB\"".to_owned());
    setup.config.library.push(library.to_owned());
    setup.config.sites.push(format!(
        "hosts = [{HOST:?}]\norigin = {:?}\n[[site.rule]]\npath = \"/\"\n{rule}\n[upload]\nretry_min = \"30ms\"\n\
         retry_max = \"200ms\"\n{upload}",
        origin.url()
    ));
    setup.start(Driver::Epoll)
}

const HOUR: &str = "default_ttl = \"1h\"";

/// Puts a file that is to be cached, and waits until it is there.
#[track_caller]
fn upload(server: &Server, url: &str, more: &str, body: &[u8]) {
    put(server, url, &format!("&wait=true&cache=true{more}"), body).expect(200);
}

fn ask(server: &Server, path: &str) -> Answer {
    server.ask(&get(path).host(HOST))
}

/// What the library has of a URL.
fn library(server: &Server, what: &str, url: &str) -> Answer {
    server.post(what, &serde_json::json!({ "url": url }))
}

/// The library hands out a file with these bytes and this extension.
#[track_caller]
fn assert_in_library(server: &Server, url: &str, extension: &str, body: &[u8]) -> Value {
    let answer = library(server, "tryget", url);
    answer.expect(200);
    let got = json(&answer);
    let path = Path::new(got["path"].as_str().expect("a path")).to_owned();
    assert_eq!(path.extension().and_then(|it| it.to_str()), Some(extension));
    assert!(std::fs::read(&path).expect("the file") == body, "{url}");
    got
}

fn methods(asked: &[Asked]) -> Vec<&str> {
    asked.iter().map(|asked| asked.method.as_str()).collect()
}

fn metric(server: &Server, line: &str) -> bool {
    let metrics = server.ask_admin(&get("/metrics"));
    String::from_utf8_lossy(&metrics.body).contains(line)
}

#[test]
fn uploaded_bytes_are_handed_out_without_a_request_to_the_origin() {
    let origin = Origin::start();
    origin.otherwise(|asked| match asked.method.as_str() {
        "PUT" => reply(201).field("ETag", "\"of-the-put\"").body(""),
        _ => said(500),
    });
    let mut server = with(&origin, HOUR, "", "");
    let cases = [
        ("/small.wav", "", "audio/", "wav", 10_000),
        ("/empty.mp3", "", "audio/mpeg", "mp3", 0),
        ("/large.wav", "", "audio/", "wav", 8 << 20),
        (
            "/no-extension",
            "&content_type=audio%2Fogg",
            "audio/ogg",
            "ogg",
            70_001,
        ),
    ];
    let bodies: Vec<Vec<u8>> = (1..)
        .zip(cases)
        .map(|(seed, case)| pattern(case.4, seed))
        .collect();
    for ((path, more, ..), body) in cases.iter().zip(&bodies) {
        upload(&server, &url(path), more, body);
    }
    for has_restarted in [false, true] {
        for ((path, _, content_type, extension, _), body) in cases.iter().zip(&bodies) {
            let answer = ask(&server, path);
            answer.expect(200).expect_body(body);
            let status = answer.needs("cache-status");
            assert!(status.contains("; hit; ttl="), "{path}: {status}");
            assert!(answer.needs("content-type").starts_with(content_type));
            assert_eq!(answer.needs("etag"), "\"of-the-put\"");
            answer.needs("date");
            let got = assert_in_library(&server, &url(path), extension, body);
            assert_eq!(got["etag"], "\"of-the-put\"");
        }
        assert_eq!(methods(&origin.asked()), ["PUT"; 4]);
        if !has_restarted {
            server.restart();
        }
    }
}

#[test]
fn file_in_parts_is_the_cached_copy_of_a_bucket() {
    let origin = Origin::start();
    origin.otherwise(|asked| {
        let (_, query) = asked.target.split_once('?').unwrap_or_default();
        match (asked.method.as_str(), query) {
            ("POST", "uploads=") => reply(200).body("<R><UploadId>one</UploadId></R>"),
            ("PUT", _) => reply(200).field("ETag", "\"part\"").body(""),
            ("POST", _) => reply(200).body("<R><ETag>&quot;whole-3&quot;</ETag></R>"),
            _ => said(500),
        }
    });
    let profile = format!(
        "part_size = \"64KiB\"\n[[profile]]\nname = \"s3\"\nkind = \"s3\"\ndomains = [\"*.s3.example\"]\nendpoint = {:?}\n\
         path_style = true\naccess_key_id = \"AK\"\nsecret_access_key = \"hidden\"",
        origin.url()
    );
    let hosts = format!("hosts = [\"*.s3.example\"]\n{HOUR}");
    let mut server = with(&origin, "", &hosts, &profile);
    let (url, body) = ("http://calls.s3.example/large.wav", pattern(150_000, 1));
    upload(&server, url, "", &body);
    let before = origin.asked().len();
    for has_restarted in [false, true] {
        let got = assert_in_library(&server, url, "wav", &body);
        assert_eq!(got["etag"], "\"whole-3\"");
        if !has_restarted {
            server.restart();
        }
    }
    assert_eq!(origin.asked().len(), before);
    assert!(!methods(&origin.asked()).contains(&"GET"));
}

#[test]
fn without_a_lifetime_the_copy_is_validated_by_what_the_put_was_answered_with() {
    let origin = Origin::start();
    origin.on("/a.wav", |asked| match asked.method.as_str() {
        "PUT" => reply(201).field("ETag", "\"1\"").body(""),
        _ if asked.field("if-none-match") == Some("\"1\"") => reply(304).max_age(600).end(),
        _ => said(500),
    });
    let server = with(&origin, "", "", "");
    let body = pattern(100_000, 1);
    upload(&server, &url("/a.wav"), "", &body);
    let first = ask(&server, "/a.wav");
    first.expect(200).expect_body(&body);
    let status = first.needs("cache-status");
    assert!(status.contains("fwd-status=304"), "{status}");
    assert!(ask(&server, "/a.wav").needs("cache-status").contains("hit"));
    assert_eq!(methods(&origin.asked()), ["PUT", "GET"]);
}

#[test]
fn copy_that_nothing_would_ever_make_usable_is_not_stored() {
    let origin = Origin::start();
    origin.on("/a.wav", |asked| match asked.method.as_str() {
        "PUT" => said(201),
        _ => reply(200).max_age(600).body("the origin's"),
    });
    let server = with(&origin, "", "", "");
    upload(&server, &url("/a.wav"), "", b"ours");
    ask(&server, "/a.wav")
        .expect(200)
        .expect_body(b"the origin's");
    assert!(metric(
        &server,
        "hotplate_uploads_cached_total{result=\"not-stored\"} 1"
    ));
    // With a lifetime, a validator is not needed.
    let server = with(&origin, HOUR, "", "cache = true");
    put(&server, &url("/a.wav"), "&wait=true", b"ours").expect(200);
    ask(&server, "/a.wav").expect(200).expect_body(b"ours");
    assert!(metric(
        &server,
        "hotplate_uploads_cached_total{result=\"stored\"} 1"
    ));
    put(&server, &url("/a.wav"), "&cache=maybe", b"new").expect(400);
    // Where the rule does not cache, nothing is.
    let server = with(&origin, "cache = false", "", "");
    upload(&server, &url("/a.wav"), "", b"ours");
    ask(&server, "/a.wav")
        .expect(200)
        .expect_body(b"the origin's");
}

#[test]
fn upload_takes_the_place_of_an_older_copy() {
    let origin = Origin::start();
    origin.on("/a.wav", |asked| match asked.method.as_str() {
        "PUT" => said(204),
        _ => reply(200).max_age(600).field("ETag", "\"1\"").body("old"),
    });
    let server = with(&origin, HOUR, "", "");
    ask(&server, "/a.wav").expect(200).expect_body(b"old");
    let held = library(&server, "get", &url("/a.wav"));
    for body in [&b"new"[..], &pattern(200_000, 2), b"newer"] {
        upload(&server, &url("/a.wav"), "", body);
        ask(&server, "/a.wav").expect(200).expect_body(body);
        assert_in_library(&server, &url("/a.wav"), "wav", body);
    }
    assert_eq!(
        methods(&origin.asked_for("/a.wav")),
        ["GET", "PUT", "PUT", "PUT"]
    );
    // Who has the old one keeps it for its lease.
    let path = json(&held)["path"].as_str().expect("a path").to_owned();
    assert_eq!(std::fs::read(path).expect("the file"), b"old");
}

#[test]
fn file_that_is_not_at_its_url_yet_or_elsewhere_is_not_its_copy() {
    let origin = Origin::start();
    origin.on("/later.wav", |asked| match asked.method.as_str() {
        "PUT" => reply(202).field("ETag", "\"1\"").body(""),
        _ => reply(200).max_age(600).body("not yet"),
    });
    origin.on("/moved.wav", |asked| match asked.method.as_str() {
        "PUT" => reply(307).field("Location", "/there.wav").body(""),
        _ => reply(200).max_age(600).body("not here"),
    });
    origin.on("/there.wav", |asked| match asked.method.as_str() {
        "PUT" => reply(201).field("ETag", "\"1\"").body(""),
        _ => reply(200).max_age(600).body("there"),
    });
    let server = with(&origin, HOUR, "", "");
    ask(&server, "/there.wav").expect(200);
    for (path, body) in [("/later.wav", "not yet"), ("/moved.wav", "not here")] {
        upload(&server, &url(path), "", b"ours");
        ask(&server, path).expect(200).expect_body(body.as_bytes());
    }
    let there = ask(&server, "/there.wav");
    let status = there.needs("cache-status");
    assert!(status.contains("fwd=stale"), "{status}");
    let told = server.output();
    assert!(told.contains("has yet to work on it (202)"), "{told}");
}

#[test]
fn what_was_changed_while_the_file_was_on_its_way_is_not_cached() {
    let origin = Origin::start();
    let gate = Gate::new();
    let held = gate.clone();
    origin.on("/a.wav", move |asked| match asked.method.as_str() {
        "PUT" => reply(201).wait(&held).body(""),
        "DELETE" => said(204),
        _ => reply(200).max_age(600).body("the origin's"),
    });
    let server = with(&origin, HOUR, "", "cache = true");
    let answer = put(&server, &url("/a.wav"), "", b"ours");
    let id = json(&answer)["id"].as_u64().expect("a number");
    gate.await_reached(1);
    let deleted = server.ask(&Request::new("DELETE", "/a.wav").host(HOST));
    deleted.expect(204);
    gate.open();
    await_state(&server, id, "done");
    ask(&server, "/a.wav")
        .expect(200)
        .expect_body(b"the origin's");
    let told = server.output();
    assert!(
        told.contains("purged or changed while it was on its way"),
        "{told}"
    );
}

/// `upload.cache` or `cache=true` must not show what a private bucket was given to all who can ask the site for all hosts.
#[test]
fn file_for_a_bucket_is_not_stored_as_that_of_the_site_for_all_hosts() {
    let (public, bucket) = (Origin::start(), Origin::start());
    public.otherwise(|_| reply(200).body("public"));
    bucket.otherwise(|_| said(200));
    let mut setup = Setup::new().disk(&["size = \"64MiB\""]);
    setup.config.sites.push(format!(
        "origin = {:?}\n[[site.rule]]\npath = \"/\"\n{HOUR}\n[[profile]]\nname = \"s3\"\nkind = \"s3\"\n\
         domains = [\"*.s3.internal\"]\nendpoint = {:?}\npath_style = true\naccess_key_id = \"AK\"\n\
         secret_access_key = \"hidden\"",
        public.url(),
        bucket.url()
    ));
    let server = setup.start(Driver::Epoll);
    upload(&server, "http://calls.s3.internal/a.wav", "", b"private");
    assert_eq!(methods(&bucket.asked()), ["PUT"]);
    let answer = server.ask(&get("/a.wav").host("calls.s3.internal"));
    answer.expect(200).expect_body(b"public");
    let told = server.output();
    assert!(told.contains("where the file did not go"), "{told}");
    assert!(metric(
        &server,
        "hotplate_uploads_cached_total{result=\"not-stored\"} 1"
    ));
}

#[test]
fn file_is_not_stored_as_that_of_an_origin_that_a_reload_has_put_in_the_place_of_its_own() {
    let (first, second) = (Origin::start(), Origin::start());
    let gate = Gate::new();
    let held = gate.clone();
    first.on("/a.wav", move |_| reply(201).wait(&held).body(""));
    second.otherwise(|_| reply(200).max_age(600).body("the second's"));
    let server = with(&first, HOUR, "", "cache = true");
    let answer = put(&server, &url("/a.wav"), "", b"the first's");
    let id = json(&answer)["id"].as_u64().expect("a number");
    gate.await_reached(1);
    let mut config = server.config.clone();
    config.sites[0] = config.sites[0].replace(&first.url(), &second.url());
    server.reload_text(&config.text(server.driver));
    eventually(PATIENCE, "the second is asked", || {
        ask(&server, "/b.wav").body == b"the second's"
    });
    gate.open();
    await_state(&server, id, "done");
    ask(&server, "/a.wav")
        .expect(200)
        .expect_body(b"the second's");
    let told = server.output();
    assert!(told.contains("asks another origin"), "{told}");
}

#[test]
fn key_of_the_library_is_the_one_that_an_upload_makes_stale() {
    let origin = Origin::start();
    origin.otherwise(|asked| match asked.method.as_str() {
        "PUT" => said(201),
        _ => reply(200).max_age(600).field("ETag", "\"1\"").body("old"),
    });
    let authority = origin.url().trim_start_matches("http://").to_owned();
    let hosts = format!("hosts = [{authority:?}]\nstrip_query = [\"sig\"]\n{HOUR}");
    let server = with(&origin, "", &hosts, &format!("hosts = [{authority:?}]"));
    let url = |query: &str| format!("{}/a.wav?{query}", origin.url());
    library(&server, "get", &url("sig=1")).expect(200);
    library(&server, "tryget", &url("sig=2")).expect(200);
    put(&server, &url("sig=3"), "&wait=true", b"new").expect(200);
    let stale = library(&server, "tryget", &url("sig=2"));
    stale.expect(404);
    assert_eq!(json(&stale)["code"], "stale");
    // And the copy is found under it.
    upload(&server, &url("sig=4"), "", b"newer");
    assert_in_library(&server, &url("sig=5"), "wav", b"newer");
}

#[test]
fn recording_is_the_cached_copy_when_it_is_closed() {
    let origin = Origin::start();
    origin.otherwise(|asked| match asked.method.as_str() {
        "PUT" => said(201),
        _ => said(500),
    });
    let server = with(&origin, HOUR, "", "");
    let target = format!(
        "/api/cache/record?cache=true&url={}",
        crate::queue::encoded(&url("/call.wav"))
    );
    let opened = server.ask_admin(&Request::new("POST", &target).body(b""));
    opened.expect(200);
    let path = json(&opened)["path"].as_str().expect("a path").to_owned();
    let admin = server.admin.expect("an address").to_string();
    let by_command = url("/by-command.wav");
    let words = ["record", "--cache", &by_command, "--admin", &admin];
    let opened = run(&words, &server.folder.path(""));
    assert_eq!(opened.code, Some(0), "{}", opened.output);
    for (name, path) in [
        ("/call.wav", path.as_str()),
        ("/by-command.wav", opened.output.trim()),
    ] {
        let body = pattern(90_000, 4);
        std::fs::write(path, &body).expect("the recording");
        eventually(PATIENCE, "it is stored", || {
            library(&server, "tryget", &url(name)).status == 200
        });
        ask(&server, name).expect(200).expect_body(&body);
    }
    assert_eq!(methods(&origin.asked()), ["PUT"; 2]);
    let words = ["record", "--cache", "--close", "1", "--admin", &admin];
    assert_eq!(run(&words, &server.folder.path("")).code, Some(2));
}
