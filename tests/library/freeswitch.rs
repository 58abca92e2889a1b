//! FreeSWITCH's words, answered byte for byte as its mod_http_cache does.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::harness::origin::{Gate, Made, Origin, content, reply};
use crate::harness::{Answer, Request, Server, eventually};
use crate::shelf::{SOON, Shelf, figure};

#[track_caller]
fn say(server: &Server, line: &str) -> Answer {
    let request = Request::new("POST", "/api/fs").body(line.as_bytes());
    let answer = server.ask_admin(&request);
    answer.expect(200);
    assert_eq!(answer.needs("content-type"), "text/plain; charset=utf-8");
    answer
}

#[track_caller]
fn said(server: &Server, line: &str) -> String {
    String::from_utf8(say(server, line).body).expect("UTF-8")
}

/// A site before `origin`, and a server that reads the files of its own folder for who names them.
fn readable(origin: &Origin) -> Shelf {
    let shelf = Shelf::plain().site("media.test", origin, "");
    shelf.with(|mut setup| {
        let upload = "[upload]\nfiles = [\"**\"]".to_owned();
        setup.config.fill.push(upload);
        setup
    })
}

/// What the command ends with, and prints to standard output and standard error.
fn fs(server: &Server, words: &[&str]) -> (Option<i32>, String, String) {
    let admin = server.admin.expect("an admin address").to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_hotplate"))
        .args(["fs", "--admin", &admin])
        .args(words)
        .output()
        .expect("the built binary");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[test]
fn get_and_tryget_answer_with_the_path_and_no_newline() {
    let origin = Origin::start();
    origin.serve("/a.wav", Made::new(1, 5000).max_age(600));
    let server = Shelf::open().start();
    let url = format!("{}/a.wav", origin.url());
    assert_eq!(
        said(&server, &format!("http_tryget {url}")),
        "-ERR download\n"
    );
    let path = said(&server, &format!("http_get {url}"));
    assert!(
        path.starts_with('/') && path.ends_with("/a.wav"),
        "{path:?}"
    );
    assert_eq!(std::fs::read(&path).unwrap(), content(1, 0..5000));
    for line in [
        "http_get",
        "http_tryget",
        "http_get {profile=none}",
        "http_get {refresh=false}",
    ] {
        let space = if line.ends_with('}') { "" } else { " " };
        assert_eq!(
            said(&server, &format!("{line}{space}{url}")),
            path,
            "{line}"
        );
    }
    assert_eq!(origin.asked().len(), 1);
}

#[test]
fn failures_are_err_with_the_reason_beside() {
    let origin = Origin::start();
    let server = Shelf::open().start();
    for (line, code, fault) in [
        (
            format!("http_get {}/none.wav", origin.url()),
            "not_found",
            "origin",
        ),
        (
            "http_get http://other.test/a.wav".to_owned(),
            "host_not_allowed",
            "caller",
        ),
        (
            "http_tryget http://other.test/a.wav".to_owned(),
            "host_not_allowed",
            "caller",
        ),
        (
            "http_prefetch http://other.test/a.wav".to_owned(),
            "host_not_allowed",
            "caller",
        ),
        ("http_get nonsense".to_owned(), "invalid_url", "caller"),
        (
            "http_get {refresh=true".to_owned(),
            "invalid_option",
            "caller",
        ),
    ] {
        let answer = say(&server, &line);
        assert_eq!(answer.body, b"-ERR\n", "{line}");
        assert_eq!(answer.needs("hotplate-code"), code, "{line}");
        assert_eq!(answer.needs("hotplate-fault"), fault, "{line}");
        assert!(!answer.needs("hotplate-reason").is_empty());
    }
}

#[test]
fn wrong_arguments_are_answered_with_the_usage() {
    let server = Shelf::open().start();
    for (line, usage) in [
        ("http_get", "USAGE: {param=val}<url>\n"),
        ("http_get  ", "USAGE: {param=val}<url>\n"),
        ("http_tryget", "USAGE: {param=val}<url>\n"),
        ("http_prefetch", "USAGE: {param=val}<url>\n"),
        ("http_put", "USAGE: {param=val}<url> <file>\n"),
        (
            "http_put http://127.0.0.1/a",
            "USAGE: {param=val}<url> <file>\n",
        ),
        (
            "http_put http://127.0.0.1/a b c",
            "USAGE: {param=val}<url> <file>\n",
        ),
        ("http_remove_cache", "USAGE: <url>\n"),
        ("http_clear_cache now", "USAGE: \n"),
        ("http_bake x", "-ERR http_bake Command not found!\n"),
    ] {
        assert_eq!(said(&server, line), usage, "{line}");
    }
}

#[test]
fn refresh_keeps_the_old_copy_until_the_new_one_is_there() {
    let mut origin = Origin::start();
    origin.serve("/a.wav", Made::new(1, 5000).max_age(600));
    let server = Shelf::open().start();
    let url = format!("{}/a.wav", origin.url());
    let old = said(&server, &format!("http_get {url}"));
    origin.serve("/a.wav", Made::new(2, 6000).max_age(600));
    for (turn, options) in [
        "{refresh=true}",
        "{^^:profile=a,b:refresh=yes}",
        "{x=y}{refresh=1}",
    ]
    .iter()
    .enumerate()
    {
        let new = said(&server, &format!("http_get {options}{url}"));
        assert_eq!(
            std::fs::read(&new).unwrap(),
            content(2, 0..6000),
            "{options}"
        );
        assert_eq!(origin.asked().len(), turn + 2);
    }
    assert_eq!(std::fs::read(&old).unwrap(), content(1, 0..5000));
    origin.go_down();
    assert_eq!(
        said(&server, &format!("http_get {{refresh=true}}{url}")),
        "-ERR\n"
    );
    let still = said(&server, &format!("http_get {url}"));
    assert_eq!(std::fs::read(still).unwrap(), content(2, 0..6000));
}

#[test]
fn who_prefetches_does_not_wait_for_anothers_download() {
    let origin = Origin::start();
    let gate = Gate::new();
    let slow = reply(200).max_age(600).length(6).bytes("abc").wait(&gate);
    origin.says("/a.wav", slow.bytes("def"));
    let server = Shelf::open().start();
    let url = format!("{}/a.wav", origin.url());
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| said(&server, &format!("http_get {url}")));
        origin.await_asked(1);
        assert_eq!(
            said(&server, &format!("http_get {{prefetch=true}}{url}")),
            "download"
        );
        assert_eq!(
            said(&server, &format!("http_tryget {url}")),
            "-ERR download\n"
        );
        gate.open();
        let path = waits.join().unwrap();
        assert_eq!(
            said(&server, &format!("http_get {{prefetch=true}}{url}")),
            path
        );
    });
}

