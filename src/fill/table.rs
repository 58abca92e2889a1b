//! What was found under the paths of the sites' roots: a bounded table that forgets what was used least recently.

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashMap;

use super::siblings::Seen;
use crate::cache::order::Outcome;
use crate::index::entry::Entry;
use crate::units::{MonoNanos, SiteId};

/// A site and a canonical path.
pub(super) type Key = (SiteId, Box<[u8]>);

/// Why there is nothing to answer with; remembered for a moment like an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Directory,
    Missing,
    Forbidden,
    /// Not remembered: the next try may do.
    Unavailable,
    /// Not remembered either: descriptors come back.
    NoRoom,
}

impl Refusal {
    pub(super) fn outcome(self) -> Outcome {
        match self {
            Self::Directory => Outcome::Directory,
            Self::Missing => Outcome::Missing,
            Self::Forbidden => Outcome::Forbidden,
            Self::Unavailable | Self::NoRoom => Outcome::Unavailable,
        }
    }
}

/// An entry with what was seen on disk when it was made.
#[derive(Clone, Debug)]
pub(super) struct Opened {
    pub(super) entry: Arc<Entry>,
    pub(super) seen: Seen,
}

/// A table of at most `max` values by recency.
#[derive(Debug)]
pub(super) struct Recent<V> {
    max: usize,
    by_key: HashMap<Key, Remembered<V>>,
    /// Keys from the least to the most recently used.
    by_use: BTreeMap<u64, Key>,
    uses: u64,
}

#[derive(Debug)]
struct Remembered<V> {
    value: V,
    checked_at: MonoNanos,
    used: u64,
}

impl<V> Recent<V> {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max: max.max(1),
            by_key: HashMap::new(),
            by_use: BTreeMap::new(),
            uses: 0,
        }
    }

    /// The value, and when it was last held to the disk.
    pub(super) fn find(&mut self, key: &Key) -> Option<(&V, MonoNanos)> {
        self.uses += 1;
        let found = self.by_key.get_mut(key)?;
        if let Some(own) = self.by_use.remove(&found.used) {
            self.by_use.insert(self.uses, own);
        }
        found.used = self.uses;
        Some((&found.value, found.checked_at))
    }

    /// Puts a value in; the least recently used one goes when there is no room.
    pub(super) fn insert(&mut self, key: Key, value: V, checked_at: MonoNanos) {
        self.remove(&key);
        if self.by_key.len() >= self.max
            && let Some((_, oldest)) = self.by_use.pop_first()
        {
            self.by_key.remove(&oldest);
        }
        self.uses += 1;
        self.by_use.insert(self.uses, key.clone());
        let used = self.uses;
        self.by_key.insert(
            key,
            Remembered {
                value,
                checked_at,
                used,
            },
        );
    }

    /// Notes that the value was held to the disk and is still true.
    pub(super) fn confirm(&mut self, key: &Key, checked_at: MonoNanos) {
        if let Some(found) = self.by_key.get_mut(key) {
            found.checked_at = checked_at;
        }
    }

    pub(super) fn remove(&mut self, key: &Key) {
        if let Some(gone) = self.by_key.remove(key) {
            self.by_use.remove(&gone.used);
        }
    }

    /// Drops at most `count` of the values that `is_idle` holds for, the least recently used first.
    pub(super) fn evict_idle(&mut self, count: usize, is_idle: impl Fn(&V) -> bool) {
        let is_idle = |key: &Key| {
            let found = self.by_key.get(key);
            found.is_some_and(|found| is_idle(&found.value))
        };
        let idle = self.by_use.values().filter(|key| is_idle(key));
        for key in idle.take(count).cloned().collect::<Vec<_>>() {
            self.remove(&key);
        }
    }

    /// Drops all values that `is_kept` does not hold for.
    pub(super) fn retain(&mut self, is_kept: impl Fn(&V) -> bool) {
        let by_use = &mut self.by_use;
        self.by_key.retain(|_, found| {
            let keeps = is_kept(&found.value);
            if !keeps {
                by_use.remove(&found.used);
            }
            keeps
        });
    }

    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(number: u8) -> Key {
        (SiteId(0), Box::from([number]))
    }

    #[test]
    fn least_recently_used_value_goes_first() {
        let mut table = Recent::new(2);
        table.insert(key(1), 'a', MonoNanos(1));
        table.insert(key(2), 'b', MonoNanos(2));
        assert_eq!(table.find(&key(1)), Some((&'a', MonoNanos(1))));
        table.insert(key(3), 'c', MonoNanos(3));
        assert_eq!(table.find(&key(2)), None);
        assert_eq!(table.len(), 2);
        table.evict_idle(9, |value| *value == 'b');
        assert_eq!(table.find(&key(1)), Some((&'a', MonoNanos(1))));
        assert_eq!(table.len(), 2);
        table.retain(|value| *value == 'c');
        assert_eq!(table.find(&key(1)), None);
        table.confirm(&key(3), MonoNanos(9));
        assert_eq!(table.find(&key(3)), Some((&'c', MonoNanos(9))));
    }

    proptest! {
        #[test]
        fn table_never_exceeds_its_bound(steps in proptest::collection::vec((0_u8..20, 0_u8..3), 0..200)) {
            let mut table = Recent::new(5);
            for (number, step) in steps {
                match step {
                    0 => table.insert(key(number), number, MonoNanos(0)),
                    1 => table.remove(&key(number)),
                    _ => {
                        if let Some((value, _)) = table.find(&key(number)) {
                            prop_assert_eq!(*value, number);
                        }
                    }
                }
                prop_assert!(table.len() <= 5);
                prop_assert_eq!(table.by_key.len(), table.by_use.len());
            }
        }
    }
}
