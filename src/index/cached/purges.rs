//! Which values a purge means, and the memory of recent purges: a fill that was begun before a purge must not publish
//! after it what the purge was to remove.
//!
//! Each purge has an epoch. A fill notes the epoch when it begins; when it wants to publish, the log tells whether a purge
//! since then means its value. The log has a fixed size and errs towards refusing: keys and tags are noted in tables by
//! hash, where a younger purge hides an older one; of prefixes the latest are kept. Keys and prefixes are noted without their
//! scope (see `policy::key`), so that a purge of one URL takes one place however many profiles it is purged under; a fill of the same
//! URL in another scope is refused then too.

use std::collections::VecDeque;

use super::Cached;
use super::bucket::heap_bytes;
use crate::policy::key::split_scope;

/// Prefixes that are remembered. A fill that is older than the oldest of them is refused.
pub const PREFIXES_MAX: usize = 256;
/// Slots of the tables for keys and for tags.
const SLOTS: usize = 4096;

/// A point in the sequence of purges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(pub(super) u64);

/// Which values are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matcher<'a> {
    /// All of them.
    All,
    /// Those of one key, in all variants.
    Key(&'a [u8]),
    /// Those whose key begins so.
    Prefix(&'a [u8]),
    /// Those that carry this tag.
    Tag(&'a [u8]),
}

impl Matcher<'_> {
    /// Whether `value` is meant.
    pub fn matches<T: Cached>(&self, value: &T) -> bool {
        match self {
            Self::All => true,
            Self::Key(key) => value.key() == *key,
            Self::Prefix(prefix) => value.key().starts_with(prefix),
            Self::Tag(tag) => value.tags().any(|other| other == *tag),
        }
    }
}

/// Recent purges.
#[derive(Debug)]
pub(super) struct PurgeLog {
    /// The epoch of the latest purge.
    latest: u64,
    all: u64,
    keys: Box<[u64]>,
    tags: Box<[u64]>,
    prefixes: VecDeque<(u64, Box<[u8]>)>,
    prefix_bytes: u64,
    /// The latest epoch of a prefix that is no longer remembered.
    forgotten: u64,
}

impl PurgeLog {
    pub(super) fn new() -> Self {
        Self {
            latest: 0,
            all: 0,
            keys: vec![0; SLOTS].into(),
            tags: vec![0; SLOTS].into(),
            prefixes: VecDeque::with_capacity(PREFIXES_MAX),
            prefix_bytes: 0,
            forgotten: 0,
        }
    }

    /// Notes a purge. `hash` gives the hash of keys and tags.
    pub(super) fn note(&mut self, matcher: &Matcher<'_>, hash: impl Fn(&[u8]) -> u64) -> Epoch {
        self.latest += 1;
        match matcher {
            Matcher::All => self.all = self.latest,
            Matcher::Key(key) => set(&mut self.keys, hash(split_scope(key).1), self.latest),
            Matcher::Tag(tag) => set(&mut self.tags, hash(tag), self.latest),
            Matcher::Prefix(prefix) => {
                let prefix = match split_scope(prefix) {
                    // All of a scope.
                    (Some(_), []) => prefix,
                    (_, url) => url,
                };
                if let Some(at) = self.prefixes.iter().position(|(_, it)| **it == *prefix) {
                    self.prefixes.remove(at);
                    self.prefix_bytes -= heap_bytes(prefix.len());
                }
                if self.prefixes.len() >= PREFIXES_MAX
                    && let Some((epoch, prefix)) = self.prefixes.pop_front()
                {
                    self.forgotten = epoch;
                    self.prefix_bytes -= heap_bytes(prefix.len());
                }
                self.prefix_bytes += heap_bytes(prefix.len());
                self.prefixes.push_back((self.latest, prefix.into()));
            }
        }
        Epoch(self.latest)
    }

    /// Whether a purge after `began` may have meant a value of this key, with these tags.
    pub(super) fn means<'v>(
        &self,
        (key, key_hash): (&[u8], u64),
        mut tags: impl Iterator<Item = &'v [u8]>,
        began: Epoch,
        hash: impl Fn(&[u8]) -> u64,
    ) -> bool {
        let is_since = |epoch: u64| epoch > began.0;
        if !is_since(self.latest) {
            return false;
        }
        let (scope, url) = split_scope(key);
        let noted = scope.map_or(key_hash, |_| hash(url));
        let since = self.prefixes.iter().rev();
        let mut since = since.take_while(|(epoch, _)| is_since(*epoch));
        is_since(self.all.max(self.forgotten))
            || is_since(at(&self.keys, noted))
            || tags.any(|tag| is_since(at(&self.tags, hash(tag))))
            || since.any(|(_, prefix)| url.starts_with(prefix) || key.starts_with(prefix))
    }

    /// What the log takes in memory.
    pub(super) fn own_bytes(&self) -> u64 {
        let places = self.prefixes.capacity() * size_of::<(u64, Box<[u8]>)>();
        (2 * SLOTS * size_of::<u64>() + places) as u64 + self.prefix_bytes
    }
}

fn set(table: &mut [u64], hash: u64, epoch: u64) {
    if let Some(slot) = table.get_mut(hash as usize % SLOTS) {
        *slot = epoch;
    }
}

fn at(table: &[u64], hash: u64) -> u64 {
    table.get(hash as usize % SLOTS).copied().unwrap_or(0)
}
