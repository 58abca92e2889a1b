//! What is stored, page by page.

use serde::Serialize;
use serde_json::{Map, Value};

use super::purge::{Meant, Unmeant, matchers};
use super::{CacheOperator, key_text};
use crate::index::cached::Matcher;
use crate::index::response::Response;
use crate::policy::vary::words;
use crate::store::SIZE_UNKNOWN;
use crate::units::UnixSeconds;

/// Most responses on a page.
pub const PAGE_MAX: usize = 1000;

/// Responses on a page where it is not said.
pub const PAGE_DEFAULT: usize = 100;

/// What is to be listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListOrder {
    /// Only URLs that begin so.
    pub prefix: Option<String>,
    /// Only those that carry this tag.
    pub tag: Option<String>,
    /// Only those that are not fresh any more.
    pub is_stale: bool,
    /// How many, at most [`PAGE_MAX`]; 0 stands for [`PAGE_DEFAULT`].
    pub limit: usize,
    /// The `next` of the page before.
    pub after: Option<Vec<u8>>,
}

/// A page.
#[derive(Debug, Serialize)]
pub struct Listing {
    /// The responses; those of one key stand together, so there may be a few more than were asked for.
    pub responses: Vec<StoredLine>,
    /// What the next page begins after; none at the end.
    pub next: Option<String>,
}

/// A stored response.
#[derive(Debug, Serialize)]
pub struct StoredLine {
    /// The cache key: the URL, as the rules change it.
    pub key: String,
    /// The request fields that it was selected by; null for a field that the request did not have.
    pub variant: Map<String, Value>,
    /// The status.
    pub status: u16,
    /// The body's size in bytes; null while it is not known.
    pub size: Option<u64>,
    /// Whether the whole body is there.
    pub complete: bool,
    /// Seconds since it was generated.
    pub age: u64,
    /// Seconds until it is stale; negative since it is.
    pub ttl: i64,
    /// Whether it is fresh: its lifetime lasts, and nobody has marked it stale.
    pub fresh: bool,
    /// Purged softly, or invalidated: validated before it is used again.
    pub invalidated: bool,
    /// How often it was used lately, as far as eviction cares: 0 to 3.
    pub uses: u8,
    /// Where its body is.
    pub tier: &'static str,
    /// Bytes of memory that it takes with all that belongs to it.
    pub memory_bytes: u64,
    /// What it can be purged by.
    pub tags: Vec<String>,
}

impl StoredLine {
    fn of(response: &Response, now: UnixSeconds) -> Self {
        let size = response.object.size();
        let stored = &response.stored;
        Self {
            key: key_text(&response.key),
            variant: variant(&response.variant),
            status: stored.status,
            size: (size != SIZE_UNKNOWN).then_some(size),
            complete: response.object.is_complete(),
            age: stored.age(now),
            ttl: stored.ttl(now),
            fresh: stored.is_fresh(now),
            invalidated: stored.invalidated,
            uses: response.use_count().count(),
            tier: "memory",
            memory_bytes: response.weight(),
            tags: tags(response),
        }
    }
}

/// The request fields of a selection.
pub(super) fn variant(selection: &[u8]) -> Map<String, Value> {
    words::fields(selection)
        .map(|(name, value)| (name.to_owned(), value.map_or(Value::Null, Value::from)))
        .collect()
}

/// The tags that an operator can name: those that are bound to an origin have a NUL in them.
pub(super) fn tags(response: &Response) -> Vec<String> {
    let tags = response.tags.iter().filter(|tag| !tag.contains(&0));
    tags.map(|tag| String::from_utf8_lossy(tag).into_owned())
        .collect()
}

impl CacheOperator {
    /// A page of what is stored at `now`.
    ///
    /// # Errors
    ///
    /// The prefix can't be one.
    pub fn list(&self, order: &ListOrder, now: UnixSeconds) -> Result<Listing, Unmeant> {
        let limit = match order.limit {
            0 => PAGE_DEFAULT,
            limit => limit.min(PAGE_MAX),
        };
        let prefix = order.prefix.clone().map(Meant::Prefix);
        let names = match &prefix {
            Some(meant) => Some((meant, self.names(meant)?)),
            None => None,
        };
        let prefixes: Option<Vec<Matcher<'_>>> = names
            .as_ref()
            .map(|(meant, names)| matchers(meant, names).collect());
        let is_below = |response: &Response| {
            let prefixes = prefixes.as_ref();
            prefixes.is_none_or(|any| any.iter().any(|one| one.matches(response)))
        };
        let has_tag = |response: &Response| {
            let tag = order.tag.as_ref();
            tag.is_none_or(|tag| Matcher::Tag(tag.as_bytes()).matches(response))
        };
        let page = self.responses.list(order.after.as_deref(), limit, |one| {
            is_below(one) && has_tag(one) && !(order.is_stale && one.stored.is_fresh(now))
        });
        let next = (page.len() >= limit)
            .then(|| page.last().map(|last| to_cursor(&last.key)))
            .flatten();
        let responses = page.iter().map(|one| StoredLine::of(one, now)).collect();
        Ok(Listing { responses, next })
    }
}

/// A key as a cursor: any octets as hexadecimal digits.
fn to_cursor(key: &[u8]) -> String {
    key.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// The key that a cursor stands for; none where it is no cursor.
#[must_use]
pub fn of_cursor(cursor: &str) -> Option<Vec<u8>> {
    let pairs = cursor.as_bytes().chunks(2);
    pairs
        .map(|pair| {
            let [high, low] = pair else { return None };
            let digit = |octet: u8| char::from(octet).to_digit(16);
            u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursor_is_read_back_and_anything_else_is_none() {
        for key in [&b""[..], b"http://a/\xff?x", b"\0\x01\0p"] {
            assert_eq!(of_cursor(&to_cursor(key)).as_deref(), Some(key));
        }
        for text in ["a", "0g", "zz", "00 "] {
            assert_eq!(of_cursor(text), None, "{text}");
        }
    }
}
