//! Ranges (RFC 9110 s14): single, suffix, open and several ranges, If-Range, and ranges that cannot be satisfied.

use std::time::{Duration, SystemTime};

use crate::harness::answer::assert_same_bytes;
use crate::harness::folder::PLACED_AT_SECONDS;
use crate::harness::setup::sized;
use crate::harness::{Answer, Server, get, head, media, pattern};

const TARGETS: [&str; 3] = [
    "/file/thousand.txt",
    "/mmap/thousand.txt",
    "/memory/thousand.txt",
];

/// The bytes of the targets above.
fn thousand() -> Vec<u8> {
    pattern(1_000, 7)
}

#[track_caller]
fn ask(server: &Server, target: &str, range: &str) -> Answer {
    server.ask(&get(target).with("Range", range))
}

/// Asserts a 206 with one range of a file.
#[track_caller]
fn assert_part(answer: &Answer, file: &[u8], first: usize, last: usize) {
    answer.expect(206).expect_body(&file[first..=last]);
    let range = format!("bytes {first}-{last}/{}", file.len());
    assert_eq!(answer.needs("content-range"), range);
}

/// The parts of a multipart/byteranges body, as first byte, last byte and bytes; asserts its form (RFC 9110 s14.6).
#[track_caller]
fn parts_of(answer: &Answer, whole: &Answer) -> Vec<(usize, usize, Vec<u8>)> {
    let kind = answer.needs("content-type");
    let boundary = kind
        .strip_prefix("multipart/byteranges; boundary=")
        .unwrap_or_else(|| panic!("{kind}"))
        .trim_matches('"');
    assert!((1..=70).contains(&boundary.len()), "{boundary}");
    assert!(answer.field("content-range").is_none());
    let mut rest = answer.body.as_slice();
    let mut parts = Vec::new();
    let delimiter = format!("--{boundary}\r\n");
    // An empty preamble may end with a line end of its own.
    rest = rest.strip_prefix(b"\r\n").unwrap_or(rest);
    while let Some(after) = rest.strip_prefix(delimiter.as_bytes()) {
        let size = after
            .windows(4)
            .position(|w| w == b"\r\n\r\n")
            .expect("a part's head")
            + 4;
        let fields = std::str::from_utf8(&after[..size]).expect("text");
        let field = |name: &str| {
            let mut lines = fields.lines().filter_map(|line| line.split_once(": "));
            lines
                .find(|(known, _)| known.eq_ignore_ascii_case(name))
                .map(|(_, value)| value)
        };
        assert_eq!(field("content-type"), whole.field("content-type"));
        let range = field("content-range").expect("a part's range");
        let (span, total) = range
            .strip_prefix("bytes ")
            .expect("bytes")
            .split_once('/')
            .expect("a size");
        assert_eq!(total, whole.body.len().to_string());
        let (first, last) = span.split_once('-').expect("two ends");
        let (first, last): (usize, usize) =
            (first.parse().expect("first"), last.parse().expect("last"));
        let bytes = &after[size..size + last + 1 - first];
        parts.push((first, last, bytes.to_vec()));
        rest = after[size + bytes.len()..]
            .strip_prefix(b"\r\n")
            .expect("a line end after the part");
    }
    let end = format!("--{boundary}--");
    let epilogue = rest
        .strip_prefix(end.as_bytes())
        .expect("the closing delimiter");
    assert!(epilogue.is_empty() || epilogue == b"\r\n", "{epilogue:?}");
    parts
}

/// Asserts that an answer, with one range or several, brings exactly these bytes of the file; ranges that touch may be joined.
#[track_caller]
fn assert_covers(answer: &Answer, whole: &Answer, ranges: &[(usize, usize)]) {
    answer.expect(206);
    let parts = match answer.field("content-range") {
        Some(range) => {
            let span = range
                .strip_prefix("bytes ")
                .and_then(|rest| rest.split_once('/'));
            let (first, last) = span
                .and_then(|(span, _)| span.split_once('-'))
                .expect("a span");
            vec![(
                first.parse().expect("first"),
                last.parse().expect("last"),
                answer.body.clone(),
            )]
        }
        None => parts_of(answer, whole),
    };
    let mut covered = vec![false; whole.body.len()];
    for (first, last, bytes) in &parts {
        assert_same_bytes(bytes, &whole.body[*first..=*last]);
        covered[*first..=*last].fill(true);
    }
    for (first, last) in ranges {
        assert!(
            covered[*first..=*last].iter().all(|is| *is),
            "{first}-{last} in {answer}"
        );
    }
}

