//! A place where replies wait until the scenario lets them go on.

#![expect(
    clippy::disallowed_types,
    reason = "a gate is between the scenario's thread and an origin's"
)]

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::{PATIENCE, TICK, lock};
use crate::harness::waiting::now;

#[derive(Debug, Default)]
struct State {
    is_open: bool,
    reached: usize,
}

/// A gate; its clones are the same gate. Once open, it stays open.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate(Arc<(Mutex<State>, Condvar)>);

impl Gate {
    /// A closed gate.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Lets everybody through, now and later.
    pub(crate) fn open(&self) {
        let (state, changed) = &*self.0;
        lock(state).is_open = true;
        changed.notify_all();
    }

    /// Waits until `count` replies have come to the gate, those that went through included.
    #[track_caller]
    pub(crate) fn await_reached(&self, count: usize) {
        let (state, changed) = &*self.0;
        let deadline = now() + PATIENCE;
        let mut state = lock(state);
        while state.reached < count {
            let left = deadline.saturating_duration_since(now());
            let reached = state.reached;
            assert!(
                !left.is_zero(),
                "{reached} replies at the gate, not {count}"
            );
            let waited = changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits at the gate; false where the wait came to nothing, because `is_over` or nobody opened it in time.
    pub(super) fn pass(&self, is_over: impl Fn() -> bool) -> bool {
        let (state, changed) = &*self.0;
        let deadline = now() + PATIENCE;
        let mut state = lock(state);
        state.reached += 1;
        changed.notify_all();
        while !state.is_open {
            if is_over() || now() >= deadline {
                return false;
            }
            let waited = changed.wait_timeout(state, TICK);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}
