//! `hotplate jobs`: the prefetches of a running server; waits for them, or cancels them.

use std::collections::HashMap;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::admin_client::{Question, Reason};
use super::admin_door::AdminDoor;
use super::columns::{MISSING, Side, laid_out};
use super::exit_code::ExitCode;
use super::stats_table;
use super::terminal;
use crate::config::quantity::parse_duration;
use crate::sys::clock;

/// Jobs that are asked for by number at once.
const ASKED_MAX: usize = 100;
/// Jobs that one request waits for, or cancels; the server takes more.
const BATCH_MAX: usize = 1000;
/// The longest wait.
const WAIT_MAX: Duration = Duration::from_secs(3600);
/// The longest wait for an answer: the longest that the server waits, and a little.
const PATIENCE: Duration = Duration::from_secs(3660);

/// Which jobs are meant, and what is to be done with them.
#[derive(Debug, Args)]
pub(super) struct What {
    /// The numbers of jobs; those that run, those that wait and the latest that ended where none is named
    ids: Vec<u64>,
    /// Only jobs in this state
    #[arg(long, value_name = "STATE", conflicts_with_all = ["wait", "cancel"])]
    state: Option<State>,
    /// How many are listed at most
    #[arg(long, default_value_t = 100, value_name = "NUMBER", conflicts_with_all = ["ids", "wait", "cancel"])]
    limit: usize,
    /// Wait until they have ended, and fail with 1 where one is not done then
    #[arg(long, requires = "ids", conflicts_with = "cancel")]
    wait: bool,
    /// The longest wait, such as "10s", an hour at most; until they have ended where it isn't said
    #[arg(long, requires = "wait", value_name = "TIME")]
    timeout: Option<String>,
    /// Take them out; what is fetched for others too goes on
    #[arg(long, requires = "ids")]
    cancel: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum State {
    Queued,
    Running,
    Done,
    Failed,
    Cancelled,
}

/// Lists, waits or cancels.
pub(super) fn command(door: &AdminDoor, what: &What) -> ExitCode {
    let mut ids = what.ids.clone();
    ids.sort_unstable();
    ids.dedup();
    let ended = match (what.cancel, what.wait) {
        (true, _) => cancel(door, what, &ids),
        (_, true) => wait(door, what, &ids),
        _ => list(door, what, &ids),
    };
    ended.unwrap_or_else(|code| code)
}

fn list(door: &AdminDoor, what: &What, ids: &[u64]) -> Result<ExitCode, ExitCode> {
    let state = what.state.and_then(|state| state.to_possible_value());
    let state = state.map_or(String::new(), |state| {
        format!("&state={}", state.get_name())
    });
    let mut jobs = Vec::new();
    let mut paths: Vec<String> = ids.chunks(ASKED_MAX).map(named).collect();
    if paths.is_empty() {
        paths.push(format!("/api/cache/jobs?limit={}", what.limit));
    }
    for path in paths {
        let mut told = door.ask(&Question::get(path + &state))?;
        if let Value::Array(some) = told["jobs"].take() {
            jobs.extend(some);
        }
    }
    Ok(show(what, &json!({"jobs": jobs})))
}

/// Where these are asked for.
fn named(ids: &[u64]) -> String {
    let ids: String = ids.iter().map(|id| format!("&id={id}")).collect();
    format!("/api/cache/jobs?limit={ASKED_MAX}{ids}")
}

/// Waits for the end of jobs; the reasons of those that are not done are told.
fn wait(door: &AdminDoor, what: &What, ids: &[u64]) -> Result<ExitCode, ExitCode> {
    let timeout = what.timeout.as_deref().map(parse_duration).transpose();
    let timeout = timeout.map_err(|_| {
        let error = "--timeout takes a duration such as \"500ms\", \"10s\", \"5m\" or \"1h\"";
        terminal::complain(error, ExitCode::Usage)
    })?;
    let timeout = timeout.map(|timeout| timeout.min(WAIT_MAX));
    let began = clock::mono();
    let (mut jobs, mut is_done) = (Vec::new(), true);
    for batch in ids.chunks(BATCH_MAX) {
        let mut told = loop {
            let mut body = json!({"ids": batch});
            if let Some(timeout) = timeout {
                let left = timeout.saturating_sub(clock::mono().since(began));
                body["timeout"] = json!(left.as_secs_f64());
            }
            let question = Question::post("/api/cache/jobs/wait", body.to_string());
            let told = door.ask(&question.waiting(PATIENCE))?;
            // Without a time of one's own the server answers now and then.
            if timeout.is_some() || told["done"] == true {
                break told;
            }
        };
        is_done &= told["done"] == true;
        if let Value::Array(some) = told["jobs"].take() {
            jobs.extend(some);
        }
    }
    let told = json!({"done": is_done, "jobs": jobs});
    let shown = show(what, &told);
    if shown != ExitCode::Success {
        return Err(shown);
    }
    let jobs: HashMap<u64, &Value> = jobs
        .iter()
        .filter_map(|job| Some((job["id"].as_u64()?, job)))
        .collect();
    let reasons = ids
        .iter()
        .filter_map(|id| why_not(*id, jobs.get(id).copied()));
    // Each of them is told.
    Ok(reasons.fold(ExitCode::Success, |_, reason| {
        terminal::complain(reason, ExitCode::Failure)
    }))
}

/// Why a job that was waited for is not done.
fn why_not(id: u64, job: Option<&Value>) -> Option<String> {
    let Some(job) = job else {
        let fault = "the request's fault: no_job";
        return Some(format!(
            "there is no job {id}, or it ended long ago ({fault})"
        ));
    };
    match job["state"].as_str().unwrap_or_default() {
        "done" => None,
        "failed" => {
            let why = Reason(&job["failure"]).to_string();
            Some(format!("job {id} failed: {}", terminal::printable(&why)))
        }
        "cancelled" => Some(format!("job {id} was cancelled")),
        state => {
            let state = terminal::printable(state);
            Some(format!("job {id} has not ended in time: it is {state}"))
        }
    }
}

fn cancel(door: &AdminDoor, what: &What, ids: &[u64]) -> Result<ExitCode, ExitCode> {
    let mut count = 0;
    for batch in ids.chunks(BATCH_MAX) {
        let body = json!({"ids": batch}).to_string();
        let told = door.ask(&Question::post("/api/cache/jobs/cancel", body))?;
        count += told["cancelled"].as_u64().unwrap_or_default();
    }
    if what.json {
        let told = json!({"cancelled": count});
        return Ok(terminal::result(format_args!("{told:#}")));
    }
    let jobs = if ids.len() == 1 { "job" } else { "jobs" };
    let line = format!("cancelled {count} of {} {jobs}", ids.len());
    Ok(terminal::result(line))
}

fn show(what: &What, told: &Value) -> ExitCode {
    if what.json {
        return terminal::result(format_args!("{told:#}"));
    }
    match told["jobs"].as_array().map_or(&[][..], Vec::as_slice) {
        [] => terminal::result("no jobs"),
        jobs => terminal::result(table(jobs)),
    }
}

fn table(jobs: &[Value]) -> String {
    let headings = [
        ("id", Side::Right),
        ("state", Side::Left),
        ("priority", Side::Right),
        ("bytes", Side::Right),
        ("size", Side::Right),
        ("url", Side::Left),
        ("reason", Side::Left),
    ];
    let rows = jobs.iter().map(|job| {
        let number = |name: &str| match &job[name] {
            Value::Number(number) => number.to_string(),
            _ => MISSING.to_owned(),
        };
        let text = |value: &Value| value.as_str().unwrap_or(MISSING).to_owned();
        let reason = match (&job["failure"], &job["was_there"]) {
            (failure @ Value::Object(_), _) => Reason(failure).to_string(),
            (_, Value::Bool(true)) => "was there".to_owned(),
            _ => String::new(),
        };
        [
            number("id"),
            text(&job["state"]),
            number("priority"),
            stats_table::bytes(&job["bytes"]),
            stats_table::bytes(&job["size_bytes"]),
            text(&job["url"]),
            reason,
        ]
    });
    laid_out(headings, rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_a_table() {
        let failure = json!({"error": "404", "fault": "origin", "code": "not_found"});
        let jobs = [
            json!({"id": 7, "url": "http://a/", "state": "running", "priority": -1, "bytes": 2048, "size_bytes": null}),
            json!({"id": 8, "url": "http://b/", "state": "failed", "priority": 0, "bytes": 0, "failure": failure}),
        ];
        let expected = "\
id  state    priority    bytes  size  url        reason
 7  running        -1  2.0 KiB     -  http://a/
 8  failed          0      0 B     -  http://b/  404 (the origin's fault: not_found)";
        assert_eq!(table(&jobs), expected);
    }

    #[test]
    fn what_is_not_done_has_a_reason() {
        let failure = json!({"error": "404\u{1b}", "fault": "origin", "code": "not_found"});
        for (job, words) in [
            (None, "no job 7"),
            (
                Some(json!({"state": "failed", "failure": failure})),
                "404? (the origin's fault: not_found)",
            ),
            (Some(json!({"state": "cancelled"})), "cancelled"),
            (Some(json!({"state": "queued"})), "it is queued"),
        ] {
            let why = why_not(7, job.as_ref()).unwrap();
            assert!(why.contains(words), "{why}");
        }
        assert_eq!(why_not(7, Some(&json!({"state": "done"}))), None);
    }
}
