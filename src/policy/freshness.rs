//! Freshness of a response: how long it is fresh, and how old it was when it came (RFC 9111 s4.2).
//!
//! Pure. Never decides whether a response is stored (see `storability`) or what becomes of it once stale (see `reuse`).
//! Odd values make a response older or its lifetime shorter, never the reverse.

use std::time::Duration;

use super::settings::Overrides;
use super::status::is_heuristically_cacheable;
use super::stored::LifetimeFrom;
use crate::http::cache_control::{DELTA_MAX, Delta, ResponseDirectives};
use crate::http::date;
use crate::http::fields::FieldLines;
use crate::units::UnixSeconds;

/// The freshness lifetime in seconds, from the response's generation on, and where it comes from.
///
/// The order of s4.2.1 for a shared cache: s-maxage, max-age, Expires less Date; then what the rule says of error
/// statuses; then the heuristic of s4.2.2; then the rule's default. The rule's `min_ttl` raises it, its `max_ttl` caps it
/// whatever it came from.
#[must_use]
pub fn lifetime(
    status: u16,
    fields: &impl FieldLines,
    directives: &ResponseDirectives,
    rule: &Overrides,
    response_time: UnixSeconds,
) -> (u64, LifetimeFrom) {
    let may_be_guessed = is_heuristically_cacheable(status) || directives.public;
    let (mut seconds, mut from) = stated(fields, directives, response_time)
        .or_else(|| Some((negative(status, rule)?, LifetimeFrom::Rule)))
        .or_else(|| {
            let seconds = heuristic(fields, rule, response_time).filter(|_| may_be_guessed)?;
            Some((seconds, LifetimeFrom::Heuristic))
        })
        .or_else(|| {
            // Errors have a time of their own: to keep one for as long as a good answer is what nobody asks for.
            let ttl = rule
                .default_ttl
                .filter(|_| may_be_guessed && status < 400)?;
            Some((whole_seconds(ttl), LifetimeFrom::Rule))
        })
        .unwrap_or((0, LifetimeFrom::Nothing));
    let has_basis = from != LifetimeFrom::Nothing || status < 400;
    if let Some(least) = rule.min_ttl.map(whole_seconds)
        && has_basis
        && !forbids_raising(directives)
        && seconds < least
    {
        (seconds, from) = (least, LifetimeFrom::RuleMin);
    }
    if let Some(most) = rule.max_ttl.map(whole_seconds)
        && seconds > most
    {
        (seconds, from) = (most, LifetimeFrom::RuleMax);
    }
    (seconds, from)
}

/// The lifetime that the response states (s4.2.1); `None` where it states none.
///
/// What is stated but cannot be read is a lifetime of 0: no other statement takes its place.
#[must_use]
pub fn stated(
    fields: &impl FieldLines,
    directives: &ResponseDirectives,
    response_time: UnixSeconds,
) -> Option<(u64, LifetimeFrom)> {
    let source = |own| match directives.targeted {
        true => LifetimeFrom::Targeted,
        false => own,
    };
    if let Some(delta) = directives.s_maxage {
        return Some((delta.seconds(), source(LifetimeFrom::SMaxage)));
    }
    if let Some(delta) = directives.max_age {
        return Some((delta.seconds(), source(LifetimeFrom::MaxAge)));
    }
    if directives.targeted {
        // RFC 9213 s2.2: Expires counts for nothing.
        return None;
    }
    let mut lines = fields.values("expires");
    let first = lines.next()?;
    // s4.2.1: of several, or with a value that is no date, the response is stale. s5.3: "already expired".
    let expires = match lines.next() {
        None => date::parse_in_any_case(first),
        Some(_) => None,
    };
    // The latest of several dates gives the shortest lifetime.
    let generated = dates(fields).max().unwrap_or(response_time);
    let seconds = expires.map_or(0, |expires| expires.0.saturating_sub(generated.0));
    Some((seconds.min(DELTA_MAX), LifetimeFrom::Expires))
}

/// How old the response was when it was received, in seconds (s4.2.3: `corrected_initial_age`).
#[must_use]
pub fn initial_age(
    fields: &impl FieldLines,
    request_time: UnixSeconds,
    response_time: UnixSeconds,
) -> u64 {
    let date_value = generation_date(fields, response_time);
    let apparent_age = response_time.0.saturating_sub(date_value.0);
    let response_delay = response_time.0.saturating_sub(request_time.0);
    // s5.1: what is no non-negative integer is ignored. Of several the largest counts, wherever it stands.
    let age_value = fields
        .values("age")
        .flat_map(|line| line.split(|octet| *octet == b','))
        .map(|element| Delta::parse(element.trim_ascii()).seconds())
        .max()
        .unwrap_or(0);
    let corrected_age_value = age_value.saturating_add(response_delay);
    apparent_age.max(corrected_age_value)
}

/// When the response was generated: its Date, or when it was received where it has none that is valid (RFC 9110 s6.6.1). The
/// earliest of several makes it oldest.
#[must_use]
pub fn generation_date(fields: &impl FieldLines, response_time: UnixSeconds) -> UnixSeconds {
    dates(fields).min().unwrap_or(response_time)
}

/// The Last-Modified date, where there is exactly one and it is valid.
#[must_use]
pub fn last_modified(fields: &impl FieldLines) -> Option<UnixSeconds> {
    let mut lines = fields.values("last-modified");
    let first = lines.next()?;
    match lines.next() {
        None => date::parse_in_any_case(first),
        Some(_) => None,
    }
}

/// The rule's lifetime of an error status: that of the first entry that names it.
#[must_use]
pub fn negative(status: u16, rule: &Overrides) -> Option<u64> {
    let entry = rule
        .negative_ttl
        .iter()
        .find(|entry| (entry.first..=entry.last).contains(&status))?;
    Some(whole_seconds(entry.ttl))
}

/// A part of the time since Last-Modified (s4.2.2). None where that lies after Date, or the rule makes it no part at all.
fn heuristic(
    fields: &impl FieldLines,
    rule: &Overrides,
    response_time: UnixSeconds,
) -> Option<u64> {
    if rule.heuristic_permille == 0 {
        return None;
    }
    // A clock that runs ahead at the origin does not lengthen the time.
    let generated = generation_date(fields, response_time).min(response_time);
    let unchanged = generated.0.checked_sub(last_modified(fields)?.0)?;
    let seconds = unchanged.saturating_mul(u64::from(rule.heuristic_permille)) / 1000;
    Some(seconds.min(DELTA_MAX))
}

/// Every Date line that is valid.
fn dates(fields: &impl FieldLines) -> impl Iterator<Item = UnixSeconds> {
    fields.values("date").filter_map(date::parse_in_any_case)
}

/// Whether the origin wants no reuse at all, so that the rule's `min_ttl` does not count.
const fn forbids_raising(directives: &ResponseDirectives) -> bool {
    directives.no_store || directives.no_cache.is_whole() || directives.private.is_whole()
}

/// A setting in whole seconds, never more than a delta-seconds can tell.
const fn whole_seconds(duration: Duration) -> u64 {
    let seconds = duration.as_secs();
    if seconds < DELTA_MAX {
        seconds
    } else {
        DELTA_MAX
    }
}

#[cfg(test)]
mod tests;
