//! A response's head, checked: what of it can be in doubt about the body's end is refused.

use hyper::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use hyper::{HeaderMap, StatusCode, Version};

use super::body::OriginBody;
use super::fault::{HeadFault, OriginFault};
use super::wire::Account;
use crate::http::fields::Fields;
use crate::http::head;

/// What the origin answered.
#[derive(Debug)]
pub struct OriginResponse {
    /// The status code, 200 to 999.
    pub status: u16,
    /// The version that the origin speaks.
    pub version: head::Version,
    /// The field lines, names in lower case, the lines of one name together where the name first stood.
    pub fields: Fields,
    /// The body, still to come.
    pub body: OriginBody,
    /// Which of the origin's URLs answered, 0-based.
    pub url_index: usize,
    /// Whether the connection had been used before.
    pub is_reused: bool,
}

/// How the body of a response ends, as its head says (RFC 9112 s6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// There is none.
    Bodiless,
    /// By its length, or its last chunk.
    Delimited,
    /// With the connection.
    Close,
}

/// The framing of a response to a request that was, or was not, HEAD.
///
/// # Errors
/// `BadFraming` for what two recipients could read in two ways: both fields at once, a field twice, a length that is no
/// number, a coding that we did not ask for, a coding in HTTP/1.0 (RFC 9112 s6.1, s6.3).
pub(super) fn framing_of(
    status: StatusCode,
    version: Version,
    headers: &HeaderMap,
    is_head: bool,
) -> Result<Framing, OriginFault> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let (coding, length) = (codings.next(), lengths.next());
    let is_doubtful = codings.next().is_some()
        || lengths.next().is_some()
        || coding.is_some() && (length.is_some() || version == Version::HTTP_10)
        || coding.is_some_and(|coding| {
            !coding
                .as_bytes()
                .trim_ascii()
                .eq_ignore_ascii_case(b"chunked")
        })
        || length.is_some_and(|length| !is_length(length.as_bytes()));
    if is_doubtful {
        return Err(OriginFault::BadFraming);
    }
    let is_bodiless = is_head || matches!(status.as_u16(), 204 | 304);
    Ok(match (is_bodiless, coding.or(length)) {
        (true, _) => Framing::Bodiless,
        (false, Some(_)) => Framing::Delimited,
        (false, None) => Framing::Close,
    })
}

/// `1*DIGIT` (RFC 9110 s8.6); that it is not too large, the library has seen.
fn is_length(value: &[u8]) -> bool {
    let value = value.trim_ascii();
    !value.is_empty() && value.iter().all(u8::is_ascii_digit)
}

/// Whether the origin keeps the connection open after the response (RFC 9112 s9.3).
pub(super) fn persists(version: Version, headers: &HeaderMap) -> bool {
    let mut persists = version == Version::HTTP_11;
    for line in headers.get_all(CONNECTION) {
        for option in line
            .as_bytes()
            .split(|&octet| octet == b',')
            .map(<[u8]>::trim_ascii)
        {
            if option.eq_ignore_ascii_case(b"close") {
                return false;
            }
            persists |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }
    persists
}

/// The field lines of a head.
///
/// # Errors
/// `BadHead` for a value that may not stand in a message, which the library may let pass.
pub(super) fn fields_of(headers: &HeaderMap) -> Result<Fields, OriginFault> {
    let mut fields = Fields::new();
    for (name, value) in headers {
        if !fields.push(name.as_str().as_bytes(), value.as_bytes()) {
            return Err(OriginFault::BadHead(HeadFault::FieldValue));
        }
    }
    Ok(fields)
}

/// The version in our own words.
pub(super) fn version_of(version: Version) -> head::Version {
    if version == Version::HTTP_10 {
        head::Version::Http10
    } else {
        head::Version::Http11
    }
}

/// The fault of an exchange that ended before a whole head.
pub(super) fn head_fault(error: &hyper::Error, account: &Account) -> OriginFault {
    if account.is_flooded() || error.is_parse_too_large() {
        OriginFault::HeadTooLarge
    } else if error.is_parse_status() {
        OriginFault::BadHead(HeadFault::Status)
    } else if error.is_parse() {
        // The library tells no cause but in words. Should it change them, the fault is called a bad head, which
        // has the same status; a test would show it.
        let words = error.to_string();
        if words.contains("content-length") || words.contains("transfer-encoding") {
            OriginFault::BadFraming
        } else {
            OriginFault::BadHead(HeadFault::Malformed)
        }
    } else {
        connection_fault(account)
    }
}

/// The fault of a connection that broke or ended within an exchange.
pub(super) fn connection_fault(account: &Account) -> OriginFault {
    use std::io::ErrorKind;
    let has_begun = account.received() > 0;
    match account.failed() {
        // Only TLS finds bytes invalid.
        Some(ErrorKind::InvalidData) => OriginFault::Tls(super::fault::TlsFault::Protocol),
        // TLS says so where the connection is closed without its own end.
        Some(ErrorKind::UnexpectedEof) | None if has_begun => OriginFault::Truncated,
        _ => OriginFault::Reset,
    }
}
