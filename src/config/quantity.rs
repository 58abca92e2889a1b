//! Sizes and durations as they are written in the config: digits and a unit, nothing between them.
//!
//! A bare number is refused, as nobody can tell seconds from milliseconds by looking at it; only a size of `0` needs no
//! unit. What [`ByteSize`]'s `Display` and [`Written`] print is what the parsers here read.

use std::time::Duration;

use crate::units::ByteSize;

/// Units of sizes with the bytes that each stands for, in the order that messages name them.
const SIZE_UNITS: [(&str, u64); 8] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
];

/// Units of durations with the milliseconds that each stands for, in the order that messages name them.
const DURATION_UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

/// Why a text is not a size or not a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuantityFault {
    /// Nothing but digits.
    NoUnit,
    /// Digits and something that is no unit; `nearest` differs from it in upper and lower case or by an abbreviation.
    UnknownUnit {
        /// The unit that was probably meant.
        nearest: Option<&'static str>,
    },
    /// It does not start with a digit, or has a sign, a fraction or a space.
    NotANumber,
    /// More than 64 bits can count.
    TooLarge,
}

/// The names of the size units, for messages.
pub fn size_units() -> impl Iterator<Item = &'static str> {
    SIZE_UNITS.iter().map(|(name, _)| *name)
}

/// The names of the duration units, for messages.
pub fn duration_units() -> impl Iterator<Item = &'static str> {
    DURATION_UNITS.iter().map(|(name, _)| *name)
}

/// Reads a size such as `16KiB`, `20GB`, `0B` or `0`.
///
/// # Errors
/// The text is no size.
pub fn parse_size(text: &str) -> Result<ByteSize, QuantityFault> {
    match count_in(text, &SIZE_UNITS) {
        Err(QuantityFault::NoUnit) if text.bytes().all(|digit| digit == b'0') => Ok(ByteSize(0)),
        bytes => bytes.map(ByteSize),
    }
}

/// Reads a duration such as `500ms`, `10s`, `5m` or `1h`.
///
/// # Errors
/// The text is no duration.
pub fn parse_duration(text: &str) -> Result<Duration, QuantityFault> {
    count_in(text, &DURATION_UNITS).map(Duration::from_millis)
}