#[test]
fn prefetch_is_ok_when_it_is_queued_and_err_when_the_queue_is_full() {
    let origin = Origin::start();
    let gate = Gate::new();
    let slow = reply(200).max_age(600).length(3).wait(&gate).bytes("abc");
    origin.otherwise(move |_| slow.clone());
    let server = Shelf::open()
        .line("queue = 1")
        .line("concurrency = 1")
        .start();
    let line = |name: &str| format!("http_prefetch {}/{name}", origin.url());
    let prefetch = |name: &str| said(&server, &line(name));
    assert_eq!(prefetch("a.wav"), "+OK\n");
    origin.await_asked(1);
    assert_eq!(prefetch("b.wav"), "+OK\n");
    let request = Request::new("POST", "/api/fs").body(line("c.wav").as_bytes());
    let refused = server.ask_admin(&request);
    assert_eq!(refused.expect(429).body, b"-ERR\n");
    assert_eq!(refused.needs("retry-after"), "1");
    assert_eq!(refused.needs("hotplate-code"), "queue_full");
    let (code, words, why) = fs(&server, &[&line("c.wav")]);
    assert_eq!((code, words.as_str()), (Some(1), "-ERR\n"));
    assert!(why.contains("library.queue"), "{why}");
    // One that waits or runs is no further one.
    assert_eq!(prefetch("b.wav"), "+OK\n");
    gate.open();
    eventually(SOON, "both are there", || {
        let there = |name: &str| {
            let line = format!("http_tryget {}/{name}", origin.url());
            said(&server, &line).starts_with('/')
        };
        there("a.wav") && there("b.wav")
    });
    assert_eq!(figure(&server, &["library", "limits", "queue"]), 2);
}

