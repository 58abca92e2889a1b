//! Counted room: bytes of memory or descriptors. Whoever takes some holds a charge, which gives it back when dropped.
//!
//! Threads: shared by `Arc`; taking and giving back are single atomic operations.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A limit and how much of it is taken.
#[derive(Debug)]
pub struct Budget {
    max: u64,
    taken: AtomicU64,
}

/// A part of a budget.
#[derive(Debug)]
pub struct Charge {
    budget: Arc<Budget>,
    amount: u64,
}

impl Budget {
    /// A budget of `max`.
    #[must_use]
    pub fn new(max: u64) -> Arc<Self> {
        Arc::new(Self {
            max,
            taken: AtomicU64::new(0),
        })
    }

    /// The limit.
    #[must_use]
    pub fn max(&self) -> u64 {
        self.max
    }

    /// How much is taken.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// How much is left.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.max.saturating_sub(self.taken())
    }

    /// Takes `amount`; `None` where less is left.
    #[must_use]
    pub fn take(self: &Arc<Self>, amount: u64) -> Option<Charge> {
        let fits = |taken: u64| taken.checked_add(amount).filter(|sum| *sum <= self.max);
        self.taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits)
            .ok()?;
        Some(Charge {
            budget: Arc::clone(self),
            amount,
        })
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.taken.fetch_sub(self.amount, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budget_is_never_exceeded_and_charges_come_back() {
        let budget = Budget::new(10);
        let first = budget.take(7).unwrap();
        assert!(budget.take(4).is_none());
        let second = budget.take(3).unwrap();
        assert_eq!((budget.taken(), budget.left()), (10, 0));
        drop(first);
        assert_eq!(budget.left(), 7);
        assert!(budget.take(u64::MAX).is_none());
        drop(second);
        assert_eq!(budget.taken(), 0);
    }
}
