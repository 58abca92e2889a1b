//! The table of keys as plain rows, for everything that shows it.

use super::keys;
use super::shape::Table;

/// One key of the config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The table it is in: `server`, or `site.rule` for one inside another.
    pub table: &'static str,
    /// How the table is written: `[server]`, or `[[pin]]` for one that can stand in the file many times.
    pub written: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its value when it isn't set, as TOML; none for a key that must be set.
    pub default: Option<&'static str>,
    /// The values that it takes.
    pub accepts: String,
    /// What it is for.
    pub help: &'static str,
}

/// All keys, in the order that the sample config shows them.
#[must_use]
pub fn reference() -> Vec<Row> {
    let mut rows = Vec::new();
    append(&mut rows, &keys::SERVER);
    append(&mut rows, &keys::LIMITS);
    append(&mut rows, &keys::MEMORY);
    append(&mut rows, &keys::DISK);
    append(&mut rows, &keys::FILL);
    append(&mut rows, &keys::LIBRARY);
    append(&mut rows, &keys::PIN);
    append(&mut rows, &keys::SITE);
    append(&mut rows, &keys::RULE);
    append(&mut rows, &keys::PROFILE);
    append(&mut rows, &keys::PREFETCH);
    append(&mut rows, &keys::UPLOAD);
    rows
}

fn append<T>(rows: &mut Vec<Row>, table: &Table<T>) {
    rows.extend(table.keys.iter().map(|key| Row {
        table: table.name,
        written: table.written,
        name: key.name,
        default: key.default,
        accepts: key.shape.accepts(),
        help: key.help,
    }));
}
