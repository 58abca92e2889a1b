//! The clocks. This module alone reads them; everything else gets the time as an argument.

use std::time::Duration;

use rustix::thread::{NanosleepRelativeResult, nanosleep};
use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::units::{MonoNanos, UnixSeconds};

const NANOS_PER_SECOND: u64 = 1_000_000_000;
const NANOS_PER_MILLI: u64 = 1_000_000;

/// The monotonic clock.
#[inline]
#[must_use]
pub fn mono() -> MonoNanos {
    let now = clock_gettime(ClockId::Monotonic);
    MonoNanos(seconds(&now) * NANOS_PER_SECOND + nanos(&now))
}

/// The wall clock: whole seconds, and the milliseconds of the running second (below 1000).
#[inline]
#[must_use]
pub fn wall() -> (UnixSeconds, u32) {
    let now = clock_gettime(ClockId::Realtime);
    let millis = u32::try_from(nanos(&now) / NANOS_PER_MILLI).unwrap_or(999);
    (UnixSeconds(seconds(&now)), millis)
}

/// Puts the calling thread to sleep for at least `duration`. Never on a worker.
pub fn pause(duration: Duration) {
    let mut left = Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    };
    // A signal handler's return cuts a sleep short; its remainder follows.
    while let NanosleepRelativeResult::Interrupted(remainder) = nanosleep(&left) {
        left = remainder;
    }
}

/// Whole seconds; a clock set to before 1970 counts as 1970.
fn seconds(time: &Timespec) -> u64 {
    u64::try_from(time.tv_sec).unwrap_or(0)
}

/// Nanoseconds of the running second.
fn nanos(time: &Timespec) -> u64 {
    u64::try_from(time.tv_nsec).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mono_advances_by_a_pause_at_least() {
        let before = mono();
        pause(Duration::from_millis(5));
        assert!(mono().since(before) >= Duration::from_millis(5));
    }

    #[test]
    fn wall_is_in_this_century() {
        let (seconds, millis) = wall();
        assert!(seconds > UnixSeconds(1_700_000_000));
        assert!(seconds < UnixSeconds(4_102_444_800));
        assert!(millis < 1000);
    }
}
