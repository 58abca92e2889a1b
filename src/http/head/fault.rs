//! What is wrong with a head: line ends on the way of every request, the rest only once the parser has refused.
//!
//! The parser says little about a fault, so [`cause`] reads the lines again, slowly, and names the first one.

use httparse::Header;

use super::EMPTY_LINES_MAX;
use crate::http::octets::{is_field_content, is_tchar};
use crate::http::reject::Reject;

/// The size of the empty lines before a request line (RFC 9112 s2.2), which starts with neither CR nor LF; `None`
/// where the bytes do not reach so far.
pub(super) fn empty_lines_size(bytes: &[u8]) -> Result<Option<usize>, Reject> {
    let mut text = bytes;
    for _ in 0..=EMPTY_LINES_MAX {
        text = match text {
            [] | [b'\r'] => return Ok(None),
            [b'\r', b'\n', after @ ..] => after,
            [b'\r', ..] => return Err(Reject::BareCarriageReturn),
            [b'\n', ..] => return Err(Reject::BareLineFeed),
            _ => return Ok(Some(bytes.len() - text.len())),
        };
    }
    Err(Reject::TooManyEmptyLines)
}

/// Checks that every line of `text`, a whole head that the parser has taken apart into `fields`, ends with CRLF.
///
/// The parser lets no LF stand inside a line, so there is one before each field's name and two at the end, and only
/// these are looked at.
pub(super) fn check_whole_head(text: &[u8], fields: &[Header<'_>]) -> Result<(), Reject> {
    let start = text.as_ptr().addr();
    let is_behind_crlf = |field: &Header<'_>| {
        let at = field.name.as_ptr().addr().wrapping_sub(start);
        text.get(at.wrapping_sub(2)) == Some(&b'\r')
    };
    if text.ends_with(b"\r\n\r\n") && fields.iter().all(is_behind_crlf) {
        Ok(())
    } else {
        Err(Reject::BareLineFeed)
    }
}

/// Checks that every LF in `text`, a part of a head which does not start with one, ends a CRLF.
pub(super) fn check_line_ends(text: &[u8]) -> Result<(), Reject> {
    let after = text.get(1..).unwrap_or_default();
    let bare = text.iter().zip(after).fold(0, |bare, (&byte, &next)| {
        bare | (u8::from(next == b'\n') & u8::from(byte != b'\r'))
    });
    if bare == 0 {
        Ok(())
    } else {
        Err(Reject::BareLineFeed)
    }
}

/// The size of a request line whose version, from `version_start` on, is HTTP/1.2 or a later minor version; `None`
/// where the line has not ended.
///
/// # Errors
///
/// Another major version, or none at all.
pub(super) fn later_minor_line_size(
    text: &[u8],
    version_start: usize,
) -> Result<Option<usize>, Reject> {
    let version = text.get(version_start..).unwrap_or_default();
    let Some(line_feed) = memchr::memchr(b'\n', version) else {
        return Ok(None);
    };
    let version = version.get(..line_feed).unwrap_or_default();
    let (version, line_end) = match version {
        [version @ .., b'\r'] => (version, Ok(())),
        _ => (version, Err(Reject::BareLineFeed)),
    };
    match version {
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            if *major != b'1' {
                return Err(Reject::VersionNotSupported);
            }
            line_end.map(|()| Some(version_start + line_feed + 1))
        }
        _ if version.starts_with(b"HTTP/") => Err(Reject::VersionMalformed),
        _ => Err(Reject::RequestLineMalformed),
    }
}

/// The first fault of a head that the parser refused, where it has a valid version.
pub(super) fn cause(text: &[u8], fields_max: usize) -> Reject {
    let mut lines = text.split_inclusive(|&byte| byte == b'\n');
    let request_line = lines.next().unwrap_or_default();
    if let Some(fault) = line_fault(request_line, request_line_fault) {
        return fault;
    }
    // Where the lines up to the first one too many are valid, it is their number that is not.
    lines
        .take(fields_max.saturating_add(1))
        .find_map(|line| line_fault(line, field_line_fault))
        .unwrap_or(Reject::TooManyFields)
}

/// The first fault of `line`: of its content, else of its end.
fn line_fault(line: &[u8], content_fault: impl FnOnce(&[u8]) -> Option<Reject>) -> Option<Reject> {
    let (content, end_fault) = match line {
        [content @ .., b'\r', b'\n'] => (content, None),
        [content @ .., b'\n'] => (content, Some(Reject::BareLineFeed)),
        unended => (unended, None),
    };
    content_fault(content).or(end_fault)
}

/// The first fault of a request line without its end (RFC 9112 s3).
fn request_line_fault(line: &[u8]) -> Option<Reject> {
    let (method, rest) = split_before(line, |byte| !is_tchar(byte));
    let rest = match rest {
        [b' ', rest @ ..] if !method.is_empty() => rest,
        [] | [b' ' | b'\r', ..] => return Some(Reject::RequestLineMalformed),
        [0, ..] => return Some(Reject::NulByte),
        _ => return Some(Reject::MethodMalformed),
    };
    let (target, rest) = split_before(rest, |byte| byte <= b' ' || byte == 0x7f);
    let version = match rest {
        [b' ', ..] if std::str::from_utf8(target).is_err() => return Some(Reject::TargetMalformed),
        [b' ', version @ ..] if !target.is_empty() => version,
        [] | [b' ' | b'\r', ..] => return Some(Reject::RequestLineMalformed),
        [0, ..] => return Some(Reject::NulByte),
        _ => return Some(Reject::TargetByteForbidden),
    };
    match version.get(b"HTTP/1.1".len()..).unwrap_or_default() {
        [] => None,
        [b'\r', ..] => Some(Reject::BareCarriageReturn),
        [0, ..] => Some(Reject::NulByte),
        [b'0'..=b'9', ..] => Some(Reject::VersionMalformed),
        _ => Some(Reject::RequestLineMalformed),
    }
}

/// The first fault of a field line without its end (RFC 9112 s5).
fn field_line_fault(line: &[u8]) -> Option<Reject> {
    let (name, rest) = split_before(line, |byte| !is_tchar(byte));
    let value = match rest {
        [] if name.is_empty() => return None,
        [b':', value @ ..] if !name.is_empty() => value,
        [b':', ..] => return Some(Reject::FieldNameEmpty),
        [b' ' | b'\t', ..] if name.is_empty() => return Some(Reject::LineFolding),
        [b' ' | b'\t', ..] => return Some(Reject::FieldNameSpace),
        [b'\r', ..] if name.is_empty() => return Some(Reject::BareCarriageReturn),
        [0, ..] => return Some(Reject::NulByte),
        _ => return Some(Reject::FieldNameMalformed),
    };
    match split_before(value, |byte| !is_field_content(byte)).1 {
        [] => None,
        [b'\r', ..] => Some(Reject::BareCarriageReturn),
        [0, ..] => Some(Reject::NulByte),
        _ => Some(Reject::FieldValueMalformed),
    }
}

/// Splits `bytes` before the first byte that is `ending`.
fn split_before(bytes: &[u8], ending: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let size = bytes.iter().position(|&byte| ending(byte));
    bytes.split_at(size.unwrap_or(bytes.len()))
}
