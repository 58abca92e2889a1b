//! What a URL is to the library: whose origin answers for it, by which rules it is stored, and under which key.
//!
//! A site that names the host goes first: then the key is the one of that site's HTTP clients, so that they share what is stored. Then
//! hosts that `[library]` allows, each with an origin of its own; then the site for all other hosts, where there is one. Pure.

use std::sync::Arc;

use super::allowed::public_only;
use super::failure::{Code, Failure};
use super::lending::{self, Lent, Receiver};
use super::settings::LibrarySettings;
use crate::fill::profile::{Profile, Profiles, guard};
use crate::http::authority::host_of;
use crate::http::head::Method;
use crate::http::target::{self, TargetForm};
use crate::index::sites::SiteTable;
use crate::policy::key::{self, KeyParts, Scheme};
use crate::policy::origin_rule::{OriginRule, OriginUrl};
use crate::policy::settings::CacheRule;
use crate::units::SiteId;

/// Longest URL in bytes.
const URL_BYTES_MAX: usize = 16 << 10;

/// What places are found by: one config's sites and rules.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) settings: LibrarySettings,
    pub(super) sites: Arc<SiteTable>,
    pub(super) profiles: Arc<Profiles>,
    /// The rule of what is no site's.
    pub(super) rule: Arc<CacheRule>,
}

impl Plan {
    pub(super) fn new(
        settings: LibrarySettings,
        sites: Arc<SiteTable>,
        profiles: Arc<Profiles>,
    ) -> Self {
        let rule = Arc::new(settings.rule.clone());
        Self {
            settings,
            sites,
            profiles,
            rule,
        }
    }
}

/// A URL that may be fetched.
#[derive(Debug)]
pub(super) struct Place {
    /// The URL in canonical form, without a fragment.
    pub(super) url: String,
    pub(super) source: Source,
    pub(super) rule: Arc<CacheRule>,
    pub(super) key: Box<[u8]>,
    pub(super) authority: Box<[u8]>,
    /// Canonical path and query.
    pub(super) target: Box<[u8]>,
    pub(super) path_size: usize,
}

/// Whose origin is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Site(SiteId),
    /// The URL's own, with the credentials of a profile where one is named or is for its host; `public_only` where its address has to
    /// be a public one.
    Own {
        url: OriginUrl,
        profile: Option<Arc<Profile>>,
        public_only: bool,
    },
}

impl Place {
    /// The place of `url`, whose origin is asked with the profile that is `named`; none: with the one for its host, or its site's.
    ///
    /// # Errors
    /// `InvalidUrl`, `HostNotAllowed`, `InvalidOption` for a profile that there is none of, or that is not for it.
    pub(super) fn of(url: &str, named: Option<&str>, plan: &Plan) -> Result<Self, Failure> {
        Self::lent(url, named.into(), plan)
    }

