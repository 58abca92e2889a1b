//! What the tests of uploads share: a server with a queue before an origin, and the endpoints in short words.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::harness::origin::{Origin, Reply, reply};
use crate::harness::{Answer, Driver, Request, Server, Setup, eventually, get};

/// How long an upload may take to get where it is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The host whose site is before the origin.
pub(crate) const HOST: &str = "media.example";

/// A server whose site has `origin`, with quick retries and further lines of `[upload]`.
pub(crate) fn before(origin: &str, lines: &str) -> Server {
    setup(origin, lines).start(Driver::Epoll)
}

pub(crate) fn setup(origin: &str, lines: &str) -> Setup {
    let mut setup = Setup::new().disk(&["size = \"64MiB\""]);
    setup.config.sites.push(format!(
        "hosts = [{HOST:?}]\norigin = {origin:?}\nconnect_timeout = \"1s\"\n\n[upload]\nretry_min = \"30ms\"\n\
         retry_max = \"200ms\"\n{lines}"
    ));
    setup
}

/// A URL on the site.
pub(crate) fn url(path: &str) -> String {
    format!("http://{HOST}{path}")
}

/// The text as it may stand in a query.
pub(crate) fn encoded(text: &str) -> String {
    let octets = text.bytes().map(|octet| match octet {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(octet).to_string()
        }
        octet => format!("%{octet:02X}"),
    });
    octets.collect()
}

/// Puts a body; `more` are further parameters.
pub(crate) fn put(server: &Server, url: &str, more: &str, body: &[u8]) -> Answer {
    let target = format!("/api/cache/put?url={}{more}", encoded(url));
    server.ask_admin(&Request::new("POST", &target).body(body))
}

/// Puts a body that must be accepted; its number.
#[track_caller]
pub(crate) fn accepted(server: &Server, url: &str, body: &[u8]) -> u64 {
    let answer = put(server, url, "", body);
    answer.expect(202);
    json(&answer)["id"].as_u64().expect("a number")
}

pub(crate) fn json(answer: &Answer) -> Value {
    answer.json()
}

/// The answer has this status, and says why in `error`, `code` and `fault`.
#[track_caller]
pub(crate) fn assert_why(answer: &Answer, status: u16, (code, fault): (&str, &str)) {
    answer.expect(status);
    let why = json(answer);
    assert_eq!(
        (why["code"].as_str(), why["fault"].as_str()),
        (Some(code), Some(fault)),
        "{why}"
    );
    assert!(
        why["error"].is_string() || why["reason"].is_string(),
        "{why}"
    );
}

/// What is known of an upload.
pub(crate) fn status(server: &Server, id: u64) -> Value {
    let answer = server.ask_admin(&get(&format!("/api/cache/uploads?id={id}")));
    json(&answer)
}

/// Waits until an upload is in a state.
#[track_caller]
pub(crate) fn await_state(server: &Server, id: u64, state: &str) -> Value {
    let mut found = Value::Null;
    eventually(PATIENCE, &format!("upload {id} is {state}"), || {
        found = status(server, id);
        found["state"] == state
    });
    found
}

/// Asks for something to be done with an upload.
pub(crate) fn change(server: &Server, what: &str, id: u64) -> Answer {
    let target = format!("/api/cache/uploads/{what}?id={id}");
    server.ask_admin(&Request::new("POST", &target).body(b""))
}

/// The names of the spool's files and of what is recorded; its lock and the folder of recordings aside.
pub(crate) fn spooled(server: &Server) -> Vec<String> {
    let folder = server.folder.path("store/uploads");
    let recordings = names(&folder.join("recordings"));
    names(&folder).into_iter().chain(recordings).collect()
}

pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("the spool");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> = names
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.retain(|name| name != "uploads.lock" && name != "recordings");
    names.sort();
    names
}

/// A reply without content.
pub(crate) fn said(status: u16) -> Reply {
    reply(status).body("")
}

/// The bodies that arrived whole at a path, by PUT.
pub(crate) fn arrived(origin: &Origin, path: &str) -> Vec<Vec<u8>> {
    let asked = origin.asked_for(path).into_iter();
    let whole = asked.filter(|asked| asked.method == "PUT" && asked.is_whole);
    whole.map(|asked| asked.body).collect()
}
