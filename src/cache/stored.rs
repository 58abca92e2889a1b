//! Requests for what an origin has: answered from the index of stored responses, or ordered from the fill threads.

use std::sync::Arc;

use super::answer::{Answer, Reply, Sending};
use super::desk::Moment;
use crate::cache::order::{Fetch, Fetched, Job, Ticket};
use crate::http::cache_control::RequestDirectives;
use crate::http::conditional::Validators;
use crate::http::fields::Fields;
use crate::http::head::{Field, Method, RequestHead};
use crate::http::hop_by_hop::is_named_by_connection;
use crate::http::target::Target;
use crate::index::response::Response;
use crate::index::responses::Responses;
use crate::policy::cache_status::{CacheStatus, Forward};
use crate::policy::key::{self, KeyParts, Scheme};
use crate::policy::request::Asked;
use crate::policy::reuse::{self, Reuse, Why};
use crate::policy::rule::Rule;
use crate::policy::rules::Rules;
use crate::policy::selection::{self, Part};
use crate::policy::settings::{CacheRule, Tier};
use crate::policy::{invalidation, trailers, validation, vary};
use crate::store::Reading;
use crate::store::window::TooLate;
use crate::units::SiteId;

/// A request for a URL of an origin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'r, 'b> {
    pub(super) head: &'r RequestHead<'b>,
    pub(super) target: &'r Target<'r>,
    pub(super) site: SiteId,
    pub(super) rule: &'r Arc<CacheRule>,
    /// All rules of its site.
    pub(super) rules: &'r Rules,
    /// The scope of its key, see `policy::key`.
    pub(super) scope: Option<&'r [u8]>,
    pub(super) now: Moment,
}

/// How a request goes on for which a response is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The response answers it, by this rule.
    Answer(Rule),
    /// The origin is asked.
    Forward(Forward),
    /// 504: the client wants a stored response only, and this one may not be used as it is (RFC 9111 s5.2.1.7).
    OnlyIfCached,
}

impl Way {
    /// The way that follows from a verdict.
    #[must_use]
    pub const fn of(verdict: Reuse) -> Self {
        match verdict {
            Reuse::Fresh { .. } => Self::Answer(Rule::Fresh),
            Reuse::Stale { .. } => Self::Answer(Rule::MaxStale),
            Reuse::WhileRevalidate { .. } => Self::Answer(Rule::StaleWhileRevalidate),
            Reuse::OnlyIfCached504 => Self::OnlyIfCached,
            Reuse::Revalidate(why) => Self::Forward(forward(why)),
            Reuse::Refuse(_) => Self::Forward(Forward::Request),
        }
    }
}

