//! Why a file is not held, or not as its rule asks, in words that say what the operator can do.

use std::io;

use crate::sys::guard::GuardRefused;
use crate::units::ByteSize;

/// Why a file was not loaded. The text says what the operator can do.
#[derive(Debug)]
pub enum LoadError {
    /// Nothing has this name.
    Missing,
    /// The name is a directory's.
    Directory,
    /// The name is not a regular file's.
    NotRegular,
    /// This process may not read it.
    NotReadable,
    /// A symbolic link leads out of the site's root.
    OutsideRoot,
    /// Somebody is writing to it, or was less than a moment ago.
    ChangingNow,
    /// Somebody waits to write to it until answers under way have let go of it.
    WriterWaits,
    /// No descriptor is left for it.
    OutOfDescriptors {
        /// The limit for files of this kind.
        max: u64,
    },
    /// The file system failed.
    Io(io::Error),
}

impl std::fmt::Display for LoadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing => f.write_str("there is no such file"),
            Self::Directory => f.write_str("it is a directory; only its files can be served"),
            Self::NotRegular => f.write_str("it is not a regular file"),
            Self::NotReadable => f.write_str(
                "the server may not read it: give its user read access to the file and the folders above it",
            ),
            Self::OutsideRoot => f.write_str("a symbolic link leads out of the site's root"),
            Self::ChangingNow => f.write_str("another program is writing to it"),
            Self::WriterWaits => f.write_str(
                "another program waits to write to it until answers under way have let go of it",
            ),
            Self::OutOfDescriptors { max } => write!(
                f,
                "all {max} descriptors for files are in use: raise the limit of open files, pin fewer files or use \
                 hold = \"memory\" for small ones"
            ),
            Self::Io(error) => write!(f, "the file system failed: {error}"),
        }
    }
}

impl std::error::Error for LoadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for LoadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Why a file is held otherwise than its rule asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortfall {
    /// There is no write guard, so each piece is verified before it is sent.
    Unguarded(GuardRefused),
    /// The memory budget has no room for a copy, so the descriptor is held.
    OverBudget {
        /// What the copy takes.
        needed: ByteSize,
        /// What was left.
        left: ByteSize,
    },
    /// The process has no room for another mapping, so the descriptor is held.
    Unmapped,
}

impl std::fmt::Display for Shortfall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unguarded(reason) => write!(
                f,
                "not guarded against writers, so every piece is verified before it is sent: {reason}"
            ),
            Self::OverBudget { needed, left } => write!(
                f,
                "held as a file: a copy needs {needed}, of [memory] size {left} is left"
            ),
            Self::Unmapped => f.write_str("held as a file: no room to map it (vm.max_map_count)"),
        }
    }
}
