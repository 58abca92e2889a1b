//! Redirects of uploads: a redirect is the word of an origin, so it picks no credentials, and what it says is below that
//! origin's own root.

use crate::harness::origin::{Origin, Reply, reply};
use crate::harness::{Driver, Request, Server, Setup, get};
use crate::queue::{HOST, assert_why, before, json, put, said, setup, status, url};

fn moved(to: &str) -> Reply {
    reply(307).field("Location", to).body("")
}

fn taking() -> Origin {
    let origin = Origin::start();
    origin.otherwise(|_| said(201));
    origin
}

/// An origin's authority under a name: another host than its address.
fn named(origin: &Origin) -> String {
    format!("localhost:{}", origin.address().port())
}

#[test]
fn redirect_picks_no_credentials_for_a_bucket_of_ours() {
    let (origin, bucket, blobs) = (Origin::start(), taking(), taking());
    origin.says("/a", moved(&format!("http://{}/victim", named(&bucket))));
    origin.says("/b", moved(&format!("http://{HOST}/victim")));
    let mut setup = Setup::new().disk(&["size = \"64MiB\""]);
    let profile = |name: &str, domains: &str| {
        format!(
            "[[profile]]\nname = {name:?}\nkind = \"s3\"\ndomains = [{domains}]\naccess_key_id = \"AK\"\n\
             secret_access_key = \"hidden\"\n"
        )
    };
    setup.config.sites.push(format!(
        "hosts = [{HOST:?}]\norigin = {:?}\nprofile = \"of-site\"\n[upload]\nhosts = [{:?}]\n{}{}",
        blobs.url(),
        origin.address().to_string(),
        profile("of-host", &format!("{:?}", named(&bucket))),
        profile("of-site", ""),
    ));
    let server = setup.start(Driver::Epoll);
    for (path, receiver) in [("/a", &bucket), ("/b", &blobs)] {
        let url = format!("{}{path}", origin.url());
        put(&server, &url, "&wait=true", b"theirs").expect(200);
        let asked = receiver.await_asked(1);
        assert_eq!(asked[0].field("authorization"), None, "{path}");
        assert_eq!(asked[0].target, "/victim");
    }
    // Who asks for it himself gets the profile of the host.
    let own = format!("http://{}/own", named(&bucket));
    put(&server, &own, "&wait=true", b"ours").expect(200);
    let asked = bucket.await_asked(2);
    assert!(asked[1].field("authorization").is_some());
}

#[test]
fn profile_of_the_first_url_goes_on_to_its_own_hosts_alone() {
    let (first, second, third) = (Origin::start(), Origin::start(), Origin::start());
    first.says("/a", moved(&format!("http://{}/b", named(&second))));
    second.says("/b", moved(&format!("{}/c", third.url())));
    third.says("/c", moved(&format!("{}/d", first.url())));
    first.says("/d", said(201));
    let mut setup = setup(
        &first.url(),
        &format!("hosts = [{:?}]", third.address().to_string()),
    );
    let site = setup.config.sites.remove(0);
    let site = site.replacen("\n\n[upload]", "\nprofile = \"token\"\n\n[upload]", 1);
    setup.config.sites.push(format!(
        "{site}\n[[profile]]\nname = \"token\"\nkind = \"headers\"\ndomains = [{:?}]\n\
         request_headers = [\"Authorization: hidden\"]",
        named(&second)
    ));
    let server = setup.start(Driver::Epoll);
    put(&server, &url("/a"), "&wait=true", b"moved").expect(200);
    let shown = |origin: &Origin, path: &str| {
        let asked = origin.asked_for(path);
        assert_eq!(asked[0].body, b"moved");
        asked[0].field("authorization").map(str::to_owned)
    };
    let hidden = Some("hidden".to_owned());
    assert_eq!(shown(&first, "/a"), hidden);
    assert_eq!(shown(&second, "/b"), hidden);
    assert_eq!(shown(&third, "/c"), None);
    // It was asked with them to begin with.
    assert_eq!(shown(&first, "/d"), hidden);
    assert!(!server.output().contains("hidden"));
}

