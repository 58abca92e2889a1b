//! A body that grows while it is read: that of a response being filled, or of an object some of whose ranges are there.
//!
//! ```text
//!             fill thread                                          workers
//!   BodyWriter ── append ──▶ memory (first bytes) ──┐
//!        │                                          ├─▶ run_from, memory_from, file_from
//!        └─── spill, then ──┐                       │
//!   SparseWriter ── write ──┴─▶ file (all bytes) ───┘
//!        wakers ◀──── subscribe (those that found nothing; of a sparse body, they also ask for it from their stand)
//! ```
//!
//! Bytes are written once and never change. The first ones stand in memory; a body that is larger has a file, which then holds
//! all of them. Where that file takes no more, a spare one in memory takes the rest. A body of unknown size that outgrows what may
//! be stored goes on through a window, for those who read it by then (`store::window`).
//!
//! Threads: one writer for each stretch, any number of readers. Nothing here waits for anything but a lock that is held for
//! the time of a few comparisons; a complete body is read without it.
#![expect(
    clippy::disallowed_types,
    reason = "a lock for the time of a few comparisons, of one body, and never on the way of a hit"
)]

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;

use super::body_fault::BodyFault;
use super::body_file::BodyFile;
use super::budget::Charge;
use super::demand::{Demand, Stand, Stretch};
use super::ranges::RangeSet;
use super::tail::Tail;
use super::window::{News, Window};
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
    /// Where further bytes go since `file` took no more.
    spare: OnceLock<BodyFile>,
    size: AtomicU64,
    state: AtomicU8,
    /// Why it has failed; the first reason counts.
    fault: OnceLock<BodyFault>,
    /// Who brings what readers wait for; none of a body that comes in order by itself.
    demand: Option<Arc<Demand>>,
    /// All of it is on its way.
    is_coming: AtomicBool,
    inner: Mutex<Inner>,
    tail: Tail,
    /// Where it goes on when it outgrows the store; none of a body whose size is known from the start.
    window: Option<Window>,
}

#[derive(Debug, Default)]
struct Inner {
    present: RangeSet,
    /// Those that are in the file and not verified yet: at hand, but not to be read.
    unverified: RangeSet,
    /// Those of `present` that stand in the spare file.
    in_spare: RangeSet,
    wakers: Vec<Waiter>,
    charges: Vec<Charge>,
    charged: u64,
    /// For its files, as long as anybody has it.
    descriptors: Vec<Charge>,
}

