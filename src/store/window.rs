//! The bytes of a body that outgrew what may be stored, on their way to those who were reading it by then.
//!
//! ```text
//!   0 ............ start ............ first ======== end
//!   stored, until all are past it     gone  the window   (the origin is read no further while it is full)
//! ```
//!
//! Whoever reads a body of unknown size has a [`Seat`], which tells how far it has come. While the body is stored, nobody asks.
//! Once the window is open no seats are given any more; what all have read is let go of, so that the slowest sets the pace.
//!
//! Threads: one task writes, workers read; the lock is held for a queue operation, and a body whose window is not open is read
//! without it.
#![expect(
    clippy::disallowed_types,
    reason = "a lock for the time of a few comparisons, of one body, and never on the way of a hit"
)]

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use hashbrown::HashMap;

use super::body::Body;

/// Most pieces in a window, however small they are.
const PIECES_MAX: usize = 4096;

/// The body takes no new readers: it goes on only for those who had begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLate;

/// What the writer learns of its readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// Everybody has read what was stored; told once.
    StorePassed,
    /// Nobody reads any more.
    Unwanted,
}

/// Where the next bytes of a reader stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// Where the body stores them: no more than so many.
    Stored(u64),
    /// In the window: these.
    Bytes(Bytes),
    /// Nowhere any more: the others went on without this reader.
    Lost,
}

/// See the module's header.
#[derive(Debug, Default)]
pub(super) struct Window {
    is_open: AtomicBool,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    readers: HashMap<u64, Progress>,
    seats_given: u64,
    open: Option<Open>,
}

/// How far a reader has come.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// Its next byte, as far as it was asked.
    next: u64,
    /// What that was when slow readers were last looked for.
    before: u64,
}

#[derive(Debug)]
struct Open {
    max: usize,
    /// The end of what is stored.
    start: u64,
    end: u64,
    /// Pieces with their first byte.
    pieces: VecDeque<(u64, Bytes)>,
    bytes: usize,
    is_store_passed: bool,
    is_store_told: bool,
    /// Readers that have not read all of what goes next: the stored bytes, then the front piece.
    behind: usize,
    task: Option<Waker>,
}

impl Open {
    fn front_end(&self) -> u64 {
        match self.pieces.front() {
            _ if !self.is_store_passed => self.start,
            Some((first, bytes)) => first + bytes.len() as u64,
            None => self.end,
        }
    }

    /// Counts who is behind anew, after what goes next has become something else.
    fn count(&mut self, readers: &HashMap<u64, Progress>) {
        let front_end = self.front_end();
        let is_behind = |reader: &&Progress| reader.next < front_end;
        self.behind = readers.values().filter(is_behind).count();
    }

    /// Lets go of what everybody has read.
    fn settle(&mut self, readers: &HashMap<u64, Progress>) {
        while self.behind == 0 {
            if !self.is_store_passed {
                self.is_store_passed = true;
            } else if let Some((_, bytes)) = self.pieces.pop_front() {
                self.bytes -= bytes.len();
            } else {
                break;
            }
            self.count(readers);
        }
        self.wake();
    }

    fn wake(&mut self) {
        if let Some(task) = self.task.take() {
            task.wake();
        }
    }

    fn is_full(&self) -> bool {
        self.bytes >= self.max || self.pieces.len() >= PIECES_MAX
    }
}

