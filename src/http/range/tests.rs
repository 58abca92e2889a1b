//! Tests of range plans: tables by section.

mod model;

use super::{RANGES_MAX, RangePlan, plan};
use crate::http::range::AskedRange;

/// A plan, short enough for tables: `416`, `200`, or the ranges.
fn shown(value: &str, size: u64) -> String {
    match plan(value.as_bytes(), size) {
        RangePlan::Whole => "200".to_owned(),
        RangePlan::Unsatisfiable => "416".to_owned(),
        RangePlan::One(one) => format!("{}-{}", one.first, one.last),
        RangePlan::Many(list) => {
            let parts: Vec<String> = list
                .iter()
                .map(|one| format!("{}-{}", one.first, one.last))
                .collect();
            assert_eq!(parts.len(), list.len());
            parts.join(" ")
        }
    }
}

fn check(size: u64, table: &[(&str, &str)]) {
    for (value, wanted) in table {
        assert_eq!(shown(value, size), *wanted, "{value:?} of {size} bytes");
    }
}

mod rfc9110_s14_1_1 {
    use super::check;

    #[test]
    fn malformed_set_is_ignored() {
        let table: Vec<(&str, &str)> = [
            "",
            "bytes",
            "bytes=",
            "bytes= ",
            "bytes=,",
            "bytes=,,",
            "bytes=-",
            "bytes=1",
            "bytes=a-b",
            "bytes=1-2-3",
            "bytes=--1",
            "bytes=+1-2",
            "bytes=1 -2",
            "bytes=1- 2",
            "bytes=0x1-2",
            "bytes=5-4",
            "bytes=0-1;2-3",
            "bytes=0-1 2-3",
            "bytes=0-1,x",
            "bytes=0-1,9-8",
            "bytes =0-1",
            "bytes:0-1",
            " bytes=0-1",
            "bytes=1.0-2",
            "bytes=\u{661}-2",
            "bytes=0-1\0",
            "bytes==0-1",
            "bytes=900-1,-0,-",
        ]
        .map(|value| (value, "200"))
        .to_vec();
        check(1000, &table);
        check(0, &table);
    }

    #[test]
    fn last_before_first_is_malformed_even_where_both_overflow() {
        check(
            1000,
            &[
                (
                    "bytes=99999999999999999999999-99999999999999999999998",
                    "200",
                ),
                (
                    "bytes=99999999999999999999999-099999999999999999999999",
                    "416",
                ),
                (
                    "bytes=099999999999999999999999-99999999999999999999999",
                    "416",
                ),
                (
                    "bytes=99999999999999999999999-100000000000000000000000",
                    "416",
                ),
                (
                    "bytes=100000000000000000000000-99999999999999999999999",
                    "200",
                ),
                ("bytes=99999999999999999999999-18446744073709551615", "200"),
                ("bytes=18446744073709551616-5", "200"),
            ],
        );
    }
}

mod rfc9110_s14_1_2 {
    use super::check;

    #[test]
    fn first_and_last_are_inclusive_and_end_with_the_representation() {
        check(
            1000,
            &[
                ("bytes=0-0", "0-0"),
                ("bytes=0-499", "0-499"),
                ("bytes=500-999", "500-999"),
                ("bytes=500-1000", "500-999"),
                ("bytes=0-", "0-999"),
                ("bytes=0-999", "0-999"),
                ("bytes=999-", "999-999"),
                ("bytes=00000000000000000000000001-02", "1-2"),
                ("bytes=0-18446744073709551616", "0-999"),
                ("bytes=7-99999999999999999999999999", "7-999"),
                ("BYTES=0-1", "0-1"),
            ],
        );
    }

    #[test]
    fn suffix_counts_from_the_end() {
        check(
            1000,
            &[
                ("bytes=-1", "999-999"),
                ("bytes=-500", "500-999"),
                ("bytes=-1000", "0-999"),
                ("bytes=-1001", "0-999"),
                ("bytes=-99999999999999999999999999", "0-999"),
                ("bytes=-0", "416"),
                ("bytes=-000", "416"),
            ],
        );
    }

    #[test]
    fn range_past_the_end_is_unsatisfiable() {
        check(
            1000,
            &[
                ("bytes=1000-", "416"),
                ("bytes=1000-1000", "416"),
                ("bytes=18446744073709551615-", "416"),
                ("bytes=99999999999999999999999999-", "416"),
                ("bytes=1000-,-0,2000-3000", "416"),
                ("bytes=1000-,5-6,-0", "5-6"),
            ],
        );
    }

    #[test]
    fn empty_representation_satisfies_no_range() {
        check(
            0,
            &[
                ("bytes=0-", "416"),
                ("bytes=0-0", "416"),
                ("bytes=-1", "416"),
                ("bytes=-0,0-", "416"),
            ],
        );
    }

    #[test]
    fn highest_sizes_do_not_overflow() {
        check(
            u64::MAX,
            &[
                ("bytes=0-", "0-18446744073709551614"),
                ("bytes=-1", "18446744073709551614-18446744073709551614"),
                ("bytes=18446744073709551615-", "416"),
                (
                    "bytes=0-0,18446744073709551614-",
                    "0-0 18446744073709551614-18446744073709551614",
                ),
            ],
        );
    }

    #[test]
    fn list_takes_whitespace_and_empty_elements() {
        check(
            1000,
            &[
                ("bytes=0-1, 500-501", "0-1 500-501"),
                ("bytes=0-1\t,\t500-501 ,", "0-1 500-501"),
                ("bytes=,, 0-1,,,500-501,", "0-1 500-501"),
                ("bytes= 0-1", "0-1"),
                ("bytes=,0-1,", "0-1"),
            ],
        );
    }
}

