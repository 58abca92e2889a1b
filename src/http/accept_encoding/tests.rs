//! Tests of the choice of a coding.

use proptest::prelude::*;

use super::{Coding, Codings, choose};

const ALL: [Coding; 4] = [Coding::Brotli, Coding::Zstd, Coding::Gzip, Coding::Identity];

fn every() -> Codings {
    ALL.into_iter().fold(Codings::new(), Codings::with)
}

fn chosen(lines: &[&str], available: Codings) -> Option<Coding> {
    choose(lines.iter().map(|line| line.as_bytes()), available)
}

fn check(table: &[(&str, Option<Coding>)]) {
    for (value, wanted) in table {
        assert_eq!(chosen(&[value], every()), *wanted, "{value:?}");
    }
}

mod rfc9110_s12_5_3 {
    use super::*;

    #[test]
    fn absent_or_empty_field_gives_identity() {
        assert_eq!(chosen(&[], every()), Some(Coding::Identity));
        check(&[
            ("", Some(Coding::Identity)),
            (" , ", Some(Coding::Identity)),
        ]);
    }

    #[test]
    fn highest_weight_wins() {
        check(&[
            ("gzip", Some(Coding::Gzip)),
            ("gzip;q=1.0, br;q=0.9", Some(Coding::Gzip)),
            ("gzip;q=0.001", Some(Coding::Gzip)),
            ("gzip;q=0.5, br;q=0.501", Some(Coding::Brotli)),
            ("gzip;q=0.5, identity;q=0.501", Some(Coding::Identity)),
            ("compress, deflate", Some(Coding::Identity)),
            ("gzip, deflate, br, zstd", Some(Coding::Brotli)),
        ]);
    }

    #[test]
    fn ties_go_to_br_then_zstd_then_gzip_then_identity() {
        check(&[
            ("identity, gzip, zstd, br", Some(Coding::Brotli)),
            ("identity, gzip, zstd", Some(Coding::Zstd)),
            ("identity, gzip", Some(Coding::Gzip)),
            ("identity;q=0.5, gzip;q=0.5", Some(Coding::Gzip)),
            ("*", Some(Coding::Brotli)),
        ]);
    }

    #[test]
    fn star_stands_for_what_is_not_named() {
        check(&[
            ("*;q=0.5, br;q=0.1", Some(Coding::Zstd)),
            ("gzip;q=0.5, *;q=0", Some(Coding::Gzip)),
            ("br;q=0, *", Some(Coding::Zstd)),
            ("*;q=0", None),
            ("*;q=0, identity;q=0.1", Some(Coding::Identity)),
            ("identity;q=0.7, *;q=0.5", Some(Coding::Identity)),
        ]);
    }

    #[test]
    fn identity_can_be_excluded() {
        let none = Codings::new();
        assert_eq!(chosen(&["identity;q=0"], none), None);
        assert_eq!(chosen(&["identity;q=0, gzip"], none), None);
        assert_eq!(chosen(&["*;q=0"], none), None);
        assert_eq!(
            chosen(&["identity;q=0, gzip"], none.with(Coding::Gzip)),
            Some(Coding::Gzip)
        );
        assert_eq!(
            chosen(&["gzip;q=0"], none.with(Coding::Gzip)),
            Some(Coding::Identity)
        );
    }

    #[test]
    fn only_what_is_available_is_chosen() {
        let gzip = Codings::new().with(Coding::Gzip);
        assert_eq!(chosen(&["br, zstd, gzip;q=0.1"], gzip), Some(Coding::Gzip));
        assert_eq!(chosen(&["br, zstd"], gzip), Some(Coding::Identity));
        assert_eq!(
            chosen(&["br, gzip"], Codings::new()),
            Some(Coding::Identity)
        );
    }

    #[test]
    fn lines_make_one_list() {
        assert_eq!(chosen(&["gzip", "br;q=0"], every()), Some(Coding::Gzip));
        assert_eq!(
            chosen(&["gzip;q=0.1", "gzip;q=0.9", "br;q=0.5"], every()),
            Some(Coding::Gzip)
        );
    }

    #[test]
    fn names_are_case_insensitive_and_x_gzip_is_gzip() {
        check(&[
            ("GZip", Some(Coding::Gzip)),
            ("x-gzip", Some(Coding::Gzip)),
            ("X-GZIP;Q=0.3", Some(Coding::Gzip)),
            ("ZSTD, IDENTITY;q=0", Some(Coding::Zstd)),
        ]);
    }
}

mod rfc9110_s12_4_2 {
    use super::*;

    #[test]
    fn weight_takes_three_decimals_and_whitespace_before_it() {
        for value in [
            "gzip;q=1",
            "gzip;q=1.",
            "gzip;q=1.000",
            "gzip ;\tq=0.001",
            "gzip;q=0.9",
            ",gzip ; Q=0.12 ,",
        ] {
            assert_eq!(chosen(&[value], every()), Some(Coding::Gzip), "{value:?}");
        }
        for value in ["*;q=0", "*;q=0.", "*;q=0.0", "*;q=0.000"] {
            assert_eq!(chosen(&[value], every()), None, "{value:?}");
        }
    }

