//! The table of RFC sections against tests: every test that it names exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

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

#[test]
fn tests_named_in_the_table_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = fs::read_to_string(root.join("docs/conformance.md")).expect("the table");
    let mut known = BTreeSet::new();
    for folder in ["src", "tests"] {
        names(&root.join(folder), &mut known);
    }
    let named = named(&table);
    assert!(named.len() > 100, "the table names {} tests", named.len());
    let missing: Vec<&str> = named
        .into_iter()
        .filter(|name| !known.contains(*name))
        .collect();
    assert!(missing.is_empty(), "not in the tree: {missing:#?}");
}
