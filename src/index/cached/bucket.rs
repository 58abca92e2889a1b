//! The index's table: a fixed number of buckets, each a short list that never changes once readers can see it.
//!
//! A writer that changes a bucket copies it and swaps the copy in. The number of buckets follows from the cap when the
//! index is made, so that a bucket has a handful of entries when the index is full of small values, and a copy stays
//! cheap however many values there are. The entries of one key stand together, most recent first.

use std::hash::BuildHasher;
use std::sync::Arc;

use arc_swap::{ArcSwapOption, Guard};
use hashbrown::DefaultHashBuilder;

use super::Cached;
use crate::index::eviction::Place;

/// Entries of one bucket at most: who has found many keys of one bucket still pays only for a copy of this many.
pub const BUCKET_ENTRIES_MAX: usize = 256;

/// Bytes of the cap for each bucket.
const CAP_PER_BUCKET: u64 = 8 << 10;
const BUCKETS_MIN: u64 = 64;
const BUCKETS_MAX: u64 = 1 << 20;

/// One value in a bucket.
#[derive(Debug)]
pub(super) struct Entry<T> {
    pub(super) value: Arc<T>,
    /// A part of the key's hash, so that few keys have to be compared.
    pub(super) check: u32,
    pub(super) place: Place,
}

impl<T> Clone for Entry<T> {
    fn clone(&self) -> Self {
        Self {
            value: Arc::clone(&self.value),
            ..*self
        }
    }
}

/// What a bucket holds. Never empty, never changed.
#[derive(Debug)]
pub(super) struct Bucket<T> {
    entries: Box<[Entry<T>]>,
}

/// A key's hash and what follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) hash: u64,
    pub(super) bucket: usize,
    pub(super) check: u32,
}

/// All buckets.
#[derive(Debug)]
pub(super) struct Buckets<T> {
    slots: Box<[ArcSwapOption<Bucket<T>>]>,
    hasher: DefaultHashBuilder,
    shift: u32,
}

/// The stored responses of one key, as they were when it was looked up: most recent first, at least one.
///
/// Holding it keeps them alive without writing memory that another core writes. It is meant to be short-lived: a thread has
/// few such holds for free; who wants to keep a value clones its `Arc`.
pub struct Found<T> {
    bucket: Guard<Option<Arc<Bucket<T>>>>,
    first: usize,
    end: usize,
}

impl<T: Cached> Bucket<T> {
    pub(super) fn entries(&self) -> &[Entry<T>] {
        &self.entries
    }

    /// Where the entries of a key stand: from, to. Equal where it has none.
    pub(super) fn group(&self, check: u32, key: &[u8]) -> (usize, usize) {
        let is_it = |entry: &Entry<T>| entry.check == check && entry.value.key() == key;
        let first = self.entries.iter().position(is_it);
        let first = first.unwrap_or(self.entries.len());
        let after = self.entries.iter().skip(first);
        (
            first,
            first + after.take_while(|entry| is_it(entry)).count(),
        )
    }
}

impl<T: Cached> Buckets<T> {
    /// Empty buckets for values of `cap` bytes together.
    pub(super) fn new(cap: u64) -> Self {
        let count = (cap / CAP_PER_BUCKET).clamp(BUCKETS_MIN, BUCKETS_MAX);
        let count = count.next_power_of_two();
        let slots = (0..count).map(|_| ArcSwapOption::const_empty());
        Self {
            slots: slots.collect(),
            hasher: DefaultHashBuilder::default(),
            shift: u64::BITS - count.trailing_zeros(),
        }
    }

    pub(super) fn count(&self) -> usize {
        self.slots.len()
    }

    /// What the table takes before anything is in it.
    pub(super) fn fixed_bytes(&self) -> u64 {
        (self.slots.len() * size_of::<ArcSwapOption<Bucket<T>>>()) as u64
    }

    pub(super) fn hash(&self, bytes: &[u8]) -> u64 {
        self.hasher.hash_one(bytes)
    }

    pub(super) fn spot(&self, key: &[u8]) -> Spot {
        self.spot_of(self.hash(key))
    }

    pub(super) fn spot_of(&self, hash: u64) -> Spot {
        Spot {
            hash,
            bucket: usize::try_from(hash >> self.shift).unwrap_or_default(),
            check: hash as u32,
        }
    }

    /// The stored responses of a key.
    pub(super) fn find(&self, key: &[u8]) -> Option<Found<T>> {
        let spot = self.spot(key);
        let guard = self.slots.get(spot.bucket)?.load();
        let (first, end) = guard.as_ref()?.group(spot.check, key);
        (first < end).then_some(Found {
            bucket: guard,
            first,
            end,
        })
    }

    /// A copy of a bucket's entries.
    pub(super) fn entries(&self, bucket: usize) -> Vec<Entry<T>> {
        let held = self.slots.get(bucket).map(ArcSwapOption::load);
        match held.as_deref() {
            Some(Some(bucket)) => {
                // Room for one more: who copies often adds.
                let mut entries = Vec::with_capacity(bucket.entries.len() + 1);
                entries.extend(bucket.entries.iter().cloned());
                entries
            }
            _ => Vec::new(),
        }
    }

    /// Lets `look` see a bucket's entries without copying them.
    pub(super) fn look<R>(&self, bucket: usize, look: impl FnOnce(&[Entry<T>]) -> R) -> R {
        let held = self.slots.get(bucket).map(ArcSwapOption::load);
        match held.as_deref() {
            Some(Some(bucket)) => look(bucket.entries()),
            _ => look(&[]),
        }
    }

    /// Makes `entries` the bucket's content. The old content is dropped with its last reader.
    pub(super) fn store(&self, bucket: usize, entries: Vec<Entry<T>>) {
        let entries = entries.into_boxed_slice();
        let content = (!entries.is_empty()).then(|| Arc::new(Bucket { entries }));
        if let Some(slot) = self.slots.get(bucket) {
            slot.store(content);
        }
    }

    /// What a bucket of `count` entries takes.
    pub(super) fn bucket_bytes(count: usize) -> u64 {
        match count {
            0 => 0,
            _ => heap_bytes(arc_bytes::<Bucket<T>>()) + heap_bytes(count * size_of::<Entry<T>>()),
        }
    }
}

impl<T: Cached> Found<T> {
    /// The stored responses, most recent first: the one inserted or replaced last comes before the others.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<T>> {
        let entries = self.bucket.as_ref().map_or(&[][..], |it| it.entries());
        let entries = entries.get(self.first..self.end).unwrap_or_default();
        entries.iter().map(|entry| &entry.value)
    }

    /// The most recent one.
    #[must_use]
    pub fn newest(&self) -> Option<&Arc<T>> {
        self.iter().next()
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.end - self.first
    }
}

impl<T: Cached + std::fmt::Debug> std::fmt::Debug for Found<T> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.iter()).finish()
    }
}

/// What an allocator takes for a block of `size` bytes: it keeps the block's size beside it and rounds up to 16.
#[must_use]
pub const fn heap_bytes(size: usize) -> u64 {
    let rounded = (size + 8).next_multiple_of(16);
    if rounded < 32 { 32 } else { rounded as u64 }
}

/// The size of the block that an `Arc<T>` points to: two counts, then the value.
#[must_use]
pub const fn arc_bytes<T>() -> usize {
    2 * size_of::<usize>() + size_of::<T>()
}
