//! Bounds of fetching from origins, as checked settings. Those of one origin stand in
//! [`OriginRule`](crate::policy::origin_rule::OriginRule).

use std::time::Duration;

use crate::units::ByteSize;

/// `[fill]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FillSettings {
    /// Most fetches at once, from all origins together.
    pub fills: usize,
    /// Most requests that wait for one fill.
    pub waiters: usize,
    /// Longest time that a request waits for an origin's answer to begin, other origins that were tried before included.
    pub fill_timeout: Duration,
    /// Most bytes of bodies that are being filled, in memory, over all fills.
    pub memory: ByteSize,
    /// Most bytes in passing between origin and client, for each request whose response is not stored.
    pub pass_memory: ByteSize,
}

impl Default for FillSettings {
    fn default() -> Self {
        Self {
            fills: 1024,
            waiters: 4096,
            fill_timeout: Duration::from_secs(60),
            memory: ByteSize::mib(256),
            pass_memory: ByteSize::kib(256),
        }
    }
}
