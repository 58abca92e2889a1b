//! Requests for one key that wait for the answer to the first of them (RFC 9111 s4: collapsing).
//!
//! ```text
//!  first request ─▶ Lead ──────── the origin's head is there ─▶ land ─▶ everybody aboard, at once
//!  others        ─▶ Joined, woken when it lands
//! ```
//!
//! A key whose answer could not be shared, or outgrew what may be stored, is remembered for a while: its requests go on to the
//! origin side by side instead of one after the other.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::hash::{BuildHasher as _, RandomState};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;
use tokio::sync::oneshot;

use super::counts::{KeeperCount, KeeperCounts};
use crate::fill::origin::OriginFault;
use crate::index::response::Response;
use crate::policy::rule::Rule;
use crate::store::Object;
use crate::store::body_fault::BodyFault;
use crate::units::MonoNanos;

/// How long a key is remembered whose answer could not be shared.
const ALONE_FOR: Duration = Duration::from_secs(120);

/// Most keys that are remembered so, of each kind: 40 bytes each, whatever a key's size.
const ALONE_MAX: usize = 16_384;

/// What the first request's answer means to those who waited for it.
#[derive(Clone, Debug)]
pub(super) enum Landing {
    /// It is stored: look whether it is an answer for you. Whoever has this may read its body.
    Stored(Arc<Response>, Arc<Object>),
    /// As `Stored`, but no origin was asked for it: it was stored before. No answer for who wants the origin asked.
    Found(Arc<Response>, Arc<Object>),
    /// It is the first request's alone: go on to the origin yourself.
    Alone,
    /// There was none, and there would be none for you.
    Failed(Rule, Option<OriginFault>),
}

impl Landing {
    /// Of a response that was stored before.
    pub(super) fn found(response: &Arc<Response>) -> Self {
        Self::Found(Arc::clone(response), Arc::clone(&response.object))
    }

    /// Of a response that is stored.
    pub(super) fn stored(response: &Arc<Response>) -> Self {
        Self::Stored(Arc::clone(response), Arc::clone(&response.object))
    }
}

/// How a request goes on.
pub(super) enum Boarding {
    /// It asks the origin; whoever comes meanwhile waits for it.
    Lead(Lead),
    /// It waits.
    Joined(oneshot::Receiver<Landing>),
    /// It asks the origin on its own: the key's last answer was not shared.
    Alone,
    /// As many wait as may.
    Full,
}

/// Who waits for a landing.
type Aboard = Vec<oneshot::Sender<Landing>>;

/// The flights of one fill thread.
#[derive(Debug)]
pub(super) struct Flights {
    waiters_max: usize,
    counts: Arc<KeeperCounts>,
    under_way: RefCell<HashMap<Box<[u8]>, Aboard>>,
    alone: RefCell<Remembered<()>>,
    /// With what it outgrew.
    outgrown: RefCell<Remembered<BodyFault>>,
}

/// Keys by their hashes, which nobody outside can foresee, each with a word on it. Of two that share one, the other goes to the origin
/// alone for a while.
#[derive(Debug)]
struct Remembered<W> {
    hasher: RandomState,
    keys: HashMap<u64, W>,
    order: VecDeque<(u64, MonoNanos)>,
}

/// The right to answer for everybody aboard. Dropped without landing, it sends them on alone.
pub(super) struct Lead {
    flights: Rc<Flights>,
    key: Box<[u8]>,
    has_landed: bool,
}

impl Flights {
    /// Flights that at most `waiters_max` requests may wait for, each.
    pub(super) fn new(waiters_max: usize, counts: Arc<KeeperCounts>) -> Rc<Self> {
        Rc::new(Self {
            waiters_max,
            counts,
            under_way: RefCell::default(),
            alone: RefCell::default(),
            outgrown: RefCell::default(),
        })
    }

