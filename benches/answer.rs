//! The front desk and the connection on a pinned hit, and the index under swaps.
#![expect(
    clippy::panic,
    clippy::expect_used,
    reason = "a bench that cannot go on fails"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hotplate::cache::{FrontDesk, Moment};
use hotplate::http::date;
use hotplate::http::head::{FieldScratch, HeadLimits, Parsed, parse_head};
use hotplate::index::entry::{Entry, Making, Source};
use hotplate::index::pins::{PinIndex, PinIndexBuilder, Placed};
use hotplate::index::responses::Responses;
use hotplate::index::sites::SiteTable;
use hotplate::server::conn::{Connection, Turn};
use hotplate::server::settings::Limits;
use hotplate::stats::{AccessSink, WorkerStats};
use hotplate::store::pinned::Hold;
use hotplate::store::{Held, Object};
use hotplate::sys::file::FileIdentity;
use hotplate::units::{MonoNanos, UnixSeconds};

/// Pins in the index: a prompt library of usual size.
const PINS: usize = 10_000;

const GET: &[u8] =
    b"GET /prompts/05000.wav HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nAccept: */*\r\n\r\n";

const NOW: Moment = Moment {
    mono: MonoNanos(1),
    wall: UnixSeconds(1_700_000_000),
};

fn entry(number: usize) -> Arc<Entry> {
    let identity = FileIdentity {
        device: 1,
        inode: number as u64,
        size: 1024,
        modified: (1_600_000_000, 0),
        changed: (1_600_000_000, 0),
    };
    let bytes = vec![number as u8; 1024].into_boxed_slice();
    Arc::new(Entry::build(Making {
        source: Source::Pin(Hold::Memory),
        cache_control: "public, max-age=3600",
        content_type: "audio/wav",
        identity: Arc::new(Object::new(Held::Heap(bytes), identity)),
        siblings: Vec::new(),
        now: NOW.wall,
    }))
}

fn index(generation: u64, entries: &[Arc<Entry>]) -> PinIndex {
    let mut builder = PinIndexBuilder::new(generation);
    for (number, entry) in entries.iter().enumerate() {
        let path = format!("/prompts/{number:05}.wav");
        let placed = builder.insert(&[], path.as_bytes(), Arc::clone(entry));
        assert_eq!(placed, Placed::Everywhere);
    }
    builder.build()
}

fn desk(entries: &[Arc<Entry>]) -> (Arc<ArcSwap<PinIndex>>, FrontDesk) {
    let shared = Arc::new(ArcSwap::from_pointee(index(1, entries)));
    let desk = FrontDesk::new(
        Arc::clone(&shared),
        Arc::new(SiteTable::default()),
        Arc::new(Responses::new(1 << 20)),
        16,
    );
    (shared, desk)
}

/// `answer()` alone: the head is parsed beforehand.
fn answer(criterion: &mut Criterion) {
    let entries: Vec<_> = (0..PINS).map(entry).collect();
    let (_, mut desk) = desk(&entries);
    let limits = HeadLimits {
        bytes_max: 16 << 10,
        fields_max: 100,
    };
    let mut scratch = FieldScratch::new();
    let Ok(Parsed::Complete { head, .. }) = parse_head(GET, &limits, &mut scratch) else {
        panic!("the head is whole");
    };
    criterion.bench_function("answer/pinned_hit", |bencher| {
        bencher.iter(|| black_box(desk.answer(black_box(&head), NOW)));
    });
}

/// Received bytes to prepared output: parse, answer, serialise; one request, and sixteen pipelined ones.
fn converse(criterion: &mut Criterion) {
    let entries: Vec<_> = (0..PINS).map(entry).collect();
    let (_, mut desk) = desk(&entries);
    let limits = Limits::default();
    let stats = WorkerStats::new();
    let mut log = AccessSink::off();
    let mut out = Vec::with_capacity(128 << 10);
    let mut refreshes = Vec::new();
    let date = date::format(NOW.wall);
    let mut group = criterion.benchmark_group("converse");
    for count in [1, 16] {
        let bytes = GET.repeat(count);
        let mut connection = Connection::default();
        group.throughput(Throughput::Elements(count as u64));
        group.bench_with_input(
            BenchmarkId::from_parameter(count),
            &bytes,
            |bencher, bytes| {
                bencher.iter(|| {
                    out.clear();
                    let mut turn = Turn {
                        now: NOW,
                        millis: 0,
                        date: &date,
                        limits: &limits,
                        desk: &mut desk,
                        out: &mut out,
                        answers: 0,
                        stats: &stats,
                        log: &mut log,
                        peer: None,
                        draining: false,
                        filled: None,
                        refreshes: &mut refreshes,
                    };
                    black_box(connection.advance(black_box(bytes), &mut turn));
                });
            },
        );
    }
    group.finish();
}

/// A look-up by a worker that adopts snapshots while another thread swaps them as fast as it can.
fn look_up_under_swaps(criterion: &mut Criterion) {
    let entries: Vec<_> = (0..PINS).map(entry).collect();
    let (shared, mut desk) = desk(&entries);
    let stop = Arc::new(AtomicBool::new(false));
    let swapper = {
        let (shared, stop) = (Arc::clone(&shared), Arc::clone(&stop));
        std::thread::spawn(move || {
            let mut generation = 2;
            while !stop.load(Ordering::Relaxed) {
                shared.store(Arc::new(index(generation, &entries)));
                generation += 1;
            }
        })
    };
    let limits = HeadLimits {
        bytes_max: 16 << 10,
        fields_max: 100,
    };
    let mut scratch = FieldScratch::new();
    let Ok(Parsed::Complete { head, .. }) = parse_head(GET, &limits, &mut scratch) else {
        panic!("the head is whole");
    };
    let mut turns = 0_u32;
    criterion.bench_function("index/look_up_under_swaps", |bencher| {
        bencher.iter(|| {
            // A worker looks for a new snapshot once a turn, not once a request.
            turns = turns.wrapping_add(1);
            if turns.is_multiple_of(64) {
                black_box(desk.adopt());
            }
            black_box(desk.answer(black_box(&head), NOW))
        });
    });
    stop.store(true, Ordering::Relaxed);
    swapper.join().expect("the swapper ends");
}

criterion_group!(benches, answer, converse, look_up_under_swaps);
criterion_main!(benches);
