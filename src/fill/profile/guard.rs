//! What of a client's request goes to a private origin with credentials that are not the client's.
//!
//! A site lends its profile's credentials to anybody who asks for an object, and to nothing else. Pure.
//!
//! - Only GET and HEAD are signed. Other methods go on without: what the bucket lets anybody do, it lets clients do. Where the
//!   credentials are a certificate, which is shown on the connection, they don't go on at all.
//! - The bucket itself is not asked with credentials: that would list what is in it.
//! - The client's query does not go on to S3 and Azure: there it names other things than objects (`?acl`, `?uploads`,
//!   `?comp=list`) or changes the answer's fields.
//! - Fields of the services, `x-amz-` and `x-ms-`, and the client's own Authorization are left out; so are those of content, which
//!   there is none of: Azure's signatures cover them, and a wrong one would fail everybody who waits for the same answer.

use super::settings::ProfileKind;
use crate::http::fields::Fields;

/// Fields of content.
const OF_CONTENT: [&[u8]; 4] = [
    b"content-type",
    b"content-encoding",
    b"content-language",
    b"content-md5",
];

/// What goes on of a client's request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Guarded {
    /// The target without its query, where that does not go on.
    pub(crate) target: Box<[u8]>,
    /// The fields that go on.
    pub(crate) fields: Fields,
    /// Whether it is signed.
    pub(crate) is_signed: bool,
}

/// Looks at a client's request before it goes on to an origin with a profile of this kind.
/// `names_object` tells of a path whether it is an object's (see `Profile::names_object`).
pub(crate) fn guard(
    kind: ProfileKind,
    method: &[u8],
    target: &[u8],
    fields: &Fields,
    names_object: impl Fn(&[u8]) -> bool,
) -> Guarded {
    let reads = matches!(method, b"GET" | b"HEAD");
    let is_store = kind != ProfileKind::Headers;
    let end = match memchr::memchr(b'?', target) {
        Some(at) if is_store => at,
        _ => target.len(),
    };
    let path = target.get(..end).unwrap_or(target);
    let is_signed = reads && names_object(path);
    let fields = fields.filtered(|name, _| !is_withheld(name, is_signed, is_store));
    Guarded {
        target: path.into(),
        fields,
        is_signed,
    }
}

fn is_withheld(name: &[u8], is_signed: bool, is_store: bool) -> bool {
    let starts = |start: &[u8]| {
        let found = name.get(..start.len());
        found.is_some_and(|found| found.eq_ignore_ascii_case(start))
    };
    let is = |other: &&[u8]| name.eq_ignore_ascii_case(other);
    let is_credential = is_signed && is(&&b"authorization"[..]);
    let is_of_content = is_signed && is_store && OF_CONTENT.iter().any(is);
    is_credential || is_of_content || is_store && (starts(b"x-amz-") || starts(b"x-ms-"))
}

/// Whether a query makes a listing of a request for an object: of a container, with Azure.
pub(crate) fn lists(kind: ProfileKind, query: &[u8]) -> bool {
    let query = query.strip_prefix(b"?").unwrap_or(query);
    kind == ProfileKind::Azure
        && query.split(|octet| *octet == b'&').any(|pair| {
            let name = pair.split(|octet| *octet == b'=').next();
            // An encoded letter could make either of any name.
            name.is_some_and(|name| {
                name.contains(&b'%')
                    || name.eq_ignore_ascii_case(b"comp")
                    || name.eq_ignore_ascii_case(b"restype")
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guarded(kind: ProfileKind, method: &str, target: &str) -> (String, bool) {
        let names_object = |path: &[u8]| kind == ProfileKind::Headers || path.len() > 2;
        let found = guard(
            kind,
            method.as_bytes(),
            target.as_bytes(),
            &Fields::new(),
            names_object,
        );
        let target = String::from_utf8_lossy(&found.target).into_owned();
        (target, found.is_signed)
    }

    #[test]
    fn only_objects_are_read_with_credentials() {
        let cases = [
            ("GET", "/a/b", ("/a/b", true)),
            ("HEAD", "/a.b?acl", ("/a.b", true)),
            ("GET", "/?list-type=2", ("/", false)),
            ("GET", "//", ("//", false)),
            ("PUT", "/a", ("/a", false)),
            ("DELETE", "/a?x", ("/a", false)),
            ("POST", "/a?uploads", ("/a", false)),
            ("OPTIONS", "*", ("*", false)),
        ];
        for (method, target, (sent, is_signed)) in cases {
            let found = guarded(ProfileKind::S3, method, target);
            assert_eq!(found, (sent.to_owned(), is_signed), "{method} {target}");
        }
        let headers = guarded(ProfileKind::Headers, "GET", "/?q");
        assert_eq!(headers, ("/?q".to_owned(), true));
        assert!(!guarded(ProfileKind::Headers, "POST", "/").1);
    }

    #[test]
    fn fields_of_the_service_and_the_clients_authorization_stay_behind() {
        let mut fields = Fields::new();
        for (name, value) in [
            ("X-Amz-Copy-Source", "/b/secret"),
            ("x-ms-copy-source", "x"),
            ("Authorization", "mine"),
            ("Range", "bytes=0-1"),
        ] {
            fields.push(name.as_bytes(), value.as_bytes());
        }
        let found = guard(ProfileKind::Azure, b"GET", b"/a", &fields, |_| true);
        assert_eq!(found.fields.as_bytes(), b"Range: bytes=0-1\r\n");
        let put = guard(ProfileKind::Azure, b"PUT", b"/a", &fields, |_| true);
        assert_eq!(
            put.fields.as_bytes(),
            b"Authorization: mine\r\nRange: bytes=0-1\r\n"
        );
        let headers = guard(ProfileKind::Headers, b"GET", b"/a", &fields, |_| true);
        assert!(headers.fields.as_bytes().starts_with(b"X-Amz-Copy-Source"));
    }

    #[test]
    fn fields_of_content_stay_behind_where_there_is_none() {
        let mut fields = Fields::new();
        for name in OF_CONTENT {
            fields.push(name, b"odd");
        }
        let sent = |kind, method: &[u8]| guard(kind, method, b"/a", &fields, |_| true).fields;
        assert!(sent(ProfileKind::Azure, b"GET").as_bytes().is_empty());
        assert!(sent(ProfileKind::S3, b"HEAD").as_bytes().is_empty());
        assert_eq!(
            sent(ProfileKind::Azure, b"PUT").as_bytes(),
            fields.as_bytes()
        );
        assert_eq!(
            sent(ProfileKind::Headers, b"GET").as_bytes(),
            fields.as_bytes()
        );
    }

    #[test]
    fn listing_of_a_container_is_told_by_its_query() {
        for (query, expected) in [
            ("", false),
            ("?snapshot=2011-03-09T01:42:34.9360000Z", false),
            ("?versionid=1&x=comp", false),
            ("?restype=container&comp=list", true),
            ("?a&CoMp=list", true),
            ("?co%6dp=list", true),
        ] {
            let found = lists(ProfileKind::Azure, query.as_bytes());
            assert_eq!(found, expected, "{query}");
        }
        assert!(!lists(ProfileKind::Headers, b"?comp=list"));
    }
}
