//! Heads of requests (RFC 9112 s2 to s5), parsed in place.
//!
//! The parser of the `httparse` crate finds lines, names and values; this module adds what it is lenient about and
//! recognises the fields the server acts on in the same pass. Nothing is copied or allocated: a head borrows the
//! connection's buffer, and its table of fields lies in a [`FieldScratch`], which is never zeroed.
//!
//! Stricter than RFC 9112 asks, where parsers are known to differ: bare LF and line folding are refused. A head that
//! can never become valid is refused as soon as the offending byte is there, and the cause does not depend on how
//! the bytes were split.

mod fault;

use std::mem::MaybeUninit;

use httparse::{EMPTY_HEADER, Header, Status};

use super::authority::host_of;
use super::field::FIELD_COUNT;
pub use super::field::Field;
use super::octets::trim_ows;
use super::reject::Reject;

/// The most field lines that any head may have.
pub const FIELDS_MAX: usize = 256;

/// The most empty lines that are skipped before a request line (RFC 9112 s2.2).
pub const EMPTY_LINES_MAX: usize = 2;

/// Marks a field that the head does not have in its table of first lines.
const ABSENT: u16 = u16::MAX;

const _: () = assert!(FIELDS_MAX < ABSENT as usize);
const _: () = assert!(FIELD_COUNT <= u16::BITS as usize);

/// Limits of one head.
#[derive(Clone, Copy, Debug)]
pub struct HeadLimits {
    /// The most bytes from the first empty line skipped to the end of the head.
    pub bytes_max: usize,
    /// The most field lines; never more than [`FIELDS_MAX`].
    pub fields_max: usize,
}

/// The version that the client speaks; a minor version above 1 acts as 1.1 (RFC 9110 s2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1 and later minor versions.
    Http11,
}

/// A request method (RFC 9110 s9.3, RFC 5789); its name is case-sensitive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// GET.
    Get,
    /// HEAD.
    Head,
    /// OPTIONS.
    Options,
    /// POST.
    Post,
    /// PUT.
    Put,
    /// DELETE.
    Delete,
    /// PATCH.
    Patch,
    /// TRACE.
    Trace,
    /// CONNECT.
    Connect,
    /// Any other token.
    Other,
}

impl Method {
    /// The method called `name`.
    #[must_use]
    pub fn of_name(name: &[u8]) -> Self {
        match name {
            b"GET" => Self::Get,
            b"HEAD" => Self::Head,
            b"OPTIONS" => Self::Options,
            b"POST" => Self::Post,
            b"PUT" => Self::Put,
            b"DELETE" => Self::Delete,
            b"PATCH" => Self::Patch,
            b"TRACE" => Self::Trace,
            b"CONNECT" => Self::Connect,
            _ => Self::Other,
        }
    }
}

/// Where the parser keeps the fields of one head; making one writes nothing but a tag.
#[derive(Debug)]
pub struct FieldScratch<'b> {
    fields: [MaybeUninit<Header<'b>>; FIELDS_MAX],
    /// Only for minor versions above 1, whose fields are parsed apart from the request line.
    later_minor: Option<[Header<'b>; FIELDS_MAX]>,
}

impl FieldScratch<'_> {
    /// An empty scratch.
    #[must_use]
    #[inline]
    pub const fn new() -> Self {
        Self {
            fields: [const { MaybeUninit::uninit() }; FIELDS_MAX],
            later_minor: None,
        }
    }
}

impl Default for FieldScratch<'_> {
    fn default() -> Self {
        Self::new()
    }
}

/// What a buffer holds.
#[derive(Clone, Copy, Debug)]
pub enum Parsed<'b> {
    /// A whole head.
    Complete {
        /// The head.
        head: RequestHead<'b>,
        /// Its size in bytes, from the start of the buffer to the end of the empty line that closes the head.
        size: usize,
    },
    /// A head that may become valid with more bytes.
    Partial,
}

/// The head of a request: the request line and the fields (RFC 9112 s3, s5).
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'b> {
    /// The method.
    pub method: Method,
    /// The method's name as received, a token.
    pub method_name: &'b [u8],
    /// The request target as received: not empty, without control characters and spaces.
    pub target: &'b [u8],
    /// The version.
    pub version: Version,
    fields: &'b [Header<'b>],
    /// Index of each known field's first line in `fields`, or [`ABSENT`].
    first: [u16; FIELD_COUNT],
    /// Bit per known field that has more than one line.
    repeated: u16,
}

