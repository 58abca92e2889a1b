//! CDN-Cache-Control, the targeted field of caches that stand before an origin (RFC 9213).
//!
//! Its value is a structured field: one mistake in it and there is none (s2.1). A member of the wrong type does not count
//! where it would allow something; where it restricts, it restricts as much as it can, as in Cache-Control.

use sfv::{BareItem, Dictionary, ListEntry, Parser};

use super::{DELTA_MAX, Delta, ResponseDirectives, Written, field_names};
use crate::http::fields::FieldLines;

/// The directives of CDN-Cache-Control; `None` where it is absent, empty, or no dictionary: then Cache-Control counts.
pub(super) fn read(fields: &impl FieldLines) -> Option<ResponseDirectives> {
    let mut joined = Vec::new();
    for line in fields.values("cdn-cache-control") {
        if !joined.is_empty() && !line.is_empty() {
            joined.extend_from_slice(b", ");
        }
        joined.extend_from_slice(line);
    }
    let members: Dictionary = Parser::new(&joined).parse().ok()?;
    if members.is_empty() {
        return None;
    }
    let mut read = ResponseDirectives {
        targeted: true,
        ..ResponseDirectives::default()
    };
    for (key, member) in &members {
        let value = Member::of(member);
        // `?0` says that the directive is not given.
        if !matches!(value, Member::Item(BareItem::Boolean(false))) {
            read.add(key.as_str().as_bytes(), &value);
        }
    }
    Some(read)
}

/// A member's value, without its parameters.
enum Member<'a> {
    Item(&'a BareItem),
    InnerList,
}

impl<'a> Member<'a> {
    const fn of(entry: &'a ListEntry) -> Self {
        match entry {
            ListEntry::Item(item) => Self::Item(&item.bare_item),
            ListEntry::InnerList(_) => Self::InnerList,
        }
    }
}

impl Written for Member<'_> {
    fn is_bare(&self) -> bool {
        matches!(self, Self::Item(BareItem::Boolean(true)))
    }

    fn delta(&self) -> Delta {
        match self {
            Self::Item(BareItem::Integer(seconds)) => u64::try_from(i64::from(*seconds))
                .map_or(Delta::Invalid, |seconds| {
                    Delta::Seconds(seconds.min(DELTA_MAX))
                }),
            _ => Delta::Invalid,
        }
    }

    fn field_names(&self) -> Option<Vec<Box<str>>> {
        match self {
            Self::Item(BareItem::String(list)) => field_names(list.as_str().as_bytes()),
            _ => None,
        }
    }
}
