//! What the writers of the index know: who is in, what it weighs, who goes next, which tags it carries.
//!
//! The cap is kept at the end of each step. What counts against it are the values' own weights and all that the index takes
//! for them: buckets, queues, ghosts, tags, the log of purges, at the size of what is allocated, not of what is in use.

use std::sync::Arc;

use super::bucket::{BUCKET_ENTRIES_MAX, Buckets, Entry, Spot};
use super::counts::{IndexCounts, IndexStats};
use super::purges::{Epoch, Matcher, PurgeLog};
use super::tags::{Chain, TagIndex};
use super::{Cached, Inserted, Outcome, VARIANTS_MAX};
use crate::index::eviction::{Counted, Place, S3Fifo, UseCount};

/// A value's seat in the eviction queues.
#[derive(Debug)]
struct Seat<T> {
    value: Arc<T>,
    key_hash: u64,
    tags: Chain,
}

impl<T: Cached> Counted for Seat<T> {
    fn uses(&self) -> &UseCount {
        self.value.uses()
    }
}

#[derive(Debug)]
pub(super) struct Ledger<T> {
    fifo: S3Fifo<Seat<T>>,
    tags: TagIndex,
    purges: PurgeLog,
    /// What the buckets with content take.
    bucket_bytes: u64,
    /// What the index takes when it is empty.
    fixed_bytes: u64,
    cap: u64,
    counts: IndexCounts,
}

impl<T: Cached> Ledger<T> {
    pub(super) fn new(cap: u64, fixed_bytes: u64) -> Self {
        Self {
            fifo: S3Fifo::new(cap),
            tags: TagIndex::default(),
            purges: PurgeLog::new(),
            bucket_bytes: 0,
            fixed_bytes,
            cap,
            counts: IndexCounts::default(),
        }
    }

