//! A site before a scriptable origin, and what its answers say of the cache.

use crate::harness::origin::Origin;
use crate::harness::{Answer, Driver, Request, Server, Setup, get};

/// A server with one site whose origin is the scenario's.
#[derive(Debug, Default)]
pub(crate) struct Site {
    pub(crate) setup: Setup,
    more_origins: Vec<String>,
    lines: Vec<String>,
    rules: Vec<String>,
}

impl Site {
    /// The defaults.
    pub(crate) fn plain() -> Self {
        Self::default()
    }

    /// A rule for all URLs with these lines.
    pub(crate) fn ruled(lines: &str) -> Self {
        Self::plain().rule("/", lines)
    }

    /// Adds a rule for `path`.
    pub(crate) fn rule(mut self, path: &str, lines: &str) -> Self {
        self.rules
            .push(format!("[[site.rule]]\npath = {path:?}\n{lines}"));
        self
    }

    /// Adds a line to the site.
    pub(crate) fn line(mut self, line: &str) -> Self {
        self.lines.push(line.to_owned());
        self
    }

    /// Adds a line to `[fill]`.
    pub(crate) fn fill(mut self, line: &str) -> Self {
        self.setup.config.fill.push(line.to_owned());
        self
    }

    /// Has this URL tried before the scenario's origin.
    pub(crate) fn after(mut self, url: &str) -> Self {
        self.more_origins.push(url.to_owned());
        self
    }

    /// Places a file that has a place in the site's root, the folder `www`.
    pub(crate) fn root_file(mut self, path: &str, bytes: impl AsRef<[u8]>) -> Self {
        self.setup = self.setup.file(format!("www/{path}"), bytes);
        let root = self.setup.folder.path("www");
        let line = format!("root = {root:?}");
        if !self.lines.contains(&line) {
            self.lines.push(line);
        }
        self
    }

    /// Changes the rest of the setup.
    pub(crate) fn with(mut self, change: fn(Setup) -> Setup) -> Self {
        self.setup = change(self.setup);
        self
    }

    /// Starts the server before `origin`.
    #[track_caller]
    pub(crate) fn start(self, driver: Driver, origin: &Origin) -> Server {
        let mut setup = self.setup;
        let mut origins = self.more_origins;
        origins.push(origin.url());
        let mut site = format!("hosts = []\norigin = {origins:?}\n");
        for line in self.lines.iter().chain(&self.rules) {
            site.push_str(line);
            site.push('\n');
        }
        setup.config.sites.push(site);
        setup.start(driver)
    }
}

/// Makes a scenario of a function of a driver, for what no [`Site`] can be set up for.
macro_rules! on_each_driver {
    ($name:ident, $scenario:ident) => {
        mod $name {
            use crate::harness::Driver;

            fn run(driver: Driver) {
                if driver.is_permitted(module_path!()) {
                    super::$scenario(driver);
                }
            }

            #[test]
            fn io_uring() {
                run(Driver::IoUring);
            }

            #[test]
            fn epoll() {
                run(Driver::Epoll);
            }
        }
    };
}

/// Makes a scenario two tests, `name::io_uring` and `name::epoll`. The body gets `&mut Origin` and `&mut Server`, started
/// as the site says.
macro_rules! before_an_origin {
    ($name:ident, $site:expr, |$origin:ident, $server:ident| $body:block) => {
        fn $name(
            $origin: &mut $crate::harness::origin::Origin,
            $server: &mut $crate::harness::Server,
        ) $body

        mod $name {
            fn run(driver: $crate::harness::Driver) {
                if driver.is_permitted(module_path!()) {
                    #[allow(
                        unused_imports,
                        clippy::allow_attributes,
                        reason = "a site may name nothing of the module"
                    )]
                    use super::*;
                    let site: $crate::site::Site = $site;
                    let mut origin = $crate::harness::origin::Origin::start();
                    let mut server = site.start(driver, &origin);
                    super::$name(&mut origin, &mut server);
                }
            }

            #[test]
            fn io_uring() {
                run($crate::harness::Driver::IoUring);
            }

            #[test]
            fn epoll() {
                run($crate::harness::Driver::Epoll);
            }
        }
    };
}

/// Sends a request on a connection of its own and reads the whole answer.
#[track_caller]
pub(crate) fn fetch(server: &Server, request: &Request) -> Answer {
    server.connect().fetch(request)
}

/// GETs a target on a connection of its own.
#[track_caller]
pub(crate) fn fetch_get(server: &Server, target: &str) -> Answer {
    fetch(server, &get(target))
}

/// The parameters of our own member of Cache-Status, which is the last (RFC 9211 s2).
#[track_caller]
pub(crate) fn outcome(answer: &Answer) -> Vec<String> {
    let list = answer.lines("cache-status").join(", ");
    let own = list.rsplit(", ").next().unwrap_or_default();
    let mut parts = own.split(';').map(|part| part.trim().to_owned());
    assert_eq!(parts.next().as_deref(), Some("hotplate"), "{answer}");
    parts.collect()
}

/// Asserts that our member of Cache-Status has all these parameters.
#[track_caller]
pub(crate) fn expect_outcome(answer: &Answer, wanted: &[&str]) {
    let outcome = outcome(answer);
    for parameter in wanted {
        assert!(
            outcome.iter().any(|known| known == parameter),
            "no {parameter}: {answer}"
        );
    }
}

/// The seconds for which Cache-Status calls an answer fresh.
#[track_caller]
pub(crate) fn ttl(answer: &Answer) -> i64 {
    let outcome = outcome(answer);
    let ttl = outcome.iter().find_map(|known| known.strip_prefix("ttl="));
    ttl.unwrap_or_else(|| panic!("no ttl: {answer}"))
        .parse()
        .expect("a number")
}

/// Asserts that the answer came from the cache.
#[track_caller]
pub(crate) fn expect_hit(answer: &Answer) {
    expect_outcome(answer, &["hit"]);
}

/// Asserts that the request went on for this reason.
#[track_caller]
pub(crate) fn expect_forward(answer: &Answer, why: &str) {
    expect_outcome(answer, &[&format!("fwd={why}")]);
    assert!(!outcome(answer).contains(&"hit".to_owned()), "{answer}");
}

/// The time `seconds` before now as a date field's value.
pub(crate) fn ago(seconds: u64) -> String {
    let then = crate::harness::waiting::wall_clock() - std::time::Duration::from_secs(seconds);
    httpdate::fmt_http_date(then)
}

/// The time in `seconds` as a date field's value.
pub(crate) fn ahead(seconds: u64) -> String {
    let then = crate::harness::waiting::wall_clock() + std::time::Duration::from_secs(seconds);
    httpdate::fmt_http_date(then)
}
