//! The endpoints of the media library: what a request says, and what it is answered.
//!
//! A failure has a status that fits, and in its JSON the reason, a code for programs, and whose fault it is.

mod body;
mod freeswitch;
mod jobs;
mod told;
mod words;

use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{HeaderValue, RETRY_AFTER};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use self::body::{Act, GetBody, LeaseBody, UrlBody};
use self::told::{ToldFailure, ToldGot, ToldLease, ToldLine};
use super::observed::Observed;
use super::operator::CacheOperator;
use super::operator::purge::{Meant, PurgeOrder, Unmeant};
use super::route::{Answer, JSON, answer as plain};
use crate::fill::library::{Code, Failure, GetOrder, Library};

/// Seconds after which what was refused for lack of room may be tried again.
const RETRY_AFTER_SECONDS: u64 = 1;

/// The library's endpoints, below `/api/cache/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LibraryEndpoint {
    /// `get`: the path of what a URL stands for.
    Get,
    /// `tryget`: the same, where nothing has to be fetched.
    TryGet,
    /// `remove`: what a URL stands for goes.
    Remove,
    /// `leases`: the leases there are.
    Leases,
    /// `lease`: renews one, or gives it back.
    Lease,
    /// `prefetch`: URLs are to be fetched ahead.
    Prefetch,
    /// `jobs`: the prefetches there are.
    Jobs,
    /// `jobs/wait`: waits for prefetches to end.
    Wait,
    /// `jobs/cancel`: prefetches are not wanted any more.
    Cancel,
    /// `/api/fs`: a command line in FreeSWITCH's words.
    FreeSwitch,
}

impl LibraryEndpoint {
    /// The endpoint under `path`.
    #[must_use]
    pub fn at(path: &str) -> Option<Self> {
        if path == "/api/fs" {
            return Some(Self::FreeSwitch);
        }
        match path.strip_prefix("/api/cache/")? {
            "get" => Some(Self::Get),
            "tryget" => Some(Self::TryGet),
            "remove" => Some(Self::Remove),
            "leases" => Some(Self::Leases),
            "lease" => Some(Self::Lease),
            "prefetch" => Some(Self::Prefetch),
            "jobs" => Some(Self::Jobs),
            "jobs/wait" => Some(Self::Wait),
            "jobs/cancel" => Some(Self::Cancel),
            _ => None,
        }
    }

    /// Whether it changes something, and so is asked by POST, with a body.
    pub(super) const fn changes(self) -> bool {
        !matches!(self, Self::Leases | Self::Jobs)
    }

    /// The longest body that it takes.
    pub(super) const fn body_bytes_max(self) -> usize {
        match self {
            // As many URLs, or numbers of jobs, as one request may name.
            Self::Prefetch | Self::Wait | Self::Cancel => 4 << 20,
            _ => 64 << 10,
        }
    }
}

/// Answers a request.
pub(super) async fn answer(
    observed: &Observed,
    endpoint: LibraryEndpoint,
    body: &Bytes,
    query: &str,
) -> Answer {
    let Some(library) = &observed.library else {
        return failed(&Failure::new(Code::NoDisk, "there is no library here"));
    };
    let answered = match endpoint {
        LibraryEndpoint::Get => get(library, body).await,
        LibraryEndpoint::TryGet => tryget(library, body).await,
        LibraryEndpoint::Remove => remove(library, &observed.cache, body).await,
        LibraryEndpoint::Leases => Ok(leases(library)),
        LibraryEndpoint::Lease => lease(library, body),
        LibraryEndpoint::Prefetch => jobs::prefetch(library, body),
        LibraryEndpoint::Jobs => jobs::list(library, query),
        LibraryEndpoint::Wait => jobs::wait(library, body).await,
        LibraryEndpoint::Cancel => jobs::cancel(library, body),
        LibraryEndpoint::FreeSwitch => {
            return freeswitch::command(observed, library, body).await;
        }
    };
    answered.unwrap_or_else(|failure| failed(&failure))
}

async fn get(library: &Library, body: &Bytes) -> Result<Answer, Failure> {
    let order = read::<GetBody>(body)?.order();
    Ok(found(&order, library.get(&order).await?))
}

async fn tryget(library: &Library, body: &Bytes) -> Result<Answer, Failure> {
    let order = read::<GetBody>(body)?.order();
    Ok(found(&order, library.tryget(&order).await?))
}

fn found(order: &GetOrder, got: crate::fill::library::Got) -> Answer {
    json(StatusCode::OK, &ToldGot::new(&order.url, got))
}

/// Removes what a URL stands for, and what its redirects led to. Leases stay.
async fn remove(
    library: &Library,
    operator: &CacheOperator,
    body: &Bytes,
) -> Result<Answer, Failure> {
    let url = read::<UrlBody>(body)?.url;
    let removed = remove_url(library, operator, &url).await?;
    Ok(json(
        StatusCode::OK,
        &json!({"url": url, "removed": removed}),
    ))
}

/// See [`remove`]; how many responses there were.
pub(super) async fn remove_url(
    library: &Library,
    operator: &CacheOperator,
    url: &str,
) -> Result<u64, Failure> {
    let by_library = match library.remove(url).await {
        // What the config does not allow any more may still be stored.
        Err(failure) if failure.code == Code::HostNotAllowed => 0,
        removed => removed?,
    };
    let (operator, url) = (operator.clone(), url.to_owned());
    let remove = move || {
        let order = PurgeOrder {
            meant: Meant::Url(url),
            mark: None,
            is_dry_run: false,
            keys_max: 0,
        };
        // By all the keys that a client's request could have.
        let purged = operator.purge(order).map_err(|unmeant| {
            let code = match unmeant {
                Unmeant::Disk(_) => Code::DiskFailed,
                Unmeant::NoUrl(_) | Unmeant::QueryInPrefix(_) => Code::InvalidUrl,
            };
            Failure::new(code, unmeant.to_string())
        })?;
        Ok(purged.purged)
    };
    let purged = tokio::task::spawn_blocking(remove).await;
    let broke_off = |_| Err(Failure::new(Code::DiskFailed, "it broke off"));
    Ok(by_library + purged.unwrap_or_else(broke_off)?)
}

fn leases(library: &Library) -> Answer {
    let lines: Vec<ToldLine> = library.leases().into_iter().map(ToldLine::from).collect();
    json(StatusCode::OK, &json!({"leases": lines}))
}

fn lease(library: &Library, body: &Bytes) -> Result<Answer, Failure> {
    let body = read::<LeaseBody>(body)?;
    Ok(match body.act {
        Act::Renew => {
            let leased = library.renew(&body.id, body.lease.map(Into::into))?;
            json(StatusCode::OK, &ToldLease::from(&leased))
        }
        Act::Release => {
            let holders = library.release(&body.id)?.left;
            json(StatusCode::OK, &json!({"id": body.id, "holders": holders}))
        }
    })
}

/// Reads a body.
fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| {
        Failure::new(
            Code::InvalidOption,
            format!("not the JSON that is wanted: {error}"),
        )
    })
}

fn failed(failure: &Failure) -> Answer {
    let status = StatusCode::from_u16(failure.code.status());
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = json(status, &ToldFailure::from(failure));
    if matches!(status.as_u16(), 429 | 503) {
        let seconds = HeaderValue::from(RETRY_AFTER_SECONDS);
        answer.headers_mut().insert(RETRY_AFTER, seconds);
    }
    answer
}

fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    // Nothing that is told here can fail to be JSON.
    let text = serde_json::to_vec(value).unwrap_or_default();
    plain(status, JSON, text)
}
