//! Where the bytes of a body stand that is too large for memory of its own.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::MemfdFlags;

use super::disk;

/// A file that holds every byte of a body that is there, at the body's own offsets.
#[derive(Debug)]
pub enum BodyFile {
    /// Anonymous memory: reading it never waits for a device.
    Memory(OwnedFd),
    /// The data file of an object of the disk store.
    Disk(Arc<disk::BodyFile>),
}

impl BodyFile {
    /// Anonymous memory.
    ///
    /// # Errors
    /// Those of memfd_create(2).
    pub fn memory() -> io::Result<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        Ok(Self::Memory(rustix::fs::memfd_create(
            "hotplate-body",
            flags,
        )?))
    }

    /// Whether reading it never waits for a device.
    #[must_use]
    pub fn is_memory(&self) -> bool {
        matches!(self, Self::Memory(_))
    }

    /// Whether what is read of it is what was written: the device has not failed on bytes that it was still to take.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        match self {
            Self::Memory(_) => true,
            Self::Disk(file) => file.is_sound(),
        }
    }

    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// Those of pwrite(2); part of the bytes may be written then.
    pub fn write(&self, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            match rustix::io::pwrite(self, bytes, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    bytes = bytes.get(count..).unwrap_or_default();
                    offset += count as u64;
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Gives back the room of all its bytes. What a socket's queue refers to stays: the kernel lets go of whole pages, and
    /// changes none of them.
    ///
    /// # Errors
    /// Those of ftruncate(2).
    pub fn empty(&self) -> io::Result<()> {
        rustix::fs::ftruncate(self, 0)?;
        if let Self::Disk(file) = self {
            file.was_emptied();
        }
        Ok(())
    }
}

impl AsFd for BodyFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Memory(file) => file.as_fd(),
            Self::Disk(file) => (**file).as_fd(),
        }
    }
}
