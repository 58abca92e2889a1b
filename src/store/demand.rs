//! Where those stand who read a body that nobody brings unless asked: an object that is there in part.
//!
//! Threads: readers come, move and go on any thread; one task is told. There are no more of them than there are requests.
#![expect(
    clippy::disallowed_types,
    reason = "a lock for the time of a few comparisons, not taken for a body that is all there"
)]

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use hashbrown::HashMap;

/// What a reader reads: the first byte that it has not got yet, and the byte behind the last. None before it has said.
pub type Stretch = Option<(u64, u64)>;

/// See the module's header.
#[derive(Debug, Default)]
pub struct Demand(Mutex<Wanted>);

#[derive(Debug, Default)]
struct Wanted {
    readers: HashMap<u64, Stretch>,
    stands_given: u64,
    is_stirred: bool,
    is_closed: bool,
    waker: Option<Waker>,
}

/// A reader's place: what it reads is brought as long as it has one.
#[derive(Debug)]
pub struct Stand {
    demand: Arc<Demand>,
    number: u64,
}

impl Demand {
    /// A new reader's place.
    pub(super) fn enter(self: &Arc<Self>, stretch: Stretch) -> Stand {
        let mut wanted = self.lock();
        wanted.stands_given += 1;
        let number = wanted.stands_given;
        wanted.readers.insert(number, stretch);
        drop(wanted);
        Stand {
            demand: Arc::clone(self),
            number,
        }
    }

    /// Nobody reads any more: the body is gone.
    pub(super) fn close(&self) {
        let mut wanted = self.lock();
        wanted.is_closed = true;
        wake(wanted);
    }

    /// Waits until a reader has begun to wait, or has gone; false once the body is gone.
    pub(super) fn poll(&self, context: &mut Context<'_>) -> Poll<bool> {
        let mut wanted = self.lock();
        if wanted.is_closed {
            return Poll::Ready(false);
        }
        if !std::mem::take(&mut wanted.is_stirred) {
            wanted.waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(true)
    }

    /// What each reader reads.
    pub(super) fn readers(&self) -> Vec<Stretch> {
        self.lock().readers.values().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Wanted> {
        // Nothing that holds the lock can panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stand {
    /// Notes that the bytes from `first` to before `end` are read next; nothing has to be brought for that yet.
    pub fn read(&self, first: u64, end: u64) {
        self.demand
            .lock()
            .readers
            .insert(self.number, Some((first, end)));
    }

    /// Waits for the bytes from `first` on, and then for those up to before `end`.
    pub fn ask(&self, first: u64, end: u64) {
        let mut wanted = self.demand.lock();
        wanted.readers.insert(self.number, Some((first, end)));
        wanted.is_stirred = true;
        wake(wanted);
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        let mut wanted = self.demand.lock();
        wanted.readers.remove(&self.number);
        wanted.is_stirred = true;
        wake(wanted);
    }
}

fn wake(mut wanted: MutexGuard<'_, Wanted>) {
    let waker = wanted.waker.take();
    drop(wanted);
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_begins_to_wait_or_goes_is_told_once_and_a_closed_demand_ends() {
        let demand = Arc::<Demand>::default();
        let context = &mut Context::from_waker(Waker::noop());
        let (one, other) = (demand.enter(None), demand.enter(Some((0, 2))));
        assert!(demand.poll(context).is_pending());
        one.read(3, 9);
        assert!(demand.poll(context).is_pending());
        one.ask(4, 9);
        other.ask(1, 2);
        assert_eq!(demand.poll(context), Poll::Ready(true));
        assert!(demand.poll(context).is_pending());
        let mut readers = demand.readers();
        readers.sort_unstable();
        assert_eq!(readers, [Some((1, 2)), Some((4, 9))]);
        drop(one);
        assert_eq!(demand.poll(context), Poll::Ready(true));
        assert_eq!(demand.readers(), [Some((1, 2))]);
        demand.close();
        assert_eq!(demand.poll(context), Poll::Ready(false));
    }
}
