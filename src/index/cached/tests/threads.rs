//! Readers find while writers insert, replace, purge and evict.

use std::sync::Weak;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use super::*;

const KEYS: u64 = 300;
const STEPS: u64 = 20_000;

/// A sequence that looks random and is the same each time.
struct Sequence(u64);

impl Sequence {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

fn key(number: u64) -> String {
    format!("/{}/{number}", number % 5)
}

/// Gives what it made.
fn write(index: &CachedIndex<Response>, seed: u64) -> Vec<Weak<Response>> {
    let mut made = Vec::new();
    let mut sequence = Sequence(seed);
    let mut mine: Vec<Arc<Response>> = Vec::new();
    for number in 0..STEPS {
        let key = key(sequence.next(KEYS));
        let response = Response::new(&key)
            .variant(["x", "y"][sequence.next(2) as usize])
            .tags(&["all", &key[..2]])
            .weight(100 + sequence.next(400))
            .number(number)
            .shared();
        made.push(Arc::downgrade(&response));
        match sequence.next(20) {
            0 => drop(mine.pop().map(|it| index.remove(&it))),
            1 => {
                if let Some(old) = mine.pop() {
                    let new = old.stale();
                    made.push(Arc::downgrade(&new));
                    drop(index.replace(&old, &new));
                }
            }
            2 if number % 50 == 0 => {
                index.purge(&Matcher::Prefix(&key.as_bytes()[..3]), |_| None);
            }
            3 if number % 50 == 0 => {
                let mark = |it: &Arc<Response>| {
                    let mark = it.stale();
                    made.push(Arc::downgrade(&mark));
                    Some(mark)
                };
                index.purge(&Matcher::Tag(b"all"), mark);
            }
            _ => {
                if index.insert(Arc::clone(&response)).is_stored() {
                    mine.push(response);
                    mine.truncate(20);
                }
            }
        }
    }
    made
}

#[test]
fn readers_see_only_their_keys_values_while_writers_change_everything() {
    let index = index(60_000);
    let mut made = Vec::new();
    let is_over = AtomicBool::new(false);
    let found = AtomicU64::new(0);
    thread::scope(|scope| {
        for seed in 0..3 {
            let (index, is_over, found) = (&index, &is_over, &found);
            scope.spawn(move || {
                let mut sequence = Sequence(seed);
                while !is_over.load(Ordering::Relaxed) {
                    let key = key(sequence.next(KEYS));
                    if let Some(values) = index.find(key.as_bytes()) {
                        assert!((1..=2).contains(&values.count()));
                        for value in values.iter() {
                            assert_eq!(value.key, key.as_bytes());
                            value.uses.bump();
                        }
                        found.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let stats = index.stats();
                assert!(stats.bytes <= stats.cap_bytes, "{stats:?}");
                let listed = index.list(None, usize::MAX, |_| true);
                assert!(listed.len() <= 2 * KEYS as usize);
            }
        });
        let shared = &index;
        let writers: Vec<_> = (10..12)
            .map(|seed| scope.spawn(move || write(shared, seed)))
            .collect();
        let writers = writers.into_iter();
        made.extend(writers.flat_map(|it| it.join().unwrap()));
        is_over.store(true, Ordering::Relaxed);
    });
    assert!(found.load(Ordering::Relaxed) > 0);
    let stats = index.stats();
    assert!(stats.eviction.evicted_small > 0 && stats.counts.purged > 0);
    // What is left is what the index holds; when it is removed, nothing is.
    let alive = |made: &[Weak<Response>]| made.iter().filter(|it| it.strong_count() > 0).count();
    assert_eq!(alive(&made) as u64, stats.values);
    index.purge(&Matcher::All, |_| None);
    assert_eq!(alive(&made), 0);
}

#[test]
fn look_up_after_a_purge_never_finds_what_a_fill_began_before_it() {
    let index = index(1_000_000);
    // What the origin would answer with.
    let version = AtomicU64::new(0);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for seed in 0..2 {
            let (index, version, is_over) = (&index, &version, &is_over);
            scope.spawn(move || {
                let mut sequence = Sequence(seed);
                while !is_over.load(Ordering::Relaxed) {
                    let key = key(sequence.next(20));
                    let began = index.epoch();
                    let number = version.load(Ordering::SeqCst);
                    thread::yield_now();
                    let fill = Response::new(&key).tags(&["all"]).number(number);
                    drop(index.insert_since(fill.shared(), began));
                }
            });
        }
        let mut round = 0;
        // On a busy machine the others may not have begun by then.
        while round < 2000 || index.stats().counts.inserted == 0 {
            round += 1;
            version.store(round, Ordering::SeqCst);
            let matcher = match round % 3 {
                0 => Matcher::All,
                1 => Matcher::Prefix(b"/"),
                _ => Matcher::Tag(b"all"),
            };
            index.purge(&matcher, |_| None);
            for number in 0..20 {
                for value in index
                    .find(key(number).as_bytes())
                    .iter()
                    .flat_map(Found::iter)
                {
                    assert!(value.number >= round, "round {round}: {value:?}");
                }
            }
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert!(index.stats().counts.inserted > 0);
}
