//! The order of uploads: each is due at a time, but not before those that were accepted for the same URL earlier have ended, or an
//! older file would in the end take the place of a newer one. Makes no system call.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::record::Record;
use super::target::sendable;
use crate::policy::key;
use crate::units::MonoNanos;

/// What has an order among itself: a URL in canonical form, and the profile that is named with it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct LaneName {
    profile: Option<String>,
    url: Vec<u8>,
}

impl LaneName {
    pub(super) fn of(record: &Record) -> Self {
        let url = sendable(&record.url);
        let mut scratch = Vec::new();
        let mut canonical = Vec::new();
        if let Ok(parts) = key::from_url(&url, &mut scratch) {
            key::append_origin(&mut canonical, parts.scheme, parts.authority);
            canonical.extend_from_slice(parts.path);
            if let Some(query) = parts.query {
                canonical.push(b'?');
                canonical.extend_from_slice(query);
            }
        }
        Self {
            profile: record.profile.clone(),
            // What is no URL goes nowhere.
            url: if canonical.is_empty() { url } else { canonical },
        }
    }
}

/// An upload's place in its lane: the turn that it was given, then its number.
pub(super) type Place = (u64, u64);

/// Those that wait or are under way, each with when it is due; none: it is under way.
#[derive(Debug, Default)]
struct Lane {
    places: BTreeMap<Place, Option<MonoNanos>>,
    running: usize,
    /// What of it stands among those that are due.
    ready: Option<(MonoNanos, u64)>,
}

/// All lanes.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    lanes: HashMap<LaneName, Lane>,
    /// The first of each lane in which none is under way.
    due: BTreeSet<(MonoNanos, u64)>,
    waiting: usize,
}

impl Lanes {
    /// An upload waits until then, and for those before it.
    pub(super) fn wait(&mut self, name: &LaneName, place: Place, due: MonoNanos) {
        self.change(name, place, Some(Some(due)));
    }

    /// An upload is under way.
    pub(super) fn run(&mut self, name: &LaneName, place: Place) {
        self.change(name, place, Some(None));
    }

    /// An upload neither waits nor is under way any more.
    pub(super) fn leave(&mut self, name: &LaneName, place: Place) {
        self.change(name, place, None);
    }

    /// The upload that may be sent first, and from when on.
    pub(super) fn first(&self) -> Option<(MonoNanos, u64)> {
        self.due.first().copied()
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Another upload that one of this place waits for.
    pub(super) fn before(&self, name: &LaneName, place: Place) -> Option<u64> {
        let places = &self.lanes.get(name)?.places;
        let (first, _) = places.first_key_value()?;
        let is_first = *first == place;
        // One that somebody has had tried again may have an earlier turn than the one under way.
        let running = || places.iter().find(|(_, due)| due.is_none());
        let first = if is_first { running()?.0 } else { first };
        Some(first.1).filter(|id| *id != place.1)
    }

    fn change(&mut self, name: &LaneName, place: Place, to: Option<Option<MonoNanos>>) {
        if to.is_none() && !self.lanes.contains_key(name) {
            return;
        }
        let lane = self.lanes.entry(name.clone()).or_default();
        let before = match to {
            Some(due) => lane.places.insert(place, due),
            None => lane.places.remove(&place),
        };
        match before {
            Some(None) => lane.running -= 1,
            Some(Some(_)) => self.waiting -= 1,
            None => {}
        }
        match to {
            Some(None) => lane.running += 1,
            Some(Some(_)) => self.waiting += 1,
            None => {}
        }
        let first = lane.places.first_key_value();
        let ready = first.and_then(|(place, due)| Some(((*due)?, place.1)));
        let ready = ready.filter(|_| lane.running == 0);
        if ready != lane.ready {
            if let Some(old) = lane.ready.take() {
                self.due.remove(&old);
            }
            self.due.extend(ready);
            lane.ready = ready;
        }
        if lane.places.is_empty() {
            self.lanes.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(url: &str) -> LaneName {
        LaneName {
            profile: None,
            url: url.into(),
        }
    }

    #[test]
    fn one_of_each_url_is_due_and_the_others_wait_for_it() {
        let mut lanes = Lanes::default();
        let (a, b) = (name("a"), name("b"));
        lanes.wait(&a, (1, 1), MonoNanos(9));
        lanes.wait(&a, (2, 2), MonoNanos(3));
        lanes.wait(&b, (3, 3), MonoNanos(5));
        assert_eq!(lanes.first(), Some((MonoNanos(5), 3)));
        assert_eq!(lanes.before(&a, (2, 2)), Some(1));
        assert_eq!(lanes.before(&a, (1, 1)), None);
        lanes.run(&b, (3, 3));
        assert_eq!(
            (lanes.first(), lanes.waiting()),
            (Some((MonoNanos(9), 1)), 2)
        );
        lanes.run(&a, (1, 1));
        assert_eq!(lanes.first(), None);
        // It failed, and is before the other nevertheless.
        lanes.wait(&a, (1, 1), MonoNanos(20));
        assert_eq!(lanes.first(), Some((MonoNanos(20), 1)));
        lanes.leave(&a, (1, 1));
        assert_eq!(lanes.first(), Some((MonoNanos(3), 2)));
        // One with an earlier turn comes back while the other is under way.
        lanes.run(&a, (2, 2));
        lanes.wait(&a, (1, 1), MonoNanos(1));
        assert_eq!((lanes.first(), lanes.before(&a, (1, 1))), (None, Some(2)));
        lanes.leave(&a, (2, 2));
        assert_eq!(lanes.first(), Some((MonoNanos(1), 1)));
        lanes.leave(&a, (1, 1));
        lanes.leave(&b, (3, 3));
        lanes.leave(&b, (3, 3));
        assert!(lanes.lanes.is_empty() && lanes.due.is_empty() && lanes.waiting == 0);
    }
}
