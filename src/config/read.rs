//! Walks the parsed TOML by the table of keys, fills the slots and collects what is wrong on the way.

use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeArray, DeString, DeTable, DeValue};

use super::fault::Fault;
use super::keys;
use super::mistake::{Cause, Mistake, Mistakes};
use super::scalar::{count, duration, in_range, size, wrong_type};
use super::shape::{Key, Shape, Table};
use super::source::Source;

/// Collects the mistakes of one file.
#[derive(Debug)]
pub(super) struct Report<'t> {
    /// The file.
    pub(super) source: Source<'t>,
    /// Its folder: relative paths are below it.
    pub(super) folder: &'t Path,
    /// What was found so far.
    pub(super) mistakes: Mistakes,
}

/// Where the values of one table stand, and which keys were set wrongly.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// The table's header.
    pub(super) header: Range<usize>,
    values: Vec<(&'static str, Vec<Range<usize>>)>,
    wrong: Vec<&'static str>,
}

impl Places {
    /// Where the value of `key` stands, if it is set and right.
    pub(super) fn of(&self, key: &str) -> Option<Range<usize>> {
        self.members(key).first().cloned()
    }

    /// Where the right members of the list `key` stand.
    pub(super) fn members(&self, key: &str) -> &[Range<usize>] {
        let found = self.values.iter().find(|(name, _)| *name == key);
        found.map_or(&[], |(_, places)| places.as_slice())
    }

    /// Whether the value of `key` has a mistake in it, so that its slot says nothing.
    pub(super) fn is_wrong(&self, key: &str) -> bool {
        self.wrong.contains(&key)
    }
}

impl Report<'_> {
    /// Adds a mistake with the line it stands on, unless the line may hold a secret.
    pub(super) fn add(&mut self, span: &Range<usize>, key: String, cause: Cause) {
        let mistyped = match cause {
            Cause::UnknownKey { nearest, .. } => nearest,
            _ => None,
        };
        let excerpt = self.source.excerpt(span).filter(|excerpt| {
            !keys::secrets().any(|secret| {
                excerpt.text.contains(secret) || key.ends_with(secret) || mistyped == Some(secret)
            })
        });
        self.mistakes.push(Mistake {
            file: self.source.file.to_path_buf(),
            at: Some(self.source.position(span.start)),
            key,
            cause,
            excerpt,
        });
    }

    /// The 1-based line of a place.
    pub(super) fn line(&self, span: &Range<usize>) -> usize {
        self.source.line(span.start)
    }
}

/// Reads `table` into `target` by `rows`.
pub(super) fn table<T>(
    report: &mut Report<'_>,
    rows: &'static Table<T>,
    header: Range<usize>,
    table: &DeTable<'_>,
    target: &mut T,
) -> Places {
    let mut places = Places {
        header: header.clone(),
        ..Places::default()
    };
    for (name, value) in table {
        match rows
            .keys
            .iter()
            .find(|key| key.name == name.get_ref().as_ref())
        {
            Some(key) => {
                let mut right = Vec::new();
                let count_before = report.mistakes.len();
                key_value(report, rows.name, key, value, target, &mut right);
                places.values.push((key.name, right));
                if report.mistakes.len() > count_before {
                    places.wrong.push(key.name);
                }
            }
            None => unknown_key(report, rows, name),
        }
    }
    for key in rows.keys.iter().filter(|key| key.default.is_none()) {
        if !table.keys().any(|name| name.get_ref() == key.name) {
            let accepts = key.shape.accepts();
            let path = format!("{}.{}", rows.name, key.name);
            report.add(&header, path, Cause::MissingKey { accepts });
        }
    }
    places
}

fn unknown_key<T>(report: &mut Report<'_>, rows: &'static Table<T>, name: &Spanned<DeString<'_>>) {
    let valid: Vec<&'static str> = rows.keys.iter().map(|key| key.name).collect();
    let written = name.get_ref().as_ref();
    let cause = Cause::UnknownKey {
        nearest: nearest(written, valid.iter().copied()),
        belongs: keys::table_of(written),
        valid,
    };
    report.add(
        &name.span(),
        format!("{}.{}", rows.name, written.escape_debug()),
        cause,
    );
}

