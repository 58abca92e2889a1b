//! A server before a scriptable origin, asked through its admin API and by its commands.

use std::time::Duration;

use serde_json::Value;

use crate::harness::origin::Origin;
use crate::harness::server::{Refused, run};
use crate::harness::{Driver, Request, Server, Setup, eventually, get};

/// Runs a scenario on both drivers: with an origin, and a server whose one site, with these lines and rules, is before it.
pub(crate) fn before_origin(name: &str, site: &str, scenario: fn(&Origin, &mut Server)) {
    for driver in [Driver::IoUring, Driver::Epoll] {
        if driver.is_permitted(name) {
            let origin = Origin::start();
            let mut setup = Setup::new();
            let lines = format!("origin = {:?}\n{site}", origin.url());
            setup.config.sites.push(lines);
            scenario(&origin, &mut setup.start(driver));
        }
    }
}

/// Posts JSON to the admin API.
#[track_caller]
pub(crate) fn post(server: &Server, path: &str, body: &Value) -> Value {
    let request = Request::new("POST", path).body(body.to_string().as_bytes());
    let answer = server.ask_admin(&request);
    answer.expect(200);
    answer.json()
}

/// Gets JSON from the admin API.
#[track_caller]
pub(crate) fn admin_json(server: &Server, path: &str) -> Value {
    let answer = server.ask_admin(&get(path).with("Accept", "application/json"));
    answer.expect(200);
    answer.json()
}

/// Waits until the bodies of all that is stored are there: a client can have one a moment before the store knows its end.
#[track_caller]
pub(crate) fn await_whole(server: &Server) {
    eventually(Duration::from_secs(10), "bodies are whole", || {
        let page = admin_json(server, "/api/cache/ls?limit=1000");
        let lines = page["responses"].as_array().expect("responses");
        lines.iter().all(|line| line["complete"] == true)
    });
}

/// Runs a command at the server's admin address.
#[track_caller]
pub(crate) fn command(server: &Server, words: &[&str]) -> Refused {
    let admin = server.admin.expect("an admin address").to_string();
    let words = [words, &["--admin", &admin]].concat();
    run(&words, &server.folder.path(""))
}

/// How our cache handled the request of an answer.
#[track_caller]
pub(crate) fn status(server: &Server, request: &Request) -> String {
    let answer = server.ask(request);
    answer.expect(200);
    answer.needs("cache-status").to_owned()
}

/// Asserts that a request is a hit.
#[track_caller]
pub(crate) fn expect_hit(server: &Server, request: &Request) {
    let status = status(server, request);
    assert!(status.starts_with("hotplate; hit"), "{status}");
}

/// Asserts that a request goes on to the origin for this reason.
#[track_caller]
pub(crate) fn expect_forward(server: &Server, request: &Request, why: &str) {
    let status = status(server, request);
    let start = format!("hotplate; fwd={why}");
    assert!(status.starts_with(&start), "{status}");
}
