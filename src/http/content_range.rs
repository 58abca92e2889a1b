//! Content-Range: which part of a representation a 206 brings (RFC 9110 s14.4).

use super::range::ByteRange;

/// What a Content-Range of a part says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentRange {
    /// The bytes that came.
    pub range: ByteRange,
    /// How many bytes the whole representation has; `None` for `*`. Always more than the last position.
    pub complete_size: Option<u64>,
}

impl ContentRange {
    /// Reads `bytes FIRST-LAST/SIZE`. `None` for other units, for a 416's `bytes */SIZE`, and for what contradicts
    /// itself, which RFC 9110 s14.4 forbids to combine with anything.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (unit, rest) = value.split_at_checked(b"bytes ".len())?;
        if !unit.eq_ignore_ascii_case(b"bytes ") {
            return None;
        }
        let (positions, size) = split_at(rest, b'/')?;
        let (first, last) = split_at(positions, b'-')?;
        let range = ByteRange {
            first: read_number(first)?,
            last: read_number(last)?,
        };
        let complete_size = match size {
            b"*" => None,
            _ => Some(read_number(size)?),
        };
        let is_inside = complete_size.is_none_or(|size| range.last < size);
        (range.first <= range.last && range.last < u64::MAX && is_inside).then_some(Self {
            range,
            complete_size,
        })
    }
}

/// What stands before and after the first `octet`.
fn split_at(text: &[u8], octet: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(octet, text)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// A number in digits only; `None` where it does not fit.
fn read_number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        if !digit.is_ascii_digit() {
            return None;
        }
        number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
    })
}

#[cfg(test)]
mod rfc9110_s14_4 {
    use super::*;

    #[test]
    fn a_part_is_read_with_and_without_the_whole_size() {
        let part = |first, last, complete_size| {
            Some(ContentRange {
                range: ByteRange { first, last },
                complete_size,
            })
        };
        for (value, wanted) in [
            ("bytes 0-0/1", part(0, 0, Some(1))),
            ("Bytes 42-1233/1234", part(42, 1233, Some(1234))),
            ("bytes 42-1233/*", part(42, 1233, None)),
        ] {
            assert_eq!(ContentRange::parse(value.as_bytes()), wanted, "{value}");
        }
    }

    #[test]
    fn what_contradicts_itself_is_none() {
        for value in [
            "",
            "bytes",
            "bytes ",
            "bytes */1234",
            "bytes 0-1",
            "bytes 2-1/3",
            "bytes 0-3/3",
            "bytes 0-3/-",
            "bytes -3/4",
            "bytes 0-/4",
            "bytes +0-1/4",
            "bytes 0 - 1/4",
            "bytes=0-1/4",
            "items 0-1/4",
            "bytes 0-1/4, bytes 2-3/4",
            "bytes 0-18446744073709551615/*",
            "bytes 0-18446744073709551616/*",
        ] {
            assert_eq!(ContentRange::parse(value.as_bytes()), None, "{value}");
        }
    }
}
