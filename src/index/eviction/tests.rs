//! The queues against a slow model of the same rules, and what each rule is for.

mod model;

use std::collections::BTreeSet;
use std::rc::Rc;

use proptest::prelude::*;

use super::*;
use model::Model;

/// A value that knows its number.
#[derive(Debug)]
pub(super) struct Value {
    number: usize,
    uses: UseCount,
}

impl Counted for Rc<Value> {
    fn uses(&self) -> &UseCount {
        &self.uses
    }
}

fn value(number: usize) -> Rc<Value> {
    Rc::new(Value {
        number,
        uses: UseCount::new(),
    })
}

fn numbers(handles: &[Rc<Value>]) -> Vec<usize> {
    handles.iter().map(|handle| handle.number).collect()
}

#[derive(Clone, Debug)]
enum Step {
    Insert { fingerprint: u64, weight: u64 },
    Hit(usize),
    Remove(usize),
    Exchange(usize, u64),
    Renew(usize),
    Resize(usize, u64),
    Cap(u64),
    Evict,
}

fn step() -> impl Strategy<Value = Step> {
    let weight = prop_oneof![8 => 0..40_u64, 1 => 0..2000_u64];
    prop_oneof![
        20 => (0..60_u64, weight.clone())
            .prop_map(|(fingerprint, weight)| Step::Insert { fingerprint, weight }),
        20 => any::<usize>().prop_map(Step::Hit),
        2 => any::<usize>().prop_map(Step::Remove),
        1 => (any::<usize>(), weight.clone()).prop_map(|(at, weight)| Step::Exchange(at, weight)),
        1 => any::<usize>().prop_map(Step::Renew),
        1 => (any::<usize>(), weight).prop_map(|(at, weight)| Step::Resize(at, weight)),
        1 => (0..1500_u64).prop_map(Step::Cap),
        1 => Just(Step::Evict),
    ]
}

/// The queues and their model side by side.
struct Pair {
    fifo: S3Fifo<Rc<Value>>,
    model: Model,
    /// What should be inside: handle and place.
    inside: Vec<(Rc<Value>, Place)>,
    handed_back: BTreeSet<usize>,
    inserted: usize,
    cap: u64,
}

impl Pair {
    fn new(cap: u64) -> Self {
        Self {
            fifo: S3Fifo::new(cap),
            model: Model::new(cap),
            inside: Vec::new(),
            handed_back: BTreeSet::new(),
            inserted: 0,
            cap,
        }
    }

    fn take(&mut self, step: &Step) {
        let mut evicted = Vec::new();
        let mut expected = Vec::new();
        let count = self.inside.len();
        let pick = |at: usize| at.checked_rem(count);
        match *step {
            Step::Insert {
                fingerprint,
                weight,
            } => {
                let (gone, model_gone) = (&mut evicted, &mut expected);
                self.insert(fingerprint, weight, gone, model_gone);
            }
            Step::Hit(at) => {
                if let Some(at) = pick(at) {
                    self.inside[at].0.uses.bump();
                    self.model.hit(self.inside[at].0.number);
                }
            }
            Step::Remove(at) => {
                if let Some(at) = pick(at) {
                    let (handle, place) = self.inside[at].clone();
                    evicted.extend(self.fifo.remove(place));
                    self.model.remove(handle.number);
                    expected.push(handle.number);
                }
            }
            Step::Exchange(at, weight) => {
                if let Some(at) = pick(at).filter(|_| weight <= self.cap) {
                    let new = value(self.inserted);
                    self.inserted += 1;
                    let (old, place) =
                        std::mem::replace(&mut self.inside[at], (Rc::clone(&new), Place(0)));
                    self.inside[at].1 = place;
                    self.model.exchange(old.number, new.number, weight);
                    let back = self.fifo.exchange(place, new, weight).unwrap();
                    assert_eq!(back.number, old.number);
                    assert!(self.handed_back.insert(back.number));
                    self.fifo.shrink(&mut evicted);
                    self.model.shrink(&mut expected);
                }
            }
            Step::Renew(at) => {
                if let Some(at) = pick(at) {
                    self.fifo.renew(self.inside[at].1);
                    self.model.renew(self.inside[at].0.number);
                }
            }
            Step::Resize(at, weight) => {
                if let Some(at) = pick(at) {
                    let (handle, place) = self.inside[at].clone();
                    self.fifo.resize(place, weight, &mut evicted);
                    self.model.resize(handle.number, weight, &mut expected);
                }
            }
            Step::Cap(cap) => {
                self.cap = cap;
                self.fifo.set_cap(cap, &mut evicted);
                self.model.set_cap(cap, &mut expected);
            }
            Step::Evict => {
                evicted.extend(self.fifo.evict());
                expected.extend(self.model.evict());
            }
        }
        assert_eq!(numbers(&evicted), expected, "{step:?}");
        for handle in evicted {
            self.inside.retain(|(kept, _)| kept.number != handle.number);
            assert!(self.handed_back.insert(handle.number), "handed back twice");
        }
    }

    fn insert(
        &mut self,
        fingerprint: u64,
        weight: u64,
        evicted: &mut Vec<Rc<Value>>,
        expected: &mut Vec<usize>,
    ) {
        let handle = value(self.inserted);
        self.inserted += 1;
        let number = handle.number;
        let refused = self.model.insert(number, fingerprint, weight, expected);
        let kept = Rc::clone(&handle);
        match self.fifo.insert(handle, fingerprint, weight, evicted) {
            Ok(place) => {
                assert!(!refused);
                self.inside.push((kept, place));
            }
            Err(handle) => {
                assert!(refused && weight > self.cap);
                assert!(self.handed_back.insert(handle.number));
            }
        }
    }

