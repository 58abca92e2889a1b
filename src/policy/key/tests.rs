//! Keys against their parts: equal exactly where the parts are.

use proptest::prelude::*;

use super::*;

fn parts<'a>(authority: &'a str, path: &'a str, query: Option<&'a str>) -> KeyParts<'a> {
    KeyParts {
        scope: None,
        scheme: Scheme::Http,
        authority: authority.as_bytes(),
        path: path.as_bytes(),
        query: query.map(str::as_bytes),
    }
}

fn key(parts: &KeyParts<'_>, rule: &Overrides) -> Vec<u8> {
    let mut out = Vec::new();
    append(&mut out, parts, rule);
    out
}

fn text(parts: &KeyParts<'_>, rule: &Overrides) -> String {
    String::from_utf8(key(parts, rule)).unwrap()
}

fn stripping(patterns: &[&str]) -> Overrides {
    Overrides {
        strip_query: patterns.iter().map(|pattern| (*pattern).into()).collect(),
        ..Overrides::default()
    }
}

#[test]
fn rfc9111_s2_key_is_the_target_uri_in_canonical_form() {
    let table = [
        ("Example.COM", "/a", None, "http://example.com/a"),
        ("example.com:80", "/a", None, "http://example.com/a"),
        ("example.com:", "/a", None, "http://example.com/a"),
        ("example.com:0080", "/a", None, "http://example.com/a"),
        ("example.com:8080", "/", None, "http://example.com:8080/"),
        ("example.com:443", "/", None, "http://example.com:443/"),
        ("example.com:000", "/", None, "http://example.com:0/"),
        ("[::1]:80", "/a", Some(""), "http://[::1]/a?"),
        ("h", "/A%2Fb", Some("B=%2f"), "http://h/A%2Fb?B=%2f"),
        ("", "/a", None, "http:///a"),
    ];
    for (authority, path, query, expected) in table {
        let parts = parts(authority, path, query);
        assert_eq!(text(&parts, &Overrides::default()), expected);
    }
    let https = KeyParts {
        scheme: Scheme::Https,
        ..parts("h:443", "/", None)
    };
    assert_eq!(text(&https, &Overrides::default()), "https://h/");
}

#[test]
fn a_base_url_stands_for_scheme_and_authority() {
    let rule = Overrides {
        key_base_url: Some("http://media.internal/".into()),
        ..Overrides::default()
    };
    for authority in ["a", "b:8080"] {
        let parts = parts(authority, "/x", Some("y"));
        assert_eq!(text(&parts, &rule), "http://media.internal/x?y");
    }
}

#[test]
fn an_ignored_query_is_no_part_of_the_key() {
    let rule = Overrides {
        ignore_query: true,
        ..Overrides::default()
    };
    for query in [None, Some(""), Some("a=1")] {
        assert_eq!(text(&parts("h", "/x", query), &rule), "http://h/x");
    }
}

#[test]
fn stripped_parameters_go_and_the_others_keep_their_order() {
    let rule = stripping(&["sid", "utm_*"]);
    let table = [
        ("b=2&sid=1&a=1", "?b=2&a=1"),
        ("sid=1", ""),
        ("sid", ""),
        ("sid=1&utm_a=2&utm_", ""),
        ("SID=1&sids=1&asid=1", "?SID=1&sids=1&asid=1"),
        ("", "?"),
        ("&", "?&"),
        ("a=sid", "?a=sid"),
        ("sid=1&&a", "?&a"),
        ("=sid", "?=sid"),
        // Not split at `;`, and not stripped either where there is one.
        ("a=1;sid=2", "?a=1;sid=2"),
        ("utm_x=1;callback=evil", "?utm_x=1;callback=evil"),
        ("utm_x;callback=evil", "?utm_x;callback=evil"),
        ("%73id=1", "?%73id=1"),
    ];
    for (query, expected) in table {
        let key = text(&parts("h", "/x", Some(query)), &rule);
        assert_eq!(key, format!("http://h/x{expected}"), "{query}");
    }
}

#[test]
fn a_scope_parts_what_one_profile_may_read_from_all_others() {
    let open = parts("h", "/x", None);
    let scoped = |scope: &'static str| KeyParts {
        scope: Some(scope.as_bytes()),
        ..open
    };
    let rule = Overrides::default();
    let keys = [
        key(&open, &rule),
        key(&scoped(""), &rule),
        key(&scoped("a"), &rule),
        key(&scoped("http://h/x"), &rule),
    ];
    for (index, left) in keys.iter().enumerate() {
        for right in &keys[index + 1..] {
            assert_ne!(left, right);
        }
    }
}

#[test]
fn key_is_appended_without_growing_a_buffer_that_has_room() {
    let mut out = Vec::with_capacity(64);
    let before = out.as_ptr();
    append(
        &mut out,
        &parts("H:80", "/x", Some("sid=1&a")),
        &stripping(&["sid"]),
    );
    assert_eq!(
        (out.as_slice(), out.as_ptr()),
        (&b"http://h/x?a"[..], before)
    );
}

