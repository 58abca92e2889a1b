//! Which region of sealed memory a copy goes to (`sys::sealed` tells what a region is).
//!
//! While somebody packs ([`Packing`]: the start and a reload of the pins), copies go one behind the other into regions of
//! up to [`REGION_MAX`], and one that takes more than half of a region gets its own. So 64 KiB copies have huge pages too,
//! and a descriptor is taken for each region, not for each copy. At any other time a copy gets a region of its own.
//!
//! What this costs, beside the bytes that the memory budget counts (each copy's own, in whole pages):
//!
//! - slack: a region may end in a huge page that is at least half full, so up to 1 MiB for each region, and an eighth of
//!   what it holds at most, but for the last region of a load and for copies made alone. These may end in a huge page that
//!   is emptier, for as long as such slack is at most [`SLACK_MAX`] in all: a few small pins have huge pages too;
//! - dead copies: sealed memory can't be given back in parts, so what a copy took in a shared region is free when the
//!   region's last copy goes. Regions are small for that reason: one that stays holds 16 MiB at most, not a whole load.
//!
//! The report's `memory_held_bytes` tells what is really taken.
//!
//! The packer must drop its `Packing` before it publishes what it loaded: that seals the last region. A region that was
//! not sealed yet has no writer but this module, which writes behind the copies that are there.

use std::io;
#[expect(
    clippy::disallowed_types,
    reason = "taken when a file is copied, never for an answer"
)]
use std::sync::Mutex;
use std::sync::{Arc, MutexGuard, PoisonError};

use crate::store::budget::{Budget, Charge};
use crate::store::object::SharedCharges;
use crate::sys::sealed::{HUGE_SLACK_MAX, SealedMemory, UnfinishedCopy, UnsealedRegion};

/// Most bytes that copies share a region up to.
pub const REGION_MAX: u64 = 16 << 20;

/// Most bytes that all huge pages which are less than half full leave over together.
pub const SLACK_MAX: u64 = 16 << 20;

/// The regions of one loader's copies.
#[derive(Debug)]
#[expect(clippy::disallowed_types, reason = "see the import")]
pub(super) struct Regions {
    shared: Mutex<Shared>,
    held: Arc<Budget>,
    slack: Arc<Budget>,
}

/// The region that copies are packed into.
#[derive(Debug, Default)]
struct Shared {
    packers: usize,
    /// None while a copy is on its way into it.
    open: Option<OpenRegion>,
}

/// A region that is being filled, and what it is charged.
#[derive(Debug)]
struct OpenRegion {
    memory: UnsealedRegion,
    charges: Arc<SharedCharges>,
}

/// As long as it lives, copies share regions; see the module's header.
#[derive(Debug)]
pub struct Packing<'l> {
    regions: &'l Regions,
}

impl Regions {
    #[expect(clippy::disallowed_types, reason = "see the import")]
    pub(super) fn new() -> Self {
        Self {
            shared: Mutex::default(),
            held: Budget::new(u64::MAX),
            slack: Budget::new(SLACK_MAX),
        }
    }

    /// Bytes of memory that sealed regions take.
    pub(super) fn held(&self) -> u64 {
        self.held.taken()
    }

    pub(super) fn pack(&self) -> Packing<'_> {
        self.lock().packers += 1;
        Packing { regions: self }
    }

    /// Makes a copy of about `size` bytes, which `fill` writes. A new region keeps `descriptor`.
    ///
    /// # Errors
    /// Those of `fill`, of the memfd and of its seals.
    pub(super) fn copy<E: From<io::Error>>(
        &self,
        size: u64,
        descriptor: Charge,
        fill: impl FnOnce(&mut UnfinishedCopy<'_>) -> Result<(), E>,
    ) -> Result<(SealedMemory, Arc<SharedCharges>), E> {
        let is_shared = size <= REGION_MAX / 2;
        let mut region = match self.take_open(is_shared, size) {
            Some(region) => region,
            None => OpenRegion {
                memory: UnsealedRegion::new()?,
                charges: Arc::new(SharedCharges::new(descriptor)),
            },
        };
        let copied = region.append(fill);
        // No lock was held during the copy: another one may have opened a region meanwhile.
        let surplus = if is_shared {
            self.put_back(region)
        } else {
            Some(region)
        };
        if let Some(region) = surplus {
            match &copied {
                Ok(_) => self.seal(region)?,
                Err(_) => self.seal_shared(region),
            }
        }
        copied
    }

    /// The open region, if copies are packed and `size` bytes have room in it. One without room is sealed.
    fn take_open(&self, is_shared: bool, size: u64) -> Option<OpenRegion> {
        if !is_shared {
            return None;
        }
        let region = self.lock().open.take()?;
        if region.memory.end() + size <= REGION_MAX {
            return Some(region);
        }
        self.seal_shared(region);
        None
    }

    /// Keeps the region for the next copy; gives it back where there is no next one.
    fn put_back(&self, region: OpenRegion) -> Option<OpenRegion> {
        let mut shared = self.lock();
        if shared.packers == 0 {
            return Some(region);
        }
        shared.open.replace(region)
    }

    fn seal(&self, region: OpenRegion) -> io::Result<()> {
        let slack = region.memory.huge_slack();
        let mut allowance = (slack > HUGE_SLACK_MAX)
            .then(|| self.slack.take(slack))
            .flatten();
        let slack_max = if allowance.is_some() {
            slack
        } else {
            HUGE_SLACK_MAX
        };
        let sealed = region.memory.seal(slack_max)?;
        if let Some(error) = sealed.collapse_failed {
            tracing::debug!(%error, "copies are in ordinary pages: the kernel made no huge ones");
            allowance = None;
        }
        let held = self.held.take(sealed.held);
        region
            .charges
            .add_held(held.into_iter().chain(allowance).collect());
        Ok(())
    }

    /// Seals a region whose copies were given out: they are as true without the seals, which only hold against mistakes of
    /// our own.
    fn seal_shared(&self, region: OpenRegion) {
        if region.memory.end() == 0 {
            return;
        }
        if let Err(error) = self.seal(region) {
            tracing::warn!(%error, "copies of pinned files could not be sealed");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // Every change below the lock leaves it whole, whatever panics elsewhere.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenRegion {
    fn append<E: From<io::Error>>(
        &mut self,
        fill: impl FnOnce(&mut UnfinishedCopy<'_>) -> Result<(), E>,
    ) -> Result<(SealedMemory, Arc<SharedCharges>), E> {
        let mut copy = self.memory.begin()?;
        fill(&mut copy)?;
        Ok((copy.finish(), Arc::clone(&self.charges)))
    }
}

impl Drop for Packing<'_> {
    fn drop(&mut self) {
        let mut shared = self.regions.lock();
        shared.packers -= 1;
        if shared.packers > 0 {
            return;
        }
        let last = shared.open.take();
        drop(shared);
        if let Some(region) = last {
            self.regions.seal_shared(region);
        }
    }
}

#[cfg(test)]
#[path = "packing_tests.rs"]
mod tests;
