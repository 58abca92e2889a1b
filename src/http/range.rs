//! Byte ranges: what a Range field asks for, as a plan of at most 16 parts (RFC 9110 s14.1.2, s14.2).
//!
//! Whatever may be ignored is ignored, and answers with the whole representation: other units, malformed sets, too many
//! ranges, and sets that overlap so much that they can only be meant as an amplifier (RFC 9110 s17.15).

use super::list::elements;

/// The most ranges that a request may ask for.
pub const RANGES_MAX: usize = 16;

/// The most ranges of one request that may share bytes with an earlier one (RFC 9110 s14.2: "more than two").
const OVERLAPS_MAX: usize = 2;

/// Ranges nearer than this become one: a part's own head would cost more than the bytes between (RFC 9110 s15.3.7.2).
const GAP_MIN: u64 = 80;

/// Bytes `first` to `last` of a representation, 0-based, both included; `first <= last`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByteRange {
    /// The first byte's position.
    pub first: u64,
    /// The last byte's position.
    pub last: u64,
}

impl ByteRange {
    /// How many bytes it spans.
    #[must_use]
    pub const fn size(self) -> u64 {
        self.last - self.first + 1
    }

    /// Whether both hold a same byte.
    const fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// Whether both overlap, touch, or lie less than `GAP_MIN` bytes apart.
    const fn is_near(self, other: Self) -> bool {
        self.first.saturating_sub(other.last) <= GAP_MIN
            && other.first.saturating_sub(self.last) <= GAP_MIN
    }

    /// The shortest range that holds both.
    fn hull(self, other: Self) -> Self {
        Self {
            first: self.first.min(other.first),
            last: self.last.max(other.last),
        }
    }
}

/// Up to `RANGES_MAX` ranges, held in place.
#[derive(Clone, Copy)]
pub struct RangeList {
    ranges: [ByteRange; RANGES_MAX],
    count: usize,
}

impl RangeList {
    const EMPTY: Self = Self {
        ranges: [ByteRange { first: 0, last: 0 }; RANGES_MAX],
        count: 0,
    };

    /// How many ranges it holds.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether it holds none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The ranges, in the order in which they are to be sent.
    pub fn iter(&self) -> impl Iterator<Item = &ByteRange> {
        self.as_slice().iter()
    }

    /// The ranges, in the order in which they are to be sent.
    #[must_use]
    pub fn as_slice(&self) -> &[ByteRange] {
        &self.ranges[..self.count]
    }

    /// Appends a range. Must not be full.
    fn push(&mut self, range: ByteRange) {
        self.ranges[self.count] = range;
        self.count += 1;
    }

    /// Merges `range` with all that are near to it, in the place of the foremost of them; appends it where none is.
    ///
    /// No two of the list are near to each other, before and after. Hence the ranges that are near to the merged one are
    /// those that were near to `range`, and one pass finds them all.
    fn absorb(&mut self, range: ByteRange) {
        let mut merged = range;
        let mut place = None;
        let mut kept = 0;
        for at in 0..self.count {
            let other = self.ranges[at];
            if !other.is_near(merged) {
                self.ranges[kept] = other;
                kept += 1;
                continue;
            }
            merged = merged.hull(other);
            if place.is_none() {
                place = Some(kept);
                kept += 1;
            }
        }
        self.count = kept;
        match place {
            Some(at) => self.ranges[at] = merged,
            None => self.push(merged),
        }
    }
}

impl PartialEq for RangeList {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for RangeList {}

impl std::fmt::Debug for RangeList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// What to send for a Range field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "the list is held in place so that a plan needs no heap"
)]
pub enum RangePlan {
    /// The field is ignored: 200 with the whole representation.
    Whole,
    /// 206 with one part, even where that is the whole representation.
    One(ByteRange),
    /// 206 with multipart/byteranges: two or more ranges, at least 80 bytes apart, in the request's order.
    Many(RangeList),
    /// 416: the field is well-formed, but no range of it holds a byte of the representation.
    Unsatisfiable,
}

/// Plans the answer to a Range field with `value`, for a representation of `size` bytes.
///
/// Overlapping and nearly touching ranges are coalesced, in the place of the foremost (RFC 9110 s15.3.7.2). Ranges that
/// hold no byte of the representation are left out.
#[must_use]
pub fn plan(value: &[u8], size: u64) -> RangePlan {
    let Some(range_set) = byte_range_set(value) else {
        return RangePlan::Whole;
    };
    let mut specs = elements(range_set);
    let (first, second) = (specs.next(), specs.next());
    let (Some(first), None) = (first, second) else {
        return plan_set(first.into_iter().chain(second).chain(specs), size);
    };
    match read_spec(first, size) {
        Spec::Satisfiable(range) => RangePlan::One(range),
        Spec::Unsatisfiable => RangePlan::Unsatisfiable,
        Spec::Malformed => RangePlan::Whole,
    }
}

/// A range by itself, held against no size yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskedRange {
    /// From this byte to the end.
    From(u64),
    /// From the first byte to the last, both included.
    Between(u64, u64),
    /// So many bytes at the end.
    Suffix(u64),
}

