//! What goes on of messages, section by section.

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

const PSEUDONYM: &[u8] = b"hotplate-1f2e";
const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const DATE_SECONDS: UnixSeconds = UnixSeconds(784_111_777);

fn fields(lines: &[(&str, &str)]) -> Fields {
    lines.iter().copied().collect()
}

fn forwarding() -> Forwarding<'static> {
    Forwarding {
        method: Method::Get,
        version: Version::Http11,
        scheme: Scheme::Http,
        host: b"h:8080",
        client: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7))),
        believes_client: false,
        pseudonym: PSEUDONYM,
        own_conditions: None,
        has_body: false,
        takes_trailers: false,
    }
}

/// The request to the origin, without the lines that every request gets.
fn sent(client: &[(&str, &str)], forwarding: &Forwarding<'_>) -> Fields {
    const ADDED: [&str; 4] = ["host", "x-forwarded-for", "x-forwarded-proto", "via"];
    request_fields(&fields(client), forwarding).filtered(|name, _| {
        !ADDED
            .iter()
            .any(|added| name.eq_ignore_ascii_case(added.as_bytes()))
    })
}

fn received(origin: &[(&str, &str)]) -> Fields {
    response_fields(&fields(origin), Version::Http11, DATE_SECONDS, PSEUDONYM)
}

#[test]
fn a_plain_request_gets_host_forwarded_fields_and_via() {
    let client = fields(&[("host", "other"), ("Accept", "*/*"), ("Cookie", "a=1")]);
    let expected = fields(&[
        ("Host", "h:8080"),
        ("Accept", "*/*"),
        ("Cookie", "a=1"),
        ("X-Forwarded-For", "192.0.2.7"),
        ("X-Forwarded-Proto", "http"),
        ("Via", "1.1 hotplate-1f2e"),
    ]);
    assert_eq!(request_fields(&client, &forwarding()), expected);
}

