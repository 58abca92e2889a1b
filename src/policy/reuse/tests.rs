//! Tests of reuse and of standing in for an origin that fails, one for each demand.

use std::time::Duration;

use super::*;
use crate::http::fields::Fields;
use crate::policy::storability::{self, Received, Storability};

mod failing;
mod model;

const RECEIVED: UnixSeconds = UnixSeconds(784_111_777);

/// `seconds` after the response was received.
const fn after(seconds: u64) -> UnixSeconds {
    UnixSeconds(RECEIVED.0 + seconds)
}

fn request(lines: &[(&str, &str)]) -> Asked {
    Asked::of(Method::Get, &lines.iter().copied().collect::<Fields>())
}

fn asking(cache_control: &str) -> Asked {
    request(&[("Cache-Control", cache_control)])
}

/// What is stored of a 200 with these lines and an entity-tag, received without delay.
fn response(lines: &[(&str, &str)]) -> Stored {
    let fields: Fields = [("ETag", "\"a\"")].iter().chain(lines).copied().collect();
    let received = Received {
        status: 200,
        fields: &fields,
        request_time: RECEIVED,
        response_time: RECEIVED,
    };
    match storability::judge(&request(&[]), &received, &Overrides::default()) {
        Storability::Store(stored) => *stored,
        Storability::Refuse(why_not) => panic!("it is stored: {why_not}"),
    }
}

fn telling(cache_control: &str) -> Stored {
    response(&[("Cache-Control", cache_control)])
}

/// The verdict `seconds` after the response was received.
fn judged(asked: &Asked, stored: &Stored, seconds: u64) -> Reuse {
    judge(asked, stored, &Overrides::default(), after(seconds))
}

fn judged_plain(stored: &Stored, seconds: u64) -> Reuse {
    judged(&request(&[]), stored, seconds)
}

const fn stale(age: u64, lifetime: u64) -> Reuse {
    Reuse::Revalidate(Why::Stale { age, lifetime })
}

const fn must_revalidate(age: u64, lifetime: u64) -> Reuse {
    Reuse::Revalidate(Why::MustRevalidate { age, lifetime })
}

fn ignoring_clients() -> Overrides {
    Overrides {
        ignore_client_cache_control: true,
        ..Overrides::default()
    }
}

mod rfc9111_s4 {
    use super::*;

    #[test]
    fn get_and_head_are_answered_and_nothing_else() {
        let stored = telling("max-age=60");
        for method in [Method::Get, Method::Head] {
            let asked = Asked::of(method, &Fields::new());
            assert_eq!(judged(&asked, &stored, 0), Reuse::Fresh { age: 0, ttl: 60 });
        }
        for method in [
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
            let verdict = judged(&asked, &stored, 0);
            assert_eq!(verdict, Reuse::Refuse(Refusal::Method), "{method:?}");
            assert_eq!(verdict.fwd(), Some("method"));
        }
    }

    #[test]
    fn no_cache_is_validated_even_while_fresh_and_whatever_the_client_accepts() {
        let stored = telling("max-age=60, no-cache, stale-while-revalidate=60");
        for asked in [request(&[]), asking("max-stale")] {
            for seconds in [0, 61] {
                let verdict = judged(&asked, &stored, seconds);
                assert_eq!(verdict, Reuse::Revalidate(Why::NoCache));
            }
        }
    }

    #[test]
    fn answers_from_the_store_have_an_age() {
        let stored = response(&[
            ("Cache-Control", "max-age=60, stale-while-revalidate=9"),
            ("Age", "10"),
        ]);
        assert_eq!(judged_plain(&stored, 5).age(), Some(15));
        assert_eq!(judged_plain(&stored, 55).age(), Some(65));
        assert_eq!(judged(&asking("max-stale"), &stored, 90).age(), Some(100));
        assert_eq!(judged_plain(&stored, 90).age(), None);
    }
}

mod rfc9111_s4_2 {
    use super::*;

    #[test]
    fn fresh_until_the_age_reaches_the_lifetime() {
        let stored = telling("max-age=60");
        assert_eq!(judged_plain(&stored, 0), Reuse::Fresh { age: 0, ttl: 60 });
        assert_eq!(judged_plain(&stored, 59), Reuse::Fresh { age: 59, ttl: 1 });
        assert_eq!(judged_plain(&stored, 60), stale(60, 60));
    }

    #[test]
    fn rfc9111_s4_2_3_the_age_it_came_with_counts() {
        let stored = response(&[("Cache-Control", "max-age=60"), ("Age", "50")]);
        assert_eq!(judged_plain(&stored, 9), Reuse::Fresh { age: 59, ttl: 1 });
        assert_eq!(judged_plain(&stored, 10), stale(60, 60));
    }

