//! The request target as it goes to the origin (RFC 9112 s3.2.1).

use bytes::Bytes;
use hyper::Uri;
use hyper::http::uri::PathAndQuery;

use super::fault::OriginFault;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// The origin-form of `target` below `base`; `*` stands for the server as a whole and has no base (s3.2.4).
///
/// A target that no URI can be is percent-encoded where it has to be: `#` would cut it off, and others are refused by strict
/// origins. What is a URI is not touched.
pub(super) fn origin_form(base: &str, target: &[u8]) -> Result<Uri, OriginFault> {
    if target == b"*" {
        return Ok(Uri::from(PathAndQuery::from_static("*")));
    }
    if target.first() != Some(&b'/') {
        return Err(OriginFault::Unsendable);
    }
    let mut whole = Vec::with_capacity(base.len() + target.len());
    whole.extend_from_slice(base.as_bytes());
    whole.extend_from_slice(target);
    if memchr::memchr(b'#', &whole).is_none()
        && let Ok(path) = PathAndQuery::from_maybe_shared(Bytes::from(whole.clone()))
    {
        return Ok(Uri::from(path));
    }
    PathAndQuery::from_maybe_shared(Bytes::from(encoded(&whole)))
        .map(Uri::from)
        .map_err(|_| OriginFault::Unsendable)
}

fn encoded(target: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(target.len() + 32);
    for &octet in target {
        if stands_in_a_uri(octet) {
            text.push(octet);
        } else {
            let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or_default();
            text.extend([b'%', digit(octet >> 4), digit(octet & 15)]);
        }
    }
    text
}

/// Whether `octet` may stand in a path or a query (RFC 3986 s3.3, s3.4), `%` of an encoding included.
fn stands_in_a_uri(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(&octet)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(base: &str, target: &str) -> Result<String, OriginFault> {
        origin_form(base, target.as_bytes()).map(|uri| uri.to_string())
    }

    #[test]
    fn target_that_is_a_uri_is_sent_as_it_is() {
        for target in [
            "/",
            "/a/../b//c?d=e?f&g",
            "/%2e%7b",
            "//host/a",
            "/a|b^[c]?{d}\"",
            "*",
        ] {
            let expected = if target.contains('"') {
                "/a%7Cb%5E%5Bc%5D?%7Bd%7D%22"
            } else {
                target
            };
            assert_eq!(sent("", target).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn base_goes_before_the_path_alone() {
        assert_eq!(sent("/b", "/a?c").as_deref(), Ok("/b/a?c"));
        assert_eq!(sent("/b", "*").as_deref(), Ok("*"));
    }

    #[test]
    fn octet_that_no_uri_has_is_encoded() {
        let cases = [
            ("/a#b", "/a%23b"),
            ("/<a>?`#", "/%3Ca%3E?%60%23"),
            ("/a?\"", "/a?%22"),
        ];
        for (target, expected) in cases {
            assert_eq!(sent("", target).as_deref(), Ok(expected));
        }
        let latin = origin_form("", b"/\xe9").unwrap();
        assert_eq!(latin.to_string(), "/%E9");
    }

    #[test]
    fn target_that_is_none_is_refused() {
        let long = format!("/{}", "a".repeat(70_000));
        for target in ["", "a", "?a", "http://a/", &long] {
            assert_eq!(sent("", target), Err(OriginFault::Unsendable));
        }
    }
}
