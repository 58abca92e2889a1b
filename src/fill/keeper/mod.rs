//! The keeper: has requests answered that the workers can't answer from memory.
//!
//! ```text
//!  order ─▶ flights: one asks, others wait ─▶ large: the disk store ─▶ exchange: origin ─▶ verdict ─▶ save ─▶ everybody aboard
//!                                                                                          │          │
//!                                                        pass: one client alone ◀──────────┘          └─▶ attend, pen:
//!                                                                                                         large bodies
//! ```
//!
//! Lives on the fill thread: nothing here is shared with another thread but the index and the bodies.

mod attend;
mod boarding;
mod bring;
mod counts;
mod deposit;
mod exchange;
mod fallback;
mod flights;
mod head;
mod informational;
mod labels;
mod large;
mod outgrown;
mod pass;
mod pen;
mod refresh;
mod save;
mod shelf;
mod source;
mod trailers;
mod validated;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

pub use self::counts::{KEEPER_FAMILIES, KeeperCount, KeeperCounts};
use self::flights::{Flights, Landing, Lead};
use self::shelf::Shelf;
use super::delivery::Round;
use super::disk::DiskTier;
use super::origin::Origin;
use super::settings::FillSettings;
use crate::cache::Way;
use crate::cache::order::{Fetch, Filled, Outcome};
use crate::http::head::Method;
use crate::index::response::Response;
use crate::index::responses::Responses;
use crate::policy::cache_status::{CacheStatus, Forward};
use crate::policy::request::Asked;
use crate::policy::reuse;
use crate::policy::rule::Rule;
use crate::policy::{validation, vary};
use crate::stats::Held;
use crate::store::budget::Budget;
use crate::sys::clock;
use crate::units::{UnixSeconds, Waiter};

/// What the keeper works with.
pub struct KeeperSettings {
    /// What is stored.
    pub responses: Arc<Responses>,
    /// Bounds.
    pub fill: FillSettings,
    /// Largest body that is kept on the heap.
    pub memory_max_object: usize,
    /// Largest body that is kept in memory outside the heap.
    pub object_max: u64,
    /// The disk store, where there is one.
    pub disk: Option<Arc<DiskTier>>,
    /// Largest body that goes to the disk store.
    pub disk_max: u64,
    /// The unit in which missing parts of bodies are asked for, in bytes.
    pub block: u64,
    /// The descriptors that bodies may hold.
    pub descriptors: Arc<Budget>,
    /// How long readers of a body that outgrew the store wait for one that is slower, as it changes.
    pub patience: watch::Receiver<Duration>,
    /// The name in Via, with a part that no other running instance has.
    pub pseudonym: Box<str>,
    /// What it counts in.
    pub counts: Arc<KeeperCounts>,
}

/// A place among the fills: held until the last byte of the origin's answer is there.
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
    _gauge: Held<KeeperCount>,
}

/// The keeper.
pub(super) struct Keeper {
    responses: Arc<Responses>,
    settings: FillSettings,
    memory_max_object: usize,
    object_max: u64,
    disk: Option<Arc<DiskTier>>,
    disk_max: u64,
    block: u64,
    shelf: Shelf,
    patience: watch::Receiver<Duration>,
    pseudonym: Box<str>,
    round: Rc<Round>,
    flights: Rc<Flights>,
    fills: Arc<Semaphore>,
    memory: Arc<Budget>,
    counts: Arc<KeeperCounts>,
}

impl Keeper {
    /// A keeper.
    pub(super) fn new(settings: KeeperSettings, round: Rc<Round>) -> Rc<Self> {
        let shelf = Shelf::new(settings.descriptors, Arc::clone(&settings.responses));
        Rc::new(Self {
            shelf,
            disk: settings.disk,
            disk_max: settings.disk_max,
            block: settings.block,
            responses: settings.responses,
            flights: Flights::new(settings.fill.waiters, Arc::clone(&settings.counts)),
            fills: Arc::new(Semaphore::new(settings.fill.fills)),
            memory: Budget::new(settings.fill.memory.0),
            settings: settings.fill,
            memory_max_object: settings.memory_max_object,
            object_max: settings.object_max,
            patience: settings.patience,
            pseudonym: settings.pseudonym,
            counts: settings.counts,
            round,
        })
    }

