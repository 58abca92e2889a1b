//! One worker's counters, and the place where it publishes its latency when asked.
//!
//! Threads: shared by `Arc`. The worker alone writes counters, with a relaxed load and a relaxed store, so counting
//! costs two plain moves; a second writer would lose counts. Anyone may read. Each counter is exact by itself; two
//! counters read together may be a few events apart.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use hdrhistogram::Histogram;

use super::counters::Counter;
use super::latency::LatencyRecorder;

/// How many causes of refused requests can be told apart.
pub const REFUSALS_MAX: usize = 64;

/// One worker's counters. Aligned to two cache lines, so that no other worker's writes disturb them.
#[derive(Debug)]
#[repr(align(128))]
pub struct WorkerStats {
    counters: [AtomicU64; Counter::COUNT],
    refusals: [AtomicU64; REFUSALS_MAX],
    latency: PublishedLatency,
}

/// What passes between the reader of latencies and the worker; apart from the counters, for readers write here.
#[derive(Debug, Default)]
#[repr(align(128))]
struct PublishedLatency {
    wanted: AtomicBool,
    generation: AtomicU64,
    histogram: ArcSwapOption<Histogram<u64>>,
}

impl Default for WorkerStats {
    fn default() -> Self {
        Self {
            counters: [const { AtomicU64::new(0) }; Counter::COUNT],
            refusals: [const { AtomicU64::new(0) }; REFUSALS_MAX],
            latency: PublishedLatency::default(),
        }
    }
}

impl WorkerStats {
    /// All counters at zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `count`. Only the worker itself may call it.
    #[inline]
    pub fn add(&self, counter: Counter, count: u64) {
        raise(&self.counters[counter.index()], count);
    }

    /// Adds one. Only the worker itself may call it.
    #[inline]
    pub fn bump(&self, counter: Counter) {
        self.add(counter, 1);
    }

    /// Sets a gauge. Only the worker itself may call it.
    #[inline]
    pub fn set(&self, gauge: Counter, value: u64) {
        self.counters[gauge.index()].store(value, Ordering::Relaxed);
    }

    /// The value now.
    #[inline]
    #[must_use]
    pub fn read(&self, counter: Counter) -> u64 {
        self.counters[counter.index()].load(Ordering::Relaxed)
    }

    /// Counts a refused request under its cause's number; numbers from [`REFUSALS_MAX`] on share the last place. Only
    /// the worker itself may call it.
    #[inline]
    pub fn refuse(&self, cause: u8) {
        raise(&self.refusals[usize::from(cause).min(REFUSALS_MAX - 1)], 1);
    }

    /// How many requests were refused for the cause with this number; 0 for numbers out of range.
    #[must_use]
    pub fn refusals(&self, cause: usize) -> u64 {
        self.refusals
            .get(cause)
            .map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// Whether somebody waits for [`publish_latency`](Self::publish_latency). Looked at once a turn.
    #[inline]
    #[must_use]
    pub fn latency_wanted(&self) -> bool {
        self.latency.wanted.load(Ordering::Relaxed)
    }

    /// Publishes a copy of what `recorder` holds. Only the worker itself may call it. Allocates the copy: this runs
    /// when an operator asks, not with requests.
    pub fn publish_latency(&self, recorder: &LatencyRecorder) {
        // Cleared first: a wish that comes while the copy is made is answered by another copy.
        self.latency.wanted.store(false, Ordering::Relaxed);
        self.latency
            .histogram
            .store(Some(Arc::new(recorder.histogram().clone())));
        let generation = self.latency.generation.load(Ordering::Relaxed);
        self.latency
            .generation
            .store(generation + 1, Ordering::Release);
    }

    /// Asks the worker to publish its latency, and returns the generation that is published now: the answer is there
    /// when [`latency_generation`](Self::latency_generation) differs. Wake the worker afterwards.
    #[must_use]
    pub fn want_latency(&self) -> u64 {
        let generation = self.latency_generation();
        self.latency.wanted.store(true, Ordering::Release);
        generation
    }

    /// How often the latency was published.
    #[must_use]
    pub fn latency_generation(&self) -> u64 {
        self.latency.generation.load(Ordering::Acquire)
    }

    /// The latency published last, in nanoseconds; none before the first time.
    #[must_use]
    pub fn latency(&self) -> Option<Arc<Histogram<u64>>> {
        self.latency.histogram.load_full()
    }
}

/// Adds without a lock-prefixed instruction; right because each cell has one writer.
#[inline]
fn raise(cell: &AtomicU64, count: u64) {
    let value = cell.load(Ordering::Relaxed);
    cell.store(value.wrapping_add(count), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn counters_add_bump_and_set_touch_only_their_cell() {
        let stats = WorkerStats::new();
        stats.bump(Counter::Requests);
        stats.add(Counter::Requests, 41);
        stats.set(Counter::ConnectionsOpen, 7);
        stats.set(Counter::ConnectionsOpen, 3);
        for counter in Counter::ALL {
            let expected = match counter {
                Counter::Requests => 42,
                Counter::ConnectionsOpen => 3,
                _ => 0,
            };
            assert_eq!(stats.read(*counter), expected, "{counter:?}");
        }
    }

    #[test]
    fn refusals_beyond_the_last_cause_share_its_place() {
        let stats = WorkerStats::new();
        stats.refuse(0);
        stats.refuse(63);
        stats.refuse(64);
        stats.refuse(255);
        assert_eq!(stats.refusals(0), 1);
        assert_eq!(stats.refusals(63), 3);
        assert_eq!(stats.refusals(64), 0);
    }

    #[test]
    fn stats_keep_to_their_own_cache_lines() {
        assert_eq!(align_of::<WorkerStats>(), 128);
        assert_eq!(size_of::<WorkerStats>() % 128, 0);
    }

    #[test]
    fn latency_published_on_request_carries_a_new_generation() {
        let stats = WorkerStats::new();
        let mut recorder = LatencyRecorder::new();
        recorder.record(Duration::from_micros(50));
        assert!(!stats.latency_wanted());
        assert!(stats.latency().is_none());

        let before = stats.want_latency();
        assert!(stats.latency_wanted());
        stats.publish_latency(&recorder);

        assert!(!stats.latency_wanted());
        assert_ne!(stats.latency_generation(), before);
        assert_eq!(stats.latency().unwrap().len(), 1);
    }

    #[test]
    fn readers_see_every_count_of_a_running_writer_in_the_end() {
        let stats = Arc::new(WorkerStats::new());
        let writer = {
            let stats = Arc::clone(&stats);
            std::thread::spawn(move || {
                for _ in 0..100_000 {
                    stats.bump(Counter::Turns);
                }
            })
        };
        let mut last = 0;
        while !writer.is_finished() {
            let now = stats.read(Counter::Turns);
            assert!(now >= last);
            last = now;
        }
        writer.join().unwrap();
        assert_eq!(stats.read(Counter::Turns), 100_000);
    }
}
