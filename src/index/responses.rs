//! The index of origins' responses.

use std::sync::Arc;

use super::cached::{Cached, CachedIndex, Claim, Matcher, arc_bytes, heap_bytes};
use super::eviction::{Counted, UseCount};
use super::response::Response;
use crate::policy::stored::Mark;

/// What is stored of origins' responses, by cache key.
pub type Responses = CachedIndex<Response>;

impl Counted for Response {
    fn uses(&self) -> &UseCount {
        self.use_count()
    }
}

impl Cached for Response {
    fn key(&self) -> &[u8] {
        &self.key
    }

    fn variant(&self) -> &[u8] {
        &self.variant
    }

    fn weight(&self) -> u64 {
        self.weight()
    }

    fn tags(&self) -> impl Iterator<Item = &[u8]> {
        self.tags.iter().map(AsRef::as_ref)
    }
}

/// The bytes that a response takes beside its body.
pub(super) fn own_weight(response: &Response) -> u64 {
    let heads = 2 * response.fields.as_bytes().len() + 64;
    let boxes = [
        response.key.len(),
        response.variant.len(),
        response.upstream_status.len(),
        heads,
    ];
    let tags = response.tags.iter().map(|tag| heap_bytes(tag.len()) + 16);
    heap_bytes(arc_bytes::<Response>())
        + heap_bytes(arc_bytes::<crate::store::Object>())
        + boxes.into_iter().map(heap_bytes).sum::<u64>()
        + tags.sum::<u64>()
}

/// Has every variant of `key` validated before it is used again (RFC 9111 s4.4); how many there were.
pub fn invalidate_key(responses: &Responses, key: &[u8]) -> u64 {
    invalidate(responses, None, &Matcher::Key(key))
}

/// As [`invalidate_key`], on behalf of a fill whose claim outlives it.
pub fn invalidate_key_for(responses: &Responses, claim: Option<&mut Claim>, key: &[u8]) -> u64 {
    invalidate(responses, claim, &Matcher::Key(key))
}

/// As [`invalidate_key`], for all that carry `tag` (RFC 9875).
pub fn invalidate_tag(responses: &Responses, tag: &[u8]) -> u64 {
    invalidate(responses, None, &Matcher::Tag(tag))
}

fn invalidate(responses: &Responses, claim: Option<&mut Claim>, matcher: &Matcher<'_>) -> u64 {
    let purge = responses.purge_for(claim, matcher, |one| marked(one, Mark::Invalid));
    purge.count
}

/// The same response without its freshness. None for one whose body is not all there: a part of a body can't be validated, so
/// it has to go.
#[must_use]
pub fn marked(response: &Response, mark: Mark) -> Option<Arc<Response>> {
    if !response.has_whole_body() {
        return None;
    }
    let mut stored = response.stored.clone();
    stored.mark(mark);
    let marked = response.freshened(stored, response.fields.clone());
    Some(Arc::new(marked))
}
