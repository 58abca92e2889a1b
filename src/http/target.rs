//! Request targets and canonical paths (RFC 9112 s3.2, RFC 3986 s6.2.2).
//!
//! This is the only place where a path becomes canonical:
//!
//! - every octet that may stand literally in a path segment does so, every other is `%XX` with upper-case digits;
//!   so an encoded slash stays `%2F` and never separates segments;
//! - no segment is `.` or `..`, judged after decoding; a path that leads above the root is refused;
//! - empty segments are kept: they match nothing.
//!
//! Octets that RFC 3986 wants encoded but that browsers send as they are, such as `[` or UTF-8, get encoded; control
//! characters, spaces and backslashes are refused. The query is checked for those and kept as it is.

mod encoding;

use self::encoding::append_octet;
pub use self::encoding::{decode_path, encode_path};
use super::authority::host_and_port;
pub use super::authority::host_of;
use super::head::Method;
use super::octets::{hex_octet, is_pchar};
use super::reject::Reject;

/// A request target in canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// The canonical path: starts with `/`. `*` in asterisk-form, empty in authority-form.
    pub path: &'a [u8],
    /// What follows the first `?`, as received.
    pub query: Option<&'a [u8]>,
    /// The authority of absolute-form or authority-form, valid and with a host; it wins over Host (RFC 9112 s3.2.2).
    pub authority: Option<&'a [u8]>,
    /// The form received.
    pub form: TargetForm,
}

/// The four forms of a request target (RFC 9112 s3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetForm {
    /// `/path?query` (s3.2.1).
    Origin,
    /// `http://authority/path?query` (s3.2.2).
    Absolute,
    /// `*`, of OPTIONS only (s3.2.4).
    Asterisk,
    /// `host:port`, of CONNECT only (s3.2.3).
    Authority,
}

/// What a byte means to the canonical form of a path.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Class {
    /// Stands literally: a pchar or the slash. Dots are apart, since they can make a dot segment.
    Literal,
    Dot,
    Percent,
    /// Ends the path.
    Query,
    /// Is encoded.
    Encoded,
    Fragment,
    Forbidden,
}

/// The class of every byte.
static CLASSES: [Class; 256] = {
    let mut classes = [Class::Encoded; 256];
    let mut byte = 0_u8;
    loop {
        classes[byte as usize] = match byte {
            b'.' => Class::Dot,
            b'%' => Class::Percent,
            b'?' => Class::Query,
            b'#' => Class::Fragment,
            0..=b' ' | b'\\' | 0x7f => Class::Forbidden,
            b'/' => Class::Literal,
            _ if is_pchar(byte) => Class::Literal,
            _ => Class::Encoded,
        };
        if byte == u8::MAX {
            break classes;
        }
        byte += 1;
    }
};

impl Class {
    #[inline]
    const fn of(byte: u8) -> Self {
        CLASSES[byte as usize]
    }
}

/// Takes the target of a request apart and makes its path canonical.
///
/// A path that is canonical already is borrowed from `target`, else it is written to `scratch`, whose content is
/// replaced. Idempotent: a canonical path stays as it is.
///
/// # Errors
///
/// The target is malformed, or its form does not go with `method`.
pub fn normalise<'a>(
    method: Method,
    target: &'a [u8],
    scratch: &'a mut Vec<u8>,
) -> Result<Target<'a>, Reject> {
    match target {
        _ if method == Method::Connect => authority_form(target),
        [b'/', ..] => with_path(target, None, scratch),
        b"*" if method == Method::Options => Ok(asterisk(None)),
        b"*" => Err(Reject::TargetFormMismatch),
        _ => absolute_form(method, target, scratch),
    }
}

fn asterisk(authority: Option<&[u8]>) -> Target<'_> {
    Target {
        path: b"*",
        query: None,
        authority,
        form: TargetForm::Asterisk,
    }
}

/// `uri-host ":" port` (RFC 9112 s3.2.3).
fn authority_form(target: &[u8]) -> Result<Target<'_>, Reject> {
    match host_and_port(target) {
        Some((_, Some([_, ..]))) => Ok(Target {
            path: b"",
            query: None,
            authority: Some(target),
            form: TargetForm::Authority,
        }),
        Some(_) => Err(Reject::TargetAuthorityMalformed),
        None if target.contains(&b'/') => Err(Reject::TargetFormMismatch),
        None => Err(Reject::TargetAuthorityMalformed),
    }
}

/// `http://authority path-abempty [ "?" query ]`, or https (RFC 9112 s3.2.2, RFC 9110 s4.2).
fn absolute_form<'a>(
    method: Method,
    target: &'a [u8],
    scratch: &'a mut Vec<u8>,
) -> Result<Target<'a>, Reject> {
    let colon = memchr::memchr(b':', target).ok_or(Reject::TargetMalformed)?;
    let (scheme, rest) = target.split_at(colon);
    let Some(hierarchy) = rest.strip_prefix(b"://") else {
        return Err(Reject::TargetMalformed);
    };
    if !scheme.eq_ignore_ascii_case(b"http") && !scheme.eq_ignore_ascii_case(b"https") {
        return Err(Reject::TargetSchemeUnknown);
    }
    let authority_size = hierarchy
        .iter()
        .position(|byte| matches!(byte, b'/' | b'?' | b'#'))
        .unwrap_or(hierarchy.len());
    let (authority, rest) = hierarchy.split_at(authority_size);
    if authority.is_empty() || host_of(authority).is_none() {
        return Err(Reject::TargetAuthorityMalformed);
    }
    match rest {
        // RFC 9112 s3.2.4: OPTIONS for a server as a whole, on its way through a proxy.
        [] if method == Method::Options => Ok(asterisk(Some(authority))),
        [b'/', ..] => with_path(rest, Some(authority), scratch),
        // RFC 9110 s4.2.3: an empty path is "/".
        _ => Ok(Target {
            path: b"/",
            query: query_of(rest)?,
            authority: Some(authority),
            form: TargetForm::Absolute,
        }),
    }
}

