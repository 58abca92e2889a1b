//! The endpoints of uploads: files into the queue, and what becomes of them.
//!
//! `POST /api/cache/put` takes the file as its body, of any length, or the path of a file that the server reads for others. What it
//! answers says whether the file is safe on disk: from then on nothing loses it.

mod receive;

use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::StatusCode;
use hyper::body::{Body, Buf as _, Bytes};
use hyper::header::{CONNECTION, HeaderValue, RETRY_AFTER};
use serde::Serialize;
use tokio::time::timeout;

use self::receive::Receiver;
use super::query::Query;
use super::route::{Answer, JSON, answer, failure};
use crate::fill::library::Code;
use crate::fill::upload::{Order, Refused, State, Status, Uploads};

/// Longest wait for an attempt; who wants to wait longer asks for the status.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// How long a body that is refused is read on for nobody.
const DRAIN_MAX: Duration = Duration::from_secs(5);

/// Uploads that one answer tells of where it is not said.
const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 1000;

/// When a refused caller may try again, in seconds.
const RETRY_AFTER_SECONDS: &str = "10";

/// What a put asks for.
struct Asked {
    order: Order,
    file: Option<PathBuf>,
    waits: bool,
}

impl Asked {
    fn read(query: &str) -> Option<Self> {
        let known = [
            "url",
            "profile",
            "content_type",
            "cache",
            "extension",
            "wait",
            "file",
        ];
        let query = Query::read(query, &known)?;
        let own = |name| query.first(name).map(str::to_owned);
        Some(Self {
            order: Order {
                url: own("url")?,
                profile: own("profile"),
                content_type: own("content_type"),
                cache: match query.first("cache") {
                    None => None,
                    Some(_) => Some(flag(&query, "cache")?),
                },
                extension: own("extension"),
            },
            file: own("file").map(PathBuf::from),
            waits: flag(&query, "wait")?,
        })
    }
}

fn flag(query: &Query, name: &str) -> Option<bool> {
    match query.first(name) {
        None | Some("false" | "0") => Some(false),
        Some("" | "true" | "1") => Some(true),
        Some(_) => None,
    }
}

/// `POST /api/cache/put`.
pub(super) async fn put<B>(uploads: Option<&Arc<Uploads>>, query: &str, body: B) -> Answer
where
    B: Body,
{
    let mut body = pin!(body);
    match accept(uploads, query, body.as_mut()).await {
        Ok(answer) => answer,
        Err(refusal) => {
            // Who is still sending would see a broken connection, and not why.
            timeout(DRAIN_MAX, drain(body)).await.ok();
            closing(refusal)
        }
    }
}

/// Takes a file in; an error is the answer to who may still be sending it.
async fn accept<B>(
    uploads: Option<&Arc<Uploads>>,
    query: &str,
    body: Pin<&mut B>,
) -> Result<Answer, Answer>
where
    B: Body,
{
    let uploads = uploads.ok_or_else(off)?;
    let asked = Asked::read(query).ok_or_else(|| {
        let error = "url=URL is needed; profile=NAME, content_type=TYPE, cache=true, wait=true and file=PATH may stand beside it, percent-encoded";
        refusal(Code::InvalidOption, error)
    })?;
    let accepted = match asked.file {
        Some(_) if !body.is_end_stream() => {
            let error = "either file=PATH or a body, not both";
            return Err(refusal(Code::InvalidOption, error));
        }
        Some(file) => {
            let (uploads, order) = (Arc::clone(uploads), asked.order);
            let copying = tokio::task::spawn_blocking(move || uploads.put_file(order, &file));
            copying.await.unwrap_or(Err(Refused::BrokenOff))
        }
        None => {
            let size = body.size_hint().exact();
            let receiver = Receiver::start(Arc::clone(uploads), asked.order, size);
            receive(receiver, body).await
        }
    };
    let id = accepted.map_err(|refused| refuse(&refused))?;
    let status = match asked.waits {
        true => uploads.wait(id, 0, WAIT_MAX).await,
        false => uploads.status(id),
    };
    Ok(match status {
        Some(status) if asked.waits => told(&status),
        Some(status) => told_at_once(&status),
        None => refusal(
            Code::Dropped,
            "it was accepted, and is unknown now: somebody dropped it",
        ),
    })
}

