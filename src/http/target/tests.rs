//! Tables of targets, and the properties that every canonical path has.

use proptest::prelude::*;

use super::*;

/// The canonical path of an origin-form target, and whether it was borrowed.
fn path_of(target: &[u8]) -> Result<(Vec<u8>, bool), Reject> {
    let mut scratch = b"left over".to_vec();
    let target_bounds = target.as_ptr_range();
    let found = normalise(Method::Get, target, &mut scratch)?;
    let is_borrowed = target_bounds.contains(&found.path.as_ptr());
    Ok((found.path.to_vec(), is_borrowed))
}

fn assert_paths(table: &[(&str, &str)]) {
    for (target, canonical) in table {
        let (path, is_borrowed) = path_of(target.as_bytes()).unwrap();
        assert_eq!(String::from_utf8(path).unwrap(), *canonical, "{target}");
        assert_eq!(
            is_borrowed,
            target == canonical,
            "{target}: borrowed where canonical"
        );
    }
}

fn assert_refused(method: Method, table: &[(&str, Reject)]) {
    for (target, reject) in table {
        let verdict = normalise(method, target.as_bytes(), &mut Vec::new()).map(|_| ());
        assert_eq!(verdict, Err(*reject), "{method:?} {target:?}");
    }
}

mod rfc3986_s6_2_2 {
    use super::*;

    #[test]
    fn path_canonical_is_borrowed() {
        let table = [
            "/",
            "//",
            "/prompts/welcome.wav",
            "/a//b/",
            "/a.b/.c/..d/e../f./...",
            "/AZaz09-._~!$&'()*+,;=:@",
            "/a%20b%2Fc%5C%25%C3%A9%0A%7F%22%3F%23",
            "/.%20/..%20",
        ];
        for path in table {
            assert_paths(&[(path, path)]);
        }
    }

    #[test]
    fn octets_get_their_canonical_form() {
        assert_paths(&[
            ("/%61%7e%2D%2e%5F%41", "/a~-._A"),
            ("/%21%24%26%27%28%29%2A%2B%2C%3B%3D%3A%40", "/!$&'()*+,;=:@"),
            ("/%2f", "/%2F"),
            ("/%c3%a9", "/%C3%A9"),
            ("/\u{e9}", "/%C3%A9"),
            ("/a[b]|\"<>^`{}", "/a%5Bb%5D%7C%22%3C%3E%5E%60%7B%7D"),
            ("/%2520", "/%2520"),
            ("/%25%32%30", "/%2520"),
            ("/%5c", "/%5C"),
        ]);
    }

    #[test]
    fn octets_forbidden_are_refused() {
        assert_refused(
            Method::Get,
            &[
                ("/%00", Reject::TargetNul),
                ("/a%00b/../c", Reject::TargetNul),
                ("/%", Reject::TargetPercentMalformed),
                ("/%2", Reject::TargetPercentMalformed),
                ("/%2?0", Reject::TargetPercentMalformed),
                ("/%g0", Reject::TargetPercentMalformed),
                ("/%0g", Reject::TargetPercentMalformed),
                ("/%%30", Reject::TargetPercentMalformed),
                ("/%u002e", Reject::TargetPercentMalformed),
                ("/a b", Reject::TargetByteForbidden),
                ("/a\\b", Reject::TargetByteForbidden),
                ("/..\\a", Reject::TargetByteForbidden),
                ("/a\0", Reject::TargetByteForbidden),
                ("/a\n", Reject::TargetByteForbidden),
                ("/a\u{7f}", Reject::TargetByteForbidden),
                ("/#", Reject::TargetFragment),
                ("/a#b", Reject::TargetFragment),
                ("/a?b#c", Reject::TargetFragment),
                ("/a?b c", Reject::TargetByteForbidden),
                ("/a?\u{1}", Reject::TargetByteForbidden),
            ],
        );
    }
}

mod rfc3986_s5_2_4 {
    use super::*;

    #[test]
    fn dot_segments_are_removed() {
        assert_paths(&[
            ("/a/b/c/./../../g", "/a/g"),
            ("/.", "/"),
            ("/./", "/"),
            ("/./a", "/a"),
            ("/a/.", "/a/"),
            ("/a/..", "/"),
            ("/a/../", "/"),
            ("/a/b/..", "/a/"),
            ("/a/b/../", "/a/"),
            ("/a/../b", "/b"),
            ("/%2e", "/"),
            ("/a/%2e%2E/b", "/b"),
            ("/a/.%2e/b", "/b"),
            ("/a/%2e./b", "/b"),
            ("/a/%2e/b", "/a/b"),
            ("/%2e%2e%2e/a", "/.../a"),
            ("//..", "/"),
            ("/a//..", "/a/"),
            ("/a//../b", "/a/b"),
            ("/a/./", "/a/"),
        ]);
    }

