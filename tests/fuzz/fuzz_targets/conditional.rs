//! Preconditions, If-Range, Accept-Encoding and dates of any field section.
//!
//! Input: field lines, put after a request line and Host. What does not parse as a head is judged as a bare value only.

#![no_main]

use hotplate::http::accept_encoding::{Coding, Codings, choose};
use hotplate::http::conditional::{
    Precondition, Validators, evaluate, if_range_matches, is_conditional,
};
use hotplate::http::date;
use hotplate::http::etag::EntityTag;
use hotplate::http::head::{Field, FieldScratch, HeadLimits, Parsed, RequestHead, parse_head};
use hotplate::units::UnixSeconds;
use libfuzzer_sys::fuzz_target;

const MODIFIED: UnixSeconds = UnixSeconds(784_111_777);

const VALIDATORS: Validators<'_> = Validators {
    etag: b"\"now\"",
    last_modified: Some(MODIFIED),
    date: MODIFIED,
};

fuzz_target!(|input: &[u8]| {
    judge_value(input);
    let read = judge_request("GET", input);
    let read_head = judge_request("HEAD", input);
    let write = judge_request("PUT", input);
    assert_eq!(read, read_head, "GET and HEAD have one answer");
    assert_ne!(write, Some(Precondition::NotModified), "304 is for reading");
    if read == Some(Precondition::Failed) {
        assert_eq!(write, read, "what fails for reading fails for writing");
    }
    let ignored = judge_request("OPTIONS", input);
    assert!(ignored.is_none_or(|one| one == Precondition::Proceed));
});

fn judge_request(method: &str, fields: &[u8]) -> Option<Precondition> {
    let mut text = format!("{method} / HTTP/1.1\r\nHost: localhost\r\n").into_bytes();
    text.extend_from_slice(fields);
    text.extend_from_slice(b"\r\n\r\n");
    let limits = HeadLimits {
        bytes_max: 64 << 10,
        fields_max: 256,
    };
    let mut scratch = FieldScratch::new();
    match parse_head(&text, &limits, &mut scratch) {
        Ok(Parsed::Complete { head, .. }) => Some(judge_head(&head)),
        _ => None,
    }
}

fn judge_head(head: &RequestHead<'_>) -> Precondition {
    let found = evaluate(head, &VALIDATORS);
    assert!(is_conditional(head) || found == Precondition::Proceed);
    if let Some(value) = head.field(Field::IfRange) {
        judge_value(value);
    }
    for available in 0..16 {
        let available = Codings(available).with(Coding::Identity);
        let coding = choose(head.lines(Field::AcceptEncoding), available);
        assert!(coding.is_none_or(|coding| available.contains(coding)));
    }
    found
}

fn judge_value(value: &[u8]) {
    let late = UnixSeconds(MODIFIED.0 + 3600);
    if if_range_matches(value, &VALIDATORS, late) {
        let date = date::parse(value).is_some_and(|date| date == MODIFIED);
        assert!(date || value == VALIDATORS.etag);
    }
    if let Some(time) = date::parse(value) {
        assert_eq!(date::parse(&date::format(time)), Some(time));
    }
    if let Some(tag) = EntityTag::parse(value) {
        assert!(tag.weak_eq(tag) && tag.strong_eq(tag) != tag.is_weak);
    }
}
