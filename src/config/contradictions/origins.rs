//! `[[site]]`: something to serve, and an origin for what is said about one.

use std::collections::HashMap;
use std::time::Duration;

use super::add;
use crate::config::cache_contradiction::CacheContradiction;
use crate::config::draft::ReadSite;
use crate::config::keys::ORIGIN_KEYS;
use crate::config::read::{Places, Report};
use crate::policy::origin_rule::OriginRule;

/// One site by itself, without its rules; `fill_timeout` is none where it has a mistake.
pub(in crate::config) fn site(
    report: &mut Report<'_>,
    site: &ReadSite,
    fill_timeout: Option<Duration>,
) {
    let ReadSite { draft, places, .. } = site;
    let has_root = draft.site.root.is_some() || places.is_wrong("root");
    let has_origin = has_origin(site);
    if !has_root && !has_origin {
        add(
            report,
            &places.header,
            "site",
            CacheContradiction::NothingToServe,
        );
        return;
    }
    if !has_root
        && !draft.site.cache_control.is_empty()
        && let Some(place) = places.of("cache_control")
    {
        let without_root = CacheContradiction::CacheControlWithoutRoot;
        add(report, &place, "site.cache_control", without_root);
    }
    if has_origin {
        origin(report, site, fill_timeout);
        return;
    }
    for key in ORIGIN_KEYS {
        if let Some(place) = places.set(key) {
            let key = format!("site.{key}");
            add(
                report,
                &place,
                &key,
                CacheContradiction::OriginKeyWithoutOrigin,
            );
        }
    }
    if let Some((_, rule)) = site.rules.first() {
        let without_origin = CacheContradiction::RuleWithoutOrigin;
        add(report, &rule.header, "site.rule", without_origin);
    }
}

/// Whether the site has an origin, or one with a mistake in it.
pub(in crate::config) fn has_origin(site: &ReadSite) -> bool {
    !site.draft.origin.urls.is_empty() || site.places.is_wrong("origin")
}

/// The keys of an origin that there is.
fn origin(report: &mut Report<'_>, site: &ReadSite, fill_timeout: Option<Duration>) {
    let ReadSite { draft, places, .. } = site;
    let origin = &draft.origin;
    let mut lines = HashMap::new();
    for (url, place) in origin.urls.iter().zip(places.members("origin")) {
        let line = report.line(place);
        if let Some(first) = lines.insert(url, line) {
            let twice = CacheContradiction::OriginTwice {
                url: url.to_string(),
                line: first,
            };
            add(report, place, "site.origin", twice);
        }
    }
    for (key, time) in [
        ("connect_timeout", origin.connect_timeout),
        ("first_byte_timeout", origin.first_byte_timeout),
    ] {
        if let Some(place) = places.of(key)
            && let Some(fill_timeout) = fill_timeout.filter(|longest| time > *longest)
        {
            let longer = CacheContradiction::LongerThanFill { fill_timeout };
            add(report, &place, &format!("site.{key}"), longer);
        }
    }
    if let (Some(place), Some(_)) = (places.of("ca_file"), &origin.ca_file) {
        let needless = if !origin.verify_peer {
            Some(CacheContradiction::CertificatesWithoutVerify)
        } else if origin.urls.iter().any(|url| url.https) || places.is_wrong("origin") {
            None
        } else {
            Some(CacheContradiction::CertificatesWithoutHttps)
        };
        if let Some(needless) = needless {
            add(report, &place, "site.ca_file", needless);
        }
    }
    trust(report, "site", origin, places);
}

/// Where the system's certificates are left out, others are trusted, and something is verified by them.
pub(super) fn trust(report: &mut Report<'_>, table: &str, origin: &OriginRule, places: &Places) {
    let Some(place) = places.of("system_roots").filter(|_| !origin.system_roots) else {
        return;
    };
    let found = if !origin.verify_peer {
        CacheContradiction::CertificatesWithoutVerify
    } else if origin.ca_file.is_none() && !places.is_wrong("ca_file") {
        CacheContradiction::NobodyTrusted
    } else {
        return;
    };
    add(report, &place, &format!("{table}.system_roots"), found);
}
