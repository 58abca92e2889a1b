//! Requests for one key that wait for the answer to the first of them (RFC 9111 s4: collapsing).
//!
//! ```text
//!  first request ─▶ Lead ──────── the origin's head is there ─▶ land ─▶ everybody aboard, at once
//!  others        ─▶ Joined, woken when it lands
//! ```
//!
//! A flight whose answer could not be shared, for a reason that lies in the response, or answers nobody else, or outgrew what may be
//! stored, is remembered for a while: its requests go on to the origin side by side instead of one after the other. It is forgotten
//! with the first answer that is stored and answers others.

use std::cell::{Cell, RefCell};
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
use crate::policy::status;
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
    /// It is the first request's alone, as yours would be: go on to the origin yourself.
    Alone,
    /// It is the first request's alone, which says nothing of yours: board again.
    Again,
    /// It is that of an origin that fails, with this status, and the first request's alone: where nothing stands in, board again.
    Status(u16),
    /// There was none, and there would be none for you.
    Failed(Rule, Option<OriginFault>),
}

/// Why requests are with the origin side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lone {
    /// Their answers are not stored.
    Unshared,
    /// They are stored, and each has to be validated before it answers another one.
    NeverFresh,
}

/// A request that boards.
pub(super) struct Passenger<'k> {
    /// The key of its URL.
    pub(super) key: &'k [u8],
    /// The name of the flights that it shares.
    pub(super) flight: &'k [u8],
    /// Only a flight that began after this count of them is for it.
    pub(super) since: Option<u64>,
    /// Whether others may wait for its answer.
    pub(super) leads: bool,
}

impl Landing {
    /// Of a response that was stored before.
    pub(super) fn found(response: &Arc<Response>) -> Self {
        Self::Found(Arc::clone(response), Arc::clone(&response.object))
    }

    /// Of an answer with this status that is not stored.
    pub(super) const fn not_stored(answer: u16) -> Self {
        match answer {
            500.. => Self::Status(answer),
            _ if status::is_of_the_resource(answer) => Self::Alone,
            _ => Self::Again,
        }
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
    /// It waits for the end of a flight that is not for it, since it began too early.
    Watching(oneshot::Receiver<Landing>),
    /// It asks the origin on its own: nobody is to wait for it, or the last answer did not do for others.
    Alone(Lone),
    /// As many wait as may.
    Full,
}

/// A flight under way.
#[derive(Debug)]
struct Flight {
    /// How many had begun with it.
    number: u64,
    /// Who waits for it to land.
    aboard: Vec<oneshot::Sender<Landing>>,
}

/// The flights of one fill thread.
#[derive(Debug)]
pub(super) struct Flights {
    waiters_max: usize,
    counts: Arc<KeeperCounts>,
    under_way: RefCell<HashMap<Box<[u8]>, Flight>>,
    count: Cell<u64>,
    alone: RefCell<Remembered<Lone>>,
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

/// The right to answer for everybody aboard. Dropped without landing, it has them board again.
pub(super) struct Lead {
    flights: Rc<Flights>,
    flight: Box<[u8]>,
    has_landed: bool,
}

impl Flights {
    /// Flights that at most `waiters_max` requests may wait for, each.
    pub(super) fn new(waiters_max: usize, counts: Arc<KeeperCounts>) -> Rc<Self> {
        Rc::new(Self {
            waiters_max,
            counts,
            under_way: RefCell::default(),
            count: Cell::new(0),
            alone: RefCell::default(),
            outgrown: RefCell::default(),
        })
    }

    /// How many flights have begun.
    pub(super) fn count(&self) -> u64 {
        self.count.get()
    }