    /// The place of `url`, whose own host is asked with the credentials that are `lent`; that of a site always with the site's.
    ///
    /// # Errors
    /// As [`of`](Self::of); `RedirectRefused` where what is kept must not go there.
    pub(super) fn lent(url: &str, lent: Lent<'_>, plan: &Plan) -> Result<Self, Failure> {
        let invalid = |why: &str| {
            Failure::new(
                Code::InvalidUrl,
                format!(
                    "{:?} is no http or https URL that can be fetched: {why}",
                    shown(url)
                ),
            )
        };
        if url.len() > URL_BYTES_MAX {
            return Err(invalid("it is too long"));
        }
        if !url.is_ascii() || url.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(invalid(
                "write spaces and letters beyond ASCII as %20 and so on",
            ));
        }
        let mut scratch = Vec::new();
        let parts =
            key::from_url(url.as_bytes(), &mut scratch).map_err(|reject| invalid(reject.name()))?;
        let host = host_of(parts.authority).unwrap_or_default();
        let Ok(host) = String::from_utf8(host.to_ascii_lowercase()) else {
            return Err(invalid("bad-host"));
        };
        if host.is_empty() {
            return Err(invalid("it has no host"));
        }
        let port = port_of(&parts).ok_or_else(|| invalid("no port has this number"))?;
        let found = source_of((&host, port), &parts, plan)?;
        let (source, rule, scope) = with_profile(found, &parts, lent, plan)?;
        Ok(Self::made(&parts, source, rule, scope))
    }

    fn made(
        parts: &KeyParts<'_>,
        source: Source,
        rule: Arc<CacheRule>,
        scope: Option<Box<[u8]>>,
    ) -> Self {
        // The site's clients come in clear text, if need be from whoever speaks TLS in front.
        let scheme = match source {
            Source::Site(_) => Scheme::Http,
            Source::Own { .. } => parts.scheme,
        };
        let authority = without_own_port(parts).to_ascii_lowercase();
        let keyed = KeyParts {
            scope: scope.as_deref(),
            scheme,
            authority: &authority,
            ..*parts
        };
        let mut bytes = Vec::new();
        key::append(&mut bytes, &keyed, &rule.overrides);
        let mut target = parts.path.to_vec();
        if let Some(query) = parts.query {
            target.push(b'?');
            target.extend_from_slice(query);
        }
        let mut url = Vec::new();
        key::append_origin(&mut url, parts.scheme, &authority);
        url.extend_from_slice(&target);
        Self {
            url: String::from_utf8_lossy(&url).into_owned(),
            source,
            rule,
            key: bytes.into(),
            authority: authority.into(),
            path_size: parts.path.len(),
            target: target.into(),
        }
    }

    /// The path.
    pub(super) fn path(&self) -> &[u8] {
        self.target.get(..self.path_size).unwrap_or_default()
    }

    /// Whether its origin is asked without the credentials of its profile: they are lent for objects alone, and it names none.
    pub(super) fn is_unsigned(&self) -> bool {
        let Source::Own {
            url,
            profile: Some(profile),
            ..
        } = &self.source
        else {
            return false;
        };
        let query = self.target.get(self.path_size..).unwrap_or_default();
        let is_object = profile.names_object(&profile.place(url), self.path());
        !is_object || guard::lists(profile.kind(), query)
    }

    /// The origin, where it is no site's.
    pub(super) fn foreign(&self, plan: &Plan) -> Option<Arc<OriginRule>> {
        let Source::Own {
            url,
            profile,
            public_only,
        } = &self.source
        else {
            return None;
        };
        let mut rule = OriginRule {
            urls: vec![url.clone()],
            public_only: *public_only,
            ..plan.settings.origin.clone()
        };
        if let Some(profile) = profile {
            profile.name().clone_into(&mut rule.profile);
            rule.connect_timeout = profile.rule().connect_timeout;
            rule.first_byte_timeout = profile.rule().first_byte_timeout;
        }
        Some(Arc::new(rule))
    }

    /// Scheme and authority.
    pub(super) fn origin(&self) -> &str {
        let end = self.url.len().saturating_sub(self.target.len());
        self.url.get(..end).unwrap_or_default()
    }

    /// The URL that a redirect from here leads to (RFC 9110 s10.2.2, RFC 3986 s5.2); none where it can't be read.
    pub(super) fn redirected(&self, location: &[u8]) -> Option<String> {
        let location = std::str::from_utf8(location).ok()?;
        let end = location.find('#').unwrap_or(location.len());
        let location = location.get(..end)?.trim();
        let scheme_end = self.url.find("://")?;
        if has_scheme(location) {
            return Some(location.to_owned());
        }
        let origin = self.origin();
        if location.starts_with("//") {
            return Some(format!("{}:{location}", self.url.get(..scheme_end)?));
        }
        if location.starts_with('/') {
            return Some(format!("{origin}{location}"));
        }
        let path = std::str::from_utf8(self.path()).ok()?;
        if location.is_empty() || location.starts_with('?') {
            return Some(format!("{origin}{path}{location}"));
        }
        let folder = path.get(..=path.rfind('/')?)?;
        let joined = format!("{folder}{location}");
        let mut scratch = Vec::new();
        // Dots lead up as far as the root (s5.2.4), where a request with them would be refused.
        let joined = without_dots(&joined);
        let target = target::normalise(Method::Get, joined.as_bytes(), &mut scratch).ok()?;
        (target.form == TargetForm::Origin).then(|| format!("{origin}{joined}"))
    }
}

/// The authority without its scheme's own port.
fn without_own_port<'a>(parts: &KeyParts<'a>) -> &'a [u8] {
    let own_port: &[u8] = match parts.scheme {
        Scheme::Http => b":80",
        Scheme::Https => b":443",
    };
    let authority = parts.authority;
    authority.strip_suffix(own_port).unwrap_or(authority)
}

/// A source with its rule, and the scope of its keys.
type Scoped = (Source, Arc<CacheRule>, Option<Box<[u8]>>);

