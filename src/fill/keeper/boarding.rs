//! Which flight a request shares, and how it goes on when that has landed.
//!
//! ```text
//!  request ─▶ board ─┬─ lead ──▶ asks for all aboard
//!                    ├─ joined ──▶ landed ─┬─ an answer for it
//!                    │                     ├─ of another variant, or of the leader's own: boards again, once
//!                    │                     └─ nobody's but the leader's: goes on alone
//!                    └─ watching: it left too early ──▶ landed ──▶ boards again
//! ```
//!
//! A flight is one of a key, apart for requests with Authorization, whose answers are seldom shared, and for each selection by the
//! fields that stored responses of the URL vary by. One client's request can so neither hold up those of others for longer than
//! one flight, nor have them go on alone.
//!
//! A request that wants the origin asked (no-cache, s5.2.1.4) joins a flight only where that began after the request came: the
//! origin is then asked after that, too. Those that come while one is under way share the next one.

use std::rc::Rc;

use tokio::sync::oneshot;

use super::flights::{Boarding, Landing, Lead, Lone, Passenger};
use super::{Keeper, KeeperCount, is_storable, now, source};
use crate::cache::Way;
use crate::cache::order::{Fetch, Outcome};
use crate::fill::origin::Origin;
use crate::http::cache_control::RequestDirectives;
use crate::http::head::Method;
use crate::index::response::Response;
use crate::policy::request::Asked;
use crate::policy::reuse::{self, Failure};
use crate::policy::rule::Rule;
use crate::policy::vary::{self, Names, Vary};
use crate::sys::clock;

/// How often a request boards before it goes on alone: once more where the first flight was not for it.
const BOARDINGS_MAX: usize = 2;

impl Keeper {
    /// Answers a request from what is stored, by what another one brings, or by the origin.
    pub(super) async fn find_or_ask(
        self: Rc<Self>,
        fetch: Box<Fetch>,
        origin: Option<Rc<Origin>>,
    ) -> Outcome {
        let Some(origin) = origin else {
            return Outcome::NotFetched(Rule::OriginUnreachable);
        };
        let asked = Asked::of(fetch.method, &fetch.fields);
        if !is_storable(&fetch) || asked.directives.only_if_cached {
            let goes_as_it_is = source::is_range_for_one(&fetch);
            return self
                .answer_alone(fetch, asked, &origin, goes_as_it_is)
                .await;
        }
        let insists = insists(&fetch, &asked);
        let since = insists.then(|| self.flights.count());
        let mut flight = self.flight_of(&fetch, &asked, None);
        for _ in 0..BOARDINGS_MAX {
            let passenger = Passenger {
                key: &fetch.key,
                flight: &flight,
                since,
                leads: may_lead(&fetch, &asked),
            };
            let (landing, is_for_it) = match self.flights.board(&passenger, clock::mono()) {
                Boarding::Lead(lead) => return self.lead(fetch, asked, &origin, lead).await,
                Boarding::Alone(lone) => {
                    // Where nothing is stored of its URL, a range goes as it was asked for, and so do conditions.
                    let goes_as_it_is = lone == Lone::Unshared && is_conditional(&fetch);
                    return self
                        .answer_alone(fetch, asked, &origin, goes_as_it_is)
                        .await;
                }
                Boarding::Full => {
                    self.counts.bump(KeeperCount::RefusedWaiters);
                    return self.fall_back_now(&fetch, &asked, Rule::OriginBusy);
                }
                Boarding::Joined(_) | Boarding::Watching(_) if fetch.is_refresh => {
                    return Outcome::NotFetched(Rule::Collapsed);
                }
                Boarding::Joined(landing) => (landing, true),
                Boarding::Watching(landing) => (landing, false),
            };
            let Some(landing) = self.await_landing(landing).await else {
                let why = (Rule::OriginTimeout, None);
                return self.fall_back(&fetch, &asked, &origin, why).await;
            };
            match landing {
                _ if !is_for_it => {}
                Landing::Failed(rule, fault) => {
                    let why = (rule, fault);
                    return self.fall_back(&fetch, &asked, &origin, why).await;
                }
                Landing::Status(status) => {
                    let failure = Failure::Status(status);
                    let stale = self.stale_for(&fetch, &asked, &origin, failure).await;
                    if let Some(outcome) = stale {
                        return outcome;
                    }
                }
                Landing::Alone => break,
                Landing::Again => {}
                // Its origin was not asked.
                Landing::Found(..) if insists => {}
                Landing::Stored(response, _reads) | Landing::Found(response, _reads) => {
                    let is_its_variant = vary::matches(&response.variant, &fetch.fields);
                    flight = self.flight_of(&fetch, &asked, Some(&response));
                    if let Some((outcome, _)) = self.look(&fetch, &met(&asked), Some(response)) {
                        return outcome;
                    }
                    if is_its_variant {
                        self.counts.bump(KeeperCount::SentOn);
                        return self.answer_alone(fetch, asked, &origin, false).await;
                    }
                }
            }
        }
        self.counts.bump(KeeperCount::SentOn);
        let goes_as_it_is = is_conditional(&fetch);
        self.answer_alone(fetch, asked, &origin, goes_as_it_is)
            .await
    }

