//! Line ends and request lines.

use super::*;

mod rfc9112_s2_2 {
    use super::*;

    #[test]
    fn empty_lines_up_to_two_are_skipped() {
        assert_accepted(&[
            "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        ]);
    }

    #[test]
    fn line_end_other_than_crlf_is_refused() {
        assert_refused(&[
            (
                "\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
                Reject::TooManyEmptyLines,
            ),
            ("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Reject::BareLineFeed),
            (
                "\r\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
                Reject::BareLineFeed,
            ),
            (
                "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n",
                Reject::BareCarriageReturn,
            ),
            ("GET / HTTP/1.1\nHost: a\r\n\r\n", Reject::BareLineFeed),
            ("GET / HTTP/1.2\nHost: a\r\n\r\n", Reject::BareLineFeed),
            ("GET / HTTP/1.1\r\nHost: a\n\r\n", Reject::BareLineFeed),
            ("GET / HTTP/1.1\r\nHost: a\r\n\n", Reject::BareLineFeed),
            (
                "GET / HTTP/1.1\r\nHost:\nA: b\r\n\r\n",
                Reject::BareLineFeed,
            ),
            (
                "GET / HTTP/1.1\rHost: a\r\n\r\n",
                Reject::BareCarriageReturn,
            ),
            (
                "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n",
                Reject::BareCarriageReturn,
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n",
                Reject::BareCarriageReturn,
            ),
            (
                "GET / HTTP/1.1\r\nHost:\r\r\n\r\n",
                Reject::BareCarriageReturn,
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\n\rX: b\r\n\r\n",
                Reject::BareCarriageReturn,
            ),
            (
                "GET / HTTP/1.2\r\nHost: a\r\n\rX: b\r\n\r\n",
                Reject::BareCarriageReturn,
            ),
            // The first fault counts: the line feed stands before the bad name.
            ("GET / HTTP/1.1\nHost : a\r\n\r\n", Reject::BareLineFeed),
        ]);
    }

    #[test]
    fn white_space_before_the_first_field_is_refused() {
        assert_refused(&[
            ("GET / HTTP/1.1\r\n Host: a\r\n\r\n", Reject::LineFolding),
            ("GET / HTTP/1.1\r\n\tHost: a\r\n\r\n", Reject::LineFolding),
            (
                "GET / HTTP/1.1\r\n \r\nHost: a\r\n\r\n",
                Reject::LineFolding,
            ),
        ]);
    }
}

mod rfc9112_s2_3 {
    use super::*;

    #[test]
    fn version_below_2_is_spoken() {
        let table = [
            ("GET / HTTP/1.0\r\n\r\n", Version::Http10),
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", Version::Http11),
            (
                "GET / HTTP/1.2\r\nHost: a\r\nRange: bytes=0-\r\n\r\n",
                Version::Http11,
            ),
            ("\r\nGET / HTTP/1.9\r\nHost: a\r\n\r\n", Version::Http11),
        ];
        for (text, version) in table {
            assert_accepted(&[text]);
            with_head(text, |head| assert_eq!(head.version, version));
        }
    }

    #[test]
    fn version_other_is_refused() {
        assert_refused(&[
            (
                "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
                Reject::VersionNotSupported,
            ),
            (
                "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                Reject::VersionNotSupported,
            ),
            ("GET / HTTP/0.9\r\n\r\n", Reject::VersionNotSupported),
            (
                "GET / HTTP/9.1\r\nHost: a\r\n\r\n",
                Reject::VersionNotSupported,
            ),
            (
                "GET / HTTP/1.10\r\nHost: a\r\n\r\n",
                Reject::VersionMalformed,
            ),
            ("GET / HTTP/1.\r\nHost: a\r\n\r\n", Reject::VersionMalformed),
            (
                "GET / HTTP/1.x\r\nHost: a\r\n\r\n",
                Reject::VersionMalformed,
            ),
            ("GET / HTTP/1\r\nHost: a\r\n\r\n", Reject::VersionMalformed),
            (
                "GET / HTTP/01.1\r\nHost: a\r\n\r\n",
                Reject::VersionMalformed,
            ),
            ("GET / HTTP/\r\nHost: a\r\n\r\n", Reject::VersionMalformed),
            (
                "GET / http/1.1\r\nHost: a\r\n\r\n",
                Reject::RequestLineMalformed,
            ),
            (
                "GET / HTTQ/1.1\r\nHost: a\r\n\r\n",
                Reject::RequestLineMalformed,
            ),
        ]);
    }
}

mod rfc9112_s3 {
    use super::*;

    #[test]
    fn request_line_is_taken_apart() {
        with_head("PROPFIND /a?b HTTP/1.1\r\nHost: a\r\n\r\n", |head| {
            assert_eq!(head.method, Method::Other);
            assert_eq!(head.method_name, b"PROPFIND");
            assert_eq!(head.target, b"/a?b");
        });
        let names = [
            ("GET", Method::Get),
            ("HEAD", Method::Head),
            ("OPTIONS", Method::Options),
            ("POST", Method::Post),
            ("PUT", Method::Put),
            ("DELETE", Method::Delete),
            ("PATCH", Method::Patch),
            ("TRACE", Method::Trace),
            ("CONNECT", Method::Connect),
            ("get", Method::Other),
            ("!#$%&'*+-.^_`|~09", Method::Other),
        ];
        for (name, method) in names {
            let text = format!("{name} * HTTP/1.1\r\nHost:\r\n\r\n");
            with_head(&text, |head| assert_eq!(head.method, method, "{name}"));
        }
    }

    #[test]
    fn request_line_malformed_is_refused() {
        assert_refused(&[
            (
                " GET / HTTP/1.1\r\nHost: a\r\n\r\n",
                Reject::RequestLineMalformed,
            ),
            (
                "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
                Reject::RequestLineMalformed,
            ),
            (
                "GET /  HTTP/1.1\r\nHost: a\r\n\r\n",
                Reject::RequestLineMalformed,
            ),
            (
                "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
                Reject::RequestLineMalformed,
            ),
            (
                "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
                Reject::RequestLineMalformed,
            ),
            (
                "GET HTTP/1.1\r\nHost: a\r\n\r\n",
                Reject::RequestLineMalformed,
            ),
            ("GET /\r\nHost: a\r\n\r\n", Reject::RequestLineMalformed),
            ("GET\r\n\r\n", Reject::RequestLineMalformed),
            (
                "GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n",
                Reject::MethodMalformed,
            ),
            ("G(T / HTTP/1.1\r\nHost: a\r\n\r\n", Reject::MethodMalformed),
            (
                "\u{16}\u{3}\u{1} / HTTP/1.1\r\n\r\n",
                Reject::MethodMalformed,
            ),
            ("G\0T / HTTP/1.1\r\nHost: a\r\n\r\n", Reject::NulByte),
            ("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", Reject::NulByte),
            ("GET / HTTP/1.1\0\r\nHost: a\r\n\r\n", Reject::NulByte),
            (
                "GET /\t HTTP/1.1\r\nHost: a\r\n\r\n",
                Reject::TargetByteForbidden,
            ),
            (
                "GET /\u{7f} HTTP/1.1\r\nHost: a\r\n\r\n",
                Reject::TargetByteForbidden,
            ),
        ]);
        assert_eq!(
            outcome(b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n"),
            Outcome::Refused(Reject::TargetMalformed)
        );
    }
}
