//! Who has waited longest, by kind of wait: one first-in-first-out list per kind, linked through the slots.
//!
//! All waits of a kind have the same length, so the list's order is the order of the deadlines, and moving a
//! connection is a handful of stores. Pure: times are passed in; slots are numbers.

use std::time::Duration;

use crate::units::MonoNanos;

const NONE: u32 = u32::MAX;

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Wait {
    /// The rest of a request head.
    Head,
    /// The next request of a kept-alive connection.
    Idle,
    /// The rest of a request body that is thrown away.
    Body,
    /// The next bytes of a request body that goes to the origin.
    Upload,
    /// The client to take bytes.
    Send,
    /// The fill threads.
    Fill,
    /// The origin, through the fill threads, which have deadlines of their own.
    Origin,
    /// The client to close after the last answer.
    Linger,
}

impl Wait {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::Head,
        Self::Idle,
        Self::Body,
        Self::Upload,
        Self::Send,
        Self::Fill,
        Self::Origin,
        Self::Linger,
    ];
}

#[derive(Clone, Copy, Debug)]
struct Node {
    previous: u32,
    next: u32,
    since: MonoNanos,
    wait: Option<Wait>,
}

#[derive(Clone, Copy, Debug)]
struct Ends {
    first: u32,
    last: u32,
}

/// The waits of a worker's connections.
#[derive(Debug)]
pub struct Deadlines {
    lengths: [Duration; Wait::ALL.len()],
    lists: [Ends; Wait::ALL.len()],
    nodes: Vec<Node>,
}

impl Deadlines {
    /// No waits yet; `lengths` in the order of [`Wait::ALL`].
    #[must_use]
    pub fn new(lengths: [Duration; Wait::ALL.len()]) -> Self {
        let empty = Ends {
            first: NONE,
            last: NONE,
        };
        Self {
            lengths,
            lists: [empty; Wait::ALL.len()],
            nodes: Vec::new(),
        }
    }

    /// Changes the lengths; running waits end by the new ones.
    pub fn set_lengths(&mut self, lengths: [Duration; Wait::ALL.len()]) {
        self.lengths = lengths;
    }

    /// `slot` waits for `wait` from `now` on; an earlier wait of it ends.
    pub fn begin(&mut self, slot: u32, wait: Wait, now: MonoNanos) {
        let index = slot as usize;
        if index >= self.nodes.len() {
            let idle = Node {
                previous: NONE,
                next: NONE,
                since: MonoNanos(0),
                wait: None,
            };
            self.nodes.resize(index + 1, idle);
        }
        self.end(slot);
        let list = &mut self.lists[wait as usize];
        let last = std::mem::replace(&mut list.last, slot);
        if last == NONE {
            list.first = slot;
        } else {
            self.nodes[last as usize].next = slot;
        }
        self.nodes[index] = Node {
            previous: last,
            next: NONE,
            since: now,
            wait: Some(wait),
        };
    }

    /// `slot` waits for nothing any more.
    pub fn end(&mut self, slot: u32) {
        let Some(node) = self.nodes.get_mut(slot as usize) else {
            return;
        };
        let Some(wait) = node.wait.take() else { return };
        let Node { previous, next, .. } = *node;
        let list = &mut self.lists[wait as usize];
        if previous == NONE {
            list.first = next;
        } else {
            self.nodes[previous as usize].next = next;
        }
        if next == NONE {
            list.last = previous;
        } else {
            self.nodes[next as usize].previous = previous;
        }
    }

    /// What `slot` waits for.
    #[must_use]
    pub fn waits_for(&self, slot: u32) -> Option<Wait> {
        self.nodes.get(slot as usize)?.wait
    }

    /// The slot that has waited longest for `wait`, and since when.
    #[must_use]
    pub fn oldest(&self, wait: Wait) -> Option<(u32, MonoNanos)> {
        let first = self.lists[wait as usize].first;
        (first != NONE).then(|| (first, self.nodes[first as usize].since))
    }

    /// Ends and returns one wait whose deadline has passed.
    pub fn expire(&mut self, now: MonoNanos) -> Option<(u32, Wait)> {
        let (slot, wait) = Wait::ALL.into_iter().find_map(|wait| {
            let (slot, since) = self.oldest(wait)?;
            (now.since(since) >= self.lengths[wait as usize]).then_some((slot, wait))
        })?;
        self.end(slot);
        Some((slot, wait))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LENGTHS: [Duration; Wait::ALL.len()] = [Duration::from_nanos(10); Wait::ALL.len()];

    #[test]
    fn the_oldest_goes_first_and_a_new_wait_moves_to_the_end() {
        let mut deadlines = Deadlines::new(LENGTHS);
        for slot in [3, 1, 2] {
            deadlines.begin(slot, Wait::Idle, MonoNanos(u64::from(slot)));
        }
        assert_eq!(deadlines.oldest(Wait::Idle), Some((3, MonoNanos(3))));
        deadlines.begin(3, Wait::Idle, MonoNanos(9));
        assert_eq!(deadlines.oldest(Wait::Idle), Some((1, MonoNanos(1))));
        deadlines.begin(1, Wait::Send, MonoNanos(10));
        assert_eq!(deadlines.oldest(Wait::Idle), Some((2, MonoNanos(2))));
        assert_eq!(deadlines.waits_for(1), Some(Wait::Send));
    }

    #[test]
    fn a_wait_expires_at_its_length_and_only_once() {
        let mut deadlines = Deadlines::new(LENGTHS);
        deadlines.begin(7, Wait::Head, MonoNanos(100));
        assert_eq!(deadlines.expire(MonoNanos(109)), None);
        assert_eq!(deadlines.expire(MonoNanos(110)), Some((7, Wait::Head)));
        assert_eq!(deadlines.expire(MonoNanos(1000)), None);
        assert_eq!(deadlines.waits_for(7), None);
    }

    proptest! {
        /// Against a model that keeps all waits in a plain list.
        #[test]
        fn it_agrees_with_a_list_of_waits(
            acts in prop::collection::vec((0_u32..12, 0_usize..8, 0_u64..4), 0..200)
        ) {
            let mut deadlines = Deadlines::new(LENGTHS);
            let mut model: Vec<(u32, Wait, MonoNanos)> = Vec::new();
            let mut now = MonoNanos(0);
            for (slot, act, step) in acts {
                now.0 += step;
                model.retain(|(other, _, _)| *other != slot);
                if let Some(wait) = Wait::ALL.get(act) {
                    deadlines.begin(slot, *wait, now);
                    model.push((slot, *wait, now));
                } else {
                    deadlines.end(slot);
                }
                for wait in Wait::ALL {
                    let oldest = model.iter().find(|(_, kind, _)| *kind == wait);
                    prop_assert_eq!(deadlines.oldest(wait), oldest.map(|(slot, _, since)| (*slot, *since)));
                }
                while let Some((slot, wait)) = deadlines.expire(now) {
                    let at = model.iter().position(|(other, _, _)| *other == slot);
                    let (_, kind, since) = model.remove(at.expect("it waits in the model"));
                    prop_assert_eq!(kind, wait);
                    prop_assert!(now.since(since) >= LENGTHS[0]);
                }
                prop_assert!(model.iter().all(|(_, _, since)| now.since(*since) < LENGTHS[0]));
            }
        }
    }
}
