//! RFC 9111 s4.4, and the resolving of references that it needs.

use super::*;
use crate::http::fields::Fields;

const BASE: RequestTarget<'static> = RequestTarget {
    scheme: Scheme::Http,
    authority: b"Example.com",
    path: b"/a/b",
    query: Some(b"q"),
};

/// Path and query of a URL as text.
fn text(url: &Invalidated) -> String {
    let mut out = url.path.to_vec();
    if let Some(query) = &url.query {
        out.push(b'?');
        out.extend_from_slice(query);
    }
    String::from_utf8(out).unwrap()
}

fn found(method: Method, status: u16, response: &[(&str, &str)]) -> Vec<String> {
    let response: Fields = response.iter().copied().collect();
    let found = targets(method, status, &BASE, &response);
    assert!(found.len() <= TARGETS_MAX);
    found.iter().map(text).collect()
}

fn resolved(reference: &str) -> Option<String> {
    resolve(&BASE, reference.as_bytes()).map(|url| text(&url))
}

mod rfc9111_s4_4 {
    use super::*;

    #[test]
    fn unsafe_and_unknown_methods_invalidate_their_target() {
        for method in [
            Method::Post,
            Method::Put,
            Method::Delete,
            Method::Patch,
            Method::Other,
        ] {
            for status in [200, 201, 204, 299, 301, 303, 399] {
                assert_eq!(
                    found(method, status, &[]),
                    ["/a/b?q"],
                    "{method:?} {status}"
                );
            }
        }
    }

    #[test]
    fn errors_invalidate_nothing() {
        for status in [100, 199, 400, 404, 409, 500, 503] {
            assert!(
                found(Method::Post, status, &[("Location", "/x")]).is_empty(),
                "{status}"
            );
        }
    }

    #[test]
    fn safe_methods_invalidate_nothing() {
        for method in [Method::Get, Method::Head, Method::Options, Method::Trace] {
            assert!(
                found(method, 200, &[("Location", "/x")]).is_empty(),
                "{method:?}"
            );
        }
    }

    #[test]
    fn location_and_content_location_are_invalidated() {
        let response = [
            ("Location", "http://EXAMPLE.com:80/new"),
            ("Content-Location", "c?x"),
        ];
        assert_eq!(
            found(Method::Post, 201, &response),
            ["/a/b?q", "/new", "/a/c?x"]
        );
        let response = [
            ("Location", "/a/b?q"),
            ("Content-Location", "/x"),
            ("content-location", "/y"),
        ];
        assert_eq!(found(Method::Put, 200, &response), ["/a/b?q", "/x"]);
    }

    #[test]
    fn other_origins_are_not_invalidated() {
        for other in [
            "http://other.com/a",
            "//other.com/a",
            "https://example.com/a",
            "http://example.com:8080/a",
            "http://user@example.com/a",
        ] {
            let response = [("Location", other), ("Content-Location", other)];
            assert_eq!(found(Method::Post, 200, &response), ["/a/b?q"], "{other}");
        }
    }

    #[test]
    fn targets_that_are_no_urls_invalidate_nothing() {
        for path in [&b""[..], b"*"] {
            let base = RequestTarget { path, ..BASE };
            assert!(targets(Method::Other, 200, &base, &Fields::new()).is_empty());
        }
    }
}

#[test]
fn rfc3986_s5_4_references_are_resolved() {
    let table = [
        ("c", "/a/c"),
        ("./c", "/a/c"),
        ("c/", "/a/c/"),
        ("/c", "/c"),
        ("//example.com/c", "/c"),
        ("//example.com", "/"),
        ("?y", "/a/b?y"),
        ("?", "/a/b?"),
        ("c?y", "/a/c?y"),
        ("#s", "/a/b?q"),
        ("c#s", "/a/c"),
        ("c?y#s", "/a/c?y"),
        ("", "/a/b?q"),
        (".", "/a/"),
        ("..", "/"),
        ("../c", "/c"),
        ("c;x=1/../d", "/a/d"),
        ("c?y/../x", "/a/c?y/../x"),
        ("c?u=http://other.com/", "/a/c?u=http://other.com/"),
        ("./c:d", "/a/c:d"),
        ("http://example.com/%7e?z", "/~?z"),
        ("HTTP://example.com", "/"),
        ("http://example.com?z", "/?z"),
    ];
    for (reference, expected) in table {
        assert_eq!(
            resolved(reference).as_deref(),
            Some(expected),
            "{reference}"
        );
    }
}

#[test]
fn references_that_lead_to_no_url_of_the_origin_are_none() {
    for reference in [
        "../../c",
        "mailto:a@example.com",
        "c:d",
        "http:c",
        "http:///c",
        "http://",
        "a b",
        "/%zz",
        "/a\\b",
        "://example.com/",
        "httpx://example.com/",
    ] {
        assert_eq!(resolved(reference), None, "{reference}");
    }
}
