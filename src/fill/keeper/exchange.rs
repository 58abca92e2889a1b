//! One exchange with the origin, and what its answer means (RFC 9111 s3, s4.3, s4.4).

use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use super::flights::{Landing, Lead};
use super::source::{asked_range, part_of};
use super::validated::may_stand_for;
use super::{Keeper, KeeperCount, Place, head, is_storable, now};
use crate::cache::order::{Fetch, Fetched, Outcome};
use crate::fill::origin::{
    Origin, OriginFault, OriginRequest, OriginResponse, OriginSettings, RequestBody, Retry,
};
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
use crate::policy::stored_fields::LeftOut;
use crate::policy::validation::{self, Candidate, Conditions, Validated};
use crate::policy::vary::Names;
use crate::policy::{groups, vary};
use crate::store::Reading;
use crate::sys::clock;
use crate::units::UnixSeconds;

/// What is stored for a request that goes to the origin.
pub(super) struct Known {
    /// All variants of its URL.
    pub(super) variants: Vec<Arc<Response>>,
    /// The place of the one that would answer it.
    pub(super) selected: Option<usize>,
    /// What the origin is asked about them.
    pub(super) conditions: Conditions,
}

impl Known {
    pub(super) fn nothing() -> Self {
        Self {
            variants: Vec::new(),
            selected: None,
            conditions: Conditions::default(),
        }
    }

    fn of(variants: Vec<Arc<Response>>, fetch: &Fetch) -> Self {
        let stored = variants
            .iter()
            .map(|response| (&*response.variant, response.stored.recency()));
        let selected = vary::choose(stored, &fetch.fields);
        let conditions = if head::keeps_conditions(fetch) {
            Conditions::default()
        } else {
            // What could not answer it is left out as incomplete ones are.
            let places = variants.iter().enumerate();
            let candidates = places.map(|(place, response)| {
                let may_answer = selected == Some(place) || may_stand_for(response, fetch);
                Candidate::of(&response.stored, may_answer && response.has_whole_body())
            });
            validation::conditional_fields(&candidates.collect::<Vec<_>>(), selected)
        };
        Self {
            variants,
            selected,
            conditions,
        }
    }

    pub(super) fn variants(&self) -> &[Arc<Response>] {
        &self.variants
    }

    pub(super) fn selected(&self) -> Option<&Arc<Response>> {
        self.variants.get(self.selected?)
    }
}

pub(super) fn candidates(variants: &[Arc<Response>]) -> Vec<Candidate<'_>> {
    variants
        .iter()
        .map(|response| Candidate::of(&response.stored, response.has_whole_body()))
        .collect()
}

impl Keeper {
    /// Asks the origin; whoever is aboard gets the answer too, where it may be shared. `alone` are stored responses that have no
    /// place in memory.
    pub(super) async fn ask(
        self: &Rc<Self>,
        fetch: &Fetch,
        asked: Asked,
        origin: &Rc<Origin>,
        lead: Option<Lead>,
        alone: Vec<Arc<Response>>,
    ) -> Outcome {
        let stores = is_storable(fetch);
        let known = if stores || head::validates(fetch) {
            let mut variants = self.variants(fetch);
            variants.extend(alone);
            Known::of(variants, fetch)
        } else {
            Known::nothing()
        };
        let blocks = stores.then(|| self.asked_blocks(fetch)).flatten();
        let asking = Asking {
            known,
            stores,
            blocks,
        };
        self.ask_for(fetch, asked, origin, lead, asking).await
    }

    /// Asks the origin what the client asks, and passes its answer on.
    pub(super) async fn ask_as_it_is(
        self: &Rc<Self>,
        fetch: &Fetch,
        asked: Asked,
        origin: &Rc<Origin>,
    ) -> Outcome {
        let asking = Asking {
            known: Known::nothing(),
            stores: false,
            blocks: None,
        };
        self.ask_for(fetch, asked, origin, None, asking).await
    }

    /// The Range field for the blocks that hold what a request asks for; none where it is answered from the whole.
    pub(super) fn asked_blocks(&self, fetch: &Fetch) -> Option<String> {
        let range = asked_range(fetch)?;
        let has_room = self.size_max(&fetch.rule) > 0;
        has_room.then(|| range.in_blocks(self.block)).flatten()
    }