    #[test]
    fn rfc9111_s1_2_2_the_longest_lifetime_ends_too() {
        let stored = telling("max-age=99999999999999999999");
        assert_eq!(
            judged_plain(&stored, (1 << 31) - 1).age(),
            Some((1 << 31) - 1)
        );
        assert_eq!(judged_plain(&stored, 1 << 31), stale(1 << 31, 1 << 31));
        let aged = response(&[
            ("Cache-Control", "max-age=99999999999999999999"),
            ("Age", "99999999999999999999"),
        ]);
        assert_eq!(judged_plain(&aged, 0), stale(1 << 31, 1 << 31));
    }
}

mod rfc9111_s3_5 {
    use super::*;

    #[test]
    fn authorization_is_answered_only_where_the_response_allows_it() {
        let asked = request(&[("Authorization", "Basic x")]);
        let refused = judged(&asked, &telling("max-age=60"), 0);
        assert_eq!(refused, Reuse::Refuse(Refusal::Authorization));
        assert_eq!(refused.fwd(), Some("request"));
        for value in [
            "max-age=60, public",
            "s-maxage=60",
            "max-age=60, must-revalidate",
        ] {
            let verdict = judged(&asked, &telling(value), 0);
            assert_eq!(verdict, Reuse::Fresh { age: 0, ttl: 60 }, "{value}");
        }
    }

    #[test]
    fn what_allows_it_is_obeyed_once_stale() {
        let asked = request(&[("Authorization", "Basic x"), ("Cache-Control", "max-stale")]);
        for value in ["s-maxage=60", "max-age=60, must-revalidate"] {
            assert_eq!(judged(&asked, &telling(value), 60), must_revalidate(60, 60));
        }
    }
}

mod rfc9111_s4_2_4 {
    use super::*;

    #[test]
    fn stale_is_not_sent_unless_somebody_allows_it() {
        assert_eq!(judged_plain(&telling("max-age=60"), 1000), stale(1000, 60));
    }

    #[test]
    fn what_forbids_stale_wins_over_what_allows_it() {
        let allows = "max-age=60, stale-while-revalidate=100, stale-if-error=100";
        for forbids in ["must-revalidate", "proxy-revalidate", "s-maxage=60"] {
            let stored = telling(&format!("{allows}, {forbids}"));
            for asked in [request(&[]), asking("max-stale"), asking("max-stale=100")] {
                let verdict = judged(&asked, &stored, 61);
                assert_eq!(verdict, must_revalidate(61, 60), "{forbids}");
                let ruled = judge(&asked, &stored, &ignoring_clients(), after(61));
                assert_eq!(ruled, must_revalidate(61, 60), "{forbids}");
            }
        }
    }

    #[test]
    fn rfc9111_s4_4_what_was_invalidated_is_validated_first() {
        let mut stored = telling("max-age=60, stale-while-revalidate=100");
        stored.invalidated = true;
        for asked in [request(&[]), asking("max-stale")] {
            let verdict = judged(&asked, &stored, 0);
            assert_eq!(verdict, Reuse::Revalidate(Why::Invalidated));
            assert_eq!(verdict.fwd(), Some("stale"));
        }
    }
}

mod rfc9111_s5_2_1 {
    use super::*;

    #[test]
    fn rfc9111_s5_2_1_1_max_age_is_the_highest_age() {
        let stored = telling("max-age=60");
        assert!(judged(&asking("max-age=10"), &stored, 10).age().is_some());
        let verdict = judged(&asking("max-age=10"), &stored, 11);
        let why = Why::RequestMaxAge {
            age: 11,
            max_age: 10,
        };
        assert_eq!(verdict, Reuse::Revalidate(why));
        assert_eq!(verdict.fwd(), Some("request"));
        assert!(judged(&asking("max-age=0"), &stored, 0).age().is_some());
        assert!(judged(&asking("max-age=0"), &stored, 1).age().is_none());
    }

    #[test]
    fn rfc9111_s5_2_1_1_with_max_age_no_stale_response_is_wished() {
        let stored = telling("max-age=60, stale-while-revalidate=100");
        assert!(judged_plain(&stored, 61).age().is_some());
        assert_eq!(judged(&asking("max-age=1000"), &stored, 61), stale(61, 60));
        let both = asking("max-age=1000, max-stale=5");
        assert!(judged(&both, &stored, 61).age().is_some());
        assert_eq!(
            judged(&asking("max-age=10, max-stale"), &stored, 61),
            stale(61, 60)
        );
    }

