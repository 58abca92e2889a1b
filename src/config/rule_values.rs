//! Texts of cache rules: paths, field names, query parameters, statuses.

use std::time::Duration;

use super::fault::Fault;
use super::rule_fault::RuleFault;
use super::url;
use crate::policy::settings::NegativeTtl;

/// Fields of one connection (RFC 9110 s7.6.1, RFC 9111 s3.1), which no store ever has.
const CONNECTION_FIELDS: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Fields without which a stored response would be misread (what its bytes are), or reused where or when it must not be.
const NEEDED_FIELDS: [&str; 10] = [
    "age",
    "cache-control",
    "cdn-cache-control",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "date",
    "expires",
    "vary",
];

/// Longest name of a query parameter.
const PARAMETER_BYTES_MAX: usize = 256;
/// Longest field name.
const FIELD_NAME_BYTES_MAX: usize = 256;

/// Reads the path of a rule in its canonical form.
pub(super) fn path(text: &str) -> Result<Box<[u8]>, Fault> {
    if text.contains('*') {
        return Err(RuleFault::PathWithStar.into());
    }
    url::canonical(text).map(|path| path.into_bytes().into())
}

/// Reads the name of a field that is not to be stored, in lower case.
pub(super) fn ignored_field(text: &str) -> Result<Box<str>, RuleFault> {
    let name = field_name(text)?;
    match &*name {
        "set-cookie" => Err(RuleFault::FieldWithOwnKey),
        known if CONNECTION_FIELDS.contains(&known) => Err(RuleFault::FieldOfConnection),
        known if NEEDED_FIELDS.contains(&known) => Err(RuleFault::FieldNeeded),
        _ => Ok(name),
    }
}

/// Reads the name of a field, in lower case.
pub(super) fn field_name(text: &str) -> Result<Box<str>, RuleFault> {
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let is_name = (1..=FIELD_NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_known);
    // A `*` alone is a field name, but is meant for all of them.
    if !is_name || text == "*" {
        return Err(RuleFault::NotAFieldName);
    }
    Ok(text.to_ascii_lowercase().into())
}

/// Reads the name of a query parameter; a `*` at its end stands for any rest.
pub(super) fn parameter(text: &str) -> Result<Box<str>, RuleFault> {
    let name = text.strip_suffix('*').unwrap_or(text);
    let octet = |byte: u8| byte.is_ascii_graphic() && !b"&;=#*".contains(&byte);
    match (name, text) {
        ("", "*") => Err(RuleFault::EveryParameter),
        ("", _) => Err(RuleFault::NotAParameter),
        _ if name.len() > PARAMETER_BYTES_MAX || !name.bytes().all(octet) => {
            Err(RuleFault::NotAParameter)
        }
        _ => Ok(text.into()),
    }
}

/// Reads statuses such as `404` or `500-599` and puts their lifetime among the others, the narrowest range first: the first
/// that fits a status is then the one that says most about it.
pub(super) fn add_negative_ttl(
    entries: &mut Vec<NegativeTtl>,
    text: &str,
    ttl: Duration,
) -> Result<(), RuleFault> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (status(first)?, status(last)?);
    if first > last {
        return Err(RuleFault::NotStatuses);
    }
    for other in entries.iter() {
        let is_apart = last < other.first || other.last < first;
        let is_within = other.first <= first && last <= other.last;
        let is_around = first <= other.first && other.last <= last;
        // One within the other and not the same.
        let is_nested = is_within != is_around;
        if !is_apart && !is_nested {
            return Err(RuleFault::StatusesOverlap {
                first: other.first,
                last: other.last,
            });
        }
    }
    entries.push(NegativeTtl { first, last, ttl });
    entries.sort_by_key(|entry| entry.last - entry.first);
    Ok(())
}

