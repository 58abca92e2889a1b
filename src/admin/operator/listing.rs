//! What is stored, page by page.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use super::purge::{Meant, Unmeant, matchers};
use super::{CacheOperator, key_text};
use crate::fill::disk::DiskTier;
use crate::index::cached::Matcher;
use crate::index::record;
use crate::index::response::Response;
use crate::policy::vary::words;
use crate::store::body_file::BodyFile;
use crate::store::disk::{self, Listed, Name};
use crate::store::{Object, SIZE_UNKNOWN};
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
    pub after: Option<Cursor>,
}

/// Where a page ends: what is in memory comes first, then what is on disk alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cursor {
    /// Behind this key in memory.
    Memory(Vec<u8>),
    /// Behind this key and variant on disk; at its beginning where the key is empty.
    Disk(Vec<u8>, Vec<u8>),
}

impl Cursor {
    /// Reads a cursor; none where the text is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix('d') {
            None => Some(Self::Memory(of_hex(text)?)),
            Some(name) => {
                let (key, variant) = name.split_once('.')?;
                Some(Self::Disk(of_hex(key)?, of_hex(variant)?))
            }
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory(key) => f.write_str(&to_hex(key)),
            Self::Disk(key, variant) => write!(f, "d{}.{}", to_hex(key), to_hex(variant)),
        }
    }
}

/// A page.
#[derive(Debug, Serialize)]
pub struct Listing {
    /// The responses; those of one key stand together, so there may be a few more than were asked for.
    pub responses: Vec<StoredLine>,
    /// What the next page begins after; none at the end.
    pub next: Option<String>,
}

/// A key and a variant that a page begins behind.
type BehindName<'n> = (&'n [u8], &'n [u8]);

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
    /// Where its body is: `memory`, `disk`, or `memory and disk`.
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
            tier: tier_of(&response.object),
            memory_bytes: response.weight(),
            tags: tags(&response.tags),
        }
    }

    /// A response that is on disk alone; none where its record is of another version.
    fn of_disk(listed: &Listed, now: UnixSeconds) -> Option<Self> {
        let label = &listed.label;
        let stored = record::decode(&label.meta)?.stored;
        Some(Self {
            key: key_text(&label.key),
            variant: variant(&label.variant),
            status: stored.status,
            size: listed.size,
            complete: listed.is_complete,
            age: stored.age(now),
            ttl: stored.ttl(now),
            fresh: stored.is_fresh(now),
            invalidated: stored.invalidated,
            uses: 0,
            tier: "disk",
            memory_bytes: 0,
            tags: tags(&label.tags),
        })
    }
}

pub(super) fn tier_of(object: &Object) -> &'static str {
    let file = object.growing().and_then(|body| body.file());
    match (file, object.on_disk()) {
        (Some(BodyFile::Disk(_)), _) => "disk",
        (_, Some(_)) => "memory and disk",
        (_, None) => "memory",
    }
}

/// The request fields of a selection.
pub(super) fn variant(selection: &[u8]) -> Map<String, Value> {
    words::fields(selection)
        .map(|(name, value)| (name.to_owned(), value.map_or(Value::Null, Value::from)))
        .collect()
}

/// The tags that an operator can name: those that are bound to an origin have a NUL in them.
pub(super) fn tags(tags: &[Box<[u8]>]) -> Vec<String> {
    let tags = tags.iter().filter(|tag| !tag.contains(&0));
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
        let mut responses = Vec::new();
        let mut next = None;
        if let None | Some(Cursor::Memory(_)) = &order.after {
            let after = match &order.after {
                Some(Cursor::Memory(key)) => Some(&**key),
                _ => None,
            };
            let page = self.responses.list(after, limit, |one| {
                is_below(one) && has_tag(one) && !(order.is_stale && one.stored.is_fresh(now))
            });
            responses = page.iter().map(|one| StoredLine::of(one, now)).collect();
            next = match page.last() {
                Some(last) if page.len() >= limit => Some(Cursor::Memory(last.key.to_vec())),
                _ => self
                    .disk
                    .as_ref()
                    .map(|_| Cursor::Disk(Vec::new(), Vec::new())),
            };
        }
        // A page of memory that is not full goes on with the disk.
        let from_disk = match (&next, &order.after) {
            (Some(Cursor::Disk(..)), _) => next.take(),
            (_, Some(cursor @ Cursor::Disk(..))) => Some(cursor.clone()),
            _ => None,
        };
        if let (Some(disk), Some(Cursor::Disk(key, variant))) = (&self.disk, from_disk) {
            let after = (!key.is_empty()).then_some((&*key, &*variant));
            let names = names.as_ref().map(|(_, names)| &**names);
            let left = limit - responses.len().min(limit);
            let page = self.list_disk(disk, (after, left), (order, names), now)?;
            responses.extend(
                page.objects
                    .iter()
                    .filter_map(|one| StoredLine::of_disk(one, now)),
            );
            let behind = |(key, variant): Name| Cursor::Disk(key.into(), variant.into());
            next = page.after.map(behind);
        }
        Ok(Listing {
            responses,
            next: next.map(|next| next.to_string()),
        })
    }

    /// A page of what is on disk and not in memory.
    fn list_disk(
        &self,
        disk: &DiskTier,
        (after, limit): (Option<BehindName<'_>>, usize),
        (order, names): (&ListOrder, Option<&[Vec<u8>]>),
        now: UnixSeconds,
    ) -> Result<disk::Listing, Unmeant> {
        let is_wanted = |listed: &Listed| {
            let label = &listed.label;
            let in_memory = self.responses.find(&label.key).is_some_and(|found| {
                let mut all = found.iter();
                all.any(|one| one.object.on_disk() == Some(listed.id))
            });
            let is_below =
                names.is_none_or(|names| names.iter().any(|name| label.key.starts_with(name)));
            let tag = order.tag.as_ref().map(String::as_bytes);
            let has_tag = tag.is_none_or(|tag| label.tags.iter().any(|one| **one == *tag));
            let is_fresh = || {
                let remembered = record::decode(&label.meta);
                remembered.is_some_and(|one| one.stored.is_fresh(now))
            };
            !in_memory && is_below && has_tag && !(order.is_stale && is_fresh())
        };
        let mut filter = is_wanted;
        let page = disk.disk().list(b"", after, limit.max(1), &mut filter);
        page.map_err(|error| Unmeant::Disk(error.to_string()))
    }
}

/// Any octets as hexadecimal digits.
fn to_hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// The octets that hexadecimal digits stand for; none where there are other letters.
fn of_hex(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
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
            for cursor in [
                Cursor::Memory(key.to_vec()),
                Cursor::Disk(key.to_vec(), b"v".to_vec()),
            ] {
                assert_eq!(Cursor::parse(&cursor.to_string()), Some(cursor));
            }
        }
        for text in ["a", "0g", "zz", "00 ", "d", "d00", "d00.0", "d.", "00."] {
            let parsed = Cursor::parse(text);
            assert_eq!(parsed.is_some(), text == "d.", "{text}");
        }
    }
}
