//! Bytes in passing: a bounded queue between a worker and a task of the fill thread, for bodies that are not stored.
//!
//! One end is a worker's connection, which never waits: it is told by its mail. The other is a task, which is woken. Either may
//! write. When the queue is full the writer waits, so that the slower side sets the pace; when an end goes away, the other
//! finds out at its next step.
//!
//! Threads: shared by `Arc` between the two ends; the lock is held for a queue operation.
#![expect(
    clippy::disallowed_types,
    reason = "a lock for the time of a few comparisons, of one body, and never on the way of a hit"
)]

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::body::BodyState;
use super::tail::Tail;
use crate::units::Waiter;

/// The queue.
#[derive(Debug)]
pub struct Pipe {
    max: usize,
    inner: Mutex<Inner>,
    tail: Tail,
}

#[derive(Debug)]
struct Inner {
    queue: VecDeque<Bytes>,
    bytes: usize,
    state: BodyState,
    /// The reader wants no more.
    is_abandoned: bool,
    worker: Option<Waiter>,
    task: Option<Waker>,
}

/// What the reader finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Front {
    /// The next bytes, which stay in the queue until they are [consumed](Pipe::consume).
    Bytes(Bytes),
    /// Nothing yet.
    Empty,
    /// Nothing any more: all was written.
    End,
    /// The writer broke off.
    Failed,
}

