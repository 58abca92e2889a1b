//! Texts that are no TOML, files that are no text, and what must not be said about either.

use std::path::Path;

use proptest::prelude::*;

use super::super::source::Position;
use super::super::{Cause, Mistake, load, parse};
use super::mistakes;
use super::sample::uncommented;

#[test]
fn syntax_errors_have_places_and_do_not_hide_other_mistakes() {
    let found = mistakes(
        "[server]\nlisten = [\"127.0.0.1:80\"]\nadmin = 127.0.0.1:90\n[limits]\nhead = 16KiB\nhed = 1\n\
         headers = 1\n[limits]\n",
    );
    let lines: Vec<(usize, &str)> = found
        .iter()
        .map(|(line, key, _)| (*line, key.as_str()))
        .collect();
    let expected = [
        (3, ""),
        (5, ""),
        (6, "limits.hed"),
        (7, "limits.headers"),
        (8, ""),
    ];
    assert_eq!(lines, expected, "{found:#?}");
}

#[test]
fn unclosed_list_is_reported_without_what_it_swallowed() {
    let found = mistakes("[server]\nlisten = [\"127.0.0.1:80\",\n\n[limits]\nhead = \"1KiB\"\n");
    assert!(found.iter().all(|(_, key, _)| key.is_empty()), "{found:#?}");
    assert!(
        found
            .iter()
            .any(|(_, _, words)| words.contains("unclosed array")),
        "{found:#?}"
    );
}

#[test]
fn secret_is_never_repeated() {
    let text = "[server]\nadmin_token = 'hunter2 hunter2'\n";
    let list = parse(text, Path::new("a.toml")).unwrap_err();
    assert_eq!(list.len(), 1);
    let printed = format!("{} {:?}", list[0], list[0]);
    assert!(!printed.contains("hunter2"), "{printed}");
}

#[test]
fn secret_on_a_line_with_another_mistake_is_never_repeated() {
    for text in [
        "admin_token = hunter2",
        "admin_tokn = 'hunter2'",
        "admin_token = 'hunter2",
        "\"admin_token\" = \"hunter2\\q\"",
    ] {
        let text = format!("[server]\n{text}\n");
        let list = parse(&text, Path::new("a.toml")).unwrap_err();
        let printed = format!("{list:?} {}", list[0]);
        assert!(!printed.contains("hunter2"), "{printed}");
    }
}

#[test]
fn file_that_can_not_be_read_is_a_mistake_without_a_place() {
    let folder = tempfile::tempdir().unwrap();
    let missing = load(folder.path().join("missing.toml")).unwrap_err();
    assert!(matches!(
        missing[..],
        [Mistake {
            at: None,
            cause: Cause::Unreadable { .. },
            ..
        }]
    ));
    let is_folder = load(folder.path()).unwrap_err();
    assert!(matches!(
        is_folder[..],
        [Mistake {
            cause: Cause::Unreadable { .. },
            ..
        }]
    ));
}

#[test]
fn file_that_is_not_utf8_is_a_mistake_at_its_first_wrong_byte() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("latin1.toml");
    std::fs::write(&file, b"[server]\n# caf\xe9\n").unwrap();
    let list = load(&file).unwrap_err();
    assert_eq!(list.len(), 1);
    assert_eq!(list[0].cause, Cause::NotUtf8);
    assert_eq!(list[0].at, Some(Position { line: 2, column: 6 }));
}

#[test]
fn key_is_only_missing_from_a_table_that_could_be_read() {
    let found = mistakes(
        "[[pin]]\npath = 'a'\n[[pin]]\npath = 'a'\nurl = /a\n[[pin]]\nurl = '/b'\n[limits]\nhead = 1s\n",
    );
    let places: Vec<(usize, &str)> = found
        .iter()
        .map(|(line, key, _)| (*line, key.as_str()))
        .collect();
    assert_eq!(places, [(1, "pin.url"), (5, ""), (6, "pin.path"), (9, "")]);
}

#[test]
fn text_without_quotes_is_told_to_have_some() {
    for value in ["0.0.0.0:80", "16KiB", "10s", "/srv", "2026-99", "auto"] {
        let found = mistakes(&format!("[server]\nadmin = {value}\n"));
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found[0].2.contains("quote"), "{value}: {}", found[0].2);
    }
}

#[test]
fn control_characters_of_the_file_do_not_reach_the_terminal() {
    let texts = [
        "[server]\n\"a\\u001b[2J\" = 1\n",
        "[server]\nadmin = '\u{1b}[2J'\n",
        "\"\\u001b\" = 1\n",
        "[server]\nadmin = \"\\u001b\"\naccess_log = \"/\\u001b/\\u001b\"\n[[site]]\nroot = \"\\u001b\"\n",
    ];
    for text in texts {
        for mistake in parse(text, Path::new("a.toml")).unwrap_err() {
            let printed = mistake.to_string();
            assert!(!printed.contains('\u{1b}'), "{printed:?}");
        }
    }
}

/// Values that some key takes, and some that none does.
#[rustfmt::skip]
const VALUES: [&str; 27] = [
    "0", "1", "-1", "9223372036854775807", "0.5", "nan", "-inf", "true", "false", "2026-11-20", "\"\"", "\"0\"", "\"1s\"",
    "\"8760h\"", "\"64KiB\"", "\"1GiB\"", "\"/\"", "\"*\"", "\"http://a\"", "\"https://u:p@[::1]:1/x\"", "[]", "[\"disk\"]",
    "[\"http://a\", \"http://a\"]", "[1]", "{}", "{ 404 = \"1s\", \"400-499\" = \"2s\" }", "{ 404 = {} }",
];

/// Holds that the text is read, or that each mistake in it has its place and its words.
fn assert_reported(text: &str) -> Result<(), TestCaseError> {
    let lines = text.lines().count() + 1;
    if let Err(list) = parse(text, Path::new("config/hotplate.toml")) {
        prop_assert!(!list.is_empty());
        for mistake in list {
            prop_assert!(
                mistake
                    .at
                    .is_none_or(|at| at.line <= lines && at.column >= 1)
            );
            prop_assert!(!mistake.cause.to_string().is_empty());
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn damaged_sample_is_read_without_a_panic(cuts in prop::collection::vec((0_usize..20_000, 0_usize..40), 1..4), noise in "[\\[\\]\"'=,.#\\n\u{e9}a0-9{}]{0,6}") {
        let mut text = include_str!("../../../config/hotplate.toml").replace("# ", "");
        for (start, length) in cuts {
            let start = start % text.len();
            let near = |at: usize| (at..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
            let (start, end) = (near(start), near(start + length));
            text.replace_range(start..end, &noise);
        }
        assert_reported(&text)?;
    }

    #[test]
    fn sample_with_values_exchanged_is_read_without_a_panic(changes in prop::collection::vec((0_usize..200, 0..VALUES.len()), 1..12)) {
        let text = uncommented();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        for (line, value) in changes {
            let count = lines.len();
            let line = &mut lines[line % count];
            if let Some((name, _)) = line.clone().split_once(" = ") {
                *line = format!("{name} = {}", VALUES[value]);
            }
        }
        assert_reported(&lines.join("\n"))?;
    }
}
