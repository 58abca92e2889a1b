//! What uploads have done, for other threads to read.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::stats::counters::counters;

counters! {
    /// A counter or gauge of uploads; indexes [`UploadCounts`].
    enum UploadCount,
    /// The uploads' table, in the order in which it is shown.
    const UPLOAD_FAMILIES;

    "hotplate_uploads_accepted" Counter in "uploads",
    "Uploads that were accepted: their bytes are safe on disk." { Accepted }

    "hotplate_uploads_refused" Counter in "uploads",
    "Uploads that were not accepted, by what was in the way.", by "reason" {
        RefusedQueue = "queue-full",
        RefusedBytes = "bytes-full",
        RefusedDisk = "disk-full",
        RefusedUrl = "url",
        RefusedBroken = "broken-off",
    }

    "hotplate_uploads_ended" Counter in "uploads",
    "Uploads that were accepted before and came to an end, by which.", by "end" {
        Done = "done",
        Dead = "given-up",
        Dropped = "dropped",
    }

    "hotplate_upload_attempts" Counter in "attempts",
    "Attempts to upload, by what came of them.", by "result" {
        AttemptDone = "done",
        AttemptFailed = "failed",
        AttemptRefused = "refused",
    }

    "hotplate_uploads_cached" Counter in "uploads",
    "Uploaded files that were to become the cached copy, by what came of it.", by "result" {
        Cached = "stored",
        NotCached = "not-stored",
    }

    "hotplate_upload_parts" Counter in "parts",
    "Parts of large files that were uploaded." { Parts }

    "hotplate_upload_bytes" Counter in "bytes",
    "Bytes of files that were handed to connections, those of attempts that failed included." { Bytes }

    "hotplate_uploads_waiting" Gauge in "uploads",
    "Uploads now, by their state.", by "state" {
        Waiting = "waiting",
        Running = "running",
        GivenUp = "given-up",
        Recording = "recording",
    }

    "hotplate_upload_spool_bytes" Gauge in "bytes",
    "Bytes of files that wait to be uploaded, those given up included." { SpoolBytes }
}

/// The uploads' counters.
#[derive(Debug)]
pub struct UploadCounts([AtomicU64; UploadCount::COUNT]);

impl Default for UploadCounts {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; UploadCount::COUNT])
    }
}

impl UploadCounts {
    /// The value now.
    #[must_use]
    pub fn read(&self, count: UploadCount) -> u64 {
        self.0
            .get(count.index())
            .map_or(0, |value| value.load(Ordering::Relaxed))
    }

    pub(super) fn bump(&self, count: UploadCount) {
        self.add(count, 1);
    }

    pub(super) fn add(&self, count: UploadCount, more: u64) {
        if let Some(value) = self.0.get(count.index()) {
            value.fetch_add(more, Ordering::Relaxed);
        }
    }

    pub(super) fn set(&self, gauge: UploadCount, now: u64) {
        if let Some(value) = self.0.get(gauge.index()) {
            value.store(now, Ordering::Relaxed);
        }
    }
}