/// Reads what is still sent, for nobody.
async fn drain<B>(mut body: Pin<&mut B>)
where
    B: Body,
{
    while let Some(Ok(_)) = body.frame().await {}
}

/// Hands a body to the spool, as fast as that takes it.
async fn receive<B>(receiver: Receiver, mut body: Pin<&mut B>) -> Result<u64, Refused>
where
    B: Body,
{
    loop {
        match body.frame().await {
            Some(Ok(frame)) => {
                if let Ok(mut data) = frame.into_data() {
                    let bytes = data.copy_to_bytes(data.remaining());
                    if !receiver.take(bytes).await {
                        return receiver.result().await;
                    }
                }
            }
            Some(Err(_)) => return receiver.broken_off().await,
            None => return receiver.end().await,
        }
    }
}

/// The answer that tells of one upload: 200 when it is at the origin, 202 as long as it will be, 502 when it was given up, 410 when
/// somebody dropped it.
fn told(status: &Status) -> Answer {
    let code = match status.state {
        State::Done => StatusCode::OK,
        State::Waiting | State::Running | State::Recording => StatusCode::ACCEPTED,
        State::GivenUp => StatusCode::BAD_GATEWAY,
        State::Dropped => StatusCode::GONE,
    };
    json(code, status)
}

/// The same to who does not wait for the origin: whether it was accepted, however fast the origin has taken or refused it.
fn told_at_once(status: &Status) -> Answer {
    match status.state {
        State::Dropped => told(status),
        _ => json(StatusCode::ACCEPTED, status),
    }
}

/// Why something is not done.
#[derive(Serialize)]
struct Why<'e> {
    error: &'e str,
    code: &'static str,
    fault: &'static str,
}

fn refuse(refused: &Refused) -> Answer {
    let code = match refused {
        Refused::Url(_)
        | Refused::ContentType
        | Refused::Extension
        | Refused::File(_)
        | Refused::BrokenOff => StatusCode::BAD_REQUEST,
        Refused::FileNotAllowed(..) => StatusCode::FORBIDDEN,
        Refused::QueueFull(_) => StatusCode::TOO_MANY_REQUESTS,
        Refused::BytesFull(_) | Refused::DiskFull(_) => StatusCode::INSUFFICIENT_STORAGE,
        Refused::Disk(..) => StatusCode::SERVICE_UNAVAILABLE,
    };
    let why = Why {
        error: &refused.to_string(),
        code: refused.code(),
        fault: refused.party().name(),
    };
    let mut answer = json(code, &why);
    if code == StatusCode::TOO_MANY_REQUESTS {
        let after = HeaderValue::from_static(RETRY_AFTER_SECONDS);
        answer.headers_mut().insert(RETRY_AFTER, after);
    }
    answer
}

/// The answer to what is not done, with the status of its code.
fn refusal(code: Code, error: &str) -> Answer {
    let status = StatusCode::from_u16(code.status());
    let why = Why {
        error,
        code: code.name(),
        fault: code.party().name(),
    };
    json(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), &why)
}

/// The body may not have been read to its end.
fn closing(mut answer: Answer) -> Answer {
    let close = HeaderValue::from_static("close");
    answer.headers_mut().insert(CONNECTION, close);
    answer
}

fn off() -> Answer {
    let error = "uploads are off: they need a folder, [upload] path or [disk] path";
    closing(refusal(Code::NoDisk, error))
}

#[derive(Serialize)]
struct Opened<'p> {
    id: u64,
    /// Where a program may write.
    path: std::borrow::Cow<'p, str>,
}

/// `POST /api/cache/record`: a path for a program to write to.
pub(super) async fn record(uploads: Option<&Arc<Uploads>>, query: &str) -> Answer {
    let Some(uploads) = uploads else {
        return off();
    };
    let asked = Asked::read(query).filter(|asked| asked.file.is_none() && !asked.waits);
    let Some(asked) = asked else {
        let error = "url=URL is needed; profile=NAME, content_type=TYPE, extension=EXT and cache=true may stand beside it, percent-encoded";
        return refusal(Code::InvalidOption, error);
    };
    let uploads = Arc::clone(uploads);
    let opening = tokio::task::spawn_blocking(move || uploads.open_recording(asked.order));
    match opening.await.unwrap_or(Err(Refused::BrokenOff)) {
        Ok((id, path)) => {
            let path = path.to_string_lossy();
            json(StatusCode::OK, &Opened { id, path })
        }
        Err(refused) => refuse(&refused),
    }
}

