//! Tests of what is stored, one for each demand.

use std::time::Duration;

use super::*;
use crate::http::date;
use crate::policy::settings::NegativeTtl;
use crate::policy::stored::LifetimeFrom;

const NOW: UnixSeconds = UnixSeconds(784_111_777);

const FRESH: (&str, &str) = ("Cache-Control", "max-age=60");
const TAG: (&str, &str) = ("ETag", "\"a\"");

fn fields(lines: &[(&str, &str)]) -> Fields {
    lines.iter().copied().collect()
}

fn get(lines: &[(&str, &str)]) -> Asked {
    Asked::of(Method::Get, &fields(lines))
}

fn judge_as(
    asked: &Asked,
    status: u16,
    lines: &[(&str, &str)],
    rule: &Overrides,
) -> Result<Stored, WhyNot> {
    let received = Received {
        status,
        fields: &fields(lines),
        request_time: NOW,
        response_time: NOW,
    };
    match judge(asked, &received, rule) {
        Storability::Store(stored) => Ok(*stored),
        Storability::Refuse(why_not) => Err(why_not),
    }
}

fn judge_ruled(status: u16, lines: &[(&str, &str)], rule: &Overrides) -> Result<Stored, WhyNot> {
    judge_as(&get(&[]), status, lines, rule)
}

fn judged(status: u16, lines: &[(&str, &str)]) -> Result<Stored, WhyNot> {
    judge_ruled(status, lines, &Overrides::default())
}

/// The verdict on a 200 that would be stored but for `cache_control`.
fn told(cache_control: &str) -> Result<Stored, WhyNot> {
    let expires = String::from_utf8(date::format(UnixSeconds(NOW.0 + 60)).to_vec()).unwrap();
    judged(
        200,
        &[("Cache-Control", cache_control), ("Expires", &expires), TAG],
    )
}

mod rfc9111_s3 {
    use super::*;

    #[test]
    fn only_get_is_understood() {
        for method in [
            Method::Head,
            Method::Options,
            Method::Post,
            Method::Put,
            Method::Delete,
            Method::Patch,
            Method::Trace,
            Method::Connect,
            Method::Other,
        ] {
            let asked = Asked::of(method, &Fields::new());
            let verdict = judge_as(&asked, 200, &[FRESH, TAG], &Overrides::default());
            assert_eq!(verdict, Err(WhyNot::Method), "{method:?}");
        }
        assert!(judged(200, &[FRESH, TAG]).is_ok());
    }

    #[test]
    fn a_status_that_is_not_final_is_not_stored() {
        for status in [0, 100, 101, 103, 199, 600, 999] {
            let verdict = judged(status, &[FRESH, TAG]);
            assert_eq!(verdict, Err(WhyNot::StatusNotFinal), "{status}");
        }
    }

    #[test]
    fn a_status_of_one_request_is_not_stored() {
        let rule = Overrides {
            negative_ttl: vec![NegativeTtl {
                first: 400,
                last: 599,
                ttl: Duration::from_secs(9),
            }],
            ..Overrides::default()
        };
        for status in [304, 407, 412, 416, 417, 425, 428, 429, 431, 511] {
            let verdict = judge_ruled(status, &[FRESH, TAG], &rule);
            assert_eq!(verdict, Err(WhyNot::StatusForOneRequest), "{status}");
        }
    }

    #[test]
    fn one_of_the_reasons_to_store_must_be_there() {
        let expires = ("Expires", "0");
        for reason in [
            ("Cache-Control", "public"),
            ("Cache-Control", "max-age=0"),
            ("Cache-Control", "s-maxage=0"),
            ("CDN-Cache-Control", "max-age=0"),
            expires,
        ] {
            for status in [200, 302, 403, 500] {
                assert!(
                    judged(status, &[reason, TAG]).is_ok(),
                    "{status} {reason:?}"
                );
            }
        }
        for status in (200..=599).filter(|&status| !status::is_for_one_request(status)) {
            let range = ("Content-Range", "bytes 0-1/2");
            let is_stored = judged(status, &[TAG, range]).is_ok();
            assert_eq!(
                is_stored,
                status::is_heuristically_cacheable(status),
                "{status}"
            );
        }
        for lines in [
            &[("Cache-Control", "foo"), TAG][..],
            &[TAG],
            &[("Cache-Control", "must-revalidate"), TAG],
            &[("CDN-Cache-Control", "foo"), ("Expires", "0"), TAG],
        ] {
            assert_eq!(judged(503, lines), Err(WhyNot::NotCacheable), "{lines:?}");
        }
    }

