//! Entity-tags: reading them, their lists, and the two comparisons (RFC 9110 s8.8.3).
//!
//! Strict about a tag, lenient about a list: an element that is no entity-tag is stepped over. It equals nothing, and it
//! does not hide the good ones next to it.

use super::octets::trim_ows;

/// One entity-tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntityTag<'a> {
    /// Whether it carries `W/`.
    pub is_weak: bool,
    /// The opaque-tag, with its quotes.
    pub opaque: &'a [u8],
}

impl<'a> EntityTag<'a> {
    /// Reads a value that is exactly one entity-tag (RFC 9110 s8.8.3); `W/` is case-sensitive.
    #[must_use]
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        match read_tag(value)? {
            (tag, []) => Some(tag),
            _ => None,
        }
    }

    /// Strong comparison (RFC 9110 s8.8.3.2): both strong, and the same text.
    #[must_use]
    pub fn strong_eq(self, other: EntityTag<'_>) -> bool {
        !self.is_weak && !other.is_weak && self.opaque == other.opaque
    }

    /// Weak comparison (RFC 9110 s8.8.3.2): the same text, whether weak or not.
    #[must_use]
    pub fn weak_eq(self, other: EntityTag<'_>) -> bool {
        self.opaque == other.opaque
    }
}

/// Whether `value` is exactly one entity-tag, weak or strong.
#[must_use]
pub fn is_entity_tag(value: &[u8]) -> bool {
    EntityTag::parse(value).is_some()
}

/// Whether a field that is `"*" / #entity-tag` (If-Match, If-None-Match) names a tag that `is_equal` accepts, or `*`.
///
/// `lines` are the values of all the field's lines, which make up one list (RFC 9110 s5.3). `*` counts only where it is
/// all there is: next to any other element it is malformed, and stepped over.
pub fn is_listed<'a>(
    lines: impl Iterator<Item = &'a [u8]>,
    mut is_equal: impl FnMut(EntityTag<'a>) -> bool,
) -> bool {
    let mut has_star = false;
    let mut has_other = false;
    for line in lines {
        for element in (Elements { rest: line }) {
            match element {
                Element::Tag(tag) if is_equal(tag) => return true,
                Element::Star => has_star = true,
                Element::Tag(_) | Element::Malformed => has_other = true,
            }
        }
    }
    has_star && !has_other
}

/// An element of a list of entity-tags.
enum Element<'a> {
    Tag(EntityTag<'a>),
    Star,
    Malformed,
}

/// The elements of one line. A comma inside quotes does not end an element.
struct Elements<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        while let [b' ' | b'\t' | b',', rest @ ..] = self.rest {
            self.rest = rest;
        }
        if self.rest.is_empty() {
            return None;
        }
        if let Some((tag, rest)) = read_tag(self.rest)
            && let Some(rest) = after_element(rest)
        {
            self.rest = rest;
            return Some(Element::Tag(tag));
        }
        let (element, rest) = split_at_comma(self.rest);
        self.rest = rest;
        Some(match trim_ows(element) {
            b"*" => Element::Star,
            _ => Element::Malformed,
        })
    }
}

/// The entity-tag that `bytes` begins with, and what follows it.
fn read_tag(bytes: &[u8]) -> Option<(EntityTag<'_>, &[u8])> {
    let (is_weak, bytes) = match bytes {
        [b'W', b'/', rest @ ..] => (true, rest),
        _ => (false, bytes),
    };
    let [b'"', inner @ ..] = bytes else {
        return None;
    };
    let length = inner.iter().position(|byte| !is_etagc(*byte))?;
    if inner[length] != b'"' {
        return None;
    }
    let (opaque, rest) = bytes.split_at(length + 2);
    Some((EntityTag { is_weak, opaque }, rest))
}

/// etagc: any visible octet but the quote, and obs-text (RFC 9110 s8.8.3).
fn is_etagc(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x7e | 0x80..)
}

/// What follows the comma or the end that must come after an element; `None` where something else comes.
fn after_element(rest: &[u8]) -> Option<&[u8]> {
    match trim_ows(rest) {
        [] => Some(&[]),
        [b',', rest @ ..] => Some(rest),
        _ => None,
    }
}

/// A malformed element and what follows it: up to the next comma outside quotes, or to the end.
fn split_at_comma(bytes: &[u8]) -> (&[u8], &[u8]) {
    let mut is_quoted = false;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b',' if !is_quoted => return (&bytes[..at], &bytes[at + 1..]),
            _ => {}
        }
    }
    (bytes, &[])
}

#[cfg(test)]
mod tests;
