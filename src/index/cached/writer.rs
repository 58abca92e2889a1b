//! The one lock of the index: it keeps its writers apart, which are fill and admin threads. Readers never come here.

#[expect(
    clippy::disallowed_types,
    reason = "the writers of the index: fill and admin threads, for microseconds; workers only read"
)]
use std::sync::Mutex;
use std::sync::{MutexGuard, PoisonError};

use super::Cached;
use super::ledger::Ledger;

/// The writers' part of the index.
#[derive(Debug)]
#[expect(clippy::disallowed_types, reason = "see the import")]
pub(super) struct Writer<T>(Mutex<Ledger<T>>);

impl<T: Cached> Writer<T> {
    #[expect(clippy::disallowed_types, reason = "see the import")]
    pub(super) fn new(ledger: Ledger<T>) -> Self {
        Self(Mutex::new(ledger))
    }

    /// Waits for the other writers.
    pub(super) fn lock(&self) -> MutexGuard<'_, Ledger<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
