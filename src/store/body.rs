//! A body that grows while it is read: that of a response being filled, or of an object some of whose ranges are there.
//!
//! ```text
//!             fill thread                                          workers
//!   BodyWriter ── append, write_at ─▶ memory (first bytes) ─┐
//!                                └──▶ file (all bytes) ──────┴─▶ run_from, memory, file
//!                        wakers ◀──── subscribe (those that found nothing)
//! ```
//!
//! Bytes are written once and never change. The first ones stand in memory; a body that is larger has a file (a data file
//! of the disk store, or anonymous memory), which then holds all of them.
//!
//! Threads: one writer for each stretch, any number of readers. Nothing here waits for anything but a lock that is held for
//! the time of a few comparisons; a complete body is read without it.
#![expect(
    clippy::disallowed_types,
    reason = "a lock for the time of a few comparisons, of one body, and never on the way of a hit"
)]

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rustix::fs::MemfdFlags;

use super::budget::Charge;
use super::ranges::RangeSet;
use super::tail::Tail;
use crate::sys::growing::{GrowingBuffer, GrowingWriter, growing};
use crate::units::Waiter;

/// How a body stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum BodyState {
    /// Bytes may come.
    Open,
    /// All bytes are there.
    Complete,
    /// No more bytes come: the origin broke off, or the store failed.
    Failed,
}

/// Not known yet: no body is that large.
const UNKNOWN: u64 = u64::MAX;

/// The body.
#[derive(Debug)]
pub struct Body {
    memory: GrowingBuffer,
    file: OnceLock<BodyFile>,
    size: AtomicU64,
    state: AtomicU8,
    inner: Mutex<Inner>,
    tail: Tail,
}

/// Where a body stands that is too large for its first bytes' memory.
#[derive(Debug)]
pub struct BodyFile {
    /// The file.
    pub file: OwnedFd,
    /// It is anonymous memory: reading it never waits for a device.
    pub is_memory: bool,
}

#[derive(Debug, Default)]
struct Inner {
    present: RangeSet,
    wakers: Vec<Waiter>,
    charges: Vec<Charge>,
    charged: u64,
}

/// The end that writes.
#[derive(Debug)]
pub struct BodyWriter {
    body: Arc<Body>,
    memory: GrowingWriter,
    /// Where appended bytes go next.
    next: u64,
}

impl Body {
    /// An empty body of which `memory_max` bytes may stand in memory, and the one end that writes. `size` where it is known.
    #[must_use]
    pub fn begin(size: Option<u64>, memory_max: usize) -> BodyWriter {
        let wanted = size.map_or(memory_max, |size| match usize::try_from(size) {
            // What does not fit goes to a file from the start.
            Ok(size) if size <= memory_max => size,
            _ => 0,
        });
        let (writer, memory) = growing(wanted);
        let body = Arc::new(Self {
            memory,
            file: OnceLock::new(),
            size: AtomicU64::new(size.unwrap_or(UNKNOWN)),
            state: AtomicU8::new(BodyState::Open as u8),
            inner: Mutex::default(),
            tail: Tail::default(),
        });
        BodyWriter {
            body,
            memory: writer,
            next: 0,
        }
    }

    /// A body of `size` bytes in `file`, of which those of `present` are there.
    #[must_use]
    pub fn of_file(file: BodyFile, size: u64, present: RangeSet) -> BodyWriter {
        let writer = Self::begin(Some(size), 0);
        let body = &writer.body;
        if body.file.set(file).is_ok() {
            let complete = present.run_from(0) >= size;
            body.lock().present = present;
            if complete {
                body.end(BodyState::Complete);
            }
        }
        writer
    }

