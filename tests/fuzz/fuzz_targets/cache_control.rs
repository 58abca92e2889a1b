//! Cache-Control and Pragma of requests and responses: what keeps to the grammar says what a reader of its own finds; whatever
//! else there is, more lines only make it stricter, and letters' case counts for nothing.
//!
//! Input: field lines.

#![no_main]

use hotplate::expected::{Argument, is_tchar, response};
use hotplate::http::cache_control::{
    DELTA_MAX, MaxStale, Qualified, RequestDirectives, ResponseDirectives,
};
use hotplate::http::fields::{FieldLines as _, Fields};
use hotplate::input;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let fields = input::fields(bytes);
    // That field has a target of its own.
    let fields = fields.filtered(|name, _| !name.eq_ignore_ascii_case(b"cdn-cache-control"));
    let (asked, said) = (
        RequestDirectives::of(&fields),
        ResponseDirectives::of(&fields),
    );
    if let Some(directives) = directives("cache-control", &fields) {
        assert_eq!(said, response(&directives, false));
        if let Some(pragma) = self::directives("pragma", &fields) {
            assert_eq!(asked, request(&directives, &pragma, &fields));
        }
    }
    let upper: Fields = fields
        .lines()
        .map(|(name, value)| (name.to_ascii_uppercase(), value.to_ascii_uppercase()))
        .collect();
    assert_eq!(RequestDirectives::of(&upper), asked);
    assert_eq!(ResponseDirectives::of(&upper), said);
    let count = fields.lines().count();
    if count > 1 {
        let fewer: Fields = fields.lines().take(count - 1).collect();
        judge_request(&RequestDirectives::of(&fewer), &asked, &fields);
        judge_response(&ResponseDirectives::of(&fewer), &said);
    }
});

/// The directives of all lines called `name`; none where one of them breaks the grammar (RFC 9111 s5.2).
fn directives(name: &str, fields: &Fields) -> Option<Vec<(String, Argument)>> {
    let mut found = Vec::new();
    for line in fields.values(name) {
        let mut rest = line;
        loop {
            while let [b' ' | b'\t' | b',', after @ ..] = rest {
                rest = after;
            }
            if rest.is_empty() {
                break;
            }
            let (name, after) = token(rest)?;
            let (argument, after) = match after {
                [b'=', b'"', after @ ..] => quoted(after)?,
                [b'=', after @ ..] => {
                    let (text, after) = token(after)?;
                    (Argument::Text(text.to_vec()), after)
                }
                _ => (Argument::None, after),
            };
            let name = String::from_utf8_lossy(name).to_ascii_lowercase();
            found.push((name, argument));
            rest = after;
            while let [b' ' | b'\t', after @ ..] = rest {
                rest = after;
            }
            if !matches!(rest, [] | [b',', ..]) {
                return None;
            }
        }
    }
    Some(found)
}

fn token(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let size = text.iter().take_while(|byte| is_tchar(**byte)).count();
    (size > 0).then(|| text.split_at(size))
}

/// What stands before the closing quote, backslashes taken away, and what follows it.
fn quoted(mut text: &[u8]) -> Option<(Argument, &[u8])> {
    let mut inner = Vec::new();
    loop {
        match text {
            [b'"', rest @ ..] => return Some((Argument::Text(inner), rest)),
            [b'\\', byte, rest @ ..] | [byte, rest @ ..] => {
                inner.push(*byte);
                text = rest;
            }
            [] => return None,
        }
    }
}

/// What a request's directives say together (RFC 9111 s5.2.1, s5.4).
fn request(
    directives: &[(String, Argument)],
    pragma: &[(String, Argument)],
    fields: &Fields,
) -> RequestDirectives {
    let all = |wanted: &'static str| {
        let named = directives.iter().filter(move |(name, _)| name == wanted);
        named.map(|(_, argument)| argument)
    };
    let is_there = |name| all(name).next().is_some();
    let seconds = |name| {
        let read = |argument: &Argument| argument.seconds().unwrap_or(0);
        all(name).map(read).min()
    };
    let staleness = |argument: &Argument| match argument.seconds() {
        Some(seconds) => Some(MaxStale::Seconds(seconds)),
        None => (*argument == Argument::None).then_some(MaxStale::Any),
    };
    RequestDirectives {
        no_cache: is_there("no-cache"),
        no_store: is_there("no-store"),
        no_transform: is_there("no-transform"),
        only_if_cached: is_there("only-if-cached"),
        max_age: seconds("max-age"),
        max_stale: all("max-stale").filter_map(staleness).min(),
        min_fresh: all("min-fresh")
            .map(|argument| argument.seconds().unwrap_or(DELTA_MAX))
            .max(),
        stale_if_error: seconds("stale-if-error"),
        pragma_no_cache: fields.value("cache-control").is_none()
            && pragma.iter().any(|(name, _)| name == "no-cache"),
    }
}

/// With one line more, a request accepts no more than before; but that line may be the first that says it at all.
fn judge_request(fewer: &RequestDirectives, more: &RequestDirectives, fields: &Fields) {
    assert!(more.no_cache >= fewer.no_cache && more.no_store >= fewer.no_store);
    assert!(more.only_if_cached >= fewer.only_if_cached);
    assert!(more.min_fresh >= fewer.min_fresh);
    assert!(is_stricter(fewer.max_age, more.max_age));
    assert!(is_stricter(fewer.max_stale, more.max_stale));
    assert!(is_stricter(fewer.stale_if_error, more.stale_if_error));
    let has_cache_control = fields.value("cache-control").is_some();
    assert!(more.pragma_no_cache >= fewer.pragma_no_cache || has_cache_control);
}

fn judge_response(fewer: &ResponseDirectives, more: &ResponseDirectives) {
    assert!(is_stricter(fewer.max_age, more.max_age));
    assert!(is_stricter(fewer.s_maxage, more.s_maxage));
    assert!(more.no_store >= fewer.no_store);
    assert!(more.forbids_stale() >= fewer.forbids_stale());
    for (fewer, more) in [
        (&fewer.no_cache, &more.no_cache),
        (&fewer.private, &more.private),
    ] {
        match (fewer, more) {
            (Qualified::No, _) | (_, Qualified::Whole) => {}
            (Qualified::Fields(names), more) => {
                assert!(names.iter().all(|name| more.names(name.as_bytes())));
            }
            (Qualified::Whole, more) => panic!("{more:?} after all"),
        }
    }
    let (before, after) = (fewer.stale_while_revalidate, more.stale_while_revalidate);
    assert!(is_stricter(before, after));
    assert!(is_stricter(fewer.stale_if_error, more.stale_if_error));
}

/// Whether what was said is still said, and allows no more.
fn is_stricter<T: Ord>(fewer: Option<T>, more: Option<T>) -> bool {
    match (fewer, more) {
        (Some(fewer), Some(more)) => more <= fewer,
        (None, _) => true,
        (Some(_), None) => false,
    }
}
