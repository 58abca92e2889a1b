//! The config of a server under test, written as an operator would write it.

use std::fmt::Write as _;
use std::path::Path;

use super::driver::Driver;

/// A `[[pin]]`.
#[derive(Clone, Debug)]
pub(crate) struct Pin {
    lines: Vec<String>,
}

impl Pin {
    pub(crate) fn new(path: impl AsRef<Path>, url: &str) -> Self {
        let path = path.as_ref().to_str().expect("a path in UTF-8");
        Self {
            lines: vec![format!("path = {path:?}"), format!("url = {url:?}")],
        }
    }

    pub(crate) fn hold(self, hold: &str) -> Self {
        self.text("hold", hold)
    }

    pub(crate) fn on_change(self, on_change: &str) -> Self {
        self.text("on_change", on_change)
    }

    pub(crate) fn cache_control(self, value: &str) -> Self {
        self.text("cache_control", value)
    }

    pub(crate) fn content_type(self, value: &str) -> Self {
        self.text("content_type", value)
    }

    pub(crate) fn hosts(mut self, hosts: &[&str]) -> Self {
        self.lines.push(format!("hosts = {hosts:?}"));
        self
    }

    fn text(mut self, key: &str, value: &str) -> Self {
        self.lines.push(format!("{key} = {value:?}"));
        self
    }
}

/// The config as sections of lines; [`text`](Self::text) makes the file of them.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// The whole text, in the place of all that follows.
    pub(crate) verbatim: Option<String>,
    pub(crate) listen: Vec<String>,
    pub(crate) server: Vec<String>,
    pub(crate) limits: Vec<String>,
    pub(crate) memory: Vec<String>,
    pub(crate) disk: Vec<String>,
    pub(crate) fill: Vec<String>,
    pub(crate) library: Vec<String>,
    pub(crate) prefetches: Vec<String>,
    pub(crate) profiles: Vec<String>,
    pub(crate) pins: Vec<Pin>,
    pub(crate) sites: Vec<String>,
    pub(crate) workers: usize,
    pub(crate) admin: String,
    /// Variables that the server gets beside those of the test; none about credentials come from there.
    pub(crate) environment: Vec<(String, String)>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            verbatim: None,
            listen: vec!["127.0.0.1:0".to_owned()],
            server: Vec::new(),
            limits: Vec::new(),
            memory: Vec::new(),
            disk: Vec::new(),
            fill: Vec::new(),
            library: Vec::new(),
            prefetches: Vec::new(),
            profiles: Vec::new(),
            pins: Vec::new(),
            sites: Vec::new(),
            workers: 2,
            admin: "127.0.0.1:0".to_owned(),
            environment: Vec::new(),
        }
    }
}

impl Config {
    /// Adds a `[[site]]` for the hosts (none: the default site).
    pub(crate) fn add_site(&mut self, hosts: &[&str], root: &Path) {
        let root = root.to_str().expect("a path in UTF-8");
        self.sites
            .push(format!("hosts = {hosts:?}\nroot = {root:?}"));
    }

    /// The file's text.
    pub(crate) fn text(&self, driver: Driver) -> String {
        if let Some(text) = &self.verbatim {
            return text.clone();
        }
        let mut text = String::new();
        let mut line = |content: &str| writeln!(text, "{content}").expect("strings grow");
        line("[server]");
        line(&format!("listen = {:?}", self.listen));
        line(&format!("workers = {}", self.workers));
        line(&format!("driver = {:?}", driver.name()));
        line(&format!("admin = {:?}", self.admin));
        self.server.iter().for_each(|content| line(content));
        line("\n[limits]");
        self.limits.iter().for_each(|content| line(content));
        line("\n[memory]");
        self.memory.iter().for_each(|content| line(content));
        if !self.disk.is_empty() {
            line("\n[disk]");
            self.disk.iter().for_each(|content| line(content));
        }
        line("\n[fill]");
        self.fill.iter().for_each(|content| line(content));
        if !self.library.is_empty() {
            line("\n[library]");
            self.library.iter().for_each(|content| line(content));
        }
        for pin in &self.pins {
            line("\n[[pin]]");
            pin.lines.iter().for_each(|content| line(content));
        }
        for site in &self.sites {
            line("\n[[site]]");
            line(site);
        }
        for profile in &self.profiles {
            line("\n[[profile]]");
            line(profile);
        }
        for prefetch in &self.prefetches {
            line("\n[[prefetch]]");
            line(prefetch);
        }
        text
    }
}