    fn check(&self) {
        assert!(self.fifo.bytes() <= self.cap);
        assert_eq!(self.fifo.bytes(), self.model.bytes());
        assert_eq!(self.fifo.len(), self.inside.len());
        assert_eq!(self.fifo.is_empty(), self.inside.is_empty());
        assert_eq!(self.inside.len() + self.handed_back.len(), self.inserted);
        assert_eq!(self.fifo.counts(), self.model.counts);
        for (handle, place) in &self.inside {
            assert_eq!(self.fifo.at(*place).unwrap().number, handle.number);
            // The queues' and the test's own: nothing else keeps it.
            assert_eq!(Rc::strong_count(handle), 2);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn queues_decide_as_the_model_keep_the_cap_and_hand_each_value_back_once(
        cap in 0..1500_u64,
        steps in prop::collection::vec(step(), 1..400),
    ) {
        let mut pair = Pair::new(cap);
        for step in &steps {
            pair.take(step);
            pair.check();
        }
    }
}

fn fill(fifo: &mut S3Fifo<Rc<Value>>, numbers: std::ops::Range<usize>) -> Vec<usize> {
    let mut evicted = Vec::new();
    for number in numbers {
        fifo.insert(value(number), number as u64, 1, &mut evicted)
            .unwrap();
    }
    self::numbers(&evicted)
}

#[test]
fn use_count_saturates_at_three_and_a_turn_costs_most_of_it() {
    for (bumps, count, left) in [(0, 0, 0), (1, 1, 0), (2, 2, 0), (3, 3, 1), (4, 3, 1)] {
        let uses = UseCount::new();
        (0..bumps).for_each(|_| uses.bump());
        assert_eq!(uses.count(), count);
        assert_eq!(uses.spend(), count > 0);
        assert_eq!(uses.count(), left);
    }
}

#[test]
fn scan_of_values_nobody_asks_for_twice_leaves_the_others_alone() {
    let mut fifo = S3Fifo::new(100);
    let mut evicted = Vec::new();
    for number in 0..80 {
        let handle = value(number);
        handle.uses.bump();
        fifo.insert(handle, number as u64, 1, &mut evicted).unwrap();
    }
    assert_eq!(fill(&mut fifo, 1000..1020), [0; 0]);
    // The first eviction finds the newcomers that were asked for at the end of the small queue and moves them on.
    let gone = fill(&mut fifo, 1020..3000);
    assert_eq!(gone, (1000..2980).collect::<Vec<_>>());
}

#[test]
fn value_that_comes_back_from_the_ghost_queue_outlives_newcomers() {
    let mut fifo = S3Fifo::new(100);
    assert_eq!(fill(&mut fifo, 0..101), [0]);
    // 0 was let go too early: it stands in the main queue now, and newcomers pass by.
    assert_eq!(fill(&mut fifo, 0..1), [1]);
    assert_eq!(fifo.counts().ghost_hits_small, 1);
    let gone = fill(&mut fifo, 2000..2300);
    assert!(!gone.contains(&0));
}

#[test]
fn value_larger_than_the_small_queues_share_gets_the_time_of_any_other() {
    let mut fifo = S3Fifo::new(100);
    let mut evicted = Vec::new();
    // Something in the main queue, so that newcomers are not all there is.
    for number in 0..60 {
        let handle = value(number);
        handle.uses.bump();
        fifo.insert(handle, number as u64, 1, &mut evicted).unwrap();
    }
    fifo.insert(value(500), 500, 40, &mut evicted).unwrap();
    assert_eq!(numbers(&evicted), [0; 0]);
    // Ten bytes come in behind it before it goes.
    let gone = fill(&mut fifo, 600..610);
    assert!(!gone.contains(&500), "{gone:?}");
    let gone = fill(&mut fifo, 610..612);
    assert!(gone.contains(&500), "{gone:?}");
}

#[test]
fn value_above_the_cap_is_refused_and_nothing_goes_for_it() {
    let mut fifo = S3Fifo::new(10);
    let mut evicted = Vec::new();
    fifo.insert(value(1), 1, 10, &mut evicted).unwrap();
    let refused = fifo.insert(value(2), 2, 11, &mut evicted).unwrap_err();
    assert_eq!((refused.number, fifo.len(), evicted.len()), (2, 1, 0));
    let place = fifo.insert(value(3), 3, u64::MAX, &mut evicted);
    assert!(place.is_err());
}

#[test]
fn eviction_among_values_that_are_all_asked_for_ends() {
    let mut fifo = S3Fifo::new(10_000);
    let mut evicted = Vec::new();
    let handles: Vec<_> = (0..10_000).map(value).collect();
    for handle in &handles {
        let fingerprint = handle.number as u64;
        fifo.insert(Rc::clone(handle), fingerprint, 1, &mut evicted)
            .unwrap();
        (0..3).for_each(|_| handle.uses.bump());
    }
    fifo.insert(value(10_000), 10_000, 1, &mut evicted).unwrap();
    assert_eq!(evicted.len(), 1);
    assert_eq!(evicted[0].number, PASSED_OVER_MAX);
}

#[test]
fn own_memory_follows_the_number_of_values() {
    let mut fifo = S3Fifo::new(100_000);
    fill(&mut fifo, 0..300_000);
    assert_eq!(fifo.len(), 100_000);
    let each = fifo.own_bytes() / fifo.len() as u64;
    // A node, and up to three quarters of a ghost in each of the two queues.
    assert!((40..=110).contains(&each), "{each} bytes a value");
}