    /// Whether a purge after `began` may have meant a value of this key, with these tags.
    pub(super) fn is_purged<'v>(
        &self,
        buckets: &Buckets<T>,
        key: &[u8],
        tags: impl Iterator<Item = &'v [u8]>,
        began: Epoch,
    ) -> bool {
        let hash = |bytes: &[u8]| buckets.hash(bytes);
        self.purges
            .means((key, buckets.spot(key).hash), tags, began, hash)
    }

    /// Takes a value in, unless a purge after `began` means it.
    pub(super) fn insert(
        &mut self,
        buckets: &Buckets<T>,
        value: Arc<T>,
        began: Epoch,
    ) -> Inserted<T> {
        let mut inserted = Inserted::new(Outcome::Stored);
        let spot = buckets.spot(value.key());
        let hash = |bytes: &[u8]| buckets.hash(bytes);
        if self
            .purges
            .means((value.key(), spot.hash), value.tags(), began, hash)
        {
            self.counts.refused_purged += 1;
            return Inserted::new(Outcome::Purged);
        }
        let same = buckets.look(spot.bucket, |entries| {
            let same = entries.iter().find(|it| is_same(&*it.value, &*value));
            same.cloned()
        });
        self.reserve(&*value);
        if !self.fits(value.weight()) {
            self.counts.refused_too_large += 1;
            inserted.outcome = Outcome::TooLarge;
            // What it was to take the place of is out of date all the same.
            if let Some(same) = same
                && self.take(buckets, &same.value)
            {
                self.counts.replaced += 1;
                inserted.replaced = Some(same.value);
            }
        } else if let Some(same) = same {
            self.supersede(buckets, spot, &same, &value);
            self.fifo.renew(same.place);
            self.counts.inserted += 1;
            inserted.replaced = Some(same.value);
        } else {
            self.crowd_out(buckets, spot, &*value, &mut inserted);
            self.add(buckets, spot, value, &mut inserted);
        }
        // The memory that was reserved counts as well, also where nothing came of it.
        self.make_room(buckets, 0, &mut inserted.evicted);
        inserted
    }

    /// Puts `new` in the place of `old`, unless `old` is no longer here.
    pub(super) fn replace(
        &mut self,
        buckets: &Buckets<T>,
        old: &Arc<T>,
        new: &Arc<T>,
    ) -> Inserted<T> {
        let spot = buckets.spot(old.key());
        let found = find(buckets, spot, old).filter(|_| is_same(&**old, &**new));
        let Some(entry) = found else {
            return Inserted::new(Outcome::NotThere);
        };
        let mut inserted = Inserted::new(Outcome::Stored);
        self.reserve(&**new);
        if self.fits(new.weight()) {
            self.supersede(buckets, spot, &entry, new);
            self.counts.inserted += 1;
        } else {
            self.take(buckets, old);
            self.counts.replaced += 1;
            self.counts.refused_too_large += 1;
            inserted.outcome = Outcome::TooLarge;
        }
        self.make_room(buckets, 0, &mut inserted.evicted);
        inserted.replaced = Some(entry.value);
        inserted
    }

    /// Removes a value; whether it was here.
    pub(super) fn remove(&mut self, buckets: &Buckets<T>, value: &Arc<T>) -> bool {
        let was_here = self.take(buckets, value);
        self.counts.removed += u64::from(was_here);
        was_here
    }

    /// Notes a purge and gives the buckets in which there may be what it means; `None` for all of them.
    pub(super) fn begin_purge(
        &mut self,
        buckets: &Buckets<T>,
        matcher: &Matcher<'_>,
        evicted: &mut Vec<Arc<T>>,
    ) -> (Epoch, Option<Vec<usize>>) {
        let epoch = self.purges.note(matcher, |bytes| buckets.hash(bytes));
        self.make_room(buckets, 0, evicted);
        let places = match matcher {
            Matcher::All | Matcher::Prefix(_) => None,
            Matcher::Key(key) => Some(vec![buckets.spot(key).bucket]),
            Matcher::Tag(tag) => {
                let keys = self.tags.keys(buckets.hash(tag));
                let mut places: Vec<_> = keys.map(|hash| buckets.spot_of(hash).bucket).collect();
                places.sort_unstable();
                places.dedup();
                Some(places)
            }
        };
        (epoch, places)
    }

    /// Purges one bucket: `change` gives what takes a value's place, if anything. Gives the number of values that were meant;
    /// what left is added to `left`, what had to go for larger ones to `evicted`.
    pub(super) fn purge_bucket(
        &mut self,
        buckets: &Buckets<T>,
        bucket: usize,
        matcher: &Matcher<'_>,
        change: &mut dyn FnMut(&Arc<T>) -> Option<Arc<T>>,
        (left, evicted): (&mut Vec<Arc<T>>, &mut Vec<Arc<T>>),
    ) -> u64 {
        let is_meant = |entry: &Entry<T>| matcher.matches(&*entry.value);
        if !buckets.look(bucket, |entries| entries.iter().any(is_meant)) {
            return 0;
        }
        let mut entries = buckets.entries(bucket);
        let before = entries.len();
        let mut count = 0;
        entries.retain_mut(|entry| {
            if !matcher.matches(&*entry.value) {
                return true;
            }
            count += 1;
            let new = change(&entry.value).filter(|new| is_same(&**new, &*entry.value));
            if let Some(new) = new
                && self.fits(new.weight())
            {
                self.exchange(buckets, entry.place, &new);
                left.push(std::mem::replace(&mut entry.value, new));
                self.counts.marked += 1;
                return true;
            }
            self.vacate(entry.place);
            left.push(Arc::clone(&entry.value));
            match matcher {
                Matcher::Key(_) => self.counts.removed += 1,
                Matcher::All | Matcher::Prefix(_) | Matcher::Tag(_) => self.counts.purged += 1,
            }
            false
        });
        self.store(buckets, bucket, before, entries);
        self.make_room(buckets, 0, evicted);
        count
    }

    /// Changes the cap, by no more than `step` below what is taken, so that the lock isn't held for long. Whether the cap
    /// is `cap` now.
    pub(super) fn set_cap(
        &mut self,
        buckets: &Buckets<T>,
        cap: u64,
        step: u64,
        evicted: &mut Vec<Arc<T>>,
    ) -> bool {
        self.cap = cap.max(self.total().saturating_sub(step));
        self.make_room(buckets, 0, evicted);
        // The values alone are below the cap by now, so the queues evict nothing themselves.
        let mut none = Vec::new();
        self.fifo.set_cap(self.cap, &mut none);
        debug_assert!(none.is_empty());
        let is_done = self.cap == cap || self.fifo.is_empty();
        if is_done {
            self.cap = cap;
        }
        is_done
    }

    pub(super) fn stats(&self) -> IndexStats {
        IndexStats {
            values: self.fifo.len() as u64,
            bytes: self.total(),
            overhead_bytes: self.overhead(),
            cap_bytes: self.cap,
            counts: self.counts,
            eviction: self.fifo.counts(),
        }
    }

    fn overhead(&self) -> u64 {
        let own = self.fifo.own_bytes() + self.tags.own_bytes() + self.purges.own_bytes();
        self.fixed_bytes + self.bucket_bytes + own
    }

    fn total(&self) -> u64 {
        self.fifo.bytes() + self.overhead()
    }

    /// Makes memory for one more value, so that taking it in adds its weight and a bucket's entry, nothing else.
    fn reserve(&mut self, value: &T) {
        self.fifo.reserve();
        self.tags.reserve(value.tags().count());
    }

    /// Whether a value of this weight can be here at all.
    fn fits(&self, weight: u64) -> bool {
        let overhead = self.overhead() - self.bucket_bytes;
        let need = weight.saturating_add(Buckets::<T>::bucket_bytes(1));
        overhead.saturating_add(need) <= self.cap
    }

    /// Evicts until `need` more bytes fit.
    fn make_room(&mut self, buckets: &Buckets<T>, need: u64, evicted: &mut Vec<Arc<T>>) {
        while self.total().saturating_add(need) > self.cap
            && let Some(seat) = self.fifo.evict()
        {
            self.tags.remove(seat.tags);
            self.unlink(buckets, buckets.spot_of(seat.key_hash), &seat.value);
            evicted.push(seat.value);
        }
    }

    /// Adds a value whose key and variant nothing else has.
    fn add(&mut self, buckets: &Buckets<T>, spot: Spot, value: Arc<T>, inserted: &mut Inserted<T>) {
        let weight = value.weight();
        let need = weight.saturating_add(Buckets::<T>::bucket_bytes(1));
        let hashes = value.tags().map(|tag| buckets.hash(tag));
        let tags = self.tags.add(spot.hash, hashes);
        self.make_room(buckets, need, &mut inserted.evicted);
        let seat = Seat {
            value: Arc::clone(&value),
            key_hash: spot.hash,
            tags,
        };
        let fingerprint = spot.hash ^ buckets.hash(value.variant()).rotate_left(32);
        // There is room: what the ghosts took of it since is the only thing that can lack.
        let mut none = Vec::new();
        let placed = if self.total().saturating_add(need) <= self.cap {
            self.fifo.insert(seat, fingerprint, weight, &mut none)
        } else {
            Err(seat)
        };
        debug_assert!(none.is_empty());
        match placed {
            Ok(place) => {
                let mut entries = buckets.entries(spot.bucket);
                let before = entries.len();
                let at = entries
                    .iter()
                    .position(|it| it.check == spot.check && it.value.key() == value.key());
                let check = spot.check;
                let entry = Entry {
                    value,
                    check,
                    place,
                };
                entries.insert(at.unwrap_or(before), entry);
                self.store(buckets, spot.bucket, before, entries);
                self.counts.inserted += 1;
            }
            Err(seat) => {
                self.tags.remove(seat.tags);
                self.counts.refused_too_large += 1;
                inserted.outcome = Outcome::TooLarge;
            }
        }
    }

    /// Puts `new` in the place of `old`, first of its key's values. It may have to make room afterwards.
    fn supersede(&mut self, buckets: &Buckets<T>, spot: Spot, old: &Entry<T>, new: &Arc<T>) {
        self.exchange(buckets, old.place, new);
        let mut entries = buckets.entries(spot.bucket);
        let count = entries.len();
        let at = entries.iter().position(|it| it.place == old.place);
        let first = entries
            .iter()
            .position(|it| it.check == spot.check && it.value.key() == new.key());
        if let (Some(at), Some(first)) = (at, first)
            && let Some(group) = entries.get_mut(first..=at)
        {
            group.rotate_right(1);
            if let Some(entry) = group.first_mut() {
                entry.value = Arc::clone(new);
            }
        }
        self.store(buckets, spot.bucket, count, entries);
        self.counts.replaced += 1;
    }

    /// Puts `new` on the seat at `place`.
    fn exchange(&mut self, buckets: &Buckets<T>, place: Place, new: &Arc<T>) {
        let Some(key_hash) = self.fifo.at(place).map(|seat| seat.key_hash) else {
            return;
        };
        let seat = Seat {
            value: Arc::clone(new),
            key_hash,
            tags: Chain::EMPTY,
        };
        if let Ok(old) = self.fifo.exchange(place, seat, new.weight()) {
            self.tags.remove(old.tags);
            let hashes = new.tags().map(|tag| buckets.hash(tag));
            let tags = self.tags.add(key_hash, hashes);
            if let Some(seat) = self.fifo.at_mut(place) {
                seat.tags = tags;
            }
        }
    }

    /// Makes a place among the variants of a key and in its bucket.
    fn crowd_out(
        &mut self,
        buckets: &Buckets<T>,
        spot: Spot,
        value: &T,
        inserted: &mut Inserted<T>,
    ) {
        let (oldest, last) = buckets.look(spot.bucket, |entries| {
            let mut group = entries
                .iter()
                .filter(|it| it.check == spot.check && it.value.key() == value.key());
            let oldest = group.nth(VARIANTS_MAX - 1).map(|it| Arc::clone(&it.value));
            let is_full = entries.len() >= BUCKET_ENTRIES_MAX;
            let last = entries.last().filter(|_| is_full && oldest.is_none());
            (oldest, last.map(|it| Arc::clone(&it.value)))
        });
        if let Some(oldest) = oldest
            && self.take(buckets, &oldest)
        {
            self.counts.crowded_out += 1;
            inserted.crowded_out = Some(oldest);
        }
        if let Some(last) = last
            && self.take(buckets, &last)
        {
            self.counts.bucket_overflows += 1;
            inserted.evicted.push(last);
        }
    }

    /// Takes a value out of everything; whether it was here.
    fn take(&mut self, buckets: &Buckets<T>, value: &Arc<T>) -> bool {
        let spot = buckets.spot(value.key());
        let Some(entry) = find(buckets, spot, value) else {
            return false;
        };
        self.vacate(entry.place);
        self.unlink(buckets, spot, value);
        true
    }

    /// Frees a seat.
    fn vacate(&mut self, place: Place) {
        if let Some(seat) = self.fifo.remove(place) {
            self.tags.remove(seat.tags);
        }
    }

    /// Takes a value out of its bucket.
    fn unlink(&mut self, buckets: &Buckets<T>, spot: Spot, value: &Arc<T>) {
        let (before, entries) = buckets.look(spot.bucket, |entries| {
            let mut others = Vec::with_capacity(entries.len().saturating_sub(1));
            let is_other = |it: &&Entry<T>| !Arc::ptr_eq(&it.value, value);
            others.extend(entries.iter().filter(is_other).cloned());
            (entries.len(), others)
        });
        self.store(buckets, spot.bucket, before, entries);
    }

    fn store(
        &mut self,
        buckets: &Buckets<T>,
        bucket: usize,
        before: usize,
        entries: Vec<Entry<T>>,
    ) {
        self.bucket_bytes += Buckets::<T>::bucket_bytes(entries.len());
        self.bucket_bytes -= Buckets::<T>::bucket_bytes(before);
        buckets.store(bucket, entries);
    }
}

/// The entry of this very value.
fn find<T: Cached>(buckets: &Buckets<T>, spot: Spot, value: &Arc<T>) -> Option<Entry<T>> {
    buckets.look(spot.bucket, |entries| {
        let found = entries.iter().find(|it| Arc::ptr_eq(&it.value, value));
        found.cloned()
    })
}

/// Whether one would take the place of the other.
fn is_same<T: Cached>(one: &T, other: &T) -> bool {
    one.key() == other.key() && one.variant() == other.variant()
}
