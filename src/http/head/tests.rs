//! Tables of heads: accepted, refused, incomplete.

mod fields;
mod lines;

use super::*;

const LIMITS: HeadLimits = HeadLimits {
    bytes_max: 512,
    fields_max: 8,
};

/// What a test compares of a parse.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Complete(usize),
    Partial,
    Refused(Reject),
}

fn outcome(bytes: &[u8]) -> Outcome {
    match parse_head(bytes, &LIMITS, &mut FieldScratch::new()) {
        Ok(Parsed::Complete { size, .. }) => Outcome::Complete(size),
        Ok(Parsed::Partial) => Outcome::Partial,
        Err(reject) => Outcome::Refused(reject),
    }
}

/// Every row is refused for its cause, whole and at every later byte once it is refused at all.
fn assert_refused(table: &[(&str, Reject)]) {
    for (text, reject) in table {
        let bytes = text.as_bytes();
        assert_eq!(outcome(bytes), Outcome::Refused(*reject), "{text:?}");
        for size in 0..bytes.len() {
            let prefix = outcome(&bytes[..size]);
            assert!(
                prefix == Outcome::Partial || prefix == Outcome::Refused(*reject),
                "{:?}: {prefix:?}",
                &text[..size]
            );
        }
    }
}

/// Every row is a whole head, and no prefix of it is refused.
fn assert_accepted(table: &[&str]) {
    for text in table {
        let bytes = text.as_bytes();
        assert_eq!(outcome(bytes), Outcome::Complete(bytes.len()), "{text:?}");
        for size in 0..bytes.len() {
            assert_eq!(
                outcome(&bytes[..size]),
                Outcome::Partial,
                "{:?}",
                &text[..size]
            );
        }
        let mut followed = bytes.to_vec();
        followed.extend_from_slice(b"\0\n\n");
        assert_eq!(
            outcome(&followed),
            Outcome::Complete(bytes.len()),
            "{text:?} and more"
        );
    }
}

/// Calls `check` with the head that `text` is.
fn with_head(text: &str, check: impl FnOnce(&RequestHead<'_>)) {
    let mut scratch = FieldScratch::new();
    match parse_head(text.as_bytes(), &LIMITS, &mut scratch) {
        Ok(Parsed::Complete { head, .. }) => check(&head),
        other => panic!("{text:?}: {other:?}"),
    }
}
