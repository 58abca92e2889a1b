//! Lists what is stored, page by page, for an operator. Takes no lock: each bucket is seen as it is when its turn comes.

use std::sync::Arc;

use super::{Cached, CachedIndex};

impl<T: Cached> CachedIndex<T> {
    /// The values that `is_wanted`, from behind the key `after` on, until there are `limit` of them; the variants of one
    /// key are not torn apart, so there may be a few more. Fewer than `limit` mean the end.
    ///
    /// The order of keys is arbitrary but fixed, so a listing goes on after its last key even where that one has gone.
    pub fn list(
        &self,
        after: Option<&[u8]>,
        limit: usize,
        mut is_wanted: impl FnMut(&T) -> bool,
    ) -> Vec<Arc<T>> {
        let start = after.map_or(0, |key| self.buckets.spot(key).bucket);
        let mut page: Vec<Arc<T>> = Vec::new();
        for bucket in start..self.buckets.count() {
            if page.len() >= limit {
                break;
            }
            // Within a bucket the order is that of the keys; a stable sort keeps the most recent variant first.
            let mut entries = self.buckets.entries(bucket);
            entries.sort_by(|one, other| one.value.key().cmp(other.value.key()));
            for entry in entries {
                let is_passed =
                    bucket == start && after.is_some_and(|key| entry.value.key() <= key);
                if is_passed {
                    continue;
                }
                let is_new_key = page
                    .last()
                    .is_none_or(|last| last.key() != entry.value.key());
                if page.len() >= limit && is_new_key {
                    break;
                }
                if is_wanted(&entry.value) {
                    page.push(entry.value);
                }
            }
        }
        page
    }
}
