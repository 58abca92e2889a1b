//! Random steps on the index against lists that are searched from end to end.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Insert {
        key: u8,
        variant: u8,
        weight: u64,
        tags: u8,
    },
    Replace {
        key: u8,
        at: usize,
        weight: u64,
    },
    Hit(u8),
    Remove {
        key: u8,
        at: usize,
    },
    RemoveKey(u8),
    PurgeTag(u8, bool),
    PurgePrefix(u8, bool),
    Cap(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let weight = prop_oneof![9 => 0..300_u64, 1 => 0..20_000_u64];
    let (key, tag) = (0..40_u8, 0..4_u8);
    prop_oneof![
        30 => (key.clone(), 0..3_u8, weight.clone(), 0..16_u8)
            .prop_map(|(key, variant, weight, tags)| Step::Insert { key, variant, weight, tags }),
        5 => (key.clone(), any::<usize>(), weight)
            .prop_map(|(key, at, weight)| Step::Replace { key, at, weight }),
        10 => key.clone().prop_map(Step::Hit),
        3 => (key.clone(), any::<usize>()).prop_map(|(key, at)| Step::Remove { key, at }),
        2 => key.prop_map(Step::RemoveKey),
        1 => (tag, any::<bool>()).prop_map(|(tag, is_soft)| Step::PurgeTag(tag, is_soft)),
        1 => (0..4_u8, any::<bool>()).prop_map(|(digit, is_soft)| Step::PurgePrefix(digit, is_soft)),
        1 => (0..40_000_u64).prop_map(Step::Cap),
    ]
}

/// The index and what should be in it: by key, most recent first.
struct Pair {
    index: CachedIndex<Response>,
    model: BTreeMap<Vec<u8>, Vec<Arc<Response>>>,
    number: u64,
}

fn key(number: u8) -> String {
    format!("/{}/{number}", number % 4)
}

impl Pair {
    fn response(&mut self, key: u8, variant: u8, weight: u64, tags: u8) -> Arc<Response> {
        self.number += 1;
        let names = ["t0", "t1", "t2", "t3"];
        let tags: Vec<&str> = (0..4)
            .filter(|bit| tags & (1 << bit) != 0)
            .map(|bit| names[bit])
            .collect();
        Response::new(&self::key(key))
            .variant(&variant.to_string())
            .weight(weight)
            .tags(&tags)
            .number(self.number)
            .shared()
    }

    fn pick(&self, key: u8, at: usize) -> Option<Arc<Response>> {
        let values = self.model.get(self::key(key).as_bytes())?;
        values.get(at % values.len()).cloned()
    }

    fn forget(&mut self, value: &Arc<Response>) {
        let values = self.model.get_mut(&value.key).unwrap();
        let at = values.iter().position(|it| Arc::ptr_eq(it, value));
        values.remove(at.expect("it was in the index"));
        self.model.retain(|_, values| !values.is_empty());
    }

    /// Brings the model in line with what the index says it did.
    fn digest(&mut self, value: &Arc<Response>, inserted: Inserted<Response>) {
        if let Some(replaced) = &inserted.replaced {
            assert_eq!(
                (&replaced.key, &replaced.variant),
                (&value.key, &value.variant)
            );
            self.forget(replaced);
        } else if inserted.is_stored() {
            let others = self.model.get(&value.key).into_iter().flatten();
            assert!(others.into_iter().all(|it| it.variant != value.variant));
        }
        assert!(inserted.crowded_out.is_none());
        if inserted.is_stored() {
            let values = self.model.entry(value.key.clone()).or_default();
            values.insert(0, Arc::clone(value));
        }
        inserted.evicted.iter().for_each(|it| self.forget(it));
    }

