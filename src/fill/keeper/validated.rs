//! What a 304 means for what is stored (RFC 9111 s4.3.4), and for the request that it answers.
//!
//! ```text
//!  304 ─┬─ names what Vary selects for the request ──▶ freshened, and sent
//!       ├─ names another variant ──▶ sent with the 304's fields, and stored so for requests like this one; the variant stays as it is
//!       └─ names nothing that could answer it ─────▶ the origin is asked once more, without conditions
//! ```

use std::rc::Rc;
use std::sync::Arc;

use super::exchange::{Asking, Exchange, candidates, fetched, freshen};
use super::flights::{Landing, Lead};
use super::labels::relabelled;
use super::save::variant_of;
use super::{Keeper, KeeperCount, is_storable, now};
use crate::cache::order::{Fetch, Outcome};
use crate::fill::origin::OriginResponse;
use crate::http::fields::FieldLines;
use crate::index::cached::Epoch;
use crate::index::response::Response;
use crate::policy::cache_status::CacheStatus;
use crate::policy::rule::Rule;
use crate::policy::settings::Tier;
use crate::policy::validation::{self, Conditions};
use crate::policy::vary;
use crate::sys::clock;

impl Keeper {
    /// The origin calls what is stored valid: its fields are updated (s4.3.4, s3.2).
    pub(super) async fn validated(
        self: &Rc<Self>,
        exchange: Exchange<'_>,
        answer: OriginResponse,
        lead: Option<Lead>,
    ) -> Outcome {
        let (fetch, asked, known) = (exchange.fetch, exchange.asked, &exchange.known);
        let times = (exchange.request_time, now());
        let response_time = times.1;
        let overrides = &fetch.rule.overrides;
        let update = self.own(&answer.fields, &answer, response_time, overrides);
        // s5.2.1.5: nothing of the answer may be stored.
        let forgets = asked.directives.no_store && !overrides.ignore_client_cache_control;
        let chosen = validation::select_for_304(
            &candidates(&known.variants),
            &known.conditions.nominated,
            known.selected,
            &update,
        );
        let mut fresh = None;
        let mut is_there = false;
        let mut named: Option<Arc<Response>> = None;
        for place in chosen {
            // One whose body is still on its way is its bringer's, who would not find it under another head; its own is as new.
            let whole = known.variants.get(place);
            let Some(old) = whole.filter(|response| response.has_whole_body()) else {
                continue;
            };
            let new = freshen(old, &update, &asked, times);
            let new = Arc::new(relabelled(new, old, fetch, &answer.fields));
            if vary::matches(&new.variant, &fetch.fields) {
                let is_stored = !forgets && self.responses.replace(old, &new).is_stored();
                if let Some(disk) = self.disk_for(&new.rule).filter(|_| !forgets) {
                    disk.update(&new, exchange.began);
                }
                if fresh.is_none() || known.selected == Some(place) {
                    fresh = Some(new);
                    is_there = is_stored;
                }
            } else if may_stand_for(&new, fetch)
                && named
                    .as_ref()
                    .is_none_or(|other| other.stored.date <= new.stored.date)
            {
                named = Some(new);
            }
        }
        if fresh.is_none()
            && let Some(named) = named
        {
            // s3.5: nor what comes of a request with Authorization that is not for others.
            let is_shared = !asked.authorized || named.stored.shareable_with_authorization;
            let adopts = !forgets && is_shared;
            let adopted = adopts.then(|| self.adopt(&named, fetch, exchange.began));
            let adopted = adopted.flatten();
            is_there = adopted.is_some();
            fresh = Some(adopted.unwrap_or(named));
        }
        let Some(response) = fresh else {
            drop(answer);
            return self.ask_again(exchange, lead).await;
        };
        if is_there {
            self.learn(&response, lead.as_ref());
        }
        match lead {
            Some(lead) if is_there => {
                lead.land(&Landing::stored(&response), clock::mono());
            }
            // Purged meanwhile: those who came since must not get it.
            lead => drop(lead),
        }
        let status = CacheStatus {
            fwd_status: Some(304),
            stored: is_there,
            ttl: Some(response.stored.ttl(response_time)),
            ..CacheStatus::forwarded(fetch.why, fetch.because)
        };
        let age = response.stored.age(response_time);
        fetched(response, Some(age), status, Rule::Revalidated)
    }

    /// Stores the response that a 304 names for requests of this one's selection too (s4.3.4): the next one is answered without the
    /// origin. None where it is not stored.
    fn adopt(&self, named: &Response, fetch: &Fetch, began: Epoch) -> Option<Arc<Response>> {
        let is_small = named.object.growing().is_none();
        if is_small && !fetch.rule.tiers.contains(&Tier::Memory) {
            return None;
        }
        let adopted = Arc::new(named.adopted(variant_of(fetch, &named.fields)?));
        let inserted = self.responses.insert_since(Arc::clone(&adopted), began);
        for gone in [&inserted.replaced, &inserted.crowded_out] {
            self.forget_replaced(gone.as_ref(), &adopted.object);
        }
        inserted.is_stored().then_some(adopted)
    }

    /// Asks once more, without conditions: the 304 was about nothing that could answer the request.
    async fn ask_again(self: &Rc<Self>, exchange: Exchange<'_>, lead: Option<Lead>) -> Outcome {
        let Exchange {
            fetch,
            asked,
            origin,
            mut known,
            place,
            ..
        } = exchange;
        drop(place);
        self.counts.bump(KeeperCount::AskedAgain);
        known.conditions = Conditions::default();
        let stores = is_storable(fetch);
        let asking = Asking {
            known,
            stores,
            blocks: stores.then(|| self.asked_blocks(fetch)).flatten(),
        };
        Box::pin(self.ask_for(fetch, asked, &origin, lead, asking)).await
    }
}

/// Whether a stored response may answer a request that Vary does not select it for, where a 304 names it (s4.3.4). A weak tag
/// is not enough: compressed and plain bytes often have the same. Nor do coded bytes go to a client that may not take them.
pub(super) fn may_stand_for(response: &Response, fetch: &Fetch) -> bool {
    let is_coded = response.fields.value("content-encoding").is_some();
    response.stored.is_strong()
        && !(is_coded && vary::differs_in(&response.variant, "accept-encoding", &fetch.fields))
}
