//! How often a cached value was hit, as far as eviction cares: a counter from 0 to 3 that lives in the value itself.
//!
//! Threads: workers bump it, the writer of the index lowers it. Both are a relaxed load and a relaxed store, so a bump
//! may be lost when two meet; eviction then thinks a little less of the value. Once the counter stands at its top a hit
//! reads it and writes nothing, so a hot value's cache line stays shared between cores.

use std::sync::atomic::{AtomicU8, Ordering};

/// The top of the counter: two bits.
const USES_MAX: u8 = 3;
/// Beside the counter: there was a hit since [`UseCount::take_recent`] was last called.
const RECENT: u8 = 4;
/// The same for [`UseCount::take_held`].
const HELD: u8 = 8;

/// A saturating counter of hits.
#[derive(Debug, Default)]
pub struct UseCount(AtomicU8);

/// Something that counts its own hits.
pub trait Counted {
    /// The count.
    fn uses(&self) -> &UseCount;
}

impl UseCount {
    /// A count of zero.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicU8::new(0))
    }

    /// Counts a hit.
    pub fn bump(&self) {
        let held = self.0.load(Ordering::Relaxed);
        let bumped = RECENT | HELD | (held & USES_MAX).saturating_add(1).min(USES_MAX);
        if bumped != held {
            self.0.store(bumped, Ordering::Relaxed);
        }
    }

    /// The count, 0 to 3.
    #[must_use]
    pub fn count(&self) -> u8 {
        self.0.load(Ordering::Relaxed) & USES_MAX
    }

    /// Whether there was a hit since this was last called: another tier that keeps the value asks before it evicts it there.
    #[must_use]
    pub fn take_recent(&self) -> bool {
        self.take(RECENT)
    }

    /// As [`take_recent`](Self::take_recent), for whoever rations the descriptors that values hold.
    #[must_use]
    pub fn take_held(&self) -> bool {
        self.take(HELD)
    }

    fn take(&self, flag: u8) -> bool {
        let held = self.0.load(Ordering::Relaxed);
        if held & flag != 0 {
            self.0.store(held & !flag, Ordering::Relaxed);
        }
        held & flag != 0
    }

    /// Takes one hit off and halves the rest: 3 becomes 1, 2 and 1 become 0. False where there was none.
    pub(super) fn spend(&self) -> bool {
        let held = self.0.load(Ordering::Relaxed);
        let uses = held & USES_MAX;
        if uses > 0 {
            let left = (uses - 1) / 2;
            self.0.store(held & !USES_MAX | left, Ordering::Relaxed);
        }
        uses > 0
    }

    /// Sets the count to that of the value which this one takes the place of.
    pub(super) fn inherit(&self, from: &Self) {
        let held = from.0.load(Ordering::Relaxed);
        self.0.store(held, Ordering::Relaxed);
    }
}

impl<T: Counted> Counted for std::sync::Arc<T> {
    fn uses(&self) -> &UseCount {
        (**self).uses()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hit_is_recent_once_and_that_changes_no_count() {
        let uses = UseCount::new();
        assert!(!uses.take_recent());
        for count in [1, 2, 3, 3] {
            uses.bump();
            assert_eq!(uses.count(), count);
        }
        assert!(uses.take_recent());
        assert!(!uses.take_recent());
        assert!(uses.take_held());
        assert!(!uses.take_held());
        assert_eq!(uses.count(), 3);
        uses.bump();
        assert!(uses.spend());
        assert_eq!(uses.count(), 1);
        assert!(uses.take_recent());
    }
}
