//! Whether a stored response answers a request, and whether it stands in for an origin that fails (RFC 9111 s4).
//!
//! Pure; allocates nothing; `now` is an argument. The caller has found the stored response by key and Vary (s4.1).

use super::request::Asked;
use super::settings::Overrides;
use super::stored::Stored;
use crate::http::cache_control::MaxStale;
use crate::http::head::Method;
use crate::units::UnixSeconds;

mod failure;
mod words;

pub use failure::{Failure, Fallback, NoFallback, on_failure};

/// What becomes of a request for which a response is stored. Ages and times are whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// Answered from the store: the response is fresh for `ttl` more seconds.
    Fresh {
        /// The Age of the answer.
        age: u64,
        /// Until it is stale; at least 1.
        ttl: u64,
    },
    /// Answered from the store, though it is stale: the client accepts that (s5.2.1.2).
    Stale {
        /// The Age of the answer.
        age: u64,
        /// How long its lifetime is over.
        over: u64,
        /// What the client accepts.
        why: MaxStale,
    },
    /// Answered from the store, though it is stale, and refreshed in the background (RFC 5861 s3).
    WhileRevalidate {
        /// The Age of the answer.
        age: u64,
        /// How long its lifetime is over.
        over: u64,
        /// How long it may be.
        window: u64,
    },
    /// Forwarded with the stored response's validators (s4.3).
    Revalidate(Why),
    /// Forwarded as if nothing were stored.
    Refuse(Refusal),
    /// Answered with 504: the client wants a stored response only, and this one would have to be validated or may not be
    /// used (s5.2.1.7).
    OnlyIfCached504,
}

/// Why a stored response is validated before it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Its lifetime is over.
    Stale {
        /// Its age.
        age: u64,
        /// Its freshness lifetime.
        lifetime: u64,
    },
    /// Its lifetime is over, and it must not be reused stale: must-revalidate, proxy-revalidate or s-maxage.
    MustRevalidate {
        /// Its age.
        age: u64,
        /// Its freshness lifetime.
        lifetime: u64,
    },
    /// It says no-cache (s5.2.2.4).
    NoCache,
    /// It was purged softly, or invalidated (s4.4).
    Invalidated,
    /// It is fresh, and the request says no-cache (s5.2.1.4).
    RequestNoCache,
    /// It is fresh, and the request says `Pragma: no-cache` (s5.4).
    RequestPragma,
    /// It is fresh, and older than the request's max-age (s5.2.1.1).
    RequestMaxAge {
        /// Its age.
        age: u64,
        /// The highest age wanted.
        max_age: u64,
    },
    /// It is fresh, and not for as long as the request's min-fresh (s5.2.1.3).
    RequestMinFresh {
        /// How long it is still fresh.
        ttl: u64,
        /// How long it should be.
        min_fresh: u64,
    },
}

/// Why a request gets nothing from the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The method is neither GET nor HEAD.
    Method,
    /// The request has Authorization, and the response does not say that it may answer such requests (s3.5).
    Authorization,
}

impl Reuse {
    /// The Age of the answer, where it comes from the store.
    #[must_use]
    pub const fn age(self) -> Option<u64> {
        match self {
            Self::Fresh { age, .. }
            | Self::Stale { age, .. }
            | Self::WhileRevalidate { age, .. } => Some(age),
            Self::Revalidate(_) | Self::Refuse(_) | Self::OnlyIfCached504 => None,
        }
    }

    /// The `fwd` token of Cache-Status (RFC 9211 s2.2); `None` where nothing is forwarded for the client.
    #[must_use]
    pub const fn fwd(self) -> Option<&'static str> {
        match self {
            Self::Revalidate(why) => Some(why.fwd()),
            Self::Refuse(Refusal::Method) => Some("method"),
            Self::Refuse(Refusal::Authorization) => Some("request"),
            Self::Fresh { .. }
            | Self::Stale { .. }
            | Self::WhileRevalidate { .. }
            | Self::OnlyIfCached504 => None,
        }
    }

    /// Its name for Cache-Status, logs and counters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fresh { .. } => "fresh",
            Self::Stale { .. } => "max-stale",
            Self::WhileRevalidate { .. } => "stale-while-revalidate",
            Self::Revalidate(why) => why.name(),
            Self::Refuse(Refusal::Method) => "method",
            Self::Refuse(Refusal::Authorization) => "authorization",
            Self::OnlyIfCached504 => "only-if-cached",
        }
    }
}

impl Reuse {
    /// The rule that decided, as Cache-Status tells it in `detail` (RFC 9211 s2.8): where the age alone decides, what the lifetime
    /// of `stored` comes from.
    #[must_use]
    pub const fn detail(self, stored: &Stored) -> &'static str {
        match self {
            Self::Fresh { .. } | Self::Revalidate(Why::Stale { .. }) => stored.lifetime_from.name(),
            _ => self.name(),
        }
    }
}