    #[test]
    fn path_above_the_root_is_refused() {
        let table = [
            "/..",
            "/../",
            "/../a",
            "/a/../..",
            "/a/../../b",
            "/./..",
            "/%2e%2e/etc/passwd",
            "/.%2E/",
            "/a/b/../../../c",
            "/..?q",
        ];
        for target in table {
            assert_refused(Method::Get, &[(target, Reject::TargetEscapes)]);
        }
    }

    #[test]
    fn encoded_slash_never_separates() {
        assert_paths(&[
            ("/a/..%2fb", "/a/..%2Fb"),
            ("/..%2F..%2Fetc", "/..%2F..%2Fetc"),
            ("/a%2F../b", "/a%2F../b"),
            ("/x/a%2F%2e%2e/b", "/x/a%2F../b"),
        ]);
    }
}

mod rfc9112_s3_2 {
    use super::*;

    type Parts<'a> = (&'a str, Option<&'a str>, Option<&'a str>, TargetForm);

    #[test]
    fn target_is_taken_apart() {
        use Method::{Connect, Get, Options};
        use TargetForm::{Absolute, Asterisk, Authority, Origin};
        let table: &[(Method, &str, Parts<'_>)] = &[
            (Get, "/a", ("/a", None, None, Origin)),
            (Get, "/a?", ("/a", Some(""), None, Origin)),
            (
                Get,
                "/a?b=/../?\\[%zz",
                ("/a", Some("b=/../?\\[%zz"), None, Origin),
            ),
            (Get, "/./a?b", ("/a", Some("b"), None, Origin)),
            (Get, "http://h", ("/", None, Some("h"), Absolute)),
            (Get, "http://h?q", ("/", Some("q"), Some("h"), Absolute)),
            (
                Get,
                "http://h:80/a/../b?q",
                ("/b", Some("q"), Some("h:80"), Absolute),
            ),
            (
                Get,
                "HTTPS://[::1]:443/a",
                ("/a", None, Some("[::1]:443"), Absolute),
            ),
            (Options, "*", ("*", None, None, Asterisk)),
            (
                Options,
                "http://h:8001",
                ("*", None, Some("h:8001"), Asterisk),
            ),
            (Options, "http://h/", ("/", None, Some("h"), Absolute)),
            (Options, "/a", ("/a", None, None, Origin)),
            (Connect, "h:80", ("", None, Some("h:80"), Authority)),
            (Connect, "[::1]:80", ("", None, Some("[::1]:80"), Authority)),
        ];
        for (method, text, (path, query, authority, form)) in table {
            let mut scratch = Vec::new();
            let target = normalise(*method, text.as_bytes(), &mut scratch);
            let expected = Target {
                path: path.as_bytes(),
                query: query.map(str::as_bytes),
                authority: authority.map(str::as_bytes),
                form: *form,
            };
            assert_eq!(target, Ok(expected), "{text}");
        }
    }

    #[test]
    fn target_malformed_is_refused() {
        assert_refused(
            Method::Get,
            &[
                ("", Reject::TargetMalformed),
                ("a", Reject::TargetMalformed),
                ("?a", Reject::TargetMalformed),
                ("h:80", Reject::TargetMalformed),
                ("http:/a", Reject::TargetMalformed),
                ("*", Reject::TargetFormMismatch),
                ("**", Reject::TargetMalformed),
                ("ftp://h/a", Reject::TargetSchemeUnknown),
                ("://h/a", Reject::TargetSchemeUnknown),
                ("http:///a", Reject::TargetAuthorityMalformed),
                ("http://", Reject::TargetAuthorityMalformed),
                ("http://:80/", Reject::TargetAuthorityMalformed),
                ("http://u@h/", Reject::TargetAuthorityMalformed),
                ("http://h:x/", Reject::TargetAuthorityMalformed),
                ("http://h\\a/", Reject::TargetAuthorityMalformed),
                ("http://h#a", Reject::TargetFragment),
                ("http://h/..", Reject::TargetEscapes),
            ],
        );
        assert_refused(
            Method::Connect,
            &[
                ("/a", Reject::TargetFormMismatch),
                ("http://h/", Reject::TargetFormMismatch),
                ("h", Reject::TargetAuthorityMalformed),
                ("h:", Reject::TargetAuthorityMalformed),
                (":80", Reject::TargetAuthorityMalformed),
                ("", Reject::TargetAuthorityMalformed),
                ("*", Reject::TargetAuthorityMalformed),
            ],
        );
    }
}

mod rfc3986_s2_1 {
    use super::*;

