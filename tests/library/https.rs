//! Origins behind https: who is trusted, what is shown to them, and how long they are waited for.

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::origin::{Gate, Made, Origin, reply};
use crate::harness::{Server, get, now};
use crate::shelf::{Shelf, bytes, fails, got, post, told, tried};
use crate::tls::{Authority, Front};

const UNREACHABLE: (u16, &str, &str) = (502, "origin_unreachable", "origin");
const LATE: (u16, &str, &str) = (504, "origin_timeout", "origin");

/// An origin with one file at all paths.
fn origin() -> Origin {
    let origin = Origin::start();
    let made = Made::new(1, 300_000).max_age(600);
    origin.otherwise(move |asked| made.reply(asked));
    origin
}

fn quoted(path: &Path) -> String {
    format!("{:?}", path.to_str().expect("UTF-8"))
}

/// A library with further lines, on a system that trusts `system`.
fn shelf(system: &Authority, lines: &[String]) -> Shelf {
    let mut shelf = Shelf::open();
    let trusted = system.file().to_str().expect("UTF-8").to_owned();
    shelf.setup.config.environment = vec![("SSL_CERT_FILE".to_owned(), trusted)];
    shelf.setup.config.library.extend(lines.iter().cloned());
    shelf
}

/// A profile of fixed fields for the hosts of `fronts`.
fn profile(fronts: &[&Front], lines: &[String]) -> String {
    let domains: Vec<String> = fronts.iter().map(|front| front.authority()).collect();
    let lines = lines.join("\n");
    format!(
        "name = \"it\"\nkind = \"headers\"\nrequest_headers = [\"X-Key: 1\"]\ndomains = {domains:?}\n{lines}"
    )
}

#[track_caller]
fn is_whole(server: &Server, front: &Front) {
    let found = got(server, &front.url("/a.wav"));
    assert_eq!(bytes(&found), Made::new(1, 300_000).body());
}

