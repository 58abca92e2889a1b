//! One exchange with the origin, and what its answer means (RFC 9111 s3, s4.3, s4.4).

use std::rc::Rc;
use std::sync::Arc;

use super::flights::{Landing, Lead};
use super::{Keeper, KeeperCount, Place, is_storable, now};
use crate::cache::order::{Fetch, Fetched, Outcome};
use crate::fill::origin::{Origin, OriginFault, OriginRequest, OriginResponse, RequestBody, Retry};
use crate::http::cache_control::ResponseDirectives;
use crate::http::fields::FieldLines;
use crate::http::head::Method;
use crate::index::cached::Epoch;
use crate::index::response::Response;
use crate::index::responses::{invalidate_key, invalidate_tag};
use crate::policy::cache_status::CacheStatus;
use crate::policy::forwarding::{self, Forwarding};
use crate::policy::invalidation::{self, RequestTarget};
use crate::policy::key::{self, KeyParts, Scheme};
use crate::policy::request::Asked;
use crate::policy::reuse::{self, Failure};
use crate::policy::rule::Rule;
use crate::policy::storability::{self, Received, Storability};
use crate::policy::stored_fields::is_left_out;
use crate::policy::validation::{self, Candidate, Conditions, Validated};
use crate::policy::vary::Names;
use crate::policy::{groups, vary};
use crate::sys::clock;
use crate::units::UnixSeconds;

/// What is stored for a request that goes to the origin.
pub(super) struct Known {
    /// All variants of its URL.
    variants: Vec<Arc<Response>>,
    /// The place of the one that would answer it.
    selected: Option<usize>,
    /// What the origin is asked about them.
    conditions: Conditions,
}

impl Known {
    fn nothing() -> Self {
        Self {
            variants: Vec::new(),
            selected: None,
            conditions: Conditions::default(),
        }
    }

    fn of(variants: Vec<Arc<Response>>, fetch: &Fetch) -> Self {
        let stored = variants
            .iter()
            .map(|response| (&*response.variant, response.stored.response_time));
        let selected = vary::choose(stored, &fetch.fields);
        let candidates = candidates(&variants);
        let conditions = validation::conditional_fields(&candidates, selected);
        drop(candidates);
        Self {
            variants,
            selected,
            conditions,
        }
    }

    fn selected(&self) -> Option<&Arc<Response>> {
        self.variants.get(self.selected?)
    }
}

fn candidates(variants: &[Arc<Response>]) -> Vec<Candidate<'_>> {
    let candidate = |response: &'_ Arc<Response>| response.object.is_complete();
    variants
        .iter()
        .map(|response| Candidate::of(&response.stored, candidate(response)))
        .collect()
}

impl Keeper {
    /// Asks the origin; whoever is aboard gets the answer too, where it may be shared.
    pub(super) async fn ask(
        self: &Rc<Self>,
        fetch: &Fetch,
        asked: Asked,
        origin: &Rc<Origin>,
        lead: Option<Lead>,
    ) -> Outcome {
        let Some(place) = self.place() else {
            return self.fail(fetch, &asked, Rule::OriginBusy, None, lead);
        };
        if forwarding::is_loop(&fetch.fields, self.pseudonym.as_bytes()) {
            return self.fail(fetch, &asked, Rule::Loop, None, lead);
        }
        let stores = is_storable(fetch);
        let known = if stores {
            Known::of(self.variants(fetch), fetch)
        } else {
            Known::nothing()
        };
        let began = self.responses.epoch();
        let request = self.request(fetch, &known, stores);
        let request_time = now();
        let answered = tokio::time::timeout(self.settings.fill_timeout, origin.send(request)).await;
        let answer = match answered {
            Ok(Ok(answer)) => answer,
            Ok(Err(fault)) => return self.fail(fetch, &asked, rule_of(fault), Some(&known), lead),
            Err(_) => return self.fail(fetch, &asked, Rule::OriginTimeout, Some(&known), lead),
        };
        self.invalidate(fetch, &answer);
        let exchange = Exchange {
            fetch,
            asked,
            known,
            request_time,
            began,
            place,
        };
        self.judge(exchange, answer, stores, lead).await
    }

    fn request(self: &Rc<Self>, fetch: &Fetch, known: &Known, stores: bool) -> OriginRequest {
        let forwarding = Forwarding {
            method: fetch.method,
            version: fetch.version,
            scheme: Scheme::Http,
            authority: &fetch.authority,
            client: fetch.client,
            believes_client: false,
            pseudonym: self.pseudonym.as_bytes(),
            own_conditions: stores.then_some(&known.conditions.fields),
            has_body: fetch.body.is_some(),
        };
        let body = fetch.body.as_ref().map_or(RequestBody::None, |upload| {
            RequestBody::Stream(self.upload(upload))
        });
        let is_safe = invalidation::is_safe(fetch.method) && fetch.body.is_none();
        OriginRequest {
            method: fetch.method_name.clone(),
            target: fetch.target.clone(),
            fields: forwarding::request_fields(&fetch.fields, &forwarding),
            body,
            retry: if is_safe { Retry::Safe } else { Retry::Never },
            informational: None,
        }
    }

