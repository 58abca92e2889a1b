//! Reads through io_uring, for the fill thread: the only file that knows tokio-uring.

use std::io;

use crate::sys::file::HeldFile;

/// A runtime whose tasks can read through a ring.
pub(super) struct RingRuntime(tokio_uring::Runtime);

impl RingRuntime {
    /// Sets a ring up; an error says why there is none (an old kernel, a sandbox, no locked memory).
    pub(super) fn new() -> io::Result<Self> {
        tokio_uring::Runtime::new(&tokio_uring::builder()).map(Self)
    }

    pub(super) fn block_on(&self, work: impl Future<Output = ()>) {
        self.0.block_on(work);
    }
}

/// A file that the ring reads. It shares the open file, and with it the guard, until it is dropped.
pub(super) struct RingFile(tokio_uring::fs::File);

impl RingFile {
    pub(super) fn of(file: &HeldFile) -> io::Result<Self> {
        let second = rustix::io::fcntl_dupfd_cloexec(file, 0)?;
        Ok(Self(tokio_uring::fs::File::from_std(second.into())))
    }

    /// Reads at `offset` into `buffer`, which belongs to the kernel until it comes back.
    pub(super) async fn read(&self, buffer: Vec<u8>, offset: u64) -> (io::Result<usize>, Vec<u8>) {
        self.0.read_at(buffer, offset).await
    }
}
