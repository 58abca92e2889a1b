//! What a stored response goes by beside its fields, after an update of those: the tags that it can be purged by, and what
//! caches behind this one say of it (RFC 9111 s3.2, RFC 9211 s2).

use super::save::{tags_of, upstream_status};
use crate::cache::order::Fetch;
use crate::http::fields::{FieldLines, Fields};
use crate::index::response::Response;
use crate::policy::tags::{TAGS_MAX, gives_tags};

/// `fresh`, which `old` became by an update with the fields of `answer`, under the labels that those give it.
pub(super) fn relabelled(
    fresh: Response,
    old: &Response,
    fetch: &Fetch,
    answer: &Fields,
) -> Response {
    let has_tags = answer.lines().any(|(name, _)| gives_tags(name));
    let has_status = answer.value("cache-status").is_some();
    if !has_tags && !has_status {
        return fresh;
    }
    let tags = match has_tags {
        true => updated_tags(old, fetch, answer),
        false => fresh.tags.clone(),
    };
    let upstream = match has_status {
        true => upstream_status(answer),
        false => fresh.upstream_status.clone(),
    };
    fresh.labelled(tags, upstream)
}

/// The tags of a response after an update: every field of the update takes the place of the stored lines of its name. Tags
/// that came in a field which the rule keeps out of the store stay: which of them the update means can't be told.
fn updated_tags(old: &Response, fetch: &Fetch, answer: &Fields) -> Box<[Box<[u8]>]> {
    let stored = old
        .fields
        .lines()
        .filter(|(name, _)| gives_tags(name) && !has(answer, name));
    let received = answer.lines().filter(|(name, _)| gives_tags(name));
    let fields: Fields = stored.chain(received).collect();
    let mut tags = tags_of(fetch, &fields).into_vec();
    let known = tags_of(fetch, &old.fields);
    let hidden = old.tags.iter().filter(|tag| !known.contains(tag));
    for tag in hidden {
        if tags.len() < 2 * TAGS_MAX && !tags.contains(tag) {
            tags.push(tag.clone());
        }
    }
    tags.into()
}

fn has(fields: &Fields, name: &[u8]) -> bool {
    let mut lines = fields.lines();
    lines.any(|(other, _)| other.eq_ignore_ascii_case(name))
}
