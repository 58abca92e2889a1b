//! What the disk tier has done, for other threads to read. What the store itself counts stands in `store::disk::DiskStats`.

use crate::stats::SharedCounts;
use crate::stats::counters::counters;

counters! {
    /// A counter of the disk tier; indexes [`TierCounts`].
    enum TierCount,
    /// The tier's table, in the order in which it is shown.
    const TIER_FAMILIES;

    "hotplate_disk_loads" Counter in "look-ups",
    "Times the disk store was asked for what memory did not have, by what came of it.", by "result" {
        LoadFound = "found",
        LoadAbsent = "absent",
        LoadFailed = "failed",
    }

    "hotplate_disk_saves" Counter in "responses",
    "Responses that were to be written to the disk store, by what came of it.", by "result" {
        SaveDone = "saved",
        SaveUnwanted = "purged-meanwhile",
        SaveTooLarge = "too-large",
        SaveFailed = "failed",
        SaveQueueFull = "queue-full",
    }

    "hotplate_disk_updates" Counter in "responses",
    "Stored responses whose metadata was brought up to date on disk, by what came of it.", by "result" {
        UpdateDone = "saved",
        UpdateGone = "gone",
        UpdateFailed = "failed",
        UpdateQueueFull = "queue-full",
    }

    "hotplate_disk_invalidations" Counter in "responses",
    "Responses on disk that were marked stale because a request changed something." { Invalidated }
}

/// The tier's counters.
pub type TierCounts = SharedCounts<TierCount>;