#[test]
fn removing_and_clearing_are_always_ok() {
    let origin = Origin::start();
    origin.serve("/a.wav", Made::new(1, 5000).max_age(600));
    let server = Shelf::open().start();
    let url = format!("{}/a.wav", origin.url());
    said(&server, &format!("http_get {url}"));
    assert_eq!(said(&server, &format!("http_remove_cache {url}")), "+OK\n");
    assert_eq!(
        said(&server, &format!("http_tryget {url}")),
        "-ERR download\n"
    );
    for line in [
        "http_remove_cache http://nowhere.test/",
        "http_remove_cache nonsense",
    ] {
        assert_eq!(said(&server, line), "+OK\n", "{line}");
    }
    said(&server, &format!("http_get {url}"));
    assert_eq!(said(&server, "http_clear_cache"), "+OK\n");
    assert_eq!(
        said(&server, &format!("http_tryget {url}")),
        "-ERR download\n"
    );
    assert_eq!(origin.asked().len(), 2);
}

#[test]
fn command_prints_the_reply_as_it_is() {
    let origin = Origin::start();
    origin.serve("/a.wav", Made::new(1, 5000).max_age(600));
    let server = Shelf::open().start();
    let url = format!("{}/a.wav", origin.url());
    let fs = |words: &[&str]| fs(&server, words);
    let (code, path, _) = fs(&["http_get", &format!("{{refresh=true}}{url}")]);
    assert_eq!(code, Some(0));
    assert_eq!(std::fs::read(path).unwrap(), content(1, 0..5000));
    let (code, reply, why) = fs(&["http_get", "http://other.test/a"]);
    assert_eq!((code, reply.as_str()), (Some(1), "-ERR\n"));
    assert!(why.contains("library.hosts"), "{why}");
    let (code, reply, _) = fs(&["http_get"]);
    assert_eq!(
        (code, reply.as_str()),
        (Some(2), "USAGE: {param=val}<url>\n")
    );
    let (code, reply, _) = fs(&["http_clear_cache"]);
    assert_eq!((code, reply.as_str()), (Some(0), "+OK\n"));
}

#[test]
fn web_page_can_not_say_a_word() {
    let server = Shelf::open().start();
    let request = Request::new("POST", "/api/fs").with("Origin", "http://evil.example");
    server
        .ask_admin(&request.body(b"http_clear_cache"))
        .expect(403);
}

#[test]
fn put_sends_the_file_and_answers_with_the_origins_status() {
    let origin = Origin::start();
    for status in [200_u16, 201, 202, 204, 403, 404, 503] {
        origin.says(&format!("/{status}.wav"), reply(status).body(""));
    }
    let server = readable(&origin).start();
    let put = |file: &Path, name: &str| {
        let line = format!(
            "http_put {{profile=none}}http://media.test/{name} {}",
            file.display()
        );
        say(&server, &line)
    };
    let (full, empty) = (
        server.folder.path("full.wav"),
        server.folder.path("empty.wav"),
    );
    std::fs::write(&full, content(1, 0..300_000)).unwrap();
    std::fs::write(&empty, b"").unwrap();
    for status in [200, 201, 202, 204] {
        let answer = put(&full, &format!("{status}.wav"));
        assert_eq!(answer.body, format!("+OK {status}\n").as_bytes());
        let asked = origin.asked().pop().expect("a request");
        assert_eq!(asked.method, "PUT");
        assert!(asked.is_whole && asked.body == content(1, 0..300_000));
    }
    let answer = put(&empty, "201.wav");
    assert_eq!(answer.body, b"+OK 201\n");
    let asked = origin.asked().pop().expect("a request");
    assert_eq!(asked.field("content-length"), Some("0"));
    for status in [403, 404, 503] {
        let answer = put(&full, &format!("{status}.wav"));
        assert_eq!(answer.body, format!("-ERR {status}\n").as_bytes());
        assert_eq!(answer.needs("hotplate-code"), "origin_status");
        assert_eq!(answer.needs("hotplate-fault"), "origin");
    }
}

