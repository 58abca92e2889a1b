//! Writes the bytes of a body that does not come in order, or is too large for memory of its own: to the disk store, or to
//! anonymous memory.
//!
//! What the store refuses goes to memory from then on, so that those who read the body get all of it; it is then kept no
//! longer than they read it.

use std::cell::Cell;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Mutex;

use super::{Keeper, KeeperCount};
use crate::fill::disk::{DiskTier, StoredBlocks};
use crate::store::body_fault::BodyFault;
use crate::store::budget::Budget;
use crate::store::disk::{DiskError, ObjectId, Writer};
use crate::store::ranges::RangeSet;
use crate::store::sparse::SparseWriter;

/// How much of the memory for bodies under way is taken at once.
pub(super) const CHARGE: u64 = 1 << 20;

/// Where bytes go.
#[derive(Debug)]
pub(super) enum Ink {
    /// An object of the disk store that is being written.
    Writer(Box<Writer>),
    /// One that is there in part, whose writer is made when it is needed.
    Stored(Arc<DiskTier>, ObjectId),
    /// Anonymous memory.
    Memory,
    /// A call that writes has it, or has lost it.
    Away,
}

/// See the module's header. Writes one after the other.
#[derive(Debug)]
pub(super) struct Pen {
    pub(super) body: SparseWriter,
    ink: Mutex<Ink>,
    /// Blocks that the store had before, which are never written again.
    stored: Option<StoredBlocks>,
    memory: Arc<Budget>,
    in_memory: Cell<u64>,
    /// Why the store took no more.
    refused: Cell<Option<BodyFault>>,
}

impl Pen {
    pub(super) fn new(
        keeper: &Keeper,
        body: SparseWriter,
        ink: Ink,
        stored: Option<StoredBlocks>,
    ) -> Self {
        Self {
            body,
            ink: Mutex::new(ink),
            stored,
            memory: Arc::clone(&keeper.memory),
            in_memory: Cell::new(0),
            refused: Cell::new(None),
        }
    }

    /// Whether the store took no more, so that the body can't be kept.
    pub(super) fn is_spilled(&self) -> bool {
        self.refused.get().is_some()
    }

    /// Blocks that the store had before.
    pub(super) fn stored(&self) -> Option<&StoredBlocks> {
        self.stored.as_ref()
    }

    /// What of the bytes from `first` to before `end` is neither there nor in the store.
    pub(super) fn missing(&self, first: u64, end: u64) -> Vec<(u64, u64)> {
        let gaps = self.body.gaps(first, end);
        match &self.stored {
            Some(stored) => gaps
                .into_iter()
                .flat_map(|(from, to)| stored.outside(from, to))
                .collect(),
            None => gaps,
        }
    }

    /// The first byte from `first` on that is neither `present` nor in the store.
    pub(super) fn next_missing(&self, present: &RangeSet, first: u64) -> u64 {
        let mut at = first;
        loop {
            let from = at;
            at += present.run_from(at);
            if let Some(stored) = &self.stored
                && stored.map.is_present(at / stored.block)
            {
                at = stored.stretch(at / stored.block).1.max(at);
            }
            if at == from {
                return at;
            }
        }
    }

    /// Writes `pieces`, which follow each other from `first` on, as far as they are missing.
    ///
    /// # Errors
    /// They can't be kept anywhere; why not.
    pub(super) async fn write(
        &self,
        keeper: &Keeper,
        first: u64,
        pieces: Vec<Bytes>,
    ) -> Result<(), BodyFault> {
        let mut ink = self.ink.lock().await;
        let mut parts = Vec::new();
        let mut at = first;
        for piece in pieces {
            let end = at + piece.len() as u64;
            for (from, to) in self.missing(at, end) {
                let cut = |byte: u64| usize::try_from(byte - at).unwrap_or(usize::MAX);
                parts.push((from, piece.slice(cut(from)..cut(to))));
            }
            at = end;
        }
        if parts.is_empty() {
            return Ok(());
        }
        match std::mem::replace(&mut *ink, Ink::Away) {
            Ink::Memory => {
                *ink = Ink::Memory;
                self.write_to_memory(keeper, &parts)
            }
            Ink::Away => Err(BodyFault::StoreFailed),
            on_disk => match write_to_disk(on_disk, parts.clone()).await {
                Ok((writer, None)) => {
                    *ink = Ink::Writer(writer);
                    for (from, bytes) in &parts {
                        self.body.wrote(*from, from + bytes.len() as u64);
                    }
                    Ok(())
                }
                Ok((_, Some(error))) | Err(error) => {
                    keeper.counts.bump(KeeperCount::BodySpilled);
                    tracing::debug!("a body goes on in memory: {error}");
                    let fault = keeper.fault_of(&error);
                    self.refused.set(Some(fault));
                    *ink = Ink::Memory;
                    let descriptor = keeper.descriptor().map_err(|_| fault)?;
                    self.body.turn_to_memory(descriptor).map_err(|_| fault)?;
                    self.write_to_memory(keeper, &parts)
                }
            },
        }
    }

    fn write_to_memory(&self, keeper: &Keeper, parts: &[(u64, Bytes)]) -> Result<(), BodyFault> {
        let no_memory = self.refused.get().unwrap_or(BodyFault::Busy);
        for (from, bytes) in parts {
            let held = self.in_memory.get() + bytes.len() as u64;
            self.in_memory.set(held);
            while self.body.charged() < held {
                match self.memory.take(CHARGE) {
                    Some(charge) => self.body.charge(charge, CHARGE),
                    None => {
                        keeper.counts.bump(KeeperCount::BodyNoMemory);
                        return Err(no_memory);
                    }
                }
            }
            if self.body.write(*from, bytes).is_err() {
                keeper.counts.bump(KeeperCount::BodyNoMemory);
                return Err(no_memory);
            }
        }
        Ok(())
    }

    /// Publishes what was written as the whole object; its number where the store has it.
    pub(super) async fn complete(&self) -> Option<ObjectId> {
        let mut ink = self.ink.lock().await;
        match std::mem::replace(&mut *ink, Ink::Away) {
            Ink::Writer(writer) => {
                let completed = tokio::task::spawn_blocking(move || writer.complete()).await;
                completed.ok()?.ok()
            }
            Ink::Stored(_, id) => Some(id),
            Ink::Memory | Ink::Away => None,
        }
    }
}

type Written = Result<(Box<Writer>, Option<DiskError>), DiskError>;

async fn write_to_disk(ink: Ink, parts: Vec<(u64, Bytes)>) -> Written {
    let write = move || {
        let mut writer = match ink {
            Ink::Writer(writer) => writer,
            Ink::Stored(tier, id) => Box::new(tier.disk().add_blocks(id)?),
            Ink::Memory | Ink::Away => return Err(DiskError::Gone),
        };
        for (from, bytes) in &parts {
            if let Err(error) = writer.write_at(*from, bytes) {
                return Ok((writer, Some(error)));
            }
        }
        Ok((writer, None))
    };
    let written = tokio::task::spawn_blocking(write).await;
    written.unwrap_or(Err(DiskError::StoodDown))
}
