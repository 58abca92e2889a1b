//! Credentials: shown to the hosts that they are for, or where they are named, and what they brought is nobody else's.

use serde_json::json;

use crate::harness::origin::{Made, Origin, reply};
use crate::harness::{Request, Server};
use crate::shelf::{Shelf, bytes, got, got_with, post, told, tried};

const TOKEN: &str = "Bearer s3cret";

/// An origin that answers with its content to those alone who show the token.
fn private(seed: u64) -> Origin {
    let origin = Origin::start();
    let made = Made::new(seed, 1000).field("Cache-Control", "public, max-age=600");
    origin.otherwise(move |asked| match asked.field("authorization") {
        Some(TOKEN) => made.reply(asked),
        _ => reply(401).end(),
    });
    origin
}

fn server(domains: &str) -> Server {
    let mut shelf = Shelf::open();
    let profile = format!(
        "name = \"bucket\"\nkind = \"headers\"\ndomains = [{domains}]\nrequest_headers = [\"Authorization: {TOKEN}\"]"
    );
    shelf.setup.config.profiles = vec![profile];
    shelf.start()
}

/// An origin that answers with its content to those alone who sign; redirects are said to all.
fn signed(seed: u64) -> Origin {
    let origin = Origin::start();
    let made = Made::new(seed, 1000).field("Cache-Control", "public, max-age=600");
    origin.otherwise(move |asked| match asked.field("authorization") {
        Some(line) if line.starts_with("AWS4-HMAC-SHA256 ") => made.reply(asked),
        _ => reply(401).end(),
    });
    origin
}

/// A profile whose signatures are for the host that they are made for.
const SIGNING: &str =
    "name = \"bucket\"\nkind = \"s3\"\naccess_key_id = \"AKID\"\nsecret_access_key = \"key\"";

fn signing_server() -> Server {
    let mut shelf = Shelf::open();
    shelf.setup.config.profiles = vec![SIGNING.to_owned()];
    shelf.start()
}

fn away(origin: &Origin, name: &str, to: &Origin, path: &str) {
    let location = format!("{}{path}", to.url());
    origin.says(name, reply(302).field("Location", &location).end());
}

#[test]
fn profile_of_the_host_is_used_without_being_named_and_goes_nowhere_else() {
    let (origin, other) = (private(1), Origin::start());
    other.serve("/b.wav", Made::new(2, 100).max_age(600));
    away(&origin, "/away", &other, "/b.wav");
    let server = server(&format!("\"{}\"", origin.address()));
    let found = got(&server, &format!("{}/a.wav", origin.url()));
    assert_eq!(bytes(&found), Made::new(1, 1000).body());
    got(&server, &format!("{}/away", origin.url()));
    assert_eq!(other.asked()[0].field("authorization"), None);
}

#[test]
fn redirect_picks_no_profile_and_goes_on_with_the_first_one_to_its_hosts() {
    let (public, one, two) = (Origin::start(), private(1), private(2));
    let domains = format!("\"{}\", \"{}\"", one.address(), two.address());
    let server = server(&domains);
    // Nobody named the profile, and the URL's host is none of its domains.
    away(&public, "/to-one", &one, "/a.wav");
    let url = format!("{}/to-one", public.url());
    let refused = told(post(&server, "get", &json!({"url": url})).expect(502));
    assert_eq!(refused["origin_status"], 401);
    assert_eq!(one.asked()[0].field("authorization"), None);
    // What the profile brought is not found over the redirect either.
    got(&server, &format!("{}/a.wav", one.url()));
    post(&server, "get", &json!({"url": url})).expect(502);
    assert_eq!(tried(&server, &url).0, 404);
    away(&one, "/to-two", &two, "/b.wav");
    let found = got(&server, &format!("{}/to-two", one.url()));
    assert_eq!(bytes(&found), Made::new(2, 1000).body());
    assert_eq!(two.asked()[0].field("authorization"), Some(TOKEN));
}

#[test]
fn named_profile_with_fixed_fields_is_for_its_own_hosts_alone() {
    let (own, other) = (private(1), private(2));
    let server = server(&format!("\"{}\"", own.address()));
    let named =
        |origin: &Origin| json!({"url": format!("{}/a.wav", origin.url()), "profile": "bucket"});
    post(&server, "get", &named(&own)).expect(200);
    for endpoint in ["get", "tryget"] {
        let refused = told(post(&server, endpoint, &named(&other)).expect(400));
        assert_eq!(refused["code"], "invalid_option");
        let why = refused["error"].as_str().unwrap();
        assert!(why.contains("the profile's domains"), "{why}");
        assert!(!why.contains("s3cret"), "{why}");
    }
    let jobs = json!({"urls": [format!("{}/a.wav", other.url())], "profile": "bucket"});
    let jobs = told(&post(&server, "prefetch", &jobs));
    assert_eq!(jobs["refused"][0]["code"], "invalid_option");
    assert_eq!(other.connections(), 0);
}

