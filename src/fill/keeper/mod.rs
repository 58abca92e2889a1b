//! The keeper: has requests answered that the workers can't answer from memory.
//!
//! ```text
//!  order ─▶ flights: one asks, others wait ─▶ exchange: origin ─▶ verdict ─▶ store ─▶ everybody aboard
//!                                                                   │
//!                                                                   └──────▶ pass: one client alone
//! ```
//!
//! Lives on the fill thread: nothing here is shared with another thread but the index and the bodies.

mod counts;
mod exchange;
mod flights;
mod pass;
mod save;

use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use self::counts::Gauged;
pub use self::counts::{KEEPER_FAMILIES, KeeperCount, KeeperCounts};
use self::flights::{Boarding, Flights, Landing};
use super::desk::Deliver;
use super::origin::Origin;
use super::settings::FillSettings;
use crate::cache::order::{Fetch, Fetched, Filled, Outcome};
use crate::http::head::Method;
use crate::index::response::Response;
use crate::index::responses::Responses;
use crate::policy::cache_status::CacheStatus;
use crate::policy::request::Asked;
use crate::policy::reuse::{self, Reuse};
use crate::policy::rule::Rule;
use crate::policy::{validation, vary};
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
    /// Largest body that is stored at all.
    pub object_max: u64,
    /// The name in Via, with a part that no other running instance has.
    pub pseudonym: Box<str>,
    /// What it counts in.
    pub counts: Arc<KeeperCounts>,
}

/// A place among the fills: held until the last byte of the origin's answer is there.
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
    _gauge: Gauged,
}

/// The keeper.
pub(super) struct Keeper {
    responses: Arc<Responses>,
    settings: FillSettings,
    memory_max_object: usize,
    object_max: u64,
    pseudonym: Box<str>,
    deliver: Deliver,
    flights: Rc<Flights>,
    fills: Arc<Semaphore>,
    memory: Arc<Budget>,
    counts: Arc<KeeperCounts>,
}

impl Keeper {
    /// A keeper.
    pub(super) fn new(settings: KeeperSettings, deliver: Deliver) -> Rc<Self> {
        Rc::new(Self {
            responses: settings.responses,
            flights: Flights::new(settings.fill.waiters),
            fills: Arc::new(Semaphore::new(settings.fill.fills)),
            memory: Budget::new(settings.fill.memory.0),
            settings: settings.fill,
            memory_max_object: settings.memory_max_object,
            object_max: settings.object_max,
            pseudonym: settings.pseudonym,
            counts: settings.counts,
            deliver,
        })
    }

    /// Answers a request, and counts what the answer was.
    pub(super) async fn answer(
        self: Rc<Self>,
        fetch: Box<Fetch>,
        origin: Option<Rc<Origin>>,
    ) -> Outcome {
        let mut refreshed = None;
        if fetch.is_refresh {
            self.counts.bump(KeeperCount::Refreshes);
            refreshed = self.select(&fetch).map(|(_, response)| response);
        }
        let counts = Arc::clone(&self.counts);
        let outcome = self.find_or_ask(fetch, origin).await;
        if let Some(response) = refreshed {
            // However it ended: should the same response still be there, somebody else may have it refreshed.
            response.end_refresh();
        }
        match &outcome {
            Outcome::Fetched(fetched) => counts.answered(fetched.rule),
            Outcome::NotFetched(rule) => counts.answered(*rule),
            _ => {}
        }
        outcome
    }

    /// Refuses a request: as many are under way as may be.
    pub(super) fn refuse(&self) -> Outcome {
        self.counts.bump(KeeperCount::RefusedFetches);
        Outcome::NotFetched(Rule::OriginBusy)
    }