/// The target whose path and query are `rest`, which starts with a slash.
fn with_path<'a>(
    rest: &'a [u8],
    authority: Option<&'a [u8]>,
    scratch: &'a mut Vec<u8>,
) -> Result<Target<'a>, Reject> {
    let (path, query) = match canonical_size(rest) {
        Some(size) => rest.split_at(size),
        None => {
            let size = canonicalise(rest, scratch)?;
            (scratch.as_slice(), rest.get(size..).unwrap_or_default())
        }
    };
    let form = match authority {
        Some(_) => TargetForm::Absolute,
        None => TargetForm::Origin,
    };
    Ok(Target {
        path,
        query: query_of(query)?,
        authority,
        form,
    })
}

/// The query in `rest`, which is what follows the path: empty, or from `?` or `#` on (RFC 3986 s3.4).
fn query_of(rest: &[u8]) -> Result<Option<&[u8]>, Reject> {
    let query = match rest {
        [] => return Ok(None),
        [b'?', query @ ..] => query,
        _ => return Err(Reject::TargetFragment),
    };
    for &byte in query {
        match Class::of(byte) {
            Class::Fragment => return Err(Reject::TargetFragment),
            Class::Forbidden if byte != b'\\' => return Err(Reject::TargetByteForbidden),
            _ => {}
        }
    }
    Ok(Some(query))
}

/// The size of the path at the start of `rest`, where it is canonical: one look at each byte.
fn canonical_size(rest: &[u8]) -> Option<usize> {
    let mut index = 0;
    loop {
        let tail = rest.get(index..)?;
        let Some(literal_count) = tail
            .iter()
            .position(|&byte| Class::of(byte) != Class::Literal)
        else {
            return Some(rest.len());
        };
        index += literal_count;
        let (byte, after) = tail.get(literal_count..)?.split_first()?;
        match Class::of(*byte) {
            Class::Dot => {
                let starts_segment = rest.get(..index)?.ends_with(b"/");
                if starts_segment && is_dot_segment(after.strip_prefix(b".").unwrap_or(after)) {
                    return None;
                }
                index += 1;
            }
            Class::Percent => {
                let digits = after.first_chunk::<2>()?;
                if digits.iter().any(u8::is_ascii_lowercase) || !is_kept_encoded(hex_octet(digits)?)
                {
                    return None;
                }
                index += 3;
            }
            Class::Query => return Some(index),
            Class::Literal | Class::Encoded | Class::Fragment | Class::Forbidden => return None,
        }
    }
}

/// Whether a segment that began with one or two dots ends before `after`.
fn is_dot_segment(after: &[u8]) -> bool {
    matches!(after, [] | [b'/' | b'?' | b'#', ..])
}

/// Whether a canonical path holds `octet` as `%XX`.
fn is_kept_encoded(octet: u8) -> bool {
    octet != 0 && !is_pchar(octet)
}

/// Writes the canonical form of the path at the start of `rest` and returns the size of the path in `rest`.
fn canonicalise(rest: &[u8], out: &mut Vec<u8>) -> Result<usize, Reject> {
    let path_size = memchr::memchr2(b'?', b'#', rest).unwrap_or(rest.len());
    let mut path = rest.get(1..path_size).unwrap_or_default();
    out.clear();
    out.push(b'/');
    let mut segment_start = out.len();
    while let [byte, after @ ..] = path {
        path = after;
        match Class::of(*byte) {
            Class::Literal if *byte == b'/' => {
                if !remove_dot_segment(out, &mut segment_start)? {
                    out.push(b'/');
                    segment_start = out.len();
                }
            }
            Class::Literal | Class::Dot => out.push(*byte),
            Class::Percent => {
                let octet = hex_octet(after).ok_or(Reject::TargetPercentMalformed)?;
                if octet == 0 {
                    return Err(Reject::TargetNul);
                }
                append_octet(out, octet);
                path = after.get(2..).unwrap_or_default();
            }
            Class::Encoded => append_octet(out, *byte),
            Class::Forbidden | Class::Query | Class::Fragment => {
                return Err(Reject::TargetByteForbidden);
            }
        }
    }
    remove_dot_segment(out, &mut segment_start)?;
    Ok(path_size)
}

/// Removes the last segment of `out` where it is a dot segment, and for `..` the one before (RFC 3986 s5.2.4).
fn remove_dot_segment(out: &mut Vec<u8>, segment_start: &mut usize) -> Result<bool, Reject> {
    match out.get(*segment_start..).unwrap_or_default() {
        b"." => out.truncate(*segment_start),
        b".." => {
            let parent_end = *segment_start - 1;
            let slash = out
                .get(..parent_end)
                .and_then(|parents| memchr::memrchr(b'/', parents))
                .ok_or(Reject::TargetEscapes)?;
            *segment_start = slash + 1;
            out.truncate(*segment_start);
        }
        _ => return Ok(false),
    }
    Ok(true)
}

#[cfg(test)]
mod tests;
