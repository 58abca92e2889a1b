//! Fields that belong to one connection, not to the message (RFC 9110 s7.6.1, RFC 9111 s3.1).
//!
//! They are neither stored nor forwarded. A message's own Connection names more of them.

use super::fields::FieldLines;
use super::list::elements;

/// Whether the field called `name`, in any case, is for the next recipient only, whether Connection names it or not.
#[must_use]
pub fn is_hop_by_hop(name: &[u8]) -> bool {
    const NAMES: [&str; 6] = [
        "connection",
        "proxy-connection",
        "keep-alive",
        "te",
        "transfer-encoding",
        "upgrade",
    ];
    is_one_of(name, &NAMES)
}

/// Whether the field called `name`, in any case, is between a client and its proxy (RFC 9110 s11.7). No cache stores it
/// (RFC 9111 s3.1).
#[must_use]
pub fn is_proxy_authentication(name: &[u8]) -> bool {
    const NAMES: [&str; 3] = [
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
    ];
    is_one_of(name, &NAMES)
}

/// The names that Connection lists, in the order received, as they are written. Options that are no field, such as
/// `close`, are among them.
pub fn named_by_connection(fields: &impl FieldLines) -> impl Iterator<Item = &[u8]> {
    fields.values("connection").flat_map(elements)
}

/// Whether Connection lists the field called `name`, in any case.
#[must_use]
pub fn is_named_by_connection(fields: &impl FieldLines, name: &[u8]) -> bool {
    named_by_connection(fields).any(|named| named.eq_ignore_ascii_case(name))
}

/// What Connection names, in alphabetical order: a head may have thousands of options and hundreds of lines to compare with
/// them.
#[derive(Debug)]
pub struct ConnectionOptions<'f>(Vec<&'f [u8]>);

impl<'f> ConnectionOptions<'f> {
    /// Those of `fields`.
    pub fn of(fields: &'f impl FieldLines) -> Self {
        let mut options: Vec<&[u8]> = named_by_connection(fields).collect();
        options.sort_unstable_by(|left, right| lower(left).cmp(lower(right)));
        Self(options)
    }

    /// Whether an option is the name of the field called `name`, in any case.
    #[must_use]
    pub fn name(&self, name: &[u8]) -> bool {
        self.0
            .binary_search_by(|option| lower(option).cmp(lower(name)))
            .is_ok()
    }
}

fn lower(bytes: &[u8]) -> impl Iterator<Item = u8> {
    bytes.iter().map(u8::to_ascii_lowercase)
}

fn is_one_of(name: &[u8], names: &[&str]) -> bool {
    names
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

#[cfg(test)]
mod rfc9110_s7_6_1 {
    use super::*;
    use crate::http::fields::Fields;

    #[test]
    fn known_fields_are_hop_by_hop_in_any_case() {
        for name in [
            "Connection",
            "PROXY-CONNECTION",
            "keep-alive",
            "TE",
            "Transfer-Encoding",
            "Upgrade",
        ] {
            assert!(is_hop_by_hop(name.as_bytes()), "{name}");
        }
        for name in ["", "Trailer", "Via", "Cache-Control", "TEE", "ETag"] {
            assert!(!is_hop_by_hop(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn connection_names_more_on_all_its_lines() {
        let fields: Fields = [
            ("Connection", "close, X-One,,"),
            ("connection", "x-two"),
            ("X-One", "1"),
        ]
        .into_iter()
        .collect();
        let named: Vec<_> = named_by_connection(&fields).collect();
        assert_eq!(named, [&b"close"[..], b"X-One", b"x-two"]);
        assert!(is_named_by_connection(&fields, b"X-TWO"));
        assert!(!is_named_by_connection(&fields, b"X-Three"));
        assert_eq!(named_by_connection(&Fields::new()).count(), 0);
    }

    #[test]
    fn rfc9111_s3_1_proxy_authentication_is_three_fields() {
        for name in [
            "Proxy-Authenticate",
            "proxy-authentication-info",
            "Proxy-Authorization",
        ] {
            assert!(is_proxy_authentication(name.as_bytes()), "{name}");
        }
        assert!(!is_proxy_authentication(b"WWW-Authenticate"));
    }
}