    pub(super) async fn ask_for(
        self: &Rc<Self>,
        fetch: &Fetch,
        asked: Asked,
        origin: &Rc<Origin>,
        lead: Option<Lead>,
        asking: Asking,
    ) -> Outcome {
        let Some(place) = self.place() else {
            let why = (Rule::OriginBusy, None);
            return self.fail(fetch, &asked, why, Some(&asking.known), lead);
        };
        if forwarding::is_loop(&fetch.fields, self.pseudonym.as_bytes()) {
            // Its own matter: those aboard board again.
            drop(lead);
            return self.fail(fetch, &asked, (Rule::Loop, None), None, None);
        }
        let began = self.responses.epoch();
        let (body, sent) = self.body_of(fetch);
        let request = self.request(fetch, &asking, origin.settings(), body);
        let Asking {
            known,
            stores,
            blocks,
        } = asking;
        let request_time = now();
        let answer = match self.in_time(origin.send(request), sent).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(fault)) => {
                // Where it lies in the request, those aboard board again.
                let lead = lead.filter(|_| fault.status() != 400);
                let why = (rule_of(fault), Some(fault));
                return self.fail(fetch, &asked, why, Some(&known), lead);
            }
            Err(_) => {
                let why = (Rule::OriginTimeout, None);
                return self.fail(fetch, &asked, why, Some(&known), lead);
            }
        };
        self.invalidate(fetch, &answer).await;
        let exchange = Exchange {
            fetch,
            asked,
            origin: Rc::clone(origin),
            known,
            has_own_range: blocks.is_some(),
            request_time,
            began,
            place,
        };
        self.judge(exchange, answer, stores, lead).await
    }

    /// Waits for an answer as long as a request may. The time of one with a body begins when that has been `sent`: until then the
    /// client sets the pace, and what the origin owes meanwhile is in its own times.
    async fn in_time<T>(
        &self,
        answer: impl Future<Output = T>,
        sent: Option<oneshot::Receiver<()>>,
    ) -> Result<T, Elapsed> {
        let mut answer = pin!(answer);
        if let Some(sent) = sent {
            tokio::select! {
                answer = &mut answer => return Ok(answer),
                _ = sent => {}
            }
        }
        timeout(self.settings.fill_timeout, answer).await
    }

    fn request(
        self: &Rc<Self>,
        fetch: &Fetch,
        asking: &Asking,
        settings: &OriginSettings,
        body: RequestBody,
    ) -> OriginRequest {
        let has_own = asking.stores || !asking.known.conditions.nominated.is_empty();
        let mut conditions = asking.known.conditions.fields.clone();
        if let Some(range) = &asking.blocks {
            conditions.push(b"Range", range.as_bytes());
        }
        let forwarding = Forwarding {
            method: fetch.method,
            version: fetch.version,
            scheme: Scheme::Http,
            host: match settings.host.as_str() {
                "" => &fetch.authority,
                host => host.as_bytes(),
            },
            client: fetch.client,
            believes_client: settings.trusts_forwarded,
            pseudonym: self.pseudonym.as_bytes(),
            own_conditions: has_own.then_some(&conditions),
            has_body: fetch.body.is_some(),
            takes_trailers: fetch.takes_trailers,
        };
        let is_safe = invalidation::is_safe(fetch.method) && fetch.body.is_none();
        OriginRequest {
            method: fetch.method_name.clone(),
            target: fetch.target.clone(),
            fields: forwarding::request_fields(&fetch.fields, &forwarding),
            body,
            retry: if is_safe { Retry::Safe } else { Retry::Never },
            informational: Some(self.informational(fetch)),
        }
    }

    /// Has what a request may have changed validated before it is used again (s4.4).
    async fn invalidate(&self, fetch: &Fetch, answer: &OriginResponse) {
        if invalidation::is_safe(fetch.method) {
            return;
        }
        let (keys, tags) = changed_by(fetch, answer);
        self.invalidate_in_memory(&keys, &tags);
        if let Some(disk) = &self.disk
            && !(keys.is_empty() && tags.is_empty())
            && disk.invalidate(keys.clone(), tags.clone()).await > 0
        {
            // What was brought up meanwhile.
            self.invalidate_in_memory(&keys, &tags);
        }
    }

    fn invalidate_in_memory(&self, keys: &[Vec<u8>], tags: &[Vec<u8>]) {
        let by_key = keys.iter().map(|key| invalidate_key(&self.responses, key));
        let by_tag = tags.iter().map(|tag| invalidate_tag(&self.responses, tag));
        let count = by_key.chain(by_tag).sum();
        self.counts.add(KeeperCount::Invalidated, count);
    }

    /// There is no answer: a stale one stands in where that is allowed (s4.2.4, RFC 5861 s4).
    fn fail(
        &self,
        fetch: &Fetch,
        asked: &Asked,
        (rule, fault): (Rule, Option<OriginFault>),
        known: Option<&Known>,
        lead: Option<Lead>,
    ) -> Outcome {
        let stored = self.stored_for(fetch, known);
        let outcome =
            stored.and_then(|response| self.stand_in_by(fetch, asked, &response, (rule, fault)));
        if let Some(lead) = lead {
            lead.land(&Landing::Failed(rule, fault), clock::mono());
        }
        self.end_refresh(fetch, known);
        outcome.unwrap_or_else(|| not_fetched(rule, fault))
    }

    fn end_refresh(&self, fetch: &Fetch, known: Option<&Known>) {
        if fetch.is_refresh
            && let Some(response) = known.and_then(Known::selected)
        {
            response.end_refresh();
        }
    }

    pub(super) fn stand_in(
        &self,
        fetch: &Fetch,
        asked: &Asked,
        response: &Arc<Response>,
        failure: Failure,
    ) -> Option<Outcome> {
        let now = now();
        if !response.object.takes_readers() {
            return None;
        }
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
            Validated::NotModified if asks => {
                return self.validated(exchange, answer, lead).await;
            }
            Validated::Failed => {
                let failure = Failure::Status(answer.status);
                let stored = self.stored_for(fetch, Some(&exchange.known));
                if let Some(outcome) =
                    stored.and_then(|response| self.stand_in(fetch, asked, &response, failure))
                {
                    if let Some(lead) = lead {
                        lead.land(&Landing::Status(answer.status), clock::mono());
                    }
                    self.end_refresh(fetch, Some(&exchange.known));
                    return outcome;
                }
            }
            Validated::NotModified | Validated::Replaced => {}
        }
        let outgrew = (stores && answer.body.size_hint().is_none())
            .then(|| self.flights.why_outgrown(&fetch.key, clock::mono()))
            .flatten();
        let mut because = fetch.because;
        if stores {
            let received = Received {
                status: answer.status,
                fields: &answer.fields,
                request_time: exchange.request_time,
                response_time: now(),
            };
            let verdict = storability::judge(asked, &received, &fetch.rule.overrides);
            let size_max = self.size_max(&fetch.rule);
            let may_outgrow = || outgrew.is_none();
            match (verdict, piece_of(&answer)) {
                (Storability::Store(stored), Piece::Whole(size))
                    if size.map_or_else(may_outgrow, |size| size <= size_max) =>
                {
                    return self.save(exchange, answer, *stored, lead).await;
                }
                (Storability::Store(stored), Piece::Part(first, end, size)) if size <= size_max => {
                    let part = (first, end, size);
                    return self.save_part(exchange, answer, *stored, lead, part).await;
                }
                (Storability::Refuse(why), _) => because = why.name(),
                (Storability::Store(_), _) if outgrew.is_some() => because = "outgrown",
                (Storability::Store(_), _) => because = "too-large",
            }
        }
        if exchange.is_own_part(&answer) {
            if let Some(lead) = lead {
                lead.land(&Landing::Alone, clock::mono());
            }
            return self.ask_anew(exchange, answer).await;
        }
        self.compare_with_head(&exchange, &answer);
        if let Some(lead) = lead {
            lead.land(&Landing::not_stored(answer.status), clock::mono());
        }
        self.end_refresh(fetch, Some(&exchange.known));
        let mut outcome = self.pass(exchange, answer, because);
        if let Outcome::Fetched(fetched) = &mut outcome {
            fetched.outgrew = outgrew;
        }
        outcome
    }
}

