//! Counters and gauges of what is no worker's: several threads write them, so each change is an atomic addition. Not for hits.

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// An enum of counters, as `counters!` makes it.
pub trait Countable: Copy + 'static {
    /// How many there are.
    const COUNT: usize;

    /// A counter's place.
    fn index(self) -> usize;
}

/// The values of a table of counters, one for each of `C`.
#[derive(Debug)]
pub struct SharedCounts<C> {
    values: Box<[AtomicU64]>,
    of: PhantomData<C>,
}

impl<C: Countable> Default for SharedCounts<C> {
    /// All of them zero.
    fn default() -> Self {
        Self {
            values: (0..C::COUNT).map(|_| AtomicU64::new(0)).collect(),
            of: PhantomData,
        }
    }
}

impl<C: Countable> SharedCounts<C> {
    fn value(&self, count: C) -> Option<&AtomicU64> {
        self.values.get(count.index())
    }

    /// The value now.
    #[must_use]
    pub fn read(&self, count: C) -> u64 {
        let value = self.value(count);
        value.map_or(0, |value| value.load(Ordering::Relaxed))
    }

    /// Counts one.
    pub fn bump(&self, count: C) {
        self.add(count, 1);
    }

    /// Counts several.
    pub fn add(&self, count: C, more: u64) {
        if let Some(value) = self.value(count) {
            value.fetch_add(more, Ordering::Relaxed);
        }
    }

    /// Sets a gauge.
    pub fn set(&self, gauge: C, now: u64) {
        if let Some(value) = self.value(gauge) {
            value.store(now, Ordering::Relaxed);
        }
    }

    /// Raises a gauge by one, until what is returned is dropped.
    pub fn hold(self: &Arc<Self>, gauge: C) -> Held<C> {
        self.bump(gauge);
        Held {
            counts: Arc::clone(self),
            gauge,
        }
    }

    /// As [`hold`](Self::hold), where the gauge is below `max`.
    #[must_use]
    pub fn hold_below(self: &Arc<Self>, gauge: C, max: u64) -> Option<Held<C>> {
        let value = self.value(gauge)?;
        let raised = |count: u64| (count < max).then_some(count + 1);
        value
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, raised)
            .ok()?;
        Some(Held {
            counts: Arc::clone(self),
            gauge,
        })
    }
}

/// Something that a gauge counts for as long as this lives.
#[derive(Debug)]
#[must_use]
pub struct Held<C: Countable> {
    counts: Arc<SharedCounts<C>>,
    gauge: C,
}

impl<C: Countable> Drop for Held<C> {
    fn drop(&mut self) {
        if let Some(value) = self.counts.value(self.gauge) {
            value.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Counter;

    #[test]
    fn each_counter_has_a_value_of_its_own() {
        let counts = SharedCounts::<Counter>::default();
        for (count, counter) in (1..).zip(Counter::ALL) {
            counts.add(*counter, count);
        }
        for (count, counter) in (1..).zip(Counter::ALL) {
            assert_eq!(counts.read(*counter), count);
        }
        counts.bump(Counter::Turns);
        counts.set(Counter::ConnectionsOpen, 7);
        assert_eq!(counts.read(Counter::ConnectionsOpen), 7);
    }

    #[test]
    fn gauge_counts_what_lives_and_is_not_raised_beyond_its_bound() {
        let counts = Arc::new(SharedCounts::<Counter>::default());
        let gauge = Counter::ConnectionsOpen;
        let first = counts.hold(gauge);
        let second = counts.hold_below(gauge, 2);
        assert!(second.is_some() && counts.hold_below(gauge, 2).is_none());
        assert_eq!(counts.read(gauge), 2);
        drop(first);
        assert!(counts.hold_below(gauge, 2).is_some());
        assert_eq!(counts.read(gauge), 1);
        drop(second);
        assert_eq!(counts.read(gauge), 0);
    }
}
