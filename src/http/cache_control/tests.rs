//! Tests of Cache-Control and CDN-Cache-Control.

use proptest::prelude::*;

use super::*;
use crate::http::fields::Fields;

fn request(lines: &[(&str, &str)]) -> RequestDirectives {
    RequestDirectives::of(&lines.iter().copied().collect::<Fields>())
}

fn response(lines: &[(&str, &str)]) -> ResponseDirectives {
    ResponseDirectives::of(&lines.iter().copied().collect::<Fields>())
}

fn asked(value: &str) -> RequestDirectives {
    request(&[("Cache-Control", value)])
}

fn told(value: &str) -> ResponseDirectives {
    response(&[("Cache-Control", value)])
}

fn seconds(seconds: u64) -> Option<Delta> {
    Some(Delta::Seconds(seconds))
}

mod rfc9111_s1_2_2 {
    use super::*;

    #[test]
    fn delta_seconds_that_overflow_are_2_to_the_31() {
        for (digits, wanted) in [
            ("0", 0),
            ("003600", 3600),
            ("2147483647", 2_147_483_647),
            ("2147483648", DELTA_MAX),
            ("99999999999", DELTA_MAX),
            ("18446744073709551616", DELTA_MAX),
            ("999999999999999999999999999999999999999999", DELTA_MAX),
        ] {
            assert_eq!(Delta::parse(digits.as_bytes()), Delta::Seconds(wanted));
        }
    }

    #[test]
    fn delta_seconds_that_are_none_are_invalid() {
        for text in ["", "-1", "+1", "1.0", "1s", " 1", "0x1", "a1", "'1'"] {
            assert_eq!(Delta::parse(text.as_bytes()), Delta::Invalid, "{text}");
        }
        assert_eq!(Delta::Invalid.seconds(), 0);
    }
}

mod rfc9111_s5_2 {
    use super::*;

    #[test]
    fn names_are_compared_in_any_case() {
        assert_eq!(told("MaX-aGe=60").max_age, seconds(60));
        assert!(told("NO-STORE").no_store);
        assert!(asked("Only-If-Cached").only_if_cached);
    }

    #[test]
    fn both_forms_of_arguments_are_read() {
        assert_eq!(told("max-age=\"60\"").max_age, seconds(60));
        assert_eq!(told("max-age=\"6\\0\"").max_age, seconds(60));
        assert_eq!(asked("max-age=\"60\"").max_age, Some(60));
        assert!(told("private=Set-Cookie").private.names(b"set-cookie"));
    }

    #[test]
    fn all_lines_make_one_list() {
        let read = response(&[
            ("Cache-Control", "max-age=60"),
            ("X", "no-store"),
            ("cache-control", ",, no-cache ,"),
        ]);
        assert_eq!(read.max_age, seconds(60));
        assert_eq!(read.no_cache, Qualified::Whole);
        assert!(!read.no_store);
    }

    #[test]
    fn what_stands_in_a_quoted_string_is_no_directive() {
        for value in [
            "extension=\"max-age=3600\", max-age=1",
            "max-age=1, extension=\"max-age=3600, no-store\"",
            "max-age=1, extension=\"\\\", no-store, \\\\\"",
        ] {
            let read = told(value);
            assert_eq!(read.max_age, seconds(1), "{value}");
            assert!(!read.no_store, "{value}");
        }
    }

    #[test]
    fn a_quote_that_is_never_closed_hides_nothing() {
        assert!(told("extension=\"a, no-store").no_store);
        assert!(told("extension=\"\\\", no-store").no_store);
        assert!(
            response(&[
                ("Cache-Control", "extension=\"a"),
                ("Cache-Control", "b\", no-store"),
            ])
            .no_store
        );
    }

    #[test]
    fn what_restricts_counts_in_whatever_form() {
        for value in [
            "max-age =60",
            "max-age= 60",
            "max-age=60 x",
            "max-age=60;x",
            "max-age=\"60\" x",
            "max-age=\"60\"0",
            "max-age",
        ] {
            assert_eq!(told(value).max_age, Some(Delta::Invalid), "{value}");
        }
        assert!(told("no-store=1").no_store);
        assert!(told("no-store x").no_store);
        assert!(told("must-revalidate=\"\"").must_revalidate);
        assert!(told("proxy-revalidate;").proxy_revalidate);
        assert_eq!(told("no-cache=;").no_cache, Qualified::Whole);
        assert_eq!(told("private=\"\"").private, Qualified::Whole);
        assert_eq!(told("private=\"a b\"").private, Qualified::Whole);
        assert_eq!(told("private=\"a").private, Qualified::Whole);
    }

