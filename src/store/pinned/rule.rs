//! What the operator asked to pin, as checked settings.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Where a pinned file's bytes live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Hold {
    /// An open descriptor (Apache's CacheFile).
    #[default]
    File,
    /// A shared read-only mapping (Apache's MMapFile).
    Mmap,
    /// A private copy in memory.
    Memory,
}

/// What happens when a pinned file changes on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnChange {
    /// The new content is seen within a second and swapped in atomically.
    #[default]
    Swap,
    /// The content stays as it was at start for as long as that can be true (Apache's way).
    Keep,
}

/// One `[[pin]]` of the config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinRule {
    /// File, directory or glob, absolute.
    pub path: PathBuf,
    /// The URL's fixed part, canonical and starting with `/`; the file's name, or its path below the glob's fixed
    /// part, is appended when it ends with `/`.
    pub url: String,
    /// Host names in lower case without port; empty means every host.
    pub hosts: Vec<String>,
    /// Where the bytes live.
    pub hold: Hold,
    /// What a change on disk does.
    pub on_change: OnChange,
    /// The Cache-Control field's value; empty sends none.
    pub cache_control: String,
    /// The Content-Type field's value; empty takes it from the name.
    pub content_type: String,
    /// The line of the config that the rule starts on, 1-based, for messages.
    pub line: usize,
}

/// Whether a pin's path has a character that means something to a glob. The path of a file that exists is that file
/// all the same.
#[must_use]
pub fn has_wildcard(path: &Path) -> bool {
    let octets = path.as_os_str().as_bytes();
    octets.iter().any(|octet| b"*?[{".contains(octet))
}
