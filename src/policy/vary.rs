//! Which stored response a request may have: the request fields that Vary names (RFC 9111 s4.1).
//!
//! When a response is stored, what it varies by is written down as its *selection*: the names, and the values that the
//! request had, in a normal form. A later request matches where its own values have the same normal form.
//!
//! A normal form may only merge values that no origin may answer differently:
//!
//! - Lines of the same name are joined by a comma and a space (RFC 9110 s5.3); white space at their ends goes.
//! - Accept-Encoding is the set of codings that may be sent; see `vary::codings`.
//! - Accept-Language is in lower case (RFC 5646 s2.1.1), without optional white space and without empty elements.
//! - Everything else stands octet by octet: an origin may read any difference in it.
//!
//! A selection must be taken from the request **as it was sent to the origin**. A client can have Connection name a
//! field that then never gets there (RFC 9110 s7.6.1); the answer belongs to requests without it.

mod codings;
pub mod words;

use self::codings::Accepted;
use crate::http::fields::FieldLines;
use crate::http::list;
use crate::units::UnixSeconds;

/// The most responses that are stored for one URL.
pub const VARIANTS_MAX: usize = 32;

/// The most field names that a response may vary by.
pub const NAMES_MAX: usize = 16;

/// Request fields that say something of who asks, and that this cache writes anew for the origin (see `policy::forwarding`): what a
/// client has under these names is not what the origin answers to.
const WRITTEN_HERE: [&str; 4] = ["connection", "te", "via", "x-forwarded-for"];

/// The longest selection, in bytes. A response with a longer one is not stored.
pub const SELECTION_BYTES_MAX: usize = 8192;

/// What a response varies by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vary {
    /// Nothing: it answers every request for its URL.
    None,
    /// `*`: it never answers another request (s4.1). So does what cannot be read, names too much, or a field that this cache
    /// writes itself.
    Star,
    /// The request fields of these names.
    By(Names),
}

/// Names of request fields: in lower case, sorted, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names(Vec<Box<str>>);

impl Names {
    /// What a response with these fields varies by: all its Vary lines make one list (RFC 9110 s12.5.5).
    #[must_use]
    pub fn of(response: &impl FieldLines) -> Vary {
        let elements = response.values("vary").flat_map(list::elements);
        let mut names: Vec<Box<str>> = Vec::new();
        for element in elements {
            let Some(name) = name_of(element) else {
                return Vary::Star;
            };
            if let Err(place) = names.binary_search(&name) {
                if names.len() == NAMES_MAX {
                    return Vary::Star;
                }
                names.insert(place, name);
            }
        }
        if names.is_empty() {
            Vary::None
        } else {
            Vary::By(Self(names))
        }
    }

    /// The names.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(AsRef::as_ref)
    }

    /// Whether `name`, in any case, is one of them.
    #[must_use]
    pub fn contains(&self, name: &[u8]) -> bool {
        self.iter()
            .any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
    }
}

/// A field name in lower case; none for `*`, for what is no token or too long to be written down, and for what is written here.
fn name_of(element: &[u8]) -> Option<Box<str>> {
    let is_name = element != b"*" && u8::try_from(element.len()).is_ok() && is_token(element);
    let text = std::str::from_utf8(element).ok()?;
    let name = is_name.then(|| text.to_ascii_lowercase())?;
    (!WRITTEN_HERE.contains(&name.as_str())).then(|| name.into())
}

/// Whether `bytes` are a token (RFC 9110 s5.6.2).
fn is_token(bytes: &[u8]) -> bool {
    let is_tchar = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !bytes.is_empty() && bytes.iter().all(is_tchar)
}

/// The normal form that a field's values are brought to.
#[derive(Clone, Copy)]
enum Form {
    Codings,
    Languages,
    Joined,
}

/// How a value stands in a selection.
const ABSENT: u8 = 0;
const AS_CODINGS: u8 = 1;
const AS_TEXT: u8 = 2;

impl Form {
    fn of(name: &str) -> Self {
        match name {
            "accept-encoding" => Self::Codings,
            "accept-language" => Self::Languages,
            _ => Self::Joined,
        }
    }
}