    #[test]
    fn rfc9111_s5_2_1_2_max_stale_accepts_so_much_and_no_more() {
        let stored = telling("max-age=60");
        let verdict = judged(&asking("max-stale=10"), &stored, 70);
        let why = MaxStale::Seconds(10);
        assert_eq!(
            verdict,
            Reuse::Stale {
                age: 70,
                over: 10,
                why
            }
        );
        assert_eq!(verdict.fwd(), None);
        assert_eq!(judged(&asking("max-stale=10"), &stored, 71), stale(71, 60));
        let any = judged(&asking("max-stale"), &stored, 9999);
        assert_eq!(
            any,
            Reuse::Stale {
                age: 9999,
                over: 9939,
                why: MaxStale::Any
            }
        );
    }

    #[test]
    fn rfc9111_s5_2_1_2_beyond_max_stale_no_other_staleness_is_taken() {
        let stored = telling("max-age=60, stale-while-revalidate=100");
        assert_eq!(judged(&asking("max-stale=5"), &stored, 66), stale(66, 60));
    }

    #[test]
    fn rfc9111_s5_2_1_3_min_fresh_is_how_long_it_must_last() {
        let stored = telling("max-age=60");
        assert!(judged(&asking("min-fresh=20"), &stored, 40).age().is_some());
        let verdict = judged(&asking("min-fresh=20"), &stored, 41);
        let why = Why::RequestMinFresh {
            ttl: 19,
            min_fresh: 20,
        };
        assert_eq!(verdict, Reuse::Revalidate(why));
        assert_eq!(verdict.fwd(), Some("request"));
        // What must last does not go with what may be stale.
        assert_eq!(
            judged(&asking("min-fresh=1, max-stale"), &stored, 61),
            stale(61, 60)
        );
    }

    #[test]
    fn rfc9111_s5_2_1_4_no_cache_asks_for_validation() {
        let stored = telling("max-age=60, immutable, stale-while-revalidate=100");
        let verdict = judged(&asking("no-cache"), &stored, 0);
        assert_eq!(verdict, Reuse::Revalidate(Why::RequestNoCache));
        assert_eq!(verdict.fwd(), Some("request"));
        let asked = asking("no-cache, max-stale");
        assert_eq!(judged(&asked, &stored, 61), stale(61, 60));
    }

    #[test]
    fn rfc9111_s5_2_1_5_no_store_does_not_forbid_what_is_stored() {
        let verdict = judged(&asking("no-store"), &telling("max-age=60"), 0);
        assert_eq!(verdict, Reuse::Fresh { age: 0, ttl: 60 });
    }

    #[test]
    fn rfc9111_s5_2_1_7_only_if_cached_gets_the_stored_response_or_504() {
        let stored = telling("max-age=60");
        let asked = asking("only-if-cached");
        assert!(judged(&asked, &stored, 59).age().is_some());
        assert_eq!(judged(&asked, &stored, 60), Reuse::OnlyIfCached504);
        assert!(
            judged(&asking("only-if-cached, max-stale"), &stored, 60)
                .age()
                .is_some()
        );
        let asked = asking("only-if-cached, no-cache");
        assert_eq!(judged(&asked, &stored, 0), Reuse::OnlyIfCached504);
        let asked = request(&[("Cache-Control", "only-if-cached"), ("Authorization", "x")]);
        assert_eq!(judged(&asked, &stored, 0), Reuse::OnlyIfCached504);
        let ruled = judge(
            &asking("only-if-cached"),
            &stored,
            &ignoring_clients(),
            after(60),
        );
        assert_eq!(ruled, Reuse::OnlyIfCached504);
    }

    #[test]
    fn rfc9111_s5_4_pragma_asks_for_validation_without_cache_control() {
        let stored = telling("max-age=60");
        let verdict = judged(&request(&[("Pragma", "no-cache")]), &stored, 0);
        assert_eq!(verdict, Reuse::Revalidate(Why::RequestPragma));
        let asked = request(&[("Pragma", "no-cache"), ("Cache-Control", "max-age=5")]);
        assert!(judged(&asked, &stored, 0).age().is_some());
    }

    #[test]
    fn the_rule_may_ignore_what_asks_for_more_than_fresh() {
        let stored = telling("max-age=60, stale-while-revalidate=5");
        for asked in [
            asking("no-cache"),
            asking("max-age=0"),
            asking("min-fresh=100"),
            request(&[("Pragma", "no-cache")]),
        ] {
            let rule = ignoring_clients();
            assert!(judge(&asked, &stored, &rule, after(30)).age().is_some());
            assert!(judge(&asked, &stored, &rule, after(62)).age().is_some());
            assert_eq!(judge(&asked, &stored, &rule, after(65)), stale(65, 60));
        }
        let accepting = asking("max-stale=20");
        let verdict = judge(&accepting, &stored, &ignoring_clients(), after(80));
        assert_eq!(verdict.age(), Some(80), "max-stale counts all the same");
    }
}