    /// The size in bytes, where it is known.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        let size = self.size.load(Ordering::Acquire);
        (size != UNKNOWN).then_some(size)
    }

    /// How it stands.
    #[must_use]
    pub fn state(&self) -> BodyState {
        match self.state.load(Ordering::Acquire) {
            0 => BodyState::Open,
            1 => BodyState::Complete,
            _ => BodyState::Failed,
        }
    }

    /// How many bytes are there without a gap from `first` on.
    #[must_use]
    pub fn run_from(&self, first: u64) -> u64 {
        if self.state() == BodyState::Complete {
            return self.size().unwrap_or(0).saturating_sub(first);
        }
        self.lock().present.run_from(first)
    }

    /// Where the gap that begins at `first` ends: at bytes that are there, or at the body's end.
    #[must_use]
    pub fn gap_end(&self, first: u64) -> u64 {
        let size = self.size().unwrap_or(UNKNOWN);
        self.lock().present.gap_end(first, size)
    }

    /// The ranges that are there.
    #[must_use]
    pub fn present(&self) -> RangeSet {
        self.lock().present.clone()
    }

    /// The bytes that stand in memory from `first` on; none where they must be read from the file.
    #[must_use]
    pub fn memory_from(&self, first: u64) -> Option<&[u8]> {
        let bytes = self.memory.bytes();
        let first = usize::try_from(first).ok()?;
        bytes.get(first..).filter(|rest| !rest.is_empty())
    }

    /// All bytes, where they stand in memory.
    #[must_use]
    pub fn in_memory(&self) -> Option<&[u8]> {
        let bytes = self.memory.bytes();
        let is_all = self.state() == BodyState::Complete && self.size() == Some(bytes.len() as u64);
        is_all.then_some(bytes)
    }

    /// The file, where there is one: then it holds every byte that is there.
    #[must_use]
    pub fn file(&self) -> Option<&BodyFile> {
        self.file.get()
    }

    /// What comes behind it.
    #[must_use]
    pub fn tail(&self) -> &Tail {
        &self.tail
    }

    /// The bytes of memory that it takes, now or when it is complete.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        match self.file() {
            Some(file) if !file.is_memory => 0,
            _ => self.size().unwrap_or(self.memory.capacity() as u64),
        }
    }

    /// Has `waiter` told, once, when more than nothing is there from `first` on, or when the body has ended; false where
    /// that is so already.
    pub fn subscribe(&self, waiter: Waiter, first: u64) -> bool {
        let mut inner = self.lock();
        if self.state() != BodyState::Open || inner.present.run_from(first) > 0 {
            return false;
        }
        if !inner.wakers.contains(&waiter) {
            inner.wakers.push(waiter);
        }
        true
    }

    fn end(&self, state: BodyState) {
        // Under the lock, so that nobody subscribes to a body that has just ended.
        let _inner = self.lock();
        self.state.store(state as u8, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing that holds the lock can panic half-way.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BodyWriter {
    /// The body.
    #[must_use]
    pub fn body(&self) -> &Arc<Body> {
        &self.body
    }

    /// How many bytes have been appended.
    #[must_use]
    pub fn appended(&self) -> u64 {
        self.next
    }

    /// How many bytes can be appended before a file is needed.
    #[must_use]
    pub fn memory_room(&self) -> usize {
        if self.body.file.get().is_some() {
            0
        } else {
            self.memory.room()
        }
    }

    /// Notes that the body holds `amount` of a budget while it is under way.
    pub fn charge(&self, charge: Charge, amount: u64) {
        let mut inner = self.body.lock();
        inner.charges.push(charge);
        inner.charged += amount;
    }

    /// How much the body holds of the budget.
    #[must_use]
    pub fn charged(&self) -> u64 {
        self.body.lock().charged
    }

    /// Moves the body to `file`, which must be empty: what stands in memory is written there too.
    ///
    /// # Errors
    /// Those of pwrite(2). The body must then be failed.
    pub fn spill(&mut self, file: BodyFile) -> io::Result<()> {
        write_all(&file.file, self.body.memory.bytes(), 0)?;
        self.body.file.set(file).ok();
        Ok(())
    }

    /// Moves the body to anonymous memory; see [`spill`](Self::spill).
    ///
    /// # Errors
    /// Those of memfd_create(2) and pwrite(2).
    pub fn spill_to_memory(&mut self) -> io::Result<()> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = rustix::fs::memfd_create("hotplate-body", flags)?;
        self.spill(BodyFile {
            file,
            is_memory: true,
        })
    }

    /// Appends bytes: to the file where there is one, else to memory. Readers see them, but nobody is woken before
    /// [`wakers`](Self::wakers) are.
    ///
    /// # Errors
    /// Those of pwrite(2); `StorageFull` where memory has no room and there is no file. Readers see none of the bytes then.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let end = self.next.saturating_add(bytes.len() as u64);
        match self.body.file.get() {
            Some(file) => write_all(&file.file, bytes, self.next)?,
            None if self.memory.append(bytes) => {}
            None => return Err(io::ErrorKind::StorageFull.into()),
        }
        self.body.lock().present.add(self.next, end);
        self.next = end;
        Ok(())
    }

    /// Notes that the bytes from `first` to before `end` were written to the file by somebody else.
    pub fn wrote(&mut self, first: u64, end: u64) {
        self.body.lock().present.add(first, end);
        self.next = end;
    }

    /// Whoever waits for bytes or for the end; each is given once.
    #[must_use]
    pub fn wakers(&self) -> Vec<Waiter> {
        std::mem::take(&mut self.body.lock().wakers)
    }

    /// All bytes are there; their number becomes the size where none was known. False, and the body has failed, where the
    /// size was another.
    pub fn complete(&mut self) -> bool {
        let body = &self.body;
        if body.state() == BodyState::Failed {
            return false;
        }
        let known = body.size();
        let total = body.lock().present.total();
        if known.is_some_and(|size| size != total) {
            body.end(BodyState::Failed);
            return false;
        }
        body.size.store(total, Ordering::Release);
        body.end(BodyState::Complete);
        body.lock().charges.clear();
        true
    }

    /// No more bytes come.
    pub fn fail(&mut self) {
        if self.body.state() == BodyState::Open {
            self.body.end(BodyState::Failed);
            self.body.lock().charges.clear();
        }
    }
}

fn write_all(file: &OwnedFd, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::pwrite(file, bytes, offset) {
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

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