impl Pipe {
    /// A queue that takes bytes while it holds less than `max`.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self {
            max,
            inner: Mutex::new(Inner {
                queue: VecDeque::new(),
                bytes: 0,
                state: BodyState::Open,
                is_abandoned: false,
                worker: None,
                task: None,
            }),
            tail: Tail::default(),
        }
    }

    /// What comes behind the bytes.
    #[must_use]
    pub fn tail(&self) -> &Tail {
        &self.tail
    }

    /// Whether a writer may write now.
    #[must_use]
    pub fn has_room(&self) -> bool {
        let inner = self.lock();
        inner.bytes < self.max || inner.is_abandoned
    }

    /// Waits, as a task, until there is room, then puts `bytes`; false where the reader has gone.
    pub fn poll_write(&self, bytes: &mut Bytes, context: &mut Context<'_>) -> Poll<bool> {
        let mut inner = self.lock();
        if inner.is_abandoned {
            return Poll::Ready(false);
        }
        if inner.bytes >= self.max {
            inner.task = Some(context.waker().clone());
            return Poll::Pending;
        }
        inner.put(std::mem::take(bytes));
        Poll::Ready(true)
    }

    /// Puts `bytes` as a worker that has seen room, and wakes the task that reads; false where the reader has gone.
    pub fn write(&self, bytes: Bytes) -> bool {
        let mut inner = self.lock();
        if inner.is_abandoned {
            return false;
        }
        inner.put(bytes);
        inner.wake_task();
        true
    }

    /// The writer has written all, or broken off.
    pub fn end(&self, state: BodyState) {
        let mut inner = self.lock();
        if inner.state == BodyState::Open {
            inner.state = state;
        }
        inner.wake_task();
    }

    /// The reader wants no more: what is written from now on goes nowhere.
    pub fn abandon(&self) {
        let mut inner = self.lock();
        inner.is_abandoned = true;
        inner.queue.clear();
        inner.bytes = 0;
        inner.wake_task();
    }

    /// Whether the reader has gone.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.lock().is_abandoned
    }

    /// What comes next.
    #[must_use]
    pub fn front(&self) -> Front {
        self.lock().front()
    }

    /// How many bytes are in the queue.
    #[must_use]
    pub fn held(&self) -> usize {
        self.lock().bytes
    }

    /// Takes `count` bytes, which the front has shown, out of the queue, and wakes the task that writes.
    pub fn consume(&self, count: usize) {
        let mut inner = self.lock();
        inner.consume(count);
        inner.wake_task();
    }

    /// Waits, as a task, for the next bytes and takes them.
    pub fn poll_read(&self, context: &mut Context<'_>) -> Poll<Front> {
        let mut inner = self.lock();
        match inner.front() {
            Front::Empty => {
                inner.task = Some(context.waker().clone());
                Poll::Pending
            }
            Front::Bytes(bytes) => {
                inner.consume(bytes.len());
                Poll::Ready(Front::Bytes(bytes))
            }
            ended => Poll::Ready(ended),
        }
    }

    /// Has the worker told, once, when there is something to read (or when the writer has ended); false where that is so.
    pub fn subscribe_reader(&self, waiter: Waiter) -> bool {
        let mut inner = self.lock();
        let waits = inner.front() == Front::Empty;
        if waits {
            inner.worker = Some(waiter);
        }
        waits
    }

    /// Has the worker told, once, when there is room (or when the reader has gone); false where that is so.
    pub fn subscribe_writer(&self, waiter: Waiter) -> bool {
        let mut inner = self.lock();
        let waits = inner.bytes >= self.max && !inner.is_abandoned;
        if waits {
            inner.worker = Some(waiter);
        }
        waits
    }

    /// The worker that waits; given once. The task asks after each of its steps.
    #[must_use]
    pub fn waiter(&self) -> Option<Waiter> {
        self.lock().worker.take()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing that holds the lock can panic half-way.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn put(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.bytes += bytes.len();
            self.queue.push_back(bytes);
        }
    }

    fn front(&self) -> Front {
        match (self.queue.front(), self.state) {
            (Some(bytes), _) => Front::Bytes(bytes.clone()),
            (None, BodyState::Open) => Front::Empty,
            (None, BodyState::Complete) => Front::End,
            (None, BodyState::Failed) => Front::Failed,
        }
    }

    fn consume(&mut self, mut count: usize) {
        while let Some(bytes) = self.queue.front_mut() {
            let taken = count.min(bytes.len());
            drop(bytes.split_to(taken));
            self.bytes -= taken;
            count -= taken;
            if bytes.is_empty() {
                self.queue.pop_front();
            }
            if count == 0 {
                return;
            }
        }
    }

    fn wake_task(&mut self) {
        if let Some(task) = self.task.take() {
            task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Ticket, WorkerId};

    const WAITER: Waiter = Waiter {
        worker: WorkerId(0),
        ticket: Ticket(7),
    };

    fn bytes(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    fn poll_write(pipe: &Pipe, text: &'static str) -> Poll<bool> {
        pipe.poll_write(&mut bytes(text), &mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn bytes_come_out_in_order_and_the_end_behind_them() {
        let pipe = Pipe::new(100);
        assert_eq!(pipe.front(), Front::Empty);
        assert_eq!(poll_write(&pipe, "hello"), Poll::Ready(true));
        assert_eq!(poll_write(&pipe, "world"), Poll::Ready(true));
        pipe.end(BodyState::Complete);
        assert_eq!(pipe.front(), Front::Bytes(bytes("hello")));
        pipe.consume(3);
        assert_eq!(pipe.front(), Front::Bytes(bytes("lo")));
        pipe.consume(4);
        assert_eq!(pipe.front(), Front::Bytes(bytes("rld")));
        pipe.consume(3);
        assert_eq!(pipe.front(), Front::End);
    }

    #[test]
    fn a_full_queue_takes_no_more_until_something_was_consumed() {
        let pipe = Pipe::new(4);
        assert!(pipe.has_room());
        assert_eq!(poll_write(&pipe, "hello"), Poll::Ready(true));
        assert!(!pipe.has_room());
        assert_eq!(poll_write(&pipe, "x"), Poll::Pending);
        assert!(pipe.subscribe_writer(WAITER));
        pipe.consume(2);
        assert_eq!(pipe.waiter(), Some(WAITER));
        assert_eq!(pipe.waiter(), None);
        assert!(!pipe.subscribe_writer(WAITER));
        assert_eq!(poll_write(&pipe, "x"), Poll::Ready(true));
    }

    #[test]
    fn a_writer_finds_out_that_its_reader_has_gone() {
        let pipe = Pipe::new(1);
        assert_eq!(poll_write(&pipe, "hello"), Poll::Ready(true));
        pipe.abandon();
        assert_eq!(poll_write(&pipe, "x"), Poll::Ready(false));
        assert!(!pipe.write(bytes("x")));
        assert_eq!(pipe.held(), 0);
    }

    #[test]
    fn a_reader_finds_out_that_its_writer_broke_off_after_what_it_wrote() {
        let pipe = Pipe::new(100);
        assert!(pipe.subscribe_reader(WAITER));
        assert!(pipe.write(bytes("half")));
        pipe.end(BodyState::Failed);
        pipe.end(BodyState::Complete);
        assert!(!pipe.subscribe_reader(WAITER));
        let mut context = Context::from_waker(Waker::noop());
        assert_eq!(
            pipe.poll_read(&mut context),
            Poll::Ready(Front::Bytes(bytes("half")))
        );
        assert_eq!(pipe.poll_read(&mut context), Poll::Ready(Front::Failed));
    }
}
