//! `hotplate leases` and `hotplate lease`: the paths that are handed out, and what their holders do with them.

use clap::Args;
use serde_json::{Value, json};

use super::admin_client::Question;
use super::admin_door::AdminDoor;
use super::columns::{MISSING, Side, laid_out};
use super::exit_code::ExitCode;
use super::stats_table;
use super::terminal;

/// How the list is shown.
#[derive(Debug, Args)]
pub(super) struct Listed {
    /// Print the JSON as the server sends it
    #[arg(long)]
    json: bool,
}

/// Which lease is meant, and what is done to it.
#[derive(Debug, Args)]
pub(super) struct What {
    /// The lease's id, or the path that was handed out
    #[arg(value_name = "ID|PATH")]
    lease: String,
    #[command(flatten)]
    act: Act,
    /// Print the JSON as the server sends it
    #[arg(long)]
    json: bool,
}

/// What is done to a lease.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Act {
    /// Have the path stay that long from now on, such as "5m"; one that stays longer does so still
    #[arg(long, value_name = "TIME")]
    renew: Option<String>,
    /// Give the path back: it goes with the last of its holders
    #[arg(long)]
    release: bool,
}

/// Prints the leases there are, the one that ends first above.
pub(super) fn leases(door: &AdminDoor, listed: &Listed) -> ExitCode {
    let told = match door.ask(&Question::get("/api/cache/leases")) {
        Ok(told) => told,
        Err(code) => return code,
    };
    if listed.json {
        return terminal::result(format_args!("{told:#}"));
    }
    let leases = told["leases"].as_array().map_or(&[][..], Vec::as_slice);
    if leases.is_empty() {
        return terminal::result("no leases");
    }
    terminal::result(table(leases))
}

/// Renews a lease, or gives it back.
pub(super) fn command(door: &AdminDoor, what: &What) -> ExitCode {
    let id = match id(door, &what.lease) {
        Ok(id) => id,
        Err(code) => return code,
    };
    let body = match &what.act.renew {
        Some(time) => json!({"id": id, "act": "renew", "lease": time}),
        None => json!({"id": id, "act": "release"}),
    };
    let question = Question::post("/api/cache/lease", body.to_string());
    match door.ask_all(&question) {
        Ok((told, code)) if what.json => match terminal::result(format_args!("{told:#}")) {
            ExitCode::Success => code,
            unwritten => unwritten,
        },
        Ok((told, ExitCode::Success)) => terminal::result(describe(&told)),
        Ok((_, code)) | Err(code) => code,
    }
}

/// The id of what was named: a path is looked for among the leases, as it was handed out.
fn id(door: &AdminDoor, named: &str) -> Result<String, ExitCode> {
    if !named.contains('/') {
        return Ok(named.to_owned());
    }
    let told = door.ask(&Question::get("/api/cache/leases"))?;
    let mut leases = told["leases"].as_array().into_iter().flatten();
    let found = leases.find(|lease| lease["path"] == named);
    match found.and_then(|lease| lease["id"].as_str()) {
        Some(id) => Ok(id.to_owned()),
        None => {
            let named = terminal::printable(named);
            let why = format!("no lease has the path {named}, or it is over");
            let why = format!("{why} (the request's fault: no_lease)");
            Err(terminal::complain(why, ExitCode::Failure))
        }
    }
}

/// What was done to a lease, in a line.
fn describe(told: &Value) -> String {
    if let Some(path) = told["path"].as_str() {
        let seconds = seconds(told);
        return format!("{seconds} seconds left: {}", terminal::printable(path));
    }
    match told["holders"].as_u64() {
        Some(0) => "released, and deleted".to_owned(),
        Some(1) => "released: 1 holder left".to_owned(),
        Some(count) => format!("released: {count} holders left"),
        None => "released: it is from before the last start and stays for its time".to_owned(),
    }
}

fn table(leases: &[Value]) -> String {
    let headings = [
        ("id", Side::Left),
        ("seconds", Side::Right),
        ("holders", Side::Right),
        ("size", Side::Right),
        ("held", Side::Left),
        ("url", Side::Left),
        ("path", Side::Left),
    ];
    let rows = leases.iter().map(|lease| {
        let text = |name: &str| lease[name].as_str().unwrap_or(MISSING).to_owned();
        let holders = lease["holders"].as_u64();
        let held = match lease["held"].as_bool() {
            Some(true) => "yes",
            Some(false) => "no",
            None => MISSING,
        };
        [
            text("id"),
            seconds(lease),
            holders.map_or(MISSING.to_owned(), |count| count.to_string()),
            stats_table::bytes(&lease["size_bytes"]),
            held.to_owned(),
            text("url"),
            text("path"),
        ]
    });
    laid_out(headings, rows)
}

/// Whole seconds until a lease ends.
fn seconds(told: &Value) -> String {
    let seconds = told["seconds"].as_f64();
    seconds.map_or(MISSING.to_owned(), |left| format!("{left:.0}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leases_are_a_table() {
        let leases = [
            json!({
                "id": "006b0c86e7000001", "url": "http://a/b.wav", "path": "/s/library/b.wav", "size_bytes": 2048,
                "seconds": 29.6, "holders": 2, "held": false,
            }),
            json!({"id": "2", "url": null, "path": "/c", "size_bytes": 7, "seconds": 300.0, "holders": null, "held": true}),
        ];
        let expected = "\
id                seconds  holders     size  held  url             path
006b0c86e7000001       30        2  2.0 KiB  no    http://a/b.wav  /s/library/b.wav
2                     300        -      7 B  yes   -               /c";
        assert_eq!(table(&leases), expected);
    }

    #[test]
    fn what_became_of_a_lease_is_a_line() {
        for (told, line) in [
            (
                json!({"path": "/a", "seconds": 300.0}),
                "300 seconds left: /a",
            ),
            (json!({"holders": 0}), "released, and deleted"),
            (json!({"holders": 1}), "released: 1 holder left"),
            (json!({"holders": 2}), "released: 2 holders left"),
        ] {
            assert_eq!(describe(&told), line);
        }
    }
}
