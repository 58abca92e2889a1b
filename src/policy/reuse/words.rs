//! The verdicts of `reuse` in words, with their numbers, for those who ask why.

use std::fmt;

use super::{Fallback, NoFallback, Refusal, Reuse, Why};
use crate::http::cache_control::MaxStale;

impl fmt::Display for Reuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fresh { age, ttl } => write!(f, "fresh: age {age} s, for {ttl} s more"),
            Self::Stale { age, over, why } => {
                write!(f, "stale by {over} s at age {age} s: the request ")?;
                match why {
                    MaxStale::Any => f.write_str("accepts any"),
                    MaxStale::Seconds(seconds) => write!(f, "accepts {seconds} s"),
                }
            }
            Self::WhileRevalidate { age, over, window } => write!(
                f,
                "stale by {over} s at age {age} s: sent for {window} s while it is revalidated"
            ),
            Self::Revalidate(why) => write!(f, "to be validated: {why}"),
            Self::Refuse(refusal) => write!(f, "not used: {refusal}"),
            Self::OnlyIfCached504 => {
                f.write_str("not used, and the request wants a stored response only")
            }
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stale { age, lifetime } => {
                write!(f, "stale: age {age} s, lifetime {lifetime} s")
            }
            Self::MustRevalidate { age, lifetime } => write!(
                f,
                "stale, and not to be used then: age {age} s, lifetime {lifetime} s"
            ),
            Self::NoCache => f.write_str("the response says no-cache"),
            Self::Invalidated => f.write_str("purged softly, or invalidated"),
            Self::RequestNoCache => f.write_str("the request says no-cache"),
            Self::RequestPragma => f.write_str("the request says Pragma: no-cache"),
            Self::RequestMaxAge { age, max_age } => {
                write!(f, "age {age} s, the request wants at most {max_age} s")
            }
            Self::RequestMinFresh { ttl, min_fresh } => write!(
                f,
                "fresh for {ttl} s, the request wants at least {min_fresh} s"
            ),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Method => "the method is neither GET nor HEAD",
            Self::Authorization => "the request has Authorization and the response is not shared",
        })
    }
}

impl fmt::Display for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stale { age, over, window } => write!(
                f,
                "stands in for the origin: age {age} s, stale by {over} s of {window} s"
            ),
            Self::None(why) => write!(f, "does not stand in for the origin: {why}"),
        }
    }
}

impl fmt::Display for NoFallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnError => f.write_str("the status is no failure"),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::MustValidate(why) | Self::Request(why) => why.fmt(f),
            Self::NotAllowed => f.write_str("nothing allows to send it stale"),
            Self::TooOld { over, window } => write!(f, "stale by {over} s of {window} s"),
        }
    }
}
