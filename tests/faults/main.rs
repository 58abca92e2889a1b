//! Faults and crowds over real sockets, on both drivers: files that change while they are sent, clients that break off or
//! stall by the thousand, descriptors that run out, and signals under load. These scenarios take seconds each.
//!
//! `HOTPLATE_FAULT_SECONDS` sets how long files are rewritten under load; 30 where it is not set.

#[cfg(test)]
#[macro_use]
#[path = "../harness/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "shared with the other test binary; each uses its part"
)]
mod harness;

#[cfg(test)]
mod churn;
#[cfg(test)]
mod crowds;
#[cfg(test)]
mod descriptors;
#[cfg(test)]
mod load;
#[cfg(test)]
mod resets;
#[cfg(test)]
mod rewriting;
#[cfg(test)]
mod signals;
#[cfg(test)]
mod versions;
