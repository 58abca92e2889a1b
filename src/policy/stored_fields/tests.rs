//! Tests of what is stored of a response's fields.

use super::*;
use crate::units::UnixSeconds;

const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

/// The names and values that are stored, without Date, which all tests have.
fn kept(status: u16, lines: &[(&str, &str)], rule: &Overrides) -> Vec<String> {
    let fields: Fields = [("Date", DATE)].iter().chain(lines).copied().collect();
    let received = Received {
        status,
        fields: &fields,
        request_time: UnixSeconds(0),
        response_time: UnixSeconds(0),
    };
    let stored = stored_fields(&received, &ResponseDirectives::of(&fields), rule);
    let lines = stored.lines().skip(1);
    lines
        .map(|(name, value)| {
            let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
            format!("{}: {}", text(name), text(value))
        })
        .collect()
}

fn kept_by_default(lines: &[(&str, &str)]) -> Vec<String> {
    kept(200, lines, &Overrides::default())
}

mod rfc9111_s3_1 {
    use super::*;

    #[test]
    fn unknown_fields_are_stored_in_their_order() {
        let lines = [
            ("X-New", "1"),
            ("Via", "1.1 a"),
            ("Cache-Status", "a; hit"),
            ("x-new", "2"),
            ("Content-Length", "3"),
            ("CDN-Cache-Control", "max-age=1"),
        ];
        let wanted: Vec<String> = lines
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        assert_eq!(kept_by_default(&lines), wanted);
    }

    #[test]
    fn connection_and_the_fields_it_names_are_not_stored() {
        let lines = [
            ("Connection", "close, X-Hop"),
            ("connection", "x-other"),
            ("X-HOP", "1"),
            ("X-Other", "1"),
            ("X-Stays", "1"),
            ("Close", "1"),
        ];
        assert_eq!(kept_by_default(&lines), ["X-Stays: 1"]);
    }

    #[test]
    fn hop_by_hop_fields_are_not_stored_without_being_named() {
        let lines = [
            ("Proxy-Connection", "keep-alive"),
            ("Keep-Alive", "timeout=5"),
            ("TE", "trailers"),
            ("Transfer-Encoding", "chunked"),
            ("Upgrade", "h2c"),
            ("Trailer", "X"),
        ];
        assert_eq!(kept_by_default(&lines), [""; 0]);
    }

    #[test]
    fn proxy_authentication_is_not_stored() {
        let lines = [
            ("Proxy-Authenticate", "Basic"),
            ("Proxy-Authentication-Info", "x"),
            ("Proxy-Authorization", "x"),
            ("WWW-Authenticate", "Basic"),
        ];
        assert_eq!(kept_by_default(&lines), ["WWW-Authenticate: Basic"]);
    }

    #[test]
    fn rfc9111_s4_age_is_not_stored_because_each_answer_has_its_own() {
        assert_eq!(kept_by_default(&[("Age", "5")]), [""; 0]);
    }
}

#[test]
fn rfc9111_s5_2_2_4_fields_that_no_cache_names_are_not_stored() {
    let lines = [
        ("Cache-Control", "no-cache=\"X-A, Set-Cookie\""),
        ("x-a", "1"),
        ("Set-Cookie", "a=b"),
        ("X-B", "1"),
    ];
    let wanted = ["Cache-Control: no-cache=\"X-A, Set-Cookie\"", "X-B: 1"];
    assert_eq!(kept_by_default(&lines), wanted);
}

#[test]
fn rfc9111_s5_2_2_7_fields_that_private_names_are_not_stored() {
    let lines = [("CDN-Cache-Control", "private=\"x-a\""), ("X-A", "1")];
    assert_eq!(
        kept_by_default(&lines),
        ["CDN-Cache-Control: private=\"x-a\""]
    );
}

#[test]
fn rfc9111_s3_3_a_part_is_stored_without_its_own_range_and_length() {
    let lines = [
        ("Content-Range", "bytes 0-1/9"),
        ("Content-Length", "2"),
        ("ETag", "\"a\""),
    ];
    assert_eq!(kept(206, &lines, &Overrides::default()), ["ETag: \"a\""]);
    assert_eq!(kept_by_default(&lines).len(), 3);
}

mod rfc9110_s6_6_1 {
    use super::*;

    fn dates(lines: &[(&str, &str)]) -> Vec<Vec<u8>> {
        let fields: Fields = lines.iter().copied().collect();
        let received = Received {
            status: 200,
            fields: &fields,
            request_time: UnixSeconds(0),
            response_time: UnixSeconds(784_111_777),
        };
        let directives = ResponseDirectives::default();
        let stored = stored_fields(&received, &directives, &Overrides::default());
        stored.values("date").map(<[u8]>::to_vec).collect()
    }

    #[test]
    fn a_missing_or_invalid_date_becomes_when_it_was_received() {
        assert_eq!(dates(&[]), [DATE.as_bytes()]);
        assert_eq!(dates(&[("Date", "x"), ("date", "")]), [DATE.as_bytes()]);
    }

    #[test]
    fn a_valid_date_stays() {
        let date = "Thu, 01 Jan 1970 00:00:00 GMT";
        assert_eq!(dates(&[("Date", date)]), [date.as_bytes()]);
    }
}

mod rules {
    use super::*;

    #[test]
    fn set_cookie_strip_takes_the_field_out() {
        let lines = [("Set-Cookie", "a=b"), ("set-cookie", "c=d"), ("X", "1")];
        let rule = |set_cookie| Overrides {
            set_cookie,
            ..Overrides::default()
        };
        assert_eq!(kept(200, &lines, &rule(SetCookie::Strip)), ["X: 1"]);
        assert_eq!(kept(200, &lines, &rule(SetCookie::Store)).len(), 3);
    }

    #[test]
    fn ignore_headers_takes_fields_out_but_vary_and_what_it_names() {
        let rule = Overrides {
            ignore_headers: ["x-a", "x-b", "vary", "accept-language"]
                .map(Into::into)
                .to_vec(),
            ..Overrides::default()
        };
        let lines = [
            ("X-A", "1"),
            ("Vary", "Accept-Encoding, X-B"),
            ("X-B", "1"),
            ("Accept-Language", "1"),
        ];
        let wanted = ["Vary: Accept-Encoding, X-B", "X-B: 1"];
        assert_eq!(kept(200, &lines, &rule), wanted);
    }
}
