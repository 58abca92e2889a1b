//! Which cores this process may use, binding a thread to one, and who goes first on it.
#![expect(unsafe_code, reason = "sched_setattr(2) has no safe form")]

use std::io;
use std::time::Duration;

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

/// Has the calling thread run soon after it is woken, though another thread is at its turn on the same core: it asks for turns
/// of `slice` (0.1 to 100 ms), and who asks for shorter ones may interrupt others. Its share of the core stays the same. Linux
/// before 6.12 changes nothing.
pub fn take_short_turns(slice: Duration) {
    let nice = rustix::process::getpriority_process(None).unwrap_or(0);
    let attributes = libc::sched_attr {
        size: size_of::<libc::sched_attr>() as u32,
        sched_policy: 0,
        sched_flags: SCHED_FLAG_KEEP_POLICY,
        sched_nice: nice,
        sched_priority: 0,
        sched_runtime: u64::try_from(slice.as_nanos()).unwrap_or(u64::MAX),
        sched_deadline: 0,
        sched_period: 0,
    };
    // SAFETY: the kernel reads `size` bytes of the struct during the call and keeps none of them; 0 is the calling thread.
    let failed =
        unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) } != 0;
    if failed {
        let error = io::Error::last_os_error();
        tracing::debug!(%error, "a thread keeps the length of its turns");
    }
}

/// The policy stays as it is (`include/uapi/linux/sched.h`).
const SCHED_FLAG_KEEP_POLICY: u64 = 0x08;

#[cfg(test)]
mod tests {
    use super::*;

    /// The length of the calling thread's turns in nanoseconds, where the kernel tells.
    fn slice() -> Option<u64> {
        let told = std::fs::read_to_string("/proc/thread-self/sched").ok()?;
        let line = told.lines().find(|line| line.starts_with("se.slice"))?;
        line.rsplit(':').next()?.trim().parse().ok()
    }

    #[test]
    fn short_turns_are_those_of_the_calling_thread_alone() {
        let before = slice();
        let after = std::thread::spawn(|| {
            take_short_turns(Duration::from_micros(300));
            slice()
        });
        let after = after.join().unwrap();
        assert_eq!(slice(), before);
        // Before Linux 6.12 nothing changes.
        assert!([Some(300_000), before].contains(&after), "{after:?}");
    }
}
