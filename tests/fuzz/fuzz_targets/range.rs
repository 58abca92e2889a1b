//! Range plans of any size and any field value: parts lie within the representation, apart from each other, and stay the
//! same when asked for one by one; a multipart body has the length that was reckoned.
//!
//! Input: the size in the first eight bytes, little-endian, then the field value.

#![no_main]

use hotplate::http::multipart::Multipart;
use hotplate::http::range::{ByteRange, RANGES_MAX, RangeList, RangePlan, plan};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((size, value)) = input.split_first_chunk() else {
        return;
    };
    let size = u64::from_le_bytes(*size);
    match plan(value, size) {
        RangePlan::Whole | RangePlan::Unsatisfiable => {}
        RangePlan::One(one) => assert_within(one, size),
        RangePlan::Many(list) => {
            assert_apart(&list, size);
            let specs: Vec<String> = list
                .iter()
                .map(|one| format!("{}-{}", one.first, one.last))
                .collect();
            let again = format!("bytes={}", specs.join(","));
            assert_eq!(plan(again.as_bytes(), size), RangePlan::Many(list));
            assert_length(&list, size);
        }
    }
});

fn assert_within(range: ByteRange, size: u64) {
    assert!(range.first <= range.last && range.last < size);
}

fn assert_apart(list: &RangeList, size: u64) {
    assert!((2..=RANGES_MAX).contains(&list.len()));
    let mut sorted: Vec<ByteRange> = list.iter().copied().collect();
    sorted.iter().for_each(|range| assert_within(*range, size));
    sorted.sort_by_key(|range| range.first);
    for pair in sorted.windows(2) {
        assert!(pair[1].first > pair[0].last && pair[1].first - pair[0].last > 80);
    }
}

fn assert_length(list: &RangeList, size: u64) {
    let multipart = Multipart::new(b"\"seed\"", b"audio/wav", size);
    let mut heads = Vec::new();
    list.iter()
        .for_each(|range| multipart.append_part_head(&mut heads, *range));
    multipart.append_closing(&mut heads);
    let bytes: u64 = list.iter().map(|range| range.size()).sum();
    assert_eq!(
        multipart.content_length(list),
        bytes.saturating_add(heads.len() as u64)
    );
}
