//! Where a URL's upload really goes: a site's origin, a host of a profile, or one that `[upload]` names; nowhere else.
//!
//! What may be uploaded to is what the config names, so that nobody can make this machine send files to others.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::readable::ReadableFiles;
use crate::fill::library::{Code, HostPattern, public_only};
use crate::fill::origin::{Asker, OriginSettings};
use crate::fill::origins;
use crate::fill::profile::{Profile, ProfileKind, Profiles};
use crate::index::sites::SiteTable;
use crate::policy::key::{self, Scheme};
use crate::policy::origin_rule::{OriginRule, OriginUrl};
use crate::policy::public_address::is_public;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Longest URL.
const URL_BYTES_MAX: usize = 16 << 10;

/// Longest time of an exchange with an origin that has no profile.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(3600);

/// What the config names, as it is now.
#[derive(Clone, Debug)]
pub struct Routes {
    /// The sites.
    pub sites: Arc<ArcSwap<SiteTable>>,
    /// The profiles.
    pub profiles: Arc<ArcSwap<Profiles>>,
    /// The hosts that are neither's.
    pub hosts: Arc<ArcSwap<UploadHosts>>,
}

/// The hosts that files may go to although no site and no profile is for them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UploadHosts {
    /// Which they are.
    pub patterns: Vec<HostPattern>,
    /// Whether they may have private addresses.
    pub allow_private: bool,
    /// How they are reached where no profile says it; has no URLs.
    pub origin: OriginRule,
    /// The User-Agent of requests, also of those to sites and profiles; empty: none.
    pub user_agent: String,
    /// The files of this machine that are read for who names them.
    pub files: ReadableFiles,
}

/// Why nothing can be uploaded to a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoTarget {
    /// It is no http or https URL.
    NotAUrl,
    /// No profile and no site with an origin is for its host, and `[upload]` does not name it.
    HostNotAllowed(String),
    /// Its host is an address of a network that others don't see.
    PrivateAddress(String),
    /// There is no such profile.
    NoProfile(String),
    /// The profile is not for the URL's host, which could show what it is shown to others.
    OtherHost(String),
}

impl NoTarget {
    /// What it is, for programs.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::NotAUrl => Code::InvalidUrl,
            Self::HostNotAllowed(_) => Code::HostNotAllowed,
            Self::PrivateAddress(_) => Code::AddressNotAllowed,
            Self::NoProfile(_) | Self::OtherHost(_) => Code::InvalidOption,
        }
    }
}

impl fmt::Display for NoTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAUrl => f.write_str("an absolute http or https URL is needed, without a user"),
            Self::HostNotAllowed(host) => write!(
                f,
                "{host} is no host of upload.hosts, of a [[profile]]'s domains, or of a [[site]] with an origin, so nothing is sent there"
            ),
            Self::PrivateAddress(host) => write!(
                f,
                "{host} is a private address; put {host:?} itself into upload.hosts, or set upload.allow_private"
            ),
            Self::NoProfile(name) => write!(f, "there is no [[profile]] with the name {name:?}"),
            Self::OtherHost(name) => write!(
                f,
                "the profile {name:?} is not for this host; add the host to its domains"
            ),
        }
    }
}

/// Whose credentials are meant.
#[derive(Clone, Copy)]
enum Lent<'l> {
    /// Those of the site or of the profile for the host.
    OfHost,
    /// Those of the profile that the caller names.
    Named(&'l str),
    /// Those of the first URL, on the way over redirects.
    Kept(Option<&'l Arc<Profile>>),
}

/// Where an upload goes.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// How the origin is reached; its one URL.
    pub(super) settings: OriginSettings,
    /// Scheme, host and port as the caller wrote them.
    pub(super) origin: (Scheme, String),
    /// The Host field.
    pub(super) host: String,
    /// Path and query in canonical form.
    pub(super) path: String,
    /// What its origin's URL had before the path, and the path has now: an origin that redirects speaks of its own root.
    base: String,
    /// The kind of its profile.
    pub(super) kind: Option<ProfileKind>,
}

impl Target {
    /// The canonical URL; that of the origin itself where a redirect led out of what the caller's URLs are of it.
    pub(super) fn url(&self) -> String {
        let (scheme, authority) = &self.origin;
        let rest = self.path.strip_prefix(self.base.as_str());
        match (rest, self.settings.urls.first()) {
            (Some(rest), _) if rest.starts_with('/') => {
                format!("{}://{authority}{rest}", scheme.name())
            }
            (_, Some(url)) => format!("{url}{}", self.path),
            (_, None) => format!("{}://{authority}{}", scheme.name(), self.path),
        }
    }

