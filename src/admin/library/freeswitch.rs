//! `POST /api/fs`: FreeSWITCH's words for its HTTP cache, answered byte for byte as mod_http_cache does.
//!
//! The replies have no room for a reason. It stands beside them, in fields of the answer: `Hotplate-Code`, `Hotplate-Fault` and
//! `Hotplate-Reason`. How the cache handled a get stands in Cache-Status, as a client of HTTP would have got it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{HeaderValue, RETRY_AFTER};

use super::words::{Options, Words, parse};
use super::{RETRY_AFTER_SECONDS, remove_url};
use crate::admin::observed::Observed;
use crate::admin::operator::purge::{Meant, PurgeOrder};
use crate::admin::route::{Answer, TEXT, answer};
use crate::fill::library::{Code, Failure, GetOrder, Got, Library, Party, PrefetchOrder};
use crate::fill::upload::{Order, Refused, State, Status, Uploads};

/// How long a put waits for its origin: as long as mod_http_cache gives a transfer. The upload itself goes on.
const PUT_PATIENCE: Duration = Duration::from_secs(300);

/// A reply, and why it is no success.
struct Reply {
    text: String,
    why: Option<Why>,
    /// The Cache-Status of what was got.
    cache_status: Option<String>,
}

/// Why: the library's words, or those of uploads.
struct Why {
    code: &'static str,
    fault: Party,
    reason: String,
    cache_status: Option<Box<str>>,
}

impl Why {
    fn new(code: Code, reason: impl Into<String>) -> Self {
        Failure::new(code, reason).into()
    }
}

impl From<Failure> for Why {
    fn from(failure: Failure) -> Self {
        Self {
            code: failure.code.name(),
            fault: failure.code.party(),
            reason: failure.reason,
            cache_status: failure.cache_status,
        }
    }
}

impl From<&Refused> for Why {
    fn from(refused: &Refused) -> Self {
        Self {
            code: refused.code(),
            fault: refused.party(),
            reason: refused.to_string(),
            cache_status: None,
        }
    }
}

impl Reply {
    fn said(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            why: None,
            cache_status: None,
        }
    }

    fn got(got: Got) -> Self {
        Self {
            cache_status: Some(got.cache_status),
            ..Self::said(got.leased.path.to_string_lossy())
        }
    }

    fn failed(text: impl Into<String>, why: impl Into<Why>) -> Self {
        Self {
            why: Some(why.into()),
            ..Self::said(text)
        }
    }
}

/// Answers a command line.
pub(super) async fn command(observed: &Observed, library: &Arc<Library>, body: &Bytes) -> Answer {
    let line = String::from_utf8_lossy(body);
    let reply = match parse(&line) {
        Words::Get(options, url) => get(library, &options, url).await,
        Words::TryGet(options, url) => tryget(library, &options, url).await,
        Words::Prefetch(options, url) => prefetch(library, &options, url),
        Words::Put(options, url, file) => {
            let order = Order {
                url,
                profile: profile(library, &options),
                ..Order::default()
            };
            put(observed.uploads.as_ref(), order, PathBuf::from(file)).await
        }
        Words::Remove(url) => {
            // Always well, there: even for what is not stored, and no URL.
            let removed = remove_url(library, &observed.cache, &url).await;
            Reply {
                why: removed.err().map(Why::from),
                ..Reply::said("+OK\n")
            }
        }
        Words::Clear => clear(observed).await,
        Words::Usage(usage) => Reply::said(format!("USAGE: {usage}\n")),
        Words::Unclosed => Reply::failed(
            "-ERR\n",
            Failure::new(Code::InvalidOption, "a brace is not closed"),
        ),
        Words::Unknown(word) => Reply::failed(
            format!("-ERR {word} Command not found!\n"),
            Failure::new(Code::InvalidOption, "no word of mod_http_cache"),
        ),
    };
    told(reply)
}

async fn get(library: &Library, options: &Options, url: String) -> Reply {
    let order = order(library, options, url);
    if options.prefetch && library.is_being_fetched(&order) {
        return Reply::said("download");
    }
    match library.get(&order).await {
        Ok(got) => Reply::got(got),
        Err(failure) => Reply::failed("-ERR\n", failure),
    }
}

async fn tryget(library: &Library, options: &Options, url: String) -> Reply {
    match library.tryget(&order(library, options, url)).await {
        Ok(got) => Reply::got(got),
        Err(failure) => {
            let text = match failure.code {
                Code::Absent | Code::Stale | Code::BeingFilled => "-ERR download\n",
                _ => "-ERR\n",
            };
            Reply::failed(text, failure)
        }
    }
}

fn prefetch(library: &Library, options: &Options, url: String) -> Reply {
    let order = PrefetchOrder {
        url,
        profile: profile(library, options),
        refresh: options.refresh,
        priority: 0,
    };
    match library.prefetch(order) {
        Ok(_) => Reply::said("+OK\n"),
        Err(failure) => Reply::failed("-ERR\n", failure),
    }
}

