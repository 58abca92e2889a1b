//! Appenders for the heads of responses (RFC 9112 s4, s5).
//!
//! They write into the caller's buffer and never format through `std::fmt`; with enough capacity nothing allocates.
//! They do not decide which fields a response has. Names and values are the server's own: field syntax is only
//! checked in debug builds.

use super::octets::{is_field_content, is_token};
use super::range::ByteRange;

/// Appends `HTTP/1.1 <status> <reason>` and CRLF (RFC 9112 s4). `status` is 100 to 999.
pub fn append_status_line(out: &mut Vec<u8>, status: u16) {
    debug_assert!((100..1000).contains(&status), "status has three digits");
    match status {
        200 => return out.extend_from_slice(b"HTTP/1.1 200 OK\r\n"),
        206 => return out.extend_from_slice(b"HTTP/1.1 206 Partial Content\r\n"),
        304 => return out.extend_from_slice(b"HTTP/1.1 304 Not Modified\r\n"),
        _ => {}
    }
    out.extend_from_slice(b"HTTP/1.1 ");
    append_decimal(out, u64::from(status));
    // The space stands even where the reason is empty.
    out.push(b' ');
    out.extend_from_slice(reason(status).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// The reason phrase of `status` (RFC 9110 s15, RFC 6585), empty where it is not registered there.
#[must_use]
pub const fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        102 => "Processing",
        103 => "Early Hints",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        203 => "Non-Authoritative Information",
        204 => "No Content",
        205 => "Reset Content",
        206 => "Partial Content",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        305 => "Use Proxy",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        508 => "Loop Detected",
        511 => "Network Authentication Required",
        _ => "",
    }
}

/// Whether a response of `status` can have content (RFC 9110 s6.4.1), so that its length means something.
#[must_use]
pub const fn has_content(status: u16) -> bool {
    status >= 200 && status != 204 && status != 304
}

/// Appends the field line `name: <pieces joined>` and CRLF (RFC 9112 s5).
pub fn append_field(out: &mut Vec<u8>, name: &[u8], pieces: &[&[u8]]) {
    debug_assert!(is_token(name), "field name is a token");
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    for piece in pieces {
        debug_assert!(
            piece.iter().all(|&byte| is_field_content(byte)),
            "field value has no control characters"
        );
        out.extend_from_slice(piece);
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends `value` in decimal digits.
pub fn append_decimal(out: &mut Vec<u8>, mut value: u64) {
    // u64::MAX has 20 digits.
    let mut digits = [b'0'; 20];
    let mut first = digits.len();
    for (index, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' + (value % 10) as u8;
        first = index;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(first..).unwrap_or_default());
}

/// Appends the Content-Length line (RFC 9110 s8.6).
pub fn append_content_length(out: &mut Vec<u8>, size: u64) {
    out.extend_from_slice(b"Content-Length: ");
    append_decimal(out, size);
    out.extend_from_slice(b"\r\n");
}

/// Appends the Content-Range line of a 206 or of one of its parts (RFC 9110 s14.4).
pub fn append_content_range(out: &mut Vec<u8>, range: ByteRange, size: u64) {
    debug_assert!(
        range.first <= range.last && range.last < size,
        "range lies in the representation"
    );
    out.extend_from_slice(b"Content-Range: bytes ");
    append_decimal(out, range.first);
    out.push(b'-');
    append_decimal(out, range.last);
    out.push(b'/');
    append_decimal(out, size);
    out.extend_from_slice(b"\r\n");
}

/// Appends the Content-Range line of a 416 (RFC 9110 s14.4).
pub fn append_unsatisfied_range(out: &mut Vec<u8>, size: u64) {
    out.extend_from_slice(b"Content-Range: bytes */");
    append_decimal(out, size);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn appended(append: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = b"|".to_vec();
        append(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn status_line_has_code_and_reason() {
        let table = [
            (200, "|HTTP/1.1 200 OK\r\n"),
            (206, "|HTTP/1.1 206 Partial Content\r\n"),
            (304, "|HTTP/1.1 304 Not Modified\r\n"),
            (416, "|HTTP/1.1 416 Range Not Satisfiable\r\n"),
            (799, "|HTTP/1.1 799 \r\n"),
        ];
        for (status, line) in table {
            assert_eq!(appended(|out| append_status_line(out, status)), line);
        }
    }

    #[test]
    fn status_line_is_the_same_for_every_registered_status() {
        for status in 100..1000 {
            let line = format!("|HTTP/1.1 {status} {}\r\n", reason(status));
            assert_eq!(appended(|out| append_status_line(out, status)), line);
        }
    }

    #[test]
    fn field_joins_pieces() {
        let line = appended(|out| append_field(out, b"ETag", &[b"\"", b"abc", b"\""]));
        assert_eq!(line, "|ETag: \"abc\"\r\n");
        assert_eq!(appended(|out| append_field(out, b"X", &[])), "|X: \r\n");
    }

    #[test]
    fn ranges_follow_rfc9110_s14_4() {
        let range = ByteRange {
            first: 0,
            last: 499,
        };
        assert_eq!(
            appended(|out| append_content_range(out, range, 1234)),
            "|Content-Range: bytes 0-499/1234\r\n"
        );
        assert_eq!(
            appended(|out| append_unsatisfied_range(out, 47022)),
            "|Content-Range: bytes */47022\r\n"
        );
    }

    #[test]
    fn decimal_at_the_edges() {
        for value in [0, 1, 9, 10, 99, 100, u64::MAX - 1, u64::MAX] {
            assert_eq!(
                appended(|out| append_content_length(out, value)),
                format!("|Content-Length: {value}\r\n")
            );
        }
    }

    proptest! {
        #[test]
        fn decimal_is_display(value: u64) {
            prop_assert_eq!(appended(|out| append_decimal(out, value)), format!("|{value}"));
        }
    }
}
