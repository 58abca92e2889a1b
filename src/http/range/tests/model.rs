//! Plans held against a slow model that works byte by byte.

use proptest::prelude::*;

use super::super::{ByteRange, RANGES_MAX, RangeList, RangePlan, plan};

/// A range-spec as a client may write it.
#[derive(Clone, Copy, Debug)]
enum Asked {
    Closed(u64, u64),
    Open(u64),
    Suffix(u64),
}

impl Asked {
    fn written(self) -> String {
        match self {
            Self::Closed(first, last) => format!("{first}-{last}"),
            Self::Open(first) => format!("{first}-"),
            Self::Suffix(length) => format!("-{length}"),
        }
    }

    fn holds(self, byte: u64, size: u64) -> bool {
        byte < size
            && match self {
                Self::Closed(first, last) => first <= byte && byte <= last,
                Self::Open(first) => first <= byte,
                Self::Suffix(length) => byte + length >= size,
            }
    }
}

/// The plan, byte by byte: marks what is asked for, fills short gaps, and cuts the marked bytes into runs.
fn modelled(asked: &[Asked], size: u64) -> RangePlan {
    let is_malformed = |one: &Asked| matches!(one, Asked::Closed(first, last) if last < first);
    if asked.is_empty() || asked.len() > RANGES_MAX || asked.iter().any(is_malformed) {
        return RangePlan::Whole;
    }
    let mut marked = vec![false; size as usize];
    let mut overlaps = 0;
    for one in asked {
        let bytes: Vec<u64> = (0..size).filter(|byte| one.holds(*byte, size)).collect();
        overlaps += usize::from(bytes.iter().any(|byte| marked[*byte as usize]));
        bytes.iter().for_each(|byte| marked[*byte as usize] = true);
    }
    if overlaps > 2 {
        return RangePlan::Whole;
    }
    let mut runs: Vec<ByteRange> = Vec::new();
    for byte in (0..size).filter(|byte| marked[*byte as usize]) {
        match runs.last_mut() {
            Some(run) if byte - run.last - 1 < 80 => run.last = byte,
            _ => runs.push(ByteRange {
                first: byte,
                last: byte,
            }),
        }
    }
    runs.sort_by_key(|run| {
        asked
            .iter()
            .position(|one| (run.first..=run.last).any(|byte| one.holds(byte, size)))
    });
    match runs.as_slice() {
        [] => RangePlan::Unsatisfiable,
        [one] => RangePlan::One(*one),
        _ => {
            let mut list = RangeList::EMPTY;
            runs.iter().for_each(|run| list.push(*run));
            RangePlan::Many(list)
        }
    }
}

fn spec(end: u64) -> impl Strategy<Value = Asked> {
    prop_oneof![
        12 => (0..end, 0..40u64).prop_map(|(first, more)| Asked::Closed(first, first + more)),
        2 => (0..end, 0..end).prop_map(|(one, other)| Asked::Closed(one.min(other), one.max(other))),
        1 => (0..end).prop_map(Asked::Open),
        1 => (0..end).prop_map(Asked::Suffix),
        1 => (0..50u64).prop_map(Asked::Suffix),
    ]
}

fn separator() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just(","), Just(", "), Just(" ,\t"), Just(",,"), Just(", ,")]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn plan_equals_the_model_over_bytes(
        size in 0..2500u64,
        asked in prop::collection::vec((spec(2600), separator()), 1..20),
    ) {
        let written: Vec<String> = asked.iter().map(|(one, separator)| one.written() + separator).collect();
        let asked: Vec<Asked> = asked.into_iter().map(|(one, _)| one).collect();
        let value = format!("bytes={}", written.concat());
        prop_assert_eq!(plan(value.as_bytes(), size), modelled(&asked, size), "{}", value);
    }

    #[test]
    fn one_swapped_pair_spoils_the_set(
        asked in prop::collection::vec(spec(1000), 0..8),
        at in any::<prop::sample::Index>(),
        first in 1..1000u64,
    ) {
        let mut written: Vec<String> = asked.iter().map(|one| one.written()).collect();
        written.insert(at.index(written.len() + 1), format!("{first}-{}", first - 1));
        let value = format!("bytes={}", written.join(","));
        prop_assert_eq!(plan(value.as_bytes(), 1000), RangePlan::Whole);
    }

    #[test]
    fn any_octets_give_parts_within_the_representation(value in "(bytes=)?[0-9, \t-]{0,60}", size: u64) {
        match plan(value.as_bytes(), size) {
            RangePlan::Whole | RangePlan::Unsatisfiable => {}
            RangePlan::One(one) => prop_assert!(one.first <= one.last && one.last < size),
            RangePlan::Many(list) => {
                prop_assert!((2..=RANGES_MAX).contains(&list.len()) && !list.is_empty());
                for (at, one) in list.iter().enumerate() {
                    prop_assert!(one.first <= one.last && one.last < size);
                    prop_assert!(list.iter().skip(at + 1).all(|other| !one.is_near(*other)));
                }
            }
        }
    }
}
