//! Tests of what happens when the origin fails.

use super::*;

const EVERY: [Failure; 6] = [
    Failure::Unreachable,
    Failure::Timeout,
    Failure::Status(500),
    Failure::Status(502),
    Failure::Status(503),
    Failure::Status(504),
];

fn failed(asked: &Asked, stored: &Stored, seconds: u64, failure: Failure) -> Fallback {
    on_failure(
        asked,
        stored,
        &Overrides::default(),
        after(seconds),
        failure,
    )
}

fn unreachable(asked: &Asked, stored: &Stored, seconds: u64) -> Fallback {
    failed(asked, stored, seconds, Failure::Unreachable)
}

mod rfc5861_s4 {
    use super::*;

    #[test]
    fn stale_if_error_stands_in_for_every_failure_in_its_window() {
        let stored = telling("max-age=60, stale-if-error=30");
        for failure in EVERY {
            let verdict = failed(&request(&[]), &stored, 89, failure);
            assert_eq!(
                verdict,
                Fallback::Stale {
                    age: 89,
                    over: 29,
                    window: 30
                }
            );
            assert_eq!(verdict.age(), Some(89));
            let verdict = failed(&request(&[]), &stored, 90, failure);
            assert_eq!(
                verdict,
                Fallback::None(NoFallback::TooOld {
                    over: 30,
                    window: 30
                })
            );
            assert_eq!(verdict.age(), None);
        }
    }

    #[test]
    fn other_statuses_are_no_failure() {
        let stored = telling("max-age=60, stale-if-error=30");
        for status in [200, 404, 410, 429, 501, 505, 599] {
            let verdict = failed(&request(&[]), &stored, 61, Failure::Status(status));
            assert_eq!(verdict, Fallback::None(NoFallback::NotAnError), "{status}");
        }
    }

    #[test]
    fn a_window_of_zero_and_none_at_all_allow_nothing() {
        for value in [
            "max-age=60",
            "max-age=60, stale-if-error=0",
            "max-age=60, stale-if-error=x",
        ] {
            let verdict = unreachable(&request(&[]), &telling(value), 61);
            assert_eq!(verdict, Fallback::None(NoFallback::NotAllowed), "{value}");
        }
    }

    #[test]
    fn the_request_may_say_itself_what_it_accepts() {
        let stored = telling("max-age=60, stale-if-error=30");
        let verdict = unreachable(&asking("stale-if-error=100"), &stored, 150);
        assert_eq!(
            verdict,
            Fallback::Stale {
                age: 150,
                over: 90,
                window: 100
            }
        );
        let verdict = unreachable(&asking("stale-if-error=5"), &stored, 66);
        assert_eq!(
            verdict,
            Fallback::None(NoFallback::TooOld { over: 6, window: 5 })
        );
        let verdict = unreachable(&asking("stale-if-error=5"), &telling("max-age=60"), 61);
        assert_eq!(verdict.age(), Some(61));
    }

    #[test]
    fn the_rule_is_for_responses_that_state_none() {
        let rule = Overrides {
            stale_if_error: Some(Duration::from_secs(30)),
            ..Overrides::default()
        };
        let fields: Fields = [("Cache-Control", "max-age=60")].into_iter().collect();
        let received = Received {
            status: 200,
            fields: &fields,
            request_time: RECEIVED,
            response_time: RECEIVED,
        };
        let Storability::Store(stored) = storability::judge(&request(&[]), &received, &rule) else {
            panic!("it is stored");
        };
        let verdict = on_failure(&request(&[]), &stored, &rule, after(70), Failure::Timeout);
        assert_eq!(
            verdict,
            Fallback::Stale {
                age: 70,
                over: 10,
                window: 30
            }
        );
    }
}

mod rfc9111_s4_2_4 {
    use super::*;

    #[test]
    fn what_forbids_stale_is_never_sent_stale() {
        for forbids in ["must-revalidate", "proxy-revalidate", "s-maxage=60"] {
            let stored = telling(&format!("max-age=60, stale-if-error=100, {forbids}"));
            for asked in [
                request(&[]),
                asking("max-stale"),
                asking("stale-if-error=100"),
            ] {
                for failure in EVERY {
                    let verdict = failed(&asked, &stored, 61, failure);
                    let why = Why::MustRevalidate {
                        age: 61,
                        lifetime: 60,
                    };
                    assert_eq!(verdict, Fallback::None(NoFallback::MustValidate(why)));
                }
            }
        }
    }

