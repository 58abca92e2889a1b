//! Field lines, their limits, and the fields that the head itself obeys.

use super::*;

mod rfc9112_s3_2 {
    use super::*;

    #[test]
    fn host_is_required_once_and_valid() {
        assert_accepted(&[
            "GET / HTTP/1.1\r\nhOST:example.com:8080\r\n\r\n",
            "GET / HTTP/1.1\r\nHost:\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: \t [::1]:80 \t\r\n\r\n",
            "GET / HTTP/1.0\r\n\r\n",
        ]);
        // Only the whole head shows that there is no Host, or that it is wrong.
        assert_refused(&[
            ("GET / HTTP/1.1\r\n\r\n", Reject::HostMissing),
            ("GET / HTTP/1.2\r\n\r\n", Reject::HostMissing),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
                Reject::HostRepeated,
            ),
            (
                "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
                Reject::HostRepeated,
            ),
            ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", Reject::HostMalformed),
            ("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", Reject::HostMalformed),
            ("GET / HTTP/1.0\r\nHost: a/b\r\n\r\n", Reject::HostMalformed),
        ]);
    }
}

mod rfc9112_s5 {
    use super::*;

    #[test]
    fn field_line_malformed_is_refused() {
        assert_refused(&[
            ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", Reject::FieldNameSpace),
            (
                "GET / HTTP/1.1\r\nHost\t: a\r\n\r\n",
                Reject::FieldNameSpace,
            ),
            ("GET / HTTP/1.1\r\nHo st: a\r\n\r\n", Reject::FieldNameSpace),
            ("GET / HTTP/1.1\r\n: a\r\n\r\n", Reject::FieldNameEmpty),
            ("GET / HTTP/1.1\r\nHost\r\n\r\n", Reject::FieldNameMalformed),
            ("GET / HTTP/1.1\r\nHost\n\r\n", Reject::FieldNameMalformed),
            (
                "GET / HTTP/1.1\r\nHo(st: a\r\n\r\n",
                Reject::FieldNameMalformed,
            ),
            (
                "GET / HTTP/1.2\r\nHo(st: a\r\n\r\n",
                Reject::FieldNameMalformed,
            ),
            ("GET / HTTP/1.1\r\nHo\0st: a\r\n\r\n", Reject::NulByte),
            ("GET / HTTP/1.1\r\nHost: a\0\r\n\r\n", Reject::NulByte),
            ("GET / HTTP/1.1\r\nHost: \0a\r\n\r\n", Reject::NulByte),
            (
                "GET / HTTP/1.1\r\nHost: a\u{1}\r\n\r\n",
                Reject::FieldValueMalformed,
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\u{7f}\r\n\r\n",
                Reject::FieldValueMalformed,
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \u{b}chunked\r\n\r\n",
                Reject::FieldValueMalformed,
            ),
        ]);
    }

    #[test]
    fn line_folding_is_refused() {
        assert_refused(&[
            (
                "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",
                Reject::LineFolding,
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\n\tb\r\n\r\n",
                Reject::LineFolding,
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\n \r\n\r\n",
                Reject::LineFolding,
            ),
        ]);
    }

    #[test]
    fn fields_are_found_by_name() {
        let text = "GET / HTTP/1.1\r\nhost: a\r\nX-Range: x\r\nACCEPT-ENCODING: gzip\r\nrange: \t bytes=0-1 \r\n\
                    accept-encoding:\r\nAccept-Encoding: br\r\nX: \u{e9}\r\n\r\n";
        with_head(text, |head| {
            assert_eq!(head.field(Field::Range), Some(&b"bytes=0-1"[..]));
            assert_eq!(head.field(Field::AcceptEncoding), Some(&b"gzip"[..]));
            assert_eq!(head.field(Field::IfRange), None);
            assert!(head.is_repeated(Field::AcceptEncoding));
            assert!(!head.is_repeated(Field::Range));
            assert!(!head.is_repeated(Field::IfRange));
            let lines: Vec<_> = head.lines(Field::AcceptEncoding).collect();
            assert_eq!(lines, [&b"gzip"[..], b"", b"br"]);
            assert_eq!(head.lines(Field::Range).count(), 1);
            assert_eq!(head.lines(Field::IfRange).count(), 0);
            assert_eq!(head.fields().count(), 7);
            assert_eq!(head.fields().last(), Some((&b"X"[..], "\u{e9}".as_bytes())));
        });
    }
}

