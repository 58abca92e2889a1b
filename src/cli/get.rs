//! `hotplate get`, `hotplate tryget` and `hotplate remove`: the path of what a URL stands for on standard output, alone.

use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::admin_client::Question;
use super::admin_door::AdminDoor;
use super::exit_code::ExitCode;
use super::terminal;

/// The longest wait for a get: the longest that the config allows, and a little.
const PATIENCE: Duration = Duration::from_secs(3660);

/// What is asked for.
#[derive(Debug, Args)]
pub(super) struct What {
    /// An http or https URL of a site, or of a host in library.hosts
    url: String,
    /// Ask the origin although what is stored is fresh
    #[arg(long)]
    refresh: bool,
    /// How long the path stays, such as "60s"; the config's library.lease when it isn't said
    #[arg(long, value_name = "TIME")]
    lease: Option<String>,
    /// The extension of the file; by URL and type when it isn't said
    #[arg(long, value_name = "EXT")]
    extension: Option<String>,
    /// The longest wait, such as "10s"; the config's library.get_timeout when it isn't said
    #[arg(long, value_name = "TIME")]
    timeout: Option<String>,
    /// The [[profile]] that the origin is asked with
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Print all that is known of it as JSON
    #[arg(long)]
    json: bool,
}

/// What is removed.
#[derive(Debug, Args)]
pub(super) struct Removed {
    /// The URL
    url: String,
    /// Print the JSON as the server sends it
    #[arg(long)]
    json: bool,
}

/// Gets what is fresh, or fetches it.
pub(super) fn get(door: &AdminDoor, what: &What) -> ExitCode {
    ask(door, "/api/cache/get", what)
}

/// Gets what is fresh, and fetches nothing.
pub(super) fn tryget(door: &AdminDoor, what: &What) -> ExitCode {
    ask(door, "/api/cache/tryget", what)
}

fn ask(door: &AdminDoor, path: &str, what: &What) -> ExitCode {
    let mut body = json!({"url": what.url, "refresh": what.refresh});
    let options = [
        ("lease", &what.lease),
        ("extension", &what.extension),
        ("timeout", &what.timeout),
        ("profile", &what.profile),
    ];
    for (name, value) in options {
        if let Some(value) = value {
            body[name] = json!(value);
        }
    }
    let question = Question::post(path, body.to_string()).waiting(PATIENCE);
    show(door, &question, what.json, |told| {
        told["path"].as_str().unwrap_or_default().to_owned()
    })
}

/// Removes what is stored of a URL; nothing to remove is no failure.
pub(super) fn remove(door: &AdminDoor, what: &Removed) -> ExitCode {
    let body = json!({"url": what.url}).to_string();
    let question = Question::post("/api/cache/remove", body);
    show(door, &question, what.json, |told| {
        let count = told["removed"].as_u64().unwrap_or_default();
        let responses = if count == 1 { "response" } else { "responses" };
        format!("removed {count} {responses}")
    })
}

/// Prints the answer: a line, or all of it.
fn show(
    door: &AdminDoor,
    question: &Question<'_>,
    as_json: bool,
    line: impl FnOnce(&Value) -> String,
) -> ExitCode {
    match door.ask_all(question) {
        Ok((told, code)) if as_json => match terminal::result(format_args!("{told:#}")) {
            ExitCode::Success => code,
            unwritten => unwritten,
        },
        Ok((told, ExitCode::Success)) => terminal::result(line(&told)),
        Ok((_, code)) | Err(code) => code,
    }
}
