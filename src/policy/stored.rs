//! What decisions about a stored response need, worked out once, when it is stored or freshened.

use std::fmt;

use crate::http::cache_control::DELTA_MAX;
use crate::http::etag::EntityTag;
use crate::units::UnixSeconds;

/// Where a freshness lifetime comes from (RFC 9111 s4.2.1), for Cache-Status and for explanations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LifetimeFrom {
    /// CDN-Cache-Control (RFC 9213).
    Targeted,
    /// `s-maxage`.
    SMaxage,
    /// `max-age`.
    MaxAge,
    /// `Expires` less `Date`.
    Expires,
    /// A part of the time since `Last-Modified` (s4.2.2).
    Heuristic,
    /// The rule's `negative_ttl` or `default_ttl`.
    Rule,
    /// The rule's `min_ttl` raised it.
    RuleMin,
    /// The rule's `max_ttl` capped it.
    RuleMax,
    /// Nothing gives it one: it is stale from the start.
    Nothing,
    /// A soft purge ended it.
    Purge,
}

impl LifetimeFrom {
    /// Its name for Cache-Status.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Targeted => "cdn-cache-control",
            Self::SMaxage => "s-maxage",
            Self::MaxAge => "max-age",
            Self::Expires => "expires",
            Self::Heuristic => "heuristic",
            Self::Rule => "rule-ttl",
            Self::RuleMin => "rule-min-ttl",
            Self::RuleMax => "rule-max-ttl",
            Self::Nothing => "no-lifetime",
            Self::Purge => "soft-purge",
        }
    }
}

impl fmt::Display for LifetimeFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Targeted => "CDN-Cache-Control",
            Self::SMaxage => "s-maxage",
            Self::MaxAge => "max-age",
            Self::Expires => "Expires",
            Self::Heuristic => "Last-Modified",
            Self::Rule => "the rule",
            Self::RuleMin => "min_ttl",
            Self::RuleMax => "max_ttl",
            Self::Nothing => "nothing",
            Self::Purge => "a soft purge",
        })
    }
}

/// Facts of a stored response. All durations are whole seconds, saturating.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The status; 200 for what came as parts (s3.3: a 206 is stored as an incomplete 200).
    pub status: u16,
    /// When it was received (RFC 9111 s4.2.3: `response_time`).
    pub response_time: UnixSeconds,
    /// The value of its Date, or when it was received where it has none that is valid.
    pub date: UnixSeconds,
    /// Its age when it was received (`corrected_initial_age`).
    pub initial_age: u64,
    /// How long it is fresh from its generation on (`freshness_lifetime`), after the rule's overrides.
    pub lifetime: u64,
    /// Where the lifetime comes from.
    pub lifetime_from: LifetimeFrom,
    /// Never reused without successful validation: `no-cache` without field names.
    pub no_cache: bool,
    /// Never served stale: `must-revalidate`, `proxy-revalidate` or `s-maxage` (s5.2.2.2, s5.2.2.8, s5.2.2.10).
    pub must_revalidate: bool,
    /// `immutable` (RFC 8246): a client's reload does not revalidate it while it is fresh.
    pub immutable: bool,
    /// Stored for a request with Authorization (s3.5 allowed it).
    pub authorized: bool,
    /// It may answer requests with Authorization: `public`, `s-maxage` or `must-revalidate` (s3.5).
    pub shareable_with_authorization: bool,
    /// `stale-while-revalidate` (RFC 5861 s3), or the rule's; 0 for none.
    pub stale_while_revalidate: u64,
    /// `stale-if-error` (RFC 5861 s4), or the rule's; 0 for none.
    pub stale_if_error: u64,
    /// The entity-tag as received, with quotes and `W/`.
    pub etag: Option<Box<[u8]>>,
    /// Last-Modified, where it is a valid date.
    pub last_modified: Option<UnixSeconds>,
    /// Invalidated (s4.4): only a validation makes it of use again.
    pub invalidated: bool,
}

/// What takes the freshness of a stored response away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// An invalidation (s4.4): it is validated before it is used again, whatever happens.
    Invalid,
    /// A soft purge at this time: its lifetime is over, and what holds for stale responses holds for it.
    Stale(UnixSeconds),
}

/// How far ahead of the clock a response may have been received: those who look at it and those who store it don't read the clock
/// at the same time.
const CLOCK_SLACK: u64 = 2;

impl Stored {
    /// Its age at `now` (RFC 9111 s4.2.3: `current_age`). Where the clock was set back since it was received nobody knows how old
    /// it is: it counts as older than any lifetime (s1.2.2: 2^31 seconds).
    #[must_use]
    pub const fn age(&self, now: UnixSeconds) -> u64 {
        let resident = match now.0.checked_sub(self.response_time.0) {
            Some(resident) => resident,
            None if self.response_time.0 - now.0 <= CLOCK_SLACK => 0,
            None => DELTA_MAX,
        };
        self.initial_age.saturating_add(resident)
    }

    /// Takes its freshness away; false where it had none to take.
    pub fn mark(&mut self, mark: Mark) -> bool {
        match mark {
            Mark::Invalid => !std::mem::replace(&mut self.invalidated, true),
            Mark::Stale(now) if now.0.saturating_add(CLOCK_SLACK) < self.response_time.0 => {
                // The clock was set back, and may be put right again: it is stale by any clock.
                let ended = (0, LifetimeFrom::Purge);
                let is_new = (self.lifetime, self.lifetime_from) != ended;
                (self.lifetime, self.lifetime_from) = ended;
                is_new
            }
            Mark::Stale(now) if self.is_fresh(now) => {
                (self.lifetime, self.lifetime_from) = (self.age(now), LifetimeFrom::Purge);
                true
            }
            Mark::Stale(_) => false,
        }
    }

