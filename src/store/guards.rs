//! The guarded objects by their descriptor, so that a break signal finds the object that is wanted back.
//!
//! Holds the objects weakly: a guard ends with the last real holder, which is never this table. What a break means and
//! what follows from it stands in `sys::guard`.
//!
//! Threads: the guards' owner calls [`Guards::answer`]; whoever loads objects registers them. The lock is held for one
//! table operation; no worker ever takes it.

use std::os::fd::{AsFd as _, AsRawFd as _, RawFd};
#[expect(
    clippy::disallowed_types,
    reason = "taken when an object is loaded or wanted back, never for an answer"
)]
use std::sync::Mutex;
use std::sync::{Arc, MutexGuard, PoisonError, Weak};

use hashbrown::HashMap;

use super::Object;
use crate::sys::guard::{Break, GuardOwner};

/// Called after objects were revoked.
pub type Listener = Arc<dyn Fn() + Send + Sync>;

type Table = HashMap<RawFd, Weak<Object>>;

/// See the module's header.
#[expect(clippy::disallowed_types, reason = "see the import")]
pub struct Guards {
    owner: GuardOwner,
    held: Mutex<Table>,
    listeners: Mutex<Vec<Listener>>,
}

impl Guards {
    /// An empty table for guards that `owner` is told about.
    #[must_use]
    #[expect(clippy::disallowed_types, reason = "see the import")]
    pub fn new(owner: GuardOwner) -> Arc<Self> {
        Arc::new(Self {
            owner,
            held: Mutex::new(Table::new()),
            listeners: Mutex::new(Vec::new()),
        })
    }

    /// The owner to take guards for.
    #[must_use]
    pub fn owner(&self) -> GuardOwner {
        self.owner
    }

    /// Calls `listener` after every break, on the owner's thread: to drop what it holds of the revoked objects.
    pub fn on_revoked(&self, listener: Listener) {
        lock(&self.listeners).push(listener);
    }

    /// Enters a guarded object. Returns false when it is wanted back already: then it must be dropped.
    #[must_use]
    pub fn register(&self, object: &Arc<Object>) -> bool {
        let Some(file) = object.guarded() else {
            return true;
        };
        {
            let mut held = lock(&self.held);
            if held.len() == held.capacity() {
                held.retain(|_, object| object.strong_count() > 0);
            }
            held.insert(file.as_fd().as_raw_fd(), Arc::downgrade(object));
        }
        // A break before the entry was there found nothing.
        !file.is_guard_broken()
    }

    /// Revokes what a signal asks back and tells the listeners. Returns how many objects that were.
    pub fn answer(&self, wanted: Break) -> usize {
        let candidates: Vec<Arc<Object>> = {
            let held = lock(&self.held);
            match wanted {
                Break::Of(descriptor) => held
                    .get(&descriptor)
                    .and_then(Weak::upgrade)
                    .into_iter()
                    .collect(),
                Break::Unknown => held.values().filter_map(Weak::upgrade).collect(),
            }
        };
        let mut count = 0;
        for object in candidates {
            // The number may be another file's by now, so the kernel is asked.
            let broken = object.guarded().is_some_and(|file| file.is_guard_broken());
            if broken && !object.is_revoked() {
                object.revoke();
                count += 1;
            }
        }
        if count > 0 {
            let listeners = lock(&self.listeners).clone();
            for listener in listeners {
                listener();
            }
        }
        count
    }
}

impl std::fmt::Debug for Guards {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guards")
            .field("owner", &self.owner)
            .field("held", &lock(&self.held).len())
            .finish_non_exhaustive()
    }
}

#[expect(clippy::disallowed_types, reason = "see the import")]
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change below a lock is a single step, so a panic elsewhere leaves a whole table.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
