//! Tests of entity-tags and their lists.

use proptest::prelude::*;

use super::{EntityTag, is_listed};

fn tag(value: &str) -> EntityTag<'_> {
    EntityTag::parse(value.as_bytes()).unwrap_or_else(|| panic!("{value:?} is an entity-tag"))
}

mod rfc9110_s8_8_3 {
    use super::EntityTag;

    #[test]
    fn tag_is_quoted_and_may_be_weak() {
        let cases: [(&[u8], bool, &[u8]); 7] = [
            (b"\"xyzzy\"", false, b"\"xyzzy\""),
            (b"W/\"xyzzy\"", true, b"\"xyzzy\""),
            (b"\"\"", false, b"\"\""),
            (b"W/\"\"", true, b"\"\""),
            (b"\"a,b\\!\"", false, b"\"a,b\\!\""),
            (b"\"W/\"", false, b"\"W/\""),
            (b"\"\x80\xff\"", false, b"\"\x80\xff\""),
        ];
        for (value, is_weak, opaque) in cases {
            assert_eq!(EntityTag::parse(value), Some(EntityTag { is_weak, opaque }));
        }
    }

    #[test]
    fn all_else_is_refused() {
        let cases: [&[u8]; 16] = [
            b"",
            b"*",
            b"a",
            b"\"",
            b"W/",
            b"W/\"",
            b"W\"a\"",
            b"w/\"a\"",
            b"W/ \"a\"",
            b"'a'",
            b"\"a",
            b"\"a\"b\"",
            b"\"a\" ",
            b"\"a b\"",
            b"\"a\x7f\"",
            b"\"a\"\"b\"",
        ];
        for value in cases {
            assert_eq!(
                EntityTag::parse(value),
                None,
                "{:?}",
                value.escape_ascii().to_string()
            );
        }
    }
}

mod rfc9110_s8_8_3_2 {
    use super::tag;

    /// The table of the section itself, and one more line.
    #[test]
    fn comparisons_follow_the_table() {
        let table = [
            ("W/\"1\"", "W/\"1\"", false, true),
            ("W/\"1\"", "W/\"2\"", false, false),
            ("W/\"1\"", "\"1\"", false, true),
            ("\"1\"", "\"1\"", true, true),
            ("\"1\"", "\"2\"", false, false),
        ];
        for (one, other, strong, weak) in table {
            for (one, other) in [(one, other), (other, one)] {
                assert_eq!(tag(one).strong_eq(tag(other)), strong, "{one} {other}");
                assert_eq!(tag(one).weak_eq(tag(other)), weak, "{one} {other}");
            }
        }
    }
}

mod rfc9110_s13_1 {
    use super::{is_listed, tag};

    fn lists(lines: &[&str]) -> bool {
        is_listed(lines.iter().map(|line| line.as_bytes()), |found| {
            found.weak_eq(tag("\"x\""))
        })
    }

    #[test]
    fn tag_is_found_wherever_it_stands() {
        let cases: [&[&str]; 13] = [
            &["\"x\""],
            &["W/\"x\""],
            &["\"a\",\"x\""],
            &["\"a\" ,\t\"x\" "],
            &[",, \"x\",,"],
            &["\"a,b\",\"x\""],
            &["\"a\"", "\"x\""],
            &["", "\"x\""],
            &["bad, \"x\""],
            &["w/\"x,y\", \"x\""],
            &["\"b\"c, \"x\""],
            &["\"sp ace\", \"x\""],
            &["*, \"x\""],
        ];
        for lines in cases {
            assert!(lists(lines), "{lines:?}");
        }
    }

    #[test]
    fn nothing_else_is_found() {
        let cases: [&[&str]; 13] = [
            &[],
            &[""],
            &[" , "],
            &["x"],
            &["\"a\""],
            &["\"x"],
            &["x\""],
            &["\"x\"y"],
            &["y\"x\""],
            &["\"x\" \"x\""],
            &["\",\"x\",\""],
            &["w/\"x\""],
            &["W/ \"x\""],
        ];
        for lines in cases {
            assert!(!lists(lines), "{lines:?}");
        }
    }

    #[test]
    fn star_counts_only_alone() {
        for (lines, wanted) in [
            (&["*"][..], true),
            (&[" *\t"], true),
            (&["*,"], true),
            (&["*", "*"], true),
            (&["*, \"a\""], false),
            (&["\"a\"", "*"], false),
            (&["*", "bad"], false),
            (&["**"], false),
            (&["\"*\""], false),
            (&["W/*"], false),
        ] {
            assert_eq!(lists(lines), wanted, "{lines:?}");
        }
    }
}

proptest! {
    #[test]
    fn list_holds_exactly_the_tags_it_was_made_of(
        made in prop::collection::vec((any::<bool>(), "[!#-~\u{80}-\u{ff}]{0,6}"), 0..6),
        separator in "[ \t]{0,2},[ \t,]{0,3}",
        lines in 1..3usize,
    ) {
        let written: Vec<String> =
            made.iter().map(|(weak, text)| format!("{}\"{text}\"", if *weak { "W/" } else { "" })).collect();
        let lines: Vec<String> = written.chunks(lines).map(|chunk| chunk.join(&separator)).collect();
        let mut found = Vec::new();
        is_listed(lines.iter().map(|line| line.as_bytes()), |tag| {
            found.push(tag);
            false
        });
        let wanted: Vec<EntityTag<'_>> = written.iter().map(|one| tag(one)).collect();
        prop_assert_eq!(found, wanted);
    }

    #[test]
    fn tag_in_any_octets_is_one_that_parses(line in "[ \t,\"*W/ab]{0,24}") {
        is_listed(std::iter::once(line.as_bytes()), |found| {
            let mut whole = if found.is_weak { b"W/".to_vec() } else { Vec::new() };
            whole.extend_from_slice(found.opaque);
            assert_eq!(EntityTag::parse(&whole), Some(found));
            false
        });
    }
}
