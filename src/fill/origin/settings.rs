//! Where a site's origin is, how long it may take, and how much of it may be under way at once.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::fill::profile::Profile;
use crate::policy::origin_rule::OriginRule;
pub use crate::policy::origin_rule::OriginUrl;

/// An origin as the client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginSettings {
    /// Its URLs, in the order in which they are tried; at least one.
    pub urls: Vec<OriginUrl>,
    /// Longest time to get a connection: name, addresses and TLS handshake together. Also the longest wait for one of
    /// `connections_max` to become free.
    pub connect_timeout: Duration,
    /// Longest time from the request's last byte to the end of the response's head.
    pub first_byte_timeout: Duration,
    /// Longest time in which nothing more of a body comes while it is waited for.
    pub between_bytes_timeout: Duration,
    /// Longest time from sending a request to its response's last byte; none: bodies may take as long as they flow.
    pub total_timeout: Option<Duration>,
    /// Most connections to each URL, idle ones included.
    pub connections_max: usize,
    /// Most requests that wait for a connection to each URL; the next one is [`Busy`](super::OriginFault::Busy).
    pub waits_max: usize,
    /// Most idle connections that are kept to each URL.
    pub idle_max: usize,
    /// How long an idle connection is kept.
    pub idle_timeout: Duration,
    /// Most bytes of a response's head, at most [`READ_MAX`](super::READ_MAX).
    pub head_max: usize,
    /// Failures in a row after which a URL is skipped where there is another; at least 1.
    pub failures_max: u32,
    /// How long a URL that failed is skipped.
    pub skip_for: Duration,
    /// What https origins have to prove.
    pub tls: TlsSettings,
    /// The Host field of its requests; empty: the client's. For those who make the requests, as the next.
    pub host: String,
    /// Whether clients' own `Forwarded` and `X-Forwarded-` fields go on.
    pub trusts_forwarded: bool,
    /// The credentials that requests show.
    pub profile: Option<Arc<Profile>>,
    /// Whose requests these are, which says what the credentials are lent for.
    pub asker: Asker,
    /// Whether only public addresses are connected to.
    pub public_only: bool,
}

impl Default for OriginSettings {
    /// No URLs; a fill of a large body may take as long as it flows.
    fn default() -> Self {
        Self {
            urls: Vec::new(),
            connect_timeout: Duration::from_secs(3),
            first_byte_timeout: Duration::from_secs(30),
            between_bytes_timeout: Duration::from_secs(30),
            total_timeout: None,
            connections_max: 256,
            waits_max: 1024,
            idle_max: 64,
            idle_timeout: Duration::from_secs(60),
            head_max: 64 << 10,
            failures_max: 1,
            skip_for: Duration::from_secs(5),
            tls: TlsSettings::default(),
            host: String::new(),
            trusts_forwarded: false,
            profile: None,
            asker: Asker::Own,
            public_only: false,
        }
    }
}

/// Whose requests an origin is asked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// Anybody who reaches a site: the credentials are lent for reading objects, without a query of theirs.
    Clients,
    /// The library, for those who may use it: they are lent for reading objects in any version, and for no listing.
    Library,
    /// This machine itself, which means what it asks.
    Own,
}

/// What https origins have to prove, and to whom; and what is proved to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// Whether the certificates that this system trusts are trusted.
    pub system_roots: bool,
    /// A file of PEM certificates that are trusted too.
    pub ca_file: Option<PathBuf>,
    /// Whether the origin's certificate must come from somebody who is trusted, and be in time.
    pub verify_peer: bool,
    /// Whether the certificate must be for the URL's host.
    pub verify_host: bool,
    /// Our own certificate, for origins that ask for one.
    pub client: Option<ClientIdentity>,
}

/// A certificate of our own with its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientIdentity {
    /// A PEM file with the certificate first, then those between it and its authority.
    pub certificates: PathBuf,
    /// A PEM file with the key.
    pub key: PathBuf,
}

impl Default for TlsSettings {
    fn default() -> Self {
        Self {
            system_roots: true,
            ca_file: None,
            verify_peer: true,
            verify_host: true,
            client: None,
        }
    }
}

impl From<&OriginRule> for OriginSettings {
    fn from(rule: &OriginRule) -> Self {
        Self {
            urls: rule.urls.clone(),
            connect_timeout: rule.connect_timeout,
            first_byte_timeout: rule.first_byte_timeout,
            between_bytes_timeout: rule.between_bytes_timeout,
            connections_max: rule.connections,
            idle_max: rule.connections,
            tls: TlsSettings {
                system_roots: rule.system_roots,
                ca_file: rule.ca_file.clone(),
                verify_peer: rule.verify_peer,
                verify_host: rule.verify_peer,
                client: None,
            },
            host: rule.host.clone(),
            trusts_forwarded: rule.trusts_forwarded,
            asker: Asker::Clients,
            public_only: rule.public_only,
            ..Self::default()
        }
    }
}
