//! `hotplate purge` and `hotplate clear`: what is stored goes, or is validated before it is used again.

use clap::Args;
use serde_json::{Value, json};

use super::admin_client::Question;
use super::admin_door::AdminDoor;
use super::exit_code::ExitCode;
use super::terminal;

/// Keys that a dry run names at most.
const KEYS_SHOWN: usize = 1000;

/// What is purged.
#[derive(Debug, Args)]
pub(super) struct What {
    #[command(flatten)]
    meant: Meant,
    /// Keep it, and have it validated before it is used again
    #[arg(long)]
    soft: bool,
    /// Change nothing, and list what would be purged
    #[arg(long)]
    dry_run: bool,
    /// Fail with 1 where nothing was stored that is meant
    #[arg(long)]
    must_exist: bool,
    /// Print the JSON as the server sends it
    #[arg(long)]
    json: bool,
}

/// Exactly one of these.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Meant {
    /// An absolute URL, as clients ask for it
    #[arg(long)]
    url: Option<String>,
    /// All URLs that begin so: "http://HOST" or "http://HOST/PATH"
    #[arg(long, value_name = "URL")]
    prefix: Option<String>,
    /// All responses with this tag in Cache-Tag, Surrogate-Key, xkey or Cache-Groups
    #[arg(long)]
    tag: Option<String>,
    /// Everything
    #[arg(long)]
    all: bool,
}

/// Purges, and tells how much.
pub(super) fn command(door: &AdminDoor, what: &What) -> ExitCode {
    let Meant {
        url,
        prefix,
        tag,
        all,
    } = &what.meant;
    let body = json!({
        "url": url, "prefix": prefix, "tag": tag, "all": all,
        "soft": what.soft, "dry_run": what.dry_run, "limit": KEYS_SHOWN,
    });
    let told = match door.ask(&Question::post("/api/purge", body.to_string())) {
        Ok(told) => told,
        Err(code) => return code,
    };
    let shown = if what.json {
        terminal::result(format_args!("{told:#}"))
    } else {
        terminal::result(describe(&told))
    };
    let is_nothing = told["purged"].as_u64() == Some(0);
    match shown {
        ExitCode::Success if is_nothing && what.must_exist => {
            terminal::complain("nothing is stored that is meant", ExitCode::Failure)
        }
        code => code,
    }
}

/// Removes everything.
pub(super) fn clear(door: &AdminDoor) -> ExitCode {
    match door.ask(&Question::post("/api/cache/clear", "")) {
        Ok(told) => terminal::result(describe(&told)),
        Err(code) => code,
    }
}

/// The answer in a sentence; for a dry run what is meant, too.
fn describe(told: &Value) -> String {
    let count = told["purged"].as_u64().unwrap_or_default();
    let is = |name: &str| told[name].as_bool() == Some(true);
    let responses = if count == 1 { "response" } else { "responses" };
    let mut text = match (is("dry_run"), is("soft")) {
        (false, false) => format!("purged {count} {responses}"),
        (false, true) => format!("marked {count} {responses} stale"),
        (true, false) => format!("would purge {count} {responses}"),
        (true, true) => format!("would mark {count} {responses} stale"),
    };
    if is("dry_run") {
        let keys = told["keys"].as_array();
        for key in keys.into_iter().flatten().filter_map(Value::as_str) {
            text.push_str("\n  ");
            text.push_str(&terminal::printable(key));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_is_told_in_a_sentence() {
        let told = |soft, dry_run, purged| {
            let keys = ["http://a/\u{1b}x"];
            describe(&json!({"purged": purged, "soft": soft, "dry_run": dry_run, "keys": keys}))
        };
        assert_eq!(told(false, false, 1), "purged 1 response");
        assert_eq!(told(true, false, 2), "marked 2 responses stale");
        assert_eq!(
            told(false, true, 1),
            "would purge 1 response\n  http://a/?x"
        );
    }
}
