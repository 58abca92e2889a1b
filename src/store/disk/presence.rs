//! Which keys may be stored: a set in memory that never denies a key that is there, so that most misses need no look-up.
//!
//! A Bloom filter of one cache line a key. Keys that were taken out stay in it until it is made anew, which happens when more
//! keys were entered than it was made for; then, and after the store was opened, a [`Survey`] goes through the metadata a few
//! keys at a time, and until the first of them is done every key may be there.
//!
//! Memory: 2 bytes for each key that it is made for, which are two to four times as many as there are.

use std::hash::{BuildHasher as _, RandomState};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use arc_swap::ArcSwapOption;

use super::engine::Engine;
use super::error::DiskError;
use super::tables::{VARIANTS, failed};

/// Words of a line, which is what one key's bits lie in.
const LINE: usize = 8;
/// Bits of a line that a key sets: with 32 keys a line, one of 500 absent keys seems to be there.
const BITS: u32 = 6;
/// Keys of a line that the set is made for.
const KEYS_OF_LINE: usize = 32;
/// Fewest lines.
const LINES_MIN: usize = 1 << 11;
/// Most lines: 256 MiB, for 128 million keys. Beyond them more absent keys seem to be there.
const LINES_MAX: usize = 1 << 22;

/// One filter.
#[derive(Debug)]
struct Filter {
    /// A power of two of lines.
    words: Box<[AtomicU64]>,
    entered: AtomicUsize,
    hasher: RandomState,
}

impl Filter {
    fn for_keys(count: usize) -> Self {
        let lines = (count / KEYS_OF_LINE).clamp(LINES_MIN, LINES_MAX);
        let words = lines.next_power_of_two() * LINE;
        Self {
            words: std::iter::repeat_with(AtomicU64::default)
                .take(words)
                .collect(),
            entered: AtomicUsize::new(0),
            hasher: RandomState::new(),
        }
    }

    fn keys_max(&self) -> usize {
        self.words.len() / LINE * KEYS_OF_LINE
    }

    /// The words of a key, and its bit in each. The upper half of the hash chooses the line, the lower half bits in it.
    fn places(&self, key: &[u8]) -> impl Iterator<Item = (&AtomicU64, u64)> {
        let hash = self.hasher.hash_one(key);
        let lines = (self.words.len() / LINE) as u64;
        let line = ((hash >> 32) & (lines - 1)) as usize * LINE;
        // Steps of an odd width, so that no two of a key's bits fall together.
        let (start, step) = (hash & 0x1ff, ((hash >> 9) & 0x1ff) | 1);
        (0..u64::from(BITS)).filter_map(move |number| {
            let bit = (start + number * step) & 0x1ff;
            let word = self.words.get(line + (bit >> 6) as usize)?;
            Some((word, 1 << (bit & 63)))
        })
    }

