//! The operator's side: health, metrics, statistics, logs.
//!
//! Two threads of its own, so that nothing an operator asks for waits for a worker or makes one wait: the admin API's
//! (hyper on a current-thread runtime) and the access log's. Both only read what the workers count; the one thing
//! they ask of a worker is a copy of its latencies.
#![forbid(unsafe_code)]

pub mod access_line;
pub mod access_log;
pub mod api;
pub mod error;
pub mod listener;
pub mod metrics;
pub mod metrics_page;
pub mod observed;
pub mod process;
pub mod reading;
pub mod report;
pub mod route;
pub mod settings;
pub mod timestamp;
