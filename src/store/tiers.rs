//! What the operator asked of the places where bytes are kept, as checked settings.

use std::path::PathBuf;

use crate::units::ByteSize;

/// `[memory]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemorySettings {
    /// Most bytes that private copies of pinned files and the memory store take together; 0: none.
    pub size: ByteSize,
    /// Largest body that the memory store takes, at most `size`; 0: none.
    pub max_object: ByteSize,
}

impl Default for MemorySettings {
    fn default() -> Self {
        Self {
            size: ByteSize::mib(512),
            max_object: ByteSize::kib(64),
        }
    }
}

/// `[disk]` of a config that has a disk store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskSettings {
    /// The store's own folder, absolute. It may be missing; the folder that it stands in was there when the config was read.
    pub path: PathBuf,
    /// Most bytes on disk.
    pub size: ByteSize,
    /// Largest body that the store takes, at most `size`; 0: no limit of its own.
    pub max_object: ByteSize,
    /// The unit in which bodies are fetched and kept in parts: a power of two from 64 KiB to 16 MiB.
    pub block: ByteSize,
}

impl From<&DiskSettings> for super::disk::DiskSettings {
    fn from(settings: &DiskSettings) -> Self {
        Self {
            path: settings.path.clone(),
            size: settings.size.0,
            max_object: settings.max_object.0,
            block: u32::try_from(settings.block.0).unwrap_or(u32::MAX),
        }
    }
}

impl Default for DiskSettings {
    /// No path; the other keys as they are when they aren't set.
    fn default() -> Self {
        Self {
            path: PathBuf::new(),
            size: ByteSize::mib(20 << 10),
            max_object: ByteSize(0),
            block: ByteSize::mib(1),
        }
    }
}