    /// Takes a request for `key` aboard.
    pub(super) fn board(self: &Rc<Self>, key: &[u8], now: MonoNanos) -> Boarding {
        if self.alone.borrow_mut().find(key, now).is_some() || self.why_outgrown(key, now).is_some()
        {
            return Boarding::Alone;
        }
        let mut under_way = self.under_way.borrow_mut();
        if let Some(aboard) = under_way.get_mut(key) {
            if aboard.len() >= self.waiters_max {
                aboard.retain(|waiting| !waiting.is_closed());
            }
            if aboard.len() >= self.waiters_max {
                return Boarding::Full;
            }
            let (sender, receiver) = oneshot::channel();
            aboard.push(sender);
            return Boarding::Joined(receiver);
        }
        under_way.insert(key.into(), Vec::new());
        Boarding::Lead(Lead {
            flights: Rc::clone(self),
            key: key.into(),
            has_landed: false,
        })
    }
}

impl Flights {
    /// Remembers a key whose answer, of unknown size, outgrew what may be stored, and why it was no more.
    pub(super) fn outgrew(&self, key: &[u8], why: BodyFault, now: MonoNanos) {
        self.remember(&self.outgrown, key, why, now);
    }

    /// Why the key's answer could not be stored a while ago, where it outgrew what may be: of unknown size, it is passed on from the
    /// start.
    pub(super) fn why_outgrown(&self, key: &[u8], now: MonoNanos) -> Option<BodyFault> {
        self.outgrown.borrow_mut().find(key, now)
    }

    fn remember<W: Copy>(
        &self,
        remembered: &RefCell<Remembered<W>>,
        key: &[u8],
        why: W,
        now: MonoNanos,
    ) {
        if !remembered.borrow_mut().add(key, why, now) {
            self.counts.bump(KeeperCount::KeysForgotten);
        }
    }
}

impl Lead {
    /// Tells everybody aboard. `now` is when a key begins to be remembered whose answer is not shared.
    pub(super) fn land(mut self, landing: &Landing, now: MonoNanos) {
        if matches!(landing, Landing::Alone) {
            self.flights
                .remember(&self.flights.alone, &self.key, (), now);
        }
        self.tell(landing);
    }

    fn tell(&mut self, landing: &Landing) {
        self.has_landed = true;
        let aboard = self.flights.under_way.borrow_mut().remove(&self.key);
        for waiting in aboard.into_iter().flatten() {
            // Who has gone needs no answer.
            waiting.send(landing.clone()).ok();
        }
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        if !self.has_landed {
            self.tell(&Landing::Alone);
        }
    }
}

impl<W> Default for Remembered<W> {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            keys: HashMap::new(),
            order: VecDeque::new(),
        }
    }
}

impl<W: Copy> Remembered<W> {
    fn find(&mut self, key: &[u8], now: MonoNanos) -> Option<W> {
        while let Some((oldest, since)) = self.order.front()
            && now.since(*since) >= ALONE_FOR
        {
            self.keys.remove(oldest);
            self.order.pop_front();
        }
        self.keys.get(&self.hasher.hash_one(key)).copied()
    }

