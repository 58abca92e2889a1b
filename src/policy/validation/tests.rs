//! Validation section by section.

use proptest::prelude::*;

use super::*;

const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const MODIFIED_SECONDS: UnixSeconds = UnixSeconds(784_111_777);

fn fields(lines: &[(&str, &str)]) -> Fields {
    lines.iter().copied().collect()
}

fn candidate<'a>(etag: &'a str, modified: Option<UnixSeconds>, date: u64) -> Candidate<'a> {
    Candidate {
        etag: (!etag.is_empty()).then_some(etag.as_bytes()),
        last_modified: modified,
        date: UnixSeconds(date),
        is_complete: true,
    }
}

fn tagged(etag: &str) -> Candidate<'_> {
    candidate(etag, None, 0)
}

mod rfc9111_s4_3_1 {
    use super::*;

    #[test]
    fn tags_of_all_stored_responses_are_sent_the_selected_one_first() {
        let candidates = [tagged("\"a\""), tagged("W/\"b\""), tagged("\"c\"")];
        let conditions = conditional_fields(&candidates, Some(2));
        assert_eq!(
            conditions.fields,
            fields(&[("If-None-Match", "\"c\", \"a\", W/\"b\"")])
        );
        assert_eq!(conditions.nominated, [2, 0, 1]);
        assert_eq!(conditional_fields(&candidates, None).nominated, [0, 1, 2]);
    }

    #[test]
    fn last_modified_goes_along_where_a_single_response_is_validated() {
        let with_date = candidate("\"a\"", Some(MODIFIED_SECONDS), 0);
        let conditions = conditional_fields(&[with_date], Some(0));
        let both = [("If-None-Match", "\"a\""), ("If-Modified-Since", MODIFIED)];
        assert_eq!(conditions.fields, fields(&both));
        let conditions = conditional_fields(&[with_date, tagged("\"b\"")], Some(0));
        assert_eq!(
            conditions.fields,
            fields(&[("If-None-Match", "\"a\", \"b\"")])
        );
    }

    #[test]
    fn a_selected_response_without_tag_is_validated_by_its_date_alone() {
        let candidates = [tagged("\"a\""), candidate("", Some(MODIFIED_SECONDS), 0)];
        let conditions = conditional_fields(&candidates, Some(1));
        assert_eq!(
            conditions.fields,
            fields(&[("If-Modified-Since", MODIFIED)])
        );
        assert_eq!(conditions.nominated, [1]);
    }

    #[test]
    fn nothing_is_sent_where_nothing_can_be_validated() {
        for candidates in [&[][..], &[tagged("")], &[tagged("unquoted")]] {
            assert_eq!(
                conditional_fields(candidates, Some(0)),
                Conditions::default()
            );
        }
        let candidates = [tagged("\"a\""), tagged("")];
        assert_eq!(
            conditional_fields(&candidates, Some(1)),
            Conditions::default()
        );
    }

    #[test]
    fn a_tag_that_several_have_is_listed_once_and_nominates_all_of_them() {
        let conditions = conditional_fields(&[tagged("\"a\""), tagged("\"a\"")], None);
        assert_eq!(conditions.fields, fields(&[("If-None-Match", "\"a\"")]));
        assert_eq!(conditions.nominated, [0, 1]);
    }

    #[test]
    fn the_list_is_bounded_and_the_selected_tag_is_in_it() {
        let tags: Vec<String> = (0..40).map(|index| format!("\"{index:0>200}\"")).collect();
        let candidates: Vec<_> = tags.iter().map(|tag| tagged(tag)).collect();
        let conditions = conditional_fields(&candidates, Some(39));
        let list = conditions.fields.value("if-none-match").unwrap();
        assert!(list.len() <= IF_NONE_MATCH_BYTES_MAX);
        assert!(list.starts_with(tags[39].as_bytes()));
        assert_eq!(conditions.nominated[0], 39);
        assert_eq!(
            list.split(|byte| *byte == b',').count(),
            conditions.nominated.len()
        );
    }

    #[test]
    fn the_clients_own_conditions_and_ranges_are_known() {
        for name in [
            "If-None-Match",
            "IF-MODIFIED-SINCE",
            "If-Range",
            "Range",
            "if-match",
        ] {
            assert!(is_condition_or_range(name.as_bytes()), "{name}");
        }
        assert!(!is_condition_or_range(b"Accept-Ranges"));
    }
}

