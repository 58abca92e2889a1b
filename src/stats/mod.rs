//! Counters, latency and access records of the workers.
//!
//! Everything here has one writer, the worker it belongs to, and costs it no lock-prefixed instruction and no
//! allocation; readers (the admin room) sum over the workers. The counters are declared once, in
//! [`counters::FAMILIES`]; Prometheus text, JSON and `docs/metrics.md` come from that table.
#![forbid(unsafe_code)]

pub mod access;
pub mod counters;
pub mod durations;
pub mod latency;
pub mod record;
pub mod shared;
pub mod worker;

pub use access::{AccessRecord, AccessSink};
pub use counters::Counter;
pub use durations::Durations;
pub use latency::LatencyRecorder;
pub use shared::{Countable, Held, SharedCounts};
pub use worker::{REFUSALS_MAX, WorkerStats};