/// A status of an error, in three digits.
fn status(text: &str) -> Result<u16, RuleFault> {
    let is_number = text.len() == 3 && text.bytes().all(|digit| digit.is_ascii_digit());
    match text.parse() {
        Ok(status @ 400..=599) if is_number => Ok(status),
        _ => Err(RuleFault::NotStatuses),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The entries in the order in which they are asked.
    fn negative(entries: &[&str]) -> Result<String, RuleFault> {
        let mut list = Vec::new();
        for text in entries {
            add_negative_ttl(&mut list, text, Duration::ZERO)?;
        }
        let shown = list.iter().map(|NegativeTtl { first, last, .. }| {
            if first == last {
                first.to_string()
            } else {
                format!("{first}-{last}")
            }
        });
        Ok(shown.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn path_of_a_rule_is_canonical_and_has_no_wildcard() {
        assert_eq!(path("/a%2db/"), Ok(b"/a-b/"[..].into()));
        assert_eq!(path("/a%2Ab"), Ok(b"/a*b"[..].into()));
        assert_eq!(path("/*.jpg"), Err(RuleFault::PathWithStar.into()));
        assert_eq!(path("images"), Err(Fault::UrlNotRooted));
        assert_eq!(path("/a?b"), Err(Fault::UrlWithQuery));
    }

    #[test]
    fn ignored_field_is_one_that_can_be_missed() {
        let cases = [
            ("X-Request-Id", Ok("x-request-id")),
            ("ETag", Ok("etag")),
            ("", Err(RuleFault::NotAFieldName)),
            ("*", Err(RuleFault::NotAFieldName)),
            ("a b", Err(RuleFault::NotAFieldName)),
            ("a:", Err(RuleFault::NotAFieldName)),
            ("Set-Cookie", Err(RuleFault::FieldWithOwnKey)),
            ("Transfer-Encoding", Err(RuleFault::FieldOfConnection)),
            ("connection", Err(RuleFault::FieldOfConnection)),
            ("Vary", Err(RuleFault::FieldNeeded)),
            ("Content-Length", Err(RuleFault::FieldNeeded)),
        ];
        for (text, expected) in cases {
            assert_eq!(
                ignored_field(text).as_deref(),
                expected.as_ref().copied(),
                "{text}"
            );
        }
    }

    #[test]
    fn parameter_is_a_name_or_the_start_of_one() {
        let cases = [
            ("utm_*", Ok(())),
            ("X-Amz-Signature", Ok(())),
            ("jsessionid", Ok(())),
            ("*", Err(RuleFault::EveryParameter)),
            ("", Err(RuleFault::NotAParameter)),
            ("a*b", Err(RuleFault::NotAParameter)),
            ("a**", Err(RuleFault::NotAParameter)),
            ("a=b", Err(RuleFault::NotAParameter)),
            ("a&b", Err(RuleFault::NotAParameter)),
            ("a;b", Err(RuleFault::NotAParameter)),
            ("a b", Err(RuleFault::NotAParameter)),
        ];
        for (text, expected) in cases {
            assert_eq!(parameter(text).map(drop), expected, "{text}");
        }
    }

    #[test]
    fn statuses_within_a_range_stand_before_it() {
        let cases: [(&[&str], &str); 4] = [
            (&["404", "400-499"], "404 400-499"),
            (&["400-499", "404"], "404 400-499"),
            (
                &["400-599", "404", "500-599", "503"],
                "404 503 500-599 400-599",
            ),
            (&["404", "500-599", "410"], "404 410 500-599"),
        ];
        for (entries, expected) in cases {
            assert_eq!(negative(entries).as_deref(), Ok(expected), "{entries:?}");
        }
    }

    #[test]
    fn statuses_that_are_none_or_overlap_are_refused() {
        let overlap = |first, last| RuleFault::StatusesOverlap { first, last };
        let cases: [(&[&str], RuleFault); 10] = [
            (&["200"], RuleFault::NotStatuses),
            (&["600"], RuleFault::NotStatuses),
            (&["4xx"], RuleFault::NotStatuses),
            (&["+404"], RuleFault::NotStatuses),
            (&["0404"], RuleFault::NotStatuses),
            (&["499-400"], RuleFault::NotStatuses),
            (&["404-"], RuleFault::NotStatuses),
            (&["404 - 410"], RuleFault::NotStatuses),
            (&["404", "404-404"], overlap(404, 404)),
            (&["400-450", "440-499"], overlap(400, 450)),
        ];
        for (entries, fault) in cases {
            assert_eq!(negative(entries), Err(fault), "{entries:?}");
        }
    }

    proptest! {
        #[test]
        fn first_entry_that_fits_is_the_narrowest(ranges in prop::collection::vec((400_u16..600, 0_u16..30), 1..8), asked in 400_u16..600) {
            let mut list = Vec::new();
            for (first, more) in ranges {
                let text = format!("{first}-{}", (first + more).min(599));
                if let Err(fault) = add_negative_ttl(&mut list, &text, Duration::ZERO) {
                    let is_overlap = matches!(fault, RuleFault::StatusesOverlap { .. });
                    prop_assert!(is_overlap, "{}", text);
                }
            }
            let fits = |entry: &&NegativeTtl| (entry.first..=entry.last).contains(&asked);
            let width = |entry: &NegativeTtl| entry.last - entry.first;
            let found = list.iter().find(fits).map(width);
            prop_assert_eq!(found, list.iter().filter(fits).map(width).min());
        }
    }
}
