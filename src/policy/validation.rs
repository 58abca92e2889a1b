//! Validation of stored responses with the origin (RFC 9111 s4.3), and how answers change what is stored (s3.2).
//!
//! Only a well-formed entity-tag counts as one. Last-Modified always counts as a weak validator: whether it is strong
//! depends on the origin's clock (RFC 9110 s8.8.2.2). Where a 304 cannot be tied to one stored response, it is tied to
//! none and the caller asks again without conditions: a wrong choice would send wrong bytes.

use super::settings::{Overrides, SetCookie};
use super::stored::Stored;
use crate::http::date;
use crate::http::etag::EntityTag;
use crate::http::fields::{FieldLines, Fields};
use crate::http::hop_by_hop::{ConnectionOptions, is_hop_by_hop, is_proxy_authentication};
use crate::http::range::ByteRange;
use crate::units::UnixSeconds;

/// The longest If-None-Match that is sent, in bytes. Tags that do not fit are left out: they are then not validated.
pub const IF_NONE_MATCH_BYTES_MAX: usize = 4096;

/// A stored response of the URL that is to be validated.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its ETag as received.
    pub etag: Option<&'a [u8]>,
    /// Its Last-Modified.
    pub last_modified: Option<UnixSeconds>,
    /// Its Date, or when it was received where it has none.
    pub date: UnixSeconds,
    /// Whether all its bytes are stored.
    pub is_complete: bool,
}

impl<'a> Candidate<'a> {
    /// A stored response as a candidate.
    #[must_use]
    pub fn of(stored: &'a Stored, is_complete: bool) -> Self {
        Self {
            etag: stored.etag.as_deref(),
            last_modified: stored.last_modified,
            date: stored.date,
            is_complete,
        }
    }

    fn tag(&self) -> Option<EntityTag<'a>> {
        EntityTag::parse(self.etag?)
    }
}

/// A conditional request of the cache's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// The precondition fields. Empty where nothing can be validated.
    pub fields: Fields,
    /// The places of the candidates that a 304 can be about.
    pub nominated: Vec<usize>,
}

