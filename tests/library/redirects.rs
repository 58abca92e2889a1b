//! Redirects: followed hop by hop under the same rules, and never further.

use serde_json::json;

use crate::harness::origin::{Made, Origin, Reply, content, reply};
use crate::shelf::{Shelf, bytes, fails, figure, got, post, told, tried};

fn to(status: u16, location: &str) -> Reply {
    reply(status)
        .field("Location", location)
        .body("gone elsewhere")
}

#[test]
fn redirects_of_every_kind_are_followed_to_the_file() {
    let origin = Origin::start();
    origin.serve("/files/a.wav", Made::new(1, 5000).max_age(600));
    let server = Shelf::open().start();
    let url = |name: &str| format!("{}{name}", origin.url());
    for status in [301, 302, 303, 307, 308] {
        let name = format!("/{status}");
        origin.says(&name, to(status, "files/a.wav"));
        let found = got(&server, &url(&name));
        assert_eq!(bytes(&found), content(1, 0..5000), "{status}");
        assert_eq!(found["final_url"], url("/files/a.wav"));
        assert_eq!(found["content_type"], serde_json::Value::Null);
    }
    assert_eq!(origin.asked_for("/files/a.wav").len(), 1);
    assert_eq!(figure(&server, &["library", "redirects"]), 5);
}

#[test]
fn nothing_of_a_hop_goes_into_what_is_stored_of_the_next() {
    let origin = Origin::start();
    let first = to(302, "/b.wav")
        .field("Cache-Control", "max-age=31536000")
        .field("Content-Type", "text/html")
        .field("Set-Cookie", "session=1");
    origin.says("/a", first);
    let second = reply(200).max_age(60).field("Content-Type", "audio/wav");
    origin.says("/b.wav", second.body("RIFF"));
    let server = Shelf::open()
        .line("content_types = [\"audio/wav\"]")
        .start();
    let found = got(&server, &format!("{}/a", origin.url()));
    assert_eq!(found["content_type"], "audio/wav");
    assert!(found["fresh_for_seconds"].as_i64().unwrap() <= 60);
}

#[test]
fn no_credentials_go_to_another_origin() {
    let (one, other) = (Origin::start(), Origin::start());
    other.serve("/b.wav", Made::new(1, 100).max_age(60));
    let there = format!("{}/b.wav", other.url());
    let first = to(302, &there).field("Set-Cookie", "session=secret");
    one.says("/a", first);
    let with_user = there.replace("http://", "http://user:secret@");
    one.says("/user", to(302, &with_user));
    let server = Shelf::open().start();
    got(&server, &format!("{}/a", one.url()));
    let asked = other.asked();
    for name in ["authorization", "cookie", "referer", "proxy-authorization"] {
        assert_eq!(asked[0].field(name), None, "{name}");
    }
    let why = fails(
        &server,
        &format!("{}/user", one.url()),
        (502, "redirect_refused", "origin"),
    );
    assert!(!why.to_string().contains("secret"), "{why}");
    assert_eq!(other.asked().len(), 1);
}

#[test]
fn redirect_to_what_is_not_allowed_is_refused() {
    let (one, other) = (Origin::start(), Origin::start());
    other.serve("/b.wav", Made::new(1, 100).max_age(60));
    let line = format!("hosts = [\"127.0.0.1:{}\"]", one.address().port());
    let server = Shelf::plain().line(&line).start();
    for (name, location) in [
        ("/other", format!("{}/b.wav", other.url())),
        ("/file", "file:///etc/passwd".to_owned()),
        ("/metadata", "http://169.254.169.254/latest/".to_owned()),
        ("/none", String::new()),
    ] {
        let said = match location.as_str() {
            "" => reply(302).field("Location", "\u{e4}").body(""),
            location => to(302, location),
        };
        one.says(name, said);
        let refused = (502, "redirect_refused", "origin");
        fails(&server, &format!("{}{name}", one.url()), refused);
    }
    assert_eq!(other.connections(), 0);
}

#[test]
fn redirect_into_a_private_network_is_refused() {
    let origin = Origin::start();
    origin.serve("/b.wav", Made::new(1, 100).max_age(60));
    let port = origin.address().port();
    origin.says("/a", to(302, &format!("http://localhost:{port}/b.wav")));
    let line = "hosts = [\"127.0.0.1\", \"localhost\"]";
    let server = Shelf::plain().line(line).start();
    let url = format!("{}/a", origin.url());
    fails(&server, &url, (403, "address_not_allowed", "caller"));
    assert!(origin.asked_for("/b.wav").is_empty());
}

#[test]
fn redirects_in_a_circle_end_with_an_error() {
    let origin = Origin::start();
    origin.says("/a", to(301, "/b"));
    origin.says("/b", to(302, "/c"));
    origin.says("/c", to(307, "/a"));
    origin.says("/self", to(302, "/self"));
    let server = Shelf::open().start();
    for name in ["/a", "/self"] {
        let circle = (502, "redirect_loop", "origin");
        fails(&server, &format!("{}{name}", origin.url()), circle);
    }
    assert!(origin.asked().len() <= 4);
}

