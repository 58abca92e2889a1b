//! What a request's fields cost to judge: Range, Accept-Encoding and preconditions.
//!
//! `cargo bench --bench negotiation`. Inputs are fixed; nothing here asserts a time.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use hotplate::http::accept_encoding::{Coding, Codings, choose};
use hotplate::http::conditional::{Precondition, Validators, evaluate, if_range_matches};
use hotplate::http::head::{FieldScratch, HeadLimits, Parsed, RequestHead, parse_head};
use hotplate::http::range::plan;
use hotplate::units::UnixSeconds;

const MODIFIED: UnixSeconds = UnixSeconds(784_111_777);
const VALIDATORS: Validators<'_> = Validators {
    etag: b"\"18c3a5f0-1a2b3c4d\"",
    last_modified: Some(MODIFIED),
    date: MODIFIED,
};

fn range_plan(criterion: &mut Criterion) {
    const SIZE: u64 = 10 << 20;
    let many: Vec<String> = (0..16u64)
        .map(|at| format!("{}-{}", at * 4096, at * 4096 + 999))
        .collect();
    let inputs = [
        ("open", "bytes=0-".to_owned()),
        ("closed", "bytes=1048576-2097151".to_owned()),
        ("suffix", "bytes=-65536".to_owned()),
        ("unknown-unit", "lines=0-9".to_owned()),
        ("two-parts", "bytes=0-999,1000000-1000999".to_owned()),
        ("sixteen-parts", format!("bytes={}", many.join(","))),
        (
            "sixteen-overlapping",
            format!("bytes={}", ["0-"; 16].join(",")),
        ),
        (
            "four-thousand-elements",
            format!("bytes=0-0{}", ",".repeat(4000)),
        ),
    ];
    let mut group = criterion.benchmark_group("range-plan");
    for (name, value) in &inputs {
        group.bench_function(*name, |bencher| {
            bencher.iter(|| plan(black_box(value.as_bytes()), black_box(SIZE)))
        });
    }
    group.finish();
}

fn accept_encoding(criterion: &mut Criterion) {
    let every = Codings::new()
        .with(Coding::Gzip)
        .with(Coding::Brotli)
        .with(Coding::Zstd);
    let inputs: [(&str, &[u8]); 4] = [
        ("identity", b"identity"),
        ("browser", b"gzip, deflate, br, zstd"),
        (
            "weighted",
            b"br;q=0.8, gzip;q=1.0, zstd;q=0.9, identity;q=0.1, *;q=0",
        ),
        ("star", b"*"),
    ];
    let mut group = criterion.benchmark_group("accept-encoding");
    for (name, value) in inputs {
        group.bench_function(name, |bencher| {
            bencher.iter(|| choose(std::iter::once(black_box(value)), black_box(every)));
        });
    }
    group.finish();
}

/// Gives the head of a GET with `lines` to `measure`.
fn with_head(lines: &str, measure: impl FnOnce(&RequestHead<'_>)) {
    let text = format!(
        "GET /prompts/welcome.wav HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\n{lines}\r\n"
    );
    let limits = HeadLimits {
        bytes_max: 16 << 10,
        fields_max: 64,
    };
    let mut scratch = FieldScratch::new();
    let parsed = parse_head(text.as_bytes(), &limits, &mut scratch);
    assert!(
        matches!(parsed, Ok(Parsed::Complete { .. })),
        "the bench's own head is valid"
    );
    if let Ok(Parsed::Complete { head, .. }) = parsed {
        measure(&head);
    }
}

fn preconditions(criterion: &mut Criterion) {
    let not_modified = Precondition::NotModified;
    let listed: Vec<String> = (0..8)
        .map(|at| format!("W/\"18c3a5f0-0000000{at}\""))
        .collect();
    let inputs = [
        ("none", String::new(), Precondition::Proceed),
        ("if-none-match", "If-None-Match: \"18c3a5f0-1a2b3c4d\"\r\n".to_owned(), not_modified),
        ("if-none-match-of-eight", format!("If-None-Match: {}\r\n", listed.join(", ")), Precondition::Proceed),
        ("if-modified-since", "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n".to_owned(), not_modified),
        (
            "browser",
            "If-None-Match: W/\"18c3a5f0-1a2b3c4d\"\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n".to_owned(),
            not_modified,
        ),
        ("if-match", "If-Match: \"18c3a5f0-1a2b3c4d\"\r\n".to_owned(), Precondition::Proceed),
    ];
    let mut group = criterion.benchmark_group("preconditions");
    for (name, lines, wanted) in &inputs {
        with_head(lines, |head| {
            assert_eq!(evaluate(head, &VALIDATORS), *wanted, "{name}");
            group.bench_function(*name, |bencher| {
                bencher.iter(|| evaluate(black_box(head), black_box(&VALIDATORS)))
            });
        });
    }
    let now = UnixSeconds(MODIFIED.0 + 3600);
    for (name, value) in [
        ("if-range-tag", &b"\"18c3a5f0-1a2b3c4d\""[..]),
        ("if-range-date", b"Sun, 06 Nov 1994 08:49:37 GMT"),
    ] {
        assert!(if_range_matches(value, &VALIDATORS, now), "{name}");
        group.bench_function(name, |bencher| {
            bencher.iter(|| if_range_matches(black_box(value), black_box(&VALIDATORS), now));
        });
    }
    group.finish();
}

criterion_group!(negotiation, range_plan, accept_encoding, preconditions);
criterion_main!(negotiation);
