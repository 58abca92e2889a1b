//! First-in first-out queues threaded through one slab, so that a value leaves from any place in constant time.

use slab::Slab;

/// No node.
const NONE: u32 = u32::MAX;

/// Which queue a value stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// The queue of newcomers.
    Small,
    /// The queue of what was asked for again.
    Main,
}

/// A value in a queue.
#[derive(Debug)]
pub(super) struct Node<H> {
    pub(super) handle: H,
    pub(super) fingerprint: u64,
    pub(super) weight: u64,
    newer: u32,
    older: u32,
    pub(super) standing: Standing,
}

impl<H> Node<H> {
    /// A node that stands in no queue yet.
    pub(super) fn new(handle: H, fingerprint: u64, weight: u64, standing: Standing) -> Self {
        Self {
            handle,
            fingerprint,
            weight,
            newer: NONE,
            older: NONE,
            standing,
        }
    }
}

/// One queue's ends and sums.
#[derive(Debug)]
pub(super) struct Queue {
    newest: u32,
    oldest: u32,
    pub(super) bytes: u64,
}

impl Queue {
    pub(super) const fn new() -> Self {
        Self {
            newest: NONE,
            oldest: NONE,
            bytes: 0,
        }
    }

    /// The node that came first.
    pub(super) fn oldest(&self) -> Option<u32> {
        (self.oldest != NONE).then_some(self.oldest)
    }

    /// Puts the node `at` behind all others. It stands in no queue.
    pub(super) fn push<H>(&mut self, nodes: &mut Slab<Node<H>>, at: u32) {
        let Some(node) = nodes.get_mut(at as usize) else {
            return;
        };
        node.newer = NONE;
        node.older = self.newest;
        self.bytes += node.weight;
        match nodes.get_mut(self.newest as usize) {
            Some(before) => before.newer = at,
            None => self.oldest = at,
        }
        self.newest = at;
    }

    /// Notes that a node of this queue weighs `after` now instead of `before`.
    pub(super) fn reweigh(&mut self, before: u64, after: u64) {
        self.bytes -= before;
        self.bytes += after;
    }

    /// Takes the node `at` out; it stands in this queue and stays in the slab.
    pub(super) fn unlink<H>(&mut self, nodes: &mut Slab<Node<H>>, at: u32) {
        let Some(node) = nodes.get_mut(at as usize) else {
            return;
        };
        let (newer, older) = (node.newer, node.older);
        self.bytes -= node.weight;
        match nodes.get_mut(newer as usize) {
            Some(node) => node.older = older,
            None => self.newest = older,
        }
        match nodes.get_mut(older as usize) {
            Some(node) => node.newer = newer,
            None => self.oldest = newer,
        }
    }
}
