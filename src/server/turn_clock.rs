//! The time of a turn: read once when it begins, with the Date field's value kept ready.

use crate::cache::Moment;
use crate::http::date;
use crate::sys::clock;
use crate::units::{MonoNanos, UnixSeconds};

const NANOS_PER_MILLI: u64 = 1_000_000;
const MILLIS_PER_SECOND: u64 = 1_000;

/// A worker's clock.
#[derive(Debug)]
pub struct TurnClock {
    now: Moment,
    date: [u8; 29],
    /// When the wall clock's second ends, on the monotonic clock.
    second_ends: MonoNanos,
}

impl TurnClock {
    /// A clock at the present.
    #[must_use]
    pub fn new() -> Self {
        let wall = UnixSeconds(0);
        let now = Moment {
            mono: MonoNanos(0),
            wall,
        };
        let mut clock = Self {
            now,
            date: date::format(wall),
            second_ends: MonoNanos(0),
        };
        clock.begin_turn();
        clock
    }

    /// Reads the monotonic clock, and the wall clock when its second has ended.
    pub fn begin_turn(&mut self) {
        self.now.mono = clock::mono();
        if self.now.mono < self.second_ends {
            return;
        }
        let (wall, millis) = clock::wall();
        let left = MILLIS_PER_SECOND.saturating_sub(u64::from(millis)).max(1);
        self.second_ends = MonoNanos(self.now.mono.0 + left * NANOS_PER_MILLI);
        if wall != self.now.wall {
            self.now.wall = wall;
            self.date = date::format(wall);
        }
    }

    /// The turn's time.
    #[must_use]
    pub fn now(&self) -> Moment {
        self.now
    }

    /// The turn's time as a Date field's value.
    #[must_use]
    pub fn date(&self) -> &[u8; 29] {
        &self.date
    }

    /// The milliseconds of the turn's second.
    #[must_use]
    pub fn millis(&self) -> u32 {
        let left = self.second_ends.0.saturating_sub(self.now.mono.0) / NANOS_PER_MILLI;
        u32::try_from((MILLIS_PER_SECOND - 1).saturating_sub(left)).unwrap_or(0)
    }
}

impl Default for TurnClock {
    fn default() -> Self {
        Self::new()
    }
}
