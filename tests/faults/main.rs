//! Faults and crowds over real sockets, on both drivers: files that change while they are sent, clients that break off or
//! stall by the thousand, descriptors that run out, signals under load, caps under churn, and a server that is killed while it
//! fills. These scenarios take seconds each.
//!
//! `HOTPLATE_FAULT_SECONDS` sets how long those go on that run for a time; each has a number of its own where it is not set. A
//! server is killed twice for each second: 50 for a hundred times.

#[cfg(test)]
#[macro_use]
#[path = "../harness/mod.rs"]
mod harness;

#[cfg(test)]
mod caps;
#[cfg(test)]
mod churn;
#[cfg(test)]
mod crowds;
#[cfg(test)]
mod descriptors;
#[cfg(test)]
mod failing_device;
#[cfg(test)]
mod figures;
#[cfg(test)]
mod full_device;
#[cfg(test)]
mod killed;
#[cfg(test)]
mod load;
#[cfg(test)]
mod numbered;
#[cfg(test)]
#[path = "../worker_model/random.rs"]
#[expect(
    dead_code,
    reason = "shared with the models; this binary uses its part"
)]
mod random;
#[cfg(test)]
mod resets;
#[cfg(test)]
mod rewriting;
#[cfg(test)]
mod signals;
#[cfg(test)]
mod versions;
