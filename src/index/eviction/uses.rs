//! How often a cached value was hit, as far as eviction cares: a counter from 0 to 3 that lives in the value itself.
//!
//! Threads: workers bump it, the writer of the index lowers it. Both are a relaxed load and a relaxed store, so a bump
//! may be lost when two meet; eviction then thinks a little less of the value. Once the counter stands at its top a hit
//! reads it and writes nothing, so a hot value's cache line stays shared between cores.

use std::sync::atomic::{AtomicU8, Ordering};

/// The top of the counter: two bits.
const USES_MAX: u8 = 3;

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
        let uses = self.0.load(Ordering::Relaxed);
        if uses < USES_MAX {
            self.0.store(uses + 1, Ordering::Relaxed);
        }
    }

    /// The count, 0 to 3.
    #[must_use]
    pub fn count(&self) -> u8 {
        self.0.load(Ordering::Relaxed)
    }

    /// Takes one hit off and halves the rest: 3 becomes 1, 2 and 1 become 0. False where there was none.
    pub(super) fn spend(&self) -> bool {
        let uses = self.count();
        if uses > 0 {
            self.0.store((uses - 1) / 2, Ordering::Relaxed);
        }
        uses > 0
    }

    /// Sets the count to that of the value which this one takes the place of.
    pub(super) fn inherit(&self, from: &Self) {
        self.0.store(from.count(), Ordering::Relaxed);
    }
}

impl<T: Counted> Counted for std::sync::Arc<T> {
    fn uses(&self) -> &UseCount {
        (**self).uses()
    }
}
