//! The operator's side: health, metrics, statistics, logs; purging, listing and explaining what is stored.
//!
//! Two threads of its own, so that nothing an operator asks for waits for a worker or makes one wait: the admin API's
//! (hyper on a current-thread runtime) and the access log's. Both only read what the workers count; the one thing
//! they ask of a worker is a copy of its latencies. What changes the cache goes by [`operator`].
#![forbid(unsafe_code)]

pub mod access_line;
pub mod access_log;
pub mod api;
mod cache_api;
pub mod disk_figures;
pub mod error;
mod library;
pub mod listener;
pub mod metrics;
pub mod metrics_page;
pub mod observed;
pub mod operator;
pub mod process;
pub mod query;
pub mod reading;
pub mod report;
pub mod route;
pub mod settings;
pub mod timestamp;
mod upload;
