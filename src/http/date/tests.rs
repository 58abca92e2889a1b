//! Tests of HTTP dates.

use proptest::prelude::*;

use super::{LAST, format, parse, parse_in_any_case};
use crate::units::UnixSeconds;

fn text(time: u64) -> String {
    String::from_utf8(format(UnixSeconds(time)).to_vec()).unwrap()
}

mod rfc9110_s5_6_7 {
    use super::{LAST, parse, text};
    use crate::units::UnixSeconds;

    #[test]
    fn three_forms_are_one_time() {
        for value in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(
                parse(value.as_bytes()),
                Some(UnixSeconds(784_111_777)),
                "{value}"
            );
        }
    }

    #[test]
    fn edges_are_read() {
        for (value, time) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Thursday, 01-Jan-70 00:00:00 GMT", 0),
            ("Friday, 31-Dec-99 23:59:59 GMT", 946_684_799),
            ("Saturday, 01-Jan-00 00:00:00 GMT", 946_684_800),
            ("Tue, 29 Feb 2000 23:59:59 GMT", 951_868_799),
            ("Tuesday, 01-Jan-69 00:00:00 GMT", 3_124_224_000),
            ("Fri, 31 Dec 9999 23:59:59 GMT", LAST),
        ] {
            assert_eq!(parse(value.as_bytes()), Some(UnixSeconds(time)), "{value}");
        }
    }

    #[test]
    fn all_else_is_refused() {
        for value in [
            "",
            "0",
            "784111777",
            "sun, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 gmt",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 08:49:37 +0000",
            "Sun, 06 Nov 1994 08:49:37",
            "Mon, 06 Nov 1994 08:49:37 GMT",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun,  6 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 94 08:49:37 GMT",
            "Sun, 06 Nov 1994  08:49:37 GMT",
            "Thu, 30 Feb 2023 08:49:37 GMT",
            "Wed, 29 Feb 2023 08:49:37 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 06 Nov 1994 08:60:37 GMT",
            "Sun, 06 Nov 1994 08:49:60 GMT",
            "Wed, 31 Dec 1969 23:59:59 GMT",
            "Sunday, 06-Nov-1994 08:49:37 GMT",
            "Sun, 06-Nov-94 08:49:37 GMT",
            "Sunday, 06-Nov-94!08:49:37 GMT",
            "Sun Nov 6 08:49:37 1994",
            "Sun Nov 06 08:49:37 1994 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
            " Sun, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT\u{a0}",
            "S\u{fc}n, 06 Nov 1994 08:49:37 GMT",
            "\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}\u{fc}",
        ] {
            assert_eq!(parse(value.as_bytes()), None, "{value}");
        }
        assert_eq!(parse(b"Sun, 06 Nov 1994 08:49:37 GM\xff"), None);
    }

    #[test]
    fn format_is_imf_fixdate_to_the_last_second() {
        for (time, wanted) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (LAST, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (LAST + 1, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (u64::MAX, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            assert_eq!(text(time), wanted);
        }
    }
}

mod rfc9111_s4_2 {
    use super::{parse, parse_in_any_case};
    use crate::units::UnixSeconds;

    #[test]
    fn caches_match_dates_in_any_case() {
        for value in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "sun, 06 NOV 1994 08:49:37 gMT",
            "SUNDAY, 06-nov-94 08:49:37 gmt",
            "sUN nOV  6 08:49:37 1994",
        ] {
            assert_eq!(
                parse_in_any_case(value.as_bytes()),
                Some(UnixSeconds(784_111_777)),
                "{value}"
            );
        }
    }

    #[test]
    fn a_zone_other_than_gmt_stays_invalid() {
        for value in [
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 08:49:37 AEST",
            "Sun, 06 Nov 1994 08:49:37 +0000",
            "Sun, 06 Nov 1994 08:49:37",
            "gmt",
            "",
        ] {
            assert_eq!(parse_in_any_case(value.as_bytes()), None, "{value}");
        }
        assert_eq!(parse_in_any_case(&[b' '; 34]), parse(&[b' '; 34]));
    }
}

proptest! {
    #[test]
    fn any_case_is_the_same_time(time in 0..=LAST) {
        let wanted = Some(UnixSeconds(time));
        prop_assert_eq!(parse_in_any_case(text(time).to_lowercase().as_bytes()), wanted);
        prop_assert_eq!(parse_in_any_case(text(time).to_uppercase().as_bytes()), wanted);
    }

    #[test]
    fn format_then_parse_is_the_same_time(time in 0..=LAST) {
        prop_assert_eq!(parse(text(time).as_bytes()), Some(UnixSeconds(time)));
    }

    #[test]
    fn asctime_form_is_the_same_time(time in 0..=LAST) {
        let fixdate = text(time);
        let (day, month, year) = (fixdate[5..7].trim_start_matches('0'), &fixdate[8..11], &fixdate[12..16]);
        let asctime = format!("{} {month} {day:>2} {} {year}", &fixdate[..3], &fixdate[17..25]);
        prop_assert_eq!(parse(asctime.as_bytes()), Some(UnixSeconds(time)), "{}", asctime);
    }

    #[test]
    fn obsolete_form_is_the_same_time_for_a_century(time in 0..3_155_760_000u64) {
        let fixdate = text(time);
        let day_name = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
            .into_iter()
            .find(|name| name.starts_with(&fixdate[..3]))
            .unwrap();
        let date = format!("{}-{}-{}", &fixdate[5..7], &fixdate[8..11], &fixdate[14..16]);
        let obsolete = format!("{day_name}, {date} {}", &fixdate[17..]);
        prop_assert_eq!(parse(obsolete.as_bytes()), Some(UnixSeconds(time)), "{}", obsolete);
    }

    #[test]
    fn near_misses_do_not_panic(
        time in 0..=LAST,
        at in 0..29usize,
        octet: u8,
        cut in 0..30usize,
    ) {
        let mut value = format(UnixSeconds(time)).to_vec();
        value[at] = octet;
        value.truncate(cut);
        if let Some(read) = parse(&value) {
            prop_assert!(read.0 <= LAST);
        }
    }
}