    #[test]
    fn an_unknown_status_is_stored_only_with_a_lifetime_stated() {
        for status in [299, 399, 418, 499, 599] {
            assert!(judged(status, &[FRESH]).is_ok(), "{status}");
            let public = judged(status, &[("Cache-Control", "public"), TAG]);
            assert_eq!(public, Err(WhyNot::NotCacheable), "{status}");
            assert_eq!(
                judged(status, &[TAG]),
                Err(WhyNot::NotCacheable),
                "{status}"
            );
        }
    }

    #[test]
    fn a_204_and_an_empty_body_are_stored() {
        assert!(judged(204, &[FRESH]).is_ok());
        assert!(judged(200, &[FRESH, ("Content-Length", "0")]).is_ok());
    }

    #[test]
    fn a_200_with_neither_validator_nor_lifetime_is_not_stored() {
        assert_eq!(judged(200, &[]), Err(WhyNot::NoLastModified));
        let invalid = [("Last-Modified", "yesterday"), ("ETag", "")];
        assert_eq!(judged(200, &invalid), Err(WhyNot::NoLastModified));
        let public = [("Cache-Control", "public")];
        assert_eq!(judged(200, &public), Err(WhyNot::NoLastModified));
        assert_eq!(judged(301, &[]), Err(WhyNot::NeverUsable));
    }

    #[test]
    fn what_could_never_be_used_is_not_stored() {
        for value in [
            "max-age=0",
            "max-age=x",
            "no-cache, max-age=60",
            "must-revalidate, max-age=0, stale-if-error=60",
            "proxy-revalidate, max-age=0, stale-while-revalidate=60",
        ] {
            let lines = [("Cache-Control", value)];
            assert_eq!(judged(200, &lines), Err(WhyNot::NeverUsable), "{value}");
            let tagged = [("Cache-Control", value), TAG];
            assert!(judged(200, &tagged).is_ok(), "{value}");
        }
        let aged = [FRESH, ("Age", "60")];
        assert_eq!(judged(200, &aged), Err(WhyNot::NeverUsable));
        for value in [
            "max-age=0, stale-if-error=5",
            "max-age=0, stale-while-revalidate=5",
        ] {
            assert!(judged(200, &[("Cache-Control", value)]).is_ok(), "{value}");
        }
    }
}

mod rfc9111_s3_3 {
    use super::*;

    const RANGE: (&str, &str) = ("Content-Range", "bytes 0-1/9");

    #[test]
    fn a_part_with_a_strong_tag_is_stored_as_an_incomplete_200() {
        let stored = judged(206, &[FRESH, TAG, RANGE]).unwrap();
        assert_eq!(stored.status, 200);
        assert!(stored.is_strong());
    }

    #[test]
    fn rfc9111_s3_4_a_part_without_a_strong_validator_is_not_stored() {
        let changed = ("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT");
        for validator in [("ETag", "W/\"a\""), ("ETag", "a"), changed] {
            let verdict = judged(206, &[FRESH, validator, RANGE]);
            assert_eq!(verdict, Err(WhyNot::PartUnusable), "{validator:?}");
        }
    }

    #[test]
    fn a_part_of_unknown_place_or_size_is_not_stored() {
        for range in ["bytes 0-1/*", "bytes */9", "items 0-1/9", "bytes 5-1/9", ""] {
            let verdict = judged(206, &[FRESH, TAG, ("Content-Range", range)]);
            assert_eq!(verdict, Err(WhyNot::PartUnusable), "{range}");
        }
        let multipart = ("Content-Type", "multipart/byteranges; boundary=x");
        assert_eq!(
            judged(206, &[FRESH, TAG, multipart]),
            Err(WhyNot::PartUnusable)
        );
        assert_eq!(
            judged(206, &[FRESH, TAG, RANGE, RANGE]),
            Err(WhyNot::PartUnusable)
        );
    }
}

mod rfc9111_s3_5 {
    use super::*;

