//! From a tag to the values that carry it (`Cache-Tag`, `Surrogate-Key`, `xkey`, cache groups). Only writers use it.
//!
//! A tag is known by a hash, so two tags may share a list: who purges compares the tags themselves. Each value has a
//! chain of links, one a tag, so that it leaves all its tags' lists in as many steps as it has tags.

use hashbrown::HashTable;
use slab::Slab;

/// No link.
const NONE: u32 = u32::MAX;
/// Places that a slab grows by at once at most.
const GROWTH_MAX: usize = 8192;

/// The first link of a value's chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chain(u32);

impl Chain {
    /// The chain of a value without tags.
    pub(super) const EMPTY: Self = Self(NONE);
}

/// One value in one tag's list.
#[derive(Debug)]
struct Link {
    /// The hash of the value's key.
    key_hash: u64,
    tag: u32,
    newer: u32,
    older: u32,
    /// The next link of the same value.
    next_of_value: u32,
}

#[derive(Debug)]
struct Tag {
    hash: u64,
    newest: u32,
}

/// Lists of values by tag.
#[derive(Debug, Default)]
pub(super) struct TagIndex {
    links: Slab<Link>,
    tags: Slab<Tag>,
    by_hash: HashTable<u32>,
}

impl TagIndex {
    /// Makes memory for `count` more links and tags, so that adding them doesn't change [`own_bytes`](Self::own_bytes).
    pub(super) fn reserve(&mut self, count: usize) {
        reserve(&mut self.links, count);
        reserve(&mut self.tags, count);
        let tags = &self.tags;
        self.by_hash.reserve(count, |tag| hash_of(tags, *tag));
    }

    /// Adds a value with the hash of its key to the lists of its tags.
    pub(super) fn add(&mut self, key_hash: u64, tag_hashes: impl Iterator<Item = u64>) -> Chain {
        let mut chain = NONE;
        for hash in tag_hashes {
            if self.carries(chain, hash) || self.links.len() >= NONE as usize {
                continue;
            }
            let tag = self.tag(hash);
            let Some(Tag { newest, .. }) = self.tags.get_mut(tag as usize) else {
                continue;
            };
            let link = Link {
                key_hash,
                tag,
                newer: NONE,
                older: *newest,
                next_of_value: chain,
            };
            let older = *newest;
            let at = self.links.insert(link) as u32;
            *newest = at;
            if let Some(older) = self.links.get_mut(older as usize) {
                older.newer = at;
            }
            chain = at;
        }
        Chain(chain)
    }

    /// Takes a value out of the lists of all its tags.
    pub(super) fn remove(&mut self, chain: Chain) {
        let mut at = chain.0;
        while let Some(link) = self.links.try_remove(at as usize) {
            if let Some(older) = self.links.get_mut(link.older as usize) {
                older.newer = link.newer;
            }
            match self.links.get_mut(link.newer as usize) {
                Some(newer) => newer.older = link.older,
                None => self.set_newest(link.tag, link.older),
            }
            at = link.next_of_value;
        }
        // A slab can't shrink before it is empty, because links keep their places.
        if self.links.is_empty() && self.links.capacity() > 0 {
            *self = Self::default();
        }
    }

    /// The hashes of the keys whose values carry the tag, each once a value.
    pub(super) fn keys(&self, tag_hash: u64) -> impl Iterator<Item = u64> {
        let tags = &self.tags;
        let tag = self
            .by_hash
            .find(tag_hash, |tag| hash_of(tags, *tag) == tag_hash);
        let newest = tag
            .and_then(|tag| tags.get(*tag as usize))
            .map_or(NONE, |tag| tag.newest);
        let first = self.links.get(newest as usize);
        let links = std::iter::successors(first, |link| self.links.get(link.older as usize));
        links.map(|link| link.key_hash)
    }

    /// What the lists take in memory.
    pub(super) fn own_bytes(&self) -> u64 {
        let links = self.links.capacity() * size_of::<Result<Link, usize>>();
        let tags = self.tags.capacity() * size_of::<Result<Tag, usize>>();
        (links + tags + self.by_hash.allocation_size()) as u64
    }

    /// Whether the value whose chain begins at `at` is in the tag's list already.
    fn carries(&self, mut at: u32, hash: u64) -> bool {
        while let Some(link) = self.links.get(at as usize) {
            if hash_of(&self.tags, link.tag) == hash {
                return true;
            }
            at = link.next_of_value;
        }
        false
    }

    /// The tag with this hash; a new one where there was none.
    fn tag(&mut self, hash: u64) -> u32 {
        let tags = &self.tags;
        let found = self.by_hash.find(hash, |tag| hash_of(tags, *tag) == hash);
        if let Some(tag) = found {
            return *tag;
        }
        let newest = NONE;
        let tag = self.tags.insert(Tag { hash, newest }) as u32;
        let tags = &self.tags;
        self.by_hash
            .insert_unique(hash, tag, |tag| hash_of(tags, *tag));
        tag
    }

    /// Notes the newest link of a tag; a tag without links goes.
    fn set_newest(&mut self, tag: u32, newest: u32) {
        if newest != NONE {
            if let Some(tag) = self.tags.get_mut(tag as usize) {
                tag.newest = newest;
            }
        } else if let Some(gone) = self.tags.try_remove(tag as usize) {
            let entry = self.by_hash.find_entry(gone.hash, |other| *other == tag);
            if let Ok(entry) = entry {
                entry.remove();
            }
        }
    }
}

fn hash_of(tags: &Slab<Tag>, tag: u32) -> u64 {
    tags.get(tag as usize).map_or(0, |tag| tag.hash)
}

fn reserve<T>(slab: &mut Slab<T>, count: usize) {
    let free = slab.capacity() - slab.len();
    if free < count {
        let growth = (slab.len() / 8).clamp(16, GROWTH_MAX);
        slab.reserve_exact(growth.max(count));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(index: &TagIndex, tag: u64) -> Vec<u64> {
        index.keys(tag).collect()
    }

    #[test]
    fn value_is_in_the_list_of_each_of_its_tags_until_it_is_removed() {
        let mut index = TagIndex::default();
        let first = index.add(1, [10, 20, 10].into_iter());
        let second = index.add(2, [20, 30].into_iter());
        let third = index.add(3, [20].into_iter());
        assert_eq!(keys(&index, 10), [1]);
        assert_eq!(keys(&index, 20), [3, 2, 1]);
        index.remove(second);
        assert_eq!(keys(&index, 20), [3, 1]);
        assert_eq!(keys(&index, 30), [0; 0]);
        index.remove(third);
        assert_eq!(keys(&index, 20), [1]);
        index.remove(first);
        index.remove(Chain::EMPTY);
        assert_eq!((index.links.len(), index.tags.len()), (0, 0));
        assert_eq!(index.by_hash.len(), 0);
    }

    #[test]
    fn reserved_memory_is_what_adding_needs() {
        let mut index = TagIndex::default();
        for key in 0..5000 {
            index.reserve(3);
            let before = index.own_bytes();
            index.add(key, (0..3).map(|tag| key * 3 + tag));
            assert_eq!(index.own_bytes(), before);
        }
    }
}
