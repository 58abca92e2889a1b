//! `hotplate explain`: why a request would be answered as it would.

use clap::Args;

use super::admin_client::Question;
use super::admin_door::AdminDoor;
use super::exit_code::ExitCode;
use super::terminal;
use crate::admin::query::encoded;

/// The request.
#[derive(Debug, Args)]
pub(super) struct What {
    /// The absolute URL, as clients ask for it
    url: String,
    /// A field of the request, "Name: value"; may be given several times
    #[arg(short = 'H', long = "header", value_name = "FIELD")]
    headers: Vec<String>,
    /// Print the JSON as the server sends it
    #[arg(long)]
    json: bool,
}

/// Prints the explanation.
pub(super) fn command(door: &AdminDoor, what: &What) -> ExitCode {
    let mut path = format!("/api/explain?url={}", encoded(&what.url));
    for header in &what.headers {
        path.push_str(&format!("&header={}", encoded(header)));
    }
    let question = Question::get(path);
    let shown = if what.json {
        door.ask(&question).map(|told| format!("{told:#}"))
    } else {
        let told = door.ask_text(&question.into_text());
        told.map(|told| printable_lines(&told))
    };
    match shown {
        Ok(text) => terminal::result(text),
        Err(code) => code,
    }
}

/// The text without control characters but line ends, and without the last of these.
fn printable_lines(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(terminal::printable).collect();
    lines.join("\n")
}
