//! How the cache handled a request, in the words of RFC 9211, and in those of mod_cache for clients that know them.
//!
//! Each cache adds a member of its own to the list, so an origin's Cache-Status line stays and ours is one more line after
//! it (s2). The key is never told: it would help those who look for ways to poison it (s6).

use crate::http::message::append_decimal;

/// The name of the field.
pub const NAME: &str = "Cache-Status";

/// Why a request went on to the origin (s2.2), the most specific that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Forward {
    /// The cache is not to handle the request.
    Bypass,
    /// The method has to be forwarded.
    Method,
    /// Nothing is stored for the URL.
    UriMiss,
    /// What is stored for the URL varies by fields in which the request differs.
    VaryMiss,
    /// Nothing stored could be used, and whether by URL or by Vary is not known.
    Miss,
    /// A fresh response is stored, but the request does not want it.
    Request,
    /// The stored response is stale.
    Stale,
    /// The stored response lacks bytes that are asked for.
    Partial,
}

impl Forward {
    /// The token (s2.2).
    #[must_use]
    pub const fn token(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::Method => "method",
            Self::UriMiss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Miss => "miss",
            Self::Request => "request",
            Self::Stale => "stale",
            Self::Partial => "partial",
        }
    }
}

/// How a request was handled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStatus {
    /// The answer came from the cache without going on (s2.1). Excludes `fwd`.
    pub hit: bool,
    /// Why the request went on.
    pub fwd: Option<Forward>,
    /// What the origin answered, where the client got another status (s2.3): 304, 206, or a 5xx that a stale response
    /// stood in for.
    pub fwd_status: Option<u16>,
    /// The answer was stored (s2.5).
    pub stored: bool,
    /// Whether the request went on together with others: true where their answer did for it, false where it had to go by
    /// itself after all (s2.6).
    pub collapsed: Option<bool>,
    /// Seconds for which the answer is still fresh; negative since it is stale (s2.4).
    pub ttl: Option<i64>,
    /// The rule that decided: a token (s2.8); empty for none.
    pub detail: &'static str,
}

/// The largest number that a structured field can hold (RFC 9651 s3.3.1).
const INTEGER_MAX: u64 = 999_999_999_999_999;

impl CacheStatus {
    /// An answer from the cache.
    #[must_use]
    pub const fn hit(ttl: i64, detail: &'static str) -> Self {
        Self {
            hit: true,
            fwd: None,
            fwd_status: None,
            stored: false,
            collapsed: None,
            ttl: Some(ttl),
            detail,
        }
    }

    /// An answer from the origin.
    #[must_use]
    pub const fn forwarded(fwd: Forward, detail: &'static str) -> Self {
        Self {
            hit: false,
            fwd: Some(fwd),
            fwd_status: None,
            stored: false,
            collapsed: None,
            ttl: None,
            detail,
        }
    }

    /// Appends our member of the list. Allocates nothing where `out` has room.
    ///
    /// What has a meaning only next to `fwd` is left out without it (s2.3, s2.5, s2.6).
    pub fn append_value(&self, out: &mut Vec<u8>) {
        debug_assert!(
            !self.hit || self.fwd.is_none(),
            "hit and fwd exclude each other"
        );
        out.extend_from_slice(b"hotplate");
        if let Some(fwd) = self.fwd {
            out.extend_from_slice(b"; fwd=");
            out.extend_from_slice(fwd.token().as_bytes());
            if let Some(status) = self.fwd_status {
                out.extend_from_slice(b"; fwd-status=");
                append_decimal(out, u64::from(status));
            }
            match self.collapsed {
                Some(true) => out.extend_from_slice(b"; collapsed"),
                Some(false) => out.extend_from_slice(b"; collapsed=?0"),
                None => {}
            }
            if self.stored {
                out.extend_from_slice(b"; stored");
            }
        } else if self.hit {
            out.extend_from_slice(b"; hit");
        }
        if let Some(ttl) = self.ttl {
            out.extend_from_slice(if ttl < 0 { b"; ttl=-" } else { b"; ttl=" });
            append_decimal(out, ttl.unsigned_abs().min(INTEGER_MAX));
        }
        if !self.detail.is_empty() {
            debug_assert!(is_detail(self.detail), "a detail is a token");
            out.extend_from_slice(b"; detail=");
            out.extend_from_slice(self.detail.as_bytes());
        }
    }

    /// Appends the whole line. Allocates nothing where `out` has room.
    pub fn append_line(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(NAME.as_bytes());
        out.extend_from_slice(b": ");
        self.append_value(out);
        out.extend_from_slice(b"\r\n");
    }

    /// What mod_cache's fields say of it; none where the cache stood aside.
    #[must_use]
    pub const fn x_cache(&self) -> Option<XCache> {
        match (self.hit, self.fwd) {
            (true, _) => Some(match self.ttl {
                Some(..0) => XCache::StaleHit,
                _ => XCache::Hit,
            }),
            (false, None | Some(Forward::Bypass | Forward::Method)) => None,
            (false, Some(fwd)) => Some(match (fwd, self.fwd_status) {
                (_, Some(304)) => XCache::Revalidated,
                (Forward::Stale, Some(500..)) => XCache::StaleHit,
                _ if self.stored => XCache::Saved,
                _ => XCache::NotSaved,
            }),
        }
    }
}

/// Whether text can stand as a token of a structured field (RFC 9651 s3.3.4).
fn is_detail(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/".contains(&byte))
}

/// What mod_cache's X-Cache and X-Cache-Detail say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XCache {
    /// From the cache.
    Hit,
    /// From the cache although stale.
    StaleHit,
    /// The origin said that what is stored still holds.
    Revalidated,
    /// From the origin, and stored.
    Saved,
    /// From the origin, and not stored.
    NotSaved,
}

impl XCache {
    /// The word of X-Cache.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Hit | Self::StaleHit => "HIT",
            Self::Revalidated => "REVALIDATE",
            Self::Saved | Self::NotSaved => "MISS",
        }
    }

    /// The reason of X-Cache-Detail.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Hit => "cache hit",
            Self::StaleHit => "cache hit: stale content returned",
            Self::Revalidated => "conditional cache hit: entity refreshed",
            Self::Saved => "cache miss: attempting entity save",
            Self::NotSaved => "cache miss: cache unwilling to store response",
        }
    }

    /// Appends the lines `X-Cache` and `X-Cache-Detail`; `host` is the name that the client asked for, valid in a field.
    /// Allocates nothing where `out` has room.
    pub fn append_lines(self, out: &mut Vec<u8>, host: &[u8]) {
        for part in [
            b"X-Cache: ",
            self.word().as_bytes(),
            b" from ",
            host,
            b"\r\nX-Cache-Detail: \"",
            self.reason().as_bytes(),
            b"\" from ",
            host,
            b"\r\n",
        ] {
            out.extend_from_slice(part);
        }
    }
}

#[cfg(test)]
#[path = "cache_status_tests.rs"]
mod tests;