mod rfc5861_s3 {
    use super::*;

    #[test]
    fn stale_while_revalidate_is_sent_and_refreshed_in_its_window() {
        let stored = telling("max-age=600, stale-while-revalidate=30");
        assert_eq!(
            judged_plain(&stored, 599),
            Reuse::Fresh { age: 599, ttl: 1 }
        );
        let verdict = judged_plain(&stored, 600);
        assert_eq!(
            verdict,
            Reuse::WhileRevalidate {
                age: 600,
                over: 0,
                window: 30
            }
        );
        assert_eq!(verdict.fwd(), None);
        assert!(judged_plain(&stored, 629).age().is_some());
        assert_eq!(judged_plain(&stored, 630), stale(630, 600));
    }

    #[test]
    fn a_request_that_asks_for_fresh_is_not_sent_stale() {
        let stored = telling("max-age=600, stale-while-revalidate=30");
        for value in ["no-cache", "max-age=1000", "min-fresh=1"] {
            assert_eq!(
                judged(&asking(value), &stored, 601),
                stale(601, 600),
                "{value}"
            );
        }
    }
}

mod rfc8246_s2 {
    use super::*;

    #[test]
    fn rfc8246_s2_1_a_reload_does_not_validate_what_is_immutable_and_fresh() {
        let stored = telling("max-age=60, immutable");
        assert!(judged(&asking("max-age=0"), &stored, 30).age().is_some());
        assert!(
            judged(&asking("max-age=0"), &telling("max-age=60"), 30)
                .age()
                .is_none()
        );
    }

    #[test]
    fn rfc8246_s2_1_a_clear_sign_of_the_client_still_validates() {
        let stored = telling("max-age=60, immutable");
        for value in ["no-cache", "min-fresh=60"] {
            assert!(
                judged(&asking(value), &stored, 30).age().is_none(),
                "{value}"
            );
        }
    }

    #[test]
    fn once_stale_it_is_validated_as_any_other() {
        let stored = telling("max-age=60, immutable");
        assert_eq!(judged_plain(&stored, 60), stale(60, 60));
        assert_eq!(
            judged(&asking("max-age=0, max-stale"), &stored, 60),
            stale(60, 60)
        );
    }
}

#[test]
fn rfc9211_s2_2_verdicts_that_forward_have_a_token_and_all_have_words() {
    let mut names = Vec::new();
    for (verdict, wanted) in [
        (Reuse::Fresh { age: 1, ttl: 2 }, None),
        (
            Reuse::Stale {
                age: 3,
                over: 2,
                why: MaxStale::Any,
            },
            None,
        ),
        (
            Reuse::WhileRevalidate {
                age: 3,
                over: 2,
                window: 9,
            },
            None,
        ),
        (Reuse::OnlyIfCached504, None),
        (Reuse::Refuse(Refusal::Method), Some("method")),
        (Reuse::Refuse(Refusal::Authorization), Some("request")),
        (stale(3, 2), Some("stale")),
        (must_revalidate(3, 2), Some("stale")),
        (Reuse::Revalidate(Why::NoCache), Some("stale")),
        (Reuse::Revalidate(Why::Invalidated), Some("stale")),
        (Reuse::Revalidate(Why::RequestNoCache), Some("request")),
        (Reuse::Revalidate(Why::RequestPragma), Some("request")),
        (
            Reuse::Revalidate(Why::RequestMaxAge { age: 3, max_age: 2 }),
            Some("request"),
        ),
        (
            Reuse::Revalidate(Why::RequestMinFresh {
                ttl: 3,
                min_fresh: 4,
            }),
            Some("request"),
        ),
    ] {
        assert_eq!(verdict.fwd(), wanted, "{verdict:?}");
        assert_eq!(
            verdict.fwd().is_some(),
            matches!(verdict, Reuse::Revalidate(_) | Reuse::Refuse(_))
        );
        assert!(!names.contains(&verdict.name()), "{}", verdict.name());
        names.push(verdict.name());
    }
    assert_eq!(
        stale(3, 2).to_string(),
        "to be validated: stale: age 3 s, lifetime 2 s"
    );
    assert_eq!(
        Reuse::Fresh { age: 1, ttl: 2 }.to_string(),
        "fresh: age 1 s, for 2 s more"
    );
}
