//! What the admin room is given to look at when it starts.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use serde::Serialize;

use super::access_log::AccessLogCounts;
use super::operator::CacheOperator;
use crate::fill::keeper::KeeperCounts;
use crate::fill::library::Library;
use crate::fill::origin::OriginCounts;
use crate::fill::pins::PinReport;
use crate::fill::upload::Uploads;
use crate::stats::WorkerStats;
use crate::units::{MonoNanos, UnixSeconds};

/// Where the process is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Phase {
    /// Not every worker serves yet.
    Starting,
    /// Requests are served.
    Serving,
    /// No new connections; answers under way are finished.
    Draining,
}

impl Phase {
    /// The phase in lower case, as the endpoints show it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Serving => "serving",
            Self::Draining => "draining",
        }
    }
}

/// The process's phase, set by whoever starts and stops the workers and read by `/readyz`.
#[derive(Debug)]
pub struct Readiness(AtomicU8);

impl Default for Readiness {
    fn default() -> Self {
        Self(AtomicU8::new(Phase::Starting as u8))
    }
}

impl Readiness {
    /// Begins in [`Phase::Starting`].
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Enters a phase.
    pub fn enter(&self, phase: Phase) {
        self.0.store(phase as u8, Ordering::Release);
    }

    /// The phase now.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self.0.load(Ordering::Acquire) {
            phase if phase == Phase::Starting as u8 => Phase::Starting,
            phase if phase == Phase::Serving as u8 => Phase::Serving,
            _ => Phase::Draining,
        }
    }
}

/// What moves the workers' bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DriverReport {
    /// `io_uring` or `epoll`.
    pub name: String,
    /// Why this one.
    pub reason: String,
}

/// All that the admin API shows.
#[derive(Clone)]
pub struct Observed {
    /// The workers' counters.
    pub workers: Vec<Arc<WorkerStats>>,
    /// Wakes every worker, so that one that sleeps sees [`WorkerStats::latency_wanted`]. Called on the admin thread;
    /// must not block.
    pub wake: Arc<dyn Fn() + Send + Sync>,
    /// The process's phase.
    pub readiness: Arc<Readiness>,
    /// The metric names of the causes of refused requests, by the number that [`WorkerStats::refuse`] takes.
    pub refusal_names: Vec<&'static str>,
    /// The state of the pins. Called on the admin thread; must not block.
    pub pins: Arc<dyn Fn() -> Arc<PinReport> + Send + Sync>,
    /// What is stored of origins' responses.
    pub cache: CacheOperator,
    /// The media library, where it runs.
    pub library: Option<Arc<Library>>,
    /// What the fill threads' keeper counts.
    pub fills: Arc<KeeperCounts>,
    /// What the clients of the origins count, all together.
    pub origins: Arc<OriginCounts>,
    /// The queue of uploads; none where there is no folder for it.
    pub uploads: Option<Arc<Uploads>>,
    /// The driver that was chosen.
    pub driver: DriverReport,
    /// What the access log wrote and lost; none when it is off.
    pub access_log: Option<Arc<AccessLogCounts>>,
    /// When the process started, for the uptime.
    pub started: MonoNanos,
    /// The same on the wall clock.
    pub started_at: UnixSeconds,
}

impl fmt::Debug for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observed")
            .field("workers", &self.workers.len())
            .field("phase", &self.readiness.phase())
            .field("driver", &self.driver)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_starts_in_starting_and_follows() {
        let readiness = Readiness::new();
        assert_eq!(readiness.phase(), Phase::Starting);
        for phase in [Phase::Serving, Phase::Draining, Phase::Starting] {
            readiness.enter(phase);
            assert_eq!(readiness.phase(), phase);
        }
    }

    #[test]
    fn phase_name_is_the_json_form() {
        for phase in [Phase::Starting, Phase::Serving, Phase::Draining] {
            assert_eq!(serde_json::json!(phase), phase.name());
        }
    }
}
