//! The profiles of the running server, and the scopes that they give to cache keys.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::config::Settings;
use crate::fill::profile::{Environment, ProfileRule, Profiles};
use crate::index::sites::SiteTable;
use crate::policy::key;

/// The profiles in use, and the environment that they look for keys in.
#[derive(Debug)]
pub(super) struct SharedProfiles {
    shared: Arc<ArcSwap<Profiles>>,
    environment: Environment,
}

impl SharedProfiles {
    pub(super) fn start(rules: &[ProfileRule]) -> Self {
        let environment = Environment::of(variables());
        let profiles = Profiles::following(&Profiles::default(), rules, &environment);
        Self {
            shared: Arc::new(ArcSwap::from_pointee(profiles)),
            environment,
        }
    }

    /// Where they are.
    pub(super) fn shared(&self) -> &Arc<ArcSwap<Profiles>> {
        &self.shared
    }

    /// Asks private origins by these profiles from now on.
    pub(super) fn set(&self, rules: &[ProfileRule]) {
        let before = self.shared.load();
        let profiles = Profiles::following(&before, rules, &self.environment);
        self.shared.store(Arc::new(profiles));
    }
}

/// The environment's variables that are text.
fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| {
        let (name, value) = (name.into_string().ok()?, value.into_string().ok()?);
        Some((name, value))
    })
}

/// The sites of a config, which follow those of the last one, with the scopes of all profiles and the library's rule.
pub(super) fn sites(before: &SiteTable, settings: &Settings) -> SiteTable {
    let names = settings
        .profiles
        .iter()
        .map(|profile| profile.name.as_str());
    let of_sites = names.clone().map(|name| name.as_bytes().into());
    let of_the_library = names.chain([""]).map(key::library_scope);
    SiteTable::following(before, &settings.sites)
        .with_scopes(of_sites.chain(of_the_library))
        .with_library(settings.library.rule.overrides.clone())
}
