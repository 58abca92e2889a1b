//! Which cores this process may use, and binding a thread to one.

use std::io;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The cores that the affinity mask allows, in order.
///
/// # Errors
///
/// The kernel has more cores than the mask type holds.
pub fn allowed() -> io::Result<Vec<usize>> {
    let set = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU)
        .filter(|core| set.is_set(*core))
        .collect())
}

/// How many cores this process may keep busy: the affinity mask and the cgroup's CPU quota, whichever is less; at least 1.
#[must_use]
pub fn budget() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Binds the calling thread to `core`.
///
/// # Errors
///
/// The core is not one of ours any more.
pub fn bind(core: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}

/// Has the calling thread, and those that it starts, give way to the workers where both want the same core: `by` steps of
/// nice(2), 1 to 19. A system that does not let it changes nothing but the latency of hits beside misses.
pub fn give_way(by: i32) {
    // On Linux this is the calling thread's own value.
    if let Err(error) = rustix::process::setpriority_process(None, by) {
        tracing::debug!(%error, "a thread keeps its priority");
    }
}
