//! What was uploaded, and becomes what is stored of its URL: as if it had been fetched from there a moment later.

use std::sync::Arc;

use super::Library;
use super::bring::order;
use super::place::Place;
use crate::cache::order::{Deposit, Outcome};
use crate::index::responses::invalidate_key;
use crate::policy::cache_status::Forward;
use crate::store::Reading;

impl Library {
    /// Has what is stored of a URL, with whatever credentials, validated before it is used again (RFC 9111 s4.4).
    pub async fn invalidate(&self, url: &str) {
        let keys = self.keys_of(url).await;
        let keys: Vec<Vec<u8>> = keys.into_iter().map(Vec::from).collect();
        let in_memory = || {
            for key in &keys {
                invalidate_key(&self.responses, key);
            }
        };
        in_memory();
        if let Some(shelf) = &self.disk {
            shelf.tier.invalidate(keys.clone(), Vec::new()).await;
            // What was brought up meanwhile.
            in_memory();
        }
    }

    /// Whether a file that was sent to a URL is what a GET would get now, as far as this cache has heard.
    ///
    /// # Errors
    /// Why it is not, or that nobody could get it, for people.
    pub fn is_newest(
        &self,
        url: &str,
        profile: Option<&str>,
        deposit: &Deposit,
    ) -> Result<(), String> {
        let place = Place::of(url, profile, &self.plan()).map_err(|failure| failure.to_string())?;
        let none = std::iter::empty();
        match self
            .responses
            .is_purged_since(&place.key, none, deposit.began)
        {
            true => Err("its URL was purged or changed while it was on its way".to_owned()),
            false => Ok(()),
        }
    }

    /// Stores a file under the key that a get of its URL, with this profile, looks for. Ends when all of it is stored.
    ///
    /// # Errors
    /// Why it is not, for people.
    pub async fn take_in(
        &self,
        url: &str,
        profile: Option<&str>,
        mut deposit: Deposit,
    ) -> Result<(), String> {
        let plan = self.plan();
        let place = Place::of(url, profile, &plan).map_err(|failure| failure.to_string())?;
        deposit.began = self.responses.epoch();
        let mut fetch = order(&place, &plan, self.fields(&plan), Forward::Request);
        fetch.deposit = Some(deposit);
        let storing = async {
            let busy = "the fill threads are busy";
            let fetched = match self.mailbox.ask(fetch).await {
                Some(Outcome::Fetched(fetched)) if fetched.status.stored => fetched,
                Some(Outcome::Fetched(_)) => {
                    return Err("there is no room for it, or it was purged meanwhile");
                }
                Some(Outcome::NotFetched(crate::policy::rule::Rule::Passed)) => {
                    return Err(
                        "its rule does not cache, gives it no lifetime, or stores nothing of this size",
                    );
                }
                _ => return Err(busy),
            };
            let response = fetched.response;
            let reads = fetched.reads.map(Reading::into_object);
            let body = reads.unwrap_or_else(|| Arc::clone(&response.object));
            let whole = self.mailbox.wait_for_whole(&body).await;
            whole.map_err(|_| "it could not be stored as a whole")
        };
        let longest = plan.settings.get_timeout;
        let stored = tokio::time::timeout(longest, storing).await;
        stored
            .unwrap_or(Err("it took longer than library.get_timeout"))
            .map_err(str::to_owned)
    }
}
