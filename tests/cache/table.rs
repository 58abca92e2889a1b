//! The table of RFC sections against tests: every test that it names exists, and it names every one that is named after an RFC.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What a test's name, or that of a module of tests, stands behind.
const BEFORE_A_NAME: [&str; 4] = ["fn", "mod", "before_an_origin", "on_both_drivers"];

/// All names of functions, modules and scenarios in Rust files below a folder.
fn names(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            names(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source");
            let words = text.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
            let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
            let named = words
                .windows(2)
                .filter(|two| BEFORE_A_NAME.contains(&two[0]));
            found.extend(named.map(|two| two[1].to_owned()));
        }
    }
}

/// What stands between back-quotes in the table's last column.
fn named(table: &str) -> BTreeSet<&str> {
    let rows = table.lines().filter(|line| line.starts_with('|'));
    let last = rows.filter_map(|row| row.trim_end_matches('|').rsplit('|').next());
    last.flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect()
}

/// A path of the project.
fn of_project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn table() -> String {
    fs::read_to_string(of_project("docs/conformance.md")).expect("the table")
}

/// Whether a name begins with the number of an RFC.
fn is_of_an_rfc(name: &str) -> bool {
    let number = name.strip_prefix("rfc").unwrap_or_default();
    number.starts_with(|letter: char| letter.is_ascii_digit())
}

#[test]
fn tests_named_after_an_rfc_stand_in_the_table() {
    let (table, mut known) = (table(), BTreeSet::new());
    names(&of_project("tests/cache"), &mut known);
    known.retain(|name| is_of_an_rfc(name));
    assert!(known.len() > 100, "{} tests", known.len());
    let named = named(&table);
    let missing: Vec<String> = known
        .into_iter()
        .filter(|name| !named.contains(name.as_str()))
        .collect();
    assert!(missing.is_empty(), "in no row: {missing:#?}");
}

#[test]
fn tests_named_in_the_table_exist() {
    let table = table();
    let mut known = BTreeSet::new();
    for folder in ["src", "tests"] {
        names(&of_project(folder), &mut known);
    }
    let named = named(&table);
    assert!(named.len() > 100, "the table names {} tests", named.len());
    let missing: Vec<&str> = named
        .into_iter()
        .filter(|name| !known.contains(*name))
        .collect();
    assert!(missing.is_empty(), "not in the tree: {missing:#?}");
}
