//! Whose credentials a URL's own host is asked with.
//!
//! - Nobody gets an object through credentials that he did not name and that are not for its host. So a profile's name is part of
//!   the key.
//! - What its receiver could show to others ([`Profile::can_be_replayed`]) goes to the profile's own hosts only, whoever names it.
//! - A redirect is the word of an origin, not of who asks: it never picks a profile. The one of the first URL is kept where it is
//!   for the next host too, and what can be replayed does not go in clear text once a hop was encrypted.
//!
//! Pure.

use std::sync::Arc;

use super::failure::{Code, Failure};
use crate::fill::profile::{Profile, Profiles};

/// Whose credentials are meant.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lent<'n> {
    /// Those of the profile for the URL's host, where there is one.
    OfHost,
    /// Those of the profile that the caller names.
    Named(&'n str),
    /// Those of the first URL, on the way over redirects.
    Kept(&'n Kept),
}

impl<'n> From<Option<&'n str>> for Lent<'n> {
    fn from(named: Option<&'n str>) -> Self {
        named.map_or(Self::OfHost, Self::Named)
    }
}

/// What redirects may take along.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    /// The profile that the first URL's own host was asked with.
    pub(super) profile: Option<Arc<Profile>>,
    /// Scheme and authority of the first URL.
    pub(super) origin: String,
    /// Whether a hop so far was encrypted.
    pub(super) was_https: bool,
}

/// Where credentials would go: a URL's own host.
#[derive(Clone, Copy, Debug)]
pub(super) struct Receiver<'r> {
    /// Scheme and authority, in canonical form.
    origin: &'r str,
    /// The authority, without the scheme's own port.
    authority: &'r str,
}

impl<'r> Receiver<'r> {
    /// That of an origin in canonical form.
    pub(super) fn of(origin: &'r str) -> Self {
        let authority = origin.split_once("://").map_or("", |(_, rest)| rest);
        Self { origin, authority }
    }

    fn is_https(&self) -> bool {
        self.origin.starts_with("https:")
    }
}

/// The profile that `receiver` is asked with.
///
/// # Errors
/// `InvalidOption` where the one that is named is none, or not for this host; `RedirectRefused` where it would go in clear text.
pub(super) fn profile<'p>(
    lent: Lent<'p>,
    receiver: Receiver<'_>,
    profiles: &'p Profiles,
) -> Result<Option<&'p Arc<Profile>>, Failure> {
    match lent {
        Lent::OfHost => Ok(profiles.of_host(receiver.authority)),
        Lent::Named(name) => named(name, receiver, profiles).map(Some),
        Lent::Kept(kept) => kept.for_hop(receiver),
    }
}

fn named<'p>(
    name: &str,
    receiver: Receiver<'_>,
    profiles: &'p Profiles,
) -> Result<&'p Arc<Profile>, Failure> {
    let invalid = |why: String| Failure::new(Code::InvalidOption, why);
    let profile = profiles
        .named(name)
        .ok_or_else(|| invalid(format!("there is no [[profile]] with the name {name:?}")))?;
    let is_bound = profile.can_be_replayed() && !profile.has_endpoint();
    if is_bound && !profile.is_for(receiver.authority) {
        return Err(invalid(format!(
            "the profile {name:?} is not for {host}, which could use on its own what it would be shown; if it may see that, add {host:?} to \
             the profile's domains",
            host = receiver.authority
        )));
    }
    Ok(profile)
}

