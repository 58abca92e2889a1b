//! The index alone, against a model, and between threads.

mod model;
mod purging;
mod threads;

use std::sync::{Arc, Weak};

use super::*;
use crate::index::eviction::UseCount;

/// A stored response for tests.
#[derive(Debug)]
pub(super) struct Response {
    key: Vec<u8>,
    variant: Vec<u8>,
    tags: Vec<Vec<u8>>,
    weight: u64,
    /// Tells responses of the same key and variant apart.
    number: u64,
    is_stale: bool,
    uses: UseCount,
}

impl Response {
    fn new(key: &str) -> Self {
        Self {
            key: key.as_bytes().to_vec(),
            variant: Vec::new(),
            tags: Vec::new(),
            weight: 100,
            number: 0,
            is_stale: false,
            uses: UseCount::new(),
        }
    }

    fn variant(mut self, variant: &str) -> Self {
        self.variant = variant.as_bytes().to_vec();
        self
    }

    fn tags(mut self, tags: &[&str]) -> Self {
        self.tags = tags.iter().map(|tag| tag.as_bytes().to_vec()).collect();
        self
    }

    fn weight(mut self, weight: u64) -> Self {
        self.weight = weight;
        self
    }

    fn number(mut self, number: u64) -> Self {
        self.number = number;
        self
    }

    fn shared(self) -> Arc<Self> {
        Arc::new(self)
    }

    /// The same response, marked by a soft purge.
    fn stale(&self) -> Arc<Self> {
        Arc::new(Self {
            key: self.key.clone(),
            variant: self.variant.clone(),
            tags: self.tags.clone(),
            is_stale: true,
            uses: UseCount::new(),
            ..*self
        })
    }
}

impl Counted for Response {
    fn uses(&self) -> &UseCount {
        &self.uses
    }
}

impl Cached for Response {
    fn key(&self) -> &[u8] {
        &self.key
    }

    fn variant(&self) -> &[u8] {
        &self.variant
    }

    fn weight(&self) -> u64 {
        self.weight
    }

    fn tags(&self) -> impl Iterator<Item = &[u8]> {
        self.tags.iter().map(Vec::as_slice)
    }
}

/// What an index takes without values, so that a test's cap means values.
fn empty_bytes(cap: u64) -> u64 {
    CachedIndex::<Response>::new(cap).stats().bytes
}

/// An index with room for values of about `bytes`.
fn index(bytes: u64) -> CachedIndex<Response> {
    CachedIndex::new(empty_bytes(0) + bytes)
}

/// The numbers of what is stored under a key, most recent first.
fn numbers(index: &CachedIndex<Response>, key: &str) -> Vec<u64> {
    let found = index.find(key.as_bytes());
    found.map_or_else(Vec::new, |it| it.iter().map(|it| it.number).collect())
}

fn store(index: &CachedIndex<Response>, response: Response) -> Arc<Response> {
    let response = response.shared();
    let inserted = index.insert(Arc::clone(&response));
    assert_eq!(inserted.outcome, Outcome::Stored);
    response
}

#[test]
fn look_up_finds_the_variants_of_its_key_most_recent_first() {
    let index = index(100_000);
    store(&index, Response::new("a").variant("gzip").number(1));
    store(&index, Response::new("b").number(2));
    store(&index, Response::new("a").variant("br").number(3));
    assert_eq!(numbers(&index, "a"), [3, 1]);
    assert_eq!(numbers(&index, "b"), [2]);
    assert!(index.find(b"c").is_none());
    let found = index.find(b"a").unwrap();
    assert_eq!((found.count(), found.newest().unwrap().number), (2, 3));
    assert_eq!(found.iter().len(), 2);
}

