//! Selections against the plain reading of the fields that they were taken from.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::http::fields::Fields;

fn fields(lines: &[(&str, &str)]) -> Fields {
    lines.iter().copied().collect()
}

/// What a response with these Vary lines varies by.
fn vary(lines: &[&str]) -> Vary {
    let lines: Fields = lines.iter().map(|line| ("Vary", *line)).collect();
    Names::of(&lines)
}

fn names(list: &str) -> Names {
    match vary(&[list]) {
        Vary::By(names) => names,
        other => panic!("{list}: {other:?}"),
    }
}

/// The selection by one field with these lines.
fn selected(name: &str, lines: &[&str]) -> Box<[u8]> {
    selection(&names(name), &request(name, lines)).unwrap()
}

fn request(name: &str, lines: &[&str]) -> Fields {
    lines.iter().map(|line| (name, *line)).collect()
}

/// Whether a response stored for one request answers another.
fn answers(name: &str, stored: &[&str], wanted: &[&str]) -> bool {
    matches(&selected(name, stored), &request(name, wanted))
}

#[test]
fn rfc9111_s4_1_all_vary_lines_make_one_sorted_set() {
    assert_eq!(vary(&[]), Vary::None);
    assert_eq!(vary(&["", " , "]), Vary::None);
    let Vary::By(names) = vary(&["B, a", "A,,b ,C"]) else {
        panic!("names are given");
    };
    assert_eq!(names.iter().collect::<Vec<_>>(), ["a", "b", "c"]);
    assert!(names.contains(b"B"));
    assert!(!names.contains(b"bc"));
}

#[test]
fn rfc9111_s4_1_star_on_any_line_always_fails_to_match() {
    for lines in [&["*"][..], &["a, *"], &["a", "b", " *"]] {
        assert_eq!(vary(lines), Vary::Star, "{lines:?}");
    }
}

#[test]
fn names_that_cannot_be_read_or_are_too_many_count_as_star() {
    let many: Vec<String> = (0..=NAMES_MAX).map(|index| format!("x{index}")).collect();
    let long = "x".repeat(256);
    for line in ["a b", "\"a\"", "a;b", long.as_str(), &many.join(",")] {
        assert_eq!(vary(&[line]), Vary::Star, "{line}");
    }
    assert!(matches!(vary(&[&many[1..].join(",")]), Vary::By(_)));
}

#[test]
fn fields_that_are_written_here_count_as_star() {
    for line in ["X-Forwarded-For", "accept, VIA", "te", "Connection"] {
        assert_eq!(vary(&[line]), Vary::Star, "{line}");
    }
    // The same for all, or what the client says.
    for line in ["X-Forwarded-Proto", "Host", "X-Forwarded-Host"] {
        assert!(matches!(vary(&[line]), Vary::By(_)), "{line}");
    }
}

#[test]
fn rfc9111_s4_1_all_nominated_fields_must_match() {
    let names = names("a, b");
    let stored = selection(&names, &fields(&[("A", "1"), ("B", "2"), ("C", "3")])).unwrap();
    assert!(matches(
        &stored,
        &fields(&[("b", "2"), ("a", "1"), ("c", "4")])
    ));
    for other in [
        &[("a", "1")][..],
        &[("a", "1"), ("b", "3")],
        &[("a", "2"), ("b", "1")],
        &[],
    ] {
        assert!(!matches(&stored, &fields(other)), "{other:?}");
    }
    assert_eq!(differs_by(&stored, &fields(&[("a", "1")])), Some("b"));
    assert_eq!(
        differs_by(&stored, &fields(&[("a", "1"), ("b", "2")])),
        None
    );
}

#[test]
fn rfc9111_s4_1_an_absent_field_matches_only_an_absent_one() {
    for name in ["accept-encoding", "accept-language", "x"] {
        assert!(answers(name, &[], &[]));
        assert!(!answers(name, &[], &[""]));
        assert!(!answers(name, &[""], &[]));
        assert!(answers(name, &[""], &[""]));
    }
}

