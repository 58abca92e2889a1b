//! What the store counts. Each counter only grows until the process ends.

use std::sync::atomic::{AtomicU64, Ordering};

/// A snapshot of the store's counters and levels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskStats {
    /// Level: bytes of the cap that are taken.
    pub bytes: u64,
    /// Level: the cap.
    pub size: u64,
    /// Level: objects committed.
    pub objects: u64,
    /// Level: bytes of the device that the metadata's file takes.
    pub metadata_bytes: u64,
    /// Objects published, whole or in part.
    pub published: u64,
    /// Objects evicted to make room.
    pub evicted: u64,
    /// Bytes evicted to make room.
    pub evicted_bytes: u64,
    /// Objects dropped because their data file was missing.
    pub dropped_missing: u64,
    /// Objects dropped because their data file was too short, or no regular file.
    pub dropped_odd: u64,
    /// Objects dropped because a checksum did not match.
    pub dropped_checksum: u64,
    /// Objects dropped because their data file could not be read.
    pub dropped_unreadable: u64,
    /// Objects dropped because their record could not be read.
    pub dropped_record: u64,
    /// Objects removed by id, key, prefix or tag, or with all.
    pub removed: u64,
    /// Commits of the metadata.
    pub commits: u64,
    /// Times the store stood down.
    pub stood_down: u64,
    /// Times a full file system was answered by evicting.
    pub full: u64,
    /// Writers refused because nothing could be evicted.
    pub no_room: u64,
    /// Publications that had to wait for a commit because too much was pending.
    pub waits: u64,
    /// Uses that were not noted because too many were.
    pub uses_lost: u64,
    /// Data files that belonged to no object and were removed.
    pub orphans: u64,
    /// Data files that could not be removed.
    pub unlink_failures: u64,
}

/// Why an object was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Missing,
    Odd,
    Checksum,
    Unreadable,
}

/// The counters.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) published: AtomicU64,
    pub(super) evicted: AtomicU64,
    pub(super) evicted_bytes: AtomicU64,
    pub(super) dropped_missing: AtomicU64,
    pub(super) dropped_odd: AtomicU64,
    pub(super) dropped_checksum: AtomicU64,
    pub(super) dropped_unreadable: AtomicU64,
    pub(super) dropped_record: AtomicU64,
    pub(super) removed: AtomicU64,
    pub(super) commits: AtomicU64,
    pub(super) stood_down: AtomicU64,
    pub(super) full: AtomicU64,
    pub(super) no_room: AtomicU64,
    pub(super) waits: AtomicU64,
    pub(super) uses_lost: AtomicU64,
    pub(super) orphans: AtomicU64,
    pub(super) unlink_failures: AtomicU64,
}

/// Adds to a counter.
pub(super) fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

impl Counts {
    pub(super) fn dropped(&self, cause: Cause) {
        let counter = match cause {
            Cause::Missing => &self.dropped_missing,
            Cause::Odd => &self.dropped_odd,
            Cause::Checksum => &self.dropped_checksum,
            Cause::Unreadable => &self.dropped_unreadable,
        };
        add(counter, 1);
    }

    /// The counters; levels are left at zero.
    pub(super) fn snapshot(&self) -> DiskStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        DiskStats {
            published: read(&self.published),
            evicted: read(&self.evicted),
            evicted_bytes: read(&self.evicted_bytes),
            dropped_missing: read(&self.dropped_missing),
            dropped_odd: read(&self.dropped_odd),
            dropped_checksum: read(&self.dropped_checksum),
            dropped_unreadable: read(&self.dropped_unreadable),
            dropped_record: read(&self.dropped_record),
            removed: read(&self.removed),
            commits: read(&self.commits),
            stood_down: read(&self.stood_down),
            full: read(&self.full),
            no_room: read(&self.no_room),
            waits: read(&self.waits),
            uses_lost: read(&self.uses_lost),
            orphans: read(&self.orphans),
            unlink_failures: read(&self.unlink_failures),
            ..DiskStats::default()
        }
    }
}
