//! What is fuzzed: the inner rooms of Hotplate, from their own files and under the crate's name.
//!
//! A room imports only rooms above it in `src/lib.rs`, so these build without those that bring TLS, the runtime, TOML and the
//! command line: under the sanitizer they would take most of the time of a smoke run. What of the outer rooms reads
//! an origin's bytes stands in [`origin`].

#[path = "../../../src/units.rs"]
pub mod units;

#[path = "../../../src/stats/mod.rs"]
pub mod stats;

#[path = "../../../src/sys/mod.rs"]
pub mod sys;

#[path = "../../../src/http/mod.rs"]
pub mod http;

#[path = "../../../src/policy/mod.rs"]
pub mod policy;

#[path = "../../../src/store/mod.rs"]
pub mod store;

#[path = "../../../src/index/mod.rs"]
pub mod index;

#[path = "../../../src/cache/mod.rs"]
pub mod cache;

#[path = "../../../src/server/mod.rs"]
pub mod server;

pub mod expected;
pub mod input;
pub mod origin;
pub mod profile;

/// The names by which the fill room's own files know each other.
pub mod fill {
    pub use crate::profile;
}
