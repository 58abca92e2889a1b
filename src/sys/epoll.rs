//! An edge-triggered epoll set whose entries carry a tag.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

/// Readiness of one descriptor.
#[derive(Clone, Copy, Debug)]
pub struct Readiness {
    /// The tag that the descriptor was added with.
    pub tag: u64,
    /// Bytes, a connection, the end of the stream or an error can be read.
    pub readable: bool,
    /// The other side has sent its last byte, or the connection is broken: reading comes to an end.
    pub ending: bool,
    /// Bytes can be sent, or a send would fail.
    pub writable: bool,
}

/// An epoll set.
pub struct Epoll {
    set: OwnedFd,
    events: Vec<epoll::Event>,
}

impl std::fmt::Debug for Epoll {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Epoll")
            .field("set", &self.set)
            .finish_non_exhaustive()
    }
}

impl Epoll {
    /// An empty set that reports up to `events_max` descriptors a wait.
    ///
    /// # Errors
    ///
    /// Out of descriptors or memory.
    pub fn new(events_max: usize) -> io::Result<Self> {
        let set = epoll::create(CreateFlags::CLOEXEC)?;
        Ok(Self {
            set,
            events: Vec::with_capacity(events_max),
        })
    }

    /// Adds a connection: edge-triggered, both ways.
    ///
    /// # Errors
    ///
    /// Out of memory, or over the user's limit of watches.
    pub fn add_connection(&self, socket: impl AsFd, tag: u64) -> io::Result<()> {
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        Ok(epoll::add(
            &self.set,
            socket,
            EventData::new_u64(tag),
            flags,
        )?)
    }

    /// Adds a listener or an eventfd: level-triggered, reading only.
    ///
    /// # Errors
    ///
    /// As [`Epoll::add_connection`].
    pub fn add_source(&self, source: impl AsFd, tag: u64) -> io::Result<()> {
        Ok(epoll::add(
            &self.set,
            source,
            EventData::new_u64(tag),
            EventFlags::IN,
        )?)
    }

    /// Takes a descriptor out of the set.
    ///
    /// # Errors
    ///
    /// It is not in the set.
    pub fn remove(&self, source: impl AsFd) -> io::Result<()> {
        Ok(epoll::delete(&self.set, source)?)
    }

    /// Waits at most `timeout` and appends what is ready to `ready`.
    ///
    /// # Errors
    ///
    /// The kernel refused to wait; an interrupted wait is no error.
    pub fn wait(&mut self, timeout: Duration, ready: &mut Vec<Readiness>) -> io::Result<()> {
        self.events.clear();
        let nanoseconds = i64::from(timeout.subsec_nanos());
        let seconds = i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX);
        let timeout = rustix::event::Timespec {
            tv_sec: seconds,
            tv_nsec: nanoseconds,
        };
        let spare = rustix::buffer::spare_capacity(&mut self.events);
        match epoll::wait(&self.set, spare, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        ready.extend(self.events.iter().map(|event| {
            let flags = event.flags;
            let failed = flags.intersects(EventFlags::ERR | EventFlags::HUP);
            Readiness {
                tag: event.data.u64(),
                readable: failed || flags.intersects(EventFlags::IN | EventFlags::RDHUP),
                ending: failed || flags.contains(EventFlags::RDHUP),
                writable: failed || flags.contains(EventFlags::OUT),
            }
        }));
        Ok(())
    }
}