#[test]
fn more_redirects_than_are_followed_end_with_an_error() {
    let origin = Origin::start();
    origin.otherwise(|asked| {
        let number: u32 = asked.target[1..].parse().unwrap();
        match number {
            0 => reply(200).max_age(60).body("end"),
            _ => to(302, &format!("/{}", number - 1)),
        }
    });
    let server = Shelf::open().line("redirects = 3").start();
    assert_eq!(bytes(&got(&server, &format!("{}/3", origin.url()))), b"end");
    let limit = (502, "redirect_limit", "origin");
    fails(&server, &format!("{}/4", origin.url()), limit);
    let server = Shelf::open().line("redirects = 0").start();
    fails(&server, &format!("{}/1", origin.url()), limit);
}

#[test]
fn stored_redirect_is_followed_without_the_origin() {
    let origin = Origin::start();
    origin.says("/a", to(301, "/b.wav").max_age(600));
    origin.serve("/b.wav", Made::new(1, 100).max_age(600));
    let server = Shelf::open().start();
    let url = format!("{}/a", origin.url());
    got(&server, &url);
    origin.forget();
    got(&server, &url);
    let (status, found) = tried(&server, &url);
    assert_eq!(status, 200);
    assert_eq!(bytes(&found), content(1, 0..100));
    assert!(origin.asked().is_empty());
}

#[test]
fn remove_removes_what_the_url_led_to() {
    let origin = Origin::start();
    origin.says("/a", to(302, "/b.wav"));
    origin.serve("/b.wav", Made::new(1, 100).max_age(600));
    let server = Shelf::open().start();
    let url = |name: &str| format!("{}{name}", origin.url());
    got(&server, &url("/a"));
    let answer = post(&server, "remove", &json!({"url": url("/a")}));
    assert_eq!(told(answer.expect(200))["removed"], 1);
    assert_eq!(tried(&server, &url("/b.wav")).1["code"], "absent");
}

/// An origin with a file behind two redirects that may be stored.
fn stored_trail() -> Origin {
    let origin = Origin::start();
    origin.says("/a", to(301, "/b").max_age(600));
    origin.says("/b", to(302, "c.wav").max_age(600));
    origin.serve("/c.wav", Made::new(1, 100).max_age(600));
    origin
}

#[test]
fn remove_after_a_restart_removes_what_stored_redirects_lead_to() {
    let origin = stored_trail();
    let mut server = Shelf::open().start();
    let url = |name: &str| format!("{}{name}", origin.url());
    got(&server, &url("/a"));
    server.restart();
    let removed = post(&server, "remove", &json!({"url": url("/a")}));
    assert_eq!(told(removed.expect(200))["removed"], 3);
    assert_eq!(tried(&server, &url("/c.wav")).1["code"], "absent");
}

#[test]
fn refresh_of_a_tryget_marks_all_that_the_url_led_to() {
    let origin = stored_trail();
    origin.says("/plain", to(302, "c.wav"));
    let mut server = Shelf::open().start();
    let url = |name: &str| format!("{}{name}", origin.url());
    for name in ["/a", "/plain"] {
        got(&server, &url(name));
    }
    for (name, restarts) in [("/plain", false), ("/a", false), ("/a", true)] {
        if restarts {
            server.restart();
        }
        origin.forget();
        got(&server, &url("/a"));
        assert_eq!(origin.asked().len(), 0, "{name}: all is fresh");
        let marked = post(
            &server,
            "tryget",
            &json!({"url": url(name), "refresh": true}),
        );
        assert_eq!(told(marked.expect(404))["code"], "stale");
        got(&server, &url(name));
        let asked = origin.asked_for("/c.wav");
        assert_eq!(asked.len(), 1, "{name}");
        assert!(asked[0].field("if-none-match").is_some(), "{name}");
    }
}

#[test]
fn redirect_from_a_site_to_an_allowed_host_has_its_own_origin_and_key() {
    let (site, cdn) = (Origin::start(), Origin::start());
    let there = format!("{}/x.wav?sig=1", cdn.url());
    site.says("/a.wav", to(302, &there));
    cdn.serve("/x.wav", Made::new(1, 100).max_age(600));
    let server = Shelf::open()
        .line("strip_query = [\"sig\"]")
        .site("media.test", &site, "")
        .start();
    let found = got(&server, "http://media.test/a.wav");
    assert_eq!(found["final_url"], there.as_str());
    assert_eq!(
        cdn.asked()[0].field("host"),
        Some(&*cdn.address().to_string())
    );
    site.says("/a.wav", to(302, &there.replace("sig=1", "sig=2")));
    got(&server, "http://media.test/a.wav");
    assert_eq!(cdn.asked().len(), 1);
    // Removed by the key that the library's rules make.
    let body = json!({"url": there.replace("sig=1", "sig=3")});
    let answer = post(&server, "remove", &body);
    assert_eq!(told(answer.expect(200))["removed"], 1);
    got(&server, "http://media.test/a.wav");
    assert_eq!(cdn.asked().len(), 2);
}