on_both_drivers!(single_range_brings_its_bytes, media, |server| {
    let file = thousand();
    for target in TARGETS {
        let whole = server.get(target);
        for (range, first, last) in [
            ("bytes=0-0", 0, 0),
            ("bytes=0-499", 0, 499),
            ("bytes=500-999", 500, 999),
            ("bytes=999-999", 999, 999),
            ("bytes=500-", 500, 999),
            ("bytes=999-", 999, 999),
            ("bytes=0-", 0, 999),
            ("bytes=0-999", 0, 999),
            ("bytes=900-5000", 900, 999),
            ("bytes=0-99999999999999999999", 0, 999),
            ("bytes=-1", 999, 999),
            ("bytes=-500", 500, 999),
            ("bytes=-1000", 0, 999),
            ("bytes=-5000", 0, 999),
            ("bytes=00010-00019", 10, 19),
        ] {
            let answer = ask(server, target, range);
            assert_part(&answer, &file, first, last);
            for name in [
                "etag",
                "last-modified",
                "cache-control",
                "content-type",
                "vary",
            ] {
                assert_eq!(answer.field(name), whole.field(name), "{name} with {range}");
            }
        }
    }
});

on_both_drivers!(range_of_a_root_file_brings_its_bytes, media, |server| {
    let file = pattern(2_000, 5);
    assert_part(&ask(server, "/plain.txt", "bytes=100-199"), &file, 100, 199);
    assert_part(&ask(server, "/plain.txt", "bytes=-1"), &file, 1_999, 1_999);
});

on_both_drivers!(range_of_a_large_file_brings_its_bytes, media, |server| {
    let file = sized("huge.bin");
    let mut client = server.connect();
    for hold in ["file", "mmap", "memory"] {
        let target = format!("/{hold}/huge.bin");
        for (first, last) in [
            (1, 1),
            (4_095, 8_192),
            (65_535, 200_001),
            (1_000_000, 3_000_016),
        ] {
            let range = format!("bytes={first}-{last}");
            let answer = client.ask(&get(&target).with("Range", &range));
            assert_part(&answer, &file, first, last);
        }
    }
});

on_both_drivers!(range_beyond_the_end_is_not_satisfiable, media, |server| {
    for target in TARGETS {
        for range in [
            "bytes=1000-",
            "bytes=1000-1000",
            "bytes=5000-6000",
            "bytes=-0",
            "bytes=1000-,2000-3000",
            "bytes=18446744073709551615-",
        ] {
            let answer = ask(server, target, range);
            answer.expect(416);
            assert_eq!(answer.needs("content-range"), "bytes */1000", "{range}");
        }
    }
});

on_both_drivers!(range_of_an_empty_file_is_not_satisfiable, media, |server| {
    for hold in ["file", "mmap", "memory"] {
        let target = format!("/{hold}/empty.bin");
        let answer = ask(server, &target, "bytes=0-");
        assert_eq!(answer.expect(416).needs("content-range"), "bytes */0");
        ask(server, &target, "bytes=-1").expect_one_of(&[200, 416]);
    }
});

on_both_drivers!(malformed_range_is_ignored, media, |server| {
    let file = thousand();
    for range in [
        "bytes",
        "bytes=",
        "bytes=abc",
        "bytes=5-2",
        "bytes=-",
        "bytes=--5",
        "bytes=1-2-3",
        "bytes=0x1-2",
        "bytes=+1-2",
        "bytes=0-9;10-19",
        "bytes=0-9,x",
        "bytes=0-9,5-2",
        "bytes:0-9",
        "bytes 0-9",
        "items=0-9",
        "=0-9",
        "0-9",
    ] {
        let answer = ask(server, "/file/thousand.txt", range);
        answer.expect(200).expect_body(&file);
        assert!(answer.field("content-range").is_none());
    }
});

on_both_drivers!(range_on_head_is_ignored, media, |server| {
    let answer = server.ask(&head("/file/thousand.txt").with("Range", "bytes=0-9"));
    answer.expect(200);
    assert_eq!(answer.needs("content-length"), "1000");
});

on_both_drivers!(several_ranges_bring_a_multipart_body, media, |server| {
    for target in TARGETS {
        let whole = server.get(target);
        let answer = ask(server, target, "bytes=0-9,500-509,-10");
        answer.expect(206);
        assert_eq!(answer.etag(), whole.etag());
        let parts = parts_of(&answer, &whole);
        let spans: Vec<_> = parts
            .iter()
            .map(|(first, last, _)| (*first, *last))
            .collect();
        assert_eq!(spans, [(0, 9), (500, 509), (990, 999)]);
        assert_covers(&answer, &whole, &spans);
    }
});

