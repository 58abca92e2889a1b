//! The queue of uploads before an origin that says what the scenario wants: what is accepted arrives, whole, whatever happens.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::harness::origin::{Gate, Origin, reply};
use crate::harness::server::run;
use crate::harness::{Request, eventually, get, pattern, pause};
use crate::queue::{
    HOST, PATIENCE, accepted, arrived, assert_why, await_state, before, change, json, put, said,
    setup, spooled, status, url,
};

/// An origin that takes everything.
fn taking() -> Origin {
    let origin = Origin::start();
    origin.otherwise(|_| said(201));
    origin
}

#[test]
fn file_arrives_whole_with_its_type_and_leaves_nothing_behind() {
    let origin = taking();
    let server = before(&origin.url(), "");
    let cases = [
        ("/plain.wav", "/plain.wav", "audio/wav", 300_000),
        ("/empty.mp3", "/empty.mp3", "audio/mpeg", 0),
        (
            "/a b/ü+%41%.WAV?x=1&y=a b",
            "/a%20b/%C3%BC+A%25.WAV?x=1&y=a%20b",
            "audio/wav",
            1,
        ),
        (
            "/no-extension",
            "/no-extension",
            "application/octet-stream",
            65_537,
        ),
    ];
    for (seed, (path, sent, content_type, size)) in (1..).zip(cases) {
        let body = pattern(size, seed);
        let answer = put(&server, &url(path), "&wait=true", &body);
        answer.expect(200);
        let told = json(&answer);
        assert_eq!(
            (told["state"].as_str(), told["status"].as_u64()),
            (Some("done"), Some(201))
        );
        let asked = origin.asked().pop().expect("a request");
        assert_eq!(
            (asked.method.as_str(), asked.target.as_str()),
            ("PUT", sent)
        );
        assert_eq!(
            asked.field("content-length"),
            Some(size.to_string().as_str())
        );
        let told = asked.field("content-type").unwrap_or_default();
        assert!(
            told.starts_with(content_type) || told.starts_with("audio/x-wav"),
            "{told}"
        );
        assert_eq!(asked.field("host"), Some(HOST));
        assert!(asked.is_whole && asked.body == body);
    }
    assert_eq!(spooled(&server), Vec::<String>::new());
    let metrics = server.ask_admin(&get("/metrics"));
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    for line in [
        "hotplate_uploads_accepted_total 4",
        "hotplate_upload_spool_bytes 0",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
}

#[test]
fn commands_put_files_and_standard_input() {
    let origin = taking();
    origin.says("/refused", said(403));
    let server = before(&origin.url(), "");
    let body = pattern(1_000_000, 5);
    server.folder.place("call.wav", &body);
    let folder = server.folder.path("");
    let command = |words: &[&str]| {
        let all = [words, &["--config", "hotplate.toml"], &["--admin"]].concat();
        let admin = server.admin.expect("an address").to_string();
        run(&[&all[..], &[admin.as_str()]].concat(), &folder)
    };
    let done = command(&["put", &url("/call.wav"), "call.wav", "--wait"]);
    assert_eq!(
        (done.code, done.output.as_str()),
        (Some(0), "uploaded: 201\n")
    );
    assert_eq!(arrived(&origin, "/call.wav"), [body]);
    // Standard input is empty here; its length is not known beforehand.
    let done = command(&[
        "put",
        &url("/stdin.txt"),
        "-",
        "--wait",
        "--content-type",
        "text/x-own",
    ]);
    assert_eq!(done.code, Some(0), "{}", done.output);
    let asked = origin.asked_for("/stdin.txt");
    assert_eq!(asked[0].field("content-type"), Some("text/x-own"));
    let refused = command(&["put", &url("/refused"), "call.wav", "--wait"]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused
            .output
            .contains("given up: the origin refuses it with 403"),
        "{}",
        refused.output
    );
    let listed = command(&["uploads"]);
    assert!(
        listed.output.contains("given-up") && listed.output.contains("/refused"),
        "{}",
        listed.output
    );
    let dropped = command(&["uploads", "3", "--drop"]);
    assert_eq!(dropped.code, Some(0), "{}", dropped.output);
    assert_eq!(command(&["uploads"]).output, "no uploads\n");
    for (words, code) in [
        (&["put", "http://other.example/a", "call.wav"][..], 2),
        (&["put", "not a url", "call.wav"], 2),
        (&["put", "http://media.example/a", "missing.wav"], 1),
        (&["uploads", "77", "--retry"], 1),
    ] {
        let refused = command(words);
        assert_eq!(refused.code, Some(code), "{words:?}: {}", refused.output);
    }
}

#[test]
fn failures_are_tried_again_until_the_origin_takes_it() {
    let origin = Origin::start();
    origin.on_head("/call.wav", {
        let replies = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        move |_| {
            let at = replies.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            replies_of().swap_remove(at.min(6))
        }
    });
    let server = before(&origin.url(), "");
    let body = pattern(300_000, 1);
    let id = accepted(&server, &url("/call.wav"), &body);
    let done = await_state(&server, id, "done");
    assert_eq!(
        (done["attempts"].as_u64(), done["status"].as_u64()),
        (Some(6), Some(204))
    );
    assert_eq!(arrived(&origin, "/call.wav").last(), Some(&body));
}

fn replies_of() -> Vec<crate::harness::origin::Reply> {
    vec![
        said(500),
        reply(503).field("Retry-After", "0").body(""),
        said(429),
        said(408),
        said(425),
        reply(200).read(70_000).reset(),
        said(204),
    ]
}

#[test]
fn refusal_is_kept_until_somebody_retries_or_drops_it() {
    let origin = Origin::start();
    origin.queue(
        "/a",
        [reply(403).body("<Code>AccessDenied</Code>"), said(201)],
    );
    origin.says("/b", said(405));
    let server = before(&origin.url(), "");
    let first = accepted(&server, &url("/a"), b"first");
    let dead = await_state(&server, first, "given-up");
    assert_eq!(
        (dead["status"].as_u64(), dead["attempts"].as_u64()),
        (Some(403), Some(1))
    );
    assert_eq!(
        dead["reason"],
        "the origin refuses it with 403 (AccessDenied)"
    );
    let second = put(&server, &url("/b"), "&wait=true", b"second");
    assert_why(&second, 502, ("origin_status", "origin"));
    assert_eq!(json(&second)["state"], "given-up");
    // The record is written once more, beside the old one.
    eventually(PATIENCE, "both are recorded", || {
        spooled(&server).len() == 4
    });
    change(&server, "retry", first).expect(200);
    await_state(&server, first, "done");
    assert_eq!(arrived(&origin, "/a"), [b"first", b"first"]);
    let second = json(&second)["id"].as_u64().expect("a number");
    change(&server, "drop", second).expect(200);
    assert_eq!(status(&server, second)["state"], "dropped");
    assert_eq!(spooled(&server), Vec::<String>::new());
    assert_eq!(status(&server, first)["code"], Value::Null);
    change(&server, "drop", second).expect(404);
    change(&server, "retry", 99).expect(404);
}

#[test]
fn outage_and_restarts_lose_nothing() {
    let mut origin = taking();
    let mut server = before(&origin.url(), "");
    origin.go_down();
    let bodies: Vec<Vec<u8>> = (1..6).map(|seed| pattern(200_000, seed)).collect();
    let ids: Vec<u64> = (1..)
        .zip(&bodies)
        .map(|(number, body)| accepted(&server, &url(&format!("/{number}.wav")), body))
        .collect();
    eventually(PATIENCE, "an attempt failed", || {
        status(&server, ids[0])["attempts"].as_u64() > Some(1)
    });
    assert_eq!(status(&server, ids[0])["reason"], "nobody listens there");
    server.restart();
    server.kill_and_start();
    origin.come_up();
    eventually(PATIENCE, "everything has arrived", || {
        spooled(&server).is_empty()
    });
    for (number, body) in (1..).zip(&bodies) {
        assert_eq!(arrived(&origin, &format!("/{number}.wav")), [&body[..]]);
    }
    // Numbers go on: none is given twice while its upload is there.
    let next = accepted(&server, &url("/next"), b"next");
    assert!(next > 0);
    await_state(&server, next, "done");
}

#[test]
fn full_queue_and_full_spool_say_so() {
    let mut origin = taking();
    origin.go_down();
    let server = before(&origin.url(), "queue = 2\nsize = \"64KiB\"");
    accepted(&server, &url("/1"), b"one");
    let too_large = put(&server, &url("/2"), "", &pattern(65_536, 1));
    too_large.expect(507);
    accepted(&server, &url("/2"), b"two");
    let refused = put(&server, &url("/3"), "", b"three");
    refused.expect(429);
    assert_eq!(refused.needs("retry-after"), "10");
    // The record is written once more, beside the old one.
    eventually(PATIENCE, "both are recorded", || {
        spooled(&server).len() == 4
    });
    origin.come_up();
    eventually(PATIENCE, "there is room again", || {
        spooled(&server).is_empty()
    });
    accepted(&server, &url("/3"), b"three");
}

#[test]
fn body_that_breaks_off_is_not_accepted() {
    let origin = taking();
    let server = before(&origin.url(), "");
    let address = server.admin.expect("an address");
    let mut client = crate::harness::Client::open(address);
    let target = format!(
        "/api/cache/put?url={}",
        crate::queue::encoded(&url("/half"))
    );
    client.send(format!(
        "POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nhalf"
    ));
    eventually(PATIENCE, "it is being received", || {
        spooled(&server).len() == 1
    });
    drop(client);
    eventually(PATIENCE, "it is gone", || spooled(&server).is_empty());
    pause(Duration::from_millis(100));
    assert!(origin.asked().is_empty());
}

#[test]
fn upload_goes_only_to_hosts_that_the_config_names() {
    let origin = taking();
    let server = before(&origin.url(), "");
    for target in [
        format!("{}/a", origin.url()),
        "http://169.254.169.254/latest".to_owned(),
        "http://localhost/".to_owned(),
        "file:///etc/passwd".to_owned(),
        format!("http://user:pass@{HOST}/a"),
    ] {
        put(&server, &target, "", b"x").expect(400);
    }
    put(&server, &url("/a"), "&profile=none", b"x").expect(400);
    let page =
        Request::new("POST", "/api/cache/put?url=http%3A%2F%2Fa").with("Origin", "http://evil");
    server.ask_admin(&page.body(b"")).expect(403);
    assert!(origin.asked().is_empty() && spooled(&server).is_empty());
}

#[test]
fn file_of_the_server_is_copied_and_may_change_afterwards() {
    let mut origin = taking();
    let server = before(&origin.url(), "files = [\"**\"]");
    origin.go_down();
    let body = pattern(400_000, 9);
    server.folder.place("call.wav", &body);
    let path = server.folder.path("call.wav");
    let file = |path: &std::path::Path| {
        format!(
            "&file={}",
            crate::queue::encoded(path.to_str().expect("UTF-8"))
        )
    };
    let answer = put(&server, &url("/call.wav"), &file(&path), b"");
    answer.expect(202);
    fs::write(&path, b"another").expect("the file");
    origin.come_up();
    let id = json(&answer)["id"].as_u64().expect("a number");
    await_state(&server, id, "done");
    assert_eq!(arrived(&origin, "/call.wav"), [body]);
    for odd in [server.folder.path("missing"), server.folder.path("store")] {
        put(&server, &url("/odd"), &file(&odd), b"").expect(400);
    }
}

#[test]
fn older_cached_copy_is_validated_after_an_upload() {
    let origin = Origin::start();
    origin.on("/a.txt", |asked| match asked.method.as_str() {
        "PUT" => said(204),
        _ => reply(200).max_age(600).field("ETag", "\"1\"").body("old"),
    });
    let server = before(&origin.url(), "");
    let ask = || server.ask(&get("/a.txt").host(HOST));
    ask().expect(200);
    let hit = ask();
    assert!(hit.needs("cache-status").contains("hit"));
    put(&server, &url("/a.txt"), "&wait=true", b"new").expect(200);
    let after = ask();
    let said = after.needs("cache-status");
    assert!(said.contains("fwd=stale"), "{said}");
}

#[test]
fn redirects_that_keep_the_method_are_followed_and_no_others() {
    let origin = Origin::start();
    let other = taking();
    let moved = |status: u16, to: &str| reply(status).field("Location", to).body("");
    origin.says("/relative", moved(307, "/there?x=1"));
    origin.says("/absolute", moved(308, &format!("{}/there", origin.url())));
    origin.says("/there", said(201));
    origin.says("/loop", moved(307, "/loop"));
    origin.says("/other", moved(307, &format!("{}/x", other.url())));
    origin.says("/get", moved(303, "/there"));
    origin.says("/found", moved(302, "/there"));
    let server = before(&origin.url(), "");
    for path in ["/relative", "/absolute"] {
        put(&server, &url(path), "&wait=true", b"moved").expect(200);
        let last = origin.asked().pop().expect("a request");
        assert!(last.target.starts_with("/there") && last.body == b"moved" && last.is_whole);
    }
    for (path, words) in [
        ("/loop", "they go in circles"),
        ("/other", "is not followed"),
        ("/get", "redirects with 303"),
        ("/found", "redirects with 302"),
    ] {
        let answer = put(&server, &url(path), "&wait=true", b"moved");
        answer.expect(502);
        let reason = json(&answer)["reason"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert!(reason.contains(words), "{path}: {reason}");
    }
    assert!(other.asked().is_empty());
}

/// Neither those of the first, nor others that a redirect would pick.
#[test]
fn credentials_never_go_to_another_origin() {
    let origin = Origin::start();
    let other = taking();
    let address = other.address();
    let to = format!("http://localhost:{}/x", address.port());
    origin.on("/a", move |_| reply(307).field("Location", &to).body(""));
    let mut setup = setup(&origin.url(), "");
    let site = setup.config.sites.remove(0);
    let site = site.replacen("\n\n[upload]", "\nprofile = \"token\"\n\n[upload]", 1);
    setup.config.sites.push(format!(
        "{site}\n[[profile]]\nname = \"token\"\nkind = \"headers\"\nrequest_headers = [\"Authorization: hidden\"]\n\
         [[profile]]\nname = \"open\"\nkind = \"headers\"\ndomains = [\"localhost:{}\"]\nrequest_headers = [\"X-Own: 1\"]",
        address.port()
    ));
    let server = setup.start(crate::harness::Driver::Epoll);
    put(&server, &url("/a"), "&wait=true", b"moved").expect(200);
    assert_eq!(origin.asked()[0].field("authorization"), Some("hidden"));
    let asked = other.await_asked(1);
    assert_eq!(asked[0].field("authorization"), None);
    assert_eq!(asked[0].field("x-own"), None);
    assert_eq!(asked[0].body, b"moved");
    assert!(!server.output().contains("hidden"));
}

#[test]
fn name_without_an_address_and_a_wrong_clock_are_told() {
    let server = before("http://nowhere.invalid:81", "");
    let answer = put(&server, &url("/a"), "&wait=true", b"x");
    answer.expect(202);
    let told = json(&answer);
    assert_eq!(told["reason"], "the origin's name has no address");
    assert_eq!(told["code"], "origin_name_unknown");
    let origin = Origin::start();
    let skewed = || {
        reply(403)
            .undated()
            .field("Date", "Sun, 06 Nov 1994 08:49:37 GMT")
            .body("<Error><Code>RequestTimeTooSkewed</Code></Error>")
    };
    origin.queue("/b", [skewed()]);
    let wrong = "<Error><Code>SignatureDoesNotMatch</Code></Error>";
    origin.says("/c", reply(403).body(wrong));
    let mut setup = setup(&origin.url(), "");
    setup.config.sites[0].push_str(&format!(
        "\n[[profile]]\nname = \"s3\"\nkind = \"s3\"\ndomains = [\"b.example\"]\nendpoint = {:?}\naccess_key_id = \"AK\"\n\
         secret_access_key = \"hidden\"",
        origin.url()
    ));
    let server = setup.start(crate::harness::Driver::Epoll);
    let answer = put(&server, "http://b.example/b", "&wait=true", b"x");
    answer.expect(202);
    let reason = json(&answer)["reason"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert!(reason.contains("the clock of this machine is"), "{reason}");
    let answer = put(&server, "http://b.example/c", "&wait=true", b"x");
    assert_why(&answer, 502, ("credentials", "hotplate"));
    let reason = json(&answer)["reason"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert!(
        reason.contains("the origin refuses the signature"),
        "{reason}"
    );
    let listed = server.ask_admin(&get("/api/cache/uploads?ended=true"));
    let shown = server.output() + &String::from_utf8_lossy(&listed.body);
    assert!(!shown.contains("hidden"), "{shown}");
}

#[test]
fn damaged_record_and_file_are_told_and_never_sent() {
    let mut origin = taking();
    let mut server = before(&origin.url(), "");
    origin.go_down();
    let ids = [b"first", b"other", b"third"].map(|body| accepted(&server, &url("/a"), body));
    server.terminate();
    server.wait_for_exit(PATIENCE);
    let file = |id: u64, kind: &str| {
        server
            .folder
            .path(format!("store/uploads/{id:016x}.{kind}"))
    };
    fs::write(file(ids[0], "data"), b"FIRST").expect("the file");
    fs::write(file(ids[2], "job"), b"broken").expect("the record");
    origin.come_up();
    server.start_again();
    let dead = await_state(&server, ids[0], "given-up");
    let reason = dead["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("not what was accepted"), "{reason}");
    assert_eq!(
        (&dead["code"], &dead["fault"]),
        (&"disk_failed".into(), &"hotplate".into())
    );
    await_state(&server, ids[1], "done");
    assert_eq!(status(&server, ids[2])["state"], Value::Null);
    assert!(
        server
            .output()
            .contains("the record of an upload is damaged")
    );
    assert_eq!(arrived(&origin, "/a"), [b"other"]);
    // What is left where it is has its number for good.
    for _ in 0..3 {
        assert!(accepted(&server, &url("/b"), b"next") > ids[2]);
    }
}

/// One upload at a time that waits at the origin holds the others up, but never loses its place when it is dropped.
#[test]
fn upload_under_way_is_shown_and_can_be_dropped() {
    let origin = Origin::start();
    let gate = Gate::new();
    let held = gate.clone();
    origin.on("/slow", move |_| reply(201).wait(&held).body(""));
    origin.says("/next", said(201));
    let server = before(&origin.url(), "concurrency = 1");
    let slow = accepted(&server, &url("/slow"), &pattern(1000, 1));
    gate.await_reached(1);
    let running = await_state(&server, slow, "running");
    assert_eq!(running["sent"].as_u64(), Some(1000));
    let next = accepted(&server, &url("/next"), b"next");
    assert_eq!(status(&server, next)["state"], "waiting");
    change(&server, "drop", slow).expect(200);
    await_state(&server, next, "done");
    gate.open();
}

#[test]
fn second_server_on_one_spool_is_refused() {
    let origin = taking();
    let server = before(&origin.url(), "");
    let mut setup = setup(&origin.url(), "");
    setup.config.disk.clear();
    let spool = server.folder.path("store/uploads");
    setup.config.sites[0].push_str(&format!("\npath = {spool:?}"));
    let refused = setup.try_start_with_descriptors(crate::harness::Driver::Epoll, 4096);
    let refused = refused.expect_err("two on one spool");
    assert!(
        refused
            .output
            .contains("another process uploads from this folder"),
        "{refused}"
    );
}