    /// Takes a request aboard.
    pub(super) fn board(self: &Rc<Self>, passenger: &Passenger<'_>, now: MonoNanos) -> Boarding {
        let lone = self.alone.borrow_mut().find(passenger.flight, now);
        let outgrown = self.why_outgrown(passenger.key, now);
        if let Some(lone) = lone.or(outgrown.map(|_| Lone::Unshared)) {
            return Boarding::Alone(lone);
        }
        let mut under_way = self.under_way.borrow_mut();
        if let Some(Flight { number, aboard }) = under_way.get_mut(passenger.flight) {
            if aboard.len() >= self.waiters_max {
                aboard.retain(|waiting| !waiting.is_closed());
            }
            if aboard.len() >= self.waiters_max {
                return Boarding::Full;
            }
            let (sender, receiver) = oneshot::channel();
            aboard.push(sender);
            return match passenger.since {
                Some(since) if *number <= since => Boarding::Watching(receiver),
                _ => Boarding::Joined(receiver),
            };
        }
        if !passenger.leads {
            return Boarding::Alone(Lone::Unshared);
        }
        let number = self.count.get() + 1;
        self.count.set(number);
        let flight = Flight {
            number,
            aboard: Vec::new(),
        };
        under_way.insert(passenger.flight.into(), flight);
        Boarding::Lead(Lead {
            flights: Rc::clone(self),
            flight: passenger.flight.into(),
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

    /// Notes that a response was stored which answers others than the request that it came for.
    pub(super) fn answers_others(&self, flight: &[u8]) {
        self.alone.borrow_mut().forget(flight);
    }

    /// Notes that others waited for a response that was stored, and have to have it validated.
    pub(super) fn answers_nobody_else(&self, flight: &[u8], now: MonoNanos) {
        self.remember(&self.alone, flight, Lone::NeverFresh, now);
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
    /// Whether somebody waits.
    pub(super) fn has_others_aboard(&self) -> bool {
        let under_way = self.flights.under_way.borrow();
        let flight = under_way.get(&self.flight);
        flight.is_some_and(|flight| flight.aboard.iter().any(|waiting| !waiting.is_closed()))
    }

    /// Tells everybody aboard. `now` is when a flight begins to be remembered whose answer is not shared.
    pub(super) fn land(mut self, landing: &Landing, now: MonoNanos) {
        if matches!(landing, Landing::Alone) {
            let flights = &self.flights;
            flights.remember(&flights.alone, &self.flight, Lone::Unshared, now);
        }
        self.tell(landing);
    }

    fn tell(&mut self, landing: &Landing) {
        self.has_landed = true;
        let flight = self.flights.under_way.borrow_mut().remove(&self.flight);
        for waiting in flight.into_iter().flat_map(|flight| flight.aboard) {
            // Who has gone needs no answer.
            waiting.send(landing.clone()).ok();
        }
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        if !self.has_landed {
            self.tell(&Landing::Again);
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

    fn forget(&mut self, key: &[u8]) {
        let hash = self.hasher.hash_one(key);
        if self.keys.remove(&hash).is_some() {
            self.order.retain(|(other, _)| *other != hash);
        }
    }

    /// Adds a key, or says another word of one that is there. Returns false where the oldest one had to make room before its time.
    fn add(&mut self, key: &[u8], why: W, now: MonoNanos) -> bool {
        if self.find(key, now).is_some() {
            self.keys.insert(self.hasher.hash_one(key), why);
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

    fn board_at(flights: &Rc<Flights>, key: &[u8], now: MonoNanos) -> Boarding {
        let passenger = Passenger {
            key,
            flight: key,
            since: None,
            leads: true,
        };
        flights.board(&passenger, now)
    }

    fn board(flights: &Rc<Flights>, key: &[u8]) -> Boarding {
        board_at(flights, key, NOW)
    }

    fn lead(flights: &Rc<Flights>, key: &[u8]) -> Lead {
        match board(flights, key) {
            Boarding::Lead(lead) => lead,
            _ => panic!("somebody else leads"),
        }
    }

    fn join(flights: &Rc<Flights>, key: &[u8]) -> oneshot::Receiver<Landing> {
        match board(flights, key) {
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
    fn only_who_waits_is_aboard() {
        let flights = Flights::new(10, Arc::default());
        let leader = lead(&flights, b"a");
        assert!(!leader.has_others_aboard());
        let joined = join(&flights, b"a");
        assert!(leader.has_others_aboard());
        drop(joined);
        assert!(!leader.has_others_aboard());
    }

    #[test]
    fn a_leader_that_is_lost_has_the_others_board_again() {
        let flights = Flights::new(10, Arc::default());
        let leader = lead(&flights, b"a");
        let mut joined = join(&flights, b"a");
        drop(leader);
        assert!(matches!(joined.try_recv().unwrap(), Landing::Again));
        lead(&flights, b"a");
    }

    #[test]
    fn a_key_whose_answer_was_not_shared_is_not_waited_for_again_for_a_while() {
        let flights = Flights::new(10, Arc::default());
        lead(&flights, b"a").land(&Landing::Alone, NOW);
        assert!(is_alone(&flights, b"a", Lone::Unshared));
        let later = NOW.after(ALONE_FOR);
        assert!(matches!(board_at(&flights, b"a", later), Boarding::Lead(_)));
    }

    fn is_alone(flights: &Rc<Flights>, key: &[u8], wanted: Lone) -> bool {
        matches!(board(flights, key), Boarding::Alone(lone) if lone == wanted)
    }

    #[test]
    fn only_what_will_not_be_stored_the_next_time_either_is_remembered() {
        let flights = Flights::new(10, Arc::default());
        for status in [200, 302, 404] {
            lead(&flights, b"a").land(&Landing::not_stored(status), NOW);
            assert!(is_alone(&flights, b"a", Lone::Unshared), "{status}");
            flights.answers_others(b"a");
        }
        for status in [206, 304, 400, 401, 403, 412, 416, 429, 500, 503] {
            lead(&flights, b"a").land(&Landing::not_stored(status), NOW);
            assert!(
                matches!(board(&flights, b"a"), Boarding::Lead(_)),
                "{status}"
            );
        }
        drop(lead(&flights, b"a"));
        lead(&flights, b"a");
    }

    #[test]
    fn what_answers_others_ends_what_was_remembered() {
        let flights = Flights::new(10, Arc::default());
        flights.answers_nobody_else(b"a", NOW);
        assert!(is_alone(&flights, b"a", Lone::NeverFresh));
        flights.answers_others(b"b");
        assert!(is_alone(&flights, b"a", Lone::NeverFresh));
        flights.answers_others(b"a");
        // It is remembered anew from then on, and not by what was forgotten.
        lead(&flights, b"a").land(&Landing::Alone, NOW.after(ALONE_FOR / 2));
        let later = NOW.after(ALONE_FOR);
        assert!(matches!(
            board_at(&flights, b"a", later),
            Boarding::Alone(Lone::Unshared)
        ));
        let later = NOW.after(ALONE_FOR / 2).after(ALONE_FOR);
        assert!(matches!(board_at(&flights, b"a", later), Boarding::Lead(_)));
        assert!(flights.alone.borrow().order.is_empty());
    }

    #[test]
    fn who_wants_the_origin_asked_joins_only_a_flight_that_began_since() {
        let flights = Flights::new(10, Arc::default());
        let insists = |since| Passenger {
            key: b"a",
            flight: b"a",
            since: Some(since),
            leads: true,
        };
        let first = lead(&flights, b"a");
        let came = flights.count();
        let board = |since| flights.board(&insists(since), NOW);
        assert!(matches!(board(came), Boarding::Watching(_)));
        drop(first);
        let Boarding::Lead(_second) = board(came) else {
            panic!("somebody else leads");
        };
        assert!(matches!(board(came), Boarding::Joined(_)));
        assert!(matches!(board(flights.count()), Boarding::Watching(_)));
    }

    #[test]
    fn who_may_not_lead_joins_or_goes_alone() {
        let flights = Flights::new(10, Arc::default());
        let follows = Passenger {
            key: b"a",
            flight: b"a",
            since: None,
            leads: false,
        };
        assert!(matches!(flights.board(&follows, NOW), Boarding::Alone(_)));
        let _leader = lead(&flights, b"a");
        assert!(matches!(flights.board(&follows, NOW), Boarding::Joined(_)));
    }

    #[test]
    fn a_key_that_outgrew_the_store_is_not_waited_for_either() {
        let flights = Flights::new(10, Arc::default());
        lead(&flights, b"a").land(&Landing::Failed(Rule::OriginTimeout, None), NOW);
        flights.outgrew(b"a", BodyFault::NoRoom, NOW);
        assert_eq!(flights.why_outgrown(b"a", NOW), Some(BodyFault::NoRoom));
        assert_eq!(flights.why_outgrown(b"b", NOW), None);
        assert!(is_alone(&flights, b"a", Lone::Unshared));
        let later = NOW.after(ALONE_FOR);
        assert_eq!(flights.why_outgrown(b"a", later), None);
        assert!(matches!(board_at(&flights, b"a", later), Boarding::Lead(_)));
    }

    #[test]
    fn no_more_wait_than_may_but_those_who_left_make_room() {
        let flights = Flights::new(1, Arc::default());
        let _leader = lead(&flights, b"a");
        let joined = join(&flights, b"a");
        assert!(matches!(board(&flights, b"a"), Boarding::Full));
        drop(joined);
        assert!(matches!(board(&flights, b"a"), Boarding::Joined(_)));
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
