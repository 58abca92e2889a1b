//! A server with a library, and what it is asked.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::origin::Origin;
use crate::harness::{Answer, Driver, Server, Setup, get};

/// How long the server may take for what it does after an answer.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// What a library is started with.
#[derive(Debug)]
pub(crate) struct Shelf {
    pub(crate) setup: Setup,
}

impl Shelf {
    /// A disk store, and a library that may fetch nothing.
    pub(crate) fn plain() -> Self {
        Self {
            setup: Setup::new().disk(&["size = \"64MiB\""]),
        }
    }

    /// One that may fetch from this machine.
    pub(crate) fn open() -> Self {
        Self::plain().line("hosts = [\"127.0.0.1\"]")
    }

    /// Adds a line to `[library]`.
    pub(crate) fn line(mut self, line: &str) -> Self {
        self.setup.config.library.push(line.to_owned());
        self
    }

    /// Adds a site before `origin`.
    pub(crate) fn site(mut self, host: &str, origin: &Origin, rules: &str) -> Self {
        let hosts = if host.is_empty() { vec![] } else { vec![host] };
        let url = origin.url();
        let site = format!("hosts = {hosts:?}\norigin = {url:?}\n{rules}");
        self.setup.config.sites.push(site);
        self
    }

    /// Changes the rest of the setup.
    pub(crate) fn with(mut self, change: impl FnOnce(Setup) -> Setup) -> Self {
        self.setup = change(self.setup);
        self
    }

    #[track_caller]
    pub(crate) fn start(self) -> Server {
        self.setup.start(Driver::Epoll)
    }
}

/// Posts JSON to an endpoint below `/api/cache/`; the whole answer.
#[track_caller]
pub(crate) fn post(server: &Server, endpoint: &str, body: &Value) -> Answer {
    server.post(endpoint, body)
}

/// The JSON of an answer.
#[track_caller]
pub(crate) fn told(answer: &Answer) -> Value {
    answer.json()
}

/// Gets a URL with more options; it must be there.
#[track_caller]
pub(crate) fn got_with(server: &Server, url: &str, more: Value) -> Value {
    let mut body = json!({"url": url});
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    told(post(server, "get", &body).expect(200))
}

/// Gets a URL, which must be there.
#[track_caller]
pub(crate) fn got(server: &Server, url: &str) -> Value {
    got_with(server, url, json!({}))
}

/// Tries a URL: the status and the answer.
#[track_caller]
pub(crate) fn tried(server: &Server, url: &str) -> (u16, Value) {
    let answer = post(server, "tryget", &json!({"url": url}));
    (answer.status, told(&answer))
}

/// Gets a URL, which must fail with this status and code, through the fault of this party.
#[track_caller]
pub(crate) fn fails(server: &Server, url: &str, (status, code, fault): (u16, &str, &str)) -> Value {
    let answer = post(server, "get", &json!({"url": url}));
    let value = told(answer.expect(status));
    assert_eq!(value["code"], code, "{value}");
    assert_eq!(value["fault"], fault, "{value}");
    assert!(value["error"].as_str().is_some_and(|why| !why.is_empty()));
    value
}

/// The path of something that was got.
#[track_caller]
pub(crate) fn path(got: &Value) -> PathBuf {
    let path = got["path"]
        .as_str()
        .unwrap_or_else(|| panic!("no path: {got}"));
    assert!(path.starts_with('/'), "{path}");
    path.into()
}

/// The bytes at the path of something that was got.
#[track_caller]
pub(crate) fn bytes(got: &Value) -> Vec<u8> {
    let path = path(got);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A number of `/api/stats`, by its path.
#[track_caller]
pub(crate) fn figure(server: &Server, path: &[&str]) -> u64 {
    let mut value = told(&server.ask_admin(&get("/api/stats")));
    for name in path {
        value = value[*name].take();
    }
    value
        .as_u64()
        .unwrap_or_else(|| panic!("no number at {path:?}"))
}

/// The leases there are.
#[track_caller]
pub(crate) fn leases(server: &Server) -> Vec<Value> {
    let answer = server.ask_admin(&get("/api/cache/leases"));
    told(answer.expect(200))["leases"]
        .as_array()
        .expect("a list")
        .clone()
}