    /// Waits until a flight lands; none where that takes too long: each has the time of one request.
    async fn await_landing(&self, landing: oneshot::Receiver<Landing>) -> Option<Landing> {
        let _waiting = self.counts.hold(KeeperCount::Waiting);
        let landed = tokio::time::timeout(self.settings.fill_timeout, landing)
            .await
            .ok()?;
        Some(landed.unwrap_or(Landing::Again))
    }

    /// The name of the flights that a request shares, by what the URL's responses vary by: as `landed` does, or else what is stored.
    fn flight_of(&self, fetch: &Fetch, asked: &Asked, landed: Option<&Response>) -> Vec<u8> {
        let vary = match landed {
            Some(response) => Names::of(&response.fields),
            None => {
                let variants = self.variants(fetch);
                let varying = variants.iter().filter(|one| !one.variant.is_empty());
                let newest = varying.max_by_key(|response| response.stored.recency());
                newest.map_or(Vary::None, |response| Names::of(&response.fields))
            }
        };
        let selection = match vary {
            Vary::By(names) => vary::selection(&names, &fetch.fields),
            Vary::None | Vary::Star => None,
        };
        flight_name(&fetch.key, asked.authorized, &selection.unwrap_or_default())
    }

    /// Notes whether a response that was just stored answers others than the request that it came for, whose flight `lead` is.
    pub(super) fn learn(&self, response: &Response, lead: Option<&Lead>) {
        if response.stored.invalidated {
            // It says nothing of those that come.
            return;
        }
        let plain = Asked {
            method: Method::Get,
            directives: RequestDirectives::default(),
            authorized: response.stored.authorized,
        };
        let overrides = &response.rule.overrides;
        let verdict = reuse::judge(&plain, &response.stored, overrides, now());
        let answers = matches!(Way::of(verdict), Way::Answer(_));
        let flight = flight_name(&response.key, plain.authorized, &response.variant);
        if answers {
            self.flights.answers_others(&flight);
        } else if lead.is_some_and(Lead::has_others_aboard) {
            self.flights.answers_nobody_else(&flight, clock::mono());
        }
    }
}

/// A key, whether credentials are shown, and a selection as one name that no other three have.
fn flight_name(key: &[u8], authorized: bool, selection: &[u8]) -> Vec<u8> {
    let size = (key.len() as u64).to_le_bytes();
    [&size, key, &[u8::from(authorized)], selection].concat()
}

/// Whether a request wants the origin asked (s5.2.1.4), or validated by it what is stored.
fn insists(fetch: &Fetch, asked: &Asked) -> bool {
    let no_cache = asked.directives.no_cache || asked.directives.pragma_no_cache;
    fetch.must_ask || no_cache && !fetch.rule.overrides.ignore_client_cache_control
}

/// The same wishes where the origin has been asked since the request came.
fn met(asked: &Asked) -> Asked {
    let directives = RequestDirectives {
        no_cache: false,
        pragma_no_cache: false,
        ..asked.directives
    };
    Asked {
        directives,
        ..*asked
    }
}

/// Whether others may wait for its answer: that of one with no-store is not stored (s5.2.1.5), nor that of a range with credentials.
fn may_lead(fetch: &Fetch, asked: &Asked) -> bool {
    let keeps = asked.directives.no_store && !fetch.rule.overrides.ignore_client_cache_control;
    !keeps && !source::is_range_for_one(fetch)
}

/// Whether it asks for a part, or on conditions.
fn is_conditional(fetch: &Fetch) -> bool {
    source::asked_range(fetch).is_some()
        || source::is_range_for_one(fetch)
        || source::has_conditions(fetch)
}