impl<'b> RequestHead<'b> {
    /// The value of the first line of `known`, without white space at its ends.
    #[must_use]
    #[inline]
    pub fn field(&self, known: Field) -> Option<&'b [u8]> {
        let index = usize::from(self.first[known as usize]);
        self.fields.get(index).map(|field| field.value)
    }

    /// The values of every line of `known`, in the order received (RFC 9110 s5.3).
    pub fn lines(&self, known: Field) -> impl Iterator<Item = &'b [u8]> + use<'b> {
        let first = self.field(known);
        let after = match first {
            Some(_) if self.is_repeated(known) => usize::from(self.first[known as usize]) + 1,
            _ => self.fields.len(),
        };
        let rest = self.fields.get(after..).unwrap_or_default();
        first.into_iter().chain(
            rest.iter()
                .filter(move |field| Field::of_name(field.name.as_bytes()) == Some(known))
                .map(|field| field.value),
        )
    }

    /// Whether `known` has more than one line.
    #[must_use]
    #[inline]
    pub fn is_repeated(&self, known: Field) -> bool {
        self.repeated & (1 << known as u16) != 0
    }

    /// Name and value of every field line, in the order received.
    pub fn fields(&self) -> impl Iterator<Item = (&'b [u8], &'b [u8])> + use<'b> {
        self.fields
            .iter()
            .map(|field| (field.name.as_bytes(), field.value))
    }

    /// Whether the client lets the connection persist (RFC 9112 s9.3): `close` wins, HTTP/1.1 persists by default,
    /// HTTP/1.0 only with `keep-alive`.
    #[must_use]
    pub fn keep_alive(&self) -> bool {
        let mut keep_alive = self.version == Version::Http11;
        for line in self.lines(Field::Connection) {
            for option in line.split(|&byte| byte == b',').map(trim_ows) {
                if option.eq_ignore_ascii_case(b"close") {
                    return false;
                }
                keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
            }
        }
        keep_alive
    }

    /// Recognises the known fields and checks the rules on Host (RFC 9112 s3.2).
    fn classified(lines: Lines<'b>) -> Result<Self, Reject> {
        let mut first = [ABSENT; FIELD_COUNT];
        let mut repeated = 0;
        for (index, field) in (0_u16..).zip(lines.fields) {
            if let Some(known) = Field::of_name(field.name.as_bytes()) {
                let slot = &mut first[known as usize];
                if *slot == ABSENT {
                    *slot = index;
                } else {
                    repeated |= 1 << known as u16;
                }
            }
        }
        let method_name = lines.method_name.as_bytes();
        let head = Self {
            method: Method::of_name(method_name),
            method_name,
            target: lines.target.as_bytes(),
            version: lines.version,
            fields: lines.fields,
            first,
            repeated,
        };
        match head.field(Field::Host) {
            _ if head.is_repeated(Field::Host) => Err(Reject::HostRepeated),
            Some(host) if host_of(host).is_none() => Err(Reject::HostMalformed),
            None if head.version == Version::Http11 => Err(Reject::HostMissing),
            _ => Ok(head),
        }
    }
}

/// A request line and a field section whose syntax is valid.
struct Lines<'s> {
    method_name: &'s str,
    target: &'s str,
    version: Version,
    fields: &'s [Header<'s>],
    size: usize,
}

/// Parses the head at the start of `bytes`.
///
/// Looks at no more than `limits.bytes_max` bytes, so that bytes after the head never change the answer.
///
/// # Errors
///
/// The first cause in the order of the bytes; limits and the rules on Host come after syntax.
pub fn parse_head<'s, 'b: 's>(
    bytes: &'b [u8],
    limits: &HeadLimits,
    scratch: &'s mut FieldScratch<'b>,
) -> Result<Parsed<'s>, Reject> {
    let bytes = bytes.get(..limits.bytes_max).unwrap_or(bytes);
    let Some(empty_lines_size) = fault::empty_lines_size(bytes)? else {
        return incomplete(bytes, b"", limits);
    };
    let text = bytes.get(empty_lines_size..).unwrap_or_default();
    let fields_max = limits.fields_max.min(FIELDS_MAX);
    let Some(lines) = parse_lines(text, fields_max, scratch)? else {
        fault::check_line_ends(text)?;
        return incomplete(bytes, text, limits);
    };
    fault::check_whole_head(text.get(..lines.size).unwrap_or(text), lines.fields)?;
    let size = empty_lines_size + lines.size;
    let head = RequestHead::classified(lines)?;
    Ok(Parsed::Complete { head, size })
}

/// The answer to a head that has not ended yet: `bytes` are all that was looked at, `text` those of them that belong
/// to the request line and the fields.
fn incomplete<'s>(bytes: &[u8], text: &[u8], limits: &HeadLimits) -> Result<Parsed<'s>, Reject> {
    if bytes.len() < limits.bytes_max {
        return Ok(Parsed::Partial);
    }
    match memchr::memchr(b'\n', text) {
        Some(_) => Err(Reject::HeadTooLarge),
        None => Err(Reject::TargetTooLong),
    }
}

/// Finds the parts of the request line and the fields; `None` where they have not ended. Lenient about bare LF.
fn parse_lines<'s, 'b: 's>(
    text: &'b [u8],
    fields_max: usize,
    scratch: &'s mut FieldScratch<'b>,
) -> Result<Option<Lines<'s>>, Reject> {
    let FieldScratch {
        fields,
        later_minor,
    } = scratch;
    let (fields, _) = fields.split_at_mut(fields_max);
    let mut request = httparse::Request::new(&mut []);
    let parsed = request.parse_with_uninit_headers(text, fields);
    let (method_name, target) = match (parsed, request.method.zip(request.path)) {
        (Ok(Status::Partial), _) => return Ok(None),
        (Ok(Status::Complete(size)), Some((method_name, target))) => {
            let version = match request.version {
                Some(0) => Version::Http10,
                _ => Version::Http11,
            };
            let fields = request.headers;
            return Ok(Some(Lines {
                method_name,
                target,
                version,
                fields,
                size,
            }));
        }
        (Err(httparse::Error::Version), Some(line)) => line,
        _ => return Err(fault::cause(text, fields_max)),
    };
    // A version that the parser does not know: fine where only the minor version is higher (RFC 9110 s2.5).
    let version_start = method_name.len() + 1 + target.len() + 1;
    let Some(line_size) = fault::later_minor_line_size(text, version_start)? else {
        return Ok(None);
    };
    let section = text.get(line_size..).unwrap_or_default();
    let (fields, _) = later_minor
        .insert([EMPTY_HEADER; FIELDS_MAX])
        .split_at_mut(fields_max);
    match httparse::parse_headers(section, fields) {
        Ok(Status::Partial) => Ok(None),
        Ok(Status::Complete((section_size, fields))) => Ok(Some(Lines {
            method_name,
            target,
            version: Version::Http11,
            fields,
            size: line_size + section_size,
        })),
        Err(_) => Err(fault::cause(text, fields_max)),
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
