//! Private buckets as sites' origins: read with signatures that a server verifies, refused with wrong ones, and never given to
//! who did not name the profile.

use std::time::Duration;

use crate::harness::origin::{Origin, reply};
use crate::harness::{Driver, Request, Server, Setup, eventually, get, head, pattern};
use crate::parts::{ACCOUNT_KEY, Azurite, Moto};

/// Names with everything that has to be encoded once, as clients send them.
const NAMES: [&str; 5] = [
    "plain.wav",
    "a%20b.wav",
    "c%2Bd%3De%26f.wav",
    "100%25/g%3Fh.wav",
    "%C3%BC%E2%82%AC.wav",
];

const SIZE: usize = 300_000;

fn objects() -> Vec<(&'static str, Vec<u8>)> {
    let seeds = 1_u64..;
    NAMES
        .into_iter()
        .zip(seeds.map(|seed| pattern(SIZE, seed)))
        .collect()
}

fn borrowed<'o>(objects: &'o [(&'static str, Vec<u8>)]) -> Vec<(&'static str, &'o [u8])> {
    let objects = objects.iter();
    objects
        .map(|(name, body)| (*name, body.as_slice()))
        .collect()
}

fn site(hosts: &[&str], origin: &str, profile: &str) -> String {
    format!("hosts = {hosts:?}\norigin = {origin:?}\nprofile = {profile:?}")
}

/// Everything that a server says about itself has none of the secrets in it.
#[track_caller]
fn shows_none_of(server: &Server, secrets: &[&str]) {
    let url = "http%3A%2F%2Fmedia.example%2Fplain.wav";
    let mut shown = server.output();
    for target in [
        "/metrics".to_owned(),
        "/api/stats".to_owned(),
        "/api/cache/ls".to_owned(),
        format!("/api/explain?url={url}"),
        format!("/api/explain?url={url}&format=text"),
    ] {
        let answer = server.ask_admin(&get(&target));
        shown.push_str(&String::from_utf8_lossy(&answer.body));
    }
    for secret in secrets {
        assert!(!shown.contains(secret), "{secret} in\n{shown}");
    }
}

/// Reads every object whole, by HEAD and in part, then from the cache.
fn reads_everything(server: &Server, objects: &[(&str, Vec<u8>)]) {
    for (name, body) in objects {
        let path = format!("/{name}");
        let part = get(&path)
            .host("media.example")
            .with("Range", "bytes=70000-70099");
        server
            .ask(&part)
            .expect(206)
            .expect_body(&body[70_000..70_100]);
        let asked = head(&path).host("media.example");
        let length = server
            .ask(&asked)
            .expect(200)
            .needs("content-length")
            .to_owned();
        assert_eq!(length, SIZE.to_string());
        let whole = get(&path).host("media.example");
        server.ask(&whole).expect(200).expect_body(body);
        let queried = get(&format!("{path}?acl&x=1")).host("media.example");
        server.ask(&queried).expect(200).expect_body(body);
    }
}

#[test]
fn s3_bucket_is_read_with_signatures_that_are_verified() {
    let objects = objects();
    let Some(moto) = Moto::start(&borrowed(&objects)) else {
        return;
    };
    let mut setup = Setup::new().disk(&["size = \"64MiB\""]);
    let sites = &mut setup.config.sites;
    sites.push(site(&["media.example"], &moto.url(), "bucket"));
    // The same bucket by its host's name, and by an endpoint with the bucket in the path.
    let named = "http://calls.s3.example";
    sites.push(site(&["endpoint.example"], named, "endpoint"));
    sites.push(site(&["wrong.example"], &moto.url(), "wrong"));
    let plain = format!("hosts = [\"open.example\"]\norigin = {:?}", moto.url());
    let endpoint = format!(
        "domains = [\"*.s3.example\"]\npath_style = true\nendpoint = \"http://{}\"",
        moto.address
    );
    let wrong = moto
        .profile("wrong", "")
        .replace(&moto.secret_access_key, "wrongwrongwrong");
    let profiles = [
        moto.profile("bucket", ""),
        moto.profile("endpoint", &endpoint),
        wrong,
    ];
    sites.push(plain + &profiles.concat());
    let server = setup.start(Driver::Epoll);
    reads_everything(&server, &objects);
    let body = &objects[0].1;
    let asked = get("/plain.wav").host("endpoint.example");
    server.ask(&asked).expect(200).expect_body(body);
    // Without the profile, nobody gets what is cached for those who have it.
    let asked = get("/plain.wav").host("open.example");
    let answer = server.ask(&asked);
    assert_ne!(answer.status, 200);
    // A wrong key is refused, told in the log, and the refusal, which repeats what was signed, goes to nobody.
    let answer = server.ask(&get("/plain.wav").host("wrong.example"));
    answer.expect(502);
    eventually(
        Duration::from_secs(5),
        "the log tells of the wrong key",
        || {
            server
                .output()
                .contains("profile \"wrong\": the origin refuses the signature")
        },
    );
    // Clients' own methods and the bucket itself are not signed.
    for request in [
        Request::new("PUT", "/plain.wav").body(b"mine"),
        Request::new("DELETE", "/plain.wav"),
        get("/"),
        get("/?list-type=2"),
    ] {
        let answer = server.ask(&request.host("media.example"));
        assert!(answer.status >= 400, "{}", answer.status);
    }
    let whole = get("/plain.wav")
        .host("media.example")
        .with("Cache-Control", "no-cache");
    server.ask(&whole).expect(200).expect_body(body);
    shows_none_of(&server, &[&moto.secret_access_key, "wrongwrongwrong"]);
    let key = server.ask_admin(&get("/api/cache/ls?prefix=http%3A%2F%2Fmedia.example%2F"));
    drop(key);
    let explained = server.ask_admin(&get(
        "/api/explain?url=http%3A%2F%2Fmedia.example%2Fplain.wav",
    ));
    let explained = String::from_utf8_lossy(&explained.body).into_owned();
    assert!(
        explained.contains("{bucket}http://media.example/plain.wav"),
        "{explained}"
    );
}

#[test]
fn azure_container_is_read_with_signatures_that_are_verified() {
    let objects = objects();
    let Some(azurite) = Azurite::start(&borrowed(&objects)) else {
        return;
    };
    let mut setup = Setup::new().disk(&["size = \"64MiB\""]);
    let sites = &mut setup.config.sites;
    sites.push(site(&["media.example"], &azurite.url(), "blobs"));
    let named = "http://devstoreaccount1.blob.example/calls";
    sites.push(site(&["endpoint.example"], named, "endpoint"));
    let endpoint = format!(
        "domains = [\"*.blob.example\"]\npath_style = true\nendpoint = \"http://{}\"",
        azurite.address
    );
    let wrong = azurite
        .profile("wrong", "")
        .replace(ACCOUNT_KEY, "d3Jvbmdrd3Jvbmdr");
    let last = site(&["wrong.example"], &azurite.url(), "wrong");
    let profiles = [
        azurite.profile("blobs", ""),
        azurite.profile("endpoint", &endpoint),
        wrong,
    ];
    sites.push(last + &profiles.concat());
    let server = setup.start(Driver::Epoll);
    reads_everything(&server, &objects);
    let asked = get("/plain.wav").host("endpoint.example");
    server.ask(&asked).expect(200).expect_body(&objects[0].1);
    // Azurite's word for a wrong key is the service's for a lack of rights, which is the client's to see.
    let asked = head("/plain.wav").host("wrong.example");
    server.ask(&asked).expect(403);
    shows_none_of(&server, &[ACCOUNT_KEY, "d3Jvbmdrd3Jvbmdr"]);
}

/// A server before a scripted origin, with profiles.
fn before(origin: &Origin, profiles: &str) -> Server {
    let mut setup = Setup::new();
    let site = site(&[], &format!("{}/b", origin.url()), "it");
    setup.config.sites.push(format!("{site}\n{profiles}"));
    setup.start(Driver::Epoll)
}

#[test]
fn fixed_fields_take_the_place_of_the_clients() {
    let origin = Origin::start();
    origin.otherwise(|_| reply(200).max_age(60).body("ours"));
    let server = before(
        &origin,
        "[[profile]]\nname = \"it\"\nkind = \"headers\"\nrequest_headers = [\"Authorization: Bearer hidden-token\", \
         \"X-Tenant: one\"]",
    );
    server
        .ask(&get("/a?b=c").with("X-Tenant", "two"))
        .expect(200);
    let asked = origin.await_asked(1);
    assert_eq!(asked[0].lines("authorization"), ["Bearer hidden-token"]);
    assert_eq!(asked[0].lines("x-tenant"), ["one"]);
    assert_eq!(asked[0].target, "/b/a?b=c");
    // What the client may change goes on as the client's.
    server.ask(
        &Request::new("POST", "/a")
            .with("Authorization", "mine")
            .body(b"x"),
    );
    let asked = origin.await_asked(2);
    assert_eq!(asked[1].lines("authorization"), ["mine"]);
    shows_none_of(&server, &["hidden-token"]);
}

#[test]
fn clock_and_session_are_told_from_refusals() {
    let origin = Origin::start();
    let error = |code: &str| format!("<Error><Code>{code}</Code></Error>");
    let skewed = reply(403)
        .undated()
        .field("Date", "Sun, 06 Nov 1994 08:49:37 GMT")
        .body(error("RequestTimeTooSkewed"));
    origin.says("/b/skewed", skewed);
    let server = before(
        &origin,
        "[[profile]]\nname = \"it\"\nkind = \"s3\"\naccess_key_id = \"AKID\"\nsecret_access_key = \"hidden-key\"\n\
         session_token = \"hidden-session\"",
    );
    server.ask(&get("/skewed")).expect(502);
    eventually(Duration::from_secs(5), "the log tells of the clock", || {
        let output = server.output();
        output.contains("the clock of this machine is") && output.contains("ahead of the origin's")
    });
    let asked = origin.await_asked(1);
    assert_eq!(
        asked[0].field("x-amz-security-token"),
        Some("hidden-session")
    );
    // What is about the object and not the credentials is the client's to see.
    origin.says("/b/denied", reply(403).body(error("AccessDenied")));
    server.ask(&get("/denied")).expect(403);
    origin.says("/b/expired", reply(400).body(error("ExpiredToken")));
    server.ask(&get("/expired")).expect(502);
    shows_none_of(&server, &["hidden-key", "hidden-session"]);
}

#[test]
fn each_attempt_is_signed_anew_and_in_its_own_name() {
    let origin = Origin::start();
    origin.queue("/b/a", [reply(200).max_age(60).body("a").close()]);
    origin.otherwise(|_| reply(200).max_age(60).body("b"));
    let server = before(
        &origin,
        "[[profile]]\nname = \"it\"\nkind = \"s3\"\naccess_key_id = \"AKID\"\nsecret_access_key = \"key\"",
    );
    server
        .ask(
            &get("/a")
                .host("client.example")
                .with("X-Amz-Acl", "public-read"),
        )
        .expect(200);
    let asked = origin.await_asked(1);
    let address = origin.address().to_string();
    assert_eq!(asked[0].lines("host"), [address.as_str()]);
    assert!(asked[0].lines("x-amz-acl").is_empty());
    let line = asked[0].field("authorization").unwrap_or_default();
    let signed = "SignedHeaders=host;x-amz-content-sha256;x-amz-date,";
    assert!(line.contains(signed), "{line}");
}

#[test]
fn bucket_in_the_path_is_never_listed_with_credentials() {
    let origin = Origin::start();
    origin.otherwise(|_| reply(200).max_age(60).body("ours"));
    let mut setup = Setup::new();
    let site = site(&[], &origin.url(), "it");
    let profile = "[[profile]]\nname = \"it\"\nkind = \"s3\"\naccess_key_id = \"AKID\"\nsecret_access_key = \"key\"";
    setup.config.sites.push(format!("{site}\n{profile}"));
    let server = setup.start(Driver::Epoll);
    for (target, is_signed) in [
        ("/recordings", false),
        ("/recordings/", false),
        ("/recordings?list-type=2", false),
        ("/", false),
        ("/recordings/a.wav", true),
    ] {
        let before = origin.asked().len();
        server.ask(&get(target)).expect(200);
        let asked = origin.await_asked(before + 1);
        let shown = asked[before].field("authorization");
        assert_eq!(shown.is_some(), is_signed, "{target}");
    }
}

#[test]
fn renamed_profile_shares_nothing_with_its_old_name() {
    let origin = Origin::start();
    origin.otherwise(|_| reply(200).max_age(600).body("secret of one"));
    let profile = |name: &str, value: &str| {
        format!(
            "[[profile]]\nname = {name:?}\nkind = \"headers\"\nrequest_headers = [\"X-Key: {value}\"]"
        )
    };
    let text = |name: &str, value: &str| {
        format!(
            "{}\n{}",
            site(&[], &origin.url(), name),
            profile(name, value)
        )
    };
    let mut setup = Setup::new();
    setup.config.sites.push(text("one", "1"));
    let server = setup.start(Driver::Epoll);
    server.get("/a").expect(200);
    server.get("/a").expect(200);
    origin.await_asked(1);
    let mut config = server.config.clone();
    config.sites = vec![text("two", "2")];
    server.reload_text(&config.text(server.driver));
    eventually(Duration::from_secs(10), "the other profile asks", || {
        server.get("/a").expect(200);
        let asked = origin.asked();
        asked.len() == 2 && asked[1].field("x-key") == Some("2")
    });
    // A new key under the same name is used at once; what is stored under the name stays.
    config.sites = vec![text("two", "3")];
    server.reload_text(&config.text(server.driver));
    eventually(Duration::from_secs(10), "the new key is used", || {
        server.get("/b?fresh").expect(200);
        let purge = Request::new("POST", "/api/purge").body(b"{\"all\": true}");
        server
            .ask_admin(&purge.with("Content-Type", "application/json"))
            .expect(200);
        origin
            .asked()
            .last()
            .and_then(|asked| asked.field("x-key").map(str::to_owned))
            == Some("3".to_owned())
    });
}
