//! The rules of eviction, told without links or tables: lists from oldest to newest, searched from end to end.

use super::super::{EvictionCounts, PASSED_OVER_MAX};

#[derive(Clone, Debug)]
struct Kept {
    number: usize,
    fingerprint: u64,
    weight: u64,
    uses: u8,
}

/// Fingerprints and weights, oldest first; no fingerprint where it came back.
type Departed = Vec<(Option<u64>, u64)>;

pub(super) struct Model {
    small: Vec<Kept>,
    main: Vec<Kept>,
    ghost_small: Departed,
    ghost_main: Departed,
    cap: u64,
    small_target: u64,
    pub(super) counts: EvictionCounts,
}

fn bytes(kept: &[Kept]) -> u64 {
    kept.iter().map(|kept| kept.weight).sum()
}

fn take(ghost: &mut Departed, fingerprint: u64) -> bool {
    let found = ghost.iter_mut().find(|it| it.0 == Some(fingerprint));
    let is_found = found.is_some();
    if let Some(found) = found {
        found.0 = None;
    }
    is_found
}

fn trim(ghost: &mut Departed, cap: u64, count_max: usize) {
    let weights = |ghost: &Departed| ghost.iter().map(|it| it.1).sum::<u64>();
    while weights(ghost) > cap * 9 / 10 || ghost.len() > count_max {
        ghost.remove(0);
    }
}

fn count(ghost: &Departed) -> u64 {
    ghost.iter().filter(|it| it.0.is_some()).count() as u64
}

impl Model {
    pub(super) fn new(cap: u64) -> Self {
        Self {
            small: Vec::new(),
            main: Vec::new(),
            ghost_small: Vec::new(),
            ghost_main: Vec::new(),
            cap,
            small_target: cap / 10,
            counts: EvictionCounts::default(),
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        bytes(&self.small) + bytes(&self.main)
    }

    /// True where it is refused.
    pub(super) fn insert(
        &mut self,
        number: usize,
        fingerprint: u64,
        weight: u64,
        evicted: &mut Vec<usize>,
    ) -> bool {
        if weight > self.cap {
            return true;
        }
        let (small, main) = (count(&self.ghost_small), count(&self.ghost_main));
        let votes = |ours: u64, others: u64| {
            let ratio = others * others * 5 / 4 / (ours * ours).max(1);
            ratio.clamp(1, 500)
        };
        let returns = if take(&mut self.ghost_small, fingerprint) {
            self.counts.ghost_hits_small += 1;
            let target = self.small_target + weight * votes(small, main);
            self.small_target = target.min(self.cap * 19 / 20);
            true
        } else if take(&mut self.ghost_main, fingerprint) {
            self.counts.ghost_hits_main += 1;
            let target = self
                .small_target
                .saturating_sub(weight * votes(main, small));
            self.small_target = target.max(self.cap / 20);
            true
        } else {
            false
        };
        while self.bytes() + weight > self.cap {
            evicted.extend(self.evict());
        }
        let kept = Kept {
            number,
            fingerprint,
            weight,
            uses: 0,
        };
        match returns {
            true => self.main.push(kept),
            false => self.small.push(kept),
        }
        false
    }

    pub(super) fn evict(&mut self) -> Option<usize> {
        for turn in 0.. {
            let behind = self.small.get(1..).map_or(0, bytes);
            let is_newcomers_turn =
                !self.small.is_empty() && (behind >= self.small_target || self.main.is_empty());
            let (queue, ghost, count) = if is_newcomers_turn {
                let count = &mut self.counts.evicted_small;
                (&mut self.small, &mut self.ghost_small, count)
            } else {
                let count = &mut self.counts.evicted_main;
                (&mut self.main, &mut self.ghost_main, count)
            };
            if queue.is_empty() {
                return None;
            }
            let mut first = queue.remove(0);
            let was_used = first.uses > 0;
            if !is_newcomers_turn {
                first.uses = first.uses.saturating_sub(1) / 2;
            }
            if was_used && turn < PASSED_OVER_MAX {
                self.main.push(first);
                continue;
            }
            *count += 1;
            take(ghost, first.fingerprint);
            if first.weight <= self.cap * 9 / 10 {
                ghost.push((Some(first.fingerprint), first.weight));
            }
            let count_max = (self.small.len() + self.main.len() + 1) * 9 / 10;
            if first.weight <= self.cap * 9 / 10 {
                let ghost = if is_newcomers_turn {
                    &mut self.ghost_small
                } else {
                    &mut self.ghost_main
                };
                trim(ghost, self.cap, count_max);
            }
            return Some(first.number);
        }
        None
    }

    fn find(&mut self, number: usize) -> Option<(&mut Vec<Kept>, usize)> {
        for queue in [&mut self.small, &mut self.main] {
            if let Some(at) = queue.iter().position(|kept| kept.number == number) {
                return Some((queue, at));
            }
        }
        None
    }

    pub(super) fn hit(&mut self, number: usize) {
        if let Some((queue, at)) = self.find(number) {
            queue[at].uses = (queue[at].uses + 1).min(3);
        }
    }

    pub(super) fn remove(&mut self, number: usize) {
        if let Some((queue, at)) = self.find(number) {
            queue.remove(at);
        }
    }

    pub(super) fn exchange(&mut self, old: usize, new: usize, weight: u64) {
        if let Some((queue, at)) = self.find(old) {
            queue[at].number = new;
            queue[at].weight = weight;
        }
    }

    pub(super) fn renew(&mut self, number: usize) {
        if let Some((queue, at)) = self.find(number) {
            let kept = queue.remove(at);
            queue.push(kept);
        }
    }

    pub(super) fn resize(&mut self, number: usize, weight: u64, evicted: &mut Vec<usize>) {
        if weight > self.cap {
            self.remove(number);
            evicted.push(number);
        } else if let Some((queue, at)) = self.find(number) {
            queue[at].weight = weight;
        }
        self.shrink(evicted);
    }

    pub(super) fn set_cap(&mut self, cap: u64, evicted: &mut Vec<usize>) {
        self.cap = cap;
        self.small_target = self.small_target.clamp(cap / 20, cap * 19 / 20);
        self.shrink(evicted);
        let count_max = (self.small.len() + self.main.len() + 1) * 9 / 10;
        trim(&mut self.ghost_small, cap, count_max);
        trim(&mut self.ghost_main, cap, count_max);
    }

    pub(super) fn shrink(&mut self, evicted: &mut Vec<usize>) {
        while self.bytes() > self.cap {
            evicted.extend(self.evict());
        }
    }
}