/// The selection of a response that varies by `names` and answered `request`; none where it would be too long.
///
/// For each name: its size as u8, the name, how the value stands, and where there is one, its size as u16 LE and the
/// value in normal form. Equal selections select the same requests.
#[must_use]
pub fn selection(names: &Names, request: &impl FieldLines) -> Option<Box<[u8]>> {
    let mut out = Vec::new();
    for name in names.iter() {
        out.push(u8::try_from(name.len()).ok()?);
        out.extend_from_slice(name.as_bytes());
        if request.value(name).is_none() {
            out.push(ABSENT);
            continue;
        }
        let form = Form::of(name);
        let codings = accepted(form, name, request);
        out.push(if codings.is_some() {
            AS_CODINGS
        } else {
            AS_TEXT
        });
        let size_at = out.len();
        out.extend_from_slice(&[0, 0]);
        match (form, codings) {
            (_, Some(codings)) => out.extend(codings.bytes()),
            (Form::Languages, None) => out.extend(languages(name, request)),
            (_, None) => out.extend(joined(name, request)),
        }
        if out.len() > SELECTION_BYTES_MAX {
            return None;
        }
        let size = u16::try_from(out.len() - size_at - 2).ok()?;
        out.get_mut(size_at..size_at + 2)?
            .copy_from_slice(&size.to_le_bytes());
    }
    Some(out.into())
}

/// The codings that the field accepts, where its form is that and it can be read so.
fn accepted<'r>(form: Form, name: &'r str, request: &'r impl FieldLines) -> Option<Accepted<'r>> {
    matches!(form, Form::Codings)
        .then(|| Accepted::read(request.values(name)))
        .flatten()
}

/// The field's lines as one.
fn joined<'r>(name: &'r str, request: &'r impl FieldLines) -> impl Iterator<Item = u8> + 'r {
    between(request.values(name), b", ")
}

/// The field's lines as one list: lower case, no optional white space, no empty elements.
fn languages<'r>(name: &'r str, request: &'r impl FieldLines) -> impl Iterator<Item = u8> + 'r {
    let elements = request.values(name).flat_map(list::elements);
    elements
        .enumerate()
        .flat_map(|(index, element)| {
            let comma: &[u8] = if index == 0 { b"" } else { b"," };
            let parts = element.split(|byte| *byte == b';');
            comma.iter().copied().chain(between(parts, b";"))
        })
        .map(|byte| byte.to_ascii_lowercase())
}

/// `parts` without white space at their ends, and `separator` between them.
fn between<'r>(
    parts: impl Iterator<Item = &'r [u8]>,
    separator: &'static [u8],
) -> impl Iterator<Item = u8> {
    parts.enumerate().flat_map(move |(index, part)| {
        let before = if index == 0 { b"" } else { separator };
        before.iter().chain(part.trim_ascii()).copied()
    })
}

/// Whether a response that varies by `names` is not to be stored for `request`, since that has one of the fields that are `refused`.
#[must_use]
pub fn is_refused(names: &Names, request: &impl FieldLines, refused: &[Box<str>]) -> bool {
    let mut met = refused
        .iter()
        .filter(|name| names.contains(name.as_bytes()));
    met.any(|name| request.value(name).is_some())
}

/// Whether a stored response with this selection may answer `request`. An empty one fits every request; bytes that
/// [`selection`] did not write fit none. Allocates nothing.
#[must_use]
pub fn matches(selection: &[u8], request: &impl FieldLines) -> bool {
    let mut rest = selection;
    while !rest.is_empty() {
        match Nominated::split(rest) {
            Some((nominated, after)) if nominated.fits(request) => rest = after,
            _ => return false,
        }
    }
    true
}

/// The first field by which `request` differs from the selection; none where it matches, or the bytes are no selection.
#[must_use]
pub fn differs_by<'s>(selection: &'s [u8], request: &impl FieldLines) -> Option<&'s str> {
    let mut rest = selection;
    while let Some((nominated, after)) = Nominated::split(rest) {
        if !nominated.fits(request) {
            return Some(nominated.name);
        }
        rest = after;
    }
    None
}

