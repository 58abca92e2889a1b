//! Any bytes as an origin's response, through the library and our judgement of it: what is taken is what a bare reader finds
//! (status, fields, where the body ends, its bytes), and what two readers could end in two places is refused.
//!
//! Input: flags (1: the request was HEAD), the size of reads, then the response.

#![no_main]

#[path = "origin_head/reader.rs"]
mod reader;

use hotplate::http::fields::FieldLines as _;
use hotplate::origin::{End, Refused, Taken, answer};
use libfuzzer_sys::fuzz_target;

use crate::reader::{Body, Head, Said, read};

fuzz_target!(|input: &[u8]| {
    let [flags, step, bytes @ ..] = input else {
        return;
    };
    let is_head = flags & 1 != 0;
    let step = usize::from(*step) * 16;
    let whole = answer(bytes, usize::MAX, is_head);
    let pieces = answer(bytes, step, is_head);
    judge_pieces(&whole, &pieces);
    if let Ok(taken) = whole {
        let said = read(bytes, is_head).expect("a bare reader reads what is taken");
        judge(&taken, &said);
    }
});

/// The verdict must not depend on how the bytes come. Where the head is refused both times, the reason may differ: what is read
/// first is judged first.
fn judge_pieces(whole: &Result<Taken, Refused>, pieces: &Result<Taken, Refused>) {
    match (whole, pieces) {
        (Ok(whole), Ok(pieces)) => {
            assert_eq!(whole.status, pieces.status);
            assert_eq!(whole.fields, pieces.fields);
            assert_eq!((whole.end, whole.is_whole), (pieces.end, pieces.is_whole));
            if whole.is_whole {
                assert_eq!(whole.body, pieces.body);
            }
        }
        (Err(_), Err(_)) => {}
        (whole, pieces) => panic!("{whole:?}, in pieces {pieces:?}"),
    }
}

fn judge(taken: &Taken, said: &Said<'_>) {
    let Said { head, body } = said;
    assert_eq!(taken.status, head.status);
    judge_fields(taken, head);
    match body {
        Body::None => {
            assert_eq!(taken.end, End::Bodiless);
            assert!(taken.is_whole && taken.body.is_empty());
        }
        Body::Close(bytes) => {
            assert_eq!(taken.end, End::Close);
            assert!(taken.is_whole);
            assert_eq!(taken.body, *bytes);
        }
        Body::Whole(bytes) => {
            assert_eq!(taken.end, End::Delimited);
            assert!(taken.is_whole, "whole, and not taken so");
            assert_eq!(taken.body, *bytes);
        }
        Body::Broken(bytes) => {
            assert_eq!(taken.end, End::Delimited);
            assert!(!taken.is_whole, "taken as whole");
            assert!(bytes.starts_with(&taken.body), "other bytes");
        }
        Body::Doubtful => panic!("its end is in doubt: {taken:?}"),
    }
}

/// The library puts the lines of one name together, so each name is looked at by itself.
fn judge_fields(taken: &Taken, head: &Head<'_>) {
    assert_eq!(taken.fields.lines().count(), head.fields.len());
    for (name, _) in &head.fields {
        let values = head
            .fields
            .iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| *value);
        let name = std::str::from_utf8(name).expect("a token");
        assert!(taken.fields.values(name).eq(values), "{name}");
    }
}
