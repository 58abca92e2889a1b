//! Whether a response is stored (RFC 9111 s3), and the facts that are stored with it.
//!
//! Judged as soon as the head is there: a body that turns out truncated is the store's to drop. Pure; the caller knows
//! the key, and compares Vary.

use std::fmt;

use super::freshness;
use super::request::Asked;
use super::settings::{Overrides, SetCookie};
use super::status;
use super::stored::Stored;
use super::stored_fields::LeftOut;
use super::vary::{Names, Vary};
use crate::http::cache_control::ResponseDirectives;
use crate::http::content_range::ContentRange;
use crate::http::fields::{FieldLines, Fields};
use crate::http::head::Method;
use crate::units::UnixSeconds;

/// A response's head, and when it came.
#[derive(Clone, Copy, Debug)]
pub struct Received<'f> {
    /// The status.
    pub status: u16,
    /// All fields as received.
    pub fields: &'f Fields,
    /// When its request was sent (RFC 9111 s4.2.3: `request_time`).
    pub request_time: UnixSeconds,
    /// When it was received (s4.2.3: `response_time`).
    pub response_time: UnixSeconds,
}

/// Whether a response is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storability {
    /// It is, with these facts, and with the fields that `stored_fields` gives.
    Store(Box<Stored>),
    /// It is not, nor shared with requests that wait for it.
    Refuse(WhyNot),
}

/// Why a response is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WhyNot {
    /// Only responses to GET are stored.
    Method,
    /// The status is not final, or is none (s3).
    StatusNotFinal,
    /// The status speaks of one request only.
    StatusForOneRequest,
    /// must-understand, and the status is not understood (s5.2.2.3).
    StatusNotUnderstood,
    /// A 206 without a strong entity-tag, or without one Content-Range that can be read (s3.3, s3.4).
    PartUnusable,
    /// The request said no-store (s5.2.1.5).
    RequestNoStore,
    /// The response said no-store (s5.2.2.5).
    NoStore,
    /// The response said private (s5.2.2.7).
    Private,
    /// The request had Authorization, and the response does not allow to share it (s3.5).
    Authorization,
    /// `Vary: *` (s4.1), or what counts as that (see `policy::vary`): it would never be selected.
    VaryStar,
    /// It sets a cookie, and the rule does not strip it.
    SetCookie,
    /// Nothing makes it cacheable: no lifetime stated, not public, and no status that may be given one (s3).
    NotCacheable,
    /// A 200 with neither validator nor lifetime, and the rule does not ignore that.
    NoLastModified,
    /// Stale from the start and without a validator, so that it could never be used.
    NeverUsable,
}

impl WhyNot {
    /// Its name for Cache-Status, logs and counters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::StatusNotFinal => "status-not-final",
            Self::StatusForOneRequest => "status-for-one-request",
            Self::StatusNotUnderstood => "status-not-understood",
            Self::PartUnusable => "part-unusable",
            Self::RequestNoStore => "request-no-store",
            Self::NoStore => "no-store",
            Self::Private => "private",
            Self::Authorization => "authorization",
            Self::VaryStar => "vary-star",
            Self::SetCookie => "set-cookie",
            Self::NotCacheable => "not-cacheable",
            Self::NoLastModified => "no-last-modified",
            Self::NeverUsable => "never-usable",
        }
    }
}

impl fmt::Display for WhyNot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Method => "only responses to GET are stored",
            Self::StatusNotFinal => "the status is not final",
            Self::StatusForOneRequest => "the status speaks of one request only",
            Self::StatusNotUnderstood => "must-understand, and the status is not understood",
            Self::PartUnusable => "a part without strong entity-tag or readable Content-Range",
            Self::RequestNoStore => "the request says no-store",
            Self::NoStore => "the response says no-store",
            Self::Private => "the response says private",
            Self::Authorization => "the request has Authorization and the response is not shared",
            Self::VaryStar => {
                "the response varies by everything, or by what no selection is made of"
            }
            Self::SetCookie => "the response sets a cookie",
            Self::NotCacheable => "no lifetime is stated and the status gives none",
            Self::NoLastModified => "neither validator nor lifetime",
            Self::NeverUsable => "stale from the start, and without a validator",
        })
    }
}

/// Judges whether the response `received` to the request `asked` is stored.
///
/// A 304 is never: it freshens what is stored. A 206 is stored as an incomplete 200; which bytes came is the caller's to
/// read from Content-Range.
#[must_use]
pub fn judge(asked: &Asked, received: &Received<'_>, rule: &Overrides) -> Storability {
    let directives = ResponseDirectives::of(received.fields);
    if let Some(why_not) = refusal(asked, received, &directives, rule) {
        return Storability::Refuse(why_not);
    }
    let stored = facts(asked, received, &directives, rule);
    if received.status == 206 && !(stored.is_strong() && has_one_part(received.fields)) {
        return Storability::Refuse(WhyNot::PartUnusable);
    }
    if received.status == 200
        && !stored.has_validator()
        && !rule.ignore_no_last_modified
        && freshness::stated(received.fields, &directives, received.response_time).is_none()
    {
        return Storability::Refuse(WhyNot::NoLastModified);
    }
    if !rule.store_expired && !is_usable(&stored) {
        return Storability::Refuse(WhyNot::NeverUsable);
    }
    Storability::Store(Box::new(stored))
}