    fn enter(&self, key: &[u8]) {
        let mut is_new = false;
        for (word, bit) in self.places(key) {
            is_new |= word.fetch_or(bit, Ordering::Release) & bit == 0;
        }
        if is_new {
            self.entered.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn may_have(&self, key: &[u8]) -> bool {
        self.places(key)
            .all(|(word, bit)| word.load(Ordering::Acquire) & bit != 0)
    }
}

/// See the module's header.
#[derive(Debug, Default)]
pub(super) struct Presence {
    /// None until the first survey is done.
    asked: ArcSwapOption<Filter>,
    /// The one that a survey fills.
    surveyed: ArcSwapOption<Filter>,
}

impl Presence {
    /// Enters a key, before it can be found. To be called below the lock that [`begin`](Self::begin) and [`end`](Self::end) are
    /// called below: who enters a key sees both filters as they stand.
    pub(super) fn enter(&self, key: &[u8]) {
        for filter in [&self.surveyed, &self.asked] {
            if let Some(filter) = &*filter.load() {
                filter.enter(key);
            }
        }
    }

    /// Whether `key` may be there.
    pub(super) fn may_have(&self, key: &[u8]) -> bool {
        let filter = self.asked.load();
        filter.as_ref().is_none_or(|filter| filter.may_have(key))
    }

    /// Whether a survey is due, or under way.
    fn wants_survey(&self) -> bool {
        let filter = self.asked.load();
        filter.as_ref().is_none_or(|filter| {
            let lines = filter.words.len() / LINE;
            lines < LINES_MAX && filter.entered.load(Ordering::Relaxed) > filter.keys_max()
        })
    }

    /// Begins a filter for `count` keys.
    fn begin(&self, count: usize) -> Arc<Filter> {
        let filter = Arc::new(Filter::for_keys(count));
        self.surveyed.store(Some(Arc::clone(&filter)));
        filter
    }

    /// Has the filter of the survey asked from now on.
    fn end(&self) {
        let surveyed = self.surveyed.load_full();
        self.asked.store(surveyed);
        self.surveyed.store(None);
    }
}

/// How far a survey is: the last key and variant that it saw. A survey belongs to one engine.
#[derive(Debug, Default)]
pub(super) struct Survey(Option<(Arc<Filter>, Option<Name>)>);

type Name = (Box<[u8]>, Box<[u8]>);

impl Engine {
    /// Surveys up to `budget` keys. Returns whether more remain.
    pub(super) fn survey_some(
        &self,
        survey: &mut Survey,
        budget: usize,
    ) -> Result<bool, DiskError> {
        self.check()?;
        if survey.0.is_none() {
            if !self.presence.wants_survey() {
                return Ok(false);
            }
            survey.0 = Some((self.begin_survey(), None));
        }
        let Some((filter, last)) = &mut survey.0 else {
            return Ok(false);
        };
        let is_done = self.read(|transaction| {
            let variants = transaction.open_table(VARIANTS).map_err(failed)?;
            let from = match last {
                Some((key, variant)) => Bound::Excluded((&**key, &**variant)),
                None => Bound::Unbounded,
            };
            let range = (from, Bound::<(&[u8], &[u8])>::Unbounded);
            let mut entries = variants.range::<(&[u8], &[u8])>(range).map_err(failed)?;
            for number in 0..budget {
                let Some(entry) = entries.next() else {
                    return Ok(true);
                };
                let (name, _) = entry.map_err(failed)?;
                let (key, variant) = name.value();
                filter.enter(key);
                if number + 1 == budget {
                    *last = Some((key.into(), variant.into()));
                }
            }
            Ok(false)
        })?;
        if is_done {
            let _pending = self.pending.lock();
            self.presence.end();
            survey.0 = None;
        }
        Ok(!is_done)
    }

    /// From its return on every key that is published is entered, and those that no commit has written yet are.
    fn begin_survey(&self) -> Arc<Filter> {
        let objects = self.objects.load(Ordering::Relaxed);
        let pending = self.pending.lock();
        let keys = usize::try_from(objects).unwrap_or(usize::MAX);
        let filter = self.presence.begin(keys.saturating_mul(2));
        pending.keys().for_each(|key| filter.enter(key));
        filter
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presence_before_its_first_survey_denies_nothing() {
        let presence = Presence::default();
        assert!(presence.may_have(b"http://a/1"));
        assert!(presence.wants_survey());
    }

    #[test]
    fn presence_never_denies_what_was_entered_and_denies_most_else() {
        let presence = Presence::default();
        let filter = presence.begin(0);
        for number in 0..filter.keys_max() {
            presence.enter(format!("http://a/{number}").as_bytes());
        }
        presence.end();
        for number in 0..filter.keys_max() {
            assert!(presence.may_have(format!("http://a/{number}").as_bytes()));
        }
        let absent =
            (0..20_000).filter(|number| presence.may_have(format!("b{number}").as_bytes()));
        let absent = absent.count();
        assert!(absent < 400, "{absent} of 20000 seem to be there");
        assert!(!presence.wants_survey());
    }

    #[test]
    fn presence_that_has_more_keys_than_it_was_made_for_wants_a_survey() {
        let presence = Presence::default();
        let filter = presence.begin(0);
        presence.end();
        for number in 0..filter.keys_max() * 2 {
            presence.enter(format!("{number}").as_bytes());
        }
        assert!(presence.wants_survey());
    }

    #[test]
    fn presence_under_survey_still_answers_by_the_old_filter() {
        let presence = Presence::default();
        presence.begin(0);
        presence.end();
        presence.enter(b"old");
        presence.begin(0);
        presence.enter(b"new");
        assert!(presence.may_have(b"old") && presence.may_have(b"new"));
        presence.end();
        assert!(presence.may_have(b"new"));
    }
}
