//! `hotplate check`: reads the config exactly as `serve` does and says what it found.

use std::path::Path;

use super::exit_code::ExitCode;
use super::terminal;
use crate::config::{self, Settings, reference};

/// Checks the config at `config_path`.
pub(super) fn command(config_path: &Path) -> ExitCode {
    match config::load(config_path) {
        Ok(settings) => terminal::result(summary(&settings)),
        Err(mistakes) => terminal::mistakes(&mistakes),
    }
}

fn summary(settings: &Settings) -> String {
    let counted = |count: usize, noun: &str| match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    };
    format!(
        "ok: {}, {}",
        counted(settings.pins.len(), "pin"),
        counted(settings.sites.len(), "site")
    )
}

/// Prints the table of keys.
pub(super) fn keys() -> ExitCode {
    let mut text = String::new();
    let mut table = "";
    for row in reference::reference() {
        if row.table != table {
            table = row.table;
            text.push_str(&format!("{}\n", row.written));
        }
        let default = match row.default {
            Some(default) => format!("default {default}"),
            None => "must be set".to_owned(),
        };
        text.push_str(&format!(
            "  {}: {}\n      {}; {default}\n",
            row.name, row.help, row.accepts
        ));
    }
    terminal::result(text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn summary_counts_pins_and_sites() {
        assert_eq!(summary(&Settings::default()), "ok: 0 pins, 0 sites");
        let text = "[[pin]]\npath = '/a'\nurl = '/a'\n[[site]]\nroot = '/'\n";
        let settings = config::parse(text, Path::new("/a.toml")).unwrap();
        assert_eq!(summary(&settings), "ok: 1 pin, 1 site");
    }

    #[test]
    fn wrong_config_is_a_usage_error() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(command(&folder.path().join("none.toml")), ExitCode::Usage);
    }
}