    #[test]
    fn what_allows_must_be_well_formed() {
        let read = told("public=1, must-understand=1, immutable=\"\"");
        assert!(!read.public && !read.must_understand && !read.immutable);
        let read = told("stale-while-revalidate=x, stale-if-error, s-maxage=x");
        assert_eq!(read.stale_while_revalidate, Some(0));
        assert_eq!(read.stale_if_error, Some(0));
        assert!(!read.allows_authorization());
        assert_eq!(asked("max-stale=x").max_stale, None);
    }

    #[test]
    fn rfc9111_s5_2_3_unknown_directives_are_ignored() {
        let read = told("community=\"UCI\", max-age=60, a-directive-with-a-name-that-is-long");
        let known = told("max-age=60");
        assert_eq!(read, known);
        assert_eq!(told("\"no-store\", =no-store, , ;no-store"), told(""));
    }
}

mod rfc9111_s4_2_1 {
    use super::*;

    #[test]
    fn the_smallest_of_repeated_lifetimes_counts() {
        for value in ["max-age=1800, max-age=1", "max-age=1, max-age=1800"] {
            assert_eq!(told(value).max_age, seconds(1), "{value}");
        }
        assert_eq!(told("max-age=60, max-age=x").max_age, Some(Delta::Invalid));
        assert_eq!(told("s-maxage=9, s-maxage=8").s_maxage, seconds(8));
        let read = told("stale-if-error=9, stale-if-error=0, stale-while-revalidate=3");
        assert_eq!(read.stale_if_error, Some(0));
        assert_eq!(read.stale_while_revalidate, Some(3));
    }
}

mod rfc9111_s5_2_1 {
    use super::*;

    #[test]
    fn every_request_directive_is_read() {
        let read = asked(
            "no-cache, no-store, no-transform, only-if-cached, max-age=1, max-stale=2, min-fresh=3, stale-if-error=4",
        );
        assert_eq!(
            read,
            RequestDirectives {
                no_cache: true,
                no_store: true,
                no_transform: true,
                only_if_cached: true,
                max_age: Some(1),
                max_stale: Some(MaxStale::Seconds(2)),
                min_fresh: Some(3),
                stale_if_error: Some(4),
                pragma_no_cache: false,
            }
        );
        assert_eq!(request(&[]), RequestDirectives::default());
    }

    #[test]
    fn of_repeated_ones_the_most_restrictive_counts() {
        let read = asked("max-age=9, max-age=8, min-fresh=8, min-fresh=9, max-stale, max-stale=5");
        assert_eq!(read.max_age, Some(8));
        assert_eq!(read.min_fresh, Some(9));
        assert_eq!(asked("min-fresh=9, min-fresh=8").min_fresh, Some(9));
        assert_eq!(read.max_stale, Some(MaxStale::Seconds(5)));
    }

    #[test]
    fn what_cannot_be_read_restricts_as_much_as_it_can() {
        let read = asked("max-age=x, min-fresh=x, stale-if-error=x");
        assert_eq!(read.max_age, Some(0));
        assert_eq!(read.min_fresh, Some(DELTA_MAX));
        assert_eq!(read.stale_if_error, Some(0));
    }

    #[test]
    fn rfc9111_s5_2_1_2_max_stale_without_value_accepts_any_staleness() {
        assert_eq!(asked("max-stale").max_stale, Some(MaxStale::Any));
        assert!(MaxStale::Any.accepts(u64::MAX));
        assert!(MaxStale::Seconds(5).accepts(5));
        assert!(!MaxStale::Seconds(5).accepts(6));
    }
}

mod rfc9111_s5_2_2 {
    use super::*;

