//! The fronts: a sans-I/O HTTP/1.1 connection driven by io_uring or epoll. Never decides policy.
#![forbid(unsafe_code)]

pub mod access;
pub mod conn;
pub mod crowd;
pub mod deadlines;
pub mod driver;
pub mod epoll;
pub mod inbox;
mod informational;
pub mod pump;
pub mod reject;
pub mod relay;
pub mod respond;
pub mod ring;
pub mod sending;
pub mod settings;
pub mod slot;
pub mod start;
pub mod transfer;
pub mod turn_clock;
pub mod upkeep;
mod upload;
pub mod worker;
