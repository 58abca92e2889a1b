//! The front desk: the one place where http, policy, index and store meet. Never async, never does I/O.
//!
//! Each worker has a desk of its own. What the workers share stands behind it in immutable snapshots; what a hit
//! needs is worker-local, so it takes no lock and touches no counter that another core writes.
#![forbid(unsafe_code)]

mod answer;
mod desk;
mod lease;
mod local_files;
pub mod order;
mod stored;

pub use answer::{Answer, Reply, Sending, Served};
pub use desk::{FrontDesk, Moment};
pub use lease::{Lease, LocalLease};
pub use stored::{Way, part_of};
