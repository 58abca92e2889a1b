//! The place of a get among those that wait: taken once it has to, so that what is in memory is handed out however many wait.

use std::sync::{Arc, OnceLock};

use super::counts::{LibraryCount, LibraryCounts};
use super::failure::{Code, Failure};
use crate::stats::Held;

/// See the module's header.
#[derive(Debug)]
pub(super) struct Seat {
    /// None: there is always one.
    max: Option<usize>,
    taken: OnceLock<Held<LibraryCount>>,
}

impl Seat {
    /// One of `max`.
    pub(super) const fn among(max: usize) -> Self {
        Self {
            max: Some(max),
            taken: OnceLock::new(),
        }
    }

    /// One of those who are bounded elsewhere.
    pub(super) const fn unbounded() -> Self {
        Self {
            max: None,
            taken: OnceLock::new(),
        }
    }

    /// Takes it, where that has not been done; it is given back with the end of this.
    ///
    /// # Errors
    /// `Busy` where there is none.
    pub(super) fn take(&self, counts: &Arc<LibraryCounts>) -> Result<(), Failure> {
        let Some(max) = self.max.filter(|_| self.taken.get().is_none()) else {
            return Ok(());
        };
        let Some(held) = counts.hold_below(LibraryCount::Waiting, max as u64) else {
            counts.bump(LibraryCount::LimitGets);
            return Err(Failure::new(
                Code::Busy,
                format!("{max} gets wait, as many as library.gets allows"),
            ));
        };
        // It is one get's: nobody has taken it meanwhile.
        self.taken.set(held).ok();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seat_is_taken_once_and_given_back_at_the_end() {
        let counts = Arc::<LibraryCounts>::default();
        let first = Seat::among(1);
        first.take(&counts).unwrap();
        first.take(&counts).unwrap();
        assert_eq!(counts.read(LibraryCount::Waiting), 1);
        let refused = Seat::among(1).take(&counts).unwrap_err();
        assert_eq!(refused.code, Code::Busy);
        Seat::unbounded().take(&counts).unwrap();
        drop(first);
        assert_eq!(counts.read(LibraryCount::Waiting), 0);
        Seat::among(1).take(&counts).unwrap();
    }
}