#[test]
fn what_the_client_says_of_others_goes_on_where_it_is_believed() {
    let client = fields(&[
        ("X-Forwarded-For", "198.51.100.1"),
        ("x-forwarded-for", "198.51.100.2, 198.51.100.3"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "evil"),
        ("Forwarded", "host=evil"),
    ]);
    let believing = Forwarding {
        believes_client: true,
        client: Some(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        ..forwarding()
    };
    let result = request_fields(&client, &believing);
    let all = "198.51.100.1, 198.51.100.2, 198.51.100.3, ::1";
    assert!(result.values("x-forwarded-for").eq([all.as_bytes()]));
    assert!(result.values("x-forwarded-proto").eq([b"https"]));
    assert_eq!(result.value("forwarded"), Some(&b"host=evil"[..]));
    let result = request_fields(&client, &forwarding());
    assert!(result.values("x-forwarded-for").eq([b"192.0.2.7"]));
    assert!(result.values("x-forwarded-proto").eq([b"http"]));
    assert_eq!(result.value("forwarded"), None);
    assert_eq!(result.value("x-forwarded-host"), None);
}

#[test]
fn without_an_address_only_the_clients_list_goes_on() {
    let nameless = Forwarding {
        client: None,
        believes_client: true,
        ..forwarding()
    };
    let result = request_fields(&fields(&[("X-Forwarded-For", "192.0.2.1")]), &nameless);
    assert!(result.values("x-forwarded-for").eq([b"192.0.2.1"]));
    let result = request_fields(&Fields::new(), &nameless);
    assert_eq!(result.value("x-forwarded-for"), None);
}

#[test]
fn conditions_and_ranges_are_the_clients_or_the_caches_own() {
    let client = [
        ("If-None-Match", "\"c\""),
        ("If-Modified-Since", DATE),
        ("Range", "bytes=0-1"),
        ("If-Range", "\"c\""),
        ("X", "1"),
    ];
    assert_eq!(sent(&client, &forwarding()), fields(&client));
    let own = fields(&[("If-None-Match", "\"own\"")]);
    let validating = Forwarding {
        own_conditions: Some(&own),
        ..forwarding()
    };
    let expected = fields(&[("X", "1"), ("If-None-Match", "\"own\"")]);
    assert_eq!(sent(&client, &validating), expected);
    let none = Fields::new();
    let filling = Forwarding {
        own_conditions: Some(&none),
        ..forwarding()
    };
    assert_eq!(sent(&client, &filling), fields(&[("X", "1")]));
}

#[test]
fn framing_expect_and_proxy_do_not_go_on() {
    let client = [
        ("Content-Length", "7"),
        ("Transfer-Encoding", "chunked"),
        ("Expect", "100-continue"),
        ("Proxy", "http://evil"),
        ("Trailer", "X-Sum"),
    ];
    assert_eq!(sent(&client, &forwarding()), Fields::new());
    let with_body = Forwarding {
        has_body: true,
        ..forwarding()
    };
    let expected = fields(&[("Content-Length", "7")]);
    assert_eq!(sent(&client, &with_body), expected);
}

mod rfc9110_s7_6_1 {
    use super::*;

    #[test]
    fn fields_that_connection_names_are_removed_and_connection_too() {
        let client = [
            ("Connection", "X-A, close"),
            ("connection", "x-b"),
            ("X-A", "1"),
            ("x-a", "2"),
            ("X-B", "3"),
            ("X-C", "4"),
        ];
        assert_eq!(sent(&client, &forwarding()), fields(&[("X-C", "4")]));
        let result = received(&client);
        for name in ["connection", "x-a", "x-b"] {
            assert_eq!(result.value(name), None, "{name}");
        }
        assert_eq!(result.value("x-c"), Some(&b"4"[..]));
    }

    #[test]
    fn what_we_add_cannot_be_removed_by_connection() {
        let client = fields(&[
            (
                "Connection",
                "Host, Via, X-Forwarded-For, X-Forwarded-Proto, If-None-Match",
            ),
            ("Via", "1.1 a"),
            ("X-Forwarded-For", "192.0.2.1"),
        ]);
        let own = fields(&[("If-None-Match", "\"own\"")]);
        let believing = Forwarding {
            believes_client: true,
            own_conditions: Some(&own),
            ..forwarding()
        };
        let result = request_fields(&client, &believing);
        assert_eq!(result.value("host"), Some(&b"h:8080"[..]));
        assert!(result.values("via").eq([b"1.1 hotplate-1f2e"]));
        assert!(result.values("x-forwarded-for").eq([b"192.0.2.7"]));
        assert!(result.values("x-forwarded-proto").eq([b"http"]));
        assert!(result.values("if-none-match").eq([b"\"own\""]));
    }

    #[test]
    fn fields_known_to_be_of_one_connection_are_removed_unnamed() {
        let lines = [
            ("Proxy-Connection", "keep-alive"),
            ("Keep-Alive", "timeout=5"),
            ("TE", "gzip"),
            ("Transfer-Encoding", "chunked"),
            ("Upgrade", "websocket"),
            ("Proxy-Authorization", "Basic x"),
        ];
        assert_eq!(sent(&lines, &forwarding()), Fields::new());
        assert_eq!(received(&lines), received(&[]));
    }

    proptest! {
        #[test]
        fn no_field_of_one_connection_ever_goes_on(
            lines in proptest::collection::vec(("(Connection|TE|Upgrade|Keep-Alive|[a-cA-C])", "[a-c, ]{0,4}"), 0..8),
        ) {
            let client: Fields = lines.iter().cloned().collect();
            for result in [
                request_fields(&client, &forwarding()),
                response_fields(&client, Version::Http11, DATE_SECONDS, PSEUDONYM),
            ] {
                for (name, _) in result.lines() {
                    prop_assert!(!is_hop_by_hop(name));
                    let is_named = lines.iter()
                        .filter(|(line, _)| line == "Connection")
                        .flat_map(|(_, value)| value.split(','))
                        .any(|option| option.trim().as_bytes().eq_ignore_ascii_case(name));
                    prop_assert!(!is_named);
                }
            }
        }
    }
}

#[test]
fn rfc9110_s10_1_4_trailers_are_taken_where_the_client_takes_them() {
    let client = [("TE", "gzip, Trailers"), ("Connection", "TE")];
    assert_eq!(sent(&client, &forwarding()), Fields::new());
    let takes = Forwarding {
        takes_trailers: true,
        ..forwarding()
    };
    let expected = fields(&[("TE", "trailers"), ("Connection", "TE")]);
    assert_eq!(sent(&client, &takes), expected);
}

mod rfc9110_s7_6_2 {
    use super::*;

    #[test]
    fn max_forwards_zero_is_answered_here() {
        let request = fields(&[("Max-Forwards", "0")]);
        for method in [Method::Options, Method::Trace] {
            assert_eq!(max_forwards(method, &request), MaxForwards::Last);
        }
        assert_eq!(max_forwards(Method::Get, &request), MaxForwards::Unlimited);
    }

    #[test]
    fn a_higher_one_goes_on_lessened_and_bounded() {
        for (value, left) in [
            ("1", 0),
            ("7", 6),
            ("0300", 255),
            ("99999999999999999999999", 255),
        ] {
            let request = fields(&[("Max-Forwards", value)]);
            assert_eq!(
                max_forwards(Method::Options, &request),
                MaxForwards::Left(left),
                "{value}"
            );
        }
        let asking = Forwarding {
            method: Method::Options,
            ..forwarding()
        };
        assert_eq!(
            sent(&[("max-forwards", "7")], &asking),
            fields(&[("Max-Forwards", "6")])
        );
    }

    #[test]
    fn the_least_of_several_counts_and_what_is_no_number_does_not() {
        let several = fields(&[
            ("Max-Forwards", "5"),
            ("Max-Forwards", "2"),
            ("Max-Forwards", "x"),
        ]);
        assert_eq!(max_forwards(Method::Trace, &several), MaxForwards::Left(1));
        for value in ["", "-1", "+1", "1.5"] {
            let request = fields(&[("Max-Forwards", value)]);
            assert_eq!(
                max_forwards(Method::Trace, &request),
                MaxForwards::Unlimited,
                "{value}"
            );
        }
    }

    #[test]
    fn other_methods_keep_it() {
        let client = [("Max-Forwards", "7")];
        assert_eq!(sent(&client, &forwarding()), fields(&client));
    }
}

mod rfc9110_s7_6_3 {
    use super::*;

    #[test]
    fn via_is_appended_with_the_version_received() {
        let client = fields(&[("Via", "1.1 a, 1.0 b")]);
        let old = Forwarding {
            version: Version::Http10,
            ..forwarding()
        };
        let result = request_fields(&client, &old);
        assert!(
            result
                .values("via")
                .eq([&b"1.1 a, 1.0 b"[..], b"1.0 hotplate-1f2e"])
        );
        let result = received(&[("Via", "1.1 a")]);
        assert!(
            result
                .values("via")
                .eq([&b"1.1 a"[..], b"1.1 hotplate-1f2e"])
        );
    }

    #[test]
    fn a_request_that_was_here_before_is_a_loop() {
        for via in [
            "1.1 hotplate-1f2e",
            "1.0 a, HTTP/1.1  HOTPLATE-1F2E (comment)",
            "1.1\thotplate-1f2e",
        ] {
            assert!(
                is_loop(&fields(&[("Via", "1.1 x"), ("via", via)]), PSEUDONYM),
                "{via}"
            );
        }
        for via in [
            "",
            "hotplate-1f2e",
            "1.1 hotplate-1f2f",
            "1.1 a (hotplate-1f2e)",
            "1.1 a hotplate-1f2e",
        ] {
            assert!(!is_loop(&fields(&[("Via", via)]), PSEUDONYM), "{via}");
        }
        assert!(is_loop(
            &request_fields(&Fields::new(), &forwarding()),
            PSEUDONYM
        ));
    }
}

#[test]
fn rfc9110_s6_6_1_a_response_without_a_valid_date_gets_one() {
    assert!(received(&[]).values("date").eq([DATE.as_bytes()]));
    assert!(
        received(&[("Date", "now")])
            .values("date")
            .eq([DATE.as_bytes()])
    );
    let own = "Sun, 06 Nov 1994 08:49:30 GMT";
    assert!(
        received(&[("Date", own)])
            .values("date")
            .eq([own.as_bytes()])
    );
}

#[test]
fn rfc9110_s6_6_2_trailer_is_for_those_to_say_who_send_trailers() {
    let origin = fields(&[("Trailer", "X-Sum")]);
    let result = response_fields(&origin, Version::Http11, DATE_SECONDS, PSEUDONYM);
    assert_eq!(result.value("trailer"), None);
}
