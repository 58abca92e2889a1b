//! A stored response as bytes, for the disk store: what it has beside its key, variant, tags and body.
//!
//! ```text
//! 0   format (1)             1   flags: see below (u8)    2   status (u16)          4   where the lifetime comes from (u8)
//! 5   response_time (u64)    13  date (u64)               21  initial_age (u64)     29  lifetime (u64)
//! 37  stale_while_revalidate (u64)                        45  stale_if_error (u64)  53  Last-Modified (u64)
//! 61  length of the ETag (u32)                            65  of the upstream's Cache-Status (u32)
//! 69  ETag, Cache-Status, fields as they are sent
//! ```
//!
//! Numbers are little-endian. A layout that changes gets a new format number; this one is never edited. The disk store has a
//! checksum around it, so what does not make sense here was written by another version, and is as good as not stored.

use crate::http::fields::Fields;
use crate::policy::stored::{LifetimeFrom, Mark, Stored};
use crate::units::UnixSeconds;

const FORMAT: u8 = 1;
const FIXED: usize = 69;

const NO_CACHE: u8 = 1;
const MUST_REVALIDATE: u8 = 2;
const IMMUTABLE: u8 = 4;
const AUTHORIZED: u8 = 8;
const SHAREABLE: u8 = 16;
const INVALIDATED: u8 = 32;
const HAS_ETAG: u8 = 64;
const HAS_LAST_MODIFIED: u8 = 128;

/// The sources of a lifetime, by the number that stands for each.
const LIFETIMES: [LifetimeFrom; 10] = [
    LifetimeFrom::Targeted,
    LifetimeFrom::SMaxage,
    LifetimeFrom::MaxAge,
    LifetimeFrom::Expires,
    LifetimeFrom::Heuristic,
    LifetimeFrom::Rule,
    LifetimeFrom::RuleMin,
    LifetimeFrom::RuleMax,
    LifetimeFrom::Nothing,
    LifetimeFrom::Purge,
];

/// What is read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// What decisions need.
    pub stored: Stored,
    /// Its fields.
    pub fields: Fields,
    /// The Cache-Status list of caches behind this one.
    pub upstream_status: Box<[u8]>,
}

/// The bytes of a response with these facts, fields, and Cache-Status list of caches behind this one.
#[must_use]
pub fn encode(stored: &Stored, fields: &Fields, upstream_status: &[u8]) -> Box<[u8]> {
    let Stored {
        status,
        response_time,
        date,
        initial_age,
        lifetime,
        lifetime_from,
        no_cache,
        must_revalidate,
        immutable,
        authorized,
        shareable_with_authorization,
        stale_while_revalidate,
        stale_if_error,
        etag,
        last_modified,
        invalidated,
    } = stored;
    let flags = [
        (NO_CACHE, *no_cache),
        (MUST_REVALIDATE, *must_revalidate),
        (IMMUTABLE, *immutable),
        (AUTHORIZED, *authorized),
        (SHAREABLE, *shareable_with_authorization),
        (INVALIDATED, *invalidated),
        (HAS_ETAG, etag.is_some()),
        (HAS_LAST_MODIFIED, last_modified.is_some()),
    ];
    let flags = flags.iter().filter(|(_, is_set)| *is_set);
    let from = LIFETIMES.iter().position(|from| from == lifetime_from);
    let etag = etag.as_deref().unwrap_or_default();
    let fields = fields.as_bytes();
    let mut out = Vec::with_capacity(FIXED + etag.len() + upstream_status.len() + fields.len());
    out.push(FORMAT);
    out.push(flags.fold(0, |sum, (flag, _)| sum | flag));
    out.extend_from_slice(&status.to_le_bytes());
    out.push(
        from.and_then(|from| u8::try_from(from).ok())
            .unwrap_or(u8::MAX),
    );
    for number in [
        response_time.0,
        date.0,
        *initial_age,
        *lifetime,
        *stale_while_revalidate,
        *stale_if_error,
        last_modified.map_or(0, |date| date.0),
    ] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    for length in [etag.len(), upstream_status.len()] {
        out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    }
    for part in [etag, upstream_status, fields] {
        out.extend_from_slice(part);
    }
    out.into()
}

/// Reads what [`encode`] wrote; `None` for anything else.
#[must_use]
pub fn decode(bytes: &[u8]) -> Option<Remembered> {
    let mut reader = Reader(bytes);
    if reader.byte()? != FORMAT {
        return None;
    }
    let flags = reader.byte()?;
    let has = |flag: u8| flags & flag != 0;
    let status = u16::from_le_bytes(reader.array()?);
    let lifetime_from = *LIFETIMES.get(usize::from(reader.byte()?))?;
    let mut number = || reader.array().map(u64::from_le_bytes);
    let (response_time, date) = (UnixSeconds(number()?), UnixSeconds(number()?));
    let (initial_age, lifetime) = (number()?, number()?);
    let (stale_while_revalidate, stale_if_error) = (number()?, number()?);
    let last_modified = UnixSeconds(number()?);
    let etag_size = u32::from_le_bytes(reader.array()?);
    let upstream_size = u32::from_le_bytes(reader.array()?);
    let etag = reader.take(etag_size)?;
    let upstream_status = reader.take(upstream_size)?.into();
    let is_odd = !has(HAS_ETAG) && !etag.is_empty()
        || !has(HAS_LAST_MODIFIED) && last_modified.0 != 0
        || !(200..1000).contains(&status);
    if is_odd {
        return None;
    }
    Some(Remembered {
        stored: Stored {
            status,
            response_time,
            date,
            initial_age,
            lifetime,
            lifetime_from,
            no_cache: has(NO_CACHE),
            must_revalidate: has(MUST_REVALIDATE),
            immutable: has(IMMUTABLE),
            authorized: has(AUTHORIZED),
            shareable_with_authorization: has(SHAREABLE),
            stale_while_revalidate,
            stale_if_error,
            etag: has(HAS_ETAG).then(|| etag.into()),
            last_modified: has(HAS_LAST_MODIFIED).then_some(last_modified),
            invalidated: has(INVALIDATED),
        },
        fields: Fields::from_bytes(reader.0)?,
        upstream_status,
    })
}

/// The same response without its freshness. `None` where it has none already, or where the bytes are none of a response.
#[must_use]
pub fn marked(bytes: &[u8], mark: Mark) -> Option<Box<[u8]>> {
    let mut read = decode(bytes)?;
    let is_changed = read.stored.mark(mark);
    is_changed.then(|| encode(&read.stored, &read.fields, &read.upstream_status))
}

struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    fn take(&mut self, size: u32) -> Option<&'b [u8]> {
        let (part, rest) = self.0.split_at_checked(usize::try_from(size).ok()?)?;
        self.0 = rest;
        Some(part)
    }
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
