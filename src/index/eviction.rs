//! Which cached value goes when room is needed: S3-FIFO by bytes, with a small queue that finds its own size.
//!
//! Two queues hold the values, each first in first out. Newcomers stand in the small queue until its share of the cap has
//! come in behind them. Who was asked for meanwhile moves to the main queue, the others are evicted. From the main queue
//! goes who was not asked for since its last turn; who was, pays with most of its count for another one. So a scan of
//! values that nobody asks for twice passes through a small share of the bytes and leaves the rest alone.
//!
//! A ghost queue behind each remembers the fingerprints of what was evicted from it. What comes back from there was let go
//! too early and goes to the main queue at once. It also tells which of the two queues is too short, so the small
//! queue's share moves between 5 and 95 % of the cap: where old favourites lose theirs quickly, the whole becomes one
//! first-in first-out queue, which follows as fast as LRU does.
//!
//! A hit does not touch the queues: it bumps the [`UseCount`] in the value (see `uses`). Pure: no I/O, no clock, no lock.
//! Constant time, amortised; one eviction passes over at most [`PASSED_OVER_MAX`] values that were asked for.

mod ghost;
mod queue;
mod uses;

#[cfg(test)]
mod tests;

use slab::Slab;

use ghost::{Ghost, GhostLimits};
use queue::{Node, Queue, Standing};
pub use uses::{Counted, UseCount};

/// How many values one eviction passes over before it takes the next one, asked for or not.
pub const PASSED_OVER_MAX: usize = 256;

/// The small queue's share of the cap, in thousandths: at first, at least, at most.
const SMALL_FIRST: u64 = 100;
const SMALL_MIN: u64 = 50;
const SMALL_MAX: u64 = 950;
/// How far each ghost queue looks back, in thousandths of the cap and of the number of values.
const GHOST_SHARE: u64 = 900;
/// How many times its own weight a returning value moves the small queue's share at most.
const STEP_MAX: u64 = 500;
/// Places that the slab grows by at once at most, so that its memory follows what it holds.
const GROWTH_MAX: usize = 8192;

/// Where a value stands: given by [`S3Fifo::insert`], good until the value is removed or handed back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place(u32);

/// What happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EvictionCounts {
    /// Evicted newcomers: not asked for while they stood in the small queue.
    pub evicted_small: u64,
    /// Evicted from the main queue.
    pub evicted_main: u64,
    /// Values that came back soon after they were evicted from the small queue.
    pub ghost_hits_small: u64,
    /// Values that came back soon after they were evicted from the main queue.
    pub ghost_hits_main: u64,
}

/// The queues. `H` is a handle of a value, such as an `Arc`; each is in here or was handed back exactly once.
#[derive(Debug)]
pub struct S3Fifo<H> {
    nodes: Slab<Node<H>>,
    small: Queue,
    main: Queue,
    ghost_small: Ghost,
    ghost_main: Ghost,
    cap: u64,
    /// The bytes that come in behind a newcomer before it is judged.
    small_target: u64,
    counts: EvictionCounts,
}

impl<H: Counted> S3Fifo<H> {
    /// Empty queues for values of `cap_bytes` together.
    #[must_use]
    pub fn new(cap_bytes: u64) -> Self {
        Self {
            nodes: Slab::new(),
            small: Queue::new(),
            main: Queue::new(),
            ghost_small: Ghost::default(),
            ghost_main: Ghost::default(),
            cap: cap_bytes,
            small_target: share(cap_bytes, SMALL_FIRST),
            counts: EvictionCounts::default(),
        }
    }

    /// Takes a value in. What must go for it is added to `evicted`; the value itself is not among it.
    ///
    /// `fingerprint` stands for what is cached, whichever handle holds it: the same when it is fetched again.
    ///
    /// # Errors
    ///
    /// The handle, where it weighs more than the cap.
    pub fn insert(
        &mut self,
        handle: H,
        fingerprint: u64,
        weight_bytes: u64,
        evicted: &mut Vec<H>,
    ) -> Result<Place, H> {
        if weight_bytes > self.cap || self.nodes.len() >= u32::MAX as usize {
            return Err(handle);
        }
        let standing = self.standing_of(fingerprint, weight_bytes);
        self.shrink_to(self.cap - weight_bytes, evicted);
        self.reserve();
        let node = Node::new(handle, fingerprint, weight_bytes, standing);
        let at = self.nodes.insert(node) as u32;
        self.push(at, standing);
        Ok(Place(at))
    }