fn cache_status(server: &Server, path: &str) -> String {
    let answer = server.ask(&get(path).host(HOST));
    answer.expect(200);
    answer.needs("cache-status").to_owned()
}

#[test]
fn redirect_below_a_base_is_sent_there_once_and_invalidates_what_clients_ask_for() {
    let origin = Origin::start();
    let there = |method: &str| match method {
        "PUT" => said(201),
        _ => reply(200).max_age(600).field("ETag", "\"1\"").body("old"),
    };
    for path in ["/base/relative", "/base/own", "/base/public"] {
        let to = match path {
            "/base/relative" => "/base/there".to_owned(),
            "/base/own" => format!("{}/base/there", origin.url()),
            _ => format!("http://{HOST}/base/there"),
        };
        origin.says(path, moved(&to));
    }
    origin.says("/base/out", moved("/elsewhere/there"));
    origin.on("/base/there", move |asked| there(&asked.method));
    origin.says("/elsewhere/there", said(201));
    let server = before(&format!("{}/base", origin.url()), "");
    for path in ["/relative", "/own", "/public"] {
        let purge = Request::new("POST", "/api/purge").body(b"{\"all\": true}");
        let purge = purge.with("Content-Type", "application/json");
        server.ask_admin(&purge).expect(200);
        cache_status(&server, "/there");
        let hit = cache_status(&server, "/there");
        assert!(hit.contains("hit"), "{path}: {hit}");
        let answer = put(&server, &url(path), "&wait=true", b"moved");
        assert_eq!(
            (answer.status, &json(&answer)["status"]),
            (200, &201.into())
        );
        let last = origin.asked().pop().expect("a request");
        assert_eq!((last.target.as_str(), last.is_whole), ("/base/there", true));
        let after = cache_status(&server, "/there");
        assert!(after.contains("fwd=stale"), "{path}: {after}");
    }
    put(&server, &url("/out"), "&wait=true", b"moved").expect(200);
    let last = origin.asked().pop().expect("a request");
    assert_eq!(last.target, "/elsewhere/there");
}

#[test]
fn redirect_that_is_not_followed_is_told_as_the_origins_fault() {
    let (origin, other) = (Origin::start(), taking());
    let elsewhere = format!("{}/x", other.url());
    for (path, to) in [
        ("/other", elsewhere.as_str()),
        (
            "/user",
            &elsewhere.replacen("http://", "http://user:hidden@", 1),
        ),
        ("/ftp", "ftp://127.0.0.1/x"),
        ("/metadata", "http://169.254.169.254/latest"),
        ("/nowhere", ""),
    ] {
        origin.says(path, moved(to));
    }
    origin.says("/circle", moved("/circle"));
    let server = before(&origin.url(), "");
    let wait = |path: &str| put(&server, &url(path), "&wait=true", b"moved");
    let mut id = 0;
    for path in ["/other", "/user", "/ftp", "/metadata", "/nowhere"] {
        let refused = wait(path);
        assert_why(&refused, 502, ("redirect_refused", "origin"));
        assert_eq!(json(&refused)["state"], "given-up");
        assert!(!json(&refused).to_string().contains("hidden"));
        id = json(&refused)["id"].as_u64().expect("a number");
    }
    assert_why(&wait("/circle"), 502, ("redirect_limit", "origin"));
    assert_eq!(origin.asked_for("/circle").len(), 6);
    // It is listed so, too.
    let listed = status(&server, id);
    assert_eq!(listed["code"], "redirect_refused");
    assert_eq!(listed["fault"], "origin");
    // A redirect that would change the method is an answer like others.
    origin.says("/get", reply(303).field("Location", "/there").body(""));
    let answered = wait("/get");
    assert_why(&answered, 502, ("origin_status", "origin"));
    assert_eq!(json(&answered)["status"], 303);
    assert!(other.asked().is_empty());
}
