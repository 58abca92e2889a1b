//! The index of cached responses: from a cache key to the responses stored under it, in all variants.
//!
//! - **Readers** (workers) take no lock and write no memory that another core writes: a look-up hashes the key once and
//!   reads one bucket of a fixed table, whose content is swapped as a whole (see `bucket`). A hit bumps the value's
//!   [`UseCount`](super::eviction::UseCount), which stops writing at three.
//! - **Writers** (fill and admin threads) stand in line at one lock (see `writer`), because all values share one cap. Each
//!   step takes microseconds; purges and changes of the cap let go of the lock between steps.
//! - **The cap** holds at the end of each call, for all that [`IndexStats::bytes`] counts. What is evicted is handed back, so
//!   that another tier may keep it. A value that a reader still holds lives on outside the cap until it is let go.
//! - **A purge** is complete when the call returns: no look-up that begins afterwards finds what it removed, and no fill that
//!   was begun before it can publish what it means (see `purges`).

mod bucket;
mod claim;
mod counts;
mod ledger;
mod listing;
mod purges;
mod tags;
mod writer;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use bucket::{BUCKET_ENTRIES_MAX, Found, arc_bytes, heap_bytes};
pub use claim::Claim;
pub use counts::{IndexCounts, IndexStats};
pub use purges::{Epoch, Matcher, PREFIXES_MAX};

use super::eviction::Counted;
use bucket::Buckets;
use ledger::Ledger;
use writer::Writer;

/// Stored responses under one key at most; the one that was stored longest ago goes.
pub const VARIANTS_MAX: usize = 32;

/// Buckets that a purge looks through before it lets other writers in.
const PURGE_STEP: usize = 256;
/// Bytes that are evicted before other writers are let in while the cap is lowered.
const CAP_STEP_BYTES: u64 = 4 << 20;

/// A stored response, as far as the index cares.
pub trait Cached: Counted + Send + Sync + 'static {
    /// The cache key.
    fn key(&self) -> &[u8];

    /// What tells it from the other responses under its key: the values of the request fields that it varies by. Of two
    /// with the same, the later takes the other's place.
    fn variant(&self) -> &[u8];

    /// The bytes of memory that it takes, with all that it owns: heads, key, body, and what the allocator adds (see
    /// [`heap_bytes`] and [`arc_bytes`]). Must stay the same while it is in the index.
    fn weight(&self) -> u64;

    /// Its tags, by which it can be purged.
    fn tags(&self) -> impl Iterator<Item = &[u8]>;
}

/// What became of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the index.
    Stored,
    /// It is larger than what the cap leaves. What it was to take the place of is gone.
    TooLarge,
    /// A purge since its fill began means it.
    Purged,
    /// What it was to take the place of is not there; nothing changed.
    NotThere,
}

/// What became of a value, and of others for its sake.
#[derive(Debug)]
#[must_use]
pub struct Inserted<T> {
    /// What became of it.
    pub outcome: Outcome,
    /// What it took the place of.
    pub replaced: Option<Arc<T>>,
    /// The oldest of too many variants.
    pub crowded_out: Option<Arc<T>>,
    /// What went to make room; another tier may keep it. After a replacement it may be the new value itself, when its turn
    /// had come.
    pub evicted: Vec<Arc<T>>,
}

/// What a purge did.
#[derive(Debug)]
pub struct Purge<T> {
    /// How many values it meant.
    pub count: u64,
    /// What went because values became larger when they were marked.
    pub evicted: Vec<Arc<T>>,
}

/// The index; shared by `Arc` between all threads.
#[derive(Debug)]
pub struct CachedIndex<T> {
    buckets: Buckets<T>,
    writer: Writer<T>,
    /// The epoch of the latest purge. Written under the writers' lock.
    epoch: AtomicU64,
}

impl<T> Inserted<T> {
    pub(self) fn new(outcome: Outcome) -> Self {
        Self {
            outcome,
            replaced: None,
            crowded_out: None,
            evicted: Vec::new(),
        }
    }

    /// Whether the value was taken in.
    #[must_use]
    pub fn is_stored(&self) -> bool {
        self.outcome == Outcome::Stored
    }
}

impl<T: Cached> CachedIndex<T> {
    /// An empty index of at most `cap_bytes`, from which also the size of its table follows.
    #[must_use]
    pub fn new(cap_bytes: u64) -> Self {
        let buckets = Buckets::new(cap_bytes);
        let fixed_bytes = buckets.fixed_bytes() + size_of::<Self>() as u64;
        Self {
            writer: Writer::new(Ledger::new(cap_bytes, fixed_bytes)),
            buckets,
            epoch: AtomicU64::new(0),
        }
    }

    /// The responses stored under `key`. For workers: no lock, no allocation, nothing written that other cores write.
    /// Who answers with one of them bumps its [`uses`](Counted::uses).
    #[must_use]
    pub fn find(&self, key: &[u8]) -> Option<Found<T>> {
        self.buckets.find(key)
    }