/// Splits `text` into digits and unit and multiplies them out.
fn count_in(text: &str, units: &[(&'static str, u64)]) -> Result<u64, QuantityFault> {
    let digits_end = text
        .bytes()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(digits_end);
    if digits.is_empty() || unit.starts_with(['.', ',', ' ', '_', '\t']) {
        return Err(QuantityFault::NotANumber);
    }
    if unit.is_empty() {
        return Err(QuantityFault::NoUnit);
    }
    let Some((_, factor)) = units.iter().find(|(name, _)| *name == unit) else {
        return Err(QuantityFault::UnknownUnit {
            nearest: nearest_unit(unit, units),
        });
    };
    // Only digits are left, so the one way for them to fail is to be too many.
    let count: u64 = digits.parse().map_err(|_| QuantityFault::TooLarge)?;
    count.checked_mul(*factor).ok_or(QuantityFault::TooLarge)
}

/// The unit that `unit` abbreviates or writes in another case: `k`, `KB`, `kib`, `sec`, `min`.
fn nearest_unit(unit: &str, units: &[(&'static str, u64)]) -> Option<&'static str> {
    let lower = unit.to_ascii_lowercase();
    let same = |name: &&str| name.eq_ignore_ascii_case(unit);
    let begins = |name: &&str| name.to_ascii_lowercase().starts_with(&lower);
    let begun = |name: &&str| lower.starts_with(&name.to_ascii_lowercase());
    let names = || units.iter().map(|(name, _)| *name);
    names()
        .find(same)
        .or_else(|| names().find(begins))
        .or_else(|| names().find(begun))
}

/// A duration as the config writes it: the largest unit that divides it. What is below a millisecond is cut off.
#[derive(Clone, Copy, Debug)]
pub struct Written(pub Duration);

impl std::fmt::Display for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let millis = self.0.as_millis();
        if millis == 0 {
            return f.write_str("0s");
        }
        let fitting = DURATION_UNITS
            .iter()
            .rev()
            .map(|(name, factor)| (name, u128::from(*factor)))
            .find(|(_, factor)| millis.is_multiple_of(*factor));
        let (name, factor) = fitting.unwrap_or((&"ms", 1));
        write!(f, "{}{name}", millis / factor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn size_with_unit_is_bytes() {
        let cases = [
            ("0", 0),
            ("000", 0),
            ("0B", 0),
            ("1B", 1),
            ("16KiB", 16_384),
            ("512MiB", 536_870_912),
            ("2GiB", 2_147_483_648),
            ("1TiB", 1_099_511_627_776),
            ("3kB", 3_000),
            ("7MB", 7_000_000),
            ("20GB", 20_000_000_000),
        ];
        for (text, bytes) in cases {
            assert_eq!(parse_size(text), Ok(ByteSize(bytes)), "{text}");
        }
    }

    #[test]
    fn duration_with_unit_is_milliseconds() {
        let cases = [
            ("0s", 0),
            ("500ms", 500),
            ("10s", 10_000),
            ("5m", 300_000),
            ("1h", 3_600_000),
        ];
        for (text, millis) in cases {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_millis(millis)),
                "{text}"
            );
        }
    }

    #[test]
    fn size_that_is_none_names_its_fault() {
        let unknown = |nearest| QuantityFault::UnknownUnit { nearest };
        let cases = [
            ("", QuantityFault::NotANumber),
            ("KiB", QuantityFault::NotANumber),
            ("-1KiB", QuantityFault::NotANumber),
            ("+1KiB", QuantityFault::NotANumber),
            ("1.5MiB", QuantityFault::NotANumber),
            ("16 KiB", QuantityFault::NotANumber),
            ("1_000B", QuantityFault::NotANumber),
            ("16384", QuantityFault::NoUnit),
            ("16K", unknown(Some("KiB"))),
            ("16kib", unknown(Some("KiB"))),
            ("16KB", unknown(Some("kB"))),
            ("16m", unknown(Some("MiB"))),
            ("16bytes", unknown(Some("B"))),
            ("16x", unknown(None)),
            ("18446744073709551616B", QuantityFault::TooLarge),
            ("18446744073709551615TiB", QuantityFault::TooLarge),
        ];
        for (text, fault) in cases {
            assert_eq!(parse_size(text), Err(fault), "{text}");
        }
    }

    #[test]
    fn duration_that_is_none_names_its_fault() {
        let unknown = |nearest| QuantityFault::UnknownUnit { nearest };
        let cases = [
            ("", QuantityFault::NotANumber),
            ("0", QuantityFault::NoUnit),
            ("10", QuantityFault::NoUnit),
            ("10 s", QuantityFault::NotANumber),
            ("10sec", unknown(Some("s"))),
            ("5min", unknown(Some("m"))),
            ("1H", unknown(Some("h"))),
            ("1d", unknown(None)),
            ("99999999999999999999h", QuantityFault::TooLarge),
        ];
        for (text, fault) in cases {
            assert_eq!(parse_duration(text), Err(fault), "{text}");
        }
    }

    proptest! {
        #[test]
        fn printed_size_reads_back_the_same(bytes: u64) {
            prop_assert_eq!(parse_size(&ByteSize(bytes).to_string()), Ok(ByteSize(bytes)));
        }

        #[test]
        fn printed_round_size_reads_back_the_same(count in 0_u64..4096, shift in 0_u32..=40) {
            let size = ByteSize(count << shift);
            prop_assert_eq!(parse_size(&size.to_string()), Ok(size));
        }

        #[test]
        fn printed_duration_reads_back_the_same(millis: u64) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse_duration(&Written(duration).to_string()), Ok(duration));
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in "\\PC{0,24}") {
            let size = parse_size(&text);
            let duration = parse_duration(&text);
            prop_assert!(size.is_err() || text.starts_with(|c: char| c.is_ascii_digit()));
            prop_assert!(duration.is_err() || text.starts_with(|c: char| c.is_ascii_digit()));
        }
    }
}