    #[test]
    fn every_response_directive_is_read() {
        let read = told(
            "max-age=1, s-maxage=2, no-cache, private, no-store, must-understand, must-revalidate, proxy-revalidate, \
             public, no-transform, immutable, stale-while-revalidate=3, stale-if-error=4",
        );
        assert_eq!(
            read,
            ResponseDirectives {
                targeted: false,
                max_age: seconds(1),
                s_maxage: seconds(2),
                no_cache: Qualified::Whole,
                private: Qualified::Whole,
                no_store: true,
                must_understand: true,
                must_revalidate: true,
                proxy_revalidate: true,
                public: true,
                no_transform: true,
                immutable: true,
                stale_while_revalidate: Some(3),
                stale_if_error: Some(4),
            }
        );
        assert!(read.forbids_stale() && read.allows_authorization());
        assert_eq!(response(&[]), ResponseDirectives::default());
    }

    #[test]
    fn rfc9111_s5_2_2_4_field_names_come_together_in_lower_case() {
        let read = told("no-cache=\"Set-Cookie, X-A,\", no-cache=\"x-b\", private=\"C\"");
        let names =
            |names: &[&str]| Qualified::Fields(names.iter().map(|&name| name.into()).collect());
        assert_eq!(read.no_cache, names(&["set-cookie", "x-a", "x-b"]));
        assert_eq!(read.private, names(&["c"]));
        assert!(read.no_cache.names(b"SET-COOKIE") && !read.no_cache.names(b"c"));
    }

    #[test]
    fn rfc9111_s5_2_2_4_the_whole_response_wins_over_names() {
        for value in ["no-cache, no-cache=\"a\"", "no-cache=\"a\", no-cache"] {
            assert_eq!(told(value).no_cache, Qualified::Whole, "{value}");
        }
    }

    #[test]
    fn rfc9111_s5_2_2_7_a_field_that_the_rest_needs_stands_for_the_whole() {
        for value in [
            "private=\"x, Vary\"",
            "private=content-encoding",
            "private=\"Content-Type\"",
        ] {
            assert_eq!(told(value).private, Qualified::Whole, "{value}");
        }
    }

    #[test]
    fn rfc9111_s5_2_2_10_s_maxage_forbids_stale_as_proxy_revalidate_does() {
        for value in [
            "s-maxage=1",
            "s-maxage=x",
            "proxy-revalidate",
            "must-revalidate",
        ] {
            assert!(told(value).forbids_stale(), "{value}");
        }
        assert!(!told("max-age=1, no-cache, public").forbids_stale());
    }

    #[test]
    fn rfc9111_s3_5_three_directives_allow_authorization() {
        for value in ["must-revalidate", "public", "s-maxage=0"] {
            assert!(told(value).allows_authorization(), "{value}");
        }
        assert!(!told("proxy-revalidate, max-age=60, immutable").allows_authorization());
    }
}

mod rfc9111_s5_4 {
    use super::*;

    #[test]
    fn pragma_counts_only_where_there_is_no_cache_control() {
        assert!(request(&[("Pragma", "x=y, No-Cache")]).pragma_no_cache);
        assert!(!request(&[("Pragma", "x")]).pragma_no_cache);
        for cache_control in ["", "max-age=60"] {
            let both = request(&[("Pragma", "no-cache"), ("Cache-Control", cache_control)]);
            assert!(!both.pragma_no_cache, "{cache_control}");
        }
    }

    #[test]
    fn pragma_of_a_response_means_nothing() {
        assert_eq!(
            response(&[("Pragma", "no-cache")]),
            ResponseDirectives::default()
        );
    }
}

mod rfc9213 {
    use super::*;

    fn both(targeted: &str) -> ResponseDirectives {
        response(&[
            ("Cache-Control", "no-store, max-age=1"),
            ("CDN-Cache-Control", targeted),
        ])
    }

    #[test]
    fn rfc9213_s2_2_the_targeted_field_replaces_cache_control() {
        let read = both("max-age=600, must-revalidate, stale-if-error=5, x;y=1");
        assert_eq!(
            read,
            ResponseDirectives {
                targeted: true,
                max_age: seconds(600),
                must_revalidate: true,
                stale_if_error: Some(5),
                ..ResponseDirectives::default()
            }
        );
    }

    #[test]
    fn rfc9213_s2_1_lines_are_joined_and_parameters_ignored() {
        let read = response(&[
            ("CDN-Cache-Control", "max-age=60;x=1"),
            ("cdn-cache-control", "no-cache=\"a, B\";q"),
        ]);
        assert_eq!(read.max_age, seconds(60));
        assert!(read.no_cache.names(b"b"));
    }