    /// The same origin at a path below its own root.
    pub(super) fn at_root(&self, path: String) -> Self {
        let mut at_root = self.clone();
        at_root.path = path;
        for url in &mut at_root.settings.urls {
            let base = std::mem::take(&mut url.base);
            if !base.is_empty() {
                at_root.base = base;
            }
        }
        at_root
    }

    /// Whether it is really asked over TLS.
    pub(super) fn is_https(&self) -> bool {
        self.settings.urls.first().is_some_and(|url| url.https)
    }

    /// The scheme that it is really asked with.
    pub(super) fn scheme(&self) -> Scheme {
        match self.is_https() {
            true => Scheme::Https,
            false => Scheme::Http,
        }
    }
}

impl Routes {
    /// Where the upload to `url` goes; with a profile, with that one's credentials.
    pub(super) fn resolve(&self, url: &str, named: Option<&str>) -> Result<Target, NoTarget> {
        self.resolve_lent(url, named.map_or(Lent::OfHost, Lent::Named))
    }

    /// Where a redirect to `url` goes: with the profile that the first URL was asked with where it is for this host too, else without
    /// credentials, and only where files may go.
    pub(super) fn resolve_hop(
        &self,
        url: &str,
        kept: Option<&Arc<Profile>>,
    ) -> Result<Target, NoTarget> {
        self.resolve_lent(url, Lent::Kept(kept))
    }

    fn resolve_lent(&self, url: &str, lent: Lent<'_>) -> Result<Target, NoTarget> {
        if url.len() > URL_BYTES_MAX {
            return Err(NoTarget::NotAUrl);
        }
        let url = sendable(url);
        let mut scratch = Vec::new();
        let parts = key::from_url(&url, &mut scratch).map_err(|_| NoTarget::NotAUrl)?;
        let mut canonical = Vec::new();
        key::append_origin(&mut canonical, parts.scheme, parts.authority);
        let canonical = String::from_utf8(canonical).map_err(|_| NoTarget::NotAUrl)?;
        let authority = canonical.split_once("://").map_or("", |(_, rest)| rest);
        if authority.is_empty() || authority.contains('@') {
            return Err(NoTarget::NotAUrl);
        }
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        let mut path = text(parts.path);
        if let Some(query) = parts.query {
            path.push('?');
            path.push_str(&text(query));
        }
        let origin = (parts.scheme, authority.to_owned());
        let settings = self.settings(parts.scheme, authority, lent)?;
        let kind = settings.profile.as_ref().map(|profile| profile.kind());
        let names_host = settings
            .profile
            .as_ref()
            .is_some_and(|profile| profile.names_host());
        let host = match (&settings.host, settings.urls.first()) {
            (host, _) if !host.is_empty() => host.clone(),
            (_, Some(url)) if names_host => url.authority(),
            _ => authority.to_owned(),
        };
        Ok(Target {
            settings,
            origin,
            host,
            path,
            base: String::new(),
            kind,
        })
    }

    fn settings(
        &self,
        scheme: Scheme,
        authority: &str,
        lent: Lent<'_>,
    ) -> Result<OriginSettings, NoTarget> {
        let profiles = self.profiles.load();
        let own = profiles.of_host(authority);
        let url = url_of(scheme, authority).ok_or(NoTarget::NotAUrl)?;
        let site = || self.site(&url.host, &profiles, true);
        match lent {
            Lent::Named(name) => {
                let profile = profiles.named(name);
                let profile = profile.ok_or_else(|| NoTarget::NoProfile(name.to_owned()))?;
                self.with_profile(profile, &url, own, site())
            }
            Lent::Kept(Some(kept)) if kept.is_for(authority) => {
                self.with_profile(kept, &url, own, site())
            }
            Lent::Kept(_) => match (self.site(&url.host, &profiles, false), own) {
                (Some(bare), _) => Ok(bare),
                (None, Some(_)) => Ok(self.bare(&url, false)),
                (None, None) => self.foreign(&url),
            },
            Lent::OfHost => match (site(), own) {
                (Some(site), _) => Ok(site),
                (None, Some(profile)) => Ok(profile.origin_settings(&url)),
                (None, None) => self.foreign(&url),
            },
        }
    }

    /// The host itself, where `[upload]` names it.
    fn foreign(&self, url: &OriginUrl) -> Result<OriginSettings, NoTarget> {
        let public_only = self.public_only(url, None)?;
        Ok(self.bare(url, public_only))
    }

