//! HEAD, and what is stored of the URL that it asks for (RFC 9111 s4.3.5).
//!
//! A HEAD that goes to the origin validates what is stored as a GET would, by conditions of the cache's own: a 304 freshens
//! it and the stored response answers. A 200 is passed on, and held against each stored response that could have answered
//! the request: where it is of the same representation, that one is freshened; where it is of another, that one is validated
//! before it is used again; where it does not tell which, nothing changes.
//! A client that has conditions of its own is sent on with those.

use std::sync::Arc;

use super::exchange::{Exchange, freshen};
use super::labels::relabelled;
use super::{Keeper, KeeperCount, now};
use crate::cache::order::Fetch;
use crate::fill::origin::OriginResponse;
use crate::http::fields::FieldLines;
use crate::http::head::Method;
use crate::index::response::Response;
use crate::index::responses::marked;
use crate::policy::request::Asked;
use crate::policy::reuse::{self, Reuse};
use crate::policy::storability::{self, Received, Storability};
use crate::policy::stored::Mark;
use crate::policy::validation::{self, Candidate, HeadTells};
use crate::policy::vary;
use crate::units::UnixSeconds;

/// Whether a request is a HEAD that may validate what is stored.
pub(super) fn validates(fetch: &Fetch) -> bool {
    fetch.rule.cache
        && fetch.method == Method::Head
        && fetch.body.is_none()
        && !validation::is_for_origin_alone(&fetch.fields)
}

/// Whether a request goes on with its client's conditions: a passed answer is made for them, and says nothing of ours.
pub(super) fn keeps_conditions(fetch: &Fetch) -> bool {
    let mut lines = fetch.fields.lines();
    fetch.method == Method::Head && lines.any(|(name, _)| validation::is_condition_or_range(name))
}

impl Keeper {
    /// Freshens or marks what is stored by the answer to a HEAD.
    pub(super) fn compare_with_head(&self, exchange: &Exchange<'_>, answer: &OriginResponse) {
        let Exchange {
            fetch,
            asked,
            request_time,
            ..
        } = exchange;
        if answer.status != 200 || !validates(fetch) {
            return;
        }
        let overrides = &fetch.rule.overrides;
        let forgets = asked.directives.no_store && !overrides.ignore_client_cache_control;
        let response_time = now();
        let times = (*request_time, response_time);
        let update = self.own(&answer.fields, answer, response_time, overrides);
        for old in exchange.known.variants() {
            if !could_answer(old, fetch, asked, response_time) {
                continue;
            }
            let candidate = Candidate::of(&old.stored, true);
            let tells = match old.stored.status {
                // s4.4: what may have changed is validated; the same size is no validation.
                _ if old.stored.invalidated && !has_validator(answer) => HeadTells::Nothing,
                200 => {
                    let size = Some(old.object.size());
                    validation::head_tells(&candidate, size, &answer.fields)
                }
                // Whatever it is of, it is not this.
                _ => HeadTells::Other,
            };
            let fresh = match tells {
                HeadTells::Nothing => continue,
                // s5.2.1.5: nothing of the answer may be stored.
                HeadTells::Same if forgets => continue,
                HeadTells::Same => {
                    let fresh = freshen(old, &update, asked, times);
                    Some(relabelled(fresh, old, fetch, &answer.fields))
                }
                HeadTells::Other => None,
            };
            let fresh = fresh.filter(|fresh| may_be_stored(fresh, asked, times));
            let new = fresh.map(Arc::new).or_else(|| {
                self.counts.bump(KeeperCount::Invalidated);
                marked(old, Mark::Invalid)
            });
            let disk = self.disk_for(&fetch.rule);
            match (new, old.object.on_disk()) {
                (Some(new), _) => {
                    // Purged or replaced meanwhile: that stays.
                    drop(self.responses.replace(old, &new));
                    if let Some(disk) = disk {
                        disk.update(&new, exchange.began);
                    }
                }
                (None, Some(id)) => {
                    if let Some(disk) = disk {
                        disk.forget(id);
                    }
                }
                (None, None) => {}
            }
        }
    }
}

fn has_validator(answer: &OriginResponse) -> bool {
    let mut lines = answer.fields.lines();
    lines.any(|(name, _)| {
        name.eq_ignore_ascii_case(b"etag") || name.eq_ignore_ascii_case(b"last-modified")
    })
}

/// Whether a stored response could have been chosen for a request (s4.1). One that is still coming is as new as the HEAD.
fn could_answer(stored: &Response, fetch: &Fetch, asked: &Asked, now: UnixSeconds) -> bool {
    let verdict = reuse::judge(asked, &stored.stored, &fetch.rule.overrides, now);
    stored.has_whole_body()
        && vary::matches(&stored.variant, &fetch.fields)
        && !matches!(verdict, Reuse::Refuse(_))
}

/// Whether a response may still be stored by the fields that a HEAD gave it.
fn may_be_stored(fresh: &Response, asked: &Asked, times: (UnixSeconds, UnixSeconds)) -> bool {
    let received = Received {
        status: fresh.stored.status,
        fields: &fresh.fields,
        request_time: times.0,
        response_time: times.1,
    };
    let as_get = Asked {
        method: Method::Get,
        ..*asked
    };
    let verdict = storability::judge(&as_get, &received, &fresh.rule.overrides);
    matches!(verdict, Storability::Store(_))
}
