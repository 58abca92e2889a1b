//! The store's locks. All are taken on threads that may block, never on a worker.

#[expect(
    clippy::disallowed_types,
    reason = "the store's callers may block; a hit never comes here"
)]
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

/// A lock whose value is whole between any two changes, so that a panic elsewhere does not close it.
#[derive(Debug, Default)]
#[expect(clippy::disallowed_types, reason = "see the import")]
pub(super) struct Latch<T>(Mutex<T>);

impl<T> Latch<T> {
    /// A latch around `value`.
    #[expect(clippy::disallowed_types, reason = "see the import")]
    pub(super) fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    /// Waits for the value.
    pub(super) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Open until it is shut for good. Whoever is inside holds up the shutting.
#[derive(Debug, Default)]
#[expect(clippy::disallowed_types, reason = "see the import")]
pub(super) struct Gate(RwLock<bool>);

impl Gate {
    /// Runs `work` inside; `None` where the gate is shut.
    pub(super) fn pass<R>(&self, work: impl FnOnce() -> R) -> Option<R> {
        let shut = self.0.read().unwrap_or_else(PoisonError::into_inner);
        (!*shut).then(work)
    }

    /// Waits for whoever is inside, then shuts.
    pub(super) fn shut(&self) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = true;
    }
}

/// What a bell was rung for.
#[derive(Debug, Default)]
struct Rung {
    work: bool,
    hurry: bool,
    stop: bool,
}

/// Wakes the committer.
#[derive(Debug, Default)]
#[expect(clippy::disallowed_types, reason = "see the import")]
pub(super) struct Bell {
    rung: Mutex<Rung>,
    changed: Condvar,
}

impl Bell {
    /// There is something to commit; `hurry`: now rather than with what comes soon.
    pub(super) fn ring(&self, hurry: bool) {
        let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = !rung.work || (hurry && !rung.hurry);
        rung.work = true;
        rung.hurry |= hurry;
        if is_news {
            self.changed.notify_all();
        }
    }

    /// There will be no more rings.
    pub(super) fn stop(&self) {
        let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        rung.stop = true;
        self.changed.notify_all();
    }

    /// Waits for a ring, then for `gather` or until somebody hurries. Returns false when it was stopped.
    pub(super) fn wait(&self, gather: Duration) -> bool {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let rung = self
            .changed
            .wait_while(rung, |rung| !rung.work && !rung.stop)
            .unwrap_or_else(PoisonError::into_inner);
        let (mut rung, _) = self
            .changed
            .wait_timeout_while(rung, gather, |rung| !rung.hurry && !rung.stop)
            .unwrap_or_else(PoisonError::into_inner);
        rung.work = false;
        rung.hurry = false;
        !rung.stop
    }
}
