//! Requests to switch protocols (RFC 9110 s7.8).
//!
//! No connection is tunnelled. Upgrade is an offer, so most of them are served as if they had made none: h2c clients go on in
//! HTTP/1.1. A WebSocket client can't, and an origin that never sees the offer would give it a page: it is refused clearly.

use crate::http::fields::FieldLines as _;
use crate::http::head::{Field, Method, RequestHead, Version};
use crate::http::list::elements;

/// Whether a request asks for WebSocket (RFC 6455 s4.1). What Connection does not name, and what comes in HTTP/1.0, is no
/// offer (RFC 9110 s7.8).
#[must_use]
pub fn asks_for_websocket(head: &RequestHead<'_>) -> bool {
    if head.method != Method::Get || head.version != Version::Http11 {
        return false;
    }
    // Known by its place in the head: most requests end here.
    let mut options = head.lines(Field::Connection).flat_map(elements);
    if !options.any(|option| option.eq_ignore_ascii_case(b"upgrade")) {
        return false;
    }
    let mut protocols = head.values("upgrade").flat_map(elements);
    protocols.any(|protocol| {
        let name = protocol.split(|&octet| octet == b'/').next();
        name.is_some_and(|name| name.eq_ignore_ascii_case(b"websocket"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::head::{FieldScratch, HeadLimits, Parsed, parse_head};

    fn asks(lines: &str) -> bool {
        let limits = HeadLimits {
            bytes_max: 1_000,
            fields_max: 20,
        };
        let mut scratch = FieldScratch::new();
        let bytes = format!("{lines}\r\nHost: a\r\n\r\n");
        match parse_head(bytes.as_bytes(), &limits, &mut scratch) {
            Ok(Parsed::Complete { head, .. }) => asks_for_websocket(&head),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn rfc9110_s7_8_an_offer_of_websocket_is_one_in_any_case_and_on_any_line() {
        for lines in [
            "GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket",
            "GET / HTTP/1.1\r\nConnection: keep-alive, UPGRADE\r\nUpgrade: WebSocket",
            "GET / HTTP/1.1\r\nConnection: close\r\nConnection: upgrade\r\nUpgrade: h2c, websocket/13",
            "GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket",
        ] {
            assert!(asks(lines), "{lines}");
        }
    }

    #[test]
    fn rfc9110_s7_8_other_offers_and_what_is_none_are_left_alone() {
        for lines in [
            "GET / HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c",
            "GET / HTTP/1.1\r\nUpgrade: websocket",
            "GET / HTTP/1.1\r\nConnection: close\r\nUpgrade: websocket",
            "GET / HTTP/1.1\r\nConnection: upgrade",
            "GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket",
            "POST / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket",
            "GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websockets",
        ] {
            assert!(!asks(lines), "{lines}");
        }
    }
}
