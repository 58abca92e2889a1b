//! Single values of the parsed TOML, held to their shape: numbers, sizes, durations.

use std::ops::RangeInclusive;
use std::time::Duration;

use toml::de::DeValue;

use super::mistake::Cause;
use super::quantity::{self, QuantityFault, Written};
use super::shape::Key;
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

/// The bytes of a size and the text it was written as.
pub(super) fn size(
    value: &DeValue<'_>,
    accepts: String,
    range: RangeInclusive<ByteSize>,
) -> Result<(ByteSize, String), Cause> {
    let parse = |text: &str| quantity::parse_size(text);
    let write = |count: u64| nearest_in(&range, ByteSize(count)).to_string();
    quantity(
        value,
        accepts,
        parse,
        write,
        quantity::size_units().collect(),
    )
}

/// A duration and the text it was written as.
pub(super) fn duration(
    value: &DeValue<'_>,
    accepts: String,
    range: RangeInclusive<Duration>,
) -> Result<(Duration, String), Cause> {
    let parse = |text: &str| quantity::parse_duration(text);
    let write = |count: u64| Written(nearest_in(&range, Duration::from_secs(count))).to_string();
    quantity(
        value,
        accepts,
        parse,
        write,
        quantity::duration_units().collect(),
    )
}

/// The value itself, or the end of the range that it lies beyond: what is advised must be allowed.
fn nearest_in<Q: Ord + Copy>(range: &RangeInclusive<Q>, value: Q) -> Q {
    value.clamp(*range.start(), *range.end())
}

/// What is common to sizes and durations: a text that `parse` reads; for a bare number `write` has the advice.
fn quantity<Q>(
    value: &DeValue<'_>,
    accepts: String,
    parse: impl Fn(&str) -> Result<Q, QuantityFault>,
    write: impl Fn(u64) -> String,
    units: Vec<&'static str>,
) -> Result<(Q, String), Cause> {
    let bare = |found: String, count: Option<u64>, accepts: String| match count {
        Some(count) => Cause::NoUnit {
            found,
            write: write(count),
            accepts,
        },
        None => Cause::OutOfRange { found, accepts },
    };
    match value {
        DeValue::String(text) => match parse(text) {
            Ok(quantity) => Ok((quantity, text.to_string())),
            Err(QuantityFault::NoUnit) => {
                Err(bare(format!("{text:?}"), text.parse().ok(), accepts))
            }
            Err(fault) => Err(Cause::Quantity {
                found: text.to_string(),
                fault,
                units,
                accepts,
            }),
        },
        DeValue::Integer(written) => {
            let count = integer(value).and_then(|count| u64::try_from(count).ok());
            Err(bare(written.to_string(), count, accepts))
        }
        other => Err(wrong_type(other, accepts)),
    }
}

/// The value, if it is in the range; `shown` is how it was written.
pub(super) fn in_range<T, Q: PartialOrd>(
    value: Q,
    min: Q,
    max: Q,
    shown: String,
    key: &Key<T>,
) -> Result<Q, Cause> {
    if value >= min && value <= max {
        return Ok(value);
    }
    Err(Cause::OutOfRange {
        found: format!("{shown:?}"),
        accepts: key.shape.accepts(),
    })
}
