//! Hotplate serves hot static media at the lowest latency a Linux machine allows.
//!
//! The rooms below are listed from the innermost outwards: a room imports only rooms above it. What each room does,
//! what it never does, and the way of a request through them stand in `docs/architecture.md`.

pub mod units;

pub mod stats;

pub mod sys;

pub mod http;

pub mod policy;

pub mod store;

pub mod index;

pub mod cache;

pub mod fill;

pub mod server;

pub mod admin;

pub mod config;

pub mod cli;
