//! Tests of preconditions: tables by section.

mod model;

use super::{Precondition, Validators, evaluate, if_range_matches, is_conditional};
use crate::http::head::{FieldScratch, HeadLimits, Parsed, RequestHead, parse_head};
use crate::units::UnixSeconds;

const MODIFIED: UnixSeconds = UnixSeconds(784_111_777);
const VALIDATORS: Validators<'_> = Validators {
    etag: b"\"now\"",
    last_modified: Some(MODIFIED),
    date: MODIFIED,
};
const SAME: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

/// Parses a request with these field lines and gives its head to `judge`.
fn with_head<T>(method: &str, lines: &[String], judge: impl FnOnce(&RequestHead<'_>) -> T) -> T {
    let mut text = format!("{method} / HTTP/1.1\r\nHost: localhost\r\n");
    for line in lines {
        text.push_str(line);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    let limits = HeadLimits {
        bytes_max: 16 << 10,
        fields_max: 64,
    };
    match parse_head(text.as_bytes(), &limits, &mut FieldScratch::new()) {
        Ok(Parsed::Complete { head, .. }) => judge(&head),
        Ok(Parsed::Partial) => panic!("the head is whole: {text}"),
        Err(reject) => panic!("the head is valid: {reject:?}: {text}"),
    }
}

fn evaluated(method: &str, lines: &[&str]) -> Precondition {
    let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    with_head(method, &lines, |head| evaluate(head, &VALIDATORS))
}

/// Rows of field lines, `|` between them, and what GET and PUT make of them.
fn check(table: &[(&str, Precondition, Precondition)]) {
    for (row, get, put) in table {
        let row = row
            .replace("SAME", SAME)
            .replace("BEFORE", BEFORE)
            .replace("AFTER", AFTER);
        let lines: Vec<&str> = row.split('|').collect();
        assert_eq!(evaluated("GET", &lines), *get, "GET {row}");
        assert_eq!(evaluated("HEAD", &lines), *get, "HEAD {row}");
        assert_eq!(evaluated("PUT", &lines), *put, "PUT {row}");
    }
}

mod rfc9110_s13_1 {
    use super::Precondition::{Failed, NotModified, Proceed};
    use super::check;

    #[test]
    fn s13_1_1_if_match_needs_the_strong_tag() {
        check(&[
            ("If-Match: \"now\"", Proceed, Proceed),
            ("If-Match: *", Proceed, Proceed),
            ("If-Match: \"old\", \"now\"", Proceed, Proceed),
            ("If-Match: \"old\"|If-Match: \"now\"", Proceed, Proceed),
            ("If-Match: W/\"now\"", Failed, Failed),
            ("If-Match: \"old\"", Failed, Failed),
            ("If-Match: now", Failed, Failed),
            ("If-Match:", Failed, Failed),
        ]);
    }

    #[test]
    fn s13_1_2_if_none_match_needs_any_tag() {
        check(&[
            ("If-None-Match: \"now\"", NotModified, Failed),
            ("If-None-Match: W/\"now\"", NotModified, Failed),
            ("If-None-Match: *", NotModified, Failed),
            ("If-None-Match: \"old\", W/\"now\"", NotModified, Failed),
            (
                "If-None-Match: \"old\"|If-None-Match: \"now\"",
                NotModified,
                Failed,
            ),
            ("If-None-Match: \"old\"", Proceed, Proceed),
            ("If-None-Match: now", Proceed, Proceed),
            ("If-None-Match:", Proceed, Proceed),
        ]);
    }

    #[test]
    fn s13_1_3_if_modified_since_is_for_reading() {
        check(&[
            ("If-Modified-Since: SAME", NotModified, Proceed),
            ("If-Modified-Since: AFTER", NotModified, Proceed),
            ("If-Modified-Since: BEFORE", Proceed, Proceed),
            ("If-Modified-Since: yesterday", Proceed, Proceed),
            ("If-Modified-Since: 784111777", Proceed, Proceed),
            ("If-Modified-Since:", Proceed, Proceed),
            (
                "If-Modified-Since: SAME|If-Modified-Since: SAME",
                Proceed,
                Proceed,
            ),
            (
                "If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT",
                NotModified,
                Proceed,
            ),
            (
                "If-Modified-Since: Sun Nov  6 08:49:37 1994",
                NotModified,
                Proceed,
            ),
        ]);
    }

    #[test]
    fn s13_1_4_if_unmodified_since_is_for_all() {
        check(&[
            ("If-Unmodified-Since: SAME", Proceed, Proceed),
            ("If-Unmodified-Since: AFTER", Proceed, Proceed),
            ("If-Unmodified-Since: BEFORE", Failed, Failed),
            ("If-Unmodified-Since: yesterday", Proceed, Proceed),
            (
                "If-Unmodified-Since: BEFORE|If-Unmodified-Since: BEFORE",
                Proceed,
                Proceed,
            ),
        ]);
    }
}

mod rfc9110_s13_2 {
    use super::Precondition::{Failed, NotModified, Proceed};
    use super::{check, evaluated};

    #[test]
    fn s13_2_1_methods_without_representation_ignore_all() {
        for line in [
            "If-Match: \"old\"",
            "If-None-Match: *",
            "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT",
        ] {
            assert_eq!(evaluated("OPTIONS", &[line]), Proceed, "{line}");
            assert_eq!(evaluated("TRACE", &[line]), Proceed, "{line}");
            assert_eq!(evaluated("PROPFIND", &[line]), Failed, "{line}");
        }
    }

    #[test]
    fn s13_2_2_stronger_fields_go_before_dates() {
        check(&[
            ("", Proceed, Proceed),
            ("If-Range: \"now\"", Proceed, Proceed),
            (
                "If-Unmodified-Since: BEFORE|If-Match: \"now\"",
                Proceed,
                Proceed,
            ),
            (
                "If-Unmodified-Since: AFTER|If-Match: \"old\"",
                Failed,
                Failed,
            ),
            (
                "If-Modified-Since: AFTER|If-None-Match: \"old\"",
                Proceed,
                Proceed,
            ),
            (
                "If-Modified-Since: BEFORE|If-None-Match: \"now\"",
                NotModified,
                Failed,
            ),
            (
                "If-Modified-Since: SAME|If-None-Match: bad",
                Proceed,
                Proceed,
            ),
            (
                "If-Match: \"now\"|If-None-Match: \"now\"",
                NotModified,
                Failed,
            ),
            ("If-Match: \"old\"|If-None-Match: \"now\"", Failed, Failed),
            (
                "If-Match: \"now\"|If-Modified-Since: SAME",
                NotModified,
                Proceed,
            ),
            (
                "If-Unmodified-Since: SAME|If-Modified-Since: SAME",
                NotModified,
                Proceed,
            ),
            (
                "If-Unmodified-Since: BEFORE|If-Modified-Since: SAME",
                Failed,
                Failed,
            ),
            (
                "If-Unmodified-Since: BEFORE|If-None-Match: \"now\"",
                Failed,
                Failed,
            ),
        ]);
    }

    #[test]
    fn conditional_is_what_has_one_of_four_fields() {
        for (line, wanted) in [
            ("If-Match: \"a\"", true),
            ("If-None-Match:", true),
            ("If-Modified-Since: bad", true),
            ("if-unmodified-since: bad", true),
            ("If-Range: \"a\"", false),
            ("If: x", false),
        ] {
            let found = super::with_head("GET", &[line.to_owned()], |head| {
                super::is_conditional(head)
            });
            assert_eq!(found, wanted, "{line}");
        }
    }

    #[test]
    fn unreadable_own_tag_matches_only_star() {
        let validators = super::Validators {
            etag: b"now",
            last_modified: Some(super::MODIFIED),
            date: super::MODIFIED,
        };
        for (line, wanted) in [
            ("If-Match: *", Proceed),
            ("If-Match: \"now\"", Failed),
            ("If-None-Match: \"now\"", Proceed),
        ] {
            let found = super::with_head("GET", &[line.to_owned()], |head| {
                super::evaluate(head, &validators)
            });
            assert_eq!(found, wanted, "{line}");
        }
    }
}

mod rfc9110_s13_1_5 {
    use super::{AFTER, BEFORE, MODIFIED, SAME, UnixSeconds, VALIDATORS, if_range_matches};

    #[test]
    fn tag_must_match_strongly() {
        for (value, wanted) in [
            ("\"now\"", true),
            ("W/\"now\"", false),
            ("\"old\"", false),
            ("\"now\", \"old\"", false),
            ("*", false),
            ("now", false),
            ("", false),
        ] {
            assert_eq!(
                if_range_matches(value.as_bytes(), &VALIDATORS, MODIFIED),
                wanted,
                "{value}"
            );
        }
    }

    #[test]
    fn date_must_be_the_same_and_a_minute_old() {
        for (value, age, wanted) in [
            (SAME, 60, true),
            (SAME, 1_000_000, true),
            ("Sunday, 06-Nov-94 08:49:37 GMT", 60, true),
            (SAME, 59, false),
            (SAME, 0, false),
            (BEFORE, 60, false),
            (AFTER, 60, false),
            ("yesterday", 60, false),
        ] {
            let now = UnixSeconds(MODIFIED.0 + age);
            assert_eq!(
                if_range_matches(value.as_bytes(), &VALIDATORS, now),
                wanted,
                "{value} after {age} s"
            );
        }
        assert!(!if_range_matches(
            SAME.as_bytes(),
            &VALIDATORS,
            UnixSeconds(0)
        ));
    }
}
