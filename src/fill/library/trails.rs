//! What the library remembers of URLs beside what is stored: where redirects led, and which are being fetched.

#![expect(
    clippy::disallowed_types,
    reason = "locks for the time of a look-up, on threads that serve no hit"
)]

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Most URLs whose redirects are remembered; the oldest go.
const TRAILS_MAX: usize = 4096;

/// The hops that URLs led over, for those who remove what a URL stands for: what was redirected to goes with it.
#[derive(Debug, Default)]
pub(super) struct Trails(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    hops: HashMap<Box<str>, Vec<Box<str>>>,
    order: VecDeque<Box<str>>,
}

impl Trails {
    /// Notes that `url` led over redirects to `hops`, in their order; none: it was answered itself.
    pub(super) fn note(&self, url: &str, hops: &[Box<str>]) {
        let mut known = self.lock();
        if hops.is_empty() {
            known.hops.remove(url);
            return;
        }
        if known.hops.insert(url.into(), hops.to_vec()).is_none() {
            known.order.push_back(url.into());
        }
        while known.order.len() > TRAILS_MAX {
            if let Some(oldest) = known.order.pop_front() {
                known.hops.remove(&oldest);
            }
        }
    }

    /// The URLs that `url` led to when it was last fetched.
    pub(super) fn of(&self, url: &str) -> Vec<Box<str>> {
        self.lock().hops.get(url).cloned().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The keys that the library has fetched now.
#[derive(Debug, Default)]
pub(super) struct Fillings(Arc<Mutex<HashMap<Box<[u8]>, usize>>>);

/// One of them, until it is dropped.
#[derive(Debug)]
pub(super) struct Filling {
    keys: Arc<Mutex<HashMap<Box<[u8]>, usize>>>,
    key: Box<[u8]>,
}

impl Fillings {
    pub(super) fn begin(&self, key: &[u8]) -> Filling {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *keys.entry(key.into()).or_default() += 1;
        Filling {
            keys: Arc::clone(&self.0),
            key: key.into(),
        }
    }

    pub(super) fn has(&self, key: &[u8]) -> bool {
        let keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.contains_key(key)
    }
}

impl Drop for Filling {
    fn drop(&mut self) {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = keys.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                keys.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hops_are_known_by_the_url_until_it_leads_elsewhere() {
        let trails = Trails::default();
        trails.note("a", &["b".into(), "c".into()]);
        assert_eq!(trails.of("a"), ["b".into(), "c".into()]);
        trails.note("a", &[]);
        assert!(trails.of("a").is_empty());
    }

    #[test]
    fn oldest_trail_makes_room() {
        let trails = Trails::default();
        for number in 0..=TRAILS_MAX {
            trails.note(&number.to_string(), &["x".into()]);
        }
        assert!(trails.of("0").is_empty());
        assert_eq!(trails.of("1").len(), 1);
        assert_eq!(trails.lock().hops.len(), TRAILS_MAX);
    }

    #[test]
    fn key_is_being_fetched_as_long_as_anybody_fetches_it() {
        let fillings = Fillings::default();
        let first = fillings.begin(b"a");
        let second = fillings.begin(b"a");
        drop(first);
        assert!(fillings.has(b"a") && !fillings.has(b"b"));
        drop(second);
        assert!(!fillings.has(b"a"));
    }
}
