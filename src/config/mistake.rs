//! Mistakes of a config: what is wrong, where, and what to write instead.
//!
//! All of them are the operator's to mend; nothing of the operator's secrets is repeated in them.

use std::fmt;
use std::path::PathBuf;

use super::contradiction::Contradiction;
use super::fault::Fault;
use super::quantity::QuantityFault;
use super::source::{Excerpt, Position};

/// One mistake in a config file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file as the operator named it.
    pub file: PathBuf,
    /// Where in the file; none when the file could not be read.
    pub at: Option<Position>,
    /// The key with its table, such as `limits.head`; empty where the mistake belongs to no key.
    pub key: String,
    /// What is wrong.
    pub cause: Cause,
    /// The line, where showing it helps and gives nothing away.
    pub excerpt: Option<Excerpt>,
}

/// All mistakes of a config, in the order of the file; never empty.
pub type Mistakes = Vec<Mistake>;

/// What is wrong. `accepts` describes the values that the key takes, as the table of keys has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The file can't be read.
    Unreadable {
        /// The system's words.
        reason: String,
    },
    /// The file is longer than a config may be.
    TooLong {
        /// The longest, in bytes.
        bytes_max: u64,
    },
    /// The file isn't UTF-8.
    NotUtf8,
    /// The text isn't TOML.
    Syntax {
        /// The parser's words.
        message: String,
    },
    /// There is no such key.
    UnknownKey {
        /// The valid key that looks most like it.
        nearest: Option<&'static str>,
        /// The table that does have a key of this name.
        belongs: Option<&'static str>,
        /// All keys that are valid here.
        valid: Vec<&'static str>,
    },
    /// A key that has no default is missing.
    MissingKey {
        /// What to set it to.
        accepts: String,
    },
    /// A value of another TOML type, or a table where a list of tables belongs.
    WrongType {
        /// The type that was found.
        found: &'static str,
        /// What belongs there.
        accepts: String,
    },
    /// A number without a unit.
    NoUnit {
        /// What was found.
        found: String,
        /// What to write where the number was meant in the smallest unit that makes sense.
        write: String,
        /// What belongs there.
        accepts: String,
    },
    /// A quantity that can't be read for another reason than a missing unit.
    Quantity {
        /// What was found.
        found: String,
        /// Why it can't be read.
        fault: QuantityFault,
        /// The units that exist.
        units: Vec<&'static str>,
        /// What belongs there.
        accepts: String,
    },
    /// A value outside its range.
    OutOfRange {
        /// What was found.
        found: String,
        /// What belongs there.
        accepts: String,
    },
    /// A word that is none of those that exist.
    NotAChoice {
        /// What was found.
        found: String,
        /// The word that looks most like it.
        nearest: Option<&'static str>,
        /// What belongs there.
        accepts: String,
    },
    /// A text that isn't of the key's form.
    Unfit {
        /// What was found; none for a secret.
        found: Option<String>,
        /// What is wrong with it.
        fault: Fault,
        /// What belongs there.
        accepts: String,
    },
    /// A list or a list of tables with too few or too many members.
    Members {
        /// How many there are.
        found: usize,
        /// What belongs there.
        accepts: String,
    },
    /// Two parts of the file that can't both hold.
    Contradiction(Contradiction),
}

impl std::error::Error for Mistake {}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(at) = self.at {
            write!(f, "{}:{}:", at.line, at.column)?;
        }
        if !self.key.is_empty() {
            write!(f, " {}:", self.key)?;
        }
        write!(f, " {}", self.cause)?;
        if let (Some(at), Some(excerpt)) = (self.at, &self.excerpt) {
            let gutter = at.line.to_string().len();
            write!(f, "\n {:gutter$} |\n {} | {}", "", at.line, excerpt.text)?;
            let indent = at.column - 1;
            write!(f, "\n {:gutter$} | {:indent$}", "", "")?;
            for _ in 0..excerpt.width {
                f.write_str("^")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { reason } => write!(f, "can't be read: {reason}"),
            Self::TooLong { bytes_max } => {
                write!(f, "is longer than {bytes_max} bytes: is this the config?")
            }
            Self::NotUtf8 => write!(f, "not UTF-8 here: save the file in UTF-8"),
            Self::Syntax { message } => write!(f, "not TOML: {message}"),
            Self::UnknownKey {
                nearest,
                belongs,
                valid,
            } => unknown_key(f, *nearest, *belongs, valid),
            Self::MissingKey { accepts } => write!(f, "missing; it must be set to {accepts}"),
            Self::WrongType { found, accepts } => write!(f, "found {found}, must be {accepts}"),
            Self::NoUnit {
                found,
                write,
                accepts,
            } => write!(
                f,
                "{found} has no unit; write \"{write}\"; must be {accepts}"
            ),
            Self::Quantity {
                found,
                fault,
                units,
                accepts,
            } => quantity(f, found, *fault, units, accepts),
            Self::OutOfRange { found, accepts } => {
                write!(f, "{found} is out of range, must be {accepts}")
            }
            Self::NotAChoice {
                found,
                nearest,
                accepts,
            } => {
                write!(f, "{found:?} is unknown, must be {accepts}")?;
                did_you_mean(f, *nearest)
            }
            Self::Unfit {
                found,
                fault,
                accepts,
            } => {
                if let Some(found) = found {
                    write!(f, "{found:?}: ")?;
                }
                write!(f, "{fault}; must be {accepts}")
            }
            Self::Members { found, accepts } => write!(f, "found {found}, must be {accepts}"),
            Self::Contradiction(contradiction) => contradiction.fmt(f),
        }
    }
}

fn unknown_key(
    f: &mut fmt::Formatter<'_>,
    nearest: Option<&str>,
    belongs: Option<&str>,
    valid: &[&str],
) -> fmt::Result {
    f.write_str("unknown key")?;
    if let Some(table) = belongs {
        write!(f, " here; it belongs to {table}")
    } else if nearest.is_some() {
        did_you_mean(f, nearest)
    } else {
        write!(f, "; valid here: {}", valid.join(", "))
    }
}

fn did_you_mean(f: &mut fmt::Formatter<'_>, nearest: Option<&str>) -> fmt::Result {
    nearest.map_or(Ok(()), |nearest| write!(f, "; did you mean \"{nearest}\"?"))
}

fn quantity(
    f: &mut fmt::Formatter<'_>,
    found: &str,
    fault: QuantityFault,
    units: &[&str],
    accepts: &str,
) -> fmt::Result {
    match fault {
        QuantityFault::UnknownUnit { nearest } => {
            write!(
                f,
                "{found:?} has an unknown unit (there are {})",
                units.join(", ")
            )?;
            write!(f, ", must be {accepts}")?;
            did_you_mean(f, nearest)
        }
        QuantityFault::TooLarge => write!(f, "{found:?} is out of range, must be {accepts}"),
        QuantityFault::NotANumber | QuantityFault::NoUnit => write!(
            f,
            "{found:?} is not digits directly followed by a unit ({}), must be {accepts}",
            units.join(", ")
        ),
    }
}