    /// The host itself, without credentials.
    fn bare(&self, url: &OriginUrl, public_only: bool) -> OriginSettings {
        OriginSettings {
            urls: vec![url.clone()],
            asker: Asker::Own,
            total_timeout: Some(TOTAL_TIMEOUT),
            public_only,
            ..OriginSettings::from(&self.hosts.load().origin)
        }
    }

    /// Whether a host that `[upload]` names is reached at its public addresses alone; an error where that does not name it.
    fn public_only(&self, url: &OriginUrl, profile: Option<&Profile>) -> Result<bool, NoTarget> {
        let hosts = self.hosts.load();
        let place = (url.host.as_str(), url.port);
        let public_only = public_only(&hosts.patterns, hosts.allow_private, place)
            .ok_or_else(|| NoTarget::HostNotAllowed(url.authority()))?;
        // Where the hosts of an endpoint are really reached is the operator's word.
        if !public_only || profile.is_some_and(Profile::has_endpoint) {
            return Ok(false);
        }
        // Names are held to it when their addresses are known.
        match url.bare_host().parse::<IpAddr>() {
            Ok(address) if !is_public(address) => Err(NoTarget::PrivateAddress(url.host.clone())),
            _ => Ok(true),
        }
    }

    /// The way with a profile that the caller names: only to hosts that the config names, and what could be shown to others only to the
    /// profile's own.
    fn with_profile(
        &self,
        profile: &Arc<Profile>,
        url: &OriginUrl,
        own: Option<&Arc<Profile>>,
        site: Option<OriginSettings>,
    ) -> Result<OriginSettings, NoTarget> {
        let is_own = own.is_some_and(|own| Arc::ptr_eq(own, profile));
        let of_site = site.as_ref().and_then(|site| site.profile.as_ref());
        let is_sites = of_site.is_some_and(|of_site| Arc::ptr_eq(of_site, profile));
        let public_only = match (own, &site) {
            (None, None) => self.public_only(url, Some(profile))?,
            _ => false,
        };
        // A site's own URLs are asked whatever the endpoint of another profile is.
        let at_its_endpoint = site.is_none() && profile.has_endpoint();
        let fits = is_sites || at_its_endpoint || profile.is_for(&url.authority());
        if !fits && profile.can_be_replayed() {
            return Err(NoTarget::OtherHost(profile.name().to_owned()));
        }
        match site {
            Some(site) if is_sites || !is_own => Ok(OriginSettings {
                total_timeout: Some(profile.rule().total_timeout),
                profile: Some(Arc::clone(profile)),
                ..site
            }),
            _ => Ok(OriginSettings {
                public_only,
                ..profile.origin_settings(url)
            }),
        }
    }

    /// The origin of the site that names this host, as this machine itself asks it, with the site's profile or without.
    fn site(&self, host: &str, profiles: &Profiles, with_profile: bool) -> Option<OriginSettings> {
        let sites = self.sites.load();
        let (rule, _) = sites
            .iter()
            .find(|(rule, _)| rule.hosts.iter().any(|own| own == host))?;
        let mut origin = rule.origin.clone()?;
        if !with_profile {
            origin.profile.clear();
        }
        let mut settings = origins::settings_of(&origin, profiles, Asker::Own)?;
        settings.urls.truncate(1);
        settings.asker = Asker::Own;
        let of_profile = settings.profile.as_ref();
        let total = of_profile.map_or(TOTAL_TIMEOUT, |profile| profile.rule().total_timeout);
        settings.total_timeout = Some(total);
        Some(settings)
    }
}

fn url_of(scheme: Scheme, authority: &str) -> Option<OriginUrl> {
    let https = scheme == Scheme::Https;
    let (host, port) = crate::fill::profile::domain::host_and_port(authority);
    let port = port.unwrap_or(if https { 443 } else { 80 });
    (!host.is_empty()).then_some(OriginUrl {
        https,
        host,
        port,
        base: String::new(),
    })
}

/// The URL with those octets encoded that a person writes and no URL has: spaces, letters beyond ASCII, a `%` of its own.
pub(super) fn sendable(url: &str) -> Vec<u8> {
    let octets = url.as_bytes();
    let mut text = Vec::with_capacity(octets.len() + 16);
    for (at, &octet) in octets.iter().enumerate() {
        let digits = octets.get(at + 1..at + 3);
        let is_encoding = digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let is_odd = octet <= b' '
            || octet >= 0x7f
            || b"\"<>\\^`{|}".contains(&octet)
            || octet == b'%' && !is_encoding;
        if is_odd {
            let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or_default();
            text.extend([b'%', digit(octet >> 4), digit(octet & 15)]);
        } else {
            text.push(octet);
        }
    }
    text
}

#[cfg(test)]
#[path = "target_tests.rs"]
pub(super) mod tests;