    /// Answers a request, and counts what the answer was.
    pub(super) async fn answer(
        self: Rc<Self>,
        mut fetch: Box<Fetch>,
        origin: Option<Rc<Origin>>,
    ) -> Outcome {
        if let Some(deposit) = fetch.deposit.take() {
            return self.take_in(&fetch, origin, deposit).await;
        }
        let mut refreshed = None;
        if fetch.is_refresh {
            self.counts.bump(KeeperCount::Refreshes);
            refreshed = self.select(&fetch, &[]);
        }
        let counts = Arc::clone(&self.counts);
        let outcome = self.find_or_ask(fetch, origin).await;
        if let Some(response) = refreshed {
            // However it ended: should the same response still be there, somebody else may have it refreshed.
            response.end_refresh();
        }
        match &outcome {
            Outcome::Fetched(fetched) => counts.answered(fetched.rule),
            Outcome::NotFetched(rule) | Outcome::OriginFailed(rule, _) => counts.answered(*rule),
            _ => {}
        }
        outcome
    }

    /// Refuses a request: as many are under way as may be.
    pub(super) fn refuse(&self, fetch: &Fetch) -> Outcome {
        self.counts.bump(KeeperCount::RefusedFetches);
        if fetch.is_refresh {
            // The next request has it refreshed.
            if let Some(response) = self.select(fetch, &[]) {
                response.end_refresh();
            }
            return Outcome::NotFetched(Rule::OriginBusy);
        }
        let asked = Asked::of(fetch.method, &fetch.fields);
        self.fall_back_now(fetch, &asked, Rule::OriginBusy)
    }

    /// Answers for all aboard.
    async fn lead(
        self: &Rc<Self>,
        mut fetch: Box<Fetch>,
        asked: Asked,
        origin: &Rc<Origin>,
        lead: Lead,
    ) -> Outcome {
        // It may have landed between the worker's look and this one, for a refresh too.
        let mut found = self.look(&fetch, &asked, None);
        let mut alone = Vec::new();
        if found.is_none() {
            alone = self.bring_up(&fetch, origin).await;
            found = self.look_among(&fetch, &asked, &alone);
        }
        if !fetch.must_ask
            && let Some((outcome, response)) = found
        {
            lead.land(&Landing::found(&response), clock::mono());
            return outcome;
        }
        self.tell_why(&mut fetch, &asked, &alone);
        self.ask(&fetch, asked, origin, Some(lead), alone).await
    }

    /// Answers a request that no other waits for. Where it goes to the origin, it `goes_as_it_is`, or as it takes to store the
    /// answer.
    async fn answer_alone(
        self: &Rc<Self>,
        mut fetch: Box<Fetch>,
        asked: Asked,
        origin: &Rc<Origin>,
        goes_as_it_is: bool,
    ) -> Outcome {
        let mut alone = Vec::new();
        if may_be_found(&fetch) {
            alone = self.bring_up(&fetch, origin).await;
            if !fetch.must_ask
                && let Some((outcome, response)) = self.look_among(&fetch, &asked, &alone)
            {
                self.refresh_after(&outcome, &response, fetch, origin);
                return outcome;
            }
            if asked.directives.only_if_cached {
                return Outcome::NotFetched(Rule::OnlyIfCached);
            }
            // What is stored is validated by what it has, not by what the client has.
            let validates = source::has_conditions(&fetch) && self.select(&fetch, &alone).is_some();
            if goes_as_it_is && !validates {
                return self.ask_as_it_is(&fetch, asked, origin).await;
            }
            self.tell_why(&mut fetch, &asked, &alone);
        }
        self.ask(&fetch, asked, origin, None, alone).await
    }

    /// Notes why the request goes on, where the disk had something that the worker did not know of.
    fn tell_why(&self, fetch: &mut Fetch, asked: &Asked, alone: &[Arc<Response>]) {
        if !matches!(fetch.why, Forward::UriMiss | Forward::VaryMiss) {
            return;
        }
        if let Some(response) = self.select(fetch, alone) {
            let (now, _) = clock::wall();
            let verdict = reuse::judge(asked, &response.stored, &fetch.rule.overrides, now);
            if let Way::Forward(why) = Way::of(verdict) {
                (fetch.why, fetch.because) = (why, verdict.detail(&response.stored));
            }
        } else if !self.variants(fetch).is_empty() {
            fetch.why = Forward::VaryMiss;
        }
    }

