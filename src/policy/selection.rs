//! What part of a representation a request gets: preconditions first, then the range (RFC 9110 s13.2.2, s14.2).
//!
//! Pure. Never chooses the representation (see `http::accept_encoding`) and knows no bytes.

use crate::http::conditional::{self, Precondition, Validators};
use crate::http::head::{Field, Method, RequestHead};
use crate::http::range::{self, ByteRange, RangeList, RangePlan};
use crate::units::UnixSeconds;

/// The part of a representation that answers a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it: 200.
    Whole,
    /// None: 304.
    NotModified,
    /// None: 412.
    PreconditionFailed,
    /// One range: 206.
    One(ByteRange),
    /// Several ranges: 206 with multipart/byteranges. Boxed, so that the common parts stay small to pass on.
    Many(Box<RangeList>),
    /// None: 416.
    Unsatisfiable,
}

/// Selects the part of a representation that a GET or HEAD gets. `size` is in bytes; where it is not known yet, there are no
/// ranges. `now` is the Date of the answer.
#[must_use]
pub fn select(
    head: &RequestHead<'_>,
    validators: &Validators<'_>,
    size: Option<u64>,
    now: UnixSeconds,
) -> Part {
    if conditional::is_conditional(head) {
        match conditional::evaluate(head, validators) {
            Precondition::Proceed => {}
            Precondition::NotModified => return Part::NotModified,
            Precondition::Failed => return Part::PreconditionFailed,
        }
    }
    let Some((wanted, size)) = head.field(Field::Range).zip(size) else {
        return Part::Whole;
    };
    // RFC 9110 s14.2: Range is defined for GET alone; s5.3: it is no list field, so a repeated one means nothing.
    if head.method != Method::Get || head.is_repeated(Field::Range) {
        return Part::Whole;
    }
    if let Some(condition) = head.field(Field::IfRange)
        && (head.is_repeated(Field::IfRange)
            || !conditional::if_range_matches(condition, validators, now))
    {
        return Part::Whole;
    }
    match range::plan(wanted, size) {
        RangePlan::Whole => Part::Whole,
        RangePlan::One(range) => Part::One(range),
        RangePlan::Many(ranges) => Part::Many(Box::new(ranges)),
        RangePlan::Unsatisfiable => Part::Unsatisfiable,
    }
}