/// The facts of a response that is stored or has been freshened. `directives` are those of `received`.
#[must_use]
pub fn facts(
    asked: &Asked,
    received: &Received<'_>,
    directives: &ResponseDirectives,
    rule: &Overrides,
) -> Stored {
    let Received {
        status,
        fields,
        request_time,
        response_time,
    } = *received;
    let (lifetime, lifetime_from) =
        freshness::lifetime(status, fields, directives, rule, response_time);
    // A validator that may not be stored is none.
    let left_out = LeftOut::of(fields, directives, rule);
    let is_kept = |name: &str| !left_out.has(name.as_bytes());
    let or_rule = |stated: Option<u64>, ruled: Option<std::time::Duration>| {
        stated
            .or(ruled.map(|ruled| ruled.as_secs()))
            .unwrap_or_default()
    };
    Stored {
        // s3.3: a 206 is stored as if it were an incomplete 200.
        status: if status == 206 { 200 } else { status },
        response_time,
        date: freshness::generation_date(fields, response_time),
        initial_age: freshness::initial_age(fields, request_time, response_time),
        lifetime,
        lifetime_from,
        no_cache: directives.no_cache.is_whole(),
        must_revalidate: directives.forbids_stale(),
        immutable: directives.immutable,
        authorized: asked.authorized,
        shareable_with_authorization: directives.allows_authorization(),
        stale_while_revalidate: or_rule(
            directives.stale_while_revalidate,
            rule.stale_while_revalidate,
        ),
        stale_if_error: or_rule(directives.stale_if_error, rule.stale_if_error),
        etag: sole_etag(fields).filter(|_| is_kept("etag")),
        last_modified: freshness::last_modified(fields).filter(|_| is_kept("last-modified")),
        invalidated: false,
    }
}

/// Whether a response whose directives are now these, after a 304, may not answer other requests any more (s5.2.2.5, s5.2.2.7). It
/// is not understood anew: it has been stored.
#[must_use]
pub const fn is_withdrawn(directives: &ResponseDirectives, rule: &Overrides) -> bool {
    is_no_store(directives, rule) || directives.private.is_whole() && !rule.store_private
}

/// s5.2.2.3: what must be understood, and is, may be stored in spite of no-store.
const fn is_no_store(directives: &ResponseDirectives, rule: &Overrides) -> bool {
    directives.no_store && !directives.must_understand && !rule.store_no_store
}

/// What forbids to store the response, before its facts are looked at.
fn refusal(
    asked: &Asked,
    received: &Received<'_>,
    directives: &ResponseDirectives,
    rule: &Overrides,
) -> Option<WhyNot> {
    let status = received.status;
    let is_understood = status::is_understood(status);
    let heeds_no_store = asked.directives.no_store && !rule.ignore_client_cache_control;
    Some(match () {
        () if asked.method != Method::Get => WhyNot::Method,
        () if !status::is_final(status) => WhyNot::StatusNotFinal,
        () if status::is_for_one_request(status) => WhyNot::StatusForOneRequest,
        () if directives.must_understand && !is_understood => WhyNot::StatusNotUnderstood,
        () if heeds_no_store => WhyNot::RequestNoStore,
        () if is_no_store(directives, rule) => WhyNot::NoStore,
        () if directives.private.is_whole() && !rule.store_private => WhyNot::Private,
        () if asked.authorized && !directives.allows_authorization() => WhyNot::Authorization,
        () if Names::of(received.fields) == Vary::Star => WhyNot::VaryStar,
        () if sets_cookie(received.fields, directives, rule) => WhyNot::SetCookie,
        () if !is_cacheable(received, directives, rule) => WhyNot::NotCacheable,
        () => return None,
    })
}

/// The last demand of s3: a lifetime that is stated, by the response or for errors by the rule, or a status that may be
/// given one, or `public`, which is not enough for a status that we do not know.
fn is_cacheable(
    received: &Received<'_>,
    directives: &ResponseDirectives,
    rule: &Overrides,
) -> bool {
    let status = received.status;
    status::is_heuristically_cacheable(status)
        || (directives.public && status::is_understood(status))
        || freshness::stated(received.fields, directives, received.response_time).is_some()
        || freshness::negative(status, rule).is_some()
}

/// Whether anything would ever let it answer a request: it is fresh at first, or it can be validated, or sent stale.
const fn is_usable(stored: &Stored) -> bool {
    let may_be_stale =
        !stored.must_revalidate && (stored.stale_while_revalidate > 0 || stored.stale_if_error > 0);
    let is_fresh_at_first = stored.lifetime > stored.initial_age;
    stored.has_validator() || (!stored.no_cache && (is_fresh_at_first || may_be_stale))
}

/// Whether a cookie would be stored that the rule does not want stored.
fn sets_cookie(fields: &Fields, directives: &ResponseDirectives, rule: &Overrides) -> bool {
    rule.set_cookie == SetCookie::Refuse
        && fields.value("set-cookie").is_some()
        && !LeftOut::of(fields, directives, rule).has(b"set-cookie")
}

/// Whether there is one Content-Range, and it tells one part in bytes of a whole of known size.
fn has_one_part(fields: &Fields) -> bool {
    let mut lines = fields.values("content-range");
    let part = lines.next().and_then(ContentRange::parse);
    part.is_some_and(|part| part.complete_size.is_some()) && lines.next().is_none()
}

/// The entity-tag as received; none where lines differ, or it is empty.
fn sole_etag(fields: &Fields) -> Option<Box<[u8]>> {
    let mut lines = fields.values("etag");
    let first = lines.next().filter(|etag| !etag.is_empty())?;
    lines.all(|line| line == first).then(|| first.into())
}

#[cfg(test)]
mod tests;