#[test]
fn rfc9111_s4_1_lines_are_joined_and_white_space_at_ends_goes() {
    assert!(answers("x", &["a", "b"], &["a, b"]));
    assert!(answers("x", &["a "], &[" a"]));
    assert!(!answers("x", &["a", "b"], &["b", "a"]));
    assert!(!answers("x", &["a, b"], &["a,b"]));
    assert!(!answers("x", &["a"], &["A"]));
    assert!(!answers("x", &["a"], &["ab"]));
}

#[test]
fn rfc9111_s4_1_languages_match_in_any_case_and_spacing() {
    let name = "Accept-Language";
    assert!(answers(name, &["de-CH, EN ; q=0.5"], &["DE-ch,en;q=0.5"]));
    assert!(answers(name, &["de", "en"], &["de,,en,"]));
    assert!(!answers(name, &["de, en"], &["en, de"]));
    assert!(!answers(name, &["de, en;q=0.5"], &["de, en;q=0.4"]));
    assert!(!answers(name, &["en"], &["fr"]));
    assert!(!answers(name, &["a b"], &["ab"]));
}

#[test]
fn rfc9111_s4_1_codings_match_by_the_set_that_is_accepted() {
    let name = "Accept-Encoding";
    let same = [
        ("gzip, br", "br;q=0.1,GZIP"),
        ("gzip", "x-gzip"),
        ("gzip", "gzip, br;q=0"),
        ("gzip", "gzip;q=0, gzip"),
        ("gzip", "gzip, identity;q=0.5"),
        ("", "identity"),
        ("*", "*, gzip;q=0.1"),
        ("*;q=0", "identity;q=0"),
        ("gzip, foo", "FOO;q=1.000, gzip"),
    ];
    for (left, right) in same {
        assert!(answers(name, &[left], &[right]), "{left} {right}");
        assert!(answers(name, &[right], &[left]), "{right} {left}");
    }
    let different = [
        ("gzip", ""),
        ("gzip", "br"),
        ("gzip", "gzip, br"),
        ("gzip", "gzip, foo"),
        ("gzip", "gzip, identity;q=0"),
        ("gzip", "gzip, *"),
        ("*", "*, gzip;q=0"),
        ("*", "*, identity;q=0"),
        ("gz, ip", "gzip"),
        ("foo", "foob"),
        ("gzip;q=0.000", "gzip;q=0.001"),
    ];
    for (left, right) in different {
        assert!(!answers(name, &[left], &[right]), "{left} {right}");
        assert!(!answers(name, &[right], &[left]), "{right} {left}");
    }
}

#[test]
fn codings_that_cannot_be_read_match_octet_by_octet() {
    let many: Vec<String> = (0..40).map(|index| format!("c{index}")).collect();
    let (many, turned) = (
        many.join(","),
        many.iter().rev().cloned().collect::<Vec<_>>().join(","),
    );
    for value in [
        "gzip;q=2",
        "gzip;x=1",
        "gzip;q=1.01",
        "gz ip",
        "gzip;q=0.1234",
        ";q=1",
        many.as_str(),
    ] {
        assert!(answers("accept-encoding", &[value], &[value]), "{value}");
        for other in ["gzip", "", "gzip;q=3", turned.as_str()] {
            assert!(
                !answers("accept-encoding", &[value], &[other]),
                "{value} {other}"
            );
            assert!(
                !answers("accept-encoding", &[other], &[value]),
                "{other} {value}"
            );
        }
    }
}

#[test]
fn a_selection_that_is_too_long_is_none() {
    let long = "x".repeat(SELECTION_BYTES_MAX);
    assert_eq!(selection(&names("x"), &request("x", &[&long])), None);
    assert!(selection(&names("x"), &request("x", &[&long[..8000]])).is_some());
}

