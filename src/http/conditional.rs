//! Preconditions: whether to act on a conditional request (RFC 9110 s13).
//!
//! The order of RFC 9110 s13.2.2 is the only logic here. Whatever cannot be read is treated so that the answer is one
//! that is right without it: an entity-tag that is none matches nothing, a date that is none is not a condition.
//! The caller evaluates only where the answer would be a 2xx without the preconditions (RFC 9110 s13.2.1).

use super::date;
use super::etag::{self, EntityTag};
use super::head::{Field, Method, RequestHead};
use crate::units::UnixSeconds;

/// How long after its Last-Modified a representation must be asked for, so that the date is a strong validator.
///
/// RFC 9110 s8.8.2.2 asks for one second where one clock gives both dates, and for "enough difference" where clocks may
/// differ. A file's time comes from its file system, which may be another machine's: hence the minute of older HTTP.
/// What it costs is a 200 in place of a 206, within a file's first minute, for clients that keep no entity-tag.
const STRONG_AFTER_SECONDS: u64 = 60;

/// The validators of the representation that would be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validators<'a> {
    /// The entity-tag, with its quotes; empty where there is none.
    pub etag: &'a [u8],
    /// The Last-Modified date, where there is one.
    pub last_modified: Option<UnixSeconds>,
    /// What If-Modified-Since is held against where there is none: the response's Date (RFC 9111 s4.3.2).
    pub date: UnixSeconds,
}

/// What the preconditions say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// Answer as if there were none.
    Proceed,
    /// 304: the client has this representation.
    NotModified,
    /// 412: the client expected another one.
    Failed,
}

/// Whether a request has a field that [`evaluate`] looks at. If-Range is none of them.
#[must_use]
pub fn is_conditional(head: &RequestHead<'_>) -> bool {
    let has = |field| head.field(field).is_some();
    has(Field::IfNoneMatch)
        || has(Field::IfModifiedSince)
        || has(Field::IfMatch)
        || has(Field::IfUnmodifiedSince)
}

/// Evaluates all preconditions but If-Range, in the order of RFC 9110 s13.2.2.
#[must_use]
pub fn evaluate(head: &RequestHead<'_>, validators: &Validators<'_>) -> Precondition {
    // RFC 9110 s13.2.1: methods that select no representation have no preconditions.
    if matches!(
        head.method,
        Method::Options | Method::Trace | Method::Connect
    ) {
        return Precondition::Proceed;
    }
    // Steps 1 and 2: If-Unmodified-Since counts only without If-Match.
    if head.field(Field::IfMatch).is_some() {
        if !is_match(head, Field::IfMatch, validators, EntityTag::strong_eq) {
            return Precondition::Failed;
        }
    } else if let Some(date) = sole_date(head, Field::IfUnmodifiedSince)
        && validators
            .last_modified
            .is_some_and(|modified| modified > date)
    {
        return Precondition::Failed;
    }
    // Steps 3 and 4: If-Modified-Since counts only without If-None-Match, and only when reading.
    let is_read = matches!(head.method, Method::Get | Method::Head);
    if head.field(Field::IfNoneMatch).is_some() {
        if is_match(head, Field::IfNoneMatch, validators, EntityTag::weak_eq) {
            return if is_read {
                Precondition::NotModified
            } else {
                Precondition::Failed
            };
        }
    } else if is_read
        && let Some(date) = sole_date(head, Field::IfModifiedSince)
        && validators.last_modified.unwrap_or(validators.date) <= date
    {
        return Precondition::NotModified;
    }
    // Step 5, If-Range, belongs to Range: see `if_range_matches`.
    Precondition::Proceed
}

/// Whether an If-Range of `value` lets Range apply (RFC 9110 s13.1.5). `now` is the answer's Date.
///
/// An entity-tag must match strongly. A date must be exactly the Last-Modified date and a strong validator, which it is
/// from one minute after that date on.
#[must_use]
pub fn if_range_matches(value: &[u8], validators: &Validators<'_>, now: UnixSeconds) -> bool {
    if let Some(tag) = EntityTag::parse(value) {
        return EntityTag::parse(validators.etag).is_some_and(|current| tag.strong_eq(current));
    }
    let Some(modified) = validators.last_modified else {
        return false;
    };
    let strong_from = modified.0.saturating_add(STRONG_AFTER_SECONDS);
    date::parse(value).is_some_and(|date| date == modified && now.0 >= strong_from)
}

/// Whether the list in `field` names the current entity-tag, or is `*`: there always is a current representation.
fn is_match<'a>(
    head: &RequestHead<'a>,
    field: Field,
    validators: &Validators<'a>,
    is_equal: impl Fn(EntityTag<'a>, EntityTag<'a>) -> bool,
) -> bool {
    let current = EntityTag::parse(validators.etag);
    etag::is_listed(head.lines(field), |tag| {
        current.is_some_and(|current| is_equal(tag, current))
    })
}

/// The date in `field`; `None` where it is absent, invalid, or there are several (RFC 9110 s13.1.3, s13.1.4).
fn sole_date(head: &RequestHead<'_>, field: Field) -> Option<UnixSeconds> {
    let value = head.field(field)?;
    if head.is_repeated(field) {
        None
    } else {
        date::parse(value)
    }
}

#[cfg(test)]
mod tests;
