//! Uploads to https origins: who is trusted, and what is shown to them.

use std::path::Path;

use serde_json::Value;

use crate::harness::origin::{Gate, Origin, reply};
use crate::harness::{Driver, Server, Setup, eventually, pattern};
use crate::queue::{PATIENCE, accepted, json, put, said, status};
use crate::tls::{Authority, Front};

/// An origin that takes everything.
fn taking() -> Origin {
    let origin = Origin::start();
    origin.otherwise(|_| said(201));
    origin
}

fn quoted(path: &Path) -> String {
    format!("{:?}", path.to_str().expect("UTF-8"))
}

/// A server that may send to `front`, on a system that trusts `system`; `library` and `profile` are further lines.
fn before(front: &Front, system: &Authority, library: &str, profile: &str) -> Server {
    let mut setup = Setup::new().disk(&["size = \"64MiB\""]);
    let trusted = system.file().to_str().expect("UTF-8").to_owned();
    setup.config.environment = vec![("SSL_CERT_FILE".to_owned(), trusted)];
    let authority = front.authority();
    setup.config.library = vec![library.to_owned()];
    setup.config.fill.push(format!(
        "[upload]\nretry_min = \"30ms\"\nretry_max = \"200ms\"\nhosts = [{authority:?}]"
    ));
    if !profile.is_empty() {
        setup.config.profiles = vec![format!(
            "name = \"it\"\nkind = \"headers\"\nrequest_headers = [\"X-Key: 1\"]\ndomains = [{authority:?}]\n{profile}"
        )];
    }
    setup.start(Driver::Epoll)
}

/// Puts a file, which must arrive whole.
#[track_caller]
fn arrives(server: &Server, front: &Front, origin: &Origin) {
    let body = pattern(700_000, 1);
    origin.forget();
    let answer = put(server, &front.url("/a.wav"), "&wait=true", &body);
    answer.expect(200);
    assert_eq!(json(&answer)["state"], "done");
    let asked = origin.asked();
    let last = asked.last().expect("a request");
    assert_eq!((last.method.as_str(), last.is_whole), ("PUT", true));
    assert!(last.body == body, "other bytes");
}

/// Puts a file, which the origin must never be asked to take; what is known of it after an attempt.
#[track_caller]
fn is_held_back(server: &Server, front: &Front, origin: &Origin) -> Value {
    origin.forget();
    let id = accepted(server, &front.url("/a.wav"), b"call");
    let mut found = Value::Null;
    eventually(PATIENCE, "an attempt fails", || {
        found = status(server, id);
        found["error"].is_string() || found["reason"].is_string()
    });
    assert_ne!(found["state"], "done", "{found}");
    assert!(origin.asked().is_empty(), "{found}");
    found
}

#[test]
fn files_go_to_who_is_trusted_alone() {
    let (system, own, origin) = (Authority::new(), Authority::new(), taking());
    let public = system.before(&origin, "127.0.0.1");
    let private = own.before(&origin, "127.0.0.1");
    let ca_file = format!("ca_file = {}", quoted(&own.file()));
    let alone = format!("{ca_file}\nsystem_roots = false");
    is_held_back(&before(&private, &system, "", ""), &private, &origin);
    for library in [&ca_file, &alone] {
        arrives(&before(&private, &system, library, ""), &private, &origin);
        // A profile says it for itself.
        arrives(&before(&private, &system, "", library), &private, &origin);
    }
    arrives(&before(&public, &system, &ca_file, ""), &public, &origin);
    is_held_back(&before(&public, &system, &alone, ""), &public, &origin);
    is_held_back(&before(&public, &system, "", &alone), &public, &origin);
    let off = "verify_peer = false";
    arrives(&before(&private, &system, off, ""), &private, &origin);
}

#[test]
fn certificate_for_another_host_holds_a_file_back_unless_hosts_are_not_verified() {
    let (system, origin) = (Authority::new(), taking());
    let front = system.before(&origin, "elsewhere.test");
    is_held_back(&before(&front, &system, "", ""), &front, &origin);
    for profile in ["verify_host = false", "verify_peer = false"] {
        arrives(&before(&front, &system, "", profile), &front, &origin);
    }
}

#[test]
fn certificate_of_a_profile_is_shown_to_those_who_ask_for_one() {
    let (system, origin) = (Authority::new(), taking());
    let front = system.before_known_clients(&origin, "127.0.0.1");
    is_held_back(&before(&front, &system, "", ""), &front, &origin);
    let [certificate, key] = system.identity("client.test");
    let identity = format!(
        "client_cert = {}\nclient_key = {}",
        quoted(&certificate),
        quoted(&key)
    );
    arrives(&before(&front, &system, "", &identity), &front, &origin);
    assert_eq!(origin.asked()[0].field("x-key"), Some("1"));
}

#[test]
fn times_of_a_profile_are_for_uploads_too() {
    let (system, origin) = (Authority::new(), taking());
    let front = system.before(&origin, "127.0.0.1");
    let gate = Gate::new();
    let slow = gate.clone();
    origin.otherwise(move |_| reply(201).wait(&slow).body(""));
    for line in ["first_byte_timeout = \"1s\"", "total_timeout = \"1s\""] {
        let server = before(&front, &system, "", line);
        let id = accepted(&server, &front.url("/a.wav"), b"call");
        eventually(PATIENCE, "an attempt is over", || {
            let found = status(&server, id);
            found["code"] == "origin_timeout"
        });
    }
    gate.open();
}