    /// How recent it is, for the choice among several (s4): by its Date, and of the same by when it was received.
    #[must_use]
    pub const fn recency(&self) -> (UnixSeconds, UnixSeconds) {
        (self.date, self.response_time)
    }

    /// Whether it is fresh at `now` (s4.2): its lifetime is longer than its age.
    #[must_use]
    pub const fn is_fresh(&self, now: UnixSeconds) -> bool {
        !self.invalidated && self.lifetime > self.age(now)
    }

    /// Seconds until it is stale; negative since it is.
    #[must_use]
    pub fn ttl(&self, now: UnixSeconds) -> i64 {
        let lifetime = i64::try_from(self.lifetime).unwrap_or(i64::MAX);
        let age = i64::try_from(self.age(now)).unwrap_or(i64::MAX);
        lifetime.saturating_sub(age)
    }

    /// How many seconds its lifetime is over at `now`; `None` while it is fresh.
    #[must_use]
    pub const fn stale_since(&self, now: UnixSeconds) -> Option<u64> {
        self.age(now).checked_sub(self.lifetime)
    }

    /// Whether it can be validated with a condition (s4.3.1).
    #[must_use]
    pub const fn has_validator(&self) -> bool {
        self.etag.is_some() || self.last_modified.is_some()
    }

    /// Whether its entity-tag is strong (RFC 9110 s8.8.1), so that ranges of it may be combined.
    #[must_use]
    pub fn is_strong(&self) -> bool {
        let tag = self.etag.as_ref().and_then(|etag| EntityTag::parse(etag));
        tag.is_some_and(|tag| !tag.is_weak)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored() -> Stored {
        Stored {
            status: 200,
            response_time: UnixSeconds(1000),
            date: UnixSeconds(1000),
            initial_age: 5,
            lifetime: 60,
            lifetime_from: LifetimeFrom::MaxAge,
            no_cache: false,
            must_revalidate: false,
            immutable: false,
            authorized: false,
            shareable_with_authorization: false,
            stale_while_revalidate: 0,
            stale_if_error: 0,
            etag: None,
            last_modified: None,
            invalidated: false,
        }
    }

    #[test]
    fn rfc9111_s4_2_fresh_while_the_lifetime_is_longer_than_the_age() {
        let stored = stored();
        assert!(stored.is_fresh(UnixSeconds(1054)));
        assert_eq!(stored.ttl(UnixSeconds(1054)), 1);
        assert!(!stored.is_fresh(UnixSeconds(1055)));
        assert_eq!(stored.ttl(UnixSeconds(1056)), -1);
    }

    #[test]
    fn rfc9111_s4_2_3_a_clock_set_back_makes_nothing_fresher() {
        let stored = stored();
        assert_eq!(stored.age(UnixSeconds(998)), 5);
        assert_eq!(stored.age(UnixSeconds(997)), DELTA_MAX + 5);
        assert!(!stored.is_fresh(UnixSeconds(0)));
    }

    #[test]
    fn a_soft_purge_ends_the_lifetime_and_an_invalidation_all_use() {
        let mut purged = stored();
        assert!(purged.mark(Mark::Stale(UnixSeconds(1010))));
        assert_eq!(purged.stale_since(UnixSeconds(1012)), Some(2));
        assert!(!purged.invalidated);
        assert!(!purged.mark(Mark::Stale(UnixSeconds(1011))));
        assert_eq!(purged.lifetime_from, LifetimeFrom::Purge);
        let mut ahead = stored();
        assert!(ahead.mark(Mark::Stale(UnixSeconds(0))));
        assert!(!ahead.is_fresh(UnixSeconds(1001)));
        assert!(purged.mark(Mark::Invalid) && purged.invalidated);
        assert!(!purged.mark(Mark::Invalid));
    }

    #[test]
    fn ages_and_lifetimes_saturate() {
        let mut stored = stored();
        stored.initial_age = u64::MAX;
        stored.lifetime = u64::MAX;
        assert!(!stored.is_fresh(UnixSeconds(u64::MAX)));
        assert_eq!(stored.ttl(UnixSeconds(u64::MAX)), 0);
    }

    #[test]
    fn rfc9111_s4_2_stale_since_counts_from_the_end_of_the_lifetime() {
        let stored = stored();
        assert_eq!(stored.stale_since(UnixSeconds(1054)), None);
        assert_eq!(stored.stale_since(UnixSeconds(1055)), Some(0));
        assert_eq!(stored.stale_since(UnixSeconds(1060)), Some(5));
    }

    #[test]
    fn rfc9110_s8_8_1_only_a_well_formed_tag_without_w_is_strong() {
        let mut stored = stored();
        assert!(!stored.has_validator() && !stored.is_strong());
        for (etag, is_strong) in [
            (&b"\"a\""[..], true),
            (b"\"\"", true),
            (b"W/\"a\"", false),
            (b"a", false),
            (b"\"a", false),
            (b"\"a\"b", false),
        ] {
            stored.etag = Some(etag.into());
            assert!(stored.has_validator());
            assert_eq!(stored.is_strong(), is_strong, "{}", etag.escape_ascii());
        }
    }

    #[test]
    fn what_was_invalidated_is_never_fresh() {
        let mut stored = stored();
        stored.invalidated = true;
        assert!(!stored.is_fresh(UnixSeconds(1000)));
    }
}
