//! Whether a stored response stands in for an origin that fails (RFC 9111 s4.2.4, s4.3.3, RFC 5861 s4).

use super::{Refusal, Reuse, Why, unmet, verdict};
use crate::http::cache_control::{DELTA_MAX, MaxStale};
use crate::policy::request::Asked;
use crate::policy::settings::Overrides;
use crate::policy::stored::Stored;
use crate::units::UnixSeconds;

/// How the origin failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// There was no connection, or it broke before a response was there.
    Unreachable,
    /// There was no response in time.
    Timeout,
    /// It answered with this status.
    Status(u16),
}

/// What an origin's failure means for a request for which a response is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// The stored response stands in.
    Stale {
        /// The Age of the answer.
        age: u64,
        /// How long its lifetime is over; 0 where it is still fresh.
        over: u64,
        /// How long it may be (RFC 5861 s4).
        window: u64,
    },
    /// It does not: the failure is the answer, or 504 where there is none (s5.2.2.2).
    None(NoFallback),
}

/// Why a stored response does not stand in for a failing origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoFallback {
    /// The status is none of 500, 502, 503 and 504 (RFC 5861 s4).
    NotAnError,
    /// The request may not be answered from this response at all.
    Refused(Refusal),
    /// The response must be validated: it says no-cache, or it was invalidated, or it is stale and must not be.
    MustValidate(Why),
    /// The request asks for a validation, or for a response of another age.
    Request(Why),
    /// Nothing allows to send it stale.
    NotAllowed,
    /// It was allowed for `window` seconds.
    TooOld {
        /// How long its lifetime is over.
        over: u64,
        /// How long it may be.
        window: u64,
    },
}

impl Fallback {
    /// The Age of the answer, where the stored response stands in.
    #[must_use]
    pub const fn age(self) -> Option<u64> {
        match self {
            Self::Stale { age, .. } => Some(age),
            Self::None(_) => None,
        }
    }
}

/// Judges whether `stored` stands in for an origin that failed for the request `asked` (s4.2.4, s4.3.3, RFC 5861 s4).
///
/// The request's own stale-if-error counts before the response's, which counts before the rule's.
#[must_use]
pub fn on_failure(
    asked: &Asked,
    stored: &Stored,
    rule: &Overrides,
    now: UnixSeconds,
    failure: Failure,
) -> Fallback {
    match failure {
        Failure::Unreachable | Failure::Timeout | Failure::Status(500 | 502 | 503 | 504) => {}
        Failure::Status(_) => return Fallback::None(NoFallback::NotAnError),
    }
    let verdict = verdict(asked, stored, rule, now);
    let why = match verdict {
        // It would be the answer without asking the origin, all the more when that fails.
        Reuse::Fresh { age, ttl: window } => {
            return Fallback::Stale {
                age,
                over: 0,
                window,
            };
        }
        Reuse::WhileRevalidate { age, over, window } => {
            return Fallback::Stale { age, over, window };
        }
        Reuse::Stale { age, over, why } => {
            let window = match why {
                MaxStale::Seconds(seconds) => seconds,
                MaxStale::Any => DELTA_MAX,
            };
            return Fallback::Stale { age, over, window };
        }
        Reuse::Refuse(refusal) => return Fallback::None(NoFallback::Refused(refusal)),
        // `verdict` never says so.
        Reuse::OnlyIfCached504 => return Fallback::None(NoFallback::NotAllowed),
        Reuse::Revalidate(why) => why,
    };
    let age = stored.age(now);
    let ttl = stored.lifetime.saturating_sub(age);
    let requested = asked.directives.stale_if_error;
    match why {
        Why::NoCache | Why::Invalidated | Why::MustRevalidate { .. } => {
            return Fallback::None(NoFallback::MustValidate(why));
        }
        _ => {}
    }
    // What the request asks for stands, but where it says itself what it accepts when the origin fails.
    match unmet(asked, stored, rule, age, ttl) {
        Some(wish) if requested.is_none() || wish == Why::RequestNoCache => {
            return Fallback::None(NoFallback::Request(wish));
        }
        _ => {}
    }
    let window = requested.unwrap_or(stored.stale_if_error);
    let over = age.saturating_sub(stored.lifetime);
    if over < window {
        Fallback::Stale { age, over, window }
    } else if window == 0 {
        Fallback::None(NoFallback::NotAllowed)
    } else {
        Fallback::None(NoFallback::TooOld { over, window })
    }
}
