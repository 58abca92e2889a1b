//! Trailer fields of an origin's responses (RFC 9110 s6.5): who takes them, and which of them go on.
//!
//! They go on with a body in chunks, to clients that say they take them, and are never stored: a cache may discard them
//! (RFC 9111 s3.1), and what has a length has no place for them. Those of requests end here (RFC 9112 s7.1.2).

use super::validation::is_condition_or_range;
use crate::http::fields::{FieldLines, Fields};
use crate::http::head::Version;
use crate::http::hop_by_hop::{is_hop_by_hop, is_named_by_connection, is_proxy_authentication};
use crate::http::list::elements;

/// Whether a client takes trailer fields (RFC 9110 s10.1.4). TE is for one connection: where Connection does not name it,
/// as its sender must, it may come from somebody further out, and does not count.
#[must_use]
pub fn are_taken(version: Version, client: &impl FieldLines) -> bool {
    let mut codings = client.values("te").flat_map(elements);
    version == Version::Http11
        && codings.any(|coding| coding.eq_ignore_ascii_case(b"trailers"))
        && is_named_by_connection(client, b"te")
}

/// Fields that never go on in a trailer section: those that frame or route a message, control caches and conditions,
/// authenticate, or say how the body is to be read (RFC 9110 s6.5.1). A recipient may merge trailers into the head, where
/// these would change what has long been decided.
const NEVER: [&str; 26] = [
    "accept-encoding",
    "age",
    "authorization",
    "cache-control",
    "cdn-cache-control",
    "content-encoding",
    "content-length",
    "content-location",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "etag",
    "expect",
    "expires",
    "host",
    "last-modified",
    "location",
    "max-forwards",
    "pragma",
    "retry-after",
    "set-cookie",
    "trailer",
    "vary",
    "warning",
    "www-authenticate",
];

/// Whether a trailer field called `name` may go on.
fn goes_on(name: &[u8]) -> bool {
    !is_hop_by_hop(name)
        && !is_proxy_authentication(name)
        && !is_condition_or_range(name)
        && !NEVER
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

/// The trailer fields of a response as they go on with it.
#[must_use]
pub fn forwarded(received: &Fields) -> Fields {
    received.filtered(|name, _| goes_on(name))
}

/// The Trailer field's value as it goes on with a response whose head is `head` (RFC 9110 s6.6.2): without the names of
/// fields that do not go on. Empty where none is left.
#[must_use]
pub fn announced(head: &impl FieldLines) -> Vec<u8> {
    let names = head.values("trailer").flat_map(elements);
    let names: Vec<&[u8]> = names
        .filter(|name| goes_on(name) && !is_named_by_connection(head, name))
        .collect();
    names.join(&b", "[..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(lines: &[(&str, &str)]) -> Fields {
        lines.iter().copied().collect()
    }

    #[test]
    fn rfc9110_s10_1_4_trailers_are_taken_where_te_says_so_for_this_connection() {
        let says = |te: &str, connection: &str| fields(&[("TE", te), ("Connection", connection)]);
        let taken = says("gzip;q=0.5, Trailers", "close, te");
        assert!(are_taken(Version::Http11, &taken));
        assert!(!are_taken(Version::Http10, &taken));
        for (te, connection) in [
            ("gzip", "TE"),
            ("trailers", "close"),
            ("trailersx", "TE"),
            ("", "TE"),
        ] {
            assert!(!are_taken(Version::Http11, &says(te, connection)), "{te}");
        }
    }

    #[test]
    fn rfc9110_s6_5_1_trailers_that_would_change_decisions_do_not_go_on() {
        let trailers = fields(&[
            ("X-Sum", "1"),
            ("Content-Length", "0"),
            ("Transfer-Encoding", "chunked"),
            ("Set-Cookie", "a"),
            ("CACHE-CONTROL", "public"),
            ("Range", "bytes=0-1"),
            ("Proxy-Authenticate", "Basic"),
            ("Retry-After", "1"),
            ("Server-Timing", "a"),
        ]);
        assert_eq!(
            forwarded(&trailers),
            fields(&[("X-Sum", "1"), ("Server-Timing", "a")])
        );
    }

    #[test]
    fn rfc9110_s6_6_2_only_what_may_go_on_is_announced() {
        let head = fields(&[
            ("Trailer", "X-Sum, Content-Length,, X-Hop"),
            ("Trailer", "Server-Timing"),
            ("Connection", "x-hop"),
        ]);
        assert_eq!(announced(&head), b"X-Sum, Server-Timing");
        assert_eq!(announced(&Fields::new()), b"");
    }
}
