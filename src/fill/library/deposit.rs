//! What was uploaded, and becomes what is stored of its URL: as if it had been fetched from there a moment later.

use std::sync::Arc;

use super::Library;
use super::bring::order;
use super::place::{Place, Plan, Source};
use crate::cache::order::{Deposit, Outcome};
use crate::fill::origin::{Asker, OriginSettings};
use crate::fill::origins;
use crate::fill::profile::Profile;
use crate::http::authority::host_of;
use crate::index::cached::Claim;
use crate::index::responses::invalidate_key_for;
use crate::policy::cache_status::Forward;
use crate::policy::origin_rule::OriginUrl;
use crate::store::Reading;

/// Who an upload was really sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentTo {
    /// The origin's URL that was asked.
    pub url: OriginUrl,
    /// The name of the profile that it was asked with.
    pub profile: Option<String>,
}

impl SentTo {
    /// What is asked with these settings.
    #[must_use]
    pub fn of(settings: &OriginSettings) -> Option<Self> {
        let profile = settings.profile.as_ref();
        Some(Self {
            url: settings.urls.first()?.clone(),
            profile: profile.map(|profile| profile.name().to_owned()),
        })
    }
}

impl Library {
    /// Has what is stored of a URL, with whatever credentials, validated before it is used again (RFC 9111 s4.4); on behalf of a file
    /// that is to take its place, where there is a claim.
    pub async fn invalidate(&self, url: &str, mut claim: Option<&mut Claim>) {
        let keys = self.keys_of(url).await;
        let keys: Vec<Vec<u8>> = keys.into_iter().map(Vec::from).collect();
        let in_memory = |mut claim: Option<&mut Claim>| {
            for key in &keys {
                invalidate_key_for(&self.responses, claim.as_deref_mut(), key);
            }
        };
        in_memory(claim.as_deref_mut());
        if let Some(shelf) = &self.disk {
            shelf.tier.invalidate(keys.clone(), Vec::new()).await;
            // What was brought up meanwhile.
            in_memory(claim);
        }
    }

    /// The claim of a file that was sent to a URL to be what a GET gets: lost as soon as somebody else purges or changes that, from
    /// when the upload began.
    ///
    /// # Errors
    /// Nobody could get it there, for people.
    pub fn claim(
        &self,
        url: &str,
        profile: Option<&str>,
        deposit: &Deposit,
        sent_to: &SentTo,
    ) -> Result<Claim, String> {
        let place = place_of(url, profile, sent_to, &self.plan())?;
        Ok(Claim::new(place.key, deposit.began))
    }

    /// Stores a file under the key that a get of its URL, with this profile, looks for. Ends when all of it is stored.
    ///
    /// # Errors
    /// Why it is not, for people.
    pub async fn take_in(
        &self,
        url: &str,
        profile: Option<&str>,
        (mut deposit, sent_to): (Deposit, &SentTo),
        claim: &Claim,
    ) -> Result<(), String> {
        let plan = self.plan();
        let place = place_of(url, profile, sent_to, &plan)?;
        if *place.key != *claim.key() {
            return Err("the config gives its URL another key by now".to_owned());
        }
        deposit.began = claim
            .began()
            .ok_or("its URL was purged or changed while it was on its way")?;
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

/// The place of a URL whose GET would be answered by whom an upload was sent to. What one origin was given is nobody's to have
/// under the key of another, which may be open to all.
fn place_of(
    url: &str,
    profile: Option<&str>,
    sent_to: &SentTo,
    plan: &Plan,
) -> Result<Place, String> {
    let place = Place::of(url, profile, plan).map_err(|failure| failure.to_string())?;
    let asked = match &place.source {
        Source::Site(id) => {
            let host = host_of(&place.authority).unwrap_or_default();
            if plan.sites.named(host) != Some(*id) {
                return Err(
                    "no [[site]] names its host, and neither does library.hosts: what is stored of it is that of the site for all \
                     hosts, where the file did not go"
                        .to_owned(),
                );
            }
            let rule = plan.sites.rule(*id).and_then(|rule| rule.origin.as_ref());
            let settings =
                rule.and_then(|rule| origins::settings_of(rule, &plan.profiles, Asker::Own));
            settings.as_ref().and_then(SentTo::of)
        }
        Source::Own { url, profile, .. } => Some(SentTo {
            url: profile
                .as_ref()
                .map_or_else(|| url.clone(), |profile: &Arc<Profile>| profile.place(url)),
            profile: profile.as_ref().map(|profile| profile.name().to_owned()),
        }),
    };
    if asked.as_ref() == Some(sent_to) {
        Ok(place)
    } else {
        Err(
            "a GET of its URL asks another origin, or with another profile, than it was sent to"
                .to_owned(),
        )
    }
}
