//! Profiles: the credentials that private origins are asked with, for whom they are, and how those origins are reached.
//!
//! A profile is found by a URL's host or by its name, never otherwise. Its name is the scope of cache keys
//! (`policy::key`), so that what one profile may read is never found by another, nor without any.
//!
//! Signing happens for each attempt of a request anew, right before it is sent. What it can't be done without (keys,
//! sessions, tokens) is found by [`Environment`] and kept while it is good; where there is nothing, that is
//! remembered for [`MISSING_FOR`], so that requests fail at once meanwhile.
//!
//! Nothing here is logged but names of profiles and faults. Keys are [`Secret`]s until they are used, and values of fields
//! with credentials are marked sensitive.

mod azure;
pub mod domain;
mod environment;
pub mod fault;
mod fetcher;
pub(crate) mod guard;
pub mod headers;
mod place;
mod s3;
mod search;
pub mod secret;
pub mod settings;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::http::request::Parts;

use self::azure::AzureSigner;
use self::domain::host_and_port;
pub use self::environment::Environment;
pub use self::fault::CredentialFault;
use self::headers::HeaderSource;
use self::s3::S3Signer;
pub use self::secret::Secret;
pub use self::settings::{ProfileKind, ProfileRule};
use super::origin::{ClientIdentity, OriginSettings, TlsSettings};
use crate::policy::origin_rule::OriginUrl;
use crate::sys::clock;

/// How long it is remembered that there are no credentials.
pub const MISSING_FOR: Duration = Duration::from_secs(10);

/// How long keys that were looked for after a refusal are kept, however they do.
const RENEWED_FOR: Duration = Duration::from_secs(5);

/// A profile at work.
#[derive(Debug)]
pub struct Profile {
    rule: ProfileRule,
    signer: Signer,
    /// Until when nothing is looked for again, on the monotonic clock; 0: it may be.
    missing_until: AtomicU64,
    /// Until when faults are not logged again, on the monotonic clock.
    silent_until: AtomicU64,
    /// How often keys were forgotten because they were refused.
    generation: AtomicU64,
    /// Until when none are forgotten again, on the monotonic clock.
    kept_until: AtomicU64,
}

#[derive(Debug)]
enum Signer {
    S3(S3Signer),
    Azure(Box<AzureSigner>),
    Headers(HeaderSource),
}

impl PartialEq for Profile {
    fn eq(&self, other: &Self) -> bool {
        self.rule == other.rule
    }
}

impl Eq for Profile {}

impl Profile {
    /// The profile of a rule; looks for nothing yet.
    #[must_use]
    pub fn new(rule: ProfileRule, environment: &Environment) -> Self {
        let signer = match rule.kind {
            ProfileKind::S3 => Signer::S3(S3Signer::new(&rule, environment)),
            ProfileKind::Azure => Signer::Azure(Box::new(AzureSigner::new(&rule, environment))),
            ProfileKind::Headers => Signer::Headers(HeaderSource::new(&rule)),
        };
        Self {
            rule,
            signer,
            missing_until: AtomicU64::new(0),
            silent_until: AtomicU64::new(0),
            generation: AtomicU64::new(0),
            kept_until: AtomicU64::new(0),
        }
    }

