//! What an answer must look like that is made of a response, for a request with conditions and a range.

use crate::asking::Asking;
use crate::harness::Answer;
use crate::resource::{Said, list_has, part_of};
use crate::stored::{Between, Stored, date_of};

/// Fields that an answer from the cache has as they are stored.
const KEPT: [&str; 8] = [
    "etag",
    "last-modified",
    "cache-control",
    "expires",
    "vary",
    "date",
    "cache-tag",
    "x-turn",
];

/// How the Age of an answer is held to what it may be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Aged {
    /// It must be there: the response was used without validation (RFC 9111 s4).
    Must(Between),
    /// Where it is there.
    May(Between),
}

/// Why an answer is not the one that is expected.
pub(crate) type Mismatch = String;

fn mismatch<T>(why: impl Into<String>) -> Result<T, Mismatch> {
    Err(why.into())
}

/// The status and the bytes by the request's conditions and range (RFC 9110 s13.2.2, s14.2).
fn part_for<'s>(
    asking: &Asking,
    stored: &'s Stored,
) -> (u16, Option<std::ops::Range<usize>>, &'s [u8]) {
    let whole = (stored.status, None, &*stored.body);
    if stored.status != 200 {
        return whole;
    }
    let (etag, modified) = (stored.field("etag"), stored.field("last-modified"));
    let is_unchanged = match (
        asking.field("if-none-match"),
        asking.field("if-modified-since"),
    ) {
        (Some("*"), _) => true,
        (Some(list), _) => list_has(list, etag),
        (None, Some(since)) => modified.is_some_and(|modified| date_of(modified) <= date_of(since)),
        (None, None) => false,
    };
    if is_unchanged {
        return (304, None, &[]);
    }
    let is_same = asking
        .field("if-range")
        .is_none_or(|tag| !tag.starts_with("W/") && Some(tag) == etag);
    let (Some(range), "GET", true) = (asking.field("range"), asking.method, is_same) else {
        return whole;
    };
    match part_of(range, stored.body.len()) {
        Some(part) => (206, Some(part.clone()), &stored.body[part]),
        None => (416, None, &[]),
    }
}

/// The bytes that `stored` gives for the request.
pub(crate) fn bytes_for<'s>(asking: &Asking, stored: &'s Stored) -> &'s [u8] {
    part_for(asking, stored).2
}

/// Holds an answer to what `stored` gives for the request.
pub(crate) fn check_stored(
    asking: &Asking,
    answer: &Answer,
    stored: &Stored,
    aged: Aged,
) -> Result<(), Mismatch> {
    let (status, part, bytes) = part_for(asking, stored);
    if answer.status != status {
        return mismatch(format!("{status} expected"));
    }
    if status == 416 {
        let told = format!("bytes */{}", stored.body.len());
        if answer.field("content-range") != Some(&told) {
            return mismatch(format!("Content-Range {told} expected"));
        }
        return Ok(());
    }
    if asking.method == "GET" && answer.body != bytes {
        return mismatch(format!("other bytes: {} expected", shown(bytes)));
    }
    if let Some(part) = part {
        let told = format!(
            "bytes {}-{}/{}",
            part.start,
            part.end - 1,
            stored.body.len()
        );
        if answer.field("content-range") != Some(&told) {
            return mismatch(format!("Content-Range {told} expected"));
        }
    }
    let length = stored.body.len().to_string();
    if asking.method == "HEAD"
        && status != 304
        && answer
            .field("content-length")
            .is_some_and(|told| told != length)
    {
        return mismatch(format!("Content-Length {length} expected"));
    }
    check_fields(answer, status, |name| stored.field(name))?;
    check_age(answer, aged)
}

/// Holds an answer to what the origin said for this very request.
pub(crate) fn check_said(
    asking: &Asking,
    answer: &Answer,
    said: &Said,
    age: Between,
) -> Result<(), Mismatch> {
    if answer.status != said.status {
        return mismatch(format!("{} of the origin expected", said.status));
    }
    if asking.method != "HEAD" && answer.body != *said.body {
        return mismatch(format!(
            "other bytes than the origin's: {} expected",
            shown(&said.body)
        ));
    }
    check_fields(answer, said.status, |name| said.field(name))?;
    if said.field("content-range") != answer.field("content-range") {
        return mismatch("Content-Range of the origin expected");
    }
    check_age(answer, Aged::May(age))
}

fn check_fields<'s>(
    answer: &Answer,
    status: u16,
    expected: impl Fn(&str) -> Option<&'s str>,
) -> Result<(), Mismatch> {
    for name in KEPT {
        // A 304 needs only what tells stored responses apart and how long they are good (RFC 9110 s15.4.5).
        let may_lack = status == 304 && matches!(name, "last-modified" | "cache-tag" | "x-turn");
        let (found, expected) = (answer.field(name), expected(name));
        if found != expected && !(may_lack && found.is_none()) {
            return mismatch(format!("{name}: {found:?} where {expected:?} is expected"));
        }
    }
    Ok(())
}

fn check_age(answer: &Answer, aged: Aged) -> Result<(), Mismatch> {
    let age = answer.field("age").map(|age| age.parse::<u64>());
    let (between, is_needed) = match aged {
        Aged::Must(between) => (between, true),
        Aged::May(between) => (between, false),
    };
    match age {
        None if is_needed => mismatch("no Age"),
        None => Ok(()),
        Some(Ok(age)) if (between.0..=between.1).contains(&age) => Ok(()),
        Some(age) => mismatch(format!("Age {age:?} is not within {between:?}")),
    }
}

/// The start of a body.
pub(crate) fn shown(bytes: &[u8]) -> String {
    let start = &bytes[..bytes.len().min(40)];
    format!("{} bytes {:?}", bytes.len(), String::from_utf8_lossy(start))
}
