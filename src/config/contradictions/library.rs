//! `[library]`: it needs a disk store, and its times and lifetimes hold together.

use std::sync::Arc;
use std::time::Duration;

use super::{add, origins, rules};
use crate::config::cache_contradiction::CacheContradiction;
use crate::config::draft::ReadSite;
use crate::config::keys::LIBRARY;
use crate::config::read::{Places, Report};
use crate::fill::library::{LibrarySettings, PrefetchRule, check_url};
use crate::index::sites::{SiteRule, SiteTable};

/// `[library]`; `fill_timeout` is none where it has a mistake.
pub(in crate::config) fn library(
    report: &mut Report<'_>,
    library: &LibrarySettings,
    places: &Places,
    has_disk: bool,
    fill_timeout: Option<Duration>,
) {
    if !has_disk && *library != LibrarySettings::default() {
        let without_disk = CacheContradiction::LibraryWithoutDisk;
        add(report, &places.header, "library", without_disk);
    }
    for (key, time) in [
        ("connect_timeout", library.origin.connect_timeout),
        ("first_byte_timeout", library.origin.first_byte_timeout),
    ] {
        if let Some(place) = places.of(key)
            && let Some(fill_timeout) = fill_timeout.filter(|longest| time > *longest)
        {
            let longer = CacheContradiction::LongerThanFill { fill_timeout };
            add(report, &place, &format!("library.{key}"), longer);
        }
    }
    if let (Some(place), Some(_)) = (places.of("ca_file"), &library.origin.ca_file)
        && !library.origin.verify_peer
    {
        let needless = CacheContradiction::CertificatesWithoutVerify;
        add(report, &place, "library.ca_file", needless);
    }
    origins::trust(report, LIBRARY.name, &library.origin, places);
    rules::lifetimes(report, LIBRARY.name, &library.rule.overrides, places);
    rules::queries(report, LIBRARY.name, &library.rule.overrides, places);
}

/// The `[[prefetch]]` tables: each has something to fetch, which may be fetched.
pub(in crate::config) fn prefetches(
    report: &mut Report<'_>,
    library: &LibrarySettings,
    prefetches: &[(PrefetchRule, Places)],
    sites: &[ReadSite],
) {
    if prefetches.is_empty() {
        return;
    }
    let sites: Vec<SiteRule> = sites.iter().map(as_far_as_hosts).collect();
    let sites = Arc::new(SiteTable::new(&sites));
    for (prefetch, places) in prefetches {
        let has_file = prefetch.file.is_some() || places.is_wrong("file");
        let is_set = places.set("urls").is_some() && !places.is_wrong("urls");
        if prefetch.urls.is_empty() && is_set && !has_file {
            let nothing = CacheContradiction::NothingToPrefetch;
            add(report, &places.header, "prefetch.urls", nothing);
        }
        for (url, place) in prefetch.urls.iter().zip(places.members("urls")) {
            if let Err(failure) = check_url(url, library, &sites) {
                let refused = CacheContradiction::PrefetchRefused(failure.reason);
                add(report, place, "prefetch.urls", refused);
            }
        }
    }
}

/// What of a site tells whether it has an origin for a host.
fn as_far_as_hosts(site: &ReadSite) -> SiteRule {
    SiteRule {
        hosts: site.draft.site.hosts.clone(),
        origin: origins::has_origin(site).then(|| site.draft.origin.clone()),
        ..SiteRule::default()
    }
}