/// Asserts that a get fails within a few seconds, with a second's timeout.
#[track_caller]
fn is_late(server: &Server, url: &str) {
    let began: Instant = now();
    fails(server, url, LATE);
    let took = now() - began;
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn file_of_certificates_is_trusted_beside_the_systems_unless_these_are_left_out() {
    let (system, own, origin) = (Authority::new(), Authority::new(), origin());
    let public = system.before(&origin, "127.0.0.1");
    let private = own.before(&origin, "127.0.0.1");
    let ca_file = format!("ca_file = {}", quoted(&own.file()));
    let without = "system_roots = false".to_owned();
    // Each with what the library and a profile for the same hosts say.
    let with = |lines: &[String], of_profile: Option<&[String]>| {
        let mut shelf = shelf(&system, lines);
        if let Some(lines) = of_profile {
            let profile = profile(&[&public, &private], lines);
            shelf.setup.config.profiles = vec![profile];
        }
        shelf.start()
    };
    let both = [ca_file.clone()];
    let alone = [ca_file, without];
    for server in [with(&both, None), with(&[], Some(&both))] {
        is_whole(&server, &public);
        is_whole(&server, &private);
    }
    for server in [with(&alone, None), with(&[], Some(&alone))] {
        fails(&server, &public.url("/a.wav"), UNREACHABLE);
        is_whole(&server, &private);
    }
    let server = with(&[], None);
    is_whole(&server, &public);
    let asked = origin.asked().len();
    fails(&server, &private.url("/a.wav"), UNREACHABLE);
    assert_eq!(origin.asked().len(), asked, "it was asked all the same");
}

#[test]
fn certificate_for_another_host_is_refused_unless_hosts_are_not_verified() {
    let (system, origin) = (Authority::new(), origin());
    let front = system.before(&origin, "elsewhere.test");
    let server = shelf(&system, &[]).start();
    fails(&server, &front.url("/a.wav"), UNREACHABLE);
    assert_eq!(origin.asked().len(), 0);
    for line in ["verify_host = false", "verify_peer = false"] {
        let mut shelf = shelf(&system, &[]);
        shelf.setup.config.profiles = vec![profile(&[&front], &[line.to_owned()])];
        is_whole(&shelf.start(), &front);
    }
}

#[test]
fn unknown_authority_is_refused_unless_nothing_is_verified() {
    let (system, other, origin) = (Authority::new(), Authority::new(), origin());
    let front = other.before(&origin, "127.0.0.1");
    let mut lenient = shelf(&system, &[]);
    lenient.setup.config.profiles = vec![profile(&[&front], &["verify_host = false".to_owned()])];
    fails(&lenient.start(), &front.url("/a.wav"), UNREACHABLE);
    assert_eq!(origin.asked().len(), 0);
    let off = "verify_peer = false".to_owned();
    is_whole(&shelf(&system, &[off]).start(), &front);
}

#[test]
fn certificate_of_a_profile_is_shown_to_those_who_ask_for_one() {
    let (system, origin) = (Authority::new(), origin());
    let front = system.before_known_clients(&origin, "127.0.0.1");
    let [certificate, key] = system.identity("client.test");
    let server = shelf(&system, &[]).start();
    post(&server, "get", &json!({"url": front.url("/a.wav")})).expect(502);
    assert_eq!(origin.asked().len(), 0);
    let identity = [
        format!("client_cert = {}", quoted(&certificate)),
        format!("client_key = {}", quoted(&key)),
    ];
    let mut shelf = shelf(&system, &[]);
    shelf.setup.config.profiles = vec![profile(&[&front], &identity)];
    let server = shelf.start();
    is_whole(&server, &front);
    assert_eq!(origin.asked()[0].field("x-key"), Some("1"));
}

#[test]
fn prefetch_over_https_is_there_without_another_request() {
    let (system, own, origin) = (Authority::new(), Authority::new(), origin());
    let front = own.before(&origin, "127.0.0.1");
    let ca_file = format!("ca_file = {}", quoted(&own.file()));
    let server = shelf(&system, &[ca_file]).start();
    let url = front.url("/a.wav");
    let ordered = told(post(&server, "prefetch", &json!({"urls": [url]})).expect(202));
    let ids: Vec<&Value> = ordered["jobs"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|job| &job["id"])
        .collect();
    let waited = post(&server, "jobs/wait", &json!({"ids": ids, "timeout": "20s"}));
    let jobs = told(waited.expect(200));
    assert_eq!(jobs["jobs"][0]["state"], "done", "{jobs}");
    let (status, found) = tried(&server, &url);
    assert_eq!(status, 200, "{found}");
    assert_eq!(bytes(&found), Made::new(1, 300_000).body());
    assert_eq!(origin.asked().len(), 1);
}

#[test]
fn times_of_a_profile_are_for_its_hosts() {
    let (system, origin) = (Authority::new(), origin());
    let front = system.before(&origin, "127.0.0.1");
    let gate = Gate::new();
    origin.says("/late", reply(200).max_age(60).wait(&gate).body("late"));
    let slow = reply(200).max_age(60).length(100_000).rate(10_000);
    origin.says("/slow", slow.made(1, 0..100_000));
    let with = |line: &str| {
        let mut shelf = shelf(&system, &[]);
        shelf.setup.config.profiles = vec![profile(&[&front], &[line.to_owned()])];
        shelf.start()
    };
    is_late(&with("first_byte_timeout = \"1s\""), &front.url("/late"));
    is_late(&with("total_timeout = \"1s\""), &front.url("/late"));
    let server = with("total_timeout = \"1s\"");
    let began = now();
    let cut = post(&server, "get", &json!({"url": front.url("/slow")}));
    cut.expect_one_of(&[502, 504]);
    assert!(
        now() - began < Duration::from_secs(8),
        "{:?}",
        now() - began
    );
    gate.open();
    // One that takes connections and says nothing: the handshake is part of connecting.
    let silent = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let authority = silent.local_addr().expect("its address").to_string();
    let mut shelf = shelf(&system, &[]);
    shelf.setup.config.profiles = vec![format!(
        "name = \"it\"\nkind = \"headers\"\nrequest_headers = [\"X-Key: 1\"]\ndomains = [{authority:?}]\nconnect_timeout = \"1s\""
    )];
    is_late(&shelf.start(), &format!("https://{authority}/a.wav"));
}

#[test]
fn site_before_an_https_origin_trusts_as_it_says() {
    let (system, own, origin) = (Authority::new(), Authority::new(), origin());
    let public = system.before(&origin, "127.0.0.1");
    let private = own.before(&origin, "127.0.0.1");
    let wrong = system.before(&origin, "elsewhere.test");
    let known = system.before_known_clients(&origin, "127.0.0.1");
    let ca_file = format!("ca_file = {}", quoted(&own.file()));
    let [certificate, key] = system.identity("client.test");
    let identity = format!(
        "client_cert = {}\nclient_key = {}",
        quoted(&certificate),
        quoted(&key)
    );
    let cases = [
        (&public, String::new(), 200),
        (&public, ca_file.clone(), 200),
        (&public, format!("{ca_file}\nsystem_roots = false"), 502),
        (&private, String::new(), 502),
        (&private, ca_file.clone(), 200),
        (&private, format!("{ca_file}\nsystem_roots = false"), 200),
        (&private, "verify_peer = false".to_owned(), 200),
        (&wrong, String::new(), 502),
        (&wrong, "verify_peer = false".to_owned(), 200),
        (&known, String::new(), 502),
        (&known, "profile = \"it\"".to_owned(), 200),
    ];
    for (front, lines, status) in cases {
        let mut shelf = shelf(&system, &[]);
        let url = front.url("");
        let site = format!("hosts = []\norigin = {url:?}\n{lines}");
        shelf.setup.config.sites = vec![site];
        shelf.setup.config.profiles = vec![profile(&[&known], std::slice::from_ref(&identity))];
        let server = shelf.start();
        let answer = server.connect().fetch(&get("/a.wav"));
        assert_eq!(answer.status, status, "{lines}: {answer}");
        if status == 200 {
            answer.expect_body(&Made::new(1, 300_000).body());
        }
    }
}
