//! The rules of eviction, told without links or tables: lists from oldest to newest, searched from end to end.

use super::super::{EvictionCounts, PASSED_OVER_MAX};

#[derive(Clone, Debug)]
struct Kept {
    number: usize,
    fingerprint: u64,
    weight: u64,
    uses: u8,
}

/// Fingerprints and weights, oldest first.
type Departed = Vec<(u64, u64)>;

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
    let before = ghost.len();
    ghost.retain(|(other, _)| *other != fingerprint);
    ghost.len() < before
}

fn trim(ghost: &mut Departed, cap: u64, count_max: usize) {
    let bytes_max = cap * 9 / 10;
    while ghost.iter().map(|(_, weight)| weight).sum::<u64>() > bytes_max || ghost.len() > count_max
    {
        ghost.remove(0);
    }
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
        let (small, main) = (self.ghost_small.len(), self.ghost_main.len());
        let votes =
            |ours: usize, others: usize| (others * 5 / 4 / ours.max(1)).clamp(1, 500) as u64;
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
            let (queue, ghost, count, divisor) = if is_newcomers_turn {
                let count = &mut self.counts.evicted_small;
                (&mut self.small, &mut self.ghost_small, count, 1)
            } else {
                let count = &mut self.counts.evicted_main;
                (&mut self.main, &mut self.ghost_main, count, 2)
            };
            if queue.is_empty() {
                return None;
            }
            let mut first = queue.remove(0);
            let was_used = first.uses > 0;
            first.uses /= divisor;
            if was_used && turn < PASSED_OVER_MAX {
                self.main.push(first);
                continue;
            }
            *count += 1;
            take(ghost, first.fingerprint);
            if first.weight <= self.cap * 9 / 10 {
                ghost.push((first.fingerprint, first.weight.max(1)));
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
