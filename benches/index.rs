//! The index of cached responses: look-ups alone and beside a writer, and what a writer pays.
#![expect(clippy::expect_used, reason = "a bench that cannot go on fails")]

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use criterion::{Criterion, criterion_group, criterion_main};
use hotplate::index::cached::{Cached, CachedIndex, heap_bytes};
use hotplate::index::eviction::{Counted, UseCount};

/// Values in a full index.
const VALUES: u64 = 1_000_000;
/// Values in the index of the look-ups.
const LOOKED_UP: u64 = 10_000;

struct Response {
    key: Box<[u8]>,
    uses: UseCount,
}

impl Response {
    fn new(number: u64) -> Arc<Self> {
        Arc::new(Self {
            key: key(number).into(),
            uses: UseCount::new(),
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
        b""
    }

    /// As if it had a head and a body of 1 KiB.
    fn weight(&self) -> u64 {
        heap_bytes(self.key.len()) + 1400
    }

    fn tags(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::empty()
    }
}

fn key(number: u64) -> Vec<u8> {
    format!("http://media.example.com/prompts/{number:010}.wav").into_bytes()
}

fn filled(cap: u64, count: u64) -> CachedIndex<Response> {
    let index = CachedIndex::new(cap);
    for number in 0..count {
        assert!(index.insert(Response::new(number)).is_stored());
    }
    index
}

/// Inserts, replaces and removes as fast as it can, until told to stop.
fn write(index: &CachedIndex<Response>, stop: &AtomicBool) {
    for number in LOOKED_UP.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        assert!(index.insert(Response::new(number)).is_stored());
        // A value that is looked up, and its bucket, change as well.
        assert!(index.insert(Response::new(number % LOOKED_UP)).is_stored());
    }
}

fn look_up(criterion: &mut Criterion) {
    let index = Arc::new(filled(64 << 20, LOOKED_UP));
    let keys: Vec<_> = (0..LOOKED_UP).map(key).collect();
    let hot = key(5000);
    let find = |key: &[u8]| {
        let found = index.find(black_box(key));
        let newest = found.as_ref().and_then(|found| found.newest());
        if let Some(newest) = newest {
            newest.uses.bump();
        }
        newest.is_some()
    };
    let mut group = criterion.benchmark_group("cached_index");
    group.bench_function("look_up_one_key", |bencher| {
        bencher.iter(|| black_box(find(&hot)));
    });
    let mut turn = keys.iter().cycle();
    group.bench_function("look_up_10000_keys", |bencher| {
        bencher.iter(|| black_box(turn.next().map(|key| find(key))));
    });
    group.bench_function("look_up_nothing", |bencher| {
        bencher.iter(|| black_box(find(b"http://media.example.com/none.wav")));
    });
    let stop = Arc::new(AtomicBool::new(false));
    let writer = {
        let (index, stop) = (Arc::clone(&index), Arc::clone(&stop));
        std::thread::spawn(move || write(&index, &stop))
    };
    group.bench_function("look_up_10000_keys_beside_a_writer", |bencher| {
        bencher.iter(|| black_box(turn.next().map(|key| find(key))));
    });
    stop.store(true, Ordering::Relaxed);
    writer.join().expect("the writer ends");
    group.finish();
}

/// One insert into a full index: the copy of a bucket, and the eviction of one or two values for it.
fn insert(criterion: &mut Criterion) {
    let is_test = std::env::args().any(|argument| argument == "--test");
    let count = if is_test { 10_000 } else { VALUES };
    // What a value and its place in the index take.
    let index = filled(count * 1600, count);
    let mut number = count;
    // Until values go, each insert is cheaper than in a full index.
    while index.stats().eviction.evicted_small < count / 10 {
        number += 1;
        assert!(index.insert(Response::new(number)).is_stored());
    }
    assert!(index.stats().values > count * 9 / 10);
    let name = format!("insert_into_{count}_and_evict");
    let mut group = criterion.benchmark_group("cached_index");
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            number += 1;
            black_box(index.insert(Response::new(number)))
        });
    });
    group.finish();
}

criterion_group!(benches, look_up, insert);
criterion_main!(benches);
