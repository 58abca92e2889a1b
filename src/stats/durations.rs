//! How long things take that several threads do: counts between fixed bounds, from a millisecond to an hour. Not for hits.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The bounds in milliseconds: 1-2-5 steps, and the longest time that the config allows for a get.
const BOUNDS_MS: [u64; 20] = [
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000, 200_000,
    500_000, 1_000_000, 3_600_000,
];

/// Durations, counted.
#[derive(Debug, Default)]
pub struct Durations {
    /// How many were up to each bound and above the one before; the last ones were above all.
    counts: [AtomicU64; BOUNDS_MS.len() + 1],
    micros: AtomicU64,
}

/// What was counted.
#[derive(Clone, Debug, PartialEq)]
pub struct Counted {
    /// How many.
    pub count: u64,
    /// All of them together, in seconds.
    pub sum_seconds: f64,
    /// Each bound in seconds, and how many lie between it and the one before.
    pub buckets: Vec<(f64, u64)>,
}

impl Durations {
    /// Counts one.
    pub fn record(&self, duration: Duration) {
        let place = BOUNDS_MS.partition_point(|bound| Duration::from_millis(*bound) < duration);
        if let Some(count) = self.counts.get(place) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// What was counted up to now.
    #[must_use]
    pub fn read(&self) -> Counted {
        let bounds = BOUNDS_MS.iter().map(|bound| *bound as f64 / 1e3);
        let counts = self.counts.iter().map(|it| it.load(Ordering::Relaxed));
        let buckets: Vec<(f64, u64)> = bounds.chain([f64::INFINITY]).zip(counts).collect();
        Counted {
            count: buckets.iter().map(|(_, count)| count).sum(),
            sum_seconds: self.micros.load(Ordering::Relaxed) as f64 / 1e6,
            buckets,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_duration_is_counted_up_to_its_bound() {
        let durations = Durations::default();
        for millis in [0, 1, 3, 60_000, 3_600_000, 4_000_000] {
            durations.record(Duration::from_millis(millis));
        }
        let read = durations.read();
        assert_eq!(read.count, 6);
        assert_eq!(read.sum_seconds, 7660.004);
        let found: Vec<_> = read
            .buckets
            .iter()
            .filter(|(_, count)| *count > 0)
            .collect();
        assert_eq!(
            found,
            [
                &(0.001, 2),
                &(0.005, 1),
                &(100.0, 1),
                &(3600.0, 1),
                &(f64::INFINITY, 1)
            ]
        );
    }
}
