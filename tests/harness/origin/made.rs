//! Made content: bytes that depend on a seed and their offset only, so that a gigabyte needs no memory on either side.

use std::ops::Range;

use super::asked::Asked;
use super::reply::{Reply, reply};

/// The byte at `offset` of the content of `seed`.
pub(crate) fn content_byte(seed: u64, offset: u64) -> u8 {
    word(seed, offset / 8).to_le_bytes()[usize::try_from(offset % 8).expect("below 8")]
}

/// The bytes of a range of the content of `seed`.
pub(crate) fn content(seed: u64, range: Range<u64>) -> Vec<u8> {
    let size = usize::try_from(range.end.saturating_sub(range.start)).expect("fits memory");
    let mut bytes = Vec::with_capacity(size + 16);
    for index in range.start / 8..range.end.div_ceil(8) {
        bytes.extend_from_slice(&word(seed, index).to_le_bytes());
    }
    let skipped = usize::try_from(range.start % 8).expect("below 8");
    bytes.drain(..skipped.min(bytes.len()));
    bytes.truncate(size);
    bytes
}

/// The mixing of splitmix64.
fn word(seed: u64, index: u64) -> u64 {
    let mut mixed = seed
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(index.wrapping_mul(0xbf58_476d_1ce4_e5b9));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A resource of made content: answers GET and HEAD, If-None-Match, If-Range and single ranges as RFC 9110 wants.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    seed: u64,
    size: u64,
    etag: String,
    fields: Vec<(String, String)>,
    has_ranges: bool,
    rate: Option<u64>,
}

impl Made {
    /// `size` bytes of the content of `seed`, with a strong ETag that goes with them.
    pub(crate) fn new(seed: u64, size: u64) -> Self {
        Self {
            seed,
            size,
            etag: format!("\"{seed:x}-{size:x}\""),
            fields: Vec::new(),
            has_ranges: true,
            rate: None,
        }
    }

    /// Adds a field to all its replies.
    pub(crate) fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Fresh for so many seconds.
    pub(crate) fn max_age(self, seconds: u64) -> Self {
        self.field("Cache-Control", &format!("max-age={seconds}"))
    }

    /// Another entity-tag; empty: none, and so no conditions.
    pub(crate) fn etag(mut self, etag: &str) -> Self {
        etag.clone_into(&mut self.etag);
        self
    }

    /// Answers every range with the whole.
    pub(crate) fn ignoring_ranges(mut self) -> Self {
        self.has_ranges = false;
        self
    }

    /// Sends no more than so many bytes a second on each connection.
    pub(crate) fn rate(mut self, bytes_per_second: u64) -> Self {
        self.rate = Some(bytes_per_second);
        self
    }

    /// The whole body.
    pub(crate) fn body(&self) -> Vec<u8> {
        content(self.seed, 0..self.size)
    }

    /// Its own answer to a request.
    pub(crate) fn reply(&self, asked: &Asked) -> Reply {
        let is_same = |list: &str| {
            let mut tags = list
                .split(',')
                .map(|tag| tag.trim().trim_start_matches("W/"));
            !self.etag.is_empty() && tags.any(|tag| tag == self.etag || tag == "*")
        };
        if asked.field("if-none-match").is_some_and(is_same) {
            return self.dressed(304).end();
        }
        let range = match asked.field("range") {
            Some(range) if self.has_ranges && self.may_be_ranged(asked) => self.range_of(range),
            _ => Some(0..self.size),
        };
        let Some(range) = range else {
            let unsatisfied = format!("bytes */{}", self.size);
            return self
                .dressed(416)
                .field("Content-Range", &unsatisfied)
                .body("");
        };
        let is_part = range != (0..self.size) || self.is_whole_range(asked);
        let mut reply = self.dressed(if is_part { 206 } else { 200 });
        if is_part {
            let (first, last) = (range.start, range.end - 1);
            reply = reply.field(
                "Content-Range",
                &format!("bytes {first}-{last}/{}", self.size),
            );
        }
        reply = reply.length(range.end - range.start);
        if asked.method == "HEAD" {
            return reply.end();
        }
        if let Some(rate) = self.rate {
            reply = reply.rate(rate);
        }
        reply.made(self.seed, range)
    }

    fn dressed(&self, status: u16) -> Reply {
        let mut reply = reply(status);
        if !self.etag.is_empty() {
            reply = reply.field("ETag", &self.etag);
        }
        if self.has_ranges {
            reply = reply.field("Accept-Ranges", "bytes");
        }
        for (name, value) in &self.fields {
            reply = reply.field(name, value);
        }
        reply
    }

    /// RFC 9110 s13.1.5: a range counts only while If-Range, where there is one, names what there is.
    fn may_be_ranged(&self, asked: &Asked) -> bool {
        let condition = asked.field("if-range");
        asked.method == "GET" && condition.is_none_or(|tag| tag == self.etag)
    }

    fn is_whole_range(&self, asked: &Asked) -> bool {
        let range = asked.field("range").and_then(|range| self.range_of(range));
        self.has_ranges
            && self.may_be_ranged(asked)
            && asked
                .field("range")
                .is_some_and(|range| !range.contains(','))
            && range == Some(0..self.size)
    }

    /// The bytes of a single range; all of them for what is no such thing; none where it can't be satisfied.
    fn range_of(&self, value: &str) -> Option<Range<u64>> {
        let whole = Some(0..self.size);
        let Some((first, last)) = value
            .strip_prefix("bytes=")
            .filter(|set| !set.contains(','))
            .and_then(|set| set.split_once('-'))
        else {
            return whole;
        };
        let end_of = |last: &str| match last {
            "" => Some(self.size),
            last => Some(last.parse::<u64>().ok()?.saturating_add(1).min(self.size)),
        };
        let range = if first.is_empty() {
            let Ok(count) = last.parse::<u64>() else {
                return whole;
            };
            self.size.saturating_sub(count)..self.size
        } else {
            let (Ok(first), Some(end)) = (first.parse::<u64>(), end_of(last)) else {
                return whole;
            };
            first..end
        };
        (range.start < range.end).then_some(range)
    }
}