#[test]
fn bytes_that_are_no_selection_match_nothing() {
    let whole = selected("x", &["abc"]);
    for size in 1..whole.len() {
        assert!(!matches(&whole[..size], &request("x", &["abc"])), "{size}");
    }
    let mut unknown = whole.to_vec();
    unknown[2] = 9;
    assert!(!matches(&unknown, &request("x", &["abc"])));
    assert!(!matches(&[1, 0xff, ABSENT], &Fields::new()));
}

#[test]
fn rfc9111_s4_1_the_most_recent_that_varies_is_chosen() {
    let (en, de) = (
        selected("accept-language", &["en"]),
        selected("accept-language", &["de"]),
    );
    let star_of = |stored: &[(&[u8], u64)]| {
        let stored: Vec<_> = stored
            .iter()
            .map(|(one, date)| (*one, UnixSeconds(*date)))
            .collect();
        choose(stored.into_iter(), &request("accept-language", &["en"]))
    };
    assert_eq!(star_of(&[]), None);
    assert_eq!(star_of(&[(&de, 9)]), None);
    assert_eq!(star_of(&[(&de, 9), (&en, 1)]), Some(1));
    let user_agent = selected("user-agent", &[]);
    assert_eq!(star_of(&[(&en, 1), (&user_agent, 2)]), Some(1));
    assert_eq!(star_of(&[(&en, 2), (&user_agent, 1)]), Some(0));
    // A later one without Vary does not hide the one made for the request.
    assert_eq!(star_of(&[(&en, 1), (b"", 9)]), Some(0));
    assert_eq!(star_of(&[(&de, 1), (b"", 9)]), Some(1));
}

#[test]
fn variants_are_replaced_added_and_at_the_limit_displaced() {
    let selections: Vec<Box<[u8]>> = (0..=VARIANTS_MAX)
        .map(|index| selected("x", &[&index.to_string()]))
        .collect();
    let stored = |count: usize| {
        let place_time =
            |place: usize| UnixSeconds(if place == 5 { 1 } else { 100 + place as u64 });
        selections[..count]
            .iter()
            .enumerate()
            .map(move |(place, one)| (&**one, place_time(place)))
    };
    let new = &*selections[VARIANTS_MAX];
    assert_eq!(admit(stored(0), new), Admission::Adds);
    assert_eq!(admit(stored(VARIANTS_MAX - 1), new), Admission::Adds);
    assert_eq!(admit(stored(VARIANTS_MAX), new), Admission::Displaces(5));
    assert_eq!(
        admit(stored(VARIANTS_MAX), &selections[7]),
        Admission::Replaces(7)
    );
}

/// The codings of a small world that a request accepts, read in the plainest way.
fn world_of(lines: &[String]) -> BTreeSet<&'static str> {
    let elements: Vec<(String, f64)> = lines
        .iter()
        .flat_map(|line| line.split(','))
        .map(|element| element.trim().to_lowercase())
        .filter(|element| !element.is_empty())
        .map(|element| match element.split_once(";q=") {
            Some((name, weight)) => (name.trim().to_owned(), weight.parse().unwrap()),
            None => (element, 1.0),
        })
        .collect();
    let weight = |wanted: &str| {
        elements
            .iter()
            .filter(|(name, _)| name == wanted)
            .map(|(_, weight)| *weight)
            .fold(None, |most: Option<f64>, weight| {
                Some(most.map_or(weight, |most| most.max(weight)))
            })
    };
    let all = ["gzip", "br", "foo", "identity", "something-else"];
    let accepts = |coding: &str| match (weight(coding), weight("*"), coding) {
        (Some(weight), _, _) | (None, Some(weight), _) => weight > 0.0,
        (None, None, coding) => coding == "identity",
    };
    all.into_iter().filter(|coding| accepts(coding)).collect()
}

fn codings_line() -> impl Strategy<Value = String> {
    proptest::collection::vec(
        "(gzip|GZIP|br|foo|identity|\\*)( ?; ?q=(0|0\\.5|0\\.000|1))?",
        0..4,
    )
    .prop_map(|elements| elements.join(", ").replace(" ;", ";").replace("; ", ";"))
}

