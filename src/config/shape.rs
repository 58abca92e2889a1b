//! What a row of the table of keys says: name, default, help, and the shape of the value with the slot that it fills.
//!
//! Reading, range checks, message texts and the check of the sample file all come from the rows; nothing about a key is said
//! twice.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::fault::Fault;
use super::quantity::Written;
use crate::units::ByteSize;

/// A table of the config, filling a `T`.
#[derive(Debug)]
pub(super) struct Table<T: 'static> {
    /// Its name in the file; that of a table inside another begins with the other's: `site.rule`.
    pub(super) name: &'static str,
    /// How it is written: `[name]` or `[[name]]`.
    pub(super) written: &'static str,
    /// Its keys, in the order that the sample shows them.
    pub(super) keys: &'static [Key<T>],
    /// The tables inside it, by the last part of their names; they are read apart.
    pub(super) inner: &'static [&'static str],
}

impl<T> Table<T> {
    /// How the table is written, if it has a key of this name or a table inside.
    pub(super) fn written_if_has(&self, key: &str) -> Option<&'static str> {
        let has = self.keys.iter().any(|row| row.name == key) || self.inner.contains(&key);
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

/// The longest lifetime of a stored response: a year.
const LIFETIME_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

/// The lifetimes there are.
pub(super) const LIFETIMES: RangeInclusive<Duration> = Duration::ZERO..=LIFETIME_MAX;

/// Puts a text into a `T`; relative paths are below the folder.
pub(super) type Setter<T> = fn(&mut T, &str, &Path) -> Result<(), Fault>;

/// A word that a key takes, with what it does.
pub(super) type Word<T> = (&'static str, fn(&mut T));

/// The values that a key takes, and where they go.
#[derive(Debug)]
pub(super) enum Shape<T: 'static> {
    /// `true` or `false`.
    Flag(fn(&mut T) -> &mut bool),
    /// A number from 0 to 1, kept in thousandths.
    Part(fn(&mut T) -> &mut u32),
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
    /// A size with a unit that is a power of two.
    PowerOfTwo {
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
    /// A duration in whole seconds as responses have them (RFC 9111 s1.2.2), or the empty text for none.
    Lifetime(fn(&mut T) -> &mut Option<Duration>),
    /// Lifetimes by status.
    Statuses {
        /// Most entries.
        max: usize,
        /// Removes all entries.
        clear: fn(&mut T),
        /// Checks the statuses and adds an entry.
        add: fn(&mut T, &str, Duration) -> Result<(), Fault>,
    },
    /// One of a few words.
    Choice(&'static [Word<T>]),
    /// A list of words out of a few, at least one and at most as many as there are.
    Choices {
        /// The words.
        words: &'static [Word<T>],
        /// Empties the list, so that the file's members replace the default's.
        clear: fn(&mut T),
    },
    /// A text of a form of its own.
    Text {
        /// Describes the form.
        accepts: &'static str,
        /// Checks it and puts it in place.
        set: Setter<T>,
    },
    /// The path of a file that is there, or the empty text for none.
    File {
        /// Describes the form.
        accepts: &'static str,
        /// Where it goes.
        slot: fn(&mut T) -> &mut Option<PathBuf>,
    },
    /// A list of texts.
    List {
        /// Describes one member's form.
        accepts: &'static str,
        /// Whether a text alone stands for a list of one, and the empty text for an empty list.
        lone: bool,
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
            Self::Flag(_) => "true or false".to_owned(),
            Self::Part(_) => {
                "a number from 0.0 to 1.0 with at most 3 digits behind the point".to_owned()
            }
            Self::Count { min, max, .. } => format!("a whole number from {min} to {max}"),
            Self::Size { min, max, .. } => format!("a size from \"{min}\" to \"{max}\""),
            Self::PowerOfTwo { min, max, .. } => {
                format!("a size from \"{min}\" to \"{max}\" that is a power of two")
            }
            Self::Time { min, max, .. } => {
                let (min, max) = (Written(*min), Written(*max));
                format!("a duration from \"{min}\" to \"{max}\"")
            }
            Self::Lifetime(_) => format!("{}, or \"\" for none", lifetimes()),
            Self::Statuses { max, .. } => format!(
                "a table of at most {max} statuses from 400 to 599 or ranges of them with their lifetimes, such as \
                 {{ \"404\" = \"10s\", \"500-599\" = \"1s\" }}"
            ),
            Self::Choice(choices) => one_of(choices),
            Self::Choices { words, .. } => {
                format!("a list of 1 to {}, each {}", words.len(), one_of(words))
            }
            Self::Text { accepts, .. } | Self::File { accepts, .. } => (*accepts).to_owned(),
            Self::List {
                accepts,
                lone: true,
                max,
                ..
            } => format!("{accepts}, or a list of at most {max} of them, or \"\" for none"),
            Self::List {
                accepts, min, max, ..
            } => format!("a list of {min} to {max}, each {accepts}"),
        }
    }
}

/// Describes a lifetime, to follow "must be".
pub(super) fn lifetimes() -> String {
    let (min, max) = (Written(*LIFETIMES.start()), Written(*LIFETIMES.end()));
    format!("a duration in whole seconds from \"{min}\" to \"{max}\"")
}

/// Describes the choice between words.
pub(super) fn one_of<T>(words: &[Word<T>]) -> String {
    match words {
        [] => String::new(),
        [(only, _)] => format!("{only:?}"),
        [init @ .., (last, _)] => {
            let init: Vec<String> = init.iter().map(|(word, _)| format!("{word:?}")).collect();
            format!("{} or {last:?}", init.join(", "))
        }
    }
}