    #[test]
    fn decode_path_gives_file_names() {
        let mut out = b"left over".to_vec();
        let table: &[(&str, &[u8])] = &[
            ("/", b"/"),
            ("/a%20b/%C3%A9.wav", "/a b/\u{e9}.wav".as_bytes()),
            ("/%FF%25%5C", b"/\xff%\\"),
        ];
        for (canonical, decoded) in table {
            assert_eq!(decode_path(canonical.as_bytes(), &mut out), Ok(()));
            assert_eq!(out, *decoded);
        }
        for (canonical, reject) in [
            ("/a%2Fb", Reject::TargetEncodedSlash),
            ("/%00", Reject::TargetNul),
            ("/%2", Reject::TargetPercentMalformed),
            ("/%zz", Reject::TargetPercentMalformed),
        ] {
            assert_eq!(decode_path(canonical.as_bytes(), &mut out), Err(reject));
        }
    }
}

/// Targets in origin-form that try to be awkward.
fn origin_targets() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "/", "/", ".", "..", "%2e", "%2E", "a", "b.wav", "%2f", "%2F", "%5c", "%25", "%41", "%c3",
        "%", "\u{e9}", "?", "[", "\\", "#", "%00", "//",
    ]);
    prop::collection::vec(piece, 0..12)
        .prop_map(|pieces| format!("/{}", pieces.concat()).into_bytes())
}

/// The canonical path by splitting into decoded segments: slow, and obviously right.
fn model(target: &[u8]) -> Option<Vec<u8>> {
    let path = target.split(|&byte| byte == b'?').next()?;
    let mut segments: Vec<Vec<u8>> = Vec::new();
    let mut ends_in_slash = false;
    for segment in path.split(|&byte| byte == b'/').skip(1) {
        let mut canonical = Vec::new();
        let mut rest = segment;
        while let [byte, after @ ..] = rest {
            let octet = match byte {
                b'%' => {
                    rest = after.get(2..)?;
                    u8::from_str_radix(std::str::from_utf8(&after[..2]).ok()?, 16).ok()?
                }
                _ => {
                    rest = after;
                    *byte
                }
            };
            if octet == 0 || (*byte == b'\\') || (*byte == b'#') {
                return None;
            }
            match octet {
                _ if is_pchar(octet) => canonical.push(octet),
                _ => canonical.extend(format!("%{octet:02X}").into_bytes()),
            }
        }
        ends_in_slash = matches!(canonical.as_slice(), b"" | b"." | b"..");
        match canonical.as_slice() {
            b"." => {}
            b".." => drop(segments.pop()?),
            _ => segments.push(canonical),
        }
    }
    // The last segment is empty where the path ends in a slash, or in a dot segment.
    let ends_in_empty = segments.last().is_some_and(Vec::is_empty) && path.ends_with(b"/");
    if ends_in_slash && !ends_in_empty {
        segments.push(Vec::new());
    }
    let joined = segments
        .iter()
        .flat_map(|segment| [b"/", segment.as_slice()].concat());
    Some(joined.collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn path_agrees_with_the_model(target in origin_targets()) {
        let has_fragment = target.contains(&b'#');
        match path_of(&target) {
            Ok((path, _)) => prop_assert_eq!(Some(path), model(&target)),
            Err(_) => prop_assert!(has_fragment || model(&target).is_none()),
        }
    }

    #[test]
    fn canonical_path_stays_as_it_is(target in origin_targets()) {
        if let Ok((path, is_borrowed)) = path_of(&target) {
            let is_canonical = target.strip_prefix(path.as_slice()).is_some_and(|rest| matches!(rest, [] | [b'?', ..]));
            prop_assert_eq!(is_borrowed, is_canonical);
            prop_assert_eq!(path_of(&path), Ok((path.clone(), true)));
            prop_assert!(path.starts_with(b"/"));
            for segment in path.split(|&byte| byte == b'/') {
                prop_assert!(segment != b"." && segment != b"..");
            }
        }
    }

    #[test]
    fn encoded_path_is_canonical_and_decodes(
        segments in prop::collection::vec(prop::collection::vec(1..=u8::MAX, 0..6), 1..5),
    ) {
        let is_dots = |segment: &[u8]| matches!(segment, b"." | b"..");
        let decoded: Vec<u8> = segments
            .iter()
            .map(|segment| segment.iter().copied().filter(|&byte| byte != b'/').collect::<Vec<_>>())
            .filter(|segment| !is_dots(segment))
            .flat_map(|segment| [b"/", segment.as_slice()].concat())
            .chain(*b"/x")
            .collect();
        let (mut encoded, mut back) = (Vec::new(), Vec::new());
        encode_path(&decoded, &mut encoded);
        prop_assert_eq!(path_of(&encoded), Ok((encoded.clone(), true)));
        prop_assert_eq!(decode_path(&encoded, &mut back), Ok(()));
        prop_assert_eq!(back, decoded);
    }

    #[test]
    fn arbitrary_targets_never_panic(target in prop::collection::vec(any::<u8>(), 0..60)) {
        for method in [Method::Get, Method::Options, Method::Connect] {
            let _verdict = normalise(method, &target, &mut Vec::new()).is_ok();
        }
    }
}
