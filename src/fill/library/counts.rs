//! What the library has done, for other threads to read.

use super::failure::{Code, Party};
use crate::stats::counters::counters;
use crate::stats::{Durations, SharedCounts};

counters! {
    /// A counter or gauge of the library; indexes [`LibraryCounts`].
    enum LibraryCount,
    /// The library's table, in the order in which it is shown.
    const LIBRARY_FAMILIES;

    "hotplate_library_gets" Counter in "gets",
    "Gets of the media library, by where the bytes came from or whose fault it was that none came.", by "result" {
        GetHit = "hit",
        GetFetched = "fetched",
        GetFailedCaller = "failed-caller",
        GetFailedOrigin = "failed-origin",
        GetFailedHotplate = "failed-hotplate",
    }

    "hotplate_library_trygets" Counter in "gets",
    "Gets that fetch nothing, by whether there was something.", by "result" {
        TryHit = "hit",
        TryMiss = "miss",
    }

    "hotplate_library_gets_waiting" Gauge in "gets",
    "Gets that wait for an origin, a body or the disk now." { Waiting }

    "hotplate_library_brought_anew" Counter in "gets",
    "Gets whose stored body was purged, evicted, damaged or changed while it was brought, so that it was fetched again." { BroughtAnew }

    "hotplate_library_tried_again" Counter in "times",
    "Times that something was asked for again because the origin was down or busy, by what: an attempt within a get or a prefetch, or a scheduled prefetch.", by "what" {
        AnotherAttempt = "attempt",
        ScheduledAgain = "scheduled",
    }

    "hotplate_library_redirects" Counter in "redirects",
    "Redirects that were followed." { Redirects }

    "hotplate_library_leases" Gauge in "files",
    "Files that are leased now." { Leases }

    "hotplate_library_leases_made" Counter in "files",
    "Leased files that were made, by how: linked to the store's data file, or copied.", by "way" {
        Linked = "linked",
        Copied = "copied",
    }

    "hotplate_library_leases_extended" Counter in "leases",
    "Gets that were given a file that was leased already." { Extended }

    "hotplate_library_leases_ended" Counter in "files",
    "Leased files that were deleted, by why.", by "why" {
        Expired = "expired",
        Released = "released",
    }

    "hotplate_library_held_bytes" Gauge in "bytes",
    "Bytes of leased files that the disk store does not have, or has no more: what library.size bounds." { HeldBytes }

    "hotplate_library_limits" Counter in "times",
    "Times that a limit of the library was reached.", by "limit" {
        LimitGets = "gets",
        LimitLeases = "leases",
        LimitSize = "size",
        LimitQueue = "queue",
    }

    "hotplate_library_prefetches" Counter in "jobs",
    "Prefetches that ended, by how.", by "end" {
        PrefetchDone = "done",
        PrefetchFailed = "failed",
        PrefetchCancelled = "cancelled",
    }

    "hotplate_library_prefetches_now" Gauge in "jobs",
    "Prefetches now, by their state.", by "state" {
        PrefetchQueued = "queued",
        PrefetchRunning = "running",
    }

    "hotplate_library_prefetches_merged" Counter in "jobs",
    "Prefetches that were asked for while one of the same URL waited or ran." { PrefetchMerged }
}

/// How long gets took, by the result that they are counted with.
#[derive(Debug, Default)]
pub struct GetTimes {
    /// Those of what was stored.
    pub hit: Durations,
    /// Those of what was fetched.
    pub fetched: Durations,
    /// Those that failed, through whose fault ever.
    pub failed: Durations,
}

/// The library's counters and gauges.
pub type LibraryCounts = SharedCounts<LibraryCount>;

impl LibraryCounts {
    pub(super) fn failed(&self, code: Code) {
        self.bump(match code.party() {
            Party::Caller => LibraryCount::GetFailedCaller,
            Party::Origin => LibraryCount::GetFailedOrigin,
            Party::Hotplate => LibraryCount::GetFailedHotplate,
        });
    }
}
