//! The endpoints of prefetches: order, look, wait, cancel.

use std::time::Duration;

use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{HeaderValue, RETRY_AFTER};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::body::Span;
use super::told::ToldFailure;
use super::{RETRY_AFTER_SECONDS, json as answer, read};
use crate::admin::query::Query;
use crate::admin::route::Answer;
use crate::fill::library::{Code, Failure, JobLine, JobState, Library, PrefetchOrder};

/// Most URLs, and most jobs, of one request.
const ITEMS_MAX: usize = 10_000;
/// Most jobs that an answer lists where it is not said.
const LISTED: usize = 100;
/// How long an answer is waited for where it is not said, and at most.
const WAIT: Duration = Duration::from_secs(30);
const WAIT_MAX: Duration = Duration::from_secs(3600);

/// The body of prefetch.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PrefetchBody {
    urls: Vec<String>,
    #[serde(default)]
    refresh: bool,
    #[serde(default)]
    priority: i32,
    profile: Option<String>,
}

/// The body of wait and cancel.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct JobsBody {
    ids: Vec<u64>,
    timeout: Option<Span>,
    /// Whether the end of one is enough.
    #[serde(default)]
    any: bool,
}

/// A job.
#[derive(Debug, Serialize)]
struct ToldJob {
    id: u64,
    url: String,
    state: &'static str,
    priority: i32,
    bytes: u64,
    size_bytes: Option<u64>,
    /// Of one that is done: nothing had to be fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    was_there: Option<bool>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<serde_json::Value>,
}

impl From<JobLine> for ToldJob {
    fn from(line: JobLine) -> Self {
        let (was_there, failure) = match &line.state {
            JobState::Done { was_there } => (Some(*was_there), None),
            JobState::Failed(failure) => (None, Some(json!(ToldFailure::from(failure)))),
            _ => (None, None),
        };
        Self {
            id: line.id,
            url: line.url,
            state: line.state.name(),
            priority: line.priority,
            bytes: line.bytes,
            size_bytes: line.size,
            was_there,
            failure,
        }
    }
}

/// The answer to prefetch. It is written as it is: thousands of jobs would make a large tree of values first.
#[derive(Debug, Serialize)]
struct ToldOrders {
    jobs: Vec<ToldJob>,
    refused: Vec<serde_json::Value>,
    /// Why it failed as a whole: `error`, `code` and `fault` of what was refused.
    #[serde(flatten)]
    failure: serde_json::Map<String, serde_json::Value>,
}

/// The answer to a look at jobs, and to a wait for them.
#[derive(Debug, Serialize)]
struct ToldJobs {
    /// Whether those that were waited for have ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    done: Option<bool>,
    jobs: Vec<ToldJob>,
}

/// Orders prefetches: 202 with their jobs, and what was refused; 429 where the queue had no room for some, which may be asked for again.
pub(super) fn prefetch(library: &Library, body: &Bytes) -> Result<Answer, Failure> {
    let body = read::<PrefetchBody>(body)?;
    let profile = super::body::named(body.profile);
    check_count(body.urls.len(), "urls")?;
    let mut jobs: Vec<ToldJob> = Vec::with_capacity(body.urls.len());
    let mut refused = Vec::new();
    let mut worst = StatusCode::ACCEPTED;
    for url in body.urls {
        let order = PrefetchOrder {
            url: url.clone(),
            profile: profile.clone(),
            refresh: body.refresh,
            priority: body.priority,
        };
        match library.prefetch(order) {
            Ok(line) => jobs.push(line.into()),
            Err(failure) => {
                let status = StatusCode::from_u16(failure.code.status());
                let status = status.unwrap_or(StatusCode::BAD_REQUEST);
                if worst == StatusCode::ACCEPTED || status == StatusCode::TOO_MANY_REQUESTS {
                    worst = status;
                }
                let mut told = json!(ToldFailure::from(&failure));
                told["url"] = url.into();
                refused.push(told);
            }
        }
    }
    let is_full = worst == StatusCode::TOO_MANY_REQUESTS;
    let status = if jobs.is_empty() || is_full {
        worst
    } else {
        StatusCode::ACCEPTED
    };
    let mut failure = serde_json::Map::new();
    if !status.is_success()
        && let Some(first) = refused
            .iter()
            .find(|one| !is_full || one["code"] == "queue_full")
    {
        for name in ["error", "code", "fault"] {
            failure.insert(name.to_owned(), first[name].clone());
        }
    }
    let told = ToldOrders {
        jobs,
        refused,
        failure,
    };
    let mut answer = answer(status, &told);
    if is_full {
        let seconds = HeaderValue::from(RETRY_AFTER_SECONDS);
        answer.headers_mut().insert(RETRY_AFTER, seconds);
    }
    Ok(answer)
}

/// Lists jobs, or tells of those whose numbers are named.
pub(super) fn list(library: &Library, query: &str) -> Result<Answer, Failure> {
    let wrong = || {
        Failure::new(
            Code::InvalidOption,
            "the query is none of id=NUMBER, state=queued|running|done|failed|cancelled and limit=NUMBER",
        )
    };
    let query = Query::read(query, &["id", "state", "limit"]).ok_or_else(wrong)?;
    let limit = match query.first("limit") {
        None => LISTED,
        Some(limit) => limit.parse().map_err(|_| wrong())?,
    };
    let ids = query.all("id").map(str::parse::<u64>);
    let ids = ids.collect::<Result<Vec<_>, _>>().map_err(|_| wrong())?;
    let state = query.first("state");
    let lines = match ids.is_empty() {
        false => ids
            .iter()
            .map(|id| library.job(*id))
            .collect::<Result<Vec<_>, _>>()?,
        true => library.jobs(usize::MAX),
    };
    let wanted = lines
        .into_iter()
        .filter(|line| state.is_none_or(|state| state == line.state.name()));
    let jobs: Vec<ToldJob> = wanted.take(limit).map(ToldJob::from).collect();
    let told = ToldJobs { done: None, jobs };
    Ok(answer(StatusCode::OK, &told))
}

/// Waits until jobs have ended, or any of them has, or for a while; how they stand then.
pub(super) async fn wait(library: &Library, body: &Bytes) -> Result<Answer, Failure> {
    let body = read::<JobsBody>(body)?;
    check_count(body.ids.len(), "ids")?;
    let patience = body.timeout.map_or(WAIT, |span| span.0.min(WAIT_MAX));
    let done = library.wait_for_jobs(&body.ids, body.any, patience).await;
    let jobs = body.ids.iter().filter_map(|id| library.job(*id).ok());
    let jobs: Vec<ToldJob> = jobs.map(ToldJob::from).collect();
    let told = ToldJobs {
        done: Some(done),
        jobs,
    };
    Ok(answer(StatusCode::OK, &told))
}

/// Cancels jobs that have not ended.
pub(super) fn cancel(library: &Library, body: &Bytes) -> Result<Answer, Failure> {
    let body = read::<JobsBody>(body)?;
    check_count(body.ids.len(), "ids")?;
    let cancelled = library.cancel_jobs(&body.ids);
    Ok(answer(StatusCode::OK, &json!({"cancelled": cancelled})))
}

fn check_count(count: usize, what: &str) -> Result<(), Failure> {
    if (1..=ITEMS_MAX).contains(&count) {
        return Ok(());
    }
    Err(Failure::new(
        Code::InvalidOption,
        format!("{what} has {count} members; it takes 1 to {ITEMS_MAX}"),
    ))
}