/// The conditions by which `candidates` are validated (s4.3.1). `selected` is the one that Vary selects for the request.
///
/// If-None-Match lists the tags of all, so that the origin may pick another variant. If-Modified-Since goes along where a
/// single response is validated. Where the selected one has a date but no tag, it is validated by that alone: next to
/// If-None-Match the date would not count (RFC 9110 s13.1.3). Incomplete ones are left out, since a 304 could not be
/// answered from them (s4.3.2). Date never stands in for Last-Modified: no later 304 could be tied to it.
#[must_use]
pub fn conditional_fields(candidates: &[Candidate<'_>], selected: Option<usize>) -> Conditions {
    let mut conditions = Conditions::default();
    let chosen = selected.and_then(|place| Some((place, candidates.get(place)?)));
    if let Some((place, candidate)) = chosen
        && candidate.is_complete
        && candidate.tag().is_none()
    {
        if let Some(date) = candidate.last_modified {
            conditions
                .fields
                .push(b"If-Modified-Since", &date::format(date));
            conditions.nominated.push(place);
        }
        return conditions;
    }
    let mut list: Vec<u8> = Vec::new();
    let rest = candidates.iter().enumerate();
    for (place, candidate) in chosen
        .into_iter()
        .chain(rest.filter(|(place, _)| Some(*place) != selected))
    {
        let Some(value) = candidate.etag.filter(|_| candidate.tag().is_some()) else {
            continue;
        };
        if !candidate.is_complete {
            continue;
        }
        // The same tag again adds nothing to the list, but a 304 may be about either.
        let is_listed = conditions.nominated.iter().any(|listed| {
            candidates
                .get(*listed)
                .is_some_and(|other| other.etag == Some(value))
        });
        if !is_listed {
            if list.len() + 2 + value.len() > IF_NONE_MATCH_BYTES_MAX {
                continue;
            }
            if !list.is_empty() {
                list.extend_from_slice(b", ");
            }
            list.extend_from_slice(value);
        }
        conditions.nominated.push(place);
    }
    if !list.is_empty() {
        conditions.fields.push(b"If-None-Match", &list);
    }
    if let [sole] = *conditions.nominated
        && let Some(date) = candidates.get(sole).and_then(|sole| sole.last_modified)
    {
        conditions
            .fields
            .push(b"If-Modified-Since", &date::format(date));
    }
    conditions
}

/// Which stored responses a 304 updates, by their places (s4.3.4); none where it cannot be tied to any.
///
/// `nominated` are those that our request named. A strong tag in the 304 updates all that have it. A weak one, or a
/// Last-Modified alone, updates one of the nominated that match: the selected one, else the most recent; but where
/// nothing beyond a date that several share tells them apart, none. A 304 without validators is about the only one that
/// was asked about.
#[must_use]
pub fn select_for_304(
    candidates: &[Candidate<'_>],
    nominated: &[usize],
    selected: Option<usize>,
    update: &impl FieldLines,
) -> Vec<usize> {
    let tag = update.value("etag").and_then(EntityTag::parse);
    let modified = update.value("last-modified").and_then(date::parse);
    if let Some(strong) = tag.filter(|tag| !tag.is_weak) {
        let has_tag =
            |candidate: &Candidate<'_>| candidate.tag().is_some_and(|own| own.strong_eq(strong));
        let places = candidates.iter().enumerate();
        return places
            .filter(|(_, candidate)| has_tag(candidate))
            .map(|(place, _)| place)
            .collect();
    }
    let is_match = |candidate: &Candidate<'_>| match (tag, modified) {
        (Some(weak), _) => candidate.tag().is_some_and(|own| own.weak_eq(weak)),
        (None, Some(date)) => candidate.last_modified == Some(date),
        (None, None) => nominated.len() == 1,
    };
    let matching: Vec<(usize, &Candidate<'_>)> = nominated
        .iter()
        .filter_map(|place| Some((*place, candidates.get(*place)?)))
        .filter(|(_, candidate)| is_match(candidate))
        .collect();
    let of_selected = matching.iter().find(|(place, _)| Some(*place) == selected);
    let most_recent = matching.iter().max_by_key(|(_, candidate)| candidate.date);
    let chosen = match (of_selected, tag) {
        (Some(selected), _) => Some(selected),
        (None, None) if matching.len() > 1 => None,
        (None, _) => most_recent,
    };
    chosen.map(|(place, _)| *place).into_iter().collect()
}

/// What the answer to a conditional request of the cache's own means (s4.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validated {
    /// 304: what [`select_for_304`] gives is updated and sent.
    NotModified,
    /// A full response: it is sent, and takes the place of what is stored where it may be stored.
    Replaced,
    /// 5xx: it is sent, or a stale response where that is allowed (s4.2.4).
    Failed,
}

impl Validated {
    /// What an answer with that status means.
    #[must_use]
    pub const fn of(status: u16) -> Self {
        match status {
            304 => Self::NotModified,
            500..=599 => Self::Failed,
            _ => Self::Replaced,
        }
    }
}

/// Fields of a 304 or of a HEAD's answer that change nothing in what is stored (s3.2).
///
/// Content-Length is excepted by name. Content-Encoding and Content-Range describe the bytes that are stored, which stay:
/// another coding in the update would make them unreadable.
const NEVER_UPDATED: [&str; 3] = ["content-length", "content-encoding", "content-range"];

/// The fields of a stored response after `update`, the fields of a 304 or of a HEAD's 200 (s3.2).
///
/// Every field of the update takes the place of the stored lines of its name, but for:
///
/// - those of one connection and of proxy authentication (s3.1), and those that describe the stored bytes;
/// - Set-Cookie, unless the rule stores it: a 304's cookie is one client's, like any other;
/// - those that `is_left_out` tells of: what may not be stored of a response, by its directives or by the rule.
///
/// Age goes, the stored one and the update's: the age is counted anew from the update, and each answer has its own (s5.1). The
/// update must have a Date, as `forwarding::response_fields` gives it one.
#[must_use]
pub fn freshened(
    stored: &Fields,
    update: &Fields,
    rule: &Overrides,
    mut is_left_out: impl FnMut(&[u8]) -> bool,
) -> Fields {
    let options = ConnectionOptions::of(update);
    let added = update.filtered(|name, _| {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        let is_refused_cookie = is("set-cookie") && rule.set_cookie != SetCookie::Store;
        !(is_hop_by_hop(name)
            || is_proxy_authentication(name)
            || options.name(name)
            || NEVER_UPDATED.iter().any(|known| is(known))
            || is_refused_cookie
            || is("age")
            || is_left_out(name))
    });
    let is_added = |name: &[u8]| {
        added
            .lines()
            .any(|(other, _)| other.eq_ignore_ascii_case(name))
    };
    let kept = stored.filtered(|name, _| !name.eq_ignore_ascii_case(b"age") && !is_added(name));
    kept.lines().chain(added.lines()).collect()
}

/// What a 200 to a HEAD tells of a stored response (s4.3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadTells {
    /// It is of the same representation, which is updated with its fields.
    Same,
    /// It is of another: what is stored is to be considered stale.
    Other,
    /// It has nothing by which to tell. By the letter it would be the same; but then requests that validate nothing would
    /// keep a response fresh for ever.
    Nothing,
}