#[test]
fn a_url_has_the_key_of_its_request() {
    let table = [
        ("http://H/a/../b?x#y", "http://h/b?x"),
        ("HTTPS://h:443", "https://h/"),
        ("http://h?q", "http://h/?q"),
        ("http://h/%61%2f", "http://h/a%2F"),
        ("http://s/", "http://s/"),
    ];
    for (url, expected) in table {
        let mut scratch = Vec::new();
        let parts = from_url(url.as_bytes(), &mut scratch).unwrap();
        assert_eq!(text(&parts, &Overrides::default()), expected, "{url}");
    }
}

#[test]
fn text_that_is_no_url_of_ours_is_refused() {
    for url in [
        "",
        "/a",
        "*",
        "h/a",
        "ftp://h/",
        "http:///a",
        "http://u@h/",
        "http://h/\n",
        "http://h/../a",
    ] {
        let mut scratch = Vec::new();
        assert!(from_url(url.as_bytes(), &mut scratch).is_err(), "{url}");
    }
}

#[test]
fn origins_are_the_same_by_host_in_any_case_and_port() {
    let same =
        |left: &str, right: &str| is_same_origin(Scheme::Http, left.as_bytes(), right.as_bytes());
    assert!(same("A.b", "a.B:80"));
    assert!(same("a:", "a:0080"));
    assert!(!same("a", "a:443"));
    assert!(!same("a", "b"));
    assert!(!same("a:8080", "a:808"));
    assert!(is_same_origin(Scheme::Https, b"a:443", b"a"));
}

#[test]
fn a_prefix_with_a_query_has_none_where_the_rule_takes_queries_apart() {
    let mut out = Vec::new();
    let with_query = parts("h", "/a", Some("utm_"));
    assert!(!append_prefix(
        &mut out,
        &with_query,
        &stripping(&["utm_*"])
    ));
    assert!(out.is_empty());
    assert!(append_prefix(&mut out, &with_query, &Overrides::default()));
    assert_eq!(out, b"http://h/a?utm_");
}

/// Parts drawn from so few pieces that equal ones are met.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Drawn {
    scope: Option<String>,
    is_https: bool,
    host: String,
    port: Option<u16>,
    path: String,
    query: Option<String>,
}

impl Drawn {
    fn any() -> impl Strategy<Value = Self> {
        (
            proptest::option::of("[a:/]{0,2}"),
            any::<bool>(),
            "[ab][a.]{0,2}",
            proptest::option::of(prop_oneof![Just(80), Just(443), Just(8080)]),
            "/[a/]{0,3}",
            proptest::option::of("[a?&=/]{0,3}"),
        )
            .prop_map(|(scope, is_https, host, port, path, query)| Self {
                scope,
                is_https,
                host,
                port,
                path,
                query,
            })
    }

    fn key(&self) -> Vec<u8> {
        let authority = match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        };
        let parts = KeyParts {
            scope: self.scope.as_ref().map(String::as_bytes),
            scheme: if self.is_https {
                Scheme::Https
            } else {
                Scheme::Http
            },
            authority: authority.as_bytes(),
            path: self.path.as_bytes(),
            query: self.query.as_ref().map(String::as_bytes),
        };
        key(&parts, &Overrides::default())
    }

    /// The parts with the port that counts.
    fn meaning(&self) -> Self {
        let default = if self.is_https { 443 } else { 80 };
        Self {
            port: Some(self.port.unwrap_or(default)),
            ..self.clone()
        }
    }
}

proptest! {
    #[test]
    fn keys_are_equal_exactly_where_the_parts_are(left in Drawn::any(), right in Drawn::any()) {
        prop_assert_eq!(left.key() == right.key(), left.meaning() == right.meaning());
    }

    #[test]
    fn keys_below_a_prefix_begin_with_it_and_no_others_do(
        url in "http://[ab]/[ab/]{0,4}(\\?[ab]{0,2})?",
        prefix in "http://[ab](/[ab/]{0,3})?",
    ) {
        let rule = Overrides::default();
        let (mut scratch, mut other) = (Vec::new(), Vec::new());
        let mut start = Vec::new();
        let prefix_parts = from_url(prefix.as_bytes(), &mut scratch).unwrap();
        prop_assert!(append_prefix(&mut start, &prefix_parts, &rule));
        let key = key(&from_url(url.as_bytes(), &mut other).unwrap(), &rule);
        prop_assert_eq!(key.starts_with(&start), url.starts_with(&prefix));
    }
}

#[test]
fn path_of_a_key_is_that_of_its_url() {
    for (key, path) in [
        (&b"http://a:8000/b/c.wav?d=/e"[..], &b"/b/c.wav"[..]),
        (b"\0\x01\0phttps://a/?", b"/"),
        (b"http://a", b""),
        (b"", b""),
    ] {
        assert_eq!(path_of(key), path, "{}", key.escape_ascii());
    }
}