mod rfc9110_s14_2 {
    use super::{RANGES_MAX, check, shown};

    #[test]
    fn unknown_unit_is_ignored() {
        check(
            1000,
            &[
                ("lines=0-1", "200"),
                ("byte=0-1", "200"),
                ("bytess=0-1", "200"),
                ("none", "200"),
            ],
        );
    }

    #[test]
    fn too_many_ranges_are_ignored() {
        let set = |count: u64| {
            let specs: Vec<String> = (0..count)
                .map(|at| format!("{}-{}", at * 200, at * 200 + 1))
                .collect();
            format!("bytes={}", specs.join(","))
        };
        let most = RANGES_MAX as u64;
        assert_eq!(shown(&set(most), 100_000).split(' ').count(), RANGES_MAX);
        assert_eq!(shown(&set(most + 1), 100_000), "200");
        // Those that hold no byte count as well.
        assert_eq!(shown(&set(most + 1), 1), "200");
        assert_eq!(shown(&format!("bytes=0-{}", ",".repeat(100)), 10), "0-9");
    }

    #[test]
    fn more_than_two_overlaps_are_ignored() {
        check(
            1000,
            &[
                ("bytes=0-,0-", "0-999"),
                ("bytes=0-,0-,0-", "0-999"),
                ("bytes=0-,0-,0-,0-", "200"),
                ("bytes=0-,1-,2-,3-", "200"),
                (
                    "bytes=0-10,5-15,500-510,505-515,800-810",
                    "0-15 500-515 800-810",
                ),
                ("bytes=0-10,5-15,500-510,505-515,800-810,800-800", "200"),
            ],
        );
    }
}

mod rfc9110_s15_3_7_2 {
    use super::check;

    #[test]
    fn near_ranges_become_one() {
        check(
            1000,
            &[
                ("bytes=0-99,100-199", "0-199"),
                ("bytes=100-199,0-99", "0-199"),
                ("bytes=0-99,50-149", "0-149"),
                ("bytes=0-99,20-30", "0-99"),
                ("bytes=20-30,0-99", "0-99"),
                ("bytes=0-0,80-80", "0-80"),
                ("bytes=0-0,81-81", "0-0 81-81"),
                ("bytes=81-81,0-0", "81-81 0-0"),
                ("bytes=0-0,160-160,80-80", "0-160"),
            ],
        );
    }

    #[test]
    fn order_of_the_request_is_kept() {
        check(
            1000,
            &[
                ("bytes=900-,0-9", "900-999 0-9"),
                ("bytes=500-509,0-9,510-519,900-", "500-519 0-9 900-999"),
                (
                    "bytes=0-9,500-509,300-309,190-199,10-20",
                    "0-20 500-509 300-309 190-199",
                ),
                ("bytes=900-909,0-9,200-209,100-109,20-180", "900-909 0-209"),
            ],
        );
    }
}

#[test]
fn one_range_is_asked_for_in_whole_blocks() {
    for (value, asked, in_blocks) in [
        ("bytes=0-1", AskedRange::Between(0, 1), Some("bytes=0-99")),
        (
            "Bytes= 5-250",
            AskedRange::Between(5, 250),
            Some("bytes=0-299"),
        ),
        (
            "bytes=100-199",
            AskedRange::Between(100, 199),
            Some("bytes=100-199"),
        ),
        ("bytes=0-", AskedRange::From(0), None),
        ("bytes=99-", AskedRange::From(99), None),
        ("bytes=100-", AskedRange::From(100), Some("bytes=100-")),
        ("bytes=-7", AskedRange::Suffix(7), Some("bytes=-7")),
        (
            "bytes=0-18446744073709551615",
            AskedRange::Between(0, u64::MAX),
            Some("bytes=0-18446744073709551614"),
        ),
    ] {
        let parsed = AskedRange::parse(value.as_bytes());
        assert_eq!(parsed, Some(asked), "{value}");
        assert_eq!(asked.in_blocks(100).as_deref(), in_blocks, "{value}");
    }
    for value in [
        "bytes=",
        "bytes=-",
        "bytes=-0",
        "bytes=2-1",
        "bytes=0-1,6-5",
        "bytes=0-1,-0",
        "bytes=0-1,x",
        "bytes=0-,1-,2-,3-,4-,5-,6-,7-,8-,9-,10-,11-,12-,13-,14-,15-,16-",
        "lines=0-1",
        "bytes=a-",
    ] {
        assert_eq!(AskedRange::parse(value.as_bytes()), None, "{value}");
    }
}

#[test]
fn of_several_ranges_one_is_asked_for_first_that_has_bytes_if_any_has() {
    for (value, asked) in [
        ("bytes=0-0,-1", AskedRange::Between(0, 0)),
        ("bytes=-1,0-0", AskedRange::Suffix(1)),
        ("bytes=500-600,-1,7-8", AskedRange::Suffix(1)),
        ("bytes=500-600,7-8,9-", AskedRange::Between(7, 8)),
        ("bytes=500-600, 9-", AskedRange::From(9)),
    ] {
        assert_eq!(AskedRange::parse(value.as_bytes()), Some(asked), "{value}");
        for size in [1, 5, 8, 300, 1000] {
            let first = value.strip_prefix("bytes=").unwrap().split(',');
            let satisfiable = |one: &str| {
                plan(format!("bytes={one}").as_bytes(), size) != RangePlan::Unsatisfiable
            };
            let asked = match asked {
                AskedRange::Between(first, last) => format!("{first}-{last}"),
                AskedRange::From(first) => format!("{first}-"),
                AskedRange::Suffix(count) => format!("-{count}"),
            };
            let any = first.map(str::trim).any(satisfiable);
            assert_eq!(satisfiable(&asked), any, "{value} of {size}");
        }
    }
}
