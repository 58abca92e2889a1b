//! `POST /api/fs`: FreeSWITCH's words for its HTTP cache, answered byte for byte as mod_http_cache does.
//!
//! The replies have no room for a reason. It stands beside them, in fields of the answer: `Hotplate-Code`, `Hotplate-Fault` and
//! `Hotplate-Reason`.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::HeaderValue;

use super::remove_url;
use super::words::{Options, Words, parse};
use crate::admin::observed::Observed;
use crate::admin::operator::purge::{Meant, PurgeOrder};
use crate::admin::route::{Answer, TEXT, answer};
use crate::fill::library::{Code, Failure, GetOrder, Library, PrefetchOrder};

/// A reply, and why it is no success.
struct Reply {
    text: String,
    why: Option<Failure>,
}

impl Reply {
    fn said(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            why: None,
        }
    }

    fn failed(text: impl Into<String>, why: Failure) -> Self {
        Self {
            text: text.into(),
            why: Some(why),
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
        Words::Put(..) => Reply::failed("-ERR 0\n", no_uploads()),
        Words::Remove(url) => {
            // Always well, there: even for what is not stored, and no URL.
            let removed = remove_url(library, &observed.cache, &url).await;
            Reply {
                text: "+OK\n".to_owned(),
                why: removed.err(),
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
        Ok(got) => Reply::said(got.leased.path.to_string_lossy()),
        Err(failure) => Reply::failed("-ERR\n", failure),
    }
}

async fn tryget(library: &Library, options: &Options, url: String) -> Reply {
    match library.tryget(&order(library, options, url)).await {
        Ok(got) => Reply::said(got.leased.path.to_string_lossy()),
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
            is_soft: false,
            is_dry_run: false,
            keys_max: 0,
        })
    };
    let why = match tokio::task::spawn_blocking(purge).await {
        Ok(Ok(_)) => None,
        Ok(Err(error)) => Some(Failure::new(Code::DiskFailed, error.to_string())),
        Err(_) => Some(Failure::new(Code::DiskFailed, "it broke off")),
    };
    Reply {
        text: "+OK\n".to_owned(),
        why,
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

/// Why nothing is sent anywhere.
fn no_uploads() -> Failure {
    Failure::new(Code::InvalidOption, "this server does not send files")
}

fn told(reply: Reply) -> Answer {
    let mut answer = answer(StatusCode::OK, TEXT, reply.text);
    if let Some(failure) = reply.why {
        let headers = answer.headers_mut();
        headers.insert(
            "hotplate-code",
            HeaderValue::from_static(failure.code.name()),
        );
        let fault = failure.code.party().name();
        headers.insert("hotplate-fault", HeaderValue::from_static(fault));
        let plain: String = failure
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