    /// A place among the fills; none where as many are under way as may be.
    fn place(&self) -> Option<Place> {
        match Arc::clone(&self.fills).try_acquire_owned() {
            Ok(permit) => Some(Place {
                _permit: permit,
                _gauge: self.counts.hold(KeeperCount::UnderWay),
            }),
            Err(_) => {
                self.counts.bump(KeeperCount::RefusedFills);
                None
            }
        }
    }

    /// What is stored for the request, where it may be used; `landed` is a response that it has waited for, which may be one that
    /// is sent stale from memory, too.
    fn look(
        &self,
        fetch: &Fetch,
        asked: &Asked,
        landed: Option<Arc<Response>>,
    ) -> Option<(Outcome, Arc<Response>)> {
        let Some(response) = landed else {
            return self.look_among(fetch, asked, &[]);
        };
        if !vary::matches(&response.variant, &fetch.fields) {
            return None;
        }
        self.usable(fetch, asked, response, true)
    }

    /// What is stored for the request, in memory or `alone`, where it may be used.
    fn look_among(
        &self,
        fetch: &Fetch,
        asked: &Asked,
        alone: &[Arc<Response>],
    ) -> Option<(Outcome, Arc<Response>)> {
        let response = self.select(fetch, alone)?;
        self.usable(fetch, asked, response, false)
    }

    /// The response that is selected for the request, in memory or `alone`.
    fn select(&self, fetch: &Fetch, alone: &[Arc<Response>]) -> Option<Arc<Response>> {
        let mut variants = self.variants(fetch);
        variants.extend_from_slice(alone);
        let stored = variants
            .iter()
            .map(|response| (&*response.variant, response.stored.recency()));
        let chosen = vary::choose(stored, &fetch.fields)?;
        variants.get(chosen).cloned()
    }

    /// The answer with a stored response, where that is fresh; one that may be sent stale does where no other may come (RFC 9111
    /// s5.2.1.7).
    fn usable(
        &self,
        fetch: &Fetch,
        asked: &Asked,
        response: Arc<Response>,
        collapsed: bool,
    ) -> Option<(Outcome, Arc<Response>)> {
        if !response.object.takes_readers() {
            return None;
        }
        let (now, _) = clock::wall();
        let verdict = reuse::judge(asked, &response.stored, &fetch.rule.overrides, now);
        let Way::Answer(found) = Way::of(verdict) else {
            return None;
        };
        if found != Rule::Fresh && !collapsed && !asked.directives.only_if_cached {
            return None;
        }
        let ttl = response.stored.ttl(now);
        let (status, rule) = if collapsed {
            let status = CacheStatus {
                collapsed: Some(true),
                ttl: Some(ttl),
                ..CacheStatus::forwarded(fetch.why, verdict.detail(&response.stored))
            };
            (status, Rule::Collapsed)
        } else {
            (
                CacheStatus::hit(ttl, verdict.detail(&response.stored)),
                found,
            )
        };
        let outcome = exchange::fetched(Arc::clone(&response), verdict.age(), status, rule);
        Some((outcome, response))
    }

    /// Whether memory has a response that is selected for the request, fresh or not.
    fn has_selectable(&self, fetch: &Fetch) -> bool {
        let variants = self.variants(fetch);
        let mut all = variants.iter();
        all.any(|response| vary::matches(&response.variant, &fetch.fields))
    }

    fn variants(&self, fetch: &Fetch) -> Vec<Arc<Response>> {
        let found = self.responses.find(&fetch.key);
        found.map_or_else(Vec::new, |found| found.iter().cloned().collect())
    }

    /// Tells those who wait for a body.
    fn wake(&self, waiters: impl IntoIterator<Item = Waiter>) {
        for waiter in waiters {
            let filled = Filled {
                ticket: waiter.ticket,
                outcome: Outcome::Grown,
                checked_at: clock::mono(),
            };
            self.round.deliver(waiter.worker, filled);
        }
    }
}

/// Whether what is stored may answer the request.
fn may_be_found(fetch: &Fetch) -> bool {
    matches!(fetch.method, Method::Get | Method::Head)
        && fetch.rule.cache
        && fetch.deposit.is_none()
        && !validation::is_for_origin_alone(&fetch.fields)
}

/// Whether the answer may be stored, and may validate what is.
fn is_storable(fetch: &Fetch) -> bool {
    fetch.rule.cache
        && fetch.method == Method::Get
        && fetch.body.is_none()
        && !validation::is_for_origin_alone(&fetch.fields)
}

/// The wall clock's second.
fn now() -> UnixSeconds {
    clock::wall().0
}