/// Finds the profile that a source is asked with; its name is part of the key.
fn with_profile(
    (source, rule): (Source, Arc<CacheRule>),
    parts: &KeyParts<'_>,
    lent: Lent<'_>,
    plan: &Plan,
) -> Result<Scoped, Failure> {
    match source {
        Source::Site(id) => {
            let facts = plan.sites.facts(id);
            let scope = facts.and_then(|facts| facts.scope.clone());
            match lent {
                Lent::Named(name) if scope.as_deref() != Some(name.as_bytes()) => {
                    Err(Failure::new(
                        Code::InvalidOption,
                        format!(
                            "the URL is a [[site]]'s, whose origin is not asked with the profile {name:?}"
                        ),
                    ))
                }
                _ => Ok((source, rule, scope)),
            }
        }
        Source::Own {
            url, public_only, ..
        } => {
            let mut origin = Vec::new();
            key::append_origin(&mut origin, parts.scheme, parts.authority);
            let origin = String::from_utf8_lossy(&origin);
            let profile = lending::profile(lent, Receiver::of(&origin), &plan.profiles)?;
            let scope = Some(key::library_scope(
                profile.map_or("", |profile| profile.name()),
            ));
            // Where its hosts are really reached is the operator's word.
            let has_endpoint = profile.is_some_and(|profile| profile.has_endpoint());
            let source = Source::Own {
                url,
                profile: profile.cloned(),
                public_only: public_only && !has_endpoint,
            };
            Ok((source, rule, scope))
        }
    }
}

fn source_of(
    (host, port): (&str, u16),
    parts: &KeyParts<'_>,
    plan: &Plan,
) -> Result<(Source, Arc<CacheRule>), Failure> {
    let of_site = |id: Option<SiteId>| {
        let id = id?;
        let rules = plan.sites.facts(id)?.rules.as_ref()?;
        Some((Source::Site(id), Arc::clone(rules.of(parts.path))))
    };
    let named = plan.sites.named(host.as_bytes());
    if let Some(found) = of_site(named) {
        return Ok(found);
    }
    let LibrarySettings {
        hosts,
        allow_private,
        ..
    } = &plan.settings;
    if let Some(public_only) = public_only(hosts, *allow_private, (host, port)) {
        let url = OriginUrl {
            https: parts.scheme == Scheme::Https,
            host: host.to_owned(),
            port,
            base: String::new(),
        };
        let source = Source::Own {
            url,
            profile: None,
            public_only,
        };
        return Ok((source, Arc::clone(&plan.rule)));
    }
    if named.is_none()
        && let Some(found) = of_site(plan.sites.default_site())
    {
        return Ok(found);
    }
    let also = match named {
        Some(_) => "; its site has no origin, only files",
        None => "",
    };
    Err(Failure::new(
        Code::HostNotAllowed,
        format!(
            "{host} may not be fetched{also}; put {host:?} into library.hosts, or give a [[site]] with an origin this host"
        ),
    ))
}

/// The port of a URL; none where it is none.
fn port_of(parts: &KeyParts<'_>) -> Option<u16> {
    let host_size = host_of(parts.authority)?.len();
    let digits = match parts.authority.get(host_size..)? {
        [b':', digits @ ..] if !digits.is_empty() => std::str::from_utf8(digits).ok()?,
        _ => {
            return Some(match parts.scheme {
                Scheme::Http => 80,
                Scheme::Https => 443,
            });
        }
    };
    digits.parse().ok().filter(|port| *port > 0)
}

/// Whether a reference begins with a scheme (RFC 3986 s3.1).
fn has_scheme(reference: &str) -> bool {
    let end = reference.find([':', '/', '?']);
    let scheme = end.filter(|at| reference.as_bytes().get(*at) == Some(&b':'));
    scheme.is_some_and(|at| {
        let scheme = reference.get(..at).unwrap_or_default();
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && scheme.bytes().all(letter)
    })
}

/// A path, maybe with a query, without dot segments (RFC 3986 s5.2.4).
fn without_dots(reference: &str) -> String {
    let end = reference.find('?').unwrap_or(reference.len());
    let (path, query) = reference.split_at(end);
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if is_last {
                    kept.push("");
                }
            }
            segment => kept.push(segment),
        }
    }
    format!("/{}{query}", kept.join("/"))
}

/// A URL as a message may repeat it: without a user or a password.
fn shown(url: &str) -> &str {
    let has_user = url.split_once("://").is_some_and(|(_, rest)| {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        rest.get(..end).unwrap_or_default().contains('@')
    });
    if has_user {
        "a URL with a user in it"
    } else {
        url
    }
}

#[cfg(test)]
#[path = "place_tests.rs"]
mod tests;