#[test]
fn tryget_of_a_remembered_404_says_download() {
    let origin = Origin::start();
    origin.says("/none.wav", reply(404).max_age(600).body(""));
    let server = Shelf::open().start();
    let url = format!("{}/none.wav", origin.url());
    assert_eq!(said(&server, &format!("http_get {url}")), "-ERR\n");
    let tried = said(&server, &format!("http_tryget {url}"));
    assert_eq!(tried, "-ERR download\n");
}

#[test]
fn put_that_no_origin_answers_is_err_zero() {
    let mut origin = Origin::start();
    let server = readable(&origin).start();
    let file = server.folder.path("a.wav");
    std::fs::write(&file, b"abc").unwrap();
    let put = |url: &str, file: &Path| say(&server, &format!("http_put {url} {}", file.display()));
    origin.go_down();
    let answer = put("http://media.test/a.wav", &file);
    assert_eq!(answer.body, b"-ERR 0\n");
    assert_eq!(answer.needs("hotplate-code"), "origin_unreachable");
    let none = server.folder.path("none.wav");
    for (url, file, code) in [
        ("http://media.test/a.wav", &none, "file"),
        ("nonsense", &file, "invalid_url"),
    ] {
        let answer = put(url, file);
        assert_eq!(answer.body, b"-ERR 0\n", "{url}");
        assert_eq!(answer.needs("hotplate-code"), code, "{url}");
    }
}

#[test]
fn put_that_fails_tells_its_cause_in_the_words_of_uploads() {
    let mut origin = Origin::start();
    origin.says("/201.wav", reply(201).body(""));
    let port = origin.url().rsplit(':').next().expect("a port").to_owned();
    let profiles = "[[profile]]\nname = \"fields\"\nkind = \"headers\"\nrequest_headers = [\"X-Key: hidden\"]\n\
                    [[profile]]\nname = \"keyless\"\nkind = \"s3\"\ninstance_role = false\ndomains = [\"keyless.test\"]";
    let shelf = Shelf::plain().site("media.test", &origin, "");
    let server = shelf.with(|mut setup| {
        setup.config.fill.push(format!(
            "[upload]\nfiles = [\"**\"]\nhosts = [\"*\"]\nsize = \"64KiB\"\nqueue = 5\nretry_min = \"1h\"\n{profiles}"
        ));
        setup.config.environment = vec![("HOME".to_owned(), "/nonexistent".to_owned())];
        setup
    });
    let server = server.start();
    let (file, large) = (server.folder.path("a.wav"), server.folder.path("b.wav"));
    std::fs::write(&file, b"abc").unwrap();
    std::fs::write(&large, content(1, 0..100_000)).unwrap();
    let private = format!("http://localhost:{port}/a.wav");
    let put = |url: &str, file: &Path, code: &str, fault: &str| {
        let line = format!("http_put {url} {}", file.display());
        let request = Request::new("POST", "/api/fs").body(line.as_bytes());
        let answer = server.ask_admin(&request);
        assert_eq!(answer.body, b"-ERR 0\n", "{url}");
        assert_eq!(answer.needs("hotplate-code"), code, "{url}");
        assert_eq!(answer.needs("hotplate-fault"), fault, "{url}");
        answer.status
    };
    let media = "http://media.test/a.wav";
    for (url, file, code, fault) in [
        (
            "{profile=fields}http://media.test/a.wav",
            &file,
            "invalid_option",
            "caller",
        ),
        (
            "http://10.0.0.1/a.wav",
            &file,
            "address_not_allowed",
            "caller",
        ),
        (media, &large, "spool_full", "hotplate"),
        (private.as_str(), &file, "address_not_allowed", "caller"),
        (
            "http://keyless.test/a.wav",
            &file,
            "credentials",
            "hotplate",
        ),
        (
            "http://none.invalid/a.wav",
            &file,
            "origin_name_unknown",
            "origin",
        ),
    ] {
        assert_eq!(put(url, file, code, fault), 200);
    }
    origin.go_down();
    for _ in 0..2 {
        put(media, &file, "origin_unreachable", "origin");
    }
    assert_eq!(put(media, &file, "queue_full", "hotplate"), 429);
}