    /// Has what a request may have changed validated before it is used again (s4.4).
    fn invalidate(&self, fetch: &Fetch, answer: &OriginResponse) {
        let (path, query) = fetch
            .target
            .split_at_checked(fetch.path_size)
            .unwrap_or_default();
        let target = RequestTarget {
            scheme: Scheme::Http,
            authority: &fetch.authority,
            path,
            query: query.strip_prefix(b"?"),
        };
        let mut key = Vec::new();
        for url in invalidation::targets(fetch.method, answer.status, &target, &answer.fields) {
            key.clear();
            let parts = KeyParts {
                scope: None,
                scheme: Scheme::Http,
                authority: &fetch.authority,
                path: &url.path,
                query: url.query.as_deref(),
            };
            key::append(&mut key, &parts, &fetch.rule.overrides);
            let count = invalidate_key(&self.responses, &key);
            self.counts.add(KeeperCount::Invalidated, count);
        }
        for group in groups::invalidated_by(fetch.method, &answer.fields).names {
            let mut tag = Vec::new();
            groups::append_scoped(&mut tag, Scheme::Http, &fetch.authority, &group);
            let count = invalidate_tag(&self.responses, &tag);
            self.counts.add(KeeperCount::Invalidated, count);
        }
    }

    /// There is no answer: a stale one stands in where that is allowed (s4.2.4, RFC 5861 s4).
    fn fail(
        &self,
        fetch: &Fetch,
        asked: &Asked,
        rule: Rule,
        known: Option<&Known>,
        lead: Option<Lead>,
    ) -> Outcome {
        let failure = match rule {
            Rule::OriginTimeout => Failure::Timeout,
            _ => Failure::Unreachable,
        };
        let outcome = known
            .and_then(Known::selected)
            .and_then(|response| self.stand_in(fetch, asked, response, failure));
        if let Some(lead) = lead {
            lead.land(&Landing::Failed(rule), clock::mono());
        }
        self.end_refresh(fetch, known);
        outcome.unwrap_or(Outcome::NotFetched(rule))
    }

    fn end_refresh(&self, fetch: &Fetch, known: Option<&Known>) {
        if fetch.is_refresh
            && let Some(response) = known.and_then(Known::selected)
        {
            response.end_refresh();
        }
    }

    fn stand_in(
        &self,
        fetch: &Fetch,
        asked: &Asked,
        response: &Arc<Response>,
        failure: Failure,
    ) -> Option<Outcome> {
        let now = now();
        let overrides = &fetch.rule.overrides;
        let age = reuse::on_failure(asked, &response.stored, overrides, now, failure).age()?;
        let status = CacheStatus {
            fwd_status: match failure {
                Failure::Status(status) => Some(status),
                Failure::Timeout | Failure::Unreachable => None,
            },
            ttl: Some(response.stored.ttl(now)),
            ..CacheStatus::forwarded(fetch.why, Rule::StaleIfError.detail())
        };
        Some(fetched(
            Arc::clone(response),
            Some(age),
            status,
            Rule::StaleIfError,
        ))
    }

    /// What the origin's answer means.
    async fn judge(
        self: &Rc<Self>,
        exchange: Exchange<'_>,
        answer: OriginResponse,
        stores: bool,
        lead: Option<Lead>,
    ) -> Outcome {
        let Exchange { fetch, asked, .. } = &exchange;
        let asks = !exchange.known.conditions.nominated.is_empty();
        match Validated::of(answer.status) {
            Validated::NotModified if stores && asks => {
                return self.validated(exchange, answer, lead);
            }
            Validated::Failed => {
                let failure = Failure::Status(answer.status);
                let response = exchange.known.selected();
                if let Some(outcome) =
                    response.and_then(|response| self.stand_in(fetch, asked, response, failure))
                {
                    // Those aboard look for themselves.
                    drop(lead);
                    self.end_refresh(fetch, Some(&exchange.known));
                    return outcome;
                }
            }
            Validated::NotModified | Validated::Replaced => {}
        }
        if stores {
            let received = Received {
                status: answer.status,
                fields: &answer.fields,
                request_time: exchange.request_time,
                response_time: now(),
            };
            if let Storability::Store(stored) =
                storability::judge(asked, &received, &fetch.rule.overrides)
                && answer
                    .body
                    .size_hint()
                    .is_none_or(|size| size <= self.object_max)
            {
                return self.save(exchange, answer, *stored, lead).await;
            }
        }
        if let Some(lead) = lead {
            lead.land(&Landing::Alone, clock::mono());
        }
        self.end_refresh(fetch, Some(&exchange.known));
        self.pass(exchange, answer)
    }

