//! Which hosts may be fetched, which addresses may be connected to, and which media types are handed out.

use serde_json::json;

use crate::harness::origin::{Made, Origin, content, reply};
use crate::harness::{Request, eventually};
use crate::shelf::{SOON, Shelf, bytes, fails, got, post, told};

const NOT_ALLOWED: (u16, &str, &str) = (403, "host_not_allowed", "caller");

#[test]
fn nothing_may_be_fetched_that_neither_a_site_nor_hosts_names() {
    let origin = Origin::start();
    let server = Shelf::plain().site("media.test", &origin, "").start();
    let why = fails(&server, &format!("{}/a", origin.url()), NOT_ALLOWED);
    assert!(
        why["error"].as_str().unwrap().contains("library.hosts"),
        "{why}"
    );
    for url in [
        "http://other.test/a",
        "http://media.test.evil.example/",
        "http://[::1]/",
    ] {
        fails(&server, url, NOT_ALLOWED);
    }
    for url in [
        "file:///etc/passwd",
        "ftp://media.test/a",
        "media.test/a",
        "http://u:p@media.test/",
    ] {
        fails(&server, url, (400, "invalid_url", "caller"));
    }
    assert!(origin.asked().is_empty());
}

#[test]
fn host_may_be_allowed_at_one_port() {
    let (one, other) = (Origin::start(), Origin::start());
    one.serve("/a.wav", Made::new(1, 10).max_age(60));
    let line = format!("hosts = [\"127.0.0.1:{}\"]", one.address().port());
    let server = Shelf::plain().line(&line).start();
    got(&server, &format!("{}/a.wav", one.url()));
    fails(&server, &format!("{}/a.wav", other.url()), NOT_ALLOWED);
}

#[test]
fn private_addresses_are_refused_after_the_look_up_unless_allowed() {
    let origin = Origin::start();
    origin.serve("/a.wav", Made::new(1, 10).max_age(60));
    let port = origin.address().port();
    let refused = (403, "address_not_allowed", "caller");
    for hosts in ["\"localhost\"", "\"*\""] {
        let server = Shelf::plain().line(&format!("hosts = [{hosts}]")).start();
        let why = fails(&server, &format!("http://localhost:{port}/a.wav"), refused);
        assert!(
            why["error"].as_str().unwrap().contains("allow_private"),
            "{why}"
        );
        if hosts == "\"*\"" {
            for host in ["127.0.0.1", "[::ffff:127.0.0.1]", "127.1"] {
                fails(&server, &format!("http://{host}:{port}/a.wav"), refused);
            }
        }
    }
    assert_eq!(origin.connections(), 0);
    let server = Shelf::plain()
        .line("hosts = [\"localhost\"]")
        .line("allow_private = true")
        .start();
    got(&server, &format!("http://localhost:{port}/a.wav"));
}

#[test]
fn name_without_an_address_is_told() {
    let server = Shelf::plain().line("hosts = [\"*.invalid\"]").start();
    let unknown = (502, "origin_name_unknown", "origin");
    fails(&server, "http://no-such-host.invalid/a.wav", unknown);
}

#[test]
fn other_media_types_are_refused_such_as_a_login_page() {
    let origin = Origin::start();
    let page = reply(200)
        .max_age(600)
        .field("Content-Type", "text/html; charset=utf-8");
    origin.says("/a.wav", page.body("<form>"));
    let wave = reply(200).max_age(600).field("Content-Type", "Audio/X-WAV");
    origin.says("/b.wav", wave.body("RIFF"));
    let server = Shelf::open().line("content_types = [\"audio/*\"]").start();
    let why = fails(
        &server,
        &format!("{}/a.wav", origin.url()),
        (502, "content_type", "origin"),
    );
    assert!(
        why["error"].as_str().unwrap().contains("text/html"),
        "{why}"
    );
    let found = got(&server, &format!("{}/b.wav", origin.url()));
    assert_eq!(found["content_type"], "Audio/X-WAV");
}

#[test]
fn coded_content_that_nobody_asked_for_is_refused() {
    let origin = Origin::start();
    let coded = reply(200).max_age(600).field("Content-Encoding", "gzip");
    origin.says("/a.wav", coded.body("zipped"));
    let server = Shelf::open().start();
    let url = format!("{}/a.wav", origin.url());
    fails(&server, &url, (502, "content_coding", "origin"));
    assert_eq!(origin.asked()[0].field("accept-encoding"), None);
}

#[test]
fn reload_changes_what_is_allowed() {
    let origin = Origin::start();
    origin.serve("/a.wav", Made::new(1, 10).max_age(60));
    let url = format!("{}/a.wav", origin.url());
    let mut server = Shelf::plain().start();
    fails(&server, &url, NOT_ALLOWED);
    server.config.library = vec!["hosts = [\"127.0.0.1\"]".to_owned()];
    server.reload();
    eventually(SOON, "the host is allowed", || {
        post(&server, "get", &json!({"url": url})).status == 200
    });
    assert_eq!(bytes(&got(&server, &url)).len(), 10);
}

#[test]
fn server_without_a_disk_store_hands_out_no_paths() {
    let origin = Origin::start();
    origin.serve("/a.wav", Made::new(1, 10).max_age(60));
    let server = Shelf::plain()
        .site("media.test", &origin, "")
        .with(|mut setup| {
            setup.config.disk.clear();
            setup
        })
        .start();
    let answer = post(&server, "get", &json!({"url": "http://media.test/a.wav"}));
    let value = told(answer.expect(503));
    assert_eq!(
        (&value["code"], &value["fault"]),
        (&json!("no_disk"), &json!("hotplate"))
    );
}

/// R: a site for all hosts answers whatever host a client says it means, and stored its answer under the key by which the
/// library looked for that very host's.
#[test]
fn clients_of_a_site_for_all_hosts_and_the_library_never_get_each_others_bytes() {
    let (site, own) = (Origin::start(), Origin::start());
    site.serve("/a.wav", Made::new(1, 100).max_age(60));
    own.serve("/a.wav", Made::new(2, 100).max_age(60));
    site.serve("/b.wav", Made::new(3, 100).max_age(60));
    own.serve("/b.wav", Made::new(4, 100).max_age(60));
    let server = Shelf::open().site("", &site, "").start();
    let host = own.address().to_string();
    let client = |path: &str| {
        let request = Request::new("GET", path).host(&host);
        server.connect().fetch(&request).expect(200).body.clone()
    };
    // The client comes first, then the library, and the other way round.
    assert_eq!(client("/a.wav"), content(1, 0..100));
    let file = got(&server, &format!("{}/a.wav", own.url()));
    assert_eq!(bytes(&file), content(2, 0..100));
    let file = got(&server, &format!("{}/b.wav", own.url()));
    assert_eq!(bytes(&file), content(4, 0..100));
    assert_eq!(client("/b.wav"), content(3, 0..100));
    assert_eq!((site.asked().len(), own.asked().len()), (2, 2));
}