    /// Makes memory for one more value, so that the next [`insert`](Self::insert) doesn't change [`own_bytes`](Self::own_bytes)
    /// but by what it evicts.
    pub fn reserve(&mut self) {
        if self.nodes.len() == self.nodes.capacity() {
            let growth = (self.nodes.len() / 8).clamp(16, GROWTH_MAX);
            self.nodes.reserve_exact(growth);
        }
    }

    /// Where a newcomer begins. A ghost that comes back votes for its queue, with the more weight the fewer ghosts there are
    /// of it beside those of the other. The formula was found by measurement (`benches/cache_efficiency.rs`).
    fn standing_of(&mut self, fingerprint: u64, weight: u64) -> Standing {
        let square = |count: usize| (count as u64).saturating_mul(count as u64);
        let small = square(self.ghost_small.len());
        let main = square(self.ghost_main.len());
        let step = |ours: u64, others: u64| {
            let votes = others.saturating_mul(5) / 4 / ours.max(1);
            weight.saturating_mul(votes.clamp(1, STEP_MAX))
        };
        if self.ghost_small.take(fingerprint) {
            self.counts.ghost_hits_small += 1;
            let target = self.small_target.saturating_add(step(small, main));
            self.small_target = target.min(share(self.cap, SMALL_MAX));
        } else if self.ghost_main.take(fingerprint) {
            self.counts.ghost_hits_main += 1;
            let target = self.small_target.saturating_sub(step(main, small));
            self.small_target = target.max(share(self.cap, SMALL_MIN));
        } else {
            return Standing::Small;
        }
        Standing::Main
    }

    /// Evicts one value; `None` where there is none.
    pub fn evict(&mut self) -> Option<H> {
        let mut passed_over = 0;
        loop {
            let (at, standing) = self.next_in_turn()?;
            self.unlink(at, standing);
            let node = self.nodes.get(at as usize)?;
            // A newcomer keeps its count; a turn in the main queue costs most of it, so that old favourites leave soon.
            let was_used = match standing {
                Standing::Small => node.handle.uses().count() > 0,
                Standing::Main => node.handle.uses().spend(),
            };
            if was_used && passed_over < PASSED_OVER_MAX {
                passed_over += 1;
                self.push(at, Standing::Main);
                continue;
            }
            let node = self.nodes.try_remove(at as usize)?;
            let limits = self.ghost_limits();
            let (ghost, count) = match standing {
                Standing::Small => (&mut self.ghost_small, &mut self.counts.evicted_small),
                Standing::Main => (&mut self.ghost_main, &mut self.counts.evicted_main),
            };
            ghost.push(node.fingerprint, node.weight, limits);
            *count += 1;
            self.release();
            return Some(node.handle);
        }
    }

    /// The value that is judged next. Its own weight doesn't count against a newcomer, so that one which is larger than the
    /// small queue's share gets the same time as any other.
    fn next_in_turn(&self) -> Option<(u32, Standing)> {
        if let Some(at) = self.small.oldest() {
            let own = self.nodes.get(at as usize).map_or(0, |node| node.weight);
            if self.small.bytes - own >= self.small_target || self.main.oldest().is_none() {
                return Some((at, Standing::Small));
            }
        }
        self.main.oldest().map(|at| (at, Standing::Main))
    }

    /// Takes a value out. The ghost queues don't note it.
    pub fn remove(&mut self, place: Place) -> Option<H> {
        let standing = self.nodes.get(place.0 as usize)?.standing;
        self.unlink(place.0, standing);
        let node = self.nodes.try_remove(place.0 as usize);
        self.release();
        Some(node?.handle)
    }

    /// Gives the slab's memory back when it is empty. It can't shrink before, because values keep their places.
    fn release(&mut self) {
        if self.nodes.is_empty() {
            self.nodes = Slab::new();
        }
    }

    /// Puts `handle` in the place of another, whose uses it inherits, and gives that one back. It may weigh more than there
    /// is room for: [`shrink`](Self::shrink) evicts what must go then.
    ///
    /// # Errors
    ///
    /// The handle, where nothing stands at the place or it weighs more than the cap.
    pub fn exchange(&mut self, place: Place, handle: H, weight_bytes: u64) -> Result<H, H> {
        let node = self.nodes.get_mut(place.0 as usize);
        let Some(node) = node.filter(|_| weight_bytes <= self.cap) else {
            return Err(handle);
        };
        handle.uses().inherit(node.handle.uses());
        let before = std::mem::replace(&mut node.weight, weight_bytes);
        let (old, standing) = (std::mem::replace(&mut node.handle, handle), node.standing);
        self.queue(standing).reweigh(before, weight_bytes);
        Ok(old)
    }

