//! Two parts of a config that are right by themselves and can't both hold: which, and which of them to change.

use std::fmt;

use super::cache_contradiction::CacheContradiction;
use super::profile_contradiction::ProfileContradiction;
use super::rule_contradiction::RuleContradiction;

/// Two parts of a config that can't both hold. `line` is where the first of them stands; the mistake points at the second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contradiction {
    /// The same listener twice.
    ListenerTwice {
        /// The first one's line.
        line: usize,
    },
    /// The admin API on a listener's address.
    AdminOnListener {
        /// The listener's line.
        line: usize,
    },
    /// An admin address that others can reach, without a token.
    AdminWithoutToken,
    /// Two literal files under one URL of one host.
    UrlTwice {
        /// The URL path.
        url: String,
        /// The first pin's line.
        line: usize,
    },
    /// Many files under one URL.
    ManyFilesOneUrl {
        /// The URL path.
        url: String,
    },
    /// One host claimed by two sites.
    HostTwice {
        /// The host.
        host: String,
        /// The first one's line.
        line: usize,
    },
    /// Two sites without hosts.
    DefaultSiteTwice {
        /// The first one's line.
        line: usize,
    },
    /// A host list that names every host and others too.
    EveryHostAndOthers,
    /// One about the cache's stores and origins.
    Cache(CacheContradiction),
    /// One about its rules.
    Rule(RuleContradiction),
    /// One about profiles.
    Profile(ProfileContradiction),
}

impl From<CacheContradiction> for Contradiction {
    fn from(found: CacheContradiction) -> Self {
        Self::Cache(found)
    }
}

impl From<RuleContradiction> for Contradiction {
    fn from(found: RuleContradiction) -> Self {
        Self::Rule(found)
    }
}

impl From<ProfileContradiction> for Contradiction {
    fn from(found: ProfileContradiction) -> Self {
        Self::Profile(found)
    }
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ListenerTwice { line } => write!(
                f,
                "already listened on by line {line}; remove one of the two"
            ),
            Self::AdminOnListener { line } => write!(
                f,
                "line {line} listens there for media; give the admin API a port of its own"
            ),
            Self::AdminWithoutToken => write!(
                f,
                "other machines can reach this address, so admin_token must be set too; \
                 or use a loopback address or \"unix:/path\""
            ),
            Self::UrlTwice { url, line } => write!(
                f,
                "the [[pin]] of line {line} has a file under {url} of this host already; \
                 change one url or its hosts"
            ),
            Self::ManyFilesOneUrl { url } => write!(
                f,
                "path can mean many files, and {url} is one URL; end url with \"/\" to have their names appended"
            ),
            Self::HostTwice { host, line } => write!(
                f,
                "{host} is claimed on line {line} already; one host belongs to one place in one site"
            ),
            Self::DefaultSiteTwice { line } => write!(
                f,
                "the [[site]] of line {line} is the default site already; give this one hosts"
            ),
            Self::EveryHostAndOthers => write!(
                f,
                "\"*\" means every host, so it must stand alone; remove it or the others"
            ),
            Self::Cache(contradiction) => contradiction.fmt(f),
            Self::Rule(contradiction) => contradiction.fmt(f),
            Self::Profile(contradiction) => contradiction.fmt(f),
        }
    }
}
