//! Counting what a removal removes from memory and from disk: a response that is in both is one.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use crate::index::response::Response;
use crate::store::disk::Label;

/// A count of responses, each of which may be met in memory first and on disk afterwards.
///
/// Whether a response in memory is on disk too can't be asked of it alone: it may be written between the two looks.
#[derive(Debug, Default)]
pub struct Removed {
    /// Hashes of key and variant of those that were met in memory alone.
    in_memory: HashSet<u64>,
    hasher: RandomState,
    count: u64,
}

impl Removed {
    /// Takes one that was met in memory; whether it counts here.
    pub fn in_memory(&mut self, response: &Response) -> bool {
        if response.object.on_disk().is_some() && !response.shares_body() {
            return false;
        }
        self.first(&response.key, &response.variant)
    }

    /// Takes one that was met on disk; whether it was not counted before.
    pub fn on_disk(&mut self, label: &Label) -> bool {
        let name = self.hasher.hash_one((&*label.key, &*label.variant));
        let is_first = !self.in_memory.contains(&name);
        self.count += u64::from(is_first);
        is_first
    }

    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    fn first(&mut self, key: &[u8], variant: &[u8]) -> bool {
        let is_first = self.in_memory.insert(self.hasher.hash_one((key, variant)));
        self.count += u64::from(is_first);
        is_first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(key: &[u8], variant: &[u8]) -> Label {
        Label {
            key: key.into(),
            variant: variant.into(),
            ..Label::default()
        }
    }

    #[test]
    fn response_that_is_written_between_the_looks_counts_once() {
        let mut removed = Removed::default();
        assert!(removed.first(b"a", b""));
        assert!(!removed.on_disk(&label(b"a", b"")));
        assert!(removed.on_disk(&label(b"a", b"gzip")));
        assert!(removed.on_disk(&label(b"b", b"")));
        assert_eq!(removed.count(), 3);
    }
}
