//! The multipart/byteranges body of a 206 with several ranges (RFC 9110 s14.6).
//!
//! ```text
//! CRLF "--" boundary CRLF              \
//! "Content-Type: " type CRLF            > a part's head, then the range's bytes: once a range
//! "Content-Range: bytes f-l/size" CRLF  >
//! CRLF                                 /
//! CRLF "--" boundary "--" CRLF           the closing
//! ```
//!
//! The CRLF before the first boundary is allowed (RFC 9110 s14.6) and makes all part heads alike.
//! The length is reckoned, never measured, so that Content-Length can go out before any part exists.

use super::message::append_content_range;
use super::range::{ByteRange, RangeList};

/// Hexadecimal digits in a boundary.
const BOUNDARY_SIZE: usize = 32;

/// Bytes of a part's head beside its numbers, its Content-Type and the boundary.
const PART_HEAD_FIXED: usize = b"\r\n--\r\nContent-Type: \r\nContent-Range: bytes -/\r\n\r\n".len();

/// Bytes of the closing.
const CLOSING_SIZE: usize = b"\r\n----\r\n".len() + BOUNDARY_SIZE;

/// Writes the heads and the closing of one representation's multipart/byteranges bodies.
#[derive(Clone, Copy, Debug)]
pub struct Multipart<'a> {
    boundary: [u8; BOUNDARY_SIZE],
    content_type: &'a [u8],
    size: u64,
}

impl<'a> Multipart<'a> {
    /// For a representation of `size` bytes whose own Content-Type is `content_type`.
    ///
    /// The boundary is a 128-bit hash of `seed` (the entity-tag) and of `size`: the same for every answer with the same
    /// bytes, so that a client can compare them. That it does not occur among the bytes themselves is as certain as 128
    /// bits are; and a reader that goes by Content-Range is not misled even then.
    #[must_use]
    pub fn new(seed: &[u8], content_type: &'a [u8], size: u64) -> Self {
        Self {
            boundary: boundary_of(seed, size),
            content_type,
            size,
        }
    }

    /// The length of a body that sends `ranges`: part heads, the bytes themselves, and the closing.
    #[must_use]
    pub fn content_length(&self, ranges: &RangeList) -> u64 {
        let fixed =
            PART_HEAD_FIXED + BOUNDARY_SIZE + self.content_type.len() + digit_count(self.size);
        ranges.iter().fold(CLOSING_SIZE as u64, |length, range| {
            let head = fixed + digit_count(range.first) + digit_count(range.last);
            length
                .saturating_add(head as u64)
                .saturating_add(range.size())
        })
    }

    /// Appends the answer's own Content-Type line.
    pub fn append_content_type(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"Content-Type: multipart/byteranges; boundary=");
        out.extend_from_slice(&self.boundary);
        out.extend_from_slice(b"\r\n");
    }

    /// Appends what comes before the bytes of `range`.
    pub fn append_part_head(&self, out: &mut Vec<u8>, range: ByteRange) {
        out.extend_from_slice(b"\r\n--");
        out.extend_from_slice(&self.boundary);
        out.extend_from_slice(b"\r\nContent-Type: ");
        out.extend_from_slice(self.content_type);
        out.extend_from_slice(b"\r\n");
        append_content_range(out, range, self.size);
        out.extend_from_slice(b"\r\n");
    }

    /// Appends what comes after the bytes of the last range.
    pub fn append_closing(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\r\n--");
        out.extend_from_slice(&self.boundary);
        out.extend_from_slice(b"--\r\n");
    }
}

/// Two FNV-1a hashes of the seed and the size, from different starts, in hexadecimal.
fn boundary_of(seed: &[u8], size: u64) -> [u8; BOUNDARY_SIZE] {
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    const STARTS: [u64; 2] = [0xcbf2_9ce4_8422_2325, 0x8422_2325_cbf2_9ce4];
    let mut hashes = STARTS;
    for byte in seed.iter().chain(&size.to_le_bytes()) {
        for hash in &mut hashes {
            *hash = (*hash ^ u64::from(*byte)).wrapping_mul(PRIME);
        }
    }
    let mut boundary = [b'0'; BOUNDARY_SIZE];
    for (at, digit) in boundary.iter_mut().enumerate() {
        let nibble = hashes[at / 16] >> (at % 16 * 4) & 0xf;
        *digit = b"0123456789abcdef"[nibble as usize];
    }
    boundary
}

/// How many decimal digits `number` has.
fn digit_count(number: u64) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

#[cfg(test)]
mod tests;