impl Inner {
    /// Whether the bytes from `first` to before `end` are all at hand, verified or not.
    fn has(&self, first: u64, end: u64) -> bool {
        let mut at = first;
        while at < end {
            let run = self.present.run_from(at).max(self.unverified.run_from(at));
            if run == 0 {
                return false;
            }
            at = at.saturating_add(run);
        }
        true
    }
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
        BodyWriter {
            body: Arc::new(Self::empty(memory, size)),
            memory: writer,
            next: 0,
        }
    }

    fn empty(memory: GrowingBuffer, size: Option<u64>) -> Self {
        Self {
            memory,
            file: OnceLock::new(),
            spare: OnceLock::new(),
            size: AtomicU64::new(size.unwrap_or(UNKNOWN)),
            state: AtomicU8::new(BodyState::Open as u8),
            fault: OnceLock::new(),
            demand: None,
            is_coming: AtomicBool::new(true),
            tail: Tail::default(),
            inner: Mutex::default(),
            window: size.is_none().then(Window::default),
        }
    }

    /// See [`sparse`](Self::sparse).
    pub(super) fn in_file(
        file: BodyFile,
        size: u64,
        (present, unverified): (RangeSet, RangeSet),
        demand: Arc<Demand>,
    ) -> Self {
        let (_, memory) = growing(0);
        let is_whole = present.run_from(0) >= size;
        let mut body = Self::empty(memory, Some(size));
        body.file = OnceLock::from(file);
        body.demand = Some(demand);
        body.is_coming = AtomicBool::new(false);
        let mut inner = body.lock();
        inner.present = present;
        inner.unverified = unverified;
        drop(inner);
        if is_whole {
            body.end(BodyState::Complete);
        }
        body
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

    /// Why no more bytes come, of one that has failed.
    #[must_use]
    pub fn fault(&self) -> Option<BodyFault> {
        self.fault.get().copied()
    }

    /// How many bytes are there without a gap from `first` on.
    #[must_use]
    pub fn run_from(&self, first: u64) -> u64 {
        if self.state() == BodyState::Complete {
            return self.size().unwrap_or(0).saturating_sub(first);
        }
        self.lock().present.run_from(first)
    }

    /// The ranges that are there.
    #[must_use]
    pub fn present(&self) -> RangeSet {
        self.lock().present.clone()
    }

    /// Whether the bytes from `first` to before `end` are all at hand, or on their way whoever asks.
    #[must_use]
    pub fn is_at_hand(&self, first: u64, end: u64) -> bool {
        if self.state() != BodyState::Open || self.is_coming.load(Ordering::Relaxed) {
            return true;
        }
        self.lock().has(first, end)
    }

    /// Whether all of it is in its file or in memory, verified or not, so that nothing of it has to be fetched.
    #[must_use]
    pub fn has_all(&self) -> bool {
        if self.state() == BodyState::Complete {
            return true;
        }
        let Some(size) = self.size() else {
            return false;
        };
        self.lock().has(0, size)
    }

    /// Whether all of it is on its way, whoever asks.
    #[must_use]
    pub fn is_coming(&self) -> bool {
        self.is_coming.load(Ordering::Relaxed)
    }

    /// Notes whether all of it is on its way, whoever asks.
    pub(super) fn set_coming(&self, is_coming: bool) {
        self.is_coming.store(is_coming, Ordering::Relaxed);
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

    /// The file, where there is one.
    #[must_use]
    pub fn file(&self) -> Option<&BodyFile> {
        self.file.get()
    }

    /// The file in which the bytes from `first` on stand, and how many of them stand in it at most; none where they stand in
    /// memory alone.
    #[must_use]
    pub fn file_from(&self, first: u64) -> Option<(&BodyFile, u64)> {
        let file = self.file.get()?;
        let Some(spare) = self.spare.get() else {
            return Some((file, u64::MAX));
        };
        let inner = self.lock();
        match inner.in_spare.run_from(first) {
            0 => Some((file, inner.in_spare.gap_end(first, u64::MAX) - first)),
            run => Some((spare, run)),
        }
    }

    /// Whether its file has all of it: none of it stands in a spare one, or went on through the window.
    #[must_use]
    pub fn is_kept_in_its_file(&self) -> bool {
        self.spare.get().is_none() && self.takes_readers()
    }

    /// Whether its file holds what was written to it: see [`BodyFile::is_sound`].
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.file().is_none_or(BodyFile::is_sound)
    }

    /// Whether it is for anybody who comes: it has not outgrown the store.
    #[must_use]
    pub fn takes_readers(&self) -> bool {
        !self.window().is_some_and(Window::is_open)
    }

    /// Gives back the room of what was stored, which nobody reads any more: every reader is past it. May wait for a
    /// device.
    ///
    /// # Errors
    /// Those of ftruncate(2).
    pub fn forget_stored(&self) -> io::Result<()> {
        let files = [self.file.get(), self.spare.get()];
        for file in files.into_iter().flatten() {
            file.empty()?;
        }
        self.lock().charges.clear();
        Ok(())
    }

    pub(super) fn window(&self) -> Option<&Window> {
        self.window.as_ref()
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
            Some(file) if !file.is_memory() => 0,
            _ => self.size().unwrap_or(self.memory.capacity() as u64),
        }
    }

    /// Whether somebody brings what readers wait for.
    #[must_use]
    pub fn is_sparse(&self) -> bool {
        self.demand.is_some()
    }

    /// The place of somebody who begins to read `stretch`; none where nobody has to know of it.
    #[must_use]
    pub fn stand(&self, stretch: Stretch) -> Option<Stand> {
        let demand = self.demand.as_ref()?;
        (self.state() == BodyState::Open).then(|| demand.enter(stretch))
    }

    /// Has `waiter` told, once, when more than nothing is there from `first` on, or when the body has ended; false where
    /// that is so already. The bytes of a sparse body are brought to who asks for them by its [`Stand`] alone.
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

    /// Where a sparse body's further bytes go.
    pub(super) fn spare_or_file(&self) -> Option<&BodyFile> {
        self.spare.get().or_else(|| self.file.get())
    }

    /// Has further bytes written to `spare`, which takes `descriptor`.
    pub(super) fn set_spare(&self, spare: BodyFile, descriptor: Charge) -> io::Result<()> {
        // Once: a spare file is memory, and takes all that follows.
        self.spare.set(spare).ok();
        self.hold_descriptor(descriptor);
        Ok(())
    }

    /// Lets readers see bytes.
    fn note(&self, first: u64, end: u64) -> MutexGuard<'_, Inner> {
        let mut inner = self.lock();
        if self.spare.get().is_some() {
            inner.in_spare.add(first, end);
        }
        inner.present.add(first, end);
        inner
    }

    /// Lets readers see bytes of a sparse body, which is complete with the last of them.
    pub(super) fn add(&self, first: u64, end: u64) {
        let inner = self.note(first, end);
        if self.size() == Some(inner.present.total()) && self.state() == BodyState::Open {
            self.state
                .store(BodyState::Complete as u8, Ordering::Release);
            drop(inner);
            self.give_back();
        }
    }

    pub(super) fn charge(&self, charge: Charge, amount: u64) {
        let mut inner = self.lock();
        inner.charges.push(charge);
        inner.charged += amount;
    }

    /// Holds the charge of a file's descriptor as long as anybody has the body.
    pub(super) fn hold_descriptor(&self, charge: Charge) {
        self.lock().descriptors.push(charge);
    }

    pub(super) fn charged(&self) -> u64 {
        self.lock().charged
    }

    pub(super) fn wakers(&self) -> Vec<Waiter> {
        std::mem::take(&mut self.lock().wakers)
    }

    pub(super) fn fail(&self, fault: BodyFault) {
        if self.state() == BodyState::Open {
            // Before the state, so that who sees that finds it.
            self.fault.get_or_init(|| fault);
            self.end(BodyState::Failed);
        }
    }

    /// It is whole, and whoever stores it counts it from now on. What nobody stores, because it went on through the window or in a
    /// spare file, holds its room as long as somebody reads it; so does what has failed.
    fn give_back(&self) {
        if self.is_kept_in_its_file() {
            self.lock().charges.clear();
        }
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
        self.body.charge(charge, amount);
    }

    /// How much the body holds of the budget.
    #[must_use]
    pub fn charged(&self) -> u64 {
        self.body.charged()
    }

    /// Notes that a file of the body takes a descriptor, as long as anybody has the body.
    pub fn hold_descriptor(&self, charge: Charge) {
        self.body.hold_descriptor(charge);
    }

    /// Moves the body to `file`, which must be empty: what stands in memory is written there too.
    ///
    /// # Errors
    /// Those of pwrite(2). The body must then be failed.
    pub fn spill(&mut self, file: BodyFile) -> io::Result<()> {
        file.write(self.body.memory.bytes(), 0)?;
        self.body.file.set(file).ok();
        Ok(())
    }

    /// Has the body go on in `file`, to which somebody else has written what stands in memory.
    pub fn go_on_in(&mut self, file: BodyFile) {
        self.body.file.set(file).ok();
    }

    /// Has all further bytes appended to anonymous memory, which takes `descriptor`: the file takes no more.
    ///
    /// # Errors
    /// Those of memfd_create(2).
    pub fn turn_to_memory(&mut self, descriptor: Charge) -> io::Result<()> {
        self.body.set_spare(BodyFile::memory()?, descriptor)
    }

    /// Moves the body to anonymous memory; see [`spill`](Self::spill).
    ///
    /// # Errors
    /// Those of memfd_create(2) and pwrite(2).
    pub fn spill_to_memory(&mut self) -> io::Result<()> {
        self.spill(BodyFile::memory()?)
    }

    /// Appends bytes: to the file where there is one, else to memory. Readers see them, but nobody is woken before
    /// [`wakers`](Self::wakers) are.
    ///
    /// # Errors
    /// Those of pwrite(2); `StorageFull` where memory has no room and there is no file. Readers see none of the bytes then.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let end = self.next.saturating_add(bytes.len() as u64);
        match self.body.spare_or_file() {
            Some(file) => file.write(bytes, self.next)?,
            None if self.memory.append(bytes) => {}
            None => return Err(io::ErrorKind::StorageFull.into()),
        }
        drop(self.body.note(self.next, end));
        self.next = end;
        Ok(())
    }

    /// Has further bytes go through a window that holds little more than `max` of them: they are not stored; why not.
    pub fn open_window(&mut self, max: usize, why: BodyFault) {
        if let Some(window) = self.body.window() {
            // Before the window is open, so that who sees that finds it.
            self.body.fault.get_or_init(|| why);
            window.open(self.next, max);
        }
    }

    /// Waits until the window has room, then appends bytes to it. Readers see them, but nobody is woken before
    /// [`wakers`](Self::wakers) are.
    pub fn poll_pass(&mut self, bytes: &Bytes, context: &mut Context<'_>) -> Poll<()> {
        let Some(window) = self.body.window() else {
            return Poll::Ready(());
        };
        if window.poll_write(bytes, context).is_pending() {
            return Poll::Pending;
        }
        let end = self.next.saturating_add(bytes.len() as u64);
        self.body.lock().present.add(self.next, end);
        self.next = end;
        Poll::Ready(())
    }

    /// Waits for what is to be known of the window's readers.
    pub fn poll_news(&self, context: &mut Context<'_>) -> Poll<News> {
        let window = self.body.window();
        window.map_or(Poll::Pending, |window| window.poll_news(context))
    }

    /// Goes on without the readers that others have waited for too long. How many they were.
    pub fn leave_behind(&self) -> usize {
        self.body.window().map_or(0, Window::leave_behind)
    }

    /// Notes that the bytes from `first` to before `end` were written to the file by somebody else.
    pub fn wrote(&mut self, first: u64, end: u64) {
        drop(self.body.note(first, end));
        self.next = end;
    }

    /// Whoever waits for bytes or for the end; each is given once.
    #[must_use]
    pub fn wakers(&self) -> Vec<Waiter> {
        self.body.wakers()
    }

    /// All bytes are there, and their number is the size from now on; nobody is told of the end yet. False, and the body has
    /// failed, where the size was another.
    pub fn settle_size(&mut self) -> bool {
        let body = &self.body;
        let total = body.lock().present.total();
        if body.state() == BodyState::Failed || body.size().is_some_and(|size| size != total) {
            body.fail(BodyFault::BrokenOff);
            return false;
        }
        body.size.store(total, Ordering::Release);
        true
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
            body.fail(BodyFault::BrokenOff);
            return false;
        }
        body.size.store(total, Ordering::Release);
        body.end(BodyState::Complete);
        body.give_back();
        true
    }

    /// No more bytes come.
    pub fn fail(&mut self, fault: BodyFault) {
        self.body.fail(fault);
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if let Some(demand) = &self.demand {
            demand.close();
        }
    }
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
