//! When what could not be fetched is tried again: within a get a few times, for a schedule until it is there.
//!
//! A get asks again for what may be over in a moment: nobody listens, or the origin says that it can't answer now. What has taken its
//! whole time, or what will be the same again, is told at once. A schedule has all the time there is, and comes back for whatever passes.

use std::time::Duration;

use super::failure::{Code, Failure};
use crate::fill::upload::delay;
use crate::sys::clock;
use crate::units::MonoNanos;

/// The wait before a get's second attempt; it doubles with each further one.
const WAIT_MIN: Duration = Duration::from_millis(250);
/// The longest wait within a get, that of the origin's Retry-After included.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// A number from 0 to 1 that nobody can foretell.
pub type Chance = fn() -> f64;

/// The attempts of one get.
#[derive(Debug)]
pub(super) struct Attempts {
    made: u32,
    most: usize,
    began: MonoNanos,
    within: Duration,
    chance: Chance,
}

impl Attempts {
    /// At most `most`, all of them `within` a time from now on.
    pub(super) fn new(most: usize, within: Duration, chance: Chance) -> Self {
        Self {
            made: 0,
            most,
            began: clock::mono(),
            within,
            chance,
        }
    }

    /// How long to wait before one more attempt, after one that failed for this reason; none where there is no use in one, or no time. The
    /// origin may have said how long it wants to be left alone.
    pub(super) fn wait(
        &mut self,
        failure: &Failure,
        retry_after: Option<&[u8]>,
    ) -> Option<Duration> {
        self.made += 1;
        if !may_be_over_soon(failure) || self.made as usize >= self.most {
            return None;
        }
        let own = delay(self.made, WAIT_MIN, WAIT_MAX, (self.chance)());
        let wait = own.max(retry_after.and_then(seconds).unwrap_or_default());
        let left = self.within.saturating_sub(clock::mono().since(self.began));
        (wait <= WAIT_MAX && wait < left).then_some(wait)
    }
}

/// Whether another attempt in a moment may go well.
fn may_be_over_soon(failure: &Failure) -> bool {
    match (failure.code, failure.origin_status) {
        (Code::OriginUnreachable, _) => true,
        (Code::OriginStatus, Some(status)) => is_passing(status),
        _ => false,
    }
}

/// Whether another attempt some time later may go well.
pub(super) fn may_pass(failure: &Failure) -> bool {
    match failure.code {
        Code::OriginStatus => failure.origin_status.is_none_or(is_passing),
        Code::OriginUnreachable
        | Code::OriginNameUnknown
        | Code::OriginTimeout
        | Code::OriginBroken
        | Code::Incomplete
        | Code::Credentials
        | Code::Busy
        | Code::DiskFull
        | Code::DiskFailed => true,
        _ => false,
    }
}

/// Whether an origin's status tells of its state and not of the request.
fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500 | 502..=504)
}

/// A Retry-After in seconds (RFC 9110 s10.2.3); one that is a date is as good as none here.
fn seconds(value: &[u8]) -> Option<Duration> {
    let text = std::str::from_utf8(value.trim_ascii()).ok()?;
    text.parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16) -> Failure {
        Failure {
            origin_status: Some(status),
            ..Failure::new(Code::OriginStatus, "")
        }
    }

    #[test]
    fn only_what_may_be_over_soon_is_tried_again_and_as_often_as_may_be() {
        let day = Duration::from_secs(86_400);
        let first = |failure: &Failure| Attempts::new(3, day, || 1.0).wait(failure, None);
        for status in [408, 425, 429, 500, 502, 503, 504] {
            assert_eq!(first(&answered(status)), Some(WAIT_MIN), "{status}");
        }
        for status in [301, 400, 403, 404, 501, 505] {
            assert_eq!(first(&answered(status)), None, "{status}");
        }
        let unreachable = Failure::new(Code::OriginUnreachable, "");
        for code in Code::ALL {
            let is_tried = first(&Failure::new(*code, "")).is_some();
            assert_eq!(is_tried, *code == Code::OriginUnreachable, "{code:?}");
        }
        let mut attempts = Attempts::new(3, day, || 1.0);
        let waits: Vec<_> = (0..3).map(|_| attempts.wait(&unreachable, None)).collect();
        assert_eq!(waits, [Some(WAIT_MIN), Some(WAIT_MIN * 2), None]);
        assert_eq!(Attempts::new(1, day, || 1.0).wait(&unreachable, None), None);
        let in_time = |within| Attempts::new(3, within, || 1.0).wait(&unreachable, None);
        assert_eq!(in_time(Duration::from_millis(200)), None);
    }

    #[test]
    fn retry_after_is_waited_for_where_it_is_short() {
        let failure = answered(503);
        let wait = |value: &str| {
            let within = Duration::from_secs(60);
            Attempts::new(3, within, || 1.0).wait(&failure, Some(value.as_bytes()))
        };
        assert_eq!(wait("0"), Some(WAIT_MIN));
        assert_eq!(wait(" 2 "), Some(Duration::from_secs(2)));
        assert_eq!(wait("3600"), None);
        assert_eq!(wait("Fri, 31 Dec 1999 23:59:59 GMT"), Some(WAIT_MIN));
    }

    #[test]
    fn schedule_comes_back_for_what_passes() {
        for (failure, passes) in [
            (answered(503), true),
            (answered(403), false),
            (Failure::new(Code::OriginTimeout, ""), true),
            (Failure::new(Code::Credentials, ""), true),
            (Failure::new(Code::NotFound, ""), false),
            (Failure::new(Code::HostNotAllowed, ""), false),
        ] {
            assert_eq!(may_pass(&failure), passes, "{failure:?}");
        }
    }
}