mod rfc9111_s4_3_2 {
    use super::*;

    #[test]
    fn the_tag_of_a_partial_response_is_not_sent() {
        let partial = Candidate {
            is_complete: false,
            ..candidate("\"a\"", Some(MODIFIED_SECONDS), 0)
        };
        let conditions = conditional_fields(&[partial, tagged("\"b\"")], Some(0));
        assert_eq!(conditions.fields, fields(&[("If-None-Match", "\"b\"")]));
        assert_eq!(
            conditional_fields(&[partial], Some(0)),
            Conditions::default()
        );
    }

    #[test]
    fn preconditions_for_the_origin_are_not_evaluated_by_the_cache() {
        assert!(is_for_origin_alone(&fields(&[("If-Match", "\"a\"")])));
        assert!(is_for_origin_alone(&fields(&[(
            "if-unmodified-since",
            MODIFIED
        )])));
        assert!(!is_for_origin_alone(&fields(&[("If-None-Match", "\"a\"")])));
    }

    #[test]
    fn without_last_modified_the_date_is_compared() {
        let dated = candidate("\"a\"", None, 7);
        assert_eq!(modified_since_base(&dated), UnixSeconds(7));
        let modified = candidate("\"a\"", Some(UnixSeconds(5)), 7);
        assert_eq!(modified_since_base(&modified), UnixSeconds(5));
    }
}

#[test]
fn rfc9111_s4_3_3_answers_to_validation_mean_by_their_status() {
    assert_eq!(Validated::of(304), Validated::NotModified);
    for status in [200, 206, 301, 404, 410, 412] {
        assert_eq!(Validated::of(status), Validated::Replaced);
    }
    for status in [500, 503, 599] {
        assert_eq!(Validated::of(status), Validated::Failed);
    }
}

mod rfc9111_s4_3_4 {
    use super::*;

    /// What a 304 with these fields updates, all being nominated.
    fn chosen(
        candidates: &[Candidate<'_>],
        selected: Option<usize>,
        update: &[(&str, &str)],
    ) -> Vec<usize> {
        let all: Vec<usize> = (0..candidates.len()).collect();
        select_for_304(candidates, &all, selected, &fields(update))
    }

    #[test]
    fn a_strong_tag_updates_all_that_have_it() {
        let candidates = [
            tagged("\"a\""),
            tagged("W/\"a\""),
            tagged("\"b\""),
            tagged("\"a\""),
        ];
        assert_eq!(chosen(&candidates, None, &[("ETag", "\"a\"")]), [0, 3]);
    }

    #[test]
    fn a_strong_tag_that_none_has_updates_nothing() {
        let candidates = [
            candidate("", Some(MODIFIED_SECONDS), 0),
            candidate("W/\"a\"", Some(MODIFIED_SECONDS), 0),
        ];
        let update = [("ETag", "\"a\""), ("Last-Modified", MODIFIED)];
        assert!(chosen(&candidates, Some(1), &update).is_empty());
        assert!(chosen(&candidates[..1], Some(0), &update).is_empty());
    }

    #[test]
    fn a_weak_tag_updates_the_most_recent_that_matches() {
        let candidates = [
            candidate("W/\"a\"", None, 5),
            candidate("\"a\"", None, 9),
            candidate("\"b\"", None, 11),
        ];
        assert_eq!(chosen(&candidates, None, &[("ETag", "W/\"a\"")]), [1]);
        assert_eq!(chosen(&candidates, Some(0), &[("ETag", "W/\"a\"")]), [0]);
        assert!(chosen(&candidates, Some(0), &[("ETag", "W/\"c\"")]).is_empty());
    }

    #[test]
    fn a_date_alone_updates_what_it_tells_apart() {
        let (one, other) = (Some(MODIFIED_SECONDS), Some(UnixSeconds(1)));
        let candidates = [candidate("\"a\"", one, 5), candidate("\"b\"", other, 9)];
        let update = [("Last-Modified", MODIFIED)];
        assert_eq!(chosen(&candidates, None, &update), [0]);
        // Variants of one file, such as its codings, share its date.
        let candidates = [candidate("\"a\"", one, 5), candidate("\"b\"", one, 9)];
        assert!(chosen(&candidates, None, &update).is_empty());
        assert_eq!(chosen(&candidates, Some(0), &update), [0]);
    }

    #[test]
    fn without_validators_the_only_one_that_was_asked_about_is_updated() {
        assert_eq!(chosen(&[tagged("")], Some(0), &[]), [0]);
        assert_eq!(
            chosen(&[tagged("\"a\"")], Some(0), &[("Date", MODIFIED)]),
            [0]
        );
        let two = [tagged("\"a\""), tagged("\"b\"")];
        assert!(chosen(&two, Some(0), &[]).is_empty());
        assert_eq!(select_for_304(&two, &[1], Some(1), &Fields::new()), [1]);
    }

    #[test]
    fn what_was_not_asked_about_is_updated_by_a_strong_tag_only() {
        let candidates = [tagged("\"a\""), tagged("W/\"b\"")];
        assert_eq!(
            select_for_304(&candidates, &[], None, &fields(&[("ETag", "\"a\"")])),
            [0]
        );
        assert!(
            select_for_304(&candidates, &[0], None, &fields(&[("ETag", "W/\"b\"")])).is_empty()
        );
    }

    proptest! {
        #[test]
        fn no_update_ever_goes_to_a_response_with_another_tag(
            tags in proptest::collection::vec("(W/)?\"[ab]\"", 0..5),
            update in "(W/)?\"[abc]\"",
            selected in proptest::option::of(0_usize..5),
        ) {
            let candidates: Vec<_> = tags.iter().map(|tag| tagged(tag)).collect();
            for place in chosen(&candidates, selected, &[("ETag", &update)]) {
                let opaque = |tag: &str| tag.trim_start_matches("W/").to_owned();
                prop_assert_eq!(opaque(&tags[place]), opaque(&update));
                prop_assert!(update.starts_with('W') || tags[place] == update);
            }
        }
    }
}

mod rfc9111_s3_2 {
    use super::*;