/// The keys and tags of what a request and its answer say was changed (RFC 9111 s4.4, RFC 9875 s3).
fn changed_by(fetch: &Fetch, answer: &OriginResponse) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
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
    let urls = invalidation::targets(fetch.method, answer.status, &target, &answer.fields);
    let keys = urls.into_iter().map(|url| {
        let mut key = Vec::new();
        let parts = KeyParts {
            scope: key::split_scope(&fetch.key).0,
            scheme: Scheme::Http,
            authority: &fetch.authority,
            path: &url.path,
            query: url.query.as_deref(),
        };
        let rules = fetch.rules.as_ref();
        let rule = rules.map_or(&fetch.rule, |rules| rules.of(&url.path));
        key::append(&mut key, &parts, &rule.overrides);
        key
    });
    let groups = groups::invalidated_by(fetch.method, &answer.fields).names;
    let tags = groups.into_iter().map(|group| {
        let mut tag = Vec::new();
        groups::append_scoped(&mut tag, Scheme::Http, &fetch.authority, &group);
        tag
    });
    (keys.collect(), tags.collect())
}

/// What the origin is asked.
pub(super) struct Asking {
    pub(super) known: Known,
    /// The answer may be stored, and validate what is.
    pub(super) stores: bool,
    /// The cache's own Range field.
    pub(super) blocks: Option<String>,
}

