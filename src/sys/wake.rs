//! A wake-up for a thread that waits on a ring or an epoll set: an eventfd.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{EventfdFlags, eventfd};

/// Wakes one waiting thread from any other; wake-ups that come together count as one.
#[derive(Debug)]
pub struct Wake {
    descriptor: OwnedFd,
}

impl Wake {
    /// A new wake-up.
    ///
    /// # Errors
    ///
    /// Out of descriptors.
    pub fn new() -> io::Result<Self> {
        let descriptor = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self { descriptor })
    }

    /// Wakes the thread.
    pub fn wake(&self) {
        // A full counter (EAGAIN) means that a wake-up is pending already; nothing else can fail on an eventfd.
        let written = rustix::io::write(&self.descriptor, &1_u64.to_ne_bytes());
        debug_assert!(written.is_ok() || written == Err(rustix::io::Errno::AGAIN));
    }

    /// Takes the pending wake-up, so that the descriptor is quiet until the next one.
    pub fn take(&self) {
        let mut count = [0_u8; 8];
        let read = rustix::io::read(&self.descriptor, &mut count);
        debug_assert!(read.is_ok() || read == Err(rustix::io::Errno::AGAIN));
    }
}

impl AsFd for Wake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}
