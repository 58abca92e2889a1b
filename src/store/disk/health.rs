//! Whether the store works, known to all who have a part of it.

use super::counts::{Counts, add};
use super::error::{Health, Why};
use super::latch::Latch;

/// The store's health.
#[derive(Debug)]
pub(super) struct Board(Latch<Health>);

impl Default for Board {
    fn default() -> Self {
        Self(Latch::new(Health::Working))
    }
}

impl Board {
    pub(super) fn health(&self) -> Health {
        *self.0.lock()
    }

    /// Notes that the store stands down. The first of several reasons is told.
    pub(super) fn stand_down(&self, why: Why, detail: &dyn std::fmt::Display, counts: &Counts) {
        let mut health = self.0.lock();
        if *health == Health::Working {
            let since = crate::sys::clock::wall().0;
            *health = Health::StoodDown { since, why };
            add(&counts.stood_down, 1);
            tracing::warn!("the disk store stands down, {why}: {detail}");
        }
    }

    pub(super) fn stand_up(&self) {
        let mut health = self.0.lock();
        if *health != Health::Working {
            *health = Health::Working;
            tracing::info!("the disk store works again");
        }
    }
}