    #[test]
    fn no_cache_and_invalidated_are_never_sent_unvalidated() {
        let asked = asking("max-stale, stale-if-error=100");
        let stored = telling("no-cache, max-age=60, stale-if-error=100");
        let verdict = unreachable(&asked, &stored, 0);
        assert_eq!(
            verdict,
            Fallback::None(NoFallback::MustValidate(Why::NoCache))
        );
        let mut stored = telling("max-age=60, stale-if-error=100");
        stored.invalidated = true;
        let verdict = unreachable(&asked, &stored, 0);
        assert_eq!(
            verdict,
            Fallback::None(NoFallback::MustValidate(Why::Invalidated))
        );
    }

    #[test]
    fn what_answers_without_the_origin_answers_when_it_fails() {
        let stored = telling("max-age=60, stale-while-revalidate=30");
        let fresh = unreachable(&request(&[]), &stored, 30);
        assert_eq!(
            fresh,
            Fallback::Stale {
                age: 30,
                over: 0,
                window: 30
            }
        );
        let refreshed = unreachable(&request(&[]), &stored, 70);
        assert_eq!(
            refreshed,
            Fallback::Stale {
                age: 70,
                over: 10,
                window: 30
            }
        );
        let accepted = unreachable(&asking("max-stale=50"), &stored, 100);
        assert_eq!(
            accepted,
            Fallback::Stale {
                age: 100,
                over: 40,
                window: 50
            }
        );
        assert_eq!(
            unreachable(&asking("max-stale"), &stored, 1000).age(),
            Some(1000)
        );
    }
}

mod wishes {
    use super::*;

    #[test]
    fn rfc9111_s5_2_1_4_no_cache_gets_the_failure() {
        let stored = telling("max-age=60, stale-if-error=100");
        for asked in [
            asking("no-cache"),
            asking("no-cache, stale-if-error=100"),
            request(&[("Pragma", "no-cache")]),
        ] {
            for seconds in [0, 61] {
                let verdict = unreachable(&asked, &stored, seconds);
                assert!(matches!(verdict, Fallback::None(NoFallback::Request(_))));
            }
        }
    }

    #[test]
    fn rfc9111_s5_2_1_1_a_max_age_that_is_not_met_gets_the_failure() {
        let stored = telling("max-age=60, stale-if-error=100");
        for (value, seconds) in [("max-age=10", 30), ("max-age=10", 70), ("min-fresh=50", 30)] {
            let verdict = unreachable(&asking(value), &stored, seconds);
            assert!(
                matches!(verdict, Fallback::None(NoFallback::Request(_))),
                "{value}"
            );
            let accepting = asking(&format!("{value}, stale-if-error=100"));
            assert_eq!(
                unreachable(&accepting, &stored, seconds).age(),
                Some(seconds),
                "{value}"
            );
            let refusing = asking(&format!("{value}, stale-if-error=0"));
            assert_eq!(
                unreachable(&refusing, &stored, seconds).age(),
                None,
                "{value}"
            );
        }
    }

    #[test]
    fn the_rule_may_ignore_them() {
        let stored = telling("max-age=60, stale-if-error=100");
        for value in ["no-cache", "max-age=0", "min-fresh=50"] {
            let rule = ignoring_clients();
            let verdict = on_failure(&asking(value), &stored, &rule, after(70), Failure::Timeout);
            assert_eq!(verdict.age(), Some(70), "{value}");
        }
    }

    #[test]
    fn rfc9111_s3_5_authorization_gets_nothing_that_is_not_shared() {
        let asked = request(&[("Authorization", "x")]);
        let stored = telling("max-age=60, stale-if-error=100");
        let verdict = unreachable(&asked, &stored, 61);
        let refused = NoFallback::Refused(Refusal::Authorization);
        assert_eq!(verdict, Fallback::None(refused));
    }
}

#[test]
fn verdicts_have_words_with_their_numbers() {
    let stands_in = Fallback::Stale {
        age: 70,
        over: 10,
        window: 30,
    };
    assert_eq!(
        stands_in.to_string(),
        "stands in for the origin: age 70 s, stale by 10 s of 30 s"
    );
    let too_old = Fallback::None(NoFallback::TooOld {
        over: 31,
        window: 30,
    });
    assert_eq!(
        too_old.to_string(),
        "does not stand in for the origin: stale by 31 s of 30 s"
    );
}