    /// `freshened` where everything may be stored.
    fn updated(stored: &Fields, update: &Fields) -> Fields {
        let rule = Overrides {
            set_cookie: SetCookie::Store,
            ..Overrides::default()
        };
        freshened(stored, update, &rule, |_| false)
    }

    #[test]
    fn fields_of_the_update_replace_all_stored_lines_of_their_name() {
        let stored = fields(&[("A", "1"), ("B", "1"), ("a", "2"), ("Content-Type", "x/y")]);
        let update = fields(&[("a", "3"), ("A", "4"), ("C", "5"), ("Content-Type", "x/z")]);
        let expected = fields(&[
            ("B", "1"),
            ("a", "3"),
            ("A", "4"),
            ("C", "5"),
            ("Content-Type", "x/z"),
        ]);
        assert_eq!(updated(&stored, &update), expected);
    }

    #[test]
    fn fields_that_describe_the_stored_bytes_stay() {
        let stored = fields(&[("Content-Length", "7"), ("Content-Encoding", "gzip")]);
        let update = fields(&[
            ("content-length", "0"),
            ("Content-Encoding", "br"),
            ("Content-Range", "bytes 0-1/2"),
        ]);
        assert_eq!(updated(&stored, &update), stored);
    }

    #[test]
    fn fields_of_one_connection_are_not_stored() {
        let stored = fields(&[("X-A", "1")]);
        let update = fields(&[
            ("Connection", "x-a, close"),
            ("X-A", "2"),
            ("Keep-Alive", "timeout=5"),
            ("Transfer-Encoding", "chunked"),
            ("Proxy-Authenticate", "Basic"),
        ]);
        assert_eq!(updated(&stored, &update), stored);
    }

    #[test]
    fn what_may_not_be_stored_does_not_get_in_by_an_update() {
        let stored = fields(&[("ETag", "\"a\"")]);
        let update = fields(&[("Set-Cookie", "id=1"), ("Expires", MODIFIED)]);
        let expected = fields(&[("ETag", "\"a\""), ("Expires", MODIFIED)]);
        for set_cookie in [SetCookie::Refuse, SetCookie::Strip] {
            let rule = Overrides {
                set_cookie,
                ..Overrides::default()
            };
            assert_eq!(freshened(&stored, &update, &rule, |_| false), expected);
        }
        let is_expires = |name: &[u8]| name.eq_ignore_ascii_case(b"expires");
        let rule = Overrides::default();
        assert_eq!(freshened(&stored, &update, &rule, is_expires), stored);
        assert!(updated(&stored, &update).value("set-cookie").is_some());
    }

