//! Cache-Control: what requests and responses say to caches (RFC 9111 s5.2), and CDN-Cache-Control (RFC 9213).
//!
//! Reading never fails. A directive that restricts counts in whatever form it comes, and where its argument cannot be
//! read it restricts as much as it can; a directive that allows something must be well formed. So a slip of the pen never
//! makes a response fresher than its origin meant (RFC 9111 s4.2.1). Unknown directives are stepped over (s5.2.3).
//!
//! The request side runs on the way of a hit: it allocates nothing and keeps no reference into the head.

mod request;
mod response;
mod targeted;

pub use request::{MaxStale, RequestDirectives};
pub use response::{Qualified, ResponseDirectives};

use super::octets::{is_tchar, is_token, trim_ows};

/// The longest time that a delta-seconds can tell: 2^31 seconds, 68 years. Longer ones are taken for it (RFC 9111 s1.2.2).
pub const DELTA_MAX: u64 = 1 << 31;

/// A delta-seconds argument (RFC 9111 s1.2.2).
///
/// The order is that of how much a lifetime allows: the smaller one is the stricter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Delta {
    /// No non-negative integer. As a lifetime it is none at all (s4.2.1).
    Invalid,
    /// At most [`DELTA_MAX`].
    Seconds(u64),
}

impl Delta {
    /// Reads digits; anything else, and nothing, is [`Delta::Invalid`].
    #[must_use]
    pub fn parse(digits: &[u8]) -> Self {
        Self::of_octets(digits.iter().copied())
    }

    /// The seconds; none for what could not be read.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        match self {
            Self::Invalid => 0,
            Self::Seconds(seconds) => seconds,
        }
    }

    fn of_octets(octets: impl Iterator<Item = u8>) -> Self {
        let mut read = Self::Invalid;
        for octet in octets {
            if !octet.is_ascii_digit() {
                return Self::Invalid;
            }
            let seconds = read.seconds() * 10 + u64::from(octet - b'0');
            read = Self::Seconds(seconds.min(DELTA_MAX));
        }
        read
    }
}

/// A directive of a field line: a token, and what stands after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Directive<'a> {
    name: &'a [u8],
    argument: Argument<'a>,
}

/// What stands after a directive's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Argument<'a> {
    /// Nothing.
    None,
    /// `=` and a token.
    Token(&'a [u8]),
    /// `=` and a quoted-string, of which this is what stands between the quotes, with its backslashes.
    Quoted(&'a [u8]),
    /// Something that the grammar does not have.
    Malformed,
}

impl<'a> Argument<'a> {
    /// The argument's octets, without the backslashes of a quoted-string (RFC 9110 s5.6.4).
    fn octets(self) -> impl Iterator<Item = u8> + use<'a> {
        let (text, is_quoted) = match self {
            Self::Token(text) => (text, false),
            Self::Quoted(text) => (text, true),
            Self::None | Self::Malformed => (&b""[..], false),
        };
        let mut octets = text.iter().copied();
        std::iter::from_fn(move || match octets.next() {
            Some(b'\\') if is_quoted => octets.next(),
            octet => octet,
        })
    }
}

/// A directive's argument in whichever syntax it came: Cache-Control's own, or that of structured fields.
trait Written {
    /// Whether there is none.
    fn is_bare(&self) -> bool;
    /// Its delta-seconds.
    fn delta(&self) -> Delta;
    /// Its list of field names; `None` where it is anything else.
    fn field_names(&self) -> Option<Vec<Box<str>>>;
}

impl Written for Argument<'_> {
    fn is_bare(&self) -> bool {
        *self == Argument::None
    }

    fn delta(&self) -> Delta {
        Delta::of_octets(self.octets())
    }

    fn field_names(&self) -> Option<Vec<Box<str>>> {
        let list: Vec<u8> = self.octets().collect();
        field_names(&list)
    }
}

/// The names in a list of field names, in lower case; `None` where it has none, or has anything else.
fn field_names(list: &[u8]) -> Option<Vec<Box<str>>> {
    let elements = super::list::elements(list).map(|element| {
        let name = is_token(element).then(|| std::str::from_utf8(element).ok());
        name.flatten().map(|name| name.to_ascii_lowercase().into())
    });
    let names: Vec<Box<str>> = elements.collect::<Option<_>>()?;
    (!names.is_empty()).then_some(names)
}

/// The directives of one field line.
///
/// An element that begins with no token is left out. A quote that is never closed is a letter like any other: what
/// follows it is not hidden.
struct Directives<'a> {
    rest: &'a [u8],
}

impl<'a> Directives<'a> {
    const fn of(line: &'a [u8]) -> Self {
        Self { rest: line }
    }
}

impl<'a> Iterator for Directives<'a> {
    type Item = Directive<'a>;

    fn next(&mut self) -> Option<Directive<'a>> {
        loop {
            while let [b' ' | b'\t' | b',', rest @ ..] = self.rest {
                self.rest = rest;
            }
            if self.rest.is_empty() {
                return None;
            }
            let name_size = self.rest.iter().take_while(|octet| is_tchar(**octet));
            let (name, after) = self.rest.split_at(name_size.count());
            let (argument, rest) = read_argument(after);
            self.rest = rest;
            if !name.is_empty() {
                return Some(Directive { name, argument });
            }
        }
    }
}

/// The argument that stands in `after`, and what follows the comma after it.
fn read_argument(after: &[u8]) -> (Argument<'_>, &[u8]) {
    if let [b'=', b'"', text @ ..] = after
        && let Some((inner, tail)) = split_at_quote(text)
    {
        let (between, rest) = split_at_comma(tail);
        let argument = match trim_ows(between) {
            [] => Argument::Quoted(inner),
            _ => Argument::Malformed,
        };
        return (argument, rest);
    }
    let (text, rest) = split_at_comma(after);
    let argument = match (text.first(), trim_ows(text)) {
        (_, []) => Argument::None,
        (Some(b'='), [b'=', token @ ..]) if is_token(token) => Argument::Token(token),
        _ => Argument::Malformed,
    };
    (argument, rest)
}

/// What stands before the quote that closes a quoted-string, and what follows it; `None` where it is never closed.
fn split_at_quote(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut is_escaped = false;
    let end = text.iter().position(|octet| {
        let is_end = *octet == b'"' && !is_escaped;
        is_escaped = *octet == b'\\' && !is_escaped;
        is_end
    })?;
    let (inner, rest) = text.split_at(end);
    Some((inner, rest.get(1..).unwrap_or_default()))
}

/// What stands before the next comma, and what follows it.
fn split_at_comma(text: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b',', text) {
        Some(at) => {
            let (before, rest) = text.split_at(at);
            (before, rest.get(1..).unwrap_or_default())
        }
        None => (text, &[]),
    }
}

/// Room for the longest directive's name, `stale-while-revalidate`, in lower case.
const NAME_MAX: usize = 22;

/// `name` in lower case; empty where it is longer than any directive that is known.
fn lower_case<'b>(name: &[u8], buffer: &'b mut [u8; NAME_MAX]) -> &'b [u8] {
    match buffer.get_mut(..name.len()) {
        Some(lower) => {
            lower.copy_from_slice(name);
            lower.make_ascii_lowercase();
            lower
        }
        None => &[],
    }
}

#[cfg(test)]
mod tests;