/// Whether the selection has the field `name`, and `request` another value of it.
#[must_use]
pub fn differs_in(selection: &[u8], name: &str, request: &impl FieldLines) -> bool {
    let mut rest = selection;
    while let Some((nominated, after)) = Nominated::split(rest) {
        if nominated.name == name {
            return !nominated.fits(request);
        }
        rest = after;
    }
    false
}

/// A field of a selection.
struct Nominated<'s> {
    name: &'s str,
    kind: u8,
    value: &'s [u8],
}

impl<'s> Nominated<'s> {
    /// The first field of a selection and the rest.
    fn split(bytes: &'s [u8]) -> Option<(Self, &'s [u8])> {
        let (size, rest) = bytes.split_first()?;
        let (name, rest) = rest.split_at_checked(usize::from(*size))?;
        let name = std::str::from_utf8(name).ok()?;
        let (kind, rest) = rest.split_first()?;
        let (value, rest) = if *kind == ABSENT {
            (&[][..], rest)
        } else {
            let (size, rest) = rest.split_first_chunk::<2>()?;
            rest.split_at_checked(usize::from(u16::from_le_bytes(*size)))?
        };
        let nominated = Self {
            name,
            kind: *kind,
            value,
        };
        Some((nominated, rest))
    }

    /// Whether the request's value has the same normal form.
    fn fits(&self, request: &impl FieldLines) -> bool {
        let stored = self.value.iter().copied();
        if request.value(self.name).is_none() || self.kind == ABSENT {
            return request.value(self.name).is_none() && self.kind == ABSENT;
        }
        let form = Form::of(self.name);
        match (accepted(form, self.name, request), self.kind) {
            (Some(codings), AS_CODINGS) => codings.bytes().eq(stored),
            (None, AS_TEXT) => match form {
                Form::Languages => languages(self.name, request).eq(stored),
                Form::Codings | Form::Joined => joined(self.name, request).eq(stored),
            },
            _ => false,
        }
    }
}

/// Which of a URL's stored responses answers `request`, by its place among them; none where none may. Allocates nothing.
///
/// `stored` gives each one's selection and [recency](super::stored::Stored::recency). Where several match: one that varies
/// comes before those that do not, since a response without Vary is often a default that merely lacks it; then the most recent (s4.1).
#[must_use]
pub fn choose<'s, R: Ord + Copy>(
    stored: impl Iterator<Item = (&'s [u8], R)>,
    request: &impl FieldLines,
) -> Option<usize> {
    stored
        .enumerate()
        .filter(|(_, (selection, _))| matches(selection, request))
        .max_by_key(|(_, (selection, recency))| (!selection.is_empty(), *recency))
        .map(|(place, _)| place)
}

/// What becomes of a response that is to be stored beside its URL's other ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is one more.
    Adds,
    /// It takes the place of the one that answers the same requests.
    Replaces(usize),
    /// The URL has [`VARIANTS_MAX`] already: the one that was received first gives way, so that those which nobody asks
    /// for any more do not keep out those that somebody does. To be counted.
    Displaces(usize),
}

/// Where a response with the selection `new` goes. `stored` gives the selection of each that the URL has, and when it
/// was received.
#[must_use]
pub fn admit<'s>(stored: impl Iterator<Item = (&'s [u8], UnixSeconds)>, new: &[u8]) -> Admission {
    let mut count = 0;
    let mut first: Option<(UnixSeconds, usize)> = None;
    for (place, (selection, received)) in stored.enumerate() {
        if selection == new {
            return Admission::Replaces(place);
        }
        count += 1;
        if first.is_none_or(|(earliest, _)| received < earliest) {
            first = Some((received, place));
        }
    }
    match first {
        Some((_, place)) if count >= VARIANTS_MAX => Admission::Displaces(place),
        _ => Admission::Adds,
    }
}

#[cfg(test)]
mod tests;
