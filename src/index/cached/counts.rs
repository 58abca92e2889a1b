//! What the index holds and what happened in it.

use crate::index::eviction::EvictionCounts;

/// What happened so far. A value that is no longer here left by exactly one of the ways that are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IndexCounts {
    /// Values that came in, also in place of others.
    pub inserted: u64,
    /// Values that another of the same key and variant took the place of.
    pub replaced: u64,
    /// Values that were removed one by one or by key.
    pub removed: u64,
    /// Values that a purge removed.
    pub purged: u64,
    /// Values that a purge marked.
    pub marked: u64,
    /// Values that left because their key had too many variants.
    pub crowded_out: u64,
    /// Values that left because their bucket had too many entries.
    pub bucket_overflows: u64,
    /// Values that were refused because they are larger than what the cap leaves.
    pub refused_too_large: u64,
    /// Values that were refused because a purge since their fill began means them.
    pub refused_purged: u64,
}

/// What the index holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IndexStats {
    /// How many values there are; each variant counts.
    pub values: u64,
    /// All bytes that count against the cap: values, table, queues, ghosts, tags, log of purges.
    pub bytes: u64,
    /// Those of them that are not the values' own.
    pub overhead_bytes: u64,
    /// The cap.
    pub cap_bytes: u64,
    /// What happened so far.
    pub counts: IndexCounts,
    /// What was evicted, by queue, and what came back too soon.
    pub eviction: EvictionCounts,
}
