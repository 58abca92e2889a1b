//! The two streams: results on standard output, everything else on standard error.

use std::fmt::Display;
use std::io::{self, Write as _};

use super::exit_code::ExitCode;
use crate::config::Mistake;

/// Prints a result and a line end; the code tells whether that worked.
pub(super) fn result(text: impl Display) -> ExitCode {
    let mut stream = io::stdout().lock();
    let written = writeln!(stream, "{text}").and_then(|()| stream.flush());
    ExitCode::of_output(&written)
}

/// Tells the operator what went wrong, and returns `code`.
pub(super) fn complain(text: impl Display, code: ExitCode) -> ExitCode {
    let written = writeln!(io::stderr().lock(), "hotplate: {text}");
    // With standard error gone there is nobody left to tell; the exit code still does.
    drop(written);
    code
}

/// The text without characters that would move the cursor.
pub(super) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

/// Prints every mistake of a config and how many there are.
pub(super) fn mistakes(mistakes: &[Mistake]) -> ExitCode {
    let mut text = String::new();
    for mistake in mistakes {
        text.push_str(&format!("{mistake}\n"));
    }
    let count = match mistakes.len() {
        1 => "1 mistake in the config".to_owned(),
        count => format!("{count} mistakes in the config"),
    };
    let written = writeln!(io::stderr().lock(), "{text}hotplate: {count}");
    drop(written); // as above
    ExitCode::Usage
}
