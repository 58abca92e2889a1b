//! The client connections of all workers together, for the limit that they share.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts connections; one for all workers. Only accepting, closing and ticks touch it, never a request.
#[derive(Debug, Default)]
pub struct Crowd {
    open: AtomicUsize,
    /// Connections that workers without an idle one want others to give up.
    wanted: AtomicUsize,
}

impl Crowd {
    /// Counts a new connection and returns how many there are with it.
    pub fn enter(&self) -> usize {
        self.open.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Counts a connection that has gone.
    pub fn leave(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether there are more than `limit`.
    #[must_use]
    pub fn is_over(&self, limit: usize) -> bool {
        self.open.load(Ordering::Relaxed) > limit
    }

    /// Asks the other workers to give up one idle connection.
    pub fn want_room(&self) {
        self.wanted.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether somebody asks for room.
    #[must_use]
    pub fn is_room_wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed) > 0
    }

    /// One wish was granted or given up.
    pub fn room_made(&self) {
        let one_less = |wanted: usize| Some(wanted.saturating_sub(1));
        // The closure always gives a value, so this cannot fail.
        let updated = self
            .wanted
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less);
        debug_assert!(updated.is_ok());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_and_connections_are_counted_apart() {
        let crowd = Crowd::default();
        assert_eq!((crowd.enter(), crowd.enter()), (1, 2));
        assert!(crowd.is_over(1) && !crowd.is_over(2));
        crowd.want_room();
        assert!(crowd.is_room_wanted());
        crowd.room_made();
        crowd.room_made();
        assert!(!crowd.is_room_wanted());
        crowd.leave();
        assert!(!crowd.is_over(1));
    }
}
