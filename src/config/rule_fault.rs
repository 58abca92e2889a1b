//! Why a text of a cache rule is not of its key's form.

use std::fmt;

/// Why a rule's path, or one of the names and statuses in it, can't be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleFault {
    /// A `*` in the path of a rule.
    PathWithStar,
    /// No field name.
    NotAFieldName,
    /// A field that is of one connection.
    FieldOfConnection,
    /// A field without which a stored response would be misread, or reused where it must not be.
    FieldNeeded,
    /// Set-Cookie, which has a key of its own.
    FieldWithOwnKey,
    /// No name of a query parameter.
    NotAParameter,
    /// A name of a query parameter that stands for all of them.
    EveryParameter,
    /// No status of an error, and no range of them.
    NotStatuses,
    /// Statuses that an earlier entry has in part, or exactly the same.
    StatusesOverlap {
        /// The earlier entry's first.
        first: u16,
        /// Its last.
        last: u16,
    },
}

impl fmt::Display for RuleFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::PathWithStar => {
                "\"*\" stands for nothing here: a rule is for its path and all below it; for a path that has one, write %2A"
            }
            Self::NotAFieldName => "not a field name",
            Self::FieldOfConnection => "a field of one connection, which is never stored",
            Self::FieldNeeded => {
                "without it, a stored response would be misread, or reused where it must not be"
            }
            Self::FieldWithOwnKey => "write set_cookie = \"strip\" for it",
            Self::NotAParameter => {
                "a parameter's name has no \"&\", \";\", \"=\", \"#\" or space, and \"*\" only as its end"
            }
            Self::EveryParameter => "write ignore_query = true for all parameters",
            Self::NotStatuses => "not a status from 400 to 599 nor a range of them",
            Self::StatusesOverlap { first, last } if first == last => {
                return write!(f, "{first} has an entry already");
            }
            Self::StatusesOverlap { first, last } => {
                return write!(
                    f,
                    "{first}-{last} has an entry that has a part of it or all; one range must lie within the other"
                );
            }
        };
        f.write_str(text)
    }
}
