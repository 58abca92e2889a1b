//! The cap: how much of it is taken, by what is committed, published and being written alike.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What the database takes for itself.
const FRAME: u64 = 512 << 10;

/// See the module's header. A sum of costs (see `record::cost`), in bytes.
#[derive(Debug)]
pub(super) struct Room {
    size: u64,
    used: AtomicU64,
}

impl Room {
    /// The room below a cap of `size`, of which `used` is taken.
    pub(super) fn new(size: u64, used: u64) -> Self {
        Self {
            size: size.saturating_sub(FRAME),
            used: AtomicU64::new(used),
        }
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn used(&self) -> u64 {
        self.used.load(Ordering::Acquire)
    }

    /// What is kept free, so that a writer seldom waits for an eviction.
    pub(super) fn headroom(&self) -> u64 {
        (self.size / 64).min(256 << 20)
    }

    /// Whether it is time to evict.
    pub(super) fn is_tight(&self) -> bool {
        self.used() > self.size - self.headroom() / 2
    }

    /// What must be evicted so that `free` bytes fit in beside the headroom.
    pub(super) fn excess(&self, free: u64) -> u64 {
        let wanted = self
            .used()
            .saturating_add(free)
            .saturating_add(self.headroom());
        wanted.saturating_sub(self.size)
    }

    /// Takes `amount`. Returns false where less is left.
    pub(super) fn take(&self, amount: u64) -> bool {
        let fits = |used: u64| used.checked_add(amount).filter(|sum| *sum <= self.size);
        let taken = self
            .used
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, fits);
        taken.is_ok()
    }

    pub(super) fn give(&self, amount: u64) {
        self.adjust(0_i64.saturating_sub_unsigned(amount));
    }

    /// Books a difference, which may exceed the cap where it was not taken before.
    pub(super) fn adjust(&self, delta: i64) {
        let changed = |used: u64| Some(used.saturating_add_signed(delta));
        let booked = self
            .used
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, changed);
        debug_assert!(booked.is_ok());
    }
}

/// Room that is taken by a file without a name: given back when this is dropped.
#[derive(Debug)]
pub(super) struct Nameless {
    room: Arc<Room>,
    amount: u64,
}

impl Nameless {
    /// Takes over `amount`, which was taken before.
    pub(super) fn new(room: &Arc<Room>, amount: u64) -> Self {
        Self {
            room: Arc::clone(room),
            amount,
        }
    }
}

impl Drop for Nameless {
    fn drop(&mut self) {
        self.room.give(self.amount);
    }
}

/// The difference of two costs.
pub(super) fn difference(new: u64, old: u64) -> i64 {
    if new >= old {
        i64::try_from(new - old).unwrap_or(i64::MAX)
    } else {
        0_i64.saturating_sub_unsigned(old - new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_never_exceeded_by_taking() {
        let room = Room::new(FRAME + 6400, 6000);
        assert!(!room.take(401));
        assert!(room.take(400));
        assert!(room.is_tight());
        assert_eq!(room.excess(50), 150);
        room.give(1000);
        assert_eq!(
            (room.used(), room.excess(50), room.is_tight()),
            (5400, 0, false)
        );
        room.adjust(difference(10, 30));
        room.adjust(difference(25, 20));
        assert_eq!(room.used(), 5385);
        room.give(u64::MAX);
        assert_eq!(room.used(), 0);
    }
}