    async fn find_or_ask(self: Rc<Self>, fetch: Box<Fetch>, origin: Option<Rc<Origin>>) -> Outcome {
        let Some(origin) = origin else {
            return Outcome::NotFetched(Rule::OriginUnreachable);
        };
        let asked = Asked::of(fetch.method, &fetch.fields);
        if !is_shared(&fetch, &asked) {
            return self.ask(&fetch, asked, &origin, None).await;
        }
        match self.flights.board(&fetch.key, clock::mono()) {
            Boarding::Alone => self.ask(&fetch, asked, &origin, None).await,
            Boarding::Full => {
                self.counts.bump(KeeperCount::RefusedWaiters);
                Outcome::NotFetched(Rule::OriginBusy)
            }
            Boarding::Lead(lead) => {
                // It may have landed between the worker's look and this one.
                if !fetch.is_refresh
                    && let Some(outcome) = self.look(&fetch, &asked, None)
                {
                    return outcome;
                }
                self.ask(&fetch, asked, &origin, Some(lead)).await
            }
            Boarding::Joined(_) if fetch.is_refresh => Outcome::NotFetched(Rule::Collapsed),
            Boarding::Joined(landing) => {
                let waiting = self.counts.hold(KeeperCount::Waiting);
                let landing = tokio::time::timeout(self.settings.fill_timeout, landing).await;
                drop(waiting);
                match landing {
                    Err(_) => Outcome::NotFetched(Rule::OriginTimeout),
                    Ok(Ok(Landing::Failed(rule))) => Outcome::NotFetched(rule),
                    Ok(Ok(Landing::Stored(response))) => {
                        match self.look(&fetch, &asked, Some(response)) {
                            Some(outcome) => outcome,
                            None => self.send_on(&fetch, asked, &origin).await,
                        }
                    }
                    Ok(Ok(Landing::Alone) | Err(_)) => self.send_on(&fetch, asked, &origin).await,
                }
            }
        }
    }

    /// Asks the origin for a request that has waited for another's answer in vain.
    async fn send_on(self: &Rc<Self>, fetch: &Fetch, asked: Asked, origin: &Rc<Origin>) -> Outcome {
        self.counts.bump(KeeperCount::SentOn);
        self.ask(fetch, asked, origin, None).await
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

    /// What is stored for the request, where it may be used; `landed` is a response that it has waited for.
    fn look(&self, fetch: &Fetch, asked: &Asked, landed: Option<Arc<Response>>) -> Option<Outcome> {
        let collapsed = landed.is_some();
        let response = match landed {
            Some(response) => {
                vary::matches(&response.variant, &fetch.fields).then_some(response)?
            }
            None => self.select(fetch)?.1,
        };
        let (now, _) = clock::wall();
        let verdict = reuse::judge(asked, &response.stored, &fetch.rule.overrides, now);
        let Reuse::Fresh { age, .. } = verdict else {
            return None;
        };
        let ttl = response.stored.ttl(now);
        let (status, rule) = if collapsed {
            let status = CacheStatus {
                collapsed: Some(true),
                ttl: Some(ttl),
                ..CacheStatus::forwarded(fetch.why, "")
            };
            (status, Rule::Collapsed)
        } else {
            (CacheStatus::hit(ttl, ""), Rule::Fresh)
        };
        Some(Outcome::Fetched(Box::new(Fetched {
            response,
            age: Some(age),
            status,
            rule,
        })))
    }

    /// The stored variants of the request's URL, and the place of the one that is selected, and it.
    fn select(&self, fetch: &Fetch) -> Option<(Vec<Arc<Response>>, Arc<Response>)> {
        let variants = self.variants(fetch);
        let stored = variants
            .iter()
            .map(|response| (&*response.variant, response.stored.response_time));
        let chosen = vary::choose(stored, &fetch.fields)?;
        let response = Arc::clone(variants.get(chosen)?);
        Some((variants, response))
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
            (self.deliver)(waiter.worker, filled);
        }
    }
}

/// Whether the answer may do for others, and others' for this request.
fn is_shared(fetch: &Fetch, asked: &Asked) -> bool {
    let insists = asked.directives.no_cache || asked.directives.pragma_no_cache;
    let may_insist = !fetch.rule.overrides.ignore_client_cache_control;
    is_storable(fetch) && !(insists && may_insist)
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
