//! `hotplate ls`: what is stored, a line for each response.

use std::fmt::Write as _;

use clap::Args;
use serde_json::Value;

use super::admin_client::Question;
use super::admin_door::AdminDoor;
use super::exit_code::ExitCode;
use super::terminal;
use crate::admin::query::encoded;

/// Responses that are asked for at once.
const PAGE: u64 = 500;

/// What is listed.
#[derive(Debug, Args)]
pub(super) struct What {
    /// Only URLs that begin so: "http://HOST" or "http://HOST/PATH"
    #[arg(long, value_name = "URL")]
    prefix: Option<String>,
    /// Only responses with this tag
    #[arg(long)]
    tag: Option<String>,
    /// Only responses that are not fresh any more
    #[arg(long)]
    stale: bool,
    /// How many at most; all where it is not said
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Print a line of JSON for each
    #[arg(long)]
    json: bool,
}

/// Prints the list, page by page.
pub(super) fn command(door: &AdminDoor, what: &What) -> ExitCode {
    let mut left = what.limit.unwrap_or(u64::MAX);
    let mut after = None;
    while left > 0 {
        let page = match door.ask(&Question::get(what.path(left.min(PAGE), after.as_deref()))) {
            Ok(page) => page,
            Err(code) => return code,
        };
        let mut text = String::new();
        let responses = page["responses"].as_array().map_or(&[][..], Vec::as_slice);
        for response in responses {
            if left == 0 {
                break;
            }
            left -= 1;
            let line = if what.json {
                response.to_string()
            } else {
                describe(response)
            };
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&line);
        }
        if !text.is_empty() {
            let shown = terminal::result(text);
            if shown != ExitCode::Success {
                return shown;
            }
        }
        match page["next"].as_str() {
            Some(next) => after = Some(next.to_owned()),
            None => break,
        }
    }
    ExitCode::Success
}

impl What {
    fn path(&self, limit: u64, after: Option<&str>) -> String {
        let mut path = format!("/api/cache/ls?limit={limit}");
        let texts = [
            ("prefix", self.prefix.as_deref()),
            ("tag", self.tag.as_deref()),
            ("stale", self.stale.then_some("true")),
            ("after", after),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                path.push_str(&format!("&{name}={}", encoded(text)));
            }
        }
        path
    }
}

/// Status, size, age, ttl, uses, tier, URL, then what it varies by and its tags.
fn describe(response: &Value) -> String {
    let number = |name: &str| match &response[name] {
        Value::Number(number) => number.to_string(),
        _ => "-".to_owned(),
    };
    let text = |value: &Value| terminal::printable(value.as_str().unwrap_or("-"));
    let is = |name: &str| response[name].as_bool() == Some(true);
    let state = match (is("complete"), is("invalidated"), is("fresh")) {
        (false, ..) => "filling",
        (true, true, _) => "marked",
        (true, false, true) => "fresh",
        (true, false, false) => "stale",
    };
    let mut line = format!(
        "{:>3} {state:<7} {:>12} bytes  age {:>7}  ttl {:>8}  uses {}  {}  {}",
        number("status"),
        number("size"),
        number("age"),
        number("ttl"),
        number("uses"),
        text(&response["tier"]),
        text(&response["key"]),
    );
    for (name, value) in response["variant"].as_object().into_iter().flatten() {
        let value = match value {
            Value::Null => "(absent)".to_owned(),
            value => text(value),
        };
        // Writing to a string cannot fail.
        write!(line, "  {}={value}", terminal::printable(name)).ok();
    }
    let tags = response["tags"].as_array();
    let tags: Vec<String> = tags.into_iter().flatten().map(text).collect();
    if !tags.is_empty() {
        write!(line, "  [{}]", tags.join(" ")).ok();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn response_is_told_on_a_line() {
        let response = json!({
            "key": "http://a/x", "variant": {"accept-encoding": "gzip", "cookie": null}, "status": 200,
            "size": 1234, "complete": true, "age": 5, "ttl": -2, "fresh": false, "invalidated": false, "uses": 3,
            "tier": "memory", "memory_bytes": 2000, "tags": ["t1", "t\n2"],
        });
        assert_eq!(
            describe(&response),
            "200 stale           1234 bytes  age       5  ttl       -2  uses 3  memory  http://a/x  \
             accept-encoding=gzip  cookie=(absent)  [t1 t?2]"
        );
        assert!(describe(&json!({})).starts_with("  - filling"));
    }

    #[test]
    fn path_asks_for_what_is_wanted() {
        let what = What {
            prefix: Some("http://a/?x&y".to_owned()),
            tag: None,
            stale: true,
            limit: None,
            json: false,
        };
        assert_eq!(
            what.path(7, Some("ab")),
            "/api/cache/ls?limit=7&prefix=http://a/%3Fx%26y&stale=true&after=ab"
        );
    }
}