#[test]
fn named_profile_that_signs_is_for_that_origin_and_what_it_brought_for_those_who_name_it() {
    let (origin, other) = (signed(1), signed(2));
    let server = signing_server();
    let url = format!("{}/b/a.wav", origin.url());
    let refused = post(&server, "get", &json!({"url": url}));
    let refused = told(refused.expect(502));
    assert_eq!(
        (&refused["code"], &refused["origin_status"]),
        (&json!("origin_status"), &json!(401))
    );
    got_with(&server, &url, json!({"profile": "bucket"}));
    // Nobody gets it without the name.
    post(&server, "get", &json!({"url": url})).expect(502);
    assert_eq!(tried(&server, &url).1["code"], "absent");
    let named = json!({"url": url, "profile": "bucket"});
    post(&server, "tryget", &named).expect(200);
    // A redirect to another origin goes without.
    away(&origin, "/b/away", &other, "/b/b.wav");
    origin.says("/b/here", reply(302).field("Location", "a.wav").end());
    let at = |name: &str| json!({"url": format!("{}{name}", origin.url()), "profile": "bucket"});
    post(&server, "get", &at("/b/here")).expect(200);
    post(&server, "get", &at("/b/away")).expect(502);
    assert_eq!(other.asked()[0].field("authorization"), None);
    let unknown = post(&server, "get", &json!({"url": url, "profile": "none"}));
    assert_eq!(told(unknown.expect(400))["code"], "invalid_option");
    let removed = post(&server, "remove", &json!({"url": url}));
    assert_eq!(told(removed.expect(200))["removed"], 1);
    post(&server, "tryget", &named).expect(404);
}

#[test]
fn query_goes_to_a_private_bucket_and_no_listing_is_signed() {
    let origin = Origin::start();
    origin.otherwise(|asked| {
        let made = Made::new(asked.target.len() as u64, 1000);
        made.max_age(600).reply(asked)
    });
    let mut shelf = Shelf::open();
    shelf.setup.config.profiles = vec![format!(
        "name = \"s3\"\nkind = \"s3\"\ndomains = [\"{}\"]\naccess_key_id = \"AKID\"\nsecret_access_key = \"key\"",
        origin.address()
    )];
    let server = shelf.start();
    for (target, sent, is_signed) in [
        ("/b/a.wav?versionId=1", "/b/a.wav?versionId=1", true),
        ("/b/a.wav?versionId=2", "/b/a.wav?versionId=2", true),
        (
            "/b/a.wav?versionId=x+y=",
            "/b/a.wav?versionId=x%2By%3D",
            true,
        ),
        ("/b/?list-type=2", "/b/?list-type=2", false),
    ] {
        let before = origin.asked().len();
        got(&server, &format!("{}{target}", origin.url()));
        let asked = origin.await_asked(before + 1);
        assert_eq!(asked[before].target, sent);
        let shown = asked[before].field("authorization");
        assert_eq!(shown.is_some(), is_signed, "{target}");
        // A refusal is looked into, in plain text.
        let coding = asked[before].field("accept-encoding");
        assert_eq!(coding, is_signed.then_some("identity"), "{target}");
    }
}

#[test]
fn freeswitch_names_a_profile_in_braces() {
    let (origin, other) = (private(1), private(2));
    let server = server(&format!("\"{}\"", origin.address()));
    let url = format!("{}/a.wav", origin.url());
    let asked = |line: String| {
        let request = Request::new("POST", "/api/fs").body(line.as_bytes());
        server.ask_admin(&request)
    };
    let said = |line: String| String::from_utf8(asked(line).body).expect("UTF-8");
    let path = said(format!("http_get {{profile=bucket}}{url}"));
    assert_eq!(std::fs::read(path).unwrap(), Made::new(1, 1000).body());
    // One that there is none of is passed over.
    let path = said(format!("http_get {{profile=none}}{url}"));
    assert_eq!(std::fs::read(path).unwrap(), Made::new(1, 1000).body());
    assert_eq!(
        said(format!(
            "http_prefetch {{profile=bucket,refresh=true}}{url}"
        )),
        "+OK\n"
    );
    let refused = asked(format!("http_get {{profile=bucket}}{}/a.wav", other.url()));
    assert_eq!(refused.body, b"-ERR\n");
    assert_eq!(refused.needs("hotplate-code"), "invalid_option");
    assert_eq!(other.connections(), 0);
}

#[test]
fn freeswitch_gets_with_a_named_signature_what_is_stored_for_those_who_name_it() {
    let origin = signed(1);
    let server = signing_server();
    let url = format!("{}/b/a.wav", origin.url());
    let said = |line: String| {
        let request = Request::new("POST", "/api/fs").body(line.as_bytes());
        String::from_utf8(server.ask_admin(&request).body).expect("UTF-8")
    };
    assert_eq!(said(format!("http_get {url}")), "-ERR\n");
    let path = said(format!("http_get {{profile=bucket}}{url}"));
    assert_eq!(std::fs::read(path).unwrap(), Made::new(1, 1000).body());
    assert_eq!(said(format!("http_tryget {url}")), "-ERR download\n");
}