on_both_drivers!(
    several_large_ranges_bring_a_multipart_body,
    media,
    |server| {
        let mut client = server.connect();
        for hold in ["file", "mmap", "memory"] {
            let target = format!("/{hold}/huge.bin");
            let whole = client.ask(&get(&target));
            let range = "bytes=0-999999,1200000-1200000,1500001-2500000,2900000-";
            let answer = client.ask(&get(&target).with("Range", range));
            let wanted = [
                (0, 999_999),
                (1_200_000, 1_200_000),
                (1_500_001, 2_500_000),
                (2_900_000, 3_000_016),
            ];
            assert_covers(&answer, &whole, &wanted);
            client.ask(&get("/file/one.bin")).expect(200);
        }
    }
);

on_both_drivers!(
    overlapping_or_adjacent_ranges_bring_all_their_bytes,
    media,
    |server| {
        let whole = server.get("/file/thousand.txt");
        for (range, wanted) in [
            ("bytes=0-9,5-19", [(0, 9), (5, 19)]),
            ("bytes=0-9,10-19", [(0, 9), (10, 19)]),
            ("bytes=500-599,0-99", [(500, 599), (0, 99)]),
            ("bytes=0-9,0-9", [(0, 9), (0, 9)]),
            ("bytes=0-9, ,500-509", [(0, 9), (500, 509)]),
            ("bytes= 0-9 , 500-509", [(0, 9), (500, 509)]),
        ] {
            let answer = ask(server, "/file/thousand.txt", range);
            if answer.status == 200 {
                // A server may ignore a Range; it may not answer it wrongly.
                answer.expect_body(&whole.body);
            } else {
                assert_covers(&answer, &whole, &wanted);
            }
        }
    }
);

on_both_drivers!(
    unsatisfiable_range_among_others_is_left_out,
    media,
    |server| {
        let whole = server.get("/file/thousand.txt");
        let answer = ask(server, "/file/thousand.txt", "bytes=0-9,5000-6000,-0");
        assert_covers(&answer, &whole, &[(0, 9)]);
    }
);

on_both_drivers!(
    abusive_range_sets_do_not_multiply_the_body,
    media,
    |server| {
        let file = sized("large.bin");
        let overlapping = (0..2_000)
            .map(|at| format!("{at}-"))
            .collect::<Vec<_>>()
            .join(",");
        let tiny = (0..1_500)
            .map(|at| format!("{0}-{0}", at * 2))
            .collect::<Vec<_>>()
            .join(",");
        for ranges in [overlapping, tiny, vec!["0-"; 1_000].join(",")] {
            let answer = ask(server, "/file/large.bin", &format!("bytes={ranges}"));
            answer.expect_one_of(&[200, 206, 416]);
            assert!(
                answer.body.len() <= file.len() + 20_000,
                "{} bytes",
                answer.body.len()
            );
        }
    }
);

on_both_drivers!(
    if_range_with_the_entity_tag_brings_the_range,
    media,
    |server| {
        for target in TARGETS {
            let etag = server.get(target).etag();
            let request = get(target).with("Range", "bytes=0-9");
            let answer = server.ask(&request.clone().with("If-Range", &etag));
            assert_part(&answer, &thousand(), 0, 9);
            for other in [
                "\"other\"".to_owned(),
                format!("W/{etag}"),
                etag.trim_matches('"').to_owned(),
            ] {
                let answer = server.ask(&request.clone().with("If-Range", &other));
                answer.expect(200).expect_body(&thousand());
            }
        }
    }
);

on_both_drivers!(
    if_range_with_the_exact_date_brings_the_range,
    media,
    |server| {
        let date = |seconds: u64| {
            httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
        };
        let request = get("/file/thousand.txt").with("Range", "bytes=0-9");
        for (date, status) in [
            (date(PLACED_AT_SECONDS), 206),
            (date(PLACED_AT_SECONDS + 1), 200),
            (date(PLACED_AT_SECONDS - 1), 200),
            (date(PLACED_AT_SECONDS + 1_000_000), 200),
            ("yesterday".to_owned(), 200),
        ] {
            server
                .ask(&request.clone().with("If-Range", &date))
                .expect(status);
        }
    }
);

on_both_drivers!(
    if_range_that_fails_makes_an_unsatisfiable_range_a_200,
    media,
    |server| {
        let request = get("/file/thousand.txt").with("Range", "bytes=5000-");
        server
            .ask(&request.with("If-Range", "\"other\""))
            .expect(200)
            .expect_body(&thousand());
    }
);

on_both_drivers!(if_range_without_a_range_is_ignored, media, |server| {
    let request = get("/file/thousand.txt").with("If-Range", "\"other\"");
    server.ask(&request).expect(200).expect_body(&thousand());
});
