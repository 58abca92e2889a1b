//! A response's head, judged: what of it can be in doubt about the body's end is refused.
//!
//! Pure, apart from the library that reads the head; `tests/fuzz` has any bytes go through both.

use hyper::client::conn::http1::Builder;
use hyper::header::{CONNECTION, CONTENT_LENGTH, HeaderName, HeaderValue, TRANSFER_ENCODING};
use hyper::{HeaderMap, Response, StatusCode, Version};

use super::fault::{HeadFault, OriginFault};
use crate::http::fields::Fields;

/// Most bytes that one read asks for. A buffer with more room to spare may take more at once, but rarely twice as many.
pub const READ_MAX: usize = 256 << 10;

/// The library, told what to take of heads of up to `head_max` bytes.
pub(super) fn library(head_max: usize) -> Builder {
    let mut library = Builder::new();
    library
        .max_buf_size(READ_MAX)
        .max_header_size(head_max.min(READ_MAX))
        // Names in the case that origins have seen for decades.
        .title_case_headers(true)
        // RFC 9112 s5.1: a proxy removes white space before the colon of a response's field.
        .allow_spaces_after_header_name_in_responses(true);
    library
}

/// How the body ends and the field lines, of a response to a request that was, or was not, HEAD.
///
/// # Errors
/// `UpgradeRefused`, and those of [`framing_of`] and [`fields_of`].
pub(super) fn judge<B>(
    response: &Response<B>,
    is_head: bool,
) -> Result<(Framing, Fields), OriginFault> {
    let (status, version) = (response.status(), response.version());
    if status == StatusCode::SWITCHING_PROTOCOLS {
        return Err(OriginFault::UpgradeRefused);
    }
    let framing = framing_of(status, version, response.headers(), is_head)?;
    Ok((framing, fields_of(response.headers())?))
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
fn framing_of(
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
    let size = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len() + 4;
    let mut fields = Fields::with_capacity(headers.iter().map(size).sum());
    for (name, value) in headers {
        if !fields.push(name.as_str().as_bytes(), value.as_bytes()) {
            return Err(OriginFault::BadHead(HeadFault::FieldValue));
        }
    }
    Ok(fields)
}