async fn clear(observed: &Observed) -> Reply {
    let operator = observed.cache.clone();
    let purge = move || {
        operator.purge(PurgeOrder {
            meant: Meant::All(true),
            mark: None,
            is_dry_run: false,
            keys_max: 0,
        })
    };
    let why = match tokio::task::spawn_blocking(purge).await {
        Ok(Ok(_)) => None,
        Ok(Err(error)) => Some(Why::new(Code::DiskFailed, error.to_string())),
        Err(_) => Some(Why::new(Code::DiskFailed, "it broke off")),
    };
    Reply {
        why,
        ..Reply::said("+OK\n")
    }
}

/// What is ordered.
fn order(library: &Library, options: &Options, url: String) -> GetOrder {
    GetOrder {
        url,
        refresh: options.refresh,
        profile: profile(library, options),
        ..GetOrder::default()
    }
}

/// The profile that is named. One that there is none of is passed over, as there: the one for the URL's host is taken.
fn profile(library: &Library, options: &Options) -> Option<String> {
    let named = options.profile.clone();
    named.filter(|name| library.has_profile(name))
}

/// Sends a file to its origin by the queue of uploads, and waits for what the origin says to the first attempt.
async fn put(uploads: Option<&Arc<Uploads>>, order: Order, file: PathBuf) -> Reply {
    let Some(uploads) = uploads else {
        let why = "uploads are off: they need a folder, [upload] path or [disk] path";
        return not_sent(None, Why::new(Code::NoDisk, why));
    };
    let copying = {
        let uploads = Arc::clone(uploads);
        tokio::task::spawn_blocking(move || uploads.put_file(order, &file))
    };
    let accepted = copying.await.unwrap_or(Err(Refused::BrokenOff));
    let id = match accepted {
        Ok(id) => id,
        Err(refused) => return not_sent(None, Why::from(&refused)),
    };
    match uploads.wait(id, 0, PUT_PATIENCE).await {
        Some(status) => sent(&status),
        None => {
            let why = "it was accepted, and is unknown now: somebody dropped it";
            not_sent(None, Why::new(Code::NoUpload, why))
        }
    }
}

/// The reply that tells of an upload after its first attempt.
fn sent(upload: &Status) -> Reply {
    let id = upload.id;
    let goes_on = match upload.state {
        State::Done => return Reply::said(format!("+OK {}\n", upload.status.unwrap_or(200))),
        State::GivenUp => "it was given up, and is kept until somebody retries or drops it",
        State::Dropped => "it was dropped",
        State::Waiting | State::Running | State::Recording => "it is kept, and tried again",
    };
    let (cause, why) = match (&upload.cause, upload.state) {
        (Some(cause), _) => (*cause, upload.reason.as_deref().unwrap_or_default()),
        (None, State::Waiting) => (Code::Busy, "its turn did not come in time"),
        (None, _) => (Code::OriginTimeout, "no answer came in time"),
    };
    let why = Why::new(cause, format!("{why}; upload {id}: {goes_on}"));
    not_sent(upload.status, why)
}

/// The reply to a put that has not come to its end, with the origin's status where it answered.
fn not_sent(status: Option<u16>, why: Why) -> Reply {
    Reply::failed(format!("-ERR {}\n", status.unwrap_or(0)), why)
}

fn told(reply: Reply) -> Answer {
    // HTTP clients are told of a full queue as everywhere; else mod_http_cache's words are all there is.
    let is_full = |why: &Why| why.code == Code::QueueFull.name();
    let status = match reply.why.as_ref().is_some_and(is_full) {
        true => StatusCode::TOO_MANY_REQUESTS,
        false => StatusCode::OK,
    };
    let mut answer = answer(status, TEXT, reply.text);
    let refused = |why: &Why| why.cache_status.clone().map(String::from);
    let handled = reply.cache_status.or(reply.why.as_ref().and_then(refused));
    if let Some(value) = handled.and_then(|handled| HeaderValue::try_from(handled).ok()) {
        answer.headers_mut().insert("cache-status", value);
    }
    if let Some(why) = reply.why {
        let headers = answer.headers_mut();
        if status == StatusCode::TOO_MANY_REQUESTS {
            headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
        }
        headers.insert("hotplate-code", HeaderValue::from_static(why.code));
        let fault = why.fault.name();
        headers.insert("hotplate-fault", HeaderValue::from_static(fault));
        let plain: String = why
            .reason
            .chars()
            .map(|letter| {
                if letter.is_ascii_graphic() || letter == ' ' {
                    letter
                } else {
                    '?'
                }
            })
            .collect();
        if let Ok(reason) = HeaderValue::from_str(&plain) {
            headers.insert("hotplate-reason", reason);
        }
    }
    answer
}
