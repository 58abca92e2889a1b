//! Tests of multipart/byteranges bodies.

use proptest::prelude::*;

use super::Multipart;
use crate::http::range::{RangeList, RangePlan, plan};

fn many(value: &str, size: u64) -> RangeList {
    match plan(value.as_bytes(), size) {
        RangePlan::Many(list) => list,
        other => panic!("{value} gives several parts, not {other:?}"),
    }
}

/// A whole body, with each range's bytes cut from `file`.
fn body(multipart: &Multipart<'_>, ranges: &RangeList, file: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for range in ranges.iter() {
        multipart.append_part_head(&mut out, *range);
        out.extend_from_slice(&file[range.first as usize..=range.last as usize]);
    }
    multipart.append_closing(&mut out);
    out
}

fn boundary(multipart: &Multipart<'_>) -> String {
    let mut line = Vec::new();
    multipart.append_content_type(&mut line);
    let line = String::from_utf8(line).unwrap();
    let boundary = line
        .strip_prefix("Content-Type: multipart/byteranges; boundary=")
        .unwrap();
    boundary.strip_suffix("\r\n").unwrap().to_owned()
}

mod rfc9110_s14_6 {
    use super::{Multipart, body, boundary, many};

    #[test]
    fn body_has_a_head_per_part_and_a_closing() {
        let file: Vec<u8> = (0..1000u32).map(|at| b'a' + (at % 26) as u8).collect();
        let multipart = Multipart::new(b"\"etag\"", b"audio/wav", 1000);
        let ranges = many("bytes=500-501,0-2", 1000);
        let boundary = boundary(&multipart);
        let wanted = format!(
            "\r\n--{boundary}\r\nContent-Type: audio/wav\r\nContent-Range: bytes 500-501/1000\r\n\r\ngh\
             \r\n--{boundary}\r\nContent-Type: audio/wav\r\nContent-Range: bytes 0-2/1000\r\n\r\nabc\
             \r\n--{boundary}--\r\n"
        );
        assert_eq!(
            String::from_utf8(body(&multipart, &ranges, &file)).unwrap(),
            wanted
        );
        assert_eq!(multipart.content_length(&ranges), wanted.len() as u64);
    }

    #[test]
    fn boundary_is_a_token_that_seed_and_size_decide() {
        let of = |seed: &[u8], size| boundary(&Multipart::new(seed, b"text/plain", size));
        assert_eq!(of(b"\"a\"", 1), of(b"\"a\"", 1));
        assert_eq!(of(b"", 0).len(), 32);
        let differing = [
            of(b"", 0),
            of(b"\"a\"", 1),
            of(b"\"b\"", 1),
            of(b"\"a\"", 2),
        ];
        for (at, one) in differing.iter().enumerate() {
            assert!(one.bytes().all(|byte| byte.is_ascii_hexdigit()));
            assert!(!differing[..at].contains(one));
            assert_ne!(one[..16], one[16..]);
        }
    }

    #[test]
    fn length_of_the_highest_sizes_saturates() {
        let ranges = many("bytes=0-9,90-", u64::MAX);
        let multipart = Multipart::new(b"", b"a/b", u64::MAX);
        assert_eq!(multipart.content_length(&ranges), u64::MAX);
    }
}

proptest! {
    #[test]
    fn content_length_is_what_is_written(
        size in 400..20_000u64,
        firsts in prop::collection::vec((0..20_000u64, 0..300u64), 2..16),
        content_type in "[a-z]{1,9}/[a-z]{1,30}",
        seed in "\"[a-z0-9-]{0,30}\"",
    ) {
        let specs: Vec<String> = firsts.iter().map(|(first, more)| format!("{first}-{}", first + more)).collect();
        let value = format!("bytes={}", specs.join(","));
        if let RangePlan::Many(ranges) = plan(value.as_bytes(), size) {
            let multipart = Multipart::new(seed.as_bytes(), content_type.as_bytes(), size);
            let written = body(&multipart, &ranges, &vec![b'.'; size as usize]);
            prop_assert_eq!(multipart.content_length(&ranges), written.len() as u64);
        }
    }
}