    #[test]
    fn a_request_with_authorization_needs_a_directive_that_allows_it() {
        let asked = get(&[("Authorization", "Basic x")]);
        for value in [
            "public, max-age=60",
            "s-maxage=60",
            "must-revalidate, max-age=60",
        ] {
            let lines = [("Cache-Control", value)];
            let stored = judge_as(&asked, 200, &lines, &Overrides::default()).unwrap();
            assert!(
                stored.authorized && stored.shareable_with_authorization,
                "{value}"
            );
        }
        for value in [
            "max-age=60",
            "proxy-revalidate, max-age=60",
            "s-maxage=x, max-age=60",
        ] {
            let lines = [("Cache-Control", value), TAG];
            let verdict = judge_as(&asked, 200, &lines, &Overrides::default());
            assert_eq!(verdict, Err(WhyNot::Authorization), "{value}");
        }
    }

    #[test]
    fn without_authorization_the_stored_response_says_whether_it_may_answer_with() {
        assert!(!told("max-age=60").unwrap().shareable_with_authorization);
        let stored = told("max-age=60, public").unwrap();
        assert!(stored.shareable_with_authorization && !stored.authorized);
    }
}

mod rfc9111_s4_1 {
    use super::*;

    #[test]
    fn a_star_on_any_line_of_vary_is_not_stored() {
        for lines in [
            &[FRESH, ("Vary", "*")][..],
            &[FRESH, ("Vary", "Accept, *")],
            &[FRESH, ("Vary", "Accept"), ("vary", "* ,X")],
            &[FRESH, ("Vary", "x-forwarded-for")],
        ] {
            assert_eq!(judged(200, lines), Err(WhyNot::VaryStar), "{lines:?}");
        }
        assert!(judged(200, &[FRESH, ("Vary", "Accept, X*")]).is_ok());
    }
}

mod rfc9111_s5_2_1_5 {
    use super::*;

    #[test]
    fn no_store_of_the_request_is_not_stored() {
        let asked = get(&[("Cache-Control", "no-store")]);
        let verdict = judge_as(&asked, 200, &[FRESH, TAG], &Overrides::default());
        assert_eq!(verdict, Err(WhyNot::RequestNoStore));
        let rule = Overrides {
            ignore_client_cache_control: true,
            ..Overrides::default()
        };
        assert!(judge_as(&asked, 200, &[FRESH, TAG], &rule).is_ok());
    }
}

mod rfc9111_s5_2_2 {
    use super::*;

    #[test]
    fn rfc9111_s5_2_2_5_no_store_is_not_stored() {
        for value in [
            "no-store",
            "no-store=1",
            "max-age=60, No-Store",
            "public, no-store",
        ] {
            assert_eq!(told(value), Err(WhyNot::NoStore), "{value}");
        }
    }

    #[test]
    fn rfc9111_s5_2_2_3_must_understand_overrides_no_store_for_an_understood_status() {
        let lines = [("Cache-Control", "must-understand, no-store, max-age=60")];
        assert!(judged(200, &lines).is_ok());
        for status in [299, 418, 599] {
            let verdict = judged(status, &lines);
            assert_eq!(verdict, Err(WhyNot::StatusNotUnderstood), "{status}");
        }
    }

    #[test]
    fn rfc9111_s5_2_2_7_private_is_not_stored() {
        for value in [
            "private",
            "private, public, s-maxage=60",
            "private=\"\"",
            "private=\"a b\"",
        ] {
            assert_eq!(told(value), Err(WhyNot::Private), "{value}");
        }
        assert!(told("private=\"x-user\"").is_ok());
    }

    #[test]
    fn rfc9111_s5_2_2_7_a_validator_that_is_private_is_none() {
        let stored = told("private=\"ETag\"").unwrap();
        assert_eq!(stored.etag, None);
    }

    #[test]
    fn rfc9111_s5_2_2_4_no_cache_is_stored_and_marked() {
        assert!(told("no-cache").unwrap().no_cache);
        assert!(!told("no-cache=\"x-user\"").unwrap().no_cache);
    }

    #[test]
    fn rfc9111_s5_2_2_2_directives_against_stale_are_marked() {
        for value in ["must-revalidate", "proxy-revalidate", "s-maxage=5"] {
            assert!(told(value).unwrap().must_revalidate, "{value}");
        }
        assert!(!told("max-age=5, public").unwrap().must_revalidate);
    }

