//! The config file: TOML in, checked settings out, or every mistake in it at once.
//!
//! One table of keys (`keys`) holds each key's default, range and help; reading, messages and the check of
//! `config/hotplate.toml` follow it. `hotplate check`, `hotplate serve` and a reload use the same [`load`], so a config that
//! passes one passes all. Relative paths are below the config file's folder.
//!
//! What is a mistake: anything that could not be served as written. What is none: a pin whose file is missing, which is a
//! warning at start, and globs that overlap, where the first pin of a URL in the file wins.
#![forbid(unsafe_code)]

pub mod cache_contradiction;
pub mod contradiction;
mod contradictions;
mod document;
mod draft;
pub mod fault;
pub mod import;
mod keys;
pub mod mistake;
mod origin_url;
pub mod profile_contradiction;
pub mod profile_fault;
mod profile_values;
pub mod quantity;
mod read;
pub mod reference;
pub mod rule_contradiction;
pub mod rule_fault;
mod rule_values;
mod scalar;
mod shape;
pub mod source;
mod url;
pub mod values;

use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use crate::admin::settings::{AdminAddress, AdminSettings};
use crate::fill::library::{LibrarySettings, PrefetchRule};
use crate::fill::profile::ProfileRule;
use crate::fill::settings::FillSettings;
use crate::fill::upload::UploadSettings;
use crate::index::sites::SiteRule;
use crate::server::settings::{DriverChoice, Limits, ServerSettings};
use crate::store::pinned::PinRule;
use crate::store::tiers::{DiskSettings, MemorySettings};

pub use cache_contradiction::CacheContradiction;
pub use contradiction::Contradiction;
pub use fault::Fault;
pub use mistake::{Cause, Mistake, Mistakes};
pub use profile_contradiction::ProfileContradiction;
pub use profile_fault::ProfileFault;
pub use rule_contradiction::RuleContradiction;
pub use rule_fault::RuleFault;

/// Longest config file: far above any real one, and far below what would hurt to read.
const CONFIG_BYTES_MAX: u64 = 16 << 20;

/// A config's checked settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The workers and their listeners.
    pub server: ServerSettings,
    /// The admin API and the access log.
    pub admin: AdminSettings,
    /// Memory for private copies of pinned files and for the cache.
    pub memory: MemorySettings,
    /// The cache's disk store; none: there is none.
    pub disk: Option<DiskSettings>,
    /// Bounds of fetching from origins.
    pub fill: FillSettings,
    /// The media library.
    pub library: LibrarySettings,
    /// The `[[prefetch]]` tables in the order of the file.
    pub prefetches: Vec<PrefetchRule>,
    /// The `[[pin]]` tables in the order of the file.
    pub pins: Vec<PinRule>,
    /// The `[[site]]` tables in the order of the file.
    pub sites: Vec<SiteRule>,
    /// The `[[profile]]` tables in the order of the file.
    pub profiles: Vec<ProfileRule>,
    /// The queue of uploads.
    pub upload: UploadSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            server: ServerSettings {
                listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))],
                workers: 0,
                driver: DriverChoice::default(),
                limits: Limits::default(),
            },
            admin: AdminSettings {
                address: AdminAddress::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 9090))),
                ..AdminSettings::default()
            },
            memory: MemorySettings::default(),
            disk: None,
            fill: FillSettings::default(),
            library: LibrarySettings::default(),
            prefetches: Vec::new(),
            pins: Vec::new(),
            sites: Vec::new(),
            profiles: Vec::new(),
            upload: UploadSettings::default(),
        }
    }
}

/// Reads and checks the config file at `path`.
///
/// # Errors
/// All mistakes in it, or the one that kept it from being read.
pub fn load(path: impl AsRef<Path>) -> Result<Settings, Mistakes> {
    let file = path.as_ref();
    let whole = |cause| {
        vec![Mistake {
            file: file.to_path_buf(),
            at: None,
            key: String::new(),
            cause,
            excerpt: None,
        }]
    };
    let mut bytes = Vec::new();
    std::fs::File::open(file)
        .and_then(|opened| opened.take(CONFIG_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|error| {
            let reason = error.to_string();
            whole(Cause::Unreadable { reason })
        })?;
    if bytes.len() as u64 > CONFIG_BYTES_MAX {
        let bytes_max = CONFIG_BYTES_MAX;
        return Err(whole(Cause::TooLong { bytes_max }));
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => parse(text, file),
        Err(error) => {
            let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let text = String::from_utf8_lossy(valid);
            let source = source::Source::new(file, &text);
            let mut mistakes = whole(Cause::NotUtf8);
            for mistake in &mut mistakes {
                mistake.at = Some(source.position(text.len()));
            }
            Err(mistakes)
        }
    }
}

/// Checks the config `text` of the file `file`, whose name goes into messages and whose folder relative paths are below.
///
/// # Errors
/// All mistakes in it, in the order of the text.
pub fn parse(text: &str, file: &Path) -> Result<Settings, Mistakes> {
    document::read(source::Source::new(file, text))
}

/// Reads an admin address as `server.admin` has it; a relative socket path is below the current folder.
///
/// # Errors
/// What is wrong with the text.
pub fn admin_address(text: &str) -> Result<AdminAddress, Fault> {
    values::admin_address(text, Path::new(""))
}

#[cfg(test)]
mod tests;
