//! Field lines apart from a head: what is stored of a response, and what of a request goes to the fill threads.
//!
//! [`Fields`] keeps them in the form in which they are sent, so that storing, reading back and sending them is one copy.
//! [`FieldLines`] is what decisions ask for: they do not care whether a head was just parsed or comes from the store.

use super::head::RequestHead;
use super::octets::{are_field_content, is_token, trim_ows};

/// Anything that has field lines (RFC 9110 s5).
pub trait FieldLines {
    /// Name and value of every line, in the order received; values have no white space at their ends.
    fn lines(&self) -> impl Iterator<Item = (&[u8], &[u8])>;

    /// The values of every line called `name`, in any case, in the order received (RFC 9110 s5.3).
    fn values<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s [u8]> {
        self.lines()
            .filter(move |(line, _)| line.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// The value of the first line called `name`.
    fn value<'s>(&'s self, name: &'s str) -> Option<&'s [u8]> {
        self.values(name).next()
    }
}

impl FieldLines for RequestHead<'_> {
    fn lines(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields()
    }
}

/// Field lines of its own: `name: value` and CRLF each, without the empty line that ends a head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(Vec<u8>);

impl Fields {
    /// No lines.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// No lines, and room for `bytes` of them.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// Appends a line. False, and nothing appended, where the name is no token or the value has an octet that no field
    /// value may have (RFC 9110 s5.5).
    pub fn push(&mut self, name: &[u8], value: &[u8]) -> bool {
        let value = trim_ows(value);
        if !is_token(name) || !are_field_content(value) {
            return false;
        }
        self.0.extend_from_slice(name);
        self.0.extend_from_slice(b": ");
        self.0.extend_from_slice(value);
        self.0.extend_from_slice(b"\r\n");
        true
    }

    /// The lines that `keep` wants.
    #[must_use]
    pub fn filtered(&self, mut keep: impl FnMut(&[u8], &[u8]) -> bool) -> Self {
        let mut kept = Self(Vec::with_capacity(self.0.len()));
        for line in Lines(&self.0) {
            if split(line).is_some_and(|(name, value)| keep(name, value)) {
                kept.0.extend_from_slice(line);
            }
        }
        kept
    }

    /// Name and value of the lines that [`as_bytes`](Self::as_bytes) gave, wherever those bytes are by now.
    pub fn lines_of(bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
        Lines(bytes).filter_map(split)
    }

    /// The lines as they are sent.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Reads lines that [`as_bytes`](Self::as_bytes) gave; none where they are anything else.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut fields = Self(Vec::with_capacity(bytes.len()));
        for line in Lines(bytes) {
            let (name, value) = split(line)?;
            if !fields.push(name, value) {
                return None;
            }
        }
        (fields.0 == bytes).then_some(fields)
    }
}

impl FieldLines for Fields {
    fn lines(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        Self::lines_of(&self.0)
    }

    /// Looks for a colon only where a line may be the one.
    fn values<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s [u8]> {
        let name = name.as_bytes();
        Lines(&self.0).filter_map(move |line| {
            let (start, rest) = line.split_at_checked(name.len())?;
            let rest = rest.strip_prefix(b": ")?;
            let is_it = start.eq_ignore_ascii_case(name);
            is_it.then(|| rest.strip_suffix(b"\r\n"))?
        })
    }
}

/// Lines, each with the line feed that ends it.
struct Lines<'b>(&'b [u8]);

impl<'b> Iterator for Lines<'b> {
    type Item = &'b [u8];

    fn next(&mut self) -> Option<&'b [u8]> {
        if self.0.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'\n', self.0).map_or(self.0.len(), |end| end + 1);
        let (line, rest) = self.0.split_at(end);
        self.0 = rest;
        Some(line)
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> FromIterator<(N, V)> for Fields {
    /// Lines that may not stand in a head are left out.
    fn from_iter<I: IntoIterator<Item = (N, V)>>(lines: I) -> Self {
        let mut fields = Self::new();
        for (name, value) in lines {
            fields.push(name.as_ref(), value.as_ref());
        }
        fields
    }
}

/// Name and value of a line with its CRLF.
fn split(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let line = line.strip_suffix(b"\r\n")?;
    let colon = memchr::memchr(b':', line)?;
    let (name, rest) = line.split_at(colon);
    Some((name, rest.strip_prefix(b": ")?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn example() -> Fields {
        [
            ("ETag", "\"a\""),
            ("Vary", "a: b"),
            ("vary", ""),
            ("X", " y "),
        ]
        .into_iter()
        .collect()
    }

    #[test]
    fn lines_come_back_in_order_and_by_name_in_any_case() {
        let fields = example();
        assert_eq!(
            fields.as_bytes(),
            b"ETag: \"a\"\r\nVary: a: b\r\nvary: \r\nX: y\r\n"
        );
        let vary: Vec<_> = fields.values("VARY").collect();
        assert_eq!(vary, [&b"a: b"[..], b""]);
        assert_eq!(fields.value("x"), Some(&b"y"[..]));
        for name in ["none", "ET", "ETagg", "ETag: \"a\"", "b"] {
            assert_eq!(fields.value(name), None, "{name}");
        }
    }

    #[test]
    fn a_line_that_would_end_the_head_or_forge_another_is_not_taken() {
        let mut fields = Fields::new();
        for (name, value) in [
            (&b"A"[..], &b"x\r\nB: y"[..]),
            (b"A\r\nB", b"x"),
            (b"", b"x"),
            (b"A b", b"x"),
            (b"A", b"x\0"),
        ] {
            assert!(!fields.push(name, value));
        }
        assert_eq!(fields, Fields::new());
    }

    #[test]
    fn filtered_keeps_the_wanted_lines_as_they_were() {
        let kept = example().filtered(|name, _| name.eq_ignore_ascii_case(b"vary"));
        assert_eq!(kept.as_bytes(), b"Vary: a: b\r\nvary: \r\n");
    }

    #[test]
    fn bytes_of_something_else_are_refused() {
        for bytes in [
            &b"A: b"[..],
            b"A:b\r\n",
            b"A: b\n",
            b"\r\n",
            b"A: b\r\n\r\n",
            b"A:  b\r\n",
        ] {
            assert_eq!(Fields::from_bytes(bytes), None, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn bytes_come_back(lines in proptest::collection::vec(("[A-Za-z-]{1,9}", "[ -~]{0,20}"), 0..9)) {
            let fields: Fields = lines.iter().cloned().collect();
            prop_assert_eq!(fields.lines().count(), lines.len());
            prop_assert_eq!(Fields::from_bytes(fields.as_bytes()), Some(fields));
        }
    }
}
