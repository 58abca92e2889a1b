//! Contradictions in the cache's rules.

use std::fmt;

/// Two keys of a `[[site.rule]]`, or two of these tables, that can't both hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleContradiction {
    /// Two rules of one site for one path.
    PathTwice {
        /// The path.
        path: String,
        /// The first rule's line.
        line: usize,
    },
    /// A key about storing in a rule by which nothing is stored.
    NothingStored,
    /// A store that a rule names twice.
    TierTwice,
    /// A rule that stores on disk alone, without a disk store.
    DiskIsOff,
    /// A rule that stores in memory alone, without a memory store.
    MemoryIsOff,
    /// A lifetime beyond the rule's `max_ttl`.
    LongerThanMax,
    /// A lifetime below the rule's `min_ttl`.
    ShorterThanMin,
    /// Statuses whose lifetime lies outside the rule's bounds, which hold for errors too.
    ErrorsOutside {
        /// The first status.
        first: u16,
        /// The last.
        last: u16,
        /// The key that would change the lifetime.
        bound: &'static str,
    },
    /// `ignore_no_last_modified` without the lifetime that it gives.
    NeedsDefaultTtl,
    /// Parameters left out of a query that is left out as a whole.
    WholeQueryIgnored,
}

impl fmt::Display for RuleContradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::PathTwice { path, line } => {
                return write!(
                    f,
                    "the [[site.rule]] of line {line} is for {path} of this site already; make one of the two"
                );
            }
            Self::ErrorsOutside { first, last, bound } => {
                let statuses = match first == last {
                    true => first.to_string(),
                    false => format!("{first}-{last}"),
                };
                return write!(
                    f,
                    "the lifetime of {statuses} lies beyond {bound}, which holds for errors too"
                );
            }
            Self::NothingStored => {
                "cache = false stores nothing, so this has no effect; remove one of the two"
            }
            Self::TierTwice => "named already; a store is tried once",
            Self::DiskIsOff => {
                "nothing would be stored: disk.path is not set; set it or add \"memory\""
            }
            Self::MemoryIsOff => {
                "nothing would be stored: memory.size or memory.max_object is 0; raise it or add \"disk\""
            }
            Self::LongerThanMax => "longer than max_ttl, which caps every lifetime of this rule",
            Self::ShorterThanMin => {
                "shorter than min_ttl, which raises every lifetime of this rule"
            }
            Self::NeedsDefaultTtl => {
                "it needs default_ttl: what it lets in has no lifetime of its own"
            }
            Self::WholeQueryIgnored => {
                "ignore_query = true leaves the whole query out; remove one of the two"
            }
        };
        f.write_str(text)
    }
}
