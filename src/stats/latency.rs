//! How long answers take: a histogram per worker with bounded error and bounded size.
//!
//! Values are nanoseconds, clamped to 1 us .. 60 s and kept to two significant digits: a quantile read from it is at most
//! 1 % above the true value. About 28 KiB, allocated once.

use std::time::Duration;

use hdrhistogram::Histogram;

/// The shortest time told apart; shorter ones count as this one.
pub const LATENCY_MIN: Duration = Duration::from_micros(1);

/// The longest time told apart; longer ones count as this one.
pub const LATENCY_MAX: Duration = Duration::from_secs(60);

/// Significant decimal digits.
const DIGITS: u8 = 2;

/// The histogram's own lowest value, in nanoseconds. Its steps are this wide at the low end, so that two digits hold from
/// [`LATENCY_MIN`] on.
const STEP_NANOS: u64 = 8;

const MIN_NANOS: u64 = LATENCY_MIN.as_nanos() as u64;
const MAX_NANOS: u64 = LATENCY_MAX.as_nanos() as u64;

const _: () = assert!(STEP_NANOS * 100 <= MIN_NANOS);

/// Records latencies; owned by its worker.
#[derive(Debug)]
pub struct LatencyRecorder {
    histogram: Histogram<u64>,
}

impl Default for LatencyRecorder {
    fn default() -> Self {
        Self::new()
    }
}

impl LatencyRecorder {
    /// An empty recorder; the only call that allocates.
    #[must_use]
    pub fn new() -> Self {
        Self {
            histogram: empty_histogram(),
        }
    }

    /// Counts one answer that took `duration`. Never allocates.
    #[inline]
    pub fn record(&mut self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.histogram
            .saturating_record(nanos.clamp(MIN_NANOS, MAX_NANOS));
    }

    /// Counts `count` answers that took `duration` each. Never allocates.
    #[inline]
    pub fn record_many(&mut self, duration: Duration, count: u64) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.histogram
            .saturating_record_n(nanos.clamp(MIN_NANOS, MAX_NANOS), count);
    }

    /// What was recorded, in nanoseconds.
    #[must_use]
    pub fn histogram(&self) -> &Histogram<u64> {
        &self.histogram
    }
}

/// An empty histogram with the bounds that all recorders share, to add several workers' latencies up in.
#[must_use]
pub fn empty_histogram() -> Histogram<u64> {
    #[expect(
        clippy::expect_used,
        reason = "the bounds are constants that a test creates a histogram from"
    )]
    Histogram::new_with_bounds(STEP_NANOS, MAX_NANOS, DIGITS).expect("constant bounds are valid")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn record_clamps_to_the_bounds() {
        let mut recorder = LatencyRecorder::new();
        recorder.record(Duration::ZERO);
        recorder.record(Duration::MAX);
        let histogram = recorder.histogram();
        assert_eq!(histogram.len(), 2);
        assert!(histogram.equivalent(histogram.min(), MIN_NANOS));
        assert!(histogram.equivalent(histogram.max(), MAX_NANOS));
    }

    #[test]
    fn record_never_grows_the_histogram() {
        let mut recorder = LatencyRecorder::new();
        assert!(!recorder.histogram().is_auto_resize());
        let size = recorder.histogram().distinct_values();
        for shift in 0..64 {
            recorder.record(Duration::from_nanos(1 << shift));
        }
        assert_eq!(recorder.histogram().distinct_values(), size);
        assert_eq!(recorder.histogram().len(), 64);
    }

    #[test]
    fn histograms_of_several_workers_add_up() {
        let mut total = empty_histogram();
        for micros in [10, 20, 30] {
            let mut recorder = LatencyRecorder::new();
            recorder.record(Duration::from_micros(micros));
            total.add(recorder.histogram()).unwrap();
        }
        assert_eq!(total.len(), 3);
    }

    proptest! {
        #[test]
        fn quantiles_are_within_one_percent(
            mut nanos in prop::collection::vec(MIN_NANOS..=MAX_NANOS, 1..400),
            quantile in 0.0_f64..=1.0,
        ) {
            let mut recorder = LatencyRecorder::new();
            for value in &nanos {
                recorder.record(Duration::from_nanos(*value));
            }
            nanos.sort_unstable();
            let rank = ((quantile * nanos.len() as f64).ceil() as usize).clamp(1, nanos.len());
            let exact = nanos[rank - 1];
            let found = recorder.histogram().value_at_quantile(quantile);
            prop_assert!(found >= exact, "{found} < {exact}");
            prop_assert!(found - exact <= exact / 100 + 1, "{found} vs {exact}");
        }
    }
}