    #[test]
    fn rfc9213_s2_2_the_targeted_field_decides_alone() {
        let open = ("CDN-Cache-Control", "max-age=600");
        let closed = ("Cache-Control", "no-store, private");
        assert!(judged(200, &[open, closed]).is_ok());
        for (value, why_not) in [("no-store", WhyNot::NoStore), ("private", WhyNot::Private)] {
            let lines = [("CDN-Cache-Control", value), FRESH, TAG];
            assert_eq!(judged(200, &lines), Err(why_not));
        }
        let invalid = ("CDN-Cache-Control", "max-age=600, &&&");
        assert_eq!(judged(200, &[invalid, closed]), Err(WhyNot::NoStore));
        let wrong_type = ("CDN-Cache-Control", "max-age=\"600\"");
        assert_eq!(judged(200, &[wrong_type, closed]), Err(WhyNot::NeverUsable));
    }
}

#[test]
fn facts_are_those_of_the_response() {
    let lines = [
        ("Date", "Sun, 06 Nov 1994 08:49:30 GMT"),
        ("Age", "20"),
        ("Last-Modified", "Sun, 06 Nov 1994 08:00:00 GMT"),
        ("ETag", "W/\"a\""),
        (
            "Cache-Control",
            "max-age=60, immutable, stale-while-revalidate=5, stale-if-error=9",
        ),
    ];
    let received = Received {
        status: 404,
        fields: &fields(&lines),
        request_time: UnixSeconds(NOW.0 - 2),
        response_time: NOW,
    };
    let Storability::Store(stored) = judge(&get(&[]), &received, &Overrides::default()) else {
        panic!("it is stored");
    };
    assert_eq!(
        *stored,
        Stored {
            status: 404,
            response_time: NOW,
            date: UnixSeconds(NOW.0 - 7),
            initial_age: 22,
            lifetime: 60,
            lifetime_from: LifetimeFrom::MaxAge,
            no_cache: false,
            must_revalidate: false,
            immutable: true,
            authorized: false,
            shareable_with_authorization: false,
            stale_while_revalidate: 5,
            stale_if_error: 9,
            etag: Some(b"W/\"a\""[..].into()),
            last_modified: Some(UnixSeconds(784_108_800)),
            invalidated: false,
        }
    );
}

#[test]
fn an_etag_is_kept_as_it_came_and_two_different_ones_are_none() {
    let etag = |lines: &[(&str, &str)]| judged(200, lines).unwrap().etag;
    assert_eq!(etag(&[FRESH, ("ETag", "odd")]), Some(b"odd"[..].into()));
    assert_eq!(etag(&[FRESH, TAG, TAG]), Some(b"\"a\""[..].into()));
    assert_eq!(etag(&[FRESH, TAG, ("ETag", "\"b\"")]), None);
}

mod rules {
    use super::*;

    #[test]
    fn set_cookie_is_refused_stripped_or_stored() {
        let lines = [FRESH, ("Set-Cookie", "a=b")];
        for (set_cookie, wanted) in [
            (SetCookie::Refuse, Some(WhyNot::SetCookie)),
            (SetCookie::Strip, None),
            (SetCookie::Store, None),
        ] {
            let rule = Overrides {
                set_cookie,
                ..Overrides::default()
            };
            assert_eq!(
                judge_ruled(200, &lines, &rule).err(),
                wanted,
                "{set_cookie:?}"
            );
        }
    }

    #[test]
    fn set_cookie_that_is_left_out_anyway_does_not_refuse() {
        let cookie = ("Set-Cookie", "a=b");
        for value in [
            "max-age=60, no-cache=\"Set-Cookie\"",
            "max-age=60, private=set-cookie",
        ] {
            assert!(
                judged(200, &[("Cache-Control", value), cookie]).is_ok(),
                "{value}"
            );
        }
        let rule = Overrides {
            ignore_headers: vec!["set-cookie".into()],
            ..Overrides::default()
        };
        assert!(judge_ruled(200, &[FRESH, cookie], &rule).is_ok());
        let named = [FRESH, cookie, ("Vary", "Set-Cookie")];
        assert_eq!(judge_ruled(200, &named, &rule), Err(WhyNot::SetCookie));
    }

