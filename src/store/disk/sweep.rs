//! Removes data files that belong to no object: what was being written when the process ended, and what was taken out but
//! not yet unlinked. Goes through the shelves once after the store was opened, a few names at a time.

use super::counts::add;
use super::engine::Engine;
use super::error::DiskError;
use super::naming::{FileName, SHELVES};
use super::tables::{OBJECTS, failed};

/// How far the sweep is.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    shelf: u16,
    /// Names of the shelf that were not looked at yet.
    left: Vec<Box<[u8]>>,
}

/// What a part of a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// Names looked at.
    pub looked_at: usize,
    /// Files removed.
    pub removed: usize,
    /// Whether all shelves are done.
    pub is_done: bool,
}

impl Engine {
    /// Looks at up to `budget` names.
    pub(super) fn sweep_some(
        &self,
        sweep: &mut Sweep,
        budget: usize,
    ) -> Result<SweepReport, DiskError> {
        self.check()?;
        let mut report = SweepReport::default();
        while report.looked_at < budget {
            let Some(name) = sweep.left.pop() else {
                let Ok(shelf) = u8::try_from(sweep.shelf) else {
                    break;
                };
                sweep.shelf += 1;
                report.looked_at += 1;
                let names = self
                    .medium
                    .names(shelf, &mut |name| sweep.left.push(name.into()));
                if names.is_err() {
                    // An unreadable shelf is a later run's; its objects are dropped as they are asked for.
                    sweep.left.clear();
                }
                continue;
            };
            report.looked_at += 1;
            let shelf = u8::try_from(sweep.shelf.saturating_sub(1)).unwrap_or(0);
            if self.sweep_name(shelf, &name)? {
                report.removed += 1;
            }
        }
        report.is_done = sweep.shelf >= SHELVES && sweep.left.is_empty();
        Ok(report)
    }

    fn sweep_name(&self, shelf: u8, name: &[u8]) -> Result<bool, DiskError> {
        let parsed = FileName::parse(shelf, name);
        let belongs = match &parsed {
            Some(file) => {
                let id = file.id(self.seed);
                // What this run began is its writers' own, and a number from the future is nobody's.
                let is_ours = id.0 >= self.first_id && id < self.ids_end();
                is_ours
                    || self.read(|transaction| {
                        let objects = transaction.open_table(OBJECTS).map_err(failed)?;
                        Ok(objects.get(id.0).map_err(failed)?.is_some())
                    })?
            }
            None => false,
        };
        if belongs {
            return Ok(false);
        }
        match self.medium.remove_odd(shelf, name) {
            Ok(()) => {
                add(&self.counts().orphans, 1);
                Ok(true)
            }
            Err(_) => {
                add(&self.counts().unlink_failures, 1);
                Ok(false)
            }
        }
    }
}
