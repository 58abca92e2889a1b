//! Tests of lifetimes and ages.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::http::fields::Fields;
use crate::policy::settings::NegativeTtl;

/// Sun, 06 Nov 1994 08:49:37 GMT.
const NOW: UnixSeconds = UnixSeconds(784_111_777);

/// A date that lies `offset` seconds after [`NOW`].
fn at(offset: i64) -> String {
    let time = NOW.0.checked_add_signed(offset).unwrap();
    String::from_utf8(date::format(UnixSeconds(time)).to_vec()).unwrap()
}

fn fields(lines: &[(&str, &str)]) -> Fields {
    lines.iter().copied().collect()
}

fn lifetime_of(status: u16, lines: &[(&str, &str)], rule: &Overrides) -> (u64, LifetimeFrom) {
    let fields = fields(lines);
    let directives = ResponseDirectives::of(&fields);
    lifetime(status, &fields, &directives, rule, NOW)
}

fn of(lines: &[(&str, &str)]) -> (u64, LifetimeFrom) {
    lifetime_of(200, lines, &Overrides::default())
}

fn age(lines: &[(&str, &str)]) -> u64 {
    initial_age(&fields(lines), NOW, NOW)
}

const fn seconds(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

mod rfc9111_s4_2_1 {
    use super::*;

    #[test]
    fn the_first_match_gives_the_lifetime() {
        let expires = ("Expires", &*at(30));
        let changed = ("Last-Modified", &*at(-1000));
        let all = ("Cache-Control", "max-age=20, s-maxage=10");
        let own = ("Cache-Control", "max-age=20");
        assert_eq!(of(&[expires, changed, all]), (10, LifetimeFrom::SMaxage));
        assert_eq!(of(&[expires, changed, own]), (20, LifetimeFrom::MaxAge));
        assert_eq!(of(&[expires, changed]), (30, LifetimeFrom::Expires));
        assert_eq!(of(&[changed]), (100, LifetimeFrom::Heuristic));
        assert_eq!(of(&[]), (0, LifetimeFrom::Nothing));
    }

    #[test]
    fn an_invalid_directive_is_stale_and_gives_way_to_nothing() {
        let expires = ("Expires", &*at(30));
        for value in [
            "max-age=x",
            "max-age=-1",
            "max-age=1.5",
            "max-age",
            "max-age=60, max-age=x",
        ] {
            let read = of(&[("Cache-Control", value), expires]);
            assert_eq!(read, (0, LifetimeFrom::MaxAge), "{value}");
        }
        let read = of(&[("Cache-Control", "s-maxage=x, max-age=60")]);
        assert_eq!(read, (0, LifetimeFrom::SMaxage));
    }

    #[test]
    fn of_repeated_directives_the_smallest_counts() {
        let lines = [
            ("Cache-Control", "max-age=60"),
            ("Cache-Control", "max-age=5"),
        ];
        assert_eq!(of(&lines), (5, LifetimeFrom::MaxAge));
    }

    #[test]
    fn expires_counts_from_date_and_not_from_our_clock() {
        let expires = ("Expires", &*at(100));
        assert_eq!(of(&[expires, ("Date", &at(-50))]).0, 150);
        assert_eq!(of(&[expires, ("Date", &at(80))]).0, 20);
        assert_eq!(of(&[expires, ("Date", &at(101))]).0, 0);
    }

    #[test]
    fn expires_without_a_valid_date_counts_from_when_it_was_received() {
        assert_eq!(of(&[("Expires", &at(30))]).0, 30);
        assert_eq!(of(&[("Expires", &at(30)), ("Date", "foo")]).0, 30);
    }

    #[test]
    fn of_several_dates_none_makes_it_fresher() {
        let lines = [
            ("Expires", &*at(100)),
            ("Date", &*at(-50)),
            ("Date", &*at(0)),
        ];
        assert_eq!(of(&lines).0, 100);
        assert_eq!(age(&lines), 50);
    }

    #[test]
    fn rfc9111_s1_2_2_a_lifetime_that_overflows_is_2_to_the_31() {
        assert_eq!(
            of(&[("Cache-Control", "max-age=99999999999999999999")]).0,
            DELTA_MAX
        );
        assert_eq!(
            of(&[("Expires", "Fri, 31 Dec 9999 23:59:59 GMT")]).0,
            DELTA_MAX
        );
    }
}

mod rfc9111_s5_3 {
    use super::*;

    #[test]
    fn invalid_dates_are_already_expired() {
        for value in [
            "0",
            "-1",
            "",
            "never",
            "Thu, 18 Aug 2050 02:01:18 UTC",
            "Thu, 18 Aug 2050 02:01:18 AEST",
            "Thu, 18 Aug 2050 02:01:18",
            "Thu, 18 Aug 50 02:01:18 GMT",
            "Thu 18 Aug 2050 02:01:18 GMT",
            "Thu, 18  Aug  2050 02:01:18 GMT",
            "Thu, 18-Aug-2050 02:01:18 GMT",
            "Thu, 18 Aug 2050 02.01.18 GMT",
            "Thu, 18 Aug 2050 2:01:18 GMT",
        ] {
            let read = of(&[("Expires", value), ("Last-Modified", &at(-1000))]);
            assert_eq!(read, (0, LifetimeFrom::Expires), "{value}");
        }
    }

    #[test]
    fn several_are_already_expired() {
        let expires = ("Expires", &*at(30));
        assert_eq!(of(&[expires, expires]), (0, LifetimeFrom::Expires));
        assert_eq!(of(&[expires, ("Expires", "0")]), (0, LifetimeFrom::Expires));
    }

    #[test]
    fn max_age_and_s_maxage_replace_it() {
        for (value, wanted) in [("max-age=60", 60), ("s-maxage=60", 60), ("max-age=0", 0)] {
            for expires in ["0", &at(1000)] {
                let read = of(&[("Expires", expires), ("Cache-Control", value)]);
                assert_eq!(read.0, wanted, "{value} {expires}");
            }
        }
    }

    #[test]
    fn rfc9111_s4_2_dates_are_matched_in_any_case() {
        for expires in [at(60).to_uppercase(), at(60).to_lowercase()] {
            assert_eq!(of(&[("Expires", &expires)]).0, 60, "{expires}");
        }
    }
}

mod rfc9111_s4_2_2 {
    use super::*;

    #[test]
    fn no_heuristic_where_a_lifetime_is_stated() {
        let changed = ("Last-Modified", &*at(-1000));
        for stated in [
            ("Cache-Control", "max-age=0"),
            ("Cache-Control", "s-maxage=0"),
            ("Expires", "0"),
            ("CDN-Cache-Control", "max-age=0"),
        ] {
            assert_eq!(of(&[changed, stated]).0, 0, "{stated:?}");
        }
    }

    #[test]
    fn only_listed_statuses_and_public_have_one() {
        let changed = ("Last-Modified", &*at(-1000));
        let public = ("Cache-Control", "public");
        for status in 100..=599 {
            let wanted = if is_heuristically_cacheable(status) {
                100
            } else {
                0
            };
            let rule = Overrides::default();
            assert_eq!(lifetime_of(status, &[changed], &rule).0, wanted, "{status}");
            assert_eq!(
                lifetime_of(status, &[changed, public], &rule).0,
                100,
                "{status}"
            );
        }
    }

    #[test]
    fn a_last_modified_that_is_of_no_use_gives_none() {
        let nothing = (0, LifetimeFrom::Nothing);
        assert_eq!(of(&[("Last-Modified", &at(1))]), nothing);
        assert_eq!(
            of(&[("Last-Modified", &at(-5)), ("Date", &at(-10))]),
            nothing
        );
        assert_eq!(of(&[("Last-Modified", "0")]), nothing);
        let twice = ("Last-Modified", &*at(-1000));
        assert_eq!(of(&[twice, twice]), nothing);
    }

    #[test]
    fn a_clock_that_runs_ahead_at_the_origin_does_not_lengthen_it() {
        let lines = [("Last-Modified", &*at(-1000)), ("Date", &*at(5000))];
        assert_eq!(of(&lines), (100, LifetimeFrom::Heuristic));
    }

    #[test]
    fn the_rule_sets_the_part_of_the_time() {
        let lines = [("Last-Modified", &*at(-1000))];
        for (heuristic_permille, wanted) in [(500, 500), (2000, 2000), (1, 1), (0, 0)] {
            let rule = Overrides {
                heuristic_permille,
                ..Overrides::default()
            };
            assert_eq!(lifetime_of(200, &lines, &rule).0, wanted);
        }
    }
}

mod rfc9111_s4_2_3 {
    use super::*;

    #[test]
    fn the_greater_of_apparent_age_and_corrected_age_counts() {
        assert_eq!(age(&[("Date", &at(-20)), ("Age", "30")]), 30);
        assert_eq!(age(&[("Date", &at(-40)), ("Age", "30")]), 40);
        assert_eq!(age(&[("Date", &at(-40))]), 40);
        assert_eq!(age(&[]), 0);
    }

    #[test]
    fn a_date_in_the_future_is_no_age() {
        assert_eq!(age(&[("Date", &at(100))]), 0);
        assert_eq!(age(&[("Date", &at(100)), ("Age", "7")]), 7);
    }

    #[test]
    fn age_counts_from_when_the_request_was_sent() {
        let fields = fields(&[("Age", "30")]);
        let sent = UnixSeconds(NOW.0 - 10);
        assert_eq!(initial_age(&fields, sent, NOW), 40);
        // A clock that was set back in between makes nothing younger.
        assert_eq!(initial_age(&fields, UnixSeconds(NOW.0 + 10), NOW), 30);
    }

    #[test]
    fn a_delay_counts_without_age_too() {
        assert_eq!(
            initial_age(&Fields::new(), UnixSeconds(NOW.0 - 10), NOW),
            10
        );
    }
}

mod rfc9111_s5_1 {
    use super::*;

    #[test]
    fn an_age_that_is_no_integer_is_ignored() {
        for value in [
            "abc", "-7200", "7200.0", "", "72 00", "7200;a=1", "\"7200\"",
        ] {
            assert_eq!(age(&[("Age", value)]), 0, "{value}");
            assert_eq!(age(&[("Age", value), ("Age", "5")]), 5, "{value}");
        }
    }

    #[test]
    fn of_several_the_largest_counts() {
        for lines in [
            &[("Age", "7200, 0")][..],
            &[("Age", "0,7200")],
            &[("Age", "7200"), ("Age", "0")],
            &[("Age", "0"), ("Age", "x , 7200 ")],
        ] {
            assert_eq!(age(lines), 7200, "{lines:?}");
        }
    }

    #[test]
    fn one_that_overflows_is_2_to_the_31() {
        assert_eq!(age(&[("Age", "99999999999999999999999")]), DELTA_MAX);
    }
}

mod rfc9110_s6_6_1 {
    use super::*;

    #[test]
    fn a_missing_or_invalid_date_is_when_it_was_received() {
        assert_eq!(generation_date(&Fields::new(), NOW), NOW);
        assert_eq!(generation_date(&fields(&[("Date", "x")]), NOW), NOW);
        let earlier = UnixSeconds(NOW.0 - 9);
        assert_eq!(generation_date(&fields(&[("Date", &at(-9))]), NOW), earlier);
    }
}

mod rfc9213_s2_2 {
    use super::*;

    #[test]
    fn the_targeted_field_wins_over_cache_control_and_expires() {
        let lines = [
            ("CDN-Cache-Control", "max-age=600"),
            ("Cache-Control", "max-age=1, s-maxage=2"),
            ("Expires", "0"),
        ];
        assert_eq!(of(&lines), (600, LifetimeFrom::Targeted));
    }

    #[test]
    fn one_without_a_lifetime_leaves_the_heuristic_and_not_expires() {
        let lines = [("CDN-Cache-Control", "foo"), ("Expires", &*at(60))];
        assert_eq!(of(&lines), (0, LifetimeFrom::Nothing));
        let lines = [("CDN-Cache-Control", "foo"), ("Last-Modified", &*at(-1000))];
        assert_eq!(of(&lines), (100, LifetimeFrom::Heuristic));
    }
}

mod rules {
    use super::*;

    #[test]
    fn default_ttl_is_for_good_answers_that_state_none() {
        let rule = Overrides {
            default_ttl: seconds(77),
            ..Overrides::default()
        };
        let ruled = (77, LifetimeFrom::Rule);
        assert_eq!(lifetime_of(200, &[], &rule), ruled);
        assert_eq!(lifetime_of(200, &[("Last-Modified", "x")], &rule), ruled);
        assert_eq!(lifetime_of(301, &[], &rule), ruled);
        assert_eq!(
            lifetime_of(302, &[("Cache-Control", "public")], &rule),
            ruled
        );
        for status in [302, 404, 410, 500, 503] {
            assert_eq!(lifetime_of(status, &[], &rule).0, 0, "{status}");
        }
        let changed = [("Last-Modified", &*at(-1000))];
        assert_eq!(lifetime_of(200, &changed, &rule).0, 100);
        assert_eq!(lifetime_of(200, &[("Expires", "0")], &rule).0, 0);
    }

    #[test]
    fn negative_ttl_is_for_errors_that_state_none() {
        let entry = |first, last, ttl| NegativeTtl {
            first,
            last,
            ttl: Duration::from_secs(ttl),
        };
        let rule = Overrides {
            negative_ttl: vec![entry(404, 404, 9), entry(400, 599, 3)],
            ..Overrides::default()
        };
        let changed = [("Last-Modified", &*at(-1000))];
        assert_eq!(lifetime_of(404, &changed, &rule), (9, LifetimeFrom::Rule));
        assert_eq!(lifetime_of(410, &[], &rule), (3, LifetimeFrom::Rule));
        assert_eq!(lifetime_of(503, &[], &rule), (3, LifetimeFrom::Rule));
        assert_eq!(lifetime_of(200, &[], &rule), (0, LifetimeFrom::Nothing));
        let stated = [("Cache-Control", "max-age=1")];
        assert_eq!(lifetime_of(404, &stated, &rule), (1, LifetimeFrom::MaxAge));
    }

    #[test]
    fn min_ttl_raises_whatever_the_origin_says_but_what_forbids_reuse() {
        let rule = Overrides {
            min_ttl: seconds(50),
            ..Overrides::default()
        };
        let raised = (50, LifetimeFrom::RuleMin);
        assert_eq!(
            lifetime_of(200, &[("Cache-Control", "max-age=1")], &rule),
            raised
        );
        assert_eq!(lifetime_of(200, &[("Expires", "0")], &rule), raised);
        assert_eq!(lifetime_of(200, &[("ETag", "\"a\"")], &rule), raised);
        assert_eq!(
            lifetime_of(404, &[("Cache-Control", "max-age=1")], &rule),
            raised
        );
        assert_eq!(lifetime_of(404, &[], &rule), (0, LifetimeFrom::Nothing));
        for forbids in ["no-store", "private", "no-cache"] {
            let value = format!("max-age=1, {forbids}");
            let read = lifetime_of(200, &[("Cache-Control", &value)], &rule);
            assert_eq!(read, (1, LifetimeFrom::MaxAge), "{value}");
        }
        let longer = lifetime_of(200, &[("Cache-Control", "max-age=51")], &rule);
        assert_eq!(longer, (51, LifetimeFrom::MaxAge));
    }

    #[test]
    fn max_ttl_caps_whatever_gave_the_lifetime() {
        let rule = Overrides {
            max_ttl: seconds(2),
            default_ttl: seconds(100),
            min_ttl: seconds(50),
            ..Overrides::default()
        };
        let expires = at(600);
        let changed = at(-100_000);
        for lines in [
            &[("Cache-Control", "max-age=600")][..],
            &[("Cache-Control", "s-maxage=600")],
            &[("CDN-Cache-Control", "max-age=600")],
            &[("Expires", &*expires)],
            &[("Last-Modified", &*changed)],
            &[("Cache-Control", "max-age=1")],
            &[],
        ] {
            let read = lifetime_of(200, lines, &rule);
            assert_eq!(read, (2, LifetimeFrom::RuleMax), "{lines:?}");
        }
        let forbids = [("Cache-Control", "no-cache, max-age=1")];
        assert_eq!(lifetime_of(200, &forbids, &rule), (1, LifetimeFrom::MaxAge));
        let rule = Overrides {
            max_ttl: seconds(2),
            ..Overrides::default()
        };
        for (value, wanted) in [
            ("max-age=2", (2, LifetimeFrom::MaxAge)),
            ("max-age=3", (2, LifetimeFrom::RuleMax)),
        ] {
            let read = lifetime_of(200, &[("Cache-Control", value)], &rule);
            assert_eq!(read, wanted, "{value}");
        }
    }
}

proptest! {
    #[test]
    fn no_lifetime_exceeds_max_ttl(
        value in "(max-age|s-maxage|public|x)(=[0-9]{1,12})?",
        expires in -1000..1_000_000i64,
        changed in -10_000_000..10i64,
        most in 0..1000u64,
        least in proptest::option::of(0..2000u64),
        status in 200..600u16,
    ) {
        let rule = Overrides {
            max_ttl: seconds(most),
            min_ttl: least.map(Duration::from_secs),
            default_ttl: seconds(5000),
            heuristic_permille: 5000,
            ..Overrides::default()
        };
        let lines = [("Cache-Control", &*value), ("Expires", &at(expires)), ("Last-Modified", &at(changed))];
        prop_assert!(lifetime_of(status, &lines, &rule).0 <= most);
        prop_assert!(lifetime_of(status, &lines[..1], &rule).0 <= most);
        prop_assert!(lifetime_of(status, &lines[1..], &rule).0 <= most);
        prop_assert!(lifetime_of(status, &lines[2..], &rule).0 <= most);
    }

    #[test]
    fn another_age_or_date_line_never_makes_it_younger(
        lines in proptest::collection::vec((any::<bool>(), -1000..1000i64), 0..4),
        more in (any::<bool>(), -1000..1000i64),
    ) {
        let line = |&(is_age, number): &(bool, i64)| match is_age {
            true => ("Age", number.to_string()),
            false => ("Date", at(number.min(0))),
        };
        let few: Fields = lines.iter().map(line).collect();
        let many: Fields = lines.iter().chain([&more]).map(line).collect();
        prop_assert!(initial_age(&many, NOW, NOW) >= initial_age(&few, NOW, NOW));
    }
}
