//! What the client towards one origin has done, for other threads to read.

use std::sync::atomic::{AtomicU64, Ordering};

use super::fault::{FAULT_COUNT, OriginFault};

/// Counters and gauges of one origin, all its URLs together. The fill thread alone writes them, so no write needs a lock
/// prefix; any thread may read.
#[derive(Debug, Default)]
pub struct OriginCounts {
    requests: AtomicU64,
    connects: AtomicU64,
    connect_failures: AtomicU64,
    reuses: AtomicU64,
    stale_connections: AtomicU64,
    failovers: AtomicU64,
    skips: AtomicU64,
    waits: AtomicU64,
    in_use: AtomicU64,
    idle: AtomicU64,
    faults: [AtomicU64; FAULT_COUNT],
}

/// What [`OriginCounts`] held at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OriginFigures {
    /// Requests that were to be sent.
    pub requests: u64,
    /// Connections made.
    pub connects: u64,
    /// Connections that could not be made.
    pub connect_failures: u64,
    /// Requests sent on a connection that had been used before.
    pub reuses: u64,
    /// Idle connections that turned out to be closed: before a request was sent, or after, when it was sent anew.
    pub stale_connections: u64,
    /// Requests that went on to another URL after a failure.
    pub failovers: u64,
    /// Times that a URL was skipped because it had failed a moment ago.
    pub skips: u64,
    /// Requests that waited for one of `connections_max` to become free.
    pub waits: u64,
    /// Connections that carry a request now, or are being made.
    pub in_use: u64,
    /// Connections that are idle now.
    pub idle: u64,
    /// Faults by [`OriginFault::index`], those that were mended by another try included.
    pub faults: [u64; FAULT_COUNT],
}

impl OriginCounts {
    /// All figures as they are now.
    #[must_use]
    pub fn figures(&self) -> OriginFigures {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        OriginFigures {
            requests: read(&self.requests),
            connects: read(&self.connects),
            connect_failures: read(&self.connect_failures),
            reuses: read(&self.reuses),
            stale_connections: read(&self.stale_connections),
            failovers: read(&self.failovers),
            skips: read(&self.skips),
            waits: read(&self.waits),
            in_use: read(&self.in_use),
            idle: read(&self.idle),
            faults: std::array::from_fn(|index| self.faults.get(index).map_or(0, read)),
        }
    }

    pub(super) fn request(&self) {
        add(&self.requests);
    }

    pub(super) fn connected(&self) {
        add(&self.connects);
    }

    pub(super) fn connect_failed(&self) {
        add(&self.connect_failures);
    }

    pub(super) fn reused(&self) {
        add(&self.reuses);
    }

    pub(super) fn stale(&self) {
        add(&self.stale_connections);
    }

    pub(super) fn failover(&self) {
        add(&self.failovers);
    }

    pub(super) fn skipped(&self) {
        add(&self.skips);
    }

    pub(super) fn waited(&self) {
        add(&self.waits);
    }

    pub(super) fn fault(&self, fault: OriginFault) {
        if let Some(count) = self.faults.get(fault.index()) {
            add(count);
        }
    }

    pub(super) fn take_place(&self) {
        add(&self.in_use);
    }

    pub(super) fn leave_place(&self) {
        subtract(&self.in_use, 1);
    }

    pub(super) fn park(&self) {
        add(&self.idle);
    }

    pub(super) fn unpark(&self, count: usize) {
        subtract(&self.idle, count as u64);
    }
}

/// One writer: a load and a store are enough.
fn add(count: &AtomicU64) {
    count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

fn subtract(gauge: &AtomicU64, by: u64) {
    let value = gauge.load(Ordering::Relaxed);
    gauge.store(value.saturating_sub(by), Ordering::Relaxed);
}
