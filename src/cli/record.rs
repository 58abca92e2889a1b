//! `hotplate record`: a path for a program to write to, whose file is uploaded when the program is done.

use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use super::admin_door::AdminDoor;
use super::exit_code::ExitCode;
use super::terminal;
use crate::admin::query::encoded;

/// What is recorded for where, or what has ended.
#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct What {
    /// An absolute http or https URL, on a host of a [[profile]] or of a [[site]] with an origin
    #[arg(required_unless_present = "close", conflicts_with = "close")]
    url: Option<String>,
    /// End the recording of this path or number; it ends by itself when the last writer closes the file
    #[arg(long, value_name = "PATH|ID")]
    close: Option<PathBuf>,
    /// Use this [[profile]] rather than that of the host
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// The Content-Type; by the URL's extension where none is named
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    /// The extension of the file; by the URL or the Content-Type where none is named
    #[arg(long, value_name = "EXT")]
    extension: Option<String>,
    /// Make it the cached copy of its URL when it is at the origin
    #[arg(long, conflicts_with = "close")]
    cache: bool,
    /// Print the JSON as the server sends it
    #[arg(long)]
    json: bool,
}

/// Prints the path to write to, or ends a recording.
pub(super) fn command(door: &AdminDoor, what: &What) -> ExitCode {
    let (path, shows) = match (&what.url, &what.close) {
        (Some(url), _) => {
            let mut path = format!("/api/cache/record?url={}", encoded(url));
            for (name, value) in [
                ("profile", &what.profile),
                ("content_type", &what.content_type),
                ("extension", &what.extension),
            ] {
                if let Some(value) = value {
                    path.push_str(&format!("&{name}={}", encoded(value)));
                }
            }
            if what.cache {
                path.push_str("&cache=true");
            }
            (path, "path")
        }
        (None, Some(close)) => {
            let text = close.to_string_lossy();
            let is_number = text.parse::<u64>().is_ok();
            let name = if is_number { "id" } else { "path" };
            // Paths are compared as the server gave them out.
            (
                format!("/api/cache/record/close?{name}={}", encoded(&text)),
                "id",
            )
        }
        (None, None) => return terminal::complain("a URL is needed", ExitCode::Usage),
    };
    let none = http_body_util::Empty::<hyper::body::Bytes>::new();
    let (status, told) = match door.send(&path, none) {
        Ok(answer) => answer,
        Err(code) => return code,
    };
    if !status.is_success() {
        // Of a recording that somebody has dropped there is a reason.
        let error = told["error"].as_str().or(told["reason"].as_str());
        let error = error.unwrap_or("it was refused");
        let code = match status.as_u16() {
            400 => ExitCode::Usage,
            _ => ExitCode::Failure,
        };
        return terminal::complain(error, code);
    }
    if what.json {
        return terminal::result(format_args!("{told:#}"));
    }
    match &told[shows] {
        Value::String(path) => terminal::result(path),
        id => terminal::result(format_args!("accepted: upload {id}")),
    }
}
