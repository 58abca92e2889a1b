//! The request fields that the server acts on, and how a field line is recognised as one of them.

/// A request field that the server looks at (RFC 9110, RFC 9112).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Field {
    /// RFC 9110 s7.2.
    Host,
    /// RFC 9110 s7.6.1.
    Connection,
    /// RFC 9110 s8.6.
    ContentLength,
    /// RFC 9112 s6.1.
    TransferEncoding,
    /// RFC 9110 s10.1.1.
    Expect,
    /// RFC 9110 s14.2.
    Range,
    /// RFC 9110 s13.1.5.
    IfRange,
    /// RFC 9110 s13.1.1.
    IfMatch,
    /// RFC 9110 s13.1.2.
    IfNoneMatch,
    /// RFC 9110 s13.1.3.
    IfModifiedSince,
    /// RFC 9110 s13.1.4.
    IfUnmodifiedSince,
    /// RFC 9110 s12.5.3.
    AcceptEncoding,
    /// RFC 9110 s10.1.3.
    Referer,
    /// RFC 9110 s10.1.5.
    UserAgent,
}

/// How many fields are known.
pub(super) const FIELD_COUNT: usize = Field::ALL.len();

impl Field {
    /// Every known field, in the order of declaration.
    pub const ALL: &[Self] = &[
        Self::Host,
        Self::Connection,
        Self::ContentLength,
        Self::TransferEncoding,
        Self::Expect,
        Self::Range,
        Self::IfRange,
        Self::IfMatch,
        Self::IfNoneMatch,
        Self::IfModifiedSince,
        Self::IfUnmodifiedSince,
        Self::AcceptEncoding,
        Self::Referer,
        Self::UserAgent,
    ];

    /// The field's name as RFC 9110 and RFC 9112 write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Host => "Host",
            Self::Connection => "Connection",
            Self::ContentLength => "Content-Length",
            Self::TransferEncoding => "Transfer-Encoding",
            Self::Expect => "Expect",
            Self::Range => "Range",
            Self::IfRange => "If-Range",
            Self::IfMatch => "If-Match",
            Self::IfNoneMatch => "If-None-Match",
            Self::IfModifiedSince => "If-Modified-Since",
            Self::IfUnmodifiedSince => "If-Unmodified-Since",
            Self::AcceptEncoding => "Accept-Encoding",
            Self::Referer => "Referer",
            Self::UserAgent => "User-Agent",
        }
    }

    /// The known field called `name`, in any case (RFC 9110 s5.1).
    ///
    /// Length and first letter leave one candidate, so most unknown names cost no comparison.
    #[must_use]
    #[inline]
    pub fn of_name(name: &[u8]) -> Option<Self> {
        let field = match (name.len(), name.first()?.to_ascii_lowercase()) {
            (4, b'h') => Self::Host,
            (5, b'r') => Self::Range,
            (6, b'e') => Self::Expect,
            (7, b'r') => Self::Referer,
            (8, b'i') if name.get(3)?.eq_ignore_ascii_case(&b'r') => Self::IfRange,
            (8, b'i') => Self::IfMatch,
            (10, b'c') => Self::Connection,
            (10, b'u') => Self::UserAgent,
            (13, b'i') => Self::IfNoneMatch,
            (14, b'c') => Self::ContentLength,
            (15, b'a') => Self::AcceptEncoding,
            (17, b'i') => Self::IfModifiedSince,
            (17, b't') => Self::TransferEncoding,
            (19, b'i') => Self::IfUnmodifiedSince,
            _ => return None,
        };
        name.eq_ignore_ascii_case(field.name().as_bytes())
            .then_some(field)
    }
}

#[cfg(test)]
mod tests {
    use super::Field;

    #[test]
    fn of_name_finds_every_field_in_any_case() {
        for (index, &field) in Field::ALL.iter().enumerate() {
            assert_eq!(field as usize, index);
            let name = field.name();
            for name in [name.to_owned(), name.to_lowercase(), name.to_uppercase()] {
                assert_eq!(Field::of_name(name.as_bytes()), Some(field), "{name}");
            }
        }
    }

    #[test]
    fn of_name_ignores_other_names() {
        for name in [
            "",
            "Hos",
            "Hosts",
            "Xost",
            "Content_Length",
            "Range ",
            "If-Matcx",
            "Accept",
        ] {
            assert_eq!(Field::of_name(name.as_bytes()), None, "{name}");
        }
    }
}
