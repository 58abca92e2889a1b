//! What a worker knows of the files below the sites' roots: answers of the fill threads, each good for one second from the
//! moment when they were held to the disk.
//!
//! The bytes and descriptors themselves are shared by all workers and bounded by the fill threads; this is only the
//! worker's view, so that a hot file costs the fill threads one look a second. What it remembers keeps descriptors open,
//! so its bound is a share of theirs.

use std::collections::VecDeque;
use std::time::Duration;

use hashbrown::HashMap;

use super::lease::LocalEntry;
use crate::cache::order::{Outcome, Ticket};
use crate::units::{MonoNanos, SiteId};

/// How long an answer is good for.
const GOOD_FOR: Duration = Duration::from_secs(1);

/// How long even a late answer is good for: as long as whoever waited takes to be answered from it. Otherwise a disk that
/// needs a second would be asked over and over.
const LATE_GOOD_FOR: Duration = Duration::from_millis(50);

/// What is known of a path.
#[derive(Clone, Debug)]
pub(super) enum Known {
    /// The file.
    File(LocalEntry),
    /// A directory without its slash.
    Directory,
    /// Nothing to show.
    Missing,
    /// Not readable.
    Forbidden,
    /// Could not be opened this time.
    Unavailable,
}

impl Known {
    /// Whether what was learned `at` still answers requests: it is not old, and nobody waits to write to the file.
    fn is_good(&self, at: MonoNanos, now: MonoNanos) -> bool {
        let wanted_back = matches!(self, Self::File(entry) if entry.is_revoked());
        now.since(at) < GOOD_FOR && !wanted_back
    }
}

#[derive(Debug)]
enum Place {
    /// The fill threads are looking.
    Asked(Ticket),
    /// They have answered.
    Answered(Known, MonoNanos),
}

/// What the view says of a path.
pub(super) enum View {
    /// The fill threads have said this within the second.
    Known(Known),
    /// They are looking under this ticket.
    Asked(Ticket),
    /// They must be asked.
    Unknown,
}

/// The worker's view.
#[derive(Debug)]
pub(super) struct LocalFiles {
    places_max: usize,
    places: HashMap<Box<[u8]>, Place>,
    /// The paths in the order in which they were asked for; may name some that are forgotten.
    order: VecDeque<Box<[u8]>>,
    asked: HashMap<Ticket, Box<[u8]>>,
    /// `site | path` of the latest look-up, kept to spare an allocation each time.
    key: Vec<u8>,
}

impl LocalFiles {
    /// A view of at most `places_max` paths, beside those that are being asked for.
    pub(super) fn new(places_max: usize) -> Self {
        Self {
            places_max: places_max.max(1),
            places: HashMap::new(),
            order: VecDeque::new(),
            asked: HashMap::new(),
            key: Vec::new(),
        }
    }

    /// What is known of `path` at `site`.
    pub(super) fn look_up(&mut self, site: SiteId, path: &[u8], now: MonoNanos) -> View {
        self.key.clear();
        self.key.extend_from_slice(&site.0.to_le_bytes());
        self.key.extend_from_slice(path);
        match self.places.get(self.key.as_slice()) {
            Some(Place::Asked(ticket)) => View::Asked(*ticket),
            Some(Place::Answered(known, at)) if known.is_good(*at, now) => {
                View::Known(known.clone())
            }
            Some(Place::Answered(..)) | None => View::Unknown,
        }
    }

    /// Notes that the path of the latest [`look_up`](Self::look_up) is asked for under `ticket`.
    pub(super) fn ask(&mut self, ticket: Ticket) {
        self.make_room();
        let key: Box<[u8]> = self.key.as_slice().into();
        if self
            .places
            .insert(key.clone(), Place::Asked(ticket))
            .is_none()
        {
            self.order.push_back(key.clone());
        }
        self.asked.insert(ticket, key);
    }

    /// Forgets the paths that were asked for longest ago: each costs another look if it is asked for again.
    fn make_room(&mut self) {
        for _ in 0..self.order.len() {
            if self.places.len() < self.places_max {
                break;
            }
            let Some(oldest) = self.order.pop_front() else {
                break;
            };
            match self.places.get(&oldest) {
                Some(Place::Asked(_)) => self.order.push_back(oldest),
                Some(Place::Answered(..)) => {
                    self.places.remove(&oldest);
                }
                None => {}
            }
        }
    }

    /// Takes the answer to `ticket`, which was held to the disk at `checked_at`.
    pub(super) fn answered(
        &mut self,
        ticket: Ticket,
        outcome: Outcome,
        checked_at: MonoNanos,
        now: MonoNanos,
    ) {
        let Some(key) = self.asked.remove(&ticket) else {
            return;
        };
        let known = match outcome {
            Outcome::Found(entry) => Known::File(LocalEntry::new(entry)),
            Outcome::Directory => Known::Directory,
            Outcome::Missing => Known::Missing,
            Outcome::Forbidden => Known::Forbidden,
            // Of these only the first answers a question about a file.
            Outcome::Unavailable
            | Outcome::Warm
            | Outcome::Cold
            | Outcome::Fetched(_)
            | Outcome::NotFetched(_)
            | Outcome::OriginFailed(..)
            | Outcome::Grown
            | Outcome::Informational(_) => Known::Unavailable,
        };
        let at = checked_at.max(now.before(GOOD_FOR - LATE_GOOD_FOR));
        self.places.insert(key, Place::Answered(known, at));
    }