/// The candidate that `written` was probably meant to be.
pub(super) fn nearest(
    written: &str,
    candidates: impl Iterator<Item = &'static str>,
) -> Option<&'static str> {
    let plain = written.to_ascii_lowercase().replace('-', "_");
    candidates
        .map(|name| (strsim::damerau_levenshtein(&plain, name), name))
        .min()
        .filter(|(distance, name)| *distance <= name.len().max(plain.len()).div_ceil(2).min(4))
        .map(|(_, name)| name)
}

/// Checks one value and puts it in place; `right` gets the span of the value, or of each right member of a list.
fn key_value<T>(
    report: &mut Report<'_>,
    table: &'static str,
    key: &'static Key<T>,
    value: &Spanned<DeValue<'_>>,
    target: &mut T,
    right: &mut Vec<Range<usize>>,
) {
    let path = format!("{table}.{}", key.name);
    let accepts = key.shape.accepts();
    let folder = report.folder;
    let outcome = match (&key.shape, value.get_ref()) {
        (Shape::Count { min, max, slot }, DeValue::Integer(_)) => {
            let written = &report.source.text[value.span()];
            count(value.get_ref(), *min, *max)
                .map(|count| *slot(target) = count)
                .ok_or_else(|| Cause::OutOfRange {
                    found: written.to_owned(),
                    accepts,
                })
        }
        (Shape::Size { min, max, slot }, written) => {
            size(written, accepts, *min..=*max).and_then(|(size, shown)| {
                in_range(size, *min, *max, shown, key).map(|size| *slot(target) = size)
            })
        }
        (Shape::Time { min, max, slot }, written) => duration(written, accepts, *min..=*max)
            .and_then(|(time, shown)| {
                in_range(time, *min, *max, shown, key).map(|time| *slot(target) = time)
            }),
        (Shape::Choice(choices), DeValue::String(word)) => {
            match choices.iter().find(|(known, _)| *known == word.as_ref()) {
                Some((_, choose)) => {
                    choose(target);
                    Ok(())
                }
                None => Err(Cause::NotAChoice {
                    found: word.to_string(),
                    nearest: nearest(word, choices.iter().map(|(known, _)| *known)),
                    accepts,
                }),
            }
        }
        (Shape::Text { set, .. }, DeValue::String(text)) => {
            set(target, text, folder).map_err(|fault| unfit(key, text, fault, accepts))
        }
        (Shape::List { clear, .. }, DeValue::Array(members)) => {
            clear(target);
            return list(report, &path, key, (value.span(), members), target, right);
        }
        (_, other) => Err(wrong_type(other, accepts)),
    };
    match outcome {
        Ok(()) => right.push(value.span()),
        Err(cause) => report.add(&value.span(), path, cause),
    }
}

/// Checks the members of a list one by one.
fn list<T>(
    report: &mut Report<'_>,
    path: &str,
    key: &'static Key<T>,
    (span, members): (Range<usize>, &DeArray<'_>),
    target: &mut T,
    right: &mut Vec<Range<usize>>,
) {
    let Shape::List {
        accepts,
        min,
        max,
        add,
        ..
    } = &key.shape
    else {
        return;
    };
    if !(*min..=*max).contains(&members.len()) {
        let cause = Cause::Members {
            found: members.len(),
            accepts: key.shape.accepts(),
        };
        report.add(&span, path.to_owned(), cause);
    }
    for member in members.iter().take(*max) {
        let outcome = match member.get_ref() {
            DeValue::String(text) => add(target, text, report.folder)
                .map_err(|fault| unfit(key, text, fault, (*accepts).to_owned())),
            other => Err(wrong_type(other, (*accepts).to_owned())),
        };
        match outcome {
            Ok(()) => right.push(member.span()),
            Err(cause) => report.add(&member.span(), path.to_owned(), cause),
        }
    }
}

fn unfit<T>(key: &Key<T>, text: &str, fault: Fault, accepts: String) -> Cause {
    Cause::Unfit {
        found: (!key.secret).then(|| text.to_owned()),
        fault,
        accepts,
    }
}
