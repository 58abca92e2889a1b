//! `[upload]`, as checked settings.

use std::path::PathBuf;
use std::time::Duration;

use crate::fill::library::HostPattern;
use crate::units::ByteSize;

/// `[upload]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadSettings {
    /// The spool's folder, absolute; empty: `uploads` below the disk store's, or none.
    pub path: PathBuf,
    /// The hosts that files may go to beside those of sites and profiles.
    pub hosts: Vec<HostPattern>,
    /// Whether these may have private addresses, loopback included.
    pub allow_private: bool,
    /// The files of this machine that are read for who names them: absolute paths of files, folders or globs; none: those that everybody,
    /// or the library's group, may read.
    pub files: Vec<PathBuf>,
    /// Most uploads that wait, those that were given up included.
    pub queue: usize,
    /// Most bytes that they take.
    pub size: ByteSize,
    /// Most uploads under way at once.
    pub concurrency: usize,
    /// Files that are larger go to S3 and Azure in parts of this size, or larger ones where there would be too many.
    pub part_size: ByteSize,
    /// The User-Agent of its requests; empty: none.
    pub user_agent: String,
    /// The wait after the first failure; it doubles with each further one.
    pub retry_min: Duration,
    /// The longest wait between two attempts.
    pub retry_max: Duration,
    /// How long an upload is tried for before it is given up.
    pub give_up: Duration,
    /// How long a recording that nobody writes to is kept.
    pub record_limit: Duration,
    /// Whether what was uploaded becomes the cached copy, where the call does not say.
    pub cache: bool,
}

impl UploadSettings {
    /// Whether more than the hosts, the files and the User-Agent differs, which alone can change while the queue lives.
    #[must_use]
    pub fn needs_restart(&self, new: &Self) -> bool {
        let hosts = new.hosts.clone();
        let allow_private = new.allow_private;
        let files = new.files.clone();
        let user_agent = new.user_agent.clone();
        *new != Self {
            hosts,
            allow_private,
            files,
            user_agent,
            ..self.clone()
        }
    }
}

impl Default for UploadSettings {
    fn default() -> Self {
        Self {
            path: PathBuf::new(),
            hosts: Vec::new(),
            allow_private: false,
            files: Vec::new(),
            queue: 10_000,
            size: ByteSize::mib(20 << 10),
            concurrency: 4,
            part_size: ByteSize::mib(16),
            user_agent: concat!("hotplate/", env!("CARGO_PKG_VERSION")).to_owned(),
            retry_min: Duration::from_secs(1),
            retry_max: Duration::from_secs(600),
            give_up: Duration::from_secs(7 * 24 * 3600),
            record_limit: Duration::from_secs(24 * 3600),
            cache: false,
        }
    }
}
