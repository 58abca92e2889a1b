//! Percent-encoding between canonical paths and names in the file system (RFC 3986 s2.1).

use crate::http::octets::{hex_octet, is_pchar};
use crate::http::reject::Reject;

/// Appends `octet` to a canonical path: literally where a segment may hold it, else encoded.
pub(super) fn append_octet(out: &mut Vec<u8>, octet: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    if is_pchar(octet) {
        out.push(octet);
    } else {
        let (high, low) = (usize::from(octet >> 4), usize::from(octet & 0xf));
        out.extend_from_slice(&[b'%', DIGITS[high], DIGITS[low]]);
    }
}

/// Replaces the content of `out` by the canonical path of a file: `decoded` is the file's path with slashes between
/// its segments, none of which is `.` or `..`, and without NUL.
pub fn encode_path(decoded: &[u8], out: &mut Vec<u8>) {
    out.clear();
    for &octet in decoded {
        if octet == b'/' {
            out.push(octet);
        } else {
            append_octet(out, octet);
        }
    }
}

/// Replaces the content of `out` by the path in the file system that `canonical` stands for.
///
/// # Errors
///
/// No file has such a path: a segment holds an encoded slash or NUL. Or `canonical` is not: a malformed `%`.
/// `out` is then incomplete.
pub fn decode_path(canonical: &[u8], out: &mut Vec<u8>) -> Result<(), Reject> {
    out.clear();
    let mut rest = canonical;
    while let Some(percent) = memchr::memchr(b'%', rest) {
        let (literal, encoded) = rest.split_at(percent);
        let (triplet, after) = encoded
            .split_at_checked(3)
            .ok_or(Reject::TargetPercentMalformed)?;
        let octet = match triplet.get(1..).and_then(hex_octet) {
            None => return Err(Reject::TargetPercentMalformed),
            Some(0) => return Err(Reject::TargetNul),
            Some(b'/') => return Err(Reject::TargetEncodedSlash),
            Some(octet) => octet,
        };
        out.extend_from_slice(literal);
        out.push(octet);
        rest = after;
    }
    out.extend_from_slice(rest);
    Ok(())
}
