//! The authority of a request: the value of Host and of absolute-form targets (RFC 9112 s3.2, RFC 3986 s3.2).
//!
//! Userinfo is refused: an http URI in a message never has it (RFC 9110 s4.2.4).

use std::net::Ipv6Addr;

use super::octets::{hex_octet, is_sub_delim, is_unreserved};

/// The host of `authority`, which is `uri-host [ ":" port ]` (RFC 9112 s3.2); `None` where it is malformed.
///
/// The host keeps its case and its brackets. It is empty only where `authority` is empty, which is how a client says
/// that its target has no authority.
#[must_use]
pub fn host_of(authority: &[u8]) -> Option<&[u8]> {
    host_and_port(authority).map(|(host, _)| host)
}

/// Host and port of `authority`; the port is `None` where there is no colon, and may be empty (RFC 3986 s3.2.3).
pub(super) fn host_and_port(authority: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    if authority.is_empty() {
        return Some((authority, None));
    }
    let host_size = if authority.starts_with(b"[") {
        ip_literal_size(authority)?
    } else {
        reg_name_size(authority)?
    };
    let (host, rest) = authority.split_at_checked(host_size)?;
    let port = match rest {
        [] => None,
        [b':', port @ ..] if is_port(port) => Some(port),
        _ => return None,
    };
    Some((host, port))
}

/// Whether `port` is a run of digits of at most 65535, or empty (RFC 3986 s3.2.3).
fn is_port(port: &[u8]) -> bool {
    /// Stands for every number that is too large.
    const END: u32 = u16::MAX as u32 + 1;
    let value = port.iter().try_fold(0, |value: u32, byte| {
        let digit = byte.is_ascii_digit().then(|| u32::from(byte - b'0'))?;
        Some((value * 10 + digit).min(END))
    });
    value.is_some_and(|value| value < END)
}

/// The size of the reg-name (RFC 3986 s3.2.2), which every IPv4 address is too, at the start of `authority`: not empty,
/// up to a colon or the end.
fn reg_name_size(authority: &[u8]) -> Option<usize> {
    let mut rest = authority;
    loop {
        let literal_count = rest
            .iter()
            .position(|&byte| !IS_HOST_BYTE[usize::from(byte)])
            .unwrap_or(rest.len());
        rest = match rest.get(literal_count..)? {
            [b'%', after @ ..] if hex_octet(after).is_some() => after.get(2..)?,
            end @ ([] | [b':', ..]) => {
                let size = authority.len() - end.len();
                return (size > 0).then_some(size);
            }
            _ => return None,
        };
    }
}

/// The size of the IP-literal (RFC 3986 s3.2.2) in brackets at the start of `authority`.
fn ip_literal_size(authority: &[u8]) -> Option<usize> {
    let closing = memchr::memchr(b']', authority)?;
    is_ip_literal(authority.get(1..closing)?).then_some(closing + 1)
}

/// Whether a byte may stand literally in a reg-name: looked up for every byte of every Host.
static IS_HOST_BYTE: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 0x80 {
        table[byte as usize] = is_unreserved(byte) || is_sub_delim(byte);
        byte += 1;
    }
    table
};

/// Whether `literal`, without its brackets, is an IPv6 address or IPvFuture (RFC 3986 s3.2.2).
fn is_ip_literal(literal: &[u8]) -> bool {
    if let [b'v' | b'V', future @ ..] = literal {
        let Some(dot) = memchr::memchr(b'.', future) else {
            return false;
        };
        let (version, address) = future.split_at(dot);
        let address = address.get(1..).unwrap_or_default();
        return !version.is_empty()
            && version.iter().all(u8::is_ascii_hexdigit)
            && !address.is_empty()
            && address
                .iter()
                .all(|&byte| is_unreserved(byte) || is_sub_delim(byte) || byte == b':');
    }
    std::str::from_utf8(literal).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok())
}

#[cfg(test)]
mod rfc9112_s3_2 {
    use super::host_of;

    #[test]
    fn authority_valid_gives_host() {
        let table: &[(&str, &str)] = &[
            ("", ""),
            ("example.com", "example.com"),
            ("Example.COM:8080", "Example.COM"),
            ("example.com:", "example.com"),
            ("example.com:00080", "example.com"),
            ("127.0.0.1:80", "127.0.0.1"),
            ("[::1]", "[::1]"),
            ("[2001:db8::7]:443", "[2001:db8::7]"),
            ("[v1.a:b]", "[v1.a:b]"),
            ("a_b~c%41", "a_b~c%41"),
        ];
        for (authority, host) in table {
            assert_eq!(
                host_of(authority.as_bytes()),
                Some(host.as_bytes()),
                "{authority}"
            );
        }
    }

    #[test]
    fn authority_malformed_gives_none() {
        let table = [
            ":80",
            "a b",
            "a/b",
            "user@example.com",
            "example.com:80:80",
            "example.com:65536",
            "example.com:99999999999999999999",
            "example.com:8a",
            "example.com:+80",
            "[::1",
            "[::1]x",
            "[::1]80",
            "[]",
            "[::g]",
            "[fe80::1%25eth0]",
            "[v.a]",
            "[v1.]",
            "[v1]",
            "::1",
            "a%4",
            "a%zz",
            "a?b",
            "a#b",
            "a\\b",
            "a\u{e9}",
            "a\"b",
            "a\tb",
        ];
        for authority in table {
            assert_eq!(host_of(authority.as_bytes()), None, "{authority}");
        }
    }
}