#[test]
fn command_keeps_a_word_with_spaces_together_and_knows_the_current_folder() {
    let origin = Origin::start();
    origin.otherwise(|_| reply(201).body(""));
    let server = readable(&origin).start();
    let name = "it's a \\ call.wav";
    let file = server.folder.path(name);
    std::fs::write(&file, b"abc").unwrap();
    let url = "http://media.test/a.wav";
    let path = file.to_str().expect("UTF-8");
    let admin = server.admin.expect("an admin address").to_string();
    for (options, file) in [
        (&[][..], path),
        (&[], name),
        (&["{refresh=true,", "x='a b'}"], path),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_hotplate"))
            .args(["fs", "--admin", &admin, "http_put"])
            .args(options)
            .args([url, file])
            .current_dir(server.folder.path(""))
            .output()
            .expect("the built binary");
        assert_eq!(output.stdout, b"+OK 201\n", "{file}: {output:?}");
        assert_eq!(output.status.code(), Some(0));
    }
    assert_eq!(origin.asked_for("/a.wav").len(), 3);
    assert!(origin.asked().iter().all(|asked| asked.body == b"abc"));
}

#[test]
fn put_of_what_is_not_read_for_others_is_err_zero_as_of_a_file_that_cannot_be_opened() {
    let origin = Origin::start();
    origin.otherwise(|_| reply(201).body(""));
    let server = Shelf::plain().site("media.test", &origin, "").start();
    let path = server.folder.path("key");
    std::fs::write(&path, b"secret").unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    for (file, code) in [
        (path.to_str().expect("UTF-8"), "file_not_allowed"),
        ("key", "file"),
        ("./../key", "file"),
    ] {
        let answer = say(&server, &format!("http_put http://media.test/a {file}"));
        assert_eq!(answer.body, b"-ERR 0\n", "{file}");
        assert_eq!(answer.needs("hotplate-code"), code, "{file}");
        assert_eq!(answer.needs("hotplate-fault"), "caller", "{file}");
    }
    assert!(origin.asked().is_empty());
}

#[test]
fn cache_status_tells_how_the_cache_handled_it() {
    let mut origin = Origin::start();
    origin.serve("/a.wav", Made::new(1, 5000).max_age(600));
    origin.says("/403.wav", reply(403).body(""));
    let server = Shelf::open().start();
    let url = |name: &str| format!("{}/{name}", origin.url());
    let status = |line: &str| say(&server, line).needs("cache-status").to_owned();
    let [a, forbidden, gone] = ["a.wav", "403.wav", "gone.wav"].map(url);
    let miss = status(&format!("http_get {a}"));
    assert!(miss.starts_with("hotplate; fwd=uri-miss; stored"), "{miss}");
    for line in ["http_get", "http_tryget"] {
        let hit = status(&format!("{line} {a}"));
        assert!(hit.starts_with("hotplate; hit; ttl="), "{line}: {hit}");
    }
    let refused = status(&format!("http_get {forbidden}"));
    assert!(refused.starts_with("hotplate; fwd=uri-miss"), "{refused}");
    let body = serde_json::json!({"url": forbidden});
    let told = crate::shelf::told(crate::shelf::post(&server, "get", &body).expect(502));
    assert_eq!(told["cache_status"], *refused, "{told}");
    origin.go_down();
    let down = status(&format!("http_get {gone}"));
    assert_eq!(down, "hotplate; fwd=miss; detail=origin-unreachable");
    // No origin was to be asked.
    for line in [
        "http_tryget http://other.test/a",
        "http_prefetch http://other.test/a",
    ] {
        assert_eq!(say(&server, line).field("cache-status"), None, "{line}");
    }
}