    /// Forgets an order that could not be placed.
    pub(super) fn withdraw(&mut self, ticket: Ticket) {
        if let Some(key) = self.asked.remove(&ticket) {
            self.places.remove(&key);
        }
    }

    /// Forgets answers that are no longer good and those whose file is wanted back, so that descriptors are freed.
    pub(super) fn sweep(&mut self, now: MonoNanos) {
        if self.places.is_empty() {
            return;
        }
        self.places.retain(|_, place| match place {
            Place::Asked(_) => true,
            Place::Answered(known, at) => known.is_good(*at, now),
        });
        self.order.retain(|key| self.places.contains_key(key));
    }

    /// Forgets every answer: the sites have changed. Orders under way stay, so that whoever waits is woken.
    pub(super) fn forget(&mut self) {
        self.places
            .retain(|_, place| matches!(place, Place::Asked(_)));
        self.order.retain(|key| self.places.contains_key(key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: SiteId = SiteId(0);
    const NOW: MonoNanos = MonoNanos(20_000_000_000);

    fn learn(files: &mut LocalFiles, number: u64) {
        let path = format!("/{number}");
        assert!(matches!(
            files.look_up(SITE, path.as_bytes(), NOW),
            View::Unknown
        ));
        files.ask(Ticket(number));
        files.answered(Ticket(number), Outcome::Missing, NOW, NOW);
    }

    fn knows(files: &mut LocalFiles, number: u64) -> bool {
        let path = format!("/{number}");
        matches!(
            files.look_up(SITE, path.as_bytes(), NOW),
            View::Known(Known::Missing)
        )
    }

    #[test]
    fn the_oldest_path_is_forgotten_when_the_view_is_full() {
        let mut files = LocalFiles::new(3);
        (1..=4).for_each(|number| learn(&mut files, number));
        assert!(!knows(&mut files, 1));
        assert!((2..=4).all(|number| knows(&mut files, number)));
        assert_eq!(files.places.len(), 3);
    }

    #[test]
    fn a_path_that_is_being_asked_for_is_never_forgotten() {
        let mut files = LocalFiles::new(2);
        assert!(matches!(files.look_up(SITE, b"/slow", NOW), View::Unknown));
        files.ask(Ticket(100));
        (1..=5).for_each(|number| learn(&mut files, number));
        assert!(matches!(
            files.look_up(SITE, b"/slow", NOW),
            View::Asked(Ticket(100))
        ));
        files.answered(Ticket(100), Outcome::Missing, NOW, NOW);
        assert!(matches!(
            files.look_up(SITE, b"/slow", NOW),
            View::Known(Known::Missing)
        ));
    }

    #[test]
    fn an_answer_is_good_for_a_second_and_then_swept() {
        let mut files = LocalFiles::new(10);
        learn(&mut files, 1);
        let later = NOW.after(GOOD_FOR);
        assert!(matches!(files.look_up(SITE, b"/1", later), View::Unknown));
        files.sweep(later);
        assert!(files.places.is_empty() && files.order.is_empty());
    }

    /// The fill threads' second and the worker's were added.
    #[test]
    fn an_answer_that_was_remembered_is_good_for_what_is_left_of_its_second() {
        let mut files = LocalFiles::new(10);
        let checked_at = |millis| NOW.after(Duration::from_millis(millis));
        let arrival = checked_at(900);
        for (path, checked_at, good_for) in [
            (&b"/fresh"[..], arrival, 1000),
            (b"/remembered", checked_at(0), 100),
            (b"/late", checked_at(0).before(Duration::from_secs(9)), 50),
        ] {
            assert!(matches!(files.look_up(SITE, path, arrival), View::Unknown));
            files.ask(Ticket(1));
            files.answered(Ticket(1), Outcome::Missing, checked_at, arrival);
            let end = arrival.after(Duration::from_millis(good_for));
            let before = end.before(Duration::from_millis(1));
            assert!(matches!(files.look_up(SITE, path, before), View::Known(_)));
            assert!(matches!(files.look_up(SITE, path, end), View::Unknown));
        }
    }

    #[test]
    fn an_order_that_could_not_be_placed_is_asked_again() {
        let mut files = LocalFiles::new(10);
        assert!(matches!(files.look_up(SITE, b"/1", NOW), View::Unknown));
        files.ask(Ticket(1));
        files.withdraw(Ticket(1));
        assert!(matches!(files.look_up(SITE, b"/1", NOW), View::Unknown));
    }
}