impl Window {
    /// Whether it is open: no reader comes aboard any more.
    pub(super) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Acquire)
    }

    /// Opens it behind `start` stored bytes: it takes more while it holds less than `max`.
    pub(super) fn open(&self, start: u64, max: usize) {
        let mut inner = self.lock();
        let Inner { readers, open, .. } = &mut *inner;
        let open = open.insert(Open {
            max,
            start,
            end: start,
            pieces: VecDeque::new(),
            bytes: 0,
            is_store_passed: false,
            is_store_told: false,
            behind: 0,
            task: None,
        });
        open.count(readers);
        open.settle(readers);
        self.is_open.store(true, Ordering::Release);
    }

    /// A new reader's number.
    fn enter(&self) -> Result<u64, TooLate> {
        let mut inner = self.lock();
        if inner.open.is_some() {
            return Err(TooLate);
        }
        inner.seats_given += 1;
        let number = inner.seats_given;
        inner.readers.insert(number, Progress::default());
        Ok(number)
    }

    /// A reader has come to `next`, or has left.
    fn moved(&self, number: u64, next: Option<u64>) {
        let mut inner = self.lock();
        let Inner { readers, open, .. } = &mut *inner;
        let before = match next {
            Some(next) => readers
                .get_mut(&number)
                .map(|reader| std::mem::replace(&mut reader.next, next)),
            None => readers.remove(&number).map(|reader| reader.next),
        };
        let (Some(before), Some(open)) = (before, open) else {
            return;
        };
        let front_end = open.front_end();
        if before < front_end && next.is_none_or(|next| next >= front_end) {
            open.behind -= 1;
            open.settle(readers);
        } else if readers.is_empty() {
            open.wake();
        }
    }

    fn beyond(&self, number: u64, next: u64) -> Beyond {
        let inner = self.lock();
        let Some(open) = &inner.open else {
            return Beyond::Stored(u64::MAX);
        };
        if !inner.readers.contains_key(&number) {
            return Beyond::Lost;
        }
        if next < open.start {
            return Beyond::Stored(open.start - next);
        }
        let behind = open.pieces.partition_point(|(first, _)| *first <= next);
        let piece = behind.checked_sub(1).and_then(|at| open.pieces.get(at));
        let rest = piece.and_then(|(first, bytes)| {
            let skipped = usize::try_from(next - first).ok()?;
            (skipped < bytes.len()).then(|| bytes.slice(skipped..))
        });
        rest.map_or(Beyond::Lost, Beyond::Bytes)
    }

    /// Waits, as the task that writes, until there is room, then puts `bytes`.
    pub(super) fn poll_write(&self, bytes: &Bytes, context: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.lock();
        let Inner { readers, open, .. } = &mut *inner;
        let Some(open) = open else {
            return Poll::Ready(());
        };
        if open.is_full() {
            open.task = Some(context.waker().clone());
            return Poll::Pending;
        }
        if !bytes.is_empty() {
            open.pieces.push_back((open.end, bytes.clone()));
            open.bytes += bytes.len();
            open.end += bytes.len() as u64;
            if open.is_store_passed && open.pieces.len() == 1 {
                open.count(readers);
            }
        }
        Poll::Ready(())
    }

    /// Waits, as the task that writes, for what it has to know of its readers.
    pub(super) fn poll_news(&self, context: &mut Context<'_>) -> Poll<News> {
        let mut inner = self.lock();
        let is_unwanted = inner.readers.is_empty();
        let Some(open) = &mut inner.open else {
            return Poll::Pending;
        };
        if is_unwanted {
            return Poll::Ready(News::Unwanted);
        }
        if open.is_store_passed && !std::mem::replace(&mut open.is_store_told, open.is_store_passed)
        {
            return Poll::Ready(News::StorePassed);
        }
        open.task = Some(context.waker().clone());
        Poll::Pending
    }

    /// The window was full for a while. Goes on without the readers that are furthest behind and have come no further in that while
    /// than a window, where others have read all there is and wait. How many they were.
    pub(super) fn leave_behind(&self) -> usize {
        let mut inner = self.lock();
        let Inner { readers, open, .. } = &mut *inner;
        let Some(open) = open else {
            return 0;
        };
        let others_wait = readers.values().any(|reader| reader.next >= open.end);
        let (front_end, max) = (open.front_end(), open.max as u64);
        let count = readers.len();
        readers.retain(|_, reader| {
            let moved = reader.next - std::mem::replace(&mut reader.before, reader.next);
            !others_wait || reader.next >= front_end || moved >= max
        });
        open.count(readers);
        open.settle(readers);
        count - readers.len()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing that holds the lock can panic half-way.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reader's place. Its bytes stay where it has not been yet, unless others wait for it too long.
#[derive(Debug)]
pub struct Seat {
    body: Arc<Body>,
    number: u64,
}

impl Seat {
    /// A seat at the first byte of `body`; none is needed where its size was known from the start.
    ///
    /// # Errors
    /// [`TooLate`] where it has outgrown the store.
    pub fn of(body: &Arc<Body>) -> Result<Option<Self>, TooLate> {
        let Some(window) = body.window() else {
            return Ok(None);
        };
        let number = window.enter()?;
        Ok(Some(Self {
            body: Arc::clone(body),
            number,
        }))
    }

    fn open(&self) -> Option<&Window> {
        self.body.window().filter(|window| window.is_open())
    }

    /// Tells that all bytes before `next` have been read.
    pub fn advance(&self, next: u64) {
        if let Some(window) = self.open() {
            window.moved(self.number, Some(next));
        }
    }

    /// Where the bytes from `next` on stand, which the body says are there.
    #[must_use]
    pub fn beyond(&self, next: u64) -> Beyond {
        self.open().map_or(Beyond::Stored(u64::MAX), |window| {
            window.beyond(self.number, next)
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(window) = self.body.window() {
            window.moved(self.number, None);
        }
    }
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;