/// A request, and what it needs until it is answered.
pub(super) struct Exchange<'f> {
    pub(super) fetch: &'f Fetch,
    pub(super) asked: Asked,
    pub(super) origin: Rc<Origin>,
    pub(super) known: Known,
    /// The origin was asked for a range that is not the client's.
    pub(super) has_own_range: bool,
    pub(super) request_time: UnixSeconds,
    /// Before the origin was asked: what was purged since must not come back.
    pub(super) began: Epoch,
    /// Its place among the fills: held until the last byte of its answer is there.
    pub(super) place: Place,
}

impl Exchange<'_> {
    /// Whether an answer is a part that the client did not ask for, and so no answer to it.
    pub(super) fn is_own_part(&self, answer: &OriginResponse) -> bool {
        self.has_own_range && answer.status == 206
    }
}

/// What of a representation an answer brings.
enum Piece {
    /// All of it; its size in bytes, where the head tells it.
    Whole(Option<u64>),
    /// The bytes from the first number to before the second, of so many in all.
    Part(u64, u64, u64),
    /// What can't be put anywhere.
    Odd,
}

fn piece_of(answer: &OriginResponse) -> Piece {
    if answer.status != 206 {
        return Piece::Whole(answer.body.size_hint());
    }
    let Some(part) = part_of(&answer.fields) else {
        return Piece::Odd;
    };
    let range = part.range;
    match part.complete_size {
        Some(size) if answer.body.size_hint() == Some(range.size()) => {
            if range.size() == size {
                Piece::Whole(Some(size))
            } else {
                Piece::Part(range.first, range.last + 1, size)
            }
        }
        _ => Piece::Odd,
    }
}

/// A stored response with the fields of a 304, or of a HEAD's 200.
pub(super) fn freshen(
    old: &Response,
    update: &crate::http::fields::Fields,
    asked: &Asked,
    (request_time, response_time): (UnixSeconds, UnixSeconds),
) -> Response {
    let overrides = &old.rule.overrides;
    let directives = ResponseDirectives::of(update);
    let left_out = LeftOut::of(update, &directives, overrides);
    let fields = validation::freshened(&old.fields, update, overrides, |name| left_out.has(name));
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

/// An outcome with a response, whose body takes readers.
pub(super) fn fetched(
    response: Arc<Response>,
    age: Option<u64>,
    status: CacheStatus,
    rule: Rule,
) -> Outcome {
    let Ok(reads) = Reading::of(&response.object) else {
        return Outcome::NotFetched(Rule::OriginBroken);
    };
    Outcome::Fetched(Box::new(Fetched {
        reads,
        response,
        age,
        status,
        rule,
        outgrew: None,
    }))
}

/// There is no answer, by this rule; where the origin is why, in words.
pub(super) fn not_fetched(rule: Rule, fault: Option<OriginFault>) -> Outcome {
    match fault {
        Some(fault) => Outcome::OriginFailed(rule, fault.to_string().into()),
        None => Outcome::NotFetched(rule),
    }
}

/// The rule by which a fault is answered.
fn rule_of(fault: OriginFault) -> Rule {
    match fault.status() {
        400 => Rule::RequestBroken,
        503 => Rule::OriginBusy,
        504 => Rule::OriginTimeout,
        _ if fault == OriginFault::Dns => Rule::OriginNameUnknown,
        _ if fault == OriginFault::Forbidden => Rule::OriginAddressRefused,
        _ if matches!(fault, OriginFault::Credentials(_)) => Rule::OriginCredentials,
        _ if fault == OriginFault::NotLent => Rule::CredentialsNotLent,
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
