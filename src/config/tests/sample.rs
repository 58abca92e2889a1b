//! The sample, `config/hotplate.toml`: right, complete, and in step with the table of keys.

use std::path::Path;

use super::super::{load, reference};
use crate::store::pinned::Hold;

#[test]
fn sample_file_is_right_and_shows_every_key() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/hotplate.toml");
    let settings = load(&file).unwrap();
    let holds: Vec<Hold> = settings.pins.iter().map(|pin| pin.hold).collect();
    for hold in [Hold::File, Hold::Mmap, Hold::Memory] {
        assert!(holds.contains(&hold), "{hold:?}");
    }
    let text = std::fs::read_to_string(&file).unwrap();
    for row in reference::reference() {
        let section = text.split(&format!("\n{}\n", row.written)).nth(1);
        let section = section.unwrap_or_else(|| panic!("{} is not shown", row.written));
        let end = section.find("\n[").map_or(section.len(), |at| at + 1);
        let mut lines = section[..end].lines();
        let commented = row
            .default
            .map(|default| format!("# {} = {default}", row.name));
        let set = format!("{} = ", row.name);
        let shown = lines.any(|line| {
            line.starts_with(&set)
                || commented
                    .as_ref()
                    .is_some_and(|shown| line.starts_with(shown))
        });
        assert!(
            shown,
            "{}.{} is not shown with its default",
            row.table, row.name
        );
    }
}

#[test]
fn sample_pins_find_their_files() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/hotplate.toml");
    for pin in load(&file).unwrap().pins {
        let fixed = pin
            .path
            .ancestors()
            .find(|path| !path.to_string_lossy().contains('*'));
        assert!(fixed.unwrap().exists(), "{}", pin.path.display());
    }
}