#[test]
fn response_with_the_same_variant_takes_the_others_place_and_its_uses() {
    let index = index(100_000);
    let old = store(&index, Response::new("a").variant("gzip").number(1));
    store(&index, Response::new("a").variant("br").number(2));
    old.uses.bump();
    old.uses.bump();
    let new = Response::new("a").variant("gzip").number(3).shared();
    let inserted = index.insert(Arc::clone(&new));
    assert!(inserted.is_stored());
    assert_eq!(inserted.replaced.unwrap().number, 1);
    assert_eq!(new.uses.count(), 2);
    assert_eq!(numbers(&index, "a"), [3, 2]);
    assert_eq!(index.stats().values, 2);
}

#[test]
fn replacement_happens_only_where_the_very_value_is_still_there() {
    let index = index(100_000);
    let first = store(&index, Response::new("a").variant("x").number(1));
    store(&index, Response::new("a").variant("y").number(2));
    let fresh = Response::new("a").variant("x").number(3).shared();
    assert!(index.replace(&first, &fresh).is_stored());
    assert_eq!(numbers(&index, "a"), [3, 2]);
    let late = Response::new("a").variant("x").number(4).shared();
    assert_eq!(index.replace(&first, &late).outcome, Outcome::NotThere);
    let other = Response::new("a").variant("z").number(5).shared();
    assert_eq!(index.replace(&fresh, &other).outcome, Outcome::NotThere);
    assert_eq!(numbers(&index, "a"), [3, 2]);
    assert!(index.remove(&fresh));
    assert!(!index.remove(&fresh));
    assert_eq!(index.replace(&fresh, &late).outcome, Outcome::NotThere);
    assert_eq!(numbers(&index, "a"), [2]);
}

#[test]
fn variant_beyond_the_limit_displaces_the_oldest_of_its_key() {
    let index = index(1_000_000);
    for number in 0..VARIANTS_MAX as u64 {
        let response = Response::new("a").variant(&number.to_string());
        store(&index, response.number(number));
    }
    let one_more = Response::new("a").variant("more").number(100).shared();
    let inserted = index.insert(one_more);
    assert_eq!(inserted.crowded_out.unwrap().number, 0);
    let left = numbers(&index, "a");
    assert_eq!(left.len(), VARIANTS_MAX);
    assert_eq!((left[0], left[VARIANTS_MAX - 1]), (100, 1));
    assert_eq!(index.stats().counts.crowded_out, 1);
}

#[test]
fn bucket_beyond_its_limit_evicts_instead_of_growing() {
    let index = index(1_000_000);
    let keys = (0..).map(|number: u64| format!("key{number}"));
    let same_bucket = keys.filter(|key| index.buckets.spot(key.as_bytes()).bucket == 0);
    let keys: Vec<String> = same_bucket.take(BUCKET_ENTRIES_MAX + 1).collect();
    for key in &keys[..BUCKET_ENTRIES_MAX] {
        store(&index, Response::new(key));
    }
    let inserted = index.insert(Response::new(&keys[BUCKET_ENTRIES_MAX]).shared());
    assert_eq!(inserted.evicted.len(), 1);
    let stats = index.stats();
    assert_eq!(stats.values, BUCKET_ENTRIES_MAX as u64);
    assert_eq!(stats.counts.bucket_overflows, 1);
    assert!(index.find(keys[BUCKET_ENTRIES_MAX].as_bytes()).is_some());
}

#[test]
fn value_larger_than_the_cap_is_refused_and_takes_what_it_supersedes_with_it() {
    let index = index(50_000);
    store(&index, Response::new("other").number(1));
    store(&index, Response::new("a").number(2));
    let inserted = index.insert(Response::new("a").weight(60_000).shared());
    assert_eq!(inserted.outcome, Outcome::TooLarge);
    assert_eq!(inserted.replaced.unwrap().number, 2);
    assert!(index.find(b"a").is_none());
    let vast = Response::new("b").weight(u64::MAX).shared();
    assert_eq!(index.insert(vast).outcome, Outcome::TooLarge);
    let kept = store(&index, Response::new("c").number(3));
    let vast = Response::new("c").weight(u64::MAX).shared();
    assert_eq!(index.replace(&kept, &vast).outcome, Outcome::TooLarge);
    assert!(index.find(b"c").is_none());
    assert_eq!(numbers(&index, "other"), [1]);
    assert_eq!(index.stats().counts.refused_too_large, 3);
}

