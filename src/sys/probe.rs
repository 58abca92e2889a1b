//! Finds out at start-up whether io_uring does here what the fast driver needs.

use std::fmt;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use super::ring::{BufferShape, Ring};

/// Why the fast driver can't run here: an ordinary result that selects the epoll driver.
#[derive(Debug)]
pub enum RingMissing {
    /// The ring could not be created.
    Refused(io::Error),
    /// The ring exists, but does not do what the driver needs.
    Lacking(&'static str),
}

impl fmt::Display for RingMissing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => match error.raw_os_error() {
                Some(libc::ENOSYS) => f.write_str("the kernel has no io_uring"),
                Some(libc::EPERM | libc::EACCES) => {
                    f.write_str("io_uring is forbidden here (sysctl kernel.io_uring_disabled or a seccomp filter)")
                }
                Some(libc::EINVAL) => f.write_str("the kernel's io_uring is older than 6.1"),
                _ => write!(f, "io_uring could not be set up: {error}"),
            },
            Self::Lacking(what) => write!(f, "io_uring here lacks {what}"),
        }
    }
}

impl std::error::Error for RingMissing {}

const RECEIVE: u64 = 1;
const TICK: u64 = 2;

/// Sets up a small ring and receives through it the way the driver does.
///
/// # Errors
///
/// What is missing.
pub fn ring() -> Result<(), RingMissing> {
    let mut ring = Ring::new(BufferShape { count: 8, size: 64 }).map_err(RingMissing::Refused)?;
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)
        .map_err(|error| RingMissing::Refused(error.into()))?;
    // Armed before there is anything to read, as most receives are.
    ring.receive(ours.as_fd(), RECEIVE)
        .map_err(RingMissing::Refused)?;
    ring.tick(Duration::from_millis(500), TICK)
        .map_err(RingMissing::Refused)?;
    let mut completions = Vec::new();
    ring.wait(false, &mut completions)
        .map_err(RingMissing::Refused)?;
    for expected in [b"one", b"two"] {
        super::socket::send(&theirs, expected, false).map_err(RingMissing::Refused)?;
        if completions.is_empty() {
            ring.wait(true, &mut completions)
                .map_err(RingMissing::Refused)?;
        }
        let Some(mut completion) = completions.pop() else {
            return Err(RingMissing::Lacking("multishot receive"));
        };
        let (Some(buffer), true) = (completion.take_buffer(), completion.tag == RECEIVE) else {
            return Err(RingMissing::Lacking(
                "multishot receive into provided buffers",
            ));
        };
        if ring.received().bytes(&buffer) != expected || !completion.more() {
            return Err(RingMissing::Lacking("multishot receive that stays armed"));
        }
        ring.give_back(buffer);
    }
    Ok(())
}