    #[test]
    fn rfc9213_s2_1_what_is_empty_or_cannot_be_parsed_is_absent() {
        for value in [
            "",
            "max-age=600, &&&",
            "max-age =600",
            "max-age= 600",
            "MaX-aGe=600",
            "max-age=600,",
            "max-age=\"600",
            "max-age=99999999999999999",
            "no-cache=set-cookie, \u{e9}",
        ] {
            let read = both(value);
            assert!(!read.targeted && read.no_store, "{value}");
            assert_eq!(read.max_age, seconds(1), "{value}");
        }
    }

    #[test]
    fn rfc9213_s2_1_a_value_of_the_wrong_type_allows_nothing() {
        for value in [
            "max-age=\"600\"",
            "max-age=600.0",
            "max-age=-1",
            "max-age",
            "max-age=(600)",
        ] {
            let read = both(value);
            assert!(read.targeted, "{value}");
            assert_eq!(read.max_age, Some(Delta::Invalid), "{value}");
        }
        let read = both("public=1, immutable=x, stale-while-revalidate=\"9\"");
        assert!(!read.public && !read.immutable);
        assert_eq!(read.stale_while_revalidate, Some(0));
    }

    #[test]
    fn a_wrong_type_of_what_restricts_restricts() {
        let read = both("no-store=1, private=x, no-cache=(a b)");
        assert!(read.no_store);
        assert_eq!(read.private, Qualified::Whole);
        assert_eq!(read.no_cache, Qualified::Whole);
        let denied = both("no-store=?0, private=?0, max-age=5");
        assert!(!denied.no_store);
        assert_eq!(denied.private, Qualified::No);
    }

    #[test]
    fn seconds_saturate() {
        assert_eq!(both("max-age=99999999999").max_age, seconds(DELTA_MAX));
    }
}

proptest! {
    #[test]
    fn any_octets_are_read_without_panic(line in proptest::collection::vec(any::<u8>(), 0..80), name in "(cdn-)?cache-control|pragma") {
        let fields: Fields = [(name.as_bytes(), &line[..])].into_iter().collect();
        let asked = RequestDirectives::of(&fields);
        let told = ResponseDirectives::of(&fields);
        for seconds in [asked.max_age, asked.min_fresh, asked.stale_if_error, told.stale_if_error, told.stale_while_revalidate] {
            prop_assert!(seconds.is_none_or(|seconds| seconds <= DELTA_MAX));
        }
        for delta in [told.max_age, told.s_maxage].into_iter().flatten() {
            prop_assert!(delta.seconds() <= DELTA_MAX);
        }
    }

    #[test]
    fn likely_octets_give_every_directive_exactly_once(line in "([a-c=\" \\\\]{0,6},){0,6}[a-c=\" ]{0,6}") {
        // Each directive is a part of the line, they come in its order, and none overlaps the next.
        let mut rest = line.as_bytes();
        let mut directives = Directives::of(rest);
        while let Some(directive) = directives.next() {
            let after = directives.rest;
            prop_assert!(after.len() < rest.len());
            let taken = &rest[..rest.len() - after.len()];
            prop_assert!(taken.windows(directive.name.len()).any(|part| part == directive.name));
            rest = after;
        }
    }

    #[test]
    fn lists_come_back_in_either_form(
        values in proptest::collection::vec((0..4usize, 0..u64::from(u32::MAX), any::<bool>()), 1..6),
    ) {
        let names = ["max-age", "s-maxage", "stale-if-error", "stale-while-revalidate"];
        let line: Vec<String> = values.iter().map(|&(name, value, is_quoted)| match is_quoted {
            true => format!("{}=\"{value}\"", names[name]),
            false => format!("{}={value}", names[name]),
        }).collect();
        let read = told(&line.join(" , "));
        let smallest = |wanted: usize| values.iter()
            .filter(|(name, _, _)| *name == wanted)
            .map(|(_, value, _)| (*value).min(DELTA_MAX))
            .min();
        prop_assert_eq!(read.max_age.map(Delta::seconds), smallest(0));
        prop_assert_eq!(read.s_maxage.map(Delta::seconds), smallest(1));
        prop_assert_eq!(read.stale_if_error, smallest(2));
        prop_assert_eq!(read.stale_while_revalidate, smallest(3));
    }
}