    /// Sends a value back to the end of its queue, as one that was just fetched anew.
    pub fn renew(&mut self, place: Place) {
        if let Some(node) = self.nodes.get(place.0 as usize) {
            let standing = node.standing;
            self.unlink(place.0, standing);
            self.push(place.0, standing);
        }
    }

    /// Notes that a value weighs something else now. What must go for it is added to `evicted`: the value itself where it
    /// weighs more than the cap, and it may be among the others as well.
    pub fn resize(&mut self, place: Place, weight_bytes: u64, evicted: &mut Vec<H>) {
        if weight_bytes > self.cap {
            evicted.extend(self.remove(place));
            return;
        }
        if let Some(node) = self.nodes.get_mut(place.0 as usize) {
            let standing = node.standing;
            let before = std::mem::replace(&mut node.weight, weight_bytes);
            self.queue(standing).reweigh(before, weight_bytes);
        }
        self.shrink(evicted);
    }

    /// Changes the cap and evicts what is beyond it.
    pub fn set_cap(&mut self, cap_bytes: u64, evicted: &mut Vec<H>) {
        self.cap = cap_bytes;
        let (least, most) = (share(cap_bytes, SMALL_MIN), share(cap_bytes, SMALL_MAX));
        self.small_target = self.small_target.clamp(least, most);
        self.shrink(evicted);
        let limits = self.ghost_limits();
        for ghost in [&mut self.ghost_small, &mut self.ghost_main] {
            ghost.trim(limits);
            ghost.release();
        }
    }

    /// Evicts what is beyond the cap.
    pub fn shrink(&mut self, evicted: &mut Vec<H>) {
        self.shrink_to(self.cap, evicted);
    }

    fn shrink_to(&mut self, bytes_max: u64, evicted: &mut Vec<H>) {
        while self.bytes() > bytes_max
            && let Some(handle) = self.evict()
        {
            evicted.push(handle);
        }
    }

    /// The handle that stands at `place`.
    #[must_use]
    pub fn at(&self, place: Place) -> Option<&H> {
        self.nodes.get(place.0 as usize).map(|node| &node.handle)
    }

    /// The handle that stands at `place`, to change what it carries.
    pub fn at_mut(&mut self, place: Place) -> Option<&mut H> {
        let node = self.nodes.get_mut(place.0 as usize);
        node.map(|node| &mut node.handle)
    }

    /// The weight of all values.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.small.bytes + self.main.bytes
    }

    /// How many values there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is no value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// What happened so far.
    #[must_use]
    pub fn counts(&self) -> EvictionCounts {
        self.counts
    }

    /// What the queues themselves take in memory: [`NODE_BYTES`](Self::NODE_BYTES) a place of the slab, and the ghosts.
    #[must_use]
    pub fn own_bytes(&self) -> u64 {
        let nodes = self.nodes.capacity() as u64 * Self::NODE_BYTES;
        nodes + self.ghost_small.own_bytes() + self.ghost_main.own_bytes()
    }

    /// The memory of one place in the slab, which is a node or the number of the next free place.
    pub const NODE_BYTES: u64 = size_of::<Result<Node<H>, usize>>() as u64;

    fn ghost_limits(&self) -> GhostLimits {
        let count_max = share(self.nodes.len() as u64 + 1, GHOST_SHARE);
        GhostLimits {
            bytes_max: share(self.cap, GHOST_SHARE),
            count_max: usize::try_from(count_max).unwrap_or(usize::MAX),
        }
    }

    fn queue(&mut self, standing: Standing) -> &mut Queue {
        match standing {
            Standing::Small => &mut self.small,
            Standing::Main => &mut self.main,
        }
    }

    fn push(&mut self, at: u32, standing: Standing) {
        if let Some(node) = self.nodes.get_mut(at as usize) {
            node.standing = standing;
        }
        match standing {
            Standing::Small => self.small.push(&mut self.nodes, at),
            Standing::Main => self.main.push(&mut self.nodes, at),
        }
    }

    fn unlink(&mut self, at: u32, standing: Standing) {
        match standing {
            Standing::Small => self.small.unlink(&mut self.nodes, at),
            Standing::Main => self.main.unlink(&mut self.nodes, at),
        }
    }
}

/// `permille` thousandths of `whole`, without overflow.
fn share(whole: u64, permille: u64) -> u64 {
    whole / 1000 * permille + whole % 1000 * permille / 1000
}