proptest! {
    #[test]
    fn codings_match_exactly_where_the_accepted_sets_are_equal(
        stored in proptest::collection::vec(codings_line(), 1..3),
        wanted in proptest::collection::vec(codings_line(), 1..3),
    ) {
        let lines = |lines: &[String]| -> Fields { lines.iter().map(|line| ("Accept-Encoding", line)).collect() };
        let selection = selection(&names("Accept-Encoding"), &lines(&stored)).unwrap();
        prop_assert_eq!(matches(&selection, &lines(&wanted)), world_of(&stored) == world_of(&wanted));
    }

    #[test]
    fn permutations_of_codings_match(
        elements in proptest::collection::vec("[a-z]{1,3}(;q=(0|0\\.[0-9]|1))?", 0..8),
        turn in 0_usize..8,
    ) {
        let mut turned = elements.clone();
        turned.rotate_left(turn % elements.len().max(1));
        turned.reverse();
        let (left, right) = (elements.join(","), turned.join(" , "));
        prop_assert!(answers("accept-encoding", &[&left], &[&right]));
    }

    #[test]
    fn other_fields_match_exactly_where_their_joined_lines_are_equal(
        stored in proptest::collection::vec(("[xyz]", "[ab, ]{0,3}"), 0..4),
        wanted in proptest::collection::vec(("[xyz]", "[ab, ]{0,3}"), 0..4),
        nominated in "[xyz](,[xyz]){0,2}",
    ) {
        let plain = |lines: &[(String, String)], name: &str| {
            let values: Vec<&str> = lines.iter().filter(|(line, _)| line == name).map(|(_, value)| value.trim()).collect();
            (!values.is_empty()).then(|| values.join(", "))
        };
        let (left, right): (Fields, Fields) = (stored.iter().cloned().collect(), wanted.iter().cloned().collect());
        let is_same = nominated.split(',').all(|name| plain(&stored, name) == plain(&wanted, name));
        let selection = selection(&names(&nominated), &left).unwrap();
        prop_assert_eq!(matches(&selection, &right), is_same);
        prop_assert_eq!(differs_by(&selection, &right).is_none(), is_same);
    }

    #[test]
    fn languages_match_exactly_where_their_plain_lists_are_equal(
        stored in proptest::collection::vec("[aA;, ]{0,5}", 1..3),
        wanted in proptest::collection::vec("[aA;, ]{0,5}", 1..3),
    ) {
        let plain = |lines: &[String]| -> Vec<Vec<String>> {
            lines.iter()
                .flat_map(|line| line.split(','))
                .filter(|element| !element.trim().is_empty())
                .map(|element| element.split(';').map(|part| part.trim().to_lowercase()).collect())
                .collect()
        };
        let lines = |lines: &[String]| -> Fields { lines.iter().map(|line| ("Accept-Language", line)).collect() };
        let selection = selection(&names("accept-language"), &lines(&stored)).unwrap();
        prop_assert_eq!(matches(&selection, &lines(&wanted)), plain(&stored) == plain(&wanted));
    }

    #[test]
    fn equal_selections_match_the_same_requests(
        stored in proptest::collection::vec(codings_line(), 0..2),
        other in proptest::collection::vec(codings_line(), 0..2),
    ) {
        let lines = |lines: &[String]| -> Fields { lines.iter().map(|line| ("Accept-Encoding", line)).collect() };
        let names = names("accept-encoding");
        let (left, right) = (selection(&names, &lines(&stored)).unwrap(), selection(&names, &lines(&other)).unwrap());
        prop_assert_eq!(left == right, matches(&left, &lines(&other)));
    }

    #[test]
    fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        let request = fields(&[("a", "1"), ("accept-encoding", "gzip")]);
        if matches(&bytes, &request) {
            prop_assert_eq!(differs_by(&bytes, &request), None);
        }
    }
}
