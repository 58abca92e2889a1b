//! Purges by the operator: they mean what the library fetched, by its own rules and with whatever credentials.

use serde_json::{Value, json};

use crate::harness::origin::{Made, Origin};
use crate::harness::{Request, Server, eventually};
use crate::shelf::{SOON, Shelf, got, got_with, post, told, tried};

const PROFILE: &str =
    "name = \"bucket\"\nkind = \"s3\"\naccess_key_id = \"AKID\"\nsecret_access_key = \"key\"";

fn purge(server: &Server, meant: &Value) -> Value {
    let request = Request::new("POST", "/api/purge").body(meant.to_string().as_bytes());
    told(server.ask_admin(&request).expect(200))
}

#[test]
fn purge_by_url_knows_the_keys_of_the_library() {
    let origin = Origin::start();
    origin.otherwise(|asked| Made::new(1, 1000).max_age(600).reply(asked));
    let server = Shelf::open().line("strip_query = [\"sig\"]").start();
    let url = |query: &str| format!("{}/a.wav?{query}", origin.url());
    got(&server, &url("b=1&sig=2"));
    for (dry_run, soft) in [(true, false), (false, true), (false, false)] {
        let meant = json!({"url": url("sig=3&b=1"), "dry_run": dry_run, "soft": soft});
        let purged = purge(&server, &meant);
        assert_eq!(purged["purged"], 1, "{purged}");
        let (status, found) = tried(&server, &url("b=1"));
        let expected = match (dry_run, soft) {
            (true, _) => (200, Value::Null),
            (false, true) => (404, json!("stale")),
            (false, false) => (404, json!("absent")),
        };
        assert_eq!((status, found["code"].clone()), expected);
    }
    got(&server, &url("b=1"));
    let below = json!({"prefix": format!("{}/a", origin.url())});
    assert_eq!(purge(&server, &below)["purged"], 1);
    assert_eq!(tried(&server, &url("b=1")).1["code"], "absent");
    let with_query = json!({"prefix": url("b")});
    let request = Request::new("POST", "/api/purge").body(with_query.to_string().as_bytes());
    let refused = server.ask_admin(&request);
    let why = told(refused.expect(400)).to_string();
    assert!(why.contains("[library]"), "{why}");
}

/// A server with something that a profile brought, whose config no longer has that profile.
fn without_its_profile(origin: &Origin, restarts: bool) -> (Server, String) {
    origin.serve("/b/a.wav", Made::new(1, 1000).max_age(600));
    let mut shelf = Shelf::open();
    shelf.setup.config.profiles = vec![PROFILE.to_owned()];
    let mut server = shelf.start();
    // What is stored in another scope does not hide this one.
    origin.serve("/b/other.wav", Made::new(2, 1000).max_age(600));
    for name in ["other.wav", "other.wav?x"] {
        got(&server, &format!("{}/b/{name}", origin.url()));
    }
    let url = format!("{}/b/a.wav", origin.url());
    got_with(&server, &url, json!({"profile": "bucket"}));
    server.config.profiles.clear();
    if restarts {
        server.restart();
    } else {
        server.reload();
        eventually(SOON, "the profile is gone", || {
            let named = json!({"url": url, "profile": "bucket"});
            post(&server, "tryget", &named).status == 400
        });
    }
    (server, url)
}

#[test]
fn purge_by_url_finds_what_a_profile_brought_that_the_config_no_longer_has() {
    for restarts in [false, true] {
        let origin = Origin::start();
        let (server, url) = without_its_profile(&origin, restarts);
        let purged = purge(&server, &json!({"url": url}));
        assert_eq!(purged["purged"], 1, "{restarts}: {purged}");
        assert_eq!(purge(&server, &json!({"url": url}))["purged"], 0);
    }
}

#[test]
fn remove_finds_what_a_profile_brought_that_the_config_no_longer_has() {
    for restarts in [false, true] {
        let origin = Origin::start();
        let (server, url) = without_its_profile(&origin, restarts);
        let removed = post(&server, "remove", &json!({"url": url}));
        assert_eq!(told(removed.expect(200))["removed"], 1, "{restarts}");
    }
}