impl AskedRange {
    /// Reads a Range field that asks for ranges of bytes: the range, or that of several which is fetched first; `None` for anything
    /// else. That is the one with the lowest first byte (the start, for one at the end), so that a representation which has no byte of
    /// it has none of the others.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        let mut first: Option<Self> = None;
        for (place, spec) in elements(byte_range_set(value)?).enumerate() {
            let range = Self::of_spec(spec).filter(|_| place < RANGES_MAX)?;
            first = first
                .filter(|other| other.first() <= range.first())
                .or(Some(range));
        }
        first
    }

    fn of_spec(spec: &[u8]) -> Option<Self> {
        let dash = memchr::memchr(b'-', spec)?;
        let (first_pos, last_pos) = (spec.get(..dash)?, spec.get(dash + 1..)?);
        let (first, last) = (read_digits(first_pos)?, read_digits(last_pos)?);
        match (first_pos, last_pos) {
            ([], []) => None,
            ([], _) => (last > 0).then_some(Self::Suffix(last)),
            (_, []) => Some(Self::From(first)),
            _ => (first <= last).then_some(Self::Between(first, last)),
        }
    }

    /// The Range field that asks for the whole blocks of `block` bytes that hold it; `None` where that is everything. A suffix
    /// stays as it is: where it begins is not known.
    #[must_use]
    pub fn in_blocks(self, block: u64) -> Option<String> {
        let start_of = |byte: u64| byte - byte % block.max(1);
        match self {
            Self::From(first) if start_of(first) == 0 => None,
            Self::From(first) => Some(format!("bytes={}-", start_of(first))),
            Self::Between(first, last) => {
                let end = start_of(last).saturating_add(block);
                Some(format!("bytes={}-{}", start_of(first), end - 1))
            }
            Self::Suffix(count) => Some(format!("bytes=-{count}")),
        }
    }

    /// The first byte, where it is known.
    #[must_use]
    pub const fn first(self) -> u64 {
        match self {
            Self::From(first) | Self::Between(first, _) => first,
            Self::Suffix(_) => 0,
        }
    }
}

/// Plans a set of ranges. An empty set is malformed: the grammar asks for one at least (RFC 9110 s14.1.1).
fn plan_set<'a>(specs: impl Iterator<Item = &'a [u8]>, size: u64) -> RangePlan {
    let mut satisfiable = RangeList::EMPTY;
    let mut count = 0;
    for spec in specs {
        count += 1;
        if count > RANGES_MAX {
            return RangePlan::Whole;
        }
        match read_spec(spec, size) {
            Spec::Satisfiable(range) => satisfiable.push(range),
            Spec::Unsatisfiable => {}
            Spec::Malformed => return RangePlan::Whole,
        }
    }
    if count == 0 || is_abusive(satisfiable.as_slice()) {
        return RangePlan::Whole;
    }
    let mut coalesced = RangeList::EMPTY;
    for range in satisfiable.iter() {
        coalesced.absorb(*range);
    }
    match coalesced.as_slice() {
        [] => RangePlan::Unsatisfiable,
        [one] => RangePlan::One(*one),
        _ => RangePlan::Many(coalesced),
    }
}

/// Whether too many ranges share bytes with an earlier one (RFC 9110 s14.2).
fn is_abusive(ranges: &[ByteRange]) -> bool {
    let repeats = |at: &usize| {
        ranges[..*at]
            .iter()
            .any(|earlier| earlier.overlaps(ranges[*at]))
    };
    (0..ranges.len()).filter(repeats).count() > OVERLAPS_MAX
}

/// The range-set after `bytes=`. Names of units are case-insensitive (RFC 9110 s14.1).
fn byte_range_set(value: &[u8]) -> Option<&[u8]> {
    let (unit, range_set) = value.split_at_checked(b"bytes=".len())?;
    unit.eq_ignore_ascii_case(b"bytes=").then_some(range_set)
}

/// One range-spec, held against the representation's size.
enum Spec {
    Satisfiable(ByteRange),
    Unsatisfiable,
    Malformed,
}

/// Reads an int-range or a suffix-range (RFC 9110 s14.1.1).
fn read_spec(spec: &[u8], size: u64) -> Spec {
    let Some(dash) = spec.iter().position(|byte| *byte == b'-') else {
        return Spec::Malformed;
    };
    let (first_pos, last_pos) = (&spec[..dash], &spec[dash + 1..]);
    let (Some(first), Some(last)) = (read_digits(first_pos), read_digits(last_pos)) else {
        return Spec::Malformed;
    };
    match (first_pos, last_pos) {
        ([], []) => Spec::Malformed,
        ([], _) if last == 0 || size == 0 => Spec::Unsatisfiable,
        ([], _) => Spec::Satisfiable(ByteRange {
            first: size.saturating_sub(last),
            last: size - 1,
        }),
        ([_, ..], [_, ..]) if is_descending((first_pos, first), (last_pos, last)) => {
            Spec::Malformed
        }
        _ if first >= size => Spec::Unsatisfiable,
        (_, []) => Spec::Satisfiable(ByteRange {
            first,
            last: size - 1,
        }),
        _ => Spec::Satisfiable(ByteRange {
            first,
            last: last.min(size - 1),
        }),
    }
}

/// The number that `digits` make up, 0 where there are none; stays at the highest where it does not fit.
/// `None` where anything else than digits is among them.
fn read_digits(digits: &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for byte in digits {
        if !byte.is_ascii_digit() {
            return None;
        }
        number = number
            .saturating_mul(10)
            .saturating_add(u64::from(byte - b'0'));
    }
    Some(number)
}

/// Whether the last position is before the first, which makes a range invalid (RFC 9110 s14.1.1). Each comes with its
/// digits: where both numbers were too high to hold, those alone tell.
fn is_descending((first_pos, first): (&[u8], u64), (last_pos, last): (&[u8], u64)) -> bool {
    if first < u64::MAX || last < u64::MAX {
        return last < first;
    }
    let leading_zeros = |digits: &[u8]| digits.iter().take_while(|digit| **digit == b'0').count();
    let first_pos = &first_pos[leading_zeros(first_pos)..];
    let last_pos = &last_pos[leading_zeros(last_pos)..];
    (last_pos.len(), last_pos) < (first_pos.len(), first_pos)
}

#[cfg(test)]
mod tests;