mod rfc6585_s5 {
    use super::*;

    fn head_of_size(size: usize) -> String {
        let rest = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n".len();
        format!(
            "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
            "x".repeat(size - rest)
        )
    }

    #[test]
    fn head_at_its_limit_is_accepted() {
        let text = head_of_size(LIMITS.bytes_max);
        assert_accepted(&[&text]);
        with_head(&text, |head| assert_eq!(head.fields().count(), 2));
    }

    #[test]
    fn head_over_its_limit_is_refused() {
        assert_refused(&[(&head_of_size(LIMITS.bytes_max + 1), Reject::HeadTooLarge)]);
        let target = "a".repeat(LIMITS.bytes_max);
        let text = format!("GET /{target} HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_refused(&[(&text, Reject::TargetTooLong)]);
        let text = format!("\r\nGET / {target}\r\nHost: a\r\n\r\n");
        assert_refused(&[(&text, Reject::TargetTooLong)]);
    }

    #[test]
    fn fields_over_their_limit_are_refused() {
        for version in ["1.1", "1.7"] {
            let head = |count| {
                format!(
                    "GET / HTTP/{version}\r\nHost: a\r\n{}\r\n",
                    "a:b\r\n".repeat(count)
                )
            };
            assert_accepted(&[&head(LIMITS.fields_max - 1)]);
            assert_refused(&[(&head(LIMITS.fields_max), Reject::TooManyFields)]);
            let text = head(LIMITS.fields_max).replace("\r\n\r\n", "\r\nA : b\r\n\r\n");
            assert_refused(&[(&text, Reject::TooManyFields)]);
        }
    }

    #[test]
    fn fields_max_beyond_the_scratch_is_the_scratch() {
        let limits = HeadLimits {
            bytes_max: 1 << 16,
            fields_max: usize::MAX,
        };
        let head = |count| {
            format!(
                "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
                "a:b\r\n".repeat(count)
            )
        };
        let parsed = |text: &str| {
            parse_head(text.as_bytes(), &limits, &mut FieldScratch::new())
                .map(|parsed| matches!(parsed, Parsed::Complete { .. }))
        };
        assert_eq!(parsed(&head(FIELDS_MAX - 1)), Ok(true));
        assert_eq!(parsed(&head(FIELDS_MAX)), Err(Reject::TooManyFields));
    }
}

mod rfc9112_s9_3 {
    use super::*;

    #[test]
    fn connection_persists_unless_closed() {
        let table = [
            ("1.1", "", true),
            ("1.1", "Connection: close\r\n", false),
            ("1.1", "Connection: CLOSE\r\n", false),
            ("1.1", "Connection: keep-alive, Close\r\n", false),
            (
                "1.1",
                "Connection: keep-alive\r\nConnection: ,\t close ,\r\n",
                false,
            ),
            ("1.1", "Connection: closed, x-close\r\n", true),
            ("1.1", "Connection: upgrade\r\n", true),
            ("1.2", "", true),
            ("1.0", "", false),
            ("1.0", "Connection: Keep-Alive\r\n", true),
            ("1.0", "Connection: x\r\nConnection: keep-alive\r\n", true),
            ("1.0", "Connection: keep-alive, close\r\n", false),
            ("1.0", "Connection: keep-alive=1\r\n", false),
        ];
        for (version, fields, keep_alive) in table {
            let text = format!("GET / HTTP/{version}\r\nHost: a\r\n{fields}\r\n");
            with_head(&text, |head| {
                assert_eq!(head.keep_alive(), keep_alive, "{text:?}")
            });
        }
    }
}
