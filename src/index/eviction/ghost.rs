//! A ghost queue: fingerprints of what was evicted from another queue, oldest first. No bytes of it are kept.
//!
//! A fingerprint that comes back while it is here was evicted too early. The queue looks back over so many evicted bytes and
//! values, no further: one that came back leaves no room for an older one.

use std::collections::VecDeque;

use hashbrown::HashTable;

/// Places that the queue grows by at once at most, so that its memory follows what it holds.
const GROWTH_MAX: usize = 8192;

/// Fingerprints in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Ghost {
    ring: VecDeque<Departed>,
    /// Sequence numbers of `ring` by fingerprint, without those that came back.
    table: HashTable<u32>,
    /// Sequence number of the ring's front; wraps.
    front: u32,
    bytes: u64,
}

/// How far a ghost queue looks back.
#[derive(Clone, Copy, Debug)]
pub(super) struct GhostLimits {
    pub(super) bytes_max: u64,
    pub(super) count_max: usize,
}

#[derive(Debug)]
struct Departed {
    fingerprint: u64,
    /// What the value weighed.
    weight: u64,
}

impl Ghost {
    /// Notes that a value was evicted, and forgets the oldest beyond the limits.
    pub(super) fn push(&mut self, fingerprint: u64, weight: u64, limits: GhostLimits) {
        self.take(fingerprint);
        if weight > limits.bytes_max {
            return;
        }
        if self.ring.len() == self.ring.capacity() {
            let growth = (self.ring.len() / 8).clamp(16, GROWTH_MAX);
            self.ring.reserve_exact(growth);
        }
        let sequence = self.front.wrapping_add(self.ring.len() as u32);
        let (ring, front) = (&self.ring, self.front);
        let rehash = |sequence: &u32| at(ring, front, *sequence).map_or(0, |it| it.fingerprint);
        self.table.insert_unique(fingerprint, sequence, rehash);
        self.ring.push_back(Departed {
            fingerprint,
            weight,
        });
        self.bytes += weight;
        self.trim(limits);
        self.release();
    }

    /// Takes the fingerprint out; whether it was here.
    pub(super) fn take(&mut self, fingerprint: u64) -> bool {
        let (ring, front) = (&self.ring, self.front);
        let is_it = |sequence: &u32| {
            at(ring, front, *sequence).is_some_and(|it| it.fingerprint == fingerprint)
        };
        let Ok(found) = self.table.find_entry(fingerprint, is_it) else {
            return false;
        };
        found.remove();
        true
    }

    /// Forgets the oldest beyond the limits.
    pub(super) fn trim(&mut self, limits: GhostLimits) {
        while self.bytes > limits.bytes_max || self.ring.len() > limits.count_max {
            let Some(oldest) = self.ring.pop_front() else {
                return;
            };
            // Not there any more where it came back.
            let is_it = |sequence: &u32| *sequence == self.front;
            if let Ok(found) = self.table.find_entry(oldest.fingerprint, is_it) {
                found.remove();
            }
            self.bytes -= oldest.weight;
            self.front = self.front.wrapping_add(1);
        }
    }

    /// Gives memory back that the queue no longer needs, when it takes four times of it.
    pub(super) fn release(&mut self) {
        if self.ring.capacity() > 4 * self.ring.len() + 64 {
            self.ring.shrink_to(2 * self.ring.len());
        }
        if self.table.capacity() > 4 * self.table.len() + 64 {
            let (ring, front) = (&self.ring, self.front);
            let rehash = |sequence: &u32| at(ring, front, *sequence).map_or(0, |it| it.fingerprint);
            self.table.shrink_to(2 * self.table.len(), rehash);
        }
    }

    /// How many fingerprints are here and did not come back.
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// What the queue itself takes in memory.
    pub(super) fn own_bytes(&self) -> u64 {
        let ring = self.ring.capacity() * size_of::<Departed>();
        (ring + self.table.allocation_size()) as u64
    }
}

fn at(ring: &VecDeque<Departed>, front: u32, sequence: u32) -> Option<&Departed> {
    ring.get(sequence.wrapping_sub(front) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: GhostLimits = GhostLimits {
        bytes_max: 1000,
        count_max: 100,
    };

    #[test]
    fn fingerprints_beyond_the_limits_are_forgotten_oldest_first() {
        let mut ghost = Ghost::default();
        (0..101).for_each(|it| ghost.push(it, 1, LIMITS));
        assert_eq!(ghost.len(), 100);
        assert!(!ghost.take(0));
        ghost.push(200, 950, LIMITS);
        // 950 bytes and the last 50 of one byte.
        assert_eq!(ghost.len(), 51);
        assert!(ghost.take(51) && !ghost.take(50));
        ghost.push(300, 1001, LIMITS);
        assert!(!ghost.take(300));
    }

    #[test]
    fn fingerprint_that_came_back_leaves_no_room_for_an_older_one() {
        let mut ghost = Ghost::default();
        ghost.push(1, 1, LIMITS);
        for it in 1000..1099 {
            ghost.push(it, 1, LIMITS);
            assert!(ghost.take(it) && !ghost.take(it));
        }
        assert_eq!((ghost.len(), ghost.ring.len()), (1, 100));
        ghost.push(2, 1, LIMITS);
        assert!(!ghost.take(1) && ghost.take(2));
    }

    #[test]
    fn fingerprint_that_is_evicted_again_counts_from_then_on() {
        let mut ghost = Ghost::default();
        ghost.push(1, 1, LIMITS);
        (1000..1060).for_each(|it| ghost.push(it, 1, LIMITS));
        ghost.push(1, 1, LIMITS);
        (2000..2060).for_each(|it| ghost.push(it, 1, LIMITS));
        assert_eq!(ghost.ring.len(), 100);
        assert!(ghost.take(1) && !ghost.take(1));
    }

    #[test]
    fn memory_is_given_back_when_little_is_left() {
        let mut ghost = Ghost::default();
        let wide = GhostLimits {
            bytes_max: 100_000,
            count_max: 100_000,
        };
        (0..50_000).for_each(|it| ghost.push(it, 1, wide));
        let full = ghost.own_bytes();
        ghost.trim(LIMITS);
        ghost.release();
        assert!(ghost.own_bytes() < full / 50);
        assert!((49_900..50_000).all(|it| ghost.take(it)));
    }
}