    /// The origin calls what is stored valid: its fields are updated (s4.3.4, s3.2).
    fn validated(
        &self,
        exchange: Exchange<'_>,
        answer: OriginResponse,
        lead: Option<Lead>,
    ) -> Outcome {
        let Exchange {
            fetch,
            asked,
            known,
            request_time,
            ..
        } = exchange;
        let response_time = now();
        let overrides = &fetch.rule.overrides;
        let update = self.own(&answer.fields, &answer, response_time, overrides);
        let chosen = validation::select_for_304(
            &candidates(&known.variants),
            &known.conditions.nominated,
            known.selected,
            &update,
        );
        let mut fresh = None;
        let mut is_there = false;
        for place in chosen {
            let Some(old) = known.variants.get(place) else {
                continue;
            };
            let new = Arc::new(freshen(old, &update, &asked, (request_time, response_time)));
            let replaced = self.responses.replace(old, &new);
            let answers = vary::matches(&new.variant, &fetch.fields);
            if answers && (fresh.is_none() || known.selected == Some(place)) {
                fresh = Some(new);
                is_there = replaced.is_stored();
            }
        }
        let Some(response) = fresh else {
            // It speaks of something that is not stored any more: the next request asks without conditions.
            drop(lead);
            return Outcome::NotFetched(Rule::OriginBroken);
        };
        match lead {
            Some(lead) if is_there => {
                lead.land(&Landing::Stored(Arc::clone(&response)), clock::mono());
            }
            // Purged meanwhile: those who came since must not get it.
            lead => drop(lead),
        }
        let status = CacheStatus {
            fwd_status: Some(304),
            stored: is_there,
            ttl: Some(response.stored.ttl(response_time)),
            ..CacheStatus::forwarded(fetch.why, "")
        };
        let age = response.stored.age(response_time);
        fetched(response, Some(age), status, Rule::Revalidated)
    }
}

/// A request, and what it needs until it is answered.
pub(super) struct Exchange<'f> {
    pub(super) fetch: &'f Fetch,
    pub(super) asked: Asked,
    pub(super) known: Known,
    pub(super) request_time: UnixSeconds,
    /// Before the origin was asked: what was purged since must not come back.
    pub(super) began: Epoch,
    /// Its place among the fills: held until the last byte of its answer is there.
    pub(super) place: Place,
}

/// A stored response with the fields of a 304.
fn freshen(
    old: &Response,
    update: &crate::http::fields::Fields,
    asked: &Asked,
    (request_time, response_time): (UnixSeconds, UnixSeconds),
) -> Response {
    let overrides = &old.rule.overrides;
    let directives = ResponseDirectives::of(update);
    let fields = validation::freshened(&old.fields, update, overrides, |name| {
        is_left_out(name, update, &directives, overrides)
    });
    let received = Received {
        status: old.stored.status,
        fields: &fields,
        request_time,
        response_time,
    };
    let directives = ResponseDirectives::of(&fields);
    let mut stored = storability::facts(asked, &received, &directives, overrides);
    stored.initial_age = storability::facts(
        asked,
        &Received {
            fields: update,
            ..received
        },
        &directives,
        overrides,
    )
    .initial_age;
    // What the update forbids to use for others, or gives to others than it was stored for, is validated each time.
    stored.invalidated = storability::is_withdrawn(&directives, overrides)
        || Names::of(&old.fields) != Names::of(&fields);
    old.freshened(stored, fields)
}

/// An outcome with a response.
pub(super) fn fetched(
    response: Arc<Response>,
    age: Option<u64>,
    status: CacheStatus,
    rule: Rule,
) -> Outcome {
    Outcome::Fetched(Box::new(Fetched {
        response,
        age,
        status,
        rule,
    }))
}

/// The rule by which a fault is answered.
fn rule_of(fault: OriginFault) -> Rule {
    match fault.status() {
        503 => Rule::OriginBusy,
        504 => Rule::OriginTimeout,
        _ if fault.is_before_connection() => Rule::OriginUnreachable,
        _ => Rule::OriginBroken,
    }
}

/// Whether a response with this method and status has no content (RFC 9112 s6.3).
pub(super) fn is_without_content(method: Method, answer: &OriginResponse) -> bool {
    method == Method::Head
        || matches!(answer.status, 204 | 304)
        || answer.fields.value("content-length") == Some(b"0")
}
