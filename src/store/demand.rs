//! What the readers of a body wait for that nobody brings unless asked: the gaps of an object that is there in part.
//!
//! Threads: readers ask from any thread; one task is told. How much is asked for is bounded by the readers, each of which
//! waits for one stretch at a time.
#![expect(
    clippy::disallowed_types,
    reason = "a lock for the time of a few comparisons, taken only by readers that have to wait"
)]

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Stretches that readers wait for: first byte and the byte behind the last.
#[derive(Debug, Default)]
pub struct Demand(Mutex<Wanted>);

#[derive(Debug, Default)]
struct Wanted {
    stretches: Vec<(u64, u64)>,
    is_closed: bool,
    waker: Option<Waker>,
}

impl Demand {
    /// Asks for the bytes from `first` to before `end`.
    pub(super) fn ask(&self, first: u64, end: u64) {
        let mut wanted = self.lock();
        if !wanted.stretches.contains(&(first, end)) {
            wanted.stretches.push((first, end));
        }
        wake(wanted);
    }

    /// Nobody asks any more: the body is gone.
    pub(super) fn close(&self) {
        let mut wanted = self.lock();
        wanted.is_closed = true;
        wake(wanted);
    }

    /// What was asked for since the last time; `None` once nobody can ask any more.
    pub fn poll(&self, context: &mut Context<'_>) -> Poll<Option<Vec<(u64, u64)>>> {
        let mut wanted = self.lock();
        if wanted.is_closed {
            return Poll::Ready(None);
        }
        if wanted.stretches.is_empty() {
            wanted.waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Some(std::mem::take(&mut wanted.stretches)))
    }

    fn lock(&self) -> MutexGuard<'_, Wanted> {
        // Nothing that holds the lock can panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
    fn each_stretch_is_told_once_and_a_closed_demand_ends() {
        let demand = Demand::default();
        let context = &mut Context::from_waker(Waker::noop());
        assert!(demand.poll(context).is_pending());
        demand.ask(3, 9);
        demand.ask(0, 2);
        demand.ask(3, 9);
        let Poll::Ready(Some(told)) = demand.poll(context) else {
            panic!("nothing was told");
        };
        assert_eq!(told, [(3, 9), (0, 2)]);
        assert!(demand.poll(context).is_pending());
        demand.ask(0, 2);
        demand.close();
        assert_eq!(demand.poll(context), Poll::Ready(None));
    }
}
