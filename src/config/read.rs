//! Walks the parsed TOML by the table of keys, fills the slots and collects what is wrong on the way.

use std::ops::{Range, RangeInclusive};
use std::path::Path;

use toml::Spanned;
use toml::de::{DeArray, DeString, DeTable, DeValue};

use super::keys;
use super::mistake::{Cause, Mistake, Mistakes};
use super::profile_values;
use super::scalar::{self, wrong_type};
use super::shape::{self, Key, Shape, Table};
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

    /// Where the table sets `key`, right or wrong; the header where that can't be told.
    pub(super) fn set(&self, key: &str) -> Option<Range<usize>> {
        let is_set = self.values.iter().any(|(name, _)| *name == key);
        is_set.then(|| self.of(key).unwrap_or_else(|| self.header.clone()))
    }

    /// The names of the keys that the table sets.
    pub(super) fn keys(&self) -> impl Iterator<Item = &'static str> {
        self.values.iter().map(|(name, _)| *name)
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
        let is_withheld = matches!(cause, Cause::Unfit { found: None, .. });
        let excerpt = self.source.excerpt(span).filter(|excerpt| {
            !is_withheld
                && !has_user(&excerpt.text)
                && !keys::secrets().any(|secret| {
                    excerpt.text.contains(secret)
                        || key.ends_with(secret)
                        || mistyped == Some(secret)
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
            None if rows.inner.contains(&name.get_ref().as_ref()) => {}
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
    let keys = rows.keys.iter().map(|key| key.name);
    let valid: Vec<&'static str> = keys.chain(rows.inner.iter().copied()).collect();
    let written = name.get_ref().as_ref();
    let cause = Cause::UnknownKey {
        nearest: nearest(written, valid.iter().copied()),
        belongs: keys::table_of(written, rows.name),
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
    let span = value.span();
    let outcome = match (&key.shape, value.get_ref()) {
        (Shape::List { clear, .. }, DeValue::Array(members)) => {
            clear(target);
            return list(report, &path, key, (span, members), target, right);
        }
        (Shape::Choices { words, clear }, DeValue::Array(members)) => {
            clear(target);
            count_members(report, &path, key, &span, members.len(), 1..=words.len());
            for member in members.iter().take(words.len()) {
                let outcome = choose(words, member.get_ref(), target);
                place(report, &path, &member.span(), outcome, right);
            }
            return;
        }
        (Shape::Statuses { .. }, DeValue::Table(members)) => {
            return statuses(report, &path, key, (span, members), target, right);
        }
        (_, found) => {
            let folder = report.folder;
            let written = report.source.text.get(span.clone()).unwrap_or_default();
            single(key, found, written, folder, target)
        }
    };
    place(report, &path, &span, outcome, right);
}

/// Notes where a right value stands, or what is wrong with one.
fn place(
    report: &mut Report<'_>,
    path: &str,
    span: &Range<usize>,
    outcome: Result<(), Cause>,
    right: &mut Vec<Range<usize>>,
) {
    match outcome {
        Ok(()) => right.push(span.clone()),
        Err(cause) => report.add(span, path.to_owned(), cause),
    }
}

/// Checks a value that is no list and no table, and puts it in place; `written` is its text in the file.
fn single<T>(
    key: &'static Key<T>,
    value: &DeValue<'_>,
    written: &str,
    folder: &Path,
    target: &mut T,
) -> Result<(), Cause> {
    let accepts = key.shape.accepts();
    let out_of_range = |accepts| Cause::OutOfRange {
        found: written.to_owned(),
        accepts,
    };
    match (&key.shape, value) {
        (Shape::Flag(slot), DeValue::Boolean(on)) => *slot(target) = *on,
        (Shape::Part(slot), DeValue::Integer(_) | DeValue::Float(_)) => {
            *slot(target) = scalar::thousandths(value).ok_or_else(|| out_of_range(accepts))?;
        }
        (Shape::Count { min, max, slot }, DeValue::Integer(_)) => {
            *slot(target) =
                scalar::count(value, *min, *max).ok_or_else(|| out_of_range(accepts))?;
        }
        (Shape::Size { min, max, slot }, _) => {
            *slot(target) = scalar::size(value, accepts, *min..=*max)?;
        }
        (Shape::PowerOfTwo { min, max, slot }, _) => {
            *slot(target) = scalar::power_of_two(value, accepts, *min..=*max)?;
        }
        (Shape::Time { min, max, slot }, _) => {
            *slot(target) = scalar::duration(value, accepts, *min..=*max)?;
        }
        (Shape::Lifetime(slot), DeValue::String(text)) if text.is_empty() => *slot(target) = None,
        (Shape::Lifetime(slot), _) => *slot(target) = Some(scalar::lifetime(value, accepts)?),
        (Shape::Choice(words), _) => choose(words, value, target)?,
        (Shape::List { clear, .. }, DeValue::String(text)) if is_lone(&key.shape) => {
            clear(target);
            if !text.is_empty() {
                add_text(key, text, folder, target, accepts)?;
            }
        }
        (Shape::Text { .. }, DeValue::String(text)) => {
            add_text(key, text, folder, target, accepts)?;
        }
        (Shape::File { slot, .. }, DeValue::String(text)) => {
            *slot(target) = profile_values::file(text, folder).map_err(|fault| Cause::Unfit {
                found: Some(text.to_string()),
                fault,
                accepts,
            })?;
        }
        (_, other) => return Err(wrong_type(other, accepts)),
    }
    Ok(())
}

fn is_lone<T>(shape: &Shape<T>) -> bool {
    matches!(shape, Shape::List { lone: true, .. })
}

/// Puts a text, or a member of a list of texts, in place.
fn add_text<T>(
    key: &'static Key<T>,
    text: &str,
    folder: &Path,
    target: &mut T,
    accepts: String,
) -> Result<(), Cause> {
    let set = match &key.shape {
        Shape::Text { set, .. } | Shape::List { add: set, .. } => set,
        _ => return Ok(()),
    };
    set(target, text, folder).map_err(|fault| Cause::Unfit {
        found: (!key.secret && !fault.is_about_a_secret() && !has_user(text))
            .then(|| text.to_owned()),
        fault,
        accepts,
    })
}

/// Whether there is a URL with a user in the text, whose password is no business of a message's.
fn has_user(text: &str) -> bool {
    let after = text.split_once("://").map_or("", |(_, after)| after);
    after.contains('@')
}

/// Puts a word in place.
fn choose<T>(
    words: &'static [shape::Word<T>],
    value: &DeValue<'_>,
    target: &mut T,
) -> Result<(), Cause> {
    let DeValue::String(word) = value else {
        return Err(wrong_type(value, shape::one_of(words)));
    };
    match words.iter().find(|(known, _)| *known == word.as_ref()) {
        Some((_, choose)) => {
            choose(target);
            Ok(())
        }
        None => Err(Cause::NotAChoice {
            found: word.to_string(),
            nearest: nearest(word, words.iter().map(|(known, _)| *known)),
            accepts: shape::one_of(words),
        }),
    }
}

/// Checks how many members a list has.
fn count_members<T>(
    report: &mut Report<'_>,
    path: &str,
    key: &'static Key<T>,
    span: &Range<usize>,
    found: usize,
    range: RangeInclusive<usize>,
) {
    if !range.contains(&found) {
        let accepts = key.shape.accepts();
        report.add(span, path.to_owned(), Cause::Members { found, accepts });
    }
}

/// Checks lifetimes by status one by one.
fn statuses<T>(
    report: &mut Report<'_>,
    path: &str,
    key: &'static Key<T>,
    (span, members): (Range<usize>, &DeTable<'_>),
    target: &mut T,
    right: &mut Vec<Range<usize>>,
) {
    let Shape::Statuses { max, clear, add } = &key.shape else {
        return;
    };
    clear(target);
    count_members(report, path, key, &span, members.len(), 0..=*max);
    for (name, value) in members.iter().take(*max) {
        let written = name.get_ref().as_ref();
        match scalar::lifetime(value.get_ref(), shape::lifetimes()) {
            Ok(ttl) => {
                let outcome = add(target, written, ttl).map_err(|fault| Cause::Unfit {
                    found: Some(written.to_owned()),
                    fault,
                    accepts: key.shape.accepts(),
                });
                place(report, path, &name.span(), outcome, right);
            }
            Err(cause) => report.add(&value.span(), path.to_owned(), cause),
        }
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
        accepts, min, max, ..
    } = &key.shape
    else {
        return;
    };
    count_members(report, path, key, &span, members.len(), *min..=*max);
    for member in members.iter().take(*max) {
        let outcome = match member.get_ref() {
            DeValue::String(text) => {
                add_text(key, text, report.folder, target, (*accepts).to_owned())
            }
            other => Err(wrong_type(other, (*accepts).to_owned())),
        };
        place(report, path, &member.span(), outcome, right);
    }
}
