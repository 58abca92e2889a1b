//! The sample, `config/hotplate.toml`: right, complete, and in step with the table of keys.

use std::path::{Path, PathBuf};

use super::super::{load, parse, reference};
use crate::fill::profile::ProfileRule;
use crate::policy::settings::CacheRule;
use crate::store::pinned::Hold;

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/hotplate.toml")
}

/// The sample with every key and table that stands in a comment.
pub(super) fn uncommented() -> String {
    let text = std::fs::read_to_string(file()).unwrap();
    let lines = text.lines().map(|line| match line.strip_prefix("# ") {
        Some(rest) if is_toml(rest) => rest,
        _ => line,
    });
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// Whether a comment's text is a table's header or a key with its value, not prose.
fn is_toml(text: &str) -> bool {
    let name = text.split(" = ").next().unwrap_or_default();
    let is_key = name.len() < text.len()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    is_key || text.starts_with('[')
}

/// The lines of each table that is written as `header`, in a comment or not.
fn sections<'t>(text: &'t str, header: &str) -> Vec<Vec<&'t str>> {
    let bare = |line: &'t str| line.strip_prefix("# ").unwrap_or(line);
    let mut found: Vec<Vec<&str>> = Vec::new();
    let mut is_inside = false;
    for line in text.lines() {
        if bare(line).starts_with('[') {
            is_inside = bare(line) == header;
            if is_inside {
                found.push(Vec::new());
            }
        } else if is_inside && let Some(section) = found.last_mut() {
            section.push(line);
        }
    }
    found
}

#[test]
fn sample_file_is_right_and_shows_every_key() {
    let settings = load(file()).unwrap();
    let holds: Vec<Hold> = settings.pins.iter().map(|pin| pin.hold).collect();
    for hold in [Hold::File, Hold::Mmap, Hold::Memory] {
        assert!(holds.contains(&hold), "{hold:?}");
    }
    let text = std::fs::read_to_string(file()).unwrap();
    for row in reference::reference() {
        let sections = sections(&text, row.written);
        assert!(!sections.is_empty(), "{} is not shown", row.written);
        let commented = format!("# {} = {}", row.name, row.default.unwrap_or_default());
        let set = format!("{} = ", row.name);
        let shown = sections
            .iter()
            .flatten()
            .any(|line| line.starts_with(&commented) || line.starts_with(&set));
        assert!(
            shown,
            "{}.{} is not shown with its default",
            row.table, row.name
        );
    }
}

#[test]
fn sample_without_its_comments_is_right_and_says_the_same() {
    let shown = load(file()).unwrap();
    let mut all = parse(&uncommented(), &file()).unwrap();
    let example = all.sites.pop().unwrap();
    let profile = all.profiles.pop().unwrap();
    let by_default = ProfileRule {
        name: "recordings".to_owned(),
        line: profile.line,
        ..ProfileRule::default()
    };
    assert_eq!(profile, by_default);
    let prefetch = all.prefetches.pop().unwrap();
    assert_eq!(prefetch.urls, ["http://media.example.com/welcome.wav"]);
    assert_eq!(all, shown);
    let origin = example.origin.unwrap();
    assert_eq!(origin.urls[0].to_string(), "http://127.0.0.1:8000");
    assert_eq!((origin.connections, origin.verify_peer), (256, true));
    assert!(!origin.trusts_forwarded);
    let rule = CacheRule {
        path: b"/images/"[..].into(),
        ..CacheRule::default()
    };
    assert_eq!(example.rules, [rule]);
}

#[test]
fn sample_pins_find_their_files() {
    for pin in load(file()).unwrap().pins {
        let fixed = pin
            .path
            .ancestors()
            .find(|path| !path.to_string_lossy().contains('*'));
        assert!(fixed.unwrap().exists(), "{}", pin.path.display());
    }
}