    /// Its name, which is the scope of cache keys.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.rule.name
    }

    /// What kind of credentials it shows.
    #[must_use]
    pub fn kind(&self) -> ProfileKind {
        self.rule.kind
    }

    /// What it was made of.
    #[must_use]
    pub fn rule(&self) -> &ProfileRule {
        &self.rule
    }

    /// Whether all its hosts are reached at an endpoint that the operator names, instead of at their own names.
    #[must_use]
    pub fn has_endpoint(&self) -> bool {
        self.rule.kind != ProfileKind::Headers && self.rule.endpoint.is_some()
    }

    /// Whether who receives what it shows could show it to others: fields and tokens as they are, and signatures of Azure, which cover
    /// account and path, but no host. A signature of S3 covers the host, so that only that one takes it; but services with buckets in
    /// the path (`path_style`) verify the Host as they received it, and find the bucket whatever that says: they take all.
    #[must_use]
    pub fn can_be_replayed(&self) -> bool {
        match self.rule.kind {
            ProfileKind::S3 => self.rule.path_style,
            ProfileKind::Azure | ProfileKind::Headers => true,
        }
    }

    /// Whether an authority, in any case, with or without port, is one of its domains; the scheme's own port must be left out.
    #[must_use]
    pub fn is_for(&self, authority: &str) -> bool {
        self.fit(authority).is_some()
    }

    /// How well the domain that fits an authority best does.
    fn fit(&self, authority: &str) -> Option<usize> {
        let (host, port) = host_and_port(authority);
        let domains = self.rule.domains.iter();
        domains.filter_map(|domain| domain.fit(&host, port)).max()
    }

    /// Where requests below `url` really go: the endpoint's place, with the bucket in path or name.
    #[must_use]
    pub fn place(&self, url: &OriginUrl) -> OriginUrl {
        place::place(&self.rule, url)
    }

    /// Whether `path` below a placed URL is that of an object, and not of a bucket, which would be listed.
    #[must_use]
    pub fn names_object(&self, placed: &OriginUrl, path: &[u8]) -> bool {
        place::names_object(&self.rule, placed, path)
    }

    /// How the origin of `url` is reached with this profile by ourselves, not for a site's clients.
    #[must_use]
    pub fn origin_settings(self: &Arc<Self>, url: &OriginUrl) -> OriginSettings {
        OriginSettings {
            urls: vec![self.place(url)],
            connect_timeout: self.rule.connect_timeout,
            first_byte_timeout: self.rule.first_byte_timeout,
            total_timeout: Some(self.rule.total_timeout),
            tls: self.tls(),
            profile: Some(Arc::clone(self)),
            ..OriginSettings::default()
        }
    }

    /// What https hosts have to prove.
    #[must_use]
    pub fn tls(&self) -> TlsSettings {
        let tls = &self.rule.tls;
        TlsSettings {
            system_roots: tls.system_roots,
            ca_file: tls.ca_file.clone(),
            verify_peer: tls.verify_peer,
            verify_host: tls.verify_host && tls.verify_peer,
            client: self.client_identity(),
        }
    }

    /// What is proved to https hosts.
    #[must_use]
    pub fn client_identity(&self) -> Option<ClientIdentity> {
        let tls = &self.rule.tls;
        Some(ClientIdentity {
            certificates: tls.client_cert.clone()?,
            key: tls.client_key.clone()?,
        })
    }

    /// Whether requests say the placed URL's own authority in Host, whatever the client asked for: signatures cover it.
    #[must_use]
    pub fn names_host(&self) -> bool {
        self.rule.kind != ProfileKind::Headers
    }

    /// Puts the credentials into a request whose target is in origin form, for one attempt.
    ///
    /// # Errors
    /// There are none, they are of no use, or the request can't be signed.
    pub(in crate::fill) async fn sign(
        &self,
        parts: &mut Parts,
        is_https: bool,
    ) -> Result<(), CredentialFault> {
        let now = clock::mono();
        if self.missing_until.load(Ordering::Relaxed) > now.0 {
            return Err(CredentialFault::Missing);
        }
        let signed = match &self.signer {
            Signer::S3(signer) => signer.sign(parts, is_https).await,
            Signer::Azure(signer) => signer.sign(parts).await,
            Signer::Headers(source) => source.put(parts).await,
        };
        if let Err(fault) = signed {
            if fault == CredentialFault::Missing {
                let until = now.after(MISSING_FOR).0;
                self.missing_until.store(until, Ordering::Relaxed);
            }
            self.complain(fault);
        }
        signed
    }

    /// Whether its keys may be others without another config: those in files and of roles.
    #[must_use]
    pub fn may_change(&self) -> bool {
        match &self.signer {
            Signer::S3(signer) => signer.may_change(),
            Signer::Azure(signer) => signer.may_change(),
            Signer::Headers(_) => self.rule.request_headers_file.is_some(),
        }
    }

    /// The generation of the keys that are shown now, see [`renew`](Self::renew).
    pub(in crate::fill) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Keys of this generation were refused, so those that were found are forgotten, once in [`RENEWED_FOR`]. Whether others may
    /// be shown now.
    pub(in crate::fill) fn renew(&self, refused: u64) -> bool {
        let now = clock::mono();
        let kept_until = self.kept_until.load(Ordering::Relaxed);
        if self.may_change() && self.generation() == refused && kept_until <= now.0 {
            let until = now.after(RENEWED_FOR).0;
            // Of those who come at once, one forgets them.
            let place = &self.kept_until;
            let swapped =
                place.compare_exchange(kept_until, until, Ordering::Relaxed, Ordering::Relaxed);
            if swapped.is_ok() {
                match &self.signer {
                    Signer::S3(signer) => signer.forget(),
                    Signer::Azure(signer) => signer.forget(),
                    Signer::Headers(_) => {}
                }
                self.generation.fetch_add(1, Ordering::AcqRel);
            }
        }
        self.generation() != refused
    }

    /// Logs what is wrong with the credentials, once in [`MISSING_FOR`].
    pub(in crate::fill) fn complain(&self, fault: CredentialFault) {
        let now = clock::mono();
        if self.silent_until.load(Ordering::Relaxed) <= now.0 {
            let until = now.after(MISSING_FOR).0;
            self.silent_until.store(until, Ordering::Relaxed);
            tracing::warn!("profile {:?}: {fault}", self.rule.name);
        }
    }
}

/// The profiles of a config.
#[derive(Debug, Default)]
pub struct Profiles {
    list: Vec<Arc<Profile>>,
}

impl Profiles {
    /// The profiles of `rules`. One that is as it was in `before` goes on with the keys and sessions that it has found.
    #[must_use]
    pub fn following(before: &Self, rules: &[ProfileRule], environment: &Environment) -> Self {
        let list = rules.iter().map(|rule| {
            let kept = before.list.iter().find(|profile| profile.rule == *rule);
            let new = || Arc::new(Profile::new(rule.clone(), environment));
            kept.map_or_else(new, Arc::clone)
        });
        Self {
            list: list.collect(),
        }
    }

    /// The profile of an authority, in any case, with or without port; the scheme's own port must be left out. The longest
    /// domain wins.
    #[must_use]
    pub fn of_host(&self, authority: &str) -> Option<&Arc<Profile>> {
        let fitting = self
            .list
            .iter()
            .filter_map(|profile| Some((profile.fit(authority)?, profile)));
        let best = fitting.max_by_key(|(fit, _)| *fit)?;
        Some(best.1)
    }

    /// The profile of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Arc<Profile>> {
        self.list.iter().find(|profile| profile.rule.name == name)
    }

    /// All of them, in the order of the config.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Profile>> {
        self.list.iter()
    }
}

#[cfg(test)]
mod tests;