/// `POST /api/cache/record/close`: a recording becomes an upload, by its number or its path. One that has become one before is told of.
pub(super) async fn close(uploads: Option<&Arc<Uploads>>, query: &str) -> Answer {
    let Some(uploads) = uploads else {
        return off();
    };
    let query = Query::read(query, &["id", "path"]);
    let id = query.and_then(|query| match (query.first("id"), query.first("path")) {
        (Some(id), None) => Some(id.parse().unwrap_or_default()),
        (None, Some(path)) => {
            let found = uploads.recording_at(std::path::Path::new(path));
            Some(found.unwrap_or_default())
        }
        _ => None,
    });
    let Some(id) = id else {
        return refusal(
            Code::InvalidOption,
            "either id=NUMBER or path=PATH is needed",
        );
    };
    match uploads.close_recording(id).await {
        Ok(()) => match uploads.status(id) {
            Some(status) => told_at_once(&status),
            None => unknown(),
        },
        Err(error) => refusal(error.code(), &error.to_string()),
    }
}

#[derive(Serialize)]
struct Listed {
    uploads: Vec<Status>,
    /// What `after` is for the rest; null where there is none.
    next: Option<u64>,
}

/// `GET /api/cache/uploads`: one upload by `id`, or a list.
pub(super) fn list(uploads: Option<&Arc<Uploads>>, query: &str) -> Answer {
    let Some(uploads) = uploads else {
        return off();
    };
    let read = Query::read(query, &["id", "after", "limit", "ended"]).and_then(|query| {
        let number = |name| query.first(name).map(str::parse::<u64>).transpose().ok();
        let limit =
            number("limit")?.map_or(Some(LIMIT_DEFAULT), |limit| usize::try_from(limit).ok())?;
        Some((
            number("id")?,
            number("after")?,
            limit,
            flag(&query, "ended")?,
        ))
    });
    let Some((id, after, limit, ended)) = read else {
        let error = "the query is none of id=NUMBER, after=NUMBER, limit=NUMBER and ended=true";
        return refusal(Code::InvalidOption, error);
    };
    if let Some(id) = id {
        return match uploads.status(id) {
            Some(status) => json(StatusCode::OK, &status),
            None => unknown(),
        };
    }
    let limit = limit.clamp(1, LIMIT_MAX);
    let found = uploads.list(after.unwrap_or(0), limit, ended);
    let last = found.last().map(|status| status.id);
    let listed = Listed {
        next: last.filter(|_| found.len() == limit),
        uploads: found,
    };
    json(StatusCode::OK, &listed)
}

/// `POST /api/cache/uploads/retry` and `POST /api/cache/uploads/drop`.
pub(super) fn change(uploads: Option<&Arc<Uploads>>, query: &str, drops: bool) -> Answer {
    let Some(uploads) = uploads else {
        return off();
    };
    let id = Query::read(query, &["id"]).and_then(|query| query.first("id")?.parse().ok());
    let Some(id) = id else {
        return refusal(Code::InvalidOption, "id=NUMBER is needed");
    };
    let done = match drops {
        true => uploads.drop_upload(id),
        false => uploads.retry(id),
    };
    match done.ok().and_then(|()| uploads.status(id)) {
        Some(status) => json(StatusCode::OK, &status),
        None => unknown(),
    }
}

fn unknown() -> Answer {
    refusal(Code::NoUpload, "there is no such upload that waits")
}

fn json(code: StatusCode, value: &impl Serialize) -> Answer {
    match serde_json::to_vec(value) {
        Ok(text) => answer(code, JSON, Bytes::from(text)),
        Err(_) => failure(StatusCode::INTERNAL_SERVER_ERROR, "the JSON was not made"),
    }
}