    /// Adds a key that is not there yet. Returns false where the oldest one had to make room before its time.
    fn add(&mut self, key: &[u8], why: W, now: MonoNanos) -> bool {
        if self.find(key, now).is_some() {
            return true;
        }
        let oldest = match self.order.len() {
            ALONE_MAX.. => self.order.pop_front(),
            _ => None,
        };
        if let Some((oldest, _)) = oldest {
            self.keys.remove(&oldest);
        }
        let hash = self.hasher.hash_one(key);
        self.keys.insert(hash, why);
        self.order.push_back((hash, now));
        oldest.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: MonoNanos = MonoNanos(1_000_000_000);

    fn lead(flights: &Rc<Flights>, key: &[u8]) -> Lead {
        match flights.board(key, NOW) {
            Boarding::Lead(lead) => lead,
            _ => panic!("somebody else leads"),
        }
    }

    fn join(flights: &Rc<Flights>, key: &[u8]) -> oneshot::Receiver<Landing> {
        match flights.board(key, NOW) {
            Boarding::Joined(receiver) => receiver,
            _ => panic!("not aboard"),
        }
    }

    #[test]
    fn rfc9111_s4_all_who_come_while_one_asks_wait_for_its_answer() {
        let flights = Flights::new(10, Arc::default());
        let leader = lead(&flights, b"a");
        let _other = lead(&flights, b"b");
        let mut joined: Vec<_> = (0..3).map(|_| join(&flights, b"a")).collect();
        leader.land(&Landing::Failed(Rule::OriginTimeout, None), NOW);
        for receiver in &mut joined {
            let landing = receiver.try_recv().unwrap();
            assert!(matches!(
                landing,
                Landing::Failed(Rule::OriginTimeout, None)
            ));
        }
        lead(&flights, b"a");
    }

    #[test]
    fn a_leader_that_is_lost_sends_the_others_on() {
        let flights = Flights::new(10, Arc::default());
        let leader = lead(&flights, b"a");
        let mut joined = join(&flights, b"a");
        drop(leader);
        assert!(matches!(joined.try_recv().unwrap(), Landing::Alone));
        lead(&flights, b"a");
    }

    #[test]
    fn a_key_whose_answer_was_not_shared_is_not_waited_for_again_for_a_while() {
        let flights = Flights::new(10, Arc::default());
        lead(&flights, b"a").land(&Landing::Alone, NOW);
        assert!(matches!(flights.board(b"a", NOW), Boarding::Alone));
        let later = NOW.after(ALONE_FOR);
        assert!(matches!(flights.board(b"a", later), Boarding::Lead(_)));
    }

    #[test]
    fn a_key_that_outgrew_the_store_is_not_waited_for_either() {
        let flights = Flights::new(10, Arc::default());
        lead(&flights, b"a").land(&Landing::Failed(Rule::OriginTimeout, None), NOW);
        flights.outgrew(b"a", BodyFault::NoRoom, NOW);
        assert_eq!(flights.why_outgrown(b"a", NOW), Some(BodyFault::NoRoom));
        assert_eq!(flights.why_outgrown(b"b", NOW), None);
        assert!(matches!(flights.board(b"a", NOW), Boarding::Alone));
        let later = NOW.after(ALONE_FOR);
        assert_eq!(flights.why_outgrown(b"a", later), None);
        assert!(matches!(flights.board(b"a", later), Boarding::Lead(_)));
    }

    #[test]
    fn no_more_wait_than_may_but_those_who_left_make_room() {
        let flights = Flights::new(1, Arc::default());
        let _leader = lead(&flights, b"a");
        let joined = join(&flights, b"a");
        assert!(matches!(flights.board(b"a", NOW), Boarding::Full));
        drop(joined);
        assert!(matches!(flights.board(b"a", NOW), Boarding::Joined(_)));
    }

    #[test]
    fn the_oldest_remembered_key_makes_room_for_another_one_alone() {
        let counts = Arc::<KeeperCounts>::default();
        let flights = Flights::new(1, Arc::clone(&counts));
        let outgrew = |number: usize| {
            flights.outgrew(number.to_string().as_bytes(), BodyFault::TooLarge, NOW);
        };
        let is_known = |key: &[u8]| flights.why_outgrown(key, NOW).is_some();
        for number in 0..ALONE_MAX {
            outgrew(number);
        }
        // One that is known, as a pass that was under way already tells of it.
        outgrew(ALONE_MAX - 1);
        assert!(is_known(b"0"));
        assert_eq!(counts.read(KeeperCount::KeysForgotten), 0);
        outgrew(ALONE_MAX);
        assert!(!is_known(b"0") && is_known(b"1"));
        assert_eq!(counts.read(KeeperCount::KeysForgotten), 1);
        assert_eq!(flights.outgrown.borrow().keys.len(), ALONE_MAX);
    }

    #[test]
    fn keys_whose_time_is_over_make_room_uncounted() {
        let mut remembered = Remembered::default();
        for number in 0..ALONE_MAX {
            assert!(remembered.add(number.to_string().as_bytes(), (), NOW));
        }
        assert!(remembered.add(b"later", (), NOW.after(ALONE_FOR)));
        assert_eq!(remembered.order.len(), 1);
    }
}
