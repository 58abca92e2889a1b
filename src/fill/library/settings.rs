//! `[library]` and `[[prefetch]]` as checked settings.

use std::path::PathBuf;
use std::time::Duration;

use super::allowed::HostPattern;
use crate::policy::origin_rule::OriginRule;
use crate::policy::settings::CacheRule;
use crate::units::ByteSize;

/// `[library]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LibrarySettings {
    /// The hosts that may be fetched beside those of the sites.
    pub hosts: Vec<HostPattern>,
    /// Whether these may have private addresses, loopback included.
    pub allow_private: bool,
    /// Most redirects that are followed for one URL.
    pub redirects: usize,
    /// The media types that are taken, in lower case; `audio/*` stands for all of its kind. Empty: all.
    pub content_types: Vec<Box<str>>,
    /// The extension of files of which neither URL nor Content-Type tells one; empty: none.
    pub extension: String,
    /// How long a path that was given out stays.
    pub lease: Duration,
    /// Most files that are leased at once.
    pub leases: usize,
    /// Most bytes of leased files that the disk store does not have, or has no more.
    pub size: ByteSize,
    /// The number of the group that may read the files; none: nobody but this process's user may.
    pub group: Option<u32>,
    /// Most gets that wait at once.
    pub gets: usize,
    /// Most attempts of a get, where those before failed by what may be over soon.
    pub attempts: usize,
    /// Longest time of a get.
    pub get_timeout: Duration,
    /// The User-Agent of its requests.
    pub user_agent: String,
    /// Most prefetches that wait.
    pub queue: usize,
    /// Most prefetches at once.
    pub concurrency: usize,
    /// How origins that are no site's are asked; has no URLs.
    pub origin: OriginRule,
    /// How what comes from them is stored.
    pub rule: CacheRule,
}

impl Default for LibrarySettings {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            allow_private: false,
            redirects: 10,
            content_types: Vec::new(),
            extension: String::new(),
            lease: Duration::from_secs(30),
            leases: 10_000,
            size: ByteSize::mib(1024),
            group: None,
            gets: 192,
            attempts: 3,
            get_timeout: Duration::from_secs(300),
            user_agent: concat!("hotplate/", env!("CARGO_PKG_VERSION")).to_owned(),
            queue: 100,
            concurrency: 8,
            origin: OriginRule::default(),
            rule: CacheRule::default(),
        }
    }
}

/// A `[[prefetch]]`: what is warmed at start, and from time to time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrefetchRule {
    /// The URLs.
    pub urls: Vec<String>,
    /// A file with a URL on each line, absolute; read anew each time.
    pub file: Option<PathBuf>,
    /// How long after one round the next begins; zero: at start alone.
    pub interval: Duration,
    /// The larger goes first.
    pub priority: usize,
    /// Whether the origin is asked although what is stored is fresh.
    pub refresh: bool,
    /// The profile that the origins are asked with; empty: the ones for their hosts.
    pub profile: String,
    /// The line of the config that it starts on, 1-based, for messages.
    pub line: usize,
}

/// The longest lease.
pub const LEASE_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
