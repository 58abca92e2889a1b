//! Request directives (RFC 9111 s5.2.1), and Pragma (s5.4).

use super::{DELTA_MAX, Delta, Directives, NAME_MAX, Written as _, lower_case};
use crate::http::fields::FieldLines;

/// How stale a response the client accepts (RFC 9111 s5.2.1.2). The order is that of how much it allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MaxStale {
    /// So many seconds past its lifetime.
    Seconds(u64),
    /// However stale.
    Any,
}

impl MaxStale {
    /// Whether it accepts what is `over` seconds past its lifetime.
    #[must_use]
    pub const fn accepts(self, over: u64) -> bool {
        match self {
            Self::Seconds(seconds) => over <= seconds,
            Self::Any => true,
        }
    }
}

/// What a request says to caches. Of a directive that is repeated, the most restrictive counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestDirectives {
    /// No stored response without successful validation (s5.2.1.4).
    pub no_cache: bool,
    /// Nothing of the request or its response is stored (s5.2.1.5).
    pub no_store: bool,
    /// The content is not transformed (s5.2.1.6).
    pub no_transform: bool,
    /// Only a stored response, or 504 (s5.2.1.7).
    pub only_if_cached: bool,
    /// The highest age in seconds (s5.2.1.1); 0 where it could not be read.
    pub max_age: Option<u64>,
    /// How stale it may be (s5.2.1.2); absent where it could not be read.
    pub max_stale: Option<MaxStale>,
    /// How many seconds it must still be fresh (s5.2.1.3); [`DELTA_MAX`] where it could not be read.
    pub min_fresh: Option<u64>,
    /// How many seconds past its lifetime it may stand in for a failing origin (RFC 5861 s4); 0 where it could not be
    /// read.
    pub stale_if_error: Option<u64>,
    /// `Pragma: no-cache` of a request that has no Cache-Control (s5.4).
    pub pragma_no_cache: bool,
}

impl RequestDirectives {
    /// Reads all lines of Cache-Control, and of Pragma where there is no Cache-Control. Allocates nothing.
    #[must_use]
    pub fn of(fields: &impl FieldLines) -> Self {
        let mut read = Self::default();
        let mut has_cache_control = false;
        for (name, value) in fields.lines() {
            if name.eq_ignore_ascii_case(b"cache-control") {
                has_cache_control = true;
                read.add_line(value);
            } else if name.eq_ignore_ascii_case(b"pragma") {
                read.pragma_no_cache |= Directives::of(value)
                    .any(|directive| directive.name.eq_ignore_ascii_case(b"no-cache"));
            }
        }
        read.pragma_no_cache &= !has_cache_control;
        read
    }

    fn add_line(&mut self, value: &[u8]) {
        for directive in Directives::of(value) {
            let delta = || directive.argument.delta();
            match lower_case(directive.name, &mut [0; NAME_MAX]) {
                b"no-cache" => self.no_cache = true,
                b"no-store" => self.no_store = true,
                b"no-transform" => self.no_transform = true,
                b"only-if-cached" => self.only_if_cached = true,
                b"max-age" => self.max_age = smaller(self.max_age, delta().seconds()),
                b"stale-if-error" => {
                    self.stale_if_error = smaller(self.stale_if_error, delta().seconds());
                }
                b"min-fresh" => {
                    let wanted = match delta() {
                        Delta::Seconds(seconds) => seconds,
                        Delta::Invalid => DELTA_MAX,
                    };
                    self.min_fresh = self.min_fresh.max(Some(wanted));
                }
                b"max-stale" => {
                    let accepted = match delta() {
                        Delta::Seconds(seconds) => MaxStale::Seconds(seconds),
                        Delta::Invalid if directive.argument.is_bare() => MaxStale::Any,
                        Delta::Invalid => continue,
                    };
                    self.max_stale = smaller(self.max_stale, accepted);
                }
                _ => {}
            }
        }
    }
}

/// The smaller of what was read before, if anything, and what is read now.
pub(super) fn smaller<T: Ord>(before: Option<T>, now: T) -> Option<T> {
    Some(match before {
        Some(before) => before.min(now),
        None => now,
    })
}