/// Compares the answer to a HEAD with a stored response: each validator that it has must be the stored one, and its
/// Content-Length, where it has one, the stored size: `stored_bytes`, none where it is not known. The same size alone tells
/// only where what is stored has no validator either.
#[must_use]
pub fn head_tells(
    stored: &Candidate<'_>,
    stored_bytes: Option<u64>,
    answer: &impl FieldLines,
) -> HeadTells {
    let tag = answer.value("etag").map(|tag| stored.etag == Some(tag));
    let date = answer
        .value("last-modified")
        .map(|value| date::parse(value).is_some_and(|date| stored.last_modified == Some(date)));
    let sizes = answer.values("content-length").map(|value| {
        let size = std::str::from_utf8(value).ok();
        let size = size.and_then(|size| size.parse().ok());
        size.is_some() && size == stored_bytes
    });
    let is_validated = tag.is_some() || date.is_some();
    let has_validator = stored.etag.is_some() || stored.last_modified.is_some();
    let told = tag.into_iter().chain(date).chain(sizes);
    let tells = told.fold(HeadTells::Nothing, |so_far, is_same| {
        match (so_far, is_same) {
            (HeadTells::Nothing | HeadTells::Same, true) => HeadTells::Same,
            _ => HeadTells::Other,
        }
    });
    match tells {
        HeadTells::Same if has_validator && !is_validated => HeadTells::Nothing,
        tells => tells,
    }
}

/// Whether `name` is a precondition or Range: what a client's request loses where the cache sends conditions or ranges of
/// its own in its place (s4.3.1).
#[must_use]
pub fn is_condition_or_range(name: &[u8]) -> bool {
    const NAMES: [&str; 6] = [
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "range",
    ];
    NAMES
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

/// Whether a request has a precondition that only the origin may evaluate (s4.3.2). Its answer is for it alone, so the
/// request is passed as it is, and never joins or makes a fill.
#[must_use]
pub fn is_for_origin_alone(request: &impl FieldLines) -> bool {
    request.value("if-match").is_some() || request.value("if-unmodified-since").is_some()
}

/// The date that a client's If-Modified-Since is compared with (s4.3.2): Last-Modified, else Date, which is when it was
/// received where it has none.
#[must_use]
pub fn modified_since_base(stored: &Candidate<'_>) -> UnixSeconds {
    stored.last_modified.unwrap_or(stored.date)
}

/// The fields that ask for a part of a stored representation: Range, and If-Range where `etag` is strong, so that the
/// origin answers with the whole where it has another by now (RFC 9110 s13.1.5). Weak tags and dates are not sent: parts
/// may not be put together by them (RFC 9111 s3.4).
#[must_use]
pub fn range_fields(range: ByteRange, etag: Option<&[u8]>) -> Fields {
    let mut fields = Fields::new();
    let value = format!("bytes={}-{}", range.first, range.last);
    fields.push(b"Range", value.as_bytes());
    if let Some(etag) = etag.filter(|etag| is_strong(etag)) {
        fields.push(b"If-Range", etag);
    }
    fields
}

/// Whether a 206 with these fields has parts of the same representation as what is stored under `etag` (RFC 9111 s3.4):
/// both have the same strong tag.
#[must_use]
pub fn may_combine(etag: Option<&[u8]>, partial: &impl FieldLines) -> bool {
    let stored = etag.and_then(EntityTag::parse);
    let received = partial.value("etag").and_then(EntityTag::parse);
    stored
        .zip(received)
        .is_some_and(|(stored, received)| stored.strong_eq(received))
}

fn is_strong(etag: &[u8]) -> bool {
    EntityTag::parse(etag).is_some_and(|tag| !tag.is_weak)
}

#[cfg(test)]
mod tests;
