//! The origins of the sites, made when a site's origin is first asked and kept while the site is; and those of URLs that are no
//! site's, of which the latest are kept.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use arc_swap::ArcSwap;
use hashbrown::HashMap;

use super::origin::{Asker, Origin, OriginCounts, OriginSettings};
use super::profile::Profiles;
use crate::policy::origin_rule::OriginRule;
use crate::units::SiteId;

/// Most origins that are no site's and kept, with their connections; the one that was not asked for longest goes.
const FOREIGN_MAX: usize = 256;

/// The origins of the config's sites.
pub type OriginSites = HashMap<SiteId, OriginRule>;

/// The origins in use.
#[derive(Debug)]
pub(super) struct Origins {
    shared: Arc<ArcSwap<OriginSites>>,
    profiles: Arc<ArcSwap<Profiles>>,
    counts: Arc<OriginCounts>,
    made: RefCell<Made>,
    /// The one that was asked last is at the back.
    foreign: RefCell<VecDeque<(Arc<OriginRule>, Rc<Origin>)>>,
}

#[derive(Debug)]
struct Made {
    sites: Arc<OriginSites>,
    profiles: Arc<Profiles>,
    origins: HashMap<SiteId, Rc<Origin>>,
}

impl Origins {
    /// None made yet.
    pub(super) fn new(
        shared: Arc<ArcSwap<OriginSites>>,
        profiles: Arc<ArcSwap<Profiles>>,
        counts: Arc<OriginCounts>,
    ) -> Self {
        let made = RefCell::new(Made {
            sites: shared.load_full(),
            profiles: profiles.load_full(),
            origins: HashMap::new(),
        });
        Self {
            shared,
            profiles,
            counts,
            made,
            foreign: RefCell::default(),
        }
    }

    /// An origin that is no site's; none where none can be made so, which is logged.
    pub(super) fn foreign(&self, rule: &Arc<OriginRule>) -> Option<Rc<Origin>> {
        let mut foreign = self.foreign.borrow_mut();
        let profiles = self.profiles.load();
        let known = foreign.iter().position(|(known, _)| known == rule);
        let known = known.and_then(|place| foreign.remove(place));
        let kept = match known.filter(|(_, origin)| has_profile_of(origin, &profiles)) {
            Some(kept) => kept,
            None => (
                Arc::clone(rule),
                self.make(rule, &profiles, Asker::Library)?,
            ),
        };
        let origin = Rc::clone(&kept.1);
        if foreign.len() >= FOREIGN_MAX {
            foreign.pop_front();
        }
        foreign.push_back(kept);
        Some(origin)
    }

    /// The origin of a site; none where it has none, or none that can be used, which is logged.
    pub(super) fn of(&self, site: SiteId) -> Option<Rc<Origin>> {
        let mut made = self.made.borrow_mut();
        let newest = self.shared.load();
        if !Arc::ptr_eq(&made.sites, &newest) {
            made.sites = Arc::clone(&newest);
            // A site that did not change keeps its id, and its connections.
            made.origins.retain(|site, _| newest.contains_key(site));
        }
        let profiles = self.profiles.load();
        if !Arc::ptr_eq(&made.profiles, &profiles) {
            made.profiles = Arc::clone(&profiles);
            // A profile that did not change is the same one as before; what has another asks with that from now on.
            made.origins
                .retain(|_, origin| has_profile_of(origin, &profiles));
        }
        if let Some(origin) = made.origins.get(&site) {
            return Some(Rc::clone(origin));
        }
        let origin = self.make(newest.get(&site)?, &profiles, Asker::Clients)?;
        made.origins.insert(site, Rc::clone(&origin));
        Some(origin)
    }

    fn make(&self, rule: &OriginRule, profiles: &Profiles, asker: Asker) -> Option<Rc<Origin>> {
        let Some(settings) = settings_of(rule, profiles, asker) else {
            tracing::error!("the profile {:?} of an origin is gone", rule.profile);
            return None;
        };
        match Origin::new(settings, Arc::clone(&self.counts)) {
            Ok(origin) => Some(Rc::new(origin)),
            Err(error) => {
                tracing::error!(%error, "an origin can't be asked");
                None
            }
        }
    }
}

/// Whether an origin is asked with a profile as it is now, or with none.
fn has_profile_of(origin: &Origin, profiles: &Profiles) -> bool {
    let own = origin.settings().profile.as_ref();
    own.is_none_or(|own| {
        let now = profiles.named(own.name());
        now.is_some_and(|now| Arc::ptr_eq(own, now))
    })
}

/// How an origin is asked; none where its profile is not there. What a site says of TLS goes before the profile's; what
/// `[library]` says is for hosts without a profile, as it is for none in particular.
pub(in crate::fill) fn settings_of(
    rule: &OriginRule,
    profiles: &Profiles,
    asker: Asker,
) -> Option<OriginSettings> {
    let mut settings = OriginSettings {
        asker,
        ..OriginSettings::from(rule)
    };
    if rule.profile.is_empty() {
        return Some(settings);
    }
    let profile = profiles.named(&rule.profile)?;
    settings.urls = rule.urls.iter().map(|url| profile.place(url)).collect();
    if asker == Asker::Library {
        settings.tls = profile.tls();
        settings.total_timeout = Some(profile.rule().total_timeout);
    } else if rule.ca_file.is_none() && rule.verify_peer && rule.system_roots {
        settings.tls = profile.tls();
    } else {
        settings.tls.client = profile.client_identity();
    }
    settings.profile = Some(Arc::clone(profile));
    Some(settings)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::fill::profile::settings::ProfileTls;
    use crate::fill::profile::{Environment, ProfileRule};

    #[test]
    fn profile_says_how_its_hosts_are_reached_for_the_library() {
        let profile = ProfileRule {
            name: "it".to_owned(),
            tls: ProfileTls {
                ca_file: Some("/own.pem".into()),
                ..ProfileTls::default()
            },
            total_timeout: Duration::from_secs(7),
            ..ProfileRule::default()
        };
        let profiles =
            Profiles::following(&Profiles::default(), &[profile], &Environment::default());
        let rule = OriginRule {
            profile: "it".to_owned(),
            verify_peer: false,
            ..OriginRule::default()
        };
        let found = settings_of(&rule, &profiles, Asker::Library).unwrap();
        assert_eq!(found.tls, profiles.named("it").unwrap().tls());
        assert!(found.tls.verify_peer && found.tls.verify_host);
        assert_eq!(found.total_timeout, Some(Duration::from_secs(7)));
        assert_eq!(found.asker, Asker::Library);
        // A site speaks for itself.
        let found = settings_of(&rule, &profiles, Asker::Clients).unwrap();
        assert!(!found.tls.verify_peer && found.total_timeout.is_none());
        // Without a profile, what [library] says holds.
        let none = OriginRule {
            profile: String::new(),
            ..rule
        };
        let found = settings_of(&none, &profiles, Asker::Library).unwrap();
        assert!(!found.tls.verify_peer && found.profile.is_none());
    }
}
