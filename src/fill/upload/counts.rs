//! What uploads have done, for other threads to read.

use crate::stats::counters::counters;
use crate::stats::{Durations, SharedCounts};

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

/// How long attempts took, by what came of them.
#[derive(Debug, Default)]
pub struct AttemptTimes {
    /// Those after which the file was at its origin.
    pub done: Durations,
    /// Those that failed, or were refused.
    pub failed: Durations,
}

/// The uploads' counters.
pub type UploadCounts = SharedCounts<UploadCount>;