    #[test]
    fn each_rule_lifts_its_own_refusal_only() {
        let store_private = Overrides {
            store_private: true,
            ..Overrides::default()
        };
        let store_no_store = Overrides {
            store_no_store: true,
            ..Overrides::default()
        };
        let private = [("Cache-Control", "private, max-age=60")];
        let no_store = [("Cache-Control", "no-store, max-age=60")];
        assert!(judge_ruled(200, &private, &store_private).is_ok());
        assert!(judge_ruled(200, &no_store, &store_no_store).is_ok());
        let verdict = judge_ruled(200, &private, &store_no_store);
        assert_eq!(verdict, Err(WhyNot::Private));
        let verdict = judge_ruled(200, &no_store, &store_private);
        assert_eq!(verdict, Err(WhyNot::NoStore));
        let asked = get(&[("Authorization", "x")]);
        let verdict = judge_as(&asked, 200, &private, &store_private);
        assert_eq!(verdict, Err(WhyNot::Authorization));
        let asked = get(&[("Cache-Control", "no-store")]);
        let verdict = judge_as(&asked, 200, &[FRESH], &store_no_store);
        assert_eq!(verdict, Err(WhyNot::RequestNoStore));
    }

    #[test]
    fn store_expired_keeps_what_is_stale_from_the_start() {
        let rule = Overrides {
            store_expired: true,
            ..Overrides::default()
        };
        for value in [
            "max-age=0",
            "max-age=0, must-revalidate",
            "no-cache, max-age=1",
        ] {
            let lines = [("Cache-Control", value)];
            assert!(judge_ruled(200, &lines, &rule).is_ok(), "{value}");
        }
        assert!(judge_ruled(200, &[("Expires", "0")], &rule).is_ok());
    }

    #[test]
    fn ignore_no_last_modified_stores_with_the_default_lifetime() {
        let ruled = |ignore_no_last_modified, default_ttl| Overrides {
            ignore_no_last_modified,
            default_ttl,
            ..Overrides::default()
        };
        let minute = Some(Duration::from_secs(60));
        let stored = judge_ruled(200, &[], &ruled(true, minute)).unwrap();
        assert_eq!(
            (stored.lifetime, stored.lifetime_from),
            (60, LifetimeFrom::Rule)
        );
        let verdict = judge_ruled(200, &[], &ruled(false, minute));
        assert_eq!(verdict, Err(WhyNot::NoLastModified));
        let verdict = judge_ruled(200, &[], &ruled(true, None));
        assert_eq!(verdict, Err(WhyNot::NeverUsable));
        // With a validator no rule is needed.
        assert_eq!(
            judge_ruled(200, &[TAG], &ruled(false, minute))
                .unwrap()
                .lifetime,
            60
        );
    }

    #[test]
    fn negative_ttl_stores_an_error_that_states_nothing() {
        let rule = Overrides {
            negative_ttl: vec![NegativeTtl {
                first: 500,
                last: 504,
                ttl: Duration::from_secs(3),
            }],
            ..Overrides::default()
        };
        assert_eq!(judge_ruled(503, &[], &rule).unwrap().lifetime, 3);
        assert_eq!(judge_ruled(505, &[], &rule), Err(WhyNot::NotCacheable));
        let no_store = [("Cache-Control", "no-store")];
        assert_eq!(judge_ruled(503, &no_store, &rule), Err(WhyNot::NoStore));
    }

    #[test]
    fn stale_times_of_the_rule_are_for_responses_that_state_none() {
        let rule = Overrides {
            stale_if_error: Some(Duration::from_secs(7)),
            stale_while_revalidate: Some(Duration::from_secs(8)),
            ..Overrides::default()
        };
        let stored = judge_ruled(200, &[FRESH], &rule).unwrap();
        assert_eq!(
            (stored.stale_if_error, stored.stale_while_revalidate),
            (7, 8)
        );
        let value = "max-age=60, stale-if-error=0, stale-while-revalidate=x";
        let stored = judge_ruled(200, &[("Cache-Control", value)], &rule).unwrap();
        assert_eq!(
            (stored.stale_if_error, stored.stale_while_revalidate),
            (0, 0)
        );
    }
}