    #[test]
    fn no_age_is_stored_neither_the_old_one_nor_the_updates() {
        for update in [fields(&[]), fields(&[("Age", "3"), ("age", "4")])] {
            let stored = fields(&[("Age", "500"), ("X", "1")]);
            assert_eq!(updated(&stored, &update), fields(&[("X", "1")]));
        }
    }

    proptest! {
        #[test]
        fn every_name_has_the_lines_of_the_update_or_else_the_stored_ones(
            stored in proptest::collection::vec(("[a-dA-D]", "[0-9]"), 0..6),
            update in proptest::collection::vec(("[a-dA-D]", "[0-9]"), 0..6),
        ) {
            let (stored, update): (Fields, Fields) = (stored.into_iter().collect(), update.into_iter().collect());
            let result = updated(&stored, &update);
            for name in ["a", "b", "c", "d"] {
                let from = if update.value(name).is_some() { &update } else { &stored };
                prop_assert!(result.values(name).eq(from.values(name)));
            }
        }
    }
}

#[test]
fn rfc9111_s4_3_5_head_updates_only_where_validators_and_size_are_the_same() {
    let stored = candidate("\"a\"", Some(MODIFIED_SECONDS), 0);
    let tells = |answer: &[(&str, &str)]| head_tells(&stored, Some(7), &fields(answer));
    let all = [
        ("ETag", "\"a\""),
        ("Last-Modified", MODIFIED),
        ("Content-Length", "7"),
    ];
    assert_eq!(tells(&[]), HeadTells::Nothing);
    assert_eq!(tells(&[("X", "1")]), HeadTells::Nothing);
    assert_eq!(tells(&all), HeadTells::Same);
    for same in &all[..2] {
        assert_eq!(tells(&[*same]), HeadTells::Same, "{same:?}");
    }
    // A size is no proof of what has a validator, but of what has none.
    let length = [("Content-Length", "7")];
    assert_eq!(tells(&length), HeadTells::Nothing);
    let bare = candidate("", None, 0);
    let of_bare = |size| head_tells(&bare, Some(size), &fields(&length));
    assert_eq!(
        (of_bare(7), of_bare(8)),
        (HeadTells::Same, HeadTells::Other)
    );
    for other in [
        ("ETag", "\"b\""),
        ("ETag", "W/\"a\""),
        ("Last-Modified", "Sun, 06 Nov 1994 08:49:38 GMT"),
        ("Last-Modified", "yesterday"),
        ("Content-Length", "8"),
        ("Content-Length", "x"),
    ] {
        assert_eq!(tells(&[other]), HeadTells::Other, "{other:?}");
        // What else is the same does not make up for it.
        let mixed: Vec<_> = all
            .into_iter()
            .filter(|(name, _)| *name != other.0)
            .chain([other])
            .collect();
        assert_eq!(tells(&mixed), HeadTells::Other, "{mixed:?}");
    }
    let length = fields(&[("Content-Length", "7")]);
    assert_eq!(head_tells(&stored, None, &length), HeadTells::Other);
    let tag = fields(&[("ETag", "\"a\"")]);
    assert_eq!(head_tells(&tagged(""), None, &tag), HeadTells::Other);
}

mod rfc9111_s3_4 {
    use super::*;

    const RANGE: ByteRange = ByteRange { first: 0, last: 9 };

    #[test]
    fn parts_are_asked_for_under_a_strong_tag_only() {
        assert_eq!(
            range_fields(RANGE, Some(b"\"a\"")),
            fields(&[("Range", "bytes=0-9"), ("If-Range", "\"a\"")])
        );
        for etag in [None, Some(&b"W/\"a\""[..]), Some(b"odd")] {
            assert_eq!(range_fields(RANGE, etag), fields(&[("Range", "bytes=0-9")]));
        }
    }

    #[test]
    fn parts_are_put_together_under_the_same_strong_tag_only() {
        let combines = |stored: Option<&str>, partial: &[(&str, &str)]| {
            may_combine(stored.map(str::as_bytes), &fields(partial))
        };
        assert!(combines(Some("\"a\""), &[("ETag", "\"a\"")]));
        assert!(!combines(Some("\"a\""), &[("ETag", "\"b\"")]));
        assert!(!combines(Some("\"a\""), &[]));
        assert!(!combines(None, &[("ETag", "\"a\"")]));
        assert!(!combines(None, &[]));
        assert!(!combines(Some("W/\"a\""), &[("ETag", "W/\"a\"")]));
        assert!(!combines(Some("odd"), &[("ETag", "odd")]));
    }
}
