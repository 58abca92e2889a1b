//! What goes with a URL, or is marked stale with it: all that it led to.
//!
//! Where a URL leads is told by the redirects that are stored, in memory and on disk, so that it is known after a restart too. Redirects
//! that may not be stored are remembered beside, as long as the process runs.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::sync::Arc;

use super::failure::{Code, Failure};
use super::hops::{Hops, is_redirect};
use super::lending::Lent;
use super::place::{Place, Plan, Source};
use super::shelf::Shelf;
use super::{GetOrder, Library};
use crate::fill::disk::{DiskTier, Removed};
use crate::http::fields::{FieldLines as _, Fields};
use crate::index::cached::Matcher;
use crate::index::record;
use crate::index::responses::{Responses, invalidate_key};
use crate::policy::key;
use crate::store::disk::{DiskError, Selection};

/// Most URLs that one leads to, in all variants and with all profiles.
const LED_TO_MAX: usize = 256;

pub(super) type Key = Box<[u8]>;

impl Library {
    /// Removes what is stored of a URL, and of those that redirects of it led to; how many responses there were. Leases stay.
    ///
    /// # Errors
    /// `InvalidUrl`, `HostNotAllowed`, `DiskFailed`.
    pub async fn remove(&self, url: &str) -> Result<u64, Failure> {
        let plan = self.plan();
        let place = Place::of(url, None, &plan)?;
        // With whatever credentials it was fetched; a hop that is not allowed any more can't be had either.
        let scopes = self.scopes(&plan).await;
        let keys_of = |place: &Place| keys_in(place, &scopes);
        let hop = |url: &str| Place::of(url, None, &plan).ok();
        let keys = self.keys_led_to(place, keys_of, hop).await;
        let (responses, tier) = (Arc::clone(&self.responses), self.tier().cloned());
        let removing = tokio::task::spawn_blocking(move || remove(&keys, &responses, tier));
        let removed = removing.await.unwrap_or(Err(DiskError::StoodDown));
        removed.map_err(|error| Failure::new(Code::DiskFailed, error.to_string()))
    }

    /// Has what is stored of a URL, and of those that redirects of it led to, validated before it is used again. Why there is nothing
    /// fresh, then.
    pub(super) async fn mark_stale(
        &self,
        order: &GetOrder,
        shelf: &Shelf,
    ) -> Result<Failure, Failure> {
        let plan = self.plan();
        let place = Place::of(&order.url, order.profile.as_deref(), &plan)?;
        let why = format!(
            "{} is marked stale, as it was to be refreshed and nothing was to be fetched",
            place.url
        );
        let kept = Hops::from(&place).into_kept();
        let keys_of = |place: &Place| vec![place.key.clone()];
        let hop = |url: &str| Place::lent(url, Lent::Kept(&kept), &plan).ok();
        let keys = self.keys_led_to(place, keys_of, hop).await;
        let invalidate_in_memory = || {
            for key in &keys {
                invalidate_key(&self.responses, key);
            }
        };
        invalidate_in_memory();
        let on_disk = keys.iter().map(|key| key.to_vec()).collect();
        shelf.tier.invalidate(on_disk, Vec::new()).await;
        // What was brought up meanwhile.
        invalidate_in_memory();
        Ok(Failure::new(Code::Stale, why))
    }

    /// The keys of a place, and of all places that it led to. `hop` gives the place of a URL that a redirect names.
    async fn keys_led_to(
        &self,
        first: Place,
        keys_of: impl Fn(&Place) -> Vec<Key>,
        hop: impl Fn(&str) -> Option<Place>,
    ) -> Vec<Key> {
        let mut seen = HashSet::from([first.url.clone()]);
        let remembered = self.trails.of(&first.url);
        let mut open: VecDeque<Place> = VecDeque::from([first]);
        open.extend(remembered.iter().filter_map(|url| {
            let place = hop(url)?;
            seen.insert(place.url.clone()).then_some(place)
        }));
        let mut all = Vec::new();
        while let Some(place) = open.pop_front() {
            let keys = keys_of(&place);
            for location in self.stored_locations(&keys).await {
                let next = place.redirected(&location).and_then(|url| hop(&url));
                if let Some(next) = next
                    && seen.len() < LED_TO_MAX
                    && seen.insert(next.url.clone())
                {
                    open.push_back(next);
                }
            }
            all.extend(keys);
        }
        all
    }

    /// Where the redirects lead that are stored under these keys.
    async fn stored_locations(&self, keys: &[Key]) -> Vec<Vec<u8>> {
        let location = |status: u16, fields: &Fields| {
            let location = fields.value("location").filter(|_| is_redirect(status));
            location.map(<[u8]>::to_vec)
        };
        let mut found = Vec::new();
        for key in keys {
            let stored = self.responses.find(key);
            let all = stored.iter().flat_map(|stored| stored.iter());
            found.extend(all.filter_map(|one| location(one.stored.status, &one.fields)));
        }
        if let Some(tier) = self.tier() {
            let labels = tier.labels(keys.to_vec()).await;
            found.extend(labels.iter().filter_map(|label| {
                let remembered = record::decode(&label.meta)?;
                location(remembered.stored.status, &remembered.fields)
            }));
        }
        found
    }

    /// The keys of a URL with whatever credentials; none where it may not be fetched.
    pub(super) async fn keys_of(&self, url: &str) -> Vec<Key> {
        let plan = self.plan();
        match Place::of(url, None, &plan) {
            Ok(place) => keys_in(&place, &self.scopes(&plan).await),
            Err(_) => Vec::new(),
        }
    }

    /// The scopes that the library's own keys have: those of profiles that a reload took away may still be stored.
    async fn scopes(&self, plan: &Plan) -> BTreeSet<Box<[u8]>> {
        let mut scopes = BTreeSet::from([key::library_scope("")]);
        if let Some(tier) = self.tier().cloned() {
            let on_disk = tokio::task::spawn_blocking(move || tier.scopes()).await;
            scopes.extend(on_disk.into_iter().flatten().flatten());
        }
        scopes.extend(plan.sites.scopes().iter().cloned());
        scopes.retain(|scope| key::is_library_scope(scope));
        scopes
    }

    fn tier(&self) -> Option<&Arc<DiskTier>> {
        self.disk.as_ref().map(|shelf| &shelf.tier)
    }
}

/// The keys of a place with whatever credentials: those of a site's are the site's.
fn keys_in(place: &Place, scopes: &BTreeSet<Box<[u8]>>) -> Vec<Key> {
    match place.source {
        Source::Site(_) => vec![place.key.clone()],
        Source::Own { .. } => scopes
            .iter()
            .map(|scope| key::in_scope(&place.key, scope).into())
            .collect(),
    }
}

/// Removes from memory, disk, and memory again, as a purge does; what is in both counts once.
fn remove(
    keys: &[Key],
    responses: &Responses,
    tier: Option<Arc<DiskTier>>,
) -> Result<u64, DiskError> {
    let mut removed = Removed::default();
    for key in keys {
        responses.purge(&Matcher::Key(key), |response| {
            removed.in_memory(response);
            None
        });
    }
    let Some(tier) = tier else {
        return Ok(removed.count());
    };
    let mut outcome = Ok(());
    for key in keys {
        let on_disk = tier.remove(&Selection::Key(key), |label| {
            removed.on_disk(label);
        });
        // The others are tried all the same.
        outcome = outcome.and(on_disk.map(|_| ()));
    }
    for key in keys {
        // What was brought up meanwhile.
        responses.remove_key(key);
    }
    outcome.map(|()| removed.count())
}
