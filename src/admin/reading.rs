//! One look at everything that is observed: the workers' counters summed up, their latencies merged.

use std::sync::Arc;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::observed::{Observed, Phase};
use super::process::ProcessUse;
use crate::fill::origin::OriginFigures;
use crate::fill::pins::PinReport;
use crate::index::cached::IndexStats;
use crate::stats::latency::empty_histogram;
use crate::stats::{Counter, REFUSALS_MAX, WorkerStats};
use crate::sys::clock;

/// How long the workers have to publish their latencies. A worker that is late is shown as it was published last.
pub const LATENCY_WAIT_MAX: Duration = Duration::from_millis(250);

/// How often it is looked whether they have.
const LATENCY_POLL: Duration = Duration::from_millis(1);

/// The label of refusals whose number has no name.
const UNNAMED: &str = "other";

/// What was seen.
#[derive(Clone, Debug)]
pub struct Reading {
    counters: [u64; Counter::COUNT],
    /// Refused requests by cause, in the order of the causes' numbers.
    pub refusals: Vec<(&'static str, u64)>,
    /// All workers' latencies, in nanoseconds.
    pub latency: Histogram<u64>,
    /// How many workers published theirs in time.
    pub workers_in_time: usize,
    /// How many workers there are.
    pub workers: usize,
    /// The process's phase.
    pub phase: Phase,
    /// The pins.
    pub pins: Arc<PinReport>,
    /// What memory holds of origins' responses.
    pub index: IndexStats,
    /// What the clients of the origins have done.
    pub origins: OriginFigures,
    /// The process's use of the machine.
    pub process: ProcessUse,
    /// Since the process started.
    pub uptime: Duration,
}

impl Reading {
    /// Asks the workers for their latencies, waits at most [`LATENCY_WAIT_MAX`], and reads everything. One call at a
    /// time: each costs every worker a copy.
    pub async fn take(observed: &Observed) -> Self {
        let workers_in_time = refresh_latency(observed).await;
        Self::of(observed, workers_in_time)
    }

    fn of(observed: &Observed, workers_in_time: usize) -> Self {
        let mut counters = [0_u64; Counter::COUNT];
        let mut refusals = [0_u64; REFUSALS_MAX];
        let mut latency = empty_histogram();
        for stats in &observed.workers {
            for counter in Counter::ALL {
                let sum = &mut counters[counter.index()];
                *sum = sum.wrapping_add(stats.read(*counter));
            }
            for (cause, sum) in refusals.iter_mut().enumerate() {
                *sum = sum.wrapping_add(stats.refusals(cause));
            }
            if let Some(published) = stats.latency() {
                add(&mut latency, &published);
            }
        }
        Self {
            counters,
            refusals: name_refusals(&refusals, &observed.refusal_names),
            latency,
            workers_in_time,
            workers: observed.workers.len(),
            phase: observed.readiness.phase(),
            pins: (observed.pins)(),
            index: observed.cache.index_stats(),
            origins: observed.origins.figures(),
            process: ProcessUse::read(),
            uptime: clock::mono().since(observed.started),
        }
    }