#[test]
fn what_is_evicted_is_handed_back_and_the_cap_holds() {
    let index = index(100_000);
    let cap = index.stats().cap_bytes;
    let mut handed_back = 0;
    for number in 0..2000 {
        let response = Response::new(&format!("key{number}")).weight(number % 700);
        let inserted = index.insert(response.shared());
        for gone in &inserted.evicted {
            assert!(index.find(&gone.key).is_none());
            // The caller has the only one.
            assert_eq!(Arc::strong_count(gone), 1);
        }
        handed_back += inserted.evicted.len() as u64;
        let stats = index.stats();
        assert!(stats.bytes <= cap, "{stats:?}");
        assert_eq!(stats.values + handed_back, number + 1);
    }
    assert!(handed_back > 1000);
    let counts = index.stats().eviction;
    assert_eq!(counts.evicted_small + counts.evicted_main, handed_back);
}

#[test]
fn lowered_cap_hands_back_what_is_beyond_it_and_a_raised_one_takes_more() {
    let index = index(20_000_000);
    for number in 0..1000 {
        store(
            &index,
            Response::new(&format!("key{number}")).weight(15_000),
        );
    }
    let evicted = index.set_cap(10_000_000);
    let stats = index.stats();
    assert!(stats.bytes <= 10_000_000 && stats.cap_bytes == 10_000_000);
    assert_eq!(stats.values + evicted.len() as u64, 1000);
    assert!(stats.values > 600);
    assert_eq!(index.set_cap(30_000_000).len(), 0);
    store(&index, Response::new("large").weight(12_000_000));
    let evicted = index.set_cap(0).len() as u64;
    assert_eq!(evicted, stats.values + 1);
    assert_eq!(index.stats().values, 0);
}

#[test]
fn removed_values_live_only_as_long_as_their_last_reader() {
    let index = index(100_000);
    let weak: Weak<Response> = Arc::downgrade(&store(&index, Response::new("a")));
    let found = index.find(b"a").unwrap();
    assert_eq!(index.remove_key(b"a"), 1);
    assert!(index.find(b"a").is_none());
    assert_eq!(found.newest().unwrap().key, b"a");
    assert!(weak.upgrade().is_some());
    drop(found);
    assert!(weak.upgrade().is_none());
}

#[test]
fn listing_shows_every_value_once_page_by_page() {
    let index = index(10_000_000);
    for number in 0..500 {
        let key = format!("key{number}");
        store(&index, Response::new(&key).variant("x").number(number));
        if number % 7 == 0 {
            store(&index, Response::new(&key).variant("y").number(1000));
        }
    }
    let mut seen = Vec::new();
    let mut after: Option<Vec<u8>> = None;
    loop {
        let page = index.list(after.as_deref(), 17, |_| true);
        assert!(page.len() <= 18);
        seen.extend(page.iter().map(|it| (it.key.clone(), it.variant.clone())));
        if page.len() < 17 {
            break;
        }
        after = page.last().map(|last| last.key.clone());
        // The place in the listing outlives its key.
        if seen.len() < 100 {
            index.remove_key(after.as_deref().unwrap());
        }
    }
    let count = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!((seen.len(), count), (572, 572));
    let wanted = index.list(None, usize::MAX, |it| it.number == 1000);
    assert!(wanted.len() > 60 && wanted.iter().all(|it| it.variant == b"y"));
}

#[test]
fn empty_index_takes_little_and_all_of_it_counts() {
    assert!(empty_bytes(0) < 100_000, "{}", empty_bytes(0));
    let stats = CachedIndex::<Response>::new(512 << 20).stats();
    assert!(stats.bytes < (512 << 20) / 500, "{stats:?}");
    assert_eq!((stats.values, stats.overhead_bytes), (0, stats.bytes));
}
