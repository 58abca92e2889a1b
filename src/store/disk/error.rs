//! Why the store did not do what it was asked, and why it may do nothing at all for a while.

use std::io;

use rustix::io::Errno;

use crate::units::UnixSeconds;

/// Why a call to the store failed. Whose fault it was stands at each cause.
#[derive(Debug)]
#[non_exhaustive]
pub enum DiskError {
    /// Another process has the folder; its pid, where the lock file tells. The operator's.
    Held {
        /// The holder.
        pid: Option<u32>,
    },
    /// The metadata was written by another version of the program. The operator's; nothing is touched.
    UnknownFormat {
        /// The version found.
        found: u32,
        /// The version that this program writes.
        known: u32,
    },
    /// The settings can't be met. The operator's.
    Settings(&'static str),
    /// The folder can't be opened or made. The operator's.
    Folder(io::Error),
    /// The store stands down (see [`Health`]); nothing was done. The system's.
    StoodDown,
    /// A call to the file system failed, for this object alone. The system's.
    File(io::Error),
    /// The metadata could not be read or written: the store stands down. The system's.
    Metadata(String),
    /// The object is larger than the store, or than its `max_object`. The origin's.
    TooLarge,
    /// A key, variant, metadata block or tag is too long, or there are too many tags. The caller's.
    TooLong,
    /// Everything left is being written, so nothing can be evicted.
    NoRoom,
    /// The object was evicted or removed meanwhile.
    Gone,
    /// Who had it written does not want it any more (see `Writer::publish_if`).
    Unwanted,
    /// Bytes are missing that the object needs to be complete. The origin's, or the caller's.
    Incomplete,
    /// The bytes lie behind the object's end. The origin's, or the caller's.
    BeyondEnd,
    /// Another writer is at this block.
    BlockClaimed(u64),
    /// This block is there already, and never changes.
    BlockPresent(u64),
    /// The writes to one block lie in too many pieces. The caller's.
    Scattered,
}

impl std::fmt::Display for DiskError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Held { pid: Some(pid) } => {
                write!(f, "the folder is in use by the process {pid}")
            }
            Self::Held { pid: None } => f.write_str("the folder is in use by another process"),
            Self::UnknownFormat { found, known } => write!(
                f,
                "the folder's metadata has format {found}, this program knows format {known}: empty the folder, or use \
                 the program that wrote it"
            ),
            Self::Settings(what) => f.write_str(what),
            Self::Folder(error) => write!(f, "the folder can't be used: {error}"),
            Self::StoodDown => f.write_str("the disk store stands down"),
            Self::File(error) => write!(f, "a file of the disk store failed: {error}"),
            Self::Metadata(what) => write!(f, "the disk store's metadata failed: {what}"),
            Self::TooLarge => f.write_str("the object is too large for the disk store"),
            Self::TooLong => f.write_str("the object's key, metadata or tags are too long"),
            Self::NoRoom => f.write_str("nothing can be evicted from the disk store"),
            Self::Gone => f.write_str("the object is gone"),
            Self::Unwanted => f.write_str("the object is not wanted any more"),
            Self::Incomplete => f.write_str("bytes of the object are missing"),
            Self::BeyondEnd => f.write_str("bytes lie behind the object's end"),
            Self::BlockClaimed(block) => write!(f, "block {block} is being written"),
            Self::BlockPresent(block) => write!(f, "block {block} is there already"),
            Self::Scattered => f.write_str("writes to a block lie in too many pieces"),
        }
    }
}

impl std::error::Error for DiskError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Folder(error) | Self::File(error) => Some(error),
            _ => None,
        }
    }
}

/// Why the store stands down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The file system is full although objects were evicted.
    NoSpace,
    /// The file system is mounted read-only, or the folder may not be written to.
    ReadOnly,
    /// The folder, or a part of it, went away.
    FolderGone,
    /// The device failed.
    Device,
    /// The metadata is damaged; it is set aside by the next probe.
    Metadata,
}

impl Why {
    /// Whether bytes that are written and not synced may be lost with it, while the system runs.
    pub(super) const fn spoils_unsynced(self) -> bool {
        matches!(self, Self::ReadOnly | Self::FolderGone | Self::Device)
    }

    /// What an error of the file system means for the whole store.
    #[must_use]
    pub fn of_io(error: &io::Error) -> Self {
        match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::NOSPC | Errno::DQUOT) => Self::NoSpace,
            Some(Errno::ROFS | Errno::ACCESS | Errno::PERM) => Self::ReadOnly,
            Some(Errno::NOENT | Errno::NOTDIR | Errno::STALE | Errno::LOOP | Errno::XDEV) => {
                Self::FolderGone
            }
            None if error.kind() == io::ErrorKind::InvalidData => Self::Metadata,
            _ => Self::Device,
        }
    }
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NoSpace => "the file system is full",
            Self::ReadOnly => "the folder may not be written to",
            Self::FolderGone => "the folder went away",
            Self::Device => "the device failed",
            Self::Metadata => "the metadata is damaged",
        })
    }
}

/// Whether the store works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Working,
    /// Every call fails with [`DiskError::StoodDown`] until a probe succeeds.
    StoodDown {
        /// When it began.
        since: UnixSeconds,
        /// Why.
        why: Why,
    },
}

/// Whether an error says that the process, not the store, ran out of something: the next try may succeed.
pub(super) fn is_passing(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(
        errno,
        Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::INTR | Errno::AGAIN)
    )
}

/// Whether the file system has no room left.
pub(super) fn is_full(error: &io::Error) -> bool {
    Why::of_io(error) == Why::NoSpace
}
