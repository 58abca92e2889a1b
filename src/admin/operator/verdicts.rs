//! What an explanation says of how a request is answered: by whom, by which rule, with which status, and what follows.

use std::sync::Arc;

use super::explanation::{AnsweredBy, Verdict};
use crate::cache::{Moment, Way, part_of};
use crate::http::head::RequestHead;
use crate::index::response::Response;
use crate::policy::cache_status::{CacheStatus, Forward};
use crate::policy::request::Asked;
use crate::policy::reuse::{self, Failure, Fallback, Refusal, Reuse};
use crate::policy::rule::Rule;
use crate::policy::selection::Part;
use crate::policy::settings::{CacheRule, Overrides};

/// Nothing stored answers.
pub(super) fn missed(asked: &Asked, rule: &Overrides, has_others: bool) -> Verdict {
    if asked.directives.only_if_cached {
        let why = "nothing stored answers the request, and it wants a stored response only";
        return only_if_cached(why.to_owned());
    }
    let mut verdict = if has_others {
        forwarded(
            Forward::VaryMiss,
            "what is stored varies by fields in which the request differs",
        )
    } else {
        forwarded(Forward::UriMiss, "nothing is stored under this key")
    };
    let is_kept = !asked.directives.no_store || rule.ignore_client_cache_control;
    verdict.then.push(if is_kept {
        "whether the origin's response is stored is decided by that response (RFC 9111 s3)"
            .to_owned()
    } else {
        "the response is not stored: the request says no-store (RFC 9111 s5.2.1.5)".to_owned()
    });
    verdict
}

/// What follows from the verdict on a stored response.
pub(super) fn judged(
    verdict: Reuse,
    response: &Arc<Response>,
    head: &RequestHead<'_>,
    asked: &Asked,
    rule: &CacheRule,
    now: Moment,
) -> Verdict {
    let reason = verdict.to_string();
    let why = match Way::of(verdict) {
        Way::OnlyIfCached => return only_if_cached(reason),
        Way::Forward(why) => why,
        Way::Answer(rule) => {
            let status = CacheStatus::hit(
                response.stored.ttl(now.wall),
                verdict.detail(&response.stored),
            );
            let refreshed = "the origin is asked in the background, by one request at a time";
            let then = (rule == Rule::StaleWhileRevalidate).then(|| refreshed.to_owned());
            return Verdict {
                answered_by: AnsweredBy::Cache,
                name: verdict.name(),
                reason,
                status: Some(status_of(&part_of(response, head, now), response)),
                cache_status: Some(text_of(&status)),
                then: then.into_iter().collect(),
            };
        }
    };
    let mut told = forwarded(why, &reason);
    told.name = verdict.name();
    // What the origin's answer decides is not known; a 304 leaves it at this.
    let status = CacheStatus::forwarded(why, verdict.detail(&response.stored));
    told.cache_status = Some(text_of(&status));
    told.then.push(match verdict {
        Reuse::Refuse(Refusal::Authorization) => {
            "whether the response may be stored is decided by that response (RFC 9111 s3.5)"
        }
        _ if response.stored.has_validator() && response.has_whole_body() => {
            "the origin is asked whether it still holds: a 304 keeps it, another response takes its place"
        }
        _ => "the origin is asked anew: there is nothing to validate it by",
    }
    .to_owned());
    let failing = reuse::on_failure(
        asked,
        &response.stored,
        &rule.overrides,
        now.wall,
        Failure::Unreachable,
    );
    told.then.push(match failing {
        Fallback::Stale { .. } => format!("where the origin fails, it {failing}"),
        Fallback::None(_) => {
            format!("where the origin fails, it {failing}; the answer is 502 or 504")
        }
    });
    told
}

fn status_of(part: &Part, response: &Response) -> u16 {
    match part {
        Part::Whole => response.stored.status,
        Part::NotModified => 304,
        Part::PreconditionFailed => 412,
        Part::One(_) | Part::Many(_) => 206,
        Part::Unsatisfiable => 416,
    }
}

pub(super) fn forwarded(why: Forward, reason: &str) -> Verdict {
    Verdict {
        answered_by: AnsweredBy::Origin,
        name: why.token(),
        reason: reason.to_owned(),
        status: None,
        cache_status: Some(text_of(&CacheStatus::forwarded(why, ""))),
        then: Vec::new(),
    }
}

fn only_if_cached(reason: String) -> Verdict {
    of_rule(
        AnsweredBy::Error,
        Rule::OnlyIfCached,
        "only-if-cached",
        reason,
        Some(504),
    )
}

pub(super) fn upgrade_refused() -> Verdict {
    let reason = "WebSocket is asked for, and connections are not tunnelled".to_owned();
    of_rule(
        AnsweredBy::Error,
        Rule::Upgrade,
        "upgrade",
        reason,
        Some(501),
    )
}

pub(super) fn not_found(reason: &str) -> Verdict {
    of_rule(
        AnsweredBy::Error,
        Rule::NotFound,
        "not-found",
        reason.to_owned(),
        Some(404),
    )
}

pub(super) fn pinned(rule: Option<Rule>) -> Verdict {
    match rule {
        Some(rule) => {
            let reason = "a pinned file goes before sites and the cache".to_owned();
            of_rule(AnsweredBy::Pin, rule, "pin", reason, None)
        }
        None => {
            let reason = "somebody is writing to the pinned file".to_owned();
            of_rule(
                AnsweredBy::Error,
                Rule::FileChanging,
                "file-changing",
                reason,
                Some(503),
            )
        }
    }
}

pub(super) fn of_root() -> Verdict {
    Verdict {
        answered_by: AnsweredBy::Root,
        name: "root",
        reason: "the site has no origin: its file, or 404".to_owned(),
        status: None,
        cache_status: None,
        then: Vec::new(),
    }
}

/// A verdict whose Cache-Status is that of the rule alone.
fn of_rule(
    answered_by: AnsweredBy,
    rule: Rule,
    name: &'static str,
    reason: String,
    status: Option<u16>,
) -> Verdict {
    Verdict {
        answered_by,
        name,
        reason,
        status,
        cache_status: Some(format!("hotplate; {}", rule.outcome())),
        then: Vec::new(),
    }
}

fn text_of(status: &CacheStatus) -> String {
    let mut value = Vec::new();
    status.append_value(&mut value);
    String::from_utf8_lossy(&value).into_owned()
}