    /// The point in the sequence of purges. A fill notes it before it asks the origin and inserts with it.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        Epoch(self.epoch.load(Ordering::Acquire))
    }

    /// Takes in a value whose fill was begun at `began`. It becomes the most recent of its key and takes the place of
    /// the one with the same variant. Refused where a purge since `began` may have meant it.
    pub fn insert_since(&self, value: Arc<T>, began: Epoch) -> Inserted<T> {
        self.writer.lock().insert(&self.buckets, value, began)
    }

    /// Takes in a value that no purge has to do with, such as one promoted from another tier that heeds purges itself.
    pub fn insert(&self, value: Arc<T>) -> Inserted<T> {
        let mut ledger = self.writer.lock();
        // Read under the lock, below which it is written: no purge can come in between.
        let now = self.epoch();
        ledger.insert(&self.buckets, value, now)
    }

    /// Whether a purge since `began` may have meant a value of this key, with these tags: then
    /// [`insert_since`](Self::insert_since) would refuse it, and no other tier may publish it either.
    #[must_use]
    pub fn is_purged_since<'v>(
        &self,
        key: &[u8],
        tags: impl Iterator<Item = &'v [u8]>,
        began: Epoch,
    ) -> bool {
        self.writer
            .lock()
            .is_purged(&self.buckets, key, tags, began)
    }

    /// Puts `new`, of the same key and variant, in the place of `old`: only if that very value is still there. It becomes
    /// the most recent of its key and inherits the uses. A purge meanwhile has removed or marked `old`, so it wins.
    pub fn replace(&self, old: &Arc<T>, new: &Arc<T>) -> Inserted<T> {
        self.writer.lock().replace(&self.buckets, old, new)
    }

    /// Removes this very value; whether it was there.
    pub fn remove(&self, value: &Arc<T>) -> bool {
        self.writer.lock().remove(&self.buckets, value)
    }

    /// Removes all variants of a key, also those whose fills are under way; how many there were.
    pub fn remove_key(&self, key: &[u8]) -> u64 {
        self.purge(&Matcher::Key(key), |_| None).count
    }

    /// Purges what `matcher` means: `change` gives what takes a value's place, of the same key and variant (a soft purge
    /// marks it stale), or `None` to remove it. It is called once a value, under the writers' lock, so it must be short and
    /// leave the index alone.
    ///
    /// Complete when it returns. By key and by tag it costs as much as there are values to purge; by prefix it looks at all
    /// keys.
    pub fn purge(
        &self,
        matcher: &Matcher<'_>,
        change: impl FnMut(&Arc<T>) -> Option<Arc<T>>,
    ) -> Purge<T> {
        self.purge_for(None, matcher, change)
    }

    /// As [`purge`](Self::purge), on behalf of a fill whose claim outlives it.
    pub fn purge_for(
        &self,
        claim: Option<&mut Claim>,
        matcher: &Matcher<'_>,
        mut change: impl FnMut(&Arc<T>) -> Option<Arc<T>>,
    ) -> Purge<T> {
        let mut evicted = Vec::new();
        let places = {
            let mut ledger = self.writer.lock();
            let begin = |ledger: &mut Ledger<T>, evicted: &mut Vec<Arc<T>>| {
                let (epoch, places) = ledger.begin_purge(&self.buckets, matcher, evicted);
                self.epoch.store(epoch.0, Ordering::Release);
                (epoch, places)
            };
            match claim {
                None => begin(&mut ledger, &mut evicted).1,
                Some(claim) => {
                    claim.look(self, &ledger);
                    let (epoch, places) = begin(&mut ledger, &mut evicted);
                    claim.go_on(epoch);
                    places
                }
            }
        };
        let total = places.as_ref().map_or(self.buckets.count(), Vec::len);
        let mut count = 0;
        let mut left = Vec::new();
        for first in (0..total).step_by(PURGE_STEP) {
            let mut ledger = self.writer.lock();
            for step in first..total.min(first + PURGE_STEP) {
                let place = places.as_ref().map_or(Some(&step), |it| it.get(step));
                let Some(bucket) = place else { continue };
                let gone = (&mut left, &mut evicted);
                count += ledger.purge_bucket(&self.buckets, *bucket, matcher, &mut change, gone);
            }
            drop(ledger);
            // What is large to free is freed while others write.
            left.clear();
        }
        Purge { count, evicted }
    }

    /// Changes the cap; gives back what is beyond it. The size of the table stays.
    pub fn set_cap(&self, cap_bytes: u64) -> Vec<Arc<T>> {
        let mut evicted = Vec::new();
        loop {
            let mut ledger = self.writer.lock();
            if ledger.set_cap(&self.buckets, cap_bytes, CAP_STEP_BYTES, &mut evicted) {
                return evicted;
            }
        }
    }

    /// What the index holds and what happened in it. Waits for writers.
    #[must_use]
    pub fn stats(&self) -> IndexStats {
        self.writer.lock().stats()
    }
}