    /// The sum over all workers.
    #[must_use]
    pub fn total(&self, counter: Counter) -> u64 {
        self.counters[counter.index()]
    }
}

/// Has the workers publish their latencies; says how many did in time.
async fn refresh_latency(observed: &Observed) -> usize {
    let asked: Vec<(&Arc<WorkerStats>, u64)> = observed
        .workers
        .iter()
        .map(|stats| (stats, stats.want_latency()))
        .collect();
    (observed.wake)();
    let in_time = || {
        asked
            .iter()
            .filter(|(stats, before)| stats.latency_generation() != *before)
            .count()
    };
    let all = async {
        while in_time() < asked.len() {
            tokio::time::sleep(LATENCY_POLL).await;
        }
    };
    // Late workers are counted below.
    drop(tokio::time::timeout(LATENCY_WAIT_MAX, all).await);
    in_time()
}

/// Adds a worker's latencies. Every recorder has the same bounds, so nothing is ever out of range.
fn add(sum: &mut Histogram<u64>, published: &Histogram<u64>) {
    let is_added = sum.add(published).is_ok();
    debug_assert!(is_added, "recorders share their bounds");
}

/// Puts the causes' names beside their counts; counts without a name are shown together.
fn name_refusals(counts: &[u64], names: &[&'static str]) -> Vec<(&'static str, u64)> {
    let mut named: Vec<_> = names.iter().copied().zip(counts.iter().copied()).collect();
    let unnamed: u64 = counts.iter().skip(names.len()).sum();
    if unnamed > 0 {
        named.push((UNNAMED, unnamed));
    }
    named
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::observed::{DriverReport, Readiness};
    use super::*;
    use crate::admin::operator::tests::operator;
    use crate::fill::pins::{HeldSum, PinLine, PinTotals};
    use crate::stats::LatencyRecorder;
    use crate::units::UnixSeconds;

    /// Two workers that publish as soon as they are woken, or never.
    pub(in crate::admin) fn observed(publishing: bool) -> Observed {
        let workers: Vec<_> = (0..2).map(|_| Arc::new(WorkerStats::new())).collect();
        let woken = workers.clone();
        let wake = move || {
            let mut recorder = LatencyRecorder::new();
            recorder.record(Duration::from_micros(100));
            for stats in woken.iter().filter(|stats| stats.latency_wanted()) {
                if publishing {
                    stats.publish_latency(&recorder);
                }
            }
        };
        let pins = || {
            let pin = PinLine {
                url: "/prompts/one.wav".to_owned(),
                path: "/srv/prompts/one.wav".to_owned(),
                state: "ready",
                asked: "memory",
                hold: "memory",
                bytes: 4_096,
                guarded: true,
                ..PinLine::default()
            };
            let mut totals = PinTotals::default();
            totals.held.memory = HeldSum {
                files: 12,
                bytes: 12 * pin.bytes,
            };
            Arc::new(PinReport {
                generation: 3,
                pins: vec![pin; 12],
                totals,
                ..PinReport::default()
            })
        };
        Observed {
            workers,
            wake: Arc::new(wake),
            readiness: Arc::new(Readiness::new()),
            refusal_names: vec!["bad-host", "head-too-large"],
            pins: Arc::new(pins),
            cache: operator(),
            library: None,
            fills: Arc::default(),
            origins: Arc::default(),
            uploads: None,
            driver: DriverReport {
                name: "epoll".to_owned(),
                reason: "asked for".to_owned(),
            },
            access_log: None,
            started: clock::mono(),
            started_at: UnixSeconds(1_700_000_000),
        }
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap()
            .block_on(future)
    }

    pub(in crate::admin) fn take(observed: &Observed) -> Reading {
        block_on(Reading::take(observed))
    }

    #[test]
    fn reading_sums_counters_and_latencies_over_workers() {
        let observed = observed(true);
        observed.workers[0].add(Counter::Requests, 3);
        observed.workers[1].add(Counter::Requests, 4);
        observed.workers[1].refuse(1);
        let reading = take(&observed);
        assert_eq!(reading.total(Counter::Requests), 7);
        assert_eq!(reading.refusals, [("bad-host", 0), ("head-too-large", 1)]);
        assert_eq!(reading.latency.len(), 2);
        assert_eq!(reading.workers_in_time, 2);
    }

    #[test]
    fn late_workers_do_not_hold_a_reading_up() {
        let observed = observed(false);
        observed.workers[0].bump(Counter::Requests);
        let before = clock::mono();
        let reading = take(&observed);
        assert!(clock::mono().since(before) >= LATENCY_WAIT_MAX);
        assert_eq!(reading.workers_in_time, 0);
        assert_eq!(reading.total(Counter::Requests), 1);
        assert!(reading.latency.is_empty());
    }

    #[test]
    fn refusals_without_a_name_are_shown_together() {
        let named = name_refusals(&[1, 2, 3, 4], &["a", "b"]);
        assert_eq!(named, [("a", 1), ("b", 2), ("other", 7)]);
    }
}
