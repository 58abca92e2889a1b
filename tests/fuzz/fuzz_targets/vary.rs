//! Selections: what a request made always matches it, matching is the same from both sides, and two requests share a response
//! only where no origin may tell them apart.
//!
//! Input: field lines of a response, of a request, and of another request, with empty lines between them. The first lines are
//! taken for a selection too, as they are.

#![no_main]

use hotplate::http::fields::{FieldLines as _, Fields};
use hotplate::input;
use hotplate::policy::vary::{
    Admission, Names, SELECTION_BYTES_MAX, VARIANTS_MAX, Vary, admit, choose, differs_by, matches,
    selection, words,
};
use hotplate::units::UnixSeconds;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (response, rest) = input::split_at_empty_line(bytes);
    let (one, other) = input::split_at_empty_line(rest);
    let (one, other) = (input::fields(one), input::fields(other));
    judge_foreign(response, &one);
    let Vary::By(names) = Names::of(&input::fields(response)) else {
        return;
    };
    judge_names(&names);
    let Some(mine) = selection(&names, &one) else {
        return;
    };
    assert!(mine.len() <= SELECTION_BYTES_MAX);
    assert!(matches(&mine, &one), "not its own request's");
    assert_eq!(differs_by(&mine, &one), None);
    assert!(words::fields(&mine).map(|(name, _)| name).eq(names.iter()));
    let does_match = matches(&mine, &other);
    assert_eq!(differs_by(&mine, &other).is_none(), does_match);
    if let Some(theirs) = selection(&names, &other) {
        assert_eq!(theirs == mine, does_match, "matching has two sides");
    }
    for name in names.iter() {
        let is_same = one.value(name).is_some() == other.value(name).is_some()
            && are_alike(name, &one, &other);
        assert!(!does_match || is_same, "an origin can tell {name} apart");
    }
    judge_choice(&mine, &other, does_match);
});

/// Any bytes as a selection.
fn judge_foreign(bytes: &[u8], request: &Fields) {
    let does_match = matches(bytes, request);
    assert!(!does_match || differs_by(bytes, request).is_none());
    assert_eq!(
        bytes.is_empty(),
        does_match && words::fields(bytes).count() == 0
    );
}

fn judge_names(names: &Names) {
    let all: Vec<&str> = names.iter().collect();
    assert!(!all.is_empty());
    assert!(all.windows(2).all(|two| two[0] < two[1]), "sorted, once");
    for name in all {
        assert_eq!(name, name.to_ascii_lowercase());
        assert!(names.contains(name.to_ascii_uppercase().as_bytes()));
    }
}

/// Whether no origin can tell the two requests apart by this field.
fn are_alike(name: &str, one: &Fields, other: &Fields) -> bool {
    let (one, other) = (joined(name, one), joined(name, other));
    match name {
        "accept-encoding" => {
            one == other
                || codings(&one)
                    .into_iter()
                    .chain(codings(&other))
                    .chain([b"identity".to_vec(), b"unheard-of".to_vec()])
                    .all(|coding| accepts(&one, &coding) == accepts(&other, &coding))
        }
        "accept-language" => squeezed(&one) == squeezed(&other),
        _ => one == other,
    }
}

/// The field's lines as one (RFC 9110 s5.3).
fn joined(name: &str, request: &Fields) -> Vec<u8> {
    let lines: Vec<&[u8]> = request.values(name).map(<[u8]>::trim_ascii).collect();
    lines.join(&b", "[..])
}

/// A list in lower case without white space and empty elements.
fn squeezed(list: &[u8]) -> Vec<u8> {
    let lower = list.to_ascii_lowercase();
    let elements = lower.split(|byte| *byte == b',').map(|element| {
        let parts = element.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        parts.collect::<Vec<_>>().join(&b";"[..])
    });
    let filled: Vec<Vec<u8>> = elements.filter(|element| !element.is_empty()).collect();
    filled.join(&b","[..])
}

/// The codings that the list names, in lower case.
fn codings(list: &[u8]) -> Vec<Vec<u8>> {
    let elements = list.split(|byte| *byte == b',');
    // Empty elements count for nothing (RFC 9110 s5.6.1).
    let codings = elements.map(coding_of);
    codings.filter(|coding| !coding.is_empty()).collect()
}

fn coding_of(element: &[u8]) -> Vec<u8> {
    let name = element.split(|byte| *byte == b';').next().unwrap_or(&[]);
    match name.trim_ascii().to_ascii_lowercase() {
        name if name == b"x-gzip" => b"gzip".to_vec(),
        name if name == b"x-compress" => b"compress".to_vec(),
        name => name,
    }
}

/// Whether a coding may be sent (RFC 9110 s12.5.3): its own element counts, the one for all others else.
fn accepts(list: &[u8], coding: &[u8]) -> bool {
    let weight_of = |wanted: &[u8]| {
        let elements = list.split(|byte| *byte == b',');
        let named = elements.filter(|element| coding_of(element) == wanted);
        named.map(is_above_zero).max()
    };
    let own = weight_of(coding).or_else(|| weight_of(b"*"));
    own.unwrap_or(coding == b"identity")
}

fn is_above_zero(element: &[u8]) -> bool {
    let weight = element.splitn(2, |byte| *byte == b';').nth(1);
    weight.is_none_or(|weight| weight.iter().any(|byte| (b'1'..=b'9').contains(byte)))
}

fn judge_choice(mine: &[u8], request: &Fields, does_match: bool) {
    let (old, new) = (UnixSeconds(1), UnixSeconds(2));
    let both = [(mine, old), (&b""[..], new)];
    let expected = if does_match { 0 } else { 1 };
    assert_eq!(choose(both.into_iter(), request), Some(expected));
    let twice = [(mine, new), (mine, old)];
    assert_eq!(choose(twice.into_iter(), request), does_match.then_some(0));
    assert_eq!(admit(both.into_iter(), mine), Admission::Replaces(0));
    let full = (0..VARIANTS_MAX).map(|at| (&b"other"[..], UnixSeconds(10 - at.min(5) as u64)));
    assert_eq!(admit(full, mine), Admission::Displaces(5));
}