impl Kept {
    fn for_hop(&self, receiver: Receiver<'_>) -> Result<Option<&Arc<Profile>>, Failure> {
        let Some(profile) = &self.profile else {
            return Ok(None);
        };
        if receiver.origin != self.origin && !profile.is_for(receiver.authority) {
            return Ok(None);
        }
        let goes_to_endpoint = profile.has_endpoint();
        let is_in_clear = self.was_https && !receiver.is_https() && !goes_to_endpoint;
        if is_in_clear && profile.can_be_replayed() {
            return Err(Failure::new(
                Code::RedirectRefused,
                format!(
                    "{} after https: all on the way there could read the credentials of the profile {:?}",
                    receiver.origin,
                    profile.name()
                ),
            ));
        }
        Ok(Some(profile))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fill::profile::domain::Domain;
    use crate::fill::profile::{Environment, ProfileKind, ProfileRule};
    use crate::policy::origin_rule::OriginUrl;

    const KINDS: [ProfileKind; 3] = [ProfileKind::S3, ProfileKind::Azure, ProfileKind::Headers];

    fn profiles(kind: ProfileKind, has_endpoint: bool) -> Profiles {
        profiles_with(kind, has_endpoint, false)
    }

    fn profiles_with(kind: ProfileKind, has_endpoint: bool, path_style: bool) -> Profiles {
        let endpoint = has_endpoint.then(|| OriginUrl {
            https: true,
            host: "store.example".to_owned(),
            port: 443,
            base: String::new(),
        });
        let rule = ProfileRule {
            name: "it".to_owned(),
            kind,
            endpoint,
            path_style,
            domains: vec![Domain {
                is_suffix: true,
                name: "own.example".to_owned(),
                port: None,
            }],
            ..ProfileRule::default()
        };
        Profiles::following(&Profiles::default(), &[rule], &Environment::of([]))
    }

    /// Whether a profile is taken, or why none.
    fn taken(lent: Lent<'_>, origin: &str, profiles: &Profiles) -> Result<bool, Code> {
        let found = profile(lent, Receiver::of(origin), profiles);
        found
            .map(|found| found.is_some())
            .map_err(|failure| failure.code)
    }

    #[test]
    fn what_can_be_replayed_is_named_for_its_own_hosts_alone() {
        for kind in KINDS {
            let profiles_at = |has_endpoint| profiles(kind, has_endpoint);
            let own = taken(
                Lent::Named("it"),
                "http://a.own.example",
                &profiles_at(false),
            );
            assert_eq!(own, Ok(true), "{kind:?}");
            let other = taken(
                Lent::Named("it"),
                "http://other.example",
                &profiles_at(false),
            );
            let expected = match kind {
                // Its signatures hold for the host that they were made for.
                ProfileKind::S3 => Ok(true),
                ProfileKind::Azure | ProfileKind::Headers => Err(Code::InvalidOption),
            };
            assert_eq!(other, expected, "{kind:?}");
            // Another port is somebody else.
            let port = taken(
                Lent::Named("it"),
                "http://a.own.example:81",
                &profiles_at(false),
            );
            assert_eq!(port, expected, "{kind:?}");
            let unknown = taken(
                Lent::Named("none"),
                "http://a.own.example",
                &profiles_at(false),
            );
            assert_eq!(unknown, Err(Code::InvalidOption));
        }
        // A service with buckets in the path takes a signature for any host.
        let in_path = profiles_with(ProfileKind::S3, false, true);
        for (url, expected) in [
            ("http://a.own.example", Ok(true)),
            ("http://other.example", Err(Code::InvalidOption)),
        ] {
            assert_eq!(taken(Lent::Named("it"), url, &in_path), expected, "{url}");
        }
        // All that it shows goes to the endpoint, whatever the URL says.
        let azure = profiles(ProfileKind::Azure, true);
        assert_eq!(
            taken(Lent::Named("it"), "http://other.example", &azure),
            Ok(true)
        );
    }

    #[test]
    fn redirect_keeps_the_first_profile_for_its_hosts_and_picks_none() {
        for kind in KINDS {
            let all = profiles(kind, false);
            let keeps = |profile: Option<&str>, first: &str, was_https, next: &str| {
                let kept = Kept {
                    profile: profile.and_then(|name| all.named(name)).cloned(),
                    origin: first.to_owned(),
                    was_https,
                };
                taken(Lent::Kept(&kept), next, &all)
            };
            let named = Some("it");
            let (own, other) = ("https://a.own.example", "http://other.example");
            assert_eq!(
                keeps(named, own, true, "https://b.own.example"),
                Ok(true),
                "{kind:?}"
            );
            assert_eq!(keeps(named, own, true, other), Ok(false), "{kind:?}");
            assert_eq!(keeps(None, other, false, own), Ok(false), "{kind:?}");
            // It was named for that origin.
            assert_eq!(keeps(named, other, false, other), Ok(true), "{kind:?}");
            let in_clear = keeps(named, own, true, "http://b.own.example");
            let expected = match kind {
                ProfileKind::S3 => Ok(true),
                ProfileKind::Azure | ProfileKind::Headers => Err(Code::RedirectRefused),
            };
            assert_eq!(in_clear, expected, "{kind:?}");
            assert_eq!(
                keeps(named, "http://a.own.example", false, "http://b.own.example"),
                Ok(true)
            );
        }
    }

    #[test]
    fn endpoint_that_is_encrypted_is_asked_whatever_the_redirect_says() {
        let all = profiles(ProfileKind::Azure, true);
        let kept = Kept {
            profile: all.named("it").cloned(),
            origin: "https://a.own.example".to_owned(),
            was_https: true,
        };
        assert_eq!(
            taken(Lent::Kept(&kept), "http://b.own.example", &all),
            Ok(true)
        );
    }
}
