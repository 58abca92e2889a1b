//! The way of a URL over redirects.
//!
//! Each hop is a place of its own, found by the same rules as the first. What goes along is the profile of the first, as `lending` says.

use super::failure::{Code, Failure};
use super::lending::{Kept, Lent};
use super::place::{Place, Plan, Source};
use crate::http::fields::{FieldLines, Fields};

/// The statuses of redirects that are followed (RFC 9110 s15.4).
const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];

/// Whether a response of this status leads on.
pub(super) fn is_redirect(status: u16) -> bool {
    REDIRECTS.contains(&status)
}

/// Where a URL has led to so far.
#[derive(Debug)]
pub(super) struct Hops {
    first: String,
    kept: Kept,
    urls: Vec<Box<str>>,
}

impl Hops {
    /// Begins at a place.
    pub(super) fn from(place: &Place) -> Self {
        let profile = match &place.source {
            Source::Own { profile, .. } => profile.clone(),
            // What a site's origin is shown is for that origin.
            Source::Site(_) => None,
        };
        Self {
            first: place.url.clone(),
            kept: Kept {
                profile,
                origin: place.origin().to_owned(),
                was_https: false,
            },
            urls: Vec::new(),
        }
    }

    /// The URL that it began with.
    pub(super) fn first(&self) -> &str {
        &self.first
    }

    /// What may be taken along.
    pub(super) fn into_kept(self) -> Kept {
        self.kept
    }

    /// The URLs that it led to.
    pub(super) fn urls(&self) -> &[Box<str>] {
        &self.urls
    }

    /// The place that a redirect from `place`, with these fields, leads to.
    ///
    /// # Errors
    /// `RedirectRefused`, `RedirectLoop`, `RedirectLimit`.
    pub(super) fn next(
        &mut self,
        place: &Place,
        fields: &Fields,
        plan: &Plan,
    ) -> Result<Place, Failure> {
        let location = fields.value("location").unwrap_or_default();
        let next = place.redirected(location).ok_or_else(|| {
            Failure::new(
                Code::RedirectRefused,
                format!(
                    "{} redirects without a Location that could be followed",
                    place.url
                ),
            )
        })?;
        self.kept.was_https |= place.url.starts_with("https:");
        let next = Place::lent(&next, Lent::Kept(&self.kept), plan)
            .map_err(|failure| failure.of_redirect(&place.url))?;
        if next.url == self.first || self.urls.iter().any(|hop| **hop == *next.url) {
            return Err(Failure::new(
                Code::RedirectLoop,
                format!(
                    "{} redirects in a circle: {} comes a second time",
                    self.first, next.url
                ),
            ));
        }
        self.urls.push(next.url.as_str().into());
        if self.urls.len() > plan.settings.redirects {
            return Err(Failure::new(
                Code::RedirectLimit,
                format!(
                    "{} redirects more often than library.redirects = {} allows",
                    self.first, plan.settings.redirects
                ),
            ));
        }
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::fill::library::{HostPattern, LibrarySettings};
    use crate::fill::profile::domain::Domain;
    use crate::fill::profile::{Environment, ProfileKind, ProfileRule, Profiles};
    use crate::index::sites::SiteTable;

    fn plan() -> Plan {
        let settings = LibrarySettings {
            hosts: vec![HostPattern::new("*", None)],
            redirects: 3,
            ..LibrarySettings::default()
        };
        let rule = ProfileRule {
            name: "it".to_owned(),
            kind: ProfileKind::Headers,
            domains: vec![Domain {
                is_suffix: true,
                name: "own".to_owned(),
                port: None,
            }],
            ..ProfileRule::default()
        };
        let profiles = Profiles::following(&Profiles::default(), &[rule], &Environment::of([]));
        Plan::new(settings, Arc::new(SiteTable::default()), Arc::new(profiles))
    }

    /// The names of the profiles that the hops go with, and how it ends.
    fn way(urls: &[&str]) -> (Vec<String>, Option<Code>) {
        let plan = plan();
        let mut place = Place::of(urls[0], None, &plan).unwrap();
        let mut hops = Hops::from(&place);
        let mut names = Vec::new();
        for url in &urls[1..] {
            let mut fields = Fields::new();
            fields.push(b"Location", url.as_bytes());
            place = match hops.next(&place, &fields, &plan) {
                Ok(next) => next,
                Err(failure) => return (names, Some(failure.code)),
            };
            let origin = place.foreign(&plan).unwrap();
            names.push(origin.profile.clone());
        }
        (names, None)
    }

    fn with(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn profile_of_the_first_url_goes_on_to_its_hosts_alone() {
        assert_eq!(
            way(&["http://a.own/", "http://b/", "https://b.own/", "/x"]),
            (with(&["", "it", "it"]), None)
        );
        assert_eq!(way(&["http://b/", "http://a.own/"]), (with(&[""]), None));
    }

    #[test]
    fn nothing_that_can_be_replayed_goes_in_clear_text_after_https() {
        let refused = Some(Code::RedirectRefused);
        assert_eq!(
            way(&["https://a.own/", "http://a.own/"]),
            (with(&[]), refused)
        );
        // Not by a detour either.
        assert_eq!(
            way(&["https://a.own/", "http://b/", "http://b.own/"]),
            (with(&[""]), refused)
        );
        assert_eq!(
            way(&["http://a.own/", "https://b/", "http://b.own/"]),
            (with(&[""]), refused)
        );
        assert_eq!(way(&["https://b/", "http://c/"]), (with(&[""]), None));
    }

    #[test]
    fn circle_and_endless_ways_end() {
        let circle = way(&["http://a/", "/b", "/a", "/b"]);
        assert_eq!(circle.1, Some(Code::RedirectLoop));
        let long = way(&["http://a/", "/1", "/2", "/3", "/4"]);
        assert_eq!(long, (with(&["", "", ""]), Some(Code::RedirectLimit)));
    }
}