    fn purge(&mut self, matcher: &Matcher<'_>, is_soft: bool) {
        let mut marks = Vec::new();
        let purge = self.index.purge(matcher, |it| {
            is_soft.then(|| {
                let mark = it.stale();
                marks.push(Arc::clone(&mark));
                mark
            })
        });
        // What went before its turn for the memory of the purge itself, and marks that went afterwards.
        let purge_count = purge.count;
        let is_mark = |it: &Arc<Response>| marks.iter().any(|mark| Arc::ptr_eq(mark, it));
        let (late, early): (Vec<_>, Vec<_>) = purge.evicted.into_iter().partition(is_mark);
        early.iter().for_each(|it| self.forget(it));
        let mut count = 0;
        for values in self.model.values_mut() {
            values.retain_mut(|it| {
                let is_meant = matcher.matches(&**it);
                count += u64::from(is_meant);
                if is_meant && is_soft {
                    let mark = marks.iter().find(|mark| mark.number == it.number);
                    *it = Arc::clone(mark.expect("it was marked"));
                }
                !is_meant || is_soft
            });
        }
        self.model.retain(|_, values| !values.is_empty());
        assert_eq!(purge_count, count);
        late.iter().for_each(|it| self.forget(it));
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Insert {
                key,
                variant,
                weight,
                tags,
            } => {
                let value = self.response(key, variant, weight, tags);
                let inserted = self.index.insert(Arc::clone(&value));
                self.digest(&value, inserted);
            }
            Step::Replace { key, at, weight } => {
                if let Some(old) = self.pick(key, at) {
                    let variant = old.variant[0] - b'0';
                    let new = self.response(key, variant, weight, 1);
                    let inserted = self.index.replace(&old, &new);
                    assert!(
                        inserted
                            .replaced
                            .as_ref()
                            .is_some_and(|it| Arc::ptr_eq(it, &old))
                    );
                    self.digest(&new, inserted);
                }
            }
            Step::Hit(key) => {
                if let Some(found) = self.index.find(self::key(key).as_bytes()) {
                    found.iter().for_each(|it| it.uses.bump());
                }
            }
            Step::Remove { key, at } => {
                if let Some(value) = self.pick(key, at) {
                    assert!(self.index.remove(&value));
                    self.forget(&value);
                }
            }
            Step::RemoveKey(key) => {
                let key = self::key(key).into_bytes();
                let count = self.model.remove(&key).map_or(0, |it| it.len() as u64);
                assert_eq!(self.index.remove_key(&key), count);
            }
            Step::PurgeTag(tag, is_soft) => {
                self.purge(&Matcher::Tag(format!("t{tag}").as_bytes()), is_soft);
            }
            Step::PurgePrefix(digit, is_soft) => {
                self.purge(&Matcher::Prefix(format!("/{digit}/").as_bytes()), is_soft);
            }
            Step::Cap(bytes) => {
                let cap = empty_bytes(0) + bytes;
                let evicted = self.index.set_cap(cap);
                evicted.iter().for_each(|it| self.forget(it));
            }
        }
    }

    fn check(&self) {
        let mut values = 0;
        for number in 0..40 {
            let key = key(number).into_bytes();
            let found = self.index.find(&key);
            let found: Vec<u64> = found
                .iter()
                .flat_map(Found::iter)
                .inspect(|it| assert_eq!(it.key, key))
                .map(|it| it.number)
                .collect();
            let expected = self.model.get(&key).into_iter().flatten();
            let expected: Vec<u64> = expected.map(|it| it.number).collect();
            assert_eq!(found, expected);
            values += found.len() as u64;
        }
        let stats = self.index.stats();
        assert!(stats.bytes <= stats.cap_bytes || values == 0, "{stats:?}");
        assert_eq!(stats.values, values);
        let weights = self.model.values().flatten().map(|it| it.weight);
        assert_eq!(stats.bytes, stats.overhead_bytes + weights.sum::<u64>());
        let (counts, eviction) = (stats.counts, stats.eviction);
        let gone = counts.replaced + counts.removed + counts.purged + counts.crowded_out;
        let evicted = eviction.evicted_small + eviction.evicted_main;
        assert_eq!(counts.inserted, values + gone + evicted);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn index_holds_what_the_model_holds_after_every_step(
        bytes in 0..40_000_u64,
        steps in prop::collection::vec(step(), 1..200),
    ) {
        let mut pair = Pair {
            index: index(bytes),
            model: BTreeMap::new(),
            number: 0,
        };
        for step in &steps {
            pair.take(step);
            pair.check();
        }
        // Nothing but the model keeps a value once it is removed.
        let held: Vec<_> = pair.model.values().flatten().map(Arc::downgrade).collect();
        pair.index.purge(&Matcher::All, |_| None);
        pair.model.clear();
        prop_assert!(held.iter().all(|it| it.upgrade().is_none()));
    }
}