/// What the index has for a request.
enum Found {
    /// It answers.
    Answer(Answer),
    /// It answers, and is to be refreshed.
    Refresh(Sending),
    /// The origin is to be asked: why, and the rule that says so, where there is one.
    Forward(Forward, &'static str),
}

/// Answers from the index, or orders.
pub(super) fn answer(
    wanted: &Wanted<'_, '_>,
    responses: &Responses,
    key: &mut Vec<u8>,
    ticket: impl FnOnce() -> Ticket,
) -> Answer {
    let method = wanted.head.method;
    key.clear();
    let (why, because) = if !wanted.rule.cache {
        (Forward::Bypass, "cache-off")
    } else if !matches!(method, Method::Get | Method::Head) {
        (Forward::Method, "method")
    } else {
        append_key(wanted, key);
        match look_up(wanted, responses, key) {
            Found::Answer(answer) => return answer,
            Found::Refresh(sending) => {
                let fetch = fetch(wanted, key, (Forward::Stale, ""));
                return Answer::SendAndRefresh(sending, ticket(), Job::Fetch(fetch.into_refresh()));
            }
            Found::Forward(why, because) => (why, because),
        }
    };
    if key.is_empty() {
        // What changes something makes what is stored invalid.
        append_key(wanted, key);
    }
    Answer::Fill(ticket(), Job::Fetch(fetch(wanted, key, (why, because))))
}

fn append_key(wanted: &Wanted<'_, '_>, key: &mut Vec<u8>) {
    let parts = KeyParts {
        scope: wanted.scope,
        scheme: Scheme::Http,
        authority: authority(wanted),
        path: wanted.target.path,
        query: wanted.target.query,
    };
    key::append(key, &parts, &wanted.rule.overrides);
}

fn authority<'r>(wanted: &Wanted<'r, '_>) -> &'r [u8] {
    let host = wanted.head.field(Field::Host);
    wanted.target.authority.or(host).unwrap_or_default()
}

fn look_up(wanted: &Wanted<'_, '_>, responses: &Responses, key: &[u8]) -> Found {
    let now = wanted.now.wall;
    if validation::is_for_origin_alone(wanted.head) {
        // RFC 9111 s4.3.2: what If-Match and If-Unmodified-Since guard against, only the origin knows.
        return Found::Forward(Forward::Request, "precondition");
    }
    let asked = Asked::of(wanted.head.method, wanted.head);
    let found = responses.find(key);
    let chosen = found.as_ref().and_then(|found| {
        let stored = found
            .iter()
            .map(|response| (&*response.variant, response.stored.recency()));
        let place = vary::choose(stored, wanted.head)?;
        found.iter().nth(place).cloned()
    });
    let Some(response) = chosen else {
        if asked.directives.only_if_cached && !wanted.rule.tiers.contains(&Tier::Disk) {
            return Found::Answer(Answer::Respond(Reply::GatewayTimeout, Rule::OnlyIfCached));
        }
        let why = match found {
            Some(_) => Forward::VaryMiss,
            None => Forward::UriMiss,
        };
        return Found::Forward(why, "");
    };
    if !response.object.is_sound() {
        // The device has failed on it: it is fetched anew.
        return Found::Forward(Forward::UriMiss, "lost");
    }
    // A body of unknown size may be about to outgrow the store: whoever reads it has a seat, or asks anew.
    let reads = match response.size() {
        Some(_) => None,
        None => match Reading::of(&response.object) {
            Ok(reads) => reads,
            Err(TooLate) => return Found::Forward(Forward::UriMiss, "outgrown"),
        },
    };
    response.use_count().bump();
    let verdict = reuse::judge(&asked, &response.stored, &wanted.rule.overrides, now);
    let ttl = response.stored.ttl(now);
    let detail = verdict.detail(&response.stored);
    let rule = match Way::of(verdict) {
        Way::Answer(rule) => rule,
        Way::Forward(why) => return Found::Forward(why, detail),
        Way::OnlyIfCached => {
            return Found::Answer(Answer::Respond(Reply::GatewayTimeout, Rule::OnlyIfCached));
        }
    };
    // Whoever comes first after its lifetime has it refreshed.
    let refreshes = rule == Rule::StaleWhileRevalidate && response.begin_refresh();
    let refreshing = refreshes.then(|| Arc::clone(&response));
    let fetched = Fetched {
        age: verdict.age(),
        status: CacheStatus::hit(ttl, detail),
        response,
        reads,
        rule,
        outgrew: None,
    };
    let mut answer = part(wanted.head, fetched, wanted.now);
    if let Answer::Send(sending) = &mut answer
        && !is_at_hand(wanted.head.method, &sending.response, &sending.part)
    {
        // RFC 9211 s2.2: it is selected, but some of what the request needs has to be fetched.
        sending.status = CacheStatus {
            stored: true,
            ttl: Some(ttl),
            ..CacheStatus::forwarded(Forward::Partial, detail)
        };
    }
    match answer {
        Answer::Send(sending) if refreshes => Found::Refresh(sending),
        answer => {
            // A 412 or 416 says nothing of the response: the next request has it refreshed.
            if let Some(response) = refreshing {
                response.end_refresh();
            }
            Found::Answer(answer)
        }
    }
}

/// Whether the bytes that an answer needs are there, or on their way without it.
fn is_at_hand(method: Method, response: &Response, part: &Part) -> bool {
    let Some(body) = response.object.growing().filter(|_| method != Method::Head) else {
        return true;
    };
    match part {
        Part::One(range) => body.is_at_hand(range.first, range.last + 1),
        Part::Whole => body.is_at_hand(0, body.size().unwrap_or(0)),
        Part::Many(ranges) => ranges
            .iter()
            .all(|range| body.is_at_hand(range.first, range.last + 1)),
        Part::NotModified | Part::PreconditionFailed | Part::Unsatisfiable => true,
    }
}

/// The fields that go on: those that Connection names are for this hop alone (RFC 9110 s7.6.1), so that no variant may be
/// selected by them either.
fn forwarded(head: &RequestHead<'_>) -> Fields {
    let fields = head.fields();
    fields
        .filter(|(name, _)| !is_named_by_connection(head, name))
        .collect()
}

/// Why a stored response did not do (RFC 9211 s2.2): `request` only where a fresh one could not be used.
const fn forward(why: Why) -> Forward {
    match why {
        Why::Stale { .. } | Why::MustRevalidate { .. } | Why::NoCache | Why::Invalidated => {
            Forward::Stale
        }
        Why::RequestNoCache
        | Why::RequestPragma
        | Why::RequestMaxAge { .. }
        | Why::RequestMinFresh { .. } => Forward::Request,
    }
}

/// The part of `fetched` that the request gets, as an answer.
pub(super) fn part(head: &RequestHead<'_>, fetched: Fetched, now: Moment) -> Answer {
    let Fetched {
        response,
        reads,
        age,
        status,
        rule,
        outgrew: _,
    } = fetched;
    match part_of(&response, head, now) {
        Part::PreconditionFailed => Answer::Respond(Reply::PreconditionFailed, rule),
        Part::Unsatisfiable => {
            let size = response.size().unwrap_or(0);
            Answer::Respond(Reply::RangeUnsatisfiable(size), rule)
        }
        // RFC 9111 s5.2.1.7: a client that wants stored bytes only gets none that the origin is still to be asked for.
        part if !is_at_hand(head.method, &response, &part)
            && RequestDirectives::of(head).only_if_cached =>
        {
            Answer::Respond(Reply::GatewayTimeout, Rule::OnlyIfCached)
        }
        part => Answer::Send(Sending {
            response,
            reads,
            part,
            age,
            status,
            rule,
        }),
    }
}

/// The part of an origin's response that a request gets. One that is not stored is the answer to this very request,
/// preconditions and ranges included, and goes as it came.
#[must_use]
pub fn part_of(response: &Response, head: &RequestHead<'_>, now: Moment) -> Part {
    if response.key.is_empty() || response.stored.status != 200 {
        return Part::Whole;
    }
    let validators = Validators {
        etag: response.etag(),
        last_modified: response.last_modified(),
        date: response.stored.date,
    };
    selection::select(head, &validators, response.size(), now.wall)
}

fn fetch(
    wanted: &Wanted<'_, '_>,
    key: &[u8],
    (why, because): (Forward, &'static str),
) -> Box<Fetch> {
    let head = wanted.head;
    let target = wanted.target;
    let mut line = Vec::with_capacity(target.path.len() + 1 + target.query.map_or(0, <[u8]>::len));
    line.extend_from_slice(target.path);
    if let Some(query) = target.query {
        line.push(b'?');
        line.extend_from_slice(query);
    }
    Box::new(Fetch {
        site: wanted.site,
        rule: Arc::clone(wanted.rule),
        rules: (!invalidation::is_safe(head.method)).then(|| wanted.rules.clone()),
        key: key.into(),
        method: head.method,
        method_name: head.method_name.into(),
        version: head.version,
        target: line.into(),
        path_size: target.path.len(),
        authority: authority(wanted).into(),
        fields: forwarded(head),
        client: None,
        takes_trailers: trailers::are_taken(head.version, head),
        why,
        because,
        body: None,
        is_refresh: false,
        must_ask: false,
        deposit: None,
        foreign: None,
        asker: None,
    })
}
