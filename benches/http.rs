//! What the protocol core costs per request: parsing a head, making a target canonical, writing a response head.
//!
//! `cargo bench --bench http`; the inputs are fixed, nothing is random.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hotplate::http::framing::request_body;
use hotplate::http::head::{FieldScratch, HeadLimits, Method, Parsed, parse_head};
use hotplate::http::message;
use hotplate::http::range::ByteRange;
use hotplate::http::target::normalise;

const LIMITS: HeadLimits = HeadLimits {
    bytes_max: 16 << 10,
    fields_max: 100,
};

/// What wrk sends.
const WRK: &[u8] = b"GET /prompts/welcome.wav HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n";

/// What a browser sends for a piece of audio.
const BROWSER: &[u8] = b"GET /prompts/en/welcome.mp3?v=3 HTTP/1.1\r\n\
Host: media.example.com\r\n\
Connection: keep-alive\r\n\
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36\r\n\
Accept-Encoding: identity;q=1, *;q=0\r\n\
sec-ch-ua-platform: \"Linux\"\r\n\
Accept: */*\r\n\
Sec-Fetch-Site: same-origin\r\n\
Sec-Fetch-Mode: no-cors\r\n\
Sec-Fetch-Dest: audio\r\n\
Referer: https://media.example.com/player/index.html\r\n\
Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n\
Range: bytes=0-\r\n\
\r\n";

/// Parses `bytes` as the server does; returns something of each step.
fn parse(bytes: &[u8]) -> usize {
    let mut scratch = FieldScratch::new();
    match parse_head(bytes, &LIMITS, &mut scratch) {
        Ok(Parsed::Complete { head, size }) => {
            size + usize::from(head.keep_alive()) + usize::from(request_body(&head).is_ok())
        }
        _ => 0,
    }
}

fn heads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("head");
    for (name, bytes) in [("wrk", WRK), ("browser", BROWSER)] {
        assert!(parse(bytes) == bytes.len() + 2, "the head is valid");
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(name, |bencher| bencher.iter(|| parse(black_box(bytes))));
    }
    group.finish();
}

fn targets(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("target");
    let mut scratch = Vec::with_capacity(256);
    for (name, target) in [
        ("canonical", &b"/prompts/en/welcome.wav?v=3"[..]),
        ("canonical-escape", b"/prompts/en/welcome%20back.wav"),
        ("encoded", b"/prompts/%65%6e/./x/../welcome%20back.wav"),
    ] {
        group.throughput(Throughput::Bytes(target.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                normalise(Method::Get, black_box(target), &mut scratch)
                    .map_or(0, |target| target.path.len())
            });
        });
    }
    group.finish();
}

fn messages(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("message");
    let mut out = Vec::with_capacity(512);
    group.bench_function("partial-content", |bencher| {
        bencher.iter(|| {
            out.clear();
            let range = ByteRange {
                first: 65_536,
                last: black_box(131_071),
            };
            message::append_status_line(&mut out, black_box(206));
            message::append_field(&mut out, b"Date", &[b"Sun, 06 Nov 1994 08:49:37 GMT"]);
            message::append_field(&mut out, b"Content-Type", &[b"audio/wav"]);
            message::append_content_length(&mut out, range.last - range.first + 1);
            message::append_content_range(&mut out, range, 1_048_576);
            message::append_field(&mut out, b"ETag", &[b"\"", b"18f-6123abcd", b"\""]);
            out.extend_from_slice(b"\r\n");
            black_box(out.as_slice()).len()
        });
    });
    group.finish();
}

criterion_group!(benches, heads, targets, messages);
criterion_main!(benches);
