//! An origin with any number of URLs, `/0`, `/1`, `/2` and so on: sizes from 100 bytes to 3 MiB, and bytes that follow from the
//! number and the version alone, so that whoever gets them can tell whether they are right.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::harness::Answer;
use crate::harness::origin::{Made, Origin, content, reply};

/// Bits of a seed below the URL's number.
const VERSION_BITS: u32 = 20;

/// Below this folder their size is told by nothing but the end of the connection.
pub(crate) const UNTOLD: &str = "/untold";
/// One in so many of those is of the size that outgrows.
pub(crate) const OUTGROWS_EACH: u64 = 12;

/// From this size on, bodies come in their time: so that a moment falls into them.
const PACED: u64 = 200_000;
const BYTES_PER_SECOND: u64 = 10 << 20;

/// The numbered resources of an origin.
#[derive(Clone, Debug)]
pub(crate) struct Numbered {
    version: Arc<AtomicU64>,
}

/// How large the resource of a number is, in every version.
pub(crate) fn size(number: u64) -> u64 {
    let mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    match mixed % 10 {
        0..5 => 100 + mixed % 20_000,
        5..8 => 20_000 + mixed % 180_000,
        _ => 200_000 + mixed % ((3 << 20) - 200_000),
    }
}

/// How large the resource of a number is below [`UNTOLD`].
pub(crate) fn untold_size(number: u64) -> u64 {
    if number.is_multiple_of(OUTGROWS_EACH) {
        14 << 20
    } else {
        size(number)
    }
}

/// Asserts that an answer has all the bytes of a number below [`UNTOLD`].
#[track_caller]
pub(crate) fn check_untold(number: u64, answer: &Answer) {
    let right = content(number, 0..untold_size(number));
    assert!(answer.body == right, "{UNTOLD}/{number}: other bytes");
}

impl Numbered {
    /// Has `origin` serve them, fresh for a long time.
    pub(crate) fn serve(origin: &Origin, is_paced: bool) -> Self {
        let version = Arc::new(AtomicU64::new(1));
        let shared = Arc::clone(&version);
        origin.otherwise(move |asked| {
            if let Some(path) = asked.path().strip_prefix(UNTOLD) {
                let number = number_of(path).expect("a number");
                let said = reply(200)
                    .max_age(100_000)
                    .made(number, 0..untold_size(number));
                return said.close();
            }
            let number = number_of(asked.path()).expect("a number");
            let seed = number << VERSION_BITS | shared.load(Ordering::SeqCst);
            let made = Made::new(seed, size(number)).max_age(100_000);
            let is_paced = is_paced && size(number) >= PACED;
            let made = if is_paced {
                made.rate(BYTES_PER_SECOND)
            } else {
                made
            };
            made.reply(asked)
        });
        Self { version }
    }

    /// All resources become others.
    pub(crate) fn change(&self) {
        self.version.fetch_add(1, Ordering::SeqCst);
    }

    /// Asserts that an answer of 200 or 206 has the very bytes that its entity-tag stands for, and that these are of this number,
    /// in a version that there has been. Its body may be cut where `is_cut`.
    #[track_caller]
    pub(crate) fn check(&self, number: u64, answer: &Answer, is_cut: bool) {
        let etag = answer.etag();
        let (seed, told) = etag.trim_matches('"').split_once('-').expect("seed-size");
        let hex = |text: &str| u64::from_str_radix(text, 16).expect("a number");
        let (seed, told) = (hex(seed), hex(told));
        let version = seed & ((1 << VERSION_BITS) - 1);
        assert_eq!(
            (seed >> VERSION_BITS, told),
            (number, size(number)),
            "{answer}"
        );
        assert!((1..=self.version.load(Ordering::SeqCst)).contains(&version));
        let range = match answer.status {
            200 => 0..size(number),
            206 => range_of(answer.needs("content-range")),
            _ => panic!("{answer}"),
        };
        let count = answer.body.len() as u64;
        let expected = range.end - range.start;
        assert!(
            count == expected || is_cut && count < expected,
            "{count} of {expected}: {answer}"
        );
        let right = content(seed, range.start..range.start + count);
        assert!(
            answer.body == right,
            "/{number}: other bytes than {etag} stands for"
        );
    }
}

fn number_of(path: &str) -> Option<u64> {
    path.strip_prefix('/')?.parse().ok()
}

fn range_of(value: &str) -> Range<u64> {
    let range = value
        .strip_prefix("bytes ")
        .and_then(|range| range.split_once('/'));
    let (first, last) = range
        .and_then(|(range, _)| range.split_once('-'))
        .expect("a range");
    first.parse().expect("first")..last.parse::<u64>().expect("last") + 1
}