impl Why {
    /// The `fwd` token of Cache-Status (RFC 9211 s2.2): `request` only where a fresh response could not be used.
    #[must_use]
    pub const fn fwd(self) -> &'static str {
        match self {
            Self::Stale { .. }
            | Self::MustRevalidate { .. }
            | Self::NoCache
            | Self::Invalidated => "stale",
            Self::RequestNoCache
            | Self::RequestPragma
            | Self::RequestMaxAge { .. }
            | Self::RequestMinFresh { .. } => "request",
        }
    }

    /// Its name for Cache-Status, logs and counters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stale { .. } => "stale",
            Self::MustRevalidate { .. } => "must-revalidate",
            Self::NoCache => "no-cache",
            Self::Invalidated => "invalidated",
            Self::RequestNoCache => "request-no-cache",
            Self::RequestPragma => "request-pragma",
            Self::RequestMaxAge { .. } => "request-max-age",
            Self::RequestMinFresh { .. } => "request-min-fresh",
        }
    }
}

/// Judges whether `stored` answers the request `asked` at `now`.
///
/// A request's no-store forbids to store the answer to it, not to use what is stored (s5.2.1.5).
#[must_use]
pub fn judge(asked: &Asked, stored: &Stored, rule: &Overrides, now: UnixSeconds) -> Reuse {
    let verdict = verdict(asked, stored, rule, now);
    match verdict {
        Reuse::Revalidate(_) | Reuse::Refuse(Refusal::Authorization)
            if asked.directives.only_if_cached =>
        {
            Reuse::OnlyIfCached504
        }
        _ => verdict,
    }
}

/// The verdict without regard to only-if-cached.
fn verdict(asked: &Asked, stored: &Stored, rule: &Overrides, now: UnixSeconds) -> Reuse {
    if !matches!(asked.method, Method::Get | Method::Head) {
        return Reuse::Refuse(Refusal::Method);
    }
    if asked.authorized && !stored.shareable_with_authorization {
        return Reuse::Refuse(Refusal::Authorization);
    }
    // s4.4: what was invalidated needs a mandatory validation; s4: so does what says no-cache.
    if stored.invalidated {
        return Reuse::Revalidate(Why::Invalidated);
    }
    if stored.no_cache {
        return Reuse::Revalidate(Why::NoCache);
    }
    let age = stored.age(now);
    match stored.lifetime.checked_sub(age) {
        None | Some(0) => judge_stale(asked, stored, rule, age),
        Some(ttl) => match unmet(asked, stored, rule, age, ttl) {
            Some(why) => Reuse::Revalidate(why),
            None => Reuse::Fresh { age, ttl },
        },
    }
}

/// Judges a response whose lifetime is over (s4.2.4).
fn judge_stale(asked: &Asked, stored: &Stored, rule: &Overrides, age: u64) -> Reuse {
    let lifetime = stored.lifetime;
    if stored.must_revalidate {
        return Reuse::Revalidate(Why::MustRevalidate { age, lifetime });
    }
    let over = age.saturating_sub(lifetime);
    let directives = &asked.directives;
    // What asks for a validation, or for a fresh response, is not outdone by what accepts a stale one.
    if unmet(asked, stored, rule, age, 0).is_some() {
        return Reuse::Revalidate(Why::Stale { age, lifetime });
    }
    if let Some(why) = directives.max_stale.filter(|max| max.accepts(over)) {
        return Reuse::Stale { age, over, why };
    }
    // s5.2.1.1: with max-age, and without max-stale, the client does not wish a stale response; nor beyond max-stale.
    let accepts_stale = (directives.max_age.is_none() && directives.max_stale.is_none())
        || rule.ignore_client_cache_control;
    let window = stored.stale_while_revalidate;
    if accepts_stale && over < window {
        return Reuse::WhileRevalidate { age, over, window };
    }
    Reuse::Revalidate(Why::Stale { age, lifetime })
}

/// What the request asks for beyond a response that is fresh for `ttl` seconds, and does not get (s5.2.1).
fn unmet(asked: &Asked, stored: &Stored, rule: &Overrides, age: u64, ttl: u64) -> Option<Why> {
    if rule.ignore_client_cache_control {
        return None;
    }
    let directives = &asked.directives;
    if directives.no_cache {
        return Some(Why::RequestNoCache);
    }
    if directives.pragma_no_cache {
        return Some(Why::RequestPragma);
    }
    // RFC 8246 s2.1: to validate what is immutable and fresh takes a clearer sign than the max-age of a reload.
    let is_immutable = stored.immutable && ttl > 0;
    if let Some(max_age) = directives.max_age
        && age > max_age
        && !is_immutable
    {
        return Some(Why::RequestMaxAge { age, max_age });
    }
    if let Some(min_fresh) = directives.min_fresh
        && ttl < min_fresh
    {
        return Some(Why::RequestMinFresh { ttl, min_fresh });
    }
    None
}

#[cfg(test)]
mod tests;
