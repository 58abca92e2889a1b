//! Single values of the parsed TOML, held to their shape: numbers, sizes, durations.

use std::ops::RangeInclusive;
use std::time::Duration;

use toml::de::DeValue;

use super::mistake::Cause;
use super::quantity::{self, QuantityFault, Written};
use super::shape::LIFETIMES;
use crate::units::ByteSize;

/// The cause for a value of another type; `accepts` says what belongs there.
pub(super) fn wrong_type(found: &DeValue<'_>, accepts: String) -> Cause {
    let found = match found {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or a time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    Cause::WrongType { found, accepts }
}

/// The number, if it is one in the range.
pub(super) fn count(value: &DeValue<'_>, min: usize, max: usize) -> Option<usize> {
    let count = usize::try_from(integer(value)?).ok()?;
    (min..=max).contains(&count).then_some(count)
}

/// The integer's value; none where 64 bits can't hold it.
fn integer(value: &DeValue<'_>) -> Option<i64> {
    let DeValue::Integer(integer) = value else {
        return None;
    };
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// The thousandths of a number from 0 to 1 that has no finer part; none for any other.
pub(super) fn thousandths(value: &DeValue<'_>) -> Option<u32> {
    let number: f64 = match value {
        DeValue::Integer(_) => f64::from(i32::try_from(integer(value)?).ok()?),
        DeValue::Float(written) => written.as_str().parse().ok()?,
        _ => return None,
    };
    // What is written in decimal is next to a thousandth, not on it.
    const NOISE: f64 = 1e-9;
    let permille = number * 1000.0;
    (0..=1000_u32).find(|whole| (permille - f64::from(*whole)).abs() < NOISE)
}

/// The bytes of a size in the range.
pub(super) fn size(
    value: &DeValue<'_>,
    accepts: String,
    range: RangeInclusive<ByteSize>,
) -> Result<ByteSize, Cause> {
    let form = Form {
        parse: quantity::parse_size,
        advise: &|count| nearest_in(&range, ByteSize(count)).to_string(),
        fits: &|size| range.contains(&size),
        units: quantity::size_units().collect(),
    };
    form.read(value, accepts)
}

/// The bytes of a size in the range, whose ends are powers of two, that is one too.
pub(super) fn power_of_two(
    value: &DeValue<'_>,
    accepts: String,
    range: RangeInclusive<ByteSize>,
) -> Result<ByteSize, Cause> {
    let rounded = |count: u64| ByteSize(count.checked_next_power_of_two().unwrap_or(u64::MAX));
    let form = Form {
        parse: quantity::parse_size,
        advise: &|count| nearest_in(&range, rounded(count)).to_string(),
        fits: &|size| range.contains(&size) && size.0.is_power_of_two(),
        units: quantity::size_units().collect(),
    };
    form.read(value, accepts)
}

/// A duration in the range.
pub(super) fn duration(
    value: &DeValue<'_>,
    accepts: String,
    range: RangeInclusive<Duration>,
) -> Result<Duration, Cause> {
    duration_that(value, accepts, &range, &|time| range.contains(&time))
}

/// A lifetime: a duration in whole seconds.
pub(super) fn lifetime(value: &DeValue<'_>, accepts: String) -> Result<Duration, Cause> {
    let fits = |time: Duration| LIFETIMES.contains(&time) && time.subsec_nanos() == 0;
    duration_that(value, accepts, &LIFETIMES, &fits)
}

fn duration_that(
    value: &DeValue<'_>,
    accepts: String,
    range: &RangeInclusive<Duration>,
    fits: &dyn Fn(Duration) -> bool,
) -> Result<Duration, Cause> {
    let form = Form {
        parse: quantity::parse_duration,
        advise: &|count| Written(nearest_in(range, Duration::from_secs(count))).to_string(),
        fits,
        units: quantity::duration_units().collect(),
    };
    form.read(value, accepts)
}

/// The value itself, or the end of the range that it lies beyond: what is advised must be allowed.
fn nearest_in<Q: Ord + Copy>(range: &RangeInclusive<Q>, value: Q) -> Q {
    value.clamp(*range.start(), *range.end())
}

/// How a quantity is read: what sizes and durations have in common.
struct Form<'f, Q> {
    parse: fn(&str) -> Result<Q, QuantityFault>,
    /// What to write for a bare number, which is taken to be in the smallest unit that makes sense.
    advise: &'f dyn Fn(u64) -> String,
    /// Whether the key takes it.
    fits: &'f dyn Fn(Q) -> bool,
    units: Vec<&'static str>,
}

impl<Q: Copy> Form<'_, Q> {
    fn read(self, value: &DeValue<'_>, accepts: String) -> Result<Q, Cause> {
        match value {
            DeValue::String(text) => match (self.parse)(text) {
                Ok(quantity) if (self.fits)(quantity) => Ok(quantity),
                Ok(_) => Err(Cause::OutOfRange {
                    found: format!("{text:?}"),
                    accepts,
                }),
                Err(QuantityFault::NoUnit) => {
                    Err(self.bare(format!("{text:?}"), text.parse().ok(), accepts))
                }
                Err(fault) => Err(Cause::Quantity {
                    found: text.to_string(),
                    fault,
                    units: self.units,
                    accepts,
                }),
            },
            DeValue::Integer(written) => {
                let count = integer(value).and_then(|count| u64::try_from(count).ok());
                Err(self.bare(written.to_string(), count, accepts))
            }
            other => Err(wrong_type(other, accepts)),
        }
    }

    /// The cause for a number without a unit; no `count` where 64 bits can't hold it.
    fn bare(&self, found: String, count: Option<u64>, accepts: String) -> Cause {
        match count {
            Some(count) => Cause::NoUnit {
                found,
                write: (self.advise)(count),
                accepts,
            },
            None => Cause::OutOfRange { found, accepts },
        }
    }
}
