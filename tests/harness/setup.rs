//! A folder and a config that belong together, built step by step, and the one most scenarios use.

use std::path::Path;

use super::config::{Config, Pin};
use super::driver::Driver;
use super::folder::{Folder, pattern};
use super::server::{Refused, Server};

/// The ways to hold a pin; [`media`] serves the same files under `/file/`, `/mmap/` and `/memory/`.
pub(crate) const HOLDS: [&str; 3] = ["file", "mmap", "memory"];

/// What a server starts with.
#[derive(Debug, Default)]
pub(crate) struct Setup {
    pub(crate) folder: Folder,
    pub(crate) config: Config,
}

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

impl Setup {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Places a file.
    pub(crate) fn file(self, relative: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> Self {
        self.folder.place(relative, bytes);
        self
    }

    /// Adds a pin of something in the folder.
    pub(crate) fn pin(self, path: &str, url: &str) -> Self {
        self.pin_with(path, url, |pin| pin)
    }

    /// Adds a pin of something in the folder, with more said about it.
    pub(crate) fn pin_with(mut self, path: &str, url: &str, more: fn(Pin) -> Pin) -> Self {
        let pin = more(Pin::new(self.folder.path(path), url));
        self.config.pins.push(pin);
        self
    }

    /// Adds a pin of something in the folder for every hold, under `/file/`, `/mmap/` and `/memory/`.
    pub(crate) fn pin_under_every_hold(mut self, path: &str, more: fn(Pin) -> Pin) -> Self {
        for hold in HOLDS {
            let pin = Pin::new(self.folder.path(path), &format!("/{hold}/")).hold(hold);
            self.config.pins.push(more(pin));
        }
        self
    }

    /// Adds a site whose root is a folder in the folder.
    pub(crate) fn site(mut self, hosts: &[&str], root: &str) -> Self {
        let root = self.folder.path(root);
        std::fs::create_dir_all(&root).expect("the root");
        self.config.add_site(hosts, &root);
        self
    }

    /// Adds a line to `[limits]`.
    pub(crate) fn limit(mut self, line: &str) -> Self {
        self.config.limits.push(line.to_owned());
        self
    }

    /// Adds a disk store in the folder, with further lines.
    pub(crate) fn disk(mut self, lines: &[&str]) -> Self {
        let path = self.folder.path("store");
        self.config.disk.push(format!("path = {path:?}"));
        self.config
            .disk
            .extend(lines.iter().map(|line| (*line).to_owned()));
        self
    }

    /// Adds a line to `[server]`.
    pub(crate) fn server(mut self, line: &str) -> Self {
        self.config.server.push(line.to_owned());
        self
    }

    /// Sets how many workers there are.
    pub(crate) fn workers(mut self, count: usize) -> Self {
        self.config.workers = count;
        self
    }

    /// Starts the server; fails with its output when it does not get ready.
    #[track_caller]
    pub(crate) fn start(self, driver: Driver) -> Server {
        match Server::start(self, driver, None) {
            Ok(server) => server,
            Err(refused) => panic!("the server did not start: {refused}"),
        }
    }

    /// Starts the server with a hard limit on its descriptors, or says how it ended.
    pub(crate) fn try_start_with_descriptors(
        self,
        driver: Driver,
        descriptors_max: u32,
    ) -> Result<Server, Refused> {
        Server::start(self, driver, Some(descriptors_max))
    }
}

/// Sizes around the borders at which servers change how they send.
pub(crate) const SIZES: [(&str, usize); 8] = [
    ("empty.bin", 0),
    ("one.bin", 1),
    ("small.bin", 1_024),
    ("buffer.bin", 16_384),
    ("segment.bin", 65_535),
    ("over.bin", 65_537),
    ("large.bin", 300_000),
    ("huge.bin", 3_000_017),
];

/// The bytes of one of the [`SIZES`] files.
pub(crate) fn sized(name: &str) -> Vec<u8> {
    let (_, size) = SIZES
        .iter()
        .find(|(known, _)| *known == name)
        .expect("one of SIZES");
    pattern(*size, *size as u64)
}

/// The text that has precompressed siblings.
pub(crate) const PAGE: &[u8] = b"Hold the line; your call is important to us.\n";

/// The setup most scenarios use: one folder of files pinned under every hold, with `page.txt` and its coded siblings,
/// `secret.txt`, which no scenario asks for except inside something that must not be taken for a request, and a site
/// whose root holds `index.html`, `plain.txt` and `folder/index.html`.
pub(crate) fn media() -> Setup {
    let mut setup = Setup::new();
    for (name, _) in SIZES {
        setup = setup.file(format!("media/{name}"), sized(name));
    }
    setup
        .file("media/page.txt", PAGE)
        .file("media/page.txt.gz", pattern(33, 1))
        .file("media/page.txt.br", pattern(22, 2))
        .file("media/page.txt.zst", pattern(27, 3))
        .file("media/thousand.txt", pattern(1_000, 7))
        .file("media/secret.txt", b"smuggled")
        .file("media/deep/tone.wav", pattern(800, 4))
        .file("www/index.html", b"<p>front</p>")
        .file("www/plain.txt", pattern(2_000, 5))
        .file("www/folder/index.html", b"<p>folder</p>")
        .pin_under_every_hold("media", |pin| pin.cache_control("public, max-age=3600"))
        .site(&[], "www")
}