    #[test]
    fn malformed_element_is_ignored() {
        for value in [
            "gzip;q=1.001",
            "gzip;q=1.0000",
            "gzip;q=2",
            "gzip;q=01",
            "gzip;q=0.1234",
            "gzip;q=-1",
            "gzip;q=",
            "gzip;",
            "gzip;q",
            "gzip;q = 1",
            "gzip;q=.5",
            "gzip;q=0.5;q=1",
            "gzip;level=9",
            "gzip;q=a",
            "gzip;q=0.a",
            "gzip br",
            ";q=1",
            "\"gzip\"",
            "*;q=0x",
            "**",
        ] {
            assert_eq!(
                chosen(&[value], every()),
                Some(Coding::Identity),
                "{value:?}"
            );
            let with_good = format!("{value}, zstd;q=0.2");
            assert_eq!(
                chosen(&[&with_good], every()),
                Some(Coding::Zstd),
                "{with_good:?}"
            );
        }
    }
}

mod rfc9110_s8_4 {
    use super::*;

    #[test]
    fn content_encoding_names_the_coding() {
        for (coding, line) in [
            (Coding::Identity, &b""[..]),
            (Coding::Gzip, b"Content-Encoding: gzip\r\n"),
            (Coding::Brotli, b"Content-Encoding: br\r\n"),
            (Coding::Zstd, b"Content-Encoding: zstd\r\n"),
        ] {
            assert_eq!(coding.content_encoding_line(), line);
        }
    }

    #[test]
    fn set_holds_what_was_added() {
        let mut set = Codings::new();
        assert!(set.is_empty());
        for (count, coding) in ALL.into_iter().enumerate() {
            assert!(!set.contains(coding));
            set.insert(coding);
            assert!(set.contains(coding) && !set.is_empty());
            assert_eq!(set.0.count_ones() as usize, count + 1);
        }
    }
}

/// The weight that an element list gives to a coding: the highest of its own, else the highest of `*`; identity that
/// nobody names is worth half a thousandth, so little that everything named comes before it.
fn weight_of(asked: &[(&str, u16)], coding: Coding) -> f64 {
    let names: &[&str] = match coding {
        Coding::Identity => &["identity"],
        Coding::Gzip => &["gzip", "x-gzip"],
        Coding::Brotli => &["br"],
        Coding::Zstd => &["zstd"],
    };
    let highest = |names: &[&str]| {
        let named = asked.iter().filter(|(name, _)| names.contains(name));
        named.map(|(_, weight)| f64::from(*weight)).reduce(f64::max)
    };
    let unnamed = if coding == Coding::Identity { 0.5 } else { 0.0 };
    highest(names).or(highest(&["*"])).unwrap_or(unnamed)
}

fn written(name: &str, weight: u16, trims_zeros: bool) -> String {
    let number = format!("{}.{:03}", weight / 1000, weight % 1000);
    let number = if trims_zeros {
        number.trim_end_matches('0').trim_end_matches('.')
    } else {
        &number
    };
    format!("{name};q={}", if number.is_empty() { "0" } else { number })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn choice_has_a_maximal_weight_and_never_zero(
        asked in prop::collection::vec(
            (
                prop::sample::select(vec!["gzip", "x-gzip", "br", "zstd", "identity", "*", "deflate"]),
                prop_oneof![Just(0u16), Just(1000), Just(500), 0..=1000u16],
                any::<bool>(),
            ),
            0..7,
        ),
        available in 0..16u8,
        lines in 1..4usize,
    ) {
        let elements: Vec<String> = asked.iter().map(|(name, weight, trims)| written(name, *weight, *trims)).collect();
        let joined: Vec<String> = elements.chunks(lines).map(|chunk| chunk.join(", ")).collect();
        let asked: Vec<(&str, u16)> = asked.iter().map(|(name, weight, _)| (*name, *weight)).collect();
        let available = Codings(available).with(Coding::Identity);
        let found = choose(joined.iter().map(|line| line.as_bytes()), available);
        let offered = || ALL.into_iter().filter(|coding| available.contains(*coding));
        let highest = offered().map(|coding| weight_of(&asked, coding)).fold(0.0, f64::max);
        match found {
            None => prop_assert!(highest == 0.0, "{:?}", joined),
            Some(coding) => {
                prop_assert!(highest > 0.0 && weight_of(&asked, coding) == highest, "{:?}", joined);
                let first = offered().find(|coding| weight_of(&asked, *coding) == highest);
                prop_assert_eq!(first, found);
            }
        }
    }

    #[test]
    fn any_octets_give_an_available_coding(line in "[a-z*;=,. 0-9q-]{0,40}", available in 0..16u8) {
        let available = Codings(available);
        if let Some(coding) = chosen(&[&line], available) {
            prop_assert!(available.with(Coding::Identity).contains(coding));
        }
    }
}
