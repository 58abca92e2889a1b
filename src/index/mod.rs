//! From a cache key to what is stored under it. Immutable snapshots behind arc-swap; never does I/O.
#![forbid(unsafe_code)]

pub mod cached;
pub mod entry;
pub mod eviction;
pub mod pins;
pub mod record;
pub mod response;
pub mod responses;
pub mod sites;
