//! What a row of the table of keys says: name, default, help, and the shape of the value with the slot that it fills.
//!
//! Reading, range checks, message texts and the check of the sample file all come from the rows; nothing about a key is said
//! twice.

use std::path::Path;
use std::time::Duration;

use super::fault::Fault;
use super::quantity::Written;
use crate::units::ByteSize;

/// A table of the config, filling a `T`.
#[derive(Debug)]
pub(super) struct Table<T: 'static> {
    /// Its name in the file.
    pub(super) name: &'static str,
    /// How it is written: `[name]` or `[[name]]`.
    pub(super) written: &'static str,
    /// Its keys, in the order that the sample shows them.
    pub(super) keys: &'static [Key<T>],
}

impl<T> Table<T> {
    /// How the table is written, if it has a key of this name.
    pub(super) fn written_if_has(&self, key: &str) -> Option<&'static str> {
        let has = self.keys.iter().any(|row| row.name == key);
        has.then_some(self.written)
    }
}

/// A key of a table that fills a `T`.
#[derive(Debug)]
pub(super) struct Key<T: 'static> {
    /// Its name in the file.
    pub(super) name: &'static str,
    /// The value that it has when it isn't set, as the file would have it; none for a key that must be set.
    pub(super) default: Option<&'static str>,
    /// What it is for, in one sentence.
    pub(super) help: &'static str,
    /// Whether its value must not be repeated in messages.
    pub(super) secret: bool,
    /// The values it takes.
    pub(super) shape: Shape<T>,
}

/// Puts a text into a `T`; relative paths are below the folder.
pub(super) type Setter<T> = fn(&mut T, &str, &Path) -> Result<(), Fault>;

/// A word that a key takes, with what it does.
pub(super) type Word<T> = (&'static str, fn(&mut T));

/// The values that a key takes, and where they go.
#[derive(Debug)]
pub(super) enum Shape<T: 'static> {
    /// A whole number.
    Count {
        /// The lowest.
        min: usize,
        /// The highest.
        max: usize,
        /// Where it goes.
        slot: fn(&mut T) -> &mut usize,
    },
    /// A size with a unit.
    Size {
        /// The smallest.
        min: ByteSize,
        /// The largest.
        max: ByteSize,
        /// Where it goes.
        slot: fn(&mut T) -> &mut ByteSize,
    },
    /// A duration with a unit.
    Time {
        /// The shortest.
        min: Duration,
        /// The longest.
        max: Duration,
        /// Where it goes.
        slot: fn(&mut T) -> &mut Duration,
    },
    /// One of a few words.
    Choice(&'static [Word<T>]),
    /// A text of a form of its own.
    Text {
        /// Describes the form.
        accepts: &'static str,
        /// Checks it and puts it in place.
        set: Setter<T>,
    },
    /// A list of texts.
    List {
        /// Describes one member's form.
        accepts: &'static str,
        /// Fewest members.
        min: usize,
        /// Most members.
        max: usize,
        /// Empties the list, so that the file's members replace the default's.
        clear: fn(&mut T),
        /// Checks a member and appends it.
        add: Setter<T>,
    },
}

impl<T> Shape<T> {
    /// Describes the values, to follow "must be".
    #[must_use]
    pub(super) fn accepts(&self) -> String {
        match self {
            Self::Count { min, max, .. } => format!("a whole number from {min} to {max}"),
            Self::Size { min, max, .. } => format!("a size from \"{min}\" to \"{max}\""),
            Self::Time { min, max, .. } => {
                let (min, max) = (Written(*min), Written(*max));
                format!("a duration from \"{min}\" to \"{max}\"")
            }
            Self::Choice(choices) => match choices {
                [] => String::new(),
                [(only, _)] => format!("{only:?}"),
                [init @ .., (last, _)] => {
                    let init: Vec<String> =
                        init.iter().map(|(word, _)| format!("{word:?}")).collect();
                    format!("{} or {last:?}", init.join(", "))
                }
            },
            Self::Text { accepts, .. } => (*accepts).to_owned(),
            Self::List {
                accepts, min, max, ..
            } => format!("a list of {min} to {max}, each {accepts}"),
        }
    }
}
