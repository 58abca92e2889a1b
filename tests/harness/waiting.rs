//! Clocks and waits: the only place of the tests that reads a clock or pauses a thread.

use std::time::{Duration, Instant, SystemTime};

/// The monotonic clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the tests' one reading of the monotonic clock"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The wall clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the tests' one reading of the wall clock"
)]
pub(crate) fn wall_clock() -> SystemTime {
    SystemTime::now()
}

/// Lets `duration` pass: the step of a poll, or the pace of a slow client.
#[expect(
    clippy::disallowed_methods,
    reason = "the tests' one pause; polls and slow clients are made of it"
)]
pub(crate) fn pause(duration: Duration) {
    std::thread::sleep(duration);
}

/// Waits until `condition` holds; fails naming `what` when it does not hold `within` the time.
#[track_caller]
pub(crate) fn eventually(within: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = now() + within;
    while !condition() {
        assert!(now() < deadline, "not within {within:?}: {what}");
        pause(Duration::from_millis(5));
    }
}

/// Checks over and over, for all of `duration`, what `check` asserts.
pub(crate) fn throughout(duration: Duration, mut check: impl FnMut()) {
    let end = now() + duration;
    loop {
        check();
        if now() >= end {
            return;
        }
        pause(Duration::from_millis(10));
    }
}

/// An environment variable's number, or `default` where it is not set.
pub(crate) fn number_from_environment(name: &str, default: u64) -> u64 {
    std::env::var_os(name).map_or(default, |value| {
        value
            .to_str()
            .and_then(|text| text.parse().ok())
            .unwrap_or_else(|| panic!("{name} is a number, not {value:?}"))
    })
}
