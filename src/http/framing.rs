//! Where the body of a request ends (RFC 9112 s6, s7).
//!
//! The server reads bodies only to find the next request, so this module tells their framing and walks over them
//! without keeping a byte. It is as strict as the grammar: what two servers could read in two ways is refused.
//! It does not limit the size of a body; the caller counts the bytes it skims.

mod skimmer;

pub use self::skimmer::{BodySkimmer, CHUNK_EXTENSION_MAX, Skim, TRAILERS_MAX};
use super::field::Field;
use super::head::{RequestHead, Version};
use super::octets::{is_token, trim_ows};
use super::reject::Reject;

/// How the body of a request is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestBody {
    /// No body.
    None,
    /// This many bytes (RFC 9112 s6.2).
    Length(u64),
    /// Chunks (RFC 9112 s7.1).
    Chunked,
}

/// The framing of the body after `head` (RFC 9112 s6.3).
///
/// # Errors
///
/// Any doubt about the length: both fields at once, a repeated or malformed one, a coding that is not chunked.
pub fn request_body(head: &RequestHead<'_>) -> Result<RequestBody, Reject> {
    let content_length = head.field(Field::ContentLength);
    if head.field(Field::TransferEncoding).is_none() {
        return match content_length {
            None => Ok(RequestBody::None),
            // RFC 9110 s8.6 lets us merge identical lengths; two parsers may merge them differently.
            Some(value) if head.is_repeated(Field::ContentLength) || value.contains(&b',') => {
                Err(Reject::ContentLengthRepeated)
            }
            Some(value) => parse_content_length(value).map(RequestBody::Length),
        };
    }
    if head.version == Version::Http10 {
        return Err(Reject::TransferEncodingInHttp10);
    }
    if content_length.is_some() {
        return Err(Reject::TransferEncodingWithContentLength);
    }
    check_transfer_encoding(head.lines(Field::TransferEncoding))?;
    Ok(RequestBody::Chunked)
}

/// Parses `1*DIGIT` (RFC 9110 s8.6).
fn parse_content_length(value: &[u8]) -> Result<u64, Reject> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(Reject::ContentLengthMalformed);
    }
    value
        .iter()
        .try_fold(0_u64, |length, digit| {
            length.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
        })
        .ok_or(Reject::ContentLengthOverflow)
}

/// Checks that the transfer codings are exactly one chunked (RFC 9112 s6.1, s7).
///
/// Stricter than RFC 9110 s5.6.1: an empty list element is refused, since parsers that search the value for the word
/// disagree on it.
fn check_transfer_encoding<'b>(lines: impl Iterator<Item = &'b [u8]>) -> Result<(), Reject> {
    let (mut chunked_count, mut other_count, mut is_last_chunked) = (0_u32, 0_u32, false);
    for coding in lines.flat_map(|line| line.split(|&byte| byte == b',')) {
        let mut parts = coding.splitn(2, |&byte| byte == b';').map(trim_ows);
        let name = parts.next().unwrap_or_default();
        let has_parameters = parts.next().is_some();
        is_last_chunked = name.eq_ignore_ascii_case(b"chunked");
        if !is_token(name) || (is_last_chunked && has_parameters) {
            return Err(Reject::TransferEncodingMalformed);
        }
        if is_last_chunked {
            chunked_count += 1;
        } else {
            other_count += 1;
        }
    }
    match (is_last_chunked, chunked_count, other_count) {
        (false, ..) => Err(Reject::TransferEncodingNotChunked),
        (true, 1, 0) => Ok(()),
        (true, 1, _) => Err(Reject::TransferCodingUnknown),
        (true, ..) => Err(Reject::TransferEncodingRepeated),
    }
}

#[cfg(test)]
mod tests;
