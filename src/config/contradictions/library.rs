//! `[library]`: it needs a disk store, and its times and lifetimes hold together.

use std::time::Duration;

use super::{add, rules};
use crate::config::cache_contradiction::CacheContradiction;
use crate::config::keys::LIBRARY;
use crate::config::read::{Places, Report};
use crate::fill::library::LibrarySettings;

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
    rules::lifetimes(report, LIBRARY.name, &library.rule.overrides, places);
    rules::queries(report, LIBRARY.name, &library.rule.overrides, places);
}
